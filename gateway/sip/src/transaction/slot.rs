//! One transaction's entry, and the storage that holds the entries with their index inside it: a hash table by key
//! and a heap by time, both threaded through the entries, so that a slice of them is all the memory there is.

use super::machine::Act;
use super::{TxId, ict, ist, nict, nist};
use crate::flow::Path;
use crate::heap::{Heap, Index, NONE, Node, Timed};
use crate::pool::Key;
use crate::storage;
use crate::time::Instant;

/// Which transaction of a branch: one INVITE, one CANCEL and one other may share it (RFC 3261 §17.1.3, §17.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    ClientInvite,
    ClientOther,
    ClientCancel,
    ServerInvite,
    ServerOther,
    ServerCancel,
}

impl Class {
    pub fn is_client(self) -> bool {
        matches!(
            self,
            Class::ClientInvite | Class::ClientOther | Class::ClientCancel
        )
    }
}

/// The machine an entry runs, in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Free,
    Ict(ict::State),
    Nict(nict::State),
    Ist(ist::State),
    Nist(nist::State),
}

impl Machine {
    pub fn is_terminated(self) -> bool {
        matches!(
            self,
            Machine::Ict(ict::State::Terminated)
                | Machine::Nict(nict::State::Terminated)
                | Machine::Ist(ist::State::Terminated)
                | Machine::Nist(nist::State::Terminated)
        )
    }
}

/// One transaction. Opaque: hand in an array of [`Slot::EMPTY`].
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub(super) key: u64,
    pub(super) retransmit_at: Instant,
    pub(super) deadline_at: Instant,
    pub(super) path: Path,
    pub(super) user: u32,
    /// Last retransmission interval in milliseconds, at most 65,535.
    pub(super) interval: u16,
    /// Next in the hash chain, or in the list of free entries.
    next: Index,
    /// Head of the hash chain with this entry's number. Belongs to the index, not to this transaction.
    bucket: Index,
    node: Node,
    pub(super) status: u16,
    generation: u16,
    pub(super) machine: Machine,
    pub(super) class: Class,
    pub(super) pending: Act,
    /// A CANCEL was asked for.
    pub(super) cancelled: bool,
}

impl Slot {
    /// Room for an entry, all zeros so that a static of them costs no room in the image.
    pub const EMPTY: Self = Self {
        key: 0,
        retransmit_at: Instant::ZERO,
        deadline_at: Instant::ZERO,
        path: Path::EMPTY,
        user: 0,
        interval: 0,
        next: Index::ZERO,
        bucket: Index::ZERO,
        node: Node::UNUSED,
        status: 0,
        generation: 0,
        machine: Machine::Free,
        class: Class::ClientInvite,
        pending: Act::NONE,
        cancelled: false,
    };

    /// A free entry that belongs to nothing.
    const FREE: Self = Self {
        retransmit_at: Instant::NEVER,
        deadline_at: Instant::NEVER,
        next: Index::NONE,
        bucket: Index::NONE,
        node: Node::FREE,
        ..Self::EMPTY
    };

    /// [`Slot::value`] of an answer to an INVITE that has no ACK yet.
    pub(super) const UNACKNOWLEDGED: u8 = 2;

    /// What would be lost with a transaction that only waits for stragglers; `None`: it does more than that.
    ///
    /// - 0: a message that comes again is judged again or not answered again; the peer's own timers end it.
    /// - 1: a 2xx that comes again is not passed on, or a late INVITE looks new.
    /// - 2: the final answer to an INVITE is not sent again.
    pub(super) fn value(&self) -> Option<u8> {
        if !self.pending.is_none() {
            return None;
        }
        match self.machine {
            Machine::Nict(nict::State::Completed)
            | Machine::Nist(nist::State::Completed)
            | Machine::Ist(ist::State::Confirmed)
            | Machine::Ict(ict::State::Completed) => Some(0),
            Machine::Ict(ict::State::Accepted) | Machine::Ist(ist::State::Accepted) => Some(1),
            Machine::Ist(ist::State::Completed) => Some(Self::UNACKNOWLEDGED),
            _ => None,
        }
    }

    /// When poll has something to do with this entry.
    fn wake(&self) -> Instant {
        if !self.pending.is_none() || self.machine.is_terminated() {
            Instant::ZERO
        } else {
            self.retransmit_at.min(self.deadline_at)
        }
    }
}

/// Where the entries live. At most 2^20 - 2 are used.
pub type Storage<'s> = storage::Storage<'s, Slot>;

/// The entries, found by handle, by key and by time.
pub(super) struct Table<'s> {
    storage: Storage<'s>,
    limit: usize,
    used: usize,
    heap: Heap,
    /// Number of hash chains, a power of two no larger than the number of entries; 0 without any.
    buckets: usize,
    free_first: u32,
    free_last: u32,
}

impl Timed for [Slot] {
    // Links always name an entry; a wrong one would be a fault here, not bad input.
    fn node(&self, index: u32) -> Node {
        self[index as usize].node
    }

    fn node_mut(&mut self, index: u32) -> &mut Node {
        &mut self[index as usize].node
    }

    fn wake(&self, index: u32) -> Instant {
        self[index as usize].wake()
    }
}

impl<'s> Table<'s> {
    pub fn new(storage: Storage<'s>) -> Self {
        let limit = storage.limit().min(Key::PLACES);
        let mut table = Self {
            storage,
            limit,
            used: 0,
            heap: Heap::default(),
            buckets: 0,
            free_first: NONE,
            free_last: NONE,
        };
        table.slots_mut().fill(Slot::FREE);
        table.index(0);
        table
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn slots(&self) -> &[Slot] {
        self.storage.entries()
    }

    fn slots_mut(&mut self) -> &mut [Slot] {
        self.storage.entries_mut()
    }

    // Links are this module's own and always name an entry; a wrong one would be a fault here, not bad input.
    pub(super) fn at(&self, index: u32) -> &Slot {
        &self.slots()[index as usize]
    }

    pub(super) fn at_mut(&mut self, index: u32) -> &mut Slot {
        &mut self.slots_mut()[index as usize]
    }

    pub(super) fn id(&self, index: u32) -> TxId {
        TxId(Key::new(index, self.at(index).generation))
    }

    /// The entry a handle names, if it still lives.
    pub(super) fn get(&self, tx: TxId) -> Option<u32> {
        let index = tx.0.index();
        let slot = self.slots().get(index as usize)?;
        let live = slot.machine != Machine::Free && slot.generation == tx.0.generation();
        live.then_some(index)
    }

    pub(super) fn find(&self, key: u64, class: Class) -> Option<u32> {
        let bucket = self.bucket(key)?;
        let mut index = self.at(bucket).bucket.get();
        while index != NONE {
            let slot = self.at(index);
            if slot.key == key && slot.class == class {
                return Some(index);
            }
            index = slot.next.get();
        }
        None
    }

    /// Takes a free entry and files it under its key. `None`: no room.
    pub(super) fn insert(
        &mut self,
        key: u64,
        class: Class,
        machine: Machine,
        path: Path,
        user: u32,
    ) -> Option<u32> {
        if self.free_first == NONE {
            self.grow();
        }
        let index = self.free_first;
        let slot = self.slots_mut().get_mut(index as usize)?;
        let next_free = slot.next.get();
        *slot = Slot {
            key,
            path,
            user,
            machine,
            class,
            generation: slot.generation,
            bucket: slot.bucket,
            node: slot.node.of_new_entry(),
            ..Slot::FREE
        };
        self.free_first = next_free;
        if next_free == NONE {
            self.free_last = NONE;
        }
        self.used += 1;
        self.chain(index);
        Some(index)
    }

    pub(super) fn remove(&mut self, index: u32) {
        self.heap.unschedule(self.storage.entries_mut(), index);
        self.unchain(index);
        let slot = self.at_mut(index);
        slot.machine = Machine::Free;
        slot.generation = Key::next_generation(slot.generation);
        self.release(index);
        self.used -= 1;
    }

    /// Puts the entry to its place in the heap after its timers or its pending work have changed.
    pub(super) fn schedule(&mut self, index: u32) {
        self.heap.schedule(self.storage.entries_mut(), index);
    }

    /// The entry to wake first, and when.
    pub(super) fn first(&self) -> Option<(u32, Instant)> {
        self.heap.first(self.storage.entries())
    }

    /// Doubles the number of entries, if there may be more.
    fn grow(&mut self) {
        let old = self.slots().len();
        let more = old.max(16).min(self.limit.saturating_sub(old));
        if self.storage.grow(more, || Slot::FREE) > 0 {
            self.index(old);
        }
    }

    /// Frees the entries from `first` on and chains the others anew for the number of entries there is now.
    fn index(&mut self, first: usize) {
        let len = self.slots().len().min(self.limit);
        self.buckets = if len == 0 { 0 } else { 1 << len.ilog2() };
        for slot in self.slots_mut() {
            slot.bucket = Index::NONE;
        }
        for index in 0..first as u32 {
            if self.at(index).machine != Machine::Free {
                self.chain(index);
            }
        }
        for index in first as u32..len as u32 {
            self.release(index);
        }
    }

    // Freed entries queue up, so that a generation comes round again as late as possible.
    fn release(&mut self, index: u32) {
        self.at_mut(index).next = Index::NONE;
        let last = self.free_last;
        if last == NONE {
            self.free_first = index;
        } else {
            self.at_mut(last).next = Index::new(index);
        }
        self.free_last = index;
    }

    fn bucket(&self, key: u64) -> Option<u32> {
        let mask = self.buckets.checked_sub(1)?;
        Some((key as usize & mask) as u32)
    }

    fn chain(&mut self, index: u32) {
        if let Some(bucket) = self.bucket(self.at(index).key) {
            self.at_mut(index).next = self.at(bucket).bucket;
            self.at_mut(bucket).bucket = Index::new(index);
        }
    }

    fn unchain(&mut self, index: u32) {
        let next = self.at(index).next;
        let Some(bucket) = self.bucket(self.at(index).key) else {
            return;
        };
        let mut walk = self.at(bucket).bucket.get();
        if walk == index {
            self.at_mut(bucket).bucket = next;
            return;
        }
        while walk != NONE {
            let after = self.at(walk).next.get();
            if after == index {
                self.at_mut(walk).next = next;
                return;
            }
            walk = after;
        }
    }

    /// Checks the index against the entries; for tests.
    #[cfg(test)]
    pub(super) fn assert_sound(&self) {
        let live = self.slots().iter().filter(|s| s.machine != Machine::Free).count();
        assert_eq!(live, self.used);
        for (index, slot) in (0..).zip(self.slots()) {
            match slot.machine {
                Machine::Free => assert!(slot.node.is_free()),
                _ => assert_eq!(self.find(slot.key, slot.class), Some(index)),
            }
        }
        let live = (0..)
            .zip(self.slots())
            .filter(|(_, s)| s.machine != Machine::Free);
        self.heap
            .assert_sound(self.storage.entries(), live.map(|(index, _)| index));
    }
}
