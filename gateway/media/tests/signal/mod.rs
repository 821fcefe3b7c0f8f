//! Signals with noise, made with the standard library's floating point: for the tests here and for `bench/`.
#![allow(dead_code, reason = "each user takes a part")]

pub mod music;

use std::f64::consts::TAU;

use media::SAMPLE_RATE;
use media::dtmf::{Detector, Digit, Event};
use media::g711::Law;
use media::tone::PEAK_0_DBM0;

/// Numbers that look random and are the same in every run (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Between these two, all as likely.
    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of so many.
    pub fn one_of(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// One or minus one.
    pub fn sign(&mut self) -> f64 {
        if self.next() >> 63 == 0 { 1.0 } else { -1.0 }
    }

    /// Of the normal distribution (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (self.between(1e-12, 1.0), self.between(0.0, 1.0));
        (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
    }
}

/// Root mean square of what has so many dBm0.
pub fn rms(dbm0: f64) -> f64 {
    f64::from(PEAK_0_DBM0) / 2f64.sqrt() * 10f64.powf(dbm0 / 20.0)
}

/// dBm0 of samples.
pub fn dbm0(samples: &[f64]) -> f64 {
    let mean = samples.iter().map(|x| x * x).sum::<f64>() / samples.len().max(1) as f64;
    20.0 * (mean.sqrt() / rms(0.0)).max(1e-10).log10()
}

/// Sines as (hertz, dBm0), each beginning anywhere.
pub fn sines(dice: &mut Dice, milliseconds: f64, sines: &[(f64, f64)]) -> Vec<f64> {
    let count = (milliseconds * f64::from(SAMPLE_RATE) / 1_000.0).round() as usize;
    let mut samples = vec![0.0; count];
    for &(hertz, level) in sines {
        let (peak, begin) = (rms(level) * 2f64.sqrt(), dice.between(0.0, TAU));
        for (n, sample) in samples.iter_mut().enumerate() {
            *sample += peak * (begin + TAU * hertz * n as f64 / f64::from(SAMPLE_RATE)).sin();
        }
    }
    samples
}

pub fn silence(milliseconds: f64) -> Vec<f64> {
    vec![0.0; (milliseconds * f64::from(SAMPLE_RATE) / 1_000.0).round() as usize]
}

/// Adds white noise of this level.
pub fn add_noise(dice: &mut Dice, samples: &mut [f64], level: f64) {
    let size = rms(level);
    samples
        .iter_mut()
        .for_each(|sample| *sample += size * dice.normal());
}

/// Through µ-law, as all sound of the line is.
pub fn coded(samples: &[f64]) -> Vec<i16> {
    let law = Law::Pcmu;
    samples
        .iter()
        .map(|&x| law.decode(law.encode(x.round().clamp(-32_768.0, 32_767.0) as i16)))
        .collect()
}

/// A push-button signal, as in the conditions of ITU-T Q.24.
#[derive(Clone, Copy, Debug)]
pub struct Push {
    pub digit: Digit,
    /// dBm0 of the row's and the column's tone.
    pub levels: (f64, f64),
    /// By which part of it each frequency is off.
    pub off: (f64, f64),
    pub milliseconds: f64,
    /// Whole power over that of the noise.
    pub snr_db: f64,
}

impl Push {
    /// Any digit; levels of -3 to -24 dBm0, 5 dB apart at most; no frequency off; SNR 20 dB.
    pub fn any(dice: &mut Dice, milliseconds: f64) -> Push {
        let row = dice.between(-24.0, -3.0);
        let column = dice.between((row - 5.0).max(-24.0), (row + 5.0).min(-3.0));
        Push {
            digit: Digit::from_code(dice.one_of(16) as u8).expect("a digit"),
            levels: (row, column),
            off: (0.0, 0.0),
            milliseconds,
            snr_db: 20.0,
        }
    }

    /// Its sound between two pauses, noise in all of it.
    pub fn sound(&self, dice: &mut Dice) -> Vec<i16> {
        let (row, column) = self.digit.frequencies();
        let tones = [
            (f64::from(row) * (1.0 + self.off.0), self.levels.0),
            (f64::from(column) * (1.0 + self.off.1), self.levels.1),
        ];
        let mut samples = silence(dice.between(60.0, 70.0));
        let tones = sines(dice, self.milliseconds, &tones);
        let noise = dbm0(&tones) - self.snr_db;
        samples.extend(tones);
        samples.extend(silence(60.0));
        add_noise(dice, &mut samples, noise);
        coded(&samples)
    }
}

/// Both frequencies off by this part, to either side.
pub fn off(dice: &mut Dice, part: f64) -> (f64, f64) {
    (part * dice.sign(), part * dice.sign())
}

/// All that our detector says, each with the millisecond in which it does.
pub fn events(samples: &[i16]) -> Vec<(usize, Event)> {
    let mut detector = Detector::new();
    let (milliseconds, _) = samples.as_chunks();
    let heard = milliseconds.iter().enumerate();
    heard
        .filter_map(|(at, ms)| Some((at, detector.push(ms)?)))
        .collect()
}

/// The digits that our detector hears.
pub fn digits(samples: &[i16]) -> String {
    let begun = |(_, event)| match event {
        Event::Begun(digit) => Some(char::from(digit.name())),
        Event::Ended(_) => None,
    };
    events(samples).into_iter().filter_map(begun).collect()
}
