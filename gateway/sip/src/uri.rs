//! URIs: `sip`, `sips` and `tel` (RFC 3261 §19.1, RFC 3966).
use crate::fields::port;
use crate::params::Params;
use crate::scan::{Class, find, is_dotted, is_uri, run, split_once};
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

impl<'a> Host<'a> {
    /// Reads the host at the beginning, an IPv6 address in its brackets, and gives what follows it.
    #[inline(always)]
    pub(crate) fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        if let [b'[', rest @ ..] = bytes {
            let (address, rest) = split_once(rest, b']')?;
            let address = core::str::from_utf8(address).ok()?.parse().ok()?;
            return Some((Host::V6(address), rest));
        }
        let (host, rest) = bytes.split_at_checked(run(bytes, Class::Host))?;
        let host = match host {
            [] => return None,
            [.., b'0'..=b'9' | b'.'] if is_dotted(host) => Host::V4(parse_v4(host)?),
            _ => Host::Name(host),
        };
        Some((host, rest))
    }

    /// The address, where the host is one.
    pub fn address(&self) -> Option<core::net::IpAddr> {
        match *self {
            Host::Name(_) => None,
            Host::V4(a) => Some(a.into()),
            Host::V6(a) => Some(a.into()),
        }
    }

    /// Equality without regard to case.
    pub fn equivalent(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a.address().is_some() && a.address() == b.address(),
        }
    }
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
        Self::read(bytes)
    }

    /// True where [`Uri::parse`] can read it, found without putting the parts together.
    pub(crate) fn is_valid(bytes: &'a [u8]) -> bool {
        Self::read(bytes).is_some()
    }

    #[inline(always)]
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let sip = match bytes {
            [b's' | b'S', b'i' | b'I', b'p' | b'P', rest @ ..] => match rest {
                [b':', rest @ ..] => Some((Scheme::Sip, rest)),
                [b's' | b'S', b':', rest @ ..] => Some((Scheme::Sips, rest)),
                _ => None,
            },
            _ => None,
        };
        match sip {
            Some((scheme, rest)) => Self::parse_sip(scheme, rest),
            None => Self::parse_other(bytes),
        }
    }

    fn parse_other(bytes: &'a [u8]) -> Option<Self> {
        if !is_uri(bytes) {
            return None;
        }
        let (scheme, rest) = split_once(bytes, b':')?;
        let first_is_letter = scheme.first().is_some_and(u8::is_ascii_alphabetic);
        if !first_is_letter
            || !scheme
                .iter()
                .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        {
            return None;
        }
        let none = Host::Name(b"");
        let (password, port, headers) = (None, None, None);
        if scheme.eq_ignore_ascii_case(b"tel") {
            let (number, params) = split_params(rest);
            let digit =
                |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#' | b'-' | b'.' | b'(' | b')');
            let digits = number.strip_prefix(b"+").unwrap_or(number);
            if digits.is_empty() || !digits.iter().all(digit) {
                return None;
            }
            let params = Params::new(params);
            Some(Uri {
                scheme: Scheme::Tel,
                user: Some(number),
                password,
                host: none,
                port,
                params,
                headers,
            })
        } else if rest.is_empty() {
            None
        } else {
            let params = Params::default();
            Some(Uri {
                scheme: Scheme::Other(scheme),
                user: Some(rest),
                password,
                host: none,
                port,
                params,
                headers,
            })
        }
    }

    #[inline(always)]
    fn parse_sip(scheme: Scheme<'a>, bytes: &'a [u8]) -> Option<Self> {
        // `;`, `?` and `,` may stand in the user part, an unescaped `@` nowhere: so the first `@` ends it.
        let (user, password, rest) = match bytes.split_at_checked(run(bytes, Class::Plain))? {
            (user @ [_, ..], [b'@', rest @ ..]) => (Some(user), None, rest),
            _ => Self::split_userinfo(bytes)?,
        };
        let (host, rest) = Host::split(rest)?;
        let (port, rest) = match rest {
            [b':', rest @ ..] => {
                let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
                let (digits, rest) = rest.split_at(len);
                (Some(port(digits)?), rest)
            }
            _ => (None, rest),
        };
        let (params, headers) = match rest {
            [] => (rest, None),
            [b';' | b'?', ..] if is_uri(rest) && find(rest, b'@').is_none() => match split_once(rest, b'?') {
                Some((params, headers)) => (params, Some(headers)),
                None => (rest, None),
            },
            _ => return None,
        };
        Some(Uri {
            scheme,
            user,
            password,
            host,
            port,
            params: Params::new(params),
            headers,
        })
    }

    /// User and password before the first `@`, where there is one, and what follows it.
    #[expect(clippy::type_complexity, reason = "three slices")]
    fn split_userinfo(bytes: &[u8]) -> Option<(Option<&[u8]>, Option<&[u8]>, &[u8])> {
        let Some((userinfo, rest)) = split_once(bytes, b'@') else {
            return Some((None, None, bytes));
        };
        let (user, password) = match split_once(userinfo, b':') {
            Some((user, password)) => (user, Some(password)),
            None => (userinfo, None),
        };
        let valid = !user.is_empty() && is_uri(userinfo) && escapes_valid(userinfo);
        valid.then_some((Some(user), password, rest))
    }

    /// See [`Params::get`].
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params.get(name)
    }

    /// The user part unescaped into `out`; `None` without one, where it does not fit or an escape is broken.
    pub fn unescaped_user<'b>(&self, out: &'b mut [u8]) -> Option<&'b [u8]> {
        unescape(self.user?, out)
    }

    /// Equality of RFC 3261 §19.1.4; `tel` numbers are compared without visual separators (RFC 3966 §5).
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        let scheme = match (self.scheme, other.scheme) {
            (Scheme::Other(a), Scheme::Other(b)) => a.eq_ignore_ascii_case(b),
            (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) | (Scheme::Tel, Scheme::Tel) => true,
            _ => false,
        };
        scheme
            && match (self.user, other.user, self.scheme) {
                (Some(a), Some(b), Scheme::Tel) => digits(a).eq(digits(b)),
                (a, b, _) => same_escaped(a, b),
            }
            && same_escaped(self.password, other.password)
            && self.host.equivalent(&other.host)
            && self.port == other.port
            && params_agree(&self.params, &other.params, self.scheme)
            && params_agree(&other.params, &self.params, self.scheme)
            && headers_within(self.headers, other.headers)
            && headers_within(other.headers, self.headers)
    }
}

fn split_params(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(memchr::memchr(b';', bytes).unwrap_or(bytes.len()))
}

/// Reads digits and dots as four numbers up to 255 without leading zeros: elsewhere these would be octal.
fn parse_v4(dotted: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = dotted;
    for (i, octet) in octets.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (value, len) = match *rest {
            [a, b, c, ..] if a > b'0' && b >= b'0' && c >= b'0' => (
                u32::from(a - b'0') * 100 + u32::from(b - b'0') * 10 + u32::from(c - b'0'),
                3,
            ),
            [a, b, ..] if a > b'0' && b >= b'0' => (u32::from(a - b'0') * 10 + u32::from(b - b'0'), 2),
            [a, ..] if a >= b'0' => (u32::from(a - b'0'), 1),
            _ => return None,
        };
        *octet = value.try_into().ok()?;
        rest = rest.get(len..)?;
    }
    rest.is_empty().then_some(octets.into())
}

/// Decodes `%HH` one by one. An item is the byte and whether it was escaped; broken escapes give `None`.
fn decoded(bytes: &[u8]) -> impl Iterator<Item = Option<(u8, bool)>> + '_ {
    let mut i = 0;
    core::iter::from_fn(move || {
        let b = *bytes.get(i)?;
        i += 1;
        if b != b'%' {
            return Some(Some((b, false)));
        }
        let hex = |at: usize| {
            bytes
                .get(at)
                .and_then(|&b| char::from(b).to_digit(16))
                .map(|d| d as u8)
        };
        let byte = hex(i).zip(hex(i + 1)).map(|(high, low)| (high << 4 | low, true));
        i += 2;
        Some(byte)
    })
}

fn escapes_valid(bytes: &[u8]) -> bool {
    find(bytes, b'%').is_none() || decoded(bytes).all(|b| b.is_some())
}

/// Replaces `%HH` by its byte; `None` where it does not fit or an escape is broken.
pub fn unescape<'b>(bytes: &[u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut len = 0;
    for byte in decoded(bytes) {
        *out.get_mut(len)? = byte?.0;
        len += 1;
    }
    out.get(..len)
}

/// Bytes are equal to their escapes, but for the reserved ones (RFC 3261 §19.1.4).
fn same_escaped(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    let plain = |item: Option<(u8, bool)>| {
        item.map(|(b, escaped)| {
            (
                b,
                escaped
                    && matches!(
                        b,
                        b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b','
                    ),
            )
        })
    };
    match (a, b) {
        (Some(a), Some(b)) => a == b || decoded(a).map(plain).eq(decoded(b).map(plain)),
        (None, None) => true,
        _ => false,
    }
}

fn digits(number: &[u8]) -> impl Iterator<Item = u8> + '_ {
    number
        .iter()
        .filter(|b| !matches!(b, b'-' | b'.' | b'(' | b')'))
        .map(u8::to_ascii_lowercase)
}

/// Parameters or headers a URI may have to be compared one by one; beyond, only the same bytes are equal.
const MOST_COMPARED: usize = 32;

/// Each parameter of `a` is equal in `b`; one that `b` lacks may be ignored unless it says where or how to send.
fn params_agree(a: &Params<'_>, b: &Params<'_>, scheme: Scheme<'_>) -> bool {
    // Each is compared with each, which is not to be done for as many as a datagram holds.
    if a.iter().nth(MOST_COMPARED).is_some() {
        return a == b;
    }
    a.iter().all(|(name, value)| {
        let mut same_name = b.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).peekable();
        if same_name.peek().is_some() {
            return same_name.any(|(_, other)| match (value, other) {
                (Some(x), Some(y)) => x.eq_ignore_ascii_case(y),
                (x, y) => x.is_none() && y.is_none(),
            });
        }
        let decisive = [&b"user"[..], b"ttl", b"method", b"maddr", b"transport"];
        scheme != Scheme::Tel && !decisive.iter().any(|n| n.eq_ignore_ascii_case(name))
    })
}

/// Each header component of `a` is in `b`.
fn headers_within(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    if a.is_none_or(<[u8]>::is_empty) {
        return true;
    }
    let parts = |headers: Option<_>| <[u8]>::split(headers.unwrap_or_default(), |&b| b == b'&');
    if parts(a).nth(MOST_COMPARED).is_some() {
        return a == b;
    }
    parts(a).all(|x| {
        parts(b).any(|y| match (split_once(x, b'='), split_once(y, b'=')) {
            (Some((name, value)), Some((other, other_value))) => {
                name.eq_ignore_ascii_case(other) && same_escaped(Some(value), Some(other_value))
            }
            _ => x.eq_ignore_ascii_case(y),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(bytes: &[u8]) -> Uri<'_> {
        Uri::parse(bytes).unwrap_or_else(|| panic!("{}", bytes.escape_ascii()))
    }

    #[test]
    fn parts() {
        let u = uri(b"sip:alice:secret@example.com:5070;transport=tcp;lr?Subject=hi&Priority=urgent");
        assert_eq!(
            (u.scheme, u.user, u.password),
            (Scheme::Sip, Some(&b"alice"[..]), Some(&b"secret"[..]))
        );
        assert_eq!((u.host, u.port), (Host::Name(b"example.com"), Some(5070)));
        assert_eq!(
            (u.param("Transport"), u.param("lr"), u.param("x")),
            (Some(&b"tcp"[..]), Some(&b""[..]), None)
        );
        assert_eq!(u.headers, Some(&b"Subject=hi&Priority=urgent"[..]));

        let u = uri(b"sips:[2001:db8::1]:5061");
        assert_eq!((u.scheme, u.user, u.port), (Scheme::Sips, None, Some(5061)));
        assert_eq!(u.host, Host::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));

        let u = uri(b"sip:user;par=u%40example.net@192.0.2.7;x");
        assert_eq!(
            (u.user, u.host),
            (
                Some(&b"user;par=u%40example.net"[..]),
                Host::V4(Ipv4Addr::new(192, 0, 2, 7))
            )
        );
        let mut out = [0; 24];
        assert_eq!(u.unescaped_user(&mut out), Some(&b"user;par=u@example.net"[..]));
        assert_eq!(u.unescaped_user(&mut out[..21]), None);

        let u = uri(b"tel:+81-3-1234-0001;phone-context=example.com");
        assert_eq!(
            (u.scheme, u.user, u.host),
            (Scheme::Tel, Some(&b"+81-3-1234-0001"[..]), Host::Name(b""))
        );
        assert_eq!(u.param("phone-context"), Some(&b"example.com"[..]));

        let u = uri(b"soap.beep://192.0.2.103:3002");
        assert_eq!(
            (u.scheme, u.user),
            (Scheme::Other(b"soap.beep"), Some(&b"//192.0.2.103:3002"[..]))
        );
    }

    #[test]
    fn broken_ones() {
        for bad in [
            &b""[..],
            b"sip:",
            b"sip",
            b":a@b",
            b"sip:@h",
            b"sip:a@",
            b"sip:a@b@c",
            b"sip:a@h:",
            b"sip:a@h:65536",
            b"sip:a@h:12x",
            b"sip:a@[::1",
            b"sip:a@[::g]",
            b"sip:a@1.2.3.400",
            b"sip:a%4@h",
            b"sip:a b@h",
            b"<sip:a@h>",
            b"tel:",
            b"tel:+",
            b"tel:abc xyz",
            b"1sip:a@h",
        ] {
            assert_eq!(Uri::parse(bad), None, "{}", bad.escape_ascii());
        }
    }

    // The examples of RFC 3261 §19.1.4, and a few of ours.
    #[test]
    fn equality() {
        let equal: [(&[u8], &[u8]); 8] = [
            (
                b"sip:%61lice@atlanta.com;transport=TCP",
                b"sip:alice@AtLanTa.CoM;Transport=tcp",
            ),
            (b"sip:carol@chicago.com", b"sip:carol@chicago.com;newparam=5"),
            (b"sip:carol@chicago.com", b"sip:carol@chicago.com;security=on"),
            (
                b"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                b"sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                b"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                b"sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            (b"sip:a@[2001:DB8::1]", b"sip:a@[2001:db8:0::1]"),
            (b"tel:+81-3-1234-0001", b"TEL:+81312340001"),
            (
                b"sip:carol@chicago.com;newparam=5",
                b"sip:carol@chicago.com;security=on",
            ),
        ];
        for (a, b) in equal {
            assert!(
                uri(a).equivalent(&uri(b)) && uri(b).equivalent(&uri(a)),
                "{}",
                a.escape_ascii()
            );
        }
        let many = |first: &str| {
            let rest: std::string::String = (0..40).map(|i| std::format!(";p{i}")).collect();
            std::format!("sip:h;{first}{rest}").into_bytes()
        };
        assert!(uri(&many("x")).equivalent(&uri(&many("x"))));
        assert!(!uri(&many("x")).equivalent(&uri(&many("y"))));
        let different: [(&[u8], &[u8]); 11] = [
            (
                b"SIP:ALICE@AtLanTa.CoM;Transport=udp",
                b"sip:alice@AtLanTa.CoM;Transport=UDP",
            ),
            (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com:5060"),
            (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com;transport=udp"),
            (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com:6000;transport=tcp"),
            (
                b"sip:carol@chicago.com",
                b"sip:carol@chicago.com?Subject=next%20meeting",
            ),
            (b"sip:bob@phone21.boxesbybob.com", b"sip:bob@192.0.2.4"),
            (
                b"sip:carol@chicago.com;security=on",
                b"sip:carol@chicago.com;security=off",
            ),
            (b"sip:a%40b@h", b"sip:a@h"),
            (b"sip:a%3Bb@h", b"sip:a;b@h"),
            (b"sip:a@h", b"sips:a@h"),
            (b"sip:h", b"sip:a@h"),
        ];
        for (a, b) in different {
            assert!(
                !uri(a).equivalent(&uri(b)) && !uri(b).equivalent(&uri(a)),
                "{}",
                a.escape_ascii()
            );
        }
    }
}
