//! The Via header (RFC 3261 §20.42, RFC 3581).
use crate::fields::port;
use crate::params::Params;
use crate::scan::{find, is, split_once, token_len, trim, trim_start};
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
        let (version, mut via) = Self::parse_head(value)?;
        let params = via.params;
        let valid = params.read(|name, value| via.note(name, value));
        (valid && version == b"2.0").then_some(via)
    }

    /// As [`Via::parse`], but of any version, and broken parameters are passed over: enough to answer a faulty request.
    pub(crate) fn parse_leniently(value: &'a [u8]) -> Option<Self> {
        let (_, mut via) = Self::parse_head(value)?;
        for (name, value) in via.params.iter() {
            via.note(name, value);
        }
        Some(via)
    }

    /// The version, and all but what stands in the parameters.
    #[inline(always)]
    fn parse_head(value: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let (head, params) = value.split_at(find(value, b';').unwrap_or(value.len()));
        let (version, rest) = match head.strip_prefix(b"SIP/2.0/") {
            Some(rest) => (&b"2.0"[..], trim_start(rest)),
            None => {
                let (protocol, rest) = split_once(head, b'/')?;
                let (version, rest) = split_once(rest, b'/')?;
                if !trim(protocol).eq_ignore_ascii_case(b"SIP") {
                    return None;
                }
                (trim(version), trim_start(rest))
            }
        };
        let (transport, after) = rest.split_at(token_len(rest));
        let sent_by = trim_start(after);
        if transport.is_empty() || sent_by.len() == after.len() {
            return None;
        }
        let (host, rest) = Host::split(sent_by)?;
        let port = match trim(rest) {
            [] => None,
            [b':', digits @ ..] => Some(port(trim_start(digits))?),
            _ => return None,
        };
        let via = Via {
            transport,
            host,
            port,
            branch: None,
            received: None,
            rport: None,
            params: Params::new(params),
        };
        Some((version, via))
    }

    /// Takes what a parameter says.
    fn note(&mut self, name: &'a [u8], value: Option<&'a [u8]>) {
        if is(name, b"branch") {
            self.branch = self.branch.or(value);
        } else if is(name, b"received") {
            self.received = value.and_then(parse_address);
        } else if is(name, b"rport") {
            self.rport = Some(value.and_then(port));
        }
    }

    /// The branch without the cookie `z9hG4bK`; `None` where the sender is of RFC 2543 or the rest is empty, so that the
    /// branch names no transaction (RFC 3261 §17.2.3).
    pub fn unique_branch(&self) -> Option<&'a [u8]> {
        let (cookie, rest) = self.branch?.split_at_checked(7)?;
        (cookie.eq_ignore_ascii_case(b"z9hG4bK") && !rest.is_empty()).then_some(rest)
    }
}

/// An address, an IPv6 one with or without its brackets (some senders write them in `received`).
fn parse_address(bytes: &[u8]) -> Option<IpAddr> {
    let bytes = bytes
        .strip_prefix(b"[")
        .and_then(|b| b.strip_suffix(b"]"))
        .unwrap_or(bytes);
    core::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn usual_forms() {
        let via = Via::parse(b"SIP/2.0/UDP 192.168.1.20:5062;rport;branch=z9hG4bK776asdhds;alias").unwrap();
        assert_eq!(via.transport, b"UDP");
        assert_eq!(
            (via.host, via.port),
            (Host::V4(Ipv4Addr::new(192, 168, 1, 20)), Some(5062))
        );
        assert_eq!(via.unique_branch(), Some(&b"776asdhds"[..]));
        assert_eq!((via.rport, via.received), (Some(None), None));
        assert!(via.params.has("alias"));

        let via = Via::parse(b"SIP/2.0/TLS [2001:db8::9:1];received=2001:db8::9:255;rport=4711").unwrap();
        let six = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 9, last);
        assert_eq!((via.host, via.port), (Host::V6(six(1)), None));
        assert_eq!(
            (via.rport, via.received),
            (Some(Some(4711)), Some(IpAddr::V6(six(0x255))))
        );
        assert_eq!(via.branch, None);

        let via =
            Via::parse(b"SIP  / 2.0  / TCP     spindle.example.com : 5061  ;\r\n  branch  =   z9hG4bK9ikj8")
                .unwrap();
        assert_eq!(
            (via.host, via.port),
            (Host::Name(b"spindle.example.com"), Some(5061))
        );
        assert_eq!(via.unique_branch(), Some(&b"9ikj8"[..]));
        assert_eq!(
            Via::parse(b"SIP/2.0/UDP h;branch=z9hG4bK")
                .unwrap()
                .unique_branch(),
            None
        );
    }

    #[test]
    fn broken_forms() {
        for bad in [
            &b""[..],
            b"SIP/2.0/UDP",
            b"SIP/2.0/UDP ;branch=1",
            b"SIP/3.0/UDP h",
            b"HTTP/2.0/UDP h",
            b"SIP/2.0 h",
            b"SIP/2.0/UDP h:",
            b"SIP/2.0/UDP h:99999",
            b"SIP/2.0/UDP h x",
            b"SIP/2.0/UDP [::1",
            b"SIP/2.0/UDP h;;",
            b"SIP/2.0/UDP h;branch=\"x",
        ] {
            assert_eq!(Via::parse(bad), None, "{}", bad.escape_ascii());
        }
    }
}
