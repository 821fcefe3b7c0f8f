//! Phones are told to fetch their files again when these have changed: a NOTIFY with `Event: check-sync`, which the phones' makers
//! have agreed on, to where the phone is registered. Never in a call.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use shared::id::{IdKey, IdSet};
use sip::{Flow, Instant, Method, Name, Transport, Writer};

use crate::AGENT;
use crate::budget::SIP_PORT;

/// Between two files that are looked at: they are made for it.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks at a phone that is in a call.
const BUSY: Duration = Duration::from_secs(5);
/// How long a phone has to fetch its file before it is told again, and how often it is told.
const AGAIN: Duration = Duration::from_secs(60);
const TIMES: usize = 3;

/// Whose files are to be looked at, and who is told to fetch whatever it has.
pub struct Sync {
    look: IdSet,
    /// Until they have fetched, or were told as often as any: one that is not there is told when it is.
    ordered: IdSet,
    /// They were told.
    told: Later,
    /// They are in a call.
    busy: Later,
    /// Who was told once already, twice, ...
    times: [IdSet; TIMES - 1],
    next: Instant,
}

/// Who is looked at again, when the last of them has had its time.
struct Later {
    ids: IdSet,
    at: Instant,
}

impl Later {
    const NOBODY: Self = Self {
        ids: IdSet::EMPTY,
        at: Instant::ZERO,
    };

    fn insert(&mut self, at: Instant, key: IdKey) {
        self.ids.insert(key);
        self.at = at;
    }

    fn next_deadline(&self) -> Option<Instant> {
        (!self.ids.is_empty()).then_some(self.at)
    }
}

impl Sync {
    pub const fn new() -> Self {
        Self {
            look: IdSet::EMPTY,
            ordered: IdSet::EMPTY,
            told: Later::NOBODY,
            busy: Later::NOBODY,
            times: [IdSet::EMPTY; TIMES - 1],
            next: Instant::ZERO,
        }
    }

    /// The files of these IDs may have changed.
    pub fn look(&mut self, ids: IdSet) {
        self.look = self.look.union(ids);
        for told in &mut self.times {
            *told = told.difference(ids);
        }
    }

    /// These are to fetch, whatever they have.
    pub fn order(&mut self, ids: IdSet) {
        self.ordered = self.ordered.union(ids);
        self.look(ids);
    }

    /// These have fetched.
    pub fn fetched(&mut self, ids: IdSet) {
        self.ordered = self.ordered.difference(ids);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        let look = (!self.look.is_empty()).then_some(self.next);
        let later = [self.told.next_deadline(), self.busy.next_deadline()];
        later.into_iter().flatten().chain(look).min()
    }

    /// The next ID to look at, and whether its phone is to fetch whatever it has. Nothing follows unless [`Sync::sent`] or
    /// [`Sync::busy`] is called.
    pub fn poll(&mut self, now: Instant) -> Option<(IdKey, bool)> {
        for later in [&mut self.told, &mut self.busy] {
            if now >= later.at {
                self.look = self.look.union(core::mem::take(&mut later.ids));
            }
        }
        let key = self.look.iter().next().filter(|_| now >= self.next)?;
        for ids in [&mut self.look, &mut self.told.ids, &mut self.busy.ids] {
            ids.remove(key);
        }
        self.next = now + LOOK;
        Some((key, self.ordered.contains(key)))
    }

    /// The phone was told.
    pub fn sent(&mut self, now: Instant, key: IdKey) {
        match self.times.iter_mut().find(|told| !told.contains(key)) {
            Some(told) => {
                told.insert(key);
                self.told.insert(now + AGAIN, key);
            }
            None => self.ordered.remove(key),
        }
    }

    /// The phone is in a call.
    pub fn busy(&mut self, now: Instant, key: IdKey) {
        self.busy.insert(now + BUSY, key);
    }
}

/// Where a phone is that is not registered: it listens where phones do.
pub fn unregistered(local: IpAddr, phone: IpAddr) -> Flow {
    Flow {
        transport: Transport::Udp,
        interface: 0,
        stream: 0,
        peer: SocketAddr::new(phone, SIP_PORT),
        local: SocketAddr::new(local, SIP_PORT),
    }
}

/// Writes a NOTIFY; its length, if there is room. `random` makes its names.
pub fn write(flow: &Flow, contact: &[u8], random: u64, buffer: &mut [u8]) -> Option<usize> {
    let Flow { transport, local, .. } = flow;
    let mut w = Writer::new(buffer);
    w.request(Method::Notify, contact);
    w.header(
        Name::Via,
        format_args!("SIP/2.0/{transport} {local};branch=z9hG4bK{random:016x};rport"),
    );
    w.header(Name::MaxForwards, 70);
    w.header(
        Name::From,
        format_args!("<sip:{local}>;tag={:08x}", random as u32),
    );
    w.raw(b"To: <").unfolded(contact).raw(b">\r\n");
    w.header(Name::CallId, format_args!("{random:016x}@{}", local.ip()));
    w.header(Name::CSeq, "1 NOTIFY");
    w.header(
        Name::Contact,
        format_args!("<sip:{local};transport={}>", transport.param()),
    );
    w.header(Name::Event, "check-sync");
    w.header(Name::SubscriptionState, "terminated;reason=noresource");
    w.header(Name::UserAgent, AGENT);
    w.finish_empty().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn key(n: u16) -> IdKey {
        IdKey::new(n).unwrap()
    }

    /// When who was told, second by second; `in_call` are those that are busy at that second. None fetches.
    fn told(sync: &mut Sync, from: u64, to: u64, in_call: impl Fn(u64) -> IdSet) -> Vec<(u64, u16)> {
        let mut told = Vec::new();
        for second in from..to {
            // Some are looked at in one second.
            for ms in (0..1_000).step_by(20) {
                let now = Instant(1_000 * second + ms);
                while let Some((key, _)) = sync.poll(now) {
                    if in_call(second).contains(key) {
                        sync.busy(now, key);
                    } else {
                        sync.sent(now, key);
                        told.push((second, u16::from(key)));
                    }
                }
                assert!(sync.next_deadline().is_none_or(|at| at > now));
            }
        }
        told
    }

    #[test]
    fn each_phone_is_told_as_often_as_any() {
        let mut sync = Sync::new();
        sync.look([1, 2].map(key).into_iter().collect());
        // 2 is in a call for 100 s.
        let in_call = |second| {
            if second < 100 {
                IdSet::one(key(2))
            } else {
                IdSet::EMPTY
            }
        };
        let all = told(&mut sync, 0, 600, in_call);
        let of = |all: &[(u64, u16)], who| -> Vec<u64> {
            let its = all.iter().filter(|(_, told)| *told == who);
            its.map(|(second, _)| *second).collect()
        };
        let (one, two) = (of(&all, 1), of(&all, 2));
        assert_eq!((one.len(), two.len()), (TIMES, TIMES), "{all:?}");
        assert!((100..110).contains(&two[0]), "{two:?}");
        for times in [&one, &two] {
            assert!(
                times
                    .windows(2)
                    .all(|pair| (60..130).contains(&(pair[1] - pair[0]))),
                "{times:?}"
            );
        }
        assert_eq!(sync.next_deadline(), None);
        // Another file: as often again, and the other phone is told no more for it.
        sync.look(IdSet::one(key(1)));
        let all = told(&mut sync, 600, 1_200, |_| IdSet::EMPTY);
        assert_eq!((of(&all, 1).len(), of(&all, 2).len()), (TIMES, 0), "{all:?}");
    }
}
