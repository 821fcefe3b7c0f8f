//! Why a message was not taken, and what is answered.
use crate::header::Name;
use crate::message::Message;

/// What is wrong with received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing but CR and LF, or nothing at all: a keep-alive (RFC 5626 §3.5), not an error.
    KeepAlive,
    /// Larger than the reader takes.
    TooLarge,
    /// More header lines than [`crate::message::MAX_HEADERS`].
    TooManyHeaders,
    /// Not SIP: neither a request line nor a status line can be told.
    NotSip,
    /// A request line or status line with a mistake in it.
    StartLine,
    /// A SIP version other than 2.0.
    Version,
    /// The header part does not end with an empty line.
    Truncated,
    /// A line of the header part with no name or no colon.
    Line,
    /// A header that must be there is missing.
    Missing(Name),
    /// A header that may be there once only is there again.
    Repeated(Name),
    /// A header whose value cannot be read or is out of range.
    Malformed(Name),
    /// Content-Length says more than there is.
    ContentLength,
    /// The method in CSeq is not the request's.
    MethodMismatch,
    /// The Request-URI's scheme is neither `sip`, `sips` nor `tel`.
    Scheme,
    /// Max-Forwards has come down to zero.
    TooManyHops,
    /// Require names an extension that is not supported.
    Extension,
}

impl Fault {
    /// The status code a request with this fault is answered with; `None`: dropped and counted.
    pub const fn status(self) -> Option<u16> {
        Some(match self {
            Fault::KeepAlive | Fault::NotSip => return None,
            Fault::TooLarge | Fault::TooManyHeaders => 513,
            Fault::Version => 505,
            Fault::Scheme => 416,
            Fault::TooManyHops => 483,
            Fault::Extension => 420,
            Fault::StartLine
            | Fault::Truncated
            | Fault::Line
            | Fault::Missing(_)
            | Fault::Repeated(_)
            | Fault::Malformed(_)
            | Fault::ContentLength
            | Fault::MethodMismatch => 400,
        })
    }

    /// A reason phrase that names the fault, for the answer or a log.
    pub const fn reason(self) -> &'static str {
        match self {
            Fault::KeepAlive => "Keep-alive",
            Fault::TooLarge => "Message Too Large",
            Fault::TooManyHeaders => "Too Many Headers",
            Fault::NotSip => "Not SIP",
            Fault::StartLine => "Bad Start Line",
            Fault::Version => "Version Not Supported",
            Fault::Truncated => "Header Not Ended",
            Fault::Line => "Bad Header Line",
            Fault::Missing(_) => "Missing Header",
            Fault::Repeated(_) => "Repeated Header",
            Fault::Malformed(_) => "Bad Header",
            Fault::ContentLength => "Bad Content-Length",
            Fault::MethodMismatch => "CSeq Method Mismatch",
            Fault::Scheme => "Unsupported URI Scheme",
            Fault::TooManyHops => "Too Many Hops",
            Fault::Extension => "Bad Extension",
        }
    }

    /// The header at fault, where it is one.
    pub const fn header(self) -> Option<Name> {
        match self {
            Fault::Missing(name) | Fault::Repeated(name) | Fault::Malformed(name) => Some(name),
            Fault::ContentLength => Some(Name::ContentLength),
            Fault::MethodMismatch => Some(Name::CSeq),
            _ => None,
        }
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.reason())?;
        match self.header() {
            Some(name) => write!(f, ": {name}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Fault {}

/// Bytes that were not taken as a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected<'a> {
    /// What is wrong.
    pub fault: Fault,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Rejected<'a> {
    /// For the head of a datagram that was longer than its buffer: [`Fault::TooLarge`], answered where the head is enough.
    pub const fn too_large(head: &'a [u8]) -> Self {
        Rejected {
            fault: Fault::TooLarge,
            bytes: head,
        }
    }

    /// The request to answer from, where an answer is due and possible: a request other than ACK whose Via, From, To,
    /// Call-ID and CSeq can be read. Answer it with [`Fault::status`]; otherwise drop and count.
    pub fn request(&self) -> Option<Message<'a>> {
        self.fault.status()?;
        Message::answerable(self.bytes)
    }

    /// The status code of the answer, where one is due and possible.
    pub fn status(&self) -> Option<u16> {
        self.request().and(self.fault.status())
    }

    /// The bytes as received.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
