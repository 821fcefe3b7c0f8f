//! What a call costs: as many instructions among twenty thousand others as among ten, and so many blocks of texts. Instructions
//! are counted by valgrind: the test runs itself under it.
#![cfg(feature = "std")]

use sip::b2bua::{Calls, Config, Direct, MESSAGE_MAX, Output, Receive, Storage, Target};
use sip::header::Name;
use sip::transaction::{Priority, Timers};
use sip::{Flow, Instant, Message, Transport, Writer};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 5004 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// One of 250 phones.
fn phone(n: usize) -> Flow {
    Flow {
        transport: Transport::Udp,
        interface: 0,
        stream: 0,
        peer: format!("192.0.2.{}:5060", 2 + n % 250).parse().unwrap(),
        local: "192.0.2.1:5060".parse().unwrap(),
    }
}

struct World {
    calls: Calls<'static, ()>,
    now: Instant,
    sent: Vec<(Flow, Vec<u8>)>,
    buffer: Vec<u8>,
    counts: bool,
}

/// What valgrind counts, each time for itself.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

impl World {
    fn new(calls: usize) -> Self {
        let storage = Storage::growable(8 * calls, calls, 2 * calls, 64 * calls);
        let config = Config {
            agent: "test",
            probe: Duration::from_secs(100_000),
            timers: Timers::default(),
            transfers: false,
        };
        Self {
            calls: Calls::new(storage, [1, 2], config),
            now: Instant::from_millis(1_000),
            sent: Vec::new(),
            buffer: vec![0; MESSAGE_MAX],
            counts: false,
        }
    }

    fn give(&mut self, flow: Flow, message: &[u8]) {
        match self.counts {
            true => counted(&mut || self.receive(flow, message)),
            false => self.receive(flow, message),
        }
    }

    /// All that the calls do with a message, and what they make of it.
    fn receive(&mut self, flow: Flow, message: &[u8]) {
        let message = Message::parse_datagram(message).expect("a message");
        match self.calls.receive(self.now, flow, &message, &mut Direct) {
            Receive::Invite { tx } => {
                let id = [b'0'; 32];
                let opened = self.calls.open(self.now, tx, flow, &message, id, (), &mut Direct);
                let Ok(call) = opened else { return };
                let shown = [&b"\"Somebody\" <"[..], message.from().expect("a From").uri, b">"].concat();
                self.calls
                    .present(call, &shown, b"<sip:b@box>", b"")
                    .expect("room");
                let to = Flow {
                    peer: (flow.peer.ip(), 5_062).into(),
                    ..flow
                };
                let target = Target {
                    flow: to,
                    uri: b"sip:b@192.0.2.99:5062;transport=udp",
                    route: b"",
                    priority: Priority::Normal,
                    user: 0,
                };
                self.calls.dial(self.now, call, target).expect("room");
            }
            Receive::Refer { .. } | Receive::Done => {}
            Receive::Request { .. } => panic!("a stray request"),
        }
        while let Some(output) = self.calls.poll(self.now, &mut self.buffer) {
            if let Output::Transmit { flow, len } = output {
                self.sent.push((flow, self.buffer[..len].to_vec()));
            }
        }
    }

    /// What goes out to that peer and begins so.
    fn take(&mut self, to: &Flow, begin: &str) -> Vec<u8> {
        let at = self
            .sent
            .iter()
            .position(|(flow, bytes)| flow.peer == to.peer && bytes.starts_with(begin.as_bytes()));
        self.sent.remove(at.expect(begin)).1
    }

    /// From INVITE to the ACK of both sides. Gives what the caller's BYE is written from.
    fn set_up(&mut self, n: usize) -> (Flow, Vec<u8>) {
        let (caller, callee) = (phone(n), called(n));
        self.give(caller, &invite(n));
        let ours = self.take(&callee, "INVITE");
        self.give(callee, &respond(&ours, 180, b""));
        self.give(callee, &respond(&ours, 200, SDP.as_bytes()));
        let ok = self.take(&caller, "SIP/2.0 200");
        self.give(caller, &within(&ok, "ACK", 1));
        self.sent.clear();
        (caller, ok)
    }

    /// INVITE, 180, 200, ACK, BYE, 200 on both sides.
    fn whole(&mut self, n: usize) {
        let (caller, ok) = self.set_up(n);
        self.give(caller, &within(&ok, "BYE", 2));
        let bye = self.take(&called(n), "BYE");
        self.give(called(n), &respond(&bye, 200, b""));
        self.sent.clear();
    }
}

fn called(n: usize) -> Flow {
    let flow = phone(n);
    Flow {
        peer: (flow.peer.ip(), 5_062).into(),
        ..flow
    }
}

fn invite(n: usize) -> Vec<u8> {
    format!(
        "INVITE sip:b@box SIP/2.0\r\nVia: SIP/2.0/UDP {0};branch=z9hG4bK{n:08};rport\r\nMax-Forwards: 70\r\n\
         From: \"Phone\" <sip:a@box>;tag=t{n}\r\nTo: <sip:b@box>\r\nCall-ID: c{n}@192.0.2.9\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:a@{0}>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nContent-Type: application/sdp\r\n\
         Content-Length: {1}\r\n\r\n{SDP}",
        phone(n).peer,
        SDP.len(),
    )
    .into_bytes()
}

/// The called side's answer.
fn respond(request: &[u8], status: u16, body: &[u8]) -> Vec<u8> {
    let request = Message::parse_datagram(request).expect("what is sent is a message");
    let mut buffer = vec![0; MESSAGE_MAX];
    let mut w = Writer::new(&mut buffer);
    w.status(status, "")
        .copy(&request, Name::Via)
        .copy(&request, Name::From);
    let to = request.header(Name::To).unwrap();
    let tag: &[u8] = if request.to().unwrap().tag().is_some() {
        b""
    } else {
        b";tag=4f2c7b1e9a"
    };
    w.raw(b"To: ").raw(to).raw(tag).raw(b"\r\n");
    w.copy(&request, Name::CallId)
        .copy(&request, Name::CSeq)
        .header(Name::Contact, "<sip:b@192.0.2.99:5062;transport=udp>");
    let len = w.body("application/sdp", body).unwrap();
    buffer.truncate(len);
    buffer
}

/// The caller's request in the dialog that the 200 made.
fn within(ok: &[u8], method: &str, cseq: u32) -> Vec<u8> {
    let ok = Message::parse_datagram(ok).expect("what is sent is a message");
    let mut buffer = vec![0; MESSAGE_MAX];
    let mut w = Writer::new(&mut buffer);
    let branch = format!("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{method}");
    w.raw(format!("{method} sip:192.0.2.1 SIP/2.0\r\n").as_bytes())
        .raw(b"Via: ")
        .raw(branch.as_bytes())
        .raw(ok.call_id().unwrap())
        .raw(b"\r\n")
        .copy(&ok, Name::From)
        .copy(&ok, Name::To)
        .copy(&ok, Name::CallId);
    w.header(Name::CSeq, format_args!("{cseq} {method}"));
    let len = w.finish_empty().unwrap();
    buffer.truncate(len);
    buffer
}

/// How many other calls there are.
const OTHERS: [usize; 3] = [10, 1_000, 20_000];

/// Under valgrind: a few whole calls among others, all of them begun just now, so that nothing of them has ended yet.
#[test]
#[ignore = "only as part of the next test"]
fn work() {
    for others in OTHERS {
        let mut world = World::new(others + 100);
        for n in 0..others {
            world.set_up(n);
        }
        // Once for the tables to grow.
        world.whole(others);
        world.counts = true;
        for n in 1..=MEAN {
            world.whole(others + n);
        }
    }
}

/// How many calls are counted, and in how many parts each.
const MEAN: usize = 8;
const PARTS: usize = 6;

#[test]
fn a_call_costs_the_same_among_any_number() {
    let folder = env::temp_dir().join(format!("sip-calls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let out = folder.join("callgrind");
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=*::counted",
            "--dump-after=calls::counted",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe().unwrap())
        .args(["--exact", "work", "--ignored", "--test-threads=1"])
        .output()
        .expect("valgrind counts instructions: cargo x setup");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut parts = (1..).map(|n| {
        let text = fs::read_to_string(format!("{}.{n}", out.display())).expect("a part for each message");
        let line = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
        line.and_then(|count| count.trim().parse::<f64>().ok())
            .expect("a count")
    });
    let counts = OTHERS.map(|_| parts.by_ref().take(MEAN * PARTS).sum::<f64>() / MEAN as f64);
    for (others, count) in OTHERS.iter().zip(counts) {
        println!("{count:10.0} instructions of a call among {others}");
    }
    fs::remove_dir_all(&folder).unwrap();
    assert!(counts.iter().all(|count| *count < counts[0] * 1.1), "{counts:?}");
}

/// Each INVITE of the field that can be taken, answered with a description as large as its own. Printed with `--nocapture`;
/// the box's budget (`gateway/src/budget.rs`) is made from it.
#[test]
fn blocks_of_the_fields_calls() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field");
    let mut taken = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let Ok(message) = Message::parse_datagram(&bytes) else {
            continue;
        };
        let fresh = message.to().is_some_and(|to| to.tag().is_none()) && message.remote_target().is_some();
        if !message.is_request()
            || message.method() != sip::Method::Invite
            || !fresh
            || message.body().is_empty()
        {
            continue;
        }
        let mut world = World::new(2);
        world.receive(phone(0), &bytes);
        let Some(at) = world
            .sent
            .iter()
            .position(|(_, sent)| sent.starts_with(b"INVITE"))
        else {
            continue;
        };
        let (to, ours) = world.sent.remove(at);
        let ringing = world.calls.usage().blocks;
        world.receive(to, &respond(&ours, 200, message.body()));
        taken.push((world.calls.usage().blocks, ringing, path));
    }
    taken.sort();
    for (answered, ringing, path) in &taken {
        println!(
            "{answered:3} {ringing:3} blocks, answered and ringing: {}",
            path.file_name().unwrap().display()
        );
    }
    let mean = taken.iter().map(|(blocks, ..)| blocks).sum::<usize>() as f64 / taken.len() as f64;
    println!("{mean:.1} blocks, {} calls", taken.len());
    assert!(taken.len() > 10);
    assert!(
        mean <= 21.0 && taken.iter().all(|(blocks, ..)| *blocks <= 29),
        "{mean}"
    );
}
