//! Phones that configure themselves: a port feeds a phone within its class, the phone finds the box with no change at the router,
//! fetches its configuration, registers and calls a real phone; one with a stolen secret at another port is refused.

use super::stage::{Stage, same};
use crate::desk::{Desk, Feed};
use crate::office::BOX;
use crate::run::Run;
use crate::switch::Direction::{Received, Sent};
use crate::tone;
use crate::wait::{never, s, wait_for};
use anyhow::{Context, Result, ensure};
use deskphones::model::{Discovery, GXP1628, KX_HDV230N, Model};
use deskphones::rng::Rng;
use deskphones::{Mac, Phone};
use std::time::{Duration, Instant};

/// What a desk phone plays in a call, Hz.
const TONE: f64 = 1477.0;
/// How long a phone boots here; what is assumed of the models is for the virtual clock.
const BOOT: u64 = 2_000;
/// From power to a registration: boot, LLDP, DHCP, PnP, files, the time to take settings into use.
const REGISTERED: Duration = s(40);

/// A phone as it comes, with the last digits of its address.
pub fn phone(model: &'static Model, last: u8) -> Phone {
    let [a, b, c] = model.oui;
    let mut phone = Phone::new(model, Mac([a, b, c, 0, 0, last]), Rng::new(last.into()));
    phone.boot = BOOT;
    phone
}

/// Its address as on its label.
pub fn label(phone: &Phone) -> String {
    let bytes = phone.mac.0.map(|byte| format!("{byte:02x}"));
    bytes.join(":")
}

/// Tells it.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.board.plug_lines()?;
    stage.board.plug_hub(&stage.office.lan)?;
    let (first, second) = (phone(&GXP1628, 1), phone(&KX_HDV230N, 2));
    claim(&stage, 0, &first, "gxp1628")?;
    claim(&stage, 1, &second, "kx-hdv230n")?;
    let mark = stage.board.log_mark();
    stage.board.on()?;
    stage.board.logs(mark, "switch: set up", s(20))?;
    stage.configured(Instant::now(), s(20))?;
    let first = boots(&stage, "desk-a", 0, first).context("a GXP1628 at port 1")?;
    let second = boots(&stage, "desk-b", 1, second).context("a KX-HDV230N at port 2")?;
    calls(&mut stage, &first).context("the GXP1628 calls phone C")?;
    thief(&stage, &first).context("a stolen secret at port 3")?;
    ensure!(
        first.is_registered() && second.is_registered(),
        "a phone lost its registration"
    );
    run.say("every step was verified");
    Ok(())
}

/// Makes it the phone of an ID.
pub fn claim(stage: &Stage, id: usize, phone: &Phone, model: &str) -> Result<()> {
    let (user, mac) = (&stage.ids[id].user, label(phone));
    let order = ["phone", "claim", user, "--mac", &mac, "--model", model];
    stage.cloud.order(&order).map(drop)
}

/// Plugs it in and waits until it is registered: fed within its class, found by PnP, every file as its maker's phones take it.
pub fn boots(stage: &Stage, name: &str, at: usize, phone: Phone) -> Result<Desk> {
    let (model, mark) = (phone.model, stage.office.sniffer.mark());
    let feed = Feed::ports(stage.board.lines()?);
    let desk = Desk::plug(&stage.office.lan, name, at, feed, phone, TONE)?;
    let start = Instant::now();
    wait_for("the port feeds it", s(10), || {
        stage.board.lines().ok()?.card().hub.fed(at)
    })?;
    let fed = start.elapsed();
    wait_for("it registers", REGISTERED, || desk.is_registered().then_some(())).with_context(|| {
        format!(
            "{:?} {:?} {:?}",
            desk.phone().progress(),
            desk.phone().fetched,
            desk.phone().problems
        )
    })?;
    let phone = desk.phone();
    ensure!(phone.problems.is_empty(), "{:?}", phone.problems);
    same("how it found the box", phone.found_by(), Some(Discovery::Pnp))?;
    let files: Vec<_> = phone
        .fetched
        .iter()
        .filter(|(_, got)| got.is_ok())
        .map(|(url, _)| url.as_str())
        .collect();
    let progress = phone.progress();
    let took = progress.registered.context("registered")? - progress.powered.context("powered")?;
    let port = format!("lan/{name}");
    stage.wait("its REGISTER is accepted", s(5), mark, &port, Received, |sip| {
        sip.answers("REGISTER", 200)
    })?;
    let class = model.power.map_or(0, |power| power.class);
    stage.run.say(format!(
        "{} at port {}: class {class}, fed after {} ms; PnP, {}; registered {:.1} s after its power, of which it waited {} ms",
        model.name,
        at + 1,
        fed.as_millis(),
        files.join(" "),
        took as f64 / 1e3,
        progress.waited,
    ));
    drop(phone);
    Ok(desk)
}

/// Calls the real phone C, and both are heard.
pub fn calls(stage: &mut Stage, desk: &Desk) -> Result<()> {
    let account = stage.account(2);
    let mut c = crate::baresip::Phone::start(&stage.office.phones[2].0, &account, &stage.run.folder)?;
    c.registered(s(10)).context("phone C registers")?;
    let (mark, wire) = (c.mark(), stage.office.sniffer.mark());
    desk.dial(&stage.ids[2].extension, 20_000);
    c.wait(mark, "CALL_INCOMING", s(10))?;
    c.answer()?;
    c.wait(mark, "CALL_ESTABLISHED", s(5))?;
    let heard = c
        .hears(TONE, &[super::stage::TONES[2]], s(10))
        .context("phone C hears it")?;
    wait_for("it is given the tone of phone C", s(10), || {
        let streams = stage
            .office
            .sniffer
            .streams(|stream| stream.port == "lan/desk-a" && stream.direction == Received);
        let tone = super::stage::TONES[2];
        streams
            .iter()
            .any(|stream| tone::heard(&stream.audio, 4_000, tone, &[TONE]))
            .then_some(())
    })?;
    c.hang_up()?;
    stage.wait("the call ends", s(5), wire, "lan/desk-a", Received, |sip| {
        sip.is("BYE")
    })?;
    stage.run.say(format!(
        "it called {} (baresip), which heard it at {heard:.1} dBFS, and was heard",
        stage.ids[2].extension
    ));
    Ok(())
}

/// A phone of the same make with all settings of the first, at another port: with its own address, and with the stolen one.
pub fn thief(stage: &Stage, owner: &Desk) -> Result<()> {
    let secret = owner
        .phone()
        .store
        .get("P34")
        .cloned()
        .context("the owner has a password")?;
    for (what, mut thief) in [
        ("its own", phone(&GXP1628, 9)),
        ("the owner's", phone(&GXP1628, 1)),
    ] {
        let stolen = what == "its own";
        if stolen {
            thief.store = owner.phone().store.clone();
            thief.looks.clear();
        }
        let (mark, name) = (
            stage.office.sniffer.mark(),
            if stolen { "thief-a" } else { "thief-b" },
        );
        let feed = Feed::ports(stage.board.lines()?);
        let desk = Desk::plug(&stage.office.lan, name, 2, feed, thief, TONE)?;
        let port = format!("lan/{name}");
        if stolen {
            stage.wait("its REGISTER", REGISTERED, mark, &port, Sent, |sip| {
                sip.is("REGISTER") && sip.header("Authorization").is_some()
            })?;
        } else {
            wait_for("it has asked for its files", REGISTERED, || {
                desk.phone()
                    .fetched
                    .iter()
                    .any(|(url, _)| url.ends_with("cfg.xml"))
                    .then_some(())
            })?;
        }
        never("a thief registers", s(5), || desk.is_registered().then_some(()))?;
        if !stolen {
            ensure!(
                desk.phone().store.get("P34") != Some(&secret),
                "the password was given away"
            );
            ensure!(
                desk.phone().store.get("P34").is_none_or(String::is_empty),
                "a password was given away"
            );
        }
        let accepted = stage.office.sniffer.messages(mark, |sip| {
            sip.port == port && sip.direction == Received && sip.answers("REGISTER", 200)
        });
        same("registrations of the thief", accepted.len(), 0)?;
        stage.run.say(format!(
            "at port 3 a phone with {what} address {}: refused by {BOX}",
            if stolen {
                "and the first one's password"
            } else {
                "asked for the first one's configuration"
            }
        ));
    }
    Ok(())
}
