//! A call is parked at one phone and taken at another, with the line to the cloud and without.

use system_tests::check::{Excuses, at_rest};
use system_tests::network::{Cut, Millis, Place};
use system_tests::office::{REP, extension};
use system_tests::phone::{Action, CallLog, Direction, Incoming, Manner, Outcome, Terms};
use system_tests::scene::{CARRIER, Office, Scene};
use system_tests::world::Fault;

const SLOT: &str = "**01";

/// Phones registered; one of them has a key for the slot.
fn scene() -> Scene {
    let mut scene = Scene::new(1, Office::QUIET);
    scene.phone(3).watch(14_000, Terms::default(), SLOT);
    scene.world.run(15_000);
    scene
}

fn answers(after: Millis) -> Manner {
    Manner::Always(Incoming::Answer(after, 600_000))
}

fn parks(scene: &mut Scene, at: Millis, phone: u16) {
    let to = SLOT.to_owned();
    scene.phone(phone).plan(at, Action::Transfer { to });
}

fn is_lit(scene: &mut Scene) -> bool {
    let now = scene.world.now();
    let phone = scene.phone(3);
    let (_, stands, document) = phone.lamps(now).next().unwrap();
    assert!(stands, "the box does not know the slot");
    document.contains("<state>confirmed</state>")
}

fn last(scene: &mut Scene, phone: u16, direction: Direction) -> CallLog {
    let log = scene.phone(phone).log();
    log.iter()
        .rfind(|log| log.direction == direction)
        .unwrap()
        .clone()
}

/// The line is cut; two within the office talk, one parks the other, a third takes it.
#[test]
fn inside_while_the_line_is_cut() {
    let mut scene = scene();
    scene
        .world
        .plan(15_000, Fault::Cut(Place::Office, Place::Cloud, Cut::Silent));
    scene.phone(1).set_manner(answers(2_000));
    scene.call(60_000, 0, &extension(1), 30_000, 600_000);
    scene.world.run(70_000);
    assert!(!is_lit(&mut scene));
    parks(&mut scene, 70_000, 1);
    scene.world.run(75_000);
    assert!(is_lit(&mut scene));
    let parked = last(&mut scene, 0, Direction::Out);
    assert_eq!(parked.outcome, None);
    let parker = last(&mut scene, 1, Direction::In);
    assert_eq!(parker.outcome, Some(Outcome::HungUpThere));
    // The tone goes to where it hears, and comes from where it was told.
    let held = scene.desk().held.clone();
    assert_eq!(held.len(), 1, "{held:?}");
    let (at, to) = held[0];
    assert!((70_000..71_000).contains(&at), "{at}");
    let (port, from) = scene.phone(0).audio().unwrap();
    assert_eq!(to, (scene.phone(0).identity().address.ip(), port).into());
    assert_eq!(from.ip(), scene.phone(0).identity().proxy.ip());

    scene.call(100_000, 2, SLOT, 30_000, 20_000);
    scene.world.run(105_000);
    assert!(!is_lit(&mut scene));
    let taken = last(&mut scene, 2, Direction::Out);
    assert!(taken.answered.is_some_and(|at| at < 101_000), "{taken:?}");
    // Each hears the other.
    let audio = |scene: &mut Scene, phone| {
        let (port, to) = scene.phone(phone).audio().unwrap();
        ((scene.phone(phone).identity().address.ip(), port).into(), to)
    };
    let ((of_0, to_0), (of_2, to_2)) = (audio(&mut scene, 0), audio(&mut scene, 2));
    assert_eq!((to_0, to_2), (of_2, of_0));
    // The slot is empty.
    scene.call(110_000, 3, SLOT, 30_000, 20_000);
    scene.world.run(150_000);
    assert_eq!(
        last(&mut scene, 3, Direction::Out).outcome,
        Some(Outcome::Refused(404))
    );
    assert_eq!(
        last(&mut scene, 0, Direction::Out).outcome,
        Some(Outcome::HungUpThere)
    );
    scene
        .world
        .plan(160_000, Fault::Join(Place::Office, Place::Cloud));
    rest(&mut scene);
}

/// A caller from outside keeps its channel while it is parked (A10); forgotten, it rings where it was parked, and is taken there.
#[test]
fn from_outside() {
    let mut scene = scene();
    for phone in 0..scene.office.phones {
        let manner = if phone == 1 {
            answers(2_000)
        } else {
            Manner::Always(Incoming::Ring)
        };
        scene.phone(phone).set_manner(manner);
    }
    scene.call_in(20_000, "09011112222", REP, 30_000, 250_000);
    scene.world.run(40_000);
    parks(&mut scene, 40_000, 1);
    scene.world.run(45_000);
    assert!(is_lit(&mut scene));
    // Three more calls with the outside take the other channels.
    scene.carrier().set_manner(answers(1_000));
    for phone in [0, 2, 3] {
        scene.call(50_000, phone, "09022223333", 30_000, 20_000);
    }
    scene.call(60_000, 1, "09022223333", 30_000, 20_000);
    scene.world.run(155_000);
    for (phone, outcome) in [
        (0, Outcome::HungUpHere),
        (1, Outcome::Refused(486)),
        (2, Outcome::HungUpHere),
        (3, Outcome::HungUpHere),
    ] {
        let call = last(&mut scene, phone, Direction::Out);
        assert_eq!(call.outcome, Some(outcome), "{call:?}");
    }
    assert!(is_lit(&mut scene));
    // Two minutes.
    scene.world.run(170_000);
    assert!(!is_lit(&mut scene));
    let again = last(&mut scene, 1, Direction::In);
    assert!(
        again.answered.is_some_and(|at| (162_000..163_000).contains(&at)),
        "{again:?}"
    );
    let outgoing = |log: &&CallLog| log.direction == Direction::Out;
    let caller = scene.at(CARRIER).log().iter().find(outgoing).unwrap();
    assert_eq!(caller.outcome, None);
    scene.world.run(300_000);
    assert_eq!(
        last(&mut scene, 1, Direction::In).outcome,
        Some(Outcome::HungUpThere)
    );
    rest(&mut scene);
}

fn rest(scene: &mut Scene) {
    let now = scene.world.now();
    scene.world.run(now + 300_000);
    let faults = at_rest(scene, Excuses::default());
    assert!(faults.0.is_empty(), "{}", faults.text());
}
