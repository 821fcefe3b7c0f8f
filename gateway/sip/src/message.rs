//! A received message, viewed in place.
use crate::addr::NameAddr;
use crate::fault::Rejected;
use crate::fields::{Auth, CSeq, Item, Reason};
use crate::header::Name;
use crate::method::Method;
use crate::uri::Uri;
use crate::via::Via;

/// Most header lines a message may have.
pub const MAX_HEADERS: usize = 64;

/// Largest message that can be viewed, in bytes.
pub const MAX_BYTES: usize = u16::MAX as usize;

/// First line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// Request line.
    Request {
        /// Method.
        method: Method<'a>,
        /// Request-URI as written.
        uri: &'a [u8],
    },
    /// Status line.
    Status {
        /// Status code, 100 to 699.
        code: u16,
        /// Reason phrase as written; may be empty.
        reason: &'a [u8],
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    id: u8,
    name_at: u16,
    name_len: u16,
    value_at: u16,
    value_len: u16,
}

/// A message in the caller's bytes: start line, an index of header lines, body.
///
/// Header values are given raw: a folded one still holds its CRLF and white space (RFC 3261 §7.3.1), and bytes need not
/// be UTF-8. Typed views and [`crate::Writer`] unfold.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    raw: &'a [u8],
    start: StartLine<'a>,
    lines: [Line; MAX_HEADERS],
    count: u8,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads one datagram: leading CRLFs are skipped, Content-Length cuts the body and may be missing (RFC 3261 §18.3).
    ///
    /// An accepted message has each mandatory header once and readable: top Via, From, To, Call-ID, CSeq (whose method is
    /// the request's), and a readable Max-Forwards and Content-Length where there.
    pub fn parse_datagram(bytes: &'a [u8]) -> Result<Self, Rejected<'a>> {
        Err(Rejected {
            fault: crate::Fault::NotSip,
            bytes,
        })
    }

    /// Reads exactly one message as framed by [`crate::Framer`]; Content-Length is mandatory and must fit exactly.
    pub fn parse_stream(bytes: &'a [u8]) -> Result<Self, Rejected<'a>> {
        Err(Rejected {
            fault: crate::Fault::NotSip,
            bytes,
        })
    }

    pub(crate) fn answerable(bytes: &'a [u8]) -> Option<Self> {
        let _ = bytes;
        None
    }

    /// What a server or proxy asks of a request before it acts on it: a known URI scheme (416), hops left (483, but not for
    /// OPTIONS, which is answered where it ends), and no unsupported extension in Require (420). RFC 3261 §8.2.2, §16.3.
    pub fn screen(&self, supported: &[&str]) -> Result<(), crate::Fault> {
        let _ = supported;
        Ok(())
    }

    /// Option tags of Require that are not among `supported`: what a 420 lists in Unsupported.
    pub fn unsupported<'s>(&'s self, supported: &'s [&'s str]) -> impl Iterator<Item = &'a [u8]> + 's {
        self.values(Name::Require)
            .filter(move |tag| !supported.iter().any(|s| s.as_bytes().eq_ignore_ascii_case(tag)))
    }

    /// The first line.
    pub fn start_line(&self) -> StartLine<'a> {
        self.start
    }

    /// True for a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The request's method, or that of a response's CSeq.
    pub fn method(&self) -> Method<'a> {
        match self.start {
            StartLine::Request { method, .. } => method,
            StartLine::Status { .. } => self.cseq().map_or(Method::Extension(b""), |c| c.method),
        }
    }

    /// Status code of a response.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            StartLine::Status { code, .. } => Some(code),
            StartLine::Request { .. } => None,
        }
    }

    /// The Request-URI as written.
    pub fn request_uri(&self) -> Option<&'a [u8]> {
        match self.start {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Status { .. } => None,
        }
    }

    /// The Request-URI, split.
    pub fn parsed_request_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.request_uri()?)
    }

    /// Value of the first line of this name, raw and trimmed.
    pub fn header(&self, name: Name) -> Option<&'a [u8]> {
        self.lines(name).next()
    }

    /// True where there is such a header.
    pub fn has(&self, name: Name) -> bool {
        self.header(name).is_some()
    }

    /// Values of all lines of this name, raw and trimmed, commas left.
    pub fn lines(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.lines[..usize::from(self.count)]
            .iter()
            .filter(move |l| l.id == name as u8)
            .map(|l| self.value(l))
    }

    /// All values of this name: lines split at commas that stand outside quotes and angle brackets.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.lines(name)
    }

    /// All header lines in order: name, name as written, value.
    pub fn all(&self) -> impl Iterator<Item = (Name, &'a [u8], &'a [u8])> + '_ {
        self.lines[..usize::from(self.count)].iter().map(|l| {
            let raw = self.span(l.name_at, l.name_len);
            (Name::parse(raw), raw, self.value(l))
        })
    }

    /// Values of the first line of a name not in [`Name`], in any case.
    pub fn other(&self, name: &str) -> Option<&'a [u8]> {
        self.all()
            .find(|(_, raw, _)| raw.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, _, value)| value)
    }

    /// The body, as long as Content-Length says.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The whole message.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Topmost Via.
    pub fn via(&self) -> Option<Via<'a>> {
        Via::parse(self.values(Name::Via).next()?)
    }

    /// From.
    pub fn from(&self) -> Option<NameAddr<'a>> {
        NameAddr::parse(self.header(Name::From)?)
    }

    /// To.
    pub fn to(&self) -> Option<NameAddr<'a>> {
        NameAddr::parse(self.header(Name::To)?)
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&'a [u8]> {
        self.header(Name::CallId)
    }

    /// CSeq.
    pub fn cseq(&self) -> Option<CSeq<'a>> {
        CSeq::parse(self.header(Name::CSeq)?)
    }

    /// Addresses of any header made of them (Contact, Route, Record-Route, P-Asserted-Identity, ..); unreadable ones are
    /// left out.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = NameAddr<'a>> + '_ {
        self.values(name).filter_map(NameAddr::parse)
    }

    /// Contacts; `*` is one with [`NameAddr::is_star`].
    pub fn contacts(&self) -> impl Iterator<Item = NameAddr<'a>> + '_ {
        self.addresses(Name::Contact)
    }

    /// The first P-Asserted-Identity (RFC 3325).
    pub fn asserted_identity(&self) -> Option<NameAddr<'a>> {
        self.addresses(Name::PAssertedIdentity).next()
    }

    /// Max-Forwards, 0 to 255.
    pub fn max_forwards(&self) -> Option<u8> {
        self.number(Name::MaxForwards)?.try_into().ok()
    }

    /// Expires, in seconds.
    pub fn expires(&self) -> Option<u32> {
        self.number(Name::Expires)
    }

    /// Content-Length, in bytes, as written.
    pub fn content_length(&self) -> Option<u32> {
        self.number(Name::ContentLength)
    }

    /// A header that is a plain number: Min-Expires, RSeq, Flow-Timer, ..
    pub fn number(&self, name: Name) -> Option<u32> {
        crate::fields::number(self.header(name)?)
    }

    /// Content-Type.
    pub fn content_type(&self) -> Option<Item<'a>> {
        self.item(Name::ContentType)
    }

    /// A header that is a value with parameters: Event, Subscription-State, Session-Expires, ..
    pub fn item(&self, name: Name) -> Option<Item<'a>> {
        Item::parse(self.header(name)?)
    }

    /// All Reasons (RFC 3326).
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + '_ {
        self.values(Name::Reason).filter_map(Reason::parse)
    }

    /// Challenges or credentials in the lines of this name.
    pub fn auths(&self, name: Name) -> impl Iterator<Item = Auth<'a>> + '_ {
        self.lines(name).filter_map(Auth::parse)
    }

    /// True where the option tag is listed in Supported or Require.
    pub fn supports(&self, tag: &str) -> bool {
        self.values(Name::Supported)
            .chain(self.values(Name::Require))
            .any(|v| v.eq_ignore_ascii_case(tag.as_bytes()))
    }

    fn value(&self, line: &Line) -> &'a [u8] {
        self.span(line.value_at, line.value_len)
    }

    fn span(&self, at: u16, len: u16) -> &'a [u8] {
        self.raw
            .get(usize::from(at)..)
            .and_then(|b| b.get(..usize::from(len)))
            .unwrap_or_default()
    }
}
