//! What the four machines have in common: the timers' values and the form of a step.

use core::ops::BitOr;
use core::time::Duration;

/// The base timers of RFC 3261 §17.1.1.1, Table 4. [`Default`] gives the RFC's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate, 500 ms.
    pub t1: Duration,
    /// Largest retransmission interval of non-INVITE requests and INVITE responses, 4 s.
    pub t2: Duration,
    /// How long a message may linger in the network, 5 s.
    pub t4: Duration,
    /// An INVITE left unanswered by its owner so long gets a 100 (§17.2.1), 200 ms.
    pub trying: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            t1: ms(500),
            t2: ms(4_000),
            t4: ms(5_000),
            trying: ms(200),
        }
    }
}

/// What a machine may look at besides its state and the event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub timers: Timers,
    /// The transport retransmits by itself.
    pub reliable: bool,
    /// The retransmission timer's last interval.
    pub interval: Duration,
}

impl Context {
    /// 64·T1: timers B, F, H, J, L, M, and D where the transport is not reliable.
    pub fn patience(&self) -> Duration {
        self.timers.t1 * 64
    }

    /// How long to wait for stragglers, which a reliable transport does not have.
    pub fn linger(&self, unreliable: Duration) -> Clock {
        Clock::In(if self.reliable { Duration::ZERO } else { unreliable })
    }

    /// The first retransmission (timers A, E, G); none on a reliable transport.
    pub fn first_retransmission(&self) -> Clock {
        if self.reliable {
            Clock::Stop
        } else {
            Clock::In(self.timers.t1)
        }
    }

    /// Twice the last interval, at most T2.
    pub fn backed_off(&self) -> Clock {
        Clock::In((self.interval * 2).min(self.timers.t2))
    }
}

/// What a step does to a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Keep,
    Stop,
    In(Duration),
}

/// A set of things to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Act(u8);

impl Act {
    pub const NONE: Act = Act(0);
    /// Send the request or the response.
    pub const SEND: Act = Act(1);
    /// Send the ACK to a 3xx-6xx.
    pub const ACK: Act = Act(2);
    /// Tell the owner of the message.
    pub const PASS: Act = Act(4);
    /// Let the owner repeat its last answer.
    pub const REPEAT: Act = Act(8);
    /// Tell the owner that time is over.
    pub const TIMED_OUT: Act = Act(16);
    /// Tell the owner that the transport failed.
    pub const UNREACHABLE: Act = Act(32);

    pub fn has(self, other: Act) -> bool {
        self.0 & other.0 != 0
    }

    pub fn without(self, other: Act) -> Act {
        Act(self.0 & !other.0)
    }

    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Act {
    type Output = Act;

    fn bitor(self, rhs: Act) -> Act {
        Act(self.0 | rhs.0)
    }
}

/// The outcome of an event: the new state, what to do, and the two timers every machine lives with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step<S> {
    pub state: S,
    pub act: Act,
    /// Timers A, E, G.
    pub retransmit: Clock,
    /// Timers B, D, F, H, I, J, K, L, M and the wait for the owner's first answer: at most one of them runs.
    pub deadline: Clock,
}

impl<S> Step<S> {
    /// To `state` with both timers as they are.
    pub fn to(state: S, act: Act) -> Self {
        Self {
            state,
            act,
            retransmit: Clock::Keep,
            deadline: Clock::Keep,
        }
    }

    /// To `state` with no retransmission and the given deadline.
    pub fn wait(state: S, act: Act, deadline: Clock) -> Self {
        Self {
            state,
            act,
            retransmit: Clock::Stop,
            deadline,
        }
    }

    /// As this step, with another retransmission timer.
    pub fn retransmit(self, retransmit: Clock) -> Self {
        Self { retransmit, ..self }
    }
}
