//! The room the brain lives in: the caller's, handed in once.

use sip::b2bua::{self, Call, Leg};
use sip::digest::Used;
use sip::events;
use sip::{pool, text, transaction};

use crate::analog::Port;
#[cfg(target_pointer_width = "32")]
use crate::budget::STORAGE_MAX;
use crate::budget::{BINDINGS, BLOCKS, CALLS, LAMP_BLOCKS, LAMPS, LEGS, LINES, SOURCES, TRANSACTIONS};
use crate::office::Office;
use crate::registrar::{self, Place, Source};
use crate::{Meta, keeper, trunk, uplink};

/// Slices for everything the brain keeps.
pub struct Storage<'s> {
    /// Calls, legs and transactions.
    pub calls: b2bua::Storage<'s, Meta>,
    /// Registrations.
    pub registrar: registrar::Storage<'s>,
    /// Answers to REGISTERs that wait for the flash.
    pub held: &'s mut keeper::Memory,
    /// What the phones watch.
    pub lamps: events::Storage<'s>,
    /// [`trunk::BUFFER`] bytes for what comes from the cloud's SIP.
    pub trunk: &'s mut [u8],
    /// The configuration that is coming, and events on their way.
    pub uplink: &'s mut uplink::Memory,
    /// The analog ports there are; none for a box without.
    pub ports: &'s mut [Port],
    /// Names, time, logs and addresses.
    pub office: &'s mut Office,
}

/// The box's own room, by the budget.
pub struct BoxStorage {
    transactions: [transaction::Slot; TRANSACTIONS],
    calls: [pool::Slot<Call<Meta>>; CALLS],
    legs: [pool::Slot<Leg>; LEGS],
    texts: [text::Block; BLOCKS],
    places: [Place; BINDINGS],
    nonces: [Used; BINDINGS],
    sources: [Source; SOURCES],
    held: keeper::Memory,
    lamps: [events::Slot; LAMPS],
    lamp_blocks: [text::Block; LAMP_BLOCKS],
    trunk: [u8; trunk::BUFFER],
    uplink: uplink::Memory,
    /// Made when it is lent: a port is not all zeros, and what is not is part of the image.
    ports: pool::Room<[Port; LINES]>,
    office: Office,
}

#[cfg(target_pointer_width = "32")]
const _: () = assert!(core::mem::size_of::<BoxStorage>() <= STORAGE_MAX);

impl BoxStorage {
    /// Empty; for a static.
    pub const fn new() -> Self {
        Self {
            transactions: [transaction::Slot::EMPTY; TRANSACTIONS],
            calls: [const { pool::Slot::EMPTY }; CALLS],
            legs: [const { pool::Slot::EMPTY }; LEGS],
            texts: [text::Block::EMPTY; BLOCKS],
            places: [const { Place::EMPTY }; BINDINGS],
            nonces: [Used::NONE; BINDINGS],
            sources: [Source::NONE; SOURCES],
            held: keeper::Memory::new(),
            lamps: [const { events::Slot::EMPTY }; LAMPS],
            lamp_blocks: [text::Block::EMPTY; LAMP_BLOCKS],
            trunk: [0; trunk::BUFFER],
            uplink: uplink::Memory::new(),
            ports: pool::Room::Empty,
            office: Office::new(),
        }
    }

    /// Lends it out.
    pub fn lend(&mut self) -> Storage<'_> {
        self.ports = pool::Room::Taken([const { Port::new() }; LINES]);
        Storage {
            calls: b2bua::Storage {
                transactions: (&mut self.transactions[..]).into(),
                calls: (&mut self.calls[..]).into(),
                legs: (&mut self.legs[..]).into(),
                texts: (&mut self.texts[..]).into(),
            },
            registrar: registrar::Storage {
                places: &mut self.places,
                nonces: &mut self.nonces,
                sources: &mut self.sources,
            },
            held: &mut self.held,
            lamps: events::Storage {
                subscriptions: (&mut self.lamps).into(),
                texts: (&mut self.lamp_blocks).into(),
            },
            trunk: &mut self.trunk,
            uplink: &mut self.uplink,
            ports: self.ports.as_mut().map_or(&mut [], |ports| ports),
            office: &mut self.office,
        }
    }
}

impl Default for BoxStorage {
    fn default() -> Self {
        Self::new()
    }
}
