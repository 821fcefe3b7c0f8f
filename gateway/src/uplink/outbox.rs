//! Events: into the flash, to the cloud, off the flash.
//!
//! One batch, the head of the queue, is under way at a time. It is sent until the cloud names its last event in an
//! acknowledgement, and only then taken off the queue. A cut anywhere in between sends it again; the cloud knows events
//! by their identity.
//!
//! When the queue is full the newest events are refused and counted: those kept are the ones that lead up to the
//! trouble. As soon as there is room again an alarm says how many are missing.

use core::time::Duration;

use shared::record::Stamp;
use shared::sync::{Alarm, Event, EventBody, EventId, MAX_EVENT, Message};
use sip::Instant;
use sip::pool::Room;

use super::{Counters, Memory, Repeat};
use crate::store::{Batch, Fault, Op, Reply};

/// Times a batch is sent before the connection is doubted.
const TRIES: u32 = 6;
/// First wait after the store failed; doubled every time.
const STORE_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Outbox {
    boot: u32,
    /// Number of the next event.
    seq: u32,
    /// Events in the flash.
    queued: u32,
    doing: Doing,
    /// The batch in memory was acknowledged and is still in the flash.
    acknowledged: bool,
    send: Repeat,
    lost: bool,
    /// The store failed: not before this moment again.
    hold: Instant,
    faults: u32,
    /// Refused events the cloud does not know of.
    untold: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    Push,
    Read,
    Drop,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self {
            boot: 0,
            seq: 0,
            queued: 0,
            doing: Doing::Nothing,
            acknowledged: false,
            send: Repeat::new(Instant::ZERO),
            lost: false,
            hold: Instant::ZERO,
            faults: 0,
            untold: 0,
        }
    }

    pub(super) fn start(&mut self, now: Instant, boot: u32, queued: u32) {
        *self = Self {
            boot,
            queued,
            send: Repeat::new(now),
            hold: now,
            ..Self::new()
        };
    }

    pub(super) fn queued(&self) -> u32 {
        self.queued
    }

    /// A new connection: the batch may not have arrived on the one before.
    pub(super) fn connected(&mut self, now: Instant) {
        self.send = Repeat::new(now);
        self.lost = false;
    }

    pub(super) fn acknowledged(&mut self, up_to: EventId, batch: Option<&Batch>) {
        // Only the end of exactly this batch: an acknowledgement may be late, or of another life of this box.
        if batch.is_some_and(|batch| batch.last == up_to) {
            self.acknowledged = true;
        }
    }

    pub(super) fn refuse(&mut self, counters: &mut Counters) {
        counters.refused = counters.refused.saturating_add(1);
        self.untold = self.untold.saturating_add(1);
    }

    /// The next operation of the store.
    pub(super) fn op(
        &mut self,
        now: Instant,
        welcomed: bool,
        memory: &mut Memory,
        counters: &mut Counters,
    ) -> Option<Op> {
        if self.hold > now {
            return None;
        }
        if self.acknowledged
            && let Some(batch) = memory.batch.as_ref()
        {
            self.doing = Doing::Drop;
            return Some(Op::DropEvents {
                last: batch.last,
                count: batch.count,
            });
        }
        while let Some((at, body)) = memory.waiting.front() {
            let id = EventId {
                boot: self.boot,
                seq: self.seq,
            };
            match encode(id, *at, body) {
                Some(event) => {
                    self.doing = Doing::Push;
                    return Some(Op::PushEvent(event));
                }
                None => {
                    // No event is that long (tested); refusing it keeps the others moving.
                    memory.waiting.pop_front();
                    self.refuse(counters);
                }
            }
        }
        if welcomed && memory.batch.as_ref().is_none() && self.queued > 0 {
            self.doing = Doing::Read;
            return Some(Op::ReadEvents);
        }
        None
    }

    pub(super) fn stored(
        &mut self,
        now: Instant,
        result: Result<Reply, Fault>,
        memory: &mut Memory,
        counters: &mut Counters,
    ) {
        let doing = core::mem::replace(&mut self.doing, Doing::Nothing);
        match (doing, result) {
            (Doing::Push, Ok(Reply::Stored)) => {
                memory.waiting.pop_front();
                self.seq = self.seq.wrapping_add(1);
                self.queued = self.queued.saturating_add(1);
            }
            (Doing::Push, Ok(Reply::Full)) => {
                memory.waiting.pop_front();
                self.refuse(counters);
            }
            (Doing::Read, Ok(Reply::Events(Some(batch)))) => {
                memory.batch = Room::Taken(batch);
                self.acknowledged = false;
                self.send = Repeat::new(now);
            }
            (Doing::Read, Ok(Reply::Events(None))) => self.queued = 0,
            (Doing::Drop, Ok(Reply::Stored)) => {
                let count = memory.batch.take().map_or(0, |batch| u32::from(batch.count));
                self.queued = self.queued.saturating_sub(count);
                self.acknowledged = false;
                self.tell_refused(memory);
            }
            _ => {
                self.hold = now + STORE_WAIT * (1 << self.faults.min(6));
                self.faults = self.faults.saturating_add(1);
                return;
            }
        }
        self.faults = 0;
    }

    /// There is room again: tell how many events are missing.
    fn tell_refused(&mut self, memory: &mut Memory) {
        if self.untold == 0 {
            return;
        }
        let body = EventBody::Alarm {
            alarm: Alarm::EventsRefused(self.untold),
            raised: true,
        };
        if memory.waiting.push_back((Stamp::default(), body)).is_ok() {
            self.untold = 0;
        }
    }

    /// Puts the batch into the payload if it is due.
    pub(super) fn publish(&mut self, now: Instant, memory: &mut Memory) -> bool {
        let Some(batch) = memory
            .batch
            .as_ref()
            .filter(|_| !self.acknowledged && self.send.is_due(now))
        else {
            return false;
        };
        if self.send.tries == TRIES {
            self.send = Repeat::new(now);
            self.lost = true;
            return false;
        }
        self.send.sent(now);
        memory.payload.clone_from(&batch.message);
        true
    }

    /// The cloud stopped answering.
    pub(super) fn take_lost(&mut self) -> bool {
        core::mem::take(&mut self.lost)
    }

    pub(super) fn next_publish(&self, batch: bool) -> Option<Instant> {
        (batch && !self.acknowledged).then_some(self.send.at)
    }

    /// When the store may be asked again after a failure.
    pub(super) fn next_op(&self, waiting: bool) -> Option<Instant> {
        (self.faults > 0 && (waiting || self.acknowledged || self.queued > 0)).then_some(self.hold)
    }
}

fn encode(id: EventId, at: Stamp, body: &EventBody) -> Option<heapless::Vec<u8, MAX_EVENT>> {
    let mut bytes = heapless::Vec::new();
    bytes.resize(MAX_EVENT, 0).ok()?;
    let len = Event {
        id,
        at,
        body: body.clone(),
    }
    .encode(&mut bytes)
    .ok()?
    .len();
    bytes.truncate(len);
    Some(bytes)
}
