//! The jitter buffer: a sender with its own clock, a network that is late, doubles and loses, and the blocks that come out.

mod hybrid;
mod signal;

use media::BLOCK;
use media::g711::Law;
use media::jitter::{Block, Buffer, CAPACITY, Counters};
use media::receiver::Receiver;
use media::rtp::{Packet, Repr};
use proptest::prelude::*;
use signal::Dice;

const FRAME: usize = 160;
/// A frame, in blocks.
const BLOCKS: usize = FRAME / BLOCK;

fn header(ssrc: u32, n: usize) -> Repr {
    // Both wrap within the first frames.
    Repr {
        marker: false,
        payload_type: 0,
        sequence: 0xFFFE_u16.wrapping_add(n as u16),
        timestamp: 0xFFFF_FF00_u32.wrapping_add((n * FRAME) as u32),
        ssrc,
    }
}

/// The octets of a frame say which it is.
fn octets(n: usize) -> [u8; FRAME] {
    [n as u8; FRAME]
}

/// Plays so many blocks; before block `at` the packets come that are listed for it.
fn play(buffer: &mut Buffer, packets: &[(usize, usize)], blocks: usize) -> Vec<Block> {
    (0..blocks)
        .map(|now| {
            for (_, n) in packets.iter().filter(|(at, _)| *at == now) {
                buffer.receive(&header(7, *n), &octets(*n));
            }
            buffer.block()
        })
        .collect()
}

/// The frames in the order in which they were played, silence and gaps as one letter each.
fn frames(blocks: &[Block]) -> String {
    let mut text: Vec<_> = blocks
        .iter()
        .map(|block| match block {
            Block::Audio(octets) => {
                assert!(octets.iter().all(|o| *o == octets[0]), "a block of two frames");
                octets[0].to_string()
            }
            Block::Missing => "?".into(),
            Block::Silence => "-".into(),
        })
        .collect();
    text.dedup();
    text.join(" ")
}

#[test]
fn packets_come_out_in_time_whatever_their_order() {
    // (name, (block, packet), what is played, counters)
    type Row<'a> = (&'a str, &'a [(usize, usize)], &'a str, Counters);
    let zero = Counters::default();
    let rows: &[Row] = &[
        (
            "in time",
            &[(0, 0), (4, 1), (8, 2), (12, 3), (16, 4)],
            "- 0 1 2 3 4 ?",
            Counters { missing: 12, ..zero },
        ),
        (
            "in another order",
            &[(0, 0), (8, 2), (9, 1), (16, 4), (16, 3)],
            "- 0 1 2 3 4 ?",
            Counters { missing: 12, ..zero },
        ),
        (
            "doubled",
            &[(0, 0), (0, 0), (4, 1), (8, 2), (9, 1), (12, 3), (16, 4), (16, 4)],
            "- 0 1 2 3 4 ?",
            Counters {
                missing: 12,
                doubles: 3,
                ..zero
            },
        ),
        (
            "one lost",
            &[(0, 0), (4, 1), (12, 3), (16, 4)],
            "- 0 1 ? 3 4 ?",
            Counters { missing: 16, ..zero },
        ),
        (
            "one too late",
            &[(0, 0), (4, 1), (12, 3), (16, 4), (21, 2)],
            "- 0 1 ? 3 4 ?",
            Counters {
                missing: 16,
                late: 1,
                ..zero
            },
        ),
        ("silence", &[], "-", zero),
    ];
    for (name, packets, want, counters) in rows {
        let mut buffer = Buffer::new();
        // 40 ms are 8 blocks, 5 frames 20, and 12 more.
        assert_eq!(frames(&play(&mut buffer, packets, 40)), *want, "{name}");
        assert_eq!(buffer.counters(), *counters, "{name}");
    }
}

#[test]
fn a_delay_that_is_too_short_grows_in_the_gap_it_made() {
    let mut buffer = Buffer::new();
    // The network stops for 30 ms more than there is.
    let packets = [(0, 0), (4, 1), (22, 2), (22, 3), (22, 4), (22, 5), (24, 6)];
    assert_eq!(frames(&play(&mut buffer, &packets, 40)), "- 0 1 ? 2 3 4 5 6");
    assert_eq!(buffer.counters().late, 0);
}

#[test]
fn another_source_is_believed_the_second_time() {
    let mut buffer = Buffer::new();
    play(&mut buffer, &[(0, 0), (4, 1)], 8);
    buffer.receive(&header(8, 500), &octets(50));
    assert_eq!(
        buffer.counters(),
        Counters {
            far: 1,
            ..Counters::default()
        }
    );
    // The old one is still there.
    buffer.receive(&header(7, 2), &octets(2));
    buffer.receive(&header(8, 501), &octets(51));
    assert_eq!(frames(&play(&mut buffer, &[], 12)), "0 1 2");
    buffer.receive(&header(8, 502), &octets(52));
    buffer.receive(&header(8, 503), &octets(53));
    assert_eq!(frames(&play(&mut buffer, &[], 16)), "- 52 53");
    assert_eq!(buffer.counters().restarts, 1);
    // And one that jumps in time is another.
    buffer.receive(&header(8, 9_000), &octets(90));
    buffer.receive(&header(8, 9_001), &octets(91));
    assert_eq!(frames(&play(&mut buffer, &[], 12)), "- 91");
}

#[test]
fn a_way_that_becomes_longer_is_found_again() {
    for modem in [false, true] {
        for later in [30, 60, 150] {
            let mut buffer = Buffer::new();
            if modem {
                buffer.fix();
            }
            // 2 s as it was, 2 s so many blocks later.
            let packets: Vec<_> = (0..200)
                .map(|n| (n * BLOCKS + if n < 100 { 0 } else { later }, n))
                .collect();
            let played = play(&mut buffer, &packets, 800);
            let again = 400 + later + 5 * BLOCKS + 20;
            let last = &played[again..];
            assert!(
                last.iter().all(|block| matches!(block, Block::Audio(_))),
                "{modem} {later}: {}",
                frames(&played[400..])
            );
        }
    }
}

#[test]
fn a_silent_far_end_is_not_missing() {
    let mut buffer = Buffer::new();
    play(&mut buffer, &[(0, 0), (4, 1)], 8);
    buffer.silent(&header(7, 2));
    assert_eq!(frames(&play(&mut buffer, &[], 20)), "0 1 -");
    buffer.receive(&header(7, 7), &octets(7));
    assert_eq!(frames(&play(&mut buffer, &[], 40)), "- 7 ?");
}

/// A network of its own: packets come up to `jitter` blocks late. Gives the mean delay and the missing blocks of the second half.
fn over(buffer: &mut Buffer, jitter: f64, seconds: usize) -> (f32, u32) {
    let mut dice = Dice::new(5);
    let mut rest = 0.0;
    let mut coming: Vec<(usize, usize)> = Vec::new();
    let mut missing = 0;
    for now in 0..seconds * 200 {
        if now % BLOCKS == 0 {
            let late = dice.between(0.0, 1.0) * jitter;
            coming.push((now + late as usize, now / BLOCKS));
        }
        coming.retain(|&(at, n)| {
            if at <= now {
                buffer.receive(&header(7, n), &octets(n));
            }
            at > now
        });
        // Read as much faster as it wants, by whole blocks.
        rest += 1.0 + buffer.rate();
        while rest >= 1.0 {
            rest -= 1.0;
            buffer.block();
        }
        if now == seconds * 100 {
            missing = buffer.counters().missing;
        }
    }
    (buffer.delay() / 8.0, buffer.counters().missing - missing)
}

#[test]
fn speech_is_delayed_as_little_as_the_network_lets_it() {
    // (jitter in blocks of 5 ms, delay in ms)
    for (jitter, from, to) in [
        (0.0, 17.0, 26.0),
        (4.0, 15.0, 26.0),
        (8.0, 20.0, 32.0),
        (14.0, 33.0, 50.0),
    ] {
        let mut buffer = Buffer::new();
        let (delay, missing) = over(&mut buffer, jitter, 60);
        assert!((from..=to).contains(&delay), "{jitter}: {delay} ms");
        assert!(missing <= 30, "{jitter}: {missing} of 6,000 blocks");
    }
}

#[test]
fn a_modem_has_60_to_100_ms_at_once() {
    for jitter in [0.0, 4.0, 10.0, 14.0] {
        let mut buffer = Buffer::new();
        over(&mut buffer, jitter, 30);
        buffer.fix();
        assert!(
            (59.0..=100.0).contains(&(buffer.delay() / 8.0)),
            "{}",
            buffer.delay()
        );
        // One that has not begun yet is so from its beginning.
        let mut buffer = Buffer::new();
        buffer.fix();
        let (delay, missing) = over(&mut buffer, jitter, 60);
        assert!(
            (60.0..=100.0).contains(&delay) && missing == 0,
            "{jitter}: {delay} ms, {missing}"
        );
    }
}

#[test]
fn a_clock_that_is_off_by_100_ppm_slips_nothing() {
    for (ppm, modem) in [
        (100.0, true),
        (-100.0, true),
        (0.0, true),
        (100.0, false),
        (-100.0, false),
    ] {
        let mut receiver = Receiver::new(Law::Pcmu, None);
        if modem {
            receiver.modem();
        }
        let mut dice = Dice::new(9);
        let (mut sent, mut played) = (0usize, Vec::new());
        let frame_time = 4.0 / (1.0 + ppm / 1e6);
        for now in 0..200 * 300 {
            // Each packet comes up to 10 ms late.
            while sent as f64 * frame_time + 2.0 * dice.between(0.0, 1.0) <= now as f64 {
                let mut packet = [0; 12 + FRAME];
                let payload = header(7, sent).emit(&mut packet).unwrap();
                for (n, octet) in payload.iter_mut().enumerate() {
                    let time = (sent * FRAME + n) as f64 / 8_000.0;
                    *octet =
                        Law::Pcmu.encode((8_000.0 * (std::f64::consts::TAU * 1_000.0 * time).sin()) as i16);
                }
                assert!(receiver.receive(&Packet::parse(&packet).unwrap()));
                sent += 1;
            }
            let mut block = [0; BLOCK];
            receiver.read(&mut block);
            played.extend(block);
        }
        let counters = receiver.counters();
        assert_eq!(
            (counters.missing, counters.late, counters.far),
            (0, 0, 0),
            "{ppm} ppm"
        );
        // Never a jump: the second difference of a sine is bound by its frequency.
        let turn = 2.0 - 2.0 * (std::f64::consts::TAU / 8.0).cos();
        let most = played[8_000..]
            .windows(3)
            .map(|w| (f64::from(w[0]) - 2.0 * f64::from(w[1]) + f64::from(w[2])).abs())
            .fold(0.0, f64::max);
        assert!(most < 8_000.0 * turn * 1.1, "{ppm} ppm: {most}");
        // What was not followed would have come to 30 ms by now.
        let wanted = if modem { 70.0 } else { 20.0 };
        assert!(
            (receiver.delay() / 8.0 - wanted).abs() < 8.5,
            "{ppm} ppm: {}",
            receiver.delay()
        );
    }
}

#[test]
fn it_takes_no_more_memory_than_this() {
    assert!(size_of::<Buffer>() <= 1_536, "{}", size_of::<Buffer>());
    assert!(size_of::<Receiver>() <= 2_816, "{}", size_of::<Receiver>());
}

proptest! {
    #[test]
    fn whatever_comes_is_played_or_refused(
        packets in proptest::collection::vec((0u32..3, any::<u16>(), any::<u32>(), 0usize..2_000, 0usize..6, any::<bool>()), 0..80),
        near: bool,
        modem in 0usize..80,
    ) {
        let mut buffer = Buffer::new();
        let mut timestamp = 0u32;
        for (n, (ssrc, sequence, jump, length, blocks, silent)) in packets.into_iter().enumerate() {
            if n == modem {
                buffer.fix();
            }
            timestamp = if near { timestamp.wrapping_add(jump % 400).wrapping_sub(100) } else { jump };
            let header = Repr { marker: false, payload_type: 0, sequence, timestamp, ssrc };
            if silent {
                buffer.silent(&header);
            } else {
                buffer.receive(&header, &vec![1; length]);
            }
            buffer.recover(ssrc, timestamp.wrapping_sub(160), &[1; 160]);
            for _ in 0..blocks {
                if let Block::Audio(octets) = buffer.block() {
                    prop_assert!(octets.iter().all(|o| *o == 1));
                }
            }
            let rate = buffer.rate();
            prop_assert!(rate.abs() <= 0.005 && buffer.delay().is_finite());
            prop_assert!(buffer.delay().abs() < 2.0 * CAPACITY as f32 + 8_000.0);
        }
    }
}
