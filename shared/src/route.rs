//! What becomes of a call from outside: the precedence of everything that can be set for a number.
//!
//! | step | question | if it matches |
//! |---|---|---|
//! | 0 | may it be the call-back of an emergency call? | the terminal that called 110, 118 or 119 rings first, whatever else is set; never forwarded |
//! | 1 | is the number in use? | refused, or its after-hours treatment for a direct number that is off (R25) |
//! | 2 | is the caller blocked? | refused |
//! | 3 | are all channels in use (R15, A4)? | busy |
//! | 4 | is it open or closed by hand? | open: step 9; closed: the after-hours treatment |
//! | 5 | are there other hours today? | the same |
//! | 6 | is it a national holiday with hours of its own? | the same |
//! | 7 | what are the hours of this day of the week? | the same |
//! | 9 | who is in the ring group? | it rings (`ring`: R4, R8, R19) |
//! | 10 | what if nobody answers? | another number rings, or the call ends |
//!
//! The first match wins and every step that was asked leaves an entry in the trace. Step 8 is where a menu (IVR) will
//! be asked and step 11 where a call can be recorded (voicemail); this service has neither yet.
//!
//! A forwarded call rings the other number's group whatever that number's own rules say, and is not forwarded again.

mod block;
mod trace;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::channels::Full;
use crate::date::Local;
use crate::id::IdKey;
use crate::number::Number;
use crate::schedule::{Override, Schedule, State, Why};

pub use block::{BlockRule, Caller, MAX_BLOCKED, Prefix, PrefixError, blocked};
pub use trace::{Entry, Finding, STEPS, Step, Trace};

/// May calls to a number ring?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NumberState {
    /// They may.
    InUse,
    /// It is a direct number that is switched off for incoming calls (R25).
    DirectOff,
    /// It is suspended, for want of payment or by an authority.
    Suspended,
    /// It will come from another carrier and is not switched over yet.
    Porting,
    /// It is held by the service and nobody's.
    Unassigned,
}

/// What to do with a call that is not to ring here, or that nobody answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Treatment {
    /// The call ends: busy after hours, no answer after ringing.
    #[default]
    End,
    /// Another number of the contract rings.
    Forward(Number),
}

/// What is set for one number. Schedules and block lists belong to the contract and are shared by its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberRules {
    /// The contract's schedule with this index; without one it is always open.
    #[serde(deserialize_with = "Option::deserialize")]
    pub schedule: Option<u8>,
    /// The contract's block list with this index; without one nobody is blocked.
    #[serde(deserialize_with = "Option::deserialize")]
    pub block: Option<u8>,
    /// After hours.
    pub closed: Treatment,
    /// When nobody answers, everybody is busy, or nobody is there.
    pub unanswered: Treatment,
}

/// A call from outside and everything its routing depends on.
#[derive(Clone, Copy, Debug)]
pub struct Inbound<'a> {
    /// The called number.
    pub called: Number,
    /// Who calls.
    pub caller: Caller,
    /// When; nothing if the clock is not set yet, and then no hours are judged: the number is open.
    pub at: Option<Local>,
    /// The terminal that made an emergency call a short while ago and presented the called number.
    pub guard: Option<IdKey>,
    /// The state of the called number.
    pub state: NumberState,
    /// Why there is no channel, if so.
    pub full: Option<Full>,
    /// What is set for the called number.
    pub rules: NumberRules,
    /// The block list of [`NumberRules::block`].
    pub block: &'a [BlockRule],
    /// The schedule of [`NumberRules::schedule`].
    pub schedule: Option<&'a Schedule>,
}

/// Why a call ends without ringing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The number is not in use; there is an announcement that says so.
    NotInUse,
    /// No channel is free (R15, A4).
    Full,
    /// It is after hours; there is an announcement that says so.
    Closed,
    /// The caller is blocked, or the number suspended.
    Rejected,
    /// The number is not switched over yet.
    OutOfOrder,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// It rings whoever this number rings.
    Ring {
        /// The called number, or the one it is forwarded to.
        number: Number,
        /// Rings first, and rings even if the group would leave it out: the authority calls back.
        first: Option<IdKey>,
        /// If nobody answers.
        unanswered: Treatment,
    },
    /// It ends.
    Refuse(Cause),
}

/// Decides what becomes of a call, and says why.
pub fn route(call: &Inbound<'_>) -> (Route, Trace) {
    let mut trace = Vec::new();
    let route = decide(call, &mut trace);
    (route, trace)
}

/// Writes down what a step found. There is room for every step once.
fn note(trace: &mut Trace, step: Step, finding: Finding) {
    let _ = trace.push(Entry { step, finding });
}

fn decide(call: &Inbound<'_>, trace: &mut Trace) -> Route {
    if let Some(terminal) = call.guard {
        note(trace, Step::Guard, Finding::CallBack(terminal));
        // Forwarding is off for it as well (事業用電気通信設備規則 35条の2の4).
        return ring(call.called, Some(terminal), Treatment::End, trace);
    }
    note(trace, Step::Guard, Finding::Passed);

    let off = match call.state {
        NumberState::InUse => None,
        NumberState::DirectOff | NumberState::Unassigned => Some(Cause::NotInUse),
        NumberState::Suspended => Some(Cause::Rejected),
        NumberState::Porting => Some(Cause::OutOfOrder),
    };
    if let Some(cause) = off {
        note(trace, Step::State, Finding::State(call.state));
        return match (call.state, call.rules.closed) {
            (NumberState::DirectOff, Treatment::Forward(number)) => ring(number, None, Treatment::End, trace),
            _ => Route::Refuse(cause),
        };
    }
    note(trace, Step::State, Finding::Passed);

    if let Some(rule) = blocked(call.block, call.caller) {
        note(trace, Step::Block, Finding::Blocked(rule));
        return Route::Refuse(Cause::Rejected);
    }
    note(trace, Step::Block, Finding::Passed);

    if let Some(full) = call.full {
        note(trace, Step::Channels, Finding::Full(full));
        return Route::Refuse(Cause::Full);
    }
    note(trace, Step::Channels, Finding::Passed);

    match (hours(call, trace), call.rules.closed) {
        (State::Open, _) => ring(call.called, None, call.rules.unanswered, trace),
        (State::Closed, Treatment::Forward(number)) => ring(number, None, Treatment::End, trace),
        (State::Closed, Treatment::End) => Route::Refuse(Cause::Closed),
    }
}

/// Steps 4 to 7.
fn hours(call: &Inbound<'_>, trace: &mut Trace) -> State {
    let (state, finding) = match (call.schedule, call.at) {
        (None, _) => (State::Open, Finding::NoSchedule),
        (Some(schedule), Some(at)) => {
            let (state, why) = schedule.state(at);
            (state, Finding::Hours(why, state))
        }
        (Some(schedule), None) => match schedule.manual {
            // What holds until taken back holds without a clock too.
            Some(Override { state, until: None }) => (state, Finding::Hours(Why::Override, state)),
            _ => (State::Open, Finding::NoClock),
        },
    };
    let step = match finding {
        Finding::Hours(Why::Override, _) => Step::Override,
        Finding::Hours(Why::Exception(_), _) => Step::Exception,
        Finding::Hours(Why::Holiday(_), _) => Step::Holiday,
        _ => Step::Weekly,
    };
    for before in [Step::Override, Step::Exception, Step::Holiday] {
        if before < step {
            note(trace, before, Finding::Passed);
        }
    }
    note(trace, step, finding);
    state
}

/// Steps 9 and 10.
fn ring(number: Number, first: Option<IdKey>, unanswered: Treatment, trace: &mut Trace) -> Route {
    note(trace, Step::Ring, Finding::Rings(number));
    note(trace, Step::Unanswered, Finding::Unanswered(unanswered));
    Route::Ring {
        number,
        first,
        unanswered,
    }
}
