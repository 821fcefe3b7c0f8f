//! The transaction table, driven by whatever may happen to it.

use crate::script::Script;
use sip::transaction::{
    ClientKind, Due, Priority, Received, Refused, Slot, Storage, Timers, Transactions, TxId,
};
use sip::{Flow, Instant, Message, Transport};
use std::collections::HashSet;
use std::time::Duration;

const METHODS: [&str; 6] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "FOO"];
const STATUSES: [u16; 8] = [100, 180, 200, 202, 301, 408, 487, 603];

/// The first byte chooses the storage and its size, each following one an event: a message, an order of the owner, a lost
/// connection, time. Whatever it is, the table stays in order: it says of no transaction that it is gone twice, owes nobody
/// a word for ever, and is empty when everything is over.
pub fn transactions(bytes: &[u8]) {
    let mut script = Script(bytes);
    let (growable, room) = (script.below(2) == 1, [0, 1, 3, 8, 24][script.below(5)]);
    let mut slots = vec![Slot::EMPTY; room];
    let table = if growable {
        Transactions::new(Storage::growable(room), [7, 11], Timers::default())
    } else {
        Transactions::new(&mut slots[..], [7, 11], Timers::default())
    };
    Run {
        table,
        now: Instant::from_millis(1_000),
        ours: Vec::new(),
        theirs: Vec::new(),
        gone: HashSet::new(),
    }
    .run(script);
}

struct Run<'s> {
    table: Transactions<'s>,
    now: Instant,
    ours: Vec<TxId>,
    theirs: Vec<TxId>,
    gone: HashSet<TxId>,
}

fn flow(n: u8) -> Flow {
    Flow {
        transport: [Transport::Udp, Transport::Tcp][usize::from(n) % 2],
        interface: 0,
        stream: u16::from(n / 2 % 2),
        peer: "192.0.2.9:5060".parse().unwrap(),
        local: "192.0.2.1:5060".parse().unwrap(),
    }
}

fn pick(ids: &[TxId], n: u8) -> Option<TxId> {
    ids.get(usize::from(n) % ids.len().max(1)).copied()
}

impl Run<'_> {
    fn run(mut self, mut script: Script<'_>) {
        // More events than this bring nothing new.
        for user in 0..400 {
            if script.is_over() {
                break;
            }
            self.event(&mut script, user);
            self.drain();
        }
        for tx in std::mem::take(&mut self.theirs) {
            self.table.forget(tx);
        }
        for tx in std::mem::take(&mut self.ours) {
            // A CANCEL for which there is no room is not to be waited for.
            if self.table.cancel(self.now, tx) == Err(Refused::Full) {
                self.table.forget(tx);
            }
        }
        // Timer B, C or F, and then D, I, J, K or M.
        for _ in 0..3 {
            self.now += Duration::from_secs(100);
            self.drain();
        }
        assert_eq!(self.table.len(), 0, "somebody waits for ever");
        assert_eq!(self.table.next_deadline(), None);
    }

    fn event(&mut self, script: &mut Script<'_>, user: u32) {
        let kind = script.byte();
        match kind % 12 {
            0 | 1 => {
                let kind = [ClientKind::Invite, ClientKind::NonInvite][usize::from(kind % 12)];
                let priority = script.of(&[Priority::Normal, Priority::Reserved]);
                if let Ok(tx) = self
                    .table
                    .client(self.now, kind, flow(script.byte()), user, priority)
                {
                    assert!(self.table.branch(tx).is_some() && self.table.user(tx) == Some(user));
                    self.ours.push(tx);
                }
            }
            2 => {
                if let Some(tx) = pick(&self.ours, script.byte()) {
                    let once = self.table.cancel(self.now, tx);
                    assert!(once.is_err() || self.table.cancel(self.now, tx) == once);
                }
            }
            3 | 4 => {
                let (method, branch) = (script.of(&METHODS), script.below(6));
                // Two clients in five are of RFC 2543, without a branch.
                let via = [
                    format!("h;branch=z9hG4bK{branch}"),
                    format!("h:5062;rport;branch=z9hG4bK{branch}"),
                    format!("[::1];branch=z9hG4bK{branch}"),
                    "h".to_string(),
                    format!("h;branch={branch}"),
                ];
                let text = format!(
                    "{method} sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP {}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
                     Call-ID: c\r\nCSeq: {} {method}\r\n\r\n",
                    via[script.below(5)],
                    script.below(2),
                );
                self.receive(script, text.as_bytes());
            }
            5 | 6 => {
                let status = script.of(&STATUSES);
                if let Some(tx) = pick(&self.theirs, script.byte()) {
                    let _ = if kind % 12 == 5 {
                        self.table.respond(self.now, tx, status)
                    } else {
                        self.table.responded(self.now, tx, status)
                    };
                }
            }
            7 => {
                let branch = pick(&self.ours, script.byte()).and_then(|tx| self.table.branch(tx));
                let branch = branch.map_or("z9hG4bK00".to_string(), |b| b.to_string());
                let (method, status) = (script.of(&METHODS), script.of(&STATUSES));
                let text = format!(
                    "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: <sip:a@x>;tag=1\r\n\
                     To: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
                );
                self.receive(script, text.as_bytes());
            }
            8 => {
                let len = script.byte();
                let text = script.bytes(usize::from(len));
                self.receive(script, text);
            }
            9 => match (
                script.below(5),
                pick(&self.ours, script.byte()),
                pick(&self.theirs, script.byte()),
            ) {
                (0, Some(tx), _) | (1, _, Some(tx)) => self.table.transport_error(self.now, tx),
                (2, Some(tx), _) | (3, _, Some(tx)) => {
                    self.table.forget(tx);
                    assert!(self.table.user(tx).is_none());
                }
                _ => self.table.reserve(script.below(8)),
            },
            10 => match (pick(&self.ours, script.byte()), pick(&self.theirs, script.byte())) {
                (Some(tx), _) | (None, Some(tx)) => self.table.move_to(tx, flow(script.byte())),
                _ => {}
            },
            _ => {
                self.now +=
                    Duration::from_millis([1, 100, 500, 700, 4_000, 5_000, 32_000, 64_000][script.below(8)])
            }
        }
    }

    fn receive(&mut self, script: &mut Script<'_>, bytes: &[u8]) {
        let Ok(message) = Message::parse_datagram(bytes) else {
            return;
        };
        match self.table.receive(self.now, flow(script.byte()), &message) {
            Received::Request { tx } => {
                assert!(self.table.to_tag(tx).is_some() && message.is_request());
                self.theirs.push(tx);
            }
            Received::Cancel { tx, invite } => {
                assert!(invite.is_none_or(|(invite, _)| self.table.status(invite).is_some()));
                self.theirs.push(tx);
            }
            Received::Response { tx, status, .. } => {
                assert_eq!(
                    (self.table.status(tx), message.status()),
                    (Some(status), Some(status))
                );
            }
            Received::Retransmission { tx, status, .. } => assert_eq!(self.table.status(tx), Some(status)),
            _ => {}
        }
    }

    /// Everything due by now.
    fn drain(&mut self) {
        for _ in 0..10_000 {
            let Some(due) = self.table.poll(self.now) else {
                assert!(self.table.next_deadline().is_none_or(|at| at > self.now));
                return;
            };
            match due {
                Due::Gone { tx, .. } => {
                    assert!(self.gone.insert(tx), "{tx:?} is gone twice");
                    assert_eq!(self.table.user(tx), None);
                }
                Due::SendRequest { tx, .. } | Due::SendAck { tx, .. } => {
                    assert!(self.table.branch(tx).is_some() && self.table.flow(tx).is_some());
                }
                Due::SendResponse { tx, status, .. } => {
                    assert!(self.table.to_tag(tx).is_some() && (100..700).contains(&status));
                }
                Due::SendCancel { cancel, .. } => assert!(self.table.branch(cancel).is_some()),
                Due::TimedOut { tx, .. } | Due::Unreachable { tx, .. } => {
                    assert!(self.table.user(tx).is_some())
                }
            }
        }
        panic!("it never ends");
    }
}
