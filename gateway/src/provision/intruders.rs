//! IDs whose credentials somebody else has: an alarm each, until the phone itself registers.

use core::time::Duration;

use shared::id::{IdKey, IdSet};
use sip::Instant;

/// For so long at least, and twice that at most, the alarm of an ID is not raised again: whoever tries and tries makes no more of
/// them, and what is told lies in flash.
const REST: Duration = Duration::from_secs(3_600);

/// The alarms.
pub struct Intruders {
    raised: IdSet,
    /// Whose alarm was raised in this while of [`REST`], and in the one before.
    rests: [IdSet; 2],
    /// End of this while.
    until: Instant,
}

impl Intruders {
    /// Nobody.
    pub const fn new() -> Self {
        Self {
            raised: IdSet::EMPTY,
            rests: [IdSet::EMPTY; 2],
            until: Instant::ZERO,
        }
    }

    /// Somebody else came with the credentials of this ID. Whether the alarm is to be raised.
    pub fn came(&mut self, now: Instant, key: IdKey) -> bool {
        if now >= self.until {
            let [this, before] = &mut self.rests;
            *before = core::mem::take(this);
            if now >= self.until + REST {
                *before = IdSet::EMPTY;
            }
            self.until = now + REST;
        }
        let [this, before] = &mut self.rests;
        if this.union(*before).union(self.raised).contains(key) {
            return false;
        }
        this.insert(key);
        self.raised.insert(key);
        true
    }

    /// Its own phone has registered. Whether the alarm was raised, and is over.
    pub fn is_over(&mut self, key: IdKey) -> bool {
        let was_raised = self.raised.contains(key);
        self.raised.remove(key);
        was_raised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rests() {
        let key = |n| IdKey::new(n).unwrap();
        let mut intruders = Intruders::new();
        let rest = REST.as_millis() as u64;
        let start = 5 * rest;
        // (when, whose, somebody else or the phone itself, the alarm changes)
        let steps = [
            (start, 1, true, true),
            (start + 1, 1, true, false),
            (start + 2, 1, false, true),
            (start + 3, 1, false, false),
            (start + 4, 1, true, false),
            (start + 4, 2, true, true),
            (start + rest, 1, true, false),
            (start + 2 * rest - 1, 1, true, false),
            (start + 2 * rest, 1, true, true),
            // Raised already, and rested.
            (start + 4 * rest, 2, true, false),
            (start + 4 * rest, 2, false, true),
            (start + 4 * rest, 2, true, true),
            (start + 4 * rest, 2, false, true),
            (start + 6 * rest, 2, true, true),
        ];
        for (at, of, is_other, changes) in steps {
            let changed = match is_other {
                true => intruders.came(Instant(at), key(of)),
                false => intruders.is_over(key(of)),
            };
            assert_eq!(changed, changes, "{at} {of} {is_other}");
        }
    }
}
