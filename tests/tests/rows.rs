//! Who owns what in a call from or to the outside: line up, cut on the box's side, cut on the cloud's side.

use media::prompt::Prompt;
use shared::record::FinalState;
use system_tests::check::{Excuses, at_rest, join};
use system_tests::network::{Cut, Millis, Place};
use system_tests::office::{REP, direct, extension};
use system_tests::phone::{CallLog, Direction, Incoming, Manner, Outcome};
use system_tests::scene::{BOX, CARRIER, CLOUD, Office, PHONES, Scene};
use system_tests::world::Fault;

const NEVER: Millis = 3_600_000;

/// Phones registered, trunk registered, configuration in use.
fn scene() -> Scene {
    scene_of(Office::QUIET)
}

fn scene_of(office: Office) -> Scene {
    let mut scene = Scene::new(1, office);
    scene.world.run(15_000);
    for phone in 0..office.phones {
        let now = scene.world.now();
        assert!(scene.phone(phone).is_registered(now), "phone {phone}");
    }
    scene
}

fn answers(after: Millis, talk: Millis) -> Manner {
    Manner::Always(Incoming::Answer(after, talk))
}

fn cut(scene: &mut Scene, at: Millis, how: Cut) {
    scene.world.plan(at, Fault::Cut(Place::Office, Place::Cloud, how));
}

fn join_line(scene: &mut Scene, at: Millis) {
    scene.world.plan(at, Fault::Join(Place::Office, Place::Cloud));
}

fn outgoing(scene: &mut Scene, node: usize) -> Vec<CallLog> {
    scene
        .at(node)
        .log()
        .iter()
        .filter(|log| log.direction == Direction::Out)
        .cloned()
        .collect()
}

fn rest(scene: &mut Scene, excuses: Excuses) {
    let now = scene.world.now();
    scene.world.run(now + 300_000);
    let faults = at_rest(scene, excuses);
    assert!(faults.0.is_empty(), "{}", faults.text());
}

fn prompts(scene: &mut Scene) -> Vec<Prompt> {
    scene
        .desk()
        .announcements
        .iter()
        .map(|(_, _, prompt)| *prompt)
        .collect()
}

/// Outside leg: the cloud's trunk. Fork and winner: the box picks the first of its phones and answers the cloud.
#[test]
fn line_up_a_call_from_outside_rings_all_and_the_first_wins() {
    let mut scene = scene();
    for phone in 0..4 {
        scene
            .phone(phone)
            .set_manner(answers(3_000 + 1_000 * u64::from(phone ^ 2), 60_000));
    }
    scene.call_in(20_000, "09011112222", REP, 30_000, 5_000);
    scene.world.run(60_000);
    let caller = outgoing(&mut scene, CARRIER).remove(0);
    assert_eq!(caller.outcome, Some(Outcome::HungUpHere));
    let setup = caller.ringing.unwrap() - caller.started;
    assert!(setup < 100, "first ring after {setup} ms");
    for phone in 0..4u16 {
        let log = scene.phone(phone).log()[0].clone();
        assert_eq!(log.peer, "09011112222");
        assert_eq!(
            log.ringing.unwrap() / 10,
            caller.ringing.unwrap() / 10 - 1,
            "all ring at once"
        );
        assert!(!log.is_missed());
        let want = if phone == 2 {
            Outcome::HungUpThere
        } else {
            Outcome::Elsewhere
        };
        assert_eq!(log.outcome, Some(want), "phone {phone}");
        // Audio to the outside goes through the cloud's relay.
        assert_eq!(log.media.unwrap().ip().to_string(), "203.0.113.1");
    }
    assert_eq!(caller.media.unwrap().ip().to_string(), "203.0.113.1");
    rest(&mut scene, Excuses::default());
    let calls = join(&mut scene);
    assert_eq!(calls.len(), 1);
    let (_, call) = calls.first_key_value().unwrap();
    assert_eq!((call.box_legs.len(), call.cloud_legs.len()), (2, 2));
    assert!(
        call.box_legs
            .iter()
            .chain(&call.cloud_legs)
            .all(|leg| leg.state == FinalState::Answered)
    );
}

/// The number presented is the ID's own choice; the carrier sees the number called in E.164.
#[test]
fn line_up_a_call_to_the_outside_presents_its_number() {
    let mut scene = scene();
    scene.carrier().set_manner(answers(2_000, 60_000));
    scene.call(20_000, 0, "09033334444", 30_000, 4_000);
    scene.call(21_000, 1, "09033335555", 30_000, 4_000);
    scene.world.run(60_000);
    let seen: Vec<_> = scene
        .carrier()
        .log()
        .iter()
        .map(|log| (log.peer.clone(), log.outcome.clone()))
        .collect();
    let plus = |digits: &str| format!("+81{}", &digits[1..]);
    let names = |number: &str| [number.to_owned(), plus(number)];
    assert_eq!(seen.len(), 2);
    assert!(names(REP).contains(&seen[0].0), "{seen:?}");
    assert!(names(&direct(1)).contains(&seen[1].0), "{seen:?}");
    assert!(
        seen.iter()
            .all(|(_, outcome)| *outcome == Some(Outcome::HungUpThere)),
        "{seen:?}"
    );
    rest(&mut scene, Excuses::default());
}

/// Inside the office the cloud has no part: audio goes from phone to phone, whatever the line does.
#[test]
fn inside_the_office_nobody_notices_the_cut() {
    for how in [Cut::Silent, Cut::Reset] {
        let mut scene = scene();
        scene.phone(1).set_manner(answers(1_000, NEVER));
        scene.phone(3).set_manner(answers(1_000, NEVER));
        let before: Vec<u32> = (0..4)
            .map(|phone| scene.phone(phone).register_failures())
            .collect();
        scene.call(18_000, 0, &extension(1), 30_000, 120_000);
        cut(&mut scene, 20_000, how);
        for n in 0..10 {
            scene.call(25_000 + 10_000 * n, 2, &extension(3), 5_000, 3_000);
        }
        join_line(&mut scene, 160_000);
        scene.world.run(180_000);
        let long = outgoing(&mut scene, PHONES).remove(0);
        assert_eq!(long.outcome, Some(Outcome::HungUpHere));
        assert_eq!(long.ended.unwrap() - long.answered.unwrap(), 120_000);
        assert_eq!(long.media.unwrap().ip().to_string(), "192.168.1.12");
        for call in outgoing(&mut scene, PHONES + 2) {
            assert_eq!(call.outcome, Some(Outcome::HungUpHere), "{call:?}");
            assert!(call.ringing.unwrap() - call.started < 50);
        }
        let after: Vec<u32> = (0..4)
            .map(|phone| scene.phone(phone).register_failures())
            .collect();
        assert_eq!(before, after, "no phone had to notice");
        rest(
            &mut scene,
            Excuses {
                cut: true,
                ..Excuses::default()
            },
        );
        assert_eq!(
            join(&mut scene).len(),
            11,
            "every call is recorded after the return"
        );
    }
}

/// A call to the outside is never silently impossible: announcement and reason, at once when the line is known to be down,
/// within the time of a first answer when it is not yet.
#[test]
fn cut_a_call_to_the_outside_is_told_so() {
    for how in [Cut::Silent, Cut::Reset] {
        let mut scene = scene();
        cut(&mut scene, 20_000, how);
        scene.call(20_500, 0, "09033334444", 60_000, 4_000);
        scene.call(60_000, 1, "09033334444", 60_000, 4_000);
        scene.call(61_000, 2, "119", 60_000, 4_000);
        scene.world.run(120_000);
        for (phone, limit) in [(0, 1_700), (1, 50), (2, 50)] {
            let log = outgoing(&mut scene, PHONES + phone).remove(0);
            let delay = log.ringing.unwrap() - log.started;
            assert!(
                delay <= limit,
                "{how:?}, phone {phone}: announcement after {delay} ms"
            );
            assert_eq!(log.outcome, Some(Outcome::Refused(503)), "{how:?}, phone {phone}");
            assert!(
                log.reason.contains("Q.850") && log.reason.contains("cause=38"),
                "{log:?}"
            );
            // The announcement comes from the box itself.
            assert_eq!(log.media.unwrap().ip().to_string(), "192.168.1.2");
        }
        use Prompt::*;
        assert_eq!(
            prompts(&mut scene),
            [OutsideLineDown, OutsideLineDown, EmergencyImpossible]
        );
        join_line(&mut scene, 121_000);
        scene.world.run(150_000);
        rest(
            &mut scene,
            Excuses {
                cut: true,
                ..Excuses::default()
            },
        );
    }
}

/// Cut while a call from outside rings. Cloud's side: the desk phones count as absent, the caller is told. Box's side: the
/// phones stop ringing, nobody shows an answered call.
#[test]
fn cut_while_it_rings_both_sides_come_to_an_end() {
    for how in [Cut::Silent, Cut::Reset] {
        let mut scene = scene();
        scene.call_in(20_000, "09011112222", REP, 120_000, 5_000);
        cut(&mut scene, 25_000, how);
        scene.world.run(80_000);
        let caller = outgoing(&mut scene, CARRIER).remove(0);
        assert_eq!(caller.outcome, Some(Outcome::Refused(480)), "{how:?}");
        assert!(
            caller.ended.unwrap() - 25_000 <= 20_000,
            "{how:?}: told after {:?}",
            caller.ended
        );
        for phone in 0..4 {
            let log = scene.phone(phone).log()[0].clone();
            assert!(log.ended.unwrap() - 25_000 <= 25_000, "{how:?}: {log:?}");
            assert_eq!(log.outcome, Some(Outcome::Cancelled));
        }
        join_line(&mut scene, 100_000);
        scene.phone(0).set_manner(answers(1_000, 2_000));
        // The line's return: the carrier's next call succeeds.
        scene.call_in(130_000, "09011113333", REP, 120_000, 5_000);
        scene.world.run(150_000);
        assert_eq!(
            outgoing(&mut scene, CARRIER)[1].outcome,
            Some(Outcome::HungUpThere)
        );
        rest(
            &mut scene,
            Excuses {
                cut: true,
                ..Excuses::default()
            },
        );
        let calls = join(&mut scene);
        assert!(
            calls
                .values()
                .all(|call| !call.box_legs.is_empty() && !call.cloud_legs.is_empty())
        );
    }
}

/// Cut in the middle of a call with the outside: both sides let go of it, each with its record; channels are free again.
#[test]
fn cut_in_a_call_frees_it_on_both_sides() {
    for (how, long) in [(Cut::Silent, 60_000), (Cut::Reset, 60_000)] {
        let mut scene = scene();
        scene.carrier().set_manner(answers(1_000, NEVER));
        scene.phone(1).set_manner(answers(1_000, NEVER));
        scene.call(18_000, 0, "09033334444", 30_000, NEVER);
        scene.call_in(18_000, "09011112222", &direct(1), 30_000, NEVER);
        cut(&mut scene, 25_000, how);
        join_line(&mut scene, 25_000 + long);
        scene.world.run(25_000 + long);
        for node in [CARRIER, PHONES, PHONES + 1] {
            assert_eq!(scene.at(node).busy(), 0, "{how:?}: node {node}");
        }
        scene.world.run(150_000);
        scene.call_in(160_000, "09011113333", &direct(1), 30_000, 1_000);
        scene.call(160_000, 0, "09033335555", 30_000, 1_000);
        scene.world.run(190_000);
        for node in [CARRIER, PHONES] {
            assert_eq!(
                outgoing(&mut scene, node)[1].outcome,
                Some(Outcome::HungUpHere),
                "{how:?}"
            );
        }
        rest(
            &mut scene,
            Excuses {
                cut: true,
                ..Excuses::default()
            },
        );
    }
}

/// A cut shorter than anybody's patience: the call goes on, and is hung up as if nothing had been.
#[test]
fn a_short_cut_ends_no_call() {
    for how in [Cut::Silent, Cut::Reset] {
        let mut scene = scene();
        scene.carrier().set_manner(answers(1_000, NEVER));
        scene.call(18_000, 0, "09033334444", 30_000, 60_000);
        cut(&mut scene, 25_000, how);
        join_line(&mut scene, 27_000);
        scene.world.run(100_000);
        let log = outgoing(&mut scene, PHONES).remove(0);
        assert_eq!(
            (log.outcome, log.bye_status),
            (Some(Outcome::HungUpHere), Some(200)),
            "{how:?}"
        );
        assert_eq!(scene.carrier().log()[0].outcome, Some(Outcome::HungUpThere));
        rest(&mut scene, Excuses::default());
    }
}

/// R15: the cloud counts; one call more than the contract's channels is busy, from either direction.
#[test]
fn one_call_more_than_the_channels_is_busy() {
    let mut scene = scene_of(Office {
        phones: 2,
        channels: 2,
        ..Office::QUIET
    });
    scene.carrier().set_manner(answers(1_000, NEVER));
    scene.phone(1).set_manner(answers(1_000, NEVER));
    scene.call(18_000, 0, "09033334444", 30_000, 60_000);
    scene.call_in(19_000, "09011112222", &direct(1), 30_000, 50_000);
    // Two channels are in use now.
    scene.call(25_000, 0, "09033335555", 60_000, 1_000);
    scene.call_in(26_000, "09011113333", &direct(1), 30_000, 1_000);
    // Inside calls take none, and emergency calls need none.
    scene.call(27_000, 0, &extension(1), 2_000, 1_000);
    scene.call(40_000, 0, "110", 30_000, 1_000);
    // They are free again.
    scene.call(100_000, 0, "09033335555", 60_000, 1_000);
    scene.world.run(120_000);
    let outcomes = |scene: &mut Scene, node| -> Vec<_> {
        outgoing(scene, node)
            .into_iter()
            .map(|log| log.outcome.unwrap())
            .collect()
    };
    use Outcome::*;
    assert_eq!(
        outcomes(&mut scene, PHONES),
        [HungUpHere, Refused(486), HungUpHere, HungUpHere, HungUpHere]
    );
    assert_eq!(outcomes(&mut scene, CARRIER), [HungUpHere, Refused(486)]);
    // While the line is up it is the cloud that speaks, through its relay.
    assert_eq!(prompts(&mut scene), []);
    rest(&mut scene, Excuses::default());
    let busy = join(&mut scene)
        .into_values()
        .flat_map(|call| [call.box_legs, call.cloud_legs].concat());
    let states: Vec<_> = busy
        .map(|leg| leg.state)
        .filter(|state| *state != FinalState::Answered)
        .collect();
    // The call out on both sides, the call in on the cloud's, which did not let it through.
    assert_eq!(states, [FinalState::ChannelLimit; 3]);
}

/// The box dies with the line cut: it comes up from its own memory, the phones need not register again, and what it had
/// written down reaches the cloud once, in order.
#[test]
fn the_box_comes_back_by_itself() {
    let mut scene = scene();
    scene.phone(1).set_manner(answers(1_000, NEVER));
    scene.call(16_000, 0, &extension(1), 30_000, 1_000);
    cut(&mut scene, 19_000, Cut::Silent);
    scene.call(20_000, 0, &extension(1), 30_000, 1_000);
    scene.world.plan(30_000, Fault::Off(BOX));
    scene.world.plan(31_000, Fault::On(BOX));
    scene.world.run(31_100);
    let registered: Vec<u32> = (0..4).map(|phone| scene.phone(phone).registered()).collect();
    scene.call(31_200, 0, &extension(1), 30_000, 1_000);
    scene.world.run(40_000);
    let calls = outgoing(&mut scene, PHONES);
    assert_eq!(calls.len(), 3);
    assert!(
        calls.iter().all(|call| call.outcome == Some(Outcome::HungUpHere)),
        "{calls:?}"
    );
    let again: Vec<u32> = (0..4).map(|phone| scene.phone(phone).registered()).collect();
    assert_eq!(registered, again, "the registrations were still known");
    join_line(&mut scene, 50_000);
    scene.world.run(100_000);
    rest(
        &mut scene,
        Excuses {
            box_died: true,
            cut: true,
            ..Excuses::default()
        },
    );
    let calls = join(&mut scene);
    assert_eq!(calls.len(), 3);
    assert!(calls.values().all(|call| call.box_legs.len() == 2));
}

/// The cloud dies and comes back: the office's calls go on, the box registers again, the next call from outside succeeds.
#[test]
fn the_cloud_comes_back() {
    let mut scene = scene();
    scene.phone(0).set_manner(answers(1_000, 2_000));
    scene.phone(1).set_manner(answers(1_000, NEVER));
    scene.call(16_000, 0, &extension(1), 30_000, 50_000);
    scene.world.plan(20_000, Fault::Off(CLOUD));
    scene.world.plan(40_000, Fault::On(CLOUD));
    scene.world.run(80_000);
    assert_eq!(outgoing(&mut scene, PHONES)[0].outcome, Some(Outcome::HungUpHere));
    scene.call_in(90_000, "09011112222", &direct(0), 30_000, 10_000);
    scene.world.run(110_000);
    assert_eq!(
        outgoing(&mut scene, CARRIER)[0].outcome,
        Some(Outcome::HungUpThere)
    );
    rest(
        &mut scene,
        Excuses {
            cloud_died: true,
            ..Excuses::default()
        },
    );
}

/// A wrong password registers nobody and calls nobody.
#[test]
fn a_wrong_password_is_refused() {
    let mut scene = Scene::new(1, Office::QUIET);
    scene.phone(2).set_password("wrong");
    scene.phone(1).set_manner(answers(1_000, 1_000));
    scene.call(20_000, 2, &extension(1), 5_000, 1_000);
    scene.world.run(60_000);
    let now = scene.world.now();
    assert!(!scene.phone(2).is_registered(now) && scene.phone(2).registered() == 0);
    assert!(scene.phone(1).log().is_empty());
    let outcome = outgoing(&mut scene, PHONES + 2)[0].outcome.clone();
    assert!(
        matches!(outcome, Some(Outcome::Refused(401 | 403 | 407))),
        "{outcome:?}"
    );
    assert!(
        (0..4)
            .filter(|phone| *phone != 2)
            .all(|phone| scene.phone(phone).is_registered(now))
    );
}

/// A request to call outside that was on its way when the connection broke is repeated on the new one: the outside rings
/// once, also where the caller has been told meanwhile that it is impossible.
#[test]
fn a_call_repeated_on_a_new_connection_is_one_call() {
    for back in [20_400, 23_000] {
        for ring in [50, 5_000] {
            let mut scene = scene();
            scene.carrier().set_manner(answers(ring, NEVER));
            scene.call(20_000, 0, "119", 30_000, 4_000);
            // Sent by the box, not yet answered by the cloud.
            cut(&mut scene, 20_006, Cut::Reset);
            join_line(&mut scene, back);
            scene.world.run(60_000);
            assert_eq!(
                scene.carrier().log().len(),
                1,
                "back at {back}, answered after {ring} ms"
            );
            assert_eq!(scene.carrier().busy(), 0);
            rest(
                &mut scene,
                Excuses {
                    cut: true,
                    ..Excuses::default()
                },
            );
        }
    }
}
