//! Numbers: whose they are, how many, where, and what becomes of their calls.

use contract::command::{Decision, RepChange};
use contract::effect::Warning;
use contract::model::{RequestState, Role};
use contract::{Command, Effect};
use shared::route::{BlockRule, NumberRules, Treatment};
use shared::schedule::Schedule;
use shared::{IdSet, TerminalKind};

use crate::change_rep;
use crate::common::*;

#[test]
fn r1_every_number_has_one_role() {
    let (world, given) = (World::default(), contract(3, 1));
    for (direct, rule) in [
        ("0355550000", "R1"),  // a representative number of the same contract
        ("0399990001", "R1"),  // of another contract
        ("0312340201", "R11"), // another ID's
        ("119", "R1"),
        ("+12025550123", "R1"),
        ("0120123456", "R18"),
        ("09012345678", "R18"),
        ("0481234567", "R18"),  // in no area of the plan
        ("05002345678", "R18"), // 050 begins with 0501 to 0509
    ] {
        assert_eq!(
            world.rule(&given, add_id_with(209, direct, TerminalKind::App)),
            rule,
            "{direct}"
        );
    }
    assert_eq!(world.rule(&given, add_rep("0312340201", &[201], "")), "R1");
    // Which it is, is said: not of the plan, or not for an office; and nothing of whose it is.
    let text = |direct| {
        let refusal = world.refusal(&given, add_id_with(209, direct, TerminalKind::App));
        refusal.text(contract::Lang::En).what
    };
    assert!(text("0481234567").contains("not in the numbering plan"));
    assert!(text("05002345678").contains("not in the numbering plan"));
    assert!(text("09012345678").contains("neither a geographic number nor one with 050"));
    assert_eq!(
        text("0399990001"),
        "0399990001 is already a number of another contract"
    );
    let (next, effects) = world.apply(&given, &add_id(209, TerminalKind::App)).unwrap();
    assert!(effects.contains(&Effect::NumberTaken(number("0312340209"), Role::Direct(key(3)))));
    assert!(effects.contains(&Effect::SiteChanged(SITE)));
    assert_eq!(next.role(number("0312340209")), Some(Role::Direct(key(3))));
}

#[test]
fn r2_an_empty_group_is_a_warning() {
    let world = World::default();
    let mut given = contract(2, 0);
    let warning = Effect::Warning(Warning::NobodyRings(number("0355550000")));
    assert!(
        world
            .run(&mut given, add_rep("0355550000", &[], ""))
            .contains(&warning)
    );
    let everybody = RepChange {
        members: Some(vec![extension(201)]),
        ..RepChange::default()
    };
    assert!(
        !world
            .run(&mut given, change_rep("0355550000", everybody))
            .contains(&warning)
    );
    // It is not said again by what has nothing to do with it.
    let nobody = RepChange {
        ring: Some(vec![]),
        ..RepChange::default()
    };
    assert!(
        world
            .run(&mut given, change_rep("0355550000", nobody))
            .contains(&warning)
    );
    assert!(
        !world
            .run(&mut given, Command::Rename("改名".into()))
            .contains(&warning)
    );
}

#[test]
fn r3_names_fit_the_box() {
    let (world, given) = (World::default(), contract(2, 1));
    for name in ["", "\u{7}", &"あ".repeat(17)] {
        let change = RepChange {
            label: Some(name.into()),
            ..RepChange::default()
        };
        assert_eq!(world.rule(&given, change_rep("0355550000", change)), "R3");
        assert_eq!(world.rule(&given, Command::Rename(name.into())), "R3");
    }
}

#[test]
fn r4_groups_are_of_ids_and_ring_is_of_members() {
    let (world, given) = (World::default(), contract(3, 0));
    assert_eq!(world.rule(&given, add_rep("0355550000", &[299], "")), "R4");
    let mut rep = new_rep("0355550000", &[201, 202]);
    rep.ring = Some(vec![extension(203)]);
    let usage = String::new();
    assert_eq!(world.rule(&given, Command::AddRep { rep, usage }), "R4");
}

#[test]
fn r44_other_members_keep_who_rings() {
    let world = World::customer();
    let mut given = contract(4, 0);
    let mut rep = new_rep("0355550000", &[201, 202, 203]);
    rep.ring = Some(vec![extension(201), extension(203)]);
    let usage = String::new();
    world.run(&mut given, Command::AddRep { rep, usage });
    // 201 goes, 204 comes: 202 stays silent, 203 rings on.
    let members = [202, 203, 204].map(extension).to_vec();
    let change = RepChange {
        members: Some(members),
        ..RepChange::default()
    };
    world.run(&mut given, change_rep("0355550000", change));
    let set = |indices: &[u16]| -> IdSet { indices.iter().copied().map(key).collect() };
    assert_eq!(
        (given.reps[0].members, given.reps[0].ring),
        (set(&[1, 2, 3]), set(&[2, 3]))
    );
}

#[test]
fn r12_to_r14_how_many_representative_numbers() {
    let world = World::customer();
    // ids, reps, usage, then: none is given, a request, or the rule.
    for (ids, reps, usage, then) in [
        (1, 0, "", "R12"),
        (2, 0, "", "given"),
        (2, 1, "", "given"),
        (2, 2, "", "R13"),
        (3, 2, "", "given"),
        (3, 3, "受付", "R13"),
        (5, 3, "", "R14"),
        (5, 3, "  ", "R14"),
        (5, 3, "受付", "request"),
        (5, 5, "受付", "R13"),
    ] {
        let given = contract(ids, reps);
        let result = world.apply(&given, &add_rep("0355550099", &[201], usage));
        let what = match result {
            Err(refusal) => refusal.rule().to_string(),
            Ok((next, _)) if next.reps.len() > given.reps.len() => "given".into(),
            Ok((next, effects)) => {
                let request = next.requests.last().unwrap();
                assert_eq!(
                    (request.state.clone(), next.reps.len()),
                    (RequestState::Submitted, 3)
                );
                assert_eq!(effects, [Effect::Review(request.id)]);
                "request".into()
            }
        };
        assert_eq!(what, then, "{ids} IDs, {reps} numbers, {usage:?}");
    }
}

#[test]
fn r14_requests_count_and_are_judged_again() {
    let (customer, operator) = (World::customer(), World::default());
    let mut given = contract(5, 3);
    customer.run(&mut given, add_rep("0355550004", &[201], "受付"));
    customer.run(&mut given, add_rep("0355550005", &[201], "受付"));
    // 3 and 2 under review: the cap of 5 is reached.
    assert_eq!(
        customer.rule(&given, add_rep("0355550006", &[201], "受付")),
        "R13"
    );
    let (first, second) = (given.requests[0].id, given.requests[1].id);
    let approve = |request| Command::DecideRep(request, Decision::Approve);
    assert_eq!(customer.rule(&given, approve(first)), "operator");
    // IDs went meanwhile: 3 of 3 are there.
    let mut fewer = given.clone();
    customer.run(&mut fewer, Command::RemoveId(key(4)));
    customer.run(&mut fewer, Command::RemoveId(key(3)));
    assert_eq!(operator.rule(&fewer, approve(first)), "R13");

    let effects = operator.run(&mut given, approve(first));
    assert!(effects.contains(&Effect::Decided(first)));
    assert!(effects.contains(&Effect::NumberTaken(number("0355550004"), Role::Rep)));
    assert_eq!(operator.rule(&given, approve(first)), "R14");
    let refuse = |reason: &str| Command::DecideRep(second, Decision::Refuse(reason.into()));
    assert_eq!(operator.rule(&given, refuse("")), "R14");
    assert_eq!(
        operator.run(&mut given, refuse("用途が不明")),
        [Effect::Decided(second)]
    );
    assert_eq!((given.reps.len(), given.pending().count()), (4, 0));
}

/// Always closed.
fn schedule() -> Schedule {
    Schedule {
        weekly: Default::default(),
        holidays: None,
        exceptions: Default::default(),
        manual: None,
    }
}

#[test]
fn rules_of_calls_name_what_is_there() {
    let world = World::customer();
    let mut given = contract(2, 1);
    let (line, other) = (number("0355550000"), number("0312340201"));
    let rules = |schedule, block, closed| NumberRules {
        schedule,
        block,
        closed,
        unanswered: Treatment::End,
    };
    for wrong in [
        rules(Some(0), None, Treatment::End),
        rules(None, Some(3), Treatment::End),
        rules(None, None, Treatment::Forward(line)),
        rules(None, None, Treatment::Forward(number("09012345678"))),
    ] {
        assert_eq!(world.rule(&given, Command::SetRules(line, wrong)), "routing");
    }
    world.run(&mut given, Command::SetSchedule(0, Some(Box::new(schedule()))));
    world.run(
        &mut given,
        Command::SetBlockList(3, Some(vec![BlockRule::Withheld])),
    );
    world.run(
        &mut given,
        Command::SetRules(line, rules(Some(0), Some(3), Treatment::Forward(other))),
    );
    assert_eq!(world.rule(&given, Command::SetSchedule(0, None)), "routing");
    assert_eq!(world.rule(&given, Command::SetBlockList(3, None)), "routing");
    assert_eq!(
        world.rule(
            &given,
            Command::SetBlockList(3, Some(vec![BlockRule::Withheld; 129]))
        ),
        "routing"
    );
    world.run(&mut given, Command::SetRules(line, NumberRules::default()));
    world.run(&mut given, Command::SetSchedule(0, None));
    assert_eq!(world.rule(&given, Command::SetSchedule(0, None)), "routing");
}
