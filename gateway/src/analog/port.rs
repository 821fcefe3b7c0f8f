//! One port: a telephone on a line, and what it does with calls.
//!
//! ```text
//! on hook ── lifted ──> dial tone, digits ──> calls ──> talks ──> busy tone, howler, silence
//!    └───── is called ─> rings ── lifted ───────────────┘  └── flash: on hold, dial tone
//! ```
//!
//! With a call on hold, a flash during anything but a talk returns to it, one during a talk changes between the two; hanging up
//! connects the two others, also while the second one still rings; the number of a slot parks the one on hold (R29); and who is left
//! alone on hold rings the telephone again.

mod sound;

use core::net::SocketAddr;
use core::time::Duration;

use heapless::String;
use media::chain::{self, Command};
use media::tone::Tone;
use shared::analog::{LineFault, LineTestResult, Port as Setting};
use shared::dial::{Dialled, ParkSlot, Progress};
use shared::id::IdKey;
use sip::{Instant, Message};

use super::agent::{self, Agent, Own, Slot};
use super::line::{self, Line, Sense, Signal};
use sound::Sound;

/// How long the dial tone waits for the first digit.
const FIRST_DIGIT: Duration = Duration::from_secs(20);
/// How long the next digit is waited for, of what could be called already and of what could not.
const NEXT_DIGIT: Duration = Duration::from_secs(4);
const MORE_DIGITS: Duration = Duration::from_secs(10);
/// Busy tone, then the howler for who does not hang up, then silence.
const BUSY: Duration = Duration::from_secs(30);
const HOWLER: Duration = Duration::from_secs(60);
/// How long the telephone rings for a call that was left on hold.
const RECALL: Duration = Duration::from_secs(60);
/// Most digits that are collected.
pub const DIGITS_MAX: usize = 32;

/// What a port does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing; the handset is down.
    #[default]
    Idle,
    /// It rings for a call.
    Rings,
    /// It rings for the call on hold, until then.
    Recalls(Instant),
    /// Dial tone or digits, until then.
    Dials(Instant),
    /// Whom it calls has not answered; that telephone rings.
    Calls { rings: bool },
    /// It talks.
    Talks,
    /// Nobody is there any more: a tone until then.
    Over(Tone, Instant),
    /// It hears nothing until it hangs up.
    Silent,
}

/// What [`Port::poll`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// For the line's circuit.
    Signal(Signal),
    /// Where the sound of the next connection goes.
    Peer(SocketAddr),
    /// For the line's audio chain.
    Audio(Command),
    /// A message of so many bytes to the box.
    Message(usize),
    /// Digits were dialled: [`Port::judged`] is to be told what they mean.
    Dialled,
    /// The test of the line has ended.
    Tested(LineTestResult),
    /// A fault has come, or is gone.
    Fault(LineFault, bool),
}

/// One port.
#[derive(Clone, Debug)]
pub struct Port {
    line: Line,
    agent: Agent,
    /// Whose telephone is plugged in, if the configuration says so.
    id: Option<(IdKey, Setting)>,
    state: State,
    /// The call at the handset, and the one on hold.
    active: Option<Slot>,
    held: Option<Slot>,
    digits: String<DIGITS_MAX>,
    is_dialled: bool,
    /// 110, 118 and 119 are not put on hold.
    emergency: bool,
    /// The caller's number is to be sent, and being sent.
    number: (bool, bool),
    /// As the chain was told to be.
    told: Sound,
    peer: Option<SocketAddr>,
    random: u64,
    /// The name of the stream that is sent (RFC 3550 §3).
    ssrc: u32,
}

impl Default for Port {
    fn default() -> Self {
        Self::new()
    }
}

impl Port {
    /// A port that belongs to nobody. For a static.
    pub const fn new() -> Self {
        Self {
            line: Line::new(),
            agent: Agent::new(),
            id: None,
            state: State::Idle,
            active: None,
            held: None,
            digits: String::new(),
            is_dialled: false,
            emergency: false,
            number: (false, false),
            told: Sound::Stop,
            peer: None,
            random: 0,
            ssrc: 0,
        }
    }

    /// Begins anew, with fresh randomness.
    pub fn restart(&mut self, random: u64) {
        *self = Self {
            random,
            ..Self::new()
        };
    }

    /// Whose telephone is plugged in.
    pub fn key(&self) -> Option<IdKey> {
        self.id.map(|(key, _)| key)
    }

    /// The configuration says whose telephone is plugged in. A call of somebody else's ends.
    pub fn configure(&mut self, now: Instant, id: Option<(IdKey, Setting)>) {
        if self.key() != id.map(|(key, _)| key) {
            self.drop_calls(now);
        }
        self.id = id;
    }

    /// Can it be called?
    pub fn is_in_service(&self) -> bool {
        self.id.is_some() && !self.line.has(LineFault::Codec)
    }

    /// Does it do nothing, and no call of it says good-bye?
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle && self.agent.is_idle()
    }

    /// What was dialled.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    fn random(&mut self) -> u64 {
        // Knuth's MMIX; names that must differ, not be secret.
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random ^ self.random >> 29
    }

    /// Takes what the line's circuit tells.
    pub fn sense(&mut self, at: Instant, sense: Sense) {
        self.line.handle(at, sense);
    }

    /// Takes what the chain tells.
    pub fn heard(&mut self, now: Instant, event: chain::Event) {
        match event {
            chain::Event::Digit(digit) => self.digit(now, digit.name()),
            chain::Event::CallerIdSent => {
                self.number = (false, false);
                self.line.sent(now);
            }
            chain::Event::Modem => {}
        }
    }

    /// Takes a message of the box; a request is answered in `out`: the answer's length.
    pub fn receive(
        &mut self,
        now: Instant,
        own: &Own<'_>,
        message: &Message<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        let random = self.random();
        let (answer, event) = self.agent.receive(now, own, message, random, out);
        if let Some(event) = event {
            self.called(now, event);
        }
        answer
    }

    /// Tests the line, and counts its bells or not. False: it is in use.
    pub fn test(&mut self, now: Instant, bells: bool) -> bool {
        self.state == State::Idle && self.line.test(now, bells)
    }

    /// What the digits mean that were dialled.
    pub fn judged(&mut self, now: Instant, progress: Progress) {
        if !matches!(self.state, State::Dials(_)) {
            return;
        }
        match progress {
            Progress::Incomplete { already } => {
                let wait = if already.is_some() {
                    NEXT_DIGIT
                } else {
                    MORE_DIGITS
                };
                self.state = State::Dials(now + wait);
            }
            Progress::Complete(Dialled::Park(slot)) if self.held.is_some() => self.park(now, slot),
            Progress::Complete(meaning) => {
                self.emergency = matches!(meaning, Dialled::Emergency(_));
                self.place(now);
            }
            // The box says why, with a tone or with words.
            Progress::Invalid(_) => self.place(now),
        }
    }

    /// Calls what was dialled.
    fn place(&mut self, now: Instant) {
        let random = self.random();
        self.active = self.agent.call(self.digits.trim_end_matches('#'), random);
        match self.active {
            Some(_) => {
                self.state = State::Calls { rings: false };
                self.new_stream();
            }
            None => self.over(now, Tone::Congestion),
        }
    }

    /// The call on hold is parked. It stays on hold until that is done.
    fn park(&mut self, now: Instant, slot: ParkSlot) {
        match self.held.is_some_and(|held| self.agent.park(held, slot)) {
            true => self.state = State::Calls { rings: false },
            false => self.over(now, Tone::Congestion),
        }
    }

    fn new_stream(&mut self) {
        self.ssrc = self.random() as u32;
    }

    fn dial(&mut self, now: Instant) {
        self.digits.clear();
        self.emergency = false;
        self.state = match self.id {
            Some(_) => State::Dials(now + FIRST_DIGIT),
            None => State::Silent,
        };
    }

    fn digit(&mut self, now: Instant, digit: u8) {
        if let State::Dials(_) = self.state {
            // What is longer than any number is judged as it is.
            let _ = self.digits.push(digit.into());
            self.state = State::Dials(now + MORE_DIGITS);
            self.is_dialled = true;
        }
    }

    /// Nobody is there any more.
    fn over(&mut self, now: Instant, tone: Tone) {
        self.line.reverse(false);
        self.state = State::Over(tone, now + BUSY);
    }

    /// On hook, and nothing to ring for.
    fn rest(&mut self) {
        self.number = (false, false);
        self.state = match self.line.is_off_hook() {
            true => State::Silent,
            false => State::Idle,
        };
    }

    fn drop_calls(&mut self, now: Instant) {
        for slot in [self.active.take(), self.held.take()].into_iter().flatten() {
            self.agent.hang_up(now, slot);
        }
        self.line.stop();
        self.rest();
    }

    /// Something was done at the telephone.
    fn did(&mut self, now: Instant, event: line::Event) {
        match event {
            line::Event::OffHook if self.state == State::Idle => self.dial(now),
            line::Event::OffHook => {}
            line::Event::Answered => self.answered(now),
            line::Event::Digit(digit) => self.digit(now, digit),
            line::Event::Flash => self.flash(now),
            line::Event::OnHook => self.hung_up(now),
            line::Event::WaitsForNumber => self.number = (true, true),
            line::Event::Fault(..) => {}
        }
    }

    fn answered(&mut self, now: Instant) {
        self.number = (false, false);
        match (self.state, self.active, self.held) {
            (State::Rings, Some(slot), _) => {
                self.agent.answer(slot);
                self.new_stream();
                self.state = State::Talks;
            }
            (State::Recalls(_), _, Some(_)) => self.take_back(),
            _ => self.over(now, Tone::Busy),
        }
    }

    /// The call on hold comes back to the handset.
    fn take_back(&mut self) {
        if let Some(slot) = self.held.take() {
            self.agent.hold(slot, false);
            self.active = Some(slot);
            self.new_stream();
            self.state = State::Talks;
        }
    }

    fn flash(&mut self, now: Instant) {
        match self.state {
            _ if self.emergency && self.active.is_some() => {}
            State::Talks => {
                let Some(slot) = self.active.take_if(|slot| self.agent.is_up(*slot)) else {
                    return;
                };
                self.agent.hold(slot, true);
                match self.held.is_some() {
                    true => self.take_back(),
                    false => {
                        self.line.reverse(false);
                        self.dial(now);
                    }
                }
                self.held = Some(slot);
            }
            State::Dials(_) | State::Over(..) | State::Silent | State::Calls { .. }
                if self.held.is_some() =>
            {
                if let Some(slot) = self.active.take() {
                    self.agent.hang_up(now, slot);
                }
                self.take_back();
            }
            State::Dials(_) | State::Over(..) => self.dial(now),
            State::Calls { .. } | State::Silent | State::Idle | State::Rings | State::Recalls(_) => {}
        }
    }

    fn hung_up(&mut self, now: Instant) {
        self.line.reverse(false);
        match self.state {
            // What it rings for is not at the handset yet.
            State::Idle | State::Rings | State::Recalls(_) => return,
            State::Dials(_) | State::Calls { .. } | State::Talks | State::Over(..) | State::Silent => {}
        }
        // Nobody is connected to 110, 118 or 119 but by calling there.
        let emergency = core::mem::take(&mut self.emergency);
        if let (Some(active), Some(held), false) = (self.active, self.held, emergency)
            && self.agent.transfer(now, held, active)
        {
            (self.active, self.held) = (None, None);
        }
        if let Some(slot) = self.active.take() {
            self.agent.hang_up(now, slot);
        }
        self.state = State::Idle;
        self.held.take_if(|held| self.agent.leave_parking(now, *held));
        self.recall(now);
    }

    /// Rings for the call on hold, if there is one.
    fn recall(&mut self, now: Instant) {
        if self.held.is_some() {
            self.state = State::Recalls(now + RECALL);
            self.line.begin(now, false);
        }
    }

    /// Something happened to a call.
    fn called(&mut self, now: Instant, event: agent::Event) {
        match event {
            agent::Event::Invited(slot) => self.invited(now, slot),
            agent::Event::Progress(slot, 180) if self.active == Some(slot) => {
                self.state = State::Calls { rings: true };
            }
            agent::Event::Answered(slot) if self.active == Some(slot) => {
                self.line.reverse(true);
                self.state = State::Talks;
            }
            agent::Event::Failed(slot, status) if self.active == Some(slot) => {
                self.active = None;
                self.over(
                    now,
                    if matches!(status, 486 | 600 | 603) {
                        Tone::Busy
                    } else {
                        Tone::Congestion
                    },
                );
            }
            agent::Event::Gone(slot) => self.gone(now, slot),
            agent::Event::Transferred(slot) => {
                let mut own = [&mut self.held, &mut self.active];
                let own = own.iter_mut().find(|own| ***own == Some(slot));
                if own.and_then(|own| own.take()).is_some() {
                    self.over(now, Tone::Acceptance);
                }
            }
            agent::Event::NotTransferred(slot) if self.held == Some(slot) => self.over(now, Tone::Busy),
            // It was taken back meanwhile.
            agent::Event::NotTransferred(slot) if self.active == Some(slot) => {}
            agent::Event::NotTransferred(slot) => {
                if self.state == State::Idle && !self.line.is_off_hook() {
                    self.held = Some(slot);
                    self.recall(now);
                } else {
                    self.agent.hang_up(now, slot);
                }
            }
            agent::Event::Progress(..)
            | agent::Event::Answered(_)
            | agent::Event::Failed(..)
            | agent::Event::Changed(_) => {}
        }
    }

    fn invited(&mut self, now: Instant, slot: Slot) {
        match self.id {
            Some((_, setting)) if self.is_in_service() => {
                if self.state != State::Idle || self.line.is_off_hook() {
                    return self.agent.refuse(slot, 486);
                }
                self.agent.ring(slot);
                self.active = Some(slot);
                self.state = State::Rings;
                self.line.begin(now, setting.number_display);
            }
            _ => self.agent.refuse(slot, 480),
        }
    }

    fn gone(&mut self, now: Instant, slot: Slot) {
        if self.held == Some(slot) {
            self.held = None;
            if let State::Recalls(_) = self.state {
                self.line.stop();
                self.rest();
            }
        }
        if self.active != Some(slot) {
            return;
        }
        self.active = None;
        match self.state {
            State::Rings => {
                self.line.stop();
                self.rest();
            }
            State::Talks => {
                self.line.disconnect(now);
                self.over(now, Tone::Busy);
            }
            _ => self.over(now, Tone::Busy),
        }
    }

    /// What is to be done next; call until nothing is left. A message is written to `out`.
    pub fn poll(&mut self, now: Instant, own: &Own<'_>, out: &mut [u8]) -> Option<Output> {
        loop {
            match self.line.poll(now) {
                Some(line::Output::Signal(signal)) => return Some(Output::Signal(signal)),
                Some(line::Output::Tested(result)) => {
                    return Some(Output::Tested(result));
                }
                Some(line::Output::Event(line::Event::Fault(fault, is_there))) => {
                    return Some(Output::Fault(fault, is_there));
                }
                Some(line::Output::Event(event)) => {
                    self.did(now, event);
                    continue;
                }
                None => {}
            }
            if core::mem::take(&mut self.is_dialled) {
                return Some(Output::Dialled);
            }
            if self.tick(now) {
                continue;
            }
            if let Some(sound) = self.sound() {
                return Some(sound);
            }
            return self.agent.poll(now, own, out).map(Output::Message);
        }
    }

    /// Does what the time brings. False: nothing.
    fn tick(&mut self, now: Instant) -> bool {
        match self.state {
            State::Dials(until) if now >= until => match self.digits.is_empty() {
                true => self.over(now, Tone::Busy),
                false => self.place(now),
            },
            State::Over(Tone::Howler, until) if now >= until => self.state = State::Silent,
            State::Over(_, until) if now >= until => self.state = State::Over(Tone::Howler, now + HOWLER),
            State::Recalls(until) if now >= until => {
                if let Some(slot) = self.held.take() {
                    self.agent.hang_up(now, slot);
                }
                self.line.stop();
                self.rest();
            }
            _ => return false,
        }
        true
    }

    /// When to poll again.
    pub fn next_deadline(&self) -> Instant {
        let state = match self.state {
            State::Dials(until) | State::Over(_, until) | State::Recalls(until) => until,
            State::Idle | State::Rings | State::Calls { .. } | State::Talks | State::Silent => Instant::NEVER,
        };
        state
            .min(self.line.next_deadline())
            .min(self.agent.next_deadline())
    }
}
