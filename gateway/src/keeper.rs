//! Flash follows the registrar: a binding is written when it changes, and a 200 waits until it is.
//!
//! The 200 to a REGISTER lists all bindings of its ID (RFC 3261 §10.3, step 8) and says that they are remembered over a power
//! cut. So it is held back while flash knows anything else of that ID; a refresh changes nothing there and is answered at
//! once. Nobody waits for ever:
//!
//! - **The power goes**: the phone has no 200 and repeats its REGISTER, as it does for any answer that is lost.
//! - **No room to hold the answer**, or it is too long: it is dropped and counted. The phone repeats the same REGISTER after
//!   500 ms (RFC 3261 §17.1.2.2), and is answered if flash has followed by then.
//! - **The flash fails**: the alarm is raised, and until flash has followed again every phone is answered at once. Telephones
//!   that live go before telephones that are remembered.

use core::time::Duration;

use heapless::Vec;
use shared::id::IdKey;
use sip::{Flow, Instant, Path};

use crate::budget::{BINDINGS, HELD, HELD_MAX};
use crate::registrar::{Binding, Registrar, STORED_MAX};
use crate::store::{Key, Op};

/// First wait after the store failed; doubled every time.
const STORE_WAIT: Duration = Duration::from_secs(1);

const _: () = assert!(BINDINGS < u128::BITS as usize);

/// An answer that waits until flash knows of its ID what the registrar knows.
struct Held {
    key: IdKey,
    way: Path,
    answer: Vec<u8, HELD_MAX>,
}

/// Room for the answers that wait.
pub struct Memory {
    held: Vec<Held, HELD>,
}

impl Memory {
    /// None waits.
    pub const fn new() -> Self {
        Self { held: Vec::new() }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// What flash does not know yet, and who waits for it.
pub(crate) struct Keeper<'s> {
    /// Bit n: place n of the registrar differs from flash.
    unstored: u128,
    /// The place that is being written, and whose binding is written there.
    storing: Option<(usize, Option<IdKey>)>,
    /// The place behind the one that was written last: each gets its turn.
    next: usize,
    /// After a fault of the store: not before this moment again.
    resume: Instant,
    faults: u8,
    held: &'s mut Vec<Held, HELD>,
}

impl<'s> Keeper<'s> {
    pub fn new(memory: &'s mut Memory) -> Self {
        Self {
            unstored: 0,
            storing: None,
            next: 0,
            resume: Instant::ZERO,
            faults: 0,
            held: &mut memory.held,
        }
    }

    /// Flash has to follow at this place of the registrar.
    pub fn changed(&mut self, place: usize) {
        self.unstored |= 1 << place;
    }

    /// The next binding for the flash.
    pub fn next_put(&mut self, now: Instant, registrar: &Registrar<'_>) -> Option<Op> {
        if self.storing.is_some() || self.unstored == 0 || now < self.resume {
            return None;
        }
        let later = self.unstored >> self.next << self.next;
        let place = if later != 0 { later } else { self.unstored }.trailing_zeros() as usize;
        self.unstored &= !(1 << place);
        let key = Key::place(place)?;
        let mut bytes = [0; STORED_MAX];
        let bytes = registrar.store(place, &mut bytes).unwrap_or_default();
        let value = Vec::from_slice(bytes).ok()?;
        self.storing = Some((place, registrar.at(place).map(Binding::key)));
        self.next = place + 1;
        Some(Op::Put { key, value })
    }

    /// A binding is in flash, or will be tried again: nothing else would bring the phone back after a power cut. `Some`: the
    /// flash fails from now on, or does not fail any more.
    pub fn stored(&mut self, now: Instant, is_stored: bool, registrar: &mut Registrar<'_>) -> Option<bool> {
        let (place, key) = self.storing.take()?;
        let failed = self.faults > 0;
        if is_stored {
            registrar.stored(place, key);
            self.faults = 0;
        } else {
            self.changed(place);
            self.resume = now + STORE_WAIT * (1 << self.faults.min(6));
            self.faults = self.faults.saturating_add(1);
        }
        (is_stored == failed).then_some(!is_stored)
    }

    /// When [`Keeper::next_put`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        (self.unstored != 0 && self.storing.is_none()).then_some(self.resume)
    }

    /// Whether an operation is under way.
    pub fn is_storing(&self) -> bool {
        self.storing.is_some()
    }

    /// Whether flash has to follow yet.
    pub fn is_writing(&self) -> bool {
        self.unstored != 0 || self.storing.is_some()
    }

    /// Whether a 200 about this ID has to wait for the flash.
    pub fn is_behind(&self, registrar: &Registrar<'_>, key: IdKey) -> bool {
        let storing = self.storing.map_or(0, |(place, _)| 1 << place);
        let mut places = self.unstored | storing;
        while self.faults == 0 && places != 0 {
            if registrar.is_about(places.trailing_zeros() as usize, key) {
                return true;
            }
            places &= places - 1;
        }
        false
    }

    /// Holds an answer back, in place of one to an earlier REGISTER of the same phone. False: no room.
    pub fn hold(&mut self, key: IdKey, flow: Flow, answer: &[u8]) -> bool {
        let way = Path::new(&flow);
        self.held.retain(|held| (held.key, held.way) != (key, way));
        Vec::from_slice(answer).is_ok_and(|answer| self.held.push(Held { key, way, answer }).is_ok())
    }

    /// An answer that waits no longer: where it goes, and its length in `out`.
    pub fn release(&mut self, registrar: &Registrar<'_>, out: &mut [u8]) -> Option<(Flow, usize)> {
        let at = self
            .held
            .iter()
            .position(|held| !self.is_behind(registrar, held.key))?;
        let Held { way, answer, .. } = self.held.swap_remove(at);
        out.get_mut(..answer.len())?.copy_from_slice(&answer);
        Some((way.flow(), answer.len()))
    }

    /// Drops what waits for IDs `keep` does not want, after a change of configuration: such a phone is refused when it repeats.
    pub fn retain(&mut self, keep: impl Fn(IdKey) -> bool) {
        self.held.retain(|held| keep(held.key));
    }
}
