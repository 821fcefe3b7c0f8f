//! What the ports' phones mean to the rest of the box, and the rest of the box to them: calls, registrations, the cloud.

use shared::id::IdSet;
use shared::site::Id;
use shared::sync::{Alarm, EventBody, PowerOrder};
use sip::Instant;

use super::{InCall, Reading, Shown, Told};
use crate::Gateway;
use crate::budget::POWER_PORTS;

impl Gateway<'_> {
    /// The ports are like this; `None`: the controller does not answer.
    pub(crate) fn on_power(&mut self, now: Instant, reading: Option<&Reading>) {
        let registered = self.registrar.registered();
        for (port, ids) in (0..).zip(self.at_ports()) {
            if ids.iter().any(|key| registered.contains(key)) {
                self.power.registered(now, port);
            }
        }
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
