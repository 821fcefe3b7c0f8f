//! What the contracts say, as the calls need it: one snapshot, exchanged as a whole.

use std::collections::{BTreeMap, HashMap};

use shared::route::{BlockRule, NumberRules, NumberState};
use shared::schedule::Schedule;
use shared::site::{Credential, Id};
use shared::{BoxId, Called, ContractId, IdKey, Number, Site, SiteId, TerminalKind};
use sip::digest::Ha1;

/// An ID of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// The contract.
    pub contract: ContractId,
    /// The ID within it.
    pub key: IdKey,
}

/// Who registers here, is called here and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A box, for all phones of its site.
    Box(BoxId),
    /// The phone of this ID, for as long as the box of its site is away.
    Phone(Line),
}

/// The account of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The box.
    pub id: BoxId,
    /// Its contract.
    pub contract: ContractId,
    /// Its site.
    pub site: SiteId,
    /// Hashes of its secret.
    pub ha1: Ha1,
}

/// A contract as its calls need it.
#[derive(Clone, Debug, Default)]
pub struct Office {
    /// Its IDs, representative numbers and channels, as any of its sites has them.
    pub site: Site,
    /// Hashes of the passwords of its IDs at all sites; those of [`Office::site`] are one site's.
    pub secrets: HashMap<IdKey, Ha1>,
    /// State and rules of its numbers, those to come included; one that is not here is in use and has no rules.
    pub lines: HashMap<Number, (NumberState, NumberRules)>,
    /// Schedules that its numbers share.
    pub schedules: BTreeMap<u8, Schedule>,
    /// Block lists that its numbers share.
    pub blocks: BTreeMap<u8, Vec<BlockRule>>,
}

impl From<Site> for Office {
    /// A contract whose numbers are all in use, at all hours and for everybody, with the passwords that the site has.
    fn from(site: Site) -> Self {
        let secret = |of: &Credential| {
            let (md5, sha256) = (of.ha1_md5, of.ha1_sha256);
            (of.key, Ha1 { md5, sha256 })
        };
        Self {
            secrets: site.credentials.iter().map(secret).collect(),
            site,
            ..Self::default()
        }
    }
}

impl Office {
    /// Which contract it is.
    pub fn contract(&self) -> ContractId {
        self.site.sys.contract
    }

    /// The state and the rules of a number.
    pub fn line(&self, number: Number) -> (NumberState, NumberRules) {
        let (state, rules) = self
            .lines
            .get(&number)
            .copied()
            .unwrap_or((NumberState::InUse, NumberRules::default()));
        let off = match self.site.by_number(number) {
            Some(Called::Direct(key)) => self.site.id(key).is_some_and(|id| !id.direct_in),
            _ => false,
        };
        match state {
            NumberState::InUse if off => (NumberState::DirectOff, rules),
            state => (state, rules),
        }
    }

    /// The schedule of these rules.
    pub fn schedule(&self, rules: NumberRules) -> Option<&Schedule> {
        self.schedules.get(&rules.schedule?)
    }

    /// The block list of these rules.
    pub fn block(&self, rules: NumberRules) -> &[BlockRule] {
        rules
            .block
            .and_then(|index| self.blocks.get(&index))
            .map_or(&[], Vec::as_slice)
    }
}

/// All contracts and boxes.
#[derive(Debug, Default)]
pub struct Directory {
    realm: String,
    offices: HashMap<ContractId, Office>,
    accounts: HashMap<BoxId, Account>,
    box_at: HashMap<SiteId, BoxId>,
    numbers: HashMap<Number, ContractId>,
}

impl Directory {
    /// From the contracts and the boxes' accounts. `realm` is the service's own domain.
    pub fn new(
        realm: impl Into<String>,
        offices: impl IntoIterator<Item = impl Into<Office>>,
        accounts: impl IntoIterator<Item = Account>,
    ) -> Self {
        let mut directory = Self {
            realm: realm.into(),
            ..Self::default()
        };
        for office in offices {
            let office: Office = office.into();
            let directs = office.site.ids.iter().map(|id| id.direct);
            let reps = office.site.reps.iter().map(|rep| rep.number);
            for number in directs.chain(reps).chain(office.lines.keys().copied()) {
                directory.numbers.insert(number, office.contract());
            }
            directory.offices.insert(office.contract(), office);
        }
        for account in accounts {
            directory.box_at.insert(account.site, account.id);
            directory.accounts.insert(account.id, account);
        }
        directory
    }

    /// The service's own domain.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// A box's account.
    pub fn account(&self, id: BoxId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The box of a site.
    pub fn box_at(&self, site: SiteId) -> Option<BoxId> {
        self.box_at.get(&site).copied()
    }

    /// A contract.
    pub fn office(&self, contract: ContractId) -> Option<&Office> {
        self.offices.get(&contract)
    }

    /// The contract a number belongs to (R1).
    pub fn office_with(&self, number: Number) -> Option<&Office> {
        self.office(*self.numbers.get(&number)?)
    }
    /// Who has this user name (R10): the identity of a box, or the digits of the direct number of an ID whose terminal may
    /// register, as at a box.
    pub fn peer(&self, user: &[u8]) -> Option<Peer> {
        let user = core::str::from_utf8(user).ok()?;
        if let Some(account) = user.parse().ok().and_then(|id| self.account(id)) {
            return Some(Peer::Box(account.id));
        }
        let number = Number::parse(user).ok()?;
        let office = self.office_with(number)?;
        let id = office.site.ids.iter().find(|id| id.direct == number)?;
        let line = Line {
            contract: office.contract(),
            key: id.key,
        };
        (may_register(id) && id.direct.digits().to_string() == user).then_some(Peer::Phone(line))
    }

    /// What verifies somebody's password.
    pub fn secret(&self, peer: Peer) -> Option<&Ha1> {
        match peer {
            Peer::Box(id) => self.account(id).map(|account| &account.ha1),
            Peer::Phone(line) => {
                let (office, id) = self.line(line)?;
                office.secrets.get(&line.key).filter(|_| may_register(id))
            }
        }
    }

    /// A contract and an ID of it.
    pub fn line(&self, line: Line) -> Option<(&Office, &Id)> {
        let office = self.office(line.contract)?;
        Some((office, office.site.id(line.key)?))
    }

    /// The box at whose site somebody is: itself, or the one a phone belongs to.
    pub fn home(&self, peer: Peer) -> Option<BoxId> {
        match peer {
            Peer::Box(id) => Some(id),
            Peer::Phone(line) => self.box_at(self.line(line)?.1.site),
        }
    }
}

/// A telephone at a port of a box has no password, and apps do not register.
fn may_register(id: &Id) -> bool {
    id.kind != TerminalKind::App && id.port.is_none()
}
