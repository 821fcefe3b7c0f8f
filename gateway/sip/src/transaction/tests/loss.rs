//! Two tables talk over a network that loses, repeats and delays. An independent check of all four machines: what the
//! RFC promises the owners has to hold whatever the network does.

use super::*;
use std::collections::BTreeMap;
use std::string::ToString;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Datagrams on their way: arrival time and order, then whether to the server, and the bytes.
struct Net {
    random: Random,
    loss: u64,
    way: BTreeMap<(u64, u64), (bool, String)>,
    sent: u64,
}

impl Net {
    fn send(&mut self, now: u64, to_server: bool, text: String) {
        for copies in 0..2 {
            let dropped = self.random.below(100) < self.loss;
            let once = copies == 0 || self.random.below(10) == 0;
            let delay = 1 + self.random.below(300);
            if !dropped && once {
                self.sent += 1;
                self.way
                    .insert((now + delay, self.sent), (to_server, text.clone()));
            }
        }
    }
}

/// One request from client to server: the status the server gives and what the client hears, by the end of both.
fn exchange(seed: u64, method: &str, status: u16, loss: u64, cancel: bool) -> (Vec<u16>, usize) {
    let mut slots = [Slot::EMPTY; 4];
    let mut client = Transactions::new(&mut slots, [1, seed], Timers::default());
    let mut server = Transactions::new(Storage::growable(4), [2, seed], Timers::default());
    let mut net = Net {
        random: Random(seed),
        loss,
        way: BTreeMap::new(),
        sent: 0,
    };
    let udp = flow(Transport::Udp);
    let invite = method == "INVITE";
    let kind = if invite {
        ClientKind::Invite
    } else {
        ClientKind::NonInvite
    };
    let tx = client.client(ms(0), kind, udp, 0, Priority::Normal).unwrap();
    let branch = client.branch(tx).unwrap().to_string();
    let via = format!("h;branch={branch}");
    let (mut heard, mut asked, mut answer_at, mut answered) = (Vec::new(), 0, None, None);
    let mut cancel_at = cancel.then_some(700);
    let mut now = 0;
    loop {
        let arrival = net.way.first_key_value().map(|((at, _), _)| *at);
        let timers = [client.next_deadline(), server.next_deadline()];
        let next = timers
            .into_iter()
            .flatten()
            .map(Instant::as_millis)
            .chain(arrival)
            .chain(answer_at)
            .chain(cancel_at)
            .min();
        let Some(next) = next else { break };
        now = now.max(next);
        assert!(now < 200_000, "seed {seed}: no end");
        if cancel_at.is_some_and(|at| at <= now) {
            cancel_at = None;
            let _ = client.cancel(ms(now), tx);
        }
        while let Some((to_server, text)) = net
            .way
            .first_entry()
            .filter(|e| e.key().0 <= now)
            .map(|e| e.remove())
        {
            if to_server {
                match receive(&mut server, ms(now), udp, &text) {
                    Received::Request { tx } => {
                        asked += 1;
                        answered = Some(tx);
                        answer_at = Some(now + if invite { 1_500 } else { 50 });
                    }
                    Received::Cancel { tx, invite } => {
                        let _ = server.responded(ms(now), tx, if invite.is_some() { 200 } else { 481 });
                        net.send(now, false, response(200, "CANCEL", &branch));
                        if let Some((invite, _)) = invite {
                            let _ = server.respond(ms(now), invite, 487);
                        }
                    }
                    Received::Retransmission { status, .. } if status > 0 => {
                        let of = text.split(' ').next().unwrap();
                        net.send(now, false, response(status, of, &branch));
                    }
                    _ => {}
                }
            } else if let Received::Response { status, .. } = receive(&mut client, ms(now), udp, &text)
                && (status >= 200)
            {
                heard.push(status);
                if invite && status < 300 {
                    // The dialog's ACK, which is no transaction of its own.
                    net.send(now, true, request("ACK", "h;branch=z9hG4bKack"));
                }
            }
        }
        if answer_at.is_some_and(|at| at <= now) {
            answer_at = None;
            let _ = server.respond(ms(now), answered.unwrap(), status);
        }
        for due in drain(&mut client, ms(now)) {
            match due {
                Due::SendRequest { .. } => net.send(now, true, request(method, &via)),
                Due::SendAck { .. } => net.send(now, true, request("ACK", &via)),
                Due::SendCancel { .. } => net.send(now, true, request("CANCEL", &via)),
                Due::TimedOut { .. } => heard.push(408),
                _ => {}
            }
        }
        for due in drain(&mut server, ms(now)) {
            if let Due::SendResponse { status, .. } = due {
                net.send(now, false, response(status, method, &branch));
            }
        }
    }
    assert!(
        client.is_empty() && server.is_empty(),
        "seed {seed}: transactions leak"
    );
    (heard, asked)
}

#[test]
fn every_request_ends_in_one_answer() {
    for seed in 0..150 {
        for (method, status) in [("OPTIONS", 200), ("BYE", 481), ("INVITE", 486), ("INVITE", 603)] {
            for loss in [0, 10, 40] {
                let (heard, asked) = exchange(seed, method, status, loss, false);
                assert_eq!(heard.len(), 1, "seed {seed} {method} {loss}: {heard:?}");
                assert_eq!(asked, 1, "seed {seed} {method} {loss}");
                // Up to that loss eleven copies each way do not all get lost.
                if loss <= 10 {
                    assert_eq!(heard, [status], "seed {seed} {method} {loss}");
                }
            }
        }
    }
}

#[test]
fn a_dead_network_ends_in_a_timeout() {
    for method in ["OPTIONS", "INVITE"] {
        assert_eq!(exchange(1, method, 200, 100, false), (std::vec![408], 0));
        assert_eq!(exchange(1, method, 200, 100, true), (std::vec![408], 0));
    }
}

#[test]
fn a_cancelled_invite_ends_in_487_or_in_what_was_faster() {
    let (mut cancelled, mut refused) = (0, 0);
    for seed in 0..300 {
        let (heard, asked) = exchange(seed, "INVITE", 486, 10, true);
        match heard[..] {
            [487] => cancelled += 1,
            [486] => refused += 1,
            _ => panic!("seed {seed}: {heard:?}"),
        }
        assert_eq!(asked, 1, "seed {seed}");
    }
    assert!(
        cancelled > 100 && refused > 0,
        "{cancelled} cancelled, {refused} refused"
    );
}
