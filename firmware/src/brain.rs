//! Drives the gateway: what happened goes in, what is to be done comes out. No decision is made here.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use embassy_futures::select::{Either, Either4, select, select4};
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::zerocopy_channel::{Receiver, Sender};
use embassy_time::{Duration, Timer, with_timeout};
use gateway::{Gateway, Input, MediaOutput, Network, Output, TrunkInput, TrunkOutput, UplinkInput, budget};
use sip::{Flow, Instant, Transport};
use static_cell::ConstStaticCell;

use crate::net::{self, NetEvent, address_of, endpoint};
use crate::{log, player, trunk, uplink, watchdog, work};

/// How often losses are written to the log, if there were any.
const REPORT: core::time::Duration = core::time::Duration::from_secs(10);
/// How long a datagram waits for room; longer means that the link is gone.
const SEND_PATIENCE: Duration = Duration::from_millis(50);
/// Datagrams waiting to be read, and to be sent.
const WAITING: (usize, usize) = (32, 8);
/// Bytes for them: two of the largest (or a dozen REGISTERs), and one with some small ones behind it.
const ROOM: (usize, usize) = (2 * budget::DATAGRAM_MAX, budget::DATAGRAM_MAX + 1_024);

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

/// The brain's ends of the queues.
pub struct Links {
    /// From the trunk.
    pub trunk: Receiver<'static, NoopRawMutex, trunk::Slot>,
    /// From MQTT.
    pub from_uplink: Receiver<'static, NoopRawMutex, uplink::Incoming>,
    /// To MQTT.
    pub to_uplink: Sender<'static, NoopRawMutex, uplink::Outgoing>,
}

/// What was lost on the way out, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    datagrams: u32,
    publications: u32,
    trunk: u32,
    too_long: u32,
}

#[expect(
    clippy::large_enum_variant,
    reason = "a result carries its bytes inline: there is no heap to put them on"
)]
enum Wake {
    Datagram,
    Trunk,
    Uplink,
    Done(gateway::store::Done),
    Net(NetEvent),
    Played(u8),
    Deadline,
}

/// The time as the brain has it.
pub fn now() -> Instant {
    Instant(embassy_time::Instant::now().as_millis())
}

/// Owns the gateway and the SIP socket.
#[embassy_executor::task]
pub async fn run(
    stack: Stack<'static>,
    gateway: &'static mut Gateway<'static>,
    memory: Memory,
    mut links: Links,
) -> ! {
    let Memory {
        meta,
        rx,
        tx,
        message,
    } = memory;
    let mut socket = UdpSocket::new(stack, &mut meta.rx, rx, &mut meta.tx, tx);
    if let Err(error) = socket.bind(budget::SIP_PORT) {
        panic!("port {}: {error:?}", budget::SIP_PORT);
    }
    let mut outside = Outside {
        socket,
        to_uplink: &mut links.to_uplink,
        lost: Lost::default(),
    };
    let mut address = Ipv4Addr::UNSPECIFIED;
    let mut told = (Lost::default(), gateway.counters());
    let mut tell_at = now() + REPORT;
    loop {
        while let Some(output) = gateway.poll(now(), message) {
            outside.act(output).await;
        }
        if now() >= tell_at {
            tell_at = now() + REPORT;
            let lost = (outside.lost, gateway.counters());
            if lost != told {
                told = lost;
                log!("brain: {:?} {:?}", lost.0, lost.1);
            }
        }
        let deadline = gateway.next_deadline();
        let events = select4(
            outside.socket.wait_recv_ready(),
            links.trunk.receive(),
            links.from_uplink.receive(),
            work::DONE.receive(),
        );
        let rest = select4(
            net::EVENTS.receive(),
            player::PLAYED.receive(),
            at(deadline),
            core::future::pending::<()>(),
        );
        let wake = match watchdog::patient(watchdog::Part::Brain, select(events, rest)).await {
            Either::First(Either4::First(())) => Wake::Datagram,
            Either::First(Either4::Second(_)) => Wake::Trunk,
            Either::First(Either4::Third(_)) => Wake::Uplink,
            Either::First(Either4::Fourth(done)) => Wake::Done(done),
            Either::Second(Either4::First(event)) => Wake::Net(event),
            Either::Second(Either4::Second(player)) => Wake::Played(player),
            Either::Second(_) => Wake::Deadline,
        };
        let now = now();
        match wake {
            Wake::Datagram => match outside
                .socket
                .recv_from(&mut message[..budget::DATAGRAM_MAX])
                .await
            {
                Ok((length, UdpMetadata { endpoint, .. })) => {
                    let bytes = message.get(..length).unwrap_or_default();
                    gateway.handle(
                        now,
                        Input::Datagram {
                            flow: flow(address, endpoint),
                            bytes,
                        },
                    );
                }
                Err(_) => outside.lost.too_long += 1,
            },
            Wake::Trunk => {
                let Some(slot) = links.trunk.try_receive() else {
                    continue;
                };
                let input = match slot.event {
                    trunk::Event::Connected { local, peer } => TrunkInput::Connected { local, peer },
                    trunk::Event::Data(length) => {
                        TrunkInput::Data(slot.bytes.get(..length).unwrap_or_default())
                    }
                    trunk::Event::Closed => TrunkInput::Closed,
                };
                gateway.handle(now, Input::Trunk(input));
                links.trunk.receive_done();
            }
            Wake::Uplink => {
                let Some(slot) = links.from_uplink.try_receive() else {
                    continue;
                };
                let input = match slot.item {
                    uplink::Item::Connected => UplinkInput::Connected,
                    uplink::Item::Disconnected => UplinkInput::Disconnected,
                    uplink::Item::Message => UplinkInput::Message {
                        topic: &slot.topic,
                        payload: &slot.payload,
                    },
                };
                gateway.handle(now, Input::Uplink(input));
                links.from_uplink.receive_done();
            }
            Wake::Done(done) => gateway.handle(now, Input::Stored(done)),
            Wake::Net(NetEvent::Network(network)) => {
                if let Network::Up { address: own } = network {
                    address = own;
                }
                gateway.handle(now, Input::Network(network));
            }
            Wake::Net(NetEvent::Unreachable(ip)) => gateway.handle(now, Input::Unreachable(IpAddr::V4(ip))),
            Wake::Played(player) => gateway.handle(now, Input::Played { player }),
            Wake::Deadline => {}
        }
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => Timer::at(embassy_time::Instant::from_millis(deadline.as_millis())).await,
        None => core::future::pending().await,
    }
}

fn flow(own: Ipv4Addr, from: IpEndpoint) -> Flow {
    Flow {
        transport: Transport::Udp,
        interface: 0,
        stream: 0,
        peer: address_of(from),
        local: SocketAddr::new(IpAddr::V4(own), budget::SIP_PORT),
    }
}

/// Where outputs go.
struct Outside<'a> {
    socket: UdpSocket<'a>,
    to_uplink: &'a mut Sender<'static, NoopRawMutex, uplink::Outgoing>,
    lost: Lost,
}

impl Outside<'_> {
    async fn act(&mut self, output: Output<'_>) {
        match output {
            Output::Transmit { flow, bytes } => {
                let sent = match endpoint(flow.peer) {
                    Some(to) => with_timeout(SEND_PATIENCE, self.socket.send_to(bytes, to)).await,
                    None => return self.lost.datagrams += 1,
                };
                if !matches!(sent, Ok(Ok(()))) {
                    self.lost.datagrams += 1;
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
                    // The protocol repeats what is not acknowledged.
                    self.lost.publications += 1;
                }
            }
            Output::Reconnect => uplink::RECONNECT.signal(()),
            Output::Store(token, op) => work::run(token, op).await,
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
            Output::Media(MediaOutput::Stop { player }) => command(player, player::Command::Stop),
        }
    }
}

fn command(player: u8, command: player::Command) {
    if let Some(signal) = player::COMMANDS.get(usize::from(player)) {
        signal.signal(command);
    }
}
