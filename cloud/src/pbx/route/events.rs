//! What happens to calls on their way.

use shared::record::Stamp;
use sip::Instant;
use sip::b2bua::{Cause, Event};
use sip::pool::Key;

use super::{ABSENT, BUSY, Pbx, Relays};
use crate::pbx::{Kind, Peer, Queued};

impl<R: Relays> Pbx<R> {
    pub(in crate::pbx) fn on_event(&mut self, now: Instant, event: Event) {
        let stamp = self.stamp(now);
        match event {
            Event::Progress { call, status, .. } => self.on_progress(now, call, status, stamp),
            Event::Failed { call, leg, .. } => {
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.branches.retain(|(_, branch)| *branch != leg);
                }
            }
            Event::Exhausted { call, status } => self.on_exhausted(now, call, status),
            Event::Answered { call, leg } => {
                self.calls.set_deadline(call, None);
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.answered = Some(stamp);
                    let branches = std::mem::take(&mut meta.branches);
                    meta.answered_by = branches.iter().find_map(|(peer, branch)| match peer {
                        Peer::Phone(line) if *branch == leg => Some(line.key),
                        _ => None,
                    });
                }
            }
            // The cloud transfers nobody.
            Event::Joined { .. } | Event::Parted { .. } => {}
            Event::Deadline { call } if self.is_announcing(call) => self.on_played(now, call),
            Event::Deadline { call } => {
                let Some(meta) = self.calls.meta(call) else { return };
                let (status, cause) = match meta.kind {
                    _ if meta.progressed => (480, Cause::NO_ANSWER),
                    // No way out: a box can say so to the caller.
                    Kind::Outgoing => (503, Cause::OUT_OF_ORDER),
                    Kind::Incoming | Kind::Internal => (480, ABSENT),
                };
                self.nobody_answers(now, call, status, Some(cause));
            }
            Event::Ended { call, end } => {
                self.guard(now, call);
                let elsewhere = self.calls.cause(call) == Some(Cause::COMPLETED_ELSEWHERE);
                if let Some(meta) = self.calls.meta(call) {
                    for leg in meta.legs(stamp, end, elsewhere) {
                        self.out.push_back(Queued::Record(meta.contract, Box::new(leg)));
                    }
                }
                self.media.close(call);
            }
        }
    }

    fn on_progress(&mut self, now: Instant, call: Key, status: u16, stamp: Stamp) {
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        if status >= 180 && meta.ringing.is_none() {
            meta.ringing = Some(stamp);
        }
        if !std::mem::replace(&mut meta.progressed, true) {
            let limit = now + Self::patience(meta);
            self.calls.set_deadline(call, Some(limit));
        }
    }

    fn on_exhausted(&mut self, now: Instant, call: Key, status: u16) {
        let Some(kind) = self.calls.meta(call).map(|meta| meta.kind) else {
            return;
        };
        let (status, cause) = match (kind, status) {
            (Kind::Outgoing, 408) => (504, Some(Cause::OUT_OF_ORDER)),
            // A challenge or a redirection of the carrier's is nothing a box could answer.
            (Kind::Outgoing, 300..=399 | 401 | 407) => (500, None),
            (Kind::Outgoing, _) => (status, None),
            (_, 486 | 600 | 603) => (486, Some(BUSY)),
            (_, 503) => (480, Some(Cause::OUT_OF_ORDER)),
            (_, 300..=399 | 401 | 407 | 408) => (480, Some(ABSENT)),
            _ => (status, None),
        };
        self.nobody_answers(now, call, status, cause);
    }

    /// Somebody is away: what rings only there is over at once, elsewhere it goes on ringing.
    pub(in crate::pbx) fn stop_ringing(&mut self, now: Instant, peer: Peer) {
        let calls: Vec<Key> = self
            .calls
            .iter()
            .filter(|(_, meta, _)| meta.branches.iter().any(|(at, _)| *at == peer))
            .map(|(call, ..)| call)
            .collect();
        for call in calls {
            let Some(meta) = self.calls.meta_mut(call) else {
                continue;
            };
            let branches = std::mem::take(&mut meta.branches);
            let (lost, left): (Vec<_>, Vec<_>) = branches.into_iter().partition(|(at, _)| *at == peer);
            let alone = left.is_empty();
            meta.branches = left;
            for (_, leg) in lost {
                self.calls.cancel(now, leg, Some(Cause::OUT_OF_ORDER));
            }
            if alone {
                self.nobody_answers(now, call, 480, Some(Cause::OUT_OF_ORDER));
            }
        }
    }
}
