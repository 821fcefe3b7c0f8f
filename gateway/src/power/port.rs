//! One port: what is plugged in, whether it is fed, and why not.

use core::time::Duration;

use shared::hub::{PortPower, PowerFault};
use sip::Instant;

use super::class::Class;
use super::{Cut, Feed, Found, PortOrder, PortReading};
use crate::registrar::EXPIRES_MAX;

/// A device that starts draws what it likes: what it was measured to draw counts after this. A desk phone is up by then.
pub const SETTLED: Duration = Duration::from_secs(60);
/// What a measured device may draw more all of a sudden, 0.1 W: a lit display, a loudspeaker.
pub const HEADROOM: u16 = 10;
/// A port that does not feed so long after it was told to never will: detection, classification, inrush (IEEE 802.3 §33.2.7.12:
/// 400 ms), and the order's own way.
const START_MAX: Duration = Duration::from_secs(3);
/// How long a port is off that is switched off and on again: its device has lost all memory.
pub const CYCLE: Duration = Duration::from_secs(5);
/// An order that has had no effect is given again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// The first wait after a fault; each further one is twice as long, up to [`REST_MAX`].
pub const REST: Duration = Duration::from_secs(5);
/// The longest wait after a fault.
pub const REST_MAX: Duration = Duration::from_secs(300);
/// A port that has fed for so long is in order again.
pub const WELL: Duration = Duration::from_secs(60);
/// A phone that for so long was not registered, not in a call and fetched no file is switched off and on again.
pub const SILENT: Duration = Duration::from_secs(600);
/// A phone that registered at an address which is the box's no longer, and has not come to the new one in this time, is switched
/// off and on: it starts anew and finds the box by DHCP or Plug and Play. By then each has tried to register again, and was told
/// three times, a minute apart, that its files have changed.
pub const STRANDED: Duration = EXPIRES_MAX;
/// A device that waits so long for power that there is not is an alarm: the others are measured by then.
const WAITED: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is there that wants power.
    Searching,
    /// A device is there.
    Waiting { since: Instant },
    /// It was told to feed.
    Starting { since: Instant },
    /// It feeds.
    On { since: Instant },
    /// It is left alone for a while; if it was fed and is to be again, this is kept for it, 0.1 W.
    Resting {
        until: Instant,
        fault: Option<PowerFault>,
        keeps: u16,
    },
    /// Off by order.
    Off,
}

/// A port.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    state: State,
    class: Class,
    /// What it draws, and the most since it was switched on, 0.1 W.
    drawn: u16,
    peak: u16,
    /// What its device was promised by LLDP, 0.1 W at the device.
    granted: Option<u16>,
    /// Faults in a row.
    faults: u8,
    order: Option<PortOrder>,
    ordered_at: Instant,
    fault: Option<PowerFault>,
    /// There is no power left for the device that waits.
    is_short: bool,
    pub phone: Phone,
}

/// The phone at a port, as far as it was noticed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phone {
    /// It has registered since it was plugged in.
    is_known: bool,
    knows: Knows,
    /// When it was registered, in a call or fetching a file, the last time.
    heard: Instant,
    /// It was switched off and on for its silence, and has not registered since.
    was_cycled: bool,
    /// That is to be told.
    tells: bool,
    /// It has no link: then its silence is that of a cable.
    pub has_no_link: bool,
}

/// Where the phone looks for the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Knows {
    /// Where it is, or nothing of it.
    #[default]
    Here,
    /// At an address that was the box's before.
    Before { since: Instant },
    /// The same, and it was switched off and on for it.
    Cycled,
}

impl Phone {
    /// It has registered.
    pub fn registered(&mut self, now: Instant) {
        (self.is_known, self.knows, self.was_cycled) = (true, Knows::Here, false);
        self.hear(now);
    }

    /// It is registered where the box was before.
    pub fn strand(&mut self, now: Instant) {
        if self.knows == Knows::Here {
            self.knows = Knows::Before { since: now };
        }
    }

    /// It is not there any more.
    fn forget(&mut self) {
        *self = Self {
            tells: self.tells,
            has_no_link: self.has_no_link,
            ..Self::default()
        };
    }

    /// It does what a phone is for. That a frame came from it says nothing: LLDP goes on when SIP hangs.
    pub fn hear(&mut self, now: Instant) {
        self.heard = now;
    }
}

impl Port {
    pub const fn new() -> Self {
        Self {
            state: State::Searching,
            class: Class::Zero,
            drawn: 0,
            peak: 0,
            granted: None,
            faults: 0,
            order: None,
            ordered_at: Instant::ZERO,
            fault: None,
            is_short: false,
            phone: Phone {
                is_known: false,
                knows: Knows::Here,
                heard: Instant::ZERO,
                was_cycled: false,
                tells: false,
                has_no_link: false,
            },
        }
    }

    /// How it is now, by the controller.
    pub fn read(&mut self, now: Instant, reading: &PortReading) {
        if let Found::Device(class) = reading.found {
            self.class = class;
        }
        self.drawn = match reading.feed {
            Feed::Off => 0,
            _ => u16::try_from(reading.milliwatts.div_ceil(100)).unwrap_or(u16::MAX),
        };
        let feeds = reading.feed != Feed::Off;
        match self.state {
            State::Off if feeds || reading.searches => self.repeat(now, PortOrder::Disable),
            State::Off => {}
            State::Searching | State::Waiting { .. } if feeds => self.is_on(now),
            // What the controller remembers of an order before we started.
            State::Searching | State::Waiting { .. } if !reading.searches => {
                self.repeat(now, PortOrder::Enable)
            }
            State::Searching | State::Waiting { .. } => self.search(now, reading.found),
            State::Starting { .. } if reading.feed == Feed::On => self.is_on(now),
            State::Starting { since } => match (reading.cut, reading.found) {
                (None | Some(Cut::Unplugged), _) if now - since < START_MAX => {}
                // It was pulled out again.
                (_, Found::Nothing) => self.give(now, PortOrder::Off, State::Searching),
                (None | Some(Cut::Unplugged), _) => self.rest(now, PowerFault::Controller, true),
                (Some(Cut::Overload), _) => self.rest(now, PowerFault::Overload, false),
                (Some(Cut::Short | Cut::Start), _) => self.rest(now, PowerFault::Short, false),
            },
            State::On { since } if feeds => {
                self.peak = self.peak.max(self.drawn);
                if now - since >= WELL {
                    (self.faults, self.fault) = (0, None);
                }
            }
            State::On { .. } => match reading.cut {
                Some(Cut::Overload) => self.rest(now, PowerFault::Overload, false),
                Some(Cut::Short | Cut::Start) => self.rest(now, PowerFault::Short, false),
                Some(Cut::Unplugged) => {
                    self.phone.forget();
                    self.state = State::Searching;
                }
                None => self.state = State::Searching,
            },
            State::Resting { .. } if feeds => self.repeat(now, PortOrder::Off),
            State::Resting { fault: Some(_), .. } if reading.found == Found::Nothing => {
                (self.faults, self.fault) = (0, None);
                self.state = State::Searching;
            }
            // What is kept for it is until it is known what is there.
            State::Resting { keeps: 1.., .. } if reading.found == Found::Unknown => {}
            State::Resting { until, .. } if now >= until => self.search(now, reading.found),
            State::Resting { .. } => {}
        }
    }

    fn search(&mut self, now: Instant, found: Found) {
        let waits = matches!(self.state, State::Waiting { .. });
        match found {
            Found::Device(_) if waits => {}
            Found::Device(_) => self.state = State::Waiting { since: now },
            Found::Defect => (self.state, self.fault) = (State::Searching, Some(PowerFault::Controller)),
            Found::Nothing => {
                (self.state, self.fault, self.faults) = (State::Searching, None, 0);
                self.phone.forget();
            }
            Found::Unknown | Found::Other => self.state = State::Searching,
        }
        self.is_short &= waits && matches!(self.state, State::Waiting { .. });
        if let State::Waiting { since } = self.state
            && self.is_short
            && now - since >= WAITED
        {
            self.fault = Some(PowerFault::Budget);
        }
    }

    fn is_on(&mut self, now: Instant) {
        self.state = State::On { since: now };
        (self.peak, self.granted, self.is_short) = (self.drawn, None, false);
        if self.fault == Some(PowerFault::Budget) {
            self.fault = None;
        }
        self.phone.heard = now;
    }

    /// Feeds it.
    pub fn start(&mut self, now: Instant) {
        self.give(now, PortOrder::On(self.class), State::Starting { since: now });
    }

    /// Feeds it no more for a while, because of a fault; the longer the more there were.
    pub fn rest(&mut self, now: Instant, fault: PowerFault, still_feeds: bool) {
        let wait = REST.saturating_mul(1 << self.faults.min(6)).min(REST_MAX);
        self.faults = self.faults.saturating_add(1);
        self.fault = Some(fault);
        self.state = State::Resting {
            until: now + wait,
            fault: Some(fault),
            keeps: 0,
        };
        if still_feeds {
            self.give(now, PortOrder::Off, self.state);
        }
    }

    /// Switches it off and on again; one that is off by order stays off. It needs as much to start as it did at first, which is
    /// kept: less important ports would not give it back.
    pub fn cycle(&mut self, now: Instant) {
        if self.state == State::Off {
            return;
        }
        let state = State::Resting {
            until: now + CYCLE,
            fault: None,
            keeps: match self.state {
                State::On { .. } | State::Starting { .. } => self.class.supplied(),
                State::Resting { keeps, .. } => keeps,
                _ => 0,
            },
        };
        self.give(now, PortOrder::Off, state);
    }

    /// Off by order.
    pub fn disable(&mut self, now: Instant) {
        (self.faults, self.fault) = (0, None);
        self.phone.forget();
        self.give(now, PortOrder::Disable, State::Off);
    }

    /// No longer off by order.
    pub fn enable(&mut self, now: Instant) {
        if self.state == State::Off {
            self.give(now, PortOrder::Enable, State::Searching);
        }
    }

    /// Off since before we started, by an order that the flash or the controller remembers.
    pub fn was_disabled(&mut self) {
        self.state = State::Off;
    }

    /// Off by order.
    pub fn is_disabled(&self) -> bool {
        self.state == State::Off
    }

    /// Switches its phone off and on again, once: for its silence, or because it does not find the box. No call is cut off.
    pub fn wake(&mut self, now: Instant, in_call: bool) {
        let phone = &mut self.phone;
        if !matches!(self.state, State::On { .. }) || phone.has_no_link || in_call {
            return;
        }
        if phone.is_known && !phone.was_cycled && now - phone.heard >= SILENT {
            phone.was_cycled = true;
        } else if let Knows::Before { since } = phone.knows
            && now - since >= STRANDED
        {
            phone.knows = Knows::Cycled;
        } else {
            return;
        }
        phone.tells = true;
        self.cycle(now);
    }

    /// It was switched off and on, which nobody was told yet.
    pub fn take_cycled(&mut self) -> bool {
        core::mem::take(&mut self.phone.tells)
    }

    fn give(&mut self, now: Instant, order: PortOrder, state: State) {
        self.state = state;
        self.order = Some(order);
        self.ordered_at = now;
    }

    fn repeat(&mut self, now: Instant, order: PortOrder) {
        if now - self.ordered_at >= AGAIN {
            self.give(now, order, self.state);
        }
    }

    /// What the controller is to do.
    pub fn take_order(&mut self) -> Option<PortOrder> {
        self.order.take()
    }

    /// A device of this class waits for power.
    pub fn waits(&self) -> Option<Class> {
        matches!(self.state, State::Waiting { .. }).then_some(self.class)
    }

    /// There is no power left for the device that waits, or there is again.
    pub fn set_short(&mut self, is_short: bool) {
        self.is_short = is_short;
    }

    /// It was told to feed, and does not yet.
    pub fn is_starting(&self) -> bool {
        matches!(self.state, State::Starting { .. })
    }

    /// It feeds.
    pub fn is_feeding(&self) -> bool {
        matches!(self.state, State::On { .. })
    }

    /// What it draws, 0.1 W.
    pub fn drawn(&self) -> u16 {
        self.drawn
    }

    /// Class of its device; of one that is not there, that of the last.
    pub fn class(&self) -> Class {
        self.class
    }

    /// What is kept for it, 0.1 W: what is its own, or what it draws if that is more.
    pub fn kept(&self, now: Instant) -> u16 {
        self.own(now).max(self.drawn)
    }

    /// What is its own, 0.1 W: what its class may draw, also while it is switched off and on, or what it was promised; once it was
    /// measured what it has drawn.
    pub fn own(&self, now: Instant) -> u16 {
        match (self.state, self.granted) {
            (State::Starting { .. }, _) => self.class.supplied(),
            (State::On { .. }, Some(granted)) => self.class.with_cable(granted),
            (State::On { since }, None) if now - since >= SETTLED => {
                self.class.supplied().min(self.peak.saturating_add(HEADROOM))
            }
            (State::On { .. }, None) => self.class.supplied(),
            (State::Resting { keeps, .. }, _) => keeps,
            _ => 0,
        }
    }

    /// What its device asks for by LLDP, 0.1 W, where `room` is left for it at the port: what it gets.
    pub fn ask(&mut self, wanted: u16, room: u16) -> u16 {
        if !self.is_feeding() {
            return 0;
        }
        if wanted == 0 {
            // No value of IEEE 802.3 §79.3.2.5: what it has is what it was promised, or its class.
            return self.granted.unwrap_or(self.class.drawn());
        }
        let granted = wanted.min(self.class.drawn()).min(self.class.without_cable(room));
        self.granted = Some(granted);
        granted
    }

    /// It waits for power, and not for so long that more is likely to come.
    pub fn hopes(&self) -> bool {
        self.waits().is_some() && self.fault != Some(PowerFault::Budget)
    }

    /// What it does, for people.
    pub fn shown(&self) -> PortPower {
        match self.state {
            State::Off => PortPower::Off,
            State::On { .. } => PortPower::On,
            State::Resting {
                fault: Some(fault), ..
            } => PortPower::Fault(fault),
            State::Waiting { .. } if self.is_short => PortPower::Fault(PowerFault::Budget),
            State::Waiting { .. } | State::Starting { .. } | State::Resting { .. } => PortPower::Waiting,
            State::Searching => self.fault.map_or(PortPower::Searching, PortPower::Fault),
        }
    }

    /// The fault it has, or has had until just now.
    pub fn fault(&self) -> Option<PowerFault> {
        self.fault
    }
}
