//! The hub of a box: its ports with power (PoE, IEEE 802.3 clause 33) and the phones that configure themselves from it.

use core::fmt;
use core::num::NonZeroU8;
use core::str::FromStr;

use heapless::String;
use serde::{Deserialize, Serialize};

use crate::site::{Hash, TerminalKind};

/// Ports with power, numbered from 1.
pub const PORTS: u8 = 4;

/// A hardware address (EUI-48).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// A device can have it: of one (IEEE 802 §8.2.2), and not all zeros.
    pub const fn is_device(self) -> bool {
        let [a, b, c, d, e, f] = self.0;
        a & 1 == 0 && a | b | c | d | e | f != 0
    }
}

/// A text is no hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacError;

impl fmt::Display for MacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a hardware address like 00:0b:82:12:34:56")
    }
}

impl core::error::Error for MacError {}

impl FromStr for Mac {
    type Err = MacError;

    /// Six bytes in hexadecimal, with `:`, `-` or nothing between them.
    fn from_str(text: &str) -> Result<Self, MacError> {
        let mut digits = text
            .chars()
            .filter(|character| !matches!(character, ':' | '-'))
            .map(|character| character.to_digit(16));
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            for _ in 0..2 {
                let digit = digits.next().flatten().ok_or(MacError)?;
                *byte = *byte << 4 | digit as u8;
            }
        }
        if digits.next().is_some() {
            return Err(MacError);
        }
        Ok(Self(bytes))
    }
}

impl From<Mac> for [u8; 6] {
    fn from(mac: Mac) -> Self {
        mac.0
    }
}

impl From<[u8; 6]> for Mac {
    fn from(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The models that configure themselves (R35, R41).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PhoneModel {
    /// Grandstream GXP1628: desk phone.
    Gxp1628,
    /// Panasonic KX-HDV230N: desk phone.
    KxHdv230n,
    /// Grandstream HT801: analog adapter with one line.
    Ht801,
    /// Grandstream HT802: analog adapter with two lines.
    Ht802,
}

impl PhoneModel {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gxp1628, Self::KxHdv230n, Self::Ht801, Self::Ht802];

    /// Terminals it is, each with an ID of its own (R5, A14).
    pub const fn lines(self) -> u8 {
        match self {
            Self::Gxp1628 | Self::KxHdv230n | Self::Ht801 => 1,
            Self::Ht802 => 2,
        }
    }

    /// The kind of terminal its lines are.
    pub const fn kind(self) -> TerminalKind {
        match self {
            Self::Gxp1628 | Self::KxHdv230n => TerminalKind::Fixed,
            Self::Ht801 | Self::Ht802 => TerminalKind::Adapter,
        }
    }

    /// Its name, the maker's first (R35).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gxp1628 => "Grandstream GXP1628",
            Self::KxHdv230n => "Panasonic KX-HDV230N",
            Self::Ht801 => "Grandstream HT801",
            Self::Ht802 => "Grandstream HT802",
        }
    }
}

/// The phone that uses an ID, claimed for it: it alone gets the ID's password from the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Phone {
    /// Its hardware address.
    pub mac: Mac,
    /// What it is.
    pub model: PhoneModel,
    /// Which of its lines, 1 to [`PhoneModel::lines`].
    pub line: u8,
    /// The port it belongs to, 1 to [`PORTS`]; none: where it is first seen.
    pub port: Option<NonZeroU8>,
    /// Counts the claims of the ID: a higher one entitles to a password anew, and those before are void.
    pub claim: u16,
}

/// Bytes of the box's flash for the firmware of phones: 10 MiB less a sector.
pub const FIRMWARE_ROOM: u32 = 10 * 1024 * 1024 - FIRMWARE_SECTOR;

/// Every file begins at a multiple of these bytes, which the flash erases at once.
pub const FIRMWARE_SECTOR: u32 = 4_096;

/// The firmware that a site's phones of a model shall run: a file of the maker's, which the box keeps for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PhoneFirmware {
    /// Whose.
    pub model: PhoneModel,
    /// The file's name, by which the phones ask for it.
    pub name: String<32>,
    /// Its version, as the maker writes it.
    pub version: String<16>,
    /// Bytes.
    pub size: u32,
    /// SHA-256 of its bytes.
    pub hash: Hash,
}

impl PhoneFirmware {
    /// Can it be kept and asked for? The name has letters, digits, `.`, `-` and `_`, begins with a letter or digit, and is
    /// none that a configuration has (`cfg...`, `....cfg`); the version has the same characters.
    pub fn is_usable(&self) -> bool {
        let plain = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphanumeric())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        };
        let has =
            |part: Option<&str>, config: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(config));
        let name = self.name.as_str();
        let config =
            has(name.get(..3), "cfg") || has(name.len().checked_sub(4).and_then(|at| name.get(at..)), ".cfg");
        plain(name) && !config && plain(&self.version) && self.size > 0
    }

    /// Bytes of flash that it takes.
    pub const fn room(&self) -> u32 {
        match self.size.checked_next_multiple_of(FIRMWARE_SECTOR) {
            Some(room) => room,
            None => u32::MAX,
        }
    }
}

/// The different files among these, each with its place in the box's flash: one behind the other, in this order. Models may
/// share a file.
pub fn firmware_files(firmware: &[PhoneFirmware]) -> impl Iterator<Item = (u32, &PhoneFirmware)> {
    let mut end = 0_u32;
    firmware.iter().enumerate().filter_map(move |(index, file)| {
        let mut before = firmware.iter().take(index);
        if before.any(|other| other.hash == file.hash) {
            return None;
        }
        let place = end;
        end = end.saturating_add(file.room());
        Some((place, file))
    })
}

/// The voice network of a site: phones apart from the office's other devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voice {
    /// VLAN ID, 1 to 4094 (IEEE 802.1Q §9.6).
    pub vlan: u16,
    /// The box's address there.
    pub address: core::net::Ipv4Addr,
    /// Length of the network's prefix, 8 to 30.
    pub prefix: u8,
}

impl Voice {
    /// A VLAN there can be, and an address that a host of the network can have.
    pub const fn is_usable(&self) -> bool {
        if self.vlan < 1 || self.vlan > 4094 || self.prefix < 8 || self.prefix > 30 {
            return false;
        }
        let hosts = u32::MAX >> self.prefix;
        let host = self.address.to_bits() & hosts;
        let special = self.address.is_multicast()
            || self.address.is_loopback()
            || self.address.octets()[0] == 0
            || self.address.octets()[0] >= 240;
        host != 0 && host != hosts && !special
    }
}

/// When the box serves DHCP. Never beside another server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dhcp {
    /// If a probe hears no other server.
    #[default]
    Auto,
    /// It is the site's server, and is silent only while it hears another.
    Always,
    /// Never.
    Never,
}

/// Why a port does not feed, or had to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PowerFault {
    /// It drew more than it was granted.
    Overload,
    /// Short circuit.
    Short,
    /// The controller is too hot.
    Thermal,
    /// The supply has not enough left for it.
    Budget,
    /// The controller does not answer, or reports a fault of its own.
    Controller,
}

/// What the power of a port does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PortPower {
    /// Switched off by order.
    Off,
    /// Looks for a device that wants power.
    Searching,
    /// One is there, and its turn comes.
    Waiting,
    /// A device is fed.
    On,
    /// A device is not fed.
    Fault(PowerFault),
}

/// A link as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Link {
    /// Nothing, or no link with it.
    Down,
    /// 10 Mbit/s.
    Mbps10,
    /// 100 Mbit/s.
    Mbps100,
    /// 1000 Mbit/s.
    Mbps1000,
}

/// What kind of file a phone asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FileKind {
    /// Configuration of one phone, by its hardware address.
    Phone,
    /// Configuration of a model or of all.
    Common,
    /// Firmware.
    Firmware,
    /// None that there is.
    Unknown,
}

/// What a phone got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FetchOutcome {
    /// The file, which holds no secret.
    Served,
    /// The file with a new password.
    ServedSecret,
    /// The file without the password: the claim is spent.
    ServedSpent,
    /// Nothing.
    Refused(FetchRefusal),
}

/// Why a phone got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FetchRefusal {
    /// It belongs to another port.
    Port,
    /// It asked in the name of another hardware address, or nobody knows its own.
    Mac,
    /// It is claimed for no ID: it waits.
    Unclaimed,
    /// It is another model than was claimed.
    Model,
    /// There is no such file.
    NotFound,
    /// The box cannot just now (flash, memory); it may ask again.
    Busy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_written() {
        let mac = Mac([0x00, 0x0b, 0x82, 0x12, 0x34, 0x56]);
        for text in ["00:0b:82:12:34:56", "00-0B-82-12-34-56", "000b82123456"] {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        for text in [
            "",
            "00:0b:82:12:34",
            "00:0b:82:12:34:5",
            "00:0b:82:12:34:56:7",
            "00:0b:82:12:34:5g",
            "０0:0b:82:12:34:56",
        ] {
            assert_eq!(text.parse::<Mac>(), Err(MacError), "{text}");
        }
        assert!(mac.is_device());
        assert!(
            !Mac([0; 6]).is_device()
                && !Mac([1, 0, 0x5e, 0, 0, 1]).is_device()
                && !Mac([0xff; 6]).is_device()
        );
    }

    #[test]
    fn voice_networks() {
        let usable = |vlan, address: [u8; 4], prefix| {
            Voice {
                vlan,
                address: address.into(),
                prefix,
            }
            .is_usable()
        };
        assert!(usable(1, [192, 168, 20, 1], 24) && usable(4094, [10, 255, 255, 254], 8));
        assert!(usable(20, [192, 168, 20, 254], 24) && usable(20, [192, 168, 20, 2], 30));
        for vlan in [0, 4095, u16::MAX] {
            assert!(!usable(vlan, [192, 168, 20, 1], 24), "{vlan}");
        }
        for prefix in [0, 7, 31, 32, 255] {
            assert!(!usable(20, [192, 168, 20, 1], prefix), "{prefix}");
        }
        for address in [
            [192, 168, 20, 0],
            [192, 168, 20, 255],
            [0, 1, 2, 3],
            [127, 0, 0, 1],
            [224, 0, 0, 1],
            [255, 1, 2, 3],
        ] {
            assert!(!usable(20, address, 24), "{address:?}");
        }
    }
}
