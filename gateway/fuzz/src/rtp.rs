//! What is in a packet of audio.

use crate::script::Script;
use media::BLOCK;
use media::comfort::Comfort;
use media::event::{Event, Payload, Receiver};
use media::g711::Law;
use media::redundancy;
use media::rtp::{HEADER_LEN, Kind, Packet, kind};

/// The first byte chooses how the rest is read: as a packet, as a payload, or as payloads one after the other.
pub fn rtp(bytes: &[u8]) {
    let mut script = Script(bytes);
    match script.below(4) {
        0 => packet(script.0),
        1 => blocks(script.0),
        2 => events(&mut script),
        _ => noise(&mut script),
    }
}

/// What is written again is the same, and a payload is part of its packet.
fn packet(octets: &[u8]) {
    let Ok(packet) = Packet::parse(octets) else { return };
    assert!(HEADER_LEN + packet.payload().len() <= octets.len());
    if kind(octets) == Some(Kind::Rtp) {
        let repr = packet.repr();
        assert!(!(repr.marker && (64..96).contains(&repr.payload_type)));
    }
    let mut again = [0; HEADER_LEN];
    packet.repr().emit(&mut again).expect("room");
    assert_eq!(again[1..], octets[1..HEADER_LEN]);
    if octets[0] == 0x80 {
        assert_eq!(octets, [&again, packet.payload()].concat());
    }
    blocks(packet.payload());
}

/// Blocks lie in the payload one after the other; what is ours is the same when it is written again.
fn blocks(payload: &[u8]) {
    let Ok(blocks) = redundancy::read(payload) else {
        return;
    };
    let blocks: Vec<_> = blocks.collect();
    let octets: Vec<u8> = blocks.iter().flat_map(|block| block.octets).copied().collect();
    assert!(payload.ends_with(&octets) && octets.len() < payload.len());
    assert!(blocks.iter().all(|block| block.payload_type < 128));
    if let [old, new] = &*blocks
        && [old, new].iter().all(|block| block.payload_type == 0)
        && (usize::from(old.offset), new.offset) == (old.octets.len(), 0)
        && octets.len() + redundancy::HEADERS_LEN == payload.len()
    {
        let mut again = vec![0; payload.len()];
        assert_eq!(
            redundancy::write(Law::Pcmu, old.octets, new.octets, &mut again),
            Ok(payload.len())
        );
        assert_eq!(again, payload);
    }
}

/// Whatever comes in whatever order: an event begins when no other one goes on, only what has begun ends, and it does.
fn events(script: &mut Script<'_>) {
    let (mut receiver, mut timestamp, mut goes_on) = (Receiver::default(), 0_u32, None);
    let mut hear = |event| match event {
        Event::Begun(code) => assert_eq!(goes_on.replace(code), None),
        Event::Ended(code) => assert_eq!(goes_on.take(), Some(code)),
    };
    while !script.is_over() {
        let step = script.byte();
        timestamp = timestamp.wrapping_add(match step % 8 {
            0 => 65_535,
            1 => u32::from(step) << 24,
            2 => u32::MAX - 159,
            3 => 160,
            _ => 0,
        });
        let octets = script.bytes(4);
        if let Some(payload) = Payload::parse(octets) {
            assert_eq!(Payload::parse(&payload.emit()), Some(payload));
            let heard = receiver.packet(timestamp, payload);
            heard.into_iter().flatten().for_each(&mut hear);
        }
        receiver
            .pass(10 * u32::from(script.byte()))
            .into_iter()
            .for_each(&mut hear);
    }
    receiver.pass(u32::MAX).into_iter().for_each(&mut hear);
    assert_eq!(goes_on, None);
}

/// Descriptions, one after the other, make no more noise than they say, and never leave noise or silence that is not to be changed.
fn noise(script: &mut Script<'_>) {
    let (mut comfort, mut block) = (Comfort::new(), [0; BLOCK]);
    while !script.is_over() {
        let length = script.below(16);
        let mut payload = script.bytes(length).to_vec();
        if let Some(level) = payload.first_mut() {
            *level |= 0x40;
        }
        comfort.describe(&payload);
        for _ in 0..script.below(4) {
            comfort.make(&mut block);
            // -64 dBov is 20, and peaks of what is narrow are higher.
            assert!(block.iter().all(|s| s.unsigned_abs() < 400), "{block:?}");
        }
    }
    for (level, sounds) in [(127, false), (0, true)] {
        comfort.describe(&[level]);
        comfort.make(&mut block);
        comfort.make(&mut block);
        assert_eq!(block.iter().any(|s| s.unsigned_abs() > 100), sounds, "{block:?}");
    }
}
