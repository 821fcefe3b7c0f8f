//! A network with faults: datagrams are lost, doubled, delayed and overtake each other; connections keep their order and
//! lose nothing until they break; a path between two places can be cut. A port may have fewer sockets than there are clients.
//!
//! Nothing here is random by itself: all chance comes from the generator handed in.

mod connection;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::rng::Rng;
use connection::{Connection, Limit, SYN_AGAIN, Syn};

/// Milliseconds of virtual time.
pub use deskphones::Millis;

/// Which node of the world.
pub type NodeId = usize;

/// A part of the network; within one nothing is ever cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The office LAN, with phones and box.
    Office,
    /// The LAN of a second site of the same contract.
    Branch,
    /// The data centre of the cloud.
    Cloud,
    /// The other carriers.
    Carrier,
}

/// How well a path carries.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// Least and greatest delay of a datagram, milliseconds. Datagrams overtake each other within it.
    pub delay: (Millis, Millis),
    /// Datagrams lost in a thousand.
    pub loss: u32,
    /// Datagrams doubled in a thousand.
    pub duplicate: u32,
}

impl Quality {
    /// Without a fault, one millisecond.
    pub const PERFECT: Self = Quality {
        delay: (1, 1),
        loss: 0,
        duplicate: 0,
    };
}

/// What happens to connections when their path is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Bytes wait, and come when the path is back before both ends have given up.
    Silent,
    /// Both ends see the connection break at once.
    Reset,
}

/// A connection, by the number the network gave it.
pub type Conn = u32;

/// What a connection carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of a stream.
    Bytes(Vec<u8>),
    /// One message of a broker.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
    },
}

/// What the network brings a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A datagram.
    Datagram {
        /// Sender.
        from: SocketAddr,
        /// Receiver.
        to: SocketAddr,
        /// Content.
        bytes: Vec<u8>,
    },
    /// The connection asked for under `tag` is open.
    Opened {
        /// The asker's own name for it.
        tag: u32,
        /// Its number.
        conn: Conn,
        /// This end.
        local: SocketAddr,
        /// The other end.
        peer: SocketAddr,
    },
    /// Somebody opened a connection to this node.
    Accepted {
        /// Its number.
        conn: Conn,
        /// This end.
        local: SocketAddr,
        /// The other end.
        peer: SocketAddr,
    },
    /// Something came on a connection.
    Data {
        /// Which.
        conn: Conn,
        /// What.
        piece: Piece,
    },
    /// A connection is gone, or could not be opened (`tag` as asked for).
    Closed {
        /// Which; none if it never was.
        conn: Option<Conn>,
        /// The asker's own name, for one that never was.
        tag: u32,
    },
    /// An Ethernet frame for the next bridge (LLDP).
    Frame {
        /// The port of the hub it came in at, for the hub.
        port: Option<u8>,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// The hub's switch has learnt who has an address.
    Station {
        /// The address.
        address: IpAddr,
        /// Hardware address.
        mac: [u8; 6],
        /// Port of the hub, from 0.
        port: u8,
    },
    /// The port of the hub gives power, or gives none any more.
    Power(bool),
}

/// What a node does to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send a datagram.
    Datagram {
        /// Sender.
        from: SocketAddr,
        /// Receiver.
        to: SocketAddr,
        /// Content.
        bytes: Vec<u8>,
    },
    /// Open a connection.
    Connect {
        /// The node's own name for it.
        tag: u32,
        /// Where to.
        to: SocketAddr,
    },
    /// Send on a connection.
    Send {
        /// Which.
        conn: Conn,
        /// What.
        piece: Piece,
    },
    /// Close a connection; what was sent before still arrives.
    Close {
        /// Which.
        conn: Conn,
    },
    /// Have this address from now on, or none.
    Address(Option<IpAddr>),
    /// Send an Ethernet frame to the next bridge, or as the hub out of a port.
    Frame {
        /// The hub's port.
        port: Option<u8>,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// As the hub, feed a port, or feed it no more.
    Power {
        /// The port, from 0.
        port: u8,
        /// Feed it.
        on: bool,
    },
}

/// The cable of a node that is plugged into a hub, perhaps with other switches between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cable {
    /// Hardware address of the node.
    pub mac: [u8; 6],
    /// Node of the hub.
    pub hub: NodeId,
    /// Port of the hub, from 0.
    pub port: u8,
    /// The port feeds the node: there is no other switch between.
    pub fed: bool,
}

/// An arrival at a node at a time.
pub type Delivery = (Millis, NodeId, Arrival);

#[derive(Debug)]
struct Path {
    quality: Quality,
    /// How it is cut, if it is.
    cut: Option<Cut>,
}

/// The network of one world.
#[derive(Debug)]
pub struct Network {
    rng: Rng,
    nodes: Vec<(Place, Vec<IpAddr>, bool)>,
    cables: BTreeMap<NodeId, Cable>,
    paths: BTreeMap<(Place, Place), Path>,
    connections: BTreeMap<Conn, Connection>,
    limits: Vec<Limit>,
    syns: Vec<Syn>,
    next_conn: Conn,
    next_port: u16,
    /// Datagrams that found no way: lost, cut, or to nobody.
    pub lost: u64,
}

impl Network {
    /// A network without nodes; every path is perfect until [`Self::set_quality`].
    pub fn new(rng: Rng) -> Self {
        Network {
            rng,
            nodes: Vec::new(),
            cables: BTreeMap::new(),
            paths: BTreeMap::new(),
            connections: BTreeMap::new(),
            limits: Vec::new(),
            syns: Vec::new(),
            next_conn: 1,
            next_port: 40_000,
            lost: 0,
        }
    }

    /// Adds a node with its addresses. Nodes are numbered from 0.
    pub fn add(&mut self, place: Place, addresses: &[IpAddr]) -> NodeId {
        self.nodes.push((place, addresses.to_vec(), true));
        self.nodes.len() - 1
    }

    /// Plugs a node into a hub.
    pub fn plug(&mut self, node: NodeId, cable: Cable) {
        self.cables.insert(node, cable);
    }

    fn path(&mut self, a: Place, b: Place) -> &mut Path {
        let key = if a <= b { (a, b) } else { (b, a) };
        self.paths.entry(key).or_insert(Path {
            quality: Quality::PERFECT,
            cut: None,
        })
    }

    /// How well the path between (or within) these places carries from now on.
    pub fn set_quality(&mut self, a: Place, b: Place, quality: Quality) {
        self.path(a, b).quality = quality;
    }

    /// Is the path cut?
    pub fn is_cut(&mut self, a: Place, b: Place) -> bool {
        self.path(a, b).cut.is_some()
    }

    fn owner(&self, ip: IpAddr) -> Option<NodeId> {
        self.nodes
            .iter()
            .position(|(_, addresses, on)| *on && addresses.contains(&ip))
    }

    fn place(&self, node: NodeId) -> Place {
        self.nodes[node].0
    }

    /// Cuts the path between two places.
    pub fn cut(&mut self, now: Millis, a: Place, b: Place, cut: Cut) -> Vec<Delivery> {
        self.path(a, b).cut = Some(cut);
        let across = self.across(a, b);
        let mut out = Vec::new();
        for conn in across {
            match cut {
                Cut::Reset => out.extend(self.break_off(now, conn)),
                Cut::Silent => {
                    let patience = now + self.rng.range(5_000, 25_000);
                    if let Some(connection) = self.connections.get_mut(&conn) {
                        connection.patience = patience;
                    }
                }
            }
        }
        out
    }

    /// Joins the path again.
    pub fn join(&mut self, now: Millis, a: Place, b: Place) -> Vec<Delivery> {
        self.path(a, b).cut = None;
        let across = self.across(a, b);
        let mut out = Vec::new();
        for conn in across {
            for from in 0..2 {
                let Some(connection) = self.connections.get_mut(&conn) else {
                    continue;
                };
                connection.patience = Millis::MAX;
                for piece in std::mem::take(&mut connection.pipes[from].waiting) {
                    out.extend(self.carry(now, conn, from, piece));
                }
            }
        }
        out
    }

    /// A node loses its power: it is silent, and its connections end without a word to the other side.
    pub fn power_off(&mut self, node: NodeId) {
        self.nodes[node].2 = false;
        for connection in self.connections.values_mut() {
            for end in 0..2 {
                if connection.ends[end].0 == node {
                    connection.gone[end] = true;
                }
            }
        }
    }

    /// A node has power again.
    pub fn power_on(&mut self, node: NodeId) {
        self.nodes[node].2 = true;
    }

    /// What a node's act leads to.
    pub fn act(&mut self, now: Millis, node: NodeId, act: Act) -> Vec<Delivery> {
        match act {
            Act::Datagram { from, to, bytes } => self.datagram(now, node, from, to, bytes),
            Act::Connect { tag, to } => self.connect(now, node, tag, to, SYN_AGAIN),
            Act::Send { conn, piece } => self.send(now, node, conn, Some(piece)),
            Act::Close { conn } => self.send(now, node, conn, None),
            Act::Address(address) => self.address(now, node, address),
            Act::Frame { port: None, bytes } => match self.cables.get(&node) {
                Some(Cable { hub, port, .. }) => {
                    let port = Some(*port);
                    vec![(now + 1, *hub, Arrival::Frame { port, bytes })]
                }
                None => Vec::new(),
            },
            Act::Frame { port, bytes } => {
                let frame = Arrival::Frame { port: None, bytes };
                let at = self.plugged(node).filter(|(_, cable)| Some(cable.port) == port);
                at.map(|(other, _)| (now + 1, other, frame.clone())).collect()
            }
            Act::Power { port, on } => {
                let at = self
                    .plugged(node)
                    .filter(|(_, cable)| cable.fed && cable.port == port);
                at.map(|(other, _)| (now, other, Arrival::Power(on))).collect()
            }
        }
    }

    fn plugged(&self, hub: NodeId) -> impl Iterator<Item = (NodeId, &Cable)> {
        let all = self.cables.iter().map(|(node, cable)| (*node, cable));
        all.filter(move |(_, cable)| cable.hub == hub)
    }

    fn address(&mut self, now: Millis, node: NodeId, address: Option<IpAddr>) -> Vec<Delivery> {
        self.nodes[node].1 = address.into_iter().collect();
        let (Some(address), Some(cable)) = (address, self.cables.get(&node)) else {
            return Vec::new();
        };
        let Cable { mac, hub, port, .. } = *cable;
        vec![(now, hub, Arrival::Station { address, mac, port })]
    }

    /// To everybody in a place, as broadcast and multicast go.
    fn flood(
        &mut self,
        now: Millis,
        node: NodeId,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Vec<Delivery> {
        let place = self.place(node);
        let quality = self.path(place, place).quality;
        let heard = |other: &NodeId| *other != node && self.nodes[*other].0 == place && self.nodes[*other].2;
        let others: Vec<_> = (0..self.nodes.len()).filter(heard).collect();
        let mut deliveries = Vec::new();
        for other in others {
            let at = now + self.rng.range(quality.delay.0, quality.delay.1);
            if !self.rng.chance(quality.loss) {
                let bytes = bytes.to_vec();
                deliveries.push((at, other, Arrival::Datagram { from, to, bytes }));
            }
        }
        deliveries
    }

    fn datagram(
        &mut self,
        now: Millis,
        node: NodeId,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    ) -> Vec<Delivery> {
        if matches!(to.ip(), IpAddr::V4(ip) if ip.is_broadcast() || ip.is_multicast()) {
            return self.flood(now, node, from, to, &bytes);
        }
        let Some(receiver) = self.owner(to.ip()) else {
            self.lost += 1;
            return Vec::new();
        };
        let path = self.path(self.place(node), self.place(receiver));
        let (quality, cut) = (path.quality, path.cut.is_some());
        if cut || self.rng.chance(quality.loss) {
            self.lost += 1;
            return Vec::new();
        }
        let copies = 1 + usize::from(self.rng.chance(quality.duplicate));
        (0..copies)
            .map(|_| {
                let at = now + self.rng.range(quality.delay.0, quality.delay.1);
                (
                    at,
                    receiver,
                    Arrival::Datagram {
                        from,
                        to,
                        bytes: bytes.clone(),
                    },
                )
            })
            .collect()
    }
}
