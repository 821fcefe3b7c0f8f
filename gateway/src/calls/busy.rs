//! Which terminals are in calls.

use shared::id::{IdKey, IdSet};

/// How many calls each terminal is in, its own and those it has answered.
#[derive(Debug)]
pub(crate) struct Busy {
    calls: [u16; IdKey::COUNT],
    set: IdSet,
}

impl Busy {
    /// Nobody.
    pub const fn new() -> Self {
        Self {
            calls: [0; IdKey::COUNT],
            set: IdSet::EMPTY,
        }
    }

    /// One call more.
    pub fn begin(&mut self, key: IdKey) {
        if let Some(calls) = self.calls.get_mut(key.index()) {
            *calls = calls.saturating_add(1);
            self.set.insert(key);
        }
    }

    /// One call less.
    pub fn end(&mut self, key: IdKey) {
        if let Some(calls) = self.calls.get_mut(key.index()) {
            *calls = calls.saturating_sub(1);
            self.set.set(key, *calls > 0);
        }
    }

    /// Those that are in a call.
    pub const fn set(&self) -> IdSet {
        self.set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_busy_until_its_last_call_ends() {
        let mut busy = Busy::new();
        let [a, b] = [3, 63].map(|n| IdKey::new(n).unwrap());
        busy.begin(a);
        busy.begin(b);
        busy.begin(a);
        busy.end(a);
        assert!(busy.set().contains(a) && busy.set().contains(b));
        busy.end(a);
        busy.end(b);
        assert_eq!(busy.set(), IdSet::EMPTY);
    }
}
