//! Things that go wrong around phones: the box starts again, phones vanish, connections break, messages are long.

use super::call::{connect, hear_each_other};
use super::lab::{BOX, Lab, PASSWORD, SEATS};
use super::phone::{Habits, Kind, Make::*, News, Order, PATIENCE, Transport::*};
use super::{Case, KINDS};
use crate::sipp;
use crate::sniff::Mark;
use crate::switch::Direction::{Received, Sent};
use crate::wait::s;
use anyhow::{Result, ensure};

const PLAIN: Habits = Habits::NONE;

pub fn cases() -> Vec<Case> {
    let restarts = [
        (Kind(Baresip, Udp), Kind(Pjsua, Udp)),
        (Kind(Pjsua, Udp), Kind(Linphone, Udp)),
    ]
    .map(|(a, b)| {
        Case::new(
            format!("restart-{a}-{b}"),
            "the box is killed and started: it knows its phones, they call at once",
            move |run| restart(Lab::build(run)?, a, b),
        )
    });
    let connections = KINDS
        .into_iter()
        .filter(|kind| kind.1 != Udp && kind.0 != Baresip)
        .map(|kind| {
            Case::new(
                format!("reconnect-{kind}"),
                "the box is killed and started: the phone connects again and is called",
                move |run| reconnect(Lab::build(run)?, kind),
            )
        });
    let gone = [Kind(Pjsua, Udp), Kind(Pjsua, Tcp), Kind(Pjsua, Tls)].map(|kind| {
        Case::new(
            format!("gone-{kind}"),
            "a phone that was unplugged is called: the caller is told so, the phone is taken back",
            move |run| gone(&Lab::build(run)?, kind),
        )
    });
    let callers = [
        (Kind(Baresip, Udp), "u1"),
        (Kind(Pjsua, Tcp), "u1"),
        (Kind(Linphone, Udp), "t1"),
    ];
    let long = callers.into_iter().flat_map(|(kind, transport)| {
        let name = if transport == "u1" { "udp" } else { "tcp" };
        [
            Case::new(
                format!("long-head-sipp.{name}-{kind}"),
                "an INVITE of more than 1,500 bytes before its description, in fragments by UDP",
                move |run| long(&Lab::build(run)?, kind, transport, 120, 0),
            ),
            Case::new(
                format!("long-body-sipp.{name}-{kind}"),
                "an INVITE with a description of more than 1,500 bytes, in fragments by UDP",
                move |run| long(&Lab::build(run)?, kind, transport, 0, 40),
            ),
        ]
    });
    restarts
        .into_iter()
        .chain(connections)
        .chain(gone)
        .chain(long)
        .collect()
}

fn restart(mut lab: Lab, a: Kind, b: Kind) -> Result<()> {
    let [mut a, mut b] = lab.phones([(a, PLAIN), (b, PLAIN)])?;
    lab.kill_box();
    lab.start_box()?;
    connect(&mut a, &mut b, SEATS[1].extension)?;
    hear_each_other(&lab, &a, &b)?;
    b.order(Order::HangUp)?;
    a.ends().map(drop)
}

fn reconnect(mut lab: Lab, kind: Kind) -> Result<()> {
    let [mut caller, mut phone] = lab.phones([(Kind(Baresip, Udp), PLAIN), (kind, PLAIN)])?;
    lab.kill_box();
    lab.start_box()?;
    phone.tells(&News::Registered)?;
    connect(&mut caller, &mut phone, SEATS[1].extension)?;
    hear_each_other(&lab, &caller, &phone)?;
    phone.order(Order::HangUp)?;
    caller.ends().map(drop)
}

fn gone(lab: &Lab, kind: Kind) -> Result<()> {
    let [mut caller, phone] = lab.phones([(Kind(Pjsua, Udp), PLAIN), (kind, PLAIN)])?;
    // Unplugged: it does not say farewell, and neither does its computer.
    lab.computers[1].ip(&["link", "set", "eth0", "down"])?;
    drop(phone);
    let wire = lab.wire.mark();
    caller.order(Order::Dial(SEATS[1].extension))?;
    // Timer B is 32 s.
    let answer = lab
        .wire
        .wait("a final answer", s(40), wire, "lan/seat-1", Received, |sip| {
            sip.header("CSeq").is_some_and(|value| value.ends_with("INVITE"))
                && sip.status().is_some_and(|status| status >= 300 && status != 407)
        })?;
    ensure!(
        matches!(answer.status(), Some(408 | 480 | 503 | 504)),
        "the caller is told {:?}",
        answer.start_line()
    );
    lab.computers[1].ip(&["link", "set", "eth0", "up"])?;
    let gateway = ["route", "replace", "default", "via", BOX];
    lab.computers[1].ip(&gateway)?;
    let mut phone = lab.phone(1, kind, PASSWORD, PLAIN)?;
    phone.tells(&News::Registered)?;
    connect(&mut caller, &mut phone, SEATS[1].extension)
}

/// SIPp calls with `words` in the subject and `lines` of attributes.
fn long(lab: &Lab, kind: Kind, transport: &str, words: usize, lines: usize) -> Result<()> {
    let [mut phone] = lab.phones([(kind, PLAIN)])?;
    let more = format!("Subject: {}\n", "a long story ".repeat(words));
    let attributes: String = (0..lines)
        .map(|n| format!("a=fmtp:0 note-{n}={n:040}\n"))
        .collect();
    let options = sipp::Options {
        name: "seat-2",
        scenario: "phone-calls",
        transport,
        called: &[SEATS[0].extension],
        words: &[("more", &more), ("attributes", &attributes)],
        ..sipp::Options::default()
    };
    let mut calling = lab.sipp(1, &options)?;
    phone.tells(&News::Rings)?;
    phone.order(Order::Answer)?;
    phone.tells(&News::Talks)?;
    phone.hears(&lab.wire, SEATS[1].tone, &[SEATS[0].tone])?;
    phone.order(Order::HangUp)?;
    ensure!(calling.ends(PATIENCE)?, "SIPp's call failed; see its errors.log");
    // The box sends on the description, not the subject.
    let ports = [("lan/seat-2", Sent), ("lan/seat-1", Received)];
    for (port, direction) in ports.into_iter().take(if lines > 0 { 2 } else { 1 }) {
        let long = lab.wire.find(Mark::default(), port, direction, |sip| {
            sip.is("INVITE") && sip.text.len() > 1500
        });
        ensure!(long.is_some(), "no INVITE at {port} was long");
    }
    phone.ends().map(drop)
}
