//! Calendar months, the periods of billing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shared::Date;
use shared::date::DateError;

/// A calendar month, by its first day; in text `2026-04`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(Date);

impl Month {
    /// The month of a day.
    pub const fn of(day: Date) -> Self {
        let (_, _, place) = day.ymd();
        Self(day.plus_days(1 - place as i32))
    }

    /// Its first day.
    pub const fn first(self) -> Date {
        self.0
    }

    /// The first day after it.
    pub const fn end(self) -> Date {
        self.0.plus_months(1)
    }

    /// Months from this one to a later one; 0 to an earlier one.
    pub const fn until(self, later: Self) -> u16 {
        later.count().saturating_sub(self.count())
    }

    /// Months since the year 0.
    const fn count(self) -> u16 {
        let (year, month, _) = self.0.ymd();
        year * 12 + month as u16
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, _) = self.0.ymd();
        f.pad(&format!("{year:04}-{month:02}"))
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Month {
    type Err = DateError;

    /// `2026-04`, nothing shorter.
    fn from_str(text: &str) -> Result<Self, DateError> {
        format!("{text}-01").parse().map(Self::of)
    }
}

impl TryFrom<String> for Month {
    type Error = DateError;

    fn try_from(text: String) -> Result<Self, DateError> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}
