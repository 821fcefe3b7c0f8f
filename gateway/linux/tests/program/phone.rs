//! A phone that knows SIP by string.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use md5::{Digest, Md5};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::PATIENCE;
use crate::program::Program;

const REALM: &str = "office.example";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// What it came by.
pub enum Wire {
    Udp(UdpSocket, SocketAddr),
    Stream(Box<dyn Stream>, &'static str, SocketAddr),
}

pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Wire {
    pub fn udp(program: &Program) -> Self {
        let socket = UdpSocket::bind((program.address, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Wire::Udp(socket, program.port(false))
    }

    pub fn tcp(program: &Program) -> Self {
        let stream = connect(program.port(false));
        let local = stream.local_addr().unwrap();
        Wire::Stream(Box::new(stream), "TCP", local)
    }

    pub fn tls(program: &Program) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(program.certificate.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::IpAddress(std::net::IpAddr::from(program.address).into());
        let stream = connect(program.port(true));
        let local = stream.local_addr().unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        Wire::Stream(Box::new(StreamOwned::new(session, stream)), "TLS", local)
    }

    fn transport(&self) -> &'static str {
        match self {
            Wire::Udp(..) => "UDP",
            Wire::Stream(_, name, _) => name,
        }
    }

    fn local(&self) -> SocketAddr {
        match self {
            Wire::Udp(socket, _) => socket.local_addr().unwrap(),
            Wire::Stream(_, _, local) => *local,
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        match self {
            Wire::Udp(socket, to) => _ = socket.send_to(bytes, *to).unwrap(),
            Wire::Stream(stream, ..) => stream.write_all(bytes).unwrap(),
        }
    }

    /// So many bytes of a stream.
    pub fn read(&mut self, len: usize) -> Vec<u8> {
        let Wire::Stream(stream, ..) = self else {
            panic!("no stream")
        };
        let mut bytes = vec![0; len];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Whether the box closes the stream.
    pub fn is_closed(&mut self) -> bool {
        let Wire::Stream(stream, ..) = self else {
            panic!("no stream")
        };
        matches!(stream.read(&mut [0]), Ok(0))
    }

    /// The next message.
    pub fn message(&mut self) -> String {
        if let Wire::Udp(socket, _) = self {
            let mut buffer = [0; 4_096];
            let len = socket.recv(&mut buffer).expect("a message");
            return String::from_utf8(buffer[..len].into()).unwrap();
        }
        let mut message = String::new();
        while !message.ends_with("\r\n\r\n") {
            message.push(self.read(1)[0].into());
        }
        let len = header(&message, "Content-Length").parse().unwrap();
        message + &String::from_utf8(self.read(len)).unwrap()
    }
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The first value of a header.
pub fn header<'m>(message: &'m str, name: &str) -> &'m str {
    let mut lines = message.split("\r\n");
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name}: {message}"))
}

pub fn status(message: &str) -> u16 {
    let code = message.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
    code.unwrap_or_else(|| panic!("no response: {message}"))
        .parse()
        .unwrap()
}

/// A dialog: what both sides say in From, To and Call-ID, and where the other side is.
pub struct Call {
    from: String,
    to: String,
    id: String,
    target: String,
}

/// The phone of ID n.
pub struct Phone {
    pub wire: Wire,
    pub password: String,
    user: String,
    cseq: u32,
}

impl Phone {
    pub fn new(_program: &Program, n: u8, wire: Wire) -> Self {
        Phone {
            wire,
            password: format!("secret-{n}"),
            user: format!("031234560{n}"),
            cseq: 0,
        }
    }

    fn aor(&self) -> String {
        format!("<sip:{}@{REALM}>", self.user)
    }

    /// Sends a request; `dialog` are From, To and Call-ID, `more` header lines.
    fn request(&mut self, method: &str, uri: &str, dialog: [&str; 3], more: &str, body: &str) {
        let [from, to, id] = dialog;
        static BRANCH: AtomicU32 = AtomicU32::new(0);
        if method != "ACK" {
            self.cseq += 1;
        }
        let (transport, local) = (self.wire.transport(), self.wire.local());
        let request = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};branch=z9hG4bK{};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {} {method}\r\n\
             Contact: <sip:{}@{local};transport={transport}>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            BRANCH.fetch_add(1, Ordering::Relaxed),
            self.cseq,
            self.user,
            body.len(),
        );
        self.wire.send(request.as_bytes());
    }

    /// The next message. The box may ask meanwhile whether a dialog is still known.
    fn message(&mut self) -> String {
        loop {
            let message = self.wire.message();
            if !message.starts_with("OPTIONS ") {
                return message;
            }
            self.answer(&message, 200);
        }
    }

    /// The next final answer.
    fn final_answer(&mut self) -> String {
        loop {
            let message = self.message();
            if status(&message) >= 200 {
                return message;
            }
        }
    }

    /// Answers a request.
    pub fn answer(&mut self, request: &str, status: u16) {
        let copied: String = ["Via", "From", "To", "Call-ID", "CSeq"]
            .map(|name| {
                let tag = match name == "To" && !header(request, name).contains(";tag=") {
                    true => ";tag=callee",
                    false => "",
                };
                format!("{name}: {}{tag}\r\n", header(request, name))
            })
            .concat();
        let (transport, local) = (self.wire.transport(), self.wire.local());
        let sdp = if request.starts_with("INVITE") && status == 200 {
            SDP
        } else {
            ""
        };
        let kind = if sdp.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let response = format!(
            "SIP/2.0 {status} Yes\r\n{copied}Contact: <sip:{}@{local};transport={transport}>\r\n\
             {kind}Content-Length: {}\r\n\r\n{sdp}",
            self.user,
            sdp.len(),
        );
        self.wire.send(response.as_bytes());
    }

    /// RFC 7616 with MD5 and `qop=auth`, by its formulas.
    fn credentials(&self, challenge: &str, method: &str, uri: &str) -> String {
        let part = |name: &str| {
            let (_, rest) = challenge.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let (realm, nonce) = (part("realm"), part("nonce"));
        let ha1 = md5(&format!("{}:{realm}:{}", self.user, self.password));
        let ha2 = md5(&format!("{method}:{uri}"));
        let response = md5(&format!("{ha1}:{nonce}:00000001:c0ffee:auth:{ha2}"));
        format!(
            "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm=MD5, \
             qop=auth, nc=00000001, cnonce=\"c0ffee\", response=\"{response}\"",
            self.user
        )
    }

    /// Registers with digest; the status in the end.
    pub fn try_register(&mut self) -> u16 {
        let (uri, aor) = (format!("sip:{REALM}"), self.aor());
        let from = format!("{aor};tag=r");
        let id = format!("register-{}", self.user);
        self.request("REGISTER", &uri, [&from, &aor, &id], "Expires: 300\r\n", "");
        let challenge = self.final_answer();
        assert_eq!(status(&challenge), 401, "{challenge}");
        let answer = self.credentials(md5_challenge(&challenge, "WWW-Authenticate"), "REGISTER", &uri);
        let more = format!("Expires: 300\r\nAuthorization: {answer}\r\n");
        self.request("REGISTER", &uri, [&from, &aor, &id], &more, "");
        status(&self.final_answer())
    }

    pub fn register(&mut self) {
        assert_eq!(self.try_register(), 200);
    }

    /// Sends an INVITE with credentials; its Call-ID.
    fn invite(&mut self, n: u8) -> String {
        let uri = format!("sip:20{n}@{REALM}");
        let (from, to) = (format!("{};tag=i", self.aor()), format!("<{uri}>"));
        let id = format!("call-{}-{}", self.user, self.cseq);
        let sdp = "Content-Type: application/sdp\r\n";
        self.request("INVITE", &uri, [&from, &to, &id], sdp, SDP);
        let challenge = self.final_answer();
        assert_eq!(status(&challenge), 407, "{challenge}");
        let via = header(&challenge, "Via").to_owned();
        let ack = format!(
            "ACK {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {}\r\nCall-ID: {id}\r\n\
             CSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
            header(&challenge, "To"),
            self.cseq
        );
        self.wire.send(ack.as_bytes());
        let answer = self.credentials(md5_challenge(&challenge, "Proxy-Authenticate"), "INVITE", &uri);
        let more = format!("{sdp}Proxy-Authorization: {answer}\r\n");
        self.request("INVITE", &uri, [&from, &to, &id], &more, SDP);
        id
    }

    /// Calls ID n, which does not answer: the final status.
    pub fn try_call(&mut self, n: u8) -> u16 {
        self.invite(n);
        status(&self.final_answer())
    }

    /// Calls another phone, which answers.
    pub fn call(&mut self, callee: &mut Phone) -> Call {
        let n = callee.user.as_bytes()[9] - b'0';
        let id = self.invite(n);
        let invite = callee.wire.message();
        assert!(invite.starts_with("INVITE "), "{invite}");
        assert!(
            invite.ends_with(SDP),
            "the description passes unchanged: {invite}"
        );
        callee.answer(&invite, 180);
        callee.answer(&invite, 200);
        assert_eq!(status(&self.wire.message()), 100);
        assert_eq!(status(&self.wire.message()), 180);
        let ok = self.wire.message();
        assert_eq!(status(&ok), 200, "{ok}");
        let contact = header(&ok, "Contact").trim_matches(['<', '>']).to_owned();
        let call = Call {
            from: header(&ok, "From").into(),
            to: header(&ok, "To").into(),
            id,
            target: contact,
        };
        self.within(&call, "ACK");
        let ack = callee.wire.message();
        assert!(ack.starts_with("ACK "), "{ack}");
        call
    }

    fn within(&mut self, call: &Call, method: &str) {
        let Call { from, to, id, target } = call;
        self.request(method, target, [from, to, id], "", "");
    }

    /// Ends a call.
    pub fn hang_up(&mut self, callee: &mut Phone, call: &Call) {
        self.within(call, "BYE");
        let bye = callee.message();
        assert!(bye.starts_with("BYE "), "{bye}");
        callee.answer(&bye, 200);
        assert_eq!(status(&self.final_answer()), 200);
    }
}

/// The challenge of several that this phone can answer.
fn md5_challenge<'m>(message: &'m str, name: &str) -> &'m str {
    let challenges = message
        .split("\r\n")
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let md5 = challenges.filter(|line| line.contains("algorithm=MD5") || !line.contains("algorithm"));
    md5.last().unwrap_or_else(|| panic!("no challenge: {message}"))
}

fn md5(text: &str) -> String {
    Md5::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
