//! Cutting a stream into messages (RFC 3261 §18.3, RFC 5626 §3.5.1).
use crate::fault::Fault;
use crate::fields::number;
use crate::header::Name;
use crate::scan::{token_len, trim, trim_start};

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
///
/// ```
/// # use sip::{Frame, Framer};
/// let mut framer = Framer::accepted([0; 8192]);
/// let mut received = &b"\r\n\r\n"[..];
/// while !received.is_empty() {
///     let taken = framer.push(received);
///     received = &received[taken..];
///     while let Some(frame) = framer.next() {
///         match frame {
///             Ok(Frame::Message(_bytes)) => {} // Message::parse_stream(_bytes)
///             Ok(Frame::Ping) => {}            // send CRLF
///             Ok(Frame::Pong) => {}
///             Err(_fault) => return,           // close the connection
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Framer<B> {
    buffer: B,
    /// Bytes before it are given out.
    start: usize,
    /// Bytes up to it are received.
    end: usize,
    /// Bytes from `start` on in which no end of the header part was found.
    searched: usize,
    /// Length of the message at `start`, once known; before, 0.
    total: usize,
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
            searched: 0,
            total: 0,
            opened: false,
            failed: None,
        }
    }

    /// For a connection we opened: CRLF is a pong.
    pub fn opened(buffer: B) -> Self {
        Framer {
            opened: true,
            ..Self::accepted(buffer)
        }
    }

    /// Forgets everything, for a new connection.
    pub fn reset(&mut self) {
        (self.start, self.end, self.searched, self.total, self.failed) = (0, 0, 0, 0, None);
    }

    /// Bytes received and not given out yet.
    pub fn pending(&self) -> usize {
        self.end - self.start
    }

    /// Takes as many bytes as there is room for and says how many; call [`Framer::next`] until `None`, then push the rest.
    /// Then at least one more byte is taken. After a fault all bytes are taken and thrown away.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        if self.failed.is_some() {
            return bytes.len();
        }
        let buffer = self.buffer.as_mut();
        if self.start > 0 {
            buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = buffer.get_mut(self.end..).unwrap_or_default();
        let len = room.len().min(bytes.len());
        room[..len].copy_from_slice(&bytes[..len]);
        self.end += len;
        len
    }

    /// The next message or keep-alive. A fault is final: the connection is to be closed, as the stream's frame is lost.
    #[expect(clippy::should_implement_trait, reason = "the frame borrows the buffer")]
    pub fn next(&mut self) -> Option<Result<Frame<'_>, Fault>> {
        if let Some(fault) = self.failed {
            return Some(Err(fault));
        }
        let found = loop {
            match self.look() {
                Found::Nothing => return None,
                Found::Stray(len) => self.start += len,
                Found::KeepAlive(len) => break Ok((len, true)),
                Found::Message(len) => break Ok((len, false)),
                Found::Fault(fault) => break Err(fault),
            }
        };
        match found {
            Ok((len, keep_alive)) => {
                let bytes = self
                    .buffer
                    .as_ref()
                    .get(self.start..self.start + len)
                    .unwrap_or_default();
                self.start += len;
                (self.searched, self.total) = (0, 0);
                Some(Ok(match keep_alive {
                    true if self.opened => Frame::Pong,
                    true => Frame::Ping,
                    false => Frame::Message(bytes),
                }))
            }
            Err(fault) => {
                self.failed = Some(fault);
                Some(Err(fault))
            }
        }
    }

    fn look(&mut self) -> Found {
        let buffer = self.buffer.as_ref();
        let capacity = buffer.len();
        let bytes = buffer.get(self.start..self.end).unwrap_or_default();
        match self.total {
            0 => {}
            total if total <= bytes.len() => return Found::Message(total),
            _ => return Found::Nothing,
        }
        match bytes {
            [] | [b'\r'] => return Found::Nothing,
            [b'\r', b'\n', ..] if self.opened => return Found::KeepAlive(2),
            [b'\r', b'\n', b'\r', b'\n', ..] => return Found::KeepAlive(4),
            [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Found::Nothing,
            [b'\r', b'\n', ..] => return Found::Stray(2),
            _ => {}
        }
        let Some(head) = find_end(bytes, self.searched) else {
            self.searched = bytes.len().saturating_sub(3);
            return if bytes.len() >= capacity {
                Found::Fault(Fault::TooLarge)
            } else {
                Found::Nothing
            };
        };
        match content_length(&bytes[..head]).map(|length| head.saturating_add(length)) {
            Err(fault) => Found::Fault(fault),
            Ok(total) if total > capacity => Found::Fault(Fault::TooLarge),
            Ok(total) => {
                self.total = total;
                if total <= self.pending() {
                    Found::Message(total)
                } else {
                    Found::Nothing
                }
            }
        }
    }
}

enum Found {
    Nothing,
    Stray(usize),
    KeepAlive(usize),
    Message(usize),
    Fault(Fault),
}

/// Length of the header part with its empty line, if it is all there.
fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(b'\n', bytes.get(at..)?)? + 1;
        if bytes.get(..at)?.ends_with(b"\r\n\r\n") {
            return Some(at);
        }
    }
}

/// The one Content-Length of a header part; it decides alone where the next message begins, so two are not taken even where
/// they agree.
fn content_length(head: &[u8]) -> Result<usize, Fault> {
    let mut found = None;
    let mut at = 0;
    while let Some(end) = head.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)) {
        let next = at + end + 1;
        let line = &head[at..next];
        let first = at == 0;
        at = next;
        let name = &line[..token_len(line)];
        if first || Name::parse(name) != Name::ContentLength {
            continue;
        }
        // A folded value goes on in the next line.
        let folded = matches!(head.get(at), Some(b' ' | b'\t'));
        let value = trim_start(&line[name.len()..])
            .strip_prefix(b":")
            .map(trim)
            .filter(|_| !folded);
        let fault = Fault::Malformed(Name::ContentLength);
        let value = value
            .and_then(number)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or(fault)?;
        if found.replace(value).is_some() {
            return Err(Fault::Repeated(Name::ContentLength));
        }
    }
    found.ok_or(Fault::Missing(Name::ContentLength))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::vec::Vec;

    const A: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 4\r\n\r\n\r\n\r\n";
    const B: &[u8] = b"SIP/2.0 200 OK\r\nContent-length :\t0\r\n\r\n";

    /// Everything the stream brings when it arrives in pieces of `piece` bytes.
    fn frames(mut framer: Framer<Vec<u8>>, stream: &[u8], piece: usize) -> Vec<Result<Vec<u8>, Fault>> {
        let mut out = Vec::new();
        for mut bytes in stream.chunks(piece) {
            while !bytes.is_empty() {
                let taken = framer.push(bytes);
                assert!(taken > 0, "a framer that is read out takes at least one byte");
                bytes = &bytes[taken..];
                while let Some(frame) = framer.next() {
                    match frame {
                        Ok(Frame::Message(m)) => out.push(Ok(m.to_vec())),
                        Ok(other) => out.push(Ok(format!("{other:?}").into_bytes())),
                        Err(fault) => {
                            out.push(Err(fault));
                            return out;
                        }
                    }
                }
            }
        }
        out
    }

    #[test]
    fn any_segmentation_gives_the_same_frames() {
        let stream = [A, B, b"\r\n\r\n", A, b"\r\n", B].concat();
        let ok = |b: &[u8]| Ok(b.to_vec());
        for piece in 1..=stream.len() {
            let got = frames(Framer::accepted(std::vec![0; 40]), &stream, piece);
            assert_eq!(got, [ok(A), ok(B), ok(b"Ping"), ok(A), ok(B)], "{piece}");
            let got = frames(Framer::opened(std::vec![0; 40]), &stream, piece);
            assert_eq!(
                got,
                [ok(A), ok(B), ok(b"Pong"), ok(b"Pong"), ok(A), ok(b"Pong"), ok(B)],
                "{piece}"
            );
        }
    }

    #[test]
    fn a_lost_frame_ends_the_stream() {
        let long = [
            &b"OPTIONS sip:a SIP/2.0\r\nX: "[..],
            &[b'x'; 100],
            b"\r\nl: 0\r\n\r\n",
        ]
        .concat();
        let table: [(&[u8], Fault); 8] = [
            (
                b"OPTIONS sip:a SIP/2.0\r\nTo: x\r\n\r\n",
                Fault::Missing(Name::ContentLength),
            ),
            (
                b"OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n",
                Fault::Malformed(Name::ContentLength),
            ),
            (
                b"OPTIONS sip:a SIP/2.0\r\nl: 1 2\r\n\r\n",
                Fault::Malformed(Name::ContentLength),
            ),
            (
                b"OPTIONS sip:a SIP/2.0\r\nl:\r\n 1\r\n\r\n",
                Fault::Malformed(Name::ContentLength),
            ),
            (
                b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\nContent-Length: 0\r\n\r\n",
                Fault::Repeated(Name::ContentLength),
            ),
            (b"OPTIONS sip:a SIP/2.0\r\nl: 60\r\n\r\n", Fault::TooLarge),
            (b"OPTIONS sip:a SIP/2.0\r\nl: 4294967295\r\n\r\n", Fault::TooLarge),
            (&long, Fault::TooLarge),
        ];
        for (stream, want) in table {
            for piece in [1, 7, stream.len()] {
                let got = frames(Framer::accepted(std::vec![0; 80]), stream, piece);
                assert_eq!(got, [Err(want)], "{}", stream.escape_ascii());
            }
        }
        let mut framer = Framer::accepted([0; 80]);
        assert_eq!(framer.push(table[0].0), table[0].0.len());
        assert_eq!(framer.next(), Some(Err(table[0].1)));
        assert_eq!(framer.push(A), A.len());
        assert_eq!(framer.next(), Some(Err(table[0].1)), "what follows is not read");
        framer.reset();
        assert_eq!(framer.push(A), A.len());
        assert_eq!(framer.next(), Some(Ok(Frame::Message(A))));
        assert_eq!(framer.next(), None);
    }
}
