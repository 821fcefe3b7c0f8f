//! The microcontroller dies, and the hub goes on: the phones, which have the cloud as backup proxy in their files, register
//! there through the office's NAT, call each other and the outside, are called, and come home when there is a box again.

use super::provision::{TONE, boots, claim, phone};
use super::stage::{CARRIER_TONE, OUTSIDE, REP, Stage, same};
use crate::desk::Desk;
use crate::run::{Run, figure};
use crate::sniff::Mark;
use crate::switch::Direction::{Received, Sent};
use crate::tone;
use crate::wait::{ms, s, wait_for};
use anyhow::{Context, Result, ensure};
use deskphones::agent::Incoming;
use deskphones::model::GXP1628;
use std::time::{Duration, Instant};

/// What the second phone plays, Hz.
const OTHER_TONE: f64 = 1209.0;
/// Half a registration of three minutes, 32 s of silence, and what was lost.
const GOES: Duration = s(180);
/// The same from the cloud, where a registration is at most 90 s long, and a start of the box.
const COMES: Duration = s(120);

/// Tells it.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.board.plug_lines()?;
    stage.board.plug_hub(&stage.office.lan)?;
    // They renew earlier than others, and so the story is shorter.
    let (first, second) = (phone(&GXP1628, 1), phone(&GXP1628, 2));
    claim(&stage, 0, &first, "gxp1628")?;
    claim(&stage, 1, &second, "gxp1628")?;
    let mark = stage.board.log_mark();
    stage.board.on()?;
    stage.board.logs(mark, "switch: set up", s(20))?;
    stage.configured(Instant::now(), s(20))?;
    let a = boots(&stage, "desk-a", 0, first, TONE)?;
    let b = boots(&stage, "desk-b", 1, second, OTHER_TONE)?;
    b.phone().set_manner(Incoming::Answer(500, 60_000));
    // What the box made up is what the cloud will ask for.
    wait_for("the cloud knows their passwords", s(20), || {
        let phones = stage.cloud.order(&["phone", "list"]).ok()?;
        let known = |row: &serde_json::Value| row["passwords"].as_u64() > Some(0);
        phones.as_array()?.iter().all(known).then_some(())
    })?;
    dies(&mut stage).context("the box dies")?;
    inside(&stage, [&a, &b]).context("a phone calls the other one by the cloud")?;
    outside(&mut stage, &a).context("a phone calls outside")?;
    called(&mut stage, &b, ["lan/desk-a", "lan/desk-b"]).context("somebody outside calls the group")?;
    returns(&mut stage, [&a, &b]).context("there is a box again")?;
    called(&mut stage, &b, ["lan/desk-a", "lan/desk-b"])
        .context("somebody outside calls the group at the box")?;
    run.say("every step was verified");
    Ok(())
}

/// Phones that are registered at the cloud.
fn sheltered(stage: &Stage) -> Option<usize> {
    let rows = stage.cloud.order(&["phone", "list"]).ok()?;
    Some(
        rows.as_array()?
            .iter()
            .filter(|row| row["sheltered"] == true)
            .count(),
    )
}

/// The processor is off; the phones notice when they renew.
fn dies(stage: &mut Stage) -> Result<()> {
    stage.board.off();
    let start = Instant::now();
    wait_for("both phones at the cloud", GOES, || {
        (sheltered(stage)? == 2).then_some(())
    })?;
    let took = start.elapsed().as_secs_f64();
    figure(
        "hil.backup.box_dead_to_phones_at_cloud.s",
        format!("{took:.0}"),
        "s",
    );
    stage.run.say(format!(
        "the box is off, its ports go on feeding; {took:.0} s later both phones are at the cloud, which shows them there"
    ));
    Ok(())
}

/// Waits until a port has been given this tone by the cloud's relay since `from`, alone.
fn hears(stage: &Stage, port: &str, wanted: f64) -> Result<()> {
    let others: Vec<f64> = [TONE, OTHER_TONE, CARRIER_TONE]
        .into_iter()
        .filter(|other| *other != wanted)
        .collect();
    wait_for(&format!("{port} hears {wanted} Hz"), s(10), || {
        let now = Instant::now();
        let streams = stage.office.sniffer.streams(|stream| {
            stream.port == port && stream.direction == Received && now - stream.last < ms(500)
        });
        streams
            .iter()
            .any(|stream| tone::heard(&stream.audio, 4_000, wanted, &others))
            .then_some(())
    })
}

fn rests(stage: &Stage) -> Result<()> {
    wait_for("a cloud without calls", s(20), || {
        stage.cloud.show("calls").ok()?.is_empty().then_some(())
    })
}

fn inside(stage: &Stage, [a, _]: [&Desk; 2]) -> Result<()> {
    let from = stage.office.sniffer.mark();
    a.dial(&stage.ids[1].extension, 8_000);
    stage.wait("its 200", s(15), from, "lan/desk-a", Received, |sip| {
        sip.answers("INVITE", 200)
    })?;
    hears(stage, "lan/desk-a", OTHER_TONE)?;
    hears(stage, "lan/desk-b", TONE)?;
    rests(stage)?;
    stage.run.say(format!(
        "the first called {}: both hear each other through the cloud's relay",
        stage.ids[1].extension
    ));
    Ok(())
}

fn outside(stage: &mut Stage, a: &Desk) -> Result<()> {
    let from = stage.office.sniffer.mark();
    let _carrier = stage.carrier_answers(200)?;
    a.dial(OUTSIDE, 8_000);
    let invite = stage.wait("INVITE", s(15), from, "trunk/carrier", Received, |sip| {
        sip.is("INVITE")
    })?;
    let own = format!("+81{}", &stage.ids[0].user[1..]);
    let shown = invite.header("From").unwrap_or_default();
    ensure!(shown.contains(&own), "caller ID {shown:?}");
    hears(stage, "lan/desk-a", CARRIER_TONE)?;
    hears(stage, "trunk/carrier", TONE)?;
    rests(stage)?;
    stage
        .run
        .say("it called outside, presented its number, and both heard each other");
    Ok(())
}

/// The second phone answers; each has rung once.
fn called(stage: &mut Stage, b: &Desk, ports: [&str; 2]) -> Result<()> {
    let from = stage.office.sniffer.mark();
    let _carrier = stage.carrier_calls("carrier-calls", &[REP], &[("hold", "6000")])?;
    stage.wait("the answer", s(15), from, ports[1], Sent, |sip| {
        sip.answers("INVITE", 200)
    })?;
    hears(stage, ports[1], CARRIER_TONE)?;
    hears(stage, "trunk/carrier", OTHER_TONE)?;
    rests(stage)?;
    for port in ports {
        same(&format!("calls that rang at {port}"), rung(stage, from, port), 1)?;
    }
    ensure!(b.is_registered(), "it lost its registration");
    stage
        .run
        .say("a call from outside rang both phones once; the second took it, and was heard");
    Ok(())
}

/// Different calls that a port was given.
fn rung(stage: &Stage, from: Mark, port: &str) -> usize {
    let invites = stage.office.sniffer.messages(from, |sip| {
        sip.port == port && sip.direction == Received && sip.is("INVITE")
    });
    let calls: std::collections::BTreeSet<_> = invites.iter().map(|sip| sip.call_id().to_string()).collect();
    calls.len()
}

fn returns(stage: &mut Stage, desks: [&Desk; 2]) -> Result<()> {
    let (start, from) = (Instant::now(), stage.office.sniffer.mark());
    stage.board.on()?;
    stage.trunk_up(s(30))?;
    for (port, desk) in ["lan/desk-a", "lan/desk-b"].into_iter().zip(desks) {
        let at_box = format!("{}:5060", crate::office::BOX);
        stage.wait(
            "a REGISTER that the box accepts",
            COMES,
            from,
            port,
            Received,
            |sip| sip.answers("REGISTER", 200) && sip.source.to_string() == at_box,
        )?;
        ensure!(desk.is_registered(), "{port} is not registered");
    }
    let took = start.elapsed().as_secs_f64();
    figure("hil.backup.box_back_to_phones_home.s", format!("{took:.0}"), "s");
    wait_for("no phone at the cloud", s(130), || {
        (sheltered(stage)? == 0).then_some(())
    })?;
    stage.run.say(format!(
        "the box is on again: {took:.0} s later both phones are registered there, and then none is at the cloud"
    ));
    Ok(())
}
