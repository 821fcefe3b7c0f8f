//! What follows from a command that was carried out.

use shared::{IdKey, Number, SiteId};

use crate::device::DeviceId;
use crate::model::Terminal;

/// Something the caller has to do. All of them follow from the two contracts, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The configuration of this site is another one: issue it.
    SiteChanged(SiteId),
    /// The contract has this number now (R1).
    NumberTaken(Number),
    /// The contract no longer has this number.
    NumberReleased(Number),
    /// A terminal may use its ID no more, and is told so (R6).
    SessionEnded(IdKey, Terminal),
    /// A request waits for its review (R14).
    Review(u32),
    /// A device was ordered: the order is to be billed.
    Ordered(DeviceId),
    /// Worth telling whoever asked.
    Warning(Warning),
}

/// Allowed, and probably not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// R2: nobody rings for this representative number.
    NobodyRings(Number),
}
