//! Keys: what a message's transaction is filed under, and what our own branches and tags are made of.

use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::siphash::SipHash;
use crate::uri::Host;

/// What a keyed hash is about, so that one use of it says nothing about another.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Domain {
    Client,
    Ack,
    Tag,
    Server,
    Server2543,
    Dialog,
}

const COOKIE: &[u8] = b"z9hG4bK";

/// A number nobody can guess who does not know the secret.
pub(super) fn derive(secret: [u64; 2], domain: Domain, value: u64) -> u64 {
    SipHash::new(secret).byte(domain as u8).word(value).finish()
}

/// The key of a request on the server side (RFC 3261 §17.2.3), with the method it is looked for as: INVITE for an ACK
/// or for what a CANCEL means. Keyed, so that nobody can fill one hash chain.
pub(super) fn of_request(secret: [u64; 2], message: &Message<'_>, method: Method<'_>) -> Option<u64> {
    let via = message.via()?;
    let mut hash = SipHash::new(secret);
    match via.unique_branch() {
        Some(branch) => {
            hash.byte(Domain::Server as u8).caseless(branch);
            match via.host {
                Host::Name(name) => hash.caseless(name),
                Host::V4(ip) => hash.field(&ip.octets()),
                Host::V6(ip) => hash.field(&ip.octets()),
            };
            hash.word(via.port.map_or(0, |port| u64::from(port) + 1));
        }
        // RFC 2543: no To tag here, because an ACK carries the one of the answer; the CSeq number tells requests of one
        // dialog apart.
        None => {
            let top = message.values(Name::Via).next()?;
            let tag = message.from().and_then(|from| from.tag()).unwrap_or_default();
            hash.byte(Domain::Server2543 as u8)
                .field(message.request_uri()?)
                .field(tag)
                .field(message.call_id()?)
                .word(u64::from(message.cseq()?.seq))
                .field(top);
        }
    }
    hash.field(method.as_bytes());
    Some(hash.finish())
}

/// The key in a branch of our own, as [`super::Branch`] displays it.
pub(super) fn of_branch(branch: &[u8]) -> Option<u64> {
    let digits = branch.get(COOKIE.len()..).filter(|_| has_cookie(branch))?;
    if digits.len() != 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |key, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(key << 4 | u64::from(digit))
    })
}

fn has_cookie(branch: &[u8]) -> bool {
    branch
        .get(..COOKIE.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}
