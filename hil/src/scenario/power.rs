//! Ports with power: a phone is fed within its class and stays so while the box starts again; what is overloaded, shorted or no
//! device is not fed.

use super::stage::{Stage, same, text};
use super::vlan::pings;
use crate::office::BOX;
use crate::run::Run;
use crate::twin::hub::Hub;
use crate::twin::powered::PoweredDevice;
use crate::wait::{never, s, wait_for};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// The ports, from 0.
const PHONE: usize = 0;
const OTHER: usize = 1;
const COMPUTER: usize = 2;

/// A port that is told to feed does so within so long: detection, classification, the phone's capacitor, two readings.
const ON: Duration = s(5);
/// What a port that is switched off and on waits, and the above.
const AGAIN: Duration = s(15);

/// Tells it.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.board.plug_lines()?;
    {
        let hub = &mut stage.board.lines()?.card().hub;
        hub.plug(PHONE, PoweredDevice::phone(2));
        hub.plug(OTHER, PoweredDevice::phone(0));
        hub.plug(COMPUTER, PoweredDevice::COMPUTER);
    }
    stage.board.on()?;
    stage.configured(Instant::now(), s(20))?;
    are_fed(&stage).context("devices are fed")?;
    faults(&stage).context("faults")?;
    orders(&stage).context("orders of the cloud")?;
    starts_again(&mut stage).context("the box starts again")?;
    controller(&stage).context("the controller starts again")?;
    hangs(&mut stage).context("the controller hangs")?;
    ensure!(fed(&stage, COMPUTER)?.is_none(), "a computer was fed");
    run.say("every step was verified");
    Ok(())
}

fn hub<T>(stage: &Stage, act: impl FnOnce(&mut Hub) -> T) -> Result<T> {
    Ok(act(&mut stage.board.lines()?.card().hub))
}

fn fed(stage: &Stage, port: usize) -> Result<Option<Duration>> {
    hub(stage, |hub| hub.fed(port))
}

/// Waits until a port feeds, or does not.
fn until(stage: &Stage, port: usize, feeds: bool, within: Duration) -> Result<Duration> {
    let start = Instant::now();
    let what = format!(
        "port {} {}",
        port + 1,
        if feeds { "feeds" } else { "feeds no more" }
    );
    wait_for(&what, within, || {
        (fed(stage, port).ok()?.is_some() == feeds).then(|| start.elapsed())
    })
}

/// One after the other; a computer is not.
fn are_fed(stage: &Stage) -> Result<()> {
    until(stage, PHONE, true, ON)?;
    until(stage, OTHER, true, ON)?;
    let (first, second) = hub(stage, |hub| (hub.fed(PHONE), hub.fed(OTHER)))?;
    let apart = first.context("port 1")?.saturating_sub(second.context("port 2")?);
    ensure!(apart >= Duration::from_millis(400), "{apart:?} apart");
    never("the computer is fed", s(3), || fed(stage, COMPUTER).ok()?)?;
    // Its class has 7 W, and is cut at 204 mA: 11 W.
    hub(stage, |hub| hub.draw(PHONE, 7.0))?;
    never("a phone within its class is cut", s(2), || {
        fed(stage, PHONE).ok()?.is_none().then_some(())
    })?;
    stage.run.say(format!(
        "a phone of class 2 and one without a class are fed, {} ms apart; a computer is not",
        apart.as_millis()
    ));
    Ok(())
}

/// Overload, short, unplugged; each phone is fed again when it is in order.
fn faults(stage: &Stage) -> Result<()> {
    hub(stage, |hub| hub.draw(PHONE, 12.0))?;
    let overload = until(stage, PHONE, false, s(2))?;
    alarm(stage, "Overload", false)?;
    hub(stage, |hub| hub.plug(OTHER, PoweredDevice::SHORT))?;
    let short = until(stage, OTHER, false, s(2))?;
    alarm(stage, "Short", false)?;
    hub(stage, |hub| {
        hub.draw(PHONE, 2.0);
        hub.unplug(OTHER);
    })?;
    until(stage, PHONE, true, AGAIN)?;
    alarm(stage, "Short", true)?;
    hub(stage, |hub| hub.plug(OTHER, PoweredDevice::phone(0)))?;
    until(stage, OTHER, true, AGAIN)?;
    hub(stage, |hub| hub.unplug(OTHER))?;
    until(stage, OTHER, false, s(2))?;
    hub(stage, |hub| hub.plug(OTHER, PoweredDevice::phone(0)))?;
    until(stage, OTHER, true, ON)?;
    stage.run.say(format!(
        "an overload is cut after {} ms, a short after {} ms; the cloud knows, and both ports feed again",
        overload.as_millis(),
        short.as_millis()
    ));
    Ok(())
}

fn switch(stage: &Stage, port: usize, what: &str) -> Result<()> {
    let id = text(&stage.box_row()?, "box")?;
    let number = (port + 1).to_string();
    stage.cloud.order(&["box", "port", &id, &number, what]).map(drop)
}

/// Off, on, and off and on again.
fn orders(stage: &Stage) -> Result<()> {
    let before = fed(stage, PHONE)?.context("port 1")?;
    switch(stage, PHONE, "cycle")?;
    until(stage, PHONE, false, s(5))?;
    until(stage, PHONE, true, AGAIN)?;
    ensure!(fed(stage, PHONE)? < Some(before), "it has been off");
    switch(stage, OTHER, "off")?;
    until(stage, OTHER, false, s(5))?;
    never("a port that is off feeds", s(3), || fed(stage, OTHER).ok()?)?;
    stage
        .run
        .say("by order of the cloud a port is switched off and on, and another one off");
    Ok(())
}

/// The power of the processor alone fails, for three seconds.
fn starts_again(stage: &mut Stage) -> Result<()> {
    let (before, start) = (fed(stage, PHONE)?.context("port 1")?, Instant::now());
    stage.board.off();
    never("a phone notices", s(3), || {
        fed(stage, PHONE).ok()?.is_none().then_some(())
    })?;
    let mark = stage.board.log_mark();
    stage.board.on()?;
    stage.board.logs(mark, "power: up", s(20))?;
    never("a phone notices", s(5), || {
        fed(stage, PHONE).ok()?.is_none().then_some(())
    })?;
    let (after, passed) = (fed(stage, PHONE)?.context("port 1")?, start.elapsed());
    ensure!(
        after + s(1) > before + passed,
        "{after:?}, {passed:?} after {before:?}"
    );
    ensure!(fed(stage, OTHER)?.is_none(), "what is off stays off");
    switch(stage, OTHER, "on")?;
    until(stage, OTHER, true, AGAIN)?;
    stage.run.say(format!(
        "the processor was off and started again: port 1 has fed its phone for {:.1} s without a break, port 2 stayed off",
        after.as_secs_f64()
    ));
    Ok(())
}

/// The controller forgets everything.
fn controller(stage: &Stage) -> Result<()> {
    hub(stage, |hub| hub.controller.brown_out())?;
    for port in [PHONE, OTHER] {
        until(stage, port, true, AGAIN)?;
    }
    stage
        .run
        .say("after a brown-out of the controller both phones are fed again");
    Ok(())
}

/// SCL is held low: no transfer ends. Ports go on, the box has time for everything else, and looks for the controller once in 5 s.
fn hangs(stage: &mut Stage) -> Result<()> {
    let (before, mark) = (fed(stage, PHONE)?.context("port 1")?, stage.board.log_mark());
    stage.board.lines()?.card().faults.hangs = u32::MAX;
    stage
        .board
        .logs(mark, "power: the controller does not answer", s(5))?;
    let tried = || -> Result<u32> { Ok(u32::MAX - stage.board.lines()?.card().faults.hangs) };
    let (tried_before, start) = (tried()?, Instant::now());
    same("answers of the box", pings(stage, 0, BOX, 50, s(1) / 5)?, 50)?;
    let (tries, looks) = (tried()? - tried_before, start.elapsed().as_secs() / 5 + 1);
    ensure!(
        u64::from(tries) <= looks,
        "{tries} transfers in {:?}",
        start.elapsed()
    );
    ensure!(fed(stage, PHONE)? > Some(before), "a phone noticed");
    let mark = stage.board.log_mark();
    stage.board.lines()?.card().faults.hangs = 0;
    stage.board.logs(mark, "power: up", s(10))?;
    stage.run.say(format!(
        "the controller's bus hangs: {tries} transfers in 10 s, the phones are fed and the box answers"
    ));
    Ok(())
}

/// Waits until the cloud knows of this alarm of a port, or that it is over.
fn alarm(stage: &Stage, name: &str, is_over: bool) -> Result<()> {
    wait_for(&format!("the alarm {name} at the cloud"), s(15), || {
        let rows = stage.cloud.show("events").ok()?;
        let told =
            |text: &str| text.contains("Power") && text.contains(name) && text.contains("is over") == is_over;
        rows.iter()
            .any(|row| row["text"].as_str().is_some_and(told))
            .then_some(())
    })
}
