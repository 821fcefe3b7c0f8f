//! May the contract have this number? (R1, R11, R18)

use shared::number::plan::{Kind, classify};
use shared::{Number, SiteId};

use super::Work;
use crate::area::{Found, Verdict};
use crate::model::{Role, Site};
use crate::refusal::{Obstacle, Refusal};

/// What a number is claimed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A direct number of an ID at this site: it belongs to that site's address.
    Direct(SiteId),
    /// A representative number: it belongs to the address of any site.
    Rep,
}

impl Work<'_> {
    /// Can the service give the number? It cannot give one that went to another carrier.
    pub(super) fn claim(&self, number: Number, wanted: Use) -> Result<(), Refusal> {
        let mut former = self.contract.former.iter().rev();
        match former.find(|former| former.number == number) {
            Some(last) if last.ported && self.contract.role(number).is_none() => {
                Err(Refusal::PortedOut(number))
            }
            _ => self.suits(number, wanted),
        }
    }

    /// Is the number free, and of the right kind and area?
    pub(super) fn suits(&self, number: Number, wanted: Use) -> Result<(), Refusal> {
        match classify(number, self.context.today) {
            Kind::Emergency | Kind::Service | Kind::Ended => return Err(Refusal::NotASubscriber(number)),
            Kind::International => return Err(Refusal::Foreign(number)),
            Kind::Unassigned => return Err(Refusal::NotInPlan(number)),
            kind if !kind.is_assignable() => return Err(Refusal::NotAssignable(number)),
            _ => {}
        }
        match (self.contract.role(number), wanted) {
            (Some(Role::Direct(key)), Use::Direct(_)) => {
                let extension = self.id(key)?.extension;
                return Err(Refusal::SharedDirect { number, extension });
            }
            (role @ Some(_), _) => return Err(Refusal::NumberInUse { number, role }),
            (None, _) => {}
        }
        if (self.context.owner)(number).is_some_and(|owner| owner != self.contract.id) {
            let role = None;
            return Err(Refusal::NumberInUse { number, role });
        }
        if let Some(asked) = self.contract.pending().find(|asked| asked.rep.number == number) {
            let request = asked.id;
            return Err(Refusal::Requested { number, request });
        }
        self.check_area(number, wanted)
    }

    /// R18: a geographic number belongs to the address of one of its sites, of which emergency services know.
    pub(super) fn check_area(&self, number: Number, wanted: Use) -> Result<(), Refusal> {
        if !matches!(classify(number, self.context.today), Kind::Geographic(_)) {
            return Ok(());
        }
        let sites = self.contract.sites.iter().filter(|site| match wanted {
            Use::Direct(own) => site.id == own,
            Use::Rep => true,
        });
        let mut refusal = None;
        for site in sites {
            let Some(address) = &site.address else {
                refusal.get_or_insert(Refusal::NoAddress(site.id));
                continue;
            };
            match self.obstacle(number, site, address) {
                None if site.emergency.is_some() => return Ok(()),
                None => refusal = Some(Refusal::NoEmergency(site.id)),
                // What a review can settle says more than what is settled.
                Some(obstacle) => {
                    let known = matches!(
                        refusal,
                        Some(
                            Refusal::NoEmergency(_)
                                | Refusal::Area {
                                    obstacle: Obstacle::Unknown(_),
                                    ..
                                }
                        )
                    );
                    if !known {
                        refusal = Some(self.area_refusal(number, address, obstacle));
                    }
                }
            }
        }
        Err(refusal.unwrap_or(Refusal::NoSites))
    }

    /// What keeps the address of a site from having the number, evidence considered.
    pub(super) fn obstacle(&self, number: Number, site: &Site, address: &str) -> Option<Obstacle> {
        let areas = self.context.areas;
        match areas.judge(address, &areas.zones(number)) {
            Verdict::Allowed => None,
            Verdict::Denied(reason) => Some(Obstacle::Outside(reason)),
            Verdict::NeedsReview { options } => {
                let mut evidence = site
                    .reviewed
                    .iter()
                    .filter(|reviewed| reviewed.address == address);
                let settled = evidence.any(|reviewed| areas.settles(&reviewed.zone, number));
                (!settled).then_some(Obstacle::Unknown(options))
            }
        }
    }

    fn area_refusal(&self, number: Number, address: &str, obstacle: Obstacle) -> Refusal {
        let areas = self.context.areas;
        let (zone, name) = match areas.zones(number)[..] {
            [zone] => (Some(zone), areas.name(zone).to_owned()),
            // What evidence has to name.
            _ => (None, Found::numbers(number).map_or(String::new(), Found::into)),
        };
        Refusal::Area {
            number,
            zone,
            name,
            address: address.into(),
            obstacle,
        }
    }
}
