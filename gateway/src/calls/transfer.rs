//! Transfers: who may put whom in its place, what becomes of it, and who is called back if nothing does.
//!
//! REFER ends here. The transferor's own dial rules say whom it may call; that call is made in its name and counts as its call
//! (R15), while the called side is shown who it will talk with. What is refused after the REFER was taken is told by NOTIFY: a
//! refusal of the REFER itself could end the transferor's dialog (RFC 5057 §5.1).

use core::fmt::Write as _;
use core::num::NonZeroU64;
use core::time::Duration;

use shared::id::IdKey;
use shared::record::{FinalState, Party};
use shared::ring::{Call, To};
use sip::b2bua::{Cause, Refusal, Side};
use sip::pool::Key;
use sip::refer::{REPLACES_MAX, ReferTo, Replaces};
use sip::transaction::TxId;
use sip::{Flow, Instant, Message, Name};

use super::ringing::terminal;
use super::{Kind, No, Start, address, unescape};
use crate::Gateway;
use crate::registrar::gruu;

/// The side that stays, or the new one, is just changing something: tried again after this,
const AGAIN: Duration = Duration::from_millis(200);
/// for so long.
const AGAIN_MS: u64 = 5_000;

impl Gateway<'_> {
    /// A side of a call asks to be replaced.
    pub(crate) fn on_refer(&mut self, now: Instant, tx: TxId, flow: Flow, message: &Message<'_>, leg: Key) {
        let wanted = message
            .other("Refer-Sub")
            .is_none_or(|value| !value.eq_ignore_ascii_case(b"false"));
        match self.refer(now, message, leg, wanted) {
            Ok(()) => {
                // The answer first; RFC 4488 §4.
                self.calls
                    .reply(now, tx, flow, message, if wanted { 202 } else { 200 }, |w| {
                        if !wanted {
                            w.header("Refer-Sub", "false");
                        }
                    });
            }
            Err(status) => self.calls.reply(now, tx, flow, message, status, |_| {}),
        }
    }

    fn refer(&mut self, now: Instant, message: &Message<'_>, leg: Key, wanted: bool) -> Result<(), u16> {
        message
            .screen(&["norefersub", "replaces"])
            .map_err(|fault| fault.status().unwrap_or(400))?;
        let mut values = message.values(Name::ReferTo);
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(400);
        };
        let to = ReferTo::parse(value).ok_or(400u16)?;
        let mut buffer = [0; REPLACES_MAX];
        let replaces = to.replaces(&mut buffer).map_err(|_| 400u16)?;
        let transferor = self.terminal_of(leg).ok_or(603u16)?;
        if to.method().is_some() {
            return Err(603);
        }
        // Nobody is taken away from 110 or 119, and a slot goes nowhere.
        let stays = self.calls.opposite(leg).ok_or(481u16)?;
        let own = replaces.map(|replaces| self.own_leg(&replaces, transferor));
        let calls = [Some(leg), Some(stays), own.flatten()]
            .map(|leg| leg.and_then(|leg| self.calls.place(leg)).map(|(call, _)| call));
        let urgent = |call: Key| {
            self.calls
                .meta(call)
                .is_none_or(|meta| meta.emergency || meta.is_call_back() || meta.parked.is_some())
        };
        if calls.into_iter().flatten().any(urgent) {
            return Err(403);
        }
        let call = self.calls.depart(leg, own.flatten(), wanted)?;
        if let Some(meta) = self.calls.meta_mut(call) {
            meta.departs = Some(transferor);
            meta.recalls = false;
        }
        self.calls.report(now, call, 100, false);
        let began = match own {
            None => {
                let mut buffer = [0; 40];
                let dialled = to.uri.user.and_then(|user| unescape(user, &mut buffer));
                self.blind(now, call, transferor, dialled.unwrap_or_default(), gruu(&to.uri))
            }
            Some(own) => self.attended(now, call, own),
        };
        if let Err(No(status, _)) = began {
            self.transfer_failed(now, call, status);
        }
        Ok(())
    }

    /// The ID whose terminal a leg goes to.
    fn terminal_of(&self, leg: Key) -> Option<IdKey> {
        let (call, side) = self.calls.place(leg)?;
        let meta = self.calls.meta(call)?;
        match side {
            Side::Caller => meta.caller,
            Side::Callee => self.calls.leg_user(leg).and_then(terminal),
        }
    }

    /// The other dialog of the transferor, by its name.
    fn own_leg(&self, replaces: &Replaces<'_>, transferor: IdKey) -> Option<Key> {
        let Replaces {
            call_id,
            to_tag,
            from_tag,
            ..
        } = *replaces;
        let leg = self.calls.find(call_id, to_tag, from_tag)?;
        Some(leg).filter(|leg| self.terminal_of(*leg) == Some(transferor))
    }

    /// To whoever is dialled, as the transferor may dial.
    fn blind(
        &mut self,
        now: Instant,
        of: Key,
        transferor: IdKey,
        dialled: &str,
        gruu: Option<NonZeroU64>,
    ) -> Result<(), No> {
        let from = self.staying_party(of);
        let from = from.as_str();
        let start = Start::Transfer {
            of,
            from,
            dialled,
            gruu,
        };
        self.call_from_phone(now, start, transferor)
    }

    /// To whom the transferor talks with in another call, or still calls there.
    fn attended(&mut self, now: Instant, of: Key, own: Option<Key>) -> Result<(), No> {
        let own = own.ok_or(No(481, None))?;
        let (with, side) = self.calls.place(own).ok_or(No(481, None))?;
        if let Some(new) = self.calls.opposite(own) {
            return Ok(self.calls.join(now, of, new)?);
        }
        // It still rings there, and for nobody else who waits.
        let meta = self
            .calls
            .meta_mut(with)
            .filter(|meta| side == Side::Caller && meta.answered.is_none() && meta.transfer.is_none());
        meta.ok_or(No(481, None))?.transfer = Some(of);
        Ok(())
    }

    /// The leg that stays in a call, or that of who is parked.
    fn staying(&self, call: Key) -> Option<Key> {
        self.calls.staying(call).or_else(|| {
            let (_, side) = self.calls.linked(call)?;
            self.calls.leg(call, side)
        })
    }

    /// Who stays in a call, as others are shown it.
    fn staying_party(&self, call: Key) -> Party {
        let staying = self.staying(call);
        let mut party = Party::new();
        if let Some(id) = staying.and_then(|leg| self.site.id(self.terminal_of(leg)?)) {
            // An extension is shorter.
            let _ = core::fmt::Write::write_fmt(&mut party, format_args!("{}", id.extension));
        } else if let Some(((of, side), _)) = staying.and_then(|leg| self.calls.place(leg)).zip(staying)
            && let Some(meta) = self.calls.meta(of)
        {
            party = match side {
                Side::Caller => meta.from.clone(),
                Side::Callee => meta.to.clone(),
            };
        }
        party
    }

    /// The label of an extension.
    pub(super) fn label(&self, extension: &str) -> &str {
        let id = extension
            .parse()
            .ok()
            .and_then(|extension| self.site.by_extension(extension));
        id.map_or("", |id| id.label.as_str())
    }

    /// A call that was made for a transfer is answered: who stays gets to talk with it.
    pub(super) fn try_join(&mut self, now: Instant, call: Key) {
        let Some(meta) = self.calls.meta(call) else { return };
        let (Some(of), Some(answered)) = (meta.transfer, meta.answered) else {
            return;
        };
        let Some(new) = self.calls.leg(call, Side::Callee) else {
            return;
        };
        let ready =
            self.calls.staying(of).is_some() || !self.waits_in_slot(of) || self.depart_from_slot(of).is_ok();
        let joined = match ready {
            true => self.calls.join(now, of, new),
            false => Err(Refusal::Media),
        };
        match joined {
            Ok(()) => {}
            Err(Refusal::Media) if now.as_millis().saturating_sub(answered.mono) < AGAIN_MS => {
                self.calls.set_deadline(call, Some(now + AGAIN));
            }
            Err(refusal) => {
                self.calls.release(now, call, None);
                self.transfer_failed(now, of, refusal.status());
            }
        }
    }

    /// Two calls have become one conversation. The transferor's part in either is over.
    pub(super) fn on_joined(&mut self, now: Instant, call: Key, with: Key) {
        self.calls.report(now, call, 200, true);
        for call in [call, with] {
            let Some((_, side)) = self.calls.linked(call) else {
                continue;
            };
            let gone = side.other();
            self.write_record(now, call, gone, FinalState::Answered, 200);
            // One that was taken over rang until now.
            self.calls.set_deadline(call, None);
            let stamp = self.stamp(now);
            if let Some(meta) = self.calls.meta_mut(call) {
                meta.answered.get_or_insert(stamp);
                if let Some(rings) = &mut meta.rings {
                    rings.end();
                }
                (meta.departs, meta.transfer) = (None, None);
                let gone = match gone {
                    Side::Caller => meta.caller.take(),
                    Side::Callee => meta.answered_by.take().and_then(terminal),
                };
                gone.into_iter().for_each(|key| self.busy.end(key));
            }
            self.is_parked(now, call);
        }
        self.lamps.is_due = true;
    }

    /// Nothing comes of a transfer: the transferor is told, and called back if it is gone.
    pub(super) fn transfer_failed(&mut self, now: Instant, call: Key, status: u16) {
        self.calls.report(now, call, status, true);
        // What was made for it fails it once.
        while let Some(made) = self.made_for(call) {
            let Some(meta) = self.calls.meta_mut(made) else {
                break;
            };
            meta.transfer = None;
            if meta.picks {
                self.calls.refuse(now, made, status, None);
            }
        }
        if self.calls.staying(call).is_none() || self.calls.stay(call) {
            return;
        }
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        let again = core::mem::replace(&mut meta.recalls, true);
        let called = meta
            .departs
            .filter(|_| !again)
            .and_then(|key| self.recall(now, call, To::Extension(key)).ok());
        if called.is_none() {
            self.calls.release(now, call, Some(Cause::NO_ANSWER));
        }
    }

    /// Rings the transferor, or whoever else is wanted, for who was to be transferred.
    pub(super) fn recall(&mut self, now: Instant, of: Key, to: To) -> Result<Key, No> {
        let from = self.staying_party(of);
        let from = from.as_str();
        let mut dialled = Party::new();
        // Extensions and numbers are shorter.
        let _ = match to {
            To::Extension(key) => {
                let id = self.site.id(key).ok_or(No(404, None))?;
                write!(dialled, "{}", id.extension)
            }
            To::Number(number) => write!(dialled, "{}", number.digits()),
        };
        let start = Start::Transfer {
            of,
            from,
            dialled: &dialled,
            gruu: None,
        };
        let mut meta = self.meta(now, Kind::Inside, start, None);
        meta.recalls = true;
        if self.waits_in_slot(of) {
            self.goes_on_from(of, &mut meta, Side::Callee);
        }
        let call = self.open(now, start, meta)?;
        let realm = &self.site.sys.realm;
        let shown = address(self.label(from), from, realm);
        let called = address("", &dialled, realm);
        if self.present(now, call, &shown, &called, "") {
            let waits = self.staying(of).and_then(|leg| self.terminal_of(leg));
            self.ring(
                now,
                call,
                Call {
                    from: waits,
                    ..Call::new(to)
                },
            );
        }
        Ok(call)
    }

    /// A call that is there for the transfer of another one.
    pub(super) fn made_for(&self, call: Key) -> Option<Key> {
        let mut calls = self.calls.iter();
        calls
            .find(|(_, meta, _)| meta.transfer == Some(call))
            .map(|(made, ..)| made)
    }

    /// A call is over. One that was made for a transfer has failed it, and what was made for this one has nobody to wait for.
    pub(super) fn after_transfer(&mut self, now: Instant, call: Key, of: Option<Key>, status: u16) {
        if let Some(of) = of.filter(|of| self.calls.staying(*of).is_some()) {
            self.transfer_failed(now, of, status);
        }
        while let Some(made) = self.made_for(call) {
            if let Some(meta) = self.calls.meta_mut(made) {
                meta.transfer = None;
            }
            // Somebody who has called it itself goes on with it.
            if self.calls.leg(made, Side::Caller).is_none() && self.calls.linked(made).is_none() {
                self.calls.release(now, made, Some(Cause::REQUEST_TERMINATED));
            }
        }
    }
}
