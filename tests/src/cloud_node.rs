//! The cloud: the real synchronisation and call engines, with the broker and the database of a simulation around them.

mod database;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use cloud::pbx::{self, Account, Directory, Pbx, Relays};
use cloud::sync::{Engine, Outgoing, SyncError};
use ed25519_dalek::SigningKey;
use media::relay::{Guard, Relay, Remote, Side};
use shared::factory::Factory;
use shared::id::{BoxId, ContractId, IdKey};
use shared::record::CallLeg;
use shared::site::Site;
use shared::sync::{BatchReader, EventBody, HubOrder, PhoneSecret, RawEvent, Topic, Up};
use sip::digest::Ha1;
use sip::{Flow, Frame, Framer, Instant, Transport};

pub use database::{Database, Down};

use crate::desk_box::now_or_never;
use crate::network::{Act, Arrival, Conn, Millis, Piece};
use crate::office::REALM;
use crate::rng::Rng;
use crate::world::Node;

/// Wall clock at time zero, milliseconds since 1970.
pub const EPOCH: u64 = 1_800_000_000_000;

/// The media relays: the real latching logic, ports of a simulation.
#[derive(Default)]
pub struct Ports {
    ip: Option<IpAddr>,
    open: BTreeMap<u32, (u16, Relay)>,
    taken: BTreeSet<u16>,
    /// What the engine did that it must not.
    pub problems: Vec<String>,
}

/// First port of the relays; each call takes four.
const FIRST_PORT: u16 = 20_000;

impl Relays for Ports {
    fn open(&mut self, call: u32) -> Option<[SocketAddr; 2]> {
        let port = (FIRST_PORT..)
            .step_by(4)
            .take(1_000)
            .find(|port| !self.taken.contains(port))?;
        self.taken.insert(port);
        if self
            .open
            .insert(call, (port, Relay::new(Guard::Any, Guard::Any)))
            .is_some()
        {
            self.problems.push(format!("relay of call {call} opened twice"));
        }
        let ip = self.ip?;
        Some([SocketAddr::new(ip, port), SocketAddr::new(ip, port + 2)])
    }

    fn remote(&mut self, call: u32, side: Side, remote: Remote, signalling: IpAddr) {
        match self.open.get_mut(&call) {
            Some((_, relay)) => {
                relay.set_guard(side, Guard::Ip(signalling));
                relay.set_remote(side, remote);
            }
            None => self.problems.push(format!("relay of call {call} is not open")),
        }
    }

    fn close(&mut self, call: u32) {
        match self.open.remove(&call) {
            Some((port, _)) => {
                self.taken.remove(&port);
            }
            None => self.problems.push(format!("relay of call {call} closed twice")),
        }
    }
}

impl Ports {
    /// Relays in use.
    pub fn in_use(&self) -> usize {
        self.open.len()
    }
}

/// The process, from start to end.
struct Process {
    engine: Engine<Database>,
    pbx: Pbx<Ports>,
    /// Broker connections, by box where it is known.
    brokered: BTreeMap<Conn, Option<BoxId>>,
    /// The connection each box was last heard on.
    current: BTreeMap<BoxId, Conn>,
    flows: HashMap<Flow, Conn>,
    streams: BTreeMap<Conn, Flow>,
}

/// Largest SIP message of a connection, bytes.
const SIP_MAX: usize = 8_192;

/// The cloud.
pub struct CloudNode {
    sip: SocketAddr,
    mqtt: SocketAddr,
    carrier: SocketAddr,
    database: Database,
    key: SigningKey,
    sites: Vec<(Factory, Site)>,
    /// Claim and serial of the password that each phone was given last.
    secrets: BTreeMap<(BoxId, IdKey), (u16, u32)>,
    process: Option<Process>,
    /// What came of SIP connections and is no whole message yet.
    framers: HashMap<Conn, Framer<Vec<u8>>>,
    started: Millis,
    rng: Rng,
    out: Vec<Act>,
    buffer: Vec<u8>,
    /// Records of calls, as they would go to the database.
    pub records: Vec<(ContractId, CallLeg)>,
    /// Messages that could not be handled because the database failed.
    pub failures: u64,
    /// What it did that it must not.
    pub problems: Vec<String>,
}

impl CloudNode {
    /// A cloud with these boxes and their sites, not yet running.
    pub fn new(
        address: IpAddr,
        carrier: SocketAddr,
        key: SigningKey,
        sites: Vec<(Factory, Site)>,
        mut rng: Rng,
    ) -> Self {
        CloudNode {
            sip: SocketAddr::new(address, 5_060),
            mqtt: SocketAddr::new(address, 1_883),
            carrier,
            database: Database::new(rng.split()),
            key,
            sites,
            secrets: BTreeMap::new(),
            process: None,
            framers: HashMap::new(),
            started: 0,
            rng,
            out: Vec::new(),
            buffer: vec![0; pbx::MESSAGE_MAX],
            records: Vec::new(),
            failures: 0,
            problems: Vec::new(),
        }
    }

    /// What is in the database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The call engine, while the process runs.
    pub fn pbx(&self) -> Option<&Pbx<Ports>> {
        self.process.as_ref().map(|process| &process.pbx)
    }

    /// The relays, while the process runs.
    pub fn ports(&mut self) -> Option<&mut Ports> {
        self.process.as_mut().map(|process| process.pbx.relays_mut())
    }

    /// Has a port with power or a phone of a box do something, as an administrator does; lost if the box is away.
    pub fn order(&mut self, id: BoxId, order: &HubOrder) {
        let Some(process) = &self.process else { return };
        match process.engine.hub(id, order) {
            Ok(outgoing) => self.publish(outgoing),
            Err(error) => self.problems.push(format!("order not sent: {error}")),
        }
    }

    fn clock(&self, now: Millis) -> Instant {
        Instant::from_millis(now - self.started)
    }

    /// Changes the site of a box, as an administrator does.
    pub fn configure(&mut self, now: Millis, id: BoxId, site: Site) {
        if let Some((_, known)) = self.sites.iter_mut().find(|(factory, _)| factory.box_id == id) {
            *known = site;
        }
        self.offer(now);
    }

    /// Gives the engine the sites that may have changed.
    fn offer(&mut self, now: Millis) {
        let Some(process) = &mut self.process else { return };
        let mut outgoing = Vec::new();
        for (factory, site) in &self.sites {
            match now_or_never(process.engine.configure(EPOCH + now, factory.box_id, site)) {
                Ok((_, more)) => outgoing.extend(more),
                Err(SyncError::Store(Down)) => self.failures += 1,
                Err(error) => self.problems.push(format!("site not issued: {error}")),
            }
        }
        self.publish(outgoing);
        let directory = self.directory();
        let clock = self.clock(now);
        if let Some(process) = &mut self.process {
            process
                .pbx
                .handle(clock, pbx::Input::Directory(Box::new(directory)));
        }
    }

    fn directory(&self) -> Directory {
        // Any site's configuration has the whole contract, and the passwords of its own phones.
        let secrets: HashMap<_, _> = self
            .sites
            .iter()
            .flat_map(|(_, site)| pbx::Office::from(site.clone()).secrets)
            .collect();
        let offices = self.sites.iter().map(|(_, site)| pbx::Office {
            secrets: secrets.clone(),
            ..site.clone().into()
        });
        let accounts = self.sites.iter().map(|(factory, site)| {
            let id = factory.box_id.text();
            let ha1 = Ha1::from_password(id.as_bytes(), REALM.as_bytes(), factory.password().as_bytes());
            Account {
                id: factory.box_id,
                contract: site.sys.contract,
                site: site.sys.site,
                ha1,
            }
        });
        Directory::new(REALM, offices, accounts.collect::<Vec<_>>())
    }

    fn publish(&mut self, outgoing: Vec<Outgoing>) {
        let Some(process) = &self.process else { return };
        for Outgoing { topic, payload } in outgoing {
            let Topic::Down(to, _) = topic else { continue };
            // The broker drops what is for a box that is not there.
            if let Some(&conn) = process.current.get(&to) {
                let topic = topic.name().as_str().to_owned();
                self.out.push(Act::Send {
                    conn,
                    piece: Piece::Message {
                        topic: topic.clone(),
                        payload: payload.clone(),
                    },
                });
                // Delivery at least once.
                if self.rng.chance(20) {
                    self.out.push(Act::Send {
                        conn,
                        piece: Piece::Message { topic, payload },
                    });
                }
            }
        }
    }

    fn message(&mut self, now: Millis, conn: Conn, topic: &str, payload: &[u8]) {
        let Some(process) = &mut self.process else { return };
        if let Some(Topic::Up(from, _)) = Topic::parse(topic)
            && let Some(known) = process.brokered.get_mut(&conn)
        {
            *known = Some(from);
            // A box that connects anew takes the place of its old connection (MQTT 5 §3.1.4).
            if let Some(old) = process.current.insert(from, conn).filter(|old| *old != conn) {
                self.out.push(Act::Close { conn: old });
                process.brokered.remove(&old);
            }
        }
        match now_or_never(process.engine.message(EPOCH + now, topic, payload)) {
            Ok(outgoing) => {
                self.publish(outgoing);
                if let Some(Topic::Up(from, Up::Events)) = Topic::parse(topic) {
                    self.secrets(now, from, payload);
                }
            }
            Err(_) => self.failures += 1,
        }
    }

    /// Passwords that a box gave its phones become those of their IDs, as in the database of the real cloud.
    fn secrets(&mut self, now: Millis, from: BoxId, batch: &[u8]) {
        let events = BatchReader::new(batch).into_iter().flatten().flatten();
        let mut changed = false;
        for body in events.filter_map(|raw: RawEvent<'_>| Some(raw.decode().ok()?.body)) {
            if let EventBody::PhoneSecret(secret) = body {
                changed |= self.secret(from, &secret);
            }
        }
        if changed {
            self.offer(now);
        }
    }

    fn secret(&mut self, from: BoxId, secret: &PhoneSecret) -> bool {
        let mut sites = self.sites.iter_mut();
        let Some((_, site)) = sites.find(|(factory, _)| factory.box_id == from) else {
            return false;
        };
        let claim = site.id(secret.key).and_then(|id| Some(id.phone?.claim));
        let number = (secret.claim, secret.serial);
        let last = self.secrets.get(&(from, secret.key));
        if claim != Some(secret.claim) || last.is_some_and(|last| *last >= number) {
            return false;
        }
        let mut credentials = site.credentials.iter_mut();
        let Some(credential) = credentials.find(|credential| credential.key == secret.key) else {
            return false;
        };
        (credential.ha1_md5, credential.ha1_sha256) = (secret.ha1_md5, secret.ha1_sha256);
        self.secrets.insert((from, secret.key), number);
        true
    }

    /// Bytes of a SIP connection, cut anywhere.
    fn received(&mut self, now: Millis, conn: Conn, flow: Flow, mut bytes: &[u8]) {
        let clock = self.clock(now);
        let new = || Framer::accepted(vec![0; SIP_MAX]);
        let mut framer = self.framers.remove(&conn).unwrap_or_else(new);
        while !bytes.is_empty() {
            let taken = framer.push(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            while let Some(frame) = framer.next() {
                let Some(process) = &mut self.process else { return };
                let input = match frame {
                    Ok(Frame::Message(bytes)) => pbx::Input::Message { flow, bytes },
                    Ok(Frame::Ping) => pbx::Input::Ping { flow },
                    Ok(Frame::Pong) => pbx::Input::Pong { flow },
                    Err(_) => {
                        self.out.push(Act::Close { conn });
                        return self.closed(now, conn);
                    }
                };
                process.pbx.handle(clock, input);
                // All that one message causes before the next.
                self.drain(now);
            }
        }
        self.framers.insert(conn, framer);
    }

    fn closed(&mut self, now: Millis, conn: Conn) {
        self.framers.remove(&conn);
        let clock = self.clock(now);
        let Some(process) = &mut self.process else { return };
        if let Some(flow) = process.streams.remove(&conn) {
            process.flows.remove(&flow);
            process.pbx.handle(clock, pbx::Input::StreamClosed { flow });
        }
        if let Some(Some(id)) = process.brokered.remove(&conn)
            && process.current.get(&id) == Some(&conn)
        {
            process.current.remove(&id);
            if now_or_never(process.engine.disconnected(id)).is_err() {
                self.failures += 1;
            }
        }
    }

    fn drain(&mut self, now: Millis) {
        let clock = self.clock(now);
        let Some(process) = &mut self.process else { return };
        while let Some(output) = process.pbx.poll(clock, &mut self.buffer) {
            match output {
                pbx::Output::Transmit { flow, bytes } if flow.transport == Transport::Udp => {
                    self.out.push(Act::Datagram {
                        from: self.sip,
                        to: flow.peer,
                        bytes: bytes.to_vec(),
                    });
                }
                pbx::Output::Transmit { flow, bytes } => match process.flows.get(&flow) {
                    Some(&conn) => self.out.push(Act::Send {
                        conn,
                        piece: Piece::Bytes(bytes.to_vec()),
                    }),
                    None => self
                        .problems
                        .push(format!("sent on a connection that is gone, at {now}")),
                },
                pbx::Output::CloseStream { flow } => {
                    if let Some(conn) = process.flows.remove(&flow) {
                        process.streams.remove(&conn);
                        self.out.push(Act::Close { conn });
                    }
                }
                pbx::Output::Record { contract, leg } => self.records.push((contract, leg)),
                pbx::Output::Registration { .. } => {}
            }
        }
    }
}

impl Node for CloudNode {
    fn handle(&mut self, now: Millis, arrival: Arrival) {
        let clock = self.clock(now);
        match arrival {
            Arrival::Datagram { from, to, bytes } => {
                let flow = Flow {
                    transport: Transport::Udp,
                    interface: 0,
                    stream: 0,
                    peer: from,
                    local: to,
                };
                if let Some(process) = &mut self.process {
                    process
                        .pbx
                        .handle(clock, pbx::Input::Datagram { flow, bytes: &bytes });
                }
            }
            Arrival::Accepted { conn, local, peer } => {
                let Some(process) = &mut self.process else { return };
                if local == self.mqtt {
                    process.brokered.insert(conn, None);
                } else {
                    let flow = Flow {
                        transport: Transport::Tcp,
                        interface: 0,
                        stream: conn as u16,
                        peer,
                        local,
                    };
                    process.flows.insert(flow, conn);
                    process.streams.insert(conn, flow);
                }
            }
            Arrival::Data {
                conn,
                piece: Piece::Bytes(bytes),
            } => {
                if let Some(process) = &mut self.process
                    && let Some(&flow) = process.streams.get(&conn)
                {
                    self.received(now, conn, flow, &bytes);
                }
            }
            Arrival::Data {
                conn,
                piece: Piece::Message { topic, payload },
            } => {
                self.message(now, conn, &topic, &payload);
                if self.rng.chance(20) {
                    self.message(now, conn, &topic, &payload);
                }
            }
            Arrival::Closed { conn: Some(conn), .. } => self.closed(now, conn),
            _ => {}
        }
        self.drain(now);
    }

    fn poll(&mut self, now: Millis, out: &mut Vec<Act>) {
        if let Some(process) = &mut self.process
            && process.engine.next_deadline().is_some_and(|at| at <= EPOCH + now)
        {
            match now_or_never(process.engine.tick(EPOCH + now)) {
                Ok(outgoing) => self.publish(outgoing),
                Err(_) => self.failures += 1,
            }
        }
        self.drain(now);
        out.append(&mut self.out);
    }

    fn next_deadline(&self) -> Millis {
        let Some(process) = &self.process else {
            return Millis::MAX;
        };
        let pbx = process
            .pbx
            .next_deadline()
            .map_or(Millis::MAX, |at| at.as_millis().saturating_add(self.started));
        let engine = process
            .engine
            .next_deadline()
            .map_or(Millis::MAX, |at| at.saturating_sub(EPOCH));
        pbx.min(engine)
    }

    fn power_off(&mut self, _now: Millis) {
        self.process = None;
        self.out.clear();
    }

    fn power_on(&mut self, now: Millis) {
        self.started = now;
        let config = pbx::Config {
            silence: Duration::from_secs(15),
            ..pbx::Config::new(self.sip, self.carrier)
        };
        let ports = Ports {
            ip: Some(self.sip.ip()),
            ..Ports::default()
        };
        let seed = std::array::from_fn(|_| self.rng.next());
        let mut pbx = Pbx::new(config, ports, seed);
        pbx.handle(Instant::ZERO, pbx::Input::WallClock { unix_ms: EPOCH + now });
        self.process = Some(Process {
            engine: Engine::new(self.database.clone(), self.key.clone(), 1),
            pbx,
            brokered: BTreeMap::new(),
            current: BTreeMap::new(),
            flows: HashMap::new(),
            streams: BTreeMap::new(),
        });
        self.offer(now);
    }
}
