//! SDP as SIP phones use it (RFC 8866): a view here, and beside it edit, writing, keys, T.38, offer and answer.
mod answer;
mod crypto;
mod edit;
mod fax;
mod write;

use crate::fields::{number, port};
use crate::scan::{split_once, trim};
use core::net::{IpAddr, SocketAddr};

pub use answer::{Breach, Role};
pub use crypto::{Crypto, Suite, choose};
pub use edit::{Edit, Keys, rewrite};
pub use fax::{Correction, Fax, RateManagement};
pub use write::{Answer, Audio};

/// Direction of media (RFC 8866 §6.7), as seen by the side that wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// Only from the side that wrote it.
    SendOnly,
    /// Only to the side that wrote it.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    const ALL: [Direction; 4] = [
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ];

    /// The attribute: `sendrecv`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The direction an answer mirrors (RFC 3264 §6.1): of `SendOnly` it is `RecvOnly`.
    pub const fn mirrored(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            both_or_none => both_or_none,
        }
    }
}

/// A session description in the caller's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sdp<'a> {
    bytes: &'a [u8],
    /// The part before the first `m=` line.
    session: &'a [u8],
}

/// The `o=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// User name, `-` for none.
    pub user: &'a [u8],
    /// Session id as written: a number that may be longer than any register.
    pub session: &'a [u8],
    /// Version as written; grows by one with each change.
    pub version: &'a [u8],
    /// Address as written.
    pub address: &'a [u8],
}

/// One `m=` line and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// `audio`, `image`, ..
    pub kind: &'a [u8],
    /// Port; 0 for a refused or removed medium.
    pub port: u16,
    /// `RTP/AVP`, `udptl`, ..
    pub protocol: &'a [u8],
    /// Formats as written: `0 8 101`, `t38`.
    pub formats: &'a [u8],
    /// Address: of its own `c=` line, or the session's. `None` for a host name, which is not resolved here.
    pub address: Option<IpAddr>,
    /// Direction: its own, or the session's.
    pub direction: Direction,
    lines: &'a [u8],
}

/// Lines without their ends; CRLF or LF, as RFC 8866 §5 asks of a reader.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|&b| b == b'\n')
        .map(|l| l.strip_suffix(b"\n").unwrap_or(l))
        .map(|l| l.strip_suffix(b"\r").unwrap_or(l))
}

fn values(bytes: &[u8], letter: u8) -> impl Iterator<Item = &[u8]> {
    lines(bytes)
        .filter(move |l| l.first() == Some(&letter))
        .filter_map(|l| l.get(2..))
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&b| b == b' ').filter(|w| !w.is_empty())
}

/// The address of a `c=` value. `Err` where it is no such value, `Ok(None)` where it names a host.
fn connection(value: &[u8]) -> Result<Option<IpAddr>, ()> {
    let mut words = words(value);
    let (Some(b"IN"), Some(kind @ (b"IP4" | b"IP6")), Some(address)) =
        (words.next(), words.next(), words.next())
    else {
        return Err(());
    };
    // What follows a slash is for multicast.
    let address = address.split(|&b| b == b'/').next().unwrap_or_default();
    match core::str::from_utf8(address).map_err(|_| ())?.parse::<IpAddr>() {
        Ok(a) if a.is_ipv4() != (kind == b"IP4") => Err(()),
        Ok(a) => Ok(Some(a)),
        Err(_) if crate::scan::is_host(address) => Ok(None),
        Err(_) => Err(()),
    }
}

fn direction(bytes: &[u8]) -> Option<Direction> {
    values(bytes, b'a').find_map(|a| {
        Direction::ALL
            .into_iter()
            .find(|d| d.as_str().as_bytes() == trim(a))
    })
}

fn is_media(line: &[u8]) -> bool {
    line.starts_with(b"m=")
}

/// Where the first line after byte `from` that begins a medium begins, or the end.
fn next_media(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(rest) = bytes.get(at..) {
        if rest.is_empty() || is_media(rest) {
            return at;
        }
        match memchr::memchr(b'\n', rest) {
            Some(end) => at += end + 1,
            None => break,
        }
    }
    bytes.len()
}

impl<'a> Sdp<'a> {
    /// Reads a description. `None` unless it begins with `v=0`, consists of `x=` lines and every `m=` and `c=` line can be
    /// read.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let letters = |l: &[u8]| matches!(l, [b'a'..=b'z', b'=', ..] | []);
        if lines(bytes).next()? != b"v=0" || !lines(bytes).all(letters) {
            return None;
        }
        let sdp = Sdp {
            bytes,
            session: bytes.get(..next_media(bytes, 0))?,
        };
        let media_lines = lines(bytes).filter(|l| is_media(l)).count();
        let all_read =
            values(bytes, b'c').all(|c| connection(c).is_ok()) && sdp.media().count() == media_lines;
        all_read.then_some(sdp)
    }

    /// The bytes as received.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The `o=` line.
    pub fn origin(&self) -> Option<Origin<'a>> {
        let mut words = words(values(self.session, b'o').next()?);
        let (user, session, version) = (words.next()?, words.next()?, words.next()?);
        Some(Origin {
            user,
            session,
            version,
            address: words.nth(2)?,
        })
    }

    /// Address of the session's `c=` line.
    pub fn address(&self) -> Option<IpAddr> {
        connection(values(self.session, b'c').next()?).ok()?
    }

    /// The media, in order.
    pub fn media(&self) -> MediaIter<'a> {
        MediaIter {
            bytes: self.bytes,
            address: self.address(),
            direction: direction(self.session),
            at: self.session.len(),
        }
    }

    /// The first medium that spoken words can be sent to: audio without keys, wanted by its writer, with G.711 under its
    /// static payload type; its place among the media, and the codec.
    pub fn listener(&self) -> Option<(usize, Media<'a>, Codec)> {
        self.media().enumerate().find_map(|(index, medium)| {
            let plain = medium.kind == b"audio" && matches!(medium.protocol, b"RTP/AVP" | b"RTP/AVPF");
            let (codec, _) = medium.codecs().find(|(codec, pt)| codec.payload_type() == *pt)?;
            (plain && !medium.is_held()).then_some((index, medium, codec))
        })
    }

    /// The first audio medium that is not refused.
    pub fn audio(&self) -> Option<Media<'a>> {
        self.media().find(|m| m.kind == b"audio" && m.port != 0)
    }
}

/// See [`Sdp::media`].
#[derive(Clone, Debug)]
pub struct MediaIter<'a> {
    bytes: &'a [u8],
    /// The session's, looked up once.
    address: Option<IpAddr>,
    direction: Option<Direction>,
    at: usize,
}

impl<'a> Iterator for MediaIter<'a> {
    type Item = Media<'a>;

    fn next(&mut self) -> Option<Media<'a>> {
        let bytes = self.bytes;
        let rest = bytes.get(self.at..).filter(|r| !r.is_empty())?;
        let head = lines(rest).next()?;
        let first_end = memchr::memchr(b'\n', rest).map_or(bytes.len(), |i| self.at + i + 1);
        let end = next_media(bytes, first_end);
        let lines = bytes.get(first_end..end)?;
        self.at = end;

        let value = head.strip_prefix(b"m=")?;
        let (kind, after) = split_once(value, b' ')?;
        let (port_, after) = split_once(after, b' ')?;
        let (protocol, formats) = split_once(after, b' ')?;
        // `49170/2`: a count of ports is for layered media.
        let port_ = port_.split(|&b| b == b'/').next()?;
        let address = match values(lines, b'c').next() {
            Some(own) => connection(own).ok()?,
            None => self.address,
        };
        let direction = direction(lines).or(self.direction).unwrap_or_default();
        (!kind.is_empty() && !protocol.is_empty() && !formats.is_empty()).then_some(())?;
        Some(Media {
            kind,
            port: port(port_)?,
            protocol,
            formats,
            address,
            direction,
            lines,
        })
    }
}

impl<'a> Media<'a> {
    /// Address and port to send to; `None` for a refused medium or one without an address.
    pub fn target(&self) -> Option<SocketAddr> {
        if self.port == 0 {
            None
        } else {
            Some(SocketAddr::new(self.address?, self.port))
        }
    }

    /// True where nothing is to be sent to its writer: refused, `sendonly`, `inactive`, or the old hold address `0.0.0.0`.
    pub fn is_held(&self) -> bool {
        self.port == 0
            || matches!(self.direction, Direction::SendOnly | Direction::Inactive)
            || self.address.is_some_and(|a| a.is_unspecified())
    }

    /// Values of the attributes of this name: `rtpmap` gives `0 PCMU/8000`; a flag gives an empty value.
    pub fn attributes<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        values(self.lines, b'a').filter_map(move |a| {
            let (n, value) = split_once(a, b':').unwrap_or((a, b""));
            (n == name.as_bytes()).then_some(value)
        })
    }

    /// Payload types in order of preference (RTP media only; other formats give none).
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + use<'a> {
        words(self.formats)
            .filter_map(|f| number(f)?.try_into().ok())
            .filter(|pt| *pt < 128)
    }

    /// Payload type of an encoding named in an `rtpmap`: `media.encoding("telephone-event/8000")`, in any case; a channel
    /// count of one at its end makes no difference. Only types that the `m=` line offers count.
    pub fn encoding(&self, name: &str) -> Option<u8> {
        // One look at each line: there may be as many as fit in a datagram. Bit n: type n is mapped so.
        let mapped = self.attributes("rtpmap").fold(0u128, |mapped, value| {
            let Some((number_, encoding)) = split_once(value, b' ') else {
                return mapped;
            };
            let encoding = trim(encoding);
            let encoding = encoding.strip_suffix(b"/1").unwrap_or(encoding);
            let named = encoding.eq_ignore_ascii_case(name.as_bytes());
            let bit = number(number_)
                .filter(|_| named)
                .and_then(|pt| 1u128.checked_shl(pt));
            mapped | bit.unwrap_or(0)
        });
        self.payload_types().find(|pt| mapped & 1u128 << pt != 0)
    }

    /// Payload type of telephone events (RFC 4733), where offered.
    pub fn telephone_event(&self) -> Option<u8> {
        self.encoding("telephone-event/8000")
    }

    /// The voice codecs of ours it offers with their payload types, in its order of preference: by static payload type, or by
    /// an `rtpmap` that gives them another.
    pub fn codecs(&self) -> impl Iterator<Item = (Codec, u8)> + use<'a> {
        let mapped = Codec::ALL.map(|c| (c, self.encoding(c.encoding())));
        self.payload_types().filter_map(move |pt| {
            let is = |(c, mapped): &(Codec, Option<u8>)| c.payload_type() == pt || *mapped == Some(pt);
            mapped.into_iter().find(is).map(|(c, _)| (c, pt))
        })
    }
}

/// A voice codec of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// μ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Codec {
    const ALL: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    /// Static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// Name and clock rate as in an `rtpmap`.
    pub const fn encoding(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU/8000",
            Codec::Pcma => "PCMA/8000",
        }
    }
}

#[cfg(test)]
mod tests;
