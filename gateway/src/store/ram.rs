//! A NOR flash in memory that keeps the rules of a real one and can lose its power at any word: for tests and
//! simulations.

use core::ops::Range;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use heapless::Vec;

use super::map::SECTOR;

/// What happens to the word or sector that is being changed when the power goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Torn {
    /// It cannot be read until it is erased (memories with error correction).
    #[default]
    Unreadable,
    /// It holds anything between old and new.
    Random,
}

/// Why the memory refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RamError {
    /// Outside of the memory or misaligned.
    Range,
    /// A bit is to become 1 without erasure.
    NotErased,
    /// The power is off.
    Off,
    /// The word was torn by a power cut.
    Unreadable,
}

impl NorFlashError for RamError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Range => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

/// A NOR flash over bytes in memory.
#[derive(Clone, Debug)]
pub struct RamNor<B> {
    bytes: B,
    torn: Vec<Range<u32>, 8>,
    torn_as: Torn,
    /// Words programmed and sectors erased so far.
    changes: u64,
    /// The change during which the power goes.
    cut_at: Option<u64>,
    off: bool,
    noise: u32,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> RamNor<B> {
    /// A memory with this content.
    pub fn new(bytes: B) -> Self {
        let (torn, torn_as) = (Vec::new(), Torn::default());
        Self {
            bytes,
            torn,
            torn_as,
            changes: 0,
            cut_at: None,
            off: false,
            noise: 0x2545_F491,
        }
    }

    /// Lets the power go during the `change`-th change from now (0: the next), leaving the word or sector so.
    pub fn cut_after(&mut self, change: u64, torn_as: Torn) {
        self.cut_at = Some(self.changes + change);
        self.torn_as = torn_as;
        self.noise ^= (change as u32).wrapping_mul(0x9E37_79B9) | 1;
    }

    /// Gives the power back.
    pub fn restore(&mut self) {
        self.off = false;
        self.cut_at = None;
    }

    /// The power is off.
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// Words programmed and sectors erased so far.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// The content, to be changed without the rules of a flash.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.as_mut()
    }

    fn range(&mut self, offset: u32, len: usize) -> Result<&mut [u8], RamError> {
        let start = offset as usize;
        self.bytes
            .as_mut()
            .get_mut(start..start + len)
            .ok_or(RamError::Range)
    }

    fn random(&mut self) -> u32 {
        // xorshift32
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 17;
        self.noise ^= self.noise << 5;
        self.noise
    }

    /// Counts a change; true if the power goes during it.
    fn change(&mut self) -> bool {
        let cut = self.cut_at == Some(self.changes);
        self.changes += 1;
        self.off |= cut;
        cut
    }

    /// Leaves a range torn.
    fn tear(&mut self, range: Range<u32>) {
        if self.torn_as == Torn::Unreadable && self.torn.push(range.clone()).is_ok() {
            return;
        }
        for at in range {
            // A bit that was being erased or programmed is 0 or 1; one that was not stays as it is now.
            let noise = self.random() as u8;
            if let Ok([byte]) = self.range(at, 1) {
                *byte |= noise;
            }
        }
    }
}

impl<B> ErrorType for RamNor<B> {
    type Error = RamError;
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> ReadNorFlash for RamNor<B> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), RamError> {
        if self.off {
            return Err(RamError::Off);
        }
        let end = offset + bytes.len() as u32;
        if self.torn.iter().any(|torn| torn.start < end && offset < torn.end) {
            return Err(RamError::Unreadable);
        }
        bytes.copy_from_slice(self.range(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.as_ref().len()
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> NorFlash for RamNor<B> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), RamError> {
        if self.off {
            return Err(RamError::Off);
        }
        if !from.is_multiple_of(SECTOR) || !to.is_multiple_of(SECTOR) || from > to {
            return Err(RamError::Range);
        }
        self.range(from, (to - from) as usize)?;
        for sector in (from..to).step_by(SECTOR as usize) {
            self.torn
                .retain(|torn| torn.start >= sector + SECTOR || torn.end <= sector);
            if self.change() {
                self.tear(sector..sector + SECTOR);
                return Err(RamError::Off);
            }
            self.range(sector, SECTOR as usize)?.fill(0xFF);
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), RamError> {
        if self.off {
            return Err(RamError::Off);
        }
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(RamError::Range);
        }
        self.range(offset, bytes.len())?;
        for (at, word) in (offset..).step_by(4).zip(bytes.chunks(4)) {
            let place = self.range(at, 4)?;
            if place.iter().zip(word).any(|(old, new)| !old & new != 0) {
                return Err(RamError::NotErased);
            }
            let mut old = [0; 4];
            old.copy_from_slice(place);
            place.copy_from_slice(word);
            if self.change() {
                self.tear(at..at + 4);
                // Bits that were 0 before stay 0.
                let place = self.range(at, 4)?;
                place.iter_mut().zip(old).for_each(|(byte, old)| *byte &= old);
                return Err(RamError::Off);
            }
        }
        Ok(())
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> MultiwriteNorFlash for RamNor<B> {}

/// Runs a future that never waits for anything, as every one over a [`RamNor`].
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
