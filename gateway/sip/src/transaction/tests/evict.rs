//! A full table gives the room of what only waits for stragglers to what is new.

use super::*;
use std::string::ToString;

/// Ends a client transaction of ours with this answer.
fn ended(table: &mut Transactions<'_>, at: u64, kind: ClientKind, status: u16, user: u32) -> TxId {
    let udp = flow(Transport::Udp);
    let tx = table.client(ms(at), kind, udp, user, Priority::Normal).unwrap();
    let method = if kind == ClientKind::Invite {
        "INVITE"
    } else {
        "OPTIONS"
    };
    let branch = table.branch(tx).unwrap().to_string();
    receive(table, ms(at), udp, &response(status, method, &branch));
    drain(table, ms(at));
    tx
}

/// Answers a request with this status.
fn answered(table: &mut Transactions<'_>, at: u64, method: &str, branch: &str, status: u16) -> TxId {
    let udp = flow(Transport::Udp);
    let heard = receive(
        table,
        ms(at),
        udp,
        &request(method, &format!("h;branch=z9hG4bK{branch}")),
    );
    let Received::Request { tx } = heard else {
        panic!("{heard:?}")
    };
    table.respond(ms(at), tx, status).unwrap();
    drain(table, ms(at));
    tx
}

fn invite(table: &mut Transactions<'_>, at: u64, user: u32, priority: Priority) -> Result<TxId, Full> {
    table.client(ms(at), ClientKind::Invite, flow(Transport::Udp), user, priority)
}

#[test]
fn the_one_nearest_to_its_end_goes_first() {
    on_both(4, |table| {
        table.reserve(0);
        // Ends at 37 s, 6 s, 35 s and 7 s.
        let late = ended(table, 5_000, ClientKind::Invite, 486, 1);
        let first = ended(table, 1_000, ClientKind::NonInvite, 200, 2);
        let third = answered(table, 3_000, "INFO", "a", 200);
        let second = ended(table, 2_000, ClientKind::NonInvite, 200, 3);
        for (user, gone) in [
            (10, (first, 2)),
            (11, (second, 3)),
            (12, (third, NO_USER)),
            (13, (late, 1)),
        ] {
            assert!(invite(table, 5_500, user, Priority::Normal).is_ok(), "{user}");
            assert_eq!(
                table.next_deadline(),
                Some(ms(0)),
                "its owner has to hear of it at once"
            );
            assert_eq!(table.user(gone.0), None, "the handle is dead");
            assert_eq!(
                table.poll(ms(5_500)),
                Some(Due::Gone {
                    tx: gone.0,
                    user: gone.1
                })
            );
            table.assert_sound();
        }
        assert_eq!(invite(table, 5_500, 14, Priority::Reserved), Err(Full));
        assert_eq!((table.counters().evicted, table.counters().full), (4, 1));
    });
}

#[test]
fn what_lives_is_not_touched() {
    on_both(8, |table| {
        table.reserve(0);
        let udp = flow(Transport::Udp);
        let calling = invite(table, 0, 1, Priority::Normal).unwrap();
        let ringing = invite(table, 0, 2, Priority::Normal).unwrap();
        let branch = table.branch(ringing).unwrap().to_string();
        receive(table, ms(0), udp, &response(180, "INVITE", &branch));
        // The CANCEL's transaction, and one that waits for a provisional answer.
        table.cancel(ms(0), ringing).unwrap();
        table.cancel(ms(0), calling).unwrap();
        drain(table, ms(0));
        let unanswered = request("INVITE", "h;branch=z9hG4bKu");
        assert!(matches!(
            receive(table, ms(0), udp, &unanswered),
            Received::Request { .. }
        ));
        let asked = request("INFO", "h;branch=z9hG4bKv");
        assert!(matches!(
            receive(table, ms(0), udp, &asked),
            Received::Request { .. }
        ));
        // Answered, but the answer has not been sent yet; and refused, but the refusal is not acknowledged yet.
        let heard = receive(table, ms(0), udp, &request("INFO", "h;branch=z9hG4bKw"));
        let Received::Request { tx: unsent } = heard else {
            panic!("{heard:?}")
        };
        let refused = answered(table, 0, "INVITE", "x", 486);
        table.respond(ms(0), unsent, 200).unwrap();
        assert_eq!(invite(table, 0, 9, Priority::Normal), Err(Full));
        assert_eq!(table.len(), 8);
        // A BYE or an emergency call is worth the repetitions of a refusal.
        assert!(invite(table, 0, 9, Priority::Reserved).is_ok());
        assert_eq!(table.user(refused), None);
        assert_eq!(invite(table, 0, 10, Priority::Reserved), Err(Full));
        table.assert_sound();
    });
}

/// The room that is kept for what must not be refused stays empty: what is over gives way before.
#[test]
fn evicting_keeps_the_reserve() {
    on_both(8, |table| {
        table.reserve(2);
        for user in 0..6 {
            ended(table, 0, ClientKind::Invite, 486, user);
        }
        for user in 10..100 {
            ended(table, 1, ClientKind::Invite, 486, user);
            assert_eq!(table.len(), 6);
        }
        assert_eq!(table.counters().full, 0);
        let gone = drain(table, ms(80_000));
        assert!(table.is_empty());
        assert!(gone.iter().all(|due| matches!(due, Due::Gone { .. })), "{gone:?}");
    });
}

/// Each transaction ends with one `Gone`, whether its time was over or its room was needed.
#[test]
fn every_owner_hears_once() {
    on_both(16, |table| {
        let mut heard = std::vec![0; 400];
        for user in 0..400 {
            if invite(table, u64::from(user) * 100, user, Priority::Normal).is_err() {
                heard[user as usize] += 1;
                continue;
            }
            let udp = flow(Transport::Udp);
            for due in drain(table, ms(u64::from(user) * 100)) {
                match due {
                    Due::SendRequest { tx, user } if user % 3 != 0 => {
                        let branch = table.branch(tx).unwrap().to_string();
                        let status = if user % 3 == 1 { 200 } else { 404 };
                        receive(
                            table,
                            ms(u64::from(user) * 100),
                            udp,
                            &response(status, "INVITE", &branch),
                        );
                    }
                    Due::Gone { user, .. } => heard[user as usize] += 1,
                    _ => {}
                }
            }
        }
        for due in drain(table, ms(200_000)) {
            if let Due::Gone { user, .. } = due {
                heard[user as usize] += 1;
            }
        }
        assert!(table.is_empty() && table.counters().evicted > 0);
        assert!(heard.iter().all(|times| *times == 1), "{heard:?}");
    });
}

/// A connection that comes back: what was not confirmed on the old one is sent again on the new one, once.
#[test]
fn a_moved_flow_repeats_what_was_not_confirmed() {
    on_both(16, |table| {
        let old = flow(Transport::Tcp);
        let new = Flow { stream: 9, ..old };
        let client = |table: &mut Transactions<'_>, kind, user| {
            table.client(ms(0), kind, old, user, Priority::Normal).unwrap()
        };
        let calling = client(table, ClientKind::Invite, 1);
        let ringing = client(table, ClientKind::Invite, 2);
        let given_up = client(table, ClientKind::Invite, 4);
        table.cancel(ms(0), given_up).unwrap();
        let bye = client(table, ClientKind::NonInvite, 3);
        let server = |table: &mut Transactions<'_>, branch: &str, status| {
            let text = request("INVITE", &format!("h;branch=z9hG4bK{branch}"));
            let Received::Request { tx } = receive(table, ms(0), old, &text) else {
                panic!()
            };
            table.respond(ms(0), tx, status).unwrap();
            tx
        };
        let rung = server(table, "r", 180);
        let refused = server(table, "s", 486);
        let trying = server(table, "t", 100);
        drain(table, ms(0));
        let branch = table.branch(ringing).unwrap().to_string();
        receive(table, ms(0), old, &response(180, "INVITE", &branch));
        for tx in [calling, ringing, given_up, bye, rung, refused, trying] {
            table.move_to(tx, new);
        }
        let mut due = drain(table, ms(1));
        due.sort_by_key(|due| std::format!("{due:?}"));
        let mut wanted = [
            Due::SendRequest { tx: calling, user: 1 },
            Due::SendRequest { tx: bye, user: 3 },
            Due::SendResponse {
                tx: rung,
                user: NO_USER,
                status: 180,
            },
            Due::SendResponse {
                tx: refused,
                user: NO_USER,
                status: 486,
            },
        ];
        wanted.sort_by_key(|due| std::format!("{due:?}"));
        assert_eq!(due, wanted);
        assert_eq!(table.flow(bye), Some(new));
    });
}
