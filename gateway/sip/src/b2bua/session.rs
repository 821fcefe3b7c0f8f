//! Session timers (RFC 4028), of each leg by itself: neither side's depends on the other one being there. A leg whose session is
//! refreshed by us gets an UPDATE without a description, or, where that is not understood, a re-INVITE with the one it has; a
//! leg that does not refresh its own is hung up.

use super::*;
use crate::fields;
use core::fmt::{self, Display, Formatter};

/// The shortest session that is agreed to, seconds (RFC 4028 §5).
pub(super) const MIN_SE: u16 = 90;
/// What those are asked for whom we call, seconds.
const USUAL: u16 = 1_800;
/// A refresh that could not be sent, or found no ear, is tried again after this.
pub(super) const LATER: Duration = Duration::from_secs(5);

/// Who keeps a session alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresher {
    Us,
    Them,
}

/// The session timer of a leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// Seconds; 0: there is none.
    interval: u16,
    /// What the other side has said is its shortest.
    min: u16,
    refresher: Refresher,
    /// What its last request asks for, which holds when that is granted.
    wanted: u16,
    wanted_of: Refresher,
    /// When it is over unless refreshed.
    expires: Instant,
}

/// What a message says of the session.
struct Said {
    seconds: u32,
    /// The refresher that is named: `uac`?
    uac: Option<bool>,
}

impl Said {
    fn by(message: &Message<'_>) -> Option<Self> {
        let item = message.item(Name::SessionExpires)?;
        let uac = item
            .params
            .get("refresher")
            .map(|who| who.eq_ignore_ascii_case(b"uac"));
        Some(Self {
            seconds: fields::number(item.value)?,
            uac,
        })
    }

    fn interval(&self) -> u16 {
        u16::try_from(self.seconds).unwrap_or(u16::MAX)
    }
}

/// Does a request ask for a session too short for us? Only who knows of session timers can be told so (§9).
pub(super) fn is_too_short(message: &Message<'_>) -> bool {
    message.supports("timer") && Said::by(message).is_some_and(|said| said.interval() < MIN_SE)
}

/// What one side is told when the other one says this: never a 422, which would have to say what is wanted of this one's own session
/// (§6).
pub(super) fn told(status: u16) -> u16 {
    match status {
        422 => 500,
        status => status,
    }
}

impl Session {
    pub const NONE: Self = Self {
        interval: 0,
        min: 0,
        refresher: Refresher::Us,
        wanted: 0,
        wanted_of: Refresher::Us,
        expires: Instant::NEVER,
    };

    /// What a leg's request asks for, by the table of §9. One that knows of timers and says nothing keeps what there is.
    pub fn asked(&mut self, message: &Message<'_>) {
        let knows = message.supports("timer");
        (self.wanted, self.wanted_of) = match Said::by(message) {
            Some(said) if said.interval() >= MIN_SE => match said.uac {
                Some(true) if knows => (said.interval(), Refresher::Them),
                _ => (said.interval(), Refresher::Us),
            },
            None if knows => (self.interval, self.refresher),
            _ => (0, Refresher::Us),
        };
    }

    /// What a leg agrees to in its 2xx (§7.2).
    pub fn agreed(&mut self, now: Instant, message: &Message<'_>) {
        let said = Said::by(message).filter(|said| said.interval() > 0);
        self.wanted = said.as_ref().map_or(0, Said::interval);
        self.wanted_of = match said.and_then(|said| said.uac) {
            Some(false) => Refresher::Them,
            _ => Refresher::Us,
        };
        self.begin(now);
    }

    /// It begins anew, as it is wanted.
    pub fn begin(&mut self, now: Instant) {
        (self.interval, self.refresher) = (self.wanted, self.wanted_of);
        self.expires = match self.interval {
            0 => Instant::NEVER,
            seconds => now + Duration::from_secs(u64::from(seconds)),
        };
    }

    /// A 422: the other side wants at least so much (§7.4). False: it has had that already.
    pub fn raise(&mut self, message: &Message<'_>) -> bool {
        let min = message
            .number(Name::MinSe)
            .and_then(|min| u16::try_from(min).ok());
        let Some(min) = min.filter(|min| *min > self.min) else {
            return false;
        };
        self.min = min;
        if self.interval != 0 {
            self.interval = self.interval.max(min);
        }
        true
    }

    /// When there is something to do: to refresh it, half-way, or to hang up, a little before its end (§10).
    fn due(&self) -> Instant {
        let Some(seconds) = Some(u64::from(self.interval)).filter(|seconds| *seconds != 0) else {
            return Instant::NEVER;
        };
        let before = match self.refresher {
            Refresher::Us => seconds / 2,
            Refresher::Them => (seconds / 3).min(32),
        };
        Instant(self.expires.0.saturating_sub(1_000 * before))
    }

    /// The header lines of a request of ours. In the first of a dialog, without one yet, we ask for the usual.
    pub fn request(&self, w: &mut Writer<'_>, first: bool) {
        let (interval, who) = match self.interval {
            0 if first => (USUAL.max(self.min), "uac"),
            0 => return,
            interval if self.refresher == Refresher::Us => (interval, "uac"),
            interval => (interval, "uas"),
        };
        w.header(Name::SessionExpires, SessionExpires(interval, who));
        if self.min > MIN_SE {
            w.header(Name::MinSe, self.min);
        }
    }

    /// The header lines of our 200 to an UPDATE that has refreshed it.
    pub fn refreshed(&self, w: &mut Writer<'_>, flow: &Flow, message: &Message<'_>) {
        w.header(Name::Contact, Contact(flow));
        self.answer(w, message.supports("timer"));
    }

    /// The header lines of a 2xx of ours, to who knows of session timers or not.
    pub fn answer(&self, w: &mut Writer<'_>, knows: bool) {
        let who = match self.refresher {
            Refresher::Us => "uas",
            Refresher::Them => "uac",
        };
        if self.interval != 0 {
            if knows {
                w.header(Name::Require, "timer");
            }
            w.header(Name::SessionExpires, SessionExpires(self.interval, who));
        }
    }
}

struct SessionExpires(u16, &'static str);

impl Display for SessionExpires {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{};refresher={}", self.0, self.1)
    }
}

impl Leg {
    /// When to look at a dialog in which nothing is going on.
    pub(super) fn rest(&self, now: Instant, probe: Duration) -> Instant {
        (now + probe).min(self.session.due())
    }
}

impl<M> Calls<'_, M> {
    /// Nothing is going on with a leg any more.
    pub(super) fn rest(&mut self, now: Instant, key: Key) {
        let probe = self.config.probe;
        self.legs.time(key, |leg| leg.timer = leg.rest(now, probe));
    }

    /// Is nothing under way in a dialog that has its own time: an INVITE, or an answer that waits for its ACK?
    pub(super) fn is_idle(&self, key: Key) -> bool {
        let idle =
            |leg: &Leg| leg.state == State::Up && !leg.is_unacked() && !leg.inviting && leg.astray == 0;
        self.legs.get(key).is_some_and(idle) && !self.joins_again(key)
    }

    /// The session of a leg is due. False: it is not.
    pub(super) fn on_session(&mut self, now: Instant, key: Key) -> bool {
        let Some(leg) = self.legs.get(key) else {
            return false;
        };
        let session = leg.session;
        if now < session.due() {
            return false;
        }
        if session.refresher == Refresher::Them || now >= session.expires {
            let (call, side) = (leg.call, leg.side);
            match self.is_part(key) {
                true => self.end(now, call, End::Lost(side), Some(Cause::EXPIRED)),
                false => self.bye(now, key, Some(Cause::EXPIRED)),
            }
        } else if !self.refresh(now, key) {
            self.legs.time(key, |leg| leg.timer = now + LATER);
        }
        true
    }

    /// Refreshes the session of a leg. False: not now.
    fn refresh(&mut self, now: Instant, key: Key) -> bool {
        let Some(leg) = self.legs.get(key).filter(|leg| leg.asking.is_none()) else {
            return false;
        };
        if leg.features.has(Features::UPDATE) {
            return self.ask(now, key, Asking::Refresh, Priority::Reserved);
        }
        self.refresh_by_invite(now, key)
    }

    /// Offers a leg what it has. False: not now.
    pub(super) fn refresh_by_invite(&mut self, now: Instant, key: Key) -> bool {
        let Some(leg) = self.legs.get(key) else {
            return false;
        };
        let call = self.calls.get(leg.call);
        let has_sdp = call.is_some_and(|call| !call.sdp(leg.side).is_empty());
        let quiet = self.is_quiet(key) && self.peer(key).is_none_or(|peer| self.is_quiet(peer));
        if !has_sdp || !quiet || !self.reinvite(now, key, false) {
            return false;
        }
        if let Some(leg) = self.legs.get_mut(key) {
            leg.refreshing = true;
        }
        true
    }

    /// A refresh was not taken.
    pub(super) fn on_refresh_refused(
        &mut self,
        now: Instant,
        key: Key,
        status: u16,
        message: &Message<'_>,
        by_update: bool,
    ) {
        let glare = self.glare(key);
        let Some(leg) = self.legs.get_mut(key) else { return };
        if leg.astray > 0 && !by_update && !matches!(status, 408 | 481) {
            leg.astray = match status {
                491 | 500 => leg.astray - 1,
                // It does not want back what it had: once is enough.
                _ => 0,
            };
            if leg.astray == 0 {
                return self.rest(now, key);
            }
        }
        let expires = leg.session.expires;
        let again = match status {
            // RFC 3261 §12.2.1.2: these end the dialog.
            408 | 481 => return self.dialog_lost(now, key),
            422 if leg.session.raise(message) => Duration::ZERO,
            491 => glare,
            // It said that it understood UPDATE.
            405 | 501 if by_update => {
                leg.features.remove(Features::UPDATE);
                Duration::ZERO
            }
            _ => match message.number(Name::RetryAfter) {
                Some(seconds) => Duration::from_secs(seconds.into()),
                None => LATER,
            },
        };
        if by_update && !self.is_idle(key) {
            return;
        }
        // Not later than its end.
        let at = (now + again).min(expires);
        self.legs.time(key, |leg| leg.timer = at);
    }

    /// How long to wait after an offer of ours has met one of the leg (RFC 3261 §14.1): 2.1 to 4 s where the Call-ID is ours, as
    /// it is towards those we have called, else up to 2 s.
    pub(super) fn glare(&mut self, key: Key) -> Duration {
        let random = Duration::from_millis(10 * (self.tx.unguessable() % 191));
        match self.legs.get(key).map(|leg| leg.side) {
            Some(Side::Callee) => Duration::from_millis(2_100) + random,
            _ => random,
        }
    }

    /// A 422 to an INVITE of ours: the same again, with what the other side wants. False: it has had that already.
    pub(super) fn invite_longer(&mut self, now: Instant, key: Key, message: &Message<'_>) -> bool {
        let Some(leg) = self.legs.get_mut(key) else {
            return false;
        };
        let (offerless, refreshing) = (leg.offerless, leg.refreshing);
        if !leg.session.raise(message) || !self.reinvite(now, key, offerless) {
            return false;
        }
        if let Some(leg) = self.legs.get_mut(key) {
            leg.refreshing = refreshing;
        }
        true
    }
}
