//! What a person does with a call: hold, keys, transfer, giving up, declining; and what the phones keep by themselves.

use super::Case;
use super::call::{connect, hear_each_other};
use super::lab::{Lab, SEATS};
use super::phone::{Habits, Kind, Make::*, News, Order, PATIENCE, Phone, Transport::*};
use crate::sipp;
use crate::sniff::Mark;
use crate::switch::Direction::{Received, Sent};
use crate::wait::{ms, wait_for};
use anyhow::{Result, ensure};

const PLAIN: Habits = Habits::NONE;

pub fn cases() -> Vec<Case> {
    const BARESIP: Kind = Kind(Baresip, Udp);
    const PJSUA: Kind = Kind(Pjsua, Tcp);
    const LINPHONE: Kind = Kind(Linphone, Udp);
    let mut cases = Vec::new();
    let mut add = |name: String, about, tell: fn(&Lab, Kind, Kind) -> Result<()>, a: Kind, b: Kind| {
        let tell = move |run: &crate::run::Run| tell(&Lab::build(run)?, a, b);
        cases.push(Case::new(format!("{name}-{a}-{b}"), about, tell));
    };
    for (a, b) in [
        (BARESIP, PJSUA),
        (PJSUA, BARESIP),
        (LINPHONE, PJSUA),
        (PJSUA, LINPHONE),
        (Kind(Pjsua, Tls), Kind(Baresip, Tls)),
    ] {
        let about = "one holds and takes back, then the other";
        add("hold".into(), about, hold, a, b);
    }
    for (a, b) in [
        (BARESIP, PJSUA),
        (PJSUA, BARESIP),
        (LINPHONE, PJSUA),
        (PJSUA, LINPHONE),
    ] {
        add(
            "keys-rtp".into(),
            "keys pressed are told by RTP (RFC 4733)",
            keys_by_rtp,
            a,
            b,
        );
        add(
            "give-up".into(),
            "the caller gives up while it rings",
            give_up,
            a,
            b,
        );
        add("decline".into(), "who is called declines", decline, a, b);
        add(
            "blind".into(),
            "one transfers the other to a third phone",
            blind,
            a,
            b,
        );
        add(
            "park".into(),
            "one parks the other, who hears a tone until a third phone takes the call",
            park,
            a,
            b,
        );
    }
    for (a, b) in [(PJSUA, BARESIP), (LINPHONE, PJSUA), (PJSUA, LINPHONE)] {
        add(
            "keys-info".into(),
            "keys pressed are told by INFO",
            keys_by_info,
            a,
            b,
        );
        add(
            "attended".into(),
            "one asks a third phone, then connects the two",
            attended,
            a,
            b,
        );
    }
    for kind in [PJSUA, Kind(Pjsua, Udp)] {
        cases.push(Case::new(
            format!("messages-{kind}"),
            "a phone is told how many messages wait (RFC 3842)",
            move |run| messages(&Lab::build(run)?, kind),
        ));
    }
    cases.push(Case::new(
        "reliable-pjsua.udp",
        "a caller that insists on reliable provisional responses (RFC 3262)",
        |run| reliable(&Lab::build(run)?),
    ));
    cases.push(Case::new(
        "session-sipp.udp",
        "a session timer of 90 s, refreshed by UPDATE and by INVITE (RFC 4028)",
        |run| session(&Lab::build(run)?),
    ));
    cases.push(Case::new(
        "session-pjsua.udp",
        "a phone that insists on a session timer calls one that knows none",
        |run| session_one_sided(&Lab::build(run)?),
    ));
    cases.push(Case::new(
        "lamp-sipp.udp",
        "a lamp follows a call (RFC 4235)",
        |run| lamp(&Lab::build(run)?),
    ));
    cases
}

fn pair(lab: &Lab, a: Kind, b: Kind, habits: Habits) -> Result<[Phone; 2]> {
    lab.phones([(a, habits), (b, habits)])
}

fn hold(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    let [mut a, mut b] = pair(lab, a, b, PLAIN)?;
    connect(&mut a, &mut b, SEATS[1].extension)?;
    hear_each_other(lab, &a, &b)?;
    holds(lab, &mut a, &b)?;
    hear_each_other(lab, &a, &b)?;
    holds(lab, &mut b, &a)?;
    hear_each_other(lab, &a, &b)?;
    a.order(Order::HangUp)?;
    b.ends()?;
    Ok(())
}

/// One holds: the other sends nothing until it is taken back.
fn holds(lab: &Lab, holder: &mut Phone, held: &Phone) -> Result<()> {
    holder.order(Order::Hold)?;
    let from = format!("lan/{}", held.name);
    wait_for(&format!("{} is silent on hold", held.name), PATIENCE, || {
        let sent = lab
            .wire
            .streams(|stream| stream.port == from && stream.direction == Sent);
        let last = sent.iter().map(|stream| stream.last).max()?;
        (last.elapsed() > ms(400)).then_some(())
    })?;
    holder.order(Order::Resume)
}

const KEYS: [char; 3] = ['1', '9', '#'];

fn press(lab: &Lab, a: Kind, b: Kind, info: bool) -> Result<Mark> {
    let [mut a, mut b] = pair(lab, a, b, Habits { info, ..PLAIN })?;
    connect(&mut a, &mut b, SEATS[1].extension)?;
    hear_each_other(lab, &a, &b)?;
    let wire = lab.wire.mark();
    for key in KEYS {
        a.order(Order::Digit(key))?;
        if info {
            lab.wire
                .wait("the key by INFO", PATIENCE, wire, "lan/seat-2", Received, |sip| {
                    sip.is("INFO") && sip.text.contains(&format!("Signal={key}"))
                })?;
        }
        // linphone takes INFO, but does not tell of it.
        if !(info && b.kind.0 == Linphone) {
            b.tells(&News::Digit(key))?;
        }
        // A key is silent; the next is pressed when the tone is back.
        b.hears(&lab.wire, SEATS[0].tone, &[SEATS[1].tone])?;
    }
    a.order(Order::HangUp)?;
    b.ends()?;
    Ok(wire)
}

fn keys_by_rtp(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    let wire = press(lab, a, b, false)?;
    ensure!(
        lab.wire.messages(wire, |sip| sip.is("INFO")).is_empty(),
        "the keys went by INFO"
    );
    Ok(())
}

fn keys_by_info(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    let wire = press(lab, a, b, true)?;
    let taken = lab
        .wire
        .find(wire, "lan/seat-1", Received, |sip| sip.answers("INFO", 200));
    ensure!(taken.is_some(), "the keys were not taken");
    Ok(())
}

fn give_up(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    let [mut a, mut b] = pair(lab, a, b, PLAIN)?;
    a.order(Order::Dial(SEATS[1].extension))?;
    b.tells(&News::Rings)?;
    a.order(Order::HangUp)?;
    b.ends()?;
    a.ends()?;
    // Nothing of it is left: the next call is as good.
    connect(&mut a, &mut b, SEATS[1].extension)
}

fn decline(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    let [mut a, mut b] = pair(lab, a, b, PLAIN)?;
    a.order(Order::Dial(SEATS[1].extension))?;
    b.tells(&News::Rings)?;
    b.order(Order::HangUp)?;
    let status = a.ends()?;
    ensure!(
        matches!(status, Some(486 | 600 | 603)),
        "declined with {status:?}, which is not busy or declined"
    );
    b.ends().map(drop)
}

/// The third phone: it knows Replaces.
const THIRD: Kind = Kind(Pjsua, Udp);

fn blind(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    let [mut a, mut b, mut c] = lab.phones([(a, PLAIN), (b, PLAIN), (THIRD, PLAIN)])?;
    connect(&mut b, &mut a, SEATS[0].extension)?;
    hear_each_other(lab, &a, &b)?;
    a.order(Order::Transfer(SEATS[2].extension))?;
    c.tells(&News::Rings)?;
    c.order(Order::Answer)?;
    c.tells(&News::Talks)?;
    a.order(Order::Leave)?;
    a.ends()?;
    hear_each_other(lab, &b, &c)?;
    c.order(Order::HangUp)?;
    b.ends()?;
    Ok(())
}

/// What a parked call hears, Hz.
const HOLD_TONE: f64 = 660.0;

fn park(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    const SLOT: &str = "**01";
    // Every make takes a call that another one has parked.
    let third = if b.0 == Baresip { THIRD } else { Kind(Baresip, Udp) };
    let [mut a, mut b, mut c] = lab.phones([(a, PLAIN), (b, PLAIN), (third, PLAIN)])?;
    connect(&mut b, &mut a, SEATS[0].extension)?;
    hear_each_other(lab, &a, &b)?;
    a.order(Order::Transfer(SLOT))?;
    let [of_a, of_b, of_c] = SEATS.map(|seat| seat.tone);
    b.hears(&lab.wire, HOLD_TONE, &[of_a])?;
    a.order(Order::Leave)?;
    a.ends()?;
    c.order(Order::Dial(SLOT))?;
    c.tells(&News::Talks)?;
    b.hears(&lab.wire, of_c, &[HOLD_TONE])?;
    c.hears(&lab.wire, of_b, &[HOLD_TONE])?;
    // Nobody is there any more.
    a.order(Order::Dial(SLOT))?;
    let status = a.ends()?;
    ensure!(
        matches!(status, Some(404) | None),
        "an empty slot says {status:?}"
    );
    c.order(Order::HangUp)?;
    b.ends()?;
    Ok(())
}

fn attended(lab: &Lab, a: Kind, b: Kind) -> Result<()> {
    let [mut a, mut b, mut c] = lab.phones([(a, PLAIN), (b, PLAIN), (THIRD, PLAIN)])?;
    connect(&mut b, &mut a, SEATS[0].extension)?;
    hear_each_other(lab, &a, &b)?;
    a.order(Order::Hold)?;
    connect(&mut a, &mut c, SEATS[2].extension)?;
    hear_each_other(lab, &a, &c)?;
    a.order(Order::Attend)?;
    hear_each_other(lab, &b, &c)?;
    a.order(Order::Leave)?;
    a.ends()?;
    b.order(Order::HangUp)?;
    c.ends()?;
    Ok(())
}

fn messages(lab: &Lab, kind: Kind) -> Result<()> {
    let habits = Habits {
        messages: true,
        ..PLAIN
    };
    let [mut phone] = lab.phones([(kind, habits)])?;
    let told = phone.tells_any("waiting messages", |news| matches!(news, News::Messages(_)))?;
    let News::Messages(text) = told else {
        unreachable!("it was asked for")
    };
    ensure!(text.contains("Messages-Waiting: no"), "{text:?}");
    Ok(())
}

fn reliable(lab: &Lab) -> Result<()> {
    let habits = Habits {
        reliable: true,
        ..PLAIN
    };
    let [mut a, mut b] = lab.phones([(Kind(Pjsua, Udp), habits), (Kind(Pjsua, Udp), PLAIN)])?;
    connect(&mut a, &mut b, SEATS[1].extension)?;
    hear_each_other(lab, &a, &b)?;
    let acknowledged = lab.wire.find(Mark::default(), "lan/seat-1", Received, |sip| {
        sip.answers("PRACK", 200)
    });
    ensure!(acknowledged.is_some(), "no provisional response was reliable");
    a.order(Order::HangUp)?;
    b.ends()?;
    Ok(())
}

fn session(lab: &Lab) -> Result<()> {
    let [mut phone] = lab.phones([(Kind(Pjsua, Udp), PLAIN)])?;
    let options = sipp::Options {
        name: "seat-2",
        scenario: "phone-refreshes",
        called: &[SEATS[0].extension],
        ..sipp::Options::default()
    };
    let mut calling = lab.sipp(1, &options)?;
    phone.tells(&News::Rings)?;
    phone.order(Order::Answer)?;
    phone.tells(&News::Talks)?;
    ensure!(
        calling.ends(PATIENCE)?,
        "the session was not refreshed; see SIPp's errors.log"
    );
    phone.ends().map(drop)
}

fn session_one_sided(lab: &Lab) -> Result<()> {
    let habits = Habits {
        session: Some(90),
        ..PLAIN
    };
    let [mut a, mut b] = lab.phones([(Kind(Pjsua, Udp), habits), (Kind(Baresip, Udp), PLAIN)])?;
    connect(&mut a, &mut b, SEATS[1].extension)?;
    hear_each_other(lab, &a, &b)?;
    let granted = lab.wire.find(Mark::default(), "lan/seat-1", Received, |sip| {
        sip.answers("INVITE", 200) && sip.header("Session-Expires").is_some()
    });
    ensure!(granted.is_some(), "the box answers for no session timer");
    a.order(Order::HangUp)?;
    b.ends()?;
    Ok(())
}

fn lamp(lab: &Lab) -> Result<()> {
    let [mut a, mut b] = pair(lab, Kind(Baresip, Udp), Kind(Pjsua, Udp), PLAIN)?;
    let options = sipp::Options {
        scenario: "phone-watches",
        called: &[SEATS[1].extension],
        ..sipp::Options::default()
    };
    let shows = |wire: Mark, state: &str| {
        let what = format!("the lamp shows {state}");
        lab.wire
            .wait(&what, PATIENCE, wire, "lan/seat-3", Received, |sip| {
                sip.is("NOTIFY") && sip.text.contains(&format!(">{state}</state>"))
            })
    };
    let wire = lab.wire.mark();
    let _watching = lab.sipp(2, &options)?;
    shows(wire, "terminated")?;
    let wire = lab.wire.mark();
    a.order(Order::Dial(SEATS[1].extension))?;
    b.tells(&News::Rings)?;
    shows(wire, "early")?;
    let wire = lab.wire.mark();
    b.order(Order::Answer)?;
    b.tells(&News::Talks)?;
    shows(wire, "confirmed")?;
    let wire = lab.wire.mark();
    a.order(Order::HangUp)?;
    b.ends()?;
    shows(wire, "terminated").map(drop)
}
