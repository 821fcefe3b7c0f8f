//! Byte by byte, and eight at a time where that is simple.
use super::Class;

const fn word(bytes: [u8; 8]) -> u64 {
    u64::from_le_bytes(bytes)
}

/// Each byte's lowest and highest bit.
const LOWEST: u64 = word([0x01; 8]);
const HIGHEST: u64 = word([0x80; 8]);

/// Where `byte` first stands.
#[inline]
pub(crate) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    find_either(bytes, byte, byte)
}

/// Where the first of two bytes stands.
#[inline]
pub(crate) fn find_either(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    // Marks a byte that is zero; what stands behind the first may be marked wrongly.
    let zero = |text: u64| text.wrapping_sub(LOWEST) & !text & HIGHEST;
    let marks = |text| zero(text ^ word([one; 8])) | zero(text ^ word([other; 8]));
    position(bytes, marks, |b| b == one || b == other)
}

/// Where the first byte below a space stands: CR, LF, TAB and others that no one sends.
#[inline]
pub(crate) fn find_control(bytes: &[u8]) -> Option<usize> {
    let marks = |text: u64| !(((text & !HIGHEST) + word([0x80 - b' '; 8])) | text) & HIGHEST;
    position(bytes, marks, |b| b < b' ')
}

/// How many bytes at the beginning are of the class.
#[inline]
pub(crate) fn run(bytes: &[u8], class: Class) -> usize {
    bytes
        .iter()
        .position(|&b| !class.contains(b))
        .unwrap_or(bytes.len())
}

#[inline]
fn position(bytes: &[u8], marks: impl Fn(u64) -> u64, test: impl Fn(u8) -> bool) -> Option<usize> {
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk() {
        let marks = marks(word(*chunk));
        if marks != 0 {
            return Some(bytes.len() - rest.len() + marks.trailing_zeros() as usize / 8);
        }
        rest = after;
    }
    let at = rest.iter().position(|&b| test(b))?;
    Some(bytes.len() - rest.len() + at)
}
