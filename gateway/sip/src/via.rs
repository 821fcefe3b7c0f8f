//! The Via header (RFC 3261 §20.42, RFC 3581).
use crate::params::Params;
use crate::uri::Host;
use core::net::IpAddr;

/// One Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// Transport name as written: `UDP`.
    pub transport: &'a [u8],
    /// Host of sent-by.
    pub host: Host<'a>,
    /// Port of sent-by, where written.
    pub port: Option<u16>,
    /// `branch`, where there.
    pub branch: Option<&'a [u8]>,
    /// `received`, where it is an address.
    pub received: Option<IpAddr>,
    /// `rport`: `Some(None)` asked for, `Some(Some(port))` filled in.
    pub rport: Option<Option<u16>>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value (no comma). `None` where the grammar is broken or the protocol is not `SIP/2.0`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let _ = value;
        None
    }
}
