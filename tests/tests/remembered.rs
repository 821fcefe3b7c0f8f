//! What a phone was told survives: the power goes at every moment at which phones register.

use system_tests::check::remembered;
use system_tests::desk_box::Flash;
use system_tests::network::Millis;
use system_tests::scene::{BOX, Office, Scene};
use system_tests::world::Fault;

/// The phones register for the first time within these, the slowest flash included.
const REGISTERING: std::ops::Range<Millis> = 2_000..6_500;
/// So long the power goes at every millisecond after a phone has got its 200, too.
const AFTER: Millis = 5;

fn scene(seed: u64) -> Scene {
    let flash = Flash {
        time: (20, 60),
        len: Flash::SHORT,
    };
    Scene::new(
        seed,
        Office {
            flash,
            ..Office::QUIET
        },
    )
}

/// How many phones the box knows, and how many were told so.
fn known(scene: &mut Scene) -> (usize, usize) {
    let now = scene.world.now();
    let known = scene.desk().brain(|brain| brain.registered().count());
    let told = (0..4).filter(|phone| scene.phone(*phone).is_registered(now));
    (known.unwrap_or_default(), told.count())
}

/// Milliseconds at which a phone waits for its 200, or has just got it.
fn moments(seed: u64) -> Vec<Millis> {
    let mut scene = scene(seed);
    let mut until = 0;
    let moments = REGISTERING.filter(|&now| {
        scene.world.run(now);
        let (known, told) = known(&mut scene);
        if known > told {
            until = now + AFTER;
        }
        now <= until
    });
    moments.collect()
}

#[test]
fn whenever_the_power_goes_a_phone_with_its_200_is_known_after() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..3 {
        for off in moments(seed) {
            let mut scene = scene(seed);
            scene.world.run(off);
            let (before, _) = known(&mut scene);
            scene.world.plan(off, Fault::Off(BOX));
            scene.world.plan(off + 1, Fault::On(BOX));
            scene.world.run(off + 1);
            let faults = remembered(&mut scene);
            assert!(
                faults.0.is_empty(),
                "seed {seed}, power off at {off} ms:\n{}",
                faults.text()
            );
            match known(&mut scene).0 < before {
                true => lost += 1,
                false => kept += 1,
            }
        }
    }
    // Most cuts came between a binding and its 200, some behind it.
    assert!(lost > 100 && kept > 50, "{lost} lost, {kept} kept");
}
