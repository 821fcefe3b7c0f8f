//! The hub of a box: what it tells of its ports, what it is told, and the passwords it makes for phones.

mod operator;
mod world;

use cloud::control;
use cloud::db::{Db, HubRow};
use contract::Command;
use contract::device::Phone;
use operator::{columns, command, json, program, refused};
use serde_json::Value;
use shared::hub::{FetchOutcome, FetchRefusal, FileKind, Link, Mac, PhoneModel, PortPower, PowerFault};
use shared::id::{IdKey, IdSet, SiteId};
use shared::record::Stamp;
use shared::site::Credential;
use shared::sync::{
    Alarm, Down, Event, EventBody, EventId, HubOrder, HubReport, Message as _, Neighbour, Occupant,
    PhoneFetch, PhoneSecret, PortReport, PowerOrder, Up, Waiting,
};
use world::{ScriptedBox, World, order};

const MAC: Mac = Mac([0, 0x0b, 0x82, 0, 0, 1]);
const OTHER: Mac = Mac([8, 0, 0x23, 0, 0, 2]);

fn key(index: u16) -> IdKey {
    IdKey::new(index).unwrap()
}

fn claim(of: u16, mac: Mac) -> Command {
    let phone = Phone {
        mac,
        model: PhoneModel::Gxp1628,
        line: 1,
        port: None,
    };
    Command::Claim(key(of), phone)
}

fn event(seq: u32, body: EventBody) -> Event {
    Event {
        id: EventId { boot: 1, seq },
        at: Stamp::default(),
        body,
    }
}

fn secret(of: u16, claim: u16, serial: u32, fill: u8) -> EventBody {
    EventBody::PhoneSecret(PhoneSecret {
        key: key(of),
        claim,
        serial,
        ha1_md5: [fill; 16],
        ha1_sha256: [fill; 32],
    })
}

fn report() -> HubReport {
    let idle = PortReport {
        link: Link::Down,
        power: PortPower::Searching,
        class: None,
        draw: 0,
        granted: 0,
        neighbour: None,
        occupant: Occupant::Nobody,
    };
    let text = |text: &str| text.try_into().unwrap();
    let fed = PortReport {
        link: Link::Mbps100,
        power: PortPower::On,
        class: Some(2),
        draw: 23,
        granted: 70,
        neighbour: Some(Neighbour {
            model: text("GXP1628"),
            firmware: text("1.0.7.13"),
        }),
        occupant: Occupant::Phone(MAC, IdSet::one(key(0))),
    };
    let stranger = PortReport {
        occupant: Occupant::Quarantined(OTHER),
        neighbour: None,
        ..fed.clone()
    };
    let denied = PortReport {
        power: PortPower::Fault(PowerFault::Budget),
        class: Some(4),
        ..idle.clone()
    };
    let waiting = Waiting {
        mac: OTHER,
        model: Some(PhoneModel::KxHdv230n),
        port: Some(2),
    };
    HubReport {
        at: Stamp::default(),
        uplink: Some(Link::Mbps1000),
        budget: 600,
        ports: [fed, stranger, denied, idle].into_iter().collect(),
        waiting: [waiting].into_iter().collect(),
        unlisted: 2,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_shown_and_told() {
    let world = World::new().await;
    let running = world.serve(None).await;
    let id = world.factory.box_id.to_string();
    order(&world.db, world.contract, claim(0, MAC)).await.unwrap();
    let show = ["box", "show", &id];

    // A box that is away is told nothing, and shown as it was.
    let (done, text) = program(&world.db, &["box", "port", &id, "2", "cycle"]).await;
    assert!(!done && text.starts_with("server: box "), "{text}");
    let (done, text) = program(&world.db, &show).await;
    assert!(done && text.contains("offline  no report yet"), "{text}");

    // Nor one of which the server does not know that it is there, having started after it: what is refused is not done.
    let mut script = ScriptedBox::connect(running.mqtt.unwrap(), &world.factory).await;
    for args in [
        vec!["box", "port", &id, "2", "cycle"],
        vec!["box", "test-line", "--box", &id, "--port", "2"],
        vec!["phone", "sync", "0312340001"],
    ] {
        let (done, text) = program(&world.db, &args).await;
        assert!(!done && text.contains("is not connected"), "{args:?}: {text}");
    }
    script.hello(0, [0; 32]).await;
    script.app_ack().await;
    for leaf in [Down::Hub, Down::TestLine] {
        assert_eq!(script.got(leaf), None, "{leaf:?}");
    }
    script
        .events(&[event(
            1,
            EventBody::Registration {
                terminal: key(0),
                registered: true,
            },
        )])
        .await;
    script.app_ack().await;

    // Asked, it says what is there now.
    let (shown, ()) = tokio::join!(program(&world.db, &show), async {
        let asked = script.next(Down::Hub).await;
        assert_eq!(HubOrder::decode(&asked), Ok(HubOrder::Report));
        script.say(Up::Hub, &report()).await;
    });
    let text = shown.1;
    let lines: Vec<_> = text.lines().map(columns).collect();
    assert_eq!(
        lines[0][..3],
        [&format!("box {id}")[..], "site 1", "online"],
        "{text}"
    );
    assert_eq!(lines[1], ["uplink 1000 Mbit/s"]);
    assert_eq!(lines[2], ["power 4.6 W of 60.0 W"]);
    assert_eq!(
        lines[4],
        [
            "1",
            "100 Mbit/s",
            "on",
            "2",
            "2.3 W",
            "7.0 W",
            "GXP1628 1.0.7.13",
            "00:0b:82:00:00:01",
            "0312340001 (201)",
            "yes"
        ]
    );
    assert_eq!(
        lines[5],
        [
            "2",
            "100 Mbit/s",
            "on",
            "2",
            "2.3 W",
            "7.0 W",
            "-",
            "08:00:23:00:00:02 (quarantine)",
            "-",
            "-"
        ]
    );
    assert_eq!(lines[6], ["3", "-", "budget", "4", "-", "-", "-", "-", "-", "-"]);
    assert_eq!(
        lines[7],
        ["4", "-", "searching", "-", "-", "-", "-", "-", "-", "-"]
    );
    assert_eq!(lines[8], ["waits for a claim", "model", "port"]);
    assert_eq!(lines[9], ["08:00:23:00:00:02", "Panasonic KX-HDV230N", "2"]);
    assert_eq!(lines[10], ["and 2 more"]);

    // The same for machines.
    let json_args = ["box", "show", &id, "--json"];
    let (shown, ()) = tokio::join!(program(&world.db, &json_args), async {
        script.next(Down::Hub).await;
        script.say(Up::Hub, &report()).await;
    });
    let value: Value = serde_json::from_str(&shown.1).unwrap();
    assert_eq!(
        (&value["online"], &value["uplink"], &value["ports"][0]["draw_w"]),
        (&true.into(), &1000.into(), &2.3.into())
    );
    assert_eq!(value["ports"][0]["ids"][0]["number"], "0312340001");
    assert_eq!(value["ports"][1]["quarantined"], true);
    assert_eq!(value["ports"][2]["power"], "budget");
    assert_eq!(value["waiting"][0]["mac"], "08:00:23:00:00:02");

    // An order that is carried out; one that is not, because a call is going on there; and what a box says that it said before.
    for (at, order, state, is_done) in [
        (3, PowerOrder::Off, PortPower::Off, true),
        (3, PowerOrder::Cycle, PortPower::Waiting, true),
        (0, PowerOrder::Cycle, PortPower::On, false),
    ] {
        let port = (at + 1).to_string();
        let name = match order {
            PowerOrder::Off => "off",
            _ => "cycle",
        };
        let args = ["box", "port", &id, &port, name];
        let (told, ()) = tokio::join!(program(&world.db, &args), async {
            let expected = HubOrder::Power {
                port: port.parse().unwrap(),
                order,
                force: false,
            };
            for expected in [expected, HubOrder::Report] {
                assert_eq!(HubOrder::decode(&script.next(Down::Hub).await), Ok(expected));
            }
            for power in [PortPower::On, state] {
                let mut hub = report();
                hub.ports[at].power = power;
                script.say(Up::Hub, &hub).await;
            }
        });
        assert_eq!(told.0, is_done, "{args:?}: {}", told.1);
        assert!(is_done || told.1.contains("in a call"), "{}", told.1);
    }

    // Orders about which nothing more is asked.
    for (args, expected) in [
        (
            vec!["box", "port", &id, "4", "off", "--force"],
            HubOrder::Power {
                port: 4,
                order: PowerOrder::Off,
                force: true,
            },
        ),
        (
            vec!["phone", "sync", "0312340001"],
            HubOrder::CheckSync(Some(key(0))),
        ),
    ] {
        let (done, text) = program(&world.db, &args).await;
        assert!(done, "{args:?}: {text}");
        assert_eq!(HubOrder::decode(&script.next(Down::Hub).await), Ok(expected));
    }
    let (done, text) = program(&world.db, &["phone", "sync", "0312340002"]).await;
    assert!(!done && text.starts_with("R33: "), "{text}");
    let (done, _) = program(&world.db, &["box", "port", &id, "5", "on"]).await;
    assert!(!done, "there are four ports");

    // What cannot be read is not kept.
    let topic = shared::sync::Topic::Up(world.factory.box_id, Up::Hub).name();
    script.publish(&topic, &[1, 2, 3]).await;
    script.hello(0, [0; 32]).await;
    script.app_ack().await;
    assert_eq!(world.db.hub(world.factory.box_id).await.unwrap().ports.len(), 4);
    running.stop().await;
    let (_, text) = program(&world.db, &show).await;
    assert!(text.contains("no server  as of "), "{text}");
    // Its box goes, and with it what it told.
    let db = Db::open(world.dir.path()).await.unwrap();
    db.remove_box(world.factory.box_id).await.unwrap();
    let (done, text) = program(&world.db, &show).await;
    assert!(!done && text.starts_with("box: there is no box"), "{text}");
}

/// The credential of an ID as the box's configuration has it.
async fn credential(db: &Db, of: u16) -> Credential {
    let site = db.site(SiteId(1)).await.unwrap();
    site.credential(key(of)).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_a_box_becomes_the_ids() {
    let world = World::new().await;
    let (db, one) = (&world.db, world.contract);
    let running = world.serve(None).await;
    let mut script = ScriptedBox::connect(running.mqtt.unwrap(), &world.factory).await;
    script.hello(0, [0; 32]).await;
    let first = script.manifest().await;
    let before = credential(db, 0).await;
    let mut seq = 0;
    let mut tell = async |script: &mut ScriptedBox, body: EventBody| {
        seq += 1;
        script.events(&[event(seq, body)]).await;
        script.app_ack_up_to(EventId { boot: 1, seq }).await;
    };

    // Nobody claimed a phone for the ID: the box has nothing to give.
    tell(&mut script, secret(0, 0, 1, 0xA0)).await;
    assert_eq!(credential(db, 0).await, before);
    order(db, one, claim(0, MAC)).await.unwrap();
    control::ring(db).await;
    let claimed = script.manifest().await;
    assert_eq!(claimed.epoch, first.epoch + 1);
    let site = script.pull_site(&claimed).await;
    assert_eq!(
        site.ids[0].phone.map(|phone| (phone.mac, phone.claim)),
        Some((MAC, 1))
    );
    assert_eq!(
        site.credential(key(0)),
        Some(&before),
        "what it had stays until it fetches"
    );

    // It does: the box is offered what it knows already, and so would another be.
    tell(&mut script, secret(0, 1, 1, 0xA1)).await;
    let next = script.manifest().await;
    assert_eq!(next.epoch, claimed.epoch + 1);
    let site = script.pull_site(&next).await;
    assert_eq!(site.credential(key(0)).unwrap().ha1_md5, [0xA1; 16]);
    assert_eq!(credential(db, 0).await.ha1_sha256, [0xA1; 32]);
    let phones = db.phones(None).await.unwrap();
    let [row] = &phones[..] else { panic!("{phones:?}") };
    assert_eq!((row.claim, row.passwords, row.registered), (1, 1, false));

    // Late and repeated ones change nothing; later ones do.
    tell(&mut script, secret(0, 1, 3, 0xA3)).await;
    for late in [
        secret(0, 1, 3, 0xB0),
        secret(0, 1, 2, 0xA2),
        secret(0, 0, 9, 0xB1),
        secret(0, 2, 9, 0xB2),
    ] {
        tell(&mut script, late).await;
        assert_eq!(credential(db, 0).await.ha1_md5, [0xA3; 16]);
    }
    // Claimed anew: the present password works until the next is fetched, and those of before never come back.
    order(db, one, claim(0, MAC)).await.unwrap();
    assert_eq!(credential(db, 0).await.ha1_md5, [0xA3; 16]);
    tell(&mut script, secret(0, 1, 4, 0xA4)).await;
    assert_eq!(credential(db, 0).await.ha1_md5, [0xA3; 16]);
    tell(&mut script, secret(0, 2, 1, 0xC1)).await;
    assert_eq!(credential(db, 0).await.ha1_md5, [0xC1; 16]);
    assert_eq!(db.phones(Some(one)).await.unwrap()[0].passwords, 1);

    // Another phone, or none: the password of this one is worth nothing at once.
    order(db, one, claim(0, OTHER)).await.unwrap();
    let replaced = credential(db, 0).await;
    assert_ne!(replaced.ha1_md5, [0xC1; 16]);
    tell(&mut script, secret(0, 3, 1, 0xD1)).await;
    assert_eq!(credential(db, 0).await.ha1_md5, [0xD1; 16]);
    let done = order(db, one, Command::Release(key(0))).await.unwrap();
    assert_eq!(done.logins.len(), 1);
    assert_ne!(credential(db, 0).await.ha1_md5, [0xD1; 16]);
    assert!(db.phones(None).await.unwrap().is_empty());

    // A failed commit is not acknowledged, and the repetition counts once.
    order(db, one, claim(1, MAC)).await.unwrap();
    db.fail_commits(1);
    script.events(&[event(90, secret(1, 4, 1, 0xE1))]).await;
    script.events(&[event(90, secret(1, 4, 1, 0xE1))]).await;
    script.app_ack_up_to(EventId { boot: 1, seq: 90 }).await;
    assert_eq!(credential(db, 1).await.ha1_md5, [0xE1; 16]);
    let issued = db.boxes().await.unwrap()[0].issued;
    script.events(&[event(90, secret(1, 4, 1, 0xE1))]).await;
    script.app_ack_up_to(EventId { boot: 1, seq: 90 }).await;
    assert_eq!(db.boxes().await.unwrap()[0].issued, issued);

    // The box is replaced. Its phones keep what they have; the new one's first password comes after all of the old one's.
    db.remove_box(world.factory.box_id).await.unwrap();
    let factory = world::make_box(db, SiteId(1)).await;
    assert_eq!(credential(db, 1).await.ha1_md5, [0xE1; 16]);
    let mut script = ScriptedBox::connect(running.mqtt.unwrap(), &factory).await;
    script.hello(0, [0; 32]).await;
    let manifest = script.manifest().await;
    let site = script.pull_site(&manifest).await;
    assert_eq!(site.ids[1].phone.map(|phone| phone.claim), Some(5));
    assert_eq!(site.credential(key(1)).unwrap().ha1_md5, [0xE1; 16]);
    script.events(&[event(1, secret(1, 5, 1, 0xF1))]).await;
    script.app_ack_up_to(EventId { boot: 1, seq: 1 }).await;
    assert_eq!(credential(db, 1).await.ha1_md5, [0xF1; 16]);

    // What verifies a password is nowhere else, and is not shown.
    for row in db.events(100).await.unwrap() {
        assert!(
            row.kind != "phone_secret" || row.text.contains("of claim"),
            "{row:?}"
        );
    }
    let kept: Vec<Vec<u8>> = {
        use sqlx::Connection as _;
        let path = format!("sqlite:{}", db.dir().join("denwaban.db").display());
        let mut connection = sqlx::SqliteConnection::connect(&path).await.unwrap();
        sqlx::query_scalar("SELECT bytes FROM event WHERE kind = 'phone_secret'")
            .fetch_all(&mut connection)
            .await
            .unwrap()
    };
    assert!(kept.len() > 5);
    for bytes in kept {
        assert!(
            !bytes
                .windows(16)
                .any(|window| window[0] >= 0xA0 && window.iter().all(|byte| *byte == window[0]))
        );
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_hub_are_shown() {
    let world = World::new().await;
    let running = world.serve(None).await;
    let mut script = ScriptedBox::connect(running.mqtt.unwrap(), &world.factory).await;
    script.hello(0, [0; 32]).await;
    let fetch = |port, file, outcome| {
        EventBody::PhoneFetch(PhoneFetch {
            mac: MAC,
            port,
            file,
            outcome,
        })
    };
    let told = [
        (
            fetch(Some(2), FileKind::Phone, FetchOutcome::ServedSecret),
            "phone_fetch",
            "00:0b:82:00:00:01 at port 2: its configuration, served with a password",
        ),
        (
            fetch(
                Some(3),
                FileKind::Phone,
                FetchOutcome::Refused(FetchRefusal::Port),
            ),
            "phone_fetch",
            "00:0b:82:00:00:01 at port 3: its configuration, refused: belongs to another port (`phone claim` \
             again, and it may move)",
        ),
        (
            fetch(None, FileKind::Phone, FetchOutcome::Refused(FetchRefusal::Mac)),
            "phone_fetch",
            "00:0b:82:00:00:01: a configuration, refused: it is another device's",
        ),
        (
            EventBody::FetchesLeftOut(7),
            "fetches_left_out",
            "7 more fetches, too many to tell of each",
        ),
        (
            fetch(None, FileKind::Firmware, FetchOutcome::Served),
            "phone_fetch",
            "00:0b:82:00:00:01: firmware, served",
        ),
        (
            EventBody::PortCycled { port: 4 },
            "port_cycled",
            "port 4: its phone was silent",
        ),
        (
            EventBody::Alarm {
                alarm: Alarm::Power(1, PowerFault::Short),
                raised: true,
            },
            "alarm",
            "Power(1, Short)",
        ),
        (
            secret(0, 4, 2, 0xAA),
            "phone_secret",
            "ID 0: password 2 of claim 4",
        ),
    ];
    let events: Vec<_> = (1..)
        .zip(&told)
        .map(|(seq, (body, ..))| event(seq, body.clone()))
        .collect();
    script.events(&events).await;
    let last = events.len() as u32;
    script.app_ack_up_to(EventId { boot: 1, seq: last }).await;
    let rows = world.db.events(20).await.unwrap();
    for ((_, kind, text), row) in told.iter().zip(&rows) {
        assert_eq!((row.kind.as_str(), row.text.as_str()), (*kind, *text));
    }
    running.stop().await;
}

/// Phones and networks as an operator gives orders about them, without a server.
#[test]
fn phones_are_claimed_and_released() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    operator::office(&data);
    let claim = |id: &'static str, mac: &'static str, port: &'static str| {
        [
            "phone", "claim", id, "--mac", mac, "--model", "gxp1628", "--port", port,
        ]
    };
    for (count, mac) in [(1, "000b82000001"), (2, "00:0b:82:00:00:01")] {
        let done = json(&data, &claim("03-1234-0001", mac, "2"));
        assert_eq!(
            (&done["id"], &done["claim"]),
            (&"0312340001".into(), &count.into())
        );
        assert_eq!(done["phone"]["mac"], "00:0b:82:00:00:01");
    }
    refused(
        &data,
        &claim("0312340002", "000b82000001", "3"),
        2,
        "R5: the phone 00:0b:82:00:00:01 is claimed for extension 201",
    );
    refused(
        &data,
        &claim("0312340002", "000b82000002", "2"),
        2,
        "R40: port 2 belongs to the phone of extension 201",
    );
    refused(&data, &claim("0312340009", "000b82000002", "2"), 2, "R1: ");
    refused(
        &data,
        &claim("0312340002", "ff:ff:ff:ff:ff:ff", "3"),
        2,
        "R33: no device can have",
    );
    refused(
        &data,
        &claim("0312340002", "phone", "3"),
        2,
        "not a hardware address",
    );
    let ja = [&["--lang", "ja"], &claim("0312340002", "000b82000002", "2")[..]].concat();
    refused(&data, &ja, 2, "R40: 給電ポート2は内線201の電話機が使っています");
    let adapter = [
        "phone",
        "claim",
        "0312340002",
        "--mac",
        "000b82000002",
        "--model",
        "ht802",
        "--line",
        "2",
    ];
    refused(
        &data,
        &adapter,
        2,
        "R5: the ID with extension 202 is for a desk phone",
    );
    let list = json(&data, &["phone", "list", "--contract", "1"]);
    let row = &list[0];
    assert_eq!(
        (&row["number"], &row["model"]),
        (&"0312340001".into(), &"Grandstream GXP1628".into())
    );
    assert_eq!(
        (&row["port"], &row["claim"], &row["passwords"]),
        (&2.into(), &2.into(), &0.into())
    );
    let table = command(&data, &["phone", "list"]);
    let table = String::from_utf8(table.stdout).unwrap();
    let last = table.lines().last().map(columns).unwrap();
    assert_eq!(
        last[3..],
        [
            "00:0b:82:00:00:01",
            "Grandstream GXP1628",
            "1",
            "2",
            "2",
            "no",
            "no"
        ],
        "{table}"
    );
    // Its ID is shown with it, and the box of its site cannot tell it anything.
    let shown = command(&data, &["show", "contracts"]);
    assert!(
        String::from_utf8(shown.stdout)
            .unwrap()
            .contains("fixed 00:0b:82:00:00:01")
    );
    refused(
        &data,
        &["phone", "sync", "0312340001"],
        2,
        "box: site 1 has no box",
    );
    let released = json(&data, &["phone", "release", "0312340001"]);
    assert_eq!(released["password"].as_str().map(str::len), Some(16));
    refused(
        &data,
        &["phone", "release", "0312340001"],
        2,
        "R33: no phone is claimed for extension 201",
    );

    // The network of a site: what is not given stays.
    let set = |more: &[&str]| json(&data, &[&["site", "set", "--site", "1"], more].concat());
    set(&["--voice", "20:192.168.20.1/24"]);
    set(&["--dhcp", "never"]);
    let network =
        || json(&data, &["contract", "show", "--contract", "1"])["contract"]["sites"][0]["network"].clone();
    assert_eq!(
        network(),
        serde_json::json!({ "voice": { "vlan": 20, "address": "192.168.20.1", "prefix": 24 }, "dhcp": "Never" })
    );
    let voice = |text: &'static str| ["site", "set", "--site", "1", "--voice", text];
    refused(
        &data,
        &voice("0:192.168.20.1/24"),
        2,
        "network: there can be no voice network with VLAN 0",
    );
    refused(&data, &voice("20:192.168.20.0/24"), 2, "network: ");
    refused(&data, &voice("20"), 2, "20:192.168.20.1/24");
    set(&["--voice", "none", "--dhcp", "auto"]);
    assert!(network().is_null(), "nothing but what is so anyway");
}

/// The row of a box that told nothing.
#[tokio::test]
async fn a_box_without_a_hub() {
    let world = World::new().await;
    let hub: HubRow = world.db.hub(world.factory.box_id).await.unwrap();
    assert!(hub.reported.is_none() && hub.ports.is_empty() && hub.waiting.is_empty());
    world::refused(world.db.hub(shared::BoxId(1)).await, "box");
}
