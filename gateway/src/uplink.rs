//! The box's side of the synchronisation with the cloud.
//!
//! Without I/O: the brain tells it what the MQTT connection and the store say, and polls it for what to publish and what
//! to store. Its parts know nothing of each other:
//!
//! - `config`: takes a signed manifest, pulls the sections it lacks into the inactive bank, checks, commits once.
//! - `outbox`: writes every event to the flash queue, sends the oldest batch until the cloud has it in its database,
//!   then takes it off the queue.
//! - `firmware`: pulls the files that the configuration names for the phones.
//!
//! Nothing is trusted to the broker. What is not answered is repeated with growing intervals; a connection on which
//! `hello` stays unanswered is given up.

mod config;
mod firmware;
mod outbox;

use core::time::Duration;

use heapless::{String, Vec};
use shared::BoxId;
use shared::factory::Factory;
use shared::record::Stamp;
use shared::site::Site;
use shared::sync::{
    AppAck, Chunk, Down, EventBody, FileChunk, Hello, HubOrder, HubReport, MAX_MANIFEST, Message, PROTOCOL,
    TestLine, Topic, Up,
};
use sip::Instant;
use sip::pool::Room;

use crate::store::{Batch, Committed, Done, Key, Loaded, MAX_BATCH, MAX_PIECE, Op, Token};

use config::Config;
use firmware::Firmware;
pub use firmware::Models;
use outbox::{Outbox, Waiting};

/// Token of every operation the uplink asks of the store; the brain uses others for its own.
pub const TOKEN: Token = Token(0);

/// Bytes of the events that wait in memory for the flash: 32 legs of calls of some 120, or 400 registrations.
pub const WAITING: usize = 4_096;

/// Largest message that the box takes, bytes: it asks for sections in pieces that are smaller, and so is a manifest.
pub const RX_MAX: usize = 1_024;
const _: () = assert!(RX_MAX >= MAX_PIECE + 128 && RX_MAX >= MAX_MANIFEST + 128);

/// Largest message that the box sends, bytes: the report of the hub with all its ports.
pub const TX_MAX: usize = 640;
const _: () = assert!(TX_MAX >= MAX_BATCH);

/// First wait for an answer; doubled with every repetition.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Time after which a quiet cloud is asked again whether it is there and has something new: it may have been replaced
/// behind a broker that stayed.
const REST: Duration = Duration::from_secs(600);
/// Unanswered `hello`s after which the connection is given up.
const HELLOS: u32 = 4;

/// Memory of an [`Uplink`], lent to it for its life.
pub struct Memory {
    /// A part of a section, or of a file, on its way into the flash.
    chunk: Vec<u8, MAX_PIECE>,
    /// Events on their way into the flash.
    waiting: Waiting,
    /// Events on their way to the cloud.
    batch: Room<Batch>,
    /// The message to be published.
    payload: Vec<u8, TX_MAX>,
}

impl Memory {
    /// Empty.
    pub const fn new() -> Self {
        Self {
            chunk: Vec::new(),
            waiting: Waiting::new(),
            batch: Room::Empty,
            payload: Vec::new(),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Something to do.
// An operation carries its bytes inline: there is no heap to put them on.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Output<'a> {
    /// Publish a message, QoS 1.
    Publish {
        /// Its topic.
        topic: String<{ shared::sync::MAX_TOPIC }>,
        /// The message.
        payload: &'a [u8],
    },
    /// Run an operation of the store under [`TOKEN`]; give its result to [`Uplink::stored`].
    Store(Op),
    /// Close the MQTT connection and open a new one: this one is silent.
    Reconnect,
}

/// What the cloud tells the box to do; lost if it is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// With an analog line.
    TestLine(TestLine),
    /// With a port with power, or a phone.
    Hub(HubOrder),
}

/// What an answer of the store has done to the site in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing, or it is not whole yet.
    Nothing,
    /// It is another one: a new configuration, which is committed next; or the one before again; or, if nothing can be read, none.
    Replaced,
    /// It is committed.
    Committed,
    /// The firmware of phones is there that was not.
    Firmware,
}

/// What [`Uplink::output`] will give.
#[allow(clippy::large_enum_variant)]
enum Next {
    Publish(Up),
    Store(Op),
    Reconnect,
}

/// Counted refusals, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events refused because the queue was full.
    pub refused: u32,
    /// Messages that were not understood, or not asked for.
    pub ignored: u32,
    /// Configurations refused.
    pub nacks: u32,
    /// Operations of the store that failed.
    pub faults: u32,
}

/// The half of the synchronisation that lives in the box.
pub struct Uplink<'s> {
    memory: &'s mut Memory,
    box_id: BoxId,
    boot: u32,
    /// The store has told what it holds; nothing happens before.
    started: bool,
    config: Config,
    outbox: Outbox,
    firmware: Firmware,
    link: Option<Link>,
    /// Which part asked for the operation under way.
    asked: Option<Asked>,
    /// The time as the cloud has just told it.
    told: Option<u64>,
    next: Option<Next>,
    counters: Counters,
}

/// An open connection.
struct Link {
    hello: Repeat,
    /// The cloud has answered.
    welcomed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Config,
    Outbox,
    Firmware,
}

/// When to send something again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeat {
    at: Instant,
    tries: u32,
}

impl Repeat {
    /// Due at once.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { at: now, tries: 0 }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.at <= now
    }

    /// It was sent: the next time.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.at = now + (FIRST_WAIT * (1 << self.tries.min(4))).min(LONGEST_WAIT);
        self.tries = self.tries.saturating_add(1);
    }
}

impl<'s> Uplink<'s> {
    /// The uplink of this box. Nothing leaves it before [`Self::start`].
    pub fn new(memory: &'s mut Memory, factory: &Factory) -> Self {
        Self {
            memory,
            box_id: factory.box_id,
            boot: 0,
            started: false,
            config: Config::new(factory.box_id, factory.config_key),
            outbox: Outbox::new(),
            firmware: Firmware::new(),
            link: None,
            asked: None,
            told: None,
            next: None,
            counters: Counters::default(),
        }
    }

    /// A setting was read from the store, before [`Self::start`]. False: it is another's.
    pub fn restore(&mut self, key: Key, bytes: &[u8]) -> bool {
        let file = key.as_file();
        if let Some(at) = file {
            self.firmware.restore(at, bytes);
        }
        file.is_some()
    }

    /// The store was read, and the site with it. What it found wrong becomes an event each.
    pub fn start(&mut self, now: Instant, at: Stamp, loaded: &Loaded, site: &Site) {
        self.boot = loaded.boot;
        self.started = true;
        self.config.start(loaded.committed.clone(), loaded.usable);
        self.outbox.start(now, loaded.boot, loaded.queued);
        self.find_firmware(now, site);
        self.firmware.start();
        for alarm in &loaded.alarms {
            self.event(
                now,
                at,
                EventBody::Alarm {
                    alarm: *alarm,
                    raised: true,
                },
            );
        }
    }

    /// The MQTT connection is open and subscribed.
    pub fn connected(&mut self, now: Instant) {
        self.link = Some(Link {
            hello: Repeat::new(now),
            welcomed: false,
        });
        self.config.connected(now);
        self.outbox.connected(now);
        self.firmware.connected(now);
    }

    /// The MQTT connection is closed.
    pub fn disconnected(&mut self, _now: Instant) {
        self.link = None;
        if matches!(self.next, Some(Next::Publish(_) | Next::Reconnect)) {
            self.next = None;
        }
    }

    /// The host had no room for what was to be published last.
    pub fn dropped(&mut self, now: Instant) {
        self.firmware.dropped(now);
    }

    /// A message came. One that is not for the uplink itself is returned. `wall` is the wall clock in milliseconds since 1970, where
    /// it is known.
    pub fn message(&mut self, now: Instant, wall: Option<u64>, topic: &str, payload: &[u8]) -> Option<Order> {
        let leaf = match Topic::parse(topic) {
            Some(Topic::Down(to, leaf)) if to == self.box_id && self.started => leaf,
            _ => {
                self.counters.ignored += 1;
                return None;
            }
        };
        let mut order = None;
        let known = match leaf {
            Down::AppAck => AppAck::decode(payload).map(|ack| self.app_ack(now, ack)).is_ok(),
            Down::Manifest => {
                self.config.manifest(now, wall, payload);
                true
            }
            Down::Chunk => match Chunk::decode(payload) {
                Ok(chunk) => {
                    self.firmware.give_way(now);
                    self.config.chunk(&chunk, &mut self.memory.chunk)
                }
                Err(_) => false,
            },
            Down::FileChunk => match FileChunk::decode(payload) {
                Ok(chunk) if self.config.is_idle() => self.firmware.chunk(&chunk, &mut self.memory.chunk),
                _ => false,
            },
            Down::TestLine => {
                order = TestLine::decode(payload).ok().map(Order::TestLine);
                order.is_some()
            }
            Down::Hub => {
                order = HubOrder::decode(payload).ok().map(Order::Hub);
                order.is_some()
            }
        };
        if !known {
            self.counters.ignored += 1;
        }
        order
    }

    fn app_ack(&mut self, now: Instant, ack: AppAck) {
        self.told = Some(ack.unix);
        if let Some(link) = self.link.as_mut().filter(|link| !link.welcomed) {
            // Not all boxes at the same moment.
            let rest = REST + Duration::from_millis(self.box_id.0 % 60_000);
            *link = Link {
                hello: Repeat::new(now + rest),
                welcomed: true,
            };
        }
        if let Some(up_to) = ack.up_to {
            self.outbox.acknowledged(up_to, self.memory.batch.as_ref());
        }
    }

    /// Writes an event down; it will be in the cloud's database exactly once. False if there was no room: it is lost,
    /// and counted, and the cloud will be told how many were.
    pub fn event(&mut self, _now: Instant, at: Stamp, body: EventBody) -> bool {
        let taken = self.memory.waiting.push(at, &body);
        if !taken {
            self.outbox.refuse(&mut self.counters);
        }
        taken
    }

    /// An operation under [`TOKEN`] has ended. A new configuration is read over the one in use, `site`.
    pub fn stored(&mut self, now: Instant, done: Done, site: &mut Site) -> Change {
        if done.token != TOKEN {
            return Change::Nothing;
        }
        if done.result.is_err() {
            self.counters.faults += 1;
        }
        match self.asked.take() {
            None => Change::Nothing,
            Some(Asked::Outbox) => {
                self.outbox
                    .stored(now, done.result, self.memory, &mut self.counters);
                Change::Nothing
            }
            Some(Asked::Firmware) => {
                let before = self.firmware.here();
                self.firmware.stored(now, done.result);
                match self.firmware.here() == before {
                    true => Change::Nothing,
                    false => Change::Firmware,
                }
            }
            Some(Asked::Config) => {
                let change = self.config.stored(now, done.result, site);
                if change != Change::Nothing {
                    self.find_firmware(now, site);
                }
                change
            }
        }
    }

    /// Looks up the firmware of a site in use. Of one that cannot be read nothing is known: what is there stays.
    fn find_firmware(&mut self, now: Instant, site: &Site) {
        let is_settled = self.config.is_settled() && !self.config.is_lost();
        self.firmware.configure(now, &site.sys.firmware, is_settled);
    }

    /// The models whose firmware is there for their phones.
    pub fn firmware(&self) -> Models {
        self.firmware.here()
    }

    /// What is to be told of the phones' firmware, if there is room to.
    pub fn firmware_news(&mut self) -> Option<EventBody> {
        let may_tell = self.started && self.has_room() && self.config.is_settled();
        if may_tell { self.firmware.news() } else { None }
    }

    /// The site is what is committed: not one that is on its way, and may be refused yet.
    pub fn is_settled(&self) -> bool {
        self.config.is_settled()
    }

    /// The site is neither the old one nor the new one: nobody may look at it, and the store's answers alone go on.
    pub fn is_between(&self) -> bool {
        self.config.is_between()
    }

    /// A configuration is committed and cannot be used.
    pub fn is_lost(&self) -> bool {
        self.config.is_lost()
    }

    /// The next [`Self::stored`] begins to overwrite the site.
    pub fn is_about_to_read(&self) -> bool {
        self.asked == Some(Asked::Config) && self.config.is_about_to_read()
    }

    /// Is half of the room for events that wait for the flash in use? Then they go before all else; a phone that waits for its
    /// 200 goes before fewer.
    pub fn is_pressed(&self) -> bool {
        self.memory.waiting.is_half_full() && self.asked.is_none()
    }

    /// Is there something to do? If so, [`Self::output`] tells what.
    pub fn poll(&mut self, now: Instant) -> bool {
        if self.next.is_none() && self.started {
            self.next = self.next_store(now).or_else(|| self.next_publish(now));
        }
        self.next.is_some()
    }

    /// What to do.
    pub fn output(&mut self) -> Option<Output<'_>> {
        Some(match self.next.take()? {
            Next::Publish(leaf) => Output::Publish {
                topic: Topic::Up(self.box_id, leaf).name(),
                payload: &self.memory.payload,
            },
            Next::Store(op) => Output::Store(op),
            Next::Reconnect => Output::Reconnect,
        })
    }

    fn next_store(&mut self, now: Instant) -> Option<Next> {
        if self.asked.is_some() {
            return None;
        }
        let welcomed = self.link.as_ref().is_some_and(|link| link.welcomed);
        let events = match self.config.is_between() {
            true => None,
            false => self.outbox.op(now, welcomed, self.memory),
        };
        let (asked, op) = if let Some(op) = events {
            (Asked::Outbox, op)
        } else if let Some(op) = self.config.op(self.memory) {
            (Asked::Config, op)
        } else if self.config.is_idle() {
            (Asked::Firmware, self.firmware.op(now, self.memory)?)
        } else {
            return None;
        };
        self.asked = Some(asked);
        Some(Next::Store(op))
    }

    fn next_publish(&mut self, now: Instant) -> Option<Next> {
        let link = self.link.as_mut()?;
        if link.hello.is_due(now) {
            link.welcomed = false;
            if link.hello.tries == HELLOS {
                link.hello.sent(now);
                link.hello.tries = 0;
                return Some(Next::Reconnect);
            }
            link.hello.sent(now);
            return self.hello();
        }
        if !link.welcomed {
            return None;
        }
        if let Some(leaf) = self
            .config
            .publish(now, &mut self.counters, &mut self.memory.payload)
        {
            return Some(Next::Publish(leaf));
        }
        if self.outbox.publish(now, self.memory) {
            return Some(Next::Publish(Up::Events));
        }
        if self.config.is_idle()
            && let Some(leaf) = self.firmware.publish(now, &mut self.memory.payload)
        {
            return Some(Next::Publish(leaf));
        }
        if self.config.take_lost() | self.outbox.take_lost() {
            // The cloud answers nothing any more: ask whether it is there at all.
            let link = self.link.as_mut()?;
            *link = Link {
                hello: Repeat::new(now),
                welcomed: false,
            };
            return self.next_publish(now);
        }
        None
    }

    fn hello(&mut self) -> Option<Next> {
        let (epoch, root) = self.config.in_use();
        let mut firmware = String::new();
        // Shorter than 32 characters.
        let _ = firmware.push_str(env!("CARGO_PKG_VERSION"));
        let hello = Hello {
            protocol: PROTOCOL,
            boot: self.boot,
            epoch,
            root,
            firmware,
            rx_max: RX_MAX as u16,
            queued: self.outbox.queued(),
            refused: self.counters.refused,
        };
        write(&hello, &mut self.memory.payload).then_some(Next::Publish(Up::Hello))
    }

    /// Tells the cloud what is at the ports of the hub, if it listens and nothing else is under way; false if not.
    pub fn tell_hub(&mut self, report: &HubReport) -> bool {
        let is_free = self.is_welcomed() && self.next.is_none();
        if is_free && write(report, &mut self.memory.payload) {
            self.next = Some(Next::Publish(Up::Hub));
        }
        is_free && self.next.is_some()
    }

    /// When [`Self::poll`] has to be called at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let mut earliest = None;
        let mut consider = |at: Option<Instant>| {
            earliest = match (earliest, at) {
                (Some(a), Some(b)) => Some(if a < b { a } else { b }),
                (a, b) => a.or(b),
            };
        };
        if let Some(link) = &self.link {
            consider(Some(link.hello.at));
            if link.welcomed {
                consider(self.config.next_deadline());
                consider(self.outbox.next_publish(self.memory.batch.as_ref().is_some()));
                consider(self.firmware.next_publish().filter(|_| self.config.is_idle()));
            }
        }
        if self.asked.is_none() {
            consider(self.firmware.next_op().filter(|_| self.config.is_idle()));
            consider(self.outbox.next_op(!self.memory.waiting.is_empty()));
        }
        earliest.filter(|_| self.started)
    }

    /// The time as the cloud has just told it, milliseconds since 1970; once.
    pub fn told_time(&mut self) -> Option<u64> {
        self.told.take()
    }

    /// The configuration in use, as committed.
    pub fn committed(&self) -> Option<&Committed> {
        self.config.committed()
    }

    /// The cloud answers on the present connection.
    pub fn is_welcomed(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.welcomed)
    }

    /// Events in the flash queue.
    pub fn queued(&self) -> u32 {
        self.outbox.queued()
    }

    /// The cloud has every event that was not refused.
    pub fn is_empty(&self) -> bool {
        self.queued() == 0 && self.memory.waiting.is_empty() && self.memory.batch.as_ref().is_none()
    }

    /// Whether an event is taken, as far as can be told: the last one that was refused is told, and there is room.
    pub fn has_room(&self) -> bool {
        !self.outbox.is_refusing() && !self.memory.waiting.is_half_full()
    }

    /// Whether events are on their way into the flash.
    pub fn is_writing(&self) -> bool {
        !self.memory.waiting.is_empty()
    }

    /// Counted refusals.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

/// Writes a message into the payload; false if it does not fit (none that is written here does not).
fn write<'a>(message: &impl Message<'a>, payload: &mut Vec<u8, TX_MAX>) -> bool {
    let capacity = payload.capacity();
    let _ = payload.resize(capacity, 0);
    match message.encode(payload).map(<[u8]>::len) {
        Ok(len) => {
            payload.truncate(len);
            true
        }
        Err(_) => {
            payload.clear();
            false
        }
    }
}
