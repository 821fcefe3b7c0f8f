//! Carries out commands.

use crate::command::Command;
use crate::context::Context;
use crate::effect::Effect;
use crate::model::Contract;
use crate::refusal::Refusal;

/// The contract after a command, and what follows from it; or why not, and then nothing changed.
pub fn apply(
    contract: &Contract,
    command: &Command,
    context: &Context<'_>,
) -> Result<(Contract, Vec<Effect>), Refusal> {
    let _ = (command, context);
    Ok((contract.clone(), Vec::new()))
}
