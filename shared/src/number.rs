//! Telephone numbers: eight bytes, digits only.
//!
//! A [`Number`] is either an E.164 number with its country code or a three-digit national service code (1XY, such as
//! 110). The two cannot be confused: no E.164 number has three digits. What *kind* a number is (mobile, toll-free, ...)
//! changes with the date of the numbering plan and is therefore never stored in it.

pub mod area;
pub mod plan;
mod read;
mod show;

use core::num::NonZeroU64;
use core::str::FromStr;

pub use area::Area;
pub use read::{ACCEPTED, Accepted, NumberError, NumberProblem, Privacy, Reading, Typed};
pub(crate) use read::{Fault, Keys, MAX_KEYS, Split};
pub use show::{Digits, E164, Grouped};

/// Most digits of a number (ITU-T E.164 §6.2.1).
pub const MAX_DIGITS: usize = 15;

const JAPAN: &[u8] = b"81";
const INTERNATIONAL_PREFIX: &[u8] = b"010";

/// A telephone number: E.164 with country code, or a national service code 1XY.
///
/// Digits are left-aligned BCD (nibble 15 is the first digit) and nibble 0 is their count, so that comparison is by
/// digits, leading zeros would survive, and `Option<Number>` needs no more room. Serialised as that integer, in text as
/// [`Number::digits`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Number(NonZeroU64);

impl Number {
    /// Reads `+` and the digits of an E.164 number, nothing else.
    pub fn from_e164(text: &str) -> Result<Self, NumberError> {
        let digits = text
            .strip_prefix('+')
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or(NumberError {
                problem: NumberProblem::Unknown,
                at: 0,
            })?;
        Self::international(digits.as_bytes()).map_err(|fault| NumberError {
            problem: fault.problem,
            at: text.len().saturating_sub(fault.left).min(255) as u8,
        })
    }

    fn pack(digits: &[u8]) -> Option<Self> {
        if digits.is_empty() || digits.len() > MAX_DIGITS {
            return None;
        }
        let mut packed = digits.len() as u64;
        for (place, digit) in digits.iter().enumerate() {
            packed |= u64::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?) << (60 - 4 * place);
        }
        NonZeroU64::new(packed).map(Self)
    }

    /// The packed integer, as stored in databases and on the wire.
    pub const fn bits(self) -> u64 {
        self.0.get()
    }

    /// The number whose packed integer this is.
    pub fn from_bits(bits: u64) -> Option<Self> {
        let candidate = Self(NonZeroU64::new(bits)?);
        let (raw, length) = candidate.raw();
        let digits = raw.get(..length)?;
        // Packing again what was read finds nibbles above 9 and rubbish behind the last digit.
        if Self::pack(digits)? != candidate {
            return None;
        }
        let checked = match digits {
            [b'1', _, _] => Self::pack(digits),
            _ => Self::international(digits).ok(),
        };
        checked.filter(|number| *number == candidate)
    }

    fn raw(self) -> ([u8; MAX_DIGITS], usize) {
        let bits = self.0.get();
        let mut digits = [0; MAX_DIGITS];
        for (place, digit) in digits.iter_mut().enumerate() {
            *digit = b'0' + ((bits >> (60 - 4 * place)) & 0xf) as u8;
        }
        (digits, self.len())
    }

    /// A national service code (1XY).
    pub const fn is_service(self) -> bool {
        self.bits() & 0xf == 3
    }

    /// 110 (police), 118 (coast guard) or 119 (fire and ambulance).
    pub fn is_emergency(self) -> bool {
        matches!(self.bits() >> 52, 0x110 | 0x118 | 0x119) && self.is_service()
    }

    /// The number area, if it is a geographic number of one.
    pub fn area(self) -> Option<Area> {
        self.split().map(|(area, _)| area)
    }

    /// The number area of a geographic number, and how many digits its area code has without the 0.
    fn split(self) -> Option<(Area, usize)> {
        // Country code and nine digits: no other service's numbers are in the table.
        let geographic = self.is_japanese() && self.len() == JAPAN.len() + 9;
        geographic
            .then(|| self.head(5, JAPAN.len()))
            .and_then(area::split)
    }

    /// So many digits behind those to skip, as an integer.
    fn head(self, digits: usize, skip: usize) -> u32 {
        let digit = |place: usize| (self.bits() >> (60 - 4 * place) & 0xf) as u32;
        (skip..skip + digits).fold(0, |head, place| head * 10 + digit(place))
    }

    fn len(self) -> usize {
        (self.bits() & 0xf) as usize
    }

    /// The number belongs to Japan's numbering plan.
    pub fn is_japanese(self) -> bool {
        self.is_service() || self.bits() >> 56 == 0x81
    }
}

impl TryFrom<u64> for Number {
    type Error = NumberError;

    fn try_from(bits: u64) -> Result<Self, NumberError> {
        Self::from_bits(bits).ok_or(NumberError {
            problem: NumberProblem::Packed,
            at: 0,
        })
    }
}

impl From<Number> for u64 {
    fn from(number: Number) -> u64 {
        number.bits()
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        Self::parse(text)
    }
}
