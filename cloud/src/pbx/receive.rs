//! Whose a message is: the carrier's, a box's, a phone's or a stranger's.

use sip::b2bua::{self, Receive};
use sip::transaction::TxId;
use sip::{Fault, Flow, Instant, Message, Method, Name, Rejected, Transport, Writer};

use shared::dial;

use super::{AGENT, ANSWER_MAX, Pbx, Peer, Queued, Relays, route};

impl<R: Relays> Pbx<R> {
    pub(super) fn on_datagram(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        match Message::parse_datagram(bytes) {
            Ok(message) => self.on_sip(now, flow, &message),
            Err(rejected) if rejected.fault == Fault::KeepAlive => {}
            Err(rejected) => self.on_unread(now, flow, &rejected),
        }
    }

    /// A whole message of a connection.
    pub(super) fn on_message(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        // A WebSocket's frame says where a message ends: it needs no Content-Length, and one that is there must agree.
        let framed = matches!(flow.transport, Transport::Ws | Transport::Wss);
        let parsed = match Message::parse_stream(bytes) {
            Err(rejected) if framed && rejected.fault == Fault::Missing(Name::ContentLength) => {
                Message::parse_datagram(bytes)
            }
            parsed => parsed,
        };
        match parsed {
            Ok(message) => self.on_sip(now, flow, &message),
            Err(rejected) => self.on_unread(now, flow, &rejected),
        }
    }

    fn on_unread(&mut self, now: Instant, flow: Flow, rejected: &Rejected<'_>) {
        let is_known = self.is_carrier(&flow) || self.peers_on(&flow).next().is_some();
        if is_known || self.admit(now, flow) {
            self.on_rejected(flow, rejected);
        } else {
            self.counters.malformed += 1;
        }
    }

    pub(super) fn is_carrier(&self, flow: &Flow) -> bool {
        flow.transport == Transport::Udp && flow.peer.ip() == self.config.carrier.ip()
    }

    fn on_sip(&mut self, now: Instant, flow: Flow, message: &Message<'_>) {
        let is_carrier = self.is_carrier(&flow);
        if !is_carrier && message.is_request() && message.method() == Method::Register {
            return self.on_register(now, flow, message);
        }
        let a_box = self.box_on(&flow);
        if !is_carrier && a_box.is_none() {
            // Phones: those that are registered, and those in a call that have gone home meanwhile.
            let is_phone = self.peers_on(&flow).next().is_some() || self.calls.carries(&flow);
            if !is_phone && !self.calls.knows(&flow, message) {
                return self.on_stranger(now, flow, message);
            }
            if let Some(status) = answered_at_once(message) {
                return self.answer(flow, message, status, |_| {});
            }
        }
        match self.receive(now, flow, message) {
            Receive::Invite { tx } if is_carrier => self.carrier_calls(now, tx, flow, message),
            Receive::Invite { tx } => match a_box {
                Some(id) => self.box_calls(now, tx, flow, id, message),
                None => self.phone_calls(now, tx, flow, message),
            },
            Receive::Request { tx } => self.on_request(now, tx, flow, message),
            Receive::Refer { .. } | Receive::Done => {}
        }
    }

    /// Who is not registered may ask whether we are there, and nothing more; nothing is remembered of it.
    fn on_stranger(&mut self, now: Instant, flow: Flow, message: &Message<'_>) {
        match flow.is_reliable() {
            true => self.counters.unregistered += 1,
            false => self.counters.foreign += 1,
        }
        if self.admit(now, flow) && message.is_request() && message.method() != Method::Ack {
            let status = match message.method() {
                Method::Options => 200,
                _ => 403,
            };
            self.answer(flow, message, status, |_| {});
        }
    }

    /// May a stranger be answered? If it asked too often its connection is closed.
    fn admit(&mut self, now: Instant, stranger: Flow) -> bool {
        let admitted = self.limiter.admit(now, stranger.peer.ip(), 1);
        if !admitted {
            self.counters.limited += 1;
            self.close(stranger);
        }
        admitted
    }

    fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Receive {
        self.media.hear(flow.peer.ip());
        self.media.settle(|call| self.calls.negotiates(call));
        if self.is_emergency(flow, message) {
            self.calls.receive_reserved(now, flow, message, &mut self.media)
        } else {
            self.calls.receive(now, flow, message, &mut self.media)
        }
    }

    /// Is it the INVITE of a call to 110, 118 or 119, by whatever digits?
    fn is_emergency(&self, flow: Flow, message: &Message<'_>) -> bool {
        if !message.is_request() || message.method() != Method::Invite {
            return false;
        }
        let dials = |peer| match peer {
            Peer::Phone(line) => {
                let user = route::dialled(message);
                let meaning = self.directory.line(line).zip(user);
                meaning.is_some_and(|((office, _), user)| {
                    matches!(dial(&office.site, &user, None), Ok(shared::Dialled::Emergency(_)))
                })
            }
            Peer::Box(_) => false,
        };
        route::is_emergency(message) || self.peers_on(&flow).any(dials)
    }

    /// A request outside any call, of somebody known.
    fn on_request(&mut self, now: Instant, tx: TxId, flow: Flow, message: &Message<'_>) {
        let status = outside_calls(message.method());
        self.calls.reply(now, tx, flow, message, status, |_| {});
    }

    fn on_rejected(&mut self, flow: Flow, rejected: &Rejected<'_>) {
        self.counters.malformed += 1;
        if let (Some(request), Some(status)) = (rejected.request(), rejected.status()) {
            let reason = rejected.fault.reason();
            self.answer(flow, &request, status, |w| {
                w.header(Name::Warning, format_args!("399 denwaban \"{reason}\""));
            });
        }
    }

    /// Answers a request without any memory of it.
    pub(super) fn answer(
        &mut self,
        flow: Flow,
        request: &Message<'_>,
        status: u16,
        more: impl FnOnce(&mut Writer<'_>),
    ) {
        let tag = format!("{:016x}", self.random());
        let mut bytes = vec![0; ANSWER_MAX];
        let mut w = Writer::new(&mut bytes);
        sip::write_response_head(&mut w, request, status, Some(&tag), flow.peer);
        w.header(Name::Server, AGENT);
        if matches!(status, 200 | 405 | 501) {
            w.header(Name::Allow, b2bua::ALLOW);
        }
        more(&mut w);
        match w.finish_empty() {
            Ok(len) => {
                bytes.truncate(len);
                let flow = flow.answering(request);
                self.out.push_back(Queued::Send { flow, bytes });
            }
            Err(_) => self.counters.undelivered += 1,
        }
    }
}

/// The answer to a request outside of calls.
fn outside_calls(method: Method<'_>) -> u16 {
    match method {
        Method::Options => 200,
        Method::Extension(_) => 501,
        // No lamps, no messages, no transfer by REFER out of the blue.
        _ => 405,
    }
}

/// What a phone asks for that is no call is answered from itself alone: its address may be forged.
fn answered_at_once(message: &Message<'_>) -> Option<u16> {
    let within = message.to().is_some_and(|to| to.tag().is_some());
    match message.method() {
        _ if !message.is_request() || within => None,
        Method::Invite | Method::Ack | Method::Cancel => None,
        method => Some(outside_calls(method)),
    }
}
