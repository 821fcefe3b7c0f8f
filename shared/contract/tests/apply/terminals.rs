//! Terminals: which one uses an ID, and the devices among them.

use contract::command::{Consent, IdChange, NewDevice};
use contract::device::{Acquisition, DeviceId, DeviceState, Interface, Mac, Model};
use contract::model::{Lease, Terminal};
use contract::{Command, Contract, Effect, Refusal};
use shared::SiteId;
use shared::analog::Port;
use shared::{IdSet, TerminalKind};

use crate::common::*;

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

/// R5, A19: an app that takes another ID leaves its own, in a call only if that may be cut.
#[test]
fn r5_an_app_that_moves_on_asks_before_it_cuts_its_call() {
    let mut world = World::customer();
    let mut given = contract(1, 0);
    for extension in [301, 302] {
        World::default().run(&mut given, add_id(extension, TerminalKind::App));
    }
    let app = Terminal::App("a".into());
    let login = |index, consent| Command::Login {
        id: key(index),
        terminal: app.clone(),
        consent,
    };
    world.run(&mut given, login(1, Consent::None));
    world.in_call = IdSet::one(key(1));
    assert_eq!(world.rule(&given, login(2, Consent::Takeover)), "A19");
    let effects = world.run(&mut given, login(2, Consent::CutCall));
    assert_eq!(effects, [Effect::SessionEnded(key(1), app.clone())]);
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

#[test]
fn a_port_of_the_box_is_a_terminal() {
    let customer = World::customer();
    let mut given = contract(1, 0);
    for extension in [301, 302] {
        customer.run(&mut given, add_id(extension, TerminalKind::Adapter));
    }
    customer.run(&mut given, add_site(2, "東京都港区芝公園4-2-8"));
    let plug = |id, number| {
        let port = Port {
            number,
            number_display: true,
            fax: false,
        };
        Command::Plug(key(id), Some(port))
    };
    assert_eq!(customer.rule(&given, plug(9, 1)), "R5");
    assert_eq!(customer.rule(&given, plug(0, 1)), "R5"); // the ID is for a desk phone
    for none in [0, 5] {
        assert_eq!(customer.rule(&given, plug(1, none)), "R41");
    }
    // The boxes are told: each knows all IDs of the contract.
    let effects = customer.run(&mut given, plug(1, 1));
    assert_eq!(effects, [SITE, SiteId(2)].map(Effect::SiteChanged));
    let port = |given: &Contract| {
        let site = given.configuration(SITE, "pbx.example", &[]).unwrap();
        site.id(key(1)).unwrap().port.map(|port| port.number)
    };
    assert_eq!(port(&given), Some(1));
    // One ID a port, one port an ID, and no adapter besides.
    let refused = Refusal::PortTaken {
        port: 1,
        extension: extension(301),
    };
    assert_eq!(customer.refusal(&given, plug(2, 1)), refused);
    let adapter = Command::OrderDevice(NewDevice {
        model: Model::Ht801,
        acquisition: Acquisition::Rental,
        site: SITE,
        ports: vec![Some(key(1))],
        interface: Interface::Analog,
        own_power: false,
    });
    assert_eq!(customer.rule(&given, adapter.clone()), "R5");
    customer.run(&mut given, plug(1, 2));
    customer.run(&mut given, plug(2, 1));
    assert_eq!(customer.run(&mut given, plug(2, 1)), [], "nothing has changed");
    // Another site has another box.
    let moves = |site| {
        let change = IdChange {
            site: Some(site),
            ..IdChange::default()
        };
        Command::ChangeId(key(1), change)
    };
    World::default().run(&mut given, Command::ConfirmEmergency(SiteId(2)));
    customer.run(&mut given, moves(SiteId(2)));
    assert_eq!(given.id(key(1)).unwrap().port, None);
    customer.run(&mut given, plug(1, 1));
    customer.run(&mut given, moves(SITE));
    customer.run(&mut given, adapter);
    assert_eq!(customer.rule(&given, plug(1, 3)), "R5");
    customer.run(&mut given, Command::Plug(key(2), None));
    assert_eq!(given.id(key(2)).unwrap().port, None);
}
