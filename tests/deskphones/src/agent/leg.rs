//! One call of a phone: INVITE transactions of both directions and the dialog (RFC 3261 §12 to §15, §17), written from the
//! RFC and not from our own transaction layer, so that it is a second opinion on the wire.

mod uac;
mod uas;

use std::net::SocketAddr;

use sip::{Message, Method, Name};

use super::log::Outcome;
use super::voice::{Ask, Repeat, T2, T64, Voice, lossy};
use crate::Millis;

/// What a phone does with a call that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Rings, answers after a time, and hangs up after a time (both milliseconds).
    Answer(Millis, Millis),
    /// Rings until somebody gives up.
    Ring,
    /// Refuses with this status.
    Refuse(u16),
    /// Says nothing at all, as one that was unplugged.
    Silent,
}

enum State {
    /// INVITE sent.
    Calling {
        invite: Repeat,
        branch: String,
        provisional: bool,
        /// When the caller loses patience.
        patience: Millis,
        talk: Millis,
        authorized: bool,
        /// CANCEL is wanted; true once it was sent.
        cancel: Option<bool>,
    },
    /// INVITE received, ringing.
    Ringing {
        last: Vec<u8>,
        answer_at: Millis,
        talk: Millis,
        tired_at: Millis,
    },
    /// 200 sent; its ACK is awaited.
    Accepting { ok: Repeat, until: Millis },
    /// A refusal sent; its ACK is awaited.
    Refusing { refusal: Repeat },
    /// Answered and acknowledged.
    Talking { until: Millis },
    /// Over; what is repeated is answered until then.
    Over { until: Millis },
    /// The phone acts as if it had heard nothing.
    Deaf { until: Millis },
}

/// A request within the dialog that the phone wants sent, reliably.
pub struct Errand {
    pub method: Method<'static>,
    pub branch: String,
    pub repeat: Repeat,
    /// Which call it is for.
    pub log: Option<usize>,
}

pub struct Leg {
    pub log: usize,
    pub call_id: String,
    local: String,
    remote: String,
    local_tag: String,
    remote_tag: String,
    /// Request-URI of requests in the dialog.
    target: String,
    routes: Vec<String>,
    cseq: u32,
    /// CSeq and branch of the INVITE that came in, and where it came from.
    invited: Option<(u32, String, SocketAddr, Vec<u8>)>,
    /// The ACK of the last final answer, for its repetitions; with the To tag it acknowledges.
    ack: Option<(String, Vec<u8>)>,
    media: SocketAddr,
    state: State,
    errands: Vec<Errand>,
}

impl Leg {
    /// Hangs up, or gives up.
    pub fn hang_up(&mut self, now: Millis, voice: &mut Voice) {
        match &mut self.state {
            State::Calling {
                cancel: cancel @ None,
                ..
            } => {
                *cancel = Some(false);
                self.cancel_if_possible(now, voice);
            }
            State::Ringing { .. } => self.refuse(now, voice, 603, Outcome::Refused(603)),
            State::Talking { .. } => {
                voice.end(now, self.log, Outcome::HungUpHere);
                self.bye(now, voice);
            }
            _ => {}
        }
    }

    /// Sends the other side to somebody else.
    pub fn transfer(&mut self, now: Millis, voice: &mut Voice, to: &str) {
        if !matches!(self.state, State::Talking { .. }) {
            return;
        }
        self.cseq += 1;
        let branch = voice.branch();
        let refer_to = format!("<sip:{to}@{}>", voice.identity.domain);
        let extra = [(Name::Contact, voice.contact()), (Name::ReferTo, refer_to)];
        let bytes = self.in_dialog(voice, Method::Refer, &branch, self.cseq, &extra);
        self.errand(now, voice, Method::Refer, branch, bytes, None);
    }

    fn bye(&mut self, now: Millis, voice: &mut Voice) {
        self.cseq += 1;
        let branch = voice.branch();
        let bytes = self.in_dialog(voice, Method::Bye, &branch, self.cseq, &[]);
        self.errand(now, voice, Method::Bye, branch, bytes, Some(self.log));
        self.state = State::Over { until: now + T64 };
    }

    fn errand(
        &mut self,
        now: Millis,
        voice: &mut Voice,
        method: Method<'static>,
        branch: String,
        bytes: Vec<u8>,
        log: Option<usize>,
    ) {
        let to = voice.identity.proxy;
        voice.send(to, bytes.clone());
        self.errands.push(Errand {
            method,
            branch,
            repeat: Repeat::new(now, to, bytes, T2),
            log,
        });
    }

    fn in_dialog(
        &self,
        voice: &mut Voice,
        method: Method<'_>,
        branch: &str,
        cseq: u32,
        extra: &[(Name, String)],
    ) -> Vec<u8> {
        voice.request(&Ask {
            to: format!("{};tag={}", self.remote, self.remote_tag),
            cseq,
            routes: &self.routes,
            extra,
            ..self.ask(method, branch)
        })
    }

    /// A request of this leg's before there is a dialog, without body.
    fn ask<'a>(&'a self, method: Method<'a>, branch: &'a str) -> Ask<'a> {
        Ask {
            method,
            uri: &self.target,
            branch,
            from: format!("{};tag={}", self.local, self.local_tag),
            to: self.remote.clone(),
            call_id: &self.call_id,
            cseq: self.cseq,
            routes: &[],
            extra: &[],
            sdp: None,
        }
    }

    /// A response whose Call-ID is this leg's.
    pub fn response(&mut self, now: Millis, voice: &mut Voice, message: &Message<'_>) {
        let (Some(status), Some(cseq)) = (message.status(), message.cseq()) else {
            return;
        };
        let branch = lossy(message.via().and_then(|via| via.branch).unwrap_or_default());
        voice.note_session(self.log, message);
        if cseq.method != Method::Invite {
            let Some(place) = self
                .errands
                .iter()
                .position(|e| e.branch == branch && e.method == cseq.method)
            else {
                return;
            };
            if status < 200 {
                return;
            }
            if let Some(log) = self.errands.swap_remove(place).log {
                voice.log[log].bye_status = Some(status);
            }
            return;
        }
        let tag = message
            .to()
            .and_then(|to| to.tag())
            .map(lossy)
            .unwrap_or_default();
        if let State::Calling { branch: own, .. } = &self.state {
            if *own == branch {
                self.answered(now, voice, message, status, tag);
            }
            return;
        }
        // A repetition, or a second answer to one call.
        match &self.ack {
            Some((known, ack)) if *known == tag => {
                let (to, ack) = (voice.identity.proxy, ack.clone());
                voice.send(to, ack);
            }
            Some(_) if (200..300).contains(&status) => {
                voice.problem(now, format_args!("a second answer to call {}", self.call_id));
            }
            _ => {}
        }
    }

    /// A request whose Call-ID is this leg's. False: it is not for this dialog.
    pub fn request(
        &mut self,
        now: Millis,
        voice: &mut Voice,
        message: &Message<'_>,
        from: SocketAddr,
    ) -> bool {
        let to_tag = message.to().and_then(|to| to.tag());
        if let State::Deaf { .. } = self.state {
            return true;
        }
        match message.method() {
            Method::Invite if to_tag.is_none() => {
                // The INVITE again: the last answer again.
                let last = match &self.state {
                    State::Ringing { last, .. } => last.clone(),
                    State::Accepting {
                        ok: Repeat { bytes, .. },
                        ..
                    }
                    | State::Refusing {
                        refusal: Repeat { bytes, .. },
                    } => bytes.clone(),
                    _ => return true,
                };
                voice.send(from, last);
                true
            }
            Method::Cancel => {
                let ok = voice.response(message.raw(), from, 200, Some(&self.local_tag), None);
                voice.send(from, ok);
                if let State::Ringing { .. } = self.state {
                    let elsewhere = message.reasons().any(|reason| reason.is_sip(200));
                    voice.log[self.log].reason = lossy(message.header(Name::Reason).unwrap_or_default());
                    let outcome = if elsewhere {
                        Outcome::Elsewhere
                    } else {
                        Outcome::Cancelled
                    };
                    self.refuse(now, voice, 487, outcome);
                }
                true
            }
            Method::Ack => {
                voice.note_media(self.log, message);
                let seq = message.cseq().map(|cseq| cseq.seq);
                let ours = self.invited.as_ref().map(|(seq, ..)| *seq);
                match &self.state {
                    State::Accepting { until, .. } if seq == ours => {
                        self.state = State::Talking { until: *until };
                    }
                    State::Refusing { .. } if seq == ours => self.state = State::Over { until: now + T64 },
                    _ => {}
                }
                true
            }
            _ if to_tag.map(lossy).as_deref() != Some(self.local_tag.as_str()) => false,
            Method::Bye => {
                let known = self.is_dialog();
                let status = if known { 200 } else { 481 };
                let answer = voice.response(message.raw(), from, status, None, None);
                voice.send(from, answer);
                if let State::Talking { .. } | State::Accepting { .. } = self.state {
                    voice.log[self.log].reason = lossy(message.header(Name::Reason).unwrap_or_default());
                    voice.end(now, self.log, Outcome::HungUpThere);
                    self.state = State::Over { until: now + T64 };
                }
                true
            }
            Method::Invite => {
                // The same description as before: nothing of ours has changed.
                voice.note_media(self.log, message);
                let status = if self.is_dialog() { 200 } else { 481 };
                let sdp = (status == 200).then_some(self.media);
                let answer = voice.response(message.raw(), from, status, None, sdp);
                voice.send(from, answer);
                true
            }
            _ => {
                let answer = voice.response(
                    message.raw(),
                    from,
                    if self.is_dialog() { 200 } else { 481 },
                    None,
                    None,
                );
                voice.send(from, answer);
                true
            }
        }
    }

    /// Is there a dialog, or was there one a moment ago?
    fn is_dialog(&self) -> bool {
        match self.state {
            State::Talking { .. } | State::Accepting { .. } => true,
            State::Over { .. } => !self.remote_tag.is_empty(),
            _ => false,
        }
    }

    /// Where its audio goes while it is talking: from this end's port to the other end.
    pub fn audio(&self, voice: &Voice) -> Option<(u16, SocketAddr)> {
        let peer = voice.log.get(self.log)?.media?;
        matches!(self.state, State::Talking { .. }).then_some((self.media.port(), peer))
    }

    /// Is the phone in use by this call?
    pub fn is_busy(&self) -> bool {
        matches!(
            self.state,
            State::Calling { .. } | State::Ringing { .. } | State::Accepting { .. } | State::Talking { .. }
        )
    }

    /// When the leg has something to do.
    pub fn next_deadline(&self) -> Millis {
        let own = match &self.state {
            State::Calling {
                invite,
                patience,
                cancel,
                ..
            } => {
                let patience = if cancel.is_none() { *patience } else { Millis::MAX };
                invite.next_deadline().min(patience)
            }
            State::Ringing {
                answer_at, tired_at, ..
            } => (*answer_at).min(*tired_at),
            State::Accepting { ok, .. } => ok.next_deadline(),
            State::Refusing { refusal } => refusal.next_deadline(),
            State::Over { .. } | State::Deaf { .. } if !self.errands.is_empty() => Millis::MAX,
            State::Talking { until } | State::Over { until } | State::Deaf { until } => *until,
        };
        self.errands
            .iter()
            .map(|errand| errand.repeat.next_deadline())
            .fold(own, Millis::min)
    }

    /// Does what is due. False: the leg is over and forgotten.
    pub fn tick(&mut self, now: Millis, voice: &mut Voice) -> bool {
        let log = self.log;
        self.errands.retain_mut(|errand| {
            let waits = errand.repeat.tick(now, voice);
            if !waits && errand.log.is_some() {
                voice.log[log].bye_status = Some(0);
            }
            waits
        });
        match &mut self.state {
            State::Calling { patience, cancel, .. } if now >= *patience && cancel.is_none() => {
                self.hang_up(now, voice);
            }
            State::Calling { invite: repeat, .. }
            | State::Accepting { ok: repeat, .. }
            | State::Refusing { refusal: repeat } => {
                let waits = repeat.tick(now, voice);
                if !waits {
                    self.unanswered(now, voice);
                }
            }
            State::Ringing { answer_at, talk, .. } if now >= *answer_at => {
                let until = now.saturating_add(*talk);
                voice.log[log].answered = Some(now);
                let bytes = self.respond(voice, 200, true);
                if let Some((_, _, from, _)) = self.invited {
                    self.state = State::Accepting {
                        ok: Repeat::new(now, from, bytes, T2),
                        until,
                    };
                }
            }
            State::Ringing { tired_at, .. } if now >= *tired_at => {
                self.refuse(now, voice, 480, Outcome::Refused(480));
            }
            State::Talking { until } if now >= *until => self.hang_up(now, voice),
            State::Over { until } | State::Deaf { until } if now >= *until => {
                return !self.errands.is_empty();
            }
            _ => {}
        }
        true
    }

    /// What is repeated was never answered.
    fn unanswered(&mut self, now: Millis, voice: &mut Voice) {
        match self.state {
            State::Calling { .. } => voice.end(now, self.log, Outcome::TimedOut),
            State::Accepting { .. } => {
                voice.end(now, self.log, Outcome::Lost);
                self.bye(now, voice);
            }
            _ => {}
        }
        self.state = State::Over { until: now + T64 };
    }
}
