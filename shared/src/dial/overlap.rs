//! Digits that come one by one, from analog ports and phones that send them so (ITU-T Q.931 §5.1.3): when to call.

use heapless::Vec;

use super::{Dialled, Refusal, chosen, emergency, read, readings, unprefixed};
use crate::date::Date;
use crate::number::{Keys, MAX_KEYS, NumberProblem};
use crate::site::Site;

/// How far dialling has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// This is to be called now.
    Complete(Dialled),
    /// More digits may come.
    Incomplete {
        /// What to call if none come for some seconds, or after `#`; nothing if that would be no number yet.
        already: Option<Dialled>,
    },
    /// Whatever came next, it could not be called.
    Invalid(Refusal),
}

/// Judges the digits dialled so far. 110, 118 and 119 are complete at once, also behind 184, 186, the choice of a caller
/// ID and the site's own outside-line digit: there 0119 is the fire brigade, and Sapporo is 0 and 0119.
pub fn complete(site: &Site, text: &str, on: Option<Date>) -> Progress {
    let mut keys = match Keys::read(text) {
        Ok(keys) => keys,
        Err(error) if error.problem == NumberProblem::Empty => {
            return Progress::Incomplete { already: None };
        }
        Err(error) => return Progress::Invalid(Refusal::NotANumber(error)),
    };
    let ended = keys.take_end();
    let typed = keys.as_bytes();
    let goes_on = !ended && !is_emergency(site, typed) && goes_on(site, typed);
    match read(site, &keys, on) {
        Ok(dialled) if !goes_on => Progress::Complete(dialled),
        Err(refusal) if !goes_on => Progress::Invalid(refusal),
        already => Progress::Incomplete {
            already: already.ok(),
        },
    }
}

/// An emergency number as it is to be dialled at this site: nobody waits for more.
fn is_emergency(site: &Site, typed: &[u8]) -> bool {
    chosen(typed)
        .is_some_and(|(keys, _)| readings(site, keys).any(|reading| emergency(reading.split.rest).is_some()))
}

/// Is there something to be called that begins so, and is longer?
fn goes_on(site: &Site, typed: &[u8]) -> bool {
    let Some((keys, _)) = chosen(typed) else {
        return match typed {
            b"*" | b"**" | b"**0" => true,
            [b'*', b'*', there @ ..] => begins_extension(site, there),
            _ => false,
        };
    };
    matches!(unprefixed(site, typed), [] | [b'1'] | [b'1', b'1' | b'8'])
        || begins_extension(site, keys)
        || (b'0'..=b'9').any(|digit| begins_number(site, keys, digit))
}

fn begins_extension(site: &Site, keys: &[u8]) -> bool {
    let digits = core::str::from_utf8(keys)
        .ok()
        .filter(|text| text.starts_with(|first| matches!(first, '2'..='9')));
    let Some(typed) = digits.and_then(|text| text.parse::<u32>().ok()) else {
        return false;
    };
    site.ids.iter().any(|id| {
        let mut shorter = id.extension.value() / 10;
        while shorter > typed {
            shorter /= 10;
        }
        shorter == typed
    })
}

/// Are these keys and one more digit a number, or a part of one?
fn begins_number(site: &Site, keys: &[u8], digit: u8) -> bool {
    let mut longer: Vec<u8, { MAX_KEYS + 1 }> = Vec::new();
    // There is room for one more key than can be typed.
    let _ = longer.extend_from_slice(keys);
    let _ = longer.push(digit);
    readings(site, &longer).any(|reading| match reading.number() {
        // The contract's own numbers are Japanese.
        Ok(number) => number.is_japanese() || site.sys.international,
        Err(fault) => fault.problem == NumberProblem::TooShort,
    })
}
