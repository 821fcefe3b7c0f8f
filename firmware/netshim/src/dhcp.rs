//! DHCP client (RFC 2131) that never lets go of a working address by itself.
//!
//! The box must go on when the office's DHCP server is gone, at start or later: a lease that runs out is kept in use
//! while a new one is sought, and after a start the last lease (from flash) is used when no server confirms it within
//! three seconds. Only a server's NAK, or another address from a server, takes the address away.
//!
//! Sans-I/O: time is an argument (milliseconds), the caller carries UDP payloads between ports 68 and 67.

use crate::ethernet::{Mac, put, take};
use core::net::Ipv4Addr;
use heapless::Vec;

/// The client's port.
pub const CLIENT: u16 = 68;
/// The server's port.
pub const SERVER: u16 = 67;
/// Bytes of a message that the client writes.
pub const MESSAGE: usize = 300;
/// After a start, how long a server may take to confirm the last lease before it is used unconfirmed, ms.
pub const USE_LAST_AFTER: u64 = 3_000;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
const OPTIONS: usize = 240;
const MAX_WAIT: u64 = 30_000;
/// Shortest time between two renewals (RFC 2131 §4.4.5), ms.
const RENEW_EVERY: u64 = 60_000;
/// Questions about the last lease before any lease is asked for.
const REBOOT_TIMES: u32 = 2;

/// An address and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Our address.
    pub address: Ipv4Addr,
    /// Bits of the network's prefix, 0 to 32.
    pub prefix: u8,
    /// The default router.
    pub router: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr, 3>,
    /// Time servers; not kept over a restart.
    pub times: Vec<Ipv4Addr, 2>,
    /// Who granted it.
    pub server: Ipv4Addr,
    /// For how long, s.
    pub seconds: u32,
}

/// What the client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the first bytes of the buffer from `from` to `to`.
    Send {
        /// Our address, or unspecified.
        from: Ipv4Addr,
        /// The server, or everybody.
        to: Ipv4Addr,
        /// Bytes of the message.
        length: usize,
    },
    /// Use this address. `fresh`: a server has just granted it; otherwise the server is silent and it is kept.
    Use {
        /// The lease.
        lease: Lease,
        /// Confirmed by a server.
        fresh: bool,
    },
}

/// What a server's message does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Use this address; it is granted.
    Granted(Lease),
    /// Use no address: the server refuses ours.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// No link.
    Off,
    /// Asking whether the last lease is still good.
    Reboot,
    /// Asking for any lease.
    Selecting,
    /// Asking for the one offered.
    Requesting(Lease),
    /// Content until T1.
    Bound,
    /// Asking our server for more time.
    Renewing,
    /// Asking any server for more time.
    Rebinding,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    t1: u64,
    t2: u64,
    end: u64,
}

/// The client.
pub struct Dhcp {
    mac: Mac,
    xid: u32,
    state: State,
    /// The last lease known to be good, now or before the start.
    lease: Option<Lease>,
    times: Times,
    in_use: bool,
    /// When the last lease is used without confirmation.
    fallback: Option<u64>,
    sent: u32,
    next: u64,
    began: u64,
}

impl Dhcp {
    /// A client with no link yet. `last` is the lease kept over the restart; `seed` makes transaction ids.
    pub fn new(mac: Mac, last: Option<Lease>, seed: u32) -> Self {
        Dhcp {
            mac,
            xid: seed,
            state: State::Off,
            lease: last,
            times: Times { t1: 0, t2: 0, end: 0 },
            in_use: false,
            fallback: None,
            sent: 0,
            next: 0,
            began: 0,
        }
    }

    /// The link came up: the address is confirmed or sought. An address in use stays in use meanwhile.
    pub fn link_up(&mut self, now: u64) {
        if self.lease.is_some() {
            self.enter(now, State::Reboot);
            self.fallback = (!self.in_use).then_some(now + USE_LAST_AFTER);
        } else {
            self.enter(now, State::Selecting);
        }
    }

    /// The link went down.
    pub fn link_down(&mut self) {
        self.state = State::Off;
        self.fallback = None;
    }

    /// The address in use.
    pub fn address(&self) -> Option<&Lease> {
        self.lease.as_ref().filter(|_| self.in_use)
    }

    fn enter(&mut self, now: u64, state: State) {
        self.state = state;
        self.sent = 0;
        self.next = now;
        self.began = now;
        // RFC 2131 §4.1: a new transaction has a new id. Numerical Recipes' generator; not a secret.
        self.xid = self.xid.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    }

    /// When [`Dhcp::due`] has something next.
    pub fn next_deadline(&self) -> Option<u64> {
        let own = match self.state {
            State::Off => return None,
            State::Bound => self.times.t1,
            _ => self.next,
        };
        Some(self.fallback.map_or(own, |at| at.min(own)))
    }

    /// One thing that is due at `now`; a message is written to `message`. Call until `None`.
    pub fn due(&mut self, now: u64, message: &mut [u8; MESSAGE]) -> Option<Action> {
        if self.state == State::Off {
            return None;
        }
        if self.fallback.is_some_and(|at| now >= at) {
            self.fallback = None;
            let lease = self.lease.clone()?;
            self.in_use = true;
            return Some(Action::Use { lease, fresh: false });
        }
        self.advance(now);
        if now < self.next || self.state == State::Bound {
            return None;
        }
        self.next = now + self.wait(now);
        self.sent += 1;
        let nobody = Ipv4Addr::UNSPECIFIED;
        let everybody = Ipv4Addr::BROADCAST;
        let own = self.lease.as_ref().map(|lease| (lease.address, lease.server));
        let (from, to, ask) = match (&self.state, own) {
            (State::Reboot, Some((own, _))) => (nobody, everybody, Ask::Confirm(own)),
            (State::Requesting(offer), _) => (nobody, everybody, Ask::Accept(offer.address, offer.server)),
            (State::Renewing, Some((own, server))) => (own, server, Ask::Extend(own)),
            (State::Rebinding, Some((own, _))) => (own, everybody, Ask::Extend(own)),
            (_, own) => (nobody, everybody, Ask::Any(own.map(|(own, _)| own))),
        };
        // A server answers the sender of a datagram with an address; without one it must broadcast.
        let length = self.write(now, &ask, message)?;
        Some(Action::Send { from, to, length })
    }

    /// Goes to the next state when the present one has been tried for long enough.
    fn advance(&mut self, now: u64) {
        let asked_enough = now >= self.next;
        match self.state {
            State::Bound if now >= self.times.t1 => self.enter(now, State::Renewing),
            State::Renewing if now >= self.times.t2 => self.enter(now, State::Rebinding),
            // The lease has run out. RFC 2131 §4.4.5 would have us stop; the office would lose its telephones.
            State::Rebinding if now >= self.times.end => self.enter(now, State::Selecting),
            State::Reboot if asked_enough && self.sent >= REBOOT_TIMES => self.enter(now, State::Selecting),
            State::Requesting(_) if asked_enough && self.sent >= 3 => self.enter(now, State::Selecting),
            _ => {}
        }
    }

    /// Until the next attempt: 1, 2, 4 ... 30 s with some jitter; when renewing half of what is left, at least a minute.
    fn wait(&self, now: u64) -> u64 {
        let limit = match self.state {
            State::Renewing => self.times.t2,
            State::Rebinding => self.times.end,
            _ => {
                let jitter = u64::from(self.xid.rotate_left(self.sent * 5) & 0xFF);
                return (1_000_u64 << self.sent.min(5)).min(MAX_WAIT) + jitter;
            }
        };
        let left = limit.saturating_sub(now);
        (left / 2).max(RENEW_EVERY).min(left.max(1))
    }

    fn write(&self, now: u64, ask: &Ask, to: &mut [u8; MESSAGE]) -> Option<usize> {
        to.fill(0);
        let seconds = u16::try_from(now.saturating_sub(self.began) / 1_000).unwrap_or(u16::MAX);
        put(to, 0, &[1, 1, 6, 0])?;
        put(to, 4, &self.xid.to_be_bytes())?;
        put(to, 8, &seconds.to_be_bytes())?;
        if let Ask::Extend(own) = ask {
            put(to, 12, &own.octets())?;
        } else {
            // Without an address we hear only broadcasts.
            put(to, 10, &[0x80, 0])?;
        }
        put(to, 28, &self.mac)?;
        put(to, 236, &COOKIE)?;
        let mut options = Options { to, at: OPTIONS };
        let discover = matches!(ask, Ask::Any(_));
        options.add(53, &[if discover { 1 } else { 3 }])?;
        match ask {
            Ask::Any(Some(own)) | Ask::Confirm(own) => options.add(50, &own.octets())?,
            Ask::Accept(own, server) => {
                options.add(50, &own.octets())?;
                options.add(54, &server.octets())?;
            }
            Ask::Any(None) | Ask::Extend(_) => {}
        }
        options.add(12, b"denwaban")?;
        // Mask, router, name servers, time servers, lease, T1, T2.
        options.add(55, &[1, 3, 6, 42, 51, 58, 59])?;
        let end = options.at;
        put(to, end, &[255])?;
        Some(MESSAGE)
    }

    /// A UDP payload came to our port.
    pub fn receive(&mut self, now: u64, message: &[u8]) -> Option<Answer> {
        let reply = Reply::parse(message)?;
        if reply.xid != self.xid || reply.mac != self.mac {
            return None;
        }
        match (reply.kind, &self.state) {
            (OFFER, State::Selecting) => {
                let offer = reply.lease()?;
                // The same transaction goes on (RFC 2131 §3.1.3): no new id.
                self.state = State::Requesting(offer);
                self.sent = 0;
                self.next = now;
                None
            }
            (ACK, State::Reboot | State::Requesting(_) | State::Renewing | State::Rebinding) => {
                let mut lease = reply.lease()?;
                if lease.server.is_unspecified() {
                    lease.server = self.lease.as_ref().map_or(lease.server, |old| old.server);
                }
                let span = u64::from(lease.seconds) * 1_000;
                let t1 = reply.t1.map_or(span / 2, |s| u64::from(s) * 1_000).min(span);
                let t2 = reply
                    .t2
                    .map_or(span / 8 * 7, |s| u64::from(s) * 1_000)
                    .clamp(t1, span);
                self.times = Times {
                    t1: now + t1,
                    t2: now + t2,
                    end: now + span,
                };
                self.state = State::Bound;
                self.fallback = None;
                self.in_use = true;
                self.lease = Some(lease.clone());
                Some(Answer::Granted(lease))
            }
            (NAK, State::Reboot | State::Requesting(_) | State::Renewing | State::Rebinding) => {
                let had = core::mem::take(&mut self.in_use);
                self.lease = None;
                self.fallback = None;
                self.enter(now, State::Selecting);
                had.then_some(Answer::Refused)
            }
            _ => None,
        }
    }
}

enum Ask {
    Any(Option<Ipv4Addr>),
    Accept(Ipv4Addr, Ipv4Addr),
    Confirm(Ipv4Addr),
    Extend(Ipv4Addr),
}

struct Options<'a> {
    to: &'a mut [u8; MESSAGE],
    at: usize,
}

impl Options<'_> {
    fn add(&mut self, code: u8, value: &[u8]) -> Option<()> {
        put(self.to, self.at, &[code, u8::try_from(value.len()).ok()?])?;
        put(self.to, self.at + 2, value)?;
        self.at += 2 + value.len();
        Some(())
    }
}

const OFFER: u8 = 2;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// Who answers, if `message` is a server's: unknown where it does not say.
pub fn server(message: &[u8]) -> Option<Option<Ipv4Addr>> {
    Reply::parse(message).map(|reply| reply.server)
}

/// A server's message, read.
struct Reply {
    xid: u32,
    mac: Mac,
    kind: u8,
    address: Ipv4Addr,
    mask: Option<u32>,
    router: Option<Ipv4Addr>,
    dns: Vec<Ipv4Addr, 3>,
    times: Vec<Ipv4Addr, 2>,
    server: Option<Ipv4Addr>,
    seconds: Option<u32>,
    t1: Option<u32>,
    t2: Option<u32>,
}

impl Reply {
    fn parse(message: &[u8]) -> Option<Reply> {
        if message.first() != Some(&2) || take::<4>(message, 236)? != COOKIE {
            return None;
        }
        let mut reply = Reply {
            xid: u32::from_be_bytes(take(message, 4)?),
            mac: take(message, 28)?,
            kind: 0,
            address: Ipv4Addr::from(take::<4>(message, 16)?),
            mask: None,
            router: None,
            dns: Vec::new(),
            times: Vec::new(),
            server: None,
            seconds: None,
            t1: None,
            t2: None,
        };
        let mut options = message.get(OPTIONS..)?;
        loop {
            match *options {
                // A message may end without the end option (option overload is not used by us, so not by the server).
                [] | [255, ..] => break,
                [0, ref rest @ ..] => options = rest,
                [code, length, ref rest @ ..] => {
                    let value = rest.get(..usize::from(length))?;
                    options = rest.get(usize::from(length)..)?;
                    reply.option(code, value);
                }
                _ => return None,
            }
        }
        (reply.kind != 0).then_some(reply)
    }

    fn option(&mut self, code: u8, value: &[u8]) {
        let number = take::<4>(value, 0).map(u32::from_be_bytes);
        match code {
            1 => self.mask = number,
            3 => self.router = number.map(Ipv4Addr::from),
            6 => {
                for server in value.as_chunks::<4>().0 {
                    // More than three name servers: the first three.
                    let _ = self.dns.push(Ipv4Addr::from(*server));
                }
            }
            42 => {
                for server in value.as_chunks::<4>().0 {
                    // As with name servers.
                    let _ = self.times.push(Ipv4Addr::from(*server));
                }
            }
            51 => self.seconds = number,
            53 => self.kind = value.first().copied().unwrap_or(0),
            54 => self.server = number.map(Ipv4Addr::from),
            58 => self.t1 = number,
            59 => self.t2 = number,
            _ => {}
        }
    }

    /// The lease, if it can be used.
    fn lease(&self) -> Option<Lease> {
        let usable = |ip: &Ipv4Addr| !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast();
        let mask = self.mask.unwrap_or(0xFFFF_FF00);
        if !usable(&self.address)
            || self.address.is_loopback()
            || mask.leading_ones() + mask.trailing_zeros() != 32
        {
            return None;
        }
        Some(Lease {
            address: self.address,
            prefix: mask.leading_ones() as u8,
            router: self.router.filter(usable),
            dns: self.dns.iter().copied().filter(usable).collect(),
            times: self.times.iter().copied().filter(usable).collect(),
            server: self.server.unwrap_or(Ipv4Addr::UNSPECIFIED),
            seconds: self.seconds?.max(60),
        })
    }
}

#[cfg(test)]
mod tests;
