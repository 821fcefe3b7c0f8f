//! Messages of the domain name system (RFC 1035 §4): what a forwarder has to read and write of them. What is in a record is not
//! looked at: types that are not known here pass like all others.

use core::ops::Range;

/// Bytes of the header (RFC 1035 §4.1.1).
pub const HEADER: usize = 12;
/// Longest name on the wire (RFC 1035 §3.1).
pub const NAME_MAX: usize = 255;
/// Longest question: name, type, class.
pub const QUESTION_MAX: usize = NAME_MAX + 4;
/// What every requester takes (RFC 1035 §4.2.1).
pub const PLAIN_MAX: usize = 512;
/// What passes any Ethernet unfragmented, and the most that is sent or asked for (RFC 9715 §3).
pub const LARGEST: usize = 1_232;

/// Response (RFC 1035 §4.1.1).
pub const QR: u16 = 0x8000;
/// Authoritative answer.
pub const AA: u16 = 0x0400;
/// Truncated.
pub const TC: u16 = 0x0200;
/// Recursion desired.
pub const RD: u16 = 0x0100;
/// Recursion available.
pub const RA: u16 = 0x0080;
const OPCODE: u16 = 0x7800;

/// Types of records (RFC 1035 §3.2.2, 2782, 3403, 6891, 8482).
pub mod kind {
    pub const A: u16 = 1;
    pub const SOA: u16 = 6;
    pub const PTR: u16 = 12;
    pub const SRV: u16 = 33;
    pub const NAPTR: u16 = 35;
    pub const OPT: u16 = 41;
    pub const IXFR: u16 = 251;
    pub const AXFR: u16 = 252;
    pub const ANY: u16 = 255;
}
/// The Internet (RFC 1035 §3.2.4).
pub const IN: u16 = 1;

/// Why a query has no answer (RFC 1035 §4.1.1, 6891 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rcode {
    /// It cannot be read.
    FormErr = 1,
    /// Nobody who knows answers.
    ServFail = 2,
    /// Such queries are not answered.
    NotImp = 4,
    /// This one is not answered to this requester.
    Refused = 5,
    /// EDNS of another version; its upper bits are in the OPT record.
    BadVers = 16,
}

/// A query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// Its number.
    pub id: u16,
    /// Recursion is desired.
    pub rd: bool,
    /// Name, type and class as they lie in the message.
    pub question: &'a [u8],
    /// The type.
    pub kind: u16,
    /// The class.
    pub class: u16,
    /// EDNS, if the requester speaks it (RFC 6891).
    pub edns: Option<Edns>,
}

/// What an OPT record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Largest UDP payload that the requester takes.
    pub size: u16,
    /// 0.
    pub version: u8,
}

/// A message that is no query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It gets no answer: a response, or not even a header.
    Drop,
    /// It gets this answer, with its number and `rd`.
    Refuse {
        /// Its number.
        id: u16,
        /// Recursion was desired.
        rd: bool,
        /// Why.
        rcode: Rcode,
    },
}

impl<'a> Query<'a> {
    /// Reads a query with one question.
    pub fn parse(message: &'a [u8]) -> Result<Self, Unread> {
        let (Some(id), Some(flags)) = (word(message, 0), word(message, 2)) else {
            return Err(Unread::Drop);
        };
        let rd = flags & RD != 0;
        let refuse = |rcode| Unread::Refuse { id, rd, rcode };
        if flags & QR != 0 || message.len() < HEADER {
            return Err(Unread::Drop);
        }
        if flags & OPCODE != 0 {
            return Err(refuse(Rcode::NotImp));
        }
        let end = match (word(message, 4), question_end(message)) {
            (Some(1), Some(end)) => end,
            _ => return Err(refuse(Rcode::FormErr)),
        };
        let malformed = refuse(Rcode::FormErr);
        let (kind, class) = (
            word(message, end - 4).ok_or(malformed)?,
            word(message, end - 2).ok_or(malformed)?,
        );
        let mut edns = None;
        for record in Records::of(message).ok_or(malformed)? {
            let record = record.ok_or(malformed)?;
            if record.kind == kind::OPT {
                // One at most, with the root's name (RFC 6891 §6.1.1).
                if edns.is_some() || message.get(record.start) != Some(&0) {
                    return Err(malformed);
                }
                edns = Some(Edns {
                    size: record.class,
                    version: (record.ttl >> 16) as u8,
                });
            }
        }
        Ok(Self {
            id,
            rd,
            question: message.get(HEADER..end).ok_or(malformed)?,
            kind,
            class,
            edns,
        })
    }

    /// The name as it lies in the message: labels, each behind its length, then 0.
    pub fn name(&self) -> &'a [u8] {
        self.question
            .split_last_chunk::<4>()
            .map_or(&[], |(name, _)| name)
    }

    /// Bytes that an answer may have.
    pub fn room(&self) -> usize {
        self.edns
            .map_or(PLAIN_MAX, |edns| usize::from(edns.size).clamp(PLAIN_MAX, LARGEST))
    }
}

/// A response of a name server to the one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Its number.
    pub id: u16,
    /// Its question.
    pub question: &'a [u8],
    /// It is cut.
    pub truncated: bool,
    /// Its code; that of the header only.
    pub rcode: u8,
    /// For how long it is good, s; `None` if it does not say (RFC 2308 §5).
    pub ttl: Option<u32>,
    /// The part of the message without the OPT record, and how many additional records are left of it.
    pub kept: (usize, u16),
}

impl<'a> Response<'a> {
    /// Reads a response, all of it: what does not hold together is none.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let flags = word(message, 2)?;
        if flags & (QR | OPCODE) != QR || word(message, 4)? != 1 {
            return None;
        }
        let end = question_end(message)?;
        let [answers, authority, additional] = [6, 8, 10].map(|at| word(message, at));
        let (answers, authority) = (u32::from(answers?), u32::from(authority?));
        let (mut shortest, mut negative) = (None::<u32>, None::<u32>);
        let (mut kept, mut left) = (message.len(), additional?);
        for (index, record) in (0..).zip(Records::of(message)?) {
            let record = record?;
            if record.kind == kind::OPT {
                // Whatever is behind it goes too: additional records are a courtesy.
                if kept == message.len() && index >= answers + authority {
                    (kept, left) = (record.start, (index - answers - authority) as u16);
                }
                continue;
            }
            if index < answers {
                shortest = Some(shortest.map_or(record.ttl, |ttl| ttl.min(record.ttl)));
            } else if index < answers + authority && record.kind == kind::SOA {
                // RFC 2308 §5: the lesser of the record's own and its last field.
                let minimum = record.data.end.checked_sub(4).and_then(|at| long(message, at))?;
                negative = Some(record.ttl.min(minimum));
            }
        }
        let rcode = (flags & 0xF) as u8;
        Some(Self {
            id: word(message, 0)?,
            question: message.get(HEADER..end)?,
            truncated: flags & TC != 0,
            rcode,
            ttl: match rcode {
                0 if shortest.is_some() => shortest,
                0 | 3 => negative,
                _ => None,
            },
            kept: (kept, left),
        })
    }
}

/// Where a record lies.
#[derive(Clone, Debug)]
struct Record {
    start: usize,
    kind: u16,
    class: u16,
    ttl_at: usize,
    ttl: u32,
    data: Range<usize>,
}

/// The records of a message, one after the other; `None` for the first that does not hold together, and then no more.
struct Records<'a> {
    message: &'a [u8],
    at: usize,
    left: u32,
}

impl<'a> Records<'a> {
    fn of(message: &'a [u8]) -> Option<Self> {
        Some(Self {
            message,
            at: question_end(message)?,
            left: [6, 8, 10]
                .into_iter()
                .map(|at| word(message, at).map(u32::from))
                .sum::<Option<u32>>()?,
        })
    }

    fn read(&self) -> Option<Record> {
        let fixed = name_end(self.message, self.at)?;
        let data = fixed + 10;
        let (kind, ttl) = (word(self.message, fixed)?, long(self.message, fixed + 4)?);
        let record = Record {
            start: self.at,
            kind,
            class: word(self.message, fixed + 2)?,
            ttl_at: fixed + 4,
            // RFC 2181 §8: a time with the highest bit set is none.
            ttl: if kind != kind::OPT && ttl >> 31 != 0 {
                0
            } else {
                ttl
            },
            data: data..data + usize::from(word(self.message, fixed + 8)?),
        };
        self.message.get(record.data.clone())?;
        Some(record)
    }
}

impl Iterator for Records<'_> {
    type Item = Option<Record>;

    fn next(&mut self) -> Option<Option<Record>> {
        self.left = self.left.checked_sub(1)?;
        let record = self.read();
        match &record {
            Some(record) => self.at = record.data.end,
            None => self.left = 0,
        }
        Some(record)
    }
}

/// Makes no record of `message` good for more than `ttl` seconds, nor for longer than `age` seconds ago.
pub fn age(message: &mut [u8], age: u32, ttl: u32) {
    let Some(mut records) = Records::of(message) else {
        return;
    };
    // The message is written while its records are walked through: by place, not by reference.
    let (mut at, mut left) = (records.at, records.left);
    while left > 0 {
        records = Records { message, at, left };
        let Some(record) = records.read() else { return };
        (at, left) = (record.data.end, left - 1);
        if record.kind != kind::OPT {
            let rest = record.ttl.saturating_sub(age).min(ttl);
            put(message, record.ttl_at, &rest.to_be_bytes());
        }
    }
}

/// Are they the same but for the case of letters (RFC 4343 §3)? Lengths of labels are below the letters.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Is the name `name`, as it lies in a message, this one with dots?
pub fn is(name: &[u8], dotted: &str) -> bool {
    let mut rest = name;
    for label in dotted.as_bytes().split(|byte| *byte == b'.') {
        match rest.split_first() {
            Some((length, tail)) if usize::from(*length) == label.len() && *length != 0 => {
                match tail.split_at_checked(label.len()) {
                    Some((own, tail)) if own.eq_ignore_ascii_case(label) => rest = tail,
                    _ => return false,
                }
            }
            _ => return false,
        }
    }
    rest == [0]
}

/// The first label of a name, and the name behind it.
pub fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = name.split_first()?;
    rest.split_at_checked(usize::from(*length))
        .filter(|_| *length != 0)
}

/// The end of the question: one name that is not compressed, type and class.
fn question_end(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match usize::from(*message.get(at)?) {
            0 => break,
            length @ 1..=63 => at += 1 + length,
            _ => return None,
        }
    }
    let end = at + 5;
    (at + 1 - HEADER <= NAME_MAX && end <= message.len()).then_some(end)
}

/// The end of a name that may end in a pointer (RFC 1035 §4.1.4). Where that leads is not looked at.
fn name_end(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*message.get(at)?) {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + length,
            0xC0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

/// Big-endian 16 bits.
pub fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u16::from_be_bytes(*bytes))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_be_bytes(*bytes))
}

/// Overwrites; nothing where there is no room.
pub fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(room) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..value.len())) {
        room.copy_from_slice(value);
    }
}

/// Writes a message into a buffer, from the first byte on; what does not fit is not written, and [`Writer::is_full`].
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
    full: bool,
}

impl<'b> Writer<'b> {
    /// A message with this header and question (which may be empty), and no records.
    pub fn new(buffer: &'b mut [u8], id: u16, flags: u16, question: &[u8]) -> Self {
        let mut writer = Self {
            buffer,
            length: 0,
            full: false,
        };
        for word in [id, flags, u16::from(!question.is_empty()), 0, 0, 0] {
            writer.write(&word.to_be_bytes());
        }
        writer.write(question);
        writer
    }

    /// Bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        match self
            .buffer
            .get_mut(self.length..)
            .and_then(|rest| rest.get_mut(..bytes.len()))
        {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.full = true,
        }
    }

    /// The labels of a name with dots.
    pub fn labels(&mut self, dotted: &str) {
        for label in dotted.split('.').filter(|label| !label.is_empty()) {
            self.write(&[label.len() as u8]);
            self.write(label.as_bytes());
        }
    }

    /// A name with dots, to its end.
    pub fn name(&mut self, dotted: &str) {
        self.labels(dotted);
        self.write(&[0]);
    }

    /// One record of class IN: its owner by `owner`, its data by `data`; counted in the header's word at `count`.
    pub fn record(
        &mut self,
        count: usize,
        owner: impl FnOnce(&mut Self),
        kind: u16,
        ttl: u32,
        data: impl FnOnce(&mut Self),
    ) {
        owner(self);
        self.write(&kind.to_be_bytes());
        self.write(&IN.to_be_bytes());
        self.write(&ttl.to_be_bytes());
        let at = self.length;
        self.write(&[0, 0]);
        data(self);
        let length = (self.length - at).saturating_sub(2) as u16;
        put(self.buffer, at, &length.to_be_bytes());
        self.count(count);
    }

    /// The OPT record of a response (RFC 6891 §6.1.3): of version 0, with the upper bits of the code.
    pub fn opt(&mut self, upper: u8) {
        self.write(&[0]);
        self.write(&kind::OPT.to_be_bytes());
        self.write(&(LARGEST as u16).to_be_bytes());
        self.write(&[upper, 0, 0, 0, 0, 0]);
        self.count(10);
    }

    fn count(&mut self, at: usize) {
        let count = word(self.buffer, at).unwrap_or_default().saturating_add(1);
        put(self.buffer, at, &count.to_be_bytes());
    }

    /// Something did not fit.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Bytes written.
    pub fn length(&self) -> usize {
        self.length
    }
}
