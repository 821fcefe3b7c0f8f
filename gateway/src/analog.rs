//! The analog ports (FXS): telephones and FAX machines that are plugged into the box.
//!
//! ```text
//! circuit ── Sense ──> Line ─┐                                   ┌─> the box's calls
//!         <─ Signal ──       ├─ Port ── Agent ── SIP messages ───┤   (a connection that is a function call)
//! chain   ── digits ─────────┘                                   └─ as of any other phone
//!         <─ tones, connections
//! ```
//!
//! A port is a phone like any other (R41, R42): its agent speaks SIP to the box, so that groups, transfers, pick-up and
//! announcements need no second way. It is registered for as long as the configuration says whose telephone is plugged in, and
//! needs no password: nobody else can speak on its connection.

mod agent;
mod bell;
mod hook;
mod line;
mod line_test;
mod port;

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use shared::analog::LineTestResult;
use shared::date::{Date, Local};
use shared::dial::complete;
use shared::id::{IdKey, IdSet};
use shared::site::Site;
use shared::sync::{Alarm, EventBody, TestLine};
use sip::{Flow, Instant, Message, Transport};

use crate::Gateway;
use crate::budget::{SIP_PORT, line_port};
use crate::io::{LineEvent, LineOrder};
use agent::Own;
pub(crate) use agent::{Ours, Remote};
pub use line::{Measured, NotMeasured, Sense, Signal};
pub use line_test::WINDOW as MEASURING;
use port::Output;
pub use port::Port;

/// [`Flow::interface`] of the ports.
const INTERFACE: u8 = u8::MAX - 1;
/// The hour of the night at which the lines are tested, and by which that is given up for this night.
const NIGHT: core::ops::Range<u16> = 3 * 60..5 * 60;
/// A line that was in use is tried again after this.
const IN_USE: Duration = Duration::from_secs(600);
/// How often the clock is looked at while it is not set.
const NO_CLOCK: Duration = Duration::from_secs(3_600);

/// All ports.
pub(crate) struct Analog<'s> {
    ports: &'s mut [Port],
    /// The night in which each line was tested last.
    tested: [Option<Date>; crate::budget::LINES],
    /// When to look whether a line is to be tested.
    look: Instant,
}

impl<'s> Analog<'s> {
    pub fn new(ports: &'s mut [Port], random: u64) -> Self {
        for (port, n) in ports.iter_mut().zip(1u64..) {
            port.restart(random.rotate_left(16).wrapping_mul(2 * n + 1));
        }
        Self {
            ports,
            tested: [None; crate::budget::LINES],
            look: Instant::ZERO,
        }
    }

    fn get(&mut self, line: u8) -> Option<&mut Port> {
        self.ports.get_mut(usize::from(line))
    }

    /// The IDs whose telephones can be called.
    pub fn attached(&self) -> IdSet {
        let served = self.ports.iter().filter(|port| port.is_in_service());
        served.filter_map(Port::key).collect()
    }

    /// Whose telephones are plugged in.
    pub fn configure(&mut self, now: Instant, site: &Site) {
        for (port, number) in self.ports.iter_mut().zip(1..) {
            let here = site.ids.iter().filter(|id| site.is_here(id));
            let id = here.into_iter().find_map(|id| {
                let setting = id.port.filter(|setting| setting.number == number)?;
                Some((id.key, setting))
            });
            port.configure(now, id);
        }
    }

    /// Ports that do nothing.
    pub fn idle(&self) -> usize {
        self.ports.iter().filter(|port| port.is_idle()).count()
    }

    /// Whose telephone is at a port.
    pub fn key_of(&self, line: u8) -> Option<IdKey> {
        self.ports.get(usize::from(line))?.key()
    }

    /// The index of the port of an ID.
    pub fn line_of(&self, key: IdKey) -> Option<u8> {
        let at = self.ports.iter().position(|port| port.key() == Some(key))?;
        u8::try_from(at).ok()
    }

    pub fn next_deadline(&self) -> Instant {
        let look = if self.ports.is_empty() {
            Instant::NEVER
        } else {
            self.look
        };
        let ports = self.ports.iter().map(Port::next_deadline);
        ports.min().unwrap_or(Instant::NEVER).min(look)
    }
}

/// The index of the port a flow belongs to.
pub(crate) fn line(flow: Flow) -> Option<u8> {
    let index = flow
        .stream
        .checked_sub(1)
        .filter(|_| flow.interface == INTERFACE)?;
    u8::try_from(index).ok()
}

/// What [`Gateway::poll_analog`] found.
pub(crate) enum Found {
    /// For the caller.
    Order(u8, LineOrder),
    /// Something was done.
    Done,
}

impl Gateway<'_> {
    /// The connection of a port.
    pub(crate) fn flow_of(&self, line: u8) -> Flow {
        let local = self.address.unwrap_or(Ipv4Addr::LOCALHOST);
        Flow {
            transport: Transport::Tcp,
            interface: INTERFACE,
            stream: u16::from(line) + 1,
            peer: (Ipv4Addr::LOCALHOST, SIP_PORT).into(),
            local: (local, SIP_PORT).into(),
        }
    }

    /// IDs with a phone that can be reached, or a telephone at a port.
    pub(crate) fn reachable(&self) -> IdSet {
        self.registrar.registered().union(self.analog.attached())
    }

    /// The configuration is another one.
    pub(crate) fn configure_ports(&mut self, now: Instant) {
        self.analog.configure(now, &self.site);
        self.lldp.changed(now);
        self.tell_reachable(now);
    }

    /// Something happened at a line.
    pub(crate) fn on_line(&mut self, now: Instant, line: u8, event: LineEvent) {
        let Some(port) = self.analog.get(line) else {
            self.counters.lines += 1;
            return;
        };
        match event {
            LineEvent::Circuit { at, sense } => port.sense(at.min(now), sense),
            LineEvent::Audio(event) => port.heard(now, event),
        }
    }

    /// A message for a port, the first `len` bytes of the buffer.
    pub(crate) fn deliver(&mut self, now: Instant, line: u8, len: usize, buffer: &mut [u8]) {
        let flow = self.flow_of(line);
        let Some((bytes, room)) = buffer.split_at_mut_checked(len) else {
            return;
        };
        let Ok(message) = Message::parse_stream(bytes) else {
            self.counters.lines += 1;
            return;
        };
        let answer = self
            .with_port(line, |port, own, _| port.receive(now, own, &message, room))
            .flatten();
        if let Some(answer) = answer.and_then(|len| room.get(..len)) {
            self.on_stream(now, flow, answer);
        }
    }

    /// Does something with a port, as whose telephone is plugged in.
    fn with_port<T>(&mut self, line: u8, act: impl FnOnce(&mut Port, &Own<'_>, &Site) -> T) -> Option<T> {
        let port = self.analog.ports.get_mut(usize::from(line))?;
        let id = port.key().and_then(|key| self.site.id(key));
        let user = id.map(shared::site::Id::user);
        let audio = self.address.unwrap_or(Ipv4Addr::LOCALHOST);
        let own = Own {
            realm: &self.site.sys.realm,
            user: user.as_deref().unwrap_or_default(),
            line,
            audio: SocketAddr::from((audio, line_port(line))),
        };
        Some(act(port, &own, &self.site))
    }

    /// What the ports want to have done; what they say to the box is taken at once.
    pub(crate) fn poll_analog(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Found> {
        if now >= self.analog.look && !self.analog.ports.is_empty() {
            self.look_at_night(now);
        }
        for line in 0..self.analog.ports.len() as u8 {
            let output = self
                .with_port(line, |port, own, _| port.poll(now, own, buffer))
                .flatten();
            let order = match output {
                None => continue,
                Some(Output::Signal(signal)) => LineOrder::Circuit(signal),
                Some(Output::Audio(command)) => LineOrder::Audio(command),
                Some(Output::Peer(peer)) => LineOrder::Peer(peer),
                Some(Output::Message(len)) => {
                    let flow = self.flow_of(line);
                    self.on_stream(now, flow, buffer.get(..len).unwrap_or_default());
                    return Some(Found::Done);
                }
                Some(Output::Dialled) => {
                    let today = self.today(now);
                    self.with_port(line, |port, _, site| {
                        let progress = complete(site, port.digits(), today);
                        port.judged(now, progress);
                    });
                    return Some(Found::Done);
                }
                Some(Output::Tested(result)) => {
                    let port = line + 1;
                    self.tell(now, EventBody::LineTest { port, result });
                    if result != LineTestResult::InUse {
                        self.was_tested(now, line);
                    }
                    return Some(Found::Done);
                }
                Some(Output::Fault(fault, raised)) => {
                    let alarm = Alarm::Line(line + 1, fault);
                    self.tell(now, EventBody::Alarm { alarm, raised });
                    self.tell_reachable(now);
                    return Some(Found::Done);
                }
            };
            return Some(Found::Order(line, order));
        }
        None
    }

    /// The cloud wants a line tested.
    pub(crate) fn on_test_line(&mut self, now: Instant, order: TestLine) {
        let line = order.port.wrapping_sub(1);
        let Some(port) = self.analog.get(line) else {
            self.counters.lines += 1;
            return;
        };
        if !port.test(now, true) {
            let (port, result) = (order.port, LineTestResult::InUse);
            self.tell(now, EventBody::LineTest { port, result });
        }
    }

    fn local(&self, now: Instant) -> Option<Local> {
        let unix_ms = self.stamp(now).unix?;
        Some(Local::from_unix(unix_ms / 1_000))
    }

    fn was_tested(&mut self, now: Instant, line: u8) {
        let today = self.local(now).map(|local| local.date);
        if let Some(tested) = self.analog.tested.get_mut(usize::from(line)) {
            *tested = today;
        }
    }

    /// Tests the lines in use, one after the other, in the small hours.
    fn look_at_night(&mut self, now: Instant) {
        let Some(Local { date, minute }) = self.local(now) else {
            self.analog.look = now + NO_CLOCK;
            return;
        };
        let Analog { ports, tested, look } = &mut self.analog;
        let minutes = match minute {
            minute if minute < NIGHT.start => NIGHT.start - minute,
            minute => 24 * 60 - minute + NIGHT.start,
        };
        *look = now + Duration::from_secs(60 * u64::from(minutes));
        if !NIGHT.contains(&minute) {
            return;
        }
        let mut due = ports
            .iter_mut()
            .zip(tested.iter())
            .filter(|(port, tested)| port.key().is_some() && **tested != Some(date));
        if let Some((port, _)) = due.next() {
            // The next one when this one is done. No bell taps at night.
            port.test(now, false);
            *look = now + IN_USE;
        }
    }
}
