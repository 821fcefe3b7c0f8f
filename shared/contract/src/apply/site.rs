//! Sites, their addresses, and suspension.

use shared::number::plan::{Kind, classify};
use shared::{Number, SiteId};

use super::{Work, label};
use crate::command::NewSite;
use crate::device::DeviceState;
use crate::model::{Network, Reviewed, Role, Site, Suspension, SuspensionCause};
use crate::refusal::Refusal;

/// Bytes of an address (200 kanji).
const MAX_ADDRESS: usize = 600;

impl Work<'_> {
    pub(super) fn site_mut(&mut self, site: SiteId) -> Result<&mut Site, Refusal> {
        let mut sites = self.contract.sites.iter_mut();
        sites.find(|one| one.id == site).ok_or(Refusal::NoSite(site))
    }

    pub(super) fn add_site(&mut self, new: &NewSite) -> Result<(), Refusal> {
        if self.contract.site(new.id).is_some() {
            return Err(Refusal::SiteTaken(new.id));
        }
        let address = new.address.as_deref().map(address).transpose()?;
        self.contract.sites.push(Site {
            id: new.id,
            name: label(&new.name)?,
            address,
            emergency: None,
            reviewed: Vec::new(),
            network: Network::default(),
        });
        Ok(())
    }

    /// R18: every geographic number that depends on the site's address must fit the new one.
    pub(super) fn move_site(&mut self, site: SiteId, to: &str) -> Result<(), Refusal> {
        let to = address(to)?;
        let moved = self.contract.site(site).ok_or(Refusal::NoSite(site))?;
        if moved.address.as_deref() == Some(&to) {
            return Ok(());
        }
        let mut must_go = Vec::new();
        for (number, role) in self.contract.numbers() {
            if !matches!(classify(number, self.context.today), Kind::Geographic(_)) {
                continue;
            }
            let elsewhere = match role {
                Role::Direct(key) => self.contract.id(key).is_some_and(|id| id.site != site),
                Role::Rep => self.contract.sites.iter().any(|other| {
                    let address = other.address.as_deref().filter(|_| other.id != site);
                    address.is_some_and(|address| self.obstacle(number, other, address).is_none())
                }),
            };
            if !elsewhere && let Some(obstacle) = self.obstacle(number, moved, &to) {
                must_go.push((number, obstacle));
            }
        }
        if !must_go.is_empty() {
            return Err(Refusal::MustGo(must_go));
        }
        let moved = self.site_mut(site)?;
        moved.reviewed.retain(|reviewed| reviewed.address == to);
        moved.address = Some(to);
        moved.emergency = None;
        Ok(())
    }

    pub(super) fn confirm_emergency(&mut self, site: SiteId) -> Result<(), Refusal> {
        let today = self.context.today;
        let site = self.site_mut(site)?;
        if site.address.is_none() {
            return Err(Refusal::NoAddress(site.id));
        }
        site.emergency = Some(today);
        Ok(())
    }

    pub(super) fn review(&mut self, site: SiteId, reviewed: &Reviewed) -> Result<(), Refusal> {
        let address = address(&reviewed.address)?;
        if !reviewed.zone.exists() {
            return Err(Refusal::NoArea(reviewed.zone.to_string()));
        }
        let site = self.site_mut(site)?;
        site.reviewed
            .retain(|before| (&before.zone, &before.address) != (&reviewed.zone, &address));
        site.reviewed.push(Reviewed {
            address,
            ..reviewed.clone()
        });
        Ok(())
    }

    pub(super) fn remove_site(&mut self, site: SiteId) -> Result<(), Refusal> {
        self.site_mut(site)?;
        let ids = self.contract.ids.iter().filter(|id| id.site == site).count();
        // What the customer bought may be anywhere.
        let there = |state| !matches!(state, DeviceState::Returned(_) | DeviceState::Purchased(_));
        let devices = &self.contract.devices;
        let devices = devices
            .iter()
            .filter(|device| device.site == site && there(device.state))
            .count();
        if ids > 0 || devices > 0 {
            return Err(Refusal::SiteInUse { site, ids, devices });
        }
        // Its address may be what a representative number depends on.
        let remaining: Vec<Site> = self
            .contract
            .sites
            .iter()
            .filter(|one| one.id != site)
            .cloned()
            .collect();
        let before = core::mem::replace(&mut self.contract.sites, remaining);
        for (number, role) in self.contract.numbers() {
            // Those of IDs are of other sites.
            if role != Role::Rep {
                continue;
            }
            let site = before.iter().find(|one| one.id == site);
            let needed = site.is_some_and(|site| {
                let address = site.address.as_deref();
                address.is_some_and(|address| self.obstacle(number, site, address).is_none())
            });
            if needed {
                self.check_area(number, super::claim::Use::Rep)?;
            }
        }
        Ok(())
    }

    pub(super) fn suspend(&mut self, number: Option<Number>, suspension: &Suspension) -> Result<(), Refusal> {
        if suspension.reason.trim().is_empty() || suspension.by.trim().is_empty() {
            return Err(Refusal::SuspensionUnstated);
        }
        // It holds at once, so it cannot begin later.
        if suspension.since > self.context.today {
            return Err(Refusal::SuspensionLater(suspension.since));
        }
        let all = self.suspensions(number)?;
        all.retain(|before| before.cause != suspension.cause);
        all.push(suspension.clone());
        Ok(())
    }

    pub(super) fn resume(&mut self, number: Option<Number>, cause: SuspensionCause) -> Result<(), Refusal> {
        let all = self.suspensions(number)?;
        let before = all.len();
        all.retain(|suspension| suspension.cause != cause);
        if all.len() == before {
            return Err(Refusal::NotSuspended(cause));
        }
        Ok(())
    }

    fn suspensions(&mut self, number: Option<Number>) -> Result<&mut Vec<Suspension>, Refusal> {
        Ok(match number {
            Some(number) => &mut self.line_mut(number)?.suspended,
            None => &mut self.contract.suspended,
        })
    }
}

/// An address: not empty, not endless; what it means is the tables' matter.
fn address(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_ADDRESS || text.chars().any(char::is_control) {
        return Err(Refusal::Address);
    }
    Ok(text.into())
}
