//! The trunk: one TCP connection to the cloud's SIP, opened and registered by the box (RFC 6140: one registration for all
//! its numbers; RFC 5626: one flow, on which the cloud calls), kept alive by pings (RFC 5626 §4.4.1), tried again with growing
//! pauses.
//!
//! - **A line that breaks** is tried again within seconds, not in the half minute of RFC 5626 §4.5: calls wait for it.
//! - **A cloud that refuses** is left alone as that section has it, and as long as it says (Retry-After).
//! - **Pings** come every few seconds for the sake of calls ([`crate::link`]), more often than any Flow-Timer asks.
//! - **What the cloud's proxies want** in between (Service-Route, RFC 3608) goes with every call to it, and no phone sees it.
//! - **One connection for both directions** is what a flow is: no `alias` (RFC 5923) is needed for it.

use core::net::SocketAddr;
use core::time::Duration;

use shared::BoxId;
use shared::factory::Factory;
use sip::digest::{Challenge, Ha1, Protected};
use sip::{Flow, Frame, Framer, Instant, Message, Method, Name, NameAddr, Transport, Writer};

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
/// First and longest pause after a refusal (RFC 5626 §4.5), halved by chance.
const REFUSED_MIN: Duration = Duration::from_secs(60);
const REFUSED_MAX: Duration = Duration::from_secs(1_800);
/// Longest lifetime that is asked for, and longest pause that is obeyed, seconds.
const HOUR: u32 = 3_600;
/// Longest Service-Route that is kept, bytes; nothing where calls have no room for a route. One that is longer is not followed:
/// the connection leads to the cloud all the same.
const ROUTE_MAX: usize = if sip::b2bua::ROUTE_MAX < 128 {
    sip::b2bua::ROUTE_MAX
} else {
    128
};
/// Challenges that are answered for one REGISTER: the first, and one that says that its nonce was too old.
const ANSWERS: u8 = 2;

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
    /// After a refusal: not before then.
    barred: Instant,
    /// Refusals since the last registration.
    refusals: u8,
    /// The lifetime to ask for, seconds.
    expires: u32,
    call_id: u64,
    secret: u64,
    /// The line that answers the last challenge.
    answer: heapless::Vec<u8, ANSWER_MAX>,
    /// Challenges answered since the REGISTER that had none to answer.
    answers: u8,
    route: heapless::Vec<u8, ROUTE_MAX>,
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
            barred: Instant::ZERO,
            refusals: 0,
            expires: EXPIRES,
            call_id: random.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            secret: random,
            answer: heapless::Vec::new(),
            answers: 0,
            route: heapless::Vec::new(),
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

    /// The Route of requests that begin something with the cloud (RFC 3608 §5); empty for none.
    pub fn route(&self) -> &[u8] {
        &self.route
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
            self.state = State::Idle(now.max(self.barred));
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
        self.begin();
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

    /// A REGISTER is to be sent, one without credentials.
    fn begin(&mut self) {
        self.answer.clear();
        self.answers = 0;
        self.register = true;
    }

    /// Between a half and the whole of it: boxes that lost their cloud together must not come back together.
    fn by_chance(&mut self, pause: Duration) -> Duration {
        self.tries = self.tries.wrapping_add(1);
        let chance = (self.call_id ^ u64::from(self.tries)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
        pause / 2 + pause / 2 * chance as u32 / 1_024
    }

    /// The cloud has refused: it is left alone for as long as it says, and some more.
    fn refused(&mut self, now: Instant, retry_after: Option<u32>) -> Option<Change> {
        self.counters.refused += 1;
        let pause = match retry_after {
            Some(seconds) => {
                let said = Duration::from_secs(u64::from(seconds.min(HOUR)));
                said + self.by_chance(said / 4)
            }
            None => {
                let pause = (REFUSED_MIN * (1 << self.refusals.min(5))).min(REFUSED_MAX);
                self.refusals = self.refusals.saturating_add(1);
                self.by_chance(pause)
            }
        };
        self.barred = now + pause;
        self.give_up(now)
    }

    fn pause(&mut self, now: Instant) {
        let pause = self.by_chance(self.retry);
        self.state = State::Idle((now + pause).max(self.barred));
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
            200..=299 => Some(self.accepted(now, message)),
            401 | 407 if self.answers < ANSWERS => match self.write_answer(message, factory) {
                Some(()) => {
                    self.answers += 1;
                    self.register = true;
                    None
                }
                None => self.refused(now, None),
            },
            423 if self.expires == EXPIRES => {
                self.expires = message.number(Name::MinExpires).unwrap_or(HOUR).min(HOUR);
                self.begin();
                None
            }
            _ => self.refused(now, retry_after(message)),
        };
        (true, change)
    }

    /// The cloud has us.
    fn accepted(&mut self, now: Instant, message: &Message<'_>) -> Change {
        // The answer lists every flow of the box.
        let ours = |contact: &NameAddr<'_>| {
            let address = contact
                .parsed_uri()
                .and_then(|uri| Some((uri.host.address()?, uri.port)));
            address.is_some_and(|at| {
                self.flow
                    .is_some_and(|f| at == (f.local.ip(), Some(f.local.port())))
            })
        };
        let expires = message
            .contacts()
            .find(ours)
            .and_then(|contact| contact.param("expires").and_then(sip::fields::number))
            .or(message.expires())
            .unwrap_or(self.expires)
            .clamp(30, HOUR);
        self.until = now + Duration::from_secs(u64::from(expires) * 4 / 5);
        self.retry = RETRY_MIN;
        self.refusals = 0;
        self.route.clear();
        for value in message.values(Name::ServiceRoute) {
            let comma: &[u8] = if self.route.is_empty() { b"" } else { b", " };
            let kept = self.route.extend_from_slice(comma);
            if kept.and_then(|()| self.route.extend_from_slice(value)).is_err() {
                self.route.clear();
                break;
            }
        }
        match core::mem::replace(&mut self.state, State::Ready) {
            State::Registering => Change::Registered,
            _ => Change::Answered,
        }
    }

    /// What time brings.
    pub fn tick(&mut self, now: Instant) -> Option<Change> {
        match self.state {
            State::Connecting | State::Registering if now >= self.until => self.give_up(now),
            State::Ready if now >= self.until => {
                // Refresh; a lost answer shows in the pings.
                self.begin();
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
        if self.answers > 0 && !challenge.stale {
            return None;
        }
        let user = factory.box_id.text();
        let uri = register_uri(factory)?;
        let ha1 = Ha1::from_password(user.as_bytes(), challenge.realm, factory.password().as_bytes());
        let protected = Protected {
            method: Method::Register,
            uri: uri.as_bytes(),
            body: b"",
        };
        let cnonce = (self.secret ^ u64::from(self.cseq))
            .wrapping_mul(0xBF58_476D_1CE4_E5B9)
            .rotate_left(29);
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
                "<sip:{};transport=tcp;bnc>;+sip.instance=\"<{}>\";reg-id=1;boot={};expires={}",
                flow.local,
                Urn(id),
                self.boot,
                self.expires
            ),
        );
        w.header(Name::Require, "gin");
        w.header(Name::ProxyRequire, "gin");
        w.header(Name::Supported, "gin, outbound, path");
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

/// Seconds of a Retry-After, which may be followed by a comment or parameters (RFC 3261 §20.33).
fn retry_after(message: &Message<'_>) -> Option<u32> {
    let value = message.header(Name::RetryAfter)?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    sip::fields::number(value.get(..digits)?)
}

/// The box as instance (RFC 5626 §4.1): a UUID of version 8 (RFC 9562) whose last bits are the box's number.
struct Urn(BoxId);

impl core::fmt::Display for Urn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let BoxId(n) = self.0;
        let (high, low) = (n >> 48, n & 0xFFFF_FFFF_FFFF);
        write!(f, "urn:uuid:0000{high:04x}-0000-8000-8000-{low:012x}")
    }
}

fn register_uri(factory: &Factory) -> Option<heapless::String<80>> {
    use core::fmt::Write;
    let mut uri = heapless::String::new();
    write!(uri, "sip:{}", factory.realm()).ok()?;
    Some(uri)
}
