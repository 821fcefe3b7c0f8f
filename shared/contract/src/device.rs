//! Desk phones and adapters of a contract, from the order to the return (R33 to R43, R46).

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use shared::{Date, IdKey, SiteId, TerminalKind};

/// A device's key within its contract; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceId(pub u32);

/// The models the service sets up (R35, R41); when each is sold is the catalogue's matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Model {
    /// Grandstream GXP1628: desk phone; AC adapter included, or PoE.
    Gxp1628,
    /// Panasonic KX-HDV230N: desk phone; no AC adapter included, so it needs PoE (R39, A7).
    KxHdv230n,
    /// Grandstream HT801: analog adapter with one port.
    Ht801,
    /// Grandstream HT802: analog adapter with two ports.
    Ht802,
    /// Hub that powers four devices (PoE, IEEE 802.3af): no terminal (R40).
    PoeHub,
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Gxp1628,
        Self::KxHdv230n,
        Self::Ht801,
        Self::Ht802,
        Self::PoeHub,
    ];

    /// Terminals it is, each with an ID of its own (R5, A14).
    pub const fn ports(self) -> usize {
        match self {
            Self::Gxp1628 | Self::KxHdv230n | Self::Ht801 => 1,
            Self::Ht802 => 2,
            Self::PoeHub => 0,
        }
    }

    /// The kind of terminal its ports are.
    pub const fn kind(self) -> TerminalKind {
        if self.is_adapter() {
            TerminalKind::Adapter
        } else {
            TerminalKind::Fixed
        }
    }

    /// It is an adapter for analog telephones and FAX machines (R41).
    pub const fn is_adapter(self) -> bool {
        matches!(self, Self::Ht801 | Self::Ht802)
    }

    /// It comes with an AC adapter; the others need a port with power (PoE, IEEE 802.3af) (R38, R39).
    pub const fn has_ac_adapter(self) -> bool {
        !matches!(self, Self::KxHdv230n)
    }

    /// Its name, the maker's first (R35).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gxp1628 => "Grandstream GXP1628",
            Self::KxHdv230n => "Panasonic KX-HDV230N",
            Self::Ht801 => "Grandstream HT801",
            Self::Ht802 => "Grandstream HT802",
            Self::PoeHub => "PoE HUB(4port)",
        }
    }
}

/// How the customer comes by a device: exactly one of the two (R46).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Acquisition {
    /// Bought (買取): paid once.
    Purchase,
    /// Rented (レンタル): paid monthly.
    Rental,
}

/// What an adapter's port connects (R43).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Interface {
    /// Analog line: the only one that works.
    Analog,
    /// ISDN (G4 FAX and digital telephones).
    Isdn,
    /// Digital extension line of a business telephone system.
    Digital,
    /// Ethernet.
    Ip,
}

/// Where a device is in its life (R34), with the day it got there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceState {
    /// Ordered.
    Ordered(Date),
    /// Set up: MAC known and its IDs bound.
    Configured(Date),
    /// On its way.
    Shipped(Date),
    /// Was seen at the customer's.
    Online(Date),
    /// Came back. Final.
    Returned(Date),
    /// The customer's own: bought and delivered, or bought out of the rental. Final.
    Purchased(Date),
}

impl DeviceState {
    /// Its name, for texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordered(_) => "ordered",
            Self::Configured(_) => "configured",
            Self::Shipped(_) => "shipped",
            Self::Online(_) => "online",
            Self::Returned(_) => "returned",
            Self::Purchased(_) => "purchased",
        }
    }
}

/// A device of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its key.
    pub id: DeviceId,
    /// What it is.
    pub model: Model,
    /// Bought or rented.
    pub acquisition: Acquisition,
    /// Where it goes.
    pub site: SiteId,
    /// The ID of each of its ports, bound before it is shipped (R34); none for a port that is not in use.
    pub ports: Vec<Option<IdKey>>,
    /// Its hardware address, once one was taken from the shelf (R33).
    pub mac: Option<Mac>,
    /// Day of the order: its prices hold for the device (R46, R47).
    pub ordered: Date,
    /// Day it was sent: since then it is charged for.
    pub shipped: Option<Date>,
    /// How far it is.
    pub state: DeviceState,
}

/// A hardware address (EUI-48).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

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
        let digits: Vec<u32> = text
            .chars()
            .filter(|character| !matches!(character, ':' | '-'))
            .map(|character| character.to_digit(16).ok_or(MacError))
            .collect::<Result<_, _>>()?;
        if digits.len() != 12 {
            return Err(MacError);
        }
        let mut bytes = [0; 6];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8);
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Mac {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> String {
        mac.to_string()
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
