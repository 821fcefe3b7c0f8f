//! RTP packets: a checked view and a writer (RFC 3550 §5.1), and telling RTP from RTCP on one port (RFC 5761 §4).

/// Octets of a header without contributing sources and extension.
pub const HEADER_LEN: usize = 12;

/// Why octets are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Shorter than its header, sources, extension or padding says.
    Truncated,
    /// Version is not 2.
    Version,
    /// Padding length is zero or reaches into the header.
    Padding,
    /// Payload type above 127, or a buffer too small, when writing.
    Unwritable,
}

/// What is on a multiplexed port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
}

/// Tells RTP from RTCP by version and type (RFC 5761 §4: RTCP is 192 to 223). `None`: neither.
pub fn kind(octets: &[u8]) -> Option<Kind> {
    match octets {
        [first, second, ..] if first >> 6 == 2 => match second {
            192..=223 => (octets.len() >= 8).then_some(Kind::Rtcp),
            _ => (octets.len() >= HEADER_LEN).then_some(Kind::Rtp),
        },
        _ => None,
    }
}

/// A packet whose lengths were all checked: no accessor can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    octets: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks version, sources, extension and padding against the length.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        let fixed = octets.first_chunk::<HEADER_LEN>().ok_or(Error::Truncated)?;
        if fixed[0] >> 6 != 2 {
            return Err(Error::Version);
        }
        let mut rest = octets
            .get(HEADER_LEN + 4 * usize::from(fixed[0] & 0x0F)..)
            .ok_or(Error::Truncated)?;
        if fixed[0] & 0x10 != 0 {
            let extension = rest.first_chunk::<4>().ok_or(Error::Truncated)?;
            let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            rest = rest.get(4 + 4 * words..).ok_or(Error::Truncated)?;
        }
        if fixed[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(Error::Truncated)?);
            let kept = rest
                .len()
                .checked_sub(padding)
                .filter(|_| padding > 0)
                .ok_or(Error::Padding)?;
            rest = rest.get(..kept).ok_or(Error::Padding)?;
        }
        Ok(Packet {
            octets,
            payload: rest,
        })
    }

    /// Header fields.
    pub fn repr(&self) -> Repr {
        let o = self.octets;
        Repr {
            marker: o[1] & 0x80 != 0,
            payload_type: o[1] & 0x7F,
            sequence: u16::from_be_bytes([o[2], o[3]]),
            timestamp: u32::from_be_bytes([o[4], o[5], o[6], o[7]]),
            ssrc: u32::from_be_bytes([o[8], o[9], o[10], o[11]]),
        }
    }

    /// Payload without padding.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// The header of a packet without contributing sources, extension and padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Marker: the first packet of a talk spurt (RFC 3551 §4.1).
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in samples.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl Repr {
    /// Writes the header into the front of `buf`; returns the rest, for the payload.
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], Error> {
        if self.payload_type > 127 {
            return Err(Error::Unwritable);
        }
        let (header, rest) = buf
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(Error::Unwritable)?;
        header[0] = 0x80;
        header[1] = u8::from(self.marker) << 7 | self.payload_type;
        header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        Ok(rest)
    }
}
