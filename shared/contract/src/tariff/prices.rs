//! Prices that the guide does not state (R52): a file in JSON, checked as a whole before it is used.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use shared::Date;

use super::{Destination, Error, Price, TooLarge, Treatment, Yen};
use crate::catalogue::{CATALOGUE, Offer};
use crate::device::{Acquisition, Model};

/// A price of something with the days on which it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row<K, P> {
    /// Of what.
    pub of: K,
    /// The first day.
    pub from: Date,
    /// The last day; none if the end is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// The price.
    pub price: P,
    /// Who says so.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub source: Cow<'static, str>,
}

impl<K, P> Row<K, P> {
    /// The price holds on this day.
    pub fn holds(&self, day: Date) -> bool {
        self.from <= day && self.until.is_none_or(|until| day <= until)
    }
}

/// The price of something on a day.
fn price_at<'a, K: PartialEq, P>(rows: &'a [Row<K, P>], of: &K, day: Date) -> Option<&'a P> {
    rows.iter()
        .find(|row| row.of == *of && row.holds(day))
        .map(|row| &row.price)
}

/// What a contract pays for besides devices and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fee {
    /// The contract with its basic ID, a month.
    Base,
    /// An additional ID with its direct number, a month.
    AdditionalId,
    /// An additional ID, once.
    AdditionalIdSetup,
    /// A representative number, a month.
    Rep,
    /// Universal service fee (ユニバーサルサービス料) of a number, a month.
    UniversalService,
    /// Telephone relay service fee (電話リレーサービス料) of a number, a month.
    TelephoneRelay,
}

impl Fee {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::Base,
        Self::AdditionalId,
        Self::AdditionalIdSetup,
        Self::Rep,
        Self::UniversalService,
        Self::TelephoneRelay,
    ];

    /// Its name in price lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::AdditionalId => "additional_id",
            Self::AdditionalIdSetup => "additional_id_setup",
            Self::Rep => "rep",
            Self::UniversalService => "universal_service",
            Self::TelephoneRelay => "telephone_relay",
        }
    }
}

/// What calls cost: so much for each time unit begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// A unit costs this.
    pub yen: Yen,
    /// A unit lasts so many seconds, at least 1.
    pub seconds: u32,
}

impl Rate {
    /// What an answered call of this length costs; an answered call is at least one unit.
    pub fn charge(&self, milliseconds: u64) -> Result<Yen, TooLarge> {
        let unit = u64::from(self.seconds.max(1)) * 1_000;
        self.yen.times(milliseconds.div_ceil(unit).max(1))
    }
}

/// All prices that are configuration. Made by [`PriceList::from_json`] only, so its rows are known to be sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceList(File);

/// The file. Schema 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u16,
    #[serde(default)]
    fees: Vec<Row<Fee, Yen>>,
    #[serde(default)]
    devices: Vec<Row<Model, Offer>>,
    #[serde(default)]
    calls: Vec<Row<Destination, Rate>>,
    early_termination: Treatment,
}

/// What is wrong with a price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON, or not with these fields; in the words of the reader, with line and column.
    Syntax(String),
    /// A schema this version does not know.
    Schema(u16),
    /// A price below zero.
    Negative(Yen),
    /// A last day before the first.
    Backwards,
    /// A monthly fee that changes within a month.
    MidMonth(Date),
    /// Two prices of the same thing on this day.
    Overlap(Date),
    /// A time unit of no length.
    NoUnit,
    /// A price that the guide states (R46 to R49).
    OfTheGuide(Model),
    /// A device that is neither sold nor rented out.
    NoTerms,
    /// A minimum term without both prices, from which its fee is computed (R48).
    Minimum,
}

/// Why a text is no price list, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// List and row, from 0; none if it is about the file.
    pub at: Option<(&'static str, usize)>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((list, row)) = self.at {
            write!(f, "{list}[{row}]: ")?;
        }
        match &self.fault {
            Fault::Syntax(error) => f.write_str(error),
            Fault::Schema(schema) => write!(f, "schema {schema} is not known"),
            Fault::Negative(yen) => write!(f, "{yen} is below zero"),
            Fault::Backwards => f.write_str("ends before it begins"),
            Fault::MidMonth(day) => write!(f, "{day}: a monthly fee changes with the month"),
            Fault::Overlap(day) => write!(f, "a second price for {day}"),
            Fault::NoUnit => f.write_str("a unit of 0 seconds"),
            Fault::OfTheGuide(model) => write!(f, "the guide states the price of {}", model.name()),
            Fault::NoTerms => f.write_str("neither sold nor rented out"),
            Fault::Minimum => f.write_str("a minimum term needs both prices"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl PriceList {
    /// The schema written.
    pub const SCHEMA: u16 = 1;

    /// Reads and checks a price list.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let whole = |fault| ConfigError { at: None, fault };
        let syntax = |error: serde_json::Error| whole(Fault::Syntax(error.to_string()));
        match super::schema(text).map_err(syntax)? {
            Self::SCHEMA => {}
            other => return Err(whole(Fault::Schema(other))),
        }
        let file: File = serde_json::from_str(text).map_err(syntax)?;
        check("fees", &file.fees, |row| {
            let ends = row.until.map(|until| until.plus_days(1));
            match [Some(row.from), ends]
                .into_iter()
                .flatten()
                .find(|day| day.ymd().2 != 1)
            {
                Some(day) => Err(Fault::MidMonth(day)),
                None => not_negative(row.price),
            }
        })?;
        check("devices", &file.devices, |row| {
            let offer = row.price;
            [offer.buy, offer.rent, Some(offer.use_fee)]
                .into_iter()
                .flatten()
                .try_for_each(not_negative)?;
            if CATALOGUE.iter().any(|guide| guide.of == row.of) {
                return Err(Fault::OfTheGuide(row.of));
            }
            match (offer.buy, offer.rent) {
                (None, None) => Err(Fault::NoTerms),
                (None, _) | (_, None) if offer.minimum > 0 => Err(Fault::Minimum),
                _ => Ok(()),
            }
        })?;
        check("calls", &file.calls, |row| match row.price.seconds {
            0 => Err(Fault::NoUnit),
            _ => not_negative(row.price.yen),
        })?;
        Ok(Self(file))
    }

    /// The list as text, which reads back as the same list.
    pub fn to_json(&self) -> String {
        // Fails for maps with keys that are not text and for values that refuse; there are none.
        serde_json::to_string_pretty(&self.0).unwrap_or_default()
    }

    /// How early termination is read and taxed (A6, A13).
    pub fn early_termination(&self) -> Treatment {
        self.0.early_termination
    }

    /// A fee on a day.
    pub fn fee(&self, fee: Fee, day: Date) -> Result<Yen, Error> {
        price_at(&self.0.fees, &fee, day).copied().ok_or(Error::NoPrice {
            price: Price::Fee(fee),
            day,
        })
    }

    /// What a device ordered on a day costs, by the guide or by this list.
    pub fn offer(&self, model: Model, day: Date) -> Result<Offer, Error> {
        price_at(&CATALOGUE, &model, day)
            .or_else(|| price_at(&self.0.devices, &model, day))
            .copied()
            .ok_or(Error::NoPrice {
                price: Price::Device(model),
                day,
            })
    }

    /// The last day on which a device was offered, if that was before this day and it no longer is (R35).
    pub fn sold_until(&self, model: Model, day: Date) -> Option<Date> {
        if self.offer(model, day).is_ok() {
            return None;
        }
        CATALOGUE
            .iter()
            .chain(&self.0.devices)
            .filter(|row| row.of == model)
            .filter_map(|row| row.until)
            .filter(|until| *until < day)
            .max()
    }

    /// What one unit of a device ordered on a day costs on these terms, once or a month.
    pub fn price(&self, model: Model, terms: Acquisition, day: Date) -> Result<Yen, Error> {
        let offer = self.offer(model, day)?;
        offer.price(terms).ok_or(Error::NotOffered { model, terms })
    }

    /// What calls to a destination cost on a day; of the prefixes of a number abroad the longest counts.
    pub fn rate(&self, to: Destination, day: Date) -> Result<Rate, Error> {
        self.0
            .calls
            .iter()
            .filter(|row| row.holds(day) && row.of.covers(to))
            .max_by_key(|row| row.of)
            .map(|row| row.price)
            .ok_or(Error::NoPrice {
                price: Price::Calls(to),
                day,
            })
    }
}

fn not_negative(yen: Yen) -> Result<(), Fault> {
    if yen < Yen::ZERO {
        Err(Fault::Negative(yen))
    } else {
        Ok(())
    }
}

/// What holds for rows of every kind: they end after they begin, and no two overlap.
fn check<K: PartialEq, P>(
    list: &'static str,
    rows: &[Row<K, P>],
    also: impl Fn(&Row<K, P>) -> Result<(), Fault>,
) -> Result<(), ConfigError> {
    for (index, row) in rows.iter().enumerate() {
        let earlier = rows.iter().take(index).filter(|earlier| earlier.of == row.of);
        let fault = if row.until.is_some_and(|until| until < row.from) {
            Err(Fault::Backwards)
        } else {
            earlier
                .map(|earlier| (earlier, earlier.from.max(row.from)))
                .find(|(earlier, day)| earlier.holds(*day) && row.holds(*day))
                .map_or(Ok(()), |(_, day)| Err(Fault::Overlap(day)))
        };
        fault.and_then(|()| also(row)).map_err(|fault| ConfigError {
            at: Some((list, index)),
            fault,
        })?;
    }
    Ok(())
}
