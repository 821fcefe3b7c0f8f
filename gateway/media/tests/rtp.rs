//! RTP against octets laid out by hand after RFC 3550 §5.1, and against arbitrary octets.

use media::rtp::{Error, HEADER_LEN, Kind, Packet, Repr, kind};
use proptest::prelude::*;

const HEADER: [u8; 12] = [0x80, 0x80, 0x12, 0x34, 0, 0, 0, 160, 0xCA, 0xFE, 0xBA, 0xBE];
const REPR: Repr = Repr {
    marker: true,
    payload_type: 0,
    sequence: 0x1234,
    timestamp: 160,
    ssrc: 0xCAFE_BABE,
};

/// Name, octets, payload.
type Row = (&'static str, Vec<u8>, Result<&'static [u8], Error>);

fn with(first: u8, tail: &[u8]) -> Vec<u8> {
    let mut octets = HEADER.to_vec();
    octets[0] = first;
    octets.extend_from_slice(tail);
    octets
}

#[test]
fn reads_what_the_figure_shows() {
    let table: &[Row] = &[
        ("plain", with(0x80, &[1, 2, 3]), Ok(&[1, 2, 3])),
        ("empty payload", with(0x80, &[]), Ok(&[])),
        ("two sources", with(0x82, &[0, 0, 0, 1, 0, 0, 0, 2, 9]), Ok(&[9])),
        ("source cut", with(0x81, &[0, 0, 0]), Err(Error::Truncated)),
        (
            "extension",
            with(0x90, &[0xBE, 0xDE, 0, 1, 0, 0, 0, 0, 7]),
            Ok(&[7]),
        ),
        (
            "extension cut",
            with(0x90, &[0xBE, 0xDE, 0, 2, 0, 0, 0, 0]),
            Err(Error::Truncated),
        ),
        (
            "extension header cut",
            with(0x90, &[0xBE, 0xDE, 0]),
            Err(Error::Truncated),
        ),
        ("padding", with(0xA0, &[5, 6, 0, 2]), Ok(&[5, 6])),
        ("padding only", with(0xA0, &[0, 0, 3]), Ok(&[])),
        ("padding zero", with(0xA0, &[5, 0]), Err(Error::Padding)),
        ("padding too long", with(0xA0, &[5, 3]), Err(Error::Padding)),
        ("padding missing", with(0xA0, &[]), Err(Error::Truncated)),
        ("version 1", with(0x40, &[1]), Err(Error::Version)),
        ("short", HEADER[..11].to_vec(), Err(Error::Truncated)),
    ];
    for (name, octets, want) in table {
        let got = Packet::parse(octets);
        assert_eq!(got.map(|p| p.payload()), *want, "{name}");
        if let Ok(packet) = got {
            assert_eq!(packet.repr(), REPR, "{name}");
        }
    }
}

#[test]
fn writes_the_same_octets() {
    let mut buf = [0; HEADER_LEN + 1];
    let rest = REPR.emit(&mut buf).unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(buf[..12], HEADER);
    assert_eq!(REPR.emit(&mut [0; 11]), Err(Error::Unwritable));
    assert_eq!(
        Repr {
            payload_type: 128,
            ..REPR
        }
        .emit(&mut buf),
        Err(Error::Unwritable)
    );
}

#[test]
fn tells_rtp_from_rtcp() {
    let table = [
        (vec![0x80, 200, 0, 1, 0, 0, 0, 1], Some(Kind::Rtcp)),
        (vec![0x81, 201, 0, 1, 0, 0, 0], None),
        (HEADER.to_vec(), Some(Kind::Rtp)),
        (HEADER[..11].to_vec(), None),
        (vec![0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0], None), // STUN
        (vec![0x16, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0], None),          // DTLS
        (vec![0x80], None),
        (vec![], None),
    ];
    for (octets, want) in table {
        assert_eq!(kind(&octets), want, "{octets:?}");
    }
}

proptest! {
    #[test]
    fn any_octets_are_judged_without_a_fault(mut octets in proptest::collection::vec(any::<u8>(), 0..400), v2: bool) {
        // Half of the cases get past the version, or most would stop there.
        if let (true, Some(first)) = (v2, octets.first_mut()) {
            *first = *first & 0x3F | 0x80;
        }
        if let Ok(packet) = Packet::parse(&octets) {
            // The payload lies inside, after the header and sources.
            let before = HEADER_LEN + 4 * usize::from(octets[0] & 15);
            prop_assert!(before + packet.payload().len() <= octets.len());
            let offset = packet.payload().as_ptr() as usize - octets.as_ptr() as usize;
            prop_assert!(offset >= before && offset + packet.payload().len() <= octets.len());
        }
    }

    #[test]
    fn what_is_written_is_read(marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
                               payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let repr = Repr { marker, payload_type, sequence, timestamp, ssrc };
        let mut buf = vec![0; HEADER_LEN + payload.len()];
        repr.emit(&mut buf).unwrap().copy_from_slice(&payload);
        let packet = Packet::parse(&buf).unwrap();
        prop_assert_eq!(packet.repr(), repr);
        prop_assert_eq!(packet.payload(), &payload[..]);
    }
}

#[test]
fn no_cut_of_header_sources_or_extension_is_a_packet() {
    // Two sources, an extension of one word, payload, padding of two.
    let full = with(
        0xB2,
        &[[0u8; 8].as_slice(), &[0, 0, 0, 1, 1, 1, 1, 1], &[9; 7], &[0, 2]].concat(),
    );
    assert_eq!(Packet::parse(&full).map(|p| p.payload()), Ok(&[9; 7][..]));
    for cut in 0..=28 {
        assert_eq!(Packet::parse(&full[..cut]), Err(Error::Truncated), "{cut}");
    }
}
