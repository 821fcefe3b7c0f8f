//! The switch hook of one telephone: what the edges of its loop mean.
//!
//! ```text
//! closed ──┐   ┌─┐ ┌─┐ ┌──────────┐      ┌────────┐
//! open     └───┘ └─┘ └─┘          └──────┘        └───────────
//!          dial pulses, then a    flash           on hook
//!          pause: a digit
//! ```
//!
//! How long a break lasts tells pulse, flash and hanging up apart:
//!
//! | break, ms | meaning |
//! |---|---|
//! | below 15 | a contact that bounces |
//! | 15 to 79 | a dial pulse: 33 to 76 at 10 and 20 pps (事業用電気通信設備規則 別表) |
//! | 80 to 100 | a dial pulse of a slow dial if one was before it, else a flash |
//! | to 1,000 | a flash (フッキング) |
//! | above | on hook |

use core::time::Duration;

use sip::Instant;

/// A level that does not last is a bounce. Shorter than the shortest make of a dial (15 ms at 20 pps).
const BOUNCE: Duration = Duration::from_millis(8);
/// Shortest break that is a dial pulse.
const PULSE_MIN: Duration = Duration::from_millis(15);
/// Shortest break that is a flash.
const FLASH_MIN: Duration = Duration::from_millis(80);
/// Longest break that is a dial pulse behind another one.
const SLOW_PULSE_MAX: Duration = Duration::from_millis(100);
/// Longest break that is a flash.
pub const FLASH_MAX: Duration = Duration::from_millis(1_000);
/// The pause that ends a digit: longer than the longest make (46 ms), shorter than the shortest pause of a dial (450 ms).
const DIGIT_END: Duration = Duration::from_millis(200);
/// How long the loop is closed until it counts as off hook. A bell draws current too: while it rings, in pulses shorter than half a
/// period (31 ms at 16 Hz), and for some 20 ms behind every reversal of the polarity. A closed loop draws it all the time but for the
/// moment of a reversal, which [`BOUNCE`] covers.
const SEIZE: Duration = Duration::from_millis(80);
/// A phone that has received the caller's number opens the loop, and means no flash.
pub const RECEIVED: Duration = Duration::from_millis(100);

/// What somebody did at the telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// Lifted the handset; while the phone rings, answered.
    OffHook,
    /// Dialled so many pulses, 1 to 10.
    Pulses(u8),
    /// Pressed the hook for a moment.
    Flash,
    /// Hung up.
    OnHook,
}

/// The switch hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The loop as it was last seen, closed or open, and since when.
    raw: (bool, Instant),
    /// The same without bounces.
    level: (bool, Instant),
    off_hook: bool,
    pulses: u8,
    /// A break as long as this is on hook.
    clears: Duration,
    /// Nothing is looked at before this.
    deaf_until: Instant,
}

impl Hook {
    /// On hook.
    pub const fn new() -> Self {
        let open = (false, Instant::ZERO);
        Self {
            raw: open,
            level: open,
            off_hook: false,
            pulses: 0,
            clears: FLASH_MAX,
            deaf_until: Instant::ZERO,
        }
    }

    /// Is the handset lifted?
    pub const fn is_off(&self) -> bool {
        self.off_hook
    }

    /// The loop has closed or opened. What was due before is polled first.
    pub fn edge(&mut self, at: Instant, closed: bool) {
        if closed != self.raw.0 {
            self.raw = (closed, at);
        }
    }

    /// How long a break must be to mean on hook: [`FLASH_MAX`], or [`RECEIVED`].
    pub fn set_clears(&mut self, clears: Duration) {
        self.clears = clears;
    }

    /// The feed is taken from the line until then: the loop says nothing.
    pub fn deafen(&mut self, until: Instant) {
        self.deaf_until = until;
        self.pulses = 0;
    }

    /// What has come to be true by now; call until nothing is left.
    pub fn poll(&mut self, now: Instant) -> Option<Did> {
        if now < self.deaf_until {
            return None;
        }
        if self.deaf_until != Instant::ZERO {
            self.level = (self.raw.0, self.deaf_until.max(self.raw.1));
            self.deaf_until = Instant::ZERO;
        }
        let (raw, changed) = self.raw;
        let (closed, since) = self.level;
        if raw == closed {
            return self.lasted(now);
        }
        if let Some(did) = self.lasted(changed.min(now)) {
            return Some(did);
        }
        if now < changed + BOUNCE {
            return None;
        }
        self.level = self.raw;
        match raw && self.off_hook {
            true => self.broken(changed - since),
            false => self.lasted(now),
        }
    }

    /// What the level means, as it has lasted until then.
    fn lasted(&mut self, until: Instant) -> Option<Did> {
        if until < self.due()? {
            return None;
        }
        Some(match self.level.0 {
            true if !self.off_hook => {
                self.off_hook = true;
                Did::OffHook
            }
            true => Did::Pulses(core::mem::take(&mut self.pulses)),
            false => {
                self.off_hook = false;
                self.pulses = 0;
                Did::OnHook
            }
        })
    }

    /// When the present level means something, if it lasts.
    fn due(&self) -> Option<Instant> {
        let (closed, since) = self.level;
        match (closed, self.off_hook) {
            (true, false) => Some(since + SEIZE),
            (true, true) if self.pulses > 0 => Some(since + DIGIT_END),
            (false, true) => Some(since + self.clears),
            _ => None,
        }
    }

    /// The loop has closed again after a break.
    fn broken(&mut self, len: Duration) -> Option<Did> {
        let longest = if self.pulses > 0 {
            SLOW_PULSE_MAX
        } else {
            FLASH_MIN - Duration::from_millis(1)
        };
        if len < PULSE_MIN {
            return None;
        }
        if len <= longest {
            // An eleventh pulse is none of a dial's.
            self.pulses = self.pulses.saturating_add(1);
            return None;
        }
        self.pulses = 0;
        Some(Did::Flash)
    }

    /// When to poll again.
    pub fn next_deadline(&self) -> Instant {
        if self.deaf_until != Instant::ZERO {
            return self.deaf_until;
        }
        let due = self.due().unwrap_or(Instant::NEVER);
        // A level that is about to end means nothing more.
        match self.raw {
            (raw, changed) if raw != self.level.0 && changed < due => changed + BOUNCE,
            _ => due,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// Edges at these times, the first one closing, and what was made of them by `end`.
    fn run_from(mut hook: Hook, edges: &[u64], end: u64) -> Vec<(u64, Did)> {
        let mut did = Vec::new();
        let mut wait = |hook: &mut Hook, until: u64| {
            loop {
                let at = hook.next_deadline().as_millis();
                if at > until {
                    break;
                }
                while let Some(what) = hook.poll(Instant(at)) {
                    did.push((at, what));
                }
                assert!(hook.next_deadline().as_millis() > at, "a deadline in the past");
            }
        };
        for (index, at) in edges.iter().enumerate() {
            wait(&mut hook, *at);
            hook.edge(Instant(*at), index % 2 == 0);
        }
        wait(&mut hook, end);
        did
    }

    fn run(edges: &[u64], end: u64) -> Vec<(u64, Did)> {
        run_from(Hook::new(), edges, end)
    }

    /// A digit of so many pulses, from `at` on.
    fn dial(at: u64, pulses: u64, break_ms: u64, make_ms: u64) -> Vec<u64> {
        let period = break_ms + make_ms;
        (0..pulses)
            .flat_map(|n| [at + n * period, at + n * period + break_ms])
            .collect()
    }

    #[test]
    fn lifted_and_hung_up() {
        assert_eq!(run(&[100], 5_000), [(180, Did::OffHook)]);
        assert_eq!(
            run(&[100, 3_000], 5_000),
            [(180, Did::OffHook), (4_000, Did::OnHook)]
        );
        // Hung up before it counted, and a handset that only knocks.
        assert_eq!(run(&[100, 175], 5_000), []);
        assert_eq!(run(&[100, 105, 110, 114], 5_000), []);
        // It bounces for 20 ms; the last contact counts.
        assert_eq!(run(&[100, 103, 106, 110, 113], 500), [(193, Did::OffHook)]);
        assert_eq!(
            run(&[100, 3_000, 3_004, 3_007], 5_000),
            [(180, Did::OffHook), (4_007, Did::OnHook)],
            "the last contact counts"
        );
    }

    #[test]
    fn breaks_by_their_length() {
        let lifted = (180, Did::OffHook);
        for (len, then) in [
            (3, None),
            (14, None),
            (15, Some((1_015 + 200, Did::Pulses(1)))),
            (33, Some((1_033 + 200, Did::Pulses(1)))),
            (79, Some((1_079 + 200, Did::Pulses(1)))),
            (80, Some((1_080 + 8, Did::Flash))),
            (600, Some((1_600 + 8, Did::Flash))),
            (999, Some((1_999 + 8, Did::Flash))),
        ] {
            let did = run(&[100, 1_000, 1_000 + len], 5_000);
            let expected: Vec<_> = [Some(lifted), then].into_iter().flatten().collect();
            assert_eq!(did, expected, "break of {len} ms");
        }
        let did = run(&[100, 1_000, 2_001], 5_000);
        assert_eq!(did, [lifted, (2_000, Did::OnHook), (2_081, Did::OffHook)]);
    }

    #[test]
    fn dials_of_every_speed() {
        // Pulses per second with the shortest and longest make that the rules allow.
        for (pps, makes) in [
            (92, [30, 42]),
            (100, [30, 42]),
            (108, [30, 42]),
            (184, [30, 36]),
            (216, [30, 36]),
        ] {
            for make in makes {
                let period = 10_000 / pps;
                let make_ms = period * make / 100;
                for pulses in 1..=10 {
                    let mut edges = vec![100];
                    edges.extend(dial(1_000, pulses, period - make_ms, make_ms));
                    let last = edges[edges.len() - 1];
                    let did = run(&edges, 9_000);
                    assert_eq!(
                        did,
                        [(180, Did::OffHook), (last + 200, Did::Pulses(pulses as u8))],
                        "{pulses} at {pps}/10 pps, {make} %"
                    );
                }
            }
        }
    }

    #[test]
    fn digits_one_after_the_other() {
        let mut edges = vec![100];
        edges.extend(dial(1_000, 1, 67, 33));
        edges.extend(dial(1_700, 10, 67, 33));
        edges.extend(dial(3_300, 3, 33, 17));
        let did: Vec<_> = run(&edges, 9_000).into_iter().map(|(_, did)| did).collect();
        assert_eq!(
            did,
            [Did::OffHook, Did::Pulses(1), Did::Pulses(10), Did::Pulses(3)]
        );
        // A slow dial: its first pulse is just one, the next are longer than a flash begins.
        let mut edges = vec![100];
        edges.extend([1_000, 1_079, 1_120, 1_210, 1_250, 1_350]);
        let did: Vec<_> = run(&edges, 9_000).into_iter().map(|(_, did)| did).collect();
        assert_eq!(did, [Did::OffHook, Did::Pulses(3)]);
        // Hung up in the middle of a digit.
        let mut edges = vec![100];
        edges.extend(dial(1_000, 3, 67, 33));
        edges.push(1_300);
        let did: Vec<_> = run(&edges, 9_000).into_iter().map(|(_, did)| did).collect();
        assert_eq!(did, [Did::OffHook, Did::OnHook]);
        // A flash behind a pulse.
        let did: Vec<_> = run(&[100, 1_000, 1_060, 1_100, 1_500], 9_000);
        assert_eq!(did, [(180, Did::OffHook), (1_508, Did::Flash)]);
    }

    #[test]
    fn bells_draw_current_too() {
        // A bell that rings: current in pulses of 20 ms, twice a period of 62.5 ms; and one behind a reversal, whenever it is.
        let bell: Vec<u64> = (0..32).flat_map(|n| [n * 31, n * 31 + 20]).collect();
        assert_eq!(run(&bell, 2_000), []);
        assert_eq!(run(&[1_000, 1_040], 2_000), []);
        // Lifted: all the time but 4 ms at each reversal.
        let lifted: Vec<u64> = (10..40).flat_map(|n| [n * 31, n * 31 + 27]).collect();
        assert_eq!(run(&lifted, 800), [(390, Did::OffHook)]);
    }

    #[test]
    fn deaf_while_the_feed_is_off() {
        let mut hook = Hook::new();
        hook.edge(Instant(100), true);
        assert_eq!(hook.poll(Instant(180)), Some(Did::OffHook));
        hook.deafen(Instant(1_000));
        // The loop is open because there is no feed, and closes with it.
        assert_eq!(run_from(hook.clone(), &[], 900), []);
        hook.edge(Instant(510), false);
        assert_eq!(hook.poll(Instant(900)), None);
        let mut stays = hook.clone();
        stays.edge(Instant(990), true);
        assert_eq!(run_from(stays, &[], 5_000), []);
        assert_eq!(
            run_from(hook, &[], 5_000),
            [(2_000, Did::OnHook)],
            "hung up meanwhile"
        );
    }

    proptest! {
        /// However the contact bounces, nothing but pairs of lifting and hanging up comes out, and pulses and flashes between.
        #[test]
        fn always_off_and_on_in_turn(gaps in proptest::collection::vec(1u64..1_500, 0..60)) {
            let mut at = 0;
            let edges: Vec<u64> = gaps.iter().map(|gap| { at += gap; at }).collect();
            let mut off = false;
            let mut last = 0;
            for (at, did) in run(&edges, at + 3_000) {
                prop_assert!(at >= last);
                last = at;
                match did {
                    Did::OffHook => { prop_assert!(!off); off = true; }
                    Did::OnHook => { prop_assert!(off); off = false; }
                    Did::Flash => prop_assert!(off),
                    Did::Pulses(n) => prop_assert!(off && n > 0),
                }
            }
            prop_assert_eq!(off, edges.len() % 2 == 1, "it ends as the loop is");
        }
    }
}
