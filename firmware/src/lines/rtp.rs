//! The lines' RTP: a UDP port each. What comes from anybody but the peer is dropped.

use core::array;
use core::cell::Cell;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;
use critical_section::Mutex;
use embassy_futures::select::select;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use gateway::budget::{LINES, line_port};
use media::chain::{PACKET_LEN, RECEIVE_LEN};
use static_cell::ConstStaticCell;

use super::RtpEnds;
use crate::net::endpoint;

/// Packets of a line that wait for the audio chains, at most 5 ms, and for the network; of the longest, and of more that are shorter,
/// two of each.
const WAITING: (usize, usize) = (3, 2);
const ROOM: (usize, usize) = (2 * RECEIVE_LEN, 2 * PACKET_LEN);

/// Memory of one socket.
pub struct Memory {
    rx_meta: [PacketMetadata; WAITING.0],
    rx: [u8; ROOM.0],
    tx_meta: [PacketMetadata; WAITING.1],
    tx: [u8; ROOM.1],
}

impl Memory {
    const NEW: Memory = Memory {
        rx_meta: [PacketMetadata::EMPTY; WAITING.0],
        rx: [0; ROOM.0],
        tx_meta: [PacketMetadata::EMPTY; WAITING.1],
        tx: [0; ROOM.1],
    };
}

/// Memory of all sockets; once.
pub fn memory() -> &'static mut [Memory; LINES] {
    static MEMORY: ConstStaticCell<[Memory; LINES]> = ConstStaticCell::new([const { Memory::NEW }; LINES]);
    MEMORY.take()
}

/// Packets that were longer than [`RECEIVE_LEN`].
static TOO_LONG: AtomicU32 = AtomicU32::new(0);

/// Packets so far that were longer than was asked for.
pub fn too_long() -> u32 {
    TOO_LONG.load(Ordering::Relaxed)
}

static PEERS: [Mutex<Cell<Option<IpEndpoint>>>; LINES] = [const { Mutex::new(Cell::new(None)) }; LINES];

/// Where the packets of a line go; nowhere if that is an address of another kind than ours.
pub fn set_peer(line: u8, peer: SocketAddr) {
    if let Some(place) = PEERS.get(usize::from(line)) {
        critical_section::with(|cs| place.borrow(cs).set(endpoint(peer)));
    }
}

fn peer(line: usize) -> Option<IpEndpoint> {
    critical_section::with(|cs| PEERS.get(line)?.borrow(cs).get())
}

/// Owns the sockets.
#[embassy_executor::task]
pub async fn run(stack: Stack<'static>, memory: &'static mut [Memory; LINES], queues: RtpEnds) -> ! {
    let (mut to_audio, mut from_audio) = queues;
    let mut memory = memory.iter_mut();
    let sockets: [UdpSocket<'static>; LINES] = array::from_fn(|line| {
        let Some(Memory {
            rx_meta,
            rx,
            tx_meta,
            tx,
        }) = memory.next()
        else {
            panic!("line {line}")
        };
        let mut socket = UdpSocket::new(stack, rx_meta, rx, tx_meta, tx);
        let port = line_port(line as u8);
        if let Err(error) = socket.bind(port) {
            panic!("port {port}: {error:?}");
        }
        socket
    });
    loop {
        let heard = poll_fn(|cx| {
            // All are asked: whoever is not ready wakes this task later.
            let is_ready = sockets
                .iter()
                .fold(false, |any, socket| socket.poll_recv_ready(cx).is_ready() | any);
            if is_ready { Poll::Ready(()) } else { Poll::Pending }
        });
        select(from_audio.receive(), heard).await;
        while let Some(packet) = from_audio.try_receive() {
            let line = usize::from(packet.line);
            if let (Some(socket), Some(to)) = (sockets.get(line), peer(line)) {
                // One that finds no room is late already.
                let sent = poll_fn(|cx| Poll::Ready(socket.poll_send_to(packet.bytes(), to, cx)));
                let _ = sent.await;
            }
            from_audio.receive_done();
        }
        for (line, socket) in sockets.iter().enumerate() {
            while socket_has_some(socket).await {
                let packet = to_audio.send().await;
                let read = poll_fn(|cx| Poll::Ready(socket.poll_recv_from(&mut packet.bytes, cx)));
                match read.await {
                    Poll::Ready(Ok((length, from)))
                        if peer(line).is_some_and(|peer| peer.addr == from.endpoint.addr) =>
                    {
                        (packet.line, packet.length) = (line as u8, length as u16);
                        to_audio.send_done();
                    }
                    Poll::Ready(Err(_)) => {
                        TOO_LONG.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {}
                }
            }
        }
    }
}

async fn socket_has_some(socket: &UdpSocket<'_>) -> bool {
    poll_fn(|cx| Poll::Ready(socket.poll_recv_ready(cx).is_ready())).await
}
