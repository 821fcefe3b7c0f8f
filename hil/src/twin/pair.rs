//! The two wires between a SLIC and a telephone set: what flows in them, what echoes, and what is wrong with them.
//!
//! Direct current and ringing are a network of two nodes against ground, tip and ring, solved every frame: the feed with
//! its current limit, the set's loop or its bells, leakage, a foreign voltage. Speech is a ladder of the cable's series
//! R and L and shunt C, ended by the set's impedance; its echo at the SLIC's hybrid is what the ladder reflects, no
//! recorded impulse response. Both are discretised by the trapezoidal rule at 8 kHz, which makes coils and capacitors act
//! at 3 kHz as they would at 6.1 kHz (at 1 kHz: 1.05 kHz).

use super::ag1171::Feed;
use super::filter::{RATE, Random, smooth};
use std::f64::consts::PI;

/// RMS volts of 0 dBm at 600 Ω.
pub const DBM: f64 = 0.774_6;
/// Two-wire and balance impedance of the SLIC, ohms (Ag1171 §5.7, §5.8).
const HYBRID: f64 = 600.0;
/// Resistor between tip and ring for on-hook transmission, ohms (Ag1171 §5.10).
const BIAS: f64 = 20_000.0;
/// Sections of the cable's ladder.
const SECTIONS: usize = 4;
/// Nodes of the ladder: the SLIC, the sections' ends, and one inside the set.
const NODES: usize = SECTIONS + 2;
/// Twice the sampling rate: what the trapezoidal rule makes of a derivative.
const S: f64 = 2.0 * RATE;

/// Amplitude of a sine of `dbm` into 600 Ω, volts.
pub fn amplitude(dbm: f64) -> f64 {
    DBM * 10f64.powf(dbm / 20.0) * 2f64.sqrt()
}

/// A kind of cable, per kilometre of both wires together.
#[derive(Debug, Clone, Copy)]
pub struct Cable {
    /// Length, km.
    pub kilometres: f64,
    /// Ohms a km.
    pub ohms: f64,
    /// Henry a km.
    pub henry: f64,
    /// Farad a km.
    pub farad: f64,
}

impl Cable {
    /// Copper of 0.5 mm: 178 Ω, 0.6 mH, 50 nF a km.
    pub fn half_millimetre(kilometres: f64) -> Cable {
        Cable {
            kilometres,
            ohms: 178.0,
            henry: 0.6e-3,
            farad: 50e-9,
        }
    }
}

/// What a set is to speech: `r1` in series with `r2` and `c` in parallel.
#[derive(Debug, Clone, Copy)]
pub struct Impedance {
    /// Ohms.
    pub r1: f64,
    /// Ohms.
    pub r2: f64,
    /// Farad.
    pub c: f64,
}

impl Impedance {
    /// The Japanese reference: 150 Ω + (830 Ω ‖ 72 nF).
    pub const JAPAN: Impedance = Impedance {
        r1: 150.0,
        r2: 830.0,
        c: 72e-9,
    };
    /// As good as 600 Ω.
    pub const MATCHED: Impedance = Impedance {
        r1: 300.0,
        r2: 300.0,
        c: 0.0,
    };
}

/// A wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Tip (L1).
    Tip,
    /// Ring (L2).
    Ring,
}

/// A voltage on the line that is not the SLIC's.
#[derive(Debug, Clone, Copy)]
pub struct Foreign {
    /// The wire that it touches.
    pub wire: Wire,
    /// Volts, or the amplitude of an alternating one.
    pub volts: f64,
    /// 0 is direct.
    pub hertz: f64,
    /// Ohms between it and the wire.
    pub ohms: f64,
}

/// The line as it was built and as it is damaged.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// The cable.
    pub cable: Cable,
    /// The set's impedance off hook.
    pub impedance: Impedance,
    /// The set's resistance off hook to direct current, ohms.
    pub loop_ohms: f64,
    /// Bells on the line, in sets of 1 µF and 7 kΩ at 16 Hz.
    pub bells: f64,
    /// Leakage between the wires, of tip to ground, of ring to ground, ohms.
    pub leakage: [f64; 3],
    /// Foreign voltage.
    pub foreign: Option<Foreign>,
    /// White noise at either end, dBm.
    pub noise: f64,
}

impl Default for Condition {
    fn default() -> Self {
        Condition {
            cable: Cable::half_millimetre(0.3),
            impedance: Impedance::JAPAN,
            loop_ohms: 250.0,
            bells: 1.0,
            leakage: [f64::INFINITY; 3],
            foreign: None,
            noise: -75.0,
        }
    }
}

/// What the set does in a frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drive {
    /// Is the loop closed?
    pub closed: bool,
    /// Its speech: volts that it would give into 600 Ω.
    pub mouth: f64,
}

impl Impedance {
    /// By how much more than 600 Ω it and 600 Ω are together, at 1 kHz: what a source behind it has to give.
    fn surplus(self) -> f64 {
        let w = 2.0 * PI * 1000.0 * self.r2 * self.c;
        let (real, imaginary) = (self.r1 + self.r2 / (1.0 + w * w), self.r2 * w / (1.0 + w * w));
        (real + HYBRID).hypot(imaginary) / HYBRID
    }
}

/// What is at the set's terminals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminals {
    /// Direct voltage and ringing, tip against ring, volts.
    pub volts: f64,
    /// Speech, with the set's own balanced out at 600 Ω, volts.
    pub ear: f64,
}

/// What the electronics see of the line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    /// Voltage of tip and of ring against ground.
    pub tip: f64,
    /// The same of ring.
    pub ring: f64,
    /// Current in the ring wire behind the sense resistor, amperes; positive from tip through the set to ring.
    pub current: f64,
    /// Current in the loop as the SLIC measures it, amperes.
    pub sensed: f64,
    /// VOUT of the SLIC, volts.
    pub voice: f64,
}

/// A capacitor in the trapezoidal rule.
#[derive(Debug, Clone, Copy, Default)]
struct Capacitor {
    volts: f64,
    current: f64,
}

impl Capacitor {
    /// Current into it when nothing changes the voltage: the history term.
    fn history(&self, farad: f64) -> f64 {
        S * farad * self.volts + self.current
    }

    fn becomes(&mut self, volts: f64, farad: f64) {
        self.current = S * farad * (volts - self.volts) - self.current;
        self.volts = volts;
    }
}

/// The line, alive.
#[derive(Debug, Clone)]
pub struct Pair {
    /// How it is built; may change at any time.
    pub condition: Condition,
    bells: Capacitor,
    shunts: [Capacitor; NODES],
    series: [f64; SECTIONS],
    nodes: [f64; NODES],
    slow: f64,
    closed: bool,
    frame: u64,
    random: Random,
}

impl Pair {
    /// A line whose noise is its own.
    pub fn new(condition: Condition, seed: u64) -> Pair {
        Pair {
            condition,
            bells: Capacitor::default(),
            shunts: Default::default(),
            series: [0.0; SECTIONS],
            nodes: [0.0; NODES],
            slow: 0.0,
            closed: false,
            frame: 0,
            random: Random::new(seed),
        }
    }

    /// A frame goes by. `measured`: the measuring bus is on the wires.
    pub fn frame(&mut self, feed: Option<Feed>, vin: f64, drive: Drive, measured: bool) -> (Line, Terminals) {
        self.frame += 1;
        let mut line = self.currents(feed, drive.closed, measured);
        let speech = feed.is_some_and(|feed| feed.speech);
        let (echo, ear) = self.speech(if speech { vin } else { 0.0 }, drive);
        // The loop current's changes are heard as clicks; its steady part is balanced out.
        let current = line.sensed;
        let click = (current - smooth(&mut self.slow, current, 0.02)) * HYBRID / 2.0;
        line.voice = if speech { echo + click } else { 0.0 };
        let across = line.tip - line.ring;
        let volts = if drive.closed {
            let ohms = self.condition.loop_ohms;
            across * ohms / (ohms + self.cable_ohms())
        } else {
            across
        };
        (line, Terminals { volts, ear })
    }

    fn cable_ohms(&self) -> f64 {
        self.condition.cable.ohms * self.condition.cable.kilometres
    }

    fn currents(&mut self, feed: Option<Feed>, closed: bool, measured: bool) -> Line {
        let condition = &self.condition;
        let [between, tip, ring] = condition.leakage.map(f64::recip);
        let bus = if measured { 1.0 / 10.1e6 } else { 0.0 };
        // Conductances of the nodes against ground with their currents, and between them.
        let (mut to_ground, mut into) = ([tip + bus, ring + bus], [0.0; 2]);
        if let Some(foreign) = condition.foreign {
            let wire = usize::from(foreign.wire == Wire::Ring);
            let angle = 2.0 * PI * foreign.hertz * self.frame as f64 / RATE;
            to_ground[wire] += foreign.ohms.recip();
            into[wire] += foreign.volts * angle.cos() / foreign.ohms;
        }
        let (mut across, mut pushed) = (between + BIAS.recip(), 0.0);
        let farad = 1e-6 * condition.bells;
        let bells = if closed || condition.bells <= 0.0 {
            0.0
        } else {
            (7_000.0 / condition.bells + self.cable_ohms() + 1.0 / (S * farad)).recip()
        };
        let history = self.bells.history(farad) / (S * farad).max(1e-12);
        if closed {
            across += (self.cable_ohms() + condition.loop_ohms).recip();
        } else {
            across += bells;
            pushed = bells * history;
        }
        let solve = |scale: f64| -> [f64; 2] {
            let (mut to_ground, mut into) = (to_ground, into);
            into[0] += pushed;
            into[1] -= pushed;
            if let Some(feed) = feed {
                let (middle, half) = ((feed.tip + feed.ring) / 2.0, (feed.tip - feed.ring) / 2.0);
                let g = 2.0 / feed.ohms;
                to_ground = to_ground.map(|each| each + g);
                into[0] += g * (middle + scale * half);
                into[1] += g * (middle - scale * half);
            } else {
                // Nothing holds open wires but the air.
                to_ground = to_ground.map(|each| each + 1e-10);
            }
            let (a, d) = (to_ground[0] + across, to_ground[1] + across);
            let determinant = a * d - across * across;
            [
                (into[0] * d + into[1] * across) / determinant,
                (into[1] * a + into[0] * across) / determinant,
            ]
        };
        // What flows out of tip and into ring at the SLIC, without the bias resistor's share.
        let flows = |[tip, ring]: [f64; 2], scale: f64| -> [f64; 2] {
            feed.map_or([0.0; 2], |feed| {
                let (middle, half) = ((feed.tip + feed.ring) / 2.0, (feed.tip - feed.ring) / 2.0);
                let bias = (tip - ring) / BIAS;
                [
                    (middle + scale * half - tip) * 2.0 / feed.ohms - bias,
                    (ring - middle + scale * half) * 2.0 / feed.ohms - bias,
                ]
            })
        };
        let mean = |[a, b]: [f64; 2]| (a + b) / 2.0;
        let mut scale = 1.0;
        if let Some(feed) = feed {
            // The current is linear in the voltage: the voltage of the limit lies on a line.
            let (full, none) = (mean(flows(solve(1.0), 1.0)), mean(flows(solve(0.0), 0.0)));
            if full.abs() > feed.limit && (full - none).abs() > 1e-9 {
                scale = ((feed.limit.copysign(full) - none) / (full - none)).clamp(0.0, 1.0);
            }
        }
        let nodes = solve(scale);
        let flow = flows(nodes, scale);
        if closed {
            // Off hook the bells are disconnected and lose their charge.
            self.bells = Capacitor::default();
        } else if bells > 0.0 {
            let current = bells * (nodes[0] - nodes[1] - history);
            self.bells = Capacitor {
                volts: history + current / (S * farad),
                current,
            };
        }
        Line {
            tip: nodes[0],
            ring: nodes[1],
            current: flow[1],
            sensed: mean(flow),
            voice: 0.0,
        }
    }

    /// The ladder: `vin` comes in at the SLIC, the set's mouth at the other end; VOUT and the set's ear.
    fn speech(&mut self, vin: f64, drive: Drive) -> (f64, f64) {
        let condition = self.condition;
        if std::mem::replace(&mut self.closed, drive.closed) != drive.closed {
            self.shunts[NODES - 1] = Capacitor::default();
        }
        // No cable is shorter than a metre.
        let length = condition.cable.kilometres.max(1e-3) / SECTIONS as f64;
        let (ohms, henry) = (condition.cable.ohms * length, condition.cable.henry * length);
        let farad = condition.cable.farad * length;
        // The set: off hook its impedance, on hook its bells.
        let (r1, r2, c) = if drive.closed {
            (
                condition.impedance.r1,
                condition.impedance.r2,
                condition.impedance.c,
            )
        } else {
            (
                7_000.0 / condition.bells.max(1e-3),
                f64::INFINITY,
                1e-6 * condition.bells,
            )
        };
        let source = if drive.closed {
            drive.mouth * condition.impedance.surplus()
        } else {
            0.0
        };
        let noise = amplitude(condition.noise) / 2f64.sqrt();

        // Conductances: of a node against ground, and to the one before it.
        let (mut ground, mut before, mut into) = ([0.0; NODES], [0.0; NODES], [0.0; NODES]);
        ground[0] = HYBRID.recip() + BIAS.recip();
        into[0] = (2.0 * vin) / HYBRID;
        let branch = (ohms + S * henry).recip();
        for n in 0..SECTIONS {
            let shunt = farad * if n == 0 { 0.5 } else { 1.0 };
            ground[n] += S * shunt;
            into[n] += self.shunts[n].history(shunt);
            before[n + 1] = branch;
            let history = branch * (self.nodes[n] - self.nodes[n + 1] + (S * henry - ohms) * self.series[n]);
            into[n] -= history;
            into[n + 1] += history;
        }
        ground[SECTIONS] += S * farad / 2.0;
        into[SECTIONS] += self.shunts[SECTIONS].history(farad / 2.0);
        before[SECTIONS + 1] = r1.recip();
        ground[SECTIONS + 1] = r2.recip() + S * c;
        into[SECTIONS + 1] = r2.recip() * source + S * c * source + self.shunts[SECTIONS + 1].history(c);

        // Elimination from the SLIC on, substitution back (the matrix has three diagonals).
        let mut diagonal: [f64; NODES] =
            std::array::from_fn(|n| ground[n] + before[n] + before.get(n + 1).copied().unwrap_or(0.0));
        for n in 1..NODES {
            let factor = before[n] / diagonal[n - 1];
            diagonal[n] -= factor * before[n];
            into[n] += factor * into[n - 1];
        }
        let mut volts = [0.0; NODES];
        for n in (0..NODES).rev() {
            let next = volts.get(n + 1).copied().unwrap_or(0.0);
            let towards = before.get(n + 1).copied().unwrap_or(0.0);
            volts[n] = (into[n] + towards * next) / diagonal[n];
        }

        for n in 0..SECTIONS {
            let history = branch * (self.nodes[n] - self.nodes[n + 1] + (S * henry - ohms) * self.series[n]);
            self.series[n] = branch * (volts[n] - volts[n + 1]) + history;
            self.shunts[n].becomes(volts[n], farad * if n == 0 { 0.5 } else { 1.0 });
        }
        self.shunts[SECTIONS].becomes(volts[SECTIONS], farad / 2.0);
        self.shunts[SECTIONS + 1].becomes(volts[SECTIONS + 1] - source, c);
        self.nodes = volts;
        let out = volts[0] - vin + noise * self.random.normal();
        let ear =
            volts[SECTIONS] - if drive.closed { drive.mouth } else { 0.0 } + noise * self.random.normal();
        (out, ear)
    }
}
