//! From what a phone does to frames and back: smoltcp below datagrams and connections, tags of its VLAN, and by hand what goes
//! before it has an address.

use deskphones::dhcp::{self, Lease};
use deskphones::{Output, Phone, lldp};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, HardwareAddress, IpAddress, IpCidr,
    IpEndpoint, IpListenEndpoint, IpProtocol, Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// Room of a socket, bytes each way.
const ROOM: usize = 16_384;
/// What waits for a hardware address that nobody tells is thrown away after so long, ms: three questions a second apart (RFC 1122
/// §2.3.2.2).
const UNFOUND: u64 = 3_000;
/// IEEE 802.1Q §9.6.
const TAG: [u8; 2] = [0x81, 0x00];
/// Voice: the priority that the box asks for.
const PRIORITY: u16 = 5 << 13;

/// The phone's network.
pub struct Wire {
    mac: [u8; 6],
    vlan: Option<u16>,
    device: Queue,
    interface: Interface,
    sockets: SocketSet<'static>,
    /// By port, and by whom is sent to: who cannot be found keeps nobody else waiting.
    udp: BTreeMap<(u16, Ipv4Addr), Datagrams>,
    tcp: BTreeMap<u32, Conn>,
    next_port: u16,
    /// Sockets of connections that the phone has forgotten, until the other end has heard so.
    parting: Vec<SocketHandle>,
    /// LLDP and DHCP for the phone.
    early: Vec<Early>,
}

enum Early {
    Frame(Vec<u8>),
    Dhcp(SocketAddrV4, SocketAddrV4, Vec<u8>),
}

struct Datagrams {
    handle: SocketHandle,
    /// Something waits since then for the hardware address of its next hop.
    waits: Option<u64>,
}

struct Conn {
    handle: SocketHandle,
    /// It was open.
    open: bool,
    out: Vec<u8>,
    closing: bool,
}

/// Frames, untagged.
#[derive(Default)]
struct Queue {
    received: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl Wire {
    /// A network without an address.
    pub fn new(mac: [u8; 6]) -> Wire {
        let mut device = Queue::default();
        let config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)));
        let interface = Interface::new(config, &mut device, Instant::ZERO);
        Wire {
            mac,
            vlan: None,
            device,
            interface,
            sockets: SocketSet::new(Vec::new()),
            udp: BTreeMap::new(),
            tcp: BTreeMap::new(),
            next_port: 50_000,
            parting: Vec::new(),
            early: Vec::new(),
        }
    }

    /// A frame came.
    pub fn received(&mut self, frame: &[u8]) {
        let Some((head, rest)) = frame.split_at_checked(12) else {
            return;
        };
        if rest.starts_with(&lldp::ETHERTYPE.to_be_bytes()) {
            self.early.push(Early::Frame(frame.to_vec()));
            return;
        }
        let (vlan, rest) = match rest {
            [0x81, 0x00, high, low, rest @ ..] => (Some(u16::from_be_bytes([*high, *low]) & 0xFFF), rest),
            rest => (None, rest),
        };
        if vlan != self.vlan {
            return;
        }
        let frame = [head, rest].concat();
        match early(&frame) {
            Some(early) => self.early.push(early),
            None => self.device.received.push_back(frame),
        }
    }

    /// Frames to be sent.
    pub fn sent(&mut self) -> Vec<Vec<u8>> {
        let vlan = self.vlan;
        let frames = std::mem::take(&mut self.device.sent).into_iter();
        let tagged = frames.map(|frame| match (vlan, frame.split_at_checked(12)) {
            (Some(vlan), Some((head, rest))) if !rest.starts_with(&lldp::ETHERTYPE.to_be_bytes()) => {
                [head, &TAG, &(PRIORITY | vlan).to_be_bytes(), rest].concat()
            }
            _ => frame,
        });
        tagged.collect()
    }

    /// How long it may sleep.
    pub fn wait(&mut self, now: u64) -> Option<Duration> {
        let delay = self.interface.poll_delay(instant(now), &self.sockets)?;
        Some(Duration::from_micros(delay.total_micros()))
    }

    /// The stack's turn.
    pub fn run(&mut self, now: u64) {
        for conn in self.tcp.values_mut() {
            let socket = self.sockets.get_mut::<tcp::Socket>(conn.handle);
            if socket.can_send() && !conn.out.is_empty() {
                let sent = socket.send_slice(&conn.out).unwrap_or(0);
                conn.out.drain(..sent);
            }
            if conn.closing && conn.out.is_empty() {
                socket.close();
            }
        }
        self.interface
            .poll(instant(now), &mut self.device, &mut self.sockets);
        for (&(port, _), held) in &mut self.udp {
            let socket = self.sockets.get_mut::<udp::Socket>(held.handle);
            held.waits = (socket.send_queue() > 0).then(|| held.waits.unwrap_or(now));
            if held.waits.is_some_and(|since| now - since > UNFOUND) {
                socket.close();
                let _ = socket.bind(IpListenEndpoint { addr: None, port });
            }
        }
        let sockets = &mut self.sockets;
        self.parting.retain(|handle| {
            let over = sockets.get::<tcp::Socket>(*handle).state() == tcp::State::Closed;
            if over {
                sockets.remove(*handle);
            }
            !over
        });
    }

    /// Tells the phone what came.
    pub fn deliver(&mut self, now: u64, phone: &mut Phone) {
        self.run(now);
        for early in std::mem::take(&mut self.early) {
            match early {
                Early::Frame(frame) => phone.frame(now, &frame),
                Early::Dhcp(from, to, bytes) => phone.datagram(now, from, to, &bytes),
            }
        }
        let own = phone.address().unwrap_or(Ipv4Addr::UNSPECIFIED);
        for (&(port, _), held) in &self.udp {
            let socket = self.sockets.get_mut::<udp::Socket>(held.handle);
            while let Ok((bytes, meta)) = socket.recv() {
                let IpAddress::Ipv4(from) = meta.endpoint.addr;
                let from = SocketAddrV4::new(from, meta.endpoint.port);
                phone.datagram(now, from, SocketAddrV4::new(own, port), bytes);
            }
        }
        let mut gone = Vec::new();
        for (&number, conn) in &mut self.tcp {
            let socket = self.sockets.get_mut::<tcp::Socket>(conn.handle);
            if !conn.open && socket.may_send() {
                conn.open = true;
                phone.opened(number);
            }
            while let Ok(bytes) = socket.recv(|bytes| (bytes.len(), bytes.to_vec()))
                && !bytes.is_empty()
            {
                phone.data(now, number, &bytes);
            }
            let over = !socket.is_open() || conn.open && !socket.may_recv();
            if over {
                socket.close();
                gone.push(number);
            }
        }
        for number in gone {
            phone.closed(now, number);
            self.forget(number);
        }
    }

    fn forget(&mut self, number: u32) {
        if let Some(conn) = self.tcp.remove(&number) {
            self.sockets.get_mut::<tcp::Socket>(conn.handle).close();
            self.parting.push(conn.handle);
        }
    }

    /// Does what the phone does.
    pub fn take(&mut self, now: u64, output: Output) {
        match output {
            Output::Frame(frame) => self.device.sent.push(frame),
            Output::Vlan(vlan) => self.vlan = vlan,
            Output::Address(lease) => self.address(lease.as_deref()),
            Output::Datagram { from, to, bytes }
                if from.ip().is_unspecified() || from.port() == dhcp::PORT =>
            {
                self.device.sent.push(broadcast(self.mac, from, to, &bytes));
            }
            Output::Datagram { from, to, bytes } => self.send(from.port(), to, &bytes),
            Output::Connect { conn, to } => self.connect(now, conn, to),
            Output::Send { conn, bytes } => {
                if let Some(conn) = self.tcp.get_mut(&conn) {
                    conn.out.extend(bytes);
                }
            }
            Output::Close { conn } => {
                if let Some(conn) = self.tcp.get_mut(&conn) {
                    conn.closing = true;
                }
            }
        }
    }

    fn address(&mut self, lease: Option<&Lease>) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            if let Some(lease) = lease {
                // The first address of an empty list fits.
                let _ = addresses.push(IpCidr::new(lease.address.into(), lease.prefix));
            }
        });
        self.interface.routes_mut().remove_default_ipv4_route();
        if let Some(router) = lease.and_then(|lease| lease.router) {
            // The first route fits.
            let _ = self.interface.routes_mut().add_default_ipv4_route(router);
        }
    }

    /// Sends a datagram from a port of the phone.
    pub fn send(&mut self, port: u16, to: SocketAddrV4, bytes: &[u8]) {
        let sockets = &mut self.sockets;
        let held = self.udp.entry((port, *to.ip())).or_insert_with(|| {
            let room = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 64], vec![0; ROOM]);
            let mut socket = udp::Socket::new(room(), room());
            // A port that is not 0 can be bound once.
            let _ = socket.bind(IpListenEndpoint { addr: None, port });
            Datagrams {
                handle: sockets.add(socket),
                waits: None,
            }
        });
        let socket = self.sockets.get_mut::<udp::Socket>(held.handle);
        let to = IpEndpoint::new(IpAddress::Ipv4(*to.ip()), to.port());
        // A full queue loses it, as a network does.
        let _ = socket.send_slice(bytes, to);
    }

    fn connect(&mut self, now: u64, number: u32, to: SocketAddrV4) {
        let room = || tcp::SocketBuffer::new(vec![0; ROOM]);
        let mut socket = tcp::Socket::new(room(), room());
        socket.set_timeout(Some(smoltcp::time::Duration::from_secs(30)));
        self.next_port = self.next_port.checked_add(1).unwrap_or(50_000);
        let to = IpEndpoint::new(IpAddress::Ipv4(*to.ip()), to.port());
        let context = self.interface.context();
        // Without an address it is closed at once, and the phone is told so.
        let _ = (socket.connect(context, to, self.next_port), now);
        let handle = self.sockets.add(socket);
        self.tcp.insert(
            number,
            Conn {
                handle,
                open: false,
                out: Vec::new(),
                closing: false,
            },
        );
    }
}

fn instant(now: u64) -> Instant {
    Instant::from_millis(i64::try_from(now).unwrap_or(i64::MAX))
}

/// A DHCP server's datagram, which comes before there is an address to send it to.
fn early(frame: &[u8]) -> Option<Early> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    if frame.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
    if packet.next_header() != IpProtocol::Udp {
        return None;
    }
    let datagram = UdpPacket::new_checked(packet.payload()).ok()?;
    let from = SocketAddrV4::new(packet.src_addr(), datagram.src_port());
    let to = SocketAddrV4::new(packet.dst_addr(), datagram.dst_port());
    (to.port() == dhcp::PORT).then(|| Early::Dhcp(from, to, datagram.payload().to_vec()))
}

/// A datagram to everybody, as a frame.
fn broadcast(mac: [u8; 6], from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) -> Vec<u8> {
    let udp = UdpRepr {
        src_port: from.port(),
        dst_port: to.port(),
    };
    let length = udp.header_len() + bytes.len();
    let ip = Ipv4Repr {
        src_addr: *from.ip(),
        dst_addr: *to.ip(),
        next_header: IpProtocol::Udp,
        payload_len: length,
        hop_limit: 64,
    };
    let ethernet = EthernetRepr {
        src_addr: EthernetAddress(mac),
        dst_addr: EthernetAddress::BROADCAST,
        ethertype: EthernetProtocol::Ipv4,
    };
    let checksums = ChecksumCapabilities::default();
    let mut frame = vec![0; ethernet.buffer_len() + ip.buffer_len() + length];
    let mut out = EthernetFrame::new_unchecked(&mut frame[..]);
    ethernet.emit(&mut out);
    let mut packet = Ipv4Packet::new_unchecked(out.payload_mut());
    ip.emit(&mut packet, &checksums);
    udp.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &ip.src_addr.into(),
        &ip.dst_addr.into(),
        bytes.len(),
        |payload| payload.copy_from_slice(bytes),
        &checksums,
    );
    frame
}

impl phy::Device for Queue {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sent<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), Sent(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sent<'_>> {
        Some(Sent(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1_514;
        capabilities
    }
}

struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

struct Sent<'a>(&'a mut Vec<Vec<u8>>);

impl phy::TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = vec![0; length];
        let result = fill(&mut frame);
        self.0.push(frame);
        result
    }
}
