//! Driver of the ADS1115 converter: see the README.
#![no_std]
#![forbid(unsafe_code)]

use embedded_hal_async::i2c::I2c;

/// 7-bit address with ADDR at ground (data sheet table 7-2).
pub const ADDRESS: u8 = 0x48;
/// Conversions a second; a conversion takes the time that this leaves it.
pub const RATE: u32 = 860;

/// Registers (data sheet table 8-1).
const CONVERSION: u8 = 0b00;
const CONFIG: u8 = 0b01;

/// Fields of the config register (data sheet table 8-3).
const CONTINUOUS: u16 = 0 << 8;
const SINGLE: u16 = 1 << 8;
const RATE_860: u16 = 0b111 << 5;
const NO_COMPARATOR: u16 = 0b11;
/// All but the bit that reads as "no conversion under way".
const SETTINGS: u16 = 0x7FFF;

/// What is measured: an input against AIN3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// AIN0.
    A0 = 0b001,
    /// AIN1.
    A1 = 0b010,
    /// AIN2.
    A2 = 0b011,
}

/// Full scale, of the gain amplifier; the inputs stay between ground and supply all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// ±2.048 V.
    Mv2048 = 0b010,
    /// ±0.512 V.
    Mv512 = 0b100,
}

impl Range {
    /// What a reading means, in nanovolts.
    pub const fn nanovolts(self, reading: i16) -> i32 {
        let step = match self {
            Range::Mv2048 => 62_500,
            Range::Mv512 => 15_625,
        };
        reading as i32 * step
    }
}

/// Why there is no measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The bus fails, or the chip does not acknowledge.
    Bus(E),
    /// The settings are not what was written.
    Corrupted,
}

/// The converter.
pub struct Ads1115<I> {
    i2c: I,
    address: u8,
}

impl<I: I2c> Ads1115<I> {
    /// The converter at this 7-bit address.
    pub const fn new(i2c: I, address: u8) -> Self {
        Ads1115 { i2c, address }
    }

    /// Converts from now on, [`RATE`] times a second. The first conversion is there after one and a half of that time.
    pub async fn start(&mut self, input: Input, range: Range) -> Result<(), Error<I::Error>> {
        self.configure((input as u16) << 12 | (range as u16) << 9 | CONTINUOUS)
            .await
    }

    /// Goes to sleep after the conversion under way.
    pub async fn stop(&mut self) -> Result<(), Error<I::Error>> {
        self.configure((Range::Mv2048 as u16) << 9 | SINGLE).await
    }

    /// The last conversion.
    pub async fn read(&mut self) -> Result<i16, Error<I::Error>> {
        self.register(CONVERSION).await.map(i16::from_be_bytes)
    }

    async fn configure(&mut self, settings: u16) -> Result<(), Error<I::Error>> {
        let settings = settings | RATE_860 | NO_COMPARATOR;
        let [high, low] = settings.to_be_bytes();
        let written = self.i2c.write(self.address, &[CONFIG, high, low]).await;
        written.map_err(Error::Bus)?;
        let read = u16::from_be_bytes(self.register(CONFIG).await?);
        match read & SETTINGS == settings {
            true => Ok(()),
            false => Err(Error::Corrupted),
        }
    }

    async fn register(&mut self, register: u8) -> Result<[u8; 2], Error<I::Error>> {
        let mut value = [0; 2];
        let read = self.i2c.write_read(self.address, &[register], &mut value).await;
        read.map_err(Error::Bus)?;
        Ok(value)
    }
}
