//! The emergency guard: the police, the coast guard and the fire brigade can call back (事業用電気通信設備規則 35条の2の4).
//!
//! After a call to 110, 118 or 119, a call to the number it presented may be the authority's call-back. It goes around
//! block lists, business hours, forwarding, a number that is off (R25) and the channels (R15), and rings the terminal that
//! called first (`ring::Call::back_to`); if that one is not there or does not answer, it rings as usual.
//!
//! Not kept over a restart: box and cloud hold a guard each, and the one that goes on reminds.

use heapless::Vec;

use crate::id::IdKey;
use crate::number::Number;
use crate::site::MAX_IDS;

/// How long a number is guarded after an emergency call, milliseconds: an hour. The authority calls back within minutes of
/// a lost call, and again until its crew is there; an hour covers that, and no block list is out of force for a day.
pub const GUARDED_MS: u64 = 60 * 60 * 1_000;

/// How long a call-back rings the terminal that called alone, milliseconds: five rings of Japanese ringing (1 s on, 2 s
/// off).
pub const ALONE_MS: u64 = 15_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    key: IdKey,
    presented: Number,
    until: u64,
}

/// The terminals of a contract that are guarded. Each ID has one place, so there is always room.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    entries: Vec<Entry, MAX_IDS>,
}

impl Guard {
    /// Nobody called.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// This terminal calls 110, 118 or 119, or such a call of it has just ended. `now` is milliseconds of any clock that
    /// only goes forward.
    pub fn called(&mut self, now: u64, key: IdKey, presented: Number) {
        self.entries.retain(|entry| entry.key != key && entry.until > now);
        // The place of this ID is free now.
        let _ = self.entries.push(Entry {
            key,
            presented,
            until: now.saturating_add(GUARDED_MS),
        });
    }

    /// The terminal to which a call to this number may be a call-back: the last one that called and presented it.
    pub fn caller(&self, now: u64, called: Number) -> Option<IdKey> {
        let guarded = |entry: &&Entry| entry.presented == called && entry.until > now;
        self.entries.iter().rev().find(guarded).map(|entry| entry.key)
    }
}
