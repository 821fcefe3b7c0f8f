//! Reading what people type and what SIP and tel URIs carry.

use core::fmt;

use super::{Digits, JAPAN, MAX_DIGITS, Number};

/// A range of characters that may stand in a number. The ranges of [`ACCEPTED`] are all there are: what is in none of
/// them is refused with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The first character.
    pub first: char,
    /// The last character.
    pub last: char,
    /// What they are read as.
    pub reading: Reading,
}

/// What a character is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A digit, by its distance from the first character of the range.
    Digit,
    /// `+` in front of a country code.
    Plus,
    /// The star key.
    Star,
    /// The hash key.
    Hash,
    /// Nothing: people and input methods put it between digits.
    Separator,
    /// Nothing: it came along with a copied text and cannot be seen.
    Invisible,
}

const fn row(first: char, last: char, reading: Reading) -> Accepted {
    Accepted { first, last, reading }
}

const fn one(character: char, reading: Reading) -> Accepted {
    row(character, character, reading)
}

/// The accept-set, in order of code points; `numbers.md` shows it. There is no trimming: a
/// line feed at the end is refused as well.
pub const ACCEPTED: [Accepted; 25] = {
    use Reading::*;
    [
        one('\t', Separator),
        one(' ', Separator),
        one('#', Hash),
        row('(', ')', Separator),
        one('*', Star),
        one('+', Plus),
        row('-', '.', Separator),
        row('0', '9', Digit),
        one('\u{a0}', Separator),
        row('\u{200b}', '\u{200f}', Invisible),
        row('\u{2010}', '\u{2015}', Separator),
        row('\u{202a}', '\u{202e}', Invisible),
        row('\u{2066}', '\u{2069}', Invisible),
        one('\u{2212}', Separator),
        row('\u{2500}', '\u{2501}', Separator),
        one('\u{3000}', Separator),
        one('\u{30fc}', Separator),
        one('\u{feff}', Invisible),
        one('\u{ff03}', Hash),
        row('\u{ff08}', '\u{ff09}', Separator),
        one('\u{ff0a}', Star),
        one('\u{ff0b}', Plus),
        row('\u{ff0d}', '\u{ff0e}', Separator),
        row('\u{ff10}', '\u{ff19}', Digit),
        one('\u{ff70}', Separator),
    ]
};

/// The key a character stands for, or none for a separator; an error for what is not in [`ACCEPTED`].
fn key(character: char) -> Result<Option<u8>, NumberProblem> {
    let index = ACCEPTED.partition_point(|row| row.last < character);
    let row = ACCEPTED
        .get(index)
        .filter(|row| row.first <= character)
        .ok_or(NumberProblem::Character)?;
    Ok(match row.reading {
        Reading::Digit => Some(b'0' + (character as u32 - row.first as u32) as u8),
        Reading::Plus => Some(b'+'),
        Reading::Star => Some(b'*'),
        Reading::Hash => Some(b'#'),
        Reading::Separator | Reading::Invisible => None,
    })
}

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
    /// 0081, as it is dialled in other countries: here it is written +81 or 0.
    CountryPrefix,
    /// 184 or 186 in front of what should be a number alone.
    PrivacyPrefix,
    /// An extension behind what should be a number alone.
    Extension,
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
    /// Index of the character (not byte) at which it was found; that behind the last where something is missing.
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
            NumberProblem::CountryPrefix => "write +81 instead of 0081",
            NumberProblem::PrivacyPrefix => "184 and 186 are dialled, not part of a number",
            NumberProblem::Extension => "an extension is not part of a number",
            NumberProblem::Unknown => "not a telephone number",
            NumberProblem::Packed => "not a packed number",
        };
        write!(f, "{what} at character {}", self.at)
    }
}

impl core::error::Error for NumberError {}

/// A problem found while keys were read, and how many keys were left there. Counted from the end, it is true of every
/// tail of the keys alike.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) problem: NumberProblem,
    pub(super) left: usize,
}

impl Fault {
    pub(super) fn at(problem: NumberProblem, rest: &[u8]) -> Self {
        let left = rest.len();
        Self { problem, left }
    }

    pub(crate) fn at_end(problem: NumberProblem) -> Self {
        Self { problem, left: 0 }
    }
}

/// Most keys that make sense: 184, a carrier selection of six digits, 010, a number and a digit for a line.
pub(crate) const MAX_KEYS: usize = 32;
/// Most digits of an extension at another office.
const MAX_EXTENSION: usize = 8;

/// What was typed, reduced to the characters of a keypad: digits, `*`, `#` and a leading `+`.
pub(crate) struct Keys {
    keys: heapless::Vec<u8, MAX_KEYS>,
    /// The character each of them was read from.
    places: heapless::Vec<u8, MAX_KEYS>,
    /// The character behind the number.
    end: u8,
    extension: heapless::Vec<u8, MAX_EXTENSION>,
    /// The character at which the extension begins.
    extension_at: u8,
}

/// Which part of a text is being read.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Number,
    /// Behind 代 or 代表.
    Main,
    /// Behind 内線 or `;ext=`.
    Extension,
    /// Behind another `;`.
    Parameter,
}

impl Keys {
    /// Folds full-width characters and drops the separators, see [`ACCEPTED`]. `tel:` may stand in front; 代 or 代表
    /// (main number) and 内線 with an extension behind; of the parameters of a URI only `;ext=` (RFC 3966) counts.
    pub(crate) fn read(text: &str) -> Result<Self, NumberError> {
        let mut all = Self {
            keys: heapless::Vec::new(),
            places: heapless::Vec::new(),
            end: 0,
            extension: heapless::Vec::new(),
            extension_at: 0,
        };
        let mut text = Cursor { rest: text, at: 0 };
        text.skip_scheme();
        all.end = text.at;
        let mut part = Part::Number;
        while let Some(character) = text.next() {
            part = match character {
                ';' if text.skip("ext=") => all.extension_from(text.at),
                ';' => Part::Parameter,
                _ if part == Part::Parameter => part,
                '内' if part != Part::Extension && text.skip("線") => all.extension_from(text.at),
                '代' if part == Part::Number => {
                    text.skip("表");
                    Part::Main
                }
                _ => {
                    let at = text.at.saturating_sub(1);
                    all.take(part, character, at)
                        .map_err(|problem| NumberError { problem, at })?;
                    part
                }
            };
            if part == Part::Number {
                all.end = text.at;
            }
        }
        if all.keys.is_empty() {
            return Err(all.error(Fault::at_end(NumberProblem::Empty)));
        }
        if all.extension_at > 0 && all.extension.is_empty() {
            return Err(NumberError {
                problem: NumberProblem::Empty,
                at: all.extension_at,
            });
        }
        Ok(all)
    }

    fn extension_from(&mut self, at: u8) -> Part {
        self.extension_at = at;
        Part::Extension
    }

    /// Takes the next character of a part.
    fn take(&mut self, part: Part, character: char, at: u8) -> Result<(), NumberProblem> {
        let Some(key) = key(character)? else {
            return Ok(());
        };
        let full = match part {
            Part::Number if key == b'+' && !self.keys.is_empty() => return Err(NumberProblem::Plus),
            Part::Number => self.keys.push(key).and(self.places.push(at)),
            Part::Extension if key.is_ascii_digit() => self.extension.push(key),
            _ => return Err(NumberProblem::Character),
        };
        full.map_err(|_| NumberProblem::TooLong)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.keys
    }

    /// Takes the `#` off the end that says that dialling is over; was there one?
    pub(crate) fn take_end(&mut self) -> bool {
        let ended = self.keys.len() > 1 && self.keys.last() == Some(&b'#');
        if ended {
            self.keys.pop();
            self.end = self.places.pop().unwrap_or(self.end);
        }
        ended
    }

    /// Where in the text a fault is.
    pub(crate) fn error(&self, fault: Fault) -> NumberError {
        let index = self.keys.len().checked_sub(fault.left);
        NumberError {
            problem: fault.problem,
            at: index
                .and_then(|index| self.places.get(index))
                .copied()
                .unwrap_or(self.end),
        }
    }
}

/// What is left of a text, and how many characters were read.
struct Cursor<'a> {
    rest: &'a str,
    at: u8,
}

impl Cursor<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next()?;
        self.rest = characters.as_str();
        self.at = self.at.saturating_add(1);
        Some(next)
    }

    /// Passes over a word, if it comes next.
    fn skip(&mut self, word: &str) -> bool {
        let found = self.rest.starts_with(word);
        if found {
            word.chars().for_each(|_| _ = self.next());
        }
        found
    }

    /// Passes over `tel:` in letters of any case (RFC 3986 §3.1).
    fn skip_scheme(&mut self) {
        const SCHEME: &str = "tel:";
        if let Some((scheme, _)) = self.rest.split_at_checked(SCHEME.len())
            && scheme.eq_ignore_ascii_case(SCHEME)
        {
            SCHEME.chars().for_each(|_| _ = self.next());
        }
    }
}

/// Does the caller show its number?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privacy {
    /// As configured.
    #[default]
    Default,
    /// 184: withheld for this call.
    Withhold,
    /// 186: shown for this call.
    Show,
}

/// Keys taken apart in the order in which they are dialled: 184 or 186, carrier selection, number.
pub(crate) struct Split<'a> {
    pub(crate) privacy: Privacy,
    /// What follows 184 or 186: carrier selection and number.
    pub(crate) rest: &'a [u8],
    /// How much of it selects a carrier.
    carrier: usize,
}

impl<'a> Split<'a> {
    /// 184 and 186 with nothing behind them are left where they are.
    pub(crate) fn of(keys: &'a [u8]) -> Self {
        let (privacy, rest) = match keys {
            [b'1', b'8', b'4', rest @ ..] if !rest.is_empty() => (Privacy::Withhold, rest),
            [b'1', b'8', b'6', rest @ ..] if !rest.is_empty() => (Privacy::Show, rest),
            _ => (Privacy::Default, keys),
        };
        // 電気通信番号計画: 00XY, 002YZ and 0091N1N2; and 001, which is shorter.
        let carrier = match rest {
            [b'0', b'0', b'1', ..] => 3,
            [b'0', b'0', b'2', ..] => 5,
            [b'0', b'0', b'9', b'1', ..] => 6,
            [b'0', b'0', ..] => 4,
            _ => 0,
        };
        let carrier = rest.len().min(carrier);
        Self {
            privacy,
            rest,
            carrier,
        }
    }

    /// The number, if no carrier is selected.
    pub(crate) fn number(&self) -> Result<Number, Fault> {
        let problem = match self.rest {
            _ if self.carrier == 0 => return Number::from_keys(self.rest),
            [b'0', b'0', b'8', b'1', ..] => NumberProblem::CountryPrefix,
            _ => NumberProblem::CarrierPrefix,
        };
        Err(Fault::at(problem, self.rest))
    }
}

/// A number with what people write around it, such as `184-03-1234-5678 内線12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typed {
    /// 184 or 186 in front.
    pub privacy: Privacy,
    /// The carrier selected, such as 0033. This service has no carrier selection: who dials refuses it.
    pub carrier: Option<Digits>,
    /// The number.
    pub number: Number,
    /// The extension behind (内線), one to eight digits; it means something to whoever answers.
    pub extension: Option<Digits>,
}

impl Typed {
    /// Takes a text apart; [`NumberProblem`] says what is refused.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let keys = Keys::read(text)?;
        let split = Split::of(keys.as_bytes());
        let (carrier, number) = split
            .rest
            .split_at_checked(split.carrier)
            .unwrap_or((&[], split.rest));
        let digits = |keys: &[u8]| (!keys.is_empty()).then(|| Digits::from_keys(keys));
        Ok(Self {
            privacy: split.privacy,
            carrier: digits(carrier),
            number: Number::from_keys(number).map_err(|fault| keys.error(fault))?,
            extension: digits(&keys.extension),
        })
    }
}

impl Number {
    /// Reads a number as a person writes it or a SIP or tel URI carries it: full-width digits, the usual separators,
    /// `+81` (also `+81 (0)`), `010` and `tel:` are understood; everything else is refused with its place. What may
    /// stand around a number is for [`Typed`].
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let keys = Keys::read(text)?;
        if !keys.extension.is_empty() {
            return Err(NumberError {
                problem: NumberProblem::Extension,
                at: keys.extension_at,
            });
        }
        let split = Split::of(keys.as_bytes());
        let number = match split.privacy {
            Privacy::Default => split.number(),
            _ => Err(Fault::at(NumberProblem::PrivacyPrefix, keys.as_bytes())),
        };
        number.map_err(|fault| keys.error(fault))
    }

    /// From keypad characters: a number alone.
    pub(crate) fn from_keys(keys: &[u8]) -> Result<Self, Fault> {
        let inner = keys.strip_prefix(b"+").unwrap_or(keys);
        if let Some(place) = inner.iter().position(|key| !key.is_ascii_digit()) {
            return Err(Fault {
                problem: NumberProblem::Character,
                left: inner.len() - place,
            });
        }
        match keys {
            [b'+', rest @ ..] | [b'0', b'1', b'0', rest @ ..] => Self::international(rest),
            [b'0', national @ ..] => Self::national(national),
            [b'1', _, _] => Self::pack(keys).ok_or(Fault::at(NumberProblem::Unknown, keys)),
            [b'1', _] | [b'1'] | [] => Err(Fault::at_end(NumberProblem::TooShort)),
            _ => Err(Fault::at(NumberProblem::Unknown, keys)),
        }
    }

    /// From the digits behind `+` or 010.
    pub(super) fn international(digits: &[u8]) -> Result<Self, Fault> {
        match digits {
            [b'8', b'1', b'0', national @ ..] | [b'8', b'1', national @ ..] => Self::national(national),
            [b'0', ..] => Err(Fault::at(NumberProblem::Unknown, digits)),
            _ if digits.len() < 7 => Err(Fault::at_end(NumberProblem::TooShort)),
            _ => Self::pack(digits).ok_or(too_long(digits, MAX_DIGITS)),
        }
    }

    /// From the national significant number of Japan (without the leading 0).
    fn national(digits: &[u8]) -> Result<Self, Fault> {
        let length = match digits {
            [b'0', ..] => return Err(Fault::at(NumberProblem::Unknown, digits)),
            [b'2', b'0', b'0', ..] => 13..=13,
            [b'6', b'0', b'0', ..] => 9..=10,
            [b'2' | b'5'..=b'9', b'0', ..] => 10..=10,
            _ => 9..=9,
        };
        if digits.len() < *length.start() {
            return Err(Fault::at_end(NumberProblem::TooShort));
        }
        let too_long = too_long(digits, *length.end());
        if digits.len() > *length.end() {
            return Err(too_long);
        }
        let mut all = [0; MAX_DIGITS];
        let (country, rest) = all.split_at_mut(JAPAN.len());
        country.copy_from_slice(JAPAN);
        let rest = rest.get_mut(..digits.len()).ok_or(too_long)?;
        rest.copy_from_slice(digits);
        let used = JAPAN.len() + digits.len();
        all.get(..used).and_then(Self::pack).ok_or(too_long)
    }
}

/// The first digit beyond those there may be.
fn too_long(digits: &[u8], most: usize) -> Fault {
    Fault {
        problem: NumberProblem::TooLong,
        left: digits.len().saturating_sub(most),
    }
}
