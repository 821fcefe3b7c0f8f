//! Showing numbers.

use core::fmt;

use super::{INTERNATIONAL_PREFIX, JAPAN, MAX_DIGITS, Number, plan};

impl Number {
    /// The digits one dials for it inside Japan: `0312340001`, `110`, or with 010 in front for other countries.
    pub fn digits(self) -> Digits {
        let (raw, length) = self.raw();
        let raw = raw.get(..length).unwrap_or(&[]);
        let mut out = Digits::EMPTY;
        match raw.strip_prefix(JAPAN) {
            _ if self.is_service() => out.append(raw),
            // Behind a 0 it would be read as 010; nobody in Japan has such a number, but anybody may send one.
            Some(national) if !national.starts_with(b"10") => {
                out.append(b"0");
                out.append(national);
            }
            _ => {
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

    /// Shows it in the groups people expect: `03-1234-5678`, `0120-123-456`; with `{:#}` as for readers abroad:
    /// `+81 3-1234-5678`. Nothing is guessed: a head that is in no table is shown ungrouped, and so are numbers of other
    /// countries (`+16505550100`).
    pub fn grouped(self) -> Grouped {
        Grouped(self)
    }

    /// Digits of the first two groups, the 0 among them.
    fn groups(self) -> Option<(usize, usize)> {
        match plan::find(self) {
            Some(row) => {
                let (first, second) = row.groups;
                (first > 0).then_some((first.into(), second.into()))
            }
            None => self.split().map(|(_, code)| (1 + code, 5 - code)),
        }
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
    const EMPTY: Self = Self {
        bytes: [0; Self::MAX],
        len: 0,
    };

    pub(super) fn from_keys(keys: &[u8]) -> Self {
        let mut digits = Self::EMPTY;
        digits.append(keys);
        digits
    }

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

/// Shows a number in groups, see [`Number::grouped`].
#[derive(Clone, Copy, Debug)]
pub struct Grouped(Number);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = *self;
        if number.is_service() || !number.is_japanese() {
            return fmt::Display::fmt(&number.e164(), f);
        }
        let digits = number.digits();
        let groups = number.groups().and_then(|(first, second)| {
            let (first, rest) = digits.split_at_checked(first)?;
            let (second, third) = rest.split_at_checked(second)?;
            Some((first, second, third))
        });
        match (groups, f.alternate()) {
            (Some((first, second, third)), false) => write!(f, "{first}-{second}-{third}"),
            (Some((first, second, third)), true) => {
                let first = first.trim_start_matches('0');
                write!(f, "+81 {first}-{second}-{third}")
            }
            (None, false) => f.write_str(&digits),
            (None, true) => fmt::Display::fmt(&number.e164(), f),
        }
    }
}
