//! What a phone does when it is time: it says again what is not answered, and keeps its session alive.

use super::*;

pub const T1: Duration = Duration::from_millis(500);
pub const T2: Duration = Duration::from_secs(4);
pub const NEVER: Instant = Instant::NEVER;

/// A message that goes out again until it is answered.
pub struct Repeated {
    text: String,
    pub next: Instant,
    interval: Duration,
    pub until: Instant,
}

impl Repeated {
    pub fn new(now: Instant, text: String) -> Self {
        Self {
            text,
            next: now + T1,
            interval: T1,
            until: now + T1 * 64,
        }
    }

    /// Its next copy, if it is time.
    pub fn copy(&mut self, now: Instant, longest: Duration) -> Option<String> {
        if now < self.next {
            return None;
        }
        self.interval = (self.interval * 2).min(longest);
        self.next = now + self.interval;
        Some(self.text.clone())
    }

    pub fn wake(&self) -> Instant {
        self.next.min(self.until)
    }
}

/// The session timer (RFC 4028).
pub struct Session {
    /// Seconds; 0: there is none.
    pub interval: u64,
    pub refresh: Instant,
    pub expires: Instant,
}

impl Session {
    pub const NONE: Self = Self {
        interval: 0,
        refresh: NEVER,
        expires: NEVER,
    };

    /// It begins, of so many seconds; 0: there is none. Who waits for the refreshes of others hangs up a little before its end
    /// (§10).
    pub fn new(now: Instant, interval: u64, refreshed_here: bool) -> Self {
        if interval == 0 {
            return Self::NONE;
        }
        let after = |ms| now + Duration::from_millis(ms);
        let (refresh, before) = match refreshed_here {
            true => (after(500 * interval), 0),
            false => (NEVER, (interval / 3).min(32)),
        };
        Self {
            interval,
            refresh,
            expires: after(1_000 * (interval - before)),
        }
    }
}

/// Session-Expires: seconds, 0 for none, and the refresher.
pub fn session(seen: &Seen) -> (u64, &str) {
    let value = seen.headers("Session-Expires").next().unwrap_or("0");
    let (seconds, who) = value.split_once(";refresher=").unwrap_or((value, ""));
    (seconds.parse().unwrap_or_default(), who)
}
