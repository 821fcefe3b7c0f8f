//! What goes out: NOTIFY requests, and the answer to a SUBSCRIBE.

use super::{CALL_ID, EVENT_ID, State, SubscriptionState, Subscriptions, TAG, TARGET, Tag};
use crate::flow::Flow;
use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::pool::Key;
use crate::siphash::SipHash;
use crate::time::Instant;
use crate::write::{Full, Writer, write_response_head};
use core::fmt::{Display, Write};

/// What the owner knows of a subscription when a NOTIFY leaves.
pub struct Notify<'a, B> {
    /// To where.
    pub flow: Flow,
    /// The subscriber's contact, unless it was given to [`Subscriptions::subscribe`].
    pub target: &'a [u8],
    /// The URI of what is watched.
    pub entity: &'a dyn Display,
    /// The URI of the subscriber.
    pub subscriber: &'a dyn Display,
    /// The package.
    pub package: &'a str,
    /// The type of the body.
    pub content_type: &'a str,
    /// The body: the state at this moment.
    pub body: B,
}

impl Subscriptions<'_> {
    /// Writes the NOTIFY that [`Subscriptions::poll`] told of. `None`: it does not fit (counted).
    pub fn notify<B: Display>(
        &mut self,
        now: Instant,
        key: Key,
        what: &Notify<'_, B>,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let sub = self.table.get(key)?;
        let state = SubscriptionState {
            state: sub
                .phase
                .over
                .map_or(State::Active, |why| State::Terminated(Some(why))),
            expires: sub.phase.over.is_none().then(|| sub.expires.moment() - now),
            retry_after: None,
        };
        let Notify {
            flow,
            entity,
            subscriber,
            ..
        } = *what;
        let mut w = Writer::new(buffer);
        if sub.names.is_empty_part(TARGET) {
            w.request(Method::Notify, what.target);
        } else {
            let target = self.texts.part(&sub.names, TARGET);
            w.raw(b"NOTIFY ").pieces(target).raw(b" SIP/2.0\r\n");
        }
        w.header(
            Name::Via,
            format_args!(
                "SIP/2.0/{} {};branch={};rport",
                flow.transport,
                crate::b2bua::SentBy(&flow),
                self.branch(key, sub.seq.0)
            ),
        );
        w.header(Name::MaxForwards, 70);
        w.header(
            Name::From,
            format_args!("<{entity}>;tag={}", Tag(key, self.nonce(key))),
        );
        let _ = write!(w, "To: <{subscriber}>;tag=");
        w.pieces(self.texts.part(&sub.names, TAG));
        let call_id = self.texts.part(&sub.names, CALL_ID);
        w.raw(b"\r\nCall-ID: ").pieces(call_id).raw(b"\r\n");
        w.header(Name::CSeq, format_args!("{} NOTIFY", { sub.seq.0 }));
        w.header(Name::Contact, crate::b2bua::Contact(&flow));
        let _ = write!(w, "Event: {}", what.package);
        if !sub.names.is_empty_part(EVENT_ID) {
            w.raw(b";id=").pieces(self.texts.part(&sub.names, EVENT_ID));
        }
        w.raw(b"\r\n");
        w.header(Name::SubscriptionState, state);
        w.header(Name::UserAgent, self.config.agent);
        let written = w.body_display(what.content_type, &what.body);
        if flow.is_reliable() {
            self.sent_once(now, key);
        }
        if written.is_err() {
            self.counters.overflow = self.counters.overflow.wrapping_add(1);
        }
        written.ok()
    }

    /// The branch of a NOTIFY: it needs not be kept.
    pub(super) fn branch(&self, key: Key, seq: u32) -> heapless::String<23> {
        let mut hash = SipHash::new(self.secret);
        let hash = hash
            .byte(1)
            .word(u64::from(key.to_bits()) << 32 | u64::from(seq))
            .finish();
        let mut branch = heapless::String::new();
        // Seven characters and sixteen digits.
        let _ = write!(branch, "z9hG4bK{hash:016x}");
        branch
    }

    /// Writes the answer to a SUBSCRIBE that was taken: its lines, and how long the subscription lasts (RFC 6665 §4.2.1.1).
    /// `more` adds header lines.
    pub fn write_ok(
        &self,
        now: Instant,
        key: Key,
        flow: &Flow,
        message: &Message<'_>,
        buffer: &mut [u8],
        more: impl FnOnce(&mut Writer<'_>),
    ) -> Result<usize, Full> {
        let mut w = Writer::new(buffer);
        let mut tag = heapless::String::<16>::new();
        let sub = self.table.get(key);
        // Sixteen digits.
        let _ = write!(tag, "{}", Tag(key, self.nonce(key)));
        write_response_head(&mut w, message, 200, Some(&tag), flow.peer);
        w.header(Name::Contact, crate::b2bua::Contact(flow));
        let left = sub.filter(|sub| sub.phase.over.is_none());
        w.header(
            Name::Expires,
            left.map_or(0, |sub| (sub.expires.moment() - now).as_secs()),
        );
        w.header(Name::Server, self.config.agent);
        more(&mut w);
        w.finish_empty()
    }
}
