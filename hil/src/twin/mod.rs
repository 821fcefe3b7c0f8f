//! Twins: the chips of the analog lines and of the ports with power, and what is plugged in there, as the box sees them.
//!
//! ```text
//! box in QEMU ─ UART1, PCM rings ─ server ─ Card ┬ Idt821034          Telephone (script, bell, display, FAX)
//!                                                ├ Ag1171 ×4 ─ Pair ×4 ┘
//!                                                ├ Ads1115
//!                                                ├ Ksz9477 ── the rig's switch
//!                                                └ Hub (Tps23861, PoweredDevice ×4)
//! ```
//!
//! Chips are modelled by their registers and pins, from data sheets and the drivers of Linux; each row of a twin names its
//! source, and what has none says so. The box's drivers are written without these models and share no table with them.
//! The lines' time is the box's: a frame of 125 µs goes by for each frame of its PCM. That of the ports with power is the
//! world's.

use crate::twin::pair::{Condition, Drive, Line, Pair, Terminals};
use ads1115::Ads1115;
use ag1171::{Ag1171, Pins};
use hil_wire::lines::{self, I2cFault, Octets, PORTS, Report, Request, input, output};
use hil_wire::pcm::{Block, FRAMES};
use hub::Hub;
use idt821034::Idt821034;
use ksz9477::Ksz9477;
use telephone::Telephone;

pub mod ads1115;
pub mod ag1171;
pub mod bell;
pub mod filter;
pub mod hub;
pub mod idt821034;
pub mod ksz9477;
pub mod pair;
pub mod peer;
pub mod powered;
pub mod script;
pub mod server;
pub mod telephone;
pub mod tps23861;

/// Faults of the buses and clocks; a number counts down with every transfer that it hurts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Nobody answers to an I2C address.
    pub no_address: u32,
    /// The octets written over I2C are not acknowledged.
    pub no_data: u32,
    /// SDA is held low.
    pub stuck: u32,
    /// SCL is held low: the transfer never ends.
    pub hangs: u32,
    /// One bit of what is read over I2C flips.
    pub i2c_flips: u32,
    /// One bit of what is written over SPI flips.
    pub spi_flips: u32,
    /// The PCM clock stands still.
    pub clock_stops: bool,
}

/// A port with its wires.
#[derive(Debug)]
pub struct Port {
    /// The SLIC.
    pub slic: Ag1171,
    /// The wires.
    pub pair: Pair,
    /// What is plugged in.
    pub set: Option<Telephone>,
    /// What is on the wires.
    pub line: Line,
    terminals: Terminals,
}

/// The electronics of four lines, their wires and sets.
#[derive(Debug)]
pub struct Card {
    /// The codec.
    pub codec: Idt821034,
    /// The converter of the line test.
    pub adc: Ads1115,
    /// The ports.
    pub ports: [Port; PORTS],
    /// The ports with power.
    pub hub: Hub,
    /// The hub's switch, if the story has one.
    pub switch: Option<Ksz9477>,
    /// Faults.
    pub faults: Faults,
    outputs: u32,
    inputs: u32,
    edges: Vec<(u32, u32)>,
}

/// Volts of the measuring bus with nothing on it: half the supply.
const IDLE: f64 = 1.65;

impl Default for Card {
    fn default() -> Self {
        Card::new()
    }
}

impl Card {
    /// As its power comes up, with nothing plugged in.
    pub fn new() -> Card {
        Card {
            codec: Idt821034::new(),
            adc: Ads1115::default(),
            ports: std::array::from_fn(|port| Port {
                slic: Ag1171::default(),
                pair: Pair::new(Condition::default(), port as u64 + 1),
                set: None,
                line: Line::default(),
                terminals: Terminals::default(),
            }),
            hub: Hub::default(),
            switch: None,
            faults: Faults::default(),
            // Pull resistors: F/R and PD high, RM and the relays low.
            outputs: ports(output::FORWARD) | ports(output::POWER),
            inputs: input::ALERT,
            edges: Vec::new(),
        }
    }

    /// Plugs a set in.
    pub fn plug(&mut self, port: usize, set: &Telephone) {
        if let Some(port) = self.ports.get_mut(port) {
            port.set = Some(set.clone());
        }
    }

    /// The supply dips: every chip forgets, and no port is fed any more.
    pub fn brown_out(&mut self) {
        self.hub.controller.brown_out();
        if let Some(switch) = &mut self.switch {
            switch.brown_out();
        }
        self.codec = Idt821034::new();
        self.adc = Ads1115::default();
        for port in &mut self.ports {
            port.slic = Ag1171::default();
        }
    }

    /// Is this light of the box on ([`output`])?
    pub fn is_lit(&self, light: u32) -> bool {
        self.outputs & light != 0
    }

    /// Levels of the input pins now.
    pub fn inputs(&self) -> u32 {
        self.inputs
    }

    /// Changes of the input pins since the last call: levels and frame.
    pub fn edges(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.edges)
    }

    /// What the board wants; the answer, if it gets one.
    pub fn request(&mut self, request: Request) -> Option<Report> {
        match request {
            Request::Outputs(levels) => {
                self.outputs = levels;
                None
            }
            Request::I2c {
                id,
                address,
                write,
                read,
            } => {
                if take(&mut self.faults.hangs) {
                    return None;
                }
                let result = self.i2c(address, &write, read.into());
                Some(Report::I2c { id, result })
            }
            Request::Spi { id, chip, write } => {
                let mut write = write.to_vec();
                if take(&mut self.faults.spi_flips) {
                    write.iter_mut().take(1).for_each(|octet| *octet ^= 0x04);
                }
                let read = match chip {
                    Some(lines::CODEC) => self.codec.spi(true, &write),
                    Some(lines::SWITCH) => match &mut self.switch {
                        Some(switch) => switch.spi(&write),
                        None => vec![0xFF; write.len()],
                    },
                    Some(_) => vec![0xFF; write.len()],
                    None => self.codec.spi(false, &write),
                };
                let read = Octets::from_slice(&read).unwrap_or_default();
                Some(Report::Spi { id, read })
            }
        }
    }

    fn i2c(&mut self, address: u8, write: &[u8], read: usize) -> Result<Octets, I2cFault> {
        if take(&mut self.faults.stuck) {
            return Err(I2cFault::Stuck);
        }
        if take(&mut self.faults.no_address) {
            return Err(I2cFault::NoAddress);
        }
        if take(&mut self.faults.no_data) {
            return Err(I2cFault::NoData);
        }
        match (address, write) {
            (lines::ADC | lines::PSE, _) => {}
            // The general call's reset.
            (0, [0x06]) if read == 0 => {
                self.adc = Ads1115::default();
                return Ok(Octets::new());
            }
            _ => return Err(I2cFault::NoAddress),
        }
        let pse = &mut self.hub.controller;
        let acknowledged = match address {
            _ if write.is_empty() => true,
            lines::PSE => pse.write(write),
            _ => self.adc.write(write),
        };
        if !acknowledged {
            return Err(I2cFault::NoData);
        }
        let mut octets = match (address, read.min(lines::TRANSFER)) {
            (_, 0) => return Ok(Octets::new()),
            (lines::PSE, read) => pse.read(read),
            (_, read) => self.adc.read(read),
        };
        if take(&mut self.faults.i2c_flips) {
            octets.iter_mut().take(1).for_each(|octet| *octet ^= 0x10);
        }
        Ok(Octets::from_slice(&octets).unwrap_or_default())
    }

    /// A block of frames goes by, whose first has this number.
    pub fn block(&mut self, down: &Block, first: u32) -> Block {
        let mut up = [0; FRAMES];
        for (number, (down, up)) in (first..).zip(down.iter().zip(&mut up)) {
            let octets = self.frame(&down.to_le_bytes(), number);
            *up = u32::from_le_bytes(octets);
        }
        up
    }

    fn frame(&mut self, down: &[u8; PORTS], number: u32) -> [u8; PORTS] {
        let voices = self.ports.each_ref().map(|port| port.line.voice);
        let (up, volts) = self.codec.frame(down, &voices);
        let mut bus = [IDLE; 4];
        let mut inputs = 0;
        for (n, (port, vin)) in self.ports.iter_mut().zip(volts).enumerate() {
            let on = |first: u32| self.outputs & first << n != 0;
            let feed = port.slic.feed(Pins {
                forward: on(output::FORWARD),
                ring_mode: on(output::RING_MODE),
                power: on(output::POWER),
            });
            let set = port.set.as_ref();
            let drive = set.map_or_else(Drive::default, |set| set.set().frame(port.terminals));
            let measured = on(output::TEST);
            (port.line, port.terminals) = port.pair.frame(feed, vin, drive, measured);
            port.slic.sense(port.line.sensed);
            if port.slic.shk() {
                inputs |= input::SHK << n;
            }
            if measured {
                let Line {
                    tip, ring, current, ..
                } = port.line;
                bus = [
                    IDLE + tip / 101.0,
                    IDLE + ring / 101.0,
                    IDLE + 10.0 * current,
                    IDLE,
                ];
            }
        }
        self.adc.frame(bus);
        if self.adc.alert() {
            inputs |= input::ALERT;
        }
        if inputs != self.inputs {
            self.inputs = inputs;
            self.edges.push((inputs, number));
        }
        up.try_into().unwrap_or([0xFF; PORTS])
    }
}

/// The bits of all ports, from that of port 0.
fn ports(first: u32) -> u32 {
    (0..PORTS).map(|port| first << port).sum()
}

/// Counts down; was there something left?
fn take(count: &mut u32) -> bool {
    let left = *count > 0;
    *count = count.saturating_sub(1);
    left
}
