//! Desk phones and adapters of a contract, from the order to the return (R33 to R43, R46).

use core::num::NonZeroU8;

use serde::{Deserialize, Serialize};
use shared::hub::PhoneModel;
use shared::{Date, IdKey, SiteId, TerminalKind};

pub use shared::hub::{Mac, MacError};

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

    /// What it is to the box it gets its configuration from; a hub gets none.
    pub const fn phone(self) -> Option<PhoneModel> {
        match self {
            Self::Gxp1628 => Some(PhoneModel::Gxp1628),
            Self::KxHdv230n => Some(PhoneModel::KxHdv230n),
            Self::Ht801 => Some(PhoneModel::Ht801),
            Self::Ht802 => Some(PhoneModel::Ht802),
            Self::PoeHub => None,
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

/// A phone, or a line of an adapter, that gets its configuration from the box of its site (R36).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// Its hardware address.
    pub mac: Mac,
    /// What it is.
    pub model: PhoneModel,
    /// Which of its lines, from 1.
    pub line: u8,
    /// The port with power of the site's box it belongs to, from 1; `null`: where it is first seen.
    #[serde(deserialize_with = "Option::deserialize")]
    pub port: Option<NonZeroU8>,
}
