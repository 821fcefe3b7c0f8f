//! One transaction's entry, and the storage that holds the entries with their index inside it: a hash table by key
//! and a heap by time, both threaded through the entries, so that a slice of them is all the memory there is.

use super::machine::Act;
use super::{TxId, ict, ist, nict, nist};
use crate::flow::{Flow, Transport};
use crate::time::Instant;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) const NONE: u32 = u32::MAX;
const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: u16 = (1 << (32 - INDEX_BITS)) - 1;

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

/// A [`Flow`] in 40 bytes. The scope of a link-local address is what the interface says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    peer: [u8; 16],
    local: [u8; 16],
    ports: [u16; 2],
    stream: u16,
    interface: u8,
    /// Bits 0-1 transport, bit 2 peer is IPv4, bit 3 local is IPv4.
    form: u8,
}

impl Path {
    const EMPTY: Path = Path {
        peer: [0; 16],
        local: [0; 16],
        ports: [0; 2],
        stream: 0,
        interface: 0,
        form: 0,
    };

    pub fn new(flow: &Flow) -> Self {
        fn octets(ip: IpAddr) -> ([u8; 16], bool) {
            match ip {
                IpAddr::V4(ip) => (ip.to_ipv6_mapped().octets(), true),
                IpAddr::V6(ip) => (ip.octets(), false),
            }
        }
        let (peer, peer_v4) = octets(flow.peer.ip());
        let (local, local_v4) = octets(flow.local.ip());
        let transport = match flow.transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            Transport::Tls => 2,
            Transport::Ws => 3,
            Transport::Wss => 4,
        };
        Self {
            peer,
            local,
            ports: [flow.peer.port(), flow.local.port()],
            stream: flow.stream,
            interface: flow.interface,
            form: transport | u8::from(peer_v4) << 3 | u8::from(local_v4) << 4,
        }
    }

    pub fn flow(&self) -> Flow {
        fn address(octets: [u8; 16], v4: bool, port: u16) -> SocketAddr {
            let [.., a, b, c, d] = octets;
            let ip = if v4 {
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            } else {
                IpAddr::V6(Ipv6Addr::from(octets))
            };
            SocketAddr::new(ip, port)
        }
        Flow {
            transport: match self.form & 7 {
                0 => Transport::Udp,
                1 => Transport::Tcp,
                2 => Transport::Tls,
                3 => Transport::Ws,
                _ => Transport::Wss,
            },
            interface: self.interface,
            stream: self.stream,
            peer: address(self.peer, self.form & 8 != 0, self.ports[0]),
            local: address(self.local, self.form & 16 != 0, self.ports[1]),
        }
    }

    pub fn is_reliable(&self) -> bool {
        self.form & 7 != 0
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
    next: u32,
    /// Head of the hash chain with this entry's number. Belongs to the index, not to this transaction.
    bucket: u32,
    /// The entry at this place of the heap. Belongs to the index, not to this transaction.
    heap: u32,
    /// This transaction's place in the heap.
    place: u32,
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
        next: 0,
        bucket: 0,
        heap: 0,
        place: 0,
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
        next: NONE,
        bucket: NONE,
        heap: NONE,
        place: NONE,
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

/// Where the entries live: the caller's slice, or (feature `std`) a vector that grows to a limit. At most 2^20 entries
/// are used.
pub struct Storage<'s> {
    memory: Memory<'s>,
    limit: usize,
    used: usize,
    heap_len: usize,
    /// Number of hash chains, a power of two no larger than the number of entries; 0 without any.
    buckets: usize,
    free_first: u32,
    free_last: u32,
}

enum Memory<'s> {
    Fixed(&'s mut [Slot]),
    #[cfg(any(test, feature = "std"))]
    Growable(std::vec::Vec<Slot>),
}

impl<'s> From<&'s mut [Slot]> for Storage<'s> {
    fn from(slots: &'s mut [Slot]) -> Self {
        let limit = slots.len().min(INDEX_MASK as usize);
        Storage::new(Memory::Fixed(slots), limit)
    }
}

impl<'s, const N: usize> From<&'s mut [Slot; N]> for Storage<'s> {
    fn from(slots: &'s mut [Slot; N]) -> Self {
        Storage::from(slots.as_mut_slice())
    }
}

#[cfg(any(test, feature = "std"))]
impl Storage<'static> {
    /// Entries on the heap, as many as are needed, up to `limit`.
    pub fn growable(limit: usize) -> Self {
        Storage::new(
            Memory::Growable(std::vec::Vec::new()),
            limit.min(INDEX_MASK as usize),
        )
    }
}

impl<'s> Storage<'s> {
    fn new(memory: Memory<'s>, limit: usize) -> Self {
        let mut storage = Self {
            memory,
            limit,
            used: 0,
            heap_len: 0,
            buckets: 0,
            free_first: NONE,
            free_last: NONE,
        };
        storage.slots_mut().fill(Slot::FREE);
        storage.index(0);
        storage
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn slots(&self) -> &[Slot] {
        match &self.memory {
            Memory::Fixed(slots) => slots,
            #[cfg(any(test, feature = "std"))]
            Memory::Growable(slots) => slots,
        }
    }

    fn slots_mut(&mut self) -> &mut [Slot] {
        match &mut self.memory {
            Memory::Fixed(slots) => slots,
            #[cfg(any(test, feature = "std"))]
            Memory::Growable(slots) => slots,
        }
    }

    // Links are this module's own and always name an entry; a wrong one would be a fault here, not bad input.
    pub(super) fn at(&self, index: u32) -> &Slot {
        &self.slots()[index as usize]
    }

    pub(super) fn at_mut(&mut self, index: u32) -> &mut Slot {
        &mut self.slots_mut()[index as usize]
    }

    pub(super) fn id(&self, index: u32) -> TxId {
        TxId(index | u32::from(self.at(index).generation) << INDEX_BITS)
    }

    /// The entry a handle names, if it still lives.
    pub(super) fn get(&self, tx: TxId) -> Option<u32> {
        let index = tx.0 & INDEX_MASK;
        let slot = self.slots().get(index as usize)?;
        let live = slot.machine != Machine::Free && u32::from(slot.generation) == tx.0 >> INDEX_BITS;
        live.then_some(index)
    }

    pub(super) fn find(&self, key: u64, class: Class) -> Option<u32> {
        let bucket = self.bucket(key)?;
        let mut index = self.at(bucket).bucket;
        while index != NONE {
            let slot = self.at(index);
            if slot.key == key && slot.class == class {
                return Some(index);
            }
            index = slot.next;
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
        let next_free = slot.next;
        *slot = Slot {
            key,
            path,
            user,
            machine,
            class,
            generation: slot.generation,
            bucket: slot.bucket,
            heap: slot.heap,
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
        self.unschedule(index);
        self.unchain(index);
        let slot = self.at_mut(index);
        slot.machine = Machine::Free;
        slot.generation = slot.generation.wrapping_add(1) & GENERATION_MASK;
        self.release(index);
        self.used -= 1;
    }

    /// Puts the entry to its place in the heap after its timers or its pending work have changed.
    pub(super) fn schedule(&mut self, index: u32) {
        if self.at(index).wake() == Instant::NEVER {
            self.unschedule(index);
            return;
        }
        let mut place = self.at(index).place;
        if place == NONE {
            place = self.heap_len as u32;
            self.heap_len += 1;
            self.set_heap(place, index);
        }
        let place = self.sift_up(place);
        self.sift_down(place);
    }

    /// The entry to wake first, and when.
    pub(super) fn first(&self) -> Option<(u32, Instant)> {
        if self.heap_len == 0 {
            return None;
        }
        let index = self.at(0).heap;
        Some((index, self.at(index).wake()))
    }

    fn grow(&mut self) {
        #[cfg(any(test, feature = "std"))]
        if let Memory::Growable(slots) = &mut self.memory {
            let old = slots.len();
            let new = (old * 2).max(16).min(self.limit);
            if new > old {
                slots.resize(new, Slot::FREE);
                self.index(old);
            }
        }
    }

    /// Frees the entries from `first` on and chains the others anew for the number of entries there is now.
    fn index(&mut self, first: usize) {
        let len = self.slots().len().min(self.limit);
        self.buckets = if len == 0 { 0 } else { 1 << len.ilog2() };
        for slot in self.slots_mut() {
            slot.bucket = NONE;
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
        self.at_mut(index).next = NONE;
        let last = self.free_last;
        if last == NONE {
            self.free_first = index;
        } else {
            self.at_mut(last).next = index;
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
            self.at_mut(bucket).bucket = index;
        }
    }

    fn unchain(&mut self, index: u32) {
        let next = self.at(index).next;
        let Some(bucket) = self.bucket(self.at(index).key) else {
            return;
        };
        let mut walk = self.at(bucket).bucket;
        if walk == index {
            self.at_mut(bucket).bucket = next;
            return;
        }
        while walk != NONE {
            let after = self.at(walk).next;
            if after == index {
                self.at_mut(walk).next = next;
                return;
            }
            walk = after;
        }
    }

    fn unschedule(&mut self, index: u32) {
        let place = self.at(index).place;
        if place == NONE {
            return;
        }
        self.at_mut(index).place = NONE;
        self.heap_len -= 1;
        let last = self.heap_len as u32;
        let moved = self.at(last).heap;
        self.at_mut(last).heap = NONE;
        if place != last {
            self.set_heap(place, moved);
            let place = self.sift_up(place);
            self.sift_down(place);
        }
    }

    fn set_heap(&mut self, place: u32, index: u32) {
        self.at_mut(place).heap = index;
        self.at_mut(index).place = place;
    }

    fn wake_at(&self, place: u32) -> Instant {
        self.at(self.at(place).heap).wake()
    }

    fn swap(&mut self, a: u32, b: u32) {
        let (at_a, at_b) = (self.at(a).heap, self.at(b).heap);
        self.set_heap(a, at_b);
        self.set_heap(b, at_a);
    }

    fn sift_up(&mut self, mut place: u32) -> u32 {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.wake_at(parent) <= self.wake_at(place) {
                break;
            }
            self.swap(place, parent);
            place = parent;
        }
        place
    }

    fn sift_down(&mut self, mut place: u32) {
        let len = self.heap_len as u32;
        loop {
            let left = place * 2 + 1;
            if left >= len {
                break;
            }
            let right = left + 1;
            let least = if right < len && self.wake_at(right) < self.wake_at(left) {
                right
            } else {
                left
            };
            if self.wake_at(place) <= self.wake_at(least) {
                break;
            }
            self.swap(place, least);
            place = least;
        }
    }

    /// Checks the index against the entries; for tests.
    #[cfg(test)]
    pub(super) fn assert_sound(&self) {
        let live = self.slots().iter().filter(|s| s.machine != Machine::Free).count();
        assert_eq!(live, self.used);
        let mut scheduled = 0;
        for (index, slot) in self.slots().iter().enumerate() {
            let index = index as u32;
            if slot.machine == Machine::Free {
                assert_eq!(slot.place, NONE);
                continue;
            }
            assert_eq!(self.find(slot.key, slot.class), Some(index));
            assert_eq!(slot.place == NONE, slot.wake() == Instant::NEVER);
            if slot.place != NONE {
                scheduled += 1;
                assert_eq!(self.at(slot.place).heap, index);
                if slot.place > 0 {
                    assert!(self.wake_at((slot.place - 1) / 2) <= slot.wake());
                }
            }
        }
        assert_eq!(scheduled, self.heap_len);
    }
}

const _: () = assert!(core::mem::size_of::<Slot>() <= 96);
