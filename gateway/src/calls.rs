//! Where calls go: inside the office, to the cloud, or to an announcement.

mod announce;
mod busy;
mod events;
mod outgoing;
mod park;
mod pickup;
mod ringing;
mod transfer;

use core::fmt::Write;
use core::num::NonZeroU64;

use heapless::String;
use shared::channels::Use;
use shared::dial::{Dialled, dial};
use shared::id::{IdKey, SessionId};
use shared::number::Number;
use shared::record::{Party, Stamp};
use shared::ring::Ringing;
use sip::b2bua::{self, ADDRESS_MAX, Cause, Direct, Protocol, RETRY_AFTER, Refusal, Side};
use sip::pool::Key;
use sip::transaction::TxId;
use sip::{Flow, Instant, Message, Name, Uri};

pub(crate) use park::{Parked, slot};
pub(crate) use ringing::terminal;

use crate::Gateway;
use crate::budget::CALLS;
use crate::registrar::gruu;
pub(crate) use busy::Busy;

/// [`Target::user`] of the trunk.
const TRUNK: u32 = u32::MAX;

/// Which way a call crosses the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Phone to phones of the contract, as far as they are here.
    Inside,
    /// Phone to the cloud: to the outside, or to terminals of the contract that are not here.
    Outgoing,
    /// From the cloud.
    Incoming,
}

/// What the box keeps with a call.
#[derive(Debug)]
pub struct Meta {
    pub(crate) kind: Kind,
    session: SessionId,
    pub(crate) from: Party,
    pub(crate) to: Party,
    pub(crate) presented: Option<Number>,
    pub(crate) caller: Option<IdKey>,
    /// What it holds of the channels (R15).
    pub(crate) uses: Use,
    /// Who was offered it; nothing if it rings no phone here.
    rings: Option<Ringing>,
    /// The one phone of them that it is for ([`crate::registrar::gruu`]).
    pub(crate) gruu: Option<NonZeroU64>,
    pub(crate) answered_by: Option<u32>,
    started: Stamp,
    pub(crate) ringing: Option<Stamp>,
    answered: Option<Stamp>,
    /// The cloud has said something of it.
    progressed: bool,
    pub(crate) emergency: bool,
    /// The announcement it hears, and the answer after it.
    player: Option<u8>,
    verdict: (u16, Option<Cause>),
    /// Whose side leaves this call for another one.
    departs: Option<IdKey>,
    /// The call whose departing side it is to take the place of.
    transfer: Option<Key>,
    /// It calls back who departed, as nobody else would have it.
    recalls: bool,
    /// It takes over a call that rings elsewhere, or is parked.
    picks: bool,
    /// It goes to a slot, for a call that is parked there.
    pub(crate) parked: Option<Parked>,
    /// Number of the caller's leg in the session; the called side's is the next.
    leg: u8,
    /// Number of the next leg of the session, if there is one more.
    next_leg: u8,
    /// The records of its two legs are written already.
    written: [bool; 2],
}

impl Meta {
    /// Does it ring the terminal that made an emergency call, and that one alone?
    fn is_call_back(&self) -> bool {
        self.rings.is_some_and(|rings| rings.is_call_back())
    }
}

/// How a call begins.
#[derive(Clone, Copy)]
enum Start<'r, 'm> {
    /// With an INVITE.
    Invite {
        tx: TxId,
        flow: Flow,
        message: &'r Message<'m>,
    },
    /// For somebody who talks already, and whose other side departs.
    Transfer {
        /// The call it talks in.
        of: Key,
        /// Who it is, as it is shown: an extension or a number.
        from: &'r str,
        /// What the departing side has dialled for it.
        dialled: &'r str,
        /// The one phone that it means ([`gruu`]).
        gruu: Option<NonZeroU64>,
    },
}

impl<'r, 'm> Start<'r, 'm> {
    fn message(&self) -> Option<&'r Message<'m>> {
        match *self {
            Self::Invite { message, .. } => Some(message),
            Self::Transfer { .. } => None,
        }
    }
}

/// Why a call is not taken: the answer to the phone.
#[derive(Clone, Copy, Debug)]
struct No(u16, Option<Cause>);

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        No(refusal.status(), None)
    }
}

/// What an INVITE may demand.
const SUPPORTED: [&str; 3] = {
    let [timers, reliable] = b2bua::SUPPORTED;
    [timers, reliable, "replaces"]
};

/// Q.850 cause 1.
const UNALLOCATED: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 1,
    text: "Unallocated number",
};
/// Q.850 cause 21.
const BARRED: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 21,
    text: "Call rejected",
};
/// Q.850 cause 20.
const ABSENT: Cause = Cause {
    protocol: Protocol::Q850,
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
        if let Err(fault) = message.screen(&SUPPORTED) {
            let status = fault.status().unwrap_or(400);
            return self.calls.reply(now, tx, flow, message, status, |w| {
                for tag in message.unsupported(&SUPPORTED) {
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
                Some(key) => {
                    let start = Start::Invite { tx, flow, message };
                    match message.header(Name::Replaces) {
                        Some(replaces) => self.pick_up(now, start, key, replaces),
                        None => self.call_from_phone(now, start, key),
                    }
                }
                None => {
                    // The challenge is the answer; the transaction has nothing to remember.
                    self.calls.forget(tx);
                    return;
                }
            }
        };
        self.lamps.is_due = true;
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

    fn open(&mut self, now: Instant, start: Start<'_, '_>, meta: Meta) -> Result<Key, No> {
        let mut session = [b'0'; 32];
        for (to, from) in session.iter_mut().zip(meta.session.text().bytes()) {
            *to = from;
        }
        let caller = meta.caller;
        let call = match start {
            Start::Invite { tx, flow, message } => {
                self.calls
                    .open(now, tx, flow, message, session, meta, &mut Direct)
            }
            Start::Transfer { .. } => self.calls.originate(session, meta),
        }?;
        if let Some(caller) = caller {
            self.busy.begin(caller);
        }
        Ok(call)
    }

    fn meta(&mut self, now: Instant, kind: Kind, start: Start<'_, '_>, caller: Option<IdKey>) -> Meta {
        // Only the cloud's calls have a name already: what a phone says could be another call's.
        let session = start
            .message()
            .and_then(|message| message.header(Name::SessionId))
            .filter(|_| kind == Kind::Incoming)
            .and_then(|value| core::str::from_utf8(value.get(..32)?).ok()?.parse().ok())
            .unwrap_or_else(|| self.new_session());
        let party = |user: Option<&[u8]>| {
            let mut buffer = [0; 40];
            let user = user.and_then(|user| unescape(user, &mut buffer));
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
        let (from, to, gruu, transfer) = match start {
            Start::Invite { message, .. } => {
                let from = message.from().and_then(|from| Uri::parse(from.uri)?.user);
                let to = message.parsed_request_uri().and_then(|to| to.user);
                let gruu = message.parsed_request_uri().as_ref().and_then(gruu);
                (party(from), party(to), gruu, None)
            }
            Start::Transfer {
                of,
                from,
                dialled,
                gruu,
            } => (
                party(Some(from.as_bytes())),
                party(Some(dialled.as_bytes())),
                gruu,
                Some(of),
            ),
        };
        let presented = Number::parse(&from).ok().filter(|_| kind == Kind::Incoming);
        Meta {
            kind,
            session,
            from,
            to,
            presented,
            caller,
            uses: Use::Inside,
            rings: None,
            gruu,
            answered_by: None,
            started: self.stamp(now),
            ringing: None,
            answered: None,
            progressed: false,
            emergency: false,
            player: None,
            verdict: (480, None),
            departs: None,
            transfer,
            recalls: false,
            picks: false,
            parked: None,
            leg: 0,
            next_leg: 2,
            written: [false; 2],
        }
    }

    /// Makes a call one more leg of the session of another one, for its caller or for the called side: the other side's is written
    /// down there.
    fn goes_on_from(&mut self, of: Key, meta: &mut Meta, side: Side) {
        let Some(of) = self.calls.meta_mut(of) else { return };
        let leg = of.next_leg;
        of.next_leg = leg.saturating_add(1);
        (meta.session, meta.next_leg) = (of.session, of.next_leg);
        (meta.leg, meta.written) = match side {
            Side::Caller => (leg, [false, true]),
            Side::Callee => (leg - 1, [true, false]),
        };
    }

    /// Does something with each call that fits, which goes on fitting.
    fn each_call(&mut self, fits: impl Fn(&Meta, bool) -> bool, mut act: impl FnMut(&mut Self, Key)) {
        let mut done = 0;
        loop {
            // As many at a time as the box has.
            let fitting = self
                .calls
                .iter()
                .filter(|(_, meta, talking)| fits(meta, *talking));
            let some: heapless::Vec<Key, CALLS> =
                fitting.map(|(call, ..)| call).skip(done).take(CALLS).collect();
            if some.is_empty() {
                return;
            }
            done += some.len();
            some.into_iter().for_each(|call| act(self, call));
        }
    }

    /// What the calls hold of the contract's channels; one that is refused with spoken words holds nothing.
    fn uses(&self) -> impl Iterator<Item = Use> {
        let talking = self.calls.iter().filter(|(_, meta, _)| meta.player.is_none());
        talking.map(|(_, meta, _)| meta.uses)
    }
}

/// The user part of the Request-URI, unescaped.
pub(crate) fn dialled<'b>(message: &Message<'_>, buffer: &'b mut [u8; 40]) -> Option<&'b str> {
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
