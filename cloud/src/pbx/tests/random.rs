//! Peers that do anything a peer may do, in any order: whatever happens, every call ends once, and nothing is left of it.

use std::collections::{HashMap, HashSet};

use super::*;

/// xorshift64: the same seed, the same story.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.roll(from.len().max(1) as u64) as usize)
    }
}

struct Story {
    b: Bench,
    dice: Dice,
    callers: Vec<Caller>,
    /// INVITEs that the called side has.
    invites: Vec<Seen>,
    boxes: HashMap<BoxId, (Flow, u32)>,
    /// In every second story the second site has a phone and no box.
    desk: Option<Desk>,
    connections: u16,
    /// Call-IDs that got a 100: calls that were taken.
    taken: HashSet<String>,
}

const BOXES: [BoxId; 3] = [TOKYO, OSAKA, NAGOYA];

impl Story {
    fn new(seed: u64) -> Self {
        let mut boxes = BOXES.to_vec();
        boxes.retain(|id| seed.is_multiple_of(2) || *id != OSAKA);
        let mut b = Bench::with(&boxes);
        let desk = (!boxes.contains(&OSAKA)).then(|| b.desk(1, "0663000001"));
        Self {
            b,
            desk,
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            callers: Vec::new(),
            invites: Vec::new(),
            boxes: boxes.into_iter().map(|id| (id, (home(id), 1))).collect(),
            connections: 100,
            taken: HashSet::new(),
        }
    }

    fn step(&mut self) {
        match self.dice.roll(13) {
            0..=2 => self.new_call(),
            12 => self.desk_acts(),
            3 | 4 => self.caller_acts(),
            5..=7 => self.callee_acts(),
            8 if self.dice.one_in(4) => self.cut(),
            9 if self.dice.one_in(4) => self.cut_silently(),
            _ => self.pass_time(),
        }
        self.answer_all();
        // R15: never more than the channels, but for emergencies.
        let counted = |live: &Live| live.contract == CONTRACT && matches!(live.uses, Use::Outside(_));
        let used = self.b.pbx.live().filter(counted).count();
        assert!(used <= 2, "{used} channels of 2");
    }

    fn new_call(&mut self) {
        let id = format!("c{}", self.callers.len());
        let caller = if self.dice.one_in(2) {
            let called = *self
                .dice
                .pick(&[
                    "0312340001",
                    "0312340000",
                    "0663000001",
                    "0521110000",
                    "0399999999",
                ])
                .unwrap();
            Caller::carrier(&id, called)
        } else {
            let called = *self
                .dice
                .pick(&["0335550009", "110", "0663000001", "0312340000"])
                .unwrap();
            let from = *self
                .dice
                .pick(&["0312340001", "0312340002", "0663000001"])
                .unwrap();
            let mut caller = Caller::office(self.boxes[&TOKYO].0, &id, called, from);
            let session = format!("{:032x}", self.callers.len() + 1);
            caller.extra = caller.extra.replace(&session_of(&caller.id), &session);
            caller
        };
        let mut text = caller.request("INVITE", "i");
        if self.dice.one_in(6) {
            text = Caller {
                sdp: String::new(),
                ..caller.clone()
            }
            .request("INVITE", "i");
        }
        self.send(caller.flow, &text);
        if self.dice.one_in(5) {
            self.send(caller.flow, &text);
        }
        self.callers.push(caller);
    }

    /// A phone without its box calls, registers again, perhaps from elsewhere or started anew, or says that it goes.
    fn desk_acts(&mut self) {
        let Some(mut desk) = self.desk.take() else { return };
        let before = std::mem::take(&mut self.b.seen);
        let is_there = self.b.pbx.phones().count() == 1;
        match self.dice.roll(4) {
            0 if is_there => {
                let id = format!("c{}", self.callers.len());
                let called = *self
                    .dice
                    .pick(&["0335550009", "119", "210", "0312340000"])
                    .unwrap();
                let caller = self.b.dials(&desk, &id, called);
                self.callers.push(caller);
            }
            1 => {
                let _ = self.b.asks(
                    &mut desk,
                    "Contact: *\r\nExpires: 0\r\n",
                    &phone_password("0663000001"),
                );
            }
            moves => {
                let old = desk.flow;
                if moves == 2 {
                    self.connections += 1;
                    desk.flow = nat(self.connections);
                }
                if self.dice.one_in(4) {
                    desk.id += "x";
                }
                self.b.shelter(&mut desk);
                let callers = self.callers.iter_mut().map(|caller| &mut caller.flow);
                let invites = self.invites.iter_mut().map(|invite| &mut invite.flow);
                callers
                    .chain(invites)
                    .filter(|flow| **flow == old)
                    .for_each(|flow| *flow = desk.flow);
            }
        }
        let after = std::mem::replace(&mut self.b.seen, before);
        self.b.seen.extend(after);
        self.desk = Some(desk);
    }

    /// Unless its connection is gone.
    fn send(&mut self, flow: Flow, text: &str) {
        // A phone's datagrams come through whatever its registration.
        let alive = flow.transport == Transport::Udp || self.boxes.values().any(|(at, _)| *at == flow);
        if alive && !self.b.closed.contains(&flow) {
            self.b.rx(flow, text);
        }
    }

    fn caller_acts(&mut self) {
        let Some(mut caller) = self.dice.pick(&self.callers).cloned() else {
            return;
        };
        let text = match self.dice.roll(4) {
            0 => caller.request("CANCEL", first_branch(&caller)),
            1 => caller.request("ACK", "a"),
            2 if !caller.to_tag.is_empty() => {
                caller.cseq = 3;
                caller.sdp = caller.sdp.replace("1 IN", "2 IN");
                caller.request("INVITE", "re")
            }
            _ => {
                caller.cseq = 4;
                caller.request("BYE", "b")
            }
        };
        self.send(caller.flow, &text);
    }

    fn callee_acts(&mut self) {
        let Some(invite) = self.dice.pick(&self.invites).cloned() else {
            return;
        };
        let sdp = if invite.flow == CARRIER {
            CARRIER_SDP
        } else {
            PHONE_SDP
        };
        let text = match self.dice.roll(8) {
            0 => answer(&invite, 183, sdp),
            1 | 2 => answer(&invite, 180, ""),
            3 | 4 => answer(&invite, 200, sdp),
            5 => answer(
                &invite,
                *self.dice.pick(&[404, 480, 486, 488, 500, 503, 603, 407]).unwrap(),
                "",
            ),
            6 => answer(&invite, 200, ""),
            _ => from_callee(&invite, "BYE", 1),
        };
        self.send(invite.flow, &text);
    }

    fn a_box(&mut self) -> Option<BoxId> {
        let id = *self.dice.pick(&BOXES)?;
        self.boxes.contains_key(&id).then_some(id)
    }

    /// A connection breaks; the box comes back soon or late, or has started anew.
    fn cut(&mut self) {
        let Some(id) = self.a_box() else { return };
        let (flow, mut boot) = self.boxes[&id];
        self.b.give(Input::StreamClosed { flow });
        self.b.closed.push(flow);
        let wait = self.dice.roll(10_000);
        self.b.wait(wait);
        boot += u32::from(self.dice.one_in(3));
        self.come_back(id, boot);
    }

    /// The line is cut and nobody notices, until the box comes back on another connection.
    fn cut_silently(&mut self) {
        let Some(id) = self.a_box() else { return };
        let boot = self.boxes[&id].1 + u32::from(self.dice.one_in(2));
        let wait = self.dice.roll(25_000);
        self.b.wait(wait);
        self.come_back(id, boot);
    }

    fn come_back(&mut self, id: BoxId, boot: u32) {
        self.connections += 1;
        let flow = connection(self.connections);
        let before = std::mem::take(&mut self.b.seen);
        self.b.register(id, flow, boot);
        let after = std::mem::replace(&mut self.b.seen, before);
        self.b.seen.extend(after);
        let old = self.boxes.insert(id, (flow, boot));
        let moved = old.map(|(old, _)| old);
        for caller in self
            .callers
            .iter_mut()
            .filter(|caller| Some(caller.flow) == moved)
        {
            caller.flow = flow;
        }
        for invite in self
            .invites
            .iter_mut()
            .filter(|invite| Some(invite.flow) == moved)
        {
            invite.flow = flow;
        }
    }

    fn pass_time(&mut self) {
        for _ in 0..self.dice.roll(6) {
            let wait = self.dice.roll(5_000);
            self.b.wait(wait);
            self.ping();
        }
    }

    fn ping(&mut self) {
        let flows: Vec<Flow> = self.boxes.values().map(|(flow, _)| *flow).collect();
        for flow in flows {
            self.send(flow, "\r\n\r\n");
        }
        // Who was closed in the meantime comes back.
        for id in BOXES {
            if let Some((flow, boot)) = self.boxes.get(&id).copied()
                && self.b.closed.contains(&flow)
            {
                self.come_back(id, boot);
            }
        }
    }

    /// What peers do by themselves, mostly.
    fn answer_all(&mut self) {
        for _ in 0..200 {
            if self.b.seen.is_empty() {
                return;
            }
            let seen = self.b.seen.remove(0);
            match seen.what() {
                "INVITE" if self.is_known(&seen) => {}
                "INVITE" if seen.tag("To").is_empty() => {
                    if self.dice.one_in(2) {
                        self.send(seen.flow, &answer(&seen, 100, ""));
                    }
                    self.invites.push(seen);
                }
                "INVITE" => {
                    let status = *self.dice.pick(&[200, 200, 488, 491, 408]).unwrap();
                    let sdp = if status == 200 { PHONE_SDP } else { "" };
                    self.send(seen.flow, &answer(&seen, status, sdp));
                }
                "CANCEL" if !self.dice.one_in(5) => {
                    self.send(seen.flow, &answer(&seen, 200, ""));
                    let invite = self
                        .invites
                        .iter()
                        .find(|known| known.header("Via") == seen.header("Via"));
                    if let Some(invite) = invite.cloned() {
                        let status = if self.dice.one_in(4) { 200 } else { 487 };
                        let sdp = if status == 200 { PHONE_SDP } else { "" };
                        self.send(invite.flow, &answer(&invite, status, sdp));
                    }
                }
                "BYE" | "OPTIONS" if !self.dice.one_in(5) => {
                    let status = if self.dice.one_in(6) { 481 } else { 200 };
                    self.send(seen.flow, &answer(&seen, status, ""));
                }
                status if status.starts_with(|c: char| c.is_ascii_digit()) => self.on_status(&seen),
                _ => {}
            }
        }
    }

    /// A repetition.
    fn is_known(&self, seen: &Seen) -> bool {
        self.invites
            .iter()
            .any(|known| known.header("Via") == seen.header("Via"))
    }

    fn on_status(&mut self, seen: &Seen) {
        let id = seen.header("Call-ID").unwrap_or_default();
        let Some(caller) = self.callers.iter_mut().find(|caller| caller.id == id) else {
            return;
        };
        if !seen.header("CSeq").is_some_and(|cseq| cseq.ends_with("INVITE")) || seen.what() < "200" {
            if seen.what() == "100" {
                self.taken.insert(id.to_string());
            }
            return;
        }
        let cseq: u32 = seen
            .header("CSeq")
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let ok = seen.what() == "200";
        if ok && caller.to_tag.is_empty() {
            caller.to_tag = seen.tag("To");
        }
        let is_first = cseq == caller.cseq;
        let branch = match (ok, is_first) {
            (true, _) => "ack",
            (false, true) => first_branch(caller),
            (false, false) => "re",
        };
        let mut ack = Caller {
            cseq,
            ..caller.clone()
        };
        if !ok && is_first {
            ack.to_tag = seen.tag("To");
        }
        if !self.dice.one_in(6) {
            self.send(ack.flow, &ack.request("ACK", branch));
        }
    }

    /// All records, and how many calls were taken.
    fn end(mut self) -> (Vec<(ContractId, CallLeg)>, usize) {
        // Everybody hangs up or gives up by not being there any more.
        self.answer_all();
        for (flow, _) in self.boxes.values() {
            self.b.give(Input::StreamClosed { flow: *flow });
        }
        self.b.closed.clear();
        self.b.wait(400_000);
        assert_eq!(self.b.pbx.usage(), Default::default(), "room of calls, relays");
        assert_eq!(self.b.pbx.live().count(), 0);
        assert_eq!(self.b.pbx.next_deadline(), None);
        assert_eq!(self.b.pbx.call_counters().overflow, 0);
        (self.b.records, self.taken.len())
    }
}

/// Of the INVITE that began the call: that of a phone was challenged first.
fn first_branch(caller: &Caller) -> &'static str {
    if caller.cseq == 1 { "i" } else { "j" }
}

#[test]
fn every_call_ends_once_and_leaves_nothing() {
    let variable = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (one, count) = (variable("SEED"), variable("SEEDS").unwrap_or(600));
    let seeds = one.map_or(0..count, |seed| seed..seed + 1);
    let (mut answered, mut others) = (0, 0);
    for seed in seeds {
        let story = std::panic::catch_unwind(|| {
            let mut story = Story::new(seed);
            for _ in 0..60 {
                story.step();
            }
            story.end()
        });
        let Ok((records, taken)) = story else {
            panic!("run again with SEED={seed}")
        };
        let mut legs: HashMap<_, Vec<_>> = HashMap::new();
        for (_, leg) in &records {
            legs.entry(leg.session).or_default().push(leg);
        }
        assert_eq!(legs.len(), taken, "seed {seed}: a call without a record");
        for legs in legs.values() {
            let first = legs[0];
            let spoken = matches!(first.state, FinalState::Answered | FinalState::Lost);
            assert_eq!(spoken, first.answered.is_some(), "seed {seed}: {first:?}");
            let numbers: Vec<u8> = legs.iter().map(|leg| leg.leg).collect();
            let expected: &[u8] = if spoken { &[0, 1] } else { &[0] };
            assert_eq!(numbers, expected, "seed {seed}: {legs:?}");
            *(if spoken { &mut answered } else { &mut others }) += 1;
        }
    }
    // The dice reach everything.
    assert!(
        one.is_some() || (answered > 500 && others > 500),
        "{answered} {others}"
    );
}
