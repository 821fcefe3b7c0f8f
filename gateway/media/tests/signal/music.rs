//! Music of made-up instruments.

use std::f64::consts::TAU;

use super::{Dice, rms};

/// A minute of music: up to four voices in one key, each with an instrument of its own, and drums.
pub fn piece(dice: &mut Dice) -> Vec<f64> {
    const SCALES: [[i32; 7]; 2] = [[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10]];
    let mut samples = vec![0.0; 60 * 8_000];
    let scale = SCALES[dice.one_of(2)];
    let key = dice.one_of(12) as i32;
    let beat = dice.between(0.25, 0.8);
    for _ in 0..1 + dice.one_of(4) {
        let instrument = Instrument::any(dice);
        let octave = 3 + dice.one_of(3) as i32;
        let level = dice.between(-26.0, -14.0);
        let mut at = 0.0;
        let mut degree = dice.one_of(7) as i32;
        while at < 60.0 {
            let length = beat * [0.5, 1.0, 1.0, 2.0, 4.0][dice.one_of(5)];
            degree = (degree + dice.one_of(5) as i32 - 2).rem_euclid(14);
            let half_tones = key + 12 * (octave + degree / 7) + scale[(degree % 7) as usize];
            // Of the tuning with A at 440 Hz, nine half tones above C of the fourth octave.
            let hertz = 440.0 * 2f64.powf(f64::from(half_tones - 57) / 12.0);
            instrument.play(&mut samples, at, length, hertz, level);
            at += length;
        }
    }
    let drums = dice.one_of(3) > 0;
    let mut at = 0.0;
    while drums && at < 60.0 {
        let (size, decay) = (rms(dice.between(-24.0, -14.0)), dice.between(10.0, 60.0));
        let from = (at * 8_000.0) as usize;
        for (n, sample) in samples.iter_mut().skip(from).take(2_000).enumerate() {
            *sample += size * dice.normal() * (-(n as f64) * decay / 8_000.0).exp();
        }
        at += beat;
    }
    samples
}

/// What makes a sound an instrument's: its harmonics, how fast they die away, and vibrato.
struct Instrument {
    harmonics: Vec<f64>,
    decay: f64,
    vibrato: (f64, f64),
}

impl Instrument {
    fn any(dice: &mut Dice) -> Instrument {
        // From a flute's, with hardly any, to a string's.
        let slope = dice.between(0.7, 2.5);
        let odd = dice.one_of(4) == 0;
        let harmonic = |n: usize, dice: &mut Dice| match odd && n.is_multiple_of(2) {
            true => 0.0,
            false => (n as f64).powf(-slope) * dice.between(0.5, 1.5),
        };
        Instrument {
            harmonics: (1..=10).map(|n| harmonic(n, dice)).collect(),
            decay: [0.0, 0.5, 2.0, 5.0][dice.one_of(4)],
            vibrato: (dice.between(4.0, 7.0), [0.0, 0.0, 0.003, 0.006][dice.one_of(4)]),
        }
    }

    fn play(&self, samples: &mut [f64], at: f64, length: f64, hertz: f64, level: f64) {
        let whole = self.harmonics.iter().map(|h| h * h).sum::<f64>().sqrt();
        let size = rms(level) * 2f64.sqrt() / whole;
        let (from, count) = ((at * 8_000.0) as usize, (length * 8_000.0) as usize);
        let mut phase = 0.0;
        for (n, sample) in samples.iter_mut().skip(from).take(count).enumerate() {
            let time = n as f64 / 8_000.0;
            let swing = 1.0 + self.vibrato.1 * (TAU * self.vibrato.0 * time).sin();
            phase += TAU * hertz * swing / 8_000.0;
            let edge = (time * 50.0).min((length - time) * 50.0).min(1.0);
            let envelope = size * edge * (-self.decay * time).exp();
            for (k, harmonic) in (1..).zip(&self.harmonics) {
                if hertz * f64::from(k) < 3_400.0 {
                    *sample += envelope * harmonic * (phase * f64::from(k)).sin();
                }
            }
        }
    }
}
