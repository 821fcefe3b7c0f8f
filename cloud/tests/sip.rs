//! The server's SIP edge on real sockets: a scripted box and a scripted carrier, media through the relay, records.

#[path = "world/sip.rs"]
mod wire;
mod world;

use std::net::SocketAddr;

use cloud::control;
use rsip::Method;
use rsip::prelude::*;
use tokio::io::AsyncReadExt;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use wire::{Wire, audio, other, register, sdp, with_body};
use world::{PATIENCE, REP, World, direct, until};

async fn phone() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

fn rtp(sequence: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 0, 0, sequence, 0, 0, 0, 0, 1, 2, 3, 4];
    packet.extend([0xd5; 160]);
    packet
}

async fn hears(socket: &UdpSocket, packet: &[u8]) {
    let mut buffer = [0; 1_500];
    let (len, _) = timeout(PATIENCE, socket.recv_from(&mut buffer))
        .await
        .expect("RTP")
        .unwrap();
    assert_eq!(&buffer[..len], packet);
}

struct Office {
    world: World,
    server: world::Running,
    trunk: Wire,
    carrier: Wire,
}

/// A running server, its box registered, its carrier known by address.
async fn office() -> Office {
    let world = World::new().await;
    let (carrier, addr) = phone().await;
    let server = world::Running::start_with_carrier(&world.db, None, addr).await;
    let (trunk, registered) = register(server.sip, &world.factory, &world.factory.password()).await;
    assert_eq!(registered.status_code.code(), 200);
    let carrier = Wire::Udp(carrier, server.sip);
    Office {
        world,
        server,
        trunk,
        carrier,
    }
}

fn invite(called: &str, local: SocketAddr, body: &str, number: u32) -> String {
    format!(
        "INVITE sip:{called}@cloud.test SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKinv{number};rport\r\n\
         Max-Forwards: 70\r\nFrom: \"Taro\" <sip:09012345678@carrier.test>;tag=c{number}\r\n\
         To: <sip:{called}@cloud.test>\r\nCall-ID: call-{number}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:carrier@{local}>\r\n{}",
        with_body(body)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_call_with_media_and_records() {
    let Office {
        world,
        server,
        mut trunk,
        mut carrier,
    } = office().await;
    until("trunk shown", async || {
        world.db.boxes().await.unwrap()[0].trunk.is_some()
    })
    .await;

    let (caller, caller_addr) = phone().await;
    let (desk, desk_addr) = phone().await;
    carrier
        .send(&invite(REP, carrier.local(), &sdp(caller_addr), 1))
        .await;
    let offered = trunk.request(Method::Invite).await;
    assert_eq!(offered.uri.user(), Some(REP));
    let from = offered.from_header().unwrap().typed().unwrap();
    assert_eq!(from.uri.user(), Some("09012345678"));
    assert_eq!(
        from.display_name.as_deref(),
        Some("\"Taro\""),
        "rsip keeps the quotes"
    );
    let session = other(&offered, "Session-ID").unwrap()[..32].to_string();
    let contact = format!("Contact: <sip:box@{}>\r\n", trunk.local());
    trunk.answer(&offered, "180 Ringing", &contact, "").await;
    until("the call shown", async || {
        let calls = control::calls(&world.db).await.unwrap().unwrap();
        calls.len() == 1 && calls[0].state == "ringing" && calls[0].session == session
    })
    .await;
    trunk.answer(&offered, "200 OK", &contact, &sdp(desk_addr)).await;
    let answered = carrier.response(Method::Invite).await;
    assert_eq!(answered.status_code.code(), 200);
    let to_tag = answered.to_header().unwrap().value().to_string();
    let target = answered.contact_header().unwrap().typed().unwrap().uri;
    let in_dialog = |method: &str, cseq: u32, branch: &str| {
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP carrier.test;branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n\
             From: \"Taro\" <sip:09012345678@carrier.test>;tag=c1\r\nTo: {to_tag}\r\nCall-ID: call-1\r\n\
             CSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    carrier.send(&in_dialog("ACK", 1, "ack")).await;
    trunk.request(Method::Ack).await;

    // Media both ways, each side through the relay's port and not to each other.
    let (to_caller_side, to_desk_side) = (audio(answered.body()), audio(offered.body()));
    assert!(to_caller_side != desk_addr && to_desk_side != caller_addr);
    desk.send_to(&rtp(1), to_desk_side).await.unwrap();
    hears(&caller, &rtp(1)).await;
    caller.send_to(&rtp(2), to_caller_side).await.unwrap();
    hears(&desk, &rtp(2)).await;

    carrier.send(&in_dialog("BYE", 2, "bye")).await;
    assert_eq!(carrier.response(Method::Bye).await.status_code.code(), 200);
    let bye = trunk.request(Method::Bye).await;
    trunk.answer(&bye, "200 OK", "", "").await;
    until("both legs recorded", async || {
        world
            .db
            .records(10)
            .await
            .unwrap()
            .first()
            .is_some_and(|call| call.cloud_legs == 2)
    })
    .await;
    let records = world.db.records(10).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].session.as_str(), records[0].was_answered),
        (session.as_str(), true)
    );
    assert_eq!(records[0].contract, Some(world.contract.0));
    assert!(
        records[0]
            .detail
            .iter()
            .all(|leg| leg.state == "answered" && leg.origin == "cloud")
    );
    assert!(control::calls(&world.db).await.unwrap().unwrap().is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_and_foreign_hands() {
    let Office {
        world,
        server,
        trunk,
        mut carrier,
    } = office().await;
    let (_, refused) = register(server.sip, &world.factory, "wrong").await;
    assert!(
        matches!(refused.status_code.code(), 401 | 403),
        "{}",
        refused.status_code
    );
    // The true box is still there.
    carrier
        .send(&invite(REP, carrier.local(), &sdp(phone().await.1), 2))
        .await;
    let mut trunk = trunk;
    trunk.request(Method::Invite).await;

    // Nobody else is the carrier, or a box.
    let stranger = tokio::net::TcpStream::connect(server.sip).await.unwrap();
    let mut stranger = Wire::Tcp(stranger, Vec::new());
    stranger
        .send(&invite(&direct(1), stranger.local(), &sdp(phone().await.1), 3).replace("/UDP", "/TCP"))
        .await;
    assert_eq!(stranger.response(Method::Invite).await.status_code.code(), 403);
    // Garbage ends the connection it came on and nothing else.
    let mut garbage = tokio::net::TcpStream::connect(server.sip).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut garbage, &[0x16; 9_000])
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, garbage.read_to_end(&mut rest))
        .await
        .expect("closed");
    carrier
        .send(&invite("0312349999", carrier.local(), &sdp(phone().await.1), 4))
        .await;
    loop {
        let answer = carrier.response(Method::Invite).await;
        if answer.call_id_header().unwrap().value() == "call-4" {
            assert_eq!(answer.status_code.code(), 404, "not one of ours");
            break;
        }
    }
    server.stop().await;
}

/// A box calls out: the right number is presented, and one call more than the contract has channels hears why not.
#[tokio::test(flavor = "multi_thread")]
async fn calls_to_the_carrier_and_one_too_many() {
    let Office {
        world,
        server,
        mut trunk,
        mut carrier,
    } = office().await;
    let local = trunk.local();
    let (desk, desk_addr) = phone().await;
    let invite = |number: u32, presented: &str| {
        format!(
            "INVITE sip:0901234567{number}@denwaban.example SIP/2.0\r\n\
             Via: SIP/2.0/TCP {local};branch=z9hG4bKout{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{presented}@denwaban.example>;tag=o{number}\r\nTo: <sip:0901234567{number}@denwaban.example>\r\n\
             Call-ID: out-{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:box@{local};transport=tcp>\r\n\
             P-Asserted-Identity: <sip:{presented}@denwaban.example>\r\n\
             P-Served-User: <sip:{}@denwaban.example>\r\nSession-ID: {:032x};remote={:032x}\r\n{}",
            direct(1),
            0xabc0 + number,
            0,
            with_body(&sdp(desk_addr))
        )
    };
    // R9: not a number of this ID.
    trunk.send(&invite(9, &direct(2))).await;
    assert_eq!(trunk.response(Method::Invite).await.status_code.code(), 403);
    for number in 0..3 {
        let presented = if number == 0 { REP.to_string() } else { direct(1) };
        trunk.send(&invite(number, &presented)).await;
        let offered = carrier.request(Method::Invite).await;
        assert_eq!(offered.uri.user(), Some(format!("+81901234567{number}").as_str()));
        let from = offered.from_header().unwrap().typed().unwrap();
        assert_eq!(from.uri.user(), Some(format!("+81{}", &presented[1..]).as_str()));
        assert!(
            other(&offered, "Session-ID")
                .unwrap()
                .starts_with(&format!("{:032x}", 0xabc0 + number))
        );
        carrier
            .answer(
                &offered,
                "180 Ringing",
                &format!("Contact: <sip:x@{}>\r\n", carrier.local()),
                "",
            )
            .await;
    }

    // R15: the contract has three channels.
    trunk.send(&invite(3, &direct(1))).await;
    let early = loop {
        if let rsip::SipMessage::Response(response) = trunk.next().await
            && response.call_id_header().unwrap().value() == "out-3"
            && response.status_code.code() > 100
        {
            break response;
        }
    };
    assert_eq!(early.status_code.code(), 183);
    assert!(audio(early.body()).ip().is_loopback());
    let mut packets = 0;
    let refused = loop {
        let mut buffer = [0; 1_500];
        tokio::select! {
            message = trunk.next() => if let rsip::SipMessage::Response(response) = message
                && response.call_id_header().unwrap().value() == "out-3" { break response },
            packet = desk.recv_from(&mut buffer) => {
                assert_eq!(packet.unwrap().0, 172, "20 ms of G.711");
                packets += 1;
            }
        }
    };
    assert_eq!(refused.status_code.code(), 486);
    assert!(
        refused.to_string().contains("Reason: Q.850;cause=34"),
        "{refused}"
    );
    assert!(packets > 50, "{packets} packets of the announcement");
    until("the refused calls recorded", async || {
        let records = world.db.records(10).await.unwrap();
        records.len() == 2 && records.iter().any(|call| call.detail[0].state == "channel_limit")
    })
    .await;
    server.stop().await;
}

/// The server is stopped in the middle of a call: both sides are told, and the record is written.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_calls_and_keeps_their_records() {
    let Office {
        world,
        server,
        mut trunk,
        mut carrier,
    } = office().await;
    carrier
        .send(&invite(REP, carrier.local(), &sdp(phone().await.1), 5))
        .await;
    let offered = trunk.request(Method::Invite).await;
    let contact = format!("Contact: <sip:box@{}>\r\n", trunk.local());
    trunk.answer(&offered, "180 Ringing", &contact, "").await;
    let stopping = tokio::spawn(server.stop());
    assert!(carrier.response(Method::Invite).await.status_code.code() >= 400);
    let cancel = trunk.request(Method::Cancel).await;
    trunk.answer(&cancel, "200 OK", "", "").await;
    trunk.answer(&offered, "487 Request Terminated", "", "").await;
    timeout(PATIENCE, stopping).await.unwrap().unwrap();
    let db = cloud::db::Db::open(world.dir.path()).await.unwrap();
    let records = db.records(10).await.unwrap();
    assert_eq!((records.len(), records[0].cloud_legs), (1, 1));
}
