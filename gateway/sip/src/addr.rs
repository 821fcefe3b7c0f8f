//! Addresses in From, To, Contact, Route and their like: `"Name" <uri>;param`.
use crate::params::Params;
use crate::scan::{find, find_either, is, quoted_len, quoted_len_shift_jis, split_once, trim, trim_start};
use crate::uri::Uri;

/// A name-addr or addr-spec with its header parameters (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Display name as written, in whatever encoding; a quoted one without its quotes, escapes left (see
    /// [`crate::fields::unescape_quoted`]). `None` where there is none or an empty one.
    pub display: Option<&'a [u8]>,
    /// The URI without angle brackets; `*` for a Contact of that value.
    pub uri: &'a [u8],
    /// Parameters of the header, not of the URI.
    pub params: Params<'a>,
    tag: Option<&'a [u8]>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value (no comma outside quotes and brackets). The URI must have a scheme and be readable by [`Uri::parse`].
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        match value {
            [b'<', rest @ ..] => Self::bracketed(&[], rest),
            // In Shift_JIS the second byte of a character may be a backslash. UTF-8 comes first, as it is the standard's.
            [b'"', ..] => quoted_len(value)
                .and_then(|len| Self::after_quoted(value, len))
                .or_else(|| Self::after_quoted(value, quoted_len_shift_jis(value)?)),
            b"*" => Some(NameAddr {
                display: None,
                uri: value,
                params: Params::default(),
                tag: None,
            }),
            _ => Self::parse_unquoted(value),
        }
    }

    fn parse_unquoted(value: &'a [u8]) -> Option<Self> {
        match find(value, b'<') {
            Some(open) => {
                let display = trim(value.get(..open)?);
                if find_either(display, b'"', b',').or(find(display, b'>')).is_some() {
                    return None;
                }
                Self::bracketed(display, value.get(open + 1..)?)
            }
            None => {
                // Without brackets, what follows a semicolon belongs to the header; a URI with `?` or `,` must have them.
                let (uri, params) = value.split_at(find(value, b';').unwrap_or(value.len()));
                let uri = trim(uri);
                if find_either(uri, b'?', b',').is_some() {
                    return None;
                }
                Self::checked(&[], uri, params)
            }
        }
    }

    fn after_quoted(value: &'a [u8], len: usize) -> Option<Self> {
        let (quoted, rest) = value.split_at_checked(len)?;
        Self::bracketed(
            quoted.get(1..len.checked_sub(1)?)?,
            trim_start(rest).strip_prefix(b"<")?,
        )
    }

    fn bracketed(display: &'a [u8], rest: &'a [u8]) -> Option<Self> {
        let (uri, params) = split_once(rest, b'>')?;
        Self::checked(display, uri, params)
    }

    fn checked(display: &'a [u8], uri: &'a [u8], params: &'a [u8]) -> Option<Self> {
        let params = Params::new(trim(params));
        let mut tag = None;
        let valid = params.read(|name, value| {
            if is(name, b"tag") {
                tag = tag.or(value);
            }
        });
        (valid && Uri::is_valid(uri)).then_some(NameAddr {
            display: (!display.is_empty()).then_some(display),
            uri,
            params,
            tag,
        })
    }

    /// True for `Contact: *`.
    pub fn is_star(&self) -> bool {
        self.uri == b"*"
    }

    /// The `tag` parameter. One without a value is none.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag
    }

    /// See [`Params::get`].
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params.get(name)
    }

    /// The URI, split; `None` for `*`.
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Want<'a> = Option<(Option<&'a [u8]>, &'a [u8], Option<&'a [u8]>)>;

    #[test]
    fn forms() {
        let table: [(&[u8], Want); 22] = [
            (b"sip:a@h;tag=1", Some((None, b"sip:a@h", Some(b"1")))),
            (b"<sip:a@h;lr>;tag=1", Some((None, b"sip:a@h;lr", Some(b"1")))),
            (b"<sip:a@h>", Some((None, b"sip:a@h", None))),
            (b"<sip:a@h>;tag", Some((None, b"sip:a@h", None))),
            (
                b"A. G. Bell <sip:a@h> ;tag = x",
                Some((Some(b"A. G. Bell"), b"sip:a@h", Some(b"x"))),
            ),
            (
                b"caller<sip:a@h>;tag=323",
                Some((Some(b"caller"), b"sip:a@h", Some(b"323"))),
            ),
            (
                b"\"Alice <ext 10>, Inc; x\"<sip:a@h>",
                Some((Some(b"Alice <ext 10>, Inc; x"), b"sip:a@h", None)),
            ),
            (
                b"\"J \\\\\\\"\"  <sip:j@h>\r\n ;tag=98",
                Some((Some(b"J \\\\\\\""), b"sip:j@h", Some(b"98"))),
            ),
            (b"\"\" <sip:a@h>", Some((None, b"sip:a@h", None))),
            // "ソ" in Shift_JIS: its second byte is a backslash; then the same character before another.
            (
                b"\"\x83\x5C\" <sip:a@h>;tag=1",
                Some((Some(b"\x83\x5C"), b"sip:a@h", Some(b"1"))),
            ),
            (
                b"\"\x83\x5C\x83j\x81[\" <sip:a@h>",
                Some((Some(b"\x83\x5C\x83j\x81["), b"sip:a@h", None)),
            ),
            (
                b"\"\xC3\xA9\\\"\" <sip:a@h>",
                Some((Some(b"\xC3\xA9\\\""), b"sip:a@h", None)),
            ),
            (
                b"<tel:+81312340001;phone-context=x>",
                Some((None, b"tel:+81312340001;phone-context=x", None)),
            ),
            (b"*", Some((None, b"*", None))),
            (b"sip:a@h?Route=x", None),
            (b"< sip:a@h >", None),
            (b"Bell, A <sip:a@h>", None),
            (b"\"Mr. J. User <sip:j@h>", None),
            (b"<sip:a@h", None),
            (b"\"A\" sip:a@h", None),
            (b"<sip:a@h>x", None),
            (b"", None),
        ];
        for (bytes, want) in table {
            let got = NameAddr::parse(bytes);
            assert_eq!(
                got.map(|a| (a.display, a.uri, a.tag())),
                want,
                "{}",
                bytes.escape_ascii()
            );
        }
    }
}
