//! The caller's number on an analog telephone's display.

use media::SAMPLE_RATE;
use media::caller_id::{Caller, Frame, MAX_DIGITS, Modulator, Reason};

const REASONS: [(Reason, u8); 4] = [
    (Reason::Private, b'P'),
    (Reason::Coin, b'C'),
    (Reason::OutOfArea, b'O'),
    (Reason::Conflict, b'S'),
];
const DLE: u8 = 0x10;

/// Two lines: who calls, and the number that was dialled; where there is no first one, the second says why. What can be shown is
/// read from the frame again, as its receiver does; anything else is refused. Its sound has an end.
pub fn caller_id(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (who, dialled) = match text.split_once('\n') {
        Some((who, dialled)) => (who, Some(dialled)),
        None => (&*text, None),
    };
    let (reason, letter) = REASONS[dialled.map_or(0, str::len) % REASONS.len()];
    let (caller, kind, shown) = match who {
        "" => (Caller::Unknown(reason), 0x04, vec![letter]),
        _ => (Caller::Number(who), 0x02, who.as_bytes().to_vec()),
    };
    let fits = |number: &str| {
        let known = |c: char| "0123456789*#".contains(c);
        (1..=MAX_DIGITS).contains(&number.len()) && number.chars().all(known)
    };
    let good = (who.is_empty() || fits(who)) && dialled.is_none_or(fits);
    let frame = Frame::new(caller, dialled);
    assert_eq!(frame.is_ok(), good, "{who:?} {dialled:?}");
    let Ok(frame) = frame else { return };

    let mut parameters = [&[kind, shown.len() as u8], &*shown].concat();
    if let Some(dialled) = dialled {
        parameters.extend([0x09, dialled.len() as u8]);
        parameters.extend(dialled.bytes());
    }
    let text = [&[0x40, parameters.len() as u8], &*parameters].concat();
    assert_eq!(read(frame.octets()), text);

    let bits = 75 + 10 * frame.octets().len() + 8;
    let samples = bits * SAMPLE_RATE as usize / 1_200 + 1;
    let mut modulator = Modulator::new(frame);
    let made = (0..samples + 10)
        .take_while(|_| modulator.next_sample().is_some())
        .count();
    assert!(made.abs_diff(samples) <= 1, "{made} samples of {samples}");
    assert_eq!(modulator.next_sample(), None);
}

/// The text of a frame, after its parity and what is around the text.
fn read(octets: &[u8]) -> Vec<u8> {
    let (characters, _crc) = octets.split_last_chunk::<2>().expect("a CRC");
    assert!(characters.iter().all(|c| c.count_ones() % 2 == 0));
    let characters: Vec<u8> = characters.iter().map(|c| c & 0x7F).collect();
    let text = characters
        .strip_prefix(&[DLE, 0x01, 0x07, DLE, 0x02])
        .expect("a head");
    let text = text.strip_suffix(&[DLE, 0x03]).expect("an end");
    let (mut read, mut rest) = (Vec::new(), text.iter());
    while let Some(&character) = rest.next() {
        if character == DLE {
            assert_eq!(rest.next(), Some(&DLE), "the text ends only once");
        }
        read.push(character);
    }
    read
}
