//! Drives the gateway: what happened goes in, what is to be done comes out. No decision is made here.
//!
//! Whoever hears something tells the gateway itself, in turn ([`Brain::turn`]): the next one's turn comes when all is done that
//! came of it. So nothing waits in a queue of its own, and what came is read where it lies.

use core::cell::RefCell;
use core::future::poll_fn;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::task::Poll;
use embassy_futures::select::{Either, select, select3};
use embassy_net::IpEndpoint;
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::semaphore::{FairSemaphore, Semaphore, SemaphoreReleaser};
use embassy_sync::signal::Signal;
use embassy_sync::zerocopy_channel::Sender;
use embassy_time::{Duration, Timer, with_timeout};
use gateway::office::To;
use gateway::provision::{http::Next, pnp};
use gateway::{Gateway, Input, MediaOutput, Output, TrunkOutput, UplinkInput, budget};
use sip::{Flow, Instant, Transport};
use static_cell::ConstStaticCell;

use crate::lights::Panel;
use crate::net::{self, Phones, address_of, endpoint};
use crate::services::Services;
use crate::{board, files, lines, log, player, power, trunk, uplink, watchdog, work};

/// How often losses are written to the log, if there were any.
const REPORT: core::time::Duration = core::time::Duration::from_secs(10);
/// How long a datagram waits for room; longer means that the link is gone.
const SEND_PATIENCE: Duration = Duration::from_millis(50);
/// Datagrams waiting to be read, and to be sent.
const WAITING: (usize, usize) = (32, 8);
/// Bytes for them: one of the largest and some REGISTERs (or nine of those), and one with some small ones behind it. Two of the
/// largest do not come at once: there is room to put one together.
const ROOM: (usize, usize) = (budget::DATAGRAM_MAX + 2_048, budget::DATAGRAM_MAX + 1_024);

/// Memory of the SIP socket and the messages in hand. In pieces, so that the zeros are not part of the image.
pub struct Memory {
    meta: &'static mut Meta,
    rx: &'static mut [u8; ROOM.0],
    tx: &'static mut [u8; ROOM.1],
    /// The datagram that came; later what goes out because of it.
    message: &'static mut [u8; budget::STREAM_MAX],
}

struct Meta {
    rx: [PacketMetadata; WAITING.0],
    tx: [PacketMetadata; WAITING.1],
}

/// The memory; once.
pub fn memory() -> Memory {
    static META: ConstStaticCell<Meta> = ConstStaticCell::new(Meta {
        rx: [PacketMetadata::EMPTY; WAITING.0],
        tx: [PacketMetadata::EMPTY; WAITING.1],
    });
    static RX: ConstStaticCell<[u8; ROOM.0]> = ConstStaticCell::new([0; ROOM.0]);
    static TX: ConstStaticCell<[u8; ROOM.1]> = ConstStaticCell::new([0; ROOM.1]);
    static MESSAGE: ConstStaticCell<[u8; budget::STREAM_MAX]> = ConstStaticCell::new([0; budget::STREAM_MAX]);
    Memory {
        meta: META.take(),
        rx: RX.take(),
        tx: TX.take(),
        message: MESSAGE.take(),
    }
}

/// Who tells the brain what they hear: trunk, MQTT, address, the services, the players, the analog lines, TFTP and the
/// connections for files; the ports with power, the switch and what LLDP says; and the brain itself, which has the SIP socket.
const TELLERS: usize = 4 + budget::PLAYERS + 1 + 1 + budget::HTTP_CONNECTIONS + 3 + 1;

/// A place in the queue that was given up is free again when those before it have had their turn.
type Permits = FairSemaphore<NoopRawMutex, { 2 * TELLERS }>;

/// The gateway, for all that runs in the executor `net`.
pub struct Brain {
    gateway: RefCell<&'static mut Gateway<'static>>,
    permit: Permits,
    told: Signal<NoopRawMutex, ()>,
}

/// The one who may tell the brain something now.
pub struct Turn<'b> {
    brain: &'b Brain,
    permit: SemaphoreReleaser<'b, Permits>,
}

impl Brain {
    /// A gateway that was started: what comes of that is done first.
    pub fn new(gateway: &'static mut Gateway<'static>) -> Self {
        let told = Signal::new();
        told.signal(());
        Brain {
            gateway: RefCell::new(gateway),
            permit: Permits::new(0),
            told,
        }
    }

    /// Waits until all is done that came of what was told before.
    pub async fn turn(&self) -> Turn<'_> {
        match self.permit.acquire(1).await {
            Ok(permit) => Turn { brain: self, permit },
            Err(_) => panic!("more than {TELLERS} tell the brain"),
        }
    }
}

impl Turn<'_> {
    /// Tells what happened. Whoever has nothing to tell lets go of the turn.
    pub fn tell(self, input: Input<'_>) {
        self.brain.gateway.borrow_mut().handle(now(), input);
        self.permit.disarm();
        self.brain.told.signal(());
    }

    /// The next bytes of the answer on a connection for files; see [`Gateway::answer`].
    pub fn answer(&self, connection: u8, room: &mut [u8]) -> Next {
        self.brain.gateway.borrow_mut().answer(connection, room)
    }
}

/// What was lost on the way out, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    datagrams: u32,
    publications: u32,
    trunk: u32,
    too_long: u32,
    power: u32,
    rtp_too_long: u32,
}

/// The time as the brain has it.
pub fn now() -> Instant {
    moment(embassy_time::Instant::now())
}

/// A moment as the brain has it.
pub fn moment(at: embassy_time::Instant) -> Instant {
    Instant(at.as_millis())
}

/// What the brain acts on, besides its own socket.
pub struct Hands {
    /// Sockets of the services.
    pub services: &'static Services,
    /// Sockets of TFTP.
    pub tftp: &'static files::Tftp,
    /// Messages for the cloud.
    pub to_uplink: Sender<'static, NoopRawMutex, uplink::Outgoing>,
    /// The lights.
    pub panel: Panel,
}

/// Owns the SIP socket, and does what the gateway says.
#[allow(
    clippy::await_holding_refcell_ref,
    reason = "whoever has no turn does not borrow the gateway"
)]
#[embassy_executor::task]
pub async fn run(
    phones: Phones,
    shared: &'static net::Shared,
    brain: &'static Brain,
    memory: Memory,
    hands: Hands,
) -> ! {
    let Hands {
        services,
        tftp,
        to_uplink,
        mut panel,
    } = hands;
    let Memory {
        meta,
        rx,
        tx,
        message,
    } = memory;
    let mut socket = UdpSocket::new(phones.stack, &mut meta.rx, rx, &mut meta.tx, tx);
    if let Err(error) = socket.bind(budget::SIP_PORT) {
        panic!("port {}: {error:?}", budget::SIP_PORT);
    }
    // Phones ask there where the box is.
    if let Err(error) = phones.stack.join_multicast_group(pnp::GROUP) {
        panic!("group {}: {error:?}", pnp::GROUP);
    }
    let mut outside = Outside {
        socket,
        tftp,
        shared,
        services,
        to_uplink,
        lost: Lost::default(),
    };
    let mut told = (Lost::default(), brain.gateway.borrow().counters());
    let mut tell_at = now() + REPORT;
    loop {
        let deadline = brain.gateway.borrow().next_deadline();
        let due = async {
            select3(outside.socket.wait_recv_ready(), at(deadline), work::is_done()).await;
            brain.turn().await
        };
        match watchdog::patient(watchdog::Part::Brain, select(brain.told.wait(), due)).await {
            Either::First(()) => {}
            Either::Second(turn) => {
                outside.hear(phones, brain, message).await;
                turn.permit.disarm();
            }
        }
        let mut gateway = brain.gateway.borrow_mut();
        loop {
            if let Some(done) = work::done() {
                gateway.handle(now(), Input::Stored(done));
            }
            while let Some(output) = gateway.poll(now(), message) {
                match output {
                    Output::Transmit { flow, bytes } => outside.transmit(flow, bytes).await,
                    Output::Service { port, to, bytes } => outside.serve(port, to, bytes).await,
                    Output::Tftp { to, station, bytes } => {
                        // Nobody else's file.
                        if station.is_none() || station == net::station(shared, phones.net, to) {
                            outside.transmit_file(to, bytes).await;
                        }
                    }
                    other => {
                        let dropped = outside.lost.publications;
                        outside.act(other);
                        if outside.lost.publications != dropped {
                            gateway.handle(now(), Input::Uplink(UplinkInput::Dropped));
                        }
                    }
                }
            }
            // While the configuration changes it is nobody else's turn.
            if !gateway.is_between() {
                break;
            }
            work::is_done().await;
        }
        panel.show(gateway.link().lights());
        if now() >= tell_at {
            tell_at = now() + REPORT;
            outside.lost.rtp_too_long = lines::rtp::too_long();
            let lost = (outside.lost, gateway.counters());
            if lost != told {
                told = lost;
                log!("brain: {:?} {:?}", lost.0, lost.1);
            }
        }
        // Sockets, and the switch's VLANs, are made at the start. A call is not cut off for it.
        if gateway.is_settled() && gateway.voice() != phones.voice && gateway.busy().next().is_none() {
            log!("brain: another voice network, starting again");
            board::restart();
        }
        drop(gateway);
        brain.permit.release(1);
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => Timer::at(embassy_time::Instant::from_millis(deadline.as_millis())).await,
        None => core::future::pending().await,
    }
}

fn flow(phones: Phones, own: Option<Ipv4Addr>, from: IpEndpoint) -> Flow {
    Flow {
        transport: Transport::Udp,
        interface: phones.net as u8,
        stream: 0,
        peer: address_of(from),
        local: SocketAddr::new(IpAddr::V4(own.unwrap_or(Ipv4Addr::UNSPECIFIED)), budget::SIP_PORT),
    }
}

/// Where outputs go.
struct Outside<'a> {
    socket: UdpSocket<'a>,
    tftp: &'static files::Tftp,
    shared: &'static net::Shared,
    services: &'static Services,
    to_uplink: Sender<'static, NoopRawMutex, uplink::Outgoing>,
    lost: Lost,
}

impl Outside<'_> {
    /// A datagram, if one is there.
    async fn hear(&mut self, phones: Phones, brain: &Brain, message: &mut [u8]) {
        let Some(room) = message.get_mut(..budget::DATAGRAM_MAX) else {
            return;
        };
        let heard = poll_fn(|cx| {
            Poll::Ready(match self.socket.poll_recv_from(room, cx) {
                Poll::Ready(heard) => Some(heard),
                Poll::Pending => None,
            })
        });
        match heard.await {
            None => {}
            Some(Err(_)) => self.lost.too_long += 1,
            Some(Ok((length, UdpMetadata { endpoint, .. }))) => {
                let own = phones.stack.config_v4().map(|config| config.address.address());
                let flow = flow(phones, own, endpoint);
                let datagram = Input::Datagram {
                    flow,
                    station: net::station(self.shared, phones.net, flow.peer),
                    bytes: room.get(..length).unwrap_or_default(),
                };
                brain.gateway.borrow_mut().handle(now(), datagram);
            }
        }
    }

    async fn transmit(&mut self, flow: Flow, bytes: &[u8]) {
        self.lost.datagrams += u32::from(!send(&self.socket, flow.peer, bytes).await);
    }

    async fn transmit_file(&mut self, to: SocketAddr, bytes: &[u8]) {
        let (_, socket) = self.tftp;
        self.lost.datagrams += u32::from(!send(socket, to, bytes).await);
    }

    async fn serve(&mut self, port: u16, to: To, bytes: &[u8]) {
        let sent = with_timeout(SEND_PATIENCE, self.services.send(port, to, bytes)).await;
        if !matches!(sent, Ok(true)) {
            self.lost.datagrams += 1;
        }
    }

    fn act(&mut self, output: Output<'_>) {
        match output {
            // Those that may have to wait.
            Output::Transmit { .. } | Output::Service { .. } | Output::Tftp { .. } => {}
            Output::Log(warning) => log!(
                "phone {}: <{}> {}",
                warning.address,
                warning.severity,
                warning.text
            ),
            Output::Store(token, operation) => work::run(token, operation),
            Output::Http { connection } => {
                if let Some(answer) = files::ANSWERS.get(usize::from(connection)) {
                    answer.signal(());
                }
            }
            Output::Trunk(TrunkOutput::Connect) => trunk::COMMAND.signal(trunk::Command::Connect),
            Output::Trunk(TrunkOutput::Close) => trunk::COMMAND.signal(trunk::Command::Close),
            Output::Trunk(TrunkOutput::Send(bytes)) => {
                // Half a message would spoil the stream: a cloud that does not read loses the connection.
                if trunk::OUT.free_capacity() < bytes.len() {
                    self.lost.trunk += 1;
                    log!("trunk: the cloud does not read");
                    trunk::COMMAND.signal(trunk::Command::Close);
                    return;
                }
                let mut rest = bytes;
                while let Ok(written) = trunk::OUT.try_write(rest) {
                    rest = rest.get(written..).unwrap_or_default();
                    if rest.is_empty() {
                        break;
                    }
                }
            }
            Output::Publish { topic, payload } => {
                let slot = self.to_uplink.try_send();
                let taken = slot.is_some_and(|slot| {
                    slot.topic.clear();
                    slot.payload.clear();
                    slot.topic.push_str(&topic).is_ok() && slot.payload.extend_from_slice(payload).is_ok()
                });
                if taken {
                    self.to_uplink.send_done();
                } else {
                    // The protocol repeats what is not acknowledged, and the brain is told.
                    self.lost.publications += 1;
                }
            }
            Output::Reconnect => uplink::RECONNECT.signal(()),
            Output::Media(MediaOutput::Play {
                player,
                to,
                law,
                prompt,
                times,
            }) => {
                command(
                    player,
                    player::Command::Play {
                        to,
                        law,
                        prompt,
                        times,
                    },
                );
            }
            Output::Line { line, order } => lines::order(line, order),
            Output::Lldp { port, bytes } => {
                // The shim counts what finds no room; another follows.
                self.shared.borrow_mut().send_lldp(port, bytes);
            }
            Output::Power { port, order } => {
                if !power::order(port, order) {
                    self.lost.power += 1;
                }
            }
            Output::Media(MediaOutput::Hold { player, to, law }) => {
                command(player, player::Command::Hold { to, law });
            }
            Output::Media(MediaOutput::Stop { player }) => command(player, player::Command::Stop),
        }
    }
}

/// Whether it is on its way.
async fn send(socket: &UdpSocket<'_>, to: SocketAddr, bytes: &[u8]) -> bool {
    let Some(to) = endpoint(to) else { return false };
    let sent = with_timeout(SEND_PATIENCE, socket.send_to(bytes, to)).await;
    matches!(sent, Ok(Ok(())))
}

fn command(player: u8, command: player::Command) {
    if let Some(signal) = player::COMMANDS.get(usize::from(player)) {
        signal.signal(command);
    }
}
