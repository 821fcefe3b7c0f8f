//! The box's brain: everything it decides, nothing it does.
//!
//! [`Gateway`] takes what happened ([`Input`]) and the time, and gives what to do ([`Output`]). It has no socket, no clock, no
//! heap and no randomness of its own: the microcontroller, the Linux program and the simulation drive the same code. See the
//! folder's README for a map.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod budget;
mod calls;
mod io;
pub mod link;
pub mod registrar;
pub mod storage;
pub mod store;
pub mod trunk;
pub mod uplink;

use core::net::Ipv4Addr;
use core::time::Duration;

use shared::factory::Factory;
use shared::id::{IdKey, SessionId};
use shared::record::Stamp;
use shared::site::Site;
use shared::sync::{Alarm, EventBody};
use sip::b2bua::{self, Calls, Receive};
use sip::transaction::Timers;
use sip::{Flow, Instant, Message, Method, Name, Writer, write_response_head};

pub use calls::Meta;
pub use io::{Boot, Input, MediaOutput, Network, Output, TrunkInput, TrunkOutput, UplinkInput};
pub use storage::Storage;

use link::{HOLD_OUT, Link, Mode};
use registrar::Registrar;
use trunk::{Change, Do, Trunk};
use uplink::Uplink;

/// What the box calls itself.
pub const AGENT: &str = concat!("Denwaban/", env!("CARGO_PKG_VERSION"));

/// How often the other end of a silent dialog is asked whether it is still there.
const PROBE: Duration = Duration::from_secs(60);

const REPLY_MAX: usize = 2_048;

/// Counted drops and refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that could not be read and could not be answered.
    pub unreadable: u32,
    /// Unreadable requests that got their answer.
    pub faulty: u32,
    /// Keep-alives.
    pub keep_alives: u32,
    /// Answers that did not fit.
    pub overflow: u32,
    /// Orders to the players that were lost.
    pub media: u32,
}

/// The box.
pub struct Gateway<'s> {
    pub(crate) calls: Calls<'s, Meta>,
    pub(crate) registrar: Registrar<'s>,
    pub(crate) site: Site,
    pub(crate) trunk: Trunk<'s>,
    pub(crate) link: Link,
    uplink: Uplink<'s>,
    factory: Factory,
    pub(crate) address: Option<Ipv4Addr>,
    media: heapless::Deque<MediaOutput, 16>,
    reply: heapless::Vec<u8, REPLY_MAX>,
    reply_to: Option<Flow>,
    /// The flow that dialogs over the trunk were last on.
    trunk_flow: Option<Flow>,
    clock: Option<(Instant, u64)>,
    random: u64,
    counters: Counters,
}

impl<'s> Gateway<'s> {
    /// A box that has just been switched on. `seed` is fresh randomness of this start.
    pub fn new(storage: Storage<'s>, factory: Factory, seed: [u8; 32]) -> Self {
        let word = |at: usize| {
            let mut bytes = [0; 8];
            for (to, from) in bytes.iter_mut().zip(seed.iter().skip(8 * at)) {
                *to = *from;
            }
            u64::from_le_bytes(bytes)
        };
        let config = b2bua::Config { agent: AGENT, probe: PROBE, timers: Timers::default() };
        let storage::Storage { calls, bindings, trunk, uplink } = storage;
        Self {
            calls: Calls::new(calls, [word(0), word(1)], config),
            registrar: Registrar::new(bindings, [word(1), word(2)]),
            site: Site::default(),
            trunk: Trunk::new(trunk, word(3)),
            link: Link::new(),
            uplink: Uplink::new(uplink, &factory),
            factory,
            address: None,
            media: heapless::Deque::new(),
            reply: heapless::Vec::new(),
            reply_to: None,
            trunk_flow: None,
            clock: None,
            random: word(2) ^ word(3).rotate_left(17),
            counters: Counters::default(),
        }
    }

    /// Takes what happened. Poll until nothing is left after each.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Boot(boot) => {
                self.trunk.set_boot(boot.count);
                self.uplink.boot(now, &boot);
            }
            Input::Network(network) => self.on_network(now, network),
            Input::Datagram { flow, bytes } => self.on_message(now, flow, bytes),
            Input::Trunk(TrunkInput::Connected { local, peer }) => self.trunk.connected(now, local, peer),
            Input::Trunk(TrunkInput::Data(bytes)) => {
                let change = self.trunk.data(now, bytes);
                self.on_trunk(now, change);
            }
            Input::Trunk(TrunkInput::Closed) => {
                let change = self.trunk.closed(now);
                self.on_trunk(now, change);
            }
            Input::Uplink(UplinkInput::Connected) => self.uplink.connected(now),
            Input::Uplink(UplinkInput::Disconnected) => self.uplink.disconnected(now),
            Input::Uplink(UplinkInput::Message { topic, payload }) => self.uplink.message(now, topic, payload),
            Input::Stored(done) => self.on_stored(now, done),
            Input::Unreachable(address) => self.calls.unreachable(now, address),
            Input::Played { player } => self.on_played(now, player),
            Input::WallClock { unix_ms } => self.clock = Some((now, unix_ms)),
        }
    }

    /// The next thing to do. Call until `None` after each [`Gateway::handle`] and at [`Gateway::next_deadline`]. `buffer`
    /// holds what is sent and must have room for [`budget::STREAM_MAX`] bytes.
    pub fn poll<'b>(&'b mut self, now: Instant, buffer: &'b mut [u8]) -> Option<Output<'b>> {
        let ready = self.next_ready(now, buffer)?;
        Some(match ready {
            Ready::Sent { flow, len } if self.is_trunk(flow) => {
                Output::Trunk(TrunkOutput::Send(buffer.get(..len).unwrap_or_default()))
            }
            Ready::Sent { flow, len } => Output::Datagram { flow, bytes: buffer.get(..len).unwrap_or_default() },
            Ready::TrunkSend(len) => Output::Trunk(TrunkOutput::Send(buffer.get(..len).unwrap_or_default())),
            Ready::TrunkConnect => Output::Trunk(TrunkOutput::Connect),
            Ready::TrunkClose => Output::Trunk(TrunkOutput::Close),
            Ready::Media(media) => Output::Media(media),
            Ready::Uplink => self.uplink.output()?,
        })
    }

    fn next_ready(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Ready> {
        loop {
            if let Some(flow) = self.reply_to.take() {
                match buffer.get_mut(..self.reply.len()) {
                    Some(room) => {
                        room.copy_from_slice(&self.reply);
                        return Some(Ready::Sent { flow, len: self.reply.len() });
                    }
                    None => self.counters.overflow += 1,
                }
            }
            if let Some(media) = self.media.pop_front() {
                return Some(Ready::Media(media));
            }
            match self.calls.poll(now, buffer) {
                Some(b2bua::Output::Transmit { flow, len }) => return Some(Ready::Sent { flow, len }),
                Some(b2bua::Output::Event(event)) => {
                    self.on_call_event(now, event);
                    continue;
                }
                None => {}
            }
            match self.trunk.next_message(now, buffer) {
                Some(Ok(len)) => {
                    self.on_trunk_message(now, buffer.get(..len).unwrap_or_default());
                    continue;
                }
                Some(Err(change)) => {
                    self.on_trunk(now, Some(change));
                    continue;
                }
                None => {}
            }
            if let Some(change) = self.trunk.tick(now) {
                self.on_trunk(now, Some(change));
                continue;
            }
            if self.hold_out_over(now) {
                continue;
            }
            match self.trunk.poll(now, &self.factory, buffer) {
                Some(Do::Connect) => return Some(Ready::TrunkConnect),
                Some(Do::Close) => return Some(Ready::TrunkClose),
                Some(Do::Send(len)) => return Some(Ready::TrunkSend(len)),
                None => {}
            }
            if self.poll_registrar(now) {
                continue;
            }
            if self.uplink.poll(now, self.clock_at(now)) {
                return Some(Ready::Uplink);
            }
            return None;
        }
    }

    /// When [`Gateway::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let hold_out = match (self.link.mode(), self.trunk_flow) {
            (Mode::Down, Some(_)) => self.link.since() + HOLD_OUT,
            _ => Instant::NEVER,
        };
        let all = [
            self.calls.next_deadline(),
            Some(self.trunk.next_deadline()),
            self.registrar.next_deadline(),
            self.uplink.next_deadline(),
            Some(hold_out),
        ];
        all.into_iter().flatten().min().filter(|at| *at != Instant::NEVER)
    }

    fn on_network(&mut self, now: Instant, network: Network) {
        self.address = match network {
            Network::Up { address } => Some(address),
            Network::Down => None,
        };
        let change = self.trunk.network(now, self.address.is_some());
        self.on_trunk(now, change);
    }

    fn on_trunk(&mut self, now: Instant, change: Option<Change>) {
        let was = self.link.mode();
        match change {
            Some(Change::Registered) => {
                // The same start of the box on a new connection: its dialogs go on there.
                let flow = self.trunk.flow();
                if let (Some(old), Some(new)) = (self.trunk_flow, flow) {
                    self.calls.flow_moved(old, new);
                }
                self.trunk_flow = flow;
                self.link.registered(now);
            }
            Some(Change::Answered) => self.link.answered(now),
            Some(Change::Missed) => self.link.missed(now),
            Some(Change::Lost) => self.link.lost(now),
            None => return,
        }
        self.on_mode(now, was);
    }

    /// The alarm that goes with the line's mode; and a connection that brings nothing any more is opened anew.
    fn on_mode(&mut self, now: Instant, was: Mode) {
        let is = self.link.mode();
        if (was == Mode::Down) != (is == Mode::Down) {
            self.tell(now, EventBody::Alarm { alarm: Alarm::CloudUnreachable, raised: is == Mode::Down });
            if is == Mode::Down {
                self.trunk.give_up(now);
            }
        }
    }

    /// The line has been away for so long that nobody still holds on at the other end.
    fn hold_out_over(&mut self, now: Instant) -> bool {
        if self.link.mode() != Mode::Down || now < self.link.since() + HOLD_OUT {
            return false;
        }
        match self.trunk_flow.take() {
            Some(flow) => {
                self.calls.flow_lost(now, flow);
                true
            }
            None => false,
        }
    }

    fn on_trunk_message(&mut self, now: Instant, bytes: &[u8]) {
        let Ok(message) = Message::parse_stream(bytes) else {
            self.counters.unreadable += 1;
            return;
        };
        let (ours, change) = self.trunk.response(now, &message, &self.factory);
        self.on_trunk(now, change);
        if let Some(flow) = self.trunk.flow().filter(|_| !ours) {
            self.on_sip(now, flow, &message);
        }
    }

    fn on_message(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        match Message::parse_datagram(bytes) {
            Ok(message) => self.on_sip(now, flow, &message),
            Err(rejected) if rejected.fault == sip::Fault::KeepAlive => self.counters.keep_alives += 1,
            Err(rejected) => match (rejected.status(), rejected.request()) {
                (Some(status), Some(request)) if request.method() != Method::Ack => {
                    self.counters.faulty += 1;
                    self.reply(flow, &request, status, |_| {});
                }
                _ => self.counters.unreadable += 1,
            },
        }
    }

    fn on_sip(&mut self, now: Instant, flow: Flow, message: &Message<'_>) {
        if message.is_request() && message.to().is_none_or(|to| to.tag().is_none()) {
            match message.method() {
                Method::Register if !self.is_trunk(flow) => return self.on_register(now, flow, message),
                // Answered where it ends, and without a transaction: a repetition is answered again.
                Method::Options | Method::Register => return self.reply(flow, message, 200, |_| {}),
                _ => {}
            }
        }
        match self.calls.receive(now, flow, message, &mut b2bua::Direct) {
            Receive::Invite { tx } => self.on_invite(now, tx, flow, message),
            Receive::Request { tx } => {
                let status = match message.method() {
                    Method::Subscribe | Method::Publish => 489,
                    Method::Bye | Method::Update | Method::Info | Method::Prack => 481,
                    _ => 405,
                };
                self.calls.reply(now, tx, flow, message, status, |_| {});
            }
            Receive::Done => {}
        }
    }

    /// Answers a request from the request itself.
    fn reply(&mut self, flow: Flow, message: &Message<'_>, status: u16, more: impl FnOnce(&mut Writer<'_>)) {
        let _ = self.reply.resize(REPLY_MAX, 0);
        let mut w = Writer::new(&mut self.reply);
        write_response_head(&mut w, message, status, Some("denwaban"), flow.peer);
        w.header(Name::Server, AGENT);
        w.header(Name::Allow, b2bua::ALLOW);
        more(&mut w);
        match w.finish_empty() {
            Ok(len) => {
                self.reply.truncate(len);
                self.reply_to = Some(flow);
            }
            Err(_) => self.counters.overflow += 1,
        }
    }

    /// Is this the trunk's connection?
    pub(crate) fn is_trunk(&self, flow: Flow) -> bool {
        flow.transport == sip::Transport::Tcp
    }

    pub(crate) fn media(&mut self, output: MediaOutput) {
        if self.media.push_back(output).is_err() {
            self.counters.media += 1;
        }
    }

    /// Writes an event down; it reaches the cloud's database exactly once.
    pub(crate) fn tell(&mut self, now: Instant, body: EventBody) {
        let at = self.stamp(now);
        self.uplink.event(now, at, body);
    }

    pub(crate) fn stamp(&self, now: Instant) -> Stamp {
        Stamp { mono: now.as_millis(), unix: self.clock_at(now) }
    }

    fn clock_at(&self, now: Instant) -> Option<u64> {
        self.clock.map(|(at, unix)| unix + (now - at).as_millis() as u64)
    }

    /// SplitMix64; for names that must be unique, not secret.
    pub(crate) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn new_session(&mut self) -> SessionId {
        let (high, low) = (self.random(), self.random());
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(high.to_be_bytes().into_iter().chain(low.to_be_bytes())) {
            *to = from;
        }
        SessionId::from_random(bytes)
    }

    /// The configuration in use.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The line to the cloud.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Calls, legs and transactions in memory.
    pub fn usage(&self) -> (usize, usize, usize) {
        self.calls.usage()
    }

    /// Counted drops and refusals.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// IDs that have a registered phone.
    pub fn registered(&self) -> impl Iterator<Item = IdKey> {
        self.registrar.registered().iter()
    }
}

/// What [`Gateway::next_ready`] found; the bytes are in the buffer.
enum Ready {
    Sent { flow: Flow, len: usize },
    TrunkSend(usize),
    TrunkConnect,
    TrunkClose,
    Media(MediaOutput),
    Uplink,
}
