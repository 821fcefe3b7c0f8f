//! SIP over UDP, TCP, TLS and WebSocket: sockets, connections and their bounds. What a message means is not decided here.
//!
//! Everything is bounded: connections in all and from one address, the time until a connection says something whole,
//! the bytes of one message, what waits to be sent on a connection. Full means refuse and count.

mod stream;
#[cfg(test)]
mod tests;
pub mod tls;
mod websocket;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sip::{Flow, Frame, Transport};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// Largest message of a connection, in bytes.
pub const STREAM_MAX: usize = 8_192;
/// Messages that wait to be sent on one connection.
const OUTBOX: usize = 256;
/// Arrivals that wait for the engine.
const INBOX: usize = 4_096;
/// How long a peer may take to take one message.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Where SIP is listened to.
#[derive(Clone)]
pub struct Listen {
    /// UDP and TCP: one address of this machine.
    pub sip: SocketAddr,
    /// TLS, with its certificate.
    pub tls: Option<(SocketAddr, TlsAcceptor)>,
    /// WebSocket, for a proxy that ends TLS itself.
    pub ws: Option<SocketAddr>,
    /// WebSocket over TLS, with its certificate.
    pub wss: Option<(SocketAddr, TlsAcceptor)>,
}

impl Listen {
    /// UDP and TCP alone.
    pub const fn plain(sip: SocketAddr) -> Self {
        Self {
            sip,
            tls: None,
            ws: None,
            wss: None,
        }
    }
}

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub per_address: usize,
    /// Time until the first whole message or keep-alive, all handshakes included.
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
    /// One whole message of a connection.
    Message {
        /// From where.
        flow: Flow,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// CRLF CRLF, which the engine answers (RFC 5626 §4.4.1).
    Ping(Flow),
    /// Somebody is there, and waits for no answer.
    Pong(Flow),
    /// A connection is closed, by whomever.
    Closed(Flow),
}

impl Arrival {
    fn stream(flow: Flow, frame: Frame<'_>) -> Self {
        match frame {
            Frame::Message(bytes) => Self::Message {
                flow,
                bytes: bytes.to_vec(),
            },
            Frame::Ping => Self::Ping(flow),
            Frame::Pong => Self::Pong(flow),
        }
    }
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
    tasks: Vec<JoinHandle<()>>,
    locals: Vec<(Transport, SocketAddr)>,
}

impl Drop for SipIo {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.shared.lock().live.clear();
    }
}

impl SipIo {
    /// Listens where it is told to. The address for UDP and TCP has to be one address of this machine: answers name it.
    pub async fn bind(listen: &Listen, limits: Limits) -> io::Result<(Self, mpsc::Receiver<Arrival>)> {
        let addresses = [&listen.tls, &listen.wss]
            .into_iter()
            .flatten()
            .map(|(addr, _)| addr);
        if addresses
            .chain(&listen.ws)
            .chain([&listen.sip])
            .any(|addr| addr.ip().is_unspecified())
        {
            let text = "SIP needs one address of this machine, not the unspecified one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let (udp, tcp) = bind_both(listen.sip).await?;
        let local = udp.local_addr()?;
        // A socket is known to be writable only after it was asked once.
        udp.writable().await?;
        let mut listeners = vec![(Transport::Tcp, tcp, None)];
        for (transport, at) in [(Transport::Tls, &listen.tls), (Transport::Wss, &listen.wss)] {
            if let Some((addr, tls)) = at {
                listeners.push((transport, TcpListener::bind(addr).await?, Some(tls.clone())));
            }
        }
        if let Some(addr) = listen.ws {
            listeners.push((Transport::Ws, TcpListener::bind(addr).await?, None));
        }
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
        let mut tasks = vec![tokio::spawn(receive_datagrams(Arc::clone(&shared)))];
        let mut locals = Vec::new();
        for (transport, listener, tls) in listeners {
            let local = listener.local_addr()?;
            locals.push((transport, local));
            let listening = Listening {
                transport,
                local,
                tls,
            };
            tasks.push(tokio::spawn(accept(Arc::clone(&shared), listener, listening)));
        }
        Ok((
            Self {
                shared,
                tasks,
                locals,
            },
            receiver,
        ))
    }

    /// Where connections of this transport are listened to.
    pub fn listens(&self, transport: Transport) -> Option<SocketAddr> {
        let found = self.locals.iter().find(|(known, _)| *known == transport);
        found.map(|(_, local)| *local)
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
    fn admit(
        &self,
        listening: &Listening,
        peer: SocketAddr,
    ) -> Option<(Flow, mpsc::Receiver<Vec<u8>>, oneshot::Receiver<()>)> {
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
            transport: listening.transport,
            interface: 0,
            stream,
            peer,
            local: listening.local,
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

    /// Counts a connection that is closed because of what came, or did not come.
    fn broken(&self, why: &'static str) -> &'static str {
        self.counters.broken.fetch_add(1, Ordering::Relaxed);
        why
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

/// UDP and TCP on one port; of those that the system chooses (port 0), one may be free for UDP alone.
async fn bind_both(addr: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = if addr.port() == 0 { 32 } else { 1 };
    loop {
        tries -= 1;
        let udp = UdpSocket::bind(addr).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            tcp => return Ok((udp, tcp?)),
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

/// What a listener takes.
#[derive(Clone)]
struct Listening {
    transport: Transport,
    local: SocketAddr,
    tls: Option<TlsAcceptor>,
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, listening: Listening) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match shared.admit(&listening, peer) {
                Some((flow, messages, closed)) => {
                    let (shared, tls) = (Arc::clone(&shared), listening.tls.clone());
                    tokio::spawn(connection(shared, stream, tls, flow, messages, closed));
                }
                None => {
                    shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                    debug!(%peer, "SIP connection refused");
                }
            },
            Err(error) => {
                // Out of descriptors, most likely: others have to close first.
                warn!(%error, "SIP connections");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    flow: Flow,
    messages: mpsc::Receiver<Vec<u8>>,
    closed: oneshot::Receiver<()>,
) {
    let _ = stream.set_nodelay(true);
    let first = Instant::now() + shared.limits.first;
    let serve = async {
        let Some(tls) = tls else {
            return match flow.transport {
                Transport::Ws => websocket::serve(&shared, stream, flow, first, messages).await,
                _ => stream::serve(&shared, stream, flow, first, messages).await,
            };
        };
        match timeout_at(first, tls.accept(stream)).await {
            Ok(Ok(stream)) if flow.transport == Transport::Wss => {
                websocket::serve(&shared, stream, flow, first, messages).await
            }
            Ok(Ok(stream)) => stream::serve(&shared, stream, flow, first, messages).await,
            Ok(Err(_)) => shared.broken("no TLS"),
            Err(_) => shared.broken("too slow"),
        }
    };
    let reason = tokio::select! {
        reason = serve => reason,
        _ = closed => "closed here",
    };
    debug!(peer = %flow.peer, reason, "SIP connection ended");
    shared.dismiss(&flow);
    // The engine ends before its connections only when the server stops.
    let _ = shared.inbox.send(Arrival::Closed(flow)).await;
}
