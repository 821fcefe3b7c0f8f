//! Sixteen bytes at a time, by the vector instructions that every machine of the architecture has.
use super::Class;
use wide::u8x16;

const LANES: usize = 16;

/// Where `byte` first stands.
#[inline(always)]
pub(crate) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    position(bytes, |block| equal(block, byte))
}

/// Where the first of two bytes stands.
#[inline(always)]
pub(crate) fn find_either(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    position(bytes, |block| equal(block, one) | equal(block, other))
}

/// Where the first byte below a space stands: CR, LF, TAB and others that no one sends.
#[inline(always)]
pub(crate) fn find_control(bytes: &[u8]) -> Option<usize> {
    position(bytes, |block| between(block, 0, b' ' - 1))
}

/// How many bytes at the beginning are of the class.
#[inline(always)]
pub(crate) fn run(bytes: &[u8], class: Class) -> usize {
    let mut rest = bytes;
    loop {
        let others = !marks(of_class(load(rest), class)) & 0xFFFF;
        let len = others.trailing_zeros() as usize;
        match rest.get(LANES..) {
            Some([]) if others == 0 => return bytes.len(),
            Some(after) if others == 0 => rest = after,
            // Where fewer bytes were left, zeros follow, which are of no class.
            _ => return bytes.len() - rest.len() + len,
        }
    }
}

#[inline(always)]
fn position(bytes: &[u8], test: impl Fn(u8x16) -> u8x16) -> Option<usize> {
    let mut rest = bytes;
    loop {
        let found = marks(test(load(rest)));
        if found != 0 {
            let at = found.trailing_zeros() as usize;
            // It may be one of the zeros.
            return (at < rest.len()).then_some(bytes.len() - rest.len() + at);
        }
        rest = rest.get(LANES..)?;
    }
}

/// The first sixteen bytes, or all and zeros.
#[inline(always)]
fn load(bytes: &[u8]) -> u8x16 {
    match bytes.first_chunk::<LANES>() {
        Some(block) => u8x16::new(*block),
        None => load_short(bytes),
    }
}

/// Fewer than sixteen bytes: from both ends, what is in both moved out.
#[inline(always)]
fn load_short(bytes: &[u8]) -> u8x16 {
    let len = bytes.len() as u32;
    let word = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let high = u64::from_le_bytes(*last).checked_shr(8 * (16 - len));
        u128::from(high.unwrap_or(0)) << 64 | u128::from(u64::from_le_bytes(*first))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let high = u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4));
        u128::from(u64::from(u32::from_le_bytes(*first)) | high)
    } else {
        u128::from(
            bytes
                .iter()
                .rev()
                .fold(0, |word: u32, &b| word << 8 | u32::from(b)),
        )
    };
    u8x16::new(word.to_le_bytes())
}

/// A bit for each lane.
#[inline(always)]
fn marks(lanes: u8x16) -> u32 {
    lanes.to_bitmask()
}

#[inline(always)]
fn equal(block: u8x16, byte: u8) -> u8x16 {
    block.simd_eq(u8x16::splat(byte))
}

#[inline(always)]
fn between(block: u8x16, first: u8, last: u8) -> u8x16 {
    let above = block - u8x16::splat(first);
    above.simd_eq(above.min(u8x16::splat(last - first)))
}

#[inline(always)]
fn any<const N: usize>(block: u8x16, bytes: [u8; N]) -> u8x16 {
    let none = u8x16::splat(0);
    bytes
        .into_iter()
        .fold(none, |found, byte| found | equal(block, byte))
}

/// As [`Class::holds`].
#[inline(always)]
fn of_class(block: u8x16, class: Class) -> u8x16 {
    let digit = between(block, b'0', b'9');
    let alphanumeric = digit | between(block | u8x16::splat(0x20), b'a', b'z');
    let visible = block.simd_eq(block.max(u8x16::splat(b' ' + 1)));
    match class {
        Class::Token => alphanumeric | any(block, *b"-.!%*_+`'~"),
        Class::Host => alphanumeric | any(block, *b"-._"),
        Class::Uri => visible & !any(block, *b"<>\"\x7F"),
        Class::Plain => {
            visible & !(between(block, b':', b'<') | between(block, b'>', b'@') | any(block, *b"\"%\x7F"))
        }
        Class::Value => visible & !any(block, *b"\",;<>"),
        Class::Dotted => digit | equal(block, b'.'),
    }
}
