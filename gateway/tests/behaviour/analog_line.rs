//! Faults of an analog line's circuit, and the tests of the line.

use super::analog::*;
use super::office::*;
use gateway::{LineOrder, Measured, Sense, Signal};
use media::chain::Command;
use shared::analog::{LineFault, LineLoad, LineTest, LineTestResult};
use shared::sync::{Alarm, EventBody, Message as _, TestLine};

#[test]
fn faults_of_the_circuit() {
    let mut o = Office::with_telephones(1, 1);
    let phone = Phone::new(1);
    let dialog = talks_to_phone_1(&mut o);
    let fault = LineFault::Codec;
    o.sense(
        0,
        Sense::Fault {
            fault,
            is_there: true,
        },
    );
    // A talk goes on: there is sound again when the codec is.
    assert!(matches!(o.hears(0), Command::Connect(_)));
    o.put_down(0);
    is_hung_up(&mut o, &dialog);
    let alarm = |raised| EventBody::Alarm {
        alarm: Alarm::Line(1, fault),
        raised,
    };
    let registration = |registered| EventBody::Registration {
        terminal: key(0).unwrap(),
        registered,
    };
    o.records();
    assert_eq!(core::mem::take(&mut o.events), [alarm(true), registration(false)]);
    // Nobody is called who cannot answer.
    let caller = o.dial(&phone, "200", "c1");
    o.refused(&caller, "480");
    o.sense(
        0,
        Sense::Fault {
            fault,
            is_there: false,
        },
    );
    o.records();
    assert_eq!(core::mem::take(&mut o.events), [alarm(false), registration(true)]);
    let caller = o.dial(&phone, "200", "c2");
    o.expect(phone.address, "180");
    assert!(o.bell(0));
    o.send(&caller, "CANCEL", "2");
    o.nothing_left();
}

const OPEN: Measured = Measured {
    tip_mv: 0,
    ring_mv: -48_000,
    ac_mv: 0,
    loop_ua: 0,
};

/// A quiet line with one bell is measured; the box's orders for it.
#[track_caller]
fn measures(o: &mut Office, line: u8) {
    o.wait(300);
    o.sense(line, Sense::Measured(Ok(Measured::default())));
    o.wait(500);
    o.sense(line, Sense::Measured(Ok(OPEN)));
    assert_eq!(
        o.told(line).last(),
        Some(&LineOrder::Circuit(Signal::Measure { reverse: true }))
    );
    let charge = Measured { loop_ua: 768, ..OPEN };
    o.sense(line, Sense::Measured(Ok(charge)));
}

fn quiet_line(port: u8) -> EventBody {
    let load = LineLoad {
        feed_mv: 48_000,
        leakage_ohm: u32::MAX,
        ringer_nf: 1_000,
    };
    let test = LineTest {
        load: Some(load),
        ..LineTest::default()
    };
    EventBody::LineTest {
        port,
        result: LineTestResult::Measured(test),
    }
}

#[test]
fn a_line_is_tested_on_command() {
    let mut o = Office::with_telephones(1, 1);
    let mut buffer = [0; 16];
    let order = |port, buffer: &mut [u8]| TestLine { port }.encode(buffer).unwrap().to_vec();
    let send = |o: &mut Office, payload: &[u8]| {
        let topic = shared::sync::Topic::Down(shared::BoxId(77), shared::sync::Down::TestLine).name();
        o.handle(gateway::Input::Uplink(gateway::UplinkInput::Message {
            topic: &topic,
            payload,
        }));
    };
    send(&mut o, &order(1, &mut buffer));
    measures(&mut o, 0);
    assert_eq!(core::mem::take(&mut o.events), [quiet_line(1)]);
    // In use, and no such line.
    o.lift(0);
    send(&mut o, &order(1, &mut buffer));
    let in_use = EventBody::LineTest {
        port: 1,
        result: LineTestResult::InUse,
    };
    assert_eq!(core::mem::take(&mut o.events), [in_use]);
    for port in [0, 5, 255] {
        send(&mut o, &order(port, &mut buffer));
    }
    assert_eq!(o.gateway.counters().lines, 3);
    send(&mut o, b"nonsense");
    assert_eq!(o.events, []);
    assert_eq!(o.gateway.uplink_counters().ignored, 1);
}

#[test]
fn lines_are_tested_at_night() {
    let mut o = Office::with_telephones(2, 0);
    // 2026-04-01 02:00 in Japan.
    let unix_ms = 1_774_976_400_000;
    o.handle(gateway::Input::WallClock { unix_ms });
    o.wait(3_600_000 + 59_000);
    let begun = |o: &mut Office, line| o.told(line).contains(&LineOrder::Circuit(Signal::Feed(false)));
    assert!(begun(&mut o, 0), "at three");
    // It is not measured; the second one comes ten minutes later.
    o.wait(11_000);
    let failed = EventBody::LineTest {
        port: 1,
        result: LineTestResult::Failed,
    };
    assert_eq!(core::mem::take(&mut o.events), [failed]);
    assert!(!begun(&mut o, 1));
    // Somebody calls just then: it is tried again.
    o.lift(1);
    o.wait(600_000);
    assert!(!begun(&mut o, 1));
    o.put_down(1);
    o.wait(600_000 - 1_500 - 200);
    assert!(begun(&mut o, 1));
    assert!(!begun(&mut o, 0), "once a night");
    // Not before the next night.
    o.wait(11_000);
    o.lines.clear();
    o.wait(20 * 3_600_000);
    assert!(!begun(&mut o, 0) && !begun(&mut o, 1));
    o.wait(4 * 3_600_000);
    assert!(begun(&mut o, 0));
}
