//! Sections: the pieces in which a site travels and is stored, each with its own hash.
//!
//! A section is the canonical postcard of its items, ascending by key; `sys` is one item. Item structures are frozen
//! per schema number: this program writes the newest and reads them all. Sections are read in their order, `sys` first,
//! because what an old item does not say may stand there.

use core::fmt;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Credential, Id, Label, Rep, Site, Sys, TerminalKind};
use crate::analog::Port;
use crate::hub::{Dhcp, Voice};
use crate::id::{ContractId, Extension, IdKey, SiteId};
use crate::number::Number;

/// SHA-256 of a section, or the root of all.
pub type Hash = [u8; 32];

/// Most bytes of an encoded section (64 IDs with full labels need 6,402).
pub const MAX_SECTION: usize = 8_192;

/// Most bytes of one encoded item. The largest is [`Sys`]: 89 bytes, and 1 + 4 * 88 for the firmware of all models.
pub const MAX_ITEM: usize = 448;

/// Which part of the site a section holds. The numbers are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum SectionKind {
    /// [`Sys`].
    Sys = 1,
    /// [`Site::ids`].
    Ids = 2,
    /// [`Site::credentials`].
    Credentials = 3,
    /// [`Site::reps`].
    Reps = 4,
}

impl SectionKind {
    /// All of them, in the order of the root hash.
    pub const ALL: [Self; 4] = [Self::Sys, Self::Ids, Self::Credentials, Self::Reps];

    /// The schema number this program writes.
    pub const fn schema(self) -> u16 {
        match self {
            // 2: the voice network, and who serves DHCP. 3: the firmware of the phones.
            Self::Sys => 3,
            // 2: an ID names its site. 3: and the port of its box. 4: and its phone.
            Self::Ids => 4,
            Self::Credentials | Self::Reps => 1,
        }
    }

    /// Does this program read that schema number?
    pub const fn reads(self, schema: u16) -> bool {
        1 <= schema && schema <= self.schema()
    }

    /// Its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize - 1
    }
}

impl TryFrom<u8> for SectionKind {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::ALL
            .into_iter()
            .find(|kind| *kind as u8 == number)
            .ok_or("unknown section kind")
    }
}

impl From<SectionKind> for u8 {
    fn from(kind: SectionKind) -> u8 {
        kind as u8
    }
}

/// What a manifest says about a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Which part.
    pub kind: SectionKind,
    /// Schema number of its items.
    pub schema: u16,
    /// Length in bytes.
    pub len: u32,
    /// [`section_hash`] of its bytes.
    pub hash: Hash,
}

/// A section cannot be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionError {
    /// A schema number this program does not know.
    Schema,
    /// Longer than allowed, or more items than a site has room for.
    TooBig,
    /// Not the encoding of its items, or not all of it.
    Malformed,
}

impl fmt::Display for SectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema => "unknown section schema",
            Self::TooBig => "section too big",
            Self::Malformed => "malformed section",
        })
    }
}

impl core::error::Error for SectionError {}

/// The hash of a section, computed piece by piece as its bytes come.
///
/// SHA-256 over a domain name, kind, schema number (little endian) and the bytes.
pub fn section_hash(kind: SectionKind, schema: u16) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(b"denwaban section\0");
    hash.update([kind as u8]);
    hash.update(schema.to_le_bytes());
    hash
}

/// The hash of a whole site: SHA-256 over kind, schema number, length and hash of its sections in their order.
pub fn root_hash(sections: &[Section]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"denwaban root\0");
    for section in sections {
        hash.update([section.kind as u8]);
        hash.update(section.schema.to_le_bytes());
        hash.update(section.len.to_le_bytes());
        hash.update(section.hash);
    }
    hash.finalize().into()
}

impl Site {
    /// Writes a section; returns its description and its bytes in `buf` ([`MAX_SECTION`] is always enough).
    pub fn encode_section<'b>(
        &self,
        kind: SectionKind,
        buf: &'b mut [u8],
    ) -> Result<(Section, &'b [u8]), SectionError> {
        let bytes = match kind {
            SectionKind::Sys => postcard::to_slice(&self.sys, buf),
            SectionKind::Ids => postcard::to_slice(&self.ids, buf),
            SectionKind::Credentials => postcard::to_slice(&self.credentials, buf),
            SectionKind::Reps => postcard::to_slice(&self.reps, buf),
        }
        .map_err(|_| SectionError::TooBig)?;
        if bytes.len() > MAX_SECTION {
            return Err(SectionError::TooBig);
        }
        let schema = kind.schema();
        let hash = section_hash(kind, schema).chain_update(&*bytes).finalize().into();
        Ok((
            Section {
                kind,
                schema,
                len: bytes.len() as u32,
                hash,
            },
            bytes,
        ))
    }

    /// Empties one part, before a [`SectionDecoder`] fills it.
    fn clear(&mut self, kind: SectionKind) {
        match kind {
            SectionKind::Sys => self.sys = Sys::default(),
            SectionKind::Ids => self.ids.clear(),
            SectionKind::Credentials => self.credentials.clear(),
            SectionKind::Reps => self.reps.clear(),
        }
    }
}

/// [`Id`] of schema 1: all IDs of the contract were at the one site.
#[derive(Deserialize)]
struct Id1 {
    key: IdKey,
    direct: Number,
    extension: Extension,
    direct_in: bool,
    direct_out: bool,
    label: Label,
    kind: TerminalKind,
    outgoing: Number,
}

impl Id1 {
    fn at(self, site: SiteId) -> Id {
        let Self {
            key,
            direct,
            extension,
            direct_in,
            direct_out,
            label,
            kind,
            outgoing,
        } = self;
        Id {
            key,
            direct,
            extension,
            direct_in,
            direct_out,
            label,
            kind,
            outgoing,
            site,
            port: None,
            phone: None,
        }
    }
}

/// [`Id`] of schema 2, with the site behind it: boxes had no ports.
type Id2 = (Id1, SiteId);

/// [`Id`] of schema 3, with the port behind it: no phone was configured by the box.
type Id3 = (Id2, Option<Port>);

/// [`Sys`] of schema 1: one network.
#[derive(Deserialize)]
struct Sys1 {
    contract: ContractId,
    site: SiteId,
    channels: u8,
    realm: String<64>,
    outside_prefix: Option<u8>,
    international: bool,
    busy_frees_apps: bool,
}

impl From<Sys1> for Sys {
    fn from(old: Sys1) -> Self {
        let Sys1 {
            contract,
            site,
            channels,
            realm,
            outside_prefix,
            international,
            busy_frees_apps,
        } = old;
        Self {
            contract,
            site,
            channels,
            realm,
            outside_prefix,
            international,
            busy_frees_apps,
            voice: None,
            dhcp: Dhcp::Auto,
            firmware: Vec::new(),
        }
    }
}

/// [`Sys`] of schema 2, the network behind it: phones kept the firmware they had.
type Sys2 = (Sys1, Option<Voice>, Dhcp);

/// Reads a section into a site from pieces of any size, holding no more than one item at a time.
pub struct SectionDecoder {
    kind: SectionKind,
    schema: u16,
    /// Items still to come; unknown until the count was read.
    items: Option<usize>,
    carry: Vec<u8, MAX_ITEM>,
}

impl SectionDecoder {
    /// Starts with an empty part of `site`, whose earlier parts are read.
    pub fn new(site: &mut Site, kind: SectionKind, schema: u16) -> Result<Self, SectionError> {
        if !kind.reads(schema) {
            return Err(SectionError::Schema);
        }
        site.clear(kind);
        let items = if kind == SectionKind::Sys { Some(1) } else { None };
        Ok(Self {
            kind,
            schema,
            items,
            carry: Vec::new(),
        })
    }

    /// Takes the next bytes.
    pub fn push(&mut self, site: &mut Site, mut bytes: &[u8]) -> Result<(), SectionError> {
        while !bytes.is_empty() {
            let room = (MAX_ITEM - self.carry.len()).min(bytes.len());
            let (now, later) = bytes.split_at_checked(room).ok_or(SectionError::TooBig)?;
            self.carry
                .extend_from_slice(now)
                .map_err(|_| SectionError::TooBig)?;
            bytes = later;
            let before = self.carry.len();
            let used = self.drain(site)?.min(before);
            // Nothing could be read from a full window: this item is longer than any item is.
            if used == 0 && before == MAX_ITEM {
                return Err(SectionError::Malformed);
            }
            self.carry.copy_within(used.., 0);
            self.carry.truncate(before - used);
        }
        Ok(())
    }

    /// The section is complete: was it?
    pub fn finish(self) -> Result<(), SectionError> {
        if self.items == Some(0) && self.carry.is_empty() {
            Ok(())
        } else {
            Err(SectionError::Malformed)
        }
    }

    /// Reads every whole item in the window; returns the bytes used.
    fn drain(&mut self, site: &mut Site) -> Result<usize, SectionError> {
        let mut used = 0;
        loop {
            let window = self.carry.get(used..).unwrap_or(&[]);
            let Some(items) = self.items else {
                let Some((count, rest)) = take::<u32>(window)? else {
                    return Ok(used);
                };
                self.items = Some(count as usize);
                used = self.carry.len() - rest.len();
                continue;
            };
            if items == 0 {
                return if window.is_empty() {
                    Ok(used)
                } else {
                    Err(SectionError::Malformed)
                };
            }
            let rest = match self.kind {
                SectionKind::Sys => match self.schema {
                    1 => take::<Sys1>(window)?.map(|(sys, rest)| (sys.into(), rest)),
                    2 => take::<Sys2>(window)?.map(|((sys, voice, dhcp), rest)| {
                        let sys = Sys::from(sys);
                        (Sys { voice, dhcp, ..sys }, rest)
                    }),
                    _ => take::<Sys>(window)?,
                }
                .map(|(sys, rest)| {
                    site.sys = sys;
                    Ok(rest)
                }),
                SectionKind::Ids => match self.schema {
                    1 => take::<Id1>(window)?.map(|(item, rest)| (item.at(site.sys.site), rest)),
                    2 => take::<Id2>(window)?.map(|((item, site), rest)| (item.at(site), rest)),
                    3 => take::<Id3>(window)?.map(|(((item, site), port), rest)| {
                        let item = item.at(site);
                        (Id { port, ..item }, rest)
                    }),
                    _ => take::<Id>(window)?,
                }
                .map(|(item, rest)| site.ids.push(item).map(|()| rest).map_err(drop)),
                SectionKind::Credentials => take::<Credential>(window)?
                    .map(|(item, rest)| site.credentials.push(item).map(|()| rest).map_err(drop)),
                SectionKind::Reps => {
                    take::<Rep>(window)?.map(|(item, rest)| site.reps.push(item).map(|()| rest).map_err(drop))
                }
            };
            match rest {
                None => return Ok(used),
                Some(Err(())) => return Err(SectionError::TooBig),
                Some(Ok(rest)) => {
                    self.items = Some(items - 1);
                    used = self.carry.len() - rest.len();
                }
            }
        }
    }
}

/// One value from the front, or nothing if its end has not come yet.
fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<Option<(T, &'a [u8])>, SectionError> {
    match postcard::take_from_bytes(bytes) {
        Ok(found) => Ok(Some(found)),
        Err(postcard::Error::DeserializeUnexpectedEnd) => Ok(None),
        Err(_) => Err(SectionError::Malformed),
    }
}
