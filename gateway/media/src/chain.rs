//! The audio of one analog line: codec octets on one side, RTP packets on the other, blocks of 5 ms.
//!
//! ```text
//! from the line ─ echo canceller ─┬─ DTMF, FAX tones ─ events
//!                                 └─ G.711 ─ telephone-event, redundancy ─ RTP out
//! to the line ─── tone, number ───── concealment, resampling ─ jitter buffer ─ RTP in
//! ```
//!
//! It has no clock but its blocks, does no I/O and never fails: what cannot be understood is dropped and counted. A FAX that is
//! heard in either direction switches it to *modem mode* at once, for as long as this connection lasts: no non-linear processor, no
//! comfort noise, a fixed buffer, redundancy where the peer takes it.

use core::mem;

use heapless::Deque;

use crate::BLOCK;
use crate::band::MILLISECOND;
use crate::caller_id::{Frame, Modulator};
use crate::dtmf::{self, Digit};
use crate::echo::{Canceller, Mode};
use crate::event;
use crate::fax;
use crate::g711::Law;
use crate::jitter;
use crate::player::{FRAME, Start};
use crate::receiver::Receiver;
use crate::redundancy;
use crate::rtp::{HEADER_LEN, Packet, Repr};
use crate::tone::{Generator, Tone, peak};

/// The law of the codec's octets.
pub const CODEC: Law = Law::Pcmu;
/// Octets of the longest packet that is sent: header, RFC 2198 headers and two frames of 20 ms.
pub const PACKET_LEN: usize = HEADER_LEN + 5 + 2 * FRAME;
/// Octets of the longest packet that is received: header, RFC 2198 headers and 60 ms, of which some may be there for the second time.
/// That is what `a=maxptime` asks for (RFC 4566 §6).
pub const RECEIVE_LEN: usize = HEADER_LEN + 5 + jitter::LONGEST;
/// Echo canceller of 16 ms: the hybrid of a line in the same house.
const TAIL: usize = 128;
/// Largest sample of silence after which a canceller that was disabled goes on, a sine of -36 dBm0; and how many blocks of it: 250 ms.
const QUIET: u16 = peak(-36).unsigned_abs();
const RELEASE: u8 = 50;
/// Events that wait to be taken; more are dropped.
const EVENTS: usize = 8;

/// What a connection has agreed on (RFC 3264). A payload type that is `None` is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The law of both directions.
    pub law: Law,
    /// Payload type of telephone-event (RFC 4733): DTMF of the telephone goes out as events, and theirs sound in the telephone.
    pub telephone_event: Option<u8>,
    /// Payload type of redundancy (RFC 2198): it is used in modem mode.
    pub redundancy: Option<u8>,
    /// The far end wants to hear us (not `recvonly` or `inactive` of its own).
    pub sending: bool,
    /// The telephone is a FAX machine: modem mode from the beginning.
    pub fax: bool,
    /// Where our packets begin. A stream with the SSRC of the last one goes on where that is; another SSRC is another connection.
    pub start: Start,
}

/// What a line is told. Each says all that it is to do: a command that comes before the last one was seen takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Silence to the telephone, and nothing is heard from it: it is on hook. Everything is forgotten.
    Stop,
    /// Silence to the telephone; its digits are events.
    Listen,
    /// A tone to the telephone; its digits are events.
    Tone(Tone),
    /// The caller's number to the telephone, then silence.
    CallerId(Frame),
    /// Speech with the far end. A second one changes the connection.
    Connect(Stream),
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
    Showing(Modulator),
    Connected(Stream),
}

/// The audio of one line.
#[derive(Clone, Debug)]
pub struct Chain {
    state: State,
    modem: bool,
    canceller: Canceller<TAIL>,
    /// What went to the line last, as the telephone hears it.
    far: [i16; BLOCK],
    /// FAX and modems, from the line and to it; digits, from the line.
    from_modems: fax::Detector,
    to_modems: fax::Detector,
    digits: dtmf::Detector,
    /// Blocks of silence since cancellers were disabled.
    silent: u8,
    receiver: Receiver,
    /// Digits of the far end, the source that they are of, and the one that sounds.
    theirs: event::Receiver,
    source: u32,
    sounds: Option<dtmf::Generator>,
    sender: Sender,
    events: Deque<Event, EVENTS>,
    counters: Counters,
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
            modem: false,
            canceller: Canceller::new(),
            far: [0; BLOCK],
            from_modems: fax::Detector::new(),
            to_modems: fax::Detector::new(),
            digits: dtmf::Detector::new(),
            silent: 0,
            receiver: Receiver::new(CODEC, None),
            theirs: event::Receiver::NEW,
            source: 0,
            sounds: None,
            sender: Sender::NEW,
            events: Deque::new(),
            counters: Counters {
                unknown: 0,
                untold: 0,
            },
        }
    }

    /// Does what it is told from the next block on.
    pub fn command(&mut self, command: Command) {
        match command {
            Command::Stop => {
                let (events, counters, stream) =
                    (mem::take(&mut self.events), self.counters, self.sender.stream);
                *self = Chain {
                    events,
                    counters,
                    sender: Sender {
                        stream,
                        ..Sender::NEW
                    },
                    ..Chain::new()
                };
            }
            Command::Listen => {
                self.leave_modem_mode();
                self.state = State::Listening;
            }
            Command::Tone(tone) => {
                self.leave_modem_mode();
                self.state = State::Sounding(Generator::new(tone));
            }
            Command::CallerId(frame) => self.state = State::Showing(Modulator::new(frame)),
            Command::Connect(stream) => self.connect(stream),
        }
    }

    fn connect(&mut self, stream: Stream) {
        if self.sender.stream.ssrc == stream.start.ssrc {
            self.receiver.agree(stream.law, stream.redundancy);
        } else {
            self.leave_modem_mode();
            self.receiver = Receiver::new(stream.law, stream.redundancy);
            self.sender = Sender {
                stream: stream.start,
                ..Sender::NEW
            };
        }
        self.state = State::Connected(stream);
        if stream.fax {
            self.hear_modem();
        }
    }

    /// The far end is away, so its modem is: somebody at the telephone may dial again.
    fn leave_modem_mode(&mut self) {
        if mem::take(&mut self.modem) {
            self.canceller.set_mode(Mode::Full);
            (self.from_modems, self.to_modems) = (fax::Detector::new(), fax::Detector::new());
        }
    }

    fn hear_modem(&mut self) {
        if !self.modem {
            self.modem = true;
            self.canceller.set_mode(Mode::Held);
            self.receiver.modem();
            // Nobody listens any more for the end of a digit.
            self.sender.press(&self.state, None);
            self.tell(Event::Modem);
        }
    }

    /// Takes a packet that came from the far end.
    pub fn receive(&mut self, packet: &[u8]) {
        let State::Connected(Stream { telephone_event, .. }) = self.state else {
            return;
        };
        let taken = Packet::parse(packet).is_ok_and(|packet| {
            let header = packet.repr();
            match event::Payload::parse(packet.payload()) {
                Some(payload) if telephone_event == Some(header.payload_type) => {
                    // Timestamps of two sources have nothing to do with each other (RFC 3550 §5.1).
                    if mem::replace(&mut self.source, header.ssrc) != header.ssrc {
                        (self.theirs, self.sounds) = (event::Receiver::NEW, None);
                    }
                    let heard = self.theirs.packet(header.timestamp, payload);
                    heard.into_iter().flatten().for_each(|event| self.sound(event));
                    true
                }
                _ => self.receiver.receive(&packet),
            }
        });
        if !taken {
            self.counters.unknown = self.counters.unknown.saturating_add(1);
        }
    }

    /// A digit of the far end begins or ends.
    fn sound(&mut self, event: event::Event) {
        self.sounds = match event {
            event::Event::Begun(code) => Digit::from_code(code).map(dtmf::Generator::new),
            event::Event::Ended(_) => None,
        };
    }

    /// One block of 5 ms: takes what was sampled from the line (`None`: it was lost, and is silence), gives what goes to the line
    /// next and, every fourth time while connected, the length of a packet to send. The echo of what is given here is looked for
    /// from the next call on, and for 16 ms.
    pub fn block(
        &mut self,
        from_line: Option<&[u8; BLOCK]>,
        to_line: &mut [u8; BLOCK],
        packet: &mut [u8; PACKET_LEN],
    ) -> Option<usize> {
        let mut near = from_line.map_or([0; BLOCK], |codes| codes.map(|code| CODEC.decode(code)));
        let sent = match &self.state {
            State::Stopped => None,
            _ => {
                match from_line {
                    Some(_) => self.canceller.process(&self.far, &mut near),
                    None => self.canceller.missed(&self.far),
                }
                self.listen(&near);
                self.send(&near, packet)
            }
        };
        self.make();
        for (code, sample) in to_line.iter_mut().zip(&mut self.far) {
            *code = CODEC.encode(*sample);
            *sample = CODEC.decode(*code);
        }
        sent
    }

    /// What the telephone hears next.
    fn make(&mut self) {
        match &mut self.state {
            State::Stopped | State::Listening => self.far.fill(0),
            State::Sounding(generator) => self.far.fill_with(|| generator.next_sample()),
            State::Showing(modulator) => {
                let mut sounds = true;
                self.far.fill_with(|| {
                    let sample = modulator.next_sample();
                    sounds = sample.is_some();
                    sample.unwrap_or(0)
                });
                if !sounds {
                    self.state = State::Listening;
                    self.tell(Event::CallerIdSent);
                }
            }
            State::Connected(_) => {
                self.receiver.read(&mut self.far);
                if let Some(event) = self.theirs.pass(BLOCK as u32) {
                    self.sound(event);
                }
                if let Some(generator) = &mut self.sounds {
                    self.far.fill_with(|| generator.next_sample());
                }
            }
        }
    }

    /// What the telephone, and whoever it is connected with, says besides speech.
    fn listen(&mut self, near: &[i16; BLOCK]) {
        let connected = matches!(self.state, State::Connected(_));
        let far = self.far;
        let both = near
            .as_chunks::<MILLISECOND>()
            .0
            .iter()
            .zip(far.as_chunks::<MILLISECOND>().0);
        for (near, far) in both {
            if connected {
                let heard = [self.from_modems.push(near), self.to_modems.push(far)];
                heard.into_iter().flatten().for_each(|event| self.hear(event));
            }
            if self.modem {
                continue;
            }
            match self.digits.push(near) {
                Some(dtmf::Event::Begun(digit)) => {
                    self.sender.press(&self.state, Some(digit));
                    self.tell(Event::Digit(digit));
                }
                Some(dtmf::Event::Ended(_)) => self.sender.press(&self.state, None),
                None => {}
            }
        }
        let silent = [near, &far]
            .into_iter()
            .all(|block| block.iter().all(|s| s.unsigned_abs() < QUIET));
        self.silent = if silent { self.silent.saturating_add(1) } else { 0 };
        if self.silent >= RELEASE && self.canceller.mode() == Mode::Disabled {
            self.canceller.set_mode(Mode::Held);
        }
    }

    /// Rules of cancellers' tone disablers (G.168 §7): every answer tone switches off what is not linear, one with reversed phase
    /// all of it, until there is silence.
    fn hear(&mut self, event: fax::Event) {
        self.hear_modem();
        if event == fax::Event::Reversal {
            self.canceller.set_mode(Mode::Disabled);
        }
    }

    fn send(&mut self, near: &[i16; BLOCK], packet: &mut [u8; PACKET_LEN]) -> Option<usize> {
        let State::Connected(stream) = &self.state else {
            return None;
        };
        let redundancy = stream.redundancy.filter(|_| self.modem);
        self.sender.send(stream, redundancy, near, packet)
    }

    fn tell(&mut self, event: Event) {
        if self.events.push_back(event).is_err() {
            self.counters.untold = self.counters.untold.saturating_add(1);
        }
    }

    /// What happened since the last time.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What went wrong so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// What became of the packets of this connection.
    pub const fn received(&self) -> jitter::Counters {
        self.receiver.counters()
    }
}

/// Makes packets of 20 ms.
#[derive(Clone, Debug)]
struct Sender {
    stream: Start,
    /// What is being filled, so far, and what was sent before it.
    frame: [u8; FRAME],
    filled: usize,
    before: [u8; FRAME],
    /// The first packet of a talk spurt, with nothing before it.
    first: bool,
    event: event::Sender,
}

impl Sender {
    const NEW: Self = Sender {
        stream: Start {
            ssrc: 0,
            sequence: 0,
            timestamp: 0,
        },
        frame: [0; FRAME],
        filled: 0,
        before: [0; FRAME],
        first: true,
        event: event::Sender::NEW,
    };

    /// A digit was pressed or released.
    fn press(&mut self, state: &State, digit: Option<Digit>) {
        let now = self.stream.timestamp.wrapping_add(self.filled as u32);
        match (state, digit) {
            (
                State::Connected(Stream {
                    telephone_event: Some(_),
                    ..
                }),
                Some(digit),
            ) => {
                self.event.begin(digit.code(), now);
            }
            _ => self.event.end(now),
        }
    }

    fn send(
        &mut self,
        stream: &Stream,
        redundancy: Option<u8>,
        samples: &[i16; BLOCK],
        packet: &mut [u8; PACKET_LEN],
    ) -> Option<usize> {
        for (code, sample) in self.frame.iter_mut().skip(self.filled).zip(samples) {
            *code = stream.law.encode(*sample);
        }
        self.filled += BLOCK;
        if self.filled < FRAME {
            return None;
        }
        self.filled = 0;
        let end = self.stream.timestamp.wrapping_add(FRAME as u32);
        let event = match stream.telephone_event {
            Some(payload_type) => self.event.next(end).map(|packet| (payload_type, packet)),
            None => None,
        };
        let length = match event {
            _ if !stream.sending => None,
            // An event takes the place of the sound that it is.
            Some((payload_type, event)) => self.write_event(payload_type, &event, packet),
            None => self.write(stream, redundancy, packet),
        };
        self.first = length.is_none() || event.is_some();
        self.before = self.frame;
        self.stream.timestamp = end;
        self.stream.sequence = self.stream.sequence.wrapping_add(u16::from(length.is_some()));
        length
    }

    fn write_event(
        &self,
        payload_type: u8,
        event: &event::Packet,
        packet: &mut [u8; PACKET_LEN],
    ) -> Option<usize> {
        let repr = Repr {
            marker: event.marker,
            payload_type,
            sequence: self.stream.sequence,
            timestamp: event.timestamp,
            ssrc: self.stream.ssrc,
        };
        *repr.emit(packet).ok()?.first_chunk_mut()? = event.payload.emit();
        Some(HEADER_LEN + event::LEN)
    }

    fn write(&self, stream: &Stream, redundancy: Option<u8>, packet: &mut [u8; PACKET_LEN]) -> Option<usize> {
        let repr = Repr {
            marker: self.first,
            payload_type: redundancy.unwrap_or(stream.law.payload_type()),
            sequence: self.stream.sequence,
            timestamp: self.stream.timestamp,
            ssrc: self.stream.ssrc,
        };
        let payload = repr.emit(packet).ok()?;
        let length = match redundancy {
            Some(_) => {
                let before = if self.first { &[][..] } else { &self.before };
                redundancy::write(stream.law, before, &self.frame, payload).ok()?
            }
            None => {
                *payload.first_chunk_mut()? = self.frame;
                FRAME
            }
        };
        Some(HEADER_LEN + length)
    }
}
