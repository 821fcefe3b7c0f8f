//! Names asked of the network's name server (RFC 1035), one question at a time.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::Millis;
use crate::assumed::DNS_REPEAT;

/// UDP port of the questions.
pub const PORT: u16 = 33_000;

struct Question {
    name: String,
    bytes: Vec<u8>,
    id: u16,
    sent: u32,
    next: Millis,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its address.
    Address(Ipv4Addr),
    /// It is being asked for.
    Asking,
    /// Nobody knows it, or nobody answers.
    Unknown,
}

/// The resolver.
#[derive(Default)]
pub struct Names {
    server: Option<Ipv4Addr>,
    known: BTreeMap<String, Option<Ipv4Addr>>,
    questions: Vec<Question>,
    next_id: u16,
}

impl Names {
    /// Asks this server from now on; what was known is forgotten.
    pub fn new(server: Option<Ipv4Addr>) -> Self {
        Names {
            server,
            ..Names::default()
        }
    }

    /// The address of a name or of an address; asks if it must.
    pub fn look_up(&mut self, now: Millis, host: &str) -> Answer {
        if let Ok(address) = host.parse() {
            return Answer::Address(address);
        }
        if let Some(known) = self.known.get(host) {
            return known.map_or(Answer::Unknown, Answer::Address);
        }
        if self.questions.iter().any(|question| question.name == host) {
            return Answer::Asking;
        }
        let (Some(_), Ok(name)) = (self.server, Name::from_str(host)) else {
            return Answer::Unknown;
        };
        self.next_id = self.next_id.wrapping_add(1);
        let mut message = Message::new();
        message.set_id(self.next_id);
        message.set_message_type(MessageType::Query);
        message.set_op_code(OpCode::Query);
        message.set_recursion_desired(true);
        message.add_query(Query::query(name, RecordType::A));
        let Ok(bytes) = message.to_vec() else {
            return Answer::Unknown;
        };
        self.questions.push(Question {
            name: host.to_owned(),
            bytes,
            id: self.next_id,
            sent: 0,
            next: now,
        });
        Answer::Asking
    }

    /// Forgets names that nobody knew, so that they are asked for again.
    pub fn retry(&mut self) {
        self.known.retain(|_, address| address.is_some());
    }

    /// When a question is due.
    pub fn next_deadline(&self) -> Millis {
        let due = self.questions.iter().map(|question| question.next);
        due.min().unwrap_or(Millis::MAX)
    }

    /// The question that is due: to whom, and what.
    pub fn poll(&mut self, now: Millis) -> Option<(SocketAddrV4, Vec<u8>)> {
        let server = SocketAddrV4::new(self.server?, 53);
        let place = self.questions.iter().position(|question| question.next <= now)?;
        let question = self.questions.get_mut(place)?;
        if question.sent == DNS_REPEAT.1 {
            let question = self.questions.remove(place);
            self.known.insert(question.name, None);
            return self.poll(now);
        }
        question.sent += 1;
        question.next = now + DNS_REPEAT.0;
        Some((server, question.bytes.clone()))
    }

    /// A datagram for port 33000.
    pub fn receive(&mut self, from: SocketAddrV4, bytes: &[u8]) {
        let Ok(message) = Message::from_vec(bytes) else {
            return;
        };
        let asked = |question: &Question| question.id == message.id();
        let Some(place) = self.questions.iter().position(asked) else {
            return;
        };
        if Some(*from.ip()) != self.server || message.message_type() != MessageType::Response {
            return;
        }
        let question = self.questions.remove(place);
        let address = message.answers().iter().find_map(|record| match record.data() {
            RData::A(address) => Some(address.0),
            _ => None,
        });
        self.known.insert(question.name, address);
    }
}
