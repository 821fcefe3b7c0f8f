//! A random story: calls, cuts, deaths and a database that fails, all from one seed.

use crate::check::{Excuses, Faults, at_rest, channels, remembered};
use crate::desk_box::Flash;
use crate::network::{Cut, Millis, Place, Quality};
use crate::office;
use crate::phone::{Incoming, Manner};
use crate::rng::Rng;
use crate::scene::{BOX, CLOUD, Office, Scene, site_of};
use crate::telephone::Visit;
use crate::world::Fault;

/// The phones register for the first time from here…
const FIRST: Millis = 2_000;
/// …to here, if nothing keeps them from it. The box loses its power then as often as later.
const LAST: Millis = 6_000;
/// Calls and other faults happen from here…
const BEGIN: Millis = 15_000;
/// …to here; then everything is whole.
const END: Millis = 150_000;
/// And by then everything has come to rest.
const REST: Millis = 480_000;

/// How a story went.
pub struct Told {
    /// What did not hold.
    pub faults: Faults,
    /// What was done.
    pub excuses: Excuses,
    /// Calls that were tried.
    pub calls: usize,
    /// Of them answered.
    pub answered: usize,
    /// How often a telephone at an analog line had somebody to talk to.
    pub heard: usize,
}

fn quality(rng: &mut Rng, far: Millis, worst_loss: u64) -> Quality {
    let least = rng.range(1, far);
    // Two stories in three have a path that loses nothing: there every outcome is certain.
    let loss = if rng.chance(330) {
        rng.range(0, worst_loss) as u32
    } else {
        0
    };
    Quality {
        delay: (least, least + rng.range(0, far)),
        loss,
        duplicate: rng.range(0, 20) as u32,
    }
}

fn manner(rng: &mut Rng) -> Manner {
    let mut manners = Vec::new();
    for _ in 0..4 {
        let talk = rng.range(500, 60_000);
        manners.push(match rng.range(0, 9) {
            0..6 => Incoming::Answer(rng.range(0, 8_000), talk),
            6 => Incoming::Refuse(486),
            7 => Incoming::Refuse(603),
            8 => Incoming::Ring,
            _ => Incoming::Silent,
        });
    }
    Manner::OneOf(manners)
}

fn plan_calls(scene: &mut Scene, rng: &mut Rng) -> usize {
    let phones = u64::from(scene.office.phones);
    let calls = rng.range(4, 20);
    for call in 0..calls {
        let at = rng.range(BEGIN, END);
        let patience = rng.range(200, 50_000);
        let talk = rng.range(100, 60_000);
        let phone = rng.range(0, phones - 1) as u16;
        let other = rng.range(0, phones - 1) as u16;
        match rng.range(0, 9) {
            0 | 1 => scene.call(at, phone, &office::extension(other), patience, talk),
            2 | 3 => scene.call(at, phone, &format!("0901234{:04}", call), patience, talk),
            4 | 5 => scene.call_in(at, &format!("0809876{:04}", call), office::REP, patience, talk),
            6 => scene.call_in(
                at,
                &format!("0809876{:04}", call),
                &office::direct(other),
                patience,
                talk,
            ),
            7 => scene.call(at, phone, office::REP, patience, talk),
            8 => scene.call(
                at,
                phone,
                rng.pick(&["119", "110", "184117", "117"]),
                patience,
                talk,
            ),
            _ => {
                let wrong = ["299", "0", "*55", "+15551234567", "031234999"];
                scene.call(at, phone, rng.pick(&wrong), patience, talk);
            }
        }
    }
    calls as usize
}

/// Somebody goes to the telephones now and then.
fn plan_visits(scene: &mut Scene, rng: &mut Rng) -> usize {
    let (phones, telephones) = (scene.office.phones, scene.office.telephones);
    let mut visits = 0;
    for line in 0..telephones {
        let mut at = BEGIN;
        for _ in 0..rng.range(0, 4) {
            at += rng.range(2_000, 40_000);
            let stays = rng.range(1_000, 60_000);
            if at + stays > END {
                break;
            }
            let of = |rng: &mut Rng| rng.range(0, u64::from(phones + telephones - 1)) as u16;
            let digits = match rng.range(0, 9) {
                0..5 => office::extension(of(rng)),
                5 => office::REP.into(),
                6 => "0901234999".into(),
                7 => rng.pick(&["119", "117", "299", "2"]).into(),
                8 => office::direct(of(rng)),
                _ => String::new(),
            };
            let consults = rng
                .chance(400)
                .then(|| (rng.range(500, 20_000), office::extension(of(rng))));
            let visit = Visit {
                digits,
                by_dial: rng.chance(300),
                consults,
                stays,
            };
            scene.desk().telephones[usize::from(line)].visit(at, visit);
            at += stays;
            visits += 1;
        }
    }
    visits
}

/// Plans cuts and deaths; when the box starts again, if it dies.
fn plan_faults(scene: &mut Scene, rng: &mut Rng, excuses: &mut Excuses) -> Option<Millis> {
    let mut at = BEGIN;
    for _ in 0..rng.range(0, 3) {
        at += rng.range(1_000, 40_000);
        let long = rng.pick(&[300, 3_000, 20_000, 60_000]);
        let until = at + rng.range(100, long);
        if until > END {
            break;
        }
        let how = rng.pick(&[Cut::Silent, Cut::Reset]);
        scene.world.plan(at, Fault::Cut(Place::Office, Place::Cloud, how));
        scene.world.plan(until, Fault::Join(Place::Office, Place::Cloud));
        excuses.cut = true;
        at = until;
    }
    let early = rng.chance(500);
    let mut death = |node, permille, (from, to), died: &mut bool| {
        *died = rng.chance(permille);
        let off = rng.range(from, to);
        let on = off + rng.range(1_000, 30_000);
        if *died {
            scene.world.plan(off, Fault::Off(node));
            scene.world.plan(on, Fault::On(node));
        }
        died.then_some(on)
    };
    let later = (BEGIN, END - 30_000);
    death(CLOUD, 150, later, &mut excuses.cloud_died);
    death(
        BOX,
        300,
        if early { (FIRST, LAST) } else { later },
        &mut excuses.box_died,
    )
}

/// Tells the story of a seed.
pub fn tell(seed: u64) -> Told {
    let mut rng = Rng::new(seed ^ 0x5EED);
    let phones = rng.range(2, 7);
    let office = Office {
        phones: phones as u16,
        // One story in three has two sites.
        branch: if rng.chance(330) {
            rng.range(1, phones - 1) as u16
        } else {
            0
        },
        // One story in two has telephones.
        telephones: if rng.chance(500) {
            rng.range(1, 4) as u16
        } else {
            0
        },
        channels: (phones + rng.range(0, 1)) as u8,
        lan: quality(&mut rng, 5, 30),
        wan: quality(&mut rng, 60, 50),
        trunk: quality(&mut rng, 40, 40),
        flash: Flash {
            len: Flash::SHORT,
            time: (1, rng.range(1, 60)),
        },
    };
    let mut scene = Scene::new(seed, office);
    let mut excuses = Excuses {
        lossy: office.lan.loss > 0 || office.trunk.loss > 0,
        ..Excuses::default()
    };
    for node in scene.agents() {
        let manner = manner(&mut rng);
        scene.at(node).set_manner(manner);
    }
    let calls = plan_calls(&mut scene, &mut rng) + plan_visits(&mut scene, &mut rng);
    let mut starts = plan_faults(&mut scene, &mut rng, &mut excuses);

    let mut faults = Faults::default();
    let mut fails = false;
    let mut more = None;
    for now in (0..REST).step_by(1_000) {
        if now == BEGIN || (now > BEGIN && now < END && now % 20_000 == 0) {
            // The database fails now and then, and for a while almost altogether.
            let permille = rng.pick(&[0, 0, 50, 200, 600]);
            scene.cloud().database().set_failures(permille);
            fails = true;
        }
        if now >= END && fails {
            scene.cloud().database().set_failures(0);
            fails = false;
        }
        if now == 60_000 && rng.chance(200) {
            // An administrator gives the contract one channel more.
            more = Some(now);
            for (here, id) in [(office::HOME, office::BOX), (office::BRANCH, office::BRANCH_BOX)] {
                let site = site_of(&scene.office, here, office.branch, office.channels + 1);
                scene.cloud().configure(now, id, site);
            }
        }
        if let Some(on) = starts.take_if(|on| *on <= now) {
            scene.world.run(on);
            faults.0.extend(remembered(&mut scene).0);
        }
        scene.world.run(now);
    }
    faults.0.extend(at_rest(&mut scene, excuses).0);
    // A cloud that has lost its calls lets others through while the carrier still has them.
    if !excuses.cloud_died {
        let limit = |at| {
            usize::from(office.channels)
                + usize::from(office.telephones)
                + usize::from(more.is_some_and(|since| since <= at))
        };
        faults.0.extend(channels(scene.carrier().log(), limit).0);
    }
    let answered = scene
        .agents()
        .map(|node| {
            scene
                .at(node)
                .log()
                .iter()
                .filter(|log| log.answered.is_some())
                .count()
        })
        .sum();
    Told {
        faults,
        excuses,
        calls,
        heard: scene
            .desk()
            .telephones
            .iter()
            .map(|telephone| telephone.heard)
            .sum(),
        answered,
    }
}
