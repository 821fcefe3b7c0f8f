//! Each case: what happens when, and all that has to follow when, to the millisecond (RFC 3261 Table 4).

mod client;
mod server;

use super::*;
use Do::*;
use Transport::{Tcp, Udp};

#[derive(Clone, Copy)]
enum Do {
    /// Our INVITE.
    Invite,
    /// Our request of another method.
    Options,
    /// Our CANCEL for our INVITE.
    Cancel,
    /// A response to our request of this method.
    Get(u16, &'static str),
    /// A request of this method.
    Hear(&'static str),
    /// Our answer to the first request heard.
    Say(u16),
    /// Our answer to the second request heard.
    SayToSecond(u16),
    /// The transport fails the first transaction.
    Fail,
    /// Nothing; time passes.
    Wait,
}

fn refused(result: Result<(), Refused>) -> String {
    result.map_or_else(|why| format!("{why:?}"), |()| String::new())
}

/// Plays a script and gives what followed, a line each.
fn play(table: &mut Transactions<'_>, transport: Transport, script: &[(u64, Do)]) -> Vec<String> {
    let flow = flow(transport);
    let mut log = Vec::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for &(at, action) in script {
        while let Some(due) = table
            .next_deadline()
            .filter(|due| due.as_millis() < at || (due.as_millis() == at && matches!(action, Wait)))
        {
            due_by(table, due, &mut log);
        }
        let now = ms(at);
        let heard = match action {
            Invite | Options => {
                let kind = if matches!(action, Invite) {
                    ClientKind::Invite
                } else {
                    ClientKind::NonInvite
                };
                ours.push(table.client(now, kind, flow, 5, Priority::Normal).unwrap());
                String::new()
            }
            Cancel => refused(table.cancel(now, ours[0]).map(|_| ())),
            Get(status, method) => {
                let branch = match table.branch(ours[0]) {
                    Some(branch) => format!("{branch}"),
                    None => String::from("z9hG4bK0000000000000000"),
                };
                match receive(table, now, flow, &response(status, method, &branch)) {
                    Received::Response { tx, user: 5, status } if tx == ours[0] => format!("up {status}"),
                    other => format!("{other:?}"),
                }
            }
            Hear(method) => match receive(table, now, flow, &request(method, "h;branch=z9hG4bK1")) {
                Received::Request { tx } => {
                    table.set_user(tx, 6);
                    theirs.push(tx);
                    String::from("new")
                }
                Received::Cancel { tx, invite } => {
                    table.set_user(tx, 7);
                    theirs.push(tx);
                    format!("cancels {:?}", invite.map(|(_, user)| user))
                }
                Received::Retransmission { status, .. } => format!("again {status}"),
                other => format!("{other:?}"),
            },
            Say(status) => refused(table.respond(now, theirs[0], status)),
            SayToSecond(status) => refused(table.respond(now, theirs[1], status)),
            Fail => {
                table.transport_error(now, *ours.first().or(theirs.first()).unwrap());
                String::new()
            }
            Wait => String::new(),
        };
        if !heard.is_empty() {
            log.push(format!("{at} {heard}"));
        }
        due_by(table, now, &mut log);
        table.assert_sound();
    }
    assert!(table.is_empty(), "left over after {log:?}");
    log
}

fn due_by(table: &mut Transactions<'_>, now: Instant, log: &mut Vec<String>) {
    for due in drain(table, now) {
        let text = match due {
            Due::SendRequest { .. } => String::from("request"),
            Due::SendCancel { .. } => String::from("cancel"),
            Due::SendAck { status, .. } => format!("ack {status}"),
            Due::SendResponse { status, .. } => format!("response {status}"),
            Due::TimedOut { .. } => String::from("timed out"),
            Due::Unreachable { .. } => String::from("unreachable"),
            Due::Gone { user, .. } => format!("gone {user}"),
        };
        log.push(format!("{} {text}", now.as_millis()));
    }
}

#[track_caller]
fn check(name: &str, transport: Transport, script: &[(u64, Do)], expected: &[&str]) {
    on_both(4, |table| {
        let log = play(table, transport, script);
        assert_eq!(log, expected, "{name} over {transport}");
    });
}
