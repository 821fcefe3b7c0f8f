//! A pool whose room belongs to the caller: a fixed slice on the box, a vector that grows to a limit (feature `std`)
//! in the cloud. Handles carry a generation, so a stale one finds nothing instead of somebody else's entry.

/// A handle into a [`Pool`]: 20 bits of index, 12 bits of generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u32);

impl Key {
    const INDEX_BITS: u32 = 20;

    fn new(index: usize, generation: u16) -> Self {
        Self((index as u32) | (u32::from(generation) << Self::INDEX_BITS))
    }

    fn index(self) -> usize {
        (self.0 & ((1 << Self::INDEX_BITS) - 1)) as usize
    }

    fn generation(self) -> u16 {
        (self.0 >> Self::INDEX_BITS) as u16
    }

    /// The handle as a plain number, for a message or another table.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// The handle that [`Key::to_bits`] gave. Any number is allowed; a wrong one finds nothing.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
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

/// One place of a pool. Hand in an array of [`Slot::EMPTY`].
#[derive(Debug)]
pub struct Slot<T> {
    generation: u16,
    next_free: u32,
    value: Room<T>,
}

impl<T> Slot<T> {
    /// A free place.
    pub const EMPTY: Self = Self {
        generation: 0,
        next_free: 0,
        value: Room::Empty,
    };
}

/// Where a pool's entries live.
pub enum Storage<'s, T> {
    /// The caller's slice.
    Fixed(&'s mut [Slot<T>]),
    /// A vector that grows to `limit` entries.
    #[cfg(feature = "std")]
    Growable {
        /// The entries.
        slots: std::vec::Vec<Slot<T>>,
        /// How many there may be, at most 2^20.
        limit: usize,
    },
}

impl<'s, T> From<&'s mut [Slot<T>]> for Storage<'s, T> {
    fn from(slots: &'s mut [Slot<T>]) -> Self {
        Self::Fixed(slots)
    }
}

#[cfg(feature = "std")]
impl<T> Storage<'static, T> {
    /// Storage that grows to `limit` entries.
    pub fn growable(limit: usize) -> Self {
        Self::Growable {
            slots: std::vec::Vec::new(),
            limit,
        }
    }
}

impl<T> Storage<'_, T> {
    fn slots(&self) -> &[Slot<T>] {
        match self {
            Self::Fixed(slots) => slots,
            #[cfg(feature = "std")]
            Self::Growable { slots, .. } => slots,
        }
    }

    fn slots_mut(&mut self) -> &mut [Slot<T>] {
        match self {
            Self::Fixed(slots) => slots,
            #[cfg(feature = "std")]
            Self::Growable { slots, .. } => slots,
        }
    }
}

const NONE: u32 = u32::MAX;

/// Entries of one kind, found by [`Key`].
pub struct Pool<'s, T> {
    storage: Storage<'s, T>,
    free: u32,
    len: usize,
}

impl<'s, T> Pool<'s, T> {
    /// An empty pool in the given room; what the room held before is dropped.
    pub fn new(storage: impl Into<Storage<'s, T>>) -> Self {
        let mut storage = storage.into();
        let slots = storage.slots_mut();
        let last = slots.len().saturating_sub(1);
        for (index, slot) in slots.iter_mut().enumerate() {
            slot.value = Room::Empty;
            slot.next_free = if index == last { NONE } else { index as u32 + 1 };
        }
        let free = if slots.is_empty() { NONE } else { 0 };
        Self {
            storage,
            free,
            len: 0,
        }
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
        let capacity = match &self.storage {
            Storage::Fixed(slots) => slots.len(),
            #[cfg(feature = "std")]
            Storage::Growable { limit, .. } => *limit,
        };
        capacity.saturating_sub(self.len)
    }

    /// Puts an entry into a free place; gives it back when there is none.
    pub fn insert(&mut self, value: T) -> Result<Key, T> {
        #[cfg(feature = "std")]
        if self.free == NONE
            && let Storage::Growable { slots, limit } = &mut self.storage
            && slots.len() < (*limit).min(1 << Key::INDEX_BITS)
        {
            self.free = slots.len() as u32;
            slots.push(Slot {
                generation: 0,
                next_free: NONE,
                value: Room::Empty,
            });
        }
        let index = self.free as usize;
        let Some(slot) = self.storage.slots_mut().get_mut(index) else {
            return Err(value);
        };
        self.free = slot.next_free;
        slot.value = Room::Taken(value);
        self.len += 1;
        Ok(Key::new(index, slot.generation))
    }

    /// The entry, if the handle is alive.
    pub fn get(&self, key: Key) -> Option<&T> {
        let slot = self.storage.slots().get(key.index())?;
        if slot.generation == key.generation() {
            slot.value.as_ref()
        } else {
            None
        }
    }

    /// The entry, if the handle is alive.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.storage.slots_mut().get_mut(key.index())?;
        if slot.generation == key.generation() {
            slot.value.as_mut()
        } else {
            None
        }
    }

    /// Takes an entry out; its handle is dead from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let free = self.free;
        let slot = self.storage.slots_mut().get_mut(key.index())?;
        if slot.generation != key.generation() {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = (slot.generation + 1) & 0xFFF;
        slot.next_free = free;
        self.free = key.index() as u32;
        self.len -= 1;
        Some(value)
    }

    /// All entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> + Clone {
        self.storage
            .slots()
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| {
                slot.value
                    .as_ref()
                    .map(|value| (Key::new(index, slot.generation), value))
            })
    }

    /// All entries, in no particular order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.storage
            .slots_mut()
            .iter_mut()
            .enumerate()
            .filter_map(|(index, slot)| {
                let generation = slot.generation;
                slot.value
                    .as_mut()
                    .map(|value| (Key::new(index, generation), value))
            })
    }

    /// The first entry that fits, by handle.
    pub fn find(&self, mut fits: impl FnMut(&T) -> bool) -> Option<Key> {
        self.iter().find(|(_, value)| fits(value)).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exercise(mut pool: Pool<'_, u32>) {
        let a = pool.insert(1).unwrap();
        let b = pool.insert(2).unwrap();
        assert_eq!(pool.insert(3), Err(3), "a full pool gives the entry back");
        assert_eq!(
            (pool.get(a), pool.get(b), pool.len(), pool.room()),
            (Some(&1), Some(&2), 2, 0)
        );
        assert_eq!(pool.remove(a), Some(1));
        assert_eq!(pool.get(a), None, "a dead handle finds nothing");
        assert_eq!(pool.remove(a), None);
        let c = pool.insert(4).unwrap();
        assert_ne!(a, c, "the place is used again under another generation");
        assert_eq!(pool.get(Key::from_bits(c.to_bits())), Some(&4));
        assert_eq!(pool.get(Key::from_bits(0xFFFF_FFFF)), None);
        assert_eq!(pool.find(|value| *value == 2), Some(b));
        assert_eq!(pool.iter().count(), 2);
    }

    #[test]
    fn fixed() {
        let mut slots = [const { Slot::EMPTY }; 2];
        exercise(Pool::new(&mut slots[..]));
    }

    #[cfg(feature = "std")]
    #[test]
    fn growable() {
        exercise(Pool::new(Storage::growable(2)));
    }
}
