//! The shim between the MAC driver and the IP stack; see the README for the why.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod arp;
pub mod dhcp;
pub mod ethernet;
mod hold;
mod lease;
pub mod neighbours;
mod state;
pub mod tag;

pub use dhcp::Lease;
pub use neighbours::Station;
pub use state::{Counters, Event, LLDPDU_MAX, State};

use core::cell::{Cell, RefCell, RefMut};
use core::net::Ipv4Addr;
use core::ops::Range;
use core::task::{Context, Waker};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use state::Verdict;

/// Largest IP packet, bytes.
pub const PACKET: usize = 1500;
/// Where packets lie in the shim's buffers: behind room for a header with a VLAN tag.
const HEAD: usize = ethernet::HEADER + tag::VLAN_TAG;
/// Largest frame without CRC, with VLAN tag and tail tag, bytes.
pub const FRAME: usize = HEAD + PACKET + tag::TAIL;

/// The networks that the box is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// The office network: frames without a tag, address by DHCP.
    Office = 0,
    /// The telephones' own network, if there is one: frames with the tag of its VLAN, no router.
    Voice = 1,
}

/// The voice network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Its VLAN identifier, 1 to 4094.
    pub vlan: u16,
    /// Our address in it.
    pub address: Ipv4Addr,
    /// Bits of its prefix, 0 to 32.
    pub prefix: u8,
}

/// The clock the shim lives by.
pub trait Clock {
    /// Milliseconds since start.
    fn now(&self) -> u64;
    /// Wakes `waker` at `at`, ms; an earlier call for the same waker may be forgotten only if it was for later.
    fn wake_at(&self, at: u64, waker: &Waker);
}

/// What the networks share: the MAC's driver and a buffer for each direction. The stacks over it are polled by one task.
pub struct Link<'s, D, C, const HOSTS: usize, const HELD: usize> {
    clock: C,
    state: &'s RefCell<State<HOSTS, HELD>>,
    mac: RefCell<MacSide<D>>,
    rx: RefCell<[u8; FRAME]>,
    /// A packet in `rx` that its stack has not taken yet.
    waiting: Cell<Option<(Net, usize, usize)>>,
}

struct MacSide<D> {
    driver: D,
    tx: [u8; FRAME],
}

impl<D: Driver> MacSide<D> {
    /// Sends the frame that `write` puts into the buffer. `false`: no room, or nothing to send.
    fn send(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(&mut [u8; FRAME]) -> Option<Range<usize>>,
    ) -> bool {
        let Some(token) = self.driver.transmit(cx) else {
            return false;
        };
        let frame = write(&mut self.tx).and_then(|range| self.tx.get(range));
        if let Some(frame) = frame {
            embassy_net_driver::TxToken::consume(token, frame.len(), |to| to.copy_from_slice(frame));
        }
        frame.is_some()
    }
}

impl<'s, D: Driver, C: Clock, const HOSTS: usize, const HELD: usize> Link<'s, D, C, HOSTS, HELD> {
    /// Wraps `driver`. `state` is shared with the tasks that hear the shim's events.
    pub fn new(driver: D, clock: C, state: &'s RefCell<State<HOSTS, HELD>>) -> Self {
        Link {
            clock,
            state,
            mac: RefCell::new(MacSide {
                driver,
                tx: [0; FRAME],
            }),
            rx: RefCell::new([0; FRAME]),
            waiting: Cell::new(None),
        }
    }

    /// Sends everything of the shim's own that is due, as far as the driver has room.
    fn service(&self, cx: &mut Context<'_>) {
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        let mut mac = self.mac.borrow_mut();
        while state.has_output(now) && mac.send(cx, |frame| state.output(now, frame)) {}
        if let Some(at) = state.next_deadline() {
            self.clock.wake_at(at, cx.waker());
        }
    }

    /// Reads frames until one is for a stack.
    fn fetch(&self, net: Net, cx: &mut Context<'_>) {
        let mut rx = self.rx.borrow_mut();
        if self.state.borrow_mut().take_stale() {
            self.waiting.set(None);
            while let Some((token, _)) = self.mac.borrow_mut().driver.receive(cx) {
                embassy_net_driver::RxToken::consume(token, |_| ());
            }
        }
        while self.waiting.get().is_none() {
            let mut state = self.state.borrow_mut();
            if let Some(length) = state.take_own(net, &mut *rx) {
                self.waiting.set(Some((net, 0, length)));
                return;
            }
            let mut mac = self.mac.borrow_mut();
            let Some((token, _)) = mac.driver.receive(cx) else {
                return;
            };
            let length = embassy_net_driver::RxToken::consume(token, |frame| {
                let to = rx.get_mut(..frame.len())?;
                to.copy_from_slice(frame);
                Some(frame.len())
            });
            let Some(frame) = length.and_then(|length| rx.get(..length)) else {
                continue;
            };
            match state.input(self.clock.now(), frame) {
                Verdict::Stack(net, Range { start, end }) => self.waiting.set(Some((net, start, end))),
                Verdict::Answer(net, answer) => {
                    mac.send(cx, |frame| state.write_arp(net, frame, &answer));
                }
                Verdict::Done => {}
            }
        }
    }
}

/// An `embassy-net` driver of medium IP: one network of a [`Link`].
pub struct NetShim<'l, 's, D, C, const HOSTS: usize, const HELD: usize> {
    link: &'l Link<'s, D, C, HOSTS, HELD>,
    net: Net,
}

impl<'l, 's, D, C, const HOSTS: usize, const HELD: usize> NetShim<'l, 's, D, C, HOSTS, HELD> {
    /// The driver for the stack of this network.
    pub fn new(link: &'l Link<'s, D, C, HOSTS, HELD>, net: Net) -> Self {
        NetShim { link, net }
    }
}

impl<D: Driver, C: Clock, const HOSTS: usize, const HELD: usize> Driver
    for NetShim<'_, '_, D, C, HOSTS, HELD>
{
    type RxToken<'a>
        = RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, D, C, HOSTS, HELD>
    where
        Self: 'a;

    fn receive(&mut self, cx: &mut Context) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let link = self.link;
        link.state.borrow_mut().moves(cx.waker());
        link.service(cx);
        link.fetch(self.net, cx);
        // What was heard may have set held packets free.
        link.service(cx);
        let (net, start, end) = link.waiting.get()?;
        if net != self.net {
            // The other stack's turn.
            cx.waker().wake_by_ref();
            return None;
        }
        link.mac.borrow_mut().driver.transmit(cx)?;
        link.waiting.set(None);
        let packet = RefMut::filter_map(link.rx.borrow_mut(), |rx| rx.get_mut(start..end)).ok()?;
        Some((RxToken(packet), TxToken { link, net }))
    }

    fn transmit(&mut self, cx: &mut Context) -> Option<Self::TxToken<'_>> {
        let link = self.link;
        if let Some(until) = link.state.borrow().congested(link.clock.now()) {
            link.clock.wake_at(until, cx.waker());
            return None;
        }
        link.mac.borrow_mut().driver.transmit(cx)?;
        Some(TxToken { link, net: self.net })
    }

    fn link_state(&mut self, cx: &mut Context) -> LinkState {
        let up = self.link.mac.borrow_mut().driver.link_state(cx);
        let now = self.link.clock.now();
        let news = self.link.state.borrow_mut().link(now, up == LinkState::Up);
        if news {
            self.link.service(cx);
        }
        up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.link.mac.borrow().driver.capabilities();
        let frame = capabilities.max_transmission_unit.min(FRAME);
        let around = ethernet::HEADER + self.link.state.borrow().overhead(self.net);
        capabilities.max_transmission_unit = frame.saturating_sub(around).min(PACKET);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ip
    }
}

/// A received IP packet.
pub struct RxToken<'a>(RefMut<'a, [u8]>);

impl embassy_net_driver::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

/// The right to send one IP packet. What leaves the MAC for it is the packet, a question for its host, or nothing.
pub struct TxToken<'a, D, C, const HOSTS: usize, const HELD: usize> {
    link: &'a Link<'a, D, C, HOSTS, HELD>,
    net: Net,
}

impl<D: Driver, C: Clock, const HOSTS: usize, const HELD: usize> embassy_net_driver::TxToken
    for TxToken<'_, D, C, HOSTS, HELD>
{
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let Self { link, net } = self;
        let mut mac = link.mac.borrow_mut();
        let end = (HEAD + length).min(HEAD + PACKET);
        let Some(packet) = mac.tx.get_mut(HEAD..end) else {
            return f(&mut []);
        };
        let result = f(packet);
        let now = link.clock.now();
        let mut state = link.state.borrow_mut();
        // Whoever gave this token registered itself then.
        let waker = state.mover().cloned();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        // A packet that has to wait leaves its turn to the question for its host.
        mac.send(&mut cx, |frame| match state.route(now, net, frame, end) {
            Some(range) => Some(range),
            None => state.output(now, frame),
        });
        if state.has_own() {
            link.clock.wake_at(now, cx.waker());
        }
        if let Some(at) = state.next_deadline() {
            link.clock.wake_at(at, cx.waker());
        }
        result
    }
}
