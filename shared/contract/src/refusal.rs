//! Why a command was not carried out.

use core::fmt;

use shared::hub::{PhoneModel, Voice};
use shared::schedule;
use shared::{Date, Extension, IdKey, Number, SiteId, TerminalKind};

use crate::area::{Reason, Zone};
use crate::device::{DeviceId, DeviceState, Interface, Mac, Model};
use crate::model::{Role, SuspensionCause};
use crate::order;

/// The rule a refusal cites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A numbered rule of the service: R13.
    R(u8),
    /// A numbered reading of an unclear one: A19.
    A(u8),
    /// A rule without a number, such as `site`.
    Named(&'static str),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::R(number) => write!(f, "R{number}"),
            Self::A(number) => write!(f, "A{number}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Why an address cannot have a number, or not without more (R18).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The address is outside the number's area.
    Outside(Reason),
    /// The tables do not say; it may be in one of these areas.
    Unknown(Vec<Zone>),
}

/// A command that was refused: nothing changed. Its texts are in `text.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the parameters say it themselves")]
pub enum Refusal {
    /// Only the operator may do this.
    OperatorOnly,
    /// Nothing is named that shall change.
    NothingToChange,
    /// The contract has ended.
    Ended(Date),
    /// The contract is suspended, and this would enlarge or move it.
    Suspended(SuspensionCause),
    /// Who asked for the suspension is not stated, or why.
    SuspensionUnstated,
    /// The suspension is to begin on a day to come.
    SuspensionLater(Date),
    /// There is no such suspension to lift.
    NotSuspended(SuspensionCause),
    /// R3: a name is empty, longer than 48 bytes or has control characters.
    Label,
    /// R30: the outside-line digit is neither 0 nor 9.
    OutsidePrefix(u8),

    /// An address is empty, too long or has control characters.
    Address,
    /// There is no such site.
    NoSite(SiteId),
    /// The contract has no site yet.
    NoSites,
    /// Another site has this identity.
    SiteTaken(SiteId),
    /// The site still has IDs or devices.
    SiteInUse {
        site: SiteId,
        ids: usize,
        devices: usize,
    },
    /// R18: the site has no registered address.
    NoAddress(SiteId),
    /// 電気通信番号計画 第3: emergency services are not given the site's address yet.
    NoEmergency(SiteId),
    /// R18: there is no such area to find an address in.
    NoArea(String),
    /// R18: the number does not belong to the address. The name is that of its area, with the area code if only that
    /// is known.
    Area {
        number: Number,
        zone: Option<Zone>,
        name: String,
        address: String,
        obstacle: Obstacle,
    },
    /// R18: these numbers would have to be given back or ported first.
    MustGo(Vec<(Number, Obstacle)>),

    /// R1: the number is in use already: so by this contract, or by another one, of which no more is told.
    NumberInUse { number: Number, role: Option<Role> },
    /// R11: another ID has this direct number.
    SharedDirect { number: Number, extension: Extension },
    /// R1: a service code such as 117.
    NotASubscriber(Number),
    /// R1: a number of another country.
    Foreign(Number),
    /// R18: the numbering plan has no such number, or not yet.
    NotInPlan(Number),
    /// R18: neither geographic nor 050.
    NotAssignable(Number),
    /// R1: the contract has no such number.
    NoNumber(Number),
    /// R1: it has no such representative number.
    NoRep(Number),
    /// R7: an ID is never without a direct number.
    DirectRequired(Number),
    /// The number is being ported.
    Porting(Number),
    /// It is not.
    NotPorting(Number),
    /// Numbers with 050 cannot be ported.
    NotPortable(Number),
    /// It went to another carrier, and comes back from there only.
    PortedOut(Number),
    /// A suspended number cannot leave.
    NumberSuspended(Number),

    /// There is no ID with this key.
    NoId(IdKey),
    /// R4: no ID has this extension.
    NoExtension(Extension),
    /// R30: another ID has this extension.
    ExtensionTaken { extension: Extension, direct: Number },
    /// R30: the extension begins with the outside-line digit.
    ExtensionShadowed { extension: Extension, prefix: u8 },
    /// R5: all 64 keys are in use or were a short while ago.
    NoKey,
    /// R16: the basic ID ends with the contract (A15).
    BasicId(Extension),
    /// R9: the ID may not present this number.
    CallerId { number: Number, extension: Extension },
    /// R25: the ID would have no number to present.
    NoCallerId {
        extension: Extension,
        group: Option<Number>,
    },

    /// R12: the contract has too few IDs for a representative number.
    NeedsMultipleIds { ids: usize, least: usize },
    /// R13: there would be more representative numbers than IDs.
    RepCap { reps: usize, pending: usize, ids: usize },
    /// R14: what the number is used for is not stated.
    UsageRequired { reps: usize },
    /// R14: a request for the number waits for its review.
    Requested { number: Number, request: u32 },
    /// R14: there is no such request.
    NoRequest(u32),
    /// R14: the request was decided already.
    Decided(u32),
    /// R14: the reason of a refusal is not stated.
    ReasonRequired,
    /// R4: who rings is a member.
    RingNotMember { extension: Extension, number: Number },
    /// A4: the number's own cap is 0, or above the channels or what the plan allows.
    SubCap { cap: u8, most: usize },

    /// There is no such schedule.
    NoSchedule(u8),
    /// There is no such block list.
    NoBlockList(u8),
    /// A number follows the schedule, or uses the block list.
    RuleInUse(Number),
    /// The schedule cannot be.
    Schedule(schedule::Fault),
    /// More callers than a block list has room for.
    BlockListFull(usize),
    /// Calls can be forwarded to another number of the contract only.
    ForwardTarget(Number),

    /// R35, R39, R46 to R49: the device is not to be had like this.
    Order(order::Fault),
    /// There is no such device.
    NoDevice(DeviceId),
    /// R33: a device that is not the contract's asks for its configuration.
    UnknownDevice(Mac),
    /// R33: another device has this hardware address.
    MacTaken(Mac),
    /// R34: the device is not in a state for this.
    DeviceState { device: DeviceId, state: DeviceState },
    /// R34: a device is bound to its ID before it is shipped.
    Unbound(DeviceId),
    /// The model has another number of ports.
    Ports(Model),
    /// R43: an adapter connects analog equipment only.
    AnalogOnly(Interface),
    /// R41: a box has no such port.
    NoPort(u8),
    /// R5, A14: another ID is plugged into the port.
    PortTaken { port: u8, extension: Extension },
    /// R5: the ID is plugged into a port of the box.
    IdHasPort { extension: Extension, port: u8 },
    /// R33: no device can have this hardware address.
    NoMac(Mac),
    /// R5, A14: the model has no such line.
    NoLine(PhoneModel, u8),
    /// R40: a box has no such port with power.
    NoPowerPort(u8),
    /// R5: the phone, or this line of it, is another ID's, or it is claimed in another way there.
    PhoneTaken { mac: Mac, extension: Extension },
    /// The port belongs to the phone of another ID.
    PowerPortTaken { port: u8, extension: Extension },
    /// R5: the ID has a phone already.
    IdHasPhone { extension: Extension, mac: Mac },
    /// R33: the ID has no phone to release.
    NoPhone(Extension),
    /// The voice network cannot be.
    Voice(Voice),
    /// R5: the ID has a device already.
    IdHasDevice { extension: Extension, device: DeviceId },
    /// R5: the ID is for another kind of terminal.
    WrongKind {
        extension: Extension,
        kind: TerminalKind,
    },
    /// R33: the terminal is none that was set up for this ID.
    ForeignTerminal(Extension),
    /// R6: another terminal uses the ID.
    InUse(Extension),
    /// A19: another terminal uses the ID and is in a call.
    InCall(Extension),
}

impl Refusal {
    /// The rule that was broken.
    pub fn rule(&self) -> Rule {
        match self {
            Self::OperatorOnly => Rule::Named("operator"),
            Self::NothingToChange => Rule::Named("change"),
            Self::Ended(_) => Rule::Named("contract"),
            Self::Suspended(_)
            | Self::SuspensionUnstated
            | Self::SuspensionLater(_)
            | Self::NotSuspended(_)
            | Self::NumberSuspended(_) => Rule::Named("suspended"),
            Self::Label => Rule::R(3),
            Self::OutsidePrefix(_) | Self::ExtensionTaken { .. } | Self::ExtensionShadowed { .. } => {
                Rule::R(30)
            }
            Self::Address | Self::NoSite(_) | Self::NoSites | Self::SiteTaken(_) | Self::SiteInUse { .. } => {
                Rule::Named("site")
            }
            Self::NoAddress(_)
            | Self::NoArea(_)
            | Self::Area { .. }
            | Self::MustGo(_)
            | Self::NotInPlan(_)
            | Self::NotAssignable(_) => Rule::R(18),
            Self::NoEmergency(_) => Rule::Named("emergency"),
            Self::NumberInUse { .. }
            | Self::NotASubscriber(_)
            | Self::Foreign(_)
            | Self::NoNumber(_)
            | Self::NoRep(_) => Rule::R(1),
            Self::SharedDirect { .. } => Rule::R(11),
            Self::DirectRequired(_) => Rule::R(7),
            Self::Porting(_) | Self::NotPorting(_) | Self::NotPortable(_) | Self::PortedOut(_) => {
                Rule::Named("porting")
            }
            Self::NoId(_)
            | Self::NoKey
            | Self::IdHasDevice { .. }
            | Self::IdHasPort { .. }
            | Self::PortTaken { .. }
            | Self::NoLine(..)
            | Self::PhoneTaken { .. }
            | Self::IdHasPhone { .. }
            | Self::WrongKind { .. } => Rule::R(5),
            Self::NoPort(_) => Rule::R(41),
            Self::NoPowerPort(_) | Self::PowerPortTaken { .. } => Rule::R(40),
            Self::Voice(_) => Rule::Named("network"),
            Self::NoExtension(_) | Self::RingNotMember { .. } => Rule::R(4),
            Self::BasicId(_) => Rule::R(16),
            Self::CallerId { .. } => Rule::R(9),
            Self::NoCallerId { .. } => Rule::R(25),
            Self::NeedsMultipleIds { .. } => Rule::R(12),
            Self::RepCap { .. } => Rule::R(13),
            Self::UsageRequired { .. }
            | Self::Requested { .. }
            | Self::NoRequest(_)
            | Self::Decided(_)
            | Self::ReasonRequired => Rule::R(14),
            Self::SubCap { .. } => Rule::A(4),
            Self::NoSchedule(_)
            | Self::NoBlockList(_)
            | Self::RuleInUse(_)
            | Self::Schedule(_)
            | Self::BlockListFull(_)
            | Self::ForwardTarget(_) => Rule::Named("routing"),
            Self::Order(fault) => fault.rule(),
            Self::NoDevice(_) | Self::Ports(_) => Rule::Named("device"),
            Self::UnknownDevice(_)
            | Self::MacTaken(_)
            | Self::NoMac(_)
            | Self::NoPhone(_)
            | Self::ForeignTerminal(_) => Rule::R(33),
            Self::DeviceState { .. } | Self::Unbound(_) => Rule::R(34),
            Self::AnalogOnly(_) => Rule::R(43),
            Self::InUse(_) => Rule::R(6),
            Self::InCall(_) => Rule::A(19),
        }
    }
}

impl fmt::Display for Refusal {
    /// Rule, what is wrong and what to do next, in English.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text(crate::Lang::En);
        write!(f, "{}: {}. {}", self.rule(), text.what, text.next)
    }
}

impl std::error::Error for Refusal {}
