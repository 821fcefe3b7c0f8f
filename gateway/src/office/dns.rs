//! Name server for the office (RFC 1035, 2308, 6891): the box's own names, what others answered, and the rest forwarded to the
//! office's name servers. Answers are kept as they came, whatever their type.
//!
//! With the line away it goes on: what was kept is given beyond its time (RFC 8767), what was not is refused at once, so that no
//! phone waits for it.

mod message;
mod own;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use heapless::Vec;
use sip::Instant;
use sip::pool::Room;

use super::{Reply, Secret, Subnet, To};
use crate::budget::{DNS_ASKED, DNS_CACHE, DNS_CACHED_MAX, DNS_WAITING};
use message::{QR, QUESTION_MAX, Query, RA, RD, Rcode, Response, TC, Unread, Writer, age, kind, put, same};

pub use message::LARGEST;

/// Port of name servers.
pub const PORT: u16 = 53;
/// The box's own name.
pub const HOST: &str = "denwaban";

/// For how long an answer is good whose time is over (RFC 8767 §4), s.
const STALE_TTL: u32 = 30;
/// For how long an answer is kept beyond its time (RFC 8767 §5: one to three days), s.
const STALE_MAX: u64 = 3 * 86_400;
/// Longest time an answer is taken to be good, s.
const TTL_MAX: u32 = 86_400;
/// Longest time that something is taken not to be (RFC 2308 §5), s.
const NEGATIVE_MAX: u32 = 300;
/// Between two questions for one name.
const ASK_EVERY: Duration = Duration::from_millis(900);
/// Questions after which an old answer has to do: 1.8 s (RFC 8767 §5).
const STALE_AFTER: u8 = 2;
/// Questions before a name is given up: 3.6 s, before a phone asks elsewhere.
const TRIES: u8 = 4;
/// For how long nobody is asked after that.
const REST: Duration = Duration::from_secs(10);
/// Questions that one host may have waiting.
const PER_HOST: usize = 2;

/// Counted, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Questions passed on.
    pub forwarded: u32,
    /// Answered from what was kept.
    pub cached: u32,
    /// Of these, beyond its time.
    pub stale: u32,
    /// Questions that nobody who knows answered.
    pub failed: u32,
    /// Questions dropped: from elsewhere, too many at once, or in a circle.
    pub dropped: u32,
    /// Responses that nobody asked for.
    pub unasked: u32,
}

/// An answer that is kept. Empty: none.
struct Cached {
    /// As it came, without OPT.
    message: Vec<u8, DNS_CACHED_MAX>,
    heard: Instant,
    /// s.
    ttl: u32,
    used: Instant,
}

/// A question that name servers are being asked. Empty: none.
struct Asked {
    question: Vec<u8, QUESTION_MAX>,
    id: u16,
    tries: u8,
    /// Which of the servers were asked, a bit each.
    servers: u8,
    next: Instant,
}

/// Somebody who waits for an answer.
#[derive(Clone, Copy)]
struct Waiter {
    asked: u8,
    id: u16,
    rd: bool,
    edns: bool,
    room: u16,
    to: To,
}

/// All who wait for one question get this.
#[derive(Clone, Copy)]
enum Answer {
    /// What has just come.
    Heard,
    /// What is kept.
    Kept(u8),
    /// That nobody knows.
    Failure,
}

/// The name server.
pub struct Dns {
    cache: [Cached; DNS_CACHE],
    asked: [Asked; DNS_ASKED],
    waiting: Vec<Waiter, DNS_WAITING>,
    /// A question whose waiters get their answer, one after the other; and whether it is over with that.
    answering: Room<(u8, Answer, bool)>,
    /// Where answers come in: not to be guessed (RFC 5452 §9.2), another one whenever nothing is asked.
    port: u16,
    /// The server that answered last.
    first: u8,
    /// Nobody answered: nobody is asked before.
    rest: Option<Instant>,
    counters: Counters,
}

/// Where a question comes from and what is known there.
pub struct Place<'a> {
    /// The SIP domain of the site.
    pub realm: &'a str,
    /// The network that the question comes from.
    pub subnet: &'a Subnet,
    /// Whom to ask.
    pub servers: &'a [Ipv4Addr],
}

impl Dns {
    /// Nothing kept.
    pub const fn new() -> Self {
        Self {
            cache: [const {
                Cached {
                    message: Vec::new(),
                    heard: Instant::ZERO,
                    ttl: 0,
                    used: Instant::ZERO,
                }
            }; DNS_CACHE],
            asked: [const {
                Asked {
                    question: Vec::new(),
                    id: 0,
                    tries: 0,
                    servers: 0,
                    next: Instant::ZERO,
                }
            }; DNS_ASKED],
            waiting: Vec::new(),
            answering: Room::Empty,
            port: 0,
            first: 0,
            rest: None,
            counters: Counters {
                forwarded: 0,
                cached: 0,
                stale: 0,
                failed: 0,
                dropped: 0,
                unasked: 0,
            },
        }
    }

    /// The port that other name servers and time servers are asked from; 0 before the first question.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same, chosen if need be.
    pub fn open_port(&mut self, secret: &mut Secret) -> u16 {
        if self.port == 0 {
            let [a, b, ..] = secret.draw();
            self.port = dynamic(a, b);
        }
        self.port
    }

    /// Counted, since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The network changed: other servers, other ways.
    pub fn forget_questions(&mut self) {
        self.asked.iter_mut().for_each(|asked| asked.question.clear());
        self.waiting.clear();
        self.answering = Room::Empty;
        self.rest = None;
    }

    /// A message at port 53. The answer, if there is one at once, is in `reply`.
    pub fn query(
        &mut self,
        now: Instant,
        secret: &mut Secret,
        place: &Place<'_>,
        to: To,
        message: &[u8],
        reply: &mut [u8],
    ) -> Option<usize> {
        if !place.subnet.holds(*to.address.ip()) {
            self.counters.dropped += 1;
            return None;
        }
        let query = match Query::parse(message) {
            Ok(query) => query,
            Err(Unread::Refuse { id, rd, rcode }) => return Some(refuse(reply, id, rd, rcode, &[], false)),
            Err(Unread::Drop) => {
                self.counters.dropped += 1;
                return None;
            }
        };
        let refuse = |rcode, reply: &mut [u8]| {
            Some(refuse(
                reply,
                query.id,
                query.rd,
                rcode,
                query.question,
                query.edns.is_some(),
            ))
        };
        if query.edns.is_some_and(|edns| edns.version != 0) {
            return refuse(Rcode::BadVers, reply);
        }
        if query.class != message::IN || matches!(query.kind, kind::AXFR | kind::IXFR) {
            return refuse(Rcode::Refused, reply);
        }
        // RFC 8482 §4.1 has it that nobody needs these.
        if query.kind == kind::ANY || query.kind == kind::OPT {
            return refuse(Rcode::NotImp, reply);
        }
        if let Some(length) = own::answer(place, &query, reply) {
            return Some(length);
        }
        let resting = place.servers.is_empty() || self.rest.is_some_and(|until| now < until);
        if let Some((index, fresh)) = self.find(now, query.question)
            && (fresh || resting)
        {
            let waiter = Waiter::new(&query, 0, to);
            return self.give_kept(now, index, &waiter, query.question, reply);
        }
        if resting {
            self.counters.failed += 1;
            return refuse(Rcode::ServFail, reply);
        }
        if !self.ask(now, secret, place, &query, to) {
            self.counters.dropped += 1;
        }
        None
    }

    /// Passes a question on. False: there is no room, or it goes in a circle.
    fn ask(
        &mut self,
        now: Instant,
        secret: &mut Secret,
        place: &Place<'_>,
        query: &Query<'_>,
        to: To,
    ) -> bool {
        let same_host = |waiter: &&Waiter| waiter.to.address.ip() == to.address.ip();
        let known = self
            .asked
            .iter()
            .position(|asked| asked.question == query.question);
        // A server that we ask asks us.
        if known.is_some() && place.servers.contains(to.address.ip()) {
            return false;
        }
        let again = |waiter: &Waiter| {
            (waiter.to, waiter.id, Some(usize::from(waiter.asked))) == (to, query.id, known)
        };
        if self.waiting.iter().any(again) {
            return true;
        }
        if self.waiting.is_full() || self.waiting.iter().filter(same_host).count() >= PER_HOST {
            return false;
        }
        let free = || self.asked.iter().position(|asked| asked.question.is_empty());
        let Some(index) = known.or_else(free) else {
            return false;
        };
        if known.is_none() {
            let alone = self.asked.iter().all(|asked| asked.question.is_empty());
            let [a, b, c, d, ..] = secret.draw();
            if alone {
                self.port = dynamic(a, b);
            }
            if let Some(asked) = self.asked.get_mut(index) {
                *asked = Asked {
                    question: Vec::from_slice(query.question).unwrap_or_default(),
                    id: u16::from_be_bytes([c, d]),
                    tries: 0,
                    servers: 0,
                    next: now,
                };
            }
            self.counters.forwarded += 1;
        }
        self.waiting.push(Waiter::new(query, index as u8, to)).is_ok()
    }

    /// A message at [`Dns::port`]. `reply` keeps it until all who wait have it.
    pub fn answer(
        &mut self,
        now: Instant,
        servers: &[Ipv4Addr],
        from: SocketAddrV4,
        message: &[u8],
        reply: &mut Reply,
    ) {
        let asked = Response::parse(message).and_then(|response| {
            let server = servers.iter().position(|server| server == from.ip())?;
            let index = self.asked.iter().position(|asked| {
                !asked.question.is_empty()
                    && asked.id == response.id
                    && asked.servers & 1 << server != 0
                    && same(&asked.question, response.question)
            })?;
            Some((response, server, index))
        });
        let Some((response, server, index)) = asked.filter(|_| from.port() == PORT) else {
            self.counters.unasked += 1;
            return;
        };
        let Some(asked) = self.asked.get_mut(index) else {
            return;
        };
        // A server that cannot is as good as silent: the next one is asked at once.
        if !matches!(response.rcode, 0 | 3) {
            asked.next = now;
            return;
        }
        self.rest = None;
        self.first = server as u8;
        let (length, additional) = response.kept;
        let Some(kept) = message.get(..length) else { return };
        let cut = if response.truncated { TC } else { 0 };
        let keep = |room: &mut [u8]| {
            put(room, 0, kept);
            put(
                room,
                2,
                &(QR | RA | cut | u16::from(response.rcode)).to_be_bytes(),
            );
            put(room, 10, &additional.to_be_bytes());
        };
        let ttl = response.ttl.filter(|_| !response.truncated).map(|ttl| {
            let most = if word_is_zero(kept, 6) {
                NEGATIVE_MAX
            } else {
                TTL_MAX
            };
            ttl.min(most)
        });
        let answer = match ttl.filter(|ttl| *ttl > 0 && length <= DNS_CACHED_MAX) {
            Some(ttl) => {
                let place = self.room_for(response.question);
                let Some(cached) = self.cache.get_mut(place) else {
                    return;
                };
                let _ = cached.message.resize(length, 0);
                keep(&mut cached.message);
                (cached.heard, cached.ttl, cached.used) = (now, ttl, now);
                Answer::Kept(place as u8)
            }
            None => {
                reply.clear();
                if reply.resize(length, 0).is_err() {
                    return;
                }
                keep(reply);
                Answer::Heard
            }
        };
        self.answering = Room::Taken((index as u8, answer, true));
    }

    /// The next thing to send, written to `buffer`: from which port, to whom, how long. `heard` is what [`Dns::answer`] kept.
    pub fn poll(
        &mut self,
        now: Instant,
        servers: &[Ipv4Addr],
        heard: &[u8],
        buffer: &mut [u8],
    ) -> Option<(u16, To, usize)> {
        loop {
            if let Room::Taken((index, answer, over)) = self.answering {
                let next = self.waiting.iter().position(|waiter| waiter.asked == index);
                let Some(waiter) = next.map(|at| self.waiting.swap_remove(at)) else {
                    self.answering = Room::Empty;
                    if over && let Some(asked) = self.asked.get_mut(usize::from(index)) {
                        asked.question.clear();
                    }
                    continue;
                };
                let asked = self.asked.get(usize::from(index))?;
                let question = asked.question.clone();
                let length = match answer {
                    Answer::Heard => give(heard, 0, u32::MAX, &waiter, &question, buffer),
                    Answer::Kept(kept) => {
                        self.give_kept(now, usize::from(kept), &waiter, &question, buffer)?
                    }
                    Answer::Failure => {
                        self.counters.failed += 1;
                        refuse(
                            buffer,
                            waiter.id,
                            waiter.rd,
                            Rcode::ServFail,
                            &question,
                            waiter.edns,
                        )
                    }
                };
                return Some((PORT, waiter.to, length));
            }
            let due = |asked: &Asked| !asked.question.is_empty() && asked.next <= now;
            let index = self.asked.iter().position(due)?;
            let stale = self
                .asked
                .get(index)
                .and_then(|asked| self.find(now, &asked.question))
                .map(|(kept, _)| Answer::Kept(kept as u8));
            let first = usize::from(self.first);
            let asked = self.asked.get_mut(index)?;
            if asked.tries == STALE_AFTER
                && let Some(stale) = stale
            {
                self.answering = Room::Taken((index as u8, stale, false));
            }
            let tries = usize::from(asked.tries);
            asked.tries += 1;
            let at = (first + tries).checked_rem(servers.len());
            match at.and_then(|at| Some((at, *servers.get(at)?))) {
                Some((at, server)) if asked.tries <= TRIES => {
                    asked.servers |= 1 << at;
                    asked.next = now + ASK_EVERY;
                    let mut writer = Writer::new(buffer, asked.id, RD, &asked.question);
                    writer.opt(0);
                    let length = writer.length();
                    let to = To {
                        interface: super::OFFICE,
                        address: SocketAddrV4::new(server, PORT),
                    };
                    return Some((self.port, to, length));
                }
                _ => {
                    self.rest = Some(now + REST);
                    self.answering = Room::Taken((index as u8, stale.unwrap_or(Answer::Failure), true));
                }
            }
        }
    }

    /// When [`Dns::poll`] has something next.
    pub fn next_deadline(&self) -> Instant {
        let asked = self.asked.iter().filter(|asked| !asked.question.is_empty());
        let next = asked.map(|asked| asked.next).min().unwrap_or(Instant::NEVER);
        if self.answering.as_ref().is_some() {
            Instant::ZERO
        } else {
            next
        }
    }

    /// What is kept for a question, and whether it is still good.
    fn find(&self, now: Instant, question: &[u8]) -> Option<(usize, bool)> {
        self.cache.iter().enumerate().find_map(|(index, cached)| {
            let own = cached.message.get(message::HEADER..)?.get(..question.len())?;
            let age = (now - cached.heard).as_secs();
            let ttl = u64::from(cached.ttl);
            (same(own, question) && age < ttl + STALE_MAX).then_some((index, age < ttl))
        })
    }

    /// Where an answer is kept: in the place of the former one, or of the one that nobody asked for the longest.
    fn room_for(&self, question: &[u8]) -> usize {
        let own = |cached: &Cached| {
            let own = cached
                .message
                .get(message::HEADER..)
                .and_then(|rest| rest.get(..question.len()));
            own.is_some_and(|own| same(own, question))
        };
        let oldest = || {
            let order = |(_, cached): &(usize, &Cached)| (!cached.message.is_empty(), cached.used);
            self.cache
                .iter()
                .enumerate()
                .min_by_key(order)
                .map(|(index, _)| index)
        };
        self.cache.iter().position(own).or_else(oldest).unwrap_or(0)
    }

    fn give_kept(
        &mut self,
        now: Instant,
        index: usize,
        waiter: &Waiter,
        question: &[u8],
        room: &mut [u8],
    ) -> Option<usize> {
        let cached = self.cache.get_mut(index)?;
        cached.used = now;
        let age = (now - cached.heard).as_secs();
        self.counters.cached += 1;
        let length = if age < u64::from(cached.ttl) {
            // Its own time is part of it; the records' may be longer.
            give(
                &cached.message,
                age as u32,
                cached.ttl - age as u32,
                waiter,
                question,
                room,
            )
        } else {
            self.counters.stale += 1;
            give(&cached.message, 0, STALE_TTL, waiter, question, room)
        };
        Some(length)
    }
}

impl Default for Dns {
    fn default() -> Self {
        Self::new()
    }
}

impl Waiter {
    fn new(query: &Query<'_>, asked: u8, to: To) -> Self {
        Self {
            asked,
            id: query.id,
            rd: query.rd,
            edns: query.edns.is_some(),
            room: query.room() as u16,
            to,
        }
    }
}

/// One of the dynamic ports (RFC 6335 §6).
fn dynamic(a: u8, b: u8) -> u16 {
    0xC000 | u16::from_be_bytes([a, b])
}

fn word_is_zero(bytes: &[u8], at: usize) -> bool {
    message::word(bytes, at) == Some(0)
}

/// An answer without records.
fn refuse(room: &mut [u8], id: u16, rd: bool, rcode: Rcode, question: &[u8], edns: bool) -> usize {
    let flags = QR | RA | if rd { RD } else { 0 } | (rcode as u16 & 0xF);
    let mut writer = Writer::new(room, id, flags, question);
    if edns {
        writer.opt(rcode as u8 >> 4);
    }
    writer.length()
}

/// `message` as the answer for this one: with the number, and the letters of the name, of the question.
fn give(message: &[u8], spent: u32, ttl: u32, waiter: &Waiter, question: &[u8], room: &mut [u8]) -> usize {
    let flags = message::word(message, 2).unwrap_or(QR) | if waiter.rd { RD } else { 0 };
    let opt = if waiter.edns { 11 } else { 0 };
    if message.len() + opt > usize::from(waiter.room) || message.len() + opt > room.len() {
        let mut writer = Writer::new(room, waiter.id, flags | TC, question);
        if waiter.edns {
            writer.opt(0);
        }
        return writer.length();
    }
    put(room, 0, message);
    put(room, 0, &waiter.id.to_be_bytes());
    put(room, 2, &flags.to_be_bytes());
    put(room, message::HEADER, question);
    let mut length = message.len();
    if let Some(own) = room.get_mut(..length) {
        age(own, spent, ttl);
    }
    if waiter.edns {
        let additional = message::word(message, 10).unwrap_or_default().saturating_add(1);
        put(room, 10, &additional.to_be_bytes());
        let mut opt = [0; 11];
        put(&mut opt, 1, &kind::OPT.to_be_bytes());
        put(&mut opt, 3, &(LARGEST as u16).to_be_bytes());
        put(room, length, &opt);
        length += opt.len();
    }
    length
}

#[cfg(test)]
mod tests;
