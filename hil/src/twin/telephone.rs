//! A telephone set at the end of a line, and the hand and ear of who uses it.
//!
//! [`Telephone`] is the handle that a story holds; the twin's thread lets the set live. What the set hears is recorded as
//! a desk phone's recording is, so that the same tools measure it.

use super::bell::{Bell, Burst, Notice};
use super::filter::RATE;
use super::pair::{Drive, Terminals, amplitude};
use super::peer::{Display, Fax};
use super::script::{Dialling, Script, frames};
use crate::tone;
use crate::wait::wait_for;
use anyhow::{Result, bail};
use std::f64::consts::PI;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Volts of a full-scale sample in a recording: the peak of +3.17 dBm.
const FULL_SCALE: f64 = 1.5787;
/// Level of a set's own tone, dBm.
const VOICE: f64 = -10.0;

/// What a set with a number display does about the number (ナンバー・ディスプレイ).
#[derive(Debug)]
enum Number {
    /// It waits for the short ringing that announces one.
    Waits,
    /// It has closed the loop and listens, since so many frames.
    Listens(u32),
    /// The number is there; it opens the loop after so many frames.
    Ends(u32),
}

/// A set.
#[derive(Debug)]
pub struct Set {
    script: Script,
    bell: Bell,
    heard: Vec<i16>,
    rung: Vec<Burst>,
    polarity: Vec<bool>,
    voice: Option<f64>,
    playing: std::vec::IntoIter<i16>,
    display: Option<(Display, Number)>,
    shown: Vec<String>,
    fax: Option<Fax>,
    /// Rings until the set answers by itself and starts its modem.
    answers: Option<usize>,
    outcome: Option<bool>,
    frame: u64,
}

impl Set {
    fn new(seed: u64) -> Set {
        Set {
            script: Script::new(seed),
            bell: Bell::default(),
            heard: Vec::new(),
            rung: Vec::new(),
            polarity: Vec::new(),
            voice: None,
            playing: Vec::new().into_iter(),
            display: None,
            shown: Vec::new(),
            fax: None,
            answers: None,
            outcome: None,
            frame: 0,
        }
    }

    /// A frame goes by.
    pub fn frame(&mut self, at: Terminals) -> Drive {
        self.frame += 1;
        let (mut closed, keys) = self.script.frame();
        let notice = if self.script.lifted() {
            None
        } else {
            self.bell.frame(at.volts)
        };
        match notice {
            Some(Notice::Polarity(positive)) => self.polarity.push(positive),
            Some(Notice::Rung(burst)) => self.rings(burst),
            None => {}
        }
        closed |= self.number(at.ear);
        let sample = (at.ear / FULL_SCALE * 32_768.0).round() as i16;
        let mut mouth = keys;
        if closed {
            self.heard.push(sample);
            mouth += f64::from(self.playing.next().unwrap_or(0)) / 32_768.0 * FULL_SCALE;
            if let Some(hertz) = self.voice {
                mouth += amplitude(VOICE) * (2.0 * PI * hertz * self.frame as f64 / RATE).sin();
            }
            if self.script.idle()
                && let Some(fax) = &mut self.fax
            {
                mouth += f64::from(fax.frame(sample)) / 32_768.0 * FULL_SCALE;
                if let Some(outcome) = fax.outcome() {
                    (self.outcome, self.fax) = (Some(outcome), None);
                    self.script.hook(false);
                }
            }
        }
        Drive { closed, mouth }
    }

    fn rings(&mut self, burst: Burst) {
        // The announcement of a number rings for half a second, a call for a whole one.
        if let Some((display, number @ Number::Waits)) = &mut self.display
            && (250..800).contains(&burst.milliseconds())
        {
            display.begin();
            *number = Number::Listens(0);
            return;
        }
        self.rung.push(burst);
        if let Some(rings) = self.answers
            && self.rung.len() >= rings
        {
            self.script.hook(true);
            self.answers = None;
        }
    }

    /// Lets the display live; does it close the loop?
    fn number(&mut self, ear: f64) -> bool {
        let Some((display, number)) = &mut self.display else {
            return false;
        };
        match number {
            Number::Waits => false,
            Number::Listens(since) => {
                *since += 1;
                if let Some(text) = display.frame((ear / FULL_SCALE * 32_768.0).round() as i16) {
                    self.shown.push(text);
                    *number = Number::Ends(frames(150));
                } else if *since > frames(7000) {
                    *number = Number::Waits;
                }
                true
            }
            Number::Ends(0) => {
                *number = Number::Waits;
                false
            }
            Number::Ends(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// A set in the hand of a story.
#[derive(Debug, Clone)]
pub struct Telephone(Arc<Mutex<Set>>);

impl Telephone {
    /// A plain set.
    pub fn new(seed: u64) -> Telephone {
        Telephone(Arc::new(Mutex::new(Set::new(seed))))
    }

    /// A set that shows who calls.
    pub fn with_display(seed: u64, display: Display) -> Telephone {
        let telephone = Telephone::new(seed);
        telephone.set().display = Some((display, Number::Waits));
        telephone
    }

    /// The set, for the thread in which it lives.
    pub fn set(&self) -> MutexGuard<'_, Set> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lifts the handset.
    pub fn lift(&self) {
        self.set().script.hook(true);
    }

    /// Puts the handset down.
    pub fn hang_up(&self) {
        self.set().script.hook(false);
    }

    /// Presses the hook for so many milliseconds.
    pub fn flash(&self, milliseconds: u32) {
        self.set().script.flash(milliseconds);
    }

    /// Dials.
    pub fn dial(&self, number: &str, dialling: Dialling) {
        self.set().script.dial(number, dialling);
    }

    /// Lets some time of the line go by before what follows.
    pub fn pause(&self, milliseconds: u32) {
        self.set().script.wait(milliseconds);
    }

    /// Speaks: a tone of `frequency` Hz at -10 dBm while the loop is closed; `None` is silence.
    pub fn speak(&self, frequency: Option<f64>) {
        self.set().voice = frequency;
    }

    /// Plays samples into the line once (full scale is +3.17 dBm): a machine from its recording.
    pub fn play(&self, samples: Vec<i16>) {
        self.set().playing = samples.into_iter();
    }

    /// Becomes a FAX machine: its modem works as soon as the loop is closed and everything is dialled, and the set hangs
    /// up after it. With `rings` it answers by itself after so many.
    pub fn fax(&self, fax: Fax, rings: Option<usize>) {
        let mut set = self.set();
        (set.fax, set.outcome) = (Some(fax), None);
        set.answers = rings.map(|rings| set.rung.len() + rings);
    }

    /// Waits until the FAX machine has ended; an error if it has failed.
    pub fn fax_ends(&self, within: Duration) -> Result<()> {
        let outcome = wait_for("the FAX machine ends", within, || self.set().outcome)?;
        if !outcome {
            bail!("the FAX machine reports a failure");
        }
        Ok(())
    }

    /// Has it done with its hook and keys what it was told?
    pub fn idle(&self) -> bool {
        self.set().script.idle()
    }

    /// Everything heard while the loop was closed.
    pub fn recording(&self) -> Vec<i16> {
        self.set().heard.clone()
    }

    /// Forgets what was heard and rung so far.
    pub fn forget(&self) {
        let mut set = self.set();
        set.heard.clear();
        set.rung.clear();
        set.polarity.clear();
    }

    /// Waits until the last 300 ms heard are the tone of `frequency` and none of `others`; the level of their end in dBFS.
    ///
    /// It listens 100 ms at a time: a box that lets its jitter buffer shrink plays a tone some hertz too high, which a longer
    /// look takes for a weaker one.
    pub fn hears(&self, frequency: f64, others: &[f64], within: Duration) -> Result<f64> {
        const LOOK: usize = tone::RATE as usize / 10;
        wait_for(&format!("the set hears {frequency} Hz"), within, || {
            let set = self.set();
            let last = set.heard.get(set.heard.len().checked_sub(3 * LOOK)?..)?;
            let mut looks = last.chunks(LOOK);
            let heard = looks.all(|look| tone::heard(look, LOOK, frequency, others));
            heard.then(|| tone::level(&last[2 * LOOK..], frequency))
        })
    }

    /// Waits until it rings.
    pub fn rings(&self, within: Duration) -> Result<()> {
        wait_for("the set rings", within, || {
            let set = self.set();
            (set.bell.rings() || !set.rung.is_empty()).then_some(())
        })
    }

    /// Ringing so far, without announcements of numbers.
    pub fn rung(&self) -> Vec<Burst> {
        self.set().rung.clone()
    }

    /// Polarities that stayed, in their order; true: tip is positive.
    pub fn polarities(&self) -> Vec<bool> {
        self.set().polarity.clone()
    }

    /// Waits until the display has shown so many numbers; the last one.
    pub fn shows(&self, count: usize, within: Duration) -> Result<String> {
        wait_for("the display shows a number", within, || {
            self.set().shown.get(count.checked_sub(1)?).cloned()
        })
    }
}
