//! What the digits dialled on a terminal mean.

use crate::id::{Extension, IdKey};
pub use crate::number::Privacy;
use crate::number::{Fault, Keys, Number, NumberError, NumberProblem, Split};
use crate::site::{Called, Site};

/// Why dialled digits are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a number at all, and where.
    NotANumber(NumberError),
    /// No ID of the site has this extension.
    NoSuchExtension,
    /// No such feature code.
    UnknownFeature,
    /// Calls to other countries are not allowed here.
    International,
    /// The site's outside-line digit is missing.
    NeedsOutsidePrefix,
}

/// The meaning of what was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// 110, 118 or 119: goes before everything, with the caller's number shown, whatever prefix was dialled.
    Emergency(Number),
    /// The terminal of this ID, by its extension or its direct number; no channel is used while it is on this site
    /// (R30, A20).
    Extension(IdKey),
    /// A representative number of the site (index in [`Site::reps`]).
    Rep(usize),
    /// A service code (1XY) other than emergency.
    Service {
        /// The code.
        number: Number,
        /// 184 or 186 in front of it.
        privacy: Privacy,
    },
    /// A number outside.
    Outside {
        /// The number.
        number: Number,
        /// 184 or 186 in front of it.
        privacy: Privacy,
    },
    /// Nothing that can be dialled.
    Refused(Refusal),
}

/// Reads what was dialled on a terminal of `site`: digits as typed, or the user part of a SIP or tel URI.
pub fn dial(site: &Site, text: &str) -> Dialled {
    let keys = match Keys::read(text) {
        Ok(keys) => keys,
        Err(error) => return Dialled::Refused(Refusal::NotANumber(error)),
    };
    let typed = keys.as_bytes();
    // Before any other rule, and even where no outside-line digit is configured: 0119 is 119.
    if let Some(number) = emergency(site, typed) {
        return Dialled::Emergency(number);
    }
    if matches!(typed, [b'*' | b'#', ..]) {
        return Dialled::Refused(Refusal::UnknownFeature);
    }
    if let Some(meaning) = extension(site, typed) {
        return meaning;
    }
    let (rest, prefixed) = strip_outside(site, typed);
    let split = Split::of(rest);
    let privacy = split.privacy;
    // The outside-line digit may also come after 184 or 186.
    let (split, prefixed) = match strip_outside(site, split.rest) {
        (inner, true) if !prefixed && privacy != Privacy::Default => (Split::of(inner), true),
        _ => (split, prefixed),
    };
    let read = match split.rest {
        // Nothing after 184 or 186.
        [b'1', b'8', b'4' | b'6'] => Err(Fault::at_end(NumberProblem::TooShort)),
        _ => split.number(),
    };
    let number = match read {
        Ok(number) => number,
        Err(fault) => return Dialled::Refused(Refusal::NotANumber(keys.error(fault))),
    };
    match site.by_number(number) {
        Some(Called::Direct(key)) => return Dialled::Extension(key),
        Some(Called::Rep(index)) => return Dialled::Rep(index),
        None => {}
    }
    if site.sys.outside_prefix == Some(9) && !prefixed && typed.first() != Some(&b'+') {
        return Dialled::Refused(Refusal::NeedsOutsidePrefix);
    }
    if number.is_service() {
        Dialled::Service { number, privacy }
    } else if number.is_japanese() || site.sys.international {
        Dialled::Outside { number, privacy }
    } else {
        Dialled::Refused(Refusal::International)
    }
}

/// An emergency number behind any mix of 184, 186 and outside-line digits.
fn emergency(site: &Site, typed: &[u8]) -> Option<Number> {
    let mut digits = typed;
    loop {
        digits = match digits {
            [b'1', b'1', b'0' | b'8' | b'9'] => return Number::from_keys(digits).ok(),
            [b'1', b'8', b'4' | b'6', rest @ ..] | [b'0', rest @ ..] => rest,
            // Only where 9 is the outside-line digit: elsewhere 9119 may be an extension.
            [b'9', rest @ ..] if site.sys.outside_prefix == Some(9) => rest,
            _ => return None,
        }
    }
}

/// Takes the outside-line digit off, where the site has one and it was dialled.
fn strip_outside<'a>(site: &Site, digits: &'a [u8]) -> (&'a [u8], bool) {
    match (site.sys.outside_prefix, digits) {
        // 0 in front of a national number, a service code, or either after 184 or 186; not the 0 the number itself
        // begins with (0184 and 0186 are area codes too, but their local numbers begin with neither 0 nor 1).
        (Some(0), [b'0', rest @ ..])
            if matches!(
                rest,
                [b'0', ..] | [b'1', _, _] | [b'1', b'8', b'4' | b'6', b'0' | b'1', ..]
            ) =>
        {
            (rest, true)
        }
        (Some(9), [b'9', rest @ ..]) => (rest, true),
        _ => (digits, false),
    }
}

/// Digits that have the shape of an extension.
fn extension(site: &Site, typed: &[u8]) -> Option<Dialled> {
    let extension: Extension = core::str::from_utf8(typed).ok()?.parse().ok()?;
    if let Some(id) = site.by_extension(extension) {
        return Some(Dialled::Extension(id.key));
    }
    // 9 as outside-line digit: 9110 is not an extension, 9117 neither.
    let outside = strip_outside(site, typed).1;
    (!outside).then_some(Dialled::Refused(Refusal::NoSuchExtension))
}
