//! What is at the ports of the hub, as the cloud is told it: links, power, neighbours, whose phone it is, and who waits.
//!
//! It is told whenever the cloud has answered a hello (on every connection, and every ten minutes), when it is asked for, and when it
//! has become another, which is looked at at most every [`PACE`]. The latest counts; nobody acknowledges it, so one that the host
//! had no room for is told again, and what is lost elsewhere with the next hello.

use core::num::NonZeroU8;
use core::time::Duration;

use shared::hub::{Link, Mac};
use shared::id::IdSet;
use shared::sync::{HubOrder, HubReport, MAX_MESSAGE, Message as _, Neighbour, Occupant, PortReport};
use sip::Instant;

use crate::Gateway;
use crate::budget::{self, HUB_PORTS, POWER_PORTS};
use crate::fnv::fnv;
use crate::lldp::UPLINK;
use crate::power::Class;

/// Between two reports that nobody has asked for, told or only made to see whether they are news.
pub const PACE: Duration = Duration::from_secs(5);
/// A power is another one if it differs by as much, 0.1 W: what a device draws is never quite the same, nor what is kept for it.
pub const DRAW: u16 = 5;

/// The hub, and what was told of it.
pub(crate) struct Hub {
    /// Its MAC address; none if the board has no hub.
    pub mac: Option<[u8; 6]>,
    links: [Link; HUB_PORTS],
    /// When to look whether there is something to tell.
    look: Option<Instant>,
    /// Not before this moment, unless it is asked for.
    next: Instant,
    /// The cloud wants to know, whatever it is.
    is_asked: bool,
    told: Option<Told>,
}

/// What the cloud was told last.
struct Told {
    /// [`fnv`] of it without stamp and powers.
    hash: u32,
    powers: Powers,
}

/// What each port draws and was granted, 0.1 W.
type Powers = [[u16; 2]; POWER_PORTS];

impl Hub {
    pub const fn new() -> Self {
        Self {
            mac: None,
            links: [Link::Down; HUB_PORTS],
            look: None,
            next: Instant::ZERO,
            is_asked: false,
            told: None,
        }
    }

    /// Whether the board has one.
    pub const fn is_there(&self) -> bool {
        self.mac.is_some()
    }

    pub fn link(&mut self, port: u8, link: Link) {
        if let Some(known) = self.links.get_mut(usize::from(port)) {
            *known = link;
        }
    }

    /// The cloud has answered a hello: it may be another one, or what it was told may be lost.
    pub fn welcomed(&mut self, now: Instant) {
        (self.told, self.look) = (None, Some(now));
    }

    /// What was told last may not have left the box.
    pub fn dropped(&mut self, now: Instant) {
        (self.told, self.look) = (None, Some(self.next.max(now)));
    }

    /// Something may have changed.
    pub fn touch(&mut self, now: Instant) {
        self.look.get_or_insert(self.next.max(now));
    }

    fn is_news(&self, hash: u32, powers: &Powers) -> bool {
        self.told.as_ref().is_none_or(|told| {
            let mut both = told.powers.iter().flatten().zip(powers.iter().flatten());
            told.hash != hash || both.any(|(told, now)| told.abs_diff(*now) >= DRAW)
        })
    }
}

impl Gateway<'_> {
    /// The cloud wants something of the hub.
    pub(crate) fn on_hub_order(&mut self, now: Instant, order: HubOrder) {
        match order {
            HubOrder::Power { port, order, force } => self.on_power_order(now, port, order, force),
            HubOrder::CheckSync(key) => self.on_check_sync(key),
            HubOrder::Report => (self.hub.is_asked, self.hub.look) = (true, Some(now)),
        }
    }

    /// Something was handled: what the cloud was told may no longer be so.
    pub(crate) fn touch_hub(&mut self, now: Instant) {
        if self.hub.is_there() || self.waiting().0.next().is_some() {
            self.hub.touch(now);
        }
    }

    /// When [`Self::poll_hub`] has something to do.
    pub(crate) fn hub_deadline(&self) -> Option<Instant> {
        self.hub.look.filter(|_| self.uplink.is_welcomed())
    }

    /// Gives the uplink a report to publish, if one is due.
    pub(crate) fn poll_hub(&mut self, now: Instant, buffer: &mut [u8]) -> bool {
        if self.hub_deadline().is_none_or(|at| now < at) {
            return false;
        }
        (self.hub.look, self.hub.next) = (None, now + PACE);
        let mut report = self.report(now);
        let mut powers = Powers::default();
        for (powers, port) in powers.iter_mut().zip(&mut report.ports) {
            *powers = [port.draw, port.granted];
            (port.draw, port.granted) = (0, 0);
        }
        let at = core::mem::take(&mut report.at);
        // There are boxes without a hub, and they say nothing of it.
        let is_empty = self.hub.told.is_none() && report == HubReport::default();
        let Some(hash) = hash(&report, buffer) else {
            return false;
        };
        if !self.hub.is_asked && (is_empty || !self.hub.is_news(hash, &powers)) {
            return false;
        }
        report.at = at;
        for ([draw, granted], port) in powers.iter().zip(&mut report.ports) {
            (port.draw, port.granted) = (*draw, *granted);
        }
        // It fits, and the uplink has nothing else to do: the brain asks it first.
        if !self.uplink.tell_hub(&report) {
            return false;
        }
        self.hub.is_asked = false;
        self.hub.told = Some(Told { hash, powers });
        true
    }

    /// What is at the ports.
    fn report(&self, now: Instant) -> HubReport {
        let (waiting, unlisted) = self.waiting();
        let mut report = HubReport {
            at: self.stamp(now),
            waiting: waiting.collect(),
            unlisted,
            ..HubReport::default()
        };
        if self.hub.is_there() {
            report.uplink = self.hub.links.get(usize::from(UPLINK)).copied();
            report.budget = budget::POWER_SUPPLY;
            // As many as there is room for.
            report.ports = (0..POWER_PORTS as u8)
                .filter_map(|port| self.report_port(now, port))
                .collect();
        }
        report
    }

    fn report_port(&self, now: Instant, port: u8) -> Option<PortReport> {
        let power = self.power.shown(now, port)?;
        let neighbour = self.lldp.neighbour(port);
        Some(PortReport {
            link: self.hub.links.get(usize::from(port)).copied()?,
            power: power.power,
            class: power.class.map(Class::number),
            draw: power.drawn,
            granted: power.kept,
            occupant: self.occupant(port, neighbour.and_then(|neighbour| neighbour.mac)),
            neighbour: neighbour.map(|neighbour| Neighbour {
                model: neighbour.model.clone(),
                firmware: neighbour.firmware.clone(),
            }),
        })
    }

    /// Who is at a port: the neighbour that says its address, else the phone whose home it is if that is there, else who waits
    /// there.
    fn occupant(&self, port: u8, neighbour: Option<[u8; 6]>) -> Occupant {
        let here = |mac| {
            let waits = |waiting: shared::sync::Waiting| waiting.mac == mac;
            let (ids, is_home) = self.phone_of(mac, port);
            match ids.is_empty() {
                true if self.waiting().0.any(waits) => Occupant::Quarantined(mac),
                true => Occupant::Other(mac),
                false if is_home => Occupant::Phone(mac, ids),
                false => Occupant::Quarantined(mac),
            }
        };
        if let Some(mac) = neighbour {
            return here(Mac(mac));
        }
        let registered = self.registrar.registered();
        let at_home = self.site.ids.iter().find_map(|id| {
            let phone = id
                .phone
                .filter(|_| self.site.is_here(id) && registered.contains(id.key))?;
            (self.home_of(id) == Some(port)).then_some(phone.mac)
        });
        let stranger = self
            .waiting()
            .0
            .find(|waiting| waiting.port == Some(port + 1))
            .map(|waiting| waiting.mac);
        at_home.or(stranger).map_or(Occupant::Nobody, here)
    }

    /// The IDs whose phone has this address, and whether it belongs to this port as far as is known.
    pub(crate) fn phone_of(&self, mac: Mac, port: u8) -> (IdSet, bool) {
        let ids = self.site.ids.iter().filter(|id| self.site.is_here(id));
        let ids = ids.filter_map(|id| Some((id, id.phone.filter(|phone| phone.mac == mac)?)));
        let mut found = (IdSet::EMPTY, true);
        for (id, phone) in ids {
            let home = self.provision.phones.home(id.key, phone);
            found.0.insert(id.key);
            found.1 &= home.is_none_or(|home| home == NonZeroU8::new(port + 1));
        }
        found
    }
}

/// [`fnv`] of a message; `buffer` has room for it.
fn hash(report: &HubReport, buffer: &mut [u8]) -> Option<u32> {
    let room = buffer.len().min(MAX_MESSAGE);
    report.encode(buffer.get_mut(..room)?).ok().map(fnv)
}
