//! The room the brain lives in: the caller's, handed in once.

use shared::id::IdKey;
use sip::b2bua::{self, Call, Leg};
use sip::{pool, transaction};

use crate::budget::{BINDINGS, CALLS, LEGS, TRANSACTIONS};
use crate::registrar;
use crate::{Meta, trunk, uplink};

/// Slices for everything the brain keeps.
pub struct Storage<'s> {
    /// Calls, legs and transactions.
    pub calls: b2bua::Storage<'s, Meta>,
    /// Registrations.
    pub registrar: registrar::Storage<'s>,
    /// [`trunk::BUFFER`] bytes for what comes from the cloud's SIP.
    pub trunk: &'s mut [u8],
    /// The configuration that is coming, and events on their way.
    pub uplink: uplink::Storage<'s>,
}

/// The box's own room, by the budget.
pub struct BoxStorage {
    transactions: [transaction::Slot; TRANSACTIONS],
    calls: [pool::Slot<Call<Meta>>; CALLS],
    legs: [pool::Slot<Leg>; LEGS],
    trunk: [u8; trunk::BUFFER],
}
