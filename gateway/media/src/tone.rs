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
            step: step(hertz),
        }
    }

    /// Goes on with another frequency and the same phase.
    pub const fn tune(&mut self, hertz: u16) {
        self.step = step(hertz);
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

/// Part of a full turn in a sample.
const fn step(hertz: u16) -> u32 {
    (((hertz as u64) << 32) / SAMPLE_RATE as u64) as u32
}

/// A call progress tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// 発信音: dial.
    Dial,
    /// 第二発信音: dial further, as after a star code or a flash of the hook.
    SecondDial,
    /// 呼出音: it rings there.
    Ringback,
    /// 話中音: busy.
    Busy,
    /// Congestion. Japan has no other tone for it than that of busy.
    Congestion,
    /// 受付音: what was dialled is done.
    Acceptance,
    /// ハウラー音: the handset is off its hook.
    Howler,
    /// 保留音: somebody comes back.
    Hold,
    /// A plain continuous sine of this many hertz, for measuring.
    Test(u16),
}

/// What a tone is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Frequency in hertz.
    pub hertz: u16,
    /// Modulated with 16 Hz to a depth of 0.85.
    pub modulated: bool,
    /// Level in dBm0, that of the largest part of a modulated tone.
    pub dbm0: i8,
    /// On and off, in milliseconds.
    pub cadence: &'static [(u16, u16)],
    /// Silent after the cadence; otherwise it begins anew.
    pub once: bool,
}

impl Tone {
    /// Its shape.
    ///
    /// Dial, ringing and busy tone: 事業用電気通信設備規則, table 5, and E.180 Supplement 2; -15 dBm0 is in the middle of what the
    /// exchanges send. The second dial tone is that of PBXs in Japan (PDT). For acceptance and howler there is no rule: three
    /// short bursts (E.182's positive indication), and quick and loud, to be heard from a handset that lies on the table.
    pub const fn shape(self) -> Shape {
        const PLAIN: Shape = Shape {
            hertz: 400,
            modulated: false,
            dbm0: -15,
            cadence: &[(1_000, 0)],
            once: false,
        };
        match self {
            Tone::Dial => PLAIN,
            Tone::SecondDial => Shape {
                cadence: &[(250, 250)],
                ..PLAIN
            },
            Tone::Ringback => Shape {
                modulated: true,
                cadence: &[(1_000, 2_000)],
                ..PLAIN
            },
            Tone::Busy | Tone::Congestion => Shape {
                cadence: &[(500, 500)],
                ..PLAIN
            },
            Tone::Acceptance => Shape {
                cadence: &[(100, 100), (100, 100), (100, 100)],
                once: true,
                ..PLAIN
            },
            Tone::Howler => Shape {
                dbm0: -3,
                cadence: &[(125, 125)],
                ..PLAIN
            },
            // No exchange sounds like it: higher, softer, and two at a time. Nobody takes it for busy.
            Tone::Hold => Shape {
                hertz: 660,
                dbm0: -20,
                cadence: &[(600, 200), (600, 1_600)],
                ..PLAIN
            },
            Tone::Test(hertz) => Shape { hertz, ..PLAIN },
        }
    }
}

/// Makes the samples of one tone.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    shape: Shape,
    carrier: Sine,
    modulator: Sine,
    peak: i32,
    /// Which on and off of the cadence, and samples since it began.
    span: usize,
    position: u32,
}

impl Generator {
    /// A generator at the start of the tone's cadence.
    pub const fn new(tone: Tone) -> Self {
        Generator::of(tone.shape())
    }

    /// A generator of a shape of one's own.
    pub const fn of(shape: Shape) -> Self {
        Generator {
            carrier: Sine::new(shape.hertz),
            modulator: Sine::new(16),
            peak: peak(shape.dbm0) as i32,
            shape,
            span: 0,
            position: 0,
        }
    }

    /// The next sample.
    pub fn next_sample(&mut self) -> i16 {
        let carrier = i32::from(self.carrier.next_value());
        if !self.sounds() {
            return 0;
        }
        // The depth of 0.85 is E.180's for the ringing tone: the envelope swings from 0.15/1.85 to 1.
        let envelope = match self.shape.modulated {
            true => (32_767 + i32::from(self.modulator.next_value()) * 85 / 100) * 100 / 185,
            false => 32_767,
        };
        ((((carrier * self.peak) >> 15) * envelope) >> 15) as i16
    }

    /// Whether the tone is on, and a sample further.
    fn sounds(&mut self) -> bool {
        const MILLISECOND: u32 = SAMPLE_RATE / 1_000;
        let Some(&(on, off)) = self.shape.cadence.get(self.span) else {
            return false;
        };
        let sounds = self.position < u32::from(on) * MILLISECOND;
        self.position += 1;
        if self.position >= (u32::from(on) + u32::from(off)) * MILLISECOND {
            self.position = 0;
            self.span += 1;
            if self.span == self.shape.cadence.len() && !self.shape.once {
                self.span = 0;
            }
        }
        sounds
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
