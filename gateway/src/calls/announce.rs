//! What a caller hears when there is no way for its call: spoken words with a cause, then the refusal.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;
use media::g711::Law;
use media::prompt::Prompt;
use shared::sync::{Alarm, EventBody};
use sip::Instant;
use sip::b2bua::{Cause, SDP_MAX, Side};
use sip::pool::Key;
use sip::sdp::{Audio, Codec, Direction, Sdp};

use super::Meta;
use crate::Gateway;
use crate::budget::{PLAYERS, RTP_PORT};
use crate::io::MediaOutput;

/// An announcement that never reports its end is given up after this.
const ANNOUNCEMENT_MAX: Duration = Duration::from_secs(40);

impl Gateway<'_> {
    /// The line is away and there is no other: say so, at once and with a reason.
    pub(super) fn no_way_out(&mut self, now: Instant, call: Key) {
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

    /// A player that plays nothing.
    pub(super) fn free_player(&mut self) -> Option<u8> {
        let busy = self
            .calls
            .iter()
            .filter_map(|(_, meta, _)| meta.player)
            .fold(0u8, |busy, p| busy | 1 << p);
        let first = self.next_player;
        let mut round = (0..PLAYERS as u8).map(|n| (first + n) % PLAYERS as u8);
        let player = round.find(|player| busy >> player & 1 == 0)?;
        self.next_player = (player + 1) % PLAYERS as u8;
        Some(player)
    }

    /// A player for spoken words: without a free one, that of a parked call, which is silent meanwhile. An emergency call takes one
    /// away from any other call, which gets its answer now.
    fn player_for(&mut self, now: Instant, emergency: bool) -> Option<u8> {
        if let Some(player) = self.free_player() {
            return Some(player);
        }
        let may_lose = |meta: &Meta| meta.parked.is_some() || emergency && !meta.emergency;
        let playing = self
            .calls
            .iter()
            .filter(|(_, meta, _)| meta.player.is_some() && may_lose(meta));
        let (other, ..) = playing.max_by_key(|(_, meta, _)| meta.parked.is_some())?;
        let meta = self.calls.meta_mut(other)?;
        let (player, (status, cause)) = (meta.player.take()?, meta.verdict);
        self.calls.refuse(now, other, status, cause);
        self.media(MediaOutput::Stop { player });
        Some(player)
    }

    /// Plays a prompt to the caller before its final answer; without a free player or a usable session description, answers.
    pub(super) fn announce(&mut self, now: Instant, call: Key, prompt: Prompt, status: u16, cause: Cause) {
        let Some(meta) = self.calls.meta_mut(call) else {
            return;
        };
        meta.verdict = (status, Some(cause));
        let emergency = meta.emergency;
        let mut offer = [0; SDP_MAX];
        let offer = self.calls.sdp(call, Side::Callee, &mut offer).unwrap_or_default();
        // Nobody's player is taken for a caller that could not hear it.
        let listens = Sdp::parse(offer).is_some_and(|offer| offer.listener().is_some());
        let (Some(address), true) = (self.address, listens) else {
            return self.calls.refuse(now, call, status, Some(cause));
        };
        let Some(player) = self.player_for(now, emergency) else {
            return self.calls.refuse(now, call, status, Some(cause));
        };
        let session = self.random() & 0x7FFF_FFFF;
        let ours = (address, RTP_PORT + 2 * u16::from(player)).into();
        let Some((to, law, sdp)) = answer_of_ours(offer, session, ours, None) else {
            return self.calls.refuse(now, call, status, Some(cause));
        };
        if self
            .calls
            .progress(now, call, 183, Some(&sdp), Some(cause))
            .is_err()
        {
            self.calls.refuse(now, call, status, Some(cause));
            return self.play_hold_tone_again();
        }
        if let Some(meta) = self.calls.meta_mut(call) {
            meta.player = Some(player);
        }
        let give_up = now + ANNOUNCEMENT_MAX;
        self.calls.set_deadline(call, Some(give_up));
        self.media(MediaOutput::Play {
            player,
            to,
            law,
            prompt,
            times: 2,
        });
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

    pub(super) fn after_announcement(&mut self, now: Instant, call: Key) {
        if let Some(meta) = self.calls.meta(call) {
            let (status, cause) = meta.verdict;
            self.calls.refuse(now, call, status, cause);
        }
    }
}

/// The answer of our own to an offer: where to play, how, and the description. Nothing for an offer that wants to hear no G.711
/// of us. The direction is what fits the offer's, if no other is asked for.
pub(super) fn answer_of_ours(
    offer: &[u8],
    session: u64,
    ours: SocketAddr,
    direction: Option<Direction>,
) -> Option<(SocketAddr, Law, Vec<u8, 512>)> {
    let offer = Sdp::parse(offer)?;
    let (place, medium, codec) = offer.listener()?;
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
        redundancy: None,
        direction: direction.unwrap_or(medium.direction.mirrored()),
    };
    let mut sdp = Vec::new();
    let _ = sdp.resize(sdp.capacity(), 0);
    let len = answer.answering(offer, place).write(&mut sdp).ok()?;
    sdp.truncate(len);
    Some((medium.target()?, law, sdp))
}
