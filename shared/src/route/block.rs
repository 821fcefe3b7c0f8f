//! Callers whose calls are not taken.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::number::{Keys, MAX_DIGITS, Number};

/// Most rules of a block list.
pub const MAX_BLOCKED: usize = 128;

/// Who calls, as the carrier tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// This number.
    Number(Number),
    /// It asked not to be shown (非通知).
    Withheld,
    /// It cannot be told (表示圏外, 公衆電話).
    Unavailable,
}

/// One rule of a block list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockRule {
    /// This number.
    Number(Number),
    /// Every number that begins so.
    Prefix(Prefix),
    /// Every caller that withholds its number (非通知拒否).
    Withheld,
}

/// The first rule that blocks this caller.
pub fn blocked(list: &[BlockRule], caller: Caller) -> Option<BlockRule> {
    let blocks = |rule: &&BlockRule| match (rule, caller) {
        (BlockRule::Number(blocked), Caller::Number(number)) => *blocked == number,
        (BlockRule::Prefix(prefix), Caller::Number(number)) => prefix.begins(number),
        (BlockRule::Withheld, Caller::Withheld) => true,
        _ => false,
    };
    list.iter().find(blocks).copied()
}

/// The first digits of numbers, with country code: `0120` of Japan is 81120. Packed like [`Number`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Prefix(u64);

/// A text that is not the beginning of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixError;

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the beginning of a number like 0120 or +1")
    }
}

impl core::error::Error for PrefixError {}

impl Prefix {
    /// Does the number begin so?
    pub const fn begins(self, number: Number) -> bool {
        (self.0 ^ number.bits()) >> (64 - 4 * (self.0 & 0xf)) == 0
    }

    /// From E.164 digits. One that all of Japan's numbers begin with is none: who wants no calls has no number.
    fn pack(digits: impl Iterator<Item = u8>) -> Option<Self> {
        let mut packed = 0;
        let mut length = 0;
        for digit in digits {
            if length == MAX_DIGITS as u64 || digit > 9 || (length == 0 && digit == 0) {
                return None;
            }
            packed |= u64::from(digit) << (60 - 4 * length);
            length += 1;
        }
        let japan = 0x81 << 56;
        let all = length < 2 && (packed ^ japan) >> 60 == 0 || packed == japan;
        (length > 0 && !all).then_some(Self(packed | length))
    }

    fn digits(self) -> impl Iterator<Item = u8> {
        (0..self.0 & 0xf).map(move |place| (self.0 >> (60 - 4 * place) & 0xf) as u8)
    }
}

impl TryFrom<u64> for Prefix {
    type Error = PrefixError;

    fn try_from(bits: u64) -> Result<Self, PrefixError> {
        // Packing again what was read finds nibbles above 9 and rubbish behind the last digit.
        Self::pack(Self(bits).digits())
            .filter(|prefix| prefix.0 == bits)
            .ok_or(PrefixError)
    }
}

impl From<Prefix> for u64 {
    fn from(prefix: Prefix) -> u64 {
        prefix.0
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// As it is dialled in Japan (`0120`, `03-1234`, `010 1`) or with country code (`+1`).
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let keys = Keys::read(text).map_err(|_| PrefixError)?;
        let (country, digits): (&[u8], &[u8]) = match keys.as_bytes() {
            [b'+', rest @ ..] | [b'0', b'1', b'0', rest @ ..] => (b"", rest),
            [b'0', b'0', ..] => return Err(PrefixError),
            [b'0', rest @ ..] => (b"81", rest),
            _ => return Err(PrefixError),
        };
        let digits = country.iter().chain(digits);
        Self::pack(digits.map(|digit| digit.wrapping_sub(b'0'))).ok_or(PrefixError)
    }
}

impl fmt::Display for Prefix {
    /// `0120`, `+1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let japan = self.0 >> 56 == 0x81;
        f.write_str(if japan { "0" } else { "+" })?;
        let mut digits = self.digits().skip(if japan { 2 } else { 0 });
        digits.try_for_each(|digit| write!(f, "{digit}"))
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
