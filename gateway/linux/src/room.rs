//! The room the brain lives in, as large as the configuration says.

use gateway::budget::{BINDINGS, BLOCKS, BRANCHES, CALLS, EMERGENCY_CALLS, IDS, LAMP_BLOCKS, LAMPS, SOURCES};
use gateway::office::Office;
use gateway::registrar::{Place, Source};
use gateway::{Storage, keeper, registrar, trunk, uplink};
use sip::digest::Used;
use sip::{b2bua, events};

use crate::config::Capacity;

/// Phones that ring for a call, blocks of its texts: as the microcontroller has them.
const BRANCHES_PER_CALL: usize = BRANCHES.div_ceil(CALLS);
const BLOCKS_PER_CALL: usize = BLOCKS.div_ceil(CALLS);
/// Transactions for a call, those among them that are over but for stragglers.
const TRANSACTIONS_PER_CALL: usize = 8;

/// Room for the life of the program. What calls need is taken when they need it.
pub fn room(capacity: Capacity) -> Storage<'static> {
    let calls = capacity.calls + EMERGENCY_CALLS;
    let legs = calls + (BRANCHES_PER_CALL * calls).max(BRANCHES);
    let transactions = legs + TRANSACTIONS_PER_CALL * calls + 2 * IDS;
    Storage {
        calls: b2bua::Storage::growable(transactions, calls, legs, BLOCKS_PER_CALL * calls),
        registrar: registrar::Storage {
            places: lasting(BINDINGS, || Place::EMPTY),
            nonces: lasting(BINDINGS, || Used::NONE),
            sources: lasting(SOURCES, || Source::NONE),
        },
        lamps: events::Storage::growable(LAMPS, LAMP_BLOCKS),
        held: Box::leak(Box::new(keeper::Memory::new())),
        trunk: lasting(trunk::BUFFER, || 0),
        uplink: Box::leak(Box::new(uplink::Memory::new())),
        // It has no lines of its own.
        ports: &mut [],
        office: Box::leak(Box::new(Office::new())),
    }
}

fn lasting<T>(count: usize, empty: impl FnMut() -> T) -> &'static mut [T] {
    std::iter::repeat_with(empty)
        .take(count)
        .collect::<Vec<_>>()
        .leak()
}
