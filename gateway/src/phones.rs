//! The phones' side: what they send, who they are, where they are.

use core::time::Duration;
use shared::id::{IdKey, IdSet};
use shared::site::Site;
use shared::sync::{Alarm, EventBody};
use sip::b2bua::{self, Receive};
use sip::digest::Ha1;
use sip::{Flow, Instant, Message, Method, Name, Writer, write_response_head};

use crate::provision::files::Host;
use crate::provision::phones::Phones;
use crate::registrar::{Account, Accounts, Answer, Caller, Kind};
use crate::{AGENT, Gateway, REPLY_MAX, analog, budget};

/// How long a call waits for a phone whose connection was closed: as long as a request to it would (RFC 3261 §17.1.2.2).
const GRACE: Duration = Duration::from_secs(32);

/// A phone whose connection was closed.
pub(crate) struct Parted {
    key: IdKey,
    flow: Flow,
    /// When its calls end.
    pub until: Instant,
}

/// The site as the registrar wants it.
struct Office<'a> {
    site: &'a Site,
    phones: &'a Phones,
    /// Who sent what is being handled.
    from: Host,
    has_hub: bool,
}

impl Accounts for Office<'_> {
    fn realm(&self) -> &str {
        &self.site.sys.realm
    }

    fn account(&self, user: &[u8]) -> Option<Account> {
        let id = self.site.by_user(core::str::from_utf8(user).ok()?)?;
        // A telephone at a port of the box needs no password, and nobody else has its ID (R6).
        if id.port.is_some() {
            return None;
        }
        let credential = self.site.credential(id.key)?;
        let ha1 = Ha1 {
            md5: credential.ha1_md5,
            sha256: credential.ha1_sha256,
        };
        Some(Account { key: id.key, ha1 })
    }

    fn is_at_home(&self, key: IdKey) -> bool {
        let phone = self.site.id(key).and_then(|id| id.phone);
        phone.is_none_or(|phone| self.phones.is_at_home(key, phone, self.from, self.has_hub))
    }

    fn may_move(&self, key: IdKey) -> bool {
        let phone = self.site.id(key).and_then(|id| id.phone);
        phone.is_some_and(|phone| self.phones.may_move(key, phone, self.from))
    }
}

impl Gateway<'_> {
    pub(crate) fn on_message(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        if bytes.len() > budget::DATAGRAM_MAX {
            self.counters.oversized += 1;
            return;
        }
        match Message::parse_datagram(bytes) {
            Ok(message) => self.on_sip(now, flow, &message),
            Err(rejected) if rejected.fault == sip::Fault::KeepAlive => self.counters.keep_alives += 1,
            Err(rejected) => self.on_rejected(now, flow, &rejected),
        }
    }

    /// A message on a phone's connection.
    pub(crate) fn on_stream(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        match Message::parse_stream(bytes) {
            Ok(message) => self.on_sip(now, flow, &message),
            Err(rejected) => self.on_rejected(now, flow, &rejected),
        }
    }

    /// A phone's connection is closed. What it talks about goes on if it registers again by another in time (RFC 5626 §4.5).
    pub(crate) fn on_stream_closed(&mut self, now: Instant, flow: Flow) {
        let key = self.registrar.drop_flow(&flow);
        let parted = key.map(|key| Parted {
            key,
            flow,
            until: now + GRACE,
        });
        match parted.map(|parted| self.parted.push(parted)) {
            Some(Ok(())) => self.calls.flow_closed(now, flow),
            Some(Err(_)) | None => self.calls.flow_lost(now, flow),
        }
    }

    /// A phone has registered by this flow: the calls of its closed connection go on here.
    fn come_back(&mut self, key: IdKey, flow: Flow) {
        while let Some(at) = self.parted.iter().position(|parted| parted.key == key) {
            self.calls.flow_moved(self.parted.swap_remove(at).flow, flow);
        }
    }

    /// Ends the calls of a phone that has not come back. False: there is none.
    pub(crate) fn parted_for_good(&mut self, now: Instant) -> bool {
        let Some(at) = self.parted.iter().position(|parted| parted.until <= now) else {
            return false;
        };
        let flow = self.parted.swap_remove(at).flow;
        self.calls.flow_lost(now, flow);
        true
    }

    /// Whether a request outside of calls is looked at, or its source sends too many (RFC 3261 §21.5.4). A datagram is dropped
    /// without a word: whoever means it sends it again. On a connection nothing is sent again by itself.
    fn admit(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> bool {
        let ours = self.is_trunk(flow) || analog::line(flow).is_some();
        let admitted = ours || self.registrar.admit(now, flow.peer.ip());
        if !admitted && flow.is_reliable() {
            self.reply(flow, message, 503, |w| {
                _ = w.header(Name::RetryAfter, b2bua::RETRY_AFTER)
            });
        }
        admitted
    }

    /// What cannot be read gets its answer if it is a request that can be answered.
    pub(crate) fn on_rejected(&mut self, now: Instant, flow: Flow, rejected: &sip::Rejected<'_>) {
        match (rejected.status(), rejected.request()) {
            (Some(status), Some(request)) if request.method() != Method::Ack => {
                if !self.admit(now, flow, &request) {
                    return;
                }
                self.counters.faulty += 1;
                self.reply(flow, &request, status, |_| {});
            }
            _ => self.counters.unreadable += 1,
        }
    }

    pub(crate) fn on_sip(&mut self, now: Instant, flow: Flow, message: &Message<'_>) {
        let mut emergency = false;
        if !message.is_request() && self.on_notified(now, message) {
            return;
        }
        let method = message.method();
        let subscribes = message.is_request() && method == Method::Subscribe && !self.is_trunk(flow);
        if message.is_request() && message.to().is_none_or(|to| to.tag().is_none()) {
            emergency = method == Method::Invite && !self.is_trunk(flow) && self.is_emergency(message);
            // These two belong to a transaction that was let in.
            let begins = !matches!(method, Method::Ack | Method::Cancel);
            if begins && !emergency && !self.admit(now, flow, message) {
                return;
            }
            // What is no call is answered without a transaction: a repetition is answered again.
            let status = match method {
                Method::Register if !self.is_trunk(flow) => return self.on_register(now, flow, message),
                Method::Invite | Method::Ack | Method::Cancel => 0,
                Method::Options => 200,
                Method::Subscribe if subscribes && self.on_profile(flow, message) => return,
                Method::Subscribe if subscribes => 0,
                Method::Subscribe | Method::Publish => 489,
                Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify => 481,
                _ => 405,
            };
            if status != 0 {
                return self.reply(flow, message, status, |_| {});
            }
        }
        if subscribes {
            return self.on_subscribe(now, flow, message);
        }
        let media = &mut b2bua::Direct;
        let received = match emergency {
            true => self.calls.receive_reserved(now, flow, message, media),
            false => self.calls.receive(now, flow, message, media),
        };
        match received {
            Receive::Invite { tx } => self.on_invite(now, tx, flow, message, emergency),
            Receive::Request { tx } => self.calls.reply(now, tx, flow, message, 405, |_| {}),
            Receive::Refer { tx, leg } => self.on_refer(now, tx, flow, message, leg),
            Receive::Done => {}
        }
    }

    /// Answers a request from the request itself.
    pub(crate) fn reply(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        status: u16,
        more: impl FnOnce(&mut Writer<'_>),
    ) {
        let _ = self.reply.resize(REPLY_MAX, 0);
        let mut w = Writer::new(&mut self.reply);
        write_response_head(&mut w, message, status, Some("denwaban"), flow.peer);
        w.header(Name::Server, AGENT);
        w.header(Name::Allow, b2bua::ALLOW_TRANSFERS);
        more(&mut w);
        match w.finish_empty() {
            Ok(len) => {
                self.reply.truncate(len);
                self.reply_to = Some(flow.answering(message));
            }
            Err(_) => self.counters.overflow += 1,
        }
    }

    pub(crate) fn on_register(&mut self, now: Instant, flow: Flow, message: &Message<'_>) {
        let random = self.random();
        let _ = self.reply.resize(REPLY_MAX, 0);
        let accounts = Office {
            site: &self.site,
            phones: &self.provision.phones,
            from: self.from,
            has_hub: self.hub.is_there(),
        };
        match self
            .registrar
            .register(now, &flow, message, &accounts, random, &mut self.reply)
        {
            Ok(Answer {
                len,
                accepted,
                stolen,
            }) => {
                self.reply.truncate(len);
                if let Some(key) = stolen {
                    self.on_intruder(now, key);
                }
                if accepted.is_none() && stolen.is_none() && message.has(Name::Authorization) {
                    self.phone_refused(now, flow);
                }
                if let Some(key) = accepted {
                    self.come_back(key, flow);
                    self.phone_registered(now, key);
                    self.fed_phone_registered(now, key);
                }
                let flow = flow.answering(message);
                // What this REGISTER has changed.
                while self.poll_registrar(now) {}
                match accepted.filter(|&key| self.keeper.is_behind(&self.registrar, key)) {
                    None => self.reply_to = Some(flow),
                    Some(key) if self.keeper.hold(key, flow, &self.reply) => {}
                    Some(_) => self.counters.unheld += 1,
                }
            }
            Err(_) => self.counters.overflow += 1,
        }
    }

    /// Whose phone this request comes from; if nobody's, the challenge or refusal is on its way.
    pub(crate) fn authenticate(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Option<IdKey> {
        if let Some(line) = analog::line(flow) {
            return self.analog.key_of(line);
        }
        let random = self.random();
        let _ = self.reply.resize(REPLY_MAX, 0);
        let accounts = Office {
            site: &self.site,
            phones: &self.provision.phones,
            from: self.from,
            has_hub: self.hub.is_there(),
        };
        match self
            .registrar
            .authenticate(now, &flow, message, &accounts, random, &mut self.reply)
        {
            Ok(Caller::Known(key)) if accounts.is_at_home(key) => return Some(key),
            Ok(Caller::Known(key)) => {
                self.on_intruder(now, key);
                self.reply(flow, message, 403, |_| {});
            }
            Ok(Caller::Refused(len)) => {
                self.reply.truncate(len);
                self.reply_to = Some(flow.answering(message));
            }
            Err(_) => self.counters.overflow += 1,
        }
        None
    }

    /// Whose emergency call this is, although it did not give the right credentials; a refusal that was on its way is not
    /// sent.
    pub(crate) fn vouched(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Option<IdKey> {
        let accounts = Office {
            site: &self.site,
            phones: &self.provision.phones,
            from: self.from,
            has_hub: self.hub.is_there(),
        };
        let key = self.registrar.vouched(now, &flow, message, &accounts)?;
        self.reply_to = None;
        Some(key)
    }

    /// Takes one change of the bindings to flash and to the cloud. False: there was none.
    pub(crate) fn poll_registrar(&mut self, now: Instant) -> bool {
        let Some(change) = self.registrar.poll(now) else {
            return false;
        };
        if change.kind.is_stored() {
            self.keeper.changed(change.place);
        }
        match change.kind {
            Kind::Removed | Kind::Expired => self.on_phone_gone(change.place),
            // Its files may have changed while it was away.
            Kind::Added | Kind::Replaced => self.provision.sync.look(IdSet::one(change.key)),
            Kind::Refreshed => {}
        }
        self.tell_reachable(now);
        true
    }

    /// Tells the cloud who can be reached now and could not before, or cannot any more.
    pub(crate) fn tell_reachable(&mut self, now: Instant) {
        let reachable = self.reachable();
        let changed = IdSet(reachable.0 ^ self.told.0);
        self.told = reachable;
        for terminal in changed.iter() {
            let registered = reachable.contains(terminal);
            self.tell(now, EventBody::Registration { terminal, registered });
        }
        if !changed.is_empty() {
            self.offer_again(now);
        }
    }

    /// A write of a binding has ended.
    pub(crate) fn on_put(&mut self, now: Instant, is_stored: bool) {
        if let Some(raised) = self.keeper.stored(now, is_stored, &mut self.registrar) {
            let alarm = Alarm::Storage;
            self.tell(now, EventBody::Alarm { alarm, raised });
        }
        self.counters.unstored += u32::from(!is_stored);
    }
}
