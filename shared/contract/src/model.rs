//! The contract and what it owns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::analog::Port;
use shared::date::Date;
use shared::hub::{Dhcp, Voice};
use shared::route::{BlockRule, NumberRules, NumberState};
use shared::schedule::Schedule;
use shared::site::TerminalKind;
use shared::{ContractId, Extension, IdKey, IdSet, Number, SiteId};

use crate::area::Found;
use crate::command::NewRep;
use crate::device::{Device, DeviceId, Phone};
use crate::plan::{Plan, PlanVersion};

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
    /// Why nothing works that need not, at most one of each cause; numbers can be suspended one by one too.
    pub suspended: Vec<Suspension>,
    /// The last day, once it was ended.
    pub ended: Option<Date>,
    /// What holds for all of it.
    pub settings: Settings,
    /// Business hours its numbers can follow, by the index their rules name.
    pub schedules: BTreeMap<u8, Schedule>,
    /// Lists of callers its numbers can refuse, by the index their rules name.
    pub blocks: BTreeMap<u8, Vec<BlockRule>>,
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
    /// Numbers it had, and the IDs they belonged to (A5), until their calls are billed.
    pub former: Vec<Former>,
    /// Claims of phones so far: no number of one ever comes back, whatever becomes of its ID.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub claims: u16,
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Digit some offices dial first for an outside line, 0 or 9; `null` if none is dialled.
    #[serde(deserialize_with = "Option::deserialize")]
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
    /// Number areas in which somebody found an address to lie, where the tables do not say (A16).
    pub reviewed: Vec<Reviewed>,
    /// What its box does in the office's network.
    #[serde(default, skip_serializing_if = "Network::is_default")]
    pub network: Network,
}

/// What the box of a site does in the office's network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The network its phones are in; `null` if they are in the office's.
    #[serde(deserialize_with = "Option::deserialize")]
    pub voice: Option<Voice>,
    /// When it serves DHCP (R37).
    pub dhcp: Dhcp,
}

impl Network {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Evidence of the number area in which an address lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// The area.
    pub zone: Found,
    /// The address: the site's, or the one it will move to.
    pub address: String,
    /// What shows it: document and date of it.
    pub document: String,
    /// Who looked.
    pub by: String,
    /// When.
    pub on: Date,
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
    /// The port of its site's box that its telephone or FAX machine is plugged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// The phone it is claimed for: that one alone gets its password from the box (R33, R36).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Number of that claim: what was given to a phone on an older one is void.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub claim: u16,
}

fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// A telephone number of the contract and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The number that works now.
    pub number: Number,
    /// Since when.
    pub since: Date,
    /// Is it about to go or to change?
    pub porting: Option<Porting>,
    /// Why this number is suspended, at most one of each cause.
    pub suspended: Vec<Suspension>,
    /// Hours, refused callers, and where calls go that do not ring or are not answered.
    pub rules: NumberRules,
}

/// A port to or from another carrier that was asked for and is not done (possible both ways since January 2025).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Porting {
    /// Which way.
    pub direction: Direction,
    /// What the line's number will be then: the one to come, or the one that replaces the one that went.
    pub next: Option<Number>,
    /// Day of the request.
    pub since: Date,
}

/// Which way a number is ported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From another carrier; the line's present number is a temporary one.
    In,
    /// To another carrier.
    Out,
}

/// A representative number (代表番号) and its ring group (R2, R4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rep {
    /// Its number.
    pub line: Line,
    /// Name shown on ringing terminals (R3).
    pub label: String,
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
    pub rep: NewRep,
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
    /// A desk phone or adapter.
    Device(DeviceId),
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
    /// The number that came in its place.
    pub next: Option<Number>,
    /// It went to another carrier.
    pub ported: bool,
}

/// What a number of the contract is for (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Direct number of this ID, or to become it.
    Direct(IdKey),
    /// A representative number, or to become one.
    Rep,
}

impl Contract {
    /// A new contract without sites, IDs and numbers.
    pub fn sign(id: ContractId, name: &str, customer: Customer, plan: PlanVersion, signed: Date) -> Self {
        Self {
            id,
            name: name.into(),
            customer,
            plan,
            signed,
            suspended: Vec::new(),
            ended: None,
            settings: Settings::default(),
            schedules: BTreeMap::new(),
            blocks: BTreeMap::new(),
            sites: Vec::new(),
            ids: Vec::new(),
            reps: Vec::new(),
            requests: Vec::new(),
            devices: Vec::new(),
            former: Vec::new(),
            claims: 0,
        }
    }

    /// The rules it is judged by.
    pub fn rules(&self) -> &'static Plan {
        self.plan.plan()
    }

    /// Calls with the outside that may exist at once: the number of IDs (R15).
    pub fn channels(&self) -> usize {
        self.ids.len()
    }

    /// The site with this identity.
    pub fn site(&self, site: SiteId) -> Option<&Site> {
        self.sites.iter().find(|one| one.id == site)
    }

    /// The ID with this key.
    pub fn id(&self, key: IdKey) -> Option<&Id> {
        self.ids.iter().find(|id| id.key == key)
    }

    /// The basic ID (基本ID): the one issued first (R16).
    pub fn basic(&self) -> Option<&Id> {
        self.ids.first()
    }

    /// The ID with this extension.
    pub fn by_extension(&self, extension: Extension) -> Option<&Id> {
        self.ids.iter().find(|id| id.extension == extension)
    }

    /// The representative number.
    pub fn rep(&self, number: Number) -> Option<&Rep> {
        self.reps.iter().find(|rep| rep.line.number == number)
    }

    /// The device with this key.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// The line whose number works now.
    pub fn line(&self, number: Number) -> Option<&Line> {
        self.lines()
            .map(|(line, _)| line)
            .find(|line| line.number == number)
    }

    /// Every line with what it is for.
    pub fn lines(&self) -> impl Iterator<Item = (&Line, Role)> {
        let direct = self.ids.iter().map(|id| (&id.direct, Role::Direct(id.key)));
        direct.chain(self.reps.iter().map(|rep| (&rep.line, Role::Rep)))
    }

    /// Every number it has or is about to get, with what it is for. None comes twice (R1).
    pub fn numbers(&self) -> impl Iterator<Item = (Number, Role)> {
        self.lines().flat_map(|(line, role)| {
            let next = line.porting.and_then(|porting| porting.next);
            [Some(line.number), next]
                .into_iter()
                .flatten()
                .map(move |number| (number, role))
        })
    }

    /// What a number of it is for.
    pub fn role(&self, number: Number) -> Option<Role> {
        self.numbers()
            .find(|(one, _)| *one == number)
            .map(|(_, role)| role)
    }

    /// May this ID present this number? Its own direct number, or a representative number it belongs to (R9, R22).
    pub fn may_present(&self, key: IdKey, number: Number) -> bool {
        self.id(key)
            .is_some_and(|id| id.direct.number == number && id.direct_out)
            || self.rep(number).is_some_and(|rep| rep.members.contains(key))
    }

    /// Requests that wait for the review.
    pub fn pending(&self) -> impl Iterator<Item = &RepRequest> {
        self.requests
            .iter()
            .filter(|request| request.state == RequestState::Submitted)
    }

    /// The state of a number, for the routing of calls to it.
    pub fn state(&self, number: Number) -> NumberState {
        let Some((line, role)) = self.lines().find(|(line, _)| line.number == number) else {
            return match self.role(number) {
                Some(_) => NumberState::Porting,
                None => NumberState::Unassigned,
            };
        };
        match role {
            _ if !self.suspended.is_empty() || !line.suspended.is_empty() => NumberState::Suspended,
            Role::Direct(key) if self.id(key).is_some_and(|id| !id.direct_in) => NumberState::DirectOff,
            _ => NumberState::InUse,
        }
    }
}

impl Line {
    /// A line that works from today.
    pub(crate) fn new(number: Number, since: Date) -> Self {
        Self {
            number,
            since,
            porting: None,
            suspended: Vec::new(),
            rules: NumberRules::default(),
        }
    }
}
