//! The registrar of the office's phones (RFC 3261 §10): who may be reached where.
//!
//! Every REGISTER is authenticated here, with the secrets of the site configuration, and answered without a transaction. A
//! phone is sent to where its REGISTER came from (RFC 3581), with its contact as Request-URI. Whether it is reachable in any
//! mode of the line to the cloud is no question of this module: it never asks the cloud.
//!
//! ```text
//! register()      REGISTER in, answer out; a 200 is sent when flash has followed (`keeper`)
//! authenticate()  may this request of a phone be served, and whose is it
//! poll()          what changed: to be stored (on change only), told to the cloud, or forgotten
//! ```

mod answer;
mod binding;
mod contacts;
mod offer;
mod path;
mod refusal;
mod sources;
#[cfg(test)]
mod tests;
mod trust;

pub use answer::gruu;
pub use binding::{Binding, CONTACT_MAX, Place, STORED_MAX};
pub use sources::Source;
pub use trust::Caller;

use crate::budget::BINDINGS_PER_ID;
use contacts::Wanted;
use core::fmt::Write;
use core::num::NonZeroU64;
use core::time::Duration;
use refusal::No;
use shared::id::{IdKey, IdSet};
use sip::digest::{Ha1, Nonces, Used, Verdict};
use sip::{Flow, Full, Instant, Message, Name, Path, Writer, write_response_head};
use sources::Sources;
use trust::Judged;

/// Shortest registration that is granted; a phone that wants less gets 423 (RFC 3261 §10.2.8).
pub const EXPIRES_MIN: Duration = Duration::from_secs(120);
/// Longest registration that is granted, before the jitter of ten percent that keeps 64 phones from coming at once.
pub const EXPIRES_MAX: Duration = Duration::from_secs(300);
/// A binding outlives what was granted by one whole transaction, so that a late refresh finds it.
const SLACK: Duration = Duration::from_secs(32);
/// What a phone is told that finds no room for its binding: somebody else's may have ended by then.
const NO_ROOM: Duration = EXPIRES_MIN;
/// Many registrations long, so that a refresh needs no new challenge.
const NONCE_LIFETIME: Duration = Duration::from_secs(3_600);

/// An ID that may register, and its secret.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// The ID.
    pub key: IdKey,
    /// Its digest secret for the realm.
    pub ha1: Ha1,
}

/// The IDs of the site, as its configuration has them.
pub trait Accounts {
    /// SIP domain and digest realm.
    fn realm(&self) -> &str;
    /// The ID whose SIP user name this is (R10), if it may register here. The name is raw, as it came.
    fn account(&self, user: &[u8]) -> Option<Account>;
    /// Whether what came can be of this ID's phone; if not, the right credentials are stolen ones.
    fn is_at_home(&self, _key: IdKey) -> bool {
        true
    }
    /// Whether the right credentials show that this ID's phone has moved to where this came from.
    fn may_move(&self, _key: IdKey) -> bool {
        false
    }
}

/// The room of a registrar; the lengths of the slices are its capacities.
pub struct Storage<'s> {
    /// Bindings, [`Place::EMPTY`]; at most [`crate::budget::BINDINGS`].
    pub places: &'s mut [Place],
    /// Nonces in use, one a phone, [`Used::NONE`].
    pub nonces: &'s mut [Used],
    /// Addresses that were heard, [`Source::NONE`].
    pub sources: &'s mut [Source],
}

/// What happened to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A phone that was not there.
    Added,
    /// Another contact or address for the phone of this place, or another phone.
    Replaced,
    /// Nothing but its time.
    Refreshed,
    /// The phone has taken it back, or its account is gone.
    Removed,
    /// Its time is over.
    Expired,
}

impl Kind {
    /// Whether flash has to follow: a refresh is never stored.
    pub const fn is_stored(self) -> bool {
        !matches!(self, Kind::Refreshed)
    }
}

/// A change to be stored or told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The binding's place, below the number of places; what [`Registrar::store`] wants.
    pub place: usize,
    /// The ID.
    pub key: IdKey,
    /// What happened.
    pub kind: Kind,
}

/// The answer to a REGISTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its bytes in the buffer.
    pub len: usize,
    /// The ID of which it says that it is registered so: the answer is a 200.
    pub accepted: Option<IdKey>,
    /// The ID whose credentials were right and came from where its phone cannot be: the answer is a 403.
    pub stolen: Option<IdKey>,
}

/// What was refused or went wrong, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// REGISTERs answered with 200.
    pub accepted: u32,
    /// Challenges sent.
    pub challenged: u32,
    /// Wrong credentials.
    pub refused: u32,
    /// Requests not looked at because their source had given too many wrong passwords.
    pub limited: u32,
    /// Requests outside of dialogs that were not looked at because their source sends too many.
    pub flooded: u32,
    /// Right credentials sent a second time, in another request or from elsewhere.
    pub replayed: u32,
    /// Right credentials for somebody else's address of record, or from where their phone cannot be.
    pub foreign: u32,
    /// No room for a binding.
    pub full: u32,
}

/// The registrar.
pub struct Registrar<'s> {
    places: &'s mut [Place],
    /// Bit n: what happened at place n was not told yet.
    changed: u128,
    /// No binding ends before this.
    due: Instant,
    nonces: Nonces<&'s mut [Used]>,
    sources: Sources<'s>,
    counters: Counters,
}

/// A request and what goes with it.
#[derive(Clone, Copy)]
struct Asked<'r, 'm> {
    now: Instant,
    flow: &'r Flow,
    request: &'r Message<'m>,
    random: u64,
}

impl Asked<'_, '_> {
    fn answer<'b>(&self, status: u16, out: &'b mut [u8]) -> Writer<'b> {
        let mut tag = heapless::String::<8>::new();
        // Eight digits fit.
        let _ = write!(tag, "{:08x}", self.random as u32);
        let mut w = Writer::new(out);
        write_response_head(&mut w, self.request, status, Some(&tag), self.flow.peer);
        w
    }
}

impl<'s> Registrar<'s> {
    /// A registrar without bindings; see [`Registrar::restore`]. `secret` is fresh randomness of this boot.
    pub fn new(storage: Storage<'s>, secret: [u64; 2]) -> Self {
        storage.places.fill(Place::EMPTY);
        Self {
            places: storage.places,
            changed: 0,
            due: Instant::NEVER,
            nonces: Nonces::new(storage.nonces, secret, NONCE_LIFETIME),
            sources: Sources::new(storage.sources),
            counters: Counters::default(),
        }
    }

    /// Whether a request outside of dialogs from this address is looked at; no question for emergency calls, for what belongs
    /// to a call, and for the trunk.
    pub fn admit(&mut self, now: Instant, from: core::net::IpAddr) -> bool {
        let admitted = self.sources.admit(now, from);
        self.counters.flooded = self.counters.flooded.wrapping_add(u32::from(!admitted));
        admitted
    }

    /// Handles a REGISTER and writes its answer. `random` is fresh; it makes the answer's tag and the jitter.
    /// The error: `out` is too small for the answer. The bindings are changed all the same.
    pub fn register(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Message<'_>,
        accounts: &impl Accounts,
        random: u64,
        out: &mut [u8],
    ) -> Result<Answer, Full> {
        let asked = Asked {
            now,
            flow,
            request,
            random,
        };
        let (key, granted) = match self.try_register(asked, accounts) {
            Ok(accepted) => accepted,
            Err(no) => {
                let stolen = match no {
                    No::Stolen(key) => Some(key),
                    _ => None,
                };
                let (status, header) = (401, Name::WwwAuthenticate);
                let len = self.refuse(asked, no, status, header, accounts.realm(), out)?;
                return Ok(Answer {
                    len,
                    accepted: None,
                    stolen,
                });
            }
        };
        self.counters.accepted = self.counters.accepted.wrapping_add(1);
        let mut w = asked.answer(200, out);
        for binding in self.of(key) {
            answer::write_contact(&mut w, asked, binding, accounts.realm());
        }
        if let Some(granted) = granted {
            w.header(Name::Expires, granted.as_secs());
        }
        w.copy(request, Name::Path);
        path::write_outbound(&mut w, flow, request);
        Ok(Answer {
            len: w.finish_empty()?,
            accepted: Some(key),
            stolen: None,
        })
    }

    /// The ID, and what was granted if something was.
    fn try_register(
        &mut self,
        asked: Asked<'_, '_>,
        accounts: &impl Accounts,
    ) -> Result<(IdKey, Option<Duration>), No> {
        let Asked {
            now,
            flow,
            request,
            random,
        } = asked;
        let judged = self.judge(asked, accounts, &[Name::Authorization])?;
        let Judged {
            key,
            verdict,
            algorithm,
            nonce,
        } = judged;
        let to = request.to().and_then(|to| to.parsed_uri());
        let (Some(to), Some(cseq), Some(call_id)) = (to, request.cseq(), request.call_id()) else {
            return Err(No::Status(400));
        };
        let (call, cseq, way) = (binding::identity(call_id), cseq.seq, Path::new(flow));
        let path = path::read(request)?;
        path::outbound(flow, request)?;
        if verdict != Verdict::Accepted {
            // The very same REGISTER again because its answer was lost: answered again, changing nothing.
            let same = |b: &&Binding| b.call == call && b.cseq == cseq && b.nonce == nonce && b.way == way;
            let is_same = verdict == Verdict::Replayed && accounts.is_at_home(key);
            return match self.of(key).find(same).filter(|_| is_same) {
                Some(binding) => Ok((key, Some(binding.remaining(now)))),
                None => Err(judged.stale()),
            };
        }
        // Nobody learns from here which other users there are.
        if to
            .user
            .and_then(|user| accounts.account(user))
            .map(|other| other.key)
            != Some(key)
        {
            self.counters.foreign = self.counters.foreign.wrapping_add(1);
            return Err(No::Status(403));
        }
        if !accounts.is_at_home(key) && !accounts.may_move(key) {
            self.counters.foreign = self.counters.foreign.wrapping_add(1);
            return Err(No::Stolen(key));
        }
        // Overtaken by a later one of the same phone (RFC 3261 §10.3, step 7). The nonce says which is later where a
        // phone has started anew with its old Call-ID.
        if self
            .of(key)
            .any(|b| b.call == call && (b.nonce, b.cseq) >= (nonce, cseq))
        {
            return Err(No::Status(500));
        }
        if !request.has(Name::Contact) {
            return Ok((key, None));
        }
        let Some(wanted) = contacts::read(request, &path, random)? else {
            self.remove(|b| b.key == key, Kind::Removed);
            return Ok((key, None));
        };
        let mut granted = None;
        for Wanted {
            address,
            device,
            grant,
        } in wanted
        {
            // A second contact of this very request is another phone, although the Call-ID is the same.
            let sibling = |b: &Binding| {
                (b.call, b.nonce, b.cseq) == (call, nonce, cseq) && b.contact() != address.uri()
            };
            let same = |b: &Binding| b.key == key && !sibling(b) && b.is_same(address.uri(), device, call);
            if grant.is_zero() {
                self.remove(same, Kind::Removed);
                continue;
            }
            let replaced = |b: &Binding| {
                same(b) || b.key == key && !sibling(b) && b.is_replaced(address.uri(), device, way)
            };
            let at = self.place_for(key, replaced).ok_or_else(|| {
                self.counters.full = self.counters.full.wrapping_add(1);
                No::Busy { retry: NO_ROOM }
            })?;
            let expires_at = now + grant;
            let binding = Binding {
                key,
                way,
                address,
                device,
                call,
                cseq,
                algorithm,
                nonce,
                expires_at,
                restored: false,
            };
            if let Some(place) = self.places.get_mut(at) {
                place.bind(binding);
                self.changed |= 1 << at;
                self.due = self.due.min(expires_at + SLACK);
            }
            granted = Some(grant);
        }
        Ok((key, granted))
    }

    /// The place of the same phone, else a free one, else that of the ID's binding that ends first if it has all it may.
    fn place_for(&self, key: IdKey, same: impl Fn(&Binding) -> bool) -> Option<usize> {
        let bound = |place: &Place| place.binding().is_some_and(|b| b.key == key);
        if let Some(place) = self.places.iter().position(|p| p.binding().is_some_and(&same)) {
            return Some(place);
        }
        if self.places.iter().filter(|p| bound(p)).count() < BINDINGS_PER_ID {
            return self.places.iter().position(Place::is_free);
        }
        let oldest = self.places.iter().enumerate().filter(|(_, p)| bound(p));
        oldest
            .min_by_key(|(_, p)| p.binding().map(|b| b.expires_at))
            .map(|(at, _)| at)
    }

    fn remove(&mut self, which: impl Fn(&Binding) -> bool, kind: Kind) {
        for (at, place) in self.places.iter_mut().enumerate() {
            if place.binding().is_some_and(&which) {
                place.clear(kind);
                self.changed |= 1 << at;
            }
        }
        let ends = self.iter().map(|b| b.expires_at + SLACK);
        self.due = ends.min().unwrap_or(Instant::NEVER);
    }

    /// The next change, or expiry; call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Change> {
        if now >= self.due {
            self.remove(|b| b.expires_at + SLACK <= now, Kind::Expired);
        }
        let place = self.changed.trailing_zeros() as usize;
        self.changed &= self.changed.wrapping_sub(1);
        let (key, kind) = self.places.get_mut(place)?.take_change()?;
        Some(Change { place, key, kind })
    }

    /// When [`Registrar::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        match (self.changed, self.due) {
            (0, Instant::NEVER) => None,
            (0, due) => Some(due),
            _ => Some(Instant::ZERO),
        }
    }

    /// The bytes to keep in flash for a place, at most [`STORED_MAX`]; `None`: it is empty, what flash holds goes.
    pub fn store<'b>(&self, place: usize, out: &'b mut [u8; STORED_MAX]) -> Option<&'b [u8]> {
        self.at(place)?.store(out)
    }

    /// Flash has the binding of this ID at a place, or none.
    pub fn stored(&mut self, place: usize, key: Option<IdKey>) {
        if let Some(place) = self.places.get_mut(place) {
            place.stored(key);
        }
    }

    /// Whether a place is this ID's, here or in flash.
    pub fn is_about(&self, place: usize, key: IdKey) -> bool {
        self.places.get(place).is_some_and(|place| place.is_about(key))
    }

    /// The place of an ID's phone that this flow leads to.
    pub fn place_of(&self, key: IdKey, flow: &Flow) -> Option<usize> {
        let fits = |b: &Binding| b.key == key && b.leads_to(flow);
        self.places
            .iter()
            .position(|place| place.binding().is_some_and(fits))
    }

    /// The binding at a place.
    pub fn at(&self, place: usize) -> Option<&Binding> {
        self.places.get(place)?.binding()
    }

    /// Takes a binding back from flash, for as long as the longest registration: its phone can be called before it
    /// registers again. False: the bytes are not a binding, the ID is not of this site any more (as `keep` says), or the
    /// place is taken.
    pub fn restore(
        &mut self,
        now: Instant,
        place: usize,
        bytes: &[u8],
        keep: impl Fn(IdKey) -> bool,
    ) -> bool {
        let Some(place) = self.places.get_mut(place).filter(|p| p.is_free()) else {
            return false;
        };
        let Some(binding) = Binding::restore(bytes, now + EXPIRES_MAX).filter(|b| keep(b.key)) else {
            return false;
        };
        self.due = self.due.min(binding.expires_at + SLACK);
        place.restore(binding);
        true
    }

    /// Removes the bindings of all IDs `keep` does not want, after a change of configuration.
    pub fn retain(&mut self, keep: impl Fn(IdKey) -> bool) {
        self.remove(|b| !keep(b.key), Kind::Removed);
    }

    /// A connection is closed: what is bound to exactly this flow cannot be reached any more. Whose it was.
    pub fn drop_flow(&mut self, flow: &Flow) -> Option<IdKey> {
        let way = Path::new(flow);
        let bound = |b: &Binding| b.way == way && !b.restored;
        let key = self.iter().find(|b| bound(b)).map(|b| b.key);
        self.remove(bound, Kind::Removed);
        key
    }

    /// The bindings of an ID.
    pub fn of(&self, key: IdKey) -> impl Iterator<Item = &Binding> {
        self.iter().filter(move |b| b.key == key)
    }

    /// All bindings.
    pub fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.places.iter().filter_map(Place::binding)
    }

    /// The bindings to ring, all reachable: of a phone with several flows the one it registered last (RFC 5626 §5.3). `gruu`
    /// as [`gruu`] gives it: that phone only.
    pub fn targets(&self, gruu: Option<NonZeroU64>) -> impl Iterator<Item = &Binding> {
        let reachable = || self.iter().filter(|b| b.is_reachable());
        reachable().filter(move |b| {
            let instance = b.instance();
            let same = |other: &&Binding| (other.key, other.instance()) == (b.key, instance);
            let newer = |other: &Binding| other.expires_at > b.expires_at;
            (gruu.is_none() || gruu == instance)
                && (instance.is_none() || !reachable().filter(same).any(newer))
        })
    }

    /// The IDs with a phone that can be reached.
    pub fn registered(&self) -> IdSet {
        self.iter().filter(|b| b.is_reachable()).map(|b| b.key).collect()
    }

    /// What was refused or went wrong.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
