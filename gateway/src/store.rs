//! What the box remembers over a power cut: configuration, registrations, events.
//!
//! The brain sends an [`Op`] and goes on; whoever owns the flash memory runs it with [`Store::execute`] and brings the
//! [`Done`] back. One `Store` serves the firmware and the tests: it needs only a NOR flash. Its futures
//! must be run to their end: a dropped one leaves what a power cut leaves.
//!
//! - **Configuration**: two banks. The inactive one is filled section by section and checked by its hashes; then one
//!   commit record, written to the older of two pages, makes it the active one. That record is the only atomic point.
//! - **Events**: a queue. An event is kept until the cloud has it; a full queue refuses new ones.
//! - **Settings** (registrations, last lease): a map of small values, written on change.
//! - **Files**: the firmware of the phones, one behind the other as the configuration names it; no directory but that.

mod config;
mod files;
pub mod map;
mod ops;
pub mod ram;
mod tolerant;

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;
use sequential_storage::Error;
use sequential_storage::cache::key_pointers::ArrayKeyPointers;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use sequential_storage::queue::{QueueConfig, QueueStorage};
use shared::Factory;
use shared::factory::{FactoryError, MAX_FACTORY};
use shared::site::Site;
use shared::sync::{Alarm, BatchWriter, MAX_EVENT, RawEvent};

pub use config::{Bank, Committed};
pub use ops::{Batch, Done, Fault, Key, MAX_BATCH, MAX_PIECE, MAX_VALUE, Op, Reply, Token, UNDER_WAY};

use crate::provision;
use config::Active;
use map::{EVENTS, FACTORY, SECTOR, SETTINGS};
use tolerant::Tolerant;

/// Times that something is read at the start before it counts as lost.
const READS: u32 = 4;
const EVENT_PAGES: usize = (EVENTS.len / SECTOR) as usize;
const SETTING_PAGES: usize = (SETTINGS.len / SECTOR) as usize;

/// Where in a page its events begin and end is found by reading their heads, 40 at most: to remember it takes 8 bytes a page.
type EventCache = Cache<ArrayPageStates<EVENT_PAGES>, Uncached, Uncached>;
type SettingCache = Cache<
    ArrayPageStates<SETTING_PAGES>,
    ArrayPagePointers<SETTING_PAGES>,
    ArrayKeyPointers<u16, { Key::COUNT as usize }>,
    u16,
>;
type Events<'f, F> = QueueStorage<&'f mut Tolerant<F>, EventCache>;
type Settings<'f, F> = MapStorage<u16, &'f mut Tolerant<F>, SettingCache>;

/// The stores of a box on its external flash memory.
pub struct Store<F> {
    flash: Tolerant<F>,
    events: Option<EventCache>,
    settings: Option<SettingCache>,
    active: Option<Active>,
}

/// What the box knew when it was switched off.
#[derive(Debug)]
pub struct Loaded {
    /// Who it is.
    pub factory: Result<Factory, FactoryError>,
    /// How often it has started, this time included; never the same twice.
    pub boot: u32,
    /// The configuration that was committed last, if any.
    pub committed: Option<Committed>,
    /// That configuration was read into the site and keeps all rules.
    pub usable: bool,
    /// Events waiting for the cloud.
    pub queued: u32,
    /// Faults found.
    pub alarms: Vec<Alarm, 4>,
}

impl<F: MultiwriteNorFlash> Store<F> {
    /// A store on this flash memory, laid out as in [`map`].
    pub fn new(flash: F) -> Self {
        const {
            assert!(
                F::ERASE_SIZE == map::SECTOR as usize,
                "the map is in sectors of 4 KiB"
            );
            assert!(
                F::WRITE_SIZE <= 4 && 4 % F::WRITE_SIZE == 0,
                "words are written in units of 4 bytes"
            );
        }
        Self {
            flash: Tolerant::new(flash),
            events: None,
            settings: None,
            active: None,
        }
    }

    /// The flash memory, for the partitions this store does not manage.
    pub fn flash(&mut self) -> &mut F {
        self.flash.inner()
    }

    /// Reads everything at the start and counts it. `site` becomes the committed configuration, or empty. Each setting
    /// is given to `setting`. `first_boot` is the number a blank memory starts to count from: a random one keeps
    /// the identities of events apart when a box gets a new memory.
    pub async fn load(
        &mut self,
        site: &mut Site,
        first_boot: u32,
        mut setting: impl FnMut(Key, &[u8]),
    ) -> Result<Loaded, Fault> {
        let mut alarms = Vec::new();
        let mut image = [0; MAX_FACTORY];
        self.flash.read_bytes(FACTORY.start, &mut image).await?;
        let factory = Factory::decode(&image);

        let config = self.load_config(site).await?;
        if let Some(alarm) = config.alarm {
            // Four alarms fit.
            let _ = alarms.push(alarm);
        }

        let mut value = [0; MAX_VALUE + 8];
        let mut read = self.load_settings(&mut value, &mut setting).await;
        for _ in 1..READS {
            if read == Err(Fault::Corrupted) {
                self.settings = None;
                read = self.load_settings(&mut value, &mut setting).await;
            }
        }
        let boot = match read {
            Ok(boot) => boot,
            Err(Fault::Corrupted) => {
                let _ = alarms.push(Alarm::Storage);
                self.flash.erase_range(SETTINGS.start, SETTINGS.end()).await?;
                self.settings = None;
                None
            }
            Err(fault) => return Err(fault),
        };
        if boot.is_none() {
            self.forget_claims(&mut value, site, &mut setting).await?;
        }
        let boot = boot.map_or(first_boot, |boot| boot.wrapping_add(1));
        self.put(&mut value, Key::BOOT, &boot.to_le_bytes()).await?;

        let mut counted = self.count_events().await;
        for _ in 1..READS {
            if counted == Err(Fault::Corrupted) {
                self.events = None;
                counted = self.count_events().await;
            }
        }
        let queued = match counted {
            Ok(queued) => queued,
            Err(Fault::Corrupted) => {
                let _ = alarms.push(Alarm::Storage);
                self.flash.erase_range(EVENTS.start, EVENTS.end()).await?;
                self.events = None;
                0
            }
            Err(fault) => return Err(fault),
        };
        Ok(Loaded {
            factory,
            boot,
            committed: config.committed,
            usable: config.usable,
            queued,
            alarms,
        })
    }

    /// Runs one operation.
    pub async fn execute(&mut self, token: Token, op: &Op) -> Done {
        let result = match op {
            Op::PushEvent(event) => self.push_event(event).await,
            Op::ReadEvents => self.read_events().await,
            Op::DropEvents { last, count } => self.drop_events(*last, *count).await,
            Op::Put { key, value } => self.set(*key, value).await.map(|()| Reply::Stored),
            Op::Stage { kind, offset, data } => self.stage(*kind, *offset, data).await,
            Op::StageActive(section) => self.stage_active(section).await,
            Op::Check(section) => self.check(section).await,
            Op::Read {
                staged,
                kind,
                offset,
                len,
            } => self.read(*staged, *kind, *offset, *len).await,
            Op::WriteFile { place, data } => self.write_file(*place, data).await,
            Op::ReadFile { place, len } => self.read_piece(*place, *len).await,
            Op::Commit(committed) => self.commit(committed).await,
        };
        Done { token, result }
    }

    /// Writes a setting of at most [`MAX_VALUE`] bytes; an empty value removes it.
    pub async fn set(&mut self, key: Key, value: &[u8]) -> Result<(), Fault> {
        if !key.is_public() || value.len() > MAX_VALUE {
            return Err(Fault::Refused);
        }
        let mut buf = [0; MAX_VALUE + 8];
        self.put(&mut buf, key, value).await
    }

    async fn with_events<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Events<'_, F>) -> Result<T, Error<F::Error>>,
    ) -> Result<T, Fault> {
        let cache = self
            .events
            .take()
            .unwrap_or_else(|| Cache::new(ArrayPageStates::new(), Uncached, Uncached));
        let config = const { QueueConfig::new(EVENTS.start..EVENTS.start + EVENTS.len) };
        let mut queue = QueueStorage::new(&mut self.flash, config, cache);
        let result = work(&mut queue).await;
        self.events = Some(queue.destroy().1);
        Ok(result?)
    }

    async fn with_settings<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Settings<'_, F>) -> Result<T, Error<F::Error>>,
    ) -> Result<T, Fault> {
        let cache = self.settings.take().unwrap_or_else(|| {
            Cache::new(
                ArrayPageStates::new(),
                ArrayPagePointers::new(),
                ArrayKeyPointers::new(),
            )
        });
        let config = const { MapConfig::new(SETTINGS.start..SETTINGS.start + SETTINGS.len) };
        let mut settings = MapStorage::new(&mut self.flash, config, cache);
        let result = work(&mut settings).await;
        self.settings = Some(settings.destroy().1);
        Ok(result?)
    }

    async fn load_settings(
        &mut self,
        buf: &mut [u8],
        setting: &mut impl FnMut(Key, &[u8]),
    ) -> Result<Option<u32>, Fault> {
        self.with_settings(async |settings| {
            // Looking for a key that was never stored reads everything: first see which there are.
            let boot = settings.fetch_item::<&[u8]>(buf, &Key::BOOT.number()).await?;
            let boot = boot
                .and_then(|bytes| bytes.try_into().ok())
                .map(u32::from_le_bytes);
            let mut stored = [false; Key::COUNT as usize];
            let mut all = settings.fetch_all_items(buf).await?;
            while let Some((key, _)) = all.next::<&[u8]>(buf).await? {
                if let Some(stored) = stored.get_mut(usize::from(key)) {
                    *stored = true;
                }
            }
            for key in Key::all().filter(|key| stored.get(usize::from(key.number())) == Some(&true)) {
                match settings.fetch_item::<&[u8]>(buf, &key.number()).await? {
                    None | Some([]) => {}
                    Some(value) => setting(key, value),
                }
            }
            Ok(boot)
        })
        .await
    }

    /// The settings are lost, or there never were any: nothing more is given on the claims there are, because what was given is not
    /// known. Until that is written the number of this start is not, so that a cut in between changes nothing.
    async fn forget_claims(
        &mut self,
        buf: &mut [u8],
        site: &Site,
        setting: &mut impl FnMut(Key, &[u8]),
    ) -> Result<(), Fault> {
        let claims = site.ids.iter().filter_map(|id| Some((id.key, id.phone?.claim)));
        for (id, claim) in claims {
            let record = provision::unknown(claim);
            self.put(buf, Key::phone(id), &record).await?;
            setting(Key::phone(id), &record);
        }
        Ok(())
    }

    async fn put(&mut self, buf: &mut [u8], key: Key, value: &[u8]) -> Result<(), Fault> {
        self.with_settings(async |settings| settings.store_item(buf, &key.number(), &value).await)
            .await
    }

    async fn count_events(&mut self) -> Result<u32, Fault> {
        let mut buf = [0; MAX_EVENT + 8];
        self.with_events(async |events| {
            let mut iterator = events.iter().await?;
            let mut count = 0;
            while iterator.next(&mut buf).await?.is_some() {
                count += 1;
            }
            Ok(count)
        })
        .await
    }

    async fn push_event(&mut self, event: &[u8]) -> Result<Reply, Fault> {
        match self
            .with_events(async |events| events.push(event, false).await)
            .await
        {
            Ok(()) => Ok(Reply::Stored),
            Err(Fault::Full) => Ok(Reply::Full),
            Err(fault) => Err(fault),
        }
    }

    async fn read_events(&mut self) -> Result<Reply, Fault> {
        let mut message = [0; MAX_BATCH];
        let mut buf = [0; MAX_EVENT + 8];
        let mut last = None;
        // A buffer of MAX_BATCH always holds the head of a batch.
        let mut batch = BatchWriter::new(&mut message).map_err(|_| Fault::Refused)?;
        self.with_events(async |events| {
            let mut iterator = events.iter().await?;
            while let Some(entry) = iterator.next(&mut buf).await? {
                // What is in the queue was written by `push_event`; an entry that is not an event would block it.
                let Ok(raw) = RawEvent::new(&entry) else { continue };
                if batch.push(raw.bytes).is_err() {
                    break;
                }
                last = Some(raw.id);
            }
            Ok(())
        })
        .await?;
        let count = batch.events() as u8;
        let message = Vec::from_slice(batch.finish()).map_err(|_| Fault::Refused)?;
        Ok(Reply::Events(last.map(|last| Batch { message, last, count })))
    }

    async fn drop_events(&mut self, last: shared::sync::EventId, count: u8) -> Result<Reply, Fault> {
        let mut buf = [0; MAX_EVENT + 8];
        self.with_events(async |events| {
            let mut iterator = events.iter().await?;
            let mut left = count;
            while let Some(entry) = iterator.next(&mut buf).await? {
                let id = RawEvent::new(&entry).map(|raw| raw.id);
                if id.is_ok() {
                    let Some(rest) = left.checked_sub(1) else { break };
                    left = rest;
                }
                entry.pop().await?;
                if id == Ok(last) {
                    break;
                }
            }
            Ok(())
        })
        .await?;
        Ok(Reply::Stored)
    }
}

impl<E> From<Error<E>> for Fault {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::FullStorage => Self::Full,
            Error::Corrupted { .. } | Error::LogicBug { .. } => Self::Corrupted,
            Error::BufferTooBig
            | Error::BufferTooSmall(_)
            | Error::ItemTooBig
            | Error::SerializationError(_) => Self::Refused,
            _ => Self::Flash,
        }
    }
}
