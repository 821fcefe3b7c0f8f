//! A bench for calls: scripted peers that write and read their messages by string alone, and a clock that only moves when
//! told to.

use super::super::*;
use std::boxed::Box;
use std::collections::VecDeque;
use std::format;
use std::net::SocketAddr;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::Transport;

pub const SESSION: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

/// A peer: a phone by UDP, or the other end of a TCP connection where `stream` is not 0.
pub const fn peer(last: u8, stream: u16) -> Flow {
    use core::net::{IpAddr, Ipv4Addr};
    const fn address(last: u8) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), 5060)
    }
    Flow {
        transport: if stream == 0 {
            Transport::Udp
        } else {
            Transport::Tcp
        },
        interface: 0,
        stream,
        peer: address(last),
        local: address(1),
    }
}

pub const ALICE: Flow = peer(10, 0);
pub const BOB: Flow = peer(20, 0);
pub const CAROL: Flow = peer(30, 0);
pub const DAVE: Flow = peer(40, 0);
pub const TRUNK: Flow = peer(50, 7);

pub const OFFER: &str = "v=0\r\no=alice 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub const ANSWER: &str =
    "v=0\r\no=bob 1 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";

/// Which room the calls live in.
#[derive(Clone, Copy)]
pub enum Kind {
    Fixed,
    #[cfg(feature = "std")]
    Growable,
}

impl Kind {
    /// Room for so many transactions, calls, legs and blocks of texts.
    pub fn storage(
        self,
        transactions: usize,
        calls: usize,
        legs: usize,
        blocks: usize,
    ) -> Storage<'static, u32> {
        fn slice<T>(len: usize, empty: impl FnMut() -> T) -> crate::storage::Storage<'static, T> {
            let entries: Vec<T> = core::iter::repeat_with(empty).take(len).collect();
            crate::storage::Storage::Fixed(Box::leak(entries.into_boxed_slice()))
        }
        match self {
            Kind::Fixed => Storage {
                transactions: slice(transactions, || transaction::Slot::EMPTY),
                calls: slice(calls, || pool::Slot::EMPTY),
                legs: slice(legs, || pool::Slot::EMPTY),
                texts: slice(blocks, || text::Block::EMPTY),
            },
            #[cfg(feature = "std")]
            Kind::Growable => Storage::growable(transactions, calls, legs, blocks),
        }
    }
}

/// A message as a peer sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: u64,
    pub flow: Flow,
    pub text: String,
}

impl Seen {
    /// `INVITE` or `200`.
    pub fn what(&self) -> &str {
        let mut words = self.text.split(' ');
        match words.next() {
            Some("SIP/2.0") => words.next().unwrap_or_default(),
            method => method.unwrap_or_default(),
        }
    }

    /// The Request-URI.
    pub fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of the one header line of this name.
    pub fn header<'a>(&'a self, name: &'a str) -> &'a str {
        let mut lines = self.headers(name);
        let first = lines
            .next()
            .unwrap_or_else(|| panic!("no {name} in {}", self.text));
        assert_eq!(lines.next(), None, "{name} twice in {}", self.text);
        first
    }

    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n").filter_map(move |line| {
            let (n, value) = line.split_once(": ")?;
            (n == name).then_some(value)
        })
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
        value
            .split(';')
            .filter_map(|part| part.split_once('='))
            .find_map(|(n, v)| (n == name).then_some(v))
    }

    pub fn branch(&self) -> &str {
        Self::param(self.header("Via"), "branch").unwrap_or_default()
    }

    pub fn tag<'a>(&'a self, name: &'a str) -> &'a str {
        // The address itself has no parameters in these tests.
        Self::param(self.header(name), "tag").unwrap_or_default()
    }
}

/// What a peer answers with: the header lines of the request, its own tag, and a Contact.
pub fn answer(request: &Seen, status: u16, tag: &str, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status} Whatever\r\n");
    for line in request
        .text
        .split("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .split("\r\n")
    {
        let name = line.split(':').next().unwrap_or_default();
        if matches!(name, "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Record-Route") {
            text += line;
            if name == "To" && !line.contains(";tag=") && status > 100 {
                text += &format!(";tag={tag}");
            }
            text += "\r\n";
        }
    }
    if (101..300).contains(&status) && request.what() == "INVITE" {
        text += &format!("Contact: <sip:{tag}@{}>\r\n", request.flow.peer);
    }
    with_body(text, body)
}

pub fn with_body(mut text: String, body: &str) -> String {
    if !body.is_empty() {
        text += "Content-Type: application/sdp\r\n";
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The caller: writes its INVITE and what follows in the dialog.
#[derive(Clone)]
pub struct Caller {
    pub flow: Flow,
    pub id: String,
    pub to_tag: String,
    pub cseq: u32,
}

impl Caller {
    pub fn new(flow: Flow, id: &str) -> Self {
        Self {
            flow,
            id: id.into(),
            to_tag: String::new(),
            cseq: 1,
        }
    }

    /// A request; `tag` and CSeq are those of the dialog.
    pub fn request(&self, method: &str, branch: &str, body: &str) -> String {
        let tag = if self.to_tag.is_empty() {
            String::new()
        } else {
            format!(";tag={}", self.to_tag)
        };
        let cseq_method = if method == "ACK" { "ACK" } else { method };
        with_body(
            format!(
                "{method} sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{}{branch};rport\r\n\
                 Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example>;tag=a{}\r\nTo: <sip:bob@example>{tag}\r\n\
                 Call-ID: {}\r\nCSeq: {} {cseq_method}\r\nContact: <sip:alice@{}>\r\n",
                self.flow.transport.as_str(),
                self.flow.peer,
                self.id,
                self.id,
                self.id,
                self.cseq,
                self.flow.peer,
            ),
            body,
        )
    }
}

pub struct Bench {
    pub calls: Calls<'static, u32>,
    pub now: Instant,
    pub seen: VecDeque<Seen>,
    pub events: VecDeque<Event>,
    pub media: Direct,
}

impl Bench {
    pub fn new(kind: Kind) -> Self {
        Self::sized(kind, 64, 16, 64)
    }

    pub fn sized(kind: Kind, transactions: usize, calls: usize, legs: usize) -> Self {
        Self::with_blocks(kind, transactions, calls, legs, 40 * calls + 4 * legs)
    }

    pub fn with_blocks(kind: Kind, transactions: usize, calls: usize, legs: usize, blocks: usize) -> Self {
        let config = Config {
            agent: "bench",
            probe: Duration::from_secs(60),
            timers: Timers::default(),
            transfers: true,
        };
        Self {
            calls: Calls::new(kind.storage(transactions, calls, legs, blocks), [1, 2], config),
            now: Instant::from_millis(1_000),
            seen: VecDeque::new(),
            events: VecDeque::new(),
            media: Direct,
        }
    }

    pub fn drain(&mut self) {
        let mut buffer = [0; MESSAGE_MAX];
        for _ in 0..10_000 {
            let output = self.calls.poll(self.now, &mut buffer);
            self.calls.assert_sound();
            match output {
                None => return,
                Some(Output::Event(event)) => self.events.push_back(event),
                Some(Output::Transmit { flow, len }) => {
                    let text = std::str::from_utf8(&buffer[..len]).unwrap().to_string();
                    // What goes out must be readable by what reads.
                    if flow.is_reliable() {
                        Message::parse_stream(text.as_bytes())
                            .unwrap_or_else(|e| panic!("{:?}\n{text}", e.fault));
                    } else {
                        Message::parse_datagram(text.as_bytes())
                            .unwrap_or_else(|e| panic!("{:?}\n{text}", e.fault));
                    }
                    self.seen.push_back(Seen {
                        at: self.now.as_millis(),
                        flow,
                        text,
                    });
                }
            }
        }
        panic!("poll never ends");
    }

    /// A message arrives, and everything it causes comes out.
    pub fn rx(&mut self, flow: Flow, text: &str) -> Receive {
        let received = self.hand_in(flow, text);
        self.drain();
        received
    }

    pub fn hand_in(&mut self, flow: Flow, text: &str) -> Receive {
        let message =
            Message::parse_datagram(text.as_bytes()).unwrap_or_else(|e| panic!("{:?}\n{text}", e.fault));
        self.calls.receive(self.now, flow, &message, &mut self.media)
    }

    /// Time passes.
    pub fn wait(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        for _ in 0..100_000 {
            self.drain();
            match self.calls.next_deadline() {
                Some(at) if at <= until => self.now = self.now.max(at),
                _ => {
                    self.now = until;
                    self.drain();
                    return;
                }
            }
        }
        panic!("deadlines never end");
    }

    /// The INVITE of a caller is taken and rings the targets.
    pub fn call(&mut self, caller: &Caller, body: &str, targets: &[Flow]) -> Key {
        let text = caller.request("INVITE", "1", body);
        let key = self.open(caller.flow, &text).expect("a new call");
        for (user, target) in targets.iter().enumerate() {
            let uri = format!("sip:target@{}", target.peer);
            let target = Target {
                flow: *target,
                uri: uri.as_bytes(),
                route: b"",
                priority: Priority::Normal,
                user: user as u32,
            };
            self.calls.dial(self.now, key, target).expect("a branch");
        }
        self.drain();
        key
    }

    pub fn open(&mut self, flow: Flow, text: &str) -> Result<Key, Refusal> {
        let Receive::Invite { tx } = self.hand_in(flow, text) else {
            panic!("not taken as a new INVITE: {text}");
        };
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        let opened = self
            .calls
            .open(self.now, tx, flow, &message, SESSION, 42, &mut self.media);
        match opened {
            Ok(key) => {
                let from = b"\"Alice\" <sip:alice@pbx>";
                self.calls
                    .present(key, from, b"<sip:target@pbx>", b"X-Extra: 1\r\n")
                    .unwrap();
            }
            Err(refusal) => self
                .calls
                .reply(self.now, tx, flow, &message, refusal.status(), |_| {}),
        }
        self.drain();
        opened
    }

    /// The next message out, which must be this to this peer.
    #[track_caller]
    pub fn expect(&mut self, flow: Flow, what: &str) -> Seen {
        let place = self.seen.iter().position(|seen| seen.flow.peer == flow.peer);
        let seen = place.and_then(|place| self.seen.remove(place));
        let Some(seen) = seen else {
            panic!(
                "nothing to {}, wanted {what}; others: {:#?}",
                flow.peer, self.seen
            );
        };
        assert_eq!(seen.what(), what, "{}", seen.text);
        seen
    }

    /// Nothing more went out.
    #[track_caller]
    pub fn quiet(&mut self) {
        let left: Vec<_> = self.seen.drain(..).map(|seen| seen.text).collect();
        assert!(left.is_empty(), "unexpected: {left:#?}");
    }

    #[track_caller]
    pub fn event(&mut self) -> Event {
        self.events.pop_front().expect("an event")
    }

    /// The events since the last time.
    pub fn told(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    pub fn ends(&mut self) -> Vec<End> {
        self.told()
            .into_iter()
            .filter_map(|event| match event {
                Event::Ended { end, .. } => Some(end),
                _ => None,
            })
            .collect()
    }

    /// Everything that lingers is over after 64·T1 and some seconds: nothing may be left, and nothing was lost on the way.
    #[track_caller]
    pub fn nothing_left(&mut self) {
        self.wait(80_000);
        self.seen.clear();
        assert_eq!(self.calls.usage(), Usage::default());
        assert_eq!(self.calls.counters().overflow, 0);
        let next = self.calls.next_deadline();
        assert!(next.is_none(), "a deadline without anything to do: {next:?}");
    }

    /// A call from Alice to Bob, answered and acknowledged.
    pub fn talking(&mut self) -> Talking {
        let mut alice = Caller::new(ALICE, "c1");
        let key = self.call(&alice, OFFER, &[BOB]);
        let invite = self.expect(BOB, "INVITE");
        self.rx(BOB, &answer(&invite, 180, "bob", ""));
        self.rx(BOB, &answer(&invite, 200, "bob", ANSWER));
        self.expect(ALICE, "100");
        self.expect(ALICE, "180");
        alice.to_tag = self.expect(ALICE, "200").tag("To").to_string();
        self.rx(ALICE, &alice.request("ACK", "ack", ""));
        self.expect(BOB, "ACK");
        self.quiet();
        self.told();
        Talking {
            key,
            alice,
            bob: invite,
        }
    }
}

/// An answered call.
pub struct Talking {
    pub key: Key,
    pub alice: Caller,
    /// The INVITE as Bob got it.
    pub bob: Seen,
}

impl Talking {
    /// A request of Bob's within the dialog.
    pub fn bob_sends(&self, method: &str, cseq: u32, body: &str) -> String {
        from_callee(&self.bob, "bob", method, cseq, body)
    }
}

/// A request of the called side within the dialog that `invite` made.
pub fn from_callee(invite: &Seen, tag: &str, method: &str, cseq: u32, body: &str) -> String {
    with_body(
        format!(
            "{method} sip:pbx@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{tag}{method}{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{tag}@{}>\r\n",
            invite.flow.transport.as_str(),
            invite.flow.peer,
            invite.header("To"),
            invite.header("From"),
            invite.header("Call-ID"),
            invite.flow.peer,
        ),
        body,
    )
}
