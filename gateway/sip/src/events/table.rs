//! The subscriptions, found by handle and by time. Most of what else is done concerns many of them: they are gone through.

use super::Subscription;
use crate::heap::{self, Heap, Node};
use crate::pool::{Key, Room, Timed};
use crate::storage::Storage;
use crate::time::Instant;

/// Room for a subscription. Hand in an array of [`Slot::EMPTY`].
#[derive(Debug)]
pub struct Slot {
    subscription: Room<Subscription>,
    node: Node,
    generation: u16,
}

impl Slot {
    /// No subscription, all zeros.
    pub const EMPTY: Self = Self {
        subscription: Room::Empty,
        node: Node::UNUSED,
        generation: 0,
    };

    const FREE: Self = Self {
        node: Node::FREE,
        ..Self::EMPTY
    };
}

/// Fewer lists and counts than a [`crate::pool::Pool`] keeps, in half the room.
pub(super) struct Table<'s> {
    storage: Storage<'s, Slot>,
    heap: Heap,
    len: usize,
}

impl<'s> Table<'s> {
    pub fn new(mut storage: Storage<'s, Slot>) -> Self {
        storage.entries_mut().fill_with(|| Slot::FREE);
        Self {
            storage,
            heap: Heap::default(),
            len: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get(&self, key: Key) -> Option<&Subscription> {
        let slot = self.storage.entries().get(key.index() as usize)?;
        (slot.generation == key.generation()).then(|| slot.subscription.as_ref())?
    }

    /// Whoever changes when something is to be done says so: [`Table::schedule`].
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Subscription> {
        let slot = self.storage.entries_mut().get_mut(key.index() as usize)?;
        (slot.generation == key.generation()).then(|| slot.subscription.as_mut())?
    }

    /// When something is to be done has changed.
    pub fn schedule(&mut self, key: Key) {
        if self.get(key).is_some() {
            self.heap.schedule(self.storage.entries_mut(), key.index());
        }
    }

    /// Where something is to be done first, and when.
    pub fn first(&self) -> Option<(Key, Instant)> {
        let (index, wake) = self.heap.first(self.storage.entries())?;
        let slot = self.storage.entries().get(index as usize)?;
        Some((Key::new(index, slot.generation), wake))
    }

    /// `None`: there is no room.
    pub fn insert(&mut self, subscription: Subscription) -> Result<Key, Subscription> {
        let is_free = |slot: &Slot| slot.subscription.as_ref().is_none();
        let place = match self.storage.entries().iter().position(is_free) {
            Some(place) => place,
            None => {
                self.storage.grow(1, || Slot::FREE);
                self.storage.entries().len().saturating_sub(1)
            }
        };
        let slot = self.storage.entries_mut().get_mut(place);
        let Some(slot) = slot.filter(|slot| is_free(slot) && place < Key::PLACES) else {
            return Err(subscription);
        };
        slot.subscription = Room::Taken(subscription);
        let key = Key::new(place as u32, slot.generation);
        self.len += 1;
        self.schedule(key);
        Ok(key)
    }

    pub fn remove(&mut self, key: Key) -> Option<Subscription> {
        self.get(key)?;
        self.heap.unschedule(self.storage.entries_mut(), key.index());
        let slot = self.storage.entries_mut().get_mut(key.index() as usize)?;
        slot.generation = Key::next_generation(slot.generation);
        self.len -= 1;
        slot.subscription.take()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Key, &Subscription)> {
        let slots = (0..).zip(self.storage.entries());
        slots
            .filter_map(|(index, slot)| Some((Key::new(index, slot.generation), slot.subscription.as_ref()?)))
    }

    pub fn find(&self, mut fits: impl FnMut(&Subscription) -> bool) -> Option<Key> {
        self.iter()
            .find(|(_, subscription)| fits(subscription))
            .map(|(key, _)| key)
    }

    /// Changes all that `change` says it has changed.
    pub fn change(&mut self, mut change: impl FnMut(&mut Subscription) -> bool) {
        for index in 0..self.storage.entries().len() {
            let slot = self.storage.entries_mut().get_mut(index);
            if slot
                .and_then(|slot| slot.subscription.as_mut())
                .is_some_and(&mut change)
            {
                self.heap.schedule(self.storage.entries_mut(), index as u32);
            }
        }
    }

    #[cfg(test)]
    pub fn assert_sound(&self) {
        let entries = self.iter().map(|(key, _)| key.index());
        self.heap.assert_sound(self.storage.entries(), entries);
    }
}

impl heap::Timed for [Slot] {
    // Places of the heap always name an entry; a wrong one would be a fault here, not bad input.
    fn node(&self, index: u32) -> Node {
        self[index as usize].node
    }

    fn node_mut(&mut self, index: u32) -> &mut Node {
        &mut self[index as usize].node
    }

    fn wake(&self, index: u32) -> Instant {
        let subscription = self[index as usize].subscription.as_ref();
        subscription.map_or(Instant::NEVER, Timed::wake)
    }
}
