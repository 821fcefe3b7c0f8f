//! Commands about numbers as such: the places they belong to (R18), ports, suspensions, the end.

mod common;

use common::*;
use contract::command::{Decision, IdChange};
use contract::effect::Warning;
use contract::model::{Reviewed, Role, Suspension, SuspensionCause};
use contract::refusal::Obstacle;
use contract::{Command, Effect, Refusal};
use shared::route::{NumberRules, NumberState, Treatment};
use shared::{SiteId, TerminalKind};

fn change_id(index: u16, change: IdChange) -> Command {
    Command::ChangeId(key(index), change)
}

#[test]
fn r18_numbers_belong_to_addresses() {
    let world = World::default();
    let mut given = empty();
    world.run(&mut given, add_site(1, "埼玉県さいたま市浦和区高砂3-15-1"));
    let id = |text: &str| add_id_with(201, text, TerminalKind::Fixed);
    let refusal = world.refusal(&given, id("0312340001"));
    let Refusal::Area {
        zone,
        name,
        obstacle: Obstacle::Outside(_),
        ..
    } = &refusal
    else {
        panic!("{refusal}");
    };
    assert_eq!((zone.unwrap().to_string(), name.as_str()), ("219".into(), "東京"));
    assert!(
        refusal
            .text(contract::Lang::Ja)
            .what
            .contains("埼玉県はこの番号区画に含まれません")
    );
    // 050 goes anywhere. A number of 浦和 needs a look at the address, which then counts, and an emergency address.
    world.run(&mut given, add_id_with(209, "05012345678", TerminalKind::App));
    let refusal = world.refusal(&given, id("0488301234"));
    assert!(
        matches!(
            refusal,
            Refusal::Area {
                obstacle: Obstacle::Unknown(_),
                ..
            }
        ),
        "{refusal}"
    );
    let reviewed = |address: &str| {
        Command::Review(
            SITE,
            Reviewed {
                zone: "254".parse().unwrap(),
                address: address.into(),
                document: "登記簿 2026-03-01".into(),
                by: "審査係".into(),
                on: day("2026-04-01"),
            },
        )
    };
    world.run(&mut given, reviewed("埼玉県さいたま市浦和区高砂3-15-1"));
    assert_eq!(world.rule(&given, id("0488301234")), "emergency");
    assert_eq!(
        World::customer().rule(&given, Command::ConfirmEmergency(SITE)),
        "operator"
    );
    world.run(&mut given, Command::ConfirmEmergency(SITE));
    world.run(&mut given, id("0488301234"));

    // A move lists what cannot come along, and changes nothing.
    let to_tokyo = Command::Move(SITE, "東京都新宿区西新宿2-8-1".into());
    let Refusal::MustGo(numbers) = world.refusal(&given, to_tokyo) else {
        panic!("the numbers of 浦和 came along to 東京");
    };
    assert_eq!(numbers.len(), 1);
    assert_eq!(numbers[0].0, number("0488301234"));
    // To another place of the area it comes along once that was looked at; emergency services are told anew.
    let new = "埼玉県さいたま市大宮区桜木町1-7-5";
    assert_eq!(world.rule(&given, Command::Move(SITE, new.into())), "R18");
    world.run(&mut given, reviewed(new));
    let effects = world.run(&mut given, Command::Move(SITE, new.into()));
    assert!(effects.contains(&Effect::ConfirmEmergency(SITE)));
    let site = given.site(SITE).unwrap();
    assert_eq!((site.emergency, site.reviewed.len()), (None, 1));
}

/// Where the shipped table knows no area, a person's finding settles it.
#[test]
fn r18_an_area_that_is_in_no_table() {
    let world = World::default();
    let mut given = empty();
    let address = "大阪府大阪市北区梅田3-1-1";
    world.run(&mut given, add_site(1, address));
    world.run(&mut given, Command::ConfirmEmergency(SITE));
    let id = || add_id_with(201, "0663112345", TerminalKind::Fixed);
    let review = |found: &str| {
        Command::Review(
            SITE,
            Reviewed {
                zone: found.parse().unwrap(),
                address: address.into(),
                document: "登記簿 2026-03-01".into(),
                by: "審査係".into(),
                on: day("2026-04-01"),
            },
        )
    };
    // The refusal says what evidence has to name.
    let refusal = world.refusal(&given, id());
    assert!(
        refusal.text(contract::Lang::Ja).what.contains("06大阪"),
        "{refusal}"
    );
    assert_eq!(world.rule(&given, review("06東京")), "R18");
    world.run(&mut given, review("072堺"));
    assert_eq!(world.rule(&given, id()), "R18");
    world.run(&mut given, review("06大阪"));
    world.run(&mut given, id());
    // What is certain, no evidence changes.
    world.run(&mut given, review("219"));
    assert_eq!(
        world.rule(&given, add_id_with(202, "0312340001", TerminalKind::Fixed)),
        "R18"
    );
}

#[test]
fn r18_each_id_by_its_site_and_groups_by_any() {
    let world = World::default();
    let mut given = contract(2, 1);
    world.run(&mut given, add_site(2, "埼玉県川口市"));
    world.run(&mut given, Command::ConfirmEmergency(SiteId(2)));
    let to_saitama = IdChange {
        site: Some(SiteId(2)),
        ..IdChange::default()
    };
    assert_eq!(world.rule(&given, change_id(1, to_saitama.clone())), "R18");
    let with_050 = IdChange {
        direct: Some(number("05012345678")),
        ..to_saitama
    };
    world.run(&mut given, change_id(1, with_050));
    // The group's number stays with the site in 東京.
    assert_eq!(
        world.rule(&given, Command::Move(SITE, "埼玉県蕨市".into())),
        "R18"
    );
    assert_eq!(world.rule(&given, Command::RemoveSite(SiteId(2))), "site");
    assert_eq!(world.rule(&given, Command::RemoveSite(SiteId(9))), "site");
}

#[test]
fn ports_keep_every_id_a_number() {
    let world = World::default();
    let mut given = contract(2, 1);
    let present = IdChange {
        outgoing: Some(number("0355550000")),
        ..IdChange::default()
    };
    world.run(&mut given, change_id(1, present));
    let forward = NumberRules {
        closed: Treatment::Forward(number("0355550000")),
        ..NumberRules::default()
    };
    world.run(&mut given, Command::SetRules(number("0312340201"), forward));
    let port_in = |line: &str, new: &str| Command::PortIn {
        line: number(line),
        number: number(new),
    };
    assert_eq!(
        world.rule(&given, port_in("0355550000", "05012345678")),
        "porting"
    );
    assert_eq!(world.rule(&given, port_in("0355550000", "0488301234")), "R18");
    assert_eq!(world.rule(&given, port_in("0355550000", "0399990001")), "R1");
    let effects = world.run(&mut given, port_in("0355550000", "0366660000"));
    assert_eq!(effects, [Effect::NumberTaken(number("0366660000"), Role::Rep)]);
    assert_eq!(given.state(number("0366660000")), NumberState::Porting);
    assert_eq!(given.state(number("0355550000")), NumberState::InUse);
    assert_eq!(
        world.rule(&given, Command::RemoveRep(number("0355550000"))),
        "porting"
    );
    assert_eq!(
        World::customer().rule(&given, Command::PortDone(number("0355550000"))),
        "operator"
    );
    let effects = world.run(&mut given, Command::PortDone(number("0355550000")));
    assert!(effects.contains(&Effect::NumberReleased(number("0355550000"))));
    // Everything that named the temporary number names the one that came.
    assert_eq!(given.id(key(1)).unwrap().outgoing, number("0366660000"));
    let rules = given.line(number("0312340201")).unwrap().rules;
    assert_eq!(rules.closed, Treatment::Forward(number("0366660000")));

    // R7: a direct number goes only for another one; a representative number may go for good.
    let port_out = |line: &str, next: Option<&str>| Command::PortOut {
        line: number(line),
        next: next.map(number),
    };
    assert_eq!(world.rule(&given, port_out("0312340202", None)), "R7");
    world.run(&mut given, port_out("0312340202", Some("0312340999")));
    world.run(&mut given, Command::PortCancel(number("0312340202")));
    assert_eq!(given.state(number("0312340999")), NumberState::Unassigned);
    world.run(&mut given, port_out("0312340202", Some("0312340999")));
    world.run(&mut given, Command::PortDone(number("0312340202")));
    assert_eq!(given.id(key(1)).unwrap().direct.number, number("0312340999"));
    world.run(&mut given, port_out("0366660000", None));
    world.run(&mut given, Command::PortDone(number("0366660000")));
    assert!(given.reps.is_empty());
    assert_eq!(
        given.line(number("0312340201")).unwrap().rules.closed,
        Treatment::End
    );
    assert!(given.former.iter().filter(|former| former.ported).count() == 2);
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
fn an_end_releases_no_suspended_number() {
    let (world, customer) = (World::default(), World::customer());
    let mut given = contract(2, 1);
    let line = Some(number("0312340202"));
    let suspension = Suspension {
        cause: SuspensionCause::Legal,
        reason: "照会 12".into(),
        by: "県警".into(),
        since: day("2026-04-01"),
    };
    world.run(&mut given, Command::Suspend(line, suspension));
    assert_eq!(customer.rule(&given, Command::End), "suspended");
    world.run(&mut given.clone(), Command::End);
    world.run(&mut given, Command::Resume(line, SuspensionCause::Legal));
    assert_eq!(customer.run(&mut given, Command::End).len(), 4);
}

/// The number to come is looked at like the one that is there.
#[test]
fn ports_and_places() {
    let world = World::default();
    let at = |site: u32| IdChange {
        site: Some(SiteId(site)),
        ..IdChange::default()
    };
    // The ID's number is good for anywhere, the one that comes is not.
    let mut given = contract(2, 0);
    world.run(&mut given, add_site(2, "埼玉県川口市"));
    world.run(&mut given, Command::ConfirmEmergency(SiteId(2)));
    world.run(&mut given, add_id_with(209, "05012345678", TerminalKind::Fixed));
    let (line, next) = (number("05012345678"), number("0366660000"));
    world.run(&mut given, Command::PortIn { line, number: next });
    assert_eq!(world.rule(&given, change_id(2, at(2))), "R18");
    // A group's: the site it depends on stays.
    let mut given = contract(2, 1);
    world.run(&mut given, add_site(2, "東京都港区芝公園4-2-8"));
    world.run(&mut given, Command::ConfirmEmergency(SiteId(2)));
    world.run(&mut given, add_site(3, "埼玉県川口市"));
    world.run(&mut given, Command::ConfirmEmergency(SiteId(3)));
    for index in 0..2 {
        let anywhere = IdChange {
            direct: Some(number(&format!("050123400{index}0"))),
            ..at(3)
        };
        world.run(&mut given, change_id(index, anywhere));
    }
    world.run(&mut given, Command::RemoveRep(number("0355550000")));
    world.run(&mut given, add_rep("05055550000", &[201], ""));
    let line = number("05055550000");
    world.run(&mut given, Command::PortIn { line, number: next });
    world.run(&mut given, Command::RemoveSite(SITE));
    assert_eq!(world.rule(&given, Command::RemoveSite(SiteId(2))), "R18");
    // It moves, and emergency services are not told yet.
    world.run(
        &mut given,
        Command::Move(SiteId(2), "東京都新宿区西新宿2-8-1".into()),
    );
    assert_eq!(world.rule(&given, Command::PortDone(line)), "emergency");
    world.run(&mut given, Command::ConfirmEmergency(SiteId(2)));
    world.run(&mut given, Command::PortDone(line));
}

#[test]
fn what_went_to_another_carrier_comes_back_from_there() {
    let world = World::default();
    let mut given = contract(3, 2);
    let (first, second) = (number("0355550000"), number("0355550001"));
    world.run(
        &mut given,
        change_id(
            1,
            IdChange {
                outgoing: Some(first),
                ..IdChange::default()
            },
        ),
    );
    let forward = NumberRules {
        unanswered: Treatment::Forward(first),
        ..NumberRules::default()
    };
    world.run(&mut given, Command::SetRules(second, forward));
    world.run(
        &mut given,
        Command::PortOut {
            line: first,
            next: None,
        },
    );
    let effects = world.run(&mut given, Command::PortDone(first));
    // What that changed for others is said.
    let (line, gone) = (second, first);
    for warning in [
        Warning::PresentsDirect(key(1)),
        Warning::ForwardEnds { line, gone },
    ] {
        assert!(
            effects.contains(&Effect::Warning(warning)),
            "{warning:?} in {effects:?}"
        );
        assert!(!warning.text(contract::Lang::Ja).is_empty());
    }
    let add = |text: &str| add_rep(text, &[201], "");
    let refusal = world.refusal(&given, add("0355550000"));
    assert_eq!(refusal, Refusal::PortedOut(first));
    assert_eq!(
        world.rule(&given, add_id_with(209, "0355550000", TerminalKind::App)),
        "porting"
    );
    let line = number("0355550001");
    world.run(&mut given, Command::PortIn { line, number: first });
    world.run(&mut given, Command::PortDone(line));
    // Given back to the service, it can be had again.
    world.run(&mut given, Command::RemoveRep(first));
    world.run(&mut given, add("0355550000"));
}

#[test]
fn r14_a_number_is_asked_for_once() {
    let world = World::default();
    let mut given = contract(6, 3);
    let ask = |text: &str| add_rep(text, &[201], "受付");
    // What could not be given is not asked for.
    assert_eq!(world.rule(&given, ask("0488301234")), "R18");
    assert_eq!(world.rule(&given, ask("0399990001")), "R1");
    world.run(&mut given, ask("0355550004"));
    let request = given.requests[0].id;
    let asked = number("0355550004");
    let refusal = Refusal::Requested {
        number: asked,
        request,
    };
    assert_eq!(world.refusal(&given, ask("0355550004")), refusal);
    let id = add_id_with(209, "0355550004", TerminalKind::Fixed);
    assert_eq!(world.refusal(&given, id), refusal);
    let line = number("0312340202");
    for port in [
        Command::PortIn { line, number: asked },
        Command::PortOut {
            line,
            next: Some(asked),
        },
    ] {
        assert_eq!(world.refusal(&given, port), refusal);
    }
    world.run(&mut given, Command::DecideRep(request, Decision::Approve));
    assert_eq!(world.rule(&given, ask("0355550004")), "R1");
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
