//! The cloud's call engine without I/O: boxes register their trunks, phones themselves while their box is away, and calls go
//! between them and the carrier.
//!
//! ```text
//! handle(now, Input)     a message, a closed connection, another directory
//! poll(now, buffer)      until None: what to send, records to keep, who came and went
//! next_deadline()        when to poll again at the latest
//! ```
//!
//! Who may call where is decided here (`route`); how a call is carried on is `sip::b2bua`'s business. Sockets, ports
//! and the clock are the caller's: the server runs it, and so does the simulation.

mod bridge;
mod directory;
mod limit;
mod receive;
mod record;
mod registrar;
mod route;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use shared::channels::{self, Use};
use shared::guard::Guard;
use shared::record::{CallLeg, Stamp};
use shared::{BoxId, ContractId, IdKey, Number, SessionId};
use sip::b2bua::{self, Calls, Cause};
use sip::digest::{Nonces, Used};
use sip::pool::Key;
use sip::transaction::Timers;
use sip::{Flow, Instant, Transport};

use bridge::Bridge;
use limit::Limiter;
use record::{Meta, Rings};
use registrar::{Registration, Stream};

pub use bridge::Relays;
pub use directory::{Account, Directory, Line, Office, Peer};
pub use record::Kind;
pub(crate) use route::caller;

/// Server and User-Agent.
const AGENT: &str = concat!("denwaban-cloud/", env!("CARGO_PKG_VERSION"));
/// Room for the largest answer made without a transaction: the request's own header lines and some more.
const ANSWER_MAX: usize = 12_288;
/// Calls for which room is kept beyond [`Config::calls`]: emergencies.
const RESERVED: usize = 64;
/// Blocks of texts a call, 3,072 bytes: of carriers' messages some 30.
const BLOCKS: usize = 48;
/// A buffer of this size holds every message that is sent.
pub const MESSAGE_MAX: usize = 16_384;

/// What the engine is told once.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Where SIP is listened to, as others reach it.
    pub sip: SocketAddr,
    /// The carrier's trunk, by UDP. What comes from its address is the carrier's.
    pub carrier: SocketAddr,
    /// A registered connection that brings nothing for so long is lost. [`Duration::MAX`] where the caller answers pings
    /// by itself and closes silent connections.
    pub silence: Duration,
    /// Most calls at once, up to 100,000; for emergency calls there is some more room.
    pub calls: usize,
    /// Most connections at once.
    pub connections: usize,
}

impl Config {
    /// With 15 s of silence, 10,000 calls and 10,000 connections.
    pub const fn new(sip: SocketAddr, carrier: SocketAddr) -> Self {
        Self {
            sip,
            carrier,
            silence: Duration::from_secs(15),
            calls: 10_000,
            connections: 10_000,
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came.
    Datagram {
        /// Its way.
        flow: Flow,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A whole message came on a connection that the peer opened.
    Message {
        /// The connection.
        flow: Flow,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A keep-alive came on a connection, which is answered (CRLF CRLF, RFC 5626 §4.4.1).
    Ping {
        /// The connection.
        flow: Flow,
    },
    /// A sign of life came on a connection that is not answered.
    Pong {
        /// The connection.
        flow: Flow,
    },
    /// A connection is closed.
    StreamClosed {
        /// The connection.
        flow: Flow,
    },
    /// What the contracts say now.
    Directory(Box<Directory>),
    /// An announcement that [`Relays::play`] began is over.
    Played {
        /// The call's number there.
        call: u32,
    },
    /// The wall clock, for the times in records; milliseconds since 1970 (UTC).
    WallClock {
        /// Now.
        unix_ms: u64,
    },
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Output<'b> {
    /// Send this.
    Transmit {
        /// Where.
        flow: Flow,
        /// What.
        bytes: &'b [u8],
    },
    /// Close this connection. No [`Input::StreamClosed`] is needed for it.
    CloseStream {
        /// The connection.
        flow: Flow,
    },
    /// A leg of a call is over: to be kept, exactly once.
    Record {
        /// Whose.
        contract: ContractId,
        /// What is known of it.
        leg: CallLeg,
    },
    /// A box's trunk or a phone came, or went.
    Registration {
        /// Who.
        peer: Peer,
        /// Its user name.
        user: String,
        /// Where it is registered now.
        contact: Option<String>,
    },
}

/// A call that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its name on all its legs.
    pub session: SessionId,
    /// Whose it is.
    pub contract: ContractId,
    /// Between whom.
    pub kind: Kind,
    /// The caller, as received.
    pub from: String,
    /// What was called, as received.
    pub to: String,
    /// The number presented to the called side.
    pub presented: Option<Number>,
    /// The ID whose terminal calls, if it is one of the contract.
    pub terminal: Option<IdKey>,
    /// The channels it holds (R15).
    pub uses: Use,
    /// When it came.
    pub started: Instant,
    /// Somebody's phone rings.
    pub ringing: bool,
    /// It is answered.
    pub answered: bool,
}

/// A registered trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The box.
    pub id: BoxId,
    /// The address it is heard from.
    pub peer: SocketAddr,
    /// Its Contact, `host:port`.
    pub contact: String,
    /// How often it had started.
    pub boot: u32,
    /// When it registered on this connection.
    pub since: Instant,
    /// When the registration ends unless refreshed.
    pub expires: Instant,
}

/// A phone that is registered here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheltered {
    /// The ID it has.
    pub line: Line,
    /// The way it is heard and called by.
    pub flow: Flow,
    /// The URI of its Contact.
    pub contact: String,
    /// When it registered by this way.
    pub since: Instant,
    /// When the registration ends unless refreshed.
    pub expires: Instant,
}

/// Counted oddities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams of nobody known that register nothing.
    pub foreign: u64,
    /// What could not be read as SIP.
    pub malformed: u64,
    /// Requests on a connection that had to register first.
    pub unregistered: u64,
    /// Wrong passwords and unknown boxes and phones.
    pub refused: u64,
    /// Phones that wanted to register while their box is there.
    pub sent_home: u64,
    /// Requests of an address that asked too often.
    pub limited: u64,
    /// Calls refused for want of a channel (R15).
    pub channels: u64,
    /// Calls refused for want of relay ports.
    pub ports: u64,
    /// Connections that were silent, too slow or too many.
    pub closed: u64,
    /// Messages for connections that are gone.
    pub undelivered: u64,
}

enum Queued {
    Send { flow: Flow, bytes: Vec<u8> },
    Close(Flow),
    Record(ContractId, Box<CallLeg>),
    Registration(Peer, String, Option<String>),
}

/// The engine. `R` runs the media relays.
pub struct Pbx<R> {
    config: Config,
    calls: Calls<'static, Meta>,
    media: Bridge<R>,
    directory: Box<Directory>,
    nonces: Nonces<Vec<Used>>,
    streams: HashMap<Flow, Stream>,
    registrations: HashMap<Peer, Registration>,
    /// Who is registered by which way.
    ways: HashMap<Flow, Vec<Peer>>,
    limiter: Limiter,
    /// Who called 110, 118 or 119 a short while ago.
    guards: HashMap<ContractId, Guard>,
    out: VecDeque<Queued>,
    /// Nothing of a connection or registration is due earlier.
    earliest: Instant,
    random: u64,
    wall: Option<(Instant, u64)>,
    stopping: bool,
    counters: Counters,
}

impl<R: Relays> Pbx<R> {
    /// No trunk, no call, nobody known. `seed` is fresh randomness.
    pub fn new(config: Config, relays: R, seed: [u64; 5]) -> Self {
        let [a, b, c, d, random] = seed;
        let room = config.calls.saturating_add(RESERVED);
        let storage = b2bua::Storage::growable(
            room.saturating_mul(8),
            room,
            room.saturating_mul(4),
            room.saturating_mul(BLOCKS),
        );
        let settings = b2bua::Config {
            agent: AGENT,
            probe: Duration::from_secs(60),
            timers: Timers::default(),
            // Phones have their transfers from their boxes, and carriers none: 405.
            transfers: false,
        };
        let mut calls = Calls::new(storage, [a, b], settings);
        calls.reserve(RESERVED, 4 * RESERVED, BLOCKS * RESERVED);
        Self {
            config,
            calls,
            media: Bridge::new(relays),
            directory: Box::default(),
            // Whoever refreshes is challenged anew: few nonces live at once.
            nonces: Nonces::new(vec![Used::NONE; 16_384], [c, d], Duration::from_secs(120)),
            streams: HashMap::new(),
            registrations: HashMap::new(),
            ways: HashMap::new(),
            limiter: Limiter::default(),
            guards: HashMap::new(),
            out: VecDeque::new(),
            earliest: Instant::NEVER,
            random,
            wall: None,
            stopping: false,
            counters: Counters::default(),
        }
    }

    /// Takes what happened. [`Pbx::poll`] is to be called until `None` after each.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Datagram { flow, bytes } => self.on_datagram(now, flow, bytes),
            Input::Message { flow, bytes } => {
                if self.hears(now, flow) {
                    self.on_message(now, flow, bytes);
                }
            }
            Input::Ping { flow } => {
                if self.hears(now, flow) {
                    let bytes = b"\r\n".to_vec();
                    self.out.push_back(Queued::Send { flow, bytes });
                }
            }
            Input::Pong { flow } => _ = self.hears(now, flow),
            Input::StreamClosed { flow } => self.on_closed(now, flow),
            Input::Directory(directory) => {
                let before = std::mem::replace(&mut self.directory, directory);
                self.on_directory(now, &before);
            }
            Input::Played { call } => self.on_played(now, Key::from_bits(call)),
            Input::WallClock { unix_ms } => self.wall = Some((now, unix_ms)),
        }
    }

    /// The next thing to be done. `buffer` takes one message: [`MESSAGE_MAX`] bytes.
    pub fn poll<'b>(&mut self, now: Instant, buffer: &'b mut [u8]) -> Option<Output<'b>> {
        let (flow, len) = loop {
            if let Some(queued) = self.out.pop_front() {
                match queued {
                    Queued::Close(flow) => return Some(Output::CloseStream { flow }),
                    Queued::Record(contract, leg) => return Some(Output::Record { contract, leg: *leg }),
                    Queued::Registration(peer, user, contact) => {
                        return Some(Output::Registration { peer, user, contact });
                    }
                    Queued::Send { flow, bytes } => match buffer.get_mut(..bytes.len()) {
                        Some(room) if self.reaches(&flow) => {
                            room.copy_from_slice(&bytes);
                            break (flow, bytes.len());
                        }
                        _ => self.counters.undelivered += 1,
                    },
                }
                continue;
            }
            match self.calls.poll(now, buffer) {
                Some(b2bua::Output::Transmit { flow, len }) if self.reaches(&flow) => {
                    break (self.towards(flow, buffer), len);
                }
                Some(b2bua::Output::Transmit { .. }) => self.counters.undelivered += 1,
                Some(b2bua::Output::Event(event)) => self.on_event(now, event),
                None if now >= self.earliest => self.tick(now),
                None => return None,
            }
        };
        buffer.get(..len).map(|bytes| Output::Transmit { flow, bytes })
    }

    /// When [`Pbx::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let own = self.earliest;
        let next = self.calls.next_deadline().map_or(own, |calls| calls.min(own));
        (next != Instant::NEVER).then_some(next)
    }

    /// The server stops: all calls are ended, and no new one is taken.
    pub fn release_all(&mut self, now: Instant) {
        self.stopping = true;
        let calls: Vec<_> = self.calls.iter().map(|(call, ..)| call).collect();
        for call in calls {
            self.calls.release(now, call, Some(Cause::OUT_OF_ORDER));
        }
    }

    /// The calls that are not over.
    pub fn live(&self) -> impl Iterator<Item = Live> {
        self.calls.iter().map(|(_, meta, answered)| Live {
            session: meta.session,
            contract: meta.contract,
            kind: meta.kind,
            from: meta.from.to_string(),
            to: meta.to.to_string(),
            presented: meta.presented,
            terminal: meta.caller,
            uses: meta.uses,
            started: Instant::from_millis(meta.started.mono),
            ringing: meta.ringing.is_some() && !answered,
            answered,
        })
    }

    /// The trunks that can be called.
    pub fn trunks(&self) -> impl Iterator<Item = Registered> {
        self.registered().filter_map(|(peer, way)| match peer {
            Peer::Box(id) => Some(Registered {
                id,
                peer: way.flow.peer,
                contact: way.contact.clone(),
                boot: way.boot(),
                since: way.since,
                expires: way.expires,
            }),
            Peer::Phone(_) => None,
        })
    }

    /// The phones that are registered here.
    pub fn phones(&self) -> impl Iterator<Item = Sheltered> {
        self.registered().filter_map(|(peer, way)| match peer {
            Peer::Phone(line) => Some(Sheltered {
                line,
                flow: way.flow,
                contact: way.contact.clone(),
                since: way.since,
                expires: way.expires,
            }),
            Peer::Box(_) => None,
        })
    }

    fn registered(&self) -> impl Iterator<Item = (Peer, &Registration)> {
        let there = self.registrations.iter().filter(|(_, way)| way.is_there());
        there.map(|(peer, way)| (*peer, way))
    }

    /// Calls with the outside that a contract has now (R15).
    pub fn channels_used(&self, contract: ContractId) -> usize {
        channels::used(self.uses(contract))
    }

    fn uses(&self, contract: ContractId) -> Vec<Use> {
        let mine = self.calls.iter().filter(|(_, meta, _)| meta.contract == contract);
        mine.map(|(_, meta, _)| meta.uses).collect()
    }

    /// What must be zero when nothing goes on: the room of calls, and relays.
    pub fn usage(&self) -> (b2bua::Usage, usize) {
        (self.calls.usage(), self.media.len())
    }

    /// What runs the media relays.
    pub fn relays_mut(&mut self) -> &mut R {
        &mut self.media.relays
    }

    /// Counted oddities.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Counted oddities of the calls.
    pub fn call_counters(&self) -> b2bua::Counters {
        self.calls.counters()
    }

    fn close(&mut self, flow: Flow) {
        if self.streams.remove(&flow).is_some() {
            self.counters.closed += 1;
            self.out.push_back(Queued::Close(flow));
        }
    }

    fn reaches(&self, flow: &Flow) -> bool {
        flow.transport == Transport::Udp || self.streams.contains_key(flow)
    }

    /// The carrier may send from other ports than it listens on: requests go to its trunk address all the same.
    fn towards(&self, flow: Flow, message: &[u8]) -> Flow {
        if self.is_carrier(&flow) && !message.starts_with(b"SIP/2.0 ") {
            Flow {
                peer: self.config.carrier,
                ..flow
            }
        } else {
            flow
        }
    }

    fn stamp(&self, now: Instant) -> Stamp {
        let since = |(at, unix): (Instant, u64)| unix + (now - at).as_millis() as u64;
        Stamp {
            mono: now.as_millis(),
            unix: self.wall.map(since),
        }
    }

    /// SplitMix64: names and tags need to be unique; what must not be guessed comes from keyed hashes.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn new_session(&mut self) -> SessionId {
        let (high, low) = (self.random(), self.random());
        let bits = u128::from(high) << 64 | u128::from(low);
        SessionId::from_random(bits.to_be_bytes())
    }

    fn carrier_flow(&self) -> Flow {
        Flow {
            transport: Transport::Udp,
            interface: 0,
            stream: 0,
            peer: self.config.carrier,
            local: self.config.sip,
        }
    }
}
