//! Phones that do anything a phone may do, in any order, over a network that delays and loses: whatever happens, every request is
//! answered, no session is forgotten, each side ends up with the description that is kept for it, and nothing is left.
//!
//! A failed story is printed. `DENWABAN_SEED` tells one again, `DENWABAN_RUNS` says how many are told.

mod clock;
mod phone;

use super::*;
use phone::{Mood, Phone, State};
use std::collections::HashSet;

suite! {
    whatever_happens_both_sides_agree
}

/// xorshift64: the same seed, the same story.
pub struct Dice(u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides.max(1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}

/// A message on its way, and where it goes: to a phone, or from it.
enum Way {
    To(Seen),
    From(Flow, String),
}

/// Somebody is going to take another one's place.
struct Move {
    /// The call that stays.
    call: Key,
    /// The one to the new side, and its leg as soon as it has answered.
    new: Key,
    leg: Option<Key>,
}

/// What has come to pass.
#[derive(Default)]
struct Tally {
    offers: u64,
    lost: u64,
    joined: u64,
    parted: u64,
}

struct Story {
    b: Bench,
    dice: Dice,
    phones: Vec<Phone>,
    way: Vec<(Instant, Way)>,
    moves: Vec<Move>,
    calls: HashSet<Key>,
    /// There is hardly any room: what is refused for want of it is nobody's fault.
    tight: bool,
    /// Humans take their time, so that others may give up meanwhile.
    slow: bool,
    /// They hang up and go elsewhere.
    restless: bool,
    /// What they answer may be new each time, so that one may decline what the other one has said already.
    fickle: bool,
    calm: bool,
    /// From here on nothing may be said any more without a reason.
    still: bool,
    tally: Tally,
    log: Vec<String>,
}

const NAMES: [(&str, Flow); 4] = [("alice", ALICE), ("bob", BOB), ("carol", CAROL), ("dave", DAVE)];

impl Story {
    fn new(kind: Kind, seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let (tight, slow, restless) = (dice.one_in(4), dice.one_in(2), dice.one_in(2));
        let fickle = dice.one_in(4);
        let room = match tight {
            true => (5 + dice.roll(6) as usize, 40 + dice.roll(24) as usize),
            false => (32, 200),
        };
        let mut b = Bench::with_blocks(kind, room.0, 4, 8, room.1);
        b.calls.config.probe = Duration::from_secs(20);
        let talking = b.talking();
        let mut phones = NAMES.map(|(name, flow)| Phone::new(name, flow, &mut dice));
        let leg = |side| b.calls.leg(talking.key, side).unwrap();
        phones[0].talks(leg(Side::Caller), Some(talking.alice), None, OFFER, ANSWER);
        phones[1].talks(leg(Side::Callee), None, Some(talking.bob), ANSWER, OFFER);
        Self {
            b,
            dice,
            phones: phones.into(),
            way: Vec::new(),
            moves: Vec::new(),
            calls: HashSet::from([talking.key]),
            tight,
            slow,
            restless,
            fickle,
            calm: false,
            still: false,
            tally: Tally::default(),
            log: Vec::new(),
        }
    }

    /// From the first word to the last.
    fn tell(&mut self) -> Result<(), String> {
        let rings = if self.slow { 50_000 } else { 3_000 };
        for phone in &mut self.phones {
            (phone.mood, phone.patient, phone.fickle) = (Mood::Wild(rings), self.slow, self.fickle);
        }
        for _ in 0..30 {
            self.act();
            let wait = [0, 1, 20, 300, 600, 2_000, 7_000, 20_000, 33_000][self.dice.roll(9) as usize];
            self.pass_time(wait)?;
        }
        self.calm = true;
        for phone in self.phones.iter_mut().filter(|phone| phone.mood != Mood::Busy) {
            phone.mood = Mood::Calm;
        }
        if self.dice.one_in(4) {
            let one = self.dice.roll(4) as usize;
            self.phones[one].mood = Mood::Busy;
        }
        self.pass_time(150_000)?;
        self.still = true;
        for phone in &mut self.phones {
            phone.patient = false;
        }
        self.pass_time(150_000)?;
        self.agree()?;
        self.end()
    }

    fn note(&mut self, what: String) {
        self.log.push(format!("{:>7} {what}", self.b.now.as_millis()));
    }

    /// Somebody may do something.
    fn act(&mut self) {
        if !self.dice.one_in(2) {
            return;
        }
        let one = self.dice.roll(self.phones.len() as u64) as usize;
        let (now, dice, phone) = (self.b.now, &mut self.dice, &mut self.phones[one]);
        match dice.roll(10) {
            0 | 1 if phone.may_invite() => phone.negotiate(now, "INVITE", false, dice),
            2..=4 if phone.may_invite() => phone.negotiate(now, "INVITE", true, dice),
            5 | 6 if phone.may_update() => phone.negotiate(now, "UPDATE", true, dice),
            7 if phone.may_ask() => phone.ask(now, "INFO"),
            8 if phone.may_ask() && self.restless => phone.ask(now, "REFER"),
            9 if phone.may_ask() && self.restless && dice.one_in(4) => phone.hang_up(now),
            _ => {}
        }
    }

    /// Everything happens that is to happen until then, at its time.
    fn pass_time(&mut self, ms: u64) -> Result<(), String> {
        let until = self.b.now + Duration::from_millis(ms);
        let mut at_once = 0;
        loop {
            self.own();
            self.send();
            self.deliver();
            for phone in &mut self.phones {
                phone.pass_time(self.b.now, &mut self.dice);
                let fault = phone.fault.take().filter(|_| !self.tight);
                if let Some(fault) = fault {
                    return Err(fault);
                }
            }
            self.b.drain();
            self.own();
            self.send();
            let ways = self.way.iter().map(|(at, _)| *at);
            let phones = self.phones.iter().map(Phone::wake);
            let next = ways.chain(phones).chain(self.b.calls.next_deadline()).min();
            let next = next.unwrap_or(until).min(until).max(self.b.now);
            at_once = if next > self.b.now { 0 } else { at_once + 1 };
            if at_once > 0 && next == until && self.way.iter().all(|(at, _)| *at > until) {
                return Ok(());
            }
            if at_once > 500 {
                return Err("it never comes to rest".into());
            }
            self.b.now = next;
        }
    }

    /// What was said goes on its way.
    fn send(&mut self) {
        let mut said: Vec<Way> = self.b.seen.drain(..).map(Way::To).collect();
        for phone in &mut self.phones {
            said.extend(phone.out.drain(..).map(|text| Way::From(phone.flow, text)));
        }
        for way in said {
            let delay = if self.calm {
                0
            } else {
                [0, 0, 0, 5, 40, 200][self.dice.roll(6) as usize]
            };
            self.way.push((self.b.now + Duration::from_millis(delay), way));
        }
    }

    /// What arrives by now.
    fn deliver(&mut self) {
        while let Some(place) = self.way.iter().position(|(at, _)| *at <= self.b.now) {
            let (_, way) = self.way.remove(place);
            let (flow, text, arrow) = match &way {
                Way::To(seen) => (seen.flow, &seen.text, "<-"),
                Way::From(flow, text) => (*flow, text, "->"),
            };
            let one = self
                .phones
                .iter()
                .position(|phone| phone.flow.peer == flow.peer)
                .unwrap();
            let lost = !self.calm && self.dice.one_in(10);
            let line = format!("{} {arrow} {}", self.phones[one].name, summary(text));
            self.note(if lost { format!("{line} is lost") } else { line });
            if lost {
                self.tally.lost += 1;
                self.phones[one].excused = true;
                continue;
            }
            match way {
                Way::To(seen) => self.hear(one, &seen),
                Way::From(flow, text) => self.receive(flow, &text),
            }
        }
    }

    fn hear(&mut self, one: usize, seen: &Seen) {
        let phone = &mut self.phones[one];
        if matches!(seen.what(), "INVITE" | "UPDATE") && !seen.body().is_empty() {
            self.tally.offers += 1;
        }
        let asked = matches!(seen.what(), "INVITE" | "UPDATE" | "NOTIFY" | "INFO");
        if self.still && asked && !phone.wants_refreshes() {
            phone.fault = Some(format!("{}: what does {} say to it?", phone.name, seen.what()));
        }
        phone.hear(self.b.now, seen, &mut self.dice);
    }

    fn receive(&mut self, flow: Flow, text: &str) {
        if let Receive::Refer { tx, leg } = self.b.hand_in(flow, text) {
            let status = self.refer(leg);
            let message = Message::parse_datagram(text.as_bytes()).unwrap();
            self.b.calls.reply(self.b.now, tx, flow, &message, status, |_| {});
        }
        self.b.drain();
    }

    // Who owns the calls.

    /// Somebody wants to be replaced: by whoever is free. The answer to the REFER.
    fn refer(&mut self, leg: Key) -> u16 {
        let Some(free) = self.phones.iter().find(|phone| phone.state == State::Idle) else {
            return 603;
        };
        let (flow, wanted, now) = (free.flow, self.dice.one_in(2), self.b.now);
        let calls = &mut self.b.calls;
        let call = match calls.depart(leg, None, wanted) {
            Ok(call) => call,
            Err(status) => return status,
        };
        calls.report(now, call, 100, false);
        let Ok(new) = calls.originate(SESSION, 43) else {
            self.stay(call, 503);
            return 202;
        };
        self.calls.insert(new);
        self.moves.push(Move { call, new, leg: None });
        let uri = format!("sip:target@{}", flow.peer);
        let target = Target {
            flow,
            uri: uri.as_bytes(),
            route: b"",
            priority: Priority::Normal,
            user: 9,
        };
        let shown = calls.present(new, b"<sip:alice@pbx>", b"<sip:target@pbx>", b"");
        if shown.and_then(|()| calls.dial(now, new, target)).is_err() {
            calls.release(now, new, None);
        }
        202
    }

    /// Nothing came of it.
    fn stay(&mut self, call: Key, status: u16) {
        let (now, calls) = (self.b.now, &mut self.b.calls);
        calls.report(now, call, status, true);
        if calls.staying(call).is_some() && !calls.stay(call) {
            calls.release(now, call, None);
        }
    }

    /// What the calls tell, and what follows from it.
    fn own(&mut self) {
        while let Some(event) = self.b.events.pop_front() {
            self.note(format!("{event:?}"));
            self.on_event(event);
            self.b.drain();
        }
        for place in (0..self.moves.len()).rev() {
            let Move { call, new, leg } = self.moves[place];
            let Some(leg) = leg else { continue };
            match self.b.calls.join(self.b.now, call, leg) {
                // It is tried again.
                Err(Refusal::Media) => {}
                joins => {
                    self.note(format!("join: {joins:?}"));
                    self.moves[place].leg = None;
                    if joins.is_err() {
                        self.b.calls.release(self.b.now, new, None);
                    }
                    self.b.drain();
                }
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        let now = self.b.now;
        let new_of = |of: Key| move |one: &Move| one.new == of;
        match event {
            Event::Answered { call, leg } => {
                let flow = self.b.calls.leg_flow(leg);
                let phone = self.phones.iter_mut().find(|phone| Some(phone.flow) == flow);
                if let Some(phone) = phone {
                    phone.leg = Some(leg);
                }
                if let Some(one) = self.moves.iter_mut().find(|one| one.new == call) {
                    one.leg = Some(leg);
                }
            }
            Event::Exhausted { call, status } => {
                self.b.calls.release(now, call, None);
                if let Some(place) = self.moves.iter().position(new_of(call)) {
                    let of = self.moves.remove(place).call;
                    self.stay(of, status);
                }
            }
            Event::Joined { call, .. } => {
                self.tally.joined += 1;
                self.moves.retain(|one| one.call != call);
                self.b.calls.report(now, call, 200, true);
            }
            Event::Parted { call, status } => {
                self.tally.parted += 1;
                self.moves.retain(|one| one.call != call);
                self.stay(call, status);
            }
            Event::Ended { call, .. } => {
                assert!(self.calls.remove(&call), "it ends twice");
                if let Some(place) = self.moves.iter().position(new_of(call)) {
                    let of = self.moves.remove(place).call;
                    self.stay(of, 480);
                }
                if let Some(place) = self.moves.iter().position(|one| one.call == call) {
                    let new = self.moves.remove(place).new;
                    if self.b.calls.linked(new).is_none() {
                        self.b.calls.release(now, new, None);
                    }
                }
            }
            _ => {}
        }
    }

    // How it has to end.

    /// Everybody has come to rest and talks with somebody, and what is kept of each description is what the phone has.
    fn agree(&self) -> Result<(), String> {
        for call in &self.calls {
            let call = self
                .b
                .calls
                .calls
                .get(*call)
                .ok_or("a call went without a word")?;
            if call.former.is_some() || call.asked.open || call.update.open || call.passed.open {
                return Err(format!("something is still under way: {call:?}"));
            }
            if call.moving.is_some() && !self.tight {
                return Err(format!("it still moves: {call:?}"));
            }
        }
        for phone in self
            .phones
            .iter()
            .filter(|phone| phone.state == State::Up && !self.tight)
        {
            let (name, has) = (phone.name, &phone.has);
            if !phone.is_at_rest() {
                return Err(format!("{name}: it waits for {}", phone.waits_for()));
            }
            let place = phone.leg.and_then(|leg| self.b.calls.place(leg));
            let (call, side) = place.ok_or_else(|| format!("{name}: no call"))?;
            if phone.leg.and_then(|leg| self.b.calls.opposite(leg)).is_none() {
                return Err(format!("{name}: it talks with nobody"));
            }
            let mut buffer = [0; SDP_MAX];
            let kept = self.b.calls.sdp(call, side, &mut buffer).unwrap_or_default();
            let kept = String::from_utf8_lossy(kept);
            let declined = self.fickle && phone.declined.iter().any(|offer| *offer == kept);
            if kept != *has && !declined && phone.mood != Mood::Busy {
                return Err(format!("{name}: it has\n{has}and what is kept is\n{kept}"));
            }
        }
        Ok(())
    }

    /// Everything is let go.
    fn end(&mut self) -> Result<(), String> {
        for call in self.calls.clone() {
            self.b.calls.release(self.b.now, call, None);
            self.b.drain();
        }
        self.pass_time(100_000)?;
        if !self.calls.is_empty() {
            return Err("a call has no end".into());
        }
        if let Some(phone) = self
            .phones
            .iter()
            .find(|phone| phone.state == State::Up && !self.tight)
        {
            return Err(format!("{}: nobody has told it", phone.name));
        }
        let (usage, next) = (self.b.calls.usage(), self.b.calls.next_deadline());
        if usage != Usage::default() || next.is_some() {
            return Err(format!("left: {usage:?}, {next:?}"));
        }
        if self.b.calls.counters().overflow > 0 {
            return Err("a message did not fit".into());
        }
        Ok(())
    }
}

/// The first line, its CSeq, and whose description in which version.
fn summary(text: &str) -> String {
    let line = |start: &str| {
        text.split("\r\n")
            .find_map(|line| line.strip_prefix(start))
            .unwrap_or_default()
    };
    let what = text.split("\r\n").next().unwrap_or_default();
    let what = what
        .trim_start_matches("SIP/2.0 ")
        .split(' ')
        .next()
        .unwrap_or_default();
    let sdp = line("o=").split(" IN").next().unwrap_or_default();
    let (session, reason) = (line("Session-Expires: "), line("Reason: "));
    format!("{what} ({}) {sdp} {session} {reason}", line("CSeq: "))
        .trim_end()
        .into()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn whatever_happens_both_sides_agree(kind: Kind) {
    let seeds = match number("DENWABAN_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DENWABAN_RUNS").unwrap_or(600),
    };
    let runs = seeds.end - seeds.start;
    let (mut failed, mut all) = (0, Tally::default());
    for seed in seeds {
        let mut story = Story::new(kind, seed);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story.tell()));
        let told = told.unwrap_or_else(|_| Err("it panicked".into()));
        if let Err(fault) = told {
            failed += 1;
            if failed <= 3 {
                std::println!("{}\nDENWABAN_SEED={seed}: {fault}\n", story.log.join("\n"));
            }
        }
        all.offers += story.tally.offers;
        all.lost += story.tally.lost;
        all.joined += story.tally.joined;
        all.parted += story.tally.parted;
    }
    let Tally {
        offers,
        lost,
        joined,
        parted,
    } = all;
    std::println!("{runs} stories: {offers} offers, {lost} lost, {joined} joined, {parted} parted");
    assert_eq!(failed, 0, "of {runs} stories");
    // The dice reach everything.
    if runs >= 100 {
        assert!(offers > 5 * runs && lost > 5 * runs && joined > runs / 10 && parted > runs / 50);
    }
}
