//! FAX as a medium: `m=image 49180 udptl t38` (ITU-T T.38 Annex D).
use super::Media;
use crate::fields::{number, port};
use core::fmt::{self, Display};

/// Where the training check of a FAX page is made (`T38FaxRateManagement`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateManagement {
    /// `localTCF`: by each gateway; for TCP.
    Local,
    /// `transferredTCF`: by the machines, through the network; for UDP.
    Transferred,
}

/// How lost packets are made good (`T38FaxUdpEC`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// `t38UDPNoEC`, and where nothing is said.
    None,
    /// `t38UDPRedundancy`: each packet repeats earlier ones.
    Redundancy,
    /// `t38UDPFEC`: parity packets.
    Fec,
}

/// What an `image` medium of T.38 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fax {
    /// Version of T.38, 0 to 3.
    pub version: u8,
    /// Most bits a second: 14,400, 33,600 with version 3.
    pub max_bit_rate: u32,
    /// Fill bits may be removed.
    pub fill_bit_removal: bool,
    /// MMR is transcoded.
    pub transcoding_mmr: bool,
    /// JBIG is transcoded.
    pub transcoding_jbig: bool,
    /// Where the training check is made.
    pub rate_management: RateManagement,
    /// Bytes of buffered data, where said.
    pub max_buffer: Option<u32>,
    /// Largest datagram its writer takes, bytes, where said.
    pub max_datagram: Option<u16>,
    /// How lost packets are made good.
    pub correction: Correction,
}

impl Default for Fax {
    /// What every gateway understands: version 0, 14,400 bit/s, redundancy.
    fn default() -> Self {
        Fax {
            version: 0,
            max_bit_rate: 14_400,
            fill_bit_removal: false,
            transcoding_mmr: false,
            transcoding_jbig: false,
            rate_management: RateManagement::Transferred,
            max_buffer: None,
            max_datagram: None,
            correction: Correction::Redundancy,
        }
    }
}

impl Fax {
    /// Reads a medium; `None` unless it is T.38 over UDP and not refused. What it does not say has the value that T.38 gives
    /// it; flags are read as such and as `T38FaxFillBitRemoval:0`, which some write.
    pub fn parse(medium: &Media<'_>) -> Option<Self> {
        let is = |text: &[u8], other: &str| text.eq_ignore_ascii_case(other.as_bytes());
        if medium.kind != b"image"
            || !is(medium.protocol, "udptl")
            || !is(medium.formats, "t38")
            || medium.port == 0
        {
            return None;
        }
        let value = |name| medium.attributes(name).next();
        let flag = |name| value(name).is_some_and(|value| value != b"0");
        Some(Fax {
            version: value("T38FaxVersion")
                .and_then(port)
                .map_or(0, |v| v.min(3) as u8),
            max_bit_rate: value("T38MaxBitRate").and_then(number).unwrap_or(14_400),
            fill_bit_removal: flag("T38FaxFillBitRemoval"),
            transcoding_mmr: flag("T38FaxTranscodingMMR"),
            transcoding_jbig: flag("T38FaxTranscodingJBIG"),
            rate_management: match value("T38FaxRateManagement") {
                Some(said) if is(said, "localTCF") => RateManagement::Local,
                _ => RateManagement::Transferred,
            },
            max_buffer: value("T38FaxMaxBuffer").and_then(number),
            max_datagram: value("T38FaxMaxDatagram").and_then(port),
            correction: match value("T38FaxUdpEC") {
                Some(said) if is(said, "t38UDPRedundancy") => Correction::Redundancy,
                Some(said) if is(said, "t38UDPFEC") => Correction::Fec,
                _ => Correction::None,
            },
        })
    }

    /// The answer of who could do `self` to this offer (T.38 §D.2.3): no more than the other side offers, its rate
    /// management, and its way of correction, or none where we have another. Sizes are each side's own.
    pub fn answering(&self, offer: &Fax) -> Fax {
        Fax {
            version: self.version.min(offer.version),
            max_bit_rate: self.max_bit_rate.min(offer.max_bit_rate),
            fill_bit_removal: self.fill_bit_removal && offer.fill_bit_removal,
            transcoding_mmr: self.transcoding_mmr && offer.transcoding_mmr,
            transcoding_jbig: self.transcoding_jbig && offer.transcoding_jbig,
            rate_management: offer.rate_management,
            correction: match self.correction == offer.correction {
                true => offer.correction,
                false => Correction::None,
            },
            ..*self
        }
    }

    /// The medium, from its `m=` line on, received at `port` of the session's address.
    pub fn medium(&self, port: u16) -> impl Display + '_ {
        fmt::from_fn(move |f| {
            write!(
                f,
                "m=image {port} udptl t38\r\na=T38FaxVersion:{}\r\na=T38MaxBitRate:{}\r\n",
                self.version, self.max_bit_rate
            )?;
            let flags = [
                ("FillBitRemoval", self.fill_bit_removal),
                ("TranscodingMMR", self.transcoding_mmr),
                ("TranscodingJBIG", self.transcoding_jbig),
            ];
            for (name, _) in flags.iter().filter(|(_, set)| *set) {
                write!(f, "a=T38Fax{name}\r\n")?;
            }
            let rate = match self.rate_management {
                RateManagement::Local => "localTCF",
                RateManagement::Transferred => "transferredTCF",
            };
            write!(f, "a=T38FaxRateManagement:{rate}\r\n")?;
            if let Some(bytes) = self.max_buffer {
                write!(f, "a=T38FaxMaxBuffer:{bytes}\r\n")?;
            }
            if let Some(bytes) = self.max_datagram {
                write!(f, "a=T38FaxMaxDatagram:{bytes}\r\n")?;
            }
            let correction = match self.correction {
                Correction::None => "t38UDPNoEC",
                Correction::Redundancy => "t38UDPRedundancy",
                Correction::Fec => "t38UDPFEC",
            };
            write!(f, "a=T38FaxUdpEC:{correction}\r\n")
        })
    }
}
