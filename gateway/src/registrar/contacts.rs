//! What a REGISTER wants: its contacts, and for how long each is granted.

use super::binding::{Address, Device};
use super::{EXPIRES_MAX, EXPIRES_MIN, No};
use crate::budget::BINDINGS_PER_ID;
use core::time::Duration;
use heapless::Vec;
use sip::{Message, Name, NameAddr, Scheme};

/// What a phone means that says nothing, seconds.
const DEFAULT_EXPIRES: u32 = 3_600;

/// A contact of a REGISTER.
pub(super) struct Wanted {
    pub address: Address,
    pub device: Device,
    /// Zero: to be removed.
    pub grant: Duration,
}

pub(super) type Contacts = Vec<Wanted, BINDINGS_PER_ID>;

/// The contacts of a REGISTER, to be reached through `path`; `None` for `Contact: *`, which takes all bindings back.
pub(super) fn read(request: &Message<'_>, path: &[u8], random: u64) -> Result<Option<Contacts>, No> {
    let bad = || No::Status(400);
    // One that is missing or cannot be read counts as an hour (RFC 3261 §10.2.1.1, §10.3).
    let expires = request.expires().unwrap_or(DEFAULT_EXPIRES);
    let mut wanted = Contacts::new();
    for value in request.values(Name::Contact) {
        let contact = NameAddr::parse(value).ok_or_else(bad)?;
        if contact.is_star() {
            let alone = request.values(Name::Contact).count() == 1 && request.expires() == Some(0);
            return if alone { Ok(None) } else { Err(bad()) };
        }
        let uri = contact.parsed_uri().ok_or_else(bad)?;
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
            return Err(bad());
        }
        let asked = match contact.param("expires") {
            Some(own) => sip::fields::number(own).unwrap_or(DEFAULT_EXPIRES),
            None => expires,
        };
        let wish = Wanted {
            address: Address::new(contact.uri, path).ok_or_else(bad)?,
            device: Device::of(&contact),
            grant: grant(asked, random).ok_or(No::TooBrief)?,
        };
        // More contacts than an ID may have phones.
        wanted.push(wish).map_err(|_| No::Status(403))?;
    }
    Ok(Some(wanted))
}

/// How long a registration lasts of which `asked` seconds are wanted; `None`: too short.
fn grant(asked: u32, random: u64) -> Option<Duration> {
    let asked = Duration::from_secs(u64::from(asked));
    if asked.is_zero() {
        return Some(asked);
    }
    if asked < EXPIRES_MIN {
        return None;
    }
    // 90 % to 110 %, from the upper half of the randomness; the lower one is the tag.
    let percent = 90 + (random >> 32) as u32 % 21;
    let jittered = asked.min(EXPIRES_MAX) * percent / 100;
    Some(Duration::from_secs(jittered.clamp(EXPIRES_MIN, asked).as_secs()))
}
