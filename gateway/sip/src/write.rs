//! Writing messages into the caller's buffer.
use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::scan::{Values, trim, trim_end, trim_start};
use crate::via::Via;
use core::fmt::{self, Display, Write};
use core::net::SocketAddr;

/// The buffer is too small for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Writes one message; an overflow is kept and told by the finishing call.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
    full: bool,
}

impl<'b> Writer<'b> {
    /// Starts at the buffer's begin.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Writer {
            buffer,
            len: 0,
            full: false,
        }
    }

    /// Request line; `uri` as read by [`crate::Uri::parse`].
    pub fn request(&mut self, method: Method<'_>, uri: &[u8]) -> &mut Self {
        self.raw(method.as_bytes())
            .raw(b" ")
            .unfolded(uri)
            .raw(b" SIP/2.0\r\n")
    }

    /// Status line; an empty `reason` stands for [`reason_phrase`].
    pub fn status(&mut self, code: u16, reason: &str) -> &mut Self {
        let reason = if reason.is_empty() {
            reason_phrase(code)
        } else {
            reason
        };
        self.raw(b"SIP/2.0 ")
            .printed(format_args!("{code} {reason}"))
            .raw(b"\r\n")
    }

    /// A header line of something printable: `w.header(Name::Expires, 60)`, `w.header("X-Box", format_args!(..))`. CR and LF
    /// in the value are written as spaces, so that no value can end its line.
    pub fn header(&mut self, name: impl AsRef<str>, value: impl Display) -> &mut Self {
        self.raw(name.as_ref().as_bytes())
            .raw(b": ")
            .printed(value)
            .raw(b"\r\n")
    }

    /// Something printable, with spaces for CR and LF.
    fn printed(&mut self, value: impl Display) -> &mut Self {
        let from = self.len;
        // An overflow is kept in `full`.
        let _ = write!(self, "{value}");
        for b in self.buffer.get_mut(from..self.len).unwrap_or_default() {
            if matches!(b, b'\r' | b'\n') {
                *b = b' ';
            }
        }
        self
    }

    /// A header line of bytes, unfolded: white space with a CR or LF in it becomes one space, so that no value can end its
    /// line.
    pub fn header_bytes(&mut self, name: impl AsRef<str>, value: &[u8]) -> &mut Self {
        self.raw(name.as_ref().as_bytes())
            .raw(b": ")
            .unfolded(value)
            .raw(b"\r\n")
    }

    /// Bytes as a part of a value, unfolded as in [`Writer::header_bytes`].
    pub fn unfolded(&mut self, mut bytes: &[u8]) -> &mut Self {
        while let Some(end) = memchr::memchr2(b'\r', b'\n', bytes) {
            let (head, tail) = bytes.split_at(end);
            self.raw(trim_end(head)).raw(b" ");
            bytes = trim_start(tail);
        }
        self.raw(bytes)
    }

    /// All lines of a name as they are in `message`, with the full name and unfolded.
    pub fn copy(&mut self, message: &Message<'_>, name: Name) -> &mut Self {
        for value in message.lines(name) {
            self.header_bytes(name, value);
        }
        self
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        match self
            .buffer
            .get_mut(self.len..)
            .and_then(|b| b.get_mut(..bytes.len()))
        {
            Some(room) if !self.full => {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            _ => self.full = true,
        }
        self
    }

    /// Bytes in pieces as they are, such as those of a [`crate::text::Text`].
    pub fn pieces<'t>(&mut self, pieces: impl Iterator<Item = &'t [u8]>) -> &mut Self {
        for piece in pieces {
            self.raw(piece);
        }
        self
    }

    /// What is written so far.
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Ends a message without a body: Content-Length 0 and the empty line. Gives the message's length in bytes.
    pub fn finish_empty(&mut self) -> Result<usize, Full> {
        self.raw(b"Content-Length: 0\r\n\r\n");
        self.end()
    }

    /// Ends a message with a body. Gives the message's length in bytes.
    pub fn body(&mut self, content_type: &str, body: &[u8]) -> Result<usize, Full> {
        self.body_pieces(content_type, body.len(), [body].into_iter())
    }

    /// As [`Writer::body`], of one that comes in pieces, `len` bytes in all.
    pub fn body_pieces<'t>(
        &mut self,
        content_type: &str,
        len: usize,
        body: impl Iterator<Item = &'t [u8]>,
    ) -> Result<usize, Full> {
        self.header(Name::ContentType, content_type);
        let _ = write!(self, "Content-Length: {len}\r\n\r\n");
        self.pieces(body).end()
    }

    /// Ends a message with a body that is printed, such as a [`crate::sdp::Audio`]. Gives the message's length in bytes.
    pub fn body_display(&mut self, content_type: &str, body: impl Display) -> Result<usize, Full> {
        // Printed twice, as the length stands before it.
        let mut counter = Counter(0);
        if write!(counter, "{body}").is_err() {
            self.full = true;
        }
        self.header(Name::ContentType, content_type);
        let _ = write!(self, "Content-Length: {}\r\n\r\n{body}", counter.0);
        self.end()
    }

    /// Ends what is not a whole message (a header block kept for later). Gives its length in bytes.
    pub fn end(&mut self) -> Result<usize, Full> {
        if self.full { Err(Full) } else { Ok(self.len) }
    }
}

impl Write for Writer<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.raw(s.as_bytes());
        if self.full { Err(fmt::Error) } else { Ok(()) }
    }
}

struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 += s.len();
        Ok(())
    }
}

/// The head of a response to `request` (RFC 3261 §8.2.6.2): status line, then [`write_response_lines`].
pub fn write_response_head(
    w: &mut Writer<'_>,
    request: &Message<'_>,
    status: u16,
    to_tag: Option<&str>,
    received_from: SocketAddr,
) {
    w.status(status, "");
    write_response_lines(w, request, to_tag, received_from);
}

/// The header lines a response copies from its request: all Vias, the top one with `received` and `rport` (RFC 3581 §4),
/// From, To (with `to_tag` where it has none), Call-ID, CSeq. Record-Route, which only answers that make a dialog carry, is
/// copied by `w.copy(request, Name::RecordRoute)`.
///
/// An owner that must send the response again can keep these bytes instead of the request.
pub fn write_response_lines(
    w: &mut Writer<'_>,
    request: &Message<'_>,
    to_tag: Option<&str>,
    received_from: SocketAddr,
) {
    for (i, line) in request.lines(Name::Via).enumerate() {
        if i == 0 {
            write_top_via(w, line, received_from);
        } else {
            w.header_bytes(Name::Via, line);
        }
    }
    // Of a faulty request with two of them the first is answered.
    let first = |name| request.header(name).unwrap_or_default();
    w.header_bytes(Name::From, first(Name::From));
    w.raw(b"To: ").unfolded(first(Name::To));
    if let Some(tag) = to_tag
        && request.to().is_none_or(|to| to.tag().is_none())
    {
        w.raw(b";tag=").raw(tag.as_bytes());
    }
    w.raw(b"\r\n");
    w.header_bytes(Name::CallId, first(Name::CallId))
        .header_bytes(Name::CSeq, first(Name::CSeq));
}

/// The first Via line, whose first value gets `received` where sent-by is not the address it came from or `rport` is asked
/// for, and `rport` its value where asked for (RFC 3261 §18.2.1, RFC 3581 §4).
fn write_top_via(w: &mut Writer<'_>, line: &[u8], received_from: SocketAddr) {
    let mut values = Values::new(line);
    let top = values.next().unwrap_or_default();
    let Some(via) = Via::parse_leniently(top) else {
        w.header_bytes(Name::Via, line);
        return;
    };
    let source = received_from.ip().to_canonical();
    let head = &top[..memchr::memchr(b';', top).unwrap_or(top.len())];
    w.raw(b"Via: ").unfolded(trim_end(head));
    for (name, value) in via.params.iter() {
        // What the sender itself wrote here is not believed.
        if name.eq_ignore_ascii_case(b"received") || name.eq_ignore_ascii_case(b"rport") {
            continue;
        }
        w.raw(b";").raw(name);
        if let Some(value) = value {
            w.raw(b"=").unfolded(value);
        }
    }
    if via.rport.is_some() || via.host.address() != Some(source) {
        let _ = write!(w, ";received={source}");
    }
    if via.rport.is_some() {
        let _ = write!(w, ";rport={}", received_from.port());
    }
    let rest = trim(values.rest());
    if !rest.is_empty() {
        w.raw(b", ").unfolded(rest);
    }
    w.raw(b"\r\n");
}

/// The reason phrase of a status code (RFC 3261 §21 and extensions); for unknown codes that of the class.
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        417 => "Unknown Resource-Priority",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        424 => "Bad Location Information",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => match code / 100 {
            1 => "Progress",
            2 => "Success",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use std::string::ToString;

    const REQUEST: &[u8] = b"OPTIONS sip:box SIP/2.0\r\n\
        v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1;rport ;received=6.6.6.6, SIP/2.0/TCP\r\n a.example\r\n\
        Via: SIP/2.0/UDP b.example\r\n\
        f: \"\x83\x5C\" <sip:a@box>;\r\n\ttag=1\r\n\
        t: <sip:b@box>\r\n\
        i: id@a\r\n\
        CSeq: 7\r\n OPTIONS\r\n\
        Record-Route: <sip:p1;lr>,\r\n  <sip:p2;lr>\r\n\
        l: 0\r\n\r\n";

    fn response(from: SocketAddr, tag: Option<&str>) -> std::vec::Vec<u8> {
        let request = Message::parse_datagram(REQUEST).unwrap();
        let mut buffer = [0; 1000];
        let mut w = Writer::new(&mut buffer);
        write_response_head(&mut w, &request, 200, tag, from);
        w.copy(&request, Name::RecordRoute);
        let len = w.finish_empty().unwrap();
        buffer[..len].to_vec()
    }

    #[test]
    fn a_response_copies_what_rfc_3261_8_2_6_says() {
        let want: &[u8] = b"SIP/2.0 200 OK\r\n\
            Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1;received=10.0.0.9;rport=5099, SIP/2.0/TCP a.example\r\n\
            Via: SIP/2.0/UDP b.example\r\n\
            From: \"\x83\x5C\" <sip:a@box>; tag=1\r\n\
            To: <sip:b@box>;tag=xyz\r\n\
            Call-ID: id@a\r\n\
            CSeq: 7 OPTIONS\r\n\
            Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
            Content-Length: 0\r\n\r\n";
        let got = response(
            SocketAddr::new(Ipv4Addr::new(10, 0, 0, 9).into(), 5099),
            Some("xyz"),
        );
        assert_eq!(got.escape_ascii().to_string(), want.escape_ascii().to_string());
        let got = response(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 1), None);
        let text = got.escape_ascii().to_string();
        assert!(text.contains(";received=::1;rport=1, SIP/2.0/TCP"), "{text}");
        assert!(text.contains("To: <sip:b@box>\\r\\n"), "{text}");
    }

    #[test]
    fn a_response_keeps_the_dialogs_tag_and_a_plain_via() {
        let request = b"BYE sip:b@box SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK2\r\nFrom: <sip:a@box>;tag=1\r\n\
            To: <sip:b@box>;tag=2\r\nCall-ID: x\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n";
        let request = Message::parse_datagram(request).unwrap();
        let mut buffer = [0; 400];
        let mut w = Writer::new(&mut buffer);
        let from = SocketAddr::new(Ipv6Addr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 9]).into(), 5060);
        write_response_lines(&mut w, &request, Some("new"), from);
        let want: &[u8] = b"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK2\r\nFrom: <sip:a@box>;tag=1\r\n\
            To: <sip:b@box>;tag=2\r\nCall-ID: x\r\nCSeq: 2 BYE\r\n";
        assert_eq!(
            w.written().escape_ascii().to_string(),
            want.escape_ascii().to_string()
        );
    }

    #[test]
    fn no_value_can_end_its_line() {
        let mut buffer = [0; 200];
        let mut w = Writer::new(&mut buffer);
        w.header("X-A", "a\r\nEvil: 1")
            .header_bytes("X-B", b"a \r\n b\nc\r");
        assert_eq!(w.written(), b"X-A: a  Evil: 1\r\nX-B: a b c \r\n");
    }

    #[test]
    fn an_overflow_is_told_at_the_end() {
        let mut buffer = [0; 64];
        for len in 0..buffer.len() {
            let mut w = Writer::new(&mut buffer[..len]);
            let got = w
                .request(Method::Options, b"sip:b")
                .header(Name::MaxForwards, 70)
                .body("text/plain", b"hi");
            assert_eq!(got, Err(Full), "{len}");
        }
        let mut buffer = [0; 96];
        let mut w = Writer::new(&mut buffer);
        let len = w
            .request(Method::Message, b"sip:b")
            .body_display("text/plain", format_args!("{}", 1234))
            .unwrap();
        let want = "MESSAGE sip:b SIP/2.0\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n1234";
        assert_eq!(core::str::from_utf8(&buffer[..len]), Ok(want));
    }

    #[test]
    fn every_code_has_a_phrase() {
        assert_eq!(
            (reason_phrase(487), reason_phrase(299)),
            ("Request Terminated", "Success")
        );
        assert!((100..700).all(|c| !reason_phrase(c).is_empty()));
    }
}
