//! Virtual time: nodes, the network between them, and nothing else that moves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use crate::network::{Act, Arrival, Cut, Delivery, Millis, Network, NodeId, Piece, Place};
use crate::rng::Rng;

/// A program on the virtual clock.
pub trait Node {
    /// Takes what the network brought.
    fn handle(&mut self, now: Millis, arrival: Arrival);
    /// Does what is due at `now`, and puts out everything that goes to the network.
    fn poll(&mut self, now: Millis, out: &mut Vec<Act>);
    /// When it wants to be polled, if nothing comes before; [`Millis::MAX`] for never.
    fn next_deadline(&self) -> Millis;
    /// The power goes: everything that is not stored is lost.
    fn power_off(&mut self, _now: Millis) {}
    /// The power comes.
    fn power_on(&mut self, _now: Millis) {}
}

/// What is done to the world from outside, at a planned time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A path is cut.
    Cut(Place, Place, Cut),
    /// It is whole again.
    Join(Place, Place),
    /// A node loses its power.
    Off(NodeId),
    /// It has power again.
    On(NodeId),
}

struct Event {
    at: Millis,
    /// Later scheduled is later, at the same time: the order is total, and repeats.
    order: u64,
    what: What,
}

enum What {
    Arrival(NodeId, Arrival),
    Fault(Fault),
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Nodes that do not come to rest within one moment send each other messages without end.
const TURNS: usize = 10_000;

/// The nodes and their network.
pub struct World<N> {
    /// All nodes, by [`NodeId`].
    pub nodes: Vec<N>,
    /// The network.
    pub network: Network,
    names: Vec<String>,
    on: Vec<bool>,
    now: Millis,
    queue: BinaryHeap<Reverse<Event>>,
    order: u64,
    trace: bool,
}

impl<N: Node> World<N> {
    /// An empty world at time zero. `DENWABAN_TRACE` in the environment prints every message.
    pub fn new(rng: Rng) -> Self {
        World {
            nodes: Vec::new(),
            network: Network::new(rng),
            names: Vec::new(),
            on: Vec::new(),
            now: 0,
            queue: BinaryHeap::new(),
            order: 0,
            trace: std::env::var_os("DENWABAN_TRACE").is_some(),
        }
    }

    /// Adds a node, switched on.
    pub fn add(&mut self, name: &str, place: Place, addresses: &[IpAddr], node: N) -> NodeId {
        self.nodes.push(node);
        self.names.push(name.to_owned());
        self.on.push(true);
        self.network.add(place, addresses)
    }

    /// The time.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Is the node switched on?
    pub fn is_on(&self, node: NodeId) -> bool {
        self.on[node]
    }

    /// Plans a fault.
    pub fn plan(&mut self, at: Millis, fault: Fault) {
        self.push(at, What::Fault(fault));
    }

    fn push(&mut self, at: Millis, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Event {
            at: at.max(self.now),
            order: self.order,
            what,
        }));
    }

    fn deliver(&mut self, deliveries: Vec<Delivery>) {
        for (at, node, arrival) in deliveries {
            self.push(at, What::Arrival(node, arrival));
        }
    }

    /// Lets time pass until `until`.
    pub fn run(&mut self, until: Millis) {
        self.settle();
        loop {
            let event = self.queue.peek().map_or(Millis::MAX, |Reverse(event)| event.at);
            let deadline = (0..self.nodes.len())
                .filter(|&node| self.on[node])
                .map(|node| self.nodes[node].next_deadline())
                .min()
                .unwrap_or(Millis::MAX);
            let next = event
                .min(deadline)
                .min(self.network.next_deadline())
                .max(self.now);
            if next > until {
                break;
            }
            self.now = next;
            let broken = self.network.tick(self.now);
            self.deliver(broken);
            while let Some(Reverse(event)) = self.queue.peek()
                && event.at <= self.now
            {
                if let Some(Reverse(event)) = self.queue.pop() {
                    self.happen(event.what);
                }
            }
            self.settle();
        }
        self.now = until;
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Arrival(node, arrival) => {
                if self.on[node] {
                    if self.trace {
                        self.print(node, "<-", &arrival_line(&arrival));
                    }
                    self.nodes[node].handle(self.now, arrival);
                    self.turn(node);
                }
            }
            What::Fault(fault) => {
                if self.trace {
                    println!("{:>9} {fault:?}", self.now);
                }
                match fault {
                    Fault::Cut(a, b, cut) => {
                        let deliveries = self.network.cut(self.now, a, b, cut);
                        self.deliver(deliveries);
                    }
                    Fault::Join(a, b) => {
                        let deliveries = self.network.join(self.now, a, b);
                        self.deliver(deliveries);
                    }
                    Fault::Off(node) if self.on[node] => {
                        self.on[node] = false;
                        self.network.power_off(node);
                        self.nodes[node].power_off(self.now);
                    }
                    Fault::On(node) if !self.on[node] => {
                        self.on[node] = true;
                        self.network.power_on(node);
                        self.nodes[node].power_on(self.now);
                    }
                    Fault::Off(_) | Fault::On(_) => {}
                }
            }
        }
    }

    /// Polls every node that has something to do now.
    fn settle(&mut self) {
        for node in 0..self.nodes.len() {
            if self.on[node] && self.nodes[node].next_deadline() <= self.now {
                self.turn(node);
            }
        }
    }

    fn turn(&mut self, node: NodeId) {
        for turn in 0.. {
            assert!(
                turn < TURNS,
                "{} does not come to rest at {}",
                self.names[node],
                self.now
            );
            let mut acts = Vec::new();
            self.nodes[node].poll(self.now, &mut acts);
            let idle = acts.is_empty();
            for act in acts {
                if self.trace {
                    self.print(node, "->", &act_line(&act));
                }
                let deliveries = self.network.act(self.now, node, act);
                self.deliver(deliveries);
            }
            if idle && self.nodes[node].next_deadline() > self.now {
                return;
            }
        }
    }

    fn print(&self, node: NodeId, arrow: &str, line: &str) {
        println!("{:>9} {:<8} {arrow} {line}", self.now, self.names[node]);
    }
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let cseq = text
        .lines()
        .find(|line| line.starts_with("CSeq:"))
        .unwrap_or_default();
    let reason = text
        .lines()
        .find(|line| line.starts_with("Reason:"))
        .unwrap_or_default();
    let call = text
        .lines()
        .find(|line| line.starts_with("Call-ID:"))
        .unwrap_or_default();
    format!(
        "{} | {cseq} {reason} {call}",
        text.lines().next().unwrap_or_default()
    )
}

fn piece_line(piece: &Piece) -> String {
    match piece {
        Piece::Bytes(bytes) => first_line(bytes),
        Piece::Message { topic, payload } => format!("{topic} ({} bytes)", payload.len()),
    }
}

fn arrival_line(arrival: &Arrival) -> String {
    match arrival {
        Arrival::Datagram { from, bytes, .. } => format!("{from} {}", first_line(bytes)),
        Arrival::Data { conn, piece } => format!("#{conn} {}", piece_line(piece)),
        other => format!("{other:?}"),
    }
}

fn act_line(act: &Act) -> String {
    match act {
        Act::Datagram { to, bytes, .. } => format!("{to} {}", first_line(bytes)),
        Act::Send { conn, piece } => format!("#{conn} {}", piece_line(piece)),
        other => format!("{other:?}"),
    }
}
