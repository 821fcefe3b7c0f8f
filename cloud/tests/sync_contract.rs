//! What the sync engine expects of its store, asked of both: the one in memory, which the simulations use, and SQLite.

mod world;

use cloud::sync::{Encoded, MemoryStore, Received, SyncStore, When, encode};
use shared::id::BoxId;
use shared::site::{SectionKind, Site, root_hash};
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
