//! An office of one cable: a router with DHCP and a box that knows PnP, files, a registrar and the time. It is as simple as can be,
//! and no second implementation of anything of the box's: it answers what the phones' documents say they ask.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use deskphones::{Millis, Output, Phone};
use dhcproto::v4::{DhcpOption, Message, MessageType, Opcode, OptionCode, UnknownOption};
use dhcproto::{Decodable, Encodable};

pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const BOX: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const PHONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

/// Time of every way.
const WAY: Millis = 1;

enum Arrival {
    Datagram(SocketAddrV4, SocketAddrV4, Vec<u8>),
    Opened(u32),
    Data(u32, Vec<u8>),
    Closed(u32),
}

#[derive(Default)]
pub struct Office {
    /// What the DHCP server gives besides an address.
    pub options: BTreeMap<u8, Vec<u8>>,
    /// What the PnP server says; none: there is none.
    pub pnp: Option<String>,
    /// The files, without the first slash.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The registrar is silent.
    pub deaf: bool,
    /// First lines of what the phone sent to the box, and to whom.
    pub heard: Vec<String>,
    now: Millis,
    on_the_way: VecDeque<(Millis, Arrival)>,
}

impl Office {
    pub fn run(&mut self, phone: &mut Phone, until: Millis) {
        loop {
            while let Some(output) = phone.poll(self.now) {
                self.take(output);
            }
            let arrival = self.on_the_way.front().map_or(Millis::MAX, |(at, _)| *at);
            let next = arrival.min(phone.next_deadline()).max(self.now);
            if next > until {
                self.now = until;
                return;
            }
            self.now = next;
            if arrival <= self.now {
                match self.on_the_way.pop_front().map(|(_, arrival)| arrival) {
                    Some(Arrival::Datagram(from, to, bytes)) => phone.datagram(self.now, from, to, &bytes),
                    Some(Arrival::Opened(conn)) => phone.opened(conn),
                    Some(Arrival::Data(conn, bytes)) => phone.data(self.now, conn, &bytes),
                    Some(Arrival::Closed(conn)) => phone.closed(self.now, conn),
                    None => {}
                }
            }
        }
    }

    /// Sends the phone a NOTIFY outside of any subscription.
    pub fn notify(&mut self, event: &str) {
        let text = format!(
            "NOTIFY sip:x@{PHONE} SIP/2.0\r\nVia: SIP/2.0/UDP {BOX};branch=z9hG4bKn{}\r\nFrom: <sip:b@{BOX}>;tag=1\r\nTo: <sip:x@{PHONE}>\r\nCall-ID: n{}\r\nCSeq: 1 NOTIFY\r\nEvent: {event}\r\nContent-Length: 0\r\n\r\n",
            self.now, self.now
        );
        self.answer(at(BOX, 5_060), at(PHONE, 5_060), text.into_bytes());
    }

    fn answer(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: Vec<u8>) {
        self.push(Arrival::Datagram(from, to, bytes));
    }

    fn push(&mut self, arrival: Arrival) {
        self.on_the_way.push_back((self.now + 2 * WAY, arrival));
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Datagram { from, to, bytes } => match to.port() {
                67 => self.dhcp(&bytes),
                69 => self.tftp(from, &bytes),
                3_069 => self.tftp(from, &bytes),
                5_060 => self.sip(from, to, &bytes),
                _ => {}
            },
            Output::Connect { conn, to } if to == at(BOX, 80) => self.push(Arrival::Opened(conn)),
            Output::Connect { conn, .. } => self.push(Arrival::Closed(conn)),
            Output::Send { conn, bytes } => {
                let text = String::from_utf8(bytes).expect("a request is text");
                let path = text
                    .split(' ')
                    .nth(1)
                    .expect("a request has a path")
                    .trim_start_matches('/');
                let agent = text.lines().find_map(|line| line.strip_prefix("User-Agent: "));
                self.heard
                    .push(format!("GET {path} {}", agent.unwrap_or_default()));
                let (status, body) = match self.files.get(path) {
                    Some(body) => ("200 OK", body.clone()),
                    None => ("404 Not Found", Vec::new()),
                };
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
                self.push(Arrival::Data(conn, head.into_bytes()));
                self.push(Arrival::Data(conn, body));
                self.push(Arrival::Closed(conn));
            }
            Output::Frame(_) | Output::Vlan(_) | Output::Address(_) | Output::Close { .. } => {}
        }
    }

    fn dhcp(&mut self, bytes: &[u8]) {
        let request = Message::from_bytes(bytes).expect("a DHCP message");
        let kind = match request.opts().msg_type().expect("a message type") {
            MessageType::Discover => MessageType::Offer,
            _ => MessageType::Ack,
        };
        let mut reply = Message::default();
        reply
            .set_opcode(Opcode::BootReply)
            .set_xid(request.xid())
            .set_chaddr(request.chaddr());
        reply.set_yiaddr(PHONE);
        let options = reply.opts_mut();
        options.insert(DhcpOption::MessageType(kind));
        options.insert(DhcpOption::ServerIdentifier(ROUTER));
        options.insert(DhcpOption::AddressLeaseTime(3_600));
        options.insert(DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)));
        let Some(DhcpOption::ParameterRequestList(asked)) =
            request.opts().get(OptionCode::ParameterRequestList)
        else {
            panic!("no parameter list")
        };
        for (&code, value) in &self.options {
            if asked.contains(&OptionCode::from(code)) {
                let value = value.clone();
                options.insert(match code {
                    43 => DhcpOption::VendorExtensions(value),
                    66 => DhcpOption::TFTPServerName(value),
                    67 => DhcpOption::BootfileName(value),
                    code => DhcpOption::Unknown(UnknownOption::new(code.into(), value)),
                });
            }
        }
        let bytes = reply.to_vec().expect("a DHCP message");
        self.answer(at(ROUTER, 67), at(Ipv4Addr::BROADCAST, 68), bytes);
    }

    fn tftp(&mut self, from: SocketAddrV4, bytes: &[u8]) {
        let (name, block) = match bytes {
            [0, 1, name @ ..] => {
                let name = name.split(|byte| *byte == 0).next().expect("a name");
                let name = String::from_utf8(name.to_vec()).expect("a name is text");
                self.heard.push(format!("RRQ {name}"));
                (name, 0)
            }
            [0, 4, high, low] => {
                let last = self.heard.iter().rev().find_map(|line| line.strip_prefix("RRQ "));
                (
                    last.expect("a request").to_owned(),
                    u16::from_be_bytes([*high, *low]),
                )
            }
            _ => panic!("no TFTP: {}", bytes.escape_ascii()),
        };
        let reply = match self.files.get(&name) {
            None => b"\0\x05\0\x01no\0".to_vec(),
            Some(file) => {
                let start = usize::from(block) * 512;
                let Some(rest) = file.get(start..) else { return };
                let number = (block + 1).to_be_bytes();
                [&[0, 3, number[0], number[1]], &rest[..rest.len().min(512)]].concat()
            }
        };
        self.answer(at(BOX, 3_069), from, reply);
    }

    fn sip(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) {
        let text = String::from_utf8(bytes.to_vec()).expect("SIP is text here");
        let line = text.lines().next().unwrap_or_default();
        let method = line.split(' ').next().unwrap_or_default();
        let with = if text.contains("Authorization: ") {
            " with credentials"
        } else {
            ""
        };
        self.heard.push(format!("{method}{with} to {to}"));
        let copied: String = text
            .lines()
            .filter(|line| {
                ["Via", "From", "To", "Call-ID", "CSeq"]
                    .iter()
                    .any(|name| line.starts_with(&format!("{name}:")))
            })
            .map(|line| match line.starts_with("To:") && !line.contains(";tag=") {
                true => format!("{line};tag=box\r\n"),
                false => format!("{line}\r\n"),
            })
            .collect();
        let response = |status: &str, more: &str| {
            format!("SIP/2.0 {status}\r\n{copied}{more}Content-Length: 0\r\n\r\n").into_bytes()
        };
        match (method, &self.pnp) {
            ("SUBSCRIBE", Some(url)) if *to.ip() == Ipv4Addr::new(224, 0, 1, 75) => {
                let call_id = text
                    .lines()
                    .find_map(|line| line.strip_prefix("Call-ID: "))
                    .unwrap_or_default();
                let notify = format!(
                    "NOTIFY sip:{from} SIP/2.0\r\nVia: SIP/2.0/UDP {BOX};branch=z9hG4bKp\r\nFrom: <sip:{BOX}>;tag=box\r\nTo: <sip:{from}>\r\nCall-ID: {call_id}\r\nCSeq: 1 NOTIFY\r\nEvent: ua-profile\r\nSubscription-State: terminated;reason=timeout\r\nContent-Type: application/url\r\nContent-Length: {}\r\n\r\n{url}",
                    url.len()
                );
                self.answer(at(BOX, 5_060), from, response("200 OK", "Expires: 0\r\n"));
                self.answer(at(BOX, 5_060), from, notify.into_bytes());
            }
            ("REGISTER" | "SUBSCRIBE", _) if *to.ip() == BOX && !self.deaf || *to.ip() == ROUTER => {
                let challenge =
                    "WWW-Authenticate: Digest realm=\"office\", nonce=\"1\", qop=\"auth\", algorithm=MD5\r\n";
                let response = match with {
                    "" => response("401 Unauthorized", challenge),
                    _ => response("200 OK", "Expires: 180\r\n"),
                };
                self.answer(to, from, response);
            }
            _ => {}
        }
    }
}

fn at(ip: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ip, port)
}
