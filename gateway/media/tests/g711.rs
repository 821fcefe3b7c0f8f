//! G.711 against SoX's tables and encodings (`golden/README.md`) and the decision values of the recommendation.

use media::g711::{Law, alaw_decode, alaw_encode, ulaw_decode, ulaw_encode};

fn samples(le: &[u8]) -> Vec<i16> {
    le.chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect()
}

#[test]
fn decodes_all_codes_as_sox() {
    let ulaw: Vec<i16> = (0..=255).map(ulaw_decode).collect();
    let alaw: Vec<i16> = (0..=255).map(alaw_decode).collect();
    assert_eq!(ulaw, samples(include_bytes!("golden/ulaw-decoded.s16le")));
    assert_eq!(alaw, samples(include_bytes!("golden/alaw-decoded.s16le")));
}

#[test]
fn encodes_a_ramp_as_sox() {
    let ramp = || (i16::MIN..=i16::MAX).step_by(8);
    let ulaw: Vec<u8> = ramp().map(ulaw_encode).collect();
    let alaw: Vec<u8> = ramp().map(alaw_encode).collect();
    assert_eq!(ulaw, include_bytes!("golden/ulaw-ramp8.bin"));
    assert_eq!(alaw, include_bytes!("golden/alaw-ramp8.bin"));
}

/// Upper decision value of each interval, on the recommendation's own scale (Tables 1a and 2a, column 5).
fn decision_values(law: Law) -> Vec<u32> {
    let ends: &[u32] = match law {
        Law::Pcmu => &[31, 95, 223, 479, 991, 2015, 4063, 8159],
        Law::Pcma => &[64, 128, 256, 512, 1024, 2048, 4096],
    };
    let mut values = Vec::new();
    let mut start = 0;
    for (segment, &end) in ends.iter().enumerate() {
        match (law, segment) {
            // µ-law's first interval is half as wide: 0, 1, 3, 5 … 31.
            (Law::Pcmu, 0) => values.extend((1..=31).step_by(2)),
            // A-law's first segment has 32 intervals.
            (Law::Pcma, 0) => values.extend((1..=32).map(|i| 2 * i)),
            _ => values.extend((1..=16).map(|i| start + i * (end - start) / 16)),
        }
        start = end;
    }
    values
}

#[test]
fn every_sample_falls_between_its_decision_values() {
    for (law, scale) in [(Law::Pcmu, 4), (Law::Pcma, 8)] {
        let values = decision_values(law);
        assert_eq!(values.len(), 128, "{law:?}");
        for sample in i16::MIN..=i16::MAX {
            let magnitude = u32::from(if sample < 0 { !sample } else { sample }.unsigned_abs());
            let interval = values
                .iter()
                .take(127)
                .filter(|&&v| magnitude >= v * scale)
                .count() as u8;
            let character = match law {
                Law::Pcmu => !interval & 0x7F | if sample < 0 { 0 } else { 0x80 },
                Law::Pcma => (interval | if sample < 0 { 0 } else { 0x80 }) ^ 0x55,
            };
            assert_eq!(law.encode(sample), character, "{law:?} {sample}");
        }
    }
}

#[test]
fn decoding_loses_nothing() {
    for code in 0..=255 {
        assert_eq!(alaw_encode(alaw_decode(code)), code);
        // µ-law has two zeros; both decode to 0, which is the positive one.
        assert_eq!(
            ulaw_encode(ulaw_decode(code)),
            if code == 0x7F { 0xFF } else { code }
        );
    }
}

#[test]
fn payload_types_are_those_of_rfc_3551() {
    for law in [Law::Pcmu, Law::Pcma] {
        assert_eq!(Law::from_payload_type(law.payload_type()), Some(law));
    }
    assert_eq!(Law::from_payload_type(9), None);
    assert_eq!((Law::Pcmu.silence(), Law::Pcma.silence()), (0xFF, 0xD5));
}
