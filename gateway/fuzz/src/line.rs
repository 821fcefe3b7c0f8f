//! The audio of an analog line: among packets of anyone, commands, and whatever the telephone sends.

use crate::script::Script;
use media::BLOCK;
use media::caller_id::{Caller, Frame, Reason};
use media::chain::{CODEC, Chain, Command, Event, PACKET_LEN, Stream};
use media::dtmf::{self, Digit};
use media::g711::Law;
use media::player::Start;
use media::rtp::{Packet, Repr};
use media::tone::{self, Tone};

/// Payload types of those that can be agreed on, and one that cannot be written.
const TELEPHONE_EVENT: [Option<u8>; 4] = [Some(101), None, Some(97), Some(200)];
const REDUNDANCY: [Option<u8>; 4] = [Some(121), None, Some(98), Some(200)];
/// Blocks of one input at the most: 10 s.
const BLOCKS: usize = 2_000;
/// Packets in which an event of ours is over when it has to be: the one that goes on, and three that say so.
const OVER: usize = 4;

/// Whatever comes: each block is filled, silence is silence, and what is sent is a packet of what was agreed on, one after the other.
pub fn line(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut world = World {
        chain: Chain::new(),
        silent: true,
        stream: None,
        ssrc: 0,
        sent: None,
        since: 0,
        pressed: false,
        modem: None,
        timestamp: 0,
        packets: 0,
        heard: [0xFF; BLOCK],
        blocks: 0,
    };
    while !script.is_over() && world.blocks < BLOCKS {
        match script.below(8) {
            0 | 1 => world.command(&mut script),
            2 | 3 => world.packet(&mut script),
            4 => {
                let length = script.byte();
                world.receive(script.bytes(length.into()));
            }
            _ => world.talk(&mut script),
        }
        let counters = world.chain.counters();
        assert!(counters.unknown <= world.packets, "{counters:?}");
    }
}

struct World {
    chain: Chain,
    /// Nothing is to be heard in the telephone.
    silent: bool,
    stream: Option<Stream>,
    /// Of the last connection.
    ssrc: u32,
    /// The last packet.
    sent: Option<Repr>,
    /// Blocks since it.
    since: usize,
    /// A digit was told since the line was stopped.
    pressed: bool,
    /// Packets sent in modem mode.
    modem: Option<usize>,
    /// Of the far end.
    timestamp: u32,
    packets: u32,
    /// What the telephone heard last.
    heard: [u8; BLOCK],
    blocks: usize,
}

impl World {
    fn command(&mut self, script: &mut Script<'_>) {
        let command = match script.below(8) {
            0 => Command::Stop,
            1 => Command::Listen,
            2 => Command::Tone(script.of(&[
                Tone::Dial,
                Tone::SecondDial,
                Tone::Busy,
                Tone::Howler,
                Tone::Test(1_100),
                Tone::Test(2_100),
                Tone::Test(u16::MAX),
            ])),
            3 => {
                let length = script.byte();
                let number = String::from_utf8_lossy(script.bytes(length.into()));
                let frame = Frame::new(Caller::Number(&number), Some("0312345678"))
                    .or_else(|_| Frame::new(Caller::Unknown(Reason::Private), None));
                Command::CallerId(frame.expect("a reason can be shown"))
            }
            kind => Command::Connect(Stream {
                law: script.of(&[Law::Pcmu, Law::Pcma]),
                telephone_event: script.of(&TELEPHONE_EVENT),
                redundancy: script.of(&REDUNDANCY),
                sending: script.below(4) > 0,
                fax: kind == 4,
                start: Start {
                    ssrc: script.below(3) as u32,
                    sequence: 0xFFF0,
                    timestamp: 0xFFFF_F000,
                },
            }),
        };
        self.chain.command(command);
        match command {
            Command::Connect(stream) => {
                self.stream = Some(stream);
                self.silent = false;
                if std::mem::replace(&mut self.ssrc, stream.start.ssrc) != stream.start.ssrc {
                    self.modem = None;
                }
                self.sent = self.sent.filter(|sent| sent.ssrc == stream.start.ssrc);
            }
            _ => {
                self.stream = None;
                self.silent = matches!(command, Command::Stop | Command::Listen);
            }
        }
        if command == Command::Stop {
            (self.modem, self.pressed) = (None, false);
        }
        self.events(command == Command::Stop);
        if matches!(command, Command::Listen | Command::Tone(_)) {
            self.modem = None;
        }
    }

    /// A packet that is one.
    fn packet(&mut self, script: &mut Script<'_>) {
        let choice = script.byte();
        self.timestamp = self.timestamp.wrapping_add(match choice % 8 {
            0 => u32::from(choice) << 24,
            1 => 65_535,
            2 => u32::MAX - 479,
            3 => 0,
            4 => 40 * u32::from(choice),
            _ => 160,
        });
        let agreed = self.stream.and_then(|stream| stream.telephone_event);
        let repr = Repr {
            marker: false,
            payload_type: script.of(&[0, 0, 8, 13, agreed.unwrap_or(101) & 0x7F, 121, 98, 3]),
            sequence: 0,
            timestamp: self.timestamp,
            ssrc: [7, 7, 7, 8][script.below(4)],
        };
        let mut packet = [0; 600];
        repr.emit(&mut packet).expect("room");
        let length = [160, 4, 80, 480, 5, 240, 0, 588][script.below(8)];
        let said = [length, 4, 12][script.below(3)].min(length);
        let said = script.bytes(said);
        packet[12..12 + said.len()].copy_from_slice(said);
        self.receive(&packet[..12 + length]);
    }

    fn receive(&mut self, packet: &[u8]) {
        self.packets += 1;
        self.chain.receive(packet);
    }

    /// The telephone sends something for a while.
    fn talk(&mut self, script: &mut Script<'_>) {
        let (kind, blocks) = (script.below(8), 1 + script.below(80));
        let choice = script.byte();
        let hertz = [1_100, 2_100, 1_650, 1_850, 400, 1_300][usize::from(choice) % 6];
        let mut digit = Digit::from_code(choice % 16).map(dtmf::Generator::new);
        let mut sine = tone::Generator::new(Tone::Test(hertz));
        let noise = script.bytes(if kind == 4 { BLOCK } else { 0 });
        for n in 0..blocks {
            let line = match (kind, &mut digit) {
                (0, _) => self.heard,
                (1 | 2, Some(digit)) => std::array::from_fn(|_| CODEC.encode(digit.next_sample())),
                (3, _) => std::array::from_fn(|_| CODEC.encode(sine.next_sample())),
                (4, _) => std::array::from_fn(|n| noise.get(n).copied().unwrap_or(choice)),
                (5, _) => [choice; BLOCK],
                _ => [0xFF; BLOCK],
            };
            self.block(&line, n == 0);
        }
    }

    fn block(&mut self, line: &[u8; BLOCK], twice: bool) {
        self.blocks += 1;
        let mut packet = [0; PACKET_LEN];
        let mut other = twice.then(|| self.chain.clone());
        self.heard = [0; BLOCK];
        let length = self.chain.block(Some(line), &mut self.heard, &mut packet);
        if let Some(other) = &mut other {
            // Filled, and from nothing that was there.
            let (mut heard, mut again) = ([0x55; BLOCK], [0xAA; PACKET_LEN]);
            assert_eq!(other.block(Some(line), &mut heard, &mut again), length);
            assert_eq!(heard, self.heard);
            let length = length.unwrap_or(0);
            assert_eq!(again[..length], packet[..length]);
        }
        assert!(!self.silent || self.heard == [0xFF; BLOCK], "{:x?}", self.heard);
        self.events(false);
        self.since += 1;
        if let Some(length) = length {
            self.sent(&packet[..length]);
        }
    }

    fn sent(&mut self, packet: &[u8]) {
        let stream = self.stream.filter(|stream| stream.sending).expect("a connection");
        let repr = Packet::parse(packet).expect("what is sent is a packet").repr();
        assert_eq!(repr.ssrc, stream.start.ssrc);
        if let Some(before) = self.sent.replace(repr) {
            assert_eq!(repr.sequence, before.sequence.wrapping_add(1));
            assert!(self.since >= 4);
        }
        self.since = 0;
        let modem = self.modem.is_some();
        let sent = self.modem.as_mut().map_or(0, |sent| {
            *sent += 1;
            *sent
        });
        let own = Some(repr.payload_type);
        if own == stream.telephone_event {
            assert!(self.pressed && sent <= OVER, "an event goes on");
        } else if own == stream.redundancy {
            assert!(modem);
        } else {
            assert_eq!(own, Some(stream.law.payload_type()));
        }
        // Our own end takes it, from another source.
        let unknown = self.chain.counters().unknown;
        let mut other = self.chain.clone();
        other.receive(packet);
        assert_eq!(other.counters().unknown, unknown);
    }

    /// What is told; `stopped`: all of it is from before.
    fn events(&mut self, stopped: bool) {
        while let Some(event) = self.chain.event() {
            match event {
                _ if stopped => {}
                Event::Digit(_) => self.pressed = true,
                Event::CallerIdSent => self.silent = true,
                Event::Modem => self.modem = Some(0),
            }
        }
    }
}
