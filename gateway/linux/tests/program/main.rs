//! The program as its users start it: real sockets on loopback, phones that write and read their messages by string alone.

mod phone;
mod program;

use std::time::Duration;

use phone::{Phone, Wire};
use program::Program;

/// Two phones register with digest and call each other, whatever they came by.
#[test]
fn phones_call_each_other_by_every_transport() {
    let program = Program::start();
    let mut phones = [
        Phone::new(&program, 1, Wire::udp(&program)),
        Phone::new(&program, 2, Wire::tcp(&program)),
        Phone::new(&program, 3, Wire::tls(&program)),
    ];
    for phone in &mut phones {
        phone.register();
    }
    for _ in 0..3 {
        let [caller, callee, _] = &mut phones;
        let call = caller.call(callee);
        assert_eq!(program.metrics()["denwaban_ids_busy"], 2);
        caller.hang_up(callee, &call);
        phones.rotate_left(1);
    }
    let metrics = program.metrics();
    assert_eq!(metrics["denwaban_ids_busy"], 0);
    assert_eq!(metrics["denwaban_registers_accepted_total"], 3);
    assert_eq!(metrics["denwaban_bindings"], 3);
    assert_eq!(metrics["denwaban_connections"], 2);
    // A challenge for each REGISTER and INVITE.
    assert_eq!(metrics["denwaban_challenges_total"], 6);
    assert!(metrics["process_resident_memory_bytes"] > 1 << 20);

    // Both legs of the three calls, as people read them.
    let records = program.stop();
    let legs = records.iter().filter_map(|record| record["body"].get("CallLeg"));
    let legs: Vec<_> = legs.collect();
    assert_eq!(legs.len(), 6);
    assert!(
        legs.iter()
            .all(|leg| leg["state"] == "Answered" && leg["status"] == 200)
    );
}

/// A wrong password registers nobody; a phone that nobody has registered is called by nobody.
#[test]
fn who_does_not_know_the_password_is_nobody() {
    let program = Program::start();
    let mut thief = Phone::new(&program, 2, Wire::tcp(&program));
    thief.password = "guessed".into();
    assert_eq!(thief.try_register(), 401);
    let mut phone = Phone::new(&program, 1, Wire::udp(&program));
    phone.register();
    assert_eq!(phone.try_call(2), 480);
    program.stop();
}

/// The connection of a phone breaks while it talks: it registers by another, and the talk goes on and ends there.
#[test]
fn a_talk_outlives_a_connection() {
    let program = Program::start();
    let mut caller = Phone::new(&program, 1, Wire::udp(&program));
    let mut callee = Phone::new(&program, 2, Wire::tcp(&program));
    caller.register();
    callee.register();
    let call = caller.call(&mut callee);
    callee.wire = Wire::tls(&program);
    callee.register();
    assert_eq!(program.metrics()["denwaban_ids_busy"], 2);
    caller.hang_up(&mut callee, &call);
    assert_eq!(program.metrics()["denwaban_ids_busy"], 0);
    program.stop();
}

/// A phone that answered is remembered over the hardest end there is, and can be called before it registers again.
#[test]
fn registrations_survive_a_kill() {
    let mut program = Program::start();
    let mut caller = Phone::new(&program, 1, Wire::udp(&program));
    let mut callee = Phone::new(&program, 2, Wire::udp(&program));
    caller.register();
    callee.register();
    program.kill();
    program.restart();
    let call = caller.call(&mut callee);
    caller.hang_up(&mut callee, &call);
    program.stop();
}

/// A connection that is closed takes its phone with it; one that comes back is there again.
#[test]
fn a_closed_connection_cannot_be_called() {
    let program = Program::start();
    let mut caller = Phone::new(&program, 1, Wire::udp(&program));
    let mut callee = Phone::new(&program, 2, Wire::tcp(&program));
    caller.register();
    callee.register();
    callee.wire = Wire::tcp(&program);
    program.wait_for("denwaban_bindings", 1);
    assert_eq!(caller.try_call(2), 480);
    callee.register();
    let call = caller.call(&mut callee);
    caller.hang_up(&mut callee, &call);
    program.stop();
}

/// Keep-alives are answered; what is no SIP closes the connection and nothing else.
#[test]
fn keep_alives_and_garbage() {
    let program = Program::start();
    let mut phone = Phone::new(&program, 1, Wire::tcp(&program));
    phone.register();
    phone.wire.send(b"\r\n\r\n");
    assert_eq!(phone.wire.read(2), b"\r\n");
    let mut other = Wire::tcp(&program);
    other.send(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n");
    assert!(other.is_closed());
    phone.register();
    program.stop();
}

/// The box is stopped in the midst of a call: both phones are told, their connections are ended, and the record is written.
#[test]
fn a_box_that_is_stopped_ends_its_calls() {
    for signal in ["TERM", "HUP"] {
        let program = Program::start();
        let mut caller = Phone::new(&program, 1, Wire::udp(&program));
        let mut callee = Phone::new(&program, 2, Wire::tls(&program));
        caller.register();
        callee.register();
        caller.call(&mut callee);
        program.signal(signal);
        for phone in [&mut caller, &mut callee] {
            let bye = phone.wire.message();
            assert!(bye.starts_with("BYE "), "{bye}");
            phone.answer(&bye, 200);
        }
        // By TLS's word, not by TCP's alone, which anybody could say.
        assert!(callee.wire.is_closed());
        let records = program.ended();
        let legs = records
            .iter()
            .filter(|record| record["body"].get("CallLeg").is_some());
        assert_eq!(legs.count(), 2);
    }
}

/// What cannot be started says why and ends.
#[test]
fn a_second_one_is_refused() {
    let program = Program::start();
    let said = program.second();
    assert!(said.contains("in use by another process"), "{said}");
    program.stop();
}

/// How long anything may take before a test has failed.
const PATIENCE: Duration = Duration::from_secs(20);
