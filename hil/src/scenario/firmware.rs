//! A maker's file comes to the box, through a cut of the line and a cut of its power, and phones get it from there with the line away.

use super::provision::{TONE, boots, claim, phone};
use super::stage::{Stage, same};
use crate::desk::Desk;
use crate::office::BOX;
use crate::process;
use crate::run::{Run, figure};
use crate::wait::{never, s, wait_for};
use crate::world::Namespace;
use anyhow::{Context, Result, bail, ensure};
use deskphones::firmware;
use deskphones::model::GXP1628;
use deskphones::rng::Rng;
use hil_wire::PHONE_FIRMWARE;
use std::path::Path;
use std::time::{Duration, Instant};

const NAME: &str = "gxp1600fw.bin";
const VERSION: &str = "1.0.7.76";
const SIZE: usize = 512 * 1024;
/// So much of it is in the box when the line is cut, and when the power is.
const CUTS: [usize; 2] = [SIZE / 5, SIZE / 2];
/// Hardware address of a computer that stands for a phone.
const COMPUTER: &str = "00:0b:82:aa:bb:03";
/// A fetch of the whole, at most.
const FETCHED: Duration = s(300);
/// A phone writes it and starts again.
const TAKEN: Duration = s(240);

/// Tells it.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.board.plug_lines()?;
    stage.board.plug_hub(&stage.office.lan)?;
    let desk = phone(&GXP1628, 1);
    claim(&stage, 0, &desk, "gxp1628")?;
    let computer = &stage.office.phones[2].0;
    computer.ip(&["link", "set", "eth0", "address", COMPUTER])?;
    let user = &stage.ids[2].user;
    let order = ["phone", "claim", user, "--mac", COMPUTER, "--model", "gxp1628"];
    stage.cloud.order(&order)?;
    stage.board.on()?;
    stage.configured(Instant::now(), s(30))?;
    let desk = boots(&stage, "desk-a", 0, desk, TONE)?;

    let bytes = firmware::file(&GXP1628, VERSION, SIZE, &mut Rng::new(run.seed));
    let file = run.folder.join(NAME);
    std::fs::write(&file, &bytes)?;
    let path = file.display().to_string();
    stage
        .cloud
        .order(&["phone", "firmware", "add", "gxp1628", VERSION, &path])?;
    stage
        .cloud
        .order(&["phone", "firmware", "set", &stage.site, "gxp1628", VERSION])?;
    fetch(&mut stage, &bytes)?;

    stage.office.internet.cut();
    serve(&stage, &bytes).context("with the line away")?;
    takes(&stage, &desk)?;
    stage.office.internet.mend();
    reports(&stage)
}

/// Bytes of the file that are in the box's flash, from its beginning.
fn there(stage: &Stage, bytes: &[u8]) -> Result<usize> {
    let flash = stage.board.read(PHONE_FIRMWARE, bytes.len())?;
    let same = flash.iter().zip(bytes).take_while(|(flash, byte)| flash == byte);
    Ok(same.count())
}

fn comes(stage: &Stage, bytes: &[u8], what: &str, so_many: usize) -> Result<()> {
    wait_for(what, FETCHED, || {
        (there(stage, bytes).ok()? >= so_many).then_some(())
    })
}

/// The box fetches it; both are cut on the way.
fn fetch(stage: &mut Stage, bytes: &[u8]) -> Result<()> {
    let [line, power] = CUTS;
    let start = Instant::now();
    comes(stage, bytes, "the first part", line)?;
    let pace = line as f64 / 1024.0 / start.elapsed().as_secs_f64();
    figure("firmware.fetch.rate", format!("{pace:.1}"), "KiB/s");
    stage.office.internet.cut();
    // What was under way when it was cut.
    wait_for("an end of what comes", s(10), || {
        let before = there(stage, bytes).ok()?;
        std::thread::sleep(Duration::from_secs(1));
        (there(stage, bytes).ok()? == before).then_some(())
    })?;
    let had = there(stage, bytes)?;
    never("a part without a line", s(3), || {
        (there(stage, bytes).ok()? != had).then_some(())
    })?;
    stage.office.internet.mend();
    comes(stage, bytes, "the second part", power)?;
    stage.board.off();
    let had = there(stage, bytes)?;
    stage.run.say(format!(
        "the line was cut at {} KiB, the power at {} KiB of {}",
        line / 1024,
        had / 1024,
        SIZE / 1024
    ));
    stage.board.on()?;
    comes(stage, bytes, "the rest", SIZE)?;
    let id = super::stage::text(&stage.box_row()?, "box")?;
    let mut last = serde_json::Value::Null;
    wait_for("the box to say that it has it", s(60), || {
        last = stage.cloud.order(&["box", "show", &id]).ok()?;
        let row = &last["phone_firmware"][0];
        (row["state"] == "verified" && row["version"] == VERSION).then_some(())
    })
    .with_context(|| last.to_string())?;
    same("bytes in the box", there(stage, bytes)?, SIZE)?;
    stage
        .run
        .say("both went on from there; the cloud shows it as verified");
    Ok(())
}

/// A computer in the place of a phone gets it by HTTP: the very bytes. Another gets nothing.
fn serve(stage: &Stage, bytes: &[u8]) -> Result<()> {
    let got = stage.run.folder.join("got.bin");
    let [_, (stranger, _), (computer, _)] = &stage.office.phones[..] else {
        bail!("three computers")
    };
    let url = format!("http://{BOX}/{NAME}");
    let fetch = |computer: &Namespace, to: &Path| {
        let mut command = computer.command("curl");
        command.args([
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "200",
            "--output",
        ]);
        process::run(command.arg(to).arg(&url))
    };
    let mut took = Duration::ZERO;
    // The phone may have it at this moment.
    wait_for("a computer to get it", s(200), || {
        let start = Instant::now();
        fetch(computer, &got).ok()?;
        took = start.elapsed();
        Some(())
    })?;
    ensure!(std::fs::read(&got)? == bytes, "other bytes than the maker's");
    let refused = fetch(stranger, &got).err().context("who is no phone got it")?;
    ensure!(format!("{refused:#}").contains("403"), "{refused:#}");
    let pace = SIZE as f64 / 1024.0 / took.as_secs_f64();
    figure("firmware.serve.rate", format!("{pace:.0}"), "KiB/s");
    stage.run.say(format!(
        "the line is away: curl gets the very bytes from the box in {took:.1?}"
    ));
    Ok(())
}

/// The phone was told, takes it, and registers again.
fn takes(stage: &Stage, desk: &Desk) -> Result<()> {
    wait_for("the phone to run it", TAKEN, || {
        let runs = desk.phone().model.firmware == VERSION;
        (runs && desk.is_registered()).then_some(())
    })
    .with_context(|| format!("{:?}", desk.phone().fetched))?;
    let phone = desk.phone();
    ensure!(phone.problems.is_empty(), "{:?}", phone.problems);
    same("how often it took firmware", phone.upgrades, 1)?;
    stage
        .run
        .say("the GXP1628 fetched it, wrote it, started again and is registered, with the line away");
    Ok(())
}

/// The cloud hears of the version from the phone itself.
fn reports(stage: &Stage) -> Result<()> {
    let id = super::stage::text(&stage.box_row()?, "box")?;
    wait_for("the version at port 1", s(60), || {
        let row = stage.cloud.order(&["box", "show", &id]).ok()?;
        (row["ports"][0]["firmware"] == VERSION).then_some(())
    })?;
    stage.run.say(format!("the cloud shows {VERSION} at port 1"));
    Ok(())
}
