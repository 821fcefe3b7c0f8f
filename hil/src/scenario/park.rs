//! Park (パーク保留, R29): a call waits in the box, with its tone, until a phone takes it.

use super::stage::{Stage, TONES};
use crate::run::Run;
use crate::wait::s;
use anyhow::{Context, Result};

/// The first slot.
const SLOT: &str = "**01";
/// What is played to who is parked, Hz.
const HOLD_TONE: f64 = 660.0;

/// B parks A with the line cut, and takes it back.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.ready()?;
    stage.office.internet.cut();
    stage.a_calls_b()?;
    let mark = stage.b()?.mark();
    stage.b()?.command("transfer", SLOT)?;
    let level = stage
        .a()?
        .hears(HOLD_TONE, &[TONES[1]], s(5))
        .context("A is parked")?;
    stage.b()?.wait(mark, "CALL_CLOSED", s(10)).context("B is free")?;
    run.say(format!(
        "with the line cut B parks A in {SLOT}: A hears the tone at {level:.1} dBFS, B is free"
    ));
    let mark = stage.b()?.mark();
    stage.b()?.dial(SLOT)?;
    stage.b()?.wait(mark, "CALL_ESTABLISHED", s(5))?;
    stage.both_hear_new().context("B takes A back")?;
    stage.a()?.hang_up()?;
    stage.b()?.wait(mark, "CALL_CLOSED", s(5))?;
    run.say("B dials it and has A back; both hear each other");
    Ok(())
}
