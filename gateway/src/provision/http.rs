//! HTTP (RFC 9112) for phones: one GET or HEAD on a connection, answered and closed.
//!
//! Nothing of a request is kept but what it asks for and who says to ask; an answer is written where it is sent from, so that a
//! connection needs no memory but its own.

use core::fmt::{self, Write};

use shared::hub::FetchRefusal;
use sip::Instant;

use super::files::{Agent, Client, Files, Progress};
use super::window::Window;

/// Longest head of a request, bytes; beyond it 431.
const HEAD_MAX: usize = 4_096;
/// Longest part of a line that is looked at; of the first, all of it.
const LINE_MAX: usize = 160;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Head,
    Other,
}

/// What is answered to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok,
    BadRequest,
    Forbidden,
    NotFound,
    NotAllowed,
    TooLarge,
    Unavailable,
}

impl Status {
    const fn of(refusal: FetchRefusal) -> Self {
        match refusal {
            FetchRefusal::NotFound => Self::NotFound,
            FetchRefusal::Busy => Self::Unavailable,
            _ => Self::Forbidden,
        }
    }

    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            // RFC 9110 §15.5.6.
            Self::NotAllowed => "405 Method Not Allowed\r\nAllow: GET, HEAD",
            Self::TooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable\r\nRetry-After: 10",
        }
    }
}

/// Reads the head of a request as it comes.
struct Request {
    line: heapless::Vec<u8, LINE_MAX>,
    /// Bytes so far; the line's are among them.
    taken: usize,
    /// Bytes of the line, looked at or not.
    in_line: usize,
    method: Option<Method>,
    /// The last part of the path.
    path: heapless::String<LINE_MAX>,
    agent: Agent,
    has_host: bool,
    needs_host: bool,
}

impl Request {
    const fn new() -> Self {
        Self {
            line: heapless::Vec::new(),
            taken: 0,
            in_line: 0,
            method: None,
            path: heapless::String::new(),
            agent: Agent {
                mac: None,
                model: None,
            },
            has_host: false,
            needs_host: false,
        }
    }

    /// Takes bytes; `Some` when the head is complete, or will never be.
    fn push(&mut self, bytes: &[u8]) -> Option<Result<(), Status>> {
        for &byte in bytes {
            self.taken += 1;
            if self.taken > HEAD_MAX {
                return Some(Err(Status::TooLarge));
            }
            if byte != b'\n' {
                self.in_line += 1;
                // The rest of a line too long is not looked at.
                let _ = self.line.push(byte);
                continue;
            }
            let done = self.on_line();
            self.line.clear();
            self.in_line = 0;
            if done.is_some() {
                return done;
            }
        }
        None
    }

    fn on_line(&mut self) -> Option<Result<(), Status>> {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let Some(method) = self.method else {
            // An empty line before the request is overlooked (RFC 9112 §2.2).
            if line.is_empty() {
                return None;
            }
            // A name that was cut off is another name.
            if self.in_line > LINE_MAX {
                return Some(Err(Status::TooLarge));
            }
            let Ok(line) = core::str::from_utf8(line) else {
                return Some(Err(Status::BadRequest));
            };
            let mut parts = line.split(' ');
            let (Some(method), Some(target), Some(version), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return Some(Err(Status::BadRequest));
            };
            self.needs_host = match version {
                "HTTP/1.0" => false,
                "HTTP/1.1" => true,
                _ => return Some(Err(Status::BadRequest)),
            };
            self.method = Some(match method {
                "GET" => Method::Get,
                "HEAD" => Method::Head,
                _ => Method::Other,
            });
            // No longer than the line.
            let _ = self.path.push_str(target);
            return None;
        };
        if line.is_empty() {
            return Some(match (method, self.needs_host && !self.has_host) {
                // RFC 9112 §3.2.
                (_, true) => Err(Status::BadRequest),
                (Method::Other, _) => Err(Status::NotAllowed),
                _ => Ok(()),
            });
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if name.eq_ignore_ascii_case(b"host") {
            self.has_host = true;
        } else if name.eq_ignore_ascii_case(b"user-agent")
            && let Ok(value) = core::str::from_utf8(value)
        {
            self.agent = Agent::of(value);
        }
        None
    }
}

enum State<F> {
    Free,
    /// From whom.
    Head(Client),
    Opening {
        file: F,
        bare: bool,
    },
    /// So many bytes of the answer are out.
    Answer {
        status: Status,
        file: Option<F>,
        bare: bool,
        offset: usize,
    },
}

/// One of the connections there may be at once.
pub struct Connection<F> {
    state: State<F>,
    request: Request,
    /// That there is an answer was said.
    is_told: bool,
}

impl<F: Copy> Default for Connection<F> {
    fn default() -> Self {
        Self::new()
    }
}

/// What is next on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for what comes, or for the file.
    Wait,
    /// So many bytes of the answer are in the buffer.
    Send(usize),
    /// So many bytes of the phones' firmware, from this place on, are to be sent ([`crate::store::Store::read_file`]). If they
    /// cannot be read, the connection is closed.
    Read {
        /// The first of them.
        place: u32,
        /// How many: no more than the buffer takes.
        len: usize,
    },
    /// All is sent: close it.
    Close,
}

impl<F: Copy> Connection<F> {
    /// None.
    pub const fn new() -> Self {
        Self {
            state: State::Free,
            request: Request::new(),
            is_told: false,
        }
    }

    /// It is open.
    pub fn open(&mut self, from: Client) {
        self.state = State::Head(from);
        self.request = Request::new();
        self.is_told = false;
    }

    /// The file that is asked for or sent on it.
    pub fn file(&self) -> Option<&F> {
        match &self.state {
            State::Opening { file, bare: false } => Some(file),
            State::Answer {
                file, bare: false, ..
            } => file.as_ref(),
            _ => None,
        }
    }

    /// It is closed.
    pub fn close(&mut self) {
        self.state = State::Free;
    }

    /// Bytes of a request. What comes after its head means nothing.
    pub fn receive(&mut self, now: Instant, files: &mut impl Files<File = F>, bytes: &[u8]) {
        let State::Head(from) = self.state else { return };
        let request = &mut self.request;
        let Some(result) = request.push(bytes) else { return };
        let bare = request.method == Some(Method::Head);
        let opened = match result {
            Ok(()) => files
                .open(now, from, &request.path, request.agent, bare)
                .map_err(Status::of),
            Err(status) => Err(status),
        };
        self.state = match opened {
            Ok(file) => State::Opening { file, bare },
            Err(status) => State::Answer {
                status,
                file: None,
                bare,
                offset: 0,
            },
        };
    }

    /// Whether there is an answer, and that was not said before.
    pub fn is_news(&mut self, files: &impl Files<File = F>) -> bool {
        let is_there = match &self.state {
            State::Free | State::Head(_) => false,
            State::Opening { file, .. } => files.progress(file) != Progress::Wait,
            State::Answer { .. } => true,
        };
        is_there && !core::mem::replace(&mut self.is_told, is_there)
    }

    /// Writes the next bytes of the answer into `buffer`; all of what is given counts as sent.
    pub fn poll(&mut self, files: &mut impl Files<File = F>, buffer: &mut [u8]) -> Next {
        if let State::Opening { file, bare } = self.state {
            let (status, file) = match files.progress(&file) {
                Progress::Wait => return Next::Wait,
                Progress::Ready => (Status::Ok, Some(file)),
                Progress::Gone => (Status::Unavailable, None),
            };
            self.state = State::Answer {
                status,
                file,
                bare,
                offset: 0,
            };
        }
        let State::Answer {
            status,
            file,
            bare,
            offset,
        } = &mut self.state
        else {
            return Next::Wait;
        };
        let length = match file {
            // The rest of a file that has changed meanwhile would be another's: the phone sees that it is too short.
            Some(file) if files.progress(file) == Progress::Gone => return Next::Close,
            Some(file) => files.length(file),
            None => 0,
        };
        let place = file.as_ref().and_then(|file| files.place(file));
        let mut window = Window::new(*offset, &mut *buffer);
        // A window takes everything.
        let _ = head(&mut window, *status, length, place.is_some());
        let (mut len, head) = (window.filled(), window.total());
        if let (Some(place), false, Some(sent)) = (place, *bare, offset.checked_sub(head)) {
            let len = length.saturating_sub(sent).min(buffer.len());
            *offset += len;
            return match len {
                0 if sent >= length => Next::Close,
                0 => Next::Wait,
                len => Next::Read {
                    place: place.saturating_add(sent as u32),
                    len,
                },
            };
        }
        if let (Some(file), None, false) = (&*file, place, *bare) {
            let room = buffer.get_mut(len..).unwrap_or_default();
            len += files.read(file, offset.saturating_sub(head), room);
        }
        *offset += len;
        let end = head + if *bare { 0 } else { length };
        if let Some(file) = file
            && !*bare
            && len > 0
            && *offset == end
        {
            files.delivered(file);
        }
        match len {
            0 if *offset >= end => Next::Close,
            0 => Next::Wait,
            len => Next::Send(len),
        }
    }
}

fn head(w: &mut impl Write, status: Status, length: usize, is_firmware: bool) -> fmt::Result {
    write!(w, "HTTP/1.1 {}\r\nContent-Length: {length}\r\n", status.line())?;
    if status == Status::Ok {
        let kind = match is_firmware {
            true => "application/octet-stream",
            false => "text/plain; charset=utf-8",
        };
        write!(w, "Content-Type: {kind}\r\nCache-Control: no-store\r\n")?;
    }
    w.write_str("Connection: close\r\n\r\n")
}

#[cfg(test)]
mod tests;
