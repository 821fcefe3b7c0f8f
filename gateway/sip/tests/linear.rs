//! No input makes reading or answering allocate, or take more than linear time. Time is instructions, counted by valgrind:
//! the test runs itself under it.
use sip::b2bua::{Calls, Config, Direct, Output, Receive, Storage, Target};
use sip::digest::{Challenge, Credentials};
use sip::header::Name;
use sip::sdp::{Edit, Sdp, rewrite};
use sip::transaction::{self, Priority, Timers};
use sip::{Flow, Framer, Instant, Message, Transport, Uri, Writer, write_response_head};
use sip::{pool, text};
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

/// What hurts readers that look twice: a message of about `size` bytes that is full of it.
type Family = (&'static str, fn(usize) -> Vec<u8>);

/// `unit` so often that it fills `size` bytes.
fn fill(unit: &str, size: usize) -> String {
    unit.repeat(size / unit.len())
}

/// A request with these header lines, or with this body.
fn request(lines: &str, body: &str) -> Vec<u8> {
    let own = ["From:", "To:", "Via:", "Contact:"].map(|name| lines.contains(name));
    let given = |n: usize, line| if own[n] { "" } else { line };
    format!(
        "INVITE sip:b@box SIP/2.0\r\n{}{}{}Call-ID: x\r\nCSeq: 1 INVITE\r\n{}{lines}Content-Length: {}\r\n\r\n{body}",
        given(2, "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n"),
        given(0, "From: <sip:a@box>;tag=1\r\n"),
        given(1, "To: <sip:b@box>\r\n"),
        given(3, "Contact: <sip:a@192.0.2.9>\r\n"),
        body.len(),
    )
    .into_bytes()
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";

/// As many lines as a message may have, each full of the unit.
fn lines(name: &str, unit: &str, size: usize) -> Vec<u8> {
    let line = format!("{name}: {}\r\n", fill(unit, size / 58));
    request(&line.repeat(58), "")
}

const FAMILIES: [Family; 34] = [
    ("parameters of From", |n| {
        request(&format!("From: <sip:a@box>;tag=1{}\r\n", fill(";a=b", n)), "")
    }),
    ("empty parameters", |n| {
        request(&format!("From: <sip:a@box>;tag=1{}\r\n", fill(";", n)), "")
    }),
    ("quoted parameters", |n| {
        request(&format!("From: <sip:a@box>;tag=1{}\r\n", fill(";a=\";\"", n)), "")
    }),
    ("parameters of a URI", |n| {
        request(&format!("Contact: <sip:a@b{}>\r\n", fill(";a=b", n)), "")
    }),
    ("headers of a URI", |n| {
        request(&format!("Contact: <sip:a@b?{}>\r\n", fill("a=b&", n)), "")
    }),
    ("escapes", |n| {
        request(&format!("Contact: <sip:{}@b>\r\n", fill("%41", n)), "")
    }),
    ("at signs", |n| {
        request(&format!("Contact: <sip:{}b>\r\n", fill("a@", n)), "")
    }),
    ("commas", |n| {
        request(&format!("Contact: {}\r\n", fill(",", n)), "")
    }),
    ("contacts", |n| {
        request(&format!("Contact: <sip:a@b>{}\r\n", fill(",<sip:a@b>", n)), "")
    }),
    ("recorded routes", |n| {
        request(&format!("Record-Route: <sip:a>{}\r\n", fill(",<sip:a>", n)), "")
    }),
    ("escaped quotes", |n| {
        request(
            &format!("From: \"{}\" <sip:a@box>;tag=1\r\n", fill("\\\"", n)),
            "",
        )
    }),
    ("lead bytes", |n| {
        let mut bytes = request(&format!("From: \"{}\" <sip:a@box>;tag=1\r\n", fill("~\\", n)), "");
        bytes.iter_mut().filter(|b| **b == b'~').for_each(|b| *b = 0x83);
        bytes
    }),
    ("empty quotes", |n| {
        request(&format!("Warning: {}\r\n", fill("\"\"", n)), "")
    }),
    ("quotes and commas", |n| {
        request(&format!("Warning: {}\r\n", fill("\",\",", n)), "")
    }),
    ("open quotes", |n| {
        request(&format!("Warning: {}\r\n", fill("a,\"", n)), "")
    }),
    ("open brackets", |n| {
        request(&format!("Warning: {}\r\n", fill("<,", n)), "")
    }),
    ("brackets", |n| {
        request(&format!("Route: {}\r\n", fill("<a>,", n)), "")
    }),
    ("folds", |n| {
        request(&format!("Subject: a{}\r\n", fill("\r\n b", n)), "")
    }),
    ("empty folds", |n| {
        request(&format!("Subject: a{}b\r\n", fill("\r\n ", n)), "")
    }),
    ("white space", |n| {
        request(
            &format!("Via: SIP/2.0/UDP h;a{}=b;branch=z9hG4bK1\r\n", fill(" ", n)),
            "",
        )
    }),
    ("white space between parameters", |n| {
        request(&format!("Accept: a{}\r\n", fill("  ;  a", n)), "")
    }),
    ("bare line ends", |n| {
        request(&format!("Subject: a{}\r\n", fill("\r", n)), "")
    }),
    ("Vias in a line", |n| {
        let via = "SIP/2.0/UDP h;rport;branch=z9hG4bK1";
        request(&format!("Via: {via}{}\r\n", fill(&format!(",{via}"), n)), "")
    }),
    ("parameters of Via", |n| {
        request(
            &format!("Via: SIP/2.0/UDP h;branch=z9hG4bK1{}\r\n", fill(";rport", n)),
            "",
        )
    }),
    ("64 lines of commas", |n| lines("Require", "a,", n)),
    ("64 lines of credentials", |n| {
        lines("Authorization", "Digest a=\"b\",", n)
    }),
    ("64 lines of reasons", |n| lines("Reason", "SIP;cause=200,", n)),
    ("more than 64 lines", |n| request(&fill("X: a\r\n", n), "")),
    ("credentials", |n| {
        request(&format!("Authorization: Digest {}\r\n", fill("a=\"b\",", n)), "")
    }),
    ("a long start line", |n| {
        let long = format!("INVITE sip:{}@box SIP/2.0", fill("a ", n));
        String::from_utf8(request("", ""))
            .unwrap()
            .replacen("INVITE sip:b@box SIP/2.0", &long, 1)
            .into_bytes()
    }),
    ("payload types", |n| {
        let rtpmaps = fill("a=rtpmap:9 PCMU/8000\r\n", n / 2);
        request(
            "",
            &format!("{SDP}m=audio 4000 RTP/AVP{}\r\n{rtpmaps}", fill(" 9", n / 2)),
        )
    }),
    ("media", |n| {
        let session = fill("a=x\r\n", n / 2);
        request("", &format!("{SDP}{session}{}", fill("m=a 1 b c\r\n", n / 2)))
    }),
    ("lines of a description", |n| {
        request("", &format!("{SDP}m=a 1 b c\r\n{}", fill("a=x\r\n", n)))
    }),
    ("lines without letters", |n| {
        request("", &format!("{SDP}m=a 1 b c\r\n{}", fill("\n", n)))
    }),
];

/// Room for whatever is made of an input; taken before anything is counted.
struct Bench {
    stream: Vec<u8>,
    out: Vec<u8>,
    flow: Flow,
}

impl Bench {
    fn new() -> Self {
        let peer = "192.0.2.9:5060".parse().unwrap();
        Bench {
            stream: vec![0; 1 << 16],
            out: vec![0; 1 << 18],
            flow: Flow {
                transport: Transport::Udp,
                interface: 0,
                stream: 0,
                peer,
                local: "192.0.2.1:5060".parse().unwrap(),
            },
        }
    }

    /// Everything that is read of a message, and its answer.
    fn read(&mut self, bytes: &[u8]) {
        let mut framer = Framer::accepted(&mut self.stream[..]);
        black_box((framer.push(bytes), framer.next().is_some()));
        let rejected = Message::parse_datagram(bytes);
        let message = match &rejected {
            Ok(message) => Some(message.clone()),
            Err(rejected) => rejected.request(),
        };
        let Some(m) = message else { return };
        for &name in Name::ALL {
            black_box((
                m.item(name).map(|i| i.params.is_valid()),
                m.number(name),
                m.values(name).count(),
            ));
            for address in m.addresses(name) {
                let uri = address.parsed_uri();
                black_box((
                    address.tag(),
                    uri.and_then(|u| u.unescaped_user(&mut self.out).map(<[u8]>::len)),
                ));
                black_box(uri.is_some_and(|u| u.equivalent(&u)));
            }
            for auth in m.auths(name) {
                black_box((Credentials::parse(&auth), Challenge::parse(&auth)));
            }
        }
        black_box((
            m.via(),
            m.cseq(),
            m.reasons().count(),
            m.supports("x"),
            m.screen(&["x"]).is_ok(),
            m.remote_target(),
        ));
        black_box(m.request_uri().and_then(Uri::parse));
        if let Some(sdp) = Sdp::parse(m.body()) {
            for medium in sdp.media() {
                black_box((
                    medium.codecs().count(),
                    medium.telephone_event(),
                    medium.is_held(),
                ));
            }
            let target = "192.0.2.1:4000".parse().unwrap();
            black_box(rewrite(&sdp, &mut self.out, None, |_, _| Edit::at(target)).is_ok());
        }
        let mut w = Writer::new(&mut self.out);
        write_response_head(&mut w, &m, 200, Some("t"), self.flow.peer);
        w.copy(&m, Name::RecordRoute);
        black_box(w.finish_empty().is_ok());
    }

    /// The message makes a call, or is refused; what it said comes back as the answer to the call's own INVITE.
    fn call(&mut self, calls: &mut Calls<'_, ()>, bytes: &[u8], answer: &[u8]) {
        let now = Instant::from_millis(1_000);
        let Ok(message) = Message::parse_datagram(bytes) else {
            return;
        };
        let Receive::Invite { tx } = calls.receive(now, self.flow, &message, &mut Direct) else {
            return;
        };
        match calls.open(now, tx, self.flow, &message, [b'0'; 32], (), &mut Direct) {
            Ok(_) => {}
            Err(refusal) => calls.reply(now, tx, self.flow, &message, refusal.status(), |_| {}),
        }
        while let Some(output) = calls.poll(now, &mut self.out) {
            black_box(output);
        }
        if let Ok(message) = Message::parse_datagram(answer) {
            calls.receive(now, self.flow, &message, &mut Direct);
        }
        while let Some(output) = calls.poll(now, &mut self.out) {
            black_box(output);
        }
    }
}

/// A machine that has sent an INVITE, and the 200 to it with the lines of `bytes`.
fn calling(bench: &mut Bench, bytes: &[u8]) -> (Calls<'static, ()>, Vec<u8>) {
    let storage = Storage {
        transactions: Box::leak(Box::new([transaction::Slot::EMPTY; 8])).into(),
        calls: Box::leak(Box::new([const { pool::Slot::EMPTY }; 2])).into(),
        legs: Box::leak(Box::new([const { pool::Slot::EMPTY }; 4])).into(),
        texts: Box::leak(Box::new([text::Block::EMPTY; 1_000])).into(),
    };
    let config = Config {
        agent: "test",
        probe: Duration::from_secs(60),
        timers: Timers::default(),
        transfers: true,
    };
    let (now, mut calls) = (Instant::from_millis(1_000), Calls::new(storage, [1, 2], config));
    let plain = String::from_utf8(request("", SDP))
        .unwrap()
        .replace("z9hG4bK1", "z9hG4bK2");
    let message = Message::parse_datagram(plain.as_bytes()).unwrap();
    let Receive::Invite { tx } = calls.receive(now, bench.flow, &message, &mut Direct) else {
        panic!("no INVITE")
    };
    let call = calls
        .open(now, tx, bench.flow, &message, [b'0'; 32], (), &mut Direct)
        .unwrap();
    calls.present(call, b"<sip:a@box>", b"<sip:b@box>", b"").unwrap();
    let target = Target {
        flow: bench.flow,
        uri: b"sip:b@192.0.2.9",
        route: b"",
        priority: Priority::Normal,
        user: 0,
    };
    calls.dial(now, call, target).unwrap();
    let mut answer = Vec::new();
    while let Some(output) = calls.poll(now, &mut bench.out) {
        let Output::Transmit { len, .. } = output else {
            continue;
        };
        if let Some(invite) = Message::parse_datagram(&bench.out[..len])
            .ok()
            .filter(Message::is_request)
        {
            let mut buffer = vec![0; bytes.len() + 4_000];
            let mut w = Writer::new(&mut buffer);
            w.status(200, "")
                .copy(&invite, Name::Via)
                .copy(&invite, Name::From);
            w.raw(b"To: ")
                .raw(invite.header(Name::To).unwrap())
                .raw(b";tag=t\r\n");
            w.copy(&invite, Name::CallId).copy(&invite, Name::CSeq);
            if let Ok(m) = Message::parse_datagram(bytes) {
                let of_their_own = [
                    Name::Via,
                    Name::From,
                    Name::To,
                    Name::CallId,
                    Name::CSeq,
                    Name::ContentLength,
                ];
                for (name, _, value) in m.all().filter(|(name, ..)| !of_their_own.contains(name)) {
                    w.header_bytes(name, value);
                }
            }
            let len = w.finish_empty().unwrap();
            answer = buffer[..len].to_vec();
        }
    }
    assert!(!answer.is_empty());
    (calls, answer)
}

/// The sizes compared, in bytes.
const SIZES: [usize; 2] = [6_000, 24_000];

/// What valgrind counts, each time for itself; it knows it by its name.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

/// Under valgrind: everything once, in order.
#[test]
#[ignore = "only as part of the next test"]
fn work() {
    let mut bench = Bench::new();
    for (_, family) in FAMILIES {
        for size in SIZES {
            let bytes = family(size);
            let (mut calls, answer) = calling(&mut bench, &bytes);
            counted(&mut || bench.read(&bytes));
            counted(&mut || bench.call(&mut calls, &bytes, &answer));
        }
    }
}

/// Most instructions a byte, not optimised: it is looked at for each of 66 headers, and again for the answer.
const MOST: f64 = 10_000.0;

/// Four times the bytes take no more than four times the instructions, and a tenth.
#[test]
fn time_is_linear() {
    let folder = env::temp_dir().join(format!("sip-linear-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let out = folder.join("callgrind");
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=*::counted",
            "--dump-after=linear::counted",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe().unwrap())
        .args(["--exact", "work", "--ignored", "--test-threads=1"])
        .output()
        .expect("valgrind counts instructions: cargo x setup");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut parts = (1..).map(|n| {
        let text = fs::read_to_string(format!("{}.{n}", out.display())).expect("a part for each operation");
        let line = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
        line.and_then(|count| count.trim().parse::<u64>().ok())
            .expect("a count")
    });
    let mut wrong = Vec::new();
    for (name, family) in FAMILIES {
        let costs = SIZES.map(|size| {
            let bytes = family(size).len() as f64;
            let mut cost = || parts.next().unwrap() as f64 / bytes;
            [cost(), cost()]
        });
        for (what, [small, large]) in ["reading", "call"]
            .iter()
            .zip([0, 1].map(|n| costs.map(|c| c[n])))
        {
            println!("{small:8.1} {large:8.1} instructions a byte: {what}, {name}");
            if large > small * 1.1 || large > MOST {
                wrong.push(format!(
                    "{what}, {name}: {small:.1} and {large:.1} instructions a byte"
                ));
            }
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_allocated() {
    let mut bench = Bench::new();
    let mut inputs: Vec<Vec<u8>> = FAMILIES.iter().map(|(_, family)| family(SIZES[1])).collect();
    for folder in ["field", "rfc4475"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(folder);
        inputs.extend(
            fs::read_dir(folder)
                .unwrap()
                .map(|entry| fs::read(entry.unwrap().path()).unwrap()),
        );
    }
    assert!(inputs.len() > 200);
    for bytes in &inputs {
        let (mut calls, answer) = calling(&mut bench, bytes);
        let used = allocation_counter::measure(|| {
            bench.read(bytes);
            bench.call(&mut calls, bytes, &answer);
        });
        assert_eq!(
            used.count_total,
            0,
            "{}",
            bytes[..bytes.len().min(300)].escape_ascii()
        );
    }
}
