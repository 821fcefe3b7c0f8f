//! Two exchanges that send each call on to each other, to one target or to several at once: it ends, after a bounded number
//! of messages.

use super::*;

const X: u8 = 1;
const Y: u8 = 2;

fn between(local: u8, other: u8) -> Flow {
    Flow {
        local: peer(local, 0).peer,
        ..peer(other, 0)
    }
}

/// What they do.
#[derive(Clone, Copy)]
struct Rule {
    /// Targets that each call rings at once.
    branches: usize,
    /// The call keeps its name (RFC 7989).
    named: bool,
}

struct Ring {
    rule: Rule,
    x: Calls<'static, u32>,
    y: Calls<'static, u32>,
    /// Whom it is for, where from, what.
    wire: VecDeque<(u8, u8, Vec<u8>)>,
    invites: usize,
    /// The last answer to Alice.
    last: u16,
}

impl Ring {
    fn new(rule: Rule) -> Self {
        let calls = || {
            let config = Config {
                agent: "ring",
                probe: Duration::from_secs(60),
                timers: Timers::default(),
                transfers: false,
            };
            Calls::new(Kind::Fixed.storage(8_000, 2_000, 4_000, 80_000), [1, 2], config)
        };
        Self {
            rule,
            x: calls(),
            y: calls(),
            wire: VecDeque::new(),
            invites: 0,
            last: 0,
        }
    }

    /// Alice calls; until nothing is on its way any more.
    fn run(&mut self, more: &str) -> (u16, usize) {
        let text = Caller::new(ALICE, "c1").request("INVITE", "1", OFFER);
        let text = text.replacen("Contact:", &format!("{more}Contact:"), 1);
        self.wire.push_back((X, 10, text.into_bytes()));
        while let Some((to, from, bytes)) = self.wire.pop_front() {
            assert!(self.invites < 10_000, "it ends");
            match to {
                X | Y => self.hear(to, from, &bytes),
                _ => {
                    let text = String::from_utf8(bytes).unwrap();
                    self.last = text.split(' ').nth(1).unwrap().parse().unwrap();
                }
            }
        }
        (self.last, self.invites)
    }

    fn hear(&mut self, at: u8, from: u8, bytes: &[u8]) {
        let now = Instant::from_millis(1_000);
        let message = Message::parse_datagram(bytes).unwrap();
        let flow = between(at, from);
        let (rule, other) = (self.rule, if at == X { Y } else { X });
        let calls = if at == X { &mut self.x } else { &mut self.y };
        if let Receive::Invite { tx } = calls.receive(now, flow, &message, &mut Direct) {
            self.invites += 1;
            let mut session = SESSION;
            if !rule.named {
                session[..8].copy_from_slice(format!("{:08x}", self.invites).as_bytes());
            }
            let opened = match message.screen(&[]) {
                Ok(()) => calls
                    .open(now, tx, flow, &message, session, 0, &mut Direct)
                    .map_err(Refusal::status),
                Err(fault) => Err(fault.status().unwrap()),
            };
            match opened {
                Ok(key) => {
                    calls.present(key, b"<sip:a@x>", b"<sip:b@x>", b"").unwrap();
                    let mut refused = 0;
                    for branch in 0..rule.branches {
                        let target = Target {
                            flow: between(at, other),
                            uri: &format!("sip:{other}-{branch}@192.0.2.{other}").into_bytes(),
                            route: b"",
                            priority: Priority::Normal,
                            user: 0,
                        };
                        if let Err(refusal) = calls.dial(now, key, target) {
                            assert_eq!(refusal, Refusal::Breadth);
                            refused += 1;
                        }
                    }
                    if refused == rule.branches {
                        calls.refuse(now, key, Refusal::Breadth.status(), None);
                    }
                }
                Err(status) => calls.reply(now, tx, flow, &message, status, |_| {}),
            }
        }
        let mut buffer = [0; 4_096];
        while let Some(output) = calls.poll(now, &mut buffer) {
            match output {
                Output::Transmit { flow, len } => {
                    let std::net::IpAddr::V4(to) = flow.peer.ip() else {
                        panic!()
                    };
                    self.wire.push_back((to.octets()[3], at, buffer[..len].to_vec()));
                }
                Output::Event(Event::Exhausted { call, status }) => calls.refuse(now, call, status, None),
                Output::Event(_) => {}
            }
        }
    }
}

#[test]
fn a_ring_ends() {
    let rule = |branches, named| Rule { branches, named };
    let table = [
        // The call is known again: by X when Y sends it on for the second time.
        (rule(1, true), "", 482, 4..=4),
        (rule(2, true), "", 482, 4..=20),
        // Somebody between takes its name away: the hops end it, and its breadth keeps it from growing with each.
        (rule(1, false), "", 483, 71..=71),
        (rule(2, false), "Max-Breadth: 8\r\n", 483, 71..=8 * 71),
        (rule(2, false), "Max-Breadth: 1\r\n", 483, 71..=71),
        (rule(2, false), "Max-Breadth: 0\r\n", 440, 1..=1),
    ];
    for (rule, more, status, invites) in table {
        let (got, count) = Ring::new(rule).run(more);
        assert_eq!(got, status, "{more} {count}");
        assert!(invites.contains(&count), "{more}: {count} INVITEs");
    }
}

#[test]
fn the_same_call_by_another_way_is_taken() {
    let mut b = Bench::new(Kind::Fixed);
    let first = Caller::new(ALICE, "c1").request("INVITE", "1", OFFER);
    let named = |text: &str| {
        text.replacen(
            "Contact:",
            &format!("Session-ID: {}\r\nContact:", "0123456789abcdef0123456789abcdef"),
            1,
        )
    };
    b.open(ALICE, &named(&first)).unwrap();
    // From somebody else, for somebody else, under another name, or not named: another call.
    let other = Caller::new(BOB, "c2").request("INVITE", "2", OFFER);
    b.open(BOB, &named(&other)).unwrap();
    let again = Caller::new(ALICE, "c3").request("INVITE", "3", OFFER);
    b.open(ALICE, &named(&again.replacen("sip:bob@", "sip:carol@", 1)))
        .unwrap();
    b.open(
        ALICE,
        &named(&again)
            .replace(
                "0123456789abcdef0123456789abcdef",
                "f123456789abcdef0123456789abcdef",
            )
            .replace("bKc3", "bKc4"),
    )
    .unwrap();
    b.open(ALICE, &again.replace("bKc3", "bKc5")).unwrap();
    assert_eq!(b.calls.counters().loops, 0);
    assert_eq!(
        b.open(ALICE, &named(&again).replace("bKc3", "bKc6")),
        Err(Refusal::Loop)
    );
    assert_eq!((Refusal::Loop.status(), b.calls.counters().loops), (482, 1));
}

/// Those that ring together share what there is; some is left for those that come later, and comes back from those that fail.
#[test]
fn breadth_is_shared() {
    let mut b = Bench::new(Kind::Fixed);
    let text = Caller::new(ALICE, "c1").request("INVITE", "1", OFFER);
    let key = b
        .open(ALICE, &text.replacen("Contact:", "Max-Breadth: 8\r\nContact:", 1))
        .unwrap();
    let dial = |b: &mut Bench, flow: Flow| {
        let target = Target {
            flow,
            uri: b"sip:x@192.0.2.20",
            route: b"",
            priority: Priority::Normal,
            user: 0,
        };
        b.calls.dial(b.now, key, target)
    };
    let share = |b: &mut Bench, flow| b.expect(flow, "INVITE").header("Max-Breadth").to_string();
    dial(&mut b, BOB).unwrap();
    dial(&mut b, CAROL).unwrap();
    b.drain();
    let invite = b.seen.iter().find(|seen| seen.flow == BOB).cloned().unwrap();
    assert_eq!([share(&mut b, BOB), share(&mut b, CAROL)], ["3", "4"]);
    dial(&mut b, DAVE).unwrap();
    b.drain();
    assert_eq!(share(&mut b, DAVE), "1");
    assert_eq!(dial(&mut b, TRUNK), Err(Refusal::Breadth));
    b.rx(BOB, &answer(&invite, 486, "bob", ""));
    dial(&mut b, TRUNK).unwrap();
    b.drain();
    assert_eq!(share(&mut b, TRUNK), "3");
}
