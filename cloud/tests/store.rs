//! The contract of the store on real SQLite: orders and their rules, epochs, events, failing commits.

mod world;

use cloud::db::{BoxOrder, Db, IdChange, NewId, NewRep, RepChange};
use cloud::refusal::Error;
use cloud::sync::{Encoded, Received, Report, SyncStore, encode};
use shared::id::{BoxId, ContractId, Extension, IdKey, SessionId, SiteId};
use shared::record::{CallLeg, Direction, FinalState, Side, Stamp};
use shared::site::{SectionKind, TerminalKind, root_hash};
use shared::sync::{Ack, Event, EventBody, EventId, MAX_EVENT, Message as _};
use world::{World, direct, make_box, office, received};

fn id(contract: ContractId, direct: &str, extension: &str) -> NewId {
    NewId {
        contract,
        site: None,
        direct: direct.parse().unwrap(),
        extension: extension.parse().unwrap(),
        label: "席".into(),
        kind: TerminalKind::Fixed,
        password: None,
    }
}

fn rep(contract: ContractId, number: &str, members: &[&str]) -> NewRep {
    NewRep {
        contract,
        number: number.parse().unwrap(),
        label: "代表".into(),
        members: members.iter().map(|text| text.parse().unwrap()).collect(),
        ring: None,
    }
}

fn box_order(site: u32) -> BoxOrder<'static> {
    BoxOrder {
        site: SiteId(site),
        host: "cloud.test",
        sip_port: 5060,
        mqtt_port: 1883,
    }
}

fn extension(text: &str) -> Extension {
    text.parse().unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, rule: &str) {
    match result {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.rule, rule, "{refusal}");
            assert!(
                !refusal.what.is_empty() && !refusal.next.is_empty(),
                "a refusal says what to do: {refusal}"
            );
        }
        other => panic!("expected {rule}, got {other:?}"),
    }
}

#[tokio::test]
async fn orders_keep_the_rules() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).await.unwrap();
    let contract = db.create_contract("山田商店").await.unwrap();
    let nobody = ContractId(99);
    refused(db.add_id(&id(nobody, "0312340001", "201")).await, "contract");
    refused(db.create_contract("").await, "R3");
    refused(db.create_contract("\u{7}").await, "R3");

    // R16: the first ID is the basic one.
    let (key, password) = db.add_id(&id(contract, "0312340001", "201")).await.unwrap();
    assert_eq!((key, password.len()), (IdKey::new(0).unwrap(), 16));
    assert_eq!(db.contracts().await.unwrap()[0].ids[0].role, "basic");
    refused(db.init("other.example").await, "realm");

    // R12: one ID, no representative number.
    refused(db.add_rep(&rep(contract, "0312340000", &["201"])).await, "R12");
    // R7, R1: a number has one owner and one role, however it is written.
    refused(
        db.add_id(&id(contract, "０３－１２３４－０００１", "202")).await,
        "R7",
    );
    refused(db.add_id(&id(contract, "119", "202")).await, "R1");
    refused(db.add_id(&id(contract, "0312340002", "201")).await, "R30");
    db.add_id(&id(contract, "+81312340002", "202")).await.unwrap();
    refused(db.add_rep(&rep(contract, "0312340001", &["201"])).await, "R1");
    refused(db.add_rep(&rep(contract, "0312340000", &["209"])).await, "R4");
    assert!(
        db.contracts().await.unwrap()[0].reps.is_empty(),
        "a refused order changes nothing"
    );
    let mut stranger = rep(contract, "0312340000", &["201"]);
    stranger.ring = Some(vec![extension("202")]);
    refused(db.add_rep(&stranger).await, "R4");

    // R13: as many as IDs; the fourth needs a review (R14).
    db.add_rep(&rep(contract, "0312340000", &["201", "202"]))
        .await
        .unwrap();
    db.add_rep(&rep(contract, "0312340010", &["202"])).await.unwrap();
    refused(db.add_rep(&rep(contract, "0312340020", &["201"])).await, "R13");
    for (direct, extension) in [("0312340003", "203"), ("0312340004", "204")] {
        db.add_id(&id(contract, direct, extension)).await.unwrap();
    }
    db.add_rep(&rep(contract, "0312340020", &["201"])).await.unwrap();
    refused(db.add_rep(&rep(contract, "0312340030", &["201"])).await, "R14");
    let other = db.create_contract("田中工業").await.unwrap();
    refused(db.add_id(&id(other, "0312340020", "201")).await, "R1");

    // R9, R22: what an ID may present is a closed set.
    let present = |number: &str| IdChange {
        outgoing: Some(number.parse().unwrap()),
        ..IdChange::default()
    };
    refused(
        db.change_id(contract, extension("201"), &present("0312340002"))
            .await,
        "R9",
    );
    refused(
        db.change_id(contract, extension("201"), &present("0312340010"))
            .await,
        "R9",
    );
    db.change_id(contract, extension("201"), &present("0312340020"))
        .await
        .unwrap();
    assert_eq!(db.contracts().await.unwrap()[0].ids[0].outgoing, "0312340020");
    // Who leaves the group, or loses it, presents the direct number again.
    let others = RepChange {
        members: Some(vec![extension("202")]),
        ..RepChange::default()
    };
    db.change_rep("0312340020".parse().unwrap(), &others)
        .await
        .unwrap();
    assert_eq!(db.contracts().await.unwrap()[0].ids[0].outgoing, "0312340001");

    // R13, R16: what may not be given back.
    refused(db.remove_id(contract, extension("201")).await, "R16");
    db.remove_id(contract, extension("204")).await.unwrap();
    refused(db.remove_id(contract, extension("203")).await, "R13");
    db.remove_rep("0312340020".parse().unwrap()).await.unwrap();
    refused(db.remove_rep("0312340020".parse().unwrap()).await, "R1");
    db.remove_id(contract, extension("203")).await.unwrap();
    refused(db.remove_id(contract, extension("202")).await, "R13");
    // What was given back is free again.
    db.add_id(&id(other, "0312340020", "201")).await.unwrap();
}

#[tokio::test]
async fn sixty_four_ids_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).await.unwrap();
    let contract = db.create_contract("大きな会社").await.unwrap();
    let site = db.create_site(contract, "本社").await.unwrap();
    let factory = make_box(&db, site).await;
    for place in 0..64u32 {
        db.add_id(&id(contract, &direct(place), &(200 + place).to_string()))
            .await
            .unwrap();
    }
    refused(db.add_id(&id(contract, &direct(64), "299")).await, "R5");
    let loaded = db.site(site).await.unwrap();
    loaded.validate().unwrap();
    assert_eq!((loaded.ids.len(), loaded.sys.channels), (64, 64));
    let desired = db.desired(factory.box_id).await.unwrap().unwrap();
    assert_eq!(desired.epoch, 64, "one epoch for each change");
}

#[tokio::test]
async fn every_change_is_an_epoch_and_no_change_is_none() {
    let world = World::new().await;
    let (db, of) = (&world.db, world.factory.box_id);
    let first = db.desired(of).await.unwrap().unwrap();
    let same = IdChange {
        label: Some("席1".into()),
        ..IdChange::default()
    };
    db.change_id(world.contract, extension("201"), &same)
        .await
        .unwrap();
    assert_eq!(
        db.desired(of).await.unwrap().unwrap(),
        first,
        "the content is the same"
    );

    // A commit that fails leaves neither the change nor an epoch.
    db.fail_commits(1);
    let change = IdChange {
        label: Some("別".into()),
        ..IdChange::default()
    };
    assert!(matches!(
        db.change_id(world.contract, extension("201"), &change).await,
        Err(Error::Failed(_))
    ));
    assert_eq!(db.desired(of).await.unwrap().unwrap(), first);
    assert_eq!(db.contracts().await.unwrap()[0].ids[0].label, "席1");
    db.change_id(world.contract, extension("201"), &change)
        .await
        .unwrap();
    let second = db.desired(of).await.unwrap().unwrap();
    assert_eq!(second.epoch, first.epoch + 1);

    // Another contract's change is none of this box's.
    let (other, other_box) = office(db, 100).await;
    db.change_id(other, extension("201"), &change).await.unwrap();
    assert_eq!(db.desired(of).await.unwrap().unwrap(), second);
    assert!(db.desired(other_box.box_id).await.unwrap().unwrap().epoch >= 1);
    // A second box for the site is refused.
    let site = db.boxes().await.unwrap()[0].site;
    refused(db.new_box(box_order(site)).await.map(|_| ()), "site");
}

#[tokio::test]
async fn contents_are_found_by_hash_and_only_by_their_box() {
    let world = World::new().await;
    let (db, of) = (&world.db, world.factory.box_id);
    let (_, other) = office(db, 100).await;
    let desired = db.desired(of).await.unwrap().unwrap();
    for section in desired.sections {
        let bytes = db
            .section(of, section.kind, &section.hash)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(bytes.len(), section.len as usize);
        assert_eq!(
            db.section(other.box_id, section.kind, &section.hash)
                .await
                .unwrap(),
            None
        );
        assert_eq!(db.section(of, section.kind, &[7; 32]).await.unwrap(), None);
    }
    let credentials = desired.sections[SectionKind::Credentials.index()];
    assert_eq!(
        db.section(of, SectionKind::Ids, &credentials.hash).await.unwrap(),
        None,
        "of its kind only"
    );

    // A store restored from a copy catches up with what the box has seen.
    let site = db.site(shared::id::SiteId(1)).await.unwrap();
    let sections: [Encoded; 4] = encode::<Error>(&site).unwrap();
    let above = db.issue(of, &sections, 1_800_000_000, 41).await.unwrap();
    assert_eq!((above.epoch, above.root()), (42, root_hash(&above.sections)));
    assert_eq!(db.desired(of).await.unwrap().unwrap(), above);
    db.fail_commits(1);
    assert!(db.issue(of, &sections, 1_800_000_000, 0).await.is_err());
    assert_eq!(db.desired(of).await.unwrap().unwrap().epoch, 42);
    assert_eq!(db.desired(BoxId(5)).await.unwrap(), None);
}

#[tokio::test]
async fn events_are_shown() {
    let world = World::new().await;
    let (db, of) = (&world.db, world.factory.box_id);
    let unknown = Received {
        id: EventId { boot: 2, seq: 4 },
        bytes: vec![9, 9, 9],
        event: None,
    };
    db.commit_events(of, &[received(2, 2), received(2, 3), unknown], 9)
        .await
        .unwrap();
    let shown = db.events(2).await.unwrap();
    let shown: Vec<_> = shown
        .iter()
        .map(|row| (row.boot, row.seq, row.kind.as_str(), row.text.as_str()))
        .collect();
    let known = (2, 3, "boot", "PowerOn, firmware 1");
    assert_eq!(shown, [known, (2, 4, "unknown", "of a newer firmware")]);
}

/// The legs of box and cloud become one call by their session, whichever side writes first.
#[tokio::test]
async fn legs_are_joined_by_session() {
    let world = World::new().await;
    let (db, of) = (&world.db, world.factory.box_id);
    let leg = |side, number: u8, state| CallLeg {
        session: SessionId::from_random([number; 16]),
        leg: 0,
        side,
        direction: Direction::In,
        from: "09012345678".try_into().unwrap(),
        to: "0312340000".try_into().unwrap(),
        presented: Some("09012345678".parse().unwrap()),
        terminal: None,
        started: Stamp {
            mono: 1_000,
            unix: Some(1_800_000_000_000),
        },
        ringing: None,
        answered: None,
        ended: Stamp {
            mono: 4_000,
            unix: Some(1_800_000_003_000),
        },
        state,
        status: 486,
    };
    let event = |seq, leg| Event {
        id: EventId { boot: 1, seq },
        at: Stamp::default(),
        body: EventBody::CallLeg(leg),
    };
    let wire = |event: &Event| {
        let mut buf = [0; MAX_EVENT];
        Received {
            id: event.id,
            bytes: event.encode(&mut buf).unwrap().to_vec(),
            event: Some(event.clone()),
        }
    };
    let own = |seq, number, state| (world.contract, event(seq, leg(Side::Cloud, number, state)));
    db.commit_own(&[own(0, 1, FinalState::Busy), own(1, 2, FinalState::ChannelLimit)])
        .await
        .unwrap();
    let box_leg = wire(&event(0, leg(Side::Box, 1, FinalState::Busy)));
    for _ in 0..2 {
        db.commit_events(of, std::slice::from_ref(&box_leg), 9)
            .await
            .unwrap();
        db.commit_own(&[own(0, 1, FinalState::Busy)]).await.unwrap();
    }
    let calls = db.records(10).await.unwrap();
    let counts: Vec<_> = calls
        .iter()
        .map(|call| (call.legs, call.box_legs, call.cloud_legs))
        .collect();
    assert_eq!(counts.len(), 2);
    assert!(
        counts.contains(&(2, 1, 1)) && counts.contains(&(1, 0, 1)),
        "{counts:?}"
    );
    assert!(
        calls
            .iter()
            .all(|call| call.contract == Some(world.contract.0) && !call.was_answered)
    );
    let of_call: Vec<_> = calls
        .iter()
        .flat_map(|call| &call.detail)
        .map(|leg| (leg.side.as_str(), leg.ended_ms))
        .collect();
    assert!(of_call.iter().all(|(_, ended)| *ended == 3_000));
}

/// A data directory may have any name.
#[tokio::test]
async fn a_long_way_to_the_control_socket() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a".repeat(90)).join("b".repeat(90));
    let db = Db::open(&deep).await.unwrap();
    assert!(cloud::control::calls(&db).await.unwrap().is_none());
    let control = cloud::control::Control::bind(&db.control_socket()).await.unwrap();
    assert!(
        cloud::control::Control::bind(&db.control_socket()).await.is_err(),
        "it is found there"
    );
    drop(control);
    assert!(!db.control_socket().exists());
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_restart() {
    let world = World::new().await;
    let of = world.factory.box_id;
    world.db.commit_events(of, &[received(1, 0)], 5).await.unwrap();
    let desired = world.db.desired(of).await.unwrap();
    world
        .db
        .report(
            of,
            &Report::Applied(Ack {
                epoch: 3,
                root: [0; 32],
            }),
        )
        .await
        .unwrap();
    let verifying = world.db.keys().unwrap().verifying();
    world.db.close().await;
    let again = Db::open(world.dir.path()).await.unwrap();
    assert_eq!(
        again.last_event(of).await.unwrap(),
        Some(EventId { boot: 1, seq: 0 })
    );
    assert_eq!(again.desired(of).await.unwrap(), desired);
    assert_eq!(again.boxes().await.unwrap()[0].epoch, 3);
    assert_eq!(
        again.keys().unwrap().verifying(),
        verifying,
        "boxes go on believing"
    );
    assert_eq!(world.factory.config_key, verifying);
    let boot = again.count_boot().await.unwrap();
    assert_eq!(again.count_boot().await.unwrap(), boot + 1);
}

/// Commands and server write at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn writers_wait_for_each_other() {
    let world = World::new().await;
    let second = Db::open(world.dir.path()).await.unwrap();
    let of = world.factory.box_id;
    let mut tasks = tokio::task::JoinSet::new();
    for seq in 0..20 {
        let db = if seq % 2 == 0 {
            world.db.clone()
        } else {
            second.clone()
        };
        tasks.spawn(async move { db.commit_events(of, &[received(1, seq)], 1).await });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap().unwrap(), 1);
    }
}

#[tokio::test]
async fn passwords_numbers_and_hosts_are_checked() {
    let world = World::new().await;
    let (db, contract) = (&world.db, world.contract);
    for bad in ["", "1234567", "1234567\n8"] {
        let mut new = id(contract, "0312340009", "209");
        new.password = Some(bad.into());
        refused(db.add_id(&new).await, "password");
        let change = IdChange {
            password: Some(bad.into()),
            ..IdChange::default()
        };
        refused(
            db.change_id(contract, extension("201"), &change).await,
            "password",
        );
    }
    for (number, rule) in [
        ("+12025550123", "R1"),
        ("117", "R1"),
        ("09012345678", "R18"),
        ("0120123456", "R18"),
        ("08001234567", "R18"),
        ("0570123456", "R18"),
        ("0990123456", "R18"),
    ] {
        refused(db.add_id(&id(contract, number, "209")).await, rule);
        refused(db.add_rep(&rep(contract, number, &["201"])).await, rule);
    }
    db.add_id(&id(contract, "05012345678", "209")).await.unwrap();
    db.add_id(&id(contract, "0480123456", "210")).await.unwrap();

    let site = db.create_site(contract, "支店").await.unwrap();
    let long = "a".repeat(65);
    for host in ["", "http://cloud.test", "cloud test", "cloud:5060", "雲", &long] {
        let order = BoxOrder {
            host,
            ..box_order(site.0)
        };
        refused(db.new_box(order).await.map(drop), "host");
    }
    for (sip_port, mqtt_port) in [(0, 1883), (5060, 0)] {
        let order = BoxOrder {
            sip_port,
            mqtt_port,
            ..box_order(site.0)
        };
        refused(db.new_box(order).await.map(drop), "port");
    }
}

#[tokio::test]
async fn a_group_keeps_what_is_not_changed() {
    let world = World::new().await;
    let (db, number) = (&world.db, world::REP.parse().unwrap());
    let group = async || {
        let rep = db.contracts().await.unwrap().remove(0).reps.remove(0);
        (rep.label, rep.members, rep.ring)
    };
    let all = |label: &str, members: &str, ring: &str| (label.into(), members.into(), ring.into());
    let list = |texts: &[&str]| Some(texts.iter().map(|text| extension(text)).collect::<Vec<_>>());
    let change = |label: Option<&str>, members, ring| RepChange {
        label: label.map(Into::into),
        members,
        ring,
    };
    for (what, then) in [
        (
            change(Some("本社代表"), None, None),
            all("本社代表", "201,202,203", "201,202,203"),
        ),
        (
            change(None, None, list(&["202"])),
            all("本社代表", "201,202,203", "202"),
        ),
        (
            change(Some("代表"), None, None),
            all("代表", "201,202,203", "202"),
        ),
        (
            change(None, list(&["201", "203"]), None),
            all("代表", "201,203", "201,203"),
        ),
    ] {
        db.change_rep(number, &what).await.unwrap();
        assert_eq!(group().await, then, "{what:?}");
    }
    refused(
        db.change_rep(number, &change(None, None, list(&["202"]))).await,
        "R4",
    );
    assert_eq!(group().await, all("代表", "201,203", "201,203"));
    assert!(!db.is_unattended(number).await.unwrap());
    db.change_rep(number, &change(None, list(&[]), None))
        .await
        .unwrap();
    assert!(db.is_unattended(number).await.unwrap());
}

/// R25: no ID is left without a number to present, and the refusal says what to do.
#[tokio::test]
async fn an_id_keeps_a_number_to_present() {
    let world = World::new().await;
    let (db, contract) = (&world.db, world.contract);
    let off = IdChange {
        direct_out: Some(false),
        ..IdChange::default()
    };
    match db.change_id(contract, extension("202"), &off).await {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.rule, "R25");
            assert!(refusal.what.contains("extension 202"), "{refusal}");
            assert!(
                refusal.next.contains(&format!("--outgoing {}", world::REP)),
                "{refusal}"
            );
        }
        other => panic!("{other:?}"),
    }
    let both = IdChange {
        outgoing: Some(world::REP.parse().unwrap()),
        ..off
    };
    db.change_id(contract, extension("202"), &both).await.unwrap();
    refused(db.remove_rep(world::REP.parse().unwrap()).await, "R25");
    let without = RepChange {
        members: Some(vec![extension("201")]),
        ..RepChange::default()
    };
    refused(db.change_rep(world::REP.parse().unwrap(), &without).await, "R25");
}

#[tokio::test]
async fn a_box_is_replaced() {
    let world = World::new().await;
    let (db, of) = (&world.db, world.factory.box_id);
    db.commit_events(of, &[received(1, 0)], 5).await.unwrap();
    let site = db.boxes().await.unwrap()[0].site;
    refused(db.new_box(box_order(site)).await.map(drop), "site");
    db.fail_commits(1);
    assert!(db.remove_box(of).await.is_err());
    assert_eq!(db.boxes().await.unwrap().len(), 1);
    db.remove_box(of).await.unwrap();
    refused(db.remove_box(of).await, "box");
    assert!(db.boxes().await.unwrap().is_empty() && db.accounts().await.unwrap().is_empty());
    assert_eq!(
        db.mqtt_hash(&of.to_string()).await.unwrap(),
        None,
        "it cannot log in"
    );
    assert_eq!(
        db.last_event(of).await.unwrap(),
        Some(EventId { boot: 1, seq: 0 }),
        "its events stay"
    );

    // A box that is not committed does not exist.
    drop(db.new_box(box_order(site)).await.unwrap());
    db.fail_commits(1);
    assert!(db.new_box(box_order(site)).await.unwrap().commit().await.is_err());
    assert!(db.boxes().await.unwrap().is_empty());
    let new = make_box(db, SiteId(site)).await.box_id;
    assert!(db.desired(new).await.unwrap().is_some(), "it has a configuration");
}

/// Only the owner may read what is in the data directory, also where an earlier version was careless.
#[tokio::test]
async fn the_data_directory_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/data");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let files = ["denwaban.db", "denwaban.db-wal", "denwaban.db-shm", "signing.key"];
    let db = Db::open(&data).await.unwrap();
    db.create_contract("山田商店").await.unwrap();
    assert_eq!(mode(&data), 0o700);
    for file in files {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    db.close().await;
    let careless = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(data.join("denwaban.db"), careless).unwrap();
    let db = Db::open(&data).await.unwrap();
    db.create_contract("田中工業").await.unwrap();
    for file in files {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}

/// Boxes believe one key: another is not made behind their back.
#[tokio::test]
async fn a_lost_signing_key_is_not_replaced_silently() {
    let world = World::new().await;
    world.db.close().await;
    let (dir, key) = (world.dir.path(), world.dir.path().join("signing.key"));
    let kept = world.dir.path().join("copy");
    std::fs::rename(&key, &kept).unwrap();
    let error = Db::open(dir).await.err().unwrap().to_string();
    assert!(
        error.contains("signing.key is missing") && error.contains("copy"),
        "{error}"
    );
    assert!(!key.exists());
    std::fs::rename(&kept, &key).unwrap();
    Db::open(dir).await.unwrap().close().await;

    std::fs::remove_file(&key).unwrap();
    let db = Db::open_keyless(dir).await.unwrap();
    assert!(db.keys().is_err());
    db.remove_box(world.factory.box_id).await.unwrap();
    db.close().await;
    let db = Db::open(dir).await.unwrap();
    assert_ne!(db.keys().unwrap().verifying(), world.factory.config_key);
}

/// A call is answered if one of its legs was, and lasts as long as that leg.
#[tokio::test]
async fn what_a_call_came_to() {
    let world = World::new().await;
    let (db, of) = (&world.db, world.factory.box_id);
    let clock = |mono, base: Option<u64>| Stamp {
        mono,
        unix: base.map(|base| base + mono),
    };
    let mut seq = 0;
    let mut store =
        async |number: u8, direction, terminal: Option<u16>, answered: Option<u64>, state, base| {
            let leg = CallLeg {
                session: SessionId::from_random([number; 16]),
                leg: seq as u8,
                side: Side::Box,
                direction,
                from: "09012345678".try_into().unwrap(),
                to: "0312340000".try_into().unwrap(),
                presented: None,
                terminal: terminal.and_then(IdKey::new),
                started: clock(1_000, base),
                ringing: None,
                answered: answered.map(|mono| clock(mono, base)),
                ended: clock(21_200, base),
                state,
                status: 200,
            };
            let event = Event {
                id: EventId { boot: 1, seq },
                at: Stamp::default(),
                body: EventBody::CallLeg(leg),
            };
            let mut buf = [0; MAX_EVENT];
            let bytes = event.encode(&mut buf).unwrap().to_vec();
            let received = Received {
                id: event.id,
                bytes,
                event: Some(event),
            };
            db.commit_events(of, &[received], 9_000).await.unwrap();
            seq += 1;
        };
    let base = Some(1_800_000_000_000);
    use Direction::{In, Out};
    // Talked, then lost on the way in; 202 had answered, 203 had not.
    store(1, In, None, Some(4_000), FinalState::Lost, base).await;
    store(1, Out, Some(2), None, FinalState::ElsewhereAnswered, base).await;
    store(1, Out, Some(1), Some(4_000), FinalState::Answered, base).await;
    // Two that nobody answered: what the caller met counts. No clock.
    store(2, Out, Some(0), None, FinalState::Cancelled, None).await;
    store(2, In, None, None, FinalState::NotAnswered, None).await;
    store(3, In, None, None, FinalState::Lost, base).await;
    let calls = db.records(10).await.unwrap();
    let call = |number: u8| {
        let session = SessionId::from_random([number; 16]).text();
        let call = calls
            .iter()
            .find(|call| call.session == session.as_str())
            .unwrap();
        (
            call.outcome.as_str(),
            call.was_answered,
            call.talked_ms,
            call.answered_by.as_deref(),
            call.has_clock,
        )
    };
    assert_eq!(call(1), ("lost", true, Some(17_200), Some("202"), true));
    assert_eq!(call(2), ("not_answered", false, None, None, false));
    assert_eq!(call(3), ("lost", false, None, None, true));
}
