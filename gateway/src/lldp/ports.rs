//! The ports of the hub, as the brain has them: their links, and what is said and heard there.

use shared::hub::{Link, Voice};
use sip::Instant;

use super::{Local, Neighbour};
use crate::Gateway;
use crate::power::Class;

/// What the box is called in the office.
const NAME: &str = "denwaban";

impl Gateway<'_> {
    pub(crate) fn on_hub_link(&mut self, now: Instant, port: u8, link: Link) {
        if !self.hub.is_there() {
            return;
        }
        self.hub.link(port, link);
        let is_up = link != Link::Down;
        self.lldp.link(now, port, is_up);
        self.power.link(port, is_up);
    }

    pub(crate) fn on_lldp(&mut self, now: Instant, port: u8, bytes: &[u8]) {
        if !self.hub.is_there() {
            return;
        }
        if let Some(wanted) = self.lldp.heard(now, port, bytes).wanted {
            let granted = self.power.requested(now, port, wanted);
            self.lldp.grant(now, port, granted);
        }
    }

    /// The next LLDPDU to send: its port and length.
    pub(crate) fn poll_lldp(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(u8, usize)> {
        while self.lldp.age(now).is_some() {
            self.touch_hub(now);
        }
        let mac = self.hub.mac?;
        let port = self.lldp.due(now)?;
        let local = Local {
            mac,
            name: NAME,
            address: self.address,
            // As long as another network was not started in, phones would not find the box there.
            voice: self.office.voice().map(|voice| voice.vlan),
            class: self
                .power
                .shown(now, port)
                .and_then(|shown| shown.class)
                .map(Class::number),
        };
        let len = self.lldp.say(now, port, &local, buffer)?;
        Some((port, len))
    }

    /// The network of the site's phones, if it is not the office's; the box is in it from its next start on.
    pub fn voice(&self) -> Option<Voice> {
        self.site.sys.voice
    }

    /// What is known by LLDP of who is at a port of the hub.
    pub fn neighbour(&self, port: u8) -> Option<&Neighbour> {
        self.lldp.neighbour(port)
    }
}
