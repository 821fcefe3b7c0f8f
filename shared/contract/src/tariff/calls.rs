//! What calls cost and who pays for them (R50, R51, A11).

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shared::number::plan::{Kind, classify};
use shared::{Date, IdKey, Number};

use super::monthly::{direct, subject};
use super::{Error, Month, PriceList, Subject, Yen};
use crate::model::Contract;

/// An answered call, as the call records of its legs tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The number it was made as, also if that was withheld (184); of a forwarded call, the number that forwarded.
    pub billed: Number,
    /// Who made it.
    pub origin: Origin,
    /// The outside number that was called; none for an extension, which costs nothing (R30).
    #[serde(default)]
    pub to: Option<Number>,
    /// The day in Japan on which it was answered.
    pub day: Date,
    /// Its length from answer to release.
    pub milliseconds: u64,
}

/// Who made a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The terminal of this ID (A11).
    Id(IdKey),
    /// The forwarding of the billed number.
    Forwarded,
}

/// What the price of a call depends on.
///
/// In text the name of a kind of number in Japan, or `+` and the first digits of numbers abroad: `mobile`, `+44`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[expect(missing_docs, reason = "the numbering plan says what they are")]
pub enum Destination {
    Geographic,
    Ip,
    Mobile,
    Fmc,
    M2m,
    Pager,
    NaviDial,
    Premium,
    Teledome,
    Service,
    /// Numbers that the plan does not know, or no longer.
    Unassigned,
    /// Numbers abroad with these first digits, the country code in front.
    Abroad(u64),
}

/// A text names no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationError;

impl Destination {
    const NAMED: [(Self, &str); 11] = [
        (Self::Geographic, "geographic"),
        (Self::Ip, "050"),
        (Self::Mobile, "mobile"),
        (Self::Fmc, "0600"),
        (Self::M2m, "m2m"),
        (Self::Pager, "pager"),
        (Self::NaviDial, "0570"),
        (Self::Premium, "0990"),
        (Self::Teledome, "0180"),
        (Self::Service, "1xy"),
        (Self::Unassigned, "unassigned"),
    ];

    /// The destination of a call to a number on a day; none if such calls cost the caller nothing: emergency calls, and
    /// calls the other side pays for (0120, 0800).
    pub fn of(number: Number, day: Date) -> Option<Self> {
        Some(match classify(number, day) {
            Kind::Emergency | Kind::TollFree => return None,
            Kind::Geographic(_) => Self::Geographic,
            Kind::Ip => Self::Ip,
            Kind::Mobile => Self::Mobile,
            Kind::Fmc => Self::Fmc,
            Kind::M2m => Self::M2m,
            Kind::Pager => Self::Pager,
            Kind::NaviDial => Self::NaviDial,
            Kind::Premium => Self::Premium,
            Kind::Teledome => Self::Teledome,
            Kind::Service => Self::Service,
            Kind::Ended | Kind::Unassigned => Self::Unassigned,
            // All digits: the row with the longest prefix of them is its price.
            Kind::International => {
                let digits = number.e164().to_string();
                digits
                    .trim_start_matches('+')
                    .parse()
                    .map_or(Self::Unassigned, Self::Abroad)
            }
        })
    }

    /// A price for this destination is one for that one too.
    pub(super) fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Abroad(prefix), Self::Abroad(mut digits)) => {
                while digits > prefix {
                    digits /= 10;
                }
                digits == prefix
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither a kind of number such as mobile nor a prefix such as +44; one of")?;
        Destination::NAMED
            .iter()
            .try_for_each(|(_, name)| write!(f, " {name}"))
    }
}

impl std::error::Error for DestinationError {}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abroad(prefix) => write!(f, "+{prefix}"),
            _ => f.write_str(
                Self::NAMED
                    .iter()
                    .find(|(kind, _)| kind == self)
                    .map_or("", |(_, name)| name),
            ),
        }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        if let Some(prefix) = text.strip_prefix('+') {
            // Country codes begin with 1 to 9, and 81 is Japan, whose numbers have kinds.
            let sound = prefix.len() <= 7
                && !prefix.starts_with('0')
                && !prefix.starts_with("81")
                && prefix.bytes().all(|byte| byte.is_ascii_digit());
            return match prefix.parse() {
                Ok(prefix) if sound => Ok(Self::Abroad(prefix)),
                _ => Err(DestinationError),
            };
        }
        Self::NAMED
            .into_iter()
            .find(|(_, name)| *name == text)
            .map(|(kind, _)| kind)
            .ok_or(DestinationError)
    }
}

impl TryFrom<String> for Destination {
    type Error = DestinationError;

    fn try_from(text: String) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

/// What a call of this contract costs. Calls to its own numbers stay inside and cost nothing (R30).
pub fn charge(contract: &Contract, call: &Call, prices: &PriceList) -> Result<Yen, Error> {
    let outside = call.to.filter(|to| subject(contract, *to, call.day).is_none());
    match outside.and_then(|to| Destination::of(to, call.day)) {
        Some(to) => Ok(prices.rate(to, call.day)?.charge(call.milliseconds)?),
        None => Ok(Yen::ZERO),
    }
}

/// The calls as one number by one ID, or forwarded by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The number they are billed to, direct or representative.
    pub subject: Subject,
    /// Who made them.
    pub origin: Origin,
    /// How many.
    pub calls: u32,
    /// How long, together.
    pub milliseconds: u64,
    /// What they cost.
    pub amount: Yen,
}

/// Adds up the calls of a month per billed number and origin, in that order (R50): the sum of the amounts is the sum of
/// the charges.
pub fn tallies(
    contract: &Contract,
    month: Month,
    calls: &[Call],
    prices: &PriceList,
) -> Result<Vec<Tally>, Error> {
    let mut tallies = BTreeMap::new();
    for call in calls {
        if Month::of(call.day) != month {
            return Err(Error::WrongMonth(Month::of(call.day)));
        }
        let subject = subject(contract, call.billed, call.day).ok_or(Error::NotOurs(call.billed))?;
        let tally = tallies.entry((subject, call.origin)).or_insert(Tally {
            subject,
            origin: call.origin,
            calls: 0,
            milliseconds: 0,
            amount: Yen::ZERO,
        });
        tally.calls = tally.calls.checked_add(1).ok_or(Error::TooLarge)?;
        tally.milliseconds = tally
            .milliseconds
            .checked_add(call.milliseconds)
            .ok_or(Error::TooLarge)?;
        tally.amount = tally.amount.plus(charge(contract, call, prices)?)?;
    }
    Ok(tallies.into_values().collect())
}

/// The cost of calls per person as CSV (RFC 4180) for the office's books (R51): a line for each direct number and each
/// number its owner called as. What a representative number forwarded is nobody's and has no direct number.
pub fn export(contract: &Contract, month: Month, tallies: &[Tally]) -> String {
    let mut csv = String::from("month,direct,billed,calls,seconds,yen\r\n");
    let digits = |number: Option<Number>| number.map(|number| number.to_string()).unwrap_or_default();
    for tally in tallies {
        let (billed, calls) = (tally.subject.number(), tally.calls);
        let direct = match (tally.origin, tally.subject) {
            (Origin::Id(key), _) => direct(contract, key),
            (Origin::Forwarded, Subject::Direct { .. }) => billed,
            (Origin::Forwarded, _) => None,
        };
        let (direct, billed) = (digits(direct), digits(billed));
        let (seconds, Yen(yen)) = (tally.milliseconds.div_ceil(1_000), tally.amount);
        // Writing to a string does not fail.
        let _ = write!(csv, "{month},{direct},{billed},{calls},{seconds},{yen}\r\n");
    }
    csv
}
