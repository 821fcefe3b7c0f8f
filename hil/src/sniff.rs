//! What went over the switches, read by eyes that share nothing with the product: SIP messages over UDP (reassembled)
//! and TCP, and RTP streams, each with its time, port and direction.

use crate::switch::{Direction, Seen, Switch};
use crate::wait::wait_for;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A SIP message at a port of a switch.
#[derive(Debug, Clone)]
pub struct Sip {
    /// When its last byte passed.
    pub at: Instant,
    /// The port, as `switch/port`.
    pub port: String,
    /// Seen from the computer at that port.
    pub direction: Direction,
    /// From where.
    pub source: SocketAddrV4,
    /// To where.
    pub destination: SocketAddrV4,
    /// The message.
    pub text: String,
}

impl Sip {
    /// First line.
    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Is it a request of this method?
    pub fn is(&self, method: &str) -> bool {
        self.start_line()
            .strip_prefix(method)
            .is_some_and(|rest| rest.starts_with(' '))
    }

    /// Status code of a response.
    pub fn status(&self) -> Option<u16> {
        self.start_line().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Is it this answer to this method?
    pub fn answers(&self, method: &str, status: u16) -> bool {
        self.status() == Some(status) && self.header("CSeq").is_some_and(|value| value.ends_with(method))
    }

    /// Value of the first header line of this name (long form; the compact forms that matter are known).
    pub fn header(&self, name: &str) -> Option<&str> {
        const COMPACT: [(&str, &str); 7] = [
            ("Call-ID", "i"),
            ("From", "f"),
            ("To", "t"),
            ("Via", "v"),
            ("Contact", "m"),
            ("Content-Length", "l"),
            ("Content-Type", "c"),
        ];
        let short = COMPACT
            .iter()
            .find(|(long, _)| long.eq_ignore_ascii_case(name))
            .map(|(_, short)| *short);
        self.text
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty())
            .find_map(|line| {
                let (found, value) = line.split_once(':')?;
                let found = found.trim();
                let same =
                    found.eq_ignore_ascii_case(name) || short.is_some_and(|s| found.eq_ignore_ascii_case(s));
                same.then(|| value.trim())
            })
    }

    /// Call-ID.
    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }
}

/// The packets of one RTP source at one port.
#[derive(Debug, Clone)]
pub struct Stream {
    /// The port, as `switch/port`.
    pub port: String,
    /// Seen from the computer at that port.
    pub direction: Direction,
    /// From where.
    pub source: SocketAddrV4,
    /// To where.
    pub destination: SocketAddrV4,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Time of the first packet.
    pub first: Instant,
    /// Time of the last packet.
    pub last: Instant,
    /// Packets so far.
    pub packets: usize,
    /// Sound of the PCMU packets (payload type 0) in the order of arrival.
    pub audio: Vec<i16>,
}

/// Eyes on any number of switches.
#[derive(Clone, Default)]
pub struct Sniffer {
    record: Arc<Mutex<Record>>,
}

/// A place in the order of messages: "from here on".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

#[derive(Default)]
struct Record {
    messages: Vec<Sip>,
    streams: Vec<Stream>,
    fragments: HashMap<(Ipv4Addr, Ipv4Addr, u16, String), Vec<Fragment>>,
    flows: HashMap<(String, Direction, SocketAddrV4, SocketAddrV4), Flow>,
}

struct Fragment {
    offset: usize,
    last: bool,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Flow {
    next: Option<u32>,
    bytes: Vec<u8>,
    ahead: BTreeMap<u32, Vec<u8>>,
}

impl Sniffer {
    /// Watches a switch; its ports are called `<name>/<port>`.
    pub fn watch(&self, name: &str, switch: &Switch) {
        let record = Arc::clone(&self.record);
        let name = name.to_string();
        switch.watch(move |seen| {
            record
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .frame(&name, seen);
        });
    }

    /// The place behind the last message.
    pub fn mark(&self) -> Mark {
        Mark(self.with(|record| record.messages.len()))
    }

    /// Messages since `mark` that fulfil `condition`.
    pub fn messages(&self, mark: Mark, condition: impl Fn(&Sip) -> bool) -> Vec<Sip> {
        self.with(|record| {
            record.messages[mark.0..]
                .iter()
                .filter(|sip| condition(sip))
                .cloned()
                .collect()
        })
    }

    /// The first message since `mark` at `port` in `direction` that fulfils `condition`.
    pub fn find(
        &self,
        mark: Mark,
        port: &str,
        direction: Direction,
        condition: impl Fn(&Sip) -> bool,
    ) -> Option<Sip> {
        self.with(|record| {
            let since = record.messages[mark.0..].iter();
            since
                .filter(|sip| sip.port == port && sip.direction == direction)
                .find(|sip| condition(sip))
                .cloned()
        })
    }

    /// Waits for that message.
    pub fn wait(
        &self,
        what: &str,
        within: Duration,
        mark: Mark,
        port: &str,
        direction: Direction,
        condition: impl Fn(&Sip) -> bool,
    ) -> Result<Sip> {
        wait_for(&format!("{what} at {port}"), within, || {
            self.find(mark, port, direction, &condition)
        })
    }

    /// RTP streams that fulfil `condition`.
    pub fn streams(&self, condition: impl Fn(&Stream) -> bool) -> Vec<Stream> {
        self.with(|record| {
            record
                .streams
                .iter()
                .filter(|stream| condition(stream))
                .cloned()
                .collect()
        })
    }

    fn with<T>(&self, read: impl FnOnce(&Record) -> T) -> T {
        read(&self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl Record {
    /// Takes in a frame; what is not IPv4 with UDP or TCP is none of its business.
    fn frame(&mut self, switch: &str, seen: &Seen) -> Option<()> {
        let packet = match (u16_at(seen.frame, 12)?, u16_at(seen.frame, 16)?) {
            (0x0800, _) => seen.frame.get(14..)?,
            // In a VLAN.
            (0x8100, 0x0800) => seen.frame.get(18..)?,
            _ => return None,
        };
        let header = usize::from(*packet.first()? & 15) * 4;
        let total = usize::from(u16_at(packet, 2)?);
        let flags = u16_at(packet, 6)?;
        let protocol = *packet.get(9)?;
        let source = Ipv4Addr::from(u32_at(packet, 12)?);
        let destination = Ipv4Addr::from(u32_at(packet, 16)?);
        let payload = packet.get(header..total)?;
        let port = format!("{switch}/{}", seen.port);
        if flags & 0x3FFF == 0 {
            return self.segment(seen, &port, protocol, source, destination, payload);
        }
        let key = (
            source,
            destination,
            u16_at(packet, 4)?,
            format!("{port} {:?}", seen.direction),
        );
        let parts = self.fragments.entry(key.clone()).or_default();
        let offset = usize::from(flags & 0x1FFF) * 8;
        parts.push(Fragment {
            offset,
            last: flags & 0x2000 == 0,
            bytes: payload.to_vec(),
        });
        parts.sort_by_key(|part| part.offset);
        if !parts.last()?.last {
            return None;
        }
        let mut whole = Vec::new();
        for part in parts.iter() {
            if part.offset > whole.len() {
                return None;
            }
            whole.truncate(part.offset);
            whole.extend(&part.bytes);
        }
        self.fragments.remove(&key);
        self.segment(seen, &port, protocol, source, destination, &whole)
    }

    fn segment(
        &mut self,
        seen: &Seen,
        port: &str,
        protocol: u8,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        bytes: &[u8],
    ) -> Option<()> {
        let source = SocketAddrV4::new(source, u16_at(bytes, 0)?);
        let destination = SocketAddrV4::new(destination, u16_at(bytes, 2)?);
        match protocol {
            17 => self.datagram(seen, port, source, destination, bytes.get(8..)?),
            6 => self.stream(seen, port, source, destination, bytes),
            _ => None,
        }
    }

    fn datagram(
        &mut self,
        seen: &Seen,
        port: &str,
        source: SocketAddrV4,
        destination: SocketAddrV4,
        payload: &[u8],
    ) -> Option<()> {
        if let Some(text) = as_sip(payload) {
            self.message(seen, port, source, destination, text);
            return Some(());
        }
        let (first, kind) = (*payload.first()?, *payload.get(1)? & 0x7F);
        let dynamic = 96..=127;
        // RTP version 2 with G.711 or a dynamic payload type; RTCP has 72 to 76 there.
        if first >> 6 != 2 || !(kind == 0 || kind == 8 || dynamic.contains(&kind)) || payload.len() < 12 {
            return None;
        }
        let ssrc = u32_at(payload, 8)?;
        let direction = seen.direction;
        let same = |stream: &&mut Stream| {
            stream.ssrc == ssrc
                && stream.source == source
                && stream.destination == destination
                && stream.direction == direction
                && stream.port == port
        };
        let start = 12 + usize::from(first & 15) * 4;
        let sound = if kind == 0 { payload.get(start..)? } else { &[] };
        let sound = sound.iter().map(|&octet| crate::tone::from_ulaw(octet));
        match self.streams.iter_mut().find(same) {
            Some(stream) => {
                stream.last = seen.at;
                stream.packets += 1;
                stream.audio.extend(sound);
            }
            None => self.streams.push(Stream {
                port: port.into(),
                direction,
                source,
                destination,
                ssrc,
                first: seen.at,
                last: seen.at,
                packets: 1,
                audio: sound.collect(),
            }),
        }
        Some(())
    }

    /// Joins TCP segments in order; only streams that carry SIP yield anything.
    fn stream(
        &mut self,
        seen: &Seen,
        port: &str,
        source: SocketAddrV4,
        destination: SocketAddrV4,
        segment: &[u8],
    ) -> Option<()> {
        if source.port() != 5060 && destination.port() != 5060 {
            return None;
        }
        let sequence = u32_at(segment, 4)?;
        let payload = segment.get(usize::from(*segment.get(12)? >> 4) * 4..)?;
        let flow = self
            .flows
            .entry((port.into(), seen.direction, source, destination))
            .or_default();
        if segment.get(13)? & 2 != 0 {
            *flow = Flow {
                next: Some(sequence.wrapping_add(1)),
                ..Flow::default()
            };
            return None;
        }
        let next = *flow.next.get_or_insert(sequence);
        flow.ahead.insert(sequence.wrapping_sub(next), payload.to_vec());
        let ahead = std::mem::take(&mut flow.ahead);
        let mut done = 0;
        for (offset, bytes) in ahead {
            let offset = offset as i32 as i64;
            if offset > done {
                flow.ahead.insert(offset as u32, bytes);
            } else if let Some(new) = usize::try_from(done - offset)
                .ok()
                .and_then(|skip| bytes.get(skip..))
            {
                flow.bytes.extend(new);
                done += new.len() as i64;
            }
        }
        flow.next = Some(next.wrapping_add(done as u32));
        let moved = std::mem::take(&mut flow.ahead);
        flow.ahead = moved
            .into_iter()
            .map(|(offset, bytes)| (offset.wrapping_sub(done as u32), bytes))
            .collect();

        let mut texts = Vec::new();
        loop {
            let blank = flow
                .bytes
                .iter()
                .take_while(|&&byte| byte == b'\r' || byte == b'\n')
                .count();
            flow.bytes.drain(..blank);
            let Some(head) = flow.bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                break;
            };
            let text = String::from_utf8_lossy(&flow.bytes[..head + 4]).to_lowercase();
            let length = text.lines().find_map(|line| {
                let value = line
                    .strip_prefix("content-length:")
                    .or_else(|| line.strip_prefix("l:"))?;
                value.trim().parse::<usize>().ok()
            });
            let end = head + 4 + length.unwrap_or(0);
            if flow.bytes.len() < end {
                break;
            }
            let message: Vec<u8> = flow.bytes.drain(..end).collect();
            texts.extend(as_sip(&message));
        }
        texts
            .into_iter()
            .for_each(|text| self.message(seen, port, source, destination, text));
        Some(())
    }

    fn message(
        &mut self,
        seen: &Seen,
        port: &str,
        source: SocketAddrV4,
        destination: SocketAddrV4,
        text: String,
    ) {
        let (at, direction) = (seen.at, seen.direction);
        self.messages.push(Sip {
            at,
            port: port.into(),
            direction,
            source,
            destination,
            text,
        });
    }
}

/// The text of a SIP message, if these bytes look like one.
fn as_sip(bytes: &[u8]) -> Option<String> {
    let line = bytes.split(|&byte| byte == b'\r' || byte == b'\n').next()?;
    let sip = line.starts_with(b"SIP/2.0 ") || line.ends_with(b" SIP/2.0");
    sip.then(|| String::from_utf8_lossy(bytes).replace("\r\n", "\n"))
}
