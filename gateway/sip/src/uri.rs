//! URIs: `sip`, `sips` and `tel` (RFC 3261 §19.1, RFC 3966).
use crate::params::Params;
use core::net::{Ipv4Addr, Ipv6Addr};

/// A URI's scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other, without its colon.
    Other(&'a [u8]),
}

/// Host part of a URI or Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A domain name.
    Name(&'a [u8]),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets on the wire.
    V6(Ipv6Addr),
}

/// A URI, split into its parts and not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme<'a>,
    /// User part, still escaped; for `tel` the subscriber number; for other schemes everything after the colon.
    pub user: Option<&'a [u8]>,
    /// Password, still escaped.
    pub password: Option<&'a [u8]>,
    /// Host; an empty name for schemes without one.
    pub host: Host<'a>,
    /// Port, where written.
    pub port: Option<u16>,
    /// URI parameters.
    pub params: Params<'a>,
    /// What follows the question mark.
    pub headers: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Reads a URI without angle brackets. `None` where the grammar is broken.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let _ = bytes;
        None
    }

    /// See [`Params::get`].
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params.get(name)
    }

    /// The user part unescaped into `out`; `None` without one, where it does not fit or an escape is broken.
    pub fn unescaped_user<'b>(&self, out: &'b mut [u8]) -> Option<&'b [u8]> {
        unescape(self.user?, out)
    }

    /// Equality of RFC 3261 §19.1.4 (for `tel`: of RFC 3966 §5).
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        let _ = other;
        false
    }
}

/// Replaces `%HH` by its byte; `None` where it does not fit or an escape is broken.
pub fn unescape<'b>(bytes: &[u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
    let _ = bytes;
    out.get(..0)
}
