//! A database of the time when contracts were tables is carried over, whole.

mod world;

use std::path::Path;
use std::str::FromStr as _;

use cloud::db::Db;
use contract::Command;
use contract::command::{IdChange, RepChange};
use contract::model::Settings;
use shared::id::{ContractId, SiteId};
use shared::route::BlockRule;
use shared::site::TerminalKind;
use shared::{Called, Extension};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use world::{ADDRESS, order, refused, rep};

/// Three contracts, two sites, a box with its configuration, as the program before documents left them.
const BEFORE: &str = include_str!("fixtures/before_documents.sql");

async fn restore(dir: &Path) {
    let options = SqliteConnectOptions::from_str("sqlite:")
        .unwrap()
        .filename(dir.join("denwaban.db"))
        .create_if_missing(true)
        .foreign_keys(false);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(BEFORE).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn the_tables_become_documents() {
    let dir = tempfile::tempdir().unwrap();
    restore(dir.path()).await;
    let db = &Db::open_keyless(dir.path()).await.unwrap();
    let stored = db.stored().await.unwrap();
    assert_eq!(stored.len(), 3);
    for stored in &stored {
        assert_eq!(
            (stored.version, stored.contract.check()),
            (1, Ok(())),
            "{stored:?}"
        );
    }

    let yamada = &stored[0].contract;
    assert_eq!(
        (yamada.name.as_str(), yamada.signed.to_string().as_str()),
        ("山田商店", "2026-11-26")
    );
    let settings = Settings {
        outside_prefix: Some(0),
        international: true,
        busy_frees_apps: false,
    };
    assert_eq!(yamada.settings, settings);
    assert_eq!(yamada.basic().map(|id| id.extension), Extension::new(201));
    let kinds: Vec<_> = yamada.ids.iter().map(|id| (id.kind, id.site)).collect();
    let (tokyo, osaka) = (SiteId(1), SiteId(2));
    assert_eq!(
        kinds,
        [
            (TerminalKind::Fixed, tokyo),
            (TerminalKind::App, tokyo),
            (TerminalKind::Adapter, osaka)
        ]
    );
    assert_eq!(stored[1].contract.name, "\"田中\" 工業");
    assert_eq!(
        stored[1].contract.ids[0].site,
        SiteId(3),
        "an ID without a site got one"
    );
    assert!(stored[2].contract.ids.is_empty());

    // The configuration is what the tables said, and every ID logs in as before.
    let site = db.site(osaka).await.unwrap();
    let presents: Vec<_> = site
        .ids
        .iter()
        .map(|id| {
            (
                id.direct.digits().to_string(),
                id.outgoing.digits().to_string(),
                id.direct_in,
                id.direct_out,
            )
        })
        .collect();
    let id = |direct: &str, outgoing: &str, into, out| (direct.into(), outgoing.into(), into, out);
    assert_eq!(
        presents,
        [
            id("0312340001", "0312340001", true, true),
            id("0312340002", "05012345678", true, false),
            id("0663000001", "0663000001", false, true),
        ]
    );
    let Some(Called::Rep(index)) = site.by_number("0312340000".parse().unwrap()) else {
        panic!("no representative number");
    };
    let group = &site.reps[index];
    let keys = |set: shared::IdSet| set.iter().map(|key| key.index()).collect::<Vec<_>>();
    assert_eq!(
        (keys(group.members), keys(group.ring), group.sub_cap),
        (vec![0, 1, 2], vec![0, 2], Some(1))
    );
    assert_eq!(site.credentials.len(), 1);
    use md5::{Digest as _, Md5};
    let digest = Md5::digest("0663000001:pbx.example:password3");
    assert_eq!(site.credentials[0].ha1_md5, <[u8; 16]>::from(digest));

    // R1 goes on: the numbers have their owners.
    for (number, owner) in [
        ("0312340000", Some(1)),
        ("0312340011", Some(2)),
        ("0312340099", None),
    ] {
        let found = db.owner(number.parse().unwrap()).await.unwrap();
        assert_eq!(found, owner.map(ContractId), "{number}");
    }
    refused(order(db, ContractId(1), rep("0312340011", &["201"])).await, "R1");
    let done = order(db, ContractId(1), Command::Rename("山田".into()))
        .await
        .unwrap();
    assert_eq!(done.version, 2);
}

/// The box is offered what is derived now, once: the next epoch after the one it had.
#[tokio::test]
async fn boxes_get_what_is_derived_now() {
    let dir = tempfile::tempdir().unwrap();
    restore(dir.path()).await;
    let db = Db::open_keyless(dir.path()).await.unwrap();
    let issued = async || db.boxes().await.unwrap()[0].issued;
    assert_eq!(issued().await, 1);
    db.reissue().await.unwrap();
    assert_eq!(issued().await, 2);
    db.reissue().await.unwrap();
    assert_eq!(issued().await, 2);
    db.close().await;
    // Opened again, nothing is carried over twice.
    let db = Db::open_keyless(dir.path()).await.unwrap();
    assert_eq!(db.stored().await.unwrap().len(), 3);
}

/// What such a site has it keeps: only geographic numbers ask for its address, and it is given when the tables know it.
#[tokio::test]
async fn sites_without_an_address() {
    let dir = tempfile::tempdir().unwrap();
    restore(dir.path()).await;
    let db = &Db::open_keyless(dir.path()).await.unwrap();
    let one = ContractId(1);
    let number = |text: &str| text.parse::<shared::Number>().unwrap();
    let key = shared::IdKey::new(0).unwrap();
    let label = IdChange {
        label: Some("窓口".into()),
        ..IdChange::default()
    };
    let name = RepChange {
        label: Some("山田商店です".into()),
        ..RepChange::default()
    };
    for command in [
        Command::RenameSite(SiteId(1), "本店".into()),
        Command::ChangeId(key, label),
        Command::ChangeRep(number("0312340000"), name),
        Command::SetBlockList(0, Some(vec![BlockRule::Withheld])),
        world::id("05012340009", "209"),
    ] {
        order(db, one, command).await.unwrap();
    }
    refused(order(db, one, world::id("0312340009", "210")).await, "R18");

    order(db, one, Command::Move(SiteId(1), ADDRESS.into()))
        .await
        .unwrap();
    order(db, one, Command::ConfirmEmergency(SiteId(1)))
        .await
        .unwrap();
    order(db, one, world::id("0312340009", "210")).await.unwrap();
    // The program does not know 大阪 by itself.
    let osaka = || Command::Move(SiteId(2), "大阪府大阪市北区梅田一丁目".into());
    refused(order(db, one, osaka()).await, "R18");
    let areas = include_str!("../../shared/contract/data/areas.tsv");
    let areas = format!("{areas}385\t大阪府大阪市\t06\t大阪\n");
    db.import_areas(areas.as_bytes(), None).await.unwrap();
    order(db, one, osaka()).await.unwrap();
}
