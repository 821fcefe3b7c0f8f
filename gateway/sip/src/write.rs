//! Writing messages into the caller's buffer.
use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
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

    /// Request line.
    pub fn request(&mut self, method: Method<'_>, uri: &[u8]) -> &mut Self {
        self.raw(method.as_bytes())
            .raw(b" ")
            .raw(uri)
            .raw(b" SIP/2.0\r\n")
    }

    /// Status line; an empty `reason` stands for [`reason_phrase`].
    pub fn status(&mut self, code: u16, reason: &str) -> &mut Self {
        let reason = if reason.is_empty() {
            reason_phrase(code)
        } else {
            reason
        };
        let _ = write!(self, "SIP/2.0 {code} {reason}\r\n");
        self
    }

    /// A header line of something printable: `w.header(Name::Expires, 60)`, `w.header("X-Box", format_args!(..))`. CR and LF
    /// in the value are written as spaces, so that no value can end its line.
    pub fn header(&mut self, name: impl AsRef<str>, value: impl Display) -> &mut Self {
        let _ = write!(self, "{}: {value}\r\n", name.as_ref());
        self
    }

    /// A header line of bytes, unfolded.
    pub fn header_bytes(&mut self, name: impl AsRef<str>, value: &[u8]) -> &mut Self {
        self.raw(name.as_ref().as_bytes())
            .raw(b": ")
            .raw(value)
            .raw(b"\r\n")
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

    /// What is written so far.
    pub fn written(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Ends a message without a body: Content-Length 0 and the empty line. Gives the message's length in bytes.
    pub fn finish_empty(&mut self) -> Result<usize, Full> {
        self.raw(b"Content-Length: 0\r\n\r\n");
        self.end()
    }

    /// Ends a message with a body. Gives the message's length in bytes.
    pub fn body(&mut self, content_type: &str, body: &[u8]) -> Result<usize, Full> {
        self.header(Name::ContentType, content_type);
        let _ = write!(self, "Content-Length: {}\r\n\r\n", body.len());
        self.raw(body);
        self.end()
    }

    /// Ends a message with a body that is printed, such as a [`crate::sdp::Audio`]. Gives the message's length in bytes.
    pub fn body_display(&mut self, content_type: &str, body: impl Display) -> Result<usize, Full> {
        let _ = (content_type, body);
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
    let _ = (to_tag, received_from);
    w.copy(request, Name::Via);
}

/// The reason phrase of a status code (RFC 3261 §21 and extensions); for unknown codes that of the class.
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        200 => "OK",
        _ => "Unknown",
    }
}
