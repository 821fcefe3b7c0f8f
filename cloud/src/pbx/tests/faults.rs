//! The line of a box is cut.

use super::*;

#[test]
fn a_connection_that_closes_while_it_rings() {
    let mut b = Bench::with(&[TOKYO]);
    let carrier = Caller::carrier("c1", "0312340001");
    b.ring(&carrier, home(TOKYO));
    b.give(Input::StreamClosed { flow: home(TOKYO) });
    assert_eq!(
        b.expect(CARRIER, "480").header("Reason"),
        Some("Q.850;cause=38;text=\"Network out of order\"")
    );
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    b.quiet();
    assert_eq!(b.trunks, [(TOKYO, None)]);
    assert_eq!(b.states(), [(0, FinalState::NotAnswered, 480)]);
    // The next call finds the phones absent.
    b.rx(
        CARRIER,
        &Caller::carrier("c2", "0312340001").request("INVITE", "i"),
    );
    b.expect(CARRIER, "100");
    b.expect(CARRIER, "480");
    assert_eq!(b.states(), [(0, FinalState::Unavailable, 480)]);
    b.nothing_left();
}

#[test]
fn a_line_that_is_cut_while_it_rings() {
    let mut b = Bench::with(&[TOKYO]);
    let carrier = Caller::carrier("c1", "0312340001");
    b.ring(&carrier, home(TOKYO));
    b.wait(14_999);
    b.quiet();
    b.wait(1);
    b.expect(CARRIER, "480");
    assert_eq!(b.closed, [home(TOKYO)]);
    assert_eq!(b.states().len(), 1);
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    b.nothing_left();
}

#[test]
fn of_two_boxes_one_is_cut() {
    let mut b = Bench::with(&[TOKYO, OSAKA]);
    let carrier = Caller::carrier("c1", "0312340000");
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    b.expect(home(TOKYO), "INVITE");
    let osaka = b.expect(home(OSAKA), "INVITE");
    b.rx(home(OSAKA), &answer(&osaka, 180, ""));
    b.expect(CARRIER, "180");
    b.give(Input::StreamClosed { flow: home(TOKYO) });
    b.quiet();
    b.rx(home(OSAKA), &answer(&osaka, 200, PHONE_SDP));
    b.expect(home(OSAKA), "ACK");
    b.expect(CARRIER, "200");
    assert_eq!(b.pbx.live().count(), 1);
}

#[test]
fn a_box_that_says_nothing_of_a_call() {
    let mut b = Bench::with(&[TOKYO]);
    let carrier = Caller::carrier("c1", "0312340001");
    b.rx(CARRIER, &carrier.request("INVITE", "i"));
    b.expect(CARRIER, "100");
    let invite = b.expect(home(TOKYO), "INVITE");
    b.wait(3_999);
    b.quiet();
    b.wait(1);
    b.expect(CARRIER, "480");
    b.rx(CARRIER, &carrier.request("ACK", "i"));
    assert_eq!(b.states(), [(0, FinalState::Unavailable, 480)]);
    // It was only slow: its answer gets ACK and BYE.
    b.rx(home(TOKYO), &answer(&invite, 200, PHONE_SDP));
    b.expect(home(TOKYO), "ACK");
    let bye = b.expect(home(TOKYO), "BYE");
    b.rx(home(TOKYO), &answer(&bye, 200, ""));
    b.quiet();
    b.nothing_left();
}

#[test]
fn calls_wait_a_while_for_a_box_to_come_back() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    let mut phone = Caller::office(home(TOKYO), "c2", "0335550009", "0312340002");
    b.talk(&mut phone, CARRIER, CARRIER_SDP);
    b.give(Input::StreamClosed { flow: home(TOKYO) });
    b.wait(5_000);
    b.quiet();
    let again = connection(60);
    b.register(TOKYO, again, 1);
    // Does the box still know its calls? It does.
    for _ in 0..2 {
        let probe = b.expect(again, "OPTIONS");
        b.rx(again, &answer(&probe, 200, ""));
    }
    b.quiet();
    assert_eq!(
        b.trunks,
        [(TOKYO, None), (TOKYO, Some("192.168.1.2:49152".into()))]
    );
    assert_eq!(b.pbx.channels_used(CONTRACT), 2);
    b.wait_alive(10_000, &[again]);
    b.quiet();
    // Either goes on over the new connection.
    b.hang_up(&carrier, again);
    phone.flow = again;
    b.hang_up(&phone, CARRIER);
    assert_eq!(b.states().len(), 4);
    b.nothing_left();
}

#[test]
fn a_box_that_does_not_come_back() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    let phone = Caller::office(home(TOKYO), "c2", "0335550009", "0312340002");
    b.ring(&phone, CARRIER);
    b.give(Input::StreamClosed { flow: home(TOKYO) });
    b.wait(5_999);
    b.quiet();
    b.wait(1);
    let (bye, cancel) = match b.seen[0].what() {
        "BYE" => (b.expect(CARRIER, "BYE"), b.expect(CARRIER, "CANCEL")),
        _ => {
            let cancel = b.expect(CARRIER, "CANCEL");
            (b.expect(CARRIER, "BYE"), cancel)
        }
    };
    assert_eq!(
        bye.header("Reason"),
        Some("Q.850;cause=38;text=\"Network out of order\"")
    );
    b.rx(CARRIER, &answer(&bye, 200, ""));
    b.rx(CARRIER, &answer(&cancel, 200, ""));
    let mut states = b.states();
    states.sort_by_key(|(leg, state, _)| (*leg, *state == FinalState::Cancelled));
    assert_eq!(
        states,
        [
            (0, FinalState::Lost, 200),
            (0, FinalState::Cancelled, 487),
            (1, FinalState::Lost, 200)
        ]
    );
    b.seen.clear();
    b.nothing_left();
}

#[test]
fn a_box_that_started_anew_has_forgotten_its_calls() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    b.ring(&Caller::carrier("c2", "0312340002"), home(TOKYO));
    // Power came back before anybody noticed that it was gone.
    b.register(TOKYO, connection(60), 2);
    let mut told: Vec<_> = b
        .seen
        .drain(..)
        .filter(|seen| seen.flow == CARRIER)
        .map(|seen| seen.what().to_string())
        .collect();
    told.sort();
    assert_eq!(told, ["480", "BYE"]);
    assert_eq!(b.closed, [home(TOKYO)]);
    assert_eq!(b.pbx.channels_used(CONTRACT), 0);
    let mut states = b.states();
    states.sort_by_key(|(leg, state, _)| (*leg, *state == FinalState::Lost));
    assert_eq!(
        states,
        [
            (0, FinalState::NotAnswered, 480),
            (0, FinalState::Lost, 200),
            (1, FinalState::Lost, 200)
        ]
    );
    b.ring(&Caller::carrier("c3", "0312340001"), connection(60));
}

#[test]
fn a_hundred_calls_end_with_their_box() {
    let mut b = Bench::with(&[TOKYO]);
    for n in 0..100 {
        let emergency = Caller::office(home(TOKYO), &format!("c{n}"), "119", "0312340001");
        b.rx(home(TOKYO), &emergency.request("INVITE", "i"));
        let invite = b.expect(CARRIER, "INVITE");
        if n % 2 == 0 {
            b.rx(CARRIER, &answer(&invite, 200, CARRIER_SDP));
            let mut emergency = emergency;
            b.expect(home(TOKYO), "100");
            emergency.to_tag = b.expect(home(TOKYO), "200").tag("To");
            b.rx(home(TOKYO), &emergency.request("ACK", "a"));
            b.expect(CARRIER, "ACK");
        } else {
            b.rx(CARRIER, &answer(&invite, 180, ""));
        }
        b.seen.clear();
    }
    assert_eq!(b.pbx.relays_mut().open.len(), 100);
    b.give(Input::StreamClosed { flow: home(TOKYO) });
    b.wait(6_000);
    let states = b.states();
    let count = |state| states.iter().filter(|(_, s, _)| *s == state).count();
    assert_eq!(
        (
            states.len(),
            count(FinalState::Lost),
            count(FinalState::Cancelled)
        ),
        (150, 100, 50)
    );
    b.seen.clear();
    b.nothing_left();
}

#[test]
fn the_server_stops() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    b.ring(&Caller::carrier("c2", "0312340002"), home(TOKYO));
    b.pbx.release_all(b.now);
    b.drain();
    let mut told: Vec<_> = b
        .seen
        .drain(..)
        .map(|seen| (seen.flow == CARRIER, seen.what().to_string()))
        .collect();
    told.sort();
    let told: Vec<_> = told
        .iter()
        .map(|(carrier, what)| (*carrier, what.as_str()))
        .collect();
    assert_eq!(
        told,
        [(false, "BYE"), (false, "CANCEL"), (true, "480"), (true, "BYE")]
    );
    assert_eq!(b.states().len(), 3);
    assert_eq!(b.pbx.relays_mut().open.len(), 0);
    b.rx(
        CARRIER,
        &Caller::carrier("c3", "0312340001").request("INVITE", "i"),
    );
    b.expect(CARRIER, "503");
    assert_eq!(b.pbx.live().count(), 0);
}

#[test]
fn a_peer_that_is_gone_is_found_out() {
    let mut b = Bench::with(&[TOKYO]);
    let mut carrier = Caller::carrier("c1", "0312340001");
    b.talk(&mut carrier, home(TOKYO), PHONE_SDP);
    // The carrier forgot the call and never said so.
    b.wait_alive(55_000, &[home(TOKYO)]);
    b.wait(5_000);
    let probe = b.expect(CARRIER, "OPTIONS");
    b.rx(CARRIER, &answer(&probe, 481, ""));
    b.seen.retain(|seen| seen.what() == "BYE");
    b.expect(home(TOKYO), "BYE");
    assert_eq!(
        b.states(),
        [(0, FinalState::Lost, 200), (1, FinalState::Lost, 200)]
    );
}
