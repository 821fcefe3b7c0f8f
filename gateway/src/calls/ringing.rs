//! Calls that ring phones here: who is offered them at first, and who is added later.

use core::fmt::Write;
use core::time::Duration;

use heapless::String;
use shared::channels::Use;
use shared::guard::ALONE_MS;
use shared::id::{Extension, IdKey, IdSet};
use shared::number::Number;
use shared::ring::{Call, Facts, Reason, Ringing, To, ring};
use shared::site::Called;
use sip::b2bua::{ADDRESS_MAX, EXTRA_MAX, Refusal, Target};
use sip::pool::Key;
use sip::transaction::{Priority, TxId};
use sip::{Flow, Instant, Message, Name, Uri};

use super::{ABSENT, Kind, Meta, No, Quoted, Start, UNALLOCATED, address, dialled, unescape};
use crate::Gateway;
use crate::budget::RING_MS;
use crate::registrar::Binding;

/// What came of an offer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// Some phone more rings.
    Rings,
    /// There is no phone more.
    Nobody,
    /// A phone cannot be rung, for want of room most likely.
    Refused(Refusal),
}

impl Gateway<'_> {
    pub(super) fn call_from_cloud(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
    ) -> Result<(), No> {
        let mut buffer = [0; 40];
        let unallocated = No(404, Some(UNALLOCATED));
        let dialled = dialled(message, &mut buffer).ok_or(unallocated)?;
        let (to, called) = match dialled.parse::<Extension>() {
            Ok(extension) => {
                let id = self.site.by_extension(extension).ok_or(unallocated)?;
                (To::Extension(id.key), Called::Direct(id.key))
            }
            Err(_) => {
                let number = Number::parse(dialled).map_err(|_| unallocated)?;
                (
                    To::Number(number),
                    self.site.by_number(number).ok_or(unallocated)?,
                )
            }
        };
        let start = Start::Invite { tx, flow, message };
        let mut meta = self.meta(now, Kind::Incoming, start, None);
        let mut what = Call::new(to);
        if let To::Number(number) = to {
            what.back_to = self.back_to(now, message, number, called);
            meta.uses = match what.back_to {
                Some(_) => Use::Emergency(number),
                None => Use::Outside(number),
            };
        }
        let caller = meta.from.clone();
        let call = self.open(now, start, meta)?;
        let realm = &self.site.sys.realm;
        let mut extra: String<EXTRA_MAX> = String::new();
        let mut name = [0; ADDRESS_MAX];
        let name = message
            .from()
            .and_then(|from| sip::fields::unescape_quoted(from.display?, &mut name))
            .and_then(|name| core::str::from_utf8(name).ok());
        let from = address(name.unwrap_or_default(), &caller, realm);
        let to = address("", Dialled(to, dialled), realm);
        // R3, R26: which number was called, by its label.
        let label = match called {
            Called::Rep(index) => self.site.reps.get(index).map(|rep| rep.label.as_str()),
            Called::Direct(key) => self.site.id(key).map(|id| id.label.as_str()),
        };
        // A line that does not fit is left out.
        let line = write!(
            extra,
            "P-Called-Party-ID: \"{}\" {to}\r\n",
            Quoted(label.unwrap_or_default()),
        );
        if line.is_err() {
            extra.clear();
        }
        // Who sent the call on, as the cloud says it.
        if let Some(by) = message.diverted() {
            let mut buffer = [0; 40];
            let user = Uri::parse(by.uri).and_then(|uri| unescape(uri.user?, &mut buffer));
            if let Some(number) = user.and_then(|user| Number::parse(user).ok()) {
                let before = extra.len();
                let line = write!(
                    extra,
                    "Diversion: <sip:{}@{realm}>;reason={};counter={}\r\n",
                    number.digits(),
                    by.why.as_str(),
                    by.counter
                );
                if line.is_err() {
                    extra.truncate(before);
                }
            }
        }
        if self.present(now, call, &from, &to, &extra) {
            self.ring(now, call, what);
        }
        Ok(())
    }

    /// The terminal whose emergency call this may be the call-back to. The cloud says so too (RFC 7090): it knows of calls
    /// before this start.
    fn back_to(&self, now: Instant, message: &Message<'_>, number: Number, called: Called) -> Option<IdKey> {
        let said = message.header(Name::Priority) == Some(b"psap-callback");
        let own = match called {
            Called::Direct(key) if said => Some(key),
            _ => None,
        };
        self.guard.caller(now.as_millis(), number).or(own)
    }

    /// Where a call would ring: phones here, and terminals that only the cloud can reach.
    pub(super) fn reach(&self, call: Call) -> (bool, bool) {
        let decision = ring(&self.site, call, &self.facts());
        // Apps live in the cloud.
        let beyond = |reason| matches!(reason, Reason::OtherSite | Reason::NotLoggedIn);
        let beyond = decision.trace.iter().any(|(_, reason)| beyond(*reason));
        (!decision.offer.is_empty(), beyond)
    }

    /// Rings the phones that are to ring; without any, the call is refused.
    pub(super) fn ring(&mut self, now: Instant, call: Key, what: Call) {
        if let Some(meta) = self.calls.meta_mut(call) {
            meta.rings = Some(Ringing::new(what));
        }
        match self.offer(now, call) {
            Offer::Rings => {}
            Offer::Refused(why) => self.calls.refuse(now, call, why.status(), None),
            Offer::Nobody => self.calls.refuse(now, call, 480, Some(ABSENT)),
        }
    }

    /// Offers a call to the phones that are to ring and do not yet (R21).
    fn offer(&mut self, now: Instant, call: Key) -> Offer {
        let facts = self.facts();
        let Some(meta) = self.calls.meta_mut(call) else {
            return Offer::Nobody;
        };
        let gruu = meta.gruu;
        let Some(rings) = meta.rings.as_mut() else {
            return Offer::Nobody;
        };
        let new = rings.ask(&self.site, &facts);
        let alone = rings.is_call_back();
        let mut offer = Offer::Nobody;
        let wanted = |binding: &&Binding| new.contains(binding.key());
        for binding in self.registrar.targets(gruu).filter(wanted) {
            let mut flow = binding.flow();
            if let Some(address) = self.address {
                // A binding from the flash may name the address of an old lease.
                flow.local.set_ip(address.into());
            }
            let target = Target {
                flow,
                uri: binding.contact(),
                route: binding.path(),
                priority: Priority::Normal,
                user: u32::from(u16::from(binding.key())),
            };
            match self.calls.dial(now, call, target) {
                Ok(_) => offer = Offer::Rings,
                Err(why @ (Refusal::NoRoom | Refusal::Breadth)) if offer == Offer::Nobody => {
                    offer = Offer::Refused(why);
                }
                Err(_) => {}
            }
        }
        // A GRUU names a phone that has registered.
        let ports = IdSet(if gruu.is_none() {
            new.0 & self.analog.attached().0
        } else {
            0
        });
        for key in ports.iter() {
            let Some(line) = self.analog.line_of(key) else {
                continue;
            };
            let mut uri: String<32> = String::new();
            // It fits.
            let _ = write!(uri, "sip:line{}@127.0.0.1", line + 1);
            let target = Target {
                flow: self.flow_of(line),
                uri: uri.as_bytes(),
                route: b"",
                priority: Priority::Normal,
                user: u32::from(u16::from(key)),
            };
            match self.calls.dial(now, call, target) {
                Ok(_) => offer = Offer::Rings,
                Err(why) if offer == Offer::Nobody => offer = Offer::Refused(why),
                Err(_) => {}
            }
        }
        if offer == Offer::Rings {
            self.lamps.is_due = true;
            let limit = if alone { ALONE_MS } else { RING_MS };
            self.calls
                .set_deadline(call, Some(now + Duration::from_millis(limit)));
        }
        offer
    }

    /// A phone has come or gone: calls that ring may ring others now.
    pub(crate) fn offer_again(&mut self, now: Instant) {
        let rings = |meta: &Meta, talking: bool| meta.rings.is_some() && !talking;
        self.each_call(rings, |gateway, call| _ = gateway.offer(now, call));
    }

    /// The terminal that made the emergency call is not there or does not answer: now everybody rings. False if there is
    /// nobody else.
    pub(super) fn after_call_back(&mut self, now: Instant, call: Key) -> bool {
        if let Some(rings) = self.calls.meta_mut(call).and_then(|meta| meta.rings.as_mut()) {
            rings.give_up_call_back();
        }
        let limit = now + Duration::from_millis(RING_MS);
        self.calls.set_deadline(call, Some(limit));
        self.offer(now, call) == Offer::Rings
    }

    /// What is known of the terminals at this moment.
    fn facts(&self) -> Facts {
        Facts::of_box(&self.site, self.reachable(), self.busy.set())
    }
}

/// The terminal of a leg, by its [`Target::user`]; none for the trunk.
pub(crate) fn terminal(user: u32) -> Option<IdKey> {
    u16::try_from(user).ok().and_then(IdKey::new)
}

/// What was dialled as the phones see it: the extension as it came, a number in national digits.
struct Dialled<'a>(To, &'a str);

impl core::fmt::Display for Dialled<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            To::Number(number) => write!(f, "{}", number.digits()),
            To::Extension(_) => f.write_str(self.1),
        }
    }
}
