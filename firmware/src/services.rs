//! The sockets of what the box does for the phones' network beside SIP and files: names, addresses, time, logs. A task hears them; the
//! brain sends.

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
use netshim::Net;
use static_cell::{ConstStaticCell, StaticCell};

use crate::brain::Brain;
use crate::net::{Phones, address_of, endpoint};

/// Sockets of the phones' network.
pub const SOCKETS: usize = PORTS.len();
/// Datagrams waiting to be read, and to be sent: a phone repeats what is lost.
const WAITING: (usize, usize) = (4, 2);
/// Bytes for them, in the order of [`PORTS`]: five questions for names and an answer; a client's message and an answer; four
/// questions for the time and two answers; four short lines or a long one. The last are an answer of a name server and a question.
const RX: [usize; SOCKETS + 1] = [512, 592, 192, 512, DATAGRAM_MAX];
const TX: [usize; SOCKETS + 1] = [DATAGRAM_MAX, 560, 96, 1, 288];

const fn sum(sizes: [usize; SOCKETS + 1]) -> usize {
    let [a, b, c, d, e] = sizes;
    a + b + c + d + e
}

/// What is known of the datagrams in the sockets' memory, which is apart, so that its zeros are not part of the image.
struct Meta {
    rx: [[PacketMetadata; WAITING.0]; SOCKETS + 1],
    tx: [[PacketMetadata; WAITING.1]; SOCKETS + 1],
}

/// The sockets: one a port of [`PORTS`] for the phones, and the last in the office's network, from which other name servers and time
/// servers are asked. Nobody holds one while he waits.
pub struct Services {
    phones: Net,
    sockets: [RefCell<UdpSocket<'static>>; SOCKETS + 1],
}

impl Services {
    /// Opens them; once.
    pub fn open(office: Stack<'static>, phones: Phones) -> &'static Self {
        static META: ConstStaticCell<Meta> = ConstStaticCell::new(Meta {
            rx: [[PacketMetadata::EMPTY; WAITING.0]; SOCKETS + 1],
            tx: [[PacketMetadata::EMPTY; WAITING.1]; SOCKETS + 1],
        });
        static ROOM: ConstStaticCell<[u8; sum(RX) + sum(TX)]> = ConstStaticCell::new([0; sum(RX) + sum(TX)]);
        static SERVICES: StaticCell<Services> = StaticCell::new();
        let mut room = &mut ROOM.take()[..];
        let Meta { rx, tx } = META.take();
        let mut meta = rx.iter_mut().zip(tx);
        let sockets = array::from_fn(|index| {
            let sizes = RX.get(index).zip(TX.get(index));
            let (Some((rx_size, tx_size)), Some((rx_meta, tx_meta))) = (sizes, meta.next()) else {
                panic!("service {index}")
            };
            let (Some(rx), Some(tx)) = (room.split_off_mut(..*rx_size), room.split_off_mut(..*tx_size))
            else {
                panic!("service {index}")
            };
            let port = PORTS.get(index);
            let stack = if port.is_some() { phones.stack } else { office };
            let mut socket = UdpSocket::new(stack, rx_meta, rx, tx_meta, tx);
            if let Some(port) = port
                && let Err(error) = socket.bind(*port)
            {
                panic!("port {port}: {error:?}");
            }
            RefCell::new(socket)
        });
        SERVICES.init(Services {
            phones: phones.net,
            sockets,
        })
    }

    /// Sends a datagram; waits for room. False: it cannot be sent.
    pub async fn send(&self, port: u16, to: To, bytes: &[u8]) -> bool {
        match (self.socket(port), endpoint(SocketAddr::V4(to.address))) {
            (Some(socket), Some(end)) => poll_fn(|cx| socket.borrow().poll_send_to(bytes, end, cx))
                .await
                .is_ok(),
            _ => false,
        }
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
#[embassy_executor::task]
pub async fn run(brain: &'static Brain, services: &'static Services) -> ! {
    loop {
        poll_fn(|cx| services.poll_ready(cx)).await;
        let turn = brain.turn().await;
        let mut noop = Context::from_waker(core::task::Waker::noop());
        let ready =
            |socket: &&RefCell<UdpSocket<'static>>| socket.borrow().poll_recv_ready(&mut noop).is_ready();
        let Some(socket) = services.sockets.iter().find(ready) else {
            continue;
        };
        let mut socket = socket.borrow_mut();
        let port = socket.endpoint().port;
        let interface = if PORTS.contains(&port) {
            services.phones
        } else {
            Net::Office
        };
        let heard = socket.recv_from_with(|bytes, meta| {
            let SocketAddr::V4(address) = address_of(meta.endpoint) else {
                return;
            };
            let from = To {
                interface: interface as u8,
                address,
            };
            turn.tell(Input::Service { port, from, bytes });
        });
        // It is there: nobody waits.
        let _ = poll_once(heard);
    }
}
