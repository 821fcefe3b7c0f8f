//! The box's brain: everything it decides, nothing it does.
//!
//! [`Gateway`] takes what happened ([`Input`]) and the time, and gives what to do ([`Output`]). It has no socket, no clock, no
//! heap and no randomness of its own: the microcontroller and the simulation drive the same code. See the
//! folder's README for a map.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod analog;
pub mod budget;
mod calls;
mod fnv;
pub mod hub;
mod io;
pub mod keeper;
pub mod lamps;
mod line;
pub mod link;
pub mod lldp;
mod next;
pub mod office;
mod phones;
pub mod power;
pub mod provision;
pub mod registrar;
pub mod storage;
pub mod store;
pub mod trunk;
pub mod uplink;

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use shared::factory::Factory;
use shared::guard::Guard;
use shared::id::{IdKey, IdSet, SessionId};
use shared::record::Stamp;
use shared::site::Site;
use shared::sync::{Alarm, EventBody};
use sip::b2bua::{self, Calls};
use sip::transaction::Timers;
use sip::{Flow, Instant};

pub use analog::{MEASURING, Measured, NotMeasured, Port, Sense, Signal};
pub use calls::Meta;
pub use io::{
    Boot, Input, LineEvent, LineOrder, MediaOutput, Network, Output, Station, TrunkInput, TrunkOutput,
    UplinkInput,
};
pub use storage::Storage;

use analog::Analog;
use hub::Hub;
use keeper::Keeper;
use lamps::Lamps;
use link::Link;
use lldp::Lldp;
use office::Office;
use office::clock::Source;
use power::Power;
use provision::Provision;
use provision::files::Host;
use registrar::Registrar;
use store::{Loaded, Store, Token};
use trunk::Trunk;
use uplink::{Change, Order, Uplink};

/// What the box calls itself; whoever asks learns no version (RFC 3261 §20.35).
pub const AGENT: &str = "Denwaban";

/// How often the other end of a silent dialog is asked whether it is still there.
const PROBE: Duration = Duration::from_secs(60);

const REPLY_MAX: usize = 2_048;

/// How far off the cloud's word about the time may be when it is heard, ms: a slow line, a broker and a queue.
const CLOUD_TIME_ERROR: u32 = 1_000;
/// And that of the machine that the box runs on, ms, which keeps its clock by NTP.
const HOST_TIME_ERROR: u32 = 100;

/// Counted drops and refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that could not be read and could not be answered.
    pub unreadable: u32,
    /// Unreadable requests that got their answer.
    pub faulty: u32,
    /// Keep-alives.
    pub keep_alives: u32,
    /// Answers that did not fit.
    pub overflow: u32,
    /// Orders to the players that were lost.
    pub media: u32,
    /// Bindings, and what else is kept of phones and ports, that could not be stored at once.
    pub unstored: u32,
    /// Answers to REGISTERs that found no room to wait for the flash in.
    pub unheld: u32,
    /// Datagrams that were too long.
    pub oversized: u32,
    /// Words of or about analog lines that are not there, and messages to them that cannot be read.
    pub lines: u32,
    /// Orders for ports with power that are not there, or whose phone was in a call.
    pub power: u32,
}

/// The box.
pub struct Gateway<'s> {
    pub(crate) calls: Calls<'s, Meta>,
    pub(crate) registrar: Registrar<'s>,
    pub(crate) keeper: Keeper<'s>,
    pub(crate) lamps: Lamps<'s>,
    pub(crate) analog: Analog<'s>,
    pub(crate) lldp: Lldp,
    pub(crate) hub: Hub,
    pub(crate) power: Power,
    pub(crate) site: Site,
    pub(crate) trunk: Trunk<'s>,
    pub(crate) link: Link,
    uplink: Uplink<'s>,
    factory: Factory,
    pub(crate) address: Option<Ipv4Addr>,
    media: heapless::Deque<MediaOutput, 16>,
    reply: office::Reply,
    reply_to: Option<Flow>,
    /// The answer of a service that lies in `reply`.
    served: Option<office::Ready>,
    pub(crate) office: &'s mut Office,
    pub(crate) parted: heapless::Vec<phones::Parted, { budget::PARTED }>,
    /// The flow that dialogs over the trunk were last on.
    trunk_flow: Option<Flow>,
    /// Where the search for a free player begins: the one that was free the longest, so that no late word of its end is
    /// taken for the next one's.
    next_player: u8,
    told: IdSet,
    pub(crate) provision: Provision,
    /// Who sent what is being handled.
    pub(crate) from: Host,
    pub(crate) busy: calls::Busy,
    random: u64,
    /// The terminals that called 110, 118 or 119 a short while ago.
    pub(crate) guard: Guard,
    counters: Counters,
}

const _: () = assert!(core::mem::size_of::<Gateway<'static>>() <= budget::BRAIN_MAX);

/// Token of the operations that keep bindings.
const BINDINGS: Token = Token(1);

impl<'s> Gateway<'s> {
    /// A box that has just been switched on. `seed` is fresh randomness of this start.
    pub fn new(storage: Storage<'s>, factory: Factory, seed: [u8; 32]) -> Self {
        let word = |at: usize| {
            let mut bytes = [0; 8];
            for (to, from) in bytes.iter_mut().zip(seed.iter().skip(8 * at)) {
                *to = *from;
            }
            u64::from_le_bytes(bytes)
        };
        let config = b2bua::Config {
            agent: AGENT,
            probe: PROBE,
            timers: Timers::default(),
            transfers: true,
        };
        let storage::Storage {
            calls,
            registrar,
            held,
            lamps,
            trunk,
            uplink,
            ports,
            office,
        } = storage;
        office.seed(&seed);
        let mut calls = Calls::new(calls, [word(0), word(1)], config);
        calls.reserve(
            budget::EMERGENCY_CALLS,
            2 * budget::EMERGENCY_CALLS,
            budget::KEPT_BLOCKS,
        );
        Self {
            calls,
            registrar: Registrar::new(registrar, [word(1), word(2)]),
            keeper: Keeper::new(held),
            lamps: Lamps::new(lamps, [word(2), word(0)]),
            analog: Analog::new(ports, word(1) ^ word(3)),
            lldp: Lldp::new(),
            hub: Hub::new(),
            power: Power::new(budget::POWER_SUPPLY),
            site: Site::EMPTY,
            trunk: Trunk::new(trunk, word(3)),
            link: Link::new(),
            uplink: Uplink::new(uplink, &factory),
            factory,
            address: None,
            media: heapless::Deque::new(),
            reply: heapless::Vec::new(),
            reply_to: None,
            served: None,
            office,
            parted: heapless::Vec::new(),
            trunk_flow: None,
            next_player: 0,
            told: IdSet::EMPTY,
            provision: Provision::new(),
            from: Host::UNKNOWN,
            busy: calls::Busy::new(),
            random: word(2) ^ word(3).rotate_left(17),
            guard: Guard::new(),
            counters: Counters::default(),
        }
    }

    /// Reads what the store holds: configuration, registrations, waiting events; and tells the cloud of the start. `first_boot`
    /// is a random number for a blank memory; settings that are not the brain's (the last lease) are given to `other`.
    pub async fn start<F: MultiwriteNorFlash>(
        &mut self,
        now: Instant,
        store: &mut Store<F>,
        boot: Boot,
        mut other: impl FnMut(store::Key, &[u8]),
    ) -> Result<Loaded, store::Fault> {
        let Self {
            site,
            registrar,
            provision,
            power,
            uplink,
            ..
        } = self;
        let loaded = store
            .load(site, boot.first, |key, bytes| {
                match (key.as_place(), key.as_phone()) {
                    (Some(place), _) => {
                        registrar.restore(now, place, bytes, |_| true);
                    }
                    (None, Some(id)) => provision.phones.restore(id, bytes),
                    (None, None) if key == store::Key::PORTS_OFF => power.restore(bytes),
                    (None, None) if uplink.restore(key, bytes) => {}
                    (None, None) => other(key, bytes),
                }
            })
            .await?;
        self.analog.configure(now, &self.site);
        self.office.start(now, self.site.sys.voice);
        self.office.serve_addresses(now, self.site.sys.dhcp);
        self.find_own_address(now);
        self.told = self.reachable();
        self.trunk.set_boot(loaded.boot);
        let at = self.stamp(now);
        self.uplink.start(now, at, &loaded, &self.site);
        let mut firmware = heapless::String::new();
        // Shorter than 32 characters.
        let _ = firmware.push_str(env!("CARGO_PKG_VERSION"));
        self.tell(
            now,
            EventBody::Boot {
                reason: boot.reason,
                firmware,
            },
        );
        if let Some(panic) = boot.panic {
            self.tell(now, EventBody::Panic(panic));
        }
        self.renew_files(now);
        let site = &self.site;
        self.registrar.retain(|key| site.credential(key).is_some());
        self.told = self.reachable();
        Ok(loaded)
    }

    /// Takes what happened. Poll until nothing is left after each.
    ///
    /// While the configuration changes ([`Gateway::is_between`]), a few milliseconds, only the store's answers may come: whoever runs
    /// the box keeps everything else until then.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Network(network) => self.on_network(now, network),
            Input::Datagram { flow, station, bytes } => {
                self.from = Host::of(station, self.hub.is_there());
                self.on_message(now, flow, bytes);
            }
            Input::Stream { flow, bytes } => {
                self.from = Host::UNKNOWN;
                self.on_stream(now, flow, bytes);
            }
            Input::Tftp {
                peer,
                station,
                is_request,
                bytes,
            } => self.on_tftp(now, (peer, station), is_request, bytes),
            Input::Http { connection, event } => self.on_http(now, connection, event),
            Input::StreamClosed { flow } => self.on_stream_closed(now, flow),
            Input::Trunk(TrunkInput::Connected { local, peer }) => self.trunk.connected(now, local, peer),
            Input::Trunk(TrunkInput::Data(bytes)) => {
                let change = self.trunk.data(now, bytes);
                self.on_trunk(now, change);
            }
            Input::Trunk(TrunkInput::Closed) => {
                let change = self.trunk.closed(now);
                self.on_trunk(now, change);
            }
            Input::Uplink(UplinkInput::Connected) => self.uplink.connected(now),
            Input::Uplink(UplinkInput::Dropped) => {
                self.hub.dropped(now);
                self.uplink.dropped(now);
            }
            Input::Uplink(UplinkInput::Disconnected) => self.uplink.disconnected(now),
            Input::Uplink(UplinkInput::Message { topic, payload }) => {
                let wall = self.office.clock().unix_ms(now);
                let was_welcomed = self.uplink.is_welcomed();
                match self.uplink.message(now, wall, topic, payload) {
                    Some(Order::TestLine(order)) => self.on_test_line(now, order),
                    Some(Order::Hub(order)) => self.on_hub_order(now, order),
                    None => {}
                }
                if self.uplink.is_welcomed() && !was_welcomed {
                    self.hub.welcomed(now);
                }
                if let Some(unix_ms) = self.uplink.told_time() {
                    self.office
                        .tell_time(now, Source::Cloud, unix_ms, CLOUD_TIME_ERROR);
                }
            }
            Input::Stored(done) => self.on_stored(now, done),
            Input::Unreachable(address) => {
                self.calls.unreachable(now, address);
                if let IpAddr::V4(address) = address {
                    self.office.unreachable(address);
                }
            }
            Input::Service { port, from, bytes } => {
                let realm = &self.site.sys.realm;
                self.served = self
                    .office
                    .receive(now, port, from, bytes, realm, &mut self.reply);
            }
            Input::DhcpServer { interface, address } => self.office.other_dhcp(now, interface, address),
            Input::Played { player } => self.on_played(now, player),
            Input::Line { line, event } => self.on_line(now, line, event),
            Input::Hub { mac } => {
                self.hub.mac = Some(mac);
                self.office.set_mac(mac);
            }
            Input::Link { port, link } => self.on_hub_link(now, port, link),
            Input::Lldp { port, bytes } => self.on_lldp(now, port, bytes),
            Input::Power(reading) => self.on_power(now, reading.as_ref()),
            Input::WallClock { unix_ms } => {
                self.office.tell_time(now, Source::Host, unix_ms, HOST_TIME_ERROR)
            }
        }
        self.touch_hub(now);
    }

    fn on_stored(&mut self, now: Instant, done: store::Done) {
        if done.token == BINDINGS {
            self.on_put(now, done.result.is_ok());
        } else if done.token == provision::TOKEN {
            self.on_given(now, done.result.is_ok());
        } else if done.token == power::TOKEN {
            self.power.stored(now, done.result.is_ok());
            self.counters.unstored += u32::from(done.result.is_err());
        } else {
            if self.uplink.is_about_to_read() {
                self.lamps.remember(&self.site);
            }
            match self.uplink.stored(now, done, &mut self.site) {
                Change::Nothing | Change::Committed => return,
                Change::Firmware => return self.renew_files(now),
                Change::Replaced => {}
            }
            if self.uplink.is_lost() {
                let alarm = Alarm::ConfigUnreadable;
                self.tell(now, EventBody::Alarm { alarm, raised: true });
            }
            // Calls go on as they are; the next one follows the new configuration.
            self.lamps.rename(&self.site);
            self.renew_files(now);
            let site = &self.site;
            self.registrar.retain(|key| site.credential(key).is_some());
            self.keeper.retain(|key| site.credential(key).is_some());
            self.configure_ports(now);
            self.office.serve_addresses(now, self.site.sys.dhcp);
        }
    }

    /// Is this the trunk's connection?
    pub(crate) fn is_trunk(&self, flow: Flow) -> bool {
        flow.interface == trunk::INTERFACE
    }

    pub(crate) fn media(&mut self, output: MediaOutput) {
        if self.media.push_back(output).is_err() {
            self.counters.media += 1;
        }
    }

    /// Writes an event down; it reaches the cloud's database exactly once.
    pub(crate) fn tell(&mut self, now: Instant, body: EventBody) {
        let at = self.stamp(now);
        // A full queue is counted, and told to the cloud, by the uplink.
        let _ = self.uplink.event(now, at, body);
    }

    pub(crate) fn stamp(&self, now: Instant) -> Stamp {
        Stamp {
            mono: now.as_millis(),
            unix: self.office.clock().unix_ms(now),
        }
    }

    /// SplitMix64; for names that must be unique, not secret.
    pub(crate) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn new_session(&mut self) -> SessionId {
        let (high, low) = (self.random(), self.random());
        let mut bytes = [0; 16];
        for (to, from) in bytes
            .iter_mut()
            .zip(high.to_be_bytes().into_iter().chain(low.to_be_bytes()))
        {
            *to = from;
        }
        SessionId::from_random(bytes)
    }

    /// Ends all calls: the box is to be stopped. Poll until nothing is left.
    pub fn release_all(&mut self, now: Instant) {
        let next = |calls: &Calls<'_, Meta>| calls.iter().next().map(|(call, ..)| call);
        while let Some(call) = next(&self.calls) {
            self.calls.release(now, call, None);
        }
    }

    /// The configuration is the one that is committed: not one that is on its way, and may be refused yet.
    pub fn is_settled(&self) -> bool {
        self.uplink.is_settled()
    }

    /// Whether the configuration is neither the old one nor the new one at this moment.
    pub fn is_between(&self) -> bool {
        self.uplink.is_between()
    }

    /// The configuration in use.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The line to the cloud.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The room of calls in use.
    pub fn usage(&self) -> sip::b2bua::Usage {
        self.calls.usage()
    }

    /// What went wrong on the trunk.
    pub fn trunk_counters(&self) -> trunk::Counters {
        self.trunk.counters()
    }

    /// What went wrong with calls; refusals for want of room among it.
    pub fn call_counters(&self) -> b2bua::Counters {
        self.calls.counters()
    }

    /// What went wrong with registrations and credentials.
    pub fn registrar_counters(&self) -> registrar::Counters {
        self.registrar.counters()
    }

    /// Subscriptions of the phones, and what became of their NOTIFYs.
    pub fn lamps(&self) -> (usize, sip::events::Counters) {
        (self.lamps.len(), self.lamps.counters())
    }

    /// Names, time, logs and addresses of the office.
    pub fn office(&self) -> &Office {
        self.office
    }

    /// Counted drops and refusals.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What went wrong with transactions.
    pub fn transaction_counters(&self) -> sip::transaction::Counters {
        self.calls.transaction_counters()
    }

    /// What went wrong with configuration and events.
    pub fn uplink_counters(&self) -> uplink::Counters {
        self.uplink.counters()
    }

    /// Events in the flash queue.
    pub fn queued(&self) -> u32 {
        self.uplink.queued()
    }

    /// Whether something is on its way into the flash.
    pub fn is_writing(&self) -> bool {
        self.keeper.is_writing()
            || self.provision.phones.is_writing()
            || self.power.is_writing()
            || self.uplink.is_writing()
    }

    /// Phones that are registered and can be reached.
    pub fn bindings(&self) -> usize {
        self.registrar.iter().filter(|b| b.is_reachable()).count()
    }

    /// Whether a phone is registered by this flow.
    pub fn is_bound(&self, flow: &Flow) -> bool {
        self.registrar.iter().any(|b| b.flow() == *flow)
    }

    /// Analog ports whose telephone is on hook, and that have no call.
    pub fn idle_ports(&self) -> usize {
        self.analog.idle()
    }

    /// IDs that are in a call.
    pub fn busy(&self) -> impl Iterator<Item = IdKey> {
        self.busy.set().iter()
    }

    /// IDs that have a registered phone, or a telephone at a port.
    pub fn registered(&self) -> impl Iterator<Item = IdKey> {
        self.reachable().iter()
    }
}
