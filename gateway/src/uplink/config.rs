//! The configuration: a signed manifest in, sections pulled, one commit.
//!
//! For each section in turn: is it already in the inactive bank (staged before a power cut)? Is it the same in the
//! active bank (copied)? Otherwise it is asked for piece by piece. Then its hash is computed from the flash. When all
//! are there they are read back from the flash and checked as a whole, and only then committed.
//!
//! There is room for one site. So it is read over the one in use, and nobody may look at it meanwhile ([`Config::is_between`]), which
//! takes some milliseconds; what is in use is read again if the new one does not hold, or cannot be committed.

use heapless::Vec;
use salty::{PublicKey, Signature};
use shared::BoxId;
use shared::site::{Hash, MAX_SECTION, Section, SectionDecoder, SectionError, Site};
use shared::sync::{Ack, Chunk, Get, Manifest, Message, Nack, NackCode, SignedManifest, Up};
use sip::Instant;

use super::{Change, Counters, Memory, Repeat, TX_MAX, write};
use crate::store::{Committed, Fault, MAX_PIECE, Op, Reply};

/// Times a piece is asked for before the manifest is given up.
const TRIES: u32 = 6;
/// Times that what is committed is read again, each time from its beginning, before it counts as lost: until then nobody is
/// served, and afterwards nobody but by another configuration or start.
const RESTORES: u8 = 16;

pub(super) struct Config {
    box_id: BoxId,
    key: [u8; 32],
    committed: Option<Committed>,
    /// What is committed could be read and is in use.
    usable: bool,
    site: State,
    staging: Option<Staging>,
    /// What came while the store was busy with the staging before it.
    waiting: Option<Committed>,
    answer: Option<Answer>,
    get: Repeat,
    lost: bool,
}

/// What the site in memory is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// What is committed, or nothing if that cannot be used.
    Committed,
    /// Neither: it is being read.
    Between,
    /// What shall be committed.
    Staged,
}

enum Answer {
    Ack(Ack),
    Nack(Nack),
}

/// A configuration being fetched.
struct Staging {
    target: Committed,
    /// Index of the section at hand.
    index: usize,
    step: Step,
    decoder: Option<SectionDecoder>,
    /// Why it is given up: what is in use is being read again.
    refused: Option<NackCode>,
    /// How often that has failed.
    failed: u8,
    /// The store was asked and has not answered.
    asked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Is the section in the inactive bank already?
    Look,
    /// Is it the same in the active bank?
    Copy,
    /// It is pulled from the cloud; this many bytes are staged.
    Fetch(u32),
    /// A piece arrived and is written; then so many bytes are staged.
    Write { at: u32, then: u32 },
    /// All pieces are there: is the hash right?
    Verify,
    /// It is read back from the flash into the site.
    Read(u32),
    /// What is committed is read into the site again.
    Restore(u32),
    /// All sections are there and form a valid site.
    Commit,
}

impl Config {
    pub(super) const fn new(box_id: BoxId, key: [u8; 32]) -> Self {
        Self {
            box_id,
            key,
            committed: None,
            usable: false,
            site: State::Committed,
            staging: None,
            waiting: None,
            answer: None,
            get: Repeat::new(Instant::ZERO),
            lost: false,
        }
    }

    pub(super) fn start(&mut self, committed: Option<Committed>, usable: bool) {
        self.committed = committed;
        self.usable = usable;
    }

    /// The site is neither the old one nor the new one.
    pub(super) fn is_between(&self) -> bool {
        self.site == State::Between
    }

    /// The site is what is committed.
    pub(super) fn is_settled(&self) -> bool {
        self.site == State::Committed
    }

    /// No other is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.staging.is_none() && self.waiting.is_none() && self.is_settled()
    }

    /// The answer that is awaited begins to overwrite the site.
    pub(super) fn is_about_to_read(&self) -> bool {
        !self.is_between()
            && self
                .staging
                .as_ref()
                .is_some_and(|it| it.asked && matches!(it.step, Step::Read(_) | Step::Restore(_)))
    }

    pub(super) fn committed(&self) -> Option<&Committed> {
        self.committed.as_ref().filter(|_| self.usable)
    }

    /// There is one that is committed and cannot be used.
    pub(super) fn is_lost(&self) -> bool {
        self.committed.is_some() && !self.usable
    }

    /// Epoch and root for `hello`. A configuration that cannot be used keeps its epoch, so that older ones stay refused,
    /// but has no root, so that the cloud issues it anew.
    pub(super) fn in_use(&self) -> (u64, Hash) {
        match &self.committed {
            Some(committed) => (
                committed.epoch,
                if self.usable { committed.root } else { [0; 32] },
            ),
            None => (0, [0; 32]),
        }
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.get = Repeat::new(now);
        self.lost = false;
    }

    /// A manifest came.
    pub(super) fn manifest(&mut self, now: Instant, wall: Option<u64>, payload: &[u8]) {
        match self.accept(wall, payload) {
            Ok(Some(target)) => {
                match &self.staging {
                    // The same again, or one that came late.
                    Some(staging) if target.epoch <= staging.target.epoch => {}
                    // The store may be committing the other one at this moment: its answer comes first.
                    Some(staging) if staging.asked || self.site != State::Committed => {
                        if self
                            .waiting
                            .as_ref()
                            .is_none_or(|waiting| waiting.epoch < target.epoch)
                        {
                            self.waiting = Some(target);
                        }
                    }
                    _ => self.staging = Some(Staging::new(target)),
                }
                self.get = Repeat::new(now);
            }
            // It is in use already: the answer was lost.
            Ok(None) => self.acknowledge(),
            Err((epoch, code)) => self.refuse(epoch, code),
        }
    }

    fn accept(&self, wall: Option<u64>, payload: &[u8]) -> Result<Option<Committed>, (u64, NackCode)> {
        let signed = SignedManifest::decode(payload).map_err(|_| (0, NackCode::Malformed))?;
        if !self.is_signed(&signed) {
            return Err((0, NackCode::BadSignature));
        }
        let Manifest {
            box_id,
            epoch,
            key_epoch,
            not_after,
            sections,
            root,
            ..
        } = signed.manifest().map_err(|_| (0, NackCode::Malformed))?;
        let target = Committed {
            epoch,
            key_epoch,
            sections,
            root,
        };
        let (have, key_seen) = self.committed.as_ref().map_or((0, 0), |c| (c.epoch, c.key_epoch));
        let code = if box_id != self.box_id {
            NackCode::WrongBox
        } else if key_epoch < key_seen {
            NackCode::OldKey
        } else if self.committed() == Some(&target) {
            return Ok(None);
        } else if epoch <= have {
            NackCode::StaleEpoch
        } else if not_after != 0 && wall.is_some_and(|wall| wall / 1_000 > not_after) {
            NackCode::Expired
        } else if let Some(unknown) = target.sections.iter().find(|s| !s.kind.reads(s.schema)) {
            NackCode::SchemaUnknown(unknown.kind)
        } else if let Some(big) = target.sections.iter().find(|s| s.len as usize > MAX_SECTION) {
            NackCode::TooBig(big.kind)
        } else if let Some(empty) = target.sections.iter().find(|s| s.len == 0) {
            NackCode::MalformedSection(empty.kind)
        } else if !target.is_complete() {
            NackCode::RootMismatch
        } else {
            return Ok(Some(target));
        };
        Err((epoch, code))
    }

    fn is_signed(&self, signed: &SignedManifest<'_>) -> bool {
        let Ok(signature) = <[u8; 64]>::try_from(signed.signature) else {
            return false;
        };
        let (Ok(key), Ok(message)) = (PublicKey::try_from(&self.key), signed.signed()) else {
            return false;
        };
        key.verify(&message, &Signature::from(&signature)).is_ok()
    }

    fn acknowledge(&mut self) {
        if let Some(committed) = self.committed() {
            self.answer = Some(Answer::Ack(Ack {
                epoch: committed.epoch,
                root: committed.root,
            }));
        }
    }

    fn refuse(&mut self, epoch: u64, code: NackCode) {
        let have = self.committed.as_ref().map_or(0, |committed| committed.epoch);
        self.answer = Some(Answer::Nack(Nack { epoch, have, code }));
    }

    /// A part of a section came; false if it was not asked for.
    pub(super) fn chunk(&mut self, chunk: &Chunk<'_>, buffer: &mut Vec<u8, MAX_PIECE>) -> bool {
        let Some(staging) = &mut self.staging else {
            return false;
        };
        let (Step::Fetch(at), Some(section)) = (staging.step, staging.target.sections.get(staging.index))
        else {
            return false;
        };
        let wanted = piece(section, at);
        if chunk.kind != section.kind
            || chunk.hash != section.hash
            || chunk.offset != at
            || chunk.data.len() != usize::from(wanted)
        {
            return false;
        }
        buffer.clear();
        if buffer.extend_from_slice(chunk.data).is_err() {
            return false;
        }
        staging.step = Step::Write {
            at,
            then: at + u32::from(wanted),
        };
        true
    }

    /// The next operation of the store.
    pub(super) fn op(&mut self, memory: &mut Memory) -> Option<Op> {
        let staging = self.staging.as_mut().filter(|staging| !staging.asked)?;
        let section = match (staging.step, &self.committed) {
            (Step::Restore(_), Some(committed)) => committed.sections.get(staging.index),
            _ => staging.target.sections.get(staging.index),
        };
        let op = match (staging.step, section) {
            (Step::Commit, _) => Op::Commit(staging.target.clone()),
            (Step::Fetch(_), _) | (_, None) => return None,
            (Step::Look | Step::Verify, Some(section)) => Op::Check(*section),
            (Step::Copy, Some(section)) => Op::StageActive(*section),
            (Step::Write { at, .. }, Some(section)) => Op::Stage {
                kind: section.kind,
                offset: at,
                data: memory.chunk.clone(),
            },
            (Step::Read(at) | Step::Restore(at), Some(section)) => Op::Read {
                staged: matches!(staging.step, Step::Read(_)),
                kind: section.kind,
                offset: at,
                len: piece(section, at),
            },
        };
        staging.asked = true;
        Some(op)
    }

    /// The store has answered.
    pub(super) fn stored(&mut self, now: Instant, result: Result<Reply, Fault>, site: &mut Site) -> Change {
        let Some(mut staging) = self.staging.take() else {
            return Change::Nothing;
        };
        staging.asked = false;
        let next = match result {
            Ok(reply) => staging.advance(reply, self.committed.as_ref(), site),
            Err(_) => Err(NackCode::Flash),
        };
        let change = match next {
            Ok(Some(step)) => {
                staging.step = step;
                if matches!(step, Step::Fetch(_)) {
                    self.get = Repeat::new(now);
                }
                let before = self.site;
                self.site = match step {
                    Step::Commit => State::Staged,
                    Step::Read(at) if at > 0 || staging.index > 0 => State::Between,
                    Step::Restore(_) => State::Between,
                    _ => before,
                };
                self.staging = Some(staging);
                match (before, self.site) {
                    (State::Between, State::Staged) => Change::Replaced,
                    _ => Change::Nothing,
                }
            }
            Ok(None) if staging.refused.is_none() => {
                self.committed = Some(staging.target);
                self.usable = true;
                self.site = State::Committed;
                self.acknowledge();
                Change::Committed
            }
            // It is as it was.
            Ok(None) => self.give_up(&staging, NackCode::Flash),
            // What is in use could not be read again either: once more.
            Err(_) if staging.refused.is_some() && staging.failed < RESTORES => {
                staging.failed += 1;
                (staging.index, staging.step) = (0, Step::Restore(0));
                self.staging = Some(staging);
                Change::Nothing
            }
            Err(code) if staging.refused.is_some() => {
                *site = Site::EMPTY;
                self.usable = false;
                self.give_up(&staging, code)
            }
            Err(code) if !matches!(staging.step, Step::Read(_) | Step::Commit) => {
                self.refuse(staging.target.epoch, code);
                Change::Nothing
            }
            Err(code) if self.committed().is_some() => {
                if staging.step != Step::Commit {
                    self.site = State::Between;
                }
                staging.refused = Some(code);
                (staging.index, staging.step) = (0, Step::Restore(0));
                self.staging = Some(staging);
                Change::Nothing
            }
            Err(code) => {
                *site = Site::EMPTY;
                self.give_up(&staging, code)
            }
        };
        if self.site == State::Committed
            && let Some(target) = self.waiting.take()
        {
            self.staging = Some(Staging::new(target));
        }
        change
    }

    /// The site is what is committed again, or nothing.
    fn give_up(&mut self, staging: &Staging, code: NackCode) -> Change {
        self.site = State::Committed;
        self.refuse(staging.target.epoch, staging.refused.unwrap_or(code));
        Change::Replaced
    }

    /// Writes what is due into the payload.
    pub(super) fn publish(
        &mut self,
        now: Instant,
        counters: &mut Counters,
        payload: &mut Vec<u8, TX_MAX>,
    ) -> Option<Up> {
        match self.answer.take() {
            Some(Answer::Ack(ack)) => return write(&ack, payload).then_some(Up::Ack),
            Some(Answer::Nack(nack)) => {
                counters.nacks = counters.nacks.saturating_add(1);
                return write(&nack, payload).then_some(Up::Nack);
            }
            None => {}
        }
        let (at, section) = self.staging.as_ref()?.wanted()?;
        if !self.get.is_due(now) {
            return None;
        }
        if self.get.tries == TRIES {
            // The cloud does not have it any more, or is not there. Its answer to `hello` says what to do.
            self.staging = None;
            self.lost = true;
            return None;
        }
        self.get.sent(now);
        let get = Get {
            kind: section.kind,
            hash: section.hash,
            offset: at,
            len: piece(&section, at),
        };
        write(&get, payload).then_some(Up::Get)
    }

    /// The cloud stopped answering.
    pub(super) fn take_lost(&mut self) -> bool {
        core::mem::take(&mut self.lost)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.staging.as_ref()?.wanted().map(|_| self.get.at)
    }
}

impl Staging {
    fn new(target: Committed) -> Self {
        Self {
            target,
            index: 0,
            step: Step::Look,
            decoder: None,
            refused: None,
            failed: 0,
            asked: false,
        }
    }

    /// The piece to ask the cloud for.
    fn wanted(&self) -> Option<(u32, Section)> {
        match (self.step, self.target.sections.get(self.index)) {
            (Step::Fetch(at), Some(section)) => Some((at, *section)),
            _ => None,
        }
    }

    /// What comes after this answer of the store; nothing after the commit.
    fn advance(
        &mut self,
        reply: Reply,
        active: Option<&Committed>,
        site: &mut Site,
    ) -> Result<Option<Step>, NackCode> {
        if let Step::Restore(at) = self.step {
            let Reply::Data(data) = reply else {
                return Err(NackCode::Flash);
            };
            let sections = active.map_or(&[][..], |active| &active.sections);
            return match self.read(at, &data, sections, site)? {
                Some(at) => Ok(Some(Step::Restore(at))),
                None => Ok(None),
            };
        }
        let section = self.target.sections.get(self.index).copied();
        Ok(Some(match (self.step, reply, section) {
            (Step::Look | Step::Copy | Step::Verify, Reply::Checked(true), _) => self.next_section(),
            (Step::Look, Reply::Checked(false), Some(section))
                if active.is_some_and(|active| active.sections.contains(&section)) =>
            {
                Step::Copy
            }
            (Step::Look | Step::Copy, Reply::Checked(false), _) => Step::Fetch(0),
            (Step::Verify, Reply::Checked(false), Some(section)) => {
                return Err(NackCode::HashMismatch(section.kind));
            }
            (Step::Write { then, .. }, Reply::Stored, Some(section)) if then == section.len => Step::Verify,
            (Step::Write { then, .. }, Reply::Stored, Some(_)) => Step::Fetch(then),
            (Step::Read(at), Reply::Data(data), Some(_)) => {
                let sections = self.target.sections.clone();
                match self.read(at, &data, &sections, site)? {
                    Some(at) => Step::Read(at),
                    None => {
                        site.validate().map_err(NackCode::Invalid)?;
                        Step::Commit
                    }
                }
            }
            (Step::Commit, Reply::Stored, _) => return Ok(None),
            (Step::Commit, Reply::Checked(false), _) => return Err(NackCode::RootMismatch),
            _ => return Err(NackCode::Flash),
        }))
    }

    fn next_section(&mut self) -> Step {
        self.index += 1;
        if self.index < self.target.sections.len() {
            return Step::Look;
        }
        // All are staged.
        self.index = 0;
        Step::Read(0)
    }

    /// Reads a piece of the section at hand into the site. Where the next one begins; `None`: all sections are there.
    fn read(
        &mut self,
        at: u32,
        data: &[u8],
        sections: &[Section],
        site: &mut Site,
    ) -> Result<Option<u32>, NackCode> {
        let section = sections.get(self.index).ok_or(NackCode::Flash)?;
        let refuse = |error| match error {
            SectionError::Schema => NackCode::SchemaUnknown(section.kind),
            SectionError::TooBig => NackCode::TooBig(section.kind),
            SectionError::Malformed => NackCode::MalformedSection(section.kind),
        };
        if at == 0 {
            self.decoder = Some(SectionDecoder::new(site, section.kind, section.schema).map_err(refuse)?);
        }
        let mut decoder = self.decoder.take().ok_or(NackCode::Flash)?;
        decoder.push(site, data).map_err(refuse)?;
        let at = at + data.len() as u32;
        if at < section.len {
            self.decoder = Some(decoder);
            return Ok(Some(at));
        }
        decoder.finish().map_err(refuse)?;
        self.index += 1;
        Ok((self.index < sections.len()).then_some(0))
    }
}

/// Length of the piece of a section that begins at this byte.
fn piece(section: &Section, at: u32) -> u16 {
    section.len.saturating_sub(at).min(MAX_PIECE as u32) as u16
}
