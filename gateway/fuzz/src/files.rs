//! Phones that fetch files: whatever comes over TFTP and HTTP, and whoever asks where the box is.

use crate::script::Script;
use core::fmt::Write;
use gateway::Station;
use gateway::provision::files::{Agent, Client, Files, Progress};
use gateway::provision::http::{Connection, Next};
use gateway::provision::name::Name;
use gateway::provision::pnp::{NOTIFY_MAX, maker, notify};
use gateway::provision::tftp::{PACKET_MAX, Packet, Server, TRANSFERS};
use shared::hub::FetchRefusal;
use sip::{Flow, Instant, Message, Method, Transport};
use std::net::SocketAddr;

/// One file of each length there is, by the first byte of its name.
struct Shelf {
    progress: Progress,
    delivered: Vec<usize>,
}

impl Files for Shelf {
    type File = usize;

    fn open(
        &mut self,
        _: Instant,
        _: Client,
        path: &str,
        agent: Agent,
        _: bool,
    ) -> Result<usize, FetchRefusal> {
        let _ = (Name::parse(path).kind(), agent);
        match path.trim_start_matches('/').bytes().next() {
            Some(b'!') => Err(FetchRefusal::Busy),
            Some(byte) => Ok(usize::from(byte) * 13),
            None => Err(FetchRefusal::NotFound),
        }
    }

    fn progress(&self, _: &usize) -> Progress {
        self.progress
    }

    fn length(&self, file: &usize) -> usize {
        *file
    }

    fn place(&self, file: &usize) -> Option<u32> {
        (*file % 2 == 1).then_some(4_096)
    }

    fn read(&self, file: &usize, offset: usize, buffer: &mut [u8]) -> usize {
        let n = buffer.len().min(file.saturating_sub(offset));
        for (at, byte) in (offset..).zip(&mut buffer[..n]) {
            *byte = at as u8;
        }
        n
    }

    fn delivered(&mut self, file: &usize) {
        self.delivered.push(*file);
    }
}

fn shelf() -> Shelf {
    Shelf {
        progress: Progress::Ready,
        delivered: Vec::new(),
    }
}

/// Packets from a dozen clients, and time. There is an end to what is sent, each packet is one, and when all are silent nothing is
/// left.
pub fn tftp(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut files = shelf();
    let mut server = Server::new();
    let mut now = Instant(1_000);
    let mut buffer = [0; PACKET_MAX];
    let mut poll = |server: &mut Server<usize>, files: &Shelf, now: Instant| {
        let mut sent = 0;
        while let Some(Packet { len, .. }) = server.poll(now, files, &mut buffer) {
            assert!((4..=PACKET_MAX).contains(&len));
            let opcode = buffer[1];
            assert!(buffer[0] == 0 && matches!(opcode, 3 | 5 | 6), "{opcode}");
            sent += 1;
            assert!(sent <= TRANSFERS + 1, "one packet a transfer, and a refusal");
        }
        if let Some(next) = server.next_deadline() {
            assert!(next > now);
        }
    };
    while !script.is_over() {
        let who = script.byte();
        let peer = SocketAddr::from(([192, 168, 1, who % 6], 2_000 + u16::from(who % 18)));
        match script.below(8) {
            0 => now.0 += u64::from(script.byte()) * 100,
            1 => {
                let choices = [Progress::Ready, Progress::Wait, Progress::Gone];
                files.progress = script.of(&choices);
                server.look(now);
            }
            kind => {
                let len = usize::from(script.byte());
                let packet = script.bytes(len);
                let is_request = kind & 1 == 0;
                let station = (script.below(4) > 0).then_some(Station {
                    mac: [who % 5; 6],
                    port: Some(0),
                });
                server.receive(now, &mut files, (peer, station), is_request, packet);
            }
        }
        poll(&mut server, &files, now);
    }
    files.progress = Progress::Ready;
    server.look(now);
    for _ in 0..20 {
        poll(&mut server, &files, now);
        now.0 += 256_000;
    }
    assert_eq!(server.next_deadline(), None);
}

/// A request in pieces, whose sizes the first bytes say. It is answered at most once, with a head that ends, and a body of the length
/// that the head says.
pub fn http(bytes: &[u8]) {
    let mut script = Script(bytes);
    let (size, room) = (1 + script.below(64), 1 + script.below(64));
    let mut files = shelf();
    let mut connection = Connection::new();
    connection.open(Client {
        ip: [192, 168, 1, 30].into(),
        station: None,
    });
    for piece in script.0.chunks(size) {
        connection.receive(Instant(0), &mut files, piece);
    }
    let mut answer = Vec::new();
    let mut buffer = vec![0; room];
    let mut is_firmware = false;
    let is_news = connection.is_news(&files);
    loop {
        match connection.poll(&mut files, &mut buffer) {
            Next::Send(len) => answer.extend_from_slice(&buffer[..len]),
            Next::Read { place, len } => {
                assert!(place >= 4_096 && len <= room);
                answer.extend(std::iter::repeat_n(0, len));
                is_firmware = true;
            }
            Next::Close => break,
            Next::Wait => {
                assert!(answer.is_empty() && !is_news);
                return;
            }
        }
    }
    assert!(is_news);
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an end");
    let (head, body) = answer.split_at(end + 4);
    let head = std::str::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 "));
    let (_, length) = head.split_once("\r\nContent-Length: ").expect("a length");
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    assert!(body.len() == length || body.is_empty());
    match files.delivered[..] {
        [] => assert!(body.is_empty() || is_firmware),
        [whole] => assert_eq!(body.len(), whole),
        _ => panic!("more than one"),
    }
}

/// A SUBSCRIBE for a profile: the NOTIFY can be read, is in its dialog, and says nothing that the request put there.
pub fn pnp(bytes: &[u8]) {
    let Ok(message) = Message::parse_datagram(bytes) else {
        return;
    };
    if !message.is_request() || message.method() != Method::Subscribe {
        return;
    }
    let Some(maker) = maker(&message) else {
        return;
    };
    let flow = Flow {
        transport: Transport::Udp,
        interface: 0,
        stream: 0,
        peer: SocketAddr::from(([192, 168, 1, 30], 5060)),
        local: SocketAddr::from(([192, 168, 1, 1], 5060)),
    };
    let mut buffer = [0; NOTIFY_MAX];
    let Some(len) = notify(maker, &flow, &message, [192, 168, 1, 1].into(), 7, &mut buffer) else {
        return;
    };
    let notify = Message::parse_datagram(&buffer[..len]).expect("a message");
    assert_eq!(notify.method(), Method::Notify);
    assert_eq!(notify.call_id(), message.call_id());
    assert_eq!(notify.to().map(|to| to.uri), message.from().map(|from| from.uri));
    assert!(notify.body().starts_with(b"http://192.168.1.1/"));
    let mut url = String::new();
    write!(url, "{}", notify.body().escape_ascii()).expect("room");
    assert!(matches!(
        url.as_str(),
        "http://192.168.1.1/" | "http://192.168.1.1/{MODEL}.cfg"
    ));
}
