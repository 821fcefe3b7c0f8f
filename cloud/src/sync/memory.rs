//! A store in memory, for tests and simulations: the same contract as the database, with failures on demand.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use shared::BoxId;
use shared::site::{Hash, SectionKind};
use shared::sync::EventId;

use super::{Desired, Encoded, Received, Report, SyncStore, firmware};

/// The failure a test asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("injected failure")
    }
}

impl std::error::Error for Failed {}

#[derive(Default)]
struct Row {
    desired: Option<(Desired, [Encoded; 4])>,
    events: Vec<Received>,
    reports: Vec<Report>,
}

/// Decides, for each operation by its number, whether it fails: before anything was done, or after all was done (the
/// answer of a commit that happened can be lost too).
pub type Fault = Box<dyn FnMut(u64) -> Option<When> + Send>;

/// When an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing was done.
    Before,
    /// All was done, but the caller is told it failed.
    After,
}

#[derive(Default)]
struct Inner {
    boxes: HashMap<BoxId, Row>,
    files: HashMap<Hash, Arc<[u8]>>,
    operations: u64,
    fault: Option<Fault>,
}

/// A [`SyncStore`] in memory.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

impl MemoryStore {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on operations fail as this says.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.inner().fault = fault;
    }

    /// Keeps a file, for boxes whose configuration names it.
    pub fn keep_file(&self, bytes: &[u8]) {
        let hash = Sha256::digest(bytes).into();
        self.inner().files.insert(hash, bytes.into());
    }

    /// The events stored from a box, in the order of arrival.
    pub fn events(&self, from: BoxId) -> Vec<Received> {
        self.inner()
            .boxes
            .get(&from)
            .map(|row| row.events.clone())
            .unwrap_or_default()
    }

    /// What was reported of a box.
    pub fn reports(&self, from: BoxId) -> Vec<Report> {
        self.inner()
            .boxes
            .get(&from)
            .map(|row| row.reports.clone())
            .unwrap_or_default()
    }

    /// Goes back to a copy from before the last `epochs` epochs of this box, as after a restore.
    pub fn forget_epochs(&self, of: BoxId, epochs: u64) {
        if let Some((desired, _)) = self.inner().boxes.entry(of).or_default().desired.as_mut() {
            desired.epoch = desired.epoch.saturating_sub(epochs);
        }
    }

    fn run<T>(&self, of: BoxId, work: impl FnOnce(&mut Row) -> T) -> Result<T, Failed> {
        let mut inner = self.inner();
        inner.operations += 1;
        let number = inner.operations;
        let when = inner.fault.as_mut().and_then(|fault| fault(number));
        if when == Some(When::Before) {
            return Err(Failed);
        }
        let done = work(inner.boxes.entry(of).or_default());
        if when == Some(When::After) {
            Err(Failed)
        } else {
            Ok(done)
        }
    }
}

impl SyncStore for MemoryStore {
    type Error = Failed;

    async fn desired(&self, of: BoxId) -> Result<Option<Desired>, Failed> {
        self.run(of, |row| row.desired.as_ref().map(|(desired, _)| desired.clone()))
    }

    async fn section(&self, of: BoxId, kind: SectionKind, hash: &Hash) -> Result<Option<Vec<u8>>, Failed> {
        self.run(of, |row| {
            let (_, sections) = row.desired.as_ref()?;
            let encoded = sections.iter().find(|encoded| encoded.section.kind == kind)?;
            (encoded.section.hash == *hash).then(|| encoded.bytes.clone())
        })
    }

    async fn file(&self, of: BoxId, hash: &Hash, offset: u32, len: usize) -> Result<Option<Vec<u8>>, Failed> {
        let file = self.inner().files.get(hash).cloned();
        self.run(of, |row| {
            let (_, [sys, ..]) = row.desired.as_ref()?;
            let mut named = firmware(sys.section.schema, &sys.bytes).into_iter();
            let file = file.filter(|_| named.any(|firmware| firmware.hash == *hash))?;
            let rest = file.get(offset as usize..)?;
            let bytes = rest.get(..len).unwrap_or(rest);
            (!bytes.is_empty()).then(|| bytes.to_vec())
        })
    }

    async fn issue(
        &self,
        to: BoxId,
        sections: &[Encoded; 4],
        issued: u64,
        above: u64,
    ) -> Result<Desired, Failed> {
        self.run(to, |row| {
            let last = row.desired.as_ref().map_or(0, |(desired, _)| desired.epoch);
            let desired = Desired {
                epoch: last.max(above) + 1,
                issued,
                sections: sections.each_ref().map(|encoded| encoded.section),
            };
            row.desired = Some((desired.clone(), sections.clone()));
            desired
        })
    }

    async fn commit(&self, from: BoxId, events: &[Received], _now: u64) -> Result<(), Failed> {
        self.run(from, |row| {
            for event in events {
                if row.events.iter().all(|stored| stored.id != event.id) {
                    row.events.push(event.clone());
                }
            }
        })
    }

    async fn last_event(&self, from: BoxId) -> Result<Option<EventId>, Failed> {
        self.run(from, |row| row.events.last().map(|event| event.id))
    }

    async fn report(&self, from: BoxId, report: &Report) -> Result<(), Failed> {
        self.run(from, |row| row.reports.push(report.clone()))
    }
}
