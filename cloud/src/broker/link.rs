//! The server's own MQTT client. One task polls it and does nothing else; publishing never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::BrokerUrl;

/// Requests waiting for the poll task.
const QUEUE: usize = 4_096;
/// Messages waiting for the server.
const INBOX: usize = 1_024;
/// What a message for a box may be late (seconds): the box asks again.
const EXPIRY_S: u32 = 60;

/// What the broker link reports.
#[derive(Debug)]
pub enum FromBroker {
    /// Connected and subscribed to everything the boxes say.
    Up,
    /// The connection was lost; it is being made again.
    Down,
    /// A box's message.
    Message {
        /// The topic, as text.
        topic: String,
        /// The payload.
        payload: Vec<u8>,
    },
}

/// The sending half.
#[derive(Clone)]
pub struct Link {
    client: AsyncClient,
    refused: Arc<AtomicU64>,
    _task: Arc<Task>,
}

struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// Sends at QoS 1. A full queue refuses and counts: the protocol asks again.
    pub fn publish(&self, topic: &str, payload: Vec<u8>) -> bool {
        let properties = PublishProperties {
            message_expiry_interval: Some(EXPIRY_S),
            ..Default::default()
        };
        let sent =
            self.client
                .try_publish_with_properties(topic, QoS::AtLeastOnce, false, payload, properties);
        if sent.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        sent.is_ok()
    }

    /// Messages that found the queue full.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Says goodbye, so that the broker does not take the end for a failure.
    pub fn close(&self) {
        let _ = self.client.try_disconnect();
    }
}

/// Starts the client; it connects, subscribes to `b/#` and connects again after every loss, for ever.
pub fn connect(broker: &BrokerUrl, client_id: &str) -> (Link, mpsc::Receiver<FromBroker>) {
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_credentials(&broker.user, &broker.password)
        .set_keep_alive(Duration::from_secs(20))
        .set_clean_start(true)
        .set_connect_properties(ConnectProperties {
            session_expiry_interval: Some(0),
            receive_maximum: Some(256),
            max_packet_size: Some(64 * 1024),
            ..ConnectProperties::new()
        });
    let (client, events) = AsyncClient::new(options, QUEUE);
    let (sender, receiver) = mpsc::channel(INBOX);
    let task = tokio::spawn(poll(client.clone(), events, sender));
    (
        Link {
            client,
            refused: Arc::default(),
            _task: Arc::new(Task(task)),
        },
        receiver,
    )
}

async fn poll(client: AsyncClient, mut events: EventLoop, sender: mpsc::Sender<FromBroker>) {
    let mut up = false;
    let mut wait = Duration::from_millis(50);
    loop {
        let report = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                if client.try_subscribe("b/#", QoS::AtLeastOnce).is_err() {
                    warn!("broker link: no room to subscribe");
                }
                continue;
            }
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                let granted = ack
                    .return_codes
                    .iter()
                    .all(|code| matches!(code, rumqttc::v5::mqttbytes::v5::SubscribeReasonCode::Success(_)));
                if !granted {
                    warn!(?ack.return_codes, "the broker refuses the server's subscription b/#");
                    continue;
                }
                info!("broker link up");
                (up, wait) = (true, Duration::from_millis(50));
                FromBroker::Up
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let Ok(topic) = String::from_utf8(publish.topic.to_vec()) else {
                    continue;
                };
                FromBroker::Message {
                    topic,
                    payload: publish.payload.to_vec(),
                }
            }
            Ok(_) => continue,
            Err(error) => {
                if up {
                    warn!(%error, "broker link lost");
                    up = false;
                    if sender.send(FromBroker::Down).await.is_err() {
                        return;
                    }
                } else {
                    warn!(%error, "broker not reached, trying again");
                }
                // What waited for the old connection is asked for again by the protocol.
                events.clean();
                events.pending.clear();
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(5));
                continue;
            }
        };
        // A full inbox holds the poll task back, and so the broker: publishing does not wait, so nothing locks.
        if sender.send(report).await.is_err() {
            return;
        }
    }
}
