//! The external NOR flash, played by the PSRAM with a NOR's rules: erasing sets a sector to ones, programming can only
//! clear bits. A write that would have to set a bit is refused, so that code which forgets to erase fails here too.
//!
//! Every word programmed and every sector erased counts up the progress word; when the rig asked for a power cut at that
//! count, nothing more happens: the processor stands still until the rig kills it.

use super::mmio::Psram;
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use hil_wire as wire;

/// The flash chip.
pub struct Flash {
    psram: Psram,
    progress: u32,
    cut_at: u32,
}

/// What the flash refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not a multiple of the word or sector size.
    NotAligned,
    /// Beyond the end.
    OutOfBounds,
    /// A bit would have to go from 0 to 1: the sector was not erased.
    NotErased,
}

impl NorFlashError for Error {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Error::NotAligned => NorFlashErrorKind::NotAligned,
            Error::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Error::NotErased => NorFlashErrorKind::Other,
        }
    }
}

impl Flash {
    /// The chip; once.
    pub fn take() -> Self {
        let mut psram = Psram::take();
        let cut_at = if psram.word(wire::SHARED_MAGIC) == wire::MAGIC {
            psram.word(wire::SHARED_CUT_AT)
        } else {
            0
        };
        psram.set_word(wire::SHARED_PROGRESS, 0);
        Flash {
            psram,
            progress: 0,
            cut_at,
        }
    }

    fn check(&self, offset: u32, length: u32, unit: usize) -> Result<(), Error> {
        let end = offset.checked_add(length).ok_or(Error::OutOfBounds)?;
        if end > wire::FLASH_SIZE {
            Err(Error::OutOfBounds)
        } else if !(offset as usize).is_multiple_of(unit) || !(length as usize).is_multiple_of(unit) {
            Err(Error::NotAligned)
        } else {
            Ok(())
        }
    }

    fn step(&mut self) {
        self.progress = self.progress.wrapping_add(1);
        self.psram.set_word(wire::SHARED_PROGRESS, self.progress);
        if self.cut_at != 0 && self.progress == self.cut_at {
            self.fault();
        }
    }
}

impl Flash {
    /// The fault that the rig has ordered.
    fn fault(&mut self) {
        match self.psram.word(wire::SHARED_CUT_KIND) {
            wire::CUT_PANIC => {
                self.psram.set_word(wire::SHARED_CUT_AT, 0);
                panic!("ordered by the rig");
            }
            wire::CUT_HANG => {
                self.psram.set_word(wire::SHARED_CUT_AT, 0);
                loop {
                    core::hint::spin_loop();
                }
            }
            _ => {
                cortex_m::interrupt::disable();
                super::watchdog::stop();
                loop {
                    cortex_m::asm::wfi();
                }
            }
        }
    }
}

impl ErrorType for Flash {
    type Error = Error;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        let length = u32::try_from(bytes.len()).map_err(|_| Error::OutOfBounds)?;
        self.check(offset, length, Self::READ_SIZE)?;
        for (at, byte) in (offset..).zip(bytes) {
            let word = self.psram.word(at & !3).to_le_bytes();
            *byte = word[(at & 3) as usize];
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        wire::FLASH_SIZE as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = wire::SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        let length = to.checked_sub(from).ok_or(Error::OutOfBounds)?;
        self.check(from, length, Self::ERASE_SIZE)?;
        for sector in (from..to).step_by(Self::ERASE_SIZE) {
            for at in (sector..sector + wire::SECTOR).step_by(4) {
                // The cut comes with the sector half erased, as it would.
                if at == sector + wire::SECTOR / 2 {
                    self.step();
                }
                self.psram.set_word(at, u32::MAX);
            }
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(bytes.len()).map_err(|_| Error::OutOfBounds)?;
        self.check(offset, length, Self::WRITE_SIZE)?;
        for (at, chunk) in (offset..).step_by(4).zip(bytes.as_chunks::<4>().0) {
            let (old, new) = (self.psram.word(at), u32::from_le_bytes(*chunk));
            if old & new != new {
                return Err(Error::NotErased);
            }
            // Two halves with the cut between them: a word half programmed is what a real chip leaves.
            self.psram.set_word(at, new | (old & 0xFFFF_0000));
            self.step();
            self.psram.set_word(at, new);
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}
