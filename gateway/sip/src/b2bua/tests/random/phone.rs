//! A phone that keeps to RFC 3261, 3264, 3311 and 4028, and does by itself what they demand: what it sends comes again until it is
//! answered, what it has agreed to it refreshes, and when it hears no more it hangs up.

use super::clock::{NEVER, Repeated, Session, T1, T2, session};
use super::*;
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has called it yet.
    Idle,
    Up,
    Gone,
}

/// How it takes what others offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It accepts, refuses or asks its human, who answers within so many milliseconds.
    Wild(u64),
    /// It takes everything.
    Calm,
    /// Something else is always under way.
    Busy,
}

/// Its request that has no final answer yet.
struct Asks {
    method: &'static str,
    cseq: u32,
    offer: String,
    message: Repeated,
}

/// Its final answer to an INVITE that has no ACK yet.
struct Unacked {
    cseq: u32,
    message: Repeated,
    is_ok: bool,
    /// The ACK brings the answer to the offer in it.
    offers: bool,
}

pub struct Phone {
    pub name: &'static str,
    pub flow: Flow,
    pub state: State,
    pub mood: Mood,
    /// Its leg at the B2BUA.
    pub leg: Option<Key>,
    /// The description of the other side that it has.
    pub has: String,
    /// All that it has had.
    had: Vec<String>,
    said: String,
    version: u32,
    caller: Option<Caller>,
    invite: Option<Seen>,
    cseq: u32,
    remote_cseq: u32,
    updates: bool,
    timers: bool,
    session: Session,
    /// What it answers may be new each time.
    pub fickle: bool,
    /// Offers that it has not taken.
    pub declined: Vec<String>,
    /// Others may take so long that it gives up before it has its answer.
    pub patient: bool,
    /// Since the session began something was refused or lost, so that a refresh may be missing.
    pub excused: bool,
    asks: Option<Asks>,
    unacked: Vec<Unacked>,
    /// An ACK brought no answer to its offer, which only a BYE makes good.
    unanswered: bool,
    /// An INVITE that its human is going to accept.
    rings: Option<(Instant, Seen)>,
    acks: HashMap<u32, String>,
    answers: HashMap<String, String>,
    pub out: Vec<String>,
    /// Bad faith that it has met.
    pub fault: Option<String>,
}

impl Phone {
    pub fn new(name: &'static str, flow: Flow, dice: &mut Dice) -> Self {
        Self {
            name,
            flow,
            state: State::Idle,
            mood: Mood::Calm,
            leg: None,
            has: String::new(),
            had: Vec::new(),
            said: String::new(),
            version: 1,
            caller: None,
            invite: None,
            cseq: 1,
            remote_cseq: 0,
            updates: dice.one_in(2),
            timers: !dice.one_in(3),
            session: Session::NONE,
            fickle: false,
            declined: Vec::new(),
            patient: false,
            excused: false,
            asks: None,
            unacked: Vec::new(),
            unanswered: false,
            rings: None,
            acks: HashMap::new(),
            answers: HashMap::new(),
            out: Vec::new(),
            fault: None,
        }
    }

    /// It has a dialog already, in which it has said and heard this.
    pub fn talks(&mut self, leg: Key, caller: Option<Caller>, invite: Option<Seen>, said: &str, has: &str) {
        (self.state, self.leg) = (State::Up, Some(leg));
        (self.caller, self.invite) = (caller, invite);
        self.said = said.into();
        self.take(has);
    }

    pub fn wants_refreshes(&self) -> bool {
        self.session.interval > 0
    }

    /// Nothing of its own is without an answer.
    pub fn is_at_rest(&self) -> bool {
        self.asks.is_none() && self.unacked.is_empty() && self.rings.is_none() && !self.unanswered
    }

    /// What of its own is without an answer.
    pub fn waits_for(&self) -> String {
        let asks = self
            .asks
            .iter()
            .map(|asks| format!("{} {}", asks.method, asks.cseq));
        let acks = self.unacked.iter().map(|unacked| format!("ACK {}", unacked.cseq));
        let answer = self.unanswered.then(|| "an answer to its offer".to_string());
        let rings = self.rings.iter().map(|_| "its human".to_string());
        asks.chain(acks)
            .chain(answer)
            .chain(rings)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// It has offered something that is not answered yet.
    fn offers(&self) -> bool {
        let asks = |asks: &Asks| asks.method == "INVITE" || !asks.offer.is_empty();
        self.asks.as_ref().is_some_and(asks) || self.unacked.iter().any(|unacked| unacked.offers)
    }

    fn take(&mut self, sdp: &str) {
        self.has = sdp.into();
        self.had.push(sdp.into());
    }

    fn describe(&mut self) -> String {
        self.version += 1;
        let (name, version, ip) = (self.name, self.version, self.flow.peer.ip());
        format!(
            "v=0\r\no={name} 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        )
    }

    fn wrong(&mut self, what: &str) {
        let what = format!("{}: {what}", self.name);
        self.fault.get_or_insert(what);
    }

    // What it asks for.

    /// Whether RFC 3261 §14.1 lets it send an INVITE: none is under way in either direction.
    pub fn may_invite(&self) -> bool {
        self.state == State::Up && self.is_at_rest()
    }

    /// Whether RFC 3311 §5.1 lets it send an UPDATE with an offer: none is under way in either direction.
    pub fn may_update(&self) -> bool {
        self.may_ask() && !self.offers() && self.rings.is_none()
    }

    pub fn may_ask(&self) -> bool {
        self.state == State::Up && self.asks.is_none()
    }

    /// An INVITE or UPDATE with or without an offer.
    pub fn negotiate(&mut self, now: Instant, method: &'static str, offers: bool, dice: &mut Dice) {
        let offer = if offers { self.describe() } else { String::new() };
        let session = ["90;refresher=uac", "90;refresher=uas", "180", ""][dice.roll(4) as usize];
        self.request(now, method, offer, session);
    }

    fn refresh(&mut self, now: Instant) {
        let (method, offer) = match self.updates {
            true => ("UPDATE", String::new()),
            false => ("INVITE", self.said.clone()),
        };
        let session = format!("{};refresher=uac", self.session.interval);
        self.request(now, method, offer, &session);
    }

    pub fn ask(&mut self, now: Instant, method: &'static str) {
        self.request(now, method, String::new(), "");
    }

    pub fn hang_up(&mut self, now: Instant) {
        self.request(now, "BYE", String::new(), "");
        self.go(now);
    }

    fn request(&mut self, now: Instant, method: &'static str, offer: String, session: &str) {
        self.cseq += 1;
        let lines = match (self.timers, session) {
            (false, _) => String::new(),
            (true, "") => "Supported: timer\r\n".into(),
            (true, session) => format!("Supported: timer\r\nSession-Expires: {session}\r\n"),
        };
        let lines = if matches!(method, "INVITE" | "UPDATE") {
            lines
        } else {
            String::new()
        };
        let text = self.write(method, self.cseq, &lines, &offer);
        self.out.push(text.clone());
        self.asks = Some(Asks {
            method,
            cseq: self.cseq,
            offer,
            message: Repeated::new(now, text),
        });
    }

    fn write(&self, method: &str, cseq: u32, lines: &str, body: &str) -> String {
        let text = match (&self.caller, &self.invite) {
            (Some(caller), _) => {
                let branch = format!("{method}{cseq}");
                Caller {
                    cseq,
                    ..caller.clone()
                }
                .request(method, &branch, body)
            }
            (None, Some(invite)) => from_callee(invite, self.name, method, cseq, body),
            (None, None) => panic!("{} has no dialog", self.name),
        };
        self.extend(text, lines)
    }

    fn extend(&self, text: String, lines: &str) -> String {
        let update = if self.updates { ", UPDATE" } else { "" };
        let lines =
            format!("Allow: INVITE, ACK, BYE, CANCEL, INFO, OPTIONS{update}\r\n{lines}Content-Length");
        text.replacen("Content-Length", &lines, 1)
    }

    /// The dialog is over; an INVITE in it gets its answer all the same (RFC 3261 §15.1.2).
    fn go(&mut self, now: Instant) {
        self.state = State::Gone;
        self.unacked.clear();
        self.asks.take_if(|asks| asks.method != "BYE");
        if let Some((_, invite)) = self.rings.take() {
            self.answer(now, &invite, 487, String::new(), "");
        }
    }

    // What it is asked for.

    pub fn hear(&mut self, now: Instant, seen: &Seen, dice: &mut Dice) {
        match seen.what() {
            "ACK" => self.on_ack(seen),
            "CANCEL" => self.on_cancel(now, seen, dice),
            "BYE" => self.on_bye(now, seen),
            what if what.starts_with(|c: char| c.is_ascii_digit()) => self.on_answer(now, seen),
            _ => self.on_request(now, seen, dice),
        }
    }

    fn on_request(&mut self, now: Instant, seen: &Seen, dice: &mut Dice) {
        if let Some(before) = self.answers.get(seen.branch()) {
            return self.out.push(before.clone());
        }
        if self
            .rings
            .as_ref()
            .is_some_and(|(_, invite)| invite.branch() == seen.branch())
        {
            return self.out.push(answer(seen, 180, self.name, ""));
        }
        let (cseq, method) = cseq(seen);
        let late = self.state == State::Up && cseq < self.remote_cseq;
        if !late {
            self.remote_cseq = cseq;
        }
        let offered = !seen.body().is_empty();
        let status = match method {
            _ if self.state == State::Gone => 481,
            _ if late => 500,
            "INVITE" | "UPDATE" if offered && self.rings.is_some() => 500,
            "INVITE" if self.rings.is_some() => 500,
            "INVITE" if self.offers() => 491,
            "UPDATE" if self.offers() && offered => 491,
            "INVITE" | "UPDATE" => self.decide(seen, dice),
            _ => 200,
        };
        self.excused |= matches!(method, "INVITE" | "UPDATE") && status != 200;
        if status == 488 {
            self.declined.push(seen.body().into());
        }
        if self.state == State::Idle && method == "INVITE" {
            self.invite = Some(seen.clone());
        }
        if status == 180 {
            let longest = if let Mood::Wild(longest) = self.mood {
                longest
            } else {
                0
            };
            let wait = Duration::from_millis(dice.roll(longest) + 1);
            self.rings = Some((now + wait, seen.clone()));
            return self.out.push(answer(seen, 180, self.name, ""));
        }
        self.respond(now, seen, status, dice);
    }

    fn decide(&self, seen: &Seen, dice: &mut Dice) -> u16 {
        let (fresh, invite) = (self.state == State::Idle, seen.what() == "INVITE");
        let status = [200, 200, 200, 488, 500, 180][dice.roll(6) as usize];
        match self.mood {
            Mood::Busy if !fresh && (invite || !seen.body().is_empty()) => 491,
            Mood::Busy | Mood::Calm => 200,
            Mood::Wild(_) if fresh && status == 488 => 486,
            // What it has had once is as good as ever.
            Mood::Wild(_) if self.had.iter().any(|had| had == seen.body()) => 200,
            Mood::Wild(_) if !invite && status == 180 => 200,
            Mood::Wild(_) => status,
        }
    }

    fn respond(&mut self, now: Instant, seen: &Seen, status: u16, dice: &mut Dice) {
        let (mut body, mut lines) = (String::new(), String::new());
        if status == 200 && matches!(seen.what(), "INVITE" | "UPDATE") {
            match (seen.what(), seen.body()) {
                ("INVITE", "") => {
                    body = self.describe();
                    self.said = body.clone();
                }
                (_, "") => {}
                (_, offer) => {
                    if self.fickle && matches!(self.mood, Mood::Wild(_)) && dice.one_in(3) {
                        self.said = self.describe();
                    }
                    self.take(offer);
                    body = self.said.clone();
                }
            }
            self.state = State::Up;
            lines = self.agree(now, seen, dice);
        }
        self.answer(now, seen, status, body, &lines);
    }

    fn answer(&mut self, now: Instant, seen: &Seen, status: u16, body: String, lines: &str) {
        let text = self.extend(answer(seen, status, self.name, &body), lines);
        self.answers.insert(seen.branch().into(), text.clone());
        if seen.what() == "INVITE" {
            self.unacked.push(Unacked {
                cseq: cseq(seen).0,
                message: Repeated::new(now, text.clone()),
                is_ok: status == 200,
                offers: status == 200 && seen.body().is_empty(),
            });
        }
        self.out.push(text);
    }

    fn on_cancel(&mut self, now: Instant, seen: &Seen, dice: &mut Dice) {
        self.out.push(answer(seen, 200, self.name, ""));
        let Some((_, invite)) = self.rings.take_if(|(_, invite)| invite.branch() == seen.branch()) else {
            return;
        };
        // Its human may have been faster.
        let status = if dice.one_in(2) { 200 } else { 487 };
        if self.state == State::Up && dice.one_in(4) {
            self.mood = Mood::Busy;
        }
        self.respond(now, &invite, status, dice);
    }

    fn on_ack(&mut self, seen: &Seen) {
        let cseq = cseq(seen).0;
        let Some(place) = self.unacked.iter().position(|unacked| unacked.cseq == cseq) else {
            return;
        };
        let acked = self.unacked.remove(place);
        match (acked.offers, seen.body()) {
            (true, "") => self.unanswered = true,
            (true, answer) => self.take(answer),
            (false, _) => {}
        }
    }

    fn on_bye(&mut self, now: Instant, seen: &Seen) {
        if self.state == State::Up {
            if seen.text.contains("cause=102") && !self.excused && !self.patient {
                self.wrong("its session was given up, which it has refreshed, or would have");
            }
            self.go(now);
        }
        self.out.push(answer(seen, 200, self.name, ""));
    }

    // What it is told.

    fn on_answer(&mut self, now: Instant, seen: &Seen) {
        let (cseq, method) = cseq(seen);
        let status: u16 = seen.what().parse().unwrap_or_default();
        if let Some(ack) = self.acks.get(&cseq) {
            return self.out.push(ack.clone());
        }
        let Some(asks) = self
            .asks
            .take_if(|asks| asks.cseq == cseq && asks.method == method)
        else {
            // Who has hung up acknowledges what comes late.
            if method == "INVITE" && status >= 200 {
                self.acknowledge(cseq, status, "");
            }
            return;
        };
        if status < 200 {
            // It waits for a human, but not for ever.
            let mut asks = asks;
            if method == "INVITE" {
                (asks.message.next, asks.message.until) = (NEVER, now + Duration::from_secs(180));
            }
            self.asks = Some(asks);
            return;
        }
        let is_ok = status < 300;
        let changes = method == "INVITE" || !asks.offer.is_empty();
        let mut body = String::new();
        if is_ok && changes {
            if seen.body().is_empty() {
                return self.wrong("a 2xx without a description");
            }
            self.take(seen.body());
            self.said = asks.offer;
            if self.said.is_empty() {
                body = self.describe();
                self.said = body.clone();
            }
        }
        if method == "INVITE" {
            self.acknowledge(cseq, status, &body);
        }
        if is_ok && matches!(method, "INVITE" | "UPDATE") {
            self.on_agreed(now, seen);
        }
        self.excused |= !is_ok;
        if matches!(status, 408 | 481) && self.state == State::Up {
            // RFC 3261 §12.2.1.2
            self.hang_up(now);
        }
    }

    fn acknowledge(&mut self, cseq: u32, status: u16, body: &str) {
        let mut ack = self.write("ACK", cseq, "", body);
        if status >= 300 {
            // Of the INVITE's transaction.
            ack = ack.replacen(&format!("ACK{cseq}"), &format!("INVITE{cseq}"), 1);
        }
        self.acks.insert(cseq, ack.clone());
        self.out.push(ack);
    }

    // Session timers.

    /// What it agrees to in a 2xx (RFC 4028 §9).
    fn agree(&mut self, now: Instant, seen: &Seen, dice: &mut Dice) -> String {
        let (interval, who) = match session(seen) {
            _ if !self.timers => (0, "uac"),
            (0, _) => [(0, "uac"), (90, "uac"), (180, "uas")][dice.roll(3) as usize],
            (interval, "") => (interval, ["uac", "uas"][dice.roll(2) as usize]),
            (interval, "uac") => (interval, "uac"),
            (interval, _) => (interval, "uas"),
        };
        self.begin(now, interval, who == "uas");
        match (interval, who) {
            (0, _) => String::new(),
            (_, "uac") => format!("Require: timer\r\nSession-Expires: {interval};refresher=uac\r\n"),
            _ => format!("Session-Expires: {interval};refresher=uas\r\n"),
        }
    }

    /// What was agreed to (§7.2).
    fn on_agreed(&mut self, now: Instant, seen: &Seen) {
        let (interval, who) = session(seen);
        if self.timers {
            self.begin(now, interval, who == "uac");
        }
    }

    fn begin(&mut self, now: Instant, interval: u64, refreshed_here: bool) {
        self.session = Session::new(now, interval, refreshed_here);
        self.excused = false;
    }

    // Time.

    pub fn wake(&self) -> Instant {
        let mut wake = NEVER;
        if self.state == State::Up {
            wake = self.session.refresh.min(self.session.expires);
        }
        let asks = self.asks.iter().map(|asks| asks.message.wake());
        let unacked = self.unacked.iter().map(|unacked| unacked.message.wake());
        let rings = self.rings.iter().map(|(at, _)| *at);
        asks.chain(unacked).chain(rings).fold(wake, Instant::min)
    }

    pub fn pass_time(&mut self, now: Instant, dice: &mut Dice) {
        if let Some((_, invite)) = self.rings.take_if(|(at, _)| *at <= now) {
            self.respond(now, &invite, 200, dice);
        }
        if let Some(asks) = self.asks.as_mut() {
            let longest = if asks.method == "INVITE" { T1 * 64 } else { T2 };
            self.out.extend(asks.message.copy(now, longest));
        }
        for unacked in &mut self.unacked {
            self.out.extend(unacked.message.copy(now, T2));
        }
        if let Some(asks) = self.asks.take_if(|asks| asks.message.until <= now) {
            if asks.method != "UPDATE" || !self.patient {
                self.wrong(&format!("no answer to {} {}", asks.method, asks.cseq));
            }
            self.give_up(now);
        }
        while let Some(place) = self
            .unacked
            .iter()
            .position(|unacked| unacked.message.until <= now)
        {
            let unacked = self.unacked.remove(place);
            if unacked.is_ok {
                if !self.patient {
                    self.wrong(&format!("no ACK to its 200 to INVITE {}", unacked.cseq));
                }
                self.give_up(now);
            }
        }
        if self.state != State::Up {
            return;
        }
        if self.session.expires <= now {
            if !self.excused && !self.patient {
                self.wrong("nobody has refreshed its session");
            }
            self.give_up(now);
        } else if self.session.refresh <= now {
            // A refusal is followed by another try (RFC 3261 §14.1).
            self.session.refresh = now + Duration::from_millis(2_100 + dice.roll(1_900));
            if self.may_invite() {
                self.refresh(now);
            }
        }
    }

    fn give_up(&mut self, now: Instant) {
        if self.state == State::Up {
            self.hang_up(now);
        }
    }
}

fn cseq(seen: &Seen) -> (u32, &str) {
    let (number, method) = seen.header("CSeq").split_once(' ').unwrap_or_default();
    (number.parse().unwrap_or_default(), method)
}
