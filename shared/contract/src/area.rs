//! Which numbers an address can have: geographic numbers belong to a number area (番号区画) and so do addresses (R18).
//!
//! The answer has three values. "Denied" is certain, and so is "allowed"; whatever the tables do not settle is for a
//! person to look at (A16).

mod address;
mod clause;
mod import;

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::{Number, number};

use self::address::{Address, PREFECTURES, TOKYO};
use self::clause::{Extent, Place, Town};
use crate::area_names;

pub use self::import::{Column, ImportError, Problem};

/// A number area by its code (番号区画コード), such as 219 or 257-2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    code: u16,
    part: u8,
}

/// A text is no code of a number area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneError;

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a number area like 219 or 257-2")
    }
}

impl core::error::Error for ZoneError {}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let number = |text: &str, length: usize| {
            let digits = (1..=length).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            let value = digits.then(|| text.parse::<u16>().ok()).flatten();
            value.filter(|value| *value > 0).ok_or(ZoneError)
        };
        let (code, part) = match text.split_once('-') {
            Some((code, part)) => (number(code, 3)?, number(part, 2)? as u8),
            None => (number(text, 3)?, 0),
        };
        Ok(Self { code, part })
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;

    fn try_from(text: String) -> Result<Self, ZoneError> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            0 => write!(f, "{}", self.code),
            part => write!(f, "{}-{part}", self.code),
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where somebody found an address to lie: in a number area (`219`), or where the numbers of an area code and message
/// area belong, also if no table has their number area (`06大阪`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Found {
    /// In this number area.
    Zone(Zone),
    /// Where the numbers of this area code (市外局番) and message area (MA) belong.
    Numbers(String),
}

impl Found {
    /// Where a geographic number belongs, whatever the tables know of it.
    pub fn numbers(number: Number) -> Option<Self> {
        number.area().map(Self::of)
    }

    fn of(area: number::Area) -> Self {
        Self::Numbers(format!("{}{}", area_names::code(area), area_names::name(area)))
    }

    /// There is such a place: a number area in the tables or not, but numbers of a known area.
    pub fn exists(&self) -> bool {
        matches!(self, Self::Zone(_)) || number::Area::all().any(|area| Self::of(area) == *self)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => zone.fmt(f),
            Self::Numbers(name) => f.write_str(name),
        }
    }
}

impl FromStr for Found {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        match text.parse() {
            Ok(zone) => Ok(Self::Zone(zone)),
            Err(_) if text.starts_with('0') => Ok(Self::Numbers(text.into())),
            Err(error) => Err(error),
        }
    }
}

impl TryFrom<String> for Found {
    type Error = ZoneError;

    fn try_from(text: String) -> Result<Self, ZoneError> {
        text.parse()
    }
}

impl From<Found> for String {
    fn from(found: Found) -> String {
        found.to_string()
    }
}

/// May an address have numbers of a number area?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// It may not, and this is why.
    Denied(Reason),
    /// The tables do not settle it.
    NeedsReview {
        /// Number areas in which the address may be, as far as the tables know; empty if they know nothing of it.
        options: Vec<Zone>,
    },
}

/// Why an address is outside a number area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No part of its prefecture is in the area.
    Prefecture(String),
    /// No part of its municipality is.
    Municipality(String),
    /// Its town is not.
    Town(String),
    /// It is in this area instead.
    Elsewhere(Zone),
}

/// What is known of a number area.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Area {
    /// Area code with its 0: 048.
    code: String,
    /// Name of the message area (MA), if the file has it: 浦和.
    name: String,
    places: Vec<Place>,
    /// The list of its places is complete.
    whole: bool,
}

/// Tables of number areas: their places, and the numbers in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    areas: BTreeMap<Zone, Area>,
    /// Prefectures of which every area is listed.
    complete: Vec<&'static str>,
    /// Area of a head: the five digits behind the 0.
    heads: BTreeMap<u32, Zone>,
}

impl Table {
    /// The table that is shipped: 東京 (219) with its split towns, and the areas of 埼玉県 as far as the prefecture.
    pub fn shipped() -> Self {
        let mut table = import::areas(include_bytes!("../data/areas.tsv")).unwrap_or_default();
        table.complete = vec!["埼玉県"];
        table
    }

    /// Reads the official list of number areas (総務省「市外局番の一覧」) as CSV or tab-separated text, UTF-8 or cp932. It
    /// does not name the areas; those of the shipped table keep their names.
    pub fn import(areas: &[u8]) -> Result<Self, ImportError> {
        let mut table = import::areas(areas)?;
        let shipped = Self::shipped();
        for (zone, area) in &mut table.areas {
            let named = shipped.areas.get(zone).filter(|named| named.code == area.code);
            if let Some(named) = named.filter(|_| area.name.is_empty()) {
                area.name.clone_from(&named.name);
            }
        }
        table.complete = PREFECTURES.to_vec();
        Ok(table)
    }

    /// Adds the official list of number blocks (総務省「電気通信番号指定状況」), in the same formats. On an error
    /// nothing is added.
    pub fn import_numbers(&mut self, numbers: &[u8]) -> Result<(), ImportError> {
        let heads = import::heads(numbers, self)?;
        self.heads.extend(heads);
        Ok(())
    }

    /// The areas a geographic number may belong to: one if the tables know it, several if all they know is the area
    /// code, none if they have none with it.
    pub fn zones(&self, number: Number) -> Vec<Zone> {
        let digits = number.digits();
        let head = digits.get(1..6).and_then(|head| head.parse().ok());
        if let Some(zone) = head.and_then(|head: u32| self.heads.get(&head)) {
            return vec![*zone];
        }
        let Some(area) = number.area() else {
            return Vec::new();
        };
        let (code, name) = (area_names::code(area), area_names::name(area));
        let called = |name: &str| -> Vec<Zone> {
            let areas = self.areas.iter();
            let areas = areas.filter(|(_, area)| area.code == code && area.name == name);
            areas.map(|(zone, _)| *zone).collect()
        };
        match called(name) {
            // It is one of those whose names are not known.
            none if none.is_empty() => called(""),
            named => named,
        }
    }

    /// Does this evidence show that an address is where the number belongs?
    pub fn settles(&self, found: &Found, number: Number) -> bool {
        match found {
            Found::Zone(zone) => self.zones(number) == [*zone],
            Found::Numbers(_) => Found::numbers(number).as_ref() == Some(found),
        }
    }

    /// What people call the area: 東京, or its code if the tables have no name.
    pub fn name(&self, zone: Zone) -> &str {
        self.areas.get(&zone).map_or("", |area| area.name.as_str())
    }

    /// May this address have a number that belongs to one of these areas?
    ///
    /// Only what holds for all of them is certain. A number whose area no table has (none of them) may still be denied:
    /// to an address whose area is known, or whose prefecture's areas all are.
    pub fn judge(&self, address: &str, zones: &[Zone]) -> Verdict {
        let address = Address::read(address);
        let address = self.place(&address);
        let answers: Vec<(Zone, Option<bool>)> = self
            .areas
            .keys()
            .map(|one| (*one, self.contains(Some(*one), &address)))
            .collect();
        // The areas do not overlap: being in one is not being in any other.
        if let Some((within, _)) = answers.iter().find(|(_, answer)| *answer == Some(true)) {
            return match zones {
                [one] if one == within => Verdict::Allowed,
                some if some.contains(within) => Verdict::NeedsReview {
                    options: vec![*within],
                },
                _ => Verdict::Denied(Reason::Elsewhere(*within)),
            };
        }
        let outside = |zone| self.contains(zone, &address) == Some(false);
        let denied = match zones {
            [] => outside(None),
            some => some.iter().all(|zone| outside(Some(*zone))),
        };
        if denied {
            return Verdict::Denied(self.reason(zones.first().copied(), &address));
        }
        Verdict::NeedsReview {
            options: answers
                .iter()
                .filter(|(zone, answer)| answer.is_none() && self.reaches(*zone, address.prefecture))
                .map(|(zone, _)| *zone)
                .collect(),
        }
    }

    /// Finds prefecture and municipality of an address by the names in the tables.
    fn place<'a>(&self, address: &'a Address) -> Located<'a> {
        let places = || self.areas.values().flat_map(|area| &area.places);
        let mut found = Located {
            prefecture: address.prefecture,
            municipality: None,
            town: address.rest.as_str(),
        };
        if found.prefecture.is_none() {
            // A ward's name says nothing: many cities have a 中央区. Nor does one that several prefectures have: 府中市.
            let named = |place: &&Place| {
                !place.municipality.is_empty()
                    && !place.municipality.ends_with('区')
                    && address.rest.starts_with(place.municipality.as_str())
            };
            let mut prefectures = places().filter(named).map(|place| place.prefecture);
            let first = prefectures.next();
            found.prefecture = first.filter(|first| prefectures.all(|other| other == *first));
        }
        let Some(prefecture) = found.prefecture else {
            return found;
        };
        let others: &[&str] = if prefecture == "東京都" { &TOKYO } else { &[] };
        let names = places()
            .filter(|place| place.prefecture == prefecture)
            .map(|place| place.municipality.as_str())
            .chain(others.iter().copied());
        let longest = names
            .filter(|name| !name.is_empty())
            .filter_map(|name| address.rest.strip_prefix(name).map(|town| (name, town)))
            .max_by_key(|(name, _)| name.len());
        if let Some((name, town)) = longest {
            found.municipality = Some(name.to_owned());
            found.town = town;
        }
        found
    }

    /// Is the address in the area? Nothing if the tables do not say.
    fn contains(&self, zone: Option<Zone>, address: &Located<'_>) -> Option<bool> {
        let area = zone.and_then(|zone| self.areas.get(&zone));
        let prefecture = address.prefecture?;
        let places = area.map_or(&[][..], |area| area.places.as_slice());
        let mut unsure = false;
        let mut here = false;
        for place in places.iter().filter(|place| place.prefecture == prefecture) {
            here = true;
            let answer = match &address.municipality {
                _ if place.municipality.is_empty() => place.extent.contains(address.town),
                None => None,
                Some(name) if *name == place.municipality => place.extent.contains(address.town),
                Some(_) => Some(false),
            };
            match answer {
                Some(true) => return Some(true),
                Some(false) => {}
                None => unsure = true,
            }
        }
        let listed = area.is_some_and(|area| area.whole) || (!here && self.complete.contains(&prefecture));
        (listed && !unsure).then_some(false)
    }

    /// Is some place of this prefecture known to be in the area?
    fn reaches(&self, zone: Zone, prefecture: Option<&str>) -> bool {
        let area = self.areas.get(&zone);
        area.is_some_and(|area| {
            area.places
                .iter()
                .any(|place| Some(place.prefecture) == prefecture)
        })
    }

    /// Why the area does not contain the address.
    fn reason(&self, zone: Option<Zone>, address: &Located<'_>) -> Reason {
        let area = zone.and_then(|zone| self.areas.get(&zone));
        let places = area.map_or(&[][..], |area| area.places.as_slice());
        let prefecture = address.prefecture.unwrap_or("");
        let municipality = address.municipality.as_deref().unwrap_or("");
        let mut here = places
            .iter()
            .filter(|place| place.prefecture == prefecture)
            .peekable();
        if here.peek().is_none() {
            return Reason::Prefecture(prefecture.into());
        }
        if here.any(|place| place.municipality == municipality) {
            Reason::Town(format!("{municipality}{}", address.town))
        } else {
            Reason::Municipality(municipality.into())
        }
    }
}

/// An address with what the tables recognise of it.
struct Located<'a> {
    prefecture: Option<&'static str>,
    municipality: Option<String>,
    /// What comes behind the municipality.
    town: &'a str,
}

impl Extent {
    /// Is this town in it? Nothing if the text is too short to tell.
    fn contains(&self, town: &str) -> Option<bool> {
        let among = |towns: &[Town]| {
            let mut answers = towns.iter().map(|one| one.matches(town));
            if answers.clone().any(|answer| answer == Some(true)) {
                Some(true)
            } else if answers.any(|answer| answer.is_none()) {
                None
            } else {
                Some(false)
            }
        };
        match self {
            Self::Whole => Some(true),
            Self::Some => None,
            Self::Only(towns) => among(towns),
            Self::Except(towns) => among(towns).map(|answer| !answer),
        }
    }
}
