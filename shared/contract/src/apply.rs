//! Carries out commands.

mod claim;
mod device;
mod id;
mod lease;
mod line;
mod phone;
mod rep;
mod site;

use shared::{Extension, IdKey, Number};

use crate::command::Command;
use crate::context::{Actor, Context};
use crate::effect::{self, Effect, Warning};
use crate::model::{Contract, Id, Rep, Settings, SuspensionCause};
use crate::refusal::Refusal;

/// Months for which a number that went, and the key of its ID, stay known: its calls are billed and disputed by then.
const KEEP_MONTHS: u16 = 13;

/// Bytes of a name, as the box has room for (R3).
const MAX_LABEL: usize = 48;

/// The contract after a command, and what follows from it; or why not, and then nothing changed.
pub fn apply(
    contract: &Contract,
    command: &Command,
    context: &Context<'_>,
) -> Result<(Contract, Vec<Effect>), Refusal> {
    permit(contract, command, context.actor)?;
    let mut work = Work {
        contract: contract.clone(),
        context,
        told: Vec::new(),
    };
    let today = context.today;
    work.contract
        .former
        .retain(|former| former.until.plus_months(KEEP_MONTHS) >= today);
    work.carry_out(command)?;
    work.settle()?;
    let mut effects = effect::between(contract, &work.contract);
    effects.append(&mut work.told);
    Ok((work.contract, effects))
}

/// Who may do what, and when.
fn permit(contract: &Contract, command: &Command, actor: Actor) -> Result<(), Refusal> {
    use Command::*;
    if actor == Actor::Customer
        && matches!(
            command,
            Suspend(..)
                | Resume(..)
                | ConfirmEmergency(_)
                | Review(..)
                | DecideRep(..)
                | PortDone(_)
                | ConfigureDevice(..)
                | ShipDevice(_)
                | ReturnDevice(_)
        )
    {
        return Err(Refusal::OperatorOnly);
    }
    if let Some(ended) = contract.ended
        && !matches!(command, ReturnDevice(_) | BuyDevice(_))
    {
        return Err(Refusal::Ended(ended));
    }
    if let (Actor::Customer, Some(suspension)) = (actor, contract.suspended.first())
        && matches!(
            command,
            AddSite(_) | AddId(_) | AddRep { .. } | OrderDevice(_) | PortIn { .. } | PortOut { .. } | End
        )
    {
        return Err(Refusal::Suspended(suspension.cause));
    }
    Ok(())
}

/// A contract on its way to the next one.
struct Work<'c> {
    contract: Contract,
    context: &'c Context<'c>,
    /// Effects that the difference between the contracts does not show.
    told: Vec<Effect>,
}

impl Work<'_> {
    fn carry_out(&mut self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::Rename(name) => self.contract.name = label(name)?,
            Command::Set(settings) => self.set(settings)?,
            Command::End => self.end()?,
            Command::Suspend(number, suspension) => self.suspend(*number, suspension)?,
            Command::Resume(number, cause) => self.resume(*number, *cause)?,
            Command::AddSite(new) => self.add_site(new)?,
            Command::RenameSite(site, name) => self.site_mut(*site)?.name = label(name)?,
            Command::Move(site, address) => self.move_site(*site, address)?,
            Command::ConfirmEmergency(site) => self.confirm_emergency(*site)?,
            Command::Review(site, reviewed) => self.review(*site, reviewed)?,
            Command::SetNetwork(site, network) => self.set_network(*site, network)?,
            Command::RemoveSite(site) => self.remove_site(*site)?,
            Command::AddId(new) => self.add_id(new)?,
            Command::ChangeId(key, change) => self.change_id(*key, change)?,
            Command::NewPassword(key) => self.claim_anew(*key)?,
            Command::RemoveId(key) => self.remove_id(*key)?,
            Command::AddRep { rep, usage } => self.add_rep(rep, usage)?,
            Command::DecideRep(request, decision) => self.decide_rep(*request, decision)?,
            Command::ChangeRep(number, change) => self.change_rep(*number, change)?,
            Command::RemoveRep(number) => self.remove_rep(*number)?,
            Command::SetSchedule(index, schedule) => self.set_schedule(*index, schedule.as_deref())?,
            Command::SetBlockList(index, list) => self.set_block_list(*index, list.as_deref())?,
            Command::SetRules(number, rules) => self.set_rules(*number, *rules)?,
            Command::PortIn { line, number } => self.port_in(*line, *number)?,
            Command::PortOut { line, next } => self.port_out(*line, *next)?,
            Command::PortDone(line) => self.port_done(*line)?,
            Command::PortCancel(line) => self.port_cancel(*line)?,
            Command::OrderDevice(new) => self.order_device(new)?,
            Command::ConfigureDevice(device, mac) => self.configure_device(*device, *mac)?,
            Command::ShipDevice(device) => self.ship_device(*device)?,
            Command::DeviceOnline(mac) => self.device_online(*mac)?,
            Command::ReturnDevice(device) => self.return_device(*device)?,
            Command::BuyDevice(device) => self.buy_device(*device)?,
            Command::Bind(device, port, id) => self.bind(*device, *port, *id)?,
            Command::Plug(key, port) => self.plug(*key, *port)?,
            Command::Claim(key, phone) => self.claim_phone(*key, *phone)?,
            Command::Release(key) => self.release_phone(*key)?,
            Command::ClaimSite(site) => self.claim_site_anew(*site)?,
            Command::Login {
                id,
                terminal,
                consent,
            } => self.login(*id, terminal, *consent)?,
            Command::Logout { id, epoch } => self.logout(*id, *epoch)?,
            Command::Reconcile { id, terminal, base } => self.reconcile(*id, terminal, *base)?,
        }
        Ok(())
    }

    fn set(&mut self, settings: &Settings) -> Result<(), Refusal> {
        if let Some(prefix) = settings.outside_prefix {
            if !matches!(prefix, 0 | 9) {
                return Err(Refusal::OutsidePrefix(prefix));
            }
            for id in &self.contract.ids {
                shadowed(id.extension, Some(prefix))?;
            }
        }
        self.contract.settings = settings.clone();
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refusal> {
        for (line, _) in self.contract.lines() {
            self.releasable(line.number)?;
        }
        while let Some(rep) = self.contract.reps.pop() {
            self.former(&rep.line, None, None, false);
        }
        while let Some(id) = self.contract.ids.pop() {
            self.former(&id.direct, Some(id.key), None, false);
        }
        for device in &mut self.contract.devices {
            device.ports.fill(None);
        }
        self.contract.requests.clear();
        self.contract.ended = Some(self.context.today);
        // That calls to one number no longer go to another is no news.
        self.told.clear();
        Ok(())
    }

    /// Brings back what must hold after every command.
    fn settle(&mut self) -> Result<(), Refusal> {
        let most = u8::try_from(self.contract.channels()).unwrap_or(u8::MAX);
        for rep in &mut self.contract.reps {
            rep.sub_cap = rep.sub_cap.map(|cap| cap.min(most));
        }
        let stuck: Vec<IdKey> = self
            .contract
            .ids
            .iter()
            .filter(|id| !self.contract.may_present(id.key, id.outgoing))
            .map(|id| id.key)
            .collect();
        for key in stuck {
            let mut groups = self.contract.reps.iter().filter(|rep| rep.members.contains(key));
            let group = groups.next().map(|rep| rep.line.number);
            let id = self.id_mut(key)?;
            if !id.direct_out {
                let extension = id.extension;
                return Err(Refusal::NoCallerId { extension, group });
            }
            // R22: who leaves a group presents the direct number again.
            id.outgoing = id.direct.number;
            self.told.push(Effect::Warning(Warning::PresentsDirect(key)));
        }
        Ok(())
    }

    fn id(&self, key: IdKey) -> Result<&Id, Refusal> {
        self.contract.id(key).ok_or(Refusal::NoId(key))
    }

    fn id_mut(&mut self, key: IdKey) -> Result<&mut Id, Refusal> {
        let mut ids = self.contract.ids.iter_mut();
        ids.find(|id| id.key == key).ok_or(Refusal::NoId(key))
    }

    fn rep_mut(&mut self, number: Number) -> Result<&mut Rep, Refusal> {
        let mut reps = self.contract.reps.iter_mut();
        reps.find(|rep| rep.line.number == number)
            .ok_or(Refusal::NoRep(number))
    }

    /// A customer may not let go of a number an authority has suspended.
    fn releasable(&self, number: Number) -> Result<(), Refusal> {
        let line = self.contract.line(number).ok_or(Refusal::NoNumber(number))?;
        let legal = |cause| cause == SuspensionCause::Legal;
        let mut causes = line.suspended.iter().chain(&self.contract.suspended);
        if self.context.actor == Actor::Customer && causes.any(|suspension| legal(suspension.cause)) {
            return Err(Refusal::NumberSuspended(number));
        }
        Ok(())
    }
}

/// A name that fits.
fn label(text: &str) -> Result<String, Refusal> {
    if text.is_empty() || text.len() > MAX_LABEL || text.chars().any(char::is_control) {
        return Err(Refusal::Label);
    }
    Ok(text.into())
}

/// An extension must not begin with the outside-line digit.
fn shadowed(extension: Extension, prefix: Option<u8>) -> Result<(), Refusal> {
    match prefix {
        Some(prefix) if extension.begins_with(prefix) => {
            Err(Refusal::ExtensionShadowed { extension, prefix })
        }
        _ => Ok(()),
    }
}
