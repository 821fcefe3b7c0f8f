//! All legs: found by handle, by time, by the other side's address, and by the order in which they began to wait for nothing
//! but repetitions.

use super::call::Leg;
use crate::flow::{Flow, Path, octets};
use crate::pool::{self, Key, List, Pool, Walk};
use crate::siphash::SipHash;
use crate::time::Instant;
use core::net::IpAddr;

pub(super) struct Legs<'s> {
    pool: Pool<'s, Leg>,
    /// Keys the hash of addresses, so that nobody can fill one list.
    secret: [u64; 2],
    /// Number of lists of legs by address, a power of two no larger than that of places.
    buckets: usize,
    lingering: List<0>,
}

impl<'s> Legs<'s> {
    pub fn new(storage: pool::Storage<'s, Leg>, secret: [u64; 2]) -> Self {
        let pool = Pool::new(storage);
        let mut legs = Self {
            pool,
            secret,
            buckets: 0,
            lingering: List::EMPTY,
        };
        legs.file();
        legs
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
        if self.pool.places() >= 2 * self.buckets.max(1) {
            self.file();
        } else {
            self.file_one(key);
        }
        Some(key)
    }

    /// Takes out a leg; `others` are those of its call.
    pub fn remove(&mut self, key: Key, others: Option<&mut List<0>>) -> Option<Leg> {
        let leg = self.pool.get(key)?;
        let bucket = self.bucket(&leg.path);
        match others {
            _ if leg.is_lingering() => self.lingering.remove(&mut self.pool, key),
            Some(others) => others.remove(&mut self.pool, key),
            None => {}
        }
        self.with(bucket, |list, pool| list.remove(pool, key));
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
            let (from, to) = (self.bucket(&old), self.bucket(&path));
            self.with(from, |list, pool| list.remove(pool, key));
            self.with(to, |list, pool| list.push(pool, key));
        }
    }

    /// The legs with that address, and a few others.
    pub fn at(&mut self, address: IpAddr) -> Walk<1> {
        let bucket = self.hash(&octets(address));
        let list = self.pool.bucket_mut(bucket).copied();
        list.unwrap_or(List::EMPTY).walk(&self.pool)
    }

    /// The legs of a call.
    pub fn of(&self, list: &List<0>) -> Walk<0> {
        list.walk(&self.pool)
    }

    /// The next leg.
    pub fn next<const N: usize>(&self, walk: &mut Walk<N>) -> Option<Key> {
        walk.next(&self.pool)
    }

    fn hash(&self, address: &[u8; 16]) -> usize {
        let hash = SipHash::new(self.secret).field(address).finish();
        hash as usize & self.buckets.saturating_sub(1)
    }

    fn bucket(&self, path: &Path) -> usize {
        self.hash(path.peer())
    }

    fn with(&mut self, bucket: usize, change: impl FnOnce(&mut List<1>, &mut Pool<'s, Leg>)) {
        if let Some(mut list) = self.pool.bucket_mut(bucket).copied() {
            change(&mut list, &mut self.pool);
            if let Some(place) = self.pool.bucket_mut(bucket) {
                *place = list;
            }
        }
    }

    fn file_one(&mut self, key: Key) {
        if let Some(leg) = self.pool.get(key) {
            let bucket = self.bucket(&leg.path);
            self.with(bucket, |list, pool| list.push(pool, key));
        }
    }

    /// Files all legs anew for the number of places there is now.
    fn file(&mut self) {
        let places = self.pool.places();
        self.buckets = if places == 0 { 0 } else { 1 << places.ilog2() };
        for place in 0..places {
            if let Some(list) = self.pool.bucket_mut(place) {
                *list = List::EMPTY;
            }
        }
        for place in 0..places as u32 {
            if let Some(key) = self.pool.key(place) {
                self.file_one(key);
            }
        }
    }

    #[cfg(test)]
    pub fn assert_sound(&self) {
        self.pool.assert_sound();
    }
}
