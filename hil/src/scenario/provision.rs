//! Phones that configure themselves: a port feeds a phone within its class, the phone finds the box with no change at the router,
//! fetches its configuration, registers and calls a real phone; one with a stolen secret at another port is refused.

use super::stage::{Stage, same, text};
use crate::desk::{Desk, Feed};
use crate::office::{BOX, BOX_MAC};
use crate::run::Run;
use crate::switch::Direction::Received;
use crate::tone;
use crate::wait::{ms, never, s, wait_for};
use anyhow::{Context, Result, ensure};
use deskphones::model::{Discovery, GXP1628, KX_HDV230N, Model};
use deskphones::rng::Rng;
use deskphones::{Mac, Phone};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What a desk phone plays in a call, Hz.
pub(super) const TONE: f64 = 1477.0;
/// How long a phone boots here; what is assumed of the models is for the virtual clock.
const BOOT: u64 = 2_000;
/// From power to a registration: boot, LLDP, DHCP, PnP, files, the time to take settings into use.
const REGISTERED: Duration = s(40);

/// A phone as it comes, with the last digits of its address.
pub(super) fn phone(model: &'static Model, last: u8) -> Phone {
    let [a, b, c] = model.oui;
    let mut phone = Phone::new(model, Mac([a, b, c, 0, 0, last]), Rng::new(last.into()));
    phone.boot = BOOT;
    phone
}

/// Its address as on its label.
fn label(phone: &Phone) -> String {
    let bytes = phone.mac.0.map(|byte| format!("{byte:02x}"));
    bytes.join(":")
}

/// Tells it.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.board.plug_lines()?;
    show(&mut stage)?;
    run.say("every step was verified");
    Ok(())
}

/// The same, with a box that is off and an office whose phones are.
pub(super) fn show(stage: &mut Stage) -> Result<()> {
    stage.board.plug_hub(&stage.office.lan)?;
    let (first, second) = (phone(&GXP1628, 1), phone(&KX_HDV230N, 2));
    claim(stage, 0, &first, "gxp1628")?;
    claim(stage, 1, &second, "kx-hdv230n")?;
    let mark = stage.board.log_mark();
    stage.board.on()?;
    stage.board.logs(mark, "switch: set up", s(20))?;
    stage.configured(Instant::now(), s(20))?;
    let first = boots(stage, "desk-a", 0, first, TONE).context("a GXP1628 at port 1")?;
    let second = boots(stage, "desk-b", 1, second, TONE).context("a KX-HDV230N at port 2")?;
    table(stage, 0, &first).context("the cloud shows port 1")?;
    calls(stage, &first).context("the GXP1628 calls phone C")?;
    stranger(stage, &first).context("somebody speaks from its address")?;
    thief(stage, &first).context("a stolen secret at port 3")?;
    drop(first);
    impostor(stage).context("a stolen address at port 3")?;
    ensure!(second.is_registered(), "the other phone lost its registration");
    Ok(())
}

/// Makes it the phone of an ID.
pub(super) fn claim(stage: &Stage, id: usize, phone: &Phone, model: &str) -> Result<()> {
    let (user, mac) = (&stage.ids[id].user, label(phone));
    let order = ["phone", "claim", user, "--mac", &mac, "--model", model];
    stage.cloud.order(&order).map(drop)
}

/// Plugs it in and waits until it is registered: fed within its class, found by PnP, every file as its maker's phones take it.
pub(super) fn boots(stage: &Stage, name: &str, at: usize, phone: Phone, tone: f64) -> Result<Desk> {
    let (model, mark) = (phone.model, stage.office.sniffer.mark());
    let feed = Feed::ports(stage.board.lines()?);
    let desk = Desk::plug(&stage.office.lan, name, at, feed, phone, tone)?;
    let start = Instant::now();
    wait_for("the port feeds it", s(10), || {
        stage.board.lines().ok()?.card().hub.fed(at)
    })?;
    let fed = start.elapsed();
    wait_for("it registers", REGISTERED, || desk.is_registered().then_some(())).with_context(|| {
        let phone = desk.phone();
        format!("{:?} {:?} {:?}", phone.progress(), phone.fetched, phone.problems)
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
        "{} at port {}: class {class}, fed after {} ms; PnP, {}; registered {:.1} s after its power",
        model.name,
        at + 1,
        fed.as_millis(),
        files.join(" "),
        took as f64 / 1e3,
    ));
    drop(phone);
    Ok(desk)
}

/// The port table of the cloud: link, power, class, neighbour, phone, number.
fn table(stage: &Stage, at: usize, desk: &Desk) -> Result<()> {
    let id = text(&stage.box_row()?, "box")?;
    let (model, mac) = {
        let phone = desk.phone();
        (phone.model, label(&phone))
    };
    let class = model.power.map(|power| u64::from(power.class));
    let mut last = Value::Null;
    wait_for("its row", s(20), || {
        last = stage.cloud.order(&["box", "show", &id]).ok()?;
        let row = &last["ports"][at];
        let named = row["neighbour"]
            .as_str()
            .is_some_and(|neighbour| neighbour.contains(model.name));
        let fed = row["power"] == "on" && row["class"].as_u64() == class;
        let of = &row["ids"][0];
        (fed && named && row["mac"] == mac.as_str() && of["registered"] == true).then_some(())
    })
    .with_context(|| last.to_string())?;
    stage.run.say(format!(
        "the cloud shows at port {}: {}",
        at + 1,
        last["ports"][at]
    ));
    Ok(())
}

/// Calls the real phone C, and both are heard.
fn calls(stage: &mut Stage, desk: &Desk) -> Result<()> {
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

/// A computer of the office asks for the first one's file from its IP address, with a MAC address of its own: to the box, and to
/// everybody. The phone gets nothing that it did not ask for.
fn stranger(stage: &Stage, owner: &Desk) -> Result<()> {
    const PORT: u16 = 40_000;
    let phone = owner.phone();
    let (address, name) = (
        phone.address().context("its address")?,
        format!("cfg{}.xml", phone.mac),
    );
    drop(phone);
    let request = [&[0, 1], name.as_bytes(), b"\0octet\0"].concat();
    let packet = udp((address, PORT), (BOX.parse()?, 69), &request);
    let (answers, answered) = mpsc::channel();
    stage.office.lan.watch(move |seen| {
        let is_answer = seen.direction == Received && seen.frame.get(36..38) == Some(&PORT.to_be_bytes()[..]);
        if let (true, Some([0, kind])) = (is_answer && seen.port == "desk-a", seen.frame.get(42..44)) {
            let _ = answers.send(*kind);
        }
    });
    let (_port, stranger) = stage.office.lan.socket("stranger")?;
    let mut said = Vec::new();
    for to in [BOX_MAC, "ff:ff:ff:ff:ff:ff"] {
        let to = to.split(':').map(|pair| u8::from_str_radix(pair, 16));
        let to: Vec<u8> = to.collect::<Result<_, _>>()?;
        let frame = [&to[..], &[2, 0, 0, 0, 0, 0x99, 8, 0], &packet].concat();
        let kind = wait_for("an answer", s(5), || {
            stranger.send(&frame).ok()?;
            answered.recv_timeout(ms(500)).ok()
        })?;
        said.push(kind);
    }
    // DATA is 3, ERROR 5 (RFC 1350 §5).
    same("answers to who speaks from its address", said, vec![5, 5])?;
    ensure!(owner.is_registered(), "the owner lost its registration");
    stage
        .run
        .say("a stranger that asks from the first one's address, by TFTP: refused");
    Ok(())
}

/// An IPv4 packet with a datagram, which has no checksum of its own.
fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend((20 + length).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.0.octets());
    packet.extend(to.0.octets());
    let words = packet
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let sum = !((sum & 0xFFFF) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend([from.1, to.1, length, 0].map(u16::to_be_bytes).concat());
    packet.extend(payload);
    packet
}

/// A phone of the same make at another port, with the first one's settings and secret: it is refused, whatever it knows.
fn thief(stage: &Stage, owner: &Desk) -> Result<()> {
    let mut thief = phone(&GXP1628, 9);
    thief.store = owner.phone().store.clone();
    thief.looks.clear();
    let mark = stage.office.sniffer.mark();
    let feed = Feed::ports(stage.board.lines()?);
    let thief = Desk::plug(&stage.office.lan, "thief", 2, feed, thief, TONE)?;
    let answer = stage.wait(
        "the answer to its REGISTER",
        REGISTERED,
        mark,
        "lan/thief",
        Received,
        |sip| sip.answers("REGISTER", 403),
    )?;
    never("a thief registers", s(5), || thief.is_registered().then_some(()))?;
    ensure!(owner.is_registered(), "the owner lost its registration");
    stage.run.say(format!(
        "at port 3 a phone with the first one's secret: {}",
        answer.start_line()
    ));
    Ok(())
}

/// The first phone is gone, and one with its address is at another port: it gets no password.
fn impostor(stage: &Stage) -> Result<()> {
    let mark = stage.office.sniffer.mark();
    let feed = Feed::ports(stage.board.lines()?);
    let impostor = Desk::plug(&stage.office.lan, "impostor", 2, feed, phone(&GXP1628, 1), TONE)?;
    let own = format!("/cfg{}.xml", impostor.phone().mac);
    wait_for("it has asked for its file", REGISTERED, || {
        let phone = impostor.phone();
        phone
            .fetched
            .iter()
            .any(|(url, _)| url.ends_with(&own))
            .then_some(())
    })?;
    never("an impostor registers", s(5), || {
        impostor.is_registered().then_some(())
    })?;
    let phone = impostor.phone();
    ensure!(
        phone.store.get("P34").is_none_or(String::is_empty),
        "a password was given away"
    );
    let accepted = stage.office.sniffer.messages(mark, |sip| {
        sip.port == "lan/impostor" && sip.direction == Received && sip.answers("REGISTER", 200)
    });
    same("registrations of the impostor", accepted.len(), 0)?;
    let got = phone.fetched.iter().find(|(url, _)| url.ends_with(&own));
    let (url, got) = got.context("its file")?;
    let status = got.err().context("it got its file")?;
    stage.run.say(format!(
        "at port 3 a phone with the first one's address: {status} for {url}, no password, no registration"
    ));
    Ok(())
}
