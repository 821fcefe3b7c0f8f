//! Driver of the ADS1115 converter: see the README.
#![no_std]
#![forbid(unsafe_code)]

use embedded_hal_async::i2c::I2c;

/// 7-bit address with ADDR at ground (data sheet table 7-2).
pub const ADDRESS: u8 = 0x48;
/// Registers (data sheet table 8-1).
const CONVERSION: u8 = 0b00;
const CONFIG: u8 = 0b01;

/// Fields of the config register (data sheet table 8-3).
const START: u16 = 1 << 15;
const SINGLE: u16 = 1 << 8;
const NO_COMPARATOR: u16 = 0b11;
/// The bit that begins a conversion when written, and reads 1 when none is under way.
const READY: u16 = START;

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

/// How long a conversion takes, within 10 %. Its result is the mean over that time: the modulator's samples are averaged (data
/// sheet §9.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// 8 a second.
    Sps8 = 0b000,
    /// 860 a second.
    Sps860 = 0b111,
}

impl Rate {
    /// Of a conversion, microseconds.
    pub const fn micros(self) -> u64 {
        match self {
            Rate::Sps8 => 125_000,
            Rate::Sps860 => 1_163,
        }
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

    /// Begins a conversion; it sleeps after that. One that is under way goes on instead: [`result`](Self::result) comes first.
    pub async fn start(&mut self, input: Input, range: Range, rate: Rate) -> Result<(), Error<I::Error>> {
        let (input, range, rate) = (input as u16, range as u16, rate as u16);
        let settings = input << 12 | range << 9 | SINGLE | rate << 5 | NO_COMPARATOR;
        let [high, low] = (START | settings).to_be_bytes();
        let written = self.i2c.write(self.address, &[CONFIG, high, low]).await;
        written.map_err(Error::Bus)?;
        match self.register(CONFIG).await? & !READY == settings {
            true => Ok(()),
            false => Err(Error::Corrupted),
        }
    }

    /// The last conversion; `None` while one is under way.
    pub async fn result(&mut self) -> Result<Option<i16>, Error<I::Error>> {
        if self.register(CONFIG).await? & READY == 0 {
            return Ok(None);
        }
        Ok(Some(self.register(CONVERSION).await? as i16))
    }

    async fn register(&mut self, register: u8) -> Result<u16, Error<I::Error>> {
        let mut value = [0; 2];
        let read = self.i2c.write_read(self.address, &[register], &mut value).await;
        read.map_err(Error::Bus)?;
        Ok(u16::from_be_bytes(value))
    }
}
