//! The bench: the engine, its contracts and its relays, on a clock that only moves when told to.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use media::relay::{Remote, Side as End};
use shared::site::{Id, Rep, Sys};
use shared::{BoxId, CallLeg, ContractId, Extension, IdKey, Number, Site, SiteId, TerminalKind};
use sip::digest::Ha1;
use sip::{Flow, Frame, Framer, Instant, Message, Method, Transport};

use super::super::*;
use super::peers::*;

pub const REALM: &str = "pbx.example";
pub const CONTRACT: ContractId = ContractId(1);
/// The box of the first site, of the second site of the same contract, and of another contract.
pub const TOKYO: BoxId = BoxId(1);
pub const OSAKA: BoxId = BoxId(2);
pub const NAGOYA: BoxId = BoxId(3);

const fn address(a: u8, b: u8, c: u8, d: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
}

pub const SIP: SocketAddr = address(203, 0, 113, 1, 5060);
pub const CARRIER: Flow = Flow {
    transport: Transport::Udp,
    interface: 0,
    stream: 0,
    peer: address(203, 0, 113, 9, 5060),
    local: SIP,
};

/// The nth connection of somebody.
pub fn connection(n: u16) -> Flow {
    Flow {
        transport: Transport::Tcp,
        interface: 0,
        stream: n,
        peer: address(198, 51, 100, 7, 40_000 + n),
        local: SIP,
    }
}

pub fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// A contract with desk phones at its sites and one representative number.
fn office(contract: u32, channels: u8, sites: &[(u32, &[&str])], rep: (&str, Option<u8>)) -> Office {
    let mut site = Site {
        sys: Sys {
            contract: ContractId(contract),
            site: SiteId(sites[0].0),
            channels,
            realm: REALM.try_into().unwrap(),
            ..Sys::default()
        },
        ..Site::default()
    };
    for (at, directs) in sites {
        for (n, direct) in directs.iter().enumerate() {
            let direct = number(direct);
            let id = Id {
                key: IdKey::new(10 * *at as u16 + n as u16).unwrap(),
                direct,
                extension: Extension::new(200 + 10 * at + n as u32).unwrap(),
                direct_in: true,
                direct_out: true,
                label: "desk".try_into().unwrap(),
                kind: TerminalKind::Fixed,
                outgoing: direct,
                site: SiteId(*at),
                port: None,
                phone: None,
            };
            site.ids.push(id).unwrap();
        }
    }
    let members = site.all();
    let rep = Rep {
        number: number(rep.0),
        label: "rep".try_into().unwrap(),
        members,
        ring: members,
        sub_cap: rep.1,
    };
    site.reps.push(rep).unwrap();
    let secret = |id: &Id| (id.key, phone_secret(&id.direct.digits().to_string()));
    Office {
        secrets: site.ids.iter().map(secret).collect(),
        ..site.into()
    }
}

/// What verifies the password of the phone with this direct number.
pub fn phone_secret(user: &str) -> Ha1 {
    Ha1::from_password(user.as_bytes(), REALM.as_bytes(), phone_password(user).as_bytes())
}

pub fn phone_password(user: &str) -> String {
    format!("password of {user}")
}

fn account(id: BoxId, at: u32) -> Account {
    Account {
        id,
        contract: ContractId(if at == 3 { 2 } else { 1 }),
        site: SiteId(at),
        ha1: Ha1::from_password(id.text().as_bytes(), REALM.as_bytes(), password(id).as_bytes()),
    }
}

fn password(id: BoxId) -> String {
    format!("secret of {id}")
}

/// Two sites of one contract with two channels, which share the representative number.
pub fn yamada() -> Office {
    office(
        1,
        2,
        &[(1, &["0312340001", "0312340002"]), (2, &["0663000001"])],
        ("0312340000", None),
    )
}

/// That contract as it is given, and another one.
pub fn with(yamada: Office) -> Directory {
    let nagoya = office(
        2,
        5,
        &[(3, &["0521110001", "0521110002"])],
        ("0521110000", Some(1)),
    );
    Directory::new(
        REALM,
        [yamada, nagoya],
        [account(TOKYO, 1), account(OSAKA, 2), account(NAGOYA, 3)],
    )
}

pub fn directory() -> Directory {
    with(yamada())
}

/// Relays that only remember.
#[derive(Debug)]
pub struct Ports {
    pub room: usize,
    next: u16,
    pub open: HashMap<u32, [SocketAddr; 2]>,
    pub remotes: Vec<(End, Remote, IpAddr)>,
}

impl Relays for Ports {
    fn open(&mut self, call: u32) -> Option<[SocketAddr; 2]> {
        if self.open.len() >= self.room {
            return None;
        }
        self.next += 4;
        let ends = [self.next, self.next + 2].map(|port| SocketAddr::new(SIP.ip(), port));
        assert_eq!(self.open.insert(call, ends), None, "opened twice");
        Some(ends)
    }

    fn remote(&mut self, call: u32, side: End, remote: Remote, signalling: IpAddr) {
        assert!(self.open.contains_key(&call));
        self.remotes.push((side, remote, signalling));
    }

    fn close(&mut self, call: u32) {
        assert!(self.open.remove(&call).is_some(), "closed twice");
    }
}

pub struct Bench {
    pub pbx: Pbx<Ports>,
    pub now: Instant,
    pub seen: Vec<Seen>,
    pub records: Vec<(ContractId, CallLeg)>,
    pub trunks: Vec<(BoxId, Option<String>)>,
    /// User names of phones that came, and went.
    pub phones: Vec<(String, bool)>,
    pub closed: Vec<Flow>,
    registers: u32,
}

impl Bench {
    pub fn new() -> Self {
        Self::configured(Config::new(SIP, CARRIER.peer))
    }

    pub fn configured(config: Config) -> Self {
        let ports = Ports {
            room: 100,
            next: 30_000,
            open: HashMap::new(),
            remotes: Vec::new(),
        };
        let mut bench = Self {
            pbx: Pbx::new(config, ports, [1, 2, 3, 4, 5]),
            now: Instant::from_millis(10_000),
            seen: Vec::new(),
            records: Vec::new(),
            trunks: Vec::new(),
            phones: Vec::new(),
            closed: Vec::new(),
            registers: 0,
        };
        bench.give(Input::Directory(Box::new(directory())));
        bench.give(Input::WallClock {
            unix_ms: 1_800_000_000_000,
        });
        bench
    }

    /// With boxes registered on connections of their numbers.
    pub fn with(boxes: &[BoxId]) -> Self {
        let mut bench = Self::new();
        for id in boxes {
            bench.register(*id, home(*id), 1);
        }
        bench.trunks.clear();
        bench
    }

    pub fn give(&mut self, input: Input<'_>) {
        self.pbx.handle(self.now, input);
        self.drain();
    }

    pub fn drain(&mut self) {
        let mut buffer = vec![0; MESSAGE_MAX];
        for _ in 0..100_000 {
            match self.pbx.poll(self.now, &mut buffer) {
                None => return,
                Some(Output::Transmit { flow, bytes }) => {
                    let text = std::str::from_utf8(bytes).unwrap().to_string();
                    if text != "\r\n" {
                        Message::parse_datagram(bytes).unwrap_or_else(|e| panic!("{:?}\n{text}", e.fault));
                    }
                    assert!(!self.closed.contains(&flow), "sent after close: {text}");
                    self.seen.push(Seen { flow, text });
                }
                Some(Output::CloseStream { flow }) => self.closed.push(flow),
                Some(Output::Record { contract, leg }) => self.records.push((contract, leg)),
                Some(Output::Registration { peer, user, contact }) => match peer {
                    Peer::Box(id) => self.trunks.push((id, contact)),
                    Peer::Phone(_) => self.phones.push((user, contact.is_some())),
                },
            }
        }
        panic!("poll never ends");
    }

    pub fn rx(&mut self, flow: Flow, text: &str) {
        let bytes = text.as_bytes();
        if flow.transport == Transport::Udp {
            return self.give(Input::Datagram { flow, bytes });
        }
        let mut framer = Framer::accepted(vec![0; 16_384]);
        assert_eq!(framer.push(bytes), bytes.len());
        while let Some(frame) = framer.next() {
            self.give(match frame.expect("a message") {
                Frame::Message(bytes) => Input::Message { flow, bytes },
                Frame::Ping => Input::Ping { flow },
                Frame::Pong => Input::Pong { flow },
            });
        }
        assert_eq!(framer.pending(), 0, "whole messages");
    }

    /// Time passes.
    pub fn wait(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        for _ in 0..100_000 {
            self.drain();
            match self.pbx.next_deadline() {
                Some(at) if at <= until => self.now = self.now.max(at),
                _ => {
                    self.now = until;
                    return self.drain();
                }
            }
        }
        panic!("deadlines never end");
    }

    /// Time passes while these connections live: they ping.
    pub fn wait_alive(&mut self, ms: u64, flows: &[Flow]) {
        for step in 0..ms.div_ceil(5_000) {
            self.wait((ms - step * 5_000).min(5_000));
            for flow in flows {
                self.rx(*flow, "\r\n\r\n");
                let pong = self
                    .seen
                    .iter()
                    .position(|seen| seen.flow == *flow && seen.text == "\r\n");
                self.seen.remove(pong.expect("a pong"));
            }
        }
    }

    #[track_caller]
    pub fn expect(&mut self, flow: Flow, what: &str) -> Seen {
        let place = self.seen.iter().position(|seen| seen.flow == flow);
        let Some(place) = place else {
            panic!(
                "nothing to {}, wanted {what}; others: {:#?}",
                flow.peer, self.seen
            );
        };
        let seen = self.seen.remove(place);
        assert_eq!(seen.what(), what, "{}", seen.text);
        seen
    }

    #[track_caller]
    pub fn quiet(&mut self) {
        let left: Vec<_> = self.seen.drain(..).map(|seen| seen.text).collect();
        assert!(left.is_empty(), "unexpected: {left:#?}");
    }

    /// A REGISTER; with the last challenge's answer where it is given.
    pub fn register_text(
        &mut self,
        id: BoxId,
        flow: Flow,
        contact: &str,
        challenge: Option<(&Seen, &str)>,
    ) -> String {
        self.registers += 1;
        let uri = format!("sip:{REALM}");
        let line = challenge.map_or(String::new(), |(challenge, password)| {
            credentials(challenge, Method::Register, &uri, &id.text(), password)
        });
        with_body(
            format!(
                "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/TCP {};branch=z9hG4bKreg{}\r\nMax-Forwards: 70\r\n\
                 From: <sip:{id}@{REALM}>;tag=r\r\nTo: <sip:{id}@{REALM}>\r\nCall-ID: reg{id}\r\n\
                 CSeq: {} REGISTER\r\nContact: {contact}\r\nRequire: gin\r\n\
                 Supported: gin, outbound, path\r\n{line}",
                flow.peer, self.registers, self.registers,
            ),
            "",
        )
    }

    pub fn contact(id: BoxId, boot: u32) -> String {
        let instance = format!("+sip.instance=\"<urn:uuid:{id}>\";reg-id=1");
        format!("<sip:192.168.1.2:49152;transport=tcp;bnc>;{instance};boot={boot};expires=300")
    }

    /// A box registers, challenge and all.
    pub fn register(&mut self, id: BoxId, flow: Flow, boot: u32) -> Seen {
        let contact = Self::contact(id, boot);
        let text = self.register_text(id, flow, &contact, None);
        self.rx(flow, &text);
        let challenge = self.expect(flow, "401");
        let text = self.register_text(id, flow, &contact, Some((&challenge, &password(id))));
        self.rx(flow, &text);
        self.expect(flow, "200")
    }

    pub fn password(id: BoxId) -> String {
        password(id)
    }

    /// The caller's INVITE; gives the called side's, ringing.
    pub fn ring(&mut self, caller: &Caller, callee: Flow) -> Seen {
        self.rx(caller.flow, &caller.request("INVITE", "i"));
        self.expect(caller.flow, "100");
        let invite = self.expect(callee, "INVITE");
        self.rx(callee, &answer(&invite, 180, ""));
        self.expect(caller.flow, "180");
        invite
    }

    /// An answered call.
    pub fn talk(&mut self, caller: &mut Caller, callee: Flow, sdp: &str) -> Seen {
        let invite = self.ring(caller, callee);
        self.rx(callee, &answer(&invite, 200, sdp));
        self.expect(callee, "ACK");
        caller.to_tag = self.expect(caller.flow, "200").tag("To");
        self.rx(caller.flow, &caller.request("ACK", "a"));
        self.quiet();
        invite
    }

    /// The caller hangs up and the called side agrees.
    pub fn hang_up(&mut self, caller: &Caller, callee: Flow) {
        let bye = Caller {
            cseq: 2,
            ..caller.clone()
        };
        self.rx(caller.flow, &bye.request("BYE", "b"));
        self.expect(caller.flow, "200");
        let bye = self.expect(callee, "BYE");
        self.rx(callee, &answer(&bye, 200, ""));
        self.quiet();
    }

    /// State of each record since the last time, by leg.
    pub fn states(&mut self) -> Vec<(u8, shared::FinalState, u16)> {
        self.records
            .drain(..)
            .map(|(_, leg)| (leg.leg, leg.state, leg.status))
            .collect()
    }

    /// Everything that lingers is over: nothing is left of any call, no channel, no port.
    #[track_caller]
    pub fn nothing_left(&mut self) {
        assert_eq!(self.pbx.live().count(), 0);
        assert_eq!(self.pbx.channels_used(CONTRACT), 0);
        assert_eq!(self.pbx.relays_mut().open.len(), 0);
        let flows: Vec<Flow> = self
            .pbx
            .trunks()
            .map(|trunk| connection(trunk.peer.port() - 40_000))
            .collect();
        self.wait_alive(80_000, &flows);
        assert_eq!(self.pbx.usage(), Default::default(), "room of calls, relays");
        assert_eq!(self.pbx.call_counters().overflow, 0);
    }
}

/// The connection a box has at first.
pub fn home(id: BoxId) -> Flow {
    connection(id.0 as u16)
}
