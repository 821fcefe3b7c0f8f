//! Push-button signals within the limits of ITU-T Q.24's column for Japan, with noise and through µ-law. `bench/` has the same
//! with more trials, and hours of speech and music.

mod signal;

use media::dtmf::{Detector, Digit, Event, Generator, HIGH, LOW};
use media::tone::{self, Goertzel, Tone};
use signal::{Dice, Push, add_noise, coded, digits, events, music, silence, sines};

/// Of so many trials, in how many exactly the digit was heard, and in how many nothing was.
fn trials(
    count: usize,
    seed: u64,
    milliseconds: f64,
    change: impl Fn(&mut Dice, &mut Push),
) -> (usize, usize) {
    let mut dice = Dice::new(seed);
    let (mut right, mut none) = (0, 0);
    for _ in 0..count {
        let mut push = Push::any(&mut dice, milliseconds);
        change(&mut dice, &mut push);
        let heard = digits(&push.sound(&mut dice));
        right += usize::from(heard.as_bytes() == [push.digit.name()]);
        none += usize::from(heard.is_empty());
    }
    (right, none)
}

#[test]
fn limits() {
    // (what, ms, change, accepted)
    type Row = (&'static str, f64, fn(&mut Dice, &mut Push), bool);
    let table: [Row; 12] = [
        ("40 ms", 40.0, |_, _| {}, true),
        ("24 ms", 24.0, |_, _| {}, false),
        (
            "off by 1.8 %",
            40.0,
            |dice, p| p.off = signal::off(dice, 0.018),
            true,
        ),
        (
            "off by 3 %",
            100.0,
            |dice, p| p.off = signal::off(dice, 0.03),
            false,
        ),
        (
            "row off by 3 %",
            100.0,
            |dice, p| p.off = (0.03 * dice.sign(), dice.between(-0.018, 0.018)),
            false,
        ),
        (
            "column off by 3 %",
            100.0,
            |dice, p| p.off = (dice.between(-0.018, 0.018), 0.03 * dice.sign()),
            false,
        ),
        ("-24 dBm0", 40.0, |_, p| p.levels = (-24.0, -24.0), true),
        ("-29 dBm0", 100.0, |_, p| p.levels = (-29.0, -29.0), false),
        ("column 5 dB louder", 40.0, |_, p| p.levels = (-13.0, -8.0), true),
        ("row 5 dB louder", 40.0, |_, p| p.levels = (-8.0, -13.0), true),
        (
            "twist of 10 dB",
            100.0,
            |dice, p| p.levels = (-13.0, -13.0 + 10.0 * dice.sign()),
            false,
        ),
        ("SNR 15 dB", 40.0, |_, p| p.snr_db = 15.0, true),
    ];
    for (seed, (what, milliseconds, change, accepted)) in (1..).zip(table) {
        let (right, none) = trials(100, seed, milliseconds, change);
        assert_eq!(if accepted { right } else { none }, 100, "{what}");
    }
}

#[test]
fn pause_of_30_ms_makes_two_and_interruption_of_10_ms_none() {
    let mut dice = Dice::new(1);
    for (gap, want) in [(30.0, 2), (10.0, 1)] {
        for _ in 0..50 {
            let push = Push::any(&mut dice, 40.0);
            let (row, column) = push.digit.frequencies();
            let mut tone = || {
                let tones = [
                    (f64::from(row), push.levels.0),
                    (f64::from(column), push.levels.1),
                ];
                sines(&mut dice, 40.0, &tones)
            };
            let mut samples = [silence(40.0), tone(), silence(gap), tone(), silence(40.0)].concat();
            add_noise(&mut dice, &mut samples, push.levels.0.max(push.levels.1) - 20.0);
            assert_eq!(digits(&coded(&samples)).len(), want, "{gap} ms, {push:?}");
        }
    }
}

#[test]
fn beginning_and_end_are_told_soon() {
    let mut dice = Dice::new(2);
    for _ in 0..50 {
        let milliseconds = dice.between(40.0, 400.0).round();
        let push = Push::any(&mut dice, milliseconds);
        let events = events(&push.sound(&mut dice));
        let [(begun, Event::Begun(_)), (ended, Event::Ended(_))] = events[..] else {
            panic!("{events:?}");
        };
        // The sound begins after 60 to 70 ms; its end is known when a pause could not be an interruption.
        assert!((90..=110).contains(&begun), "{begun}");
        let end = 60 + milliseconds as usize;
        assert!(
            (end + 15..=end + 45).contains(&ended),
            "{ended} of {milliseconds}"
        );
    }
}

#[test]
fn dial_tone_is_not_in_the_way() {
    let mut dice = Dice::new(3);
    for _ in 0..100 {
        let push = Push::any(&mut dice, 50.0);
        let (row, column) = push.digit.frequencies();
        let tones = [
            (f64::from(row), push.levels.0),
            (f64::from(column), push.levels.1),
        ];
        let mut samples = [silence(100.0), sines(&mut dice, 50.0, &tones), silence(60.0)].concat();
        // Returned by a hybrid with a loss of 6 dB.
        let mut dial = tone::Generator::new(Tone::Dial);
        samples
            .iter_mut()
            .for_each(|sample| *sample += f64::from(dial.next_sample()) / 2.0);
        let heard = digits(&coded(&samples));
        assert_eq!(heard.as_bytes(), [push.digit.name()], "{push:?}");
    }
}

#[test]
fn every_digit_that_is_generated_is_heard() {
    for code in 0..16 {
        let digit = Digit::from_code(code).expect("a digit");
        assert_eq!(Digit::from_name(digit.name()), Some(digit));
        let mut generator = Generator::new(digit);
        let sound: Vec<i16> = (0..400).map(|_| generator.next_sample()).collect();
        let samples = [vec![0; 160], sound.clone(), vec![0; 400]].concat();
        assert_eq!(digits(&samples).as_bytes(), [digit.name()]);
        // Row and column have the levels that are meant, and nothing else is there.
        let level = |hertz| {
            let mut filter = Goertzel::new(hertz);
            sound.iter().for_each(|&sample| filter.push(sample));
            filter.level_dbm0()
        };
        let (row, column) = digit.frequencies();
        for hertz in LOW.into_iter().chain(HIGH) {
            let want = match hertz {
                _ if hertz == row => -9.5..-8.5,
                _ if hertz == column => -7.5..-6.5,
                _ => -100.0..-20.0,
            };
            assert!(
                want.contains(&level(hertz)),
                "{hertz} Hz of {}: {}",
                digit.name(),
                level(hertz)
            );
        }
    }
    assert_eq!(Digit::from_code(16), None);
    assert_eq!(Digit::from_name(b'x'), None);
}

#[test]
fn keys_are_where_q23_has_them() {
    let keys = [*b"123A", *b"456B", *b"789C", *b"*0#D"];
    for (row, keys) in LOW.into_iter().zip(keys) {
        for (column, key) in HIGH.into_iter().zip(keys) {
            let digit = Digit::from_name(key).expect("a digit");
            assert_eq!(digit.frequencies(), (row, column));
        }
    }
}

#[test]
fn noise_and_music_are_no_digits() {
    let mut dice = Dice::new(4);
    for _ in 0..3 {
        assert_eq!(digits(&coded(&music::piece(&mut dice))), "");
    }
    let mut noise = silence(30_000.0);
    add_noise(&mut dice, &mut noise, -12.0);
    assert_eq!(digits(&coded(&noise)), "");
}

#[test]
fn any_samples_are_borne() {
    let mut detector = Detector::new();
    for sample in [i16::MIN, i16::MAX, 0, -1] {
        for _ in 0..1_000 {
            assert_eq!(detector.push(&[sample; 8]), None);
        }
    }
    let mut dice = Dice::new(5);
    for _ in 0..10_000 {
        let wild = [0; 8].map(|_| dice.next() as i16);
        assert_eq!(detector.push(&wild), None);
    }
}
