//! The contract and what it owns.

use serde::{Deserialize, Serialize};
use shared::date::Date;
use shared::site::TerminalKind;
use shared::{ContractId, Extension, IdKey, IdSet, Number, SiteId};

use crate::device::{Device, DeviceId};
use crate::plan::PlanVersion;

/// A contract with the telephone service (契約).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// Its identity.
    pub id: ContractId,
    /// The customer's name.
    pub name: String,
    /// What kind of customer.
    pub customer: Customer,
    /// The plan it was signed on, by which it is judged for good.
    pub plan: PlanVersion,
    /// Day of signing.
    pub signed: Date,
    /// Set while bills are unpaid or an authority asked for it; numbers can be suspended one by one too.
    pub suspended: Option<Suspension>,
    /// The last day, once it was ended.
    pub ended: Option<Date>,
    /// What holds for all of it.
    pub settings: Settings,
    /// Its sites, in the order they were made; the first is the head office.
    pub sites: Vec<Site>,
    /// Its IDs, in the order they were issued: the first is the basic one (R16).
    pub ids: Vec<Id>,
    /// Its representative numbers, ascending by number.
    pub reps: Vec<Rep>,
    /// Representative numbers asked for beyond those given without review (R14).
    pub requests: Vec<RepRequest>,
    /// Its desk phones and adapters, ascending by id; those that came back too.
    pub devices: Vec<Device>,
    /// IDs and numbers it had (A5): keeps their keys from being used again too early.
    pub former: Vec<Former>,
}

/// What kind of customer; a consumer's early termination is limited by law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Customer {
    /// Company or sole trader.
    Corporate,
    /// Anybody else.
    Consumer,
}

/// Why nothing works that need not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Which kind.
    pub cause: SuspensionCause,
    /// In words: the request's reference, the bill.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// Since when.
    pub since: Date,
}

/// Kinds of suspension. They differ in who can lift them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuspensionCause {
    /// At the request of the police (番号停止スキーム).
    Legal,
    /// Bills are unpaid.
    Unpaid,
}

/// What holds for the whole contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Digit some offices dial first for an outside line, 0 or 9.
    pub outside_prefix: Option<u8>,
    /// Calls to other countries are allowed.
    pub international: bool,
    /// A desk phone in a call no longer keeps apps silent (A18).
    pub busy_frees_apps: bool,
}

/// A place of the customer with its own emergency location, and at most one box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its identity.
    pub id: SiteId,
    /// Its name.
    pub name: String,
    /// Its address as registered (登録所在地): decides which numbers its IDs can have (R18).
    pub address: Option<String>,
    /// Day since which emergency services are given this address; a geographic number needs it (電気通信番号計画 第3).
    pub emergency: Option<Date>,
}

/// An ID: the right to use one terminal, with its own direct number (R5, R7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// Its immutable key (A5).
    pub key: IdKey,
    /// Day of issue.
    pub since: Date,
    /// Where its terminal is.
    pub site: SiteId,
    /// Its direct number (直通番号); its digits are the ID code (R10).
    pub direct: Line,
    /// ID codes it had before, which still log in (R10, A5).
    pub aliases: Vec<Number>,
    /// Its extension.
    pub extension: Extension,
    /// Name shown to others.
    pub label: String,
    /// Kind of its terminal.
    pub kind: TerminalKind,
    /// Calls to the direct number ring (R25).
    pub direct_in: bool,
    /// Calls may present the direct number (R25).
    pub direct_out: bool,
    /// Number its calls usually present (R9, R22, R23).
    pub outgoing: Number,
    /// The terminal that uses it now (R6).
    pub lease: Option<Lease>,
    /// Counts its leases: who holds an older one has lost it.
    pub epoch: u32,
}

/// A telephone number of the contract and what happens to it (§ portability since January 2025).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The number that works now.
    pub number: Number,
    /// Since when.
    pub since: Date,
    /// Is it about to change?
    pub porting: Option<Porting>,
    /// Set while this number is suspended.
    pub suspended: Option<Suspension>,
}

/// A port that was asked for and is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Porting {
    /// `number` comes from another carrier and then replaces the line's present, temporary one.
    In {
        /// The number to come.
        number: Number,
        /// Day of the request.
        since: Date,
    },
    /// The number goes to another carrier.
    Out {
        /// Day of the request.
        since: Date,
    },
}

/// A representative number (代表番号) and its ring group (R2, R4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rep {
    /// Its number.
    pub line: Line,
    /// Name shown on ringing terminals (R3).
    pub label: String,
    /// How to answer: 「○○会社、サポートセンターです。」 (R3, R4).
    pub phrase: String,
    /// IDs that belong to it (R22).
    pub members: IdSet,
    /// Members that ring (鳴り分け, R44).
    pub ring: IdSet,
    /// Calls it may have at once, if fewer than the contract's (A4).
    pub sub_cap: Option<u8>,
}

/// A representative number that is asked for (R14).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepRequest {
    /// Its key within the contract.
    pub id: u32,
    /// Day of the request.
    pub since: Date,
    /// What is asked for.
    pub rep: crate::command::NewRep,
    /// What it shall be used for (ご利用用途).
    pub usage: String,
    /// How far it is.
    pub state: RequestState,
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestState {
    /// Waits for the review.
    Submitted,
    /// The number was given.
    Approved(Date),
    /// It was not.
    Refused {
        /// When.
        on: Date,
        /// Why.
        reason: String,
    },
}

/// What a terminal is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Terminal {
    /// The port of a device.
    Device {
        /// The device.
        device: DeviceId,
        /// Index of its port.
        port: u8,
    },
    /// An installation of the app, by its own name.
    App(String),
}

/// The terminal an ID is lent to (R6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The terminal.
    pub terminal: Terminal,
    /// [`Id::epoch`] when it was given.
    pub epoch: u32,
}

/// An ID or number the contract had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// The number.
    pub number: Number,
    /// The ID whose direct number it was.
    pub id: Option<IdKey>,
    /// Since when it was the contract's.
    pub since: Date,
    /// When it went.
    pub until: Date,
    /// It went to another carrier.
    pub ported: bool,
}
