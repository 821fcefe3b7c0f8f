//! A telephone on an analog line of the box: what somebody does with it, and what the box does to it.

use std::collections::VecDeque;

use gateway::{LineEvent, LineOrder, Sense, Signal};
use media::chain::{Command, Event};
use media::dtmf::Digit;
use sip::Instant;

use crate::network::Millis;
use crate::rng::Rng;

/// Somebody at the telephone lifts the handset and dials.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Digits.
    pub digits: String,
    /// With the dial, not with buttons.
    pub by_dial: bool,
    /// Digits that are dialled after a flash, some time later.
    pub consults: Option<(Millis, String)>,
    /// When the handset is put down, after it was lifted.
    pub stays: Millis,
}

/// What happens next at the telephone.
#[derive(Clone, Debug)]
enum Next {
    /// The contact of the hook or the dial.
    Loop(bool),
    Button(u8),
    /// The box has sent the caller's number.
    NumberSent,
    /// It has the caller's number, or waits no more for it.
    Received,
    /// Lifted, to answer or to call; for as long.
    Lift(Millis),
    PutDown,
}

/// A telephone.
pub struct Telephone {
    rng: Rng,
    /// It receives the caller's number before it rings.
    display: bool,
    /// How long it rings until somebody lifts it, most of the time.
    answers: Millis,
    visits: VecDeque<(Millis, Visit)>,
    plan: Vec<(Millis, Next)>,
    lifted: bool,
    since: Millis,
    /// In this call it has lifted itself to receive the number; until it has it.
    asked: bool,
    receives: bool,
    rings: bool,
    reversed: bool,
    fed: bool,
    hears: Command,
    /// What the box did that it must not do.
    pub problems: Vec<String>,
    /// How often it was answered, and how often somebody was heard.
    pub answered: usize,
    /// Connections to somebody.
    pub heard: usize,
}

impl Telephone {
    /// A telephone on hook; `answers`: somebody lifts it after ringing so long.
    pub fn new(display: bool, answers: Millis, rng: Rng) -> Self {
        Telephone {
            rng,
            display,
            answers,
            visits: VecDeque::new(),
            plan: Vec::new(),
            lifted: false,
            since: 0,
            asked: false,
            receives: false,
            rings: false,
            reversed: false,
            fed: false,
            hears: Command::Stop,
            problems: Vec::new(),
            answered: 0,
            heard: 0,
        }
    }

    /// Plans a visit; visits come in order.
    pub fn visit(&mut self, at: Millis, visit: Visit) {
        self.visits.push_back((at, visit));
    }

    /// Does it receive the caller's number?
    pub fn display(&self) -> bool {
        self.display
    }

    /// The box has lost its power: the line is dead, the handset is where it is.
    pub fn power_off(&mut self) {
        (self.rings, self.reversed, self.fed) = (false, false, false);
        self.hears = Command::Stop;
    }

    /// The handset is lifted.
    pub fn is_lifted(&self) -> bool {
        self.lifted
    }

    /// Nobody uses it, and the box leaves it alone.
    pub fn is_at_rest(&self) -> bool {
        !self.lifted && !self.rings && !self.reversed && self.fed && self.hears == Command::Stop
    }

    fn then(&mut self, at: Millis, next: Next) {
        self.plan.push((at, next));
        // In order; what was planned first comes first.
        self.plan.sort_by_key(|(at, _)| *at);
    }

    /// The contact bounces when it closes and opens.
    fn bounce(&mut self, at: Millis, closed: bool) {
        for ms in 0..self.rng.range(0, 2) {
            self.then(at + 2 * ms, Next::Loop(closed));
            self.then(at + 2 * ms + 1, Next::Loop(!closed));
        }
        self.then(at + 5, Next::Loop(closed));
    }

    /// Digits, and when the last one is dialled.
    fn dial(&mut self, mut at: Millis, digits: &str, by_dial: bool) -> Millis {
        for digit in digits.bytes() {
            at += if by_dial { 700 } else { 150 };
            if !by_dial || !digit.is_ascii_digit() {
                self.then(at, Next::Button(digit));
                continue;
            }
            for _ in 0..if digit == b'0' { 10 } else { digit - b'0' } {
                self.then(at, Next::Loop(false));
                self.then(at + 65, Next::Loop(true));
                at += 100;
            }
        }
        at
    }

    /// The box does something to the line.
    pub fn obey(&mut self, now: Millis, order: LineOrder) {
        match order {
            LineOrder::Circuit(Signal::Ring(on)) => {
                // The box sees it a moment later.
                if on && self.lifted && now > self.since + 150 {
                    self.problems.push(format!("{now}: rung while it is lifted"));
                }
                self.rings = on;
                if on && !self.lifted && !self.plan.iter().any(|(_, next)| matches!(next, Next::Lift(_))) {
                    self.rung(now);
                }
            }
            LineOrder::Circuit(Signal::Reverse(reversed)) => {
                self.reversed = reversed;
                self.asked &= reversed;
            }
            LineOrder::Circuit(Signal::Feed(fed)) => {
                self.fed = fed;
                // Without feed no current flows, and with it again.
                if self.lifted {
                    self.then(now + 2, Next::Loop(fed));
                }
            }
            LineOrder::Circuit(Signal::Measure { .. } | Signal::Release) => {}
            LineOrder::Audio(Command::CallerId(_)) => self.then(now + 450, Next::NumberSent),
            LineOrder::Audio(command) => {
                if matches!(command, Command::Connect(_)) && !matches!(self.hears, Command::Connect(_)) {
                    self.heard += 1;
                }
                self.hears = command;
            }
            LineOrder::Peer(_) => {}
        }
    }

    fn rung(&mut self, now: Millis) {
        if self.display && !self.asked {
            // It takes the call for its number by itself.
            (self.asked, self.receives, self.lifted, self.since) = (true, true, true, now + 300);
            self.bounce(now + 300, true);
            self.then(now + 7_000, Next::Received);
            return;
        }
        let after = self.rng.range(self.answers / 2, self.answers);
        let talks = self.rng.range(300, 40_000);
        self.then(now + after, Next::Lift(talks));
    }

    /// What is due at `now`.
    pub fn poll(&mut self, now: Millis) -> Option<LineEvent> {
        loop {
            if let Some((at, _)) = self.visits.front()
                && *at <= now
                && let Some((_, visit)) = self.visits.pop_front()
                && !self.lifted
                && self.plan.is_empty()
            {
                self.then(now, Next::Lift(visit.stays));
                let by_dial = visit.by_dial;
                let end = self.dial(now + 600, &visit.digits, by_dial);
                if let Some((after, digits)) = visit.consults
                    && end + after + 4_000 < now + visit.stays
                {
                    self.then(end + after, Next::Loop(false));
                    self.then(end + after + 400, Next::Loop(true));
                    self.dial(end + after + 900, &digits, by_dial);
                }
                continue;
            }
            let due = self.plan.first().is_some_and(|(at, _)| *at <= now);
            if !due {
                return None;
            }
            let (at, next) = self.plan.remove(0);
            let audio = |event| Some(LineEvent::Audio(event));
            match next {
                Next::Loop(closed) => {
                    let sense = Sense::Loop { closed };
                    return Some(LineEvent::Circuit {
                        at: Instant(at),
                        sense,
                    });
                }
                Next::Button(digit) if self.hears != Command::Stop => {
                    return Digit::from_name(digit).and_then(|digit| audio(Event::Digit(digit)));
                }
                Next::Button(_) => {}
                Next::NumberSent => {
                    self.then(now + 80, Next::Received);
                    return audio(Event::CallerIdSent);
                }
                Next::Received => {
                    if std::mem::take(&mut self.receives) {
                        self.lifted = false;
                        self.bounce(now, false);
                    }
                }
                Next::Lift(_) if self.lifted => {}
                Next::Lift(stays) => {
                    self.answered += usize::from(self.rings || self.reversed);
                    (self.lifted, self.since) = (true, now);
                    self.bounce(now, true);
                    self.then(now + stays.max(1_000), Next::PutDown);
                }
                Next::PutDown => {
                    self.lifted = false;
                    // Whatever was still to be done at the handset is not.
                    self.plan.clear();
                    self.bounce(now, false);
                }
            }
        }
    }

    /// When it wants to be polled.
    pub fn next_deadline(&self) -> Millis {
        let visit = self.visits.front().map_or(Millis::MAX, |(at, _)| *at);
        self.plan.first().map_or(Millis::MAX, |(at, _)| *at).min(visit)
    }
}
