//! A contract with two sites: phones 0 and 1 are here, 2 and 3 at the other one. And who joins a ringing call.

use std::net::SocketAddr;

use super::office::*;
use gateway::MediaOutput;
use media::prompt::Prompt;
use shared::SiteId;
use shared::site::Site;

fn cloud() -> SocketAddr {
    address(CLOUD)
}

fn two_sites() -> Site {
    let mut site = site(4, 8);
    site.ids[2].site = SiteId(2);
    site.ids[3].site = SiteId(2);
    site.credentials.truncate(2);
    site.validate().unwrap();
    site
}

/// The box of site 1 with its phones.
fn office(online: bool) -> Office {
    let mut o = Office::new(&two_sites());
    for index in 0..2 {
        o.register(&Phone::new(index));
    }
    if online {
        o.connect();
    }
    o.events.clear();
    o
}

#[test]
fn phones_of_another_site_do_not_register_here() {
    let mut o = office(false);
    let stranger = Phone::new(2);
    o.rx(stranger.address, &stranger.register(1, ""));
    let challenge = o.expect(stranger.address, "401");
    let line = stranger.authorization(&challenge, "REGISTER", &format!("sip:{REALM}"));
    o.rx(stranger.address, &stranger.register(2, &line));
    let refusal = o.seen.pop_front().unwrap();
    assert_ne!(refusal.what(), "200", "{}", refusal.text);
}

/// R30 over two sites: through the cloud, with the extension as caller, and no channel used.
#[test]
fn an_extension_of_another_site() {
    let mut o = office(true);
    let a = Phone::new(0);
    for (dialled, uri) in [("202", "202"), ("202%23", "202"), ("03-1234-0002", "0312340002")] {
        let caller = o.dial(&a, dialled, dialled);
        let invite = o.expect(cloud(), "INVITE");
        assert_eq!(invite.uri(), format!("sip:{uri}@office.example"));
        assert!(
            invite
                .header("From")
                .starts_with("\"Phone 0\" <sip:200@office.example>;tag=")
        );
        assert_eq!(invite.header("P-Served-User"), "<sip:0312340000@office.example>");
        assert!(!invite.has("P-Asserted-Identity"));
        o.answer(&invite, 180);
        o.expect(a.address, "180");
        let callee = o.take(&invite);
        let mut caller = o.connected(caller);
        o.hang_up(&mut caller, &callee);
        o.quiet();
    }
    o.nothing_left();
}

#[test]
fn an_extension_of_another_site_while_the_line_is_cut() {
    let mut o = office(false);
    let a = Phone::new(0);
    let caller = o.dial(&a, "203", "c1");
    o.expect(a.address, "183");
    let Some(MediaOutput::Play { prompt, .. }) = o.media.pop_front() else {
        panic!("no announcement")
    };
    assert_eq!(prompt, Prompt::OutsideLineDown);
    o.handle(gateway::Input::Played { player: 0 });
    o.refused(&caller, "503");
    o.nothing_left();
}

/// From the other site: the extension rings although its direct number is off (R25).
#[test]
fn an_extension_called_from_another_site() {
    let mut site = two_sites();
    site.ids[1].direct_in = false;
    let mut o = Office::new(&site);
    o.register(&Phone::new(1));
    o.connect();
    let number = carrier("0312340001", "k0");
    o.trunk_rx(number.request("INVITE", "2", "", OFFER).as_bytes());
    o.expect(cloud(), "100");
    o.refused(&number, "480");
    let mut call = carrier("201", "k1");
    call.own = "\"Phone 2\" <sip:202@trunk.example>;tag=t".into();
    o.trunk_rx(call.request("INVITE", "2", "", OFFER).as_bytes());
    o.expect(cloud(), "100");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    assert!(
        invite
            .header("From")
            .starts_with("\"Phone 2\" <sip:202@office.example>;tag=")
    );
    assert_eq!(
        invite.header("P-Called-Party-ID"),
        "\"Phone 1\" <sip:201@office.example>"
    );
    o.answer(&invite, 486);
    o.expect(invite.peer, "ACK");
    o.refused(&call, "486");
    // An extension of the other site is not rung from here.
    let stray = carrier("202", "k2");
    o.trunk_rx(stray.request("INVITE", "2", "", OFFER).as_bytes());
    o.expect(cloud(), "100");
    o.refused(&stray, "480");
}

/// A group over two sites, called inside: the phones here and the cloud ring, the first to answer has it.
#[test]
fn a_group_over_two_sites_called_inside() {
    let a = Phone::new(0);
    for winner in [Phone::new(1).address, cloud()] {
        let mut o = office(true);
        let caller = o.dial(&a, REP, "c1");
        let invites = [Phone::new(1).address, cloud()].map(|at| o.expect(at, "INVITE"));
        o.quiet();
        assert_eq!(invites[1].uri(), "sip:0312345678@office.example");
        for invite in &invites {
            o.answer(invite, 180);
        }
        o.expect(a.address, "180");
        let (won, lost): (Vec<_>, Vec<_>) = invites.iter().partition(|invite| invite.peer == winner);
        let callee = o.take(won[0]);
        let mut caller = o.connected(caller);
        let cancel = o.expect(lost[0].peer, "CANCEL");
        assert_eq!(
            cancel.header("Reason"),
            "SIP;cause=200;text=\"Call completed elsewhere\""
        );
        o.reply(&cancel, &answer(&cancel, 200, ""));
        o.answer(lost[0], 487);
        o.expect(lost[0].peer, "ACK");
        o.hang_up(&mut caller, &callee);
        o.quiet();
        o.nothing_left();
    }
    // Cut off, or with nobody there: the phones here all the same.
    let mut o = office(false);
    o.dial(&a, REP, "c1");
    o.expect(Phone::new(1).address, "INVITE");
    o.quiet();
    let mut o = office(true);
    let caller = o.dial(&a, REP, "c1");
    let here = o.expect(Phone::new(1).address, "INVITE");
    let there = o.expect(cloud(), "INVITE");
    o.answer(&there, 480);
    o.expect(cloud(), "ACK");
    o.answer(&here, 180);
    o.expect(a.address, "180");
    o.take(&here);
    o.connected(caller);
}

/// R21: a phone that registers while the call rings joins, once; one that registers after the answer does not (A8).
#[test]
fn a_phone_that_comes_back_joins_the_ringing() {
    let mut o = Office::new(&site(3, 8));
    o.register(&Phone::new(0));
    o.connect();
    o.events.clear();
    let carrier = o.carrier_calls(REP, "k1");
    let first = o.expect(Phone::new(0).address, "INVITE");
    o.answer(&first, 180);
    o.expect(cloud(), "180");
    // Its 200 waits for the flash, the caller does not.
    o.register_only(&Phone::new(1));
    let second = o.expect(Phone::new(1).address, "INVITE");
    o.expect(Phone::new(1).address, "200");
    o.register(&Phone::new(1));
    o.quiet();
    o.answer(&first, 486);
    o.expect(first.peer, "ACK");
    o.take(&second);
    o.connected(carrier);
    o.register(&Phone::new(2));
    o.quiet();
}

/// R9, R22, R23: a number for one call, from the closed set.
#[test]
fn a_number_wished_for_one_call() {
    for (wished, presented) in [
        ("sip:0312340000@office.example", Ok("+81312340000")),
        ("sip:+81312340000@office.example", Ok("+81312340000")),
        ("sip:0312345678@office.example", Ok("+81312345678")),
        ("sip:reception@office.example", Ok("+81312345678")),
        (
            "sip:0312340001@office.example",
            Err("Another terminal's direct number (R9)"),
        ),
        (
            "sip:0399990000@office.example",
            Err("Not a number of the contract (R9)"),
        ),
    ] {
        let mut o = office(true);
        let a = Phone::new(0);
        let mut dialog = a.calls("0665550001", "c1");
        let wish = format!("P-Preferred-Identity: <{wished}>\r\n");
        o.rx(a.address, &dialog.request("INVITE", "1", &wish, OFFER));
        let challenge = o.expect(a.address, "407");
        o.rx(a.address, &dialog.ack_refusal(&challenge, "1"));
        dialog.cseq = 2;
        let line = a.authorization(&challenge, "INVITE", &dialog.target);
        o.rx(
            a.address,
            &dialog.request("INVITE", "2", &format!("{line}{wish}"), OFFER),
        );
        match presented {
            Ok(number) => {
                o.expect(a.address, "100");
                let invite = o.expect(cloud(), "INVITE");
                let asserted = format!("<sip:{number}@office.example>");
                assert_eq!(invite.header("P-Asserted-Identity"), asserted, "{wished}");
            }
            Err(why) => {
                let refusal = o.refused(&dialog, "403");
                assert_eq!(refusal.header("Reason"), format!("Q.850;cause=21;text=\"{why}\""));
                o.quiet();
            }
        }
    }
}

/// Two sites answered at the same moment and this one was later: its phone shows no broken call.
#[test]
fn an_answer_that_came_later_than_another_site_s() {
    let mut o = office(true);
    let carrier = o.carrier_calls("0312340001", "k1");
    let invite = o.expect(Phone::new(1).address, "INVITE");
    o.take(&invite);
    let mut carrier = o.connected(carrier);
    carrier.cseq += 1;
    let reason = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
    o.trunk_rx(carrier.request("BYE", "bye", reason, "").as_bytes());
    o.expect(cloud(), "200");
    let bye = o.expect(Phone::new(1).address, "BYE");
    assert_eq!(
        bye.header("Reason"),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
}
