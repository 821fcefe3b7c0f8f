//! Drives the gateway: what happened goes in, what is to be done comes out. No decision is made here.
//!
//! One thread. Connections, players and the line to the cloud are tasks of it that send [`Event`]s; only the store, which
//! waits for its disk, has a thread of its own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use gateway::budget::STREAM_MAX;
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
        let mut driver = Driver::start(config).await?;
        info!("ready");
        // Whoever started it may not listen.
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);
        tokio::select! {
            () = driver.serve() => {}
            _ = stop.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]);
        driver.farewell().await;
        info!("stopped");
        Ok(())
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
    records: Option<Records>,
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
            reason: BootReason::PowerOn,
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
        let is_alone = matches!(config.role, Role::Alone(_));
        let mut driver = Self {
            gateway,
            began: std::time::Instant::now(),
            told_clock: None,
            udp,
            events,
            streams: Streams::new(config.capacity.connections, acceptor, to.clone()),
            closed: Vec::new(),
            disk: Disk::start(store, to.clone())?,
            trunk: (!is_alone).then(|| Trunk::new(&factory, to.clone())),
            uplink: (!is_alone).then(|| Uplink::start(&factory, to.clone())),
            players: Players::start(listen.address, &to).await?,
            records: config.records.as_deref().map(Records::open).transpose()?,
            lost: Lost::default(),
            buffer: vec![0; STREAM_MAX],
        };
        let address = listen.address;
        let now = driver.now();
        driver
            .gateway
            .handle(now, Input::Network(Network::Up { address }));
        Ok(driver)
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.began.elapsed().as_millis() as u64)
    }

    async fn serve(&mut self) {
        loop {
            self.step().await;
        }
    }

    /// Does what is to be done and waits for what happens next.
    async fn step(&mut self) {
        self.drain(self.now());
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

    /// Takes the datagrams that have come.
    fn receive(&mut self, count: usize) {
        let now = self.now();
        for n in 0..count {
            if let Some((flow, bytes)) = self.udp.as_ref().and_then(|udp| udp.received(n)) {
                self.gateway.handle(now, Input::Datagram { flow, bytes });
            }
            self.drain(now);
        }
    }

    fn take(&mut self, event: Event) {
        let now = self.now();
        let input = match &event {
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
                    Event::Accepted(stream, flow) => self.streams.admit(stream, flow),
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
                    self.lost.publications += u64::from(!sent);
                }
                Some(Output::Reconnect) => {
                    if let Some(uplink) = &self.uplink {
                        uplink.reconnect();
                    }
                }
                // Without a cloud that asks for events they are kept for people.
                Some(Output::Store(token, Op::PushEvent(event))) if self.uplink.is_none() => {
                    if let Some(records) = &mut self.records {
                        self.lost.records += u64::from(!records.add(&event));
                    }
                    self.gateway.handle(now, Input::Stored(stored(token)));
                }
                Some(Output::Store(token, op)) => self.disk.execute(token, op),
                Some(Output::Media(media)) => self.players.act(media),
                None => {
                    let Some(flow) = self.closed.pop() else { break };
                    self.gateway.handle(now, Input::StreamClosed { flow });
                }
            }
        }
        self.buffer = buffer;
    }

    /// Ends all calls, and waits until that is said and written.
    async fn farewell(mut self) {
        self.gateway.release_all(self.now());
        let end = tokio::time::Instant::now() + FAREWELL;
        while self.gateway.usage().calls > 0 {
            if tokio::time::timeout_at(end, self.step()).await.is_err() {
                break;
            }
        }
        self.drain(self.now());
        self.flush();
    }

    /// Sends and writes what waits for that.
    fn flush(&mut self) {
        if let Some(udp) = &mut self.udp {
            udp.flush();
        }
        if let Some(records) = &mut self.records {
            self.lost.records += u64::from(!records.flush());
        }
    }

    fn figures(&self) -> Figures<'_> {
        Figures {
            gateway: &self.gateway,
            streams: self.streams.counters(),
            open: self.streams.len(),
            lost: Lost {
                datagrams: self.lost.datagrams + self.udp.as_ref().map_or(0, Udp::unsent),
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
