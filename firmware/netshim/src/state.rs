//! The shim's state: our address, who is where, what waits, what is to be told. No I/O and no clock.

use crate::arp::Arp;
use crate::dhcp::{self, Action, Answer, Dhcp, Lease};
use crate::ethernet::{self, BROADCAST, HEADER, Mac, UDP_PAYLOAD};
use crate::hold::{For, Hold};
use crate::neighbours::{Due, Host, Neighbours, Route, Station};
use crate::tag::{self, SHORTEST, TAIL, VLAN_TAG, Way};
use crate::{HEAD, Net, PACKET, Voice};
use core::net::Ipv4Addr;
use core::ops::Range;
use core::task::{Context, Poll, Waker};
use heapless::Deque;

/// Longest LLDPDU that is heard or said, bytes. Those of telephones and switches have some 100 to 300.
pub const LLDPDU_MAX: usize = 512;
/// Priority of what goes out in the voice VLAN (IEEE 802.1Q, table I-2: voice).
const PRIORITY: u8 = 5;

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
    /// A DHCP server answered somebody.
    Server(Net, Ipv4Addr),
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
    /// Connections to the busy port that were left without an answer, to be tried again.
    pub unanswered: u32,
    /// Events not told because nobody took the earlier ones.
    pub events_lost: u32,
    /// LLDPDUs lost because they were too long or nobody took the earlier ones, in either direction.
    pub lldp_lost: u32,
}

/// What to do with a received frame.
pub(crate) enum Verdict {
    /// The packet in this range is for the stack of this network.
    Stack(Net, Range<usize>),
    /// Send this ARP answer.
    Answer(Net, Arp),
    /// Nothing more.
    Done,
}

/// The state, shared by the driver and whoever hears its events.
pub struct State<const HOSTS: usize, const HELD: usize> {
    mac: Mac,
    up: bool,
    /// The switch writes and reads tail tags.
    tail_tags: bool,
    /// What has been received was sent before the switch was so.
    stale: bool,
    voice: Option<Voice>,
    /// Where those who connect while no socket listens are not refused.
    busy_port: Option<(Net, u16)>,
    dhcp: Dhcp,
    neighbours: Neighbours<HOSTS>,
    hold: Hold<HELD>,
    /// Some held packet's host may be known now.
    ready: bool,
    /// What is due from `neighbours` and waits for room to be sent.
    question: Option<Host>,
    events: Deque<Event, 16>,
    listener: Option<Waker>,
    lldp_listener: Option<Waker>,
    /// Who moves the packets.
    mover: Option<Waker>,
    counters: Counters,
}

impl<const HOSTS: usize, const HELD: usize> State<HOSTS, HELD> {
    /// The state before the link is up. `last`: the lease in use before the restart; `seed`: any number.
    pub fn new(mac: Mac, last: Option<Lease>, seed: u32) -> Self {
        State {
            mac,
            up: false,
            tail_tags: false,
            stale: false,
            voice: None,
            busy_port: None,
            dhcp: Dhcp::new(mac, last, seed),
            neighbours: Neighbours::new(),
            hold: Hold::new(),
            ready: false,
            question: None,
            events: Deque::new(),
            listener: None,
            lldp_listener: None,
            mover: None,
            counters: Counters::default(),
        }
    }

    /// Our MAC address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// Whether the switch writes and reads tail tags from now on. What was received before is dropped: its last octet may say
    /// anything.
    pub fn set_tail_tags(&mut self, tail_tags: bool) {
        (self.tail_tags, self.stale) = (tail_tags, true);
    }

    /// Once: is what has been received so far to be dropped?
    pub(crate) fn take_stale(&mut self) -> bool {
        core::mem::take(&mut self.stale)
    }

    /// The voice network, if there is one.
    pub fn set_voice(&mut self, voice: Option<Voice>) {
        self.voice = voice;
    }

    /// The TCP port with fewer sockets than there are hosts who want one: whoever connects while none listens gets no answer, instead
    /// of the stack's refusal, and so repeats its SYN after a second (RFC 6298 §2.1).
    pub fn set_busy_port(&mut self, net: Net, port: u16) {
        self.busy_port = Some((net, port));
    }

    /// Who and where a host is, if it was heard lately and nobody else spoke in its name.
    pub fn who(&self, net: Net, ip: Ipv4Addr) -> Option<Station> {
        self.neighbours.who((net, ip))
    }

    /// Sends an LLDPDU at a port of the switch. `false`: no room, or no switch.
    pub fn send_lldp(&mut self, port: u8, lldpdu: &[u8]) -> bool {
        let taken = self.tail_tags && lldpdu.len() <= LLDPDU_MAX && self.hold.push(For::Said(port), lldpdu);
        if !taken {
            self.counters.lldp_lost += 1;
        } else if let Some(waker) = &self.mover {
            waker.wake_by_ref();
        }
        taken
    }

    /// Ready when an LLDPDU is there. One task may wait.
    pub fn poll_lldp(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.hold.holds(|of| matches!(of, For::Heard(_))) {
            return Poll::Ready(());
        }
        self.lldp_listener = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Gives the oldest LLDPDU heard, and the port of the switch it came in at, to `hear`. `None`: there is none.
    pub fn take_lldp<R>(&mut self, hear: impl FnOnce(u8, &[u8]) -> R) -> Option<R> {
        let mut heard = None;
        let port = |of| match of {
            For::Heard(port) => Some(port),
            _ => None,
        };
        self.hold.send(port, |port, lldpdu| {
            heard = Some(hear(port, lldpdu));
            true
        });
        heard
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
        let again = matches!(event, Event::Unreachable(_) | Event::Server(..))
            && self.events.iter().any(|waiting| *waiting == event);
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

    /// Who is to be woken when something of the shim's own can be sent.
    pub(crate) fn moves(&mut self, waker: &Waker) {
        match &mut self.mover {
            Some(mover) => mover.clone_from(waker),
            None => self.mover = Some(waker.clone()),
        }
    }

    pub(crate) fn mover(&self) -> Option<&Waker> {
        self.mover.as_ref()
    }

    /// Bytes of a frame beside header and packet.
    pub(crate) fn overhead(&self, net: Net) -> usize {
        let vlan = self.vlan(net).map_or(0, |_| VLAN_TAG);
        vlan + if self.tail_tags { TAIL } else { 0 }
    }

    fn vlan(&self, net: Net) -> Option<u16> {
        match net {
            Net::Office => None,
            Net::Voice => self.voice.map(|voice| voice.vlan),
        }
    }

    fn subnet(&self, net: Net) -> Option<Subnet> {
        match net {
            Net::Office => self.dhcp.address().map(|lease| Subnet {
                address: lease.address,
                prefix: lease.prefix,
                router: lease.router,
            }),
            Net::Voice => self.voice.map(|voice| Subnet {
                address: voice.address,
                prefix: voice.prefix,
                router: None,
            }),
        }
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
        if self.hold.room() >= PACKET {
            None
        } else {
            self.neighbours.hopeful_until(now)
        }
    }

    /// Decides about the IP packet that lies at [`HEAD`] in `frame[..end]`. `Some`: where the frame to be sent lies.
    pub(crate) fn route(&mut self, now: u64, net: Net, frame: &mut [u8], end: usize) -> Option<Range<usize>> {
        let packet = frame.get(HEAD..end)?;
        let (_, to) = ethernet::ip_addresses(packet)?;
        let subnet = self.subnet(net);
        if subnet.is_some_and(|subnet| subnet.address == to) {
            if !self.hold.push(For::Own(net), packet) {
                self.counters.dropped_full += 1;
            }
            return None;
        }
        if let Some((at, port)) = self.busy_port
            && at == net
            && ethernet::is_refusal(packet, port)?
        {
            self.counters.unanswered += 1;
            return None;
        }
        let mac = if to.is_broadcast() || subnet.is_some_and(|subnet| to == subnet.broadcast()) {
            BROADCAST
        } else if to.is_multicast() {
            ethernet::multicast(to)
        } else {
            let Some(hop) = subnet.and_then(|subnet| subnet.next_hop(to)) else {
                self.counters.dropped_no_route += 1;
                return None;
            };
            match self.neighbours.route(now, (net, hop)) {
                Route::Send(mac) => mac,
                Route::Hold => {
                    if !self.hold.push(For::Host(net, hop), packet) {
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
        self.dress(net, frame, end, mac, ethernet::IPV4, Way::Lookup)
    }

    /// Puts header and tags around the packet that lies at [`HEAD`] in `frame[..end]`; where the frame lies then.
    fn dress(
        &self,
        net: Net,
        frame: &mut [u8],
        end: usize,
        to: Mac,
        ethertype: u16,
        way: Way,
    ) -> Option<Range<usize>> {
        let start = match self.vlan(net) {
            Some(vlan) => {
                tag::set_header(frame, to, self.mac, (vlan, PRIORITY), ethertype)?;
                0
            }
            None => {
                ethernet::set_header(frame.get_mut(VLAN_TAG..)?, to, self.mac, ethertype)?;
                VLAN_TAG
            }
        };
        if !self.tail_tags {
            return Some(start..end);
        }
        let padded = end.max(VLAN_TAG + SHORTEST);
        frame.get_mut(end..padded)?.fill(0);
        Some(start..tag::append(frame, padded, way)?)
    }

    /// Writes an ARP packet to `frame`; where it lies.
    pub(crate) fn write_arp(&self, net: Net, frame: &mut [u8], arp: &Arp) -> Option<Range<usize>> {
        let packet = arp.packet();
        // Shorter frames the MAC fills up with whatever lies behind them.
        let end = VLAN_TAG + SHORTEST;
        frame.get_mut(HEAD..end)?.fill(0);
        ethernet::put(frame, HEAD, &packet)?;
        self.dress(net, frame, end, arp.destination(), ethernet::ARP, Way::Lookup)
    }

    /// Is there a packet from us to us?
    pub(crate) fn has_own(&self) -> bool {
        self.hold.holds(|of| matches!(of, For::Own(_)))
    }

    /// The oldest packet from us to us in this network, copied to `room`; its length.
    pub(crate) fn take_own(&mut self, net: Net, room: &mut [u8]) -> Option<usize> {
        let mut length = None;
        self.hold.send(
            |of| (of == For::Own(net)).then_some(()),
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
                Some(Due::Ask(host)) => self.question = Some(host),
                Some(Due::GaveUp((net, ip))) => {
                    self.counters.dropped_silent += self.hold.drop_all(For::Host(net, ip));
                    self.tell(Event::Unreachable(ip));
                }
                None => break,
            }
        }
        self.question.is_some()
            || self.ready
            || self.hold.holds(|of| matches!(of, For::Said(_)))
            || self.dhcp.next_deadline().is_some_and(|at| now >= at)
    }

    /// Writes the next frame of the shim's own to `frame`; where it lies. `None`: there is none.
    pub(crate) fn output(&mut self, now: u64, frame: &mut [u8]) -> Option<Range<usize>> {
        if !self.has_output(now) {
            return None;
        }
        if let Some((net, ip)) = self.question.take() {
            self.counters.asked += 1;
            let own = self.subnet(net).map_or(Ipv4Addr::UNSPECIFIED, |own| own.address);
            let question = Arp {
                request: true,
                sender: (self.mac, own),
                target: ([0; 6], ip),
            };
            return self.write_arp(net, frame, &question);
        }
        if let Some(range) = self.output_held(frame) {
            return Some(range);
        }
        self.ready = false;
        loop {
            let mut message = [0; dhcp::MESSAGE];
            match self.dhcp.due(now, &mut message)? {
                Action::Use { lease, fresh } => self.tell(Event::Address { lease, fresh }),
                Action::Send { from, to, length } => {
                    ethernet::put(frame, HEAD + UDP_PAYLOAD, message.get(..length)?)?;
                    let packet = frame.get_mut(HEAD..)?;
                    let length = ethernet::set_udp(packet, (from, dhcp::CLIENT), (to, dhcp::SERVER), length)?;
                    if let Some(range) = self.route(now, Net::Office, frame, HEAD + length) {
                        return Some(range);
                    }
                }
            }
        }
    }

    /// The oldest packet that need not wait any more.
    fn output_held(&mut self, frame: &mut [u8]) -> Option<Range<usize>> {
        let neighbours = &self.neighbours;
        let known = |of| match of {
            For::Host(net, ip) => {
                let to = neighbours.lookup((net, ip))?;
                Some((net, to, ethernet::IPV4, Way::Lookup))
            }
            For::Said(port) => Some((
                Net::Office,
                ethernet::NEAREST_BRIDGE,
                ethernet::LLDP,
                Way::Port(port),
            )),
            For::Own(_) | For::Heard(_) => None,
        };
        let mut found = None;
        self.hold.send(known, |how, packet| {
            found = ethernet::put(frame, HEAD, packet).map(|()| (how, HEAD + packet.len()));
            true
        });
        let ((net, to, ethertype, way), end) = found?;
        self.dress(net, frame, end, to, ethertype, way)
    }

    /// A frame came.
    pub(crate) fn input(&mut self, now: u64, frame: &[u8]) -> Verdict {
        self.frame(now, frame).unwrap_or_else(|| {
            self.counters.ignored += 1;
            Verdict::Done
        })
    }

    fn frame(&mut self, now: u64, frame: &[u8]) -> Option<Verdict> {
        let (port, frame) = match self.tail_tags {
            true => tag::split(frame).map(|(port, frame)| (Some(port), frame))?,
            false => (None, frame),
        };
        let (to, mac, ethertype) = ethernet::header(frame)?;
        if to != self.mac && to[0] & 1 == 0 {
            return None;
        }
        let from = Station { mac, port };
        let (net, ethertype, start) = match ethertype {
            ethernet::VLAN => match tag::vlan(frame)? {
                // Only a priority.
                (0, ethertype) => (Net::Office, ethertype, HEADER + VLAN_TAG),
                (vlan, ethertype) if self.vlan(Net::Voice) == Some(vlan) => {
                    (Net::Voice, ethertype, HEADER + VLAN_TAG)
                }
                _ => return None,
            },
            _ => (Net::Office, ethertype, HEADER),
        };
        let packet = frame.get(start..)?;
        match ethertype {
            ethernet::ARP => Some(self.arp(now, net, Arp::parse(packet)?, port)),
            ethernet::IPV4 => self.ip(now, net, packet, to == self.mac, from, start..frame.len()),
            ethernet::LLDP => self.lldp(port?, packet),
            _ => None,
        }
    }

    fn lldp(&mut self, port: u8, lldpdu: &[u8]) -> Option<Verdict> {
        // One a port waits; neighbours repeat what they say.
        let taken = lldpdu.len() <= LLDPDU_MAX
            && !self.hold.holds(|of| of == For::Heard(port))
            && self.hold.push(For::Heard(port), lldpdu);
        if !taken {
            self.counters.lldp_lost += 1;
        }
        if let Some(waker) = self.lldp_listener.take() {
            waker.wake();
        }
        Some(Verdict::Done)
    }

    fn arp(&mut self, now: u64, net: Net, arp: Arp, port: Option<u8>) -> Verdict {
        let Some(subnet) = self.subnet(net) else {
            return Verdict::Done;
        };
        let own = subnet.address;
        let (mac, ip) = arp.sender;
        if ip == own && mac != self.mac {
            self.counters.conflicts += 1;
        } else if subnet.has(ip) && ip != own {
            let from = Station { mac, port };
            let wanted = arp.target.1 == own;
            self.ready |= self.neighbours.heard_arp(now, (net, ip), from, wanted);
        }
        if arp.request && arp.target.1 == own && ip != own {
            let answer = Arp {
                request: false,
                sender: (self.mac, own),
                target: arp.sender,
            };
            Verdict::Answer(net, answer)
        } else {
            Verdict::Done
        }
    }

    fn ip(
        &mut self,
        now: u64,
        net: Net,
        packet: &[u8],
        to_us: bool,
        from: Station,
        range: Range<usize>,
    ) -> Option<Verdict> {
        let (ip, _) = ethernet::ip_addresses(packet)?;
        if let Some(message) = ethernet::udp_payload(packet, dhcp::CLIENT) {
            if let Some(server) = dhcp::server(message) {
                self.tell(Event::Server(net, server.unwrap_or(ip)));
            }
            if net != Net::Office {
                return Some(Verdict::Done);
            }
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
        // Whatever the frame's destination: the stack takes each that is for us by its packet's.
        if self
            .subnet(net)
            .is_some_and(|subnet| subnet.has(ip) && ip != subnet.address)
        {
            self.ready |= self.neighbours.heard_ip(now, (net, ip), from, to_us);
        }
        Some(Verdict::Stack(net, range))
    }
}

/// What of a network's addresses decides the way of a packet.
#[derive(Clone, Copy)]
struct Subnet {
    address: Ipv4Addr,
    prefix: u8,
    router: Option<Ipv4Addr>,
}

impl Subnet {
    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    /// Is a host of this address on the segment?
    fn has(self, ip: Ipv4Addr) -> bool {
        let differs = (u32::from(ip) ^ u32::from(self.address)) & self.mask();
        differs == 0 && ip != self.broadcast() && !ip.is_unspecified()
    }

    fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | !self.mask())
    }

    /// The neighbour that takes packets for `ip`.
    fn next_hop(self, ip: Ipv4Addr) -> Option<Ipv4Addr> {
        if self.has(ip) {
            Some(ip)
        } else {
            self.router.filter(|&router| self.has(router))
        }
    }
}
