//! The server with scripted boxes, with the broker inside and with mosquitto.

mod world;

use cloud::broker::{BrokerUrl, SERVER_USER};
use cloud::control;
use contract::Command;
use contract::command::IdChange;
use shared::analog::{LineLoad, LineTest, LineTestResult};
use shared::factory::Factory;
use shared::id::{IdKey, SessionId};
use shared::record::{CallLeg, Direction, FinalState, Side, Stamp};
use shared::sync::{
    Ack, BootReason, Down, Event, EventBody, EventId, Message as _, Nack, NackCode, TestLine, Topic, Up,
};
use std::net::SocketAddr;
use world::{Mosquitto, ScriptedBox, World, free_port, office, until};

fn stamp(mono: u64) -> Stamp {
    Stamp {
        mono,
        unix: Some(1_800_000_000_000 + mono),
    }
}

fn event(seq: u32, body: EventBody) -> Event {
    Event {
        id: EventId { boot: 1, seq },
        at: stamp(u64::from(seq)),
        body,
    }
}

fn leg(number: u8) -> EventBody {
    EventBody::CallLeg(CallLeg {
        session: SessionId::from_random([number; 16]),
        leg: 0,
        side: Side::Box,
        direction: Direction::In,
        from: "0312340001".try_into().unwrap(),
        to: "202".try_into().unwrap(),
        presented: None,
        terminal: IdKey::new(0),
        started: stamp(1_000),
        ringing: Some(stamp(1_100)),
        answered: Some(stamp(3_000)),
        ended: stamp(9_000),
        state: FinalState::Answered,
        status: 200,
    })
}

fn history() -> Vec<Event> {
    vec![
        event(
            0,
            EventBody::Boot {
                reason: BootReason::PowerOn,
                firmware: "0.1.0".try_into().unwrap(),
            },
        ),
        event(
            1,
            EventBody::Registration {
                terminal: IdKey::new(0).unwrap(),
                registered: true,
            },
        ),
        event(2, leg(1)),
        event(3, leg(2)),
    ]
}

/// The life of a box: hello, configuration, acknowledgement, events, change of configuration.
async fn life(world: &World, broker: SocketAddr) {
    let mut script = ScriptedBox::connect(broker, &world.factory).await;
    script.hello(0, [0; 32]).await;
    assert_eq!(script.app_ack().await.up_to, None);
    let manifest = script.manifest().await;
    let site = script.pull_site(&manifest).await;
    assert_eq!(site.ids.len(), 3);
    assert_eq!(site.sys.channels, 3);
    assert_eq!(site.reps[0].ring.len(), 3);
    // The credential is the digest of what the phone was given (RFC 7616 §3.4.2).
    use md5::Digest as _;
    let ha1: [u8; 16] = md5::Md5::digest("0312340001:denwaban.example:password1").into();
    assert_eq!(site.credentials[0].ha1_md5, ha1);
    script
        .say(
            Up::Ack,
            &Ack {
                epoch: manifest.epoch,
                root: manifest.root,
            },
        )
        .await;
    until("epoch acknowledged", async || {
        let boxes = world.db.boxes().await.unwrap();
        boxes[0].online == Some(true) && boxes[0].epoch as u64 == manifest.epoch
    })
    .await;

    // Events twice: one row each, acknowledged each time.
    for _ in 0..2 {
        script.events(&history()).await;
        assert_eq!(script.app_ack().await.up_to, Some(EventId { boot: 1, seq: 3 }));
    }
    let records = world.db.records(10).await.unwrap();
    assert_eq!(records.len(), 2);
    assert!(
        records
            .iter()
            .all(|call| call.legs == 1 && call.contract == Some(world.contract.0))
    );
    let order: Vec<u32> = records
        .iter()
        .flat_map(|call| call.detail.iter().map(|leg| leg.seq))
        .collect();
    assert_eq!(order.len(), 2);
    let registered = world.db.registrations().await.unwrap();
    assert_eq!(
        registered.iter().map(|row| row.user.as_str()).collect::<Vec<_>>(),
        ["0312340001"]
    );

    // A failing commit is not acknowledged; the repetition is.
    world.db.fail_commits(1);
    script.events(&[event(4, leg(3))]).await;
    script.hello(manifest.epoch, manifest.root).await;
    assert_eq!(
        script.app_ack().await.up_to,
        Some(EventId { boot: 1, seq: 3 }),
        "only what was committed"
    );
    script.events(&[event(4, leg(3))]).await;
    assert_eq!(script.app_ack().await.up_to, Some(EventId { boot: 1, seq: 4 }));

    // A line is tested when somebody asks for it, and what came of it is shown.
    let to = world.factory.box_id;
    assert_eq!(control::test_line(&world.db, to, 2).await.unwrap(), Some(()));
    let order = script.next(Down::TestLine).await;
    assert_eq!(TestLine::decode(&order), Ok(TestLine { port: 2 }));
    let load = LineLoad {
        feed_mv: 47_900,
        leakage_ohm: 90_000,
        ringer_nf: 1_040,
    };
    let result = LineTestResult::Measured(LineTest {
        load: Some(load),
        ..LineTest::default()
    });
    script
        .events(&[event(5, EventBody::LineTest { port: 2, result })])
        .await;
    assert_eq!(script.app_ack().await.up_to, Some(EventId { boot: 1, seq: 5 }));
    let shown = world.db.events(20).await.unwrap();
    let text = "port 2: 47.9 V, leaks, 90 kΩ, bells: 1 (1040 nF)";
    assert!(
        shown
            .iter()
            .any(|row| row.kind == "line_test" && row.text == text),
        "{shown:?}"
    );

    // A command changes the contract and rings the doorbell: the box is offered the next epoch at once.
    let change = IdChange {
        label: Some("社長".into()),
        ..IdChange::default()
    };
    let command = Command::ChangeId(IdKey::new(2).unwrap(), change);
    world::order(&world.db, world.contract, command).await.unwrap();
    control::ring(&world.db).await;
    let next = script.manifest().await;
    assert_eq!(next.epoch, manifest.epoch + 1);
    let changed: Vec<_> = next
        .sections
        .iter()
        .filter(|section| !manifest.sections.contains(section))
        .collect();
    assert_eq!(changed.len(), 1, "only the section with the label is new");
    let site = script.pull_site(&next).await;
    assert_eq!(site.ids[2].label.as_str(), "社長");
    let refusal = Nack {
        epoch: next.epoch,
        have: manifest.epoch,
        code: NackCode::Flash,
    };
    script.say(Up::Nack, &refusal).await;
    until("refusal shown", async || {
        world.db.boxes().await.unwrap()[0].nack.is_some()
    })
    .await;
}

/// What belongs to another box is closed, in both directions.
async fn closed_doors(world: &World, broker: SocketAddr, other: &Factory) {
    let mut mine = ScriptedBox::connect(broker, &world.factory).await;
    let mut theirs = ScriptedBox::connect(broker, other).await;

    // mosquitto grants the subscription and filters deliveries, so it is the delivery that is looked at.
    for filter in [
        Topic::filter(other.box_id).to_string(),
        "c/+/#".into(),
        "#".into(),
        "b/#".into(),
    ] {
        mine.subscribe(&filter).await;
    }
    theirs.hello(0, [0; 32]).await;
    theirs.manifest().await;
    // My own answer comes after all that theirs could have brought me.
    mine.hello(0, [0; 32]).await;
    mine.manifest().await;
    assert!(mine.strangers().is_empty(), "{:?}", mine.strangers());

    // I speak in their name: nothing is stored.
    let name = Topic::Up(other.box_id, Up::Events).name();
    mine.events_on(&name, &history()).await;
    mine.events(&[event(5, leg(9))]).await;
    mine.app_ack_up_to(EventId { boot: 1, seq: 5 }).await;
    assert_eq!(world.db.last_event(other.box_id).await.unwrap(), None);
}

async fn refused_logins(world: &World, broker: SocketAddr, id_is_enforced: bool) {
    let id = world.factory.box_id.to_string();
    let right = world.factory.password();
    let mut cases = vec![
        (id.as_str(), id.as_str(), "wrong"),
        (id.as_str(), id.as_str(), ""),
        ("aaaaaaaaaaaaa", "aaaaaaaaaaaaa", right.as_str()),
        (SERVER_USER, SERVER_USER, "guess"),
    ];
    if id_is_enforced {
        cases.push((id.as_str(), "another", right.as_str()));
    }
    for (user, client, password) in cases {
        let mut intruder = ScriptedBox::dial(broker, &world.factory, user, client, password);
        assert!(
            intruder.connack().await.is_err(),
            "{user} as {client} with {password:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_broker_inside() {
    let world = World::new().await;
    let server = world.serve(None).await;
    let broker = server.mqtt.unwrap();
    life(&world, broker).await;
    until("box gone", async || {
        world.db.boxes().await.unwrap()[0].online == Some(false)
    })
    .await;
    let (_, other) = office(&world.db, 100).await;
    closed_doors(&world, broker, &other).await;
    refused_logins(&world, broker, true).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_restarts() {
    let world = World::new().await;
    let server = world.serve(None).await;
    let mut script = ScriptedBox::connect(server.mqtt.unwrap(), &world.factory).await;
    script.hello(0, [0; 32]).await;
    let first = script.manifest().await;
    script.events(&history()).await;
    script.app_ack_up_to(EventId { boot: 1, seq: 3 }).await;
    assert_eq!(world.db.boxes().await.unwrap()[0].online, Some(true));
    server.stop().await;
    drop(script);

    let db = cloud::db::Db::open(world.dir.path()).await.unwrap();
    assert_eq!(
        db.boxes().await.unwrap()[0].online,
        Some(false),
        "nothing is left of it"
    );
    let server = world::Running::start(&db, None).await;
    let mut script = ScriptedBox::connect(server.mqtt.unwrap(), &world.factory).await;
    script.hello(first.epoch, first.root).await;
    assert_eq!(script.app_ack().await.up_to, Some(EventId { boot: 1, seq: 3 }));
    // The same events again after the restart, and one more.
    let mut events = history();
    events.push(event(4, leg(3)));
    script.events(&events).await;
    script.app_ack_up_to(EventId { boot: 1, seq: 4 }).await;
    assert_eq!(db.records(10).await.unwrap().len(), 3);
    server.stop().await;
}

/// Garbage, half a packet, packets beyond the bound: whoever sends them loses the connection, others notice nothing.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_mqtt() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::new().await;
    let server = world.serve(None).await;
    let broker = server.mqtt.unwrap();
    let mut script = ScriptedBox::connect(broker, &world.factory).await;
    let id = world.factory.box_id.to_string();
    // A CONNECT that never ends stays open for a while and is in nobody's way.
    let mut half = tokio::net::TcpStream::connect(broker).await.unwrap();
    half.write_all(&[0x10, 0x7f, 0, 4]).await.unwrap();
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 5_000],
        [&[0x10, 0xff, 0xff, 0xff, 0x7f][..], &[0; 5_000]].concat(),
    ] {
        let mut stream = tokio::net::TcpStream::connect(broker).await.unwrap();
        // The other side may close while this is being written.
        let _ = stream.write_all(&bytes).await;
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(world::PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("closed");
    }
    script.hello(0, [0; 32]).await;
    script.manifest().await;
    // A box that breaks the bound loses its own connection only; what is not the protocol is not answered.
    let (_, other) = office(&world.db, 100).await;
    let mut other = ScriptedBox::connect(broker, &other).await;
    script.publish(&format!("b/{id}/hello"), b"\xff\xff").await;
    script.publish(&format!("b/{id}/nonsense"), b"").await;
    script.publish(&format!("b/{id}/ev"), &[1, 0xff, 0xff]).await;
    script.publish(&format!("b/{id}/hello"), &vec![1; 5_000]).await;
    assert!(script.is_cut().await);
    other.hello(0, [0; 32]).await;
    other.manifest().await;
    assert_eq!(world.db.last_event(world.factory.box_id).await.unwrap(), None);
    server.stop().await;
}

/// A second server on one data directory is refused; the socket of a killed one is not in the way.
#[tokio::test(flavor = "multi_thread")]
async fn one_server_per_data_directory() {
    let world = World::new().await;
    std::os::unix::net::UnixListener::bind(world.db.control_socket()).unwrap();
    let server = world.serve(None).await;
    assert!(control::Control::bind(&world.db.control_socket()).await.is_err());
    server.stop().await;
    assert!(!world.db.control_socket().exists());
}

/// Debian's mosquitto with the exported files: the same life, the same closed doors, and a broker that restarts.
#[tokio::test(flavor = "multi_thread")]
async fn with_mosquitto() {
    if Mosquitto::installed().is_none() {
        eprintln!("mosquitto is not installed: only the broker inside is tested");
        return;
    }
    let world = World::new().await;
    // The accounts are exported before the broker starts, so the other office has to exist by then.
    let port = free_port();
    let files = world.dir.path().join("broker");
    let (_, other) = office(&world.db, 100).await;
    export(&world, &files, port).await;
    let mut mosquitto = Mosquitto::start(&files, port).await;
    let url: BrokerUrl = format!("mqtt://{SERVER_USER}:serverpass@127.0.0.1:{port}")
        .parse()
        .unwrap();
    let server = world.serve(Some(url)).await;
    life(&world, mosquitto.addr).await;
    closed_doors(&world, mosquitto.addr, &other).await;
    refused_logins(&world, mosquitto.addr, false).await;

    // The broker is killed and comes back: the box says hello again and the server answers.
    let mut script = ScriptedBox::connect(mosquitto.addr, &other).await;
    script.hello(0, [0; 32]).await;
    script.manifest().await;
    drop(script);
    mosquitto.kill();
    until("boxes offline", async || {
        world
            .db
            .boxes()
            .await
            .unwrap()
            .iter()
            .all(|row| row.online == Some(false))
    })
    .await;
    mosquitto.run().await;
    let mut script = ScriptedBox::connect(mosquitto.addr, &other).await;
    // The server may still be connecting; the box repeats its hello as the real one does.
    script.hello_until_answered().await;
    script.events(&[event(1, leg(7))]).await;
    script.app_ack_up_to(EventId { boot: 1, seq: 1 }).await;
    server.stop().await;
}

async fn export(world: &World, files: &std::path::Path, port: u16) {
    use clap::Parser as _;
    let data = world.dir.path().display().to_string();
    let (out, listener) = (files.display().to_string(), format!("{port} 127.0.0.1"));
    let args = [
        "denwaban-cloud",
        "--data",
        &data,
        "--json",
        "broker-acl",
        "--out",
        &out,
        "--password",
        "serverpass",
        "--listener",
        &listener,
    ];
    cloud::cli::run(cloud::cli::Cli::parse_from(args)).await.unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(files.join("passwd"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // Where tests run as root, mosquitto keeps that user, which owns the file.
    let conf = files.join("mosquitto.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, text + "user root\n").unwrap();
}
