//! Consumption tax (消費税).

use serde::{Deserialize, Serialize};
use shared::{Date, date};

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
const STANDARD: [(Date, u8); 3] = [
    (date!(2019, 10, 1), 10),
    (date!(2014, 4, 1), 8),
    (date!(1997, 4, 1), 5),
];

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

    /// The tax on a sum that is not negative, with the fraction of a yen dropped (切捨て).
    ///
    /// The law leaves the mode to the issuer as long as it rounds once per invoice and rate (適格請求書); dropping the
    /// fraction never asks for more than the rate. Written invoices are added up again with it when they are read: another
    /// mode is another schema.
    pub fn on(self, net: Yen, day: Date) -> Result<Yen, TooLarge> {
        let Yen(hundredths) = net.times(u64::from(self.rate(day)))?;
        Ok(Yen(hundredths.div_euclid(100)))
    }
}
