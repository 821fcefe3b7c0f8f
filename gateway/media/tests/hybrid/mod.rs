//! A two-wire line and what goes over it, in the standard library's floating point: the echo that a hybrid sends back, computed
//! from the cable's constants, and test signals. Shared by tests and benchmark.
#![allow(dead_code, reason = "each of those who share it uses a part")]

use std::f64::consts::TAU;
use std::ops::{Add, Div, Mul, Sub};

use crate::signal::{Dice, rms};

/// Level in dBm0.
pub fn level(samples: &[i16]) -> f64 {
    let mean = samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64;
    20.0 * (mean.max(1e-3).sqrt() / rms(0.0)).log10()
}

/// A complex number.
#[derive(Clone, Copy)]
struct Complex(f64, f64);

impl Complex {
    fn polar(size: f64, angle: f64) -> Self {
        Complex(size * angle.cos(), size * angle.sin())
    }
    fn root(self) -> Self {
        Complex::polar(self.0.hypot(self.1).sqrt(), self.1.atan2(self.0) / 2.0)
    }
    fn exp(self) -> Self {
        Complex::polar(self.0.exp(), self.1)
    }
}
impl Add for Complex {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Complex(self.0 + o.0, self.1 + o.1)
    }
}
impl Sub for Complex {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Complex(self.0 - o.0, self.1 - o.1)
    }
}
impl Mul for Complex {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        Complex(self.0 * o.0 - self.1 * o.1, self.0 * o.1 + self.1 * o.0)
    }
}
impl Div for Complex {
    type Output = Self;
    fn div(self, o: Self) -> Self {
        let size = o.0 * o.0 + o.1 * o.1;
        self * Complex(o.0 / size, -o.1 / size)
    }
}

/// A cable with a telephone at its end, before a hybrid that is balanced for 600 Ω.
#[derive(Clone, Copy, Debug)]
pub struct Loop {
    /// Ohms, henries and farads of a kilometre of the pair.
    pub constants: (f64, f64, f64),
    /// Kilometres.
    pub length: f64,
    /// The telephone: ohms in series, and ohms with farads across them.
    pub telephone: (f64, f64, f64),
}

/// Paper or polyethylene pair of 0.4 mm: 280 Ω, 0.7 mH, 50 nF a kilometre.
pub const PAIR_0_4: (f64, f64, f64) = (280.0, 0.7e-3, 50e-9);
/// Pair of 0.5 mm.
pub const PAIR_0_5: (f64, f64, f64) = (180.0, 0.7e-3, 50e-9);
/// Telephone of 600 Ω.
pub const RESISTIVE: (f64, f64, f64) = (600.0, 0.0, 0.0);
/// Telephone of 150 Ω and 830 Ω with 72 nF across.
pub const JAPANESE: (f64, f64, f64) = (150.0, 830.0, 72e-9);

/// The line of the office: 2 km of 0.4 mm, a telephone of 150 Ω + (830 Ω with 72 nF across).
pub const OFFICE: Loop = Loop {
    constants: PAIR_0_4,
    length: 2.0,
    telephone: JAPANESE,
};

impl Loop {
    /// Reflection at the hybrid: (Z - 600) / (Z + 600) of the impedance into the cable.
    fn reflection(&self, hertz: f64) -> Complex {
        let w = TAU * hertz;
        let (r, l, c) = self.constants;
        let (series, across) = (Complex(r, w * l), Complex(1e-6, w * c));
        let (gamma, z0) = ((series * across).root(), (series / across).root());
        let (rs, rp, cp) = self.telephone;
        let telephone = Complex(rs, 0.0) + Complex(rp, 0.0) / Complex(1.0, w * rp * cp);
        let twice = (gamma * Complex(-2.0 * self.length, 0.0)).exp();
        let far = (telephone - z0) / (telephone + z0) * twice;
        let one = Complex(1.0, 0.0);
        let z = z0 * (one + far) / (one - far);
        (z - Complex(600.0, 0.0)) / (z + Complex(600.0, 0.0))
    }

    /// Impulse response of the echo at 8 kHz, through the codec's filters, with this echo return loss for white noise.
    pub fn echo(&self, loss_db: f64) -> Vec<f64> {
        let mut taps = response(96, 12, |hertz| {
            self.reflection(hertz.max(1.0)) * Complex(band(hertz, 200.0, 3_500.0), 0.0)
        });
        let passed: f64 = passband().iter().map(|t| t * t).sum();
        let size: f64 = convolve(&passband(), &taps).iter().map(|t| t * t).sum();
        let scale = (passed / size).sqrt() * 10f64.powf(-loss_db / 20.0);
        taps.iter_mut().for_each(|tap| *tap *= scale);
        taps
    }
}

/// Gain of a filter with raised-cosine edges, each as wide as half its lower or a tenth of its upper limit.
fn band(hertz: f64, low: f64, high: f64) -> f64 {
    let edge = |x: f64| 0.5 - 0.5 * (x.clamp(0.0, 1.0) * TAU / 2.0).cos();
    edge((hertz - low / 2.0) / (low / 2.0)) * edge((high * 1.1 - hertz) / (high * 0.1))
}

/// Impulse response of a spectrum, delayed so that it is causal: an inverse transform of 1,024 points.
fn response(length: usize, delay: usize, spectrum: impl Fn(f64) -> Complex) -> Vec<f64> {
    const POINTS: usize = 1_024;
    let spectrum: Vec<_> = (0..POINTS / 2)
        .map(|bin| spectrum(8_000.0 * bin as f64 / POINTS as f64))
        .collect();
    (0..length)
        .map(|n| {
            let time = n as f64 - delay as f64;
            let sum: f64 = spectrum
                .iter()
                .enumerate()
                .map(|(bin, value)| (*value * Complex::polar(1.0, TAU * time * bin as f64 / POINTS as f64)).0)
                .sum();
            2.0 * sum / POINTS as f64
        })
        .collect()
}

fn passband() -> Vec<f64> {
    response(129, 64, |hertz| Complex(band(hertz, 200.0, 3_400.0), 0.0))
}

/// Convolution.
pub fn convolve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; a.len() + b.len() - 1];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            sum[i + j] += a * b;
        }
    }
    sum
}

/// Gaussian noise between 200 and 3,400 Hz, flat as that of G.168's composite source signal.
pub fn noise(seed: u64, count: usize, dbm0: f64) -> Vec<i16> {
    let mut dice = Dice::new(seed);
    let white: Vec<f64> = (0..count + 128).map(|_| dice.normal()).collect();
    let filter = passband();
    let shaped: Vec<f64> = (0..count)
        .map(|n| filter.iter().zip(&white[n..]).map(|(h, x)| h * x).sum())
        .collect();
    scaled(&shaped, dbm0)
}

/// Brings a signal to a level.
pub fn scaled(signal: &[f64], dbm0: f64) -> Vec<i16> {
    let size = (signal.iter().map(|s| s * s).sum::<f64>() / signal.len() as f64).sqrt();
    signal
        .iter()
        .map(|s| {
            (s * rms(dbm0) / size.max(1e-9))
                .round()
                .clamp(-32_124.0, 32_124.0) as i16
        })
        .collect()
}

/// Speech: the announcements of the box, one after the other, brought to a level.
pub fn speech(dbm0: f64) -> Vec<i16> {
    let spoken: Vec<f64> = [
        &include_bytes!("../../prompts/channels-busy.ulaw")[..],
        &include_bytes!("../../prompts/outside-line-down.ulaw")[..],
        &include_bytes!("../../prompts/after-hours.ulaw")[..],
        &include_bytes!("../../prompts/number-not-in-use.ulaw")[..],
        &include_bytes!("../../prompts/emergency-impossible.ulaw")[..],
    ]
    .concat()
    .into_iter()
    .map(|code| f64::from(media::g711::ulaw_decode(code)))
    .collect();
    scaled(&spoken, dbm0)
}
