//! How a telephone is rung: Japan's cadence, and before it the caller's number (ナンバー・ディスプレイ).
//!
//! ```text
//! polarity reversed ─┐                                                              normal again
//!                    └ 0.5 s on, 0.5 s off .. off hook ─ V.23 ─ on hook ─ 1 s on, 2 s off .. off hook
//!                      CAR, for 6 s           primary           received  ringing            answered
//!                                             answer
//! ```
//!
//! Without a primary answer within 6 s it is a telephone that does not know of it, and rings plainly. One that stays off hook
//! after the number was sent is no such telephone either: somebody has lifted its handset.

use core::time::Duration;

use sip::Instant;

use super::hook::Did;

/// Ringing: 1 s on, 2 s off (事業用電気通信設備規則 別表: 20 times a minute, a third of it on).
const RING: Cadence = Cadence(1_000, 2_000);
/// The signal that calls a terminal to receive the number (CAR).
const CAR: Cadence = Cadence(500, 500);
/// From the reversal to the first of it. Not verified against NTT's interface document.
const REVERSED: Duration = Duration::from_millis(100);
/// How long a primary answer is waited for.
const PRIMARY: Duration = Duration::from_millis(6_000);
/// From the primary answer to the number: the loop is at rest. Not verified against NTT's interface document.
const AT_REST: Duration = Duration::from_millis(200);
/// The number has been sent by then, whatever it was.
const SENT: Duration = Duration::from_millis(3_000);
/// How long on hook is waited for after the number.
const RECEIVED: Duration = Duration::from_millis(2_000);

/// Milliseconds on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cadence(u64, u64);

/// What the bell wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Ringing voltage on the line, or none.
    Ring(bool),
    /// The caller's number is to be sent.
    Number,
    /// Somebody has answered.
    Answered,
}

/// The bell of one telephone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bell {
    /// It does not ring.
    #[default]
    Silent,
    /// It rings in a cadence.
    Rings {
        cadence: Call,
        on: bool,
        /// The next change.
        at: Instant,
        /// The end of the CAR.
        until: Instant,
    },
    /// The primary answer was given.
    Rests(Instant),
    /// The number is being sent, until then at the latest.
    Sends(Instant),
    /// It was sent, and the terminal hangs up until then.
    Sent(Instant),
}

/// What it is rung for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// To receive the caller's number.
    Number,
    /// To be answered.
    Person,
}

impl Call {
    const fn cadence(self) -> Cadence {
        match self {
            Call::Number => CAR,
            Call::Person => RING,
        }
    }
}

impl Bell {
    /// Begins, with the number or plainly. The polarity is reversed at this moment.
    pub fn begin(now: Instant, number: bool) -> Self {
        let (cadence, at) = match number {
            true => (Call::Number, now + REVERSED),
            false => (Call::Person, now),
        };
        Self::Rings {
            cadence,
            on: false,
            at,
            until: at + PRIMARY,
        }
    }

    fn person(now: Instant) -> Self {
        Self::begin(now, false)
    }

    /// Does an answer now mean that the number can be sent?
    pub const fn is_for_number(&self) -> bool {
        matches!(
            self,
            Self::Rings {
                cadence: Call::Number,
                ..
            } | Self::Rests(_)
                | Self::Sends(_)
                | Self::Sent(_)
        )
    }

    /// Something was done at the telephone that rings.
    pub fn hook(&mut self, now: Instant, did: Did) -> Option<Wants> {
        match (*self, did) {
            (
                Self::Rings {
                    cadence: Call::Person,
                    ..
                },
                Did::OffHook,
            ) => {
                *self = Self::Silent;
                Some(Wants::Answered)
            }
            (Self::Rings { .. }, Did::OffHook) => {
                *self = Self::Rests(now + AT_REST);
                Some(Wants::Ring(false))
            }
            // Received, or given up.
            (Self::Rests(_) | Self::Sends(_) | Self::Sent(_), Did::OnHook) => {
                *self = Self::person(now);
                None
            }
            _ => None,
        }
    }

    /// The number was sent.
    pub fn sent(&mut self, now: Instant) {
        if matches!(self, Self::Sends(_)) {
            *self = Self::Sent(now + RECEIVED);
        }
    }

    /// What is due.
    pub fn poll(&mut self, now: Instant) -> Option<Wants> {
        if now < self.next_deadline() {
            return None;
        }
        match *self {
            Self::Silent => None,
            Self::Rings {
                cadence: Call::Number,
                on,
                until,
                ..
            } if now >= until => {
                *self = Self::person(now);
                // A ring that begins now joins one that has not ended.
                if on {
                    Some(Wants::Ring(false))
                } else {
                    self.poll(now)
                }
            }
            Self::Rings {
                cadence, on, until, ..
            } => {
                let Cadence(rings, pauses) = cadence.cadence();
                let on = !on;
                let lasts = Duration::from_millis(if on { rings } else { pauses });
                *self = Self::Rings {
                    cadence,
                    on,
                    // Late or not, a ring lasts as long as it must.
                    at: now + lasts,
                    until,
                };
                Some(Wants::Ring(on))
            }
            Self::Rests(_) => {
                *self = Self::Sends(now + SENT);
                Some(Wants::Number)
            }
            Self::Sends(_) => {
                self.sent(now);
                None
            }
            Self::Sent(_) => {
                *self = Self::Silent;
                Some(Wants::Answered)
            }
        }
    }

    /// When to poll again.
    pub fn next_deadline(&self) -> Instant {
        match *self {
            Self::Silent => Instant::NEVER,
            Self::Rings {
                cadence: Call::Number,
                at,
                until,
                ..
            } => at.min(until),
            Self::Rings { at, .. } => at,
            Self::Rests(at) | Self::Sends(at) | Self::Sent(at) => at,
        }
    }
}
