//! Phones configure themselves from the box: they find it ([`pnp`], DHCP), fetch their files over [`http`] or [`tftp`], and are
//! told when these have changed (`sync`).
//!
//! Which file a name means is read in [`name`]; who may have it, and with which password, is decided in [`phones`]; what it says
//! is written in [`mod@file`], a piece at a time ([`window`]).

pub mod file;
pub mod files;
mod grandstream;
mod guests;
pub mod http;
mod intruders;
mod log;
pub mod name;
mod panasonic;
pub mod phones;
pub mod pnp;
mod secret;
mod strangers;
mod sync;
pub mod tftp;
pub mod window;

use core::net::{IpAddr, SocketAddr};
use core::num::NonZeroU8;
use core::time::Duration;

use heapless::Vec;
use shared::factory::Factory;
use shared::hub::{FetchRefusal, Phone, PortPower};
use shared::id::{IdKey, IdSet};
use shared::site::{Credential, Id, Site};
use shared::sync::{Alarm, EventBody, PhoneSecret, PowerOrder, Waiting};
use sip::digest::Ha1;
use sip::{Flow, Instant, Message, Name};

use crate::budget::{DOWNLOADS, HTTP_CONNECTIONS};
use crate::store::Token;
use crate::{Gateway, Station};
use files::{Client, Host};
use guests::Guests;
use intruders::Intruders;
use phones::{File, Here, Phones, Shelf};
use strangers::Turn;
use sync::Sync;

/// A phone that is told to ask for its firmware again has so long until the next one is told.
const DOWNLOAD_PACE: Duration = Duration::from_secs(5);

/// Token of the operations that keep what phones were given.
pub(crate) const TOKEN: Token = Token(2);

/// What flash holds of a claim when it is not known any more what was given on it: the next password would be one that was made before.
pub(crate) fn unknown(claim: u16) -> [u8; secret::STORED] {
    let state = secret::State::Spent;
    let record = secret::Record::new(claim);
    secret::Record { state, ..record }.store()
}

/// Everything about phones' files.
pub(crate) struct Provision {
    pub phones: Phones,
    pub sync: Sync,
    tftp: tftp::Server<File>,
    http: [http::Connection<File>; HTTP_CONNECTIONS],
    guests: Guests,
    /// A NOTIFY to a phone that is not registered: where the box is, or that it is claimed.
    notify: Vec<u8, { pnp::NOTIFY_MAX }>,
    notify_to: Option<Flow>,
    intruders: Intruders,
    /// Not before this moment is a phone told that was turned away.
    next_download: Instant,
    /// Whose secrets the cloud was told and may not have: the queue to it was never empty since.
    told: IdSet,
    /// Those that are told again, because there was no room in it.
    tell_again: IdSet,
    /// Events that were refused until then.
    refused: u32,
}

impl Provision {
    pub const fn new() -> Self {
        Self {
            phones: Phones::new(),
            sync: Sync::new(),
            tftp: tftp::Server::new(),
            http: [const { http::Connection::new() }; HTTP_CONNECTIONS],
            guests: Guests::new(),
            notify: Vec::new(),
            notify_to: None,
            intruders: Intruders::new(),
            next_download: Instant::ZERO,
            told: IdSet::EMPTY,
            tell_again: IdSet::EMPTY,
            refused: 0,
        }
    }

    /// Files, and who sends them.
    fn parts<'a>(
        &'a mut self,
        site: &'a Site,
        factory: &'a Factory,
        here: Here,
    ) -> (
        Shelf<'a>,
        &'a mut tftp::Server<File>,
        &'a mut [http::Connection<File>],
    ) {
        let files = self.http.iter().filter_map(http::Connection::file);
        let downloads = files.filter(|file| file.is_firmware()).count();
        let shelf = Shelf {
            phones: &mut self.phones,
            site,
            factory,
            here,
            no_downloads: (downloads >= DOWNLOADS).then_some(FetchRefusal::Busy),
        };
        (shelf, &mut self.tftp, &mut self.http)
    }

    /// `must_wait`: the store is kept busy by others.
    pub fn next_deadline(&self, must_wait: bool) -> Option<Instant> {
        let all = [
            self.tftp.next_deadline(),
            self.phones.next_deadline().filter(|_| !must_wait),
            self.sync.next_deadline(),
            self.guests.next_deadline(),
            self.phones.strangers.next_deadline(),
        ];
        all.into_iter().flatten().min()
    }
}

/// Something on one of the connections for files.
#[derive(Debug)]
pub enum HttpEvent<'a> {
    /// It is open.
    Opened {
        /// From there.
        peer: IpAddr,
        /// From whom, where the box can tell.
        station: Option<Station>,
    },
    /// Bytes came.
    Data(&'a [u8]),
    /// It is closed.
    Closed,
}

impl Gateway<'_> {
    /// The box as phones see it: in the voice network, where there is one since it started.
    fn here(&self) -> Here {
        Here {
            address: self.office.phones_address(),
            has_hub: self.hub.is_there(),
            firmware: self.uplink.firmware(),
        }
    }

    pub(crate) fn on_tftp(
        &mut self,
        now: Instant,
        from: (SocketAddr, Option<Station>),
        is_request: bool,
        bytes: &[u8],
    ) {
        let here = self.here();
        let (mut shelf, tftp, _) = self.provision.parts(&self.site, &self.factory, here);
        // Its blocks are read where they are written.
        shelf.no_downloads = Some(FetchRefusal::NotFound);
        tftp.receive(now, &mut shelf, from, is_request, bytes);
        let (_, station) = from;
        self.fed_phone_fetched(now, Host::of(station, self.hub.is_there()));
    }

    pub(crate) fn on_http(&mut self, now: Instant, index: u8, event: HttpEvent<'_>) {
        let here = self.here();
        let (mut shelf, _, connections) = self.provision.parts(&self.site, &self.factory, here);
        let Some(connection) = connections.get_mut(usize::from(index)) else {
            return;
        };
        match event {
            HttpEvent::Opened { peer: ip, station } => {
                self.open_connection(now, index, Client { ip, station });
            }
            HttpEvent::Data(bytes) => {
                connection.receive(now, &mut shelf, bytes);
                self.provision.guests.asks(now, index);
                self.hear_fetches(now);
            }
            HttpEvent::Closed => {
                connection.close();
                self.provision.guests.set(now, index, None);
            }
        }
    }

    /// A station has one connection. Who opens another is done with the first, or starts anew: that one is closed. But not while it
    /// fetches firmware, which would be for nothing.
    fn open_connection(&mut self, now: Instant, index: u8, client: Client) {
        let Provision { guests, http, .. } = &mut self.provision;
        let Some(connection) = http.get_mut(usize::from(index)) else {
            return;
        };
        connection.open(client);
        guests.set(now, index, Some(client));
        let Some(other) = guests.other(index, client) else {
            return;
        };
        let file = http.get(usize::from(other)).and_then(http::Connection::file);
        let is_download = file.is_some_and(File::is_firmware);
        self.end_connection(if is_download { index } else { other });
    }

    /// Closes a connection, whatever is on it.
    fn end_connection(&mut self, index: u8) {
        if let Some(connection) = self.provision.http.get_mut(usize::from(index)) {
            connection.close();
            self.provision.guests.end(index);
        }
    }

    /// The phones that files go to live, though their SIP may be silent: it is while firmware is fetched.
    pub(crate) fn hear_fetches(&mut self, now: Instant) {
        for index in 0..HTTP_CONNECTIONS as u8 {
            if let Some(client) = self.provision.guests.asking(index) {
                self.fed_phone_fetched(now, Host::of(client.station, self.hub.is_there()));
            }
        }
    }

    /// Writes the next bytes of the answer on one of the connections for files, once [`crate::Output::Http`] said that there
    /// is one. All of what is given counts as sent.
    pub fn answer(&mut self, connection: u8, buffer: &mut [u8]) -> http::Next {
        if self.provision.guests.is_ended(connection) {
            return http::Next::Close;
        }
        let here = self.here();
        let (mut shelf, _, connections) = self.provision.parts(&self.site, &self.factory, here);
        match connections.get_mut(usize::from(connection)) {
            Some(connection) => connection.poll(&mut shelf, buffer),
            None => http::Next::Close,
        }
    }

    /// A connection for files whose answer can be had, or that is to be closed.
    pub(crate) fn next_answer(&mut self, now: Instant) -> Option<u8> {
        if let Some(overdue) = self.provision.guests.overdue(now) {
            self.end_connection(overdue);
        }
        if let Some(ended) = self.provision.guests.next_ended() {
            return Some(ended);
        }
        let here = self.here();
        let (shelf, _, connections) = self.provision.parts(&self.site, &self.factory, here);
        let mut all = (0..).zip(connections);
        all.find_map(|(index, connection)| connection.is_news(&shelf).then_some(index))
    }

    /// The next packet of TFTP.
    pub(crate) fn poll_tftp(&mut self, now: Instant, buffer: &mut [u8]) -> Option<tftp::Packet> {
        let here = self.here();
        let (shelf, tftp, _) = self.provision.parts(&self.site, &self.factory, here);
        tftp.poll(now, &shelf, buffer)
    }

    /// Tells the cloud what became of the phones' firmware. False: nothing.
    pub(crate) fn tell_firmware(&mut self, now: Instant) -> bool {
        match self.uplink.firmware_news() {
            Some(body) => self.tell(now, body),
            None => return false,
        }
        true
    }

    /// When the next phone is told that was turned away from its firmware, as soon as there is a connection for it.
    pub(crate) fn next_download(&self) -> Option<Instant> {
        let files = self.provision.http.iter().filter_map(http::Connection::file);
        let is_free = files.filter(|file| file.is_firmware()).count() < DOWNLOADS;
        (is_free && !self.provision.phones.turned_away.is_empty()).then_some(self.provision.next_download)
    }

    /// Tells a phone that was turned away from its firmware to ask again. False: none, or not yet.
    pub(crate) fn call_back(&mut self, now: Instant) -> bool {
        let is_time = self.next_download().is_some_and(|at| at <= now);
        let Provision {
            phones,
            sync,
            next_download,
            ..
        } = &mut self.provision;
        let Some(key) = phones.turned_away.iter().next().filter(|_| is_time) else {
            return false;
        };
        phones.turned_away.remove(key);
        *next_download = now + DOWNLOAD_PACE;
        sync.order(IdSet::one(key));
        true
    }

    /// Tells the cloud of one fetch, as long as there is room for what matters more. False: there was none.
    pub(crate) fn poll_fetches(&mut self, now: Instant) -> bool {
        if !self.uplink.has_room() {
            return false;
        }
        match self.provision.phones.log.poll(now) {
            Some(body) => self.tell(now, body),
            None => return false,
        }
        true
    }

    /// When it is told at the latest how many fetches were left out.
    pub(crate) fn fetches_deadline(&self) -> Option<Instant> {
        let deadline = self.provision.phones.log.next_deadline();
        deadline.filter(|_| self.uplink.has_room())
    }

    /// A phone asks for its profile. False: it is about something else.
    pub(crate) fn on_profile(&mut self, flow: Flow, message: &Message<'_>) -> bool {
        let package = message.header(Name::Event).and_then(sip::events::Event::parse);
        if !package.is_some_and(|event| event.is(pnp::PACKAGE)) {
            return false;
        }
        // Many ask by multicast whom it does not concern: somebody else may answer.
        let (Some(maker), Some(address)) = (pnp::maker(message), self.here().address) else {
            return true;
        };
        let branch = self.random();
        let Provision {
            notify, notify_to, ..
        } = &mut self.provision;
        let _ = notify.resize(pnp::NOTIFY_MAX, 0);
        let Some(len) = pnp::notify(maker, &flow, message, address.into(), branch, notify) else {
            self.counters.overflow += 1;
            return true;
        };
        notify.truncate(len);
        *notify_to = Some(flow);
        self.reply(flow, message, 200, |w| {
            w.header(Name::Expires, 0);
            w.header(Name::Contact, format_args!("<sip:{}>", flow.local));
        });
        true
    }

    /// A write of what a phone was given has ended.
    pub(crate) fn on_given(&mut self, now: Instant, is_stored: bool) {
        if let Some(key) = self.provision.phones.stored(now, is_stored) {
            self.use_password(now, key);
        }
        self.counters.unstored += u32::from(!is_stored);
        self.provision.tftp.look(now);
    }

    /// The password that an ID's phone was given is the ID's from now on, and the cloud is told if it does not know. In place of
    /// what the configuration says: it may be older.
    fn use_password(&mut self, now: Instant, key: IdKey) {
        // Of a configuration that is being read this is done when it is there.
        if self.is_between() {
            return;
        }
        let Some(secret) = self.secret(key) else { return };
        let credential = Credential {
            key,
            ha1_md5: secret.ha1_md5,
            ha1_sha256: secret.ha1_sha256,
        };
        let credentials = &mut self.site.credentials;
        let at = credentials.partition_point(|other| other.key < key);
        match credentials.get_mut(at).filter(|other| other.key == key) {
            Some(known) if *known == credential => return,
            Some(known) => *known = credential,
            // One an ID: there is room.
            None => _ = credentials.insert(at, credential),
        }
        self.tell_secret(now, secret);
    }

    /// What the cloud is told of the password that the box gave an ID's phone.
    fn secret(&self, key: IdKey) -> Option<PhoneSecret> {
        let id = self.site.id(key).filter(|id| self.site.is_here(id))?;
        let phone = id.phone?;
        let (password, serial) = self.provision.phones.password(&self.factory, key, phone)?;
        let ha1 = Ha1::from_password(
            id.user().as_bytes(),
            self.site.sys.realm.as_bytes(),
            password.as_bytes(),
        );
        Some(PhoneSecret {
            key,
            claim: phone.claim,
            serial,
            ha1_md5: ha1.md5,
            ha1_sha256: ha1.sha256,
        })
    }

    fn tell_secret(&mut self, now: Instant, secret: PhoneSecret) {
        self.provision.told.insert(secret.key);
        self.tell(now, EventBody::PhoneSecret(secret));
    }

    /// Tells secrets again that may be among the events that were refused: without them the cloud would not know the phone for good.
    /// False: there is none, or no room yet.
    pub(crate) fn retell_secret(&mut self, now: Instant) -> bool {
        let refused = self.uplink.counters().refused;
        let Provision {
            told,
            tell_again,
            refused: known,
            ..
        } = &mut self.provision;
        if *known == refused {
            if self.uplink.is_empty() {
                *told = IdSet::EMPTY;
            }
        } else if self.uplink.has_room() {
            *tell_again = tell_again.union(core::mem::take(told));
            *known = refused;
        }
        let Some(key) = tell_again.iter().next().filter(|_| self.uplink.has_room()) else {
            return false;
        };
        tell_again.remove(key);
        if let Some(secret) = self.secret(key) {
            self.tell_secret(now, secret);
        }
        true
    }

    /// Another configuration, or another address: every file may have changed.
    pub(crate) fn renew_files(&mut self, now: Instant) {
        let phones = self
            .site
            .ids
            .iter()
            .filter(|id| id.phone.is_some() && self.site.is_here(id));
        let phones: IdSet = phones.map(|id| id.key).collect();
        self.provision.phones.renew();
        self.provision.sync.look(phones);
        phones.iter().for_each(|key| self.use_password(now, key));
    }

    /// The cloud wants a phone, or all of them, to fetch again.
    pub(crate) fn on_check_sync(&mut self, key: Option<IdKey>) {
        let all = || {
            let phones = self.site.ids.iter().filter(|id| id.phone.is_some());
            phones.map(|id| id.key).collect()
        };
        let ids = key.map_or_else(all, IdSet::one);
        self.provision.sync.order(ids);
    }

    /// Somebody has the credentials of an ID and is not its phone.
    pub(crate) fn on_intruder(&mut self, now: Instant, key: IdKey) {
        if self.provision.intruders.came(now, key) {
            let (alarm, raised) = (Alarm::Intruder(key), true);
            self.tell(now, EventBody::Alarm { alarm, raised });
        }
    }

    /// The phone of an ID has registered.
    pub(crate) fn phone_registered(&mut self, now: Instant, key: IdKey) {
        if let Some(phone) = self.site.id(key).and_then(|id| id.phone) {
            self.provision.phones.registered(key, phone, self.from);
        }
        if self.provision.intruders.is_over(key) {
            let (alarm, raised) = (Alarm::Intruder(key), false);
            self.tell(now, EventBody::Alarm { alarm, raised });
        }
    }

    /// Somebody tried to register with another password: if it is a phone that has none of its claim yet, it is told to fetch one.
    pub(crate) fn phone_refused(&mut self, now: Instant, flow: Flow) {
        let (host, has_hub) = (self.from, self.hub.is_there());
        let Some(mac) = host.mac else { return };
        let phones = &mut self.provision.phones;
        let is_without = |(id, phone): (&Id, Phone)| {
            let is_home = phones.is_at_home(id.key, phone, host, has_hub);
            is_home && phones.delivered(id.key, phone.claim) == 0
        };
        if phones::of(&self.site, mac).any(is_without) {
            // Its power is left alone: it listens.
            phones.strangers.heard(now, mac, None, None, flow.peer.ip());
        }
    }

    /// The next NOTIFY to a phone about its files: where it goes, and its length in `buffer`.
    pub(crate) fn poll_provision(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Flow, usize)> {
        if let Some(flow) = self.provision.notify_to.take() {
            let notify = &self.provision.notify;
            buffer.get_mut(..notify.len())?.copy_from_slice(notify);
            return Some((flow, notify.len()));
        }
        let here = self.here();
        let fetched = core::mem::take(&mut self.provision.phones.fetched);
        self.provision.sync.fetched(fetched);
        while let Some((key, is_ordered)) = self.provision.sync.poll(now) {
            let phone = self.site.id(key).and_then(|id| id.phone);
            let (shelf, ..) = self.provision.parts(&self.site, &self.factory, here);
            let is_other = phone.is_some_and(|phone| {
                let has = shelf.phones.delivered(key, phone.claim);
                shelf.digest(phone).is_some_and(|digest| digest != has)
            });
            let random = self.random();
            let mut bindings = self.registrar.iter();
            let binding = bindings.find(|binding| binding.key() == key && binding.is_reachable());
            // A phone that is not there is looked at when it registers.
            let Some(binding) = binding.filter(|_| is_other || is_ordered) else {
                continue;
            };
            if self.busy.set().contains(key) {
                self.provision.sync.busy(now, key);
                continue;
            }
            self.provision.sync.sent(now, key);
            let mut flow = binding.flow();
            if let Some(address) = here.address {
                // It may have registered at the address of an old lease.
                flow.local.set_ip(address.into());
            }
            if let Some(len) = sync::write(&flow, binding.contact(), random, buffer) {
                return Some((flow, len));
            }
        }
        None
    }

    /// Has the phones come that waited and are claimed by now. False: there is none, or not yet.
    pub(crate) fn call_strangers(&mut self, now: Instant) -> bool {
        let is_claimed = |mac| phones::of(&self.site, mac).next().is_some();
        let Some(turn) = self.provision.phones.strangers.next_claimed(now, is_claimed) else {
            return false;
        };
        match (turn, self.here().address) {
            (Turn::Cycle(port), _) => self.cycle_for_stranger(now, port),
            (Turn::Tell(_), None) => {}
            (Turn::Tell(phone), Some(address)) => {
                let flow = sync::unregistered(address.into(), phone.into());
                let random = self.random();
                let mut contact = heapless::String::<56>::new();
                // The longest address and port fit.
                let _ = core::fmt::write(&mut contact, format_args!("sip:{}", flow.peer));
                let notify = &mut self.provision.notify;
                let _ = notify.resize(pnp::NOTIFY_MAX, 0);
                if let Some(len) = sync::write(&flow, contact.as_bytes(), random, notify) {
                    notify.truncate(len);
                    self.provision.notify_to = Some(flow);
                }
            }
        }
        true
    }

    /// A phone that was claimed does not come: what is fed at its port starts anew, unless that is another phone.
    fn cycle_for_stranger(&mut self, now: Instant, port: NonZeroU8) {
        let (number, port) = (port.get(), port.get() - 1);
        let shown = self.port_power(now, port);
        let registered = self.registrar.registered();
        let is_home = |id: &Id| registered.contains(id.key) && self.home_of(id) == Some(port);
        if shown.is_some_and(|shown| shown.power == PortPower::On) && !self.site.ids.iter().any(is_home) {
            self.on_power_order(now, number, PowerOrder::Cycle, false);
            self.tell(now, EventBody::PortCycled { port: number });
        }
    }

    /// Forgets phones that are nobody's and gone. False: there are none.
    pub(crate) fn forget_strangers(&mut self, now: Instant) -> bool {
        let are_gone = self.provision.phones.strangers.forget(now);
        if are_gone {
            self.hub.touch(now);
        }
        are_gone
    }

    /// Phones that are claimed for no ID, in the order they were first seen, and about how many more there are than can be listed.
    pub fn waiting(&self) -> (impl Iterator<Item = Waiting> + '_, u16) {
        self.provision.phones.strangers.waiting()
    }
}
