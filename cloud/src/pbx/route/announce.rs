//! What a caller is told before its call fails.

use media::g711::Law;
use media::prompt::Prompt;
use sip::Instant;
use sip::b2bua::{Cause, SDP_MAX, Side};
use sip::pool::Key;
use sip::sdp::{Audio, Codec, Sdp};

use super::{ANNOUNCEMENT_MAX, Pbx, Relays};

impl<R: Relays> Pbx<R> {
    /// Says to the caller why its call fails, and then lets it fail; at once where nothing can be said.
    pub(super) fn announce(&mut self, now: Instant, call: Key, prompt: Prompt, status: u16, cause: Cause) {
        let refuse = |pbx: &mut Self| pbx.calls.refuse(now, call, status, Some(cause));
        let session = self.random() >> 1;
        let mut kept = [0; SDP_MAX];
        let offer = self.calls.sdp(call, Side::Callee, &mut kept).and_then(Sdp::parse);
        let listener = offer.and_then(|offer| Some((offer, offer.listener()?)));
        let (Some((offer, (place, medium, codec))), Some(target)) = (listener, self.media.caller_end(call))
        else {
            return refuse(self);
        };
        let audio = Audio {
            session,
            version: 1,
            target,
            codecs: &[codec],
            telephone_event: None,
            redundancy: None,
            direction: medium.direction.mirrored(),
        };
        let mut sdp = [0; SDP_MAX];
        let Ok(len) = audio.answering(offer, place).write(&mut sdp) else {
            return refuse(self);
        };
        let law = match codec {
            Codec::Pcmu => Law::Pcmu,
            Codec::Pcma => Law::Pcma,
        };
        let said = self.media.relays.play(call.to_bits(), prompt, law)
            && self
                .calls
                .progress(now, call, 183, sdp.get(..len), Some(cause))
                .is_ok();
        if !said {
            return refuse(self);
        }
        if let Some(meta) = self.calls.meta_mut(call) {
            meta.verdict = Some((status, cause));
        }
        self.calls.set_deadline(call, Some(now + ANNOUNCEMENT_MAX));
    }

    pub(super) fn is_announcing(&self, call: Key) -> bool {
        self.calls.meta(call).is_some_and(|meta| meta.verdict.is_some())
    }

    /// An announcement is over: now the final answer.
    pub(in crate::pbx) fn on_played(&mut self, now: Instant, call: Key) {
        if let Some((status, cause)) = self.calls.meta(call).and_then(|meta| meta.verdict) {
            self.calls.refuse(now, call, status, Some(cause));
        }
    }
}
