//! The audio of one analog line: codec octets on one side, RTP packets on the other, blocks of 5 ms.
//!
//! ```text
//! from the line ─ echo canceller ─┬─ DTMF, FAX tones ─ events
//!                                 └─ G.711 ─ telephone-event, redundancy ─ RTP out
//! to the line ─── tone, number ───── concealment, resampling ─ jitter buffer ─ RTP in
//! ```
//!
//! It has no clock but its blocks, does no I/O and never fails: what cannot be understood is dropped and counted. A FAX that is
//! heard in either direction switches it to *modem mode* at once, until the connection ends: no non-linear processor, no
//! comfort noise, a fixed buffer, redundancy where the peer takes it.

use heapless::Deque;

use crate::BLOCK;
use crate::dtmf::Digit;
use crate::g711::Law;
use crate::player::{FRAME, Start};
use crate::rtp::{HEADER_LEN, Repr};
use crate::tone::{Generator, Tone};

/// The law of the codec's octets.
pub const CODEC: Law = Law::Pcmu;
/// Octets of the longest packet that is sent: header, RFC 2198 headers and two frames of 20 ms.
pub const PACKET_LEN: usize = HEADER_LEN + 5 + 2 * FRAME;
/// Events that wait to be taken; more are dropped.
const EVENTS: usize = 8;

/// What a connection has agreed on (RFC 3264). A payload type that is `None` is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The law of both directions.
    pub law: Law,
    /// Payload type of telephone-event (RFC 4733): DTMF of the telephone goes out as events.
    pub telephone_event: Option<u8>,
    /// Payload type of redundancy (RFC 2198): it is used in modem mode.
    pub redundancy: Option<u8>,
    /// The far end wants to hear us (not `recvonly` or `inactive` of its own).
    pub sending: bool,
    /// Where our packets begin. A stream with the SSRC of the last one goes on where that is.
    pub start: Start,
}

/// What a line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Silence to the telephone, and nothing is heard from it: it is on hook. Everything is forgotten.
    Stop,
    /// Silence to the telephone; its digits are events.
    Listen,
    /// A tone to the telephone; its digits are events.
    Tone(Tone),
    /// Speech with the far end. A second one changes the connection.
    Connect(Stream),
    /// Modem mode until [`Command::Stop`], as if a FAX had been heard.
    Modem,
}

/// What a line has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The telephone sends this DTMF digit. It is told of one that goes out as telephone-event as well.
    Digit(Digit),
    /// The caller's number was sent to the telephone.
    CallerIdSent,
    /// A FAX or modem was heard, in either direction: the connection is in modem mode.
    Modem,
}

/// What went wrong, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that are not RTP, or of a payload type that was not agreed on.
    pub unknown: u32,
    /// Events that nobody took in time.
    pub untold: u32,
}

#[derive(Clone, Debug)]
enum State {
    Stopped,
    Listening,
    Sounding(Generator),
    Connected(Stream),
}

/// The audio of one line.
#[derive(Clone, Debug)]
pub struct Chain {
    state: State,
    events: Deque<Event, EVENTS>,
    counters: Counters,
    frame: heapless::Vec<u8, FRAME>,
    stream: Start,
    marker: bool,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// A line that is on hook.
    pub const fn new() -> Self {
        Chain {
            state: State::Stopped,
            events: Deque::new(),
            counters: Counters {
                unknown: 0,
                untold: 0,
            },
            frame: heapless::Vec::new(),
            stream: Start {
                ssrc: 0,
                sequence: 0,
                timestamp: 0,
            },
            marker: true,
        }
    }

    /// Does what it is told from the next block on.
    pub fn command(&mut self, command: Command) {
        self.state = match command {
            Command::Stop => State::Stopped,
            Command::Listen => State::Listening,
            Command::Tone(tone) => State::Sounding(Generator::new(tone)),
            Command::Connect(stream) => {
                if self.stream.ssrc != stream.start.ssrc {
                    self.stream = stream.start;
                    self.marker = true;
                    self.frame.clear();
                }
                State::Connected(stream)
            }
            Command::Modem => return,
        };
    }

    /// Takes a packet that came from the far end.
    pub fn receive(&mut self, _packet: &[u8]) {}

    /// One block of 5 ms: takes what was sampled from the line, gives what goes to the line next and, every fourth time while
    /// connected, the length of a packet to send. The echo of what is given here is looked for from the next call on, and
    /// for 16 ms.
    pub fn block(
        &mut self,
        from_line: &[u8; BLOCK],
        to_line: &mut [u8; BLOCK],
        packet: &mut [u8; PACKET_LEN],
    ) -> Option<usize> {
        to_line.fill(CODEC.silence());
        match &mut self.state {
            State::Stopped | State::Listening => None,
            State::Sounding(generator) => {
                to_line.fill_with(|| CODEC.encode(generator.next_sample()));
                None
            }
            State::Connected(stream) => {
                let law = stream.law;
                self.frame
                    .extend(from_line.iter().map(|code| law.encode(CODEC.decode(*code))));
                if self.frame.len() < FRAME {
                    return None;
                }
                self.send(law.payload_type(), packet)
            }
        }
    }

    fn send(&mut self, payload_type: u8, packet: &mut [u8; PACKET_LEN]) -> Option<usize> {
        let repr = Repr {
            marker: core::mem::take(&mut self.marker),
            payload_type,
            sequence: self.stream.sequence,
            timestamp: self.stream.timestamp,
            ssrc: self.stream.ssrc,
        };
        let payload = repr.emit(packet).ok()?.get_mut(..self.frame.len())?;
        payload.copy_from_slice(&self.frame);
        self.stream.sequence = self.stream.sequence.wrapping_add(1);
        self.stream.timestamp = self.stream.timestamp.wrapping_add(FRAME as u32);
        let length = HEADER_LEN + self.frame.len();
        self.frame.clear();
        Some(length)
    }

    /// What happened since the last time.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What went wrong so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }
}
