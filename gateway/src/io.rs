//! What comes in and what goes out.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use media::{g711::Law, prompt::Prompt};
use shared::hub::Link;
use shared::sync::{BootReason, PanicNote};
use sip::Flow;

use crate::analog::{Sense, Signal};
use crate::office::syslog::Log;
use crate::office::{Subnet, To};
use crate::power::{PortOrder, Reading};
use crate::provision::HttpEvent;
use crate::store;

/// Something that happened in the world.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "what an operation gave carries its bytes inline: there is no heap to put them on"
)]
pub enum Input<'a> {
    /// The office network came, changed or went.
    Network(Network),
    /// One SIP datagram, reassembled, from UDP port [`crate::budget::SIP_PORT`].
    Datagram {
        /// From where.
        flow: Flow,
        /// From whom, where the box can tell.
        station: Option<Station>,
        /// At most [`crate::budget::DATAGRAM_MAX`] bytes.
        bytes: &'a [u8],
    },
    /// One SIP message that a phone sent on a TCP or TLS connection, as [`sip::Framer`] cuts them; keep-alives are answered
    /// by who cuts.
    Stream {
        /// Which connection: [`Flow::stream`] is not 0, and no other open connection of the interface has it.
        flow: Flow,
        /// The message.
        bytes: &'a [u8],
    },
    /// A phone's connection is closed, by whomever.
    StreamClosed {
        /// Which.
        flow: Flow,
    },
    /// The TCP connection to the cloud's SIP.
    Trunk(TrunkInput<'a>),
    /// The MQTT connection.
    Uplink(UplinkInput<'a>),
    /// An operation of the store has ended.
    Stored(store::Done),
    /// Nobody answers ARP at this address.
    Unreachable(IpAddr),
    /// A datagram at one of the ports of [`crate::office::PORTS`], or at that of the last [`Output::Service`] with another.
    Service {
        /// The box's port.
        port: u16,
        /// From where.
        from: To,
        /// At most [`crate::office::DATAGRAM_MAX`] bytes.
        bytes: &'a [u8],
    },
    /// A DHCP server answered somebody: not the box, whose ports do not hear its own datagrams.
    DhcpServer {
        /// The network.
        interface: u8,
        /// Its address.
        address: Ipv4Addr,
    },
    /// An announcement was played to its end.
    Played {
        /// Which player.
        player: u8,
    },
    /// Something at an analog line.
    Line {
        /// Index of its port, below [`crate::budget::LINES`].
        line: u8,
        /// What.
        event: LineEvent,
    },
    /// A packet of TFTP: to port [`crate::budget::TFTP_PORT`], or to the second port, from which all is sent.
    Tftp {
        /// From where.
        peer: SocketAddr,
        /// From whom, where the box can tell.
        station: Option<Station>,
        /// It came to the first port.
        is_request: bool,
        /// The packet.
        bytes: &'a [u8],
    },
    /// Something on a connection to port [`crate::budget::HTTP_PORT`].
    Http {
        /// Which, below [`crate::budget::HTTP_CONNECTIONS`].
        connection: u8,
        /// What.
        event: HttpEvent<'a>,
    },
    /// The board has a hub, and its MAC address is this; told before anything else of the hub.
    Hub {
        /// The address.
        mac: [u8; 6],
    },
    /// The link of a port of the hub, at the start and when it changes.
    Link {
        /// Index of the port, below [`crate::budget::HUB_PORTS`]; the last one is the uplink.
        port: u8,
        /// How it is.
        link: Link,
    },
    /// An LLDPDU came in at a port of the hub.
    Lldp {
        /// Index of the port.
        port: u8,
        /// Without the Ethernet header.
        bytes: &'a [u8],
    },
    /// The ports with power are like this, told at least once a second; `None`: their controller does not answer, told every few
    /// seconds.
    Power(Option<Reading>),
    /// What time it is; calls never depend on it.
    WallClock {
        /// Milliseconds since 1970 (UTC).
        unix_ms: u64,
    },
}

/// Who sent something, as the Ethernet has it; nobody, as long as two stations speak from one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// Its MAC address.
    pub mac: [u8; 6],
    /// The port of the hub that it is at, from 0; `None`: the box has no switch.
    pub port: Option<u8>,
}

/// Why the box started and what it left behind: for [`crate::Gateway::start`].
#[derive(Clone, Debug)]
pub struct Boot {
    /// The number a blank memory starts to count from; random.
    pub first: u32,
    /// Why.
    pub reason: BootReason,
    /// What the last run's panic handler kept.
    pub panic: Option<PanicNote>,
}

/// The office network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// The box has an address.
    Up(Subnet),
    /// No link, or no address.
    Down,
}

/// From the TCP connection to the cloud's SIP.
#[derive(Debug)]
pub enum TrunkInput<'a> {
    /// It is open.
    Connected {
        /// Our end.
        local: SocketAddr,
        /// The cloud's end.
        peer: SocketAddr,
    },
    /// Bytes, at most [`crate::trunk::CHUNK_MAX`] at a time; poll until nothing is left after each.
    Data(&'a [u8]),
    /// It is closed, or could not be opened.
    Closed,
}

/// From the MQTT connection.
#[derive(Debug)]
pub enum UplinkInput<'a> {
    /// It is open and subscribed.
    Connected,
    /// It is closed.
    Disconnected,
    /// There was no room for what was to be published last.
    Dropped,
    /// A message.
    Message {
        /// Its topic.
        topic: &'a str,
        /// At most [`crate::uplink::RX_MAX`] bytes.
        payload: &'a [u8],
    },
}

/// Something to do in the world.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an operation carries its bytes inline: there is no heap to put them on"
)]
pub enum Output<'a> {
    /// Send a message to a phone: a datagram from the SIP port, or on the open connection of this flow. On one that is closed
    /// it is lost.
    Transmit {
        /// To where.
        flow: Flow,
        /// The message.
        bytes: &'a [u8],
    },
    /// Send a datagram of one of the services of the office. A port that is not in [`crate::office::PORTS`] is listened at from
    /// now on, in the place of the last such one.
    Service {
        /// The box's port.
        port: u16,
        /// To where; the broadcast address is one.
        to: To,
        /// At most [`crate::office::DATAGRAM_MAX`] bytes.
        bytes: &'a [u8],
    },
    /// For the box's own log: a phone warns.
    Log(&'a Log),
    /// Send a packet of TFTP from the second port.
    Tftp {
        /// To where.
        to: SocketAddr,
        /// If somebody else has that address by now, or more than one claim it, it is not sent: there may be a password in it. `None`: to
        /// anybody.
        station: Option<Station>,
        /// At most [`crate::provision::tftp::PACKET_MAX`] bytes.
        bytes: &'a [u8],
    },
    /// There is an answer on this connection for files: [`crate::Gateway::answer`].
    Http {
        /// Which.
        connection: u8,
    },
    /// For the TCP connection to the cloud's SIP.
    Trunk(TrunkOutput<'a>),
    /// Publish on the MQTT connection, QoS 1.
    Publish {
        /// Topic.
        topic: heapless::String<{ shared::sync::MAX_TOPIC }>,
        /// Payload.
        payload: &'a [u8],
    },
    /// Close the MQTT connection and open a new one: this one is silent.
    Reconnect,
    /// Run an operation of the store; its [`store::Done`] comes back as [`Input::Stored`].
    Store(store::Token, store::Op),
    /// For the announcement players.
    Media(MediaOutput),
    /// For an analog line.
    Line {
        /// Index of its port, below [`crate::budget::LINES`].
        line: u8,
        /// What.
        order: LineOrder,
    },
    /// Send an LLDPDU to the nearest bridge's address (01-80-C2-00-00-0E) at a port of the hub. One that is lost is followed by
    /// another.
    Lldp {
        /// Index of the port.
        port: u8,
        /// At most [`crate::lldp::MESSAGE_MAX`] bytes, without the Ethernet header.
        bytes: &'a [u8],
    },
    /// For the controller of the ports with power.
    Power {
        /// Index of the port, below [`crate::budget::POWER_PORTS`].
        port: u8,
        /// What.
        order: PortOrder,
    },
}

/// What an analog line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEvent {
    /// Its circuit.
    Circuit {
        /// When it was so: a late word of a dial's pulse is no longer one.
        at: sip::Instant,
        /// What.
        sense: Sense,
    },
    /// Its audio chain.
    Audio(media::chain::Event),
}

/// What an analog line is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineOrder {
    /// Its circuit.
    Circuit(Signal),
    /// Its audio chain.
    Audio(media::chain::Command),
    /// Where the packets of the next connection go, from UDP port [`crate::budget::line_port`].
    Peer(SocketAddr),
}

/// For the TCP connection to the cloud's SIP.
#[derive(Debug)]
pub enum TrunkOutput<'a> {
    /// Open it (closing what is open) to the factory data's cloud host and SIP port.
    Connect,
    /// Send bytes.
    Send(&'a [u8]),
    /// Close it.
    Close,
}

/// For the announcement players.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaOutput {
    /// Play from UDP port [`crate::budget::RTP_PORT`] + 2·`player`.
    Play {
        /// Which player, below [`crate::budget::PLAYERS`].
        player: u8,
        /// To where.
        to: SocketAddr,
        /// How to encode.
        law: Law,
        /// What.
        prompt: Prompt,
        /// How many times.
        times: u8,
    },
    /// Play the tone of a parked call from there, until it is stopped.
    Hold {
        /// Which player.
        player: u8,
        /// To where.
        to: SocketAddr,
        /// How to encode.
        law: Law,
    },
    /// Stop.
    Stop {
        /// Which player.
        player: u8,
    },
}
