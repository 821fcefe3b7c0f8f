//! How a call and its branches begin, and the room for them.

use super::call::{CALL_ID, CALLED_URI, CALLER_URI, EXTRA, FROM, ROUTE, TAG, TARGET, TO};
use super::*;
use crate::sdp::Sdp;
use crate::siphash::SipHash;
use crate::write::write_response_lines;
use core::num::NonZeroU32;

impl<M> Calls<'_, M> {
    /// Takes the INVITE that [`Receive::Invite`] told of as a new call, which now waits for [`Calls::dial`],
    /// [`Calls::progress`] or [`Calls::refuse`]. `session` is the call's name in the Session-ID header (RFC 7989), 32
    /// hexadecimal digits.
    #[expect(
        clippy::too_many_arguments,
        reason = "what the INVITE says and what the owner knows of it"
    )]
    pub fn open<R: Media>(
        &mut self,
        now: Instant,
        tx: TxId,
        flow: Flow,
        message: &Message<'_>,
        session: [u8; 32],
        meta: M,
        media: &mut R,
    ) -> Result<Key, Refusal> {
        let cseq = message.cseq().ok_or(Refusal::Malformed)?.seq;
        let mut call = self.new_call(session, meta, message.body().is_empty());
        call.max_forwards = message.max_forwards().unwrap_or(70).min(70).saturating_sub(1);
        call.way = way(message, flow);
        if let Some(asked) = message.max_breadth() {
            call.breadth = BREADTH.min(asked.try_into().unwrap_or(BREADTH));
        }
        call.reserved = self.reserved == Some(tx);
        (call.asked.tx, call.asked.open, call.asked.cseq) = (tx, true, cseq);
        let priority = if call.reserved {
            Priority::Reserved
        } else {
            Priority::Normal
        };
        if self.goes_round(message, call.way) {
            self.counters.loops += 1;
            return Err(Refusal::Loop);
        }
        // What it says now, and as much for the answer.
        let texts = 2 * message.raw().len();
        if !self.has_room_for_call(priority)
            || !self.has_room_for_leg(priority)
            || !self.has_room_for_texts(priority, texts)
        {
            self.counters.no_room += 1;
            return Err(Refusal::NoRoom);
        }
        let key = self.insert_call(call)?;
        let filled = self.fill(key, flow, message, media);
        match filled {
            Ok(leg) => {
                self.tx.set_user(tx, leg.to_bits());
                let _ = self.tx.responded(now, tx, 100);
                self.write_reply(flow, message, 100, None, None, |_| {});
                Ok(key)
            }
            Err(refusal) => {
                if refusal == Refusal::NoRoom {
                    self.counters.no_room += 1;
                }
                if let Some(call) = self.calls.get(key) {
                    self.remove_leg(call.caller);
                }
                self.remove_call(key);
                Err(refusal)
            }
        }
    }

    /// Does this INVITE belong to a call that came here before, by the same way, and is not over? Its name (RFC 7989) tells
    /// so; the same call by another way is one that was sent on, and is taken.
    fn goes_round(&self, message: &Message<'_>, way: u32) -> bool {
        let Some(session) = message.header(Name::SessionId).and_then(|value| value.get(..32)) else {
            return false;
        };
        let same = |call: &Call<M>| call.way == way && call.session == *session && call.stage != Stage::Ended;
        let mut calls = self.sessions.find(&self.calls, hash(self.secret, session));
        core::iter::from_fn(|| self.calls.get(calls.next(&self.calls)?)).any(same)
    }

    pub(super) fn insert_call(&mut self, call: Call<M>) -> Result<Key, Refusal> {
        let reserved = call.reserved;
        let key = self.calls.insert(call).ok_or(Refusal::NoRoom)?;
        self.reserved_use.0 += usize::from(reserved);
        let secret = self.secret;
        self.sessions
            .insert(&mut self.calls, key, |call| hash(secret, &call.session));
        Ok(key)
    }

    pub(super) fn new_call(&self, session: [u8; 32], meta: M, delayed_offer: bool) -> Call<M> {
        Call {
            meta,
            stage: Stage::Waiting,
            caller: Key::NONE,
            winner: None,
            legs: List::EMPTY,
            lingering: 0,
            open: 0,
            asked: Asked {
                leg: Key::NONE,
                tx: TxId::NONE,
                open: false,
                head: Text::EMPTY,
                cseq: 0,
                delayed_offer,
            },
            update: Update::NONE,
            passed: Passed::NONE,
            reliable: Reliable::NONE,
            names: Text::EMPTY,
            shown: Text::EMPTY,
            max_forwards: 70,
            way: 0,
            breadth: BREADTH,
            undealt: 0,
            session,
            to_callee: Text::EMPTY,
            to_caller: Text::EMPTY,
            former: None,
            progress: 0,
            early: false,
            announcing: false,
            best: 0,
            best_cause: None,
            cause: None,
            deadline: Instant::NEVER,
            end: None,
            told: false,
            settled: false,
            over: false,
            reserved: false,
            link: None,
            moving: None,
            report: None,
        }
    }

    /// What the INVITE says, and the caller's leg.
    fn fill<R: Media>(
        &mut self,
        key: Key,
        flow: Flow,
        message: &Message<'_>,
        media: &mut R,
    ) -> Result<Key, Refusal> {
        let (Some(from), Some(to), Some(id), Some(cseq)) =
            (message.from(), message.to(), message.call_id(), message.cseq())
        else {
            return Err(Refusal::Malformed);
        };
        let tag = from.tag().ok_or(Refusal::Malformed)?;
        if from.uri.len() > URI_MAX || to.uri.len() > URI_MAX || id.len() > CALL_ID_MAX {
            return Err(Refusal::TooLarge);
        }
        let leg = Leg {
            remote_cseq: NonZeroU32::new(cseq.seq.wrapping_add(1)),
            sdp: fingerprint(message.body()),
            ..self.new_leg(key, Side::Caller, flow)
        };
        let nonce = self.tx.unguessable() as u32;
        let leg_key = self.insert_leg(leg)?;
        let ours = (leg_key.to_bits(), nonce);
        if let Some(call) = self.calls.get_mut(key) {
            call.caller = leg_key;
            call.asked.leg = leg_key;
            call.names = {
                let mut parts = [&b""[..]; 3];
                (parts[CALLER_URI], parts[CALLED_URI], parts[CALL_ID]) = (from.uri, to.uri, id);
                self.texts.store(parts).map_err(|_| Refusal::NoRoom)?
            };
        }
        self.hear(leg_key, message);
        let target = message.remote_target().ok_or(Refusal::Malformed)?;
        self.learn(leg_key, tag, target, message)?;
        if let Some(leg) = self.legs.get_mut(leg_key) {
            leg.tag = ours;
            leg.features
                .set(Features::RELIABLE, reliable::is_required(message));
        }
        self.keep_head(key, message, Some(ours), flow)?;
        if !message.body().is_empty() {
            self.relay(media, key, Side::Caller, Role::Offer, message.body())?;
        }
        Ok(leg_key)
    }

    /// What a message says of the dialog it makes (RFC 3261 §12.1): the other side's tag, where its requests go, and by which
    /// way.
    pub(super) fn learn(
        &mut self,
        leg: Key,
        tag: &[u8],
        target: &[u8],
        message: &Message<'_>,
    ) -> Result<(), Refusal> {
        let Some(leg) = self.legs.get_mut(leg) else {
            return Err(Refusal::Gone);
        };
        let (uri, way) = self.paper.blank().split_at_mut(URI_MAX);
        let way = way.get_mut(..ROUTE_MAX).unwrap_or_default();
        let mut w = Writer::new(uri);
        let uri_len = w.unfolded(target).end().map_err(|_| Refusal::TooLarge)?;
        let mut len = 0;
        for value in message.values(Name::RecordRoute) {
            let mut w = Writer::new(way.get_mut(len..).unwrap_or_default());
            let written = w.unfolded(value).raw(b", ").end();
            let added = written.map_err(|_| Refusal::TooLarge)?;
            len += added;
            // The called side's route set is the reverse of what the 2xx recorded.
            if leg.side == Side::Callee {
                way.get_mut(..len).unwrap_or_default().rotate_right(added);
            }
        }
        if tag.len() > TAG_MAX {
            return Err(Refusal::TooLarge);
        }
        let mut parts = [&b""[..]; 3];
        parts[TAG] = tag;
        parts[TARGET] = uri.get(..uri_len).unwrap_or_default();
        parts[ROUTE] = way.get(..len.saturating_sub(2)).unwrap_or_default();
        let kept = self.texts.replace(&mut leg.names, parts);
        kept.map_err(|_| Refusal::NoRoom)
    }

    /// What a message says of what its side can do, and a request of how long a session it wants.
    pub(super) fn hear(&mut self, key: Key, message: &Message<'_>) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        if message.has(Name::Allow) {
            let update = |method: &[u8]| method == b"UPDATE";
            leg.features
                .set(Features::UPDATE, message.values(Name::Allow).any(update));
        }
        if message.is_request() {
            leg.features.set(Features::TIMER, message.supports("timer"));
            leg.session.asked(message);
        }
    }

    /// Changes one thing of what is known of a dialog. Nothing is changed where there is no room.
    pub(super) fn learn_one(&mut self, leg: Key, part: usize, value: &[u8]) {
        let Some(leg) = self.legs.get_mut(leg) else { return };
        let Some(mut parts) = self.texts.read(&leg.names, self.paper.blank()) else {
            return;
        };
        if let Some(part) = parts.get_mut(part) {
            *part = value;
        }
        if self.texts.replace(&mut leg.names, parts).is_err() {
            self.counters.no_room += 1;
        }
    }

    /// Keeps the header lines that every answer to `message` copies; with our tag, which makes a dialog of it.
    pub(super) fn keep_head(
        &mut self,
        call: Key,
        message: &Message<'_>,
        tag: Option<(u32, u32)>,
        flow: Flow,
    ) -> Result<(), Refusal> {
        let call = self.calls.get_mut(call).ok_or(Refusal::Gone)?;
        let mut tag_text: heapless::String<16> = heapless::String::new();
        if let Some((key, nonce)) = tag {
            let _ = core::fmt::Write::write_fmt(&mut tag_text, format_args!("{key:08x}{nonce:08x}"));
        }
        let paper = self.paper.blank().get_mut(..HEAD_MAX).unwrap_or_default();
        let mut w = Writer::new(paper);
        write_response_lines(&mut w, message, tag.map(|_| tag_text.as_str()), flow.peer);
        if tag.is_some() {
            w.copy(message, Name::RecordRoute);
        }
        w.end().map_err(|_| Refusal::TooLarge)?;
        let kept = self.texts.replace(&mut call.asked.head, [w.written()]);
        kept.map_err(|_| Refusal::NoRoom)
    }

    /// Keeps for the other side what it is to see of a session description.
    pub(super) fn relay<R: Media>(
        &mut self,
        media: &mut R,
        key: Key,
        from: Side,
        role: Role,
        sdp: &[u8],
    ) -> Result<bool, Refusal> {
        self.relay_to(media, (key, from), (key, from.other()), role, sdp)
    }

    /// The same for the leg that this one talks with.
    pub(super) fn relay_leg<R: Media>(
        &mut self,
        media: &mut R,
        key: Key,
        role: Role,
        sdp: &[u8],
    ) -> Result<bool, Refusal> {
        let peer = self.peer(key).and_then(|peer| self.place(peer));
        let (from, to) = self.place(key).zip(peer).ok_or(Refusal::Gone)?;
        self.relay_to(media, from, to, role, sdp)
    }

    /// From a side of a call to one of it or of another. An answer has to answer what its side was sent last (RFC 3264 §6). True: it
    /// is not what was kept for the other side before.
    pub(super) fn relay_to<R: Media>(
        &mut self,
        media: &mut R,
        (call, from): (Key, Side),
        (to, towards): (Key, Side),
        role: Role,
        sdp: &[u8],
    ) -> Result<bool, Refusal> {
        if sdp.len() > SDP_MAX {
            return Err(Refusal::TooLarge);
        }
        if sdp.is_empty() || (role == Role::Answer && !self.is_answered(call, from, sdp)) {
            return Err(Refusal::Media);
        }
        let to = self.calls.get_mut(to).ok_or(Refusal::Gone)?;
        let out = self.paper.blank();
        let len = media.relay(call, from, role, sdp, out).ok_or(Refusal::Media)?;
        let seen = out.get(..len).ok_or(Refusal::Media)?;
        let before = to.sdp_mut(towards);
        let is_new = !self.texts.is(before, 0, seen);
        let kept = self.texts.replace(before, [seen]);
        kept.map(|()| is_new).map_err(|_| Refusal::NoRoom)
    }

    /// Is `sdp` an answer to what its side was sent last? One that cannot be read is for [`Media`] to judge.
    fn is_answered(&mut self, key: Key, from: Side, sdp: &[u8]) -> bool {
        let Some(call) = self.calls.get(key) else {
            return false;
        };
        let Some([offer]) = self.texts.read(call.sdp(from), self.paper.blank()) else {
            return false;
        };
        match (Sdp::parse(offer), Sdp::parse(sdp)) {
            (Some(offer), Some(answer)) => answer.answers(&offer).is_ok(),
            _ => true,
        }
    }

    pub(super) fn new_leg(&mut self, call: Key, side: Side, flow: Flow) -> Leg {
        Leg {
            call,
            side,
            state: if side == Side::Caller {
                State::Incoming
            } else {
                State::Calling
            },
            path: Path::new(&flow),
            user: 0,
            tag: (0, 0),
            call_id: [0; 2],
            names: Text::EMPTY,
            invite: None,
            inviting: false,
            offerless: false,
            delayed_cseq: 0,
            refreshing: false,
            astray: 0,
            invite_cseq: 0,
            asking: None,
            asking_cseq: 0,
            local_cseq: 0,
            remote_cseq: None,
            rseq: 0,
            features: Features::default(),
            session: Session::NONE,
            breadth: 0,
            ack: Ack::Idle,
            ok_due: false,
            unacked: Instant::NEVER,
            bye_wanted: false,
            lost: false,
            cause: None,
            timer: Instant::NEVER,
            interval: 0,
            sdp: 0,
        }
    }

    /// What the called side will see: From and To as complete values without tags (`"Name" <sip:..>`), and further complete
    /// header lines (each with its CRLF). Set before [`Calls::dial`].
    pub fn present(&mut self, call: Key, from: &[u8], to: &[u8], extra: &[u8]) -> Result<(), Refusal> {
        let call = self.calls.get_mut(call).ok_or(Refusal::Gone)?;
        if from.len() > ADDRESS_MAX || to.len() > ADDRESS_MAX || extra.len() > EXTRA_MAX {
            return Err(Refusal::TooLarge);
        }
        let mut parts = [&b""[..]; 3];
        (parts[FROM], parts[TO], parts[EXTRA]) = (from, to, extra);
        let kept = self.texts.replace(&mut call.shown, parts);
        kept.map_err(|_| {
            self.counters.no_room += 1;
            Refusal::NoRoom
        })
    }

    /// Rings one more target. The INVITE goes out with the next [`Calls::poll`].
    pub fn dial(&mut self, now: Instant, call: Key, target: Target<'_>) -> Result<Key, Refusal> {
        let waiting = self.calls.get(call).filter(|call| call.stage == Stage::Waiting);
        let waiting = waiting.ok_or(Refusal::Gone)?;
        if waiting.breadth <= waiting.undealt {
            return Err(Refusal::Breadth);
        }
        if target.uri.len() > URI_MAX || target.route.len() > ROUTE_MAX {
            return Err(Refusal::TooLarge);
        }
        let dialled = self.dial_new(now, call, target);
        if dialled.is_err() {
            self.counters.no_room += 1;
        }
        dialled
    }

    fn dial_new(&mut self, now: Instant, call: Key, target: Target<'_>) -> Result<Key, Refusal> {
        if !self.has_room_for_leg(target.priority)
            || !self.has_room_for_texts(target.priority, target.uri.len() + target.route.len())
        {
            return Err(Refusal::NoRoom);
        }
        let offerless = self.calls.get(call).is_some_and(|call| call.asked.delayed_offer);
        let nonce = self.tx.unguessable() as u32;
        let call_id = self.tx.unguessable();
        let leg = Leg {
            offerless,
            user: target.user,
            call_id: [call_id >> 32, call_id].map(|word| word as u32),
            local_cseq: 1,
            invite_cseq: 1,
            ..self.new_leg(call, Side::Callee, target.flow)
        };
        let key = self.insert_leg(leg)?;
        let kept = self.texts.store([b"", target.uri, target.route]);
        let invite = kept.and_then(|names| {
            if let Some(leg) = self.legs.get_mut(key) {
                leg.names = names;
            }
            let user = key.to_bits();
            let started = self
                .tx
                .client(now, ClientKind::Invite, target.flow, user, target.priority);
            started.map_err(|_| crate::write::Full)
        });
        let Ok(invite) = invite else {
            self.remove_leg(key);
            return Err(Refusal::NoRoom);
        };
        if let Some(leg) = self.legs.get_mut(key) {
            leg.tag = (key.to_bits(), nonce);
            leg.invite = Some(invite);
            leg.inviting = true;
        }
        if let Some(call) = self.calls.get_mut(call) {
            call.open += 1;
            call.undealt += 1;
        }
        Ok(key)
    }

    /// Takes in a leg of a call.
    pub(super) fn insert_leg(&mut self, leg: Leg) -> Result<Key, Refusal> {
        let call = self.calls.get_mut(leg.call).ok_or(Refusal::Gone)?;
        let inserted = self.legs.insert(leg, &mut call.legs);
        self.reserved_use.1 += usize::from(call.reserved && inserted.is_some());
        inserted.ok_or(Refusal::NoRoom)
    }

    /// Is there a leg to be had? If need be the place of the branch that has longest done nothing but wait for
    /// repetitions of its answer.
    fn has_room_for_leg(&mut self, priority: Priority) -> bool {
        let kept = kept_from(priority, self.kept.1, self.reserved_use.1);
        if self.legs.room() <= kept
            && let Some(leg) = self.legs.longest_lingering()
        {
            if let Some(tx) = self.legs.get(leg).and_then(|leg| leg.invite) {
                self.tx.forget(tx);
            }
            self.remove_leg(leg);
        }
        self.legs.room() > kept
    }

    /// Is there a call to be had? If need be the place of the one that has longest been over but for such branches, whose
    /// repeated answers are not acknowledged any more.
    pub(super) fn has_room_for_call(&mut self, priority: Priority) -> bool {
        let kept = kept_from(priority, self.kept.0, self.reserved_use.0);
        if self.calls.room() <= kept
            && let Some(call) = self.over.first(&self.calls)
        {
            self.remove_call(call);
        }
        self.calls.room() > kept
    }

    /// The share of a branch in the branches that its call may have at once, dealt as its INVITE is first written: by then
    /// those that ring together are known. A quarter is kept for who comes later.
    pub(super) fn deal_breadth(&mut self, key: Key) {
        let waits = |leg: &&mut Leg| leg.breadth == 0 && leg.state == State::Calling;
        let Some(leg) = self.legs.get_mut(key).filter(waits) else {
            return;
        };
        if let Some(call) = self.calls.get_mut(leg.call) {
            let share = (call.breadth - call.breadth / 4) / call.undealt.max(1);
            leg.breadth = share.max(1);
            call.breadth = call.breadth.saturating_sub(leg.breadth);
            call.undealt = call.undealt.saturating_sub(1);
        }
    }

    /// A branch is over: others may have its share.
    pub(super) fn return_breadth(&mut self, key: Key) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        if let Some(call) = self.calls.get_mut(leg.call) {
            match core::mem::take(&mut leg.breadth) {
                // It failed before its INVITE went out.
                0 if leg.side == Side::Callee && leg.inviting => {
                    call.undealt = call.undealt.saturating_sub(1)
                }
                share => call.breadth = call.breadth.saturating_add(share).min(BREADTH),
            }
        }
    }

    /// Is there room for so many bytes more?
    fn has_room_for_texts(&self, priority: Priority, bytes: usize) -> bool {
        priority == Priority::Reserved || self.texts.has_room(bytes)
    }
}

/// How much of the room that is kept nobody uses yet for what it is kept for.
fn kept_from(priority: Priority, kept: usize, used: usize) -> usize {
    match priority {
        Priority::Reserved => 0,
        Priority::Normal => kept.saturating_sub(used),
    }
}

/// Of a call's name.
pub(super) fn hash(secret: [u64; 2], session: &[u8]) -> u64 {
    SipHash::new(secret).field(session).finish()
}

/// Fingerprint of what led an INVITE here: the user it asks for, and the address it comes from.
fn way(message: &Message<'_>, flow: Flow) -> u32 {
    let user = message.parsed_request_uri().and_then(|uri| uri.user);
    let from = crate::flow::octets(flow.peer.ip());
    fingerprint(user.unwrap_or_default()) ^ fingerprint(&from).rotate_left(16)
}
