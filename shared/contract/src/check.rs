//! What holds for every contract, after any commands.

use std::collections::BTreeSet;

use shared::analog::PORTS;
use shared::route::Treatment;
use shared::{Extension, IdKey, IdSet, Number, TerminalKind, hub};

use crate::device::{DeviceId, DeviceState, Phone};
use crate::model::{Contract, Id, RequestState, Terminal};

/// An invariant that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// R1: a number has two roles, or two IDs.
    NumberTwice(Number),
    /// Representative numbers ascend, and none comes twice.
    Order,
    /// A5: two IDs have one key, or the key of an ID whose calls may not be billed yet.
    KeyTwice(IdKey),
    /// R30: two IDs have one extension.
    ExtensionTwice(Extension),
    /// An ID or a device that is not the customer's own is at no site of the contract.
    NoSite,
    /// R9, R22, R25: the ID has no number it may present.
    Outgoing(IdKey),
    /// R6: a lease is of another epoch than its ID's.
    Epoch(IdKey),
    /// R6, R33: an ID is lent to a device that is not bound to it.
    ForeignLease(IdKey),
    /// R5: a terminal uses two IDs.
    TerminalTwice(IdKey),
    /// R4: a member is no ID of the contract, or who rings is no member.
    Members(Number),
    /// R12: a representative number with too few IDs.
    NeedsMultipleIds,
    /// R13, R15: more representative numbers than IDs.
    RepCap,
    /// A4: a number's own cap is 0 or above the channels.
    SubCap(Number),
    /// R14: two requests have one key, or one waits without a purpose, or for a number that is had or asked for already.
    Request(u32),
    /// R7: a direct number leaves and nothing replaces it.
    DirectLeaves(Number),
    /// A number's rules name a schedule, block list or number that is not there.
    DanglingRule(Number),
    /// R5: an ID has two devices, or one for another kind of terminal.
    Device(DeviceId),
    /// R5, A14, R41: an ID is plugged into a port that there is not, is another one's, or is not for its terminal.
    Port(IdKey),
    /// R5, R33: the phone of an ID is one it cannot have, or another ID's.
    Phone(IdKey),
    /// R34: a device on its way is bound to no ID, or has no hardware address.
    Unbound(DeviceId),
    /// A contract that ended still has something.
    NotEnded,
}

fn ensure(holds: bool, broken: Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken) }
}

impl Contract {
    /// Checks every invariant; the first that does not hold is returned.
    pub fn check(&self) -> Result<(), Broken> {
        self.check_numbers()?;
        self.check_ids()?;
        self.check_reps()?;
        self.check_devices()?;
        let empty = self.ids.is_empty() && self.reps.is_empty() && self.pending().count() == 0;
        ensure(self.ended.is_none() || empty, Broken::NotEnded)
    }

    fn check_numbers(&self) -> Result<(), Broken> {
        let mut seen = BTreeSet::new();
        for (number, _) in self.numbers() {
            ensure(seen.insert(number), Broken::NumberTwice(number))?;
        }
        for (line, _) in self.lines() {
            let rules = &line.rules;
            let there = |treatment| match treatment {
                Treatment::Forward(to) => to != line.number && self.line(to).is_some(),
                Treatment::End => true,
            };
            let holds = rules
                .schedule
                .is_none_or(|index| self.schedules.contains_key(&index))
                && rules.block.is_none_or(|index| self.blocks.contains_key(&index))
                && there(rules.closed)
                && there(rules.unanswered);
            ensure(holds, Broken::DanglingRule(line.number))?;
        }
        Ok(())
    }

    fn check_ids(&self) -> Result<(), Broken> {
        let mut keys = IdSet::EMPTY;
        let (mut extensions, mut terminals, mut ports) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        for id in &self.ids {
            let mut former = self.former.iter().filter(|former| former.id == Some(id.key));
            let reused = former.any(|former| former.since < id.since);
            ensure(!keys.contains(id.key) && !reused, Broken::KeyTwice(id.key))?;
            keys.insert(id.key);
            let extension = id.extension;
            ensure(extensions.insert(extension), Broken::ExtensionTwice(extension))?;
            ensure(self.site(id.site).is_some(), Broken::NoSite)?;
            ensure(self.may_present(id.key, id.outgoing), Broken::Outgoing(id.key))?;
            if let Some(port) = id.port {
                let fits = (1..=PORTS).contains(&port.number) && id.kind == TerminalKind::Adapter;
                let elsewhere = self
                    .devices
                    .iter()
                    .any(|device| device.ports.contains(&Some(id.key)));
                let own = ports.insert((id.site, port.number));
                ensure(fits && own && !elsewhere, Broken::Port(id.key))?;
            }
            if let Some(phone) = id.phone {
                self.check_phone(id, phone)?;
            }
            if let Some(porting) = id.direct.porting {
                ensure(porting.next.is_some(), Broken::DirectLeaves(id.direct.number))?;
            }
            let Some(lease) = &id.lease else { continue };
            ensure(lease.epoch == id.epoch, Broken::Epoch(id.key))?;
            if let Terminal::Device(device) = lease.terminal {
                let device = self.device(device);
                let bound = device.is_some_and(|device| device.ports.contains(&Some(id.key)));
                ensure(bound, Broken::ForeignLease(id.key))?;
            } else {
                ensure(
                    !terminals.contains(&&lease.terminal),
                    Broken::TerminalTwice(id.key),
                )?;
                terminals.push(&lease.terminal);
            }
        }
        Ok(())
    }

    fn check_phone(&self, id: &Id, phone: Phone) -> Result<(), Broken> {
        let port = phone.port.is_none_or(|port| port.get() <= hub::PORTS);
        let line = (1..=phone.model.lines()).contains(&phone.line);
        let fits = id.port.is_none() && id.kind == phone.model.kind() && phone.mac.is_device();
        // The device it is, and the device the ID has, are one.
        let devices = self.devices.iter().all(|device| {
            let gone = matches!(device.state, DeviceState::Returned(_));
            let bound = device.ports.contains(&Some(id.key));
            gone || bound == (device.mac == Some(phone.mac))
        });
        let others = self.ids.iter().filter(|other| other.key != id.key).all(|other| {
            other.phone.is_none_or(|theirs| {
                let place = |site, phone: Phone| (site, phone.model, phone.port);
                if theirs.mac == phone.mac {
                    theirs.line != phone.line && place(other.site, theirs) == place(id.site, phone)
                } else {
                    phone.port.is_none() || (other.site, theirs.port) != (id.site, phone.port)
                }
            })
        });
        ensure(port && line && fits && devices && others, Broken::Phone(id.key))
    }

    fn check_reps(&self) -> Result<(), Broken> {
        let all: IdSet = self.ids.iter().map(|id| id.key).collect();
        let ascending = self
            .reps
            .is_sorted_by(|one, next| one.line.number < next.line.number);
        ensure(ascending, Broken::Order)?;
        let enough = self.reps.is_empty() || self.ids.len() >= self.rules().min_ids_for_reps;
        ensure(enough, Broken::NeedsMultipleIds)?;
        ensure(self.reps.len() <= self.ids.len(), Broken::RepCap)?;
        for rep in &self.reps {
            let number = rep.line.number;
            let members =
                rep.members.difference(all).is_empty() && rep.ring.difference(rep.members).is_empty();
            ensure(members, Broken::Members(number))?;
            let capped = rep
                .sub_cap
                .is_none_or(|cap| cap > 0 && usize::from(cap) <= self.channels());
            ensure(capped, Broken::SubCap(number))?;
        }
        let (mut seen, mut asked) = (BTreeSet::new(), BTreeSet::new());
        for request in &self.requests {
            let (number, waits) = (request.rep.number, request.state == RequestState::Submitted);
            let stated = !request.usage.trim().is_empty();
            let sound = !waits || stated && self.role(number).is_none() && asked.insert(number);
            ensure(seen.insert(request.id) && sound, Broken::Request(request.id))?;
        }
        Ok(())
    }

    fn check_devices(&self) -> Result<(), Broken> {
        let (mut bound, mut macs) = (IdSet::EMPTY, BTreeSet::new());
        for device in &self.devices {
            let back = matches!(device.state, DeviceState::Returned(_));
            let bought = matches!(device.state, DeviceState::Purchased(_));
            ensure(self.site(device.site).is_some() || back || bought, Broken::NoSite)?;
            for key in device.ports.iter().flatten() {
                let fits = self.id(*key).is_some_and(|id| id.kind == device.model.kind());
                let holds = fits && !back && !bound.contains(*key);
                ensure(holds, Broken::Device(device.id))?;
                bound.insert(*key);
            }
            let on_its_way = matches!(device.state, DeviceState::Configured(_) | DeviceState::Shipped(_));
            if on_its_way && self.ended.is_none() {
                let ready = device.mac.is_some() && device.ports.iter().any(Option::is_some);
                ensure(ready, Broken::Unbound(device.id))?;
            }
            if let Some(mac) = device.mac.filter(|_| !back) {
                ensure(macs.insert(mac), Broken::Device(device.id))?;
            }
        }
        Ok(())
    }
}
