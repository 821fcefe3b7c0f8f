//! Which boxes and phones a call rings, and what comes next if nobody answers.

use std::time::Duration;

use shared::IdSet;
use shared::guard::ALONE_MS;
use shared::ring::{Facts, To, ring};
use shared::route::Treatment;
use shared::site::Id;
use sip::Instant;
use sip::b2bua::{Cause, Refusal, Target};
use sip::identity::Why;
use sip::pool::Key;
use sip::transaction::Priority;

use super::parties::Sent;
use super::{ABSENT, FIRST_ANSWER, Pbx, RING_BEFORE_FORWARD, RING_MAX, Relays};
use crate::pbx::{Line, Meta, Peer, Rings};

impl<R: Relays> Pbx<R> {
    /// Rings those terminals that ring, at their boxes or where they are; if there are none, what is next.
    pub(super) fn ring_terminals(&mut self, now: Instant, call: Key) {
        match self.ring_more(now, call) {
            Ok(()) => {}
            Err(Some(refusal)) => self.nobody_answers(now, call, refusal.status(), None),
            // Desk phones that are neither at their box nor here are absent.
            Err(None) => self.nobody_answers(now, call, 480, Some(ABSENT)),
        }
    }

    /// Asks those terminals that ring and were not asked yet. An error: nobody rings, for this reason.
    fn ring_more(&mut self, now: Instant, call: Key) -> Result<(), Option<Refusal>> {
        let Some((rings, peers)) = self.calls.meta(call).and_then(|meta| {
            let rings = meta.rings.clone()?;
            let peers = self.peers(meta, &rings);
            Some((rings, peers))
        }) else {
            return Err(None);
        };
        let realm = self.directory.realm();
        let user = match rings.call.to {
            To::Number(number) => number.digits().to_string(),
            To::Extension(_) => rings.user.clone(),
        };
        let to = format!("<sip:{user}@{realm}>");
        // RFC 7090: the box may not know of the emergency call any more.
        let mut extra = match rings.call.back_to {
            Some(_) => "Priority: psap-callback\r\n".to_string(),
            None => String::new(),
        };
        if let Some(sent) = rings.sent {
            extra += &sent.lines(&user, realm);
        }
        let presented = self
            .calls
            .present(call, rings.from.as_bytes(), to.as_bytes(), extra.as_bytes());
        let (mut branches, mut refused) = (Vec::new(), None);
        for peer in peers {
            let Some(way) = self.registrations.get(&peer) else {
                continue;
            };
            let transport = way.flow.transport.param();
            let uri = match peer {
                Peer::Box(_) => format!("sip:{user}@{};transport={transport}", way.contact),
                Peer::Phone(_) => way.contact.clone(),
            };
            let target = Target {
                flow: way.flow,
                uri: uri.as_bytes(),
                route: b"",
                priority: Priority::Normal,
                user: 0,
            };
            match presented.and_then(|()| self.calls.dial(now, call, target)) {
                Ok(leg) => branches.push((peer, leg)),
                Err(why) => refused = Some(why),
            }
        }
        let dialled = self.stamp(now);
        let Some(meta) = self.calls.meta_mut(call) else {
            return Err(None);
        };
        let mut wait = Self::patience(meta);
        if !branches.is_empty() {
            if let Some(rings) = &mut meta.rings {
                rings.told.extend(branches.iter().map(|(peer, _)| *peer));
            }
            meta.branches.extend(branches);
            meta.dialled = meta.dialled.or(Some(dialled));
            meta.progressed = false;
            wait = FIRST_ANSWER;
        }
        let rings = !meta.branches.is_empty();
        if !rings {
            return Err(refused);
        }
        self.calls.set_deadline(call, Some(now + wait));
        Ok(())
    }

    /// Who is to ring and was not asked yet. A site's phones are its box's alone while it is there; without it those that
    /// are registered here are rung one by one.
    fn peers(&self, meta: &Meta, rings: &Rings) -> Vec<Peer> {
        let Some(office) = self.directory.office(meta.contract) else {
            return Vec::new();
        };
        let place = |id: &Id| {
            let contract = meta.contract;
            let at_box = self.directory.box_at(id.site).map(Peer::Box);
            let here = Peer::Phone(Line {
                contract,
                key: id.key,
            });
            let places = at_box.into_iter().chain([here]);
            places.into_iter().find(|peer| self.is_there(*peer))
        };
        // Which of its terminals are registered and busy a box knows; there are no apps elsewhere.
        let present = office.site.ids.iter().filter(|id| place(id).is_some());
        let facts = Facts::of(present.map(|id| id.key).collect(), IdSet::EMPTY, IdSet::EMPTY);
        let offer = ring(&office.site, rings.call, &facts).offer;
        let is_told = |peer: &Peer| {
            // A box that has come back would ring a phone that rings here already.
            let home = |told: &Peer| matches!(peer, Peer::Box(id) if self.directory.home(*told) == Some(*id));
            rings.told.iter().any(|told| told == peer || home(told))
        };
        let mut peers: Vec<Peer> = offer
            .iter()
            .filter_map(|key| place(office.site.id(key)?))
            .filter(|peer| !is_told(peer))
            .collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// How long a call that somebody said something of may ring.
    pub(super) fn patience(meta: &Meta) -> Duration {
        match &meta.rings {
            Some(rings) if rings.call.back_to.is_some() => Duration::from_millis(ALONE_MS),
            Some(rings) if rings.unanswered != Treatment::End => RING_BEFORE_FORWARD,
            _ => RING_MAX,
        }
    }

    /// Nobody answers, or nobody is there: the next to ring, or the end.
    pub(super) fn nobody_answers(&mut self, now: Instant, call: Key, status: u16, cause: Option<Cause>) {
        // The terminal that called the authority goes on ringing, and now with the others.
        let back_to = self.rings_mut(call).and_then(|rings| rings.call.back_to.take());
        if back_to.is_some() && self.ring_more(now, call).is_ok() {
            return;
        }
        let unanswered = self
            .rings_mut(call)
            .map(|rings| std::mem::take(&mut rings.unanswered));
        let Some(Treatment::Forward(number)) = unanswered else {
            return self.calls.refuse(now, call, status, cause);
        };
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        if let Some(rings) = &mut meta.rings {
            if let To::Number(before) = rings.call.to {
                let why = match status {
                    486 => Why::Busy,
                    _ if meta.ringing.is_some() => Why::NoAnswer,
                    _ => Why::Unavailable,
                };
                rings.sent = Some(Sent::on(rings.sent, before, why));
            }
            rings.call.to = To::Number(number);
            rings.told.clear();
        }
        let before = std::mem::take(&mut meta.branches);
        self.ring_terminals(now, call);
        for (_, leg) in before {
            self.calls.cancel(now, leg, cause);
        }
    }

    fn rings_mut(&mut self, call: Key) -> Option<&mut Rings> {
        self.calls.meta_mut(call)?.rings.as_mut()
    }
}
