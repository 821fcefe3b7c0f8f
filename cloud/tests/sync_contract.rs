//! What the sync engine expects of its store, asked of both: the one in memory, which the simulations use, and SQLite.

mod world;

use cloud::sync::{Encoded, Failed, MemoryStore, Received, SyncStore, When, encode};
use sha2::{Digest as _, Sha256};
use shared::hub::{PhoneFirmware, PhoneModel};
use shared::id::{BoxId, SiteId};
use shared::site::{Hash, SectionKind, Site, root_hash};
use shared::sync::EventId;
use world::{World, office, received};

/// Events: once each, in the order of arrival, a batch wholly or not at all, every box for itself.
async fn events<S: SyncStore>(store: &S, of: BoxId, other: BoxId, fail_next: impl Fn()) {
    let last = async |from| store.last_event(from).await.unwrap();
    assert_eq!(last(of).await, None);
    let batch = [received(1, 0), received(1, 1), received(2, 0)];
    store.commit(of, &batch, 5).await.unwrap();
    assert_eq!(last(of).await, Some(EventId { boot: 2, seq: 0 }));
    store.commit(of, &batch[..2], 6).await.unwrap();
    assert_eq!(last(of).await, Some(EventId { boot: 2, seq: 0 }), "a repetition");
    assert_eq!(last(other).await, None, "another box has its own");

    fail_next();
    let next = [received(2, 1), received(2, 2)];
    assert!(store.commit(of, &next, 7).await.is_err());
    assert_eq!(
        last(of).await,
        Some(EventId { boot: 2, seq: 0 }),
        "none of the batch"
    );
    store.commit(of, &next, 8).await.unwrap();
    assert_eq!(last(of).await, Some(EventId { boot: 2, seq: 2 }));

    // An event of a newer firmware is kept as it came.
    let id = EventId { boot: 2, seq: 3 };
    let unknown = Received {
        id,
        bytes: vec![9, 9, 9],
        event: None,
    };
    store.commit(of, std::slice::from_ref(&unknown), 9).await.unwrap();
    assert_eq!(last(of).await, Some(id));
}

/// Configurations: the epoch only rises, content is found by its hash and kind, and a failed commit changes nothing.
async fn configurations<S: SyncStore>(store: &S, of: BoxId, other: BoxId, fail_next: impl Fn()) {
    let mut site = Site::EMPTY;
    site.sys.channels = 1;
    site.sys.realm = "office.example".try_into().unwrap();
    let sections: [Encoded; 4] = encode::<S::Error>(&site).unwrap();
    let before = store
        .desired(of)
        .await
        .unwrap()
        .map_or(0, |desired| desired.epoch);
    let first = store.issue(of, &sections, 1_800_000_000, 0).await.unwrap();
    assert!(first.epoch > before);
    let above = store
        .issue(of, &sections, 1_800_000_000, first.epoch + 40)
        .await
        .unwrap();
    assert_eq!(
        (above.epoch, above.root()),
        (first.epoch + 41, root_hash(&above.sections))
    );
    assert_eq!(store.desired(of).await.unwrap().unwrap(), above);
    for encoded in &sections {
        let section = encoded.section;
        let bytes = store.section(of, section.kind, &section.hash).await.unwrap();
        assert_eq!(bytes.as_ref(), Some(&encoded.bytes));
        assert_eq!(store.section(of, section.kind, &[7; 32]).await.unwrap(), None);
    }
    let ids = sections[SectionKind::Ids.index()].section;
    assert_eq!(
        store.section(of, SectionKind::Sys, &ids.hash).await.unwrap(),
        None,
        "of its kind only"
    );
    assert_eq!(
        store.section(BoxId(5), ids.kind, &ids.hash).await.unwrap(),
        None,
        "of its box only"
    );

    fail_next();
    assert!(store.issue(of, &sections, 1_800_000_000, 0).await.is_err());
    assert_eq!(store.desired(of).await.unwrap().unwrap().epoch, above.epoch);
    assert_ne!(
        store.desired(other).await.unwrap().map(|desired| desired.epoch),
        Some(above.epoch)
    );
    assert_eq!(store.desired(BoxId(5)).await.unwrap(), None);
}

/// Files: every place of what the box's configuration names, and nothing else, for nobody else. `named` is its hash.
async fn files<S: SyncStore>(store: &S, of: BoxId, other: BoxId, bytes: &[u8], named: &Hash) {
    let get = async |offset, len| store.file(of, named, offset, len).await.unwrap();
    for (offset, len) in [
        (0, 1_024),
        (1_024, 1_024),
        (1_023, 1_024),
        (1, 1),
        (1_020, 4),
        (1_020, 5),
        (3_000, 1_024),
        (3_071, 1),
        (2_048, 1_024),
    ] {
        let end = bytes.len().min(offset + len);
        let expected = bytes.get(offset..end).filter(|bytes| !bytes.is_empty());
        assert_eq!(
            get(offset as u32, len).await.as_deref(),
            expected,
            "{offset} {len}"
        );
    }
    let end = bytes.len() as u32;
    for offset in [end, end + 1, end + 1_024, u32::MAX] {
        assert_eq!(get(offset, 1_024).await, None, "{offset}");
    }
    assert_eq!(get(0, 0).await, None);
    assert_eq!(store.file(of, &[7; 32], 0, 1_024).await.unwrap(), None);
    assert_eq!(store.file(other, named, 0, 1_024).await.unwrap(), None);
    assert_eq!(store.file(BoxId(5), named, 0, 1_024).await.unwrap(), None);
}

/// Files that end with a piece, and within one.
fn lengths() -> [Vec<u8>; 2] {
    [3_072_usize, 3_050].map(|len| (0..len).map(|index| (index * index / 11) as u8).collect())
}

#[tokio::test]
async fn files_in_memory() {
    for bytes in lengths() {
        let store = MemoryStore::default();
        store.keep_file(&bytes);
        let firmware = PhoneFirmware {
            model: PhoneModel::Ht801,
            name: "ht801fw.bin".try_into().unwrap(),
            version: "1.0.57.4".try_into().unwrap(),
            size: bytes.len() as u32,
            hash: Sha256::digest(&bytes).into(),
        };
        let mut site = Site::EMPTY;
        site.sys.channels = 1;
        site.sys.realm = "office.example".try_into().unwrap();
        let hash = firmware.hash;
        let plain = encode::<Failed>(&site).unwrap();
        store.issue(BoxId(2), &plain, 0, 0).await.unwrap();
        site.sys.firmware.push(firmware).unwrap();
        let naming = encode::<Failed>(&site).unwrap();
        store.issue(BoxId(1), &naming, 0, 0).await.unwrap();
        files(&store, BoxId(1), BoxId(2), &bytes, &hash).await;
    }
}

#[tokio::test]
async fn files_on_sqlite() {
    for bytes in lengths() {
        let world = World::new().await;
        let (_, other) = office(&world.db, 100).await;
        let model = PhoneModel::Ht801;
        let added = world
            .db
            .add_firmware(model, "1.0.57.4", "ht801fw.bin", &bytes)
            .await;
        let hash = added.unwrap().hash;
        world
            .db
            .set_firmware(SiteId(1), model, Some("1.0.57.4"))
            .await
            .unwrap();
        files(&world.db, world.factory.box_id, other.box_id, &bytes, &hash).await;
    }
}

#[tokio::test]
async fn in_memory() {
    let store = MemoryStore::default();
    let fail_next = || {
        let mut first = true;
        store.set_fault(Some(Box::new(move |_| {
            std::mem::take(&mut first).then_some(When::Before)
        })));
    };
    events(&store, BoxId(1), BoxId(2), fail_next).await;
    configurations(&store, BoxId(1), BoxId(2), fail_next).await;
}

#[tokio::test]
async fn on_sqlite() {
    let world = World::new().await;
    let (_, other) = office(&world.db, 100).await;
    let fail_next = || world.db.fail_commits(1);
    events(&world.db, world.factory.box_id, other.box_id, fail_next).await;
    configurations(&world.db, world.factory.box_id, other.box_id, fail_next).await;
}
