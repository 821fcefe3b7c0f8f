//! What the box does for the office's network: names, addresses, time and logs, among clients, servers and a network that do
//! whatever the bytes say.

use crate::script::Script;
use gateway::office::clock::Source;
use gateway::office::{DATAGRAM_MAX, OFFICE, Office, PORTS, Reply, Subnet, To};
use shared::hub::Dhcp;
use sip::Instant;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};

const BOX: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 10);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const SERVERS: [Ipv4Addr; 2] = [ROUTER, Ipv4Addr::new(10, 0, 0, 53)];
const NAMES: u16 = PORTS[0];
const ADDRESSES: u16 = PORTS[1];
const TIME: u16 = PORTS[2];
const LOG: u16 = PORTS[3];

/// A datagram of the box: its port, to whom, what.
type Sent = (u16, SocketAddrV4, Vec<u8>);

struct World {
    office: Office,
    now: u64,
    reply: Reply,
}

impl World {
    fn new(subnet: Subnet, dhcp: Dhcp) -> Self {
        let mut office = Office::new();
        office.seed(&[9; 32]);
        office.serve_addresses(Instant(0), dhcp);
        office.network(Instant(0), OFFICE, Some(subnet));
        Self {
            office,
            now: 0,
            reply: Reply::new(),
        }
    }

    fn hear(&mut self, port: u16, from: SocketAddrV4, bytes: &[u8]) -> Vec<Sent> {
        let from = To {
            interface: OFFICE,
            address: from,
        };
        let bytes = &bytes[..bytes.len().min(DATAGRAM_MAX)];
        let ready = self.office.receive(
            Instant(self.now),
            port,
            from,
            bytes,
            "pbx.example",
            &mut self.reply,
        );
        let mut sent: Vec<Sent> = Vec::new();
        if let Some(ready) = ready {
            sent.push((ready.port, ready.to.address, self.reply[..ready.length].to_vec()));
        }
        sent.extend(self.poll());
        sent
    }

    fn poll(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        let mut buffer = [0xEE; 2_048];
        while let Some(ready) = self.office.poll(Instant(self.now), &self.reply, &mut buffer) {
            assert!(ready.length <= DATAGRAM_MAX && ready.to.interface == OFFICE);
            sent.push((ready.port, ready.to.address, buffer[..ready.length].to_vec()));
            assert!(sent.len() < 200, "it does not come to rest");
        }
        while self.office.poll_log(Instant(self.now)).is_some() {}
        assert!(self.office.next_deadline() > Instant(self.now));
        sent
    }

    /// Time passes, deadline by deadline.
    fn wait(&mut self, ms: u64) -> Vec<Sent> {
        let end = self.now + ms;
        let mut sent = Vec::new();
        loop {
            let next = self.office.next_deadline().0;
            if next > end {
                self.now = end;
                return sent;
            }
            self.now = next;
            sent.extend(self.poll());
        }
    }
}

fn subnet() -> Subnet {
    Subnet {
        prefix: 24,
        ..Subnet::host(BOX)
    }
}

/// Whoever asks gets answers to what he has asked alone, no longer than he can take; name servers are asked at their port; and
/// some seconds later nobody waits any more.
pub fn dns(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut subnet = subnet();
    subnet.names.extend(SERVERS);
    let mut world = World::new(subnet, Dhcp::Never);
    // Numbers that each host has asked by, and what other servers were asked last.
    let mut asked: HashMap<SocketAddrV4, Vec<[u8; 2]>> = HashMap::new();
    let mut passed: Vec<Sent> = Vec::new();
    let check = |sent: Vec<Sent>, asked: &HashMap<SocketAddrV4, Vec<[u8; 2]>>, passed: &mut Vec<Sent>| {
        for (port, to, message) in sent {
            if port == NAMES {
                assert!(
                    asked[&to].iter().any(|id| message.starts_with(id)),
                    "{to} has not asked"
                );
                assert!(message[2] & 0x80 != 0 && message.len() >= 12);
            } else {
                assert!(SERVERS.contains(to.ip()) && to.port() == 53 && port >= 0xC000);
                assert!(message[2] & 0x80 == 0);
                passed.push((port, to, message));
            }
        }
    };
    while !script.is_over() {
        let host = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, script.byte()), 5_000);
        let sent = match script.below(8) {
            0..=3 => {
                let mut message = script.bytes(2).to_vec();
                message.resize(2, 0);
                let head = [0x01, 0, 0, 1, 0, 0, 0, 0, 0, script.byte() & 1];
                let count = script.byte().into();
                message.extend(head);
                message.extend(script.bytes(count));
                asked.entry(host).or_default().push([message[0], message[1]]);
                world.hear(NAMES, host, &message)
            }
            4 => {
                let count = script.byte().into();
                let message = script.bytes(count);
                let id = [0, 1].map(|at| message.get(at).copied().unwrap_or_default());
                asked.entry(host).or_default().push(id);
                world.hear(NAMES, host, message)
            }
            5 | 6 => match passed.pop() {
                Some((port, server, question)) => {
                    // The question as an answer, with counts and records from the script.
                    let end = question.len() - 11;
                    let mut message = question[..end].to_vec();
                    message[2] |= 0x80;
                    message[3] = script.byte();
                    message[7] = script.byte() & 7;
                    message[9] = script.byte() & 3;
                    message[11] = script.byte() & 3;
                    let count = usize::from(script.byte()) * 4;
                    message.extend(script.bytes(count));
                    world.hear(port, server, &message)
                }
                None => {
                    let count = script.byte().into();
                    let message = script.bytes(count);
                    let port = world.office.names().port();
                    world.hear(port, SocketAddrV4::new(ROUTER, 53), message)
                }
            },
            _ => {
                let ms = 100 << script.below(20);
                world.wait(ms)
            }
        };
        check(sent, &asked, &mut passed);
    }
    let sent = world.wait(10_000);
    check(sent, &asked, &mut passed);
    assert_eq!(world.office.next_deadline(), Instant::NEVER);
}

/// No address is granted to two clients at once, and none that is not the network's; whatever is said to clients can be read; and
/// where another server was heard nothing is said at all.
pub fn dhcp(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut subnet = subnet();
    subnet.prefix = script.of(&[24, 29, 16, 30]);
    subnet.router = Some(ROUTER);
    let own = subnet.clone();
    let policy = script.of(&[Dhcp::Always, Dhcp::Auto]);
    let mut world = World::new(subnet, policy);
    let mut granted: HashMap<Ipv4Addr, ([u8; 6], u64)> = HashMap::new();
    world.hear(
        ADDRESSES,
        SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
        &client(1, 1, &[]),
    );
    world.wait(6_000);
    assert!(world.office.addresses().serves());
    while !script.is_over() {
        let mut from = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
        let sent = match script.below(8) {
            0..=4 => {
                let (kind, phone) = (script.below(9) as u8, script.byte());
                let mut options = Vec::new();
                for _ in 0..script.below(4) {
                    match script.below(4) {
                        0 => options.extend([50, 4, 192, 168, 1, script.byte() & 15]),
                        1 => options.extend([54, 4, 192, 168, 1, script.of(&[10, 10, 10, 1])]),
                        2 => {
                            let count = script.below(40);
                            let value = script.bytes(count);
                            options.extend([script.of(&[55, 60, 0, 12]), value.len() as u8]);
                            options.extend(value);
                        }
                        _ => {
                            let count = script.below(12);
                            options.extend(script.bytes(count));
                        }
                    }
                }
                let mut message = client(kind, phone, &options);
                if script.below(3) == 0 {
                    message[12..16].copy_from_slice(&[192, 168, 1, script.byte() & 15]);
                    from = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, message[15]), 68);
                }
                // Who releases or declines has no address (RFC 2131 §4.4.1, §4.4.4).
                if matches!(kind, 4 | 7) {
                    granted.retain(|_, (mac, _)| mac[5] != phone);
                }
                world.hear(ADDRESSES, from, &message)
            }
            5 => {
                let count = usize::from(script.byte()) * 2;
                world.hear(ADDRESSES, from, script.bytes(count))
            }
            6 => match script.below(16) {
                0 => {
                    world.office.other_dhcp(Instant(world.now), OFFICE, ROUTER);
                    let quiet = world.hear(ADDRESSES, from, &client(1, 3, &[]));
                    assert_eq!((quiet.len(), world.office.addresses().serves()), (0, false));
                    quiet
                }
                _ => {
                    world
                        .office
                        .unreachable(Ipv4Addr::new(192, 168, 1, script.byte()));
                    world.poll()
                }
            },
            _ => {
                let ms = 10 << script.below(24);
                world.wait(ms)
            }
        };
        let now = world.now;
        for (port, to, message) in sent {
            // It asks the router for the time, too.
            if to.port() == 123 || (port == ADDRESSES && matches!(to.port(), 9 | 67)) {
                continue;
            }
            assert_eq!((port, to.port(), &message[..3]), (ADDRESSES, 68, &[2, 1, 6][..]));
            let option = |wanted: u8| {
                let mut rest = &message[240..];
                while let [code, length, tail @ ..] = rest
                    && *code != 255
                {
                    let (value, tail) = tail.split_at(usize::from(*length));
                    if *code == wanted {
                        return Some(value);
                    }
                    rest = tail;
                }
                assert!(matches!(rest, [255, ..]), "it has no end");
                None
            };
            assert_eq!(option(54), Some(&BOX.octets()[..]));
            let address = Ipv4Addr::new(message[16], message[17], message[18], message[19]);
            let mac: [u8; 6] = message[28..34].try_into().unwrap();
            match option(53) {
                Some([6]) => assert!(address.is_unspecified()),
                // The rest alone.
                Some([5]) if address.is_unspecified() => assert_eq!(option(51), None),
                Some([2 | 5]) => {
                    assert!(
                        own.holds(address) && address != BOX && address != ROUTER,
                        "{address}"
                    );
                    let taken = granted.get(&address);
                    assert!(
                        taken.is_none_or(|(owner, until)| *owner == mac || *until <= now),
                        "{address}"
                    );
                    if option(53) == Some(&[5]) {
                        let seconds = u32::from_be_bytes(option(51).unwrap().try_into().unwrap());
                        // A client has one address.
                        granted.retain(|_, (owner, _)| *owner != mac);
                        granted.insert(address, (mac, now + u64::from(seconds) * 1_000));
                    }
                }
                kind => panic!("{kind:?}"),
            }
        }
    }
}

fn client(kind: u8, phone: u8, options: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..3].copy_from_slice(&[1, 1, 6]);
    message[28..34].copy_from_slice(&[0, 11, 130, 0, 0, phone]);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, kind]);
    message.extend(options);
    message.push(255);
    message
}

/// Whoever asks gets 48 bytes with his own time; whatever servers say, the clock goes forward, and is not before 2020.
pub fn ntp(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut subnet = subnet();
    subnet.times.extend([ROUTER]);
    let mut world = World::new(subnet, Dhcp::Never);
    let (mut asking, _, mut question) = world.poll().pop().expect("the time is asked for");
    while !script.is_over() {
        match script.below(4) {
            0 => {
                let count = script.below(80);
                let request = script.bytes(count);
                let host = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 77), 123);
                for (port, to, answer) in world.hear(TIME, host, request) {
                    assert_eq!((port, to, answer.len()), (TIME, host, 48));
                    assert_eq!(
                        (&answer[24..32], answer[0] >> 3 & 7),
                        (&request[40..48], request[0] >> 3 & 7)
                    );
                    let known = world.office.clock().unix_ms(Instant(world.now)).is_some();
                    assert_eq!(answer[0] >> 6 != 3, known);
                }
            }
            1 => {
                let mut answer = script.bytes(48).to_vec();
                answer.resize(48, 0);
                answer[24..32].copy_from_slice(&question[40..48]);
                world.hear(asking, SocketAddrV4::new(ROUTER, 123), &answer);
            }
            2 => {
                let unix_ms = 1_700_000_000_000 + u64::from(script.byte());
                world
                    .office
                    .tell_time(Instant(world.now), Source::Cloud, unix_ms, 1_000);
            }
            _ => {
                let (before, start) = (world.office.clock().unix_ms(Instant(world.now)), world.now);
                let sent = world.wait(100 << script.below(20));
                if let Some((port, _, asked)) = sent.into_iter().next_back() {
                    (asking, question) = (port, asked);
                }
                let after = world.office.clock().unix_ms(Instant(world.now));
                assert_eq!(after, before.map(|before| before + world.now - start));
            }
        }
        if let Some(unix_ms) = world.office.clock().unix_ms(Instant(world.now)) {
            assert!(unix_ms >= 1_577_836_800_000);
        }
    }
}

/// What is kept of a line can be shown in one.
pub fn syslog(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut world = World::new(subnet(), Dhcp::Never);
    let mut sent = 0;
    while !script.is_over() {
        let host = SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, script.byte()), 514);
        let count = script.byte().into();
        assert!(world.hear(LOG, host, script.bytes(count)).is_empty());
        sent += 1;
        world.wait(u64::from(script.byte()) * 4);
        let (mut lines, mut dropped) = (0, 0);
        for log in world.office.logs().iter() {
            assert!(!log.text.chars().any(char::is_control), "{:?}", log.text);
            assert!(log.warnings <= log.lines && log.severity <= 4);
            (lines, dropped) = (lines + log.lines, dropped + log.dropped);
        }
        assert!(lines + dropped <= sent);
    }
}
