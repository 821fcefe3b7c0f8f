//! The rig proves itself: no box, no cloud.

use crate::baresip::{Account, Phone};
use crate::office::{BOX, CARRIER, CLOUD_TRUNK, OUTER, Office, PHONES};
use crate::run::Run;
use crate::switch::Direction::{Received, Sent};
use crate::wait::{s, wait_for};
use crate::{sipp, standin};
use anyhow::{Context, Result, ensure};
use std::net::UdpSocket;

const TONE_A: f64 = 697.0;
const TONE_B: f64 = 1209.0;
const TONE_C: f64 = 1633.0;

/// Phones register, call and hear each other; the carrier and the third phone (SIPp) as well; the line cuts.
pub fn phones(run: &Run) -> Result<()> {
    let office = Office::build(&run.folder, run.seed)?;
    run.say(format!("office built, NAT at the router: {}", office.nat));
    let [(a, _), (b, _), (c, _)] = &office.phones[..] else {
        unreachable!("three phones")
    };
    // The stand-in for the box lives at the router.
    office
        .router
        .ip(&["addr", "add", &format!("{BOX}/24"), "dev", "eth0"])?;
    standin::start(&office.router, &format!("{BOX}:5060"))?;

    let account = |user, tone| Account {
        user,
        password: "x",
        domain: "denwaban.test",
        proxy: BOX,
        register: 60,
        tone,
        ..Account::default()
    };
    let mut phone_a = Phone::start(a, &account("0312340001", TONE_A), &run.folder)?;
    let mut phone_b = Phone::start(b, &account("0312340002", TONE_B), &run.folder)?;
    for phone in [&mut phone_a, &mut phone_b] {
        phone.registered(s(5))?;
    }
    run.say("baresip A and B registered");

    let (from_a, from_b) = (phone_a.mark(), phone_b.mark());
    let wire = office.sniffer.mark();
    phone_a.dial("0312340002")?;
    phone_b.wait(from_b, "CALL_INCOMING", s(5))?;
    phone_b.answer()?;
    phone_a.wait(from_a, "CALL_ESTABLISHED", s(5))?;
    let heard_a = phone_a.hears(TONE_B, &[TONE_A], s(5))?;
    let heard_b = phone_b.hears(TONE_A, &[TONE_B], s(5))?;
    run.say(format!(
        "A hears B at {heard_a:.1} dBFS, B hears A at {heard_b:.1} dBFS"
    ));
    phone_b.hang_up()?;
    phone_a.wait(from_a, "CALL_CLOSED", s(5))?;
    let invite = office
        .sniffer
        .find(wire, "lan/phone-a", Sent, |sip| sip.is("INVITE"))
        .context("INVITE of A")?;
    let ringing = office
        .sniffer
        .find(wire, "lan/phone-a", Received, |sip| sip.answers("INVITE", 180))
        .context("180 at A")?;
    run.say(format!(
        "post-dial delay on the wire {:.1} ms",
        (ringing.at - invite.at).as_secs_f64() * 1e3
    ));
    ensure!(
        phone_a.calls()? == 0 && phone_b.calls()? == 0,
        "a call is left over"
    );

    // SIPp as the third phone, at the same stand-in.
    let options = sipp::Options {
        name: "sipp-c",
        scenario: "phone-registers",
        answering: Some("phone-answers"),
        remote: Some(&format!("{BOX}:5060")),
        local: PHONES[2],
        called: &["0312340003"],
        credentials: Some(("0312340003", "x", "denwaban.test")),
        words: &[
            ("user", "0312340003"),
            ("domain", "denwaban.test"),
            ("stay", "600000"),
            ("ring", "300"),
        ],
        tone: Some(TONE_C),
        ..sipp::Options::default()
    };
    let wire = office.sniffer.mark();
    let _phone_c = sipp::start(c, &options, &run.folder)?;
    office
        .sniffer
        .wait("registration of C", s(5), wire, "lan/phone-c", Received, |sip| {
            sip.answers("REGISTER", 200)
        })?;
    phone_a.erase_recordings()?;
    let from_a = phone_a.mark();
    phone_a.dial("0312340003")?;
    phone_a.wait(from_a, "CALL_ESTABLISHED", s(5))?;
    let level = phone_a.hears(TONE_C, &[TONE_A], s(5))?;
    run.say(format!("A hears SIPp C at {level:.1} dBFS"));
    phone_a.hang_up()?;
    phone_a.wait(from_a, "CALL_CLOSED", s(5))?;

    // The carrier calls a SIPp that stands for the cloud.
    let words = [
        ("user", "0312340000"),
        ("ring", "100"),
        ("caller", "09011112222"),
        ("hold", "1500"),
    ];
    let cloud = sipp::Options {
        name: "sipp-cloud",
        scenario: "phone-answers",
        local: CLOUD_TRUNK,
        words: &words,
        tone: Some(TONE_B),
        ..sipp::Options::default()
    };
    let mut cloud = sipp::start(&office.cloud, &cloud, &run.folder)?;
    let remote = format!("{CLOUD_TRUNK}:5060");
    let carrier = sipp::Options {
        name: "sipp-carrier",
        scenario: "carrier-calls",
        remote: Some(&remote),
        local: CARRIER,
        called: &["0312340000"],
        words: &words,
        tone: Some(TONE_C),
        ..sipp::Options::default()
    };
    let wire = office.sniffer.mark();
    let mut carrier = sipp::start(&office.carrier, &carrier, &run.folder)?;
    ensure!(
        carrier.ends(s(10))?,
        "the carrier's call failed: {}",
        carrier.output()
    );
    ensure!(cloud.alive(), "the answering SIPp ended");
    cloud.kill();
    office
        .sniffer
        .find(wire, "trunk/carrier", Sent, |sip| sip.is("BYE"))
        .context("BYE of the carrier")?;
    let heard = |direction, frequency: f64| {
        let streams = office
            .sniffer
            .streams(|stream| stream.port == "trunk/carrier" && stream.direction == direction);
        streams
            .iter()
            .any(|stream| crate::tone::heard(&stream.audio, 4000, frequency, &[697.0]))
    };
    ensure!(
        heard(Received, TONE_B) && heard(Sent, TONE_C),
        "tones on the trunk"
    );
    run.say("carrier call over SIPp with both tones on the wire");

    // Out through the router, with the line up, cut and mended.
    let far = office.cloud.within(|| Ok(UdpSocket::bind("0.0.0.0:9999")?))?;
    far.set_nonblocking(true)?;
    let near = a.within(|| Ok(UdpSocket::bind("0.0.0.0:0")?))?;
    let arrives = |word: &'static [u8]| {
        let mut buffer = [0; 16];
        move || {
            let (length, from) = far.recv_from(&mut buffer).ok()?;
            (&buffer[..length] == word).then_some(from)
        }
    };
    let mut arrived = arrives(b"up");
    near.send_to(b"up", "203.0.113.10:9999")?;
    let from = wait_for("a datagram through the router", s(3), &mut arrived)?;
    let expected = if office.nat { OUTER } else { PHONES[0] };
    ensure!(
        from.ip().to_string() == expected,
        "the cloud sees {from}, not {expected}"
    );
    office.internet.cut();
    let lost = office.internet.counters().lost;
    near.send_to(b"up", "203.0.113.10:9999")?;
    wait_for("the cut line to lose it", s(3), || {
        (office.internet.counters().lost > lost).then_some(())
    })?;
    ensure!(arrived().is_none(), "it came through a cut line");
    office.internet.mend();
    near.send_to(b"up", "203.0.113.10:9999")?;
    wait_for("a datagram over the mended line", s(3), arrived)?;
    run.say("line cut and mended");
    Ok(())
}
