//! Finding, room and handles.

use super::*;
use std::collections::HashSet;
use std::string::ToString;

#[test]
fn flows_come_back_as_they_were_given() {
    let v6: core::net::SocketAddr = "[2001:db8::1]:5061".parse().unwrap();
    let mapped: core::net::SocketAddr = "[::ffff:192.0.2.1]:5060".parse().unwrap();
    let v4: core::net::SocketAddr = "192.0.2.1:5060".parse().unwrap();
    on_both(16, |table| {
        for transport in [
            Transport::Udp,
            Transport::Tcp,
            Transport::Tls,
            Transport::Ws,
            Transport::Wss,
        ] {
            // Fixed slices go with a network that knows nothing of IPv6.
            let all = [(v4, v4), (v6, mapped), (mapped, v4)];
            let all = if cfg!(feature = "std") {
                &all[..]
            } else {
                &all[..1]
            };
            for &(peer, local) in all {
                let flow = Flow {
                    transport,
                    interface: 3,
                    stream: 0xfffe,
                    peer,
                    local,
                };
                let tx = table
                    .client(ms(0), ClientKind::NonInvite, flow, 0, Priority::Reserved)
                    .unwrap();
                assert_eq!(table.flow(tx), Some(flow));
            }
        }
    });
}

#[test]
fn room_is_kept_for_what_must_not_be_refused() {
    on_both(8, |table| {
        table.reserve(3);
        let udp = flow(Transport::Udp);
        let invites: Vec<TxId> = (0..5)
            .map(|user| {
                table
                    .client(ms(0), ClientKind::Invite, udp, user, Priority::Normal)
                    .unwrap()
            })
            .collect();
        let normal = table.client(ms(0), ClientKind::Invite, udp, 9, Priority::Normal);
        assert_eq!(normal, Err(Full));
        assert_eq!(
            receive(table, ms(0), udp, &request("INVITE", "h;branch=z9hG4bK1")),
            Received::Full
        );
        assert_eq!(
            receive(table, ms(0), udp, &request("OPTIONS", "h;branch=z9hG4bK1")),
            Received::Full
        );
        assert!(matches!(
            receive(table, ms(0), udp, &request("BYE", "h;branch=z9hG4bK1")),
            Received::Request { .. }
        ));
        assert!(table.cancel(ms(0), invites[0]).is_ok());
        assert!(
            table
                .client(ms(0), ClientKind::NonInvite, udp, 9, Priority::Reserved)
                .is_ok()
        );
        assert_eq!(
            table.client(ms(0), ClientKind::NonInvite, udp, 9, Priority::Reserved),
            Err(Full)
        );
        assert_eq!(table.cancel(ms(0), invites[1]), Err(Refused::Full));
        // A repetition needs no room, and an ACK never does.
        assert!(matches!(
            receive(table, ms(0), udp, &request("BYE", "h;branch=z9hG4bK1")),
            Received::Retransmission { status: 0, .. }
        ));
        assert_eq!(
            receive(table, ms(0), udp, &request("ACK", "h;branch=z9hG4bK2")),
            Received::Ack
        );
        assert_eq!((table.counters().full, table.len()), (5, 8));
        // What goes makes room.
        table.forget(invites[2]);
        let emergency = Message::parse_datagram(b"INVITE sip:119@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK9\r\n\
            From: <sip:a@x>;tag=1\r\nTo: <sip:119@x>\r\nCall-ID: e\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n");
        let emergency = table.receive_reserved(ms(0), udp, &emergency.unwrap());
        assert!(matches!(emergency, Received::Request { .. }));
        table.assert_sound();
    });
}

#[test]
fn no_room_at_all_is_refused() {
    on_both(0, |table| {
        let udp = flow(Transport::Udp);
        assert_eq!(
            table.client(ms(0), ClientKind::Invite, udp, 0, Priority::Reserved),
            Err(Full)
        );
        assert_eq!(
            receive(table, ms(0), udp, &request("BYE", "h;branch=z9hG4bK1")),
            Received::Full
        );
        assert_eq!(
            receive(
                table,
                ms(0),
                udp,
                &response(200, "BYE", "z9hG4bK0123456789abcdef")
            ),
            Received::StrayResponse
        );
        assert_eq!((table.poll(ms(0)), table.next_deadline()), (None, None));
    });
}

#[test]
fn dead_handles_are_refused() {
    on_both(1, |table| {
        table.reserve(0);
        let udp = flow(Transport::Udp);
        let mut dead = HashSet::new();
        for round in 0..1_000 {
            let tx = table
                .client(ms(round), ClientKind::Invite, udp, 0, Priority::Normal)
                .unwrap();
            assert!(dead.insert(tx), "a handle came again after {round} rounds");
            assert!(table.branch(tx).is_some() && table.ack_branch(tx) != table.branch(tx));
            assert_eq!(table.to_tag(tx), None);
            table.forget(tx);
            assert_eq!(
                (table.branch(tx), table.user(tx), table.set_user(tx, 1)),
                (None, None, false)
            );
            assert_eq!(table.cancel(ms(0), tx), Err(Refused::NoSuch));
            assert_eq!(table.respond(ms(0), tx, 200), Err(Refused::NoSuch));
            table.transport_error(ms(0), tx);
            table.forget(tx);
        }
        assert_eq!(drain(table, ms(2_000)), []);
    });
}

/// RFC 3261 §17.2.3: branch, sent-by and method; the case of the branch does not matter.
#[test]
fn requests_are_told_apart() {
    on_both(16, |table| {
        let udp = flow(Transport::Udp);
        let mut invite = |via: &str| receive(table, ms(0), udp, &request("INVITE", via));
        for new in [
            "h;branch=z9hG4bK1",
            "h;branch=z9hG4bK2",
            "h:5060;branch=z9hG4bK1",
            "i;branch=z9hG4bK1",
            "192.0.2.1;branch=z9hG4bK1",
            "[2001:db8::1]:5060;branch=z9hG4bK1",
        ] {
            assert!(matches!(invite(new), Received::Request { .. }), "{new}");
        }
        for known in [
            "h;branch=z9hG4bK1",
            "H;rport;branch=Z9HG4BK1",
            "i;branch=z9hG4bK1;x=y",
            "[2001:DB8:0::1]:5060;branch=z9hG4bK1",
        ] {
            assert!(
                matches!(invite(known), Received::Retransmission { .. }),
                "{known}"
            );
        }
        for (method, known) in [
            ("OPTIONS", false),
            ("OPTIONS", true),
            ("INFO", false),
            ("FOO", false),
            ("FOO", true),
        ] {
            let got = receive(table, ms(0), udp, &request(method, "h;branch=z9hG4bK1"));
            assert_eq!(matches!(got, Received::Retransmission { .. }), known, "{method}");
        }
    });
}

/// No cookie: Request-URI, From tag, Call-ID, CSeq number and top Via decide, and the ACK's To tag does not.
#[test]
fn clients_of_rfc_2543_are_matched() {
    on_both(16, |table| {
        let udp = flow(Transport::Udp);
        let invite = request("INVITE", "h");
        let Received::Request { tx } = receive(table, ms(0), udp, &invite) else {
            panic!()
        };
        table.set_user(tx, 3);
        assert!(matches!(
            receive(table, ms(1), udp, &invite),
            Received::Retransmission { .. }
        ));
        for (part, other) in [
            ("sip:b@x SIP", "sip:c@x SIP"),
            ("tag=1", "tag=9"),
            ("Call-ID: c", "Call-ID: d"),
            ("CSeq: 1", "CSeq: 2"),
            ("UDP h", "UDP i"),
            ("UDP h", "UDP h;branch=7"),
        ] {
            let other = invite.replacen(part, other, 1);
            assert!(
                matches!(receive(table, ms(1), udp, &other), Received::Request { .. }),
                "{part}"
            );
        }
        let cancel = receive(table, ms(2), udp, &request("CANCEL", "h"));
        assert!(matches!(cancel, Received::Cancel { invite: Some((id, 3)), .. } if id == tx));
        table.respond(ms(3), tx, 487).unwrap();
        let ack = request("ACK", "h").replace("To: <sip:b@x>", "To: <sip:b@x>;tag=2");
        assert_eq!(
            receive(table, ms(4), udp, &ack),
            Received::AckAbsorbed { user: 3 }
        );
    });
}

#[test]
fn a_caller_that_answers_itself_is_owed_nothing() {
    on_both(2, |table| {
        let udp = flow(Transport::Udp);
        let Received::Request { tx } = receive(table, ms(0), udp, &request("BYE", "h;branch=z9hG4bK1"))
        else {
            panic!()
        };
        assert_eq!(table.responded(ms(0), tx, 481), Ok(()));
        assert_eq!((drain(table, ms(0)), table.status(tx)), (std::vec![], Some(481)));
        assert_eq!(table.next_deadline(), Some(ms(32_000)));
    });
}

#[test]
fn branches_and_tags_are_unguessable_and_each_its_own() {
    on_both(512, |table| {
        let udp = flow(Transport::Udp);
        let mut seen = HashSet::new();
        for n in 0..200 {
            let tx = table
                .client(ms(0), ClientKind::Invite, udp, 0, Priority::Normal)
                .unwrap();
            assert!(seen.insert(table.branch(tx).unwrap().to_string()));
            assert!(seen.insert(table.ack_branch(tx).unwrap().to_string()));
            assert!(seen.insert(table.new_branch().to_string()));
            let heard = receive(
                table,
                ms(0),
                udp,
                &request("INVITE", &format!("h;branch=z9hG4bK{n}")),
            );
            let Received::Request { tx } = heard else {
                panic!("{heard:?}")
            };
            assert!(seen.insert(table.to_tag(tx).unwrap().to_string()));
            assert_eq!(table.branch(tx), None);
        }
        assert!(
            seen.iter()
                .all(|s| s.len() == 8 || (s.len() == 23 && s.starts_with("z9hG4bK")))
        );
    });
    let mut slots = [Slot::EMPTY; 2];
    let mut other = Transactions::new(&mut slots, [8, 11], Timers::default());
    let mut slots = [Slot::EMPTY; 2];
    let mut same = Transactions::new(&mut slots, SECRET, Timers::default());
    assert_ne!(other.new_branch(), same.new_branch());
}

/// Random orders on both storages give the same words, and the index stays whole.
#[test]
fn both_storages_say_the_same_and_their_index_stays_whole() {
    fn run(table: &mut Transactions<'_>, seed: u64) -> Vec<String> {
        let mut state = seed;
        let mut random = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut now, mut log, mut ours, mut theirs) = (0, Vec::new(), Vec::new(), Vec::new());
        for step in 0..600u32 {
            now += random(400);
            let flow = flow(if random(2) == 0 {
                Transport::Udp
            } else {
                Transport::Tcp
            });
            let pick = |ids: &Vec<TxId>, n: u64| ids.get(n as usize % ids.len().max(1)).copied();
            let (chosen, status) = (random(64), [100, 180, 200, 404, 487][random(5) as usize]);
            let text = match random(8) {
                0 => format!(
                    "{:?}",
                    table
                        .client(ms(now), ClientKind::Invite, flow, step, Priority::Normal)
                        .inspect(|tx| ours.push(*tx))
                        .is_ok()
                ),
                1 => format!(
                    "{:?}",
                    table
                        .client(ms(now), ClientKind::NonInvite, flow, step, Priority::Reserved)
                        .inspect(|tx| ours.push(*tx))
                        .is_ok()
                ),
                2 => format!(
                    "{:?}",
                    pick(&ours, chosen).map(|tx| table.cancel(ms(now), tx).is_ok())
                ),
                3 | 4 => {
                    let method = ["INVITE", "ACK", "BYE", "CANCEL", "INFO"][random(5) as usize];
                    let got = receive(
                        table,
                        ms(now),
                        flow,
                        &request(method, &format!("h;branch=z9hG4bK{}", random(6))),
                    );
                    if let Received::Request { tx } | Received::Cancel { tx, .. } = got {
                        theirs.push(tx);
                    }
                    format!("{:?}", core::mem::discriminant(&got))
                }
                5 => format!(
                    "{:?}",
                    pick(&theirs, chosen).map(|tx| table.respond(ms(now), tx, status))
                ),
                6 => {
                    let branch = pick(&ours, chosen)
                        .and_then(|tx| table.branch(tx))
                        .map(|b| b.to_string());
                    let method = ["INVITE", "OPTIONS", "CANCEL"][random(3) as usize];
                    branch.map_or(String::new(), |b| {
                        format!(
                            "{:?}",
                            core::mem::discriminant(&receive(
                                table,
                                ms(now),
                                flow,
                                &response(status, method, &b)
                            ))
                        )
                    })
                }
                _ => {
                    if let Some(tx) = pick(&ours, chosen) {
                        if chosen < 3 {
                            table.forget(tx)
                        } else if chosen < 6 {
                            table.transport_error(ms(now), tx)
                        }
                    }
                    String::new()
                }
            };
            log.push(text);
            let mut due: Vec<String> = drain(table, ms(now))
                .iter()
                .map(|d| format!("{:?}", core::mem::discriminant(d)))
                .collect();
            due.sort();
            log.extend(due);
            table.assert_sound();
            assert!(table.next_deadline().is_none_or(|at| at > ms(now)));
        }
        for tx in theirs {
            table.forget(tx);
        }
        for tx in &ours {
            let _ = table.cancel(ms(now), *tx);
        }
        // All that can wait for ever was told to end.
        for _ in 0..3 {
            now += 100_000;
            drain(table, ms(now));
        }
        log.push(format!("{}", table.len()));
        log
    }
    for seed in 0..40 {
        let mut slots = [Slot::EMPTY; 24];
        let fixed = run(
            &mut Transactions::new(&mut slots, SECRET, Timers::default()),
            seed,
        );
        let grown = run(
            &mut Transactions::new(Storage::growable(24), SECRET, Timers::default()),
            seed,
        );
        assert_eq!(fixed, grown, "seed {seed}");
        assert_eq!(
            fixed.last().map(String::as_str),
            Some("0"),
            "seed {seed}: transactions leak"
        );
    }
}

/// Thirty thousand at once: nothing here is linear in the number of transactions.
#[test]
fn a_crowd_is_found_and_timed() {
    let mut table = Transactions::new(Storage::growable(30_000), SECRET, Timers::default());
    table.reserve(0);
    let udp = flow(Transport::Udp);
    let ids: Vec<TxId> = (0..30_000)
        .map(|user| {
            table
                .client(
                    ms(u64::from(user) / 10),
                    ClientKind::NonInvite,
                    udp,
                    user,
                    Priority::Normal,
                )
                .unwrap()
        })
        .collect();
    table.assert_sound();
    for (user, tx) in ids.iter().enumerate().rev() {
        let branch = table.branch(*tx).unwrap().to_string();
        let got = receive(&mut table, ms(3_000), udp, &response(200, "OPTIONS", &branch));
        assert_eq!(
            got,
            Received::Response {
                tx: *tx,
                user: user as u32,
                status: 200
            }
        );
    }
    assert_eq!(drain(&mut table, ms(8_000)).len(), 30_000);
    assert!(table.is_empty());
}
