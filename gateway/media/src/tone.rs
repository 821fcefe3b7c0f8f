//! Call progress tones of Japan (ITU-T E.180 Supplement 2) and measuring a tone's level.

use crate::SAMPLE_RATE;

/// A full turn in a quarter of 64 steps each; `SINE[i] = 32767 sin(2π i / 256)`, one entry more for interpolation.
const SINE: [i16; 257] = {
    let mut table = [0; 257];
    let mut i = 0;
    while i < 257 {
        table[i] = round(32_767.0 * sin(core::f64::consts::TAU * i as f64 / 256.0));
        i += 1;
    }
    table
};

const fn round(x: f64) -> i16 {
    if x < 0.0 {
        (x - 0.5) as i16
    } else {
        (x + 0.5) as i16
    }
}

/// Taylor series around zero: exact to 1e-12 for |x| up to π, to which the argument is reduced.
pub(crate) const fn sin(mut x: f64) -> f64 {
    while x > core::f64::consts::PI {
        x -= core::f64::consts::TAU;
    }
    while x < -core::f64::consts::PI {
        x += core::f64::consts::TAU;
    }
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while n < 30.0 {
        term *= -x * x / ((n + 1.0) * (n + 2.0));
        sum += term;
        n += 2.0;
    }
    sum
}

pub(crate) const fn cos(x: f64) -> f64 {
    sin(x + core::f64::consts::FRAC_PI_2)
}

/// Peak of a sine of 0 dBm0 on the 16-bit scale: 3.17 dB below µ-law's largest value 32,124.
pub const PEAK_0_DBM0: i16 = 22_301;

/// Peak of a sine of so many dBm0; the largest sample from 3.34 dBm0 on.
pub const fn peak(dbm0: i8) -> i16 {
    // A step of 1 dB is this factor.
    let factor = if dbm0 < 0 { 0.891_250_94 } else { 1.122_018_5 };
    let mut peak = PEAK_0_DBM0 as f32;
    let mut n = 0;
    while n < dbm0.unsigned_abs() {
        peak *= factor;
        n += 1;
    }
    // Beyond the largest sample a cast gives the largest.
    (peak + 0.5) as i16
}

/// An integer sine generator: a 32-bit phase, a table of 256 steps and linear interpolation (error below -80 dB).
#[derive(Clone, Copy, Debug)]
pub struct Sine {
    phase: u32,
    step: u32,
}

impl Sine {
    /// A sine of `hertz` (below half the sample rate), starting at phase zero.
    pub const fn new(hertz: u16) -> Self {
        Sine {
            phase: 0,
            step: (((hertz as u64) << 32) / SAMPLE_RATE as u64) as u32,
        }
    }

    /// The next value, ±32,767 full scale.
    pub fn next_value(&mut self) -> i16 {
        let index = (self.phase >> 24) as usize;
        let fraction = (self.phase >> 8 & 0xFFFF) as i32;
        let (from, to) = (i32::from(SINE[index]), i32::from(SINE[index + 1]));
        self.phase = self.phase.wrapping_add(self.step);
        (from + (((to - from) * fraction) >> 16)) as i16
    }
}

/// A call progress tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// 発信音: 400 Hz, continuous.
    Dial,
    /// 呼出音: 400 Hz modulated with 16 Hz, 1 s on and 2 s off.
    Ringback,
    /// 話中音: 400 Hz, 0.5 s on and 0.5 s off.
    Busy,
    /// Congestion: 400 Hz, 0.5 s on and 0.5 s off (Japan has no other cadence for it than that of busy).
    Congestion,
    /// ハウラー音, to who has not hung up: 400 Hz modulated with 16 Hz, continuous.
    Howler,
    /// A plain continuous sine of this many hertz, for measuring.
    Test(u16),
}

impl Tone {
    /// `(on, off)` in milliseconds; off is zero for a continuous tone.
    pub const fn cadence_ms(self) -> (u32, u32) {
        match self {
            Tone::Dial | Tone::Howler | Tone::Test(_) => (1_000, 0),
            Tone::Ringback => (1_000, 2_000),
            Tone::Busy | Tone::Congestion => (500, 500),
        }
    }

    const fn hertz(self) -> u16 {
        match self {
            Tone::Test(hertz) => hertz,
            _ => 400,
        }
    }
}

/// Makes the samples of one tone.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    carrier: Sine,
    modulator: Option<Sine>,
    on: u32,
    period: u32,
    position: u32,
}

/// Peak of a tone: -15 dBm0, in the middle of what Japanese exchanges send.
const PEAK: i32 = 3_966;

impl Generator {
    /// A generator at the start of the tone's cadence.
    pub const fn new(tone: Tone) -> Self {
        let (on, off) = tone.cadence_ms();
        Generator {
            carrier: Sine::new(tone.hertz()),
            modulator: if matches!(tone, Tone::Ringback | Tone::Howler) {
                Some(Sine::new(16))
            } else {
                None
            },
            on: on * (SAMPLE_RATE / 1_000),
            period: (on + off) * (SAMPLE_RATE / 1_000),
            position: 0,
        }
    }

    /// The next sample.
    pub fn next_sample(&mut self) -> i16 {
        let sounding = self.position < self.on;
        self.position = (self.position + 1) % self.period;
        let carrier = i32::from(self.carrier.next_value());
        // The depth of 0.85 is E.180's for the ringing tone: the envelope swings from 0.15/1.85 to 1.
        let envelope = match &mut self.modulator {
            Some(sine) => (32_767 + i32::from(sine.next_value()) * 85 / 100) * 100 / 185,
            None => 32_767,
        };
        if !sounding {
            return 0;
        }
        ((((carrier * PEAK) >> 15) * envelope) >> 15) as i16
    }
}

/// The Goertzel filter: energy at one frequency and in all, over as many samples as were pushed.
#[derive(Clone, Copy, Debug)]
pub struct Goertzel {
    coefficient: f32,
    s1: f32,
    s2: f32,
    energy: f32,
    samples: u32,
}

impl Goertzel {
    /// A filter for `hertz` (below half the sample rate).
    pub fn new(hertz: u16) -> Self {
        let w = core::f64::consts::TAU * f64::from(hertz) / f64::from(SAMPLE_RATE);
        let cosine = cos(w);
        Goertzel {
            coefficient: 2.0 * cosine as f32,
            s1: 0.0,
            s2: 0.0,
            energy: 0.0,
            samples: 0,
        }
    }

    /// Takes one sample.
    pub fn push(&mut self, sample: i16) {
        let x = f32::from(sample);
        let s = x + self.coefficient * self.s1 - self.s2;
        self.s2 = self.s1;
        self.s1 = s;
        self.energy += x * x;
        self.samples += 1;
    }

    /// Level of the sine at the frequency, in dBm0; -100 when there is none.
    pub fn level_dbm0(&self) -> f32 {
        // A sine of peak P gives a squared magnitude of (P n / 2)².
        let n = self.samples as f32;
        dbm0(4.0 * self.power() / (n * n))
    }

    /// Share of the whole energy that is at the frequency: 1 for a pure sine over whole periods, 0 for silence.
    pub fn purity(&self) -> f32 {
        if self.energy <= 0.0 {
            0.0
        } else {
            2.0 * self.power() / (self.energy * self.samples as f32)
        }
    }

    fn power(&self) -> f32 {
        self.s1 * self.s1 + self.s2 * self.s2 - self.coefficient * self.s1 * self.s2
    }
}

/// dBm0 of a squared peak.
fn dbm0(squared_peak: f32) -> f32 {
    let reference = f32::from(PEAK_0_DBM0) * f32::from(PEAK_0_DBM0);
    let ratio = squared_peak / reference;
    if ratio < 1e-10 || ratio.is_nan() {
        -100.0
    } else {
        3.010_3 * log2(ratio)
    }
}

/// log2 of a positive normal number: the exponent, and a series in (m-1)/(m+1) for the mantissa (error below 1e-5).
fn log2(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let mantissa = f32::from_bits(bits & 0x007F_FFFF | 0x3F80_0000);
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let t2 = t * t;
    let ln = 2.0 * t * (1.0 + t2 * (1.0 / 3.0 + t2 * (0.2 + t2 * (1.0 / 7.0 + t2 / 9.0))));
    exponent as f32 + ln * core::f32::consts::LOG2_E
}
