//! SIP over UDP and TCP: sockets, connections and their bounds. What the bytes mean is not decided here.
//!
//! Everything is bounded: connections in all and from one address, the time until a connection says something whole,
//! the bytes of one message, what waits to be sent on a connection. Full means refuse and count.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sip::{Flow, Frame, Framer, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, warn};

/// Largest message over TCP, in bytes.
pub const STREAM_MAX: usize = 8_192;
/// Messages that wait to be sent on one connection.
const OUTBOX: usize = 256;
/// Arrivals that wait for the engine.
const INBOX: usize = 4_096;

/// The bounds of the TCP side.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub per_address: usize,
    /// Time until the first whole message or keep-alive.
    pub first: Duration,
    /// Time a message may take from its first to its last byte.
    pub whole: Duration,
    /// Silence after which a connection is closed.
    pub idle: Duration,
    /// The same for one that has sent keep-alives: who pings and stops is gone.
    pub silent: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            per_address: 256,
            first: Duration::from_secs(10),
            whole: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            silent: Duration::from_secs(30),
        }
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A datagram, whatever it holds.
    Datagram {
        /// From where.
        flow: Flow,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// One whole message of a connection, or its keep-alive (CRLF CRLF, which the engine answers).
    Stream {
        /// From where.
        flow: Flow,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A connection is closed, by whomever.
    Closed(Flow),
}

/// Counted oddities.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections refused because of their number.
    pub refused: AtomicU64,
    /// Connections closed because of what came, or did not come.
    pub broken: AtomicU64,
    /// Datagrams dropped because the engine was behind.
    pub dropped: AtomicU64,
    /// Messages that could not be sent.
    pub unsent: AtomicU64,
}

struct Connection {
    flow: Flow,
    outbox: mpsc::Sender<Vec<u8>>,
    /// Dropped to close it.
    _open: oneshot::Sender<()>,
}

#[derive(Default)]
struct Connections {
    live: HashMap<u16, Connection>,
    from: HashMap<IpAddr, usize>,
    last: u16,
}

struct Shared {
    udp: UdpSocket,
    local: SocketAddr,
    limits: Limits,
    counters: Counters,
    connections: Mutex<Connections>,
    inbox: mpsc::Sender<Arrival>,
}

/// The sockets of the SIP edge; they close when this is dropped.
pub struct SipIo {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for SipIo {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.shared.lock().live.clear();
    }
}

impl SipIo {
    /// Listens on UDP and TCP at `addr`, which has to be one address of this machine: answers name it.
    pub async fn bind(addr: SocketAddr, limits: Limits) -> io::Result<(Self, mpsc::Receiver<Arrival>)> {
        if addr.ip().is_unspecified() {
            let text = "SIP needs one address of this machine, not the unspecified one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let udp = UdpSocket::bind(addr).await?;
        let local = udp.local_addr()?;
        // A socket is known to be writable only after it was asked once.
        udp.writable().await?;
        let tcp = TcpListener::bind(local).await?;
        let (inbox, receiver) = mpsc::channel(INBOX);
        let (counters, connections) = (Counters::default(), Mutex::default());
        let shared = Arc::new(Shared {
            udp,
            local,
            limits,
            counters,
            connections,
            inbox,
        });
        let tasks = [
            tokio::spawn(receive_datagrams(Arc::clone(&shared))),
            tokio::spawn(accept(Arc::clone(&shared), tcp)),
        ];
        Ok((Self { shared, tasks }, receiver))
    }

    /// Our address.
    pub fn local(&self) -> SocketAddr {
        self.shared.local
    }

    /// The flow to a peer over UDP.
    pub fn udp_flow(&self, peer: SocketAddr) -> Flow {
        self.shared.udp_flow(peer)
    }

    /// Sends one message; false if it could not be sent now.
    pub fn send(&self, flow: &Flow, bytes: &[u8]) -> bool {
        let sent = match flow.transport {
            Transport::Udp => self.shared.udp.try_send_to(bytes, flow.peer).is_ok(),
            _ => {
                let connections = self.shared.lock();
                let connection = connections
                    .live
                    .get(&flow.stream)
                    .filter(|found| found.flow == *flow);
                connection.is_some_and(|found| found.outbox.try_send(bytes.to_vec()).is_ok())
            }
        };
        if !sent {
            self.shared.counters.unsent.fetch_add(1, Ordering::Relaxed);
            if flow.transport != Transport::Udp {
                // Its outbox is full or it is closing: a stream with a hole is of no use.
                self.close(flow);
            }
        }
        sent
    }

    /// Closes a connection; [`Arrival::Closed`] follows.
    pub fn close(&self, flow: &Flow) {
        let mut connections = self.shared.lock();
        if connections
            .live
            .get(&flow.stream)
            .is_some_and(|found| found.flow == *flow)
        {
            connections.live.remove(&flow.stream);
        }
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.shared.lock().live.len()
    }

    /// Counted oddities.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn udp_flow(&self, peer: SocketAddr) -> Flow {
        Flow {
            transport: Transport::Udp,
            interface: 0,
            stream: 0,
            peer,
            local: self.local,
        }
    }

    /// Enters a new connection into the table, or refuses it.
    fn admit(&self, peer: SocketAddr) -> Option<(Flow, mpsc::Receiver<Vec<u8>>, oneshot::Receiver<()>)> {
        let mut connections = self.lock();
        let from = connections.from.get(&peer.ip()).copied().unwrap_or(0);
        if connections.live.len() >= self.limits.connections.min(usize::from(u16::MAX) - 1)
            || from >= self.limits.per_address
        {
            return None;
        }
        let mut stream = connections.last;
        loop {
            stream = stream.checked_add(1).unwrap_or(1);
            if !connections.live.contains_key(&stream) {
                break;
            }
        }
        connections.last = stream;
        connections.from.insert(peer.ip(), from + 1);
        let flow = Flow {
            transport: Transport::Tcp,
            interface: 0,
            stream,
            peer,
            local: self.local,
        };
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let (open, closed) = oneshot::channel();
        connections.live.insert(
            stream,
            Connection {
                flow,
                outbox,
                _open: open,
            },
        );
        Some((flow, messages, closed))
    }

    fn dismiss(&self, flow: &Flow) {
        let mut connections = self.lock();
        if connections
            .live
            .get(&flow.stream)
            .is_some_and(|found| found.flow == *flow)
        {
            connections.live.remove(&flow.stream);
        }
        let left = connections
            .from
            .get(&flow.peer.ip())
            .copied()
            .unwrap_or(0)
            .saturating_sub(1);
        if left == 0 {
            connections.from.remove(&flow.peer.ip());
        } else {
            connections.from.insert(flow.peer.ip(), left);
        }
    }
}

async fn receive_datagrams(shared: Arc<Shared>) {
    let mut buffer = vec![0; 65_536];
    loop {
        match shared.udp.recv_from(&mut buffer).await {
            Ok((len, peer)) => {
                let bytes = buffer.get(..len).unwrap_or_default().to_vec();
                let arrival = Arrival::Datagram {
                    flow: shared.udp_flow(peer),
                    bytes,
                };
                // Waiting here would only move the queue into the kernel: the sender repeats.
                if shared.inbox.try_send(arrival).is_err() {
                    shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(error) => {
                warn!(%error, "SIP over UDP");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match shared.admit(peer) {
                Some((flow, messages, closed)) => {
                    tokio::spawn(connection(Arc::clone(&shared), stream, flow, messages, closed));
                }
                None => {
                    shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                    debug!(%peer, "SIP connection refused");
                }
            },
            Err(error) => {
                // Out of descriptors, most likely: others have to close first.
                warn!(%error, "SIP over TCP");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    flow: Flow,
    messages: mpsc::Receiver<Vec<u8>>,
    closed: oneshot::Receiver<()>,
) {
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let reason = tokio::select! {
        reason = receive_stream(&shared, read, flow) => reason,
        () = write_stream(write, messages) => "not written",
        _ = closed => "closed here",
    };
    debug!(peer = %flow.peer, reason, "SIP connection ended");
    shared.dismiss(&flow);
    // The engine ends before its connections only when the server stops.
    let _ = shared.inbox.send(Arrival::Closed(flow)).await;
}

/// Reads until the connection ends or breaks a bound; says why.
async fn receive_stream(shared: &Shared, mut read: OwnedReadHalf, flow: Flow) -> &'static str {
    let limits = &shared.limits;
    let mut framer = Framer::accepted(vec![0; STREAM_MAX]);
    let mut buffer = [0; 4_096];
    let mut deadline = Instant::now() + limits.first;
    let mut pings = false;
    let broken = |why| {
        shared.counters.broken.fetch_add(1, Ordering::Relaxed);
        why
    };
    loop {
        let len = match timeout_at(deadline, read.read(&mut buffer)).await {
            Err(_) => return broken("too slow"),
            Ok(Ok(0)) => return "closed by the peer",
            Ok(Ok(len)) => len,
            Ok(Err(_)) => return "reset",
        };
        let mut received = buffer.get(..len).unwrap_or_default();
        let mut whole = false;
        while !received.is_empty() {
            let taken = framer.push(received);
            received = received.get(taken..).unwrap_or_default();
            while let Some(frame) = framer.next() {
                whole = true;
                let bytes = match frame {
                    Ok(Frame::Message(bytes)) => bytes,
                    Ok(Frame::Ping) => {
                        pings = true;
                        b"\r\n\r\n"
                    }
                    Ok(Frame::Pong) => continue,
                    Err(fault) => {
                        debug!(peer = %flow.peer, ?fault, "SIP stream");
                        return broken("not SIP");
                    }
                };
                let arrival = Arrival::Stream {
                    flow,
                    bytes: bytes.to_vec(),
                };
                // A connection waits for the engine: TCP slows its peer down.
                if shared.inbox.send(arrival).await.is_err() {
                    return "the server stops";
                }
            }
        }
        // Half a message has to become whole in time, however busily its bytes drip.
        let now = Instant::now();
        if framer.pending() == 0 {
            deadline = now + if pings { limits.silent } else { limits.idle };
        } else if whole {
            deadline = now + limits.whole;
        } else {
            deadline = deadline.min(now + limits.whole);
        }
    }
}

async fn write_stream(mut write: OwnedWriteHalf, mut messages: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = messages.recv().await {
        match timeout(Duration::from_secs(10), write.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn edge(limits: Limits) -> (SipIo, mpsc::Receiver<Arrival>) {
        SipIo::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap()
    }

    fn options(len: usize) -> Vec<u8> {
        let mut message = b"OPTIONS sip:cloud SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\n\
            From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
            .to_vec();
        message.extend(format!("Content-Length: {len}\r\n\r\n").bytes());
        message.extend(std::iter::repeat_n(b'x', len));
        message
    }

    async fn next(arrivals: &mut mpsc::Receiver<Arrival>) -> Arrival {
        timeout(PATIENCE, arrivals.recv())
            .await
            .expect("something arrives")
            .unwrap()
    }

    async fn read(stream: &mut TcpStream, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        timeout(PATIENCE, stream.read_exact(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        bytes
    }

    /// Reads until the other side closes; a reset is as good.
    async fn closed(stream: &mut TcpStream) {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("closed");
    }

    #[tokio::test]
    async fn datagrams_and_streams() {
        let (io, mut arrivals) = edge(Limits::default()).await;
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        peer.send_to(b"whatever \xff", io.local()).await.unwrap();
        let Arrival::Datagram { flow, bytes } = next(&mut arrivals).await else {
            panic!()
        };
        assert_eq!(
            (flow.peer, bytes.as_slice()),
            (peer.local_addr().unwrap(), &b"whatever \xff"[..])
        );
        assert!(io.send(&flow, b"answer"));
        let mut buffer = [0; 16];
        let (len, from) = timeout(PATIENCE, peer.recv_from(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((&buffer[..len], from), (&b"answer"[..], io.local()));

        // Two messages and a ping in one segment; a message in pieces.
        let mut stream = TcpStream::connect(io.local()).await.unwrap();
        let both = [options(0), options(5), b"\r\n\r\n".to_vec()].concat();
        stream.write_all(&both).await.unwrap();
        for expected in [options(0), options(5), b"\r\n\r\n".to_vec()] {
            assert!(matches!(next(&mut arrivals).await, Arrival::Stream { bytes, .. } if bytes == expected));
        }
        for byte in options(3) {
            stream.write_all(&[byte]).await.unwrap();
        }
        let Arrival::Stream { flow, .. } = next(&mut arrivals).await else {
            panic!()
        };
        assert!(io.send(&flow, b"SIP/2.0 200 OK"));
        assert_eq!(read(&mut stream, 14).await, b"SIP/2.0 200 OK");
        drop(stream);
        assert_eq!(next(&mut arrivals).await, Arrival::Closed(flow));
        assert!(!io.send(&flow, b"too late"));
        assert_eq!(io.connections(), 0);
    }

    #[tokio::test]
    async fn what_breaks_a_bound_is_closed() {
        let limits = Limits {
            connections: 3,
            per_address: 2,
            first: Duration::from_millis(300),
            whole: Duration::from_millis(300),
            idle: Duration::from_secs(60),
            silent: Duration::from_millis(300),
        };
        let (io, mut arrivals) = edge(limits).await;
        // Garbage, a message beyond all bounds, silence, a message that never ends, pings that cease.
        let endless = options(600)[..300].to_vec();
        let cases: [(&str, Vec<u8>); 5] = [
            (
                "garbage",
                [b"\x16\x03\x01 this is no SIP\r\n".as_slice(), &[0; 9_000]].concat(),
            ),
            ("oversized", options(STREAM_MAX)),
            ("silent", Vec::new()),
            ("endless", endless),
            ("ceased", b"\r\n\r\n".to_vec()),
        ];
        for (name, bytes) in cases {
            let mut stream = TcpStream::connect(io.local()).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            closed(&mut stream).await;
            // The ping itself arrives before the end.
            while !matches!(next(&mut arrivals).await, Arrival::Closed(_)) {
                assert_eq!(name, "ceased");
            }
        }
        assert_eq!(io.counters().broken.load(Ordering::Relaxed), 5);

        // More connections from one address than allowed.
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(io.local()).await.unwrap();
            stream.write_all(&options(0)).await.unwrap();
            assert!(matches!(next(&mut arrivals).await, Arrival::Stream { .. }));
            held.push(stream);
        }
        let mut third = TcpStream::connect(io.local()).await.unwrap();
        closed(&mut third).await;
        assert_eq!(io.counters().refused.load(Ordering::Relaxed), 1);
        assert_eq!(io.connections(), 2);
    }

    /// A peer that does not read: its outbox fills, the connection is closed, nobody else waits.
    #[tokio::test]
    async fn a_peer_that_does_not_read_is_let_go() {
        let (io, mut arrivals) = edge(Limits::default()).await;
        let mut stream = TcpStream::connect(io.local()).await.unwrap();
        stream.write_all(&options(0)).await.unwrap();
        let Arrival::Stream { flow, .. } = next(&mut arrivals).await else {
            panic!()
        };
        let big = vec![b'x'; STREAM_MAX];
        let mut sent = 0u32;
        while io.send(&flow, &big) {
            sent += 1;
            tokio::task::yield_now().await;
            assert!(sent < 100_000, "what waits is bounded");
        }
        assert_eq!(next(&mut arrivals).await, Arrival::Closed(flow));
        assert_eq!(io.connections(), 0);
    }

    #[tokio::test]
    async fn the_unspecified_address_is_refused() {
        assert!(
            SipIo::bind("0.0.0.0:0".parse().unwrap(), Limits::default())
                .await
                .is_err()
        );
    }
}
