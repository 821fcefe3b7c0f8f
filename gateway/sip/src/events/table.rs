//! The subscriptions by handle. There are some hundred, and most of what is done is done to many: they are gone through.

use super::Subscription;
use crate::pool::{Key, Room};
use crate::storage::Storage;

/// Room for a subscription. Hand in an array of [`Slot::EMPTY`].
#[derive(Debug)]
pub struct Slot {
    subscription: Room<Subscription>,
    generation: u16,
}

impl Slot {
    /// No subscription, all zeros.
    pub const EMPTY: Self = Self {
        subscription: Room::Empty,
        generation: 0,
    };
}

pub(super) struct Table<'s> {
    storage: Storage<'s, Slot>,
    len: usize,
}

impl<'s> Table<'s> {
    pub fn new(mut storage: Storage<'s, Slot>) -> Self {
        storage.entries_mut().fill_with(|| Slot::EMPTY);
        Self { storage, len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    fn slot(&self, key: Key) -> Option<&Slot> {
        let slot = self.storage.entries().get(key.index() as usize)?;
        (slot.generation == key.generation()).then_some(slot)
    }

    pub fn get(&self, key: Key) -> Option<&Subscription> {
        self.slot(key)?.subscription.as_ref()
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut Subscription> {
        let slot = self.storage.entries_mut().get_mut(key.index() as usize)?;
        (slot.generation == key.generation()).then(|| slot.subscription.as_mut())?
    }

    /// Gives the subscription back when there is no room.
    pub fn insert(&mut self, subscription: Subscription) -> Result<Key, Subscription> {
        let is_free = |slot: &Slot| slot.subscription.as_ref().is_none();
        let place = match self.storage.entries().iter().position(is_free) {
            Some(place) => place,
            None => {
                self.storage.grow(1, || Slot::EMPTY);
                self.storage.entries().len().saturating_sub(1)
            }
        };
        match self
            .storage
            .entries_mut()
            .get_mut(place)
            .filter(|slot| is_free(slot))
        {
            Some(slot) if place < Key::PLACES => {
                slot.subscription = Room::Taken(subscription);
                self.len += 1;
                Ok(Key::new(place as u32, slot.generation))
            }
            _ => Err(subscription),
        }
    }

    pub fn remove(&mut self, key: Key) -> Option<Subscription> {
        let slot = self.storage.entries_mut().get_mut(key.index() as usize)?;
        if slot.generation != key.generation() {
            return None;
        }
        let subscription = slot.subscription.take()?;
        slot.generation = Key::next_generation(slot.generation);
        self.len -= 1;
        Some(subscription)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Key, &Subscription)> {
        let slots = (0..).zip(self.storage.entries());
        slots
            .filter_map(|(index, slot)| Some((Key::new(index, slot.generation), slot.subscription.as_ref()?)))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Subscription)> {
        let slots = (0..).zip(self.storage.entries_mut());
        slots
            .filter_map(|(index, slot)| Some((Key::new(index, slot.generation), slot.subscription.as_mut()?)))
    }

    pub fn find(&self, mut fits: impl FnMut(&Subscription) -> bool) -> Option<Key> {
        self.iter()
            .find(|(_, subscription)| fits(subscription))
            .map(|(key, _)| key)
    }
}
