use super::message::AA;
use super::*;
use crate::office::{OFFICE, Reply, VOICE};
use std::string::String;
use std::vec::Vec as StdVec;

const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 1, 254), Ipv4Addr::new(10, 9, 9, 9)];

fn subnet() -> Subnet {
    Subnet {
        prefix: 24,
        ..Subnet::host(Ipv4Addr::new(192, 168, 1, 10))
    }
}

/// The name server on a clock, with what it sent and what came back.
struct Lab {
    dns: Dns,
    secret: Secret,
    now: u64,
    reply: Reply,
    servers: StdVec<Ipv4Addr>,
}

/// A name on the wire.
fn name(dotted: &str) -> StdVec<u8> {
    let mut bytes = StdVec::new();
    for label in dotted.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn query(id: u16, dotted: &str, kind: u16, edns: Option<u16>) -> StdVec<u8> {
    let mut bytes = StdVec::new();
    for word in [id, RD, 1, 0, 0, u16::from(edns.is_some())] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(name(dotted));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    if let Some(size) = edns {
        bytes.extend([0, 0, 41]);
        bytes.extend(size.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

/// The answer of a server to `asked`: `count` address records of this TTL, or a code.
fn response(asked: &[u8], rcode: u16, count: u16, ttl: u32) -> StdVec<u8> {
    let end = asked.len() - 11;
    let mut bytes = asked[..end].to_vec();
    bytes[2..4].copy_from_slice(&(QR | RD | RA | rcode).to_be_bytes());
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    for host in 0..count {
        bytes.extend([0xC0, 12, 0, 1, 0, 1]);
        bytes.extend(ttl.to_be_bytes());
        bytes.extend([0, 4, 203, 0, 113, host as u8]);
    }
    // The server's OPT.
    bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    bytes
}

impl Lab {
    fn new() -> Self {
        Self {
            dns: Dns::new(),
            secret: Secret::new(&[7; 32]),
            now: 1_000,
            reply: Reply::new(),
            servers: SERVERS.to_vec(),
        }
    }

    /// Asks from a phone's address; the answer that comes at once.
    fn ask_from(&mut self, host: u8, message: &[u8]) -> Option<StdVec<u8>> {
        let subnet = subnet();
        let place = Place {
            realm: "c1.pbx.example",
            subnet: &subnet,
            servers: &self.servers,
        };
        let to = To {
            interface: OFFICE,
            address: SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, host), 5_353),
        };
        let mut room = [0xEE; LARGEST];
        let length = self.dns.query(
            Instant(self.now),
            &mut self.secret,
            &place,
            to,
            message,
            &mut room,
        )?;
        Some(room[..length].to_vec())
    }

    fn ask(&mut self, message: &[u8]) -> Option<StdVec<u8>> {
        self.ask_from(21, message)
    }

    /// What is to be sent now.
    fn poll(&mut self) -> Option<(u16, To, StdVec<u8>)> {
        let mut room = [0xEE; 2_048];
        let (port, to, length) = self
            .dns
            .poll(Instant(self.now), &self.servers, &self.reply, &mut room)?;
        Some((port, to, room[..length].to_vec()))
    }

    fn heard(&mut self, from: Ipv4Addr, message: &[u8]) {
        let from = SocketAddrV4::new(from, PORT);
        self.dns
            .answer(Instant(self.now), &self.servers, from, message, &mut self.reply);
    }

    /// Goes on to the next thing that is due; nothing before `until`.
    fn wait(&mut self, until: u64) -> Option<(u16, To, StdVec<u8>)> {
        loop {
            if let Some(sent) = self.poll() {
                return Some(sent);
            }
            let next = self.dns.next_deadline().0;
            if next > until {
                self.now = until;
                return None;
            }
            assert!(
                next > self.now,
                "a deadline that is not met: {next} at {}",
                self.now
            );
            self.now = next;
        }
    }
}

/// Code, truncated, counts of answers and additional records, TTLs.
fn facts(message: &[u8]) -> (u8, bool, u16, u16, StdVec<u32>) {
    let word = |at| message::word(message, at).unwrap();
    let end = 12 + message[12..].windows(1).position(|byte| byte == [0]).unwrap() + 5;
    let mut ttls = StdVec::new();
    let mut at = end;
    for _ in 0..word(6) {
        assert_eq!(message[at], 0xC0);
        ttls.push(u32::from_be_bytes(message[at + 6..at + 10].try_into().unwrap()));
        at += 12 + usize::from(word(at + 10));
    }
    ((word(2) & 0xF) as u8, word(2) & TC != 0, word(6), word(10), ttls)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| std::format!("{byte:02x}")).collect()
}

/// Golden bytes: RFC 1035 §4.1, RFC 2782 and RFC 3403 §4.1 by hand; `dig` and `dnspython` read them (`hil`, scenario `office`).
#[test]
fn own_names() {
    let mut lab = Lab::new();
    let a = |owner: &str| std::format!("{owner}000100010000001e0004c0a8010a");
    for (asked, kind, counts, rest) in [
        ("denwaban", kind::A, [1, 0, 0], a("c00c")),
        ("DenWaBan", kind::A, [1, 0, 0], a("c00c")),
        ("C1.pbx.example", kind::A, [1, 0, 0], a("c00c")),
        ("c1.pbx.example", 28, [0, 0, 0], String::new()),
        (
            "c1.pbx.example",
            kind::NAPTR,
            [1, 0, 0],
            std::format!(
                "c00c002300010000001e0029000a000a017307{}00{}",
                hex(b"SIP+D2U"),
                hex(&name("_sip._udp.c1.pbx.example"))
            ),
        ),
        (
            "_sip._udp.c1.pbx.example",
            kind::SRV,
            [1, 0, 1],
            std::format!(
                "c00c002100010000001e00160000000013c4{}{}",
                hex(&name("c1.pbx.example")),
                a(&hex(&name("c1.pbx.example")))
            ),
        ),
        // No other transport leads past the box.
        ("_sip._tcp.c1.pbx.example", kind::SRV, [0, 0, 0], String::new()),
        ("_sips._tcp.c1.pbx.example", kind::SRV, [0, 0, 0], String::new()),
        (
            "10.1.168.192.in-addr.arpa",
            kind::PTR,
            [1, 0, 0],
            std::format!("c00c000c00010000001e000a{}", hex(&name("denwaban"))),
        ),
    ] {
        let question = query(0xABCD, asked, kind, None);
        let answer = lab.ask(&question).unwrap_or_else(|| panic!("{asked} {kind}"));
        let words: StdVec<_> = (0..6).map(|at| message::word(&answer, 2 * at).unwrap()).collect();
        assert_eq!(
            (&words[..4], words[4], words[5]),
            (
                &[0xABCD, QR | AA | RD | RA, 1, counts[0]][..],
                counts[1],
                counts[2]
            ),
            "{asked} {kind}"
        );
        assert_eq!(
            answer[12..question.len()],
            question[12..],
            "{asked}: the question as it was asked"
        );
        assert_eq!(hex(&answer[question.len()..]), rest, "{asked} {kind}");
    }
    // What is beneath, above and beside is not ours.
    for other in [
        "x.c1.pbx.example",
        "pbx.example",
        "denwaban.jp",
        "11.1.168.192.in-addr.arpa",
        "",
    ] {
        assert_eq!(
            lab.ask(&query(1, other, kind::A, None)),
            None,
            "{other:?} is passed on"
        );
        lab.dns.forget_questions();
    }
    assert!(lab.dns.counters().forwarded == 5, "{:?}", lab.dns.counters());
}

/// (what is asked, the code of the answer; none: no answer)
#[test]
fn what_is_no_query() {
    let good = query(1, "denwaban", kind::A, None);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let mut lab = Lab::new();
    for (message, code) in [
        (StdVec::new(), None),
        (good[..11].to_vec(), None),
        // A response is never answered: two servers would talk for ever.
        (changed(2, 0x81), None),
        (good[..12].to_vec(), Some(1)),
        (good[..good.len() - 1].to_vec(), Some(1)),
        // IQUERY; two questions; a pointer in the question; a label that goes beyond the end.
        (changed(2, 0x09), Some(4)),
        (changed(5, 2), Some(1)),
        (changed(12, 0xC0), Some(1)),
        (changed(12, 63), Some(1)),
        // Class CH; types ANY and AXFR.
        (changed(good.len() - 1, 3), Some(5)),
        (query(1, "denwaban", kind::ANY, None), Some(4)),
        (query(1, "denwaban", kind::AXFR, None), Some(5)),
    ] {
        let answer = lab.ask(&message);
        assert_eq!(answer.map(|answer| answer[3] & 0xF), code, "{}", hex(&message));
    }
    // Names of 255 bytes are the longest.
    let label = "x".repeat(63);
    let longest = std::format!("{label}.{label}.{label}.{}", "x".repeat(61));
    assert_eq!(lab.ask(&query(1, &longest, kind::A, None)), None);
    let longer = std::format!("{longest}x");
    assert_eq!(lab.ask(&query(1, &longer, kind::A, None)).unwrap()[3] & 0xF, 1);
    // EDNS of version 1 (RFC 6891 §6.1.3): code 16, its upper bits in the OPT record.
    let mut versioned = query(1, "denwaban", kind::A, Some(4_096));
    let end = versioned.len();
    versioned[end - 5] = 1;
    let answer = lab.ask(&versioned).unwrap();
    assert_eq!(
        (answer[3] & 0xF, &answer[answer.len() - 11..]),
        (0, &[0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0][..])
    );
    // Nobody from elsewhere is answered.
    let place = Place {
        realm: "",
        subnet: &subnet(),
        servers: &SERVERS,
    };
    let to = To {
        interface: OFFICE,
        address: "203.0.113.9:53".parse().unwrap(),
    };
    assert_eq!(
        lab.dns
            .query(Instant(1), &mut lab.secret, &place, to, &good, &mut [0; 512]),
        None
    );
}

#[test]
fn forwarded_kept_and_aged() {
    let mut lab = Lab::new();
    assert_eq!(lab.ask(&query(0x1111, "Time.Example.jp", kind::A, None)), None);
    let (port, to, asked) = lab.poll().unwrap();
    assert!(port >= 0xC000 && port == lab.dns.port());
    assert_eq!(
        (to.interface, to.address),
        (OFFICE, SocketAddrV4::new(SERVERS[0], PORT))
    );
    // The id is not the phone's.
    assert_ne!(asked[..2], [0x11, 0x11]);
    assert_eq!(
        asked[12..asked.len() - 11],
        query(0, "Time.Example.jp", kind::A, None)[12..]
    );
    assert_eq!(lab.poll(), None);
    lab.now += 30;
    lab.heard(SERVERS[0], &response(&asked, 0, 2, 100));
    let (port, to, answer) = lab.poll().unwrap();
    assert_eq!(
        (port, to.address.port(), &answer[..2]),
        (PORT, 5_353, &[0x11, 0x11][..])
    );
    // The server's OPT is not the phone's.
    assert_eq!(facts(&answer), (0, false, 2, 0, std::vec![100, 100]));
    assert_eq!((lab.poll(), lab.dns.next_deadline()), (None, Instant::NEVER));
    // Again, later, with other letters and with EDNS.
    lab.now += 40_000;
    let answer = lab
        .ask(&query(0x2222, "time.example.JP", kind::A, Some(1_400)))
        .unwrap();
    assert_eq!(facts(&answer), (0, false, 2, 1, std::vec![60, 60]));
    assert_eq!(answer[12..29], query(0, "time.example.JP", kind::A, None)[12..29]);
    // Another type is another question. And when its time is over, it is asked for again.
    assert_eq!(lab.ask(&query(1, "time.example.jp", 28, None)), None);
    lab.now += 60_000;
    assert_eq!(lab.ask(&query(1, "time.example.jp", kind::A, None)), None);
    assert_eq!(lab.dns.counters().forwarded, 3);
}

#[test]
fn many_wait_for_one_question() {
    let mut lab = Lab::new();
    for host in 1..=20 {
        assert_eq!(
            lab.ask_from(host, &query(u16::from(host), "fm.grandstream.com", kind::A, None)),
            None
        );
        // Repeated, as phones do.
        assert_eq!(
            lab.ask_from(host, &query(u16::from(host), "fm.grandstream.com", kind::A, None)),
            None
        );
    }
    let (_, _, asked) = lab.poll().unwrap();
    assert_eq!(lab.poll(), None);
    // Too long to be kept: 20 records are 320 bytes.
    lab.heard(SERVERS[0], &response(&asked, 0, 20, 100));
    let mut hosts = StdVec::new();
    while let Some((_, to, answer)) = lab.poll() {
        let host = to.address.ip().octets()[3];
        assert_eq!(
            (u16::from_be_bytes([answer[0], answer[1]]), facts(&answer).2),
            (u16::from(host), 20)
        );
        hosts.push(host);
    }
    hosts.sort();
    assert_eq!(hosts, (1..=20).collect::<StdVec<_>>());
    assert_eq!(
        lab.dns.counters(),
        Counters {
            forwarded: 1,
            ..Counters::default()
        }
    );
}

#[test]
fn what_does_not_fit_is_said_to_be_cut() {
    let mut lab = Lab::new();
    for (host, edns) in [(1, None), (2, Some(600)), (3, Some(4_096)), (4, Some(0))] {
        lab.ask_from(host, &query(u16::from(host), "large.example", kind::A, edns));
    }
    let (_, _, asked) = lab.poll().unwrap();
    // 31 + 16 * 45 = 751 bytes.
    lab.heard(SERVERS[0], &response(&asked, 0, 45, 100));
    let mut seen = StdVec::new();
    while let Some((_, to, answer)) = lab.poll() {
        let (_, cut, answers, additional, _) = facts(&answer);
        seen.push((to.address.ip().octets()[3], cut, answers, additional));
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            (1, true, 0, 0),
            (2, true, 0, 1),
            (3, false, 45, 1),
            (4, true, 0, 1)
        ]
    );
}

/// Another server is asked at once when one cannot, after a while when one is silent; then nobody is for a while.
#[test]
fn servers_that_cannot_and_servers_that_are_silent() {
    let mut lab = Lab::new();
    lab.ask(&query(1, "a.example", kind::A, None));
    let (_, to, asked) = lab.poll().unwrap();
    assert_eq!(*to.address.ip(), SERVERS[0]);
    lab.heard(SERVERS[0], &response(&asked, 5, 0, 0));
    let (_, to, again) = lab.poll().unwrap();
    assert_eq!((*to.address.ip(), &again), (SERVERS[1], &asked));
    // Answered by the second: it is the first to be asked from now on.
    lab.heard(SERVERS[1], &response(&asked, 3, 0, 0));
    assert_eq!(facts(&lab.poll().unwrap().2).0, 3);
    lab.ask(&query(2, "b.example", kind::A, None));
    let start = lab.now;
    let mut tries = StdVec::new();
    let answer = loop {
        let (port, to, message) = lab.wait(start + 60_000).unwrap();
        if port == PORT {
            break message;
        }
        tries.push((lab.now - start, *to.address.ip()));
    };
    let [first, second] = SERVERS;
    assert_eq!(
        tries,
        [(0, second), (900, first), (1_800, second), (2_700, first)]
    );
    assert_eq!((lab.now - start, facts(&answer).0), (3_600, 2));
    // Nobody waits for what nobody answers.
    lab.now += 9_999;
    assert_eq!(
        facts(&lab.ask(&query(3, "c.example", kind::A, None)).unwrap()).0,
        2
    );
    lab.now += 1;
    assert_eq!(lab.ask(&query(4, "c.example", kind::A, None)), None);
}

/// RFC 8767: what was kept is given after 1.8 s without an answer, then at once, for three days, for 30 s each.
#[test]
fn without_a_line_what_was_known_goes_on() {
    let mut lab = Lab::new();
    lab.ask(&query(1, "time.example", kind::A, None));
    let (_, _, asked) = lab.poll().unwrap();
    lab.heard(SERVERS[0], &response(&asked, 0, 1, 60));
    assert!(lab.poll().is_some() && lab.poll().is_none());
    lab.now += 3_600_000;
    let start = lab.now;
    assert_eq!(lab.ask(&query(2, "time.example", kind::A, None)), None);
    let mut sent = StdVec::new();
    while let Some((port, _, message)) = lab.wait(start + 5_000) {
        sent.push((lab.now - start, port == PORT, facts_or_none(port, &message)));
    }
    // Asked on, in case that somebody answers yet.
    assert_eq!(
        sent,
        [
            (0, false, None),
            (900, false, None),
            (1_800, false, None),
            (1_800, true, Some((0, 30))),
            (2_700, false, None)
        ]
    );
    let answer = lab.ask(&query(3, "time.example", kind::A, None)).unwrap();
    assert_eq!(facts(&answer), (0, false, 1, 0, std::vec![30]));
    // No name server at all: the network is gone.
    lab.servers.clear();
    lab.now += (3 * 86_400 - 3_700) * 1_000;
    assert_eq!(
        facts(&lab.ask(&query(4, "time.example", kind::A, None)).unwrap()).0,
        0
    );
    lab.now += 200_000;
    assert_eq!(
        facts(&lab.ask(&query(4, "time.example", kind::A, None)).unwrap()).0,
        2
    );
    assert_eq!(
        facts(&lab.ask(&query(5, "denwaban", kind::A, None)).unwrap()).0,
        0
    );
}

fn facts_or_none(port: u16, message: &[u8]) -> Option<(u8, u32)> {
    (port == PORT).then(|| {
        let (code, .., ttls) = facts(message);
        (code, ttls[0])
    })
}

/// RFC 5452 §9: number, question, server and port have to be those that were asked.
#[test]
fn nobody_else_answers() {
    let mut lab = Lab::new();
    lab.ask(&query(1, "bank.example", kind::A, None));
    let (_, _, asked) = lab.poll().unwrap();
    let good = response(&asked, 0, 1, 60);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= byte;
        bytes
    };
    let forgeries = [
        (SERVERS[0], changed(1, 1)),
        // Another letter (not its case), another type, a query, two questions, a record beyond the end.
        (SERVERS[0], changed(14, 1)),
        (SERVERS[0], changed(27, 2)),
        (SERVERS[0], changed(2, 0x80)),
        (SERVERS[0], changed(5, 3)),
        (SERVERS[0], changed(7, 3)),
        (SERVERS[0], good[..good.len() - 1].to_vec()),
        // It was not asked yet.
        (SERVERS[1], good.clone()),
        (Ipv4Addr::new(192, 168, 1, 66), good.clone()),
    ];
    let count = forgeries.len() as u32;
    for (from, message) in forgeries {
        lab.heard(from, &message);
        assert_eq!(lab.poll(), None, "{}", hex(&message));
    }
    let from = SocketAddrV4::new(SERVERS[0], 54);
    lab.dns
        .answer(Instant(lab.now), &SERVERS, from, &good, &mut lab.reply);
    assert_eq!((lab.poll(), lab.dns.counters().unasked), (None, count + 1));
    lab.heard(SERVERS[0], &good);
    assert_eq!(facts(&lab.poll().unwrap().2).2, 1);
    // And it is over.
    lab.heard(SERVERS[0], &good);
    assert_eq!(lab.poll(), None);
}

/// Ids and ports are as good as random: no two alike in a row, no bit that stays.
#[test]
fn ids_and_ports_change() {
    let mut lab = Lab::new();
    let (mut ids, mut ports) = (StdVec::new(), StdVec::new());
    for index in 0..64 {
        lab.ask(&query(1, &std::format!("n{index}.example"), kind::A, None));
        let (port, _, asked) = lab.poll().unwrap();
        lab.heard(SERVERS[0], &response(&asked, 3, 0, 0));
        assert!(lab.poll().is_some() && lab.poll().is_none());
        ids.push(u16::from_be_bytes([asked[0], asked[1]]));
        ports.push(port & 0x3FFF);
    }
    for (numbers, bits) in [(ids, 16), (ports, 14)] {
        for bit in 0..bits {
            let ones = numbers.iter().filter(|number| *number >> bit & 1 != 0).count();
            assert!((12..=52).contains(&ones), "bit {bit}: {ones} of 64");
        }
    }
}

#[test]
fn floods_and_circles_end() {
    let mut lab = Lab::new();
    // One phone has two questions, and all together four.
    for index in 0..10 {
        lab.ask(&query(index, &std::format!("f{index}.example"), kind::A, None));
    }
    assert_eq!((lab.dns.counters().forwarded, lab.dns.counters().dropped), (2, 8));
    for host in 30..40 {
        lab.ask_from(host, &query(1, &std::format!("g{host}.example"), kind::A, None));
    }
    assert_eq!(lab.dns.counters().forwarded, DNS_ASKED as u32);
    // Own names are answered all the same.
    assert!(lab.ask(&query(9, "denwaban", kind::A, None)).is_some());
    lab.dns.forget_questions();
    // The office's router asks us what we ask it.
    lab.ask(&query(1, "circle.example", kind::A, None));
    lab.poll().unwrap();
    let dropped = lab.dns.counters().dropped;
    assert_eq!(
        lab.ask_from(254, &query(5, "circle.example", kind::A, None)),
        None
    );
    assert_eq!((lab.poll(), lab.dns.counters().dropped), (None, dropped + 1));
}

/// RFC 2308 §5: that a name is not is kept for as long as the zone says, at most five minutes; and not at all if it does not.
#[test]
fn what_is_not_is_kept_too() {
    for (soa, kept) in [
        (Some((600_u32, 120_u32)), 120_u64),
        (Some((30, 900)), 30),
        (Some((9_999, 9_999)), 300),
        (None, 0),
    ] {
        let mut lab = Lab::new();
        lab.ask(&query(1, "none.example", kind::A, None));
        let (_, _, asked) = lab.poll().unwrap();
        let mut bytes = response(&asked, 3, 0, 0);
        if let Some((ttl, minimum)) = soa {
            bytes.truncate(bytes.len() - 11);
            bytes[8..12].copy_from_slice(&[0, 1, 0, 0]);
            bytes.extend([0xC0, 17, 0, 6, 0, 1]);
            bytes.extend(ttl.to_be_bytes());
            bytes.extend([0, 22, 0, 0]);
            bytes.extend([0; 16]);
            bytes.extend(minimum.to_be_bytes());
        }
        lab.heard(SERVERS[0], &bytes);
        assert_eq!(facts(&lab.poll().unwrap().2).0, 3);
        let start = lab.now;
        if kept > 0 {
            lab.now = start + kept * 1_000 - 1;
            assert!(
                lab.ask(&query(2, "none.example", kind::A, None)).is_some(),
                "{soa:?}"
            );
        }
        lab.now = start + kept * 1_000;
        assert_eq!(lab.ask(&query(3, "none.example", kind::A, None)), None, "{soa:?}");
    }
}

/// The one that nobody asked for the longest makes room.
#[test]
fn the_cache_is_bounded() {
    let mut lab = Lab::new();
    for index in 0..=DNS_CACHE {
        lab.now += 10;
        lab.ask(&query(1, &std::format!("c{index}.example"), kind::A, None));
        let (_, _, asked) = lab.poll().unwrap();
        lab.heard(SERVERS[0], &response(&asked, 0, 1, 3_600));
        lab.poll().unwrap();
        lab.now += 10;
        assert!(
            index == 0 || lab.ask(&query(1, "c0.example", kind::A, None)).is_some(),
            "{index}"
        );
    }
    assert_eq!(lab.ask(&query(1, "c1.example", kind::A, None)), None);
    assert!(lab.ask(&query(1, "c2.example", kind::A, None)).is_some());
}

/// A phone of the voice network learns the box's address there.
#[test]
fn the_box_is_where_it_is_asked_from() {
    let mut lab = Lab::new();
    let voice = Subnet {
        prefix: 24,
        ..Subnet::host(Ipv4Addr::new(172, 20, 0, 1))
    };
    let place = Place {
        realm: "c1.pbx.example",
        subnet: &voice,
        servers: &SERVERS,
    };
    let to = To {
        interface: VOICE,
        address: "172.20.0.9:5000".parse().unwrap(),
    };
    let mut room = [0; 512];
    let length = lab
        .dns
        .query(
            Instant(1),
            &mut lab.secret,
            &place,
            to,
            &query(1, "denwaban", kind::A, None),
            &mut room,
        )
        .unwrap();
    assert_eq!(room[length - 4..length], [172, 20, 0, 1]);
}
