//! The box as a program that is a site's box: its office comes from a real cloud, and so do its outside calls.

use super::Case;
use super::call::{connect, hear_each_other};
use super::lab::{CARRIER, CLOUD, Lab, SEATS, serve};
use super::phone::{Habits, Kind, Make::*, News, Order, PATIENCE, Phone, Transport::*};
use crate::cloud::Cloud;
use crate::sipp;
use crate::sniff::Mark;
use crate::switch::Direction::Received;
use crate::wait::wait_for;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Who is outside, and what is heard of him, Hz.
const OUTSIDE: &str = "09011112222";
const TONE: f64 = 941.0;

pub fn cases() -> Vec<Case> {
    let a = Kind(Pjsua, Tls);
    let b = Kind(Baresip, Udp);
    vec![Case::new(
        format!("site-{a}-{b}"),
        "a site's box beside a real cloud: office, outside calls both ways, the cloud goes and comes, every record once",
        move |run| site(Lab::of_site(run)?, a, b),
    )]
}

fn site((mut lab, mut cloud, passwords): (Lab, Cloud, Vec<String>), a: Kind, b: Kind) -> Result<()> {
    // Without its configuration the box has no phones.
    configured(&cloud)?;
    let mut phones = Vec::new();
    for (seat, (kind, password)) in [a, b].into_iter().zip(&passwords).enumerate() {
        phones.push(lab.phone(seat, kind, password, Habits::NONE)?);
    }
    for phone in &mut phones {
        phone.tells(&News::Registered)?;
    }
    let [mut a, mut b]: [Phone; 2] = phones.try_into().ok().context("two phones")?;

    inside(&lab, &mut a, &mut b)?;
    from_outside(&lab, &mut a)?;
    to_outside(&lab, &mut b)?;

    ensure!(cloud.stop()?, "the cloud did not end well");
    inside(&lab, &mut a, &mut b)?;
    // What is not in flash yet goes with the power: two legs of each call so far are.
    wait_for("records in flash", PATIENCE, || {
        (lab.recorded() == 8).then_some(())
    })?;
    lab.kill_box();
    lab.start_box()?;
    // B is known; A's connection is gone, and with it what was registered by it.
    a.tells(&News::Registered)?;
    inside(&lab, &mut a, &mut b)?;
    // An outside call has an end that is told, and soon.
    a.order(Order::Dial(OUTSIDE))?;
    a.ends()?;
    serve(&mut cloud)?;
    online(&cloud)?;
    from_outside(&lab, &mut a)?;
    lab.box_is_well()?;
    recorded(&cloud)
}

/// A calls B inside.
fn inside(lab: &Lab, a: &mut Phone, b: &mut Phone) -> Result<()> {
    connect(a, b, SEATS[1].extension)?;
    hear_each_other(lab, a, b)?;
    a.order(Order::HangUp)?;
    b.ends()?;
    a.ends().map(drop)
}

/// Somebody outside calls A.
fn from_outside(lab: &Lab, a: &mut Phone) -> Result<()> {
    let mut carrier = carrier(lab, "carrier-calls", &[SEATS[0].user], &[("hold", "600000")])?;
    a.tells(&News::Rings)?;
    a.order(Order::Answer)?;
    a.tells(&News::Talks)?;
    a.plays(TONE, &[SEATS[0].tone])?;
    a.order(Order::HangUp)?;
    a.ends()?;
    ensure!(
        carrier.ends(PATIENCE)?,
        "the carrier's call: {}",
        carrier.output()
    );
    Ok(())
}

/// B calls somebody outside, who answers.
fn to_outside(lab: &Lab, b: &mut Phone) -> Result<()> {
    let from: Mark = lab.wire.mark();
    let carrier = carrier(lab, "phone-answers", &[], &[("ring", "200"), ("user", "carrier")])?;
    b.order(Order::Dial(OUTSIDE))?;
    b.tells(&News::Talks)?;
    let invite = lab
        .wire
        .wait("INVITE", PATIENCE, from, "lan/carrier", Received, |sip| {
            sip.is("INVITE")
        })?;
    let caller = invite.header("P-Asserted-Identity").unwrap_or_default();
    ensure!(caller.contains(&SEATS[1].user[1..]), "caller {caller:?}");
    b.plays(TONE, &[SEATS[1].tone])?;
    b.order(Order::HangUp)?;
    b.ends()?;
    lab.wire
        .wait("BYE", PATIENCE, from, "lan/carrier", Received, |sip| {
            sip.is("BYE")
        })?;
    drop(carrier);
    Ok(())
}

fn carrier(
    lab: &Lab,
    scenario: &str,
    called: &[&str],
    words: &[(&str, &str)],
) -> Result<crate::process::Process> {
    let remote = format!("{CLOUD}:5060");
    let options = sipp::Options {
        name: &format!("carrier-{scenario}"),
        scenario,
        remote: (!called.is_empty()).then_some(&remote),
        local: CARRIER,
        called,
        words: &[words, &[("caller", OUTSIDE)]].concat(),
        tone: Some(TONE),
        ..sipp::Options::default()
    };
    sipp::start(&lab.outside[1], &options, &lab.folder)
}

fn row(cloud: &Cloud) -> Option<Value> {
    cloud.show("boxes").ok()?.into_iter().next()
}

/// The box has taken the configuration, and its trunk is registered.
fn configured(cloud: &Cloud) -> Result<()> {
    wait_for("the box's configuration", PATIENCE, || {
        let row = row(cloud)?;
        (row["issued"].as_i64()? > 0 && row["issued"] == row["epoch"]).then_some(())
    })
    .with_context(|| format!("{:?}", row(cloud)))?;
    online(cloud)
}

fn online(cloud: &Cloud) -> Result<()> {
    wait_for("the box's trunk", PATIENCE, || {
        let row = row(cloud)?;
        (row["trunk"].is_string() && row["online"] == true).then_some(())
    })
    .with_context(|| format!("{:?}", row(cloud)))
}

/// Three calls inside, three with the outside and the one that could not be: each in the records once, its box's leg with it.
fn recorded(cloud: &Cloud) -> Result<()> {
    let seen = || -> Option<Vec<(i64, i64)>> {
        let rows = cloud.show("records").ok()?;
        let legs = |row: &Value| Some((row["box_legs"].as_i64()?, row["cloud_legs"].as_i64()?));
        rows.iter().map(legs).collect()
    };
    wait_for("every record", PATIENCE, || {
        let rows = seen()?;
        let joined = rows.iter().filter(|(own, other)| *own > 0 && *other > 0).count();
        let alone = rows.iter().filter(|(own, other)| *own > 0 && *other == 0).count();
        ((joined, alone, rows.len()) == (3, 4, 7)).then_some(())
    })
    .with_context(|| format!("{:?}", seen()))
}
