//! The channels of a contract: how many calls with the outside there may be at once (R15).
//!
//! A contract has as many channels as IDs, for all its sites and numbers together; a representative number may have a
//! limit of its own below that (A4). A call holds its channels from acceptance to release: while it rings (A9), talks, is
//! held or parked (A10). Nothing here ends a call: fewer channels than calls only means that no new one is admitted.

use crate::number::Number;
use crate::site::{Called, Site};

/// What a call holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nothing: it stays between terminals of the contract (A20, R30).
    Inside,
    /// One channel: it came in or goes out on this number of the contract.
    Outside(Number),
    /// One channel, always admitted: to 110, 118 or 119 presenting this number, or their call-back to it.
    Emergency(Number),
}

impl Use {
    /// Channels it holds.
    pub const fn channels(self) -> usize {
        match self {
            Self::Inside => 0,
            Self::Outside(_) | Self::Emergency(_) => 1,
        }
    }

    /// The number of the contract it is on.
    pub const fn number(self) -> Option<Number> {
        match self {
            Self::Inside => None,
            Self::Outside(number) | Self::Emergency(number) => Some(number),
        }
    }
}

/// Why a call is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The contract's channels are in use (R15).
    Contract,
    /// The number's own limit is reached (A4).
    Number,
}

impl Full {
    /// The rule behind it.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Contract => "R15",
            Self::Number => "A4",
        }
    }
}

/// Channels in use.
pub fn used(calls: impl IntoIterator<Item = Use>) -> usize {
    calls.into_iter().map(Use::channels).sum()
}

/// May this call be accepted, with `calls` being all others of the contract that are known?
pub fn admit(site: &Site, wanted: Use, calls: impl IntoIterator<Item = Use>) -> Result<(), Full> {
    let more = wanted.channels();
    let number = match wanted {
        Use::Inside | Use::Emergency(_) => return Ok(()),
        Use::Outside(number) => number,
    };
    let (mut used, mut of_number) = (0, 0);
    for call in calls {
        used += call.channels();
        if call.number() == Some(number) {
            of_number += call.channels();
        }
    }
    if used + more > usize::from(site.sys.channels) {
        return Err(Full::Contract);
    }
    match sub_cap(site, number) {
        Some(cap) if of_number + more > usize::from(cap) => Err(Full::Number),
        _ => Ok(()),
    }
}

/// The limit of a number of its own.
fn sub_cap(site: &Site, number: Number) -> Option<u8> {
    match site.by_number(number)? {
        Called::Rep(index) => site.reps.get(index)?.sub_cap,
        Called::Direct(_) => None,
    }
}
