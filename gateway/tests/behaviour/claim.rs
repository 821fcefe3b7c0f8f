//! Who gets a password: the phone that is claimed, at its own port, once per claim.

use super::office::files::{claim, mac, p, setting, with_password};
use super::office::*;
use super::provision::{GXP, HDV, fetch, ip, key, office, registers};
use gateway::store::map::SETTINGS;
use gateway::{Input, UplinkInput};
use shared::hub::{FetchOutcome, FetchRefusal, FileKind};
use shared::sync::{Alarm, EventBody, Up};
use std::net::IpAddr;

use shared::hub::PhoneModel::{Gxp1628, KxHdv230n};

#[test]
fn a_phone_gets_its_password_once_per_claim() {
    let mut o = office();
    // What the configuration says is void as soon as the phone has its own.
    let old = Phone::new(0);
    assert!(registers(&mut o, &old));
    let file = o.get(ip(0), GXP);
    assert_eq!(
        (p(&file, 47), p(&file, 48)),
        (Some(REALM), Some("192.168.1.1:5060"))
    );
    assert_eq!(p(&file, 2333), Some("cloud.example:5060"));
    assert_eq!(p(&file, 35), Some(old.user.as_str()));
    let password = p(&file, 34).unwrap().to_string();
    assert_eq!(password.len(), 20);
    let (fetches, secrets) = o.fetches();
    assert_eq!(
        fetches,
        [fetch(0, Some(1), FileKind::Phone, FetchOutcome::ServedSecret)]
    );
    let phone = with_password(0, &password);
    let [secret] = &secrets[..] else {
        panic!("{secrets:?}")
    };
    assert_eq!((secret.key, secret.claim, secret.serial), (key(0), 1, 1));
    assert_eq!(secret.ha1_md5[..], phone.ha1_md5()[..]);
    assert_eq!(secret.ha1_sha256[..], phone.ha1_sha256()[..]);
    assert!(!registers(&mut o, &old));
    // Until it has registered, each fetch gives another, and the last is dead.
    let second = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
    assert_ne!(second, password);
    assert!(!registers(&mut o, &phone));
    let phone = with_password(0, &second);
    assert!(registers(&mut o, &phone));
    // Then it keeps what it has.
    let file = o.get(ip(0), GXP);
    assert_eq!((p(&file, 34), p(&file, 36)), (None, Some(phone.user.as_str())));
    o.fetches();
    assert!(registers(&mut o, &phone));
    // A power cut changes nothing of it.
    let mut o = o.restart();
    o.plug(ip(0), mac(0), Some(1));
    assert_eq!(p(&o.get(ip(0), GXP), 34), None);
    assert!(registers(&mut o, &phone));
    o.seen.clear();
    o.nothing_left();
}

#[test]
fn a_new_claim_gives_a_new_password() {
    let mut o = office();
    let first = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
    let phone = with_password(0, &first);
    assert!(registers(&mut o, &phone));
    assert_eq!(p(&o.get(ip(0), GXP), 34), None);
    let mut site = o.gateway.site().clone();
    claim(&mut site, 0, Gxp1628, Some(1), 2);
    o.wait(1_000);
    o.quiet();
    o.configure(&site, 2);
    // It is told, although its file says nothing else; until it has fetched, it goes on with the one it has.
    o.wait(1_000);
    assert_eq!(o.expect(phone.address, "NOTIFY").header("Event"), "check-sync");
    assert!(registers(&mut o, &phone));
    let second = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
    assert_ne!(second, first);
    assert!(!registers(&mut o, &phone));
    assert!(registers(&mut o, &with_password(0, &second)));
    // An older configuration gives nothing back.
    claim(&mut site, 0, Gxp1628, Some(1), 1);
    o.configure(&site, 3);
    assert_eq!(p(&o.get(ip(0), GXP), 34), None);
    o.wait(200_000);
    o.quiet();
}

/// Its password was changed while it was not there, or in a long call: it cannot register, and is told to fetch all the same.
#[test]
fn a_phone_whose_password_is_void_is_told() {
    let mut o = office();
    let phone = with_password(0, p(&o.get(ip(0), GXP), 34).unwrap());
    assert!(registers(&mut o, &phone));
    o.get(ip(0), GXP);
    o.until(2_000_000, |o| o.gateway.registered().count() == 0);
    o.seen.clear();
    o.handle(Input::Uplink(UplinkInput::Disconnected));
    o.published(Up::Hello);
    o.subscribe();
    let mut site = o.gateway.site().clone();
    claim(&mut site, 0, Gxp1628, Some(1), 2);
    site.credentials[0].ha1_md5 = [1; 16];
    site.credentials[0].ha1_sha256 = [1; 32];
    o.configure(&site, 2);
    o.wait(200_000);
    o.quiet();
    // Not who is elsewhere.
    o.plug(ip(0), mac(0), Some(2));
    assert!(!registers(&mut o, &phone));
    o.quiet();
    o.plug(ip(0), mac(0), Some(1));
    assert!(!registers(&mut o, &phone));
    assert_eq!(o.expect(phone.address, "NOTIFY").header("Event"), "check-sync");
    let second = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
    assert!(!registers(&mut o, &phone));
    assert!(registers(&mut o, &with_password(0, &second)));
    o.get(ip(0), GXP);
    o.seen.clear();
    o.wait(200_000);
    o.quiet();
}

#[test]
fn nobody_else_gets_it() {
    let mut o = office();
    let stranger: IpAddr = "192.168.1.99".parse().unwrap();
    let told = |o: &mut Office| {
        o.fetches()
            .0
            .into_iter()
            .map(|fetch| fetch.outcome)
            .collect::<Vec<_>>()
    };
    let refused = |refusal| vec![FetchOutcome::Refused(refusal)];
    // In the name of another hardware address.
    o.plug(stranger, mac(77), Some(1));
    assert_eq!(o.denied(stranger, GXP), 403);
    assert_eq!(told(&mut o), refused(FetchRefusal::Mac));
    // From another port, with the right one.
    o.plug(stranger, mac(0), Some(2));
    assert_eq!(o.denied(stranger, GXP), 403);
    assert_eq!(told(&mut o), refused(FetchRefusal::Port));
    // From the office's network.
    o.plug(stranger, mac(0), None);
    assert_eq!(o.denied(stranger, GXP), 403);
    // From who knows where.
    o.stations.clear();
    assert_eq!(o.denied(stranger, GXP), 403);
    o.fetches();
    // It says that it is another, or another model.
    o.wait(600_000);
    o.plug(ip(0), mac(0), Some(1));
    let agent = "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId 000b82000009";
    assert_eq!(o.request(ip(0), "GET", GXP, agent).unwrap().0, 403);
    assert_eq!(told(&mut o), refused(FetchRefusal::Mac));
    let agent = "Grandstream Model HW HT801 SW 1.0.10.6 DevId 000b82000000";
    assert_eq!(o.request(ip(0), "GET", GXP, agent).unwrap().0, 403);
    assert_eq!(told(&mut o), refused(FetchRefusal::Model));
    // Nor in another maker's form.
    assert_eq!(o.denied(ip(0), "/Config000B82000000.cfg"), 403);
    o.fetches();
    // None of it has cost a password.
    let agent = "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId 000b82000000";
    let (status, file) = o.request(ip(0), "GET", GXP, agent).unwrap();
    assert_eq!((status, p(&file, 34).is_some()), (200, true));
    assert_eq!(o.fetches().1[0].serial, 1);
}

#[test]
fn a_stolen_password_is_worth_nothing_elsewhere() {
    let mut o = office();
    let password = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
    let phone = with_password(0, &password);
    let mut thief = with_password(0, &password);
    thief.address = address("192.168.1.99:5060");
    let alarm = EventBody::Alarm {
        alarm: Alarm::Intruder(key(0)),
        raised: true,
    };
    let alarms = |o: &Office| o.events.iter().filter(|event| **event == alarm).count();
    // At another port, with its own hardware address or the phone's; the cloud is told once.
    for (mac, port) in [(mac(77), Some(1)), (mac(0), Some(2)), (mac(0), None)] {
        o.plug(thief.address.ip(), mac, port);
        assert!(!registers(&mut o, &thief));
        assert_eq!(alarms(&o), 1);
    }
    assert_eq!(o.gateway.registered().count(), 0);
    assert!(registers(&mut o, &phone));
    let over = EventBody::Alarm {
        alarm: Alarm::Intruder(key(0)),
        raised: false,
    };
    assert!(o.events.contains(&over));
    // The next alarm rests, so that it can be raised and ended no end of times.
    let count = |o: &Office| {
        let of = |event: &&EventBody| matches!(event, EventBody::Alarm { .. });
        o.events.iter().filter(of).count()
    };
    for _ in 0..3 {
        assert_eq!(
            (registers(&mut o, &thief), registers(&mut o, &phone)),
            (false, true)
        );
        assert_eq!(count(&o), 2);
    }
    o.wait(2 * 3_600_000);
    o.seen.clear();
    assert!(!registers(&mut o, &thief));
    assert_eq!(count(&o), 3);
    // It calls as nobody either, even with the phone's address.
    o.plug(ip(0), mac(0), Some(3));
    let dialog = o.dial_only(&phone, "203", "c1");
    o.refused(&dialog, "403");
    o.nothing_left();
}

/// Who has no password learns nothing, and does nothing.
#[test]
fn guesses_tell_nothing() {
    let mut o = office();
    let from = address("192.168.1.99:5060");
    o.plug(from.ip(), mac(77), Some(3));
    let mut answers = Vec::new();
    // Claimed phones, one that is set by hand, and nobody; without a password, and with a wrong one.
    for index in [0, 1, 3, 40] {
        let mut phone = with_password(index, "wrong");
        phone.address = from;
        o.rx(from, &phone.register(1, ""));
        let challenge = o.expect(from, "401");
        let line = phone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
        o.rx(from, &phone.register(2, &line));
        let text = challenge.text + &o.expect(from, "401").text;
        let names = text
            .lines()
            .filter_map(|line| Some(line.split_once(':')?.0.to_string()));
        answers.push(names.collect::<Vec<_>>());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert!(
        !o.events
            .iter()
            .any(|event| matches!(event, EventBody::Alarm { .. }))
    );
}

/// With a hub it is known who is where; whoever is not known is not the phone.
#[test]
fn at_a_hub_the_unknown_are_not_at_home() {
    let mut o = office();
    let phone = Phone::new(0);
    let home = o.stations[&ip(0)];
    o.stations.clear();
    assert!(
        registers(&mut o, &phone),
        "without one nothing is known against it"
    );
    o.handle(Input::Hub { mac: [2; 6] });
    assert!(!registers(&mut o, &phone));
    let dialog = o.dial_only(&phone, "203", "c1");
    o.refused(&dialog, "403");
    // Nor do they get a place among those who fetch.
    assert_eq!(o.read(phone.address, "cfg.xml", ""), Err(2));
    o.stations.insert(ip(0), home);
    assert!(o.read(phone.address, "cfg.xml", "").is_ok());
    assert!(registers(&mut o, &phone));
    // Nor is the phone of the office's network at home when it is heard at two ports at once.
    let file = |o: &mut Office| o.request(ip(1), "GET", HDV, "test").unwrap().0;
    o.plug(ip(1), mac(1), None);
    let phone = with_password(1, setting(&o.get(ip(1), HDV), "SIP_PASS_1").unwrap());
    assert!(registers(&mut o, &phone));
    o.stations.get_mut(&ip(1)).unwrap().port = None;
    assert_eq!((registers(&mut o, &phone), file(&mut o)), (false, 403));
    o.plug(ip(1), mac(1), None);
    assert_eq!((registers(&mut o, &phone), file(&mut o)), (true, 200));
}

#[test]
fn a_phone_without_a_port_belongs_where_it_is_first_seen() {
    let mut o = office();
    let file = o.get(ip(1), HDV);
    let password = setting(&file, "SIP_PASS_1").unwrap().to_string();
    assert_eq!(setting(&file, "SIP_PRXY_ADDR_1"), Some("192.168.1.1"));
    assert_eq!(setting(&file, "SIP_2NDPROXY_ADDR_1"), Some("cloud.example"));
    let phone = with_password(1, &password);
    assert!(registers(&mut o, &phone));
    o.plug(ip(1), mac(1), Some(3));
    assert_eq!(o.denied(ip(1), HDV), 403);
    assert!(!registers(&mut o, &phone));
    // So it is after a power cut.
    let mut o = o.restart();
    o.subscribe();
    o.plug(ip(1), mac(1), Some(3));
    assert_eq!(o.denied(ip(1), HDV), 403);
    // A new claim may be anywhere again.
    let mut site = o.gateway.site().clone();
    claim(&mut site, 1, KxHdv230n, None, 2);
    o.configure(&site, 2);
    assert!(setting(&o.get(ip(1), HDV), "SIP_PASS_1").is_some());
}

/// Set up at a desk in the office's network, and then plugged into a port with power: with its password the phone moves, once.
#[test]
fn a_phone_may_move_from_outside_to_a_port() {
    let mut o = office();
    o.plug(ip(1), mac(1), None);
    let password = setting(&o.get(ip(1), HDV), "SIP_PASS_1").unwrap().to_string();
    let phone = with_password(1, &password);
    assert!(registers(&mut o, &phone));
    o.get(ip(1), HDV);
    // A forged address gets nothing, and moves nothing.
    o.plug(ip(1), mac(1), Some(3));
    assert_eq!(o.denied(ip(1), HDV), 403);
    let mut thief = with_password(1, "guessed");
    assert!(!registers(&mut o, &thief));
    // Nor does its REGISTER of before, once more.
    o.plug(ip(1), mac(1), None);
    o.rx(phone.address, &phone.register(3, ""));
    let challenge = o.expect(phone.address, "401");
    let line = phone.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    let heard = phone.register(4, &line);
    o.rx(phone.address, &heard);
    o.expect(phone.address, "200");
    o.plug(ip(1), mac(1), Some(3));
    o.rx(phone.address, &heard);
    o.expect(phone.address, "401");
    assert_eq!(o.denied(ip(1), HDV), 403);
    // Nor the password with another address.
    thief.password = password;
    o.plug(ip(1), mac(77), Some(3));
    assert!(!registers(&mut o, &thief));
    let alarms = |o: &Office| {
        let of = |event: &&EventBody| matches!(event, EventBody::Alarm { .. });
        o.events.iter().filter(of).count()
    };
    assert_eq!(alarms(&o), 1);
    // The phone itself is at home there, and from then on nowhere else.
    o.plug(ip(1), mac(1), Some(3));
    assert!(registers(&mut o, &phone));
    assert_eq!(alarms(&o), 2, "it is over");
    assert_eq!(setting(&o.get(ip(1), HDV), "SIP_PASS_1"), None);
    let mut o = o.restart();
    o.subscribe();
    for (port, is_home) in [(None, false), (Some(2), false), (Some(3), true)] {
        o.plug(ip(1), mac(1), port);
        assert_eq!(registers(&mut o, &phone), is_home, "{port:?}");
        assert_eq!(o.request(ip(1), "GET", HDV, "test").unwrap().0 == 200, is_home);
    }
}

/// A phone that was claimed for a port moves nowhere, whatever it has.
#[test]
fn a_named_port_is_the_only_one() {
    let mut o = office();
    let phone = with_password(0, p(&o.get(ip(0), GXP), 34).unwrap());
    for port in [Some(2), None, Some(3)] {
        o.plug(ip(0), mac(0), port);
        assert!(!registers(&mut o, &phone), "{port:?}");
    }
    o.plug(ip(0), mac(0), Some(1));
    assert!(registers(&mut o, &phone));
}

#[test]
fn a_flash_that_fails_gives_no_password() {
    let mut o = office();
    o.broken = true;
    assert_eq!(o.request(ip(0), "GET", GXP, "test").unwrap().0, 503);
    assert!(registers(&mut o, &Phone::new(0)), "the old one lives");
    o.broken = false;
    o.wait(2_000);
    // It has not got its file.
    o.expect(Phone::new(0).address, "NOTIFY");
    let file = o.get(ip(0), GXP);
    let serials: Vec<_> = o.fetches().1.iter().map(|secret| secret.serial).collect();
    assert_eq!(serials.last(), Some(&2));
    assert!(registers(&mut o, &with_password(0, p(&file, 34).unwrap())));
}

/// The cloud is the phone's backup proxy: it has to know the password whatever else it does not hear of.
#[test]
fn a_secret_that_found_no_room_is_told_again() {
    let mut o = office();
    o.full = true;
    let password = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
    assert!(o.fetches().1.is_empty());
    o.wait(1_000);
    o.full = false;
    // There is room as soon as the cloud has taken something.
    o.acknowledge();
    let alarms = o.events.iter().filter(|event| {
        let EventBody::Alarm { alarm, .. } = event else {
            return false;
        };
        matches!(alarm, Alarm::EventsRefused(_))
    });
    assert_eq!(alarms.count(), 1);
    let secrets = o.fetches().1;
    let [secret] = &secrets[..] else {
        panic!("{secrets:?}")
    };
    let phone = with_password(0, &password);
    assert_eq!((secret.key, secret.serial), (key(0), 1));
    assert_eq!(secret.ha1_md5[..], phone.ha1_md5()[..]);
    // It has come: what is refused later was something else.
    while o.gateway.queued() > 0 {
        o.acknowledge();
    }
    o.full = true;
    assert!(registers(&mut o, &phone));
    o.full = false;
    assert!(registers(&mut o, &Phone::new(2)));
    o.acknowledge();
    assert_eq!(o.fetches().1, []);
}

#[test]
fn only_the_length_costs_no_password() {
    let mut o = office();
    let (status, body) = o.request(ip(0), "HEAD", GXP, "test").unwrap();
    assert_eq!((status, body.as_str()), (200, ""));
    assert_eq!(o.fetches(), (vec![], vec![]));
    o.get(ip(0), GXP);
    assert_eq!(o.fetches().1[0].serial, 1);
}

/// The box has forgotten what it gave: no password is made twice, and it takes a new claim to get another.
#[test]
fn lost_settings_give_no_password_again() {
    let settings = SETTINGS.start as usize..SETTINGS.end() as usize;
    for word in [0xFF, 0x5A] {
        let mut o = office();
        let first = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
        assert!(registers(&mut o, &with_password(0, &first)));
        let mut o = o.restart_after(|flash| flash[settings.clone()].fill(word));
        for _ in 0..2 {
            o.plug(ip(0), mac(0), Some(1));
            o.plug(ip(1), mac(1), Some(2));
            let file = o.get(ip(0), GXP);
            assert_eq!((p(&file, 34), p(&file, 48)), (None, Some("192.168.1.1:5060")));
            // Who was given nothing yet cannot be told apart.
            let (fetches, secrets) = o.fetches();
            assert_eq!(fetches[0].outcome, FetchOutcome::ServedSpent);
            assert!(secrets.is_empty());
            o = o.restart();
        }
        o.subscribe();
        o.plug(ip(0), mac(0), Some(1));
        let mut site = o.gateway.site().clone();
        claim(&mut site, 0, Gxp1628, Some(1), 2);
        o.configure(&site, 2);
        let second = p(&o.get(ip(0), GXP), 34).unwrap().to_string();
        assert_ne!(second, first);
    }
}
