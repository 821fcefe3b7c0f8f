//! The messages of calls, written from what is kept of them.

use super::call::{CALL_ID, CALLED_URI, CALLER_URI, EXTRA, FROM, ROUTE, TAG, TARGET, TO};
use super::*;
use crate::events::{Reason, State as Subscribed, SubscriptionState};
use crate::method::Method;
use crate::text::Pieces;
use crate::transaction::Branch;
use core::fmt::{self, Display, Formatter};

/// How long a transfer may take (RFC 3515 §2.4.4): as long as a telephone rings.
const REFER_EXPIRES: Duration = Duration::from_secs(180);

impl<M> Calls<'_, M> {
    fn head<'a>(&'a self, leg: &'a Leg, call: &'a Call<M>) -> Head<'a, M> {
        let texts = &self.texts;
        Head { texts, leg, call }
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

    pub(super) fn write_request(&mut self, tx: TxId, key: Key, buffer: &mut [u8]) -> Option<Output> {
        self.deal_breadth(key);
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let branch = self.tx.branch(tx)?;
        let mut w = Writer::new(buffer);
        let flow = leg.path.flow();
        if leg.invite == Some(tx) {
            let in_dialog = matches!(leg.state, State::Up | State::Closing);
            self.head(leg, call)
                .request(&mut w, Method::Invite, leg.invite_cseq, branch, in_dialog);
            w.header(Name::Contact, Contact(&flow));
            w.header("Session-ID", Ascii(&call.session));
            w.header(Name::Allow, self.allow());
            // Where there is no doubt whose the first description is.
            let reliable = !in_dialog && !leg.offerless && call.open == 1;
            w.header(Name::Supported, if reliable { "timer, 100rel" } else { "timer" });
            leg.session.request(&mut w, !in_dialog);
            w.header(Name::UserAgent, self.config.agent);
            if !in_dialog {
                w.header(Name::MaxBreadth, leg.breadth)
                    .pieces(self.texts.part(&call.shown, EXTRA));
            }
            let sdp = call.sdp(leg.side);
            let written = if leg.offerless || sdp.is_empty() {
                w.finish_empty()
            } else {
                w.body_pieces("application/sdp", sdp.len(), self.texts.pieces(sdp))
            };
            return self.sent(flow, written);
        }
        let method = match leg.asking {
            Some((asking, Asking::Bye)) if asking == tx => Method::Bye,
            Some((asking, Asking::Probe)) if asking == tx => Method::Options,
            Some((asking, Asking::Notify)) if asking == tx => Method::Notify,
            Some((asking, Asking::Prack)) if asking == tx => Method::Prack,
            Some((asking, Asking::Refresh | Asking::Update)) if asking == tx => Method::Update,
            Some((asking, Asking::Info)) if asking == tx => Method::Info,
            _ => return None,
        };
        self.head(leg, call)
            .request(&mut w, method, leg.asking_cseq, branch, true);
        w.header("Session-ID", Ascii(&call.session));
        w.header(Name::UserAgent, self.config.agent);
        if method == Method::Notify {
            let (status, last) = self.reported(key)?;
            w.header(Name::Contact, Contact(&flow));
            w.header(Name::Event, "refer");
            let state = match last {
                true => Subscribed::Terminated(Some(Reason::NoResource)),
                false => Subscribed::Active,
            };
            let expires = (!last).then_some(REFER_EXPIRES);
            let retry_after = None;
            w.header(
                Name::SubscriptionState,
                SubscriptionState {
                    state,
                    expires,
                    retry_after,
                },
            );
            let fragment = format_args!("SIP/2.0 {status} {}\r\n", crate::reason_phrase(status));
            let written = w.body_display("message/sipfrag;version=2.0", fragment);
            return self.sent(flow, written);
        }
        let written = match leg.asking? {
            (_, Asking::Prack) => {
                w.header(
                    Name::RAck,
                    format_args!("{} {} INVITE", leg.rseq, leg.invite_cseq),
                );
                w.finish_empty()
            }
            (_, asking @ (Asking::Refresh | Asking::Update)) => {
                w.header(Name::Contact, Contact(&flow));
                w.header(Name::Allow, self.allow());
                w.header(Name::Supported, "timer");
                leg.session.request(&mut w, false);
                match call.sdp(leg.side) {
                    sdp if asking == Asking::Update => {
                        w.body_pieces("application/sdp", sdp.len(), self.texts.pieces(sdp))
                    }
                    _ => w.finish_empty(),
                }
            }
            (_, Asking::Info) => {
                let text = &self.calls.get(self.passer(key)?)?.passed.text;
                w.pieces(self.texts.part(text, info::LINES));
                w.header(Name::ContentLength, text.part_len(info::BODY))
                    .raw(b"\r\n")
                    .pieces(self.texts.part(text, info::BODY));
                w.end()
            }
            _ => {
                if let Some(cause) = leg.cause {
                    w.header(Name::Reason, cause);
                }
                w.finish_empty()
            }
        };
        self.sent(flow, written)
    }

    pub(super) fn write_cancel(&mut self, cancel: TxId, key: Key, buffer: &mut [u8]) -> Option<Output> {
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let branch = self.tx.branch(cancel)?;
        let mut w = Writer::new(buffer);
        // Of a re-INVITE, with the tag of its To (RFC 3261 §9.1).
        let in_dialog = matches!(leg.state, State::Up | State::Closing) && leg.inviting;
        self.head(leg, call)
            .request(&mut w, Method::Cancel, leg.invite_cseq, branch, in_dialog);
        if let Some(cause) = leg.cause {
            w.header(Name::Reason, cause);
        }
        let flow = leg.path.flow();
        let written = w.finish_empty();
        self.sent(flow, written)
    }

    pub(super) fn write_ack(
        &mut self,
        branch: Branch,
        key: Key,
        cseq: u32,
        is_ok: bool,
        buffer: &mut [u8],
    ) -> Option<Output> {
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let mut w = Writer::new(buffer);
        self.head(leg, call)
            .request(&mut w, Method::Ack, cseq, branch, true);
        let flow = leg.path.flow();
        let sdp = call.had(leg.side);
        let answers = cseq == leg.delayed_cseq || cseq == leg.invite_cseq && leg.offerless;
        let written = if is_ok && answers && !sdp.is_empty() {
            w.body_pieces("application/sdp", sdp.len(), self.texts.pieces(sdp))
        } else {
            w.finish_empty()
        };
        self.sent(flow, written)
    }

    /// What a leg has to acknowledge: a 2xx to the INVITE that it asked with, or a reliable provisional answer.
    pub(super) fn write_ok(&mut self, key: Key, buffer: &mut [u8]) -> Option<Output> {
        let leg = self.legs.get(key)?;
        let status = match leg.state {
            State::Incoming => self.calls.get(leg.call)?.reliable.status,
            _ => 200,
        };
        self.write_answer(leg.path.flow(), key, status, buffer)
    }

    pub(super) fn write_response(
        &mut self,
        tx: TxId,
        key: Key,
        status: u16,
        buffer: &mut [u8],
    ) -> Option<Output> {
        let flow = self.tx.flow(tx)?;
        if self.keeps_answer(tx, key) {
            return self.write_short(tx, flow, key, status, buffer);
        }
        let leg = self.legs.get(key)?;
        // That another INVITE has come says that the answer to this one is known.
        self.calls.get(leg.call).filter(|call| call.asked.tx == tx)?;
        self.write_answer(flow, key, status, buffer)
    }

    /// Is this an UPDATE or an INFO whose answer is written from what is kept of it?
    pub(super) fn keeps_answer(&self, tx: TxId, key: Key) -> bool {
        let leg = self.legs.get(key);
        let call = leg.and_then(|leg| self.calls.get(leg.call));
        call.is_some_and(|call| {
            call.update.tx == tx && !call.update.head.is_empty()
                || call.passed.tx == tx && !call.passed.text.is_empty()
        })
    }

    /// The answer to an UPDATE or INFO.
    fn write_short(
        &mut self,
        tx: TxId,
        flow: Flow,
        key: Key,
        status: u16,
        buffer: &mut [u8],
    ) -> Option<Output> {
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        let updates = call.update.tx == tx;
        let mut w = Writer::new(buffer);
        w.status(status, "").pieces(match updates {
            true => self.texts.pieces(&call.update.head),
            false => self.texts.part(&call.passed.text, info::HEAD),
        });
        w.header(Name::Server, self.config.agent);
        let sdp = call.sdp(leg.side);
        let written = if updates && status < 300 {
            w.header(Name::Contact, Contact(&flow));
            w.header(Name::Allow, self.allow());
            leg.session.answer(&mut w, leg.features.has(Features::TIMER));
            w.body_pieces("application/sdp", sdp.len(), self.texts.pieces(sdp))
        } else {
            w.finish_empty()
        };
        self.sent(flow, written)
    }

    pub(super) fn write_answer(
        &mut self,
        flow: Flow,
        key: Key,
        status: u16,
        buffer: &mut [u8],
    ) -> Option<Output> {
        let leg = self.legs.get(key)?;
        let call = self.calls.get(leg.call)?;
        if call.asked.leg != key {
            return None;
        }
        if call.asked.head.is_empty() {
            // Its ACK is there: nothing has to be said again.
            return None;
        }
        let mut w = Writer::new(buffer);
        w.status(status, "").pieces(self.texts.pieces(&call.asked.head));
        if (101..300).contains(&status) {
            w.header(Name::Contact, Contact(&flow));
            w.header(Name::Allow, self.allow());
            w.header(Name::Supported, "timer, 100rel");
        }
        if (101..200).contains(&status) && leg.features.has(Features::RELIABLE) {
            w.header(Name::Require, reliable::OPTION)
                .header(Name::RSeq, call.reliable.rseq);
        }
        if (200..300).contains(&status) {
            leg.session.answer(&mut w, leg.features.has(Features::TIMER));
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
        let written = if reliable::carries(status) && !sdp.is_empty() {
            w.body_pieces("application/sdp", sdp.len(), self.texts.pieces(sdp))
        } else {
            w.finish_empty()
        };
        self.sent(flow, written)
    }
}

/// What the requests of a leg are written from.
struct Head<'a, M> {
    texts: &'a Texts<'a>,
    leg: &'a Leg,
    call: &'a Call<M>,
}

impl<M> Head<'_, M> {
    /// The lines that every request of ours begins with.
    fn request(&self, w: &mut Writer<'_>, method: Method<'_>, cseq: u32, branch: Branch, in_dialog: bool) {
        let Self { texts, leg, call } = self;
        let flow = &leg.path.flow();
        w.raw(method.as_bytes())
            .raw(b" ")
            .pieces(texts.part(&leg.names, TARGET))
            .raw(b" SIP/2.0\r\n");
        let sent_by = SentBy(flow);
        w.header(
            Name::Via,
            format_args!("SIP/2.0/{} {sent_by};branch={branch};rport", flow.transport),
        );
        w.header(Name::MaxForwards, if in_dialog { 70 } else { call.max_forwards });
        if !leg.names.is_empty_part(ROUTE) {
            w.raw(b"Route: ")
                .pieces(texts.part(&leg.names, ROUTE))
                .raw(b"\r\n");
        }
        let (key, nonce) = leg.tag;
        match leg.side {
            Side::Callee => {
                address(w, Name::From, b"", texts.part(&call.shown, FROM), b"");
                tag(w, format_args!("{key:08x}{nonce:08x}"));
                address(w, Name::To, b"", texts.part(&call.shown, TO), b"");
            }
            Side::Caller => {
                address(w, Name::From, b"<", texts.part(&call.names, CALLED_URI), b">");
                tag(w, format_args!("{key:08x}{nonce:08x}"));
                address(w, Name::To, b"<", texts.part(&call.names, CALLER_URI), b">");
            }
        }
        if in_dialog && !leg.names.is_empty_part(TAG) {
            w.raw(b";tag=").pieces(texts.part(&leg.names, TAG));
        }
        w.raw(b"\r\n");
        match leg.side {
            Side::Callee => w.header(Name::CallId, format_args!("{:016x}", leg.call_id())),
            Side::Caller => w
                .raw(b"Call-ID: ")
                .pieces(texts.part(&call.names, CALL_ID))
                .raw(b"\r\n"),
        };
        w.header(Name::CSeq, format_args!("{cseq} {method}"));
    }
}

fn address(w: &mut Writer<'_>, name: Name, before: &[u8], uri: Pieces<'_>, after: &[u8]) {
    w.raw(name.as_ref().as_bytes())
        .raw(b": ")
        .raw(before)
        .pieces(uri)
        .raw(after);
}

fn tag(w: &mut Writer<'_>, tag: fmt::Arguments<'_>) {
    let _ = fmt::Write::write_fmt(w, format_args!(";tag={tag}\r\n"));
}

pub(crate) struct Contact<'a>(pub(crate) &'a Flow);

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
        let protocol = match self.protocol {
            Protocol::Sip => "SIP",
            Protocol::Q850 => "Q.850",
        };
        write!(f, "{protocol};cause={};text=\"{}\"", self.cause, self.text)
    }
}

/// Our name in a Via. A connection's own port is left out: it changes when the flow moves, and with it the name of the
/// transaction (RFC 3261 §17.2.3), so that the other side would take a repeated request for a new one.
pub(crate) struct SentBy<'f>(pub(crate) &'f crate::flow::Flow);

impl Display for SentBy<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.local {
            local if !self.0.is_reliable() => write!(f, "{local}"),
            core::net::SocketAddr::V4(local) => write!(f, "{}", local.ip()),
            core::net::SocketAddr::V6(local) => write!(f, "[{}]", local.ip()),
        }
    }
}
