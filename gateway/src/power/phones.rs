//! What the ports' phones mean to the rest of the box, and the rest of the box to them: calls, registrations, the cloud.

use shared::id::{IdKey, IdSet};
use shared::site::Id;
use shared::sync::{Alarm, EventBody, PowerOrder};
use sip::Instant;

use super::{InCall, Reading, Shown, Told};
use crate::Gateway;
use crate::budget::POWER_PORTS;
use crate::provision::files::Host;
use crate::registrar::Binding;

impl Gateway<'_> {
    /// The ports are like this; `None`: the controller does not answer.
    pub(crate) fn on_power(&mut self, now: Instant, reading: Option<&Reading>) {
        for (port, ids) in (0..).zip(self.at_ports()) {
            let bindings = || {
                self.registrar
                    .iter()
                    .filter(|binding| ids.contains(binding.key()))
            };
            // Where the box is by what the phone knows.
            let is_here = |binding: &Binding| {
                let local = binding.flow().local.ip();
                local.is_unspecified() || self.address.is_none_or(|own| local == own)
            };
            if bindings().next().is_some() {
                self.power.heard(now, port);
            }
            if bindings().any(|binding| is_here(binding) && binding.is_restored()) {
                self.power.registered(now, port);
            } else if bindings().next().is_some() && !bindings().any(is_here) {
                self.power.stranded(now, port);
            }
        }
        self.hear_fetches(now);
        let in_call = self.ports_in_call();
        self.power.read(now, reading, in_call);
        while let Some(told) = self.power.poll_told() {
            let body = match told {
                Told::Fault { port, fault, raised } => EventBody::Alarm {
                    alarm: Alarm::Power(port + 1, fault),
                    raised,
                },
                Told::Cycled { port } => EventBody::PortCycled { port: port + 1 },
            };
            self.tell(now, body);
        }
    }

    /// The phone of an ID has registered, at a port or elsewhere.
    pub(crate) fn fed_phone_registered(&mut self, now: Instant, key: IdKey) {
        if let Some(port) = self.site.id(key).and_then(|id| self.home_of(id)) {
            self.power.registered(now, port);
        }
    }

    /// The phone of a port has asked for a file: it lives, though its SIP may be silent, as while it writes firmware.
    pub(crate) fn fed_phone_fetched(&mut self, now: Instant, from: Host) {
        let (Some(mac), Some(port)) = (from.mac, from.port) else {
            return;
        };
        let port = port.get() - 1;
        // Not what else may be plugged in there, behind the phone.
        if let (ids, true) = self.phone_of(mac, port)
            && !ids.is_empty()
        {
            self.power.heard(now, port);
        }
    }

    /// The cloud wants the power of a port switched; its number is from 1.
    pub(crate) fn on_power_order(&mut self, now: Instant, number: u8, order: PowerOrder, force: bool) {
        let in_call = self.ports_in_call();
        let port = number.wrapping_sub(1);
        if self.power.switch(now, port, order, force, in_call).is_err() {
            self.counters.power += 1;
        }
    }

    fn ports_in_call(&self) -> InCall {
        let busy = self.busy.set();
        self.at_ports()
            .map(|ids| ids.iter().any(|key| busy.contains(key)))
    }

    /// Whose phones are at which port.
    fn at_ports(&self) -> [IdSet; POWER_PORTS] {
        let mut ports = [IdSet::EMPTY; POWER_PORTS];
        for id in self.site.ids.iter().filter(|id| self.site.is_here(id)) {
            if let Some(ids) = self.home_of(id).and_then(|port| ports.get_mut(usize::from(port))) {
                ids.insert(id.key);
            }
        }
        ports
    }

    /// The port that the phone of an ID belongs to, or where it was first seen.
    pub(crate) fn home_of(&self, id: &Id) -> Option<u8> {
        let home = self.provision.phones.home(id.key, id.phone?)??;
        home.get().checked_sub(1)
    }

    /// How a port is: its index is from 0.
    pub fn port_power(&self, now: Instant, port: u8) -> Option<Shown> {
        self.power.shown(now, port)
    }
}
