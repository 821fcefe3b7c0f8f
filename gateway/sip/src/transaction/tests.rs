//! The machines by their timetables, on fixed and on growable storage.

mod evict;
mod index;
mod loss;
mod timetables;

use super::*;
use crate::flow::{Flow, Transport};
use crate::message::Message;
use crate::time::Instant;
use std::format;
use std::string::String;
use std::vec::Vec;

const SECRET: [u64; 2] = [7, 11];

fn flow(transport: Transport) -> Flow {
    let address = |text: &str| text.parse().unwrap();
    Flow {
        transport,
        interface: 0,
        stream: 0,
        peer: address("192.0.2.9:5060"),
        local: address("192.0.2.1:5060"),
    }
}

fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn response(status: u16, method: &str, branch: &str) -> String {
    format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:a@x>;tag=1\r\n\
         To: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn request(method: &str, via: &str) -> String {
    format!(
        "{method} sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
         Call-ID: c\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

fn receive(table: &mut Transactions<'_>, now: Instant, flow: Flow, text: &str) -> Received {
    table.receive(now, flow, &Message::parse_datagram(text.as_bytes()).expect(text))
}

/// Runs a test on each kind of storage.
fn on_both(room: usize, test: impl Fn(&mut Transactions<'_>)) {
    let mut slots = std::vec![Slot::EMPTY; room];
    test(&mut Transactions::new(&mut slots[..], SECRET, Timers::default()));
    test(&mut Transactions::new(
        Storage::growable(room),
        SECRET,
        Timers::default(),
    ));
}

/// Everything due by now.
fn drain(table: &mut Transactions<'_>, now: Instant) -> Vec<Due> {
    core::iter::from_fn(|| table.poll(now)).collect()
}
