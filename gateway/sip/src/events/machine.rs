//! When a subscription sends its NOTIFY, again or anew, and when it ends: the client transaction of RFC 3261 §17.1.2 with
//! what RFC 6665 §4.2.2 makes of its end.

use super::{Due, Reason, Subscription, Subscriptions, Word};
use crate::fields::number;
use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::pool::{Key, Timed};
use crate::time::Instant;
use crate::transaction::Timers;
use core::time::Duration;

/// After a NOTIFY that nobody answered the next one waits so long, then twice as long, and so on, at most 16 times.
const BACK_OFF: Duration = Duration::from_secs(30);

/// A moment in steps of 64 ms, rounded up: in four bytes for eight years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(2))]
pub(super) struct Tick(u32);

impl Tick {
    const MS: u64 = 64;

    pub fn at(moment: Instant) -> Self {
        Self(u32::try_from(moment.as_millis().div_ceil(Self::MS)).unwrap_or(u32::MAX))
    }

    pub fn moment(self) -> Instant {
        Instant::from_millis(u64::from(self.0) * Self::MS)
    }
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    /// How often the NOTIFY on its way was sent; 0: none is.
    sent: u8,
    /// How many in a row nobody answered.
    unanswered: u8,
    /// There is something to be told.
    pub is_new: bool,
    /// The way to the subscriber repeats by itself.
    pub is_reliable: bool,
    /// It is over, but for its last NOTIFY.
    pub over: Option<Reason>,
}

impl Phase {
    /// After a SUBSCRIBE. A NOTIFY that is still on its way says what is not so any more.
    pub fn granted(expires: Duration) -> Self {
        Self {
            sent: 0,
            unanswered: 0,
            is_new: true,
            is_reliable: false,
            over: expires.is_zero().then_some(Reason::Timeout),
        }
    }

    pub fn end(&mut self, reason: Reason) {
        self.is_new = true;
        self.over = self.over.or(Some(reason));
    }

    /// Over and told, or nobody is there to be told.
    fn is_done(&self) -> bool {
        self.over.is_some() && !self.is_new && self.sent == 0
    }
}

/// How long to wait after the `sent`-th time a request went out (timer E); `None`: the time of its transaction is over
/// (timer F).
fn wait(sent: u8, timers: &Timers, is_reliable: bool) -> Option<Duration> {
    let patience = timers.t1 * 64;
    if is_reliable {
        return (sent <= 1).then_some(patience);
    }
    let (mut passed, mut interval) = (Duration::ZERO, timers.t1);
    for _ in 1..sent {
        passed += interval;
        interval = (interval * 2).min(timers.t2);
    }
    let left = patience.saturating_sub(passed);
    (!left.is_zero()).then(|| interval.min(left))
}

impl Timed for Subscription {
    fn wake(&self) -> Instant {
        let told = if self.phase.is_new || self.phase.sent > 0 {
            self.next.moment()
        } else {
            Instant::NEVER
        };
        match self.phase.over {
            None => told.min(self.expires.moment()),
            Some(_) => told,
        }
    }
}

impl Subscription {
    /// What the time alone brings: the end of the subscription, and of the wait for an answer.
    fn woken(&mut self, now: Instant, timers: &Timers) {
        let Phase {
            sent,
            unanswered,
            is_reliable,
            ..
        } = self.phase;
        if self.phase.over.is_none() && self.expires.moment() <= now {
            self.phase.end(Reason::Timeout);
            // Who did not answer before is not waited for.
            self.phase.is_new = unanswered == 0;
        }
        if sent > 0 && self.next.moment() <= now && wait(sent + 1, timers, is_reliable).is_none() {
            self.failed(now, Duration::ZERO);
        }
    }

    /// No answer, or none that says yes: later again, and the subscription lasts as long as it was granted.
    fn failed(&mut self, now: Instant, at_least: Duration) {
        let wait = BACK_OFF * (1 << self.phase.unanswered.min(4));
        self.phase.sent = 0;
        self.phase.unanswered = self.phase.unanswered.saturating_add(1);
        self.phase.is_new = self.phase.over.is_none();
        self.next = Tick::at(now + wait.max(at_least));
    }
}

impl Subscriptions<'_> {
    /// The next NOTIFY to be sent: [`Subscriptions::notify`]. One that is not written counts as lost. Call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Due> {
        let timers = self.config.timers;
        let (key, sub) = loop {
            let (key, wake) = self.table.first()?;
            if now < wake.max(self.paced) {
                return None;
            }
            // Who has waited longest.
            let sub = self.table.get_mut(key)?;
            sub.woken(now, &timers);
            if sub.phase.is_done() {
                self.remove(key);
            } else if sub.wake() > now {
                self.table.schedule(key);
            } else {
                break (key, self.table.get_mut(key)?);
            }
        };
        if core::mem::take(&mut sub.phase.is_new) {
            sub.seq = Word(sub.seq.0.wrapping_add(1));
        } else {
            self.counters.repeated = self.counters.repeated.wrapping_add(1);
        }
        sub.phase.sent = sub.phase.sent.saturating_add(1);
        sub.next = Tick::at(now + wait(sub.phase.sent, &timers, false).unwrap_or_default());
        let due = Due {
            key,
            user: sub.user.0,
            version: sub.seq.0.wrapping_sub(1),
        };
        self.table.schedule(key);
        self.paced = now + self.config.pace;
        self.counters.sent = self.counters.sent.wrapping_add(1);
        Some(due)
    }

    /// When [`Subscriptions::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.table.first().map(|(_, wake)| wake.max(self.paced))
    }

    /// The flow that a NOTIFY leaves on repeats by itself: it is sent once (RFC 3261 §17.1.2.2).
    pub(super) fn sent_once(&mut self, now: Instant, key: Key) {
        let timers = self.config.timers;
        if let Some(sub) = self.table.get_mut(key) {
            sub.phase.is_reliable = true;
            sub.next = Tick::at(now + wait(1, &timers, true).unwrap_or_default());
        }
        self.table.schedule(key);
    }

    /// Takes an answer. False: it is none to a NOTIFY of a subscription here.
    pub fn receive(&mut self, now: Instant, message: &Message<'_>) -> bool {
        let (Some(status), Some(cseq), Some(tag)) = (
            message.status(),
            message.cseq(),
            message.from().and_then(|from| from.tag()),
        ) else {
            return false;
        };
        let Some((key, sub)) = self.by_tag(tag).filter(|_| cseq.method == Method::Notify) else {
            return false;
        };
        let is_last = sub.phase.sent > 0 && sub.seq.0 == cseq.seq;
        let branch = message.via().and_then(|via| via.branch);
        if !is_last || branch != Some(self.branch(key, cseq.seq).as_bytes()) {
            return true;
        }
        let (gap, t2) = (self.config.gap, self.config.timers.t2);
        let Some(sub) = self.table.get_mut(key) else {
            return true;
        };
        match status {
            ..200 => sub.next = Tick::at(now + t2),
            200..300 => {
                sub.phase.sent = 0;
                sub.phase.unanswered = 0;
                sub.next = Tick::at(now + gap);
            }
            // There is no such subscription, or never will be (RFC 6665 §4.2.2, RFC 5057 §5.1).
            404 | 405 | 410 | 416 | 481 | 482 | 484 | 485 | 489 | 501 | 604 => {
                sub.phase.end(Reason::NoResource);
                sub.phase.is_new = false;
                sub.phase.sent = 0;
            }
            _ => {
                let retry = message.header(Name::RetryAfter).and_then(number).unwrap_or(0);
                sub.failed(now, Duration::from_secs(retry.into()));
            }
        }
        match sub.phase.is_done() {
            true => self.remove(key),
            false => self.table.schedule(key),
        }
        true
    }
}
