//! The emergency guard, against a plain list of what happened.

mod common;

use common::{key, number, office};
use shared::guard::{GUARDED_MS, Guard};

#[test]
fn a_call_back_within_the_time_and_to_the_number_shown() {
    let (shown, other) = (number("0312340001"), number("0312340000"));
    let mut guard = Guard::new();
    assert_eq!(guard.caller(0, shown), None);
    guard.called(1_000, key(0), shown);
    // (when, called number, whose)
    let table = [
        (1_000, shown, Some(key(0))),
        (1_000 + GUARDED_MS - 1, shown, Some(key(0))),
        (1_000 + GUARDED_MS, shown, None),
        (2_000, other, None),
    ];
    for (now, called, expected) in table {
        assert_eq!(guard.caller(now, called), expected, "{now}");
    }
    // The end of the call begins the time anew.
    guard.called(61_000, key(0), shown);
    assert_eq!(guard.caller(60_999 + GUARDED_MS, shown), Some(key(0)));
}

#[test]
fn the_last_caller_of_a_number_and_room_for_every_terminal() {
    let rep = office().reps[0].number;
    let mut guard = Guard::new();
    let mut log = Vec::new();
    // Every terminal calls, some twice, on three numbers in turn.
    for step in 0..200u64 {
        let caller = key((step * 37 % 64) as u16);
        let shown = number(["0312340000", "0312340001", "0312340002"][step as usize % 3]);
        let now = step * 30_000;
        guard.called(now, caller, shown);
        log.push((now, caller, shown));
        for called in ["0312340000", "0312340001", "0312340002", "0312340003"].map(number) {
            let last = |key| log.iter().rev().find(|(_, k, _)| *k == key).copied();
            let expected = log.iter().rev().find(|(at, key, shown)| {
                *shown == called && now < at + GUARDED_MS && last(*key) == Some((*at, *key, *shown))
            });
            assert_eq!(
                guard.caller(now, called),
                expected.map(|(_, key, _)| *key),
                "step {step}"
            );
        }
    }
    assert_eq!(guard.caller(u64::MAX, rep), None);
    guard.called(u64::MAX, key(0), rep);
}
