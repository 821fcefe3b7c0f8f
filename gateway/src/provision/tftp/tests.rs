use super::*;
use std::string::{String, ToString};
use std::vec::Vec;

/// Files by name; `late` are not ready yet.
struct Shelf {
    file: Vec<u8>,
    progress: Progress,
    opened: usize,
    delivered: usize,
}

impl Files for Shelf {
    type File = usize;

    fn open(&mut self, _: Instant, _: Client, path: &str, _: Agent, _: bool) -> Result<usize, FetchRefusal> {
        self.opened += 1;
        match path {
            "/a.xml" => Ok(0),
            "busy" => Err(FetchRefusal::Busy),
            "mine" => Err(FetchRefusal::Mac),
            _ => Err(FetchRefusal::NotFound),
        }
    }

    fn progress(&self, _: &usize) -> Progress {
        self.progress
    }

    fn length(&self, _: &usize) -> usize {
        self.file.len()
    }

    fn place(&self, _: &usize) -> Option<u32> {
        None
    }

    fn read(&self, _: &usize, offset: usize, buffer: &mut [u8]) -> usize {
        let rest = self.file.get(offset..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        n
    }

    fn delivered(&mut self, _: &usize) {
        self.delivered += 1;
    }
}

/// A server, its files, and the time.
struct World {
    server: Server<usize>,
    files: Shelf,
    now: u64,
    /// Who has sent what is received, where the network tells.
    station: Option<Station>,
}

/// Two of them are one host's.
fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 168, 1, 30 + port as u8 / 2], port))
}

impl World {
    fn new(length: usize) -> Self {
        Self {
            server: Server::new(),
            files: Shelf {
                file: (0..length).map(|n| (n % 251) as u8).collect(),
                progress: Progress::Ready,
                opened: 0,
                delivered: 0,
            },
            now: 1_000,
            station: None,
        }
    }

    fn poll(&mut self) -> Vec<(u16, Vec<u8>)> {
        let mut out = Vec::new();
        let mut buffer = [0; PACKET_MAX];
        while let Some(Packet { to, station, len }) =
            self.server.poll(Instant(self.now), &self.files, &mut buffer)
        {
            assert!(station.is_none() || station == self.station, "somebody else's");
            out.push((to.port(), buffer[..len].to_vec()));
            assert!(out.len() < 100);
        }
        out
    }

    fn send(&mut self, port: u16, is_request: bool, bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let (now, from) = (Instant(self.now), (peer(port), self.station));
        self.server.receive(now, &mut self.files, from, is_request, bytes);
        self.poll()
    }

    fn ask(&mut self, port: u16, request: &str) -> Vec<(u16, Vec<u8>)> {
        let bytes = [b"\0\x01", request.as_bytes()].concat();
        self.send(port, true, &bytes)
    }

    fn ack(&mut self, port: u16, block: u16) -> Vec<(u16, Vec<u8>)> {
        let [high, low] = block.to_be_bytes();
        self.send(port, false, &[0, 4, high, low])
    }

    fn wait(&mut self, ms: u64) -> Vec<(u16, Vec<u8>)> {
        self.now += ms;
        self.poll()
    }

    fn data(&self, block: u16, range: core::ops::Range<usize>) -> Vec<u8> {
        let [high, low] = block.to_be_bytes();
        [&[0, 3, high, low], &self.files.file[range]].concat()
    }
}

fn error(code: u8, text: &str) -> Vec<u8> {
    [&[0, 5, 0, code], text.as_bytes(), b"\0"].concat()
}

/// RFC 1350 §4, figure: a request, blocks of 512 bytes, and the last shorter.
#[test]
fn a_file_is_read() {
    let mut w = World::new(1_100);
    assert_eq!(w.ask(5, "/a.xml\0octet\0"), [(5, w.data(1, 0..512))]);
    assert_eq!(w.ack(5, 1), [(5, w.data(2, 512..1_024))]);
    assert_eq!(w.ack(5, 2), [(5, w.data(3, 1_024..1_100))]);
    assert_eq!(w.files.delivered, 0);
    assert_eq!(w.ack(5, 3), []);
    assert_eq!(w.files.delivered, 1);
    assert_eq!(w.server.next_deadline(), None);
    // It is over: whoever goes on is told.
    assert_eq!(w.ack(5, 4), [(5, error(5, "unknown transfer"))]);
}

#[test]
fn a_file_that_ends_with_its_block_is_followed_by_an_empty_one() {
    let mut w = World::new(512);
    assert_eq!(w.ask(5, "/a.xml\0OCTET\0"), [(5, w.data(1, 0..512))]);
    assert_eq!(w.ack(5, 1), [(5, w.data(2, 512..512))]);
    assert_eq!(w.ack(5, 2), []);
    assert_eq!(w.server.next_deadline(), None);
    let mut w = World::new(0);
    assert_eq!(w.ask(5, "/a.xml\0octet\0"), [(5, w.data(1, 0..0))]);
    assert_eq!(w.ack(5, 1), []);
    assert_eq!(w.server.next_deadline(), None);
}

/// RFC 2347 §6, RFC 2348, RFC 2349.
#[test]
fn options_are_answered_first() {
    let mut w = World::new(2_000);
    let oack = b"\0\x06blksize\x001024\0timeout\x003\0tsize\x002000\0".to_vec();
    assert_eq!(
        w.ask(
            5,
            "/a.xml\0octet\0tsize\x000\0blksize\x001024\0timeout\x003\0unheard\x001\0"
        ),
        [(5, oack.clone())]
    );
    // Lost: again after the time that was asked for.
    assert_eq!(w.wait(2_999), []);
    assert_eq!(w.wait(1), [(5, oack)]);
    assert_eq!(w.ack(5, 0), [(5, w.data(1, 0..1_024))]);
    assert_eq!(w.ack(5, 1), [(5, w.data(2, 1_024..2_000))]);
    assert_eq!(w.ack(5, 2), []);
    assert_eq!(w.server.next_deadline(), None);
}

#[test]
fn options_that_cannot_be_are_not_answered() {
    for (asked, answered) in [
        ("blksize\x0065464\0", Some("blksize\x001468\0")),
        ("BlkSize\x008\0", Some("blksize\x008\0")),
        ("blksize\x007\0", None),
        ("blksize\x0065465\0", None),
        ("blksize\0many\0", None),
        ("timeout\x000\0", None),
        ("timeout\x005\0", Some("timeout\x005\0")),
        // A place is held no longer than 30 s by who is silent.
        ("timeout\x006\0", None),
        ("timeout\x00255\0", None),
        ("blksize", None),
        ("", None),
    ] {
        let mut w = World::new(3);
        let expected = match answered {
            Some(text) => [b"\0\x06", text.as_bytes()].concat(),
            None => w.data(1, 0..3),
        };
        assert_eq!(
            w.ask(5, &("/a.xml\0octet\0".to_string() + asked)),
            [(5, expected)],
            "{asked}"
        );
    }
}

/// RFC 1123 §4.2.3.1: an acknowledgement that comes twice sends nothing twice.
#[test]
fn no_sorcerers_apprentice() {
    let mut w = World::new(2_000);
    w.ask(5, "/a.xml\0octet\0");
    assert_eq!(w.ack(5, 1).len(), 1);
    assert_eq!(w.ack(5, 1), []);
    assert_eq!(w.ack(5, 1), []);
    assert_eq!(w.ack(5, 7), []);
    assert_eq!(w.ack(5, 2), [(5, w.data(3, 1_024..1_536))]);
}

#[test]
fn what_is_lost_comes_again_and_not_for_ever() {
    let mut w = World::new(700);
    let first = (5, w.data(1, 0..512));
    assert_eq!(w.ask(5, "/a.xml\0octet\0"), std::slice::from_ref(&first));
    for _ in 1..TRIES {
        assert_eq!(w.wait(999), []);
        assert_eq!(w.wait(1), std::slice::from_ref(&first));
    }
    assert_eq!(w.wait(1_000), []);
    assert_eq!((w.server.next_deadline(), w.files.delivered), (None, 0));
}

#[test]
fn a_request_that_comes_twice_opens_once() {
    let mut w = World::new(700);
    assert_eq!(w.ask(5, "/a.xml\0octet\0").len(), 1);
    assert_eq!(w.ask(5, "/a.xml\0octet\0"), []);
    assert_eq!(w.files.opened, 1);
    // Later it is another.
    w.ack(5, 1);
    assert_eq!(w.ask(5, "/a.xml\0octet\0"), [(5, w.data(1, 0..512))]);
    assert_eq!(w.files.opened, 2);
    assert_eq!(w.ask(5, "/a.xml\0octet\0tsize\x000\0"), []);
}

#[test]
fn clients_do_not_disturb_each_other() {
    let mut w = World::new(700);
    for port in 0..TRANSFERS as u16 {
        assert_eq!(w.ask(port, "/a.xml\0octet\0").len(), 1);
    }
    assert_eq!(w.ask(99, "/a.xml\0octet\0"), [(99, error(0, "busy, ask again"))]);
    assert_eq!(w.ack(3, 1), [(3, w.data(2, 512..700))]);
    assert_eq!(w.ack(3, 2), []);
    assert_eq!(w.ask(99, "/a.xml\0octet\0"), [(99, w.data(1, 0..512))]);
    // Only its own error ends a transfer.
    assert_eq!(w.send(98, false, b"\0\x05\0\0no\0"), []);
    assert_eq!(w.send(4, false, b"\0\x05\0\0no\0"), []);
    assert_eq!(w.ack(4, 1), [(4, error(5, "unknown transfer"))]);
    assert_eq!(w.ack(5, 1), [(5, w.data(2, 512..700))]);
}

#[test]
fn nobody_takes_all_places() {
    let busy = error(0, "busy, ask again");
    let mut w = World::new(700);
    // Two an address.
    assert_eq!(w.ask(2, "/a.xml\0octet\0").len(), 1);
    assert_eq!(w.ask(3, "/a.xml\0octet\0").len(), 1);
    let third = SocketAddr::new(peer(2).ip(), 4);
    let request = b"\0\x01/a.xml\0octet\0";
    w.server
        .receive(Instant(w.now), &mut w.files, (third, None), true, request);
    assert_eq!(w.poll(), [(4, busy.clone())]);
    // Two a station, whatever addresses it takes.
    let at = |last| Station {
        mac: [2, 0, 0, 0, 0, last],
        port: Some(1),
    };
    w.station = Some(at(1));
    assert_eq!(w.ask(10, "/a.xml\0octet\0").len(), 1);
    assert_eq!(w.ask(20, "/a.xml\0octet\0").len(), 1);
    assert_eq!(w.ask(30, "/a.xml\0octet\0"), [(30, busy)]);
    w.station = Some(at(2));
    assert_eq!(w.ask(30, "/a.xml\0octet\0").len(), 1);
}

/// What is behind an address is not another's.
#[test]
fn a_file_goes_to_who_asked() {
    let here = Some(Station {
        mac: [2, 0, 0, 0, 0, 1],
        port: Some(1),
    });
    let other = |mac, port| {
        Some(Station {
            mac: [2, 0, 0, 0, 0, mac],
            port,
        })
    };
    for is_at in [other(2, Some(1)), other(1, Some(2)), other(1, None), None] {
        let mut w = World::new(1_100);
        w.station = here;
        assert_eq!(w.ask(5, "/a.xml\0octet\0"), [(5, w.data(1, 0..512))]);
        assert_eq!(w.ack(5, 1), [(5, w.data(2, 512..1_024))]);
        w.station = is_at;
        // It cannot end what is the other one's.
        assert_eq!(w.send(5, false, &error(0, "stop")), []);
        assert!(w.server.next_deadline().is_some());
        assert_eq!(w.ack(5, 2), [(5, error(2, "not for you"))]);
        assert_eq!(w.server.next_deadline(), None);
    }
    // What is sent again says for whom it is.
    let mut w = World::new(1_100);
    w.station = here;
    w.ask(5, "/a.xml\0octet\0");
    let mut buffer = [0; PACKET_MAX];
    let again = w.server.poll(Instant(w.now + 1_000), &w.files, &mut buffer);
    assert_eq!(again.map(|packet| packet.station), Some(here));
}

#[test]
fn a_file_that_is_not_ready_waits() {
    let mut w = World::new(3);
    w.files.progress = Progress::Wait;
    assert_eq!(w.ask(5, "/a.xml\0octet\0"), []);
    assert_eq!(w.ask(5, "/a.xml\0octet\0"), []);
    assert_eq!((w.wait(10), w.files.opened), (Vec::new(), 1));
    w.files.progress = Progress::Ready;
    w.server.look(Instant(w.now));
    assert_eq!(w.poll(), [(5, w.data(1, 0..3))]);
    // It became another meanwhile.
    w.files.progress = Progress::Gone;
    assert_eq!(w.wait(1_000), [(5, error(0, "busy, ask again"))]);
    assert_eq!(w.server.next_deadline(), None);
}

#[test]
fn what_is_not_understood_is_said_so() {
    let mut w = World::new(3);
    let long = String::from_utf8(std::vec![b'a'; NAME_MAX + 1]).unwrap() + "\0octet\0";
    for (request, answer) in [
        ("none\0octet\0", error(1, "no such file")),
        ("mine\0octet\0", error(2, "not for you")),
        ("busy\0octet\0", error(0, "busy, ask again")),
        ("/a.xml\0netascii\0", error(4, "not understood")),
        ("/a.xml\0octet", error(4, "not understood")),
        ("/a.xml", error(4, "not understood")),
        ("", error(4, "not understood")),
        (long.as_str(), error(4, "not understood")),
    ] {
        assert_eq!(w.ask(5, request), [(5, answer)], "{request}");
    }
    assert_eq!(
        w.send(5, true, b"\0\x02a\0octet\0"),
        [(5, error(2, "not for you"))]
    );
    for (is_request, bytes) in [
        (true, &b""[..]),
        (true, b"\0"),
        (true, b"\x01\x01a\0octet\0"),
        (true, b"\0\x04\0\x01"),
        (false, b"\0\x01/a.xml\0octet\0"),
        (false, b"\0\x03\0\x01abc"),
        (false, b"\0\x06"),
    ] {
        assert_eq!(
            w.send(5, is_request, bytes),
            [(5, error(4, "not understood"))],
            "{bytes:?}"
        );
    }
    // RFC 1350 §7: an error is not answered, whatever it is about.
    assert_eq!(w.send(5, true, b"\0\x05\0\0\0"), []);
    assert_eq!(w.server.next_deadline(), None);
}
