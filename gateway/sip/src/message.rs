//! A received message, viewed in place.
use crate::addr::NameAddr;
use crate::fault::{Fault, Rejected};
use crate::fields::{Auth, CSeq, Item, Reason, number};
use crate::header::Name;
use crate::method::Method;
use crate::scan::{Values, is_space, token_len, trim};
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
    /// the request's), and a readable Max-Forwards and Content-Length where there. In a request, Contact, Route and
    /// Record-Route are readable too.
    pub fn parse_datagram(bytes: &'a [u8]) -> Result<Self, Rejected<'a>> {
        Self::parse(bytes, false).map_err(|fault| Rejected { fault, bytes })
    }

    /// Reads exactly one message as framed by [`crate::Framer`]; Content-Length is mandatory and must fit exactly. Otherwise
    /// as [`Message::parse_datagram`].
    pub fn parse_stream(bytes: &'a [u8]) -> Result<Self, Rejected<'a>> {
        Self::parse(bytes, true).map_err(|fault| Rejected { fault, bytes })
    }

    /// The request in `bytes` if an answer to it can be made, whatever else is wrong with it.
    pub(crate) fn answerable(bytes: &'a [u8]) -> Option<Self> {
        let mut message = Self::blank(bytes).ok()?;
        // A second fault changes nothing: the first is the one answered.
        let _ = message.index();
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

    fn parse(bytes: &'a [u8], stream: bool) -> Result<Self, Fault> {
        let mut message = Self::blank(bytes)?;
        let body_at = message.index()?;
        message.check()?;
        let rest = message.raw.get(body_at..).unwrap_or_default();
        let length = match message.header(Name::ContentLength) {
            Some(value) => Some(number(value).ok_or(Fault::Malformed(Name::ContentLength))?),
            None if stream => return Err(Fault::Missing(Name::ContentLength)),
            None => None,
        };
        message.body = match length.map(|l| usize::try_from(l).unwrap_or(usize::MAX)) {
            None => rest,
            Some(length) if stream && length != rest.len() => return Err(Fault::ContentLength),
            Some(length) => rest.get(..length).ok_or(Fault::ContentLength)?,
        };
        Ok(message)
    }

    /// A message that knows its start line only, read leniently; strict checks follow.
    fn blank(bytes: &'a [u8]) -> Result<Self, Fault> {
        let skipped = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let raw = bytes.get(skipped..).unwrap_or_default();
        if raw.is_empty() {
            return Err(Fault::KeepAlive);
        }
        if raw.len() > MAX_BYTES {
            return Err(Fault::TooLarge);
        }
        let start = start_line::parse(first_line(raw))?;
        Ok(Message {
            raw,
            start,
            lines: [Line::default(); MAX_HEADERS],
            count: 0,
            body: &[],
        })
    }

    /// Fills the index and gives where the body begins. Goes on after a fault, so that an answer finds what it needs, and
    /// tells the first.
    fn index(&mut self) -> Result<usize, Fault> {
        let raw = self.raw;
        let line = first_line(raw);
        let mut fault = start_line::check(line, &self.start);
        let mut note = |f: Fault| fault = fault.or(Some(f));
        let mut once = 0u8;
        let mut at = line.len() + 2;
        let end = loop {
            match raw.get(at..) {
                None | Some([]) => {
                    note(Fault::Truncated);
                    break raw.len();
                }
                Some([b'\r', b'\n', ..]) => break at + 2,
                Some(rest) => {
                    let Some(len) = logical_line(rest, &mut note) else {
                        note(Fault::Truncated);
                        break raw.len();
                    };
                    match split_line(&rest[..len]) {
                        None => note(Fault::Line),
                        Some((name_len, value_at, value_len)) => {
                            let id = Name::parse(&rest[..name_len]);
                            if let Some(bit) = once_only(id) {
                                if once & bit != 0 {
                                    note(Fault::Repeated(id));
                                }
                                once |= bit;
                            }
                            match self.lines.get_mut(usize::from(self.count)) {
                                None => note(Fault::TooManyHeaders),
                                Some(line) => {
                                    // `raw` is at most MAX_BYTES long, so no offset in it is cut.
                                    *line = Line {
                                        id: id as u8,
                                        name_at: at as u16,
                                        name_len: name_len as u16,
                                        value_at: (at + value_at) as u16,
                                        value_len: value_len as u16,
                                    };
                                    self.count += 1;
                                }
                            }
                        }
                    }
                    at += len + 2;
                }
            }
        };
        fault.map_or(Ok(end), Err)
    }

    /// Mandatory headers, and values everything later relies on.
    fn check(&self) -> Result<(), Fault> {
        let via = self.lines(Name::Via).next().ok_or(Fault::Missing(Name::Via))?;
        Values::new(via)
            .next()
            .and_then(Via::parse)
            .ok_or(Fault::Malformed(Name::Via))?;
        for name in [Name::From, Name::To] {
            let value = self.header(name).ok_or(Fault::Missing(name))?;
            NameAddr::parse(value)
                .filter(|a| !a.is_star())
                .ok_or(Fault::Malformed(name))?;
        }
        let call_id = self.header(Name::CallId).ok_or(Fault::Missing(Name::CallId))?;
        if call_id.is_empty() || call_id.iter().any(|&b| is_space(b)) {
            return Err(Fault::Malformed(Name::CallId));
        }
        let cseq = self.header(Name::CSeq).ok_or(Fault::Missing(Name::CSeq))?;
        let cseq = CSeq::parse(cseq).ok_or(Fault::Malformed(Name::CSeq))?;
        if self.header(Name::MaxForwards).is_some() && self.max_forwards().is_none() {
            return Err(Fault::Malformed(Name::MaxForwards));
        }
        if self.is_request() {
            if cseq.method != self.method() {
                return Err(Fault::MethodMismatch);
            }
            for name in [Name::Contact, Name::Route, Name::RecordRoute] {
                let star = |a: &NameAddr<'_>| !a.is_star() || name == Name::Contact;
                if !self
                    .values(name)
                    .all(|v| NameAddr::parse(v).is_some_and(|a| star(&a)))
                {
                    return Err(Fault::Malformed(name));
                }
            }
        }
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
        self.lines(name).flat_map(Values::new)
    }

    /// All header lines in order: name, name as written, value.
    pub fn all(&self) -> impl Iterator<Item = (Name, &'a [u8], &'a [u8])> + '_ {
        self.lines[..usize::from(self.count)].iter().map(|l| {
            let raw = self.span(l.name_at, l.name_len);
            (
                Name::ALL.get(usize::from(l.id)).copied().unwrap_or(Name::Other),
                raw,
                self.value(l),
            )
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

/// Headers that may be there once only, as bits.
fn once_only(name: Name) -> Option<u8> {
    Some(match name {
        Name::From => 1,
        Name::To => 2,
        Name::CallId => 4,
        Name::CSeq => 8,
        Name::MaxForwards => 16,
        Name::ContentLength => 32,
        Name::ContentType => 64,
        _ => return None,
    })
}

/// Length of the header line at the beginning, folds included and its last CRLF not; `None` where it does not end. A CR or LF
/// that ends no line is noted as a fault: others might take it for a line end.
fn logical_line(bytes: &[u8], note: &mut impl FnMut(Fault)) -> Option<usize> {
    let mut i = 0;
    loop {
        i += memchr::memchr2(b'\r', b'\n', bytes.get(i..)?)?;
        match bytes.get(i..) {
            Some([b'\r', b'\n', b' ' | b'\t', ..]) => i += 2,
            Some([b'\r', b'\n', ..]) => return Some(i),
            _ => {
                note(Fault::Line);
                i += 1;
            }
        }
    }
}

/// Length of the name, and where the trimmed value begins and how long it is. White space before the colon is allowed.
fn split_line(line: &[u8]) -> Option<(usize, usize, usize)> {
    let name_len = token_len(line);
    let mut colon = name_len;
    while matches!(line.get(colon)?, b' ' | b'\t') {
        colon += 1;
    }
    if name_len == 0 || line.get(colon) != Some(&b':') {
        return None;
    }
    let rest = line.get(colon + 1..)?;
    let value = trim(rest);
    let lead = rest.len() - crate::scan::trim_start(rest).len();
    Some((name_len, colon + 1 + lead, value.len()))
}
