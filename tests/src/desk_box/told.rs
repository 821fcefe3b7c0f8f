//! What the box's brain is told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gateway::office::{OFFICE, To};
use gateway::power::Reading;
use gateway::store::Done;
use gateway::{Input, LineEvent, TrunkInput, UplinkInput};
use sip::Flow;

use super::hub::{self, Hub};

/// What waits to be told to the brain.
pub enum Told {
    Datagram(Flow, Vec<u8>),
    Service(u16, To, Vec<u8>),
    DhcpServer(Ipv4Addr),
    Unreachable(IpAddr),
    TrunkConnected(SocketAddr, SocketAddr),
    TrunkData(Vec<u8>),
    TrunkClosed,
    UplinkConnected,
    UplinkDisconnected,
    UplinkMessage(String, Vec<u8>),
    Stored(Box<Done>),
    Played(u8),
    Line(u8, LineEvent),
    Hub(hub::Told),
    Power(Box<Reading>),
}

impl Told {
    /// As the brain takes it; the hub knows who is where.
    pub fn input<'a>(&'a self, hub: &Hub) -> Input<'a> {
        match self {
            Self::Datagram(flow, bytes) => Input::Datagram {
                flow: *flow,
                station: hub.stations.get(&flow.peer.ip()).copied(),
                bytes,
            },
            Self::DhcpServer(address) => Input::DhcpServer {
                interface: OFFICE,
                address: *address,
            },
            Self::Unreachable(address) => Input::Unreachable(*address),
            Self::Service(port, from, bytes) => Input::Service {
                port: *port,
                from: *from,
                bytes,
            },
            Self::TrunkConnected(local, peer) => Input::Trunk(TrunkInput::Connected {
                local: *local,
                peer: *peer,
            }),
            Self::TrunkData(bytes) => Input::Trunk(TrunkInput::Data(bytes)),
            Self::TrunkClosed => Input::Trunk(TrunkInput::Closed),
            Self::UplinkConnected => Input::Uplink(UplinkInput::Connected),
            Self::UplinkDisconnected => Input::Uplink(UplinkInput::Disconnected),
            Self::UplinkMessage(topic, payload) => Input::Uplink(UplinkInput::Message { topic, payload }),
            Self::Stored(done) => Input::Stored(Done::clone(done)),
            Self::Played(player) => Input::Played { player: *player },
            Self::Line(line, event) => Input::Line {
                line: *line,
                event: *event,
            },
            Self::Hub(told) => hub.input(told),
            Self::Power(reading) => Input::Power(Some(**reading)),
        }
    }
}
