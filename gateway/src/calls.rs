//! Where calls go: inside the office, to the cloud, or to an announcement.

use core::fmt::Write;
use core::net::SocketAddr;

use heapless::String;
use media::g711::Law;
use media::prompt::Prompt;
use shared::dial::{Dialled, Privacy, Refusal as DialRefusal, dial};
use shared::id::{Extension, IdKey, IdSet, SessionId};
use shared::number::Number;
use shared::record::{CallLeg, Direction, FinalState, Party, Side as Writer, Stamp};
use shared::ring::{Facts, ring};
use shared::site::{Called, TerminalKind};
use shared::sync::{Alarm, EventBody};
use sip::b2bua::{ADDRESS_MAX, Cause, Direct, EXTRA_MAX, End, Event, Refusal, Side, Target};
use sip::pool::Key;
use sip::sdp::{Audio, Codec, Sdp};
use sip::transaction::{Priority, TxId};
use sip::{Flow, Instant, Message, Name, Uri};

use crate::Gateway;
use crate::budget::{CALLS, PLAYERS, RING_MS, RTP_PORT};
use crate::io::MediaOutput;
use crate::link::FIRST_ANSWER;
use crate::registrar::Binding;

/// [`Target::user`] of the trunk.
const TRUNK: u32 = u32::MAX;
/// What a phone is told that found no room, seconds.
const RETRY_AFTER: u8 = 2;
/// An announcement that never reports its end is given up after this.
const ANNOUNCEMENT_MAX_MS: u64 = 40_000;

/// Which way a call crosses the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Phone to phone.
    Inside,
    /// Phone to the outside.
    Outgoing,
    /// From the cloud.
    Incoming,
}

/// What the box keeps with a call.
#[derive(Debug)]
pub struct Meta {
    pub(crate) kind: Kind,
    session: SessionId,
    from: Party,
    to: Party,
    presented: Option<Number>,
    caller: Option<IdKey>,
    answered_by: Option<u32>,
    started: Stamp,
    ringing: Option<Stamp>,
    answered: Option<Stamp>,
    /// The cloud has said something of it.
    progressed: bool,
    emergency: bool,
    /// The announcement it hears, and the answer after it.
    player: Option<u8>,
    verdict: (u16, Option<Cause>),
}

/// Why a call is not taken: the answer to the phone.
#[derive(Clone, Copy, Debug)]
struct No(u16, Option<Cause>);

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        No(refusal.status(), None)
    }
}

/// Q.850 cause 1.
const UNALLOCATED: Cause = Cause {
    protocol: "Q.850",
    cause: 1,
    text: "Unallocated number",
};
/// Q.850 cause 21.
const BARRED: Cause = Cause {
    protocol: "Q.850",
    cause: 21,
    text: "Call rejected",
};
/// Q.850 cause 20.
const ABSENT: Cause = Cause {
    protocol: "Q.850",
    cause: 20,
    text: "Subscriber absent",
};

impl Gateway<'_> {
    /// A new INVITE, from a phone or from the cloud.
    pub(crate) fn on_invite(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        emergency: bool,
    ) {
        if let Err(fault) = message.screen(&[]) {
            let status = fault.status().unwrap_or(400);
            return self.calls.reply(now, tx, flow, message, status, |w| {
                for tag in message.unsupported(&[]) {
                    w.header_bytes(Name::Unsupported, tag);
                }
            });
        }
        let taken = if self.is_trunk(flow) {
            self.call_from_cloud(now, tx, flow, message)
        } else {
            // A registered phone's emergency call does not wait for its credentials.
            let known = self.registrar.at(&flow).filter(|_| emergency);
            match known.or_else(|| self.authenticate(now, flow, message)) {
                Some(key) => self.call_from_phone(now, tx, flow, message, key),
                None => {
                    // The challenge is the answer; the transaction has nothing to remember.
                    self.calls.forget(tx);
                    return;
                }
            }
        };
        if let Err(No(status, cause)) = taken {
            self.calls.reply(now, tx, flow, message, status, |w| {
                if let Some(cause) = cause {
                    w.header(Name::Reason, cause);
                }
                if status == 503 {
                    w.header(Name::RetryAfter, RETRY_AFTER);
                }
            });
        }
    }

    /// Is this INVITE of a phone an emergency call?
    pub(crate) fn is_emergency(&self, message: &Message<'_>) -> bool {
        let mut buffer = [0; 40];
        dialled(message, &mut buffer)
            .is_some_and(|dialled| matches!(dial(&self.site, dialled), Dialled::Emergency(_)))
    }

    fn call_from_phone(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        caller: IdKey,
    ) -> Result<(), No> {
        let mut buffer = [0; 40];
        let dialled = dialled(message, &mut buffer).ok_or(No(484, Some(UNALLOCATED)))?;
        let (number, wish, emergency) = match dial(&self.site, dialled) {
            Dialled::Emergency(number) => (number, Privacy::Show, true),
            Dialled::Service { number, privacy } | Dialled::Outside { number, privacy } => {
                (number, privacy, false)
            }
            Dialled::Extension(key) => {
                let id = self.site.id(key).ok_or(No(404, Some(UNALLOCATED)))?;
                if id.kind == TerminalKind::App && !self.registrar.registered().contains(key) {
                    // An app lives in the cloud.
                    (id.direct, Privacy::Default, false)
                } else {
                    let to = match dialled.parse::<Extension>() {
                        Ok(extension) => user(extension),
                        Err(_) => user(id.direct.digits()),
                    };
                    return self.inside(now, tx, flow, message, caller, &to, IdSet::one(key));
                }
            }
            Dialled::Rep(index) => {
                let called = self
                    .site
                    .reps
                    .get(index)
                    .map(|rep| rep.number)
                    .ok_or(No(404, None))?;
                let mut offer = ring(&self.site, called, &self.facts()).offer;
                offer.remove(caller);
                return self.inside(now, tx, flow, message, caller, &user(called.digits()), offer);
            }
            Dialled::Refused(why) => return Err(refused(why)),
        };
        self.outside(now, tx, flow, message, caller, number, wish, emergency)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what an INVITE is and what was made of it"
    )]
    fn inside(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        caller: IdKey,
        called: &str,
        offer: IdSet,
    ) -> Result<(), No> {
        let meta = self.meta(now, Kind::Inside, message, Some(caller));
        let call = self.open(now, tx, flow, message, meta)?;
        let realm = &self.site.sys.realm;
        let from = match self.site.id(caller) {
            Some(id) => address(&id.label, id.extension, realm),
            None => address("", "anonymous", realm),
        };
        let to = address("", called, realm);
        if self.present(now, call, &from, &to, "") {
            self.fork(now, call, offer);
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what an INVITE is and what was made of it"
    )]
    fn outside(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        caller: IdKey,
        number: Number,
        wish: Privacy,
        emergency: bool,
    ) -> Result<(), No> {
        let id = self.site.id(caller).ok_or(No(403, Some(BARRED)))?;
        let (presented, direct) = (id.outgoing, id.direct);
        let withheld = wish == Privacy::Withhold;
        let realm = self.site.sys.realm.clone();
        let from = match withheld {
            true => address("Anonymous", "anonymous", "anonymous.invalid"),
            false => address(&id.label, presented.digits(), &realm),
        };
        let to = address("", number.digits(), &realm);
        let mut extra: String<EXTRA_MAX> = String::new();
        // Both lines fit for every realm.
        let _ = write!(
            extra,
            "P-Asserted-Identity: <sip:{}@{realm}>\r\nP-Served-User: <sip:{}@{realm}>\r\n",
            presented.e164(),
            direct.digits()
        );
        if withheld {
            let _ = extra.push_str("Privacy: id\r\n");
        }
        let mut meta = self.meta(now, Kind::Outgoing, message, Some(caller));
        meta.presented = (!withheld).then_some(presented);
        meta.emergency = emergency;
        let full = self.channels_used() >= usize::from(self.site.sys.channels);
        let call = self.open(now, tx, flow, message, meta)?;
        if !self.present(now, call, &from, &to, &extra) {
            return Ok(());
        }
        if full && !emergency {
            // R15: with a spoken reason.
            self.announce(now, call, Prompt::ChannelsBusy, 486, Cause::NO_CHANNEL);
            return Ok(());
        }
        let trunk = self.trunk.flow().filter(|_| self.link.is_tried());
        let Some(trunk) = trunk else {
            self.no_way_out(now, call);
            return Ok(());
        };
        let mut uri: String<128> = String::new();
        let _ = write!(uri, "sip:{}@{realm}", number.digits());
        let priority = if emergency {
            Priority::Reserved
        } else {
            Priority::Normal
        };
        let target = Target {
            flow: trunk,
            uri: uri.as_bytes(),
            priority,
            user: TRUNK,
        };
        match self.calls.dial(now, call, target) {
            Ok(_) => self.calls.set_deadline(call, Some(now + FIRST_ANSWER)),
            Err(refusal) => self.calls.refuse(now, call, refusal.status(), None),
        }
        Ok(())
    }

    fn call_from_cloud(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
    ) -> Result<(), No> {
        let mut buffer = [0; 40];
        let number = dialled(message, &mut buffer)
            .and_then(|text| Number::parse(text).ok())
            .ok_or(No(404, Some(UNALLOCATED)))?;
        let called = self.site.by_number(number).ok_or(No(404, Some(UNALLOCATED)))?;
        let decision = ring(&self.site, number, &self.facts());
        let meta = self.meta(now, Kind::Incoming, message, None);
        let caller = meta.from.clone();
        let call = self.open(now, tx, flow, message, meta)?;
        let realm = &self.site.sys.realm;
        let mut extra: String<EXTRA_MAX> = String::new();
        let name = message
            .from()
            .and_then(|from| from.display)
            .and_then(|name| core::str::from_utf8(name).ok())
            .map(|name| name.trim_matches('"'));
        let from = address(name.unwrap_or_default(), &caller, realm);
        let to = address("", number.digits(), realm);
        // R3, R26: which number was called, by its label.
        let label = match called {
            Called::Rep(index) => self.site.reps.get(index).map(|rep| rep.label.as_str()),
            Called::Direct(key) => self.site.id(key).map(|id| id.label.as_str()),
        };
        // A line that does not fit is left out.
        let line = write!(
            extra,
            "P-Called-Party-ID: \"{}\" <sip:{}@{realm}>\r\n",
            Quoted(label.unwrap_or_default()),
            number.digits()
        );
        if line.is_err() {
            extra.clear();
        }
        if self.present(now, call, &from, &to, &extra) {
            self.fork(now, call, decision.offer);
        }
        Ok(())
    }

    /// Says what the called side will see. False: it is too long, and the call is refused.
    fn present(&mut self, now: Instant, call: Key, from: &str, to: &str, extra: &str) -> bool {
        let said = self
            .calls
            .present(call, from.as_bytes(), to.as_bytes(), extra.as_bytes());
        if let Err(refusal) = said {
            self.calls.refuse(now, call, refusal.status(), None);
        }
        said.is_ok()
    }

    /// Rings every phone of a set at once.
    fn fork(&mut self, now: Instant, call: Key, offer: IdSet) {
        let (mut rung, mut full) = (false, false);
        let wanted = |binding: &&Binding| offer.contains(binding.key()) && binding.is_reachable();
        for binding in self.registrar.iter().filter(wanted) {
            let mut flow = binding.flow();
            if let Some(address) = self.address {
                // A binding from the flash may name the address of an old lease.
                flow.local.set_ip(address.into());
            }
            let target = Target {
                flow,
                uri: binding.contact(),
                priority: Priority::Normal,
                user: u32::from(u16::from(binding.key())),
            };
            match self.calls.dial(now, call, target) {
                Ok(_) => rung = true,
                Err(refusal) => full |= refusal == Refusal::NoRoom,
            }
        }
        if rung {
            let limit = now + core::time::Duration::from_millis(RING_MS);
            self.calls.set_deadline(call, Some(limit));
        } else if full {
            self.calls.refuse(now, call, Refusal::NoRoom.status(), None);
        } else {
            self.calls.refuse(now, call, 480, Some(ABSENT));
        }
    }

    /// The line is away and there is no other: say so, at once and with a reason.
    fn no_way_out(&mut self, now: Instant, call: Key) {
        let Some(meta) = self.calls.meta(call) else { return };
        let (emergency, caller) = (meta.emergency, meta.caller);
        let prompt = match emergency {
            true => Prompt::EmergencyImpossible,
            false => Prompt::OutsideLineDown,
        };
        if let Some(caller) = caller.filter(|_| emergency) {
            self.tell(
                now,
                EventBody::Alarm {
                    alarm: Alarm::EmergencyUnroutable(caller),
                    raised: true,
                },
            );
        }
        self.announce(now, call, prompt, 503, Cause::OUT_OF_ORDER);
    }

    /// A player that plays nothing. An emergency call takes one away from another call, which gets its answer now.
    fn player_for(&mut self, now: Instant, emergency: bool) -> Option<u8> {
        let busy = self
            .calls
            .iter()
            .filter_map(|(_, meta, _)| meta.player)
            .fold(0u8, |busy, p| busy | 1 << p);
        let first = self.next_player;
        let mut round = (0..PLAYERS as u8).map(|n| (first + n) % PLAYERS as u8);
        if let Some(player) = round.find(|player| busy >> player & 1 == 0) {
            self.next_player = (player + 1) % PLAYERS as u8;
            return Some(player);
        }
        if !emergency {
            return None;
        }
        let other = self
            .calls
            .iter()
            .find(|(_, meta, _)| meta.player.is_some() && !meta.emergency)?
            .0;
        let meta = self.calls.meta_mut(other)?;
        let (player, (status, cause)) = (meta.player.take()?, meta.verdict);
        self.calls.refuse(now, other, status, cause);
        self.media(MediaOutput::Stop { player });
        Some(player)
    }

    /// Plays a prompt to the caller before its final answer; without a free player or a usable session description, answers.
    fn announce(&mut self, now: Instant, call: Key, prompt: Prompt, status: u16, cause: Cause) {
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        meta.verdict = (status, Some(cause));
        let emergency = meta.emergency;
        let player = self.player_for(now, emergency);
        let (Some(player), Some(address)) = (player, self.address) else {
            return self.calls.refuse(now, call, status, Some(cause));
        };
        let session = self.random() & 0x7FFF_FFFF;
        let ours = (address, RTP_PORT + 2 * u16::from(player)).into();
        let offer = self.calls.sdp(call, Side::Callee).unwrap_or_default();
        let Some((to, law, sdp)) = announced(offer, session, ours) else {
            return self.calls.refuse(now, call, status, Some(cause));
        };
        if self
            .calls
            .progress(now, call, 183, Some(sdp.as_bytes()), Some(cause))
            .is_err()
        {
            return self.calls.refuse(now, call, status, Some(cause));
        }
        if let Some(meta) = self.calls.meta_mut(call) {
            meta.player = Some(player);
        }
        let give_up = now + core::time::Duration::from_millis(ANNOUNCEMENT_MAX_MS);
        self.calls.set_deadline(call, Some(give_up));
        self.media(MediaOutput::Play {
            player,
            to,
            law,
            prompt,
            times: 2,
        });
    }

    /// The line is away: what waits for the cloud's first word waits no more.
    pub(crate) fn on_line_gone(&mut self, now: Instant) {
        let waits = |meta: &Meta| meta.kind == Kind::Outgoing && !meta.progressed && meta.player.is_none();
        let waiting: heapless::Vec<Key, CALLS> = self
            .calls
            .iter()
            .filter(|(_, meta, talking)| waits(meta) && !talking)
            .map(|(call, ..)| call)
            .collect();
        for call in waiting {
            self.calls.set_deadline(call, Some(now));
        }
    }

    /// An announcement is over: now the final answer.
    pub(crate) fn on_played(&mut self, now: Instant, player: u8) {
        let call = self
            .calls
            .iter()
            .find(|(_, meta, _)| meta.player == Some(player))
            .map(|(call, ..)| call);
        if let Some(call) = call {
            self.after_announcement(now, call);
        }
    }

    fn after_announcement(&mut self, now: Instant, call: Key) {
        if let Some(meta) = self.calls.meta(call) {
            let (status, cause) = meta.verdict;
            self.calls.refuse(now, call, status, cause);
        }
    }

    /// What became of a call.
    pub(crate) fn on_call_event(&mut self, now: Instant, event: Event) {
        let stamp = self.stamp(now);
        match event {
            Event::Progress { call, status, .. } => {
                let Some(meta) = self.calls.meta_mut(call) else {
                    return;
                };
                if status >= 180 && meta.ringing.is_none() {
                    meta.ringing = Some(stamp);
                }
                if meta.kind == Kind::Outgoing && !core::mem::replace(&mut meta.progressed, true) {
                    self.link.answered(now);
                    let limit = now + core::time::Duration::from_millis(RING_MS);
                    self.calls.set_deadline(call, Some(limit));
                }
            }
            Event::Failed { .. } => {}
            Event::Exhausted { call, status } => self.on_exhausted(now, call, status),
            Event::Answered { call, leg } => {
                let by = self.calls.leg_user(leg);
                self.calls.set_deadline(call, None);
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.answered = Some(stamp);
                    meta.answered_by = by;
                    if meta.kind == Kind::Outgoing {
                        self.link.answered(now);
                    }
                }
            }
            Event::Deadline { call } => self.on_deadline(now, call),
            Event::Ended { call, end } => self.on_ended(now, call, end),
        }
    }

    fn on_deadline(&mut self, now: Instant, call: Key) {
        let Some(meta) = self.calls.meta(call) else { return };
        if meta.player.is_some() {
            self.after_announcement(now, call);
        } else if meta.kind == Kind::Outgoing && !meta.progressed {
            // The call fails over before the mode does. A late answer gets its ACK and BYE.
            self.on_silence(now);
            self.calls.cancel_all(now, call, Some(Cause::OUT_OF_ORDER));
            self.no_way_out(now, call);
        } else {
            self.calls.refuse(now, call, 480, Some(Cause::NO_ANSWER));
        }
    }

    fn on_exhausted(&mut self, now: Instant, call: Key, status: u16) {
        let Some(meta) = self.calls.meta(call) else { return };
        let line_is_away = matches!(status, 408 | 503) && (!meta.progressed || !self.link.is_tried());
        // Nothing but the called side's own word ends an emergency call without the announcement.
        let must_speak = meta.emergency && !matches!(status, 486 | 600 | 603);
        match meta.kind {
            Kind::Outgoing if line_is_away || must_speak => self.no_way_out(now, call),
            // A challenge or a redirection of the cloud's is nothing a phone could answer.
            Kind::Outgoing if matches!(status, 300..=399 | 401 | 407) => {
                self.calls.refuse(now, call, 500, None)
            }
            Kind::Outgoing => {
                let cause = self.calls.failure_cause(call).and_then(q850);
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.verdict = (status, cause);
                }
                self.calls.refuse(now, call, status, cause);
            }
            // Phones say "not now" in several ways (403 is one maker's do-not-disturb).
            _ if matches!(status, 403 | 486 | 600 | 603) => self.calls.refuse(now, call, 486, None),
            _ if matches!(status, 300..=399 | 401 | 407 | 408 | 503) => {
                self.calls.refuse(now, call, 480, Some(ABSENT));
            }
            _ => self.calls.refuse(now, call, status, None),
        }
    }

    fn on_ended(&mut self, now: Instant, call: Key, end: End) {
        let ended = self.stamp(now);
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        let player = meta.player.take();
        let (state, status) = match end {
            End::HungUp(_) | End::Released => (FinalState::Answered, 200),
            End::Lost(_) => (FinalState::Lost, 200),
            End::Cancelled => (FinalState::Cancelled, 487),
            End::Refused(status) => {
                let state = match status {
                    486 if meta.verdict.1 == Some(Cause::NO_CHANNEL) => FinalState::ChannelLimit,
                    486 | 600 => FinalState::Busy,
                    480 if meta.ringing.is_some() => FinalState::NotAnswered,
                    480 | 503 => FinalState::Unavailable,
                    _ => FinalState::Refused(status),
                };
                (state, status)
            }
        };
        let leg = CallLeg {
            session: meta.session,
            leg: 0,
            side: Writer::Box,
            direction: Direction::In,
            from: meta.from.clone(),
            to: meta.to.clone(),
            presented: meta.presented,
            terminal: meta.caller,
            started: meta.started,
            ringing: meta.ringing,
            answered: meta.answered,
            ended,
            state,
            status,
        };
        let second = meta.answered_by.map(|by| CallLeg {
            leg: 1,
            direction: Direction::Out,
            terminal: u16::try_from(by).ok().and_then(IdKey::new),
            ..leg.clone()
        });
        self.tell(now, EventBody::CallLeg(leg));
        if let Some(second) = second {
            self.tell(now, EventBody::CallLeg(second));
        }
        if let Some(player) = player {
            self.media(MediaOutput::Stop { player });
        }
    }

    fn open(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        meta: Meta,
    ) -> Result<Key, No> {
        let mut session = [b'0'; 32];
        for (to, from) in session.iter_mut().zip(meta.session.text().bytes()) {
            *to = from;
        }
        Ok(self
            .calls
            .open(now, tx, flow, message, session, meta, &mut Direct)?)
    }

    fn meta(&mut self, now: Instant, kind: Kind, message: &Message<'_>, caller: Option<IdKey>) -> Meta {
        // Only the cloud's calls have a name already: what a phone says could be another call's.
        let session = message
            .header(Name::SessionId)
            .filter(|_| kind == Kind::Incoming)
            .and_then(|value| core::str::from_utf8(value.get(..32)?).ok()?.parse().ok())
            .unwrap_or_else(|| self.new_session());
        let party = |uri: Option<&[u8]>| {
            let mut buffer = [0; 40];
            let user = uri
                .and_then(Uri::parse)
                .and_then(|uri| uri.user)
                .and_then(|user| unescape(user, &mut buffer));
            // It is written into headers and shown to people: nothing but what a number or a name needs.
            let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '*' | '-' | '_' | '.');
            let mut party = Party::new();
            for c in user.unwrap_or_default().chars().filter(plain) {
                if party.push(c).is_err() {
                    break;
                }
            }
            if party.is_empty() {
                // Shorter than 32 characters.
                let _ = party.push_str("anonymous");
            }
            party
        };
        let from = party(message.from().map(|from| from.uri));
        let presented = Number::parse(&from).ok().filter(|_| kind == Kind::Incoming);
        Meta {
            kind,
            session,
            from,
            to: party(message.request_uri()),
            presented,
            caller,
            answered_by: None,
            started: self.stamp(now),
            ringing: None,
            answered: None,
            progressed: false,
            emergency: false,
            player: None,
            verdict: (480, None),
        }
    }

    /// What is known of the terminals at this moment; apps live in the cloud, so here they count as absent.
    fn facts(&self) -> Facts {
        let registered = self.registrar.registered();
        let mut busy = IdSet::EMPTY;
        for (_, meta, _) in self.calls.iter() {
            let by = meta
                .answered_by
                .and_then(|by| u16::try_from(by).ok())
                .and_then(IdKey::new);
            meta.caller.into_iter().chain(by).for_each(|key| busy.insert(key));
        }
        Facts {
            registered,
            busy,
            logged_in: IdSet::EMPTY,
            foreground: IdSet::EMPTY,
        }
    }

    /// Calls with the outside, which count against the contract's channels (R15).
    fn channels_used(&self) -> usize {
        self.calls
            .iter()
            .filter(|(_, meta, _)| meta.kind != Kind::Inside && meta.player.is_none())
            .count()
    }
}

/// The user part of the Request-URI, unescaped.
fn dialled<'b>(message: &Message<'_>, buffer: &'b mut [u8; 40]) -> Option<&'b str> {
    let uri = message.parsed_request_uri()?;
    unescape(uri.user?, buffer)
}

fn unescape<'b>(user: &[u8], buffer: &'b mut [u8; 40]) -> Option<&'b str> {
    let plain = sip::uri::unescape(user, buffer)?;
    // Parameters of a telephone number (RFC 3261 §19.1.6) are not dialled.
    let end = plain.iter().position(|byte| *byte == b';').unwrap_or(plain.len());
    core::str::from_utf8(plain.get(..end)?).ok()
}

/// The answer to an offer for an announcement of ours: where to play, how, and the description. Nothing for an offer
/// without G.711 audio as its first medium.
fn announced(offer: &[u8], session: u64, ours: SocketAddr) -> Option<(SocketAddr, Law, String<512>)> {
    let offer = Sdp::parse(offer)?;
    let audio = offer
        .media()
        .next()
        .filter(|first| Some(*first) == offer.audio())?;
    let (codec, _) = audio.codecs().next()?;
    let law = match codec {
        Codec::Pcmu => Law::Pcmu,
        Codec::Pcma => Law::Pcma,
    };
    let answer = Audio {
        session,
        version: 1,
        target: ours,
        codecs: &[codec],
        telephone_event: None,
        direction: sip::sdp::Direction::SendRecv,
    };
    let mut sdp = String::new();
    write!(sdp, "{answer}").ok()?;
    // Every other medium is refused (RFC 3264 §6).
    for other in offer.media().skip(1) {
        let [kind, protocol, formats] =
            [other.kind, other.protocol, other.formats].map(|bytes| core::str::from_utf8(bytes).ok());
        write!(sdp, "m={} 0 {} {}\r\n", kind?, protocol?, formats?).ok()?;
    }
    Some((audio.target()?, law, sdp))
}

/// A From or To for the called side; without the name if that makes it too long.
fn address(name: &str, user: impl core::fmt::Display, realm: &str) -> String<ADDRESS_MAX> {
    let mut text = String::new();
    if name.is_empty() || write!(text, "\"{}\" <sip:{user}@{realm}>", Quoted(name)).is_err() {
        text.clear();
        // The longest user and realm fit.
        let _ = write!(text, "<sip:{user}@{realm}>");
    }
    text
}

const _: () = assert!(ADDRESS_MAX >= "<sip:@>".len() + 32 + 64);

/// The user part of what the called side sees.
fn user(digits: impl core::fmt::Display) -> String<24> {
    let mut user = String::new();
    // An extension or a telephone number is shorter.
    let _ = write!(user, "{digits}");
    user
}

/// A cause of Q.850 as it is passed on.
fn q850(cause: u16) -> Option<Cause> {
    let text = match cause {
        17 => "User busy",
        18 => "No user responding",
        27 => "Destination out of order",
        28 => "Invalid number format",
        41 => "Temporary failure",
        42 => "Switching equipment congestion",
        _ => {
            let known = [
                UNALLOCATED,
                BARRED,
                ABSENT,
                Cause::NO_CHANNEL,
                Cause::OUT_OF_ORDER,
                Cause::NO_ANSWER,
            ];
            return known.into_iter().find(|known| known.cause == cause);
        }
    };
    Some(Cause {
        protocol: "Q.850",
        cause,
        text,
    })
}

fn refused(why: DialRefusal) -> No {
    match why {
        DialRefusal::NotANumber(_) => No(484, Some(UNALLOCATED)),
        DialRefusal::NoSuchExtension | DialRefusal::UnknownFeature => No(404, Some(UNALLOCATED)),
        DialRefusal::International | DialRefusal::NeedsOutsidePrefix => No(403, Some(BARRED)),
    }
}

/// Text within a quoted string (RFC 3261 §25.1).
struct Quoted<'a>(&'a str);

impl core::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
