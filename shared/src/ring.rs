//! Who rings: the one decision box and cloud share.
//!
//! It depends on the configuration of the contract and a snapshot of facts, nothing else: with the same facts box and
//! cloud decide the same. What a side does not know counts as absent: a box knows nothing of apps and of other sites'
//! phones, a cloud without the box knows of those desk phones alone that have registered there meanwhile.
//!
//! While a call rings and a fact changes, it is asked again and the terminals that are new are added (R21): [`Ringing`].

mod call;
mod reason;

use heapless::Vec;

use crate::id::{IdKey, IdSet};
use crate::number::Number;
use crate::site::{Called, Id, MAX_IDS, Site};

pub use call::Ringing;
pub use reason::Reason;

/// What is known of the terminals at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Has a SIP registration. A fixed terminal is logged in by this alone.
    pub registered: IdSet,
    /// In a call.
    pub busy: IdSet,
    /// The app's user is logged in; it can be woken by a push message.
    pub logged_in: IdSet,
    /// The app is in the foreground.
    pub foreground: IdSet,
    /// Its site is another one, and this side cannot ring it: for a box all that are not here, for the cloud none.
    pub elsewhere: IdSet,
}

impl Facts {
    /// What a side knows that sees registrations. An app that registers at a box is one more telephone there: its
    /// registration is its login, as is being in the foreground.
    pub fn of(registered: IdSet, busy: IdSet, foreground: IdSet) -> Self {
        Self {
            registered,
            busy,
            logged_in: registered.union(foreground),
            foreground,
            elsewhere: IdSet::EMPTY,
        }
    }

    /// What the box of a site knows: no app that lives in the cloud, and no terminal of another site.
    pub fn of_box(site: &Site, registered: IdSet, busy: IdSet) -> Self {
        Self {
            elsewhere: site.all().difference(site.here()),
            ..Self::of(registered, busy, IdSet::EMPTY)
        }
    }

    /// Can the terminal of this ID ring?
    fn can_ring(&self, id: &Id) -> Result<(), Reason> {
        let fixed = id.kind.is_fixed();
        if self.elsewhere.contains(id.key) {
            Err(Reason::OtherSite)
        } else if fixed && !self.registered.contains(id.key) {
            Err(Reason::NotRegistered)
        } else if !fixed && !self.logged_in.contains(id.key) {
            Err(Reason::NotLoggedIn)
        } else {
            Ok(())
        }
    }
}

/// What was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum To {
    /// A number of the contract, from outside or by its full digits.
    Number(Number),
    /// The extension of this ID (R30): it rings although its direct number may be off (R25).
    Extension(IdKey),
}

/// A call to terminals of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// What was dialled.
    pub to: To,
    /// The calling terminal, if it is one of the contract: it does not ring itself.
    pub from: Option<IdKey>,
    /// It may be the call-back to this terminal's emergency call (`guard`): that one rings alone if it can.
    pub back_to: Option<IdKey>,
}

impl Call {
    /// An ordinary call from outside.
    pub const fn new(to: To) -> Self {
        Self {
            to,
            from: None,
            back_to: None,
        }
    }
}

impl From<Number> for Call {
    fn from(number: Number) -> Self {
        Self::new(To::Number(number))
    }
}

/// Who is offered the call, and why each ID is or is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was called; nothing if it is not of this contract.
    pub called: Option<Called>,
    /// The terminals to ring. May be empty: nobody can answer.
    pub offer: IdSet,
    /// One entry for every ID of the contract.
    pub trace: Vec<(IdKey, Reason), MAX_IDS>,
}

impl Decision {
    fn new(site: &Site, called: Called, reason: impl Fn(&Id) -> Reason) -> Self {
        let mut trace = Vec::new();
        for id in &site.ids {
            // There are as many places as IDs.
            let _ = trace.push((id.key, reason(id)));
        }
        let offered = trace.iter().filter(|(_, reason)| reason.offered());
        Self {
            called: Some(called),
            offer: offered.map(|(key, _)| *key).collect(),
            trace,
        }
    }

    /// Why this ID is or is not offered the call.
    pub fn reason(&self, key: IdKey) -> Option<Reason> {
        self.trace
            .iter()
            .find(|(traced, _)| *traced == key)
            .map(|(_, reason)| *reason)
    }
}

/// Decides who rings.
pub fn ring(site: &Site, call: impl Into<Call>, facts: &Facts) -> Decision {
    let call = call.into();
    let called = match call.to {
        To::Number(number) => site.by_number(number),
        To::Extension(key) => site.id(key).map(|id| Called::Direct(id.key)),
    };
    let Some(called) = called else {
        return Decision {
            called: None,
            offer: IdSet::EMPTY,
            trace: Vec::new(),
        };
    };
    let back_to = call.back_to.and_then(|key| site.id(key));
    if let Some(first) = back_to.filter(|id| facts.can_ring(id).is_ok()) {
        return Decision::new(site, called, |id| match id.key == first.key {
            true => Reason::CalledEmergency,
            false => Reason::CallBackFirst,
        });
    }
    match called {
        Called::Direct(key) => Decision::new(site, called, |id| {
            if id.key != key {
                Reason::NotCalled
            } else if call.from == Some(key) {
                Reason::Caller
            } else if !id.direct_in && matches!(call.to, To::Number(_)) {
                Reason::DirectOff
            } else {
                facts.can_ring(id).err().unwrap_or(Reason::Own)
            }
        }),
        Called::Rep(index) => {
            let rep = site.reps.get(index);
            let (members, rings) = rep.map_or((IdSet::EMPTY, IdSet::EMPTY), |rep| (rep.members, rep.ring));
            // Whether it rings, as far as the group decides.
            let eligible = |id: &Id| {
                if !members.contains(id.key) {
                    Err(Reason::NotMember)
                } else if !rings.contains(id.key) {
                    Err(Reason::RingOff)
                } else if call.from == Some(id.key) {
                    Err(Reason::Caller)
                } else {
                    facts.can_ring(id)
                }
            };
            // A busy fixed phone still rings (it signals a waiting call or answers 486 itself); whether it also keeps
            // the apps silent is the contract's choice (A18).
            let frees = |id: &Id| site.sys.busy_frees_apps && facts.busy.contains(id.key);
            let active = |id: &Id| id.kind.is_fixed() && eligible(id).is_ok() && !frees(id);
            let fixed_active = site.ids.iter().any(active);
            Decision::new(site, called, |id| match eligible(id) {
                Err(reason) => reason,
                Ok(()) if id.kind.is_fixed() => Reason::Fixed,
                Ok(()) if !fixed_active => Reason::NoFixedRings,
                Ok(()) if facts.foreground.contains(id.key) => Reason::Foreground,
                Ok(()) => Reason::FixedFirst,
            })
        }
    }
}
