//! Messages between box and cloud: topics, frozen bytes, sizes, bad input.

#[path = "../common/mod.rs"]
mod common;
mod frozen;
mod limits;

use common::key;
use shared::SessionId;
use shared::record::{CallLeg, Direction, FinalState, Side, Stamp};
use shared::sync::*;

fn leg() -> CallLeg {
    let stamp = Stamp {
        mono: 1_000,
        unix: None,
    };
    CallLeg {
        session: SessionId([0xAB; 16]),
        leg: 1,
        side: Side::Box,
        direction: Direction::Out,
        from: "201".try_into().unwrap(),
        to: "202".try_into().unwrap(),
        presented: None,
        terminal: Some(key(1)),
        started: stamp,
        ringing: Some(stamp),
        answered: None,
        ended: stamp,
        state: FinalState::Refused(486),
        status: 486,
    }
}

fn event(body: EventBody) -> Event {
    Event {
        id: EventId { boot: 3, seq: 300 },
        at: Stamp {
            mono: 5,
            unix: Some(6),
        },
        body,
    }
}

fn encode<'a>(message: &impl Message<'a>) -> Vec<u8> {
    let mut buf = [0; MAX_MESSAGE];
    message.encode(&mut buf).unwrap().to_vec()
}
