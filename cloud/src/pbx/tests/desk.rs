//! A desk phone as the cloud sees it.

use sip::Method;

use super::*;

/// A phone and its way.
#[derive(Clone, Debug)]
pub struct Desk {
    pub flow: Flow,
    pub user: String,
    /// Call-ID of its registration.
    pub id: String,
    pub cseq: u32,
    /// It reads MD5 alone.
    pub old: bool,
}

/// Where the nth phone is seen to come from.
pub fn nat(n: u16) -> Flow {
    Flow {
        transport: Transport::Udp,
        stream: 0,
        peer: SocketAddr::new([198, 51, 100, 20].into(), 30_000 + n),
        ..connection(0)
    }
}

impl Desk {
    pub fn new(flow: Flow, user: &str) -> Self {
        Self {
            flow,
            user: user.into(),
            id: format!("{user}@192.168.1.20"),
            cseq: 0,
            old: false,
        }
    }

    /// What it registers: its address at home.
    pub fn contact(&self) -> String {
        format!("<sip:{}@192.168.1.20:5060>", self.user)
    }

    fn with(&self, mut challenge: Seen, method: Method<'_>, uri: &str, password: &str) -> String {
        if self.old {
            let lines = challenge.text.split("\r\n");
            let kept: Vec<_> = lines.filter(|line| !line.contains("SHA-256")).collect();
            challenge.text = kept.join("\r\n");
        }
        credentials(&challenge, method, uri, &self.user, password)
    }

    /// A REGISTER; `contact` are its header lines.
    pub fn register(&mut self, contact: &str, challenge: Option<(Seen, &str)>) -> String {
        self.cseq += 1;
        let uri = format!("sip:{REALM}");
        let line = challenge.map_or(String::new(), |(challenge, password)| {
            self.with(challenge, Method::Register, &uri, password)
        });
        format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/{} 192.168.1.20:5060;branch=z9hG4bK{}r{};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{REALM}>;tag=r\r\nTo: <sip:{user}@{REALM}>\r\nCall-ID: {}\r\n\
             CSeq: {} REGISTER\r\n{contact}{line}Content-Length: 0\r\n\r\n",
            self.flow.transport.as_str(),
            self.user,
            self.cseq,
            self.id,
            self.cseq,
            user = self.user,
        )
    }

    /// A call, with what proves whose it is where it was challenged.
    pub fn call(&self, id: &str, dialled: &str, challenge: Option<Seen>) -> Caller {
        let uri = format!("sip:{dialled}@{REALM}");
        let line = challenge.map_or(String::new(), |challenge| {
            self.with(challenge, Method::Invite, &uri, &phone_password(&self.user))
        });
        Caller {
            flow: self.flow,
            from: format!("\"Desk\" <sip:{}@{REALM}>", self.user),
            extra: line,
            sdp: PHONE_SDP.into(),
            ..Caller::carrier(id, dialled)
        }
    }
}

impl Bench {
    /// The phone registers as it likes; gives the answer, and what it was asked at last.
    pub fn asks(&mut self, desk: &mut Desk, contact: &str, password: &str) -> (Seen, String) {
        let text = desk.register(contact, None);
        self.rx(desk.flow, &text);
        let challenge = self.expect(desk.flow, "401");
        let text = desk.register(contact, Some((challenge, password)));
        self.rx(desk.flow, &text);
        (self.seen.remove(0), text)
    }

    /// The phone registers.
    pub fn shelter(&mut self, desk: &mut Desk) -> Seen {
        let contact = format!("Contact: {}\r\nExpires: 3600\r\n", desk.contact());
        let (answer, _) = self.asks(desk, &contact, &phone_password(&desk.user.clone()));
        assert_eq!(answer.what(), "200", "{}", answer.text);
        answer
    }

    /// A phone of its number, registered.
    pub fn desk(&mut self, n: u16, user: &str) -> Desk {
        let mut desk = Desk::new(nat(n), user);
        self.shelter(&mut desk);
        desk
    }

    /// The phone calls, challenge and all: what it is after its INVITE was taken.
    #[track_caller]
    pub fn dials(&mut self, desk: &Desk, id: &str, dialled: &str) -> Caller {
        let first = desk.call(id, dialled, None);
        self.rx(desk.flow, &first.request("INVITE", "i"));
        let challenge = self.expect(desk.flow, "407");
        self.rx(desk.flow, &first.request("ACK", "i"));
        let mut caller = desk.call(id, dialled, Some(challenge));
        caller.cseq = 2;
        self.rx(desk.flow, &caller.request("INVITE", "j"));
        caller
    }
}
