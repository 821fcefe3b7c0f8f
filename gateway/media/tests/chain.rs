//! The audio of one line, by what goes in and comes out: two lines that are connected, and a telephone with an echo on each.

mod hybrid;
mod signal;

use media::BLOCK;
use media::caller_id::{Caller, Frame};
use media::chain::{CODEC, Chain, Command, Event, PACKET_LEN, RECEIVE_LEN, Stream};
use media::dtmf::{Digit, Generator};
use media::g711::Law;
use media::player::Start;
use media::redundancy;
use media::rtp::{HEADER_LEN, Packet, Repr};
use media::tone::{Goertzel, Tone};
use signal::{Dice, coded, sines};

const EVENTS: u8 = 101;
const REDUNDANCY: u8 = 121;

fn stream(ssrc: u32, law: Law) -> Stream {
    Stream {
        law,
        telephone_event: Some(EVENTS),
        redundancy: Some(REDUNDANCY),
        sending: true,
        fax: false,
        start: Start {
            ssrc,
            sequence: 0xFFFE,
            timestamp: 0xFFFF_FF00,
        },
    }
}

/// What a chain said in a block.
struct Out {
    line: Vec<i16>,
    packet: Option<Vec<u8>>,
    events: Vec<Event>,
}

fn block(chain: &mut Chain, line: &[i16]) -> Out {
    let from = std::array::from_fn(|n| CODEC.encode(line.get(n).copied().unwrap_or(0)));
    let (mut to, mut packet) = ([0; BLOCK], [0; PACKET_LEN]);
    let length = chain.block(Some(&from), &mut to, &mut packet);
    Out {
        line: to.iter().map(|code| CODEC.decode(*code)).collect(),
        packet: length.map(|length| packet[..length].to_vec()),
        events: std::iter::from_fn(|| chain.event()).collect(),
    }
}

/// Plays samples into a chain alone; all it said.
fn play(chain: &mut Chain, samples: &[i16]) -> (Vec<i16>, Vec<Vec<u8>>, Vec<Event>) {
    let (mut line, mut packets, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for samples in samples.chunks(BLOCK) {
        let out = block(chain, samples);
        line.extend(out.line);
        packets.extend(out.packet);
        events.extend(out.events);
    }
    (line, packets, events)
}

fn level(hertz: u16, samples: &[i16]) -> f32 {
    let mut filter = Goertzel::new(hertz);
    samples.iter().for_each(|s| filter.push(*s));
    filter.level_dbm0()
}

fn tone(hertz: f64, dbm0: f64, milliseconds: f64) -> Vec<i16> {
    coded(&sines(&mut Dice::new(1), milliseconds, &[(hertz, dbm0)]))
}

fn digit(name: u8, milliseconds: usize) -> Vec<i16> {
    let mut generator = Generator::new(Digit::from_name(name).unwrap());
    let sounds = (0..milliseconds * 8).map(|_| generator.next_sample());
    sounds.chain(std::iter::repeat_n(0, 800)).collect()
}

#[test]
fn on_hook_there_is_silence() {
    let mut chain = Chain::new();
    let (line, packets, events) = play(&mut chain, &digit(b'5', 100));
    assert!(line.iter().all(|s| *s == 0) && packets.is_empty() && events.is_empty());
}

#[test]
fn a_dial_tone_is_heard_and_digits_are_told() {
    let mut chain = Chain::new();
    chain.command(Command::Tone(Tone::Dial));
    let (line, packets, _) = play(&mut chain, &[0; 4_000]);
    assert!(level(400, &line[800..]) > -20.0 && packets.is_empty());
    // The dial tone comes back from the line while the first digit is pressed.
    let mut pressed = digit(b'0', 80);
    pressed.iter_mut().zip(&line).for_each(|(s, tone)| *s += tone / 3);
    let (_, _, events) = play(&mut chain, &pressed);
    assert_eq!(events, [Event::Digit(Digit::from_name(b'0').unwrap())]);
    chain.command(Command::Listen);
    let dialled = [digit(b'3', 60), digit(b'#', 60)].concat();
    let (line, _, events) = play(&mut chain, &dialled);
    assert!(line.iter().all(|s| *s == 0));
    let names: Vec<_> = events
        .iter()
        .map(|event| {
            if let Event::Digit(digit) = event {
                digit.name()
            } else {
                b'?'
            }
        })
        .collect();
    assert_eq!(names, b"3#");
}

#[test]
fn the_callers_number_is_sent_once() {
    let frame = Frame::new(Caller::Number("0312345678"), None).unwrap();
    let mut chain = Chain::new();
    chain.command(Command::CallerId(frame));
    let (line, _, events) = play(&mut chain, &[0; 8_000]);
    assert_eq!(events, [Event::CallerIdSent]);
    let sound: Vec<i16> = {
        let mut modulator = media::caller_id::Modulator::new(frame);
        std::iter::from_fn(|| modulator.next_sample()).collect()
    };
    let wanted: Vec<i16> = sound.iter().map(|s| CODEC.decode(CODEC.encode(*s))).collect();
    assert_eq!(line[..wanted.len()], wanted);
    assert!(line[wanted.len()..].iter().all(|s| *s == 0));
}

/// Two lines with a call, a hybrid with 10 dB of echo on both, and a network that loses what it is told to.
struct Call {
    ends: [Chain; 2],
    back: [Vec<i16>; 2],
    packets: Vec<Vec<u8>>,
    events: [Vec<Event>; 2],
}

impl Call {
    fn new(law: Law) -> Call {
        let mut ends = [Chain::new(), Chain::new()];
        for (ssrc, end) in ends.iter_mut().enumerate() {
            end.command(Command::Connect(stream(ssrc as u32 + 1, law)));
        }
        Call {
            ends,
            back: [vec![0; BLOCK], vec![0; BLOCK]],
            packets: Vec::new(),
            events: [Vec::new(), Vec::new()],
        }
    }

    /// Both telephones say something; what both hear. Of the packets every `lost`-th does not arrive.
    fn talk(&mut self, said: [&[i16]; 2], lost: usize) -> [Vec<i16>; 2] {
        let mut heard = [Vec::new(), Vec::new()];
        for at in (0..said[0].len().max(said[1].len())).step_by(BLOCK) {
            let mut packets = [None, None];
            for (index, chain) in self.ends.iter_mut().enumerate() {
                let line: Vec<i16> = (0..BLOCK)
                    .map(|n| said[index].get(at + n).copied().unwrap_or(0) + self.back[index][n] / 3)
                    .collect();
                let out = block(chain, &line);
                self.back[index] = out.line.clone();
                heard[index].extend(out.line);
                packets[index] = out.packet;
                self.events[index].extend(out.events);
            }
            for (chain, packet) in self.ends.iter_mut().zip(packets.into_iter().rev()) {
                if let Some(packet) = packet {
                    self.packets.push(packet.clone());
                    if !self.packets.len().is_multiple_of(lost) {
                        chain.receive(&packet);
                    }
                }
            }
        }
        heard
    }

    fn last_type(&self) -> u8 {
        Packet::parse(self.packets.last().unwrap())
            .unwrap()
            .repr()
            .payload_type
    }
}

#[test]
fn a_voice_is_heard_and_does_not_come_back() {
    for law in [Law::Pcmu, Law::Pcma] {
        let mut call = Call::new(law);
        let said = tone(1_004.0, -12.0, 2_000.0);
        let heard = call.talk([&said, &[]], usize::MAX);
        // Of all frequencies: a delay that becomes shorter raises the pitch.
        let [back, there] = heard.map(|heard| hybrid::level(&heard[8_000..]));
        assert!(
            (there + 12.0).abs() < 0.3 && back < -65.0,
            "{there} and {back} dBm0"
        );
        // Sequence numbers and timestamps have no gap, the marker is on the first.
        let ours: Vec<_> = call
            .packets
            .iter()
            .map(|p| Packet::parse(p).unwrap().repr())
            .filter(|h| h.ssrc == 1)
            .collect();
        for (n, header) in ours.iter().enumerate() {
            assert_eq!(header.sequence, 0xFFFE_u16.wrapping_add(n as u16));
            assert_eq!(header.timestamp, 0xFFFF_FF00_u32.wrapping_add(160 * n as u32));
            assert_eq!((header.marker, header.payload_type), (n == 0, law.payload_type()));
        }
        assert_eq!(ours.len(), 100);
    }
}

#[test]
fn digits_go_out_as_events_and_sound_again() {
    let mut call = Call::new(Law::Pcmu);
    call.talk([&[], &[0; 1_600]], usize::MAX);
    let heard = call.talk([&digit(b'7', 200), &[0; 4_000]], usize::MAX);
    assert_eq!(call.events[0], [Event::Digit(Digit::from_name(b'7').unwrap())]);
    let events = call
        .packets
        .iter()
        .filter(|p| Packet::parse(p).unwrap().repr().payload_type == EVENTS)
        .count();
    assert!((9..=13).contains(&events), "{events}");
    // The other telephone hears it, by a detector of its own.
    let mut detector = media::dtmf::Detector::new();
    let found: Vec<_> = heard[1]
        .as_chunks::<8>()
        .0
        .iter()
        .filter_map(|ms| detector.push(ms))
        .collect();
    assert_eq!(
        found.first(),
        Some(&media::dtmf::Event::Begun(Digit::from_name(b'7').unwrap()))
    );
}

/// Whether the last packet of a line is of an event.
fn sends_an_event(chain: &mut Chain, samples: &[i16]) -> bool {
    let (_, packets, _) = play(chain, samples);
    let last = packets.last().unwrap();
    Packet::parse(last).unwrap().repr().payload_type == EVENTS
}

#[test]
fn a_fax_ends_the_digit_that_it_meets() {
    let mut chain = Chain::new();
    chain.command(Command::Connect(stream(1, Law::Pcmu)));
    let held = digit(b'7', 500);
    assert!(sends_an_event(&mut chain, &held[..1_600]));
    chain.command(Command::Connect(of_a_fax(1)));
    assert!(!sends_an_event(&mut chain, &held[1_600..3_200]));
}

/// Packets of 60 ms, and of 30 ms with the 30 ms before them, are heard whole.
#[test]
fn the_longest_packets_are_heard() {
    let said: Vec<u8> = tone(1_004.0, -12.0, 3_000.0)
        .iter()
        .map(|sample| Law::Pcmu.encode(*sample))
        .collect();
    for (redundant, length) in [(false, 480), (true, 240)] {
        let mut chain = Chain::new();
        chain.command(Command::Connect(stream(1, Law::Pcmu)));
        let (mut heard, mut last) = (Vec::new(), vec![0xFF; length]);
        for (n, octets) in (0u16..).zip(said.chunks_exact(length)) {
            let header = Repr {
                marker: n == 0,
                payload_type: if redundant { REDUNDANCY } else { 0 },
                sequence: n,
                timestamp: u32::from(n) * length as u32,
                ssrc: 5,
            };
            let mut packet = [0; RECEIVE_LEN];
            let room = header.emit(&mut packet).unwrap();
            let payload = match redundant {
                true => redundancy::write(Law::Pcmu, &last, octets, room).unwrap(),
                false => {
                    room[..length].copy_from_slice(octets);
                    length
                }
            };
            last = octets.to_vec();
            chain.receive(&packet[..HEADER_LEN + payload]);
            heard.extend(play(&mut chain, &vec![0; length]).0);
        }
        assert_eq!(chain.counters().unknown + chain.received().far, 0);
        assert!(hybrid::level(&heard[16_000..]) > -13.0, "{length}");
    }
}

fn of_a_fax(ssrc: u32) -> Stream {
    Stream {
        fax: true,
        ..stream(ssrc, Law::Pcmu)
    }
}

/// Who puts a FAX on hold can dial, and so can who changes from a call with one to another call.
#[test]
fn digits_are_told_again_after_a_fax() {
    let mut chain = Chain::new();
    chain.command(Command::Connect(of_a_fax(1)));
    let mut told = |command| {
        chain.command(command);
        play(&mut chain, &[0; 8_000]);
        play(&mut chain, &digit(b'5', 100)).2
    };
    assert_eq!(told(Command::Connect(stream(1, Law::Pcmu))), []);
    assert_eq!(told(Command::Tone(Tone::SecondDial)).len(), 1);
    assert_eq!(told(Command::Connect(stream(2, Law::Pcmu))).len(), 1, "a voice");
    assert_eq!(told(Command::Connect(of_a_fax(3))), []);
    assert_eq!(
        told(Command::Connect(stream(4, Law::Pcmu))).len(),
        1,
        "the other call"
    );
    assert_eq!(told(Command::Connect(of_a_fax(5))), []);
    assert_eq!(told(Command::Connect(of_a_fax(6))), [], "each of a FAX's");
}

#[test]
fn hung_up_a_digit_is_over() {
    let mut chain = Chain::new();
    chain.command(Command::Connect(stream(1, Law::Pcmu)));
    assert!(sends_an_event(&mut chain, &digit(b'7', 200)[..1_600]));
    chain.command(Command::Stop);
    chain.command(Command::Connect(stream(1, Law::Pcmu)));
    assert!(!sends_an_event(&mut chain, &[0; 1_600]));
}

#[test]
fn digits_of_another_source_are_heard_whatever_its_timestamps() {
    let mut chain = Chain::new();
    chain.command(Command::Connect(stream(1, Law::Pcmu)));
    for (ssrc, timestamp) in [(7, 0x9000_0000), (8, 0x1000_0000)] {
        let header = Repr {
            marker: true,
            payload_type: EVENTS,
            sequence: 1,
            timestamp,
            ssrc,
        };
        let mut packet = [0; 16];
        header
            .emit(&mut packet)
            .unwrap()
            .copy_from_slice(&[5, 10, 0, 160]);
        chain.receive(&packet);
        // One that is over, as its packets do not come any more, before the next begins.
        let (line, ..) = play(&mut chain, &[0; 4_000]);
        assert!(level(770, &line[..800]) > -20.0, "{ssrc}");
        assert_eq!(line[2_000..], [0; 2_000]);
    }
}

#[test]
fn a_fax_switches_both_ends_at_once() {
    let mut call = Call::new(Law::Pcmu);
    call.talk([&[0; 8_000], &[]], usize::MAX);
    assert_eq!(call.last_type(), 0);
    // One answers: 2,100 Hz.
    call.talk([&[0; 8_000], &tone(2_100.0, -12.0, 1_000.0)], usize::MAX);
    assert_eq!(call.events, [vec![Event::Modem], vec![Event::Modem]]);
    assert_eq!(call.last_type(), REDUNDANCY);
    // From now on a lost packet is no loss.
    let data: Vec<i16> = {
        let mut dice = Dice::new(3);
        coded(&(0..16_000).map(|_| 2_000.0 * dice.normal()).collect::<Vec<_>>())
    };
    let missing_before = call.ends.each_ref().map(|end| end.received().missing);
    let heard = call.talk([&data, &[]], 5);
    let missing = call.ends.each_ref().map(|end| end.received().missing);
    assert_eq!(missing, missing_before);
    let [_, there] = heard.map(|heard| hybrid::level(&heard[2_000..]));
    assert!((there - hybrid::level(&data)).abs() < 0.5, "{there} dBm0");
    // Hung up, it is for speech again.
    for end in &mut call.ends {
        end.command(Command::Stop);
        end.command(Command::Connect(stream(9, Law::Pcmu)));
    }
    call.talk([&[0; 800], &[]], usize::MAX);
    assert_eq!(call.last_type(), 0);
}

#[test]
fn reversed_phase_disables_the_canceller_until_there_is_silence() {
    let mut call = Call::new(Law::Pcmu);
    let noise = hybrid::noise(3, 16_000, -15.0);
    // What comes back of the noise to who said it, after the delay.
    let back = |call: &mut Call| {
        let heard = call.talk([&noise[..8_000], &[]], usize::MAX);
        hybrid::level(&heard[0][3_000..7_000])
    };
    call.talk([&noise, &[]], usize::MAX);
    let quiet = back(&mut call);
    assert!(quiet < -40.0, "{quiet} dBm0");
    // An answer tone of a modem: 2,100 Hz, reversed every 450 ms. It is heard in both directions.
    let tone = tone(2_100.0, -12.0, 2_500.0);
    let answer: Vec<i16> = tone
        .iter()
        .enumerate()
        .map(|(n, s)| if n / 3_600 % 2 == 0 { *s } else { -*s })
        .collect();
    call.talk([&[], &answer], usize::MAX);
    let loud = back(&mut call);
    assert!((loud + 15.0 + 9.5).abs() < 1.5, "{loud} dBm0");
    call.talk([&[0; 4_800], &[]], usize::MAX);
    let quiet = back(&mut call);
    assert!(quiet < -40.0, "{quiet} dBm0");
}

#[test]
fn one_on_hold_hears_and_says_nothing() {
    let mut call = Call::new(Law::Pcmu);
    let said = tone(1_004.0, -12.0, 1_000.0);
    call.talk([&said, &[]], usize::MAX);
    let before = call.packets.len();
    for (ssrc, end) in call.ends.iter_mut().enumerate() {
        end.command(Command::Connect(Stream {
            sending: false,
            ..stream(ssrc as u32 + 1, Law::Pcmu)
        }));
    }
    call.talk([&said, &[]], usize::MAX);
    assert_eq!(call.packets.len(), before);
    for (ssrc, end) in call.ends.iter_mut().enumerate() {
        end.command(Command::Connect(stream(ssrc as u32 + 1, Law::Pcmu)));
    }
    let heard = call.talk([&said, &[]], usize::MAX);
    assert!(hybrid::level(&heard[1][4_000..]) > -13.0);
    // Time went on, numbers did not.
    let header = Packet::parse(&call.packets[before]).unwrap().repr();
    assert!(header.marker);
    assert_eq!(header.sequence, 0xFFFE_u16.wrapping_add(50));
    assert_eq!(header.timestamp, 0xFFFF_FF00_u32.wrapping_add(100 * 160));
}

#[test]
fn whatever_comes_is_counted() {
    let mut chain = Chain::new();
    chain.command(Command::Connect(stream(1, Law::Pcmu)));
    let mut dice = Dice::new(11);
    for _ in 0..3_000 {
        let length = dice.one_of(400);
        let mut octets: Vec<u8> = (0..length).map(|_| dice.next() as u8).collect();
        if let [first, second, ..] = &mut octets[..] {
            *first = 0x80;
            *second = [0, 8, 13, EVENTS, REDUNDANCY, 55][dice.one_of(6)];
        }
        chain.receive(&octets);
        block(&mut chain, &[]);
    }
    assert!(chain.counters().unknown > 300);
}

#[test]
fn it_takes_no_more_memory_than_this() {
    // 6,128 on the microcontroller: four of them are 23.9 KiB.
    assert!(size_of::<Chain>() <= 6_208, "{}", size_of::<Chain>());
}
