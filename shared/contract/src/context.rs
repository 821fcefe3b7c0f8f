//! What decides a command besides contract and command.

use shared::{ContractId, Date, IdSet, Number};

use crate::area::Table;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The customer's administrator, or a terminal.
    Customer,
    /// The operator of the service.
    Operator,
}

/// The facts outside the contract.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Today in Japan.
    pub today: Date,
    /// Who asks.
    pub actor: Actor,
    /// The contract that has a number, or is about to get it (R1).
    pub owner: &'a dyn Fn(Number) -> Option<ContractId>,
    /// Which addresses are in which number areas (R18).
    pub areas: &'a Table,
    /// IDs whose terminals are in a call (A19).
    pub in_call: IdSet,
}
