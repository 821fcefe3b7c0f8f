//! The room the brain lives in, as large as the configuration says.

use gateway::budget::{BINDINGS, BRANCHES, CALLS, IDS, SOURCES};
use gateway::registrar::{Place, Source};
use gateway::{Storage, keeper, registrar, trunk, uplink};
use sip::digest::Used;
use sip::{b2bua, pool, transaction};

use crate::config::Capacity;

/// Phones that ring, and transactions, for a call: what the microcontroller has for its own.
const PER_CALL: (usize, usize) = (BRANCHES.div_ceil(CALLS), 4);

/// Room for the life of the program.
pub fn room(capacity: Capacity) -> Storage<'static> {
    let calls = capacity.calls;
    let legs = calls + (PER_CALL.0 * calls).max(BRANCHES);
    let transactions = legs + PER_CALL.1 * calls + 2 * IDS;
    Storage {
        calls: b2bua::Storage {
            transactions: lasting(transactions, || transaction::Slot::EMPTY).into(),
            calls: lasting(calls, || pool::Slot::EMPTY).into(),
            legs: lasting(legs, || pool::Slot::EMPTY).into(),
        },
        registrar: registrar::Storage {
            places: lasting(BINDINGS, || Place::EMPTY),
            nonces: lasting(BINDINGS, || Used::NONE),
            sources: lasting(SOURCES, || Source::NONE),
        },
        held: Box::leak(Box::new(keeper::Memory::new())),
        trunk: lasting(trunk::BUFFER, || 0),
        uplink: Box::leak(Box::new(uplink::Memory::new())),
    }
}

fn lasting<T>(count: usize, empty: impl Fn() -> T) -> &'static mut [T] {
    Vec::leak((0..count).map(|_| empty()).collect())
}
