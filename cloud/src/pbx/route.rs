//! Where calls go: from the carrier to boxes, from a box to the carrier or to the contract's other boxes.

use std::fmt::{self, Write};
use std::time::Duration;

use media::g711::Law;
use media::prompt::Prompt;
use shared::record::{Party, Stamp};
use shared::{BoxId, ContractId, IdKey, Number};
use sip::b2bua::{Cause, Event, Refusal, Side, Target};
use sip::pool::Key;
use sip::sdp::{Audio, Codec, Direction, Sdp};
use sip::transaction::{Priority, TxId};
use sip::{Flow, Instant, Message, Method, Name, NameAddr, Scheme, Uri, fields, uri};

use super::directory::may_present;
use super::{Kind, Meta, Pbx, Relays};

/// A box or carrier that says nothing of a call for so long, not even 100, is not there.
const FIRST_ANSWER: Duration = Duration::from_secs(4);
/// How long a call may ring.
const RING_MAX: Duration = Duration::from_secs(180);
/// An announcement that never reports its end is given up after this.
const ANNOUNCEMENT_MAX: Duration = Duration::from_secs(40);
/// Longest user part of a URI that is looked at, in bytes.
const USER_MAX: usize = 64;
/// Longest display name that is passed on, in bytes with its escapes.
const NAME_MAX: usize = 64;

/// Q.850 cause 1.
const UNALLOCATED: Cause = Cause {
    protocol: "Q.850",
    cause: 1,
    text: "Unallocated number",
};
/// Q.850 cause 17.
const BUSY: Cause = Cause {
    protocol: "Q.850",
    cause: 17,
    text: "User busy",
};
/// Q.850 cause 20.
const ABSENT: Cause = Cause {
    protocol: "Q.850",
    cause: 20,
    text: "Subscriber absent",
};
/// Q.850 cause 21: R9.
const NOT_YOURS: Cause = Cause {
    protocol: "Q.850",
    cause: 21,
    text: "Number not owned by the caller",
};
/// Q.850 cause 21.
const BARRED: Cause = Cause {
    protocol: "Q.850",
    cause: 21,
    text: "Call barred",
};

/// Why a call is not taken.
#[derive(Clone, Copy, Debug)]
struct No(u16, Option<Cause>);

/// What a request of a box asks for.
struct Wish {
    contract: ContractId,
    called: Number,
    /// The number to be presented; none that the caller may present.
    presented: Option<Number>,
    caller: Option<IdKey>,
    withheld: bool,
    /// Not allowed there.
    barred: bool,
    /// The contract's own boxes with this number, but for the asking one.
    own: bool,
}

impl<R: Relays> Pbx<R> {
    pub(super) fn carrier_calls(&mut self, now: Instant, tx: TxId, flow: Flow, message: &Message<'_>) {
        if let Err(No(status, cause)) = self.incoming(now, tx, flow, message) {
            self.refuse_unopened(now, tx, flow, message, status, cause);
        }
    }

    pub(super) fn box_calls(&mut self, now: Instant, tx: TxId, flow: Flow, id: BoxId, message: &Message<'_>) {
        if let Err(No(status, cause)) = self.outgoing(now, tx, flow, id, message) {
            self.refuse_unopened(now, tx, flow, message, status, cause);
        }
    }

    fn refuse_unopened(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        status: u16,
        cause: Option<Cause>,
    ) {
        self.calls.reply(now, tx, flow, message, status, |w| {
            if let Some(cause) = cause {
                w.header(Name::Reason, cause);
            }
            if status == 420 {
                for tag in message.unsupported(&[]) {
                    w.header_bytes(Name::Unsupported, tag);
                }
            }
            if status == 503 {
                w.header(Name::RetryAfter, 5);
            }
        });
    }

    fn screened(&self, message: &Message<'_>) -> Result<(), No> {
        if self.stopping {
            return Err(No(503, None));
        }
        message
            .screen(&[])
            .map_err(|fault| No(fault.status().unwrap_or(400), None))
    }

    fn incoming(&mut self, now: Instant, tx: TxId, flow: Flow, message: &Message<'_>) -> Result<(), No> {
        self.screened(message)?;
        let unallocated = No(404, Some(UNALLOCATED));
        let called = message.parsed_request_uri().and_then(number).ok_or(unallocated)?;
        let contract = self.directory.contract_with(called).ok_or(unallocated)?;
        let withheld = asks_for_privacy(message);
        let caller = message.from().ok_or(No(400, None))?;
        let calling = caller.parsed_uri().and_then(number);
        let limited = self.is_full(contract, called);
        let meta = Meta {
            presented: calling.filter(|_| !withheld),
            number: Some(called),
            channel: !limited,
            limited,
            ..self.meta(now, Kind::Incoming, contract, message)
        };
        let from = presented_from(&caller, calling, withheld, self.directory.realm());
        let to = format!("<sip:{}@{}>", called.digits(), self.directory.realm());
        let call = self.open(now, tx, flow, message, meta)?;
        if limited {
            self.counters.channels += 1;
            self.calls.refuse(now, call, 486, Some(BUSY));
        } else {
            self.ring_boxes(now, call, called, None, &from, &to, "");
        }
        Ok(())
    }

    fn outgoing(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        id: BoxId,
        message: &Message<'_>,
    ) -> Result<(), No> {
        self.screened(message)?;
        let wish = self.wish(id, message)?;
        let Wish {
            contract,
            called,
            withheld,
            ..
        } = wish;
        let emergency = called.is_emergency();
        let kind = if wish.own { Kind::Internal } else { Kind::Outgoing };
        let number = wish.presented.filter(|_| kind == Kind::Outgoing);
        let permitted = wish.presented.is_some() && !wish.barred;
        let limited = permitted
            && kind == Kind::Outgoing
            && !emergency
            && number.is_some_and(|number| self.is_full(contract, number));
        let meta = Meta {
            presented: wish.presented.filter(|_| !withheld),
            number,
            caller: wish.caller,
            channel: permitted && !limited && kind == Kind::Outgoing,
            limited,
            ..self.meta(now, kind, contract, message)
        };
        let call = self.open(now, tx, flow, message, meta)?;
        let Some(presented) = wish.presented else {
            self.calls.refuse(now, call, 403, Some(NOT_YOURS));
            return Ok(());
        };
        if wish.barred {
            self.calls.refuse(now, call, 403, Some(BARRED));
        } else if limited {
            self.counters.channels += 1;
            self.announce(now, call, Prompt::ChannelsBusy, 486, Cause::NO_CHANNEL);
        } else if wish.own {
            let realm = self.directory.realm();
            let from = match withheld {
                true => ANONYMOUS.to_string(),
                false => format!("<sip:{}@{realm}>", presented.digits()),
            };
            let to = format!("<sip:{}@{realm}>", called.digits());
            self.ring_boxes(now, call, called, Some(id), &from, &to, "");
        } else {
            self.ring_carrier(now, call, called, presented, withheld && !emergency, emergency);
        }
        Ok(())
    }

    /// Says to the caller why its call fails, and then lets it fail; at once where nothing can be said.
    fn announce(&mut self, now: Instant, call: Key, prompt: Prompt, status: u16, cause: Cause) {
        let codec = self
            .calls
            .sdp(call, Side::Callee)
            .and_then(Sdp::parse)
            .and_then(|sdp| sdp.audio()?.codecs().next());
        let (Some((codec, _)), Some(target)) = (codec, self.media.caller_end(call)) else {
            return self.calls.refuse(now, call, status, Some(cause));
        };
        let audio = Audio {
            session: self.random() >> 1,
            version: 1,
            target,
            codecs: &[codec],
            telephone_event: None,
            direction: Direction::SendRecv,
        };
        let law = match codec {
            Codec::Pcmu => Law::Pcmu,
            Codec::Pcma => Law::Pcma,
        };
        let said = self.media.relays.play(call.to_bits(), prompt, law)
            && self
                .calls
                .progress(now, call, 183, Some(audio.to_string().as_bytes()), Some(cause))
                .is_ok();
        if !said {
            return self.calls.refuse(now, call, status, Some(cause));
        }
        if let Some(meta) = self.calls.meta_mut(call) {
            meta.verdict = Some((status, cause));
        }
        self.calls.set_deadline(call, Some(now + ANNOUNCEMENT_MAX));
    }

    fn is_announcing(&self, call: Key) -> bool {
        self.calls.meta(call).is_some_and(|meta| meta.verdict.is_some())
    }

    /// An announcement is over: now the final answer.
    pub(super) fn on_played(&mut self, now: Instant, call: Key) {
        if let Some((status, cause)) = self.calls.meta(call).and_then(|meta| meta.verdict) {
            self.calls.refuse(now, call, status, Some(cause));
        }
    }

    /// What a box's INVITE asks for, and whether it may.
    fn wish(&self, id: BoxId, message: &Message<'_>) -> Result<Wish, No> {
        let site = self.directory.site_of(id).ok_or(No(403, None))?;
        let contract = site.sys.contract;
        let unallocated = No(404, Some(UNALLOCATED));
        let called = message.parsed_request_uri().and_then(number).ok_or(unallocated)?;
        let address = |value: &[u8]| {
            NameAddr::parse(value)
                .and_then(|address| address.parsed_uri())
                .and_then(number)
        };
        // Who calls: without it the site answers for its phones; with it, that one's own numbers only (R9).
        let served = message.other("P-Served-User").map(|value| {
            let direct = address(value)?;
            site.ids.iter().find(|id| id.direct == direct && site.is_here(id))
        });
        let caller = served.flatten();
        let asked = match message.header(Name::PAssertedIdentity) {
            Some(_) => message
                .asserted_identity()
                .and_then(|address| address.parsed_uri())
                .and_then(number),
            None => message.header(Name::From).and_then(address),
        };
        let known = served.is_none() || caller.is_some();
        let allowed = |number: &Number| known && may_present(site, caller.map(|id| id.key), *number);
        let emergency = called.is_emergency();
        let presented = asked.filter(allowed).or_else(|| {
            // 110, 118 and 119 are never refused: the called authority sees a number of the site all the same.
            let first = caller
                .map(|id| id.outgoing)
                .or_else(|| site.ids.iter().find(|id| site.is_here(id)).map(|id| id.direct));
            first.filter(|_| emergency)
        });
        Ok(Wish {
            contract,
            called,
            presented,
            caller: caller.map(|id| id.key),
            withheld: asks_for_privacy(message),
            barred: !called.is_japanese() && !site.sys.international,
            own: self.directory.contract_with(called) == Some(contract),
        })
    }

    /// R15, A9: every channel of the contract is in use, or every one of the number (A4).
    fn is_full(&self, contract: ContractId, number: Number) -> bool {
        let of_number = |meta: &super::Meta| meta.channel && meta.number == Some(number);
        self.channels_used(contract) >= self.directory.channels(contract)
            || self
                .directory
                .sub_cap(number)
                .is_some_and(|cap| self.calls.iter().filter(|(_, meta, _)| of_number(meta)).count() >= cap)
    }

    /// Offers a call once to each box that has this number.
    #[expect(clippy::too_many_arguments, reason = "what an INVITE says")]
    fn ring_boxes(
        &mut self,
        now: Instant,
        call: Key,
        called: Number,
        but: Option<BoxId>,
        from: &str,
        to: &str,
        extra: &str,
    ) {
        let boxes: Vec<BoxId> = self
            .directory
            .sites_with(called)
            .filter_map(|site| self.directory.box_of(site))
            .filter(|id| Some(*id) != but)
            .collect();
        let presented = self
            .calls
            .present(call, from.as_bytes(), to.as_bytes(), extra.as_bytes());
        let mut branches = Vec::new();
        for id in boxes {
            let Some(trunk) = self.trunks.get(&id).filter(|trunk| trunk.is_there()) else {
                continue;
            };
            let uri = format!("sip:{}@{};transport=tcp", called.digits(), trunk.contact);
            let target = Target {
                flow: trunk.flow,
                uri: uri.as_bytes(),
                priority: Priority::Normal,
                user: 0,
            };
            if let Ok(leg) = presented.and_then(|()| self.calls.dial(now, call, target)) {
                branches.push((id, leg));
            }
        }
        if branches.is_empty() {
            // The desk phones of a site without its box are absent.
            self.calls.refuse(now, call, 480, Some(ABSENT));
            return;
        }
        let dialled = self.stamp(now);
        if let Some(meta) = self.calls.meta_mut(call) {
            meta.branches = branches;
            meta.dialled = Some(dialled);
        }
        self.calls.set_deadline(call, Some(now + FIRST_ANSWER));
    }

    fn ring_carrier(
        &mut self,
        now: Instant,
        call: Key,
        called: Number,
        presented: Number,
        withheld: bool,
        emergency: bool,
    ) {
        let flow = self.carrier_flow();
        let carrier = flow.peer;
        let (called, own) = (called.e164(), flow.local.ip());
        let from = match withheld {
            true => ANONYMOUS.to_string(),
            false => format!("<sip:{}@{own}>", presented.e164()),
        };
        let to = format!("<sip:{called}@{carrier}>");
        let mut extra = format!("P-Asserted-Identity: <sip:{}@{own}>\r\n", presented.e164());
        if withheld {
            extra.push_str("Privacy: id\r\n");
        }
        let uri = format!("sip:{called}@{carrier}");
        let target = Target {
            flow,
            uri: uri.as_bytes(),
            priority: if emergency {
                Priority::Reserved
            } else {
                Priority::Normal
            },
            user: 0,
        };
        let dialled = self
            .calls
            .present(call, from.as_bytes(), to.as_bytes(), extra.as_bytes())
            .and_then(|()| self.calls.dial(now, call, target));
        match dialled {
            Ok(_) => {
                let stamp = self.stamp(now);
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.dialled = Some(stamp);
                }
                self.calls.set_deadline(call, Some(now + FIRST_ANSWER));
            }
            Err(refusal) => self.calls.refuse(now, call, refusal.status(), None),
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
        session
            .iter_mut()
            .zip(meta.session.text().bytes())
            .for_each(|(to, from)| *to = from);
        self.media.exhausted = false;
        let opened = self
            .calls
            .open(now, tx, flow, message, session, meta, &mut self.media);
        opened.map_err(|refusal| {
            self.media.keep(|call| self.calls.meta(call).is_some());
            if refusal == Refusal::Media && self.media.exhausted {
                self.counters.ports += 1;
                return No(503, Some(Cause::NO_CHANNEL));
            }
            No(refusal.status(), None)
        })
    }

    fn meta(&mut self, now: Instant, kind: Kind, contract: ContractId, message: &Message<'_>) -> Meta {
        // A box names its calls (RFC 7989); the carrier's are named here.
        let named = match kind {
            Kind::Incoming => None,
            _ => message
                .header(Name::SessionId)
                .and_then(|value| core::str::from_utf8(value.get(..32)?).ok()?.parse().ok()),
        };
        let session = named.unwrap_or_else(|| self.new_session());
        Meta {
            kind,
            contract,
            session,
            from: party(message.from().and_then(|from| from.parsed_uri())),
            to: party(message.parsed_request_uri()),
            presented: None,
            number: None,
            caller: None,
            started: self.stamp(now),
            dialled: None,
            ringing: None,
            answered: None,
            channel: false,
            limited: false,
            progressed: false,
            verdict: None,
            branches: Vec::new(),
        }
    }

    pub(super) fn on_event(&mut self, now: Instant, event: Event) {
        let stamp = self.stamp(now);
        match event {
            Event::Progress { call, status, .. } => self.on_progress(now, call, status, stamp),
            Event::Failed { call, leg, .. } => {
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.branches.retain(|(_, branch)| *branch != leg);
                }
            }
            Event::Exhausted { call, status } => self.on_exhausted(now, call, status),
            Event::Answered { call, .. } => {
                self.calls.set_deadline(call, None);
                if let Some(meta) = self.calls.meta_mut(call) {
                    meta.answered = Some(stamp);
                    meta.branches.clear();
                }
            }
            Event::Deadline { call } if self.is_announcing(call) => self.on_played(now, call),
            Event::Deadline { call } => {
                let Some(meta) = self.calls.meta(call) else { return };
                let (status, cause) = match meta.kind {
                    _ if meta.progressed => (480, Cause::NO_ANSWER),
                    // No way out: the box can say so to the caller.
                    Kind::Outgoing => (503, Cause::OUT_OF_ORDER),
                    Kind::Incoming | Kind::Internal => (480, ABSENT),
                };
                self.calls.refuse(now, call, status, Some(cause));
            }
            Event::Ended { call, end } => {
                let elsewhere = self.calls.cause(call) == Some(Cause::COMPLETED_ELSEWHERE);
                if let Some(meta) = self.calls.meta(call) {
                    for leg in meta.legs(stamp, end, elsewhere) {
                        self.out
                            .push_back(super::Queued::Record(meta.contract, Box::new(leg)));
                    }
                }
                self.media.close(call);
            }
        }
    }

    fn on_progress(&mut self, now: Instant, call: Key, status: u16, stamp: Stamp) {
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        if status >= 180 && meta.ringing.is_none() {
            meta.ringing = Some(stamp);
        }
        if !std::mem::replace(&mut meta.progressed, true) {
            self.calls.set_deadline(call, Some(now + RING_MAX));
        }
    }

    fn on_exhausted(&mut self, now: Instant, call: Key, status: u16) {
        let Some(kind) = self.calls.meta(call).map(|meta| meta.kind) else {
            return;
        };
        let (status, cause) = match (kind, status) {
            (Kind::Outgoing, 408) => (504, Some(Cause::OUT_OF_ORDER)),
            // A challenge or a redirection of the carrier's is nothing a box could answer.
            (Kind::Outgoing, 300..=399 | 401 | 407) => (500, None),
            (Kind::Outgoing, _) => (status, None),
            (_, 486 | 600 | 603) => (486, Some(BUSY)),
            (_, 503) => (480, Some(Cause::OUT_OF_ORDER)),
            (_, 300..=399 | 401 | 407 | 408) => (480, Some(ABSENT)),
            _ => (status, None),
        };
        self.calls.refuse(now, call, status, cause);
    }

    /// A box is away: what only it rings is over at once, elsewhere it goes on ringing.
    pub(super) fn stop_ringing(&mut self, now: Instant, id: BoxId) {
        let calls: Vec<Key> = self
            .calls
            .iter()
            .filter(|(_, meta, _)| meta.branches.iter().any(|(at, _)| *at == id))
            .map(|(call, ..)| call)
            .collect();
        for call in calls {
            let Some(meta) = self.calls.meta_mut(call) else {
                continue;
            };
            let branches = std::mem::take(&mut meta.branches);
            let (lost, left): (Vec<_>, Vec<_>) = branches.into_iter().partition(|(at, _)| *at == id);
            let alone = left.is_empty();
            meta.branches = left;
            for (_, leg) in lost {
                self.calls.cancel(now, leg, Some(Cause::OUT_OF_ORDER));
            }
            if alone {
                self.calls.refuse(now, call, 480, Some(Cause::OUT_OF_ORDER));
            }
        }
    }
}

/// RFC 3323 §4.1.1.3.
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// Is it the INVITE of a call to 110, 118 or 119?
pub(super) fn is_emergency(message: &Message<'_>) -> bool {
    message.is_request()
        && message.method() == Method::Invite
        && message
            .parsed_request_uri()
            .and_then(number)
            .is_some_and(Number::is_emergency)
}

/// The number in a SIP or tel URI. Parameters of a telephone number (RFC 3261 §19.1.6) are not part of it.
fn number(uri: Uri<'_>) -> Option<Number> {
    if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel) {
        return None;
    }
    let mut buffer = [0; USER_MAX];
    Number::parse(&user(uri, &mut buffer)?).ok()
}

fn user(uri: Uri<'_>, buffer: &mut [u8; USER_MAX]) -> Option<String> {
    let plain = uri::unescape(uri.user?, buffer)?;
    let number = plain.split(|byte| *byte == b';').next()?;
    core::str::from_utf8(number).ok().map(str::to_string)
}

/// The user part of a URI for the records, shortened if need be.
fn party(uri: Option<Uri<'_>>) -> Party {
    let mut buffer = [0; USER_MAX];
    let text = uri.and_then(|uri| user(uri, &mut buffer));
    let mut party = Party::new();
    for c in text
        .as_deref()
        .unwrap_or("anonymous")
        .chars()
        .filter(|c| !c.is_control())
    {
        if party.push(c).is_err() {
            break;
        }
    }
    party
}

/// RFC 3323 §4.2, RFC 3325 §9.3.
fn asks_for_privacy(message: &Message<'_>) -> bool {
    message
        .lines(Name::Privacy)
        .flat_map(|line| line.split(|byte| matches!(byte, b';' | b',')))
        .any(|value| {
            let value = value.trim_ascii();
            [&b"id"[..], b"user", b"header"]
                .iter()
                .any(|known| value.eq_ignore_ascii_case(known))
        })
}

/// What the called phones see: the caller as received, its number as one dials it.
fn presented_from(caller: &NameAddr<'_>, calling: Option<Number>, withheld: bool, realm: &str) -> String {
    let mut from = String::new();
    if let Some(name) = caller.display.filter(|_| !withheld).and_then(quoted) {
        let _ = write!(from, "{name} ");
    }
    let _ = match calling.filter(|_| !withheld) {
        Some(number) => write!(from, "<sip:{}@{realm}>", number.digits()),
        None if withheld => write!(from, "{ANONYMOUS}"),
        None => write!(from, "<{}>", Uri8(caller.uri)),
    };
    from
}

/// A display name as a quoted string, whether it was one or bare words; none that is too long or cannot be read.
fn quoted(display: &[u8]) -> Option<String> {
    let mut buffer = [0; NAME_MAX];
    let name = core::str::from_utf8(fields::unescape_quoted(display, &mut buffer)?).ok()?;
    if name.chars().any(char::is_control) {
        return None;
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    (escaped.len() <= NAME_MAX).then(|| format!("\"{escaped}\""))
}

/// A URI of somebody else's: bytes that were checked when the message was read.
struct Uri8<'a>(&'a [u8]);

impl fmt::Display for Uri8<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.0).unwrap_or("sip:unknown@unknown.invalid"))
    }
}
