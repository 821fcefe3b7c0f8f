//! One line: its wires, its bell and the switch hook at its end.
//!
//! Edges and measurements come in, orders for the line's circuit and what somebody did at the telephone go out. It knows
//! nothing of calls.

use core::time::Duration;

use shared::analog::{LineFault, LineTest, LineTestResult};
use sip::Instant;

use super::bell::{Bell, Wants};
use super::hook::{Did, FLASH_MAX, Hook, RECEIVED};
use super::line_test::{self, LineTester};

/// How long the feed is taken away to say that the other side is gone: telephone exchanges take 350 to 800 ms.
const OPEN_LOOP: Duration = Duration::from_millis(500);
/// From feed to a loop that says the truth.
const FED: Duration = Duration::from_millis(100);

/// What the circuit of a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// The loop has closed, or opened; bounces and all.
    Loop {
        /// It is closed now.
        closed: bool,
    },
    /// What [`Signal::Measure`] asked for.
    Measured(Result<Measured, NotMeasured>),
    /// A fault has come, or is gone.
    Fault {
        /// Which.
        fault: LineFault,
        /// It has come.
        is_there: bool,
    },
}

/// What is on a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Tip against ground, millivolts.
    pub tip_mv: i32,
    /// Ring against ground, millivolts.
    pub ring_mv: i32,
    /// What alternates on the wire that has more of it, against ground, millivolts root mean square.
    pub ac_mv: u32,
    /// Mean current in the loop over [`line_test::WINDOW`], microamperes.
    pub loop_ua: i32,
}

/// Why there is no measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMeasured {
    /// The converter does not answer.
    Silent,
    /// The polarity was reversed too late for the charge that flows then to be measured whole.
    Late,
}

/// An order for the circuit of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ringing voltage of 16 Hz on the line, or none.
    Ring(bool),
    /// Polarity reversed (ring positive), or as usual.
    Reverse(bool),
    /// The line is fed, or dead.
    Feed(bool),
    /// Measure, and answer with [`Sense::Measured`].
    Measure {
        /// Reverse the polarity at the moment at which the measurement begins, and take that back at its end, however it ends.
        reverse: bool,
    },
    /// Measure no more: no answer is waited for.
    Release,
}

/// What happened at the telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handset was lifted to call somebody.
    OffHook,
    /// The handset was lifted while it rang.
    Answered,
    /// A digit was dialled with pulses.
    Digit(u8),
    /// The hook was pressed for a moment.
    Flash,
    /// It hung up.
    OnHook,
    /// It waits for the caller's number; [`Line::sent`] says that it has it.
    WaitsForNumber,
    /// A fault has come, or is gone.
    Fault(LineFault, bool),
}

/// What [`Line::poll`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For the circuit.
    Signal(Signal),
    /// For the port.
    Event(Event),
    /// The test of the line has ended.
    Tested(LineTestResult),
}

/// What is on the wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wires {
    ring: bool,
    reversed: bool,
    feed: bool,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    hook: Hook,
    bell: Bell,
    /// As they are to be, and as the circuit was told.
    wires: Wires,
    told: Wires,
    /// The feed comes back.
    fed_at: Instant,
    test: Option<LineTester>,
    /// The circuit is to measure no more.
    release: bool,
    tested: Option<LineTestResult>,
    faults: [bool; 2],
    /// What is to be told, once the circuit has its orders.
    events: heapless::Deque<Event, 4>,
}

const FAULTS: [LineFault; 2] = [LineFault::BrownOut, LineFault::Codec];

impl Line {
    /// A line on hook, as the circuit is when power comes.
    pub const fn new() -> Self {
        let wires = Wires {
            ring: false,
            reversed: false,
            feed: true,
        };
        Self {
            hook: Hook::new(),
            bell: Bell::Silent,
            wires,
            // The first order of a start: whatever the circuit was told before.
            told: Wires { feed: false, ..wires },
            fed_at: Instant::NEVER,
            test: None,
            release: false,
            tested: None,
            faults: [false; 2],
            events: heapless::Deque::new(),
        }
    }

    /// Is the handset lifted?
    pub const fn is_off_hook(&self) -> bool {
        self.hook.is_off()
    }

    /// Is this fault there?
    pub fn has(&self, fault: LineFault) -> bool {
        FAULTS
            .iter()
            .zip(self.faults)
            .any(|(other, there)| *other == fault && there)
    }

    /// Takes what the circuit tells, and when it was so.
    pub fn handle(&mut self, at: Instant, sense: Sense) {
        // What was done before.
        while let Some(did) = self.hook.poll(at) {
            self.did(at, did);
        }
        match sense {
            Sense::Loop { closed } => self.hook.edge(at, closed),
            Sense::Measured(measured) => {
                if let Some(test) = &mut self.test {
                    test.measured(at, measured);
                }
            }
            Sense::Fault { fault, is_there } => self.fault(fault, is_there),
        }
    }

    fn fault(&mut self, fault: LineFault, is_there: bool) {
        let known = FAULTS
            .iter()
            .zip(&mut self.faults)
            .find(|(other, _)| **other == fault);
        if let Some((_, known)) = known
            && core::mem::replace(known, is_there) != is_there
        {
            self.tell(Event::Fault(fault, is_there));
        }
    }

    /// Takes the feed away until then.
    fn open(&mut self, until: Instant) {
        self.wires.feed = false;
        self.fed_at = until;
        self.hook.deafen(Instant::NEVER);
    }

    fn feed(&mut self, now: Instant) {
        if !core::mem::replace(&mut self.wires.feed, true) {
            self.hook.deafen(now + FED);
        }
    }

    /// Rings, after the caller's number if there is one to be sent.
    pub fn begin(&mut self, now: Instant, number: bool) {
        self.end_test(now, LineTestResult::InUse);
        self.bell = Bell::begin(now, number);
        self.wires.reversed = true;
        self.expect();
    }

    /// Rings no more: nobody is to answer.
    pub fn stop(&mut self) {
        self.bell = Bell::Silent;
        self.wires.ring = false;
        self.wires.reversed = false;
        self.expect();
    }

    /// The caller's number was sent.
    pub fn sent(&mut self, now: Instant) {
        self.bell.sent(now);
    }

    /// Reverses the polarity, or takes that back: whom this telephone has called answers, or is gone.
    pub fn reverse(&mut self, reversed: bool) {
        self.wires.reversed = reversed;
    }

    /// Opens the loop for a moment: the other side is gone.
    pub fn disconnect(&mut self, now: Instant) {
        self.wires.reversed = false;
        if self.wires.feed {
            self.open(now + OPEN_LOOP);
        }
    }

    /// Begins a test, with its bells counted or not: that makes them tap. False: the line is in use.
    pub fn test(&mut self, now: Instant, bells: bool) -> bool {
        let idle = self.bell == Bell::Silent && !self.hook.is_off() && self.wires.feed && self.test.is_none();
        if idle {
            self.test = Some(LineTester::new(now, bells));
        }
        idle
    }

    fn end_test(&mut self, now: Instant, result: LineTestResult) {
        if let Some(test) = self.test.take() {
            self.release = test.is_measuring();
            self.feed(now);
            if let LineTestResult::Measured(LineTest { load: Some(load), .. }) = &result {
                self.fault(LineFault::BrownOut, load.is_underfed());
            }
            self.tested = Some(result);
        }
    }

    /// What a break of the loop means now.
    fn expect(&mut self) {
        let received = self.bell.is_for_number();
        self.hook.set_clears(if received { RECEIVED } else { FLASH_MAX });
    }

    /// What is to be done, or has happened; call until nothing is left.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        loop {
            if let Some(signal) = self.signal() {
                return Some(Output::Signal(signal));
            }
            if let Some(result) = self.tested.take() {
                return Some(Output::Tested(result));
            }
            if let Some(event) = self.events.pop_front() {
                return Some(Output::Event(event));
            }
            if now >= self.fed_at && self.fed_at != Instant::NEVER {
                self.fed_at = Instant::NEVER;
                self.feed(now);
                continue;
            }
            if let Some(did) = self.hook.poll(now) {
                self.did(now, did);
                continue;
            }
            if let Some(wants) = self.bell.poll(now) {
                self.wanted(wants);
                continue;
            }
            match self.test.as_mut()?.poll(now)? {
                line_test::Step::Feed(true) => self.feed(now),
                line_test::Step::Feed(false) => self.open(Instant::NEVER),
                line_test::Step::Measure { reverse } => {
                    return Some(Output::Signal(Signal::Measure { reverse }));
                }
                line_test::Step::Done(result) => self.end_test(now, result),
            }
        }
    }

    /// The next order that makes the wires what they are to be. Ringing ends before anything else changes, and begins last.
    fn signal(&mut self) -> Option<Signal> {
        if core::mem::take(&mut self.release) {
            return Some(Signal::Release);
        }
        let Self { wires, told, .. } = self;
        if told.ring && !wires.ring {
            told.ring = false;
            return Some(Signal::Ring(false));
        }
        if told.feed != wires.feed {
            told.feed = wires.feed;
            return Some(Signal::Feed(wires.feed));
        }
        if told.reversed != wires.reversed {
            told.reversed = wires.reversed;
            return Some(Signal::Reverse(wires.reversed));
        }
        if wires.ring && !told.ring {
            told.ring = true;
            return Some(Signal::Ring(true));
        }
        None
    }

    /// There is room: each poll tells what there is before it looks for more, and no moment brings more than three.
    fn tell(&mut self, event: Event) {
        let _ = self.events.push_back(event);
    }

    fn did(&mut self, now: Instant, did: Did) {
        if did == Did::OffHook {
            self.end_test(now, LineTestResult::InUse);
        }
        if self.bell != Bell::Silent {
            if let Some(wants) = self.bell.hook(now, did) {
                self.wanted(wants);
            }
            return self.expect();
        }
        self.tell(match did {
            Did::OffHook => Event::OffHook,
            Did::OnHook => Event::OnHook,
            Did::Flash => Event::Flash,
            Did::Pulses(10) => Event::Digit(b'0'),
            Did::Pulses(n @ 1..=9) => Event::Digit(b'0' + n),
            // No dial has so many holes.
            Did::Pulses(_) => return,
        });
    }

    fn wanted(&mut self, wants: Wants) {
        match wants {
            Wants::Ring(on) => {
                self.wires.ring = on;
                self.expect();
            }
            Wants::Number => self.tell(Event::WaitsForNumber),
            Wants::Answered => {
                self.stop();
                self.tell(Event::Answered);
            }
        }
    }

    /// When to poll again.
    pub fn next_deadline(&self) -> Instant {
        let test = self
            .test
            .as_ref()
            .map_or(Instant::NEVER, LineTester::next_deadline);
        self.hook
            .next_deadline()
            .min(self.bell.next_deadline())
            .min(self.fed_at)
            .min(test)
    }
}

#[cfg(test)]
mod tests;
