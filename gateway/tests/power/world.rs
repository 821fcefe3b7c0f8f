//! A controller with devices that are plugged in and out, boot, work, are overloaded and shorted by chance, and somebody who adds
//! up what they may draw. It shares no table and no arithmetic with the brain.

use gateway::budget::POWER_SUPPLY;
use gateway::power::{
    Class, Cut, Feed, Found, InCall, PortOrder, PortReading, Power, Reading, SETTLED, STAGGER,
};
use shared::sync::PowerOrder;
use sip::Instant;

/// Watts that each class has at the port (IEEE 802.3 table 33-7), and the current at which the controller cuts it.
const CLASSES: [(f64, f64); 5] = [
    (15.4, 0.374),
    (4.0, 0.110),
    (7.0, 0.204),
    (15.4, 0.374),
    (30.0, 0.645),
];
const VOLTS: f64 = 54.0;
/// A step, and the steps between two readings.
const STEP_MS: u64 = 100;
const READING: u64 = 5;
/// More than the supply has, for so long, is a violation: the brain learns of it after half a second.
const OVERDRAWN_MS: u64 = 1_000;
const SEQUENCE_MS: u64 = 300_000;

/// SplitMix64.
struct Chance(u64);

impl Chance {
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

    fn one_in(&mut self, limit: u64) -> bool {
        self.below(limit) == 0
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.below(1_000) as f64 / 999.0)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Thing {
    Nothing,
    Computer,
    Device {
        class: usize,
        watts: f64,
    },
    /// It is one until it is fed.
    Short {
        class: usize,
    },
}

#[derive(Clone, Copy)]
struct Socket {
    thing: Thing,
    searches: bool,
    /// Since when it feeds.
    since: Option<u64>,
    /// When it will.
    on_at: Option<u64>,
    /// Class of the device that it feeds, or fed last; there may be another one in its place by now.
    class: usize,
    cool_until: u64,
    cut: Option<Cut>,
    /// What has drawn nothing, for so long.
    idle: u64,
    peak: f64,
    promised: Option<f64>,
}

/// What was found out in a sequence.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Ports that were switched on though it did not fit, promises that cannot be kept, and overdrafts that lasted.
    pub violations: u32,
    /// Ports that were switched on.
    pub started: u32,
    /// Ports that were switched off for want of power.
    pub shed: u32,
    /// Ports that the controller cut.
    pub cut: u32,
    /// Steps in which a device waited for want of power.
    pub short: u32,
}

struct World {
    now: u64,
    chance: Chance,
    sockets: [Socket; 4],
    power: Power,
    in_call: InCall,
    lost_until: u64,
    overdrawn: u64,
    last_start: Option<u64>,
    findings: Findings,
}

/// One sequence.
pub fn sequence(seed: u64) -> Findings {
    let socket = Socket {
        thing: Thing::Nothing,
        searches: true,
        since: None,
        on_at: None,
        class: 0,
        cool_until: 0,
        cut: None,
        idle: 0,
        peak: 0.0,
        promised: None,
    };
    let mut world = World {
        now: 0,
        chance: Chance(seed),
        sockets: [socket; 4],
        power: Power::new(POWER_SUPPLY),
        in_call: [false; 4],
        lost_until: 0,
        overdrawn: 0,
        last_start: None,
        findings: Findings::default(),
    };
    while world.now < SEQUENCE_MS {
        world.step();
    }
    world.findings
}

impl World {
    fn step(&mut self) {
        self.now += STEP_MS;
        self.people();
        self.controller();
        if self.now.is_multiple_of(READING * STEP_MS) {
            self.read();
        }
        self.obey();
        self.audit();
    }

    /// What is plugged in, what it draws, what it asks for, who calls, what starts again.
    fn people(&mut self) {
        for at in 0..4 {
            if self.chance.one_in(400) {
                let class = self.chance.below(5) as usize;
                let watts = self.load(class);
                self.sockets[at].thing = match self.chance.below(12) {
                    0 | 1 => Thing::Nothing,
                    2 => Thing::Computer,
                    3 => Thing::Short { class },
                    _ => Thing::Device { class, watts },
                };
                // What was fed is gone with its cable; the new device finds no power there.
                if self.sockets[at].since.is_some() && self.sockets[at].thing != Thing::Nothing {
                    self.sockets[at].idle = 400;
                }
            }
            if let Thing::Device { class, .. } = self.sockets[at].thing
                && self.chance.one_in(30)
            {
                let watts = self.load(class);
                self.sockets[at].thing = Thing::Device { class, watts };
            }
            if let (Some(_), Thing::Device { class, .. }) = (self.sockets[at].since, self.sockets[at].thing)
                && self.sockets[at].idle < 400
                && self.chance.one_in(300)
            {
                self.ask(at, class);
            }
            if self.chance.one_in(200) {
                self.in_call[at] = self.sockets[at].since.is_some() && self.chance.one_in(2);
            }
            if self.chance.one_in(1_500) {
                let how = [PowerOrder::On, PowerOrder::On, PowerOrder::Off, PowerOrder::Cycle]
                    [self.chance.below(4) as usize];
                let force = self.chance.one_in(2);
                let _ = self
                    .power
                    .switch(Instant(self.now), at as u8, how, force, self.in_call);
            }
        }
        if self.chance.one_in(1_500) {
            self.lost_until = self.now + self.chance.below(20_000);
        }
        if self.chance.one_in(1_500) {
            // The processor starts again; promises are made anew when the devices ask again.
            self.power = Power::new(POWER_SUPPLY);
            for socket in &mut self.sockets {
                socket.promised = None;
            }
        }
    }

    /// All that its class has, some of it, or a little too much.
    fn load(&mut self, class: usize) -> f64 {
        let (most, _) = CLASSES[class];
        match self.chance.below(20) {
            0 => most * 1.6,
            1..5 => most,
            _ => self.chance.between(0.6, most),
        }
    }

    fn ask(&mut self, at: usize, class: usize) {
        let before = self.has(at);
        let wanted = self.chance.below(300) as u16;
        let granted = self.power.requested(Instant(self.now), at as u8, wanted);
        if granted == 0 || wanted == 0 {
            return;
        }
        // Volts and ohms of IEEE 802.3 table 33-1.
        let (volts, ohms) = if class == 4 {
            (50.0_f64, 12.5)
        } else {
            (44.0, 20.0)
        };
        let device = f64::from(granted) / 10.0;
        let root = (volts * volts - 4.0 * ohms * device).max(0.0).sqrt();
        // In tenths of a watt 12.95 W are 13, and 3.84 W are 3.9: no class has more for it.
        let port = (volts * (volts - root) / (2.0 * ohms)).min(CLASSES[class].0);
        self.sockets[at].promised = Some(port);
        // What breaks its promise is found at the next reading.
        let all: f64 = (0..4).map(|at| self.has(at)).sum();
        if granted > wanted || self.has(at) > before + 0.2 && all > supply() + 0.2 {
            self.findings.violations += 1;
        }
    }

    fn draws(&self, at: usize) -> f64 {
        match self.sockets[at] {
            Socket { since: None, .. } => 0.0,
            Socket {
                thing: Thing::Device { watts, .. },
                idle,
                ..
            } if idle < 400 => watts,
            _ => 0.0,
        }
    }

    /// What has to be there for a port: what it draws, if that is more than it has.
    fn needs(&self, at: usize) -> f64 {
        self.has(at).max(self.draws(at))
    }

    /// What a port has: what its class may draw; after a minute the most that it has drawn, and a watt; or what it was promised.
    fn has(&self, at: usize) -> f64 {
        let socket = &self.sockets[at];
        let class = CLASSES[socket.class].0;
        let Some(since) = socket.since else {
            return if socket.on_at.is_some() { class } else { 0.0 };
        };
        match socket.promised {
            Some(promised) => promised,
            None if self.now - since >= SETTLED.as_millis() as u64 => class.min(socket.peak + 1.0),
            None => class,
        }
    }

    fn controller(&mut self) {
        for at in 0..4 {
            let watts = self.draws(at);
            let socket = &mut self.sockets[at];
            if socket.on_at.is_some_and(|when| when <= self.now) {
                socket.on_at = None;
                match socket.thing {
                    Thing::Device { class, .. } => {
                        socket.class = class;
                        socket.since = Some(self.now);
                        (socket.peak, socket.promised, socket.idle) = (0.0, None, 0);
                    }
                    _ => socket.cut(self.now, Cut::Start),
                }
            }
            if socket.since.is_none() {
                continue;
            }
            let limit = match socket.thing {
                Thing::Device { class, .. } => CLASSES[class].1 * VOLTS,
                Thing::Short { .. } => -1.0,
                _ => f64::MAX,
            };
            if watts > limit {
                let why = if limit < 0.0 { Cut::Short } else { Cut::Overload };
                socket.cut(self.now, why);
                self.findings.cut += 1;
            } else if watts == 0.0 {
                socket.idle += STEP_MS;
                if socket.idle >= 400 {
                    socket.since = None;
                    socket.cut = Some(Cut::Unplugged);
                }
            }
            socket.peak = socket.peak.max(watts);
        }
    }

    fn read(&mut self) {
        if self.now < self.lost_until {
            self.power.read(Instant(self.now), None, self.in_call);
            return;
        }
        let watts = [0, 1, 2, 3].map(|at| self.draws(at));
        let now = self.now;
        let mut ports = self
            .sockets
            .iter_mut()
            .zip(watts)
            .map(|(socket, watts)| PortReading {
                searches: socket.searches,
                feed: if socket.since.is_some() {
                    Feed::On
                } else {
                    Feed::Off
                },
                found: match socket.thing {
                    _ if now < socket.cool_until => Found::Unknown,
                    // What is fed was classified before.
                    _ if socket.since.is_some() => Found::Device(Class::new(socket.class as u8)),
                    Thing::Nothing => Found::Nothing,
                    Thing::Computer => Found::Other,
                    Thing::Device { class, .. } | Thing::Short { class } => {
                        Found::Device(Class::new(class as u8))
                    }
                },
                cut: socket.cut.take(),
                milliwatts: (watts * 1_000.0) as u32,
            });
        let mut port = || ports.next().expect("four");
        let reading = Reading {
            ports: [port(), port(), port(), port()],
            supply_mv: (VOLTS * 1_000.0) as u32,
            celsius: 50,
            was_too_hot: false,
        };
        drop(ports);
        self.power.read(Instant(self.now), Some(&reading), self.in_call);
    }

    fn obey(&mut self) {
        let mut orders: Vec<_> = std::iter::from_fn(|| self.power.poll()).collect();
        // A port is freed before another one is fed.
        orders.sort_by_key(|(_, order)| matches!(order, PortOrder::On(_)));
        for (port, order) in orders {
            let at = usize::from(port);
            match order {
                PortOrder::On(class) => {
                    let (watts, _) = CLASSES[usize::from(class.number())];
                    let all: f64 = (0..4).map(|at| self.needs(at)).sum();
                    let too_soon = self
                        .last_start
                        .is_some_and(|last| self.now - last < STAGGER.as_millis() as u64);
                    if all + watts > supply() + 0.01 || too_soon {
                        self.findings.violations += 1;
                    }
                    self.findings.started += 1;
                    self.last_start = Some(self.now);
                    if self.now >= self.sockets[at].cool_until && self.sockets[at].searches {
                        self.sockets[at].on_at = Some(self.now + 300);
                        self.sockets[at].class = usize::from(class.number());
                    }
                }
                PortOrder::Off | PortOrder::Disable => {
                    if self.draws_all() > supply() {
                        self.findings.shed += 1;
                    }
                    let socket = &mut self.sockets[at];
                    (socket.since, socket.on_at) = (None, None);
                    socket.searches = order == PortOrder::Off;
                }
                PortOrder::Enable => self.sockets[at].searches = true,
            }
        }
    }

    fn draws_all(&self) -> f64 {
        (0..4).map(|at| self.draws(at)).sum()
    }

    fn audit(&mut self) {
        let waits = |port| {
            self.power.shown(Instant(self.now), port).is_some_and(|shown| {
                shown.power == shared::hub::PortPower::Fault(shared::hub::PowerFault::Budget)
            })
        };
        self.findings.short += u32::from((0..4).any(waits));
        // Nobody can act on what he does not hear.
        if self.draws_all() <= supply() + 0.1 || self.now < self.lost_until + OVERDRAWN_MS {
            self.overdrawn = 0;
            return;
        }
        self.overdrawn += STEP_MS;
        if self.overdrawn == OVERDRAWN_MS {
            self.findings.violations += 1;
        }
    }
}

impl Socket {
    fn cut(&mut self, now: u64, why: Cut) {
        (self.since, self.on_at) = (None, None);
        self.cut = Some(why);
        self.cool_until = now + 1_000;
    }
}

fn supply() -> f64 {
    f64::from(POWER_SUPPLY) / 10.0
}
