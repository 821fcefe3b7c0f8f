//! Byte classes and small scanners of RFC 3261 §25.

/// The value without leading and trailing linear white space (folds too).
pub fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}
