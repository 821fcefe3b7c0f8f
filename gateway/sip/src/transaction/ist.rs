//! The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1): timers G, H, I, L.

use super::machine::{Act, Clock, Context, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Start,
    /// The INVITE came again.
    Repeated,
    Ack,
    /// The owner answers 1xx.
    Provisional,
    /// The owner answers 2xx.
    Success,
    /// The owner answers 3xx-6xx.
    Failure,
    Retransmit,
    Deadline,
    TransportError,
}

/// `None`: the event means nothing in this state.
pub(super) fn step(state: State, event: Event, context: &Context) -> Option<Step<State>> {
    use Event as E;
    use State::*;
    Some(match (state, event) {
        (Proceeding, E::Start) => Step::wait(Proceeding, Act::PASS, Clock::In(context.timers.trying)),
        // The only deadline in Proceeding: the owner is slow, so a 100 stops the client's retransmissions.
        (Proceeding, E::Deadline) => Step::wait(Proceeding, Act::SEND, Clock::Stop),
        (Proceeding, E::Provisional) => Step::wait(Proceeding, Act::SEND, Clock::Stop),
        (Proceeding, E::Success) => Step::wait(Accepted, Act::SEND, Clock::In(context.patience())),
        (Proceeding, E::Failure) => Step::wait(Completed, Act::SEND, Clock::In(context.patience()))
            .retransmit(context.first_retransmission()),
        (Proceeding | Completed, E::Repeated) => Step::to(state, Act::REPEAT),
        (Completed, E::Retransmit) => Step::to(Completed, Act::SEND).retransmit(context.backed_off()),
        (Completed, E::Ack) => Step::wait(Confirmed, Act::NONE, context.linger(context.timers.t4)),
        (Completed, E::Deadline) => Step::wait(Terminated, Act::TIMED_OUT, Clock::Stop),
        (Completed, E::TransportError) => Step::wait(Terminated, Act::UNREACHABLE, Clock::Stop),
        // The peer may come back by another flow: the owner hears of the failure and decides (RFC 6026 §7.1).
        (Proceeding | Accepted, E::TransportError) => Step::to(state, Act::UNREACHABLE),
        // The dialog repeats its 2xx through the transaction, and gets every ACK that matches it.
        (Accepted, E::Success) => Step::to(Accepted, Act::SEND),
        (Accepted, E::Ack) => Step::to(Accepted, Act::PASS),
        (Confirmed | Accepted, E::Deadline) => Step::wait(Terminated, Act::NONE, Clock::Stop),
        _ => return None,
    })
}
