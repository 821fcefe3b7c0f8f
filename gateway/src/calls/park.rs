//! Park (パーク保留, R29): a call waits in a slot of the box until a phone takes it.
//!
//! A slot is a terminal within the box: it answers every call at once and plays a tone. To park is a blind transfer to it, to take
//! a parked call is a transfer from it to who dials, and who parked is called back by one as well: at first its phone, and later
//! all that ring with it.

use core::net::Ipv4Addr;
use core::time::Duration;

use shared::dial::ParkSlot;
use shared::id::IdKey;
use shared::ring::To;
use sip::b2bua::{Cause, Side, Target};
use sip::pool::Key;
use sip::sdp::Sdp;
use sip::transaction::Priority;
use sip::{Flow, Full, Instant, Message, Method, Name, Transport, Writer, write_response_head};

use super::{Kind, Meta, No, Start, TRUNK, UNALLOCATED, address};
use crate::analog::{Ours, Remote};
use crate::budget::{RTP_PORT, SIP_PORT};
use crate::io::MediaOutput;
use crate::{AGENT, Gateway};

/// [`Flow::interface`] of the slots.
const INTERFACE: u8 = u8::MAX - 2;
/// [`Target::user`] of a slot.
const SLOT: u32 = TRUNK - 1;
/// The tag of every slot: a Call-ID of the box's tells its calls apart.
const TAG: &str = "park";
/// A call that waits so long is forgotten: the phone that parked it rings. Long enough to walk to another room, and short enough for
/// somebody who only hears a tone.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// It rings for so long: ten rings of the bell. Then the call waits again.
const RINGS: Duration = Duration::from_secs(30);

/// What is kept with a call to a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parked {
    /// Which.
    pub slot: ParkSlot,
    /// The ID whose terminal parked it.
    by: IdKey,
    /// It was forgotten before.
    again: bool,
}

/// The slot that a flow belongs to.
pub(crate) fn slot(flow: Flow) -> Option<ParkSlot> {
    let number = u8::try_from(flow.stream).ok();
    number
        .filter(|_| flow.interface == INTERFACE)
        .and_then(ParkSlot::new)
}

impl Gateway<'_> {
    /// The connection of a slot, which is a function call.
    fn flow_of_slot(&self, slot: ParkSlot) -> Flow {
        let local = self.address.unwrap_or(Ipv4Addr::LOCALHOST);
        Flow {
            transport: Transport::Tcp,
            interface: INTERFACE,
            stream: slot.number().into(),
            peer: (Ipv4Addr::LOCALHOST, SIP_PORT).into(),
            local: (local, SIP_PORT).into(),
        }
    }

    /// The call to a slot, with what is parked there.
    fn parked(&self, slot: ParkSlot) -> Option<Key> {
        let is_there = |parked: Parked| parked.slot == slot;
        let mut calls = self.calls.iter();
        calls
            .find(|(_, meta, _)| meta.parked.is_some_and(is_there))
            .map(|(call, ..)| call)
    }

    /// The slot's number was dialled: who is transferred there is parked, who calls it takes what is parked.
    pub(super) fn at_slot(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        phone: IdKey,
        slot: ParkSlot,
    ) -> Result<(), No> {
        match start {
            Start::Transfer { .. } => self.park(now, start, phone, slot),
            Start::Invite { .. } => self.take_parked(now, start, phone, slot),
        }
    }

    fn park(&mut self, now: Instant, start: Start<'_, '_>, phone: IdKey, slot: ParkSlot) -> Result<(), No> {
        if self.parked(slot).is_some() {
            return Err(No(486, None));
        }
        let shown = address("", slot, &self.site.sys.realm);
        let mut meta = self.meta(now, Kind::Inside, start, Some(phone));
        meta.parked = Some(Parked {
            slot,
            by: phone,
            again: false,
        });
        // Nobody is called by it.
        meta.written = [true; 2];
        let call = self.open(now, start, meta)?;
        if !self.present(now, call, &shown, &shown, "") {
            return Ok(());
        }
        let target = Target {
            flow: self.flow_of_slot(slot),
            uri: b"sip:park@127.0.0.1",
            route: b"",
            priority: Priority::Normal,
            user: SLOT,
        };
        if let Err(refusal) = self.calls.dial(now, call, target) {
            self.calls.refuse(now, call, refusal.status(), None);
        }
        Ok(())
    }

    /// The first who dials takes it. Whoever comes while that goes on is told that it is busy, and then that nobody is there.
    fn take_parked(
        &mut self,
        now: Instant,
        start: Start<'_, '_>,
        phone: IdKey,
        slot: ParkSlot,
    ) -> Result<(), No> {
        let parked = self.parked(slot).ok_or(No(404, Some(UNALLOCATED)))?;
        let (of, _) = self.calls.linked(parked).ok_or(No(486, None))?;
        self.stop_recall(now, of);
        if self.made_for(of).is_some() {
            return Err(No(486, None));
        }
        self.depart_from_slot(of)?;
        let mut meta = self.meta(now, Kind::Inside, start, Some(phone));
        self.goes_on_from(of, &mut meta, Side::Caller);
        (meta.picks, meta.transfer) = (true, Some(of));
        let opened = self.open(now, start, meta);
        let taken = opened.and_then(|call| Ok(self.calls.take(now, of, call)?));
        if let Err(No(status, _)) = taken {
            self.transfer_failed(now, of, status);
        }
        opened.map(|_| ())
    }

    /// Who is parked leaves its slot, unless something is under way there.
    pub(super) fn depart_from_slot(&mut self, of: Key) -> Result<(), No> {
        let (parked, _) = self.calls.linked(of).ok_or(No(486, None))?;
        let leg = self.calls.leg(parked, Side::Callee).ok_or(No(486, None))?;
        let departs = self.calls.depart(leg, None, false);
        departs.map(|_| ()).map_err(|_| No(486, None))
    }

    /// It is parked: from now on it may be forgotten.
    pub(super) fn is_parked(&mut self, now: Instant, call: Key) {
        if self.calls.meta(call).is_some_and(|meta| meta.parked.is_some()) {
            self.calls.set_deadline(call, Some(now + FORGOTTEN));
        }
    }

    /// It is forgotten, and waits on in its slot until somebody answers. False: it is no call to a slot, or not parked yet.
    pub(super) fn on_forgotten(&mut self, now: Instant, call: Key) -> bool {
        let parked = self.calls.meta(call).and_then(|meta| meta.parked);
        let (Some(parked), Some((of, _))) = (parked, self.calls.linked(call)) else {
            return false;
        };
        self.is_parked(now, call);
        if self.made_for(of).is_some() {
            // It rings already, or somebody is taking the call.
            return true;
        }
        let to = match parked.again {
            true => self.group_of(parked.by),
            false => None,
        };
        if let Some(parked) = self.calls.meta_mut(call).and_then(|meta| meta.parked.as_mut()) {
            parked.again = true;
        }
        if let Ok(recall) = self.recall(now, of, to.unwrap_or(To::Extension(parked.by))) {
            self.calls.set_deadline(recall, Some(now + RINGS));
        }
        true
    }

    /// The first number that this ID's terminals ring for together with others.
    fn group_of(&self, id: IdKey) -> Option<To> {
        let rep = self.site.reps.iter().find(|rep| rep.ring.contains(id))?;
        Some(To::Number(rep.number))
    }

    /// Is who stays in this call parked?
    pub(super) fn waits_in_slot(&self, of: Key) -> bool {
        let with = self.calls.linked(of).and_then(|(with, _)| self.calls.meta(with));
        with.is_some_and(|with| with.parked.is_some())
    }

    /// The phone that parked need not ring any more, if it does.
    fn stop_recall(&mut self, now: Instant, of: Key) {
        let rings = |call: &Key| {
            let meta = self.calls.meta(*call);
            meta.is_some_and(|meta| meta.recalls && meta.answered.is_none())
        };
        if let Some(recall) = self.made_for(of).filter(rings) {
            self.transfer_failed(now, of, 487);
            self.calls.release(now, recall, Some(Cause::COMPLETED_ELSEWHERE));
        }
    }

    /// A message for a slot, the first `len` bytes of the buffer.
    pub(crate) fn deliver_to_slot(&mut self, now: Instant, slot: ParkSlot, len: usize, buffer: &mut [u8]) {
        let Some((bytes, room)) = buffer.split_at_mut_checked(len) else {
            return;
        };
        let Ok(message) = Message::parse_stream(bytes) else {
            self.counters.lines += 1;
            return;
        };
        let (flow, call) = (self.flow_of_slot(slot), self.parked(slot));
        if let Some(call) = call.filter(|_| matches!(message.method(), Method::Invite | Method::Ack)) {
            self.play_hold_tone(call);
        }
        if message.method() != Method::Ack
            && let Ok(len) = self.answer_of_slot(flow, call, &message, room)
        {
            self.on_stream(now, flow, room.get(..len).unwrap_or_default());
        }
    }

    /// What a slot says to a request.
    fn answer_of_slot(
        &self,
        flow: Flow,
        call: Option<Key>,
        message: &Message<'_>,
        out: &mut [u8],
    ) -> Result<usize, Full> {
        let offer = message.body();
        let remote = Sdp::parse(offer).and_then(|offer| Remote::read(&offer));
        let (invites, ours) = (
            message.method() == Method::Invite,
            call.and_then(|call| self.ours(call, message)),
        );
        let status = match (message.method(), ours) {
            (Method::Invite, None) => 480,
            (Method::Invite, _) if remote.is_none() && !offer.is_empty() => 488,
            (Method::Invite | Method::Bye | Method::Options | Method::Info, _) => 200,
            _ => 405,
        };
        let mut w = Writer::new(out);
        write_response_head(&mut w, message, status, Some(TAG), flow.peer);
        w.header(Name::Server, AGENT);
        w.header(Name::Allow, "INVITE, ACK, BYE, OPTIONS, INFO");
        let Some(ours) = ours.filter(|_| invites && status == 200) else {
            return w.finish_empty();
        };
        w.header(Name::Contact, "<sip:park@127.0.0.1;transport=tcp>");
        let Some(remote) = remote else {
            return w.body_display("application/sdp", ours.offer(false));
        };
        let mut sdp = [0; 512];
        let len = ours.answer(offer, &remote, false, &mut sdp)?;
        w.body("application/sdp", sdp.get(..len).unwrap_or_default())
    }

    /// Where a slot plays from, as a description of the box's own.
    fn ours(&self, call: Key, message: &Message<'_>) -> Option<Ours> {
        // Without a free player it is silent until there is one.
        let player = self.calls.meta(call)?.player.unwrap_or_default();
        let name = core::str::from_utf8(message.call_id()?.get(..8)?).ok()?;
        Some(Ours {
            session: u32::from_str_radix(name, 16).ok()? >> 1,
            version: message.cseq()?.seq,
            at: (self.address?, RTP_PORT + 2 * u16::from(player)).into(),
        })
    }

    /// Plays the tone to who is parked, or about to be, if there is a player and it wants to hear.
    fn play_hold_tone(&mut self, call: Key) {
        let Some(player) = self
            .calls
            .meta(call)
            .and_then(|meta| meta.player)
            .or_else(|| self.free_player())
        else {
            return;
        };
        let mut sdp = [0; sip::b2bua::SDP_MAX];
        let remote = self.calls.sdp(call, Side::Callee, &mut sdp);
        let remote = remote.and_then(|sdp| Remote::read(&Sdp::parse(sdp)?));
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        meta.player = Some(player);
        match remote {
            Some(Remote {
                to,
                law,
                listens: true,
                ..
            }) => self.media(MediaOutput::Hold { player, to, law }),
            Some(_) => self.media(MediaOutput::Stop { player }),
            // It has not said yet.
            None => {}
        }
    }

    /// A player is free: somebody who is parked may have been waiting for it.
    pub(super) fn play_hold_tone_again(&mut self) {
        let silent = |meta: &Meta| meta.parked.is_some() && meta.player.is_none();
        let found = self
            .calls
            .iter()
            .find(|(_, meta, _)| silent(meta))
            .map(|(call, ..)| call);
        if let Some(call) = found {
            self.play_hold_tone(call);
        }
    }
}
