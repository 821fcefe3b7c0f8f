//! What follows from a command that was carried out: the difference between the contract before and after.

use shared::{IdKey, Number, SiteId};

use crate::device::DeviceId;
use crate::model::{Contract, RequestState, Role, Terminal};

/// Something the caller has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The configuration of this site is another one: issue it to its box.
    SiteChanged(SiteId),
    /// The contract has this number now, or is about to get it (R1).
    NumberTaken(Number, Role),
    /// The contract no longer has this number.
    NumberReleased(Number),
    /// The ID logs in with another code (R10): it needs a new password.
    CodeChanged(IdKey, Number),
    /// A terminal may use its ID no more, and is told so (R6).
    SessionEnded(IdKey, Terminal),
    /// To the operator: a request waits for its review (R14).
    Review(u32),
    /// To the customer: the request was decided (R14).
    Decided(u32),
    /// To the operator: emergency services have to be given the site's new address.
    ConfirmEmergency(SiteId),
    /// The device's state is another one: ordered, sent, returned, bought. What it costs changes with it.
    Device(DeviceId),
    /// Worth telling whoever asked.
    Warning(Warning),
}

/// Allowed, and probably not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// R2: nobody rings for this representative number.
    NobodyRings(Number),
    /// R25: no call from outside rings this ID.
    Unreachable(IdKey),
    /// R22: the number this ID presented is no longer its to present: it presents its direct number again.
    PresentsDirect(IdKey),
    /// Calls to a number no longer go to another one, because that went.
    ForwardEnds {
        /// The number whose calls end now.
        line: Number,
        /// The one that went.
        gone: Number,
    },
}

/// What the caller has to do about the change.
pub(crate) fn between(old: &Contract, new: &Contract) -> Vec<Effect> {
    let mut effects = Vec::new();
    for site in &new.sites {
        if old.site(site.id).is_none() || old.derive(site.id) != new.derive(site.id) {
            effects.push(Effect::SiteChanged(site.id));
        }
        let before = old
            .site(site.id)
            .map(|before| (before.emergency, &before.address));
        let lost = site.emergency.is_none() && site.address.is_some();
        if lost && before != Some((site.emergency, &site.address)) {
            effects.push(Effect::ConfirmEmergency(site.id));
        }
    }
    for (number, _) in old.numbers() {
        if new.role(number).is_none() {
            effects.push(Effect::NumberReleased(number));
        }
    }
    for (number, role) in new.numbers() {
        if old.role(number).is_none() {
            effects.push(Effect::NumberTaken(number, role));
        }
    }
    for id in &old.ids {
        let now = new.id(id.key);
        if let Some(lease) = &id.lease
            && now.and_then(|now| now.lease.as_ref()).map(|now| &now.terminal) != Some(&lease.terminal)
        {
            effects.push(Effect::SessionEnded(id.key, lease.terminal.clone()));
        }
        if let Some(now) = now.filter(|now| now.direct.number != id.direct.number) {
            effects.push(Effect::CodeChanged(id.key, now.direct.number));
        }
    }
    for request in &new.requests {
        let before = old.requests.iter().find(|before| before.id == request.id);
        if before.map(|before| &before.state) != Some(&request.state) {
            effects.push(match request.state {
                RequestState::Submitted => Effect::Review(request.id),
                _ => Effect::Decided(request.id),
            });
        }
    }
    for device in &new.devices {
        if old.device(device.id).map(|before| before.state) != Some(device.state) {
            effects.push(Effect::Device(device.id));
        }
    }
    effects.extend(warnings(old, new).map(Effect::Warning));
    effects
}

/// What is in `new` and was not the same in `old`.
fn warnings(old: &Contract, new: &Contract) -> impl Iterator<Item = Warning> {
    let silent = new.reps.iter().filter(|rep| rep.ring.is_empty());
    let silent = silent.filter(|rep| old.rep(rep.line.number) != Some(*rep));
    let reached = |contract: &Contract, key| {
        let direct = contract.id(key).is_none_or(|id| id.direct_in);
        direct || contract.reps.iter().any(|rep| rep.ring.contains(key))
    };
    let unreachable = new.ids.iter().map(|id| id.key);
    let unreachable = unreachable.filter(move |key| !reached(new, *key) && reached(old, *key));
    silent
        .map(|rep| Warning::NobodyRings(rep.line.number))
        .chain(unreachable.map(Warning::Unreachable))
}
