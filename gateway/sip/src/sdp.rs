//! SDP as SIP phones use it (RFC 8866, RFC 3264): view, edit of addresses, a small audio description.
use crate::write::Full;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// Direction of media (RFC 8866 §6.7).
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

/// A session description in the caller's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sdp<'a> {
    bytes: &'a [u8],
}

/// The `o=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// User name, `-` for none.
    pub user: &'a [u8],
    /// Session id.
    pub session: u64,
    /// Version; grows with each change.
    pub version: u64,
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
    /// Address: of its own `c=` line, or the session's.
    pub address: Option<IpAddr>,
    /// Direction: its own, or the session's.
    pub direction: Direction,
    lines: &'a [u8],
}

impl<'a> Sdp<'a> {
    /// Reads a description: it must begin with `v=0` and consist of `x=` lines; every `m=` and `c=` line must be readable.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let _ = bytes;
        None
    }

    /// The bytes as received.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The `o=` line.
    pub fn origin(&self) -> Option<Origin<'a>> {
        None
    }

    /// Address of the session's `c=` line.
    pub fn address(&self) -> Option<IpAddr> {
        None
    }

    /// The media, in order.
    pub fn media(&self) -> impl Iterator<Item = Media<'a>> + use<'a> {
        core::iter::empty()
    }

    /// The first audio medium that is not refused.
    pub fn audio(&self) -> Option<Media<'a>> {
        self.media().find(|m| m.kind == b"audio" && m.port != 0)
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

    /// Values of the attributes of this name: `rtpmap` gives `0 PCMU/8000`; a flag gives an empty value.
    pub fn attributes(&self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let _ = (name, self.lines);
        core::iter::empty()
    }

    /// Payload types in order of preference (RTP media only).
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + use<'a> {
        core::iter::empty()
    }

    /// Payload type of `telephone-event/8000` (RFC 4733).
    pub fn telephone_event(&self) -> Option<u8> {
        None
    }
}

/// Copies `sdp` with the address and port of media replaced: `replace(index, medium)` gives the new ones or `None` to leave
/// the medium as it is. Refused media (port 0) are not asked for and stay. Everything else survives, but for what would
/// lead around the new address: `a=rtcp`, ICE candidates and credentials of replaced media.
pub fn rewrite(
    sdp: &Sdp<'_>,
    out: &mut [u8],
    replace: impl FnMut(usize, &Media<'_>) -> Option<SocketAddr>,
) -> Result<usize, Full> {
    let _ = (sdp, out, replace);
    Err(Full)
}

/// A voice codec of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 μ-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// Static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }
}

/// A description of one audio medium, printed with [`fmt::Display`].
#[derive(Clone, Copy, Debug)]
pub struct Audio<'a> {
    /// Session id and address of the `o=` line's writer.
    pub session: u64,
    /// Version.
    pub version: u64,
    /// Where the audio is wanted.
    pub target: SocketAddr,
    /// Codecs in order of preference.
    pub codecs: &'a [Codec],
    /// Payload type for telephone events (RFC 4733), usually 101.
    pub telephone_event: Option<u8>,
    /// Direction.
    pub direction: Direction,
}

impl fmt::Display for Audio<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\n")
    }
}
