//! The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2): timers A, B, D, M.

use super::machine::{Act, Clock, Context, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Calling,
    Proceeding,
    Completed,
    Accepted,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Start,
    /// Its CANCEL has left (§9.1).
    Cancelled,
    Provisional,
    /// 2xx.
    Success,
    /// 3xx-6xx.
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
        (Calling, E::Start) => Step::wait(Calling, Act::SEND, Clock::In(context.patience()))
            .retransmit(context.first_retransmission()),
        // Timer A doubles without limit, timer B ends it.
        (Calling, E::Retransmit) => Step::to(Calling, Act::SEND).retransmit(Clock::In(context.interval * 2)),
        (Calling, E::Provisional) => Step::wait(Proceeding, Act::PASS, Clock::Stop),
        // A deadline runs in Proceeding only after a CANCEL, and no ringing prolongs it.
        (Proceeding, E::Provisional) => Step::to(Proceeding, Act::PASS),
        (Proceeding, E::Cancelled) => Step::wait(Proceeding, Act::NONE, Clock::In(context.patience())),
        (Calling | Proceeding, E::Success) => Step::wait(Accepted, Act::PASS, Clock::In(context.patience())),
        (Calling | Proceeding, E::Failure) => Step::wait(
            Completed,
            Act::PASS | Act::ACK,
            context.linger(context.patience()),
        ),
        (Calling | Proceeding, E::Deadline) => Step::wait(Terminated, Act::TIMED_OUT, Clock::Stop),
        (Calling | Proceeding | Completed, E::TransportError) => {
            Step::wait(Terminated, Act::UNREACHABLE, Clock::Stop)
        }
        (Completed, E::Failure) => Step::to(Completed, Act::ACK),
        // Each 2xx, be it a repetition or another branch's, is the dialogs' business.
        (Accepted, E::Success) => Step::to(Accepted, Act::PASS),
        (Completed | Accepted, E::Deadline) => Step::wait(Terminated, Act::NONE, Clock::Stop),
        _ => return None,
    })
}
