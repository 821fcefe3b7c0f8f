//! The sockets of what the box does for the office's network beside SIP: names, addresses, time, logs. A task a network hears them;
//! the brain sends.

use core::array;
use core::cell::RefCell;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use embassy_futures::poll_once;
use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use gateway::Input;
use gateway::office::{DATAGRAM_MAX, PORTS, To};
use static_cell::{ConstStaticCell, StaticCell};

use crate::brain::Brain;
use crate::net::{address_of, endpoint};

/// Networks that are served.
const NETWORKS: usize = 1;
/// Sockets of a network: [`PORTS`], and the one that other name servers are asked from.
pub const SOCKETS: usize = PORTS.len() + 1;
/// Datagrams waiting to be read, and to be sent: a phone repeats what is lost.
const WAITING: (usize, usize) = (4, 2);
/// Bytes for them, in the order of [`PORTS`]: five questions for names and an answer; a client's message and an answer; four
/// questions for the time and two answers; four short lines or a long one; an answer of a name server and a question.
const RX: [usize; SOCKETS] = [512, 592, 192, 512, DATAGRAM_MAX];
const TX: [usize; SOCKETS] = [DATAGRAM_MAX, 560, 96, 1, 288];

const fn sum(sizes: [usize; SOCKETS]) -> usize {
    let [a, b, c, d, e] = sizes;
    a + b + c + d + e
}

/// Memory of a network's sockets.
struct Memory {
    rx_meta: [[PacketMetadata; WAITING.0]; SOCKETS],
    tx_meta: [[PacketMetadata; WAITING.1]; SOCKETS],
    rx: [u8; sum(RX)],
    tx: [u8; sum(TX)],
}

impl Memory {
    const NEW: Memory = Memory {
        rx_meta: [[PacketMetadata::EMPTY; WAITING.0]; SOCKETS],
        tx_meta: [[PacketMetadata::EMPTY; WAITING.1]; SOCKETS],
        rx: [0; sum(RX)],
        tx: [0; sum(TX)],
    };
}

/// The sockets of one network. Nobody holds one while he waits.
pub struct Sockets {
    interface: u8,
    sockets: [RefCell<UdpSocket<'static>>; SOCKETS],
}

/// The sockets of all networks.
pub struct Services(heapless::Vec<Sockets, NETWORKS>);

impl Services {
    /// Opens them; once.
    pub fn open(stacks: [Stack<'static>; NETWORKS]) -> &'static Self {
        static MEMORY: ConstStaticCell<[Memory; NETWORKS]> = ConstStaticCell::new([Memory::NEW; NETWORKS]);
        static SERVICES: StaticCell<Services> = StaticCell::new();
        let all = (0..).zip(stacks).zip(MEMORY.take());
        SERVICES.init(Services(
            all.map(|((interface, stack), memory)| Sockets::open(interface, stack, memory))
                .collect(),
        ))
    }

    /// Each network's.
    pub fn iter(&'static self) -> impl Iterator<Item = &'static Sockets> {
        self.0.iter()
    }

    /// Sends a datagram; waits for room. False: it cannot be sent.
    pub async fn send(&self, port: u16, to: To, bytes: &[u8]) -> bool {
        match (
            self.0.get(usize::from(to.interface)),
            endpoint(SocketAddr::V4(to.address)),
        ) {
            (Some(sockets), Some(end)) => {
                let Some(socket) = sockets.socket(port) else {
                    return false;
                };
                let sent = poll_fn(|cx| socket.borrow().poll_send_to(bytes, end, cx)).await;
                sent.is_ok()
            }
            _ => false,
        }
    }
}

impl Sockets {
    fn open(interface: u8, stack: Stack<'static>, memory: &'static mut Memory) -> Self {
        let Memory {
            rx_meta,
            tx_meta,
            rx,
            tx,
        } = memory;
        let (mut rx, mut tx) = (&mut rx[..], &mut tx[..]);
        let mut meta = rx_meta.iter_mut().zip(tx_meta);
        let sockets = array::from_fn(|index| {
            let sizes = RX.get(index).zip(TX.get(index));
            let (Some((rx_size, tx_size)), Some((rx_meta, tx_meta))) = (sizes, meta.next()) else {
                panic!("service {index}")
            };
            let (Some(rx), Some(tx)) = (rx.split_off_mut(..*rx_size), tx.split_off_mut(..*tx_size)) else {
                panic!("service {index}")
            };
            let mut socket = UdpSocket::new(stack, rx_meta, rx, tx_meta, tx);
            if let Some(port) = PORTS.get(index)
                && let Err(error) = socket.bind(*port)
            {
                panic!("port {port}: {error:?}");
            }
            RefCell::new(socket)
        });
        Self { interface, sockets }
    }

    /// The socket of this port: one that is in none of [`PORTS`] is the last one's from now on.
    fn socket(&self, port: u16) -> Option<&RefCell<UdpSocket<'static>>> {
        if let Some(index) = PORTS.iter().position(|own| *own == port) {
            return self.sockets.get(index);
        }
        let asking = self.sockets.last()?;
        let mut socket = asking.borrow_mut();
        if socket.endpoint().port != port {
            socket.close();
            socket.bind(port).ok()?;
        }
        drop(socket);
        Some(asking)
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        // All of them: each has to know whom to wake.
        let ready = self
            .sockets
            .iter()
            .filter(|socket| socket.borrow().poll_recv_ready(cx).is_ready());
        if ready.count() > 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Tells the brain what comes in, one datagram at a time.
#[embassy_executor::task(pool_size = NETWORKS)]
pub async fn run(brain: &'static Brain, sockets: &'static Sockets) -> ! {
    loop {
        poll_fn(|cx| sockets.poll_ready(cx)).await;
        let turn = brain.turn().await;
        let mut noop = Context::from_waker(core::task::Waker::noop());
        let ready =
            |socket: &&RefCell<UdpSocket<'static>>| socket.borrow().poll_recv_ready(&mut noop).is_ready();
        let Some(socket) = sockets.sockets.iter().find(ready) else {
            continue;
        };
        let mut socket = socket.borrow_mut();
        let port = socket.endpoint().port;
        let heard = socket.recv_from_with(|bytes, meta| {
            let SocketAddr::V4(address) = address_of(meta.endpoint) else {
                return;
            };
            let from = To {
                interface: sockets.interface,
                address,
            };
            turn.tell(Input::Service { port, from, bytes });
        });
        // It is there: nobody waits.
        let _ = poll_once(heard);
    }
}
