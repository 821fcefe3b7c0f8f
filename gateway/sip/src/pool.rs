//! Entries of one kind, found by handle, by time and in lists, in room that belongs to the caller. Handles carry a
//! generation, so a stale one finds nothing instead of somebody else's entry. The heap and the lists are threaded through
//! the entries: every operation takes the same time whatever their number, or grows with its logarithm.

use crate::heap::{self, ENTRIES, Heap, Index as Number, NONE, Node};
use crate::time::Instant;
use core::num::NonZeroU32;

/// A handle into a [`Pool`]: 20 bits of index, 12 bits of generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(2))]
pub struct Key(
    /// All bits turned over.
    NonZeroU32,
);

impl Key {
    const INDEX_BITS: u32 = 20;
    const INDEX_MASK: u32 = (1 << Self::INDEX_BITS) - 1;

    /// How many entries can be told apart: not all that 20 bits count, so that [`Key::NONE`] names none, and not more than a
    /// table can number.
    pub(crate) const PLACES: usize = if ENTRIES < Self::INDEX_MASK as usize {
        ENTRIES
    } else {
        Self::INDEX_MASK as usize - 1
    };

    /// A handle that finds nothing.
    pub const NONE: Key = Key(NonZeroU32::MIN);

    pub(crate) const fn new(index: u32, generation: u16) -> Self {
        Self::from_bits(index | ((generation as u32) << Self::INDEX_BITS))
    }

    pub(crate) const fn index(self) -> u32 {
        self.to_bits() & Self::INDEX_MASK
    }

    pub(crate) const fn generation(self) -> u16 {
        (self.to_bits() >> Self::INDEX_BITS) as u16
    }

    pub(crate) const fn next_generation(generation: u16) -> u16 {
        (generation + 1) & 0xFFF
    }

    /// The handle as a plain number, for a message or another table.
    pub const fn to_bits(self) -> u32 {
        !self.0.get()
    }

    /// The handle that [`Key::to_bits`] gave. Any number is allowed; a wrong one finds nothing.
    pub const fn from_bits(bits: u32) -> Self {
        match NonZeroU32::new(!bits) {
            Some(bits) => Self(bits),
            None => Self::NONE,
        }
    }
}

/// What wants to be looked at when its time has come.
pub trait Timed {
    /// When; [`Instant::NEVER`]: not by itself.
    fn wake(&self) -> Instant;
}

/// An [`Option`] that is all zeros when empty: a static of them costs no room in the image.
#[derive(Clone, Debug)]
#[repr(u8)]
pub enum Room<T> {
    /// Nothing.
    Empty = 0,
    /// Something.
    Taken(T),
}

impl<T> Room<T> {
    /// What is there.
    pub const fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Empty => None,
            Self::Taken(value) => Some(value),
        }
    }

    /// What is there.
    pub const fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Empty => None,
            Self::Taken(value) => Some(value),
        }
    }

    /// Takes out what is there.
    pub fn take(&mut self) -> Option<T> {
        match core::mem::replace(self, Self::Empty) {
            Self::Empty => None,
            Self::Taken(value) => Some(value),
        }
    }
}

impl<T> From<Option<T>> for Room<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Self::Taken)
    }
}

/// Neighbours in a list.
#[derive(Clone, Copy, Debug)]
struct Link {
    before: Number,
    after: Number,
}

impl Link {
    const NONE: Link = Link {
        before: Number::NONE,
        after: Number::NONE,
    };
}

/// How many lists an entry may be in at once.
const LISTS: usize = 2;

/// One place of a pool. Hand in an array of [`Slot::EMPTY`].
#[derive(Debug)]
pub struct Slot<T> {
    value: Room<T>,
    node: Node,
    links: [Link; LISTS],
    /// The list with this place's number. It has nothing to do with the entry at this place.
    bucket: List<1>,
    generation: u16,
}

impl<T> Slot<T> {
    /// A free place, all zeros.
    pub const EMPTY: Self = Self {
        value: Room::Empty,
        node: Node::UNUSED,
        links: [Link {
            before: Number::ZERO,
            after: Number::ZERO,
        }; LISTS],
        bucket: List { first: Number::ZERO },
        generation: 0,
    };

    const FREE: Self = Self {
        node: Node::FREE,
        links: [Link::NONE; LISTS],
        bucket: List::EMPTY,
        ..Self::EMPTY
    };
}

/// Where a pool's entries live, at most 2^20 - 2.
pub type Storage<'s, T> = crate::storage::Storage<'s, Slot<T>>;

/// Entries of one kind, found by [`Key`].
pub struct Pool<'s, T> {
    storage: Storage<'s, T>,
    /// Free places queue up, so that a generation comes round again as late as possible.
    free: List<0>,
    len: usize,
    heap: Heap,
}

impl<'s, T: Timed> Pool<'s, T> {
    /// An empty pool in the given room; what the room held before is dropped.
    pub fn new(storage: impl Into<Storage<'s, T>>) -> Self {
        let mut pool = Self {
            storage: storage.into(),
            free: List::EMPTY,
            len: 0,
            heap: Heap::default(),
        };
        for slot in pool.storage.entries_mut() {
            *slot = Slot::FREE;
        }
        for index in 0..pool.storage.entries().len().min(Key::PLACES) as u32 {
            pool.free.push_index(&mut pool.storage, index);
        }
        pool
    }

    /// How many entries are in use.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no entry is in use.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many entries can still be inserted.
    pub fn room(&self) -> usize {
        self.storage.limit().min(Key::PLACES).saturating_sub(self.len)
    }

    fn places(&self) -> usize {
        self.storage.entries().len()
    }

    /// Puts an entry into a free place; drops it where there is none.
    pub fn insert(&mut self, value: T) -> Option<Key> {
        let places = self.places();
        if self.free.is_empty() && places < Key::PLACES && self.storage.grow(1, || Slot::FREE) > 0 {
            self.free.push_index(&mut self.storage, places as u32);
        }
        let index = self.free.pop_index(&mut self.storage)?;
        let slot = self.storage.entries_mut().get_mut(index as usize)?;
        slot.value = Room::Taken(value);
        let key = Key::new(index, slot.generation);
        self.len += 1;
        self.schedule(key);
        Some(key)
    }

    fn slot(&self, key: Key) -> Option<&Slot<T>> {
        let slot = self.storage.entries().get(key.index() as usize)?;
        (slot.generation == key.generation()).then_some(slot)
    }

    fn slot_mut(&mut self, key: Key) -> Option<&mut Slot<T>> {
        let slot = self.storage.entries_mut().get_mut(key.index() as usize)?;
        (slot.generation == key.generation()).then_some(slot)
    }

    /// The entry, if the handle is alive.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.slot(key)?.value.as_ref()
    }

    /// The entry, if the handle is alive. Whoever changes its time says so: [`Pool::schedule`].
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slot_mut(key)?.value.as_mut()
    }

    /// Takes an entry out, which is in no list; its handle is dead from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slot_mut(key)?;
        let value = slot.value.take()?;
        slot.generation = Key::next_generation(slot.generation);
        self.heap.unschedule(self.storage.entries_mut(), key.index());
        self.free.push_index(&mut self.storage, key.index());
        self.len -= 1;
        Some(value)
    }

    /// The time of an entry has changed.
    pub fn schedule(&mut self, key: Key) {
        if self.get(key).is_some() {
            self.heap.schedule(self.storage.entries_mut(), key.index());
        }
    }

    /// The entry to look at first, and when.
    pub fn first(&self) -> Option<(Key, Instant)> {
        let (index, wake) = self.heap.first(self.storage.entries())?;
        Some((self.key(index)?, wake))
    }

    /// The handle of the place with this number, or of the next entry in it.
    fn key(&self, index: u32) -> Option<Key> {
        let slot = self.storage.entries().get(index as usize)?;
        Some(Key::new(index, slot.generation))
    }

    /// All entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> + Clone {
        (0..).zip(self.storage.entries()).filter_map(|(index, slot)| {
            slot.value
                .as_ref()
                .map(|value| (Key::new(index, slot.generation), value))
        })
    }

    /// Checks the heap against the entries; for tests.
    #[cfg(test)]
    pub(crate) fn assert_sound(&self) {
        let entries = self.iter().map(|(key, _)| key.index());
        self.heap.assert_sound(self.storage.entries(), entries);
    }
}

impl<T: Timed> heap::Timed for [Slot<T>] {
    // Links always name an entry; a wrong one would be a fault here, not bad input.
    fn node(&self, index: u32) -> Node {
        self[index as usize].node
    }

    fn node_mut(&mut self, index: u32) -> &mut Node {
        &mut self[index as usize].node
    }

    fn wake(&self, index: u32) -> Instant {
        let value = self[index as usize].value.as_ref();
        value.map_or(Instant::NEVER, Timed::wake)
    }
}

/// A list of entries of one pool, in the order they were put in; each may be in one list of each `N` below 2. It is the
/// first one's place, whose neighbours are the second and the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<const N: usize> {
    first: Number,
}

impl<const N: usize> List<N> {
    /// A list of nothing.
    pub const EMPTY: Self = Self { first: Number::NONE };

    /// Whether it has no entry.
    pub const fn is_empty(&self) -> bool {
        self.first.get() == NONE
    }

    /// The first entry.
    pub fn first<T: Timed>(&self, pool: &Pool<'_, T>) -> Option<Key> {
        pool.key(self.first.get())
    }

    /// All entries as they are now. The one it gave last may be taken out before it is asked for the next one.
    pub fn walk<T: Timed>(&self, pool: &Pool<'_, T>) -> Walk<N> {
        let last = pool.storage.entries().get(self.first.get() as usize);
        Walk {
            next: self.first.get(),
            last: last.map_or(NONE, |slot| slot.links[N].before.get()),
        }
    }

    /// Puts an entry at the end, which is in no other such list.
    pub fn push<T: Timed>(&mut self, pool: &mut Pool<'_, T>, key: Key) {
        if pool.get(key).is_some() {
            self.push_index(&mut pool.storage, key.index());
        }
    }

    /// Takes an entry out, which is in this list.
    pub fn remove<T: Timed>(&mut self, pool: &mut Pool<'_, T>, key: Key) {
        if pool.get(key).is_some() {
            self.remove_index(&mut pool.storage, key.index());
        }
    }

    fn push_index<T>(&mut self, storage: &mut Storage<'_, T>, index: u32) {
        let slots = storage.entries_mut();
        let number = Number::new(index);
        if self.is_empty() {
            self.first = number;
            slots[index as usize].links[N] = Link {
                before: number,
                after: number,
            };
            return;
        }
        let first = &mut slots[self.first.get() as usize].links[N];
        let last = core::mem::replace(&mut first.before, number);
        slots[last.get() as usize].links[N].after = number;
        slots[index as usize].links[N] = Link {
            before: last,
            after: self.first,
        };
    }

    fn remove_index<T>(&mut self, storage: &mut Storage<'_, T>, index: u32) {
        let slots = storage.entries_mut();
        let Link { before, after } = core::mem::replace(&mut slots[index as usize].links[N], Link::NONE);
        if after == Number::NONE {
            return;
        }
        if after.get() == index {
            self.first = Number::NONE;
            return;
        }
        slots[before.get() as usize].links[N].after = after;
        slots[after.get() as usize].links[N].before = before;
        if self.first.get() == index {
            self.first = after;
        }
    }

    fn pop_index<T>(&mut self, storage: &mut Storage<'_, T>) -> Option<u32> {
        let index = self.first.get();
        (index != NONE).then(|| {
            self.remove_index(storage, index);
            index
        })
    }
}

/// Entries of one pool filed by a hash, which nobody from outside must be able to choose: in as many lists as there are places,
/// which they lend, so that few are in one.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Number of lists, a power of two no larger than that of places.
    lists: usize,
}

impl Index {
    /// Files a new entry; `hash` is that of any.
    pub fn insert<T: Timed>(&mut self, pool: &mut Pool<'_, T>, key: Key, hash: impl Fn(&T) -> u64) {
        let places = pool.places();
        if places < 2 * self.lists.max(1) {
            return self.file(pool, key, &hash);
        }
        // All anew, for the number of places there is now.
        self.lists = 1 << places.ilog2();
        for slot in pool.storage.entries_mut() {
            slot.bucket = List::EMPTY;
        }
        for place in 0..places as u32 {
            if let Some(key) = pool.key(place) {
                self.file(pool, key, &hash);
            }
        }
    }

    fn file<T: Timed>(&self, pool: &mut Pool<'_, T>, key: Key, hash: impl Fn(&T) -> u64) {
        if let Some(hash) = pool.get(key).map(hash) {
            self.change(pool, hash, |list, pool| list.push(pool, key));
        }
    }

    /// Takes out an entry, which is filed under this hash.
    pub fn remove<T: Timed>(&self, pool: &mut Pool<'_, T>, key: Key, hash: u64) {
        self.change(pool, hash, |list, pool| list.remove(pool, key));
    }

    /// The entries with this hash, and a few others.
    pub fn find<T: Timed>(&self, pool: &Pool<'_, T>, hash: u64) -> Walk<1> {
        let slot = pool.storage.entries().get(self.list(hash));
        slot.map_or(List::EMPTY, |slot| slot.bucket).walk(pool)
    }

    fn list(&self, hash: u64) -> usize {
        hash as usize & self.lists.saturating_sub(1)
    }

    fn change<'s, T: Timed>(
        &self,
        pool: &mut Pool<'s, T>,
        hash: u64,
        change: impl FnOnce(&mut List<1>, &mut Pool<'s, T>),
    ) {
        let place = self.list(hash);
        let Some(mut list) = pool.storage.entries().get(place).map(|slot| slot.bucket) else {
            return;
        };
        change(&mut list, pool);
        if let Some(slot) = pool.storage.entries_mut().get_mut(place) {
            slot.bucket = list;
        }
    }
}

/// On its way through a [`List`].
pub(crate) struct Walk<const N: usize> {
    next: u32,
    last: u32,
}

impl<const N: usize> Walk<N> {
    /// The next entry.
    pub fn next<T: Timed>(&mut self, pool: &Pool<'_, T>) -> Option<Key> {
        let index = self.next;
        let slot = pool.storage.entries().get(index as usize)?;
        self.next = if index == self.last {
            NONE
        } else {
            slot.links[N].after.get()
        };
        Some(Key::new(index, slot.generation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct At(u64);

    impl Timed for At {
        fn wake(&self) -> Instant {
            Instant(self.0)
        }
    }

    fn exercise(mut pool: Pool<'_, At>) {
        let a = pool.insert(At(1)).unwrap();
        let b = pool.insert(At(2)).unwrap();
        assert_eq!(pool.insert(At(3)), None, "it is full");
        assert_eq!(
            (pool.get(a), pool.get(b), pool.len(), pool.room()),
            (Some(&At(1)), Some(&At(2)), 2, 0)
        );
        assert_eq!(pool.remove(a), Some(At(1)));
        assert_eq!(pool.get(a), None, "a dead handle finds nothing");
        assert_eq!(pool.remove(a), None);
        let c = pool.insert(At(4)).unwrap();
        assert_ne!(a, c, "the place is used again under another generation");
        assert_eq!(pool.get(Key::from_bits(c.to_bits())), Some(&At(4)));
        assert_eq!(pool.get(Key::NONE), None);
        assert_eq!(pool.iter().count(), 2);
        assert_eq!(pool.first(), Some((b, Instant(2))));
    }

    #[test]
    fn fixed() {
        let mut slots = [const { Slot::EMPTY }; 2];
        exercise(Pool::new(&mut slots[..]));
    }

    #[test]
    fn growable() {
        exercise(Pool::new(Storage::growable(2)));
    }

    proptest! {
        /// Against a vector: times in order, lists in order, handles alive or dead.
        #[test]
        fn as_a_simple_one(steps in proptest::collection::vec((0u8..6, 0usize..8, 0u64..20), 1..200)) {
            let mut pool = Pool::new(Storage::growable(8));
            let (mut lists, mut model) = ([List::<0>::EMPTY; 2], [Vec::new(), Vec::new()]);
            let mut live: Vec<(Key, u64)> = Vec::new();
            for (what, which, number) in steps {
                let picked = live.get(which).copied();
                match (what, picked) {
                    (0 | 1, _) => match pool.insert(At(if number == 0 { u64::MAX } else { number })) {
                        Some(key) => live.push((key, if number == 0 { u64::MAX } else { number })),
                        None => prop_assert_eq!(live.len(), 8),
                    },
                    (2, Some((key, _))) => {
                        for (list, model) in lists.iter_mut().zip(&mut model) {
                            if let Some(at) = model.iter().position(|k| *k == key) {
                                model.remove(at);
                                list.remove(&mut pool, key);
                            }
                        }
                        prop_assert!(pool.remove(key).is_some());
                        prop_assert!(pool.get(key).is_none());
                        live.remove(which);
                    }
                    (3, Some((key, _))) => {
                        if let Some(at) = pool.get_mut(key) {
                            *at = At(number);
                        }
                        pool.schedule(key);
                        live[which].1 = number;
                    }
                    (_, Some((key, _))) if !model.iter().flatten().any(|k| *k == key) => {
                        let n = usize::from(what == 5);
                        lists[n].push(&mut pool, key);
                        model[n].push(key);
                    }
                    _ => {}
                }
                pool.assert_sound();
                let first = live.iter().map(|(_, at)| *at).filter(|at| *at != u64::MAX).min();
                prop_assert_eq!(pool.first().map(|(_, at)| at.0), first);
                for (list, model) in lists.iter().zip(&model) {
                    let mut walk = list.walk(&pool);
                    let all: Vec<Key> = core::iter::from_fn(|| walk.next(&pool)).collect();
                    prop_assert_eq!(&all, model);
                }
                prop_assert_eq!(pool.len(), live.len());
            }
        }
    }
}
