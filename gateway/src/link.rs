//! The line to the cloud: is it there? One small machine with hysteresis.
//!
//! ```text
//!          one miss, or a call that got no answer        three misses, or the connection gone
//!   Up ------------------------------------> Suspect ------------------------------------> Down
//!    ^  \______ connection gone ______________________________________________________^    |
//!    |                                                                                        | registered again
//!    +--- five answers and 30 s (doubled up to 600 s if it keeps failing) --- Probation <-----+
//! ```
//!
//! Calls do not wait for it: in every mode but `Down` an outside call is tried, and a call without any answer in
//! [`FIRST_ANSWER`] fails over by itself.

use core::time::Duration;
use sip::Instant;

/// An outside call without any provisional answer after this time is routed otherwise.
pub const FIRST_ANSWER: Duration = Duration::from_millis(1_500);
/// Time between keep-alives, and how long one may stay unanswered.
pub const PING: Duration = Duration::from_secs(3);
/// Missed keep-alives that mean the line is gone.
const MISSES: u8 = 3;
/// Answered keep-alives that mean it is back for good.
const STEADY: u8 = 5;
const PROBATION_MIN: Duration = Duration::from_secs(30);
const PROBATION_MAX: Duration = Duration::from_secs(600);
/// How long the line must be down before calls over it are given up.
pub const HOLD_OUT: Duration = Duration::from_secs(6);

/// What the line is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It works.
    Up,
    /// One thing went unanswered.
    Suspect,
    /// It is gone.
    Down,
    /// It came back a short while ago.
    Probation,
}

/// What the lights of the box show of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lights {
    /// Green: calls with the outside go through the cloud.
    pub up: bool,
    /// Amber: the box goes by itself, or has only just ceased to.
    pub survival: bool,
    /// Red: an emergency call has no way out, and is told so.
    pub no_emergency: bool,
}

/// The state of the line.
#[derive(Debug)]
pub struct Link {
    mode: Mode,
    misses: u8,
    answers: u8,
    since: Instant,
    probation: Duration,
    changes: u32,
}

impl Link {
    /// A line that was never there yet.
    pub const fn new() -> Self {
        Self {
            mode: Mode::Down,
            misses: 0,
            answers: 0,
            since: Instant::ZERO,
            probation: PROBATION_MIN,
            changes: 0,
        }
    }

    /// What the line is taken for.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Since when.
    pub const fn since(&self) -> Instant {
        self.since
    }

    /// How often the mode changed since the start.
    pub const fn changes(&self) -> u32 {
        self.changes
    }

    /// What the lights show.
    pub fn lights(&self) -> Lights {
        let up = matches!(self.mode, Mode::Up | Mode::Suspect);
        Lights {
            up,
            survival: !up,
            no_emergency: !self.is_tried(),
        }
    }

    /// Are outside calls tried at all?
    pub fn is_tried(&self) -> bool {
        self.mode != Mode::Down
    }

    fn enter(&mut self, now: Instant, mode: Mode) {
        if self.mode != mode {
            if mode == Mode::Down && self.mode == Mode::Probation {
                self.probation = (self.probation * 2).min(PROBATION_MAX);
            }
            if mode == Mode::Up && self.mode == Mode::Probation {
                self.probation = PROBATION_MIN;
            }
            self.mode = mode;
            self.since = now;
            self.changes = self.changes.saturating_add(1);
        }
        self.misses = 0;
        self.answers = 0;
    }

    /// The trunk is connected and registered.
    pub fn registered(&mut self, now: Instant) {
        if self.mode == Mode::Down {
            self.enter(now, Mode::Probation);
        } else {
            self.answered(now);
        }
    }

    /// The cloud answered something.
    pub fn answered(&mut self, now: Instant) {
        self.misses = 0;
        match self.mode {
            Mode::Suspect => self.enter(now, Mode::Up),
            Mode::Probation => {
                self.answers = self.answers.saturating_add(1);
                if self.answers >= STEADY && now - self.since >= self.probation {
                    self.enter(now, Mode::Up);
                }
            }
            // Down is left by registering only: an answer to something old proves no way for calls.
            Mode::Up | Mode::Down => {}
        }
    }

    /// A keep-alive or a call went unanswered.
    pub fn missed(&mut self, now: Instant) {
        let misses = self.misses.saturating_add(1);
        match self.mode {
            _ if misses >= MISSES => self.enter(now, Mode::Down),
            Mode::Up => self.enter(now, Mode::Suspect),
            _ => {}
        }
        self.misses = misses;
        self.answers = 0;
    }

    /// The connection, or the network under it, is gone.
    pub fn lost(&mut self, now: Instant) {
        self.enter(now, Mode::Down);
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    enum In {
        Registered,
        Answered,
        Missed,
        Lost,
    }
    use In::*;
    use Mode::*;

    /// (time in seconds, in, mode after it)
    fn run(table: &[(u64, In, Mode)]) {
        let mut link = Link::new();
        for (row, (seconds, input, mode)) in table.iter().enumerate() {
            match input {
                Registered => link.registered(at(*seconds)),
                Answered => link.answered(at(*seconds)),
                Missed => link.missed(at(*seconds)),
                Lost => link.lost(at(*seconds)),
            }
            assert_eq!(link.mode(), *mode, "row {row}");
        }
    }

    #[test]
    fn lights() {
        let mut link = Link::new();
        let of = |link: &Link| {
            let Lights {
                up,
                survival,
                no_emergency,
            } = link.lights();
            (up, survival, no_emergency)
        };
        assert_eq!(of(&link), (false, true, true), "switched on");
        link.registered(at(0));
        assert_eq!(of(&link), (false, true, false), "{:?}", link.mode());
        (1..=10).for_each(|n| link.answered(at(n * 10)));
        assert_eq!(of(&link), (true, false, false), "{:?}", link.mode());
        link.missed(at(110));
        assert_eq!(of(&link), (true, false, false), "{:?}", link.mode());
        link.lost(at(111));
        assert_eq!(of(&link), (false, true, true), "{:?}", link.mode());
    }

    #[test]
    fn comes_up_by_probation() {
        run(&[
            (0, Answered, Down),
            (1, Registered, Probation),
            (4, Answered, Probation),
            (7, Answered, Probation),
            (10, Answered, Probation),
            (13, Answered, Probation),
            (16, Answered, Probation),
            (31, Answered, Up),
        ]);
    }

    #[test]
    fn three_misses_are_down_one_is_suspect() {
        run(&[
            (0, Registered, Probation),
            (10, Answered, Probation),
            (20, Answered, Probation),
            (30, Answered, Probation),
            (40, Answered, Probation),
            (50, Answered, Up),
            (53, Missed, Suspect),
            (56, Answered, Up),
            (59, Missed, Suspect),
            (62, Missed, Suspect),
            (65, Missed, Down),
            (66, Answered, Down),
            (70, Registered, Probation),
        ]);
    }

    #[test]
    fn flapping_doubles_the_probation() {
        let mut link = Link::new();
        for flap in 0..3 {
            link.registered(at(flap * 10));
            link.lost(at(flap * 10 + 5));
        }
        link.registered(at(100));
        for second in (110..=320).step_by(10) {
            link.answered(at(second));
            assert_eq!(link.mode(), Probation, "{second} s: three flaps make it 240 s");
        }
        link.answered(at(340));
        assert_eq!(link.mode(), Up);
        assert_eq!(link.changes(), 8);
        run(&[(0, Registered, Probation), (1, Lost, Down)]);
    }
}
