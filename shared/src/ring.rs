//! Who rings when a number is called: the one decision box and cloud share.
//!
//! It depends on the configuration and a snapshot of facts, nothing else. While a call rings and a fact changes (an app
//! comes to the foreground, a phone registers), it is asked again and the terminals that are new in the offer are added
//! (R21). What a side does not know counts as absent: a box whose line is cut knows of no apps, a cloud without the box
//! knows of no desk phones.

use heapless::Vec;

use crate::id::{IdKey, IdSet};
use crate::number::Number;
use crate::site::{Called, Id, MAX_IDS, Site};

/// What is known of the terminals at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Has a SIP registration. A fixed terminal is logged in by this alone.
    pub registered: IdSet,
    /// In a call.
    pub busy: IdSet,
    /// The app's user is logged in; it can be woken by a push message.
    pub logged_in: IdSet,
    /// The app is in the foreground.
    pub foreground: IdSet,
}

/// Why a terminal is offered the call, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Offered: the called direct number or extension is its own (R8, R30).
    Own,
    /// Offered: a fixed terminal of the group (R19).
    Fixed,
    /// Offered: an app, and no fixed terminal of the group is ringing (R19).
    NoFixedRings,
    /// Offered: an app in the foreground rings with the fixed terminals (R19, R21).
    Foreground,
    /// Not offered: another ID's direct number was called (R8).
    NotCalled,
    /// Not offered: not in the ring group (R4).
    NotMember,
    /// Not offered: its ringing for this number is off (R44).
    RingOff,
    /// Not offered: its direct number is not in use for incoming calls (R25).
    DirectOff,
    /// Not offered: a fixed terminal without registration (R20, A18).
    NotRegistered,
    /// Not offered: an app nobody is logged in to (R20).
    NotLoggedIn,
    /// Not offered: an app in the background while fixed terminals ring (R19).
    FixedFirst,
}

impl Reason {
    /// Is the terminal offered the call?
    pub const fn offered(self) -> bool {
        matches!(
            self,
            Self::Own | Self::Fixed | Self::NoFixedRings | Self::Foreground
        )
    }

    /// The rule behind it.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Own | Self::NotCalled => "R8",
            Self::Fixed | Self::NoFixedRings | Self::FixedFirst => "R19",
            Self::Foreground => "R21",
            Self::NotMember => "R4",
            Self::RingOff => "R44",
            Self::DirectOff => "R25",
            Self::NotRegistered => "A18",
            Self::NotLoggedIn => "R20",
        }
    }
}

/// Who is offered the call, and why each ID is or is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was called; nothing if the number is not of this site.
    pub called: Option<Called>,
    /// The terminals to ring. May be empty: nobody can answer.
    pub offer: IdSet,
    /// One entry for every ID of the site.
    pub trace: Vec<(IdKey, Reason), MAX_IDS>,
}

impl Decision {
    fn new(site: &Site, called: Option<Called>, reason: impl Fn(&Id) -> Reason) -> Self {
        let trace: Vec<_, MAX_IDS> = site.ids.iter().map(|id| (id.key, reason(id))).collect();
        let offer = trace
            .iter()
            .filter(|(_, reason)| reason.offered())
            .map(|(key, _)| *key)
            .collect();
        Self { called, offer, trace }
    }

    /// Why this ID is or is not offered the call.
    pub fn reason(&self, key: IdKey) -> Option<Reason> {
        self.trace
            .iter()
            .find(|(traced, _)| *traced == key)
            .map(|(_, reason)| *reason)
    }
}

/// Decides who rings when `called`, a number of the site, is called from outside or by its full number.
pub fn ring(site: &Site, called: Number, facts: &Facts) -> Decision {
    let what = site.by_number(called);
    match what {
        None => Decision {
            called: None,
            offer: IdSet::EMPTY,
            trace: Vec::new(),
        },
        Some(Called::Direct(key)) => Decision::new(site, what, |id| {
            if id.key != key {
                Reason::NotCalled
            } else if !id.direct_in {
                Reason::DirectOff
            } else {
                own(id, facts)
            }
        }),
        Some(Called::Rep(index)) => {
            let (members, rings) = site
                .reps
                .get(index)
                .map_or((IdSet::EMPTY, IdSet::EMPTY), |rep| (rep.members, rep.ring));
            // A busy fixed phone still rings (it signals a waiting call or answers 486 itself); whether it also keeps
            // the apps silent is the site's choice (A18).
            let active = |id: &Id| {
                id.kind.is_fixed()
                    && rings.contains(id.key)
                    && facts.registered.contains(id.key)
                    && !(site.sys.busy_frees_apps && facts.busy.contains(id.key))
            };
            let fixed_active = site.ids.iter().any(active);
            Decision::new(site, what, |id| {
                if !members.contains(id.key) {
                    Reason::NotMember
                } else if !rings.contains(id.key) {
                    Reason::RingOff
                } else if id.kind.is_fixed() {
                    if facts.registered.contains(id.key) {
                        Reason::Fixed
                    } else {
                        Reason::NotRegistered
                    }
                } else if !facts.logged_in.contains(id.key) {
                    Reason::NotLoggedIn
                } else if !fixed_active {
                    Reason::NoFixedRings
                } else if facts.foreground.contains(id.key) {
                    Reason::Foreground
                } else {
                    Reason::FixedFirst
                }
            })
        }
    }
}

/// Decides whether the terminal of an ID rings when its extension is dialled (R30). Its direct number being out of use
/// (R25) does not matter here.
pub fn ring_extension(site: &Site, key: IdKey, facts: &Facts) -> Decision {
    let called = site.id(key).map(|id| Called::Direct(id.key));
    Decision::new(site, called, |id| {
        if id.key == key {
            own(id, facts)
        } else {
            Reason::NotCalled
        }
    })
}

/// The call is for this terminal alone.
fn own(id: &Id, facts: &Facts) -> Reason {
    match id.kind.is_fixed() {
        true if facts.registered.contains(id.key) => Reason::Own,
        true => Reason::NotRegistered,
        false if facts.logged_in.contains(id.key) => Reason::Own,
        false => Reason::NotLoggedIn,
    }
}
