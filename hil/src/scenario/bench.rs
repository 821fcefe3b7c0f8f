//! Figures of the image: how fast it starts, and how many instructions a request takes.
//!
//! Instructions are counted by QEMU's `-icount`: every instruction takes 2^shift ns of the virtual clock, which also stamps
//! the frames of `filter-dump`. So the time from the datagram in to the datagram out is a number of instructions, exact to
//! a thousand (the stamps are whole microseconds), interrupts and the network stack included. A first REGISTER is
//! answered when flash has its binding: that write is in its figure.

use super::analog;
use super::load;
use super::stage::Stage;
use crate::office::{BOX, PHONES};
use crate::pcap::{self, Packet};
use crate::run::{Run, figure};
use crate::wait::{ms, s, wait_for};
use anyhow::{Context, Result, ensure};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Instant;

/// Starts measured.
const STARTS: usize = 5;
/// Calls measured.
const CALLS: usize = 10;
/// Nanoseconds of an instruction: 2^0.
const SHIFT: u32 = 0;

/// Measures.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.board.on()?;
    stage.configured(Instant::now(), s(20))?;
    stage.start_desk_phones()?;
    starts(&mut stage)?;
    instructions(&mut stage)?;
    load::rates(&mut stage)?;
    // The last one: lines that are plugged in stay.
    audio(&mut stage)
}

/// The most work of 5 ms with all lines busy, as a share of 480 MHz with an instruction a cycle. The box's log has the time in
/// steps of 40 ns, which are 40 instructions.
fn audio(stage: &mut Stage) -> Result<()> {
    (stage.a, stage.b) = (None, None);
    stage.board.off();
    counted(stage, "icount-audio.pcap", SHIFT);
    let steps = analog::busy(stage)?;
    stage.board.off();
    let share = (steps * 40) as f64 / (480e6 * 0.005) * 100.0;
    figure(
        "firmware.audio.worst_block.instructions",
        steps * 40,
        "instructions",
    );
    figure("firmware.audio.worst_block.pct", format!("{share:.1}"), "%");
    Ok(())
}

/// From its next start on the box counts instructions and captures what it sees, in the file that this gives.
pub(super) fn counted(stage: &mut Stage, file: &str, shift: u32) -> PathBuf {
    let dump = stage.run.folder.join(file);
    let filter = format!(
        "filter-dump,id=dump,netdev=lan,maxlen=4096,file={}",
        dump.display()
    );
    let icount = format!("shift={shift}");
    stage.board.arguments(&["-icount", &icount, "-object", &filter]);
    dump
}

/// Starts with a configuration and registrations in flash: the box's own clock says when it had its lease, the wire
/// when it served.
fn starts(stage: &mut Stage) -> Result<()> {
    let (mut leased, mut serving) = (Vec::new(), Vec::new());
    let probe = b"OPTIONS sip:box SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.50.13:5060;branch=z9hG4bKbench\r\n\
        Max-Forwards: 70\r\nFrom: <sip:probe@box>;tag=1\r\nTo: <sip:box>\r\nCall-ID: bench\r\nCSeq: 1 OPTIONS\r\n\
        Content-Length: 0\r\n\r\n";
    for _ in 0..STARTS {
        stage.board.off();
        let mark = stage.board.log_mark();
        let socket = stage.office.phones[2]
            .0
            .within(|| Ok(UdpSocket::bind((PHONES[2], 5060))?))?;
        socket.set_read_timeout(Some(ms(5)))?;
        stage.board.on()?;
        let on = Instant::now();
        serving.push(wait_for("the first answer", s(20), || {
            socket.send_to(probe, (BOX, 5060)).ok()?;
            socket.recv(&mut [0; 2048]).ok()?;
            Some(on.elapsed().as_millis() as u64)
        })?);
        let line = stage.board.logs(mark, "granted", s(20))?;
        leased.push(
            line.split_whitespace()
                .next()
                .context("a line without time")?
                .parse()?,
        );
    }
    figure("firmware.boot_to_dhcp.ms", median(&mut leased), "ms");
    figure("firmware.boot_to_service.ms", median(&mut serving), "ms");
    Ok(())
}

/// REGISTER with credentials to its 200, INVITE with credentials to the INVITE of the called phone.
fn instructions(stage: &mut Stage) -> Result<()> {
    (stage.a, stage.b) = (None, None);
    stage.board.off();
    let dump = counted(stage, "icount.pcap", SHIFT);
    stage.board.on()?;
    stage.start_desk_phones()?;
    for _ in 0..CALLS {
        let delay = stage.a_calls_b()?;
        let mark = stage.b()?.mark();
        stage.a()?.hang_up()?;
        stage
            .b()?
            .wait(mark, "CALL_CLOSED", s(5))
            .with_context(|| format!("after {delay:?}"))?;
    }
    for _ in 0..CALLS {
        // A new phone each time: a registration of its own.
        (stage.a, stage.b) = (None, None);
        stage.start_desk_phones()?;
    }
    stage.board.off();
    let packets = pcap::read(&dump)?;
    let register = answered(&packets, "REGISTER ", |_, out| out.starts_with("SIP/2.0 200"))?;
    let invite = answered(&packets, "INVITE ", |request, out| {
        out.starts_with("INVITE ") && header(request, "Call-ID") != header(out, "Call-ID")
    })?;
    figure("firmware.register.instructions", register, "instructions");
    figure("firmware.invite.instructions", invite, "instructions");
    Ok(())
}

/// Median of the instructions from a request with credentials to the next datagram of the box that `matches`.
fn answered(packets: &[Packet], method: &str, matches: impl Fn(&str, &str) -> bool) -> Result<u64> {
    let text =
        |packet: &Packet| String::from_utf8_lossy(packet.frame.get(42..).unwrap_or_default()).into_owned();
    let from_box = |packet: &Packet| packet.frame.get(26..30) == Some(&[192, 168, 50, 10]);
    let mut counts = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let request = text(packet);
        if from_box(packet) || !request.starts_with(method) || !request.contains("uthorization: ") {
            continue;
        }
        let mut later = packets[index + 1..]
            .iter()
            .take(12)
            .filter(|packet| from_box(packet));
        if let Some(out) = later.find(|packet| matches(&request, &text(packet))) {
            counts.push((out.nanoseconds - packet.nanoseconds) >> SHIFT);
        }
    }
    ensure!(counts.len() >= 5, "{method}: only {} were seen", counts.len());
    Ok(median(&mut counts))
}

fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
