//! Names, time, logs and addresses for the office, by the box as a whole.

use gateway::office::clock::Quality;
use gateway::office::{OFFICE, PORTS, Subnet, To, VOICE};
use gateway::{Input, Network};
use shared::hub::{Dhcp, Voice};
use shared::sync::{AppAck, Down};
use std::net::Ipv4Addr;

use crate::office::{Office, REALM, site};

const NAMES: u16 = PORTS[0];
const ADDRESSES: u16 = PORTS[1];
const TIME: u16 = PORTS[2];
const LOG: u16 = PORTS[3];
const BOX: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 254);

fn subnet() -> Subnet {
    Subnet {
        prefix: 24,
        router: Some(ROUTER),
        ..Subnet::host(BOX)
    }
}

/// A box in an office with a router.
fn office() -> Office {
    let mut o = Office::new(&site(2, 8));
    o.handle(Input::Network(Network::Up(subnet())));
    o
}

fn to(interface: u8, address: [u8; 4], port: u16) -> To {
    let address = std::net::SocketAddrV4::new(address.into(), port);
    To { interface, address }
}

fn service(o: &mut Office, port: u16, from: To, bytes: &[u8]) {
    o.handle(Input::Service { port, from, bytes });
}

/// What was sent from this port since the last look.
fn sent(o: &mut Office, port: u16) -> Vec<(To, Vec<u8>)> {
    let (own, rest): (Vec<_>, Vec<_>) = o.served.drain(..).partition(|sent| sent.0 == port);
    o.served.extend(rest);
    own.into_iter().map(|(_, to, bytes)| (to, bytes)).collect()
}

fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

fn dhcp(kind: u8, options: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..3].copy_from_slice(&[1, 1, 6]);
    message[28..34].copy_from_slice(&[0, 11, 130, 0, 0, 5]);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, kind]);
    message.extend(options);
    message.push(255);
    message
}

/// The site's realm is the box, on the network that is asked from.
#[test]
fn the_realm_is_the_box() {
    let mut o = office();
    let phone = to(OFFICE, [192, 168, 1, 77], 5_000);
    service(&mut o, NAMES, phone, &question(REALM));
    let [(there, answer)] = &sent(&mut o, NAMES)[..] else {
        panic!("one answer")
    };
    assert_eq!((*there, &answer[answer.len() - 4..]), (phone, &BOX.octets()[..]));
    // Anything else is for the router, by a port of its own.
    service(&mut o, NAMES, phone, &question("time.example"));
    assert_eq!(sent(&mut o, NAMES), []);
    let asked = o
        .served
        .iter()
        .find(|sent| *sent.1.address.ip() == ROUTER && sent.1.address.port() == NAMES);
    let (port, _, mut bytes) = asked.expect("the router is asked").clone();
    assert!(port >= 0xC000);
    // Its answer, with an address.
    bytes.truncate(bytes.len() - 11);
    bytes[2] |= 0x80;
    bytes[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
    bytes.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 9, 9, 9, 9]);
    service(&mut o, port, to(OFFICE, ROUTER.octets(), NAMES), &bytes);
    let answers = sent(&mut o, NAMES);
    assert_eq!(
        (answers.len(), answers[0].0, &answers[0].1[..2]),
        (1, phone, &[0xAB, 0xCD][..])
    );
}

/// Without a router to say it, the cloud's word is the time; it goes on when the cloud is away, and is told as that.
#[test]
fn the_time_goes_on() {
    let mut o = office();
    let ask = |o: &mut Office| {
        let mut request = [0; 48];
        request[0] = 0x23;
        service(o, TIME, to(OFFICE, [192, 168, 1, 77], 123), &request);
        let answers = sent(o, TIME);
        let own = answers.into_iter().find(|(to, _)| *to.address.ip() != ROUTER);
        own.expect("an answer").1
    };
    assert_eq!(ask(&mut o)[0], 0xE4);
    let unix = 1_800_000_000_000;
    o.handle(Input::Uplink(gateway::UplinkInput::Connected));
    o.mqtt(Down::AppAck, &AppAck { up_to: None, unix });
    let answer = ask(&mut o);
    assert_eq!((answer[0], answer[1]), (0x24, 4));
    let seconds = |answer: &[u8]| u32::from_be_bytes(answer[40..44].try_into().unwrap());
    assert_eq!(u64::from(seconds(&answer)), 1_800_000_000 + 2_208_988_800);
    o.handle(Input::Uplink(gateway::UplinkInput::Disconnected));
    o.wait(5 * 3_600_000);
    assert_eq!(o.gateway.office().clock().quality(o.instant()), Quality::HeldOver);
    assert_eq!(u64::from(seconds(&ask(&mut o))), 1_800_018_000 + 2_208_988_800);
}

/// The router is gone, the phones ask for addresses: the box gives them until another server is heard.
#[test]
fn addresses_while_nobody_else_gives_any() {
    let mut o = office();
    let nobody = to(OFFICE, [0; 4], 68);
    let discover = dhcp(1, &[50, 4, 192, 168, 1, 50]);
    service(&mut o, ADDRESSES, nobody, &discover);
    o.wait(6_000);
    let looked = sent(&mut o, ADDRESSES);
    assert_eq!((looked.len(), looked[0].0), (3, to(OFFICE, [255; 4], 67)));
    service(&mut o, ADDRESSES, nobody, &discover);
    // Is somebody there?
    assert_eq!(
        sent(&mut o, ADDRESSES),
        [(to(OFFICE, [192, 168, 1, 50], 9), vec![0])]
    );
    o.handle(Input::Unreachable([192, 168, 1, 50].into()));
    let [(there, offer)] = &sent(&mut o, ADDRESSES)[..] else {
        panic!("an offer")
    };
    assert_eq!(
        (*there, &offer[16..20], offer[242]),
        (to(OFFICE, [255; 4], 68), &[192, 168, 1, 50][..], 2)
    );
    service(
        &mut o,
        ADDRESSES,
        nobody,
        &dhcp(3, &[50, 4, 192, 168, 1, 50, 54, 4, 192, 168, 1, 1]),
    );
    assert_eq!(sent(&mut o, ADDRESSES)[0].1[242], 5);
    // The router is back.
    let address = ROUTER;
    o.handle(Input::DhcpServer {
        interface: OFFICE,
        address,
    });
    service(&mut o, ADDRESSES, nobody, &dhcp(3, &[50, 4, 192, 168, 1, 50]));
    assert_eq!(sent(&mut o, ADDRESSES), []);
}

/// The router's server gives the box another address: it is there, and is looked for by the hardware address it knows.
#[test]
fn who_gives_the_box_its_address_gives_the_others_theirs() {
    let mut o = office();
    let mac = [2, 0, 0, 0, 0, 1];
    o.handle(Input::Hub { mac });
    let (interface, address) = (OFFICE, ROUTER);
    o.handle(Input::DhcpServer { interface, address });
    let subnet = Subnet {
        prefix: 24,
        ..Subnet::host([192, 168, 1, 77].into())
    };
    o.handle(Input::Network(Network::Up(subnet)));
    let nobody = to(OFFICE, [0; 4], 68);
    for looked in [0, 3] {
        service(&mut o, ADDRESSES, nobody, &dhcp(1, &[]));
        o.wait(6_000);
        let sent = sent(&mut o, ADDRESSES);
        assert_eq!(sent.len(), looked);
        assert!(sent.iter().all(|(_, bytes)| bytes[28..34] == mac));
        o.wait(60_000);
    }
}

/// The phones have a network of their own, and the box is its DHCP server by configuration.
#[test]
fn a_voice_network() {
    let mut site = site(2, 8);
    site.sys.dhcp = Dhcp::Always;
    site.sys.voice = Some(Voice {
        vlan: 20,
        address: Ipv4Addr::new(172, 20, 0, 1),
        prefix: 24,
    });
    let mut o = Office::new(&site);
    o.handle(Input::Network(Network::Up(subnet())));
    o.handle(Input::DhcpServer {
        interface: OFFICE,
        address: ROUTER,
    });
    o.wait(6_000);
    sent(&mut o, ADDRESSES);
    for (interface, served) in [(OFFICE, false), (VOICE, true)] {
        let wish = if interface == OFFICE {
            [192, 168, 1, 9]
        } else {
            [172, 20, 0, 9]
        };
        let [a, b, c, d] = wish;
        service(
            &mut o,
            ADDRESSES,
            to(interface, [0; 4], 68),
            &dhcp(3, &[50, 4, a, b, c, d]),
        );
        let answers = sent(&mut o, ADDRESSES);
        assert_eq!(
            answers.iter().any(|(to, _)| to.interface == interface),
            served,
            "{interface}"
        );
    }
    let phone = to(VOICE, [172, 20, 0, 9], 5_000);
    service(&mut o, NAMES, phone, &question("denwaban"));
    let [(there, answer)] = &sent(&mut o, NAMES)[..] else {
        panic!("one answer")
    };
    assert_eq!(
        (*there, &answer[answer.len() - 4..]),
        (phone, &[172, 20, 0, 1][..])
    );
    // Questions of the voice network are passed on in the office's.
    service(&mut o, NAMES, phone, &question("time.example"));
    assert!(
        o.served
            .iter()
            .any(|sent| (sent.1.interface, *sent.1.address.ip()) == (OFFICE, ROUTER) && sent.0 >= 0xC000)
    );
}

/// A phone that warns is heard in the box's own log.
#[test]
fn a_phone_that_warns() {
    let mut o = office();
    let phone = to(OFFICE, [192, 168, 1, 77], 514);
    service(&mut o, LOG, phone, b"<14>all is well");
    service(&mut o, LOG, phone, b"<11>registration failed");
    service(&mut o, LOG, to(OFFICE, [10, 9, 9, 9], 514), b"<8>from elsewhere");
    o.wait(60_000);
    assert_eq!(o.logged, ["registration failed"]);
    let log = o.gateway.office().logs().iter().next().unwrap();
    assert_eq!((log.lines, log.warnings, log.severity), (2, 1, 3));
}
