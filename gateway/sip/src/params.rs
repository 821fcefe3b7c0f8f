//! Parameters after a semicolon: `;name=value;flag`.
use crate::scan::{find_outside, is_token, quoted_len, split_once, trim, trim_start};

/// The parameters of a URI, Via, name-addr or other value; lazily read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    bytes: &'a [u8],
}

impl<'a> Params<'a> {
    /// The parameters in `bytes`, which begin at the first semicolon (or are empty).
    pub const fn new(bytes: &'a [u8]) -> Self {
        Params { bytes }
    }

    /// The raw bytes, semicolons included.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value of the first parameter of this name (any case); a flag has an empty value. A quoted value keeps its
    /// quotes: see [`crate::fields::unquote`].
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| v.unwrap_or_default())
    }

    /// True where there is a parameter of this name, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Name and value of each parameter; `None` for a flag. Empty ones are left out.
    pub fn iter(&self) -> Iter<'a> {
        Iter { rest: self.bytes }
    }

    /// True where each parameter has a token as name and, after an equals sign, a value that is a whole quoted string or
    /// holds neither quote, white space nor comma (`generic-param`, RFC 3261 §25.1).
    pub fn is_valid(&self) -> bool {
        let mut rest = self.bytes;
        if trim(rest).is_empty() {
            return true;
        }
        while let Some(after) = trim_start(rest).strip_prefix(b";") {
            let (param, next) = cut(after);
            let (name, value) = name_value(param);
            let value_valid = value.is_none_or(|v| match v.first() {
                Some(b'"') => quoted_len(v) == Some(v.len()),
                Some(_) => !v
                    .iter()
                    .any(|&b| b <= b' ' || matches!(b, b'"' | b',' | b'<' | b'>')),
                None => false,
            });
            if !is_token(name) || !value_valid {
                return false;
            }
            rest = next;
            if rest.is_empty() {
                return true;
            }
        }
        false
    }
}

/// Splits before the next semicolon outside quotes.
fn cut(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = match memchr::memchr2(b';', b'"', bytes) {
        None => bytes.len(),
        Some(i) if bytes[i] == b';' => i,
        Some(_) => find_outside(bytes, b';', false).unwrap_or(bytes.len()),
    };
    bytes.split_at(end)
}

fn name_value(param: &[u8]) -> (&[u8], Option<&[u8]>) {
    match split_once(param, b'=') {
        Some((name, value)) => (trim(name), Some(trim(value))),
        None => (trim(param), None),
    }
}

/// See [`Params::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = memchr::memchr(b';', self.rest)?;
            let (param, rest) = cut(&self.rest[start + 1..]);
            self.rest = rest;
            let (name, value) = name_value(param);
            if !name.is_empty() {
                return Some((name, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn names_values_and_flags() {
        let p = Params::new(b";tag = a ;\r\n lr;+sip.instance=\"<urn:uuid:1;2>\" ;;q=0.5");
        let all: Vec<_> = p.iter().collect();
        let want: [(&[u8], Option<&[u8]>); 4] = [
            (b"tag", Some(b"a")),
            (b"lr", None),
            (b"+sip.instance", Some(b"\"<urn:uuid:1;2>\"")),
            (b"q", Some(b"0.5")),
        ];
        assert_eq!(all, want);
        assert_eq!(p.get("TAG"), Some(&b"a"[..]));
        assert_eq!(p.get("lr"), Some(&b""[..]));
        assert_eq!(p.get("ta"), None);
        assert!(!p.is_valid(), "an empty parameter is no parameter");
    }

    #[test]
    fn validity() {
        for good in [
            &b""[..],
            b"  ",
            b";a",
            b";a=b",
            b" ; a = \"b;c\" ; d",
            b";received=2001:db8::1",
            b";n=[::1]",
        ] {
            assert!(Params::new(good).is_valid(), "{}", good.escape_ascii());
        }
        for bad in [
            &b"a"[..],
            b";",
            b";a;",
            b";a=",
            b";;a",
            b";a=b c",
            b";a=\"b",
            b";a=\"b\"c",
            b";a,b",
            b";=b",
        ] {
            assert!(!Params::new(bad).is_valid(), "{}", bad.escape_ascii());
        }
    }
}
