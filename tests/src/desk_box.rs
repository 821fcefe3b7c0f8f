//! The box: the real brain and the real store, on a flash memory in RAM, driven as the firmware drives them.

mod hub;
mod told;

use std::collections::VecDeque;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use gateway::budget::{HUB_PORTS, PLAYERS, SIP_PORT, STREAM_MAX};
use gateway::office::{OFFICE, PORTS, Subnet, To};
use gateway::storage::BoxStorage;
use gateway::store::ram::{RamNor, Torn};
use gateway::store::{Op, Reply, Store, Token, map};
use gateway::trunk::CHUNK_MAX;
use gateway::{Boot, Gateway, Input, LineEvent, MediaOutput, Network, Output, Sense, TrunkOutput};
use self_cell::MutBorrow;
use shared::factory::{Factory, MAX_FACTORY};
use shared::sync::BootReason;
use sip::{Flow, Instant, Transport};

pub use hub::Hub;

use told::Told;

use crate::network::{Act, Arrival, Conn, Millis, Piece};
use crate::rng::Rng;
use crate::telephone::Telephone;
use crate::world::Node;

type Nor = RamNor<Vec<u8>>;

self_cell::self_cell!(
    /// The brain in its room, from switching on to switching off.
    struct Life {
        owner: MutBorrow<Box<BoxStorage>>,
        #[not_covariant]
        dependent: Gateway,
    }
);

/// Runs a future that never waits: everything below it is memory.
pub fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing in memory waits"),
    }
}

/// Where the box tries whether somebody has an address (RFC 863).
const DISCARD: u16 = 9;

/// A connection that the box keeps.
#[derive(Default)]
struct Line {
    /// Name of the attempt that is under way.
    trying: Option<u32>,
    conn: Option<Conn>,
}

/// How reliable the flash memory is.
#[derive(Clone, Copy, Debug)]
pub struct Flash {
    /// Least and greatest time of an operation, milliseconds.
    pub time: (Millis, Millis),
    /// Bytes of it: some partitions may have no room.
    pub len: u32,
}

impl Flash {
    /// As long as what every box needs.
    pub const SHORT: u32 = map::EVENTS.end();
    /// With room for 1 MiB of the phones' firmware.
    pub const LONG: u32 = map::PHONE_FIRMWARE.start + 0x10_0000;
}

/// The box.
pub struct DeskBox {
    address: Ipv4Addr,
    /// What it knows of its network: no more than its address, unless it is told before it starts.
    pub subnet: Subnet,
    /// Where it asks other name servers from.
    asking: Option<u16>,
    sip: SocketAddr,
    mqtt: SocketAddr,
    store: Store<Nor>,
    life: Option<Life>,
    rng: Rng,
    flash: Flash,
    booted: Millis,
    told: VecDeque<Told>,
    trunk: Line,
    uplink: Line,
    next_uplink: Millis,
    next_tag: u32,
    /// Operations that the flash memory works on, one after the other.
    stores: VecDeque<(Token, Op)>,
    store_done: Millis,
    /// When each player comes to its end.
    players: [Option<Millis>; PLAYERS],
    buffer: Vec<u8>,
    /// Connections for files on which there is an answer.
    answers: Vec<u8>,
    /// Its hub, and its ports for files.
    pub hub: Hub,
    /// At the lines, from the first on.
    pub telephones: Vec<Telephone>,
    /// Announcements begun.
    pub announcements: Vec<(Millis, SocketAddr, media::prompt::Prompt)>,
    /// To whom the tone of a parked call was played, and when that began.
    pub held: Vec<(Millis, SocketAddr)>,
    /// Starts.
    pub boots: u32,
    /// Events it found in its queue at a start.
    pub queued_at_boot: Vec<u32>,
}

impl DeskBox {
    /// A new box from the factory, not yet switched on.
    pub fn new(address: Ipv4Addr, factory: &Factory, mut rng: Rng, flash: Flash) -> Self {
        let cloud: IpAddr = factory
            .cloud_host
            .parse()
            .expect("the cloud is given by its address");
        let mut bytes = vec![0xFF; flash.len as usize];
        let mut image = [0; MAX_FACTORY];
        let image = factory.encode(&mut image).expect("factory data fits");
        bytes[map::FACTORY.start as usize..][..image.len()].copy_from_slice(image);
        DeskBox {
            address,
            subnet: Subnet::host(address),
            asking: None,
            sip: SocketAddr::new(cloud, factory.sip_port),
            mqtt: SocketAddr::new(cloud, factory.mqtt_port),
            store: Store::new(Nor::new(bytes)),
            life: None,
            rng: rng.split(),
            flash,
            booted: 0,
            told: VecDeque::new(),
            trunk: Line::default(),
            uplink: Line::default(),
            next_uplink: 0,
            next_tag: 0,
            stores: VecDeque::new(),
            store_done: Millis::MAX,
            players: [None; PLAYERS],
            buffer: vec![0; STREAM_MAX],
            answers: Vec::new(),
            hub: Hub::default(),
            telephones: Vec::new(),
            held: Vec::new(),
            announcements: Vec::new(),
            boots: 0,
            queued_at_boot: Vec::new(),
        }
    }

    fn clock(&self, now: Millis) -> Instant {
        Instant::from_millis(now - self.booted)
    }

    /// Looks at the brain; nothing while it is switched off.
    pub fn brain<T>(&self, look: impl FnOnce(&Gateway<'_>) -> T) -> Option<T> {
        self.life
            .as_ref()
            .map(|life| life.with_dependent(|_, brain| look(brain)))
    }

    /// Events in its queue (at most one batch is counted). To be asked at rest.
    pub fn waiting(&mut self) -> u8 {
        match now_or_never(self.store.execute(Token(u32::MAX), &Op::ReadEvents)).result {
            Ok(Reply::Events(batch)) => batch.map_or(0, |batch| batch.count),
            _ => 0,
        }
    }

    /// The store, for looking into it while the box is off or at rest.
    pub fn store(&mut self) -> &mut Store<Nor> {
        &mut self.store
    }

    fn tag(&mut self) -> u32 {
        self.next_tag += 1;
        self.next_tag
    }

    fn tell(&mut self, now: Millis, told: Told) {
        let clock = self.clock(now);
        let Some(life) = &mut self.life else { return };
        life.with_dependent_mut(|_, brain| {
            brain.handle(clock, told.input(&self.hub));
        });
    }

    /// Takes everything the brain wants done.
    fn drain(&mut self, now: Millis, out: &mut Vec<Act>) {
        let clock = self.clock(now);
        let Some(mut life) = self.life.take() else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        life.with_dependent_mut(|_, brain| {
            loop {
                while let Some(output) = brain.poll(clock, &mut buffer) {
                    self.obey(now, output, out);
                }
                // While the configuration changes nothing else happens.
                if !brain.is_between() {
                    break;
                }
                let Some((token, op)) = self.stores.pop_front() else {
                    break;
                };
                let done = now_or_never(self.store.execute(token, &op));
                brain.handle(clock, Input::Stored(done));
            }
        });
        for connection in std::mem::take(&mut self.answers) {
            life.with_dependent_mut(|_, brain| {
                self.hub
                    .answer(connection, brain, &mut self.store, &mut buffer, out);
            });
        }
        self.told.extend(self.hub.told.drain(..).map(Told::Hub));
        self.buffer = buffer;
        self.life = Some(life);
    }

    fn obey(&mut self, now: Millis, output: Output<'_>, out: &mut Vec<Act>) {
        match output {
            Output::Transmit { flow, bytes } => {
                out.push(Act::Datagram {
                    from: self.own_sip(),
                    to: flow.peer,
                    bytes: bytes.to_vec(),
                });
            }
            Output::Service { port, to, bytes } => {
                if !PORTS.contains(&port) {
                    self.asking = Some(port);
                }
                // Nobody answers ARP where nobody is.
                let host = IpAddr::V4(*to.address.ip());
                if to.address.port() == DISCARD && !self.hub.stations.contains_key(&host) {
                    self.told.push_back(Told::Unreachable(host));
                    return;
                }
                out.push(Act::Datagram {
                    from: SocketAddr::new(self.address.into(), port),
                    to: to.address.into(),
                    bytes: bytes.to_vec(),
                });
            }
            Output::Log(_) => {}
            Output::Trunk(TrunkOutput::Connect) => {
                if let Some(conn) = self.trunk.conn.take() {
                    out.push(Act::Close { conn });
                }
                let tag = self.tag();
                self.trunk.trying = Some(tag);
                out.push(Act::Connect { tag, to: self.sip });
            }
            Output::Trunk(TrunkOutput::Send(bytes)) => {
                if let Some(conn) = self.trunk.conn {
                    out.push(Act::Send {
                        conn,
                        piece: Piece::Bytes(bytes.to_vec()),
                    });
                }
            }
            Output::Trunk(TrunkOutput::Close) => {
                self.trunk.trying = None;
                if let Some(conn) = self.trunk.conn.take() {
                    out.push(Act::Close { conn });
                }
            }
            Output::Publish { topic, payload } => {
                if let Some(conn) = self.uplink.conn {
                    let (topic, payload) = (topic.as_str().to_owned(), payload.to_vec());
                    out.push(Act::Send {
                        conn,
                        piece: Piece::Message { topic, payload },
                    });
                }
            }
            Output::Reconnect => {
                if let Some(conn) = self.uplink.conn.take() {
                    out.push(Act::Close { conn });
                    self.told.push_back(Told::UplinkDisconnected);
                }
                self.next_uplink = now + self.rng.range(100, 1_000);
            }
            Output::Store(token, op) => {
                if self.stores.is_empty() {
                    self.store_done = now + self.rng.range(self.flash.time.0, self.flash.time.1);
                }
                self.stores.push_back((token, op));
            }
            Output::Media(MediaOutput::Play {
                player,
                to,
                prompt,
                times,
                ..
            }) => {
                self.announcements.push((now, to, prompt));
                let length =
                    u64::from(prompt.duration_ms()) * u64::from(times) + 1_000 * u64::from(times - 1);
                self.players[usize::from(player)] = Some(now + length);
            }
            Output::Tftp { to, station, bytes } => {
                if station.is_none() || station == self.hub.stations.get(&to.ip()).copied() {
                    out.push(Act::Datagram {
                        from: SocketAddr::new(self.address.into(), hub::TFTP_SECOND),
                        to,
                        bytes: bytes.to_vec(),
                    });
                }
            }
            Output::Http { connection } => self.answers.push(connection),
            Output::Lldp { port, bytes } => out.push(Hub::lldp(port, bytes)),
            Output::Line { line, order } => {
                if let Some(telephone) = self.telephones.get_mut(usize::from(line)) {
                    telephone.obey(now, order);
                }
            }
            Output::Media(MediaOutput::Hold { to, .. }) => self.held.push((now, to)),
            Output::Media(MediaOutput::Stop { player }) => self.players[usize::from(player)] = None,
            Output::Power { port, order } => {
                if let Some(pse) = &mut self.hub.pse {
                    pse.order(now, port, order);
                }
            }
        }
    }

    fn own_sip(&self) -> SocketAddr {
        SocketAddr::new(self.address.into(), SIP_PORT)
    }

    fn run_store(&mut self, now: Millis) {
        while now >= self.store_done {
            let Some((token, op)) = self.stores.pop_front() else {
                self.store_done = Millis::MAX;
                return;
            };
            let done = now_or_never(self.store.execute(token, &op));
            self.told.push_back(Told::Stored(Box::new(done)));
            self.store_done = match self.stores.is_empty() {
                true => Millis::MAX,
                false => now + self.rng.range(self.flash.time.0, self.flash.time.1),
            };
        }
    }

    fn run_players(&mut self, now: Millis) {
        for (player, end) in self.players.iter_mut().enumerate() {
            if end.is_some_and(|end| now >= end) {
                *end = None;
                self.told.push_back(Told::Played(player as u8));
            }
        }
    }

    fn run_telephones(&mut self, now: Millis) {
        let booted = self.booted;
        for (line, telephone) in self.telephones.iter_mut().enumerate() {
            while let Some(event) = telephone.poll(now) {
                let event = match event {
                    // On the box's own clock.
                    LineEvent::Circuit { at, sense } => LineEvent::Circuit {
                        at: Instant(at.as_millis().saturating_sub(booted)),
                        sense,
                    },
                    event => event,
                };
                self.told.push_back(Told::Line(line as u8, event));
            }
        }
    }

    fn run_uplink(&mut self, now: Millis, out: &mut Vec<Act>) {
        if self.uplink.conn.is_none() && self.uplink.trying.is_none() && now >= self.next_uplink {
            let tag = self.tag();
            self.uplink.trying = Some(tag);
            out.push(Act::Connect { tag, to: self.mqtt });
        }
    }
}

impl Node for DeskBox {
    fn handle(&mut self, now: Millis, arrival: Arrival) {
        match arrival {
            Arrival::Datagram { from, to, bytes } if to.port() == SIP_PORT => {
                let flow = Flow {
                    transport: Transport::Udp,
                    interface: 0,
                    stream: 0,
                    peer: from,
                    local: self.own_sip(),
                };
                self.told.push_back(Told::Datagram(flow, bytes));
            }
            Arrival::Datagram {
                from: SocketAddr::V4(from),
                to,
                ..
            } if (from.port(), to.port()) == (67, 68) => self.told.push_back(Told::DhcpServer(*from.ip())),
            Arrival::Datagram {
                from: SocketAddr::V4(from),
                to,
                bytes,
            } if PORTS.contains(&to.port()) || self.asking == Some(to.port()) => {
                let from = To {
                    interface: OFFICE,
                    address: from,
                };
                self.told.push_back(Told::Service(to.port(), from, bytes));
            }
            Arrival::Opened {
                tag,
                conn,
                local,
                peer,
            } => {
                if self.trunk.trying == Some(tag) {
                    self.trunk = Line {
                        trying: None,
                        conn: Some(conn),
                    };
                    self.told.push_back(Told::TrunkConnected(local, peer));
                } else if self.uplink.trying == Some(tag) {
                    self.uplink = Line {
                        trying: None,
                        conn: Some(conn),
                    };
                    self.told.push_back(Told::UplinkConnected);
                }
            }
            Arrival::Data {
                conn,
                piece: Piece::Bytes(bytes),
            } if self.trunk.conn == Some(conn) => {
                for chunk in bytes.chunks(CHUNK_MAX) {
                    self.told.push_back(Told::TrunkData(chunk.to_vec()));
                }
            }
            Arrival::Data {
                conn,
                piece: Piece::Message { topic, payload },
            } if self.uplink.conn == Some(conn) => {
                self.told.push_back(Told::UplinkMessage(topic, payload));
            }
            Arrival::Closed { conn, tag } => {
                let is = |line: &Line| match conn {
                    Some(_) => line.conn == conn,
                    None => line.trying == Some(tag),
                };
                if is(&self.trunk) {
                    self.trunk = Line::default();
                    self.told.push_back(Told::TrunkClosed);
                } else if is(&self.uplink) {
                    if self.uplink.conn.is_some() {
                        self.told.push_back(Told::UplinkDisconnected);
                    }
                    self.uplink = Line::default();
                    self.next_uplink = now + self.rng.range(500, 3_000);
                }
            }
            other => self.hub.handle(other),
        }
    }

    fn poll(&mut self, now: Millis, out: &mut Vec<Act>) {
        if self.life.is_none() {
            return;
        }
        self.told.extend(self.hub.told.drain(..).map(Told::Hub));
        self.run_store(now);
        self.run_players(now);
        self.run_uplink(now, out);
        self.run_telephones(now);
        let reading = self.hub.pse.as_mut().and_then(|pse| pse.poll(now));
        if let Some(reading) = reading {
            self.told.push_back(Told::Power(Box::new(reading)));
        }
        self.drain(now, out);
        while let Some(told) = self.told.pop_front() {
            self.tell(now, told);
            self.drain(now, out);
        }
        self.hub.powered(out);
    }

    fn next_deadline(&self) -> Millis {
        if self.life.is_none() {
            return Millis::MAX;
        }
        let brain = self
            .brain(|brain| brain.next_deadline())
            .flatten()
            .map_or(Millis::MAX, |at| at.as_millis().saturating_add(self.booted));
        let uplink = match (self.uplink.conn, self.uplink.trying) {
            (None, None) => self.next_uplink,
            _ => Millis::MAX,
        };
        let players = self
            .players
            .iter()
            .flatten()
            .copied()
            .min()
            .unwrap_or(Millis::MAX);
        let telephones = self.telephones.iter().map(Telephone::next_deadline);
        let telephones = telephones.min().unwrap_or(Millis::MAX);
        brain
            .min(uplink)
            .min(players)
            .min(self.store_done)
            .min(telephones)
            .min(self.hub.next_deadline())
    }

    fn power_off(&mut self, _now: Millis) {
        // The operation under way is torn at some word, or was just not begun.
        if let Some((token, op)) = self.stores.pop_front()
            && self.rng.chance(600)
        {
            let torn = self.rng.pick(&[Torn::Unreadable, Torn::Random]);
            self.store.flash().cut_after(self.rng.range(0, 40), torn);
            let _ = now_or_never(self.store.execute(token, &op));
        }
        let mut flash = std::mem::replace(self.store.flash(), Nor::new(Vec::new()));
        flash.restore();
        self.store = Store::new(flash);
        self.life = None;
        self.told.clear();
        self.stores.clear();
        self.store_done = Millis::MAX;
        self.trunk = Line::default();
        self.uplink = Line::default();
        self.players = [None; PLAYERS];
        self.telephones.iter_mut().for_each(Telephone::power_off);
        self.answers.clear();
        self.hub.power_off();
    }

    fn power_on(&mut self, now: Millis) {
        self.booted = now;
        self.next_uplink = now + self.rng.range(100, 1_000);
        self.boots += 1;
        let mut image = [0; MAX_FACTORY];
        let start = map::FACTORY.start as usize;
        image.copy_from_slice(&self.store.flash().bytes()[start..start + MAX_FACTORY]);
        let factory = Factory::decode(&image).expect("the factory data is never written");
        let mut seed = [0; 32];
        for word in seed.chunks_mut(8) {
            word.copy_from_slice(&self.rng.next().to_le_bytes());
        }
        let mut life = Life::new(MutBorrow::new(Box::new(BoxStorage::new())), |room| {
            Gateway::new(room.borrow_mut().lend(), factory, seed)
        });
        let boot = Boot {
            first: self.rng.next() as u32 >> 1,
            reason: BootReason::PowerOn,
            panic: None,
        };
        let Self { store, subnet, .. } = self;
        let loaded = life.with_dependent_mut(|_, brain| {
            let loaded = now_or_never(brain.start(Instant::ZERO, store, boot, |_, _| {}));
            brain.handle(Instant::ZERO, Input::Network(Network::Up(subnet.clone())));
            loaded
        });
        let loaded = loaded.expect("the store can always be read");
        self.queued_at_boot.push(loaded.queued);
        if self.hub.pse.is_some() {
            life.with_dependent_mut(|_, brain| {
                brain.handle(Instant::ZERO, Input::Hub { mac: hub::MAC });
                for port in 0..HUB_PORTS as u8 {
                    let link = shared::hub::Link::Mbps100;
                    brain.handle(Instant::ZERO, Input::Link { port, link });
                }
            });
        }
        // The circuit says how it finds the loops.
        for (line, telephone) in self.telephones.iter().enumerate() {
            let (at, closed) = (Instant::ZERO, telephone.is_lifted());
            let sense = Sense::Loop { closed };
            let event = LineEvent::Circuit { at, sense };
            self.told.push_back(Told::Line(line as u8, event));
        }
        self.life = Some(life);
    }
}
