//! Power for the devices at the hub's ports (PoE, IEEE 802.3 clause 33): who is fed, when, and how much is left.
//!
//! ```text
//! controller ── Reading ──> ports ── kept, drawn ──> who is next, who has to go ── PortOrder ──> controller
//! ```
//!
//! The controller finds and classifies devices, and cuts what is overloaded, shorted or unplugged, by itself. It says how things
//! are at least once a second, and only then anything is decided: there are no timers here, and if it does not answer, ports
//! stay as they are. What feeds already when the box starts goes on.
//!
//! What is kept for a device is what its class may draw; after [`SETTLED`] it is the most that it has drawn, and a little more.
//! What it has negotiated by LLDP is kept as it is. So the ports may all at once draw more than there is: then, at the next
//! reading, ports of low priority are switched off, and of those first the ones that are not in a call. What feeds is switched off
//! for nothing else: so no device is fed past a more important one that waits, as long as that may still come right.

mod class;
mod off;
mod phones;
mod port;

use core::time::Duration;

use shared::hub::{PortPower, PowerFault};
use shared::sync::PowerOrder;
use sip::Instant;

use crate::budget::POWER_PORTS;
use crate::store::Op;
pub use class::Class;
use off::Kept;
pub use off::TOKEN;
use port::Port;
pub use port::{CYCLE, HEADROOM, REST, REST_MAX, SETTLED, SILENT, STRANDED, WELL};

/// Between two ports that are switched on: their inrush is over.
pub const STAGGER: Duration = Duration::from_millis(500);
/// The least voltage of a supply that feeds, millivolts (IEEE 802.3 table 33-11).
pub const SUPPLY_MIN_MV: u32 = 44_000;
/// At this temperature of the controller, °C, no port is switched on, and one after the other is switched off every
/// [`HOT_STEP`]. It turns off by itself much later.
pub const HOT: i16 = 110;
/// So much colder, °C, it is well again.
pub const HOT_BACK: i16 = 100;
/// See [`HOT`].
pub const HOT_STEP: Duration = Duration::from_secs(10);
/// A controller that does not answer for so long is an alarm.
const LOST: Duration = Duration::from_secs(5);

/// How the ports are, by the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Each port.
    pub ports: [PortReading; POWER_PORTS],
    /// Voltage of the supply, millivolts.
    pub supply_mv: u32,
    /// Temperature of the controller, °C.
    pub celsius: i16,
    /// It has turned everything off since the last reading, because it was too hot.
    pub was_too_hot: bool,
}

/// How a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortReading {
    /// Devices are searched for there; otherwise it is off by order.
    pub searches: bool,
    /// It is fed.
    pub feed: Feed,
    /// What is plugged in.
    pub found: Found,
    /// Why it was turned off or not turned on since the last reading, if it was.
    pub cut: Option<Cut>,
    /// What it draws, milliwatts.
    pub milliwatts: u32,
}

/// Whether a port feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// No.
    Off,
    /// It was turned on, and has not got its voltage yet.
    Starting,
    /// Yes.
    On,
}

/// What is plugged into a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Not known yet.
    Unknown,
    /// Nothing.
    Nothing,
    /// Something that must not be fed: a computer, a short.
    Other,
    /// A device that wants power.
    Device(Class),
    /// The port is broken.
    Defect,
}

/// Why the controller has turned a port off, or not on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its device draws nothing.
    Unplugged,
    /// More current than its class has.
    Overload,
    /// As much current as there is.
    Short,
    /// It did not get its voltage, or what was found was there no longer.
    Start,
}

/// What the controller is to do with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortOrder {
    /// Feed it, within the limit of its class.
    On(Class),
    /// Feed it no more, and search for a device.
    Off,
    /// Feed it no more and search for nothing; to be remembered while the box starts again.
    Disable,
    /// Search for a device again.
    Enable,
}

/// Why a port is not switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such port.
    Port,
    /// Its phone is in a call.
    InCall,
}

/// What is told of a port; its index is from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A device there is not fed, or is again.
    Fault {
        /// Which port.
        port: u8,
        /// Why.
        fault: PowerFault,
        /// It began.
        raised: bool,
    },
    /// Its phone was silent, or looked for the box where it is no longer, and is switched off and on.
    Cycled {
        /// Which port.
        port: u8,
    },
}

/// A port, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What it does.
    pub power: PortPower,
    /// Class of the device that is fed.
    pub class: Option<Class>,
    /// What it draws, 0.1 W.
    pub drawn: u16,
    /// What is kept for it, 0.1 W.
    pub kept: u16,
}

/// Which ports have a phone in a call.
pub type InCall = [bool; POWER_PORTS];

/// All ports.
pub struct Power {
    ports: [Port; POWER_PORTS],
    /// What was told of each.
    told: [Option<PowerFault>; POWER_PORTS],
    /// What the supply has, 0.1 W.
    supply: u16,
    /// The first reading has come.
    is_known: bool,
    /// Since when the controller does not answer.
    lost: Option<Instant>,
    is_lost: bool,
    is_hot: bool,
    /// When the next port may be switched on, or off for the heat.
    next: Instant,
    kept: Kept,
}

impl Power {
    /// Nothing is known yet; the supply has `supply` tenths of a watt.
    pub const fn new(supply: u16) -> Self {
        Self {
            ports: [const { Port::new() }; POWER_PORTS],
            told: [None; POWER_PORTS],
            supply,
            is_known: false,
            lost: None,
            is_lost: false,
            is_hot: false,
            next: Instant::ZERO,
            kept: Kept::new(),
        }
    }

    /// Before the first reading: which ports are off by order, from the flash.
    pub fn restore(&mut self, bytes: &[u8]) {
        let off = self.kept.restore(bytes);
        for (n, port) in self.ports.iter_mut().enumerate() {
            if off & 1 << n != 0 {
                port.was_disabled();
            }
        }
    }

    /// The ports that are off by order, as bits.
    fn off(&self) -> u8 {
        let ports = self.ports.iter().enumerate();
        ports.fold(0, |off, (n, port)| off | u8::from(port.is_disabled()) << n)
    }

    /// What the flash has to know; see [`Self::stored`].
    pub fn next_put(&mut self, now: Instant) -> Option<Op> {
        self.kept.next_put(now, self.off())
    }

    /// The flash knows it, or could not be written.
    pub fn stored(&mut self, now: Instant, is_stored: bool) {
        self.kept.stored(now, is_stored);
    }

    /// When [`Self::next_put`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.kept.next_deadline(self.off())
    }

    /// Whether something is on its way into the flash.
    pub fn is_writing(&self) -> bool {
        self.is_storing() || self.next_deadline().is_some()
    }

    /// Whether an operation of the store is under way.
    pub fn is_storing(&self) -> bool {
        self.kept.is_storing()
    }

    /// How things are; `None`: the controller does not answer. Poll until nothing is left.
    pub fn read(&mut self, now: Instant, reading: Option<&Reading>, in_call: InCall) {
        let Some(reading) = reading else {
            let since = *self.lost.get_or_insert(now);
            self.is_lost = now - since >= LOST;
            return;
        };
        (self.lost, self.is_lost) = (None, false);
        for (port, how) in self.ports.iter_mut().zip(&reading.ports) {
            if !self.is_known && how.feed == Feed::Off && !how.searches {
                port.was_disabled();
            }
            let was_feeding = port.is_feeding();
            port.read(now, how);
            if reading.was_too_hot && was_feeding && !port.is_feeding() {
                port.rest(now, PowerFault::Thermal, false);
            }
        }
        self.is_known = true;
        self.shed(now, in_call);
        self.cool(now, reading.celsius, in_call);
        for (port, in_call) in self.ports.iter_mut().zip(in_call) {
            if in_call {
                port.phone.hear(now);
            }
            port.wake(now, in_call);
        }
        self.start(now, reading.supply_mv);
    }

    /// More is drawn than there is: the least important port goes, and those before it while it is not enough.
    fn shed(&mut self, now: Instant, in_call: InCall) {
        let mut drawn: u32 = self.ports.iter().map(|port| u32::from(port.drawn())).sum();
        while drawn > u32::from(self.supply) {
            let Some(port) = self.least(in_call) else { return };
            drawn -= u32::from(port.drawn());
            port.rest(now, PowerFault::Budget, true);
        }
    }

    fn cool(&mut self, now: Instant, celsius: i16, in_call: InCall) {
        self.is_hot = celsius >= if self.is_hot { HOT_BACK } else { HOT };
        if celsius >= HOT
            && now >= self.next
            && let Some(port) = self.least(in_call)
        {
            port.rest(now, PowerFault::Thermal, true);
            self.next = now + HOT_STEP;
        }
    }

    /// The port that feeds and would be missed least: the last one without a call, or the last one.
    fn least(&mut self, in_call: InCall) -> Option<&mut Port> {
        let mut last = None;
        for (at, (port, in_call)) in self.ports.iter().zip(in_call).enumerate() {
            if port.is_feeding() && (!in_call || last.is_none_or(|(_, other)| other)) {
                last = Some((at, in_call));
            }
        }
        let (at, _) = last?;
        self.ports.get_mut(at)
    }

    /// Switches on the most important device that waits, if there is power for it. If there is none, the less important ones wait with
    /// it until the others are measured; if there is none then, they have what is left.
    fn start(&mut self, now: Instant, supply_mv: u32) {
        let left = self.supply.saturating_sub(self.kept(now));
        let may = supply_mv >= SUPPLY_MIN_MV && !self.is_hot && now >= self.next;
        let mut is_free = may && !self.ports.iter().any(Port::is_starting);
        let mut is_held = false;
        for port in &mut self.ports {
            let Some(class) = port.waits() else { continue };
            let fits = class.supplied() <= left;
            port.set_short(!fits || supply_mv < SUPPLY_MIN_MV);
            is_held |= !fits && port.hopes();
            if is_free && fits && !is_held {
                port.start(now);
                is_free = false;
                self.next = now + STAGGER;
            }
        }
    }

    /// What is kept for all ports, 0.1 W.
    pub fn kept(&self, now: Instant) -> u16 {
        let kept = self.ports.iter().map(|port| port.kept(now));
        kept.fold(0, u16::saturating_add)
    }

    /// A device asks by LLDP for `wanted` tenths of a watt at its end of the cable: what it gets. 0 where none is fed.
    pub fn requested(&mut self, now: Instant, port: u8, wanted: u16) -> u16 {
        let kept = self.kept(now);
        let supply = self.supply;
        let Some(port) = self.ports.get_mut(usize::from(port)) else {
            return 0;
        };
        let own = port.own(now);
        port.ask(wanted, own + supply.saturating_sub(kept))
    }

    /// Switches a port.
    ///
    /// # Errors
    /// A phone in a call is cut off by force only.
    pub fn switch(
        &mut self,
        now: Instant,
        port: u8,
        order: PowerOrder,
        force: bool,
        in_call: InCall,
    ) -> Result<(), Refused> {
        let at = usize::from(port);
        let in_call = in_call.get(at).ok_or(Refused::Port)?;
        let port = self.ports.get_mut(at).ok_or(Refused::Port)?;
        match order {
            PowerOrder::On => port.enable(now),
            _ if *in_call && !force => return Err(Refused::InCall),
            PowerOrder::Off => port.disable(now),
            PowerOrder::Cycle => port.cycle(now),
        }
        Ok(())
    }

    /// The phone at a port is registered, in a call, or fetches a file.
    pub fn heard(&mut self, now: Instant, port: u8) {
        if let Some(port) = self.ports.get_mut(usize::from(port)) {
            port.phone.hear(now);
        }
    }

    /// The phone at a port has registered.
    pub fn registered(&mut self, now: Instant, port: u8) {
        if let Some(port) = self.ports.get_mut(usize::from(port)) {
            port.phone.registered(now);
        }
    }

    /// The phone at a port is registered at an address that is the box's no longer.
    pub fn stranded(&mut self, now: Instant, port: u8) {
        if let Some(port) = self.ports.get_mut(usize::from(port)) {
            port.phone.strand(now);
        }
    }

    /// The link of a port came or went.
    pub fn link(&mut self, port: u8, is_up: bool) {
        if let Some(port) = self.ports.get_mut(usize::from(port)) {
            port.phone.has_no_link = !is_up;
        }
    }

    /// The next thing for the controller to do.
    pub fn poll(&mut self) -> Option<(u8, PortOrder)> {
        (0..)
            .zip(&mut self.ports)
            .find_map(|(n, port)| Some((n, port.take_order()?)))
    }

    /// The next thing to tell.
    pub fn poll_told(&mut self) -> Option<Told> {
        let is_lost = self.is_lost;
        (0..)
            .zip(&mut self.ports)
            .zip(&mut self.told)
            .find_map(|((n, port), told)| {
                if port.take_cycled() {
                    return Some(Told::Cycled { port: n });
                }
                let fault = if is_lost {
                    Some(PowerFault::Controller)
                } else {
                    port.fault()
                };
                // One that has become another is over first.
                let (fault, raised) = match (*told, fault) {
                    (before, now) if before == now => return None,
                    (Some(before), _) => (before, false),
                    (None, fault) => (fault?, true),
                };
                *told = raised.then_some(fault);
                Some(Told::Fault {
                    port: n,
                    fault,
                    raised,
                })
            })
    }

    /// How a port is.
    pub fn shown(&self, now: Instant, port: u8) -> Option<Shown> {
        let port = self.ports.get(usize::from(port))?;
        let power = match self.is_lost {
            true => PortPower::Fault(PowerFault::Controller),
            false => port.shown(),
        };
        Some(Shown {
            power,
            class: port.is_feeding().then(|| port.class()),
            drawn: port.drawn(),
            kept: port.kept(now),
        })
    }
}
