//! What a set does with its hook and its keys, frame by frame.

use super::filter::{RATE, Random};
use super::pair::amplitude;
use std::collections::VecDeque;
use std::f64::consts::PI;

/// Frames in so many milliseconds.
pub const fn frames(milliseconds: u32) -> u32 {
    milliseconds * 8
}

/// How a set dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialling {
    /// DTMF; the group of low frequencies at -9 dBm, the other 2 dB higher.
    Tone,
    /// The loop is broken so many times a second (10 or 20), 67 % of the time.
    Pulse(u32),
}

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    /// Lift or put down the handset.
    Hook(bool),
    /// Open or close the loop by the dial's contact, for so many frames.
    Contact(bool, u32),
    /// Nothing, for so many frames.
    Wait(u32),
    /// Press a key for so many frames.
    Key(f64, f64, u32),
}

/// Frequencies of a key, Hz (ITU-T Q.23).
pub fn key(symbol: char) -> Option<(f64, f64)> {
    let place = "123A456B789C*0#D".find(symbol)?;
    let (rows, columns) = ([697.0, 770.0, 852.0, 941.0], [1209.0, 1336.0, 1477.0, 1633.0]);
    Some((rows[place / 4], columns[place % 4]))
}

/// Hook and keys.
#[derive(Debug, Clone)]
pub struct Script {
    acts: VecDeque<Act>,
    left: u32,
    /// Frequencies of the pressed key.
    pressed: Option<(f64, f64)>,
    hook: Contact,
    dial: Contact,
    frame: u64,
}

impl Script {
    /// On hook, with contacts that bounce in their own way.
    pub fn new(seed: u64) -> Script {
        Script {
            acts: VecDeque::new(),
            left: 0,
            pressed: None,
            hook: Contact::new(false, 6.0, seed),
            dial: Contact::new(true, 0.6, seed + 1),
            frame: 0,
        }
    }

    /// Lifts or puts down the handset.
    pub fn hook(&mut self, off: bool) {
        self.acts.push_back(Act::Hook(off));
    }

    /// Breaks the loop for so many milliseconds by the hook.
    pub fn flash(&mut self, milliseconds: u32) {
        self.hook(false);
        self.wait(milliseconds);
        self.hook(true);
    }

    /// Waits.
    pub fn wait(&mut self, milliseconds: u32) {
        self.acts.push_back(Act::Wait(frames(milliseconds)));
    }

    /// Dials; what cannot be dialled in this way is left out.
    pub fn dial(&mut self, number: &str, dialling: Dialling) {
        for symbol in number.chars() {
            match dialling {
                Dialling::Tone => {
                    if let Some((low, high)) = key(symbol) {
                        self.acts.push_back(Act::Key(low, high, frames(80)));
                        self.wait(80);
                    }
                }
                Dialling::Pulse(rate) => {
                    let Some(digit) = symbol.to_digit(10) else {
                        continue;
                    };
                    let period = frames(1000) / rate.max(1);
                    for _ in 0..if digit == 0 { 10 } else { digit } {
                        self.acts.push_back(Act::Contact(false, period * 2 / 3));
                        self.acts.push_back(Act::Contact(true, period - period * 2 / 3));
                    }
                    self.wait(if rate > 10 { 500 } else { 700 });
                }
            }
        }
    }

    /// Is everything done?
    pub fn idle(&self) -> bool {
        self.acts.is_empty() && self.left == 0
    }

    /// Is the handset lifted?
    pub fn lifted(&self) -> bool {
        self.hook.wanted
    }

    /// A frame goes by: is the loop closed, and what do the keys sound, in volts into 600 Ω?
    pub fn frame(&mut self) -> (bool, f64) {
        self.frame += 1;
        while self.left == 0 {
            self.pressed = None;
            match self.acts.pop_front() {
                Some(Act::Hook(off)) => self.hook.set(off),
                Some(Act::Contact(closed, length)) => {
                    self.dial.set(closed);
                    self.left = length;
                }
                Some(Act::Wait(length)) => self.left = length,
                Some(Act::Key(low, high, length)) => {
                    self.pressed = Some((low, high));
                    self.left = length;
                }
                None => break,
            }
        }
        self.left = self.left.saturating_sub(1);
        let sine =
            |hertz: f64, dbm: f64| amplitude(dbm) * (2.0 * PI * hertz * self.frame as f64 / RATE).sin();
        let sound = self
            .pressed
            .map_or(0.0, |(low, high)| sine(low, -9.0) + sine(high, -7.0));
        let (hook, dial) = (self.hook.frame(), self.dial.frame());
        (hook && dial, sound)
    }
}

/// A contact that bounces: for some milliseconds after it moves it opens and closes at random.
#[derive(Debug, Clone)]
struct Contact {
    wanted: bool,
    is: bool,
    bounces: u32,
    frames: u32,
    random: Random,
}

impl Contact {
    fn new(closed: bool, milliseconds: f64, seed: u64) -> Contact {
        Contact {
            wanted: closed,
            is: closed,
            bounces: 0,
            frames: (milliseconds * RATE / 1000.0) as u32,
            random: Random::new(seed),
        }
    }

    fn set(&mut self, closed: bool) {
        if closed != self.wanted {
            (self.wanted, self.bounces) = (closed, self.frames);
        }
    }

    fn frame(&mut self) -> bool {
        if self.bounces == 0 {
            self.is = self.wanted;
        } else {
            self.bounces -= 1;
            // It stays for a quarter of a millisecond to two.
            if self.random.bits().is_multiple_of(4) {
                self.is = self.random.bits().is_multiple_of(2);
            }
        }
        self.is
    }
}
