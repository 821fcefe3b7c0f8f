//! The analog lines' electronics as the board sees them: what is wired to which pin, and what travels over UART1.
//!
//! ```text
//!            pins          two wires                       I2C
//! processor ──────► Ag1171 ────┬──── telephone   processor ───► ADS1115 (0x48, ADDR to GND)
//!     │ SPI, PCM      ▲        │ relay TEST                      ▲ AIN0 tip, AIN1 ring, AIN2 current,
//!     └──────────► IDT821034   └──── measuring bus ──────────────┘ AIN3 reference
//! ```
//!
//! - Port `n` is channel `n` of the codec ([`CODEC`]), whose analog side is at VIN and VOUT of Ag1171 `n`.
//! - Relay TEST of a port puts its wires on the measuring bus, without taking them from the SLIC; one port at a time.
//!   A SLIC in power-down leaves its wires alone, which is how a foreign voltage is measured.
//! - The bus carries each wire, against ground, through 10 MΩ over 100 kΩ to the reference of half the supply (1.65 V):
//!   AIN0 - AIN3 is the voltage of tip and AIN1 - AIN3 that of ring, each divided by 101. AIN2 - AIN3 is the loop
//!   current at 10 Ω in the ring wire, positive while it flows from tip through the telephone to ring.
//! - PD has a pull-up and is driven by an open drain: a 1 lets it go.

use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Analog ports.
pub const PORTS: usize = 4;

/// Chip select of the IDT821034.
pub const CODEC: u8 = 0;
/// Chip select of the KSZ9477, the hub's switch.
pub const SWITCH: u8 = 1;
/// I2C address of the ADS1115.
pub const ADC: u8 = 0x48;
/// I2C address of the TPS23861 that feeds the hub's ports (A3 at ground); its INT is not wired.
pub const PSE: u8 = 0x20;

/// Bits of [`Request::Outputs`].
pub mod output {
    /// F/R of port 0; the ports follow bit by bit.
    pub const FORWARD: u32 = 1 << 0;
    /// RM of port 0.
    pub const RING_MODE: u32 = 1 << 4;
    /// PD of port 0; 0 powers the SLIC down.
    pub const POWER: u32 = 1 << 8;
    /// Relay TEST of port 0.
    pub const TEST: u32 = 1 << 12;
    /// The lights of the box: the line is up.
    pub const LIGHT_UP: u32 = 1 << 16;
    /// The box goes by itself.
    pub const LIGHT_SURVIVAL: u32 = 1 << 17;
    /// An emergency call has no way out.
    pub const LIGHT_NO_EMERGENCY: u32 = 1 << 18;
}

/// Bits of [`Report::Inputs`].
pub mod input {
    /// SHK of port 0; the ports follow bit by bit.
    pub const SHK: u32 = 1 << 0;
    /// ALERT/RDY of the ADS1115 (it has a pull-up).
    pub const ALERT: u32 = 1 << 4;
}

/// The most octets of a transfer.
pub const TRANSFER: usize = 16;

/// What is transferred.
pub type Octets = Vec<u8, TRANSFER>;

/// From the board to the twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// An I2C transfer: START, the octets to write if there are any, then (after a repeated START) those to read if
    /// there are any, STOP.
    I2c {
        /// Comes back with the answer: one that comes after the board has given up is known by it.
        id: u8,
        /// 7-bit address.
        address: u8,
        /// Octets to write.
        write: Octets,
        /// How many to read.
        read: u8,
    },
    /// An SPI transfer, as many octets in as out.
    Spi {
        /// As for I2C.
        id: u8,
        /// Chip that is selected for its whole length; `None`: clocks with no chip selected.
        chip: Option<u8>,
        /// Octets to write.
        write: Octets,
    },
    /// Levels of all output pins from now on ([`output`]).
    Outputs(u32),
}

/// From the twin to the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// An I2C transfer has ended.
    I2c {
        /// Whose answer it is.
        id: u8,
        /// What was read.
        result: Result<Octets, I2cFault>,
    },
    /// An SPI transfer has ended.
    Spi {
        /// Whose answer it is.
        id: u8,
        /// What was read.
        read: Octets,
    },
    /// Levels of all input pins since a frame ([`input`]); one report an edge, in their order.
    Inputs {
        /// The levels.
        levels: u32,
        /// Number of the 8 kHz frame: the PCM block's number times [`FRAMES`](crate::pcm::FRAMES) and the frame in it,
        /// wrapping.
        frame: u32,
    },
}

/// How an I2C transfer fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum I2cFault {
    /// Nobody answered to the address.
    NoAddress,
    /// An octet was not acknowledged.
    NoData,
    /// SDA or SCL is held low by somebody.
    Stuck,
}

/// How long the board waits for the answer of a transfer, milliseconds; a bus that hangs never answers.
pub const ANSWER_MS: u64 = 500;
