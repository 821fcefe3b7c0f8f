//! Phones fetch their files: the sockets of TFTP and HTTP. What goes over them is the brain's.

use core::net::SocketAddr;

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, with_deadline, with_timeout};
use gateway::budget::{HTTP_CONNECTIONS, HTTP_PORT, TFTP_PORT};
use gateway::provision::HttpEvent;
use gateway::provision::http::Next;
use gateway::provision::tftp::{PACKET_MAX, TRANSFERS};
use gateway::store::MAX_PIECE;
use gateway::{Input, Station};
use netshim::Net;
use static_cell::{ConstStaticCell, StaticCell};

use crate::brain::Brain;
use crate::net::{Phones, Shared, address_of, station};
use crate::work;

/// A phone that takes nothing for so long has its connection closed: others wait for it. The brain has less for one that does not ask.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of firmware a phone takes at least so many bytes in so much time: it may be at its own flash.
const PACE: (usize, Duration) = (64 * 1_024, Duration::from_secs(30));
/// Longest packet of TFTP that is looked at: a request with a name of 128 bytes, and all options.
const REQUEST_MAX: usize = 256;

type Answer = Signal<CriticalSectionRawMutex, ()>;

/// There is an answer on this connection, or it is to be closed.
pub static ANSWERS: [Answer; HTTP_CONNECTIONS] = [const { Answer::new() }; HTTP_CONNECTIONS];

/// The two sockets of TFTP: where requests come in, and what all else comes to and is sent from.
pub type Tftp = (UdpSocket<'static>, UdpSocket<'static>);

struct Meta {
    requests: [PacketMetadata; 4],
    unused: [PacketMetadata; 1],
    rx: [PacketMetadata; TRANSFERS],
    tx: [PacketMetadata; 2],
}

/// Opens the sockets of TFTP; once.
pub fn tftp_sockets(stack: Stack<'static>) -> &'static Tftp {
    static SOCKETS: StaticCell<Tftp> = StaticCell::new();
    // In pieces, so that the zeros are not part of the image.
    static META: ConstStaticCell<Meta> = ConstStaticCell::new(Meta {
        requests: [PacketMetadata::EMPTY; 4],
        unused: [PacketMetadata::EMPTY; 1],
        rx: [PacketMetadata::EMPTY; TRANSFERS],
        tx: [PacketMetadata::EMPTY; 2],
    });
    static REQUESTS: ConstStaticCell<[u8; 4 * REQUEST_MAX]> = ConstStaticCell::new([0; 4 * REQUEST_MAX]);
    static UNUSED: ConstStaticCell<[u8; 1]> = ConstStaticCell::new([0; 1]);
    // Acknowledgements.
    static RX: ConstStaticCell<[u8; 8 * TRANSFERS]> = ConstStaticCell::new([0; 8 * TRANSFERS]);
    static TX: ConstStaticCell<[u8; PACKET_MAX]> = ConstStaticCell::new([0; PACKET_MAX]);
    let meta = META.take();
    let mut requests = UdpSocket::new(
        stack,
        &mut meta.requests,
        REQUESTS.take(),
        &mut meta.unused,
        UNUSED.take(),
    );
    let mut data = UdpSocket::new(stack, &mut meta.rx, RX.take(), &mut meta.tx, TX.take());
    // Any port will do for the second.
    for (socket, port) in [(&mut requests, TFTP_PORT), (&mut data, 0)] {
        if let Err(error) = socket.bind(port) {
            panic!("port {port}: {error:?}");
        }
    }
    SOCKETS.init((requests, data))
}

/// Hears what comes to both ports.
#[embassy_executor::task]
pub async fn tftp(sockets: &'static Tftp, net: Net, shared: &'static Shared, brain: &'static Brain) -> ! {
    let (requests, data) = sockets;
    let (mut first, mut second) = ([0; REQUEST_MAX], [0; REQUEST_MAX]);
    loop {
        let heard = select(requests.recv_from(&mut first), data.recv_from(&mut second)).await;
        let (is_request, heard) = match heard {
            Either::First(heard) => (true, heard),
            Either::Second(heard) => (false, heard),
        };
        // What is longer is no packet that we wait for.
        let Ok((length, from)) = heard else { continue };
        let peer = address_of(from.endpoint);
        let packet = if is_request { &first } else { &second };
        let turn = brain.turn().await;
        turn.tell(Input::Tftp {
            peer,
            station: station(shared, net, peer),
            is_request,
            bytes: packet.get(..length).unwrap_or_default(),
        });
    }
}

/// Memory of one connection for files.
pub struct Memory {
    rx: [u8; 512],
    tx: [u8; 1_024],
}

/// Memory of all of them; once.
pub fn memory() -> impl Iterator<Item = &'static mut Memory> {
    static MEMORY: ConstStaticCell<[Memory; HTTP_CONNECTIONS]> = ConstStaticCell::new(
        [const {
            Memory {
                rx: [0; 512],
                tx: [0; 1_024],
            }
        }; HTTP_CONNECTIONS],
    );
    MEMORY.take().iter_mut()
}

/// Connection `connection`: one request after the other, each on a connection of its own.
#[embassy_executor::task(pool_size = HTTP_CONNECTIONS)]
pub async fn http(
    phones: Phones,
    shared: &'static Shared,
    brain: &'static Brain,
    connection: u8,
    memory: &'static mut Memory,
) -> ! {
    let mut socket = TcpSocket::new(phones.stack, &mut memory.rx, &mut memory.tx);
    socket.set_timeout(Some(PATIENCE));
    socket.set_nagle_enabled(false);
    loop {
        let peer = match socket.accept(HTTP_PORT).await {
            Ok(()) => socket.remote_endpoint().map(address_of),
            Err(_) => None,
        };
        if let Some(peer) = peer {
            let who = || station(shared, phones.net, peer);
            let sender = who();
            let is_there = || sender.is_none() || sender == who();
            let _ = serve(&mut socket, brain, connection, (peer, sender), is_there).await;
            if !is_there() {
                // What is not sent yet is for whoever it was.
                socket.abort();
            }
            brain.turn().await.tell(Input::Http {
                connection,
                event: HttpEvent::Closed,
            });
        }
        socket.close();
        let _ = with_timeout(PATIENCE, socket.flush()).await;
        socket.abort();
        let _ = socket.flush().await;
    }
}

/// Takes the request of this station and sends the answer, as long as it is there: nobody else is to have its file. `None`: it was not
/// sent to its end.
async fn serve(
    socket: &mut TcpSocket<'_>,
    brain: &Brain,
    connection: u8,
    (peer, station): (SocketAddr, Option<Station>),
    is_there: impl Fn() -> bool,
) -> Option<()> {
    let answer = ANSWERS.get(usize::from(connection))?;
    let mut end = Instant::now() + 2 * PATIENCE;
    with_deadline(end, ask(socket, brain, (connection, answer), (peer, station)))
        .await
        .ok()?;
    // Bytes of firmware since the last time that there were enough.
    let mut taken = None;
    loop {
        // What the brain has to say after there was an answer is that it is over.
        if let Either::First(()) = with_deadline(end, select(answer.wait(), socket.wait_write_ready()))
            .await
            .ok()?
        {
            return None;
        }
        let turn = brain.turn().await;
        if !is_there() {
            return None;
        }
        let next = socket.write_with(|room| {
            let len = room.len().min(MAX_PIECE);
            let next = turn.answer(connection, room.get_mut(..len).unwrap_or_default());
            let len = if let Next::Send(len) = next { len } else { 0 };
            (len, next)
        });
        let next = next.await.ok()?;
        drop(turn);
        let Next::Read { place, len } = next else {
            match next {
                Next::Send(_) => continue,
                _ => return Some(()),
            }
        };
        if taken.is_none_or(|taken| taken >= PACE.0) {
            taken = Some(0);
            end = Instant::now() + PACE.1;
        }
        taken = taken.map(|taken| taken + len);
        let piece = work::read(place, len).await?;
        let mut rest = piece.get(..len)?;
        while !rest.is_empty() {
            let written = with_deadline(end, socket.write(rest)).await.ok()?.ok()?;
            rest = rest.get(written..)?;
        }
    }
}

/// Takes the request of this station, until there is an answer.
async fn ask(
    socket: &mut TcpSocket<'_>,
    brain: &Brain,
    (connection, answer): (u8, &Answer),
    (peer, station): (SocketAddr, Option<Station>),
) {
    answer.reset();
    brain.turn().await.tell(Input::Http {
        connection,
        event: HttpEvent::Opened {
            peer: peer.ip(),
            station,
        },
    });
    let request = async {
        // Whether there is something, before others are kept from their turn.
        while socket
            .read_with(|bytes| (0, bytes.len()))
            .await
            .is_ok_and(|len| len > 0)
        {
            let turn = brain.turn().await;
            let told = socket.read_with(|bytes| {
                turn.tell(Input::Http {
                    connection,
                    event: HttpEvent::Data(bytes),
                });
                (bytes.len(), ())
            });
            if told.await.is_err() {
                return;
            }
        }
    };
    match select(answer.wait(), request).await {
        Either::First(()) => {}
        // The phone has said all that it says, or is gone; there may be an answer yet.
        Either::Second(()) => answer.wait().await,
    }
}
