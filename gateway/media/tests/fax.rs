//! Signals of FAX machines and modems, made with the standard library's floating point from the Recommendations' text.

mod signal;

use std::f64::consts::TAU;

use media::fax::{Detector, Event};
use signal::{Dice, add_noise, coded, dbm0, music, rms, silence, sines};

/// What is heard, each with the millisecond in which it is.
fn heard(samples: &[i16]) -> Vec<(usize, Event)> {
    let mut detector = Detector::new();
    let milliseconds = samples.as_chunks().0.iter().enumerate();
    milliseconds
        .filter_map(|(at, ms)| Some((at, detector.push(ms)?)))
        .collect()
}

/// Between 100 ms of silence and 300 ms of it, with noise and through µ-law.
fn on_the_line(dice: &mut Dice, signal: &[f64], snr_db: f64) -> Vec<i16> {
    let mut samples = [silence(100.0), signal.to_vec(), silence(300.0)].concat();
    add_noise(dice, &mut samples, dbm0(signal) - snr_db);
    coded(&samples)
}

/// An answer tone: off its 2,100 Hz, with modulation of 15 Hz, with a phase reversed every so many milliseconds.
fn answer(
    dice: &mut Dice,
    seconds: f64,
    off: f64,
    level: f64,
    modulated: bool,
    reversed: Option<f64>,
) -> Vec<f64> {
    let (a, b) = (dice.between(0.0, TAU), dice.between(0.0, TAU));
    let count = (seconds * 8_000.0) as usize;
    let sample = |n: usize| {
        let time = n as f64 / 8_000.0;
        let swing = if modulated {
            1.0 + 0.2 * (b + TAU * 15.0 * time).sin()
        } else {
            1.0
        };
        let turned = reversed.is_some_and(|every| (time * 1_000.0 / every) as u64 % 2 == 1);
        let sign = if turned { -1.0 } else { 1.0 };
        sign * swing * rms(level) * 2f64.sqrt() * (a + TAU * (2_100.0 + off) * time).sin()
    };
    (0..count).map(sample).collect()
}

#[test]
fn answer_tones_are_told_apart_within_half_a_second() {
    let mut dice = Dice::new(1);
    for _ in 0..50 {
        for modulated in [false, true] {
            for reversed in [None, Some([425.0, 450.0, 475.0][dice.one_of(3)])] {
                let (off, level) = (dice.between(-15.0, 15.0), dice.between(-43.0, -3.0));
                let tone = answer(&mut dice, 3.0, off, level, modulated, reversed);
                let heard = heard(&on_the_line(&mut dice, &tone, 20.0));
                let (at, first) = heard[0];
                let want = if modulated {
                    Event::AnswerModulated
                } else {
                    Event::Answer
                };
                assert_eq!(first, want, "{off} Hz {level} dBm0");
                assert!((500..520).contains(&at), "{at}");

                let reversals = reversed.map_or(0, |every| (3_000.0 / every) as usize);
                let after: Vec<_> = heard.iter().skip(1).map(|&(_, event)| event).collect();
                assert_eq!(
                    after,
                    vec![Event::Reversal; reversals],
                    "{off} Hz {level} dBm0 {reversed:?}"
                );
            }
        }
    }
}

#[test]
fn calling_tone_is_known_after_its_first_burst() {
    let mut dice = Dice::new(2);
    for _ in 0..50 {
        let (hertz, level) = (dice.between(1_062.0, 1_138.0), dice.between(-43.0, -3.0));
        let length = dice.between(430.0, 570.0);
        let burst = sines(&mut dice, length, &[(hertz, level)]);
        let heard = heard(&on_the_line(&mut dice, &burst, 20.0));
        let [(at, Event::Calling)] = heard[..] else {
            panic!("{hertz} Hz {level} dBm0: {heard:?}");
        };
        assert!((at as f64) < 100.0 + length + 130.0, "{at} of {length}");
        // A tone that is shorter, longer, or of another frequency is none.
        for (hertz, length) in [(hertz, 380.0), (hertz, 700.0), (1_000.0, 500.0), (1_200.0, 500.0)] {
            let tone = sines(&mut dice, length, &[(hertz, level)]);
            assert_eq!(self::heard(&on_the_line(&mut dice, &tone, 20.0)), []);
        }
    }
}

/// V.21 channel 2: bits of 300 bit/s, ones of 1,650 Hz and zeros of 1,850 Hz, each off by so much.
fn v21(bits: &[bool], off: f64, level: f64) -> Vec<f64> {
    let count = bits.len() * 80 / 3;
    let mut phase = 0.0;
    let sample = |n: usize| {
        let hertz = if bits[(n * 3 / 80).min(bits.len() - 1)] {
            1_650.0
        } else {
            1_850.0
        };
        phase += TAU * (hertz + off) / 8_000.0;
        rms(level) * 2f64.sqrt() * f64::sin(phase)
    };
    (0..count).map(sample).collect()
}

#[test]
fn preamble_is_known_after_its_first_flags() {
    let mut dice = Dice::new(3);
    let octet = [false, true, true, true, true, true, true, false];
    for _ in 0..50 {
        // With two zeros between the ones, or with one that the flags share.
        for flag in [&octet[..], &octet[..7]] {
            let (off, level) = (dice.between(-12.0, 12.0), dice.between(-43.0, -3.0));
            let signal = v21(&flag.repeat(37), off, level);
            let heard = heard(&on_the_line(&mut dice, &signal, 20.0));
            let [(at, Event::Preamble)] = heard[..] else {
                panic!("{off} Hz {level} dBm0: {heard:?}");
            };
            assert!(at < 100 + 150, "{at}");
        }
        // Other bits are none.
        let bits: Vec<bool> = (0..300).map(|n| n % 5 != 0).collect();
        assert_eq!(heard(&on_the_line(&mut dice, &v21(&bits, 0.0, -12.0), 20.0)), []);
    }
}

#[test]
fn noise_and_music_are_no_signals() {
    let mut dice = Dice::new(4);
    for _ in 0..3 {
        assert_eq!(heard(&coded(&music::piece(&mut dice))), []);
    }
    let mut noise = silence(30_000.0);
    add_noise(&mut dice, &mut noise, -12.0);
    assert_eq!(heard(&coded(&noise)), []);
}
