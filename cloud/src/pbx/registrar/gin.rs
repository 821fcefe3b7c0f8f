//! What a box's REGISTER asks for (RFC 6140).
//!
//! A box registers all its numbers with one contact, and its connection is the flow on which it is called (RFC 5626): nothing
//! stands between the two, so a Path or a second Via is refused.

use std::time::Duration;

use shared::BoxId;
use sip::uri::Host;
use sip::{Flow, Instant, Message, Name, Writer};

use super::{Challenged, Life, Pbx, Peer, Proof, Registration, Relays, SUPPORTED, host_port, write_contact};

/// Granted lifetime of a registration, seconds.
const EXPIRES: std::ops::RangeInclusive<u32> = 60..=600;
const EXPIRES_UNASKED: u32 = 300;

struct Binding {
    contact: String,
    boot: u32,
    expires: u32,
}

impl<R: Relays> Pbx<R> {
    pub(super) fn box_registers(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        id: BoxId,
        proof: Proof,
    ) {
        if proof.replayed || !flow.is_reliable() {
            // A connection repeats nothing by itself: a used count is as good as an old nonce.
            return self.challenge(now, flow, message, Challenged::REGISTER, true);
        }
        if !message
            .values(Name::Require)
            .any(|tag| tag.eq_ignore_ascii_case(b"gin"))
        {
            return self.answer(flow, message, 421, |w| _ = w.header(Name::Require, "gin"));
        }
        match binding(message) {
            Ok(Binding { expires: 0, .. }) => {
                self.answer(flow, message, 200, |_| {});
                self.forget(now, Peer::Box(id), false);
            }
            Ok(binding) if binding.expires < *EXPIRES.start() => {
                self.answer(flow, message, 423, |w| {
                    w.header(Name::MinExpires, EXPIRES.start());
                });
            }
            Ok(binding) => {
                let expires = binding.expires.min(*EXPIRES.end());
                let silence = self.config.silence;
                self.answer(flow, message, 200, |w| {
                    write_accepted(w, message, expires, silence)
                });
                let registration = Registration {
                    flow,
                    contact: binding.contact,
                    user: id.to_string(),
                    life: Life::Box { boot: binding.boot },
                    since: now,
                    expires: now + Duration::from_secs(u64::from(expires)),
                    away: None,
                };
                self.bind(now, Peer::Box(id), registration);
            }
            Err(status) => self.answer(flow, message, status, |_| {}),
        }
    }
}

/// What the answer to an accepted REGISTER says: the contact as it came, and how often the box has to be heard.
fn write_accepted(w: &mut Writer<'_>, message: &Message<'_>, expires: u32, silence: Duration) {
    let Some(contact) = message.contacts().next() else {
        return;
    };
    write_contact(w, message, contact.uri, expires);
    if is_flow(message) {
        w.header(Name::Require, "outbound");
        if silence < Duration::MAX {
            w.header(Name::FlowTimer, silence.as_secs());
        }
    }
    w.header(Name::Supported, SUPPORTED.join(", "));
}

/// Whether the box wants its connection to be a flow (RFC 5626 §6).
fn is_flow(message: &Message<'_>) -> bool {
    let says = |name| message.contacts().all(|contact| contact.param(name).is_some());
    says("reg-id") && says("+sip.instance") && message.supports("outbound")
}

/// Reads the one Contact of a REGISTER.
fn binding(message: &Message<'_>) -> Result<Binding, u16> {
    let mut contacts = message.contacts();
    let (Some(contact), None) = (contacts.next(), contacts.next()) else {
        return Err(400);
    };
    let default = message.expires().unwrap_or(EXPIRES_UNASKED);
    let number = |name| contact.param(name).and_then(sip::fields::number);
    if contact.is_star() {
        // RFC 3261 §10.2.2: only to remove all.
        return match message.expires() {
            Some(0) => Ok(Binding {
                contact: String::new(),
                boot: 0,
                expires: 0,
            }),
            _ => Err(400),
        };
    }
    if is_flow(message) && message.values(Name::Via).count() > 1 {
        return Err(439);
    }
    let uri = contact.parsed_uri().ok_or(400u16)?;
    // RFC 6140 §5.2: it stands for all numbers, and has none itself.
    if uri.param("bnc").is_none() || uri.user.is_some() {
        return Err(400);
    }
    let port = uri.port.unwrap_or(5060);
    let contact = match uri.host {
        Host::Name(name) if name.len() <= 64 => format!("{}:{port}", String::from_utf8_lossy(name)),
        Host::Name(_) => return Err(400),
        Host::V4(address) => host_port(address.into(), port),
        Host::V6(address) => host_port(address.into(), port),
    };
    Ok(Binding {
        contact,
        boot: number("boot").unwrap_or(0),
        expires: number("expires").unwrap_or(default),
    })
}
