//! What a network of phones needs from somebody, and what its router may be too far away, too old or too dead to give: names,
//! the time, a place for logs, and addresses.
//!
//! All of it is datagrams at well-known ports. Nobody from elsewhere is answered.

pub mod clock;
pub mod dhcp;
pub mod dns;
mod ntp;
pub mod syslog;

use core::net::{Ipv4Addr, SocketAddrV4};

use heapless::Vec;
use sha2::{Digest, Sha256};
use shared::hub::{Dhcp as Policy, Voice};
use sip::Instant;
use sip::pool::Room;

use clock::{Clock, Source, Word};
use dhcp::Server;
use dns::{Dns, Place};
use syslog::{Log, Syslog};

/// The office's own network: [`sip::Flow::interface`] of what comes from it.
pub const OFFICE: u8 = 0;
/// The phones' network, if they have one of their own.
pub const VOICE: u8 = 1;
/// Networks there can be.
pub const NETWORKS: usize = 2;

/// UDP ports that are served in the phones' network. Any other port of [`crate::Output::Service`] is the one that other name servers
/// and time servers are asked from, and answer to: in the office's network, one at a time.
pub const PORTS: [u16; 4] = [dns::PORT, dhcp::PORT, ntp::PORT, syslog::PORT];
/// Longest datagram of a service, bytes.
pub const DATAGRAM_MAX: usize = dns::LARGEST;

const _: () = assert!(DATAGRAM_MAX <= crate::REPLY_MAX && dhcp::REPLY_MAX <= crate::REPLY_MAX);

/// Room for an answer.
pub type Reply = Vec<u8, { crate::REPLY_MAX }>;

/// A network as the box finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The box's address.
    pub address: Ipv4Addr,
    /// Length of the network's prefix, 0 to 32.
    pub prefix: u8,
    /// The way out.
    pub router: Option<Ipv4Addr>,
    /// Name servers.
    pub names: Vec<Ipv4Addr, 3>,
    /// Time servers.
    pub times: Vec<Ipv4Addr, 2>,
}

impl Subnet {
    /// A host of which nothing is known but its address: it serves nobody and asks nobody.
    pub const fn host(address: Ipv4Addr) -> Self {
        Self {
            address,
            prefix: 32,
            router: None,
            names: Vec::new(),
            times: Vec::new(),
        }
    }

    /// The network's mask.
    pub fn mask(&self) -> Ipv4Addr {
        let hosts = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        Ipv4Addr::from_bits(!hosts)
    }

    /// Is it an address of this network?
    pub fn holds(&self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.address.to_bits()) & self.mask().to_bits() == 0
    }

    /// How many hosts there can be.
    pub fn hosts(&self) -> u32 {
        (!self.mask().to_bits()).saturating_sub(1)
    }

    /// The address of host `index`, below [`Subnet::hosts`].
    pub fn host_at(&self, index: u32) -> Ipv4Addr {
        let mask = self.mask().to_bits();
        Ipv4Addr::from_bits(self.address.to_bits() & mask | index.saturating_add(1) & !mask)
    }

    /// Can a phone be given this address?
    pub fn can_be_given(&self, address: Ipv4Addr) -> bool {
        let host = address.to_bits() & !self.mask().to_bits();
        let taken = address == self.address
            || self.router == Some(address)
            || self.names.contains(&address)
            || self.times.contains(&address);
        self.holds(address) && !taken && (1..=self.hosts()).contains(&host)
    }
}

/// Where a datagram goes, or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct To {
    /// By which network.
    pub interface: u8,
    /// The host and its port.
    pub address: SocketAddrV4,
}

/// Numbers that nobody can foretell from those before: what is asked by them is answered by who heard the question.
pub struct Secret {
    key: [u8; 32],
    drawn: u64,
}

impl Secret {
    /// From fresh randomness of this start.
    pub fn new(seed: &[u8; 32]) -> Self {
        let key = Sha256::new()
            .chain_update(b"office")
            .chain_update(seed)
            .finalize();
        Self {
            key: key.into(),
            drawn: 0,
        }
    }

    /// What stays the same until the next start.
    pub fn name(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.key)
            .chain_update(b"name")
            .finalize()
            .into()
    }

    /// The next ones.
    pub fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let drawn = self.drawn.to_le_bytes();
        Sha256::new()
            .chain_update(self.key)
            .chain_update(drawn)
            .finalize()
            .into()
    }
}

/// A datagram that lies in a buffer, from its first byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The box's port.
    pub port: u16,
    /// To whom.
    pub to: To,
    /// Bytes.
    pub length: usize,
}

/// All services.
pub struct Office {
    /// In rooms: what is all zeros when empty is not part of the image.
    subnets: [Room<Subnet>; NETWORKS],
    /// Whom the box asks for names and for the time.
    name_servers: Vec<Ipv4Addr, 3>,
    time_servers: Vec<Ipv4Addr, 2>,
    policy: Policy,
    voice: Option<Voice>,
    secret: Secret,
    dns: Dns,
    clock: Clock,
    time: ntp::Client,
    syslog: Syslog,
    dhcp: Server,
}

impl Office {
    /// No network yet.
    pub const fn new() -> Self {
        Self {
            subnets: [Room::Empty, Room::Empty],
            name_servers: Vec::new(),
            time_servers: Vec::new(),
            policy: Policy::Auto,
            voice: None,
            secret: Secret {
                key: [0; 32],
                drawn: 0,
            },
            dns: Dns::new(),
            clock: Clock::new(),
            time: ntp::Client::new(),
            syslog: Syslog::new(),
            dhcp: Server::new(),
        }
    }

    /// Fresh randomness of this start.
    pub fn seed(&mut self, seed: &[u8; 32]) {
        self.secret = Secret::new(seed);
    }

    /// The box's hardware address.
    pub fn set_mac(&mut self, mac: [u8; 6]) {
        self.dhcp.set_mac(mac);
    }

    /// A network came, changed or went.
    pub fn network(&mut self, now: Instant, interface: u8, subnet: Option<Subnet>) {
        let Some(place) = self.subnets.get_mut(usize::from(interface)) else {
            return;
        };
        let was = core::mem::replace(place, subnet.into());
        let own = |subnet: &Subnet| (subnet.address, subnet.prefix);
        let (was, is) = (was.as_ref(), place.as_ref());
        let (moved, changed) = (was.map(own) != is.map(own), was != is);
        if moved && interface == self.phones() {
            self.dhcp.restart(now, true);
        }
        if interface != OFFICE || !changed {
            return;
        }
        self.name_servers.clear();
        self.time_servers.clear();
        if let [Room::Taken(subnet), ..] = &self.subnets {
            let others = |address: &&Ipv4Addr| **address != subnet.address;
            // A router may know the way to names and the time where nobody else is told. One that hands out the box is no
            // loop: the box does not ask itself.
            let router = subnet.router.iter();
            self.name_servers
                .extend(subnet.names.iter().filter(others).copied());
            self.time_servers
                .extend(subnet.times.iter().filter(others).copied());
            if self.name_servers.is_empty() {
                self.name_servers.extend(router.clone().copied());
            }
            if self.time_servers.is_empty() {
                self.time_servers.extend(router.copied());
            }
        }
        self.dns.forget_questions();
        self.time.restart(now);
    }

    /// The network of the phones, if they have one of their own, as the box started: it is there by the same wire, whatever becomes of
    /// the office's, and has no router.
    pub fn start(&mut self, now: Instant, voice: Option<Voice>) {
        self.voice = voice;
        let subnet = voice.map(|voice| Subnet {
            prefix: voice.prefix,
            ..Subnet::host(voice.address)
        });
        self.network(now, VOICE, subnet);
    }

    /// The network of the phones, if they have one of their own, since the start.
    pub const fn voice(&self) -> Option<Voice> {
        self.voice
    }

    /// Who gives addresses, by the configuration.
    pub fn serve_addresses(&mut self, now: Instant, policy: Policy) {
        if core::mem::replace(&mut self.policy, policy) != policy {
            self.dhcp.restart(now, false);
        }
    }

    /// The network of the phones, which alone is served: their own, if there is one.
    fn phones(&self) -> u8 {
        if self.voice.is_some() { VOICE } else { OFFICE }
    }

    /// The box's address in this network.
    pub fn address(&self, interface: u8) -> Option<Ipv4Addr> {
        let subnet = self.subnets.get(usize::from(interface))?.as_ref()?;
        Some(subnet.address)
    }

    /// The address that phones know the box by.
    pub fn phones_address(&self) -> Option<Ipv4Addr> {
        self.address(self.phones())
    }

    /// Another DHCP server was heard in this network.
    pub fn other_dhcp(&mut self, now: Instant, interface: u8, server: Ipv4Addr) {
        if interface == self.phones() && self.phones_address() != Some(server) {
            self.dhcp.yield_to(now);
        }
    }

    /// Nobody answers ARP at this address.
    pub fn unreachable(&mut self, address: Ipv4Addr) {
        self.dhcp.unreachable(address);
    }

    /// Somebody who is no time server says what time it is.
    pub fn tell_time(&mut self, now: Instant, source: Source, unix_ms: u64, error_ms: u32) {
        self.clock.tell(Word {
            source,
            at: now,
            unix_ms,
            error_ms,
        });
    }

    /// A datagram came to one of the box's ports. The answer, if there is one at once, is in `reply`; poll until nothing is left.
    pub fn receive(
        &mut self,
        now: Instant,
        port: u16,
        from: To,
        bytes: &[u8],
        realm: &str,
        reply: &mut Reply,
    ) -> Option<Ready> {
        let phones = self.phones();
        let Self {
            subnets,
            name_servers,
            policy,
            secret,
            dns,
            clock,
            time,
            syslog,
            dhcp,
            ..
        } = self;
        let subnet = subnets.get(usize::from(from.interface))?.as_ref()?;
        let host = *from.address.ip();
        let asking = port == dns.port() && from.interface == OFFICE;
        if !asking && from.interface != phones {
            return None;
        }
        if !asking {
            // Room for the answer; what is no answer of a name server is answered at once or not at all.
            let capacity = reply.capacity();
            reply.resize(capacity, 0).ok()?;
        }
        let (to, length) = match port {
            dns::PORT => {
                let place = Place {
                    realm,
                    subnet,
                    servers: name_servers,
                };
                (from, dns.query(now, secret, &place, from, bytes, reply)?)
            }
            dhcp::PORT => {
                let (address, length) = dhcp.receive(now, subnet, *policy, bytes, reply)?;
                let interface = from.interface;
                (To { interface, address }, length)
            }
            ntp::PORT => {
                let answer = ntp::answer(now, clock, bytes).filter(|_| subnet.holds(host))?;
                reply.get_mut(..answer.len())?.copy_from_slice(&answer);
                (from, answer.len())
            }
            syslog::PORT => {
                if subnet.holds(host) {
                    syslog.receive(now, host, bytes);
                }
                return None;
            }
            _ if asking && from.address.port() == ntp::PORT => {
                if let Some(word) = time.answer(now, clock, from.address, bytes) {
                    clock.tell(word);
                }
                return None;
            }
            _ if asking => {
                dns.answer(now, name_servers, from.address, bytes, reply);
                return None;
            }
            _ => return None,
        };
        reply.truncate(length);
        Some(Ready { port, to, length })
    }

    /// The next datagram to send, written to `buffer`. `heard` is what [`Office::receive`] left in `reply`.
    pub fn poll(&mut self, now: Instant, heard: &[u8], buffer: &mut [u8]) -> Option<Ready> {
        if let Some((port, to, length)) = self.dns.poll(now, &self.name_servers, heard, buffer) {
            return Some(Ready { port, to, length });
        }
        let interface = self.phones();
        if let Some(Room::Taken(subnet)) = self.subnets.get(usize::from(interface))
            && let Some((address, length)) =
                self.dhcp.poll(now, &mut self.secret, subnet, self.policy, buffer)
        {
            let (port, to) = (dhcp::PORT, To { interface, address });
            return Some(Ready { port, to, length });
        }
        let (address, message) = self.time.poll(now, &mut self.secret, &self.time_servers)?;
        buffer.get_mut(..message.len())?.copy_from_slice(&message);
        Some(Ready {
            port: self.dns.open_port(&mut self.secret),
            to: To {
                interface: OFFICE,
                address,
            },
            length: message.len(),
        })
    }

    /// The next phone that warns.
    pub fn poll_log(&mut self, now: Instant) -> Option<&Log> {
        self.syslog.poll(now)
    }

    /// When [`Office::poll`] or [`Office::poll_log`] has something next.
    pub fn next_deadline(&self) -> Instant {
        let dhcp = match self.phones_address() {
            Some(_) => self.dhcp.next_deadline(self.policy),
            None => Instant::NEVER,
        };
        let time = self.time.next_deadline(&self.time_servers);
        self.dns
            .next_deadline()
            .min(dhcp)
            .min(time)
            .min(self.syslog.next_deadline())
    }

    /// The wall clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The phones' logs.
    pub fn logs(&self) -> &Syslog {
        &self.syslog
    }

    /// The DHCP server.
    pub fn addresses(&self) -> &Server {
        &self.dhcp
    }

    /// The name server.
    pub fn names(&self) -> &Dns {
        &self.dns
    }
}

impl Default for Office {
    fn default() -> Self {
        Self::new()
    }
}
