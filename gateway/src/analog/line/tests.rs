//! Tables: what comes in when, and what goes out when.

use std::vec::Vec;

use shared::analog::{LineFault, LineLoad, LineTest, LineTestResult};
use sip::Instant;

use super::Event::*;
use super::Output::Tested;
use super::Output::{Event as E, Signal as S};
use super::Signal::*;
use super::*;

#[derive(Clone, Copy, Debug)]
enum In {
    Close,
    Open,
    Begin { number: bool },
    Stop,
    Sent,
    Polarity(bool),
    Disconnect,
    Check { bells: bool, begins: bool },
    Reading(i32, i32, u32, i32),
    Unmeasured(NotMeasured),
    Trouble(LineFault, bool),
}
use In::*;

const TEST: In = Check {
    bells: true,
    begins: true,
};
const REFUSED: In = Check {
    bells: true,
    begins: false,
};

/// What a line does by `end`; the feed of its start is left out.
fn run(script: &[(u64, In)], end: u64) -> Vec<(u64, Output)> {
    let mut line = Line::new();
    let mut out = Vec::new();
    let wait = |line: &mut Line, out: &mut Vec<(u64, Output)>, until: u64| {
        loop {
            let at = line.next_deadline().as_millis();
            if at > until {
                return;
            }
            while let Some(output) = line.poll(Instant(at)) {
                out.push((at, output));
            }
            assert!(
                line.next_deadline().as_millis() > at,
                "a deadline in the past: {line:?}"
            );
        }
    };
    assert_eq!(line.poll(Instant(0)), Some(S(Feed(true))));
    for &(at, what) in script {
        wait(&mut line, &mut out, at);
        let now = Instant(at);
        match what {
            Close => line.handle(now, Sense::Loop { closed: true }),
            Open => line.handle(now, Sense::Loop { closed: false }),
            Begin { number } => line.begin(now, number),
            Stop => line.stop(),
            Sent => line.sent(now),
            Polarity(reversed) => line.reverse(reversed),
            Disconnect => line.disconnect(now),
            Check { bells, begins } => assert_eq!(line.test(now, bells), begins),
            Reading(tip_mv, ring_mv, ac_mv, loop_ua) => {
                let measured = Measured {
                    tip_mv,
                    ring_mv,
                    ac_mv,
                    loop_ua,
                };
                line.handle(now, Sense::Measured(Ok(measured)));
            }
            Unmeasured(why) => line.handle(now, Sense::Measured(Err(why))),
            Trouble(fault, is_there) => line.handle(now, Sense::Fault { fault, is_there }),
        }
        while let Some(output) = line.poll(now) {
            out.push((at, output));
        }
    }
    wait(&mut line, &mut out, end);
    out
}

#[test]
fn a_call_out() {
    let script = [(100, Close), (5_000, Polarity(true)), (60_000, Open)];
    assert_eq!(
        run(&script, 70_000),
        [(180, E(OffHook)), (5_000, S(Reverse(true))), (61_000, E(OnHook)),]
    );
}

#[test]
fn rings_in_japans_cadence() {
    assert_eq!(
        run(&[(0, Begin { number: false }), (8_000, Stop)], 20_000),
        [
            (0, S(Reverse(true))),
            (0, S(Ring(true))),
            (1_000, S(Ring(false))),
            (3_000, S(Ring(true))),
            (4_000, S(Ring(false))),
            (6_000, S(Ring(true))),
            (7_000, S(Ring(false))),
            (8_000, S(Reverse(false))),
        ]
    );
}

#[test]
fn answered_within_a_ring_and_between_two() {
    // The bell's voltage is gone and the polarity back within 150 ms of lifting the handset.
    let ringing = [(0, S(Reverse(true))), (0, S(Ring(true)))];
    let within = run(&[(0, Begin { number: false }), (400, Close)], 20_000);
    assert_eq!(within[..2], ringing);
    assert_eq!(
        within[2..],
        [
            (480, S(Ring(false))),
            (480, S(Reverse(false))),
            (480, E(Answered)),
        ]
    );
    let between = run(&[(0, Begin { number: false }), (1_700, Close)], 20_000);
    assert_eq!(
        between[2..],
        [
            (1_000, S(Ring(false))),
            (1_780, S(Reverse(false))),
            (1_780, E(Answered)),
        ]
    );
    // Lifted at the end of a ring: it does not ring again.
    let end = run(&[(0, Begin { number: false }), (990, Close)], 20_000);
    assert_eq!(
        end[2..],
        [
            (1_000, S(Ring(false))),
            (1_070, S(Reverse(false))),
            (1_070, E(Answered)),
        ]
    );
}

/// The signals of a CAR that begins with the reversal at 0, until `end`.
fn car(end: u64) -> Vec<(u64, Output)> {
    let mut out = Vec::from([(0, S(Reverse(true)))]);
    for n in 0..6 {
        out.extend([
            (100 + 1_000 * n, S(Ring(true))),
            (600 + 1_000 * n, S(Ring(false))),
        ]);
    }
    out.retain(|(at, _)| *at <= end);
    out
}

#[test]
fn the_number_is_displayed() {
    let script = [
        (0, Begin { number: true }),
        (1_200, Close),
        (1_930, Sent),
        (2_100, Open),
        (8_500, Close),
    ];
    let mut expected = car(1_200);
    expected.extend([
        // A primary answer, while it rings.
        (1_280, S(Ring(false))),
        (1_480, E(WaitsForNumber)),
        (2_200, S(Ring(true))),
        (3_200, S(Ring(false))),
        (5_200, S(Ring(true))),
        (6_200, S(Ring(false))),
        (8_200, S(Ring(true))),
        (8_580, S(Ring(false))),
        (8_580, S(Reverse(false))),
        (8_580, E(Answered)),
    ]);
    assert_eq!(run(&script, 60_000), expected);
}

#[test]
fn without_a_primary_answer_it_rings_plainly() {
    let mut expected = car(10_000);
    expected.extend([
        (6_100, S(Ring(true))),
        (7_100, S(Ring(false))),
        (9_100, S(Ring(true))),
        (10_000, S(Ring(false))),
        (10_000, S(Reverse(false))),
    ]);
    assert_eq!(
        run(&[(0, Begin { number: true }), (10_000, Stop)], 60_000),
        expected
    );
}

#[test]
fn who_does_not_hang_up_after_the_number_has_answered() {
    let lifted = [(0, Begin { number: true }), (700, Close)];
    let mut expected = car(700);
    expected.push((980, E(WaitsForNumber)));
    let answered = |at| [(at, S(Reverse(false))), (at, E(Answered))];
    // Sent at 1,400; and a chain that never says so.
    for (sent, at) in [(Some((1_400, Sent)), 3_400), (None, 5_980)] {
        let script: Vec<_> = lifted.into_iter().chain(sent).collect();
        let expected: Vec<_> = expected.iter().copied().chain(answered(at)).collect();
        assert_eq!(run(&script, 60_000), expected);
    }
    // Hung up before the number was sent: it has rung all the same.
    let given_up = run(
        &[
            (0, Begin { number: true }),
            (700, Close),
            (800, Open),
            (2_000, Stop),
        ],
        60_000,
    );
    assert_eq!(
        given_up[3..],
        [
            (900, S(Ring(true))),
            (1_900, S(Ring(false))),
            (2_000, S(Reverse(false)))
        ]
    );
    // The caller gives up while the number is sent: the terminal hangs up by itself.
    let gone = run(
        &[
            (0, Begin { number: true }),
            (700, Close),
            (1_000, Stop),
            (1_500, Open),
        ],
        60_000,
    );
    assert_eq!(
        gone[3..],
        [
            (980, E(WaitsForNumber)),
            (1_000, S(Reverse(false))),
            (2_500, E(OnHook))
        ]
    );
}

#[test]
fn the_other_side_is_gone() {
    // The feed is off for half a second; nobody takes that for hanging up or for a flash.
    let script = [
        (100, Close),
        (200, Polarity(true)),
        (5_000, Disconnect),
        (5_005, Open),
        (5_510, Close),
        (9_000, Open),
    ];
    assert_eq!(
        run(&script, 20_000)[1..],
        [
            (200, S(Reverse(true))),
            (5_000, S(Feed(false))),
            (5_000, S(Reverse(false))),
            (5_500, S(Feed(true))),
            (10_000, E(OnHook)),
        ]
    );
    // A FAX machine hangs up when it sees it.
    let script = [(100, Close), (5_000, Disconnect), (5_005, Open)];
    assert_eq!(
        run(&script, 20_000)[1..],
        [
            (5_000, S(Feed(false))),
            (5_500, S(Feed(true))),
            (6_600, E(OnHook)),
        ]
    );
}

#[test]
fn pulses_and_flash() {
    let mut script = Vec::from([(100, Close)]);
    for n in 0..10 {
        script.extend([(1_000 + 100 * n, Open), (1_067 + 100 * n, Close)]);
    }
    script.extend([(4_000, Open), (4_033, Close), (6_000, Open), (6_500, Close)]);
    assert_eq!(
        run(&script, 9_000)[1..],
        [
            (2_167, E(Digit(b'0'))),
            (4_233, E(Digit(b'1'))),
            (6_508, E(Flash)),
        ]
    );
    // Eleven pulses are no digit.
    let mut script = Vec::from([(100, Close)]);
    for n in 0..11 {
        script.extend([(1_000 + 100 * n, Open), (1_067 + 100 * n, Close)]);
    }
    assert_eq!(run(&script, 9_000)[1..], []);
}

const BEGIN: [(u64, Output); 2] = [(0, S(Feed(false))), (300, S(Measure { reverse: false }))];

#[test]
fn a_test_of_the_line() {
    let script = [
        (0, TEST),
        (10, REFUSED),
        (400, Reading(120, -80, 300, 0)),
        // 48 V through 1 MΩ.
        (1_000, Reading(-1_000, -49_000, 0, 48)),
        // 2 µF from -48 V to 48 V are 192 µC.
        (1_100, Reading(0, 0, 0, -1_584)),
        (5_000, TEST),
    ];
    let found = LineTest {
        foreign_dc_mv: 120,
        foreign_ac_mv: 300,
        load: Some(LineLoad {
            feed_mv: 48_000,
            leakage_ohm: 1_000_000,
            ringer_nf: 2_000,
        }),
    };
    let mut expected = Vec::from(BEGIN);
    expected.extend([
        (400, S(Feed(true))),
        (900, S(Measure { reverse: false })),
        (1_000, S(Measure { reverse: true })),
        (1_100, Tested(LineTestResult::Measured(found))),
        (5_000, S(Feed(false))),
    ]);
    assert_eq!(run(&script, 5_100), expected);
    let load = found.load.unwrap();
    assert!(!found.is_foreign() && !load.leaks() && load.ringers() == Some(2));
}

#[test]
fn a_test_that_ends_early() {
    let test = (0, TEST);
    let done = |script: &[(u64, In)]| {
        let script: Vec<_> = core::iter::once(test).chain(script.iter().copied()).collect();
        let out = run(&script, 30_000);
        assert_eq!(out[..2], BEGIN);
        Vec::from(&out[2..])
    };
    // Somebody else's voltage: the line is fed again and nothing more is asked of it.
    let foreign = LineTest {
        foreign_dc_mv: -24_000,
        foreign_ac_mv: 7,
        load: None,
    };
    assert_eq!(
        done(&[(400, Reading(3, -24_000, 7, 0))]),
        [
            (400, S(Feed(true))),
            (400, Tested(LineTestResult::Measured(foreign))),
        ]
    );
    let failed = |at| [(at, S(Feed(true))), (at, Tested(LineTestResult::Failed))];
    assert_eq!(done(&[(400, Unmeasured(NotMeasured::Silent))]), failed(400));
    let mut never = Vec::from([(10_300, S(Release))]);
    never.extend(failed(10_300));
    assert_eq!(done(&[]), never, "the converter never answers");
    // Somebody calls, or is called.
    let in_use = Tested(LineTestResult::InUse);
    assert_eq!(
        done(&[(400, Reading(0, 0, 0, 0)), (700, Close)]),
        [(400, S(Feed(true))), (780, in_use), (780, E(OffHook))]
    );
    let mut called = done(&[(350, Begin { number: false }), (1_000, Stop)]);
    called.truncate(5);
    assert_eq!(
        called,
        [
            (350, S(Release)),
            (350, S(Feed(true))),
            (350, S(Reverse(true))),
            (350, in_use),
            (350, S(Ring(true)))
        ]
    );
}

#[test]
fn a_test_at_night_makes_no_bell_tap() {
    let night = Check {
        bells: false,
        begins: true,
    };
    let script = [
        (0, night),
        (400, Reading(0, 0, 0, 0)),
        (1_000, Reading(0, -48_000, 0, 0)),
    ];
    let found = LineTest {
        load: Some(LineLoad {
            feed_mv: 48_000,
            leakage_ohm: u32::MAX,
            ringer_nf: u32::MAX,
        }),
        ..LineTest::default()
    };
    let out = run(&script, 5_000);
    assert_eq!(
        out.last(),
        Some(&(1_000, Tested(LineTestResult::Measured(found))))
    );
    let taps = |(_, out): &(u64, Output)| matches!(out, S(Reverse(_) | Measure { reverse: true }));
    assert!(!out.iter().any(taps), "{out:?}");
}

#[test]
fn a_fault_is_told_once() {
    use LineFault::Codec;
    let script = [(0, true), (10, true), (20, false), (30, false), (40, true)];
    let script = script.map(|(at, is_there)| (at, Trouble(Codec, is_there)));
    let told = |at, is_there| (at, E(Fault(Codec, is_there)));
    assert_eq!(
        run(&script, 100),
        [told(0, true), told(20, false), told(40, true)]
    );
}

#[test]
fn a_circuit_that_feeds_too_little() {
    let tests = |begin: u64, ring_mv| {
        [
            (begin, TEST),
            (begin + 400, Reading(0, 0, 0, 0)),
            (begin + 1_000, Reading(0, ring_mv, 0, 0)),
            (begin + 1_100, Reading(0, 0, 0, 0)),
        ]
    };
    let script = [tests(0, -12_000), tests(5_000, -12_000), tests(10_000, -48_000)];
    let out = run(script.as_flattened(), 15_000);
    let faults: Vec<_> = out
        .into_iter()
        .filter(|(_, out)| matches!(out, E(Fault(..))))
        .collect();
    let fault = |is_there| E(Fault(LineFault::BrownOut, is_there));
    assert_eq!(faults, [(1_100, fault(true)), (11_100, fault(false))]);
}

#[test]
fn the_charge_of_bells_lifts_no_handset() {
    // Behind the reversal that a call begins with, behind the last of a ring, and behind the reversals of a test.
    for (script, bell) in [
        (&[(0, Begin { number: true })][..], 5),
        (&[(0, Begin { number: false })], 1_010),
        (&[(0, Begin { number: false }), (1_500, Stop)], 1_510),
        (
            &[
                (0, TEST),
                (400, Reading(0, 0, 0, 0)),
                (1_000, Reading(0, -48_000, 0, 0)),
            ],
            1_020,
        ),
        (
            &[
                (0, TEST),
                (400, Reading(0, 0, 0, 0)),
                (1_000, Reading(0, -48_000, 0, 0)),
                (1_125, Reading(0, 0, 0, -1_536)),
            ],
            1_130,
        ),
    ] {
        let script: Vec<_> = script
            .iter()
            .copied()
            .chain([(bell, Close), (bell + 45, Open)])
            .collect();
        let out = run(&script, bell + 500);
        let lifted = |(_, out): &(u64, Output)| matches!(out, E(OffHook | Answered | WaitsForNumber));
        assert!(!out.iter().any(lifted), "{script:?}: {out:?}");
    }
}

#[test]
fn what_was_measured_too_late_is_measured_again() {
    let late = Unmeasured(NotMeasured::Late);
    let script = [
        (0, TEST),
        (400, late),
        (1_000, Reading(0, 0, 0, 0)),
        (1_600, Reading(0, -48_000, 0, 0)),
        (1_700, late),
        (2_300, Reading(0, 0, 0, -1_536)),
    ];
    let found = LineTest {
        load: Some(LineLoad {
            feed_mv: 48_000,
            leakage_ohm: u32::MAX,
            ringer_nf: 2_000,
        }),
        ..LineTest::default()
    };
    let mut expected = Vec::from(BEGIN);
    expected.extend([
        // After a rest each time, from the polarity that it began with.
        (900, S(Measure { reverse: false })),
        (1_000, S(Feed(true))),
        (1_500, S(Measure { reverse: false })),
        (1_600, S(Measure { reverse: true })),
        (2_200, S(Measure { reverse: true })),
        (2_300, Tested(LineTestResult::Measured(found))),
    ]);
    assert_eq!(run(&script, 5_000), expected);
    // A host that is never in time.
    let mut script = Vec::from([(0, TEST)]);
    script.extend((0..8).map(|n| (400 + 600 * n, late)));
    let out = run(&script, 30_000);
    let measured = |(_, out): &&(u64, Output)| matches!(out, S(Measure { .. }));
    assert_eq!(out.iter().filter(measured).count(), 8);
    assert_eq!(out.last(), Some(&(4_600, Tested(LineTestResult::Failed))));
}

#[test]
fn a_measurement_that_nobody_waits_for_any_more_is_ended() {
    let script = [
        (0, TEST),
        (400, Reading(0, 0, 0, 0)),
        (1_000, Reading(0, -48_000, 0, 0)),
        (1_050, Begin { number: false }),
        (1_060, Reading(0, 0, 0, -1_536)),
        (1_100, Stop),
    ];
    let out = run(&script, 5_000);
    let after: Vec<_> = out.into_iter().skip_while(|(at, _)| *at < 1_050).collect();
    assert_eq!(
        after,
        [
            (1_050, S(Release)),
            (1_050, S(Reverse(true))),
            (1_050, Tested(LineTestResult::InUse)),
            (1_050, S(Ring(true))),
            (1_100, S(Ring(false))),
            (1_100, S(Reverse(false))),
        ]
    );
}

#[test]
fn no_test_where_there_is_no_quiet_line() {
    for before in [Begin { number: false }, Close] {
        run(&[(0, before), (100, REFUSED)], 200);
    }
    run(&[(0, Close), (100, Disconnect), (200, REFUSED)], 300);
}
