//! Driver of the TPS23861 power sourcing controller: see the README.
#![no_std]
#![forbid(unsafe_code)]

mod regs;

use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::i2c::I2c;

/// Ports of a chip.
pub const PORTS: usize = 4;
/// 7-bit address with A3 at ground; with A3 high it is 0x28 (data sheet §7.3.13).
pub const ADDRESS: u8 = 0x20;

/// Between a change of mode or a power-off and a change of what is searched for, at least 1.2 ms (data sheet §7.5.10, §7.5.17).
const PROCESSING_US: u32 = 1_500;
/// It is tried so often.
const PROCESSING_LOOKS: usize = 4;
/// A port's inrush takes at most 60 ms (data sheet §7.5.14, TSTART): until then it must not be turned off.
const INRUSH_MS: u32 = 10;
const INRUSH_LOOKS: u8 = 8;

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The bus fails, or the chip does not acknowledge.
    Bus(E),
    /// Whoever answers is not the chip.
    Foreign,
    /// The settings are not what was written: it has started anew, or does not take them.
    Forgotten,
}

/// What detection has found at a port that is not fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// Nothing yet.
    Unknown,
    /// Nothing is plugged in.
    Open,
    /// A device that wants to be fed.
    Valid,
    /// Something that must not be fed: a short, a resistance too low or too high.
    Other,
    /// A transistor of the port is broken.
    Defect,
}

/// What classification has found (IEEE 802.3 table 33-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing yet.
    Unknown,
    /// 0 to 4.
    Of(u8),
    /// More current than any class has, or two classes in two events.
    Invalid,
}

/// Detection and classification of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Detection.
    pub detection: Detection,
    /// Classification.
    pub class: Class,
}

impl Status {
    /// From the register (data sheet §7.3.3).
    const fn of(register: u8) -> Status {
        let detection = match register & 0x0F {
            0 => Detection::Unknown,
            4 => Detection::Valid,
            6 => Detection::Open,
            8 => Detection::Defect,
            _ => Detection::Other,
        };
        let class = match register >> 4 {
            0 => Class::Unknown,
            class @ 1..=4 => Class::Of(class),
            5 | 6 => Class::Of(0),
            _ => Class::Invalid,
        };
        Status { detection, class }
    }
}

/// The current at which a port is cut; what is meant for a class leaves the class its power at the least voltage (data sheet
/// table 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// For class 1.
    Ma110 = 0b001,
    /// For class 2.
    Ma204 = 0b010,
    /// For classes 0 and 3.
    Ma374 = 0b000,
    /// For class 4, with twice the limit for the current while it lasts.
    Ma645 = 0b110,
}

impl Limit {
    /// That of a class.
    pub const fn of_class(class: u8) -> Limit {
        match class {
            1 => Limit::Ma110,
            2 => Limit::Ma204,
            4 => Limit::Ma645,
            _ => Limit::Ma374,
        }
    }
}

/// Ports that feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Power {
    register: u8,
}

impl Power {
    /// The port is turned on; its inrush may not be over.
    pub const fn is_enabled(self, port: usize) -> bool {
        port < PORTS && self.register & 1 << port != 0
    }

    /// The port has its voltage.
    pub const fn is_good(self, port: usize) -> bool {
        port < PORTS && self.register & 1 << (port + PORTS) != 0
    }
}

/// What was so since the events were read last. Ports are bits, port 1 the lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Turned off: less than 7.5 mA for 360 ms.
    pub disconnect: u8,
    /// Turned off: more than its [`Limit`] for 60 ms.
    pub overload: u8,
    /// Turned off: the current was limited for 60 ms.
    pub short: u8,
    /// Not turned on: the inrush took too long, or a last detection or classification failed.
    pub start: u8,
    /// Everything was turned off: the chip was too hot.
    pub thermal: bool,
    /// The chip has started anew.
    pub started: bool,
    /// Everything was turned off: the supply was too low.
    pub undervoltage: bool,
}

/// What a port draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Draw {
    /// Voltage.
    pub millivolts: u32,
    /// Current, microamperes.
    pub microamperes: u32,
}

impl Draw {
    /// Power.
    pub const fn milliwatts(self) -> u32 {
        (self.millivolts as u64 * self.microamperes as u64 / 1_000_000) as u32
    }
}

/// The controller.
pub struct Tps23861<I, D> {
    i2c: I,
    delay: D,
    address: u8,
    /// Fault, start and supply events that were read and not given yet: the chip forgets them when they are read.
    events: [u8; 3],
}

impl<I: I2c, D: DelayNs> Tps23861<I, D> {
    /// The controller at this 7-bit address.
    pub const fn new(i2c: I, delay: D, address: u8) -> Self {
        Tps23861 {
            i2c,
            delay,
            address,
            events: [0; 3],
        }
    }

    /// Sets it up. Ports that feed go on, and those that are off by order stay off, if it has kept its settings.
    pub async fn start(&mut self) -> Result<(), Error<I::Error>> {
        if self.read(regs::ID).await? >> 3 != regs::MAKER {
            return Err(Error::Foreign);
        }
        let general = self.read(regs::GENERAL).await?;
        if general & regs::SHUNT_250 != 0 {
            self.write(regs::GENERAL, general & !regs::SHUNT_250).await?;
        }
        let was_ours = self.read(regs::MODE).await? == regs::SEMI_AUTO;
        if !was_ours {
            self.write(regs::MODE, regs::SEMI_AUTO).await?;
            self.delay.delay_us(PROCESSING_US).await;
        }
        self.write(regs::DISCONNECT, regs::ALL).await?;
        self.write(regs::TWO_EVENT, regs::AFTER_CLASS_4).await?;
        let enabled = if was_ours {
            self.read(regs::ENABLE).await?
        } else {
            0
        };
        // Of a port that is off by order only the upper bit is set.
        let searches = !(enabled >> PORTS) | enabled & regs::ALL;
        self.enable(regs::ALL << PORTS | searches & regs::ALL).await?;
        self.check().await
    }

    /// Are the settings what was written?
    pub async fn check(&mut self) -> Result<(), Error<I::Error>> {
        let settings = [
            (regs::MODE, regs::SEMI_AUTO),
            (regs::DISCONNECT, regs::ALL),
            (regs::TWO_EVENT, regs::AFTER_CLASS_4),
        ];
        for (register, value) in settings {
            if self.read(register).await? != value {
                return Err(Error::Forgotten);
            }
        }
        Ok(())
    }

    /// Which ports feed.
    pub async fn power(&mut self) -> Result<Power, Error<I::Error>> {
        let register = self.read(regs::POWER_STATUS).await?;
        Ok(Power { register })
    }

    /// What was found at a port.
    pub async fn status(&mut self, port: usize) -> Result<Status, Error<I::Error>> {
        let register = self.read(of_port(regs::STATUS, port, 1)).await?;
        Ok(Status::of(register))
    }

    /// Ports at which devices are searched for, as bits; the others are off by order.
    pub async fn searches(&mut self) -> Result<u8, Error<I::Error>> {
        Ok(self.read(regs::ENABLE).await? & regs::ALL)
    }

    /// What happened since the last call that was no error.
    pub async fn events(&mut self) -> Result<Events, Error<I::Error>> {
        if self.read(regs::INTERRUPT).await? & regs::FAULTS != 0 {
            let [fault, start, supply] = self.events;
            let fault = fault | self.read(regs::FAULT_EVENT).await?;
            self.events = [fault, start, supply];
            let start = start | self.read(regs::START_EVENT).await?;
            self.events = [fault, start, supply];
            let supply = supply | self.read(regs::SUPPLY_EVENT).await?;
            self.events = [fault, start, supply];
        }
        let [fault, start, supply] = core::mem::take(&mut self.events);
        Ok(Events {
            disconnect: fault >> PORTS,
            overload: fault & regs::ALL,
            short: start >> PORTS,
            start: start & regs::ALL,
            thermal: supply & regs::TSD != 0,
            started: supply & regs::VDUV != 0,
            undervoltage: supply & regs::VPUV != 0,
        })
    }

    /// What a port draws; of one that does not feed it is old.
    pub async fn draw(&mut self, port: usize) -> Result<Draw, Error<I::Error>> {
        let current = self.measure(of_port(regs::CURRENT, port, 4)).await?;
        let voltage = self.measure(of_port(regs::VOLTAGE, port, 4)).await?;
        Ok(Draw {
            millivolts: millivolts(voltage),
            microamperes: current * 61_039 / 1_000,
        })
    }

    /// Voltage of the supply, millivolts.
    pub async fn supply(&mut self) -> Result<u32, Error<I::Error>> {
        Ok(millivolts(self.measure(regs::INPUT_VOLTAGE).await?))
    }

    /// Of the die, °C.
    pub async fn temperature(&mut self) -> Result<i16, Error<I::Error>> {
        let steps = self.read(regs::TEMPERATURE).await?;
        Ok(((i32::from(steps) * 652 - 20_000) / 1_000) as i16)
    }

    /// Feeds a port, once its device is found again and classified; what comes of it is in [`power`](Self::power) and
    /// [`events`](Self::events), half a second later at the latest.
    pub async fn on(&mut self, port: usize, limit: Limit) -> Result<(), Error<I::Error>> {
        let icut = of_port(regs::ICUT, port / 2, 1);
        let shift = 4 * (port % 2);
        let both = self.read(icut).await?;
        self.write(icut, both & !(0b111 << shift) | (limit as u8) << shift)
            .await?;
        let plus = self.read(regs::POE_PLUS).await?;
        let bit = bit(port) << PORTS;
        let plus = if limit == Limit::Ma645 {
            plus | bit
        } else {
            plus & !bit
        };
        self.write(regs::POE_PLUS, plus).await?;
        self.write(regs::POWER, bit >> PORTS).await
    }

    /// Feeds a port no more, and searches for a device there again if it is to.
    pub async fn off(&mut self, port: usize, search: bool) -> Result<(), Error<I::Error>> {
        for _ in 0..INRUSH_LOOKS {
            let power = self.power().await?;
            if !power.is_enabled(port) || power.is_good(port) {
                break;
            }
            self.delay.delay_ms(INRUSH_MS).await;
        }
        self.write(regs::POWER, bit(port) << PORTS).await?;
        self.search(port, search).await
    }

    /// Searches for a device at a port; if it is not to, the port is off by order, which the chip remembers.
    pub async fn search(&mut self, port: usize, search: bool) -> Result<(), Error<I::Error>> {
        self.delay.delay_us(PROCESSING_US).await;
        let enabled = self.read(regs::ENABLE).await? | bit(port) << PORTS;
        let enabled = match search {
            true => enabled | bit(port),
            false => enabled & !bit(port),
        };
        self.enable(enabled).await
    }

    /// What is searched for. The chip does not take it while it is at work on something before.
    async fn enable(&mut self, enabled: u8) -> Result<(), Error<I::Error>> {
        for _ in 0..PROCESSING_LOOKS {
            self.write(regs::ENABLE, enabled).await?;
            if self.read(regs::ENABLE).await? == enabled {
                return Ok(());
            }
            self.delay.delay_us(PROCESSING_US).await;
        }
        Err(Error::Forgotten)
    }

    async fn measure(&mut self, register: u8) -> Result<u32, Error<I::Error>> {
        let mut value = [0; 2];
        let read = self.i2c.write_read(self.address, &[register], &mut value).await;
        read.map_err(Error::Bus)?;
        Ok(u32::from(u16::from_le_bytes(value) & 0x3FFF))
    }

    async fn read(&mut self, register: u8) -> Result<u8, Error<I::Error>> {
        let mut value = [0];
        let read = self.i2c.write_read(self.address, &[register], &mut value).await;
        read.map_err(Error::Bus)?;
        let [value] = value;
        Ok(value)
    }

    async fn write(&mut self, register: u8, value: u8) -> Result<(), Error<I::Error>> {
        let written = self.i2c.write(self.address, &[register, value]).await;
        written.map_err(Error::Bus)
    }
}

/// The register of a port that is in range; port 4's for one that is not.
const fn of_port(first: u8, port: usize, step: u8) -> u8 {
    let port = if port < PORTS { port as u8 } else { PORTS as u8 - 1 };
    first + step * port
}

/// The bit of a port; none for one that is not there.
const fn bit(port: usize) -> u8 {
    if port < PORTS { 1 << port } else { 0 }
}

const fn millivolts(steps: u32) -> u32 {
    steps * 3_662 / 1_000
}
