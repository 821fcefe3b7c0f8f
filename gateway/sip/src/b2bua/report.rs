//! What whoever asked for a transfer is told of it, by NOTIFY (RFC 3515 §2.4.4).

use super::*;

/// What whoever asked for a transfer is told (RFC 3515 §2.4.4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    /// Its leg.
    pub leg: Key,
    /// Another leg of the same side: of the call that it had beside this one.
    pub other: Key,
    /// It wants to be told.
    pub wanted: bool,
    /// 100 to 699.
    status: u16,
    /// It is the last word.
    last: bool,
    /// There is no NOTIFY with it yet.
    due: bool,
    /// Status and whether it is the last word, in the NOTIFY on its way.
    said: (u16, bool),
}

impl Report {
    /// Nothing was told yet.
    pub fn new(leg: Key, other: Option<Key>, wanted: bool) -> Self {
        Self {
            leg,
            other: other.unwrap_or(Key::NONE),
            wanted,
            status: 100,
            last: false,
            due: false,
            said: (100, false),
        }
    }
}

impl<M> Calls<'_, M> {
    /// Tells whoever departs from this call what has become of it: 100 to 699, `last` with what it is over.
    pub fn report(&mut self, now: Instant, call: Key, status: u16, last: bool) {
        if let Some(report) = self.calls.get_mut(call).and_then(|call| call.report.as_mut()) {
            (report.status, report.last, report.due) = (status, last, report.wanted);
            if last && !report.wanted {
                self.forget_report(call);
            }
        }
        self.send_report(now, call);
    }

    fn forget_report(&mut self, call: Key) {
        if let Some(call) = self.calls.get_mut(call) {
            call.report = None;
        }
    }

    /// The call whose report goes to this leg.
    fn reports_to(&self, key: Key) -> Option<Key> {
        let own = self.legs.get(key)?.call;
        let linked = self.calls.get(own)?.link.map(|link| link.with);
        let fits = |call: &Key| {
            self.calls
                .get(*call)
                .and_then(|call| call.report)
                .is_some_and(|report| report.leg == key)
        };
        [Some(own), linked].into_iter().flatten().find(fits)
    }

    /// A NOTIFY, if one is due and the leg is free for it.
    fn send_report(&mut self, now: Instant, call: Key) {
        let Some(report) = self
            .calls
            .get(call)
            .and_then(|call| call.report)
            .filter(|report| report.due)
        else {
            return;
        };
        let Some(leg) = self.legs.get(report.leg).filter(|leg| leg.state == State::Up) else {
            return self.forget_report(call);
        };
        if leg.asking.is_some() {
            return;
        }
        self.ask(now, report.leg, Asking::Notify, Priority::Reserved);
        if let Some(report) = self.calls.get_mut(call).and_then(|call| call.report.as_mut()) {
            report.due = false;
            report.said = (report.status, report.last);
        }
    }

    /// What the NOTIFY to this leg says: the status, and whether it is the last word.
    pub(super) fn reported(&self, key: Key) -> Option<(u16, bool)> {
        Some(self.calls.get(self.reports_to(key)?)?.report?.said)
    }

    /// A request to a leg has its answer: what waited for that.
    pub(super) fn on_reported(&mut self, now: Instant, key: Key) {
        let Some(call) = self.reports_to(key) else { return };
        let Some(report) = self.calls.get(call).and_then(|call| call.report) else {
            return;
        };
        if report.due {
            return self.send_report(now, call);
        }
        if report.last {
            self.forget_report(call);
            if self.linked(call).is_some() && self.staying(call).is_none() {
                self.leave(now, report.leg);
            }
        }
    }
}
