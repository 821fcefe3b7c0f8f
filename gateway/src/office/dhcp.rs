//! DHCP server (RFC 2131) of an office that has none: its router is gone, or the phones have a network of their own.
//!
//! Never beside another: before it serves it looks for one, three times in six seconds; while it serves it looks every minute;
//! and as soon as it hears of one it is silent. What it has leased goes on until it is over, and whoever asks for more is
//! heard by the other.
//!
//! An address that it gives for the first time was tried before: somebody who answers ARP there has it. A client that says what it
//! has had is believed.

mod message;

use core::fmt::Write as _;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use heapless::{String, Vec};
use shared::hub::Dhcp as Policy;
use sip::Instant;

use super::{Secret, Subnet};
use crate::budget::{DHCP_LEASES, DHCP_TRIALS};
use crate::fnv::fnv;
use message::{Kind, Request, Writer};

pub use message::REPLY_MAX;

/// The server's port.
pub const PORT: u16 = 67;
/// The client's.
const CLIENT: u16 = 68;
/// Where a host is tried: nobody listens there (RFC 863).
const DISCARD: u16 = 9;

/// Questions for another server before there is none, and the time between them.
const LOOKS: u8 = 3;
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between two questions while serving; and the least time between having heard one and looking for it again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// For how long an address is leased while nobody else gives any: phones shall soon be the other server's again.
const SHORT_LEASE: u32 = 600;
/// For how long by the site's own server: phones keep their addresses while the box is away.
const LONG_LEASE: u32 = 86_400;
/// For how long an offer stands.
const OFFER: Duration = Duration::from_secs(60);
/// For how long an address is not given that somebody else was found at.
const TAKEN: Duration = Duration::from_secs(600);
/// Within this time a host that is there has answered ARP, or is known not to.
const TRIAL: Duration = Duration::from_millis(1_500);
/// Addresses that are tried for one client before it has to ask again.
const TRIES: u8 = 3;
/// The hour of Japan: seconds east of UTC.
const TIME_OFFSET: i32 = 9 * 3_600;

/// Is it silent, and why?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// Another serves, or nobody asked for any. It is not looked for before.
    Silent { until: Instant },
    /// It looks for another.
    Looking { next: Instant, asked: u8 },
    /// There is none. It looks again then.
    Serving { next: Instant },
}

/// An address and who has it, or had it.
#[derive(Clone, Copy, Debug)]
struct Lease {
    address: Ipv4Addr,
    /// None: an address that is somebody's who does not ask.
    mac: Option<[u8; 6]>,
    until: Instant,
}

/// An address that is tried before it is offered.
#[derive(Clone, Copy, Debug)]
struct Trial {
    address: Ipv4Addr,
    request: Request,
    state: Tried,
    tries: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    /// Not yet.
    Due,
    /// Until then somebody may be there.
    Until(Instant),
    /// Nobody is.
    Free,
}

/// Counted, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Addresses granted or prolonged.
    pub granted: u32,
    /// Requests refused.
    pub refused: u32,
    /// Addresses found to be somebody else's.
    pub taken: u32,
    /// Requests without room or address for them.
    pub full: u32,
    /// Times that it fell silent because of another server.
    pub yielded: u32,
}

/// The server of one network.
pub struct Server {
    duty: Duty,
    leases: Vec<Lease, DHCP_LEASES>,
    trials: Vec<Trial, DHCP_TRIALS>,
    counters: Counters,
    /// The box's hardware address, if it is known.
    mac: Option<[u8; 6]>,
}

impl Server {
    /// Silent.
    pub const fn new() -> Self {
        Self {
            duty: Duty::Silent { until: Instant::ZERO },
            leases: Vec::new(),
            trials: Vec::new(),
            counters: Counters {
                granted: 0,
                refused: 0,
                taken: 0,
                full: 0,
                yielded: 0,
            },
            mac: None,
        }
    }

    /// The box's hardware address: it looks for other servers by that.
    pub fn set_mac(&mut self, mac: [u8; 6]) {
        self.mac = Some(mac);
    }

    /// Counted, since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Does it serve?
    pub fn serves(&self) -> bool {
        matches!(self.duty, Duty::Serving { .. })
    }

    /// Who has this address by a lease of ours.
    pub fn holder(&self, address: Ipv4Addr) -> Option<[u8; 6]> {
        self.leases.iter().find(|lease| lease.address == address)?.mac
    }

    /// The network is another one, or there is a new order. A server that was heard just now is there all the same: it may be the
    /// one that has given the box its address there.
    pub fn restart(&mut self, now: Instant, moved: bool) {
        if moved {
            self.leases.clear();
        }
        self.trials.clear();
        let until = match self.duty {
            Duty::Silent { until } => until.max(now),
            Duty::Looking { .. } | Duty::Serving { .. } => now,
        };
        self.duty = Duty::Silent { until };
    }

    /// Another server was heard.
    pub fn yield_to(&mut self, now: Instant) {
        if !matches!(self.duty, Duty::Silent { .. }) {
            self.counters.yielded += 1;
        }
        self.duty = Duty::Silent {
            until: now + LOOK_AGAIN,
        };
        self.trials.clear();
    }

    /// Nobody answers ARP at this address.
    pub fn unreachable(&mut self, address: Ipv4Addr) {
        for trial in &mut self.trials {
            if trial.address == address && matches!(trial.state, Tried::Until(_)) {
                trial.state = Tried::Free;
            }
        }
    }

    /// A message at port 67. The answer, if there is one at once, is in `reply`.
    pub fn receive(
        &mut self,
        now: Instant,
        subnet: &Subnet,
        policy: Policy,
        message: &[u8],
        reply: &mut [u8],
    ) -> Option<(SocketAddrV4, usize)> {
        let request = Request::parse(message)?;
        if policy == Policy::Never {
            return None;
        }
        // It has chosen another server, so there is one.
        if request.kind == Kind::Request && request.server.is_some_and(|server| server != subnet.address) {
            self.yield_to(now);
            return None;
        }
        match self.duty {
            Duty::Serving { .. } => {}
            Duty::Looking { .. } => return None,
            Duty::Silent { until } => {
                // Somebody looks for a server: is there one?
                if until <= now && matches!(request.kind, Kind::Discover | Kind::Request) {
                    self.duty = Duty::Looking { next: now, asked: 0 };
                }
                return None;
            }
        }
        let seconds = seconds(policy);
        let answer = |kind, address, reply: &mut [u8]| {
            let length = write(&request, kind, address, subnet, seconds, reply)?;
            Some((recipient(&request, kind), length))
        };
        match request.kind {
            Kind::Discover => {
                let known = self
                    .known(request.mac)
                    .filter(|lease| self.is_free(now, lease.address, &request));
                if let Some(lease) = known {
                    self.lease(
                        now,
                        lease.address,
                        Some(request.mac),
                        (now + OFFER).max(lease.until),
                    );
                    return answer(Kind::Offer, Some(lease.address), reply);
                }
                self.try_address(now, subnet, request, TRIES);
                None
            }
            Kind::Request => {
                let address = request.own.or(request.wish)?;
                if subnet.can_be_given(address) && self.is_free(now, address, &request) {
                    let until = now + Duration::from_secs(u64::from(seconds));
                    if self.lease(now, address, Some(request.mac), until) {
                        // No offer that is still on its way takes the address from it, or gives it another.
                        self.trials
                            .retain(|trial| trial.request.mac != request.mac && trial.address != address);
                        self.counters.granted += 1;
                        return answer(Kind::Ack, Some(address), reply);
                    }
                    return None;
                }
                self.counters.refused += 1;
                answer(Kind::Nak, None, reply)
            }
            Kind::Decline => {
                if let Some(address) = request.wish.filter(|_| request.server == Some(subnet.address)) {
                    self.take(now, address, request.mac);
                }
                None
            }
            Kind::Release => {
                let mine = |lease: &&mut Lease| lease.mac == Some(request.mac);
                if let Some(lease) = self.leases.iter_mut().find(mine) {
                    lease.until = now;
                }
                None
            }
            Kind::Inform => request.own.and_then(|_| answer(Kind::Ack, None, reply)),
            Kind::Offer | Kind::Ack | Kind::Nak => None,
        }
    }

    /// The next thing to send, written to `buffer`: to whom, how long.
    pub fn poll(
        &mut self,
        now: Instant,
        secret: &mut Secret,
        subnet: &Subnet,
        policy: Policy,
        buffer: &mut [u8],
    ) -> Option<(SocketAddrV4, usize)> {
        if policy == Policy::Never {
            return None;
        }
        if let Duty::Silent { until } = self.duty
            && until <= now
            && policy == Policy::Always
        {
            self.duty = Duty::Looking { next: now, asked: 0 };
        }
        match self.duty {
            Duty::Looking { next, asked: LOOKS } if next <= now => {
                self.duty = Duty::Serving {
                    next: now + LOOK_AGAIN,
                };
            }
            Duty::Looking { next, asked } if next <= now => {
                self.duty = Duty::Looking {
                    next: now + LOOK_EVERY,
                    asked: asked + 1,
                };
                return self.look(secret, buffer);
            }
            Duty::Serving { next } if next <= now => {
                self.duty = Duty::Serving {
                    next: now + LOOK_AGAIN,
                };
                return self.look(secret, buffer);
            }
            _ => {}
        }
        self.poll_trials(now, subnet, policy, buffer)
    }

    /// A question for other servers. It comes from the server's port, because nobody minds; the answer goes to all. It is asked by the
    /// box's own hardware address: a server that knows its clients, and a switch that compares it with the frame's, drop
    /// others'. While that is not known, by one that nobody has; never by a client's, whose lease it might touch.
    fn look(&self, secret: &mut Secret, buffer: &mut [u8]) -> Option<(SocketAddrV4, usize)> {
        let [a, b, c, d, ..] = secret.draw();
        let [e, f, g, h, i, ..] = secret.name();
        let mac = self.mac.unwrap_or([2, e, f, g, h, i]);
        let writer = Writer::new(buffer, false, [a, b, c, d], [0x80, 0], mac, Kind::Discover)?;
        Some((SocketAddrV4::new(Ipv4Addr::BROADCAST, PORT), writer.finish()))
    }

    fn poll_trials(
        &mut self,
        now: Instant,
        subnet: &Subnet,
        policy: Policy,
        buffer: &mut [u8],
    ) -> Option<(SocketAddrV4, usize)> {
        loop {
            let due = |trial: &Trial| match trial.state {
                Tried::Due | Tried::Free => true,
                Tried::Until(until) => until <= now,
            };
            let at = self.trials.iter().position(due)?;
            let trial = self.trials.get_mut(at)?;
            let address = trial.address;
            if trial.state == Tried::Due {
                trial.state = Tried::Until(now + TRIAL);
                *buffer.first_mut()? = 0;
                return Some((SocketAddrV4::new(address, DISCARD), 1));
            }
            let trial = self.trials.swap_remove(at);
            if trial.state != Tried::Free {
                self.take(now, address, [0; 6]);
                if trial.tries > 0 {
                    self.try_address(now, subnet, trial.request, trial.tries - 1);
                }
                continue;
            }
            let request = trial.request;
            if self.lease(now, address, Some(request.mac), now + OFFER)
                && let Some(length) = write(
                    &request,
                    Kind::Offer,
                    Some(address),
                    subnet,
                    seconds(policy),
                    buffer,
                )
            {
                return Some((recipient(&request, Kind::Offer), length));
            }
        }
    }

    /// When [`Server::poll`] has something next.
    pub fn next_deadline(&self, policy: Policy) -> Instant {
        let duty = match self.duty {
            _ if policy == Policy::Never => return Instant::NEVER,
            Duty::Silent { until } if policy == Policy::Always => until,
            Duty::Silent { .. } => Instant::NEVER,
            Duty::Looking { next, .. } | Duty::Serving { next } => next,
        };
        let trials = self.trials.iter().map(|trial| match trial.state {
            Tried::Due | Tried::Free => Instant::ZERO,
            Tried::Until(until) => until,
        });
        trials.chain([duty]).min().unwrap_or(duty)
    }

    /// Chooses an address for a client, to be tried before it is offered.
    fn try_address(&mut self, now: Instant, subnet: &Subnet, request: Request, tries: u8) {
        if self.trials.iter().any(|trial| trial.request.mac == request.mac) {
            return;
        }
        let address = self.choose(now, subnet, &request);
        let trial = address.map(|address| Trial {
            address,
            request,
            state: Tried::Due,
            tries,
        });
        if trial.is_none_or(|trial| self.trials.push(trial).is_err()) {
            self.counters.full += 1;
        }
    }

    /// The address that it wants, or one that goes by its hardware address, so that it gets the same after a power cut.
    fn choose(&self, now: Instant, subnet: &Subnet, request: &Request) -> Option<Ipv4Addr> {
        let free = |address: &Ipv4Addr| {
            let tried = self.trials.iter().any(|trial| trial.address == *address);
            !tried && subnet.can_be_given(*address) && self.is_free(now, *address, request)
        };
        if let Some(wish) = request.wish.filter(free) {
            return Some(wish);
        }
        let hosts = subnet.hosts();
        let first = u64::from(fnv(&request.mac)).checked_rem(u64::from(hosts))? as u32;
        // More than there can be in the way: leases, trials and what cannot be given.
        let tries = (hosts).min(2 * (DHCP_LEASES + DHCP_TRIALS) as u32);
        (0..tries)
            .map(|step| subnet.host_at((first + step) % hosts))
            .find(|address| free(address))
    }

    /// Can the one who requests have the address, as far as leases say?
    fn is_free(&self, now: Instant, address: Ipv4Addr, request: &Request) -> bool {
        !self
            .leases
            .iter()
            .any(|lease| lease.address == address && lease.mac != Some(request.mac) && lease.until > now)
    }

    fn known(&self, mac: [u8; 6]) -> Option<Lease> {
        self.leases.iter().find(|lease| lease.mac == Some(mac)).copied()
    }

    /// Writes a lease down, in the place of those that were the client's or of the address; or of the one that is over the
    /// longest. False: there is no room.
    fn lease(&mut self, now: Instant, address: Ipv4Addr, mac: Option<[u8; 6]>, until: Instant) -> bool {
        self.leases
            .retain(|lease| lease.address != address && (mac.is_none() || lease.mac != mac));
        let lease = Lease { address, mac, until };
        if self.leases.is_full() {
            let oldest = self
                .leases
                .iter()
                .enumerate()
                .min_by_key(|(_, lease)| lease.until);
            match oldest.filter(|(_, oldest)| oldest.until <= now) {
                Some((at, _)) => drop(self.leases.swap_remove(at)),
                None => {
                    self.counters.full += 1;
                    return false;
                }
            }
        }
        self.leases.push(lease).is_ok()
    }

    /// Somebody else has this address, by the word of this client.
    fn take(&mut self, now: Instant, address: Ipv4Addr, by: [u8; 6]) {
        // Nobody declines what is another's.
        let others = |lease: &Lease| {
            lease.address == address && lease.mac.is_some_and(|mac| mac != by) && lease.until > now
        };
        if !self.leases.iter().any(others) {
            self.counters.taken += 1;
            self.lease(now, address, None, now + TAKEN);
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

/// For how long an address is leased, s.
fn seconds(policy: Policy) -> u32 {
    if policy == Policy::Always {
        LONG_LEASE
    } else {
        SHORT_LEASE
    }
}

/// To whom an answer goes: to everybody, because the client has no address that ARP could find it at, unless it says that it has
/// one (RFC 2131 §4.1).
fn recipient(request: &Request, kind: Kind) -> SocketAddrV4 {
    let own = request.own.filter(|_| kind != Kind::Nak);
    SocketAddrV4::new(own.unwrap_or(Ipv4Addr::BROADCAST), CLIENT)
}

/// Writes an answer.
fn write(
    request: &Request,
    kind: Kind,
    address: Option<Ipv4Addr>,
    subnet: &Subnet,
    seconds: u32,
    buffer: &mut [u8],
) -> Option<usize> {
    let mut writer = Writer::new(buffer, true, request.xid, request.flags, request.mac, kind)?;
    writer.option(54, &subnet.address.octets());
    if kind == Kind::Nak {
        return Some(writer.finish());
    }
    if let Some(own) = request.own.filter(|_| kind == Kind::Ack) {
        writer.own(own);
    }
    if let Some(address) = address {
        writer.granted(address);
        for (code, seconds) in [(51, seconds), (58, seconds / 2), (59, seconds / 8 * 7)] {
            writer.option(code, &seconds.to_be_bytes());
        }
    }
    writer.option(1, &subnet.mask().octets());
    if let Some(router) = subnet.router {
        writer.option(3, &router.octets());
    }
    writer.option(6, &subnet.address.octets());
    for code in request.wanted.iter() {
        provide(code, subnet.address, &mut writer);
    }
    Some(writer.finish())
}

/// The options that phones ask for: the box is what they look for.
fn provide(code: u8, own: Ipv4Addr, writer: &mut Writer<'_>) {
    let octets = own.octets();
    let [a, b, c, d] = octets;
    match code {
        2 => writer.option(2, &TIME_OFFSET.to_be_bytes()),
        // Logs, time, TFTP by address (RFC 2132 §3.9, §8.3; RFC 5859).
        7 | 42 | 150 => writer.option(code, &octets),
        // SIP servers by address (RFC 3361 §3.2).
        120 => writer.option(120, &[1, a, b, c, d]),
        66 | 159 | 160 => {
            let mut url = String::<32>::new();
            // Shorter than 32. All of the makers take a folder: which file is the phone's to know.
            let _ = write!(url, "http://{own}/");
            writer.option(code, url.as_bytes());
        }
        // Of what is the vendors' own (43) it is not known how these phones read it.
        _ => {}
    }
}

#[cfg(test)]
mod tests;
