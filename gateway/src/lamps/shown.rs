//! What the lamps show: the calls of every line.

use core::fmt;

use shared::channels::Use;
use shared::dial::ParkSlot;
use shared::id::IdKey;
use shared::number::Number;
use shared::site::Site;
use sip::b2bua::{Calls, Hex};
use sip::events::dialog_info::{Dialog, DialogId, DialogInfo, Direction, Scope, State};
use sip::events::summary::Summary;
use sip::events::{Due, Notify};
use sip::pool::Key;
use sip::{Flow, Instant};

use super::watch::{Line, Package, Watch};
use crate::calls::{Kind, terminal};
use crate::{Gateway, Meta};

/// Most dialogs of a line that a document tells of: more than a terminal can have, and they fit a datagram.
const DIALOGS_MAX: usize = 8;

/// What every lamp showed last, as a fingerprint each.
pub(super) struct Shown([u32; Line::COUNT]);

impl Shown {
    /// No calls.
    pub const DARK: Self = Self([0; Line::COUNT]);

    /// Looks at the calls again: whose lamps show something else now, by [`Line::index`].
    pub fn follow(&mut self, site: &Site, calls: &Calls<'_, Meta>) -> [bool; Line::COUNT] {
        let mut now = [0; Line::COUNT];
        let mut light = |line: Line, call: Key, state: State| {
            if let Some(lamp) = now.get_mut(line.index()) {
                // The order does not matter.
                let mixed = (call.to_bits() ^ (state as u32) << 29).wrapping_mul(0x9E37_79B1);
                *lamp ^= mixed ^ mixed >> 15 | 1 << 31;
            }
        };
        for (call, meta, is_answered) in calls.iter() {
            let state = state(meta, is_answered);
            meta.caller
                .into_iter()
                .for_each(|key| light(Line::Id(key), call, state));
            if let Some(key) = meta.answered_by.and_then(terminal).filter(|_| is_answered) {
                light(Line::Id(key), call, state);
            }
            for key in calls.branches(call).filter_map(terminal).filter(|_| !is_answered) {
                light(Line::Id(key), call, State::Early);
            }
            if let Some(slot) = slot(calls, call, meta) {
                light(Line::Park(slot), call, State::Confirmed);
            }
            let number = number(meta);
            if let Some(rep) = site.reps.iter().position(|rep| Some(rep.number) == number) {
                light(Line::Rep(rep as u8), call, state);
            }
        }
        let mut changed = [false; Line::COUNT];
        for (changed, (old, new)) in changed.iter_mut().zip(self.0.iter().zip(now)) {
            *changed = *old != new;
        }
        self.0 = now;
        changed
    }
}

/// Where a call stands, for who made it and who has it.
fn state(meta: &Meta, is_answered: bool) -> State {
    match meta.ringing {
        _ if is_answered => State::Confirmed,
        Some(_) => State::Early,
        None => State::Proceeding,
    }
}

/// The number of the contract that a call is on.
fn number(meta: &Meta) -> Option<Number> {
    match meta.uses {
        Use::Inside => Number::parse(&meta.to).ok(),
        used => used.number(),
    }
}

/// Somebody on the other side, as a URI.
struct Party<'a> {
    user: &'a str,
    realm: &'a str,
}

impl fmt::Display for Party<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sip:{}@{}", self.user, self.realm)
    }
}

type Lamp<'a> = Dialog<Party<'a>, Hex>;

/// The dialogs of a terminal.
fn of_id<'a>(
    calls: &'a Calls<'_, Meta>,
    realm: &'a str,
    key: IdKey,
) -> impl Iterator<Item = Lamp<'a>> + Clone {
    calls.iter().filter_map(move |(call, meta, is_answered)| {
        let is_caller = meta.caller == Some(key);
        let has_it = is_answered && meta.answered_by.and_then(terminal) == Some(key);
        let rings = || {
            let mut branches = calls.branches(call).filter_map(terminal);
            !is_answered && branches.any(|other| other == key)
        };
        let (direction, state, user) = match () {
            () if is_caller => (Direction::Initiator, state(meta, is_answered), &meta.to),
            () if has_it => (Direction::Recipient, State::Confirmed, &meta.from),
            () if rings() => (Direction::Recipient, State::Early, &meta.from),
            () => return None,
        };
        // Who sees it ring may take it: `pickup`. Its own tag is not told apart from ours.
        let rings = state == State::Early && direction == Direction::Recipient;
        let ids = calls.ringing(call, u32::from(u16::from(key))).filter(|_| rings);
        // With whom it talks after a transfer the other call says.
        let named = is_public(meta) && calls.linked(call).is_none();
        Some(Dialog {
            id: call.to_bits(),
            ids: ids.map(|(call_id, tag)| DialogId {
                call_id,
                local_tag: tag,
                remote_tag: tag,
            }),
            direction: Some(direction),
            state,
            remote: named.then_some(Party { user, realm }),
        })
    })
}

/// May others see who talks with whom? Not if either hides its number, nor in an emergency.
fn is_public(meta: &Meta) -> bool {
    let hidden = match meta.kind {
        Kind::Inside => false,
        Kind::Outgoing => matches!(meta.uses, Use::Outside(_)) && meta.presented.is_none(),
        Kind::Incoming => !meta.from.bytes().any(|byte| byte.is_ascii_digit()),
    };
    !hidden && !meta.emergency
}

/// Where a call is parked.
fn slot(calls: &Calls<'_, Meta>, call: Key, meta: &Meta) -> Option<ParkSlot> {
    let parked = meta.parked.filter(|_| calls.linked(call).is_some());
    parked.map(|parked| parked.slot)
}

/// The one dialog that stands for what is parked in a slot.
fn of_slot(calls: &Calls<'_, Meta>, wanted: ParkSlot) -> Lamp<'static> {
    let mut calls_there = calls
        .iter()
        .filter(|(call, meta, _)| slot(calls, *call, meta) == Some(wanted));
    let state = match calls_there.next() {
        Some(_) => State::Confirmed,
        None => State::Terminated,
    };
    Dialog { state, ..OFF }
}

/// The one dialog that stands for all calls of a number.
fn of_rep<'a>(site: &Site, calls: &Calls<'_, Meta>, rep: u8) -> Lamp<'a> {
    let called = site.reps.get(usize::from(rep)).map(|rep| rep.number);
    let on_it = calls
        .iter()
        .filter(|(_, meta, _)| called.is_some() && number(meta) == called);
    let states = on_it.map(|(_, meta, is_answered)| state(meta, is_answered));
    Dialog {
        id: 0,
        ids: None,
        direction: None,
        state: states.max().unwrap_or(State::Terminated),
        remote: None,
    }
}

/// What a lamp shows that is off. A document without any dialog would say the same; some phones wait for the word.
const OFF: Lamp<'static> = Dialog {
    id: 0,
    ids: None,
    direction: None,
    state: State::Terminated,
    remote: None,
};

impl Gateway<'_> {
    /// Writes a NOTIFY.
    pub(super) fn notify(&mut self, now: Instant, due: Due, buffer: &mut [u8]) -> Option<(Flow, usize)> {
        let Due { key, user, version } = due;
        let watch = Watch::from_bits(user)?;
        let binding = self
            .registrar
            .at(usize::from(watch.place))
            .filter(|binding| binding.is_reachable())?;
        let mut flow = binding.flow();
        if let Some(address) = self.address {
            // A binding from the flash may name the address of an old lease.
            flow.local.set_ip(address.into());
        }
        let (site, calls) = (&self.site, &self.calls);
        let realm = site.sys.realm.as_str();
        let subscriber = Watch {
            line: Line::Id(watch.phone),
            by_extension: false,
            ..watch
        }
        .entity(site);
        let entity = watch.entity(site);
        let lamps = &mut self.lamps.subscriptions;
        let mut send = |body: &dyn fmt::Display| {
            let notify = Notify {
                flow,
                target: binding.contact(),
                entity: &entity,
                subscriber: &subscriber,
                package: watch.package.as_str(),
                content_type: watch.package.content_type(),
                body,
            };
            lamps.notify(now, key, &notify, buffer)
        };
        let entity = watch.entity(site);
        let scope = Scope::Full;
        let len = match (watch.package, watch.line) {
            (Package::Summary, _) => send(&Summary {
                account: entity,
                voice: None,
            }),
            (Package::Dialog, Line::Rep(rep)) => {
                let dialogs = core::iter::once(rep).map(|rep| of_rep(site, calls, rep));
                send(&DialogInfo {
                    version,
                    scope,
                    entity,
                    dialogs,
                })
            }
            (Package::Dialog, Line::Park(slot)) => {
                let dialogs = core::iter::once(slot).map(|slot| of_slot(calls, slot));
                send(&DialogInfo {
                    version,
                    scope,
                    entity,
                    dialogs,
                })
            }
            (Package::Dialog, Line::Id(id)) => {
                let dialogs = of_id(calls, realm, id).take(DIALOGS_MAX);
                match dialogs.clone().next() {
                    Some(_) => send(&DialogInfo {
                        version,
                        scope,
                        entity,
                        dialogs,
                    }),
                    None => send(&DialogInfo {
                        version,
                        scope,
                        entity,
                        dialogs: core::iter::once(()).map(|()| OFF),
                    }),
                }
            }
        };
        Some((flow, len?))
    }
}
