//! Identities: boxes, contracts, sites, IDs of a contract, extensions, sessions.

use core::fmt;
use core::num::NonZeroU32;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text is not an identity of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid identity")
    }
}

impl core::error::Error for IdError {}

/// A box. Written as 13 characters of base32 (RFC 4648 §6) in lower case; the same text is its MQTT client and user
/// name and the user of its trunk registration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BoxId(pub u64);

impl BoxId {
    /// Characters of the text form.
    pub const TEXT: usize = 13;
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

    /// The text form without formatting machinery.
    pub fn text(self) -> heapless::String<{ Self::TEXT }> {
        let mut text = heapless::String::new();
        let bits = u128::from(self.0) << 1;
        for place in (0..Self::TEXT).rev() {
            let index = ((bits >> (5 * place)) & 31) as usize;
            // 13 characters fit the capacity and the index is below 32.
            let _ = text.push(Self::ALPHABET.get(index).copied().unwrap_or(b'a') as char);
        }
        text
    }
}

impl FromStr for BoxId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != Self::TEXT {
            return Err(IdError);
        }
        let mut bits = 0u128;
        for byte in text.bytes() {
            let value = Self::ALPHABET
                .iter()
                .position(|letter| *letter == byte)
                .ok_or(IdError)?;
            bits = bits << 5 | value as u128;
        }
        // The lowest bit is padding.
        if bits & 1 != 0 {
            Err(IdError)
        } else {
            u64::try_from(bits >> 1).map(Self).map_err(|_| IdError)
        }
    }
}

impl fmt::Display for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl fmt::Debug for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A contract with the telephone service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContractId(pub u32);

/// One site of a contract; it has at most one box and its own emergency location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteId(pub u32);

/// The immutable key of an ID (基本ID, 追加ID) within its contract: 0 to 63, usable as bit index (R5, A5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct IdKey(u16);

impl IdKey {
    /// Keys there can be.
    pub const COUNT: usize = 64;

    /// The key with this index, if below [`Self::COUNT`].
    pub const fn new(index: u16) -> Option<Self> {
        if (index as usize) < Self::COUNT {
            Some(Self(index))
        } else {
            None
        }
    }

    /// Its number, always below [`Self::COUNT`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl TryFrom<u16> for IdKey {
    type Error = IdError;

    fn try_from(index: u16) -> Result<Self, IdError> {
        Self::new(index).ok_or(IdError)
    }
}

impl From<IdKey> for u16 {
    fn from(key: IdKey) -> u16 {
        key.0
    }
}

impl fmt::Display for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A set of IDs of one contract.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct IdSet(pub u64);

impl IdSet {
    /// No ID.
    pub const EMPTY: Self = Self(0);

    /// The set with this one member.
    pub const fn one(key: IdKey) -> Self {
        Self(1 << key.0)
    }

    /// Adds a member.
    pub const fn insert(&mut self, key: IdKey) {
        self.0 |= 1 << key.0;
    }

    /// Takes a member out.
    pub const fn remove(&mut self, key: IdKey) {
        self.0 &= !(1 << key.0);
    }

    /// Adds or takes out.
    pub const fn set(&mut self, key: IdKey, member: bool) {
        if member {
            self.insert(key)
        } else {
            self.remove(key)
        }
    }

    /// Is it a member?
    pub const fn contains(self, key: IdKey) -> bool {
        self.0 >> key.0 & 1 != 0
    }

    /// Has no members.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of members.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Members of both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Members of either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Members that are not in `other`.
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The members in ascending order.
    pub fn iter(self) -> impl Iterator<Item = IdKey> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let index = rest.trailing_zeros() as u16;
            rest &= rest.wrapping_sub(1);
            IdKey::new(index)
        })
    }
}

impl FromIterator<IdKey> for IdSet {
    fn from_iter<I: IntoIterator<Item = IdKey>>(keys: I) -> Self {
        let mut set = Self::EMPTY;
        keys.into_iter().for_each(|key| set.insert(key));
        set
    }
}

impl fmt::Debug for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|key| key.0)).finish()
    }
}

/// An extension (内線): two to six digits, the first from 2 to 9 so that it shadows neither 1XY nor an outside number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Extension(NonZeroU32);

impl Extension {
    /// From its digits read as an integer.
    pub fn new(value: u32) -> Option<Self> {
        let first = match value {
            10..=99 => value / 10,
            100..=999 => value / 100,
            1_000..=9_999 => value / 1_000,
            10_000..=99_999 => value / 10_000,
            100_000..=999_999 => value / 100_000,
            _ => return None,
        };
        NonZeroU32::new(value).filter(|_| first >= 2).map(Self)
    }

    /// Its digits as an integer.
    pub const fn value(self) -> u32 {
        self.0.get()
    }

    /// Its first digit is this one: an outside-line digit would take it for a number outside (R30).
    pub const fn begins_with(self, digit: u8) -> bool {
        let mut first = self.value();
        while first >= 10 {
            first /= 10;
        }
        first == digit as u32
    }
}

impl TryFrom<u32> for Extension {
    type Error = IdError;

    fn try_from(value: u32) -> Result<Self, IdError> {
        Self::new(value).ok_or(IdError)
    }
}

impl From<Extension> for u32 {
    fn from(extension: Extension) -> u32 {
        extension.value()
    }
}

impl FromStr for Extension {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() > 6 || text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(IdError);
        }
        text.parse().ok().and_then(Self::new).ok_or(IdError)
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The identity of a call on all its legs (RFC 7989 §5): a UUID made by the side where the call began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 16]);

impl SessionId {
    /// The null UUID: the other side's is not known yet (RFC 7989 §5).
    pub const NULL: Self = Self([0; 16]);

    /// A version 4 UUID (RFC 9562 §5.4) from random bytes.
    pub const fn from_random(mut random: [u8; 16]) -> Self {
        random[6] = random[6] & 0x0f | 0x40;
        random[8] = random[8] & 0x3f | 0x80;
        Self(random)
    }

    /// The 32 hexadecimal digits.
    pub fn text(self) -> heapless::String<32> {
        let mut text = heapless::String::new();
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 15] {
                // 32 characters fit the capacity.
                let _ = text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        text
    }
}

impl FromStr for SessionId {
    type Err = IdError;

    /// Exactly 32 lower-case hexadecimal digits (`sess-uuid`, RFC 7989 §5).
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 16];
        if text.len() != 32 {
            return Err(IdError);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(IdError),
                };
                *byte = *byte << 4 | value;
            }
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
