//! What became of a call: its times, its way on, its records.

use core::time::Duration;

use shared::record::{CallLeg, Direction, FinalState, Side as Writer};
use shared::sync::EventBody;
use sip::Instant;
use sip::b2bua::{Cause, End, Event, Protocol, Side};
use sip::pool::Key;

use super::ringing::terminal;
use super::{ABSENT, BARRED, Kind, Meta, UNALLOCATED};
use crate::Gateway;
use crate::budget::RING_MS;
use crate::io::MediaOutput;

impl Gateway<'_> {
    /// The line is away: what waits for the cloud's first word waits no more.
    pub(crate) fn on_line_gone(&mut self, now: Instant) {
        let waits = |meta: &Meta, talking: bool| {
            meta.kind == Kind::Outgoing && !meta.progressed && meta.player.is_none() && !talking
        };
        self.each_call(waits, |gateway, call| {
            gateway.calls.set_deadline(call, Some(now));
        });
    }

    /// What became of a call.
    pub(crate) fn on_call_event(&mut self, now: Instant, event: Event) {
        let stamp = self.stamp(now);
        match event {
            Event::Progress { call, status, .. } => {
                let Some(meta) = self.calls.meta_mut(call) else {
                    return;
                };
                if status >= 180 && meta.ringing.is_none() {
                    meta.ringing = Some(stamp);
                }
                if meta.kind == Kind::Outgoing && !core::mem::replace(&mut meta.progressed, true) {
                    self.link.answered(now);
                    let limit = now + Duration::from_millis(RING_MS);
                    self.calls.set_deadline(call, Some(limit));
                }
            }
            Event::Failed { .. } => {}
            Event::Exhausted { call, status } => self.on_exhausted(now, call, status),
            Event::Answered { call, leg } => {
                let by = self.calls.leg_user(leg);
                self.calls.set_deadline(call, None);
                if let Some(key) = by.and_then(terminal) {
                    self.busy.begin(key);
                }
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.answered = Some(stamp);
                    meta.answered_by = by;
                    if let Some(rings) = &mut meta.rings {
                        match by.and_then(terminal) {
                            Some(key) => _ = rings.answer(key),
                            None => rings.end(),
                        }
                    }
                    let is_transfer = meta.transfer.is_some();
                    if meta.kind == Kind::Outgoing {
                        self.link.answered(now);
                    }
                    if is_transfer {
                        self.try_join(now, call);
                    }
                }
            }
            Event::Joined { call, with } => self.on_joined(now, call, with),
            Event::Parted { call, status } => self.transfer_failed(now, call, status),
            Event::Deadline { call } => self.on_deadline(now, call),
            Event::Ended { call, end } => self.on_ended(now, call, end),
        }
    }

    fn on_deadline(&mut self, now: Instant, call: Key) {
        if self.on_forgotten(now, call) {
            return;
        }
        let Some(meta) = self.calls.meta(call) else { return };
        if meta.answered.is_some() {
            self.try_join(now, call);
        } else if meta.player.is_some() {
            self.after_announcement(now, call);
        } else if meta.kind == Kind::Outgoing && !meta.progressed {
            // The call fails over before the mode does. A late answer gets its ACK and BYE.
            self.on_silence(now);
            self.calls.cancel_all(now, call, Some(Cause::OUT_OF_ORDER));
            self.no_way_out(now, call);
        } else if meta.is_call_back() {
            self.after_call_back(now, call);
        } else {
            self.calls.refuse(now, call, 480, Some(Cause::NO_ANSWER));
        }
    }

    fn on_exhausted(&mut self, now: Instant, call: Key, status: u16) {
        let Some(meta) = self.calls.meta(call) else { return };
        if meta.is_call_back() && self.after_call_back(now, call) {
            return;
        }
        let Some(meta) = self.calls.meta(call) else { return };
        // The cloud is there, and its way to the outside is not.
        let beyond = self.calls.failure_cause(call) == Some(Cause::OUT_OF_ORDER.cause);
        let line_is_away = status == 504
            || matches!(status, 408 | 503) && (beyond || !meta.progressed || !self.link.is_tried());
        // Nothing but the called side's own word ends an emergency call without the announcement.
        let must_speak = meta.emergency && !matches!(status, 486 | 600 | 603);
        match meta.kind {
            Kind::Outgoing if line_is_away || must_speak => self.no_way_out(now, call),
            // A challenge or a redirection of the cloud's is nothing a phone could answer.
            Kind::Outgoing if matches!(status, 300..=399 | 401 | 407) => {
                self.calls.refuse(now, call, 500, None)
            }
            Kind::Outgoing => {
                let cause = self.calls.failure_cause(call).and_then(q850);
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.verdict = (status, cause);
                }
                self.calls.refuse(now, call, status, cause);
            }
            // Phones say "not now" in several ways (403 is one maker's do-not-disturb).
            _ if matches!(status, 403 | 486 | 600 | 603) => self.calls.refuse(now, call, 486, None),
            _ if matches!(status, 300..=399 | 401 | 407 | 408 | 503) => {
                self.calls.refuse(now, call, 480, Some(ABSENT));
            }
            _ => self.calls.refuse(now, call, status, None),
        }
    }

    fn on_ended(&mut self, now: Instant, call: Key, end: End) {
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        let player = meta.player.take();
        let by = meta.answered_by.and_then(terminal);
        meta.caller
            .into_iter()
            .chain(by)
            .for_each(|key| self.busy.end(key));
        let (state, status) = match end {
            _ if meta.picks && meta.answered.is_none() => (FinalState::Cancelled, 487),
            End::HungUp(_) | End::Released => (FinalState::Answered, 200),
            End::Lost(_) => (FinalState::Lost, 200),
            End::Cancelled => (FinalState::Cancelled, 487),
            End::Refused(status) => {
                let state = match status {
                    486 if meta.verdict.1 == Some(Cause::NO_CHANNEL) => FinalState::ChannelLimit,
                    486 | 600 => FinalState::Busy,
                    480 if meta.ringing.is_some() => FinalState::NotAnswered,
                    480 | 503 => FinalState::Unavailable,
                    _ => FinalState::Refused(status),
                };
                (state, status)
            }
        };
        let transfer = meta.transfer;
        for side in [Side::Caller, Side::Callee] {
            self.write_record(now, call, side, state, status);
        }
        if let Some(player) = player {
            self.media(MediaOutput::Stop { player });
            self.play_hold_tone_again();
        }
        self.after_transfer(now, call, transfer, status);
    }

    /// Writes down what a leg of a call was, once: when it is over, or when its side has left for another call.
    pub(super) fn write_record(
        &mut self,
        now: Instant,
        call: Key,
        side: Side,
        state: FinalState,
        status: u16,
    ) {
        let ended = self.stamp(now);
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        let (leg, direction, terminal) = match side {
            Side::Caller => (meta.leg, Direction::In, meta.caller),
            Side::Callee if meta.answered_by.is_none() => return,
            Side::Callee => (meta.leg + 1, Direction::Out, meta.answered_by.and_then(terminal)),
        };
        let [caller, callee] = &mut meta.written;
        let written = if side == Side::Caller { caller } else { callee };
        if core::mem::replace(written, true) {
            return;
        }
        let record = CallLeg {
            session: meta.session,
            leg,
            side: Writer::Box,
            direction,
            from: meta.from.clone(),
            to: meta.to.clone(),
            presented: meta.presented,
            terminal,
            started: meta.started,
            ringing: meta.ringing,
            answered: meta.answered,
            ended,
            state,
            status,
        };
        self.tell(now, EventBody::CallLeg(record));
    }
}

/// A cause of Q.850 as it is passed on.
fn q850(cause: u16) -> Option<Cause> {
    let text = match cause {
        17 => "User busy",
        18 => "No user responding",
        27 => "Destination out of order",
        28 => "Invalid number format",
        41 => "Temporary failure",
        42 => "Switching equipment congestion",
        _ => {
            let known = [
                UNALLOCATED,
                BARRED,
                ABSENT,
                Cause::NO_CHANNEL,
                Cause::OUT_OF_ORDER,
                Cause::NO_ANSWER,
            ];
            return known.into_iter().find(|known| known.cause == cause);
        }
    };
    Some(Cause {
        protocol: Protocol::Q850,
        cause,
        text,
    })
}
