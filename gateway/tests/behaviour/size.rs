//! How much memory the brain takes; printed with `--nocapture`.

use core::mem::size_of;

use gateway::storage::BoxStorage;
use gateway::store::{Done, Op};
use gateway::{Gateway, Meta, Output, budget, registrar, uplink};
use sip::b2bua::{Call, Leg};
use sip::{pool, text, transaction};

#[test]
fn of_the_box() {
    let storage = size_of::<BoxStorage>();
    for (name, size) in [
        ("BoxStorage", storage),
        ("Gateway", size_of::<Gateway<'static>>()),
        ("calls", budget::CALLS * size_of::<pool::Slot<Call<Meta>>>()),
        ("legs", budget::LEGS * size_of::<pool::Slot<Leg>>()),
        ("texts", budget::BLOCKS * size_of::<text::Block>()),
        (
            "transactions",
            budget::TRANSACTIONS * size_of::<transaction::Slot>(),
        ),
        ("bindings", budget::BINDINGS * size_of::<registrar::Place>()),
        ("uplink", size_of::<uplink::Memory>()),
        ("one call", size_of::<pool::Slot<Call<Meta>>>()),
        ("one leg", size_of::<pool::Slot<Leg>>()),
        ("one transaction", size_of::<transaction::Slot>()),
        ("one binding", size_of::<registrar::Place>()),
        ("one analog port", size_of::<gateway::Port>()),
        ("Output", size_of::<Output<'static>>()),
        ("Op", size_of::<Op>()),
        ("Done", size_of::<Done>()),
    ] {
        println!("{size:>8} {name}");
    }
    assert!(storage <= budget::STORAGE_MAX, "{storage} bytes");
    assert!(size_of::<Gateway<'static>>() <= budget::BRAIN_MAX);
}
