//! The non-INVITE server transaction (RFC 3261 §17.2.2, RFC 4320): timer J.

use super::machine::{Act, Clock, Context, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Start,
    /// The request came again.
    Repeated,
    /// The owner answers 100.
    Provisional,
    /// The owner answers 200-699.
    Final,
    Deadline,
    TransportError,
}

/// What may be answered to a non-INVITE request (RFC 4320 §4): never 408 and of the 1xx only 100, which on an
/// unreliable transport would only be in the way of the client's retransmissions.
pub(super) fn allowed(status: u16, reliable: bool) -> bool {
    match status {
        100 => reliable,
        101..200 | 408 => false,
        _ => true,
    }
}

/// `None`: the event means nothing in this state.
pub(super) fn step(state: State, event: Event, context: &Context) -> Option<Step<State>> {
    use Event as E;
    use State::*;
    Some(match (state, event) {
        // After 64·T1 the client has given up (timer F) and no answer may be sent any more (RFC 4320 §4.2).
        (Trying, E::Start) => Step::wait(Trying, Act::PASS, Clock::In(context.patience())),
        (Trying | Proceeding | Completed, E::Repeated) => Step::to(state, Act::REPEAT),
        (Trying | Proceeding, E::Provisional) => Step::to(Proceeding, Act::SEND),
        // Timer J, by any transport: an answer may be lost with its connection, and a client that comes back by another one
        // repeats its request.
        (Trying | Proceeding, E::Final) => Step::wait(Completed, Act::SEND, Clock::In(context.patience())),
        (Trying | Proceeding, E::Deadline) => Step::wait(Terminated, Act::TIMED_OUT, Clock::Stop),
        (Trying | Proceeding | Completed, E::TransportError) => {
            Step::wait(Terminated, Act::UNREACHABLE, Clock::Stop)
        }
        (Completed, E::Deadline) => Step::wait(Terminated, Act::NONE, Clock::Stop),
        _ => return None,
    })
}
