//! Phones that get their configuration from the box: claimed, moved, released (R5, R33 to R36, A14).

use std::num::NonZeroU8;

use contract::command::{IdChange, NewDevice};
use contract::device::{Acquisition, DeviceId, Interface, Mac, Model, Phone};
use contract::model::Network;
use contract::{Command, Contract, Effect, Refusal};
use shared::hub::{Dhcp, PhoneModel, Voice};
use shared::{SiteId, TerminalKind};

use crate::common::*;

fn mac(last: u8) -> Mac {
    Mac([0, 0x0b, 0x82, 0, 0, last])
}

fn phone(last: u8, model: PhoneModel, line: u8, port: u8) -> Phone {
    Phone {
        mac: mac(last),
        model,
        line,
        port: NonZeroU8::new(port),
    }
}

fn gxp(last: u8, port: u8) -> Phone {
    phone(last, PhoneModel::Gxp1628, 1, port)
}

/// Two desk phones (201, 202) and two adapters (301, 302), at the first of two sites.
fn given() -> Contract {
    let world = World::default();
    let mut given = contract(2, 0);
    for extension in [301, 302] {
        world.run(&mut given, add_id(extension, TerminalKind::Adapter));
    }
    world.run(&mut given, add_site(2, "東京都港区芝公園4-2-8"));
    world.run(&mut given, Command::ConfirmEmergency(SiteId(2)));
    given
}

/// The claim as the box is told it.
fn told(given: &Contract, id: u16) -> Option<(Mac, u8, Option<u8>, u16)> {
    let site = given.configuration(SITE, "pbx.example", &[]).unwrap();
    let phone = site.id(key(id)).unwrap().phone?;
    Some((phone.mac, phone.line, phone.port.map(NonZeroU8::get), phone.claim))
}

#[test]
fn a_phone_is_claimed_for_an_id() {
    let customer = World::customer();
    let mut given = given();
    let claim = |id, phone| Command::Claim(key(id), phone);
    for (refused, rule) in [
        (claim(9, gxp(1, 0)), "R5"),
        // The ID is for a desk phone, or for an adapter.
        (claim(0, phone(1, PhoneModel::Ht801, 1, 0)), "R5"),
        (claim(2, gxp(1, 0)), "R5"),
        // No line 2, no line 0.
        (claim(0, phone(1, PhoneModel::Gxp1628, 2, 0)), "R5"),
        (claim(2, phone(1, PhoneModel::Ht802, 0, 0)), "R5"),
        (claim(0, gxp(1, 5)), "R40"),
        (
            claim(
                0,
                Phone {
                    mac: Mac([0xff; 6]),
                    ..gxp(1, 1)
                },
            ),
            "R33",
        ),
        (Command::Release(key(0)), "R33"),
        (Command::Release(key(9)), "R5"),
    ] {
        assert_eq!(customer.rule(&given, refused.clone()), rule, "{refused:?}");
    }
    // The boxes are told: each knows all IDs of the contract.
    let effects = customer.run(&mut given, claim(0, gxp(1, 2)));
    assert_eq!(effects, [SITE, SiteId(2)].map(Effect::SiteChanged));
    assert_eq!(told(&given, 0), Some((mac(1), 1, Some(2), 1)));
    // Claimed again, it is given another password.
    customer.run(&mut given, claim(0, gxp(1, 2)));
    assert_eq!(told(&given, 0), Some((mac(1), 1, Some(2), 2)));
    // One phone an ID, one phone a port.
    let taken = Refusal::PhoneTaken {
        mac: mac(1),
        extension: extension(201),
    };
    assert_eq!(customer.refusal(&given, claim(1, gxp(1, 3))), taken);
    let taken = Refusal::PowerPortTaken {
        port: 2,
        extension: extension(201),
    };
    assert_eq!(customer.refusal(&given, claim(1, gxp(2, 2))), taken);
    customer.run(&mut given, claim(1, gxp(2, 0)));
    // Released, and what comes next is another claim.
    customer.run(&mut given, Command::Release(key(0)));
    assert_eq!(told(&given, 0), None);
    customer.run(&mut given, claim(0, gxp(1, 0)));
    assert_eq!(told(&given, 0), Some((mac(1), 1, None, 4)));
    // The site has another box.
    customer.run(&mut given, Command::ClaimSite(SITE));
    assert_eq!(
        (told(&given, 0), told(&given, 1)),
        (Some((mac(1), 1, None, 5)), Some((mac(2), 1, None, 6)))
    );
    customer.run(&mut given, Command::ClaimSite(SiteId(2)));
    assert_eq!(customer.rule(&given, Command::ClaimSite(SiteId(3))), "site");
    assert_eq!(given.claims, 6);
}

#[test]
fn an_adapter_has_two_lines() {
    let customer = World::customer();
    let mut given = given();
    let line = |id, line, port| Command::Claim(key(id), phone(1, PhoneModel::Ht802, line, port));
    customer.run(&mut given, line(2, 1, 4));
    for other in [line(3, 1, 4), line(3, 2, 3), line(3, 2, 0)] {
        assert_eq!(customer.rule(&given, other.clone()), "R5", "{other:?}");
    }
    customer.run(&mut given, line(3, 2, 4));
    // One line goes to another site: the adapter stays where it is.
    let change = IdChange {
        site: Some(SiteId(2)),
        ..IdChange::default()
    };
    customer.run(&mut given, Command::ChangeId(key(3), change));
    assert_eq!(
        (told(&given, 2), told(&given, 3)),
        (Some((mac(1), 1, Some(4), 1)), None)
    );
}

#[test]
fn what_a_phone_knows_is_void_when_its_id_changes() {
    let operator = World::default();
    let mut given = given();
    operator.run(&mut given, Command::Claim(key(1), gxp(1, 2)));
    let change = |change: IdChange| Command::ChangeId(key(1), change);
    let claim = |given: &Contract| given.id(key(1)).unwrap().claim;
    // A name is nothing of a phone's; the box tells it.
    operator.run(
        &mut given,
        change(IdChange {
            label: Some("窓口".into()),
            ..IdChange::default()
        }),
    );
    assert_eq!(claim(&given), 1);
    // R10: another user name.
    operator.run(
        &mut given,
        change(IdChange {
            direct: Some(number("0312349999")),
            ..IdChange::default()
        }),
    );
    assert_eq!(claim(&given), 2);
    operator.run(&mut given, Command::NewPassword(key(1)));
    assert_eq!(claim(&given), 3);
    // Another box, which has other ports.
    operator.run(
        &mut given,
        change(IdChange {
            site: Some(SiteId(2)),
            ..IdChange::default()
        }),
    );
    assert_eq!(told(&given, 1), Some((mac(1), 1, None, 4)));
    // An ID without a phone counts nothing.
    operator.run(&mut given, Command::NewPassword(key(0)));
    assert_eq!(given.id(key(0)).unwrap().claim, 0);
}

#[test]
fn a_device_that_is_set_up_is_claimed() {
    let operator = World::default();
    let mut given = given();
    let order = |model, ports| {
        Command::OrderDevice(NewDevice {
            model,
            acquisition: Acquisition::Rental,
            site: SITE,
            ports,
            interface: Interface::Analog,
            own_power: true,
        })
    };
    operator.run(&mut given, order(Model::Ht802, vec![None, Some(key(2))]));
    assert_eq!(told(&given, 2), None, "nobody knows which");
    // Until it is, it is the ID's, and no other phone is.
    let other = Command::Claim(key(2), phone(9, PhoneModel::Ht801, 1, 0));
    assert_eq!(operator.rule(&given, other), "R5");
    operator.run(&mut given, Command::ConfigureDevice(DeviceId(1), mac(1)));
    assert_eq!(told(&given, 2), Some((mac(1), 2, None, 1)));
    // Its port is told; its other line goes with it.
    operator.run(
        &mut given,
        Command::Claim(key(2), phone(1, PhoneModel::Ht802, 2, 3)),
    );
    operator.run(&mut given, Command::Bind(DeviceId(1), 0, Some(key(3))));
    assert_eq!(told(&given, 3), Some((mac(1), 1, Some(3), 3)));
    assert_eq!(told(&given, 2), Some((mac(1), 2, Some(3), 2)));
    // The device of one ID is no other's phone.
    operator.run(&mut given, Command::Bind(DeviceId(1), 0, None));
    assert_eq!(told(&given, 3), None);
    let stolen = Command::Claim(key(3), phone(1, PhoneModel::Ht802, 1, 3));
    assert_eq!(operator.refusal(&given, stolen), Refusal::MacTaken(mac(1)));
    operator.run(&mut given, Command::ReturnDevice(DeviceId(1)));
    assert_eq!(told(&given, 2), None);
    // An ID with a phone of its own needs no device, nor a port for a telephone.
    operator.run(
        &mut given,
        Command::Claim(key(2), phone(2, PhoneModel::Ht801, 1, 0)),
    );
    assert_eq!(
        operator.rule(&given, order(Model::Ht801, vec![Some(key(2))])),
        "R5"
    );
    let port = shared::analog::Port {
        number: 1,
        number_display: false,
        fax: false,
    };
    assert_eq!(operator.rule(&given, Command::Plug(key(2), Some(port))), "R5");
    operator.run(&mut given, Command::Release(key(2)));
    operator.run(&mut given, Command::Plug(key(2), Some(port)));
    let claim = Command::Claim(key(2), phone(2, PhoneModel::Ht801, 1, 0));
    assert_eq!(operator.rule(&given, claim), "R5");
}

#[test]
fn the_network_of_a_site() {
    let customer = World::customer();
    let mut given = given();
    let network = |vlan, dhcp| Network {
        voice: Some(Voice {
            vlan,
            address: [192, 168, 20, 1].into(),
            prefix: 24,
        }),
        dhcp,
    };
    let set = |site, network| Command::SetNetwork(SiteId(site), network);
    assert_eq!(customer.rule(&given, set(3, network(20, Dhcp::Auto))), "site");
    assert_eq!(
        customer.rule(&given, set(1, network(4095, Dhcp::Auto))),
        "network"
    );
    // Of the other site's box it is no business.
    let effects = customer.run(&mut given, set(1, network(20, Dhcp::Never)));
    assert_eq!(effects, [Effect::SiteChanged(SITE)]);
    let sys = |site| given.configuration(site, "pbx.example", &[]).unwrap().sys;
    assert_eq!(
        (sys(SITE).voice.map(|voice| voice.vlan), sys(SITE).dhcp),
        (Some(20), Dhcp::Never)
    );
    assert_eq!((sys(SiteId(2)).voice, sys(SiteId(2)).dhcp), (None, Dhcp::Auto));
}
