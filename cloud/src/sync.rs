//! The cloud's side of the synchronisation with the boxes: what to say when a box says something.
//!
//! No sockets, no clock, no database of its own: the fleet service moves messages between this engine and the broker,
//! and a [`SyncStore`] remembers. Nothing that matters is kept in memory, so any process can answer any message, and a
//! message that could not be handled (the store failed) is simply not answered: the box asks again.
//!
//! An event is acknowledged only after [`SyncStore::commit`] returned.

mod memory;
mod store;

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use ed25519_dalek::{Signer, SigningKey};
use shared::BoxId;
use shared::hub::PhoneFirmware;
use shared::site::{Invalid, MAX_SECTION, Section, SectionDecoder, SectionKind, Site, root_hash};
use shared::sync::{
    Ack, AppAck, BatchReader, Chunk, Down, EventBody, EventId, FileChunk, FileGet, Get, Hello, HubOrder,
    HubReport, MAX_CHUNK, MAX_MANIFEST, MAX_MESSAGE, Manifest, Message, MessageError, Nack, NackCode,
    SignedManifest, TestLine, Topic, Up,
};

pub use memory::{Failed, Fault, MemoryStore, When};
pub use store::{Desired, Encoded, Received, Report, SyncStore};

/// First wait before a manifest is offered again, in milliseconds; doubled with every repetition.
const FIRST_WAIT: u64 = 10_000;

/// Longest wait before a manifest is offered again. A box that refuses for a good reason is asked so often too.
const LONGEST_WAIT: u64 = 600_000;

/// A message for a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to publish it.
    pub topic: Topic,
    /// What.
    pub payload: Vec<u8>,
}

/// A message could not be handled. Nothing was lost: the box repeats what it needs.
#[derive(Debug)]
pub enum SyncError<E> {
    /// The topic is none a box sends on.
    Topic,
    /// The payload is not what its topic says.
    Message(MessageError),
    /// The database failed.
    Store(E),
    /// A site that breaks a rule cannot be issued.
    Invalid(Invalid),
}

impl<E: fmt::Display> fmt::Display for SyncError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic => f.write_str("not a topic of a box"),
            Self::Message(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "store: {error}"),
            Self::Invalid(invalid) => write!(f, "invalid site: {invalid}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for SyncError<E> {}

impl<E> From<MessageError> for SyncError<E> {
    fn from(error: MessageError) -> Self {
        Self::Message(error)
    }
}

/// What is worth remembering about a connected box; losing it costs a repetition, no more.
#[derive(Debug, Default)]
struct Peer {
    /// The epoch offered and not yet taken, and when to offer it again.
    offered: Option<Offer>,
}

#[derive(Debug, Default)]
struct Offer {
    epoch: u64,
    again: u64,
    tries: u32,
}

impl Offer {
    /// It was sent: when to send it again.
    fn sent(&mut self, now: u64) {
        self.again = now + (FIRST_WAIT << self.tries.min(10)).min(LONGEST_WAIT);
        self.tries += 1;
    }
}

/// The engine, one for all boxes. Times are milliseconds since 1970.
pub struct Engine<S> {
    store: S,
    key: SigningKey,
    key_epoch: u32,
    peers: Mutex<HashMap<BoxId, Peer>>,
}

impl<S: SyncStore> Engine<S> {
    /// An engine on this store that signs with this key, which is of generation `key_epoch`.
    pub fn new(store: S, key: SigningKey, key_epoch: u32) -> Self {
        Self {
            store,
            key,
            key_epoch,
            peers: Mutex::new(HashMap::new()),
        }
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The boxes that are connected, as far as is known.
    pub fn online(&self) -> Vec<BoxId> {
        let mut online: Vec<_> = self.peers().keys().copied().collect();
        online.sort_unstable();
        online
    }

    fn peers(&self) -> std::sync::MutexGuard<'_, HashMap<BoxId, Peer>> {
        // A panic elsewhere cannot leave the map half changed: every use is one call on it.
        self.peers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A box published something.
    pub async fn message(
        &self,
        now: u64,
        topic: &str,
        payload: &[u8],
    ) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        let Some(Topic::Up(from, kind)) = Topic::parse(topic) else {
            return Err(SyncError::Topic);
        };
        match kind {
            Up::Hello => self.hello(now, from, Hello::decode(payload)?).await,
            Up::Get => self.get(from, Get::decode(payload)?).await,
            Up::FileGet => self.file_get(from, FileGet::decode(payload)?).await,
            Up::Ack => {
                let ack = Ack::decode(payload)?;
                // An acknowledgement of an older configuration does not take back the offer of a newer one.
                if let Some(peer) = self.peers().get_mut(&from) {
                    peer.offered.take_if(|offer| offer.epoch <= ack.epoch);
                }
                self.report(from, Report::Applied(ack)).await?;
                Ok(Vec::new())
            }
            Up::Nack => self.nack(now, from, Nack::decode(payload)?).await,
            Up::Hub => {
                let hub = Box::new(HubReport::decode(payload)?);
                self.report(from, Report::Hub(hub)).await?;
                Ok(Vec::new())
            }
            Up::Events => self.events(now, from, payload).await,
            Up::Will => {
                self.disconnected(from).await?;
                Ok(Vec::new())
            }
        }
    }

    /// The broker or a will says that a box is gone.
    pub async fn disconnected(&self, from: BoxId) -> Result<(), SyncError<S::Error>> {
        self.peers().remove(&from);
        self.report(from, Report::Offline).await
    }

    /// Gives a box's site this configuration. Returns its epoch and, if the box is connected, what to send.
    /// Unchanged content keeps its epoch.
    pub async fn configure(
        &self,
        now: u64,
        to: BoxId,
        site: &Site,
    ) -> Result<(u64, Vec<Outgoing>), SyncError<S::Error>> {
        let sections = encode(site)?;
        let root = root_hash(&sections.each_ref().map(|encoded| encoded.section));
        let desired = match self.store.desired(to).await.map_err(SyncError::Store)? {
            Some(desired) if desired.root() == root => desired,
            _ => self
                .store
                .issue(to, &sections, now / 1_000, 0)
                .await
                .map_err(SyncError::Store)?,
        };
        Ok((desired.epoch, self.offer(now, to, &desired)?))
    }

    /// The stored configuration of a box was changed by someone else: what to send, if it is connected.
    pub async fn changed(&self, now: u64, to: BoxId) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        match self.store.desired(to).await.map_err(SyncError::Store)? {
            Some(desired) => self.offer(now, to, &desired),
            None => Ok(Vec::new()),
        }
    }

    /// The line at a port of a box is to be tested: what to send. It is not repeated.
    pub fn test_line(&self, to: BoxId, port: u8) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        Ok(vec![outgoing(to, Down::TestLine, &TestLine { port })?])
    }

    /// A port with power or a phone of a box is to do something: what to send. It is not repeated.
    pub fn hub(&self, to: BoxId, order: &HubOrder) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        Ok(vec![outgoing(to, Down::Hub, order)?])
    }

    /// Time has passed: manifests that were not answered are sent again.
    pub async fn tick(&self, now: u64) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        let due: Vec<BoxId> = {
            let mut peers = self.peers();
            peers
                .iter_mut()
                .filter_map(|(id, peer)| {
                    let offer = peer.offered.as_mut().filter(|offer| offer.again <= now)?;
                    offer.sent(now);
                    Some(*id)
                })
                .collect()
        };
        let mut out = Vec::new();
        for id in due {
            if let Some(desired) = self.store.desired(id).await.map_err(SyncError::Store)? {
                out.push(self.manifest(id, &desired)?);
            }
        }
        Ok(out)
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<u64> {
        self.peers()
            .values()
            .filter_map(|peer| peer.offered.as_ref().map(|offer| offer.again))
            .min()
    }

    async fn report(&self, from: BoxId, report: Report) -> Result<(), SyncError<S::Error>> {
        self.store.report(from, &report).await.map_err(SyncError::Store)
    }

    async fn hello(&self, now: u64, from: BoxId, hello: Hello) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        let desired = self.store.desired(from).await.map_err(SyncError::Store)?;
        let up_to = self.store.last_event(from).await.map_err(SyncError::Store)?;
        let (epoch, root) = (hello.epoch, hello.root);
        self.report(from, Report::Online(hello)).await?;
        // A new connection: whatever was offered on the one before may be lost.
        self.peers().insert(from, Peer::default());
        let mut out = vec![ack(now, from, up_to)?];
        if let Some(desired) = desired
            && (epoch, root) != (desired.epoch, desired.root())
        {
            let desired = self.above(now, from, desired, epoch).await?;
            out.extend(self.offer(now, from, &desired)?);
        }
        Ok(out)
    }

    /// The box has seen epochs the store has not (it was restored from a copy): the content gets a newer one.
    async fn above(
        &self,
        now: u64,
        to: BoxId,
        desired: Desired,
        epoch: u64,
    ) -> Result<Desired, SyncError<S::Error>> {
        if epoch < desired.epoch {
            return Ok(desired);
        }
        let mut sections = Vec::new();
        for section in desired.sections {
            let Some(bytes) = self
                .store
                .section(to, section.kind, &section.hash)
                .await
                .map_err(SyncError::Store)?
            else {
                return Ok(desired);
            };
            sections.push(Encoded { section, bytes });
        }
        match <[Encoded; 4]>::try_from(sections) {
            Ok(sections) => self
                .store
                .issue(to, &sections, now / 1_000, epoch)
                .await
                .map_err(SyncError::Store),
            Err(_) => Ok(desired),
        }
    }

    async fn get(&self, from: BoxId, get: Get) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        let Some(bytes) = self
            .store
            .section(from, get.kind, &get.hash)
            .await
            .map_err(SyncError::Store)?
        else {
            // Asked for what is no longer wanted; the manifest of what is wanted is on its way.
            return Ok(Vec::new());
        };
        let start = (get.offset as usize).min(bytes.len());
        let end = (start + usize::from(get.len).min(MAX_CHUNK)).min(bytes.len());
        let data = bytes.get(start..end).unwrap_or(&[]);
        let chunk = Chunk {
            kind: get.kind,
            hash: get.hash,
            offset: get.offset,
            data,
        };
        Ok(vec![outgoing(from, Down::Chunk, &chunk)?])
    }

    async fn file_get(&self, from: BoxId, get: FileGet) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        let len = usize::from(get.len).min(MAX_CHUNK);
        let file = self.store.file(from, &get.hash, get.offset, len).await;
        // Asked for what is no longer wanted: the manifest of what is wanted is on its way.
        let Some(data) = file.map_err(SyncError::Store)? else {
            return Ok(Vec::new());
        };
        let chunk = FileChunk {
            hash: get.hash,
            offset: get.offset,
            data: &data,
        };
        Ok(vec![outgoing(from, Down::FileChunk, &chunk)?])
    }

    async fn nack(&self, now: u64, from: BoxId, nack: Nack) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        self.report(from, Report::Refused(nack)).await?;
        match self.store.desired(from).await.map_err(SyncError::Store)? {
            Some(desired) if nack.code == NackCode::StaleEpoch && nack.have >= desired.epoch => {
                let desired = self.above(now, from, desired, nack.have).await?;
                self.offer(now, from, &desired)
            }
            // It is offered again when its time has come: the reason may pass, and a damaged message is not sent twice.
            _ => Ok(Vec::new()),
        }
    }

    async fn events(
        &self,
        now: u64,
        from: BoxId,
        payload: &[u8],
    ) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        let batch = BatchReader::new(payload)?
            .map(|item| item.map(Received::from))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(last) = batch.last().map(|event| event.id) else {
            return Ok(Vec::new());
        };
        self.store
            .commit(from, &batch, now)
            .await
            .map_err(SyncError::Store)?;
        let mut out = vec![ack(now, from, Some(last))?];
        // What verifies a phone's new password is in its box's next configuration.
        let secret = |event: &Received| {
            let body = event.event.as_ref().map(|event| &event.body);
            matches!(body, Some(EventBody::PhoneSecret(_)))
        };
        if batch.iter().any(secret)
            && let Some(desired) = self.store.desired(from).await.map_err(SyncError::Store)?
            && self.offered(from) != Some(desired.epoch)
        {
            out.extend(self.offer(now, from, &desired)?);
        }
        Ok(out)
    }

    /// Offers a configuration to a box if it is connected.
    fn offer(&self, now: u64, to: BoxId, desired: &Desired) -> Result<Vec<Outgoing>, SyncError<S::Error>> {
        {
            let mut peers = self.peers();
            let Some(peer) = peers.get_mut(&to) else {
                return Ok(Vec::new());
            };
            let offer = peer.offered.get_or_insert_default();
            if offer.epoch != desired.epoch {
                *offer = Offer {
                    epoch: desired.epoch,
                    again: 0,
                    tries: 0,
                };
            }
            offer.sent(now);
        }
        Ok(vec![self.manifest(to, desired)?])
    }

    fn manifest(&self, to: BoxId, desired: &Desired) -> Result<Outgoing, MessageError> {
        let manifest = Manifest {
            box_id: to,
            epoch: desired.epoch,
            key_epoch: self.key_epoch,
            issued: desired.issued,
            not_after: 0,
            sections: desired.sections.into_iter().collect(),
            root: desired.root(),
        };
        let mut buf = [0; MAX_MANIFEST];
        let mut message = SignedManifest {
            manifest: manifest.encode(&mut buf)?,
            signature: &[],
        };
        let signature = self.key.sign(&message.signed()?).to_bytes();
        message.signature = &signature;
        outgoing(to, Down::Manifest, &message)
    }

    /// The epoch offered to a box and not answered yet.
    pub fn offered(&self, to: BoxId) -> Option<u64> {
        self.peers().get(&to)?.offered.as_ref().map(|offer| offer.epoch)
    }
}

fn outgoing<'a>(to: BoxId, leaf: Down, message: &impl Message<'a>) -> Result<Outgoing, MessageError> {
    let mut buf = [0; MAX_MESSAGE];
    let payload = message.encode(&mut buf)?.to_vec();
    Ok(Outgoing {
        topic: Topic::Down(to, leaf),
        payload,
    })
}

fn ack(now: u64, to: BoxId, up_to: Option<EventId>) -> Result<Outgoing, MessageError> {
    outgoing(to, Down::AppAck, &AppAck { up_to, unix: now })
}

/// Checks a site and writes its sections.
pub fn encode<E>(site: &Site) -> Result<[Encoded; 4], SyncError<E>> {
    site.validate().map_err(SyncError::Invalid)?;
    let mut buf = [0; MAX_SECTION];
    let mut one = |kind: SectionKind| -> Result<Encoded, SyncError<E>> {
        // A valid site always fits (tested with the largest).
        let (section, bytes): (Section, &[u8]) = site
            .encode_section(kind, &mut buf)
            .map_err(|_| SyncError::Message(MessageError::TooBig))?;
        Ok(Encoded {
            section,
            bytes: bytes.to_vec(),
        })
    };
    let [sys, ids, credentials, reps] = SectionKind::ALL;
    Ok([one(sys)?, one(ids)?, one(credentials)?, one(reps)?])
}

/// The firmware that a section `sys` names; none if it cannot be read.
pub(crate) fn firmware(schema: u16, sys: &[u8]) -> Vec<PhoneFirmware> {
    let mut site = Site::default();
    let read = SectionDecoder::new(&mut site, SectionKind::Sys, schema)
        .and_then(|mut decoder| decoder.push(&mut site, sys));
    match read {
        Ok(()) => site.sys.firmware.into_iter().collect(),
        Err(_) => Vec::new(),
    }
}
