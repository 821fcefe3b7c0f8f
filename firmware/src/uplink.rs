//! The MQTT connection to the cloud: kept up by itself, told to the brain; messages both ways.
//!
//! TLS comes between socket and session when boxes have certificates; nothing else changes then.

use embassy_futures::select::{Either3, select3};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use embassy_sync::signal::Signal;
use embassy_sync::zerocopy_channel::Receiver;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use gateway::uplink::{RX_MAX, TX_MAX};
use gateway::{Input, UplinkInput};
use heapless::{String, Vec};
use minimq::{Buffers, ConfigBuilder, Connection, Error, Io, Publication, QoS, Session, TopicFilter, Will};
use shared::factory::Factory;
use shared::sync::{MAX_TOPIC, Topic, Up};

use crate::brain::Brain;
use crate::log;
use crate::net::Resolver;

/// How long TCP, CONNECT and SUBSCRIBE may take each; a broker that accepts and stays silent costs so much.
const PATIENCE: Duration = Duration::from_secs(5);
/// An idle connection is probed as often, s; minimq waits 5 s for the answer.
const KEEP_ALIVE: u16 = 20;
/// First and longest wait between two attempts, less up to a quarter: a million boxes that lost their broker together do
/// not come back together.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(16));
/// A packet of the cloud: payload, topic, and MQTT's own.
pub const PACKET: usize = RX_MAX + 64;
/// Unacknowledged packets kept for the broker: two of our largest, and room for CONNECT.
pub const IN_FLIGHT: usize = 2 * (TX_MAX + 64) + 512;

/// A message for the cloud.
pub struct Outgoing {
    /// Its topic.
    pub topic: String<MAX_TOPIC>,
    /// Its payload.
    pub payload: Vec<u8, TX_MAX>,
}

impl Outgoing {
    /// An empty one.
    pub const NEW: Self = Outgoing {
        topic: String::new(),
        payload: Vec::new(),
    };
}

/// Memory of the connection.
pub struct Memory {
    /// TCP's, for receiving and sending.
    pub tcp: (&'static mut [u8], &'static mut [u8]),
    /// MQTT's: one packet received, and packets sent and not yet acknowledged.
    pub mqtt: (&'static mut [u8], &'static mut [u8]),
}

/// The brain finds the connection silent.
pub static RECONNECT: Signal<CriticalSectionRawMutex, ()> = Signal::new();

type FromBrain = Receiver<'static, NoopRawMutex, Outgoing>;

/// Owns the connection.
#[embassy_executor::task]
pub async fn run(
    stack: Stack<'static>,
    resolver: &'static Resolver,
    factory: &'static Factory,
    memory: Memory,
    brain: &'static Brain,
    mut from_brain: FromBrain,
) -> ! {
    use core::fmt::Write;
    let Memory { tcp: (rx, tx), mqtt } = memory;
    let mut name = String::<16>::new();
    let _ = write!(name, "{}", factory.box_id);
    let password = factory.password();
    let will = Topic::Up(factory.box_id, Up::Will).name();
    let filter = Topic::filter(factory.box_id);
    let config = ConfigBuilder::new(Buffers::new(mqtt.0, mqtt.1))
        .client_id(&name)
        .and_then(|config| config.auth(&name, password.as_bytes()))
        .and_then(|config| config.will(Will::new(&will, b"", &[])?))
        .map(|config| config.keepalive_interval(KEEP_ALIVE));
    let mut session = match config {
        Ok(config) => Session::new(config),
        Err(error) => panic!("MQTT configuration: {error:?}"),
    };
    let mut wait = RETRY.0;
    loop {
        stack.wait_config_up().await;
        let mut socket = TcpSocket::new(stack, &mut *rx, &mut *tx);
        socket.set_timeout(Some(Duration::from_secs(20)));
        // An acknowledgement and what follows it are small: the second would wait until the broker's delayed ACK.
        socket.set_nagle_enabled(false);
        let opened = with_timeout(PATIENCE, async {
            let to = resolver.find(&factory.cloud_host).await?;
            socket.connect((to, factory.mqtt_port)).await.ok()
        });
        if opened.await.ok().flatten().is_some() {
            match with_timeout(PATIENCE, session.connect(socket)).await {
                Ok(Ok(connection)) => {
                    if let Some(reason) = serve(connection, &filter, brain, &mut from_brain).await {
                        log!("mqtt: closed: {reason:?}");
                        wait = RETRY.0;
                    }
                }
                Ok(Err(error)) => log!("mqtt: refused: {error:?}"),
                Err(_) => log!("mqtt: the broker stays silent"),
            }
        } else {
            log!("mqtt: no connection");
        }
        let spread = Instant::now().as_ticks() % (wait.as_ticks() / 4);
        Timer::after(wait - Duration::from_ticks(spread)).await;
        wait = (wait * 2).min(RETRY.1);
    }
}

/// Runs an open connection to its end. `None`: it never became usable.
async fn serve<I: Io>(
    mut connection: Connection<'_, '_, I>,
    filter: &str,
    brain: &Brain,
    from_brain: &mut FromBrain,
) -> Option<Error<I::Error>> {
    let subscribed = with_timeout(PATIENCE, async {
        let asked = connection.subscribe(&[TopicFilter::new(filter)], &[]).await?;
        while connection.is_pending(&asked) {
            // Nothing of the protocol comes before the hello; an early message is repeated by the cloud.
            connection.poll().await?;
        }
        Ok::<(), Error<I::Error>>(())
    })
    .await;
    match subscribed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            log!("mqtt: not subscribed: {error:?}");
            return None;
        }
        Err(_) => {
            log!("mqtt: the broker does not answer SUBSCRIBE");
            return None;
        }
    }
    log!("mqtt: open");
    brain.turn().await.tell(Input::Uplink(UplinkInput::Connected));
    // What the brain wrote for an earlier connection is out of date.
    while from_brain.try_receive().is_some() {
        from_brain.receive_done();
    }
    RECONNECT.reset();
    let end = loop {
        let room = connection.can_publish(QoS::AtLeastOnce);
        let outgoing = async {
            // While the broker owes acknowledgements the brain's messages wait in their queue.
            if !room {
                core::future::pending::<()>().await;
            }
            from_brain.receive().await;
        };
        match select3(connection.poll(), outgoing, RECONNECT.wait()).await {
            Either3::First(Ok(None)) => {}
            Either3::First(Ok(Some(message))) => {
                let (topic, payload) = (message.topic(), message.payload());
                if payload.len() <= RX_MAX {
                    let message = UplinkInput::Message { topic, payload };
                    brain.turn().await.tell(Input::Uplink(message));
                }
            }
            Either3::First(Err(error)) => break error,
            Either3::Third(()) => break Error::Disconnected,
            Either3::Second(()) => {
                let Some(slot) = from_brain.try_receive() else {
                    continue;
                };
                let message = Publication::bytes(&slot.topic, &slot.payload).qos(QoS::AtLeastOnce);
                let result = with_timeout(PATIENCE, connection.publish(message)).await;
                match result {
                    Ok(Ok(_)) => from_brain.receive_done(),
                    // No room after all: again after the next acknowledgement.
                    Ok(Err(minimq::PubError::Session(Error::NotReady))) => {}
                    Ok(Err(minimq::PubError::Session(error))) => break error,
                    Ok(Err(minimq::PubError::Payload(_))) => from_brain.receive_done(),
                    Err(_) => break Error::Disconnected,
                }
            }
        }
    };
    brain.turn().await.tell(Input::Uplink(UplinkInput::Disconnected));
    Some(end)
}
