//! RTP relay: sockets and a task for each call around the latching logic of `media::relay`, and its announcements.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use media::g711::Law;
use media::player::{PACKET_LEN, Player, Start, Step};
use media::prompt::Prompt;
use media::relay::{Guard, Port, Relay, Remote, Side, Verdict};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::debug;

/// Largest packet passed on; voice has 172 octets.
const PACKET_MAX: usize = 1_500;

/// The ports and the address of all relays.
pub struct RelayPool {
    address: IpAddr,
    /// First even port and number of port pairs.
    first: u16,
    pairs: usize,
    next: AtomicUsize,
    used: Arc<AtomicUsize>,
    played: mpsc::UnboundedSender<u32>,
}

/// What a call's relay is told.
#[derive(Clone, Copy, Debug)]
enum Command {
    Remote {
        side: Side,
        remote: Remote,
        signalling: IpAddr,
    },
    Play {
        side: Side,
        prompt: Prompt,
        law: Law,
        times: u8,
    },
}

/// The relay of one call: a port pair for each side. It ends when this is dropped.
#[derive(Debug)]
pub struct CallRelay {
    ports: [u16; 2],
    address: IpAddr,
    commands: mpsc::UnboundedSender<Command>,
}

impl RelayPool {
    /// Relays on `address` with RTP on the even ports from `low` to `high`, RTCP on the next ones. `played` hears the
    /// number of each call whose announcement is over.
    pub fn new(address: IpAddr, (low, high): (u16, u16), played: mpsc::UnboundedSender<u32>) -> Self {
        let first = low.saturating_add(low % 2);
        let pairs = usize::from(high.saturating_sub(first).saturating_add(1) / 2);
        let next = AtomicUsize::new(if pairs == 0 {
            0
        } else {
            rand::random::<u16>() as usize % pairs
        });
        Self {
            address,
            first,
            pairs,
            next,
            used: Arc::default(),
            played,
        }
    }

    /// Opens the sockets of a call. `number` names it in what `played` hears.
    pub fn open(&self, number: u32) -> io::Result<CallRelay> {
        let a = self.pair()?;
        let b = self.pair()?;
        let ports = [a.0, b.0];
        let (commands, receiver) = mpsc::unbounded_channel();
        self.used.fetch_add(1, Ordering::Relaxed);
        let task = Task {
            number,
            relay: Relay::new(Guard::Any, Guard::Any),
            sockets: [a.1, b.1],
            allowed: [None; 2],
            player: None,
            played: self.played.clone(),
            began: Instant::now(),
            used: Arc::clone(&self.used),
        };
        tokio::spawn(task.run(receiver));
        Ok(CallRelay {
            ports,
            address: self.address,
            commands,
        })
    }

    /// Relays whose sockets are open.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The next free pair of ports. Another program's port is passed over.
    fn pair(&self) -> io::Result<(u16, [UdpSocket; 2])> {
        for _ in 0..self.pairs {
            let place = self.next.fetch_add(1, Ordering::Relaxed) % self.pairs;
            let port = self.first + 2 * place as u16;
            if let (Ok(rtp), Ok(rtcp)) = (self.socket(port), self.socket(port + 1)) {
                return Ok((port, [rtp, rtcp]));
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "all ports of the RTP relay are in use",
        ))
    }

    fn socket(&self, port: u16) -> io::Result<UdpSocket> {
        let socket = std::net::UdpSocket::bind((self.address, port))?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    }
}

impl CallRelay {
    /// Where the given side is to send its RTP.
    pub fn target(&self, side: Side) -> SocketAddr {
        SocketAddr::new(self.address, self.ports[side as usize])
    }

    /// Takes where a side receives, as its session description says. It is heard from there or from the address that
    /// its signalling comes from, whatever the port: it may be behind an address translator (RFC 7362).
    pub fn set_remote(&self, side: Side, remote: Remote, signalling: IpAddr) {
        self.order(Command::Remote {
            side,
            remote,
            signalling,
        });
    }

    /// Plays an announcement to a side instead of what the other side sends.
    pub fn play(&self, side: Side, prompt: Prompt, law: Law, times: u8) {
        self.order(Command::Play {
            side,
            prompt,
            law,
            times,
        });
    }

    fn order(&self, command: Command) {
        // The task ends only after this is dropped.
        let _ = self.commands.send(command);
    }
}

struct Task {
    number: u32,
    relay: Relay,
    /// By side: RTP and RTCP.
    sockets: [[UdpSocket; 2]; 2],
    /// Addresses a side may be heard from: that of its description and that of its signalling.
    allowed: [Option<[IpAddr; 2]>; 2],
    player: Option<(Side, Player)>,
    played: mpsc::UnboundedSender<u32>,
    began: Instant,
    used: Arc<AtomicUsize>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.used.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Task {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut buffers = [[0; PACKET_MAX]; 4];
        for socket in self.sockets.iter().flatten() {
            // A socket is known to be writable only after it was asked once.
            let _ = socket.writable().await;
        }
        loop {
            let due = self
                .player
                .as_ref()
                .and_then(|(_, player)| player.next_deadline());
            let due = due.map_or_else(
                || self.began + Duration::from_secs(86_400 * 365),
                |due| self.began + Duration::from_millis(due),
            );
            let [[a, a_control], [b, b_control]] = &self.sockets;
            let [one, two, three, four] = &mut buffers;
            let (place, packet) = tokio::select! {
                packet = a.recv_from(one) => (0, packet),
                packet = a_control.recv_from(two) => (1, packet),
                packet = b.recv_from(three) => (2, packet),
                packet = b_control.recv_from(four) => (3, packet),
                command = commands.recv() => match command {
                    Some(command) => {
                        self.command(command);
                        continue;
                    }
                    None => break,
                },
                () = tokio::time::sleep_until(due) => {
                    self.speak();
                    continue;
                }
            };
            // An error is the echo of something sent to a closed port: it is not this packet's fault.
            if let Ok((len, source)) = packet {
                let bytes = buffers[place].get(..len).unwrap_or_default();
                let (side, port) = match place {
                    0 => (Side::A, Port::Rtp),
                    1 => (Side::A, Port::Rtcp),
                    2 => (Side::B, Port::Rtp),
                    _ => (Side::B, Port::Rtcp),
                };
                self.packet(side, port, source, bytes);
            }
        }
        let (a, b) = (self.relay.counters(Side::A), self.relay.counters(Side::B));
        debug!(call = self.number, ?a, ?b, "relay closed");
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Remote {
                side,
                remote,
                signalling,
            } => {
                self.allowed[side as usize] = Some([remote.rtp.ip(), signalling]);
                self.relay.set_remote(side, remote);
            }
            Command::Play {
                side,
                prompt,
                law,
                times,
            } => {
                let start = Start {
                    ssrc: rand::random(),
                    sequence: rand::random(),
                    timestamp: rand::random(),
                };
                self.player = Some((side, Player::prompt(prompt, times, law, start, self.now())));
            }
        }
    }

    fn packet(&mut self, side: Side, port: Port, source: SocketAddr, bytes: &[u8]) {
        if !self.allowed[side as usize].is_some_and(|allowed| allowed.contains(&source.ip())) {
            return;
        }
        let now = self.now();
        if let Verdict::Forward { port, to } = self.relay.receive(now, side, port, source, bytes) {
            let other = side.other();
            let spoken_to = self
                .player
                .as_ref()
                .is_some_and(|(listener, _)| *listener == other);
            if !spoken_to {
                // A full socket buffer loses the packet, as the network would.
                let _ = self.sockets[other as usize][port as usize].try_send_to(bytes, to);
            }
        }
    }

    /// Sends the packet of the announcement that is due.
    fn speak(&mut self) {
        let now = self.now();
        let Some((side, player)) = &mut self.player else {
            return;
        };
        let mut packet = [0; PACKET_LEN];
        match player.next(now, &mut packet) {
            Ok(Step::Packet(len)) => {
                if let Some(to) = self.relay.destination(*side) {
                    let _ = self.sockets[*side as usize][Port::Rtp as usize]
                        .try_send_to(packet.get(..len).unwrap_or_default(), to);
                }
            }
            Ok(Step::Wait(_)) => {}
            Ok(Step::End) | Err(_) => {
                self.player = None;
                let _ = self.played.send(self.number);
            }
        }
        // The last packet's end is the announcement's end.
        if self
            .player
            .as_ref()
            .is_some_and(|(_, player)| player.next_deadline().is_none())
        {
            self.player = None;
            let _ = self.played.send(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(10);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn rtp(sequence: u8) -> Vec<u8> {
        let mut packet = vec![0x80, 0, 0, sequence, 0, 0, 0, 0, 1, 2, 3, 4];
        packet.extend([0xff; 160]);
        packet
    }

    async fn phone() -> UdpSocket {
        UdpSocket::bind((HERE, 0)).await.unwrap()
    }

    async fn hear(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; PACKET_MAX];
        let (len, from) = timeout(PATIENCE, socket.recv_from(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        (buffer[..len].to_vec(), from)
    }

    #[tokio::test]
    async fn both_ways_and_an_announcement() {
        let (played, mut over) = mpsc::unbounded_channel();
        let pool = RelayPool::new(HERE, (43_000, 43_099), played);
        let relay = pool.open(7).unwrap();
        let (a, b, stranger) = (phone().await, phone().await, phone().await);
        relay.set_remote(Side::A, Remote::mux(a.local_addr().unwrap()), HERE);
        relay.set_remote(Side::B, Remote::mux(b.local_addr().unwrap()), HERE);
        a.send_to(&rtp(1), relay.target(Side::A)).await.unwrap();
        let (bytes, from) = hear(&b).await;
        assert_eq!(
            (bytes, from),
            (rtp(1), relay.target(Side::B)),
            "unchanged, from the port B was told"
        );
        b.send_to(&rtp(2), relay.target(Side::B)).await.unwrap();
        assert_eq!(hear(&a).await.0, rtp(2));

        // A is latched: a stranger and what is no RTP are not heard.
        stranger.send_to(&rtp(3), relay.target(Side::A)).await.unwrap();
        a.send_to(b"not RTP", relay.target(Side::A)).await.unwrap();
        a.send_to(&rtp(4), relay.target(Side::A)).await.unwrap();
        assert_eq!(hear(&b).await.0, rtp(4));

        relay.play(Side::A, Prompt::ChannelsBusy, Law::Pcma, 1);
        let (first, _) = hear(&a).await;
        assert_eq!((first.len(), first[1] & 0x7f), (172, 8), "20 ms of A-law");
        let mut count = 1u32;
        let end = timeout(Duration::from_secs(30), async {
            loop {
                tokio::select! {
                    call = over.recv() => return call,
                    _ = hear(&a) => count += 1,
                }
            }
        });
        assert_eq!(end.await.unwrap(), Some(7));
        assert!(
            count + 2 >= Prompt::ChannelsBusy.duration_ms() / 20,
            "{count} packets"
        );
        assert_eq!(pool.used(), 1);
        drop(relay);
        timeout(PATIENCE, async {
            while pool.used() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the sockets close");
    }

    #[tokio::test]
    async fn full_means_refused() {
        let (played, _over) = mpsc::unbounded_channel();
        let pool = RelayPool::new(HERE, (43_100, 43_107), played);
        let calls: Vec<_> = (0..2).map(|number| pool.open(number).unwrap()).collect();
        assert!(pool.open(2).is_err());
        drop(calls);
        timeout(PATIENCE, async {
            while pool.open(3).is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the ports come back");
    }
}
