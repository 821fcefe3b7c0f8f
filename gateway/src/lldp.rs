//! Who is at the ports of the hub, and what they are told: LLDP (IEEE 802.1AB) and LLDP-MED (ANSI/TIA-1057).
//!
//! ```text
//! port ── LLDPDU ──> neighbour of the port ── power wanted ──> power
//!      <── LLDPDU ── who we are, VLAN and code points, power granted
//! ```
//!
//! A port has one neighbour. Another one is not heard before the first has said good-bye, was silent for as long as it had said,
//! or lost its link: two behind one port would else take turns. Policies and power are told only to who speaks LLDP-MED, and not
//! at the uplink.

pub mod lldpdu;
mod ports;
#[cfg(test)]
mod tests;

use core::fmt::Write;
use core::net::Ipv4Addr;
use core::time::Duration;

use heapless::String;
use sip::Instant;

use crate::budget::HUB_PORTS;
use crate::fnv::Fnv;
use lldpdu::{Agreed, Capabilities, Id, Lldpdu, Med, MedPower, Policy, Power};

/// Between two messages of ours (802.1AB §9.2.5.7).
pub const INTERVAL: Duration = Duration::from_secs(30);
/// Between the first ones to a new neighbour, and at the least between any two (802.1AB §9.2.5.5).
pub const FAST: Duration = Duration::from_secs(1);
/// From a link that came to the first message, if no neighbour speaks: one that knows the box from before it started again has spoken
/// by then, and does not lose what it was told to a message for nobody.
pub const PATIENCE: Duration = Duration::from_secs(35);
/// How many of those (TIA-1057 §11.2.1: medFastStartRepeatCount).
pub const FAST_COUNT: u8 = 3;
/// For how long we are to be believed, seconds: four intervals and one (802.1AB §9.2.5.22).
const TTL: u16 = 121;
/// Longest message of ours, bytes.
pub const MESSAGE_MAX: usize = 256;
/// Port without power, at which the office's network is.
pub const UPLINK: u8 = HUB_PORTS as u8 - 1;
/// Code points of audio and of signalling (RFC 4594 §4.1, §4.2: EF and, as telephones know it, AF31).
pub const DSCP: [u8; 2] = [46, 26];
/// Priorities of both in the VLAN's tag (IEEE 802.1Q table I-2).
const PRIORITY: [u8; 2] = [5, 3];

/// A text that a neighbour says of itself: printable, shortened if need be.
pub type Text = String<TEXT_MAX>;
/// Its longest, bytes.
pub const TEXT_MAX: usize = 32;

/// Who is at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its MAC address, if it says one.
    pub mac: Option<[u8; 6]>,
    /// Maker and model; of a device without inventory what it says it is, or its name.
    pub model: Text,
    /// Version of its firmware.
    pub firmware: Text,
    /// It is an end point of LLDP-MED: a telephone, mostly.
    pub is_end_point: bool,
    /// Power that it asks for at its end of the cable, 0.1 W.
    pub wanted: Option<u16>,
}

/// What we say of ourselves at a port.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// Our MAC address.
    pub mac: [u8; 6],
    /// What we are called.
    pub name: &'a str,
    /// Our address.
    pub address: Option<Ipv4Addr>,
    /// VLAN of the telephones, if they have one.
    pub voice: Option<u16>,
    /// Class (0 to 4) of the device that the port feeds.
    pub class: Option<u8>,
}

/// What came of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Another neighbour, or one that says something else of itself.
    pub is_news: bool,
    /// Power that it asks for, 0.1 W: to be granted by [`Lldp::grant`].
    pub wanted: Option<u16>,
}

/// What went by, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that were taken.
    pub heard: u32,
    /// Messages that could not be read.
    pub unreadable: u32,
    /// Messages of a second neighbour at a port.
    pub crowded: u32,
    /// Neighbours that became silent.
    pub aged: u32,
}

#[derive(Clone, Debug)]
struct Known {
    /// [`Fnv`] of the names of device and port.
    identity: u32,
    until: Instant,
    neighbour: Neighbour,
}

#[derive(Clone, Debug)]
struct Port {
    is_up: bool,
    known: Option<Known>,
    /// 0.1 W.
    granted: u16,
    /// When something is to be said next.
    next: Instant,
    said: Option<Instant>,
    /// Messages that follow soon.
    fast: u8,
}

impl Port {
    const NEW: Self = Self {
        is_up: false,
        known: None,
        granted: 0,
        next: Instant::NEVER,
        said: None,
        fast: 0,
    };

    /// Says something as soon as it may.
    fn hurry(&mut self, now: Instant) {
        let may = self.said.map_or(now, |said| said + FAST).max(now);
        self.next = self.next.min(may);
    }

    fn forget(&mut self) -> bool {
        self.granted = 0;
        self.known.take().is_some()
    }
}

/// The neighbours of all ports.
pub struct Lldp {
    ports: [Port; HUB_PORTS],
    counters: Counters,
}

impl Default for Lldp {
    fn default() -> Self {
        Self::new()
    }
}

impl Lldp {
    /// No port has a link.
    pub const fn new() -> Self {
        Self {
            ports: [Port::NEW; HUB_PORTS],
            counters: Counters {
                heard: 0,
                unreadable: 0,
                crowded: 0,
                aged: 0,
            },
        }
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The link of a port came or went. `true`: its neighbour went with it.
    pub fn link(&mut self, now: Instant, port: u8, is_up: bool) -> bool {
        let Some(port) = self.ports.get_mut(usize::from(port)) else {
            return false;
        };
        if port.is_up == is_up {
            return false;
        }
        port.is_up = is_up;
        port.fast = 0;
        port.next = if is_up { now + PATIENCE } else { Instant::NEVER };
        !is_up && port.forget()
    }

    /// A message came in at a port.
    pub fn heard(&mut self, now: Instant, port: u8, bytes: &[u8]) -> Heard {
        let Some(port) = self.ports.get_mut(usize::from(port)) else {
            return Heard::default();
        };
        let Ok(said) = Lldpdu::parse(bytes) else {
            self.counters.unreadable += 1;
            return Heard::default();
        };
        let identity = identity(&said);
        let same = port.known.as_ref().map(|known| known.identity == identity);
        if same == Some(false) {
            self.counters.crowded += 1;
            return Heard::default();
        }
        self.counters.heard += 1;
        if said.ttl == 0 {
            return Heard {
                is_news: port.forget(),
                wanted: None,
            };
        }
        // A frame came in, whatever the switch says of the link.
        port.is_up = true;
        let neighbour = Neighbour::of(&said);
        let wanted = neighbour.wanted;
        let until = now + Duration::from_secs(said.ttl.into());
        let is_news = port
            .known
            .as_ref()
            .is_none_or(|known| known.neighbour != neighbour);
        let was_end_point = port
            .known
            .as_ref()
            .is_some_and(|known| known.neighbour.is_end_point);
        if same.is_none() || neighbour.is_end_point && !was_end_point {
            port.fast = FAST_COUNT;
            port.hurry(now);
        }
        port.known = Some(Known {
            identity,
            until,
            neighbour,
        });
        Heard { is_news, wanted }
    }

    /// The power that the device at a port gets, 0.1 W at its end of the cable; it is told if that has changed.
    pub fn grant(&mut self, now: Instant, port: u8, granted: u16) {
        if let Some(port) = self.ports.get_mut(usize::from(port))
            && port.known.is_some()
            && core::mem::replace(&mut port.granted, granted) != granted
        {
            port.hurry(now);
        }
    }

    /// What we say has changed: everybody is told to whom something was said.
    pub fn changed(&mut self, now: Instant) {
        for port in self
            .ports
            .iter_mut()
            .filter(|port| port.is_up && port.said.is_some())
        {
            port.hurry(now);
        }
    }

    /// Forgets a neighbour that was silent for too long; its port. Call until `None`.
    pub fn age(&mut self, now: Instant) -> Option<u8> {
        let is_old = |port: &Port| port.known.as_ref().is_some_and(|known| known.until <= now);
        let (at, port) = (0..).zip(&mut self.ports).find(|(_, port)| is_old(port))?;
        port.forget();
        self.counters.aged += 1;
        Some(at)
    }

    /// A port at which something is to be said now.
    pub fn due(&self, now: Instant) -> Option<u8> {
        let (at, _) = (0..).zip(&self.ports).find(|(_, port)| port.next <= now)?;
        Some(at)
    }

    /// Writes what is said at a port; how long it is.
    pub fn say(&mut self, now: Instant, port: u8, local: &Local<'_>, to: &mut [u8]) -> Option<usize> {
        let at = port;
        let port = self.ports.get_mut(usize::from(at))?;
        let wait = match port.fast {
            0 => INTERVAL,
            _ => FAST,
        };
        port.fast = port.fast.saturating_sub(1);
        (port.said, port.next) = (Some(now), now + wait);
        let number = [b'1' + at];
        let mut description = String::<16>::new();
        // Longer than any number of a port.
        let _ = write!(description, "port {}", at + 1);
        let neighbour = port.known.as_ref().map(|known| &known.neighbour);
        let is_fed = neighbour.filter(|_| at != UPLINK && port.granted != 0);
        let mut said = Lldpdu::new(
            Id {
                kind: Id::CHASSIS_MAC,
                value: &local.mac,
            },
            Id {
                kind: Id::PORT_LOCAL,
                value: &number,
            },
            TTL,
        );
        said.port_description = description.as_bytes();
        said.name = local.name.as_bytes();
        said.description = crate::AGENT.as_bytes();
        said.capabilities = Some(Capabilities {
            can: Capabilities::BRIDGE,
            is: Capabilities::BRIDGE,
        });
        said.address = local.address.map(Into::into);
        said.power = is_fed.map(|neighbour| Power {
            support: Power::FEEDS,
            pairs: 1,
            class: local.class.unwrap_or(0).saturating_add(1),
            agreed: Some(Agreed {
                how: Agreed::SUPPLY,
                requested: neighbour.wanted.unwrap_or(0),
                allocated: port.granted,
            }),
        });
        said.med = neighbour
            .filter(|other| other.is_end_point && at != UPLINK)
            .map(|_| Med {
                capabilities: Med::SUPPLY,
                class: Med::NETWORK,
                policies: policies(local.voice),
                power: is_fed.map(|_| MedPower {
                    how: MedPower::SUPPLY,
                    value: port.granted,
                }),
                inventory: Default::default(),
            });
        said.write(to)
    }

    /// When something is to be done next.
    pub fn next_deadline(&self) -> Option<Instant> {
        let each = |port: &Port| match &port.known {
            Some(known) => port.next.min(known.until),
            None => port.next,
        };
        self.ports
            .iter()
            .map(each)
            .min()
            .filter(|next| *next < Instant::NEVER)
    }

    /// Who is at a port.
    pub fn neighbour(&self, port: u8) -> Option<&Neighbour> {
        Some(&self.ports.get(usize::from(port))?.known.as_ref()?.neighbour)
    }
}

/// Audio and signalling: in the telephones' VLAN or untagged, and with their code points.
fn policies(voice: Option<u16>) -> [Option<Policy>; 8] {
    let mut policies = [None; 8];
    for (policy, (dscp, priority)) in policies.iter_mut().zip(DSCP.into_iter().zip(PRIORITY)) {
        *policy = Some(Policy {
            is_unknown: false,
            is_tagged: voice.is_some(),
            vlan: voice.unwrap_or(0),
            priority,
            dscp,
        });
    }
    policies
}

impl Neighbour {
    fn of(said: &Lldpdu<'_>) -> Self {
        let mac = match (said.chassis, said.port) {
            (
                Id {
                    kind: Id::CHASSIS_MAC,
                    value,
                },
                _,
            )
            | (
                _,
                Id {
                    kind: Id::PORT_MAC,
                    value,
                },
            ) => value.try_into().ok(),
            _ => None,
        };
        let inventory = said.med.map(|med| med.inventory).unwrap_or_default();
        let mut model = Text::new();
        append(&mut model, inventory.manufacturer);
        append(&mut model, inventory.model);
        for instead in [said.description, said.name] {
            if model.is_empty() {
                append(&mut model, instead);
            }
        }
        let mut firmware = Text::new();
        append(&mut firmware, inventory.firmware);
        if firmware.is_empty() {
            append(&mut firmware, inventory.software);
        }
        let device = said.power.filter(|power| power.support & Power::IS_SUPPLY == 0);
        let agreed = device
            .and_then(|power| power.agreed)
            .map(|agreed| agreed.requested);
        let med = said.med.and_then(|med| med.power).filter(MedPower::is_device);
        Neighbour {
            mac,
            model,
            firmware,
            is_end_point: said.med.is_some_and(|med| med.is_end_point()),
            // IEEE 802.3 goes before LLDP-MED where both are said (802.3 §33.6).
            wanted: agreed
                .or(med.map(|power| power.value))
                .filter(|wanted| *wanted != 0),
        }
    }
}

/// Adds what can be shown of a text, with a space before it if there is something already, as far as there is room.
fn append(text: &mut Text, bytes: &[u8]) {
    let said = bytes.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
    let said = said.filter(|letter| !letter.is_control());
    let space = (!text.is_empty() && !bytes.is_empty()).then_some(' ');
    for letter in space.into_iter().chain(said) {
        if text.push(letter).is_err() {
            return;
        }
    }
}

fn identity(said: &Lldpdu<'_>) -> u32 {
    Fnv::new()
        .add(&[said.chassis.kind, said.chassis.value.len() as u8])
        .add(said.chassis.value)
        .add(&[said.port.kind])
        .add(said.port.value)
        .value()
}
