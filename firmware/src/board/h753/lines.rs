//! The analog lines' electronics: the codec's serial control interface on SPI3, the converter on I2C1, switch hooks on EXTI 0 to
//! 3, and output pins.

use embassy_futures::select::select_array;
use embassy_stm32::exti::{self, ExtiInput};
use embassy_stm32::gpio::{AnyPin, Flex, Pull, Speed};
use embassy_stm32::i2c::{self, Master};
use embassy_stm32::mode::Async;
use embassy_stm32::peripherals as of;
use embassy_stm32::time::Hertz;
use embassy_stm32::{Peri, bind_interrupts, dma, interrupt, spi};
use embassy_time::Instant;
use gateway::budget::LINES;

use super::pcm::Pcm;
use crate::lines::circuit::{Edge, Wiring};

bind_interrupts!(struct Irqs {
    DMA1_STREAM0 => dma::InterruptHandler<of::DMA1_CH0>;
    DMA1_STREAM1 => dma::InterruptHandler<of::DMA1_CH1>;
    DMA1_STREAM2 => dma::InterruptHandler<of::DMA1_CH2>;
    DMA1_STREAM3 => dma::InterruptHandler<of::DMA1_CH3>;
    I2C1_EV => i2c::EventInterruptHandler<of::I2C1>;
    I2C1_ER => i2c::ErrorInterruptHandler<of::I2C1>;
    EXTI0 => exti::InterruptHandler<interrupt::typelevel::EXTI0>;
    EXTI1 => exti::InterruptHandler<interrupt::typelevel::EXTI1>;
    EXTI2 => exti::InterruptHandler<interrupt::typelevel::EXTI2>;
    EXTI3 => exti::InterruptHandler<interrupt::typelevel::EXTI3>;
});

/// SPI to the codec.
pub type Bus = spi::Spi<'static, Async, spi::mode::Master>;
/// I2C to the converter.
pub type I2c = i2c::I2c<'static, Async, Master>;
/// An output pin.
pub type Pin = Flex<'static>;
/// CS of the codec.
pub type Select = Flex<'static>;

/// The codec's control clock; it takes 8.192 MHz.
const SPI_CLOCK: Hertz = Hertz(2_000_000);
/// The converter's.
const I2C_CLOCK: Hertz = Hertz(400_000);

/// The electronics of the lines.
pub struct Lines {
    /// SPI to the codec.
    pub bus: Bus,
    /// CS of the codec.
    pub select: Select,
    /// I2C to the converter.
    pub i2c: I2c,
    /// Pins of each line.
    pub wiring: [Wiring; LINES],
    /// The switch hooks.
    pub hooks: Hooks,
    /// The PCM highway.
    pub pcm: Pcm,
}

/// What SPI3 is made of: clock, data out, data in, CS, and two DMA channels.
pub struct Spi3 {
    pub spi: Peri<'static, of::SPI3>,
    pub sck: Peri<'static, of::PC10>,
    pub mosi: Peri<'static, of::PC12>,
    pub miso: Peri<'static, of::PC11>,
    pub select: Peri<'static, of::PA15>,
    pub dma: (Peri<'static, of::DMA1_CH0>, Peri<'static, of::DMA1_CH1>),
}

impl Spi3 {
    /// Mode 0.
    pub fn start(self) -> (Bus, Select) {
        let mut config = spi::Config::default();
        config.frequency = SPI_CLOCK;
        let (tx, rx) = self.dma;
        let bus = spi::Spi::new(self.spi, self.sck, self.mosi, self.miso, tx, rx, Irqs, config);
        let mut select = Flex::new(self.select);
        select.set_high();
        select.set_as_output(Speed::Medium);
        (bus, select)
    }
}

/// What I2C1 is made of: clock, data, and two DMA channels.
pub struct I2c1 {
    pub i2c: Peri<'static, of::I2C1>,
    pub scl: Peri<'static, of::PB8>,
    pub sda: Peri<'static, of::PB9>,
    pub dma: (Peri<'static, of::DMA1_CH2>, Peri<'static, of::DMA1_CH3>),
}

impl I2c1 {
    pub fn start(self) -> I2c {
        let mut config = i2c::Config::default();
        config.frequency = I2C_CLOCK;
        let (tx, rx) = self.dma;
        i2c::I2c::new(self.i2c, self.scl, self.sda, tx, rx, Irqs, config)
    }
}

/// Output pins of a line: F/R, RM, PD, TEST. PD has a pull-up and is only pulled low.
pub fn wiring([forward, ring_mode, power, test]: [Peri<'static, AnyPin>; 4]) -> Wiring {
    let output = |pin, high: bool| {
        let mut pin = Flex::new(pin);
        pin.set_level(high.into());
        pin.set_as_output(Speed::Low);
        pin
    };
    let mut power = Flex::new(power);
    power.set_high();
    power.set_as_input_output(Speed::Low);
    Wiring {
        forward: output(forward, true),
        ring_mode: output(ring_mode, false),
        power,
        test: output(test, false),
    }
}

/// SHK of all lines.
pub struct Hooks {
    pins: [ExtiInput<'static, Async>; LINES],
    closed: [bool; LINES],
}

/// SHK of each line, on EXTI 0 to 3.
pub struct HookPins {
    pub pins: (
        Peri<'static, of::PG0>,
        Peri<'static, of::PG1>,
        Peri<'static, of::PG2>,
        Peri<'static, of::PG3>,
    ),
    pub exti: (
        Peri<'static, of::EXTI0>,
        Peri<'static, of::EXTI1>,
        Peri<'static, of::EXTI2>,
        Peri<'static, of::EXTI3>,
    ),
}

impl HookPins {
    pub fn start(self) -> Hooks {
        let HookPins { pins, exti } = self;
        Hooks {
            pins: [
                ExtiInput::new(pins.0, exti.0, Pull::None, Irqs),
                ExtiInput::new(pins.1, exti.1, Pull::None, Irqs),
                ExtiInput::new(pins.2, exti.2, Pull::None, Irqs),
                ExtiInput::new(pins.3, exti.3, Pull::None, Irqs),
            ],
            closed: [false; LINES],
        }
    }
}

impl Hooks {
    /// The next edge.
    pub async fn edge(&mut self) -> Edge {
        loop {
            let lines = (0..).zip(self.pins.iter().zip(&mut self.closed));
            for (line, (pin, closed)) in lines {
                if pin.is_high() != *closed {
                    *closed = !*closed;
                    return Edge {
                        line,
                        closed: *closed,
                        at: Instant::now(),
                    };
                }
            }
            select_array(self.pins.each_mut().map(ExtiInput::wait_for_any_edge)).await;
        }
    }
}
