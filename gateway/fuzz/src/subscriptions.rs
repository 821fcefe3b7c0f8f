//! Subscriptions: the notifier among subscribers, an owner and a network that do whatever the bytes say.

use crate::script::Script;
use sip::events::{
    Config, Event, Found, Notify, Storage, SubscriptionState, Subscriptions, accepts, dialog_info,
};
use sip::header::Name;
use sip::transaction::Timers;
use sip::{Flow, Instant, Message, Transport, Writer, write_response_head};
use std::collections::HashMap;
use std::time::Duration;

const ROOM: usize = 3;
const STATUSES: [u16; 8] = [200, 100, 202, 401, 408, 481, 489, 503];

/// Whatever happens, what goes out is a NOTIFY; of one subscription they count up without a gap and only a repeated one comes
/// twice; and when the time of all is over, nothing is left.
pub fn subscriptions(bytes: &[u8]) {
    let mut script = Script(bytes);
    let config = Config {
        agent: "fuzz",
        timers: Timers::default(),
        gap: Duration::from_millis(500),
        pace: Duration::from_millis([0, 2, 100][script.below(3)]),
    };
    let mut world = World {
        subs: Subscriptions::new(Storage::growable(ROOM, 2 * ROOM), [1, 2], config),
        now: Instant::from_millis(1_000),
        seen: Vec::new(),
        tags: vec![String::new(); 4],
        last: HashMap::new(),
        transport: [Transport::Udp, Transport::Tcp][script.below(2)],
    };
    for _ in 0..300 {
        if script.is_over() {
            break;
        }
        world.event(&mut script);
        world.drain();
        assert!(world.subs.len() <= ROOM);
    }
    world.wait(4_000_000);
    assert!(world.subs.is_empty());
    assert_eq!(world.subs.next_deadline(), None);
    assert_eq!(world.subs.counters().overflow, 0);
}

struct World {
    subs: Subscriptions<'static>,
    now: Instant,
    seen: Vec<Vec<u8>>,
    /// Our tag in the dialog of each subscriber.
    tags: Vec<String>,
    /// The last NOTIFY of each tag: CSeq.
    last: HashMap<Vec<u8>, u32>,
    transport: Transport,
}

impl World {
    fn flow(&self) -> Flow {
        Flow {
            transport: self.transport,
            interface: 0,
            stream: 0,
            peer: "192.0.2.10:5060".parse().unwrap(),
            local: "192.0.2.1:5060".parse().unwrap(),
        }
    }

    fn event(&mut self, script: &mut Script<'_>) {
        match script.below(8) {
            0..=2 => self.subscribe(script),
            3 | 4 => self.answer(script),
            5 => {
                let user = script.below(3) as u32;
                self.subs.changed(|other| other == user);
            }
            6 => {
                let user = script.below(12) as u32;
                match script.below(2) {
                    0 => self.subs.forget(|other| other == user),
                    _ => self.subs.rename(|other| (other != user).then_some(other)),
                }
            }
            _ => self.wait([1, 100, 600, 5_000, 40_000, 700_000][script.below(6)]),
        }
    }

    fn wait(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(next) = self.subs.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.drain();
        }
        self.now = end;
        self.drain();
    }

    fn subscribe(&mut self, script: &mut Script<'_>) {
        let who = script.below(4);
        let (cseq, expires) = (1 + script.below(4), [0, 1, 60, 3_600][script.below(4)]);
        let tag = match script.below(3) {
            0 => String::new(),
            _ if self.tags[who].is_empty() => String::new(),
            _ => format!(";tag={}", self.tags[who]),
        };
        let event = String::from_utf8_lossy(script.line()).into_owned();
        let text = format!(
            "SUBSCRIBE sip:201@a SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{who}{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@a>;tag=a{who}\r\nTo: <sip:201@a>{tag}\r\nCall-ID: c{who}\r\nCSeq: {cseq} SUBSCRIBE\r\n\
             Contact: <sip:a@b>\r\nEvent: {event}\r\nAccept: {event}\r\nSubscription-State: {event}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let Ok(message) = Message::parse_datagram(text.as_bytes()) else {
            return;
        };
        if !message.is_request() {
            return;
        }
        if let Some(event) = message.header(Name::Event).and_then(Event::parse) {
            assert_eq!(event.is("dialog"), event.package == b"dialog");
        }
        accepts(&message, dialog_info::CONTENT_TYPE);
        if let Some(state) = message
            .header(Name::SubscriptionState)
            .and_then(SubscriptionState::parse)
        {
            assert_eq!(
                SubscriptionState::parse(state.to_string().as_bytes()),
                Some(state)
            );
        }
        let expires = Duration::from_secs(expires);
        let target = [None, Some(&b"sip:elsewhere"[..])][script.below(2)];
        let taken = match self.subs.find(&message) {
            Found::New => self
                .subs
                .subscribe(self.now, &message, script.below(3) as u32, expires, target),
            Found::Known(key) => self
                .subs
                .refresh(self.now, key, &message, expires, target)
                .map(|()| key),
            Found::Repeated(key) => Ok(key),
            Found::Overtaken | Found::Gone => return,
        };
        let Ok(key) = taken else { return };
        let (mut buffer, flow) = ([0; 4_000], self.flow());
        let len = self
            .subs
            .write_ok(self.now, key, &flow, &message, &mut buffer, |_| {})
            .expect("room");
        let ok = Message::parse_datagram(&buffer[..len]).expect("an answer");
        self.tags[who] = String::from_utf8(ok.to().unwrap().tag().unwrap().to_vec()).unwrap();
    }

    fn answer(&mut self, script: &mut Script<'_>) {
        let Some(notify) =
            (!self.seen.is_empty()).then(|| self.seen[script.byte() as usize % self.seen.len()].clone())
        else {
            return;
        };
        let request = Message::parse_datagram(&notify).unwrap();
        let mut buffer = [0; 2_000];
        let mut w = Writer::new(&mut buffer);
        write_response_head(
            &mut w,
            &request,
            STATUSES[script.below(8)],
            None,
            "192.0.2.1:5060".parse().unwrap(),
        );
        w.header(Name::RetryAfter, script.byte());
        let len = w.finish_empty().unwrap();
        let answer = Message::parse_datagram(&buffer[..len]).unwrap();
        self.subs.receive(self.now, &answer);
    }

    fn drain(&mut self) {
        for _ in 0..1_000 {
            let Some(due) = self.subs.poll(self.now) else {
                assert!(self.subs.next_deadline().is_none_or(|next| next > self.now));
                return;
            };
            let notify = Notify {
                flow: self.flow(),
                target: b"sip:a@192.0.2.10",
                entity: &"sip:201@a",
                subscriber: &"sip:a@a",
                package: "dialog",
                content_type: "text/plain",
                body: due.version,
            };
            let mut buffer = [0; 4_000];
            let len = self
                .subs
                .notify(self.now, due.key, &notify, &mut buffer)
                .expect("room");
            let message = Message::parse_datagram(&buffer[..len]).expect("a message");
            let seq = message.cseq().unwrap().seq;
            let tag = message.from().unwrap().tag().unwrap().to_vec();
            let before = self.last.insert(tag, seq).unwrap_or(0);
            assert!(seq == before || seq == before + 1, "{before}, {seq}");
            assert_eq!(due.version, seq - 1);
            let state = message
                .header(Name::SubscriptionState)
                .and_then(SubscriptionState::parse);
            assert!(state.is_some());
            self.seen.push(buffer[..len].to_vec());
            if self.seen.len() > 8 {
                self.seen.remove(0);
            }
        }
        panic!("it never ends");
    }
}
