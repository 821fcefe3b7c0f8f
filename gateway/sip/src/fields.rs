//! Typed values of the smaller headers.
use crate::method::Method;
use crate::params::Params;
use crate::scan::{find_outside, is_space, is_token, quoted_len, token_len, trim, trim_end, trim_start};

/// CSeq (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Sequence number, below 2^31 (RFC 3261 §8.1.1.5).
    pub seq: u32,
    /// Method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads `314159 INVITE`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
        let (seq, rest) = value.split_at_checked(digits)?;
        let method = trim_start(rest);
        let spaced = method.len() < rest.len();
        let (seq, method) = (number(seq)?, trim_end(method));
        (seq < 1 << 31 && spaced && is_token(method)).then(|| CSeq {
            seq,
            method: Method::parse(method),
        })
    }
}

/// RAck (RFC 3262 §7.2): which provisional response is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// RSeq of the response.
    pub rseq: u32,
    /// CSeq of the response.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    /// Reads `776656 1 INVITE`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let space = value.iter().position(|&b| is_space(b))?;
        let (rseq, cseq) = value.split_at(space);
        Some(RAck {
            rseq: number(rseq)?,
            cseq: CSeq::parse(trim(cseq))?,
        })
    }
}

/// Reason (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850` or another token.
    pub protocol: &'a [u8],
    /// `cause`, where there.
    pub cause: Option<u16>,
    /// `text` without its quotes, escapes left.
    pub text: Option<&'a [u8]>,
}

impl<'a> Reason<'a> {
    /// Reads `SIP;cause=200;text="Call completed elsewhere"`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let Item {
            value: protocol,
            params,
        } = Item::parse(value)?;
        is_token(protocol).then(|| Reason {
            protocol,
            cause: params.get("cause").and_then(port),
            text: params.get("text").map(unquote),
        })
    }

    /// True for the SIP cause given: `reason.is_sip(200)`.
    pub fn is_sip(&self, cause: u16) -> bool {
        self.protocol.eq_ignore_ascii_case(b"SIP") && self.cause == Some(cause)
    }
}

/// A challenge or credentials (RFC 3261 §25.1): `Digest realm="..", nonce=".."`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// The scheme: `Digest`.
    pub scheme: &'a [u8],
    params: &'a [u8],
}

impl<'a> Auth<'a> {
    /// Reads one header line's value: one challenge or one set of credentials (RFC 3261 §20.7 forbids to combine them).
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let (scheme, params) = value.split_at(token_len(value));
        let spaced = params.first().is_some_and(|&b| is_space(b));
        (!scheme.is_empty() && spaced).then(|| Auth {
            scheme,
            params: trim(params),
        })
    }

    /// True for `Digest`.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"Digest")
    }

    /// The value of the first parameter of this name (any case), quotes taken off and escapes left.
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| v)
    }

    /// Name and value of each parameter, quotes taken off and escapes left; ends at the first that is broken.
    pub fn params(&self) -> AuthParams<'a> {
        AuthParams { rest: self.params }
    }
}

/// See [`Auth::params`].
#[derive(Clone, Debug)]
pub struct AuthParams<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for AuthParams<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = trim_start(core::mem::take(&mut self.rest));
        while let Some(after) = rest.strip_prefix(b",") {
            rest = trim_start(after);
        }
        let (name, rest) = rest.split_at(token_len(rest));
        let rest = trim_start(trim_start(rest).strip_prefix(b"=")?);
        let len = match rest.first()? {
            b'"' => quoted_len(rest)?,
            // What stands without quotes must be able to stand in them, as we give back realm, nonce and opaque.
            _ => memchr::memchr3(b',', b'"', b'\\', rest).unwrap_or(rest.len()),
        };
        let (value, rest) = rest.split_at(len);
        let rest = trim_start(rest);
        if name.is_empty() || !(rest.is_empty() || rest.first() == Some(&b',')) {
            return None;
        }
        self.rest = rest;
        Some((name, unquote(trim(value))))
    }
}

/// Token with parameters: Event, Subscription-State, Session-Expires, Content-Type and their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// What stands before the first semicolon.
    pub value: &'a [u8],
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> Item<'a> {
    /// Reads `value;name=value`; the value must not be empty.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (head, params) = value.split_at(find_outside(value, b';', true).unwrap_or(value.len()));
        let head = trim(head);
        (!head.is_empty()).then_some(Item {
            value: head,
            params: Params::new(params),
        })
    }

    /// True where the value is `other` in any case, without regard to white space: `application / SDP`.
    pub fn is(&self, other: &str) -> bool {
        let packed = self
            .value
            .iter()
            .filter(|&&b| !is_space(b))
            .map(u8::to_ascii_lowercase);
        packed.eq(other.bytes().map(|b| b.to_ascii_lowercase()))
    }
}

/// A decimal number of digits only; `None` above `u32::MAX`.
pub fn number(value: &[u8]) -> Option<u32> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u32, |n, &b| {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        n.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

/// As [`number`], up to 65,535.
pub(crate) fn port(value: &[u8]) -> Option<u16> {
    number(value)?.try_into().ok()
}

/// A quoted string without its quotes, escapes left; a value without quotes as it is.
pub fn unquote(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// The text inside a quoted string, its backslashes resolved and folds made one space, into `out`; `None` where it does not
/// fit. For standard text: in Shift_JIS a backslash may be half a character.
pub fn unescape_quoted<'b>(value: &[u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut len = 0;
    let mut rest = unquote(value).iter().peekable();
    while let Some(&b) = rest.next() {
        let b = match b {
            b'\\' => *rest.next()?,
            b'\r' | b'\n' => {
                while rest.next_if(|&&b| is_space(b)).is_some() {}
                b' '
            }
            b => b,
        };
        *out.get_mut(len)? = b;
        len += 1;
    }
    out.get(..len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn cseq() {
        let ok = |seq, method| Some(CSeq { seq, method });
        assert_eq!(CSeq::parse(b"314159 INVITE"), ok(314159, Method::Invite));
        assert_eq!(CSeq::parse(b"0009\r\n  ACK"), ok(9, Method::Ack));
        assert_eq!(
            CSeq::parse(b"2147483647 X"),
            ok(2147483647, Method::Extension(b"X"))
        );
        for bad in [
            &b""[..],
            b"1",
            b"1 ",
            b"2147483648 A",
            b"99999999999999999999 A",
            b"x A",
            b"1 A B",
            b"-1 A",
        ] {
            assert_eq!(CSeq::parse(bad), None, "{}", bad.escape_ascii());
        }
        let rack = RAck::parse(b"776656 1 INVITE").unwrap();
        assert_eq!(
            (rack.rseq, rack.cseq.seq, rack.cseq.method),
            (776656, 1, Method::Invite)
        );
    }

    #[test]
    fn reason() {
        let r = Reason::parse(b"SIP ;cause=200 ;text=\"Call completed elsewhere\"").unwrap();
        assert!(r.is_sip(200) && !r.is_sip(603));
        assert_eq!(r.text, Some(&b"Call completed elsewhere"[..]));
        let r = Reason::parse(b"Q.850;cause=16").unwrap();
        assert_eq!((r.protocol, r.cause, r.text), (&b"Q.850"[..], Some(16), None));
        assert!(!r.is_sip(16));
        assert_eq!(Reason::parse(b";cause=1"), None);
    }

    #[test]
    fn credentials() {
        let value = b"Digest username=\"0312340001\", realm = \"box\",\r\n nonce=\"a,b\\\"c\" ,qop=auth,nc=00000001, uri=\"sip:box\"";
        let a = Auth::parse(value).unwrap();
        assert!(a.is_digest());
        let all: Vec<_> = a.params().collect();
        let want: [(&[u8], &[u8]); 6] = [
            (b"username", b"0312340001"),
            (b"realm", b"box"),
            (b"nonce", b"a,b\\\"c"),
            (b"qop", b"auth"),
            (b"nc", b"00000001"),
            (b"uri", b"sip:box"),
        ];
        assert_eq!(all, want);
        assert_eq!(a.param("QOP"), Some(&b"auth"[..]));
        let mut out = [0; 8];
        assert_eq!(unescape_quoted(b"\"a,b\\\"c\"", &mut out), Some(&b"a,b\"c"[..]));
        assert_eq!(unescape_quoted(b"\"a\\", &mut out), None);

        let odd = Auth::parse(b"NoOneKnowsThisScheme opaque-data=here").unwrap();
        assert_eq!(
            (odd.is_digest(), odd.param("opaque-data")),
            (false, Some(&b"here"[..]))
        );
        assert_eq!(Auth::parse(b"Digest"), None);
        // What follows a broken parameter is not guessed at.
        let broken = Auth::parse(b"Digest a=1, b=\"open, c=2").unwrap();
        assert_eq!(broken.params().collect::<Vec<_>>(), [(&b"a"[..], &b"1"[..])]);
        for broken in [
            &b"Digest a=\"1\"x, b=2"[..],
            b"Digest a=1\"x\", b=2",
            b"Digest a=1\\, b=2",
        ] {
            assert_eq!(
                Auth::parse(broken).unwrap().params().count(),
                0,
                "{}",
                broken.escape_ascii()
            );
        }
    }

    #[test]
    fn items() {
        let i = Item::parse(b"application / SDP ; charset=utf-8").unwrap();
        assert!(i.is("application/sdp") && !i.is("application/sd"));
        assert_eq!(i.params.get("charset"), Some(&b"utf-8"[..]));
        assert_eq!(Item::parse(b" ;a"), None);
    }

    #[test]
    fn numbers() {
        let table: [(&[u8], Option<u32>); 6] = [
            (b"0068", Some(68)),
            (b"4294967295", Some(u32::MAX)),
            (b"4294967296", None),
            (b"-1", None),
            (b"1 ", None),
            (b"", None),
        ];
        for (text, want) in table {
            assert_eq!(number(text), want, "{}", text.escape_ascii());
        }
    }
}
