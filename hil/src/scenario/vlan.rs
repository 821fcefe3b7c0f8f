//! A network of their own for the phones: the box's hub tells it by LLDP-MED, the switch keeps it apart from the office, and goes
//! on while the box starts again.

use super::stage::{Stage, same, text};
use crate::baresip::{Account, Phone};
use crate::office::{BOX, PHONES};
use crate::process::{Process, run as program};
use crate::run::Run;
use crate::wait::{s, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// The phones' VLAN, and the box's address there.
const VLAN: &str = "300";
const VOICE: &str = "300:10.9.0.1/24";
const BOX_VOICE: &str = "10.9.0.1";
/// The addresses of phones A and B there.
const ADDRESSES: [&str; 2] = ["10.9.0.11", "10.9.0.12"];

/// Tells it.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let site = text(&stage.box_row()?, "site")?;
    stage.board.plug_lines()?;
    stage.board.plug_hub(&stage.office.lan)?;
    for (port, (_, cable)) in stage.office.phones.iter().take(2).enumerate() {
        cable.plug(port);
    }
    stage
        .cloud
        .order(&["site", "set", "--site", &site, "--voice", VOICE])?;
    let neighbours = neighbours(&stage)?;
    let mark = stage.board.log_mark();
    stage.board.on()?;
    stage.board.logs(mark, "switch: set up", s(10))?;
    stage.configured(Instant::now(), s(20))?;
    // It has the network from its configuration, and starts again with it.
    wait_for("a start with the phones' network", s(20), || {
        (stage.board.log().matches("switch: set up").count() == 2).then_some(())
    })?;
    join(&stage, &neighbours).context("the phones join the network that LLDP-MED names")?;
    call(&mut stage).context("phone A calls phone B there")?;
    told(&stage).context("the cloud knows who is at port 1")?;
    apart(&stage).context("a computer in the office")?;
    starts_again(&mut stage).context("the box starts again")?;
    run.say("every step was verified");
    Ok(())
}

/// A phone's side of LLDP: lldpd as an end point of class III, with the label of a GXP1628.
struct Lldpd {
    socket: PathBuf,
    _process: Process,
}

fn neighbours(stage: &Stage) -> Result<Vec<Lldpd>> {
    let mut all = Vec::new();
    for (n, (phone, _)) in stage.office.phones.iter().take(2).enumerate() {
        let socket = stage.run.folder.join(format!("lldpd-{n}.sock"));
        let mut command = phone.command("lldpd");
        command
            .args(["-d", "-M", "3", "-I", "eth0", "-S", "GXP1628", "-u"])
            .arg(&socket);
        let process = Process::start(&format!("lldpd-{n}"), &mut command, &stage.run.folder)?;
        let lldpd = Lldpd {
            socket,
            _process: process,
        };
        wait_for("lldpd", s(10), || {
            lldpd.order(phone.command("lldpcli"), &["show", "chassis"]).ok()
        })?;
        for (what, is) in [
            ("manufacturer", "Grandstream"),
            ("model", "GXP1628"),
            ("firmware-revision", "1.0.7.81"),
        ] {
            let order = ["configure", "inventory", what, is];
            lldpd.order(phone.command("lldpcli"), &order)?;
        }
        all.push(lldpd);
    }
    Ok(all)
}

impl Lldpd {
    fn order(&self, mut command: Command, order: &[&str]) -> Result<String> {
        program(
            command
                .arg("-u")
                .arg(&self.socket)
                .args(["-f", "json"])
                .args(order),
        )
    }
}

/// The VLAN of the policy for voice that a phone has heard, if its code point is that of voice.
fn policy(heard: &Value) -> Option<String> {
    let parts: Vec<&Value> = match heard {
        Value::Array(parts) => parts.iter().collect(),
        Value::Object(parts) if parts.get("apptype") == Some(&"Voice".into()) => {
            let vlan = parts.get("vlan")?["vid"].as_str()?;
            return (parts.get("dscp")? == "46").then(|| vlan.into());
        }
        Value::Object(parts) => parts.values().collect(),
        _ => return None,
    };
    parts.into_iter().find_map(policy)
}

fn join(stage: &Stage, neighbours: &[Lldpd]) -> Result<()> {
    let phones = stage.office.phones.iter().zip(neighbours).zip(ADDRESSES);
    for (((phone, cable), lldpd), address) in phones {
        let start = Instant::now();
        let show = ["show", "neighbors", "details"];
        let mut last = String::new();
        let vlan = wait_for("a policy for voice", s(40), || {
            last = lldpd.order(phone.command("lldpcli"), &show).ok()?;
            policy(&serde_json::from_str(&last).ok()?)
        })
        .with_context(|| last.clone())?;
        same("the VLAN", &vlan[..], VLAN)?;
        cable.tag(vlan.parse()?);
        phone.ip(&["addr", "flush", "dev", "eth0"])?;
        phone.ip(&["addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
        let waited = start.elapsed().as_millis();
        stage.run.say(format!(
            "{} was told VLAN {vlan} with code point 46 ({waited} ms)",
            phone.name()
        ));
    }
    Ok(())
}

fn call(stage: &mut Stage) -> Result<()> {
    let mut phones = Vec::new();
    for (n, (namespace, _)) in stage.office.phones.iter().take(2).enumerate() {
        let account = Account {
            proxy: BOX_VOICE,
            ..stage.account(n)
        };
        phones.push(Phone::start(namespace, &account, &stage.run.folder)?);
    }
    for phone in &mut phones {
        phone.registered(s(10)).context("a phone registers")?;
    }
    (stage.b, stage.a) = (phones.pop(), phones.pop());
    let delay = stage.a_calls_b()?;
    stage.a()?.hang_up()?;
    stage.all_quiet(s(5))?;
    stage.run.say(format!(
        "both registered at {BOX_VOICE}; A called B, who rang after {} ms; both heard each other",
        delay.as_millis()
    ));
    Ok(())
}

fn told(stage: &Stage) -> Result<()> {
    let id = text(&stage.box_row()?, "box")?;
    let mut last = Value::Null;
    // A neighbour speaks every 30 s (IEEE 802.1AB §9.2.5.7), and this one has been told its VLAN by the box as it was before it
    // started again: it had no reason to speak sooner to the one that is there now.
    wait_for("the neighbour of port 1", s(45), || {
        last = stage.cloud.order(&["box", "show", &id]).ok()?;
        let port = &last["ports"][0];
        let named = |field: &str, is: &str| port[field].as_str().is_some_and(|text| text.contains(is));
        (port["link"] == 100 && named("neighbour", "GXP1628") && named("firmware", "1.0.7.81")).then_some(())
    })
    .with_context(|| last.to_string())?;
    stage.run.say(format!(
        "the cloud shows at port 1: {}",
        last["ports"][0]["neighbour"]
    ));
    Ok(())
}

/// Pings from a computer; how many of `count` were answered.
pub fn pings(stage: &Stage, from: usize, to: &str, count: u32, interval: Duration) -> Result<u32> {
    let (computer, _) = &stage.office.phones[from];
    let (count, interval) = (count.to_string(), interval.as_secs_f64().to_string());
    let output = computer
        .command("ping")
        .args(["-n", "-W", "1", "-c", &count, "-i", &interval, to])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let answered = said.split(", ").find_map(|part| part.strip_suffix(" received"));
    answered
        .and_then(|count| count.parse().ok())
        .with_context(|| format!("ping {to}: {said}"))
}

/// The computer has an address of the phones' network too, and gets no further with it; with its own it reaches the box.
fn apart(stage: &Stage) -> Result<()> {
    let (computer, _) = &stage.office.phones[2];
    computer.ip(&["addr", "add", "10.9.0.99/24", "dev", "eth0"])?;
    let third = Duration::from_millis(300);
    ensure!(
        pings(stage, 2, BOX, 3, third)? > 0,
        "the box is not in the office any more"
    );
    for to in [BOX_VOICE, ADDRESSES[0]] {
        same(
            "answers from the phones' network",
            pings(stage, 2, to, 5, third)?,
            0,
        )?;
    }
    ensure!(
        pings(stage, 0, BOX_VOICE, 3, third)? > 0,
        "the box is not in the phones' network"
    );
    stage.run.say(format!(
        "a computer in the office ({}) reaches the box there, and nobody in VLAN {VLAN}",
        PHONES[2]
    ));
    Ok(())
}

fn starts_again(stage: &mut Stage) -> Result<()> {
    let fifth = Duration::from_millis(200);
    stage.board.off();
    same(
        "answers while the box is off",
        pings(stage, 0, ADDRESSES[1], 15, fifth)?,
        15,
    )?;
    let (mark, from) = (stage.board.log_mark(), stage.office.sniffer.mark());
    stage.board.on()?;
    same(
        "answers while the box starts",
        pings(stage, 0, ADDRESSES[1], 25, fifth)?,
        25,
    )?;
    stage.board.logs(mark, "switch: as it was", s(20))?;
    stage.nobody_registered(from)?;
    wait_for("the box in the phones' network", s(10), || {
        (pings(stage, 0, BOX_VOICE, 1, fifth).ok()? == 1).then_some(())
    })?;
    stage.erase_recordings()?;
    stage.a_calls_b()?;
    stage.run.say("the box was off and started again: no frame between the phones was lost, the switch was adopted, A called B again");
    Ok(())
}
