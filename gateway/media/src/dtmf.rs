//! Push-button signals (ITU-T Q.23): a generator, and a receiver within the limits of ITU-T Q.24's column for Japan (NTT).

use crate::band::{Bank, Complex, MILLISECOND, Window};
use crate::tone::{Sine, peak};

/// Frequencies of the rows (ITU-T Q.23).
pub const LOW: [u16; 4] = [697, 770, 852, 941];
/// Frequencies of the columns (ITU-T Q.23).
pub const HIGH: [u16; 4] = [1_209, 1_336, 1_477, 1_633];

/// The digit of a row and a column.
const KEYS: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];
const NAMES: &[u8; 16] = b"0123456789*#ABCD";

/// A digit: 0 to 9, star, square, A to D.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit(u8);

impl Digit {
    /// The digit of a code of RFC 4733 §3.2: 0 to 9, 10 for star, 11 for the square, 12 to 15 for A to D.
    pub const fn from_code(code: u8) -> Option<Self> {
        if code < 16 { Some(Digit(code)) } else { None }
    }

    /// The digit of its ASCII name, letters in upper case.
    pub fn from_name(name: u8) -> Option<Self> {
        let code = NAMES.iter().position(|&n| n == name)?;
        Some(Digit(code as u8))
    }

    /// Code of RFC 4733 §3.2.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// ASCII name.
    pub fn name(self) -> u8 {
        NAMES.get(usize::from(self.0)).copied().unwrap_or(b'?')
    }

    /// Frequencies of its row and its column in hertz.
    pub fn frequencies(self) -> (u16, u16) {
        let keys = LOW.iter().zip(&KEYS).flat_map(|(&low, row)| {
            let columns = HIGH.iter().zip(row);
            columns.map(move |(&high, &key)| (key, (low, high)))
        });
        let found = keys.into_iter().find(|&(key, _)| key == self.0);
        found.map_or((0, 0), |(_, frequencies)| frequencies)
    }
}

/// Level of the row's tone in dBm0.
const LOW_DBM0: i8 = -9;
/// Level of the column's tone in dBm0: the row must not be the louder one (Rules for Telecommunications Facilities, table 3).
const HIGH_DBM0: i8 = -7;

/// Makes the two tones of a digit until it is dropped. A digit takes 50 ms or more, the pause after it 30 ms or more, both
/// together 120 ms or more.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    low: Sine,
    high: Sine,
}

impl Generator {
    /// A generator at the beginning of the digit.
    pub fn new(digit: Digit) -> Self {
        let (low, high) = digit.frequencies();
        Generator {
            low: Sine::new(low),
            high: Sine::new(high),
        }
    }

    /// The next sample.
    pub fn next_sample(&mut self) -> i16 {
        const PEAKS: (i32, i32) = (peak(LOW_DBM0) as i32, peak(HIGH_DBM0) as i32);
        let low = i32::from(self.low.next_value()) * PEAKS.0;
        let high = i32::from(self.high.next_value()) * PEAKS.1;
        ((low + high) >> 15) as i16
    }
}

/// What a [`Detector`] hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A digit has sounded for as long as it takes to be one.
    Begun(Digit),
    /// It is over, for as long as it takes to be sure.
    Ended(Digit),
}

/// A row's and a column's band. Both are a slope away from the other and from Japan's dial tone.
const BANDS: Bank<2> = Bank::new([(818.0, 264.0), (1_425.0, 364.0)]);

static FILTERS: Bank<2> = BANDS;

/// Least power of a tone: -24 dBm0 is accepted, -29 is not.
const FAINT: f32 = quarter_square(peak(-26));
/// A digit that has begun lasts down to this.
const LOST: f32 = quarter_square(peak(-29));
/// Most power of one tone over the other's: 5 dB are accepted, this is 7.
const TWIST: f32 = 5.0;
/// Share of both tones in all power but that of the dial tone where there are two tones, noise or not.
const MOST: f32 = 0.7;
/// Share of both tones over the whole time in what there is more than before: they are nearly all of it.
const PURITY: f32 = 0.95;
/// Of how much power a tone is to be found again after [`LAG`]: a voice is not.
const COHERENCE: f32 = 0.9;
/// By how much the line is louder with a digit than it was before: 9 dB. A chord follows upon another.
const RISE: f32 = 8.0;
/// Largest part of a column's power that its second harmonic may have: -15 dB. Instruments have more.
const OVERTONE: f32 = 0.03;
/// Milliseconds from what was before to when there are two tones for sure.
const ONSET: usize = 12;
/// Milliseconds that a digit has to sound: 40 are a digit, 24 are not.
const LONG: u16 = 31;
/// Milliseconds after which it is over: an interruption of 10 is none, 30 are a pause.
const OVER: u16 = 20;
/// Milliseconds over which a frequency is measured.
const LAG: usize = 6;
/// Farthest from its frequency that a tone is accepted, as a part of it: 1.8 % is, 3 % is not.
const DEVIATION: f64 = 0.020;

const fn quarter_square(peak: i16) -> f32 {
    peak as f32 * peak as f32 / 4.0
}

/// Finds digits in what a telephone sends, millisecond by millisecond.
///
/// A digit has begun when there were two tones, and nothing else that was not there before, for 31 ms: before 40 ms of it are over.
#[derive(Clone, Debug)]
pub struct Detector {
    notch: Notch,
    window: Window,
    low: Group,
    high: Group,
    /// Milliseconds in which there were two tones, and since when without a break.
    heard: u16,
    steady: u16,
    /// Milliseconds since there were.
    silent: u16,
    /// Power of the line in the last milliseconds, and that before there were two tones.
    powers: [f32; ONSET],
    before: f32,
    /// Sum of the power in the milliseconds that count, and their number.
    total: f32,
    counted: f32,
    digit: Option<Digit>,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// A detector that has heard nothing.
    pub const fn new() -> Self {
        Detector {
            notch: Notch {
                x: [0.0; 2],
                y: [0.0; 2],
            },
            window: Window::new(),
            low: Group::new(),
            high: Group::new(),
            heard: 0,
            steady: 0,
            silent: OVER,
            powers: [0.0; ONSET],
            before: 0.0,
            total: 0.0,
            counted: 0.0,
            digit: None,
        }
    }

    /// Takes the next millisecond of the line.
    pub fn push(&mut self, millisecond: &[i16; MILLISECOND]) -> Option<Event> {
        self.window
            .push(&millisecond.map(|x| self.notch.push(f32::from(x))));
        let power = self.window.power();
        let [before, ..] = self.powers;
        self.powers.copy_within(1.., 0);
        let [.., last] = &mut self.powers;
        *last = power;
        let [low, high] = FILTERS.of(&self.window);
        let (row, column) = (low.power(), high.power());
        let faint = if self.digit.is_some() { LOST } else { FAINT };
        let two_tones = row > faint
            && column > faint
            && row < TWIST * column
            && column < TWIST * row
            && row + column > MOST * power;
        let counts = two_tones && usize::from(self.steady) >= LAG;
        self.low.push(low, counts);
        self.high.push(high, counts);
        if counts {
            self.counted += 1.0;
            self.total += power;
        }
        if !two_tones {
            self.steady = 0;
            return self.pause();
        }
        if self.heard == 0 {
            self.before = before;
        }
        self.silent = 0;
        self.steady = self.steady.saturating_add(1);
        self.heard = self.heard.saturating_add(1);
        if self.digit.is_some() || self.heard < LONG {
            return None;
        }
        self.digit = self.judge();
        self.forget();
        self.digit.map(Event::Begun)
    }

    /// There are no two tones in this millisecond.
    fn pause(&mut self) -> Option<Event> {
        if self.silent >= OVER {
            return None;
        }
        self.silent += 1;
        if self.silent < OVER {
            return None;
        }
        self.forget();
        self.digit.take().map(Event::Ended)
    }

    /// The digit of the tones that were heard.
    fn judge(&self) -> Option<Digit> {
        let (row, row_power) = self.low.judge(&ROWS)?;
        let (column, column_power) = self.high.judge(&COLUMNS)?;
        let before = self.before * self.counted;
        let pure = row_power + column_power > PURITY * (self.total - before);
        let overtone = self.window.power_of(COLUMNS.get(column)?.overtone) * self.counted;
        let sudden = self.total > RISE * before;
        if !pure || !sudden || overtone > OVERTONE * column_power {
            return None;
        }
        KEYS.get(row)?.get(column).copied().map(Digit)
    }

    fn forget(&mut self) {
        self.heard = 0;
        (self.total, self.counted) = (0.0, 0.0);
        self.low.sums = Sums::NONE;
        self.high.sums = Sums::NONE;
    }
}

/// What is known of the tone in one band.
#[derive(Clone, Debug)]
struct Group {
    /// The last values of the band, the oldest first.
    past: [Complex; LAG],
    sums: Sums,
}

#[derive(Clone, Copy, Debug)]
struct Sums {
    /// How far the tone turns in a millisecond, and in [`LAG`].
    near: Complex,
    far: Complex,
    power: f32,
}

impl Sums {
    const NONE: Sums = Sums {
        near: Complex::ZERO,
        far: Complex::ZERO,
        power: 0.0,
    };
}

impl Group {
    const fn new() -> Self {
        Group {
            past: [Complex::ZERO; LAG],
            sums: Sums::NONE,
        }
    }

    /// Takes the band's next value; `counts` if it and those before it are of one tone.
    fn push(&mut self, value: Complex, counts: bool) {
        let [first, .., last] = self.past;
        if counts {
            let sums = &mut self.sums;
            sums.near = sums.near.plus(value.times_conjugate(last));
            sums.far = sums.far.plus(value.times_conjugate(first));
            sums.power += (value.power() + first.power()) / 2.0;
        }
        self.past.copy_within(1.., 0);
        let [.., last] = &mut self.past;
        *last = value;
    }

    /// Which of the tones it is, and the sum of its power.
    fn judge(&self, tones: &[Nominal; 4]) -> Option<(usize, f32)> {
        let Sums { near, far, power } = self.sums;
        let closeness = |tone: &Nominal| near.times_conjugate(tone.near).re;
        let (index, tone) = tones
            .iter()
            .enumerate()
            .max_by(|(_, a), (_, b)| closeness(a).total_cmp(&closeness(b)))?;
        let off = far.times_conjugate(tone.far);
        let is_tone = off.power() > COHERENCE * COHERENCE * power * power;
        let is_close = off.re > 0.0 && off.re * off.re > tone.least * off.power();
        (is_tone && is_close).then_some((index, power / tone.gain))
    }
}

/// A tone as it has to be.
#[derive(Debug)]
struct Nominal {
    near: Complex,
    far: Complex,
    /// Square of the cosine of the angle by which it may be off after [`LAG`].
    least: f32,
    /// Gain of its band for its power.
    gain: f32,
    /// How far its second harmonic turns in a sample.
    overtone: Complex,
}

static ROWS: [Nominal; 4] = nominal(0, LOW);
static COLUMNS: [Nominal; 4] = nominal(1, HIGH);

const fn nominal(band: usize, tones: [u16; 4]) -> [Nominal; 4] {
    const fn one(band: usize, hertz: u16) -> Nominal {
        let hertz = hertz as f64;
        let off = Complex::turned(hertz * DEVIATION, LAG as u8);
        Nominal {
            near: Complex::turned(hertz, 1),
            far: Complex::turned(hertz, LAG as u8),
            least: off.re * off.re,
            gain: BANDS.gain(band, hertz) as f32,
            overtone: Complex::turned(2.0 * hertz / MILLISECOND as f64, 1),
        }
    }
    [
        one(band, tones[0]),
        one(band, tones[1]),
        one(band, tones[2]),
        one(band, tones[3]),
    ]
}

/// Takes away Japan's dial tone, 400 Hz, of which the telephone's hybrid returns a part while the first digit is dialled.
#[derive(Clone, Debug)]
struct Notch {
    x: [f32; 2],
    y: [f32; 2],
}

impl Notch {
    fn push(&mut self, x: f32) -> f32 {
        /// Radius of the poles: 50 Hz are taken away.
        const R: f32 = 0.98;
        const TWO_COSINES: f32 = 2.0 * Complex::turned(400.0 / 8.0, 1).re;
        let [x1, x2] = self.x;
        let [y1, y2] = self.y;
        let y = x - TWO_COSINES * x1 + x2 + R * TWO_COSINES * y1 - R * R * y2;
        self.x = [x, x1];
        self.y = [y, y1];
        y
    }
}
