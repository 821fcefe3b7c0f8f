//! Time as the caller counts it.
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A moment on the caller's monotonic clock, in milliseconds since boot.
// The microcontroller reads it at any even address: no table is widened for the sake of its times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(2))]
pub struct Instant(pub u64);

impl Instant {
    /// The moment of boot.
    pub const ZERO: Instant = Instant(0);
    /// A moment that never comes; for "no deadline" where an `Option` would not fit.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The moment `ms` milliseconds after boot.
    pub const fn from_millis(ms: u64) -> Self {
        Instant(ms)
    }

    /// Milliseconds since boot.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

/// Saturates at [`Instant::NEVER`]; parts of a millisecond are rounded up, so that a deadline is never early.
impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, rhs: Duration) -> Instant {
        let ms = rhs.as_nanos().div_ceil(1_000_000);
        Instant(self.0.saturating_add(u64::try_from(ms).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

/// Zero where `rhs` is the later one.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, rhs: Instant) -> Duration {
        Duration::from_millis(self.0.saturating_sub(rhs.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let t = Instant::from_millis(1500);
        assert_eq!((t + Duration::from_millis(500)).as_millis(), 2000);
        assert_eq!((t + Duration::from_micros(1)).as_millis(), 1501, "never early");
        assert_eq!(t + Duration::MAX, Instant::NEVER);
        assert_eq!(t - Instant::from_millis(500), Duration::from_secs(1));
        assert_eq!(Instant::ZERO - t, Duration::ZERO);
    }
}
