//! What the cloud is told of fetches, however many there are.

use super::office::files::{claim, mac};
use super::office::*;
use shared::hub::PhoneModel::{Gxp1628, KxHdv230n};
use shared::hub::{FetchOutcome, FetchRefusal, FileKind};
use shared::sync::{Alarm, EventBody, PhoneFetch};
use std::net::IpAddr;

const GXP: &str = "/cfg000b82000000.xml";

fn ip(index: u16) -> IpAddr {
    Phone::new(index).address.ip()
}

/// The cloud is there; phone 0 at port 1, phone 1 anywhere, a stranger in the office's network.
fn office() -> (Office, IpAddr) {
    let mut site = site(5, 8);
    claim(&mut site, 0, Gxp1628, Some(1), 1);
    claim(&mut site, 1, KxHdv230n, None, 1);
    let mut o = Office::new(&site);
    o.subscribe();
    o.plug(ip(0), mac(0), Some(1));
    o.plug(ip(1), mac(1), Some(2));
    let stranger: IpAddr = "192.168.1.99".parse().unwrap();
    o.plug(stranger, mac(77), None);
    (o, stranger)
}

/// The events that say how many were left out, since the last time.
fn left_out(o: &mut Office) -> Vec<u32> {
    let mut counts = Vec::new();
    o.events.retain(|event| match event {
        EventBody::FetchesLeftOut(count) => {
            counts.push(*count);
            false
        }
        _ => true,
    });
    counts
}

#[test]
fn who_asks_in_others_names_is_told_once_with_his_own() {
    let (mut o, stranger) = office();
    for index in 100..600_u16 {
        assert_eq!(o.denied(stranger, &format!("/cfg000b8200{index:04x}.xml")), 403);
        let peer = std::net::SocketAddr::new(stranger, 2_000);
        assert_eq!(o.read(peer, &format!("cfg000b8200{index:04x}.xml"), ""), Err(2));
    }
    let told = PhoneFetch {
        mac: mac(77),
        port: None,
        file: FileKind::Phone,
        outcome: FetchOutcome::Refused(FetchRefusal::Mac),
    };
    assert_eq!(o.fetches().0, [told]);
    o.wait(1_200_000);
    assert_eq!(left_out(&mut o), []);
}

#[test]
fn strangers_do_not_crowd_out_the_sites_phones() {
    let (mut o, stranger) = office();
    // It makes up a hardware address for every request.
    let asks = |o: &mut Office, from: u16, to: u16| {
        for index in from..to {
            o.plug(stranger, mac(index), None);
            assert_eq!(o.denied(stranger, "/favicon.ico"), 404);
        }
    };
    let told = |o: &mut Office| o.fetches().0.iter().map(|fetch| fetch.mac).collect::<Vec<_>>();
    asks(&mut o, 1_000, 1_500);
    assert_eq!(told(&mut o), (1_000..1_008).map(mac).collect::<Vec<_>>());
    // A phone of the site's, at its port and at another.
    o.get(ip(0), GXP);
    o.plug(stranger, mac(0), Some(3));
    assert_eq!(o.denied(stranger, GXP), 403);
    let (fetches, secrets) = o.fetches();
    let outcomes: Vec<_> = fetches.iter().map(|fetch| fetch.outcome).collect();
    let refused = FetchOutcome::Refused(FetchRefusal::Port);
    assert_eq!(
        (outcomes, secrets.len()),
        (vec![FetchOutcome::ServedSecret, refused], 1)
    );
    // One a minute after that; how many were left out is told once.
    o.wait(120_000);
    asks(&mut o, 2_000, 2_010);
    assert_eq!(told(&mut o), [2_000, 2_001].map(mac));
    assert_eq!(left_out(&mut o), []);
    o.wait(480_000);
    assert_eq!(left_out(&mut o), [492 + 8]);
    o.wait(3_600_000);
    assert_eq!(left_out(&mut o), []);
    asks(&mut o, 3_000, 3_500);
    assert_eq!(told(&mut o).len(), 8);
    // Nor can one who speaks in the name of a phone go on for ever.
    for port in 0..400_u16 {
        o.plug(stranger, mac(0), Some(2 + (port % 3) as u8));
        o.plug(ip(1), mac(1), Some(1 + (port % 4) as u8));
        o.request(
            stranger,
            "GET",
            ["/a", GXP, "/cfg.xml"][usize::from(port / 3 % 3)],
            "test",
        );
        o.request(ip(1), "GET", "/KX-HDV230.cfg", "test");
        o.wait(1_500);
    }
    assert!(told(&mut o).len() < 100);
}

/// While no event is taken, fetches wait or are counted, and none is refused in the place of a call.
#[test]
fn the_queue_is_left_to_what_matters_more() {
    let (mut o, stranger) = office();
    o.full = true;
    for index in 1_000..1_100 {
        o.plug(stranger, mac(index), None);
        assert_eq!(o.denied(stranger, "/favicon.ico"), 404);
    }
    o.get(ip(1), "/KX-HDV230N.cfg");
    o.wait(1_000);
    o.full = false;
    o.acknowledge();
    let refused = o.events.iter().filter_map(|event| match event {
        EventBody::Alarm {
            alarm: Alarm::EventsRefused(count),
            ..
        } => Some(*count),
        _ => None,
    });
    assert_eq!(refused.collect::<Vec<_>>(), [1]);
    let told: Vec<_> = o.fetches().0.iter().map(|fetch| fetch.mac).collect();
    assert_eq!(told, [1_001, 1_002, 1_003, 1_004, 1].map(mac));
}
