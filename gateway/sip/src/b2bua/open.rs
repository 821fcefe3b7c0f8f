//! How a call and its branches begin, and the room for them.

use super::*;

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
        let (Some(from), Some(to), Some(id), Some(cseq)) =
            (message.from(), message.to(), message.call_id(), message.cseq())
        else {
            return Err(Refusal::Malformed);
        };
        let target = message.remote_target().ok_or(Refusal::Malformed)?;
        let mut route = Text::new();
        for value in message.values(Name::RecordRoute) {
            push_route(&mut route, value)?;
        }
        let leg = Leg {
            remote_tag: text(from.tag().ok_or(Refusal::Malformed)?)?,
            target: text(target)?,
            route,
            remote_cseq: Some(cseq.seq),
            ..self.new_leg(Key::from_bits(0), Side::Caller, flow)
        };
        let call = Call {
            meta,
            stage: Stage::Waiting,
            caller: Key::from_bits(0),
            winner: None,
            legs: 1,
            open: 0,
            asked: Asked {
                leg: Key::from_bits(0),
                tx: Some(tx),
                head: Text::new(),
                cseq: cseq.seq,
                delayed_offer: message.body().is_empty(),
            },
            negotiation: Negotiation::default(),
            caller_uri: text(from.uri)?,
            called_uri: text(to.uri)?,
            call_id: text(id)?,
            max_forwards: message.max_forwards().unwrap_or(70).min(70).saturating_sub(1),
            way: way(message, flow),
            breadth: message
                .max_breadth()
                .map_or(BREADTH, |asked| BREADTH.min(asked.try_into().unwrap_or(BREADTH))),
            undealt: 0,
            from: Text::new(),
            to: Text::new(),
            extra: Text::new(),
            session,
            to_callee: Text::new(),
            to_caller: Text::new(),
            progress: 0,
            early: false,
            announcing: false,
            best: 0,
            best_cause: None,
            cause: None,
            deadline: Instant::NEVER,
            end: None,
            told: false,
            lingering: 0,
            ended: Instant::NEVER,
            reserved: self.reserved == Some(tx),
        };
        let priority = if call.reserved {
            Priority::Reserved
        } else {
            Priority::Normal
        };
        if self.goes_round(message, call.way) {
            self.counters.loops += 1;
            return Err(Refusal::Loop);
        }
        if !self.has_room_for_call(priority) || !self.has_room_for_leg(priority) {
            self.counters.no_room += 1;
            return Err(Refusal::NoRoom);
        }
        let key = self.calls.insert(call).map_err(|_| {
            self.counters.no_room += 1;
            Refusal::NoRoom
        })?;
        let leg_key = match self.legs.insert(Leg { call: key, ..leg }) {
            Ok(leg_key) => leg_key,
            Err(_) => {
                self.calls.remove(key);
                return Err(Refusal::NoRoom);
            }
        };
        match self.fill(key, leg_key, flow, message, media) {
            Ok(()) => {
                self.tx.set_user(tx, leg_key.to_bits());
                let _ = self.tx.responded(now, tx, 100);
                self.write_reply(flow, message, 100, None, |_| {});
                Ok(key)
            }
            Err(refusal) => {
                self.legs.remove(leg_key);
                self.calls.remove(key);
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
        self.calls.iter().any(|(_, call)| same(call))
    }

    /// What needs the new call's and leg's handles.
    fn fill<R: Media>(
        &mut self,
        key: Key,
        leg_key: Key,
        flow: Flow,
        message: &Message<'_>,
        media: &mut R,
    ) -> Result<(), Refusal> {
        let nonce = self.tx.unguessable() as u32;
        let Some(leg) = self.legs.get_mut(leg_key) else {
            return Err(Refusal::Gone);
        };
        leg.tag = (leg_key.to_bits(), nonce);
        leg.sdp = fingerprint(message.body());
        let Some(call) = self.calls.get_mut(key) else {
            return Err(Refusal::Gone);
        };
        call.caller = leg_key;
        call.asked.leg = leg_key;
        write_head(
            &mut call.asked.head,
            message,
            Some((leg_key.to_bits(), nonce)),
            flow,
            true,
        )?;
        let body = message.body();
        if body.is_empty() {
            return Ok(());
        }
        // The first of a call: nobody else's can be open.
        let _ = call.negotiation.offer(Side::Caller);
        if !media.relay(key, Side::Caller, Role::Offer, body, &mut call.to_callee) {
            return Err(if body.len() > SDP_MAX {
                Refusal::TooLarge
            } else {
                Refusal::Media
            });
        }
        Ok(())
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
            flow,
            user: 0,
            tag: (0, 0),
            call_id: 0,
            remote_tag: Text::new(),
            target: Text::new(),
            route: Text::new(),
            invite: None,
            inviting: false,
            invite_cseq: 0,
            asking: None,
            asking_cseq: 0,
            local_cseq: 0,
            remote_cseq: None,
            breadth: 0,
            ack: Ack::Idle,
            ok_due: false,
            unacked: None,
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
        call.from = text(from)?;
        call.to = text(to)?;
        call.extra = text(extra)?;
        Ok(())
    }

    /// Rings one more target. The INVITE goes out with the next [`Calls::poll`].
    pub fn dial(&mut self, now: Instant, call: Key, target: Target<'_>) -> Result<Key, Refusal> {
        let waiting = self.calls.get(call).filter(|call| call.stage == Stage::Waiting);
        let Some(waiting) = waiting else {
            return Err(Refusal::Gone);
        };
        if waiting.breadth <= waiting.undealt {
            return Err(Refusal::Breadth);
        }
        let mut leg = self.new_leg(call, Side::Callee, target.flow);
        leg.target = text(target.uri)?;
        leg.route = text(target.route)?;
        leg.user = target.user;
        leg.call_id = self.tx.unguessable();
        leg.local_cseq = 1;
        leg.invite_cseq = 1;
        let nonce = self.tx.unguessable() as u32;
        if !self.has_room_for_leg(target.priority) {
            self.counters.no_room += 1;
            return Err(Refusal::NoRoom);
        }
        let key = self.legs.insert(leg).map_err(|_| Refusal::NoRoom)?;
        match self.tx.client(
            now,
            ClientKind::Invite,
            target.flow,
            key.to_bits(),
            target.priority,
        ) {
            Ok(tx) => {
                if let Some(leg) = self.legs.get_mut(key) {
                    leg.tag = (key.to_bits(), nonce);
                    leg.invite = Some(tx);
                    leg.inviting = true;
                }
                if let Some(call) = self.calls.get_mut(call) {
                    call.legs += 1;
                    call.open += 1;
                    call.undealt += 1;
                }
                Ok(key)
            }
            Err(_) => {
                self.legs.remove(key);
                self.counters.no_room += 1;
                Err(Refusal::NoRoom)
            }
        }
    }

    /// Is there a leg to be had? If need be the place of the branch that has longest done nothing but wait for
    /// repetitions of its answer.
    fn has_room_for_leg(&mut self, priority: Priority) -> bool {
        let kept = self.kept_from(priority, self.kept.1, |call| usize::from(call.legs));
        if self.legs.room() <= kept {
            let lingering = self.legs.iter().filter(|(_, leg)| leg.is_lingering());
            if let Some((key, _)) = lingering.min_by_key(|(_, leg)| leg.timer) {
                self.drop_lingering(key);
            }
        }
        self.legs.room() > kept
    }

    /// Is there a call to be had? If need be the place of the one that has longest been over but for such branches.
    fn has_room_for_call(&mut self, priority: Priority) -> bool {
        let kept = self.kept_from(priority, self.kept.0, |_| 1);
        if self.calls.room() <= kept {
            let over =
                |call: &Call<M>| call.stage == Stage::Ended && call.told && call.legs == call.lingering;
            let over = self.calls.iter().filter(|(_, call)| over(call));
            if let Some((call, _)) = over.min_by_key(|(_, call)| call.ended) {
                while let Some(leg) = self.legs.find(|leg| leg.call == call) {
                    self.drop_lingering(leg);
                }
                self.calls.remove(call);
            }
        }
        self.calls.room() > kept
    }

    /// How much of the room that is kept nobody uses yet for what it is kept for.
    fn kept_from(&self, priority: Priority, kept: usize, uses: impl Fn(&Call<M>) -> usize) -> usize {
        if kept == 0 || priority == Priority::Reserved {
            return 0;
        }
        let reserved = self.calls.iter().filter(|(_, call)| call.reserved);
        kept.saturating_sub(reserved.map(|(_, call)| uses(call)).sum())
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

    fn drop_lingering(&mut self, leg: Key) {
        if let Some(tx) = self.legs.get(leg).and_then(|leg| leg.invite) {
            self.tx.forget(tx);
        }
        self.remove_leg(leg);
    }
}

/// Fingerprint of what led an INVITE here: the user it asks for, and the address it comes from.
fn way(message: &Message<'_>, flow: Flow) -> u32 {
    let user = message.parsed_request_uri().and_then(|uri| uri.user);
    let from = match flow.peer.ip() {
        core::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        core::net::IpAddr::V6(ip) => ip,
    };
    fingerprint(user.unwrap_or_default()) ^ fingerprint(&from.octets()).rotate_left(16)
}
