//! Japan's number display: the golden frames are those that spandsp 0.0.6 sends for the same (`adsi_tx_put_message`, J-CLIP); the
//! sound is read by a demodulator in the standard library's floating point. `bench/` has it read by spandsp, in noise.

use std::f64::consts::TAU;

use media::caller_id::{Caller, Error, Frame, Modulator, Reason};
use proptest::prelude::*;

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn frames_as_spandsp_has_them() {
    let number = Caller::Number("0312345678");
    for (caller, dialled, want) in [
        (
            number,
            Some("0398765432"),
            "908187908 2c018 820a3033b1b233b43536b7b8 090a303339b8b73635b433b2 9003 67cb",
        ),
        (
            Caller::Unknown(Reason::Private),
            None,
            "9081879082c003 848150 9003 1eee",
        ),
    ] {
        let frame = Frame::new(caller, dialled).expect("a frame");
        assert_eq!(hex(frame.octets()), want.replace(' ', ""));
    }
}

#[test]
fn lengths_like_the_escape_go_twice() {
    // A length of 16 in all, and a number of 16 digits.
    for digits in ["09012345678901", "0901234567890123"] {
        let frame = Frame::new(Caller::Number(digits), None).expect("a frame");
        assert_eq!(parse(frame.octets()), Some((vec![(2, digits.into())], 1)));
    }
}

#[test]
fn reasons_and_what_is_not_sent() {
    for (reason, letter) in [
        (Reason::Private, "P"),
        (Reason::Coin, "C"),
        (Reason::OutOfArea, "O"),
        (Reason::Conflict, "S"),
    ] {
        let frame = Frame::new(Caller::Unknown(reason), Some("200")).expect("a frame");
        let parameters = vec![(4, letter.to_string()), (9, "200".to_string())];
        assert_eq!(parse(frame.octets()), Some((parameters, 0)));
    }
    let error = |digits| Frame::new(Caller::Number(digits), None).expect_err(digits);
    assert_eq!(error(""), Error::Length);
    assert_eq!(error("012345678901234567890"), Error::Length);
    assert_eq!(error("+81312345678"), Error::Character);
    let dialled = Frame::new(Caller::Unknown(Reason::Coin), Some("a"));
    assert_eq!(dialled, Err(Error::Character));
}

/// Parameters of a frame whose parity, escapes, lengths and CRC are right, and how many characters go twice.
fn parse(octets: &[u8]) -> Option<(Vec<(u8, String)>, usize)> {
    let (octets, crc) = octets.split_at(octets.len().checked_sub(2)?);
    // Bit by bit, as a shift register, most significant bit last.
    let mut register = 0u16;
    for bit in octets[2..]
        .iter()
        .chain(crc)
        .flat_map(|octet| (0..8).map(move |n| octet >> n & 1))
    {
        let out = register >> 15 ^ u16::from(bit);
        register = register << 1 ^ if out & 1 == 1 { 0x1021 } else { 0 };
    }
    let parity = octets.iter().all(|octet| octet.count_ones() % 2 == 0);
    let characters: Vec<u8> = octets.iter().map(|octet| octet & 0x7F).collect();
    let text = characters
        .strip_prefix(&[0x10, 1, 7, 0x10, 2])?
        .strip_suffix(&[0x10, 3])?;
    let mut plain = Vec::new();
    let mut rest = text.iter();
    while let Some(&character) = rest.next() {
        if character == 0x10 && rest.next() != Some(&0x10) {
            return None;
        }
        plain.push(character);
    }
    let escapes = text.len() - plain.len();
    let parameters = plain.strip_prefix(&[0x40, u8::try_from(plain.len() - 2).ok()?])?;
    let mut rest = parameters;
    let mut found = Vec::new();
    while let [kind, length, after @ ..] = rest {
        let (value, after) = after.split_at_checked((*length).into())?;
        found.push((*kind, String::from_utf8(value.to_vec()).ok()?));
        rest = after;
    }
    (register == 0 && parity && rest.is_empty()).then_some((found, escapes))
}

fn sound(frame: Frame) -> Vec<i16> {
    let mut modulator = Modulator::new(frame);
    let samples: Vec<i16> = std::iter::from_fn(|| modulator.next_sample())
        .take(20_000)
        .collect();
    assert_eq!(modulator.next_sample(), None);
    samples
}

/// Octets in the sound: in each bit's time it is asked which of the two frequencies has more.
fn demodulate(samples: &[i16]) -> Vec<u8> {
    let bit = |from: f64| {
        let part = samples.get(from.round() as usize..)?.get(..6)?;
        let power = |hertz: f64| {
            let angle = |n: usize| TAU * hertz * n as f64 / 8_000.0;
            let sum = |f: fn(f64) -> f64| -> f64 {
                let products = part.iter().enumerate().map(|(n, &x)| f64::from(x) * f(angle(n)));
                products.sum()
            };
            sum(f64::sin).powi(2) + sum(f64::cos).powi(2)
        };
        Some(power(1_300.0) > power(2_100.0))
    };
    let length = 8_000.0 / 1_200.0;
    let mut at = 75.0 * length;
    let mut octets = Vec::new();
    while bit(at) == Some(false) {
        octets.push((0..8).fold(0, |octet, n| {
            let one = bit(at + f64::from(n + 1) * length).expect("a bit");
            octet | u8::from(one) << n
        }));
        assert_eq!(bit(at + 9.0 * length), Some(true), "stop bit");
        at += 10.0 * length;
    }
    octets
}

#[test]
fn sound_is_v23_at_minus_14_dbm0() {
    let frame = Frame::new(Caller::Number("0312345678"), Some("0398765432")).expect("a frame");
    let samples = sound(frame);
    assert!(demodulate(&samples).starts_with(frame.octets()));
    // 75 bits of carrier, 35 characters of ten bits, 8 bits: 0.361 s.
    assert_eq!(samples.len(), (75 + 350 + 8) * 20 / 3 + 1);
    let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64;
    let dbm0 = 10.0 * (2.0 * power).log10() - 20.0 * f64::from(media::tone::PEAK_0_DBM0).log10();
    assert!((dbm0 + 14.0).abs() < 0.1, "{dbm0}");
    // No jumps where the bits change.
    let jump = samples
        .windows(2)
        .map(|two| (i32::from(two[1]) - i32::from(two[0])).abs())
        .max();
    let steepest = f64::from(media::tone::peak(-14)) * TAU * 2_100.0 / 8_000.0;
    assert!(f64::from(jump.unwrap_or(0)) <= steepest + 1.0, "{jump:?}");
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read(number in "[0-9*#]{1,20}", dialled in proptest::option::of("[0-9]{1,20}")) {
        let frame = Frame::new(Caller::Number(&number), dialled.as_deref()).expect("a frame");
        let want: Vec<_> = [(2, number)].into_iter().chain(dialled.map(|digits| (9, digits))).collect();
        prop_assert_eq!(parse(frame.octets()).map(|(parameters, _)| parameters), Some(want));
        prop_assert!(demodulate(&sound(frame)).starts_with(frame.octets()));
    }
}
