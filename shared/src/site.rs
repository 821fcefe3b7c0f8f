//! The complete configuration of a site, as the box uses it.
//!
//! A contract may have several sites. Numbers, extensions, ring groups and channels are the contract's, and every site
//! knows all of them; credentials are a site's own.
//!
//! It travels and is stored in sections (`section`), and is used only after [`Site::validate`] found no fault: a site
//! is applied as a whole or not at all.

mod section;
mod validate;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::analog::Port;
use crate::hub::{Dhcp, Phone, PhoneFirmware, PhoneModel, Voice};
use crate::id::{ContractId, Extension, IdKey, IdSet, SiteId};
use crate::number::{Digits, Number};

pub use section::{
    Hash, MAX_ITEM, MAX_SECTION, Section, SectionDecoder, SectionError, SectionKind, root_hash, section_hash,
};
pub use validate::{Invalid, Rule};

/// Most IDs, and most representative numbers, of a contract.
pub const MAX_IDS: usize = IdKey::COUNT;

/// Bytes of a label (about 16 kanji).
pub type Label = String<48>;

/// The whole configuration of one site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// What holds for the site as a whole.
    pub sys: Sys,
    /// The IDs of the contract at all its sites, ascending by key.
    pub ids: Vec<Id, MAX_IDS>,
    /// Digest credentials of the IDs here, whose terminals register at the box, ascending by key.
    pub credentials: Vec<Credential, MAX_IDS>,
    /// The representative numbers of the contract, ascending by number.
    pub reps: Vec<Rep, MAX_IDS>,
}

/// What holds for the site as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sys {
    /// The contract.
    pub contract: ContractId,
    /// The site of the contract.
    pub site: SiteId,
    /// Calls with the outside that may exist at once: the number of IDs of the contract (R15).
    pub channels: u8,
    /// SIP domain and digest realm of the site's phones.
    pub realm: String<64>,
    /// The digit some offices dial first for an outside line (0発信), `0` or `9` as a number.
    pub outside_prefix: Option<u8>,
    /// Calls to other countries are allowed; off unless asked for, against toll fraud.
    pub international: bool,
    /// A fixed phone in a call no longer keeps background apps silent (A18; off unless asked for).
    pub busy_frees_apps: bool,
    /// The network its phones are in, if it is not the office's.
    pub voice: Option<Voice>,
    /// When the box serves DHCP.
    pub dhcp: Dhcp,
    /// The firmware its phones shall run, one per model; in this order the files lie in the box's flash.
    pub firmware: Vec<PhoneFirmware, { PhoneModel::ALL.len() }>,
}

/// What kind of terminal uses an ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TerminalKind {
    /// Telephone app on a smartphone (電話アプリ).
    App,
    /// Desk phone (固定電話機).
    Fixed,
    /// Port of an analog adapter (宅内機器): telephone or FAX machine (R41).
    Adapter,
}

impl TerminalKind {
    /// Desk phones and adapter ports go before apps (R19).
    pub const fn is_fixed(self) -> bool {
        !matches!(self, Self::App)
    }
}

/// An ID: the right to use one terminal, with its own direct number (R5, R7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// Its immutable key within the contract.
    pub key: IdKey,
    /// Its direct number (直通番号).
    pub direct: Number,
    /// Its extension number (内線).
    pub extension: Extension,
    /// Calls to the direct number ring (R25).
    pub direct_in: bool,
    /// Calls may present the direct number (R25).
    pub direct_out: bool,
    /// Name shown to others.
    pub label: Label,
    /// Kind of its terminal.
    pub kind: TerminalKind,
    /// The number its calls present unless chosen otherwise; one of `caller_id::choices` (R9, R22, R23).
    pub outgoing: Number,
    /// The site its terminal belongs to.
    pub site: SiteId,
    /// The port of the site's box its terminal is plugged into; of an adapter only, if it is no adapter of its own.
    pub port: Option<Port>,
    /// The phone or adapter it is, if it gets its configuration from the box.
    pub phone: Option<Phone>,
}

impl Id {
    /// The SIP user and login name: the national digits of the direct number (R10).
    pub fn user(&self) -> Digits {
        self.direct.digits()
    }
}

/// The secret of one ID, as hashes of `user:realm:password` (RFC 7616 §3.4.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The ID.
    pub key: IdKey,
    /// HA1 for MD5.
    pub ha1_md5: [u8; 16],
    /// HA1 for SHA-256.
    pub ha1_sha256: [u8; 32],
}

impl core::fmt::Debug for Credential {
    /// Without the hashes: they are as good as the password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credential")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A representative number (代表番号) and its ring group (R2, R4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rep {
    /// The number.
    pub number: Number,
    /// Name shown on ringing terminals before they answer (R3).
    pub label: Label,
    /// IDs that belong to it: may present it (R22).
    pub members: IdSet,
    /// Members that ring when it is called (鳴り分け, R44).
    pub ring: IdSet,
    /// Calls this number may have at once, if fewer than the contract's (A4).
    pub sub_cap: Option<u8>,
}

/// What a number of the contract stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// The direct number of this ID.
    Direct(IdKey),
    /// The representative number with this index in [`Site::reps`].
    Rep(usize),
}

impl Site {
    /// A site without anything.
    pub const EMPTY: Self = Self {
        sys: Sys {
            contract: ContractId(0),
            site: SiteId(0),
            channels: 0,
            realm: String::new(),
            outside_prefix: None,
            international: false,
            busy_frees_apps: false,
            voice: None,
            dhcp: Dhcp::Auto,
            firmware: Vec::new(),
        },
        ids: Vec::new(),
        credentials: Vec::new(),
        reps: Vec::new(),
    };

    /// The ID with this key.
    pub fn id(&self, key: IdKey) -> Option<&Id> {
        self.ids.iter().find(|id| id.key == key)
    }

    /// The ID whose SIP user this is (R10; with or without separators, full-width too).
    pub fn by_user(&self, user: &str) -> Option<&Id> {
        let number = Number::parse(user).ok()?;
        self.ids.iter().find(|id| id.direct == number)
    }

    /// The ID with this extension.
    pub fn by_extension(&self, extension: Extension) -> Option<&Id> {
        self.ids.iter().find(|id| id.extension == extension)
    }

    /// What this number stands for, if it is one of the contract's (R1).
    pub fn by_number(&self, number: Number) -> Option<Called> {
        if let Some(id) = self.ids.iter().find(|id| id.direct == number) {
            return Some(Called::Direct(id.key));
        }
        self.reps
            .iter()
            .position(|rep| rep.number == number)
            .map(Called::Rep)
    }

    /// The digest credential of an ID.
    pub fn credential(&self, key: IdKey) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.key == key)
    }

    /// Every ID of the contract.
    pub fn all(&self) -> IdSet {
        self.ids.iter().map(|id| id.key).collect()
    }

    /// Does the terminal of this ID belong to this site?
    pub fn is_here(&self, id: &Id) -> bool {
        id.site == self.sys.site
    }

    /// The IDs of this site.
    pub fn here(&self) -> IdSet {
        let here = self.ids.iter().filter(|id| self.is_here(id));
        here.map(|id| id.key).collect()
    }
}
