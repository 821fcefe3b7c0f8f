//! Line echo canceller (ITU-T G.168): takes out of what comes from the line what the line's hybrid sends back.
//!
//! Two filters, as in Ochiai, Araseki and Ogihara's echo canceller with two echo path models: the *background* adapts (normalised
//! LMS, eight samples a step, whitened by a first-order predictor of the far end) and may be led astray by double talk; the
//! *foreground* makes the output and takes the background's coefficients only while they are the better ones. After it a
//! non-linear processor puts comfort noise in place of what echo is left while nobody speaks at the near end.

use crate::BLOCK;
use crate::noise::{Noise, root};

/// Samples that are filtered and adapted at once: as many sums as the processor has registers for.
const STEP: usize = 8;
/// Steps in a block.
const STEPS: usize = BLOCK / STEP;
/// Steps of a block in which a converged canceller still adapts.
const STEPS_KEPT: usize = 1;
/// The longest tail: 32 ms.
const MAX_TAPS: usize = 256;
/// Step size of the normalised LMS. A pure tone, whose energy is in two of the modes, is stable up to 4 / STEP.
const MU: f32 = 0.3;
/// Blocks in a row for which the background has to be better before it is taken over: 15 ms.
const BETTER_FOR: u8 = 3;
/// The same, where the near end may be speaking: 60 ms.
const CERTAIN_FOR: u8 = 12;
/// Blocks for which the non-linear processor stays off after the near end was heard: 60 ms.
const NEAR_HANGOVER: u8 = 12;
/// Share of the far end that is little enough to have learned the line: 27 dB beyond the hybrid's.
const LITTLE: f32 = 5e-4;
/// Share of the far end that is left at best: 6 dB of the hybrid, and what µ-law allows.
const LEAST: f32 = 1e-4;
/// Mean square of what is too faint to be judged, -60 dBm0.
const QUIET: f32 = 249.0;
/// Mean square of the weakest far end that is adapted to, -42 dBm0.
const FAR_ACTIVE: f32 = 15_700.0;

/// What the canceller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Cancels, and its non-linear processor is on: speech.
    Full,
    /// Cancels, without its non-linear processor: as a canceller is measured.
    Linear,
    /// Cancels with what it has learned, and learns nothing: modems that leave cancellers on (2100 Hz without phase reversals,
    /// G.168 §7). Their flags and tones are alike at both ends, and would teach it that one is the other's echo.
    Held,
    /// Lets everything through unchanged: 2100 Hz with phase reversals was heard (G.168 §7).
    Disabled,
}

/// A canceller of a tail of `TAPS` samples: 128 for 16 ms, 256 for 32 ms.
#[derive(Clone, Debug)]
pub struct Canceller<const TAPS: usize> {
    mode: Mode,
    /// What was sent to the line last, oldest first.
    history: [i16; TAPS],
    /// Coefficients, that of the oldest sample first.
    foreground: [f32; TAPS],
    background: [f32; TAPS],
    control: Control,
    nlp: Nlp,
}

/// Which of the two filters is better.
#[derive(Clone, Copy, Debug)]
struct Control {
    /// Smoothed mean squares of a block: from the line, and after either filter.
    near: f32,
    foreground: f32,
    background: f32,
    /// Share of the far end's power that is left, and that was at best, of late.
    left: f32,
    leak: f32,
    better_for: u8,
    /// The background has not been much better for so many blocks: it need not adapt all the time.
    settled_for: u8,
    /// Last error of the background, for whitening.
    last_error: f32,
    /// Largest sample of the far end of late.
    far_peak: u16,
}

impl Control {
    const NEW: Self = Control {
        near: 0.0,
        foreground: 0.0,
        background: 0.0,
        leak: 1.0,
        left: 1.0,
        better_for: 0,
        settled_for: 0,
        last_error: 0.0,
        far_peak: 0,
    };

    /// Takes what was sent to the line. Its peak falls by half in 20 ms.
    fn heard(&mut self, far: &[i16; BLOCK]) {
        self.far_peak = peak(far).max(self.far_peak - self.far_peak / 6);
    }
}

impl<const TAPS: usize> Default for Canceller<TAPS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const TAPS: usize> Canceller<TAPS> {
    /// A canceller that knows nothing of the line.
    pub const fn new() -> Self {
        const { assert!(TAPS.is_multiple_of(STEP) && TAPS >= BLOCK && TAPS <= MAX_TAPS) }
        Canceller {
            mode: Mode::Full,
            history: [0; TAPS],
            foreground: [0.0; TAPS],
            background: [0.0; TAPS],
            control: Control::NEW,
            nlp: Nlp::NEW,
        }
    }

    /// Forgets the line: it was hung up.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Changes what it does; what was learned stays.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// What it does.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Takes the echo of `far`, which goes to the line, out of `near`, which came from the line in the same 5 ms.
    pub fn process(&mut self, far: &[i16; BLOCK], near: &mut [i16; BLOCK]) {
        let mut window = [0.0; MAX_TAPS + BLOCK];
        let window = window.get_mut(..TAPS + BLOCK).unwrap_or_default();
        let (past, new) = window.split_at_mut(TAPS);
        for (to, from) in past.iter_mut().zip(&self.history) {
            *to = f32::from(*from);
        }
        for (to, from) in new.iter_mut().zip(far) {
            *to = f32::from(*from);
        }
        self.remember(far);
        if self.mode == Mode::Disabled {
            return;
        }
        let mut samples = [0.0; BLOCK];
        for (to, from) in samples.iter_mut().zip(near.iter()) {
            *to = f32::from(*from);
        }
        let mut correlation = Correlation::of(past);
        let far_power = larger(correlation.zero / TAPS as f32, power(new));
        let window = &*window;
        let mut output = samples;
        for (step, output) in output.chunks_exact_mut(STEP).enumerate() {
            if let (Some(x), Some(output)) = (window.get(step * STEP + 1..), output.first_chunk_mut()) {
                subtract(&self.foreground, x, output);
            }
        }
        if power(&output) > 2.0 * power(&samples) + QUIET {
            // What it adds is no echo. A loop of two such cancellers would howl.
            output = samples;
        }
        if far_power > FAR_ACTIVE && self.mode != Mode::Held {
            let measured = self.adapt(window, &samples, &output, &mut correlation);
            self.judge(near, &measured, far_power);
        }
        if self.mode == Mode::Full {
            self.nlp.process(far_power, &mut output);
        }
        for (to, from) in near.iter_mut().zip(&output) {
            // Rounds to the nearest: `as` cuts towards zero, and saturates.
            *to = (from + 0.5f32.copysign(*from)) as i16;
        }
    }

    /// What came from the line while `far` went there was lost: nothing is learned from it, and `far` is still to come back.
    pub fn missed(&mut self, far: &[i16; BLOCK]) {
        self.remember(far);
    }

    fn remember(&mut self, far: &[i16; BLOCK]) {
        self.history.copy_within(BLOCK.., 0);
        if let Some(last) = self.history.last_chunk_mut() {
            *last = *far;
        }
        self.control.heard(far);
    }

    /// Adapts the background. Gives the mean squares from the line, after the foreground and after the background of the
    /// samples that it was tried on.
    fn adapt(
        &mut self,
        window: &[f32],
        near: &[f32; BLOCK],
        foreground: &[f32; BLOCK],
        correlation: &mut Correlation,
    ) -> [f32; 3] {
        let steps = if self.control.settled_for == u8::MAX && self.control.left < LITTLE {
            STEPS_KEPT
        } else {
            STEPS
        };
        let mut powers = [0.0; 3];
        for step in 0..STEPS {
            let at = step * STEP;
            let (Some(new), Some(old)) = (
                window.get(TAPS + at - 1..TAPS + at + STEP),
                window.get(at..at + STEP + 1),
            ) else {
                break;
            };
            correlation.slide(old, new);
            if step < STEPS - steps {
                continue;
            }
            let (Some(x), Some(d), Some(f)) = (
                window.get(at + 1..at + TAPS + STEP),
                near.get(at..).and_then(|d| d.first_chunk::<STEP>()),
                foreground.get(at..at + STEP),
            ) else {
                break;
            };
            let mut error = *d;
            subtract(&self.background, x, &mut error);
            for (sum, part) in powers.iter_mut().zip([power(d), power(f), power(&error)]) {
                *sum += part / steps as f32;
            }
            let whitening = correlation.predictor();
            let energy = correlation.whitened(whitening);
            let gain = MU / (energy + TAPS as f32 * 64.0);
            // The step before it was left out: there the two are alike.
            let mut last = match at.checked_sub(1).and_then(|before| foreground.get(before)) {
                Some(before) if step + steps == STEPS => *before,
                _ => self.control.last_error,
            };
            self.control.last_error = error[STEP - 1];
            for e in &mut error {
                (*e, last) = (gain * (*e - whitening * last), *e);
            }
            update(
                &mut self.background,
                window.get(at..at + TAPS + STEP).unwrap_or_default(),
                &error,
                whitening,
            );
        }
        powers
    }

    /// Takes over what is better.
    fn judge(&mut self, near: &[i16; BLOCK], [d, f, b]: &[f32; 3], far_power: f32) {
        let control = &mut self.control;
        for (smooth, new) in [
            (&mut control.near, d),
            (&mut control.foreground, f),
            (&mut control.background, b),
        ] {
            *smooth += 0.3 * (new - *smooth);
        }
        // Louder than any echo (return loss below 0 dB): the near end speaks (Geigel).
        let double_talk = peak(near) > control.far_peak;
        // Far more is left than was before: the near end speaks, or the line is another one. What matches a voice by chance
        // does not do so for long.
        let ratio = control.foreground / far_power;
        control.left = ratio;
        let strange = ratio > 8.0 * control.leak;
        control.leak = if ratio < control.leak {
            (control.leak + 0.1 * (ratio - control.leak)).max(LEAST)
        } else {
            control.leak * 1.001
        };
        let (than, times) = if strange {
            (0.5, CERTAIN_FOR)
        } else {
            (0.9, BETTER_FOR)
        };
        let better = control.background < than * control.foreground && control.background < control.near;
        control.better_for = if better && !double_talk {
            control.better_for + 1
        } else {
            0
        };
        if control.better_for >= times {
            if control.background < 0.5 * control.foreground {
                control.settled_for = 0;
            }
            control.better_for = 0;
            control.foreground = control.background;
            self.foreground = self.background;
        } else if control.background > 2.0 * control.foreground || control.background.is_nan() {
            control.background = control.foreground;
            self.background = self.foreground;
        }
        control.settled_for = control.settled_for.saturating_add(1);
    }
}

/// Autocorrelation of the far end over a tail.
#[derive(Clone, Copy, Debug)]
struct Correlation {
    zero: f32,
    one: f32,
}

impl Correlation {
    fn of(window: &[f32]) -> Self {
        let (mut zero, mut one, mut last) = (0.0, 0.0, 0.0);
        for x in window {
            zero += x * x;
            one += x * last;
            last = *x;
        }
        Correlation { zero, one }
    }

    /// Moves on by the samples after the first of `new`, out of which those of `old` but the last fall.
    fn slide(&mut self, old: &[f32], new: &[f32]) {
        for (old, new) in old.windows(2).zip(new.windows(2)) {
            let ([old, old_next], [last, new]) = (old, new) else {
                return;
            };
            self.zero += new * new - old * old;
            self.one += new * last - old * old_next;
        }
    }

    /// Coefficient of the first-order predictor.
    fn predictor(self) -> f32 {
        (self.one / (self.zero + 1.0)).clamp(-0.95, 0.95)
    }

    /// Energy of what the predictor does not foresee.
    fn whitened(self, predictor: f32) -> f32 {
        larger(
            self.zero * (1.0 + predictor * predictor) - 2.0 * predictor * self.one,
            0.0,
        )
    }
}

/// Subtracts the filter's answer for as many samples as there are sums: `x` begins with the oldest that the first needs.
#[inline(never)]
fn subtract(filter: &[f32], x: &[f32], output: &mut [f32; STEP]) {
    let mut sums = [0.0; STEP];
    for (h, x) in filter
        .chunks_exact(STEP)
        .zip(x.windows(2 * STEP - 1).step_by(STEP))
    {
        let (Some(h), Some(x)) = (h.first_chunk::<STEP>(), x.first_chunk::<{ 2 * STEP - 1 }>()) else {
            break;
        };
        for (j, h) in h.iter().enumerate() {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += h * x[i + j];
            }
        }
    }
    for (output, sum) in output.iter_mut().zip(sums) {
        *output -= sum;
    }
}

/// Moves the coefficients along the whitened gradient. `x` begins one sample before the oldest that the first error saw.
#[inline(never)]
fn update(filter: &mut [f32], x: &[f32], error: &[f32; STEP], whitening: f32) {
    let mut last = x.iter().zip(error).map(|(x, e)| x * e).sum::<f32>();
    let x = x.get(1..).unwrap_or_default();
    for (h, x) in filter
        .chunks_exact_mut(STEP)
        .zip(x.windows(2 * STEP - 1).step_by(STEP))
    {
        let (Some(h), Some(x)) = (h.first_chunk_mut::<STEP>(), x.first_chunk::<{ 2 * STEP - 1 }>()) else {
            break;
        };
        for (j, h) in h.iter_mut().enumerate() {
            let mut sum = 0.0;
            for (i, e) in error.iter().enumerate() {
                sum += e * x[i + j];
            }
            *h += sum - whitening * last;
            last = sum;
        }
    }
}

fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Largest size of a sample.
fn peak(samples: &[i16; BLOCK]) -> u16 {
    samples
        .iter()
        .fold(0, |peak, sample| peak.max(sample.unsigned_abs()))
}

/// Mean square.
fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32
}

/// Takes what echo is left away while only the far end speaks (G.168 §7.2), and puts noise like the near end's in its place.
#[derive(Clone, Copy, Debug)]
struct Nlp {
    /// What is left of the far end's power in single talk.
    leak: f32,
    /// Mean square of the near end's noise.
    floor: f32,
    near_for: u8,
    /// Share of the signal that passes, at the end of the last block.
    gain: f32,
    noise: Noise,
}

impl Nlp {
    const NEW: Self = Nlp {
        leak: 0.05,
        floor: 100.0,
        near_for: 0,
        gain: 1.0,
        noise: Noise::NEW,
    };

    fn process(&mut self, far_power: f32, output: &mut [f32; BLOCK]) {
        let left = power(output);
        // Falls at once, rises 3 dB in 1.7 s. A clamp of `f32` could panic, and would print what it got: 10 KB of image.
        let (risen, most) = (self.floor * 1.002, larger(left, 1.0));
        self.floor = if risen < most { risen } else { most };
        let far = far_power > FAR_ACTIVE;
        if far {
            let ratio = left / far_power;
            self.leak = if ratio < self.leak {
                self.leak + 0.1 * (ratio - self.leak)
            } else {
                (self.leak * 1.01).min(0.05)
            };
            // 9 dB above what is left as a rule; never more than 13 dB below the far end.
            if ratio > (8.0 * self.leak).clamp(1e-4, 0.05) && left > 4.0 * self.floor {
                self.near_for = NEAR_HANGOVER;
            }
        }
        let target = if far && self.near_for == 0 { 0.0 } else { 1.0 };
        self.near_for = self.near_for.saturating_sub(1);
        if target == 1.0 && self.gain == 1.0 {
            return;
        }
        let amplitude = root(3.0 * self.floor);
        let step = (target - self.gain) / BLOCK as f32;
        for sample in output {
            self.gain += step;
            *sample = self.gain * *sample + (1.0 - self.gain) * amplitude * self.noise.next_value();
        }
        self.gain = target;
    }
}
