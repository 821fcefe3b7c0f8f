//! A contract with two sites, each with a box of its own: phones 0 and 1 in the office, 2 and 3 at the branch.

use shared::record::FinalState;
use system_tests::check::{Excuses, at_rest, join};
use system_tests::network::{Cut, Millis, Place};
use system_tests::office::{REP, direct, extension};
use system_tests::phone::{CallLog, Direction, Incoming, Manner, Outcome};
use system_tests::scene::{CARRIER, Office, PHONES, Scene};
use system_tests::world::Fault;

const NEVER: Millis = 3_600_000;

fn scene(channels: u8) -> Scene {
    let mut scene = Scene::new(
        1,
        Office {
            branch: 2,
            channels,
            ..Office::QUIET
        },
    );
    scene.world.run(15_000);
    for phone in 0..4 {
        let now = scene.world.now();
        assert!(scene.phone(phone).is_registered(now), "phone {phone}");
    }
    scene
}

fn answers(after: Millis, talk: Millis) -> Manner {
    Manner::Always(Incoming::Answer(after, talk))
}

fn outgoing(scene: &mut Scene, node: usize) -> Vec<CallLog> {
    let log = scene.at(node).log().iter();
    log.filter(|log| log.direction == Direction::Out)
        .cloned()
        .collect()
}

fn outcomes(scene: &mut Scene, node: usize) -> Vec<Outcome> {
    let calls = outgoing(scene, node).into_iter();
    calls.map(|log| log.outcome.expect("it has ended")).collect()
}

fn rest(scene: &mut Scene, excuses: Excuses) {
    let now = scene.world.now();
    scene.world.run(now + 300_000);
    let faults = at_rest(scene, excuses);
    assert!(faults.0.is_empty(), "{}", faults.text());
}

/// A group over two sites, called from outside: all ring at once, the first answer has it, wherever it is.
#[test]
fn a_call_from_outside_rings_both_sites_and_the_first_wins() {
    for winner in 0..4u16 {
        let mut scene = scene(4);
        for phone in 0..4 {
            let after = if phone == winner { 3_000 } else { 20_000 };
            scene.phone(phone).set_manner(answers(after, NEVER));
        }
        scene.call_in(20_000, "09011112222", REP, 30_000, 5_000);
        scene.world.run(60_000);
        let caller = outgoing(&mut scene, CARRIER).remove(0);
        assert_eq!(caller.outcome, Some(Outcome::HungUpHere));
        for phone in 0..4 {
            let log = scene.phone(phone).log()[0].clone();
            let rang = log.ringing.unwrap() - caller.started;
            assert!(rang < 100, "phone {phone} rang after {rang} ms");
            let want = if phone == winner {
                Outcome::HungUpThere
            } else {
                Outcome::Elsewhere
            };
            assert_eq!(log.outcome, Some(want), "phone {phone}, {winner} answers");
        }
        rest(&mut scene, Excuses::default());
    }
}

/// The same group, called inside: the phones of the own site by the own box, the others through the cloud. Cut off, the own
/// site rings all the same.
#[test]
fn a_group_called_inside_rings_both_sites() {
    for winner in [1u16, 3] {
        let mut scene = scene(4);
        scene.phone(winner).set_manner(answers(3_000, NEVER));
        scene.call(20_000, 0, REP, 30_000, 5_000);
        scene.world.run(60_000);
        assert_eq!(outcomes(&mut scene, PHONES), [Outcome::HungUpHere]);
        assert!(scene.phone(0).log().len() == 1, "it does not ring itself");
        for phone in 1..4 {
            let log = scene.phone(phone).log()[0].clone();
            assert!(log.ringing.is_some() && log.peer == extension(0), "{log:?}");
            let want = if phone == winner {
                Outcome::HungUpThere
            } else {
                Outcome::Elsewhere
            };
            assert_eq!(log.outcome, Some(want), "phone {phone}, {winner} answers");
        }
        assert_eq!(
            scene
                .cloud()
                .pbx()
                .unwrap()
                .channels_used(system_tests::scene::CONTRACT),
            0
        );
        rest(&mut scene, Excuses::default());
    }
    let mut scene = scene(4);
    let cut = Fault::Cut(Place::Office, Place::Cloud, Cut::Reset);
    scene.world.plan(18_000, cut);
    scene.phone(1).set_manner(answers(3_000, NEVER));
    scene.phone(3).set_manner(answers(3_000, NEVER));
    scene.call(25_000, 0, REP, 30_000, 5_000);
    scene.call(25_000, 2, REP, 30_000, 5_000);
    scene.world.run(60_000);
    for (caller, called) in [(0, 1), (2, 3)] {
        assert_eq!(outcomes(&mut scene, PHONES + caller), [Outcome::HungUpHere]);
        assert_eq!(scene.phone(called).log()[0].outcome, Some(Outcome::HungUpThere));
    }
}

/// Extensions from site to site (R30), at full channels; and what the caller is told when the line is cut.
#[test]
fn extensions_over_two_sites_need_no_channel() {
    let mut scene = scene(4);
    scene.carrier().set_manner(answers(1_000, NEVER));
    for phone in [1, 3] {
        scene.phone(phone).set_manner(answers(1_000, NEVER));
    }
    // Four channels, four calls.
    for phone in [0, 2] {
        scene.call(18_000, phone, "09033334444", 30_000, 60_000);
    }
    scene.call_in(18_500, "09011112222", &direct(1), 30_000, 60_000);
    scene.call_in(18_500, "09011113333", &direct(3), 30_000, 60_000);
    scene.call(25_000, 0, &extension(3), 30_000, 5_000);
    scene.call(26_000, 2, &extension(1), 30_000, 5_000);
    scene.world.run(50_000);
    let used = scene
        .cloud()
        .pbx()
        .unwrap()
        .channels_used(system_tests::scene::CONTRACT);
    assert_eq!(used, 4);
    for (phone, caller) in [(3, 0), (1, 2)] {
        let log = scene.phone(phone).log()[1].clone();
        assert_eq!(log.peer, extension(caller));
        assert_eq!(log.outcome, Some(Outcome::HungUpThere));
        // Two sites do not reach each other: the cloud relays.
        assert_eq!(log.media.unwrap().ip().to_string(), "203.0.113.1");
    }
    scene.world.run(90_000);
    scene
        .world
        .plan(90_000, Fault::Cut(Place::Office, Place::Cloud, Cut::Reset));
    scene.call(95_000, 0, &extension(3), 60_000, 5_000);
    scene.call(96_000, 2, &extension(1), 60_000, 5_000);
    scene.world.run(160_000);
    assert_eq!(outcomes(&mut scene, PHONES)[2], Outcome::Refused(503));
    assert_eq!(outcomes(&mut scene, PHONES + 2)[2], Outcome::Refused(480));
    scene
        .world
        .plan(160_000, Fault::Join(Place::Office, Place::Cloud));
    rest(
        &mut scene,
        Excuses {
            cut: true,
            ..Excuses::default()
        },
    );
}

/// R15 over two sites: one pool. A call of the carrier beyond it is busy, a call to the outside hears why; 119 passes the same
/// check, and its call-back too: it rings the terminal that called although every channel is in use, and the others, if that
/// one does not answer.
#[test]
fn the_channels_are_shared_and_emergency_calls_pass() {
    let mut scene = scene(4);
    scene.carrier().set_manner(answers(1_000, NEVER));
    scene.phone(0).set_manner(answers(1_000, NEVER));
    for (phone, at) in [(0, 18_000), (1, 18_100), (2, 18_200)] {
        scene.call(at, phone, "09033334444", 30_000, 200_000);
    }
    scene.call_in(19_000, "09011112222", &direct(0), 30_000, 200_000);
    // One too many, from either side and at either site.
    scene.call_in(25_000, "09011113333", &direct(3), 30_000, 1_000);
    scene.call_in(25_000, "09011114444", REP, 30_000, 1_000);
    scene.call(26_000, 3, "09033335555", 60_000, 1_000);
    scene.call(30_000, 3, "119", 60_000, 10_000);
    // The fire brigade calls back; the caller is there only later.
    scene.call_in(50_000, "0335550119", &direct(3), 10_000, 1_000);
    scene.world.run(70_000);
    scene.phone(3).set_manner(answers(2_000, NEVER));
    scene.call_in(75_000, "0335550119", &direct(3), 30_000, 5_000);
    scene.world.run(120_000);
    use Outcome::{Cancelled, HungUpHere, Refused};
    assert_eq!(outcomes(&mut scene, PHONES + 3), [Refused(486), HungUpHere]);
    let out = scene
        .carrier()
        .log()
        .iter()
        .filter(|log| log.direction == Direction::In);
    assert_eq!(out.count(), 4, "three calls and 119 reached the carrier");
    scene.world.run(240_000);
    // In the order of their beginning.
    assert_eq!(
        outcomes(&mut scene, CARRIER),
        [HungUpHere, Refused(486), Refused(486), Cancelled, HungUpHere]
    );
    rest(&mut scene, Excuses::default());
    let limited = join(&mut scene).into_values().flat_map(|call| call.cloud_legs);
    let limited = limited.filter(|leg| leg.state == FinalState::ChannelLimit);
    assert_eq!(limited.count(), 3);
}
