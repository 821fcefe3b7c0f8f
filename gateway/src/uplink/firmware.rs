//! The firmware of the phones: fetched in pieces, checked, kept for them.
//!
//! The site's configuration names the files and is their directory: they lie in flash one behind the other in its order. Of each
//! a record in the settings says how far it is. A file is fetched from where its record says, written sector by sector, read back
//! and hashed, and only then is it there for the phones:
//!
//! ```text
//! Fetch <──> Write ── all is there ──> Hash ──> verified
//!   └──────── wrong: a pause, then from its beginning ┘
//! ```
//!
//! What may be lost by a power cut is what came since the record: less than [`STEP`]. A record that the configuration in use does not
//! bear out is taken off the flash before anything is written to where the file was. Nothing is asked for while a
//! configuration is fetched.

use core::time::Duration;

use heapless::Vec;
use sha2::{Digest, Sha256};
use shared::hub::{FIRMWARE_SECTOR, PhoneFirmware, PhoneModel, firmware_files};
use shared::site::Hash;
use shared::sync::{Alarm, EventBody, FileChunk, FileGet, Up};
use sip::Instant;

use super::{Memory, Repeat, TX_MAX, write};
use crate::store::{Fault, Key, MAX_PIECE, Op, Reply};

/// Files there can be.
const FILES: usize = PhoneModel::ALL.len();
/// A record follows its file at every so many bytes.
const STEP: u32 = 64 * 1_024;
/// Times that a piece is asked for before it is another file's turn.
const TRIES: u32 = 6;
/// First and longest pause after a file came wrong.
const PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// When a piece is asked for again whose asking found no room on its way out.
const DROPPED: Duration = Duration::from_millis(200);
/// First wait after the store failed; doubled every time.
const STORE_WAIT: Duration = Duration::from_secs(1);

const _: () =
    assert!(STEP.is_multiple_of(FIRMWARE_SECTOR) && FIRMWARE_SECTOR.is_multiple_of(MAX_PIECE as u32));

/// Some of the models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Models(u8);

impl Models {
    /// None.
    pub const NONE: Self = Self(0);

    /// Is it among them?
    pub const fn contains(self, model: PhoneModel) -> bool {
        self.0 & 1 << model as u8 != 0
    }

    /// Puts it among them, or takes it out.
    pub const fn set(&mut self, model: PhoneModel, is_in: bool) {
        self.0 &= !(1 << model as u8);
        self.0 |= (is_in as u8) << model as u8;
    }
}

/// How a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is being fetched.
    Fetching = 0,
    /// It is there as its hash says.
    Verified = 1,
    /// What came was wrong; it is fetched again.
    Wrong = 2,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    hash: Hash,
    place: u32,
    /// Bytes in flash; of a record that was restored, those it says.
    fetched: u32,
    state: State,
    /// 0 until the configuration has told.
    size: u32,
    models: Models,
}

/// Bytes of a record in flash.
const STORED: usize = 32 + 4 + 4 + 1;

impl Record {
    fn store(&self) -> [u8; STORED] {
        let mut bytes = [0; STORED];
        // What is between two steps would be fetched again from within a sector.
        let fetched = match self.fetched == self.size {
            true => self.fetched,
            false => self.fetched - self.fetched % STEP,
        };
        let fields = self.hash.into_iter().chain(self.place.to_le_bytes());
        let fields = fields.chain(fetched.to_le_bytes()).chain([self.state as u8]);
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    fn restore(bytes: &[u8]) -> Option<Self> {
        let (hash, rest) = bytes.split_first_chunk()?;
        let (place, rest) = rest.split_first_chunk()?;
        let (fetched, rest) = rest.split_first_chunk()?;
        let states = [State::Fetching, State::Verified, State::Wrong];
        let state = states.into_iter().find(|state| rest == [*state as u8])?;
        Some(Self {
            hash: *hash,
            place: u32::from_le_bytes(*place),
            fetched: u32::from_le_bytes(*fetched),
            state,
            size: 0,
            models: Models::NONE,
        })
    }

    /// Is it that of the file at this place? One that says what cannot be is not.
    fn is_of(&self, place: u32, file: &PhoneFirmware) -> bool {
        let whole = self.fetched == file.size;
        let partly = self.state != State::Verified
            && self.fetched < file.size
            && self.fetched.is_multiple_of(MAX_PIECE as u32);
        (self.place, self.hash) == (place, file.hash) && (whole || partly)
    }
}

/// What is under way with the file at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The next piece is wanted.
    Fetch,
    /// It came and is to be written.
    Write,
    /// So many bytes are hashed.
    Hash(u32),
}

/// What the store was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Record(usize),
    Piece,
}

pub(super) struct Firmware {
    /// By their order in flash.
    records: [Option<Record>; FILES],
    /// Bit n: the record at n differs from flash.
    unstored: u8,
    /// The file at hand.
    at: usize,
    step: Step,
    hash: Sha256,
    asked: Option<Asked>,
    get: Repeat,
    /// Files that came wrong one after the other, and until when there is a pause.
    wrong: u32,
    pause: Instant,
    /// Faults of the store one after the other, and when it is asked again.
    faults: u32,
    resume: Instant,
    /// Whose firmware is there, by the configuration in use.
    here: Models,
    /// As was told.
    told_here: Models,
    told_wrong: Models,
}

impl Firmware {
    pub(super) fn new() -> Self {
        Self {
            records: [None; FILES],
            unstored: 0,
            at: 0,
            step: Step::Fetch,
            hash: Sha256::new(),
            asked: None,
            get: Repeat::new(Instant::ZERO),
            wrong: 0,
            pause: Instant::ZERO,
            faults: 0,
            resume: Instant::ZERO,
            here: Models::NONE,
            told_here: Models::NONE,
            told_wrong: Models::NONE,
        }
    }

    /// Takes what flash holds of the file at this place of those in order; before [`Firmware::configure`].
    pub(super) fn restore(&mut self, at: usize, bytes: &[u8]) {
        let record = Record::restore(bytes);
        if let Some(place) = self.records.get_mut(at) {
            *place = record;
        }
        // Flash holds something that is none.
        self.unstored |= u8::from(record.is_none()) << at;
    }

    /// What was known before this start was told then.
    pub(super) fn start(&mut self) {
        self.told_here = self.here;
        self.told_wrong = self.models(State::Wrong);
    }

    /// Another configuration is in use. `is_settled`: it is the one that is committed, and records follow.
    pub(super) fn configure(&mut self, now: Instant, firmware: &[PhoneFirmware], is_settled: bool) {
        self.here = Models::NONE;
        let mut files = firmware_files(firmware);
        let mut is_other = false;
        for (at, known) in self.records.iter_mut().enumerate() {
            let record = files.next().map(|(place, file)| {
                let mut models = Models::NONE;
                for other in firmware.iter().filter(|other| other.hash == file.hash) {
                    models.set(other.model, true);
                }
                match known.filter(|record| record.is_of(place, file)) {
                    Some(record) => Record {
                        size: file.size,
                        models,
                        ..record
                    },
                    None => Record {
                        hash: file.hash,
                        place,
                        fetched: 0,
                        state: State::Fetching,
                        size: file.size,
                        models,
                    },
                }
            });
            if let Some(Record {
                state: State::Verified,
                models,
                ..
            }) = record
            {
                self.here.0 |= models.0;
            }
            if !is_settled {
                continue;
            }
            let stored = |record: &Option<Record>| record.map(|record| (record.place, record.hash));
            if stored(&record) != stored(known) || record.map(|it| it.fetched) != known.map(|it| it.fetched) {
                self.unstored |= 1 << at;
                is_other = true;
            }
            *known = record;
        }
        if is_settled {
            self.told_here.0 &= self.here.0;
            (self.step, self.get) = (Step::Fetch, Repeat::new(now));
            if is_other {
                (self.wrong, self.pause) = (0, now);
            }
            self.choose(now, 0);
        }
    }

    fn models(&self, state: State) -> Models {
        let those = self
            .records
            .iter()
            .flatten()
            .filter(|record| record.state == state);
        Models(those.fold(0, |models, record| models | record.models.0))
    }

    /// Whose firmware is there.
    pub(super) fn here(&self) -> Models {
        self.here
    }

    /// What is to be told: the firmware of a model is there, or its fetching begins or ends to be in vain.
    pub(super) fn news(&mut self) -> Option<EventBody> {
        let wrong = self.models(State::Wrong);
        for model in PhoneModel::ALL {
            if self.here.contains(model) && !self.told_here.contains(model) {
                self.told_here.set(model, true);
                let mut files = self.records.iter().flatten();
                let hash = files.find(|record| record.models.contains(model))?.hash;
                return Some(EventBody::PhoneFirmware { model, hash });
            }
            let raised = wrong.contains(model);
            if raised != self.told_wrong.contains(model) {
                self.told_wrong.set(model, raised);
                let alarm = Alarm::PhoneFirmware(model);
                return Some(EventBody::Alarm { alarm, raised });
            }
        }
        None
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.get = Repeat::new(now);
    }

    /// What was published last found no room, and that may have been asking for a piece.
    pub(super) fn dropped(&mut self, now: Instant) {
        if self.get.tries > 0 && self.step == Step::Fetch {
            self.get.tries -= 1;
            self.get.at = self.get.at.min(now + DROPPED);
        }
    }

    fn record(&self) -> Option<&Record> {
        self.records.get(self.at)?.as_ref()
    }

    /// Takes the next file that is not there, from this one on; one that came wrong when no other is.
    fn choose(&mut self, now: Instant, from: usize) {
        let order = (from..FILES).chain(0..from.min(FILES));
        let find = |state| {
            let is = |at: &usize| {
                self.records
                    .get(*at)
                    .copied()
                    .flatten()
                    .is_some_and(|record| record.state == state)
            };
            order.clone().find(is)
        };
        let Some(at) = find(State::Fetching).or_else(|| find(State::Wrong)) else {
            self.at = FILES;
            return;
        };
        self.at = at;
        self.get = Repeat::new(now);
        self.step = Step::Fetch;
        if self.record().is_some_and(|record| record.fetched == record.size) {
            self.hash = Sha256::new();
            self.step = Step::Hash(0);
        }
    }

    /// The piece to ask the cloud for, if one is wanted.
    fn wanted(&self) -> Option<(Hash, u32, u16)> {
        let record = self
            .record()
            .filter(|_| self.step == Step::Fetch && self.unstored == 0)?;
        Some((record.hash, record.fetched, piece(record.size, record.fetched)))
    }

    /// When the next piece may be asked for, if one is wanted.
    fn due(&self) -> Option<Instant> {
        self.wanted()?;
        let is_wrong = self
            .record()
            .is_some_and(|record| record.state == State::Wrong && record.fetched == 0);
        let pause = if is_wrong { self.pause } else { Instant::ZERO };
        Some(self.get.at.max(pause).max(self.resume))
    }

    /// Writes what is due into the payload.
    pub(super) fn publish(&mut self, now: Instant, payload: &mut Vec<u8, TX_MAX>) -> Option<Up> {
        if self.due()? > now {
            return None;
        }
        if self.get.tries == TRIES {
            // The cloud does not have it; it may have another.
            self.choose(now, self.at + 1);
            self.get.sent(now);
            self.get.at = now + super::LONGEST_WAIT;
            return None;
        }
        let (hash, offset, len) = self.wanted()?;
        self.get.sent(now);
        write(&FileGet { hash, offset, len }, payload).then_some(Up::FileGet)
    }

    /// A piece came; false if it was not asked for.
    pub(super) fn chunk(&mut self, chunk: &FileChunk<'_>, buffer: &mut Vec<u8, MAX_PIECE>) -> bool {
        let Some((hash, offset, len)) = self.wanted() else {
            return false;
        };
        let is_it =
            self.get.tries > 0 && (chunk.hash, chunk.offset, chunk.data.len()) == (hash, offset, len.into());
        buffer.clear();
        if !is_it || buffer.extend_from_slice(chunk.data).is_err() {
            return false;
        }
        self.step = Step::Write;
        true
    }

    /// The buffer is another's: a piece in it that was not written yet is asked for again.
    pub(super) fn give_way(&mut self, now: Instant) {
        if self.step == Step::Write && self.asked != Some(Asked::Piece) {
            (self.step, self.get) = (Step::Fetch, Repeat::new(now));
        }
    }

    /// The next operation of the store.
    pub(super) fn op(&mut self, now: Instant, memory: &Memory) -> Option<Op> {
        if self.asked.is_some() || now < self.resume {
            return None;
        }
        if self.unstored != 0 {
            let at = self.unstored.trailing_zeros() as usize;
            self.unstored &= !(1 << at);
            let key = Key::file(at)?;
            let record = self
                .records
                .get(at)
                .copied()
                .flatten()
                .map(|record| record.store());
            let value = Vec::from_slice(record.as_ref().map_or(&[][..], |bytes| bytes)).ok()?;
            self.asked = Some(Asked::Record(at));
            return Some(Op::Put { key, value });
        }
        let record = self.record()?;
        let op = match self.step {
            Step::Fetch => return None,
            Step::Write => Op::WriteFile {
                place: record.place + record.fetched,
                data: memory.chunk.clone(),
            },
            Step::Hash(at) => Op::ReadFile {
                place: record.place + at,
                len: piece(record.size, at),
            },
        };
        self.asked = Some(Asked::Piece);
        Some(op)
    }

    /// The store has answered.
    pub(super) fn stored(&mut self, now: Instant, result: Result<Reply, Fault>) {
        let Some(asked) = self.asked.take() else { return };
        let step = self.step;
        let bit = 1 << self.at.min(FILES);
        let Ok(reply) = result else {
            return self.failed(now, asked);
        };
        self.faults = 0;
        let Some(record) = self.records.get_mut(self.at).and_then(Option::as_mut) else {
            return;
        };
        match (asked, step, reply) {
            (Asked::Piece, Step::Write, Reply::Stored) => {
                record.fetched += u32::from(piece(record.size, record.fetched));
                let is_whole = record.fetched == record.size;
                if is_whole || record.fetched.is_multiple_of(STEP) {
                    self.unstored |= bit;
                }
                (self.step, self.get) = (Step::Fetch, Repeat::new(now));
                if is_whole {
                    self.hash = Sha256::new();
                    self.step = Step::Hash(0);
                }
            }
            (Asked::Piece, Step::Hash(at), Reply::Data(data)) => {
                self.hash.update(&data);
                let at = at + data.len() as u32;
                self.step = Step::Hash(at);
                if at < record.size {
                    return;
                }
                let hash: Hash = core::mem::take(&mut self.hash).finalize().into();
                self.unstored |= bit;
                if hash == record.hash {
                    if record.state == State::Wrong {
                        self.wrong = 0;
                    }
                    record.state = State::Verified;
                    self.here.0 |= record.models.0;
                } else {
                    (record.state, record.fetched) = (State::Wrong, 0);
                    self.pause = now + (PAUSE * (1 << self.wrong.min(6))).min(LONGEST_PAUSE);
                    self.wrong += 1;
                }
                self.choose(now, self.at);
            }
            _ => {}
        }
    }

    fn failed(&mut self, now: Instant, asked: Asked) {
        self.resume = now + STORE_WAIT * (1 << self.faults.min(6));
        self.faults += 1;
        match (asked, self.step) {
            (Asked::Record(at), _) => self.unstored |= 1 << at,
            // Part of it may be written: the sector is begun again.
            (Asked::Piece, Step::Write) => {
                if let Some(record) = self.records.get_mut(self.at).and_then(Option::as_mut) {
                    record.fetched -= record.fetched % FIRMWARE_SECTOR;
                }
                (self.step, self.get) = (Step::Fetch, Repeat::new(now));
            }
            (Asked::Piece, _) => {}
        }
    }

    /// When [`Firmware::publish`] has something to say.
    pub(super) fn next_publish(&self) -> Option<Instant> {
        self.due()
    }

    /// When [`Firmware::op`] has something to do.
    pub(super) fn next_op(&self) -> Option<Instant> {
        let has_work = self.unstored != 0 || self.step != Step::Fetch && self.record().is_some();
        (has_work && self.asked.is_none()).then_some(self.resume)
    }
}

/// Length of the piece of a file that begins at this byte.
fn piece(size: u32, at: u32) -> u16 {
    size.saturating_sub(at).min(MAX_PIECE as u32) as u16
}
