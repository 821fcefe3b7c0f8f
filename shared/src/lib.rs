#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
// What comes from wire, flash or user is never trusted: nothing here can panic.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod analog;
pub mod caller_id;
pub mod channels;
pub mod date;
pub mod dial;
pub mod factory;
pub mod guard;
pub mod hub;
pub mod id;
pub mod number;
mod readable;
pub mod record;
pub mod ring;
pub mod route;
pub mod schedule;
pub mod site;
pub mod sync;

pub use date::{Date, Local};
pub use dial::{Dialled, ParkSlot, Privacy, Refusal, dial};
pub use factory::Factory;
pub use id::{BoxId, ContractId, Extension, IdKey, IdSet, SessionId, SiteId};
pub use number::{Number, NumberError};
pub use record::{CallLeg, FinalState};
pub use ring::{Decision, Facts, ring};
pub use site::{Called, Site, TerminalKind};
