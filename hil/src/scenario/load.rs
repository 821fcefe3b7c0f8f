//! What the box sustains: an office of phones that ask again as soon as they are answered, for a minute of its clock.
//!
//! With `-icount shift=1` an instruction takes 2 ns, and the box always has something to do: its rate is that of a processor of
//! 500 million instructions a second, which is scaled to the 480 million of the part at one instruction a cycle.

use super::bench::counted;
use super::stage::{DOMAIN, Stage};
use crate::office::{BOX, PHONES};
use crate::pcap::{self, Packet};
use crate::process::Process;
use crate::run::figure;
use crate::sipp;
use crate::wait::{s, wait_for};
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// Phones that register without rest, each from an address of its own: enough that some request always waits.
const REGISTERING: usize = 16;
/// Calls at once: enough that the box always has something to do, and few enough that all their messages fit into the emulated
/// controller's 9 KiB, so that none is lost on the way in and comes again too late.
const CALLING: usize = 4;
/// The time measured, by the box's clock, and what goes before.
const MEASURED: Duration = s(60);
const BEFORE: Duration = s(5);
/// 480 million instructions of a second, in per cent of what `shift=1` does.
const SHARE: u64 = 96;

/// REGISTERs with digest (challenge and answer) and calls from INVITE (challenge and answer) to the 200 of BYE, a second.
pub fn rates(stage: &mut Stage) -> Result<()> {
    (stage.a, stage.b, stage.c) = (None, None, None);
    stage.board.off();
    let phones = more_phones(stage)?;
    let dump = counted(stage, "registers.pcap", 1);
    stage.board.on()?;
    let Some((answering, registering)) = phones.split_last() else {
        anyhow::bail!("no phones")
    };
    let registering = register(stage, registering)?;
    let rate = sustained(&dump, registering, |text| text.contains(" REGISTER\r\n"))?;
    figure("firmware.registers_per_second", rate, "1/s");
    stage.board.off();

    let dump = counted(stage, "calls.pcap", 1);
    stage.board.on()?;
    let calling = call(stage, answering)?;
    let rate = sustained(&dump, calling, |text| text.contains(" BYE\r\n"))?;
    figure("firmware.calls_per_second", rate, "1/s");
    stage.board.off();
    Ok(())
}

/// A phone: user, password, address.
type Phone = (String, String, String);

/// IDs for the phones, known to the box, and addresses for them at phone C's computer.
fn more_phones(stage: &mut Stage) -> Result<Vec<Phone>> {
    stage.board.arguments(&[]);
    stage.board.on()?;
    let mut phones = Vec::new();
    // The last one answers calls.
    for index in 0..=REGISTERING {
        let direct = format!("03123401{index:02}");
        let extension = format!("3{index:02}");
        let label = format!("負荷{index}");
        let contract = stage.contract.clone();
        let answer = stage.cloud.order(&[
            "id",
            "add",
            "--contract",
            &contract,
            "--direct",
            &direct,
            "--extension",
            &extension,
            "--label",
            &label,
        ])?;
        let field = |name: &str| answer[name].as_str().unwrap_or_default().to_string();
        let address = format!("192.168.50.{}", 100 + index);
        stage.office.phones[2]
            .0
            .ip(&["address", "add", &format!("{address}/24"), "dev", "eth0"])?;
        phones.push((field("user"), field("password"), address));
    }
    stage.configured(Instant::now(), s(60))?;
    stage.board.off();
    Ok(phones)
}

/// All phones register without end.
fn register(stage: &Stage, phones: &[Phone]) -> Result<Vec<Process>> {
    let home = stage.run.folder.join("registering");
    std::fs::create_dir_all(&home)?;
    let scenario = sipp::fill("load-register", &[("domain", DOMAIN)], &home)?;
    let lines: String = phones
        .iter()
        .map(|(user, password, address)| {
            format!("{user};[authentication username={user} password={password}];{address}\n")
        })
        .collect();
    std::fs::write(home.join("phones.csv"), format!("SEQUENTIAL\n{lines}"))?;
    let count = phones.len().to_string();
    let mut command = stage.office.phones[2].0.command("sipp");
    command
        .current_dir(&home)
        .env("TERM", "dumb")
        .arg(format!("{BOX}:5060"));
    command.args([
        "-sf",
        &scenario,
        "-inf",
        "phones.csv",
        "-t",
        "ui",
        "-ip_field",
        "2",
    ]);
    command.args([
        "-i", PHONES[2], "-p", "5060", "-m", &count, "-l", &count, "-r", &count,
    ]);
    command.args(["-auth_uri", DOMAIN, "-max_socket", "1000", "-nostdin"]);
    Ok(vec![Process::start(
        "registering",
        &mut command,
        &stage.run.folder,
    )?])
}

/// Phone A calls a phone that answers, without end, many times at once.
fn call(stage: &Stage, answering: &Phone) -> Result<Vec<Process>> {
    let a = &stage.ids[0];
    let (called, password, _) = answering;
    let home = stage.run.folder.join("calling");
    std::fs::create_dir_all(&home)?;
    let answering = registered(stage, 1, called, password, &home)?;
    let words = [
        ("domain", DOMAIN),
        ("user", &a.user),
        ("called", called),
        ("talk", "0"),
    ];
    let scenario = sipp::fill("load-call", &words, &home)?;
    let mut command = stage.office.phones[0].0.command("sipp");
    command
        .current_dir(&home)
        .env("TERM", "dumb")
        .arg(format!("{BOX}:5060"));
    command.args(["-sf", &scenario, "-i", PHONES[0], "-p", "5060", "-nostdin"]);
    command.args(["-l", &CALLING.to_string(), "-r", "1000", "-m", "10000000"]);
    command.args(["-au", &a.user, "-ap", &a.password, "-auth_uri", DOMAIN]);
    let calling = Process::start("calling", &mut command, &stage.run.folder)?;
    Ok(vec![calling, answering])
}

/// Phone `index` registers, and answers from then on.
fn registered(stage: &Stage, index: usize, user: &str, password: &str, home: &Path) -> Result<Process> {
    let namespace = &stage.office.phones[index].0;
    let words = [("domain", DOMAIN), ("user", user), ("stay", "0")];
    let mut register = namespace.command("sipp");
    register
        .current_dir(home)
        .env("TERM", "dumb")
        .arg(format!("{BOX}:5060"));
    register.args([
        "-sf",
        &sipp::fill("phone-registers", &words, home)?,
        "-m",
        "1",
        "-nostdin",
    ]);
    register.args(["-i", PHONES[index], "-p", "5060"]);
    register.args(["-au", user, "-ap", password, "-auth_uri", DOMAIN]);
    let done = Process::start("answering-registers", &mut register, &stage.run.folder)?.ends(s(60))?;
    ensure!(done, "the answering phone does not register");
    let mut answer = namespace.command("sipp");
    answer.current_dir(home).env("TERM", "dumb");
    answer.args(["-sf", &sipp::fill("load-answer", &words, home)?, "-nostdin"]);
    answer.args(["-i", PHONES[index], "-p", "5060"]);
    Process::start("answering", &mut answer, &stage.run.folder)
}

/// 200s of the box that are `wanted`, a second of the last minute of its clock; none may be refused in it.
fn sustained(dump: &Path, mut load: Vec<Process>, wanted: impl Fn(&str) -> bool) -> Result<u64> {
    let until = BEFORE + MEASURED;
    // The first frame of SIP is the load's; the box was silent before it.
    let length = |packets: &[Packet]| {
        let sip: Vec<_> = packets
            .iter()
            .filter(|packet| text(packet).contains("SIP/2.0"))
            .collect();
        let (first, last) = (sip.first()?.nanoseconds, sip.last()?.nanoseconds);
        Some(Duration::from_nanos(last - first))
    };
    wait_for("a minute of the box's clock", s(1_800), || {
        std::thread::sleep(s(2));
        let over = length(&pcap::read(dump).ok()?)? >= until;
        (over || !load.iter_mut().all(Process::alive)).then_some(())
    })?;
    for process in &mut load {
        ensure!(process.alive(), "{}", process.last_words());
        process.kill();
    }
    let packets = pcap::read(dump)?;
    let end = packets.last().map_or(0, |packet| packet.nanoseconds);
    let from = end.saturating_sub(MEASURED.as_nanos() as u64);
    let (mut served, mut refused) = (0, 0);
    for packet in packets
        .iter()
        .filter(|packet| packet.nanoseconds >= from && from_box(packet))
    {
        let text = text(packet);
        served += u64::from(text.starts_with("SIP/2.0 200") && wanted(&text));
        refused += u64::from(
            matches!(text.get(8..9), Some("4" | "5")) && !matches!(text.get(8..11), Some("401" | "407")),
        );
    }
    ensure!(refused == 0, "{refused} requests were refused");
    Ok(served * SHARE / 100 / MEASURED.as_secs())
}

fn from_box(packet: &Packet) -> bool {
    packet.frame.get(26..30) == Some(&[192, 168, 50, 10])
}

fn text(packet: &Packet) -> String {
    String::from_utf8_lossy(packet.frame.get(42..).unwrap_or_default()).into_owned()
}
