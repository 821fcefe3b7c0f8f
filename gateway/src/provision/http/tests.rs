use super::*;
use std::string::String;
use std::vec::Vec;

struct Shelf {
    progress: Progress,
    asked: Vec<(String, Agent, bool)>,
    delivered: usize,
    /// The file lies in flash there.
    place: Option<u32>,
}

const FILE: &[u8] = b"<?xml version=\"1.0\"?>\n<a/>\n";

impl Files for Shelf {
    type File = ();

    fn open(
        &mut self,
        _: Instant,
        _: Client,
        path: &str,
        agent: Agent,
        peek: bool,
    ) -> Result<(), FetchRefusal> {
        self.asked.push((path.into(), agent, peek));
        match path {
            "/a.xml" => Ok(()),
            "/busy" => Err(FetchRefusal::Busy),
            "/port" => Err(FetchRefusal::Port),
            _ => Err(FetchRefusal::NotFound),
        }
    }

    fn progress(&self, _: &()) -> Progress {
        self.progress
    }

    fn length(&self, _: &()) -> usize {
        FILE.len()
    }

    fn place(&self, _: &()) -> Option<u32> {
        self.place
    }

    fn read(&self, _: &(), offset: usize, buffer: &mut [u8]) -> usize {
        let rest = FILE.get(offset..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        n
    }

    fn delivered(&mut self, _: &()) {
        self.delivered += 1;
    }
}

fn shelf() -> Shelf {
    Shelf {
        progress: Progress::Ready,
        asked: Vec::new(),
        delivered: 0,
        place: None,
    }
}

fn opened() -> Connection<()> {
    let mut connection = Connection::new();
    connection.open(Client {
        ip: [192, 168, 1, 30].into(),
        station: None,
    });
    connection
}

/// All that is sent until the connection is closed, in pieces of `size`; `None`: it is not closed.
fn answer(connection: &mut Connection<()>, files: &mut Shelf, size: usize) -> Option<String> {
    let mut all = Vec::new();
    let mut buffer = std::vec![0; size];
    loop {
        match connection.poll(files, &mut buffer) {
            Next::Send(len) => all.extend_from_slice(&buffer[..len]),
            Next::Read { place, len } => {
                assert!(len <= size);
                let at = (place - files.place.unwrap()) as usize;
                all.extend_from_slice(&FILE[at..at + len]);
            }
            Next::Close => return Some(String::from_utf8(all).unwrap()),
            Next::Wait => return None,
        }
    }
}

fn exchange(request: &str) -> Option<String> {
    let (mut connection, mut files) = (opened(), shelf());
    connection.receive(Instant(0), &mut files, request.as_bytes());
    let answered = answer(&mut connection, &mut files, 100);
    let has_body = answered.as_ref().is_some_and(|answer| answer.ends_with("<a/>\n"));
    assert_eq!(files.delivered, usize::from(has_body));
    answered
}

const OK: &str = "HTTP/1.1 200 OK\r\n\
    Content-Length: 27\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Cache-Control: no-store\r\n\
    Connection: close\r\n\r\n";

#[test]
fn a_file_comes_in_pieces_of_any_size() {
    let request = "GET /a.xml HTTP/1.1\r\nHost: 192.168.1.1\r\n\
        User-Agent: Grandstream Model HW GXP1628 SW 1.0.4.138 DevId c074ad2bd859\r\n\r\n";
    let whole = [OK.as_bytes(), FILE].concat();
    for size in 1..300 {
        let (mut connection, mut files) = (opened(), shelf());
        for piece in request.as_bytes().chunks(size) {
            assert!(!connection.is_news(&files));
            connection.receive(Instant(0), &mut files, piece);
        }
        assert!(connection.is_news(&files) && !connection.is_news(&files));
        assert_eq!(
            answer(&mut connection, &mut files, size).unwrap().as_bytes(),
            whole,
            "{size}"
        );
        assert_eq!(files.delivered, 1);
        let [(path, agent, false)] = &files.asked[..] else {
            panic!("{:?}", files.asked)
        };
        assert_eq!(path, "/a.xml");
        assert_eq!(agent.mac, "c074ad2bd859".parse().ok());
    }
}

#[test]
fn a_file_that_breaks_off_is_not_delivered() {
    let whole = OK.len() + FILE.len();
    for len in [1, OK.len(), whole - 1, whole] {
        let (mut connection, mut files) = (opened(), shelf());
        connection.receive(Instant(0), &mut files, b"GET /a.xml HTTP/1.0\r\n\r\n");
        assert_eq!(
            connection.poll(&mut files, &mut std::vec![0; len]),
            Next::Send(len)
        );
        connection.close();
        assert_eq!(files.delivered, usize::from(len == whole), "{len}");
    }
}

#[test]
fn only_the_head_on_request() {
    assert_eq!(exchange("HEAD /a.xml HTTP/1.0\r\n\r\n").unwrap(), OK);
}

#[test]
fn refusals() {
    let empty = "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let long = std::format!("GET /{} HTTP/1.1\r\n", "a".repeat(5_000));
    let lines = std::format!("GET /a.xml HTTP/1.0\r\n{}", "X: y\r\n".repeat(1_000));
    for (request, line) in [
        ("GET /b.xml HTTP/1.0\r\n\r\n", "404 Not Found"),
        ("GET /port HTTP/1.0\r\n\r\n", "403 Forbidden"),
        (
            "GET /busy HTTP/1.0\r\n\r\n",
            "503 Service Unavailable\r\nRetry-After: 10",
        ),
        (
            "PUT /a.xml HTTP/1.0\r\n\r\n",
            "405 Method Not Allowed\r\nAllow: GET, HEAD",
        ),
        ("GET /a.xml HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET /a.xml HTTP/2.0\r\n", "400 Bad Request"),
        ("GET /a.xml\r\n", "400 Bad Request"),
        ("GET  /a.xml HTTP/1.0\r\n", "400 Bad Request"),
        ("GET /\u{fffd}\u{7} x HTTP/1.0\r\n", "400 Bad Request"),
        (long.as_str(), "431 Request Header Fields Too Large"),
        (lines.as_str(), "431 Request Header Fields Too Large"),
    ] {
        let expected = String::from("HTTP/1.1 ") + line + empty;
        assert_eq!(
            exchange(request).as_deref(),
            Some(expected.as_str()),
            "{request:.40}"
        );
    }
    for request in [
        "",
        "\r\n\r\n",
        "GET /a.xml HTTP/1.0",
        "GET /a.xml HTTP/1.0\r\nHost: a\r\n",
    ] {
        assert_eq!(exchange(request), None, "{request}");
    }
}

#[test]
fn a_file_that_is_not_ready_waits() {
    let (mut connection, mut files) = (opened(), shelf());
    files.progress = Progress::Wait;
    connection.receive(Instant(0), &mut files, b"GET /a.xml HTTP/1.0\r\n\r\n");
    assert!(!connection.is_news(&files));
    assert_eq!(answer(&mut connection, &mut files, 100), None);
    files.progress = Progress::Ready;
    assert!(connection.is_news(&files));
    // It becomes another in the middle: the phone sees that something is missing.
    let mut buffer = [0; 150];
    assert_eq!(connection.poll(&mut files, &mut buffer), Next::Send(150));
    files.progress = Progress::Gone;
    assert_eq!(connection.poll(&mut files, &mut buffer), Next::Close);
    // Before anything was sent it is busy.
    let mut connection = opened();
    connection.receive(Instant(0), &mut files, b"GET /a.xml HTTP/1.0\r\n\r\n");
    assert!(
        answer(&mut connection, &mut files, 100)
            .unwrap()
            .starts_with("HTTP/1.1 503 ")
    );
}

#[test]
fn a_closed_connection_is_forgotten() {
    let (mut connection, mut files) = (opened(), shelf());
    connection.receive(Instant(0), &mut files, b"GET /a.xml HTTP/1.0\r\n\r\n");
    connection.close();
    assert!(!connection.is_news(&files));
    assert_eq!(answer(&mut connection, &mut files, 100), None);
    connection.receive(Instant(0), &mut files, b"GET /a.xml HTTP/1.0\r\n\r\n");
    assert_eq!(files.asked.len(), 1);
}

#[test]
fn firmware_is_read_by_who_owns_the_flash() {
    let request = "GET /a.xml HTTP/1.1\r\nHost: 192.168.1.1\r\n\r\n";
    let head = OK.replace("text/plain; charset=utf-8", "application/octet-stream");
    let whole = [head.as_bytes(), FILE].concat();
    for size in 1..300 {
        let (mut connection, mut files) = (opened(), shelf());
        files.place = Some(8_192);
        connection.receive(Instant(0), &mut files, request.as_bytes());
        assert!(connection.file().is_some());
        let answered = answer(&mut connection, &mut files, size);
        assert_eq!(
            answered.as_ref().map(String::as_bytes),
            Some(&whole[..]),
            "{size}"
        );
        assert_eq!(files.delivered, 0);
    }
    // The head alone; and nothing more when it is another file's place by now.
    let (mut connection, mut files) = (opened(), shelf());
    files.place = Some(0);
    let request = request.replace("GET", "HEAD");
    connection.receive(Instant(0), &mut files, request.as_bytes());
    assert!(connection.file().is_none());
    assert_eq!(answer(&mut connection, &mut files, 100).as_ref(), Some(&head));
    let (mut connection, mut files) = (opened(), shelf());
    files.place = Some(0);
    connection.receive(Instant(0), &mut files, request.replace("HEAD", "GET").as_bytes());
    let mut buffer = [0; 300];
    assert_eq!(connection.poll(&mut files, &mut buffer), Next::Send(head.len()));
    files.progress = Progress::Gone;
    assert_eq!(connection.poll(&mut files, &mut buffer), Next::Close);
}
