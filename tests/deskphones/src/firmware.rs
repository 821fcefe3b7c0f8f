//! Firmware: where a phone looks for it, and a format for it. The makers' own are not public; this one has what they must have:
//! whose it is, its version at the front, and a sum at the end.

use crate::model::Model;
use crate::rng::Rng;

/// Firmware that a phone is told to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is.
    pub url: String,
    /// Only if its version is another than this; none: that stands in the file.
    pub unless: Option<String>,
}

/// Bytes of the sum.
const SUM: usize = 4;

/// A maker's file of so many bytes, no fewer than the model's name and version take.
pub fn file(model: &Model, version: &str, length: usize, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = format!("{} {version}\n", model.name).into_bytes();
    bytes.resize_with(length - SUM, || rng.range(0, 255) as u8);
    let sum = sum(&bytes);
    bytes.extend(sum);
    bytes
}

/// The version at the front of a file, if it is the model's.
pub fn version<'a>(model: &Model, bytes: &'a [u8]) -> Option<&'a str> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    head.strip_prefix(model.name)?.strip_prefix(' ')
}

/// Is a file whole?
pub fn is_whole(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<SUM>()
        .is_some_and(|(bytes, end)| sum(bytes) == *end)
}

fn sum(bytes: &[u8]) -> [u8; SUM] {
    // FNV-1a.
    let step = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811C_9DC5, step).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GXP1628, HT801};

    #[test]
    fn a_file_is_a_model_s_and_whole() {
        let mut bytes = file(&HT801, "1.0.63.3", 1_000, &mut Rng::new(1));
        assert_eq!(bytes.len(), 1_000);
        assert_eq!(
            (version(&HT801, &bytes), version(&GXP1628, &bytes)),
            (Some("1.0.63.3"), None)
        );
        assert!(is_whole(&bytes) && !is_whole(&bytes[..999]));
        assert_eq!(version(&HT801, &bytes[..10]), None);
        bytes[500] ^= 1;
        assert!(!is_whole(&bytes) && !is_whole(&[]));
    }
}
