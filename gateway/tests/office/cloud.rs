//! The cloud's end of the trunk, scripted.

use gateway::{Input, TrunkInput};

use super::phone::{Algorithm, answer_with, offer};
use super::{BOX, CLOUD, Dialog, Office, Seen, TrunkDid, address, factory};

/// The cloud and the line to it.
#[derive(Debug)]
pub struct Cloud {
    /// A connection can be opened, and its bytes arrive.
    pub reachable: bool,
    /// Pings are answered.
    pub pongs: bool,
    /// REGISTERs are answered by this script; otherwise they are seen by the test.
    pub registers: bool,
    pub connected: bool,
    /// Connections asked for.
    pub connects: u32,
    pub pings: u32,
    /// REGISTERs accepted.
    pub registered: u32,
    /// Bytes of a message that has not come completely.
    bytes: Vec<u8>,
    /// The local port of the box's connection.
    pub port: u16,
}

impl Default for Cloud {
    fn default() -> Self {
        Self {
            reachable: false,
            pongs: true,
            registers: true,
            connected: false,
            connects: 0,
            pings: 0,
            registered: 0,
            bytes: Vec::new(),
            port: 49_152,
        }
    }
}

const CHALLENGE: &str = "Digest realm=\"trunk.example\", nonce=\"abc\", algorithm=SHA-256, qop=\"auth\"";

impl Office {
    /// The line comes, and the box registers.
    #[track_caller]
    pub fn connect(&mut self) {
        self.cloud.reachable = true;
        self.wait(20_000);
        assert!(self.cloud.connected && self.cloud.registered > 0);
    }

    /// The line is cut without a word.
    pub fn cut(&mut self) {
        self.cloud.reachable = false;
    }

    /// The cloud's end closes the connection.
    pub fn close(&mut self) {
        self.cloud.connected = false;
        self.cloud.bytes.clear();
        self.handle(Input::Trunk(TrunkInput::Closed));
    }

    pub(super) fn on_trunk(&mut self, did: TrunkDid) {
        let now = self.instant();
        match did {
            TrunkDid::Connect => {
                self.cloud.connects += 1;
                self.cloud.bytes.clear();
                self.cloud.connected = self.cloud.reachable;
                if self.cloud.connected {
                    self.cloud.port += 1;
                    let local = address(&format!("192.168.1.1:{}", self.cloud.port));
                    let peer = address(CLOUD);
                    self.gateway
                        .handle(now, Input::Trunk(TrunkInput::Connected { local, peer }));
                }
            }
            TrunkDid::Close => self.cloud.connected = false,
            TrunkDid::Sent(bytes) => {
                assert!(self.cloud.connected, "sent on a closed connection");
                if self.cloud.reachable {
                    self.cloud.bytes.extend(bytes);
                    self.cloud_reads();
                }
            }
        }
    }

    fn cloud_reads(&mut self) {
        loop {
            let bytes = &mut self.cloud.bytes;
            if bytes.starts_with(b"\r\n\r\n") {
                bytes.drain(..4);
                self.cloud.pings += 1;
                if self.cloud.pongs {
                    self.cloud_says("\r\n");
                }
                continue;
            }
            if bytes.starts_with(b"\r\n") {
                bytes.drain(..2);
                continue;
            }
            let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
                return;
            };
            let text = std::str::from_utf8(&bytes[..head]).unwrap();
            let body: usize = text
                .split("\r\n")
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .unwrap()
                .parse()
                .unwrap();
            if bytes.len() < head + 4 + body {
                return;
            }
            let message: Vec<u8> = bytes.drain(..head + 4 + body).collect();
            let seen = Seen::new(self.now, address(CLOUD), &message);
            if seen.what() == "REGISTER" && self.cloud.registers {
                self.cloud_registers(&seen);
            } else {
                self.seen.push_back(seen);
            }
        }
    }

    /// Bytes to the box, taken without polling: the caller polls.
    fn cloud_says(&mut self, text: &str) {
        let now = self.instant();
        self.gateway
            .handle(now, Input::Trunk(TrunkInput::Data(text.as_bytes())));
    }

    /// Challenge or acceptance of a REGISTER.
    fn cloud_registers(&mut self, register: &Seen) {
        let text = match register.has("Authorization") {
            false => answer_with(register, 401, &format!("WWW-Authenticate: {CHALLENGE}\r\n"), ""),
            true => {
                self.check_register(register);
                self.cloud.registered += 1;
                let contact = register.header("Contact");
                answer_with(register, 200, &format!("Contact: {contact}\r\n"), "")
            }
        };
        self.cloud_says(&text);
    }

    /// The box's REGISTER is one of RFC 6140 with the right credentials.
    pub fn check_register(&self, register: &Seen) {
        let factory = factory();
        let id = factory.box_id.to_string();
        let uri = "sip:trunk.example";
        assert_eq!(register.uri(), uri);
        let part = |text: &str, name: &str| {
            let start = text.find(name).unwrap_or_else(|| panic!("{name} in {text}")) + name.len();
            text[start..].split([',', '"']).next().unwrap().to_owned()
        };
        let line = register.header("Authorization");
        assert_eq!(part(line, "username=\""), id);
        let (nonce, cnonce) = (part(line, " nonce=\""), part(line, "cnonce=\""));
        let hash = |text: String| Algorithm::Sha256.hash(&text);
        let ha1 = hash(format!("{id}:trunk.example:{}", factory.password()));
        let ha2 = hash(format!("REGISTER:{uri}"));
        let nc = part(line, "nc=");
        let response = hash(format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"));
        assert_eq!(part(line, "response=\""), response, "{line}");
        assert_eq!(register.header("Require"), "gin");
        let contact = register.header("Contact");
        assert!(
            contact.contains(&format!("192.168.1.1:{}", self.cloud.port)) && contact.contains(";bnc>"),
            "{contact}"
        );
    }

    /// A call from the carrier, through the cloud, to a number of the office: 100.
    #[track_caller]
    pub fn carrier_calls(&mut self, to: &str, call_id: &str) -> Dialog {
        let dialog = carrier(to, call_id);
        let session = "Session-ID: 0123456789abcdef0123456789abcdef\r\n";
        let text = dialog.request("INVITE", "2", session, &offer("198.51.100.1", 20_000));
        self.trunk_rx(text.as_bytes());
        self.expect(address(CLOUD), "100");
        dialog
    }
}

/// The carrier's side of a call that begins.
pub fn carrier(to: &str, call_id: &str) -> Dialog {
    Dialog {
        peer: address(CLOUD),
        call_id: call_id.into(),
        own: format!("\"Customer\" <sip:+81665550001@trunk.example>;tag={call_id}-from"),
        remote: format!("<sip:{to}@trunk.example>"),
        target: format!("sip:{to}@{BOX};transport=tcp"),
        contact: format!("sip:carrier@{CLOUD};transport=tcp"),
        cseq: 1,
    }
}
