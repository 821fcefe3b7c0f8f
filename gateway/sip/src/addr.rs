//! Addresses in From, To, Contact, Route and their like: `"Name" <uri>;param`.
use crate::params::Params;
use crate::uri::Uri;

/// A name-addr or addr-spec with its header parameters (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Display name as written; a quoted one without its quotes, escapes left (see [`crate::fields::unescape_quoted`]).
    pub display: Option<&'a [u8]>,
    /// The URI without angle brackets; `*` for a Contact of that value.
    pub uri: &'a [u8],
    /// Parameters of the header, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value (no comma outside quotes and brackets).
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let _ = value;
        None
    }

    /// True for `Contact: *`.
    pub fn is_star(&self) -> bool {
        self.uri == b"*"
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.param("tag")
    }

    /// See [`Params::get`].
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params.get(name)
    }

    /// The URI, split.
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }
}
