//! Commands, rule by rule: given a contract, when a command is tried, then.

#[path = "../common/mod.rs"]
mod common;
mod ids;
mod json;
mod numbers;
mod terminals;

use common::*;
use contract::command::{IdChange, RepChange};
use contract::model::{Suspension, SuspensionCause};
use contract::{Command, Effect, PlanVersion};
use shared::TerminalKind;
use shared::route::NumberState;

fn change_id(index: u16, change: IdChange) -> Command {
    Command::ChangeId(key(index), change)
}

fn change_rep(text: &str, change: RepChange) -> Command {
    Command::ChangeRep(number(text), change)
}

#[test]
fn suspensions_of_each_cause() {
    let (world, customer) = (World::default(), World::customer());
    let mut given = contract(2, 1);
    let suspension = |cause| Suspension {
        cause,
        reason: "照会 12".into(),
        by: "県警".into(),
        since: day("2026-04-01"),
    };
    let legal = SuspensionCause::Legal;
    let line = number("0355550000");
    assert_eq!(
        customer.rule(&given, Command::Suspend(Some(line), suspension(legal))),
        "operator"
    );
    world.run(&mut given, Command::Suspend(Some(line), suspension(legal)));
    assert_eq!(given.state(line), NumberState::Suspended);
    assert_eq!(given.state(number("0312340201")), NumberState::InUse);
    // The customer cannot let go of it.
    assert_eq!(customer.rule(&given, Command::RemoveRep(line)), "suspended");
    let leave = Command::PortOut { line, next: None };
    assert_eq!(customer.rule(&given, leave), "suspended");
    // The whole contract for unpaid bills: lifting one does not lift the other.
    world.run(
        &mut given,
        Command::Suspend(None, suspension(SuspensionCause::Unpaid)),
    );
    assert_eq!(given.state(number("0312340201")), NumberState::Suspended);
    assert_eq!(
        customer.rule(&given, add_id(209, TerminalKind::Fixed)),
        "suspended"
    );
    assert_eq!(world.rule(&given, Command::Resume(None, legal)), "suspended");
    world.run(&mut given, Command::Resume(None, SuspensionCause::Unpaid));
    assert_eq!(given.state(line), NumberState::Suspended);
    world.run(&mut given, Command::Resume(Some(line), legal));
    assert_eq!(given.state(line), NumberState::InUse);
}

#[test]
fn the_end_gives_everything_back() {
    let world = World::customer();
    let mut given = contract(3, 2);
    let effects = world.run(&mut given, Command::End);
    let released = |effect: &&Effect| matches!(effect, Effect::NumberReleased(_));
    assert_eq!(effects.iter().filter(released).count(), 5);
    assert_eq!(given.numbers().count(), 0);
    assert_eq!(world.rule(&given, add_id(209, TerminalKind::App)), "contract");
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
