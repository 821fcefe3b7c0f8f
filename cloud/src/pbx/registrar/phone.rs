//! What a phone's REGISTER asks for (RFC 3261 §10), by whatever transport.
//!
//! The box of a site is its phones' registrar, and no other is while it is there: a phone that asks here nevertheless is
//! sent home with a 503 (RFC 3263 §4.3: on to the next server), so that none is at two places and rings twice. An ID has
//! one terminal (R6): the newest registration is the one.

use std::time::Duration;

use sip::{Flow, Instant, Message, Name, Scheme};

use super::{Challenged, Life, Line, Pbx, Peer, Proof, RETRY_AFTER, Registration, Relays, write_contact};

/// Granted lifetime, seconds. A translator of addresses keeps the way of datagrams for two minutes (RFC 4787 REQ-5), a
/// connection is closed after as long a silence, and a phone comes home with a renewal.
const EXPIRES: std::ops::RangeInclusive<u32> = 60..=90;
/// What a phone means that says nothing.
const EXPIRES_UNASKED: u32 = 3_600;
/// A binding outlives what was granted by one whole transaction: at each renewal the phone tries its box first, which is
/// silent for so long.
pub(super) const SLACK: Duration = Duration::from_secs(32);
/// Longest contact that is kept, bytes.
const CONTACT_MAX: usize = 256;

/// What becomes of the binding.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// It is only asked for.
    Tell,
    /// This contact, or whichever there is, is not there any more.
    Remove(Option<String>),
    Bind {
        contact: String,
        expires: u32,
    },
}

impl<R: Relays> Pbx<R> {
    pub(super) fn phone_registers(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        line: Line,
        proof: Proof,
    ) {
        let peer = Peer::Phone(line);
        // The flow is what its datagrams come by, and `outbound` would promise more (RFC 5626).
        if message.screen(&[]).is_err() {
            return self.answer(flow, message, 420, |w| {
                for tag in message.unsupported(&[]) {
                    w.header_bytes(Name::Unsupported, tag);
                }
            });
        }
        let (Some(cseq), Some(call)) = (message.cseq(), message.call_id()) else {
            return self.answer(flow, message, 400, |_| {});
        };
        let (cseq, nonce) = (cseq.seq, proof.nonce);
        if let Some(bound) = self.registrations.get(&peer)
            && let Life::Phone {
                call: known,
                cseq: last,
                nonce: used,
            } = &bound.life
            && known == call
        {
            let left = (bound.expires - now).as_secs() as u32;
            // The very same again because its answer was lost.
            if (*used, *last) == (nonce, cseq) && bound.flow == flow && proof.replayed {
                let contact = bound.contact.clone();
                return self.answer(flow, message, 200, |w| {
                    write_contact(w, message, contact.as_bytes(), left);
                });
            }
            // Overtaken by a later one (RFC 3261 §10.3, step 7). The nonce says which is later where a phone has started
            // anew with its old Call-ID.
            if (*used, *last) >= (nonce, cseq) && !proof.replayed {
                return self.answer(flow, message, 500, |_| {});
            }
        }
        if proof.replayed {
            return self.challenge(now, flow, message, Challenged::REGISTER, true);
        }
        let wish = match wish(message) {
            Ok(wish) => wish,
            Err(status) => return self.answer(flow, message, status, |_| {}),
        };
        let bound = self.registrations.get(&peer);
        match wish {
            Wish::Tell => {
                let bound = bound.map(|way| (way.contact.clone(), (way.expires - now).as_secs() as u32));
                self.answer(flow, message, 200, |w| {
                    if let Some((contact, left)) = bound {
                        write_contact(w, message, contact.as_bytes(), left);
                    }
                });
            }
            Wish::Remove(contact) => {
                let is_it = bound.is_some_and(|way| contact.is_none_or(|contact| contact == way.contact));
                self.answer(flow, message, 200, |_| {});
                if is_it {
                    self.forget(now, peer, false);
                }
            }
            Wish::Bind { .. } if self.is_home(peer) => {
                self.counters.sent_home += 1;
                self.answer(flow, message, 503, |w| {
                    _ = w.header(Name::RetryAfter, RETRY_AFTER)
                });
            }
            Wish::Bind { expires, .. } if expires < *EXPIRES.start() => {
                self.answer(flow, message, 423, |w| {
                    w.header(Name::MinExpires, EXPIRES.start());
                });
            }
            Wish::Bind { contact, expires } => {
                let expires = expires.min(*EXPIRES.end());
                self.answer(flow, message, 200, |w| {
                    write_contact(w, message, contact.as_bytes(), expires);
                });
                let user = self
                    .directory
                    .line(line)
                    .map_or_else(String::new, |(_, id)| id.direct.digits().to_string());
                let call = call.to_vec();
                let registration = Registration {
                    flow,
                    contact,
                    user,
                    life: Life::Phone { call, cseq, nonce },
                    since: now,
                    expires: now + Duration::from_secs(u64::from(expires)),
                    away: None,
                };
                self.bind(now, peer, registration);
            }
        }
    }

    /// Is the box of its site there?
    fn is_home(&self, peer: Peer) -> bool {
        let home = self.directory.home(peer);
        home.is_some_and(|id| self.is_there(Peer::Box(id)))
    }
}

/// Reads the contacts of a REGISTER.
fn wish(message: &Message<'_>) -> Result<Wish, u16> {
    let expires = message.expires().unwrap_or(EXPIRES_UNASKED);
    let (mut wish, mut bound) = (Wish::Tell, false);
    for value in message.values(Name::Contact) {
        let contact = sip::NameAddr::parse(value).ok_or(400u16)?;
        if contact.is_star() {
            // RFC 3261 §10.2.2: only to remove all.
            let alone = message.values(Name::Contact).count() == 1 && message.expires() == Some(0);
            return if alone { Ok(Wish::Remove(None)) } else { Err(400) };
        }
        let uri = contact.parsed_uri().ok_or(400u16)?;
        let text = core::str::from_utf8(contact.uri).map_err(|_| 400u16)?;
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) || text.len() > CONTACT_MAX {
            return Err(400);
        }
        let asked = match contact.param("expires") {
            Some(own) => sip::fields::number(own).unwrap_or(EXPIRES_UNASKED),
            None => expires,
        };
        let contact = text.to_string();
        match asked {
            0 if !bound => wish = Wish::Remove(Some(contact)),
            0 => {}
            // One terminal an ID (R6).
            _ if bound => return Err(403),
            expires => (wish, bound) = (Wish::Bind { contact, expires }, true),
        }
    }
    Ok(wish)
}
