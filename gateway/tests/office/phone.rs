//! A phone: its messages are strings, its digest is its own.

use std::net::SocketAddr;

use md5::{Digest, Md5};
use sha2::Sha256;

use super::{BOX, CLOUD, Office, REALM, address};

/// A message as its receiver sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: u64,
    pub peer: SocketAddr,
    pub text: String,
}

impl Seen {
    pub fn new(at: u64, peer: SocketAddr, bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("an end of the header part");
        let length = head
            .split("\r\n")
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .expect("Content-Length");
        assert_eq!(length.parse(), Ok(body.len()), "{text}");
        Self { at, peer, text }
    }

    /// `INVITE` or `200`.
    pub fn what(&self) -> &str {
        let mut words = self.text.split(' ');
        match words.next() {
            Some("SIP/2.0") => words.next().unwrap_or_default(),
            method => method.unwrap_or_default(),
        }
    }

    /// The Request-URI.
    pub fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n").filter_map(move |line| {
            let (n, value) = line.split_once(": ")?;
            (n == name).then_some(value)
        })
    }

    /// The value of the one header line of this name.
    #[track_caller]
    pub fn header<'a>(&'a self, name: &'a str) -> &'a str {
        let mut lines = self.headers(name);
        let Some(first) = lines.next() else {
            panic!("no {name} in {}", self.text)
        };
        assert_eq!(lines.next(), None, "{name} twice in {}", self.text);
        first
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers(name).next().is_some()
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn tag(&self, name: &str) -> String {
        let value = self.header(name);
        // The address itself has no parameters in these tests.
        value
            .split_once(";tag=")
            .map_or("", |(_, tag)| tag.split(';').next().unwrap_or_default())
            .into()
    }

    pub fn contact(&self) -> String {
        let value = self.header("Contact");
        let uri = value.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        uri.unwrap_or_else(|| panic!("{value}")).0.into()
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().unwrap().parse().unwrap()
    }
}

/// A session description of somebody at this address.
pub fn offer(host: &str, port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    )
}

/// A session description.
pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.168.1.10\r\ns=-\r\nc=IN IP4 192.168.1.10\r\nt=0 0\r\n\
                         m=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n";

pub fn with_body(mut head: String, body: &str) -> String {
    if !body.is_empty() {
        head += "Content-Type: application/sdp\r\n";
    }
    head + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The answer to a request: its header lines, a tag of the answerer's, and a Contact where a dialog begins.
pub fn answer(request: &Seen, status: u16, body: &str) -> String {
    answer_with(request, status, "", body)
}

/// As [`answer`], with further header lines.
pub fn answer_with(request: &Seen, status: u16, extra: &str, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status} Whatever\r\n");
    let head = request.text.split("\r\n\r\n").next().unwrap_or_default();
    for line in head.split("\r\n") {
        let name = line.split(':').next().unwrap_or_default();
        if matches!(name, "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Record-Route") {
            text += line;
            if name == "To" && !line.contains(";tag=") && status > 100 {
                text += &format!(";tag={}", tag_at(request));
            }
            text += "\r\n";
        }
    }
    if (101..300).contains(&status) && request.what() == "INVITE" {
        text += &format!("Contact: <{}>\r\n", contact_at(request));
    }
    with_body(text + extra, body)
}

/// The tag of whoever got this request.
fn tag_at(request: &Seen) -> String {
    format!(
        "tag-{}-{}",
        request.peer.port(),
        request.peer.ip().to_string().replace('.', "-")
    )
}

fn contact_at(request: &Seen) -> String {
    match request.peer == address(CLOUD) {
        true => format!("sip:carrier@{CLOUD};transport=tcp"),
        false => format!("sip:phone@{}", request.peer),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub fn hash(self, text: &str) -> String {
        let bytes = match self {
            Algorithm::Md5 => Md5::digest(text).to_vec(),
            Algorithm::Sha256 => Sha256::digest(text).to_vec(),
        };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }
}

/// The credentials that answer a challenge (RFC 7616 §3.4).
pub fn credentials(
    challenges: &[&str],
    count: u32,
    algorithm: Algorithm,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
) -> String {
    let with = |algorithm: Algorithm| {
        let name = format!("algorithm={}", algorithm.name());
        let challenge = challenges.iter().find(|challenge| challenge.contains(&name))?;
        Some((challenge, algorithm))
    };
    let (challenge, algorithm) = with(algorithm).or(with(Algorithm::Md5)).expect("a challenge");
    let quoted = |name: &str| {
        let start = challenge.find(&format!("{name}=\"")).expect(name) + name.len() + 2;
        challenge[start..].split('"').next().unwrap()
    };
    let (realm, nonce) = (quoted("realm"), quoted("nonce"));
    let ha1 = algorithm.hash(&format!("{user}:{realm}:{password}"));
    let ha2 = algorithm.hash(&format!("{method}:{uri}"));
    let response = algorithm.hash(&format!("{ha1}:{nonce}:{count:08x}:c0ffee:auth:{ha2}"));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm={}, qop=auth, nc={count:08x}, cnonce=\"c0ffee\"",
        algorithm.name()
    )
}

/// A desk phone.
#[derive(Clone, Debug)]
pub struct Phone {
    pub index: u16,
    pub user: String,
    pub password: String,
    pub address: SocketAddr,
    pub algorithm: Algorithm,
    pub expires: u32,
}

impl Phone {
    pub fn new(index: u16) -> Self {
        Self {
            index,
            user: format!("031234{index:04}"),
            password: format!("secret-{index}"),
            address: SocketAddr::new([192, 168, 1, 10 + index as u8].into(), 5060),
            algorithm: Algorithm::Sha256,
            expires: 3_600,
        }
    }

    pub fn md5(self) -> Self {
        Self {
            algorithm: Algorithm::Md5,
            ..self
        }
    }

    fn a1(&self) -> String {
        format!("{}:{REALM}:{}", self.user, self.password)
    }

    pub fn ha1_md5(&self) -> Vec<u8> {
        Md5::digest(self.a1()).to_vec()
    }

    pub fn ha1_sha256(&self) -> Vec<u8> {
        Sha256::digest(self.a1()).to_vec()
    }

    /// A REGISTER.
    pub fn register(&self, cseq: u32, authorization: &str) -> String {
        let Self {
            user,
            address,
            expires,
            ..
        } = self;
        format!(
            "REGISTER sip:{REALM} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKr{cseq}{user};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{REALM}>;tag=r{user}\r\nTo: <sip:{user}@{REALM}>\r\n\
             Call-ID: register-{address}\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:phone@{address}>\r\n\
             Expires: {expires}\r\nUser-Agent: Deskphone 1.0\r\n{authorization}Content-Length: 0\r\n\r\n"
        )
    }

    /// The header line that answers a challenge in this response.
    pub fn authorization(&self, challenge: &Seen, method: &str, uri: &str) -> String {
        self.authorization_again(challenge, 1, method, uri)
    }

    /// The same for the `count`-th request with the nonce of this challenge.
    pub fn authorization_again(&self, challenge: &Seen, count: u32, method: &str, uri: &str) -> String {
        let (asks, answers) = match challenge.what() {
            "401" => ("WWW-Authenticate", "Authorization"),
            _ => ("Proxy-Authenticate", "Proxy-Authorization"),
        };
        let challenges: Vec<&str> = challenge.headers(asks).collect();
        let credentials = credentials(
            &challenges,
            count,
            self.algorithm,
            &self.user,
            &self.password,
            method,
            uri,
        );
        format!("{answers}: {credentials}\r\n")
    }

    /// A call that this phone is about to make.
    pub fn calls(&self, to: &str, call_id: &str) -> Dialog {
        Dialog {
            peer: self.address,
            call_id: call_id.into(),
            own: format!("<sip:{}@{REALM}>;tag={call_id}-from", self.user),
            remote: format!("<sip:{to}@{REALM}>"),
            target: format!("sip:{to}@{REALM}"),
            contact: format!("sip:phone@{}", self.address),
            cseq: 1,
        }
    }
}

/// One side of a dialog with the box.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub peer: SocketAddr,
    pub call_id: String,
    /// From of the requests, with its tag.
    pub own: String,
    /// To of the requests, with its tag once there is one.
    pub remote: String,
    /// Request-URI.
    pub target: String,
    pub contact: String,
    pub cseq: u32,
}

impl Dialog {
    /// The dialog as who answered this INVITE with 200 sees it.
    pub fn of_callee(invite: &Seen) -> Self {
        Self {
            peer: invite.peer,
            call_id: invite.header("Call-ID").into(),
            own: format!("{};tag={}", invite.header("To"), tag_at(invite)),
            remote: invite.header("From").into(),
            target: invite.contact(),
            contact: contact_at(invite),
            cseq: 1,
        }
    }

    /// A request; `extra` are whole header lines.
    pub fn request(&self, method: &str, branch: &str, extra: &str, body: &str) -> String {
        let Self {
            peer,
            call_id,
            own,
            remote,
            target,
            contact,
            cseq,
        } = self;
        let transport = if *peer == address(CLOUD) { "TCP" } else { "UDP" };
        let contact = match method {
            "INVITE" => format!("Contact: <{contact}>\r\n"),
            _ => String::new(),
        };
        with_body(
            format!(
                "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {peer};branch=z9hG4bK{call_id}{branch};rport\r\n\
                 Max-Forwards: 70\r\nFrom: {own}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
                 User-Agent: Deskphone 1.0\r\n{contact}{extra}"
            ),
            body,
        )
    }

    /// What a 2xx says of the dialog.
    pub fn confirmed(mut self, ok: &Seen) -> Self {
        self.remote = ok.header("To").into();
        self.target = ok.contact();
        assert!(self.remote.contains(";tag="), "{}", ok.text);
        self
    }

    /// The ACK to a refusal, in the transaction with this branch.
    pub fn ack_refusal(&self, refusal: &Seen, branch: &str) -> String {
        let mut ack = self.clone();
        ack.remote = refusal.header("To").into();
        ack.request("ACK", branch, "", "")
    }
}

impl Office {
    /// A phone registers, by challenge and answer.
    #[track_caller]
    pub fn register(&mut self, phone: &Phone) -> Seen {
        self.register_only(phone);
        self.expect(phone.address, "200")
    }

    /// As [`Office::register`], whatever comes of it.
    #[track_caller]
    pub fn register_only(&mut self, phone: &Phone) {
        self.rx(phone.address, &phone.register(1, ""));
        let challenge = self.expect(phone.address, "401");
        let line = phone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
        self.rx(phone.address, &phone.register(2, &line));
    }

    /// A phone dials: challenge, INVITE with credentials, 100. The branch of the INVITE is `2`.
    #[track_caller]
    pub fn dial(&mut self, phone: &Phone, to: &str, call_id: &str) -> Dialog {
        let dialog = self.dial_only(phone, to, call_id);
        self.expect(phone.address, "100");
        dialog
    }

    /// As [`Office::dial`], whatever comes of the INVITE.
    #[track_caller]
    pub fn dial_only(&mut self, phone: &Phone, to: &str, call_id: &str) -> Dialog {
        self.dial_with(phone, to, call_id, "")
    }

    /// As [`Office::dial_only`], with further header lines.
    #[track_caller]
    pub fn dial_with(&mut self, phone: &Phone, to: &str, call_id: &str, more: &str) -> Dialog {
        let mut dialog = phone.calls(to, call_id);
        let sdp = offer(&phone.address.ip().to_string(), 4_000);
        self.rx(phone.address, &dialog.request("INVITE", "1", more, &sdp));
        let challenge = self.expect(phone.address, "407");
        self.rx(phone.address, &dialog.ack_refusal(&challenge, "1"));
        dialog.cseq = 2;
        let line = phone.authorization(&challenge, "INVITE", &dialog.target) + more;
        self.rx(phone.address, &dialog.request("INVITE", "2", &line, &sdp));
        dialog
    }

    /// A registered phone dials an emergency number and answers the challenge with a wrong password. 100.
    #[track_caller]
    pub fn dial_emergency(&mut self, phone: &Phone, to: &str, call_id: &str) -> Dialog {
        let mut dialog = phone.calls(to, call_id);
        let sdp = offer(&phone.address.ip().to_string(), 4_000);
        self.rx(phone.address, &dialog.request("INVITE", "1", "", &sdp));
        let challenge = self.expect(phone.address, "407");
        self.rx(phone.address, &dialog.ack_refusal(&challenge, "1"));
        dialog.cseq = 2;
        let line = phone.authorization(&challenge, "INVITE", &dialog.target);
        let (before, response) = line.split_once("response=\"").expect("a response");
        let wrong = format!("{before}response=\"0000{}", &response[4..]);
        self.rx(phone.address, &dialog.request("INVITE", "2", &wrong, &sdp));
        self.expect(phone.address, "100");
        dialog
    }

    /// Somebody answers an INVITE of the box.
    pub fn answer(&mut self, invite: &Seen, status: u16) {
        let host = invite.peer.ip().to_string();
        let body = if (200..300).contains(&status) {
            offer(&host, 6_000)
        } else {
            String::new()
        };
        self.reply(invite, &answer(invite, status, &body));
    }

    /// Somebody takes the call: 200, ACK. The dialog on that side.
    #[track_caller]
    pub fn take(&mut self, invite: &Seen) -> Dialog {
        self.answer(invite, 200);
        self.expect(invite.peer, "ACK");
        Dialog::of_callee(invite)
    }

    /// The caller gets its 200 and acknowledges.
    #[track_caller]
    pub fn connected(&mut self, caller: Dialog) -> Dialog {
        let ok = self.expect(caller.peer, "200");
        let dialog = caller.confirmed(&ok);
        self.send(&dialog, "ACK", "ack");
        dialog
    }

    /// A request within a dialog.
    pub fn send(&mut self, dialog: &Dialog, method: &str, branch: &str) {
        let text = dialog.request(method, branch, "", "");
        match dialog.peer == address(CLOUD) {
            true => self.trunk_rx(text.as_bytes()),
            false => self.rx(dialog.peer, &text),
        }
    }

    /// One side hangs up; the other gets its BYE, which this returns.
    #[track_caller]
    pub fn hang_up(&mut self, by: &mut Dialog, other: &Dialog) -> Seen {
        by.cseq += 1;
        let by = by.clone();
        self.send(&by, "BYE", "bye");
        self.expect(by.peer, "200");
        let bye = self.expect(other.peer, "BYE");
        self.reply(&bye, &answer(&bye, 200, ""));
        bye
    }

    /// The caller's final answer, acknowledged.
    #[track_caller]
    pub fn refused(&mut self, caller: &Dialog, status: &str) -> Seen {
        let refusal = self.expect(caller.peer, status);
        let ack = caller.ack_refusal(&refusal, "2");
        match caller.peer == address(CLOUD) {
            true => self.trunk_rx(ack.as_bytes()),
            false => self.rx(caller.peer, &ack),
        }
        refusal
    }

    /// Where the box is, as a Contact says it.
    pub fn contact(&self) -> String {
        format!("sip:{BOX}")
    }
}
