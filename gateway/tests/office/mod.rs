//! An office for the tests: the box with its store, phones that write and read their messages by string alone, a scripted
//! cloud, and a clock that moves only when told to.
#![allow(dead_code, unused_imports)]

mod cloud;
#[path = "../common/mod.rs"]
mod common;
pub mod files;
mod mqtt;
mod phone;
mod telephone;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use gateway::budget::{SIP_PORT, STREAM_MAX};
use gateway::office::{Subnet, To};
use gateway::power::PortOrder;
use gateway::storage::BoxStorage;
use gateway::store::map::PHONE_FIRMWARE;
use gateway::store::ram::{RamNor, run};
use gateway::store::{Done, Fault, Op, Reply, Store, Token};
use gateway::{
    Boot, Gateway, Input, LineOrder, MediaOutput, Network, Output, Station, TrunkInput, TrunkOutput,
};
use shared::record::CallLeg;
use shared::site::{Credential, Id, Rep, Site, Sys};
use shared::sync::{BootReason, Event, EventBody, Message as _};
use shared::{BoxId, ContractId, Factory, IdKey, IdSet, Number, SiteId, TerminalKind};
use sip::{Flow, Instant, Transport};

pub use sip::b2bua::Usage;

pub use cloud::{Cloud, carrier};
pub use phone::{Dialog, OFFER, Phone, Seen, answer, offer};
pub use telephone::plug;

/// The realm of the office.
pub const REALM: &str = "office.example";
/// The representative number; its group holds all phones.
pub const REP: &str = "0312345678";
/// Where the box is.
pub const BOX: &str = "192.168.1.1:5060";
/// Where the cloud is.
pub const CLOUD: &str = "198.51.100.1:5060";

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The way from a phone's address.
pub fn flow(from: SocketAddr) -> Flow {
    Flow {
        transport: Transport::Udp,
        interface: 0,
        stream: 0,
        peer: from,
        local: address(BOX),
    }
}

pub fn factory() -> Factory {
    Factory {
        box_id: BoxId(77),
        secret: [0xA5; 32],
        cloud_host: "cloud.example".try_into().unwrap(),
        sip_port: 5060,
        mqtt_port: 1883,
        realm: "trunk.example".try_into().unwrap(),
        config_key: salty::Keypair::from(&[1; 32]).public.compressed.0,
    }
}

/// An office with so many phones: extension 200 + n, direct number 03-1234-00nn, password `secret-n`, outgoing calls with the
/// representative number.
pub fn site(phones: u16, channels: u8) -> Site {
    let mut site = Site {
        sys: Sys {
            contract: ContractId(1),
            site: SiteId(1),
            channels,
            realm: REALM.try_into().unwrap(),
            ..Sys::default()
        },
        ..Site::default()
    };
    let rep = Number::parse(REP).unwrap();
    for index in 0..phones {
        let key = IdKey::new(index).unwrap();
        let phone = Phone::new(index);
        let direct = Number::parse(&phone.user).unwrap();
        let id = Id {
            key,
            direct,
            extension: (200 + u32::from(index)).try_into().unwrap(),
            direct_in: true,
            direct_out: true,
            label: format!("Phone {index}").as_str().try_into().unwrap(),
            kind: TerminalKind::Fixed,
            outgoing: rep,
            site: site.sys.site,
            port: None,
            phone: None,
        };
        site.ids.push(id).unwrap();
        let credential = Credential {
            key,
            ha1_md5: phone.ha1_md5().try_into().unwrap(),
            ha1_sha256: phone.ha1_sha256().try_into().unwrap(),
        };
        site.credentials.push(credential).unwrap();
    }
    let members: IdSet = site.ids.iter().map(|id| id.key).collect();
    let rep = Rep {
        number: rep,
        label: "Front desk".try_into().unwrap(),
        members,
        ring: members,
        sub_cap: None,
    };
    site.reps.push(rep).unwrap();
    site.validate().unwrap();
    site
}

type Flash = RamNor<Vec<u8>>;

/// Bytes of it: up to some of the phones' firmware.
const FLASH: usize = PHONE_FIRMWARE.start as usize + 0x2_0000;

/// The box, and everything around it.
pub struct Office {
    pub now: u64,
    /// Where the box is.
    own: SocketAddr,
    pub gateway: Gateway<'static>,
    store: Store<Flash>,
    /// Messages that left the box and that nobody expected yet.
    pub seen: VecDeque<Seen>,
    pub media: VecDeque<MediaOutput>,
    /// What the analog lines were told, and when: time, index of the line, what.
    pub lines: VecDeque<(u64, u8, LineOrder)>,
    /// What its services sent: from which port, to whom, what.
    pub served: VecDeque<(u16, To, Vec<u8>)>,
    /// Warnings of phones.
    pub logged: VecDeque<String>,
    /// What LLDP said at the ports of the hub.
    pub lldp: Vec<(u8, Vec<u8>)>,
    /// What the controller of the ports with power was told.
    pub power: VecDeque<(u8, PortOrder)>,
    /// What was written down for the cloud, by identity.
    pub events: Vec<EventBody>,
    pub cloud: Cloud,
    /// The store takes its time with bindings: they wait for [`Office::flash`].
    pub slow: bool,
    writing: Option<(Token, Op)>,
    /// The store fails.
    pub broken: bool,
    /// The store says that it has stored, and forgets.
    pub forgetful: bool,
    /// The flash has no room for events.
    pub full: bool,
    /// Operations that reached the store.
    pub stored: usize,
    /// What was published on MQTT.
    pub published: Vec<(String, Vec<u8>)>,
    /// Datagrams to these addresses are not printed or kept: for floods.
    pub deaf: bool,
    /// Who has which address, as the network tells.
    pub stations: HashMap<IpAddr, Station>,
    /// Packets of TFTP that left the box.
    pub tftp: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Answers on the connections for files, in whole.
    pub answers: VecDeque<(u8, String)>,
    /// Whoever fetches firmware takes its time: it is on its way until [`Office::fetch_answer`] is called.
    pub slow_download: bool,
    poll: Vec<u8>,
}

impl Office {
    /// A box with the site in its flash, on the office network, cut off from the cloud.
    pub fn new(site: &Site) -> Self {
        let mut store = Store::new(RamNor::new(vec![0xFF; FLASH]));
        run(store.load(&mut Site::default(), 1, |_, _| {})).unwrap();
        for op in common::commit_ops(site, 1) {
            run(store.execute(Token(9), &op)).result.unwrap();
        }
        Self::start(store)
    }

    /// Phones 0 to n - 1 are registered.
    pub fn with_phones(phones: u16) -> Self {
        let mut office = Self::new(&site(phones, phones.max(8) as u8));
        for index in 0..phones {
            office.register(&Phone::new(index));
        }
        office
    }

    /// The same, and the line to the cloud is up.
    pub fn online(phones: u16) -> Self {
        let mut office = Self::with_phones(phones);
        office.connect();
        office.events.clear();
        office
    }

    /// A box as it comes from the factory.
    pub fn blank() -> Self {
        Self::start(Store::new(RamNor::new(vec![0xFF; FLASH])))
    }

    fn start(mut store: Store<Flash>) -> Self {
        let storage: &'static mut BoxStorage = Box::leak(Box::new(BoxStorage::new()));
        let mut gateway = Gateway::new(storage.lend(), factory(), [7; 32]);
        let boot = Boot {
            first: 40,
            reason: BootReason::PowerOn,
            panic: None,
        };
        let now = 1_000;
        run(gateway.start(Instant(now), &mut store, boot, |_, _| {})).unwrap();
        let mut office = Self {
            now,
            own: address(BOX),
            gateway,
            store,
            seen: VecDeque::new(),
            media: VecDeque::new(),
            lines: VecDeque::new(),
            served: VecDeque::new(),
            logged: VecDeque::new(),
            lldp: Vec::new(),
            power: VecDeque::new(),
            events: Vec::new(),
            cloud: Cloud::default(),
            slow: false,
            writing: None,
            broken: false,
            forgetful: false,
            full: false,
            stored: 0,
            published: Vec::new(),
            deaf: false,
            stations: HashMap::new(),
            tftp: VecDeque::new(),
            answers: VecDeque::new(),
            slow_download: false,
            poll: vec![0; STREAM_MAX],
        };
        let subnet = Subnet::host([192, 168, 1, 1].into());
        office.handle(Input::Network(Network::Up(subnet)));
        office
    }

    /// The power goes and comes back: nothing but the flash survives.
    pub fn restart(self) -> Self {
        self.restart_after(|_| {})
    }

    /// The same, and something happened to the flash meanwhile.
    pub fn restart_after(self, harm: impl FnOnce(&mut [u8])) -> Self {
        let mut store = self.store;
        let mut flash = store.flash().clone();
        harm(flash.bytes_mut());
        Self::start(Store::new(flash))
    }

    pub fn instant(&self) -> Instant {
        Instant(self.now)
    }

    /// Something happens, with everything it causes.
    pub fn handle(&mut self, input: Input<'_>) {
        brain_handles(&mut self.gateway, self.now, input);
        self.drain();
    }

    /// Polls until there is nothing more to do at this moment.
    pub fn drain(&mut self) {
        for _ in 0..100_000 {
            let mut done = None;
            let mut trunk: Option<TrunkDid> = None;
            let mut answer = None;
            match brain_polls(&mut self.gateway, self.now, &mut self.poll) {
                None => {
                    let next = self.gateway.next_deadline();
                    assert!(
                        next.is_none_or(|at| at > Instant(self.now)),
                        "nothing to do at {}, but a deadline at {next:?}",
                        self.now
                    );
                    return;
                }
                Some(Output::Transmit { flow, bytes }) => {
                    assert_eq!((flow.transport, flow.local), (Transport::Udp, self.own));
                    if !self.deaf {
                        self.seen.push_back(Seen::new(self.now, flow.peer, bytes));
                    }
                }
                Some(Output::Tftp { to, bytes, .. }) => self.tftp.push_back((to, bytes.to_vec())),
                Some(Output::Http { connection }) => answer = Some(connection),
                Some(Output::Trunk(TrunkOutput::Send(bytes))) => trunk = Some(TrunkDid::Sent(bytes.to_vec())),
                Some(Output::Trunk(TrunkOutput::Connect)) => trunk = Some(TrunkDid::Connect),
                Some(Output::Trunk(TrunkOutput::Close)) => trunk = Some(TrunkDid::Close),
                Some(Output::Media(media)) => self.media.push_back(media),
                Some(Output::Service { port, to, bytes }) => {
                    self.served.push_back((port, to, bytes.to_vec()))
                }
                Some(Output::Log(log)) => self.logged.push_back(log.text.as_str().into()),
                Some(Output::Line { line, order }) => self.lines.push_back((self.now, line, order)),
                Some(Output::Lldp { port, bytes }) => self.lldp.push((port, bytes.to_vec())),
                Some(Output::Power { port, order }) => self.power.push_back((port, order)),
                Some(Output::Publish { topic, payload }) => {
                    self.published.push((topic.as_str().into(), payload.to_vec()));
                }
                Some(Output::Reconnect) => self.published.push(("reconnect".into(), Vec::new())),
                Some(Output::Store(token, op)) => done = Some((token, op)),
            }
            match done {
                Some(put @ (_, Op::Put { .. })) if self.slow => {
                    assert_eq!(self.writing.replace(put), None, "one at a time");
                }
                Some((token, op)) => self.execute(token, &op),
                None => {}
            }
            if let Some(did) = trunk {
                self.on_trunk(did);
            }
            if let Some(connection) = answer {
                self.fetch_answer(connection);
            }
        }
        panic!("it never ends");
    }

    fn execute(&mut self, token: Token, op: &Op) {
        self.stored += 1;
        let done = if self.broken || self.forgetful {
            let result = match self.broken {
                true => Err(Fault::Flash),
                false => Ok(Reply::Stored),
            };
            Done { token, result }
        } else {
            match op {
                Op::PushEvent(_) if self.full => {
                    let result = Ok(Reply::Full);
                    Done { token, result }
                }
                Op::PushEvent(event) => {
                    self.events.push(Event::decode(event).unwrap().body);
                    run(self.store.execute(token, op))
                }
                _ => run(self.store.execute(token, op)),
            }
        };
        brain_handles(&mut self.gateway, self.now, Input::Stored(done));
    }

    /// A slow store comes to the end of a write; false: there is none.
    pub fn flash(&mut self) -> bool {
        let Some((token, op)) = self.writing.take() else {
            return false;
        };
        self.execute(token, &op);
        self.drain();
        true
    }

    /// The time passes; what is due on the way is done at its moment.
    pub fn wait(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(next) = self.gateway.next_deadline().filter(|at| at.0 <= end) {
            self.now = self.now.max(next.0);
            self.drain();
        }
        self.now = end;
        self.drain();
    }

    /// The time passes until this is so, which must be within `limit` milliseconds.
    #[track_caller]
    pub fn until(&mut self, limit: u64, is_so: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !is_so(self) {
            assert!(self.now < end, "not within {limit} ms");
            self.wait(100);
        }
    }

    /// The router gives the box another address.
    pub fn renumber(&mut self, ip: &str) {
        self.own.set_ip(ip.parse().unwrap());
        let IpAddr::V4(address) = self.own.ip() else {
            panic!()
        };
        self.handle(Input::Network(Network::Up(Subnet::host(address))));
    }

    /// A phone, or anybody, sends the box a datagram.
    pub fn rx(&mut self, from: SocketAddr, text: &str) {
        self.rx_bytes(from, text.as_bytes());
    }

    pub fn rx_bytes(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.handle(Input::Datagram {
            flow: Flow {
                local: self.own,
                ..flow(from)
            },
            station: self.stations.get(&from.ip()).copied(),
            bytes,
        });
    }

    /// The cloud sends the box bytes.
    pub fn trunk_rx(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(gateway::trunk::CHUNK_MAX) {
            self.handle(Input::Trunk(TrunkInput::Data(chunk)));
        }
    }

    /// A message to wherever this one came from.
    pub fn reply(&mut self, to: &Seen, text: &str) {
        if to.peer == address(CLOUD) {
            self.trunk_rx(text.as_bytes());
        } else {
            self.rx(to.peer, text);
        }
    }

    /// The next message to this address, which must be this.
    #[track_caller]
    pub fn expect(&mut self, peer: SocketAddr, what: &str) -> Seen {
        let Some(place) = self.seen.iter().position(|seen| seen.peer == peer) else {
            panic!("nothing for {peer}, {what} was expected; {:#?}", self.seen);
        };
        let seen = self.seen.remove(place).unwrap();
        assert_eq!(seen.what(), what, "{}", seen.text);
        seen
    }

    /// Nothing else left the box.
    #[track_caller]
    pub fn quiet(&mut self) {
        assert!(self.seen.is_empty(), "unexpected: {:#?}", self.seen);
    }

    /// The records of calls written since the last time.
    pub fn records(&mut self) -> Vec<CallLeg> {
        let (records, others) = core::mem::take(&mut self.events)
            .into_iter()
            .partition::<Vec<_>, _>(|event| matches!(event, EventBody::CallLeg(_)));
        self.events = others;
        records
            .into_iter()
            .map(|event| match event {
                EventBody::CallLeg(leg) => leg,
                _ => unreachable!(),
            })
            .collect()
    }

    /// The room of calls in use.
    pub fn usage(&self) -> Usage {
        self.gateway.usage()
    }

    /// No leg, call or transaction is left once all timers of the transactions are over.
    #[track_caller]
    pub fn nothing_left(&mut self) {
        self.wait(70_000);
        self.seen.clear();
        assert_eq!(self.usage(), Usage::default());
        assert_eq!(self.gateway.busy().count(), 0);
        assert_eq!(self.gateway.counters().overflow, 0);
        assert_eq!(self.gateway.counters().media, 0);
    }
}

/// The brain at work, apart from everything around it: what is counted where instructions are counted.
#[inline(never)]
fn brain_handles(gateway: &mut Gateway<'_>, now: u64, input: Input<'_>) {
    gateway.handle(Instant(now), input);
}

#[inline(never)]
fn brain_polls<'b>(gateway: &'b mut Gateway<'_>, now: u64, buffer: &'b mut [u8]) -> Option<Output<'b>> {
    gateway.poll(Instant(now), buffer)
}

/// What the box did with its connection to the cloud.
pub enum TrunkDid {
    Connect,
    Close,
    Sent(Vec<u8>),
}

const _: () = assert!(SIP_PORT == 5060);
