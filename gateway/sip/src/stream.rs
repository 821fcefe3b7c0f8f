//! Cutting a stream into messages (RFC 3261 §18.3, RFC 5626 §3.5.1).
use crate::fault::Fault;

/// What a stream brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// One whole message, for [`crate::Message::parse_stream`].
    Message(&'a [u8]),
    /// CRLF CRLF from the side that opened the connection: answer with CRLF.
    Ping,
    /// CRLF from the side that accepted the connection: our ping's answer.
    Pong,
}

/// Cuts a stream into messages in the caller's buffer; the buffer's length is the largest message taken.
#[derive(Debug)]
pub struct Framer<B> {
    buffer: B,
    start: usize,
    end: usize,
    opened: bool,
    failed: Option<Fault>,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Framer<B> {
    /// For a connection the peer opened: CRLF CRLF is a ping.
    pub fn accepted(buffer: B) -> Self {
        Framer {
            buffer,
            start: 0,
            end: 0,
            opened: false,
            failed: None,
        }
    }

    /// For a connection we opened: CRLF is a pong.
    pub fn opened(buffer: B) -> Self {
        Framer {
            buffer,
            start: 0,
            end: 0,
            opened: true,
            failed: None,
        }
    }

    /// Forgets everything, for a new connection.
    pub fn reset(&mut self) {
        (self.start, self.end, self.failed) = (0, 0, None);
    }

    /// Takes as many bytes as there is room for and says how many; call [`Framer::next`] until `None`, then push the rest.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let _ = (bytes, self.opened, &mut self.buffer);
        0
    }

    /// The next message or keep-alive. A fault is final: the connection is to be closed, as the stream's frame is lost.
    #[expect(clippy::should_implement_trait, reason = "the frame borrows the buffer")]
    pub fn next(&mut self) -> Option<Result<Frame<'_>, Fault>> {
        self.failed.map(Err)
    }
}
