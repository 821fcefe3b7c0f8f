//! The test of a line, step by step (after Telcordia GR-909 §2): is somebody else's voltage on it, does it leak, what hangs on it.
//!
//! | step | fed | measured |
//! |---|---|---|
//! | foreign voltage | no | tip and ring against ground |
//! | leakage | yes | current through the open loop |
//! | ringers | polarity reversed at the start, and back at the end | the charge that flows into their capacitors |
//!
//! A bell taps when the polarity changes, so its step is left out at night.
//!
//! What came too late for its measurement is measured again, from the same polarity and after the same rest.

use core::time::Duration;

use shared::analog::{LineLoad, LineTest, LineTestResult};
use sip::Instant;

use super::line::{Measured, NotMeasured};

/// Over which the loop current is averaged, and by the converter itself: who reads it late reads the same.
pub const WINDOW: Duration = Duration::from_millis(125);
/// A line without feed has lost its charge.
const DRAIN: Duration = Duration::from_millis(300);
/// A line with feed is at rest, also after a reversal.
const SETTLE: Duration = Duration::from_millis(500);
/// A measurement that has not come by then does not come: one takes a third of a second, and four lines wait for one converter.
const LATE: Duration = Duration::from_millis(10_000);
/// How often something is measured until it is measured well.
const TRIES: u8 = 8;

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take the feed away, or give it back.
    Feed(bool),
    /// Measure.
    Measure { reverse: bool },
    /// It is over.
    Done(LineTestResult),
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Foreign,
    Leakage,
    /// Behind the leakage, microamperes.
    Ringers(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begins,
    Feeds,
    /// The line comes to rest until then.
    Rests(Quantity, Instant),
    /// A measurement is awaited until then.
    Measures(Quantity, Instant),
    Done(LineTestResult),
}

/// A test under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTester {
    state: State,
    since: Instant,
    /// The bells are counted.
    bells: bool,
    /// Measurements left, of this quantity.
    tries: u8,
    found: LineTest,
}

impl LineTester {
    /// Begins; `bells`: they are counted as well.
    pub fn new(now: Instant, bells: bool) -> Self {
        Self {
            state: State::Begins,
            since: now,
            bells,
            tries: TRIES,
            found: LineTest::default(),
        }
    }

    /// Is a measurement under way?
    pub const fn is_measuring(&self) -> bool {
        matches!(self.state, State::Measures(..))
    }

    /// A measurement has come.
    pub fn measured(&mut self, now: Instant, measured: Result<Measured, NotMeasured>) {
        let State::Measures(quantity, _) = self.state else {
            // Nobody has asked.
            return;
        };
        self.since = now;
        self.state = match measured {
            Ok(measured) => {
                self.tries = TRIES;
                self.found(now, quantity, measured)
            }
            Err(NotMeasured::Late) if self.tries > 1 => {
                self.tries -= 1;
                State::Rests(quantity, now + SETTLE)
            }
            Err(_) => State::Done(LineTestResult::Failed),
        };
    }

    /// Takes what was measured; what comes next.
    fn found(&mut self, now: Instant, quantity: Quantity, measured: Measured) -> State {
        let Measured {
            tip_mv,
            ring_mv,
            ac_mv,
            loop_ua,
        } = measured;
        match quantity {
            Quantity::Foreign => {
                let more = if tip_mv.unsigned_abs() > ring_mv.unsigned_abs() {
                    tip_mv
                } else {
                    ring_mv
                };
                self.found.foreign_dc_mv = more;
                self.found.foreign_ac_mv = ac_mv;
                match self.found.is_foreign() {
                    true => State::Done(LineTestResult::Measured(self.found)),
                    false => State::Feeds,
                }
            }
            Quantity::Leakage => {
                let feed_mv = tip_mv.abs_diff(ring_mv);
                let leaks_ua = loop_ua.unsigned_abs();
                // Millivolts by microamperes are kiloohms.
                let leakage = u64::from(feed_mv) * 1_000;
                let leakage = leakage.checked_div(u64::from(leaks_ua)).unwrap_or(u64::MAX);
                self.found.load = Some(LineLoad {
                    feed_mv,
                    leakage_ohm: u32::try_from(leakage).unwrap_or(u32::MAX),
                    ringer_nf: u32::MAX,
                });
                match self.bells {
                    true => State::Rests(Quantity::Ringers(leaks_ua), now),
                    false => State::Done(LineTestResult::Measured(self.found)),
                }
            }
            Quantity::Ringers(leaks_ua) => {
                if let Some(load) = &mut self.found.load {
                    // A mean current over the window is a charge, and the capacitors go from one polarity to the other.
                    let charge_nc = u64::from(loop_ua.unsigned_abs().saturating_sub(leaks_ua))
                        * WINDOW.as_millis() as u64;
                    let nf = (charge_nc * 1_000).checked_div(2 * u64::from(load.feed_mv));
                    load.ringer_nf = u32::try_from(nf.unwrap_or(0)).unwrap_or(u32::MAX - 1);
                }
                State::Done(LineTestResult::Measured(self.found))
            }
        }
    }

    /// What is due.
    pub fn poll(&mut self, now: Instant) -> Option<Step> {
        if now < self.next_deadline() {
            return None;
        }
        let (state, step) = match self.state {
            State::Begins => (State::Rests(Quantity::Foreign, now + DRAIN), Step::Feed(false)),
            State::Feeds => (State::Rests(Quantity::Leakage, now + SETTLE), Step::Feed(true)),
            State::Rests(quantity, _) => {
                let reverse = matches!(quantity, Quantity::Ringers(_));
                (State::Measures(quantity, now + LATE), Step::Measure { reverse })
            }
            State::Measures(..) => (self.state, Step::Done(LineTestResult::Failed)),
            State::Done(result) => (self.state, Step::Done(result)),
        };
        self.state = state;
        Some(step)
    }

    /// When to poll again.
    pub const fn next_deadline(&self) -> Instant {
        match self.state {
            State::Rests(_, at) | State::Measures(_, at) => at,
            State::Begins | State::Feeds | State::Done(_) => self.since,
        }
    }
}
