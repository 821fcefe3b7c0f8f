//! Consumption tax (消費税).

use serde::{Deserialize, Serialize};
use shared::Date;

use super::{TooLarge, Yen};

/// How an amount is taxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tax {
    /// At the standard rate of the month.
    Standard,
    /// Outside the tax (不課税), as damages are.
    Outside,
}

/// Days from which a standard rate applies, the latest first, with the rate in percent (消費税法 29条, 地方税法 72条の83).
/// The service has nothing at the reduced rate.
const STANDARD: [(Date, u8); 3] = [(day(2019, 10, 1), 10), (day(2014, 4, 1), 8), (day(1997, 4, 1), 5)];

const fn day(year: u16, month: u8, day: u8) -> Date {
    match Date::new(year, month, day) {
        Some(day) => day,
        None => Date::LAST,
    }
}

impl Tax {
    /// The rate on a day, in percent.
    pub fn rate(self, day: Date) -> u8 {
        match self {
            Self::Standard => STANDARD
                .into_iter()
                .find(|(from, _)| *from <= day)
                .map_or(0, |(_, percent)| percent),
            Self::Outside => 0,
        }
    }
}

/// What happens to the fraction of a yen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Dropped (切捨て).
    Down,
    /// A half and more goes up (四捨五入).
    HalfUp,
    /// Goes up (切上げ).
    Up,
}

/// The law leaves the mode to the issuer as long as it rounds once per invoice and rate (適格請求書); dropping the
/// fraction never asks for more than the rate. Written invoices are added up again with it when they are read: another mode
/// is another schema.
pub const ROUNDING: Rounding = Rounding::Down;

impl Rounding {
    /// `percent` hundredths of an amount that is not negative, in whole yen.
    pub fn percent(self, net: Yen, percent: u8) -> Result<Yen, TooLarge> {
        let Yen(hundredths) = net.times(u64::from(percent))?;
        let bias = match self {
            Self::Down => 0,
            Self::HalfUp => 50,
            Self::Up => 99,
        };
        let biased = hundredths.checked_add(bias).ok_or(TooLarge)?;
        Ok(Yen(biased.div_euclid(100)))
    }
}
