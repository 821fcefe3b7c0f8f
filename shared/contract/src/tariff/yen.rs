//! Money.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whole yen, without tax unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Yen(pub i64);

/// An amount beyond the range of [`Yen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl Yen {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum of both.
    pub const fn plus(self, other: Self) -> Result<Self, TooLarge> {
        match self.0.checked_add(other.0) {
            Some(sum) => Ok(Self(sum)),
            None => Err(TooLarge),
        }
    }

    /// So many times the amount.
    pub fn times(self, count: u64) -> Result<Self, TooLarge> {
        let count = i64::try_from(count).map_err(|_| TooLarge)?;
        self.0.checked_mul(count).map(Self).ok_or(TooLarge)
    }

    /// The sum of all.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, TooLarge> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

impl fmt::Display for Yen {
    /// `24,800円`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        let mut text = String::from(if self.0 < 0 { "-" } else { "" });
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text.push('円');
        f.pad(&text)
    }
}
