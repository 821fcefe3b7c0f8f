//! Which phone may have which file: claims, passwords, ports.
//!
//! The cloud's configuration says which hardware address is the phone of an ID, of which model, at which port if that matters,
//! and on which claim. Of passwords it says nothing:
//!
//! ```text
//! Fresh ── fetch ──> Given ── registers ──> Spent        a higher claim: Fresh
//!                      └─ fetch: the next password, the last one is dead
//! ```
//!
//! A password is made from the box's own key (`secret`), and its number is in flash before the phone has the file. As
//! soon as the phone has registered with it, its file no longer says any: phones keep what they have. Nothing is given to
//! another hardware address or port.
//!
//! A phone that no port was named for belongs to the one where it got its first password. If that was outside the hub it may
//! move to a port once: it registers there with its password, which a forged hardware address has not, and belongs there from
//! then on. Until then it gets no file there. Whoever has stolen its password as well could be it outside the hub anyhow, where
//! hardware addresses are all that is known; who moves it so is found out when the phone itself is refused.

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU8;
use core::time::Duration;

use heapless::Vec;
use shared::factory::Factory;
use shared::hub::{FetchOutcome, FetchRefusal, Mac, Phone, PhoneFirmware, PhoneModel, firmware_files};
use shared::id::{IdKey, IdSet};
use shared::site::{Id, Site};
use shared::sync::PhoneFetch;
use sip::Instant;

use super::file::{Content, Facts, Line};
use super::files::{Agent, Client, Files, Host, Progress};
use super::log::Log;
use super::name::{self, Maker, Name};
use super::secret::{Digest, PASSWORD, Record, SERIALS_MAX, State, password};
use super::strangers::Strangers;
use super::window::Window;
use crate::budget::IDS;
use crate::store::{Key, Op};
use crate::uplink::Models;

/// Lines of a phone.
const LINES: usize = 2;
/// First wait after the store failed; doubled every time.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// A file that was opened.
#[derive(Clone, Copy, Debug)]
pub struct File {
    what: What,
    /// Of the configuration it was made from.
    edition: u32,
    length: usize,
    /// Of its bytes: 0 for firmware.
    digest: u32,
    /// Numbers of the passwords it holds, by line.
    given: [Option<(IdKey, u32)>; LINES],
}

impl File {
    /// Is it firmware?
    pub const fn is_firmware(&self) -> bool {
        matches!(self.what, What::Firmware(..))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Common(Maker),
    Waiting(Maker, Mac),
    Phone(PhoneModel, Mac),
    /// Of the model; its place in flash, and the first bytes of its hash.
    Firmware(PhoneModel, u32, [u8; 8]),
}

/// What the box knows of phones.
pub(crate) struct Phones {
    records: [Option<Record>; IDS],
    unstored: IdSet,
    storing: Option<IdKey>,
    /// After a fault of the store: not before this moment again.
    resume: Instant,
    faults: u8,
    pub strangers: Strangers,
    /// Whose phones asked for firmware when too many had it: they are told again.
    pub turned_away: IdSet,
    /// Whose phones have got their file, or are getting their firmware, since this was looked at.
    pub fetched: IdSet,
    pub log: Log,
    /// Counts what files are made of.
    edition: u32,
}

impl Phones {
    pub const fn new() -> Self {
        Self {
            records: [None; IDS],
            unstored: IdSet::EMPTY,
            storing: None,
            resume: Instant::ZERO,
            faults: 0,
            strangers: Strangers::new(),
            turned_away: IdSet::EMPTY,
            fetched: IdSet::EMPTY,
            log: Log::new(),
            edition: 0,
        }
    }

    /// Takes what flash holds of an ID's phone.
    pub fn restore(&mut self, key: IdKey, bytes: &[u8]) {
        if let Some(record) = self.records.get_mut(key.index()) {
            *record = Record::restore(bytes);
        }
    }

    /// Files are another from now on.
    pub fn renew(&mut self) {
        self.edition = self.edition.wrapping_add(1);
    }

    /// The record of an ID on this claim.
    fn record(&self, key: IdKey, claim: u16) -> Option<Record> {
        let record = self.records.get(key.index()).copied().flatten()?;
        (record.claim == claim).then_some(record)
    }

    /// A later claim than this was known already.
    fn is_void(&self, key: IdKey, phone: Phone) -> bool {
        let record = self.records.get(key.index()).copied().flatten();
        record.is_some_and(|record| record.claim > phone.claim)
    }

    fn put(&mut self, key: IdKey, record: Record) {
        if let Some(place) = self.records.get_mut(key.index())
            && *place != Some(record)
        {
            *place = Some(record);
            self.unstored.insert(key);
        }
    }

    /// Whether something from there can be the phone of an ID. Without a hub the network does not tell, and nothing is known
    /// against it.
    pub fn is_at_home(&self, key: IdKey, phone: Phone, host: Host, has_hub: bool) -> bool {
        let Some(mac) = host.mac else { return !has_hub };
        let home = self.home(key, phone);
        mac == phone.mac && home.is_none_or(|port| port == host.port)
    }

    /// The port a phone belongs to, as far as that is sure.
    pub fn home(&self, key: IdKey, phone: Phone) -> Option<Option<NonZeroU8>> {
        match phone.port {
            Some(port) => Some(Some(port)),
            None => self.record(key, phone.claim)?.seen,
        }
    }

    /// Whether a phone may move to there: see above.
    pub fn may_move(&self, key: IdKey, phone: Phone, host: Host) -> bool {
        host.mac == Some(phone.mac) && host.port.is_some() && self.home(key, phone) == Some(None)
    }

    /// The phone of an ID has registered from there. Its password is the one it was given last: no other is live.
    pub fn registered(&mut self, key: IdKey, phone: Phone, host: Host) {
        let is_behind = self.unstored.contains(key) || self.storing == Some(key);
        let Some(mut record) = self.records.get(key.index()).copied().flatten() else {
            return;
        };
        if record.state == State::Given && !is_behind {
            record.state = State::Spent;
        }
        if self.may_move(key, phone, host) {
            record.seen = Some(host.port);
        }
        self.put(key, record);
    }

    /// The password an ID's phone has, if the box gave it one, with its number.
    pub fn password(
        &self,
        factory: &Factory,
        key: IdKey,
        phone: Phone,
    ) -> Option<(heapless::String<PASSWORD>, u32)> {
        let Record { claim, serial, .. } =
            self.record(key, phone.claim).filter(|record| record.serial > 0)?;
        Some((password(factory, key, claim, serial), serial))
    }

    /// The digest of the file that was delivered to an ID's phone last; 0: none since this claim, so that it has no password of it.
    pub fn delivered(&self, key: IdKey, claim: u16) -> u32 {
        let record = self.records.get(key.index()).copied().flatten();
        record
            .filter(|record| record.claim >= claim)
            .map_or(0, |record| record.digest)
    }

    /// The next record for the flash.
    pub fn next_put(&mut self, now: Instant) -> Option<Op> {
        if self.storing.is_some() || now < self.resume {
            return None;
        }
        let key = self.unstored.iter().next()?;
        self.unstored.remove(key);
        let record = self.records.get(key.index()).copied().flatten()?;
        self.storing = Some(key);
        Some(Op::Put {
            key: Key::phone(key),
            value: Vec::from_slice(&record.store()).ok()?,
        })
    }

    /// A write has ended. `Some`: flash has followed, and a password of this ID may be live from now on.
    pub fn stored(&mut self, now: Instant, is_stored: bool) -> Option<IdKey> {
        let key = self.storing.take()?;
        if is_stored {
            self.faults = 0;
            return (!self.unstored.contains(key)).then_some(key);
        }
        self.unstored.insert(key);
        self.resume = now + STORE_WAIT * (1 << self.faults.min(6));
        self.faults = self.faults.saturating_add(1);
        None
    }

    /// Whether an operation is under way.
    pub fn is_storing(&self) -> bool {
        self.storing.is_some()
    }

    /// Whether flash has to follow yet.
    pub fn is_writing(&self) -> bool {
        !self.unstored.is_empty() || self.storing.is_some()
    }

    /// When [`Phones::next_put`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        (!self.unstored.is_empty() && self.storing.is_none()).then_some(self.resume)
    }
}

/// The IDs whose phone has this hardware address, in the order of its lines.
pub(super) fn of(site: &Site, mac: Mac) -> impl Iterator<Item = (&Id, Phone)> {
    let here = site.ids.iter().filter(|id| site.is_here(id));
    let phones = here.filter_map(|id| Some((id, id.phone?)));
    phones.filter(move |(_, phone)| phone.mac == mac)
}

/// The phones, with what their files are made of.
pub(crate) struct Shelf<'a> {
    pub phones: &'a mut Phones,
    pub site: &'a Site,
    pub factory: &'a Factory,
    /// The box.
    pub here: Here,
    /// Why no firmware can be fetched in this way now.
    pub no_downloads: Option<FetchRefusal>,
}

/// The box as its phones see it.
#[derive(Clone, Copy)]
pub(crate) struct Here {
    /// Its address; without one it gives nothing.
    pub address: Option<Ipv4Addr>,
    /// It knows who is where, and gives nothing to whom it does not.
    pub has_hub: bool,
    /// The models whose firmware it has.
    pub firmware: Models,
}

impl Shelf<'_> {
    /// The firmware of this name, as far as it is there, or of this model.
    fn firmware(&self, is_it: impl Fn(&PhoneFirmware) -> bool) -> Option<(What, u32)> {
        let all = &self.site.sys.firmware;
        let file = all
            .iter()
            .find(|file| is_it(file) && self.here.firmware.contains(file.model))?;
        let (place, _) = firmware_files(all).find(|(_, other)| other.hash == file.hash)?;
        let tag = *file.hash.first_chunk()?;
        Some((What::Firmware(file.model, place, tag), file.size))
    }

    /// Whose phones ask for this name as firmware.
    fn is_firmware(&self, name: &str) -> bool {
        self.site.sys.firmware.iter().any(|file| file.name == name)
    }

    /// The digest of the file that an ID's phone should have.
    pub fn digest(&self, phone: Phone) -> Option<u32> {
        let what = What::Phone(phone.model, phone.mac);
        let (_, digest) = self.made(what, &[None; LINES])?;
        Some(digest)
    }

    /// Length and digest of a file as it is made now. `None`: as below.
    fn made(&self, what: What, given: &[Option<(IdKey, u32)>; LINES]) -> Option<(usize, u32)> {
        let mut digest = Digest::new();
        self.write(what, given, &mut digest)?;
        Some((digest.length(), digest.value()))
    }

    /// `None`: the box has no address.
    fn write(
        &self,
        what: What,
        given: &[Option<(IdKey, u32)>; LINES],
        w: &mut dyn core::fmt::Write,
    ) -> Option<()> {
        let facts = Facts {
            site: self.site,
            address: self.here.address?,
            cloud: (&self.factory.cloud_host, self.factory.sip_port),
            firmware: self.here.firmware,
        };
        let content = match what {
            What::Firmware(..) => return None,
            What::Common(maker) => Content::Common(maker),
            What::Waiting(maker, mac) => Content::Waiting(maker, mac),
            What::Phone(model, mac) => {
                let mut passwords = Vec::<_, LINES>::new();
                for (id, phone) in of(self.site, mac) {
                    let serial = given.iter().flatten().find(|(key, _)| *key == id.key);
                    let text = serial.map(|(key, serial)| password(self.factory, *key, phone.claim, *serial));
                    passwords.push((id, phone.line, text)).ok()?;
                }
                let lines: Vec<_, LINES> = passwords
                    .iter()
                    .map(|(id, number, text)| Line {
                        number: *number,
                        id,
                        password: text.as_deref(),
                    })
                    .collect();
                facts.write(w, &Content::Phone(model, mac, &lines)).ok()?;
                return Some(());
            }
        };
        facts.write(w, &content).ok()
    }

    /// What a path names.
    fn name(&self, path: &str) -> Name {
        match self.is_firmware(name::file_name(path)) {
            true => Name::Firmware,
            false => Name::parse(path),
        }
    }

    /// What a client gets.
    fn judge(
        &mut self,
        now: Instant,
        ip: IpAddr,
        host: Host,
        path: &str,
        agent: Agent,
        peek: bool,
    ) -> Result<Judged, FetchRefusal> {
        if self.here.has_hub && host.mac.is_none() {
            return Err(FetchRefusal::Mac);
        }
        let (maker, mac) = match self.name(path) {
            Name::Unknown => return Err(FetchRefusal::NotFound),
            // There is no secret in it, but whoever takes it keeps the others waiting. A phone that is nobody's yet is told to take none.
            Name::Firmware => {
                let name = name::file_name(path);
                let models = || {
                    let lines = host.mac.into_iter().flat_map(|mac| of(self.site, mac));
                    lines.map(|(_, phone)| phone.model)
                };
                let is_its = |file: &PhoneFirmware| models().any(|model| model == file.model);
                let Some((what, _)) = self.firmware(|file| file.name == name && is_its(file)) else {
                    return Err(match (self.firmware(|file| file.name == name), models().next()) {
                        (None, _) => FetchRefusal::NotFound,
                        (Some(_), None) => FetchRefusal::Unclaimed,
                        (Some(_), Some(_)) => FetchRefusal::Model,
                    });
                };
                let refusal = self.no_downloads.filter(|_| !peek);
                let lines = host.mac.into_iter().flat_map(|mac| of(self.site, mac));
                let ids = lines.map(|(id, _)| id.key).collect();
                let turned_away = &mut self.phones.turned_away;
                *turned_away = match refusal {
                    Some(FetchRefusal::Busy) => turned_away.union(ids),
                    _ => turned_away.difference(ids),
                };
                return match refusal {
                    Some(refusal) => Err(refusal),
                    None => Ok(Judged::new(what, FetchOutcome::Served)),
                };
            }
            Name::Common(maker) => return Ok(Judged::new(What::Common(maker), FetchOutcome::Served)),
            Name::Phone(maker, mac) => (maker, mac),
        };
        if host.mac != Some(mac) || agent.mac.is_some_and(|said| said != mac) {
            return Err(FetchRefusal::Mac);
        }
        let lines: Vec<_, LINES> = of(self.site, mac).map(|(id, phone)| (id.key, phone)).collect();
        let Some(&(_, Phone { model, .. })) = lines.first() else {
            let strangers = &mut self.phones.strangers;
            strangers.heard(now, mac, agent.model, host.port, ip);
            let outcome = FetchOutcome::Refused(FetchRefusal::Unclaimed);
            return Ok(Judged::new(What::Waiting(maker, mac), outcome));
        };
        let is_other = Maker::of(model) != maker || agent.model.is_some_and(|said| said != model);
        let elsewhere = |(key, phone): &(IdKey, Phone)| {
            let home = self.phones.home(*key, *phone);
            home.is_some_and(|port| port != host.port)
        };
        let refusal = match is_other {
            true => Some(FetchRefusal::Model),
            false => lines.iter().any(elsewhere).then_some(FetchRefusal::Port),
        };
        if let Some(refusal) = refusal {
            self.phones.strangers.came(mac);
            return Err(refusal);
        }
        let mut judged = Judged::new(What::Phone(model, mac), FetchOutcome::ServedSpent);
        for ((key, phone), given) in lines.into_iter().zip(&mut judged.given) {
            if self.phones.is_void(key, phone) {
                continue;
            }
            let record = self
                .phones
                .record(key, phone.claim)
                .unwrap_or(Record::new(phone.claim));
            if record.state == State::Spent || record.serial >= SERIALS_MAX {
                continue;
            }
            judged.outcome = FetchOutcome::ServedSecret;
            // Whoever only wants the length gets no password, but its length.
            *given = Some((key, record.serial));
            if !peek {
                let serial = record.serial + 1;
                *given = Some((key, serial));
                let record = Record {
                    serial,
                    state: State::Given,
                    seen: record.seen.or(Some(host.port)),
                    ..record
                };
                self.phones.put(key, record);
            }
        }
        Ok(judged)
    }
}

struct Judged {
    what: What,
    outcome: FetchOutcome,
    given: [Option<(IdKey, u32)>; LINES],
}

impl Judged {
    const fn new(what: What, outcome: FetchOutcome) -> Self {
        Self {
            what,
            outcome,
            given: [None; LINES],
        }
    }
}

impl Files for Shelf<'_> {
    type File = File;

    fn open(
        &mut self,
        now: Instant,
        from: Client,
        path: &str,
        agent: Agent,
        peek: bool,
    ) -> Result<File, FetchRefusal> {
        let name = self.name(path);
        let host = Host::of(from.station, self.here.has_hub);
        let judged = match self.here.address {
            Some(_) => self.judge(now, from.ip, host, path, agent, peek),
            None => Err(FetchRefusal::Busy),
        };
        if !peek {
            let fetch = PhoneFetch {
                // Whose it is: what is asked for may be anybody's.
                mac: host.mac.or(agent.mac).unwrap_or_default(),
                port: host.port.map(NonZeroU8::get),
                file: name.kind(),
                outcome: match &judged {
                    Ok(judged) => judged.outcome,
                    Err(refusal) => FetchOutcome::Refused(*refusal),
                },
            };
            let is_phone = host.mac.is_some_and(|mac| of(self.site, mac).next().is_some());
            self.phones.log.push(now, fetch, is_phone);
        }
        let Judged { what, given, .. } = judged?;
        if let (What::Firmware(..), Some(mac)) = (what, host.mac) {
            let lines = of(self.site, mac).map(|(id, _)| id.key);
            self.phones.fetched = self.phones.fetched.union(lines.collect());
        }
        let made = match what {
            What::Firmware(model, ..) => self
                .firmware(|file| file.model == model)
                .map(|(_, size)| (size as usize, 0)),
            _ => self.made(what, &given),
        };
        let (length, digest) = made.ok_or(FetchRefusal::Busy)?;
        Ok(File {
            what,
            edition: self.phones.edition,
            length,
            digest,
            given: match peek {
                true => [None; LINES],
                false => given,
            },
        })
    }

    fn progress(&self, file: &File) -> Progress {
        if let What::Firmware(model, ..) = file.what {
            // It is what it was, or the place is another file's by now.
            let is_there = self.firmware(|file| file.model == model);
            return match is_there.is_some_and(|(what, _)| what == file.what) {
                true => Progress::Ready,
                false => Progress::Gone,
            };
        }
        // Most of what is new is about something else: that this very fetch made a password is told to the cloud, and comes back as a
        // configuration within milliseconds.
        let is_other = || self.made(file.what, &file.given) != Some((file.length, file.digest));
        if file.edition != self.phones.edition && is_other() {
            return Progress::Gone;
        }
        let mut progress = Progress::Ready;
        for (key, serial) in file.given.iter().flatten() {
            let record = self.phones.records.get(key.index()).copied().flatten();
            // Another was given meanwhile, or flash does not take it.
            if record.is_none_or(|record| record.serial != *serial) {
                return Progress::Gone;
            }
            if self.phones.unstored.contains(*key) || self.phones.storing == Some(*key) {
                if self.phones.faults > 0 {
                    return Progress::Gone;
                }
                progress = Progress::Wait;
            }
        }
        progress
    }

    fn length(&self, file: &File) -> usize {
        file.length
    }

    fn place(&self, file: &File) -> Option<u32> {
        match file.what {
            What::Firmware(_, place, _) => Some(place),
            _ => None,
        }
    }

    fn read(&self, file: &File, offset: usize, buffer: &mut [u8]) -> usize {
        let mut window = Window::new(offset, buffer);
        match self.write(file.what, &file.given, &mut window) {
            Some(()) => window.filled(),
            None => 0,
        }
    }

    fn delivered(&mut self, file: &File) {
        let What::Phone(model, mac) = file.what else {
            return;
        };
        self.phones.strangers.came(mac);
        let lines: Vec<_, LINES> = of(self.site, mac).map(|(id, phone)| (id.key, phone)).collect();
        for (key, phone) in lines {
            self.phones.fetched.insert(key);
            let digest = self.digest(Phone { model, ..phone }).unwrap_or_default();
            // It was made when the file was opened.
            if let Some(record) = self.phones.record(key, phone.claim) {
                self.phones.put(key, Record { digest, ..record });
            }
        }
    }
}
