//! Byte classes and small scanners of RFC 3261 §25, under all the typed views.

const TOKEN: u8 = 1;
const SPACE: u8 = 2;
const HOST: u8 = 4;
const URI: u8 = 8;

const CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut b = 0usize;
    while b < 256 {
        let c = b as u8;
        let mut class = 0;
        if c.is_ascii_alphanumeric() {
            class |= TOKEN | HOST;
        }
        if matches!(
            c,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        ) {
            class |= TOKEN;
        }
        // The underscore is no host character by RFC 1123, but names with it are in use.
        if matches!(c, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        if matches!(c, b' ' | b'\t' | b'\r' | b'\n') {
            class |= SPACE;
        }
        // Whatever could not end a URI or hide in one; bytes above 0x7F are let through for `Other` schemes and for IRIs.
        if c > b' ' && c != 0x7F && !matches!(c, b'<' | b'>' | b'"') {
            class |= URI;
        }
        table[b] = class;
        b += 1;
    }
    table
};

fn all(bytes: &[u8], class: u8) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| CLASS[usize::from(b)] & class != 0)
}

/// True for linear white space and the line ends of a fold.
pub fn is_space(b: u8) -> bool {
    CLASS[usize::from(b)] & SPACE != 0
}

/// True for a `token` of at least one byte.
pub fn is_token(bytes: &[u8]) -> bool {
    all(bytes, TOKEN)
}

/// True for bytes a host name may be made of.
pub fn is_host(bytes: &[u8]) -> bool {
    all(bytes, HOST)
}

/// True for bytes that may stand in a URI: no white space, control byte, quote or angle bracket.
pub fn is_uri(bytes: &[u8]) -> bool {
    all(bytes, URI)
}

/// Length of the token at the beginning; may be 0.
pub fn token_len(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&b| CLASS[usize::from(b)] & TOKEN == 0)
        .unwrap_or(bytes.len())
}

/// The bytes without linear white space and folds at either end.
pub fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// The bytes without linear white space and folds at the beginning.
pub fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    bytes
}

/// The bytes without linear white space and folds at the end.
pub fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Splits off what stands before the first `at`; `None` where there is none.
pub fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let i = memchr::memchr(at, bytes)?;
    Some((bytes.get(..i)?, bytes.get(i + 1..)?))
}

/// Length of the quoted string at the beginning, quotes included; `None` where none begins there or it does not end.
pub fn quoted_len(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut i = 1;
    loop {
        i += memchr::memchr2(b'"', b'\\', bytes.get(i..)?)?;
        if bytes.get(i) == Some(&b'"') {
            return Some(i + 1);
        }
        i += 2;
    }
}

/// As [`quoted_len`], where a Shift_JIS text has a backslash as second byte of a character ("ソ" is 83 5C).
pub fn quoted_len_shift_jis(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut i = 1;
    loop {
        match bytes.get(i)? {
            b'"' => return Some(i + 1),
            b'\\' | 0x81..=0x9F | 0xE0..=0xFC => i += 2,
            _ => i += 1,
        }
    }
}

/// Where `stop` first stands outside quotes (and outside angle brackets if `brackets`).
pub fn find_outside(bytes: &[u8], stop: u8, brackets: bool) -> Option<usize> {
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        match b {
            b if b == stop => return Some(i),
            b'"' => i += quoted_len(&bytes[i..])?,
            b'<' if brackets => i += memchr::memchr(b'>', &bytes[i..])? + 1,
            _ => i += 1,
        }
    }
    None
}

/// The values of a header line, split at commas outside quotes and angle brackets; empty ones are left out.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// Splits `line`.
    pub fn new(line: &'a [u8]) -> Self {
        Values { rest: line }
    }

    /// What has not been given out yet, without the comma before it.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let comma = match memchr::memchr(b',', self.rest) {
                None => None,
                Some(_) => find_outside(self.rest, b',', true),
            };
            let value = match comma {
                Some(i) => {
                    let value = &self.rest[..i];
                    self.rest = &self.rest[i + 1..];
                    value
                }
                None => core::mem::take(&mut self.rest),
            };
            let value = trim(value);
            if !value.is_empty() {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn values_are_split_only_outside_quotes_and_brackets() {
        let table: [(&[u8], &[&[u8]]); 8] = [
            (b"a", &[b"a"]),
            (b"a, b ,c", &[b"a", b"b", b"c"]),
            (
                b"\"a,b\" <sip:x,y@h>;q=1 , <sip:z>",
                &[b"\"a,b\" <sip:x,y@h>;q=1", b"<sip:z>"],
            ),
            (b"\"a\\\",b\" <sip:z>,c", &[b"\"a\\\",b\" <sip:z>", b"c"]),
            (b" ,, a,\r\n b,", &[b"a", b"b"]),
            (b"\"open, b", &[b"\"open, b"]),
            (b"<open, b", &[b"<open, b"]),
            (b"", &[]),
        ];
        for (line, want) in table {
            assert_eq!(
                Values::new(line).collect::<Vec<_>>(),
                want,
                "{}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn quoted_strings_end_at_the_first_free_quote() {
        assert_eq!(quoted_len(b"\"\" x"), Some(2));
        assert_eq!(quoted_len(b"\"a\\\\\" x"), Some(5));
        assert_eq!(quoted_len(b"\"a\\\" x"), None);
        assert_eq!(quoted_len(b"\"a\\"), None);
        assert_eq!(quoted_len(b"x"), None);
        assert_eq!(quoted_len_shift_jis(b"\"\x83\x5C\" x"), Some(4));
        assert_eq!(quoted_len_shift_jis(b"\"\x83"), None);
    }
}
