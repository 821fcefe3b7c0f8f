//! Calls between all makes, both ways, and what they hear.

use super::Case;
use super::lab::{BOX, Lab, SEATS};
use super::phone::{Habits, Kind, Make::*, News, Order, Phone, Transport::*};
use crate::sipp;
use crate::switch::Direction::Received;
use anyhow::{Context, Result, ensure};

/// Who calls whom: every make with every make, every transport with every transport.
const PAIRS: [(Kind, Kind); 15] = [
    (Kind(Baresip, Udp), Kind(Baresip, Udp)),
    (Kind(Baresip, Udp), Kind(Pjsua, Udp)),
    (Kind(Baresip, Udp), Kind(Linphone, Udp)),
    (Kind(Baresip, Udp), Kind(Linphone, Tls)),
    (Kind(Baresip, Tcp), Kind(Baresip, Tls)),
    (Kind(Baresip, Tcp), Kind(Pjsua, Tcp)),
    (Kind(Baresip, Tcp), Kind(Linphone, Udp)),
    (Kind(Baresip, Tls), Kind(Pjsua, Udp)),
    (Kind(Baresip, Tls), Kind(Linphone, Tcp)),
    (Kind(Pjsua, Udp), Kind(Pjsua, Tcp)),
    (Kind(Pjsua, Tls), Kind(Pjsua, Tls)),
    (Kind(Pjsua, Udp), Kind(Linphone, Udp)),
    (Kind(Pjsua, Tls), Kind(Linphone, Tls)),
    (Kind(Pjsua, Tcp), Kind(Linphone, Tcp)),
    (Kind(Linphone, Udp), Kind(Linphone, Tcp)),
];

pub fn cases() -> Vec<Case> {
    let pairs = PAIRS.into_iter().map(|(a, b)| {
        Case::new(
            format!("call-{a}-{b}"),
            "they call each other and hear each other, RTP past the box",
            move |run| each_other(&Lab::build(run)?, a, b),
        )
    });
    let sipp = [
        (Kind(Baresip, Udp), "u1"),
        (Kind(Pjsua, Udp), "t1"),
        (Kind(Linphone, Udp), "u1"),
    ]
    .map(|(kind, transport)| {
        let name = if transport == "u1" { "udp" } else { "tcp" };
        Case::new(
            format!("call-{kind}-sipp.{name}"),
            "a phone calls SIPp and hears it, SIPp calls the phone",
            move |run| with_sipp(&Lab::build(run)?, kind, transport),
        )
    });
    pairs.chain(sipp).collect()
}

fn each_other(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    let [mut a, mut b] = lab.phones([(a, Habits::NONE), (b, Habits::NONE)])?;
    connect(&mut a, &mut b, SEATS[1].extension)?;
    hear_each_other(lab, &a, &b)?;
    a.plays(SEATS[1].tone, &[SEATS[0].tone])?;
    b.plays(SEATS[0].tone, &[SEATS[1].tone])?;
    a.order(Order::HangUp)?;
    b.ends()?;
    a.ends()?;
    connect(&mut b, &mut a, SEATS[0].extension)?;
    hear_each_other(lab, &a, &b)?;
    // The one who was called hangs up.
    a.order(Order::HangUp)?;
    b.ends()?;
    a.ends()?;
    Ok(())
}

/// One calls the other, who answers.
pub fn connect(caller: &mut Phone, called: &mut Phone, number: &str) -> Result<()> {
    caller.order(Order::Dial(number))?;
    called.tells(&News::Rings)?;
    called.order(Order::Answer)?;
    called.tells(&News::Talks)?;
    caller.tells(&News::Talks)
}

/// Both are heard at the other end, and no RTP touches the box.
pub fn hear_each_other(lab: &Lab, a: &Phone, b: &Phone) -> Result<()> {
    let tone = |phone: &Phone| {
        let seat = SEATS.iter().find(|seat| seat.name == phone.name);
        seat.map(|seat| seat.tone).context("a phone without a seat")
    };
    let (of_a, of_b) = (tone(a)?, tone(b)?);
    a.hears(&lab.wire, of_b, &[of_a])?;
    b.hears(&lab.wire, of_a, &[of_b])?;
    let through = lab.wire.streams(|stream| {
        let addresses = [stream.source.ip(), stream.destination.ip()];
        addresses.iter().any(|address| address.to_string() == BOX)
    });
    ensure!(through.is_empty(), "RTP at the box: {} streams", through.len());
    Ok(())
}

fn with_sipp(lab: &Lab, kind: Kind, transport: &str) -> Result<()> {
    let [mut phone] = lab.phones([(kind, Habits::NONE)])?;
    let options = sipp::Options {
        scenario: "phone-registers",
        answering: Some("phone-answers"),
        transport,
        called: &["-"],
        words: &[("stay", "600000"), ("ring", "200")],
        ..sipp::Options::default()
    };
    let wire = lab.wire.mark();
    let answering = lab.sipp(1, &options)?;
    lab.wire.wait(
        "SIPp's registration",
        super::phone::PATIENCE,
        wire,
        "lan/seat-2",
        Received,
        |sip| sip.answers("REGISTER", 200),
    )?;
    phone.order(Order::Dial(SEATS[1].extension))?;
    phone.tells(&News::Talks)?;
    phone.hears(&lab.wire, SEATS[1].tone, &[SEATS[0].tone])?;
    phone.plays(SEATS[1].tone, &[SEATS[0].tone])?;
    phone.order(Order::HangUp)?;
    phone.ends()?;
    drop(answering);

    let options = sipp::Options {
        name: "seat-3",
        scenario: "phone-calls",
        transport,
        called: &[SEATS[0].extension],
        words: &[("more", ""), ("attributes", "")],
        ..sipp::Options::default()
    };
    let mut calling = lab.sipp(2, &options)?;
    phone.tells(&News::Rings)?;
    phone.order(Order::Answer)?;
    phone.tells(&News::Talks)?;
    phone.hears(&lab.wire, SEATS[2].tone, &[SEATS[0].tone])?;
    phone.order(Order::HangUp)?;
    ensure!(
        calling.ends(super::phone::PATIENCE)?,
        "SIPp's call failed; see its errors.log"
    );
    phone.ends()?;
    Ok(())
}
