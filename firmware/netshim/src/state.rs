//! The shim's state: our address, who is where, what waits, what is to be told. No I/O and no clock.

use crate::FRAME;
use crate::arp::{self, Arp};
use crate::dhcp::{self, Action, Answer, Dhcp, Lease};
use crate::ethernet::{self, BROADCAST, HEADER, Mac, UDP_PAYLOAD};
use crate::hold::Hold;
use crate::neighbours::{Due, Neighbours, Route};
use core::net::Ipv4Addr;
use core::ops::Range;
use core::task::{Context, Poll, Waker};
use heapless::Deque;

/// Packets from us to us are held under this address: no neighbour has it.
const OURSELVES: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// What the rest of the firmware is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Our address. `fresh`: granted just now; otherwise kept because no server answers.
    Address {
        /// The lease.
        lease: Lease,
        /// Confirmed by a server.
        fresh: bool,
    },
    /// A server took our address away, or the link is down.
    AddressLost,
    /// This host of the segment does not answer; packets for it are dropped for a second.
    Unreachable(Ipv4Addr),
}

/// What went by and what was lost, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets dropped because their host did not answer.
    pub dropped_silent: u32,
    /// Packets dropped because too many wait already, or too many hosts are being asked for.
    pub dropped_full: u32,
    /// Packets dropped because there is no way to their address (no address of ours, no router).
    pub dropped_no_route: u32,
    /// Frames that are not for us, of another kind, or cut off.
    pub ignored: u32,
    /// ARP packets of somebody else with our address.
    pub conflicts: u32,
    /// Questions asked.
    pub asked: u32,
    /// Events not told because nobody took the earlier ones.
    pub events_lost: u32,
}

/// What to do with a received frame.
pub(crate) enum Verdict {
    /// The packet in this range is for the stack.
    Stack(Range<usize>),
    /// Send this ARP answer.
    Answer([u8; arp::FRAME]),
    /// Nothing more.
    Done,
}

/// The state, shared by the driver and whoever hears its events.
pub struct State<const HOSTS: usize, const HELD: usize> {
    mac: Mac,
    up: bool,
    dhcp: Dhcp,
    neighbours: Neighbours<HOSTS>,
    hold: Hold<HELD>,
    /// Some held packet's host may be known now.
    ready: bool,
    /// What is due from `neighbours` and waits for room to be sent.
    question: Option<Ipv4Addr>,
    events: Deque<Event, 16>,
    listener: Option<Waker>,
    counters: Counters,
}

impl<const HOSTS: usize, const HELD: usize> State<HOSTS, HELD> {
    /// The state before the link is up. `last`: the lease in use before the restart; `seed`: any number.
    pub fn new(mac: Mac, last: Option<Lease>, seed: u32) -> Self {
        State {
            mac,
            up: false,
            dhcp: Dhcp::new(mac, last, seed),
            neighbours: Neighbours::new(),
            hold: Hold::new(),
            ready: false,
            question: None,
            events: Deque::new(),
            listener: None,
            counters: Counters::default(),
        }
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The address in use.
    pub fn address(&self) -> Option<&Lease> {
        self.dhcp.address()
    }

    /// The next event. One task may wait.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                self.listener = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn tell(&mut self, event: Event) {
        // The same host again and again says nothing new; an address must not be lost behind it.
        let again =
            matches!(event, Event::Unreachable(_)) && self.events.iter().any(|waiting| *waiting == event);
        if !again && self.events.push_back(event).is_err() {
            self.counters.events_lost += 1;
        }
        if let Some(waker) = self.listener.take() {
            waker.wake();
        }
    }

    /// The link is up or down now. `true`: that is news.
    pub(crate) fn link(&mut self, now: u64, up: bool) -> bool {
        let news = up != core::mem::replace(&mut self.up, up);
        if news && up {
            self.dhcp.link_up(now);
            // An address in use is good until a server says otherwise.
            if let Some(lease) = self.dhcp.address().cloned() {
                self.tell(Event::Address { lease, fresh: false });
            }
        } else if news {
            self.dhcp.link_down();
            self.neighbours.clear();
            self.tell(Event::AddressLost);
        }
        news
    }

    /// When there is something to send next.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        [self.dhcp.next_deadline(), self.neighbours.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The stack should keep its packets for a moment: no more can be held here, and hosts just asked for will answer in
    /// time. Until when, ms.
    pub(crate) fn congested(&self, now: u64) -> Option<u64> {
        if self.hold.room() >= FRAME - HEADER {
            None
        } else {
            self.neighbours.hopeful_until(now)
        }
    }

    /// The neighbour that takes packets for `ip`.
    fn next_hop(&self, ip: Ipv4Addr) -> Option<Ipv4Addr> {
        let lease = self.dhcp.address()?;
        if on_link(lease, ip) {
            Some(ip)
        } else {
            lease.router.filter(|&router| on_link(lease, router))
        }
    }

    /// Decides about the IP packet that lies behind room for the header in `frame[..end]`. `Some(length)`: send the frame.
    pub(crate) fn route(&mut self, now: u64, frame: &mut [u8], end: usize) -> Option<usize> {
        let packet = frame.get(HEADER..end)?;
        let (_, to) = ethernet::ip_addresses(packet)?;
        if self.dhcp.address().is_some_and(|lease| lease.address == to) {
            if !self.hold.push(OURSELVES, packet) {
                self.counters.dropped_full += 1;
            }
            return None;
        }
        let mac = if to.is_broadcast() || self.dhcp.address().is_some_and(|lease| to == broadcast(lease)) {
            BROADCAST
        } else if to.is_multicast() {
            ethernet::multicast(to)
        } else {
            let Some(hop) = self.next_hop(to) else {
                self.counters.dropped_no_route += 1;
                return None;
            };
            match self.neighbours.route(now, hop) {
                Route::Send(mac) => mac,
                Route::Hold => {
                    if !self.hold.push(hop, packet) {
                        self.counters.dropped_full += 1;
                    }
                    return None;
                }
                Route::Silent => {
                    self.counters.dropped_silent += 1;
                    self.tell(Event::Unreachable(hop));
                    return None;
                }
                Route::Full => {
                    self.counters.dropped_full += 1;
                    return None;
                }
            }
        };
        ethernet::set_header(frame, mac, self.mac, ethernet::IPV4)?;
        Some(end)
    }

    /// Is there a packet from us to us?
    pub(crate) fn has_own(&self) -> bool {
        self.hold.holds(OURSELVES)
    }

    /// The oldest packet from us to us, copied to `room`; its length.
    pub(crate) fn take_own(&mut self, room: &mut [u8]) -> Option<usize> {
        let mut length = None;
        self.hold.send(
            |host| (host == OURSELVES).then_some(()),
            |(), packet| {
                if let Some(to) = room.get_mut(..packet.len()) {
                    to.copy_from_slice(packet);
                    length = Some(packet.len());
                }
                true
            },
        );
        length
    }

    /// Is there something of the shim's own to send? What needs no frame is done at once.
    pub(crate) fn has_output(&mut self, now: u64) -> bool {
        while self.question.is_none() {
            match self.neighbours.due(now) {
                Some(Due::Ask(ip)) => self.question = Some(ip),
                Some(Due::GaveUp(ip)) => {
                    self.counters.dropped_silent += self.hold.drop_host(ip);
                    self.tell(Event::Unreachable(ip));
                }
                None => break,
            }
        }
        self.question.is_some() || self.ready || self.dhcp.next_deadline().is_some_and(|at| now >= at)
    }

    /// Writes the next frame of the shim's own to `frame`; its length. `None`: there is none.
    pub(crate) fn output(&mut self, now: u64, frame: &mut [u8]) -> Option<usize> {
        if !self.has_output(now) {
            return None;
        }
        if let Some(ip) = self.question.take() {
            self.counters.asked += 1;
            let own = self
                .dhcp
                .address()
                .map_or(Ipv4Addr::UNSPECIFIED, |lease| lease.address);
            let question = Arp {
                request: true,
                sender: (self.mac, own),
                target: ([0; 6], ip),
            };
            ethernet::put(frame, 0, &question.frame())?;
            return Some(arp::FRAME);
        }
        if self.ready {
            let mut length = None;
            let neighbours = &self.neighbours;
            self.hold.send(
                |host| neighbours.lookup(host),
                |to, packet| {
                    length = ethernet::put(frame, HEADER, packet)
                        .and_then(|()| ethernet::set_header(frame, to, self.mac, ethernet::IPV4))
                        .map(|()| HEADER + packet.len());
                    true
                },
            );
            if length.is_some() {
                return length;
            }
            self.ready = false;
        }
        loop {
            let mut message = [0; dhcp::MESSAGE];
            match self.dhcp.due(now, &mut message)? {
                Action::Use { lease, fresh } => self.tell(Event::Address { lease, fresh }),
                Action::Send { from, to, length } => {
                    ethernet::put(frame, HEADER + UDP_PAYLOAD, message.get(..length)?)?;
                    let packet = frame.get_mut(HEADER..)?;
                    let length = ethernet::set_udp(packet, (from, dhcp::CLIENT), (to, dhcp::SERVER), length)?;
                    if let Some(length) = self.route(now, frame, HEADER + length) {
                        return Some(length);
                    }
                }
            }
        }
    }

    /// A frame came.
    pub(crate) fn input(&mut self, now: u64, frame: &[u8]) -> Verdict {
        let verdict = match ethernet::header(frame) {
            Some((to, from, ethertype)) if to == self.mac || to[0] & 1 != 0 => match ethertype {
                ethernet::ARP => frame
                    .get(HEADER..)
                    .and_then(Arp::parse)
                    .map(|arp| self.arp(now, arp)),
                ethernet::IPV4 => self.ip(now, frame, to == self.mac, from),
                // LLDP (0x88CC) is heard here, and VLAN tags (0x8100) are taken off, when the box needs them.
                _ => None,
            },
            _ => None,
        };
        verdict.unwrap_or_else(|| {
            self.counters.ignored += 1;
            Verdict::Done
        })
    }

    fn arp(&mut self, now: u64, arp: Arp) -> Verdict {
        let Some(lease) = self.dhcp.address() else {
            return Verdict::Done;
        };
        let own = lease.address;
        let (mac, ip) = arp.sender;
        if ip == own && mac != self.mac {
            self.counters.conflicts += 1;
        } else if on_link(lease, ip) && ip != own {
            self.ready |= self.neighbours.heard_arp(now, ip, mac, arp.target.1 == own);
        }
        if arp.request && arp.target.1 == own && ip != own {
            Verdict::Answer(
                Arp {
                    request: false,
                    sender: (self.mac, own),
                    target: arp.sender,
                }
                .frame(),
            )
        } else {
            Verdict::Done
        }
    }

    fn ip(&mut self, now: u64, frame: &[u8], to_us: bool, mac: Mac) -> Option<Verdict> {
        let packet = frame.get(HEADER..)?;
        let (from, _) = ethernet::ip_addresses(packet)?;
        if let Some(message) = ethernet::udp_payload(packet, dhcp::CLIENT) {
            match self.dhcp.receive(now, message) {
                Some(Answer::Granted(lease)) => self.tell(Event::Address { lease, fresh: true }),
                Some(Answer::Refused) => {
                    self.neighbours.clear();
                    self.tell(Event::AddressLost);
                }
                None => {}
            }
            return Some(Verdict::Done);
        }
        if to_us
            && self
                .dhcp
                .address()
                .is_some_and(|lease| on_link(lease, from) && from != lease.address)
        {
            self.ready |= self.neighbours.heard_ip(now, from, mac);
        }
        Some(Verdict::Stack(HEADER..frame.len()))
    }
}

fn mask(lease: &Lease) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(lease.prefix)).unwrap_or(0)
}

fn on_link(lease: &Lease, ip: Ipv4Addr) -> bool {
    let differs = (u32::from(ip) ^ u32::from(lease.address)) & mask(lease);
    differs == 0 && ip != broadcast(lease) && !ip.is_unspecified()
}

fn broadcast(lease: &Lease) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(lease.address) | !mask(lease))
}
