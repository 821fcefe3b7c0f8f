//! Reading samples a little faster or slower than they come: at fractions of a sample, by a windowed sinc.

use crate::BLOCK;
use crate::band::bessel;
use crate::tone::sin;

/// Samples that a value is made of. A sample comes out half as many later.
const TAPS: usize = 24;
/// Places between two samples whose filters are computed beforehand; between them filters are mixed.
const PHASES: usize = 32;
/// What is kept: what a value is made of, and two blocks, of which less than one is left over.
const KEPT: usize = TAPS + 2 * BLOCK;

/// `FILTERS[p][k]`: weight of sample `k` for the value `p / PHASES` of a sample after the middle. Kaiser's window, beta 5: within
/// 0.2 dB up to 3.4 kHz.
static FILTERS: [[f32; TAPS]; PHASES + 1] = {
    const BETA: f64 = 5.0;
    let mut filters = [[0.0; TAPS]; PHASES + 1];
    let mut phase = 0;
    while phase <= PHASES {
        let mut k = 0;
        while k < TAPS {
            let x = k as f64 - (TAPS / 2 - 1) as f64 - phase as f64 / PHASES as f64;
            let edge = x / (TAPS / 2) as f64;
            let sinc = match x {
                0.0 => 1.0,
                // The sine of half turns is zero, not nearly so.
                _ if x == (x as i64) as f64 => 0.0,
                _ => sin(core::f64::consts::PI * x) / (core::f64::consts::PI * x),
            };
            filters[phase][k] =
                (sinc * bessel(BETA * BETA * (1.0 - edge * edge)) / bessel(BETA * BETA)) as f32;
            k += 1;
        }
        phase += 1;
    }
    filters
};

/// Reads one stream.
#[derive(Clone, Debug)]
pub(crate) struct Resampler {
    /// Samples that came, oldest first.
    samples: [i16; KEPT],
    count: usize,
    /// Where in them the next value begins, in parts of a sample: 32 bits below the point.
    place: u64,
}

/// One sample.
const ONE: u64 = 1 << 32;

impl Resampler {
    /// Silence came before.
    pub(crate) const fn new() -> Self {
        Resampler {
            samples: [0; KEPT],
            count: TAPS,
            place: 0,
        }
    }

    /// Goes to a whole sample: as long as the rate is zero, what comes is what is read.
    pub(crate) fn settle(&mut self) {
        self.place = 0;
    }

    /// Reads a block so much faster than it comes (below ±0.1). `more` is asked for blocks of what comes, as many as it takes.
    pub(crate) fn read(
        &mut self,
        rate: f32,
        out: &mut [i16; BLOCK],
        mut more: impl FnMut(&mut [i16; BLOCK]),
    ) {
        let step = ONE.wrapping_add_signed((rate.clamp(-0.1, 0.1) * ONE as f32) as i64);
        let used = ((self.place + step * BLOCK as u64) / ONE) as usize;
        while self.count < used + TAPS {
            let Some(room) = self
                .samples
                .get_mut(self.count..)
                .and_then(|room| room.first_chunk_mut())
            else {
                break;
            };
            more(room);
            self.count += BLOCK;
        }
        for out in out {
            let begin = (self.place / ONE) as usize;
            if let Some(samples) = self.samples.get(begin..).and_then(|s| s.first_chunk()) {
                *out = value(samples, (self.place % ONE) as u32);
            }
            self.place += step;
        }
        self.samples.copy_within(used.min(self.count)..self.count, 0);
        self.count -= used.min(self.count);
        self.place -= used as u64 * ONE;
    }
}

/// The value so many parts of a sample after the middle.
fn value(samples: &[i16; TAPS], fraction: u32) -> i16 {
    if fraction == 0 {
        return samples[TAPS / 2 - 1];
    }
    let place = fraction as f32 * (PHASES as f32 / ONE as f32);
    let phase = (place as usize).min(PHASES - 1);
    let share = place - phase as f32;
    let (Some(low), Some(high)) = (FILTERS.get(phase), FILTERS.get(phase + 1)) else {
        return 0;
    };
    let (mut a, mut b) = (0.0, 0.0);
    for ((sample, low), high) in samples.iter().zip(low).zip(high) {
        a += low * f32::from(*sample);
        b += high * f32::from(*sample);
    }
    (a + share * (b - a)) as i16
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn read(rate: f32, hertz: f64, blocks: usize) -> Vec<i16> {
        let mut resampler = Resampler::new();
        let (mut all, mut n) = (Vec::new(), 0.0);
        for _ in 0..blocks {
            let mut out = [0; BLOCK];
            resampler.read(rate, &mut out, |block| {
                for sample in block {
                    *sample = (10_000.0 * (std::f64::consts::TAU * hertz * n / 8_000.0).sin()).round() as i16;
                    n += 1.0;
                }
            });
            all.extend(out);
        }
        all
    }

    #[test]
    fn at_the_same_rate_nothing_changes() {
        let all = read(0.0, 1_000.0, 10);
        for (n, sample) in all[TAPS..].iter().enumerate() {
            let then = (n + TAPS - TAPS / 2 - 1) as f64;
            let want = (10_000.0 * (std::f64::consts::TAU * 1_000.0 * then / 8_000.0).sin()).round() as i16;
            assert_eq!(*sample, want);
        }
    }

    #[test]
    fn a_sine_stays_a_sine_of_another_frequency() {
        for rate in [1e-4, -1e-4, 2e-4, 0.015, -0.015] {
            for hertz in [300.0, 1_000.0, 1_800.0, 3_000.0, 3_400.0] {
                let all = read(rate, hertz, 400);
                // Fits a sine of the frequency that it should have: what is left is noise.
                let turn = std::f64::consts::TAU * hertz * (1.0 + f64::from(rate)) / 8_000.0;
                let span = &all[400..];
                let (mut xc, mut xs, mut cc, mut ss, mut cs, mut power) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
                for (n, sample) in span.iter().enumerate() {
                    let (x, (s, c)) = (f64::from(*sample), (turn * n as f64).sin_cos());
                    xc += x * c;
                    xs += x * s;
                    cc += c * c;
                    ss += s * s;
                    cs += c * s;
                    power += x * x;
                }
                let sine = (xc * xc * ss + xs * xs * cc - 2.0 * xc * xs * cs) / (cc * ss - cs * cs);
                let snr = 10.0 * (sine / (power - sine).max(1.0)).log10();
                let gain = 10.0 * (2.0 * sine / span.len() as f64 / 1e8).log10();
                assert!(
                    snr > 42.0 && gain.abs() < 0.3,
                    "{rate} {hertz} Hz: {snr} dB, {gain} dB"
                );
            }
        }
    }
}
