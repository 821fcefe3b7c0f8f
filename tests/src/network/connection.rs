//! Connections: they keep their order, lose nothing, and break; a port may have fewer sockets than there are clients.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{Arrival, Conn, Cut, Delivery, Millis, Network, NodeId, Piece, Place};

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct Pipe {
    /// Nothing may arrive before what was sent before it.
    pub busy_until: Millis,
    /// What waits for a silent cut to end; `None` is the close.
    pub waiting: VecDeque<Option<Piece>>,
}

#[derive(Debug)]
pub struct Connection {
    /// Node and address of the two ends: who opened it, and who accepted it.
    pub ends: [(NodeId, SocketAddr); 2],
    /// An end that is gone gets nothing more.
    pub gone: [bool; 2],
    pub pipes: [Pipe; 2],
    /// When a silent cut becomes a break.
    pub patience: Millis,
}

/// A port with so many sockets. A SYN that finds none gets no answer.
#[derive(Debug)]
pub struct Limit {
    port: SocketAddr,
    sockets: usize,
    /// When the ends of connections that were closed come to the other side.
    leaving: Vec<Millis>,
}

/// First wait before a SYN is repeated; each is twice the one before (RFC 6298 §2.1, §5.5).
pub const SYN_AGAIN: Millis = 1_000;
/// The last wait, after which the connection has failed.
const SYN_LAST: Millis = 8_000;

/// A SYN that waits to be repeated.
#[derive(Debug)]
pub struct Syn {
    at: Millis,
    node: NodeId,
    tag: u32,
    to: SocketAddr,
    wait: Millis,
}

impl Network {
    pub(super) fn across(&self, a: Place, b: Place) -> Vec<Conn> {
        let mut found = Vec::new();
        for (&conn, connection) in &self.connections {
            let (x, y) = (self.place(connection.ends[0].0), self.place(connection.ends[1].0));
            if (x, y) == (a, b) || (x, y) == (b, a) {
                found.push(conn);
            }
        }
        found
    }

    /// This port takes so many connections at once from now on.
    pub fn limit(&mut self, port: SocketAddr, sockets: usize) {
        self.limits.push(Limit {
            port,
            sockets,
            leaving: Vec::new(),
        });
    }

    /// Will there be a socket for one more connection?
    fn has_socket(&mut self, now: Millis, at: Millis, port: SocketAddr) -> bool {
        let Some(limit) = self.limits.iter_mut().find(|limit| limit.port == port) else {
            return true;
        };
        limit.leaving.retain(|until| *until > now);
        let all = self.connections.values();
        let open = all.filter(|connection| connection.ends[1].1 == port && !connection.gone[1]);
        let leaving = limit.leaving.iter().filter(|until| **until > at);
        open.count() + leaving.count() < limit.sockets
    }

    /// A connection is no more; its other end learns it at this time.
    fn remove(&mut self, at: Millis, conn: Conn) {
        let Some(connection) = self.connections.remove(&conn) else {
            return;
        };
        let mut limits = self.limits.iter_mut();
        if let Some(limit) = limits.find(|limit| limit.port == connection.ends[1].1) {
            limit.leaving.push(at);
        }
    }

    /// When a SYN is repeated, or a connection over a silent cut given up.
    pub fn next_deadline(&self) -> Millis {
        let patience = self.connections.values().map(|c| c.patience);
        let syns = self.syns.iter().map(|syn| syn.at);
        patience.chain(syns).min().unwrap_or(Millis::MAX)
    }

    /// Repeats SYNs, and gives up the connections whose ends have waited too long.
    pub fn tick(&mut self, now: Millis) -> Vec<Delivery> {
        let due: Vec<Syn> = self.syns.extract_if(.., |syn| syn.at <= now).collect();
        let mut out = Vec::new();
        for Syn {
            node, tag, to, wait, ..
        } in due
        {
            if self.nodes[node].2 {
                out.extend(self.connect(now, node, tag, to, wait));
            }
        }
        out.extend(self.give_up(now));
        out
    }

    fn give_up(&mut self, now: Millis) -> Vec<Delivery> {
        let over: Vec<Conn> = self
            .connections
            .iter()
            .filter(|(_, c)| c.patience <= now)
            .map(|(&conn, _)| conn)
            .collect();
        over.into_iter()
            .flat_map(|conn| self.break_off(now, conn))
            .collect()
    }

    /// Both ends learn that the connection is gone, each in its own time.
    pub(super) fn break_off(&mut self, now: Millis, conn: Conn) -> Vec<Delivery> {
        let Some(connection) = self.connections.remove(&conn) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for (end, pipe) in [(0, 1), (1, 0)] {
            if !connection.gone[end] {
                let at = (now + self.rng.range(1, 50)).max(connection.pipes[pipe].busy_until);
                out.push((
                    at,
                    connection.ends[end].0,
                    Arrival::Closed {
                        conn: Some(conn),
                        tag: 0,
                    },
                ));
            }
        }
        out
    }

    /// `wait`: until the SYN is repeated, if it gets no answer.
    pub(super) fn connect(
        &mut self,
        now: Millis,
        node: NodeId,
        tag: u32,
        to: SocketAddr,
        wait: Millis,
    ) -> Vec<Delivery> {
        let refused = |at| vec![(at, node, Arrival::Closed { conn: None, tag })];
        let Some(receiver) = self.owner(to.ip()) else {
            return refused(now + 3_000);
        };
        let path = self.path(self.place(node), self.place(receiver));
        let (quality, cut) = (path.quality, path.cut);
        match cut {
            Some(Cut::Silent) => return refused(now + 10_000),
            Some(Cut::Reset) => return refused(now + 5),
            None => {}
        }
        let Some(&ip) = self.nodes[node].1.first() else {
            return refused(now);
        };
        let there = now + self.rng.range(quality.delay.0, quality.delay.1);
        let back = there + self.rng.range(quality.delay.0, quality.delay.1);
        if !self.has_socket(now, there, to) {
            let at = now + wait;
            if wait >= SYN_LAST {
                return refused(at);
            }
            let wait = 2 * wait;
            self.syns.push(Syn {
                at,
                node,
                tag,
                to,
                wait,
            });
            return Vec::new();
        }
        let local = SocketAddr::new(ip, self.next_port);
        self.next_port = self.next_port.checked_add(1).unwrap_or(40_000);
        let conn = self.next_conn;
        self.next_conn += 1;
        self.connections.insert(
            conn,
            Connection {
                ends: [(node, local), (receiver, to)],
                gone: [false; 2],
                pipes: [
                    Pipe {
                        busy_until: back,
                        waiting: VecDeque::new(),
                    },
                    Pipe {
                        busy_until: back,
                        waiting: VecDeque::new(),
                    },
                ],
                patience: Millis::MAX,
            },
        );
        vec![
            (
                there,
                receiver,
                Arrival::Accepted {
                    conn,
                    local: to,
                    peer: local,
                },
            ),
            (
                back,
                node,
                Arrival::Opened {
                    tag,
                    conn,
                    local,
                    peer: to,
                },
            ),
        ]
    }

    pub(super) fn send(
        &mut self,
        now: Millis,
        node: NodeId,
        conn: Conn,
        piece: Option<Piece>,
    ) -> Vec<Delivery> {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Vec::new();
        };
        // A node that was off and on again does not know its old connections.
        let Some(from) = (0..2).find(|&end| connection.ends[end].0 == node && !connection.gone[end]) else {
            return Vec::new();
        };
        if piece.is_none() {
            connection.gone[from] = true;
        }
        let (a, b) = (connection.ends[0].0, connection.ends[1].0);
        if self.path(self.place(a), self.place(b)).cut.is_some() {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.pipes[from].waiting.push_back(piece);
            }
            return Vec::new();
        }
        self.carry(now, conn, from, piece)
    }

    /// Moves a piece (or the close) over a path that is whole.
    pub(super) fn carry(
        &mut self,
        now: Millis,
        conn: Conn,
        from: usize,
        piece: Option<Piece>,
    ) -> Vec<Delivery> {
        let Some(connection) = self.connections.get(&conn) else {
            return Vec::new();
        };
        let (a, b) = (self.place(connection.ends[0].0), self.place(connection.ends[1].0));
        let quality = self.path(a, b).quality;
        let mut delay = self.rng.range(quality.delay.0, quality.delay.1);
        // A lost segment is a delay to a stream.
        if self.rng.chance(quality.loss) {
            delay += self.rng.range(200, 600);
        }
        let cuts = match &piece {
            Some(Piece::Bytes(bytes)) if bytes.len() > 1 && self.rng.chance(200) => {
                Some(self.rng.range(1, bytes.len() as u64 - 1) as usize)
            }
            _ => None,
        };
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Vec::new();
        };
        let to = 1 - from;
        let at = (now + delay).max(connection.pipes[from].busy_until);
        connection.pipes[from].busy_until = at;
        let (sender, receiver) = (connection.ends[from].0, connection.ends[to].0);
        if connection.gone[to] {
            // The other end was off in between, or has closed: a reset comes back, unless this end has closed too.
            let unheard = !connection.gone[from];
            self.remove(at, conn);
            let reset = (
                at + delay,
                sender,
                Arrival::Closed {
                    conn: Some(conn),
                    tag: 0,
                },
            );
            return unheard.then_some(reset).into_iter().collect();
        }
        let node = receiver;
        match (piece, cuts) {
            (None, _) => {
                self.remove(at, conn);
                vec![(
                    at,
                    node,
                    Arrival::Closed {
                        conn: Some(conn),
                        tag: 0,
                    },
                )]
            }
            (Some(Piece::Bytes(bytes)), Some(middle)) => {
                let (one, two) = bytes.split_at(middle);
                vec![
                    (
                        at,
                        node,
                        Arrival::Data {
                            conn,
                            piece: Piece::Bytes(one.to_vec()),
                        },
                    ),
                    (
                        at,
                        node,
                        Arrival::Data {
                            conn,
                            piece: Piece::Bytes(two.to_vec()),
                        },
                    ),
                ]
            }
            (Some(piece), _) => vec![(at, node, Arrival::Data { conn, piece })],
        }
    }
}
