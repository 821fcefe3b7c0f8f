//! The test of a line, step by step (after Telcordia GR-909 §2): is somebody else's voltage on it, does it leak, what hangs on it.
//!
//! | step | fed | measured |
//! |---|---|---|
//! | foreign voltage | no | tip and ring against ground |
//! | leakage | yes | current through the open loop |
//! | ringers | polarity reversed at the start | the charge that flows into their capacitors |

use core::time::Duration;

use shared::analog::{LineLoad, LineTest, LineTestResult};
use sip::Instant;

use super::line::Measured;

/// How long each measurement takes: whole periods of 50 and of 60 Hz.
pub const WINDOW: Duration = Duration::from_millis(100);
/// A line without feed has lost its charge.
const DRAIN: Duration = Duration::from_millis(300);
/// A line with feed is at rest.
const SETTLE: Duration = Duration::from_millis(500);
/// A measurement that has not come by then does not come.
const LATE: Duration = Duration::from_millis(2_000);

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    /// Until then.
    Drains(Instant),
    /// A measurement is awaited until then.
    Foreign(Instant),
    Feeds,
    Settles(Instant),
    Leakage(Instant),
    /// Leakage is measured: microamperes.
    Leaks(u32),
    Ringers(Instant, u32),
    Done(LineTestResult),
}

/// A test under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTester {
    state: State,
    since: Instant,
    found: LineTest,
}

impl LineTester {
    /// Begins.
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Begin,
            since: now,
            found: LineTest::default(),
        }
    }

    /// Is a measurement under way?
    pub const fn is_measuring(&self) -> bool {
        matches!(
            self.state,
            State::Foreign(_) | State::Leakage(_) | State::Ringers(..)
        )
    }

    /// A measurement has come.
    pub fn measured(&mut self, now: Instant, measured: Option<Measured>) {
        let Some(measured) = measured else {
            self.state = State::Done(LineTestResult::Failed);
            return;
        };
        let Measured {
            tip_mv,
            ring_mv,
            ac_mv,
            loop_ua,
        } = measured;
        self.since = now;
        match self.state {
            State::Foreign(_) => {
                let more = if tip_mv.unsigned_abs() > ring_mv.unsigned_abs() {
                    tip_mv
                } else {
                    ring_mv
                };
                self.found.foreign_dc_mv = more;
                self.found.foreign_ac_mv = ac_mv;
                self.state = match self.found.is_foreign() {
                    true => State::Done(LineTestResult::Measured(self.found)),
                    false => State::Feeds,
                };
            }
            State::Leakage(_) => {
                let feed_mv = tip_mv.abs_diff(ring_mv);
                let leaks_ua = loop_ua.unsigned_abs();
                // Millivolts by microamperes are kiloohms.
                let leakage = u64::from(feed_mv) * 1_000;
                let leakage = leakage.checked_div(u64::from(leaks_ua)).unwrap_or(u64::MAX);
                self.found.load = Some(LineLoad {
                    feed_mv,
                    leakage_ohm: u32::try_from(leakage).unwrap_or(u32::MAX),
                    ringer_nf: 0,
                });
                self.state = State::Leaks(leaks_ua);
            }
            State::Ringers(_, leaks_ua) => {
                if let Some(load) = &mut self.found.load {
                    // A mean current over the window is a charge, and the capacitors go from one polarity to the other.
                    let charge_nc = u64::from(loop_ua.unsigned_abs().saturating_sub(leaks_ua))
                        * WINDOW.as_millis() as u64;
                    let nf = (charge_nc * 1_000).checked_div(2 * u64::from(load.feed_mv));
                    load.ringer_nf = u32::try_from(nf.unwrap_or(0)).unwrap_or(u32::MAX);
                }
                self.state = State::Done(LineTestResult::Measured(self.found));
            }
            // Nobody has asked.
            _ => {}
        }
    }

    /// What is due.
    pub fn poll(&mut self, now: Instant) -> Option<Step> {
        if now < self.next_deadline() {
            return None;
        }
        let (state, step) = match self.state {
            State::Begin => (State::Drains(now + DRAIN), Step::Feed(false)),
            State::Drains(_) => (State::Foreign(now + LATE), Step::Measure { reverse: false }),
            State::Feeds => (State::Settles(now + SETTLE), Step::Feed(true)),
            State::Settles(_) => (State::Leakage(now + LATE), Step::Measure { reverse: false }),
            State::Leaks(ua) => (State::Ringers(now + LATE, ua), Step::Measure { reverse: true }),
            State::Foreign(_) | State::Leakage(_) | State::Ringers(..) => {
                let failed = LineTestResult::Failed;
                (State::Done(failed), Step::Done(failed))
            }
            State::Done(result) => (self.state, Step::Done(result)),
        };
        self.state = state;
        Some(step)
    }

    /// When to poll again.
    pub const fn next_deadline(&self) -> Instant {
        match self.state {
            State::Drains(at)
            | State::Foreign(at)
            | State::Settles(at)
            | State::Leakage(at)
            | State::Ringers(at, _) => at,
            State::Begin | State::Feeds | State::Leaks(_) | State::Done(_) => self.since,
        }
    }
}
