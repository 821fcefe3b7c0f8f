//! The phones against each other, without box or cloud: the instrument before the measurement.

use std::net::SocketAddr;

use system_tests::network::{Millis, Place, Quality};
use system_tests::phone::{Action, Identity, Incoming, Manner, Outcome, Phone};
use system_tests::rng::Rng;
use system_tests::world::World;

fn phone(name: &str, at: &str, other: &str, manner: Manner, rng: Rng) -> Phone {
    let address: SocketAddr = at.parse().unwrap();
    let identity = Identity {
        name: name.into(),
        user: name.into(),
        password: String::new(),
        domain: "test".into(),
        address,
        proxy: other.parse().unwrap(),
        sha256: false,
    };
    Phone::new(identity, manner, rng)
}

/// One call from a to b.
fn call(quality: Quality, manner: Incoming, patience: Millis, talk: Millis, seed: u64) -> World<Phone> {
    let mut rng = Rng::new(seed);
    let mut world = World::new(rng.split());
    world.network.set_quality(Place::Office, Place::Office, quality);
    let (at_a, at_b) = ("10.0.0.1:5060", "10.0.0.2:5060");
    let mut a = phone("a", at_a, at_b, Manner::Always(Incoming::Ring), rng.split());
    a.plan(
        10,
        Action::Call {
            to: "b".into(),
            from: None,
            patience,
            talk,
        },
    );
    let b = phone("b", at_b, at_a, Manner::Always(manner), rng.split());
    world.add("a", Place::Office, &["10.0.0.1".parse().unwrap()], a);
    world.add("b", Place::Office, &["10.0.0.2".parse().unwrap()], b);
    world.run(400_000);
    world
}

fn outcomes(world: &World<Phone>) -> [Option<Outcome>; 2] {
    [0, 1].map(|node: usize| {
        assert_eq!(world.nodes[node].problems(), &[] as &[String]);
        assert_eq!(world.nodes[node].busy(), 0, "{:?}", world.nodes[node].log());
        world.nodes[node]
            .log()
            .first()
            .and_then(|log| log.outcome.clone())
    })
}

#[test]
fn calls_end_as_they_should() {
    use Outcome::*;
    let table = [
        (
            Incoming::Answer(2_000, 60_000),
            30_000,
            5_000,
            [Some(HungUpHere), Some(HungUpThere)],
        ),
        (
            Incoming::Answer(2_000, 5_000),
            30_000,
            60_000,
            [Some(HungUpThere), Some(HungUpHere)],
        ),
        (Incoming::Ring, 5_000, 0, [Some(Cancelled), Some(Cancelled)]),
        (
            Incoming::Refuse(486),
            5_000,
            0,
            [Some(Refused(486)), Some(Refused(486))],
        ),
        (Incoming::Silent, 60_000, 0, [Some(TimedOut), Some(TimedOut)]),
        (Incoming::Silent, 5_000, 0, [Some(TimedOut), Some(TimedOut)]),
    ];
    for (manner, patience, talk, want) in table {
        let world = call(Quality::PERFECT, manner, patience, talk, 1);
        assert_eq!(outcomes(&world), want, "{manner:?}");
        for phone in &world.nodes {
            assert!(
                phone.log()[0].bye_status.is_none_or(|status| status == 200),
                "{manner:?}"
            );
        }
    }
}

/// Loss, doubling and overtaking change nothing but the time it takes, as long as one message in six gets through.
#[test]
fn faults_on_the_way_do_not_change_how_a_call_ends() {
    let quality = Quality {
        delay: (1, 300),
        loss: 100,
        duplicate: 200,
    };
    for seed in 0..300 {
        let world = call(quality, Incoming::Answer(3_000, 90_000), 60_000, 20_000, seed);
        assert_eq!(
            outcomes(&world),
            [Some(Outcome::HungUpHere), Some(Outcome::HungUpThere)],
            "seed {seed}"
        );
        let world = call(quality, Incoming::Ring, 20_000, 0, seed);
        assert_eq!(
            outcomes(&world),
            [Some(Outcome::Cancelled), Some(Outcome::Cancelled)],
            "seed {seed}"
        );
        // Answered in the moment of giving up: either, but the same on both sides.
        let world = call(quality, Incoming::Answer(20_000, 90_000), 20_000, 20_000, seed);
        let answered = outcomes(&world)
            .map(|outcome| matches!(outcome, Some(Outcome::HungUpHere | Outcome::HungUpThere)));
        assert_eq!(answered[0], answered[1], "seed {seed}");
    }
}

#[test]
fn a_seed_repeats_a_run() {
    let quality = Quality {
        delay: (1, 300),
        loss: 250,
        duplicate: 200,
    };
    let log = |seed| {
        let world = call(quality, Incoming::Answer(3_000, 90_000), 60_000, 20_000, seed);
        format!("{:?} {}", world.nodes[0].log(), world.network.lost)
    };
    assert_eq!(log(7), log(7));
    assert_ne!(log(7), log(8));
}
