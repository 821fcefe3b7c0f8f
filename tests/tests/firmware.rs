//! Firmware of phones, from the operator to the phones that report it.

use deskphones::firmware;
use deskphones::model::{GXP1628, HT801, KX_HDV230N, Model};
use deskphones::rng::Rng;
use deskphones::{Mac, Phone};
use sha2::{Digest, Sha256};
use shared::hub::{PhoneFirmware, PhoneModel};
use shared::sync::EventBody;
use system_tests::desks::{self, BOX, Desks, UPLINK, known_as};
use system_tests::network::{Cut, Millis, NodeId, Place};
use system_tests::office;
use system_tests::world::Fault;

/// The model, the name and version of its next firmware, its length.
const NEXT: [(&Model, &str, &str, usize); 3] = [
    (&GXP1628, "gxp1600fw.bin", "1.0.7.76", 200_000),
    (&KX_HDV230N, "KX-HDV230N-07.002.fw", "07.002", 150_001),
    (&HT801, "ht801fw.bin", "1.0.63.3", 70_000),
];

fn phone(model: &'static Model, mac: Mac) -> Phone {
    Phone::new(model, mac, Rng::new(u64::from(mac.0[5]) + 1))
}

/// Two phones of each model, registered, the first at a port with power where it has one.
fn office() -> (Desks, Vec<NodeId>) {
    let mut site = office::site(6, 6);
    let mut phones = Vec::new();
    for (index, (model, ..)) in (0..).zip(NEXT.iter().flat_map(|next| [next, next])) {
        let mac = desks::mac(model, index);
        desks::claim(&mut site, index, model, mac, None, 1);
        phones.push((*model, mac));
    }
    let mut desks = Desks::new(1, site);
    desks.world.run(5_000);
    let at = desks.world.now();
    let mut port = 0;
    let nodes = phones.into_iter().enumerate().map(|(index, (model, mac))| {
        let is_fed = index % 2 == 0 && model.power.is_some();
        port += u8::from(is_fed);
        let port = if is_fed { port - 1 } else { UPLINK };
        desks.plug(at, phone(model, mac), port, is_fed)
    });
    let nodes: Vec<_> = nodes.collect();
    until(&mut desks, 200_000, |desks| {
        nodes.iter().all(|node| desks.is_registered(*node))
    });
    (desks, nodes)
}

/// The time passes until this is so, which must be within `limit` milliseconds.
#[track_caller]
fn until(desks: &mut Desks, limit: Millis, is_so: impl Fn(&mut Desks) -> bool) {
    let end = desks.world.now() + limit;
    while !is_so(desks) {
        let now = desks.world.now();
        assert!(now < end, "not within {limit} ms");
        desks.world.run(now + 500);
    }
}

/// The operator has these files, and sets them for the site.
fn set(desks: &mut Desks, files: &[(&Model, &str, &str, usize)]) {
    for (model, name, version, length) in files {
        let bytes = firmware::file(model, version, *length, &mut Rng::new(*length as u64));
        desks.cloud().database().keep_file(&bytes);
        let firmware = PhoneFirmware {
            model: known_as(model),
            name: (*name).try_into().unwrap(),
            version: (*version).try_into().unwrap(),
            size: bytes.len() as u32,
            hash: Sha256::digest(&bytes).into(),
        };
        desks
            .site
            .sys
            .firmware
            .retain(|other| other.model != firmware.model);
        desks.site.sys.firmware.push(firmware).unwrap();
    }
    desks.configure();
}

/// Whose firmware is in the box, as the cloud knows it, in the order it was told.
fn told(desks: &mut Desks) -> Vec<PhoneModel> {
    let is = |event| match event {
        EventBody::PhoneFirmware { model, .. } => Some(model),
        _ => None,
    };
    desks.events().into_iter().filter_map(is).collect()
}

/// Every phone runs what is set for it, once, and is registered.
fn run_it(desks: &mut Desks, nodes: &[NodeId]) -> bool {
    nodes
        .iter()
        .zip(NEXT.iter().flat_map(|next| [next, next]))
        .all(|(node, (_, _, version, _))| {
            let is_registered = desks.is_registered(*node);
            let phone = desks.phone(*node);
            is_registered && phone.model.firmware == *version && phone.upgrades == 1
        })
}

#[test]
fn phones_run_what_the_operator_sets_though_line_and_power_are_cut() {
    let (mut desks, nodes) = office();
    set(&mut desks, &NEXT);
    // In the midst of the first file the line is cut for a minute, in that of the second the box's power for a moment.
    let begins = desks.world.now();
    for (at, fault) in [
        (2_000, Fault::Cut(Place::Office, Place::Cloud, Cut::Silent)),
        (62_000, Fault::Join(Place::Office, Place::Cloud)),
        (72_000, Fault::Off(BOX)),
        (73_000, Fault::On(BOX)),
        (76_000, Fault::Cut(Place::Office, Place::Cloud, Cut::Reset)),
        (90_000, Fault::Join(Place::Office, Place::Cloud)),
    ] {
        desks.world.plan(begins + at, fault);
    }
    desks.world.run(begins + 60_000);
    assert_eq!(told(&mut desks), []);
    until(&mut desks, 900_000, |desks| run_it(desks, &nodes));
    assert_eq!(
        told(&mut desks),
        [PhoneModel::Gxp1628, PhoneModel::KxHdv230n, PhoneModel::Ht801]
    );
    // Whoever was told again found that it has it; nobody is at it for ever.
    let now = desks.world.now();
    desks.world.run(now + 600_000);
    assert!(run_it(&mut desks, &nodes));
    for node in &nodes {
        let phone = desks.phone(*node);
        assert!(phone.problems.is_empty(), "{:#?}", phone.problems);
    }
    // By LLDP too, where the box hears it.
    let hub = desks.cloud().database().hub(office::BOX).unwrap();
    let neighbours = hub.ports.iter().filter_map(|port| port.neighbour.as_ref());
    let firmware: Vec<_> = neighbours.map(|neighbour| neighbour.firmware.as_str()).collect();
    assert_eq!(firmware, ["1.0.7.76", "07.002"]);
}

#[test]
fn a_box_serves_what_it_has_while_the_line_is_away() {
    let (mut desks, nodes) = office();
    set(&mut desks, &NEXT[..1]);
    until(&mut desks, 300_000, |desks| told(desks) == [PhoneModel::Gxp1628]);
    let now = desks.world.now();
    desks
        .world
        .plan(now, Fault::Cut(Place::Office, Place::Cloud, Cut::Silent));
    desks.world.plan(now, Fault::Off(BOX));
    desks.world.plan(now + 2_000, Fault::On(BOX));
    // A phone that comes back runs it, with nobody but the box to ask.
    desks.world.plan(now + 20_000, Fault::Off(nodes[1]));
    desks.world.plan(now + 22_000, Fault::On(nodes[1]));
    until(&mut desks, 600_000, |desks| {
        desks.is_registered(nodes[1]) && desks.phone(nodes[1]).model.firmware == NEXT[0].2
    });
}

#[test]
fn another_model_takes_no_notice() {
    let (mut desks, nodes) = office();
    let fetched = |desks: &mut Desks| {
        nodes
            .iter()
            .map(|node| desks.phone(*node).fetched.len())
            .collect::<Vec<_>>()
    };
    let before = fetched(&mut desks);
    set(&mut desks, &NEXT[2..]);
    until(&mut desks, 600_000, |desks| {
        nodes[4..].iter().all(|node| desks.phone(*node).upgrades == 1)
    });
    let after = fetched(&mut desks);
    assert_eq!(after[..4], before[..4]);
}
