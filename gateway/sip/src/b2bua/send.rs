//! What goes out, and when.

use super::*;
use crate::transaction::Due;

impl<M> Calls<'_, M> {
    /// The next message to send or event to know; call until `None` after everything received or ordered, and at
    /// [`Calls::next_deadline`]. `buffer` takes one message: [`MESSAGE_MAX`] bytes hold any.
    pub fn poll(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Output> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Output::Event(event));
            }
            if let Some(event) = self.next_call(now) {
                return Some(Output::Event(event));
            }
            if let Some((flow, answer)) = self.paper.take_answer() {
                let len = answer.len();
                match buffer.get_mut(..len) {
                    Some(room) => {
                        room.copy_from_slice(answer);
                        return Some(Output::Transmit { flow, len });
                    }
                    None => self.counters.overflow += 1,
                }
            }
            if let Some((tx, user, status)) = self.again.take()
                && let Some(sent) = self.write_response(tx, Key::from_bits(user), status, buffer)
            {
                return Some(sent);
            }
            if let Some((leg, tx, cseq)) = self.late_ack.take()
                && let Some(branch) = self.tx.ack_branch(tx)
                && let Some(sent) = self.write_ack(branch, leg, cseq, true, buffer)
            {
                return Some(sent);
            }
            if let Some((leg, _)) = self.legs.first().filter(|(_, at)| *at <= now) {
                match self.on_time(now, leg, buffer) {
                    Some(sent) => return Some(sent),
                    None => continue,
                }
            }
            let due = self.tx.poll(now)?;
            if let Some(sent) = self.on_due(now, due, buffer) {
                return Some(sent);
            }
        }
    }

    /// When [`Calls::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let calls = self.calls.first().map(|(_, at)| at);
        let legs = self.legs.first().map(|(_, at)| at);
        [calls, legs, self.tx.next_deadline()].into_iter().flatten().min()
    }

    /// The next call that is over, or whose own time has come.
    fn next_call(&mut self, now: Instant) -> Option<Event> {
        loop {
            let (key, _) = self.calls.first().filter(|(_, at)| *at <= now)?;
            let call = self.calls.get_mut(key)?;
            let event = match call.end {
                None => {
                    call.deadline = Instant::NEVER;
                    Some(Event::Deadline { call: key })
                }
                Some(end) if !core::mem::replace(&mut call.told, true) => {
                    Some(Event::Ended { call: key, end })
                }
                Some(_) => {
                    call.settled = true;
                    None
                }
            };
            self.calls.schedule(key);
            if event.is_some() {
                return event;
            }
            self.settle(key);
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        if self.events.push_back(event).is_err() {
            self.counters.overflow += 1;
        }
    }

    fn on_due(&mut self, now: Instant, due: Due, buffer: &mut [u8]) -> Option<Output> {
        match due {
            Due::SendRequest { tx, user } => self.write_request(tx, Key::from_bits(user), buffer),
            Due::SendCancel { cancel, user, .. } => self.write_cancel(cancel, Key::from_bits(user), buffer),
            Due::SendAck { tx, user, .. } => {
                let (branch, cseq) = (self.tx.branch(tx)?, self.refused_cseq);
                self.write_ack(branch, Key::from_bits(user), cseq, false, buffer)
            }
            Due::SendResponse { tx, user, status } => {
                self.write_response(tx, Key::from_bits(user), status, buffer)
            }
            Due::TimedOut { tx, user } => {
                self.on_failed(now, tx, Key::from_bits(user), 408);
                None
            }
            Due::Unreachable { tx, user } => {
                self.on_failed(now, tx, Key::from_bits(user), 503);
                None
            }
            Due::Gone { user, tx } => {
                self.on_gone(tx, Key::from_bits(user));
                None
            }
        }
    }

    /// A transaction ended without an answer.
    fn on_failed(&mut self, now: Instant, tx: TxId, key: Key, status: u16) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        if leg.asking.is_some_and(|(asking, _)| asking == tx) {
            match leg.asking.take() {
                Some((_, Asking::Bye)) => self.remove_leg(key),
                Some((_, Asking::Prack)) => {}
                Some((_, asking)) => {
                    match asking {
                        Asking::Update => self.on_updated(now, key, status, None, &mut Direct),
                        Asking::Info => self.passed(now, key, 504),
                        _ => {}
                    }
                    self.leg_lost(now, key);
                }
                None => {}
            }
        } else if leg.invite == Some(tx) {
            match leg.state {
                State::Calling | State::Cancelling => self.branch_failed(now, key, status, None),
                // RFC 3261 §14.1: a re-INVITE without any answer ends the dialog.
                State::Up if leg.inviting => {
                    leg.inviting = false;
                    self.on_updated(now, key, status, None, &mut Direct);
                    let asker = self.asker(key).and_then(|call| self.calls.get_mut(call));
                    if let Some(asked) = asker.and_then(|call| call.asked.take()) {
                        let _ = self.tx.respond(now, asked, status);
                    }
                    self.leg_lost(now, key);
                }
                _ => {}
            }
        }
    }

    fn on_gone(&mut self, tx: TxId, key: Key) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let mut withdrawn = None;
        if let Some(call) = self.calls.get_mut(leg.call) {
            // Nobody asks for this answer any more.
            if call.update.tx == tx {
                withdrawn = core::mem::take(&mut call.update.open).then_some(call.update.to);
                self.texts.free(&mut call.update.head);
            }
            if call.passed.tx == tx {
                call.passed.open = false;
                self.texts.free(&mut call.passed.text);
            }
        }
        if leg.invite == Some(tx) {
            leg.invite = None;
        }
        if let Some((call, _)) = withdrawn.and_then(|to| self.place(to)) {
            self.put_back(call);
        }
        let Some(leg) = self.legs.get(key) else { return };
        // An INVITE before its last one may end first.
        if leg.state == State::Over && leg.invite.is_none() {
            self.remove_leg(key);
        }
    }

    /// A leg that is due: its connection is gone, it has an ACK or a 2xx to send, or its timer has run out.
    fn on_time(&mut self, now: Instant, key: Key, buffer: &mut [u8]) -> Option<Output> {
        let leg = self.legs.get_mut(key)?;
        if core::mem::take(&mut leg.lost) {
            self.legs.schedule(key);
            self.leg_lost(now, key);
            None
        } else if leg.ack == Ack::Due {
            leg.ack = Ack::Idle;
            let (invite, cseq) = (leg.invite, leg.invite_cseq);
            self.legs.schedule(key);
            let branch = match invite.and_then(|tx| self.tx.ack_branch(tx)) {
                Some(branch) => branch,
                None => self.tx.new_branch(),
            };
            self.write_ack(branch, key, cseq, true, buffer)
        } else if core::mem::take(&mut leg.ok_due) {
            self.legs.schedule(key);
            self.write_ok(key, buffer)
        } else {
            self.on_timer(now, key);
            None
        }
    }

    fn on_timer(&mut self, now: Instant, key: Key) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        leg.timer = Instant::NEVER;
        if now >= leg.unacked {
            leg.unacked = Instant::NEVER;
            let (call, side, bye_wanted) = (leg.call, leg.side, leg.bye_wanted);
            // RFC 3262 §3: without a PRACK the INVITE is refused.
            let refused = leg.state == State::Incoming;
            self.legs.schedule(key);
            if bye_wanted {
                self.bye(now, key, None);
            } else if refused {
                self.end(now, call, End::Refused(504), None);
            } else {
                self.end(now, call, End::Lost(side), None);
            }
            return;
        }
        if leg.is_unacked() {
            let t2 = self.config.timers.t2.as_millis() as u16;
            leg.ok_due = true;
            leg.interval = leg.interval.saturating_mul(2).min(t2);
            leg.timer = now + Duration::from_millis(u64::from(leg.interval));
            return self.legs.schedule(key);
        }
        let (state, inviting, silent) = (leg.state, leg.inviting, leg.asking.is_none());
        self.legs.schedule(key);
        match state {
            State::Up if inviting => self.stop_reinvite(now, key),
            State::Up if self.joins_again(key) => self.join_again(now, key),
            State::Up if self.call_back(now, key) || self.on_session(now, key) => {}
            State::Up if silent => self.probe(now, key),
            // It is just asked something else, whose answer says as much.
            State::Up => self.rest(now, key),
            State::Cancelling if inviting => self.give_up(now, key),
            _ => {}
        }
    }

    /// Asks a silent peer whether it is still there.
    fn probe(&mut self, now: Instant, key: Key) {
        if !self.ask(now, key, Asking::Probe, Priority::Normal) {
            self.rest(now, key);
        }
    }

    /// A request of ours within a dialog, in the place of one that is on its way. False: there is no room.
    pub(super) fn ask(&mut self, now: Instant, key: Key, asking: Asking, priority: Priority) -> bool {
        let Some(leg) = self.legs.get_mut(key) else {
            return false;
        };
        let (flow, user) = (leg.path.flow(), key.to_bits());
        let Ok(tx) = self.tx.client(now, ClientKind::NonInvite, flow, user, priority) else {
            self.counters.no_room += 1;
            return false;
        };
        leg.local_cseq += 1;
        leg.asking_cseq = leg.local_cseq;
        if let Some((before, asked)) = leg.asking.replace((tx, asking)) {
            self.tx.forget(before);
            if asked == Asking::Info {
                self.passed(now, key, 487);
            }
        }
        true
    }
}
