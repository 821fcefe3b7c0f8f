//! Where a message came from and where it goes.
use crate::message::Message;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Transport protocol of a SIP message (RFC 3261 §18, RFC 7118).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A TCP stream.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// True where the transport itself retransmits, so that timers A, E and G are not run (RFC 3261 §17.1.1.2).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }

    /// The name as in a Via: `UDP`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// The transport named, in any case; `None` for others (SCTP, extensions).
    pub fn parse(name: &[u8]) -> Option<Self> {
        use Transport::{Tcp, Tls, Udp, Ws, Wss};
        [Udp, Tcp, Tls, Ws, Wss]
            .into_iter()
            .find(|t| t.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The `transport` of a URI: `tcp`; that of both WebSockets is `ws` (RFC 7118 §5.2).
    pub const fn param(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws | Transport::Wss => "ws",
        }
    }

    /// Port used where an address names none (RFC 3261 §19.1.2, RFC 7118 §5.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

impl core::fmt::Display for Transport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A path to a peer: what RFC 5626 calls a flow, with the interface it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Transport protocol.
    pub transport: Transport,
    /// Network interface of the caller.
    pub interface: u8,
    /// Which connection of the caller's; 0 for datagrams.
    pub stream: u16,
    /// Address and port of the other side, as received.
    pub peer: SocketAddr,
    /// Our address and port.
    pub local: SocketAddr,
}

impl Flow {
    /// Where the answer to a request goes that came this way: back, but to a datagram without `rport` to the port that its
    /// Via names (RFC 3261 §18.2.2, RFC 3581 §4).
    pub fn answering(self, request: &Message<'_>) -> Self {
        let mut flow = self;
        if let Some(via) = request
            .via()
            .filter(|via| !self.is_reliable() && via.rport.is_none())
        {
            flow.peer
                .set_port(via.port.unwrap_or(self.transport.default_port()));
        }
        flow
    }

    /// See [`Transport::is_reliable`].
    pub const fn is_reliable(&self) -> bool {
        self.transport.is_reliable()
    }
}

/// An address, an IPv4 one as the IPv6 one that maps it.
#[cfg(feature = "std")]
pub(crate) type Octets = [u8; 16];
/// An IPv4 address: the microcontroller's network has no other, and hundreds of these.
#[cfg(not(feature = "std"))]
pub(crate) type Octets = [u8; 4];

/// A [`Flow`] in 40 bytes, in 16 where there is no IPv6. The scope of a link-local address is what the interface says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    peer: Octets,
    local: Octets,
    ports: [u16; 2],
    stream: u16,
    interface: u8,
    /// Bits 0-2 transport, bit 3 peer is IPv4, bit 4 local is IPv4.
    form: u8,
}

impl Path {
    pub(crate) const EMPTY: Path = Path {
        peer: [0; size_of::<Octets>()],
        local: [0; size_of::<Octets>()],
        ports: [0; 2],
        stream: 0,
        interface: 0,
        form: 0,
    };

    /// Of this flow.
    pub fn new(flow: &Flow) -> Self {
        let (peer, local) = (octets(flow.peer.ip()), octets(flow.local.ip()));
        let transport = match flow.transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            Transport::Tls => 2,
            Transport::Ws => 3,
            Transport::Wss => 4,
        };
        Self {
            peer,
            local,
            ports: [flow.peer.port(), flow.local.port()],
            stream: flow.stream,
            interface: flow.interface,
            form: transport | u8::from(flow.peer.is_ipv4()) << 3 | u8::from(flow.local.is_ipv4()) << 4,
        }
    }

    /// The flow again; without the feature `std` an IPv6 address has become 0.0.0.0, where nothing can be sent to.
    pub fn flow(&self) -> Flow {
        let address = |octets, v4, port| SocketAddr::new(ip(octets, v4), port);
        Flow {
            transport: match self.form & 7 {
                0 => Transport::Udp,
                1 => Transport::Tcp,
                2 => Transport::Tls,
                3 => Transport::Ws,
                _ => Transport::Wss,
            },
            interface: self.interface,
            stream: self.stream,
            peer: address(self.peer, self.form & 8 != 0, self.ports[0]),
            local: address(self.local, self.form & 16 != 0, self.ports[1]),
        }
    }

    /// The same transport protocol and interface.
    pub(crate) const fn is_like(&self, other: &Path) -> bool {
        self.form & 7 == other.form & 7 && self.interface == other.interface
    }

    /// The other side's address, as [`crate::flow::octets`] gives it.
    pub(crate) const fn peer(&self) -> &Octets {
        &self.peer
    }

    /// See [`Transport::is_reliable`].
    pub fn is_reliable(&self) -> bool {
        self.form & 7 != 0
    }
}

#[cfg(feature = "std")]
pub(crate) fn octets(ip: IpAddr) -> Octets {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(feature = "std")]
fn ip(octets: Octets, is_v4: bool) -> IpAddr {
    let [.., a, b, c, d] = octets;
    if is_v4 {
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    } else {
        IpAddr::V6(octets.into())
    }
}

#[cfg(not(feature = "std"))]
pub(crate) fn octets(ip: IpAddr) -> Octets {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED.octets(),
    }
}

#[cfg(not(feature = "std"))]
fn ip(octets: Octets, _is_v4: bool) -> IpAddr {
    IpAddr::V4(octets.into())
}
