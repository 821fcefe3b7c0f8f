//! The configuration in flash: two banks and two commit pages.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;
use serde::{Deserialize, Serialize};
use sha2::Digest;
use shared::factory::crc32;
use shared::site::{Hash, MAX_SECTION, Section, SectionDecoder, SectionKind, Site, root_hash, section_hash};
use shared::sync::Alarm;

use super::map::{COMMIT, CONFIG_A, CONFIG_B, Partition, SECTOR};
use super::{Fault, MAX_PIECE, READS, Reply, Store};

const MAGIC: [u8; 4] = *b"DWBC";
/// Bytes of an encoded commit record: head, body, check sum.
const RECORD: usize = 256;
const HEAD: usize = 8;
/// Bytes read from the flash at once.
const PIECE: usize = 256;

/// A committed configuration: what its manifest said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its epoch.
    pub epoch: u64,
    /// Generation of the key it was signed with.
    pub key_epoch: u32,
    /// Its sections, in the order of [`SectionKind::ALL`].
    pub sections: Vec<Section, 4>,
    /// Root hash of the sections.
    pub root: Hash,
}

/// One of the two places for a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bank {
    /// Config A.
    A,
    /// Config B.
    B,
}

impl Bank {
    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    const fn partition(self) -> Partition {
        match self {
            Self::A => CONFIG_A,
            Self::B => CONFIG_B,
        }
    }

    /// Address of a section's place.
    const fn section(self, kind: SectionKind) -> u32 {
        self.partition().start + (kind.index() * MAX_SECTION) as u32
    }
}

const _: () = assert!((SectionKind::ALL.len() * MAX_SECTION) as u32 <= CONFIG_A.len);
const _: () = assert!((SectionKind::ALL.len() * MAX_SECTION) as u32 <= CONFIG_B.len);
const _: () = assert!((MAX_SECTION as u32).is_multiple_of(SECTOR));

#[derive(Serialize, Deserialize)]
struct Record {
    /// Rises with every commit.
    sequence: u32,
    bank: Bank,
    committed: Committed,
}

/// Which bank is in use, and which page says so.
pub(super) struct Active {
    sequence: u32,
    page: u32,
    bank: Bank,
}

pub(super) struct LoadedConfig {
    pub(super) committed: Option<Committed>,
    pub(super) usable: bool,
    pub(super) alarm: Option<Alarm>,
}

impl<F: MultiwriteNorFlash> Store<F> {
    /// Reads the newest configuration that is whole; if none is, says what the newest record stated. What cannot be read is read
    /// again: a word that the memory did not give once is one of zeros ([`super::tolerant`]), and a box without a site is none.
    pub(super) async fn load_config(&mut self, site: &mut Site) -> Result<LoadedConfig, Fault> {
        for _ in 1..READS {
            let found = self.read_config(site).await?;
            if found.usable && found.alarm.is_none() {
                return Ok(found);
            }
        }
        self.read_config(site).await
    }

    async fn read_config(&mut self, site: &mut Site) -> Result<LoadedConfig, Fault> {
        let mut records: Vec<(u32, Record), 2> = Vec::new();
        for page in [COMMIT.start, COMMIT.start + SECTOR] {
            if let Some(record) = self.read_record(page).await? {
                // Two pages, two places.
                let _ = records.push((page, record));
            }
        }
        // Newest first; the sequence may wrap, and two records are never further apart than one.
        if let [(_, first), (_, second)] = records.as_slice()
            && second.sequence.wrapping_sub(first.sequence) as i32 > 0
        {
            records.reverse();
        }
        self.active = records.first().map(|(page, r)| Active {
            sequence: r.sequence,
            page: *page,
            bank: r.bank,
        });
        let mut alarm = None;
        for (page, record) in &records {
            match self.read_site(record, site).await? {
                Ok(()) => {
                    // If this is the older one, the broken newer bank is the one to be written next. The page is the
                    // newer one's all the same, and so is the sequence: the next commit has to win over both.
                    if let Some(active) = self.active.as_mut() {
                        active.bank = record.bank;
                        active.page = *page;
                    }
                    return Ok(LoadedConfig {
                        committed: Some(record.committed.clone()),
                        usable: true,
                        alarm,
                    });
                }
                Err(found) => alarm = alarm.or(Some(found)),
            }
        }
        *site = Site::default();
        let committed = records.into_iter().next().map(|(_, record)| record.committed);
        Ok(LoadedConfig {
            committed,
            usable: false,
            alarm,
        })
    }

    async fn read_record(&mut self, page: u32) -> Result<Option<Record>, Fault> {
        let mut image = [0; RECORD];
        self.flash.read_bytes(page, &mut image).await?;
        Ok(decode_record(&image))
    }

    /// Reads and checks a whole configuration.
    async fn read_site(&mut self, record: &Record, site: &mut Site) -> Result<Result<(), Alarm>, Fault> {
        if !record.committed.is_complete() {
            return Ok(Err(Alarm::ConfigUnreadable));
        }
        for section in &record.committed.sections {
            let Ok(mut decoder) = SectionDecoder::new(site, section.kind, section.schema) else {
                return Ok(Err(Alarm::ConfigUnreadable));
            };
            let mut readable = true;
            let hash = self
                .hash(record.bank, section, |piece| {
                    readable = readable && decoder.push(site, piece).is_ok();
                })
                .await?;
            if hash != Some(section.hash) || !readable || decoder.finish().is_err() {
                return Ok(Err(Alarm::ConfigUnreadable));
            }
        }
        Ok(site
            .validate()
            .map_err(|invalid| Alarm::ConfigInvalid(invalid.rule)))
    }

    /// Hash of a section in a bank, showing its bytes on the way; none if it is longer than its place.
    async fn hash(
        &mut self,
        bank: Bank,
        section: &Section,
        mut piece: impl FnMut(&[u8]),
    ) -> Result<Option<Hash>, Fault> {
        if section.len as usize > MAX_SECTION {
            return Ok(None);
        }
        let mut hash = section_hash(section.kind, section.schema);
        let mut buf = [0; PIECE];
        let mut at = 0;
        while at < section.len {
            let len = (section.len - at).min(PIECE as u32);
            let bytes = buf.get_mut(..len as usize).ok_or(Fault::Refused)?;
            self.flash
                .read_bytes(bank.section(section.kind) + at, bytes)
                .await?;
            hash.update(&*bytes);
            piece(bytes);
            at += len;
        }
        Ok(Some(hash.finalize().into()))
    }

    /// Makes `site` the committed configuration, for a box without a cloud; a store that holds exactly it is not written. Called
    /// before [`Store::load`].
    pub async fn install(&mut self, site: &Site) -> Result<(), Fault> {
        let found = self.load_config(&mut Site::default()).await?;
        let mut buf = [0; MAX_SECTION];
        let mut sections = Vec::new();
        for kind in SectionKind::ALL {
            let (section, _) = site.encode_section(kind, &mut buf).map_err(|_| Fault::Refused)?;
            sections.push(section).map_err(|_| Fault::Refused)?;
        }
        let root = root_hash(&sections);
        if found.usable && found.committed.as_ref().is_some_and(|it| it.root == root) {
            return Ok(());
        }
        for kind in SectionKind::ALL {
            let (_, bytes) = site.encode_section(kind, &mut buf).map_err(|_| Fault::Refused)?;
            let mut at = 0;
            for piece in bytes.chunks(MAX_PIECE) {
                self.stage(kind, at, piece).await?;
                at += piece.len() as u32;
            }
        }
        let committed = Committed {
            epoch: found.committed.map_or(0, |it| it.epoch) + 1,
            key_epoch: 0,
            sections,
            root,
        };
        match self.commit(&committed).await? {
            Reply::Stored => Ok(()),
            _ => Err(Fault::Flash),
        }
    }

    /// The bank that may be written.
    fn staging(&self) -> Bank {
        self.active.as_ref().map_or(Bank::A, |active| active.bank.other())
    }

    pub(super) async fn stage(
        &mut self,
        kind: SectionKind,
        offset: u32,
        data: &[u8],
    ) -> Result<Reply, Fault> {
        let end = (offset as usize).checked_add(data.len()).ok_or(Fault::Refused)?;
        if !offset.is_multiple_of(4) || end > MAX_SECTION {
            return Err(Fault::Refused);
        }
        let place = self.staging().section(kind);
        if offset == 0 {
            self.flash.erase_range(place, place + MAX_SECTION as u32).await?;
        }
        // The last word is filled up with what erased flash holds.
        let mut words = [0xFF; MAX_PIECE];
        words
            .get_mut(..data.len())
            .ok_or(Fault::Refused)?
            .copy_from_slice(data);
        let padded = words
            .get(..data.len().next_multiple_of(4))
            .ok_or(Fault::Refused)?;
        self.flash.write_bytes(place + offset, padded).await?;
        Ok(Reply::Stored)
    }

    pub(super) async fn stage_active(&mut self, section: &Section) -> Result<Reply, Fault> {
        let Some(active) = self.active.as_ref().map(|active| active.bank) else {
            return Ok(Reply::Checked(false));
        };
        if self.hash(active, section, |_| {}).await? != Some(section.hash) {
            return Ok(Reply::Checked(false));
        }
        let mut at = 0;
        loop {
            let mut buf = [0; PIECE];
            let len = (section.len - at).min(PIECE as u32) as usize;
            let bytes = buf.get_mut(..len).ok_or(Fault::Refused)?;
            self.flash
                .read_bytes(active.section(section.kind) + at, bytes)
                .await?;
            self.stage(section.kind, at, bytes).await?;
            at += len as u32;
            if at >= section.len {
                return self.check(section).await;
            }
        }
    }

    pub(super) async fn check(&mut self, section: &Section) -> Result<Reply, Fault> {
        let hash = self.hash(self.staging(), section, |_| {}).await?;
        Ok(Reply::Checked(hash == Some(section.hash)))
    }

    pub(super) async fn read(
        &mut self,
        staged: bool,
        kind: SectionKind,
        offset: u32,
        len: u16,
    ) -> Result<Reply, Fault> {
        let mut data = Vec::new();
        data.resize(usize::from(len), 0).map_err(|_| Fault::Refused)?;
        if (offset as usize)
            .checked_add(data.len())
            .is_none_or(|end| end > MAX_SECTION)
        {
            return Err(Fault::Refused);
        }
        let bank = if staged {
            self.staging()
        } else {
            self.active.as_ref().ok_or(Fault::Refused)?.bank
        };
        self.flash
            .read_bytes(bank.section(kind) + offset, &mut data)
            .await?;
        Ok(Reply::Data(data))
    }

    pub(super) async fn commit(&mut self, committed: &Committed) -> Result<Reply, Fault> {
        if !committed.is_complete() {
            return Ok(Reply::Checked(false));
        }
        for section in &committed.sections {
            if self.check(section).await? != Reply::Checked(true) {
                return Ok(Reply::Checked(false));
            }
        }
        let next = match &self.active {
            None => Active {
                sequence: 1,
                page: COMMIT.start,
                bank: Bank::A,
            },
            Some(active) => Active {
                sequence: active.sequence.wrapping_add(1),
                page: if active.page == COMMIT.start {
                    COMMIT.start + SECTOR
                } else {
                    COMMIT.start
                },
                bank: active.bank.other(),
            },
        };
        let record = Record {
            sequence: next.sequence,
            bank: next.bank,
            committed: committed.clone(),
        };
        let mut image = [0xFF; RECORD];
        let len = encode_record(&record, &mut image).ok_or(Fault::Refused)?;
        self.flash.erase_range(next.page, next.page + SECTOR).await?;
        self.flash
            .write_bytes(next.page, image.get(..len).ok_or(Fault::Refused)?)
            .await?;
        // Only what can be read again has been stored.
        if self
            .read_record(next.page)
            .await?
            .is_none_or(|read| read.sequence != next.sequence)
        {
            return Err(Fault::Flash);
        }
        self.active = Some(next);
        Ok(Reply::Stored)
    }
}

impl Committed {
    /// Every section is listed once, in order, and they give the root.
    pub fn is_complete(&self) -> bool {
        self.sections
            .iter()
            .map(|section| section.kind)
            .eq(SectionKind::ALL)
            && root_hash(&self.sections) == self.root
    }
}

/// Magic, length of the body (two bytes, two spare), body, CRC-32 of all before it; padded to a word.
fn encode_record(record: &Record, image: &mut [u8; RECORD]) -> Option<usize> {
    let (head, rest) = image.split_at_mut(HEAD);
    let len = postcard::to_slice(record, rest).ok()?.len();
    head.copy_from_slice(&[
        MAGIC[0],
        MAGIC[1],
        MAGIC[2],
        MAGIC[3],
        len as u8,
        (len >> 8) as u8,
        0,
        0,
    ]);
    let end = HEAD + len;
    let check = crc32(image.get(..end)?);
    image.get_mut(end..end + 4)?.copy_from_slice(&check.to_le_bytes());
    Some((end + 4).next_multiple_of(4))
}

fn decode_record(image: &[u8; RECORD]) -> Option<Record> {
    let rest = image.strip_prefix(&MAGIC)?;
    let [l0, l1, ..] = *rest else { return None };
    let end = HEAD + usize::from(u16::from_le_bytes([l0, l1]));
    let check = image.get(end..end.checked_add(4)?)?;
    let covered = image.get(..end)?;
    if check != crc32(covered).to_le_bytes() {
        return None;
    }
    match postcard::take_from_bytes(covered.get(HEAD..)?) {
        Ok((record, [])) => Some(record),
        _ => None,
    }
}
