//! The office's network: a router that vanishes, two DHCP servers, another network; asked by programs of others (dig, chronyd,
//! logger, udhcpc).

use super::stage::{DOMAIN, PHONE_PORTS, Stage, same};
use crate::baresip::{Account, Phone};
use crate::office::{BOX, CLOUD, CLOUD_NAME, PHONES, ROUTER};
use crate::process::run as output_of;
use crate::run::Run;
use crate::switch::{Direction, Seen};
use crate::wait::{s, wait_for};
use crate::world::Namespace;
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// The office after it was renumbered: its router, the box, the phones.
const OTHER_ROUTER: &str = "192.168.60.1";
const OTHER_BOX: &str = "192.168.60.10";
const OTHER_PHONES: [&str; 2] = ["192.168.60.11", "192.168.60.12"];

/// What dig says, in short; an error if nobody answers within 5 s.
fn dig(from: &Namespace, server: &str, words: &[&str]) -> Result<String> {
    let mut command = from.command("dig");
    command.arg(format!("@{server}"));
    command
        .args(["+noall", "+answer", "+comments", "+time=5", "+tries=1"])
        .args(words);
    output_of(&mut command)
}

/// The first answer's data.
fn found(from: &Namespace, server: &str, words: &[&str]) -> Result<String> {
    let all = dig(from, server, words)?;
    let data = all
        .lines()
        .find(|line| !line.starts_with(';') && !line.is_empty());
    let data = data.with_context(|| format!("no answer in {all:?}"))?;
    Ok(data.split_whitespace().skip(4).collect::<Vec<_>>().join(" "))
}

/// How far chronyd's clock is from the server's, s; `None`: it does not take its word.
fn time_off(from: &Namespace, server: &str) -> Option<f64> {
    let mut command = from.command("chronyd");
    // One look, and the clock of this machine is left alone.
    command.args(["-Q", "-t", "8", "-f", "/dev/null"]);
    command.arg("maxdistance 16.0");
    command.arg(format!("server {server} iburst maxsamples 1"));
    let output = command.output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let (_, rest) = said.split_once("System clock wrong by ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// An address by udhcpc, which leaves the interface as it is: the address, the server, and what came with it.
fn lease(computer: &Namespace, run: &Run, extra: &[&str]) -> Result<(String, String)> {
    let script = run.folder.join("lease.sh");
    let text = "#!/bin/sh\n[ \"$1\" = bound ] && echo \"$ip from $serverid: $router $dns $ntpsrv\"\nexit 0\n";
    std::fs::write(&script, text)?;
    output_of(std::process::Command::new("chmod").arg("+x").arg(&script))?;
    let mut command = computer.command("busybox");
    command.args(["udhcpc", "-f", "-q", "-n", "-i", "eth0", "-t", "8", "-T", "3"]);
    command.args(["-O", "ntpsrv", "-O", "tftp", "-V", "Grandstream GXP1628"]);
    command.arg("-s").arg(&script).args(extra);
    let said = output_of(&mut command)?;
    let line = said.lines().find(|line| line.contains(" from "));
    let (address, rest) = line
        .and_then(|line| line.split_once(" from "))
        .context(said.clone())?;
    Ok((address.to_string(), rest.to_string()))
}

/// The same from the box, which believes for a minute that a server it has heard is there.
fn lease_in_time(computer: &Namespace, run: &Run) -> Result<(String, String)> {
    wait_for("an address from the box", s(100), || {
        lease(computer, run, &[]).ok()
    })
}

/// Counts what the box says as a DHCP server, and how often it says where its files are (option 66, RFC 2132 §9.4), which is
/// no host's name and which udhcpc therefore does not show.
fn served(stage: &Stage) -> (Arc<AtomicU32>, Arc<AtomicU32>) {
    let url = format!("http://{BOX}/");
    let option = [&[66, url.len() as u8], url.as_bytes()].concat();
    let (count, located) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let counted = (Arc::clone(&count), Arc::clone(&located));
    stage.office.lan.watch(move |seen: &Seen| {
        // From UDP port 67, a reply (RFC 2131 figure 1).
        let reply = seen.frame.get(12..14) == Some(&[8, 0])
            && seen.frame.get(23) == Some(&17)
            && seen.frame.get(34..36) == Some(&[0, 67])
            && seen.frame.get(42) == Some(&2);
        if reply && seen.port == "box" && seen.direction == Direction::Sent {
            counted.0.fetch_add(1, Ordering::Relaxed);
            let says = seen.frame.windows(option.len()).any(|part| part == option);
            counted.1.fetch_add(says.into(), Ordering::Relaxed);
        }
    });
    (count, located)
}

/// The router vanishes, and with it names, time, addresses and the line: the box has them all.
pub fn router_vanishes(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let (replies, located) = served(&stage);
    stage.ready()?;
    let phone = stage.office.phones[2].0.clone();

    let service = format!("_sip._udp.{DOMAIN}");
    for (name, kind, expected) in [
        ("denwaban", "A", BOX.to_string()),
        (DOMAIN, "A", BOX.to_string()),
        (&service, "SRV", format!("0 0 5060 {DOMAIN}.")),
        (
            DOMAIN,
            "NAPTR",
            format!("10 10 \"s\" \"SIP+D2U\" \"\" {service}."),
        ),
        (CLOUD_NAME, "A", CLOUD.to_string()),
    ] {
        for more in ["+edns", "+noedns"] {
            same(
                &format!("{kind} of {name}"),
                found(&phone, BOX, &[name, kind, more])?,
                expected.clone(),
            )?;
        }
    }
    let reverse = found(&phone, BOX, &["-x", BOX])?;
    same("the box's own name", reverse.as_str(), "denwaban.")?;
    let off = time_off(&phone, BOX).context("chronyd does not believe the box")?;
    ensure!(off.abs() < 2.0, "the box's clock is {off} s off");
    run.say(format!(
        "names (A, SRV, NAPTR, PTR) by dig; chronyd finds the box's clock {off:.3} s off"
    ));
    let mark = stage.board.log_mark();
    output_of(phone.command("logger").args([
        "--server",
        BOX,
        "--port",
        "514",
        "--udp",
        "--rfc3164",
        "--priority",
        "local0.err",
        "registration failed",
    ]))?;
    let line = stage.board.logs(mark, "registration failed", s(5))?;
    run.say(format!("a phone's log is heard: {line:?}"));
    same(
        "DHCP replies of the box beside the router's server",
        replies.load(Ordering::Relaxed),
        0,
    )?;

    stage.office.stop_dhcp();
    stage.office.router_port.cut();
    let gone = Instant::now();
    let again = found(&phone, BOX, &[CLOUD_NAME, "A"])?;
    same("a name that was asked for before", again.as_str(), CLOUD)?;
    let unknown = dig(&phone, BOX, &["nobody-asked.test", "A"])?;
    ensure!(unknown.contains("SERVFAIL"), "{unknown}");
    let off = time_off(&phone, BOX).context("chronyd does not believe the box any more")?;
    ensure!(off.abs() < 2.0, "the box's clock is {off} s off");
    let (address, rest) = lease_in_time(&phone, run)?;
    let expected = format!("{BOX}: {ROUTER} {BOX} {BOX}");
    same("what the box gives", rest.as_str(), expected.as_str())?;
    same(
        "replies that say where the files are",
        located.load(Ordering::Relaxed),
        replies.load(Ordering::Relaxed),
    )?;
    run.say(format!(
        "{:.1} s after the router vanished a phone has {address}, names and the time",
        gone.elapsed().as_secs_f64()
    ));
    let delay = stage.a_call()?;
    run.say(format!("A calls B, {delay:?} to ring"));
    same("starts of the box", stage.board.starts(), 1)
}

/// The router's DHCP server is gone, the box gives addresses; it comes back, and the box falls silent.
pub fn two_dhcp_servers(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let (replies, _) = served(&stage);
    stage.board.on()?;
    stage.configured(Instant::now(), s(20))?;
    let phone = stage.office.phones[2].0.clone();
    stage.office.stop_dhcp();
    let (address, rest) = lease_in_time(&phone, run)?;
    ensure!(rest.starts_with(BOX), "{address} is from {rest}");
    let (again, _) = lease(&phone, run, &[])?;
    same("the address of the same phone", &again, &address)?;
    ensure!(replies.load(Ordering::Relaxed) >= 4, "two offers and two grants");
    run.say(format!("the box gives {address}"));

    stage.office.start_dhcp()?;
    let back = Instant::now();
    // The box looks for another server once a minute, and asks for more time for its own address.
    wait_for("the router's server to answer the box", s(90), || {
        let log = stage.office.dhcp_log();
        let answers = ["DHCPOFFER(eth0)", "DHCPACK(eth0)"];
        answers.iter().any(|answer| log.contains(answer)).then_some(())
    })?;
    let silent = replies.load(Ordering::Relaxed);
    run.say(format!(
        "another server is heard after {:.0} s",
        back.elapsed().as_secs_f64()
    ));
    for _ in 0..3 {
        let (address, rest) = lease(&phone, run, &[])?;
        ensure!(rest.starts_with(ROUTER), "{address} is from {rest}");
    }
    same(
        "DHCP replies of the box beside another server",
        replies.load(Ordering::Relaxed),
        silent,
    )?;
    same("starts of the box", stage.board.starts(), 1)
}

/// The office gets a router with another network: the box takes its address there, the trunk comes back, and the phones find it.
pub fn renumbering(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.ready()?;
    stage.a_call()?;
    (stage.a, stage.b) = (None, None);
    stage.office.renumber_router(OTHER_ROUTER, OTHER_BOX)?;
    let began = Instant::now();
    let mark = stage.board.log_mark();
    // The lease is for 120 s; at 105 any server is asked (RFC 2131 §4.4.5), and the new one says no.
    stage
        .board
        .logs(mark, &format!("{OTHER_BOX}/24 granted"), s(150))?;
    run.say(format!(
        "the box has {OTHER_BOX} after {:.0} s",
        began.elapsed().as_secs_f64()
    ));
    stage.trunk_up(s(30))?;
    for (index, address) in OTHER_PHONES.into_iter().enumerate() {
        let phone = stage.office.phones[index].0.clone();
        phone.ip(&["addr", "del", &format!("{}/24", PHONES[index]), "dev", "eth0"])?;
        phone.ip(&["addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
        phone.ip(&["route", "replace", "default", "via", OTHER_ROUTER])?;
        same(
            "the box by name",
            found(&phone, OTHER_BOX, &[DOMAIN, "A"])?.as_str(),
            OTHER_BOX,
        )?;
        let account = Account {
            proxy: OTHER_BOX,
            ..stage.account(index)
        };
        let mut started = Phone::start(&phone, &account, &run.folder)?;
        started
            .registered(s(10))
            .with_context(|| format!("{} registers", PHONE_PORTS[index]))?;
        match index {
            0 => stage.a = Some(started),
            _ => stage.b = Some(started),
        }
    }
    let delay = stage.a_call()?;
    run.say(format!("A calls B in the new network, {delay:?} to ring"));
    same("starts of the box", stage.board.starts(), 1)
}
