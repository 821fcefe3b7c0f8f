//! Calls: the back-to-back user agent among peers, an owner and a network that do whatever the bytes say.

use crate::script::Script;
use sip::b2bua::{
    Calls, Config, Event, MESSAGE_MAX, Media, Output, Receive, SDP_MAX, Side, Storage, Target, Usage,
};
use sip::header::Name;
use sip::pool::Key;
use sip::sdp::Role;
use sip::transaction::{Priority, Timers, TxId};
use sip::{Flow, Instant, Message, Method, Transport, Writer};
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const STATUSES: [u16; 12] = [100, 180, 183, 200, 202, 302, 401, 408, 481, 486, 491, 603];
const METHODS: [Method<'static>; 9] = [
    Method::Refer,
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Options,
    Method::Update,
    Method::Info,
    Method::Prack,
];

/// The first byte chooses the room, each following one an event. Whatever it is, all that goes out is a message, each call
/// ends once and is not heard of again, and when all is over nothing is left.
pub fn calls(bytes: &[u8]) {
    let mut script = Script(bytes);
    let (transactions, calls, legs, blocks) =
        [(4, 1, 2, 40), (12, 2, 4, 50), (32, 4, 8, 200)][script.below(3)];
    let storage = Storage::growable(transactions, calls, legs, blocks);
    let config = Config {
        agent: "fuzz",
        probe: Duration::from_secs(60),
        timers: Timers::default(),
        transfers: true,
    };
    let mut world = World {
        calls: Calls::new(storage, [1, 2], config),
        now: Instant::from_millis(1_000),
        seen: VecDeque::new(),
        open: Vec::new(),
        moving: Vec::new(),
        legs: Vec::new(),
        ended: HashSet::new(),
    };
    world
        .calls
        .reserve(script.below(2), script.below(2), script.below(2) * 20);
    for _ in 0..300 {
        if script.is_over() {
            break;
        }
        world.event(&mut script);
        world.drain();
        let used = world.calls.usage();
        assert!(
            used.calls <= calls
                && used.legs <= legs
                && used.transactions <= transactions
                && used.blocks <= blocks,
            "{used:?}"
        );
    }
    world.end();
}

/// Takes what looks like a description.
struct Picky;

impl Media for Picky {
    fn relay(&mut self, _: Key, _: Side, _: Role, sdp: &[u8], out: &mut [u8; SDP_MAX]) -> Option<usize> {
        out.get_mut(..sdp.len())?.copy_from_slice(sdp);
        sdp.starts_with(b"v=").then_some(sdp.len())
    }
}

struct World {
    calls: Calls<'static, u8>,
    now: Instant,
    /// What went out last.
    seen: VecDeque<(Flow, Vec<u8>)>,
    open: Vec<Key>,
    /// Calls of which a side departs.
    moving: Vec<Key>,
    legs: Vec<Key>,
    ended: HashSet<Key>,
}

fn peer(n: u8) -> Flow {
    let reliable = n % 4 == 3;
    Flow {
        transport: if reliable { Transport::Tcp } else { Transport::Udp },
        interface: 0,
        stream: if reliable { 1 + u16::from(n / 4 % 2) } else { 0 },
        peer: format!("192.0.2.{}:5060", 10 + n % 4).parse().unwrap(),
        local: "192.0.2.1:5060".parse().unwrap(),
    }
}

/// What sides say of what they can do, and demand.
const FEATURES: [&str; 8] = [
    "",
    "Allow: INVITE, UPDATE, PRACK\r\n",
    "Supported: timer\r\nSession-Expires: 90\r\n",
    "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\nAllow: UPDATE\r\n",
    "Session-Expires: 4000;refresher=uas\r\nMin-SE: 300\r\n",
    "Require: 100rel\r\nAllow: UPDATE\r\n",
    "Require: 100rel\r\nSession-Expires: 90;refresher=uac\r\n",
    "Retry-After: 3\r\nMin-SE: 200\r\n",
];

fn body<'a>(script: &mut Script<'_>, sdp: &'a [u8]) -> &'a [u8] {
    [b"", sdp, sdp, b"rubbish"][script.below(4)]
}

impl World {
    fn event(&mut self, script: &mut Script<'_>) {
        match script.below(16) {
            14 | 15 => self.transfer(script),
            0 | 1 => self.invite(script),
            2..=4 => self.answer(script),
            5 | 6 => self.within_dialog(script),
            7 => self.dial(script),
            8 => self.order(script),
            9 => self.network(script),
            10 => {
                let len = script.byte();
                let bytes = script.bytes(usize::from(len));
                self.receive(script, None, bytes);
            }
            11 => self.again(script),
            _ => {
                self.now += Duration::from_millis(
                    [1, 100, 500, 2_000, 8_000, 33_000, 61_000, 200_000][script.below(8)],
                )
            }
        }
    }

    fn key(&mut self, script: &mut Script<'_>) -> Option<Key> {
        self.open.get(script.below(self.open.len().max(1))).copied()
    }

    fn sent(&mut self, script: &mut Script<'_>) -> Option<(Flow, Vec<u8>)> {
        self.seen.get(script.below(self.seen.len().max(1))).cloned()
    }

    /// A caller's INVITE, CANCEL, or another request outside a dialog.
    fn invite(&mut self, script: &mut Script<'_>) {
        let flow = peer(script.byte());
        let (id, method) = (
            script.below(4),
            script.of(&["INVITE", "INVITE", "INVITE", "CANCEL", "OPTIONS", "BYE"]),
        );
        let body = body(script, SDP);
        let text = format!(
            "{method} sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@x>;tag=a{id}\r\nTo: <sip:b@x>\r\nCall-ID: c{id}\r\nCSeq: 1 {method}\r\n{}{}\
             Content-Length: {}\r\n\r\n",
            flow.transport,
            flow.peer,
            [
                "Contact: <sip:a@192.0.2.10>\r\n",
                "",
                "Contact: *\r\nRecord-Route: <sip:p;lr>, <sip:q;lr>\r\n"
            ][script.below(3)],
            script.of(&FEATURES),
            body.len(),
        );
        self.receive(script, Some(flow), &[text.as_bytes(), body].concat());
    }

    fn receive(&mut self, script: &mut Script<'_>, flow: Option<Flow>, bytes: &[u8]) {
        let flow = flow.unwrap_or_else(|| peer(script.byte()));
        let Ok(message) = Message::parse_datagram(bytes) else {
            return;
        };
        let received = if script.below(8) == 0 {
            self.calls.receive_reserved(self.now, flow, &message, &mut Picky)
        } else {
            self.calls.receive(self.now, flow, &message, &mut Picky)
        };
        match received {
            Receive::Invite { tx } => self.decide(script, tx, flow, &message),
            Receive::Request { tx } => match script.below(3) {
                0 => self.calls.forget(tx),
                1 => self.calls.reply(self.now, tx, flow, &message, 200, |_| {}),
                _ => self.calls.reply(self.now, tx, flow, &message, 404, |w| {
                    w.header(Name::Warning, "399 x \"y\"");
                }),
            },
            Receive::Refer { tx, leg } => {
                let other = self.legs.get(script.below(self.legs.len().max(1))).copied();
                match self.calls.depart(leg, other, script.below(2) == 0) {
                    Ok(call) => {
                        self.calls.reply(self.now, tx, flow, &message, 202, |_| {});
                        self.calls.report(self.now, call, 100, false);
                        self.moving.push(call);
                    }
                    Err(status) => self.calls.reply(self.now, tx, flow, &message, status, |_| {}),
                }
            }
            Receive::Done => {}
        }
    }

    /// What becomes of a transfer.
    fn transfer(&mut self, script: &mut Script<'_>) {
        let moving = self.moving.get(script.below(self.moving.len().max(1))).copied();
        let leg = self.legs.get(script.below(self.legs.len().max(1))).copied();
        if script.below(4) == 0 {
            let calls = [self.key(script), self.key(script)];
            if let [Some(call), Some(other)] = calls {
                let _ = match script.below(2) {
                    0 => self.calls.pick_up(self.now, call, other, SDP),
                    _ => self.calls.take(self.now, call, other),
                };
            }
            return;
        }
        match (script.below(4), moving, leg) {
            (0, ..) => {
                if let Ok(call) = self.calls.originate([b'0'; 32], 7) {
                    self.open.push(call);
                    let _ = self.calls.present(call, b"<sip:a@x>", b"<sip:b@x>", b"");
                    self.dial(script);
                }
            }
            (1, Some(call), Some(leg)) => drop(self.calls.join(self.now, call, leg)),
            (2, Some(call), _) => {
                self.calls
                    .report(self.now, call, script.of(&STATUSES), script.below(2) == 0)
            }
            (_, Some(call), _) => {
                self.calls.stay(call);
            }
            _ => {}
        }
    }

    fn decide(&mut self, script: &mut Script<'_>, tx: TxId, flow: Flow, message: &Message<'_>) {
        match script.below(8) {
            0 => self.calls.forget(tx),
            1 => self.calls.reply(self.now, tx, flow, message, 486, |_| {}),
            _ => match self
                .calls
                .open(self.now, tx, flow, message, [b'0'; 32], 7, &mut Picky)
            {
                Ok(key) => {
                    self.open.push(key);
                    let _ = self
                        .calls
                        .present(key, b"\"A\" <sip:a@x>", b"<sip:b@x>", b"X-Extra: 1\r\n");
                    self.dial(script);
                }
                Err(refusal) => self
                    .calls
                    .reply(self.now, tx, flow, message, refusal.status(), |_| {}),
            },
        }
    }

    /// A peer answers one of our requests, or another one does so in its name.
    fn answer(&mut self, script: &mut Script<'_>) {
        let Some((flow, sent)) = self.sent(script) else {
            return;
        };
        let request = Message::parse_datagram(&sent).expect("what we send is a message");
        if !request.is_request() {
            return;
        }
        let (status, tag) = (script.of(&STATUSES), script.below(3));
        let mut buffer = [0; 8192];
        let mut w = Writer::new(&mut buffer);
        w.status(status, "")
            .copy(&request, Name::Via)
            .copy(&request, Name::From);
        let to = request.header(Name::To).unwrap_or_default();
        if request.to().is_some_and(|to| to.tag().is_none()) && tag > 0 {
            w.raw(b"To: ").raw(to).raw(format!(";tag=t{tag}\r\n").as_bytes());
        } else {
            w.header_bytes(Name::To, to);
        }
        w.copy(&request, Name::CallId).copy(&request, Name::CSeq);
        match script.below(4) {
            0 => {}
            1 => drop(
                w.header(Name::RecordRoute, "<sip:p;lr>")
                    .header(Name::Contact, "<sip:b@192.0.2.20>"),
            ),
            _ => drop(w.header(Name::Contact, "<sip:b@192.0.2.20>")),
        }
        if script.below(4) == 0 {
            w.header(Name::Reason, "Q.850;cause=17, SIP;cause=200");
        }
        w.raw(script.of(&FEATURES).as_bytes());
        match script.below(8) {
            0 => {}
            n => drop(w.header(Name::RSeq, n)),
        }
        let len = w.body("application/sdp", body(script, SDP)).expect("room");
        self.receive(script, Some(flow), &buffer[..len]);
    }

    /// A peer's request in the dialog that one of our messages belongs to.
    fn within_dialog(&mut self, script: &mut Script<'_>) {
        let Some((flow, sent)) = self.sent(script) else {
            return;
        };
        let about = Message::parse_datagram(&sent).expect("what we send is a message");
        let method = script.of(&METHODS);
        let seq = match script.below(4) {
            0 => about.cseq().map_or(1, |c| c.seq),
            n => (10 * n + script.below(10)) as u32,
        };
        let mut buffer = [0; 8192];
        let mut w = Writer::new(&mut buffer);
        w.request(method, b"sip:x@192.0.2.1");
        w.header(
            Name::Via,
            format_args!("SIP/2.0/{} {};branch=z9hG4bKd{seq}", flow.transport, flow.peer),
        );
        let (from, to) = (
            about.header(Name::From).unwrap_or_default(),
            about.header(Name::To).unwrap_or_default(),
        );
        if about.is_request() {
            w.raw(b"From: ").raw(to);
            if about.to().is_some_and(|to| to.tag().is_none()) {
                w.raw(format!(";tag=t{}", script.below(3)).as_bytes());
            }
            w.raw(b"\r\n").header_bytes(Name::To, from);
        } else {
            w.header_bytes(Name::From, from).header_bytes(Name::To, to);
        }
        w.copy(&about, Name::CallId)
            .header(Name::CSeq, format_args!("{seq} {method}"))
            .header(Name::Contact, "<sip:c@192.0.2.30>")
            .raw(script.of(&FEATURES).as_bytes());
        if let Some(rseq) = about.number(Name::RSeq) {
            w.header(Name::RAck, format_args!("{rseq} 1 INVITE"));
        }
        let len = w.body("application/sdp", body(script, SDP)).expect("room");
        self.receive(script, Some(flow), &buffer[..len]);
    }

    fn dial(&mut self, script: &mut Script<'_>) {
        let Some(call) = self.key(script) else { return };
        for n in 0..script.below(4) {
            let target = Target {
                flow: peer(script.byte()),
                uri: b"sip:b@192.0.2.20",
                route: b"",
                priority: script.of(&[Priority::Normal, Priority::Reserved]),
                user: n as u32,
            };
            if let Ok(leg) = self.calls.dial(self.now, call, target) {
                assert_eq!(self.calls.leg_user(leg), Some(n as u32));
                self.legs.push(leg);
            }
        }
    }

    /// What the owner of the calls may want.
    fn order(&mut self, script: &mut Script<'_>) {
        let Some(call) = self.key(script) else { return };
        let leg = self.legs.get(script.below(self.legs.len().max(1))).copied();
        match script.below(8) {
            0 => drop(self.calls.progress(self.now, call, 180, None, None)),
            1 => drop(self.calls.progress(self.now, call, 183, Some(SDP), None)),
            2 => self.calls.refuse(self.now, call, 486, None),
            3 => self.calls.release(self.now, call, None),
            4 => self.calls.cancel_all(self.now, call, None),
            5 => self
                .calls
                .set_deadline(call, Some(self.now + Duration::from_secs(3))),
            _ => {
                if let Some(leg) = leg {
                    self.calls.cancel(self.now, leg, None);
                }
            }
        }
        let _ = (
            self.calls.negotiates(call),
            self.calls.sdp(call, Side::Caller, &mut [0; SDP_MAX]).is_some(),
            self.calls.failure_cause(call),
        );
    }

    fn network(&mut self, script: &mut Script<'_>) {
        let (old, new) = (peer(script.byte()), peer(script.byte()));
        match script.below(3) {
            0 => self.calls.flow_lost(self.now, old),
            1 => self.calls.flow_moved(old, new),
            _ => self.calls.unreachable(self.now, old.peer.ip()),
        }
    }

    /// What we sent comes back, as it is.
    fn again(&mut self, script: &mut Script<'_>) {
        if let Some((flow, sent)) = self.sent(script) {
            self.receive(script, Some(flow), &sent);
        }
    }

    fn drain(&mut self) {
        let mut buffer = [0; MESSAGE_MAX];
        for _ in 0..2_000 {
            match self.calls.poll(self.now, &mut buffer) {
                None => {
                    assert!(self.calls.next_deadline().is_none_or(|at| at > self.now));
                    return;
                }
                Some(Output::Transmit { flow, len }) => {
                    let message = Message::parse_stream(&buffer[..len]);
                    let fault = message.err().map(|r| r.fault);
                    assert_eq!(fault, None, "{}", buffer[..len].escape_ascii());
                    self.seen.push_front((flow, buffer[..len].to_vec()));
                    self.seen.truncate(32);
                }
                Some(Output::Event(event)) => self.told(event),
            }
        }
        panic!("it never ends");
    }

    fn told(&mut self, event: Event) {
        let (Event::Progress { call, .. }
        | Event::Failed { call, .. }
        | Event::Exhausted { call, .. }
        | Event::Answered { call, .. }
        | Event::Joined { call, .. }
        | Event::Parted { call, .. }
        | Event::Ended { call, .. }
        | Event::Deadline { call }) = event;
        assert_eq!(self.calls.meta(call), Some(&7), "{event:?}");
        assert!(!self.ended.contains(&call), "{event:?} of a call that is over");
        if matches!(event, Event::Ended { .. }) {
            self.ended.insert(call);
            self.open.retain(|open| *open != call);
        }
    }

    /// The owner gives up all calls, nobody answers, time goes by.
    fn end(&mut self) {
        let open: Vec<_> = self.calls.iter().map(|(key, ..)| key).collect();
        for call in open {
            self.calls.release(self.now, call, None);
        }
        let until = self.now + Duration::from_secs(400);
        for _ in 0..5_000 {
            self.drain();
            match self.calls.next_deadline() {
                Some(at) if at <= until => self.now = self.now.max(at),
                _ => break,
            }
        }
        assert!(self.open.is_empty(), "calls that never ended");
        assert_eq!(self.calls.usage(), Usage::default());
        assert_eq!(self.calls.next_deadline(), None);
        assert_eq!(self.calls.counters().overflow, 0);
    }
}
