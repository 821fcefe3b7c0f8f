//! Phones that configure themselves, from power at the port to a call: every model by every way, and those that are refused.

use deskphones::model::{Discovery, GXP1628, HT801, KX_HDV230N, Model, Vendor};
use deskphones::rng::Rng;
use deskphones::{Mac, Phone};
use system_tests::desks::{self, BOX_IP, Desks, UPLINK};
use system_tests::network::{Millis, NodeId};
use system_tests::office;
use system_tests::world::Fault;

const MODELS: [&Model; 3] = [&GXP1628, &KX_HDV230N, &HT801];
/// From power to a registration, at most.
const LIMIT: Millis = 90_000;

fn phone(model: &'static Model, mac: Mac) -> Phone {
    Phone::new(model, mac, Rng::new(u64::from(mac.0[5]) + 1))
}

/// An office with four IDs, of which the first `claimed` have a phone of this model; the box is ready.
fn office(model: &Model, claimed: u16) -> Desks {
    let mut site = office::site(4, 4);
    for index in 0..claimed {
        desks::claim(&mut site, index, model, desks::mac(model, index), None, 1);
    }
    let mut desks = Desks::new(1, site);
    desks.world.run(5_000);
    desks
}

/// Plugs in the phone of an ID; HT801 has an adaptor.
fn plug(desks: &mut Desks, model: &'static Model, index: u16, port: u8) -> NodeId {
    let at = desks.world.now();
    let phone = phone(model, desks::mac(model, index));
    desks.plug(at, phone, port, model.power.is_some())
}

/// Tells phones of this model by this way where the box is.
fn tell(desks: &mut Desks, node: NodeId, how: Discovery) {
    let url = format!("http://{BOX_IP}/");
    match how {
        // The box answers by itself.
        Discovery::Pnp => {}
        Discovery::Manual => {
            let phone = desks.phone(node);
            match phone.model.vendor {
                Vendor::Grandstream => {
                    phone.set("P212", "1");
                    phone.set("P237", &BOX_IP.to_string());
                }
                Vendor::Panasonic => phone.set("CFG_STANDARD_FILE_PATH", &format!("{url}Config{{MAC}}.cfg")),
            }
        }
        Discovery::Option43 => {
            let option = [&[1, url.len() as u8], url.as_bytes()].concat();
            desks.router().options.insert(43, option);
        }
        Discovery::Option66 => drop(desks.router().options.insert(66, url.into())),
        Discovery::Option159 => drop(desks.router().options.insert(159, url.into())),
        Discovery::Option160 => drop(desks.router().options.insert(160, url.into())),
    }
}

/// Lets the phone start and says when it was registered, counted from its power.
#[track_caller]
fn boot(desks: &mut Desks, node: NodeId) -> Millis {
    let until = desks.world.now() + LIMIT + 5_000;
    desks.world.run(until);
    let progress = desks.progress(node);
    let phone = desks.phone(node);
    assert!(phone.problems.is_empty(), "{:#?}", phone.problems);
    let (Some(powered), Some(registered)) = (progress.powered, progress.registered) else {
        panic!("{} {progress:?} {:#?}", phone.model.name, phone.fetched);
    };
    registered - powered
}

#[test]
fn with_no_dhcp_option_set() {
    for model in MODELS {
        let mut desks = office(model, 1);
        let node = plug(&mut desks, model, 0, 0);
        let took = boot(&mut desks, node);
        assert!(took <= LIMIT, "{} {took}", model.name);
        assert_eq!(desks.phone(node).found_by(), Some(Discovery::Pnp));
    }
}

#[test]
fn by_each_way_alone() {
    for model in MODELS {
        for &how in model.looks {
            let mut desks = office(model, 1);
            let node = plug(&mut desks, model, 0, 1);
            desks.phone(node).looks = vec![how];
            tell(&mut desks, node, how);
            let took = boot(&mut desks, node);
            assert!(took <= LIMIT, "{} {how:?} {took}", model.name);
        }
    }
}

/// The router is gone: the box gives the addresses, and tells by every option that it knows where it is.
#[test]
fn with_addresses_from_the_box() {
    // The layout of option 43 is the vendor's secret: the box does not give it.
    let told = |how: &Discovery| !matches!(how, Discovery::Manual | Discovery::Option43);
    for model in MODELS {
        for how in model.looks.iter().copied().filter(told) {
            let mut site = office::site(4, 4);
            desks::claim(&mut site, 0, model, desks::mac(model, 0), None, 1);
            let mut desks = Desks::new(1, site);
            desks.world.plan(0, Fault::Off(desks::ROUTER));
            desks.world.run(20_000);
            let node = plug(&mut desks, model, 0, 0);
            desks.phone(node).looks = vec![how];
            let took = boot(&mut desks, node);
            assert!(took <= LIMIT, "{} {how:?} {took}", model.name);
        }
    }
}

#[test]
fn by_tftp_too() {
    for model in MODELS {
        let mut desks = office(model, 1);
        let node = plug(&mut desks, model, 0, 0);
        desks.phone(node).looks = vec![Discovery::Option66];
        desks.router().options.insert(66, BOX_IP.to_string().into());
        boot(&mut desks, node);
        assert!(
            desks
                .phone(node)
                .fetched
                .iter()
                .any(|(url, _)| url.starts_with("tftp:"))
        );
    }
}

#[test]
fn it_calls_and_is_called_and_its_lamps_are_lit() {
    for model in [&GXP1628, &KX_HDV230N] {
        let mut desks = office(model, 2);
        let nodes = [0, 1].map(|index| plug(&mut desks, model, index, index as u8));
        for node in nodes {
            boot(&mut desks, node);
        }
        let now = desks.world.now();
        desks
            .phone(nodes[1])
            .set_manner(deskphones::agent::Incoming::Answer(2_000, 60_000));
        desks
            .phone(nodes[0])
            .call(now, &office::extension(1), 30_000, 5_000);
        desks.world.run(now + 4_000);
        let agent = desks.phone(nodes[1]).agent(0).expect("a line");
        assert_eq!(agent.log().len(), 1);
        assert!(agent.log()[0].answered.is_some(), "{:?}", agent.log());
        desks.world.run(now + 20_000);
        for node in nodes {
            let agent = desks.phone(node).agent(0).expect("a line");
            assert!(agent.problems().is_empty(), "{:?}", agent.problems());
            assert_eq!(agent.busy(), 0);
        }
        // Every lamp that the configuration asks for stands.
        let now = desks.world.now();
        let wanted = desks.phone(nodes[0]).settings().keys.len();
        let agent = desks.phone(nodes[0]).agent(0).expect("a line");
        let lamps: Vec<_> = agent
            .lamps(now)
            .map(|(user, stands, _)| (user.to_owned(), stands))
            .collect();
        assert!(lamps.iter().all(|(_, stands)| *stands), "{lamps:?}");
        assert!(wanted >= lamps.len());
    }
}

#[test]
fn after_a_loss_of_power_it_is_back_with_the_password_it_has() {
    for model in MODELS {
        let mut desks = office(model, 1);
        let node = plug(&mut desks, model, 0, 0);
        boot(&mut desks, node);
        let before = desks.phone(node).store.clone();
        let now = desks.world.now();
        desks.phone(node).power(now, false);
        desks.world.run(now + 10_000);
        desks.phone(node).power(now + 10_000, true);
        boot(&mut desks, node);
        assert_eq!(desks.phone(node).store, before, "{}", model.name);
    }
}

#[test]
fn a_stolen_address_at_another_port_gets_no_password() {
    for model in MODELS {
        let mut desks = office(model, 1);
        let node = plug(&mut desks, model, 0, 0);
        boot(&mut desks, node);
        let secrets = |phone: &Phone| {
            let names = ["P34", "SIP_PASS_1"];
            names
                .iter()
                .filter_map(|name| phone.store.get(*name))
                .filter(|value| !value.is_empty())
                .count()
        };
        assert_eq!(secrets(desks.phone(node)), 1);
        // The owner is unplugged; the thief has its address.
        let now = desks.world.now();
        desks.phone(node).power(now, false);
        let thief = plug(&mut desks, model, 0, 1);
        desks.world.run(now + 2 * LIMIT);
        assert!(!desks.is_registered(thief));
        assert_eq!(
            secrets(desks.phone(thief)),
            0,
            "{:#?}",
            desks.phone(thief).fetched
        );
    }
}

#[test]
fn a_stolen_password_at_another_port_does_not_register() {
    for model in MODELS {
        let mut desks = office(model, 1);
        let owner = plug(&mut desks, model, 0, 0);
        boot(&mut desks, owner);
        let stolen = desks.phone(owner).store.clone();
        let now = desks.world.now();
        let mut thief = phone(model, desks::mac(model, 9));
        thief.store = stolen;
        thief.looks.clear();
        let thief = desks.plug(now, thief, 1, model.power.is_some());
        desks.world.run(now + LIMIT);
        assert!(desks.progress(thief).configured.is_some());
        assert!(!desks.is_registered(thief), "{}", model.name);
        assert!(desks.is_registered(owner));
    }
}

/// Set up at the office's switch, and plugged into a port of the box later: the phone moves with what it keeps, and nobody without.
#[test]
fn a_phone_moves_from_the_office_to_a_port() {
    for model in [&GXP1628, &KX_HDV230N] {
        let mut desks = office(model, 1);
        let now = desks.world.now();
        let bench = desks.plug(now, phone(model, desks::mac(model, 0)), UPLINK, false);
        boot(&mut desks, bench);
        let kept = desks.phone(bench).store.clone();
        let now = desks.world.now();
        desks.world.plan(now, Fault::Off(bench));
        let thief = plug(&mut desks, model, 0, 0);
        desks.world.run(now + LIMIT);
        assert!(!desks.is_registered(thief), "{}", model.name);
        let now = desks.world.now();
        desks.world.plan(now, Fault::Off(thief));
        let mut moved = phone(model, desks::mac(model, 0));
        moved.store = kept;
        let moved = desks.plug(now, moved, 1, true);
        let took = boot(&mut desks, moved);
        assert!(took <= LIMIT, "{} {took}", model.name);
    }
}

#[test]
fn an_unknown_phone_waits_until_it_is_claimed() {
    for model in MODELS {
        let mut desks = office(model, 0);
        let node = plug(&mut desks, model, 0, 0);
        let until = desks.world.now() + LIMIT;
        desks.world.run(until);
        assert!(!desks.is_registered(node));
        desks::claim(&mut desks.site, 0, model, desks::mac(model, 0), None, 1);
        desks.configure();
        // It has no account, and hears no NOTIFY: one that the box feeds is switched off and on after three of them; one with an adaptor
        // of its own asks within the hour.
        let wait = match model.power {
            Some(_) => 60_000,
            None => 3_600_000,
        };
        let until = desks.world.now() + wait;
        desks.world.run(until);
        boot(&mut desks, node);
    }
}

#[test]
fn a_change_reaches_the_phone() {
    for model in [&GXP1628, &KX_HDV230N] {
        let mut desks = office(model, 1);
        let node = plug(&mut desks, model, 0, 0);
        boot(&mut desks, node);
        let before = desks.phone(node).fetched.len();
        desks.site.ids[0].label = "Reception".try_into().expect("short");
        desks.configure();
        let until = desks.world.now() + 60_000;
        desks.world.run(until);
        let phone = desks.phone(node);
        assert!(phone.fetched.len() > before, "{}", model.name);
        let display = phone
            .settings()
            .accounts
            .first()
            .map(|account| account.display.clone());
        assert_eq!(display.as_deref(), Some("Reception"), "{}", model.name);
        assert!(desks.is_registered(node));
    }
}

#[test]
fn sixty_four_phones_at_once() {
    let mut site = office::site(64, 64);
    let model = |index: u16| {
        if index.is_multiple_of(2) {
            &GXP1628
        } else {
            &KX_HDV230N
        }
    };
    for index in 0..64 {
        desks::claim(
            &mut site,
            index,
            model(index),
            desks::mac(model(index), index),
            None,
            1,
        );
    }
    let mut desks = Desks::new(1, site);
    desks.world.run(5_000);
    let start = desks.world.now();
    let mut chance = desks.chance();
    let mut nodes = Vec::new();
    for index in 0..64 {
        // One at each port of the box, the others at the office's own switch, which feeds all of them at once.
        let (port, fed) = if index < 4 {
            (index as u8, true)
        } else {
            (UPLINK, false)
        };
        let mut phone = phone(model(index), desks::mac(model(index), index));
        phone.looks.retain(|how| *how != Discovery::Manual);
        // No two start alike. To the very millisecond they would repeat their SYNs together, and some give up.
        phone.boot += chance.range(0, 200);
        nodes.push(desks.plug(start, phone, port, fed));
    }
    desks.world.run(start + 10 * LIMIT);
    let progress: Vec<_> = nodes.iter().map(|node| desks.progress(*node)).collect();
    for node in &nodes {
        let phone = desks.phone(*node);
        assert!(phone.problems.is_empty(), "{:#?}", phone.problems);
    }
    let last = progress
        .iter()
        .map(|p| p.registered.expect("registered") - start)
        .max();
    let last = last.expect("there are phones") as f64 / 1_000.0;
    // The harness has written its dot on this line.
    println!("\nfigure hub.fetch_storm.s {last:.1} s");
}

/// What a phone waits for the box, from the moment it is plugged in: to be fed, and for every answer.
#[test]
fn the_box_adds_little() {
    let mut most = 0;
    for model in MODELS {
        let mut desks = office(model, 1);
        let plugged = desks.world.now();
        let node = plug(&mut desks, model, 0, 0);
        boot(&mut desks, node);
        let progress = desks.progress(node);
        let fed = progress.powered.expect("fed") - plugged;
        most = most.max(fed + progress.waited);
    }
    assert!(most <= 10_000, "{most}");
    println!("\nfigure hub.power_on_to_registered.box_ms {most} ms");
}
