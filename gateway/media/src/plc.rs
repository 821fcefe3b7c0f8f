//! Packet loss concealment: what is played in place of what did not come.
//!
//! Speech goes on with its last pitch period (after ITU-T G.711 Appendix I, without its delay of 3.75 ms). A modem's signal goes on
//! with its last 20 ms: whole symbols and whole turns of the carrier in V.21, V.27ter, V.29 and V.17, so that a receiver's clocks
//! and equaliser are not led astray, and loses nothing of its level. Flags, and frames that are empty or filled, go on bit by bit.

use crate::BLOCK;
use crate::noise::root;

/// Pitch periods that are looked for: 66 to 200 Hz (Appendix I).
const SHORTEST: usize = 40;
const LONGEST: usize = 120;
/// What is compared with itself a period earlier: 20 ms.
const COMPARED: usize = 160;
/// What has to be known of the past: three periods, and a quarter for joining them.
const HISTORY: usize = LONGEST * 13 / 4;
/// Symbols of 300, 1,200, 1,600 and 2,400 baud and turns of 1,650, 1,700, 1,800 and 1,850 Hz are whole in it: 20 ms.
const MODEM_PERIOD: usize = 160;
/// Periods of six and eight bits at 300 bit/s and some, 16 to 28 ms, and how much alike two of them have to be (correlation).
const MODEM_SHORTEST: usize = 128;
const MODEM_LONGEST: usize = 228;
const REPEATED: f32 = 0.9;
/// Blocks of speech after which nothing is left: 60 ms.
const SPEECH_BLOCKS: u16 = 12;
/// Blocks of a modem's signal after which it is given up: 400 ms, when its own receiver notices too (V.17 and others go by carrier).
const MODEM_BLOCKS: u16 = 80;

/// Samples in which a gap's beginning comes from the last sample heard to the period's: 1 ms.
const JOIN: usize = 8;

/// What kind of signal is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Speech.
    Speech,
    /// A modem's, FAX among them.
    Modem,
}

/// The concealment of one stream.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// What was played last, oldest first.
    history: [i16; HISTORY],
    gap: Option<Gap>,
}

/// Something is missing.
#[derive(Clone, Copy, Debug)]
struct Gap {
    signal: Signal,
    /// Blocks made up so far.
    blocks: u16,
    /// Samples of a period, and periods that are gone through in turn.
    period: usize,
    periods: usize,
    /// How far before the gap the next sample is taken from.
    back: usize,
    /// How much of the signal repeats itself, 0 to 1.
    voiced: f32,
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

impl Concealer {
    /// Nothing was played yet.
    pub const fn new() -> Self {
        Concealer {
            history: [0; HISTORY],
            gap: None,
        }
    }

    /// Takes a block that has come, and joins it to what was made up before it.
    pub fn received(&mut self, block: &mut [i16; BLOCK]) {
        if let Some(mut gap) = self.gap.take() {
            let (before, mut made) = (self.history, [0; BLOCK]);
            // What was made up is the past of the next gap. Of a long one, its end is enough.
            let mut again = Gap {
                blocks: 0,
                periods: 1,
                back: gap.period,
                ..gap
            };
            for _ in 0..gap.blocks.min(SPEECH_BLOCKS + gap.blocks % 4) {
                again.go_on(&before, &mut made);
                self.remember(&made);
            }
            if gap.signal == Signal::Speech {
                gap.go_on(&before, &mut made);
                for (n, (sample, made)) in block.iter_mut().zip(made).enumerate() {
                    *sample = mix(
                        f32::from(made),
                        f32::from(*sample),
                        (n + 1) as f32 / (BLOCK + 1) as f32,
                    ) as i16;
                }
            }
        }
        self.remember(block);
    }

    /// Makes up a block that has not come.
    pub fn lost(&mut self, signal: Signal, block: &mut [i16; BLOCK]) {
        let history = &self.history;
        let gap = self.gap.get_or_insert_with(|| Gap::begin(signal, history));
        gap.go_on(history, block);
    }

    fn remember(&mut self, block: &[i16; BLOCK]) {
        self.history.copy_within(BLOCK.., 0);
        if let Some(last) = self.history.last_chunk_mut() {
            *last = *block;
        }
    }
}

impl Gap {
    fn begin(signal: Signal, history: &[i16; HISTORY]) -> Self {
        let (period, voiced) = match signal {
            Signal::Speech => pitch(history),
            Signal::Modem => (repetition(history), 1.0),
        };
        Gap {
            signal,
            blocks: 0,
            period,
            periods: 1,
            back: period,
            voiced,
        }
    }
    /// The next block of what is made up.
    fn go_on(&mut self, history: &[i16; HISTORY], block: &mut [i16; BLOCK]) {
        let speech = self.signal == Signal::Speech;
        let (from, to) = match self.signal {
            Signal::Speech => (self.level(self.blocks), self.level(self.blocks + 1)),
            Signal::Modem if self.blocks < MODEM_BLOCKS => (1.0, 1.0),
            Signal::Modem => (0.0, 0.0),
        };
        // A longer sound is less of a buzz when more than one period comes again (Appendix I: one more every 10 ms).
        let longer = speech && matches!(self.blocks, 2 | 4);
        // A cycle's end goes over into what was before its beginning. A modem's period needs that not, as its symbols fit.
        let join = if speech { self.period / 4 } else { 0 };
        for (n, sample) in block.iter_mut().enumerate() {
            let share = n as f32 / BLOCK as f32;
            let mut value = self.value(history, self.back, self.periods, join);
            if longer {
                let other = self.value(history, self.back + self.period, self.periods + 1, join);
                value = mix(value, other, share);
            }
            if speech && self.blocks == 0 && n < JOIN {
                // The last sample heard is not quite what the period has there: that goes away slowly, so that nothing jumps.
                let jump = past(history, 1) - past(history, self.period + 1);
                value += jump * (JOIN - n) as f32 / (JOIN + 1) as f32;
            }
            *sample = (value * mix(from, to, share)) as i16;
            self.back -= 1;
            if self.back == 0 {
                self.back = self.period * self.periods;
            }
        }
        if longer {
            self.back += self.period;
            self.periods += 1;
        }
        self.blocks = self.blocks.saturating_add(1);
    }

    /// Share of the level that is left before a block: all for 10 ms, nothing after 60 ms (Appendix I), and of what does not
    /// repeat itself, as `s` and `sh` do not, a third of that.
    fn level(&self, blocks: u16) -> f32 {
        let left = f32::from(SPEECH_BLOCKS.saturating_sub(blocks)) / f32::from(SPEECH_BLOCKS - 2);
        left.min(1.0) * (0.3 + 0.7 * self.voiced)
    }

    /// The sample so far back; near the end of the cycle it goes over into what was before its beginning.
    fn value(&self, history: &[i16; HISTORY], back: usize, periods: usize, join: usize) -> f32 {
        let value = past(history, back);
        if back >= join {
            return value;
        }
        let earlier = past(history, back + self.period * periods);
        mix(earlier, value, back as f32 / join as f32)
    }
}

fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + share * (to - from)
}

/// The sample so far before the end; the last is 1.
fn past(history: &[i16; HISTORY], back: usize) -> f32 {
    HISTORY
        .checked_sub(back)
        .and_then(|at| history.get(at))
        .map_or(0.0, |sample| f32::from(*sample))
}

/// The pitch period in samples, and how alike two of them are (correlation, 0 to 1).
fn pitch(history: &[i16; HISTORY]) -> (usize, f32) {
    let samples = history.map(f32::from);
    let mut every_second = [0.0; HISTORY / 2];
    for (to, pair) in every_second.iter_mut().zip(samples.as_chunks::<2>().0) {
        *to = pair[0];
    }
    let (coarse, _) = most_alike::<{ COMPARED / 2 }>(&every_second, SHORTEST / 2, LONGEST / 2);
    let from = (2 * coarse - 1).max(SHORTEST);
    most_alike::<COMPARED>(&samples, from, (2 * coarse + 1).min(LONGEST))
}

/// The period of a modem's signal: that of flags and of filled or empty frames at 300 bit/s, whose carrier is seldom whole in 20 ms, if
/// they are in what was played last; else that which fits them all.
fn repetition(history: &[i16; HISTORY]) -> usize {
    let samples = history.map(f32::from);
    let (_, whole) = most_alike::<COMPARED>(&samples, MODEM_PERIOD, MODEM_PERIOD);
    if whole > REPEATED {
        return MODEM_PERIOD;
    }
    match most_alike::<COMPARED>(&samples, MODEM_SHORTEST, MODEM_LONGEST) {
        (period, alike) if alike > REPEATED => period,
        _ => MODEM_PERIOD,
    }
}

/// The lag, of these, after which the last `N` samples are most like themselves, and their correlation.
fn most_alike<const N: usize>(samples: &[f32], shortest: usize, longest: usize) -> (usize, f32) {
    let Some(now) = samples.last_chunk::<N>() else {
        return (shortest, 0.0);
    };
    let power = product(now, now) + 1.0;
    let mut earlier_power = None;
    let (mut best, mut quality) = (shortest, 0.0);
    for lag in shortest..=longest {
        let begin = samples.len().saturating_sub(N + lag);
        let Some(earlier) = samples.get(begin..).and_then(|s| s.first_chunk::<N>()) else {
            break;
        };
        let earlier_power = match &mut earlier_power {
            // One comes in at the front, one goes out at the end.
            Some(power) => {
                let gone = samples.get(begin + N).copied().unwrap_or(0.0);
                *power += earlier[0] * earlier[0] - gone * gone;
                *power
            }
            None => *earlier_power.insert(product(earlier, earlier)),
        };
        let alike = product(now, earlier);
        // The square of the correlation: a root is for the best only.
        let square = alike * alike / (power * (earlier_power.max(0.0) + 1.0));
        if alike > 0.0 && square > quality {
            (best, quality) = (lag, square);
        }
    }
    (best, root(quality))
}

fn product<const N: usize>(a: &[f32; N], b: &[f32; N]) -> f32 {
    let mut sums = [0.0; 4];
    for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
