//! What is remembered of addresses: how much they may still ask, wrong passwords, for which they have to wait, and challenges
//! they made nothing of.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use sip::Instant;

/// Requests outside of dialogs that an address may send at once: 64 phones behind one address that register after a power
/// cut, twice each for the challenge, and all of it repeated seven times.
pub(super) const BURST: u16 = 1_024;
/// Time after which it may send another, milliseconds: 50 a second, half of what the box can answer.
const PACE: u64 = 20;
/// Wrong passwords an address may give at once.
const GUESSES: u8 = 8;
/// Time after which one of them is forgiven, milliseconds.
const FORGIVE: u64 = 10_000;
/// A client that asks again so much later without credentials could not read the challenge.
const GIVEN_UP: Duration = Duration::from_secs(5);
/// How long that is believed of it.
const BELIEVED: Duration = Duration::from_secs(3_600);

/// No phone sends from it.
const FREE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// One address. Hand in an array of [`Source::NONE`].
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// [`FREE`]: nothing here. Not an `Option`, so that an unused entry is all zeros and costs no room in the image.
    address: IpAddr,
    failures: u8,
    /// It reads one challenge only.
    simple: bool,
    /// Requests sent that time has not made up for.
    asked: u16,
    asked_since: Instant,
    failed_since: Instant,
    /// When it was challenged and has not answered since; [`Instant::ZERO`]: it was not.
    challenged: Instant,
}

impl Source {
    /// An unused entry.
    pub const NONE: Self = Self {
        address: FREE,
        failures: 0,
        simple: false,
        asked: 0,
        asked_since: Instant::ZERO,
        failed_since: Instant::ZERO,
        challenged: Instant::ZERO,
    };

    /// Forgives what time has forgiven.
    fn settle(&mut self, now: Instant) {
        let steps = pass(now, &mut self.failed_since, FORGIVE);
        self.failures = u8::try_from(steps).map_or(0, |steps| self.failures.saturating_sub(steps));
        let steps = pass(now, &mut self.asked_since, PACE);
        self.asked = u16::try_from(steps).map_or(0, |steps| self.asked.saturating_sub(steps));
    }
}

/// How many steps of so many milliseconds have passed; `since` goes with them.
fn pass(now: Instant, since: &mut Instant, step: u64) -> u64 {
    let steps = now.as_millis().saturating_sub(since.as_millis()) / step;
    *since = Instant::from_millis(since.as_millis() + steps * step);
    steps
}

pub(super) struct Sources<'s>(&'s mut [Source]);

impl<'s> Sources<'s> {
    pub fn new(entries: &'s mut [Source]) -> Self {
        entries.fill(Source::NONE);
        Self(entries)
    }

    /// Counts a request. False: the address has asked too much.
    pub fn admit(&mut self, now: Instant, address: IpAddr) -> bool {
        let Some(source) = self.entry(now, address) else {
            return true;
        };
        if source.asked == 0 {
            source.asked_since = now;
        }
        let admitted = source.asked < BURST;
        source.asked += u16::from(admitted);
        admitted
    }

    /// How long this address still has to wait before its credentials are looked at.
    pub fn must_wait(&mut self, now: Instant, address: IpAddr) -> Option<Duration> {
        let source = self.0.iter_mut().find(|s| s.address == address)?;
        source.settle(now);
        let free = source.failed_since + Duration::from_millis(FORGIVE);
        (source.failures >= GUESSES).then(|| free - now)
    }

    /// Counts a wrong password.
    pub fn failed(&mut self, now: Instant, address: IpAddr) {
        let Some(source) = self.entry(now, address) else {
            return;
        };
        if source.failures == 0 {
            source.failed_since = now;
        }
        source.failures = source.failures.saturating_add(1).min(GUESSES);
    }

    /// A challenge goes to this address, which brought no credentials. True: it has not made anything of one before, so
    /// this one should be of the simplest kind.
    pub fn challenged(&mut self, now: Instant, address: IpAddr) -> bool {
        let Some(source) = self.entry(now, address) else {
            return false;
        };
        let age = now - source.challenged;
        if source.challenged == Instant::ZERO || age >= BELIEVED {
            // Not the moment zero, which means never.
            (source.challenged, source.simple) = (now.max(Instant::from_millis(1)), false);
        } else if age >= GIVEN_UP {
            source.simple = true;
        }
        source.simple
    }

    /// This address has proved a password: its two requests, without credentials and with them, count for nothing. So a proxy
    /// or a whole building behind one address is limited by what nobody there can prove.
    pub fn answered(&mut self, address: IpAddr) {
        if let Some(source) = self.0.iter_mut().find(|s| s.address == address) {
            source.asked = source.asked.saturating_sub(2);
            if !source.simple {
                source.challenged = Instant::ZERO;
            }
        }
    }

    /// The entry of an address, new if need be. Without room the one gives way that has given the fewest wrong passwords and
    /// asked the least, the longest ago first; and the new one goes on where that one was, so that many addresses together
    /// may not ask more than the table is long.
    fn entry(&mut self, now: Instant, address: IpAddr) -> Option<&mut Source> {
        if let Some(at) = self.0.iter().position(|s| s.address == address) {
            let source = self.0.get_mut(at)?;
            source.settle(now);
            return Some(source);
        }
        self.0.iter_mut().for_each(|source| source.settle(now));
        let least = |s: &&mut Source| {
            let known = (s.simple, s.challenged, s.failed_since);
            (s.address != FREE, s.failures, s.asked, known)
        };
        let source = self.0.iter_mut().min_by_key(least)?;
        *source = Source {
            address,
            asked: source.asked,
            asked_since: source.asked_since,
            failed_since: now,
            ..Source::NONE
        };
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0xC000_0200 + n))
    }

    fn at(ms: u64) -> Instant {
        Instant::from_millis(100_000 + ms)
    }

    /// (time in ms, address, requests, admitted)
    #[test]
    fn a_burst_and_then_its_pace() {
        let mut entries = [Source::NONE; 4];
        let mut sources = Sources::new(&mut entries);
        for (ms, from, requests, admitted) in [
            (0, 1, 1_024, 1_024),
            (0, 1, 9, 0),
            (0, 2, 5, 5), // another one has its own
            (19, 1, 1, 0),
            (20, 1, 2, 1),
            (1_020, 1, 99, 50),
            (1_021, 2, 1_100, 1_024),
            (60_000, 1, 1_100, 1_024),
        ] {
            let got = (0..requests)
                .filter(|_| sources.admit(at(ms), address(from)))
                .count();
            assert_eq!(got, admitted, "{requests} of {from} at {ms}");
        }
    }

    #[test]
    fn who_proves_a_password_may_ask_again() {
        let mut entries = [Source::NONE; 4];
        let mut sources = Sources::new(&mut entries);
        for _ in 0..10_000 {
            assert!(sources.admit(at(0), address(1)) && sources.admit(at(0), address(1)));
            sources.answered(address(1));
        }
        let rest = (0..2_000).filter(|_| sources.admit(at(0), address(1))).count();
        assert_eq!(rest, usize::from(BURST));
    }

    /// Forged addresses, each new: together they get what the table has and its pace, and who asks little is still heard
    /// among those that ask much.
    #[test]
    fn many_addresses_get_no_more_than_the_table() {
        let mut entries = vec![Source::NONE; 64];
        let mut sources = Sources::new(&mut entries);
        let mut admit = |ms, n| sources.admit(at(ms), address(n));
        let first = (0..100_000).filter(|&n| admit(0, n)).count();
        assert_eq!(first, 64 * 1_024);
        let second = (100_000..200_000).filter(|&n| admit(1_000, n)).count();
        assert_eq!(second, 64 * 50);
    }

    #[test]
    fn without_room_nobody_is_held_back() {
        let mut sources = Sources::new(&mut []);
        assert!((0..1_000).all(|_| sources.admit(at(0), address(1))));
        assert_eq!(sources.must_wait(at(0), address(1)), None);
    }
}
