//! Orders: what they are refused with, that each is whole or not at all, and that none is lost.

mod world;

use cloud::db::{Ask, BoxOrder, Db};
use cloud::refusal::Error;
use contract::command::{Decision, IdChange, NewSite, RepChange};
use contract::derive::SiteError;
use contract::model::{Customer, Suspension, SuspensionCause};
use contract::{Actor, Command, Effect, Lang};
use md5::{Digest as _, Md5};
use shared::id::{ContractId, Extension, IdKey, SiteId};
use shared::number::Number;
use sqlx::Connection as _;
use world::{ADDRESS, World, contract, direct, id, make_box, order, refused, rep};

fn key(key: u16) -> IdKey {
    IdKey::new(key).unwrap()
}

fn number(text: &str) -> Number {
    text.parse().unwrap()
}

fn extensions(texts: &[&str]) -> Option<Vec<Extension>> {
    Some(texts.iter().map(|text| text.parse().unwrap()).collect())
}

fn present(who: u16, text: &str) -> Command {
    let change = IdChange {
        outgoing: Some(number(text)),
        ..IdChange::default()
    };
    Command::ChangeId(key(who), change)
}

#[tokio::test]
async fn orders_keep_the_rules() {
    let dir = tempfile::tempdir().unwrap();
    let db = &Db::open(dir.path()).await.unwrap();
    refused(
        order(db, ContractId(99), id("0312340001", "201")).await,
        "contract",
    );
    for name in ["", "\u{7}"] {
        refused(db.create_contract(name, Customer::Corporate).await, "R3");
    }
    assert!(
        db.contracts().await.unwrap().is_empty(),
        "a refused order changes nothing"
    );
    let (one, _) = contract(db, "山田商店").await;

    // R16: the first ID is the basic one. R5, R7: each has a number and a password of its own.
    let done = order(db, one, id("0312340001", "201")).await.unwrap();
    let [login] = &done.logins[..] else {
        panic!("{:?}", done.logins)
    };
    assert_eq!(
        (login.key, login.user.as_str(), login.password.len()),
        (key(0), "0312340001", 16)
    );
    assert_eq!(db.contracts().await.unwrap()[0].ids[0].role, "basic");
    refused(db.init("other.example").await, "realm");

    // R12: one ID, no representative number.
    refused(order(db, one, rep("0312340000", &["201"])).await, "R12");
    // R11, R1: a number has one owner and one role, however it is written.
    refused(order(db, one, id("０３－１２３４－０００１", "202")).await, "R11");
    refused(order(db, one, id("119", "202")).await, "R1");
    refused(order(db, one, id("0312340002", "201")).await, "R30");
    order(db, one, id("+81312340002", "202")).await.unwrap();
    refused(order(db, one, rep("0312340001", &["201"])).await, "R1");
    refused(order(db, one, rep("0312340000", &["209"])).await, "R4");
    assert!(db.contracts().await.unwrap()[0].reps.is_empty());

    // R13: as many as IDs; the fourth needs a review (R14).
    order(db, one, rep("0312340000", &["201", "202"])).await.unwrap();
    order(db, one, rep("0312340010", &["202"])).await.unwrap();
    refused(order(db, one, rep("0312340020", &["201"])).await, "R13");
    for (direct, extension) in [("0312340003", "203"), ("0312340004", "204")] {
        order(db, one, id(direct, extension)).await.unwrap();
    }
    order(db, one, rep("0312340020", &["201"])).await.unwrap();
    refused(order(db, one, rep("0312340030", &["201"])).await, "R14");
    let (other, _) = contract(db, "田中工業").await;
    refused(order(db, other, id("0312340020", "201")).await, "R1");

    // R9, R22: what an ID may present is a closed set.
    refused(order(db, one, present(0, "0312340002")).await, "R9");
    refused(order(db, one, present(0, "0312340010")).await, "R9");
    order(db, one, present(0, "0312340020")).await.unwrap();
    assert_eq!(db.contracts().await.unwrap()[0].ids[0].outgoing, "0312340020");
    // Who leaves the group, or loses it, presents the direct number again.
    let others = RepChange {
        members: extensions(&["202"]),
        ..RepChange::default()
    };
    order(db, one, Command::ChangeRep(number("0312340020"), others))
        .await
        .unwrap();
    assert_eq!(db.contracts().await.unwrap()[0].ids[0].outgoing, "0312340001");

    // R12, R13, R16: what may not be given back.
    refused(order(db, one, Command::RemoveId(key(0))).await, "R16");
    order(db, one, Command::RemoveId(key(3))).await.unwrap();
    refused(order(db, one, Command::RemoveId(key(2))).await, "R13");
    order(db, one, Command::RemoveRep(number("0312340020")))
        .await
        .unwrap();
    refused(
        order(db, one, Command::RemoveRep(number("0312340020"))).await,
        "R1",
    );
    order(db, one, Command::RemoveId(key(2))).await.unwrap();
    refused(order(db, one, Command::RemoveId(key(1))).await, "R12");
    // What was given back is free again.
    order(db, other, id("0312340020", "201")).await.unwrap();
}

/// R14: asked for, reviewed, decided.
#[tokio::test]
async fn a_fourth_representative_number_is_reviewed() {
    let dir = tempfile::tempdir().unwrap();
    let db = &Db::open(dir.path()).await.unwrap();
    let (one, _) = contract(db, "山田商店").await;
    for place in 1..=5 {
        order(db, one, id(&direct(place), &format!("20{place}")))
            .await
            .unwrap();
    }
    for place in [10, 20, 30] {
        order(db, one, rep(&direct(place), &["201"])).await.unwrap();
    }
    let ask = |place| match rep(&direct(place), &["202"]) {
        Command::AddRep { rep, .. } => Command::AddRep {
            rep,
            usage: "サポートセンター".into(),
        },
        other => panic!("{other:?}"),
    };
    let done = order(db, one, ask(40)).await.unwrap();
    assert!(done.effects.contains(&Effect::Review(1)), "{:?}", done.effects);
    let row = db.contracts().await.unwrap().remove(0);
    assert_eq!(
        (row.reps.len(), row.requests[0].number.as_str()),
        (3, "0312340040")
    );
    // It is nobody's until then; and the customer does not decide.
    assert_eq!(db.owner(number("0312340040")).await.unwrap(), None);
    let customer = Ask {
        actor: Actor::Customer,
        ..Ask::default()
    };
    let approve = || Command::DecideRep(1, Decision::Approve);
    refused(db.order(one, customer, |_| Ok(approve())).await, "operator");
    order(db, one, approve()).await.unwrap();
    let row = db.contracts().await.unwrap().remove(0);
    assert_eq!((row.reps.len(), row.requests.len()), (4, 0));
    assert_eq!(db.owner(number("0312340040")).await.unwrap(), Some(one));
    refused(order(db, one, approve()).await, "R14");
    order(db, one, ask(50)).await.unwrap();
    order(
        db,
        one,
        Command::DecideRep(2, Decision::Refuse("用途不明".into())),
    )
    .await
    .unwrap();
    assert_eq!(db.owner(number("0312340050")).await.unwrap(), None);
}

/// R18: a geographic number belongs to its site's address, of which emergency services know.
#[tokio::test]
async fn numbers_belong_to_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let db = &Db::open(dir.path()).await.unwrap();
    let one = db.create_contract("山田商店", Customer::Corporate).await.unwrap();
    refused(order(db, one, id("0312340001", "201")).await, "site");
    let site = db.create_site(one, "本社", None).await.unwrap();
    refused(order(db, one, id("0312340001", "201")).await, "R18");
    order(db, one, id("05012340001", "201")).await.unwrap();
    refused(order(db, one, Command::ConfirmEmergency(site)).await, "R18");
    let done = order(db, one, Command::Move(site, ADDRESS.into())).await.unwrap();
    assert!(done.effects.contains(&Effect::ConfirmEmergency(site)));
    refused(order(db, one, id("0312340001", "202")).await, "emergency");
    order(db, one, Command::ConfirmEmergency(site)).await.unwrap();
    order(db, one, id("0312340001", "202")).await.unwrap();
    refused(order(db, one, id("0480123456", "203")).await, "R18");
    refused(
        order(db, one, Command::Move(site, "埼玉県さいたま市浦和区".into())).await,
        "R18",
    );
    // Another list of areas, or one that cannot be read.
    refused(db.import_areas(b"nonsense", None).await, "areas");
    order(db, one, id("0312340003", "203")).await.unwrap();
}

/// Who waits for an order does not wait for the official lists, unless the order asks for areas.
#[tokio::test]
async fn lists_are_read_where_they_matter() {
    let dir = tempfile::tempdir().unwrap();
    let db = &Db::open(dir.path()).await.unwrap();
    let (one, _) = contract(db, "山田商店").await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("denwaban.db"));
    let mut damaged = sqlx::sqlite::SqliteConnection::connect_with(&options)
        .await
        .unwrap();
    sqlx::query("INSERT INTO area_file (name, bytes, imported) VALUES ('areas', X'00', 0)")
        .execute(&mut damaged)
        .await
        .unwrap();
    order(db, one, Command::Rename("山田".into())).await.unwrap();
    refused(order(db, one, id("0312340001", "201")).await, "areas");
}

/// What keeps a contract from its calls is told, not swallowed.
#[tokio::test]
async fn an_office_that_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    let db = &Db::open(dir.path()).await.unwrap();
    let (one, _) = contract(db, "山田商店").await;
    let office = async |realm: &str| {
        let stored = db.contract(one).await.unwrap();
        cloud::edge::office(&stored.contract, realm).map(|office| office.contract())
    };
    assert_eq!(office("pbx.example").await, Err(SiteError::NoIds));
    order(db, one, id("0312340001", "201")).await.unwrap();
    assert_eq!(office("pbx.example").await, Ok(one));
    assert_eq!(office(&"x".repeat(65)).await, Err(SiteError::TooLong));
}

#[tokio::test]
async fn sixty_four_ids_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let db = &Db::open(dir.path()).await.unwrap();
    let (one, site) = contract(db, "大きな会社").await;
    let factory = make_box(db, site).await;
    for place in 0..64u32 {
        order(db, one, id(&direct(place), &(200 + place).to_string()))
            .await
            .unwrap();
    }
    refused(order(db, one, id(&direct(64), "299")).await, "R5");
    let loaded = db.site(site).await.unwrap();
    loaded.validate().unwrap();
    assert_eq!((loaded.ids.len(), loaded.sys.channels), (64, 64));
    let desired = cloud::sync::SyncStore::desired(db, factory.box_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(desired.epoch, 64, "one epoch for each change");
}

/// A contract spans its sites: each knows all IDs and has the credentials of its own.
#[tokio::test]
async fn two_sites_of_one_contract() {
    let world = World::new().await;
    let (db, one) = (&world.db, world.contract);
    let osaka = db.create_site(one, "大阪", None).await.unwrap();
    let second = make_box(db, osaka).await.box_id;
    let to = |site| {
        let change = IdChange {
            site: Some(site),
            direct: Some(number("05012340203")),
            ..IdChange::default()
        };
        Command::ChangeId(key(2), change)
    };
    let done = order(db, one, to(osaka)).await.unwrap();
    // R10: it logs in with its new number, and a new password.
    let [login] = &done.logins[..] else {
        panic!("{:?}", done.logins)
    };
    let (tokyo, osaka) = (db.site(SiteId(1)).await.unwrap(), db.site(osaka).await.unwrap());
    assert_eq!((tokyo.ids.len(), osaka.ids.len()), (3, 3));
    let keys = |site: &shared::Site| site.credentials.iter().map(|one| one.key).collect::<Vec<_>>();
    assert_eq!((keys(&tokyo), keys(&osaka)), (vec![key(0), key(1)], vec![key(2)]));
    let text = format!("{}:denwaban.example:{}", login.user, login.password);
    assert_eq!(osaka.credentials[0].ha1_md5, <[u8; 16]>::from(Md5::digest(text)));
    assert_eq!(osaka.reps[0].members.len(), 3, "groups span sites (R4)");
    for of in [world.factory.box_id, second] {
        let desired = cloud::sync::SyncStore::desired(db, of).await.unwrap().unwrap();
        assert!(desired.epoch >= 1, "{of}");
    }
    // A site is not removed under its box, and none has another contract's name.
    refused(order(db, one, Command::RemoveSite(SiteId(2))).await, "site");
    let (other, _) = contract(db, "田中工業").await;
    let taken = NewSite {
        id: SiteId(2),
        name: "支店".into(),
        address: None,
    };
    refused(order(db, other, Command::AddSite(taken)).await, "site");
}

#[tokio::test]
async fn passwords_numbers_and_hosts_are_checked() {
    let world = World::new().await;
    let (db, one) = (&world.db, world.contract);
    for bad in ["", "1234567", "1234567\n8"] {
        let ask = Ask {
            password: Some(bad),
            ..Ask::default()
        };
        refused(
            db.order(one, ask, |_| Ok(id("0312340009", "209"))).await,
            "password",
        );
        let nothing = Command::NewPassword(key(0));
        refused(db.order(one, ask, |_| Ok(nothing)).await, "password");
    }
    for (number, rule) in [
        ("+12025550123", "R1"),
        ("117", "R1"),
        ("09012345678", "R18"),
        ("0120123456", "R18"),
        ("08001234567", "R18"),
        ("0570123456", "R18"),
        ("0990123456", "R18"),
        ("0480123456", "R18"),
    ] {
        refused(order(db, one, id(number, "209")).await, rule);
        refused(order(db, one, rep(number, &["201"])).await, rule);
    }
    order(db, one, id("05012345678", "209")).await.unwrap();

    let site = db.create_site(one, "支店", None).await.unwrap();
    let box_order = BoxOrder {
        site,
        host: "cloud.test",
        sip_port: 5060,
        mqtt_port: 1883,
    };
    let long = "a".repeat(65);
    for host in ["", "http://cloud.test", "cloud test", "cloud:5060", "雲", &long] {
        let order = BoxOrder { host, ..box_order };
        refused(db.new_box(order).await.map(drop), "host");
    }
    for (sip_port, mqtt_port) in [(0, 1883), (5060, 0)] {
        let order = BoxOrder {
            sip_port,
            mqtt_port,
            ..box_order
        };
        refused(db.new_box(order).await.map(drop), "port");
    }
}

/// A new password changes the credential and nothing else.
#[tokio::test]
async fn a_new_password() {
    let world = World::new().await;
    let (db, one) = (&world.db, world.contract);
    let ask = Ask {
        password: Some("another password"),
        ..Ask::default()
    };
    let before = db.site(SiteId(1)).await.unwrap();
    let nothing = Command::NewPassword(key(1));
    let done = db.order(one, ask, |_| Ok(nothing)).await.unwrap();
    assert_eq!(done.logins[0].password, "another password");
    let after = db.site(SiteId(1)).await.unwrap();
    assert_eq!(
        (&before.ids, &before.credentials[0]),
        (&after.ids, &after.credentials[0])
    );
    assert_ne!(before.credentials[1], after.credentials[1]);
    let digest = Md5::digest("0312340002:denwaban.example:another password");
    assert_eq!(after.credentials[1].ha1_md5, <[u8; 16]>::from(digest));
}

#[tokio::test]
async fn a_group_keeps_what_is_not_changed() {
    let world = World::new().await;
    let (db, one) = (&world.db, world.contract);
    let group = async || {
        let rep = db.contracts().await.unwrap().remove(0).reps.remove(0);
        (rep.label, rep.members, rep.ring)
    };
    let all = |label: &str, members: &str, ring: &str| (label.into(), members.into(), ring.into());
    let change = |label: Option<&str>, members, ring| {
        let change = RepChange {
            label: label.map(Into::into),
            members,
            ring,
            ..RepChange::default()
        };
        Command::ChangeRep(number(world::REP), change)
    };
    for (what, then) in [
        (
            change(Some("本社代表"), None, None),
            all("本社代表", "201,202,203", "201,202,203"),
        ),
        (
            change(None, None, extensions(&["202"])),
            all("本社代表", "201,202,203", "202"),
        ),
        (
            change(Some("代表"), None, None),
            all("代表", "201,202,203", "202"),
        ),
        (
            change(None, extensions(&["201", "203"]), None),
            all("代表", "201,203", ""),
        ),
        (
            change(None, None, extensions(&["201", "203"])),
            all("代表", "201,203", "201,203"),
        ),
    ] {
        let text = format!("{what:?}");
        order(db, one, what).await.unwrap();
        assert_eq!(group().await, then, "{text}");
    }
    refused(
        order(db, one, change(None, None, extensions(&["202"]))).await,
        "R4",
    );
    assert_eq!(group().await, all("代表", "201,203", "201,203"));
    // R2: nobody rings; allowed, and worth a warning.
    let done = order(db, one, change(None, extensions(&[]), None)).await.unwrap();
    let warned =
        |effect: &Effect| matches!(effect, Effect::Warning(warning) if warning.rule().to_string() == "R2");
    assert!(done.effects.iter().any(warned), "{:?}", done.effects);
}

/// R25: no ID is left without a number to present, and the refusal says what to do, in both languages.
#[tokio::test]
async fn an_id_keeps_a_number_to_present() {
    let world = World::new().await;
    let (db, one) = (&world.db, world.contract);
    let off = IdChange {
        direct_out: Some(false),
        ..IdChange::default()
    };
    let error = order(db, one, Command::ChangeId(key(1), off.clone()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Order(_)));
    let (en, ja) = (error.text(Lang::En), error.text(Lang::Ja));
    assert!(
        en.starts_with("R25: ") && en.contains("202") && en.contains(world::REP),
        "{en}"
    );
    assert!(ja.starts_with("R25: ") && ja.contains("内線202"), "{ja}");
    let both = IdChange {
        outgoing: Some(number(world::REP)),
        ..off
    };
    order(db, one, Command::ChangeId(key(1), both)).await.unwrap();
    refused(
        order(db, one, Command::RemoveRep(number(world::REP))).await,
        "R25",
    );
    let without = RepChange {
        members: extensions(&["201"]),
        ..RepChange::default()
    };
    refused(
        order(db, one, Command::ChangeRep(number(world::REP), without)).await,
        "R25",
    );
}

/// Two at once, and neither is lost; with the version that was looked at, the second is told.
#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_lost() {
    let world = World::new().await;
    let one = world.contract;
    let second = Db::open(world.dir.path()).await.unwrap();
    let before = world.db.contract(one).await.unwrap().version;
    let mut tasks = tokio::task::JoinSet::new();
    for place in 0..20u32 {
        let db = if place % 2 == 0 {
            world.db.clone()
        } else {
            second.clone()
        };
        let command = id(&direct(100 + place), &(300 + place).to_string());
        tasks.spawn(async move { order(&db, one, command).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let after = world.db.contract(one).await.unwrap();
    assert_eq!((after.version, after.contract.ids.len()), (before + 20, 23));
    assert_eq!(after.contract.check(), Ok(()));
    let log = world.db.log(one).await.unwrap();
    let versions: Vec<i64> = log.iter().map(|row| row.version).collect();
    assert_eq!(
        versions,
        (1..=after.version).collect::<Vec<_>>(),
        "the log has each, once"
    );

    let looked = Ask {
        version: Some(after.version),
        ..Ask::default()
    };
    let rename = |name: &str| Command::Rename(name.into());
    world.db.order(one, looked, |_| Ok(rename("先"))).await.unwrap();
    refused(second.order(one, looked, |_| Ok(rename("後"))).await, "version");
    assert_eq!(world.db.contract(one).await.unwrap().contract.name, "先");
}

/// An order is whole or not at all: document, numbers, log, credentials and configuration together.
#[tokio::test]
async fn an_order_that_fails_leaves_nothing() {
    let world = World::new().await;
    let (db, one, of) = (&world.db, world.contract, world.factory.box_id);
    let state = async || {
        let stored = db.contract(one).await.unwrap();
        let desired = cloud::sync::SyncStore::desired(db, of).await.unwrap();
        let owner = db.owner(number("0312340009")).await.unwrap();
        let site = db.site(SiteId(1)).await.unwrap();
        (
            stored.version,
            stored.contract,
            desired,
            owner,
            site,
            db.log(one).await.unwrap(),
        )
    };
    let before = state().await;
    db.fail_commits(1);
    assert!(matches!(
        order(db, one, id("0312340009", "209")).await,
        Err(Error::Failed(_))
    ));
    assert_eq!(state().await, before);
    order(db, one, id("0312340009", "209")).await.unwrap();
    let after = state().await;
    assert_eq!((after.0, after.3), (before.0 + 1, Some(one)));
    assert_eq!(after.2.unwrap().epoch, before.2.unwrap().epoch + 1);
    assert_eq!(after.4.credentials.len(), 4);
}

/// The log says who asked for what, in the words of the order.
#[tokio::test]
async fn the_log_can_be_read_again() {
    let world = World::new().await;
    let (db, one) = (&world.db, world.contract);
    let suspension = Suspension {
        cause: SuspensionCause::Unpaid,
        reason: "10月分".into(),
        by: "経理".into(),
        since: "2026-11-01".parse().unwrap(),
    };
    let command = Command::Suspend(Some(number(world::REP)), suspension);
    order(db, one, command.clone()).await.unwrap();
    let row = db.log(one).await.unwrap().pop().unwrap();
    assert_eq!(
        (row.actor.as_str(), &row.command),
        ("operator", &serde_json::to_string(&command).unwrap())
    );
    assert!(row.command.contains("\"0312340000\""), "{}", row.command);
    // Taking a cap away is not the same as leaving it.
    for sub_cap in [Some(Some(2)), Some(None)] {
        let change = RepChange {
            sub_cap,
            ..RepChange::default()
        };
        let command = Command::ChangeRep(number(world::REP), change);
        order(db, one, command.clone()).await.unwrap();
        let row = db.log(one).await.unwrap().pop().unwrap();
        assert_eq!(serde_json::from_str::<Command>(&row.command).unwrap(), command);
    }
    for row in db.log(one).await.unwrap() {
        serde_json::from_str::<Command>(&row.command).unwrap();
    }
    let shown = db.contracts().await.unwrap().remove(0);
    assert_eq!(shown.reps[0].state, "suspended");
}
