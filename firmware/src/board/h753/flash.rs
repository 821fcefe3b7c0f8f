//! A serial NOR flash of 16 MiB (25Q128 and its kin) on QUADSPI bank 1, one data line: commands of JEDEC JESD216.

use embassy_stm32::Peri;
use embassy_stm32::mode::Blocking;
use embassy_stm32::peripherals::{PB2, PB6, PD11, PD12, PD13, PE2, QUADSPI};
use embassy_stm32::qspi::enums::{AddressSize, DummyCycles, MemorySize, QspiWidth};
use embassy_stm32::qspi::{Config, Qspi, TransferConfig};
use embassy_time::{Duration, Instant, Timer};
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

const SIZE: u32 = 16 * 1024 * 1024;
const SECTOR: u32 = 4_096;
const PAGE: u32 = 256;

const WRITE_ENABLE: u8 = 0x06;
const READ_STATUS: u8 = 0x05;
const READ: u8 = 0x03;
const PAGE_PROGRAM: u8 = 0x02;
const SECTOR_ERASE: u8 = 0x20;
const BUSY: u8 = 1 << 0;

/// Longest erasure of a sector of any such part is 400 ms.
const PATIENCE: Duration = Duration::from_millis(1_000);

type Pins = (
    Peri<'static, PD11>,
    Peri<'static, PD12>,
    Peri<'static, PE2>,
    Peri<'static, PD13>,
    Peri<'static, PB2>,
    Peri<'static, PB6>,
);

/// The flash chip.
pub struct Flash(Qspi<'static, QUADSPI, Blocking>);

/// What the flash refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not a multiple of the sector size.
    NotAligned,
    /// Beyond the end.
    OutOfBounds,
    /// The chip stays busy.
    Timeout,
}

impl NorFlashError for Error {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Error::NotAligned => NorFlashErrorKind::NotAligned,
            Error::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Error::Timeout => NorFlashErrorKind::Other,
        }
    }
}

fn transfer(instruction: u8, address: Option<u32>, data: bool) -> TransferConfig {
    let width = |used: bool| if used { QspiWidth::SING } else { QspiWidth::NONE };
    TransferConfig {
        iwidth: QspiWidth::SING,
        awidth: width(address.is_some()),
        dwidth: width(data),
        instruction,
        address,
        dummy: DummyCycles::_0,
    }
}

impl Flash {
    /// The chip on these pins: data 0 to 3, clock, select.
    pub fn new(peripheral: Peri<'static, QUADSPI>, (d0, d1, d2, d3, clock, select): Pins) -> Self {
        let mut config = Config::default();
        config.memory_size = MemorySize::_16MiB;
        config.address_size = AddressSize::_24bit;
        // 200 MHz / 5: below the 50 MHz of the plain READ command.
        config.prescaler = 4;
        Flash(Qspi::new_blocking_bank1(
            peripheral, d0, d1, d2, d3, clock, select, config,
        ))
    }

    fn check(offset: u32, length: usize, unit: u32) -> Result<u32, Error> {
        let length = u32::try_from(length).map_err(|_| Error::OutOfBounds)?;
        let end = offset
            .checked_add(length)
            .filter(|end| *end <= SIZE)
            .ok_or(Error::OutOfBounds)?;
        if offset.is_multiple_of(unit) && end.is_multiple_of(unit) {
            Ok(end)
        } else {
            Err(Error::NotAligned)
        }
    }

    /// Waits until the chip has done its work; other tasks run meanwhile.
    async fn ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut status = [0];
            self.0
                .blocking_read(&mut status, transfer(READ_STATUS, None, true));
            if status[0] & BUSY == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::Timeout);
            }
            Timer::after_micros(200).await;
        }
    }
}

impl ErrorType for Flash {
    type Error = Error;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        Self::check(offset, bytes.len(), 1)?;
        if !bytes.is_empty() {
            self.0.blocking_read(bytes, transfer(READ, Some(offset), true));
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        SIZE as usize
    }
}

impl NorFlash for Flash {
    // The chip can write single bytes; whole words keep the layout of the stores the same on every board.
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        let length = to.checked_sub(from).ok_or(Error::OutOfBounds)?;
        Self::check(from, length as usize, SECTOR)?;
        for sector in (from..to).step_by(SECTOR as usize) {
            self.0.blocking_command(transfer(WRITE_ENABLE, None, false));
            self.0
                .blocking_command(transfer(SECTOR_ERASE, Some(sector), false));
            self.ready().await?;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        Self::check(offset, bytes.len(), Self::WRITE_SIZE as u32)?;
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            // A program command wraps at the end of its page.
            let room = (PAGE - at % PAGE) as usize;
            let (page, more) = rest.split_at(room.min(rest.len()));
            self.0.blocking_command(transfer(WRITE_ENABLE, None, false));
            self.0
                .blocking_write(page, transfer(PAGE_PROGRAM, Some(at), true));
            self.ready().await?;
            at += page.len() as u32;
            rest = more;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}
