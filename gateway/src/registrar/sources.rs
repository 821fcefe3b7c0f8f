//! What is remembered of addresses: wrong passwords, for which they have to wait, and challenges they made nothing of.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use sip::Instant;

/// Wrong passwords an address may give at once.
const BURST: u8 = 8;
/// Time after which one of them is forgiven.
const FORGIVE: Duration = Duration::from_secs(10);
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
    since: Instant,
    /// When it was challenged and has not answered since.
    challenged: Option<Instant>,
    /// It reads one challenge only.
    simple: bool,
}

impl Source {
    /// An unused entry.
    pub const NONE: Self = Self {
        address: FREE,
        failures: 0,
        since: Instant::ZERO,
        challenged: None,
        simple: false,
    };

    /// Forgives what time has forgiven.
    fn settle(&mut self, now: Instant) {
        let passed = now - self.since;
        let steps = passed.as_millis() / FORGIVE.as_millis();
        self.failures = u8::try_from(steps).map_or(0, |steps| self.failures.saturating_sub(steps));
        self.since += FORGIVE * u32::try_from(steps).unwrap_or(u32::MAX);
    }
}

pub(super) struct Sources<'s>(&'s mut [Source]);

impl<'s> Sources<'s> {
    pub fn new(entries: &'s mut [Source]) -> Self {
        entries.fill(Source::NONE);
        Self(entries)
    }

    /// How long this address still has to wait before its credentials are looked at.
    pub fn must_wait(&mut self, now: Instant, address: IpAddr) -> Option<Duration> {
        let source = self.0.iter_mut().find(|s| s.address == address)?;
        source.settle(now);
        (source.failures >= BURST).then(|| source.since + FORGIVE - now)
    }

    /// Counts a wrong password.
    pub fn failed(&mut self, now: Instant, address: IpAddr) {
        let Some(source) = self.entry(now, address) else {
            return;
        };
        if source.failures == 0 {
            source.since = now;
        }
        source.failures = source.failures.saturating_add(1).min(BURST);
    }

    /// A challenge goes to this address, which brought no credentials. True: it has not made anything of one before, so
    /// this one should be of the simplest kind.
    pub fn challenged(&mut self, now: Instant, address: IpAddr) -> bool {
        let Some(source) = self.entry(now, address) else {
            return false;
        };
        match source.challenged {
            Some(at) if now - at < if source.simple { BELIEVED } else { GIVEN_UP } => {}
            Some(at) if now - at < BELIEVED => source.simple = true,
            _ => (source.challenged, source.simple) = (Some(now), false),
        }
        source.simple
    }

    /// This address has answered a challenge.
    pub fn answered(&mut self, address: IpAddr) {
        if let Some(source) = self.0.iter_mut().find(|s| s.address == address)
            && !source.simple
        {
            source.challenged = None;
        }
    }

    /// The entry of an address, new if need be. Without room the one with the fewest failures gives way, the longest ago
    /// first.
    fn entry(&mut self, now: Instant, address: IpAddr) -> Option<&mut Source> {
        self.0.iter_mut().for_each(|source| source.settle(now));
        let known = self.0.iter().position(|s| s.address == address);
        let at = known.or_else(|| {
            let least =
                |(_, s): &(usize, &Source)| (s.address != FREE, s.failures, s.simple, s.challenged, s.since);
            self.0.iter().enumerate().min_by_key(least).map(|(at, _)| at)
        });
        let source = self.0.get_mut(at?)?;
        if source.address != address {
            *source = Source {
                address,
                since: now,
                ..Source::NONE
            };
        }
        Some(source)
    }
}
