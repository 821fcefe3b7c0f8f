//! Desk phones that configure themselves, on the rig: [`deskphones::Phone`] as a computer at a port of the box's hub.
//!
//! ```text
//! twin of the controller ── fed? ──> Phone ── datagrams, connections ── smoltcp ── frames ── the rig's switch
//!                                      └───────────────── LLDP ───────────────────┘
//! ```
//!
//! The phone is switched on when its port feeds it, and dies when it does not. In a call it plays a tone.

mod wire;

use crate::switch::{Port, Switch};
use crate::tone;
use crate::twin::powered::PoweredDevice;
use crate::twin::server::Lines;
use anyhow::Result;
use deskphones::Phone;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::Wire;

/// The longest that a phone's thread sleeps: so late it may see that its port feeds.
const LOOK: Duration = Duration::from_millis(20);
/// A packet of audio.
const PACKET: u64 = 20;

/// A phone at the hub. Dropping it pulls its cable out.
pub struct Desk {
    phone: Arc<Mutex<Phone>>,
    cable: Port,
    begin: Instant,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What powers it.
#[derive(Clone)]
pub enum Feed {
    /// The port of the hub.
    Port(Arc<Mutex<crate::twin::Card>>),
    /// An adaptor of its own.
    Adaptor,
}

impl Feed {
    /// The ports of the box whose lines these are.
    pub fn ports(lines: &Lines) -> Feed {
        Feed::Port(lines.shared())
    }
}

impl Desk {
    /// Plugs a phone into a port of the hub, from 0. In calls it plays this tone, Hz.
    pub fn plug(switch: &Switch, name: &str, at: usize, feed: Feed, phone: Phone, tone: f64) -> Result<Desk> {
        let (cable, socket) = switch.socket(name)?;
        socket.set_nonblocking(true)?;
        cable.plug(at);
        // Without power there is no link.
        cable.cut();
        if let (Feed::Port(card), Some(power)) = (&feed, phone.model.power) {
            let device = PoweredDevice::phone(power.class);
            lock(card).hub.plug(at, device);
        }
        let mac = phone.mac;
        let phone = Arc::new(Mutex::new(phone));
        let (begin, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let mut life = Life {
            phone: Arc::clone(&phone),
            wire: Wire::new(mac.0),
            socket,
            cable: cable.clone(),
            feed,
            at,
            begin,
            on: false,
            voice: Voice::new(tone),
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(format!("desk {name}"))
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    life.pass();
                }
                life.end();
            })?;
        Ok(Desk {
            phone,
            cable,
            begin,
            stop,
            thread: Some(thread),
        })
    }

    /// The phone, while it is held still.
    pub fn phone(&self) -> MutexGuard<'_, Phone> {
        lock(&self.phone)
    }

    /// Its time.
    pub fn now(&self) -> u64 {
        millis(self.begin)
    }

    /// Is its first account registered?
    pub fn is_registered(&self) -> bool {
        self.phone().is_registered(self.now())
    }

    /// Calls this number for at most `talk` milliseconds.
    pub fn dial(&self, number: &str, talk: u64) {
        let now = self.now();
        self.phone().call(now, number, 30_000, talk);
    }

    /// Its cable.
    pub fn cable(&self) -> &Port {
        &self.cable
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(begin: Instant) -> u64 {
    begin.elapsed().as_millis() as u64
}

/// What the thread has.
struct Life {
    phone: Arc<Mutex<Phone>>,
    wire: Wire,
    socket: UnixDatagram,
    cable: Port,
    feed: Feed,
    at: usize,
    begin: Instant,
    on: bool,
    voice: Voice,
}

impl Life {
    fn is_fed(&self) -> bool {
        match &self.feed {
            Feed::Port(card) => lock(card).hub.fed(self.at).is_some(),
            Feed::Adaptor => true,
        }
    }

    /// Waits for a frame or for what is due, and does it.
    fn pass(&mut self) {
        let now = millis(self.begin);
        let due = lock(&self.phone).next_deadline().min(self.voice.next);
        let wait = Duration::from_millis(due.saturating_sub(now)).min(LOOK);
        let wait = self.wire.wait(now).map_or(wait, |other| wait.min(other));
        let timeout = Timespec::try_from(wait).ok();
        // Interrupted by a signal: the next pass looks again.
        let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], timeout.as_ref());

        let now = millis(self.begin);
        let phone = Arc::clone(&self.phone);
        let phone = &mut *lock(&phone);
        let fed = self.is_fed();
        if fed != self.on {
            self.on = fed;
            phone.power(now, fed);
            self.wire = Wire::new(phone.mac.0);
            match fed {
                true => self.cable.mend(),
                false => self.cable.cut(),
            }
        }
        let mut buffer = [0; 2_048];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            if self.on {
                self.wire.received(&buffer[..length]);
            }
        }
        self.wire.deliver(now, phone);
        while let Some(output) = phone.poll(now) {
            self.wire.take(now, output);
        }
        if let Some((port, to, packet)) = self.voice.poll(now, phone) {
            self.wire.send(port, to, &packet);
        }
        self.wire.run(now);
        for frame in self.wire.sent() {
            // A switch that is gone at the end of the run hears nothing.
            let _ = self.socket.send(&frame);
        }
    }

    fn end(&mut self) {
        if let Feed::Port(card) = &self.feed {
            lock(card).hub.unplug(self.at);
        }
        self.cable.cut();
    }
}

/// The tone of a phone in a call: PCMU, 20 ms a packet (RFC 3550, RFC 3551).
struct Voice {
    octets: Vec<u8>,
    next: u64,
    sequence: u16,
}

impl Voice {
    fn new(frequency: f64) -> Voice {
        // A second: every whole frequency is whole in it.
        let octets = tone::sine(frequency, 1.0)
            .into_iter()
            .map(tone::to_ulaw)
            .collect();
        Voice {
            octets,
            next: u64::MAX,
            sequence: 0,
        }
    }

    fn poll(&mut self, now: u64, phone: &mut Phone) -> Option<(u16, std::net::SocketAddrV4, Vec<u8>)> {
        let audio = phone.agent(0).and_then(|agent| agent.audio());
        let Some((port, std::net::SocketAddr::V4(to))) = audio else {
            self.next = u64::MAX;
            return None;
        };
        if self.next == u64::MAX {
            self.next = now;
        }
        if now < self.next {
            return None;
        }
        self.next += PACKET;
        self.sequence = self.sequence.wrapping_add(1);
        let samples = 8 * PACKET as usize;
        let start = usize::from(self.sequence) * samples;
        let sound = self
            .octets
            .iter()
            .cycle()
            .skip(start % self.octets.len())
            .take(samples);
        let mut packet = vec![0x80, 0];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend((start as u32).to_be_bytes());
        packet.extend([0x44, 0x45, 0x53, 0x4B]);
        packet.extend(sound);
        Some((port, to, packet))
    }
}
