//! The shim between the MAC driver and the IP stack; see the README for the why.
#![no_std]
#![forbid(unsafe_code)]

mod arp;
pub mod dhcp;
pub mod ethernet;
mod hold;
mod lease;
pub mod neighbours;
mod state;

pub use dhcp::Lease;
pub use state::{Counters, Event, State};

use core::cell::RefCell;
use core::ops::Range;
use core::task::{Context, Waker};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use state::Verdict;

/// Largest Ethernet frame without CRC, bytes.
pub const FRAME: usize = 1514;

/// The clock the shim lives by.
pub trait Clock {
    /// Milliseconds since start.
    fn now(&self) -> u64;
    /// Wakes `waker` at `at`, ms; an earlier call for the same waker may be forgotten only if it was for later.
    fn wake_at(&self, at: u64, waker: &Waker);
}

/// An `embassy-net` driver of medium IP around one of medium Ethernet.
pub struct NetShim<'s, D, C, const HOSTS: usize, const HELD: usize> {
    driver: D,
    clock: C,
    state: &'s RefCell<State<HOSTS, HELD>>,
    waker: Option<Waker>,
    rx: [u8; FRAME],
    tx: [u8; FRAME],
    /// A packet in `rx` for which there was no room to answer yet.
    waiting: Option<Range<usize>>,
}

impl<'s, D: Driver, C: Clock, const HOSTS: usize, const HELD: usize> NetShim<'s, D, C, HOSTS, HELD> {
    /// Wraps `driver`. `state` is shared with the task that hears the shim's events.
    pub fn new(driver: D, clock: C, state: &'s RefCell<State<HOSTS, HELD>>) -> Self {
        NetShim {
            driver,
            clock,
            state,
            waker: None,
            rx: [0; FRAME],
            tx: [0; FRAME],
            waiting: None,
        }
    }

    /// Sends everything of the shim's own that is due, as far as the driver has room.
    fn service(&mut self, cx: &mut Context<'_>) {
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        while state.has_output(now) {
            let Some(token) = self.driver.transmit(cx) else {
                break;
            };
            let Some(length) = state.output(now, &mut self.tx) else {
                break;
            };
            send(token, &self.tx, length);
        }
        if let Some(at) = state.next_deadline() {
            self.clock.wake_at(at, cx.waker());
        }
    }

    /// Reads frames until one is for the stack.
    fn fetch(&mut self, cx: &mut Context<'_>) {
        while self.waiting.is_none() {
            if let Some(length) = self.state.borrow_mut().take_own(&mut self.rx) {
                self.waiting = Some(0..length);
                return;
            }
            let Some((rx, tx)) = self.driver.receive(cx) else {
                return;
            };
            let length = embassy_net_driver::RxToken::consume(rx, |frame| {
                let to = self.rx.get_mut(..frame.len())?;
                to.copy_from_slice(frame);
                Some(frame.len())
            });
            let Some(frame) = length.and_then(|length| self.rx.get(..length)) else {
                continue;
            };
            match self.state.borrow_mut().input(self.clock.now(), frame) {
                Verdict::Stack(range) => self.waiting = Some(range),
                Verdict::Answer(answer) => {
                    embassy_net_driver::TxToken::consume(tx, answer.len(), |to| to.copy_from_slice(&answer));
                }
                Verdict::Done => {}
            }
        }
    }
}

fn send<T: embassy_net_driver::TxToken>(token: T, frame: &[u8], length: usize) {
    let Some(frame) = frame.get(..length) else { return };
    token.consume(length, |to| to.copy_from_slice(frame));
}

impl<D: Driver, C: Clock, const HOSTS: usize, const HELD: usize> Driver for NetShim<'_, D, C, HOSTS, HELD> {
    type RxToken<'a>
        = RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, D::TxToken<'a>, C, HOSTS, HELD>
    where
        Self: 'a;

    fn receive(&mut self, cx: &mut Context) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.waker = Some(cx.waker().clone());
        self.service(cx);
        self.fetch(cx);
        // What was heard may have set held packets free.
        self.service(cx);
        let range = self.waiting.clone()?;
        let token = self.driver.transmit(cx)?;
        self.waiting = None;
        let packet = self.rx.get_mut(range)?;
        let tx = TxToken {
            token,
            buffer: &mut self.tx,
            state: self.state,
            clock: &self.clock,
            waker: &self.waker,
        };
        Some((RxToken(packet), tx))
    }

    fn transmit(&mut self, cx: &mut Context) -> Option<Self::TxToken<'_>> {
        if let Some(until) = self.state.borrow().congested(self.clock.now()) {
            self.clock.wake_at(until, cx.waker());
            return None;
        }
        let token = self.driver.transmit(cx)?;
        Some(TxToken {
            token,
            buffer: &mut self.tx,
            state: self.state,
            clock: &self.clock,
            waker: &self.waker,
        })
    }

    fn link_state(&mut self, cx: &mut Context) -> LinkState {
        let link = self.driver.link_state(cx);
        if self
            .state
            .borrow_mut()
            .link(self.clock.now(), link == LinkState::Up)
        {
            self.service(cx);
        }
        link
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.driver.capabilities();
        capabilities.max_transmission_unit = capabilities.max_transmission_unit.min(FRAME) - ethernet::HEADER;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ip
    }
}

/// A received IP packet.
pub struct RxToken<'a>(&'a mut [u8]);

impl embassy_net_driver::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// The right to send one IP packet. What leaves the MAC for it is the packet, a question for its host, or nothing.
pub struct TxToken<'a, T, C, const HOSTS: usize, const HELD: usize> {
    token: T,
    buffer: &'a mut [u8; FRAME],
    state: &'a RefCell<State<HOSTS, HELD>>,
    clock: &'a C,
    waker: &'a Option<Waker>,
}

impl<T: embassy_net_driver::TxToken, C: Clock, const HOSTS: usize, const HELD: usize>
    embassy_net_driver::TxToken for TxToken<'_, T, C, HOSTS, HELD>
{
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let end = (ethernet::HEADER + length).min(FRAME);
        let Some(packet) = self.buffer.get_mut(ethernet::HEADER..end) else {
            return f(&mut []);
        };
        let result = f(packet);
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        // A packet that has to wait leaves its turn to the question for its host.
        let length = match state.route(now, self.buffer, end) {
            Some(length) => Some(length),
            None => state.output(now, self.buffer),
        };
        if let Some(length) = length {
            send(self.token, self.buffer, length);
        }
        if let Some(waker) = self.waker {
            if state.has_own() {
                self.clock.wake_at(now, waker);
            }
            if let Some(at) = state.next_deadline() {
                self.clock.wake_at(at, waker);
            }
        }
        result
    }
}
