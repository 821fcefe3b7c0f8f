//! Looking at a line through bands: once a millisecond, what is in each of them as a complex number that turns with the
//! frequency of what is there. All tone detectors stand on this.

use crate::tone::{cos, sin};

/// Samples of a millisecond: what the detectors take at a time.
pub const MILLISECOND: usize = crate::SAMPLE_RATE as usize / 1_000;

/// Samples that a band looks at: 8 ms.
const LENGTH: usize = 64;

/// A complex number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Complex {
    pub(crate) re: f32,
    pub(crate) im: f32,
}

impl Complex {
    pub(crate) const ZERO: Complex = Complex { re: 0.0, im: 0.0 };

    /// By how much a tone turns in so many milliseconds, as a number of size one.
    pub(crate) const fn turned(hertz: f64, milliseconds: u8) -> Complex {
        let angle = core::f64::consts::TAU * hertz * milliseconds as f64 / 1_000.0;
        Complex {
            re: cos(angle) as f32,
            im: sin(angle) as f32,
        }
    }

    /// Square of the size.
    pub(crate) fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    pub(crate) fn plus(self, other: Complex) -> Complex {
        Complex {
            re: self.re + other.re,
            im: self.im + other.im,
        }
    }

    /// The other is turned back by, and sized up with: with the same size, this much farther is this one.
    pub(crate) fn times_conjugate(self, other: Complex) -> Complex {
        Complex {
            re: self.re * other.re + self.im * other.im,
            im: self.im * other.re - self.re * other.im,
        }
    }
}

/// `N` band-pass filters over the same samples: the ideal ones under a Kaiser window (beta 2.1: 30 dB, a slope 195 Hz wide).
///
/// They are even around the window's middle in their real part and odd in the imaginary one, so that half is kept.
#[derive(Debug)]
pub(crate) struct Bank<const N: usize> {
    coefficients: [[Complex; N]; LENGTH / 2],
}

impl<const N: usize> Bank<N> {
    /// Bands as centre and half of the width (to -6 dB) in hertz. The gain in a band is one: half of a sine's peak.
    pub(crate) const fn new(bands: [(f64, f64); N]) -> Self {
        let mut coefficients = [[Complex::ZERO; N]; LENGTH / 2];
        let mut k = 0;
        while k < LENGTH / 2 {
            let middle = k as f64 - (LENGTH - 1) as f64 / 2.0;
            let edge = middle / (LENGTH as f64 / 2.0);
            let window = bessel(6.0 * (1.0 - edge * edge)) / bessel(6.0);
            let mut band = 0;
            while band < N {
                let (centre, half) = bands[band];
                let angle = core::f64::consts::TAU * middle / crate::SAMPLE_RATE as f64;
                let low_pass = sin(angle * half) / (core::f64::consts::PI * middle) * window;
                coefficients[k][band] = Complex {
                    re: (low_pass * cos(angle * centre)) as f32,
                    im: (-low_pass * sin(angle * centre)) as f32,
                };
                band += 1;
            }
            k += 1;
        }
        Bank { coefficients }
    }

    /// Gain of a band for power at a frequency: about one in the band.
    pub(crate) const fn gain(&self, band: usize, hertz: f64) -> f64 {
        let (mut k, mut gain) = (0, 0.0);
        while k < LENGTH / 2 {
            let middle = k as f64 - (LENGTH - 1) as f64 / 2.0;
            let angle = core::f64::consts::TAU * middle / crate::SAMPLE_RATE as f64 * hertz;
            let Complex { re, im } = self.coefficients[k][band];
            gain += 2.0 * (re as f64 * cos(angle) - im as f64 * sin(angle));
            k += 1;
        }
        gain * gain
    }

    /// What the bands have of these samples. It turns with the frequency itself, not with its distance from the centre.
    pub(crate) fn of(&self, window: &Window) -> [Complex; N] {
        let (front, back) = window.samples.split_at(LENGTH / 2);
        let mut sums = [Complex::ZERO; N];
        for ((&a, &b), coefficients) in front.iter().zip(back.iter().rev()).zip(&self.coefficients) {
            for (sum, coefficient) in sums.iter_mut().zip(coefficients) {
                sum.re += coefficient.re * (a + b);
                sum.im += coefficient.im * (a - b);
            }
        }
        sums
    }
}

/// The modified Bessel function I0 of the root of what is given.
pub(crate) const fn bessel(square: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1.0, 1.0, 1.0);
    while n < 20.0 {
        term *= square / 4.0 / (n * n);
        sum += term;
        n += 1.0;
    }
    sum
}

/// The last 8 ms of a line, and how much power there was in all of them.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    samples: [f32; LENGTH],
    powers: [f32; LENGTH / MILLISECOND],
}

impl Window {
    pub(crate) const fn new() -> Self {
        Window {
            samples: [0.0; LENGTH],
            powers: [0.0; LENGTH / MILLISECOND],
        }
    }

    /// Takes the next millisecond.
    pub(crate) fn push(&mut self, millisecond: &[f32; MILLISECOND]) {
        self.samples.copy_within(MILLISECOND.., 0);
        self.powers.copy_within(1.., 0);
        if let Some(last) = self.samples.last_chunk_mut() {
            *last = *millisecond;
        }
        let [.., last] = &mut self.powers;
        *last = millisecond.iter().map(|x| x * x).sum();
    }

    /// Power of a tone that turns so far in a sample, give or take 60 Hz, under a Hann window.
    pub(crate) fn power_of(&self, step: Complex) -> f32 {
        const ONE: Complex = Complex { re: 1.0, im: 0.0 };
        const STEP: Complex = Complex::turned(1_000.0 / LENGTH as f64, 1);
        let (mut tone, mut window) = (ONE, ONE);
        let mut sum = Complex::ZERO;
        for &x in &self.samples {
            let weight = x * (1.0 - window.re);
            sum.re += weight * tone.re;
            sum.im += weight * tone.im;
            tone = tone.times_conjugate(step);
            window = window.times_conjugate(STEP);
        }
        sum.power() / (LENGTH * LENGTH) as f32
    }

    /// Power of all, as [`Complex::power`] has it for a band that holds it all: a quarter of a sine's squared peak.
    ///
    /// The middle of the window counts most, so that the beats of two tones that are 268 Hz apart hardly show.
    pub(crate) fn power(&self) -> f32 {
        const WEIGHTS: [f32; LENGTH / MILLISECOND] = [1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0];
        let weighed = self
            .powers
            .iter()
            .zip(WEIGHTS)
            .map(|(power, weight)| power * weight);
        weighed.sum::<f32>() / (2.0 * 20.0 * MILLISECOND as f32)
    }
}
