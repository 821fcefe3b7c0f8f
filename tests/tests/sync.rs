//! Both halves of the synchronisation against each other on a virtual clock: messages are lost, doubled, late and
//! damaged, connections break, the box loses its power in the middle of a write, the cloud's commits fail or lose their
//! answer. Whatever happens: a configuration is used whole or not at all and never goes back, and every event that was
//! in the flash is in the database exactly once and in order.
//!
//! A failing seed is printed; `SYNC_SEED=<n>` repeats it. `SYNC_SEEDS=<n>` sets how many are run.

use std::collections::{BTreeMap, HashMap};

use cloud::sync::{Engine, MemoryStore, Outgoing, Report, SyncError, SyncStore, When};
use ed25519_dalek::SigningKey;
use gateway::store::map::EVENTS;
use gateway::store::ram::{RamNor, Torn, run};
use gateway::store::{Op, Store};
use gateway::uplink::{Change, Memory, Output, TOKEN, Uplink};
use shared::record::Stamp;
use shared::site::{Credential, Hash, Id, MAX_SECTION, SectionKind, Site, Sys, root_hash};
use shared::sync::{Event, EventBody, EventId, MAX_MESSAGE, Message, PanicNote, Topic};
use shared::{BoxId, Factory, IdKey, Number, TerminalKind};
use sip::Instant;

const BOX: BoxId = BoxId(0xB0B);
/// 2026, in milliseconds.
const EPOCH: u64 = 1_790_000_000_000;
/// Milliseconds with faults, and the most that may be needed without them.
const STORM: u64 = 300_000;
const CALM: u64 = 3_600_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn permille(&mut self, chance: u64) -> bool {
        self.below(1_000) < chance
    }
}

fn site(random: &mut Random) -> Site {
    let mut site = Site {
        sys: Sys {
            channels: 64,
            realm: "denwaban.example".try_into().unwrap(),
            ..Sys::default()
        },
        ..Site::default()
    };
    site.sys.international = random.permille(500);
    let variant = random.next() as u8;
    for index in 0..1 + random.below(40) as u16 {
        let key = IdKey::new(index).unwrap();
        let direct = Number::parse(&format!("03123{index:05}")).unwrap();
        site.ids
            .push(Id {
                key,
                direct,
                extension: (200 + u32::from(index)).try_into().unwrap(),
                direct_in: true,
                direct_out: true,
                label: "受付".try_into().unwrap(),
                kind: TerminalKind::Fixed,
                outgoing: direct,
                site: site.sys.site,
                port: None,
                phone: None,
            })
            .unwrap();
        site.credentials
            .push(Credential {
                key,
                ha1_md5: [variant; 16],
                ha1_sha256: [variant; 32],
            })
            .unwrap();
    }
    site
}

fn root(site: &Site) -> Hash {
    let mut buf = [0; MAX_SECTION];
    root_hash(&SectionKind::ALL.map(|kind| site.encode_section(kind, &mut buf).unwrap().0))
}

/// What travels, or happens by itself.
enum Due {
    Up { topic: String, payload: Vec<u8> },
    Down { topic: String, payload: Vec<u8> },
    Event,
    Configure,
    Disconnect,
    Connect,
    PowerCut,
    Tick,
}

/// A box that is switched on.
struct Running<'m> {
    uplink: Uplink<'m>,
    store: Store<RamNor<Vec<u8>>>,
    site: Site,
    since: u64,
}

struct World {
    random: Random,
    now: u64,
    due: BTreeMap<(u64, u64), Due>,
    order: u64,
    engine: Engine<MemoryStore>,
    factory: Factory,
    connected: bool,
    stormy: bool,
    /// Every site that was ever wanted, by its root.
    wanted: HashMap<Hash, Site>,
    last_wanted: Option<Site>,
    /// Highest epoch in use so far.
    epoch: u64,
    /// Events by their number: those in the flash, and those the power went on.
    made: u64,
    stored: Vec<u64>,
    perhaps: Vec<u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let key = SigningKey::from_bytes(&[seed as u8; 32]);
        let factory = Factory {
            box_id: BOX,
            secret: [0; 32],
            cloud_host: "cloud.example".try_into().unwrap(),
            sip_port: 5060,
            mqtt_port: 1883,
            realm: "".try_into().unwrap(),
            config_key: key.verifying_key().to_bytes(),
        };
        let mut world = Self {
            random: Random(seed),
            now: 0,
            due: BTreeMap::new(),
            order: 0,
            engine: Engine::new(MemoryStore::default(), key, 1),
            factory,
            connected: false,
            stormy: true,
            wanted: HashMap::new(),
            last_wanted: None,
            epoch: 0,
            made: 0,
            stored: Vec::new(),
            perhaps: Vec::new(),
        };
        // The storm: how hard it is differs from seed to seed.
        let hardness = world.random.below(150);
        let mut faults = Random(seed ^ 0xFA17);
        let fault = move |_| {
            let fails = faults.permille(hardness);
            fails.then(|| {
                if faults.permille(500) {
                    When::Before
                } else {
                    When::After
                }
            })
        };
        world.engine.store().set_fault(Some(Box::new(fault)));
        let plans: [(u64, fn() -> Due); 4] = [
            (1 + world.random.below(80), || Due::Event),
            (1 + world.random.below(5), || Due::Configure),
            (world.random.below(6), || Due::Disconnect),
            (world.random.below(5), || Due::PowerCut),
        ];
        for (count, due) in plans {
            for _ in 0..count {
                let at = world.random.below(STORM);
                world.plan(at, due());
            }
        }
        world.plan(0, Due::Connect);
        world.plan(1_000, Due::Tick);
        world
    }

    fn plan(&mut self, at: u64, due: Due) {
        self.order += 1;
        self.due.insert((at, self.order), due);
    }

    /// Sends a message through the storm.
    fn send(&mut self, make: impl Fn(Vec<u8>) -> Due, payload: &[u8], tamper: bool) {
        if !self.connected || (self.stormy && self.random.permille(80)) {
            return;
        }
        let copies = 1 + u64::from(self.stormy && self.random.permille(80));
        for _ in 0..copies {
            let mut payload = payload.to_vec();
            if tamper && self.stormy && self.random.permille(30) {
                let bit = self.random.below(payload.len() as u64 * 8);
                payload[bit as usize / 8] ^= 1 << (bit % 8);
            }
            let delay = if self.stormy && self.random.permille(50) {
                30_000
            } else {
                200
            };
            let at = self.now + 1 + self.random.below(delay);
            self.plan(at, make(payload));
        }
    }

    fn down(&mut self, messages: Vec<Outgoing>) {
        for Outgoing { topic, payload } in messages {
            assert!(payload.len() <= MAX_MESSAGE);
            let topic = topic.name().to_string();
            self.send(
                |payload| Due::Down {
                    topic: topic.clone(),
                    payload,
                },
                &payload,
                true,
            );
        }
    }

    /// A result of the engine: messages, or a failure nothing depends on.
    fn answered(&mut self, result: Result<Vec<Outgoing>, SyncError<cloud::sync::Failed>>) {
        match result {
            Ok(messages) => self.down(messages),
            Err(SyncError::Store(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }

    /// A configuration was taken into use, or found at the start.
    fn used(&mut self, site: &Site, epoch: u64) {
        assert!(epoch >= self.epoch, "epoch {epoch} after {}", self.epoch);
        self.epoch = epoch;
        assert_eq!(
            self.wanted.get(&root(site)),
            Some(site),
            "a configuration nobody ever wanted"
        );
    }

    /// Runs the box until its power goes; returns its memory.
    fn live(&mut self, flash: RamNor<Vec<u8>>) -> Option<RamNor<Vec<u8>>> {
        let mut memory = Memory::new();
        let mut uplink = Uplink::new(&mut memory, &self.factory);
        let mut store = Store::new(flash);
        let mut site = Site::default();
        let Ok(loaded) = run(store.load(&mut site, 1, |_, _| {})) else {
            return Some(store.flash().clone());
        };
        assert!(loaded.alarms.is_empty(), "{:?}", loaded.alarms);
        if let Some(committed) = &loaded.committed {
            self.used(&site, committed.epoch);
        }
        uplink.start(Instant(0), Stamp::default(), &loaded, &site);
        let mut it = Running {
            uplink,
            store,
            site,
            since: self.now,
        };
        self.connected = false;
        let at = self.now + self.random.below(3_000);
        self.plan(at, Due::Connect);
        loop {
            if !self.poll(&mut it) {
                return Some(it.store.flash().clone());
            }
            let mine = it
                .uplink
                .next_deadline()
                .map(|at| (it.since + at.0).max(self.now));
            let next = self.due.first_key_value().map(|((at, _), _)| *at);
            if self.now >= STORM && self.stormy {
                self.stormy = false;
                self.engine.store().set_fault(None);
            }
            if !self.stormy && self.is_settled(&it) {
                return None;
            }
            assert!(
                self.now < STORM + CALM,
                "it never comes to rest: {}",
                self.state(&it)
            );
            match (next, mine) {
                (None, None) => panic!("nothing will ever happen again: {}", self.state(&it)),
                (next, Some(mine)) if next.is_none_or(|next| mine < next) => self.now = mine,
                (Some(next), _) => {
                    self.now = next.max(self.now);
                    let (_, due) = self.due.pop_first().unwrap();
                    self.happen(&mut it, due);
                }
                (None, Some(_)) => unreachable!(),
            }
        }
    }

    fn happen(&mut self, it: &mut Running<'_>, due: Due) {
        let now = Instant(self.now - it.since);
        let wall = EPOCH + self.now;
        match due {
            Due::Up { topic, payload } => {
                let result = run(self.engine.message(wall, &topic, &payload));
                self.answered(result);
            }
            Due::Down { topic, payload } => _ = it.uplink.message(now, None, &topic, &payload),
            Due::Event => {
                self.made += 1;
                let message = "x".repeat(self.random.below(190) as usize);
                let note = PanicNote {
                    message: message.as_str().try_into().unwrap(),
                    uptime: self.made,
                };
                it.uplink.event(now, Stamp::default(), EventBody::Panic(note));
            }
            Due::Configure => {
                let site = site(&mut self.random);
                self.wanted.insert(root(&site), site.clone());
                match run(self.engine.configure(wall, BOX, &site)) {
                    Ok((_, messages)) => {
                        self.last_wanted = Some(site);
                        self.down(messages);
                    }
                    // It may have been done all the same: whoever asked asks again.
                    Err(_) => self.plan(self.now + 500, Due::Configure),
                }
            }
            Due::Disconnect => {
                if self.connected {
                    self.connected = false;
                    it.uplink.disconnected(now);
                    if self.random.permille(700) {
                        let result = run(self.engine.disconnected(BOX)).map(|()| Vec::new());
                        self.answered(result);
                    }
                }
                let at = self.now + self.random.below(20_000);
                self.plan(at, Due::Connect);
            }
            Due::Connect => {
                if !self.connected {
                    self.connected = true;
                    it.uplink.connected(now);
                }
            }
            Due::PowerCut => {
                let torn = if self.random.permille(500) {
                    Torn::Random
                } else {
                    Torn::Unreadable
                };
                let change = self.random.below(60);
                it.store.flash().cut_after(change, torn);
            }
            Due::Tick => {
                let result = run(self.engine.tick(wall));
                self.answered(result);
                self.plan(self.now + 1_000, Due::Tick);
            }
        }
    }

    /// Does what the box wants; false if its power went.
    fn poll(&mut self, it: &mut Running<'_>) -> bool {
        let now = Instant(self.now - it.since);
        while it.uplink.poll(now) {
            match it.uplink.output().unwrap() {
                Output::Publish { topic, payload } => {
                    assert!(payload.len() <= MAX_MESSAGE);
                    assert!(matches!(Topic::parse(&topic), Some(Topic::Up(BOX, _))));
                    let (topic, payload) = (topic.to_string(), payload.to_vec());
                    self.send(
                        |payload| Due::Up {
                            topic: topic.clone(),
                            payload,
                        },
                        &payload,
                        false,
                    );
                }
                Output::Store(op) => {
                    let done = run(it.store.execute(TOKEN, &op));
                    let worked = done.result.is_ok();
                    if let (Op::PushEvent(bytes), Some(number)) = (&op, number(&op)) {
                        assert!(!bytes.is_empty());
                        (if worked {
                            &mut self.stored
                        } else {
                            &mut self.perhaps
                        })
                        .push(number);
                    }
                    let change = it.uplink.stored(now, done, &mut it.site);
                    if let (Change::Committed, Op::Commit(committed)) = (change, &op) {
                        self.used(&it.site, committed.epoch);
                    }
                    if it.store.flash().is_off() {
                        return false;
                    }
                }
                Output::Reconnect => {
                    self.connected = false;
                    it.uplink.disconnected(now);
                    let at = self.now + self.random.below(3_000);
                    self.plan(at, Due::Connect);
                }
            }
        }
        true
    }

    fn is_settled(&self, it: &Running<'_>) -> bool {
        let planned = self
            .due
            .values()
            .any(|due| !matches!(due, Due::Tick | Due::Connect));
        let wanted = self.last_wanted.as_ref().map(root);
        !planned && it.uplink.queued() == 0 && wanted == it.uplink.committed().map(|committed| committed.root)
    }

    fn state(&self, it: &Running<'_>) -> String {
        format!(
            "connected {}, welcomed {}, queued {}, wanted {:?}, committed {:?}, offered {:?}",
            self.connected,
            it.uplink.is_welcomed(),
            it.uplink.queued(),
            self.last_wanted.as_ref().map(|site| root(site)[0]),
            it.uplink
                .committed()
                .map(|committed| (committed.epoch, committed.root[0])),
            self.engine.offered(BOX),
        )
    }

    fn run(&mut self) {
        let mut flash = RamNor::new(vec![0xFF; EVENTS.end() as usize]);
        while let Some(mut memory) = self.live(flash) {
            memory.restore();
            flash = memory;
            self.connected = false;
            self.now += self.random.below(10_000);
        }
        self.check();
    }

    fn check(&self) {
        let events = self.engine.store().events(BOX);
        let mut ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
        assert!(ids.is_sorted(), "in the order in which they happened");
        ids.dedup();
        assert_eq!(ids.len(), events.len(), "each once");
        let numbers: Vec<u64> = events
            .iter()
            .filter_map(
                |received| match &received.event.as_ref().expect("a schema we know").body {
                    EventBody::Panic(note) => Some(note.uptime),
                    _ => None,
                },
            )
            .collect();
        assert!(numbers.is_sorted());
        let sure: Vec<u64> = numbers
            .iter()
            .copied()
            .filter(|number| !self.perhaps.contains(number))
            .collect();
        let mut stored: Vec<u64> = self.stored.clone();
        stored.retain(|number| !self.perhaps.contains(number));
        assert_eq!(sure, stored, "what was in the flash is in the database");
        // The cloud knows what the box uses.
        if let Some(site) = &self.last_wanted {
            let desired = run(self.engine.store().desired(BOX)).unwrap().unwrap();
            assert_eq!((desired.epoch, desired.root()), (self.epoch, root(site)));
        }
    }
}

/// The number of an event on its way into the flash.
fn number(op: &Op) -> Option<u64> {
    match op {
        Op::PushEvent(bytes) => match Event::decode(bytes).unwrap().body {
            EventBody::Panic(note) => Some(note.uptime),
            _ => None,
        },
        _ => None,
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn box_and_cloud_agree_after_every_storm() {
    if let Some(seed) = setting("SYNC_SEED") {
        return World::new(seed).run();
    }
    let seeds = setting("SYNC_SEEDS").unwrap_or(2_000);
    let (mut events, mut epochs, mut starts) = (0, 0, 0);
    for seed in 0..seeds {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            world.run();
            let reports = world.engine.store().reports(BOX);
            let started = reports.iter().filter_map(|report| match report {
                Report::Online(hello) => Some(hello.boot),
                _ => None,
            });
            (
                world.engine.store().events(BOX).len(),
                world.epoch,
                started.max().unwrap_or(0),
            )
        });
        let Ok((stored, epoch, boots)) = outcome else {
            panic!("failed with SYNC_SEED={seed}")
        };
        events += stored;
        epochs += epoch;
        starts += boots;
    }
    // The storms were storms.
    assert!(
        events as u64 > seeds * 20 && epochs > seeds && u64::from(starts) > seeds,
        "{events} {epochs} {starts}"
    );
}

#[test]
fn a_cloud_restored_from_a_copy_is_caught_up_with() {
    let mut world = World::new(5);
    world.engine.store().set_fault(None);
    world.due.clear();
    world.stormy = false;
    for at in [10, 2_000, 4_000] {
        world.plan(at, Due::Configure);
    }
    world.plan(1, Due::Connect);
    let mut flash = Some(RamNor::new(vec![0xFF; EVENTS.end() as usize]));
    assert!(world.live(flash.take().unwrap()).is_none());
    assert_eq!(world.epoch, 3);
    world.engine.store().forget_epochs(BOX, 2);
    let desired = |world: &World| run(world.engine.store().desired(BOX)).unwrap().unwrap();
    assert_eq!(desired(&world).epoch, 1);
    // The box says what it has; the same content gets an epoch above all it has seen.
    let hello = shared::sync::Hello {
        protocol: 1,
        boot: 2,
        epoch: 3,
        root: [0; 32],
        firmware: "".try_into().unwrap(),
        rx_max: 4_096,
        queued: 0,
        refused: 0,
    };
    let mut buf = [0; MAX_MESSAGE];
    let topic = Topic::Up(BOX, shared::sync::Up::Hello).name();
    let out = run(world
        .engine
        .message(EPOCH, &topic, hello.encode(&mut buf).unwrap()))
    .unwrap();
    assert_eq!(out.len(), 2, "an answer and a manifest");
    assert_eq!(desired(&world).epoch, 4);
}
