//! The main job in ten steps: a call through the box, with the cloud alive and with the cloud dead, from its line sockets, and from
//! phones that it feeds and configures.

mod records;

use super::stage::{CARRIER_TONE, OUTSIDE, PHONE_PORTS, REP, Stage, TONES, same};
use super::{analog, provision, rules};
use crate::office::{BOX, PHONES};
use crate::process::Process;
use crate::run::{Run, figure};
use crate::sniff::{Mark, Sip};
use crate::switch::Direction::{Received, Sent};
use crate::tone;
use crate::wait::{ms, never, s, wait_for};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long the loss of the line may stay unnoticed, with room for a slow machine.
const NOTICED: Duration = s(30);

/// Tells it.
pub fn tell(run: &Run) -> Result<()> {
    run.say("An office: phones A (extension 201), B (202) and C (203) at the box, the box and a router at the line.");
    run.say("Outside: the cloud at the other end of the line, a carrier behind it. Three IDs: three calls with the outside.");
    let start = Instant::now();
    let mut stage = Stage::build(run).context("step 1")?;
    run.say(format!(
        "1  cloud is up with its own MQTT broker and SQLite; a contract with three IDs, a site with a box, {REP} \
         rings all ({} ms){}",
        millis(start.elapsed()),
        if stage.office.nat { "; the router hides the office (NAT)" } else { "; the router routes without NAT" }
    ));
    boot(&mut stage).context("step 2")?;
    registration(&mut stage).context("step 3")?;
    inside(&mut stage).context("step 4")?;
    outside(&mut stage).context("step 5")?;
    cut_while_ringing(&mut stage).context("step 6, line cut while a call from outside rings")?;
    let offline = cut_in_calls(&mut stage).context("step 6, line cut in the middle of calls")?;
    power_cut(&mut stage, offline).context("step 7")?;
    back(&mut stage).context("step 8")?;
    sockets(&mut stage).context("step 9")?;
    hub(&mut stage).context("step 10")?;
    let stack = stage.board.stack_used()?;
    figure("firmware.stack.bytes", stack, "bytes");
    ensure!(
        stack < hil_wire::STACK_SIZE as usize,
        "the stack of the box is full"
    );
    ensure!(stage.cloud.stop()?, "the cloud did not end well");
    run.say("every step was verified");
    Ok(())
}

/// Step 2: the box boots and is configured.
fn boot(stage: &mut Stage) -> Result<()> {
    let run = stage.run;
    stage.board.on()?;
    let on = Instant::now();
    let leased = wait_for("a DHCP lease for the box", s(10), || {
        stage
            .office
            .dhcp_log()
            .contains(&format!("DHCPACK(eth0) {BOX}"))
            .then(|| on.elapsed())
    })?;
    let configured = stage.configured(on, s(20))?;
    stage.trunk_up(s(20))?;
    run.say(format!(
        "2  box: power on, DHCP lease after {} ms, configuration verified and committed after {} ms, trunk after {} ms",
        millis(leased),
        millis(configured),
        millis(on.elapsed())
    ));
    let row = stage.box_row()?;
    ensure!(row["nack"].is_null(), "the box refused a configuration: {row}");
    same("starts of the box", stage.board.starts(), 1)
}

/// Step 3: phones register; one with a wrong password does not.
fn registration(stage: &mut Stage) -> Result<()> {
    let run = stage.run;
    let from = stage.office.sniffer.mark();
    let mut thief = stage.sipp_phone("phone-refused", None, "0", "wrong-password")?;
    ensure!(thief.ends(s(10))?, "the refused phone: {}", thief.output());
    let codes = wait_for("two answers to the refused phone", s(2), || {
        let answers = stage.office.sniffer.messages(from, |sip| {
            sip.port == PHONE_PORTS[2]
                && sip.direction == Received
                && sip
                    .header("CSeq")
                    .is_some_and(|value| value.ends_with("REGISTER"))
        });
        let codes: Vec<_> = answers.iter().filter_map(Sip::status).collect();
        (codes.len() >= 2).then_some(codes)
    })?;
    ensure!(
        codes.iter().all(|code| [401, 403].contains(code)),
        "answers {codes:?}"
    );
    let start = Instant::now();
    stage.start_desk_phones()?;
    stage.start_phone_c(120_000)?;
    run.say(format!(
        "3  baresip A and B and SIPp C registered with digest in {} ms; a wrong password was answered {codes:?}",
        millis(start.elapsed())
    ));
    Ok(())
}

/// Step 4: phone A calls phone B; hang-up from either side.
fn inside(stage: &mut Stage) -> Result<()> {
    let run = stage.run;
    let from = stage.office.sniffer.mark();
    let delay = stage.a_calls_b()?;
    figure(
        "demo.postdial.up.ms",
        format!("{:.1}", delay.as_secs_f64() * 1e3),
        "ms",
    );
    let (at_a, at_b) = stage.both_hear()?;
    run.say(format!(
        "4  A calls B by extension: rings after {:.1} ms; A hears B at {at_a:.1} dBFS, B hears A at {at_b:.1} dBFS",
        delay.as_secs_f64() * 1e3
    ));
    let direct = stage.office.sniffer.streams(|stream| {
        stream.port == PHONE_PORTS[0]
            && stream.direction == Sent
            && stream.destination.ip().to_string() == PHONES[1]
    });
    ensure!(
        direct.iter().any(|stream| stream.packets > 10),
        "the sound does not go from phone to phone"
    );
    let mark = stage.a()?.mark();
    stage.b()?.hang_up()?;
    stage.a()?.wait(mark, "CALL_CLOSED", s(5)).context("B hung up")?;
    stage.a_calls_b()?;
    let mark = stage.b()?.mark();
    stage.a()?.hang_up()?;
    stage.b()?.wait(mark, "CALL_CLOSED", s(5)).context("A hung up")?;
    stage.all_quiet(s(5))?;
    same(
        "requests of the box to the cloud for calls inside",
        invites_to_cloud(stage, from),
        0,
    )?;
    run.say("4  the called hangs up, then the caller; nobody has a call left; the cloud was not asked");
    Ok(())
}

/// INVITEs seen on the line since `from`.
fn invites_to_cloud(stage: &Stage, from: Mark) -> usize {
    stage
        .office
        .sniffer
        .messages(from, |sip| sip.port == "line/router" && sip.is("INVITE"))
        .len()
}

/// Step 5: calls from outside, to outside, and one too many; an order that is refused, and a telephone that did not ring.
fn outside(stage: &mut Stage) -> Result<()> {
    let run = stage.run;
    // From outside: the group rings, B is first.
    let from = stage.office.sniffer.mark();
    let mut carrier = stage.carrier_calls("carrier-calls", &[REP], &[("hold", "60000")])?;
    let first = rings_everywhere(stage, from)?;
    figure(
        "demo.outside.first_ring.ms",
        format!("{:.1}", first.as_secs_f64() * 1e3),
        "ms",
    );
    stage.b()?.erase_recordings()?;
    let mark = stage.b()?.mark();
    stage.b()?.answer()?;
    stage.b()?.wait(mark, "CALL_ESTABLISHED", s(5))?;
    for port in [PHONE_PORTS[0], PHONE_PORTS[2]] {
        let cancel = stage.wait("CANCEL", s(5), from, port, Received, |sip| sip.is("CANCEL"))?;
        let reason = cancel.header("Reason").unwrap_or_default();
        ensure!(
            reason.starts_with("SIP") && reason.contains("cause=200"),
            "{port}: Reason {reason:?}"
        );
        stage.wait("487", s(5), from, port, Sent, |sip| sip.answers("INVITE", 487))?;
    }
    let level = stage
        .b()?
        .hears(CARRIER_TONE, &TONES, s(5))
        .context("B hears the carrier")?;
    carrier_hears(stage, TONES[1], from)?;
    stage.b()?.hang_up()?;
    ensure!(carrier.ends(s(10))?, "the carrier's call: {}", carrier.output());
    stage.all_quiet(s(5))?;
    run.say(format!(
        "5  the carrier calls {REP}: first ring at the carrier after {:.1} ms, three phones ring, B gets it (hears \
         {level:.1} dBFS), A and C stop: completed elsewhere",
        first.as_secs_f64() * 1e3
    ));
    to_outside(stage)?;
    run.say(format!(
        "5  A calls {OUTSIDE} through box, cloud and carrier: right caller ID, sound both ways"
    ));
    one_too_many(stage)?;
    rules::refused(stage)?;
    rules::why(stage)
}

/// Waits until all three phones are called since `from` and the carrier hears of it: INVITE out to first 180, at the
/// carrier.
fn rings_everywhere(stage: &Stage, from: Mark) -> Result<Duration> {
    let invite = stage.wait("INVITE", s(5), from, "trunk/carrier", Sent, |sip| {
        sip.is("INVITE")
    })?;
    let mut times = Vec::new();
    for port in PHONE_PORTS {
        times.push(
            stage
                .wait("INVITE", s(5), from, port, Received, |sip| sip.is("INVITE"))?
                .at,
        );
    }
    let spread = *times.iter().max().context("no phone")? - *times.iter().min().context("no phone")?;
    ensure!(spread < ms(500), "the phones ring {spread:?} apart");
    let ringing = stage.wait("180", s(5), from, "trunk/carrier", Received, |sip| {
        sip.answers("INVITE", 180)
    })?;
    Ok(ringing.at - invite.at)
}

/// The carrier is given sound in which `frequency` is heard, in streams begun since `from`.
fn carrier_hears(stage: &Stage, frequency: f64, from: Mark) -> Result<()> {
    let since = stage
        .office
        .sniffer
        .messages(from, |_| true)
        .first()
        .map(|sip| sip.at);
    wait_for(&format!("the carrier to hear {frequency} Hz"), s(5), || {
        let streams = stage.office.sniffer.streams(|stream| {
            stream.port == "trunk/carrier" && stream.direction == Received && Some(stream.last) > since
        });
        streams
            .iter()
            .any(|stream| tone::heard(&stream.audio, 2400, frequency, &[CARRIER_TONE]))
            .then_some(())
    })
}

/// Phone A calls somebody outside.
fn to_outside(stage: &mut Stage) -> Result<()> {
    let from = stage.office.sniffer.mark();
    let mut carrier = stage.carrier_answers(200)?;
    stage.a()?.erase_recordings()?;
    let mark = stage.a()?.mark();
    stage.a()?.dial(OUTSIDE)?;
    stage
        .a()?
        .wait(mark, "CALL_ESTABLISHED", s(10))
        .context("somebody outside answers")?;
    let invite = stage.wait("INVITE", s(1), from, "trunk/carrier", Received, |sip| {
        sip.is("INVITE")
    })?;
    let presented = invite
        .header("P-Asserted-Identity")
        .or_else(|| invite.header("From"))
        .unwrap_or_default();
    let from_header = invite.header("From").unwrap_or_default();
    let own = &stage.ids[0].user;
    let shown = |value: &str| value.contains(own) || value.contains(&format!("+81{}", &own[1..]));
    ensure!(
        shown(presented) && shown(from_header),
        "caller ID {presented:?}, From {from_header:?}"
    );
    ensure!(
        invite.start_line().contains(&OUTSIDE[1..]),
        "called {:?}",
        invite.start_line()
    );
    stage
        .a()?
        .hears(CARRIER_TONE, &TONES, s(5))
        .context("A hears the carrier")?;
    carrier_hears(stage, TONES[0], from)?;
    stage.a()?.hang_up()?;
    stage.wait("BYE", s(5), from, "trunk/carrier", Received, |sip| sip.is("BYE"))?;
    stage.all_quiet(s(5))?;
    carrier.kill();
    Ok(())
}

/// Three channels: of four calls that ring at once one gets the busy treatment.
fn one_too_many(stage: &mut Stage) -> Result<()> {
    let from = stage.office.sniffer.mark();
    let users: Vec<_> = stage.ids.iter().map(|id| id.user.clone()).collect();
    let called = [users[0].as_str(), &users[1], &users[2], REP];
    let mut carrier = stage.carrier_calls("carrier-cancels", &called, &[("ring", "2500")])?;
    ensure!(carrier.ends(s(20))?, "the carrier's calls: {}", carrier.output());
    let answers = |code| {
        stage.office.sniffer.messages(from, |sip| {
            sip.port == "trunk/carrier" && sip.direction == Received && sip.answers("INVITE", code)
        })
    };
    let ringing: BTreeSet<_> = answers(180).iter().map(|sip| sip.call_id().to_string()).collect();
    same("calls that rang", ringing.len(), 3)?;
    let busy = answers(486);
    let first = busy.first().context("no 486 for the fourth call")?;
    let reason = first.header("Reason").unwrap_or_default().to_string();
    ensure!(
        reason.contains("cause=34") || reason.contains("cause=17"),
        "Reason {reason:?}"
    );
    ensure!(
        busy.iter().all(|sip| sip.call_id() == first.call_id()),
        "more than one call is busy"
    );
    stage.all_quiet(s(5))?;
    stage.run.say(format!(
        "5  four calls on three channels: three ring, the fourth gets 486 ({reason})"
    ));
    Ok(())
}

/// Step 6, first half: the line is cut while a call from outside rings.
fn cut_while_ringing(stage: &mut Stage) -> Result<()> {
    let from = stage.office.sniffer.mark();
    let mut carrier = stage.carrier_calls("carrier-calls", &[REP], &[("hold", "60000")])?;
    rings_everywhere(stage, from)?;
    stage.office.internet.cut();
    stage.run.say(
        "6  the line is cut while three phones ring; a line is given up for lost after some 15 s of silence",
    );
    let cut = Instant::now();
    ensure!(carrier.ends(NOTICED)?, "the carrier's call: {}", carrier.output());
    let at_carrier = cut.elapsed();
    let refusal = stage
        .office
        .sniffer
        .messages(from, |sip| {
            sip.port == "trunk/carrier" && sip.direction == Received
        })
        .into_iter()
        .rev()
        .find(|sip| sip.status().is_some_and(|code| code >= 300))
        .context("no refusal")?;
    for port in PHONE_PORTS {
        stage.wait("CANCEL", NOTICED, from, port, Received, |sip| sip.is("CANCEL"))?;
    }
    let at_phones = cut.elapsed();
    stage.all_quiet(s(5))?;
    stage.office.internet.mend();
    let mended = Instant::now();
    stage.trunk_up(s(30))?;
    stage.run.say(format!(
        "6  line cut while it rings: the carrier gets {:?} after {:.1} s, the phones stop after {:.1} s, no call is \
         left; line mended: trunk back after {:.1} s",
        refusal.start_line(),
        at_carrier.as_secs_f64(),
        at_phones.as_secs_f64(),
        mended.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Step 6, second half: the line is cut in the middle of calls and stays cut. The place from which on no phone has
/// registered again.
fn cut_in_calls(stage: &mut Stage) -> Result<Mark> {
    let run = stage.run;
    stage.start_phone_c(300)?;
    let user_c = stage.ids[2].user.clone();
    let from = stage.office.sniffer.mark();
    let carrier = stage.carrier_calls("carrier-calls", &[&user_c], &[("hold", "600000")])?;
    stage.wait("200", s(10), from, "trunk/carrier", Received, |sip| {
        sip.answers("INVITE", 200)
    })?;
    stage.a_calls_b()?;
    let offline = stage.office.sniffer.mark();
    stage.office.internet.cut();
    run.say("6  the line is cut again, with A and B in a call inside and C in one with the outside");
    let cut = Instant::now();
    // The call inside goes on: new sound, not what was recorded before.
    stage
        .both_hear_new()
        .context("the call inside, with the line cut")?;
    leg_ends(stage, from, &user_c, carrier)?;
    let ended = cut.elapsed();
    stage
        .both_hear_new()
        .context("the call inside, when the loss is known")?;
    let mark = stage.a()?.mark();
    stage.b()?.hang_up()?;
    stage.a()?.wait(mark, "CALL_CLOSED", s(5))?;
    stage.all_quiet(s(5))?;
    run.say(format!(
        "6  line cut in calls: the call inside goes on, the outside call of C ended on both sides after {:.1} s",
        ended.as_secs_f64()
    ));

    let delay = stage
        .a_calls_b()
        .context("a new call inside, with the line cut")?;
    figure(
        "demo.postdial.cut.ms",
        format!("{:.1}", delay.as_secs_f64() * 1e3),
        "ms",
    );
    let mark = stage.b()?.mark();
    stage.a()?.hang_up()?;
    stage.b()?.wait(mark, "CALL_CLOSED", s(5))?;
    run.say(format!(
        "6  a new call inside rings after {:.1} ms, sound both ways",
        delay.as_secs_f64() * 1e3
    ));

    announcement(stage)?;
    stage.nobody_registered(offline)?;
    run.say("6  no phone registered again in all this time");
    Ok(offline)
}

/// The outside call with C is over: C and the carrier both got a BYE.
fn leg_ends(stage: &mut Stage, from: Mark, user_c: &str, mut carrier: Process) -> Result<()> {
    stage
        .wait("BYE", NOTICED, from, "lan/phone-c", Received, |sip| sip.is("BYE"))
        .context(user_c.to_string())?;
    stage.wait("BYE", NOTICED, from, "trunk/carrier", Received, |sip| {
        sip.is("BYE")
    })?;
    ensure!(carrier.ends(s(10))?, "the carrier's call: {}", carrier.output());
    Ok(())
}

/// Somebody calls outside although the line is cut: speech from the box, then a reason.
fn announcement(stage: &mut Stage) -> Result<()> {
    let from = stage.office.sniffer.mark();
    stage.a()?.erase_recordings()?;
    let (mark, dialled) = (stage.a()?.mark(), Instant::now());
    stage.a()?.dial(OUTSIDE)?;
    let speech = wait_for("an announcement from the box", s(5), || {
        let streams = stage.office.sniffer.streams(|stream| {
            stream.port == PHONE_PORTS[0]
                && stream.direction == Received
                && stream.source.ip().to_string() == BOX
                && stream.first > dialled
        });
        let loud = |stream: &crate::sniff::Stream| {
            let squares = stream
                .audio
                .iter()
                .map(|&sample| f64::from(sample).powi(2))
                .sum::<f64>();
            stream.audio.len() > 4000 && (squares / stream.audio.len() as f64).sqrt() > 500.0
        };
        streams.into_iter().find(loud)
    })?;
    let begun = speech.first - dialled;
    ensure!(begun < s(2), "the announcement began only after {begun:?}");
    stage
        .a()?
        .wait(mark, "CALL_CLOSED", s(30))
        .context("the call ends by itself")?;
    let last = stage.office.sniffer.find(from, PHONE_PORTS[0], Received, |sip| {
        sip.status()
            .is_some_and(|code| code >= 300 && code != 401 && code != 407)
    });
    let last = last.context("no final answer")?;
    let reason = last
        .header("Reason")
        .context("a final answer without Reason")?
        .to_string();
    stage.run.say(format!(
        "6  A calls outside: announcement after {} ms, then {:?}, Reason: {reason}",
        millis(begun),
        last.start_line()
    ));
    Ok(())
}

/// Step 7: power cut with the line cut.
fn power_cut(stage: &mut Stage, offline: Mark) -> Result<()> {
    stage.board.off();
    never("the box to answer without power", ms(200), || {
        stage.board.alive().then_some("alive")
    })?;
    stage.board.on()?;
    let on = Instant::now();
    // A person dials again until it rings.
    let rings = wait_for("a call after the power cut", s(20), || {
        let mark = stage.b.as_ref()?.mark();
        stage.a().ok()?.dial("202").ok()?;
        let rings = stage
            .b
            .as_ref()?
            .wait(mark, "CALL_INCOMING", s(2))
            .is_ok()
            .then(|| on.elapsed());
        if rings.is_none() {
            // It may have ended by itself.
            let _ = stage.a().ok()?.hang_up();
        }
        rings
    })?;
    stage.erase_recordings()?;
    let mark = stage.a()?.mark();
    stage.b()?.answer()?;
    stage.a()?.wait(mark, "CALL_ESTABLISHED", s(5))?;
    stage.both_hear()?;
    let mark = stage.b()?.mark();
    stage.a()?.hang_up()?;
    stage.b()?.wait(mark, "CALL_CLOSED", s(5))?;
    stage.nobody_registered(offline)?;
    stage.run.say(format!(
        "7  power cut and start with the line cut: B rings {} ms after power on, sound both ways; no phone registered",
        millis(rings)
    ));
    Ok(())
}

/// Step 8: the line returns; all records arrive, once, in order.
fn back(stage: &mut Stage) -> Result<()> {
    let run = stage.run;
    stage.office.internet.mend();
    let mended = Instant::now();
    stage.trunk_up(s(40))?;
    let trunk = mended.elapsed();
    let from = stage.office.sniffer.mark();
    let mut carrier = stage.carrier_calls("carrier-calls", &[REP], &[("hold", "60000")])?;
    rings_everywhere(stage, from)?;
    stage.b()?.erase_recordings()?;
    let mark = stage.b()?.mark();
    stage.b()?.answer()?;
    stage.b()?.wait(mark, "CALL_ESTABLISHED", s(5))?;
    stage.b()?.hears(CARRIER_TONE, &TONES, s(5))?;
    stage.b()?.hang_up()?;
    ensure!(carrier.ends(s(10))?, "the carrier's call: {}", carrier.output());
    stage.all_quiet(s(5))?;
    run.say(format!(
        "8  line mended: trunk back after {:.1} s, the carrier's next call succeeds",
        trunk.as_secs_f64()
    ));

    let calls = wait_for("all call records", s(20), || {
        let rows = stage.cloud.show("records").ok()?;
        records::complete(&rows).is_ok().then_some(rows)
    });
    let calls = match calls {
        Ok(calls) => calls,
        Err(late) => {
            let rows = stage.cloud.show("records")?;
            return records::complete(&rows).context(late).map(drop);
        }
    };
    let legs: i64 = calls.iter().filter_map(|call| call["legs"].as_i64()).sum();
    let joined = calls.iter().filter(|call| records::on_both_sides(call)).count();
    run.say(format!(
        "8  {} call records with {legs} legs in the cloud, each once and in order; {joined} joined from box and cloud",
        calls.len()
    ));
    Ok(())
}

/// Step 9: telephones and FAX machines of the old kind.
fn sockets(stage: &mut Stage) -> Result<()> {
    stage.board.off();
    let sets = analog::plug(stage)?;
    stage.board.on()?;
    stage.configured(Instant::now(), s(20))?;
    stage.run.say(
        "9  the box is switched off, telephones are plugged into its line sockets, and it is switched on",
    );
    analog::show(stage, &sets)
}

/// Step 10: phones that are plugged into the ports with power and need nothing set.
fn hub(stage: &mut Stage) -> Result<()> {
    stage.board.off();
    (stage.a, stage.b, stage.c) = (None, None, None);
    stage.run.say(
        "10 the desk phones are taken away; two that were never set up are claimed for 201 and 202, and plugged into the box's \
         ports with power",
    );
    provision::show(stage)
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}
