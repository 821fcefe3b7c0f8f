//! What boxes, phones and the carrier write and read, by string alone.

use sip::digest::{Challenge, Ha1, Protected};
use sip::{Flow, Message, Method, Writer};

use super::bench::{CARRIER, REALM, SIP};

pub const CARRIER_SDP: &str = "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 8\r\n";

pub const PHONE_SDP: &str = "v=0\r\no=- 2 1 IN IP4 192.168.1.20\r\ns=-\r\nc=IN IP4 192.168.1.20\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A message as a peer sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub flow: Flow,
    pub text: String,
}

impl Seen {
    /// `INVITE` or `200`.
    pub fn what(&self) -> &str {
        let mut words = self.text.split(' ');
        match words.next() {
            Some("SIP/2.0") => words.next().unwrap_or_default(),
            method => method.unwrap_or_default(),
        }
    }

    pub fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut lines = self.headers(name);
        let first = lines.next();
        assert_eq!(lines.next(), None, "{name} twice in {}", self.text);
        first
    }

    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n").filter_map(move |line| {
            let (n, value) = line.split_once(": ")?;
            (n == name).then_some(value)
        })
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn tag(&self, name: &str) -> String {
        let value = self.header(name).unwrap_or_default();
        value
            .split_once(";tag=")
            .map(|(_, tag)| tag.to_string())
            .unwrap_or_default()
    }
}

pub fn with_body(mut text: String, body: &str) -> String {
    if !body.is_empty() {
        text += "Content-Type: application/sdp\r\n";
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The header line that answers a challenge.
pub fn credentials(challenge: &Seen, method: Method<'_>, uri: &str, user: &str, password: &str) -> String {
    let message = Message::parse_datagram(challenge.text.as_bytes()).unwrap();
    let (challenge, name) = Challenge::choose(&message).unwrap();
    let ha1 = Ha1::from_password(user.as_bytes(), challenge.realm, password.as_bytes());
    let protected = Protected {
        method,
        uri: uri.as_bytes(),
        body: b"",
    };
    let mut buffer = [0; 1024];
    let mut w = Writer::new(&mut buffer);
    challenge.answer(&mut w, name, user.as_bytes(), &ha1, protected, 99, 1);
    String::from_utf8(w.written().to_vec()).unwrap()
}

/// What a peer answers a request of ours with.
pub fn answer(request: &Seen, status: u16, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status} Whatever\r\n");
    for line in request
        .text
        .split("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .split("\r\n")
    {
        let name = line.split(':').next().unwrap_or_default();
        if matches!(name, "Via" | "From" | "To" | "Call-ID" | "CSeq") {
            text += line;
            if name == "To" && !line.contains(";tag=") && status > 100 {
                text += ";tag=callee";
            }
            text += "\r\n";
        }
    }
    if (101..300).contains(&status) {
        text += &format!("Contact: <sip:callee@{}>\r\n", request.flow.peer);
    }
    with_body(text, body)
}

/// A request of the called side within the dialog that `invite` made.
pub fn from_callee(invite: &Seen, method: &str, cseq: u32) -> String {
    with_body(
        format!(
            "{method} sip:pbx@{SIP} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bKcallee{method}{cseq}\r\n\
             From: {};tag=callee\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n",
            invite.flow.transport.as_str(),
            invite.flow.peer,
            invite.header("To").unwrap(),
            invite.header("From").unwrap(),
            invite.header("Call-ID").unwrap(),
        ),
        "",
    )
}

/// A call from one of the sides, as it writes its requests.
#[derive(Clone, Debug)]
pub struct Caller {
    pub flow: Flow,
    pub id: String,
    pub called: String,
    pub from: String,
    /// Further header lines of the INVITE.
    pub extra: String,
    pub sdp: String,
    pub to_tag: String,
    pub cseq: u32,
}

/// The name a box gives a call of this Call-ID.
pub fn session_of(id: &str) -> String {
    let digits: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0>32}")
}

impl Caller {
    /// The carrier calls.
    pub fn carrier(id: &str, called: &str) -> Self {
        Self {
            flow: CARRIER,
            id: id.into(),
            called: called.into(),
            from: "\"Yamada\" <sip:+81335550001@203.0.113.9>".into(),
            extra: String::new(),
            sdp: CARRIER_SDP.into(),
            to_tag: String::new(),
            cseq: 1,
        }
    }

    /// A box calls for one of its phones, with that one's number.
    pub fn office(flow: Flow, id: &str, called: &str, number: &str) -> Self {
        let e164 = super::bench::number(number).e164();
        Self {
            flow,
            from: format!("\"Desk\" <sip:{number}@{REALM}>"),
            extra: format!(
                "P-Asserted-Identity: <sip:{e164}@{REALM}>\r\nP-Served-User: <sip:{number}@{REALM}>\r\n\
                 Session-ID: {}\r\n",
                session_of(id)
            ),
            sdp: PHONE_SDP.into(),
            ..Self::carrier(id, called)
        }
    }

    pub fn request(&self, method: &str, branch: &str) -> String {
        let tag = match self.to_tag.as_str() {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        let (extra, sdp) = match method {
            "INVITE" => (self.extra.as_str(), self.sdp.as_str()),
            _ => ("", ""),
        };
        with_body(
            format!(
                "{method} sip:{}@{REALM} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{}{branch};rport\r\n\
                 Max-Forwards: 70\r\nFrom: {};tag=t{}\r\nTo: <sip:{}@{REALM}>{tag}\r\nCall-ID: {}\r\n\
                 CSeq: {} {method}\r\nContact: <sip:caller@{}>\r\n{extra}",
                self.called,
                self.flow.transport.as_str(),
                self.flow.peer,
                self.id,
                self.from,
                self.id,
                self.called,
                self.id,
                self.cseq,
                self.flow.peer,
            ),
            sdp,
        )
    }
}
