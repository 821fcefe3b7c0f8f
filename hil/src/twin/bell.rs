//! What a set on hook notices of its line: polarity and ringing.

use super::script::frames;

/// Ringing without a pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Frame in which it began.
    pub from: u64,
    /// Frame of its last change of polarity.
    pub to: u64,
    /// How often the polarity changed.
    pub crossings: u32,
    /// Sum of squares of its voltage, for its effective value.
    energy: f64,
}

impl Burst {
    /// Its length, milliseconds.
    pub fn milliseconds(&self) -> u64 {
        (self.to - self.from) / 8
    }

    /// Its frequency, Hz.
    pub fn hertz(&self) -> f64 {
        let changes = f64::from(self.crossings.saturating_sub(1));
        changes / 2.0 * 8000.0 / ((self.to - self.from) as f64).max(1.0)
    }

    /// Its effective value, volts.
    pub fn volts(&self) -> f64 {
        (self.energy / ((self.to - self.from) as f64).max(1.0)).sqrt()
    }
}

/// Something noticed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Notice {
    /// The polarity has changed and stayed; true: tip is positive.
    Polarity(bool),
    /// Ringing has ended.
    Rung(Burst),
}

/// Changes of polarity further apart than this are no ringing (below 15 Hz), frames.
const APART: u64 = frames(45) as u64;

/// The bell.
#[derive(Debug, Clone, Default)]
pub struct Bell {
    frame: u64,
    positive: Option<bool>,
    steady: Option<bool>,
    changed: u64,
    burst: Option<Burst>,
}

impl Bell {
    /// Does it ring?
    pub fn rings(&self) -> bool {
        self.burst.is_some_and(|burst| burst.crossings > 3)
    }

    /// A frame goes by with this voltage at the terminals.
    pub fn frame(&mut self, volts: f64) -> Option<Notice> {
        self.frame += 1;
        let positive = if volts > 25.0 {
            Some(true)
        } else if volts < -25.0 {
            Some(false)
        } else {
            self.positive
        };
        if positive != self.positive {
            let first = self.positive.is_none();
            self.positive = positive;
            let soon = !first && self.frame - self.changed < APART;
            self.changed = self.frame;
            match &mut self.burst {
                Some(burst) if soon => {
                    burst.crossings += 1;
                    burst.to = self.frame;
                }
                _ => {
                    self.burst = Some(Burst {
                        from: self.frame,
                        to: self.frame,
                        crossings: 1,
                        energy: 0.0,
                    });
                }
            }
        }
        if let Some(burst) = &mut self.burst {
            burst.energy += volts * volts;
            if self.frame - burst.to >= APART {
                let burst = *burst;
                self.burst = None;
                // The pause after the last change is no part of it.
                let energy = burst.energy - APART as f64 * volts * volts;
                if burst.crossings > 3 {
                    self.steady = self.positive;
                    return Some(Notice::Rung(Burst { energy, ..burst }));
                }
            }
        }
        if self.burst.is_none() && self.positive != self.steady {
            self.steady = self.positive;
            return self.steady.map(Notice::Polarity);
        }
        None
    }
}
