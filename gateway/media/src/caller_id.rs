//! Japan's number display (ナンバー・ディスプレイ): what is sent to the display of an analog telephone that has answered the first,
//! short ringing (NTT, 電話サービスのインタフェース §4.2). A frame of characters with even parity and a CRC, by a modem of
//! ITU-T V.23 at 1,200 bit/s.

use crate::tone::{Sine, peak};

/// Why there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 非通知: the caller does not want it to be shown.
    Private,
    /// 公衆電話: a coin telephone.
    Coin,
    /// 表示圏外: from where there are no numbers.
    OutOfArea,
    /// サービス競合: another service stands against it.
    Conflict,
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller<'a> {
    /// Digits.
    Number(&'a str),
    /// No number.
    Unknown(Reason),
}

/// Why something cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A number has more than [`MAX_DIGITS`], or none.
    Length,
    /// A number has another character than 0 to 9, star and square.
    Character,
}

/// Most digits of a number.
pub const MAX_DIGITS: usize = 20;

const DLE: u8 = 0x10;
const SOH: u8 = 0x01;
const STX: u8 = 0x02;
const ETX: u8 = 0x03;
const HEADER: u8 = 0x07;
/// The only type of a message, and its parameters.
const CALLER: u8 = 0x40;
const NUMBER: u8 = 0x02;
const ABSENCE: u8 = 0x04;
const DIALLED: u8 = 0x09;

/// Octets of the longest frame: 5 to the text, the type, a length that may be doubled, two parameters of 20 digits, their types
/// and lengths, 2 at the end of the text, the CRC.
const CAPACITY: usize = 5 + 1 + 2 + 2 * (1 + 2 + MAX_DIGITS) + 2 + 2;

/// A frame, as characters of eight bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    octets: [u8; CAPACITY],
    length: usize,
}

impl Frame {
    /// The frame that shows a caller and, for a line with several numbers, the one that was dialled.
    pub fn new(caller: Caller<'_>, dialled: Option<&str>) -> Result<Self, Error> {
        let (kind, who) = match caller {
            Caller::Number(digits) => (NUMBER, check(digits)?),
            Caller::Unknown(Reason::Private) => (ABSENCE, &b"P"[..]),
            Caller::Unknown(Reason::Coin) => (ABSENCE, &b"C"[..]),
            Caller::Unknown(Reason::OutOfArea) => (ABSENCE, &b"O"[..]),
            Caller::Unknown(Reason::Conflict) => (ABSENCE, &b"S"[..]),
        };
        let dialled = dialled.map(check).transpose()?;
        let mut frame = Frame {
            octets: [0; CAPACITY],
            length: 0,
        };
        let length = 2 + who.len() + dialled.map_or(0, |digits| 2 + digits.len());
        for character in [DLE, SOH, HEADER, DLE, STX] {
            frame.put(character);
        }
        frame.text(CALLER);
        frame.text(length as u8);
        frame.parameter(kind, who);
        if let Some(digits) = dialled {
            frame.parameter(DIALLED, digits);
        }
        frame.put(DLE);
        frame.put(ETX);
        // Of all after the first two, least bit first, as it goes over the line.
        let crc = frame
            .octets()
            .iter()
            .skip(2)
            .fold(0, |crc, &octet| crc16(crc, octet));
        crc.to_le_bytes().into_iter().for_each(|octet| frame.push(octet));
        Ok(frame)
    }

    /// Its octets, parity included.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    fn parameter(&mut self, kind: u8, value: &[u8]) {
        self.text(kind);
        self.text(value.len() as u8);
        value.iter().for_each(|&character| self.text(character));
    }

    /// A character of the text: one that is like the escape goes twice.
    fn text(&mut self, character: u8) {
        if character == DLE {
            self.put(DLE);
        }
        self.put(character);
    }

    /// A character of seven bits, with even parity.
    fn put(&mut self, character: u8) {
        let odd = character.count_ones() as u8 & 1;
        self.push(character | odd << 7);
    }

    fn push(&mut self, octet: u8) {
        if let Some(place) = self.octets.get_mut(self.length) {
            *place = octet;
            self.length += 1;
        }
    }
}

fn check(digits: &str) -> Result<&[u8], Error> {
    let digits = digits.as_bytes();
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return Err(Error::Length);
    }
    let fits = |c: &u8| c.is_ascii_digit() || matches!(c, b'*' | b'#');
    if digits.iter().all(fits) {
        Ok(digits)
    } else {
        Err(Error::Character)
    }
}

/// x¹⁶+x¹²+x⁵+1, least bit first.
fn crc16(crc: u16, octet: u8) -> u16 {
    (0..8).fold(crc ^ u16::from(octet), |crc, _| {
        if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0x8408 }
    })
}

/// Frequencies of V.23 channel 1.
const ONE: u16 = 1_300;
const ZERO: u16 = 2_100;
const BITS_PER_SECOND: u32 = 1_200;
/// Level on the line.
const PEAK: i32 = peak(-14) as i32;
/// Bits of one before the frame, for the receiver to find the carrier, and after it, for it to get the last character.
const BEFORE: u16 = 75;
const AFTER: u16 = 8;
/// A character: start bit, eight bits, stop bit.
const CHARACTER: u16 = 10;

/// Makes the sound of a frame.
#[derive(Clone, Debug)]
pub struct Modulator {
    frame: Frame,
    carrier: Sine,
    bit: u16,
    /// Part of a bit that has passed, in samples times bits per second.
    passed: u32,
}

impl Modulator {
    /// Begins with the carrier.
    pub fn new(frame: Frame) -> Self {
        Modulator {
            frame,
            carrier: Sine::new(ONE),
            bit: 0,
            passed: 0,
        }
    }

    /// The next sample; `None` at the end, and ever after.
    pub fn next_sample(&mut self) -> Option<i16> {
        let one = self.is_one(self.bit)?;
        self.carrier.tune(if one { ONE } else { ZERO });
        self.passed += BITS_PER_SECOND;
        if self.passed >= crate::SAMPLE_RATE {
            self.passed -= crate::SAMPLE_RATE;
            self.bit += 1;
        }
        Some(((i32::from(self.carrier.next_value()) * PEAK) >> 15) as i16)
    }

    fn is_one(&self, bit: u16) -> Option<bool> {
        let Some(bit) = bit.checked_sub(BEFORE) else {
            return Some(true);
        };
        let octets = self.frame.octets();
        match (octets.get(usize::from(bit / CHARACTER)), bit % CHARACTER) {
            (Some(_), 0) => Some(false),
            (Some(octet), place @ 1..=8) => Some(octet >> (place - 1) & 1 == 1),
            (Some(_), _) => Some(true),
            (None, _) => (bit < octets.len() as u16 * CHARACTER + AFTER).then_some(true),
        }
    }
}
