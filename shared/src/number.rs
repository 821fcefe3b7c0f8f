//! Telephone numbers: eight bytes, digits only.
//!
//! A [`Number`] is either an E.164 number with its country code or a three-digit national service code (1XY, such as
//! 110). The two cannot be confused: no E.164 number has three digits. What *kind* a number is (mobile, toll-free, ...)
//! changes with the date of the numbering plan and is therefore never stored in it.

use core::fmt;
use core::num::NonZeroU64;
use core::str::FromStr;

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

/// What is wrong with a text that should be a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberProblem {
    /// No digit at all.
    Empty,
    /// A character that is neither a digit nor a separator in common use.
    Character,
    /// A plus sign that is not in front.
    Plus,
    /// Too few digits for its kind.
    TooShort,
    /// Too many digits for its kind.
    TooLong,
    /// A carrier selection prefix (00XY), which this service does not have.
    CarrierPrefix,
    /// Neither an international, a national nor a service number.
    Unknown,
    /// An integer that is not the packed form of a number.
    Packed,
}

/// Why a text is not a number, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberError {
    /// What is wrong.
    pub problem: NumberProblem,
    /// Index of the character (not byte) at which it was found.
    pub at: u8,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.problem {
            NumberProblem::Empty => "no digits",
            NumberProblem::Character => "not a digit or separator",
            NumberProblem::Plus => "plus sign inside the number",
            NumberProblem::TooShort => "too short",
            NumberProblem::TooLong => "too long",
            NumberProblem::CarrierPrefix => "carrier selection is not available",
            NumberProblem::Unknown => "not a telephone number",
            NumberProblem::Packed => "not a packed number",
        };
        write!(f, "{what} at character {}", self.at)
    }
}

impl core::error::Error for NumberError {}

/// What was typed, reduced to the characters of a keypad: digits, `*`, `#` and a leading `+`.
pub(crate) struct Keys {
    keys: heapless::Vec<u8, 32>,
    /// Characters read, for errors about length.
    chars: u8,
}

impl Keys {
    /// Folds full-width characters and drops the separators people and IMEs write between digits.
    pub(crate) fn read(text: &str) -> Result<Self, NumberError> {
        let mut text = text.trim();
        let mut at = 0u8;
        if text
            .get(..4)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:"))
        {
            text = text.get(4..).unwrap_or("");
            at = 4;
        }
        text = text.split(';').next().unwrap_or("").trim_end();
        for suffix in ["(代)", "（代）", "(代表)", "（代表）"] {
            text = text.strip_suffix(suffix).unwrap_or(text);
        }
        let mut keys = heapless::Vec::new();
        for character in text.chars() {
            let key = match character {
                '0'..='9' | '*' | '#' | '+' => character as u8,
                '０'..='９' => b'0' + (character as u32 - '０' as u32) as u8,
                '＋' => b'+',
                '＊' => b'*',
                '＃' => b'#',
                ' '
                | '\t'
                | '\u{3000}'
                | '\u{a0}'
                | '-'
                | '－'
                | '‐'
                | '‑'
                | '‒'
                | '–'
                | '—'
                | '―'
                | '−'
                | 'ー'
                | 'ｰ'
                | '─'
                | '━'
                | '('
                | ')'
                | '（'
                | '）'
                | '.'
                | '．'
                | '\u{feff}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    at = at.saturating_add(1);
                    continue;
                }
                _ => {
                    return Err(NumberError {
                        problem: NumberProblem::Character,
                        at,
                    });
                }
            };
            if key == b'+' && !keys.is_empty() {
                return Err(NumberError {
                    problem: NumberProblem::Plus,
                    at,
                });
            }
            keys.push(key).map_err(|_| NumberError {
                problem: NumberProblem::TooLong,
                at,
            })?;
            at = at.saturating_add(1);
        }
        if keys.is_empty() {
            return Err(NumberError {
                problem: NumberProblem::Empty,
                at,
            });
        }
        Ok(Self { keys, chars: at })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.keys
    }

    pub(crate) fn chars(&self) -> u8 {
        self.chars
    }
}

impl Number {
    /// Reads a number as a person writes it or a SIP or tel URI carries it: full-width digits, the usual separators,
    /// `+81` (also `+81 (0)`), `010` and `tel:` are understood; everything else is refused with its place.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let keys = Keys::read(text)?;
        Self::from_keys(keys.as_bytes()).map_err(|problem| NumberError {
            problem,
            at: keys.chars(),
        })
    }

    /// Reads `+` and the digits of an E.164 number, nothing else.
    pub fn from_e164(text: &str) -> Result<Self, NumberError> {
        let digits = text
            .strip_prefix('+')
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or(NumberError {
                problem: NumberProblem::Unknown,
                at: 0,
            })?;
        Self::international(digits.as_bytes()).map_err(|problem| NumberError {
            problem,
            at: digits.len().min(255) as u8,
        })
    }

    /// From keypad characters.
    pub(crate) fn from_keys(keys: &[u8]) -> Result<Self, NumberProblem> {
        if keys
            .iter()
            .skip(1)
            .chain(keys.first().filter(|key| **key != b'+'))
            .any(|key| !key.is_ascii_digit())
        {
            return Err(NumberProblem::Unknown);
        }
        match keys {
            [b'+', rest @ ..] | [b'0', b'1', b'0', rest @ ..] => Self::international(rest),
            [b'0', b'0', ..] => Err(NumberProblem::CarrierPrefix),
            [b'0', national @ ..] => Self::national(national),
            [b'1', _, _] => Self::pack(keys).ok_or(NumberProblem::Unknown),
            [b'1', _] | [b'1'] => Err(NumberProblem::TooShort),
            _ => Err(NumberProblem::Unknown),
        }
    }

    fn international(digits: &[u8]) -> Result<Self, NumberProblem> {
        match digits {
            [b'8', b'1', b'0', national @ ..] | [b'8', b'1', national @ ..] => Self::national(national),
            [] => Err(NumberProblem::Empty),
            [b'0', ..] => Err(NumberProblem::Unknown),
            _ if digits.len() < 7 => Err(NumberProblem::TooShort),
            _ => Self::pack(digits).ok_or(NumberProblem::TooLong),
        }
    }

    /// From the national significant number of Japan (without the leading 0).
    fn national(digits: &[u8]) -> Result<Self, NumberProblem> {
        let length = match digits {
            [] => return Err(NumberProblem::TooShort),
            [b'0', ..] => return Err(NumberProblem::Unknown),
            [b'2', b'0', b'0', ..] => 13..=13,
            [b'6', b'0', b'0', ..] => 9..=10,
            [b'2' | b'5'..=b'9', b'0', ..] => 10..=10,
            _ => 9..=9,
        };
        if digits.len() < *length.start() {
            return Err(NumberProblem::TooShort);
        }
        if digits.len() > *length.end() {
            return Err(NumberProblem::TooLong);
        }
        let mut all = [0; MAX_DIGITS];
        let (country, rest) = all.split_at_mut(JAPAN.len());
        country.copy_from_slice(JAPAN);
        let rest = rest.get_mut(..digits.len()).ok_or(NumberProblem::TooLong)?;
        rest.copy_from_slice(digits);
        let used = JAPAN.len() + digits.len();
        all.get(..used).and_then(Self::pack).ok_or(NumberProblem::TooLong)
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
        (digits, (bits & 0xf) as usize)
    }

    /// The digits one dials for it inside Japan: `0312340001`, `110`, or with 010 in front for other countries.
    pub fn digits(self) -> Digits {
        let (raw, length) = self.raw();
        let raw = raw.get(..length).unwrap_or(&[]);
        let mut out = Digits {
            bytes: [0; Digits::MAX],
            len: 0,
        };
        match raw.strip_prefix(JAPAN) {
            _ if self.is_service() => out.append(raw),
            Some(national) => {
                out.append(b"0");
                out.append(national);
            }
            None => {
                out.append(INTERNATIONAL_PREFIX);
                out.append(raw);
            }
        }
        out
    }

    /// Shows `+81312340001`; a service code, which has no E.164 form, is shown as its three digits.
    pub fn e164(self) -> E164 {
        E164(self)
    }

    /// A national service code (1XY).
    pub fn is_service(self) -> bool {
        self.bits() & 0xf == 3
    }

    /// 110 (police), 118 (coast guard) or 119 (fire and ambulance).
    pub fn is_emergency(self) -> bool {
        matches!(self.bits() >> 52, 0x110 | 0x118 | 0x119) && self.is_service()
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

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.digits().as_str())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.e164(), f)
    }
}

/// The digits of a number as dialled inside Japan, without a heap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digits {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Digits {
    const MAX: usize = MAX_DIGITS + 3;

    fn append(&mut self, digits: &[u8]) {
        let start = usize::from(self.len);
        if let Some(room) = self.bytes.get_mut(start..start + digits.len()) {
            room.copy_from_slice(digits);
            self.len += digits.len() as u8;
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .unwrap_or("")
    }
}

impl core::ops::Deref for Digits {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Shows a number in its international form, see [`Number::e164`].
#[derive(Clone, Copy, Debug)]
pub struct E164(Number);

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (raw, length) = self.0.raw();
        let digits = raw
            .get(..length)
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .unwrap_or("");
        if self.0.is_service() {
            f.write_str(digits)
        } else {
            write!(f, "+{digits}")
        }
    }
}
