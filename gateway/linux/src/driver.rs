//! Drives the gateway: what happened goes in, what is to be done comes out. No decision is made here.
//!
//! One thread. Connections, players and the line to the cloud are tasks of it that send [`Event`]s; only the store, which
//! waits for its disk, has a thread of its own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use gateway::budget::STREAM_MAX;
use gateway::office::Subnet;
use gateway::store::{Done, Op, Reply, Store, Token};
use gateway::{Boot, Gateway, Input, Network, Output, TrunkInput, TrunkOutput, UplinkInput};
use shared::factory::MAX_FACTORY;
use shared::sync::BootReason;
use sip::{Flow, Instant, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::config::{Config, Role};
use crate::metrics::{self, Figures};
use crate::nor::FileNor;
use crate::player::Players;
use crate::records::Records;
use crate::room::room;
use crate::store::Disk;
use crate::streams::{self, Streams};
use crate::tls;
use crate::trunk::{self, Trunk};
use crate::udp::Udp;
use crate::uplink::{self, Uplink};

/// Events that wait for the brain; who brings one more waits too.
const WAITING: usize = 1_024;
/// How often the brain is told the time of day.
const CLOCK: Duration = Duration::from_secs(1);
/// How long calls may take to say good-bye when the box is stopped.
const FAREWELL: Duration = Duration::from_secs(3);

/// Something that a task has for the brain.
pub enum Event {
    /// A phone has opened a connection.
    Accepted(TcpStream, Flow),
    /// A message of a phone's connection.
    Stream(Flow, Vec<u8>),
    /// A phone's connection is closed.
    StreamClosed(Flow),
    /// From the n-th connection to the cloud's SIP.
    Trunk(u32, trunk::News),
    /// From the MQTT connection.
    Uplink(uplink::News),
    /// An operation of the store has ended.
    Stored(Box<Done>),
    /// An announcement was played to its end.
    Played(u8),
    /// Somebody wants the figures.
    Metrics(oneshot::Sender<String>),
}

/// Where events go.
pub type Events = mpsc::Sender<Event>;

/// What was lost on the way out, since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lost {
    /// Datagrams that could not be sent.
    pub datagrams: u64,
    /// Messages for the cloud.
    pub publications: u64,
    /// Events of a box without a cloud.
    pub records: u64,
}

/// Runs the box until it is told to stop.
pub fn run(config: Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut stop = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // There is nothing to read again: whoever means that starts it again.
        let mut hangup = signal(SignalKind::hangup())?;
        let mut driver = Driver::start(config).await?;
        info!("ready");
        // Whoever started it may not listen.
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);
        let outcome = tokio::select! {
            outcome = driver.serve() => outcome,
            _ = stop.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            _ = hangup.recv() => Ok(()),
        };
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]);
        driver.farewell().await;
        info!("stopped");
        outcome
    })
}

/// The brain and all that it acts with.
struct Driver {
    gateway: Box<Gateway<'static>>,
    began: std::time::Instant,
    told_clock: Option<Instant>,
    udp: Option<Udp>,
    events: mpsc::Receiver<Event>,
    streams: Streams,
    closed: Vec<Flow>,
    disk: Disk,
    trunk: Option<Trunk>,
    uplink: Option<Uplink>,
    players: Players,
    lost: Lost,
    /// The message that goes out.
    buffer: Vec<u8>,
}

impl Driver {
    async fn start(config: Config) -> Result<Self> {
        let (to, events) = mpsc::channel(WAITING);
        let listen = config.listen;
        let factory = config.factory();
        let mut store = open_store(&config)?;
        let mut gateway = Box::new(Gateway::new(
            room(config.capacity),
            factory.clone(),
            rand::random(),
        ));
        let boot = Boot {
            first: rand::random::<u32>() >> 1,
            reason: BootReason::Unknown,
            panic: None,
        };
        let loaded = gateway.start(Instant::ZERO, &mut store, boot, |_, _| {});
        let loaded = gateway::store::ram::run(loaded).map_err(|fault| anyhow!("state: {fault:?}"))?;
        info!(start = loaded.boot, queued = loaded.queued, "state read");
        loaded.alarms.iter().for_each(|alarm| warn!(?alarm, "state"));

        let acceptor = config.tls.as_ref().map(tls::acceptor).transpose()?;
        for (port, transport) in [(listen.tcp, Transport::Tcp), (listen.tls, Transport::Tls)] {
            let Some(port) = port else { continue };
            let listener = TcpListener::bind((listen.address, port)).await;
            let listener = listener.with_context(|| format!("{transport} {}:{port}", listen.address))?;
            tokio::spawn(streams::listen(listener, transport, to.clone()));
        }
        let udp = match listen.udp {
            Some(port) => Some(Udp::bind(listen.address, port).await?),
            None => None,
        };
        if let Some(address) = config.metrics {
            metrics::serve(address, to.clone()).await?;
        }
        let records = config.records.as_deref().map(Records::open).transpose()?;
        let is_alone = matches!(config.role, Role::Alone(_));
        let mut driver = Self {
            gateway,
            began: std::time::Instant::now(),
            told_clock: None,
            udp,
            events,
            streams: Streams::new(config.capacity.connections, acceptor, to.clone()),
            closed: Vec::new(),
            disk: Disk::start(store, records, to.clone())?,
            trunk: (!is_alone).then(|| Trunk::new(&factory, to.clone())),
            uplink: (!is_alone).then(|| Uplink::start(&factory, to.clone())),
            players: Players::start(listen.address, &to).await?,
            lost: Lost::default(),
            buffer: vec![0; STREAM_MAX],
        };
        let address = listen.address;
        let now = driver.now();
        driver
            .gateway
            .handle(now, Input::Network(Network::Up(Subnet::host(address))));
        Ok(driver)
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.began.elapsed().as_millis() as u64)
    }

    /// Until the store has failed: a box that keeps nothing registers nobody, and one that starts again may.
    async fn serve(&mut self) -> Result<()> {
        while !self.disk.has_failed() {
            self.step().await;
        }
        bail!("the store has failed")
    }

    /// Does what is to be done and waits for what happens next.
    async fn step(&mut self) {
        self.drain(self.now());
        self.settle().await;
        self.flush();
        let due = self
            .gateway
            .next_deadline()
            .map_or(CLOCK, |at| at - self.now())
            .min(CLOCK);
        let datagrams = async {
            match &mut self.udp {
                Some(udp) => udp.receive().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = self.events.recv() => {
                if let Some(event) = event {
                    self.take(event);
                }
            }
            count = datagrams => self.receive(count),
            () = tokio::time::sleep(due) => {}
        }
    }

    /// While the configuration changes the store alone is heard; what else happens waits.
    async fn settle(&mut self) {
        let mut later = Vec::new();
        while self.gateway.is_between() && !self.disk.has_failed() {
            match tokio::time::timeout(CLOCK, self.events.recv()).await {
                Ok(Some(event @ Event::Stored(_))) => {
                    self.take(event);
                    self.drain(self.now());
                }
                Ok(Some(event)) => later.push(event),
                Ok(None) | Err(_) => {}
            }
        }
        for event in later {
            self.take(event);
            self.drain(self.now());
        }
    }

    /// Takes the datagrams that have come.
    fn receive(&mut self, count: usize) {
        let now = self.now();
        for n in 0..count {
            if let Some((flow, bytes)) = self.udp.as_ref().and_then(|udp| udp.received(n)) {
                let datagram = Input::Datagram {
                    flow,
                    station: None,
                    bytes,
                };
                self.gateway.handle(now, datagram);
            }
            self.drain(now);
        }
    }

    fn take(&mut self, event: Event) {
        let now = self.now();
        let input = match &event {
            // What was read before its connection was closed comes from nobody.
            Event::Stream(flow, _) if !self.streams.is_open(flow) => return,
            Event::Stream(flow, bytes) => Input::Stream { flow: *flow, bytes },
            Event::StreamClosed(flow) => match self.streams.closed(flow) {
                true => Input::StreamClosed { flow: *flow },
                false => return,
            },
            Event::Trunk(attempt, news) => {
                if !self
                    .trunk
                    .as_ref()
                    .is_some_and(|trunk| trunk.is_current(*attempt))
                {
                    return;
                }
                Input::Trunk(match news {
                    trunk::News::Connected(local, peer) => TrunkInput::Connected {
                        local: *local,
                        peer: *peer,
                    },
                    trunk::News::Data(bytes) => TrunkInput::Data(bytes),
                    trunk::News::Closed => TrunkInput::Closed,
                })
            }
            Event::Uplink(news) => Input::Uplink(match news {
                uplink::News::Connected => UplinkInput::Connected,
                uplink::News::Disconnected => UplinkInput::Disconnected,
                uplink::News::Message(topic, payload) => UplinkInput::Message { topic, payload },
            }),
            Event::Played(player) => Input::Played { player: *player },
            Event::Stored(_) | Event::Accepted(..) | Event::Metrics(_) => {
                match event {
                    Event::Stored(done) => self.gateway.handle(now, Input::Stored(*done)),
                    Event::Accepted(stream, flow) => {
                        let gateway = &self.gateway;
                        let evicted = self.streams.admit(stream, flow, |flow| gateway.is_bound(flow));
                        if let Some(flow) = evicted {
                            self.gateway.handle(now, Input::StreamClosed { flow });
                        }
                    }
                    // Whoever asked may be gone.
                    Event::Metrics(answer) => _ = answer.send(self.figures().text()),
                    _ => {}
                }
                return;
            }
        };
        self.gateway.handle(now, input);
    }

    /// Does everything the brain wants done.
    fn drain(&mut self, now: Instant) {
        if self.told_clock.is_none_or(|told| now - told >= CLOCK) {
            self.told_clock = Some(now);
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let unix_ms = unix.as_millis() as u64;
            self.gateway.handle(now, Input::WallClock { unix_ms });
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            match self.gateway.poll(now, &mut buffer) {
                Some(Output::Transmit { flow, bytes }) => match (flow.transport, &mut self.udp) {
                    (Transport::Udp, Some(udp)) => udp.send(flow.peer, bytes),
                    // A phone that came by datagrams when there was a port for them.
                    (Transport::Udp, None) => self.lost.datagrams += 1,
                    _ => {
                        if !self.streams.send(&flow, bytes) {
                            self.closed.push(flow);
                        }
                    }
                },
                Some(Output::Trunk(order)) => match (&mut self.trunk, order) {
                    (Some(trunk), TrunkOutput::Connect) => trunk.connect(),
                    (Some(trunk), TrunkOutput::Send(bytes)) => trunk.send(bytes),
                    (Some(trunk), TrunkOutput::Close) => trunk.close(),
                    // There is no cloud: its line is away.
                    (None, TrunkOutput::Connect) => {
                        self.gateway.handle(now, Input::Trunk(TrunkInput::Closed));
                    }
                    (None, _) => {}
                },
                Some(Output::Publish { topic, payload }) => {
                    let sent = self.uplink.as_ref().is_some_and(|it| it.publish(&topic, payload));
                    if !sent {
                        self.lost.publications += 1;
                        self.gateway.handle(now, Input::Uplink(UplinkInput::Dropped));
                    }
                }
                Some(Output::Reconnect) => {
                    if let Some(uplink) = &self.uplink {
                        uplink.reconnect();
                    }
                }
                // Without a cloud that asks for events they are kept for people.
                Some(Output::Store(token, op @ Op::PushEvent(_))) if self.uplink.is_none() => {
                    self.disk.record(op);
                    self.gateway.handle(now, Input::Stored(stored(token)));
                }
                Some(Output::Store(token, op)) => self.disk.execute(token, op),
                Some(Output::Media(media)) => self.players.act(media),
                // It has no ports.
                Some(Output::Line { .. } | Output::Lldp { .. } | Output::Power { .. }) => {}
                // No phone fetches anything here.
                Some(Output::Tftp { .. } | Output::Http { .. }) => {}
                // The machine has its own names, time and addresses, and is a host of which the brain knows nothing else.
                Some(Output::Service { .. } | Output::Log(_)) => {}
                None => {
                    let Some(flow) = self.closed.pop() else { break };
                    self.gateway.handle(now, Input::StreamClosed { flow });
                }
            }
        }
        self.buffer = buffer;
    }

    /// Ends all calls, and waits until that is said and written.
    async fn farewell(&mut self) {
        self.gateway.release_all(self.now());
        let end = tokio::time::Instant::now() + FAREWELL;
        self.drain(self.now());
        while self.gateway.usage().calls > 0 || self.gateway.is_writing() && !self.disk.has_failed() {
            if tokio::time::timeout_at(end, self.step()).await.is_err() {
                break;
            }
            self.drain(self.now());
        }
        self.flush();
        // Nobody waits for the brain any more.
        self.events.close();
        // Whoever does not read does not hear it.
        let _ = tokio::time::timeout_at(end, self.streams.close()).await;
    }

    /// Sends the datagrams that wait.
    fn flush(&mut self) {
        if let Some(udp) = &mut self.udp {
            udp.flush();
        }
    }

    fn figures(&self) -> Figures<'_> {
        Figures {
            gateway: &self.gateway,
            streams: self.streams.counters(),
            open: self.streams.len(),
            is_site_s: self.uplink.is_some(),
            lost: Lost {
                datagrams: self.lost.datagrams + self.udp.as_ref().map_or(0, Udp::unsent),
                records: self.disk.lost(),
                ..self.lost
            },
        }
    }
}

fn stored(token: Token) -> Done {
    Done {
        token,
        result: Ok(Reply::Stored),
    }
}

/// The state file; of a box without a cloud with the configuration of its office.
fn open_store(config: &Config) -> Result<Store<FileNor>> {
    let mut image = [0; MAX_FACTORY];
    let (image, site): (&[u8], _) = match &config.role {
        Role::Cloud(factory) => (factory.encode(&mut image)?, None),
        Role::Alone(site) => (&[], Some(site)),
    };
    let mut store = Store::new(FileNor::open(&config.state, image)?);
    if let Some(site) = site {
        let installed = gateway::store::ram::run(store.install(site));
        installed.map_err(|fault| anyhow!("state {}: {fault:?}", config.state.display()))?;
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway::store::ram::RamNor;
    use shared::factory::Factory;
    use shared::id::BoxId;
    use std::net::Ipv4Addr;
    use tempfile::TempDir;

    /// One of an office of its own, or of a cloud that does not answer; each test has an address.
    async fn driver(address: Ipv4Addr, office: bool) -> (TempDir, Driver) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let factory = Factory {
            box_id: BoxId(7),
            secret: [1; 32],
            cloud_host: "127.0.0.1".try_into().unwrap(),
            sip_port: 1,
            mqtt_port: 1,
            realm: "trunk.example".try_into().unwrap(),
            config_key: [2; 32],
        };
        let mut image = [0; MAX_FACTORY];
        std::fs::write(path("factory"), factory.encode(&mut image).unwrap()).unwrap();
        let role = match office {
            true => {
                "[site]\nrealm = \"x.example\"\n[[site.id]]\nnumber = \"0312345601\"\nextension = \"201\"\n\
                 password = \"x-x-x-x-\"\n"
                    .into()
            }
            false => format!("[cloud]\nfactory = {:?}\n", path("factory")),
        };
        let config = format!(
            "state = {:?}\n[listen]\naddress = \"{address}\"\ntcp = 5060\n{role}",
            path("state")
        );
        std::fs::write(path("box.toml"), config).unwrap();
        let config = Config::read(&path("box.toml")).unwrap();
        (folder, Driver::start(config).await.unwrap())
    }

    #[tokio::test]
    async fn what_a_closed_connection_said_is_nobody_s() {
        let (_folder, mut driver) = driver([127, 0, 53, 1].into(), true).await;
        let phone = TcpStream::connect("127.0.53.1:5060").await.unwrap();
        let Some(Event::Accepted(stream, mut flow)) = driver.events.recv().await else {
            panic!("no connection")
        };
        driver.take(Event::Accepted(stream, flow));
        flow.stream = 1;
        let garbage = || Event::Stream(flow, b"garbage\r\n\r\n".to_vec());
        driver.take(garbage());
        assert_eq!(driver.gateway.counters().unreadable, 1);
        driver.take(Event::StreamClosed(flow));
        driver.take(garbage());
        assert_eq!(driver.gateway.counters().unreadable, 1);
        drop(phone);
    }

    /// The event of the start is not in the flash yet, and there is no call to wait for.
    #[tokio::test]
    async fn what_is_to_be_kept_is_kept_before_the_end() {
        let (_folder, mut driver) = driver([127, 0, 53, 2].into(), false).await;
        assert_eq!((driver.gateway.is_writing(), driver.gateway.queued()), (true, 0));
        driver.farewell().await;
        assert!(!driver.gateway.is_writing());
        assert!(driver.gateway.queued() > 0);
    }

    struct Broken;

    impl AsRef<[u8]> for Broken {
        fn as_ref(&self) -> &[u8] {
            panic!("a broken store, for the test")
        }
    }

    impl AsMut<[u8]> for Broken {
        fn as_mut(&mut self) -> &mut [u8] {
            panic!("a broken store, for the test")
        }
    }

    #[tokio::test]
    async fn a_box_without_its_store_ends() {
        let (_folder, mut driver) = driver([127, 0, 53, 3].into(), false).await;
        let store = Store::new(RamNor::new(Broken));
        driver.disk = Disk::start(store, None, mpsc::channel(1).0).unwrap();
        assert!(driver.serve().await.is_err());
        driver.farewell().await;
    }
}
