//! Which ports are off by order, in flash: the controller knows it only as long as it has its supply.
//!
//! An order does not wait for the flash. What was not written when the power went is forgotten, which takes a flash that fails: it
//! is tried again until it is.

use core::time::Duration;

use heapless::Vec;
use sip::Instant;

use crate::store::{Key, Op, Token};

/// Token of these operations.
pub const TOKEN: Token = Token(3);

/// After a fault of the store it is tried again.
const STORE_WAIT: Duration = Duration::from_secs(10);

/// What flash knows; ports are bits, port 1 the lowest.
pub struct Kept {
    stored: u8,
    storing: Option<u8>,
    /// Not before this moment again.
    resume: Instant,
}

impl Kept {
    pub const fn new() -> Self {
        Self {
            stored: 0,
            storing: None,
            resume: Instant::ZERO,
        }
    }

    /// From the flash: which ports are off.
    pub fn restore(&mut self, bytes: &[u8]) -> u8 {
        self.stored = bytes.first().copied().unwrap_or_default();
        self.stored
    }

    /// For the flash, if it knows something else than that these are off.
    pub fn next_put(&mut self, now: Instant, off: u8) -> Option<Op> {
        if self.is_storing() || off == self.stored || now < self.resume {
            return None;
        }
        self.storing = Some(off);
        let mut value = Vec::new();
        if off != 0 {
            value.push(off).ok()?;
        }
        Some(Op::Put {
            key: Key::PORTS_OFF,
            value,
        })
    }

    /// A write has ended.
    pub fn stored(&mut self, now: Instant, is_stored: bool) {
        match self.storing.take() {
            Some(off) if is_stored => self.stored = off,
            _ => self.resume = now + STORE_WAIT,
        }
    }

    /// When [`Kept::next_put`] has to be called again at the latest.
    pub fn next_deadline(&self, off: u8) -> Option<Instant> {
        (off != self.stored && !self.is_storing()).then_some(self.resume)
    }

    /// Whether an operation is under way.
    pub fn is_storing(&self) -> bool {
        self.storing.is_some()
    }
}
