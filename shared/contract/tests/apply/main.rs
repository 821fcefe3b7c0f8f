//! Commands, rule by rule: given a contract, when a command is tried, then.

#[path = "../common/mod.rs"]
mod common;
mod ids;
mod json;
mod numbers;
mod phones;
mod terminals;

use common::*;
use contract::command::{IdChange, RepChange};
use contract::{Command, PlanVersion};

fn change_id(index: u16, change: IdChange) -> Command {
    Command::ChangeId(key(index), change)
}

fn change_rep(text: &str, change: RepChange) -> Command {
    Command::ChangeRep(number(text), change)
}

#[test]
fn plans_by_the_day_of_signing() {
    assert_eq!(PlanVersion::on(day("2021-06-25")), PlanVersion::Guide);
    assert_eq!(PlanVersion::on(day("2021-06-26")), PlanVersion::From2021);
    for version in PlanVersion::ALL {
        assert_eq!(
            (version.plan().self_service_reps, version.plan().min_ids_for_reps),
            (3, 2)
        );
    }
}
