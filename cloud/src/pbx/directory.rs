//! What the contracts say, as the calls need it: one snapshot, exchanged as a whole.

use std::collections::HashMap;

use shared::{BoxId, ContractId, IdKey, Number, Site, SiteId, caller_id};
use sip::digest::Ha1;

/// The account of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The box.
    pub id: BoxId,
    /// Its site.
    pub site: SiteId,
    /// Digest realm of its trunk.
    pub realm: String,
    /// Hashes of its secret.
    pub ha1: Ha1,
}

/// All sites and boxes.
#[derive(Debug, Default)]
pub struct Directory {
    realm: String,
    sites: Vec<Site>,
    site_at: HashMap<SiteId, usize>,
    accounts: HashMap<BoxId, Account>,
    box_of: HashMap<SiteId, BoxId>,
    /// A representative number may have members at several sites.
    numbers: HashMap<Number, Vec<usize>>,
}

impl Directory {
    /// From the sites as their boxes use them, and the boxes' accounts. `realm` is the service's own domain.
    pub fn new(
        realm: impl Into<String>,
        sites: Vec<Site>,
        accounts: impl IntoIterator<Item = Account>,
    ) -> Self {
        let mut numbers: HashMap<Number, Vec<usize>> = HashMap::new();
        for (at, site) in sites.iter().enumerate() {
            let here = site.here();
            let directs = site.ids.iter().filter(|id| site.is_here(id)).map(|id| id.direct);
            let reps = site
                .reps
                .iter()
                .filter(|rep| !rep.members.intersection(here).is_empty());
            let reps = reps.map(|rep| rep.number);
            for number in directs.chain(reps) {
                numbers.entry(number).or_default().push(at);
            }
        }
        let accounts: HashMap<BoxId, Account> = accounts
            .into_iter()
            .map(|account| (account.id, account))
            .collect();
        Self {
            realm: realm.into(),
            site_at: sites
                .iter()
                .enumerate()
                .map(|(at, site)| (site.sys.site, at))
                .collect(),
            box_of: accounts
                .values()
                .map(|account| (account.site, account.id))
                .collect(),
            sites,
            accounts,
            numbers,
        }
    }

    /// The service's own domain.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// A box's account.
    pub fn account(&self, id: BoxId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The site a box stands at.
    pub fn site_of(&self, id: BoxId) -> Option<&Site> {
        let account = self.accounts.get(&id)?;
        self.sites.get(*self.site_at.get(&account.site)?)
    }

    /// The box of a site.
    pub fn box_of(&self, site: &Site) -> Option<BoxId> {
        self.box_of.get(&site.sys.site).copied()
    }

    /// The sites a number belongs to: one for a direct number, all with members for a representative one (R1).
    pub fn sites_with(&self, number: Number) -> impl Iterator<Item = &Site> {
        let at = self.numbers.get(&number).map_or(&[][..], Vec::as_slice);
        at.iter().filter_map(|at| self.sites.get(*at))
    }

    /// The contract a number belongs to.
    pub fn contract_with(&self, number: Number) -> Option<ContractId> {
        self.sites_with(number).map(|site| site.sys.contract).next()
    }

    /// Calls with the outside that a contract may have at once (R15).
    pub fn channels(&self, contract: ContractId) -> usize {
        let of = self.sites.iter().filter(|site| site.sys.contract == contract);
        of.map(|site| usize::from(site.sys.channels)).max().unwrap_or(0)
    }

    /// Calls that a number may have at once, if fewer than the contract's (A4).
    pub fn sub_cap(&self, number: Number) -> Option<usize> {
        let reps = self.sites_with(number).flat_map(|site| &site.reps);
        reps.filter(|rep| rep.number == number)
            .find_map(|rep| rep.sub_cap)
            .map(usize::from)
    }
}

/// May calls of this site present this number (R9, R22)? With the calling ID known, it must be that one's own.
pub(super) fn may_present(site: &Site, caller: Option<IdKey>, number: Number) -> bool {
    match caller {
        Some(key) => site
            .id(key)
            .is_some_and(|id| caller_id::check(site, id, number).is_ok()),
        None => site.by_number(number).is_some(),
    }
}
