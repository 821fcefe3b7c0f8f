//! Typed values of the smaller headers.
use crate::method::Method;
use crate::params::Params;

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
        let _ = value;
        None
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
        let _ = value;
        None
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
    /// Reads one header line's value.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let _ = value;
        None
    }

    /// The value of the first parameter of this name (any case), quotes taken off and escapes left.
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, v)| v)
    }

    /// Name and value of each parameter, quotes taken off and escapes left.
    pub fn params(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let _ = self.params;
        core::iter::empty()
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
    /// Reads `value;name=value`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let _ = value;
        None
    }
}

/// A decimal number of digits only; `None` above `u32::MAX`.
pub fn number(value: &[u8]) -> Option<u32> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u32, |n, &b| {
        if !b.is_ascii_digit() {
            return None;
        }
        n.checked_mul(10)?.checked_add(u32::from(b - b'0'))
    })
}

/// A quoted string without its quotes, escapes left; a value without quotes as it is.
pub fn unquote(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// The text of a quoted string, its backslashes resolved, into `out`; `None` where it does not fit.
pub fn unescape_quoted<'b>(value: &[u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
    let _ = value;
    out.get(..0)
}
