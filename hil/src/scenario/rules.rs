//! What the rules say to a person: why an order is refused, why a telephone did not ring.

use super::stage::{OUTSIDE, PHONE_PORTS, REP, Stage, same};
use crate::switch::Direction::Received;
use crate::wait::{s, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Instant;

/// A number of 川口, which an office in 東京 cannot have.
const ELSEWHERE: &str = "0482000000";

/// An order against a rule is refused with the rule and the next step, and nothing changes.
pub fn refused(stage: &Stage) -> Result<()> {
    let before = stage.box_row()?["issued"].clone();
    let said = stage.cloud.refused(&[
        "rep",
        "add",
        "--contract",
        &stage.contract,
        "--number",
        ELSEWHERE,
        "--label",
        "川口",
        "--members",
        "201",
    ])?;
    ensure!(said.contains("R18"), "refused without its rule: {said}");
    same(
        "configurations issued",
        stage.box_row()?["issued"].as_i64(),
        before.as_i64(),
    )?;
    stage
        .run
        .say(format!("5  {ELSEWHERE} for an office in 東京 is refused: {said}"));
    Ok(())
}

/// C does not ring for the group any more; a call comes, and the cloud tells why C stayed silent.
pub fn why(stage: &mut Stage) -> Result<()> {
    ring_for_group(stage, "201,202")?;
    let from = stage.office.sniffer.mark();
    let mut carrier = stage.carrier_calls("carrier-cancels", &[REP], &[("ring", "500")])?;
    ensure!(carrier.ends(s(10))?, "the carrier's call: {}", carrier.output());
    stage.all_quiet(s(5))?;
    let invited = |port: &str| {
        stage
            .office
            .sniffer
            .find(from, port, Received, |sip| sip.is("INVITE"))
            .is_some()
    };
    same("phones that rang", PHONE_PORTS.map(invited), [true, true, false])?;
    let crossing = stage
        .office
        .sniffer
        .messages(from, |sip| sip.port == "line/router" && sip.is("INVITE"));
    let session = crossing
        .first()
        .and_then(|invite| invite.header("Session-ID")?.get(..32))
        .context("no INVITE with Session-ID crossed the line")?;
    let why = wait_for("the record of the call", s(10), || {
        stage.cloud.order(&["why", "--session", session]).ok()
    })?;
    let terminals = why["terminals"].as_array().context("no trace of terminals")?;
    stage
        .run
        .say(format!("5  {OUTSIDE} called {REP}; why did C (203) not ring?"));
    for terminal in terminals {
        stage.run.say(format!("     {}", line(terminal)));
    }
    let of = |extension: &str| terminals.iter().find(|row| row["extension"] == extension);
    let silent = of("203").context("no trace of C")?;
    ensure!(
        silent["rings"] == false && silent["rule"] == "R44",
        "why C did not ring: {silent}"
    );
    ensure!(
        ["201", "202"]
            .into_iter()
            .all(|extension| of(extension).is_some_and(|row| row["rings"] == true)),
        "A and B rang: {why}"
    );
    ring_for_group(stage, "201,202,203")
}

fn line(terminal: &Value) -> String {
    let text = |field: &str| terminal[field].as_str().unwrap_or_default();
    let verdict = if terminal["rings"] == true {
        "rang"
    } else {
        "silent"
    };
    format!(
        "{} {} {verdict}: {} ({})",
        text("extension"),
        text("label"),
        text("reason"),
        text("rule")
    )
}

/// Changes who rings for the group (R44) and waits until the box knows.
fn ring_for_group(stage: &Stage, extensions: &str) -> Result<()> {
    stage
        .cloud
        .order(&["rep", "set", "--number", REP, "--ring", extensions])?;
    stage.configured(Instant::now(), s(10)).map(drop)
}
