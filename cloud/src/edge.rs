//! The SIP edge: runs the call engine on sockets, the clock and the database.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use contract::Contract;
use contract::derive::SiteError;
use media::g711::Law;
use media::prompt::Prompt;
use media::relay::{Remote, Side};
use shared::id::{ContractId, IdKey};
use shared::record::{CallLeg, Stamp};
use shared::sync::{Event, EventBody, EventId};
use sip::digest::Ha1;
use sip::{Instant, Transport};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::{debug, error, info, warn};

use crate::control::CallInfo;
use crate::db::{Db, unix_ms};
use crate::pbx::{Account, Config, Directory, Input, MESSAGE_MAX, Office, Output, Pbx, Relays};
use crate::refusal::Result;
use crate::relay::{CallRelay, RelayPool};
use crate::sip_io::{Arrival, Limits, Listen, SipIo};
use crate::trace;

/// How often a record that could not be stored is tried again, at most.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How long the last messages and records may take when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// What the edge is asked from elsewhere in the server.
#[derive(Debug)]
pub enum EdgeEvent {
    /// The contracts changed.
    Directory(Box<Directory>),
    /// Which calls are there?
    Calls(oneshot::Sender<Vec<CallInfo>>),
}

/// What is to be written, in this order.
#[derive(Debug)]
enum Write {
    Record(ContractId, Box<Event>),
    Registration(String, Option<String>),
}

/// The relays of all calls.
struct Sockets {
    pool: RelayPool,
    calls: HashMap<u32, CallRelay>,
}

impl Relays for Sockets {
    fn open(&mut self, call: u32) -> Option<[SocketAddr; 2]> {
        match self.pool.open(call) {
            Ok(relay) => {
                let ends = [relay.target(Side::A), relay.target(Side::B)];
                self.calls.insert(call, relay);
                Some(ends)
            }
            Err(error) => {
                warn!(%error, "no relay for a call");
                None
            }
        }
    }

    fn remote(&mut self, call: u32, side: Side, remote: Remote, signalling: IpAddr) {
        if let Some(relay) = self.calls.get(&call) {
            relay.set_remote(side, remote, signalling);
        }
    }

    fn play(&mut self, call: u32, prompt: Prompt, law: Law) -> bool {
        let relay = self.calls.get(&call);
        relay
            .inspect(|relay| relay.play(Side::A, prompt, law, 2))
            .is_some()
    }

    fn close(&mut self, call: u32) {
        self.calls.remove(&call);
    }
}

/// The edge, listening and not serving yet.
pub struct Edge {
    pbx: Pbx<Sockets>,
    io: SipIo,
    arrivals: mpsc::Receiver<Arrival>,
    played: mpsc::UnboundedReceiver<u32>,
    began: tokio::time::Instant,
    boot: u32,
    seq: u32,
    writes: mpsc::UnboundedSender<Write>,
    writer: JoinHandle<()>,
}

impl Edge {
    /// Listens on `sip`; media goes through `rtp_ports` of the same address.
    pub async fn start(
        db: &Db,
        sip: &Listen,
        carrier: SocketAddr,
        rtp_ports: (u16, u16),
    ) -> anyhow::Result<Self> {
        let boot = db.count_boot().await?;
        let (io, arrivals) = SipIo::bind(sip, Limits::default()).await?;
        let (over, played) = mpsc::unbounded_channel();
        let pool = RelayPool::new(io.local().ip(), rtp_ports, over);
        let sockets = Sockets {
            pool,
            calls: HashMap::new(),
        };
        let mut pbx = Pbx::new(Config::new(io.local(), carrier), sockets, rand::random());
        pbx.handle(Instant::ZERO, Input::Directory(Box::new(directory(db).await?)));
        let (writes, queue) = mpsc::unbounded_channel();
        let writer = tokio::spawn(write(db.clone(), queue));
        let began = tokio::time::Instant::now();
        Ok(Self {
            pbx,
            io,
            arrivals,
            played,
            began,
            boot,
            seq: 0,
            writes,
            writer,
        })
    }

    /// Our address.
    pub fn local(&self) -> SocketAddr {
        self.io.local()
    }

    /// Where connections of this transport are listened to.
    pub fn listens(&self, transport: Transport) -> Option<SocketAddr> {
        self.io.listens(transport)
    }

    /// Serves until `events` is closed; then ends all calls and writes their records.
    pub async fn run(mut self, mut events: mpsc::Receiver<EdgeEvent>) {
        let mut buffer = vec![0; MESSAGE_MAX];
        self.poll(&mut buffer);
        loop {
            let due = self.due();
            tokio::select! {
                arrival = self.arrivals.recv() => match arrival {
                    Some(arrival) => self.arrived(&arrival),
                    None => break,
                },
                Some(call) = self.played.recv() => self.pbx.handle(self.now(), Input::Played { call }),
                event = events.recv() => match event {
                    Some(event) => self.event(event),
                    None => break,
                },
                () = tokio::time::sleep_until(due) => {}
            }
            self.poll(&mut buffer);
        }
        self.farewell(&mut buffer).await;
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.began.elapsed().as_millis() as u64)
    }

    fn due(&self) -> tokio::time::Instant {
        let far = Duration::from_secs(3_600);
        let due = self
            .pbx
            .next_deadline()
            .map_or(far, |at| Duration::from_millis(at.as_millis()));
        (self.began + due).min(tokio::time::Instant::now() + far)
    }

    fn arrived(&mut self, arrival: &Arrival) {
        let now = self.now();
        self.pbx.handle(now, Input::WallClock { unix_ms: unix_ms() });
        match arrival {
            Arrival::Datagram { flow, bytes } => {
                trace::message("in", flow, bytes);
                self.pbx.handle(now, Input::Datagram { flow: *flow, bytes });
            }
            Arrival::Message { flow, bytes } => {
                trace::message("in", flow, bytes);
                self.pbx.handle(now, Input::Message { flow: *flow, bytes });
            }
            Arrival::Ping(flow) => self.pbx.handle(now, Input::Ping { flow: *flow }),
            Arrival::Pong(flow) => self.pbx.handle(now, Input::Pong { flow: *flow }),
            Arrival::Closed(flow) => self.pbx.handle(now, Input::StreamClosed { flow: *flow }),
        }
    }

    fn event(&mut self, event: EdgeEvent) {
        let now = self.now();
        match event {
            EdgeEvent::Directory(directory) => self.pbx.handle(now, Input::Directory(directory)),
            EdgeEvent::Calls(back) => {
                // The command may have gone away.
                let _ = back.send(self.calls(now));
            }
        }
    }

    fn calls(&self, now: Instant) -> Vec<CallInfo> {
        let info = |live: crate::pbx::Live| CallInfo {
            session: live.session.text().to_string(),
            contract: live.contract.0,
            caller: live.from,
            called: live.to,
            state: match (live.answered, live.ringing) {
                (true, _) => "answered",
                (false, true) => "ringing",
                (false, false) => "calling",
            }
            .into(),
            terminal: live.terminal.map(|key| key.index() as u16),
            line: live.uses.number().map(|number| number.digits().to_string()),
            seconds: (now - live.started).as_secs(),
        };
        self.pbx.live().map(info).collect()
    }

    fn poll(&mut self, buffer: &mut [u8]) {
        let now = self.now();
        while let Some(output) = self.pbx.poll(now, buffer) {
            match output {
                Output::Transmit { flow, bytes } => {
                    trace::message("out", &flow, bytes);
                    self.io.send(&flow, bytes);
                }
                Output::CloseStream { flow } => self.io.close(&flow),
                Output::Record { contract, leg } => {
                    let event = record(
                        EventId {
                            boot: self.boot,
                            seq: self.seq,
                        },
                        leg,
                    );
                    self.seq += 1;
                    // The writer ends after this.
                    let _ = self.writes.send(Write::Record(contract, Box::new(event)));
                }
                Output::Registration { peer, user, contact } => {
                    info!(?peer, user, contact, "registration");
                    let _ = self.writes.send(Write::Registration(user, contact));
                }
            }
        }
    }

    async fn farewell(mut self, buffer: &mut [u8]) {
        self.pbx.release_all(self.now());
        self.poll(buffer);
        let deadline = tokio::time::Instant::now() + FAREWELL;
        // Good-byes are repeated until they are answered, for a while.
        while self.pbx.usage().0.calls > 0 && tokio::time::Instant::now() < deadline {
            let due = self.due().min(deadline);
            tokio::select! {
                arrival = self.arrivals.recv() => match arrival {
                    Some(arrival) => self.arrived(&arrival),
                    None => break,
                },
                () = tokio::time::sleep_until(due) => {}
            }
            self.poll(buffer);
        }
        let counters = self.pbx.counters();
        let Self {
            writes, writer, io, ..
        } = self;
        info!(?counters, io = ?io.counters(), "SIP edge ended");
        drop(writes);
        if writer.await.is_err() {
            error!("the writer of records failed");
        }
    }
}

fn record(id: EventId, leg: CallLeg) -> Event {
    let at: Stamp = leg.ended;
    Event {
        id,
        at,
        body: EventBody::CallLeg(leg),
    }
}

/// What the contracts say now.
pub async fn directory(db: &Db) -> Result<Directory> {
    let accounts = db.accounts().await?.into_iter().map(|account| Account {
        id: account.id,
        contract: account.contract,
        site: account.site,
        ha1: Ha1 {
            md5: account.ha1_md5,
            sha256: account.ha1_sha256,
        },
    });
    let (realm, stored) = (db.realm().await?, db.stored().await?);
    let mut secrets: HashMap<ContractId, HashMap<IdKey, Ha1>> = HashMap::new();
    for (contract, of) in db.credentials().await? {
        let (md5, sha256) = (of.ha1_md5, of.ha1_sha256);
        secrets
            .entry(contract)
            .or_default()
            .insert(of.key, Ha1 { md5, sha256 });
    }
    let offices = stored
        .iter()
        .filter_map(|stored| match office(&stored.contract, &realm) {
            Ok(office) => Some(Office {
                secrets: secrets.remove(&stored.contract.id).unwrap_or_default(),
                ..office
            }),
            // A contract begins so.
            Err(SiteError::NoIds | SiteError::NoSite) => None,
            Err(error) => {
                error!(contract = stored.contract.id.0, %error, "the contract has no calls");
                None
            }
        });
    Ok(Directory::new(&realm, offices, accounts))
}

/// A contract as its calls need it, without passwords. One without site or ID has no calls yet; whatever else keeps it from them is a fault.
pub fn office(contract: &Contract, realm: &str) -> Result<Office, SiteError> {
    let first = contract.sites.first().ok_or(SiteError::NoSite)?;
    let line = |(number, _)| {
        let rules = contract.line(number).map(|line| line.rules);
        (number, (contract.state(number), rules.unwrap_or_default()))
    };
    Ok(Office {
        site: contract.configuration(first.id, realm, &[])?,
        lines: contract.numbers().map(line).collect(),
        schedules: contract.schedules.clone(),
        blocks: contract.blocks.clone(),
        ..Office::default()
    })
}

/// Writes in order and tries again until it is written: a record exists here only, until then.
async fn write(db: Db, mut queue: mpsc::UnboundedReceiver<Write>) {
    let mut waiting = VecDeque::new();
    let mut pause = Duration::from_millis(50);
    let mut open = true;
    while open || !waiting.is_empty() {
        if waiting.is_empty() {
            match queue.recv().await {
                Some(write) => waiting.push_back(write),
                None => return,
            }
        }
        while let Ok(write) = queue.try_recv() {
            waiting.push_back(write);
        }
        open = !queue.is_closed();
        match write_first(&db, &waiting).await {
            Ok(written) => {
                waiting.drain(..written);
                pause = Duration::from_millis(50);
            }
            Err(error) => {
                warn!(%error, waiting = waiting.len(), "records not stored yet");
                if !open && pause >= RETRY_MAX {
                    error!(
                        lost = waiting.len(),
                        "the server stops and the database still fails"
                    );
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
}

/// Writes what is first: all records up to the next registration in one transaction, or that registration.
async fn write_first(db: &Db, waiting: &VecDeque<Write>) -> Result<usize> {
    let records: Vec<_> = waiting
        .iter()
        .map_while(|write| match write {
            Write::Record(contract, event) => Some((*contract, Event::clone(event))),
            Write::Registration(..) => None,
        })
        .take(256)
        .collect();
    if !records.is_empty() {
        db.commit_own(&records).await?;
        debug!(records = records.len(), "stored");
        return Ok(records.len());
    }
    if let Some(Write::Registration(user, contact)) = waiting.front() {
        db.set_registration(user, contact.as_deref()).await?;
    }
    Ok(1)
}
