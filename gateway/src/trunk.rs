//! The trunk: one TCP connection to the cloud's SIP, opened and registered by the box (RFC 6140: one registration for all
//! its numbers), kept alive by pings (RFC 5626 §4.4.1), tried again with growing pauses.

use core::net::SocketAddr;
use core::time::Duration;

use shared::factory::Factory;
use sip::digest::{Challenge, Ha1, Protected};
use sip::{Flow, Frame, Framer, Instant, Message, Method, Name, Transport, Writer};

use crate::budget::STREAM_MAX;
use crate::link::PING;

/// Most bytes the connection may bring at a time.
pub const CHUNK_MAX: usize = 1_024;
/// [`Flow::interface`] of the trunk; phones come by others.
pub(crate) const INTERFACE: u8 = u8::MAX;
/// Bytes the trunk needs for its incoming messages.
pub const BUFFER: usize = STREAM_MAX + CHUNK_MAX;

/// The registration's lifetime that is asked for, seconds.
const EXPIRES: u32 = 300;
const ANSWER_MAX: usize = 512;
const ANSWER: Duration = Duration::from_secs(4);
const CONNECT: Duration = Duration::from_secs(5);
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(16);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing open; open at the given time.
    Idle(Instant),
    /// Opening.
    Connecting,
    /// The REGISTER is out.
    Registering,
    /// In use.
    Ready,
}

/// What the trunk wants of its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    Connect,
    Close,
    Send(usize),
}

/// What changed for the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Registered,
    Answered,
    Missed,
    Lost,
}

/// Counted oddities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections opened.
    pub connected: u32,
    /// Connections given up because of what came on them.
    pub broken: u32,
    /// Registrations refused by the cloud.
    pub refused: u32,
    /// Messages for the cloud that found no registered connection.
    pub unsent: u32,
}

pub(crate) struct Trunk<'s> {
    framer: Framer<&'s mut [u8]>,
    state: State,
    network: bool,
    retry: Duration,
    stream: u16,
    flow: Option<Flow>,
    /// When the state's patience ends, or the registration is to be refreshed.
    until: Instant,
    ping: Instant,
    pinged: Option<Instant>,
    cseq: u32,
    tries: u32,
    call_id: u64,
    /// The Authorization line that answers the last challenge.
    answer: heapless::Vec<u8, ANSWER_MAX>,
    register: bool,
    close: bool,
    boot: u32,
    counters: Counters,
}

impl<'s> Trunk<'s> {
    pub fn new(buffer: &'s mut [u8], random: u64) -> Self {
        Self {
            framer: Framer::opened(buffer),
            state: State::Idle(Instant::ZERO),
            network: false,
            retry: RETRY_MIN,
            stream: 0,
            flow: None,
            until: Instant::NEVER,
            ping: Instant::NEVER,
            pinged: None,
            cseq: 0,
            tries: 0,
            call_id: random,
            answer: heapless::Vec::new(),
            register: false,
            close: false,
            boot: 0,
            counters: Counters::default(),
        }
    }

    pub fn set_boot(&mut self, boot: u32) {
        self.boot = boot;
    }

    /// The way to the cloud, once registered.
    pub fn flow(&self) -> Option<Flow> {
        self.flow.filter(|_| self.state == State::Ready)
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Is this the connection in use? A message for another one goes nowhere, and is counted.
    pub fn carries(&mut self, flow: Flow) -> bool {
        let carries = self.flow() == Some(flow);
        self.counters.unsent += u32::from(!carries);
        carries
    }

    pub fn network(&mut self, now: Instant, up: bool) -> Option<Change> {
        let was = core::mem::replace(&mut self.network, up);
        if up && !was && matches!(self.state, State::Idle(_)) {
            self.state = State::Idle(now);
            self.retry = RETRY_MIN;
        }
        (was && !up).then(|| self.give_up(now)).flatten()
    }

    pub fn connected(&mut self, now: Instant, local: SocketAddr, peer: SocketAddr) {
        if self.state != State::Connecting {
            // It was given up meanwhile.
            self.close = true;
            return;
        }
        self.framer.reset();
        self.stream = self.stream.wrapping_add(1).max(1);
        self.flow = Some(Flow {
            transport: Transport::Tcp,
            interface: INTERFACE,
            stream: self.stream,
            peer,
            local,
        });
        self.counters.connected += 1;
        self.state = State::Registering;
        self.answer.clear();
        self.register = true;
        self.until = now + ANSWER;
        self.ping = now + PING;
        self.pinged = None;
    }

    pub fn closed(&mut self, now: Instant) -> Option<Change> {
        let was = self.state;
        if !matches!(was, State::Idle(_)) {
            self.pause(now);
        }
        self.close = false;
        (was == State::Ready).then_some(Change::Lost)
    }

    fn pause(&mut self, now: Instant) {
        // Boxes that lost their cloud together must not come back together: half of the pause is by chance.
        self.tries = self.tries.wrapping_add(1);
        let chance = (self.call_id ^ u64::from(self.tries)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
        self.state = State::Idle(now + self.retry / 2 + self.retry / 2 * chance as u32 / 1_024);
        self.retry = (self.retry * 2).min(RETRY_MAX);
        self.until = Instant::NEVER;
        self.ping = Instant::NEVER;
        self.register = false;
    }

    /// Closes and tries again later.
    pub fn give_up(&mut self, now: Instant) -> Option<Change> {
        let change = self.closed(now);
        self.close = true;
        change
    }

    /// Takes bytes of the connection.
    pub fn data(&mut self, now: Instant, bytes: &[u8]) -> Option<Change> {
        if matches!(self.state, State::Idle(_)) {
            return None;
        }
        if self.framer.push(bytes) < bytes.len() {
            self.counters.broken += 1;
            return self.give_up(now);
        }
        None
    }

    /// The next message that came in, copied to `buffer`: its length.
    pub fn next_message(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Result<usize, Change>> {
        loop {
            match self.framer.next()? {
                Ok(Frame::Message(bytes)) => {
                    if let Some(room) = buffer.get_mut(..bytes.len()) {
                        room.copy_from_slice(bytes);
                        return Some(Ok(bytes.len()));
                    }
                    self.framer.reset();
                    self.counters.broken += 1;
                    return Some(Err(self.give_up(now).unwrap_or(Change::Missed)));
                }
                Ok(Frame::Pong) => {
                    self.pinged = None;
                    return Some(Err(Change::Answered));
                }
                // Only who was connected to is pinged, and that is the cloud.
                Ok(Frame::Ping) => {}
                Err(_) => {
                    self.framer.reset();
                    self.counters.broken += 1;
                    return Some(Err(self.give_up(now).unwrap_or(Change::Missed)));
                }
            }
        }
    }

    /// An answer to a REGISTER of ours. True if it was one.
    pub fn response(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        factory: &Factory,
    ) -> (bool, Option<Change>) {
        let (Some(status), Some(cseq)) = (message.status(), message.cseq()) else {
            return (false, None);
        };
        if cseq.method != Method::Register {
            return (false, None);
        }
        if cseq.seq != self.cseq || matches!(self.state, State::Idle(_) | State::Connecting) {
            return (true, None);
        }
        let change = match status {
            100..=199 => None,
            200..=299 => {
                let expires = message
                    .contacts()
                    .next()
                    .and_then(|contact| contact.param("expires").and_then(sip::fields::number))
                    .or(message.expires())
                    .unwrap_or(EXPIRES)
                    .clamp(30, 3_600);
                self.until = now + Duration::from_secs(u64::from(expires) * 4 / 5);
                self.retry = RETRY_MIN;
                let first = self.state == State::Registering;
                self.state = State::Ready;
                Some(if first {
                    Change::Registered
                } else {
                    Change::Answered
                })
            }
            401 if self.answer.is_empty() => match self.write_answer(message, factory) {
                Some(()) => {
                    self.register = true;
                    None
                }
                None => {
                    self.counters.refused += 1;
                    self.give_up(now)
                }
            },
            _ => {
                self.counters.refused += 1;
                self.give_up(now)
            }
        };
        (true, change)
    }

    /// What time brings.
    pub fn tick(&mut self, now: Instant) -> Option<Change> {
        match self.state {
            State::Connecting | State::Registering if now >= self.until => self.give_up(now),
            State::Ready if now >= self.until => {
                // Refresh; a lost answer shows in the pings.
                self.answer.clear();
                self.register = true;
                self.until = now + Duration::from_secs(30);
                None
            }
            State::Ready if self.pinged.is_some_and(|at| now >= at + PING) => {
                self.pinged = None;
                self.ping = now;
                Some(Change::Missed)
            }
            _ => None,
        }
    }

    /// The next order to the driver; what is to be sent is in `buffer`.
    pub fn poll(&mut self, now: Instant, factory: &Factory, buffer: &mut [u8]) -> Option<Do> {
        if core::mem::take(&mut self.close) {
            return Some(Do::Close);
        }
        if let State::Idle(at) = self.state
            && self.network
            && now >= at
        {
            self.state = State::Connecting;
            self.until = now + CONNECT;
            return Some(Do::Connect);
        }
        if core::mem::take(&mut self.register) {
            return self.write_register(factory, buffer).map(Do::Send);
        }
        if self.state == State::Ready && now >= self.ping && self.pinged.is_none() {
            let room = buffer.get_mut(..4)?;
            room.copy_from_slice(b"\r\n\r\n");
            self.pinged = Some(now);
            self.ping = now + PING;
            return Some(Do::Send(4));
        }
        None
    }

    fn write_answer(&mut self, message: &Message<'_>, factory: &Factory) -> Option<()> {
        let (challenge, name) = Challenge::choose(message)?;
        let user = factory.box_id.text();
        let uri = register_uri(factory)?;
        let ha1 = Ha1::from_password(user.as_bytes(), challenge.realm, factory.password().as_bytes());
        let protected = Protected {
            method: Method::Register,
            uri: uri.as_bytes(),
            body: b"",
        };
        let cnonce = self.call_id.rotate_left(self.cseq) ^ u64::from(self.cseq);
        self.answer.resize(ANSWER_MAX, 0).ok()?;
        let mut w = Writer::new(&mut self.answer);
        challenge.answer(&mut w, name, user.as_bytes(), &ha1, protected, cnonce, 1);
        let written = w.end();
        self.answer.truncate(written.unwrap_or(0));
        written.ok().map(|_| ())
    }

    fn write_register(&mut self, factory: &Factory, buffer: &mut [u8]) -> Option<usize> {
        let flow = self.flow?;
        self.cseq += 1;
        let (id, realm) = (factory.box_id, factory.realm());
        let uri = register_uri(factory)?;
        let mut w = Writer::new(buffer);
        w.request(Method::Register, uri.as_bytes());
        w.header(
            Name::Via,
            format_args!(
                "SIP/2.0/TCP {};branch=z9hG4bK{:016x}{:08x};rport",
                flow.local, self.call_id, self.cseq
            ),
        );
        w.header(Name::MaxForwards, 70);
        w.header(
            Name::From,
            format_args!("<sip:{id}@{realm}>;tag={:08x}", self.call_id as u32),
        );
        w.header(Name::To, format_args!("<sip:{id}@{realm}>"));
        w.header(Name::CallId, format_args!("{:016x}", self.call_id));
        w.header(Name::CSeq, format_args!("{} REGISTER", self.cseq));
        w.header(
            Name::Contact,
            format_args!(
                "<sip:{id}@{};transport=tcp;bnc>;boot={};expires={EXPIRES}",
                flow.local, self.boot
            ),
        );
        w.header(Name::Require, "gin");
        w.header(Name::Supported, "gin, path");
        w.header(Name::UserAgent, crate::AGENT);
        w.raw(&self.answer);
        w.finish_empty().ok()
    }

    pub fn next_deadline(&self) -> Instant {
        match self.state {
            State::Idle(at) => {
                if self.network {
                    at
                } else {
                    Instant::NEVER
                }
            }
            State::Connecting | State::Registering => self.until,
            State::Ready => match self.pinged {
                Some(at) => self.until.min(at + PING),
                None => self.until.min(self.ping),
            },
        }
    }
}

fn register_uri(factory: &Factory) -> Option<heapless::String<80>> {
    use core::fmt::Write;
    let mut uri = heapless::String::new();
    write!(uri, "sip:{}", factory.realm()).ok()?;
    Some(uri)
}
