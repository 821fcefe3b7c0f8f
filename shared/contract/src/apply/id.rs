//! IDs: issued, changed, given back (R5, R7, R13, R16, R25, R30).

use shared::{Extension, IdKey};

use super::claim::Use;
use super::{Work, label, shadowed};
use crate::command::{IdChange, NewId};
use crate::device::DeviceState;
use crate::model::{Id, Line};
use crate::refusal::Refusal;

impl Work<'_> {
    pub(super) fn add_id(&mut self, new: &NewId) -> Result<(), Refusal> {
        let label = label(&new.label)?;
        let first = self.contract.sites.first().map(|site| site.id);
        let site = new.site.or(first).ok_or(Refusal::NoSites)?;
        self.site_mut(site)?;
        self.extension_free(new.extension, None)?;
        self.claim(new.direct, Use::Direct(site))?;
        let id = Id {
            key: self.free_key()?,
            since: self.context.today,
            site,
            direct: Line::new(new.direct, self.context.today),
            extension: new.extension,
            label,
            kind: new.kind,
            direct_in: true,
            direct_out: true,
            outgoing: new.direct,
            lease: None,
            epoch: 0,
            port: None,
            phone: None,
            claim: 0,
        };
        self.contract.ids.push(id);
        Ok(())
    }

    /// The lowest key that is no ID's and was none's while its calls may still be billed.
    fn free_key(&self) -> Result<IdKey, Refusal> {
        let former = |key| self.contract.former.iter().any(|former| former.id == Some(key));
        (0..IdKey::COUNT)
            .filter_map(|index| u16::try_from(index).ok().and_then(IdKey::new))
            .find(|key| self.contract.id(*key).is_none() && !former(*key))
            .ok_or(Refusal::NoKey)
    }

    fn extension_free(&self, extension: Extension, except: Option<IdKey>) -> Result<(), Refusal> {
        shadowed(extension, self.contract.settings.outside_prefix)?;
        match self.contract.by_extension(extension) {
            Some(id) if Some(id.key) != except => {
                let direct = id.direct.number;
                Err(Refusal::ExtensionTaken { extension, direct })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn change_id(&mut self, key: IdKey, change: &IdChange) -> Result<(), Refusal> {
        let before = self.id(key)?.clone();
        if *change == IdChange::default() {
            return Err(Refusal::NothingToChange);
        }
        if let Some(text) = &change.label {
            self.id_mut(key)?.label = label(text)?;
        }
        if let Some(extension) = change.extension {
            self.extension_free(extension, Some(key))?;
            self.id_mut(key)?.extension = extension;
        }
        if let Some(site) = change.site.filter(|site| *site != before.site) {
            self.site_mut(site)?;
            let id = self.id_mut(key)?;
            // The port was one of the other site's box.
            (id.site, id.port) = (site, None);
            self.move_phone(key)?;
            // The number stays only where it may be; with a new one, that one is asked below.
            if change.direct.is_none() {
                let next = before.direct.porting.and_then(|porting| porting.next);
                for number in [Some(before.direct.number), next].into_iter().flatten() {
                    self.check_area(number, Use::Direct(site))?;
                }
            }
        }
        if let Some(direct) = change.direct.filter(|direct| *direct != before.direct.number) {
            if before.direct.porting.is_some() {
                return Err(Refusal::Porting(before.direct.number));
            }
            self.releasable(before.direct.number)?;
            let site = self.id(key)?.site;
            self.claim(direct, Use::Direct(site))?;
            self.replace(before.direct.number, direct, false)?;
        }
        let id = self.id_mut(key)?;
        id.direct_in = change.direct_in.unwrap_or(id.direct_in);
        id.direct_out = change.direct_out.unwrap_or(id.direct_out);
        if let Some(number) = change.outgoing {
            let extension = id.extension;
            if !self.contract.may_present(key, number) {
                return Err(Refusal::CallerId { number, extension });
            }
            self.id_mut(key)?.outgoing = number;
        }
        Ok(())
    }

    pub(super) fn remove_id(&mut self, key: IdKey) -> Result<(), Refusal> {
        let id = self.id(key)?.clone();
        if self.contract.basic().is_some_and(|basic| basic.key == key) {
            return Err(Refusal::BasicId(id.extension));
        }
        let (ids, reps) = (self.contract.ids.len() - 1, self.contract.reps.len());
        let least = self.contract.rules().min_ids_for_reps;
        if reps > 0 && ids < least {
            return Err(Refusal::NeedsMultipleIds { ids, least });
        }
        if reps > ids {
            return Err(Refusal::RepCap {
                reps,
                pending: 0,
                ids,
            });
        }
        self.releasable(id.direct.number)?;
        if id.direct.porting.is_some() {
            return Err(Refusal::Porting(id.direct.number));
        }
        for device in &mut self.contract.devices {
            let own = matches!(device.state, DeviceState::Purchased(_));
            for port in device.ports.iter_mut().filter(|port| **port == Some(key)) {
                if !own {
                    return Err(Refusal::IdHasDevice {
                        extension: id.extension,
                        device: device.id,
                    });
                }
                *port = None;
            }
        }
        for rep in &mut self.contract.reps {
            rep.members.remove(key);
            rep.ring.remove(key);
        }
        self.contract.ids.retain(|id| id.key != key);
        self.former(&id.direct, Some(key), None, false);
        Ok(())
    }
}
