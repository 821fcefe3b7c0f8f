//! The few connections for files: who may have one, and for how long.

use super::office::files::{claim, mac};
use super::office::*;
use gateway::Input;
use gateway::provision::HttpEvent;
use shared::hub::PhoneModel::{Gxp1628, KxHdv230n};
use std::net::IpAddr;

const COMMON: &[u8] = b"GET /cfg.xml HTTP/1.0\r\n\r\n";

fn ip(index: u16) -> IpAddr {
    Phone::new(index).address.ip()
}

fn office() -> Office {
    let mut site = site(5, 8);
    claim(&mut site, 0, Gxp1628, Some(1), 1);
    claim(&mut site, 1, KxHdv230n, None, 1);
    let mut o = Office::new(&site);
    o.plug(ip(0), mac(0), Some(1));
    o.plug(ip(1), mac(1), Some(2));
    o
}

fn asks(o: &mut Office, connection: u8, bytes: &[u8]) {
    let event = HttpEvent::Data(bytes);
    o.handle(Input::Http { connection, event });
}

/// Connections that were closed since the last time, and whether something was sent on each.
fn closed(o: &mut Office) -> Vec<(u8, bool)> {
    let all = o.answers.drain(..);
    all.map(|(connection, answer)| (connection, !answer.is_empty()))
        .collect()
}

#[test]
fn a_station_has_one() {
    let mut o = office();
    o.open(0, ip(0));
    o.open(1, ip(1));
    assert_eq!(closed(&mut o), []);
    asks(&mut o, 1, COMMON);
    assert_eq!(closed(&mut o), [(1, true)]);
    // The first one's owner comes again, under another address too: it is done with the first.
    let another: IpAddr = "192.168.1.99".parse().unwrap();
    o.plug(another, mac(0), Some(1));
    o.open(1, another);
    assert_eq!(closed(&mut o), [(0, false)]);
    asks(&mut o, 0, COMMON);
    assert_eq!(closed(&mut o), []);
    // However often it comes, the other is left to others.
    for (new, old) in [(0, 1), (1, 0), (0, 1)] {
        o.open(new, ip(0));
        assert_eq!(closed(&mut o), [(old, false)]);
    }
    o.open(1, ip(1));
    asks(&mut o, 1, COMMON);
    assert_eq!(closed(&mut o), [(1, true)]);
    asks(&mut o, 0, COMMON);
    assert_eq!(closed(&mut o), [(0, true)]);
    // Who is not known has its address.
    o.stations.clear();
    o.open(0, ip(0));
    o.open(1, ip(1));
    assert_eq!(closed(&mut o), []);
    o.open(1, ip(0));
    assert_eq!(closed(&mut o), [(0, false)]);
    o.wait(10_000);
}

#[test]
fn who_does_not_ask_is_sent_away() {
    let mut o = office();
    o.open(0, ip(0));
    o.wait(1_000);
    o.open(1, ip(1));
    o.wait(1_999);
    assert_eq!(closed(&mut o), []);
    o.wait(1);
    assert_eq!(closed(&mut o), [(0, false)]);
    // One that has begun has the time that its transport gives it.
    asks(&mut o, 1, &COMMON[..5]);
    o.wait(5_000);
    asks(&mut o, 1, &COMMON[5..]);
    assert_eq!(closed(&mut o), [(1, true)]);
    o.wait(60_000);
    assert_eq!(closed(&mut o), []);
}
