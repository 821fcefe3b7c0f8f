//! The number a call presents: one of a closed set, whatever the terminal asks for (R9, R22 to R25; 事業用電気通信設備
//! 規則 35条の2の6).
//!
//! Box and cloud both ask here: the box before it sends, the cloud before it passes on.

use crate::dial::Privacy;
use crate::number::Number;
use crate::site::{Called, Id, Site};

/// Why a number may not be presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no number of the contract (R9).
    Foreign,
    /// It is the direct number of another ID (R9).
    NotOwned,
    /// It is a representative number whose group the ID is not in (R22).
    NotMember,
    /// It is the ID's direct number, which is off for calls out (R25).
    DirectOff,
}

impl Refusal {
    /// The rule behind it.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Foreign | Self::NotOwned => "R9",
            Self::NotMember => "R22",
            Self::DirectOff => "R25",
        }
    }

    /// In English with its rule, short enough for a Reason header.
    pub const fn english(self) -> &'static str {
        match self {
            Self::Foreign => "Not a number of the contract (R9)",
            Self::NotOwned => "Another terminal's direct number (R9)",
            Self::NotMember => "Not in the group of this number (R22)",
            Self::DirectOff => "Direct number is off for calls out (R25)",
        }
    }
}

/// What the called side is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The number; it is always sent to the carrier, which knows whose call it is.
    pub number: Number,
    /// It is not to be shown (184).
    pub withheld: bool,
}

/// May the terminal of this ID present this number?
pub fn check(site: &Site, id: &Id, number: Number) -> Result<(), Refusal> {
    match site.by_number(number) {
        None => Err(Refusal::Foreign),
        Some(Called::Direct(key)) if key != id.key => Err(Refusal::NotOwned),
        Some(Called::Direct(_)) if !id.direct_out => Err(Refusal::DirectOff),
        Some(Called::Direct(_)) => Ok(()),
        Some(Called::Rep(index)) => match site.reps.get(index) {
            Some(rep) if rep.members.contains(id.key) => Ok(()),
            _ => Err(Refusal::NotMember),
        },
    }
}

/// The numbers a terminal can choose from: its direct number unless that is off, and the representative numbers it
/// belongs to (R22).
pub fn choices<'s>(site: &'s Site, id: &'s Id) -> impl Iterator<Item = Number> + 's {
    let direct = id.direct_out.then_some(id.direct);
    let reps = site.reps.iter().filter(|rep| rep.members.contains(id.key));
    direct.into_iter().chain(reps.map(|rep| rep.number))
}

/// What a call of this terminal presents: the number wished for this one call, or its usual one (R23).
pub fn present(site: &Site, id: &Id, wish: Option<Number>, privacy: Privacy) -> Result<Presented, Refusal> {
    let number = wish.unwrap_or(id.outgoing);
    check(site, id, number)?;
    Ok(Presented {
        number,
        withheld: privacy == Privacy::Withhold,
    })
}

/// What a call to 110, 118 or 119 presents, whatever was chosen, withheld or switched off: a geographic number of the place
/// where the terminal is; its own first, since a call-back to it rings this terminal (R24).
///
/// A representative number may belong to the address of any site (R18), and its number area to another city. It tells the
/// place if a direct number at the terminal's site is of the same area, or if the contract has no terminal anywhere else.
/// Without one the direct number is presented, with 050 too: a number that tells no place leads nobody to a wrong one.
pub fn emergency(site: &Site, id: &Id) -> Number {
    let here = || site.ids.iter().filter(|one| one.site == id.site);
    let one_place = here().count() == site.ids.len();
    let tells_the_place = |number: &Number| {
        let area = number.area();
        area.is_some() && (one_place || here().any(|one| one.direct.area() == area))
    };
    let reps = site.reps.iter().filter(|rep| rep.members.contains(id.key));
    [id.direct, id.outgoing]
        .into_iter()
        .chain(reps.map(|rep| rep.number))
        .find(tells_the_place)
        .unwrap_or(id.direct)
}
