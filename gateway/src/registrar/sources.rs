//! Addresses that gave wrong passwords, and how long they have to wait.

use core::net::IpAddr;
use core::time::Duration;
use sip::Instant;

/// Wrong passwords an address may give at once.
const BURST: u8 = 8;
/// Time after which one of them is forgiven.
const FORGIVE: Duration = Duration::from_secs(10);

/// One address. Hand in an array of [`Source::NONE`].
#[derive(Clone, Copy, Debug)]
pub struct Source {
    address: Option<IpAddr>,
    failures: u8,
    since: Instant,
}

impl Source {
    /// An unused entry.
    pub const NONE: Self = Self {
        address: None,
        failures: 0,
        since: Instant::ZERO,
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
        let source = self.0.iter_mut().find(|s| s.address == Some(address))?;
        source.settle(now);
        (source.failures >= BURST).then(|| source.since + FORGIVE - now)
    }

    /// Counts a wrong password. Without room the address with the fewest gives way, the longest ago first.
    pub fn failed(&mut self, now: Instant, address: IpAddr) {
        self.0.iter_mut().for_each(|source| source.settle(now));
        let known = self.0.iter().position(|s| s.address == Some(address));
        let at = known.or_else(|| {
            let fewest = |(_, s): &(usize, &Source)| (s.address.is_some(), s.failures, s.since);
            self.0.iter().enumerate().min_by_key(fewest).map(|(at, _)| at)
        });
        let Some(source) = at.and_then(|at| self.0.get_mut(at)) else {
            return;
        };
        if source.address != Some(address) || source.failures == 0 {
            *source = Source {
                address: Some(address),
                failures: 0,
                since: now,
            };
        }
        source.failures = source.failures.saturating_add(1).min(BURST);
    }
}
