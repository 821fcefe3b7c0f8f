//! Registrations of phones whose box is away.

use super::*;

const ONE: &str = "0312340001";
const TWO: &str = "0312340002";

#[test]
fn a_phone_registers_by_whatever_transport_and_digest() {
    for (transport, old) in [
        (Transport::Udp, true),
        (Transport::Udp, false),
        (Transport::Tcp, true),
        (Transport::Tls, false),
    ] {
        let mut b = Bench::new();
        let flow = Flow { transport, ..nat(1) };
        let mut desk = Desk {
            old,
            ..Desk::new(flow, ONE)
        };
        let contact = format!("Contact: {}\r\n", desk.contact());
        let (ok, text) = b.asks(&mut desk, &contact, &phone_password(ONE));
        assert_eq!(ok.what(), "200", "{}", ok.text);
        let granted = format!("{};expires=90", desk.contact());
        assert_eq!(ok.header("Contact"), Some(granted.as_str()));
        let via = ok.header("Via").unwrap();
        assert!(
            via.contains("received=198.51.100.20") && via.contains("rport=30001"),
            "{via}"
        );
        assert_eq!(b.phones, [(ONE.into(), true)]);
        let phone = b.pbx.phones().next().unwrap();
        assert_eq!(
            (phone.flow, phone.expires),
            (flow, b.now + Duration::from_secs(90))
        );
        // Its answer was lost: the same again, which changes nothing.
        b.wait(2_000);
        b.rx(flow, &text);
        assert!(
            b.expect(flow, "200")
                .header("Contact")
                .unwrap()
                .ends_with("expires=88")
        );
        // What somebody has read on the way is of no use elsewhere, nor later.
        let thief = Flow {
            peer: "192.0.2.66:5060".parse().unwrap(),
            transport: Transport::Udp,
            ..flow
        };
        b.rx(thief, &text);
        assert!(b.expect(thief, "401").text.contains("stale=true"));
        b.shelter(&mut desk);
        b.rx(flow, &text);
        assert!(b.expect(flow, "401").text.contains("stale=true"));
        // One whose nonce is too old is asked anew.
        let text = desk.register(&contact, None);
        b.rx(flow, &text);
        let challenge = b.expect(flow, "401");
        b.wait(121_000);
        let text = desk.register(&contact, Some((challenge, &phone_password(ONE))));
        b.rx(flow, &text);
        assert!(b.expect(flow, "401").text.contains("stale=true"));
        assert_eq!(b.pbx.counters().refused, 0);
    }
}

/// A wrong password, a user nobody has, an app, a telephone at a port of the box, another's name: all the same.
#[test]
fn nobody_learns_who_there_is() {
    let mut yamada = yamada();
    yamada.site.ids[0].kind = shared::TerminalKind::App;
    yamada.site.ids[2].port = Some(shared::analog::Port {
        number: 1,
        number_display: false,
        fax: false,
    });
    for (user, password) in [
        (TWO, "guess"),
        ("0312349999", "guess"),
        (ONE, "password of 0312340001"),
        ("0663000001", "password of 0663000001"),
        ("+81312340002", "password of 0312340002"),
        ("0312340000", "guess"),
        ("x", "guess"),
    ] {
        let mut b = Bench::new();
        b.give(Input::Directory(Box::new(with(yamada.clone()))));
        let mut desk = Desk::new(nat(1), user);
        let contact = format!("Contact: {}\r\n", desk.contact());
        let (answer, _) = b.asks(&mut desk, &contact, password);
        let names: Vec<_> = answer.text.lines().map(|line| line.split(':').next()).collect();
        assert_eq!(
            (answer.what(), names.len(), b.pbx.counters().refused),
            ("403", 9, 1),
            "{user}: {}",
            answer.text
        );
        assert_eq!(b.pbx.phones().count(), 0);
    }
    // The right password for somebody else's name.
    let mut b = Bench::new();
    let mut desk = Desk::new(nat(1), TWO);
    let contact = format!("Contact: {}\r\n", desk.contact());
    let text = desk.register(&contact, None);
    b.rx(desk.flow, &text);
    let challenge = b.expect(desk.flow, "401");
    let text = desk.register(&contact, Some((challenge, &phone_password(TWO))));
    b.rx(
        desk.flow,
        &text.replace(&format!("To: <sip:{TWO}"), &format!("To: <sip:{ONE}")),
    );
    b.expect(desk.flow, "403");
    assert_eq!((b.pbx.phones().count(), b.pbx.counters().refused), (0, 1));
}

#[test]
fn guessing_is_slowed_down_and_an_office_is_not() {
    let mut b = Bench::new();
    let contact = "Contact: <sip:x@192.168.1.20>\r\n";
    let mut desk = Desk::new(nat(1), ONE);
    for _ in 0..3 {
        assert_eq!(b.asks(&mut desk, contact, "guess").0.what(), "403");
    }
    let text = desk.register(contact, None);
    b.rx(desk.flow, &text);
    b.quiet();
    assert_eq!(
        b.pbx.counters().limited,
        1,
        "a datagram is dropped without a word"
    );
    // Sixty phones behind one address come at once, and each says everything twice.
    let mut b = Bench::new();
    for n in 0..64 {
        let mut desk = Desk::new(nat(n), if n % 2 == 0 { ONE } else { TWO });
        let contact = format!("Contact: {}\r\n", desk.contact());
        let text = desk.register(&contact, None);
        b.rx(desk.flow, &text);
        b.rx(desk.flow, &text);
        b.expect(desk.flow, "401");
        let challenge = b.expect(desk.flow, "401");
        let text = desk.register(&contact, Some((challenge, &phone_password(&desk.user.clone()))));
        b.rx(desk.flow, &text);
        b.rx(desk.flow, &text);
        b.expect(desk.flow, "200");
        b.expect(desk.flow, "200");
    }
}

/// Header lines of the REGISTER, the answer, and whether a phone is there afterwards.
#[test]
fn what_a_phone_may_ask_for() {
    let home = format!("<sip:{ONE}@192.168.1.20:5060>");
    let long = "x".repeat(300);
    let table = [
        (format!("Contact: {home};expires=59\r\n"), "423", false),
        (format!("Contact: {home}\r\nExpires: 30\r\n"), "423", false),
        (format!("Contact: {home};expires=60\r\n"), "200", true),
        (String::new(), "200", true),
        (format!("Contact: {home}\r\nExpires: 0\r\n"), "200", false),
        (format!("Contact: {home}\r\nRequire: outbound\r\n"), "420", false),
        (format!("Contact: {home}\r\nPath: <sip:p;lr>\r\n"), "420", false),
        ("Contact: <mailto:x@y>\r\n".into(), "400", false),
        (format!("Contact: <sip:{long}@192.168.1.20>\r\n"), "400", false),
        ("Contact: *\r\n".into(), "400", false),
        (format!("Contact: {home}, <sip:b@192.168.1.21>\r\n"), "403", false),
        // A new address, and the old one back with the same breath.
        (
            format!("Contact: <sip:old@192.168.1.9>;expires=0, {home}\r\n"),
            "200",
            true,
        ),
        ("Contact: <sip:old@192.168.1.9>;expires=0\r\n".into(), "200", true),
        ("Contact: *\r\nExpires: 0\r\n".into(), "200", false),
    ];
    let mut b = Bench::new();
    let mut desk = Desk::new(nat(1), ONE);
    for (contact, status, there) in table {
        let (answer, _) = b.asks(&mut desk, &contact, &phone_password(ONE));
        assert_eq!(answer.what(), status, "{contact}: {}", answer.text);
        assert_eq!(b.pbx.phones().count(), usize::from(there), "{contact}");
        if status == "423" {
            assert_eq!(answer.header("Min-Expires"), Some("60"));
        }
        if there {
            assert_eq!(
                b.pbx.phones().next().unwrap().contact,
                home.trim_matches(['<', '>'])
            );
        }
        b.wait(1_000);
    }
    // Overtaken on the way by a later one of the same nonce.
    let contact = format!("Contact: {home}\r\n");
    let text = desk.register(&contact, None);
    b.rx(desk.flow, &text);
    let challenge = b.expect(desk.flow, "401");
    let (late, soon) = (desk.clone(), &mut desk);
    let first = soon.register(&contact, Some((challenge.clone(), &phone_password(ONE))));
    let mut late = late;
    late.cseq -= 1;
    b.rx(nat(1), &first);
    b.expect(nat(1), "200");
    let overtaken = late.register(
        "Contact: *\r\nExpires: 0\r\n",
        Some((challenge, &phone_password(ONE))),
    );
    b.rx(nat(1), &overtaken.replace("nc=00000001", "nc=00000002"));
    assert_ne!(b.seen.remove(0).what(), "200");
    assert_eq!(b.pbx.phones().count(), 1);
}

#[test]
fn a_registration_ends() {
    let mut b = Bench::new();
    let mut desk = b.desk(1, ONE);
    // Refreshed again and again, as late as a phone may be that tries its box first.
    for _ in 0..5 {
        b.wait(121_000);
        assert_eq!(b.pbx.phones().count(), 1);
        b.shelter(&mut desk);
    }
    assert_eq!(b.phones, [(ONE.into(), true)]);
    b.wait(121_999);
    assert_eq!(b.pbx.phones().count(), 1);
    b.wait(1);
    assert_eq!((b.pbx.phones().count(), b.pbx.next_deadline()), (0, None));
    assert_eq!(b.phones.last(), Some(&(ONE.into(), false)));
}

/// An ID has one terminal (R6): the newest is the one.
#[test]
fn the_newest_counts() {
    let mut b = Bench::new();
    b.desk(1, ONE);
    let second = Desk {
        id: "another".into(),
        ..Desk::new(nat(2), ONE)
    };
    b.shelter(&mut second.clone());
    let flows: Vec<_> = b.pbx.phones().map(|phone| phone.flow).collect();
    assert_eq!(flows, [nat(2)]);
    b.rx(CARRIER, &Caller::carrier("c1", ONE).request("INVITE", "i"));
    b.expect(CARRIER, "100");
    b.expect(nat(2), "INVITE");
    b.quiet();
}

/// A phone that asks while its box is there is sent home; the box rings its phones alone, from the first call on.
#[test]
fn a_box_that_is_there_has_its_phones() {
    let mut b = Bench::with(&[TOKYO]);
    let mut desk = Desk::new(nat(1), ONE);
    let contact = format!("Contact: {}\r\n", desk.contact());
    let (answer, _) = b.asks(&mut desk, &contact, &phone_password(ONE));
    assert_eq!((answer.what(), answer.header("Retry-After")), ("503", Some("5")));
    assert_eq!((b.pbx.phones().count(), b.pbx.counters().sent_home), (0, 1));
    // The other site has no box.
    let osaka = b.desk(3, "0663000001");
    // The connection broke: from now on phones are taken.
    b.give(Input::StreamClosed { flow: home(TOKYO) });
    b.shelter(&mut desk);
    for flow in [nat(1), osaka.flow] {
        assert!(b.pbx.phones().any(|phone| phone.flow == flow));
    }
    b.wait(6_000);
    // It is back: what is registered here still does not ring.
    b.register(TOKYO, connection(70), 2);
    b.rx(
        CARRIER,
        &Caller::carrier("c1", "0312340000").request("INVITE", "i"),
    );
    b.expect(CARRIER, "100");
    b.expect(connection(70), "INVITE");
    b.expect(osaka.flow, "INVITE");
    b.quiet();
    let (answer, _) = b.asks(&mut desk, &contact, &phone_password(ONE));
    assert_eq!(answer.what(), "503");
}

#[test]
fn a_connection_breaks() {
    let mut b = Bench::new();
    let tcp = |n| Flow {
        transport: Transport::Tcp,
        stream: n,
        ..nat(n)
    };
    let mut desk = Desk::new(tcp(1), ONE);
    b.shelter(&mut desk);
    // It need not ping.
    b.wait(60_000);
    assert_eq!(b.closed, []);
    let mut caller = Caller::carrier("c1", ONE);
    b.talk(&mut caller, tcp(1), PHONE_SDP);
    // What rings there stops at once, and who talks waits for it.
    b.rx(CARRIER, &Caller::carrier("c2", ONE).request("INVITE", "k"));
    b.expect(CARRIER, "100");
    b.expect(tcp(1), "INVITE");
    b.give(Input::StreamClosed { flow: tcp(1) });
    b.expect(CARRIER, "480");
    b.rx(CARRIER, &Caller::carrier("c2", ONE).request("ACK", "k"));
    assert_eq!(b.pbx.phones().count(), 0);
    b.wait(5_000);
    desk.flow = tcp(2);
    b.rx(tcp(2), &desk.register("", None));
    let challenge = b.expect(tcp(2), "401");
    let contact = format!("Contact: {}\r\n", desk.contact());
    let text = desk.register(&contact, Some((challenge, &phone_password(ONE))));
    b.rx(tcp(2), &text);
    b.expect(tcp(2), "200");
    // It is asked at once whether it still knows its call.
    let asked = b.expect(tcp(2), "OPTIONS");
    b.rx(tcp(2), &answer(&asked, 200, ""));
    b.hang_up(&caller, tcp(2));
    // The next time it does not come back.
    let mut caller = Caller::carrier("c3", ONE);
    b.talk(&mut caller, tcp(2), PHONE_SDP);
    b.give(Input::StreamClosed { flow: tcp(2) });
    b.wait(5_999);
    b.quiet();
    b.wait(1);
    b.expect(CARRIER, "BYE");
}

/// What was changed, and who is registered still.
#[test]
fn the_contract_changes() {
    type Change = fn(&mut Office);
    let table: [(Change, &[&str]); 4] = [
        (|_| {}, &[ONE, TWO]),
        (
            |office| {
                let key = office.site.ids[0].key;
                office.secrets.insert(key, phone_secret("another"));
            },
            &[TWO],
        ),
        (|office| office.secrets.clear(), &[]),
        (|office| _ = office.site.ids.swap_remove(1), &[ONE]),
    ];
    for (change, left) in table {
        let mut b = Bench::new();
        let _ = [b.desk(1, ONE), b.desk(2, TWO)];
        let mut office = yamada();
        change(&mut office);
        b.give(Input::Directory(Box::new(with(office))));
        let mut users: Vec<_> = b.pbx.phones().map(|phone| phone.contact).collect();
        users.sort();
        let left: Vec<_> = left
            .iter()
            .map(|user| format!("sip:{user}@192.168.1.20:5060"))
            .collect();
        assert_eq!(users, left);
    }
    let mut b = Bench::new();
    b.desk(1, ONE);
    let nobody = Directory::new(REALM, Vec::<Office>::new(), []);
    b.give(Input::Directory(Box::new(nobody)));
    assert_eq!(b.pbx.phones().count(), 0);
}

/// Requests of strangers from everywhere cost no memory: neither transactions nor calls, ways or connections.
#[test]
fn strangers_cost_nothing() {
    let mut b = Bench::new();
    for n in 0..6_000u32 {
        let [_, x, y, z] = n.to_be_bytes();
        let flow = Flow {
            peer: SocketAddr::from(([198, 18 + x, y, z], 5_060)),
            ..nat(1)
        };
        let mut desk = Desk::new(flow, ONE);
        let call = desk.call(&format!("c{n}"), "0335550001", None);
        let texts = [
            desk.register("Contact: <sip:x@192.0.2.1>\r\n", None),
            call.request("INVITE", "i"),
            call.request("CANCEL", "i"),
            call.request("ACK", "i"),
            Caller {
                to_tag: format!("{n:016x}"),
                ..call.clone()
            }
            .request("BYE", "b"),
            call.request("SUBSCRIBE", "s"),
            "INVITE sip:x SIP/2.0\r\n\r\n".into(),
        ];
        for text in &texts {
            b.rx(flow, text);
        }
        assert!(b.seen.len() <= texts.len());
        b.seen.clear();
    }
    assert_eq!(b.pbx.usage(), Default::default());
    assert_eq!(b.pbx.next_deadline(), None);
    assert_eq!((b.pbx.streams.len(), b.pbx.ways.len()), (0, 0));
}

/// Messages broken in every way, from a phone's own way and from a stranger's: nothing of them stays, and the phone does.
#[test]
fn what_is_broken_leaves_nothing() {
    let mut b = Bench::new();
    let mut desk = b.desk(1, ONE);
    let contact = format!("Contact: {}\r\n", desk.contact());
    let register = desk.register(&contact, None);
    b.rx(desk.flow, &register);
    let challenge = b.expect(desk.flow, "401");
    let call = desk.call("c1", "299", Some(challenge.clone()));
    let texts = [
        register,
        desk.register(&contact, Some((challenge, &phone_password(ONE)))),
        call.request("INVITE", "i"),
        call.request("BYE", "b"),
        call.request("OPTIONS", "o"),
    ];
    let mut buffer = vec![0; MESSAGE_MAX];
    let mut dice = 7u64;
    let mut roll = |sides: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (dice >> 33) as usize % sides
    };
    for n in 0..20_000u32 {
        let mut bytes = texts[roll(texts.len())].clone().into_bytes();
        for _ in 0..=roll(4) {
            let at = roll(bytes.len());
            match roll(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = roll(128) as u8,
                2 => drop(bytes.drain(at..(at + roll(40)).min(bytes.len()))),
                _ => {
                    let piece = bytes[at..(at + roll(40)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        let flow = match roll(2) {
            0 => desk.flow,
            _ => nat(100 + n as u16 % 100),
        };
        b.pbx.handle(b.now, Input::Datagram { flow, bytes: &bytes });
        // An answer repeats what it is an answer to, broken or not.
        while b.pbx.poll(b.now, &mut buffer).is_some() {}
    }
    assert!(b.pbx.ways.len() <= 1 && b.pbx.streams.is_empty());
    b.wait(200_000);
    assert_eq!(b.pbx.usage(), Default::default());
    b.seen.clear();
    b.shelter(&mut desk);
}
