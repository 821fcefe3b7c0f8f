//! ITU-T G.711 companding. Codes carry the transmission inversions (all bits in µ-law, even bits in A-law).

/// A companding law, named with its static RTP payload type (RFC 3551 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Law {
    /// The law of a static payload type.
    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Law::Pcmu),
            8 => Some(Law::Pcma),
            _ => None,
        }
    }

    /// The static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Law::Pcmu => 0,
            Law::Pcma => 8,
        }
    }

    /// Code of a 16-bit linear sample.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Pcmu => ulaw_encode(sample),
            Law::Pcma => alaw_encode(sample),
        }
    }

    /// 16-bit linear value of a code.
    pub const fn decode(self, code: u8) -> i16 {
        match self {
            Law::Pcmu => ulaw_decode(code),
            Law::Pcma => alaw_decode(code),
        }
    }

    /// The code of zero: what silence is made of.
    pub const fn silence(self) -> u8 {
        self.encode(0)
    }
}

/// µ-law code of a 16-bit sample, of which the upper 14 bits count (G.711 Table 2).
pub const fn ulaw_encode(sample: i16) -> u8 {
    const BIAS: u16 = 33;
    const CLIP: u16 = 0x1FFF;
    let (sign, magnitude) = split(sample);
    let biased = (magnitude >> 2) + BIAS;
    let biased = if biased > CLIP { CLIP } else { biased };
    // The bias makes every value at least 33, so the leading one is in bits 5 to 12 and names the segment.
    let segment = 10 - biased.leading_zeros() as u16;
    let interval = (biased >> (segment + 1)) & 0x0F;
    !(sign | (segment << 4 | interval) as u8)
}

/// 16-bit value of a µ-law code.
pub const fn ulaw_decode(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let interval = (code & 0x0F) as i16;
    let magnitude = ((((interval << 1) + 33) << segment) - 33) << 2;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// A-law code of a 16-bit sample, of which the upper 13 bits count (G.711 Table 1).
pub const fn alaw_encode(sample: i16) -> u8 {
    let (sign, magnitude) = split(sample);
    let value = magnitude >> 4;
    let code = if value < 16 {
        value
    } else {
        let segment = 12 - value.leading_zeros() as u16;
        segment << 4 | ((value >> (segment - 1)) & 0x0F)
    };
    // A-law sets the sign bit for positive values.
    ((sign ^ 0x80) | code as u8) ^ 0x55
}

/// 16-bit value of an A-law code.
pub const fn alaw_decode(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let interval = (code & 0x0F) as i16;
    let magnitude = match segment {
        0 => (interval << 4) + 8,
        _ => ((interval << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

/// Sign bit and ones' complement magnitude: both halves of the scale are then 0 to 32,767.
const fn split(sample: i16) -> (u8, u16) {
    if sample < 0 {
        (0x80, !sample as u16)
    } else {
        (0, sample as u16)
    }
}
