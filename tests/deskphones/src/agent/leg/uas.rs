//! The phone is called (UAS, RFC 3261 §13.3): it rings, refuses, or is silent.

use std::net::SocketAddr;

use sip::{Message, Name};

use super::{Incoming, Leg, State};
use crate::Millis;
use crate::agent::log::{CallLog, Direction, Outcome};
use crate::agent::voice::{Repeat, T2, T64, Voice, lossy, user_of};

/// A phone does not ring longer than this, whether or not it hears of the caller's giving up.
const RING_MAX: Millis = 200_000;

impl Leg {
    /// A call that came in.
    pub fn invited(
        now: Millis,
        voice: &mut Voice,
        message: &Message<'_>,
        from: SocketAddr,
        manner: Incoming,
        rtp: u16,
    ) -> Self {
        let caller = message.from();
        let log = voice.log.len();
        let call_id = lossy(message.call_id().unwrap_or_default());
        let mut entry = CallLog::new(
            Direction::In,
            now,
            user_of(caller.and_then(|caller| caller.parsed_uri())),
            call_id.clone(),
        );
        entry.called = user_of(message.parsed_request_uri());
        entry.display = lossy(caller.and_then(|caller| caller.display).unwrap_or_default());
        voice.log.push(entry);
        voice.note_media(log, message);
        voice.note_session(log, message);
        let mut leg = Leg {
            log,
            call_id,
            local: format!("<{}>", message.to().map(|to| lossy(to.uri)).unwrap_or_default()),
            remote: format!("<{}>", caller.map(|caller| lossy(caller.uri)).unwrap_or_default()),
            local_tag: voice.token(),
            remote_tag: caller
                .and_then(|caller| caller.tag())
                .map(lossy)
                .unwrap_or_default(),
            target: message
                .contacts()
                .next()
                .map(|contact| lossy(contact.uri))
                .unwrap_or_default(),
            routes: message.values(Name::RecordRoute).map(lossy).collect(),
            cseq: 0,
            invited: Some((
                message.cseq().map_or(0, |cseq| cseq.seq),
                lossy(message.via().and_then(|via| via.branch).unwrap_or_default()),
                from,
                message.raw().to_vec(),
            )),
            ack: None,
            media: SocketAddr::new(voice.identity.address.ip(), rtp),
            state: State::Deaf { until: now + T64 },
            errands: Vec::new(),
        };
        match manner {
            // As nothing was heard, nothing is to be told of it.
            Incoming::Silent => voice.end(now, log, Outcome::TimedOut),
            Incoming::Refuse(status) => leg.refuse(now, voice, status, Outcome::Refused(status)),
            Incoming::Answer(..) | Incoming::Ring => {
                voice.log[log].ringing = Some(now);
                let last = leg.respond(voice, 180, false);
                let (answer_at, talk) = match manner {
                    Incoming::Answer(after, talk) => (now + after, talk),
                    _ => (Millis::MAX, 0),
                };
                leg.state = State::Ringing {
                    last,
                    answer_at,
                    talk,
                    tired_at: now + RING_MAX,
                };
            }
        }
        leg
    }

    pub(super) fn respond(&mut self, voice: &mut Voice, status: u16, sdp: bool) -> Vec<u8> {
        let Some((_, _, from, request)) = &self.invited else {
            return Vec::new();
        };
        let bytes = voice.response(
            request,
            *from,
            status,
            Some(&self.local_tag),
            sdp.then_some(self.media),
        );
        voice.send(*from, bytes.clone());
        bytes
    }

    pub(super) fn refuse(&mut self, now: Millis, voice: &mut Voice, status: u16, outcome: Outcome) {
        let bytes = self.respond(voice, status, false);
        if let Some((_, _, from, _)) = self.invited {
            self.state = State::Refusing {
                refusal: Repeat::new(now, from, bytes, T2),
            };
        }
        voice.end(now, self.log, outcome);
    }

    /// Is it the INVITE that made this leg, again?
    pub fn is_same_invite(&self, message: &Message<'_>) -> bool {
        let branch = message.via().and_then(|via| via.branch).unwrap_or_default();
        self.invited
            .as_ref()
            .is_some_and(|(_, known, _, _)| known.as_bytes() == branch)
    }
}
