//! The rules a site must keep before it may be used.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Id, SectionKind, Site, TerminalKind};
use crate::analog::PORTS;
use crate::caller_id;
use crate::hub;
use crate::id::IdSet;

/// A rule of the site configuration. The numbers are frozen: they travel in refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Rule {
    /// R15: at least one channel, and no fewer than the IDs of the contract.
    Channels = 1,
    /// The realm is not empty and can stand in a quoted string of SIP.
    Realm = 2,
    /// The outside-line digit is 0 or 9.
    OutsidePrefix = 3,
    /// Items ascend by key and no key comes twice.
    Order = 4,
    /// R1: every number has exactly one role.
    NumberTwice = 5,
    /// A direct or representative number is a subscriber number, not a service code.
    NotASubscriberNumber = 6,
    /// No two IDs have the same extension.
    ExtensionTwice = 7,
    /// No extension begins with the outside-line digit.
    ExtensionShadowed = 8,
    /// R9, R22: the outgoing number is the ID's own or of a group it belongs to.
    Outgoing = 9,
    /// Labels hold no control characters.
    Label = 10,
    /// A credential belongs to an ID at this site.
    DanglingCredential = 11,
    /// Members of a representative number are IDs of the contract, at any site.
    DanglingMember = 12,
    /// R4: only members ring.
    RingNotMember = 13,
    /// R12: a contract with one ID has no representative number.
    NeedsMultipleIds = 14,
    /// R13: no more representative numbers than IDs.
    RepCap = 15,
    /// A4: the cap of a number is at least 1 and at most the channels.
    SubCap = 16,
    /// R41: only an adapter's ID is plugged into a port, which the box has.
    Port = 17,
    /// R5, A14: every port is a terminal with an ID of its own.
    PortTwice = 18,
    /// R35, R41: a phone is of the ID's kind, with a line that it has, a hardware address and a port that there can be; an ID
    /// at an analog port has none.
    Phone = 19,
    /// R5: every line of a phone is a terminal with an ID of its own; all of one phone name the same site, model and port.
    PhoneTwice = 20,
    /// A port with power belongs to one phone.
    PhonePort = 21,
    /// The voice network has a VLAN and an address that there can be.
    Voice = 22,
    /// Firmware has a name, a version and a size that there can be.
    Firmware = 23,
    /// A model has one firmware; a name is that of one file.
    FirmwareTwice = 24,
    /// The firmware of all models has room in the box's flash.
    FirmwareRoom = 25,
}

impl Rule {
    const ALL: [Self; 25] = [
        Self::Channels,
        Self::Realm,
        Self::OutsidePrefix,
        Self::Order,
        Self::NumberTwice,
        Self::NotASubscriberNumber,
        Self::ExtensionTwice,
        Self::ExtensionShadowed,
        Self::Outgoing,
        Self::Label,
        Self::DanglingCredential,
        Self::DanglingMember,
        Self::RingNotMember,
        Self::NeedsMultipleIds,
        Self::RepCap,
        Self::SubCap,
        Self::Port,
        Self::PortTwice,
        Self::Phone,
        Self::PhoneTwice,
        Self::PhonePort,
        Self::Voice,
        Self::Firmware,
        Self::FirmwareTwice,
        Self::FirmwareRoom,
    ];
}

impl TryFrom<u8> for Rule {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::ALL
            .into_iter()
            .find(|rule| *rule as u8 == number)
            .ok_or("unknown rule")
    }
}

impl From<Rule> for u8 {
    fn from(rule: Rule) -> u8 {
        rule as u8
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channels => "fewer channels than IDs (R15)",
            Self::Realm => "realm empty or not usable in SIP",
            Self::OutsidePrefix => "outside-line digit is not 0 or 9",
            Self::Order => "items not in ascending order of their keys",
            Self::NumberTwice => "number used twice (R1)",
            Self::NotASubscriberNumber => "not a subscriber number",
            Self::ExtensionTwice => "extension used twice",
            Self::ExtensionShadowed => "extension begins with the outside-line digit",
            Self::Outgoing => "outgoing number does not belong to the ID (R9, R22)",
            Self::Label => "control character in a label",
            Self::DanglingCredential => "credential of no ID here",
            Self::DanglingMember => "member is no ID of the contract",
            Self::RingNotMember => "rings without being a member (R4)",
            Self::NeedsMultipleIds => "a representative number needs two IDs (R12)",
            Self::RepCap => "more representative numbers than IDs (R13)",
            Self::SubCap => "cap of the number is 0 or above the channels (R15)",
            Self::Port => "not an adapter's, or not a port of the box (R41)",
            Self::PortTwice => "port used twice (R5, A14)",
            Self::Phone => "not a phone that the ID can have (R35, R41)",
            Self::PhoneTwice => "line of a phone used twice, or one phone in two ways (R5)",
            Self::PhonePort => "port belongs to another phone",
            Self::Voice => "voice network cannot be",
            Self::Firmware => "not a firmware file that phones can ask for",
            Self::FirmwareTwice => "second firmware of a model, or one name for two files",
            Self::FirmwareRoom => "firmware has no room in the box",
        })
    }
}

/// Where a site breaks which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    /// The section.
    pub section: SectionKind,
    /// Index of the item in the section.
    pub item: u16,
    /// The rule.
    pub rule: Rule,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}[{}]: {}", self.section, self.item, self.rule)
    }
}

impl core::error::Error for Invalid {}

/// Fails with this section, item and rule unless the condition holds.
fn check(holds: bool, section: SectionKind, item: usize, rule: Rule) -> Result<(), Invalid> {
    if holds {
        Ok(())
    } else {
        Err(Invalid {
            section,
            item: item as u16,
            rule,
        })
    }
}

fn printable(label: &str) -> bool {
    !label.chars().any(char::is_control)
}

impl Site {
    /// Checks every rule; the first breach is returned.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.validate_sys()?;
        self.validate_ids()?;
        self.validate_reps()?;
        for (index, credential) in self.credentials.iter().enumerate() {
            let before = index
                .checked_sub(1)
                .and_then(|before| self.credentials.get(before));
            let section = SectionKind::Credentials;
            check(
                before.is_none_or(|before| before.key < credential.key),
                section,
                index,
                Rule::Order,
            )?;
            check(
                self.id(credential.key).is_some_and(|id| self.is_here(id)),
                section,
                index,
                Rule::DanglingCredential,
            )?;
        }
        Ok(())
    }

    fn validate_sys(&self) -> Result<(), Invalid> {
        let sys = &self.sys;
        let channels = usize::from(sys.channels);
        check(
            channels > 0 && channels >= self.ids.len(),
            SectionKind::Sys,
            0,
            Rule::Channels,
        )?;
        let quotable = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
        let realm = !sys.realm.is_empty() && sys.realm.bytes().all(quotable);
        check(realm, SectionKind::Sys, 0, Rule::Realm)?;
        check(
            matches!(sys.outside_prefix, None | Some(0 | 9)),
            SectionKind::Sys,
            0,
            Rule::OutsidePrefix,
        )?;
        let voice = sys.voice.is_none_or(|voice| voice.is_usable());
        check(voice, SectionKind::Sys, 0, Rule::Voice)?;
        self.validate_firmware()
    }

    fn validate_firmware(&self) -> Result<(), Invalid> {
        let check = |holds, rule| check(holds, SectionKind::Sys, 0, rule);
        let firmware = &self.sys.firmware;
        for (index, file) in firmware.iter().enumerate() {
            check(file.is_usable(), Rule::Firmware)?;
            for other in firmware.iter().take(index) {
                let same = (&other.name, other.size) == (&file.name, file.size);
                let agree = match other.hash == file.hash {
                    true => same,
                    false => !other.name.eq_ignore_ascii_case(&file.name),
                };
                check(other.model != file.model && agree, Rule::FirmwareTwice)?;
            }
        }
        let end = hub::firmware_files(firmware).last();
        let end = end.map_or(0, |(place, file)| place.saturating_add(file.room()));
        check(end <= hub::FIRMWARE_ROOM, Rule::FirmwareRoom)
    }

    fn validate_ids(&self) -> Result<(), Invalid> {
        for (index, id) in self.ids.iter().enumerate() {
            let check = |holds, rule| check(holds, SectionKind::Ids, index, rule);
            let earlier = self.ids.get(..index).unwrap_or(&[]);
            check(
                earlier.last().is_none_or(|before| before.key < id.key),
                Rule::Order,
            )?;
            check(!id.direct.is_service(), Rule::NotASubscriberNumber)?;
            check(
                earlier.iter().all(|other| other.direct != id.direct),
                Rule::NumberTwice,
            )?;
            check(
                earlier.iter().all(|other| other.extension != id.extension),
                Rule::ExtensionTwice,
            )?;
            let prefix = self.sys.outside_prefix;
            check(
                !prefix.is_some_and(|digit| id.extension.begins_with(digit)),
                Rule::ExtensionShadowed,
            )?;
            if let Some(port) = id.port {
                let is_one = (1..=PORTS).contains(&port.number) && id.kind == TerminalKind::Adapter;
                check(is_one, Rule::Port)?;
                let same = |other: &Id| {
                    other.site == id.site && other.port.is_some_and(|other| other.number == port.number)
                };
                check(!earlier.iter().any(same), Rule::PortTwice)?;
            }
            if let Some(phone) = id.phone {
                let line = (1..=phone.model.lines()).contains(&phone.line);
                let port = phone.port.is_none_or(|port| port.get() <= hub::PORTS);
                let is_one = id.port.is_none() && id.kind == phone.model.kind() && phone.mac.is_device();
                check(is_one && line && port, Rule::Phone)?;
                for (other, theirs) in earlier.iter().filter_map(|other| Some((other, other.phone?))) {
                    let one = phone.mac == theirs.mac;
                    let agree = (other.site, theirs.model, theirs.port) == (id.site, phone.model, phone.port);
                    check(!one || agree && phone.line != theirs.line, Rule::PhoneTwice)?;
                    let same_port =
                        phone.port.is_some() && (other.site, theirs.port) == (id.site, phone.port);
                    check(one || !same_port, Rule::PhonePort)?;
                }
            }
            check(printable(&id.label), Rule::Label)?;
            check(caller_id::check(self, id, id.outgoing).is_ok(), Rule::Outgoing)?;
        }
        Ok(())
    }

    fn validate_reps(&self) -> Result<(), Invalid> {
        let channels = usize::from(self.sys.channels);
        let all = self.all();
        for (index, rep) in self.reps.iter().enumerate() {
            let check = |holds, rule| check(holds, SectionKind::Reps, index, rule);
            let before = index.checked_sub(1).and_then(|before| self.reps.get(before));
            check(
                before.is_none_or(|before| before.number < rep.number),
                Rule::Order,
            )?;
            check(channels > 1, Rule::NeedsMultipleIds)?;
            check(index < channels, Rule::RepCap)?;
            check(!rep.number.is_service(), Rule::NotASubscriberNumber)?;
            check(
                self.ids.iter().all(|id| id.direct != rep.number),
                Rule::NumberTwice,
            )?;
            check(printable(&rep.label), Rule::Label)?;
            check(rep.members.difference(all) == IdSet::EMPTY, Rule::DanglingMember)?;
            check(
                rep.ring.difference(rep.members) == IdSet::EMPTY,
                Rule::RingNotMember,
            )?;
            check(
                rep.sub_cap
                    .is_none_or(|cap| (1..=self.sys.channels).contains(&cap)),
                Rule::SubCap,
            )?;
        }
        Ok(())
    }
}
