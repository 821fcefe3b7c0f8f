//! TPS23861, which feeds four ports, as its I2C and its ports show it.
//!
//! *DS*: sections of SLUSBX9I (its Chinese and Japanese editions have the same text); *API*: TI's C header for it
//! (`truptimr/m1_eph_fw`, `SSC/scr/TPS238x.h`); *Linux*: `drivers/hwmon/tps23861.c`; *e2e*: TI's forum.
//!
//! | row | value | source |
//! |---|---|---|
//! | 00 interrupt: SUPF, STRTF, IFAULT, CLASC, DETC, DISF, PGC, PEC, as long as an event register has a bit of it | | API |
//! | 01 its mask at reset: SUPF; INT is not wired here | 80h | unverified (TPS23881's) |
//! | 02, 04, 06, 08, 0A events, read only; one further the same, cleared by reading | | API; DS §7.5.6 |
//! | 02 power: PGC4-1, PEC4-1; 04 detection: CLSC, DETC; 06 fault: DISF, ICUT; 08 start: ILIM, STRT | | API; DS §7.5.6 |
//! | 0A supply: TSD 7, VDUV 5, VPUV 4; at reset VDUV and VPUV | 30h | API; the value at reset: unverified |
//! | 0C-0F class (4 bits), detection (4 bits), cleared when the port is turned off | | DS §7.3.3, §7.5.8 |
//! | 10 PG4-1, PE4-1, cleared by every fault | | API; DS §7.5.14 |
//! | 11 AUTO and address, from the EEPROM | | API; e2e 723201 |
//! | 12 mode, two bits a port: off, manual, semi-auto, auto; at reset off, or auto with AUTO | 00h, FFh | DS §7.5.10; e2e 723201 |
//! | 13 disconnect enable; 14 CLE4-1, DETE4-1, which do not stick in off mode | 00h; with AUTO 0Fh, FFh | API; DS §7.4.4; values with AUTO: unverified |
//! | 14 written within 1.2 ms after a power-off or a change of mode from off: lost | | the 1.2 ms: DS §7.5.10, §7.5.17; that it is lost: unverified |
//! | 16 TLIM, TSTART, TICUT, TDIS: kept, here always 60, 60, 60 and 360 ms | 00h | DS §7.5.14; API |
//! | 19 POFF, PWON; both: off; PWON ignored in off mode, in auto mode and while it cools down | | DS §7.5.17, §7.4.5 |
//! | POFF clears 0C-0F, 08 and the port's DETE and CLE | | DS §7.5.8, §7.5.6; DETE and CLE: unverified, from the notes of §7.5.8 and §7.5.17 |
//! | 1A RESAL 4, CLRAIN 7, RESP4-1 | | API; RESP is like POFF: unverified |
//! | 1B maker and version | 52h | API |
//! | 21 second event after class 4, two bits a port | 00h; with AUTO 55h | API; e2e 893075 |
//! | 2A, 2B where it is cut, 374, 110, 204, 374, 754, 592, 645, 920 mA | 00h | API; DS table 15 |
//! | 2C temperature, 0.652 °C from -20 °C; 2E VPWR, 3.662 mV; 30 current, 61.039 µA, and 32 voltage of each port, 14 bits | | Linux; API |
//! | 40 POEP4-1: twice the limit | 00h | API |
//! | 43 device | E2h | e2e 499788 |
//! | 60 resistance found, 11.0966 Ω, of each port; 01 in its upper bits a short, 10 open | | API; Linux |
//! | octets beyond the first of a register: the following registers | | Linux reads pairs so; more: unverified |
//! | manual mode: DETE and CLE do nothing here | | not modelled |
//! | semi-auto: as long as a port is off and DETE is set it detects, then with CLE classifies, again and again | | DS §7.4.3 |
//! | PWON there: fed after the next good detection and classification; a bad one: STRT | with CLE alone never | DS §7.4.3, §7.4.5 |
//! | auto: fed after those by itself, with ICUT 374 or 645 mA and POEP by class | | DS §7.4.4 |
//! | a port that feeds stays so when its mode changes, but to off | | unverified |
//! | detection 300 ms, classification 50 ms an event | IEEE 802.3 allows 500 and 75 ms | unverified |
//! | detection: short under 350 Ω, low up to 19 kΩ, good up to 26.5 kΩ, high up to 55 kΩ, open | between the limits of DS: these | DS §6.5 |
//! | class by current: 0 up to 6.5 mA, 1 up to 14.5, 2 up to 23, 3 up to 33, 4 up to 48, beyond it overcurrent | middle of the limits | DS §6.5 |
//! | inrush at 425 mA for at most 60 ms, else STRT | | 60 ms: DS §7.5.14; 425 mA: unverified |
//! | current limit 425 mA, with POEP 850 mA, for 60 ms, then ILIM | | time: DS §7.5.14; values: unverified |
//! | more than ICUT for 60 ms: ICUT; less: the time comes back at 1/16 | | DS §7.5.14, table 15 |
//! | less than 7.5 mA for 360 ms with DCDE: DISF; a millisecond above it: from the beginning | | API; the millisecond: unverified |
//! | cool-down after STRT, ICUT, ILIM: 1 s; nothing is detected, PWON is ignored | | DS §7.4.3; API |
//! | VPWR under 26.5 V: all ports off, VPUV | | DS §6.5 |
//! | at 150 °C all ports off, TSD; again under 130 °C | | unverified |
//! | short at a port that is off and should be: MOSFET fault (8) | not modelled | |

use super::powered::PoweredDevice;

/// Ports.
pub const PORTS: usize = 4;

const DETECT_MS: u32 = 300;
const CLASS_MS: u32 = 50;
const FAULT_MS: u32 = 60;
const DISCONNECT_MS: u32 = 360;
const COOL_MS: u32 = 1_000;
const LIMIT: f64 = 0.425;
const KEEP: f64 = 0.007_5;
const ICUT: [f64; 8] = [0.374, 0.110, 0.204, 0.374, 0.754, 0.592, 0.645, 0.920];
const VPUV: f64 = 26.5;
const HOT: f64 = 150.0;
const COLD: f64 = 130.0;

/// Modes.
const OFF: u8 = 0;
const MANUAL: u8 = 1;
const SEMI_AUTO: u8 = 2;
const AUTO: u8 = 3;

/// Event registers, by their number halved.
const POWER: usize = 0;
const DETECTION: usize = 1;
const FAULT: usize = 2;
const START: usize = 3;
const SUPPLY: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Idle,
    Detecting(u32),
    Classifying(u32),
    /// Milliseconds, and coulombs that the capacitor has got.
    Inrush(u32, f64),
    On,
    Cooling(u32),
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    phase: Phase,
    /// PWON waits for a good device.
    pushed: bool,
    class: u8,
    detection: u8,
    resistance: u16,
    /// Time above ICUT and at the limit in sixteenths of a millisecond, and below the least current in milliseconds.
    over: u32,
    limited: u32,
    idle: u32,
    amperes: f64,
    /// Since it has got its voltage, ms.
    fed: u32,
}

impl Channel {
    const NEW: Channel = Channel {
        phase: Phase::Idle,
        pushed: false,
        class: 0,
        detection: 0,
        resistance: 0,
        over: 0,
        limited: 0,
        idle: 0,
        amperes: 0.0,
        fed: 0,
    };

    fn is_enabled(&self) -> bool {
        matches!(self.phase, Phase::Inrush(..) | Phase::On)
    }
}

/// The chip.
#[derive(Debug, Clone)]
pub struct Tps23861 {
    /// AUTO, in its EEPROM: set as it is shipped.
    auto: bool,
    /// VPWR, volts.
    pub volts: f64,
    /// Of the die, °C.
    pub celsius: f64,
    pointer: u8,
    /// Those that are only kept.
    registers: [u8; 0x70],
    events: [u8; 5],
    channels: [Channel; PORTS],
    /// Milliseconds in which 14h cannot be written.
    settling: u32,
    is_hot: bool,
}

impl Tps23861 {
    /// As its power comes up.
    pub fn new(auto: bool) -> Tps23861 {
        let mut registers = [0; 0x70];
        registers[0x01] = 0x80;
        registers[0x11] = if auto { 0xA0 } else { 0x20 };
        registers[0x1B] = 0x52;
        registers[0x43] = 0xE2;
        if auto {
            (registers[0x12], registers[0x13], registers[0x14]) = (0xFF, 0x0F, 0xFF);
            registers[0x21] = 0x55;
        }
        Tps23861 {
            auto,
            volts: 54.0,
            celsius: 45.0,
            pointer: 0,
            registers,
            events: [0, 0, 0, 0, 0x30],
            channels: [Channel::NEW; PORTS],
            settling: 0,
            is_hot: false,
        }
    }

    /// Its own supply fails: everything is off, and forgotten.
    pub fn brown_out(&mut self) {
        let (volts, celsius) = (self.volts, self.celsius);
        *self = Tps23861 {
            volts,
            celsius,
            ..Tps23861::new(self.auto)
        };
    }

    /// For how long a port has fed, ms.
    pub fn fed(&self, port: usize) -> Option<u32> {
        let channel = self.channels.get(port)?;
        (channel.phase == Phase::On).then_some(channel.fed)
    }

    /// What a port draws, watts.
    pub fn watts(&self, port: usize) -> f64 {
        self.channels
            .get(port)
            .map_or(0.0, |channel| channel.amperes * self.volts)
    }

    /// Octets after the address with the write bit; false: not acknowledged.
    pub fn write(&mut self, octets: &[u8]) -> bool {
        let [pointer, values @ ..] = octets else {
            return true;
        };
        self.pointer = *pointer;
        for value in values {
            self.set(self.pointer, *value);
            self.pointer = self.pointer.wrapping_add(1);
        }
        true
    }

    /// Octets read after the address with the read bit.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let first = self.pointer;
        (0..count)
            .map(|n| self.get(first.wrapping_add(n as u8)))
            .collect()
    }

    fn get(&mut self, register: u8) -> u8 {
        let channel = |n: u8| &self.channels[usize::from(n & 3)];
        match register {
            0x00 => self.interrupt(),
            0x02..=0x0B => {
                let n = usize::from(register - 2) / 2;
                let value = self.events[n];
                if register & 1 != 0 {
                    self.events[n] = 0;
                }
                value
            }
            0x0C..=0x0F => channel(register - 0x0C).class << 4 | channel(register - 0x0C).detection,
            0x10 => {
                let bits = |of: fn(&Channel) -> bool| bits(self.channels.each_ref().map(of));
                bits(|channel| channel.phase == Phase::On) << 4 | bits(Channel::is_enabled)
            }
            // Write only.
            0x18..=0x1A => 0,
            0x2C => ((self.celsius + 20.0) / 0.652).round() as u8,
            0x2E | 0x2F => octet(self.volts / 0.003_662, register & 1),
            0x30..=0x3F => {
                let channel = channel((register - 0x30) / 4);
                let on = if channel.phase == Phase::On {
                    self.volts
                } else {
                    0.0
                };
                match register & 2 {
                    0 => octet(channel.amperes / 61.039e-6, register & 1),
                    _ => octet(on / 0.003_662, register & 1),
                }
            }
            0x60..=0x67 => channel((register - 0x60) / 2).resistance.to_le_bytes()[usize::from(register & 1)],
            _ => self.registers.get(usize::from(register)).copied().unwrap_or(0),
        }
    }

    fn interrupt(&self) -> u8 {
        let [power, detection, fault, start, supply] = self.events;
        let any = |bits: u8, at: u8| u8::from(bits != 0) << at;
        any(power & 0x0F, 0)
            | any(power & 0xF0, 1)
            | any(fault & 0xF0, 2)
            | any(detection & 0x0F, 3)
            | any(detection & 0xF0, 4)
            | any(fault & 0x0F | start & 0xF0, 5)
            | any(start & 0x0F, 6)
            | any(supply, 7)
    }

    fn set(&mut self, register: u8, value: u8) {
        match register {
            0x12 => {
                for port in 0..PORTS {
                    let (was, is) = (self.mode(port), value >> (2 * port) & 3);
                    if was == OFF && is >= SEMI_AUTO {
                        self.settling = 2;
                    }
                    if is == OFF {
                        self.turn_off(port);
                    }
                }
                self.registers[0x12] = value;
            }
            0x14 => {
                let off = (0..PORTS).filter(|port| self.mode(*port) == OFF);
                let dead = off.fold(0, |dead, port| dead | 0x11 << port);
                if self.settling == 0 {
                    self.registers[0x14] = value & !dead;
                }
            }
            0x19 => {
                for port in 0..PORTS {
                    if value & 0x10 << port != 0 {
                        self.turn_off(port);
                        self.registers[0x14] &= !(0x11 << port);
                        self.settling = 2;
                    } else if value & 1 << port != 0 {
                        self.push(port);
                    }
                }
            }
            0x1A => {
                if value & 0x10 != 0 {
                    self.brown_out();
                    return;
                }
                if value & 0x80 != 0 {
                    self.events = [0; 5];
                }
                (0..PORTS)
                    .filter(|port| value & 1 << port != 0)
                    .for_each(|port| self.turn_off(port));
            }
            // Read only.
            0x00 | 0x02..=0x11 | 0x1B | 0x2C..=0x3F | 0x41 | 0x43 | 0x60.. => {}
            _ => {
                if let Some(place) = self.registers.get_mut(usize::from(register)) {
                    *place = value;
                }
            }
        }
    }

    fn mode(&self, port: usize) -> u8 {
        self.registers[0x12] >> (2 * port) & 3
    }

    fn push(&mut self, port: usize) {
        let (mode, dete) = (self.mode(port), self.registers[0x14] & 1 << port != 0);
        let channel = &mut self.channels[port];
        match (mode, channel.phase) {
            (_, Phase::Cooling(_) | Phase::Inrush(..) | Phase::On) => {}
            (MANUAL, _) => self.turn_on(port),
            (SEMI_AUTO, _) if dete => {
                channel.pushed = true;
                // The next good detection counts, not the one before.
                channel.phase = Phase::Idle;
            }
            _ => {}
        }
    }

    fn event(&mut self, which: usize, bit: u8, port: usize) {
        self.events[which] |= bit << port;
    }

    fn turn_on(&mut self, port: usize) {
        let channel = &mut self.channels[port];
        channel.phase = Phase::Inrush(0, 0.0);
        (channel.pushed, channel.over, channel.limited, channel.idle) = (false, 0, 0, 0);
        self.event(POWER, 0x01, port);
    }

    /// Off, with what was known of it.
    fn turn_off(&mut self, port: usize) {
        let was = self.channels[port];
        self.channels[port] = Channel {
            phase: match was.phase {
                Phase::Cooling(left) => Phase::Cooling(left),
                _ => Phase::Idle,
            },
            ..Channel::NEW
        };
        self.events[START] &= !(0x11 << port);
        if was.is_enabled() {
            self.event(POWER, 0x01, port);
        }
        if was.phase == Phase::On {
            self.event(POWER, 0x10, port);
        }
    }

    fn cut(&mut self, port: usize, which: usize, bit: u8) {
        self.turn_off(port);
        self.event(which, bit, port);
        if (which, bit) != (FAULT, 0x10) {
            self.channels[port].phase = Phase::Cooling(COOL_MS);
        }
    }

    /// A millisecond goes by with these devices at the ports.
    pub fn millisecond(&mut self, devices: [Option<&PoweredDevice>; PORTS], watts: [Option<f64>; PORTS]) {
        self.settling = self.settling.saturating_sub(1);
        let was_hot = self.is_hot;
        self.is_hot = self.celsius >= if was_hot { COLD } else { HOT };
        let is_low = self.volts < VPUV;
        if self.is_hot && !was_hot {
            self.events[SUPPLY] |= 0x80;
        }
        if is_low {
            self.events[SUPPLY] |= 0x10;
        }
        for (port, (device, watts)) in devices.into_iter().zip(watts).enumerate() {
            if self.is_hot || is_low {
                if self.channels[port].phase != Phase::Idle {
                    self.turn_off(port);
                    self.channels[port].phase = Phase::Idle;
                }
                continue;
            }
            self.channel(port, device, watts);
        }
    }

    fn channel(&mut self, port: usize, device: Option<&PoweredDevice>, watts: Option<f64>) {
        let enable = self.registers[0x14] >> port;
        let (dete, cle) = (enable & 0x01 != 0, enable & 0x10 != 0);
        let mode = self.mode(port);
        let limit = match self.registers[0x40] & 0x10 << port {
            0 => LIMIT,
            _ => 2.0 * LIMIT,
        };
        match self.channels[port].phase {
            Phase::Idle if dete && mode >= SEMI_AUTO => {
                self.channels[port].phase = Phase::Detecting(DETECT_MS)
            }
            Phase::Idle => {}
            Phase::Detecting(_) | Phase::Classifying(_) if !dete || mode < SEMI_AUTO => {
                self.channels[port].phase = Phase::Idle;
            }
            Phase::Detecting(left) if left > 1 => self.channels[port].phase = Phase::Detecting(left - 1),
            Phase::Detecting(_) => self.detected(port, device, cle),
            Phase::Classifying(left) if left > 1 => self.channels[port].phase = Phase::Classifying(left - 1),
            Phase::Classifying(_) => self.classified(port, device),
            Phase::Cooling(left) if left > 1 => self.channels[port].phase = Phase::Cooling(left - 1),
            Phase::Cooling(_) => self.channels[port].phase = Phase::Idle,
            Phase::Inrush(spent, charge) => {
                let (farads, shunt) = device.map_or((0.0, f64::INFINITY), |device| {
                    (device.bulk_uf * 1e-6, device.shunt)
                });
                let charge = charge + (LIMIT - self.volts / shunt).max(0.0) * 1e-3;
                self.channels[port].amperes = LIMIT;
                self.channels[port].phase = Phase::Inrush(spent + 1, charge);
                if charge >= farads * self.volts && self.volts / shunt < LIMIT {
                    let channel = &mut self.channels[port];
                    (channel.phase, channel.fed) = (Phase::On, 0);
                    self.event(POWER, 0x10, port);
                } else if spent >= FAULT_MS {
                    self.cut(port, START, 0x01);
                }
            }
            Phase::On => self.feeds(port, device, watts, limit),
        }
    }

    fn feeds(&mut self, port: usize, device: Option<&PoweredDevice>, watts: Option<f64>, limit: f64) {
        let code = self.registers[0x2A + port / 2] >> (4 * (port % 2)) & 7;
        let icut = ICUT[usize::from(code)];
        let dcde = self.registers[0x13] & 1 << port != 0;
        let volts = self.volts;
        let channel = &mut self.channels[port];
        channel.fed = channel.fed.saturating_add(1);
        let wanted = device.map_or(0.0, |device| {
            let watts = watts.unwrap_or_else(|| device.watts(channel.fed));
            watts / volts + volts / device.shunt
        });
        channel.amperes = wanted.min(limit);
        let count = |time: u32, is_over: bool| {
            if is_over {
                time + 16
            } else {
                time.saturating_sub(1)
            }
        };
        channel.over = count(channel.over, channel.amperes > icut);
        channel.limited = count(channel.limited, wanted >= limit);
        channel.idle = if channel.amperes < KEEP {
            channel.idle + 1
        } else {
            0
        };
        if channel.limited >= 16 * FAULT_MS {
            self.cut(port, START, 0x10);
        } else if channel.over >= 16 * FAULT_MS {
            self.cut(port, FAULT, 0x01);
        } else if dcde && channel.idle >= DISCONNECT_MS {
            self.cut(port, FAULT, 0x10);
        }
    }

    fn detected(&mut self, port: usize, device: Option<&PoweredDevice>, cle: bool) {
        let ohms = device.map_or(f64::INFINITY, |device| device.ohms);
        let loaded = device.is_some_and(|device| device.nanofarads > 10_000.0);
        let channel = &mut self.channels[port];
        (channel.detection, channel.resistance) = match ohms {
            ..350.0 => (1, 0x4000),
            ..19_000.0 => (3, (ohms / 11.096_6) as u16),
            // A large capacitor spoils the measurement (IEEE 802.3 table 33-15).
            ..26_500.0 if loaded => (3, 0),
            ..26_500.0 => (4, (ohms / 11.096_6) as u16),
            ..55_000.0 => (5, (ohms / 11.096_6) as u16),
            _ => (6, 0x8000),
        };
        channel.phase = Phase::Idle;
        if channel.detection == 4 && cle {
            channel.phase = Phase::Classifying(CLASS_MS);
        } else if channel.detection != 4 {
            channel.class = 0;
        }
        let (is_good, is_pushed) = (channel.detection == 4, channel.pushed);
        self.event(DETECTION, 0x01, port);
        match (is_pushed, is_good) {
            (true, false) => self.failed(port),
            (true, true) if !cle => self.turn_on(port),
            _ => {}
        }
    }

    fn failed(&mut self, port: usize) {
        self.event(START, 0x01, port);
        let channel = &mut self.channels[port];
        (channel.pushed, channel.phase) = (false, Phase::Cooling(COOL_MS));
    }

    fn classified(&mut self, port: usize, device: Option<&PoweredDevice>) {
        let [first, second] = device.map_or([0.0; 2], |device| device.class_ma);
        let of = |milliamperes: f64| match milliamperes {
            ..6.5 => 6,
            ..14.5 => 1,
            ..23.0 => 2,
            ..33.0 => 3,
            ..48.0 => 4,
            _ => 7,
        };
        let two_events = self.registers[0x21] >> (2 * port) & 1 != 0;
        let class = match (of(first), of(second)) {
            (4, 7) if two_events => 7,
            (4, second) if two_events && second != 4 => 8,
            (class, _) => class,
        };
        self.channels[port].class = class;
        self.channels[port].phase = Phase::Idle;
        self.event(DETECTION, 0x10, port);
        let is_good = class <= 6;
        if self.mode(port) == AUTO && is_good {
            let shift = 4 * (port % 2);
            let icut = &mut self.registers[0x2A + port / 2];
            *icut = *icut & !(7 << shift) | if class == 4 { 6 << shift } else { 0 };
            let plus = 0x10 << port;
            let poep = &mut self.registers[0x40];
            *poep = if class == 4 { *poep | plus } else { *poep & !plus };
            self.turn_on(port);
        } else if self.channels[port].pushed {
            match is_good {
                true => self.turn_on(port),
                false => self.failed(port),
            }
        }
    }
}

/// Low or high octet of a measurement.
fn octet(steps: f64, high: u8) -> u8 {
    (steps.round().clamp(0.0, 16_383.0) as u16).to_le_bytes()[usize::from(high)]
}

fn bits(of: [bool; PORTS]) -> u8 {
    (0..)
        .zip(of)
        .fold(0, |bits, (port, is)| bits | u8::from(is) << port)
}
