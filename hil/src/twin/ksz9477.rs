//! KSZ9477, a seven-port switch, as its SPI port shows it, and what it does with frames as its registers say.
//!
//! | row | what | source |
//! |---|---|---|
//! | SPI: 3 bits what (2 write, 3 read), 24 address, 5 to turn around, then octets of rising addresses | | Linux `ksz9477_spi.c`, `KSZ_REGMAP_TABLE(ksz9477, 16, SPI_ADDR_SHIFT 24, 3, 5)` |
//! | registers of port `n` from 1 lie at `n` << 12 | | Linux `PORT_CTRL_ADDR` |
//! | 0000..0003 number: 00 94 77, revision | | Linux `REG_CHIP_ID1__1`, `FAMILY_ID_94`, `CHIP_ID_77` |
//! | 0300 bit 0 runs, bit 1 resets; runs after power-up | | Linux `SW_START`, `SW_RESET`; after power-up: unverified (a strap) |
//! | 0310 bit 7 VLANs, bit 6 VLAN 4095 is dropped, bit 2 table of reserved groups | | Linux `SW_VLAN_ENABLE`, `SW_DROP_INVALID_VID`, `SW_RESV_MCAST_ENABLE` |
//! | the table of reserved groups is off after power-up; what it does is not modelled | | unverified |
//! | 0330 bit 3 drops what has a wrong length field: tail tags are one | | Linux `SW_CHECK_LENGTH`; on after power-up: unverified |
//! | 0331 bit 2 has frames be as long as 0308 says, else 1,518 octets and 4 for a tag | | Linux `SW_JUMBO_PACKET`, `REG_SW_MTU__2`; that the tail tag counts: unverified |
//! | 0400, 0404, 0408 entry of a VLAN: valid 31, filter 0..6; ports without tag; ports; 040C which; 040E bit 7 starts 1 write, 2 read, 3 empty | | Linux `ksz9477_set_vlan_table`, `VLAN_CLEAR` |
//! | 041C bit 7 starts, bit 0 reads, 16.. which of 16 static addresses; 0420..042C valid; override 31 and ports; address | | Linux `ksz9477_mdb_add`, masks `ALU_STAT_*` |
//! | a static address goes before what was learned, and is of all VLANs without bit 30 of 0424 | | as in the smaller chips (KSZ8873 §4.6) |
//! | port 0000 VLAN of what has no tag, 1 after power-up | | Linux `REG_PORT_DEFAULT_VID` |
//! | port 0020 bit 2 tail tags at that port | | Linux `PORT_TAIL_TAG_ENABLE` |
//! | port 0030 bits 4, 3 speed, bit 2 full duplex | | Linux `PORT_INTF_SPEED_M` |
//! | port 0100.. PHY, IEEE 802.3 clause 22; link latches low | | Linux `ksz9477_r_phy` |
//! | port 0500 bit 25 reads counter 16..23, 0504 its value; it begins anew | | Linux `ksz9477_r_mib_cnt` |
//! | port 0B00 bit 6 drops frames of VLANs that the port is not in | | Linux `PORT_INGRESS_FILTER` |
//! | frames of a VLAN that is not in the table are dropped | | unverified (0328, forwarding of unknown VLANs, is off) |
//! | tail tag to the host: one octet, port from 0; from it two: bit 10 look up, bit 9 override, ports below | | Linux `net/dsa/tag_ksz.c` |
//! | frames of the host are padded to 60 octets before the tag | | the same (`__skb_put_padto`) |

use std::collections::HashMap;

/// Ports of the chip.
pub const PORTS: usize = 7;
/// The port to the processor.
pub const HOST: usize = 5;
/// The port to the office's network.
pub const UPLINK: usize = 4;

type Mac = [u8; 6];
const SPACE: usize = 0x8000;

/// Faults of its bus; a number counts down with every transfer that it hurts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// MISO is held low.
    pub low: u32,
    /// MISO is held high, as if no chip were there.
    pub high: u32,
    /// After so many reads one bit of what is read flips.
    pub flip_after: Option<u32>,
    /// Operations on tables do not end.
    pub stuck: u32,
}

/// The chip.
#[derive(Debug, Clone)]
pub struct Ksz9477 {
    /// Faults.
    pub faults: Faults,
    /// Octets of registers written since power-up.
    pub written: u64,
    registers: Vec<u8>,
    /// Entry, ports without tag, ports.
    vlans: HashMap<u16, [u32; 3]>,
    statics: [[u32; 4]; 16],
    /// Of a filter.
    learned: HashMap<(u32, Mac), usize>,
    up: [bool; PORTS],
    /// A link that was lost since its PHY was asked.
    lost: [bool; PORTS],
    counters: HashMap<(usize, u32), u32>,
}

impl Default for Ksz9477 {
    fn default() -> Self {
        Ksz9477::new()
    }
}

/// A frame on its way through the chip.
struct Passing<'a> {
    from: usize,
    to: Mac,
    source: Mac,
    vlan: u16,
    /// It came with a tag, with this priority and drop bit.
    tag: Option<u16>,
    /// What is behind addresses and tag.
    rest: &'a [u8],
}

impl Ksz9477 {
    /// As its power comes up: a switch like any other.
    pub fn new() -> Ksz9477 {
        let mut registers = vec![0; SPACE];
        registers[0x0001] = 0x94;
        registers[0x0002] = 0x77;
        registers[0x0003] = 0x10;
        registers[0x0300] = 0x01;
        registers[0x0330] = 0x08;
        registers[0x0308] = 0x05;
        registers[0x0309] = 0xF2;
        for port in 1..=PORTS {
            registers[port << 12 | 0x0001] = 1;
        }
        let mut chip = Ksz9477 {
            faults: Faults::default(),
            written: 0,
            registers,
            vlans: HashMap::new(),
            statics: [[0; 4]; 16],
            learned: HashMap::new(),
            up: [false; PORTS],
            lost: [false; PORTS],
            counters: HashMap::new(),
        };
        chip.up[HOST] = true;
        chip
    }

    /// Its supply dips: it forgets everything but what is plugged in.
    pub fn brown_out(&mut self) {
        *self = Ksz9477 {
            faults: self.faults,
            up: self.up,
            ..Ksz9477::new()
        };
    }

    /// Something is plugged in at a port, or pulled out.
    pub fn plug(&mut self, port: usize, is_up: bool) {
        self.lost[port] |= !is_up;
        self.up[port] = is_up;
        self.learned.retain(|_, at| *at != port);
    }

    /// A frame with errors came in at a port.
    pub fn spoiled(&mut self, port: usize) {
        *self.counters.entry((port, 0x06)).or_default() += 1;
    }

    /// The ports of a VLAN, if it is in the table: those without tag, and all.
    pub fn vlan(&self, vlan: u16) -> Option<(u32, u32)> {
        let [entry, untagged, ports] = self.vlans.get(&vlan)?;
        (entry >> 31 == 1).then_some((*untagged, *ports))
    }

    /// A transfer while it is selected.
    pub fn spi(&mut self, write: &[u8]) -> Vec<u8> {
        if take(&mut self.faults.low) {
            return vec![0; write.len()];
        }
        if take(&mut self.faults.high) {
            return vec![0xFF; write.len()];
        }
        let mut read = vec![0; write.len()];
        let Some((head, body)) = write.split_first_chunk::<4>() else {
            return read;
        };
        let head = u32::from_be_bytes(*head);
        let address = (head >> 5 & 0x00FF_FFFF) as usize;
        match head >> 29 {
            2 => {
                for (at, octet) in (address..).zip(body) {
                    self.write(at, *octet);
                }
                self.act(address, body.len());
            }
            3 => {
                for (at, octet) in (address..).zip(&mut read[4..]) {
                    *octet = self.read(at);
                }
                let flips = self.faults.flip_after == Some(0);
                self.faults.flip_after = self.faults.flip_after.and_then(|left| left.checked_sub(1));
                if let Some(last) = read[4..].last_mut().filter(|_| flips) {
                    *last ^= 0x04;
                }
            }
            _ => {}
        }
        read
    }

    fn write(&mut self, address: usize, octet: u8) {
        // The number cannot be written.
        if let Some(register) = self.registers.get_mut(address).filter(|_| address > 3) {
            *register = octet;
            self.written += 1;
        }
    }

    fn read(&mut self, address: usize) -> u8 {
        let (port, register) = ((address >> 12).wrapping_sub(1), address & 0x0FFF);
        if port < PORTS {
            match register {
                0x0102 => return 0x79,
                0x0103 => {
                    let up = self.up[port] && !std::mem::take(&mut self.lost[port]);
                    return 0x09 | u8::from(up) << 2 | u8::from(up) << 5;
                }
                // 100 Mbit/s, full duplex.
                0x0030 => return 1 << 3 | 1 << 2,
                _ => {}
            }
        }
        self.registers.get(address).copied().unwrap_or(0)
    }

    fn word(&self, address: usize) -> u32 {
        let octets = self.registers[address..address + 4].try_into();
        octets.map(u32::from_be_bytes).unwrap_or_default()
    }

    fn set_word(&mut self, address: usize, word: u32) {
        self.registers[address..address + 4].copy_from_slice(&word.to_be_bytes());
    }

    /// What a write sets going.
    fn act(&mut self, address: usize, length: usize) {
        let covers = |register: usize| (address..address + length).contains(&register);
        if covers(0x0300) && self.registers[0x0300] & 2 != 0 {
            let (written, counters) = (self.written, std::mem::take(&mut self.counters));
            self.brown_out();
            (self.written, self.counters) = (written, counters);
        }
        if covers(0x040E) && self.registers[0x040E] & 0x80 != 0 && !take(&mut self.faults.stuck) {
            let index = (self.word(0x040C) >> 16) as u16 & 0x0FFF;
            match self.registers[0x040E] & 3 {
                1 => {
                    let entry = [0x0400, 0x0404, 0x0408].map(|at| self.word(at));
                    self.vlans.insert(index, entry);
                }
                2 => {
                    let entry = self.vlans.get(&index).copied().unwrap_or_default();
                    for (at, word) in [0x0400, 0x0404, 0x0408].into_iter().zip(entry) {
                        self.set_word(at, word);
                    }
                }
                _ => self.vlans.clear(),
            }
            self.registers[0x040E] &= 0x7F;
        }
        if covers(0x041F) && self.word(0x041C) & 0x80 != 0 && !take(&mut self.faults.stuck) {
            let order = self.word(0x041C);
            let index = (order >> 16 & 0x0F) as usize;
            let values = [0x0420, 0x0424, 0x0428, 0x042C];
            match order & 1 {
                0 => self.statics[index] = values.map(|at| self.word(at)),
                _ => {
                    for (at, word) in values.into_iter().zip(self.statics[index]) {
                        self.set_word(at, word);
                    }
                }
            }
            self.set_word(0x041C, order & !0x80);
        }
        for port in 0..PORTS {
            let control = (port + 1) << 12 | 0x0500;
            let order = self.word(control);
            if covers(control + 3) && order & 1 << 25 != 0 && !take(&mut self.faults.stuck) {
                let count = self.counters.remove(&(port, order >> 16 & 0xFF)).unwrap_or(0);
                self.set_word(control + 4, count);
                self.set_word(control, order & !(1 << 25));
            }
        }
    }

    fn port(&self, port: usize, register: usize) -> u8 {
        self.registers[(port + 1) << 12 | register]
    }

    /// The host's port has tail tags.
    pub fn has_tail_tags(&self) -> bool {
        self.port(HOST, 0x0020) & 1 << 2 != 0
    }

    fn has_vlans(&self) -> bool {
        self.registers[0x0310] & 1 << 7 != 0
    }

    fn longest(&self) -> usize {
        let long = usize::from(u16::from_be_bytes([self.registers[0x0308], self.registers[0x0309]]) & 0x3FFF);
        // Without FCS.
        match self.registers[0x0331] & 1 << 2 {
            0 => 1_518,
            _ => long.saturating_sub(4),
        }
    }

    /// A frame comes in at a port: which go out, and where.
    pub fn forward(&mut self, from: usize, frame: &[u8]) -> Vec<(usize, Vec<u8>)> {
        if self.registers[0x0300] & 1 == 0 || !self.up[from] || frame.len() > self.longest() {
            return Vec::new();
        }
        let mut ordered = None;
        let mut frame = frame;
        if from == HOST && self.has_tail_tags() {
            let Some((inner, tail)) = frame.split_last_chunk::<2>() else {
                return Vec::new();
            };
            let checks_length = self.registers[0x0330] & 1 << 3 != 0;
            if inner.len() < 60 || checks_length {
                return Vec::new();
            }
            let tag = u16::from_be_bytes(*tail);
            if tag & 1 << 10 == 0 {
                ordered = Some(u32::from(tag & 0x7F));
            }
            frame = inner;
        }
        let Some(passing) = self.enter(from, frame) else {
            return Vec::new();
        };
        let filter = match self.vlans.get(&passing.vlan) {
            Some([entry, ..]) if self.has_vlans() => entry & 0x7F,
            _ => 0,
        };
        if passing.source[0] & 1 == 0 {
            self.learned.insert((filter, passing.source), from);
        }
        let ports = ordered.unwrap_or_else(|| self.way(&passing, filter));
        (0..PORTS)
            .filter(|&to| to != from && ports & 1 << to != 0 && self.up[to])
            .filter_map(|to| Some((to, self.leave(&passing, to)?)))
            .collect()
    }

    /// Its VLAN, or nothing if it must not come in.
    fn enter<'a>(&self, from: usize, frame: &'a [u8]) -> Option<Passing<'a>> {
        let (to, rest) = frame.split_first_chunk::<6>()?;
        let (source, rest) = rest.split_first_chunk::<6>()?;
        let mut passing = Passing {
            from,
            to: *to,
            source: *source,
            vlan: 0,
            tag: None,
            rest,
        };
        if !self.has_vlans() {
            return Some(passing);
        }
        let default = u16::from_be_bytes([self.port(from, 0), self.port(from, 1)]) & 0x0FFF;
        passing.vlan = default;
        if let [0x81, 0x00, high, low, rest @ ..] = rest {
            let tag = u16::from_be_bytes([*high, *low]);
            passing.tag = Some(tag & 0xF000);
            passing.rest = rest;
            if tag & 0x0FFF != 0 {
                passing.vlan = tag & 0x0FFF;
            }
        }
        let (_, members) = self.vlan(passing.vlan)?;
        let filters = self.port(from, 0x0B00) & 1 << 6 != 0;
        (!filters || members & 1 << from != 0).then_some(passing)
    }

    /// The ports that a frame goes to, by its address.
    fn way(&self, passing: &Passing<'_>, filter: u32) -> u32 {
        let [a, b, c, d, e, f] = passing.to;
        let address = (u32::from_be_bytes([0, 0, a, b]), u32::from_be_bytes([c, d, e, f]));
        let fixed = self.statics.iter().find(|[valid, ports, high, low]| {
            let of = (high & 0xFFFF, *low);
            valid >> 31 == 1 && of == address && (ports & 1 << 30 == 0 || high >> 16 == filter)
        });
        if let Some([_, ports, ..]) = fixed {
            return ports & 0x7F;
        }
        let members = match self.has_vlans() {
            true => self.vlan(passing.vlan).map_or(0, |(_, ports)| ports),
            false => u32::MAX,
        };
        match self.learned.get(&(filter, passing.to)) {
            Some(&at) if at == passing.from => 0,
            Some(&at) => 1 << at & members,
            None => members,
        }
    }

    /// The frame as it goes out at a port.
    fn leave(&self, passing: &Passing<'_>, to: usize) -> Option<Vec<u8>> {
        let mut frame = [passing.to, passing.source].concat();
        let untagged = match self.has_vlans() {
            true => self.vlan(passing.vlan)?.0,
            // As it came: the tag is part of the rest.
            false => u32::MAX,
        };
        if untagged & 1 << to == 0 {
            let tag = passing.tag.unwrap_or(0) | passing.vlan;
            frame.extend([0x81, 0x00]);
            frame.extend(tag.to_be_bytes());
        }
        frame.extend(passing.rest);
        frame.resize(frame.len().max(60), 0);
        if to == HOST && self.has_tail_tags() {
            frame.push(passing.from as u8);
        }
        Some(frame)
    }
}

/// Counts down; was there something left?
fn take(count: &mut u32) -> bool {
    let left = *count > 0;
    *count = count.saturating_sub(1);
    left
}
