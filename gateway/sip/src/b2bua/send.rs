//! What goes out, when, and how a call comes to its end.

use super::*;
use crate::method::Method;
use crate::transaction::{Branch, Due};
use core::fmt::{self, Display, Formatter};

impl<M> Calls<'_, M> {
    /// The next message to send or event to know; call until `None` after everything received or ordered, and at
    /// [`Calls::next_deadline`]. `buffer` takes one message; 4,096 bytes hold any.
    pub fn poll(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Output> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Output::Event(event));
            }
            if self.sweep
                && let Some(event) = self.sweep()
            {
                return Some(Output::Event(event));
            }
            if let Some(flow) = self.reply_to.take() {
                match buffer.get_mut(..self.reply.len()) {
                    Some(room) => {
                        room.copy_from_slice(&self.reply);
                        return Some(Output::Transmit {
                            flow,
                            len: self.reply.len(),
                        });
                    }
                    None => self.counters.overflow += 1,
                }
            }
            if let Some((tx, user, status)) = self.again.take()
                && let Some(sent) = self.write_response(tx, Key::from_bits(user), status, buffer)
            {
                return Some(sent);
            }
            if self.due
                && let Some(sent) = self.send_due(buffer)
            {
                return Some(sent);
            }
            if self.lost {
                self.lose(now);
                continue;
            }
            if now >= self.earliest {
                self.timers(now);
                continue;
            }
            let due = self.tx.poll(now)?;
            if let Some(sent) = self.on_due(now, due, buffer) {
                return Some(sent);
            }
        }
    }

    /// When [`Calls::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let own = (self.earliest != Instant::NEVER).then_some(self.earliest);
        match (own, self.tx.next_deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Removes what is over, and tells of the next call that ended.
    fn sweep(&mut self) -> Option<Event> {
        while let Some(key) = self
            .calls
            .find(|call| call.stage == Stage::Ended && call.told && call.legs == 0)
        {
            self.calls.remove(key);
        }
        let untold = self.calls.find(|call| call.end.is_some() && !call.told);
        let Some((key, call)) = untold.and_then(|key| Some((key, self.calls.get_mut(key)?))) else {
            self.sweep = false;
            return None;
        };
        call.told = true;
        call.end.map(|end| Event::Ended { call: key, end })
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
                let branch = self.tx.branch(tx)?;
                self.write_ack(branch, Key::from_bits(user), false, buffer)
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
                _ => self.leg_lost(now, key),
            }
        } else if leg.invite == Some(tx) {
            match leg.state {
                State::Calling | State::Cancelling => self.branch_failed(now, key, status, None),
                // RFC 3261 §14.1: a re-INVITE without any answer ends the dialog.
                State::Up if leg.inviting => {
                    let call = leg.call;
                    leg.inviting = false;
                    if let Some(asked) = self.calls.get_mut(call).and_then(|call| call.asked.tx.take()) {
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
        if leg.invite == Some(tx) {
            leg.invite = None;
        }
        if leg.state == State::Over {
            self.remove_leg(key);
        }
    }

    /// The next leg whose connection is gone.
    fn lose(&mut self, now: Instant) {
        match self.legs.find(|leg| leg.lost) {
            Some(key) => {
                if let Some(leg) = self.legs.get_mut(key) {
                    leg.lost = false;
                }
                self.leg_lost(now, key);
            }
            None => self.lost = false,
        }
    }

    /// All timers that are due, or as many as the queue of events has room for.
    fn timers(&mut self, now: Instant) {
        let full = |calls: &Self| calls.events.len() + 2 > calls.events.capacity();
        while let Some(key) = self.legs.find(|leg| leg.timer <= now) {
            if full(self) {
                return;
            }
            let t2 = self.config.timers.t2;
            let Some(leg) = self.legs.get_mut(key) else { break };
            match leg.unacked {
                Some(limit) if now >= limit => {
                    leg.unacked = None;
                    leg.timer = Instant::NEVER;
                    let (call, side, bye_wanted) = (leg.call, leg.side, leg.bye_wanted);
                    if bye_wanted {
                        self.bye(now, key, None);
                    } else {
                        self.end(now, call, End::Lost(side), None);
                    }
                }
                Some(_) => {
                    leg.ok_due = true;
                    leg.interval = leg.interval.saturating_mul(2).min(t2.as_millis() as u16);
                    leg.timer = now + Duration::from_millis(u64::from(leg.interval));
                    self.due = true;
                }
                None => {
                    leg.timer = Instant::NEVER;
                    if leg.inviting {
                        match leg.state {
                            State::Up => self.stop_reinvite(now, key),
                            State::Cancelling => self.give_up(now, key),
                            _ => {}
                        }
                    } else if leg.state == State::Up && leg.asking.is_none() {
                        let flow = leg.flow;
                        leg.local_cseq += 1;
                        leg.asking_cseq = leg.local_cseq;
                        match self.tx.client(
                            now,
                            ClientKind::NonInvite,
                            flow,
                            key.to_bits(),
                            Priority::Normal,
                        ) {
                            Ok(tx) => leg.asking = Some((tx, Asking::Probe)),
                            Err(_) => leg.timer = now + self.config.probe,
                        }
                    }
                }
            }
        }
        while let Some(key) = self.calls.find(|call| call.deadline <= now) {
            if full(self) {
                return;
            }
            let Some(call) = self.calls.get_mut(key) else {
                break;
            };
            call.deadline = Instant::NEVER;
            if call.stage != Stage::Ended {
                self.event(Event::Deadline { call: key });
            }
        }
        let legs = self
            .legs
            .iter()
            .map(|(_, leg)| leg.timer)
            .min()
            .unwrap_or(Instant::NEVER);
        let calls = self
            .calls
            .iter()
            .map(|(_, call)| call.deadline)
            .min()
            .unwrap_or(Instant::NEVER);
        self.earliest = legs.min(calls);
    }

    /// A re-INVITE of ours rings without end: whoever asked gets its answer, and the INVITE its CANCEL. The session stays as
    /// it was (RFC 3261 §14.1); without a final answer to the CANCEL the other side is not there any more.
    fn stop_reinvite(&mut self, now: Instant, key: Key) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let call = leg.call;
        let cancelled = leg.invite.is_some_and(|tx| self.tx.cancel(now, tx).is_ok());
        self.fail_asked(now, call, 408);
        if !cancelled {
            self.counters.no_room += 1;
            self.leg_lost(now, key);
        }
    }

    /// A branch for whose CANCEL there was no room: there is now, or the branch is not waited for any more. Its INVITE, once
    /// ringing, would wait for ever.
    fn give_up(&mut self, now: Instant, key: Key) {
        let invite = self.legs.get(key).and_then(|leg| leg.invite);
        if invite.is_some_and(|tx| self.tx.cancel(now, tx).is_ok()) {
            return;
        }
        if let Some(tx) = invite {
            self.tx.forget(tx);
        }
        self.remove_leg(key);
    }

    /// Ends a call: a final answer or a BYE to every leg, and the word to the owner.
    pub(super) fn end(&mut self, now: Instant, key: Key, end: End, cause: Option<Cause>) {
        let Some(call) = self.calls.get_mut(key).filter(|call| call.stage != Stage::Ended) else {
            return;
        };
        let before = call.stage;
        let (caller, winner) = (call.caller, call.winner);
        call.stage = Stage::Ended;
        call.end = Some(end);
        call.ended = now;
        call.deadline = Instant::NEVER;
        if call.cause.is_none() {
            call.cause = cause;
        }
        let asked = call.asked.tx.take();
        if before == Stage::Waiting {
            let status = match end {
                End::Refused(status) => status,
                End::Cancelled => 487,
                _ => 480,
            };
            if let Some(leg) = self.legs.get_mut(caller) {
                leg.state = State::Over;
            }
            match asked {
                Some(tx) if self.tx.respond(now, tx, status).is_ok() => {}
                _ => self.remove_leg(caller),
            }
        } else {
            if let Some(tx) = asked {
                let _ = self.tx.respond(now, tx, 487);
            }
            self.bye(now, caller, cause);
            if let Some(winner) = winner {
                self.bye(now, winner, cause);
            }
        }
        self.cancel_branches(now, key, cause);
        self.sweep = true;
    }

    pub(super) fn cancel_branches(&mut self, now: Instant, call: Key, cause: Option<Cause>) {
        while let Some(key) = self
            .legs
            .find(|leg| leg.call == call && leg.state == State::Calling)
        {
            self.cancel_branch(now, key, cause);
        }
    }

    pub(super) fn cancel_branch(&mut self, now: Instant, key: Key, cause: Option<Cause>) {
        let Some(leg) = self.legs.get_mut(key).filter(|leg| leg.state == State::Calling) else {
            return;
        };
        leg.state = State::Cancelling;
        leg.cause = cause;
        if let Some(call) = self.calls.get_mut(leg.call) {
            call.open = call.open.saturating_sub(1);
        }
        let cancelled = leg.invite.is_some_and(|tx| self.tx.cancel(now, tx).is_ok());
        if !cancelled {
            // No room for the CANCEL: the phone is told by the BYE if it answers, or later.
            self.counters.no_room += 1;
            leg.timer = now + self.config.timers.t1 * 64;
            self.earliest = self.earliest.min(leg.timer);
        }
    }

    pub(super) fn branch_failed(&mut self, now: Instant, key: Key, status: u16, cause: Option<u16>) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let call_key = leg.call;
        let told = leg.state == State::Calling;
        self.return_breadth(key);
        let Some(leg) = self.legs.get_mut(key) else { return };
        leg.state = State::Over;
        leg.inviting = false;
        leg.timer = now + self.config.timers.t1 * 64;
        if let Some(call) = self.calls.get_mut(call_key) {
            call.lingering += 1;
        }
        if leg.invite.is_none() {
            self.remove_leg(key);
        }
        if told {
            if let Some(call) = self.calls.get_mut(call_key) {
                call.open = call.open.saturating_sub(1);
            }
            self.tell_failed(key, call_key, status, cause);
        }
    }

    pub(super) fn tell_failed(&mut self, leg: Key, call_key: Key, status: u16, cause: Option<u16>) {
        let Some(call) = self
            .calls
            .get_mut(call_key)
            .filter(|call| call.stage == Stage::Waiting)
        else {
            return;
        };
        // RFC 3261 §16.7 step 6: any 6xx, else the lowest class.
        let rank = |status: u16| if status >= 600 { 0 } else { status / 100 };
        if call.best == 0 || rank(status) < rank(call.best) {
            (call.best, call.best_cause) = (status, cause);
        }
        let (exhausted, best) = (call.open == 0, call.best);
        self.event(Event::Failed {
            call: call_key,
            leg,
            status,
        });
        if exhausted {
            self.event(Event::Exhausted {
                call: call_key,
                status: best,
            });
        }
    }

    /// BYE to a leg in a dialog: now, or as soon as its ACK is there.
    pub(super) fn bye(&mut self, now: Instant, key: Key, cause: Option<Cause>) {
        let Some(leg) = self.legs.get_mut(key).filter(|leg| leg.state == State::Up) else {
            return;
        };
        leg.cause = cause.or(leg.cause);
        if leg.unacked.is_some() {
            leg.bye_wanted = true;
            return;
        }
        if leg.ack == Ack::WaitsForPeer {
            leg.ack = Ack::Due;
            self.due = true;
        }
        leg.local_cseq += 1;
        leg.asking_cseq = leg.local_cseq;
        leg.timer = Instant::NEVER;
        match self.tx.client(
            now,
            ClientKind::NonInvite,
            leg.flow,
            key.to_bits(),
            Priority::Reserved,
        ) {
            Ok(tx) => {
                leg.asking = Some((tx, Asking::Bye));
                leg.state = State::Closing;
            }
            Err(_) => {
                self.counters.no_room += 1;
                self.remove_leg(key);
            }
        }
    }

    /// The other end of a leg is not there any more.
    pub(super) fn leg_lost(&mut self, now: Instant, key: Key) {
        let Some(leg) = self.legs.get(key) else { return };
        let (call, side, state) = (leg.call, leg.side, leg.state);
        match state {
            State::Calling | State::Cancelling => self.branch_failed(now, key, 503, None),
            State::Incoming => self.end(now, call, End::Cancelled, Some(Cause::REQUEST_TERMINATED)),
            State::Up => {
                let winner = self.calls.get(call).and_then(|call| call.winner);
                let part = side == Side::Caller || winner == Some(key);
                self.remove_leg(key);
                if part {
                    self.end(now, call, End::Lost(side), Some(Cause::OUT_OF_ORDER));
                }
            }
            State::Closing | State::Over => self.remove_leg(key),
        }
    }

    pub(super) fn remove_leg(&mut self, key: Key) {
        let Some(leg) = self.legs.remove(key) else { return };
        if let Some(tx) = leg.invite.filter(|_| leg.inviting) {
            // It has nobody left to tell.
            self.tx.forget(tx);
        }
        if let Some(call) = self.calls.get_mut(leg.call) {
            call.legs = call.legs.saturating_sub(1);
            call.lingering = call.lingering.saturating_sub(u16::from(leg.is_lingering()));
            self.sweep = true;
        }
    }

    /// An ACK or a 2xx that is due.
    fn send_due(&mut self, buffer: &mut [u8]) -> Option<Output> {
        while let Some(key) = self.legs.find(|leg| leg.ok_due || leg.ack == Ack::Due) {
            let leg = self.legs.get_mut(key)?;
            if leg.ack == Ack::Due {
                leg.ack = Ack::Idle;
                let branch = match leg.invite.and_then(|tx| self.tx.ack_branch(tx)) {
                    Some(branch) => branch,
                    None => self.tx.new_branch(),
                };
                if let Some(sent) = self.write_ack(branch, key, true, buffer) {
                    return Some(sent);
                }
            } else {
                leg.ok_due = false;
                if let Some(sent) = self.write_ok(key, buffer) {
                    return Some(sent);
                }
            }
        }
        self.due = false;
        None
    }

    fn sent(&mut self, flow: Flow, written: Result<usize, crate::write::Full>) -> Option<Output> {
        match written {
            Ok(len) => Some(Output::Transmit { flow, len }),
            Err(_) => {
                self.counters.overflow += 1;
                None
            }
        }
    }

    fn write_request(&mut self, tx: TxId, key: Key, buffer: &mut [u8]) -> Option<Output> {
        self.deal_breadth(key);
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let branch = self.tx.branch(tx)?;
        let mut w = Writer::new(buffer);
        let flow = leg.flow;
        if leg.invite == Some(tx) {
            let in_dialog = matches!(leg.state, State::Up | State::Closing);
            head(
                &mut w,
                Method::Invite,
                leg.invite_cseq,
                leg,
                call,
                branch,
                in_dialog,
            );
            w.header(Name::Contact, Contact(&flow));
            w.header("Session-ID", Ascii(&call.session));
            w.header(Name::Allow, ALLOW);
            w.header(Name::UserAgent, self.config.agent);
            if !in_dialog {
                w.header(Name::MaxBreadth, leg.breadth).raw(&call.extra);
            }
            let sdp = call.sdp(leg.side);
            let written = if call.asked.delayed_offer || sdp.is_empty() {
                w.finish_empty()
            } else {
                w.body("application/sdp", sdp)
            };
            return self.sent(flow, written);
        }
        let method = match leg.asking {
            Some((asking, Asking::Bye)) if asking == tx => Method::Bye,
            Some((asking, Asking::Probe)) if asking == tx => Method::Options,
            _ => return None,
        };
        head(&mut w, method, leg.asking_cseq, leg, call, branch, true);
        w.header("Session-ID", Ascii(&call.session));
        w.header(Name::UserAgent, self.config.agent);
        if let Some(cause) = leg.cause {
            w.header(Name::Reason, cause);
        }
        let written = w.finish_empty();
        self.sent(flow, written)
    }

    fn write_cancel(&mut self, cancel: TxId, key: Key, buffer: &mut [u8]) -> Option<Output> {
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let branch = self.tx.branch(cancel)?;
        let mut w = Writer::new(buffer);
        // Of a re-INVITE, with the tag of its To (RFC 3261 §9.1).
        let in_dialog = matches!(leg.state, State::Up | State::Closing) && leg.inviting;
        head(
            &mut w,
            Method::Cancel,
            leg.invite_cseq,
            leg,
            call,
            branch,
            in_dialog,
        );
        if let Some(cause) = leg.cause {
            w.header(Name::Reason, cause);
        }
        let flow = leg.flow;
        let written = w.finish_empty();
        self.sent(flow, written)
    }

    fn write_ack(&mut self, branch: Branch, key: Key, dialog: bool, buffer: &mut [u8]) -> Option<Output> {
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let mut w = Writer::new(buffer);
        head(&mut w, Method::Ack, leg.invite_cseq, leg, call, branch, true);
        let flow = leg.flow;
        let sdp = call.sdp(leg.side);
        let written = if dialog && call.asked.delayed_offer && call.asked.leg != key && !sdp.is_empty() {
            w.body("application/sdp", sdp)
        } else {
            w.finish_empty()
        };
        self.sent(flow, written)
    }

    /// A 2xx to the INVITE that a leg asked with.
    fn write_ok(&mut self, key: Key, buffer: &mut [u8]) -> Option<Output> {
        let flow = self.legs.get(key)?.flow;
        self.write_answer(flow, key, 200, buffer)
    }

    fn write_response(&mut self, tx: TxId, key: Key, status: u16, buffer: &mut [u8]) -> Option<Output> {
        let flow = self.tx.flow(tx)?;
        self.write_answer(flow, key, status, buffer)
    }

    fn write_answer(&mut self, flow: Flow, key: Key, status: u16, buffer: &mut [u8]) -> Option<Output> {
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        if call.asked.leg != key {
            return None;
        }
        let mut w = Writer::new(buffer);
        w.status(status, "").raw(&call.asked.head);
        if (101..300).contains(&status) {
            w.header(Name::Contact, Contact(&flow));
            w.header(Name::Allow, ALLOW);
        }
        w.header("Session-ID", Ascii(&call.session));
        w.header(Name::Server, self.config.agent);
        if let Some(cause) = call.cause.filter(|_| status >= 300 || call.announcing) {
            w.header(Name::Reason, cause);
        }
        if status == 503 && call.cause.is_none() {
            // Nothing is the matter but want of room.
            w.header(Name::RetryAfter, RETRY_AFTER);
        }
        let sdp = call.sdp(leg.side);
        let carries = (200..300).contains(&status) || (183..200).contains(&status);
        let written = if carries && !sdp.is_empty() {
            w.body("application/sdp", sdp)
        } else {
            w.finish_empty()
        };
        self.sent(flow, written)
    }
}

/// The lines that every request of ours begins with.
fn head<M>(
    w: &mut Writer<'_>,
    method: Method<'_>,
    cseq: u32,
    leg: &Leg,
    call: &Call<M>,
    branch: Branch,
    in_dialog: bool,
) {
    let flow = &leg.flow;
    w.request(method, &leg.target);
    let sent_by = SentBy(flow);
    w.header(
        Name::Via,
        format_args!("SIP/2.0/{} {sent_by};branch={branch};rport", flow.transport),
    );
    w.header(Name::MaxForwards, if in_dialog { 70 } else { call.max_forwards });
    if !leg.route.is_empty() {
        w.header_bytes(Name::Route, &leg.route);
    }
    let (key, nonce) = leg.tag;
    let remote_tag = if in_dialog { leg.remote_tag.as_slice() } else { b"" };
    match leg.side {
        Side::Callee => {
            address(w, Name::From, b"", &call.from, b"");
            tag(w, format_args!("{key:08x}{nonce:08x}"));
            address(w, Name::To, b"", &call.to, b"");
        }
        Side::Caller => {
            address(w, Name::From, b"<", &call.called_uri, b">");
            tag(w, format_args!("{key:08x}{nonce:08x}"));
            address(w, Name::To, b"<", &call.caller_uri, b">");
        }
    }
    if remote_tag.is_empty() {
        w.raw(b"\r\n");
    } else {
        w.raw(b";tag=").raw(remote_tag).raw(b"\r\n");
    }
    match leg.side {
        Side::Callee => w.header(Name::CallId, format_args!("{:016x}", leg.call_id)),
        Side::Caller => w.header_bytes(Name::CallId, &call.call_id),
    };
    w.header(Name::CSeq, format_args!("{cseq} {method}"));
}

fn address(w: &mut Writer<'_>, name: Name, before: &[u8], uri: &[u8], after: &[u8]) {
    w.raw(name.as_ref().as_bytes())
        .raw(b": ")
        .raw(before)
        .raw(uri)
        .raw(after);
}

fn tag(w: &mut Writer<'_>, tag: fmt::Arguments<'_>) {
    let _ = fmt::Write::write_fmt(w, format_args!(";tag={tag}\r\n"));
}

struct Contact<'a>(&'a Flow);

impl Display for Contact<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<sip:{}", self.0.local)?;
        if self.0.transport != crate::flow::Transport::Udp {
            write!(f, ";transport={}", self.0.transport.param())?;
        }
        f.write_str(">")
    }
}

struct Ascii<'a>(&'a [u8]);

impl Display for Ascii<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.0).unwrap_or_default())
    }
}

impl Display for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{};cause={};text=\"{}\"", self.protocol, self.cause, self.text)
    }
}

/// Our name in a Via. A connection's own port is left out: it changes when the flow moves, and with it the name of the
/// transaction (RFC 3261 §17.2.3), so that the other side would take a repeated request for a new one.
struct SentBy<'f>(&'f crate::flow::Flow);

impl Display for SentBy<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.local {
            local if !self.0.is_reliable() => write!(f, "{local}"),
            core::net::SocketAddr::V4(local) => write!(f, "{}", local.ip()),
            core::net::SocketAddr::V6(local) => write!(f, "[{}]", local.ip()),
        }
    }
}
