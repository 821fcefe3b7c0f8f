//! A subscriber that is written out by hand, and a notifier on fixed storage.

use super::*;
use crate::flow::{Flow, Transport};
use std::boxed::Box;

/// What comes in.
#[derive(Clone, Copy)]
pub enum In<'a> {
    /// Nothing but the time.
    Wait,
    /// A SUBSCRIBE with this CSeq for so many seconds.
    Subscribe(u32, u32),
    /// The answer to the last NOTIFY.
    Answer(u16),
    /// An answer with a further header line.
    AnswerWith(u16, &'a str),
    /// What is watched has changed.
    Changed,
    /// What was watched is no more.
    Gone,
}

pub struct Bench {
    pub subs: Subscriptions<'static>,
    pub now: Instant,
    pub flow: Flow,
    /// The tag of the notifier, once there is one.
    pub tag: String,
    pub last: String,
    pub out: Vec<String>,
}

pub const CONFIG: Config = Config {
    agent: "test",
    timers: Timers {
        t1: Duration::from_millis(500),
        t2: Duration::from_millis(4_000),
        t4: Duration::from_millis(5_000),
        trying: Duration::from_millis(200),
    },
    gap: Duration::from_millis(1_000),
    pace: Duration::ZERO,
};

pub fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        interface: 0,
        stream: 0,
        peer: "192.0.2.10:5060".parse().unwrap(),
        local: "192.0.2.1:5060".parse().unwrap(),
    }
}

/// A SUBSCRIBE of a telephone.
pub fn subscribe(call_id: &str, cseq: u32, to_tag: &str, expires: u32, more: &str) -> String {
    let tag = if to_tag.is_empty() {
        String::new()
    } else {
        format!(";tag={to_tag}")
    };
    format!(
        "SUBSCRIBE sip:201@office.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{call_id}{cseq};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@office.example>;tag=a1\r\nTo: <sip:201@office.example>{tag}\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} SUBSCRIBE\r\nContact: <sip:alice@192.0.2.10:5060>\r\nEvent: dialog\r\n\
         Expires: {expires}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// The answer to a request.
pub fn answer(request: &str, status: u16, more: &str) -> String {
    let request = Message::parse_datagram(request.as_bytes()).unwrap();
    let mut buffer = [0; 2_000];
    let mut w = crate::Writer::new(&mut buffer);
    crate::write_response_head(&mut w, &request, status, None, "192.0.2.1:5060".parse().unwrap());
    w.raw(more.as_bytes());
    let len = w.finish_empty().unwrap();
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}

impl Bench {
    pub fn new(room: usize) -> Self {
        let slots: Vec<Slot> = (0..room).map(|_| Slot::EMPTY).collect();
        let storage = Storage {
            subscriptions: crate::storage::Storage::Fixed(Box::leak(slots.into_boxed_slice())),
            texts: Vec::leak(std::vec![text::Block::EMPTY; 2 * room]).into(),
        };
        Self {
            subs: Subscriptions::new(storage, [1, 2], CONFIG),
            now: Instant::ZERO,
            flow: flow(Transport::Udp),
            tag: String::new(),
            last: String::new(),
            out: Vec::new(),
        }
    }

    #[track_caller]
    pub fn run(&mut self, table: Table<'_>) {
        for (at, input, out) in table {
            self.wait_until(*at);
            self.take(*input);
            self.drain();
            assert_eq!(self.out, *out, "by {at}");
            self.out.clear();
        }
    }

    pub fn wait_until(&mut self, at: u64) {
        while let Some(next) = self.subs.next_deadline().filter(|next| next.as_millis() <= at) {
            self.now = self.now.max(next);
            self.drain();
        }
        self.now = Instant::from_millis(at);
    }

    fn say(&mut self, what: impl core::fmt::Display) {
        self.out.push(format!("{}: {what}", self.now.as_millis()));
    }

    fn take(&mut self, input: In<'_>) {
        match input {
            In::Wait => {}
            In::Subscribe(cseq, expires) => {
                let text = subscribe("c1", cseq, &self.tag, expires, "");
                self.subscribe(&text);
            }
            In::Answer(status) => self.answer(status, ""),
            In::AnswerWith(status, more) => self.answer(status, more),
            In::Changed => self.subs.changed(|user| user == 7),
            In::Gone => self.subs.rename(|_| None),
        }
    }

    fn answer(&mut self, status: u16, more: &str) {
        let text = answer(&self.last, status, more);
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        assert!(self.subs.receive(self.now, &message));
    }

    /// What an owner does that grants what is wanted.
    pub fn subscribe(&mut self, text: &str) {
        let message = Message::parse_datagram(text.as_bytes()).unwrap();
        let expires = Duration::from_secs(message.expires().unwrap().into());
        let taken = match self.subs.find(&message) {
            Found::New => self.subs.subscribe(self.now, &message, 7, expires, None),
            Found::Known(key) => self
                .subs
                .refresh(self.now, key, &message, expires, None)
                .map(|()| key),
            Found::Repeated(key) => Ok(key),
            Found::Overtaken => return self.say("500"),
            Found::Gone => return self.say("481"),
        };
        let key = match taken {
            Ok(key) => key,
            Err(refusal) => return self.say(refusal.status()),
        };
        let mut buffer = [0; 1_000];
        let len = self
            .subs
            .write_ok(self.now, key, &self.flow, &message, &mut buffer, |_| {})
            .unwrap();
        let ok = Message::parse_datagram(&buffer[..len]).unwrap();
        self.tag = String::from_utf8(ok.to().unwrap().tag().unwrap().to_vec()).unwrap();
        let granted = ok.expires().unwrap();
        self.say(format_args!("200 {granted}"));
    }

    /// Each text belongs to a subscription.
    pub fn assert_sound(&self) {
        let names = self
            .subs
            .table
            .iter()
            .map(|(_, sub)| text::blocks(sub.names.len()));
        assert_eq!(self.subs.texts.used(), names.sum::<usize>());
        self.subs.table.assert_sound();
    }

    pub fn drain(&mut self) {
        self.assert_sound();
        for _ in 0..10_000 {
            let Some(due) = self.subs.poll(self.now) else {
                assert!(
                    self.subs.next_deadline().is_none_or(|next| next > self.now),
                    "a deadline in the past"
                );
                return;
            };
            assert_eq!(due.user, 7);
            let notify = Notify {
                flow: self.flow,
                target: b"sip:alice@192.0.2.10:5060",
                entity: &"sip:201@office.example",
                subscriber: &"sip:alice@office.example",
                package: dialog_info::PACKAGE,
                content_type: "text/plain",
                body: format_args!("{}", due.version),
            };
            let mut buffer = [0; 1_000];
            let len = self.subs.notify(self.now, due.key, &notify, &mut buffer).unwrap();
            self.last = String::from_utf8(buffer[..len].to_vec()).unwrap();
            let message = Message::parse_datagram(&buffer[..len]).unwrap();
            let state = message.header(Name::SubscriptionState).unwrap();
            let what = format!(
                "NOTIFY {} v{} {}",
                message.cseq().unwrap().seq,
                core::str::from_utf8(message.body()).unwrap(),
                core::str::from_utf8(state).unwrap()
            );
            self.say(what);
        }
        panic!("it never ends");
    }
}
