//! The analog lines: what their electronics hang on, and the output pins of each line.

use embassy_stm32::Peri;
use embassy_stm32::gpio::{AnyPin, Flex, Speed};
use gateway::budget::LINES;

use super::buses::{Bus, I2c, Select};
use super::hooks::Hooks;
use super::pcm::Pcm;
use crate::lines::circuit::Wiring;

/// An output pin.
pub type Pin = Flex<'static>;

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

/// An output that changes seldom.
pub fn output(pin: Peri<'static, AnyPin>, high: bool) -> Pin {
    let mut pin = Flex::new(pin);
    pin.set_level(high.into());
    pin.set_as_output(Speed::Low);
    pin
}

/// Output pins of a line: F/R, RM, PD, TEST. PD has a pull-up and is only pulled low.
pub fn wiring([forward, ring_mode, power, test]: [Peri<'static, AnyPin>; 4]) -> Wiring {
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
