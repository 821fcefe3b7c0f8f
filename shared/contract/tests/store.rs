//! Stored contracts: what was written once is read for good.

mod common;

use std::num::NonZeroU8;

use common::*;
use contract::command::{Consent, NewDevice};
use contract::device::{Acquisition, DeviceId, Interface, Model, Phone};
use contract::model::{Customer, Network, Reviewed, Suspension, SuspensionCause, Terminal};
use contract::store::{SCHEMA, StoreError};
use contract::{Command, Contract, PlanVersion};
use shared::analog::Port;
use shared::hub::{Dhcp, PhoneModel, Voice};
use shared::route::{BlockRule, NumberRules, Treatment};
use shared::{IdSet, TerminalKind};

/// One of everything.
fn furnished() -> Contract {
    let world = World::default();
    let mut contract = contract(4, 3);
    let zone = "219".parse().unwrap();
    let (address, document, by) = ("東京都三鷹市中原".into(), "登記簿".into(), "審査係".into());
    let on = world.today;
    for command in [
        Command::Review(
            SITE,
            Reviewed {
                zone,
                address,
                document,
                by,
                on,
            },
        ),
        add_id(301, TerminalKind::App),
        add_rep("0355550009", &[201], "採用"),
        Command::RemoveId(key(3)),
        Command::SetBlockList(
            0,
            Some(vec![BlockRule::Withheld, BlockRule::Number(number("0312345678"))]),
        ),
        Command::SetRules(
            number("0355550001"),
            NumberRules {
                schedule: None,
                block: Some(0),
                closed: Treatment::Forward(number("0355550000")),
                unanswered: Treatment::End,
            },
        ),
        Command::PortIn {
            line: number("0312340202"),
            number: number("0366660000"),
        },
        Command::Suspend(
            Some(number("0355550002")),
            Suspension {
                cause: SuspensionCause::Legal,
                reason: "照会 12".into(),
                by: "県警".into(),
                since: on,
            },
        ),
        Command::OrderDevice(NewDevice {
            model: Model::Gxp1628,
            acquisition: Acquisition::Rental,
            site: SITE,
            ports: vec![Some(key(0))],
            interface: Interface::Ip,
            own_power: false,
        }),
        Command::ConfigureDevice(DeviceId(1), "000b82123456".parse().unwrap()),
        Command::Login {
            id: key(4),
            terminal: Terminal::App("a".into()),
            consent: Consent::None,
        },
    ] {
        world.run(&mut contract, command);
    }
    contract
}

/// What boxes came with: ports for telephones.
fn plugged() -> Contract {
    let (mut contract, world) = (furnished(), World::default());
    world.run(&mut contract, add_id(302, TerminalKind::Adapter));
    let port = Some(Port {
        number: 2,
        number_display: true,
        fax: false,
    });
    world.run(&mut contract, Command::Plug(key(5), port));
    contract
}

#[test]
fn schema_4_is_frozen() {
    let (mut contract, golden) = (plugged(), include_str!("contract-4.json"));
    let voice = Voice {
        vlan: 20,
        address: [192, 168, 20, 1].into(),
        prefix: 24,
    };
    let network = Network {
        voice: Some(voice),
        dhcp: Dhcp::Never,
    };
    let phone = Phone {
        mac: "080023000001".parse().unwrap(),
        model: PhoneModel::KxHdv230n,
        line: 1,
        port: NonZeroU8::new(3),
    };
    let world = World::default();
    world.run(&mut contract, Command::SetNetwork(SITE, network));
    world.run(&mut contract, Command::Claim(key(1), phone));
    world.run(&mut contract, Command::Claim(key(1), phone));
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&contract.to_json().unwrap()), value(golden));
    assert_eq!(Contract::from_json(golden).unwrap(), contract);
}

/// The contract without what schema 4 can say: devices that were set up were claimed for nobody.
fn unclaimed(mut contract: Contract) -> Contract {
    for id in &mut contract.ids {
        (id.phone, id.claim) = (None, 0);
    }
    contract.claims = 0;
    contract
}

#[test]
fn schema_3_has_no_phones() {
    let contract = Contract::from_json(include_str!("contract-3.json")).unwrap();
    assert_eq!(contract, unclaimed(plugged()));
}

#[test]
fn schema_2_has_no_ports() {
    let contract = Contract::from_json(include_str!("contract-2.json")).unwrap();
    assert_eq!(contract, unclaimed(furnished()));
}

#[test]
fn schema_1_becomes_a_contract_of_today() {
    let contract = Contract::from_json(include_str!("contract-1.json")).unwrap();
    contract.check().unwrap();
    assert_eq!(
        (contract.customer, contract.plan),
        (Customer::Corporate, PlanVersion::From2021)
    );
    // R16: the basic ID comes first, whatever its key.
    assert_eq!(contract.basic().unwrap().extension, extension(201));
    assert_eq!(contract.ids[1].key, key(0));
    assert_eq!(contract.ids[1].since, day("2025-05-21"));
    assert_eq!(
        (contract.settings.outside_prefix, contract.settings.international),
        (Some(0), true)
    );
    let rep = contract.rep(number("0312340000")).unwrap();
    assert_eq!((rep.members, rep.ring), (IdSet(0b101), IdSet(0b100)));
    let site = contract
        .configuration(contract.sites[1].id, "pbx.example", &[])
        .unwrap();
    assert_eq!((site.here(), site.sys.channels), (IdSet::one(key(0)), 2));
    // Its numbers were never held against an address: they stay, and new ones need it.
    assert_eq!(
        World::default().rule(&contract, add_id(209, TerminalKind::App)),
        "R18"
    );
    // It is written as what it is now.
    let again = contract.to_json().unwrap();
    assert!(again.starts_with(&format!("{{\"schema\":{SCHEMA},")));
    assert_eq!(Contract::from_json(&again).unwrap(), contract);
}

#[test]
fn what_is_no_contract() {
    let later = include_str!("contract-1.json").replace("\"schema\":1", "\"schema\":5");
    assert!(matches!(Contract::from_json(&later), Err(StoreError::Schema(5))));
    let one_as_two = include_str!("contract-1.json").replace("\"schema\":1", "\"schema\":2");
    for text in ["", "{}", "[]", "{\"schema\":2}", &one_as_two] {
        assert!(
            matches!(Contract::from_json(text), Err(StoreError::Malformed(_))),
            "{text}"
        );
    }
}
