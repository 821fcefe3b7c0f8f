use super::*;
use std::vec::Vec as StdVec;

const BOX: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 10);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

fn office() -> Subnet {
    Subnet {
        prefix: 24,
        router: Some(ROUTER),
        ..Subnet::host(BOX)
    }
}

fn mac(phone: u8) -> [u8; 6] {
    [0xC0, 0x74, 0xAD, 0, 0, phone]
}

/// A client's message, by hand (RFC 2131 figure 1).
struct Message {
    kind: u8,
    phone: u8,
    own: Ipv4Addr,
    options: StdVec<(u8, StdVec<u8>)>,
}

impl Message {
    fn new(kind: u8, phone: u8) -> Self {
        Self {
            kind,
            phone,
            own: Ipv4Addr::UNSPECIFIED,
            options: StdVec::new(),
        }
    }

    fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    fn at(mut self, own: Ipv4Addr) -> Self {
        self.own = own;
        self
    }

    fn bytes(&self) -> StdVec<u8> {
        let mut bytes = std::vec![0; 240];
        bytes[..3].copy_from_slice(&[1, 1, 6]);
        bytes[4..8].copy_from_slice(&[9, 8, 7, self.phone]);
        bytes[12..16].copy_from_slice(&self.own.octets());
        bytes[28..34].copy_from_slice(&mac(self.phone));
        bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
        bytes.extend([53, 1, self.kind]);
        for (code, value) in &self.options {
            bytes.extend([*code, value.len() as u8]);
            bytes.extend(value);
        }
        bytes.push(255);
        bytes
    }
}

fn discover(phone: u8) -> Message {
    Message::new(1, phone)
}

/// The offer was taken.
fn request(phone: u8, address: Ipv4Addr) -> Message {
    Message::new(3, phone)
        .with(50, &address.octets())
        .with(54, &BOX.octets())
}

/// An answer as a client reads it.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    kind: u8,
    phone: u8,
    to: SocketAddrV4,
    address: Ipv4Addr,
    options: StdVec<(u8, StdVec<u8>)>,
}

impl Got {
    fn read(to: SocketAddrV4, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 300 && bytes[..3] == [2, 1, 6] && bytes[236..240] == [99, 130, 83, 99]);
        assert_eq!(bytes[28..34], mac(bytes[33]));
        let mut options = StdVec::new();
        let mut rest = &bytes[240..];
        while rest[0] != 255 {
            let length = usize::from(rest[1]);
            options.push((rest[0], rest[2..2 + length].to_vec()));
            rest = &rest[2 + length..];
        }
        let (code, kind) = options.remove(0);
        assert_eq!((code, kind.len()), (53, 1));
        Self {
            kind: kind[0],
            phone: bytes[33],
            to,
            address: Ipv4Addr::new(bytes[16], bytes[17], bytes[18], bytes[19]),
            options,
        }
    }

    fn option(&self, code: u8) -> Option<&[u8]> {
        let found = self.options.iter().find(|option| option.0 == code);
        found.map(|(_, value)| &value[..])
    }
}

const ALL: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 68);

/// The server on a clock.
struct Lab {
    server: Server,
    secret: Secret,
    now: u64,
    policy: Policy,
    subnet: Subnet,
    /// When it looked for another server.
    looked: StdVec<u64>,
    /// Addresses that somebody is at who has not asked.
    there: StdVec<Ipv4Addr>,
}

impl Lab {
    fn new(policy: Policy) -> Self {
        let mut server = Server::new();
        server.restart(Instant(0), true);
        Self {
            server,
            secret: Secret::new(&[3; 32]),
            now: 0,
            policy,
            subnet: office(),
            looked: StdVec::new(),
            there: StdVec::new(),
        }
    }

    /// A server that has found no other.
    fn serving(policy: Policy) -> Self {
        let mut lab = Self::new(policy);
        assert_eq!(lab.hear(&discover(250)), None);
        lab.wait(6_000);
        assert!(lab.server.serves());
        lab
    }

    fn hear(&mut self, message: &Message) -> Option<Got> {
        let mut room = [0xEE; REPLY_MAX];
        let (now, message) = (Instant(self.now), message.bytes());
        let (to, length) = self
            .server
            .receive(now, &self.subnet, self.policy, &message, &mut room)?;
        Some(Got::read(to, &room[..length]))
    }

    /// Time passes; hosts that are not there do not answer ARP. What is said to clients.
    fn wait(&mut self, ms: u64) -> StdVec<Got> {
        let end = self.now + ms;
        let mut got = StdVec::new();
        let mut silent = StdVec::new();
        loop {
            let mut room = [0xEE; REPLY_MAX];
            let (now, policy) = (Instant(self.now), self.policy);
            while let Some((to, length)) =
                self.server
                    .poll(now, &mut self.secret, &self.subnet, policy, &mut room)
            {
                match to.port() {
                    67 => {
                        assert_eq!((*to.ip(), &room[..3]), (Ipv4Addr::BROADCAST, &[1, 1, 6][..]));
                        // The box's hardware address or one that nobody has, an answer to all, DHCPDISCOVER.
                        let [a, b, c, d, e, ..] = self.secret.name();
                        let asks = self.server.mac.unwrap_or([2, a, b, c, d, e]);
                        assert_eq!(
                            (&room[28..34], room[10], &room[240..243]),
                            (&asks[..], 0x80, &[53, 1, 1][..])
                        );
                        self.looked.push(self.now);
                    }
                    9 if !self.there.contains(to.ip()) => silent.push((self.now + 750, *to.ip())),
                    9 => {}
                    _ => got.push(Got::read(to, &room[..length])),
                }
            }
            let next = self.server.next_deadline(policy).0;
            let next = silent.iter().map(|(at, _)| *at).chain([next]).min().unwrap();
            if next > end {
                self.now = end;
                return got;
            }
            assert!(next > self.now, "a deadline that is not met at {}", self.now);
            self.now = next;
            silent.retain(|(at, address)| {
                if *at == next {
                    self.server.unreachable(*address);
                }
                *at > next
            });
        }
    }

    /// A phone gets its address.
    fn lease(&mut self, phone: u8) -> Ipv4Addr {
        let offered = match self.hear(&discover(phone)) {
            Some(offer) => offer,
            None => self.wait(1_000).pop().expect("an offer"),
        };
        assert_eq!((offered.kind, offered.phone, offered.to), (2, phone, ALL));
        let granted = self.hear(&request(phone, offered.address)).unwrap();
        assert_eq!(
            (granted.kind, granted.to, granted.address),
            (5, ALL, offered.address)
        );
        offered.address
    }
}

/// (policy, what it hears when, when it looks for another, whether it serves after 30 s)
#[test]
fn it_looks_before_it_serves() {
    // By configuration: at once.
    let mut lab = Lab::new(Policy::Always);
    lab.wait(5_999);
    assert_eq!(
        (&lab.looked[..], lab.server.serves()),
        (&[0, 2_000, 4_000][..], false)
    );
    assert_eq!(lab.hear(&discover(1)), None);
    lab.wait(1);
    assert!(lab.server.serves());
    // And every minute from then on.
    lab.wait(125_000);
    assert_eq!(lab.looked[3..], [66_000, 126_000]);

    // By itself: when a client asks and nobody answers. It has its own hardware address by now.
    let mut lab = Lab::new(Policy::Auto);
    lab.server.set_mac([2, 0, 0, 0, 0, 1]);
    lab.wait(3_600_000);
    assert!(lab.looked.is_empty());
    let start = lab.now;
    assert_eq!(lab.hear(&discover(1)), None);
    lab.wait(6_000);
    assert_eq!(lab.looked, [start, start + 2_000, start + 4_000]);
    assert!(lab.server.serves());

    // Never.
    let mut lab = Lab::new(Policy::Never);
    assert_eq!(lab.hear(&discover(1)), None);
    lab.wait(60_000);
    assert!(lab.looked.is_empty() && !lab.server.serves());
}

#[test]
fn never_beside_another() {
    for policy in [Policy::Auto, Policy::Always] {
        // Heard while it looks: it does not begin. It is not looked for again within a minute.
        let mut lab = Lab::new(policy);
        lab.hear(&discover(1));
        lab.wait(3_000);
        lab.server.yield_to(Instant(lab.now));
        let (looked, start) = (lab.looked.len(), lab.now);
        lab.wait(59_000);
        lab.hear(&discover(1));
        assert_eq!(
            (lab.looked.len(), lab.server.serves()),
            (looked, false),
            "{policy:?}"
        );
        // By configuration again by itself, otherwise when somebody asks.
        lab.wait(2_000);
        lab.hear(&discover(1));
        lab.wait(10);
        assert_eq!(lab.looked.len(), looked + 1, "{policy:?} {start}");

        // Heard while it serves: silent at once, whoever asks; what it leased stays leased.
        let mut lab = Lab::serving(policy);
        let address = lab.lease(1);
        lab.server.yield_to(Instant(lab.now));
        assert_eq!(lab.hear(&discover(2)), None);
        assert_eq!(lab.hear(&Message::new(3, 1).at(address)), None);
        assert_eq!(lab.wait(5_000), []);
        assert_eq!(lab.server.holder(address), Some(mac(1)));
        assert_eq!(lab.server.counters().yielded, 1);

        // A client chooses the other's offer: there is another.
        let mut lab = Lab::serving(policy);
        let chosen = Message::new(3, 1)
            .with(54, &ROUTER.octets())
            .with(50, &[192, 168, 1, 77]);
        assert_eq!((lab.hear(&chosen), lab.server.serves()), (None, false));
    }
}

/// An offer on the wire, in full.
/// The server that has just given the box its own address is one; that the network is another by it does not undo that.
#[test]
fn who_gave_the_box_its_address_is_another() {
    for policy in [Policy::Auto, Policy::Always] {
        for first in [true, false] {
            let mut lab = Lab::new(policy);
            if !first {
                lab = Lab::serving(policy);
            }
            lab.looked.clear();
            lab.server.yield_to(Instant(lab.now));
            lab.server.restart(Instant(lab.now), true);
            for _ in 0..59 {
                assert_eq!(lab.hear(&discover(1)), None);
                lab.wait(1_000);
            }
            assert_eq!((&lab.looked[..], lab.server.serves()), (&[][..], false));
            // It may be gone since: then it does not answer.
            lab.wait(1_000);
            lab.hear(&discover(1));
            lab.wait(6_000);
            assert_eq!((lab.looked.len(), lab.server.serves()), (3, true));
        }
    }
}

#[test]
fn golden_bytes() {
    let mut lab = Lab::serving(Policy::Auto);
    let message = discover(1)
        .with(50, &[192, 168, 1, 100])
        .with(60, b"Grandstream GXP1628")
        // Mask, router, time offset, names, logs, time, vendors' own, TFTP name, SIP, TFTP address, files.
        .with(55, &[1, 3, 2, 6, 7, 42, 43, 66, 120, 150, 160]);
    assert_eq!(lab.hear(&message), None);
    let offer = lab.wait(1_000).pop().unwrap();
    assert_eq!(
        (offer.kind, offer.to, offer.address),
        (2, ALL, Ipv4Addr::new(192, 168, 1, 100))
    );
    let box_ = BOX.octets().to_vec();
    let expected: StdVec<(u8, StdVec<u8>)> = std::vec![
        (54, box_.clone()),
        (51, 600_u32.to_be_bytes().to_vec()),
        (58, 300_u32.to_be_bytes().to_vec()),
        (59, 525_u32.to_be_bytes().to_vec()),
        (1, std::vec![255, 255, 255, 0]),
        (3, ROUTER.octets().to_vec()),
        (6, box_.clone()),
        (2, std::vec![0, 0, 0x7E, 0x90]),
        (7, box_.clone()),
        (42, box_.clone()),
        (66, b"http://192.168.1.10/".to_vec()),
        (120, std::vec![1, 192, 168, 1, 10]),
        (150, box_),
        (160, b"http://192.168.1.10/".to_vec()),
    ];
    assert_eq!(offer.options, expected);
    // Who asks for nothing gets what every host needs.
    let plain = lab
        .hear(&Message::new(3, 3).with(50, &[192, 168, 1, 102]))
        .unwrap();
    let codes: StdVec<u8> = plain.options.iter().map(|option| option.0).collect();
    assert_eq!(codes, [54, 51, 58, 59, 1, 3, 6]);
}

/// The router is gone: phones go on with the addresses that it gave them, by whatever way they ask.
#[test]
fn phones_keep_what_they_had() {
    let mut lab = Lab::serving(Policy::Auto);
    let had = Ipv4Addr::new(192, 168, 1, 33);
    // After a power cut (INIT-REBOOT), and when the lease runs out (REBINDING): the second is heard at its address.
    let reboot = lab.hear(&Message::new(3, 1).with(50, &had.octets())).unwrap();
    assert_eq!((reboot.kind, reboot.address, reboot.to), (5, had, ALL));
    let rebind = lab.hear(&Message::new(3, 1).at(had)).unwrap();
    assert_eq!(
        (rebind.kind, rebind.address, rebind.to),
        (5, had, SocketAddrV4::new(had, 68))
    );
    // Another cannot have it, nor one of another network, nor the box's, the router's, or that of nobody.
    let refused = |lab: &mut Lab, wish: [u8; 4]| {
        let got = lab.hear(&Message::new(3, 2).with(50, &wish)).unwrap();
        let codes: StdVec<u8> = got.options.iter().map(|option| option.0).collect();
        (got.kind, got.to, got.address, codes) == (6, ALL, Ipv4Addr::UNSPECIFIED, std::vec![54])
    };
    for wish in [
        [192, 168, 1, 33],
        [192, 168, 2, 5],
        [192, 168, 1, 10],
        [192, 168, 1, 1],
        [192, 168, 1, 0],
        [192, 168, 1, 255],
    ] {
        assert!(refused(&mut lab, wish), "{wish:?}");
    }
    // A NAK goes to all, though the client has an address.
    let wrong = lab
        .hear(&Message::new(3, 2).at(Ipv4Addr::new(10, 0, 0, 5)))
        .unwrap();
    assert_eq!((wrong.kind, wrong.to), (6, ALL));
    // The lease runs out: another may have it.
    lab.wait(600_000);
    assert!(!refused(&mut lab, had.octets()));
}

#[test]
fn the_same_phone_gets_the_same_address() {
    let mut lab = Lab::serving(Policy::Always);
    let first = lab.lease(1);
    let second = lab.lease(2);
    assert_ne!(first, second);
    // Known: at once, without a trial; long after the lease as well.
    assert_eq!(lab.hear(&discover(1)).unwrap().address, first);
    lab.wait(3 * 86_400_000);
    assert_eq!(lab.hear(&discover(1)).unwrap().address, first);
    // Another box, or this one after a power cut, would give it the same.
    assert_eq!(Lab::serving(Policy::Always).lease(1), first);
    // Given back: still its own.
    lab.lease(1);
    assert_eq!(lab.hear(&Message::new(7, 1).at(first)), None);
    assert_eq!(lab.lease(1), first);
}

/// RFC 2131 §2.2: an address is tried before it is offered; who is found there keeps it.
#[test]
fn somebody_is_there_already() {
    let mut lab = Lab::serving(Policy::Auto);
    let usual = Lab::serving(Policy::Auto).lease(1);
    lab.there.push(usual);
    lab.hear(&discover(1));
    let start = lab.now;
    let offer = lab.wait(5_000).pop().unwrap();
    assert_ne!(offer.address, usual);
    assert_eq!((lab.server.counters().taken, lab.server.holder(usual)), (1, None));
    assert!(start + 1_500 + 750 <= lab.now);
    // The client's own trial (DHCPDECLINE): another address, and that one to nobody for ten minutes.
    lab.hear(&request(1, offer.address)).unwrap();
    let decline = Message::new(4, 1)
        .with(50, &offer.address.octets())
        .with(54, &BOX.octets());
    assert_eq!(lab.hear(&decline), None);
    let third = lab.lease(1);
    assert!(third != usual && third != offer.address);
    let wish = Message::new(3, 2).with(50, &offer.address.octets());
    assert_eq!(lab.hear(&wish).unwrap().kind, 6);
    lab.wait(600_000);
    assert_eq!(lab.hear(&wish).unwrap().kind, 5);
    // Nobody declines what another has.
    let stolen = Message::new(4, 3)
        .with(50, &offer.address.octets())
        .with(54, &BOX.octets());
    lab.hear(&stolen);
    assert_eq!(lab.server.holder(offer.address), Some(mac(2)));
    // Everybody is there: it gives up and is asked again.
    let mut lab = Lab::serving(Policy::Auto);
    lab.there = (0..=255).map(|host| Ipv4Addr::new(192, 168, 1, host)).collect();
    lab.hear(&discover(1));
    assert_eq!(
        (lab.wait(30_000), lab.server.counters().taken),
        (std::vec![], 1 + u32::from(TRIES))
    );
}

#[test]
fn an_office_that_is_powered_in_one_go() {
    let mut lab = Lab::serving(Policy::Always);
    let mut leased = StdVec::new();
    let mut waiting: StdVec<u8> = (0..DHCP_LEASES as u8).collect();
    // Phones ask again after 4, 8, 16 s (RFC 2131 §4.1).
    for _ in 0..16 {
        let mut offers = StdVec::new();
        for phone in &waiting {
            offers.extend(lab.hear(&discover(*phone)));
        }
        offers.extend(lab.wait(4_000));
        for offer in offers {
            assert_eq!(lab.hear(&request(offer.phone, offer.address)).unwrap().kind, 5);
            leased.push(offer.address);
            waiting.retain(|phone| *phone != offer.phone);
        }
        if waiting.is_empty() {
            break;
        }
    }
    assert!(
        waiting.is_empty() && lab.now < 6_000 + 8 * 4_000 + 1,
        "{waiting:?} at {}",
        lab.now
    );
    leased.sort();
    leased.dedup();
    assert_eq!(leased.len(), DHCP_LEASES);
    // No room for one more, until one is over.
    let full = lab.server.counters().full;
    let free = (1..=254)
        .map(|host| Ipv4Addr::new(192, 168, 1, host))
        .rfind(|address| !leased.contains(address))
        .unwrap();
    let wish = Message::new(3, 200).with(50, &free.octets());
    assert_eq!(lab.hear(&wish), None);
    assert_eq!(lab.server.counters().full, full + 1);
    lab.hear(&Message::new(7, 0).at(leased[0]));
    assert_eq!(lab.hear(&wish).unwrap().kind, 5);
}

/// A phone that asks for an offer, and then for the address it had, has that one: what was being tried for it is not offered, and does
/// not make its own free for another.
#[test]
fn an_offer_that_comes_late() {
    let mut lab = Lab::serving(Policy::Always);
    assert_eq!(lab.hear(&discover(1)), None);
    let had = Ipv4Addr::new(192, 168, 1, 33);
    let again = Message::new(3, 1).with(50, &had.octets());
    assert_eq!(lab.hear(&again).unwrap().kind, 5);
    assert_eq!(lab.wait(2_000), []);
    assert_eq!(lab.server.holder(had), Some(mac(1)));
    let other = Message::new(3, 2).with(50, &had.octets());
    assert_eq!(lab.hear(&other).unwrap().kind, 6);
    // Nor is it offered to who waits for it meanwhile.
    let wanted = Ipv4Addr::new(192, 168, 1, 44);
    assert_eq!(lab.hear(&discover(3).with(50, &wanted.octets())), None);
    let had = Message::new(3, 4).with(50, &wanted.octets());
    assert_eq!(lab.hear(&had).unwrap().kind, 5);
    assert_eq!(lab.wait(2_000), []);
    assert_eq!(lab.server.holder(wanted), Some(mac(4)));
}

/// A network without a router, with room for five.
#[test]
fn a_small_network() {
    let mut lab = Lab::new(Policy::Always);
    lab.subnet = Subnet {
        prefix: 29,
        ..Subnet::host(BOX)
    };
    lab.wait(6_000);
    let mut given = StdVec::new();
    for phone in 1..=6 {
        lab.hear(&discover(phone));
        given.extend(lab.wait(1_000).into_iter().map(|offer| {
            assert_eq!(offer.option(3), None);
            offer.address.octets()[3]
        }));
    }
    given.sort();
    // .8 is the network, .10 the box, .15 the broadcast.
    assert_eq!(given, [9, 11, 12, 13, 14]);
    // Renumbered: what was leased is forgotten.
    lab.server.restart(Instant(lab.now), true);
    assert!((8..16).all(|host| lab.server.holder(Ipv4Addr::new(192, 168, 1, host)).is_none()));
}

#[test]
fn what_is_no_request() {
    let mut lab = Lab::serving(Policy::Auto);
    let good = Message::new(3, 1).with(50, &[192, 168, 1, 33]).bytes();
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let mut padded = good[..240].to_vec();
    padded.extend([0, 0]);
    padded.extend(&good[240..good.len() - 1]);
    let mut group = good.clone();
    group[28] = 0xC1;
    for (message, answered) in [
        (good.clone(), true),
        // Pads are skipped, and the end may be missing.
        (padded, true),
        // A reply, of no Ethernet, by a relay, without cookie, without kind, a kind that is none.
        (changed(0, 2), false),
        (changed(1, 6), false),
        (changed(27, 1), false),
        (changed(239, 1), false),
        (changed(240, 54), false),
        (changed(242, 9), false),
        (changed(242, 2), false),
        // An option that goes beyond the end; half an option; nobody's hardware address.
        (good[..good.len() - 2].to_vec(), false),
        (good[..241].to_vec(), false),
        (good[..240].to_vec(), false),
        (group, false),
        (StdVec::new(), false),
    ] {
        let subnet = office();
        let mut room = [0; REPLY_MAX];
        let answer = lab
            .server
            .receive(Instant(lab.now), &subnet, lab.policy, &message, &mut room);
        assert_eq!(answer.is_some(), answered, "{}", message.escape_ascii());
    }
    // To know the rest alone (DHCPINFORM): no address, no time.
    let inform = lab
        .hear(
            &Message::new(8, 5)
                .at(Ipv4Addr::new(192, 168, 1, 44))
                .with(55, &[42]),
        )
        .unwrap();
    assert_eq!(
        (inform.kind, inform.address, inform.to.ip().octets()[3]),
        (5, Ipv4Addr::UNSPECIFIED, 44)
    );
    let codes: StdVec<u8> = inform.options.iter().map(|option| option.0).collect();
    assert_eq!(codes, [54, 1, 3, 6, 42]);
}
