//! The log of fetches, as the cloud gets it. Anybody in the office's network may ask for files as often as he likes, in the name of as
//! many hardware addresses as he likes: the queue of events, which is the calls' too, is not to be full of it.

use core::time::Duration;

use heapless::{Deque, Vec};
use shared::sync::{EventBody, PhoneFetch};
use sip::Instant;

/// A fetch that is equal to one told so short a time ago is not told again. As often it is said how many were left out.
const TOLD_FOR: Duration = Duration::from_secs(600);
/// Fetches that are remembered for it, and those that wait to be told; half of these places are the site's phones' alone.
const TOLD: usize = 32;
const UNTOLD: usize = 8;

/// So many at once, and then one in so many seconds.
struct Rate {
    burst: u32,
    every: Duration,
}

/// Those of the site's phones: all 64 start at once, each with four files.
const PHONES: Rate = Rate {
    burst: 256,
    every: Duration::from_secs(10),
};
/// All others' together.
const STRANGERS: Rate = Rate {
    burst: 8,
    every: Duration::from_secs(60),
};

impl Rate {
    /// Takes one, if there is one. `full`: when all of them are there again.
    fn take(&self, now: Instant, full: &mut Instant) -> bool {
        let next = (*full).max(now) + self.every;
        let is_there = next <= now + self.every * self.burst;
        if is_there {
            *full = next;
        }
        is_there
    }
}

/// What is told, and was.
pub struct Log {
    told: Vec<(PhoneFetch, Instant), TOLD>,
    untold: Deque<PhoneFetch, UNTOLD>,
    phones: Instant,
    strangers: Instant,
    left_out: u32,
    /// When it is said how many were left out.
    say: Instant,
}

impl Log {
    pub const fn new() -> Self {
        Self {
            told: Vec::new(),
            untold: Deque::new(),
            phones: Instant::ZERO,
            strangers: Instant::ZERO,
            left_out: 0,
            say: Instant::ZERO,
        }
    }

    /// There was a fetch, by a phone of the site's or a stranger.
    pub fn push(&mut self, now: Instant, fetch: PhoneFetch, is_phone: bool) {
        self.told.retain(|(_, at)| now < *at + TOLD_FOR);
        if self.told.iter().any(|(told, _)| *told == fetch) {
            return;
        }
        let (rate, full, places) = match is_phone {
            true => (PHONES, &mut self.phones, UNTOLD),
            false => (STRANGERS, &mut self.strangers, UNTOLD / 2),
        };
        let is_told =
            self.untold.len() < places && rate.take(now, full) && self.untold.push_back(fetch).is_ok();
        if !is_told {
            if self.left_out == 0 {
                self.say = now + TOLD_FOR;
            }
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        if self.told.is_full() {
            self.told.remove(0);
        }
        let _ = self.told.push((fetch, now));
    }

    /// What the cloud is told next.
    pub fn poll(&mut self, now: Instant) -> Option<EventBody> {
        if let Some(fetch) = self.untold.pop_front() {
            return Some(EventBody::PhoneFetch(fetch));
        }
        let is_time = self.next_deadline().is_some_and(|at| now >= at);
        is_time.then(|| EventBody::FetchesLeftOut(core::mem::take(&mut self.left_out)))
    }

    /// When there is something that did not happen just now.
    pub fn next_deadline(&self) -> Option<Instant> {
        (self.left_out > 0).then_some(self.say)
    }
}
