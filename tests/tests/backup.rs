//! The box is dead for good, and its phones go to their backup proxy: the cloud takes them in until there is a box again.

use std::net::SocketAddr;

use deskphones::Phone;
use deskphones::agent::{CallLog, Direction, Incoming};
use deskphones::model::{GXP1628, HT801, KX_HDV230N, Model};
use deskphones::rng::Rng;
use shared::record::{FinalState, Side};
use system_tests::desks::{self, BOX, Desks, UPLINK};
use system_tests::network::{Millis, NodeId, Place};
use system_tests::office;
use system_tests::phone::{Action, Identity, Manner, Phone as Agent};
use system_tests::scene::Actor;
use system_tests::world::Fault;

const MODELS: [&Model; 3] = [&GXP1628, &KX_HDV230N, &HT801];
const CARRIER: &str = "198.51.100.9:5060";
const OUTSIDE: &str = "09011112222";
/// From the death of a box until the last of its phones is at the cloud, and from its return until the last is back: half
/// a registration, in which the phone notices nothing, and 32 s of silence, both with some chance.
const GOES: Millis = 240_000;

/// An office whose three phones are registered at their box, and a carrier that answers.
struct Scene {
    desks: Desks,
    phones: [NodeId; 3],
    carrier: NodeId,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut site = office::site(3, 3);
        for (index, model) in (0..).zip(MODELS) {
            desks::claim(&mut site, index, model, desks::mac(model, index), None, 1);
        }
        let mut desks = Desks::new(seed, site);
        let address: SocketAddr = CARRIER.parse().expect("an address");
        let identity = Identity {
            name: "carrier".into(),
            user: "carrier".into(),
            password: String::new(),
            domain: "203.0.113.1".into(),
            address,
            proxy: "203.0.113.1:5060".parse().expect("an address"),
            sha256: false,
        };
        let manner = Manner::Always(Incoming::Answer(1_000, 300_000));
        let carrier = Actor::Phone(Agent::new(identity, manner, desks.chance()));
        let carrier = desks
            .world
            .add("carrier", Place::Carrier, &[address.ip()], carrier);
        desks.world.run(5_000);
        let mut index = 0;
        let phones = MODELS.map(|model| {
            // Another switch feeds them: they go on when the box does not.
            let phone = Phone::new(model, desks::mac(model, index), Rng::new(seed + u64::from(index)));
            let now = desks.world.now();
            index += 1;
            desks.plug(now, phone, UPLINK, false)
        });
        desks.world.run(100_000);
        let mut scene = Self {
            desks,
            phones,
            carrier,
        };
        assert!(scene.are_registered());
        assert_eq!(scene.here(), 0);
        scene
    }

    fn run(&mut self, ms: Millis) {
        let until = self.desks.world.now() + ms;
        self.desks.world.run(until);
    }

    fn are_registered(&mut self) -> bool {
        self.phones.iter().all(|node| self.desks.is_registered(*node))
    }

    /// Phones at the cloud.
    fn here(&mut self) -> usize {
        self.desks.cloud().pbx().map_or(0, |pbx| pbx.phones().count())
    }

    fn carrier(&mut self) -> &mut Agent {
        match &mut self.desks.world.nodes[self.carrier] {
            Actor::Phone(carrier) => carrier,
            _ => unreachable!("the carrier is a user agent"),
        }
    }

    /// Somebody outside calls, and hangs up 5 s after an answer.
    fn call_in(&mut self, to: &str) {
        let now = self.desks.world.now();
        let call = Action::Call {
            to: to.into(),
            from: Some(OUTSIDE.into()),
            patience: 30_000,
            talk: 5_000,
        };
        self.carrier().plan(now, call);
    }

    /// What a phone saw of its calls.
    fn log(&mut self, index: usize) -> Vec<CallLog> {
        let agent = self.desks.phone(self.phones[index]).agent(0);
        agent.map(|agent| agent.log().to_vec()).unwrap_or_default()
    }

    /// How often each phone has rung.
    fn rung(&mut self) -> [usize; 3] {
        [0, 1, 2].map(|index| {
            let log = self.log(index);
            log.iter().filter(|call| call.direction == Direction::In).count()
        })
    }

    /// Nobody has anything to complain of, and nothing is left of any call.
    fn check(&mut self) {
        for node in self.phones {
            let phone = self.desks.phone(node);
            assert!(phone.problems.is_empty(), "{:#?}", phone.problems);
            let agent = phone.agent(0).expect("a line");
            assert!(agent.problems().is_empty(), "{:?}", agent.problems());
            assert_eq!(agent.busy(), 0);
        }
        assert!(self.carrier().problems().is_empty());
        assert!(self.desks.cloud().problems.is_empty());
        let ports = self.desks.cloud().ports().expect("it runs");
        assert!(
            ports.problems.is_empty() && ports.in_use() == 0,
            "{:?}",
            ports.problems
        );
    }

    /// The box loses its power; gives the time until all its phones are at the cloud.
    fn box_dies(&mut self) -> Millis {
        let start = self.desks.world.now();
        self.desks.world.plan(start, Fault::Off(BOX));
        while self.here() < 3 {
            self.run(1_000);
            assert!(
                self.desks.world.now() < start + GOES,
                "{} phones came",
                self.here()
            );
        }
        self.desks.world.now() - start
    }

    /// The box has power again; gives the time until all its phones are back.
    fn box_returns(&mut self) -> Millis {
        let start = self.desks.world.now();
        self.desks.world.plan(start, Fault::On(BOX));
        let mut back = start;
        while self.here() > 0 || !self.are_registered() {
            self.run(1_000);
            back = self.desks.world.now();
            assert!(
                back < start + GOES,
                "{} phones are still at the cloud",
                self.here()
            );
        }
        back - start
    }
}

#[test]
fn the_cloud_takes_phones_while_their_box_is_dead() {
    let (mut goes, mut comes) = (0, 0);
    for seed in 1..=20 {
        let mut scene = Scene::new(seed);
        goes = goes.max(scene.box_dies());
        assert!(scene.are_registered());

        // A call from outside rings all of them, and the second one takes it.
        let second = scene.phones[1];
        scene
            .desks
            .phone(second)
            .set_manner(Incoming::Answer(2_000, 60_000));
        scene.call_in(office::REP);
        scene.run(20_000);
        assert_eq!(scene.rung(), [1; 3]);
        let taken = scene.log(1).pop().expect("a call");
        assert_eq!((taken.peer.as_str(), taken.answered.is_some()), (OUTSIDE, true));
        assert_eq!(
            taken.media.map(|at| at.ip().to_string()).as_deref(),
            Some("203.0.113.1")
        );
        assert!(scene.carrier().log()[0].answered.is_some());
        let records = scene.desks.cloud().records.clone();
        let terminals: Vec<_> = records.iter().map(|(_, leg)| (leg.terminal, leg.state)).collect();
        let key = scene.desks.site.ids[1].key;
        assert_eq!(
            terminals,
            [(None, FinalState::Answered), (Some(key), FinalState::Answered)]
        );

        // One goes out, with the number it always has; one goes to an extension.
        let (now, first) = (scene.desks.world.now(), scene.phones[0]);
        scene.desks.phone(first).call(now, "0335550001", 20_000, 3_000);
        scene.run(15_000);
        let out = scene.carrier().log()[1].clone();
        assert_eq!((out.direction, out.answered.is_some()), (Direction::In, true));
        assert_eq!(out.peer, "+81312340000", "{out:?}");
        let now = scene.desks.world.now();
        scene
            .desks
            .phone(first)
            .call(now, &office::extension(1), 20_000, 3_000);
        scene.run(15_000);
        assert_eq!(scene.rung(), [1, 2, 1]);
        assert_eq!(scene.log(1)[1].peer, office::extension(0));
        assert!(scene.log(1)[1].answered.is_some());
        let records = &scene.desks.cloud().records;
        assert!(records.iter().all(|(_, leg)| leg.side == Side::Cloud));
        assert_eq!(records.len(), 6);
        scene.check();

        // There is a box again: its phones go home, and a call rings each of them once.
        comes = comes.max(scene.box_returns());
        scene.call_in(office::REP);
        scene.run(20_000);
        assert_eq!(scene.rung(), [2, 3, 2], "seed {seed}");
        assert!(scene.log(1)[2].answered.is_some());
        scene.check();
    }
    println!(
        "figure backup.box_dead_to_phones_at_cloud.s {:.0} s",
        goes as f64 / 1e3
    );
    println!(
        "figure backup.box_back_to_phones_home.s {:.0} s",
        comes as f64 / 1e3
    );
}

/// The box is back and calls come in, second after second: no phone ever rings twice for one, wherever it is just then.
#[test]
fn nobody_rings_twice_while_phones_go_home() {
    for seed in 1..=10 {
        let mut scene = Scene::new(seed);
        scene.box_dies();
        let start = scene.desks.world.now();
        scene.desks.world.plan(start + 3_000, Fault::On(BOX));
        for call in 0..20 {
            scene.call_in(office::REP);
            scene.run(7_000);
            let agent = scene.carrier();
            agent.plan(start + (call + 1) * 7_000, Action::HangUp);
        }
        scene.run(GOES);
        for index in 0..3 {
            let log = scene.log(index);
            let mut sessions: Vec<_> = log.iter().map(|call| call.session.as_str()).collect();
            sessions.sort_unstable();
            let all = sessions.len();
            sessions.dedup();
            assert_eq!(
                sessions.len(),
                all,
                "seed {seed}: phone {index} rang twice for one call"
            );
        }
        assert!(scene.are_registered());
        assert_eq!(scene.here(), 0);
        scene.check();
    }
}

/// A phone in a call goes home: the call goes on to its end.
#[test]
fn a_call_outlives_the_return_of_the_box() {
    let mut scene = Scene::new(1);
    scene.box_dies();
    let (now, first) = (scene.desks.world.now(), scene.phones[0]);
    scene.desks.phone(first).call(now, "0335550001", 20_000, 200_000);
    scene.run(5_000);
    scene.box_returns();
    scene.run(100_000);
    assert_eq!(scene.desks.cloud().pbx().map(|pbx| pbx.live().count()), Some(1));
    scene.run(120_000);
    let call = scene.log(0)[0].clone();
    assert!(
        call.ended.expect("over") - call.answered.expect("answered") >= 200_000,
        "{call:?}"
    );
    scene.check();
}
