//! One file from its server, by HTTP/1.1 or by TFTP (RFC 1350), as a small device fetches it: one connection a file, no options,
//! a few tries.

use std::net::SocketAddrV4;

use crate::Millis;
use crate::assumed::{HTTP_WAIT, TFTP_REPEAT, TRIES};
use crate::url::{Scheme, Url};

/// What a fetch does to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Opens a connection.
    Connect(SocketAddrV4),
    /// Sends on it.
    Send(Vec<u8>),
    /// Closes it.
    Close,
    /// Sends a datagram from this fetch's port.
    Datagram(SocketAddrV4, Vec<u8>),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file.
    File(Vec<u8>),
    /// The server does not give it: HTTP status, or TFTP error code (RFC 1350 §5).
    Refused(u16),
    /// No answer, or one that is no answer.
    Failed,
}

/// Where it stands.
enum State {
    /// Begins at this time.
    Waits(Millis),
    /// HTTP: what has come, until when the rest must.
    Http(Vec<u8>, Millis),
    /// TFTP: the peer once it has answered, the last block, what was sent last, its repetitions and the next one.
    Tftp {
        peer: Option<SocketAddrV4>,
        block: u16,
        sent: Vec<u8>,
        repeats: u32,
        again: Millis,
    },
    Over,
}

/// The fetch.
pub struct Fetch {
    /// What is fetched.
    pub url: Url,
    /// When it began to wait for the server.
    pub since: Millis,
    server: SocketAddrV4,
    user_agent: String,
    state: State,
    tries: u32,
    body: Vec<u8>,
    steps: Vec<Step>,
    outcome: Option<Outcome>,
}

const RRQ: u8 = 1;
const DATA: u8 = 3;
const ACK: u8 = 4;
const ERROR: u8 = 5;

impl Fetch {
    /// Begins at once; `server` is where the URL's host is.
    pub fn new(now: Millis, url: Url, server: SocketAddrV4, user_agent: String) -> Self {
        Fetch {
            url,
            since: now,
            server,
            user_agent,
            state: State::Waits(now),
            tries: 0,
            body: Vec::new(),
            steps: Vec::new(),
            outcome: None,
        }
    }

    /// How it ended, once.
    pub fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// The first bytes of the file that have come, by HTTP.
    pub fn body(&self) -> Option<&[u8]> {
        let State::Http(came, _) = &self.state else {
            return None;
        };
        let end = came.windows(4).take(4_096).position(|four| four == b"\r\n\r\n")?;
        came.starts_with(b"HTTP/1.1 200").then_some(())?;
        came.get(end + 4..)
    }

    /// When it has something to do.
    pub fn next_deadline(&self) -> Millis {
        match &self.state {
            State::Waits(at) | State::Http(_, at) => *at,
            State::Tftp { again, .. } => *again,
            State::Over => Millis::MAX,
        }
    }

    /// Does what is due, and gives what it does to the world.
    pub fn poll(&mut self, now: Millis) -> Vec<Step> {
        match &mut self.state {
            State::Waits(at) if now >= *at => self.begin(now),
            State::Http(_, until) if now >= *until => {
                self.steps.push(Step::Close);
                self.again(now);
            }
            State::Tftp {
                peer,
                sent,
                repeats,
                again,
                ..
            } if now >= *again => {
                if *repeats < TFTP_REPEAT.1 {
                    *repeats += 1;
                    *again = now + TFTP_REPEAT.0;
                    let to = peer.unwrap_or(self.server);
                    self.steps.push(Step::Datagram(to, sent.clone()));
                } else {
                    self.end(Outcome::Failed);
                }
            }
            _ => {}
        }
        std::mem::take(&mut self.steps)
    }

    fn begin(&mut self, now: Millis) {
        self.tries += 1;
        match self.url.scheme {
            Scheme::Http => {
                self.steps.push(Step::Connect(self.server));
                self.state = State::Http(Vec::new(), now + HTTP_WAIT);
            }
            Scheme::Tftp => {
                // The file's name is without the slash that separates it from the server.
                let name = self.url.path.strip_prefix('/').unwrap_or(&self.url.path);
                let sent = [&[0, RRQ], name.as_bytes(), b"\0octet\0"].concat();
                self.steps.push(Step::Datagram(self.server, sent.clone()));
                self.state = State::Tftp {
                    peer: None,
                    block: 0,
                    sent,
                    repeats: 0,
                    again: now + TFTP_REPEAT.0,
                };
            }
        }
    }

    fn again(&mut self, now: Millis) {
        if self.tries < TRIES.0 {
            self.state = State::Waits(now + TRIES.1);
        } else {
            self.end(Outcome::Failed);
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.state = State::Over;
        self.outcome = Some(outcome);
    }

    /// The connection is open.
    pub fn opened(&mut self) {
        if let State::Http(..) = self.state {
            let host = match self.url.port {
                80 => self.url.host.clone(),
                port => format!("{}:{port}", self.url.host),
            };
            let path = if self.url.path.is_empty() {
                "/"
            } else {
                &self.url.path
            };
            let agent = &self.user_agent;
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
            );
            self.steps.push(Step::Send(request.into_bytes()));
        }
    }

    /// Something came on it.
    pub fn data(&mut self, now: Millis, bytes: &[u8]) {
        if let State::Http(came, until) = &mut self.state {
            came.extend_from_slice(bytes);
            *until = now + HTTP_WAIT;
            if let Some(outcome) = answer(came, false) {
                self.steps.push(Step::Close);
                self.end(outcome);
            }
        }
    }

    /// It is closed by the server, or could not be opened.
    pub fn closed(&mut self, now: Millis) {
        if let State::Http(came, _) = &self.state {
            match answer(came, true) {
                Some(outcome) => self.end(outcome),
                None => self.again(now),
            }
        }
    }

    /// A datagram for this fetch's port.
    pub fn datagram(&mut self, now: Millis, from: SocketAddrV4, bytes: &[u8]) {
        let State::Tftp {
            peer,
            block,
            sent,
            repeats,
            again,
        } = &mut self.state
        else {
            return;
        };
        // The server answers from a port of its own choice, and stays with it (RFC 1350 §4).
        if from.ip() != self.server.ip() || peer.is_some_and(|peer| peer != from) {
            return;
        }
        match bytes {
            [0, DATA, high, low, content @ ..] if content.len() <= 512 => {
                let number = u16::from_be_bytes([*high, *low]);
                *peer = Some(from);
                if number == block.wrapping_add(1) {
                    self.body.extend_from_slice(content);
                    *block = number;
                    *sent = vec![0, ACK, *high, *low];
                    (*repeats, *again) = (0, now + TFTP_REPEAT.0);
                } else if number != *block {
                    return;
                }
                let ack = sent.clone();
                let last = content.len() < 512;
                self.steps.push(Step::Datagram(from, ack));
                if last {
                    let body = std::mem::take(&mut self.body);
                    self.end(Outcome::File(body));
                }
            }
            [0, ERROR, high, low, ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                self.end(Outcome::Refused(code));
            }
            _ => {}
        }
    }
}

/// What an HTTP response says, once it is whole.
fn answer(bytes: &[u8], closed: bool) -> Option<Outcome> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Outcome::Failed),
    };
    let status = response.code.unwrap_or_default();
    let field = |name: &str| {
        let field = response
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name));
        field.and_then(|field| std::str::from_utf8(field.value).ok())
    };
    let body = bytes.get(head..).unwrap_or_default();
    let whole = match field("Content-Length").and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => body.get(..length).map(<[u8]>::to_vec),
        None if field("Transfer-Encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) => {
            chunks(body)
        }
        None if status == 204 || status == 304 => Some(Vec::new()),
        // Until the connection is closed (RFC 9112 §6.3).
        None => closed.then(|| body.to_vec()),
    };
    let whole = whole?;
    Some(match status {
        200 => Outcome::File(whole),
        status => Outcome::Refused(status),
    })
}

/// A body in chunks (RFC 9112 §7.1), once the last one is there.
fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((head, length)) = httparse::parse_chunk_size(rest).ok()? else {
            return None;
        };
        let length = usize::try_from(length).ok()?;
        let chunk = rest.get(head..head.checked_add(length)?)?;
        body.extend_from_slice(chunk);
        rest = rest.get(head + length..)?.strip_prefix(b"\r\n")?;
        if length == 0 {
            return Some(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(url: &str) -> Fetch {
        let url = Url::parse(url, None).expect("a good one");
        let server = url.address().expect("by address");
        Fetch::new(0, url, server, "Agent".into())
    }

    #[test]
    fn http_in_any_pieces() {
        for (response, outcome) in [
            (
                &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..],
                Outcome::File(b"abc".into()),
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                Outcome::File(b"abc".into()),
            ),
            (b"HTTP/1.0 200 OK\r\n\r\nabc", Outcome::File(b"abc".into())),
            (
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                Outcome::Refused(404),
            ),
            (b"SIP/2.0 200 OK\r\n\r\n", Outcome::Failed),
        ] {
            for size in [1, 7, 100] {
                let mut fetch = fetch("http://10.0.0.1/x");
                assert_eq!(fetch.poll(0), [Step::Connect("10.0.0.1:80".parse().unwrap())]);
                fetch.opened();
                response.chunks(size).for_each(|piece| fetch.data(5, piece));
                fetch.closed(5);
                assert_eq!(
                    fetch.take_outcome(),
                    Some(outcome.clone()),
                    "{}",
                    response.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn three_tries_and_no_more() {
        let mut fetch = fetch("http://10.0.0.1/x");
        for at in [0, 5_000, 10_000] {
            assert_eq!(fetch.poll(at).len(), 1);
            assert_eq!(fetch.take_outcome(), None);
            fetch.closed(at);
        }
        assert_eq!(fetch.take_outcome(), Some(Outcome::Failed));
    }

    #[test]
    fn tftp_by_blocks_from_one_port() {
        let (server, other) = ("10.0.0.1:3000".parse().unwrap(), "10.0.0.1:3001".parse().unwrap());
        let mut fetch = fetch("tftp://10.0.0.1/f/x.cfg");
        let request = b"\0\x01f/x.cfg\0octet\0".to_vec();
        assert_eq!(
            fetch.poll(0),
            [Step::Datagram("10.0.0.1:69".parse().unwrap(), request)]
        );
        let block = |number: u8, length: usize| [&[0, DATA, 0, number][..], &vec![number; length]].concat();
        fetch.datagram(1, server, &block(1, 512));
        fetch.datagram(1, other, &block(2, 0));
        fetch.datagram(1, server, &block(1, 512));
        assert_eq!(fetch.take_outcome(), None);
        fetch.datagram(1, server, &block(2, 1));
        let acks = [1, 1, 2].map(|number| Step::Datagram(server, vec![0, ACK, 0, number]));
        assert_eq!(fetch.poll(1), acks);
        let Some(Outcome::File(file)) = fetch.take_outcome() else {
            panic!("no file")
        };
        assert_eq!((file.len(), file[512]), (513, 2));
    }
}
