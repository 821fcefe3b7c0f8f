//! The store on real SQLite: epochs, events, records, boxes, failing commits.

mod world;

use cloud::db::{BoxOrder, Db};
use cloud::refusal::Error;
use cloud::sync::{Encoded, Received, Report, SyncStore, encode};
use contract::Command;
use contract::command::IdChange;
use contract::model::Customer;
use shared::id::{BoxId, IdKey, SessionId, SiteId};
use shared::record::{CallLeg, Direction, FinalState, Side, Stamp};
use shared::site::{SectionKind, root_hash};
use shared::sync::{Ack, Event, EventBody, EventId, MAX_EVENT, Message as _};
use world::{World, make_box, office, order, received, refused};

/// The first ID gets another label.
fn rename(label: &str) -> Command {
    let change = IdChange {
        label: Some(label.into()),
        ..IdChange::default()
    };
    Command::ChangeId(IdKey::new(0).unwrap(), change)
}

fn box_order(site: u32) -> BoxOrder<'static> {
    BoxOrder {
        site: SiteId(site),
        host: "cloud.test",
        sip_port: 5060,
        mqtt_port: 1883,
    }
}

#[tokio::test]
async fn every_change_is_an_epoch_and_no_change_is_none() {
    let world = World::new().await;
    let (db, of) = (&world.db, world.factory.box_id);
    let first = db.desired(of).await.unwrap().unwrap();
    order(db, world.contract, rename("席")).await.unwrap();
    assert_eq!(
        db.desired(of).await.unwrap().unwrap(),
        first,
        "the content is the same"
    );

    // A commit that fails leaves neither the change nor an epoch.
    db.fail_commits(1);
    assert!(matches!(
        order(db, world.contract, rename("別")).await,
        Err(Error::Failed(_))
    ));
    assert_eq!(db.desired(of).await.unwrap().unwrap(), first);
    assert_eq!(db.contracts().await.unwrap()[0].ids[0].label, "席");
    order(db, world.contract, rename("別")).await.unwrap();
    let second = db.desired(of).await.unwrap().unwrap();
    assert_eq!(second.epoch, first.epoch + 1);

    // Another contract's change is none of this box's.
    let (other, other_box) = office(db, 100).await;
    order(db, other, rename("別")).await.unwrap();
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
    db.create_contract("山田商店", Customer::Corporate).await.unwrap();
    assert_eq!(mode(&data), 0o700);
    for file in files {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    db.close().await;
    let careless = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(data.join("denwaban.db"), careless).unwrap();
    let db = Db::open(&data).await.unwrap();
    db.create_contract("田中工業", Customer::Corporate).await.unwrap();
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
