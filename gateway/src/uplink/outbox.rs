//! Events: into the flash, to the cloud, off the flash.
//!
//! One batch, the head of the queue, is under way at a time. It is sent until the cloud names its last event in an
//! acknowledgement, and only then taken off the queue. A cut anywhere in between sends it again; the cloud knows events
//! by their identity.
//!
//! When the queue is full the newest events are refused and counted: those kept are the ones that lead up to the
//! trouble. As soon as there is room again an alarm says how many are missing.

use core::time::Duration;

use heapless::Vec;
use shared::record::Stamp;
use shared::sync::{Alarm, Event, EventBody, EventId, MAX_EVENT, Message};
use sip::Instant;
use sip::pool::Room;

use super::{Counters, Memory, Repeat, WAITING};
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

    /// Events were refused, and since then there was no room to say so.
    pub(super) fn is_refusing(&self) -> bool {
        self.untold > 0
    }

    pub(super) fn refuse(&mut self, counters: &mut Counters) {
        counters.refused = counters.refused.saturating_add(1);
        self.untold = self.untold.saturating_add(1);
    }

    /// The next operation of the store.
    pub(super) fn op(&mut self, now: Instant, welcomed: bool, memory: &mut Memory) -> Option<Op> {
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
        let id = EventId {
            boot: self.boot,
            seq: self.seq,
        };
        if let Some(event) = memory.waiting.first(id) {
            self.doing = Doing::Push;
            return Some(Op::PushEvent(event));
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
                memory.waiting.pop();
                self.seq = self.seq.wrapping_add(1);
                self.queued = self.queued.saturating_add(1);
            }
            (Doing::Push, Ok(Reply::Full)) => {
                memory.waiting.pop();
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
        if memory.waiting.push(Stamp::default(), &body) {
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
        memory.payload.clear();
        // Room is for more (`TX_MAX`).
        let _ = memory.payload.extend_from_slice(&batch.message);
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

/// Events that wait for the flash, each with its length (two bytes) and encoded but for its identity, which it gets when its turn
/// comes: numbers have no gaps.
pub(super) struct Waiting(Vec<u8, WAITING>);

/// Bytes of the length.
const LENGTH: usize = 2;
/// Schema number and identity, at most: 1 byte and two numbers of 5.
const HEAD: usize = 11;

impl Waiting {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_half_full(&self) -> bool {
        self.0.len() * 2 >= WAITING
    }

    /// Puts an event at the end. False: there is no room.
    pub fn push(&mut self, at: Stamp, body: &EventBody) -> bool {
        let mut bytes = [0; MAX_EVENT - HEAD];
        // No event is longer (tested).
        let Ok(bytes) = postcard::to_slice(&(at, body), &mut bytes) else {
            return false;
        };
        if self.0.len() + LENGTH + bytes.len() > WAITING {
            return false;
        }
        let length = (bytes.len() as u16).to_le_bytes();
        self.0.extend_from_slice(&length).is_ok() && self.0.extend_from_slice(bytes).is_ok()
    }

    /// The first event under this identity, as [`Event::encode`] writes it: schema number, identity, stamp and body.
    pub fn first(&self, id: EventId) -> Option<Vec<u8, MAX_EVENT>> {
        let body = self.0.get(LENGTH..self.first_end()?)?;
        let mut event = Vec::new();
        event.push(Event::SCHEMA).ok()?;
        let mut bytes = [0; HEAD - 1];
        event
            .extend_from_slice(postcard::to_slice(&id, &mut bytes).ok()?)
            .ok()?;
        event.extend_from_slice(body).ok()?;
        Some(event)
    }

    /// Takes the first event out.
    pub fn pop(&mut self) {
        let end = self.first_end().unwrap_or(self.0.len());
        self.0.copy_within(end.., 0);
        self.0.truncate(self.0.len() - end);
    }

    fn first_end(&self) -> Option<usize> {
        let length = *self.0.first_chunk::<LENGTH>()?;
        let end = LENGTH + usize::from(u16::from_le_bytes(length));
        (end <= self.0.len()).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::IdKey;
    use shared::sync::PanicNote;

    #[test]
    fn what_waited_is_what_came() {
        let id = |seq| EventId { boot: u32::MAX, seq };
        let at = Stamp {
            mono: u64::MAX,
            unix: Some(u64::MAX),
        };
        let longest = PanicNote {
            message: "x".repeat(192).as_str().try_into().unwrap(),
            uptime: u64::MAX,
        };
        let gone = EventBody::Registration {
            terminal: IdKey::new(63).unwrap(),
            registered: false,
        };
        let mut waiting = Waiting::new();
        for body in [EventBody::Panic(longest), gone] {
            assert!(waiting.push(at, &body) && waiting.push(Stamp::default(), &body));
            for (seq, at) in [(u32::MAX, at), (0, Stamp::default())] {
                let event = Event {
                    id: id(seq),
                    at,
                    body: body.clone(),
                };
                let mut bytes = [0; MAX_EVENT];
                assert_eq!(waiting.first(id(seq)).unwrap(), event.encode(&mut bytes).unwrap());
                waiting.pop();
            }
            assert!(waiting.is_empty() && waiting.first(id(0)).is_none());
        }
    }
}
