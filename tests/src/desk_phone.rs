//! A phone that configures itself, on the network of the simulation: [`deskphones::Phone`] at a cable.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use deskphones::{Output, Phone};

use crate::network::{Act, Arrival, Conn, Millis, Piece};
use crate::world::Node;

/// The phone and its connections.
pub struct DeskPhone {
    /// The phone.
    pub phone: Phone,
    /// The network's numbers of its connections.
    conns: BTreeMap<u32, Conn>,
}

impl DeskPhone {
    /// This phone, at no cable yet.
    pub fn new(phone: Phone) -> Self {
        DeskPhone {
            phone,
            conns: BTreeMap::new(),
        }
    }

    fn own(&self, conn: Conn) -> Option<u32> {
        let mut known = self.conns.iter();
        known.find_map(|(own, known)| (*known == conn).then_some(*own))
    }
}

impl Node for DeskPhone {
    fn handle(&mut self, now: Millis, arrival: Arrival) {
        match arrival {
            Arrival::Datagram {
                from: SocketAddr::V4(from),
                to: SocketAddr::V4(to),
                bytes,
            } => self.phone.datagram(now, from, to, &bytes),
            Arrival::Opened { tag, conn, .. } => {
                self.conns.insert(tag, conn);
                self.phone.opened(tag);
            }
            Arrival::Data {
                conn,
                piece: Piece::Bytes(bytes),
            } => {
                if let Some(own) = self.own(conn) {
                    self.phone.data(now, own, &bytes);
                }
            }
            Arrival::Closed { conn, tag } => {
                let own = conn.map_or(Some(tag), |conn| self.own(conn));
                if let Some(own) = own {
                    self.conns.remove(&own);
                    self.phone.closed(now, own);
                }
            }
            Arrival::Frame { bytes, .. } => self.phone.frame(now, &bytes),
            Arrival::Power(on) => self.phone.power(now, on),
            _ => {}
        }
    }

    fn poll(&mut self, now: Millis, out: &mut Vec<Act>) {
        while let Some(output) = self.phone.poll(now) {
            out.push(match output {
                Output::Frame(bytes) => Act::Frame { port: None, bytes },
                // One network here: the VLAN is the rig's.
                Output::Vlan(_) => continue,
                Output::Address(lease) => Act::Address(lease.map(|lease| IpAddr::V4(lease.address))),
                Output::Datagram { from, to, bytes } => Act::Datagram {
                    from: from.into(),
                    to: to.into(),
                    bytes,
                },
                Output::Connect { conn, to } => Act::Connect {
                    tag: conn,
                    to: to.into(),
                },
                Output::Send { conn, bytes } => match self.conns.get(&conn) {
                    Some(&conn) => Act::Send {
                        conn,
                        piece: Piece::Bytes(bytes),
                    },
                    None => continue,
                },
                Output::Close { conn } => match self.conns.remove(&conn) {
                    Some(conn) => Act::Close { conn },
                    None => continue,
                },
            });
        }
    }

    fn next_deadline(&self) -> Millis {
        self.phone.next_deadline()
    }

    fn power_off(&mut self, now: Millis) {
        self.conns.clear();
        self.phone.power(now, false);
    }

    fn power_on(&mut self, now: Millis) {
        self.phone.power(now, true);
    }
}
