//! The table: finds a message's transaction, runs its machine, keeps its timers.

use super::key::{self, Domain};
use super::machine::{Act, Clock, Context, Step};
use super::slot::{Class, Machine, Slot, Table};
use super::{
    Branch, ClientKind, Due, Full, Priority, Refused, Storage, Tag, Timers, TxId, ict, ist, nict, nist,
};
use crate::flow::{Flow, Path};
use crate::time::Instant;
use core::time::Duration;

/// What went wrong or twice, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions refused for want of room.
    pub full: u32,
    /// Responses that belonged to no transaction.
    pub stray: u32,
    /// Requests and responses sent again because of a timer.
    pub retransmitted: u32,
    /// Requests that came again.
    pub repeated: u32,
    /// Transactions that timed out.
    pub timed_out: u32,
    /// Transactions that were over but for stragglers, and gave their room to new ones.
    pub evicted: u32,
    /// Messages without what every message must have; the message layer lets none through.
    pub unusable: u32,
}

/// All transactions of one SIP element.
pub struct Transactions<'s> {
    pub(super) storage: Table<'s>,
    pub(super) secret: [u64; 2],
    /// How many keys were made here, the n-th from n: no two transactions of a boot share one by construction.
    made: u64,
    timers: Timers,
    reserve: usize,
    /// Where the next search for something to evict begins.
    hand: usize,
    /// Evicted, and their owners not told yet.
    gone: heapless::Deque<(TxId, u32), GONE_MAX>,
    pub(super) counters: Counters,
}

/// Most entries looked at to find one that may be evicted: all of the box's.
const SEARCH_MAX: usize = 1_024;

/// Most entries evicted at once.
const EVICTED_MAX: usize = 16;

/// Most entries evicted between two calls of [`Transactions::poll`]: a fork to all phones of the box, twice.
const GONE_MAX: usize = 128;

impl<'s> Transactions<'s> {
    /// An empty table. `secret` is fresh randomness of this boot: it keys the index of received branches and makes
    /// our own branches and tags unguessable. One eighth of the room is reserved; see [`Transactions::reserve`].
    pub fn new(storage: impl Into<Storage<'s>>, secret: [u64; 2], timers: Timers) -> Self {
        let storage = Table::new(storage.into());
        let reserve = storage.limit().div_ceil(8).min(storage.limit() / 2);
        Self {
            storage,
            secret,
            made: 0,
            timers,
            reserve,
            hand: 0,
            gone: heapless::Deque::new(),
            counters: Counters::default(),
        }
    }

    /// Sets how many slots only [`Priority::Reserved`] may use.
    pub fn reserve(&mut self, slots: usize) {
        self.reserve = slots;
    }

    /// Starts a client transaction. Its first transmission is due at once.
    pub fn client(
        &mut self,
        now: Instant,
        kind: ClientKind,
        flow: Flow,
        user: u32,
        priority: Priority,
    ) -> Result<TxId, Full> {
        let key = self.new_branch().0;
        let (class, machine) = match kind {
            ClientKind::Invite => (Class::ClientInvite, Machine::Ict(ict::State::Calling)),
            ClientKind::NonInvite => (Class::ClientOther, Machine::Nict(nict::State::Trying)),
        };
        let index = self.insert(key, class, machine, Path::new(&flow), user, priority)?;
        match kind {
            ClientKind::Invite => self.ict(now, index, ict::Event::Start),
            ClientKind::NonInvite => self.nict(now, index, nict::Event::Start),
        };
        Ok(self.storage.id(index))
    }

    /// Cancels an unanswered INVITE of ours. The CANCEL leaves when the first provisional answer is there
    /// (RFC 3261 §9.1) and never if a final one comes first; without a final answer 64·T1 after it, the INVITE
    /// times out. Asking twice gives the same CANCEL. May use reserved room.
    pub fn cancel(&mut self, now: Instant, invite: TxId) -> Result<TxId, Refused> {
        let index = self.storage.get(invite).ok_or(Refused::NoSuch)?;
        let slot = *self.storage.at(index);
        let ringing = match slot.machine {
            Machine::Ict(ict::State::Calling) => false,
            Machine::Ict(ict::State::Proceeding) => true,
            Machine::Ict(_) => return Err(Refused::Finished),
            _ => return Err(Refused::NoSuch),
        };
        if let Some(cancel) = self.storage.find(slot.key, Class::ClientCancel) {
            return Ok(self.storage.id(cancel));
        }
        if slot.cancelled {
            return Err(Refused::Finished);
        }
        let held = Machine::Nict(nict::State::Held);
        let cancel = self
            .insert(
                slot.key,
                Class::ClientCancel,
                held,
                slot.path,
                slot.user,
                Priority::Reserved,
            )
            .map_err(|Full| Refused::Full)?;
        self.storage.at_mut(index).cancelled = true;
        if ringing {
            self.release_cancel(now, index);
        }
        Ok(self.storage.id(cancel))
    }

    /// Answers a request: the response is due at once. 2xx to INVITE may be given again as long as the transaction
    /// lives (the dialog repeats it).
    pub fn respond(&mut self, now: Instant, tx: TxId, status: u16) -> Result<(), Refused> {
        self.answer(now, tx, status)?;
        Ok(())
    }

    /// As [`Transactions::respond`], for a caller that sends the response itself, now, from the request at hand.
    pub fn responded(&mut self, now: Instant, tx: TxId, status: u16) -> Result<(), Refused> {
        let index = self.answer(now, tx, status)?;
        let slot = self.storage.at_mut(index);
        slot.pending = slot.pending.without(Act::SEND);
        self.storage.schedule(index);
        Ok(())
    }

    fn answer(&mut self, now: Instant, tx: TxId, status: u16) -> Result<u32, Refused> {
        let index = self.storage.get(tx).ok_or(Refused::NoSuch)?;
        let slot = self.storage.at(index);
        if !(100..700).contains(&status) {
            return Err(Refused::NotAllowed);
        }
        let act = match slot.machine {
            Machine::Ist(_) => self.ist(
                now,
                index,
                match status {
                    ..200 => ist::Event::Provisional,
                    200..300 => ist::Event::Success,
                    _ => ist::Event::Failure,
                },
            ),
            Machine::Nist(_) => {
                if !nist::allowed(status, slot.path.is_reliable()) {
                    return Err(Refused::NotAllowed);
                }
                self.nist(
                    now,
                    index,
                    if status < 200 {
                        nist::Event::Provisional
                    } else {
                        nist::Event::Final
                    },
                )
            }
            _ => return Err(Refused::NoSuch),
        };
        act.ok_or(Refused::Finished)?;
        self.storage.at_mut(index).status = status;
        Ok(index)
    }

    /// The next thing to do; call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Due> {
        if let Some((tx, user)) = self.gone.pop_front() {
            return Some(Due::Gone { tx, user });
        }
        loop {
            let (index, wake) = self.storage.first()?;
            if wake > now {
                return None;
            }
            let slot = *self.storage.at(index);
            if !slot.pending.is_none() {
                if let Some(due) = self.take_pending(index) {
                    return Some(due);
                }
            } else if slot.machine.is_terminated() {
                let tx = self.storage.id(index);
                self.storage.remove(index);
                if slot.class != Class::ClientCancel {
                    return Some(Due::Gone { tx, user: slot.user });
                }
            } else {
                self.timer(now, index);
            }
        }
    }

    fn take_pending(&mut self, index: u32) -> Option<Due> {
        let slot = self.storage.at_mut(index);
        let order = [Act::SEND, Act::ACK, Act::TIMED_OUT, Act::UNREACHABLE];
        let act = order
            .into_iter()
            .find(|&act| slot.pending.has(act))
            .unwrap_or(Act::NONE);
        slot.pending = if act.is_none() {
            Act::NONE
        } else {
            slot.pending.without(act)
        };
        let (class, key, user, status) = (slot.class, slot.key, slot.user, slot.status);
        self.storage.schedule(index);
        let tx = self.storage.id(index);
        Some(match act {
            Act::SEND => match class {
                Class::ClientInvite | Class::ClientOther => Due::SendRequest { tx, user },
                Class::ClientCancel => {
                    let invite = self.storage.find(key, Class::ClientInvite);
                    Due::SendCancel {
                        invite: invite.map(|i| self.storage.id(i)),
                        cancel: tx,
                        user,
                    }
                }
                _ => Due::SendResponse { tx, user, status },
            },
            Act::ACK => Due::SendAck { tx, user, status },
            // The INVITE's own deadline tells what became of a CANCEL.
            _ if class == Class::ClientCancel => return None,
            Act::TIMED_OUT => Due::TimedOut { tx, user },
            Act::UNREACHABLE => Due::Unreachable { tx, user },
            _ => return None,
        })
    }

    fn timer(&mut self, now: Instant, index: u32) {
        let slot = self.storage.at_mut(index);
        let over = slot.deadline_at <= now;
        if over {
            slot.deadline_at = Instant::NEVER;
        } else {
            slot.retransmit_at = Instant::NEVER;
            self.counters.retransmitted = self.counters.retransmitted.wrapping_add(1);
        }
        match self.storage.at(index).machine {
            Machine::Ict(_) => self.ict(
                now,
                index,
                if over {
                    ict::Event::Deadline
                } else {
                    ict::Event::Retransmit
                },
            ),
            Machine::Nict(_) => self.nict(
                now,
                index,
                if over {
                    nict::Event::Deadline
                } else {
                    nict::Event::Retransmit
                },
            ),
            Machine::Ist(state) => {
                if over && state == ist::State::Proceeding {
                    self.storage.at_mut(index).status = 100;
                }
                self.ist(
                    now,
                    index,
                    if over {
                        ist::Event::Deadline
                    } else {
                        ist::Event::Retransmit
                    },
                )
            }
            _ => self.nist(now, index, nist::Event::Deadline),
        };
        self.storage.schedule(index);
    }

    /// When [`Transactions::poll`] has to be called again at the latest. In the past: at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.gone.is_empty() {
            return Some(Instant::ZERO);
        }
        self.storage.first().map(|(_, wake)| wake)
    }

    /// The transport could not send this transaction's message, or its connection is gone: with an INVITE goes its CANCEL.
    pub fn transport_error(&mut self, now: Instant, tx: TxId) {
        let Some(index) = self.storage.get(tx) else {
            return;
        };
        if let Some(cancel) = self.cancel_of(index) {
            self.nict(now, cancel, nict::Event::TransportError);
        }
        match self.storage.at(index).machine {
            Machine::Ict(_) => self.ict(now, index, ict::Event::TransportError),
            Machine::Nict(_) => self.nict(now, index, nict::Event::TransportError),
            Machine::Ist(_) => self.ist(now, index, ist::Event::TransportError),
            Machine::Nist(_) => self.nist(now, index, nist::Event::TransportError),
            Machine::Free => None,
        };
    }

    /// The peer came back by another way: the transaction, and the CANCEL of an INVITE, go on there. What the peer has not
    /// confirmed may have been lost with a connection, which would have repeated it by itself: it is sent again, once.
    pub fn move_to(&mut self, tx: TxId, flow: Flow) {
        let Some(index) = self.storage.get(tx) else {
            return;
        };
        let path = Path::new(&flow);
        self.move_entry(index, path);
        if let Some(cancel) = self.cancel_of(index) {
            self.move_entry(cancel, path);
        }
    }

    fn move_entry(&mut self, index: u32, path: Path) {
        let slot = self.storage.at_mut(index);
        slot.path = path;
        let unconfirmed = match slot.machine {
            // Nobody waits for a cancelled one any more.
            Machine::Ict(state) => state == ict::State::Calling && !slot.cancelled,
            Machine::Nict(state) => state == nict::State::Trying,
            Machine::Ist(ist::State::Proceeding) => slot.status > 100,
            Machine::Ist(state) => state == ist::State::Completed,
            Machine::Nist(_) | Machine::Free => false,
        };
        if unconfirmed {
            slot.pending = slot.pending | Act::SEND;
            self.storage.schedule(index);
        }
    }

    /// Ends a transaction at once and without any further word of it.
    pub fn forget(&mut self, tx: TxId) {
        if let Some(index) = self.storage.get(tx) {
            self.drop_held_cancel(index);
            self.storage.remove(index);
        }
    }

    /// The branch of a client transaction's request; a CANCEL's is that of its INVITE.
    pub fn branch(&self, tx: TxId) -> Option<Branch> {
        let slot = self.storage.at(self.storage.get(tx)?);
        slot.class.is_client().then_some(Branch(slot.key))
    }

    /// The branch for the ACK to a 2xx answer of this INVITE: one of its own (RFC 3261 §13.2.2.4), the same each time.
    pub fn ack_branch(&self, invite: TxId) -> Option<Branch> {
        let slot = self.storage.at(self.storage.get(invite)?);
        (slot.class == Class::ClientInvite).then(|| Branch(key::derive(self.secret, Domain::Ack, slot.key)))
    }

    /// A branch for a request sent outside any transaction.
    pub fn new_branch(&mut self) -> Branch {
        self.made = self.made.wrapping_add(1);
        Branch(key::derive(self.secret, Domain::Client, self.made))
    }

    /// A number for a tag or a Call-ID: unique, and nobody can guess it.
    pub(crate) fn unguessable(&mut self) -> u64 {
        self.made = self.made.wrapping_add(1);
        key::derive(self.secret, Domain::Dialog, self.made)
    }

    /// The To tag of this server transaction's answers, the same each time.
    pub fn to_tag(&self, tx: TxId) -> Option<Tag> {
        let slot = self.storage.at(self.storage.get(tx)?);
        (!slot.class.is_client()).then(|| Tag(key::derive(self.secret, Domain::Tag, slot.key) as u32))
    }

    /// The owner's number.
    pub fn user(&self, tx: TxId) -> Option<u32> {
        Some(self.storage.at(self.storage.get(tx)?).user)
    }

    /// Sets the owner's number. False: the handle is dead.
    pub fn set_user(&mut self, tx: TxId, user: u32) -> bool {
        let index = self.storage.get(tx);
        if let Some(index) = index {
            self.storage.at_mut(index).user = user;
        }
        index.is_some()
    }

    /// Where the request goes to or came from. An IPv6 address comes without its scope id; the interface says it.
    pub fn flow(&self, tx: TxId) -> Option<Flow> {
        Some(self.storage.at(self.storage.get(tx)?).path.flow())
    }

    /// The last status received or given; 0: none yet.
    pub fn status(&self, tx: TxId) -> Option<u16> {
        Some(self.storage.at(self.storage.get(tx)?).status)
    }

    /// Whether this INVITE was refused and its ACK is not there yet.
    pub fn waits_for_ack(&self, tx: TxId) -> bool {
        let slot = self.storage.get(tx).map(|index| self.storage.at(index));
        slot.is_some_and(|slot| slot.machine == Machine::Ist(ist::State::Completed))
    }

    /// Live transactions.
    pub fn len(&self) -> usize {
        self.storage.used()
    }

    /// Whether there is no live transaction.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What went wrong or twice.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    #[cfg(test)]
    pub(super) fn assert_sound(&self) {
        self.storage.assert_sound();
    }

    pub(super) fn insert(
        &mut self,
        key: u64,
        class: Class,
        machine: Machine,
        path: Path,
        user: u32,
        priority: Priority,
    ) -> Result<u32, Full> {
        let kept = if priority == Priority::Normal {
            self.reserve
        } else {
            0
        };
        let has_room = |table: &Self| table.storage.limit().saturating_sub(kept) > table.storage.used();
        // More than one, if what may use the reserved room has used it.
        while !has_room(self) && self.evict(priority) {}
        let index = if has_room(self) {
            self.storage.insert(key, class, machine, path, user)
        } else {
            None
        };
        index.ok_or_else(|| {
            self.counters.full = self.counters.full.wrapping_add(1);
            Full
        })
    }

    /// Ends the transactions nearest to their end among those that only wait for stragglers: one, or a few in a large table,
    /// so that not every new transaction has to search. False: there are none.
    fn evict(&mut self, priority: Priority) -> bool {
        let slots = self.storage.slots();
        let room = self.gone.capacity() - self.gone.len();
        let wanted = (slots.len() / 64).clamp(1, EVICTED_MAX).min(room);
        if slots.is_empty() || wanted == 0 {
            return false;
        }
        let start = self.hand % slots.len();
        let seen = slots.len().min(SEARCH_MAX);
        let (after, before) = slots.split_at(start);
        // The answer that its client still waits for gives way to a BYE, a CANCEL or an emergency call only.
        let limit = match priority {
            Priority::Normal => Slot::UNACKNOWLEDGED,
            Priority::Reserved => Slot::UNACKNOWLEDGED + 1,
        };
        let mut chosen: heapless::Vec<(u8, Instant, u64, u32), EVICTED_MAX> = heapless::Vec::new();
        let mut left = seen;
        for (first, part) in [(start, after), (0, before)] {
            let len = part.len().min(left);
            left -= len;
            for (index, slot) in (first as u32..).zip(part.iter().take(len)) {
                let Some(value) = slot.value().filter(|value| *value < limit) else {
                    continue;
                };
                let candidate = (value, slot.deadline_at, slot.key, index);
                if chosen.len() >= wanted {
                    match chosen.last() {
                        Some(worst) if candidate < *worst => chosen.pop(),
                        _ => continue,
                    };
                }
                let place = chosen.partition_point(|other| *other < candidate);
                // One was taken out if there was no room.
                let _ = chosen.insert(place, candidate);
            }
        }
        self.hand = start + seen;
        for (.., index) in &chosen {
            let slot = self.storage.at(*index);
            let (told, gone) = (
                slot.class != Class::ClientCancel,
                (self.storage.id(*index), slot.user),
            );
            self.storage.remove(*index);
            self.counters.evicted = self.counters.evicted.wrapping_add(1);
            if told {
                // There is room: seen above.
                let _ = self.gone.push_back(gone);
            }
        }
        !chosen.is_empty()
    }

    /// Lets a waiting CANCEL go once its INVITE is Proceeding.
    pub(super) fn release_cancel(&mut self, now: Instant, invite: u32) {
        let slot = self.storage.at(invite);
        if slot.machine == Machine::Ict(ict::State::Proceeding)
            && let Some(cancel) = self.cancel_of(invite)
            && self.storage.at(cancel).machine == Machine::Nict(nict::State::Held)
        {
            self.nict(now, cancel, nict::Event::Start);
            self.ict(now, invite, ict::Event::Cancelled);
        }
    }

    /// The CANCEL of an INVITE of ours.
    fn cancel_of(&self, invite: u32) -> Option<u32> {
        let slot = self.storage.at(invite);
        let cancelled = slot.class == Class::ClientInvite && slot.cancelled;
        let cancel = cancelled.then(|| self.storage.find(slot.key, Class::ClientCancel));
        cancel.flatten()
    }

    /// A CANCEL that never left has nothing to cancel any more.
    fn drop_held_cancel(&mut self, invite: u32) {
        if let Some(cancel) = self.cancel_of(invite)
            && self.storage.at(cancel).machine == Machine::Nict(nict::State::Held)
        {
            self.storage.remove(cancel);
        }
    }

    fn context(&self, index: u32) -> Context {
        let slot = self.storage.at(index);
        Context {
            timers: self.timers,
            reliable: slot.path.is_reliable(),
            interval: Duration::from_millis(u64::from(slot.interval)),
        }
    }

    pub(super) fn ict(&mut self, now: Instant, index: u32, event: ict::Event) -> Option<Act> {
        let Machine::Ict(state) = self.storage.at(index).machine else {
            return None;
        };
        let step = ict::step(state, event, &self.context(index))?;
        let act = self.apply(now, index, &step, Machine::Ict(step.state));
        if !matches!(step.state, ict::State::Calling | ict::State::Proceeding) {
            self.drop_held_cancel(index);
        }
        Some(act)
    }

    pub(super) fn nict(&mut self, now: Instant, index: u32, event: nict::Event) -> Option<Act> {
        let Machine::Nict(state) = self.storage.at(index).machine else {
            return None;
        };
        let step = nict::step(state, event, &self.context(index))?;
        Some(self.apply(now, index, &step, Machine::Nict(step.state)))
    }

    pub(super) fn ist(&mut self, now: Instant, index: u32, event: ist::Event) -> Option<Act> {
        let Machine::Ist(state) = self.storage.at(index).machine else {
            return None;
        };
        let step = ist::step(state, event, &self.context(index))?;
        Some(self.apply(now, index, &step, Machine::Ist(step.state)))
    }

    pub(super) fn nist(&mut self, now: Instant, index: u32, event: nist::Event) -> Option<Act> {
        let Machine::Nist(state) = self.storage.at(index).machine else {
            return None;
        };
        let step = nist::step(state, event, &self.context(index))?;
        Some(self.apply(now, index, &step, Machine::Nist(step.state)))
    }

    fn apply<S>(&mut self, now: Instant, index: u32, step: &Step<S>, machine: Machine) -> Act {
        let slot = self.storage.at_mut(index);
        let changed = slot.machine != machine;
        slot.machine = machine;
        match step.retransmit {
            Clock::Keep => {}
            Clock::Stop => slot.retransmit_at = Instant::NEVER,
            Clock::In(interval) => {
                slot.interval = u16::try_from(interval.as_millis()).unwrap_or(u16::MAX);
                slot.retransmit_at = now + interval;
            }
        }
        match step.deadline {
            Clock::Keep => {}
            Clock::Stop => slot.deadline_at = Instant::NEVER,
            Clock::In(wait) => slot.deadline_at = now + wait,
        }
        // What an earlier state wanted sent is out of date in a new one.
        let kept = if changed {
            slot.pending.without(Act::SEND | Act::ACK)
        } else {
            slot.pending
        };
        slot.pending = kept | step.act.without(Act::PASS | Act::REPEAT);
        if step.act.has(Act::TIMED_OUT) {
            self.counters.timed_out = self.counters.timed_out.wrapping_add(1);
        }
        self.storage.schedule(index);
        step.act
    }
}
