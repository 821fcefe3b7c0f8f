//! Phones find their firmware at the box.

use super::office::files::{claim, mac, p, setting};
use super::office::*;
use gateway::Input;
use gateway::provision::HttpEvent;
use sha2::{Digest, Sha256};
use shared::hub::{FetchOutcome, FetchRefusal, FileKind, Mac, PhoneFirmware, PhoneModel};
use shared::site::Site;
use shared::sync::{EventBody, PhoneFetch};
use std::net::IpAddr;

use PhoneModel::{Gxp1628, KxHdv230n};

const NAME: &str = "gxp1600fw.bin";
const PATH: &str = "/gxp1600fw.bin";
const SIZE: usize = 70_000;

/// What the maker of the file wrote: letters, which the harness can show.
fn maker_file() -> String {
    (0..SIZE)
        .map(|at| char::from(b'a' + (at * at / 7 % 26) as u8))
        .collect()
}

fn firmware(model: PhoneModel, name: &str, bytes: &str) -> PhoneFirmware {
    PhoneFirmware {
        model,
        name: name.try_into().unwrap(),
        version: "1.0.7.76".try_into().unwrap(),
        size: bytes.len() as u32,
        hash: Sha256::digest(bytes).into(),
    }
}

fn ip(index: u16) -> IpAddr {
    Phone::new(index).address.ip()
}

fn path(index: u16) -> String {
    format!("/cfg000b8200{index:04x}.xml")
}

/// So many GXP1628 and a KX-HDV230N behind them, all of which have what the box gave them and are registered; the line is up.
fn office(gxps: u16) -> (Office, Site) {
    let mut site = site(gxps + 1, 8);
    for index in 0..gxps {
        claim(&mut site, index, Gxp1628, None, 1);
    }
    claim(&mut site, gxps, KxHdv230n, None, 1);
    let mut o = Office::new(&site);
    o.subscribe();
    for index in 0..gxps {
        o.plug(ip(index), mac(index), None);
        register(&mut o, index);
    }
    o.plug(ip(gxps), mac(gxps), None);
    let file = o.get(ip(gxps), &format!("/Config{:012X}.cfg", number(mac(gxps))));
    let mut phone = Phone::new(gxps);
    phone.password = setting(&file, "SIP_PASS_1").unwrap().into();
    o.register(&phone);
    o.fetches();
    (o, site)
}

fn number(Mac([a, b, c, d, e, f]): Mac) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// The phone fetches what is its own, and registers.
fn register(o: &mut Office, index: u16) {
    let file = o.get(ip(index), &path(index));
    let mut phone = Phone::new(index);
    if let Some(password) = p(&file, 34) {
        phone.password = password.into();
        o.register(&phone);
    }
    // As it is after that: without the password.
    o.get(ip(index), &path(index));
}

/// The site with its firmware.
fn with_firmware(site: &Site, bytes: &str) -> Site {
    let mut site = site.clone();
    site.sys.firmware.push(firmware(Gxp1628, NAME, bytes)).unwrap();
    site
}

/// Who was told to fetch again.
fn told(o: &mut Office, phones: u16) -> Vec<u16> {
    let is_told = |o: &Office, index: u16| {
        let to_it = |seen: &&Seen| seen.peer == Phone::new(index).address && seen.what() == "NOTIFY";
        let mut all = o.seen.iter().filter(to_it);
        all.any(|seen| seen.header("Event") == "check-sync")
    };
    let told = (0..phones).filter(|index| is_told(o, *index)).collect();
    o.seen.clear();
    told
}

fn outcomes(o: &mut Office) -> Vec<(FileKind, FetchOutcome)> {
    let (fetches, _) = o.fetches();
    fetches
        .into_iter()
        .map(|PhoneFetch { file, outcome, .. }| (file, outcome))
        .collect()
}

#[test]
fn phones_are_told_of_firmware_when_it_is_there_and_whole() {
    let bytes = maker_file();
    let (mut o, site) = office(1);
    let wants = with_firmware(&site, &bytes);
    o.configure(&wants, 2);
    o.wait(1_000);
    assert_eq!(told(&mut o, 2), []);
    assert_eq!(p(&o.get(ip(0), &path(0)), 238), Some("2"));
    assert_eq!(o.denied(ip(0), PATH), 404);
    // The line is cut, then the power.
    o.give_firmware(&[&bytes], 131);
    o.handle(Input::Uplink(gateway::UplinkInput::Disconnected));
    let mut o = o.restart();
    o.subscribe();
    o.plug(ip(0), mac(0), None);
    assert_eq!(
        o.give_firmware(&[&bytes], usize::MAX),
        (SIZE - 65_536).div_ceil(512)
    );
    let came = EventBody::PhoneFirmware {
        model: Gxp1628,
        hash: wants.sys.firmware[0].hash,
    };
    assert!(o.events.contains(&came), "{:?}", o.events);
    o.wait(1_000);
    // The phone of the model, and no other.
    assert_eq!(told(&mut o, 2), [0]);
    o.fetches();
    assert_eq!(p(&o.get(ip(0), &path(0)), 238), Some("0"));
    assert!(o.get(ip(0), PATH) == bytes);
    assert_eq!(
        outcomes(&mut o),
        [
            (FileKind::Phone, FetchOutcome::ServedSpent),
            (FileKind::Firmware, FetchOutcome::Served)
        ]
    );
    // The line is away and the power was: it is there.
    let mut o = o.restart();
    o.plug(ip(0), mac(0), None);
    assert!(o.get(ip(0), PATH) == bytes);
    // In a folder too; not by another name, or by TFTP.
    assert!(o.get(ip(0), "/fw/gxp1600fw.bin?v=1") == bytes);
    let head = o.request(ip(0), "HEAD", PATH, "test");
    assert_eq!(head, Some((200, String::new())));
    // Nobody else, though he knows its name.
    let stranger: IpAddr = "192.168.1.99".parse().unwrap();
    o.plug(stranger, mac(900), None);
    o.plug(ip(1), mac(1), None);
    for other in [stranger, ip(1), "192.168.1.98".parse().unwrap()] {
        assert_eq!(o.denied(other, PATH), 403, "{other}");
    }
    for name in ["/gxp1600fw.bin.bin", "/GXP1600fw.bin", "/ht801fw.bin"] {
        assert_eq!(o.denied(ip(0), name), 404, "{name}");
    }
    assert_eq!(o.read(Phone::new(0).address, NAME, ""), Err(1));
    // It is wanted no more: the phone is told, and keeps what it has.
    let mut o = o.restart();
    o.subscribe();
    o.plug(ip(0), mac(0), None);
    o.configure(&site, 3);
    o.wait(1_000);
    assert_eq!(told(&mut o, 2), [0]);
    assert_eq!(p(&o.get(ip(0), &path(0)), 238), Some("2"));
    assert_eq!(o.denied(ip(0), PATH), 404);
}

#[test]
fn downloads_leave_a_connection_to_others_and_take_turns() {
    let bytes = maker_file();
    let (mut o, site) = office(3);
    o.configure(&with_firmware(&site, &bytes), 2);
    o.give_firmware(&[&bytes], usize::MAX);
    o.wait(1_000);
    assert_eq!(told(&mut o, 3), [0, 1, 2]);
    for index in 0..3 {
        o.get(ip(index), &path(index));
    }
    o.fetches();
    // The first is at it; the others are turned away, and find their other files all the same.
    o.slow_download = true;
    assert_eq!(o.request(ip(0), "GET", PATH, "test"), None);
    for index in [1, 2] {
        let answer = o.request_on(1, ip(index), "GET", PATH, "test");
        assert_eq!(answer, Some((503, String::new())));
        let answer = o.request_on(1, ip(index), "GET", &path(index), "test");
        assert!(matches!(answer, Some((200, _))), "{answer:?}");
    }
    let busy = FetchOutcome::Refused(FetchRefusal::Busy);
    let firmware = outcomes(&mut o)
        .into_iter()
        .filter(|(kind, _)| *kind == FileKind::Firmware);
    assert_eq!(
        firmware.map(|(_, outcome)| outcome).collect::<Vec<_>>(),
        [FetchOutcome::Served, busy, busy]
    );
    o.wait(60_000);
    assert_eq!(told(&mut o, 3), []);
    // As soon as it is done they are told, one after the other.
    o.handle(Input::Http {
        connection: 0,
        event: HttpEvent::Closed,
    });
    o.wait(1_000);
    assert_eq!(told(&mut o, 3), [1]);
    o.slow_download = false;
    assert!(o.get(ip(1), PATH) == bytes);
    o.wait(5_000);
    assert_eq!(told(&mut o, 3), [2]);
    // Who got it in the meantime by itself is not told.
    o.slow_download = true;
    assert_eq!(o.request(ip(0), "GET", PATH, "test"), None);
    for index in [1, 2] {
        assert_eq!(
            o.request_on(1, ip(index), "GET", PATH, "test"),
            Some((503, String::new()))
        );
    }
    o.slow_download = false;
    o.wait(10_000);
    o.handle(Input::Http {
        connection: 0,
        event: HttpEvent::Closed,
    });
    o.wait(1_000);
    assert!(o.get(ip(2), PATH) == bytes);
    o.wait(60_000);
    assert_eq!(told(&mut o, 3), [1]);
}

/// A phone that wants something else meanwhile is to ask again: half of its firmware would be for nothing.
#[test]
fn a_download_is_not_given_up_for_another_file() {
    let bytes = maker_file();
    let (mut o, site) = office(2);
    o.configure(&with_firmware(&site, &bytes), 2);
    o.give_firmware(&[&bytes], usize::MAX);
    o.slow_download = true;
    assert_eq!(o.request(ip(0), "GET", PATH, "test"), None);
    o.open(1, ip(0));
    assert_eq!(o.answers.pop_back(), Some((1, String::new())));
    assert!(matches!(
        o.request_on(1, ip(1), "GET", &path(1), "test"),
        Some((200, _))
    ));
    o.slow_download = false;
    o.fetch_answer(0);
    let (_, rest) = o.answers.pop_back().unwrap();
    assert!(rest.len() > SIZE - 200, "{}", rest.len());
    assert!(matches!(
        o.request_on(1, ip(0), "GET", &path(0), "test"),
        Some((200, _))
    ));
}

/// A new phone in the place of another, of the same model: it finds its firmware as soon as it is the ID's. The one that was so goes
/// on with what it has begun, but not for ever.
#[test]
fn a_phone_that_replaces_another_gets_it_once_it_is_claimed() {
    let bytes = maker_file();
    let (mut o, site) = office(2);
    let mut wants = with_firmware(&site, &bytes);
    o.configure(&wants, 2);
    o.give_firmware(&[&bytes], usize::MAX);
    o.slow_download = true;
    assert_eq!(o.request(ip(0), "GET", PATH, "test"), None);
    o.slow_download = false;
    let new: IpAddr = "192.168.1.60".parse().unwrap();
    o.plug(new, mac(900), None);
    let config = "/cfg000b82000384.xml";
    let get = |o: &mut Office, path: &str| o.request_on(1, new, "GET", path, "test").unwrap();
    assert_eq!(p(&get(&mut o, config).1, 238), Some("2"));
    assert_eq!(get(&mut o, PATH).0, 403);
    let phone = wants.ids[0].phone.as_mut().unwrap();
    (phone.mac, phone.claim) = (mac(900), 2);
    o.configure(&wants, 3);
    assert_eq!(p(&get(&mut o, config).1, 238), Some("0"));
    assert_eq!(get(&mut o, PATH).0, 503, "its turn comes");
    o.fetch_answer(0);
    let (_, rest) = o.answers.pop_back().unwrap();
    assert!(rest.len() > SIZE - 200, "{}", rest.len());
    assert!(get(&mut o, PATH).1 == bytes);
}

#[test]
fn nobody_fetches_for_longer_than_ten_minutes() {
    let bytes = maker_file();
    let (mut o, site) = office(1);
    o.configure(&with_firmware(&site, &bytes), 2);
    o.give_firmware(&[&bytes], usize::MAX);
    o.slow_download = true;
    assert_eq!(o.request(ip(0), "GET", PATH, "test"), None);
    o.wait(599_999);
    assert_eq!(o.answers.len(), 0);
    o.wait(1);
    assert_eq!(o.answers.pop_back(), Some((0, String::new())));
}

#[test]
fn a_download_ends_when_the_file_is_another() {
    let bytes = maker_file();
    let (mut o, site) = office(1);
    o.configure(&with_firmware(&site, &bytes), 2);
    o.give_firmware(&[&bytes], usize::MAX);
    o.slow_download = true;
    assert_eq!(o.request(ip(0), "GET", PATH, "test"), None);
    o.slow_download = false;
    // Other changes do not end it.
    let mut other = with_firmware(&site, &bytes);
    other.sys.international = true;
    o.configure(&other, 3);
    o.fetch_answer(0);
    let (_, answer) = o.answers.pop_back().unwrap();
    assert!(answer.len() > SIZE - 200, "{}", answer.len());
    o.slow_download = true;
    assert_eq!(o.request(ip(0), "GET", PATH, "test"), None);
    o.slow_download = false;
    let next = bytes.to_uppercase();
    o.configure(&with_firmware(&site, &next), 4);
    o.fetch_answer(0);
    assert_eq!(o.answers.pop_back().unwrap().1, "");
    assert_eq!(o.denied(ip(0), PATH), 404);
    o.give_firmware(&[&next], usize::MAX);
    assert!(o.get(ip(0), PATH) == next);
}
