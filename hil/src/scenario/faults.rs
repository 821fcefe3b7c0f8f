//! Bad input and faults, against the real image.

use super::stage::{PHONE_PORTS, REP, Stage, same};
use crate::dhcp::{Lease, Server};
use crate::office::{BOX, BOX_MAC, CLOUD, PHONES, ROUTER};
use crate::qemu::Fault;
use crate::run::Run;
use crate::sniff::Sip;
use crate::switch::Direction::{Received, Sent};
use crate::switch::Faults;
use crate::wait::{ms, s, wait_for};
use anyhow::{Context, Result, ensure};
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

/// The box has started `times` times, by whatever cause.
fn starts(stage: &Stage, times: usize) -> Result<()> {
    same("starts of the box", stage.board.starts(), times)
}

/// The power goes as soon as the phones have their 200, and DHCP is gone when the box boots: it uses its last lease and
/// knows the phones.
pub fn no_dhcp_at_boot(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.ready()?;
    stage.board.off();
    let registered = stage.office.sniffer.mark();
    stage.office.stop_dhcp();
    let mark = stage.board.log_mark();
    stage.board.on()?;
    let on = Instant::now();
    let line = stage.board.logs(mark, "net: ", s(30))?;
    ensure!(
        line.contains(BOX) && line.contains("kept"),
        "the box says {line:?}"
    );
    run.say(format!(
        "box without DHCP: {line:?} {:.1} s after power on",
        on.elapsed().as_secs_f64()
    ));
    wait_for("the box to answer", s(10), || probe(&stage, &options(PHONES[2])))?;
    let delay = stage.a_call()?;
    stage.nobody_registered(registered)?;
    run.say(format!("A calls B, {delay:?} to ring; no phone registered again"));
    stage.office.start_dhcp()?;
    let granted = format!("DHCPACK(eth0) {BOX}");
    wait_for("the box to take a lease again", s(90), || {
        stage.office.dhcp_log().contains(&granted).then_some(())
    })?;
    Ok(())
}

/// DHCP goes while the box runs: it keeps its address beyond the end of the lease.
pub fn no_dhcp_in_operation(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.office.stop_dhcp();
    let lease = Lease {
        address: BOX.parse()?,
        router: ROUTER.parse()?,
        seconds: 6,
    };
    let server = Server::start(&stage.office.router, "eth0", lease)?;
    stage.board.on()?;
    stage.board.logs(0, "granted", s(10))?;
    wait_for("a renewal", s(10), || (server.acknowledged() >= 2).then_some(()))?;
    drop(server);
    let gone = Instant::now();
    wait_for("twice the lease to pass with the box answering", s(60), || {
        // At a pace that the box grants to who does not say who it is.
        std::thread::sleep(ms(100));
        let answered = probe(&stage, &options(PHONES[2])).is_some();
        (!answered || gone.elapsed() > s(12)).then_some(answered)
    })
    .and_then(|answered| same("answered", answered, true))?;
    run.say("box answers on its address for twice the length of a lease that nobody renews");
    starts(&stage, 1)
}

/// Garbage, truncated, oversized and fragmented datagrams, SIP without Content-Length.
pub fn garbage(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.ready()?;
    let socket = stage.office.phones[2]
        .0
        .within(|| Ok(UdpSocket::bind((PHONES[2], 5060))?))?;
    let to = format!("{BOX}:5060");
    let good = options(PHONES[2]);
    let mut sent = 0;
    // Every beginning of a good message, and every one with a byte turned over.
    for length in 0..good.len() {
        socket.send_to(&good.as_bytes()[..length], &to)?;
        let mut bytes = good.clone().into_bytes();
        bytes[length] ^= 0xA5;
        socket.send_to(&bytes, &to)?;
        sent += 2;
    }
    let mut random = run.seed;
    for length in (1..1400).step_by(17) {
        let mut noise = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 56) as u8
        };
        let bytes: Vec<u8> = (0..length).map(|_| noise()).collect();
        socket.send_to(&bytes, &to)?;
        sent += 1;
    }
    drop(socket);
    // Each with a Call-ID of its own, so that no late answer to what went before is taken for its own.
    let answered = |what: &str, make: &dyn Fn(String) -> String| {
        let answer = wait_for(what, s(10), || probe(&stage, &make(options(PHONES[2]))))?;
        Ok::<_, anyhow::Error>(answer.lines().next().unwrap_or_default().to_string())
    };
    let ok = answered("the box to answer", &|good| good)?;
    ensure!(ok.starts_with("SIP/2.0 2"), "{ok}");
    run.say(format!(
        "{sent} broken datagrams, then a good one is answered {ok:?}"
    ));
    let bare = answered("an answer without Content-Length", &|good| {
        good.replace("Content-Length: 0\r\n", "")
    })?;
    // Four kilobytes arrive in three fragments.
    let large = answered("an answer to a fragmented message", &|good| filled(&good, 4000))?;
    same("answers", [&bare, &large], [&ok, &ok])?;
    run.say("one without Content-Length and one of 4,000 bytes in fragments: the same");
    orphans(&stage)?;
    let after = answered("an answer in spite of orphaned fragments", &|good| good)?;
    same("answer", &after, &ok)?;
    run.say("200 first fragments whose rest never comes: the next message is answered");
    let oversized = filled(&options(PHONES[2]), 9000);
    match probe(&stage, &oversized) {
        Some(answer) => ensure!(answer.starts_with("SIP/2.0 513"), "9,000 bytes: {answer}"),
        None => run.say("9,000 bytes: dropped"),
    }
    let delay = stage.a_call()?;
    run.say(format!("A calls B, {delay:?} to ring"));
    starts(&stage, 1)
}

/// Somebody claims A's number without its password; calls for A still go to A.
pub fn claim(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.ready()?;
    let user = stage.ids[0].user.clone();
    let from = stage.office.sniffer.mark();
    let register = request("REGISTER", &user, PHONES[2]);
    let answer = wait_for("an answer", s(5), || probe(&stage, &register))?;
    ensure!(answer.starts_with("SIP/2.0 401"), "{answer}");
    let invite = request("INVITE", &user, PHONES[2]);
    let answer = wait_for("an answer", s(5), || probe(&stage, &invite))?;
    ensure!(
        answer.starts_with("SIP/2.0 407") || answer.starts_with("SIP/2.0 401"),
        "{answer}"
    );
    run.say("a claim of A's number and a call in A's name are both asked for a password");
    let (extension, mark) = (stage.ids[0].extension.clone(), stage.a()?.mark());
    stage.b()?.dial(&extension)?;
    stage.a()?.wait(mark, "CALL_INCOMING", s(5)).context("A rings")?;
    let stolen = stage
        .office
        .sniffer
        .find(from, "lan/phone-c", Received, |sip| sip.is("INVITE"));
    ensure!(stolen.is_none(), "the call went to the claimant");
    stage.b()?.hang_up()?;
    stage.a()?.wait(mark, "CALL_CLOSED", s(5))?;
    run.say("a call for A rings at A");
    Ok(())
}

/// The cloud is replaced by something that accepts connections and stays silent.
pub fn silent_cloud(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.ready()?;
    ensure!(stage.cloud.stop()?, "the cloud did not end well");
    let listen = |port: u16| {
        let listener = stage
            .office
            .cloud
            .within(move || Ok(TcpListener::bind((CLOUD, port))?))?;
        listener.set_nonblocking(true)?;
        Ok::<_, anyhow::Error>(listener)
    };
    let (broker, sip) = (listen(1883)?, listen(5060)?);
    let mut kept = Vec::new();
    let mut accepted = [0; 2];
    // It must give up and try again: twice on each port.
    wait_for("the box to try again", s(120), || {
        for (count, listener) in accepted.iter_mut().zip([&broker, &sip]) {
            if let Ok((mut stream, _)) = listener.accept() {
                // What it says is read and never answered.
                let _ = stream.set_read_timeout(Some(ms(10)));
                let _ = stream.read(&mut [0; 512]);
                kept.push(stream);
                *count += 1;
            }
        }
        accepted.iter().all(|&count| count >= 2).then_some(())
    })?;
    run.say(format!(
        "a silent broker and a silent trunk were given up and tried again: {accepted:?} connections"
    ));
    let delay = stage.a_call()?;
    run.say(format!("A calls B meanwhile, {delay:?} to ring"));
    drop((kept, broker, sip));
    let from = stage.office.sniffer.mark();
    stage.serve_cloud()?;
    stage.wait(
        "registration of the trunk",
        s(60),
        from,
        "line/router",
        Received,
        |sip| sip.answers("REGISTER", 200),
    )?;
    stage.trunk_up(s(60))?;
    run.say("the cloud is back: trunk registered");
    starts(&stage, 1)
}

/// The power is cut inside flash operations while the first configuration arrives.
pub fn power_cuts(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let mut cuts = 0;
    for operations in [1, 2, 5, 10, 20, 40, 60, 80, 100, 120] {
        stage.board.order(Fault::PowerCut, operations)?;
        stage.board.on()?;
        let what = format!("flash operation {operations}, or the end of them");
        let reached = wait_for(&what, s(20), || {
            if stage.board.progress().ok()? >= operations {
                return Some(true);
            }
            let row = stage.box_row().ok()?;
            (row["issued"].as_i64()? > 0 && row["issued"] == row["epoch"]).then_some(false)
        })?;
        stage.board.off();
        cuts += usize::from(reached);
        ensure!(
            stage.box_row()?["nack"].is_null(),
            "the box refused its configuration: {}",
            stage.box_row()?
        );
    }
    ensure!(cuts >= 3, "only {cuts} cuts fell inside a flash operation");
    stage.board.order(Fault::PowerCut, 0)?;
    stage.ready()?;
    stage.a_call()?;
    run.say(format!(
        "{cuts} power cuts inside flash operations; then configured, registered, called"
    ));
    ensure!(
        !stage.board.log().to_lowercase().contains("panic"),
        "the box panicked"
    );
    Ok(())
}

/// Power cuts inside the flash operations of a phone's first registration.
const CUTS: u32 = 8;

/// The power is cut inside flash operations while a phone registers for the first time: with its 200 it is known after, without
/// it may be.
pub fn cuts_while_registering(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    stage.ready()?;
    stage.board.off();
    // Without the cloud each start does the same.
    stage.office.internet.cut();
    let flash = stage.board.read(0, hil_wire::FLASH_SIZE as usize)?;
    let start = |stage: &mut Stage, cut: u32| {
        stage.board.order(Fault::PowerCut, cut)?;
        stage.board.on()?;
        wait_for("the box to answer", s(10), || probe(stage, &options(PHONES[2])))
    };
    let register = |stage: &Stage| {
        stage.sipp_phone(
            "phone-registers",
            Some("phone-answers"),
            "0",
            &stage.ids[2].password,
        )
    };
    let accepted = |stage: &Stage, from| {
        let answered = |sip: &Sip| sip.answers("REGISTER", 200);
        stage
            .office
            .sniffer
            .find(from, PHONE_PORTS[2], Received, answered)
    };
    start(&mut stage, 0)?;
    let (quiet, from) = (settled(&stage)?, stage.office.sniffer.mark());
    let phone = register(&stage)?;
    wait_for("C to be registered", s(5), || accepted(&stage, from))?;
    let operations = settled(&stage)? - quiet;
    drop(phone);

    let extension = stage.ids[2].extension.clone();
    let (mut promised, mut known) = (0, 0);
    for cut in 1..=CUTS {
        stage.board.off();
        stage.board.program(0, &flash)?;
        let at = quiet + operations * cut / CUTS;
        start(&mut stage, at)?;
        let from = stage.office.sniffer.mark();
        let phone = register(&stage)?;
        wait_for("the power cut", s(5), || {
            (stage.board.progress().ok()? >= at).then_some(())
        })?;
        stage.board.off();
        drop(phone);
        start(&mut stage, 0)?;
        let (mark, calls) = (stage.a()?.mark(), stage.office.sniffer.mark());
        stage.a()?.dial(&extension)?;
        // C is gone: what counts is whether the box calls it.
        let is_known = wait_for("a call for C, or a refusal", s(5), || {
            let sniffer = &stage.office.sniffer;
            let call = sniffer.find(calls, PHONE_PORTS[2], Received, |sip| sip.is("INVITE"));
            let refused = |sip: &Sip| sip.status().is_some_and(|status| status >= 400 && status != 407);
            let refusal = sniffer.find(calls, PHONE_PORTS[0], Received, refused);
            (call.is_some() || refusal.is_some()).then_some(call.is_some())
        })?;
        if is_known {
            stage.a()?.hang_up()?;
        }
        stage.a()?.wait(mark, "CALL_CLOSED", s(5))?;
        let is_promised = accepted(&stage, from).is_some();
        ensure!(
            is_known || !is_promised,
            "C got its 200 and is forgotten: power cut in flash operation {at}, {quiet} before C came"
        );
        promised += u32::from(is_promised);
        known += u32::from(is_known);
    }
    ensure!(
        promised > 0 && known < CUTS,
        "of {CUTS} cuts {promised} behind the 200, {known} behind the writing, in {operations} operations after {quiet}"
    );
    run.say(format!(
        "{CUTS} power cuts in the {operations} flash operations of a registration: {promised} behind its 200, C known \
         after {known}"
    ));
    starts(&stage, 2 + 2 * CUTS as usize)
}

/// The firmware panics in operation: it starts again by itself, and the cloud hears why.
pub fn panic(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let message = "ordered by the rig";
    let again = suffer(&mut stage, Fault::Panic, s(10))?;
    ensure!(again.contains("Panic") && again.contains(message), "{again:?}");
    let events = wait_for("the panic at the cloud", s(20), || {
        let events = stage.cloud.show("events").ok()?;
        let panics: Vec<_> = events
            .into_iter()
            .filter(|event| event.to_string().contains(message))
            .collect();
        (!panics.is_empty()).then_some(panics)
    })?;
    same("reports of the panic", events.len(), 1)?;
    run.say(format!("the cloud knows of it, once: {}", events[0]));
    Ok(())
}

/// A task of the firmware hangs in operation: the watchdog starts it again.
pub fn hang(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let again = suffer(&mut stage, Fault::Hang, s(40))?;
    ensure!(again.contains("Watchdog"), "{again:?}");
    Ok(())
}

/// Waits until the box has not touched its flash for a while; how often it has since its start.
fn settled(stage: &Stage) -> Result<u32> {
    let mut last = (stage.board.progress()?, Instant::now());
    wait_for("the flash to come to rest", s(20), || {
        let now = stage.board.progress().ok()?;
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > ms(300)).then_some(now)
    })
}

/// Orders a fault in the middle of a change of the configuration; what the box says first when it is back.
fn suffer(stage: &mut Stage, fault: Fault, within: Duration) -> Result<String> {
    stage.ready()?;
    // How many flash operations a start takes.
    stage.board.off();
    stage.board.on()?;
    let mark = stage.board.log_mark();
    stage.board.logs(mark, "mqtt: open", s(20))?;
    wait_for("the box to answer", s(10), || probe(stage, &options(PHONES[2])))?;
    let quiet = settled(stage)?;
    stage.board.off();
    let mark = stage.board.log_mark();
    stage.board.order(fault, quiet + 20)?;
    stage.board.on()?;
    stage.board.logs(mark, "mqtt: open", s(20))?;
    let (mark, start) = (stage.board.log_mark(), Instant::now());
    let extension = stage.ids[1].extension.clone();
    stage.cloud.order(&[
        "id",
        "set",
        "--contract",
        "1",
        "--extension",
        &extension,
        "--label",
        "総務",
    ])?;
    let again = stage.board.logs(mark, "boot: ", within)?;
    stage.run.say(format!(
        "{fault:?}: {again:?} after {:.1} s",
        start.elapsed().as_secs_f64()
    ));
    stage
        .configured(start, s(30))
        .context("the configuration that was on its way")?;
    stage.a_call()?;
    stage.run.say("it has its new configuration, and A calls B");
    Ok(again)
}

/// The office's network loses, repeats, delays and reorders.
pub fn bad_network(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let faults = Faults {
        loss: 0.05,
        duplicate: 0.05,
        reorder: 0.05,
        jitter: ms(20),
        ..Faults::default()
    };
    for direction in [Sent, Received] {
        stage.board.port.set_faults(direction, faults);
    }
    stage.board.on()?;
    stage.configured(Instant::now(), s(60))?;
    stage.trunk_up(s(60))?;
    stage.start_desk_phones()?;
    let extension = stage.ids[1].extension.clone();
    for round in 1..=3 {
        // A 180 may be lost and is not repeated (RFC 3261 §13.3.1.1); a call, its answer and its end are.
        stage.erase_recordings()?;
        let (mark_a, mark_b, start) = (stage.a()?.mark(), stage.b()?.mark(), Instant::now());
        stage.a()?.dial(&extension)?;
        stage.b()?.wait(mark_b, "CALL_INCOMING", s(20))?;
        stage.b()?.answer()?;
        stage.a()?.wait(mark_a, "CALL_ESTABLISHED", s(20))?;
        run.say(format!(
            "round {round}: A is connected with B after {:?}",
            start.elapsed()
        ));
        stage.both_hear()?;
        stage.a()?.hang_up()?;
        stage.b()?.wait(mark_b, "CALL_CLOSED", s(40))?;
    }
    let mark = stage.a()?.mark();
    let mut carrier = stage.carrier_calls("carrier-calls", &[REP], &[("hold", "500")])?;
    stage.a()?.wait(mark, "CALL_INCOMING", s(20))?;
    stage.a()?.answer()?;
    ensure!(carrier.ends(s(30))?, "the carrier's call: {}", carrier.output());
    stage.all_quiet(s(40))?;
    starts(&stage, 1)
}

/// Two hundred first fragments of datagrams to the box's SIP port, each of another datagram.
fn orphans(stage: &Stage) -> Result<()> {
    let (_port, stranger) = stage.office.lan.socket("stranger")?;
    let mac = |text: &str| {
        text.split(':')
            .map(|pair| u8::from_str_radix(pair, 16))
            .collect::<Result<Vec<_>, _>>()
    };
    for identity in 0..200_u16 {
        let mut packet = vec![0x45, 0];
        packet.extend(532_u16.to_be_bytes());
        packet.extend(identity.to_be_bytes());
        // More fragments, offset 0, TTL 64, UDP.
        packet.extend([0x20, 0, 64, 17, 0, 0]);
        packet.extend(std::net::Ipv4Addr::new(192, 168, 50, 99).octets());
        packet.extend(BOX.parse::<std::net::Ipv4Addr>()?.octets());
        let sum: u32 = packet
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        let sum = !(((sum & 0xFFFF) + (sum >> 16)) as u16);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend([0x13, 0xC4, 0x13, 0xC4, 0x0F, 0xA0, 0, 0]);
        packet.resize(532, b'x');
        let frame = [mac(BOX_MAC)?, mac("02:00:00:00:00:99")?, vec![8, 0], packet].concat();
        wait_for("room at the switch", s(2), || stranger.send(&frame).ok())?;
    }
    Ok(())
}

/// A request of a phone at `address`.
fn request(method: &str, user: &str, address: &str) -> String {
    let domain = super::stage::DOMAIN;
    let target = if method == "REGISTER" {
        format!("sip:{domain}")
    } else {
        format!("sip:202@{domain}")
    };
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {address}:5060;rport;branch=z9hG4bK{}\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{domain}>;tag=t1\r\nTo: <sip:{user}@{domain}>\r\nCall-ID: {}@{address}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:{user}@{address}:5060>\r\nContent-Length: 0\r\n\r\n",
        unique(),
        unique()
    )
}

/// OPTIONS to the box itself.
fn options(address: &str) -> String {
    request("OPTIONS", "probe", address)
}

/// The request, made `length` bytes long by a header that nobody knows.
fn filled(request: &str, length: usize) -> String {
    let name = "X-Filler: ";
    let filler = "x".repeat(length.saturating_sub(request.len() + name.len() + 2));
    request.replacen("Max-Forwards", &format!("{name}{filler}\r\nMax-Forwards"), 1)
}

fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Sends a datagram to the box from phone C's computer; the final answer to it, if one comes within half a second.
fn probe(stage: &Stage, message: &str) -> Option<String> {
    let socket = stage.office.phones[2]
        .0
        .within(|| Ok(UdpSocket::bind((PHONES[2], 5060))?))
        .ok()?;
    socket.set_read_timeout(Some(ms(500))).ok()?;
    socket.send_to(message.as_bytes(), format!("{BOX}:5060")).ok()?;
    let call_id = message.lines().find(|line| line.starts_with("Call-ID"))?;
    let until = Instant::now() + ms(500);
    let mut buffer = [0; 8192];
    while Instant::now() < until {
        let (length, _) = socket.recv_from(&mut buffer).ok()?;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.lines().any(|line| line == call_id) && !text.starts_with("SIP/2.0 1") {
            return Some(text);
        }
    }
    None
}
