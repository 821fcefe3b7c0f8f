//! Phones configure themselves from the box.

use super::office::files::{claim, mac, p, setting, with_password};
use super::office::*;
use super::power::FED;
use gateway::power::{Feed, PortOrder, PortReading};
use gateway::{Input, UplinkInput};
use shared::IdKey;
use shared::hub::{FetchOutcome, FetchRefusal, FileKind, PhoneModel};
use shared::sync::{EventBody, PhoneFetch, Up};
use std::net::IpAddr;

use PhoneModel::{Gxp1628, KxHdv230n};

pub fn key(index: u16) -> IdKey {
    IdKey::new(index).unwrap()
}

pub fn ip(index: u16) -> IpAddr {
    Phone::new(index).address.ip()
}

/// Five phones; 0 is a GXP1628 at port 1, 1 a KX-HDV230N that may be anywhere, the others are set by hand.
pub fn office() -> Office {
    let mut site = site(5, 8);
    claim(&mut site, 0, Gxp1628, Some(1), 1);
    claim(&mut site, 1, KxHdv230n, None, 1);
    let mut o = Office::new(&site);
    o.subscribe();
    o.plug(ip(0), mac(0), Some(1));
    o.plug(ip(1), mac(1), Some(2));
    o
}

pub fn registers(o: &mut Office, phone: &Phone) -> bool {
    o.rx(phone.address, &phone.register(1, ""));
    let Some(place) = o.seen.iter().position(|seen| seen.peer == phone.address) else {
        panic!("no answer")
    };
    let challenge = o.seen.remove(place).unwrap();
    // As anybody, whoever it is.
    assert_eq!(challenge.what(), "401");
    let line = phone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(phone.address, &phone.register(2, &line));
    let place = o.seen.iter().position(|seen| seen.peer == phone.address);
    o.seen.remove(place.unwrap()).unwrap().what() == "200"
}

pub const GXP: &str = "/cfg000b82000000.xml";
pub const HDV: &str = "/Config000B82000001.cfg";

pub fn fetch(index: u16, port: Option<u8>, file: FileKind, outcome: FetchOutcome) -> PhoneFetch {
    PhoneFetch {
        mac: mac(index),
        port,
        file,
        outcome,
    }
}

#[test]
fn an_unknown_phone_waits_until_it_is_claimed() {
    let mut o = office();
    let new = mac(0x1234);
    let at: IpAddr = "192.168.1.60".parse().unwrap();
    o.plug(at, new, Some(4));
    let agent = "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId 000b82001234";
    let (status, file) = o.request(at, "GET", "/cfg000b82001234.xml", agent).unwrap();
    assert_eq!(
        (status, p(&file, 270), p(&file, 31)),
        (200, Some("登録待ち 001234"), Some("0"))
    );
    assert_eq!((p(&file, 35), p(&file, 34)), (Some(""), Some("")));
    let (fetches, _) = o.fetches();
    let outcome = FetchOutcome::Refused(FetchRefusal::Unclaimed);
    assert_eq!(
        fetches,
        [PhoneFetch {
            mac: new,
            port: Some(4),
            file: FileKind::Phone,
            outcome
        }]
    );
    {
        let (waiting, more) = o.gateway.waiting();
        let waiting: Vec<_> = waiting.collect();
        assert_eq!((waiting.len(), more), (1, 0));
        assert_eq!(
            (waiting[0].mac, waiting[0].model, waiting[0].port),
            (new, Some(Gxp1628), Some(4))
        );
    }
    o.quiet();
    // It is claimed, and told at once to fetch again.
    let mut site = o.gateway.site().clone();
    claim(&mut site, 2, Gxp1628, None, 1);
    site.ids[2].phone.as_mut().unwrap().mac = new;
    o.configure(&site, 2);
    let notify = o.expect(address("192.168.1.60:5060"), "NOTIFY");
    assert_eq!(notify.header("Event"), "check-sync");
    assert_eq!(o.gateway.waiting().0.count(), 0);
    let file = o.get(at, "/cfg000b82001234.xml");
    let mut phone = with_password(2, p(&file, 34).unwrap());
    phone.address = address("192.168.1.60:5060");
    assert!(registers(&mut o, &phone));
    o.seen.clear();
    o.wait(100_000);
    o.quiet();
}

/// A phone without an account may not listen: when it does not come, what is fed at its port starts anew, and nothing else does.
#[test]
fn a_claimed_phone_that_does_not_listen_is_switched_off_and_on() {
    let off = PortReading {
        feed: Feed::Off,
        ..FED
    };
    // (what is special, times told in a minute and a half, orders)
    for (case, notifies, cycled) in [
        ("", 3, true),
        ("another phone is registered there", 3, false),
        ("its port does not feed", 3, false),
        ("not at a port", 3, false),
        ("hears the second time", 2, false),
        ("is given up", 1, false),
        ("is claimed for another port", 1, false),
    ] {
        let mut o = office();
        if case == "another phone is registered there" {
            o.plug(ip(1), mac(1), Some(4));
            let phone = with_password(1, setting(&o.get(ip(1), HDV), "SIP_PASS_1").unwrap());
            assert!(registers(&mut o, &phone));
            o.get(ip(1), HDV);
        }
        let fourth = if case == "its port does not feed" {
            off
        } else {
            FED
        };
        o.reads([FED, FED, FED, fourth]);
        o.power.clear();
        let at = address("192.168.1.60:5060");
        o.plug(at.ip(), mac(2), Some(4).filter(|_| case != "not at a port"));
        let path = "/cfg000b82000002.xml";
        o.get(at.ip(), path);
        o.fetches();
        let before = o.gateway.site().clone();
        let mut site = before.clone();
        let port = (case == "is claimed for another port").then_some(3);
        claim(&mut site, 2, Gxp1628, port, 1);
        o.configure(&site, 2);
        match case {
            "hears the second time" => {
                o.wait(20_000);
                o.get(at.ip(), path);
            }
            "is given up" => {
                o.configure(&before, 3);
                assert_eq!(o.gateway.waiting().0.count(), 1);
            }
            "is claimed for another port" => assert_eq!(o.denied(at.ip(), path), 403),
            _ => {}
        }
        o.wait(90_000);
        let told = o
            .seen
            .iter()
            .filter(|seen| seen.peer == at && seen.what() == "NOTIFY");
        let orders: Vec<_> = o.power.drain(..).collect();
        let expected = if cycled { vec![(3, PortOrder::Off)] } else { vec![] };
        assert_eq!((told.count(), orders), (notifies, expected), "{case}");
        let event = EventBody::PortCycled { port: 4 };
        assert_eq!(o.events.contains(&event), cycled, "{case}");
        o.wait(90_000);
        assert!(o.power.is_empty(), "{case}");
    }
}

#[test]
fn more_strangers_than_can_be_listed_are_counted() {
    let mut o = office();
    let asks = |o: &mut Office, index: u16| {
        let at: IpAddr = format!("192.168.1.{index}").parse().unwrap();
        o.plug(at, mac(index), None);
        o.get(at, &format!("/cfg000b820000{index:02x}.xml"));
    };
    let waiting = |o: &Office| {
        let (waiting, more) = o.gateway.waiting();
        (waiting.count(), more)
    };
    // However often they ask.
    for index in (100..120).chain(100..120) {
        asks(&mut o, index);
    }
    assert_eq!(waiting(&o), (16, 4));
    // The time passes, in the last minute of it with the cloud there.
    let wait = |o: &mut Office, ms| {
        o.wait(ms - 60_000);
        o.handle(Input::Uplink(UplinkInput::Disconnected));
        o.published(Up::Hello);
        o.subscribe();
        o.wait(5_000);
        o.reports();
        o.wait(60_000);
    };
    // They ask every hour; those that have not done so twice are gone, and the cloud knows.
    let hour = 3_600_000;
    o.wait(2 * hour);
    asks(&mut o, 100);
    assert_eq!(waiting(&o), (16, 4));
    wait(&mut o, hour / 2);
    assert_eq!(waiting(&o), (1, 4));
    assert_eq!(o.reports().pop().unwrap().waiting.len(), 1);
    // There is room for one that was only counted.
    asks(&mut o, 117);
    assert_eq!(waiting(&o), (2, 3));
    wait(&mut o, 5 * hour / 2);
    assert_eq!(waiting(&o), (0, 0));
    let report = o.reports().pop().unwrap();
    assert_eq!((report.waiting.len(), report.unlisted), (0, 0));
    o.nothing_left();
}

#[test]
fn equal_fetches_are_told_once() {
    let mut o = office();
    for _ in 0..5 {
        assert_eq!(o.denied(ip(0), "/cfg000b82000000"), 404);
        assert_eq!(o.get(ip(1), "/KX-HDV230N.cfg"), o.get(ip(1), "/KX-HDV230.cfg"));
    }
    let unknown = FetchOutcome::Refused(FetchRefusal::NotFound);
    let told = [
        fetch(0, Some(1), FileKind::Unknown, unknown),
        fetch(1, Some(2), FileKind::Common, FetchOutcome::Served),
    ];
    assert_eq!(o.fetches().0, told);
    o.wait(600_000);
    o.denied(ip(0), "/cfg000b82000000");
    assert_eq!(o.fetches().0, [told[0]]);
}

#[test]
fn the_file_waits_for_the_flash() {
    let mut o = office();
    o.slow = true;
    assert_eq!(o.request(ip(0), "GET", GXP, "test"), None);
    // The old one lives until then.
    assert!(o.fetches().1.is_empty());
    assert!(o.flash());
    let (status, file) = o.answered().unwrap();
    assert_eq!((status, p(&file, 34).is_some()), (200, true));
    assert_eq!(o.fetches().1.len(), 1);
    // What it has now is written down as well.
    assert!(o.flash());
    // Over TFTP too.
    let peer = address("192.168.1.51:2000");
    o.plug(peer.ip(), mac(1), Some(2));
    let station = Some(o.stations[&peer.ip()]);
    let bytes = b"\0\x01Config000B82000001.cfg\0octet\0";
    o.handle(Input::Tftp {
        peer,
        station,
        is_request: true,
        bytes,
    });
    assert!(o.tftp.is_empty());
    assert!(o.flash());
    assert_eq!(o.tftp.pop_front().unwrap().1[..4], [0, 3, 0, 1]);
}

#[test]
fn tftp_serves_what_http_serves() {
    let mut o = office();
    let peer = address("192.168.1.50:2000");
    for (name, options) in [
        ("KX-HDV230N.cfg", ""),
        ("cfg.xml", "blksize\x001468\0tsize\x000\0"),
    ] {
        assert_eq!(o.read(peer, name, options), Ok(o.get(ip(1), &format!("/{name}"))));
    }
    assert_eq!(o.read(peer, "cfg000b82000000", ""), Err(1));
    assert_eq!(o.read(peer, "cfg000b82000000.xml", ""), Err(2));
    o.plug(peer.ip(), mac(0), Some(1));
    let file = o.read(peer, "cfg000b82000000.xml", "blksize\x00100\0").unwrap();
    let over_http = o.get(ip(0), GXP);
    assert_eq!(
        file.replace(p(&file, 34).unwrap(), ""),
        over_http.replace(p(&over_http, 34).unwrap(), "")
    );
    o.nothing_left();
}

#[test]
fn a_phone_is_told_when_its_file_changes() {
    let mut o = office();
    let phone = with_password(0, p(&o.get(ip(0), GXP), 34).unwrap());
    assert!(registers(&mut o, &phone));
    o.wait(1_000);
    o.quiet();
    // The next configuration says nothing new to it.
    let mut site = o.gateway.site().clone();
    site.ids[0].direct_out = false;
    o.configure(&site, 2);
    o.wait(1_000);
    o.quiet();
    // A key of it gets another label.
    site.ids[3].label = "Sales & Co".try_into().unwrap();
    o.configure(&site, 3);
    o.wait(1_000);
    let notify = o.expect(phone.address, "NOTIFY");
    assert_eq!(notify.header("Event"), "check-sync");
    assert!(notify.text.starts_with("NOTIFY sip:phone@"), "{}", notify.text);
    o.quiet();
    // It does not hear, and is told again; then it has fetched.
    o.wait(60_100);
    o.expect(phone.address, "NOTIFY");
    assert!(o.get(ip(0), GXP).contains("Sales &amp; Co"));
    o.wait(200_000);
    o.quiet();
    // By order it fetches whatever it has.
    o.hub_order(shared::sync::HubOrder::CheckSync(Some(key(0))));
    o.expect(phone.address, "NOTIFY");
    o.get(ip(0), GXP);
    o.seen.clear();
    o.wait(200_000);
    o.quiet();
}

/// An order is a datagram that may be lost, to a phone that may not be there.
#[test]
fn an_order_stands_until_the_phone_has_fetched() {
    let order = |o: &mut Office| o.hub_order(shared::sync::HubOrder::CheckSync(Some(key(0))));
    let mut o = office();
    let phone = with_password(0, p(&o.get(ip(0), GXP), 34).unwrap());
    assert!(registers(&mut o, &phone));
    o.get(ip(0), GXP);
    o.wait(200_000);
    o.seen.clear();
    // Gone when it is ordered to: it is told when it is back, as often as any.
    o.until(2_000_000, |o| o.gateway.registered().count() == 0);
    order(&mut o);
    o.wait(200_000);
    o.quiet();
    assert!(registers(&mut o, &phone));
    let told = |o: &mut Office, ms: u64| {
        o.wait(ms);
        let notifies = o.seen.iter().filter(|seen| seen.what() == "NOTIFY").count();
        o.seen.clear();
        notifies
    };
    assert_eq!(
        [1_000, 60_000, 60_000, 200_000].map(|ms| told(&mut o, ms)),
        [1, 1, 1, 0]
    );
    // Nothing of it is left.
    assert!(registers(&mut o, &phone));
    assert_eq!(told(&mut o, 10_000), 0);
    // It hears the second time.
    order(&mut o);
    assert_eq!(told(&mut o, 60_500), 2);
    o.get(ip(0), GXP);
    assert_eq!(told(&mut o, 200_000), 0);
}

#[test]
fn a_file_that_broke_off_is_not_what_the_phone_has() {
    let mut o = office();
    let phone = with_password(0, p(&o.get(ip(0), GXP), 34).unwrap());
    assert!(registers(&mut o, &phone));
    o.wait(1_000);
    let mut site = o.gateway.site().clone();
    site.ids[3].label = "Sales".try_into().unwrap();
    o.configure(&site, 2);
    o.wait(1_000);
    o.expect(phone.address, "NOTIFY");
    // Its first block comes, and nothing more is heard of it.
    let (peer, station) = (address("192.168.1.50:2000"), o.stations.get(&ip(0)).copied());
    o.plug(peer.ip(), mac(0), Some(1));
    o.handle(Input::Tftp {
        peer,
        station,
        is_request: true,
        bytes: b"\0\x01cfg000b82000000.xml\0octet\0",
    });
    o.wait(60_100);
    assert!(o.tftp.drain(..).all(|(_, packet)| packet[..4] == [0, 3, 0, 1]));
    o.expect(phone.address, "NOTIFY");
    o.read(peer, "cfg000b82000000.xml", "").unwrap();
    o.wait(200_000);
    o.quiet();
}

#[test]
fn never_in_a_call() {
    let mut o = office();
    let phone = with_password(0, p(&o.get(ip(0), GXP), 34).unwrap());
    let other = Phone::new(3);
    assert!(registers(&mut o, &phone));
    o.register(&other);
    let caller = o.dial(&other, "200", "c1");
    let invite = o.expect(phone.address, "INVITE");
    let callee = o.take(&invite);
    let mut caller = o.connected(caller);
    o.seen.clear();
    let mut site = o.gateway.site().clone();
    site.ids[4].label = "Store".try_into().unwrap();
    o.configure(&site, 2);
    o.wait(30_000);
    assert!(o.seen.iter().all(|seen| seen.what() != "NOTIFY"), "{:?}", o.seen);
    o.hang_up(&mut caller, &callee);
    o.seen.clear();
    o.wait(5_100);
    o.expect(phone.address, "NOTIFY");
}

#[test]
fn a_phone_finds_the_box_by_multicast() {
    let mut o = office();
    let at = address("192.168.1.60:5060");
    let subscribe = |vendor: &str, model: &str| {
        format!(
            "SUBSCRIBE sip:MAC%3a0080F0001234@224.0.1.75 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.168.1.60:5060;branch=z9hG4bK1;rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:MAC%3a0080F0001234@224.0.1.75>;tag=1\r\n\
             To: <sip:MAC%3a0080F0001234@224.0.1.75>\r\n\
             Call-ID: a\r\nCSeq: 1 SUBSCRIBE\r\n\
             Contact: <sip:192.168.1.60:5060>\r\n\
             Event: ua-profile;profile-type=\"device\";vendor=\"{vendor}\";model=\"{model}\";version=\"01.234\"\r\n\
             Expires: 0\r\nAccept: application/url\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for (vendor, model, url) in [
        ("Panasonic", "KX-HDV230N", "http://192.168.1.1/{MODEL}.cfg"),
        ("Grandstream", "GXP1628", "http://192.168.1.1/"),
    ] {
        o.rx(at, &subscribe(vendor, model));
        let ok = o.expect(at, "200");
        assert_eq!(ok.header("Expires"), "0");
        let notify = o.expect(at, "NOTIFY");
        assert_eq!(notify.header("Content-Type"), "application/url");
        assert!(
            notify.text.ends_with(&format!("\r\n\r\n{url}")),
            "{}",
            notify.text
        );
        assert_eq!(notify.header("To"), "<sip:MAC%3a0080F0001234@224.0.1.75>;tag=1");
        o.quiet();
    }
    // Whom it does not concern says nothing.
    o.rx(at, &subscribe("snom", "D120"));
    o.quiet();
}

#[test]
fn without_an_address_nothing_is_given() {
    let mut o = office();
    o.handle(Input::Network(gateway::Network::Down));
    assert_eq!(o.denied(ip(0), GXP), 503);
}

/// Every file names the box: phones that hear it are told to fetch, and what is being fetched is void.
#[test]
fn a_new_address_is_told() {
    let mut o = office();
    let password = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
    let phone = with_password(0, &password);
    assert!(registers(&mut o, &phone));
    o.get(ip(0), GXP);
    o.wait(1_000);
    o.quiet();
    o.renumber("192.168.1.77");
    o.wait(1_000);
    let notify = o.expect(phone.address, "NOTIFY");
    assert_eq!(notify.header("Event"), "check-sync");
    assert!(notify.header("Via").contains("192.168.1.77"), "{}", notify.text);
    assert_eq!(p(&o.get(ip(0), GXP), 47), Some(REALM));
    assert_eq!(p(&o.get(ip(0), GXP), 48), Some("192.168.1.77:5060"));
    assert!(registers(&mut o, &phone));
    // The line is cut for a while: it is the same address again, and nothing is news.
    o.handle(gateway::Input::Network(gateway::Network::Down));
    o.wait(1_000);
    o.renumber("192.168.1.77");
    o.wait(200_000);
    o.quiet();
}

/// What the cloud makes of a phone's fetch is a configuration that comes while the phone still has half of its file.
#[test]
fn a_file_goes_on_while_the_configuration_changes() {
    for is_whole in [true, false] {
        let mut o = office();
        let peer = Phone::new(0).address;
        let station = o.stations.get(&peer.ip()).copied();
        let say = |o: &mut Office, is_request, bytes: &[u8]| {
            o.handle(Input::Tftp {
                peer,
                station,
                is_request,
                bytes,
            });
            o.tftp.pop_front().map(|(_, packet)| packet)
        };
        let first = say(&mut o, true, b"\0\x01cfg000b82000000.xml\0octet\0").unwrap();
        assert_eq!((first[1], first.len()), (3, 516));
        let mut site = o.gateway.site().clone();
        match is_whole {
            true => site.credentials[0].ha1_md5 = [1; 16],
            false => site.ids[0].label = "受付".try_into().unwrap(),
        }
        o.configure(&site, 2);
        let mut end = None;
        for block in 1..=u8::MAX {
            let Some(packet) = say(&mut o, false, &[0, 4, 0, block]) else {
                break;
            };
            assert_eq!(packet[1], 3);
            if packet.len() < 516 {
                end = Some(packet);
                break;
            }
        }
        let is_end = end.is_some_and(|packet| packet.ends_with(b"</gs_provision>\n"));
        assert_eq!(is_end, is_whole);
    }
}
