//! A contract as a document that is stored: JSON under a schema number. What was written under an older number is read
//! and becomes a contract of today.

use core::fmt;

use serde::{Deserialize, Serialize};
use shared::{ContractId, Date, Extension, IdKey, Number, SiteId, TerminalKind};

use crate::model::{Contract, Customer, Id, Line, Network, Rep, Settings, Site};
use crate::plan::PlanVersion;

/// Schema number of what is written.
pub const SCHEMA: u16 = 4;

/// Why a document is not a contract.
#[derive(Debug)]
pub enum StoreError {
    /// A schema number this program does not know.
    Schema(u16),
    /// Not the JSON of its schema.
    Malformed(serde_json::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(schema) => write!(f, "unknown schema {schema} of a contract"),
            Self::Malformed(error) => write!(f, "not a contract: {error}"),
        }
    }
}

impl core::error::Error for StoreError {}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error)
    }
}

/// The document around a contract.
#[derive(Serialize, Deserialize)]
struct Document<C> {
    schema: u16,
    contract: C,
}

impl Contract {
    /// The document of this contract.
    pub fn to_json(&self) -> Result<String, StoreError> {
        Ok(serde_json::to_string(&Document {
            schema: SCHEMA,
            contract: self,
        })?)
    }

    /// Reads a document of this or an older schema.
    pub fn from_json(text: &str) -> Result<Self, StoreError> {
        let document: Document<&serde_json::value::RawValue> = serde_json::from_str(text)?;
        let contract = document.contract.get();
        match document.schema {
            1 => Ok(serde_json::from_str::<V1>(contract)?.into()),
            // 3: an ID may name a port of a box. 4: and a phone, and a site its network. Without, it is as before.
            2 | 3 | SCHEMA => Ok(serde_json::from_str(contract)?),
            other => Err(StoreError::Schema(other)),
        }
    }
}

/// Schema 1: what the tables of the first cloud held. Frozen.
#[derive(Deserialize)]
struct V1 {
    id: ContractId,
    name: String,
    created: Date,
    outside_prefix: Option<u8>,
    #[serde(default)]
    international: bool,
    sites: Vec<V1Site>,
    /// Ascending by key; the basic one has `basic`.
    ids: Vec<V1Id>,
    reps: Vec<V1Rep>,
}

#[derive(Deserialize)]
struct V1Site {
    id: SiteId,
    name: String,
}

#[derive(Deserialize)]
struct V1Id {
    key: IdKey,
    basic: bool,
    created: Date,
    site: SiteId,
    direct: Number,
    extension: Extension,
    label: String,
    kind: V1Kind,
    direct_in: bool,
    direct_out: bool,
    outgoing: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum V1Kind {
    App,
    Fixed,
    Adapter,
}

#[derive(Deserialize)]
struct V1Rep {
    number: Number,
    created: Date,
    label: String,
    sub_cap: Option<u8>,
    members: Vec<IdKey>,
    ring: Vec<IdKey>,
}

impl From<V1> for Contract {
    fn from(old: V1) -> Self {
        let plan = PlanVersion::on(old.created);
        let mut contract = Self::sign(old.id, &old.name, Customer::Corporate, plan, old.created);
        contract.settings = Settings {
            outside_prefix: old.outside_prefix,
            international: old.international,
            busy_frees_apps: false,
        };
        contract.sites = old.sites.into_iter().map(Site::from).collect();
        let (basic, additional): (Vec<V1Id>, Vec<V1Id>) = old.ids.into_iter().partition(|id| id.basic);
        contract.ids = basic.into_iter().chain(additional).map(Id::from).collect();
        contract.reps = old.reps.into_iter().map(Rep::from).collect();
        contract.reps.sort_by_key(|rep| rep.line.number);
        contract
    }
}

impl From<V1Site> for Site {
    fn from(old: V1Site) -> Self {
        Self {
            id: old.id,
            name: old.name,
            address: None,
            emergency: None,
            reviewed: Vec::new(),
            network: Network::default(),
        }
    }
}

impl From<V1Id> for Id {
    fn from(old: V1Id) -> Self {
        Self {
            key: old.key,
            since: old.created,
            site: old.site,
            direct: Line::new(old.direct, old.created),
            extension: old.extension,
            label: old.label,
            kind: match old.kind {
                V1Kind::App => TerminalKind::App,
                V1Kind::Fixed => TerminalKind::Fixed,
                V1Kind::Adapter => TerminalKind::Adapter,
            },
            direct_in: old.direct_in,
            direct_out: old.direct_out,
            outgoing: old.outgoing,
            lease: None,
            epoch: 0,
            port: None,
            phone: None,
            claim: 0,
        }
    }
}

impl From<V1Rep> for Rep {
    fn from(old: V1Rep) -> Self {
        Self {
            line: Line::new(old.number, old.created),
            label: old.label,
            members: old.members.into_iter().collect(),
            ring: old.ring.into_iter().collect(),
            sub_cap: old.sub_cap,
        }
    }
}
