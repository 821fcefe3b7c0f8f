//! The hub of a box as it tells it to the cloud, and what it is told.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::hub::{Link, Mac, PORTS, PhoneModel, PortPower};
use crate::id::{IdKey, IdSet};
use crate::record::Stamp;

/// Most waiting phones in one report.
pub const MAX_WAITING: usize = 16;

/// Box to cloud: what is at the ports now. The latest counts; sent on every connection, on a change at most every few
/// seconds, and when it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubReport {
    /// When it was written.
    pub at: Stamp,
    /// The link to the office's network; none if the box has no switch of its own.
    pub uplink: Option<Link>,
    /// Power the supply has for all ports, in 0.1 W.
    pub budget: u16,
    /// The ports, the first one's number is 1; none if the box has no ports with power.
    pub ports: Vec<PortReport, { PORTS as usize }>,
    /// Phones that are claimed for no ID, in the order they were first seen.
    pub waiting: Vec<Waiting, MAX_WAITING>,
    /// About how many more of them there are than are listed.
    pub unlisted: u16,
}

/// What is at a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortReport {
    /// Its link.
    pub link: Link,
    /// Its power.
    pub power: PortPower,
    /// Class of the device, 0 to 8 (IEEE 802.3 §33.2.6, §145.2.8); none if it was not classified.
    pub class: Option<u8>,
    /// What it draws, in 0.1 W.
    pub draw: u16,
    /// What it was granted, in 0.1 W.
    pub granted: u16,
    /// What the device says it is (LLDP-MED, TIA-1057 §10.2.6).
    pub neighbour: Option<Neighbour>,
    /// Whose it is.
    pub occupant: Occupant,
}

/// What a device says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its model, shortened if need be.
    pub model: String<32>,
    /// Version of its firmware, shortened if need be.
    pub firmware: String<32>,
}

/// Who is at a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Occupant {
    /// Nobody was heard.
    #[default]
    Nobody,
    /// The phone of these IDs.
    Phone(Mac, IdSet),
    /// A phone that is claimed for no ID, or belongs to another port.
    Quarantined(Mac),
    /// A device that asked for no configuration.
    Other(Mac),
}

/// A phone that waits to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its hardware address.
    pub mac: Mac,
    /// What it says it is.
    pub model: Option<PhoneModel>,
    /// The port with power it is at; none: elsewhere in the office's network.
    pub port: Option<u8>,
}

/// Cloud to box: do this now. Lost if the box is away; what comes of it is a report or an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HubOrder {
    /// The power of a port.
    Power {
        /// Its number, 1 to [`PORTS`].
        port: u8,
        /// What to do with it.
        order: PowerOrder,
        /// Even if its phone is in a call.
        force: bool,
    },
    /// The phone of this ID is to fetch its configuration again; of all IDs without one.
    CheckSync(Option<IdKey>),
    /// Send a [`HubReport`].
    Report,
}

/// What to do with the power of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerOrder {
    /// Feed what wants it.
    On,
    /// Off until it is told on.
    Off,
    /// Off and on again, so that the device starts anew.
    Cycle,
}
