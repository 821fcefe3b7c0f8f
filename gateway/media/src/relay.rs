//! The media relay of one call: two sides, each latched to where its packets come from (RFC 7362 §4), so that a phone
//! behind an address translator is reached.
//!
//! A side is latched by its first valid packet that its [`Guard`] admits, and stays so. Only signalling opens the latch
//! again ([`Relay::set_remote`] with another destination), and then for one new source: a stranger who finds the port of
//! a call in progress is not heard (RFC 7362 §5). The caller has one socket, or two without RTCP multiplexing, per side.

use core::net::{IpAddr, SocketAddr};

use crate::rtp::{self, Kind, Packet};

/// One of the two sides of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The caller's.
    A = 0,
    /// The called one's.
    B = 1,
}

impl Side {
    /// The other side.
    pub const fn other(self) -> Self {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// The port of a side, on both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// RTP, and RTCP where it is multiplexed (RFC 5761).
    Rtp = 0,
    /// RTCP on a port of its own.
    Rtcp = 1,
}

/// Whose packets may latch a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Anyone's: the far end is behind an address translator and nothing is known about it.
    Any,
    /// From this IP address, whatever the port: that of the signalling connection, or of a trunk.
    Ip(IpAddr),
    /// From the address and port in SDP only.
    Sdp,
}

/// Where SDP says a side receives (`c=`, `m=`, `a=rtcp`, `a=rtcp-mux`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Address and port for RTP.
    pub rtp: SocketAddr,
    /// Address and port for RTCP; `None`: multiplexed with RTP.
    pub rtcp: Option<SocketAddr>,
}

impl Remote {
    /// RTCP multiplexed with RTP.
    pub const fn mux(rtp: SocketAddr) -> Self {
        Remote { rtp, rtcp: None }
    }

    /// RTCP on the next port (RFC 3550 §11).
    pub fn next_port(rtp: SocketAddr) -> Self {
        let rtcp = rtp
            .port()
            .checked_add(1)
            .map(|port| SocketAddr::new(rtp.ip(), port));
        Remote { rtp, rtcp }
    }
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it, unchanged, from this port of the other side to this address.
    Forward {
        /// The port to send from.
        port: Port,
        /// Where to.
        to: SocketAddr,
    },
    /// Drop it.
    Drop(Reason),
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Neither RTP nor RTCP.
    Malformed,
    /// Not from the source that the side is latched to, or not admitted by its guard.
    Foreign,
    /// Nobody knows yet where the other side receives.
    NoDestination,
}

/// Counters of what came from one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets to be sent on.
    pub forwarded: u64,
    /// Their octets.
    pub octets: u64,
    /// Dropped as neither RTP nor RTCP.
    pub malformed: u64,
    /// Dropped as from a stranger.
    pub foreign: u64,
    /// Dropped because the other side had no address.
    pub no_destination: u64,
    /// Times the side was latched, both ports.
    pub latched: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Latch {
    Open,
    Closed(SocketAddr),
    /// Signalling moved the far end: `from` is heard until another admitted source comes.
    Moving(SocketAddr),
}

#[derive(Clone, Copy, Debug)]
struct End {
    guard: Guard,
    remote: Option<Remote>,
    latches: [Latch; 2],
    counters: Counters,
    heard_at: Option<u64>,
}

impl End {
    const fn new(guard: Guard) -> Self {
        End {
            guard,
            remote: None,
            latches: [Latch::Open; 2],
            counters: Counters {
                forwarded: 0,
                octets: 0,
                malformed: 0,
                foreign: 0,
                no_destination: 0,
                latched: 0,
            },
            heard_at: None,
        }
    }

    /// Where `kind` goes to reach this side, and from which of our ports.
    fn destination(&self, kind: Kind) -> Option<(Port, SocketAddr)> {
        let (port, signalled) = match (kind, self.remote) {
            (Kind::Rtp, remote) => (Port::Rtp, remote.map(|r| r.rtp)),
            (Kind::Rtcp, Some(Remote { rtcp: Some(rtcp), .. })) => (Port::Rtcp, Some(rtcp)),
            (Kind::Rtcp, remote) => (Port::Rtp, remote.map(|r| r.rtp)),
        };
        let to = match self.latches[port as usize] {
            Latch::Closed(source) => Some(source),
            // After a move, the new signalled address is the better guess than the old source.
            Latch::Moving(source) => signalled.or(Some(source)),
            Latch::Open => signalled,
        };
        // A held side may say 0.0.0.0 or port 0 (RFC 3264 §8.4): nowhere.
        to.filter(|to| !to.ip().is_unspecified() && to.port() != 0)
            .map(|to| (port, to))
    }

    /// Whether a packet from `source` on `port` is this side's; latches.
    fn admit(&mut self, port: Port, source: SocketAddr) -> bool {
        let latch = self.latches[port as usize];
        if matches!(latch, Latch::Closed(known) | Latch::Moving(known) if known == source) {
            return true;
        }
        if matches!(latch, Latch::Closed(_)) || !self.guarded(port, source) {
            return false;
        }
        self.latches[port as usize] = Latch::Closed(source);
        self.counters.latched += 1;
        true
    }

    fn guarded(&self, port: Port, source: SocketAddr) -> bool {
        // RTCP of its own follows RTP: it must come from the host that RTP is latched to.
        if let (Port::Rtcp, Latch::Closed(rtp)) = (port, self.latches[Port::Rtp as usize]) {
            return rtp.ip() == source.ip();
        }
        match (self.guard, port) {
            (Guard::Any, _) => true,
            (Guard::Ip(ip), _) => ip == source.ip(),
            (Guard::Sdp, Port::Rtp) => self.remote.is_some_and(|r| r.rtp == source),
            (Guard::Sdp, Port::Rtcp) => self.remote.is_some_and(|r| r.rtcp == Some(source)),
        }
    }
}

/// The relay of one call.
#[derive(Clone, Copy, Debug)]
pub struct Relay {
    ends: [End; 2],
}

impl Relay {
    /// A relay with nothing latched.
    pub const fn new(guard_a: Guard, guard_b: Guard) -> Self {
        Relay {
            ends: [End::new(guard_a), End::new(guard_b)],
        }
    }

    /// Takes the session description of a side. The first one closes nothing and opens nothing; one with another
    /// destination lets the side be latched once more, the old source being heard until then.
    pub fn set_remote(&mut self, side: Side, remote: Remote) {
        let end = &mut self.ends[side as usize];
        if let Some(old) = end.remote.replace(remote)
            && old != remote
        {
            for latch in &mut end.latches {
                if let Latch::Closed(source) = *latch {
                    *latch = Latch::Moving(source);
                }
            }
        }
    }

    /// Takes whose packets may latch a side from now on; what is latched stays.
    pub fn set_guard(&mut self, side: Side, guard: Guard) {
        self.ends[side as usize].guard = guard;
    }

    /// Judges a packet that came at `now` (milliseconds) on `port` of `side` from `source`, and counts it.
    pub fn receive(
        &mut self,
        now: u64,
        side: Side,
        port: Port,
        source: SocketAddr,
        octets: &[u8],
    ) -> Verdict {
        let destination = |relay: &Relay, kind| relay.ends[side.other() as usize].destination(kind);
        let kind = match (rtp::kind(octets), port) {
            (Some(Kind::Rtp), Port::Rtp) if Packet::parse(octets).is_ok() => Some(Kind::Rtp),
            (Some(Kind::Rtcp), _) => Some(Kind::Rtcp),
            _ => None,
        };
        let Some(kind) = kind else {
            self.ends[side as usize].counters.malformed += 1;
            return Verdict::Drop(Reason::Malformed);
        };
        if !self.ends[side as usize].admit(port, source) {
            self.ends[side as usize].counters.foreign += 1;
            return Verdict::Drop(Reason::Foreign);
        }
        let to = destination(self, kind);
        let end = &mut self.ends[side as usize];
        end.heard_at = Some(now);
        match to {
            Some((port, to)) => {
                end.counters.forwarded += 1;
                end.counters.octets += octets.len() as u64;
                Verdict::Forward { port, to }
            }
            None => {
                end.counters.no_destination += 1;
                Verdict::Drop(Reason::NoDestination)
            }
        }
    }

    /// Where RTP of our own (an announcement) reaches a side: the latched source, else what SDP says.
    pub fn destination(&self, side: Side) -> Option<SocketAddr> {
        self.ends[side as usize].destination(Kind::Rtp).map(|(_, to)| to)
    }

    /// The source a side's RTP is latched to.
    pub fn latched(&self, side: Side) -> Option<SocketAddr> {
        match self.ends[side as usize].latches[Port::Rtp as usize] {
            Latch::Open => None,
            Latch::Closed(source) | Latch::Moving(source) => Some(source),
        }
    }

    /// When a side was last heard, in milliseconds; `None`: never.
    pub fn heard_at(&self, side: Side) -> Option<u64> {
        self.ends[side as usize].heard_at
    }

    /// What came from a side.
    pub fn counters(&self, side: Side) -> Counters {
        self.ends[side as usize].counters
    }
}
