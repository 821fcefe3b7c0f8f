//! How often a stranger may ask: one bucket of tokens for each source address.

use std::collections::HashMap;
use std::net::IpAddr;

use sip::Instant;

/// Requests an address may send at once: 64 phones of an office behind one address whose box has died, twice each for the
/// challenge, and all of it repeated once.
const BURST: u32 = 256;
/// Time after which it may send another, milliseconds.
const PACE_MS: u64 = 20;
/// Tokens that a wrong password costs: three at once, and one in 1.7 s.
pub(super) const REFUSED_COST: u32 = 84;
/// Addresses that are remembered.
const ADDRESSES: usize = 4_096;

/// The buckets of all addresses that were heard lately.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    buckets: HashMap<IpAddr, (u32, Instant)>,
}

impl Limiter {
    /// Takes `cost` tokens of this address. False: it has to wait.
    pub fn admit(&mut self, now: Instant, from: IpAddr, cost: u32) -> bool {
        let tokens = |(tokens, at): (u32, Instant)| {
            let earned = (now - at).as_millis() as u64 / PACE_MS;
            u64::from(tokens).saturating_add(earned).min(u64::from(BURST)) as u32
        };
        if self.buckets.len() >= ADDRESSES && !self.buckets.contains_key(&from) {
            // Who has all its tokens back need not be remembered.
            self.buckets.retain(|_, bucket| tokens(*bucket) < BURST);
            if self.buckets.len() >= ADDRESSES {
                return false;
            }
        }
        let bucket = self.buckets.entry(from).or_insert((BURST, now));
        let left = tokens(*bucket);
        if left != bucket.0 {
            *bucket = (left, now);
        }
        let admitted = left >= cost;
        bucket.0 = left.saturating_sub(cost);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_burst_and_then_its_pace() {
        let mut limiter = Limiter::default();
        let (now, one) = (Instant::from_millis(5_000), Ipv4Addr::new(192, 0, 2, 1).into());
        assert_eq!((0..300).filter(|_| limiter.admit(now, one, 1)).count(), 256);
        assert!(
            limiter.admit(now, Ipv4Addr::new(192, 0, 2, 2).into(), 1),
            "another one has its own"
        );
        let later = Instant::from_millis(6_000);
        assert_eq!((0..300).filter(|_| limiter.admit(later, one, 1)).count(), 50);
        assert!(!limiter.admit(Instant::from_millis(6_019), one, 1));
        assert!(!limiter.admit(Instant::from_millis(6_020), one, 5));
    }

    #[test]
    fn bounded() {
        let mut limiter = Limiter::default();
        let address = |n: u32| IpAddr::from(Ipv4Addr::from(n));
        for n in 0..ADDRESSES as u32 {
            assert!(limiter.admit(Instant::ZERO, address(n), 1));
        }
        assert!(!limiter.admit(Instant::ZERO, address(1 << 20), 1));
        assert!(limiter.admit(Instant::from_millis(PACE_MS), address(1 << 20), 1));
        assert!(limiter.buckets.len() <= 1);
    }
}
