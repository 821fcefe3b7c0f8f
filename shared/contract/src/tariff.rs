//! What the service costs: prices with days of validity, monthly lines, call charges, early termination, invoices.
//!
//! All amounts are whole yen without tax (R46 to R49); tax is computed once per invoice and rate. What the guide does
//! not price is configuration ([`PriceList`], R52), and what is not configured is refused by name, never free.
//!
//! The guide states no proration, so every calendar month in which something was there for a day is charged in full, at
//! the prices of that month; a device at the prices of the day of its order.

mod calls;
mod early;
mod invoice;
mod month;
mod monthly;
mod prices;
mod tax;
mod yen;

use std::fmt;

use shared::{Date, Number};

use crate::device::{Acquisition, Model};
use crate::refusal::Rule;

pub use calls::{Call, Destination, DestinationError, Origin, Tally, charge, export, tallies};
pub use early::{MinimumTerm, Treatment, early_termination};
pub use invoice::{Invoice, InvoiceError, RegistrationNumber, RegistrationNumberError, TaxSum, invoice};
pub use month::Month;
pub use monthly::{Item, Line, Subject, lines};
pub use prices::{ConfigError, Fault, Fee, PriceList, Rate, Row};
pub use tax::Tax;
pub use yen::{TooLarge, Yen};

/// A price, by its name in the price list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// A fee of the contract.
    Fee(Fee),
    /// A device.
    Device(Model),
    /// Calls to a kind of destination.
    Calls(Destination),
}

impl fmt::Display for Price {
    /// As the price list names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fee(fee) => write!(f, "fees: {}", fee.name()),
            Self::Device(model) => write!(f, "devices: {model:?}"),
            Self::Calls(to) => write!(f, "calls: {to}"),
        }
    }
}

/// Why an amount cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// R52: the price list has no such price on that day.
    NoPrice {
        /// The price.
        price: Price,
        /// The day.
        day: Date,
    },
    /// R46 to R49: the device is not to be had on these terms.
    NotOffered {
        /// The device.
        model: Model,
        /// The terms.
        terms: Acquisition,
    },
    /// R50: a call is billed to a number of the contract, and this is none.
    NotOurs(Number),
    /// R50: a call that is to be charged in another month than that of the invoice.
    WrongMonth(Month),
    /// The amount is beyond the range of [`Yen`].
    TooLarge,
}

impl Error {
    /// The rule it comes from.
    pub const fn rule(self) -> Rule {
        match self {
            Self::NoPrice { .. } => Rule::R(52),
            Self::NotOffered { model, .. } => match model {
                Model::Gxp1628 => Rule::R(46),
                Model::KxHdv230n => Rule::R(47),
                Model::PoeHub => Rule::R(49),
                Model::Ht801 | Model::Ht802 => Rule::R(52),
            },
            Self::NotOurs(_) | Self::WrongMonth(_) => Rule::R(50),
            Self::TooLarge => Rule::Named("yen"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrice { price, day } => write!(f, "no price for {day} in the price list, {price}"),
            Self::NotOffered { model, terms } => {
                write!(f, "{} is not offered for {terms:?}", model.name())
            }
            Self::NotOurs(number) => write!(f, "{number} is no number of this contract"),
            Self::WrongMonth(month) => write!(f, "a call of {month}, another month"),
            Self::TooLarge => f.write_str("the amount is too large"),
        }
    }
}

impl std::error::Error for Error {}

impl From<TooLarge> for Error {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

/// The schema number of a document, whatever else is in it.
fn schema(text: &str) -> Result<u16, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Document {
        schema: u16,
    }
    serde_json::from_str(text).map(|Document { schema }| schema)
}
