//! Dialogs as tables of (time, in, out): what happens when, and all that goes out because of it.
//!
//! In: `alice INVITE`, `bob 180`, `bob/2 200 sdp` (another tag: the INVITE was forked beyond us), `bob 200 BYE` (to another request
//! than the last INVITE), `bob UPDATE sdp`, nothing (time goes by). What follows a `+` is a header line more. Out: to whom, what,
//! and after a `+` what is to be found in it, after a `-` what is not. `lost`: what would go out at this time is not looked at.

mod former;
mod offers;
mod races;
mod reliable;
mod sessions;

use super::*;
use std::collections::HashMap;

/// Milliseconds since the beginning, what comes in, what goes out.
pub type Row = (u64, &'static str, &'static [&'static str]);

pub struct World {
    pub b: Bench,
    alice: Caller,
    pub call: Option<Key>,
    /// The last request of each method that each peer got.
    got: HashMap<(u8, String), Seen>,
    /// The last answer that each peer got to an INVITE of its own.
    told: HashMap<u8, Seen>,
    cseqs: HashMap<u8, u32>,
    start: u64,
}

fn flow_of(name: &str) -> Flow {
    match name {
        "alice" => ALICE,
        "bob" => BOB,
        "carol" => CAROL,
        "trunk" => TRUNK,
        other => panic!("who is {other}?"),
    }
}

fn last(flow: Flow) -> u8 {
    match flow.peer.ip() {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        _ => unreachable!(),
    }
}

fn name_of(flow: Flow) -> &'static str {
    ["alice", "bob", "carol", "trunk"]
        .into_iter()
        .find(|name| flow_of(name).peer == flow.peer)
        .unwrap()
}

/// Runs a table; who is called with Alice's INVITE is `targets`.
pub fn run(kind: Kind, targets: &[&str], rows: &[Row]) -> World {
    let mut b = Bench::new(kind);
    // Nothing but what is looked at.
    b.calls.config.probe = Duration::from_secs(100_000);
    let mut world = World {
        start: b.now.as_millis(),
        b,
        alice: Caller::new(ALICE, "c1"),
        call: None,
        got: HashMap::new(),
        told: HashMap::new(),
        cseqs: HashMap::new(),
    };
    for (at, input, outputs) in rows {
        world.at(*at, input, outputs, targets);
    }
    world
}

impl World {
    /// One row.
    #[track_caller]
    pub fn at(&mut self, at: u64, input: &str, outputs: &[&str], targets: &[&str]) {
        self.until(at);
        self.step(at, input, outputs, targets);
    }

    #[track_caller]
    fn until(&mut self, at: u64) {
        let at = self.start + at;
        let now = self.b.now.as_millis();
        if at > now {
            // Up to just before, nothing may go out; then what is due then.
            self.b.wait(at - now - 1);
            self.none(&format!("before {}", at - self.start));
            self.b.now = Instant::from_millis(at);
        }
    }

    #[track_caller]
    fn none(&mut self, when: &str) {
        let left: Vec<_> = self
            .b
            .seen
            .drain(..)
            .map(|seen| (seen.at - self.start, name_of(seen.flow), seen.text))
            .collect();
        assert!(left.is_empty(), "{when}: {left:#?}");
    }

    #[track_caller]
    fn step(&mut self, at: u64, input: &str, outputs: &[&str], targets: &[&str]) {
        if input.is_empty() || input == "lost" {
            if !outputs.is_empty() || input == "lost" {
                self.b.drain();
            }
        } else {
            self.input(input, targets);
        }
        if input == "lost" {
            self.b.seen.clear();
            return;
        }
        if input.is_empty() && outputs.is_empty() {
            return;
        }
        for output in outputs {
            let (first, parts) = output.split_at(output.find([' ', '\n']).unwrap());
            let mut parts = parts[1..]
                .split_inclusive(" +")
                .flat_map(|part| part.split_inclusive(" -"));
            let mut sign = "";
            let mut words = Vec::new();
            for part in &mut parts {
                let text = part.trim_end_matches(" +").trim_end_matches(" -");
                words.push((sign, text.replace("OFFER", OFFER).replace("ANSWER", ANSWER)));
                sign = if part.ends_with(" +") { "+" } else { "-" };
            }
            let what = words.remove(0).1;
            let flow = flow_of(first);
            let fits = |seen: &Seen| {
                let held = |(sign, text): &(&str, String)| (*sign == "+") == seen.text.contains(text);
                seen.flow.peer == flow.peer && seen.what() == what && words.iter().all(held)
            };
            let place = self.b.seen.iter().position(fits);
            let Some(seen) = place.and_then(|place| self.b.seen.remove(place)) else {
                let all: Vec<_> = self
                    .b
                    .seen
                    .iter()
                    .map(|seen| (name_of(seen.flow), &seen.text))
                    .collect();
                panic!("{at} ms: no {output:?} after {input:?}; there is {all:#?}");
            };
            self.keep(seen);
        }
        self.none(&format!("{at} ms, {input:?}"));
    }

    fn keep(&mut self, seen: Seen) {
        let who = last(seen.flow);
        match seen.what().parse::<u16>() {
            Ok(_) => {
                if seen.flow == ALICE && self.alice.to_tag.is_empty() && !seen.tag("To").is_empty() {
                    self.alice.to_tag = seen.tag("To").into();
                }
                if seen.header("CSeq").ends_with("INVITE") {
                    self.told.insert(who, seen);
                }
            }
            Err(_) => {
                let method = seen.what().to_string();
                self.got.insert((who, method), seen);
            }
        }
    }

    fn input(&mut self, input: &str, targets: &[&str]) {
        let mut parts = input.split(" +");
        let words: Vec<&str> = parts.next().unwrap().split(' ').collect();
        let mut extra: String = parts.map(|line| format!("{line}\r\n")).collect();
        let body = matches!(words.last(), Some(&("sdp" | "other")));
        let (who, tag) = words[0].split_once('/').unwrap_or((words[0], words[0]));
        let flow = flow_of(who);
        let sdp = match (body, *words.last().unwrap()) {
            (false, _) => String::new(),
            (true, "other") => format!("{}a=sendonly\r\n", if who == "alice" { OFFER } else { ANSWER }),
            _ => (if who == "alice" { OFFER } else { ANSWER }).to_string(),
        };
        if words[1].parse::<u16>().is_ok() {
            let method = words.get(2).filter(|word| !matches!(**word, "sdp" | "other"));
            let method = method.copied().unwrap_or("INVITE");
            let request = self.got.get(&(last(flow), method.to_string()));
            let request = request.unwrap_or_else(|| panic!("{who} got no {method}"));
            let text = answer(request, words[1].parse().unwrap(), tag, &sdp);
            let text = text.replacen("Content-Length", &format!("{extra}Content-Length"), 1);
            self.b.rx(flow, &text);
            return;
        }
        let method = words[1];
        let cseq = self.cseqs.entry(last(flow)).or_insert(0);
        if !matches!(method, "ACK" | "CANCEL") && !extra.contains("again") {
            *cseq += 1;
        }
        extra = extra.replace("again\r\n", "");
        if extra.contains("RAck: ?") {
            let told = &self.told[&last(flow)];
            let cseq = told.header("CSeq");
            extra = extra.replace("RAck: ?", &format!("RAck: {} {cseq}", told.header("RSeq")));
        }
        let mut number = *cseq;
        if method == "ACK"
            && let Some(told) = self.told.get(&last(flow))
        {
            // Of the INVITE that it got its answer to.
            number = told.header("CSeq").split(' ').next().unwrap().parse().unwrap();
        }
        let text = if flow == ALICE {
            let alice = Caller {
                cseq: number,
                to_tag: match method {
                    "INVITE" if number == 1 => String::new(),
                    "CANCEL" => String::new(),
                    _ => self.alice.to_tag.clone(),
                },
                ..self.alice.clone()
            };
            let branch = match method {
                "CANCEL" | "INVITE" => format!("INVITE{number}"),
                "ACK" if self.told.get(&last(flow)).is_some_and(|told| told.what() >= "3") => {
                    format!("INVITE{number}")
                }
                method => format!("{method}{number}"),
            };
            alice.request(method, &branch, &sdp)
        } else {
            let invite = self.got.get(&(last(flow), "INVITE".to_string())).unwrap();
            // Within the first dialog, whatever the last INVITE was.
            let text = from_callee(invite, tag, method, number, &sdp);
            text.replace(&format!(";tag={tag};tag={tag}"), &format!(";tag={tag}"))
        };
        let text = text.replacen("Content-Length", &format!("{extra}Content-Length"), 1);
        if flow == ALICE && method == "INVITE" && number == 1 && self.call.is_none() {
            let received = self.b.hand_in(flow, &text);
            if !matches!(received, Receive::Invite { .. }) {
                self.b.drain();
                return;
            }
            let Receive::Invite { tx } = received else {
                unreachable!()
            };
            let message = Message::parse_datagram(text.as_bytes()).unwrap();
            let key = self
                .b
                .calls
                .open(self.b.now, tx, flow, &message, SESSION, 42, &mut Direct)
                .unwrap();
            let from = b"\"Alice\" <sip:alice@pbx>";
            self.b.calls.present(key, from, b"<sip:target@pbx>", b"").unwrap();
            for target in targets {
                let flow = flow_of(target);
                let uri = format!("sip:target@{}", flow.peer);
                let target = Target {
                    flow,
                    uri: uri.as_bytes(),
                    route: b"",
                    priority: Priority::Normal,
                    user: 0,
                };
                self.b.calls.dial(self.b.now, key, target).unwrap();
            }
            self.call = Some(key);
            self.b.drain();
            return;
        }
        self.b.rx(flow, &text);
    }
}
