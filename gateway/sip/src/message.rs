//! A received message, viewed in place.
use crate::addr::NameAddr;
use crate::fault::{Fault, Rejected};
use crate::fields::{Auth, CSeq, Item, Reason, number};
use crate::header::Name;
use crate::index::Index;
use crate::method::Method;
use crate::scan::{Values, find, find_control, is_space};
use crate::start_line::{self, first_line};
use crate::uri::{Scheme, Uri};
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

/// A message in the caller's bytes: start line, an index of header lines, body.
///
/// Header values are given raw: a folded one still holds its CRLF and white space (RFC 3261 §7.3.1), and bytes need not
/// be UTF-8. Typed views and [`crate::Writer`] unfold.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    raw: &'a [u8],
    start: StartLine<'a>,
    index: Index,
    body: &'a [u8],
    // What was read to check it is kept: `None` where it is missing or cannot be read.
    via: Option<Via<'a>>,
    from: Option<NameAddr<'a>>,
    to: Option<NameAddr<'a>>,
    cseq: Option<CSeq<'a>>,
}

impl<'a> Message<'a> {
    /// Reads one datagram: leading CRLFs are skipped, Content-Length cuts the body and may be missing (RFC 3261 §18.3).
    ///
    /// An accepted message has each mandatory header once and readable: top Via, From, To, Call-ID, CSeq (whose method is
    /// the request's), and a readable Max-Forwards and Content-Length where there. In a request, Contact, Route and
    /// Record-Route are readable too.
    pub fn parse_datagram(bytes: &'a [u8]) -> Result<Self, Rejected<'a>> {
        Self::parse(bytes, false)
    }

    /// Reads exactly one message as framed by [`crate::Framer`]; Content-Length is mandatory and must fit exactly. Otherwise
    /// as [`Message::parse_datagram`].
    pub fn parse_stream(bytes: &'a [u8]) -> Result<Self, Rejected<'a>> {
        Self::parse(bytes, true)
    }

    /// The request in `bytes` if an answer to it can be made, whatever else is wrong with it.
    pub(crate) fn answerable(bytes: &'a [u8]) -> Option<Self> {
        let start = Start::read(bytes).ok()?;
        let mut message = Self::blank(&start);
        // A second fault changes nothing: the first is the one answered.
        let _ = message.read(&start);
        let copied = [Name::From, Name::To, Name::CallId, Name::CSeq];
        let answerable = message.is_request()
            && message.method() != Method::Ack
            && Values::new(message.header(Name::Via)?)
                .next()
                .and_then(Via::parse_leniently)
                .is_some()
            && copied
                .into_iter()
                .all(|name| message.header(name).is_some_and(|v| !v.is_empty()));
        answerable.then_some(message)
    }

    fn parse(bytes: &'a [u8], stream: bool) -> Result<Self, Rejected<'a>> {
        let rejected = |fault| Rejected { fault, bytes };
        let start = Start::read(bytes).map_err(rejected)?;
        let mut message = Self::blank(&start);
        let body_at = message.read(&start).map_err(rejected)?;
        message.check(body_at, stream).map_err(rejected)?;
        Ok(message)
    }

    #[inline(always)]
    fn blank(start: &Start<'a>) -> Self {
        Message {
            raw: start.raw,
            start: start.line,
            index: Index::new(),
            body: &[],
            via: None,
            from: None,
            to: None,
            cseq: None,
        }
    }

    /// Reads the header part and the values everything later relies on, and gives where the body begins. Goes on after a
    /// fault, so that an answer finds what it needs, and tells the first.
    fn read(&mut self, start: &Start<'a>) -> Result<usize, Fault> {
        let mut fault = start.fault;
        let body_at = self.index.fill(self.raw, start.len, &mut fault);
        let via = self.header(Name::Via);
        self.via = via.and_then(|line| Via::parse(Values::new(line).next()?));
        self.from = self.header(Name::From).and_then(NameAddr::parse);
        self.to = self.header(Name::To).and_then(NameAddr::parse);
        self.cseq = self.header(Name::CSeq).and_then(CSeq::parse);
        fault.map_or(Ok(body_at), Err)
    }

    /// Cuts the body. Fails where a mandatory header is missing or a value cannot be read.
    fn check(&mut self, body_at: usize, stream: bool) -> Result<(), Fault> {
        let there = |name, read: bool| match read {
            true => Ok(()),
            false if self.has(name) => Err(Fault::Malformed(name)),
            false => Err(Fault::Missing(name)),
        };
        there(Name::Via, self.via.is_some())?;
        there(Name::From, self.from.is_some_and(|a| !a.is_star()))?;
        there(Name::To, self.to.is_some_and(|a| !a.is_star()))?;
        let spaced = |id: &[u8]| {
            find(id, b' ').is_some() || find_control(id).is_some() && id.iter().any(|&b| is_space(b))
        };
        let single = |id: &[u8]| !id.is_empty() && !spaced(id);
        there(Name::CallId, self.call_id().is_some_and(single))?;
        there(Name::CSeq, self.cseq.is_some())?;
        if let Some(hops) = self.header(Name::MaxForwards)
            && number(hops).is_none_or(|hops| hops > u8::MAX.into())
        {
            return Err(Fault::Malformed(Name::MaxForwards));
        }
        if let StartLine::Request { method, .. } = self.start {
            if self.cseq.is_none_or(|cseq| cseq.method != method) {
                return Err(Fault::MethodMismatch);
            }
            for name in [Name::Contact, Name::Route, Name::RecordRoute] {
                let taken = |a: NameAddr<'_>| !a.is_star() || name == Name::Contact;
                for line in self.lines(name) {
                    if !Values::new(line).all(|value| NameAddr::parse(value).is_some_and(taken)) {
                        return Err(Fault::Malformed(name));
                    }
                }
            }
        }
        let rest = self.raw.get(body_at..).unwrap_or_default();
        let length = match self.header(Name::ContentLength) {
            Some(value) => Some(number(value).ok_or(Fault::Malformed(Name::ContentLength))?),
            None if stream => return Err(Fault::Missing(Name::ContentLength)),
            None => None,
        };
        self.body = match length.map(|l| usize::try_from(l).unwrap_or(usize::MAX)) {
            None => rest,
            Some(length) if stream && length != rest.len() => return Err(Fault::ContentLength),
            Some(length) => rest.get(..length).ok_or(Fault::ContentLength)?,
        };
        Ok(())
    }

    /// What a server or proxy asks of a request before it acts on it: a known URI scheme (416), hops left (483, but not for
    /// OPTIONS, which is answered where it ends), and no unsupported extension in Require (420). RFC 3261 §8.2.2, §16.3.
    pub fn screen(&self, supported: &[&str]) -> Result<(), Fault> {
        let StartLine::Request { method, uri } = self.start else {
            return Ok(());
        };
        if Uri::parse(uri).is_none_or(|u| matches!(u.scheme, Scheme::Other(_))) {
            return Err(Fault::Scheme);
        }
        if self.max_forwards() == Some(0) && method != Method::Options {
            return Err(Fault::TooManyHops);
        }
        // Neither carries demands of its own (RFC 3261 §8.2.2.3).
        let exempt = matches!(method, Method::Ack | Method::Cancel);
        if !exempt && self.unsupported(supported).next().is_some() {
            return Err(Fault::Extension);
        }
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
        Some(self.index.first(name)?.value_in(self.raw))
    }

    /// True where there is such a header.
    pub fn has(&self, name: Name) -> bool {
        self.header(name).is_some()
    }

    /// Values of all lines of this name, raw and trimmed, commas left.
    pub fn lines(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        let lines = self.index.since_first(name).iter();
        lines
            .filter(move |l| l.name == name)
            .map(|l| l.value_in(self.raw))
    }

    /// All values of this name: lines split at commas that stand outside quotes and angle brackets.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.lines(name).flat_map(Values::new)
    }

    /// All header lines in order: name, name as written, value.
    pub fn all(&self) -> impl Iterator<Item = (Name, &'a [u8], &'a [u8])> + '_ {
        let lines = self.index.lines().iter();
        lines.map(|l| (l.name, l.name_in(self.raw), l.value_in(self.raw)))
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
        self.via
    }

    /// From.
    pub fn from(&self) -> Option<NameAddr<'a>> {
        self.from
    }

    /// To.
    pub fn to(&self) -> Option<NameAddr<'a>> {
        self.to
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&'a [u8]> {
        self.header(Name::CallId)
    }

    /// CSeq.
    pub fn cseq(&self) -> Option<CSeq<'a>> {
        self.cseq
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

    /// Where further requests of a dialog go (RFC 3261 §12.1): the first Contact, without the headers that a Request-URI must
    /// not have (§19.1.1). `None` for `*`.
    pub fn remote_target(&self) -> Option<&'a [u8]> {
        let contact = self.contacts().next()?;
        let headers = contact.parsed_uri()?.headers.map_or(0, |h| h.len() + 1);
        contact.uri.get(..contact.uri.len().checked_sub(headers)?)
    }

    /// The first P-Asserted-Identity (RFC 3325).
    pub fn asserted_identity(&self) -> Option<NameAddr<'a>> {
        self.addresses(Name::PAssertedIdentity).next()
    }

    /// Max-Forwards, 0 to 255.
    pub fn max_forwards(&self) -> Option<u8> {
        self.number(Name::MaxForwards)?.try_into().ok()
    }

    /// Max-Breadth (RFC 5393 §5.3): most branches at once, here and beyond.
    pub fn max_breadth(&self) -> Option<u32> {
        self.number(Name::MaxBreadth)
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
        number(self.header(name)?)
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
}

/// The beginning of a message.
struct Start<'a> {
    /// The message without leading CRLFs.
    raw: &'a [u8],
    line: StartLine<'a>,
    /// Length of the line with its CRLF.
    len: usize,
    /// What is wrong with the line.
    fault: Option<Fault>,
}

impl<'a> Start<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let skipped = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let raw = bytes.get(skipped..).unwrap_or_default();
        if raw.is_empty() {
            return Err(Fault::KeepAlive);
        }
        if raw.len() > MAX_BYTES {
            return Err(Fault::TooLarge);
        }
        let line = first_line(raw);
        let len = line.len() + 2;
        let (line, fault) = start_line::parse(line)?;
        Ok(Start {
            raw,
            line,
            len,
            fault,
        })
    }
}
