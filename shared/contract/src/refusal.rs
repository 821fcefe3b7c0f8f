//! Why a command was not carried out.

use core::fmt;

use shared::{ContractId, Extension, Number, SiteId};

/// The rule a refusal cites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A numbered rule of the service: R13.
    R(u8),
    /// A numbered reading of an unclear one: A19.
    A(u8),
    /// A rule without a number, such as `site`.
    Named(&'static str),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::R(number) => write!(f, "R{number}"),
            Self::A(number) => write!(f, "A{number}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// A command that was refused: nothing changed. Its texts are in `text.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The number has a role already (R1; R7 between two direct numbers).
    NumberInUse {
        /// The number.
        number: Number,
        /// Whose it is.
        owner: ContractId,
    },
    /// No such site.
    NoSite(SiteId),
    /// No ID has this extension (R4).
    NoExtension(Extension),
}

impl Refusal {
    /// The rule that was broken.
    pub fn rule(&self) -> Rule {
        match self {
            Self::NumberInUse { .. } => Rule::R(1),
            Self::NoSite(_) => Rule::Named("site"),
            Self::NoExtension(_) => Rule::R(4),
        }
    }
}
