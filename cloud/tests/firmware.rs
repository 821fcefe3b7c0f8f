//! Firmware of phones: what the makers give, what sites want, and how a box fetches it.

mod operator;
mod world;

use std::path::{Path, PathBuf};

use cloud::db::{Db, FirmwareSite};
use cloud::sync::{Report, SyncStore as _};
use operator::{columns, command, json, office, program, refused};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared::hub::{FIRMWARE_ROOM, PhoneFirmware, PhoneModel};
use shared::id::SiteId;
use shared::record::Stamp;
use shared::sync::{
    Alarm, Down, Event, EventBody, EventId, FileChunk, FileGet, MAX_CHUNK, Message as _, Topic, Up,
};
use world::{ScriptedBox, World, make_box};

/// Bytes that repeat nowhere near.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What a site wants, as its box is told.
async fn wanted(db: &Db, site: SiteId) -> Vec<PhoneFirmware> {
    db.site(site).await.unwrap().sys.firmware.to_vec()
}

#[test]
fn files_are_kept_and_named_by_sites() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    json(&data, &["site", "create", "--contract", "1", "--name", "支店"]);
    let bytes = noise(5_000, 1);
    let path = file(dir.path(), "gxp1600fw.bin", &bytes);
    let path = path.to_str().unwrap();
    let add = ["phone", "firmware", "add", "gxp1628", "1.0.7.64", path];
    let list = ["phone", "firmware", "list"];
    let text = |args: &[&str]| String::from_utf8(command(&data, args).stdout).unwrap();
    assert_eq!(text(&list), "firmware for: none\n");
    let added = json(&data, &add);
    let expected = json!({
        "model": "Grandstream GXP1628", "version": "1.0.7.64", "file": "gxp1600fw.bin", "size": 5_000,
    });
    assert_eq!(added, expected);

    // What cannot be a firmware.
    refused(
        &data,
        &add,
        2,
        "firmware: there is a firmware 1.0.7.64 of Grandstream GXP1628 already",
    );
    let empty = file(dir.path(), "empty.bin", &[]);
    let huge = file(dir.path(), "huge.bin", &vec![0; FIRMWARE_ROOM as usize + 1]);
    let config = file(dir.path(), "cfg000b82000001.bin", &bytes);
    let odd = file(dir.path(), "gxp 1600.bin", &bytes);
    let long = file(dir.path(), &format!("{}.bin", "x".repeat(29)), &bytes);
    for (file, version, words) in [
        (&empty, "1.0", "firmware: empty.bin is empty"),
        (
            &huge,
            "1.0",
            "firmware: huge.bin is larger than the 10481664 bytes",
        ),
        (&config, "1.0", "firmware: phones cannot ask for a file"),
        (&odd, "1.0", "firmware: phones cannot ask for a file"),
        (&long, "1.0", "firmware: phones cannot ask for a file"),
        (
            &PathBuf::from(path),
            "1.0 beta",
            "firmware: phones cannot ask for a file",
        ),
        (
            &PathBuf::from(path),
            "12345678901234567",
            "firmware: phones cannot ask for a file",
        ),
        (
            &PathBuf::from(path),
            "none",
            "firmware: phones cannot ask for a file",
        ),
    ] {
        let add = [
            "phone",
            "firmware",
            "add",
            "gxp1628",
            version,
            file.to_str().unwrap(),
        ];
        refused(&data, &add, 2, words);
    }
    let missing = dir.path().join("missing.bin");
    let add = [
        "phone",
        "firmware",
        "add",
        "gxp1628",
        "1.0",
        missing.to_str().unwrap(),
    ];
    refused(&data, &add, 1, "reading ");
    refused(
        &data,
        &["phone", "firmware", "add", "gxp9999", "1.0", path],
        2,
        "invalid value",
    );

    // What sites want.
    let set =
        |site: &'static str, version: &'static str| ["phone", "firmware", "set", site, "gxp1628", version];
    refused(
        &data,
        &set("1", "1.0.7.65"),
        2,
        "firmware: there is no firmware 1.0.7.65 of Grandstream GXP1628",
    );
    refused(&data, &set("9", "1.0.7.64"), 2, "site");
    for site in ["1", "2"] {
        json(&data, &set(site, "1.0.7.64"));
    }
    let row = text(&list)
        .lines()
        .last()
        .map(|line| columns(line).join("|"))
        .unwrap();
    let digest: String = sha256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        row,
        format!("Grandstream GXP1628|1.0.7.64|gxp1600fw.bin|5000|1 awaited, 2 awaited|{digest}")
    );
    let rows = json(&data, &list);
    assert_eq!(
        rows[0]["sites"],
        json!([
            { "site": 1, "state": "awaited" }, { "site": 2, "state": "awaited" },
        ])
    );
    assert_eq!(rows[0]["sha256"], digest);
    let remove = ["phone", "firmware", "remove", "gxp1628", "1.0.7.64"];
    refused(
        &data,
        &remove,
        2,
        "firmware: phones of site 1 and 1 more shall run it",
    );
    json(&data, &set("1", "none"));
    refused(&data, &remove, 2, "firmware: phones of site 2 shall run it");
    // A site that goes wants nothing.
    json(&data, &["site", "remove", "--site", "2"]);
    json(&data, &remove);
    refused(&data, &remove, 2, "firmware: there is no firmware");
    assert_eq!(json(&data, &list), json!([]));
    json(&data, &set("1", "none"));
}

/// What does not fit into a box, or cannot be asked for by name, is no configuration.
#[tokio::test]
async fn a_site_wants_what_its_box_can_keep() {
    let world = World::new().await;
    let db = &world.db;
    let site = SiteId(1);
    let issued = async || db.boxes().await.unwrap()[0].issued;
    let shared_file = noise(9_000, 2);
    let half = noise(FIRMWARE_ROOM as usize / 2 + 1, 3);
    for (model, version, name, bytes) in [
        (PhoneModel::Gxp1628, "1", "a.bin", &half),
        (PhoneModel::KxHdv230n, "1", "b.bin", &noise(half.len(), 4)),
        (PhoneModel::Ht801, "1", "ht80xfw.bin", &shared_file),
        (PhoneModel::Ht802, "1", "ht80xfw.bin", &shared_file),
        (PhoneModel::Ht802, "2", "ht802fw.bin", &shared_file),
        (PhoneModel::Ht802, "3", "HT80XFW.BIN", &noise(10, 5)),
    ] {
        db.add_firmware(model, version, name, bytes).await.unwrap();
    }
    db.set_firmware(site, PhoneModel::Gxp1628, Some("1"))
        .await
        .unwrap();
    db.set_firmware(site, PhoneModel::Ht801, Some("1")).await.unwrap();
    let before = (wanted(db, site).await, issued().await);
    assert_eq!(before.0.len(), 2);
    for (model, version) in [
        (PhoneModel::KxHdv230n, "1"),
        (PhoneModel::Ht802, "2"),
        (PhoneModel::Ht802, "3"),
        (PhoneModel::Ht802, "4"),
    ] {
        world::refused(db.set_firmware(site, model, Some(version)).await, "firmware");
        assert_eq!((wanted(db, site).await, issued().await), before);
    }
    // Two models may share a file, and what is set again is no change.
    db.set_firmware(site, PhoneModel::Ht802, Some("1")).await.unwrap();
    assert_eq!((wanted(db, site).await.len(), issued().await), (3, before.1 + 1));
    db.set_firmware(site, PhoneModel::Ht802, Some("1")).await.unwrap();
    assert_eq!(issued().await, before.1 + 1);
    // A file is gone with the last who has it.
    db.remove_firmware(PhoneModel::Ht802, "2").await.unwrap();
    let hash = sha256(&shared_file);
    let first = db.file(world.factory.box_id, &hash, 0, 10).await.unwrap();
    assert_eq!(first.as_deref(), shared_file.get(..10));
    // A failed commit changes nothing.
    db.fail_commits(1);
    db.set_firmware(site, PhoneModel::Ht802, None).await.unwrap_err();
    assert_eq!(wanted(db, site).await.len(), 3);
    // An ended contract wants nothing more.
    world::order(db, world.contract, contract::Command::End)
        .await
        .unwrap();
    let ended = db.set_firmware(site, PhoneModel::Ht802, None).await;
    assert!(matches!(
        ended,
        Err(cloud::refusal::Error::Order(contract::Refusal::Ended(_)))
    ));
}

/// The HT802 of a site shall run this.
async fn give(db: &Db, site: SiteId, bytes: &[u8]) {
    let model = PhoneModel::Ht802;
    db.add_firmware(model, "1.0.61", "ht802fw.bin", bytes)
        .await
        .unwrap();
    db.set_firmware(site, model, Some("1.0.61")).await.unwrap();
}

/// A box and the file that its site wants.
type Asker<'a> = (&'a mut ScriptedBox, [u8; 32]);

/// Asks for a part of a file; nothing if `witness`, who asks behind it, is answered first.
async fn ask((script, hash): Asker<'_>, offset: u32, (witness, theirs): Asker<'_>) -> Option<Vec<u8>> {
    let len = MAX_CHUNK as u16;
    script.say(Up::FileGet, &FileGet { hash, offset, len }).await;
    // It is heard of before the witness asks.
    script.hello(0, [0; 32]).await;
    script.app_ack().await;
    let get = FileGet {
        hash: theirs,
        offset: 0,
        len,
    };
    witness.say(Up::FileGet, &get).await;
    witness.next(Down::FileChunk).await;
    // What was on its way is here.
    script.hello(0, [0; 32]).await;
    script.app_ack().await;
    let message = script.got(Down::FileChunk)?;
    let chunk = FileChunk::decode(&message).unwrap();
    assert_eq!((chunk.hash, chunk.offset), (hash, offset));
    Some(chunk.data.to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_fetches_what_its_site_wants_and_tells_that_it_has_it() {
    let world = World::new().await;
    let db = &world.db;
    let running = world.serve(None).await;
    let broker = running.mqtt.unwrap();
    let (_, other) = world::office(db, 100).await;
    let bytes = noise(1_000, 9);
    give(db, SiteId(2), &bytes).await;
    let theirs = sha256(&bytes);
    let id = world.factory.box_id.to_string();
    let mut script = ScriptedBox::connect(broker, &world.factory).await;
    let mut stranger = ScriptedBox::connect(broker, &other).await;
    script.hello(0, [0; 32]).await;
    script.app_ack().await;
    let first = script.manifest().await;
    assert!(script.pull_site(&first).await.sys.firmware.is_empty());

    let bytes = noise(150_000, 6);
    let hash = sha256(&bytes);
    let path = file(world.dir.path(), "gxp1600fw.bin", &bytes);
    let add = [
        "phone",
        "firmware",
        "add",
        "gxp1628",
        "1.0.7.64",
        path.to_str().unwrap(),
    ];
    let (done, text) = program(db, &add).await;
    assert!(done, "{text}");
    let mine = ask((&mut script, hash), 0, (&mut stranger, theirs)).await;
    assert_eq!(mine, None, "its site does not want it");

    // The order is offered at once, as a configuration is.
    let set = ["phone", "firmware", "set", "1", "gxp1628", "1.0.7.64"];
    let (done, text) = program(db, &set).await;
    assert!(
        done && text == "Grandstream GXP1628 at site 1 shall run 1.0.7.64\n",
        "{text}"
    );
    let mut next = script.manifest().await;
    while next.epoch == first.epoch {
        next = script.manifest().await;
    }
    assert_eq!(next.epoch, first.epoch + 1);
    let [firmware] = &script.pull_site(&next).await.sys.firmware[..] else {
        panic!("one firmware");
    };
    assert_eq!(
        (firmware.model, firmware.name.as_str(), firmware.version.as_str()),
        (PhoneModel::Gxp1628, "gxp1600fw.bin", "1.0.7.64")
    );
    assert_eq!((firmware.size, firmware.hash), (150_000, hash));

    // Piece by piece, from anywhere, and as often as it is asked.
    let mut fetched = Vec::new();
    while fetched.len() < bytes.len() {
        let offset = fetched.len() as u32;
        let get = FileGet {
            hash,
            offset,
            len: 1_000,
        };
        script.say(Up::FileGet, &get).await;
        let message = script.next(Down::FileChunk).await;
        let chunk = FileChunk::decode(&message).unwrap();
        assert_eq!((chunk.hash, chunk.offset), (hash, offset));
        fetched.extend_from_slice(chunk.data);
    }
    assert_eq!(sha256(&fetched), hash);
    let piece = ask((&mut script, hash), 77, (&mut stranger, theirs)).await;
    assert!(piece.as_deref() == bytes.get(77..77 + MAX_CHUNK));
    let behind = ask((&mut script, hash), 150_000, (&mut stranger, theirs)).await;
    assert_eq!(behind, None, "nothing is behind the end");
    assert_eq!(
        ask((&mut script, [1; 32]), 0, (&mut stranger, theirs)).await,
        None
    );
    let other = ask((&mut stranger, hash), 0, (&mut script, hash)).await;
    assert_eq!(other, None, "another site's box");
    // In the name of another box nothing is asked.
    let topic = Topic::Up(world.factory.box_id, Up::FileGet).name();
    let mut buf = [0; 64];
    let get = FileGet {
        hash,
        offset: 0,
        len: 9,
    };
    stranger.publish(&topic, get.encode(&mut buf).unwrap()).await;
    stranger.hello(0, [0; 32]).await;
    stranger.app_ack().await;
    assert_eq!(
        ask((&mut script, [1; 32]), 0, (&mut stranger, theirs)).await,
        None
    );
    assert_eq!(stranger.strangers(), [""; 0]);

    // What it tells.
    let state = async || match &db.firmware().await.unwrap()[0].sites[..] {
        [FirmwareSite { site: 1, state }] => state.clone(),
        sites => panic!("{sites:?}"),
    };
    let mut seq = 0;
    let mut tell = async |script: &mut ScriptedBox, body: EventBody| {
        seq += 1;
        let id = EventId { boot: 1, seq };
        let at = Stamp::default();
        script.events(&[Event { id, at, body }]).await;
        script.app_ack_up_to(id).await;
    };
    let model = PhoneModel::Gxp1628;
    let whole = |hash| EventBody::PhoneFirmware { model, hash };
    let alarm = |raised| {
        let alarm = Alarm::PhoneFirmware(model);
        EventBody::Alarm { alarm, raised }
    };
    assert_eq!(state().await, "awaited");
    for (body, expected) in [
        (whole([1; 32]), "awaited"),
        (alarm(true), "damaged"),
        (alarm(false), "awaited"),
        (alarm(true), "damaged"),
        (whole(hash), "verified"),
        (alarm(false), "verified"),
    ] {
        tell(&mut script, body).await;
        assert_eq!(state().await, expected);
    }
    let events = db.events(10).await.unwrap();
    let texts: Vec<&str> = events.iter().map(|row| row.text.as_str()).collect();
    assert!(texts.contains(&"what was fetched as firmware of Grandstream GXP1628 has another digest"));
    assert!(
        texts.contains(&"firmware of Grandstream GXP1628 with another digest is over"),
        "{texts:?}"
    );
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("firmware of Grandstream GXP1628 is in the box, SHA-256 "))
    );
    assert_eq!(
        events.iter().filter(|row| row.kind == "phone_firmware").count(),
        2
    );

    // It is shown with the box, also without a report of its ports.
    running.stop().await;
    let (done, text) = program(db, &["box", "show", &id]).await;
    assert!(done, "{text}");
    let lines: Vec<_> = text.lines().map(columns).collect();
    assert_eq!(
        lines[1],
        ["firmware for", "version", "file", "bytes", "in the box"],
        "{text}"
    );
    assert_eq!(
        lines[2],
        [
            "Grandstream GXP1628",
            "1.0.7.64",
            "gxp1600fw.bin",
            "150000",
            "verified"
        ]
    );
    let (_, text) = program(db, &["box", "show", &id, "--json"]).await;
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["phone_firmware"][0]["state"], "verified");
}

/// What a box told of a file holds as long as the file stays where it is in its flash.
#[tokio::test]
async fn what_moves_is_fetched_anew() {
    let world = World::new().await;
    let db = &world.db;
    let site = SiteId(1);
    let of = world.factory.box_id;
    let states = async || {
        let shown = db.hub(db.accounts().await.unwrap()[0].id).await.unwrap();
        let states = shown.phone_firmware.into_iter();
        states
            .map(|row| format!("{} {}", row.version, row.state))
            .collect::<Vec<_>>()
    };
    let adapters = noise(5_000, 7);
    for (model, version, name, bytes) in [
        (PhoneModel::Gxp1628, "g1", "g1.bin", &noise(4_096, 8)),
        (PhoneModel::Gxp1628, "g2", "g2.bin", &noise(4_000, 9)),
        (PhoneModel::Gxp1628, "g3", "g3.bin", &noise(4_097, 10)),
        (PhoneModel::Ht801, "h1", "ht80xfw.bin", &adapters),
        (PhoneModel::Ht802, "h2", "ht80xfw.bin", &adapters),
    ] {
        db.add_firmware(model, version, name, bytes).await.unwrap();
    }
    let set = async |model, version| db.set_firmware(site, model, version).await.unwrap();
    set(PhoneModel::Gxp1628, Some("g1")).await;
    set(PhoneModel::Ht801, Some("h1")).await;
    assert_eq!(states().await, ["g1 awaited", "h1 awaited"]);
    let mut seq = 0;
    let mut tell = async |model, bytes: &[u8]| {
        seq += 1;
        let hash = sha256(bytes);
        let id = EventId { boot: 1, seq };
        let event = Event {
            id,
            at: Stamp::default(),
            body: EventBody::PhoneFirmware { model, hash },
        };
        let mut buf = [0; shared::sync::MAX_EVENT];
        let bytes = event.encode(&mut buf).unwrap().to_vec();
        let event = Some(event);
        let event = cloud::sync::Received { id, bytes, event };
        db.commit_events(of, &[event], 0).await.unwrap();
    };
    tell(PhoneModel::Gxp1628, &noise(4_096, 8)).await;
    tell(PhoneModel::Ht801, &adapters).await;
    assert_eq!(states().await, ["g1 verified", "h1 verified"]);
    // Another that takes as many sectors; one that takes more; none; another model with the same file.
    set(PhoneModel::Gxp1628, Some("g2")).await;
    assert_eq!(states().await, ["g2 awaited", "h1 verified"]);
    set(PhoneModel::Ht802, Some("h2")).await;
    assert_eq!(states().await, ["g2 awaited", "h1 verified", "h2 verified"]);
    set(PhoneModel::Ht801, None).await;
    assert_eq!(states().await, ["g2 awaited", "h2 verified"]);
    set(PhoneModel::Gxp1628, Some("g3")).await;
    assert_eq!(states().await, ["g3 awaited", "h2 awaited"]);
    set(PhoneModel::Ht801, Some("h1")).await;
    tell(PhoneModel::Ht801, &adapters).await;
    assert_eq!(states().await, ["g3 awaited", "h1 verified", "h2 verified"]);
    set(PhoneModel::Gxp1628, None).await;
    assert_eq!(states().await, ["h1 awaited", "h2 awaited"]);
    tell(PhoneModel::Ht801, &adapters).await;
    // Taken back before the box has heard of it: it has it still. Afterwards: no more.
    assert_eq!(states().await, ["h1 verified", "h2 verified"]);
    let uses = async |has_applied: bool| {
        let desired = db.desired(of).await.unwrap().unwrap();
        let (epoch, root) = (desired.epoch, desired.root());
        if has_applied {
            let ack = shared::sync::Ack { epoch, root };
            db.report(of, &Report::Applied(ack)).await.unwrap();
        }
    };
    for (has_applied, expected) in [(false, "verified"), (true, "awaited")] {
        uses(true).await;
        set(PhoneModel::Gxp1628, Some("g1")).await;
        assert_eq!(states().await, ["g1 awaited", "h1 awaited", "h2 awaited"]);
        uses(has_applied).await;
        set(PhoneModel::Gxp1628, None).await;
        assert_eq!(
            states().await,
            [format!("h1 {expected}"), format!("h2 {expected}")]
        );
    }
    uses(true).await;
    tell(PhoneModel::Ht801, &adapters).await;
    assert_eq!(states().await, ["h1 verified", "h2 verified"]);
    // One that was told by a configuration of another cloud has it still; one that lost its flash has nothing.
    let hello = |epoch| shared::sync::Hello {
        protocol: shared::sync::PROTOCOL,
        boot: 2,
        epoch,
        root: [1; 32],
        firmware: Default::default(),
        rx_max: 4_096,
        queued: 0,
        refused: 0,
    };
    for (epoch, expected) in [(1_000, "verified"), (0, "awaited")] {
        db.report(of, &Report::Online(hello(epoch))).await.unwrap();
        assert_eq!(
            states().await,
            [format!("h1 {expected}"), format!("h2 {expected}")]
        );
    }
    tell(PhoneModel::Ht801, &adapters).await;
    // Another box has nothing yet.
    db.remove_box(of).await.unwrap();
    make_box(db, site).await;
    assert_eq!(states().await, ["h1 awaited", "h2 awaited"]);
}
