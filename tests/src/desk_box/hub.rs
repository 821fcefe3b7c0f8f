//! The box's hub and its ports for files: who is where, connections, LLDP frames, power.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use gateway::budget::{HTTP_CONNECTIONS, HTTP_PORT, TFTP_PORT};
use gateway::provision::HttpEvent;
use gateway::provision::http::Next;
use gateway::store::Store;
use gateway::{Gateway, Input, Station};

use super::{Nor, now_or_never};
use crate::network::{Act, Arrival, Conn, Millis, Piece};
use crate::pse::Pse;

/// UDP port from which files go by TFTP: any that is free.
pub const TFTP_SECOND: u16 = 3_069;
/// The hub's own address.
pub const MAC: [u8; 6] = [0x02, 0x44, 0x45, 0x4E, 0x57, 0x01];
/// Nearest bridge, and the EtherType of LLDP (IEEE 802.1AB §7).
const NEAREST: [u8; 6] = [0x01, 0x80, 0xC2, 0, 0, 0x0E];
const LLDP: [u8; 2] = [0x88, 0xCC];

/// What is to be told to the brain.
pub enum Told {
    /// A packet of TFTP: from whom, whether to the first port.
    Tftp(SocketAddr, bool, Vec<u8>),
    /// A connection for files is open: from whom.
    Opened(u8, IpAddr),
    /// Something came on it.
    Data(u8, Vec<u8>),
    /// It is closed.
    Closed(u8),
    /// An LLDPDU at a port.
    Lldp(u8, Vec<u8>),
}

/// The hub.
#[derive(Default)]
pub struct Hub {
    /// Who has which address.
    pub stations: BTreeMap<IpAddr, Station>,
    /// The controller of the ports with power; none: the box has no hub.
    pub pse: Option<Pse>,
    open: [Option<Conn>; HTTP_CONNECTIONS],
    /// For the brain.
    pub told: Vec<Told>,
}

impl Hub {
    /// Takes what is for it.
    pub fn handle(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Station { address, mac, port } => {
                let port = Some(port);
                self.stations.insert(address, Station { mac, port });
            }
            Arrival::Frame {
                port: Some(port),
                bytes,
            } => {
                if let Some(message) = bytes.get(14..).filter(|_| bytes.get(12..14) == Some(&LLDP[..])) {
                    self.told.push(Told::Lldp(port, message.to_vec()));
                }
            }
            Arrival::Datagram { from, to, bytes } if [TFTP_PORT, TFTP_SECOND].contains(&to.port()) => {
                self.told.push(Told::Tftp(from, to.port() == TFTP_PORT, bytes));
            }
            Arrival::Accepted { conn, local, peer } if local.port() == HTTP_PORT => {
                let free = self.open.iter_mut().zip(0..).find(|(open, _)| open.is_none());
                let (open, connection) =
                    free.expect("the network has no more connections than there are sockets");
                *open = Some(conn);
                self.told.push(Told::Opened(connection, peer.ip()));
            }
            Arrival::Data {
                conn,
                piece: Piece::Bytes(bytes),
            } => {
                if let Some(connection) = self.connection(conn) {
                    self.told.push(Told::Data(connection, bytes));
                }
            }
            Arrival::Closed { conn: Some(conn), .. } => {
                if let Some(connection) = self.connection(conn) {
                    self.closed(connection);
                }
            }
            _ => {}
        }
    }

    /// What the brain hears.
    pub fn input<'a>(&self, told: &'a Told) -> Input<'a> {
        let station = |ip: &IpAddr| self.stations.get(ip).copied();
        match told {
            Told::Tftp(peer, is_request, bytes) => Input::Tftp {
                peer: *peer,
                station: station(&peer.ip()),
                is_request: *is_request,
                bytes,
            },
            Told::Opened(connection, peer) => Input::Http {
                connection: *connection,
                event: HttpEvent::Opened {
                    peer: *peer,
                    station: station(peer),
                },
            },
            Told::Data(connection, bytes) => Input::Http {
                connection: *connection,
                event: HttpEvent::Data(bytes),
            },
            Told::Closed(connection) => Input::Http {
                connection: *connection,
                event: HttpEvent::Closed,
            },
            Told::Lldp(port, bytes) => Input::Lldp { port: *port, bytes },
        }
    }

    fn connection(&self, conn: Conn) -> Option<u8> {
        let place = self.open.iter().position(|open| *open == Some(conn));
        place.map(|place| place as u8)
    }

    /// Answers on a connection for files, as far as the answer is there.
    pub fn answer(
        &mut self,
        connection: u8,
        brain: &mut Gateway<'_>,
        store: &mut Store<Nor>,
        buffer: &mut [u8],
        out: &mut Vec<Act>,
    ) {
        let Some(&Some(conn)) = self.open.get(usize::from(connection)) else {
            return;
        };
        loop {
            let len = match brain.answer(connection, buffer) {
                Next::Send(len) => len,
                Next::Read { place, len } => match now_or_never(store.read_file(place, &mut buffer[..len])) {
                    Ok(()) => len,
                    Err(_) => break,
                },
                Next::Wait => return,
                Next::Close => break,
            };
            out.push(Act::Send {
                conn,
                piece: Piece::Bytes(buffer[..len].to_vec()),
            });
        }
        out.push(Act::Close { conn });
        self.closed(connection);
    }

    /// A connection is over.
    fn closed(&mut self, connection: u8) {
        if let Some(open) = self.open.get_mut(usize::from(connection)) {
            *open = None;
            self.told.push(Told::Closed(connection));
        }
    }

    /// An LLDPDU as a frame out of a port.
    pub fn lldp(port: u8, message: &[u8]) -> Act {
        Act::Frame {
            port: Some(port),
            bytes: [&NEAREST[..], &MAC, &LLDP, message].concat(),
        }
    }

    /// Ports whose power has changed.
    pub fn powered(&mut self, out: &mut Vec<Act>) {
        let changes = self.pse.as_mut().map(Pse::take_changes).unwrap_or_default();
        out.extend(changes.into_iter().map(|(port, on)| Act::Power { port, on }));
    }

    /// When the controller has something to tell.
    pub fn next_deadline(&self) -> Millis {
        self.pse.as_ref().map_or(Millis::MAX, Pse::next_deadline)
    }

    /// The box has no power: what was open is gone. The ports go on.
    pub fn power_off(&mut self) {
        self.open = [None; HTTP_CONNECTIONS];
        self.told.clear();
    }
}
