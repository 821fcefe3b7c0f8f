//! The passwords of phones: made from the box's own key, and given out once per claim.

use core::num::NonZeroU8;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use shared::factory::Factory;
use shared::id::IdKey;

use crate::fnv::Fnv;

/// Characters of a password: 100 bits as base32 (RFC 4648 §6), in lower case.
pub const PASSWORD: usize = 20;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Passwords that are made on one claim at most: a phone that fetches and fetches and never registers shall not wear the flash
/// out.
pub const SERIALS_MAX: u32 = 1_000;

/// Bytes of a [`Record`] in flash.
pub const STORED: usize = 13;
/// Schema number of a record in flash.
const SCHEMA: u8 = 1;
/// No port was seen yet, in flash.
const UNSEEN: u8 = u8::MAX;

/// The password of an ID on this claim with this number.
pub fn password(factory: &Factory, key: IdKey, claim: u16, serial: u32) -> heapless::String<PASSWORD> {
    let mut text = heapless::String::new();
    // HMAC takes keys of any length.
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(&factory.secret) else {
        return text;
    };
    hmac.update(b"denwaban phone password\0");
    hmac.update(&u16::from(key).to_le_bytes());
    hmac.update(&claim.to_le_bytes());
    hmac.update(&serial.to_le_bytes());
    let digest: [u8; 32] = hmac.finalize().into_bytes().into();
    let bits = digest
        .iter()
        .take(16)
        .fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    for place in 0..PASSWORD {
        let index = (bits >> (5 * place) & 31) as usize;
        // 20 characters fit, and the index is below 32.
        let _ = text.push(ALPHABET.get(index).copied().unwrap_or(b'a').into());
    }
    text
}

/// How far the claim of an ID is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The phone was not there yet.
    Fresh,
    /// It was given a password, and has not registered with it.
    Given,
    /// It has: it gets no other.
    Spent,
}

/// What the box knows of the phone of an ID, in flash before the phone has its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The claim.
    pub claim: u16,
    /// Number of the last password within it.
    pub serial: u32,
    /// How far it is.
    pub state: State,
    /// Where the phone was seen first in this claim: at a port, or (`Some(None)`) elsewhere in the office's network.
    pub seen: Option<Option<NonZeroU8>>,
    /// [`Digest`] of the file that was delivered to the phone last.
    pub digest: u32,
}

impl Record {
    /// Of a claim whose phone was not there yet.
    pub const fn new(claim: u16) -> Self {
        Self {
            claim,
            serial: 0,
            state: State::Fresh,
            seen: None,
            digest: 0,
        }
    }

    /// As it is kept in flash.
    pub fn store(&self) -> [u8; STORED] {
        let [c0, c1] = self.claim.to_le_bytes();
        let [s0, s1, s2, s3] = self.serial.to_le_bytes();
        let [d0, d1, d2, d3] = self.digest.to_le_bytes();
        let seen = self.seen.map_or(UNSEEN, |port| port.map_or(0, NonZeroU8::get));
        [
            SCHEMA,
            c0,
            c1,
            s0,
            s1,
            s2,
            s3,
            self.state as u8,
            seen,
            d0,
            d1,
            d2,
            d3,
        ]
    }

    /// What [`Record::store`] gave.
    pub fn restore(bytes: &[u8]) -> Option<Self> {
        let &[SCHEMA, c0, c1, s0, s1, s2, s3, state, seen, d0, d1, d2, d3] = bytes else {
            return None;
        };
        Some(Self {
            claim: u16::from_le_bytes([c0, c1]),
            serial: u32::from_le_bytes([s0, s1, s2, s3]),
            state: [State::Fresh, State::Given, State::Spent]
                .into_iter()
                .find(|known| *known as u8 == state)?,
            seen: (seen != UNSEEN).then_some(NonZeroU8::new(seen)),
            digest: u32::from_le_bytes([d0, d1, d2, d3]),
        })
    }
}

/// [`Fnv`] of a text: tells whether a file is still the one a phone has. Never 0.
pub struct Digest {
    fnv: Fnv,
    length: usize,
}

impl Digest {
    /// Of nothing.
    pub const fn new() -> Self {
        Self {
            fnv: Fnv::new(),
            length: 0,
        }
    }

    /// Its value.
    pub const fn value(&self) -> u32 {
        match self.fnv.value() {
            0 => 1,
            value => value,
        }
    }

    /// Bytes of the text.
    pub const fn length(&self) -> usize {
        self.length
    }
}

impl core::fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.fnv = self.fnv.add(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factory(secret: [u8; 32]) -> Factory {
        Factory {
            box_id: shared::BoxId(77),
            secret,
            cloud_host: "cloud.example".try_into().unwrap(),
            sip_port: 5060,
            mqtt_port: 1883,
            realm: "".try_into().unwrap(),
            config_key: [0; 32],
        }
    }

    #[test]
    fn passwords_differ_in_everything_they_are_made_of() {
        let key = |n| IdKey::new(n).unwrap();
        let ours = factory([0xa5; 32]);
        let one = password(&ours, key(3), 7, 1);
        // Python: hmac.new(b"\xa5"*32, b"denwaban phone password\0" + struct.pack("<HHI", 3, 7, 1), "sha256"), five bits at a
        // time from the lowest of its first 16 bytes as a number.
        assert_eq!(one, EXPECTED);
        for other in [
            password(&ours, key(4), 7, 1),
            password(&ours, key(3), 8, 1),
            password(&ours, key(3), 7, 2),
            password(&factory([0xa6; 32]), key(3), 7, 1),
        ] {
            assert_ne!(one, other);
            assert_eq!(other.len(), PASSWORD);
        }
    }

    const EXPECTED: &str = "ocpvvxzahlq2tsh2pwgt";

    #[test]
    fn records_are_kept_as_they_are() {
        for record in [
            Record::new(1),
            Record {
                claim: 0x1234,
                serial: 0x0102_0304,
                state: State::Given,
                seen: Some(None),
                digest: 0xdead_beef,
            },
            Record {
                state: State::Spent,
                seen: Some(NonZeroU8::new(4)),
                ..Record::new(9)
            },
        ] {
            assert_eq!(Record::restore(&record.store()), Some(record));
        }
        assert_eq!(Record::restore(&[]), None);
        assert_eq!(Record::restore(&[1; STORED + 1]), None);
        let mut other = Record::new(1).store();
        other[0] = 2;
        assert_eq!(Record::restore(&other), None);
    }
}
