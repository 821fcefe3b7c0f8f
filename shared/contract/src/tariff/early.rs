//! Early termination of a rental (R48).

use serde::{Deserialize, Serialize};
use shared::Date;

use super::{Tax, TooLarge, Yen};
use crate::catalogue::Offer;

/// How the minimum term is read at its very end (A6): 「最低利用期間は6ヶ月間」 but 「6ヶ月以内にご解約」.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MinimumTerm {
    /// No fee once the months are completed.
    Completed,
    /// The day that completes them still counts as within (strict).
    Within,
}

/// What the guide leaves open about early termination. What is not configured is refused, so neither has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Treatment {
    /// How the end of the term is read (A6).
    pub term: MinimumTerm,
    /// How the fee is taxed: the guide's sentence lacks the (税抜) of the prices it is computed from (A13).
    pub tax: Tax,
}

/// The fee for ending the rental of one unit, without tax, never below zero.
///
/// It began on `since`, `ended` is the first day on which it no longer is, and `paid` months of rent are charged, the
/// month in which it ends among them. Within the minimum term the fee is the purchase price less that rent; the use fee
/// is not subtracted. What has no minimum term costs nothing.
pub fn early_termination(
    offer: &Offer,
    since: Date,
    ended: Date,
    paid: u16,
    term: MinimumTerm,
) -> Result<Yen, TooLarge> {
    let complete = since.plus_months(offer.minimum);
    let within = match term {
        MinimumTerm::Completed => ended < complete,
        MinimumTerm::Within => ended <= complete,
    };
    match (offer.buy, offer.rent) {
        (Some(Yen(buy)), Some(rent)) if within && offer.minimum > 0 => {
            let Yen(rent) = rent.times(u64::from(paid))?;
            Ok(Yen(buy.checked_sub(rent).ok_or(TooLarge)?.max(0)))
        }
        _ => Ok(Yen::ZERO),
    }
}
