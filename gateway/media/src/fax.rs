//! Signals of FAX machines and modems that switch a call to modem mode: CNG and CED (ITU-T T.30 §4), ANSam (ITU-T V.8 §8.2.1),
//! the preamble of T.30's commands (V.21 channel 2), and the phase reversals that disable echo cancellers (ITU-T G.165 §5).

use crate::band::{Bank, Complex, MILLISECOND, Window};
use crate::tone::peak;

/// What a [`Detector`] hears. From each of them on a call is one of modems: no suppression of echo or silence, a buffer of fixed
/// length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// CNG: a FAX machine calls. After the first burst.
    Calling,
    /// CED, or a modem's answer tone (ANS): 2,100 Hz for 0.4 s.
    Answer,
    /// ANSam: the same with amplitude modulation, a modem of V.8 answers (V.34, Super G3).
    AnswerModulated,
    /// The answer tone has reversed its phase: network echo cancellers are to be disabled, too.
    Reversal,
    /// The flags before a command of T.30 at 300 bit/s: FAX machines speak.
    Preamble,
}

const CALLING: f64 = 1_100.0;
const ANSWER: f64 = 2_100.0;
/// Between the frequencies of zero, 1,850 Hz, and one, 1,650 Hz.
const PREAMBLE: f64 = 1_750.0;

static FILTERS: Bank<3> = Bank::new([(CALLING, 150.0), (ANSWER, 150.0), (PREAMBLE, 300.0)]);

/// Least power of a signal, -48 dBm0. The receivers of FAX machines go down to -43.
const FAINT: f32 = {
    let peak = peak(-48) as f32;
    peak * peak / 4.0
};
/// Share of a signal in all power.
const PURITY: f32 = 0.8;
/// Share of both frequencies of V.21 in all power, less for what is beside them while they change.
const PURITY_V21: f32 = 0.6;

/// Milliseconds of CNG: 0.5 s within 15 %.
const BURST: core::ops::RangeInclusive<u16> = 420..=580;
/// Milliseconds of silence after it, of which there are 3,000.
const SILENCE: u16 = 100;
/// Milliseconds of an answer tone: six periods of ANSam's modulation with 15 Hz.
const ANSWERED: u16 = 400;
/// Milliseconds that a tone may miss, as it does where its phase reverses.
const GAP: u16 = 12;
/// Depth of the modulation of power from which on it is one: ANSam's is 0.4.
const DEPTH: f32 = 0.2;
/// Most variance of an answer tone's power beside its modulation, as a part of its square.
const UNSTEADY: f32 = 0.03;
/// Flags of a preamble that are enough: 107 ms of 1 s.
const FLAGS: u8 = 4;

/// Finds the signals in one direction of a line, millisecond by millisecond.
#[derive(Clone, Debug)]
pub struct Detector {
    window: Window,
    calling: Tone,
    /// Milliseconds of silence since a burst, and the most power that is silence.
    silence: Option<(u16, f32)>,
    answer: Tone,
    modulation: Modulation,
    reversal: Reversal,
    preamble: Preamble,
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
            window: Window::new(),
            calling: Tone::new(),
            silence: None,
            answer: Tone::new(),
            modulation: Modulation::NONE,
            reversal: Reversal::new(),
            preamble: Preamble::new(),
        }
    }

    /// Takes the next millisecond.
    pub fn push(&mut self, millisecond: &[i16; MILLISECOND]) -> Option<Event> {
        const CNG: Nominal = Nominal::new(CALLING, 45.0);
        const ANS: Nominal = Nominal::new(ANSWER, 25.0);
        self.window.push(&millisecond.map(f32::from));
        let power = self.window.power();
        let [calling, answer, preamble] = FILTERS.of(&self.window);
        let was = self.calling.heard;
        self.calling.push(calling, power, &CNG);
        let answered = self.answer.push(answer, power, &ANS);
        let events = [
            self.silent(was, power),
            self.answered(answered, answer),
            self.preamble.push(preamble, power),
        ];
        events.into_iter().flatten().next()
    }

    /// CNG is a burst of the right length and silence after it.
    fn silent(&mut self, was: u16, power: f32) -> Option<Event> {
        if self.calling.heard == 0 && BURST.contains(&was) {
            self.silence = Some((0, self.calling.power / 10.0));
        }
        let (milliseconds, most) = self.silence.take()?;
        if milliseconds == SILENCE {
            return Some(Event::Calling);
        }
        if power < most {
            self.silence = Some((milliseconds + 1, most));
        }
        None
    }

    fn answered(&mut self, sounds: bool, value: Complex) -> Option<Event> {
        if self.answer.heard == 0 {
            self.modulation = Modulation::NONE;
            self.reversal = Reversal::new();
            return None;
        }
        let reversed = self.reversal.push(value, sounds);
        if self.answer.heard < ANSWERED {
            self.modulation.push(value.power(), sounds);
            return None;
        }
        if self.answer.heard == ANSWERED && sounds {
            return self.modulation.judge();
        }
        reversed.then_some(Event::Reversal)
    }
}

/// Milliseconds over which a frequency is measured.
const LAG: usize = 4;

/// A tone as it has to be.
struct Nominal {
    turn: Complex,
    /// Square of the cosine of the angle by which it may be off.
    least: f32,
}

impl Nominal {
    const fn new(hertz: f64, off: f64) -> Self {
        let cosine = Complex::turned(off, LAG as u8).re;
        Nominal {
            turn: Complex::turned(hertz, LAG as u8),
            least: cosine * cosine,
        }
    }
}

/// A tone that sounds or not.
#[derive(Clone, Debug)]
struct Tone {
    past: [Complex; LAG],
    /// Milliseconds in which it sounded; zero when it is over.
    heard: u16,
    gap: u16,
    /// Its power where it sounded last.
    power: f32,
}

impl Tone {
    const fn new() -> Self {
        Tone {
            past: [Complex::ZERO; LAG],
            heard: 0,
            gap: 0,
            power: 0.0,
        }
    }

    /// Takes the band's next value; whether the tone sounds.
    fn push(&mut self, value: Complex, power: f32, nominal: &Nominal) -> bool {
        let [first, ..] = self.past;
        self.past.copy_within(1.., 0);
        let [.., last] = &mut self.past;
        *last = value;
        let off = value.times_conjugate(first).times_conjugate(nominal.turn);
        let pure = value.power() > FAINT && value.power() > PURITY * power;
        let sounds = pure && off.re > 0.0 && off.re * off.re > nominal.least * off.power();
        if sounds {
            self.heard = self.heard.saturating_add(1);
            self.gap = 0;
            self.power = power;
        } else {
            self.gap += 1;
            if self.gap > GAP {
                (self.heard, self.gap) = (0, 0);
            }
        }
        sounds
    }
}

/// How much a power swings with 15 Hz.
#[derive(Clone, Copy, Debug)]
struct Modulation {
    turn: Complex,
    swing: Complex,
    sum: f32,
    squares: f32,
}

impl Modulation {
    const NONE: Modulation = Modulation {
        turn: Complex { re: 1.0, im: 0.0 },
        swing: Complex::ZERO,
        sum: 0.0,
        squares: 0.0,
    };

    fn push(&mut self, power: f32, sounds: bool) {
        const STEP: Complex = Complex::turned(15.0, 1);
        if sounds {
            self.swing.re += power * self.turn.re;
            self.swing.im += power * self.turn.im;
            self.sum += power;
            self.squares += power * power;
        }
        self.turn = self.turn.times_conjugate(STEP);
    }

    /// Which answer tone it is. What swings otherwise is none: notes die away.
    fn judge(&self) -> Option<Event> {
        // The one in which it is judged is left out.
        const COUNT: f32 = (ANSWERED - 1) as f32;
        let depth_squared = 4.0 * self.swing.power() / (self.sum * self.sum);
        let variance = self.squares * COUNT / (self.sum * self.sum) - 1.0;
        if variance - depth_squared / 2.0 > UNSTEADY {
            return None;
        }
        Some(match depth_squared > DEPTH * DEPTH {
            true => Event::AnswerModulated,
            false => Event::Answer,
        })
    }
}

/// Finds where a tone's phase reverses: it turns by half a circle more than it does otherwise.
#[derive(Clone, Debug)]
struct Reversal {
    past: [Complex; Reversal::LAG],
    /// How far it turns in [`Reversal::LAG`].
    turn: Complex,
    /// Milliseconds until the next is looked for.
    rest: u8,
}

impl Reversal {
    /// Longer than the bands' 8 ms: one value is from before a reversal, the other from after it.
    const LAG: usize = 12;
    /// Reversals are 450 ms apart.
    const REST: u8 = 100;

    const fn new() -> Self {
        Reversal {
            past: [Complex::ZERO; Self::LAG],
            turn: Complex::ZERO,
            rest: Self::REST,
        }
    }

    fn push(&mut self, value: Complex, sounds: bool) -> bool {
        let [first, ..] = self.past;
        self.past.copy_within(1.., 0);
        let [.., last] = &mut self.past;
        *last = value;
        let turn = value.times_conjugate(first);
        let against = turn.times_conjugate(self.turn);
        if self.rest > 0 {
            self.rest -= 1;
        } else if sounds && against.re < 0.0 && against.re * against.re > 0.7 * against.power() {
            self.rest = Self::REST;
            return true;
        }
        if sounds && (against.re > 0.0 || self.turn == Complex::ZERO) {
            self.turn = self.turn.plus(turn);
        }
        false
    }
}

/// Counts HDLC flags in V.21 channel 2: six ones and, in 8 bits or 7, two zeros or one.
#[derive(Clone, Debug)]
struct Preamble {
    last: Complex,
    one: bool,
    /// Milliseconds since the bits changed.
    run: u16,
    flags: u8,
}

impl Preamble {
    const fn new() -> Self {
        Preamble {
            last: Complex::ZERO,
            one: false,
            run: 0,
            flags: 0,
        }
    }

    fn push(&mut self, value: Complex, power: f32) -> Option<Event> {
        /// Six bits of 3.3 ms, and one or two.
        const ONES: core::ops::RangeInclusive<u16> = 18..=22;
        const ZEROS: core::ops::RangeInclusive<u16> = 2..=9;
        const TURN: Complex = Complex::turned(PREAMBLE, 1);
        let frequency = value.times_conjugate(self.last).times_conjugate(TURN).im;
        self.last = value;
        if value.power() < FAINT || value.power() < PURITY_V21 * power {
            (self.flags, self.run) = (0, 0);
            return None;
        }
        let one = frequency < 0.0;
        if one == self.one {
            self.run = self.run.saturating_add(1);
            return None;
        }
        let fits = if self.one { ONES } else { ZEROS }.contains(&self.run);
        let counts = u8::from(self.one);
        self.flags = if fits {
            self.flags.saturating_add(counts)
        } else {
            0
        };
        (self.one, self.run) = (one, 1);
        (fits && counts == 1 && self.flags == FLAGS).then_some(Event::Preamble)
    }
}
