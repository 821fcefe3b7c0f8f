//! Leases: which terminal uses an ID (R5, R6, A19).
//!
//! The cloud lends IDs. A box that is cut off lends them provisionally, on the last epoch it knew, and tells afterwards.
//! Whoever holds a lease of an older epoch than the ID's has lost it, so no two terminals use an ID for longer than an
//! outage lasts, and afterwards exactly one does.

use shared::{IdKey, TerminalKind};

use super::Work;
use crate::command::Consent;
use crate::device::DeviceState;
use crate::effect::Effect;
use crate::model::{Id, Lease, Terminal};
use crate::refusal::Refusal;

impl Work<'_> {
    pub(super) fn login(&mut self, key: IdKey, terminal: &Terminal, consent: Consent) -> Result<(), Refusal> {
        let id = self.id(key)?;
        self.own_terminal(id, terminal)?;
        if let Some(lease) = &id.lease {
            if lease.terminal == *terminal {
                return Ok(());
            }
            if self.context.in_call.contains(key) && consent < Consent::CutCall {
                return Err(Refusal::InCall(id.extension));
            }
            if consent < Consent::Takeover {
                return Err(Refusal::InUse(id.extension));
            }
        }
        self.lend(key, terminal, consent)
    }

    pub(super) fn logout(&mut self, key: IdKey, epoch: u32) -> Result<(), Refusal> {
        let id = self.id_mut(key)?;
        if id.lease.as_ref().is_some_and(|lease| lease.epoch == epoch) {
            id.lease = None;
        }
        Ok(())
    }

    pub(super) fn reconcile(&mut self, key: IdKey, terminal: &Terminal, base: u32) -> Result<(), Refusal> {
        let id = self.id(key)?;
        let stands = match &id.lease {
            // Lent by the cloud while the box was away: that one stands, and the box's terminal is told.
            Some(lease) => id.epoch > base && lease.terminal != *terminal,
            None => false,
        };
        if stands || self.own_terminal(id, terminal).is_err() {
            self.told.push(Effect::SessionEnded(key, terminal.clone()));
            return Ok(());
        }
        if id.lease.as_ref().is_some_and(|lease| lease.terminal == *terminal) {
            return Ok(());
        }
        self.lend(key, terminal, Consent::None)
    }

    fn lend(&mut self, key: IdKey, terminal: &Terminal, consent: Consent) -> Result<(), Refusal> {
        // An app uses one ID: it leaves the one it had (R5).
        if matches!(terminal, Terminal::App(_)) {
            for id in &mut self.contract.ids {
                if id.lease.as_ref().is_some_and(|lease| lease.terminal == *terminal) {
                    // A19: the call on it is cut only if its user agreed.
                    if self.context.in_call.contains(id.key) && consent < Consent::CutCall {
                        return Err(Refusal::InCall(id.extension));
                    }
                    id.lease = None;
                }
            }
        }
        let id = self.id_mut(key)?;
        id.epoch = id.epoch.saturating_add(1);
        id.lease = Some(Lease {
            terminal: terminal.clone(),
            epoch: id.epoch,
        });
        Ok(())
    }

    /// R33: a device is one of ours, bound to this ID and sent; an app goes with an ID for apps.
    fn own_terminal(&self, id: &Id, terminal: &Terminal) -> Result<(), Refusal> {
        let own = match terminal {
            Terminal::App(name) => id.kind == TerminalKind::App && !name.is_empty(),
            Terminal::Device(device) => self.contract.device(*device).is_some_and(|device| {
                let there = matches!(
                    device.state,
                    DeviceState::Shipped(_) | DeviceState::Online(_) | DeviceState::Purchased(_)
                );
                there && device.ports.contains(&Some(id.key))
            }),
        };
        if own {
            Ok(())
        } else {
            Err(Refusal::ForeignTerminal(id.extension))
        }
    }

    /// Ends the lease of an ID whose device is no longer its own.
    pub(super) fn end_device_lease(&mut self, key: IdKey) {
        let mut ids = self.contract.ids.iter_mut();
        if let Some(id) = ids.find(|id| id.key == key)
            && matches!(
                id.lease,
                Some(Lease {
                    terminal: Terminal::Device(_),
                    ..
                })
            )
        {
            id.lease = None;
        }
    }
}
