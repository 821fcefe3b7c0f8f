//! The MQTT connection to the cloud: kept up by itself, told to the brain; messages both ways.

use std::time::Duration;

use rand::Rng;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, LastWill, Packet};
use rumqttc::v5::{AsyncClient, Event as Mqtt, EventLoop, MqttOptions};
use shared::factory::Factory;
use shared::sync::{MAX_MESSAGE, Topic, Up};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::{info, warn};

use crate::driver::{Event, Events};

/// Messages for the cloud that wait; one that finds no room is lost, and the protocol repeats it.
const OUTBOX: usize = 32;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// First and longest wait between two attempts, less up to a quarter.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(16));

/// What the connection says.
pub enum News {
    /// It is open and subscribed.
    Connected,
    /// It is closed.
    Disconnected,
    /// A message: topic and payload.
    Message(String, Vec<u8>),
}

enum Order {
    Publish(String, Vec<u8>),
    Reconnect,
}

/// The sending half.
pub struct Uplink {
    orders: mpsc::Sender<Order>,
    task: AbortHandle,
}

impl Uplink {
    /// Connects, and again after every loss.
    pub fn start(factory: &Factory, events: Events) -> Self {
        let (orders, queue) = mpsc::channel(OUTBOX);
        let task = tokio::spawn(keep(factory.clone(), queue, events)).abort_handle();
        Self { orders, task }
    }

    /// Publishes at QoS 1. False: it is lost.
    pub fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        self.orders
            .try_send(Order::Publish(topic.into(), payload.into()))
            .is_ok()
    }

    /// Closes the connection and opens another.
    pub fn reconnect(&self) {
        // A full queue says that the connection is silent, and the brain asks again.
        let _ = self.orders.try_send(Order::Reconnect);
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(factory: Factory, mut orders: mpsc::Receiver<Order>, events: Events) {
    let mut wait = RETRY.0;
    loop {
        let (client, mqtt) = connection(&factory);
        if serve(&factory, client, mqtt, &mut orders, &events).await {
            wait = RETRY.0;
            if events.send(Event::Uplink(News::Disconnected)).await.is_err() {
                return;
            }
        }
        let spread = rand::rng().random_range(0.75..1.0);
        tokio::time::sleep(wait.mul_f64(spread)).await;
        wait = (wait * 2).min(RETRY.1);
    }
}

fn connection(factory: &Factory) -> (AsyncClient, EventLoop) {
    let name = factory.box_id.text();
    let mut options = MqttOptions::new(name.as_str(), factory.cloud_host.as_str(), factory.mqtt_port);
    let will = Topic::Up(factory.box_id, Up::Will).name();
    options
        .set_credentials(name.as_str(), factory.password().as_str())
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(true)
        .set_last_will(LastWill::new(will.as_str(), "", QoS::AtMostOnce, false, None))
        .set_connect_properties(ConnectProperties {
            max_packet_size: Some(MAX_MESSAGE as u32 + 64),
            ..ConnectProperties::new()
        });
    AsyncClient::new(options, OUTBOX)
}

/// Runs a connection to its end. False: it never became usable.
async fn serve(
    factory: &Factory,
    client: AsyncClient,
    mut mqtt: EventLoop,
    orders: &mut mpsc::Receiver<Order>,
    events: &Events,
) -> bool {
    let mut open = false;
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            event = mqtt.poll() => {
                let news = match event {
                    Ok(Mqtt::Incoming(Packet::ConnAck(_))) => {
                        let filter = Topic::filter(factory.box_id);
                        if client.try_subscribe(filter.as_str(), QoS::AtLeastOnce).is_err() {
                            return open;
                        }
                        continue;
                    }
                    Ok(Mqtt::Incoming(Packet::SubAck(_))) => {
                        info!("MQTT open");
                        open = true;
                        // What the brain wrote for an earlier connection is out of date.
                        while orders.try_recv().is_ok() {}
                        News::Connected
                    }
                    Ok(Mqtt::Incoming(Packet::Publish(publish))) => {
                        match String::from_utf8(publish.topic.to_vec()) {
                            Ok(topic) => News::Message(topic, publish.payload.to_vec()),
                            Err(_) => continue,
                        }
                    }
                    Ok(_) => continue,
                    Err(error) => {
                        warn!(%error, "MQTT closed");
                        return open;
                    }
                };
                if events.send(Event::Uplink(news)).await.is_err() {
                    return open;
                }
                continue;
            }
        };
        match order {
            Some(Order::Publish(topic, payload)) if open => {
                // The protocol repeats what is not acknowledged.
                let _ = client.try_publish(topic, QoS::AtLeastOnce, false, payload);
            }
            Some(Order::Publish(..)) => {}
            Some(Order::Reconnect) | None => return open,
        }
    }
}
