//! All legs: found by handle, by time, by the other side's address, and by the order in which they began to wait for nothing
//! but repetitions.

use super::call::Leg;
use crate::flow::{Flow, Octets, Path, octets};
use crate::pool::{self, Index, Key, List, Pool, Walk};
use crate::siphash::SipHash;
use crate::time::Instant;
use core::net::IpAddr;

pub(super) struct Legs<'s> {
    pool: Pool<'s, Leg>,
    /// Keys the hash of addresses.
    secret: [u64; 2],
    addresses: Index,
    lingering: List<0>,
}

impl<'s> Legs<'s> {
    pub fn new(storage: pool::Storage<'s, Leg>, secret: [u64; 2]) -> Self {
        Self {
            pool: Pool::new(storage),
            secret,
            addresses: Index::default(),
            lingering: List::EMPTY,
        }
    }

    pub fn len(&self) -> usize {
        self.pool.len()
    }

    pub fn room(&self) -> usize {
        self.pool.room()
    }

    pub fn get(&self, key: Key) -> Option<&Leg> {
        self.pool.get(key)
    }

    /// Whoever changes when it is due says so: [`Legs::schedule`].
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Leg> {
        self.pool.get_mut(key)
    }

    /// When the leg is due has changed.
    pub fn schedule(&mut self, key: Key) {
        self.pool.schedule(key);
    }

    /// Changes when the leg is due.
    pub fn time(&mut self, key: Key, change: impl FnOnce(&mut Leg)) {
        if let Some(leg) = self.pool.get_mut(key) {
            change(leg);
            self.pool.schedule(key);
        }
    }

    /// The leg that is due first, and when.
    pub fn first(&self) -> Option<(Key, Instant)> {
        self.pool.first()
    }

    /// Takes in a leg; `others` are those of its call.
    pub fn insert(&mut self, leg: Leg, others: &mut List<0>) -> Option<Key> {
        let key = self.pool.insert(leg)?;
        others.push(&mut self.pool, key);
        let secret = self.secret;
        self.addresses
            .insert(&mut self.pool, key, |leg| hash(secret, leg.path.peer()));
        Some(key)
    }

    /// Takes out a leg; `others` are those of its call.
    pub fn remove(&mut self, key: Key, others: Option<&mut List<0>>) -> Option<Leg> {
        let leg = self.pool.get(key)?;
        let hash = hash(self.secret, leg.path.peer());
        match others {
            _ if leg.is_lingering() => self.lingering.remove(&mut self.pool, key),
            Some(others) => others.remove(&mut self.pool, key),
            None => {}
        }
        self.addresses.remove(&mut self.pool, key, hash);
        self.pool.remove(key)
    }

    /// A leg that has just come to wait for nothing but repetitions; `others` are those of its call.
    pub fn linger(&mut self, key: Key, others: &mut List<0>) {
        others.remove(&mut self.pool, key);
        self.lingering.push(&mut self.pool, key);
    }

    /// The leg that has waited longest for nothing but repetitions.
    pub fn longest_lingering(&self) -> Option<Key> {
        self.lingering.first(&self.pool)
    }

    /// The other side of a leg is somewhere else now.
    pub fn move_to(&mut self, key: Key, flow: &Flow) {
        let path = Path::new(flow);
        let Some(leg) = self.pool.get_mut(key) else { return };
        let old = core::mem::replace(&mut leg.path, path);
        if old.peer() != path.peer() {
            let secret = self.secret;
            self.addresses
                .remove(&mut self.pool, key, hash(secret, old.peer()));
            self.addresses
                .insert(&mut self.pool, key, |leg| hash(secret, leg.path.peer()));
        }
    }

    /// The legs with that address, and a few others.
    pub fn at(&self, address: IpAddr) -> Walk<1> {
        self.addresses
            .find(&self.pool, hash(self.secret, &octets(address)))
    }

    /// The legs of a call.
    pub fn of(&self, list: &List<0>) -> Walk<0> {
        list.walk(&self.pool)
    }

    /// The next leg.
    pub fn next<const N: usize>(&self, walk: &mut Walk<N>) -> Option<Key> {
        walk.next(&self.pool)
    }

    #[cfg(test)]
    pub fn assert_sound(&self) {
        self.pool.assert_sound();
    }
}

fn hash(secret: [u64; 2], address: &Octets) -> u64 {
    SipHash::new(secret).field(address).finish()
}
