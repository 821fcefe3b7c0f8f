//! The database of a simulation, and how it fails.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use cloud::sync::{Desired, Encoded, MemoryStore, Received, Report, SyncStore};
use shared::id::BoxId;
use shared::site::{Hash, SectionKind};
use shared::sync::{EventId, HubReport};

use crate::rng::Rng;

/// The database, which stays when the process goes, and which may fail: before anything was done, or after all was done
/// and only the answer is lost.
#[derive(Clone)]
pub struct Database {
    store: Arc<MemoryStore>,
    trouble: Arc<Mutex<(Rng, u32)>>,
}

/// The database failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database is down")
    }
}

impl Database {
    pub(super) fn new(rng: Rng) -> Self {
        Database {
            store: Arc::default(),
            trouble: Arc::new(Mutex::new((rng, 0))),
        }
    }

    /// From now on so many operations in a thousand fail.
    pub fn set_failures(&self, permille: u32) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).1 = permille;
    }

    /// Keeps a maker's file.
    pub fn keep_file(&self, bytes: &[u8]) {
        self.store.keep_file(bytes);
    }

    /// The events stored from a box, in the order of arrival.
    pub fn events(&self, from: BoxId) -> Vec<Received> {
        self.store.events(from)
    }

    /// What a box told last of its ports.
    pub fn hub(&self, from: BoxId) -> Option<HubReport> {
        let hub = |report| match report {
            Report::Hub(hub) => Some(*hub),
            _ => None,
        };
        self.store.reports(from).into_iter().rev().find_map(hub)
    }

    async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, <MemoryStore as SyncStore>::Error>>,
    ) -> Result<T, Down> {
        let (fails, late) = {
            let (rng, permille) = &mut *self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            (rng.chance(*permille), rng.chance(500))
        };
        if fails && !late {
            return Err(Down);
        }
        let done = work.await.map_err(|_| Down)?;
        if fails { Err(Down) } else { Ok(done) }
    }
}

impl SyncStore for Database {
    type Error = Down;

    async fn desired(&self, of: BoxId) -> Result<Option<Desired>, Down> {
        self.run(self.store.desired(of)).await
    }
    async fn section(&self, of: BoxId, kind: SectionKind, hash: &Hash) -> Result<Option<Vec<u8>>, Down> {
        self.run(self.store.section(of, kind, hash)).await
    }
    async fn file(&self, of: BoxId, hash: &Hash, offset: u32, len: usize) -> Result<Option<Vec<u8>>, Down> {
        self.run(self.store.file(of, hash, offset, len)).await
    }
    async fn issue(
        &self,
        to: BoxId,
        sections: &[Encoded; 4],
        issued: u64,
        above: u64,
    ) -> Result<Desired, Down> {
        self.run(self.store.issue(to, sections, issued, above)).await
    }
    async fn commit(&self, from: BoxId, events: &[Received], now: u64) -> Result<(), Down> {
        self.run(self.store.commit(from, events, now)).await
    }
    async fn last_event(&self, from: BoxId) -> Result<Option<EventId>, Down> {
        self.run(self.store.last_event(from)).await
    }
    async fn report(&self, from: BoxId, report: &Report) -> Result<(), Down> {
        self.run(self.store.report(from, report)).await
    }
}
