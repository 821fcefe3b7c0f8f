//! Everything a contract can be told.

use serde::{Deserialize, Deserializer, Serialize};
use shared::analog::Port;
use shared::route::{BlockRule, NumberRules};
use shared::schedule::Schedule;
use shared::site::TerminalKind;
use shared::{Extension, IdKey, Number, SiteId};

use crate::device::{Acquisition, DeviceId, Interface, Mac, Model, Phone};
use crate::model::{Network, Reviewed, Settings, Suspension, SuspensionCause, Terminal};

/// A change somebody wants. IDs are named by key, representative numbers by number. A field that is not known is refused: a
/// misspelt one would leave something as it is, or clear it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// Renames the customer.
    Rename(String),
    /// Changes what holds for the whole contract.
    Set(Settings),
    /// Ends the contract with everything in it (A15).
    End,
    /// Suspends the contract, or one of its numbers.
    Suspend(Option<Number>, Suspension),
    /// Lifts a suspension of the contract, or of one of its numbers.
    Resume(Option<Number>, SuspensionCause),

    /// Makes a site.
    AddSite(NewSite),
    /// Changes a site's name.
    RenameSite(SiteId, String),
    /// Changes a site's address (R18): refused with the list of numbers that must go first, if there are any.
    Move(SiteId, String),
    /// Emergency services are given the site's present address.
    ConfirmEmergency(SiteId),
    /// An address of the site, present or to come, was found to lie in a number area.
    Review(SiteId, Reviewed),
    /// Sets what the site's box does in the office's network.
    SetNetwork(SiteId, Network),
    /// Removes a site without IDs and devices.
    RemoveSite(SiteId),

    /// Adds an ID with its direct number.
    AddId(NewId),
    /// Changes an ID.
    ChangeId(IdKey, IdChange),
    /// Gives an ID another password; which one, a contract does not know.
    NewPassword(IdKey),
    /// Gives an ID and its direct number back (R13, R16).
    RemoveId(IdKey),

    /// Adds a representative number, or asks for the review that one needs (R12 to R14).
    AddRep {
        /// The number.
        rep: NewRep,
        /// What it is used for; may be empty where no review is needed.
        usage: String,
    },
    /// Decides a request (R14).
    DecideRep(u32, Decision),
    /// Changes a representative number.
    ChangeRep(Number, RepChange),
    /// Gives a representative number back.
    RemoveRep(Number),

    /// Sets or takes away business hours; numbers may not follow them any more then.
    SetSchedule(u8, Option<Box<Schedule>>),
    /// Sets or takes away a list of refused callers; numbers may not use it any more then.
    SetBlockList(u8, Option<Vec<BlockRule>>),
    /// Sets what happens to calls to a number.
    SetRules(Number, NumberRules),

    /// Asks for a number of another carrier to replace one of the contract's.
    PortIn {
        /// The contract's number until then.
        line: Number,
        /// The number to come.
        number: Number,
    },
    /// Asks for a number to go to another carrier.
    PortOut {
        /// The number.
        line: Number,
        /// What replaces it; an ID is never without a direct number (R7).
        next: Option<Number>,
    },
    /// The port of this line is done.
    PortDone(Number),
    /// The port of this line is off.
    PortCancel(Number),

    /// Orders a device.
    OrderDevice(NewDevice),
    /// A device was taken from the shelf and set up.
    ConfigureDevice(DeviceId, Mac),
    /// A device was sent.
    ShipDevice(DeviceId),
    /// A device with this hardware address asked for its configuration (R33, R34).
    DeviceOnline(Mac),
    /// A device came back.
    ReturnDevice(DeviceId),
    /// The customer buys a rented device.
    BuyDevice(DeviceId),
    /// Gives a port of a device to another ID, or to none.
    Bind(DeviceId, u8, Option<IdKey>),
    /// Plugs an adapter's ID into a port of its site's box, or out of it (R41).
    Plug(IdKey, Option<Port>),
    /// Claims a phone for an ID: the box of its site gives it its configuration and a new password (R33, R36). Also of the
    /// phone that the ID has.
    Claim(IdKey, Phone),
    /// Takes the ID's phone and its password away.
    Release(IdKey),
    /// Claims the phones of a site anew: it has another box.
    ClaimSite(SiteId),

    /// A terminal wants to use an ID (R6, A19).
    Login {
        /// The ID.
        id: IdKey,
        /// The terminal.
        terminal: Terminal,
        /// What its user agreed to.
        consent: Consent,
    },
    /// A terminal stops using an ID; nothing happens if its lease is not the present one.
    Logout {
        /// The ID.
        id: IdKey,
        /// Epoch of its lease.
        epoch: u32,
    },
    /// A box, back from an outage, tells to whom it lent an ID meanwhile.
    Reconcile {
        /// The ID.
        id: IdKey,
        /// The terminal.
        terminal: Terminal,
        /// The last epoch the box knew.
        base: u32,
    },
}

/// How far a user agreed to end another terminal's use of the ID (A19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Consent {
    /// Not asked.
    None,
    /// Confirmed that the other terminal is logged out.
    Takeover,
    /// Confirmed that its call is cut too.
    CutCall,
}

/// A new site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    /// Its identity, unused so far.
    pub id: SiteId,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Option<String>,
}

/// A new ID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewId {
    /// Its site; the contract's first unless given.
    pub site: Option<SiteId>,
    /// Its direct number.
    pub direct: Number,
    /// Its extension.
    pub extension: Extension,
    /// Name shown to others.
    pub label: String,
    /// Kind of its terminal.
    pub kind: TerminalKind,
}

/// What changes of an ID; what is not given stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdChange {
    /// Where its terminal is.
    pub site: Option<SiteId>,
    /// Its direct number (R11: not one that is in use).
    pub direct: Option<Number>,
    /// Its extension.
    pub extension: Option<Extension>,
    /// Name shown to others.
    pub label: Option<String>,
    /// Number its calls present (R9, R22, R23).
    pub outgoing: Option<Number>,
    /// Calls to the direct number ring (R25).
    pub direct_in: Option<bool>,
    /// Calls may present the direct number (R25).
    pub direct_out: Option<bool>,
}

/// A new representative number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRep {
    /// The number.
    pub number: Number,
    /// Name shown on ringing terminals.
    pub label: String,
    /// Extensions of its members.
    pub members: Vec<Extension>,
    /// Extensions of the members that ring; all of them unless given.
    pub ring: Option<Vec<Extension>>,
}

/// What changes of a representative number; what is not given stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepChange {
    /// Name shown on ringing terminals.
    pub label: Option<String>,
    /// Extensions of all its members from now on; without `ring`, new ones ring and the others go on as before.
    pub members: Option<Vec<Extension>>,
    /// Extensions of the members that ring (R44).
    pub ring: Option<Vec<Extension>>,
    /// Calls it may have at once (A4); `Some(None)` takes the cap away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub sub_cap: Option<Option<u8>>,
}

/// What is given is given, also as nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u8>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The review's outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// The number is given.
    Approve,
    /// It is not, for this reason.
    Refuse(String),
}

/// A device to order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// What.
    pub model: Model,
    /// Bought or rented.
    pub acquisition: Acquisition,
    /// Where it goes.
    pub site: SiteId,
    /// The ID of each of its ports (R5); none for a port that is not in use.
    pub ports: Vec<Option<IdKey>>,
    /// What an adapter connects (R43); of no interest for a desk phone.
    pub interface: Interface,
    /// The customer attests a port with power (PoE), or an AC adapter, of their own for it (R39, A7).
    #[serde(default)]
    pub own_power: bool,
}
