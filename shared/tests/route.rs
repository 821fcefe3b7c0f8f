//! The precedence for calls from outside.

use shared::channels::Full;
use shared::date::Local;
use shared::route::{
    BlockRule, Caller, Cause, Finding, Inbound, NumberRules, NumberState, Prefix, Route, STEPS, Step,
    Treatment, route,
};
use shared::schedule::{Day, Exception, Hours, Override, Schedule, State};
use shared::{IdKey, Number};

/// A holiday (勤労感謝の日), a Monday.
const HOLIDAY: &str = "2026-11-23";
/// A Thursday.
const THURSDAY: &str = "2026-11-26";

fn number(text: &str) -> Number {
    text.parse().unwrap()
}

fn noon(date: &str) -> Local {
    Local {
        date: date.parse().unwrap(),
        minute: 720,
    }
}

fn day(state: State) -> Day {
    match state {
        State::Open => [Hours::ALL_DAY].into_iter().collect(),
        State::Closed => Day::new(),
    }
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// A call that nothing stands against.
fn call() -> Inbound<'static> {
    Inbound {
        called: number("0312340000"),
        caller: Caller::Number(number("0399998888")),
        at: Some(noon(THURSDAY)),
        guard: None,
        state: NumberState::InUse,
        full: None,
        rules: NumberRules::default(),
        block: &[],
        schedule: None,
    }
}

/// Every combination of everything that can be set, against the published list read from top to bottom.
#[test]
fn the_first_match_wins() {
    use State::{Closed, Open};
    let (called, night, spare) = (number("0312340000"), number("0312340009"), number("0312340008"));
    let blocking = [BlockRule::Withheld, BlockRule::Prefix(prefix("03-9999"))];
    let states = [None, Some(Open), Some(Closed)];
    let mut calls = 0;
    for bits in 0..2 * 5 * 2 * 3 * 3 * 3 * 3 * 2 * 3 * 2 * 2 {
        let mut rest = bits;
        let mut pick = |choices: usize| {
            let choice = rest % choices;
            rest /= choices;
            choice
        };
        let guard = [None, IdKey::new(2)][pick(2)];
        let state = [
            NumberState::InUse,
            NumberState::DirectOff,
            NumberState::Suspended,
            NumberState::Porting,
            NumberState::Unassigned,
        ][pick(5)];
        let block = [&[][..], &blocking][pick(2)];
        let full = [None, Some(Full::Contract), Some(Full::Number)][pick(3)];
        let (manual, exception, holiday) = (states[pick(3)], states[pick(3)], states[pick(3)]);
        let weekly = [Open, Closed][pick(2)];
        let at = [None, Some(noon(THURSDAY)), Some(noon(HOLIDAY))][pick(3)];
        let closed = [Treatment::End, Treatment::Forward(night)][pick(2)];
        let unanswered = [Treatment::End, Treatment::Forward(spare)][pick(2)];
        let schedule = Schedule {
            weekly: core::array::from_fn(|_| day(weekly)),
            holidays: holiday.map(day),
            exceptions: (exception.iter().zip(at))
                .map(|(state, at)| Exception {
                    date: at.date,
                    hours: day(*state),
                })
                .collect(),
            manual: manual.map(|state| Override { state, until: None }),
        };
        let (came, trace) = route(&Inbound {
            at,
            guard,
            state,
            full,
            rules: NumberRules {
                closed,
                unanswered,
                ..NumberRules::default()
            },
            block,
            schedule: Some(&schedule),
            ..call()
        });

        let ring = |number, first, unanswered| Route::Ring {
            number,
            first,
            unanswered,
        };
        let after_hours = |cause| match closed {
            Treatment::Forward(number) => ring(number, None, Treatment::End),
            Treatment::End => Route::Refuse(cause),
        };
        let by_hours = |state| match state {
            Open => ring(called, None, unanswered),
            Closed => after_hours(Cause::Closed),
        };
        let is_holiday = at == Some(noon(HOLIDAY));
        let published = [
            (
                Step::Guard,
                guard.map(|key| ring(called, Some(key), Treatment::End)),
            ),
            (
                Step::State,
                match state {
                    NumberState::InUse => None,
                    NumberState::DirectOff => Some(after_hours(Cause::NotInUse)),
                    NumberState::Suspended => Some(Route::Refuse(Cause::Rejected)),
                    NumberState::Porting => Some(Route::Refuse(Cause::OutOfOrder)),
                    NumberState::Unassigned => Some(Route::Refuse(Cause::NotInUse)),
                },
            ),
            (
                Step::Block,
                (!block.is_empty()).then_some(Route::Refuse(Cause::Rejected)),
            ),
            (Step::Channels, full.map(|_| Route::Refuse(Cause::Full))),
            (Step::Override, manual.map(by_hours)),
            (Step::Exception, exception.filter(|_| at.is_some()).map(by_hours)),
            (Step::Holiday, holiday.filter(|_| is_holiday).map(by_hours)),
            (Step::Weekly, at.map(|_| by_hours(weekly))),
            (Step::Ring, Some(ring(called, None, unanswered))),
        ];
        let (step, expected) = published
            .into_iter()
            .find_map(|(step, route)| Some((step, route?)))
            .unwrap();
        assert_eq!(came, expected, "{trace:?}");

        // The trace says the same: nothing matched before that step, every step before it was asked.
        let matched = trace.iter().position(|entry| entry.matched()).unwrap();
        assert_eq!(trace[matched].step, step, "{trace:?}");
        let asked = trace.iter().map(|entry| entry.step);
        let until = published.iter().map(|(step, _)| *step).take(matched + 1);
        assert!(asked.take(matched + 1).eq(until), "{trace:?}");
        assert!(trace.is_sorted_by(|a, b| a.step < b.step));
        assert_eq!(
            trace.last().unwrap().step == Step::Unanswered,
            matches!(came, Route::Ring { .. })
        );
        assert!(trace.len() <= STEPS);
        calls += 1;
    }
    assert_eq!(calls, 38_880);
}

#[test]
fn without_a_clock_hours_are_not_judged() {
    let schedule = |until| Schedule {
        weekly: core::array::from_fn(|_| Day::new()),
        holidays: None,
        exceptions: Default::default(),
        manual: Some(Override {
            state: State::Closed,
            until,
        }),
    };
    let (taken_back, until_noon) = (schedule(None), schedule(Some(noon(THURSDAY))));
    let (came, trace) = route(&Inbound {
        at: None,
        schedule: Some(&until_noon),
        ..call()
    });
    assert!(matches!(came, Route::Ring { .. }));
    assert!(trace.iter().any(|entry| entry.finding == Finding::NoClock));
    let (came, _) = route(&Inbound {
        at: None,
        schedule: Some(&taken_back),
        ..call()
    });
    assert_eq!(
        came,
        Route::Refuse(Cause::Closed),
        "closed until taken back needs no clock"
    );
    let (_, trace) = route(&call());
    assert!(trace.iter().any(|entry| entry.finding == Finding::NoSchedule));
}

#[test]
fn who_is_blocked() {
    let withheld = [BlockRule::Withheld];
    let exact = [BlockRule::Number(number("0399998888"))];
    let begins = [BlockRule::Prefix(prefix("0120")), BlockRule::Prefix(prefix("+1"))];
    for (list, caller, blocked) in [
        (&withheld[..], Caller::Withheld, true),
        (&withheld, Caller::Unavailable, false),
        (&withheld, Caller::Number(number("0399998888")), false),
        (&exact, Caller::Number(number("0399998888")), true),
        (&exact, Caller::Number(number("0399998889")), false),
        (&exact, Caller::Withheld, false),
        (&begins, Caller::Number(number("0120123456")), true),
        (&begins, Caller::Number(number("0121123456")), false),
        (&begins, Caller::Number(number("+16505550100")), true),
        (&begins, Caller::Number(number("+8613800138000")), false),
        (&begins, Caller::Withheld, false),
        (&[], Caller::Withheld, false),
    ] {
        let (came, _) = route(&Inbound {
            block: list,
            caller,
            ..call()
        });
        assert_eq!(
            came == Route::Refuse(Cause::Rejected),
            blocked,
            "{list:?} {caller:?}"
        );
    }
}

#[test]
fn a_prefix_is_read_and_shown_as_it_is_dialled() {
    for (text, shown) in [
        ("0120", "0120"),
        ("03-1234", "031234"),
        ("０１２０", "0120"),
        ("+81 3", "03"),
        ("+1", "+1"),
        ("010-1", "+1"),
        ("010 86 138", "+86138"),
        ("0312345678", "0312345678"),
    ] {
        let read: Prefix = text.parse().unwrap();
        assert_eq!(read.to_string(), shown, "{text}");
        assert_eq!(shown.parse(), Ok(read), "{text}");
        assert_eq!(Prefix::try_from(u64::from(read)), Ok(read));
    }
    for text in [
        "",
        "0",
        "00",
        "010",
        "+",
        "+8",
        "+81",
        "1",
        "110",
        "184",
        "*1",
        "+0",
        "abc",
        "+123456789012345678",
    ] {
        assert!(text.parse::<Prefix>().is_err(), "{text}");
    }
    for bits in [
        0,
        1,
        0xa000_0000_0000_0001,
        0x8123_0000_0000_0003,
        0x8100_0000_0000_0002,
    ] {
        assert!(Prefix::try_from(bits).is_err(), "{bits:x}");
    }
}

#[test]
fn a_prefix_begins_exactly_the_numbers_whose_digits_it_begins() {
    let numbers = [
        "0120123456",
        "0312340000",
        "09012345678",
        "+16505550100",
        "+8613800138000",
        "110",
    ];
    for whole in numbers {
        let digits = number(whole).e164().to_string();
        let digits = digits.trim_start_matches('+');
        for length in 1..=digits.len() {
            let Ok(prefix) = format!("+{}", &digits[..length]).parse::<Prefix>() else {
                continue;
            };
            for other in numbers {
                let text = number(other).e164().to_string();
                let begins = text.trim_start_matches('+').starts_with(&digits[..length]);
                assert_eq!(prefix.begins(number(other)), begins, "{prefix} {other}");
            }
        }
    }
}

#[test]
fn a_trace_can_be_read() {
    let schedule = Schedule {
        weekly: core::array::from_fn(|_| day(State::Open)),
        holidays: Some(Day::new()),
        exceptions: Default::default(),
        manual: None,
    };
    let (_, trace) = route(&Inbound {
        at: Some(noon(HOLIDAY)),
        rules: NumberRules {
            closed: Treatment::Forward(number("0312340009")),
            ..NumberRules::default()
        },
        schedule: Some(&schedule),
        ..call()
    });
    let english: Vec<_> = trace.iter().map(|entry| entry.english().to_string()).collect();
    assert_eq!(
        english,
        [
            "0 emergency call-back: no",
            "1 state of the number: no",
            "2 block list: no",
            "3 channels: no",
            "4 manual override: no",
            "5 dated exception: no",
            "6 national holiday: Labour Thanksgiving Day, closed",
            "9 ring group: 0312340009 rings",
            "10 if nobody answers: the call ends",
        ]
    );
    let japanese: Vec<_> = trace.iter().map(|entry| entry.japanese().to_string()).collect();
    assert_eq!(
        japanese,
        [
            "0 緊急通報の呼び返し: 該当なし",
            "1 番号の状態: 該当なし",
            "2 着信拒否: 該当なし",
            "3 チャンネル: 該当なし",
            "4 手動切替: 該当なし",
            "5 特定日: 該当なし",
            "6 祝日: 勤労感謝の日 時間外",
            "9 着信グループ: 0312340009 の端末を呼び出し",
            "10 応答がないとき: 終話",
        ]
    );
}

#[test]
fn the_encoding_is_frozen() {
    let mut buffer = [0; 64];
    let rules = NumberRules {
        schedule: Some(1),
        block: None,
        closed: Treatment::Forward(number("0312340009")),
        unanswered: Treatment::End,
    };
    // Numbers as LEB128 of 0x8131_2340_0090_000b, 0x8112_0000_0000_0005 and 0x1100_0000_0000_0003.
    #[rustfmt::skip]
    let golden = [1, 1, 0, 1, 0x8b, 0x80, 0xc0, 0x84, 0x80, 0xe8, 0xc8, 0x98, 0x81, 1, 0];
    let bytes = postcard::to_slice(&rules, &mut buffer).unwrap();
    assert_eq!(bytes, golden);
    assert_eq!(postcard::from_bytes::<NumberRules>(bytes).unwrap(), rules);
    let block = [
        BlockRule::Withheld,
        BlockRule::Prefix(prefix("0120")),
        BlockRule::Number(number("110")),
    ];
    let bytes = postcard::to_slice(&block, &mut buffer).unwrap();
    #[rustfmt::skip]
    let golden = [
        2,
        1, 0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x89, 0x81, 1,
        0, 0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x11,
    ];
    assert_eq!(bytes, golden);
    assert_eq!(postcard::from_bytes::<[BlockRule; 3]>(bytes).unwrap(), block);
    let states = [
        NumberState::InUse,
        NumberState::DirectOff,
        NumberState::Suspended,
        NumberState::Porting,
        NumberState::Unassigned,
    ];
    let bytes = postcard::to_slice(&states, &mut buffer).unwrap();
    assert_eq!(bytes, [0, 1, 2, 3, 4]);
}
