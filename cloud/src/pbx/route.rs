//! Where calls go: from the carrier to boxes and phones, from one of those to the carrier or to others of its contract.
//!
//! Who may call, what becomes of a call, which terminals ring, what is presented and how many calls there may be is decided
//! in `shared`; here it is carried out.

mod announce;
mod events;
mod incoming;
mod outgoing;
mod parties;
mod ring;

use std::time::Duration;

use shared::channels::{self, Full, Use};
use shared::{BoxId, ContractId, Local, Number};
use sip::b2bua::{Cause, Protocol, Refusal, SUPPORTED};
use sip::pool::Key;
use sip::transaction::TxId;
use sip::{Flow, Instant, Message, Method, Name};

use super::registrar::Challenged;
use super::{Kind, Meta, Pbx, Peer, Relays};
pub(super) use parties::Sent;
pub(crate) use parties::caller;
pub(super) use parties::dialled;
use parties::{number, party};

/// A box, phone or carrier that says nothing of a call for so long, not even 100, is not there.
const FIRST_ANSWER: Duration = Duration::from_secs(4);
/// How long a call may ring.
const RING_MAX: Duration = Duration::from_secs(180);
/// How long a call rings that goes elsewhere if nobody answers: ten rings of Japanese ringing (1 s on, 2 s off).
const RING_BEFORE_FORWARD: Duration = Duration::from_secs(30);
/// An announcement that never reports its end is given up after this.
const ANNOUNCEMENT_MAX: Duration = Duration::from_secs(40);

/// Q.850 cause 1.
const UNALLOCATED: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 1,
    text: "Unallocated number",
};
/// Q.850 cause 17.
const BUSY: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 17,
    text: "User busy",
};
/// Q.850 cause 20.
const ABSENT: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 20,
    text: "Subscriber absent",
};
/// Q.850 cause 21: R9.
const NOT_YOURS: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 21,
    text: "Number not owned by the caller",
};
/// Q.850 cause 27.
const NOT_YET: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 27,
    text: "Destination out of order",
};
/// Q.850 cause 21.
const BARRED: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 21,
    text: "Call barred",
};
/// Q.850 cause 69.
const AT_THE_BOX: Cause = Cause {
    protocol: Protocol::Q850,
    cause: 69,
    text: "Not while the box is away",
};

/// Why a call is not taken.
#[derive(Clone, Copy, Debug)]
struct No(u16, Option<Cause>);

impl<R: Relays> Pbx<R> {
    pub(super) fn carrier_calls(&mut self, now: Instant, tx: TxId, flow: Flow, message: &Message<'_>) {
        if let Err(No(status, cause)) = self.incoming(now, tx, flow, message) {
            self.refuse_unopened(now, tx, flow, message, status, cause);
        }
    }

    pub(super) fn box_calls(&mut self, now: Instant, tx: TxId, flow: Flow, id: BoxId, message: &Message<'_>) {
        self.peer_calls(now, tx, flow, Peer::Box(id), message);
    }

    /// A phone proves with each call whose it is, and calls from where it is registered.
    pub(super) fn phone_calls(&mut self, now: Instant, tx: TxId, flow: Flow, message: &Message<'_>) {
        let proof = match self.authenticate(now, flow, message, Challenged::CALL) {
            Some(proof) if proof.replayed => {
                self.challenge(now, flow, message, Challenged::CALL, true);
                None
            }
            Some(proof) if self.peers_on(&flow).all(|peer| peer != proof.peer) => {
                self.answer(flow, message, 403, |_| {});
                None
            }
            proof => proof,
        };
        match proof {
            Some(proof) => self.peer_calls(now, tx, flow, proof.peer, message),
            // Answered without a transaction: a repetition is answered again.
            None => self.calls.forget(tx),
        }
    }

    fn peer_calls(&mut self, now: Instant, tx: TxId, flow: Flow, by: Peer, message: &Message<'_>) {
        if let Err(No(status, cause)) = self.outgoing(now, tx, flow, by, message) {
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
                for tag in message.unsupported(&SUPPORTED) {
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
            .screen(&SUPPORTED)
            .map_err(|fault| No(fault.status().unwrap_or(400), None))
    }

    /// May a call with this use of the contract's channels be accepted (R15, A4)?
    fn has_channel(&self, contract: ContractId, wanted: Use) -> Result<(), Full> {
        match self.directory.office(contract) {
            Some(office) => channels::admit(&office.site, wanted, self.uses(contract)),
            None => Err(Full::Contract),
        }
    }

    /// The time in Japan, once the wall clock is known.
    fn local(&self, now: Instant) -> Option<Local> {
        let unix_ms = self.stamp(now).unix?;
        Some(Local::from_unix(unix_ms / 1_000))
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
            uses: Use::Inside,
            caller: None,
            started: self.stamp(now),
            dialled: None,
            ringing: None,
            answered: None,
            limited: false,
            progressed: false,
            verdict: None,
            rings: None,
            branches: Vec::new(),
            answered_by: None,
        }
    }
}

/// Is it the INVITE of a call to 110, 118 or 119?
pub(super) fn is_emergency(message: &Message<'_>) -> bool {
    message.is_request()
        && message.method() == Method::Invite
        && message
            .parsed_request_uri()
            .and_then(number)
            .is_some_and(Number::is_emergency)
}
