//! Where calls go: inside the office, to the cloud, or to an announcement.

mod announce;
mod events;

use core::fmt::Write;
use core::time::Duration;

use heapless::String;
use media::prompt::Prompt;
use shared::caller_id;
use shared::date::{Date, Local};
use shared::dial::{Dialled, Present, Privacy, Refusal as DialRefusal, dial};
use shared::id::{Extension, IdKey, IdSet, SessionId};
use shared::number::Number;
use shared::record::{Party, Stamp};
use shared::ring::{Facts, ring};
use shared::site::{Called, TerminalKind};
use sip::b2bua::{ADDRESS_MAX, Cause, Direct, EXTRA_MAX, Refusal, Target};
use sip::pool::Key;
use sip::transaction::{Priority, TxId};
use sip::{Flow, Instant, Message, Name, Uri};

use crate::Gateway;
use crate::budget::RING_MS;
use crate::link::FIRST_ANSWER;
use crate::registrar::Binding;

/// [`Target::user`] of the trunk.
const TRUNK: u32 = u32::MAX;
/// What a phone is told that found no room, seconds.
const RETRY_AFTER: u8 = 2;

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
/// Q.850 cause 28.
const INCOMPLETE: Cause = Cause {
    protocol: "Q.850",
    cause: 28,
    text: "Invalid number format",
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
            let mut known = self.authenticate(now, flow, message);
            if known.is_none() && emergency {
                // A registered phone's emergency call does not fail for a wrong password.
                known = self.vouched(now, flow, message);
            }
            match known {
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
            .is_some_and(|dialled| matches!(dial(&self.site, dialled, None), Ok(Dialled::Emergency(_))))
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
        let meaning = match dial(&self.site, dialled, self.today(now)) {
            Ok(meaning) => meaning,
            Err(DialRefusal::Ended | DialRefusal::Unassigned) => {
                return self.not_in_use(now, tx, flow, message, caller);
            }
            Err(why) => return Err(refused(why)),
        };
        let mut chosen = Present::Usual;
        let (number, wish, emergency) = match meaning {
            Dialled::Emergency(number) => (number, Privacy::Show, true),
            Dialled::Outside {
                number,
                privacy,
                present,
            } => {
                chosen = present;
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
        };
        self.outside(now, tx, flow, message, caller, number, wish, chosen, emergency)
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
        chosen: Present,
        emergency: bool,
    ) -> Result<(), No> {
        let id = self.site.id(caller).ok_or(No(403, Some(BARRED)))?;
        let chosen = chosen.number(&self.site, id).map_err(refused)?;
        if chosen.is_some_and(|number| caller_id::check(&self.site, id, number).is_err()) {
            return Err(No(403, Some(BARRED)));
        }
        let (presented, direct) = (chosen.unwrap_or(id.outgoing), id.direct);
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
        // While the line is up the cloud counts: it knows of the apps' calls too.
        let trunk = self.trunk.flow().filter(|_| self.link.is_tried());
        let full = trunk.is_none() && self.channels_used() >= usize::from(self.site.sys.channels);
        let call = self.open(now, tx, flow, message, meta)?;
        if !self.present(now, call, &from, &to, &extra) {
            return Ok(());
        }
        if full && !emergency {
            // R15: with a spoken reason.
            self.announce(now, call, Prompt::ChannelsBusy, 486, Cause::NO_CHANNEL);
            return Ok(());
        }
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

    /// Nobody has this number any more, or has had it: said with words, as the network does.
    fn not_in_use(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        caller: IdKey,
    ) -> Result<(), No> {
        let meta = self.meta(now, Kind::Outgoing, message, Some(caller));
        let call = self.open(now, tx, flow, message, meta)?;
        self.announce(now, call, Prompt::NumberNotInUse, 404, UNALLOCATED);
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
        let mut name = [0; ADDRESS_MAX];
        let name = message
            .from()
            .and_then(|from| sip::fields::unescape_quoted(from.display?, &mut name))
            .and_then(|name| core::str::from_utf8(name).ok());
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
            let limit = now + Duration::from_millis(RING_MS);
            self.calls.set_deadline(call, Some(limit));
        } else if full {
            self.calls.refuse(now, call, Refusal::NoRoom.status(), None);
        } else {
            self.calls.refuse(now, call, 480, Some(ABSENT));
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

    /// The day in Japan, once the clock is set.
    fn today(&self, now: Instant) -> Option<Date> {
        let unix_ms = self.stamp(now).unix?;
        Some(Local::from_unix(unix_ms / 1_000).date)
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
            elsewhere: self.site.all().difference(self.site.here()),
            ..Facts::default()
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

fn refused(why: DialRefusal) -> No {
    match why.q850() {
        1 => No(404, Some(UNALLOCATED)),
        28 => No(484, Some(INCOMPLETE)),
        _ => No(403, Some(BARRED)),
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
