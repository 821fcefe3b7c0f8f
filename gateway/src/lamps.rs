//! Lamps: phones watch lines and mail boxes (RFC 6665), and the box alone tells them, in every mode of the line to the cloud.
//!
//! What is shown is what this box knows: the calls that pass through it. A phone of another site is seen while it talks to
//! somebody here.

mod shown;
mod watch;

use core::time::Duration;

use shared::id::IdKey;
use shared::site::Site;
use sip::events::{self, Event, Found, Subscriptions, accepts, dialog_info, summary};
use sip::transaction::Timers;
use sip::{Flow, Instant, Message, Name, pool};

use crate::{AGENT, Gateway, REPLY_MAX};
use shown::Shown;
use watch::{Line, Names, Package, Watch};

/// Shortest subscription that is granted; a phone that wants less gets 423 (RFC 6665 §4.2.1.1).
pub const EXPIRES_MIN: Duration = Duration::from_secs(60);
/// Longest subscription that is granted. A power cut ends all of them, and a phone learns of it by the 481 to its next refresh:
/// so long its lamps may be wrong.
pub const EXPIRES_MAX: Duration = Duration::from_secs(300);
/// Least time between two NOTIFYs of one subscription.
const GAP: Duration = Duration::from_millis(500);
/// Least time between any two NOTIFYs: 500 a second. When every lamp of 64 phones with 12 keys each changes at once, the last
/// of 768 is told after 1.6 s, and calls go on meanwhile.
const PACE: Duration = Duration::from_millis(2);
/// What may be watched.
const PACKAGES: &str = "dialog, message-summary";

/// What the phones watch.
pub(crate) struct Lamps<'s> {
    subscriptions: Subscriptions<'s>,
    /// What the lamps of all lines showed last.
    shown: Shown,
    /// What is watched, while the configuration changes.
    names: Names,
    /// Calls have changed since.
    pub is_due: bool,
}

impl<'s> Lamps<'s> {
    /// Nobody watches anything.
    pub fn new(storage: events::Storage<'s>, secret: [u64; 2]) -> Self {
        let config = events::Config {
            agent: AGENT,
            timers: Timers::default(),
            gap: GAP,
            pace: PACE,
        };
        Self {
            subscriptions: Subscriptions::new(storage, secret, config),
            shown: Shown::DARK,
            names: Names::NONE,
            is_due: false,
        }
    }

    /// Another configuration comes: this is what things are called now.
    pub fn remember(&mut self, old: &Site) {
        self.names = Names::of(old);
    }

    /// It is there: what is watched may have moved, or be gone.
    pub fn rename(&mut self, new: &Site) {
        let names = &self.names;
        let moved = |user| Some(Watch::from_bits(user)?.moved(names, new)?.to_bits());
        self.subscriptions.rename(moved);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.subscriptions.next_deadline()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.subscriptions.len()
    }

    pub fn counters(&self) -> events::Counters {
        self.subscriptions.counters()
    }
}

/// Why a SUBSCRIBE is refused.
struct No(u16);

impl From<events::Refusal> for No {
    fn from(refusal: events::Refusal) -> Self {
        No(refusal.status())
    }
}

impl Gateway<'_> {
    /// A SUBSCRIBE of a phone, its first or a later one.
    pub(crate) fn on_subscribe(&mut self, now: Instant, flow: Flow, message: &Message<'_>) {
        let event = message.header(Name::Event).and_then(Event::parse);
        let Some(package) = event.and_then(|event| Package::of(&event)) else {
            return self.refuse(flow, message, 489);
        };
        let known = match self.lamps.subscriptions.find(message) {
            Found::Gone => return self.refuse(flow, message, 481),
            Found::Overtaken => return self.refuse(flow, message, 500),
            // Its credentials were used, and it changes nothing.
            Found::Repeated(key) => return self.subscribed(now, flow, message, key),
            Found::Known(key) => Some(key),
            Found::New => None,
        };
        let Some(phone) = self.authenticate(now, flow, message) else {
            return;
        };
        match self.subscribe(now, flow, message, package, phone, known) {
            Ok(key) => self.subscribed(now, flow, message, key),
            Err(No(status)) => self.refuse(flow, message, status),
        }
    }

    fn refuse(&mut self, flow: Flow, message: &Message<'_>, status: u16) {
        self.reply(flow, message, status, |w| {
            match status {
                406 => {
                    let [dialog, summary] = [dialog_info::CONTENT_TYPE, summary::CONTENT_TYPE];
                    w.header(Name::Accept, format_args!("{dialog}, {summary}"));
                }
                420 => message.unsupported(&[]).for_each(|tag| {
                    w.header_bytes(Name::Unsupported, tag);
                }),
                423 => _ = w.header(Name::MinExpires, EXPIRES_MIN.as_secs()),
                489 => _ = w.header(Name::AllowEvents, PACKAGES),
                503 => _ = w.header(Name::RetryAfter, EXPIRES_MIN.as_secs()),
                _ => {}
            };
        });
    }

    /// Takes or refreshes what an ID's phone asks for.
    fn subscribe(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        package: Package,
        phone: IdKey,
        known: Option<pool::Key>,
    ) -> Result<pool::Key, No> {
        message
            .screen(&[])
            .map_err(|fault| No(fault.status().unwrap_or(400)))?;
        if !accepts(message, package.content_type()) {
            return Err(No(406));
        }
        // What a phone means that says nothing (RFC 4235 §3.4, RFC 3842 §3.4).
        let asked = Duration::from_secs(message.expires().unwrap_or(3_600).into());
        if !asked.is_zero() && asked < EXPIRES_MIN {
            return Err(No(423));
        }
        let expires = asked.min(EXPIRES_MAX);
        let place = self.registrar.place_of(phone, &flow).ok_or(No(403))?;
        let contact = message.remote_target().ok_or(No(400))?;
        let registered = self.registrar.at(place).map(|binding| binding.contact());
        let target = (registered != Some(contact)).then_some(contact);
        let lamps = &mut self.lamps.subscriptions;
        let Some(key) = known else {
            let watch = Watch::of(&self.site, message, phone, place, package).map_err(No)?;
            return Ok(lamps.subscribe(now, message, watch.to_bits(), expires, target)?);
        };
        let watch = lamps.user(key).and_then(Watch::from_bits).ok_or(No(481))?;
        // Somebody else's, or not what was subscribed to.
        if watch.phone != phone || watch.package != package {
            return Err(No(403));
        }
        lamps.refresh(now, key, message, expires, target)?;
        lamps.set_user(
            key,
            Watch {
                place: place as u8,
                ..watch
            }
            .to_bits(),
        );
        Ok(key)
    }

    fn subscribed(&mut self, now: Instant, flow: Flow, message: &Message<'_>, key: pool::Key) {
        let _ = self.reply.resize(REPLY_MAX, 0);
        let lamps = &self.lamps.subscriptions;
        match lamps.write_ok(now, key, &flow, message, &mut self.reply, |w| {
            w.header(Name::AllowEvents, PACKAGES);
        }) {
            Ok(len) => {
                self.reply.truncate(len);
                self.reply_to = Some(flow.answering(message));
            }
            Err(_) => self.counters.overflow += 1,
        }
    }

    /// A phone's answer to a NOTIFY. False: to something else.
    pub(crate) fn on_notified(&mut self, now: Instant, message: &Message<'_>) -> bool {
        self.lamps.subscriptions.receive(now, message)
    }

    /// A binding has gone, and with it whoever watched from there.
    pub(crate) fn on_phone_gone(&mut self, place: usize) {
        let lamps = &mut self.lamps.subscriptions;
        lamps.forget(|user| Watch::from_bits(user).is_none_or(|watch| usize::from(watch.place) == place));
    }

    /// The next NOTIFY: where it goes, and its length in `buffer`.
    pub(crate) fn poll_lamps(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Flow, usize)> {
        if core::mem::take(&mut self.lamps.is_due) && self.lamps.len() > 0 {
            let changed = self.lamps.shown.follow(&self.site, &self.calls);
            if changed.contains(&true) {
                let has_changed = |line: Line| changed.get(line.index()) == Some(&true);
                let lamps = &mut self.lamps.subscriptions;
                lamps.changed(|user| Watch::from_bits(user).is_some_and(|watch| has_changed(watch.line)));
            }
        }
        while let Some(due) = self.lamps.subscriptions.poll(now) {
            if let Some(sent) = self.notify(now, due, buffer) {
                return Some(sent);
            }
        }
        None
    }
}
