//! A software Ethernet switch in one thread.
//!
//! A port is a pair of datagram sockets towards QEMU (one datagram is one frame, without FCS), a TAP device that
//! becomes an interface of some computer of the world, or a socket in this process. The switch learns MAC addresses,
//! floods what it does not know, and per port and direction may lose, repeat, delay, reorder or spoil frames, or be
//! cut. Every frame that a port sends is captured, with a comment if a fault took it.
//!
//! It is no router, knows no VLAN, and never blocks: a port that cannot take a frame loses it, and that is counted. With
//! [`Switch::hub`] the box's own switch chip is part of it, which knows what its registers say.

mod faults;
mod hub;

pub use faults::{Faults, REORDER};

use crate::pcap::Capture;
use crate::twin::Card;
use anyhow::{Context, Result};
use faults::Fate;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Largest frame taken: Ethernet header, VLAN tag, 1,500 bytes, and room.
const FRAME_MAX: usize = 2048;

/// Seen from the computer at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What the computer sends.
    Sent,
    /// What it is given.
    Received,
}

/// How fast a port may be fed: a bucket of `burst` bytes refilled with `rate` bytes per second.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Bytes at once.
    pub burst: f64,
    /// Bytes per second.
    pub rate: f64,
}

/// The emulated LAN9118 holds about 9 KiB (six full frames) and loses the rest without a trace.
pub const LAN9118: Pace = Pace {
    burst: 6144.0,
    rate: 4.0e6,
};

/// Frames of one port since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sent by the computer.
    pub sent: u64,
    /// Given to the computer.
    pub received: u64,
    /// Taken by a fault or a cut, both directions.
    pub lost: u64,
    /// The computer did not take it.
    pub overrun: u64,
}

/// A frame at a port, as watchers see it: when sent (even if a fault takes it then) and when given (only if it is).
#[derive(Debug)]
pub struct Seen<'a> {
    /// When.
    pub at: Instant,
    /// The port's name.
    pub port: &'a str,
    /// Sent or received.
    pub direction: Direction,
    /// The frame, without FCS.
    pub frame: &'a [u8],
}

type Watcher = Box<dyn FnMut(&Seen) + Send>;
type Mac = [u8; 6];
/// EtherType of LLDP.
const LLDP: [u8; 2] = [0x88, 0xCC];

/// The switch. Dropping it stops its thread and closes its ports.
pub struct Switch {
    name: String,
    state: Arc<Mutex<State>>,
    waker: UnixDatagram,
    thread: Option<JoinHandle<()>>,
}

/// A port of a [`Switch`]: the handle for its faults.
#[derive(Clone)]
pub struct Port {
    state: Arc<Mutex<State>>,
    index: usize,
}

impl Switch {
    /// Starts a switch that captures into `<folder>/<name>.pcapng`. Equal seeds give equal faults for equal frames.
    pub fn start(name: &str, folder: &Path, seed: u64) -> Result<Switch> {
        let (waker, woken) = UnixDatagram::pair()?;
        waker.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let state = State {
            ports: Vec::new(),
            table: HashMap::new(),
            hub: None,
            office: HashMap::new(),
            later: BinaryHeap::new(),
            serial: 0,
            capture: Capture::create(&folder.join(format!("{name}.pcapng")))?,
            watchers: Vec::new(),
            random: seed,
            stop: false,
        };
        let state = Arc::new(Mutex::new(state));
        let theirs = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name(format!("switch {name}"))
            .spawn(move || while pass(&theirs, &woken) {})?;
        Ok(Switch {
            name: name.into(),
            state,
            waker,
            thread: Some(thread),
        })
    }

    /// Adds a port for QEMU's `-netdev dgram`: we are `<folder>/<port>-switch.sock`, QEMU `<folder>/<port>-qemu.sock`.
    pub fn qemu(&self, port: &str, folder: &Path) -> Result<(Port, PathBuf, PathBuf)> {
        let ours = folder.join(format!("{port}-switch.sock"));
        let theirs = folder.join(format!("{port}-qemu.sock"));
        let socket = UnixDatagram::bind(&ours).with_context(|| format!("{}", ours.display()))?;
        let added = self.add(port, Link::Socket(socket, Some(theirs.clone())), Some(LAN9118))?;
        Ok((added, ours, theirs))
    }

    /// Adds a port that is a TAP device of the rig's own namespace; the device (named `<switch>-<port>`, shortened to
    /// 15 characters) may then be given to another one.
    pub fn tap(&self, port: &str) -> Result<(Port, String)> {
        let device: String = format!("{}-{port}", self.name).chars().take(15).collect();
        let interface = tappers::Interface::new(&device).map_err(io::Error::other)?;
        let tap = tappers::Tap::new_named(interface).with_context(|| format!("TAP device {device}"))?;
        Ok((self.add(port, Link::Tap(tap), None)?, device))
    }

    /// Adds a port in this process: one datagram on the socket is one frame.
    pub fn socket(&self, port: &str) -> Result<(Port, UnixDatagram)> {
        let (ours, theirs) = UnixDatagram::pair()?;
        Ok((self.add(port, Link::Socket(ours, None), None)?, theirs))
    }

    /// Has every frame at every port shown to `watcher`, in the switch's thread.
    pub fn watch(&self, watcher: impl FnMut(&Seen) + Send + 'static) {
        lock(&self.state).watchers.push(Box::new(watcher));
    }

    /// Puts the chip of the box's hub between the box at `host` and all others, who are behind its uplink until they are
    /// [plugged in](Port::plug). The chip is on the card of the twins: the box sets it up.
    pub fn hub(&self, card: Arc<Mutex<Card>>, host: &Port) {
        lock(&self.state).hub = Some(hub::Hub::new(card, host.index));
    }

    /// Brings the capture to its file.
    pub fn flush(&self) {
        // A full disk must not hide a test's own result.
        let _ = lock(&self.state).capture.flush();
    }

    fn add(&self, name: &str, link: Link, pace: Option<Pace>) -> Result<Port> {
        rustix::io::ioctl_fionbio(&link, true)?;
        let mut state = lock(&self.state);
        state.capture.interface(name)?;
        let now = Instant::now();
        state.ports.push(PortState {
            name: name.into(),
            link: Arc::new(link),
            faults: [Faults::default(); 2],
            cut: false,
            vlan: None,
            pace,
            credit: pace.map_or(0.0, |pace| pace.burst),
            refilled: now,
            after: now,
            counters: Counters::default(),
        });
        let index = state.ports.len() - 1;
        drop(state);
        self.wake();
        Ok(Port {
            state: Arc::clone(&self.state),
            index,
        })
    }

    fn wake(&self) {
        // A full queue means that the thread is being woken anyway.
        let _ = self.waker.send(&[1]);
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        lock(&self.state).stop = true;
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
        self.flush();
    }
}

impl Port {
    /// Sets the faults of one direction.
    pub fn set_faults(&self, direction: Direction, faults: Faults) {
        lock(&self.state).ports[self.index].faults[direction as usize] = faults;
    }

    /// Pulls the cable: nothing passes in either direction until [`Port::mend`].
    pub fn cut(&self) {
        let mut state = lock(&self.state);
        state.ports[self.index].cut = true;
        if let Some(hub) = &mut state.hub {
            hub.link(self.index, false);
        }
    }

    /// Plugs the cable in again.
    pub fn mend(&self) {
        let mut state = lock(&self.state);
        state.ports[self.index].cut = false;
        if let Some(hub) = &mut state.hub {
            hub.link(self.index, true);
        }
    }

    /// Has the computer be in this VLAN, as its own interface would have it (not every kernel has those): what it sends gets the
    /// tag, and only what has it reaches the computer, without it. LLDP is in no VLAN.
    pub fn tag(&self, vlan: u16) {
        lock(&self.state).ports[self.index].vlan = Some(vlan);
    }

    /// Plugs the cable into a port of the hub, counted from 0, if there is one.
    pub fn plug(&self, at: usize) {
        if let Some(hub) = &mut lock(&self.state).hub {
            hub.plug(self.index, at);
        }
    }

    /// Frames so far.
    pub fn counters(&self) -> Counters {
        lock(&self.state).ports[self.index].counters
    }
}

enum Link {
    Tap(tappers::Tap),
    Socket(UnixDatagram, Option<PathBuf>),
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Link::Tap(tap) => tap.as_fd(),
            Link::Socket(socket, _) => socket.as_fd(),
        }
    }
}

impl Link {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Link::Tap(tap) => tap.recv(buffer),
            Link::Socket(socket, _) => socket.recv(buffer),
        }
    }

    fn send(&self, frame: &[u8]) -> io::Result<usize> {
        match self {
            Link::Tap(tap) => tap.send(frame),
            Link::Socket(socket, Some(peer)) => socket.send_to(frame, peer),
            Link::Socket(socket, None) => socket.send(frame),
        }
    }
}

struct PortState {
    name: String,
    link: Arc<Link>,
    faults: [Faults; 2],
    cut: bool,
    /// The VLAN of the computer's network, whose tags it writes and reads here.
    vlan: Option<u16>,
    pace: Option<Pace>,
    credit: f64,
    refilled: Instant,
    /// No frame may leave before an earlier one that the pace holds back.
    after: Instant,
    counters: Counters,
}

struct State {
    ports: Vec<PortState>,
    table: HashMap<Mac, usize>,
    hub: Option<hub::Hub>,
    /// What the office's switch has learned where there is a hub.
    office: HashMap<Mac, hub::At>,
    later: BinaryHeap<Reverse<Later>>,
    serial: u64,
    capture: Capture,
    watchers: Vec<Watcher>,
    random: u64,
    stop: bool,
}

/// A frame that waits, to enter the switch or to leave it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Later {
    due: Instant,
    serial: u64,
    stage: Stage,
    port: usize,
    frame: Vec<u8>,
}

/// What happens to a frame next, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It finds its way through the switch.
    Enter,
    /// It has passed the faults of the port it leaves by.
    Leave,
    /// The port's pace lets it go.
    Give,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One pass of the switch's thread: wait for frames or for the next frame due, move them. False: stop.
fn pass(state: &Mutex<State>, woken: &UnixDatagram) -> bool {
    let (links, due) = {
        let state = lock(state);
        if state.stop {
            return false;
        }
        let links: Vec<_> = state.ports.iter().map(|port| Arc::clone(&port.link)).collect();
        (links, state.later.peek().map(|Reverse(later)| later.due))
    };
    let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
    let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
    let mut sources: Vec<_> = links
        .iter()
        .map(|link| PollFd::new(&**link, PollFlags::IN))
        .collect();
    sources.push(PollFd::new(woken, PollFlags::IN));
    // Interrupted by a signal: the next pass looks again.
    let _ = poll(&mut sources, timeout.as_ref());

    let mut buffer = [0; FRAME_MAX];
    while woken.recv(&mut buffer).is_ok() {}
    let readable: Vec<_> = sources
        .iter()
        .map(|source| !source.revents().is_empty())
        .collect();
    for (port, link) in links.iter().enumerate().filter(|(port, _)| readable[*port]) {
        // Bounded, so that one busy port does not starve the others.
        for _ in 0..32 {
            let Ok(length) = link.receive(&mut buffer) else {
                break;
            };
            lock(state).sent(port, &buffer[..length]);
        }
    }
    lock(state).due();
    true
}

impl State {
    /// A computer sent a frame.
    fn sent(&mut self, port: usize, frame: &[u8]) {
        let tagged = self.ports[port].vlan.map(|vlan| with_tag(frame, vlan));
        let frame = tagged.as_deref().unwrap_or(frame);
        self.show(port, Direction::Sent, frame);
        self.ports[port].counters.sent += 1;
        let fate = self.fate(port, Direction::Sent);
        // A full disk must not stop the network.
        let comment = fate.as_ref().err().copied();
        let _ = self
            .capture
            .frame(u32::try_from(port).unwrap_or(u32::MAX), frame, comment);
        match fate {
            Err(_) => self.ports[port].counters.lost += 1,
            Ok(fate) => self.schedule(fate, Stage::Enter, port, frame),
        }
    }

    fn schedule(&mut self, fate: Fate, stage: Stage, port: usize, frame: &[u8]) {
        let mut frame = frame.to_vec();
        if let (Some(random), true) = (fate.corrupt, frame.len() > 14) {
            let bit = random as usize % ((frame.len() - 14) * 8);
            frame[14 + bit / 8] ^= 1 << (bit % 8);
        }
        for delay in fate.delays.into_iter().flatten() {
            if delay.is_zero() {
                self.go(stage, port, &frame);
            } else {
                self.put_off(Instant::now() + delay, stage, port, &frame);
            }
        }
    }

    /// A frame enters the switch: learn its source, find its way.
    fn enter(&mut self, port: usize, frame: &[u8]) {
        if self.hub.is_some() {
            return self.enter_hub(port, frame);
        }
        let Some((destination, rest)) = frame.split_first_chunk::<6>() else {
            return;
        };
        let Some((source, _)) = rest.split_first_chunk::<6>() else {
            return;
        };
        if source[0] & 1 == 0 {
            self.table.insert(*source, port);
        }
        match self.table.get(destination) {
            Some(&to) if to != port => self.leave(to, frame),
            Some(_) => {}
            None => (0..self.ports.len())
                .filter(|&to| to != port)
                .for_each(|to| self.leave(to, frame)),
        }
    }

    /// A frame leaves the switch towards a computer.
    fn leave(&mut self, port: usize, frame: &[u8]) {
        match self.fate(port, Direction::Received) {
            Err(_) => self.ports[port].counters.lost += 1,
            Ok(fate) => self.schedule(fate, Stage::Leave, port, frame),
        }
    }

    /// The same, behind the port's faults: no faster than its computer can take.
    fn paced(&mut self, port: usize, frame: &[u8]) {
        let now = Instant::now();
        let state = &mut self.ports[port];
        let Some(pace) = state.pace else {
            return self.give(port, frame);
        };
        let gained = now.saturating_duration_since(state.refilled).as_secs_f64() * pace.rate;
        state.credit = (state.credit + gained).min(pace.burst);
        state.refilled = now;
        state.credit -= frame.len() as f64;
        if state.credit >= 0.0 && state.after <= now {
            return self.give(port, frame);
        }
        let wait = Duration::from_secs_f64(state.credit.min(0.0).abs() / pace.rate);
        state.after = state.after.max(now + wait);
        let due = state.after;
        self.put_off(due, Stage::Give, port, frame);
    }

    /// Frames whose time has come.
    fn due(&mut self) {
        while self
            .later
            .peek()
            .is_some_and(|Reverse(later)| later.due <= Instant::now())
        {
            let Some(Reverse(later)) = self.later.pop() else {
                return;
            };
            self.go(later.stage, later.port, &later.frame);
        }
    }

    fn go(&mut self, stage: Stage, port: usize, frame: &[u8]) {
        match stage {
            Stage::Enter => self.enter(port, frame),
            Stage::Leave => self.paced(port, frame),
            Stage::Give => self.give(port, frame),
        }
    }

    fn give(&mut self, port: usize, frame: &[u8]) {
        let link = Arc::clone(&self.ports[port].link);
        let untagged = match self.ports[port].vlan.map(|vlan| without_tag(frame, vlan)) {
            Some(None) => return,
            other => other.flatten(),
        };
        match link.send(untagged.as_deref().unwrap_or(frame)) {
            Ok(_) => {
                self.ports[port].counters.received += 1;
                self.show(port, Direction::Received, frame);
            }
            Err(_) => self.ports[port].counters.overrun += 1,
        }
    }

    fn put_off(&mut self, due: Instant, stage: Stage, port: usize, frame: &[u8]) {
        self.serial += 1;
        self.later.push(Reverse(Later {
            due,
            serial: self.serial,
            stage,
            port,
            frame: frame.to_vec(),
        }));
    }

    fn show(&mut self, port: usize, direction: Direction, frame: &[u8]) {
        let seen = Seen {
            at: Instant::now(),
            port: &self.ports[port].name,
            direction,
            frame,
        };
        self.watchers.iter_mut().for_each(|watcher| watcher(&seen));
    }
}

/// A frame of a computer in this VLAN, as it is on the wire.
fn with_tag(frame: &[u8], vlan: u16) -> Vec<u8> {
    match frame.split_at_checked(12) {
        Some((addresses, rest)) if !rest.starts_with(&LLDP) => {
            [addresses, &[0x81, 0x00], &vlan.to_be_bytes(), rest].concat()
        }
        _ => frame.to_vec(),
    }
}

/// A frame on the wire as a computer in this VLAN has it; `None`: it is not for it.
fn without_tag(frame: &[u8], vlan: u16) -> Option<Vec<u8>> {
    let (addresses, rest) = frame.split_at_checked(12)?;
    match rest {
        [0x81, 0x00, high, low, rest @ ..] if u16::from_be_bytes([high & 0x0F, *low]) == vlan => {
            Some([addresses, rest].concat())
        }
        _ => rest.starts_with(&LLDP).then(|| frame.to_vec()),
    }
}
