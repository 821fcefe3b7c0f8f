//! Devices, from the order to the return (R5, R33 to R35, R39, R43, R46).

use shared::analog::{PORTS, Port};
use shared::{Extension, IdKey, TerminalKind};

use super::Work;
use crate::catalogue::{CATALOGUE, HUB_PORTS};
use crate::command::NewDevice;
use crate::device::{Acquisition, Device, DeviceId, DeviceState, Interface, Mac, Model};
use crate::order::Fault;
use crate::refusal::Refusal;
use crate::tariff::Error;

impl Work<'_> {
    pub(super) fn order_device(&mut self, new: &NewDevice) -> Result<(), Refusal> {
        self.site_mut(new.site)?;
        self.on_offer(new)?;
        self.powered(new)?;
        if new.model.is_adapter() && new.interface != Interface::Analog {
            return Err(Refusal::AnalogOnly(new.interface));
        }
        if new.ports.len() != new.model.ports() {
            return Err(Refusal::Ports(new.model));
        }
        for (index, key) in new.ports.iter().enumerate() {
            let Some(key) = *key else { continue };
            self.free_id(key, new.model)?;
            self.without_phone(key, None)?;
            if new
                .ports
                .get(..index)
                .is_some_and(|before| before.contains(&Some(key)))
            {
                return Err(Refusal::Ports(new.model));
            }
        }
        let last = self.contract.devices.last().map_or(0, |device| device.id.0);
        self.contract.devices.push(Device {
            id: DeviceId(last.saturating_add(1)),
            model: new.model,
            acquisition: new.acquisition,
            site: new.site,
            ports: new.ports.clone(),
            mac: None,
            ordered: self.context.today,
            shipped: None,
            state: DeviceState::Ordered(self.context.today),
        });
        Ok(())
    }

    /// R35, R46 to R49: what the guide has a price for is to be had while it is sold, and on the terms it is sold on. The
    /// rest is the price list's matter.
    fn on_offer(&self, new: &NewDevice) -> Result<(), Refusal> {
        let (model, terms) = (new.model, new.acquisition);
        let rows = || CATALOGUE.iter().filter(|row| row.of == model);
        let fault = match rows().find(|row| row.holds(self.context.today)) {
            Some(row) if row.price.price(terms).is_some() => return Ok(()),
            Some(_) => Error::NotOffered { model, terms }.into(),
            None => match rows().filter_map(|row| row.until).max() {
                Some(until) => Fault::NotOnSale { model, until },
                None => return Ok(()),
            },
        };
        Err(Refusal::Order(fault))
    }

    /// R39, R40: what comes without an AC adapter has a port of a hub at its site, or power of the customer's own.
    fn powered(&self, new: &NewDevice) -> Result<(), Refusal> {
        if new.model.has_ac_adapter() || new.own_power {
            return Ok(());
        }
        let count = |which: fn(Model) -> bool| {
            let there = |device: &&Device| {
                device.site == new.site && !matches!(device.state, DeviceState::Returned(_))
            };
            let devices = self.contract.devices.iter().filter(there);
            u16::try_from(devices.filter(|device| which(device.model)).count()).unwrap_or(u16::MAX)
        };
        let units = count(|model| !model.has_ac_adapter()).saturating_add(1);
        let ports = count(|model| model == Model::PoeHub).saturating_mul(HUB_PORTS);
        if units > ports {
            return Err(Refusal::Order(Fault::NoPoePort { units, ports }));
        }
        Ok(())
    }

    /// R5: the ID is for this kind of terminal and has no device.
    fn free_id(&self, key: IdKey, model: Model) -> Result<(), Refusal> {
        let id = self.id(key)?;
        let (extension, kind) = (id.extension, id.kind);
        if kind != model.kind() {
            return Err(Refusal::WrongKind { extension, kind });
        }
        if let Some(port) = id.port {
            let port = port.number;
            return Err(Refusal::IdHasPort { extension, port });
        }
        self.without_device(key, extension)
    }

    fn without_device(&self, key: IdKey, extension: Extension) -> Result<(), Refusal> {
        let mut devices = self.contract.devices.iter();
        match devices.find(|device| device.ports.contains(&Some(key))) {
            Some(device) => Err(Refusal::IdHasDevice {
                extension,
                device: device.id,
            }),
            None => Ok(()),
        }
    }

    /// R5, A14: a port of the site's box is a terminal with an ID of its own, as an adapter's is.
    pub(super) fn plug(&mut self, key: IdKey, port: Option<Port>) -> Result<(), Refusal> {
        let id = self.id(key)?;
        let (extension, kind, site) = (id.extension, id.kind, id.site);
        if let Some(Port { number: port, .. }) = port {
            if kind != TerminalKind::Adapter {
                return Err(Refusal::WrongKind { extension, kind });
            }
            if !(1..=PORTS).contains(&port) {
                return Err(Refusal::NoPort(port));
            }
            self.without_device(key, extension)?;
            self.without_phone(key, None)?;
            let mut others = self
                .contract
                .ids
                .iter()
                .filter(|other| other.key != key && other.site == site);
            if let Some(other) = others.find(|other| other.port.is_some_and(|other| other.number == port)) {
                let extension = other.extension;
                return Err(Refusal::PortTaken { port, extension });
            }
        }
        self.id_mut(key)?.port = port;
        Ok(())
    }

    fn device_mut(&mut self, device: DeviceId) -> Result<&mut Device, Refusal> {
        let mut devices = self.contract.devices.iter_mut();
        devices
            .find(|one| one.id == device)
            .ok_or(Refusal::NoDevice(device))
    }

    pub(super) fn configure_device(&mut self, device: DeviceId, mac: Mac) -> Result<(), Refusal> {
        let today = self.context.today;
        let taken = self.contract.devices.iter().any(|other| {
            other.id != device && other.mac == Some(mac) && !matches!(other.state, DeviceState::Returned(_))
        });
        if taken {
            return Err(Refusal::MacTaken(mac));
        }
        let device = self.device_mut(device)?;
        match device.state {
            DeviceState::Ordered(_) if device.model.ports() == 0 => Err(Refusal::Ports(device.model)),
            DeviceState::Ordered(_) if device.ports.iter().all(Option::is_none) => {
                Err(Refusal::Unbound(device.id))
            }
            DeviceState::Ordered(_) => {
                device.mac = Some(mac);
                device.state = DeviceState::Configured(today);
                let device = device.id;
                self.claim_device(device)
            }
            _ => Err(not_now(device)),
        }
    }

    pub(super) fn ship_device(&mut self, device: DeviceId) -> Result<(), Refusal> {
        let today = self.context.today;
        let device = self.device_mut(device)?;
        device.state = match device.state {
            DeviceState::Configured(_) => DeviceState::Shipped(today),
            // A hub has nothing to set up and never asks for anything; it is sold only.
            DeviceState::Ordered(_) if device.model.ports() == 0 => DeviceState::Purchased(today),
            _ => return Err(not_now(device)),
        };
        device.shipped = Some(today);
        Ok(())
    }

    pub(super) fn device_online(&mut self, mac: Mac) -> Result<(), Refusal> {
        let today = self.context.today;
        let mut devices = self.contract.devices.iter_mut();
        let known = |device: &&mut Device| {
            device.mac == Some(mac) && !matches!(device.state, DeviceState::Returned(_))
        };
        let device = devices.find(known).ok_or(Refusal::UnknownDevice(mac))?;
        device.state = match (device.state, device.acquisition) {
            (DeviceState::Shipped(_), Acquisition::Rental) => DeviceState::Online(today),
            (DeviceState::Shipped(_), Acquisition::Purchase) => DeviceState::Purchased(today),
            // It starts again.
            (state @ (DeviceState::Online(_) | DeviceState::Purchased(_)), _) => state,
            _ => return Err(not_now(device)),
        };
        Ok(())
    }

    /// A rented device came back, or an order is off before it was sent.
    pub(super) fn return_device(&mut self, device: DeviceId) -> Result<(), Refusal> {
        let today = self.context.today;
        let device = self.device_mut(device)?;
        let back = match device.state {
            DeviceState::Ordered(_) | DeviceState::Configured(_) | DeviceState::Shipped(_) => true,
            DeviceState::Online(_) => true,
            DeviceState::Returned(_) | DeviceState::Purchased(_) => false,
        };
        if !back {
            return Err(not_now(device));
        }
        device.state = DeviceState::Returned(today);
        let ports = core::mem::take(&mut device.ports);
        device.ports = vec![None; ports.len()];
        let mac = device.mac;
        for key in ports.into_iter().flatten() {
            self.end_device_lease(key);
            self.release_device(key, mac);
        }
        Ok(())
    }

    pub(super) fn buy_device(&mut self, device: DeviceId) -> Result<(), Refusal> {
        let today = self.context.today;
        let device = self.device_mut(device)?;
        match (device.acquisition, device.state) {
            (Acquisition::Rental, DeviceState::Shipped(_) | DeviceState::Online(_)) => {
                device.state = DeviceState::Purchased(today);
                Ok(())
            }
            _ => Err(not_now(device)),
        }
    }

    pub(super) fn bind(&mut self, device: DeviceId, port: u8, key: Option<IdKey>) -> Result<(), Refusal> {
        let found = self.device_mut(device)?;
        let (model, state) = (found.model, found.state);
        if let DeviceState::Returned(_) = state {
            return Err(not_now(found));
        }
        let before = *found.ports.get(usize::from(port)).ok_or(Refusal::Ports(model))?;
        if before == key {
            return Ok(());
        }
        if let Some(key) = key {
            self.free_id(key, model)?;
            self.without_phone(key, self.contract.device(device))?;
        }
        let found = self.device_mut(device)?;
        if let Some(port) = found.ports.get_mut(usize::from(port)) {
            *port = key;
        }
        // R34: what is on its way has an ID to come up with.
        let bound = found.ports.iter().any(Option::is_some);
        if !bound && matches!(state, DeviceState::Configured(_) | DeviceState::Shipped(_)) {
            return Err(Refusal::Unbound(device));
        }
        let mac = found.mac;
        if let Some(before) = before {
            self.end_device_lease(before);
            self.release_device(before, mac);
        }
        self.claim_device(device)
    }
}

fn not_now(device: &Device) -> Refusal {
    Refusal::DeviceState {
        device: device.id,
        state: device.state,
    }
}
