//! The non-INVITE client transaction (RFC 3261 §17.1.2): timers E, F, K. It also carries CANCEL.

use super::machine::{Act, Clock, Context, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A CANCEL that waits for the INVITE's first provisional answer (§9.1).
    Held,
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Start,
    Provisional,
    Final,
    Retransmit,
    Deadline,
    TransportError,
}

/// `None`: the event means nothing in this state.
pub(super) fn step(state: State, event: Event, context: &Context) -> Option<Step<State>> {
    use Event as E;
    use State::*;
    Some(match (state, event) {
        (Held | Trying, E::Start) => Step::wait(Trying, Act::SEND, Clock::In(context.patience()))
            .retransmit(context.first_retransmission()),
        (Trying, E::Retransmit) => Step::to(Trying, Act::SEND).retransmit(context.backed_off()),
        (Proceeding, E::Retransmit) => {
            Step::to(Proceeding, Act::SEND).retransmit(Clock::In(context.timers.t2))
        }
        (Trying | Proceeding, E::Provisional) => Step::to(Proceeding, Act::PASS),
        (Trying | Proceeding, E::Final) => {
            Step::wait(Completed, Act::PASS, context.linger(context.timers.t4))
        }
        (Trying | Proceeding, E::Deadline) => Step::wait(Terminated, Act::TIMED_OUT, Clock::Stop),
        (Held | Trying | Proceeding, E::TransportError) => {
            Step::wait(Terminated, Act::UNREACHABLE, Clock::Stop)
        }
        (Completed, E::Deadline) => Step::wait(Terminated, Act::NONE, Clock::Stop),
        _ => return None,
    })
}
