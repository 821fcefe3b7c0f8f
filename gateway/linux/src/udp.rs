//! The phones' datagrams, many to a system call.

use std::io::{Error, ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use gateway::budget::DATAGRAM_MAX;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt};
use sip::{Flow, Transport};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tracing::warn;

/// Datagrams taken and sent at once.
const BATCH: usize = 64;
/// Bytes that may wait in the kernel, if it lets us: a burst of some thousand datagrams.
const BACKLOG: usize = 4 << 20;
/// One byte longer than any that is taken, so that what was cut off is seen.
type Buffer = [u8; DATAGRAM_MAX + 1];

/// The socket and its batches.
pub struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
    received: Box<[Buffer]>,
    /// Length and sender of what was received.
    from: Vec<(usize, SocketAddr)>,
    receiving: MultiHeaders<SockaddrIn>,
    sending: MultiHeaders<SockaddrIn>,
    /// Messages to be sent, one behind the other, and where each ends.
    waiting: Vec<u8>,
    ends: Vec<usize>,
    to: Vec<Option<SockaddrIn>>,
    unsent: u64,
}

impl Udp {
    /// Binds the socket.
    pub async fn bind(address: Ipv4Addr, port: u16) -> Result<Self> {
        let told = || format!("UDP {address}:{port}");
        let socket = UdpSocket::bind((address, port)).await.with_context(told)?;
        if let Err(error) = setsockopt(&socket, sockopt::RcvBuf, &BACKLOG) {
            warn!(%error, "the kernel's queue of datagrams stays as it is");
        }
        let local = socket.local_addr().with_context(told)?;
        Ok(Self {
            socket,
            local,
            received: vec![[0; DATAGRAM_MAX + 1]; BATCH].into(),
            from: Vec::with_capacity(BATCH),
            receiving: MultiHeaders::preallocate(BATCH, None),
            sending: MultiHeaders::preallocate(BATCH, None),
            waiting: Vec::new(),
            ends: Vec::with_capacity(BATCH),
            to: Vec::with_capacity(BATCH),
            unsent: 0,
        })
    }

    /// Waits until something has come and takes it: how many datagrams.
    pub async fn receive(&mut self) -> usize {
        loop {
            self.from.clear();
            // An error is what an earlier datagram came to, and says nothing of those that come.
            let _ = self.socket.readable().await;
            let fd = self.socket.as_raw_fd();
            let _ = self.socket.try_io(Interest::READABLE, || {
                let mut room: Vec<_> = self.received.iter_mut().map(|it| [IoSliceMut::new(it)]).collect();
                let flags = MsgFlags::MSG_DONTWAIT;
                let received = recvmmsg(fd, &mut self.receiving, room.iter_mut(), flags, None)?;
                self.from.extend(received.map(|one| {
                    let from = one.address.map(|from| SocketAddr::V4(from.into()));
                    (one.bytes, from.unwrap_or(self.local))
                }));
                match self.from.len() {
                    BATCH => Ok(()),
                    // There are no more: saves asking.
                    _ => Err::<(), _>(Error::from(ErrorKind::WouldBlock)),
                }
            });
            if !self.from.is_empty() {
                return self.from.len();
            }
        }
    }

    /// The n-th datagram of those that were taken.
    pub fn received(&self, n: usize) -> Option<(Flow, &[u8])> {
        let (len, peer) = *self.from.get(n)?;
        let flow = Flow {
            transport: Transport::Udp,
            interface: 0,
            stream: 0,
            peer,
            local: self.local,
        };
        Some((flow, self.received.get(n)?.get(..len)?))
    }

    /// Sends a datagram, at the latest with the next [`Udp::flush`].
    pub fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        let SocketAddr::V4(to) = to else {
            self.unsent += 1;
            return;
        };
        self.waiting.extend_from_slice(bytes);
        self.ends.push(self.waiting.len());
        self.to.push(Some(to.into()));
        if self.ends.len() == BATCH {
            self.flush();
        }
    }

    /// Sends what waits. What cannot be sent is lost, as on any way.
    pub fn flush(&mut self) {
        let mut start = 0;
        let mut messages = Vec::with_capacity(self.ends.len());
        for end in &self.ends {
            messages.push([IoSlice::new(self.waiting.get(start..*end).unwrap_or_default())]);
            start = *end;
        }
        let (mut messages, mut to) = (messages.as_slice(), self.to.as_slice());
        while !messages.is_empty() {
            let fd = self.socket.as_raw_fd();
            let sent = sendmmsg(fd, &mut self.sending, messages, to, [], MsgFlags::MSG_DONTWAIT);
            let done = sent.map_or(0, Iterator::count);
            // The first that was not sent is the one that failed.
            let failed = usize::from(done < messages.len());
            self.unsent += failed as u64;
            messages = messages.get(done + failed..).unwrap_or_default();
            to = to.get(done + failed..).unwrap_or_default();
        }
        self.waiting.clear();
        self.ends.clear();
        self.to.clear();
    }

    /// Datagrams that could not be sent.
    pub fn unsent(&self) -> u64 {
        self.unsent
    }
}
