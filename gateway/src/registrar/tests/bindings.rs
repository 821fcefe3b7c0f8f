//! What is bound, for how long, and what is kept.

use super::*;

#[test]
fn a_phone_registers_refreshes_and_goes() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    let challenged = phone.ask(&mut office, at(0), "REGISTER");
    assert_eq!(challenged.status, 401);
    let offers = challenged.headers("WWW-Authenticate");
    assert!(
        offers.len() == 2 && offers[0].contains("algorithm=SHA-256") && offers[1].contains("algorithm=MD5")
    );
    assert!(
        offers
            .iter()
            .all(|o| o.contains("realm=\"office.example\"") && !o.contains("stale"))
    );
    assert_eq!(office.registrar.registered(), IdSet::EMPTY);

    let answer = phone.ask(&mut office, at(0), "REGISTER");
    assert_eq!(answer.status, 200);
    // RFC 3581: the answer says where the request came from, and that is where the phone is reached.
    assert!(
        answer.header("Via").unwrap().contains("received=192.0.2.11"),
        "{}",
        answer.text
    );
    assert!(answer.header("Via").unwrap().contains("rport=5062"));
    let granted: u64 = answer.header("Expires").unwrap().parse().unwrap();
    assert!((270..=330).contains(&granted), "{granted}");
    assert_eq!(
        answer.header("Contact"),
        Some(&*format!("<sip:0312340001@192.0.2.11:5062>;expires={granted}"))
    );
    assert_eq!(office.changes(at(0)), [(1, Kind::Added)]);
    let binding = office.registrar.of(key(1)).next().unwrap();
    assert_eq!(
        (binding.flow(), binding.contact()),
        (phone.flow, &b"sip:0312340001@192.0.2.11:5062"[..])
    );
    assert_eq!(office.registrar.registered(), IdSet::one(key(1)));
    assert_eq!(registered_at(&office, &phone.flow), Some(key(1)));

    // Refreshes need no new challenge for an hour.
    for refresh in 1..20 {
        assert_eq!(phone.ask(&mut office, at(refresh * 150), "REGISTER").status, 200);
        assert_eq!(office.changes(at(refresh * 150)), [(1, Kind::Refreshed)]);
    }
    phone.expires = String::from("0");
    let gone = phone.ask(&mut office, at(3_000), "REGISTER");
    assert_eq!((gone.status, gone.header("Contact")), (200, None));
    assert_eq!(office.changes(at(3_000)), [(1, Kind::Removed)]);
    assert_eq!(office.registrar.next_deadline(), None);
}

#[test]
fn time_ends_a_binding_and_not_before_what_was_granted() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.expires = String::from("120");
    phone.register(&mut office, at(10));
    office.changes(at(10));
    let end = office.registrar.next_deadline().unwrap();
    assert_eq!(end, at(10 + 120 + 32));
    assert_eq!(office.changes(at(161)), []);
    assert_eq!(office.contacts(1).len(), 1);
    assert_eq!(office.changes(end), [(1, Kind::Expired)]);
    assert_eq!(office.contacts(1).len(), 0);
}

#[test]
fn expiry_is_granted_within_limits_and_with_jitter() {
    for (asked, parameter, status, range) in [
        ("", "", 200, 270..=330),
        ("3600", "", 200, 270..=330),
        ("4294967295", "", 200, 270..=330),
        ("99999999999999", "", 200, 270..=330), // unreadable: an hour
        ("soon", "", 200, 270..=330),
        ("200", "", 200, 180..=200), // never longer than asked
        ("120", "", 200, 120..=120),
        ("3600", ";expires=150", 200, 135..=150), // the contact's own goes first
        ("119", "", 423, 0..=0),
        ("1", "", 423, 0..=0),
    ] {
        let mut seen = std::collections::BTreeSet::new();
        for secret in 0..40 {
            let mut office = Office::new(8, secret);
            office.random = secret << 40;
            let mut phone = Phone::new(1, 11);
            phone.expires = String::from(asked);
            phone.contact.push_str(parameter);
            let answer = phone.register(&mut office, at(0));
            assert_eq!(answer.status, status, "{asked}");
            match status {
                200 => {
                    let granted = answer.header("Expires").unwrap().parse().unwrap();
                    assert!(range.contains(&granted), "{asked}: {granted}");
                    seen.insert(granted);
                }
                _ => assert_eq!(answer.header("Min-Expires"), Some("120")),
            }
        }
        assert!(
            status != 200 || range.start() == range.end() || seen.len() > 5,
            "{asked}: {seen:?}"
        );
    }
}

#[test]
fn the_same_phone_replaces_itself_and_another_one_is_beside_it() {
    let mut office = Office::new(8, 1);
    let instance = ";+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-000000000001>\"";
    let mut phone = Phone::new(1, 11);
    phone.contact.push_str(instance);
    phone.register(&mut office, at(0));
    assert_eq!(office.changes(at(0)), [(1, Kind::Added)]);
    // Another boot, Call-ID, address: the same device.
    let mut moved = Phone::new(1, 21);
    moved.contact.push_str(instance);
    moved.register(&mut office, at(1));
    assert_eq!(office.changes(at(1)), [(1, Kind::Replaced)]);
    assert_eq!(office.contacts(1), ["sip:0312340001@192.0.2.21:5062"]);
    // The same Call-ID at another address: the router gave the phone a new one.
    let mut phone = Phone::new(2, 12);
    phone.register(&mut office, at(2));
    phone.flow.peer = "192.0.2.22:5062".parse().unwrap();
    phone.contact = String::from("<sip:0312340002@192.0.2.22:5062>");
    phone.register(&mut office, at(3));
    assert_eq!(office.changes(at(3)), [(2, Kind::Added)]);
    assert_eq!(office.contacts(2), ["sip:0312340002@192.0.2.22:5062"]);
    // Only its source port is new.
    phone.flow.peer = "192.0.2.22:6000".parse().unwrap();
    phone.register(&mut office, at(4));
    assert_eq!(office.changes(at(4)), [(2, Kind::Replaced)]);
    // A second device of the ID, and a third, for which the one that ends first goes.
    let mut second = Phone::new(2, 32);
    second.register(&mut office, at(100));
    assert_eq!(office.changes(at(100)), [(2, Kind::Added)]);
    let mut third = Phone::new(2, 33);
    third.register(&mut office, at(101));
    assert_eq!(office.changes(at(101)), [(2, Kind::Replaced)]);
    assert_eq!(
        office.contacts(2),
        ["sip:0312340002@192.0.2.33:5062", "sip:0312340002@192.0.2.32:5062"]
    );
    // The first one's device is not theirs.
    assert_eq!(office.contacts(1).len(), 1);
    // A phone that has a new Call-ID and a new user part at every start.
    let mut phone = Phone::new(3, 41);
    phone.register(&mut office, at(200));
    assert_eq!(office.changes(at(200)), [(3, Kind::Added)]);
    let started = |contact: &str| {
        let mut phone = Phone::new(3, 41);
        phone.call_id = String::from("another-start");
        phone.contact = String::from(contact);
        phone
    };
    started("<sip:0312340003-0x55@192.0.2.41:5062>").register(&mut office, at(201));
    assert_eq!(office.changes(at(201)), [(3, Kind::Replaced)]);
    // What it said to its former name is not said to this one.
    let mut former = started("<sip:0312340003@192.0.2.41:5062>;expires=0");
    former.call_id = String::from("an-old-start");
    former.register(&mut office, at(201));
    assert_eq!(office.changes(at(201)), []);
    // Another phone behind the same proxy.
    started("<sip:0312340003-0x66@10.0.0.7:5062>").register(&mut office, at(202));
    assert_eq!(office.changes(at(202)), [(3, Kind::Replaced)]);
    let mut other = started("<sip:0312340003-0x77@10.0.0.8:5062>");
    other.call_id = String::from("another-phone");
    other.register(&mut office, at(203));
    assert_eq!(office.changes(at(203)), [(3, Kind::Added)]);
}

#[test]
fn contacts() {
    let long = format!("<sip:{}@192.0.2.11>", "x".repeat(CONTACT_MAX));
    let fits = format!(
        "<sip:{}@192.0.2.11>",
        "x".repeat(CONTACT_MAX - "sip:@192.0.2.11".len())
    );
    for (contact, expires, status, bound) in [
        ("", "3600", 200, 1), // a question
        ("*", "0", 200, 0),
        ("*", "3600", 400, 1),
        ("*", "", 400, 1),
        ("*, <sip:1@192.0.2.11>", "0", 400, 1),
        ("<tel:+81312340001>", "3600", 400, 1),
        (&long, "3600", 400, 1),
        (&fits, "3600", 200, 1),
        ("<sip:a@192.0.2.11>, <sip:b@192.0.2.11>", "3600", 200, 2),
        (
            "<sip:a@192.0.2.11>, <sip:b@192.0.2.11>, <sip:c@192.0.2.11>",
            "3600",
            403,
            1,
        ),
        (
            "<sip:a@192.0.2.11>;expires=0, <sip:0312340001@192.0.2.11:5062>",
            "3600",
            200,
            1,
        ),
        (
            "\"Ext, 1 <a>\" <sip:a@192.0.2.11;transport=udp>;q=0.5",
            "3600",
            200,
            1,
        ),
        ("sip:a@192.0.2.11;expires=200", "3600", 200, 1),
    ] {
        let mut office = Office::new(8, 1);
        let mut phone = Phone::new(1, 11);
        assert_eq!(phone.register(&mut office, at(0)).status, 200);
        (phone.contact, phone.expires) = (contact.into(), expires.into());
        let answer = phone.ask(&mut office, at(1), "REGISTER");
        assert_eq!(
            (answer.status, office.contacts(1).len()),
            (status, bound),
            "{contact}"
        );
        assert!(
            status != 200 || answer.headers("Contact").len() == bound,
            "{}",
            answer.text
        );
    }
}

#[test]
fn bindings_survive_a_power_cut() {
    let mut office = Office::new(8, 1);
    let mut udp = Phone::new(1, 11);
    udp.contact = String::from("<sip:0312340001@192.0.2.11:5062;line=ab%20c>;+sip.instance=\"<urn:uuid:1>\"");
    udp.register(&mut office, at(0));
    let mut tcp = Phone::new(2, 12);
    tcp.flow.transport = Transport::Tcp;
    tcp.flow.stream = 3;
    tcp.register(&mut office, at(0));
    let mut flash = [[0u8; STORED_MAX]; 3];
    let stored: Vec<Option<Vec<u8>>> = flash
        .iter_mut()
        .enumerate()
        .map(|(n, out)| office.registrar.store(n, out).map(<[u8]>::to_vec))
        .collect();
    assert!(stored[0].is_some() && stored[1].is_some() && stored[2].is_none());

    let mut office = Office::new(8, 2);
    for (place, bytes) in stored.iter().flatten().enumerate() {
        assert!(office.registrar.restore(at(5), place, bytes, |_| true));
        assert!(!office.registrar.restore(at(5), place, bytes, |_| true), "taken");
        assert!(
            !office.registrar.restore(at(5), place + 4, bytes, |_| false),
            "not of this site"
        );
        for len in 0..bytes.len() {
            assert!(
                !office
                    .registrar
                    .restore(at(5), place + 4, &bytes[..len], |_| true),
                "cut to {len}"
            );
        }
        let mut other = bytes.clone();
        other[0] ^= 0x80;
        assert!(
            !office.registrar.restore(at(5), place + 4, &other, |_| true),
            "another form"
        );
    }
    assert!(!office.registrar.restore(at(5), 99, &[], |_| true));
    assert_eq!(
        office.changes(at(5)),
        [],
        "what comes from flash need not go there"
    );
    // The phone on UDP can be called at once; the connection of the other one is gone.
    assert_eq!(office.registrar.registered(), IdSet::one(key(1)));
    let binding = office.registrar.of(key(1)).next().unwrap();
    assert_eq!(binding.flow(), udp.flow);
    assert_eq!(binding.contact(), b"sip:0312340001@192.0.2.11:5062;line=ab%20c");
    assert!(binding.is_restored() && registered_at(&office, &udp.flow) == Some(key(1)));
    // They refresh with their old nonces: stale, no password asked, and nothing has to be stored.
    assert!(
        udp.ask(&mut office, at(6), "REGISTER")
            .text
            .contains("stale=true")
    );
    assert_eq!(udp.ask(&mut office, at(6), "REGISTER").status, 200);
    assert_eq!(office.changes(at(6)), [(1, Kind::Refreshed)]);
    assert_eq!(tcp.register(&mut office, at(6)).status, 200);
    assert_eq!(office.changes(at(6)), [(2, Kind::Replaced)]);
    assert_eq!(office.registrar.registered().len(), 2);
    // One that does not come back is forgotten.
    let mut office = Office::new(8, 3);
    assert!(
        office
            .registrar
            .restore(at(5), 0, stored[0].as_ref().unwrap(), |_| true)
    );
    assert_eq!(office.changes(at(5 + 300 + 32)), [(1, Kind::Expired)]);
}

/// What the form before this one kept: no Path, and a device that is not told apart.
#[test]
fn a_binding_of_the_first_form_is_read() {
    #[rustfmt::skip]
    let bytes = [
        1, 1, 0, 0, // form, ID 1, UDP, interface 0
        0, 192, 0, 2, 11, 0xC6, 0x27, // 192.0.2.11:5062
        0, 192, 0, 2, 1, 0xC4, 0x27, // 192.0.2.1:5060
        5, 7, 9, 1, // device, Call-ID, CSeq, SHA-256
        17, b's', b'i', b'p', b':', b'x', b'@', b'1', b'9', b'2', b'.', b'0', b'.', b'2', b'.', b'1', b'1', b'0',
    ];
    let mut office = Office::new(8, 1);
    assert!(office.registrar.restore(at(0), 0, &bytes, |_| true));
    let binding = office.registrar.of(key(1)).next().unwrap();
    assert_eq!(
        (binding.contact(), binding.path()),
        (&b"sip:x@192.0.2.110"[..], &b""[..])
    );
    assert_eq!(binding.flow(), Phone::new(1, 11).flow);
    // It is known again by its contact.
    let mut phone = Phone::new(1, 11);
    phone.contact = String::from("<sip:x@192.0.2.110>;+sip.instance=\"<urn:uuid:1>\"");
    assert_eq!(phone.register(&mut office, at(1)).status, 200);
    assert_eq!(office.contacts(1).len(), 1);
}

#[test]
fn the_largest_binding_fits_its_room_in_flash() {
    let mut office = Office::new(1, 1);
    let mut phone = Phone::new(3, 11);
    phone.flow.peer = "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap();
    phone.flow.local = "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap();
    phone.flow.transport = Transport::Ws;
    phone.flow.interface = 255;
    phone.contact = format!(
        "<sip:{}@192.0.2.11>",
        "x".repeat(CONTACT_MAX - "sip:@192.0.2.11".len())
    );
    phone.cseq = 2_147_483_000;
    if sip::b2bua::ROUTE_MAX != 0 {
        phone.agent += "Supported: path\r\nPath: <sip:9.9.9.9;lr>\r\n";
    }
    assert_eq!(phone.register(&mut office, at(0)).status, 200);
    assert!(office.registrar.store(0, &mut [0; STORED_MAX]).is_some());
}

#[test]
fn accounts_and_connections_that_go_take_their_bindings_along() {
    let mut office = Office::new(8, 1);
    let mut phones = [Phone::new(1, 11), Phone::new(2, 12), Phone::new(3, 13)];
    phones[1].flow.transport = Transport::Tcp;
    phones[1].flow.stream = 9;
    for phone in &mut phones {
        phone.register(&mut office, at(0));
    }
    office.changes(at(0));
    office.registrar.drop_flow(&Flow {
        stream: 8,
        ..phones[1].flow
    });
    office.registrar.retain(|id| id != key(3));
    assert_eq!(office.changes(at(1)), [(3, Kind::Removed)]);
    office.registrar.drop_flow(&phones[1].flow);
    assert_eq!(office.changes(at(1)), [(2, Kind::Removed)]);
    assert_eq!(office.registrar.registered(), IdSet::one(key(1)));
}

#[test]
fn a_full_table_refuses_and_counts() {
    let mut office = Office::new(2, 1);
    for (id, status) in [(0, 200), (1, 200), (2, 503)] {
        assert_eq!(
            Phone::new(id, 10 + id as u8).register(&mut office, at(0)).status,
            status
        );
    }
    assert_eq!(office.registrar.counters().full, 1);
    office.changes(at(0));
    assert_eq!(
        office.changes(at(1_000)),
        [(0, Kind::Expired), (1, Kind::Expired)]
    );
    assert_eq!(Phone::new(2, 12).register(&mut office, at(1_000)).status, 200);
}

#[test]
fn a_small_buffer_is_an_error_and_not_a_cut_answer() {
    let mut office = Office::new(2, 1);
    let request = Phone::new(1, 11).request("REGISTER");
    let message = Message::parse_datagram(request.as_bytes()).unwrap();
    let flow = Phone::new(1, 11).flow;
    for size in [0, 10, 300] {
        let answer = office
            .registrar
            .register(at(0), &flow, &message, &Site, 0, &mut std::vec![0; size]);
        assert_eq!(answer, Err(Full), "{size}");
    }
}

fn registered_at(office: &Office, flow: &Flow) -> Option<IdKey> {
    office
        .registrar
        .iter()
        .find(|b| b.leads_to(flow))
        .map(|b| b.key())
}
