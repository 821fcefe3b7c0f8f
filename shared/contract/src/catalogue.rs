//! What the guide asks for the devices (R35, R40, R46, R47, R49), as dated rows.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use shared::{Date, date};

use crate::device::{Acquisition, Model};
use crate::tariff::{Row, Yen};

/// Devices that a hub powers (R40).
pub const HUB_PORTS: u16 = 4;

/// What one unit costs, without tax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Once (買取); none if it is not sold.
    pub buy: Option<Yen>,
    /// A month (レンタル); none if it is not rented out.
    pub rent: Option<Yen>,
    /// Use fee (利用料) a month, in addition to either (A12).
    pub use_fee: Yen,
    /// Months a rental lasts at least; 0 if it may end any day (R46, R48).
    #[serde(default)]
    pub minimum: u16,
}

impl Offer {
    /// Its price on these terms, once or a month.
    pub const fn price(&self, terms: Acquisition) -> Option<Yen> {
        match terms {
            Acquisition::Purchase => self.buy,
            Acquisition::Rental => self.rent,
        }
    }

    /// The month with which the rent paid exceeds the purchase price, counted from 1 (R47); none unless one can choose.
    pub fn break_even(&self) -> Option<i64> {
        let (Yen(buy), Yen(rent)) = (self.buy?, self.rent?);
        buy.checked_div(rent)?.checked_add(1)
    }
}

/// The guide does not say from when its prices hold.
const GUIDE: Cow<'static, str> = Cow::Borrowed("the service's guide");

/// Last day on which the Panasonic phone was sold: the end of May 2022. What was ordered until then keeps its price.
const PANASONIC_END: Date = date!(2022, 5, 31);

/// The catalogue of the guide. It has no price for adapters: that is configuration (R52).
pub static CATALOGUE: [Row<Model, Offer>; 3] = [
    Row {
        of: Model::Gxp1628,
        from: Date::FIRST,
        until: None,
        price: Offer {
            buy: Some(Yen(9_800)),
            rent: Some(Yen(1_200)),
            use_fee: Yen(500),
            minimum: 0,
        },
        source: GUIDE,
    },
    Row {
        of: Model::KxHdv230n,
        from: Date::FIRST,
        until: Some(PANASONIC_END),
        price: Offer {
            buy: Some(Yen(24_800)),
            rent: Some(Yen(2_980)),
            use_fee: Yen(500),
            minimum: 6,
        },
        source: Cow::Borrowed("the service's guide; the end of sales: its later edition"),
    },
    Row {
        of: Model::PoeHub,
        from: Date::FIRST,
        until: None,
        price: Offer {
            buy: Some(Yen(8_000)),
            rent: None,
            use_fee: Yen::ZERO,
            minimum: 0,
        },
        source: GUIDE,
    },
];
