//! Packet loss concealment: what it makes of sines, speech and a modem's signal.

mod hybrid;
mod signal;

use hybrid::{level, noise, speech};
use media::BLOCK;
use media::g711::{ulaw_decode, ulaw_encode};
use media::plc::{Concealer, Signal};
use signal::Dice;
use std::f64::consts::TAU;

/// Plays it, with the blocks from and to these missing.
fn play(signal: Signal, samples: &[i16], missing: &[(usize, usize)]) -> Vec<i16> {
    let mut concealer = Concealer::new();
    let mut played = Vec::new();
    for (index, block) in samples.chunks_exact(BLOCK).enumerate() {
        let mut out = block.try_into().unwrap();
        if missing.iter().any(|(from, to)| (*from..*to).contains(&index)) {
            concealer.lost(signal, &mut out);
        } else {
            concealer.received(&mut out);
        }
        played.extend(out);
    }
    played
}

fn snr(wanted: &[i16], played: &[i16]) -> f64 {
    let power = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let noise = power(
        &mut wanted
            .iter()
            .zip(played)
            .map(|(w, p)| f64::from(*w) - f64::from(*p)),
    );
    10.0 * (power(&mut wanted.iter().map(|w| f64::from(*w))) / noise.max(1.0)).log10()
}

fn sine(hertz: f64, count: usize) -> Vec<i16> {
    (0..count)
        .map(|n| (8_000.0 * (TAU * hertz * n as f64 / 8_000.0).sin()).round() as i16)
        .collect()
}

#[test]
fn without_loss_nothing_changes() {
    let speech = speech(-15.0);
    for signal in [Signal::Speech, Signal::Modem] {
        assert_eq!(play(signal, &speech[..8_000], &[]), speech[..8_000]);
    }
}

#[test]
fn a_voice_goes_on_at_its_pitch() {
    // Two harmonics of every pitch: a gap of 10 ms is hardly there.
    for pitch in [70.0, 100.0, 123.0, 160.0, 195.0] {
        let voice: Vec<i16> = sine(pitch, 4_000)
            .iter()
            .zip(sine(3.0 * pitch, 4_000))
            .map(|(a, b)| a / 2 + b / 2)
            .collect();
        let played = play(Signal::Speech, &voice, &[(40, 42)]);
        let gap = 40 * BLOCK..42 * BLOCK;
        let snr = snr(&voice[gap.clone()], &played[gap]);
        assert!(snr > 14.0, "{pitch} Hz: {snr}");
    }
}

#[test]
fn speech_fades_within_60_ms_and_does_not_jump() {
    let voice = sine(125.0, 8_000);
    let played = play(Signal::Speech, &voice, &[(50, 80)]);
    assert!(level(&played[50 * BLOCK..52 * BLOCK]) > level(&voice) - 0.7);
    assert!(level(&played[60 * BLOCK..62 * BLOCK]) < level(&voice) - 10.0);
    assert!(played[62 * BLOCK..80 * BLOCK].iter().all(|&s| s == 0));
    let step = |samples: &[i16]| {
        samples
            .windows(2)
            .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs())
            .max()
            .unwrap()
    };
    assert!(
        step(&played) < 2 * step(&voice),
        "{} {}",
        step(&played),
        step(&voice)
    );
}

#[test]
fn speech_is_as_near_to_what_was_said_as_spandsps() {
    // The benchmark's speech, losses and seeds, where spandsp 0.0.6 has 12.28 dB.
    let speech: Vec<i16> = speech(-15.0)
        .into_iter()
        .map(|s| ulaw_decode(ulaw_encode(s)))
        .collect();
    let sum: f64 = (0..20)
        .map(|seed| {
            let mut dice = Dice::new(seed);
            let lost: Vec<_> = (0..speech.len() / 160)
                .filter(|_| dice.between(0.0, 1.0) < 0.05)
                .map(|packet| (4 * packet, 4 * packet + 4))
                .collect();
            snr(&speech, &play(Signal::Speech, &speech, &lost))
        })
        .sum();
    assert!(sum / 20.0 > 12.28, "{}", sum / 20.0);
}

#[test]
fn a_modem_keeps_its_carrier_symbols_and_level() {
    // All that FAX modems and their tones turn at is whole in the period; a gap in it cannot be told from none.
    for hertz in [1_100.0, 1_300.0, 1_650.0, 1_700.0, 1_800.0, 1_850.0, 2_100.0] {
        let carrier = sine(hertz, 8_000);
        assert_eq!(
            play(Signal::Modem, &carrier, &[(30, 34), (36, 50), (90, 91)]),
            carrier,
            "{hertz} Hz"
        );
    }
    let data = noise(3, 8_000, -15.0);
    let played = play(Signal::Modem, &data, &[(100, 108)]);
    assert_eq!(played[100 * BLOCK..104 * BLOCK], data[96 * BLOCK..100 * BLOCK]);
    assert_eq!(played[104 * BLOCK..108 * BLOCK], data[96 * BLOCK..100 * BLOCK]);
    assert_eq!(played[108 * BLOCK..], data[108 * BLOCK..]);
}

/// V.21's channel 2 (300 bit/s, 1,650 and 1,850 Hz, without a jump of the phase), saying these bits again and again.
fn v21(bits: &[bool], count: usize) -> Vec<i16> {
    let mut turns = 0.0;
    (0..count)
        .map(|n| {
            turns += if bits[n * 300 / 8_000 % bits.len()] {
                1_650.0
            } else {
                1_850.0
            } / 8_000.0;
            (5_000.0 * (TAU * turns).sin()) as i16
        })
        .collect()
}

#[test]
fn flags_and_filled_frames_have_no_gap() {
    let flag = [false, true, true, true, true, true, true, false];
    let ones_with_zeros_put_in = [true, true, true, true, true, false];
    for bits in [&flag[..], &ones_with_zeros_put_in, &[false]] {
        let said = v21(bits, 8_000);
        for gap in 50..58 {
            let played = play(Signal::Modem, &said, &[(gap, gap + 4)]);
            let snr = snr(&said[2_000..2_480], &played[2_000..2_480]);
            assert!(snr > 12.0, "{bits:?}: {snr} dB");
        }
    }
}

#[test]
fn a_gap_after_a_gap_is_of_what_was_played() {
    // The past of the second gap is the end of the first, three blocks and a period of four.
    let data = noise(4, 8_000, -15.0);
    let played = play(Signal::Modem, &data, &[(100, 103), (104, 110)]);
    assert_eq!(played[104 * BLOCK..108 * BLOCK], played[100 * BLOCK..104 * BLOCK]);
    let quiet = play(Signal::Speech, &data, &[(0, 3), (20, 60), (61, 80)]);
    assert_eq!(quiet.len(), data.len());
}
