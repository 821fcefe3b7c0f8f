//! Silvertel Ag1171, a ringing SLIC: pins, no registers.
//!
//! | behaviour | source |
//! |---|---|
//! | F/R high: ring is negative against tip; low: reversed | data sheet V1.0, §5.9 |
//! | feed of 48 V, constant 30 mA into a short loop | §5.2 |
//! | RM high: battery of 72 V; F/R toggled is the ringing signal, about 60 Vrms into one set | §5.3 |
//! | more than 40 Vrms into three sets | told of the data sheet by others |
//! | gains 0 dB, two-wire and balance impedance 600 Ω | §5.6 to §5.8 |
//! | on-hook transmission with 20 kΩ between tip and ring (which the board has) | §5.10 |
//! | SHK high: off hook | users' drivers |
//! | SHK also while it rings | unverified |
//! | PD low: no feed and no SHK; never driven high; 50 ms after it is let go SHK is good | a user's report |
//! | F/R is high for 10 ms before RM goes low | users' drivers, of the data sheet |
//! | else the feed is missing for 50 ms | unverified (something has to go wrong) |
//! | SHK: 10 mA on, 7 mA off, smoothed by 1.5 ms; while it rings 30 mA, by 12 ms | unverified (short, so that bounces show) |
//! | 200 Ω behind the feed, 900 Ω behind 66 V of ringing; 26 V/ms | unverified (fits the voltages above) |
//! | in power-down its wires are open but for the resistor | unverified |
//! | too hot: as in power-down until it is cool | unverified |

use super::filter::smooth;

/// Levels of its input pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pins {
    /// F/R.
    pub forward: bool,
    /// RM.
    pub ring_mode: bool,
    /// PD: false is power-down.
    pub power: bool,
}

/// What it puts on the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feed {
    /// Voltage of tip and of ring against ground without a load.
    pub tip: f64,
    /// The same of ring.
    pub ring: f64,
    /// Resistance behind both wires together, ohms.
    pub ohms: f64,
    /// The most current, amperes.
    pub limit: f64,
    /// Does speech pass?
    pub speech: bool,
}

/// The chip.
#[derive(Debug, Clone)]
pub struct Ag1171 {
    pins: Pins,
    /// Voltage of tip against ring, on its way between the polarities.
    volts: f64,
    /// Frames until it works.
    wakes: u32,
    /// Frames since F/R went high.
    forward_for: u32,
    hot: bool,
    sensed: f64,
    shk: bool,
}

const WAKE: u32 = 400;
const SETTLE: u32 = 80;

impl Default for Ag1171 {
    fn default() -> Self {
        Ag1171 {
            pins: Pins {
                forward: true,
                ring_mode: false,
                power: true,
            },
            volts: 0.0,
            wakes: WAKE,
            forward_for: 0,
            hot: false,
            sensed: 0.0,
            shk: false,
        }
    }
}

impl Ag1171 {
    /// Too hot, or cool again.
    pub fn heat(&mut self, hot: bool) {
        self.hot = hot;
    }

    /// SHK.
    pub fn shk(&self) -> bool {
        self.shk
    }

    /// A frame goes by with these levels on its pins; what is on the line in it, if anything.
    pub fn feed(&mut self, pins: Pins) -> Option<Feed> {
        let was = std::mem::replace(&mut self.pins, pins);
        self.forward_for = if pins.forward { self.forward_for + 1 } else { 0 };
        if was.ring_mode && !pins.ring_mode && self.forward_for < SETTLE {
            self.wakes = self.wakes.max(WAKE);
        }
        if !pins.power || self.hot {
            (self.wakes, self.volts) = (WAKE, 0.0);
            return None;
        }
        self.wakes = self.wakes.saturating_sub(1);
        let (battery, volts, ohms, limit) = if pins.ring_mode {
            (72.0, 66.0, 900.0, 0.1)
        } else {
            (48.0, 48.0, 200.0, 0.03)
        };
        let target = if pins.forward { volts } else { -volts };
        self.volts += (target - self.volts).clamp(-3.25, 3.25);
        Some(Feed {
            tip: (self.volts - battery) / 2.0,
            ring: (-self.volts - battery) / 2.0,
            ohms,
            limit,
            speech: !pins.ring_mode && self.wakes == 0,
        })
    }

    /// The loop current in this frame, amperes.
    pub fn sense(&mut self, current: f64) {
        let (on, off, seconds) = if self.pins.ring_mode {
            (0.030, 0.025, 0.012)
        } else {
            (0.010, 0.007, 0.0015)
        };
        let sensed = smooth(&mut self.sensed, current.abs(), seconds);
        self.shk = self.wakes == 0 && sensed > if self.shk { off } else { on };
    }
}
