//! Who is believed.

use super::*;

#[test]
fn wrong_and_unknown_look_the_same() {
    let answers = [
        ("0312340001", "guess"),
        ("0312340009", "0312340009"),
        ("nobody", ""),
    ]
    .map(|(user, password)| {
        let mut office = Office::new(8, 1);
        let mut phone = Phone::new(1, 11);
        (phone.user, phone.to, phone.password) = (user.into(), user.into(), password.into());
        phone.contact = String::from("<sip:x@192.0.2.11>");
        let answers = [
            phone.ask(&mut office, at(0), "REGISTER"),
            phone.ask(&mut office, at(0), "REGISTER"),
        ];
        assert_eq!(office.registrar.iter().count(), 0);
        assert_eq!(office.registrar.counters().refused, 1);
        answers.map(|a| a.text.replace(&format!("sip:{user}@"), "sip:@"))
    });
    assert!(answers[0].iter().all(|text| text.starts_with("SIP/2.0 401 ")));
    assert!(answers.iter().all(|other| other == &answers[0]), "{answers:#?}");
}

/// Right credentials open one's own address of record and no other, known or not.
#[test]
fn a_phone_cannot_take_another_ones_number() {
    let mut office = Office::new(8, 1);
    let mut victim = Phone::new(2, 12);
    victim.register(&mut office, at(0));
    office.changes(at(0));
    let mut thief = Phone::new(1, 11);
    for claimed in ["0312340002", "0312340009", "x"] {
        thief.to = String::from(claimed);
        assert_eq!(thief.register(&mut office, at(1)).status, 403, "{claimed}");
    }
    // Nor by claiming the address it is registered at, without its password.
    let mut thief = Phone {
        password: String::from("guess"),
        ..victim.clone()
    };
    thief.contact = String::from("<sip:0312340002@192.0.2.66>");
    thief.challenge = String::new();
    assert_eq!(thief.register(&mut office, at(2)).status, 401);
    assert_eq!(office.changes(at(2)), []);
    assert_eq!(office.contacts(2), ["sip:0312340002@192.0.2.12:5062"]);
    assert_eq!(office.registrar.counters().foreign, 3);
}

#[test]
fn a_lost_answer_is_given_again_and_a_replay_is_not_believed() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.ask(&mut office, at(0), "REGISTER");
    let request = phone.request("REGISTER");
    let answer = office.ask(at(0), &phone.flow, &request);
    assert_eq!(
        (answer.status, office.changes(at(0))),
        (200, std::vec![(1, Kind::Added)])
    );
    let again = office.ask(at(1), &phone.flow, &request);
    assert_eq!(again.status, 200);
    let left = |a: &Answer| a.header("Expires").unwrap().parse::<u64>().unwrap();
    assert_eq!(left(&again), left(&answer) - 1);
    assert_eq!(office.changes(at(1)), []);
    // Heard on the wire and sent from elsewhere, there is nothing to be had with it.
    let mut elsewhere = phone.flow;
    elsewhere.peer = "192.0.2.66:5062".parse().unwrap();
    assert_eq!(office.ask(at(1), &elsewhere, &request).status, 401);
    // Nor later by its own address, when the phone has registered again.
    assert_eq!(phone.ask(&mut office, at(2), "REGISTER").status, 200);
    let late = office.ask(at(3), &phone.flow, &request);
    assert_eq!(late.status, 401);
    assert!(late.text.contains("stale=true"));
    assert_eq!(office.changes(at(3)), [(1, Kind::Refreshed)]);
    assert_eq!(office.registrar.counters().replayed, 2);
}

/// The network turns two REGISTERs round: the one that takes the phone away comes last and is the older.
#[test]
fn order_is_that_of_the_phone() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.register(&mut office, at(0));
    phone.expires = String::from("0");
    let old = phone.request("REGISTER");
    phone.expires = String::from("300");
    assert_eq!(phone.ask(&mut office, at(1), "REGISTER").status, 200);
    assert_eq!(office.ask(at(2), &phone.flow, &old).status, 500);
    assert_eq!(office.contacts(1).len(), 1);
    // A phone that starts anew with its old Call-ID counts from one again, and has a new nonce.
    let mut rebooted = Phone::new(1, 11);
    assert_eq!(rebooted.register(&mut office, at(3)).status, 200);
    office.changes(at(3));
    assert_eq!(rebooted.ask(&mut office, at(4), "REGISTER").status, 200);
    assert_eq!(office.changes(at(4)), [(1, Kind::Refreshed)]);
}

/// Eight wrong passwords at once; then one every ten seconds. Others are not troubled, and the address itself cannot be
/// troubled by somebody who only writes its name on his datagrams.
#[test]
fn guessing_is_slowed_down() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.password = String::from("guess");
    phone.ask(&mut office, at(0), "REGISTER");
    for guess in 0..8 {
        assert_eq!(
            phone.ask(&mut office, at(0), "REGISTER").status,
            401,
            "guess {guess}"
        );
    }
    let limited = phone.ask(&mut office, at(1), "REGISTER");
    assert_eq!((limited.status, limited.header("Retry-After")), (503, Some("9")));
    phone.password = phone.user.clone();
    assert_eq!(
        phone.ask(&mut office, at(2), "REGISTER").status,
        503,
        "even the right one"
    );
    assert_eq!(Phone::new(2, 12).register(&mut office, at(2)).status, 200);
    assert_eq!(phone.ask(&mut office, at(10), "REGISTER").status, 200);
    assert_eq!(office.registrar.counters().limited, 2);

    let mut forger = Phone::new(3, 66);
    forger.password = String::from("guess");
    forger.ask(&mut office, at(20), "REGISTER"); // a nonce for 192.0.2.66
    forger.flow = Phone::new(3, 13).flow;
    for _ in 0..20 {
        let request = forger.request("REGISTER");
        assert_eq!(office.ask(at(20), &forger.flow, &request).status, 401);
    }
    assert_eq!(Phone::new(3, 13).register(&mut office, at(20)).status, 200);
    // A third address has no entry left and takes the one with the fewest failures; nothing breaks.
    for host in 40..60 {
        let mut phone = Phone::new(1, host);
        phone.password = String::from("guess");
        assert_eq!(phone.register(&mut office, at(30)).status, 401);
    }
}

#[test]
fn a_request_of_a_phone_is_challenged_and_known() {
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    phone.register(&mut office, at(0));
    (phone.challenge, phone.contact) = (String::new(), String::from("<sip:x@192.0.2.11>"));
    let challenged = phone.ask(&mut office, at(1), "INVITE");
    assert_eq!(
        (challenged.status, challenged.headers("Proxy-Authenticate").len()),
        (407, 1)
    );
    let request = phone.request("INVITE");
    assert_eq!(office.ask(at(1), &phone.flow, &request).caller, Some(key(1)));
    let replayed = office.ask(at(1), &phone.flow, &request);
    assert_eq!(
        (replayed.status, replayed.text.contains("stale=true")),
        (407, true)
    );
    // From another port of the same host nobody is registered.
    phone.flow.peer.set_port(6000);
    assert_eq!(phone.ask(&mut office, at(2), "INVITE").status, 403);
    // Somebody else's right password at this phone's address.
    let mut other = Phone::new(2, 11);
    other.challenge = phone.challenge.clone();
    other.count = 10;
    assert_eq!(other.ask(&mut office, at(3), "INVITE").status, 403);
    // A wrong one.
    other.password = String::from("guess");
    assert_eq!(other.ask(&mut office, at(3), "INVITE").status, 407);
}

/// Old clients fail at a choice: they get what they can read, at once if known, else the second time.
#[test]
fn a_client_is_offered_what_it_can_read() {
    let offers = |answer: &Answer| {
        let lines = answer
            .headers("WWW-Authenticate")
            .into_iter()
            .chain(answer.headers("Proxy-Authenticate"));
        let algorithm = |line: &str| {
            line.split("algorithm=")
                .nth(1)
                .unwrap()
                .split(',')
                .next()
                .unwrap()
                .to_string()
        };
        lines.map(algorithm).collect::<Vec<_>>().join(" ")
    };
    let mut office = Office::new(8, 1);
    let mut phone = Phone::new(1, 11);
    // It repeats its request because the answer was lost; then it has chosen.
    for now in [0, 1, 3] {
        let mut again = phone.clone();
        assert_eq!(
            offers(&again.ask(&mut office, at(now), "REGISTER")),
            "SHA-256 MD5"
        );
    }
    assert_eq!(phone.register(&mut office, at(3)).status, 200);
    phone.challenge = String::new();
    assert_eq!(offers(&phone.ask(&mut office, at(100), "REGISTER")), "SHA-256");
    assert_eq!(phone.ask(&mut office, at(100), "REGISTER").status, 200);
    phone.challenge = String::new();
    assert_eq!(offers(&phone.ask(&mut office, at(200), "INVITE")), "SHA-256");
    assert_eq!(phone.ask(&mut office, at(200), "INVITE").caller, Some(key(1)));

    let mut unknown = Phone::new(2, 12);
    for (now, offered) in [(0, "SHA-256 MD5"), (20, "MD5"), (50, "MD5")] {
        unknown.challenge = String::new();
        assert_eq!(offers(&unknown.ask(&mut office, at(now), "REGISTER")), offered);
    }
    assert_eq!(unknown.ask(&mut office, at(51), "REGISTER").status, 200);
    unknown.challenge = String::new();
    assert_eq!(offers(&unknown.ask(&mut office, at(100), "INVITE")), "MD5");
    // A nonce that is too old is replaced by one for what the client has used.
    assert_eq!(unknown.ask(&mut office, at(101), "REGISTER").status, 200);
    assert_eq!(
        offers(&unknown.ask(&mut office, at(100 + 3_700), "REGISTER")),
        "MD5"
    );

    let mut named = Phone::new(3, 13);
    for agent in ["", "User-Agent: baresip v1.0.0 (x86_64/linux)\r\n"] {
        (named.agent, named.challenge) = (agent.into(), String::new());
        assert_eq!(offers(&named.ask(&mut office, at(0), "REGISTER")), "MD5");
    }
}

/// A phone with two accounts, or one that was given another ID, sends from one address for both.
#[test]
fn two_ids_at_one_address() {
    let mut office = Office::new(8, 1);
    let (mut first, mut second) = (Phone::new(1, 11), Phone::new(2, 11));
    first.register(&mut office, at(0));
    second.register(&mut office, at(1));
    for (phone, id) in [(&mut first, 1), (&mut second, 2)] {
        phone.contact = String::from("<sip:x@192.0.2.11>");
        phone.challenge.clear();
        assert_eq!(phone.ask(&mut office, at(2), "INVITE").status, 407);
        assert_eq!(phone.ask(&mut office, at(2), "INVITE").caller, Some(key(id)));
    }
}

/// What an emergency call shows that has no right credentials: a challenge of ours, at the address of a phone.
#[test]
fn an_emergency_call_needs_the_way_back() {
    let mut office = Office::new(8, 1);
    let (mut first, mut second) = (Phone::new(1, 11), Phone::new(2, 11));
    first.register(&mut office, at(0));
    second.register(&mut office, at(1));
    let vouched = |office: &Office, flow: &Flow, text: &str, now| {
        let request = Message::parse_datagram(text.as_bytes()).unwrap();
        office.registrar.vouched(now, flow, &request, &Site)
    };
    (first.challenge, first.password) = (String::new(), String::from("guess"));
    let flow = first.flow;
    assert_eq!(
        vouched(&office, &flow, &first.request("INVITE"), at(2)),
        None,
        "forged"
    );
    first.ask(&mut office, at(2), "INVITE");
    let answered = first.request("INVITE");
    assert_eq!(vouched(&office, &flow, &answered, at(3)), Some(key(1)));
    let nobody = answered.replace("From: <sip:0312340001@", "From: <sip:nobody@");
    assert_eq!(vouched(&office, &flow, &nobody, at(3)), Some(key(2)), "the last");
    let mut elsewhere = flow;
    elsewhere.peer.set_port(6000);
    assert_eq!(
        vouched(&office, &elsewhere, &answered, at(3)),
        None,
        "nobody there"
    );
    elsewhere.peer = "192.0.2.66:5062".parse().unwrap();
    assert_eq!(
        vouched(&office, &elsewhere, &answered, at(3)),
        None,
        "another's nonce"
    );
    assert_eq!(vouched(&office, &flow, &answered, at(3_700)), None, "old");
}
