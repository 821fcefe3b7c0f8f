//! IDs: what they present, log in with and cost the contract when they go.

use contract::command::{IdChange, RepChange};
use contract::effect::Warning;
use contract::model::Settings;
use contract::{Command, Contract, Effect, PlanVersion, Refusal};
use shared::TerminalKind;
use shared::route::NumberState;

use crate::common::*;
use crate::{change_id, change_rep};

#[test]
fn r9_and_r25_an_id_presents_its_own() {
    let world = World::default();
    let mut given = contract(3, 1);
    let present = |text: &str| IdChange {
        outgoing: Some(number(text)),
        ..IdChange::default()
    };
    assert_eq!(world.rule(&given, change_id(1, present("0312340201"))), "R9");
    world.run(&mut given, change_id(1, present("0355550000")));
    let off = IdChange {
        direct_in: Some(false),
        direct_out: Some(false),
        ..IdChange::default()
    };
    // ID 0 would have nothing to present; ID 1 has the group.
    assert_eq!(
        world.refusal(&given, change_id(0, off.clone())),
        Refusal::NoCallerId {
            extension: extension(201),
            group: Some(number("0355550000"))
        }
    );
    world.run(&mut given, change_id(1, off));
    assert_eq!(given.state(number("0312340202")), NumberState::DirectOff);
    // Now the group is all it has: to present, and to be called on.
    assert_eq!(
        world.rule(&given, Command::RemoveRep(number("0355550000"))),
        "R25"
    );
    let silent = RepChange {
        ring: Some(vec![extension(201)]),
        ..RepChange::default()
    };
    let effects = world.run(&mut given, change_rep("0355550000", silent));
    assert!(effects.contains(&Effect::Warning(Warning::Unreachable(key(1)))));
    // Who leaves a group presents the direct number again.
    let mut given = contract(2, 1);
    world.run(&mut given, change_id(1, present("0355550000")));
    world.run(&mut given, Command::RemoveRep(number("0355550000")));
    assert_eq!(given.id(key(1)).unwrap().outgoing, number("0312340202"));
}

#[test]
fn r10_the_code_is_the_direct_number() {
    let world = World::default();
    let mut given = contract(2, 0);
    let code = |contract: &Contract, text: &str| {
        let site = contract.configuration(SITE, "pbx.example", &[]).unwrap();
        site.by_user(text).map(|id| id.key)
    };
    assert_eq!(code(&given, "０３－１２３４－０２０２"), Some(key(1)));
    assert_eq!(code(&given, "0312340202"), Some(key(1)));
    let renumber = |text: &str| IdChange {
        direct: Some(number(text)),
        ..IdChange::default()
    };
    let effects = world.run(&mut given, change_id(1, renumber("0312340777")));
    assert!(effects.contains(&Effect::CodeChanged(key(1), number("0312340777"))));
    assert!(effects.contains(&Effect::NumberReleased(number("0312340202"))));
    // A5: the key stays; the old code logs nobody in, and who had it is kept for the bill.
    assert_eq!(code(&given, "0312340202"), None);
    assert_eq!(code(&given, "0312340777"), Some(key(1)));
    assert_eq!(
        (given.former[0].id, given.former[0].next),
        (Some(key(1)), Some(number("0312340777")))
    );
    // Another ID gets the old number: now it is that one's code.
    world.run(&mut given, add_id_with(209, "0312340202", TerminalKind::Fixed));
    assert_eq!(code(&given, "0312340202"), Some(key(2)));
    // R11: a shared direct number is refused, and points to what does that.
    let refusal = world.refusal(&given, change_id(0, renumber("0312340777")));
    assert_eq!(refusal.rule().to_string(), "R11");
    assert!(refusal.text(contract::Lang::Ja).next.contains("代表番号を追加"));
}

#[test]
fn r13_and_r16_what_can_be_given_back() {
    let world = World::customer();
    let given = contract(4, 4);
    assert_eq!(
        world.refusal(&given, Command::RemoveId(key(3))),
        Refusal::RepCap {
            reps: 4,
            pending: 0,
            ids: 3
        }
    );
    // R12: the last representative number keeps two IDs.
    assert_eq!(world.rule(&contract(2, 1), Command::RemoveId(key(1))), "R12");
    // R16, A15: the basic ID ends with the contract.
    assert_eq!(world.rule(&given, Command::RemoveId(key(0))), "R16");
    assert_eq!(world.rule(&contract(1, 0), Command::RemoveId(key(0))), "R16");
    let mut given = contract(3, 1);
    world.run(&mut given, Command::RemoveId(key(1)));
    assert_eq!(given.reps[0].members, [key(0), key(2)].into_iter().collect());
    assert_eq!(given.basic().unwrap().extension, extension(201));
    // A5: its key is not used again while its calls may be billed, and then is.
    World::default().run(&mut given, add_id(210, TerminalKind::Fixed));
    assert_eq!(given.by_extension(extension(210)).unwrap().key, key(3));
    let later = World {
        today: day("2027-05-02"),
        ..World::default()
    };
    later.run(&mut given, add_id(211, TerminalKind::Fixed));
    assert_eq!(given.by_extension(extension(211)).unwrap().key, key(1));
}

#[test]
fn a4_and_r30_and_settings() {
    let world = World::customer();
    let mut given = contract(3, 1);
    let cap = |cap| RepChange {
        sub_cap: Some(Some(cap)),
        ..RepChange::default()
    };
    for wrong in [0, 4] {
        assert_eq!(world.rule(&given, change_rep("0355550000", cap(wrong))), "A4");
    }
    world.run(&mut given, change_rep("0355550000", cap(3)));
    // Fewer channels: the cap comes down with them.
    world.run(&mut given, Command::RemoveId(key(2)));
    assert_eq!(given.reps[0].sub_cap, Some(2));
    // The later plan allows 9 at most, the guide's as many as there are channels.
    let mut big = contract(12, 1);
    assert_eq!(
        (big.plan, world.rule(&big, change_rep("0355550000", cap(10)))),
        (PlanVersion::From2021, "A4".into())
    );
    big.plan = PlanVersion::Guide;
    world.run(&mut big, change_rep("0355550000", cap(10)));

    let prefix = |prefix| {
        Command::Set(Settings {
            outside_prefix: Some(prefix),
            ..Settings::default()
        })
    };
    assert_eq!(world.rule(&given, prefix(7)), "R30");
    world.run(&mut given, prefix(9));
    assert_eq!(
        World::default().rule(&given, add_id_with(901, "0312340901", TerminalKind::App)),
        "R30"
    );
    let shadowed = IdChange {
        extension: Some(extension(901)),
        ..IdChange::default()
    };
    assert_eq!(world.rule(&given, change_id(0, shadowed)), "R30");
    assert_eq!(
        world.rule(&given, add_id_with(201, "0312340901", TerminalKind::App)),
        "R30"
    );
}
