//! Descriptions of our own: an audio medium, and answers.
use super::{Codec, Direction, Sdp};
use crate::write::{Full, Writer};
use core::fmt::{self, Display, Write};
use core::net::{IpAddr, SocketAddr};

pub(super) struct Address(pub IpAddr);

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.0.is_ipv4() { "IP4" } else { "IP6" }, self.0)
    }
}

/// Most milliseconds of sound that a packet to us may carry (RFC 4566 §6).
const MAX_PTIME: u8 = 60;

/// A description of one audio medium, printed with [`Display`]. A further medium may be printed behind it: see
/// [`super::Fax::medium`].
#[derive(Clone, Copy, Debug)]
pub struct Audio<'a> {
    /// Session id of the `o=` line, unique for its writer.
    pub session: u64,
    /// Version; grows by one with each change (RFC 3264 §8).
    pub version: u64,
    /// Where the audio is wanted.
    pub target: SocketAddr,
    /// Codecs in order of preference.
    pub codecs: &'a [Codec],
    /// Payload type for telephone events (RFC 4733), usually 101.
    pub telephone_event: Option<u8>,
    /// Payload type for redundancy (RFC 2198): the first codec, twice.
    pub redundancy: Option<u8>,
    /// Direction.
    pub direction: Direction,
}

impl Audio<'_> {
    /// The medium alone, from its `m=` line on.
    pub fn medium(&self) -> impl Display + '_ {
        fmt::from_fn(|f| {
            write!(f, "m=audio {} RTP/AVP", self.target.port())?;
            for codec in self.codecs {
                write!(f, " {}", codec.payload_type())?;
            }
            for pt in self.telephone_event.into_iter().chain(self.redundancy) {
                write!(f, " {pt}")?;
            }
            f.write_str("\r\n")?;
            for codec in self.codecs {
                write!(f, "a=rtpmap:{} {}\r\n", codec.payload_type(), codec.encoding())?;
            }
            if let Some(pt) = self.telephone_event {
                write!(f, "a=rtpmap:{pt} telephone-event/8000\r\na=fmtp:{pt} 0-15\r\n")?;
            }
            if let (Some(pt), Some(codec)) = (self.redundancy, self.codecs.first()) {
                let codec = codec.payload_type();
                write!(f, "a=rtpmap:{pt} red/8000\r\na=fmtp:{pt} {codec}/{codec}\r\n")?;
            }
            write!(
                f,
                "a=ptime:20\r\na=maxptime:{MAX_PTIME}\r\na={}\r\n",
                self.direction.as_str()
            )
        })
    }

    /// The answer that takes the medium of `offer` at this place so, and refuses all others.
    pub fn answering<'b>(&'b self, offer: Sdp<'b>, taken: usize) -> Answer<'b, impl Display + 'b> {
        Answer {
            offer,
            session: self.session,
            version: self.version,
            address: self.target.ip(),
            taken,
            medium: self.medium(),
        }
    }
}

impl Display for Audio<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_session(f, self.session, self.version, self.target.ip())?;
        self.medium().fmt(f)
    }
}

/// The lines before the first medium.
fn write_session(w: &mut impl Write, session: u64, version: u64, address: IpAddr) -> fmt::Result {
    let address = Address(address);
    write!(
        w,
        "v=0\r\no=- {session} {version} IN {address}\r\ns=-\r\nc=IN {address}\r\nt=0 0\r\n"
    )
}

/// An answer that takes one medium of an offer and refuses the others, in the offer's order (RFC 3264 §6).
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a, M> {
    /// What is answered.
    pub offer: Sdp<'a>,
    /// Session id of the `o=` line, unique for its writer.
    pub session: u64,
    /// Version; grows by one with each change (RFC 3264 §8).
    pub version: u64,
    /// Where the medium is wanted.
    pub address: IpAddr,
    /// The place of the medium that is taken among the offer's.
    pub taken: usize,
    /// It as it is answered: [`Audio::medium`] or [`super::Fax::medium`].
    pub medium: M,
}

impl<M: Display> Answer<'_, M> {
    /// Writes the description; its length.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Full> {
        let mut w = Writer::new(out);
        // An overflow is kept in the writer.
        let _ = write_session(&mut w, self.session, self.version, self.address);
        for (index, medium) in self.offer.media().enumerate() {
            if index == self.taken {
                let _ = write!(w, "{}", self.medium);
            } else {
                w.raw(b"m=").raw(medium.kind).raw(b" 0 ").raw(medium.protocol);
                w.raw(b" ").raw(medium.formats).raw(b"\r\n");
            }
        }
        w.end()
    }
}
