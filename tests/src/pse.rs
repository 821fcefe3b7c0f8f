//! The controller of the hub's ports with power, as the brain sees it: what is plugged in is found and classified in half a
//! second, and fed a moment after the order. The chip itself, with its registers, is a twin of the rig (`hil`).

use deskphones::model::Model;
use gateway::budget::POWER_PORTS;
use gateway::power::{Class, Feed, Found, PortOrder, PortReading, Reading};

use crate::network::Millis;

/// Between two readings (the brain wants one a second at least).
const READING: Millis = 250;
/// Detection and classification (IEEE 802.3 §33.2.7.3: detection in 500 ms).
const FINDS: Millis = 500;
/// Until the voltage is there (IEEE 802.3 table 33-11: inrush 50 to 75 ms).
const RISES: Millis = 60;

#[derive(Clone, Copy, Default)]
struct Socket {
    device: Option<&'static Model>,
    /// Since when it is plugged in and not fed.
    plugged: Millis,
    disabled: bool,
    /// Since when it is fed.
    fed: Option<Millis>,
}

/// The controller.
#[derive(Default)]
pub struct Pse {
    sockets: [Socket; POWER_PORTS],
    next: Millis,
    /// Ports that give power from now on, or give none any more.
    changes: Vec<(u8, bool)>,
}

impl Pse {
    /// Plugs a phone into a port, from 0.
    pub fn plug(&mut self, now: Millis, port: u8, device: &'static Model) {
        if let Some(socket) = self.sockets.get_mut(usize::from(port)) {
            (socket.device, socket.plugged) = (Some(device), now);
        }
    }

    /// What the brain wants of a port.
    pub fn order(&mut self, now: Millis, port: u8, order: PortOrder) {
        let Some(socket) = self.sockets.get_mut(usize::from(port)) else {
            return;
        };
        let was = socket.fed.is_some();
        match order {
            PortOrder::On(_) if socket.device.is_some() => socket.fed = Some(now),
            PortOrder::On(_) => {}
            PortOrder::Off => socket.fed = None,
            PortOrder::Disable => (socket.fed, socket.disabled) = (None, true),
            PortOrder::Enable => (socket.disabled, socket.plugged) = (false, now),
        }
        let is = socket.fed.is_some();
        if was && !is {
            socket.plugged = now;
        }
        if was != is {
            self.changes.push((port, is));
        }
    }

    /// Ports whose power has changed, once.
    pub fn take_changes(&mut self) -> Vec<(u8, bool)> {
        std::mem::take(&mut self.changes)
    }

    /// When the next reading is due.
    pub fn next_deadline(&self) -> Millis {
        self.next
    }

    /// The reading that is due.
    pub fn poll(&mut self, now: Millis) -> Option<Reading> {
        if now < self.next {
            return None;
        }
        self.next = now + READING;
        Some(Reading {
            ports: self.sockets.map(|socket| socket.reading(now)),
            supply_mv: 54_000,
            celsius: 45,
            was_too_hot: false,
        })
    }
}

impl Socket {
    fn reading(self, now: Millis) -> PortReading {
        let class = self.device.and_then(|model| model.power).map(|power| power.class);
        let found = match (self.device, class) {
            _ if self.disabled => Found::Unknown,
            (None, _) => Found::Nothing,
            (Some(_), None) => Found::Other,
            (Some(_), Some(class)) if self.fed.is_some() || now >= self.plugged + FINDS => {
                Found::Device(Class::new(class))
            }
            _ => Found::Unknown,
        };
        let feed = match self.fed {
            None => Feed::Off,
            Some(since) if now < since + RISES => Feed::Starting,
            Some(_) => Feed::On,
        };
        let load = |since| self.device.map_or(0, |model| model.load_mw(now - since, false));
        PortReading {
            searches: !self.disabled,
            feed,
            found,
            cut: None,
            milliwatts: self.fed.map_or(0, load),
        }
    }
}
