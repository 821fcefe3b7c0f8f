//! What the tests of the whole server share: a data directory with a contract, a running server, a scripted box.
#![allow(dead_code, reason = "each test program uses a part")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cloud::broker::BrokerUrl;
use cloud::db::{Ask, BoxOrder, Db, Done};
use cloud::refusal::{Error, Result};
use cloud::server::{Options, Server};
use cloud::sip_io::Listen;
use cloud::sync::Received;
use contract::command::{NewId, NewRep};
use contract::model::Customer;
use contract::{Command as Order, Lang};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, LastWill, Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, MqttOptions};
use shared::factory::Factory;
use shared::id::{ContractId, SiteId};
use shared::record::Stamp;
use shared::site::TerminalKind;
use shared::site::{MAX_SECTION, Section, SectionDecoder, Site};
use shared::sync::{
    AppAck, BatchWriter, BootReason, Chunk, Down, Event as BoxEvent, EventBody, EventId, Get, Hello,
    MAX_CHUNK, MAX_EVENT, MAX_MESSAGE, Manifest, Message, PROTOCOL, SignedManifest, Topic, Up,
};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here takes so long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const REP: &str = "0312340000";

pub fn direct(place: u32) -> String {
    format!("031234{:04}", place)
}

/// An address in the number area of 03.
pub const ADDRESS: &str = "東京都千代田区丸の内一丁目";

/// A new ID.
pub fn id(direct: &str, extension: &str) -> Order {
    Order::AddId(NewId {
        site: None,
        direct: direct.parse().unwrap(),
        extension: extension.parse().unwrap(),
        label: "席".into(),
        kind: TerminalKind::Fixed,
    })
}

/// A new representative number.
pub fn rep(number: &str, members: &[&str]) -> Order {
    Order::AddRep {
        rep: NewRep {
            number: number.parse().unwrap(),
            label: "代表".into(),
            members: members.iter().map(|text| text.parse().unwrap()).collect(),
            ring: None,
        },
        usage: String::new(),
    }
}

/// The operator's order.
pub async fn order(db: &Db, contract: ContractId, command: Order) -> Result<Done> {
    db.order(contract, Ask::default(), |_| Ok(command)).await
}

/// It was refused with this rule, and says what to do.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T>, rule: &str) {
    let error = result.unwrap_err();
    let (cited, next) = match &error {
        Error::Order(refusal) => (refusal.rule().to_string(), refusal.text(Lang::En).next),
        Error::Refused(refusal) => (refusal.rule.into(), refusal.next.clone()),
        Error::Failed(error) => panic!("expected {rule}: {error:#}"),
    };
    assert_eq!(cited, rule, "{error}");
    assert!(!next.is_empty(), "a refusal says what to do: {error}");
}

/// A contract with a site that may have numbers of 03.
pub async fn contract(db: &Db, name: &str) -> (ContractId, SiteId) {
    let contract = db.create_contract(name, Customer::Corporate).await.unwrap();
    let site = db.create_site(contract, "本社", Some(ADDRESS)).await.unwrap();
    order(db, contract, Order::ConfirmEmergency(site)).await.unwrap();
    (contract, site)
}

/// A contract with three IDs (201 to 203) and one representative number, one site and its box.
pub async fn office(db: &Db, base: u32) -> (ContractId, Factory) {
    let (contract, site) = contract(db, "山田商店").await;
    for place in 1..=3 {
        let password = format!("password{place}");
        let ask = Ask {
            password: Some(&password),
            ..Ask::default()
        };
        let command = id(&direct(base + place), &format!("20{place}"));
        db.order(contract, ask, |_| Ok(command)).await.unwrap();
    }
    let members = ["201", "202", "203"];
    order(db, contract, rep(&direct(base), &members)).await.unwrap();
    (contract, make_box(db, site).await)
}

pub async fn make_box(db: &Db, site: SiteId) -> Factory {
    let order = BoxOrder {
        site,
        host: "cloud.test",
        sip_port: 5060,
        mqtt_port: 1883,
    };
    db.new_box(order).await.unwrap().commit().await.unwrap()
}

pub struct World {
    pub dir: TempDir,
    pub db: Db,
    pub contract: ContractId,
    pub factory: Factory,
}

impl World {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        let (contract, factory) = office(&db, 0).await;
        Self {
            dir,
            db,
            contract,
            factory,
        }
    }

    pub async fn serve(&self, broker: Option<BrokerUrl>) -> Running {
        Running::start(&self.db, broker).await
    }
}

/// A server in this process, stopped in order when the test ends it.
pub struct Running {
    pub mqtt: Option<SocketAddr>,
    pub sip: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub async fn start(db: &Db, broker: Option<BrokerUrl>) -> Self {
        Self::start_with_carrier(db, broker, "127.0.0.9:5060".parse().unwrap()).await
    }

    pub async fn start_with_carrier(db: &Db, broker: Option<BrokerUrl>, carrier: SocketAddr) -> Self {
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let options = Options {
            sip: Listen::plain(local),
            mqtt: broker.is_none().then_some(local),
            broker,
            carrier,
            rtp_ports: (42_000, 42_999),
        };
        let server = timeout(PATIENCE, Server::start(db.clone(), &options))
            .await
            .unwrap()
            .unwrap();
        let (mqtt, sip) = (server.mqtt(), server.sip());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async move {
            let _ = stopped.await;
        }));
        Self {
            mqtt,
            sip,
            stop,
            task,
        }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

/// A box that does what a test says, speaking MQTT with another client library than the real one.
pub struct ScriptedBox {
    pub factory: Factory,
    pub client: AsyncClient,
    packets: mpsc::UnboundedReceiver<Result<Packet, ConnectionError>>,
    polling: JoinHandle<()>,
    got: Vec<(String, Vec<u8>)>,
}

impl Drop for ScriptedBox {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

impl ScriptedBox {
    pub fn dial(broker: SocketAddr, factory: &Factory, user: &str, client_id: &str, password: &str) -> Self {
        let mut options = MqttOptions::new(client_id, broker.ip().to_string(), broker.port());
        options
            .set_credentials(user, password)
            .set_clean_start(true)
            .set_keep_alive(Duration::from_secs(10))
            .set_last_will(LastWill::new(
                Topic::Up(factory.box_id, Up::Will).name().as_str(),
                Vec::new(),
                QoS::AtLeastOnce,
                false,
                None,
            ))
            .set_connect_properties(ConnectProperties {
                receive_maximum: Some(2),
                max_packet_size: Some(4_352),
                ..ConnectProperties::new()
            });
        let (client, mut events) = AsyncClient::new(options, 64);
        let (sender, packets) = mpsc::unbounded_channel();
        let polling = tokio::spawn(async move {
            loop {
                let packet = match events.poll().await {
                    Ok(Event::Incoming(packet)) => Ok(packet),
                    Ok(_) => continue,
                    Err(error) => Err(error),
                };
                let over = packet.is_err();
                if sender.send(packet).is_err() || over {
                    return;
                }
            }
        });
        Self {
            factory: factory.clone(),
            client,
            packets,
            polling,
            got: Vec::new(),
        }
    }

    /// Connects with its own identity and subscribes to what is its own.
    pub async fn connect(broker: SocketAddr, factory: &Factory) -> Self {
        let id = factory.box_id.to_string();
        let mut this = Self::dial(broker, factory, &id, &id, &factory.password());
        this.connack().await.unwrap();
        let filter = Topic::filter(factory.box_id).to_string();
        assert!(this.subscribe(&filter).await, "own topics are open");
        this
    }

    /// The next packet; publications are kept.
    async fn packet(&mut self) -> Result<Packet, ConnectionError> {
        let packet = self.packets.recv().await.expect("the connection ended")?;
        if let Packet::Publish(publish) = &packet {
            assert!(publish.payload.len() <= MAX_MESSAGE);
            self.got.push((
                String::from_utf8(publish.topic.to_vec()).unwrap(),
                publish.payload.to_vec(),
            ));
        }
        Ok(packet)
    }

    pub async fn connack(&mut self) -> Result<(), ConnectionError> {
        timeout(PATIENCE, async {
            loop {
                if let Packet::ConnAck(_) = self.packet().await? {
                    return Ok(());
                }
            }
        })
        .await
        .unwrap()
    }

    /// Whether the broker grants the subscription.
    pub async fn subscribe(&mut self, filter: &str) -> bool {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        timeout(PATIENCE, async {
            loop {
                if let Packet::SubAck(ack) = self.packet().await.unwrap() {
                    return ack
                        .return_codes
                        .iter()
                        .all(|code| matches!(code, SubscribeReasonCode::Success(_)));
                }
            }
        })
        .await
        .unwrap()
    }

    pub async fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.client
            .publish(topic, QoS::AtLeastOnce, false, payload.to_vec())
            .await
            .unwrap();
    }

    pub async fn say<'a>(&mut self, leaf: Up, message: &impl Message<'a>) {
        let mut buf = [0; MAX_MESSAGE];
        let bytes = message.encode(&mut buf).unwrap().to_vec();
        self.publish(&Topic::Up(self.factory.box_id, leaf).name(), &bytes)
            .await;
    }

    pub async fn hello(&mut self, epoch: u64, root: [u8; 32]) {
        let hello = Hello {
            protocol: PROTOCOL,
            boot: 1,
            epoch,
            root,
            firmware: "0.1.0-test".try_into().unwrap(),
            rx_max: 4_096,
            queued: 0,
            refused: 0,
        };
        self.say(Up::Hello, &hello).await;
    }

    /// The next message of the cloud on this leaf; others are kept.
    pub async fn next(&mut self, leaf: Down) -> Vec<u8> {
        let topic = Topic::Down(self.factory.box_id, leaf).name().to_string();
        timeout(PATIENCE, async {
            loop {
                if let Some(place) = self.got.iter().position(|(name, _)| *name == topic) {
                    return self.got.remove(place).1;
                }
                self.packet().await.unwrap();
            }
        })
        .await
        .unwrap_or_else(|_| panic!("nothing on {topic}"))
    }

    /// A message of the cloud on this leaf, if one came before what was waited for last.
    pub fn got(&mut self, leaf: Down) -> Option<Vec<u8>> {
        let topic = Topic::Down(self.factory.box_id, leaf).name();
        let place = self.got.iter().position(|(name, _)| *name == topic.as_str())?;
        Some(self.got.remove(place).1)
    }

    pub async fn app_ack(&mut self) -> AppAck {
        let bytes = self.next(Down::AppAck).await;
        AppAck::decode(&bytes).unwrap()
    }

    /// A manifest, its signature checked with the key from the factory data.
    pub async fn manifest(&mut self) -> Manifest {
        let bytes = self.next(Down::Manifest).await;
        let signed = SignedManifest::decode(&bytes).unwrap();
        let key = ed25519_dalek::VerifyingKey::from_bytes(&self.factory.config_key).unwrap();
        let signature = ed25519_dalek::Signature::from_slice(signed.signature).unwrap();
        key.verify_strict(&signed.signed().unwrap(), &signature).unwrap();
        let manifest = signed.manifest().unwrap();
        assert_eq!(manifest.box_id, self.factory.box_id);
        assert!(manifest.is_complete());
        manifest
    }

    /// Pulls a section chunk by chunk.
    pub async fn pull(&mut self, section: &Section) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < section.len as usize {
            let get = Get {
                kind: section.kind,
                hash: section.hash,
                offset: bytes.len() as u32,
                len: MAX_CHUNK as u16,
            };
            self.say(Up::Get, &get).await;
            let message = self.next(Down::Chunk).await;
            let chunk = Chunk::decode(&message).unwrap();
            assert_eq!((chunk.hash, chunk.offset), (section.hash, bytes.len() as u32));
            assert!(!chunk.data.is_empty() && bytes.len() + chunk.data.len() <= MAX_SECTION);
            bytes.extend_from_slice(chunk.data);
        }
        bytes
    }

    /// Pulls everything a manifest names and reads it as a site.
    pub async fn pull_site(&mut self, manifest: &Manifest) -> Site {
        let mut site = Site::default();
        for section in &manifest.sections {
            let bytes = self.pull(section).await;
            let mut decoder = SectionDecoder::new(&mut site, section.kind, section.schema).unwrap();
            decoder.push(&mut site, &bytes).unwrap();
            decoder.finish().unwrap();
        }
        site.validate().unwrap();
        site
    }

    pub async fn events(&mut self, events: &[BoxEvent]) {
        let topic = Topic::Up(self.factory.box_id, Up::Events).name();
        self.events_on(&topic, events).await;
    }
}

/// A mosquitto process on a free port, with the files that the program exports.
pub struct Mosquitto {
    child: Option<Child>,
    conf: std::path::PathBuf,
    pub addr: SocketAddr,
}

impl Mosquitto {
    pub fn installed() -> Option<&'static str> {
        [
            "/usr/sbin/mosquitto",
            "/usr/bin/mosquitto",
            "/usr/local/sbin/mosquitto",
        ]
        .into_iter()
        .find(|path| Path::new(path).exists())
    }

    /// `files` is the folder with `mosquitto.conf`.
    pub async fn start(files: &Path, port: u16) -> Self {
        let mut this = Self {
            child: None,
            conf: files.join("mosquitto.conf"),
            addr: ([127, 0, 0, 1], port).into(),
        };
        this.run().await;
        this
    }

    pub async fn run(&mut self) {
        let child = Command::new(Self::installed().unwrap())
            .arg("-c")
            .arg(&self.conf)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        timeout(PATIENCE, async {
            while tokio::net::TcpStream::connect(self.addr).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("mosquitto listens");
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port nobody listens on now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits until a condition on the database holds.
pub async fn until<F: AsyncFnMut() -> bool>(what: &str, mut holds: F) {
    timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never: {what}"));
}

impl ScriptedBox {
    /// Waits for the broker to end the connection.
    pub async fn is_cut(&mut self) -> bool {
        let cut = async {
            loop {
                match self.packets.recv().await {
                    Some(Ok(Packet::Disconnect(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => {}
                }
            }
        };
        timeout(PATIENCE, cut).await.is_ok()
    }

    /// Messages that were not for this box.
    pub fn strangers(&self) -> Vec<&str> {
        let own = format!("c/{}/", self.factory.box_id);
        self.got
            .iter()
            .map(|(topic, _)| topic.as_str())
            .filter(|topic| !topic.starts_with(&own))
            .collect()
    }

    pub async fn events_on(&mut self, topic: &str, events: &[BoxEvent]) {
        let mut buf = [0; MAX_MESSAGE];
        let mut batch = BatchWriter::new(&mut buf).unwrap();
        for event in events {
            let mut one = [0; MAX_EVENT];
            batch.push(event.encode(&mut one).unwrap()).unwrap();
        }
        let bytes = batch.finish().to_vec();
        self.publish(topic, &bytes).await;
    }

    /// Waits for the acknowledgement of this event.
    pub async fn app_ack_up_to(&mut self, id: shared::sync::EventId) {
        while self.app_ack().await.up_to != Some(id) {}
    }

    /// Says hello until there is an answer.
    pub async fn hello_until_answered(&mut self) {
        let topic = Topic::Down(self.factory.box_id, Down::AppAck).name().to_string();
        timeout(PATIENCE, async {
            loop {
                self.hello(0, [0; 32]).await;
                let answered = timeout(Duration::from_millis(300), async {
                    while self.got.iter().all(|(name, _)| *name != topic) {
                        self.packet().await.unwrap();
                    }
                });
                if answered.await.is_ok() {
                    return;
                }
            }
        })
        .await
        .expect("an answer to hello");
    }
}

/// An event of a box.
pub fn received(boot: u32, seq: u32) -> Received {
    let event = BoxEvent {
        id: EventId { boot, seq },
        at: Stamp { mono: 1, unix: None },
        body: EventBody::Boot {
            reason: BootReason::PowerOn,
            firmware: "1".try_into().unwrap(),
        },
    };
    let mut buf = [0; MAX_EVENT];
    Received {
        id: event.id,
        bytes: event.encode(&mut buf).unwrap().to_vec(),
        event: Some(event),
    }
}
