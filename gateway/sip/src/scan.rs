//! Byte classes and small scanners of RFC 3261 §25, under all the typed views.

#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(any(test, not(target_arch = "x86_64")))]
mod words;

#[cfg(target_arch = "x86_64")]
pub(crate) use lanes::{find, find_control, find_either, run};
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use words::{find, find_control, find_either, run};

/// A set of bytes. None holds the zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// What a token is made of.
    Token,
    /// What a host name is made of. The underscore is no host character by RFC 1123, but names with it are in use.
    Host,
    /// What may stand in a URI: what could neither end one nor hide in one. Bytes above 0x7F are let through for other schemes
    /// and for IRIs.
    Uri,
    /// What may stand in a URI and divides none.
    Plain,
    /// What an unquoted value of a parameter is made of.
    Value,
    /// Digits and dots.
    Dotted,
}

impl Class {
    const ALL: [Class; 6] = [
        Class::Token,
        Class::Host,
        Class::Uri,
        Class::Plain,
        Class::Value,
        Class::Dotted,
    ];

    /// The definition.
    const fn holds(self, b: u8) -> bool {
        match self {
            Class::Token => {
                b.is_ascii_alphanumeric()
                    || matches!(
                        b,
                        b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
                    )
            }
            Class::Host => b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'),
            Class::Uri => b > b' ' && !matches!(b, 0x7F | b'<' | b'>' | b'"'),
            Class::Plain => Class::Uri.holds(b) && !matches!(b, b'@' | b':' | b';' | b'?' | b'%'),
            Class::Value => b > b' ' && !matches!(b, b'"' | b',' | b';' | b'<' | b'>'),
            Class::Dotted => b.is_ascii_digit() || b == b'.',
        }
    }

    /// As defined, by one look into a table.
    fn contains(self, b: u8) -> bool {
        CLASSES[usize::from(b)] & 1 << self as u8 != 0
    }
}

/// The classes of each byte, as bits.
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let mut i = 0;
        while i < Class::ALL.len() {
            if Class::ALL[i].holds(b as u8) {
                table[b] |= 1 << Class::ALL[i] as u8;
            }
            i += 1;
        }
        b += 1;
    }
    table
};

fn all(bytes: &[u8], class: Class) -> bool {
    !bytes.is_empty() && run(bytes, class) == bytes.len()
}

/// True for linear white space and the line ends of a fold.
pub fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// True for a `token` of at least one byte.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_len(bytes) == bytes.len()
}

/// True for bytes a host name may be made of.
pub fn is_host(bytes: &[u8]) -> bool {
    all(bytes, Class::Host)
}

/// True for digits and dots.
pub(crate) fn is_dotted(bytes: &[u8]) -> bool {
    all(bytes, Class::Dotted)
}

/// True for bytes that may stand in a URI: no white space, control byte, quote or angle bracket.
pub fn is_uri(bytes: &[u8]) -> bool {
    all(bytes, Class::Uri)
}

/// Equality in any case, soonest where the text is written as usual.
#[inline]
pub(crate) fn is(text: &[u8], usual: &[u8]) -> bool {
    text == usual || text.eq_ignore_ascii_case(usual)
}

/// Length of the token at the beginning; may be 0.
pub fn token_len(bytes: &[u8]) -> usize {
    // One by one: tokens are short.
    bytes
        .iter()
        .position(|&b| !Class::Token.contains(b))
        .unwrap_or(bytes.len())
}

/// The bytes without linear white space and folds at either end.
pub fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// The bytes without linear white space and folds at the beginning.
pub fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first @ ..=b' ', rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    bytes
}

/// The bytes without linear white space and folds at the end.
pub fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last @ ..=b' '] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Splits off what stands before the first `at`; `None` where there is none.
pub fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let i = find(bytes, at)?;
    Some((bytes.get(..i)?, bytes.get(i + 1..)?))
}

/// Length of the quoted string at the beginning, quotes included; `None` where none begins there or it does not end.
pub fn quoted_len(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut i = 1;
    loop {
        i += find_either(bytes.get(i..)?, b'"', b'\\')?;
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
            b'<' if brackets => i += find(&bytes[i..], b'>')? + 1,
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
            let comma = match find(self.rest, b',') {
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
    fn many_lanes_do_as_one_byte_does() {
        // Each byte at each place of texts of each length, and before and behind it bytes of all classes, or of none.
        for (around, len) in [b'a', b'0', 0xFF, 0]
            .into_iter()
            .flat_map(|b| (0..40).map(move |len| (b, len)))
        {
            let mut text = std::vec![around; len];
            for at in 0..len {
                for b in 0..=u8::MAX {
                    text[at] = b;
                    let case = || text.escape_ascii();
                    assert_eq!(find(&text, b), words::find(&text, b), "{}", case());
                    assert_eq!(
                        find_either(&text, b, b'a'),
                        words::find_either(&text, b, b'a'),
                        "{}",
                        case()
                    );
                    assert_eq!(find_control(&text), words::find_control(&text), "{}", case());
                    for class in Class::ALL {
                        assert_eq!(class.contains(b), class.holds(b), "{class:?} {b}");
                        assert_eq!(
                            run(&text, class),
                            words::run(&text, class),
                            "{class:?} {}",
                            case()
                        );
                    }
                }
                text[at] = around;
            }
        }
    }

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
