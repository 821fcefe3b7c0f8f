//! Where a message came from and where it goes.
use crate::message::Message;
use core::net::SocketAddr;

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
