//! A phone from the moment its port is fed: boot, LLDP, DHCP, the search for its configuration, the files, registration, calls.

mod lines;
mod search;
mod upgrade;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::account::{Account, Settings};
use crate::agent::{Action, Agent, Incoming, Manner};
use crate::assumed::{LLDP_FAST, LLDP_INTERVAL, LLDP_WAIT, PNP_PORT};
use crate::clock::{self, Clock};
use crate::dhcp::{self, Client, Lease};
use crate::fetch::Fetch;
use crate::lldp::{self, Policy};
use crate::model::{Discovery, Model, Vendor};
use crate::names::{self, Names};
use crate::plan::{Plan, Store};
use crate::pnp::{self, Search};
use crate::rng::Rng;
use crate::url::Url;
use crate::{Mac, Millis, grandstream, panasonic};

/// First UDP port of TFTP.
const TFTP_PORT: u16 = 40_000;

/// What a phone does to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Sends an Ethernet frame as it is: LLDP.
    Frame(Vec<u8>),
    /// Everything from now on is sent and heard in this VLAN; none for untagged frames.
    Vlan(Option<u16>),
    /// It has this address from now on, or none.
    Address(Option<Box<Lease>>),
    /// Sends a datagram. Broadcast and multicast addresses are such.
    Datagram {
        /// From here; 0.0.0.0 while it has no address.
        from: SocketAddrV4,
        /// To there.
        to: SocketAddrV4,
        /// Content.
        bytes: Vec<u8>,
    },
    /// Opens a TCP connection.
    Connect {
        /// Its own number of it.
        conn: u32,
        /// Where to.
        to: SocketAddrV4,
    },
    /// Sends on a connection.
    Send {
        /// Which.
        conn: u32,
        /// What.
        bytes: Vec<u8>,
    },
    /// Closes a connection.
    Close {
        /// Which.
        conn: u32,
    },
}

/// When a phone came how far since its port was fed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The port gave power.
    pub powered: Option<Millis>,
    /// It had booted.
    pub booted: Option<Millis>,
    /// It had an address.
    pub leased: Option<Millis>,
    /// It knew where its configuration is.
    pub found: Option<Millis>,
    /// It had its configuration, and used it.
    pub configured: Option<Millis>,
    /// Its first account was registered.
    pub registered: Option<Millis>,
    /// Milliseconds in which it waited for an answer: to PnP, for files, to its first registration.
    pub waited: Millis,
}

enum Stage {
    Off,
    /// Until then.
    Boots(Millis),
    /// For a network policy, until then.
    Listens(Millis),
    Leases,
    /// With the next way of discovery.
    Looks(usize),
    Searches(usize, Search),
    /// The next way, the files, and the fetch of the first of them once its server's name is known.
    Fetches(usize, Plan, Option<Box<Fetch>>),
    /// Until then.
    Applies(Millis),
    /// Looks for firmware there, and its fetch once the server's name is known.
    Upgrades(Url, Option<Box<Fetch>>),
    Runs,
}

/// A phone.
pub struct Phone {
    /// Its model.
    pub model: &'static Model,
    /// Its MAC address.
    pub mac: Mac,
    /// How long it boots: a rig in real time need not wait for what is assumed of the model.
    pub boot: Millis,
    /// Ways of discovery that are switched on.
    pub looks: Vec<Discovery>,
    /// What it keeps over a loss of power.
    pub store: Store,
    /// What it did not like, and what was odd.
    pub problems: Vec<String>,
    /// Files that it asked for, and what came.
    pub fetched: Vec<(String, Result<usize, u16>)>,
    /// How often it took other firmware.
    pub upgrades: u32,
    manner: Incoming,
    rng: Rng,
    stage: Stage,
    linked: bool,
    progress: Progress,
    found: Option<Discovery>,
    policy: Option<Policy>,
    next_lldp: Millis,
    lldp_sent: u32,
    dhcp: Option<Client>,
    names: Names,
    settings: Settings,
    /// Accounts that are in use; one whose server's name is not known yet has none.
    agents: Vec<(Account, Option<Agent>)>,
    resyncs: u32,
    conn: u32,
    tftp_port: u16,
    clock: Clock,
    /// When names that nobody knew are asked for again.
    next_names: Millis,
    /// When it searches again by itself: its settings say so, or the last search gave nothing.
    again: Millis,
    outputs: VecDeque<Output>,
}

impl Phone {
    /// A new phone in its box.
    pub fn new(model: &'static Model, mac: Mac, rng: Rng) -> Self {
        Phone {
            model,
            mac,
            boot: model.boot,
            looks: model.looks.to_vec(),
            store: Store::new(),
            problems: Vec::new(),
            fetched: Vec::new(),
            upgrades: 0,
            manner: Incoming::Ring,
            rng,
            stage: Stage::Off,
            linked: true,
            progress: Progress::default(),
            found: None,
            policy: None,
            next_lldp: Millis::MAX,
            lldp_sent: 0,
            dhcp: None,
            names: Names::default(),
            settings: Settings::default(),
            agents: Vec::new(),
            resyncs: 0,
            conn: 0,
            tftp_port: TFTP_PORT,
            clock: Clock::default(),
            next_names: Millis::MAX,
            again: Millis::MAX,
            outputs: VecDeque::new(),
        }
    }

    /// Sets a value by hand, as at the phone's web page.
    pub fn set(&mut self, name: &str, value: &str) {
        self.store.insert(name.to_owned(), value.to_owned());
    }

    /// How it treats calls that come in, from the next account on that it takes into use and for those in use.
    pub fn set_manner(&mut self, manner: Incoming) {
        self.manner = manner;
        for agent in self.agents.iter_mut().filter_map(|(_, agent)| agent.as_mut()) {
            agent.set_manner(Manner::Always(manner));
        }
    }

    /// How far it came.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// How it found its configuration.
    pub fn found_by(&self) -> Option<Discovery> {
        self.found
    }

    /// What its configuration comes to.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its address.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.lease().map(|lease| lease.address)
    }

    /// What the switch wants of its voice.
    pub fn policy(&self) -> Option<Policy> {
        self.policy
    }

    /// When it was last told the time, and the time (seconds since 1900).
    pub fn clock(&self) -> Option<(Millis, u32)> {
        self.clock.told
    }

    /// The user agent of an account that is in use, from 0.
    pub fn agent(&mut self, account: usize) -> Option<&mut Agent> {
        self.agents.get_mut(account)?.1.as_mut()
    }

    /// Is its first account registered?
    pub fn is_registered(&self, now: Millis) -> bool {
        let first = self.agents.first().and_then(|(_, agent)| agent.as_ref());
        first.is_some_and(|agent| agent.is_registered(now))
    }

    /// Calls somebody on the first account.
    pub fn call(&mut self, now: Millis, to: &str, patience: Millis, talk: Millis) {
        let (to, from) = (to.to_owned(), None);
        if let Some(agent) = self.agent(0) {
            agent.plan(
                now,
                Action::Call {
                    to,
                    from,
                    patience,
                    talk,
                },
            );
        }
    }

    /// The power it draws from its port, in mW.
    pub fn load_mw(&self, now: Millis) -> u32 {
        let Some(powered) = self.progress.powered else {
            return 0;
        };
        let agents = self.agents.iter().filter_map(|(_, agent)| agent.as_ref());
        let calling = agents.map(Agent::busy).sum::<usize>() > 0;
        self.model.load_mw(now - powered, calling)
    }

    fn lease(&self) -> Option<&Lease> {
        self.dhcp.as_ref().and_then(Client::lease)
    }

    /// Its port gives power, or gives none any more.
    pub fn power(&mut self, now: Millis, on: bool) {
        let mut fresh = Phone::new(self.model, self.mac, self.rng.split());
        fresh.looks = std::mem::take(&mut self.looks);
        fresh.store = std::mem::take(&mut self.store);
        fresh.problems = std::mem::take(&mut self.problems);
        fresh.fetched = std::mem::take(&mut self.fetched);
        (fresh.boot, fresh.manner, fresh.linked) = (self.boot, self.manner, self.linked);
        fresh.upgrades = self.upgrades;
        if on {
            fresh.stage = Stage::Boots(now + self.boot);
            fresh.progress.powered = Some(now);
        }
        *self = fresh;
    }

    /// The cable is plugged in or out at either end.
    pub fn link(&mut self, now: Millis, up: bool) {
        let came = up && !self.linked;
        self.linked = up;
        if came && !matches!(self.stage, Stage::Off | Stage::Boots(_)) {
            self.start_network(now);
        }
    }

    /// An Ethernet frame that is not IP.
    pub fn frame(&mut self, now: Millis, frame: &[u8]) {
        if !self.linked || matches!(self.stage, Stage::Off | Stage::Boots(_)) || !self.model.lldp {
            return;
        }
        let Some(policy) = lldp::voice_policy(frame) else {
            return;
        };
        let moved = self.policy.and_then(|old| old.vlan) != policy.vlan;
        self.policy = Some(policy);
        if moved {
            self.outputs.push_back(Output::Vlan(policy.vlan));
        }
        match self.stage {
            Stage::Listens(_) => self.stage = Stage::Listens(now),
            // The address is that of another network.
            _ if moved => self.start_dhcp(now),
            _ => {}
        }
    }

    fn start_network(&mut self, now: Millis) {
        (self.policy, self.dhcp) = (None, None);
        self.outputs.push_back(Output::Vlan(None));
        if self.model.lldp {
            (self.next_lldp, self.lldp_sent) = (now, 0);
            self.stage = Stage::Listens(now + LLDP_WAIT);
        } else {
            self.start_dhcp(now);
        }
    }

    fn start_dhcp(&mut self, now: Millis) {
        if self.lease().is_some() {
            self.outputs.push_back(Output::Address(None));
        }
        self.dhcp = Some(Client::new(now, self.model, self.mac, &mut self.rng));
        self.stage = Stage::Leases;
    }

    /// A datagram came for it, or for everybody.
    pub fn datagram(&mut self, now: Millis, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) {
        if !self.linked {
            return;
        }
        match to.port() {
            dhcp::PORT => {
                if self
                    .dhcp
                    .as_mut()
                    .is_some_and(|client| client.receive(now, bytes))
                {
                    self.moved(now);
                }
            }
            PNP_PORT => self.pnp(now, from, bytes),
            names::PORT => self.names.receive(from, bytes),
            clock::PORT => self.clock.receive(now, bytes),
            port if port == self.tftp_port => {
                if let Stage::Fetches(_, _, Some(fetch)) | Stage::Upgrades(_, Some(fetch)) = &mut self.stage {
                    fetch.datagram(now, from, bytes);
                }
            }
            port => {
                let agents = self.agents.iter_mut().filter_map(|(_, agent)| agent.as_mut());
                for agent in agents.filter(|agent| agent.identity().address.port() == port) {
                    agent.receive(now, SocketAddr::V4(from), bytes);
                }
            }
        }
    }

    /// The connection is open.
    pub fn opened(&mut self, conn: u32) {
        if let Some(fetch) = self.fetch(conn) {
            fetch.opened();
        }
    }

    /// Something came on a connection.
    pub fn data(&mut self, now: Millis, conn: u32, bytes: &[u8]) {
        if let Some(fetch) = self.fetch(conn) {
            fetch.data(now, bytes);
        }
    }

    /// A connection is closed by the other end, or could not be opened.
    pub fn closed(&mut self, now: Millis, conn: u32) {
        if let Some(fetch) = self.fetch(conn) {
            fetch.closed(now);
        }
    }

    fn fetch(&mut self, conn: u32) -> Option<&mut Fetch> {
        match &mut self.stage {
            Stage::Fetches(_, _, Some(fetch)) | Stage::Upgrades(_, Some(fetch)) if conn == self.conn => {
                Some(fetch)
            }
            _ => None,
        }
    }

    /// There is a new address, or none any more.
    fn moved(&mut self, now: Millis) {
        let lease = self.lease().cloned();
        self.outputs
            .push_back(Output::Address(lease.clone().map(Box::new)));
        let Some(lease) = lease else {
            self.stage = Stage::Leases;
            return;
        };
        self.progress.leased.get_or_insert(now);
        self.names = Names::new(lease.names.first().copied());
        self.clock.next = now;
        self.agents.iter_mut().for_each(|(_, agent)| *agent = None);
        self.stage = Stage::Looks(0);
    }

    fn send(&mut self, port: u16, to: SocketAddrV4, bytes: Vec<u8>) {
        let address = self.address().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let from = SocketAddrV4::new(address, port);
        self.outputs.push_back(Output::Datagram { from, to, bytes });
    }

    /// Takes what is stored into use.
    fn apply(&mut self, now: Millis) {
        self.settings = match self.model.vendor {
            Vendor::Grandstream => grandstream::settings(self.model, &self.store, &mut self.problems),
            Vendor::Panasonic => panasonic::settings(self.model, &self.store, &mut self.problems),
        };
        if !self.settings.accounts.is_empty() {
            self.progress.configured.get_or_insert(now);
        }
        let wanted = self.settings.accounts.clone();
        if !self.agents.iter().map(|(account, _)| account).eq(&wanted) {
            self.agents = wanted.into_iter().map(|account| (account, None)).collect();
        }
        if let Some(every) = self.settings.asks_every {
            self.again = self.again.min(now + every);
        }
        self.names.retry();
        self.clock.next = now;
        self.stage = self.looks_for_firmware();
    }

    /// When it has something to do.
    pub fn next_deadline(&self) -> Millis {
        if !self.outputs.is_empty() {
            return 0;
        }
        let stage = match &self.stage {
            Stage::Off => return Millis::MAX,
            Stage::Boots(at) => return *at,
            _ if !self.linked => return Millis::MAX,
            Stage::Listens(at) | Stage::Applies(at) => *at,
            Stage::Leases => Millis::MAX,
            Stage::Looks(_) => 0,
            Stage::Searches(_, search) => search.next_deadline(),
            Stage::Fetches(_, _, Some(fetch)) | Stage::Upgrades(_, Some(fetch)) => fetch.next_deadline(),
            // A name is being asked for.
            Stage::Fetches(_, _, None) | Stage::Upgrades(_, None) => self.names.next_deadline(),
            Stage::Runs => self.again,
        };
        let dhcp = self.dhcp.as_ref().map_or(Millis::MAX, Client::next_deadline);
        let mut next = stage.min(dhcp).min(self.next_lldp);
        if self.lease().is_some() {
            let agents = self.agents.iter().filter_map(|(_, agent)| agent.as_ref());
            let agents = agents.map(Agent::next_deadline).min().unwrap_or(Millis::MAX);
            let names = self.names.next_deadline().min(self.next_names);
            next = next.min(agents).min(names).min(self.clock.next);
        }
        next
    }

    /// Does what is due, and gives what it does to the world, one after the other; none when it rests.
    pub fn poll(&mut self, now: Millis) -> Option<Output> {
        loop {
            self.step(now);
            let output = self.outputs.pop_front();
            if output.is_some() || self.next_deadline() > now {
                return output;
            }
        }
    }

    fn step(&mut self, now: Millis) {
        if let Stage::Boots(at) = self.stage
            && now >= at
        {
            self.progress.booted.get_or_insert(now);
            self.start_network(now);
        }
        if !self.linked || matches!(self.stage, Stage::Off | Stage::Boots(_)) {
            self.outputs.clear();
            return;
        }
        if now >= self.next_lldp {
            let fed = self.model.power.map(|power| power.most_mw());
            self.outputs
                .push_back(Output::Frame(lldp::frame(self.model, self.mac, fed)));
            self.lldp_sent += 1;
            self.next_lldp = now
                + if self.lldp_sent < LLDP_FAST.1 {
                    LLDP_FAST.0
                } else {
                    LLDP_INTERVAL
                };
        }
        if let Some((from, to, bytes)) = self.dhcp.as_mut().and_then(|client| client.poll(now)) {
            self.outputs.push_back(Output::Datagram { from, to, bytes });
        }
        if now >= self.clock.next && self.lease().is_some() {
            self.ask_time(now);
        }
        match &mut self.stage {
            Stage::Listens(at) if now >= *at => self.start_dhcp(now),
            Stage::Looks(place) => {
                let place = *place;
                self.look(now, place);
            }
            Stage::Searches(next, search) => match search.is_over(now) {
                true => self.stage = Stage::Looks(*next),
                false => {
                    if let Some(request) = search.poll(now).map(<[u8]>::to_vec) {
                        self.send(PNP_PORT, pnp::GROUP, request);
                    }
                }
            },
            Stage::Fetches(..) => self.fetches(now),
            Stage::Upgrades(..) => self.upgrades(now),
            Stage::Applies(at) if now >= *at => self.apply(now),
            Stage::Runs if now >= self.again => {
                self.again = Millis::MAX;
                self.stage = Stage::Looks(0);
            }
            _ => {}
        }
        if let Stage::Runs = self.stage {
            self.start_accounts(now);
        }
        self.run_accounts(now);
        if now >= self.next_names {
            self.next_names = Millis::MAX;
            self.names.retry();
        }
        if let Some((to, bytes)) = self.names.poll(now) {
            self.send(names::PORT, to, bytes);
        }
    }
}
