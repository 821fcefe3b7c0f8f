//! Commands, rule by rule: given a contract, when a command is tried, then.

mod common;

use common::*;
use contract::command::{Consent, Decision, IdChange, NewDevice, RepChange};
use contract::device::{Acquisition, DeviceId, DeviceState, Interface, Mac, Model};
use contract::effect::Warning;
use contract::model::{Lease, RequestState, Role, Settings, Terminal};
use contract::{Command, Contract, Effect, PlanVersion, Refusal};
use shared::route::{BlockRule, NumberRules, NumberState, Treatment};
use shared::schedule::Schedule;
use shared::{IdSet, SiteId, TerminalKind};

fn change_id(index: u16, change: IdChange) -> Command {
    Command::ChangeId(key(index), change)
}

fn change_rep(text: &str, change: RepChange) -> Command {
    Command::ChangeRep(number(text), change)
}

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
    ] {
        assert_eq!(
            world.rule(&given, add_id_with(209, direct, TerminalKind::App)),
            rule,
            "{direct}"
        );
    }
    assert_eq!(world.rule(&given, add_rep("0312340201", &[201], "")), "R1");
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
    let phrase = RepChange {
        phrase: Some("○○会社、サポートセンターです。".into()),
        ..RepChange::default()
    };
    let (next, _) = world.apply(&given, &change_rep("0355550000", phrase)).unwrap();
    assert_eq!(next.reps[0].phrase, "○○会社、サポートセンターです。");
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
fn r6_one_terminal_at_a_time() {
    let mut world = World::customer();
    let mut given = contract(1, 0);
    World::default().run(&mut given, add_id(301, TerminalKind::App));
    let phone = |name: &str| Terminal::App(name.into());
    let login = |name: &str, consent| Command::Login {
        id: key(1),
        terminal: phone(name),
        consent,
    };
    world.run(&mut given, login("a", Consent::None));
    assert_eq!(world.rule(&given, login("b", Consent::None)), "R6");
    world.in_call = IdSet::one(key(1));
    assert_eq!(world.rule(&given, login("b", Consent::Takeover)), "A19");
    let mut cut = given.clone();
    let effects = world.run(&mut cut, login("b", Consent::CutCall));
    assert_eq!(effects, [Effect::SessionEnded(key(1), phone("a"))]);
    world.in_call = IdSet::EMPTY;
    let effects = world.run(&mut given, login("b", Consent::Takeover));
    assert_eq!(effects, [Effect::SessionEnded(key(1), phone("a"))]);
    let lease = |contract: &Contract| contract.id(key(1)).unwrap().lease.clone();
    let expected = Lease {
        terminal: phone("b"),
        epoch: 2,
    };
    assert_eq!(lease(&given), Some(expected.clone()));
    // Who lost it cannot end what came after; who has it can, and logging in again changes nothing.
    world.run(&mut given, Command::Logout { id: key(1), epoch: 1 });
    world.run(&mut given, login("b", Consent::None));
    assert_eq!(lease(&given), Some(expected));
    world.run(&mut given, Command::Logout { id: key(1), epoch: 2 });
    assert_eq!(lease(&given), None);
}

#[test]
fn r6_after_an_outage_one_terminal_is_left() {
    let world = World::customer();
    let mut given = contract(1, 0);
    World::default().run(&mut given, add_id(301, TerminalKind::App));
    let phone = |name: &str| Terminal::App(name.into());
    let login = |name: &str| Command::Login {
        id: key(1),
        terminal: phone(name),
        consent: Consent::Takeover,
    };
    let reconcile = |name: &str, base| Command::Reconcile {
        id: key(1),
        terminal: phone(name),
        base,
    };
    let user = |contract: &Contract| {
        contract
            .id(key(1))
            .unwrap()
            .lease
            .clone()
            .map(|lease| lease.terminal)
    };
    world.run(&mut given, login("a")); // epoch 1, then the box is cut off

    // Nothing happened in the cloud: the box's takeover becomes the lease.
    let mut quiet = given.clone();
    let effects = world.run(&mut quiet, reconcile("b", 1));
    assert_eq!(
        (user(&quiet), effects),
        (Some(phone("b")), vec![Effect::SessionEnded(key(1), phone("a"))])
    );

    // The cloud lent it too: its lease stands and the box's terminal is told.
    let mut both = given.clone();
    world.run(&mut both, login("c"));
    let effects = world.run(&mut both, reconcile("b", 1));
    assert_eq!(
        (user(&both), effects),
        (Some(phone("c")), vec![Effect::SessionEnded(key(1), phone("b"))])
    );

    // It was lent and given back meanwhile, or to the same terminal.
    world.run(&mut both, Command::Logout { id: key(1), epoch: 2 });
    world.run(&mut both, reconcile("b", 1));
    assert_eq!(user(&both), Some(phone("b")));
    assert_eq!(world.run(&mut both, reconcile("b", 1)), []);
}

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
fn r10_the_code_is_the_direct_number_present_or_former() {
    let world = World::default();
    let mut given = contract(2, 0);
    let code = |contract: &Contract, text: &str| contract.by_code(text).map(|id| id.key);
    assert_eq!(code(&given, "０３－１２３４－０２０２"), Some(key(1)));
    assert_eq!(code(&given, "0312340202"), Some(key(1)));
    let renumber = |text: &str| IdChange {
        direct: Some(number(text)),
        ..IdChange::default()
    };
    let effects = world.run(&mut given, change_id(1, renumber("0312340777")));
    assert!(effects.contains(&Effect::CodeChanged(key(1), number("0312340777"))));
    assert!(effects.contains(&Effect::NumberReleased(number("0312340202"))));
    assert_eq!(code(&given, "0312340202"), Some(key(1)));
    assert_eq!(code(&given, "0312340777"), Some(key(1)));
    // Another ID gets the old number: now it is that one's code.
    world.run(&mut given, add_id_with(209, "0312340202", TerminalKind::Fixed));
    assert_eq!(code(&given, "0312340202"), Some(key(2)));
    // R11: a shared direct number is refused, and points to what does that.
    let refusal = world.refusal(&given, change_id(0, renumber("0312340777")));
    assert_eq!(refusal.rule().to_string(), "R11");
    assert!(refusal.text(contract::Lang::Ja).next.contains("代表番号を追加"));
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
fn devices_live_from_order_to_return() {
    let (world, customer) = (World::default(), World::customer());
    let mut given = contract(2, 0);
    let order = |model, id: u16, acquisition, interface| {
        Command::OrderDevice(NewDevice {
            model,
            acquisition,
            site: SITE,
            ports: vec![Some(key(id))],
            interface,
            own_power: false,
        })
    };
    let phone = |id, acquisition| order(Model::Gxp1628, id, acquisition, Interface::Ip);
    let adapter = |interface| order(Model::Ht801, 0, Acquisition::Rental, interface);
    assert_eq!(customer.rule(&given, adapter(Interface::Isdn)), "R43");
    assert_eq!(customer.rule(&given, adapter(Interface::Analog)), "R5"); // the ID is for a desk phone
    let effects = customer.run(&mut given, phone(0, Acquisition::Rental));
    assert_eq!(effects, [Effect::Device(DeviceId(1))]);
    assert_eq!(customer.rule(&given, phone(0, Acquisition::Rental)), "R5");
    let mac: Mac = "00:0B:82-12-34-56".parse().unwrap();
    let state = |contract: &Contract| contract.devices[0].state;
    let today = world.today;

    assert_eq!(world.rule(&given, Command::ShipDevice(DeviceId(1))), "R34");
    assert_eq!(world.rule(&given, Command::DeviceOnline(mac)), "R33");
    world.run(&mut given, Command::ConfigureDevice(DeviceId(1), mac));
    // R34: unbound, it is not sent; another ID will do.
    assert_eq!(world.rule(&given, Command::Bind(DeviceId(1), 0, None)), "R34");
    world.run(&mut given, Command::Bind(DeviceId(1), 0, Some(key(1))));
    world.run(&mut given, Command::ShipDevice(DeviceId(1)));
    assert_eq!(
        world.run(&mut given, Command::DeviceOnline(mac)),
        [Effect::Device(DeviceId(1))]
    );
    assert_eq!(state(&given), DeviceState::Online(today));
    assert_eq!(world.run(&mut given, Command::DeviceOnline(mac)), []); // it starts again
    // R33: it comes up as its ID, and as no other.
    let login = |id| Command::Login {
        id: key(id),
        terminal: Terminal::Device(DeviceId(1)),
        consent: Consent::None,
    };
    assert_eq!(customer.rule(&given, login(0)), "R33");
    customer.run(&mut given, login(1));
    // An ID with a rented device is not given back before it; the device's return ends its lease.
    assert_eq!(customer.rule(&given, Command::RemoveId(key(1))), "R5");
    let effects = world.run(&mut given, Command::ReturnDevice(DeviceId(1)));
    assert!(effects.contains(&Effect::SessionEnded(key(1), Terminal::Device(DeviceId(1)))));
    assert_eq!(state(&given), DeviceState::Returned(today));
    assert_eq!(world.rule(&given, Command::DeviceOnline(mac)), "R33");
    assert_eq!(world.rule(&given, Command::BuyDevice(DeviceId(1))), "R34");

    // Bought: the customer's own with the first start.
    customer.run(&mut given, phone(1, Acquisition::Purchase));
    for command in [
        Command::ConfigureDevice(DeviceId(2), mac),
        Command::ShipDevice(DeviceId(2)),
        Command::DeviceOnline(mac),
    ] {
        world.run(&mut given, command);
    }
    assert_eq!(given.devices[1].state, DeviceState::Purchased(today));
    assert_eq!(world.rule(&given, Command::ReturnDevice(DeviceId(2))), "R34");
    customer.run(&mut given, Command::RemoveId(key(1)));
    assert_eq!(given.devices[1].ports, [None]);

    // The customer's own device keeps no site; one on its way does.
    let mut given = contract(1, 0);
    world.run(&mut given, add_site(2, "東京都港区芝公園4-2-8"));
    let hub = Command::OrderDevice(NewDevice {
        model: Model::PoeHub,
        acquisition: Acquisition::Purchase,
        site: SiteId(2),
        ports: vec![],
        interface: Interface::Ip,
        own_power: false,
    });
    customer.run(&mut given, hub);
    assert_eq!(customer.rule(&given, Command::RemoveSite(SiteId(2))), "site");
    world.run(&mut given, Command::ShipDevice(DeviceId(1)));
    customer.run(&mut given, Command::RemoveSite(SiteId(2)));
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
