//! What a plan allows, as data. A contract is judged by the plan it was signed on.

use serde::{Deserialize, Serialize};
use shared::{Date, date};

/// The plans there have been. Their names are stored and never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PlanVersion {
    /// The plan of the service's guide (基本ガイド).
    Guide,
    /// The plan the operator sells from 2021-06-26.
    From2021,
}

/// The rules of one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// First day on which it can be signed.
    pub from: Date,
    /// Last day on which it can be signed.
    pub to: Date,
    /// Representative numbers that are given without a review (R12, R14).
    pub self_service_reps: usize,
    /// Fewest IDs with which a contract may have a representative number (R12, A3).
    pub min_ids_for_reps: usize,
    /// Most calls a number's own cap may allow, if fewer than the channels (A4).
    pub max_sub_cap: Option<u8>,
}

const GUIDE: Plan = Plan {
    from: Date::FIRST,
    to: date!(2021, 6, 25),
    self_service_reps: 3,
    min_ids_for_reps: 2,
    max_sub_cap: None,
};

/// What is known of it: a contract with the basic ID alone still has no representative number, one with three IDs has up
/// to three, and a number's own cap is at most 9. That its IDs can be without numbers is not offered here: a site's phones
/// log in with their direct numbers (R10).
const FROM_2021: Plan = Plan {
    from: date!(2021, 6, 26),
    to: Date::LAST,
    max_sub_cap: Some(9),
    ..GUIDE
};

impl PlanVersion {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Guide, Self::From2021];

    /// The plan that is signed on this day.
    pub fn on(day: Date) -> Self {
        let sold = |version: &Self| (version.plan().from..=version.plan().to).contains(&day);
        Self::ALL.into_iter().find(sold).unwrap_or(Self::Guide)
    }

    /// Its rules.
    pub const fn plan(self) -> &'static Plan {
        match self {
            Self::Guide => &GUIDE,
            Self::From2021 => &FROM_2021,
        }
    }
}
