//! Phones' connections, TCP and TLS: accepted within bounds, cut into messages, written to. Full means refuse and count.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use sip::{Flow, Frame, Framer, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::driver::{Event, Events};

/// Messages that wait to be sent on one connection.
const OUTBOX: usize = 256;
/// Time until the first whole message or keep-alive, and for a message from its first to its last byte.
const WHOLE: Duration = Duration::from_secs(10);
/// Silence after which a connection is closed: registrations are refreshed more often.
const IDLE: Duration = Duration::from_secs(600);
/// The same for one that has sent keep-alives (RFC 5626 §4.4.1 has them every two minutes at the least): who pings and stops
/// is gone.
const SILENT: Duration = Duration::from_secs(180);
/// How long a phone may take to take what was sent.
const SEND: Duration = Duration::from_secs(10);

/// Counted refusals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused because of their number.
    pub refused: u64,
    /// Messages for a connection that is closed, or does not read.
    pub unsent: u64,
}

struct Open {
    flow: Flow,
    since: Instant,
    outbox: mpsc::Sender<Vec<u8>>,
    task: JoinHandle<()>,
}

/// The open connections.
pub struct Streams {
    live: HashMap<u16, Open>,
    from: HashMap<IpAddr, u16>,
    last: u16,
    /// Most in all; an address may have a quarter of them.
    limit: u16,
    tls: Option<TlsAcceptor>,
    events: Events,
    counters: Counters,
}

/// Accepts connections for [`Streams::admit`].
pub async fn listen(listener: TcpListener, transport: Transport, events: Events) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (Ok(local), Ok(())) = (listener.local_addr(), stream.set_nodelay(true)) else {
                    continue;
                };
                let flow = Flow {
                    transport,
                    interface: 0,
                    stream: 0,
                    peer,
                    local,
                };
                if events.send(Event::Accepted(stream, flow)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: others have to close first.
                warn!(%error, "no connection accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Streams {
    /// None open.
    pub fn new(limit: u16, tls: Option<TlsAcceptor>, events: Events) -> Self {
        Self {
            live: HashMap::new(),
            from: HashMap::new(),
            last: 0,
            limit,
            tls,
            events,
            counters: Counters::default(),
        }
    }

    /// Takes a new connection, or closes it. Where there is no room, the oldest makes it by which nobody `is_registered`: it may be
    /// held by somebody who only means to hold it. That one is given back, closed.
    #[must_use]
    pub fn admit(
        &mut self,
        stream: TcpStream,
        mut flow: Flow,
        is_registered: impl Fn(&Flow) -> bool,
    ) -> Option<Flow> {
        let from = self.from.get(&flow.peer.ip()).copied().unwrap_or(0);
        let mut evicted = None;
        if from < self.limit.div_ceil(4) && self.live.len() >= usize::from(self.limit) {
            let idle = self.live.values().filter(|open| !is_registered(&open.flow));
            evicted = idle.min_by_key(|open| open.since).map(|open| open.flow);
            if let Some(flow) = &evicted {
                self.close_one(flow);
            }
        }
        if self.live.len() >= usize::from(self.limit) || from >= self.limit.div_ceil(4) {
            self.counters.refused += 1;
            return evicted;
        }
        self.counters.accepted += 1;
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.live.contains_key(&self.last) {
                break;
            }
        }
        flow.stream = self.last;
        self.from.insert(flow.peer.ip(), from + 1);
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let events = self.events.clone();
        let tls = self.tls.clone().filter(|_| flow.transport == Transport::Tls);
        let task = tokio::spawn(async move {
            let reason = match tls {
                None => serve(stream, flow, messages, &events).await,
                Some(tls) => match timeout(WHOLE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, flow, messages, &events).await,
                    Ok(Err(error)) => {
                        debug!(peer = %flow.peer, %error, "TLS");
                        "no TLS"
                    }
                    Err(_) => "TLS too slow",
                },
            };
            debug!(peer = %flow.peer, reason, "connection ended");
            // The driver ends before its connections only when the box stops.
            let _ = events.send(Event::StreamClosed(flow)).await;
        });
        let open = Open {
            flow,
            since: Instant::now(),
            outbox,
            task,
        };
        self.live.insert(flow.stream, open);
        evicted
    }

    /// Sends a message. False: the connection is closed now, if it was not before; a stream with a hole is of no use.
    pub fn send(&mut self, flow: &Flow, bytes: &[u8]) -> bool {
        let open = self.live.get(&flow.stream).filter(|open| open.flow == *flow);
        let Some(open) = open else {
            self.counters.unsent += 1;
            return true;
        };
        if open.outbox.try_send(bytes.to_vec()).is_ok() {
            return true;
        }
        self.counters.unsent += 1;
        self.close_one(flow);
        false
    }

    fn close_one(&mut self, flow: &Flow) {
        if let Some(open) = self.live.get(&flow.stream) {
            open.task.abort();
        }
        self.closed(flow);
    }

    /// Forgets a connection that is closed. False: it was forgotten before.
    pub fn closed(&mut self, flow: &Flow) -> bool {
        if !self.is_open(flow) {
            return false;
        }
        self.live.remove(&flow.stream);
        let address = flow.peer.ip();
        match self.from.get(&address).copied().unwrap_or(0) {
            0 | 1 => _ = self.from.remove(&address),
            more => _ = self.from.insert(address, more - 1),
        }
        true
    }

    /// Whether a connection is open.
    pub fn is_open(&self, flow: &Flow) -> bool {
        self.live.get(&flow.stream).is_some_and(|open| open.flow == *flow)
    }

    /// Sends what waits on all connections and closes them.
    pub async fn close(&mut self) {
        let tasks: Vec<_> = self.live.drain().map(|(_, open)| open.task).collect();
        for task in tasks {
            // It may have been ended before.
            let _ = task.await;
        }
    }

    /// Open connections.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Counted refusals.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

/// Reads and writes until either ends; says why.
async fn serve(
    stream: impl AsyncRead + AsyncWrite,
    flow: Flow,
    messages: mpsc::Receiver<Vec<u8>>,
    events: &Events,
) -> &'static str {
    let (read, mut write) = tokio::io::split(stream);
    let (pong, pongs) = mpsc::channel(1);
    let reason = tokio::select! {
        reason = receive(read, flow, pong, events) => reason,
        is_written = transmit(&mut write, messages, pongs) => match is_written {
            true => "the box stops",
            false => return "not written",
        },
    };
    // Over TLS the phone is told (RFC 8446 §6.1).
    let _ = timeout(SEND, write.shutdown()).await;
    reason
}

async fn receive(
    mut read: impl AsyncRead + Unpin,
    flow: Flow,
    pong: mpsc::Sender<()>,
    events: &Events,
) -> &'static str {
    let mut framer = Framer::accepted(vec![0; gateway::budget::STREAM_MAX]);
    let mut buffer = [0; 4_096];
    let mut deadline = Instant::now() + WHOLE;
    let mut silence = IDLE;
    loop {
        let len = match timeout_at(deadline, read.read(&mut buffer)).await {
            Err(_) => return "silent",
            Ok(Ok(0)) => return "closed by the phone",
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
                match frame {
                    Ok(Frame::Message(bytes)) => {
                        let bytes = bytes.to_vec();
                        // A connection waits for the brain: TCP slows its phone down.
                        if events.send(Event::Stream(flow, bytes)).await.is_err() {
                            return "the box stops";
                        }
                    }
                    Ok(Frame::Ping) => {
                        silence = SILENT;
                        // One answer that waits is enough.
                        let _ = pong.try_send(());
                    }
                    Ok(Frame::Pong) => {}
                    Err(_) => return "not SIP",
                }
            }
        }
        // Half a message has to become whole in time, however busily its bytes drip.
        let now = Instant::now();
        deadline = match (framer.pending(), whole) {
            (0, _) => now + silence,
            (_, true) => now + WHOLE,
            (_, false) => deadline.min(now + WHOLE),
        };
    }
}

/// Writes until there is no more to write, true, or it cannot be written.
async fn transmit<S: AsyncWrite>(
    write: &mut WriteHalf<S>,
    mut messages: mpsc::Receiver<Vec<u8>>,
    mut pongs: mpsc::Receiver<()>,
) -> bool {
    loop {
        let bytes = tokio::select! {
            message = messages.recv() => match message {
                Some(bytes) => bytes,
                None => return true,
            },
            Some(()) = pongs.recv() => b"\r\n".to_vec(),
        };
        let written = timeout(SEND, async {
            write.write_all(&bytes).await?;
            write.flush().await
        });
        if !matches!(written.await, Ok(Ok(()))) {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four that ask for nothing hold all connections: who registers gets in, and who is registered stays.
    #[tokio::test]
    async fn who_only_holds_a_connection_gives_way() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let (events, _kept) = mpsc::channel(16);
        let mut streams = Streams::new(4, None, events);
        let mut opened = Vec::new();
        let registered = 2;
        for host in 1..=6 {
            let phone = TcpStream::connect(local).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let flow = Flow {
                transport: Transport::Tcp,
                interface: 0,
                stream: 0,
                peer: ([192, 0, 2, host], 5_060).into(),
                local,
            };
            let evicted = streams.admit(stream, flow, |flow| flow.stream == registered);
            opened.push((phone, evicted.map(|flow| flow.stream)));
        }
        let evicted: Vec<_> = opened.iter().map(|(_, evicted)| *evicted).collect();
        assert_eq!(evicted, [None, None, None, None, Some(1), Some(3)]);
        let mut live: Vec<_> = streams.live.keys().copied().collect();
        live.sort();
        assert_eq!((live, streams.from.len()), (vec![2, 4, 5, 6], 4));
        // The one that had to go sees it.
        assert!(matches!(opened[0].0.read(&mut [0]).await, Ok(0) | Err(_)));
        // All are registered: the next one is refused, and so is a second one of an address.
        let all = |_: &Flow| true;
        for host in [7, 6] {
            let _phone = TcpStream::connect(local).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let flow = Flow {
                peer: ([192, 0, 2, host], 5_061).into(),
                ..streams.live[&6].flow
            };
            assert_eq!(streams.admit(stream, flow, all), None);
        }
        assert_eq!((streams.len(), streams.counters().refused), (4, 2));
    }
}
