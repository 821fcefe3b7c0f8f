//! SPI3 and I2C1 to codec and converter of the analog lines, SPI1 and I2C2 to switch and power controller of the hub.

use embassy_embedded_hal::SetConfig;
use embassy_stm32::gpio::{AnyPin, Flex, Speed};
use embassy_stm32::i2c::{self, Master};
use embassy_stm32::mode::Async;
use embassy_stm32::peripherals as of;
use embassy_stm32::time::Hertz;
use embassy_stm32::{Peri, bind_interrupts, dma, spi};
use embassy_time::{Duration, block_for};
use embedded_hal_async::i2c as hal;

bind_interrupts!(struct Irqs {
    DMA1_STREAM0 => dma::InterruptHandler<of::DMA1_CH0>;
    DMA1_STREAM1 => dma::InterruptHandler<of::DMA1_CH1>;
    DMA1_STREAM2 => dma::InterruptHandler<of::DMA1_CH2>;
    DMA1_STREAM3 => dma::InterruptHandler<of::DMA1_CH3>;
    DMA1_STREAM6 => dma::InterruptHandler<of::DMA1_CH6>;
    DMA1_STREAM7 => dma::InterruptHandler<of::DMA1_CH7>;
    DMA2_STREAM0 => dma::InterruptHandler<of::DMA2_CH0>;
    DMA2_STREAM1 => dma::InterruptHandler<of::DMA2_CH1>;
    I2C1_EV => i2c::EventInterruptHandler<of::I2C1>;
    I2C1_ER => i2c::ErrorInterruptHandler<of::I2C1>;
    I2C2_EV => i2c::EventInterruptHandler<of::I2C2>;
    I2C2_ER => i2c::ErrorInterruptHandler<of::I2C2>;
});

/// An SPI.
pub type Bus = spi::Spi<'static, Async, spi::mode::Master>;
/// A chip select.
pub type Select = Flex<'static>;

/// The codec takes 8.192 MHz.
const CODEC_CLOCK: Hertz = Hertz(2_000_000);
/// The switch takes 50 MHz.
const SWITCH_CLOCK: Hertz = Hertz(12_500_000);
/// Both chips take 400 kHz.
const I2C_CLOCK: Hertz = Hertz(400_000);
/// No transfer takes longer than 0.2 ms. The driver waits so long in a loop for a bus that is busy.
const I2C_PATIENCE: Duration = Duration::from_millis(5);

/// Mode 0, which is the default.
fn mode_0(frequency: Hertz) -> spi::Config {
    let mut config = spi::Config::default();
    config.frequency = frequency;
    config
}

fn fast() -> i2c::Config {
    let mut config = i2c::Config::default();
    config.frequency = I2C_CLOCK;
    config.timeout = I2C_PATIENCE;
    config
}

/// Lets a chip finish that the processor's reset cut short: it may hold SDA low until its octet is over (UM10204 §3.1.16).
fn clear(scl: Peri<'_, AnyPin>) {
    let mut scl = Flex::new(scl);
    scl.set_high();
    scl.set_as_input_output(Speed::Low);
    for _ in 0..9 {
        for set in [Flex::set_low, Flex::set_high] {
            set(&mut scl);
            block_for(Duration::from_micros(5));
        }
    }
}

/// An I2C.
pub struct I2c(i2c::I2c<'static, Async, Master>);

impl I2c {
    /// After a transfer that hung the peripheral starts anew: without PE its state machine, START and BUSY are reset (RM0433, I2C,
    /// software reset), for which the driver would wait in a loop the next time.
    fn settle(&mut self, done: Result<(), i2c::Error>) -> Result<(), i2c::Error> {
        if done == Err(i2c::Error::Timeout) {
            // It clears PE and sets it again, and cannot fail.
            let _ = self.0.set_config(&I2C_CLOCK);
        }
        done
    }
}

impl hal::ErrorType for I2c {
    type Error = i2c::Error;
}

impl hal::I2c for I2c {
    async fn write(&mut self, address: u8, write: &[u8]) -> Result<(), i2c::Error> {
        let done = self.0.write(address, write).await;
        self.settle(done)
    }

    async fn write_read(&mut self, address: u8, write: &[u8], read: &mut [u8]) -> Result<(), i2c::Error> {
        let done = self.0.write_read(address, write, read).await;
        self.settle(done)
    }

    async fn transaction(
        &mut self,
        address: u8,
        operations: &mut [hal::Operation<'_>],
    ) -> Result<(), i2c::Error> {
        let done = self.0.transaction(address, operations).await;
        self.settle(done)
    }
}

/// A chip select, at rest.
fn select(pin: Peri<'static, AnyPin>) -> Select {
    let mut select = Flex::new(pin);
    select.set_high();
    select.set_as_output(Speed::Medium);
    select
}

/// The codec's: clock, data out, data in, CS, and two DMA channels.
pub struct Spi3 {
    pub spi: Peri<'static, of::SPI3>,
    pub sck: Peri<'static, of::PC10>,
    pub mosi: Peri<'static, of::PC12>,
    pub miso: Peri<'static, of::PC11>,
    pub select: Peri<'static, of::PA15>,
    pub dma: (Peri<'static, of::DMA1_CH0>, Peri<'static, of::DMA1_CH1>),
}

impl Spi3 {
    pub fn start(self) -> (Bus, Select) {
        let (tx, rx) = self.dma;
        let config = mode_0(CODEC_CLOCK);
        let bus = spi::Spi::new(self.spi, self.sck, self.mosi, self.miso, tx, rx, Irqs, config);
        (bus, select(self.select.into()))
    }
}

/// The switch's.
pub struct Spi1 {
    pub spi: Peri<'static, of::SPI1>,
    pub sck: Peri<'static, of::PA5>,
    pub mosi: Peri<'static, of::PB5>,
    pub miso: Peri<'static, of::PA6>,
    pub select: Peri<'static, of::PA4>,
    pub dma: (Peri<'static, of::DMA1_CH6>, Peri<'static, of::DMA1_CH7>),
}

impl Spi1 {
    pub fn start(self) -> (Bus, Select) {
        let (tx, rx) = self.dma;
        let config = mode_0(SWITCH_CLOCK);
        let bus = spi::Spi::new(self.spi, self.sck, self.mosi, self.miso, tx, rx, Irqs, config);
        (bus, select(self.select.into()))
    }
}

/// The converter's: clock, data, and two DMA channels.
pub struct I2c1 {
    pub i2c: Peri<'static, of::I2C1>,
    pub scl: Peri<'static, of::PB8>,
    pub sda: Peri<'static, of::PB9>,
    pub dma: (Peri<'static, of::DMA1_CH2>, Peri<'static, of::DMA1_CH3>),
}

impl I2c1 {
    pub fn start(mut self) -> I2c {
        clear(self.scl.reborrow().into());
        let (tx, rx) = self.dma;
        I2c(i2c::I2c::new(self.i2c, self.scl, self.sda, tx, rx, Irqs, fast()))
    }
}

/// That of the power controller, which is on the other side of an isolator.
pub struct I2c2 {
    pub i2c: Peri<'static, of::I2C2>,
    pub scl: Peri<'static, of::PF1>,
    pub sda: Peri<'static, of::PF0>,
    pub dma: (Peri<'static, of::DMA2_CH0>, Peri<'static, of::DMA2_CH1>),
}

impl I2c2 {
    pub fn start(mut self) -> I2c {
        clear(self.scl.reborrow().into());
        let (tx, rx) = self.dma;
        I2c(i2c::I2c::new(self.i2c, self.scl, self.sda, tx, rx, Irqs, fast()))
    }
}
