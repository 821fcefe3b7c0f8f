//! Two networks over one MAC behind a switch: VLAN tags, tail tags, LLDP, and who is at which port.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use netshim::{Clock, Lease, Link, Net, NetShim, State, Station, Voice};

const BOX_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xFE];
const PHONE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];
const BOX: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 50, 254), Ipv4Addr::new(10, 9, 0, 1)];
const PHONE: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 50, 7), Ipv4Addr::new(10, 9, 0, 7)];
const VLAN: u16 = 300;
const MTU: usize = 1520;

#[derive(Default)]
struct Wire {
    to_box: VecDeque<Vec<u8>>,
    from_box: Vec<Vec<u8>>,
}

#[derive(Clone, Default)]
struct Mac(Rc<RefCell<Wire>>, usize);
struct Rx(Vec<u8>);
struct Tx(Rc<RefCell<Wire>>);

impl RxToken for Rx {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

impl TxToken for Tx {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.borrow_mut().from_box.push(frame);
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
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = self.1;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(BOX_MAC)
    }
}

#[derive(Clone, Default)]
struct TestClock(Rc<Cell<u64>>);

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.0.get()
    }

    fn wake_at(&self, _: u64, _: &Waker) {}
}

type Shim = NetShim<'static, 'static, Mac, TestClock, 8, 4_096>;

struct Bench {
    wire: Rc<RefCell<Wire>>,
    state: &'static RefCell<State<8, 4_096>>,
    shims: [Shim; 2],
    tails: bool,
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl Bench {
    /// A box with its last lease and a voice network. `tails`: behind a switch.
    fn new(tails: bool, mtu: usize) -> Bench {
        let lease = Lease {
            address: BOX[0],
            prefix: 24,
            router: None,
            dns: heapless::Vec::new(),
            times: heapless::Vec::new(),
            server: Ipv4Addr::UNSPECIFIED,
            seconds: 86_400,
        };
        let state = Box::leak(Box::new(RefCell::new(State::new(BOX_MAC, Some(lease), 1))));
        state.borrow_mut().set_tail_tags(tails);
        state.borrow_mut().set_voice(Some(Voice {
            vlan: VLAN,
            address: BOX[1],
            prefix: 24,
        }));
        let (mac, clock) = (Mac(Rc::default(), mtu), TestClock::default());
        let wire = mac.0.clone();
        let link = Box::leak(Box::new(Link::new(mac, clock.clone(), &*state)));
        let mut bench = Bench {
            wire,
            state,
            shims: [Net::Office, Net::Voice].map(|net| NetShim::new(link, net)),
            tails,
        };
        bench.shims[0].link_state(&mut cx());
        clock.0.set(10_000);
        assert!(bench.receive(0).is_none());
        assert!(bench.state.borrow().address().is_some());
        bench.sent();
        bench
    }

    /// A frame comes in at this port of the switch.
    fn hear(&mut self, port: u8, mut frame: Vec<u8>) {
        frame.resize(frame.len().max(60), 0);
        if self.tails {
            frame.push(port);
        }
        self.wire.borrow_mut().to_box.push_back(frame);
    }

    /// What the stack of this network receives.
    fn receive(&mut self, net: usize) -> Option<Vec<u8>> {
        let (rx, _) = self.shims[net].receive(&mut cx())?;
        Some(rx.consume(|packet| packet.to_vec()))
    }

    /// The stack of this network sends.
    fn send(&mut self, net: usize, packet: &[u8]) {
        let tx = self.shims[net].transmit(&mut cx()).expect("room");
        tx.consume(packet.len(), |to| to.copy_from_slice(packet));
    }

    fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.wire.borrow_mut().from_box)
    }

    fn who(&self, net: Net) -> Option<Station> {
        self.state.borrow().who(net, PHONE[net as usize])
    }
}

/// A frame with this 802.1Q tag (priority and identifier), or without one.
fn frame(to: [u8; 6], tag: Option<u16>, ethertype: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = [to, PHONE_MAC].concat();
    if let Some(tag) = tag {
        frame.extend([0x81, 0x00]);
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(packet);
    frame
}

fn ip(from: Ipv4Addr, to: Ipv4Addr, length: usize) -> Vec<u8> {
    let mut packet = vec![0; length];
    packet[0] = 0x45;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    packet
}

fn arp_request(net: usize) -> Vec<u8> {
    let parts: [&[u8]; 5] = [
        &[0, 1, 8, 0, 6, 4, 0, 1],
        &PHONE_MAC,
        &PHONE[net].octets(),
        &[0; 6],
        &BOX[net].octets(),
    ];
    parts.concat()
}

/// A question is answered in the network it came from; the answer has the VLAN's tag and priority 5 there, is padded and then
/// tagged for the switch, and says the box's address of that network.
#[test]
fn arp_is_answered_in_its_network() {
    let mut bench = Bench::new(true, MTU);
    for (net, tag) in [(0, None), (1, Some(VLAN))] {
        bench.hear(2, frame([0xFF; 6], tag, 0x0806, &arp_request(net)));
        assert_eq!(bench.receive(0), None);
        let sent = bench.sent();
        let [answer] = &sent[..] else { panic!("{sent:?}") };
        let head: &[u8] = match tag {
            None => &[0x08, 0x06],
            Some(_) => &[0x81, 0x00, 0xA1, 0x2C, 0x08, 0x06],
        };
        assert_eq!(answer[..12], [PHONE_MAC, BOX_MAC].concat());
        let (got, packet) = answer[12..].split_at(head.len());
        assert_eq!(got, head);
        assert_eq!(packet[..8], [0, 1, 8, 0, 6, 4, 0, 2]);
        assert_eq!(packet[8..18], [&BOX_MAC[..], &BOX[net].octets()].concat());
        assert_eq!(answer.len(), 60 + head.len() - 2 + 2);
        assert_eq!(answer[answer.len() - 2..], [0x04, 0x00]);
    }
    let station = Station {
        mac: PHONE_MAC,
        port: Some(2),
    };
    assert_eq!(
        (bench.who(Net::Office), bench.who(Net::Voice)),
        (Some(station), Some(station))
    );
}

#[test]
fn each_stack_hears_its_own_network() {
    let mut bench = Bench::new(true, MTU);
    let packets = [0, 1].map(|net| ip(PHONE[net], BOX[net], 100));
    bench.hear(1, frame(BOX_MAC, Some(5 << 13 | VLAN), 0x0800, &packets[1]));
    bench.hear(3, frame(BOX_MAC, None, 0x0800, &packets[0]));
    // Only a priority: untagged all the same.
    bench.hear(3, frame(BOX_MAC, Some(5 << 13), 0x0800, &packets[0]));
    // It waits for the other stack, and what is behind it too.
    assert_eq!(bench.receive(0), None);
    assert_eq!(bench.receive(0), None);
    assert_eq!(bench.receive(1).as_ref(), Some(&packets[1]));
    assert_eq!(bench.receive(1), None);
    assert_eq!(bench.receive(0).as_ref(), Some(&packets[0]));
    assert_eq!(bench.receive(0).as_ref(), Some(&packets[0]));
    assert_eq!(bench.who(Net::Voice).and_then(|station| station.port), Some(1));
    assert_eq!(bench.who(Net::Office).and_then(|station| station.port), Some(3));

    let ignored = bench.state.borrow().counters().ignored;
    bench.hear(1, frame(BOX_MAC, Some(VLAN + 1), 0x0800, &packets[1]));
    bench.hear(1, frame(BOX_MAC, Some(VLAN), 0x8100, &packets[1]));
    bench.hear(0x81, frame(BOX_MAC, None, 0x0800, &packets[0]));
    for net in [0, 1] {
        assert_eq!(bench.receive(net), None);
    }
    assert_eq!(bench.state.borrow().counters().ignored, ignored + 3);
}

/// A stranger sends from a telephone's address: to the box, and to everybody on the segment with the box's address in the packet
/// alone. The stack gets it, but it is not from the telephone.
#[test]
fn what_a_stranger_sends_from_a_telephones_address_is_nobodys() {
    for to in [BOX_MAC, [0xFF; 6]] {
        for port in [2, 3] {
            let mut bench = Bench::new(true, MTU);
            let packet = ip(PHONE[0], BOX[0], 100);
            bench.hear(2, frame(BOX_MAC, None, 0x0800, &packet));
            assert_eq!(bench.receive(0).as_ref(), Some(&packet));
            assert_eq!(bench.who(Net::Office).map(|station| station.mac), Some(PHONE_MAC));
            let mut foreign = frame(to, None, 0x0800, &packet);
            foreign[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
            bench.hear(port, foreign);
            assert_eq!(bench.receive(0), Some(packet));
            assert_eq!(bench.who(Net::Office), None, "{to:?} at {port}");
        }
    }
}

#[test]
fn packets_leave_with_the_tags_of_their_network() {
    let mut bench = Bench::new(true, MTU);
    for (net, tag) in [(0, None), (1, Some(VLAN))] {
        bench.hear(2, frame(BOX_MAC, tag, 0x0800, &ip(PHONE[net], BOX[net], 20)));
        assert!(bench.receive(net).is_some());
        let largest = bench.shims[net].capabilities().max_transmission_unit;
        assert_eq!(largest, 1500);
        let packet = ip(BOX[net], PHONE[net], largest);
        bench.send(net, &packet);
        let sent = bench.sent();
        let head = frame(PHONE_MAC, tag.map(|tag| 5 << 13 | tag), 0x0800, &[]).len();
        assert_eq!((sent.len(), sent[0].len()), (1, head + 1500 + 2));
        assert_eq!(sent[0][head..head + 1500], packet);
        assert_eq!(sent[0][head + 1500..], [0x04, 0x00]);
    }
    // The voice network has no router.
    let lost = bench.state.borrow().counters().dropped_no_route;
    bench.send(1, &ip(BOX[1], PHONE[0], 20));
    assert_eq!(bench.state.borrow().counters().dropped_no_route, lost + 1);
    assert_eq!(bench.sent(), [] as [Vec<u8>; 0]);
}

/// The switch is set up while frames wait: their last octet is not where they came in.
#[test]
fn what_came_before_the_switch_was_set_up_is_dropped() {
    let mut bench = Bench::new(false, MTU);
    let packet = ip(PHONE[0], BOX[0], 46);
    bench.hear(0, frame(BOX_MAC, None, 0x0800, &packet));
    bench.hear(0, frame([0xFF; 6], None, 0x0806, &arp_request(0)));
    bench.state.borrow_mut().set_tail_tags(true);
    assert_eq!(bench.receive(0), None);
    assert_eq!(bench.who(Net::Office), None);
    bench.tails = true;
    bench.hear(2, frame(BOX_MAC, None, 0x0800, &packet));
    assert_eq!(bench.receive(0), Some(packet));
    assert_eq!(bench.who(Net::Office).and_then(|station| station.port), Some(2));
}

#[test]
fn lldp_passes_with_its_port_and_waits_one_a_port() {
    let mut bench = Bench::new(true, MTU);
    assert_eq!(bench.state.borrow_mut().poll_lldp(&mut cx()), Poll::Pending);
    let nearest = [0x01, 0x80, 0xC2, 0x00, 0x00, 0x0E];
    for (port, first) in [(0, 1), (0, 2), (3, 3)] {
        bench.hear(port, frame(nearest, None, 0x88CC, &[first; 60]));
    }
    bench.hear(2, frame(nearest, None, 0x88CC, &[9; netshim::LLDPDU_MAX + 1]));
    assert_eq!(bench.receive(0), None);
    assert_eq!(bench.state.borrow_mut().poll_lldp(&mut cx()), Poll::Ready(()));
    let take = || {
        bench
            .state
            .borrow_mut()
            .take_lldp(|port, lldpdu| (port, lldpdu.to_vec()))
    };
    assert_eq!(take(), Some((0, vec![1; 60])));
    assert_eq!(take(), Some((3, vec![3; 60])));
    assert_eq!(take(), None);
    assert_eq!(bench.state.borrow().counters().lldp_lost, 2);

    assert!(bench.state.borrow_mut().send_lldp(3, &[7; 100]));
    assert_eq!(bench.receive(0), None);
    let sent = bench.sent();
    let mut expected = [nearest, BOX_MAC].concat();
    expected.extend([0x88, 0xCC]);
    expected.extend([7; 100]);
    // Port 4 of the data sheet, even if it is blocked.
    expected.extend([0x02, 0x08]);
    assert_eq!(sent, [expected]);
}

#[test]
fn without_a_switch_frames_are_as_they_are() {
    let mut bench = Bench::new(false, 1514);
    assert_eq!(bench.shims[0].capabilities().max_transmission_unit, 1500);
    bench.hear(0, frame(BOX_MAC, None, 0x0800, &ip(PHONE[0], BOX[0], 46)));
    assert_eq!(bench.receive(0), Some(ip(PHONE[0], BOX[0], 46)));
    let station = Station {
        mac: PHONE_MAC,
        port: None,
    };
    assert_eq!(bench.who(Net::Office), Some(station));
    let packet = ip(BOX[0], PHONE[0], 46);
    bench.send(0, &packet);
    assert_eq!(bench.sent()[0][14..], packet);
    assert!(!bench.state.borrow_mut().send_lldp(0, &[0; 40]));
    // A MAC that takes no longer frames than usual leaves less for the packets.
    let tagged = Bench::new(true, 1514);
    let mtu = tagged
        .shims
        .each_ref()
        .map(|shim| shim.capabilities().max_transmission_unit);
    assert_eq!(mtu, [1498, 1494]);
}
