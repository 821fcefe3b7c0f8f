//! What the digits dialled on a terminal mean.
//!
//! | dialled | meaning |
//! |---|---|
//! | 110, 118, 119 | emergency, also behind any mix of what may stand in front of a number |
//! | an extension | the terminal of that ID, at whichever site |
//! | a number | that number; one of the contract's own stays inside |
//! | 184 or 186 and a number | withheld or shown for this call |
//! | `*0` and a number | presents the terminal's own direct number for this call (R23) |
//! | `*1` to `*9` and a number | presents the first to ninth representative number the terminal belongs to, in ascending order (R22, R23) |
//! | `**` and an extension | takes the call that rings there |
//! | `**01` to `**04` | parks the call that is transferred there, or takes the one that is parked there (R29) |
//! | `#` behind all of it | that was all: do not wait for more digits |
//!
//! Where the site has a digit for an outside line (0 or 9), it stands in front of the number, before or after 184 or 186.
//! No other feature code exists: `*` and `#` begin nothing else.

mod overlap;
mod park;
mod refusal;

use crate::date::Date;
use crate::id::{Extension, IdKey};
pub use crate::number::Privacy;
use crate::number::plan::{Kind, Outgoing, classify};
use crate::number::{Fault, Keys, Number, NumberProblem, Split};
use crate::site::{Called, Id, Site};

pub use overlap::{Progress, complete};
pub use park::ParkSlot;
pub use refusal::Refusal;

/// The number a call is to present (R23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Present {
    /// The terminal's usual one.
    #[default]
    Usual,
    /// `*0`: its direct number.
    Direct,
    /// `*1` to `*9`: this one of the representative numbers it belongs to, counted from 1.
    Rep(u8),
}

impl Present {
    /// The number wished on the terminal of this ID, if another one than usual; whether it may be presented is for
    /// [`crate::caller_id::present`].
    pub fn number(self, site: &Site, id: &Id) -> Result<Option<Number>, Refusal> {
        match self {
            Self::Usual => Ok(None),
            Self::Direct => Ok(Some(id.direct)),
            Self::Rep(place) => {
                let mut mine = site.reps.iter().filter(|rep| rep.members.contains(id.key));
                let rep = usize::from(place)
                    .checked_sub(1)
                    .and_then(|index| mine.nth(index));
                rep.map(|rep| Some(rep.number)).ok_or(Refusal::NoSuchRep(place))
            }
        }
    }
}

/// The meaning of what was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// 110, 118 or 119: goes before everything, with the caller's number shown, whatever prefix was dialled.
    Emergency(Number),
    /// The terminal of this ID, by its extension or its direct number; no channel is used (R30, A20).
    Extension(IdKey),
    /// The call that rings the terminal of this ID is taken over (代理応答).
    PickUp(IdKey),
    /// A call is parked there, or taken (パーク保留).
    Park(ParkSlot),
    /// A representative number of the contract (index in [`Site::reps`]).
    Rep(usize),
    /// A number outside, or a service code (1XY) other than emergency.
    Outside {
        /// The number.
        number: Number,
        /// 184 or 186 in front of it.
        privacy: Privacy,
        /// The caller ID chosen for this call.
        present: Present,
    },
}

/// Reads what was dialled on a terminal of `site`: digits as typed, or the user part of a SIP or tel URI.
///
/// `on` is the day, for what the numbering plan says then. A box that does not know it refuses only what neither the
/// first nor the last plan allows: the network knows the day.
pub fn dial(site: &Site, text: &str, on: Option<Date>) -> Result<Dialled, Refusal> {
    let mut keys = Keys::read(text).map_err(Refusal::NotANumber)?;
    keys.take_end();
    read(site, &keys, on)
}

fn read(site: &Site, keys: &Keys, on: Option<Date>) -> Result<Dialled, Refusal> {
    let typed = keys.as_bytes();
    // Before any other rule, and even where no outside-line digit is configured: 0119 is 119.
    if let Some(number) = emergency(unprefixed(site, typed)) {
        return Ok(Dialled::Emergency(number));
    }
    if let Some(slot) = ParkSlot::read(typed) {
        return Ok(Dialled::Park(slot));
    }
    if let [b'*', b'*', there @ ..] = typed {
        let meaning = extension(site, there).ok_or(Refusal::UnknownFeature)?;
        return meaning.map(Dialled::PickUp);
    }
    let (typed, present) = chosen(typed).ok_or(Refusal::UnknownFeature)?;
    if let Some(meaning) = extension(site, typed) {
        return meaning.map(Dialled::Extension);
    }
    let first = readings(site, typed).find_map(|reading| Some((reading.number().ok()?, reading)));
    let Some((number, reading)) = first else {
        return Err(fault(site, keys, typed));
    };
    match site.by_number(number) {
        Some(Called::Direct(key)) => return Ok(Dialled::Extension(key)),
        Some(Called::Rep(index)) => return Ok(Dialled::Rep(index)),
        None => {}
    }
    if site.sys.outside_prefix == Some(9) && !reading.outside && typed.first() != Some(&b'+') {
        return Err(Refusal::NeedsOutsidePrefix);
    }
    allowed(site, number, on)?;
    Ok(Dialled::Outside {
        number,
        privacy: reading.privacy,
        present,
    })
}

/// May this number outside be called? Box and cloud both ask here; for `on` see [`dial`].
pub fn allowed(site: &Site, number: Number, on: Option<Date>) -> Result<(), Refusal> {
    let judge = |on| match classify(number, on) {
        kind if kind.outgoing() == Outgoing::Block => Err(match kind {
            Kind::Ended => Refusal::Ended,
            Kind::Unassigned => Refusal::Unassigned,
            kind => Refusal::Barred(kind),
        }),
        kind if kind.outgoing() == Outgoing::Off && !site.sys.international => Err(Refusal::International),
        _ => Ok(()),
    };
    match on {
        Some(on) => judge(on),
        None => judge(Date::FIRST).or_else(|_| judge(Date::LAST)),
    }
}

/// Takes the choice of a caller ID off the front. Nothing if it is no such choice but looks like a feature code.
fn chosen(keys: &[u8]) -> Option<(&[u8], Present)> {
    match keys {
        [b'*', b'0', rest @ ..] => Some((rest, Present::Direct)),
        [b'*', place @ b'1'..=b'9', rest @ ..] => Some((rest, Present::Rep(place - b'0'))),
        [b'*' | b'#', ..] => None,
        _ => Some((keys, Present::Usual)),
    }
}

/// What is left when any mix of 184, 186 and outside-line digits is taken off, behind the choice of a caller ID.
fn unprefixed<'k>(site: &Site, keys: &'k [u8]) -> &'k [u8] {
    let mut rest = chosen(keys).map_or(keys, |(rest, _)| rest);
    loop {
        rest = match rest {
            [b'1', b'8', b'4' | b'6', rest @ ..] | [b'0', rest @ ..] => rest,
            // Only where 9 is the outside-line digit: elsewhere 9119 may be an extension.
            [b'9', rest @ ..] if site.sys.outside_prefix == Some(9) => rest,
            _ => return rest,
        }
    }
}

/// The emergency number these keys are.
fn emergency(keys: &[u8]) -> Option<Number> {
    Number::from_keys(keys)
        .ok()
        .filter(|number| number.is_emergency())
}

/// Digits that have the shape of an extension.
fn extension(site: &Site, typed: &[u8]) -> Option<Result<IdKey, Refusal>> {
    let extension: Extension = core::str::from_utf8(typed).ok()?.parse().ok()?;
    match site.by_extension(extension) {
        Some(id) => Some(Ok(id.key)),
        // 9 as outside-line digit: 9110 is not an extension, 9117 neither.
        None if without_line(site, typed).is_some() => None,
        None => Some(Err(Refusal::NoSuchExtension)),
    }
}

/// One way to read keys: what is left of them is to be a number.
struct Reading<'k> {
    split: Split<'k>,
    privacy: Privacy,
    /// The outside-line digit was taken off.
    outside: bool,
}

impl Reading<'_> {
    fn number(&self) -> Result<Number, Fault> {
        match self.split.rest {
            // Nothing behind 184 or 186.
            [b'1', b'8', b'4' | b'6'] => Err(Fault::at_end(NumberProblem::TooShort)),
            _ => self.split.number(),
        }
    }
}

/// Every way to read keys: 184 or 186 in front, the outside-line digit before or behind it, or not at all. With 0 for a
/// line, 0184 may be 0 and 184 or begin an area code; the number that comes out of it tells, and never both are one.
fn readings<'k>(site: &Site, keys: &'k [u8]) -> impl Iterator<Item = Reading<'k>> {
    let plain = Split::of(keys);
    let privacy = plain.privacy;
    let inner = without_line(site, plain.rest).filter(|_| privacy != Privacy::Default);
    let inner = inner.map(|rest| Reading {
        split: Split::of(rest),
        privacy,
        outside: true,
    });
    let outer = without_line(site, keys).map(Split::of).map(|split| Reading {
        privacy: split.privacy,
        split,
        outside: true,
    });
    let plain = Reading {
        split: plain,
        privacy,
        outside: false,
    };
    [Some(plain), outer, inner].into_iter().flatten()
}

/// Takes the outside-line digit off, where the site has one and it was dialled.
fn without_line<'k>(site: &Site, keys: &'k [u8]) -> Option<&'k [u8]> {
    let (first, rest) = keys.split_first()?;
    let line = site.sys.outside_prefix.map(|digit| b'0' + digit % 10);
    (line == Some(*first)).then_some(rest)
}

/// Why keys are no number: the length of one that has begun well says more than that another reading makes no sense.
fn fault(site: &Site, keys: &Keys, typed: &[u8]) -> Refusal {
    let faults = || readings(site, typed).filter_map(|reading| reading.number().err());
    let length = |fault: &Fault| matches!(fault.problem, NumberProblem::TooShort | NumberProblem::TooLong);
    let fault = faults().find(length).or_else(|| faults().last());
    let fault = fault.unwrap_or(Fault::at_end(NumberProblem::Unknown));
    match fault.problem {
        NumberProblem::CarrierPrefix => Refusal::CarrierSelection,
        _ => Refusal::NotANumber(keys.error(fault)),
    }
}
