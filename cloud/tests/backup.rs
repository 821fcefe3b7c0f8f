//! Phones whose box is away, at the server's SIP edge on real sockets.

#[path = "world/sip.rs"]
mod wire;
mod world;

use std::net::SocketAddr;
use std::time::Duration;

use contract::Command;
use contract::device::Phone;
use rsip::Method;
use rsip::prelude::*;
use shared::hub::{Mac, PhoneModel};
use shared::id::IdKey;
use shared::record::Stamp;
use shared::sync::{Event, EventBody, EventId, PhoneSecret};
use sip::digest::Ha1;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use wire::{Wire, audio, proof, register_phone, sdp, with_body};
use world::{PATIENCE, ScriptedBox, World, direct, order, until};

async fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Two phones behind translators call each other through the relay: one by UDP, one by TCP. Where they say they are cannot be
/// reached; they are heard, and hear, where their packets come from.
#[tokio::test(flavor = "multi_thread")]
async fn phones_call_each_other_through_the_cloud() {
    let world = World::new().await;
    let server = world.serve(None).await;
    let realm = world.factory.realm().to_string();
    let (one, two) = (direct(1), direct(2));
    let mut a = Wire::Udp(udp().await.0, server.sip);
    let mut b = Wire::Tcp(TcpStream::connect(server.sip).await.unwrap(), Vec::new());
    assert_eq!(
        register_phone(&mut a, &one, &realm, "guess")
            .await
            .status_code
            .code(),
        403
    );
    for (wire, user, password) in [(&mut a, &one, "password1"), (&mut b, &two, "password2")] {
        let answer = register_phone(wire, user, &realm, password).await;
        assert_eq!(answer.status_code.code(), 200);
    }
    until("they are shown", async || {
        let rows = world.db.registrations().await.unwrap();
        let at_cloud = rows.iter().filter(|row| row.source == "cloud");
        at_cloud.map(|row| row.user.as_str()).collect::<Vec<_>>() == [one.as_str(), two.as_str()]
    })
    .await;

    let (ear_a, _) = udp().await;
    let (ear_b, _) = udp().await;
    let nowhere: SocketAddr = "192.168.1.20:4000".parse().unwrap();
    let local = a.local();
    let invite = |cseq: u32, line: &str| {
        format!(
            "INVITE sip:202@{realm} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKi{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{one}@{realm}>;tag=a\r\nTo: <sip:202@{realm}>\r\nCall-ID: call\r\nCSeq: {cseq} INVITE\r\n\
             Contact: <sip:{one}@{local}>\r\n{line}{}",
            with_body(&sdp(nowhere))
        )
    };
    a.send(&invite(1, "")).await;
    let challenge = a.response(Method::Invite).await;
    assert_eq!(challenge.status_code.code(), 407);
    let line = proof(
        &challenge,
        "Proxy-Authorization",
        Method::Invite,
        &format!("202@{realm}"),
        &one,
        "password1",
    );
    a.send(&invite(2, &line)).await;
    let offered = b.request(Method::Invite).await;
    assert_eq!(
        offered.from_header().unwrap().typed().unwrap().uri.user(),
        Some("201")
    );
    let contact = format!("Contact: <sip:{two}@{}>\r\n", b.local());
    b.answer(&offered, "200 OK", &contact, &sdp(nowhere)).await;
    let answered = a.response(Method::Invite).await;
    assert_eq!(answered.status_code.code(), 200);
    b.request(Method::Ack).await;

    let (to_a, to_b) = (audio(answered.body()), audio(offered.body()));
    let rtp = |from: u8| [&[0x80, 0, 0, from, 0, 0, 0, 0, 1, 2, 3, from][..], &[0xd5; 160]].concat();
    // Their packets show where they are; until then what is for them goes nowhere.
    let hears = async |ear: &UdpSocket, from: u8| {
        let mut buffer = [0; 1_500];
        let heard = timeout(Duration::from_millis(20), ear.recv_from(&mut buffer)).await;
        heard.is_ok_and(|heard| buffer[..heard.unwrap().0] == rtp(from))
    };
    until("both hear each other", async || {
        ear_a.send_to(&rtp(1), to_a).await.unwrap();
        ear_b.send_to(&rtp(2), to_b).await.unwrap();
        hears(&ear_a, 2).await && hears(&ear_b, 1).await
    })
    .await;
    drop(b);
    until("the record", async || {
        let records = world.db.records(10).await.unwrap();
        records.first().is_some_and(|call| call.cloud_legs == 2)
    })
    .await;
    server.stop().await;
}

/// A box gave a phone another password before it died: the cloud takes the phone with that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_a_box_made_counts_at_once() {
    let world = World::new().await;
    let mac = Mac([0, 0x0b, 0x82, 0, 0, 1]);
    let phone = Phone {
        mac,
        model: PhoneModel::Gxp1628,
        line: 1,
        port: None,
    };
    let key = IdKey::new(0).unwrap();
    order(&world.db, world.contract, Command::Claim(key, phone))
        .await
        .unwrap();
    let server = world.serve(None).await;
    let (realm, user) = (world.factory.realm().to_string(), direct(1));
    // Each try comes from another address: guesses are slowed down.
    let mut tries = 0;
    let mut desk = ScriptedBox::connect(server.mqtt.unwrap(), &world.factory).await;
    desk.hello_until_answered().await;
    for (seq, password) in [(1, "first"), (2, "second")] {
        let Ha1 { md5, sha256 } = Ha1::from_password(user.as_bytes(), realm.as_bytes(), password.as_bytes());
        let secret = PhoneSecret {
            key,
            claim: 1,
            serial: seq,
            ha1_md5: md5,
            ha1_sha256: sha256,
        };
        let id = EventId { boot: 1, seq };
        let event = Event {
            id,
            at: Stamp::default(),
            body: EventBody::PhoneSecret(secret),
        };
        desk.events(&[event]).await;
        desk.app_ack_up_to(id).await;
        // Whoever has the former one is not registered any more.
        until("calls know it", async || {
            let rows = world.db.registrations().await.unwrap();
            tries += 1;
            let socket = UdpSocket::bind(format!("127.0.1.{tries}:0")).await.unwrap();
            let mut wire = Wire::Udp(socket, server.sip);
            let is_there = rows.iter().any(|row| row.user == user);
            !is_there
                && register_phone(&mut wire, &user, &realm, password)
                    .await
                    .status_code
                    .code()
                    == 200
        })
        .await;
        until("it is shown", async || {
            let phones = world.db.phones(None).await.unwrap();
            phones.iter().any(|row| row.sheltered && !row.registered)
        })
        .await;
    }
    server.stop().await;
}
