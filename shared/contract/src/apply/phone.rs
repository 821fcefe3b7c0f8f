//! Phones that get their configuration from the box: claimed for an ID, and released (R5, R33 to R36).

use shared::{IdKey, SiteId, hub};

use super::Work;
use crate::device::{Device, DeviceId, DeviceState, Mac, Phone};
use crate::model::Network;
use crate::refusal::Refusal;

impl Work<'_> {
    /// The phone is the ID's from now on, and is given a password anew.
    pub(super) fn claim_phone(&mut self, key: IdKey, phone: Phone) -> Result<(), Refusal> {
        let id = self.id(key)?;
        let (extension, kind, site) = (id.extension, id.kind, id.site);
        if kind != phone.model.kind() {
            return Err(Refusal::WrongKind { extension, kind });
        }
        if let Some(port) = id.port {
            let port = port.number;
            return Err(Refusal::IdHasPort { extension, port });
        }
        if !phone.mac.is_device() {
            return Err(Refusal::NoMac(phone.mac));
        }
        if !(1..=phone.model.lines()).contains(&phone.line) {
            return Err(Refusal::NoLine(phone.model, phone.line));
        }
        if let Some(port) = phone.port.filter(|port| port.get() > hub::PORTS) {
            return Err(Refusal::NoPowerPort(port.get()));
        }
        for device in &self.contract.devices {
            let (same, bound) = (device.mac == Some(phone.mac), device.ports.contains(&Some(key)));
            if same && !matches!(device.state, DeviceState::Returned(_)) {
                let line = usize::from(phone.line) - 1;
                let own =
                    device.model.phone() == Some(phone.model) && device.ports.get(line) == Some(&Some(key));
                if !own {
                    return Err(Refusal::MacTaken(phone.mac));
                }
            } else if bound {
                let device = device.id;
                return Err(Refusal::IdHasDevice { extension, device });
            }
        }
        for other in self.contract.ids.iter().filter(|other| other.key != key) {
            let Some(theirs) = other.phone else { continue };
            let extension = other.extension;
            let port = phone
                .port
                .filter(|_| other.site == site && theirs.port == phone.port);
            if theirs.mac == phone.mac {
                let agree = (other.site, theirs.model, theirs.port) == (site, phone.model, phone.port);
                if !agree || theirs.line == phone.line {
                    let mac = phone.mac;
                    return Err(Refusal::PhoneTaken { mac, extension });
                }
            } else if let Some(port) = port {
                let port = port.get();
                return Err(Refusal::PowerPortTaken { port, extension });
            }
        }
        self.id_mut(key)?.phone = Some(phone);
        self.claim_anew(key)
    }

    /// What the ID's phone was given so far is void, if it has one: it is to be given a password anew.
    pub(super) fn claim_anew(&mut self, key: IdKey) -> Result<(), Refusal> {
        if self.id(key)?.phone.is_some() {
            self.contract.claims = self.contract.claims.saturating_add(1);
            self.id_mut(key)?.claim = self.contract.claims;
        }
        Ok(())
    }

    /// The site has another box, which knows nothing of what the one before gave to phones.
    pub(super) fn claim_site_anew(&mut self, site: SiteId) -> Result<(), Refusal> {
        self.site_mut(site)?;
        let there = self.contract.ids.iter().filter(|id| id.site == site);
        let keys: Vec<IdKey> = there.map(|id| id.key).collect();
        keys.into_iter().try_for_each(|key| self.claim_anew(key))
    }

    pub(super) fn release_phone(&mut self, key: IdKey) -> Result<(), Refusal> {
        let id = self.id_mut(key)?;
        match id.phone.take() {
            Some(_) => Ok(()),
            None => Err(Refusal::NoPhone(id.extension)),
        }
    }

    /// The ID is at another site: its phone comes along, to another box.
    pub(super) fn move_phone(&mut self, key: IdKey) -> Result<(), Refusal> {
        let Some(phone) = self.id(key)?.phone else {
            return Ok(());
        };
        let mut others = self.contract.ids.iter().filter(|other| other.key != key);
        // The other line of an adapter stays where it was, and so does the adapter.
        let stays = others.any(|other| other.phone.is_some_and(|other| other.mac == phone.mac));
        let id = self.id_mut(key)?;
        id.phone = (!stays).then_some(Phone { port: None, ..phone });
        self.claim_anew(key)
    }

    /// R34: a device that is set up is claimed for the ID of each of its ports.
    pub(super) fn claim_device(&mut self, device: DeviceId) -> Result<(), Refusal> {
        let found = self.contract.device(device).ok_or(Refusal::NoDevice(device))?;
        let (Some(mac), Some(model)) = (found.mac, found.model.phone()) else {
            return Ok(());
        };
        let keys = found.ports.clone();
        // Where another of its lines is.
        let known = |id: &&crate::model::Id| id.phone.is_some_and(|phone| phone.mac == mac);
        let port = self.contract.ids.iter().find(known).and_then(|id| id.phone?.port);
        for (line, key) in (1..).zip(keys) {
            let Some(key) = key else { continue };
            let phone = Phone {
                mac,
                model,
                line,
                port,
            };
            if self.id(key)?.phone != Some(phone) {
                self.claim_phone(key, phone)?;
            }
        }
        Ok(())
    }

    /// The device is no longer this ID's.
    pub(super) fn release_device(&mut self, key: IdKey, mac: Option<Mac>) {
        let mut ids = self.contract.ids.iter_mut();
        if let Some(id) = ids.find(|id| id.key == key)
            && id.phone.is_some_and(|phone| Some(phone.mac) == mac)
        {
            id.phone = None;
        }
    }

    /// R5: the ID has no phone but this device.
    pub(super) fn without_phone(&self, key: IdKey, but: Option<&Device>) -> Result<(), Refusal> {
        let id = self.id(key)?;
        match id.phone {
            Some(phone) if but.and_then(|device| device.mac) != Some(phone.mac) => Err(Refusal::IdHasPhone {
                extension: id.extension,
                mac: phone.mac,
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn set_network(&mut self, site: SiteId, network: &Network) -> Result<(), Refusal> {
        let found = self.site_mut(site)?;
        if let Some(voice) = network.voice.filter(|voice| !voice.is_usable()) {
            return Err(Refusal::Voice(voice));
        }
        found.network = *network;
        Ok(())
    }
}
