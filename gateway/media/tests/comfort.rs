//! Comfort noise: its level and its spectrum.

mod hybrid;
mod signal;

use hybrid::level;
use media::BLOCK;
use media::comfort::Comfort;
use media::g711::Law;
use media::receiver::Receiver;
use media::rtp::{Packet, Repr};
use proptest::prelude::*;
use signal::Dice;

fn noise(payload: &[u8]) -> Vec<i16> {
    let mut comfort = Comfort::new();
    comfort.describe(payload);
    let mut all = Vec::new();
    for _ in 0..400 {
        let mut block = [0; BLOCK];
        comfort.make(&mut block);
        all.extend(block);
    }
    all
}

/// Correlation of neighbours.
fn neighbours(samples: &[i16]) -> f64 {
    let product = |lag: usize| -> f64 {
        let pairs = samples.iter().zip(&samples[lag..]);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    product(1) / product(0)
}

#[test]
fn it_is_as_loud_as_it_was_said_to_be() {
    // 0 dBov is 6.18 dBm0 (RFC 3389 §3.1); a coefficient of ±0.5 is 127 ± 63.5.
    for dbov in [30u8, 45, 60] {
        for payload in [
            &[dbov][..],
            &[dbov, 64],
            &[dbov, 190, 100, 140],
            &[dbov, 20, 200],
            &[dbov | 0x80],
        ] {
            let got = level(&noise(payload));
            let want = 6.18 - f64::from(dbov);
            assert!((got - want).abs() < 0.7, "{payload:?}: {got} dBm0, not {want}");
        }
    }
    assert!(noise(&[]).iter().all(|s| *s == 0));
}

#[test]
fn it_has_the_spectrum_that_it_was_said_to_have() {
    // A first coefficient of -k is a first-order predictor of k.
    assert!((neighbours(&noise(&[40, 63])) - 0.504).abs() < 0.03);
    assert!((neighbours(&noise(&[40, 191])) + 0.504).abs() < 0.03);
    assert!(neighbours(&noise(&[40])).abs() < 0.03);
}

#[test]
fn it_is_played_while_the_far_end_is_silent() {
    let mut receiver = Receiver::new(Law::Pcma, None);
    let mut packet = [Law::Pcma.silence(); 172];
    let mut played = Vec::new();
    for n in 0..100u16 {
        // A frame of silence, and comfort noise of -50 dBov once.
        let repr = Repr {
            marker: n == 0,
            payload_type: if n == 10 { 13 } else { 8 },
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: 5,
        };
        if n <= 10 {
            let payload = repr.emit(&mut packet).unwrap();
            payload[0] = if n == 10 { 50 } else { Law::Pcma.silence() };
            let length = if n == 10 { 13 } else { 172 };
            assert!(receiver.receive(&Packet::parse(&packet[..length]).unwrap()));
        }
        for _ in 0..4 {
            let mut block = [0; BLOCK];
            receiver.read(&mut block);
            played.extend(block);
        }
    }
    assert!(level(&played[800..1_600]) < -60.0);
    assert!(
        (level(&played[4_000..]) + 50.0 - 6.18).abs() < 0.7,
        "{}",
        level(&played[4_000..])
    );
    assert_eq!(receiver.counters().missing, 0);
}

#[test]
fn one_description_after_the_other_is_no_louder_than_they_say() {
    let mut dice = Dice::new(5);
    let mut comfort = Comfort::new();
    for n in 0..20_000 {
        let mut payload = [60; 11];
        payload[1..].fill_with(|| [0, 254, dice.next() as u8][dice.one_of(3)]);
        comfort.describe(&payload);
        let mut block = [0; BLOCK];
        comfort.make(&mut block);
        let peak = block.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(peak < 400, "{peak} in block {n}");
    }
    comfort.describe(&[30]);
    let mut block = [0; BLOCK];
    comfort.make(&mut block);
    assert!((level(&block) - 6.18 + 30.0).abs() < 3.0);
}

proptest! {
    #[test]
    fn whatever_is_described_is_no_fault(payload in proptest::collection::vec(any::<u8>(), 0..40)) {
        let noise = noise(&payload);
        prop_assert!(level(&noise) < 9.5);
    }
}
