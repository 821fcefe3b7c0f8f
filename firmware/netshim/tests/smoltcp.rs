//! smoltcp behind the shim and, as a control, without it: the faults that the shim is for.
// The number of the fault stands apart in the test's name.
#![allow(non_snake_case)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use netshim::{Clock, Event, Lease, Link, Net, NetShim, State};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::socket::udp;
use smoltcp::time::Instant;
use smoltcp::wire::{
    EthernetAddress, HardwareAddress as SmolAddress, IpAddress, IpCidr, IpProtocol, Ipv4Packet, Ipv4Repr,
    TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

const BOX_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xFE];
const BOX: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 254);

/// The segment: hosts that answer ARP at once, and what they received.
#[derive(Default)]
struct Segment {
    alive: Vec<u8>,
    cut: bool,
    to_box: VecDeque<Vec<u8>>,
    /// Time, host and payload of each datagram that arrived.
    arrived: Vec<(u64, u8, Vec<u8>)>,
    arp_requests: usize,
    arp_answers: Vec<Vec<u8>>,
    now: u64,
}

fn host_mac(host: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, host]
}

impl Segment {
    fn heard_from_box(&mut self, frame: &[u8]) {
        match frame[12..14] {
            [8, 6] if frame[20..22] == [0, 2] => self.arp_answers.push(frame.to_vec()),
            [8, 6] => {
                self.arp_requests += 1;
                let host = frame[41];
                if self.alive.contains(&host) {
                    let mut answer = frame.to_vec();
                    answer[0..6].copy_from_slice(&BOX_MAC);
                    answer[6..12].copy_from_slice(&host_mac(host));
                    answer[20..22].copy_from_slice(&[0, 2]);
                    answer[22..28].copy_from_slice(&host_mac(host));
                    answer[28..32].copy_from_slice(&frame[38..42]);
                    answer[32..38].copy_from_slice(&BOX_MAC);
                    answer[38..42].copy_from_slice(&frame[28..32]);
                    self.to_box.push_back(answer);
                }
            }
            [8, 0] => {
                let host = frame[33];
                if self.alive.contains(&host) && frame[0..6] == host_mac(host) {
                    self.arrived.push((self.now, host, frame[42..].to_vec()));
                }
            }
            ref other => panic!("EtherType {other:02x?}"),
        }
    }
}

#[derive(Clone)]
struct Mac(Rc<RefCell<Segment>>);

struct Rx(Vec<u8>);
struct Tx(Rc<RefCell<Segment>>);

impl embassy_net_driver::RxToken for Rx {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

impl embassy_net_driver::TxToken for Tx {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.borrow_mut().heard_from_box(&frame);
        result
    }
}

impl Driver for Mac {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx;

    fn receive(&mut self, _: &mut Context) -> Option<(Rx, Tx)> {
        let frame = self.0.borrow_mut().to_box.pop_front()?;
        Some((Rx(frame), Tx(self.0.clone())))
    }

    fn transmit(&mut self, _: &mut Context) -> Option<Tx> {
        Some(Tx(self.0.clone()))
    }

    fn link_state(&mut self, _: &mut Context) -> LinkState {
        if self.0.borrow().cut {
            return LinkState::Down;
        }
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(BOX_MAC)
    }
}

#[derive(Clone, Default)]
struct TestClock {
    now: Rc<Cell<u64>>,
    wake: Rc<Cell<Option<u64>>>,
}

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn wake_at(&self, at: u64, _: &Waker) {
        self.wake.set(Some(self.wake.get().map_or(at, |old| old.min(at))));
    }
}

/// smoltcp's device over an embassy driver, as embassy-net has it.
struct Device<D>(D, Medium);

struct SmolRx<T>(T);
struct SmolTx<T>(T);

impl<T: embassy_net_driver::RxToken> phy::RxToken for SmolRx<T> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume(|frame| f(frame))
    }
}

impl<T: embassy_net_driver::TxToken> phy::TxToken for SmolTx<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.consume(len, f)
    }
}

impl<D: Driver> phy::Device for Device<D> {
    type RxToken<'a>
        = SmolRx<D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = SmolTx<D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let mut cx = Context::from_waker(Waker::noop());
        self.0.receive(&mut cx).map(|(rx, tx)| (SmolRx(rx), SmolTx(tx)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        self.0
            .transmit(&mut Context::from_waker(Waker::noop()))
            .map(SmolTx)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.max_transmission_unit = self.0.capabilities().max_transmission_unit;
        capabilities.medium = self.1;
        capabilities
    }
}

/// One interface with the SIP socket, on a virtual clock.
struct Stack<D: Driver> {
    device: Device<D>,
    iface: Interface,
    sockets: SocketSet<'static>,
    sip: SocketHandle,
    segment: Rc<RefCell<Segment>>,
    clock: TestClock,
}

impl<D: Driver> Stack<D> {
    fn new(driver: D, segment: Rc<RefCell<Segment>>, clock: TestClock) -> Self {
        let (medium, address) = match driver.hardware_address() {
            HardwareAddress::Ip => (Medium::Ip, SmolAddress::Ip),
            _ => (Medium::Ethernet, SmolAddress::Ethernet(EthernetAddress(BOX_MAC))),
        };
        let mut device = Device(driver, medium);
        let now = Instant::from_millis(clock.now() as i64);
        let mut iface = Interface::new(Config::new(address), &mut device, now);
        iface.update_ip_addrs(|all| all.push(IpCidr::new(IpAddress::Ipv4(BOX), 24)).unwrap());
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 32], vec![0; 64 * 1024]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(5060).unwrap();
        let mut sockets = SocketSet::new(vec![]);
        let sip = sockets.add(socket);
        Stack {
            device,
            iface,
            sockets,
            sip,
            segment,
            clock,
        }
    }

    fn send(&mut self, host: u8, payload: &[u8]) {
        let to = (IpAddress::v4(192, 168, 50, host), 5060);
        self.sockets
            .get_mut::<udp::Socket>(self.sip)
            .send_slice(payload, to)
            .unwrap();
    }

    /// Polls at every deadline of smoltcp and of the shim until `end`.
    fn run_until(&mut self, end: u64) {
        loop {
            let now = self.clock.now();
            self.segment.borrow_mut().now = now;
            self.clock.wake.set(None);
            let instant = Instant::from_millis(now as i64);
            self.iface.poll(instant, &mut self.device, &mut self.sockets);
            self.device.0.link_state(&mut Context::from_waker(Waker::noop()));
            let smol = self
                .iface
                .poll_at(instant, &self.sockets)
                .map(|at| at.total_millis() as u64);
            let waiting = (!self.segment.borrow().to_box.is_empty()).then_some(now);
            let next = [smol, self.clock.wake.get(), waiting].into_iter().flatten().min();
            match next.map(|next| next.max(now)).filter(|next| *next <= end) {
                // The time stands still only while frames fly.
                Some(next) if next > now || waiting.is_some() => self.clock.now.set(next),
                Some(_) => self.clock.now.set(now + 1),
                None => return self.clock.now.set(end),
            }
        }
    }

    fn queued(&mut self) -> bool {
        self.sockets.get_mut::<udp::Socket>(self.sip).send_queue() != 0
    }
}

type Shared = RefCell<State<128, 6_144>>;

/// The state of a box that kept its lease over the restart, and is past the time in which a DHCP server may answer.
fn shared() -> &'static Shared {
    let lease = Lease {
        address: BOX,
        prefix: 24,
        router: None,
        dns: heapless::Vec::new(),
        times: heapless::Vec::new(),
        server: Ipv4Addr::UNSPECIFIED,
        seconds: 86_400,
    };
    Box::leak(Box::new(RefCell::new(State::new(BOX_MAC, Some(lease), 1))))
}

fn segment(alive: impl IntoIterator<Item = u8>) -> Rc<RefCell<Segment>> {
    Rc::new(RefCell::new(Segment {
        alive: alive.into_iter().collect(),
        ..Segment::default()
    }))
}

fn with_shim(
    alive: impl IntoIterator<Item = u8>,
) -> (
    Stack<NetShim<'static, 'static, Mac, TestClock, 128, 6_144>>,
    &'static Shared,
) {
    let (segment, clock, state) = (segment(alive), TestClock::default(), shared());
    let link = Box::leak(Box::new(Link::new(Mac(segment.clone()), clock.clone(), state)));
    let shim = NetShim::new(link, Net::Office);
    let mut stack = Stack::new(shim, segment, clock);
    stack.run_until(3_000);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(
        state.borrow_mut().poll_event(&mut cx),
        Poll::Ready(Event::Address { fresh: false, .. })
    ));
    stack.segment.borrow_mut().arrived.clear();
    (stack, state)
}

fn without_shim(alive: impl IntoIterator<Item = u8>) -> Stack<Mac> {
    let segment = segment(alive);
    Stack::new(Mac(segment.clone()), segment, TestClock::default())
}

/// What the box sends to its own address comes back, in order, and nothing of it is on the segment.
#[test]
fn packets_to_the_box_itself_come_back() {
    let (mut stack, state) = with_shim([]);
    let start = stack.clock.now();
    let sent: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];
    for payload in sent {
        stack.send(254, payload);
    }
    stack.run_until(start + 10);
    let socket = stack.sockets.get_mut::<udp::Socket>(stack.sip);
    for payload in sent {
        let (heard, from) = socket.recv().unwrap();
        assert_eq!((heard, from.endpoint.addr), (payload, IpAddress::Ipv4(BOX)));
    }
    assert!(!socket.can_recv() && stack.segment.borrow().arrived.is_empty());
    assert_eq!(state.borrow().counters().dropped_full, 0);
}

/// A datagram for a phone that is switched off leaves the socket, so that the next one reaches a live phone at once;
/// who sent it is told. Control: smoltcp alone never sends the second one.
#[test]
fn one_unreachable_phone_does_not_clog_the_socket__smoltcp_594() {
    let mut alone = without_shim([2]);
    alone.send(1, b"INVITE off");
    alone.send(2, b"INVITE on");
    alone.run_until(120_000);
    assert_eq!(
        alone.segment.borrow().arrived,
        [],
        "if this fails smoltcp is mended and the shim may be simpler"
    );

    let (mut stack, state) = with_shim([2]);
    let start = stack.clock.now();
    stack.send(1, b"INVITE off");
    stack.send(2, b"INVITE on");
    stack.run_until(start + 10_000);
    assert_eq!(
        stack.segment.borrow().arrived,
        [(start, 2, b"INVITE on".to_vec())]
    );
    assert!(!stack.queued());
    let mut cx = Context::from_waker(Waker::noop());
    let off = Ipv4Addr::new(192, 168, 50, 1);
    assert_eq!(
        state.borrow_mut().poll_event(&mut cx),
        Poll::Ready(Event::Unreachable(off))
    );
    assert_eq!(state.borrow_mut().poll_event(&mut cx), Poll::Pending);
    assert_eq!(state.borrow().counters().dropped_silent, 1);

    // Within the second in which it counts as silent the sender is told at once.
    stack.send(1, b"INVITE off");
    stack.run_until(stack.clock.now() + 750);
    assert_eq!(
        state.borrow_mut().poll_event(&mut cx),
        Poll::Ready(Event::Unreachable(off))
    );

    // Switched on again it is found again.
    stack.segment.borrow_mut().alive.push(1);
    stack.run_until(stack.clock.now() + 2_000);
    let now = stack.clock.now();
    stack.send(1, b"INVITE back");
    stack.run_until(now + 100);
    assert_eq!(
        stack.segment.borrow().arrived.last(),
        Some(&(now, 1, b"INVITE back".to_vec()))
    );
}

/// An INVITE for each of twenty-four phones, of none of which the address is known, leaves in the same millisecond.
/// Control: smoltcp alone asks once a second.
#[test]
fn twenty_four_phones_are_reached_from_a_cold_cache_without_a_wait__smoltcp_1101() {
    let invite = [b'x'; 900];
    let mut alone = without_shim(1..=24);
    (1..=24).for_each(|phone| alone.send(phone, &invite));
    alone.run_until(10_000);
    let reached = alone.segment.borrow().arrived.len();
    assert!(
        reached <= 11,
        "if this fails smoltcp is mended and the shim may be simpler: {reached}"
    );

    let (mut stack, state) = with_shim(1..=24);
    let start = stack.clock.now();
    (1..=24).for_each(|phone| stack.send(phone, &invite));
    stack.run_until(start + 1_000);
    let segment = stack.segment.borrow();
    let mut reached: Vec<u8> = segment.arrived.iter().map(|(_, phone, _)| *phone).collect();
    reached.sort_unstable();
    assert_eq!(reached, (1..=24).collect::<Vec<u8>>());
    assert!(
        segment
            .arrived
            .iter()
            .all(|(at, _, payload)| *at == start && payload[..] == invite)
    );
    assert_eq!(segment.arp_requests, 24);
    assert_eq!(state.borrow().counters().dropped_full, 0);
}

/// Phones that are off do not hold the others up for longer than an answer takes, however many they are.
#[test]
fn many_phones_that_are_off_do_not_hold_the_others_up() {
    let (mut stack, state) = with_shim(25..=48);
    let start = stack.clock.now();
    (1..=24).for_each(|phone| stack.send(phone, &[b'x'; 900]));
    stack.run_until(start);
    (25..=32).for_each(|phone| stack.send(phone, &[b'x'; 900]));
    stack.run_until(start + 1_000);
    let segment = stack.segment.borrow();
    let counters = state.borrow().counters();
    // What does not fit is lost and repeated by SIP after 500 ms; nothing waits, and the socket is free.
    let last = segment
        .arrived
        .iter()
        .map(|(at, ..)| at - start)
        .max()
        .unwrap_or(0);
    assert!(last <= 25 * netshim::neighbours::HOPE, "{last}");
    assert_eq!(
        segment.arrived.len() + (counters.dropped_full + counters.dropped_silent) as usize,
        32
    );
    drop(segment);
    assert!(!stack.queued());
}

/// A burst that does not fit is dropped and counted; what fits arrives.
#[test]
fn held_packets_are_bounded_and_counted() {
    let (mut stack, state) = with_shim([9]);
    let start = stack.clock.now();
    (0..6).for_each(|n| stack.send(9, &[n; 100]));
    stack.run_until(start + 100);
    assert_eq!(stack.segment.borrow().arrived.len(), 4);
    assert_eq!(state.borrow().counters().dropped_full, 2);
}

/// Nobody off the segment can be reached without a router: dropped and counted, and the socket stays free.
#[test]
fn without_a_router_packets_for_elsewhere_are_dropped() {
    let (mut stack, state) = with_shim([9]);
    stack
        .iface
        .routes_mut()
        .add_default_ipv4_route(Ipv4Addr::new(192, 168, 50, 1))
        .unwrap();
    let to = (IpAddress::v4(203, 0, 113, 1), 5060);
    stack
        .sockets
        .get_mut::<udp::Socket>(stack.sip)
        .send_slice(b"x", to)
        .unwrap();
    stack.run_until(stack.clock.now() + 100);
    assert_eq!(state.borrow().counters().dropped_no_route, 1);
    assert!(!stack.queued());
}

/// Who asks for us gets an answer, whatever else arrives.
#[test]
fn questions_for_us_are_answered_and_garbage_is_ignored() {
    let (mut stack, state) = with_shim([]);
    let mut seed = 1_u32;
    for length in 0..200 {
        let frame = (0..length)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        stack.segment.borrow_mut().to_box.push_back(frame);
    }
    let mut to_us = [0_u8; 60];
    to_us[..6].copy_from_slice(&BOX_MAC);
    to_us[12..14].copy_from_slice(&[8, 0]);
    for cut in 14..60 {
        stack.segment.borrow_mut().to_box.push_back(to_us[..cut].to_vec());
    }
    let mut question = vec![0_u8; 60];
    question[..14].copy_from_slice(&[255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 1, 9, 8, 6]);
    question[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    question[22..32].copy_from_slice(&[2, 0, 0, 0, 1, 9, 192, 168, 50, 9]);
    question[38..42].copy_from_slice(&BOX.octets());
    stack.segment.borrow_mut().to_box.push_back(question);
    stack.run_until(stack.clock.now() + 10);
    assert!(stack.segment.borrow().to_box.is_empty());
    let answers = stack.segment.borrow().arp_answers.clone();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0][..6], host_mac(9));
    assert_eq!(answers[0][22..28], BOX_MAC);
    assert_eq!(answers[0][28..32], BOX.octets());
    // And the one who asked is known now: no question is needed to send it something.
    stack.segment.borrow_mut().alive.push(9);
    stack.send(9, b"x");
    stack.run_until(stack.clock.now() + 10);
    assert_eq!(stack.segment.borrow().arrived.len(), 1);
    assert_eq!(stack.segment.borrow().arp_requests, 0);
    assert!(
        state.borrow().counters().ignored >= 190,
        "{:?}",
        state.borrow().counters()
    );
}

/// The link goes and comes: who listens is told, and the address stays.
#[test]
fn a_link_that_comes_back_has_its_address_at_once() {
    let (mut stack, state) = with_shim([9]);
    let mut cx = Context::from_waker(Waker::noop());
    stack.segment.borrow_mut().cut = true;
    stack.run_until(stack.clock.now() + 10);
    assert_eq!(
        state.borrow_mut().poll_event(&mut cx),
        Poll::Ready(Event::AddressLost)
    );
    stack.segment.borrow_mut().cut = false;
    stack.run_until(stack.clock.now() + 10);
    assert!(matches!(
        state.borrow_mut().poll_event(&mut cx),
        Poll::Ready(Event::Address { fresh: false, .. })
    ));
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A segment of host 5's from port `from` of its own to `to` of the box, as a frame.
fn tcp(from: u16, to: u16, control: TcpControl, ack: Option<i32>) -> Vec<u8> {
    let repr = TcpRepr {
        src_port: from,
        dst_port: to,
        control,
        seq_number: TcpSeqNumber(1_000),
        ack_number: ack.map(TcpSeqNumber),
        window_len: 1_000,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let host = Ipv4Addr::new(192, 168, 50, 5);
    let ip = Ipv4Repr {
        src_addr: host,
        dst_addr: BOX,
        next_header: IpProtocol::Tcp,
        payload_len: repr.buffer_len(),
        hop_limit: 64,
    };
    let checksums = ChecksumCapabilities::default();
    let mut frame = [&BOX_MAC[..], &host_mac(5), &[8, 0]].concat();
    frame.resize(34 + repr.buffer_len(), 0);
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut frame[14..]), &checksums);
    let mut segment = TcpPacket::new_unchecked(&mut frame[34..]);
    repr.emit(&mut segment, &host.into(), &BOX.into(), &checksums);
    frame
}

/// The flags of what the box answers at once to such a segment.
fn answers<D: Driver>(stack: &mut Stack<D>, segment: Vec<u8>) -> Vec<u8> {
    stack.segment.borrow_mut().arrived.clear();
    stack.segment.borrow_mut().to_box.push_back(segment);
    let now = stack.clock.now();
    stack.run_until(now + 5);
    let segment = stack.segment.borrow();
    // Behind the sequence numbers and the length of the header.
    let flags = segment.arrived.iter().map(|(_, _, bytes)| bytes[5]);
    flags.collect()
}

fn listen<D: Driver>(stack: &mut Stack<D>) -> SocketHandle {
    let buffer = || smoltcp::socket::tcp::SocketBuffer::new(vec![0; 512]);
    let mut socket = smoltcp::socket::tcp::Socket::new(buffer(), buffer());
    socket.listen(80).unwrap();
    stack.sockets.add(socket)
}

/// Fewer sockets than phones: who comes meanwhile is not refused but repeats its SYN, and is served then.
#[test]
fn who_finds_no_socket_at_the_busy_port_tries_again() {
    let (mut stack, state) = with_shim([5]);
    let syn = |from, to| tcp(from, to, TcpControl::Syn, None);
    assert_eq!(
        answers(&mut stack, syn(7_000, 80)),
        [RST | ACK],
        "as smoltcp does it"
    );
    state.borrow_mut().set_busy_port(Net::Office, 80);
    let first = listen(&mut stack);
    assert_eq!(answers(&mut stack, syn(7_001, 80)), [SYN | ACK]);
    assert_eq!(answers(&mut stack, syn(7_002, 80)), []);
    assert_eq!(state.borrow().counters().unanswered, 1);
    // Nobody waits elsewhere, and what belongs to no connection is reset as ever.
    assert_eq!(answers(&mut stack, syn(7_003, 81)), [RST | ACK]);
    assert_eq!(
        answers(&mut stack, tcp(7_004, 80, TcpControl::None, Some(77))),
        [RST]
    );
    // A connection that the box gives up is reset.
    stack
        .sockets
        .get_mut::<smoltcp::socket::tcp::Socket>(first)
        .abort();
    stack.segment.borrow_mut().arrived.clear();
    let now = stack.clock.now();
    stack.run_until(now + 5);
    let reset = stack.segment.borrow().arrived[0].2[5];
    assert_eq!(reset & RST, RST);
    // The repeated SYN finds the next socket.
    listen(&mut stack);
    assert_eq!(answers(&mut stack, syn(7_002, 80)), [SYN | ACK]);
    assert_eq!(state.borrow().counters().unanswered, 1);
}
