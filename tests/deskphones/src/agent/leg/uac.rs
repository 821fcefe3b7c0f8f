//! The phone calls (UAC, RFC 3261 §13.2, §9.1): INVITE, its answers, CANCEL.

use std::net::SocketAddr;

use sip::{Message, Method, Name};

use super::{Leg, State};
use crate::Millis;
use crate::agent::digest::Challenge;
use crate::agent::log::{CallLog, Direction, Outcome};
use crate::agent::voice::{Ask, Repeat, T64, Voice, lossy};

impl Leg {
    /// Calls `called`, a SIP user in the phone's domain.
    pub fn call(
        now: Millis,
        voice: &mut Voice,
        called: &str,
        from: Option<&str>,
        patience: Millis,
        talk: Millis,
        rtp: u16,
    ) -> Self {
        let call_id = format!("{}@{}", voice.token(), voice.identity.name);
        let log = voice.log.len();
        voice.log.push(CallLog::new(
            Direction::Out,
            now,
            called.to_owned(),
            call_id.clone(),
        ));
        let target = format!("sip:{called}@{}", voice.identity.domain);
        let mut leg = Leg {
            log,
            call_id,
            local: format!(
                "<sip:{}@{}>",
                from.unwrap_or(&voice.identity.user),
                voice.identity.domain
            ),
            remote: format!("<{target}>"),
            local_tag: voice.token(),
            remote_tag: String::new(),
            target,
            routes: Vec::new(),
            cseq: 0,
            invited: None,
            ack: None,
            media: SocketAddr::new(voice.identity.address.ip(), rtp),
            state: State::Over { until: 0 },
            errands: Vec::new(),
        };
        leg.invite(now, voice, now + patience, talk, None);
        leg
    }

    fn invite(
        &mut self,
        now: Millis,
        voice: &mut Voice,
        patience: Millis,
        talk: Millis,
        answer: Option<&Challenge>,
    ) {
        self.cseq += 1;
        let branch = voice.branch();
        let mut extra = vec![
            (Name::Contact, voice.contact()),
            (Name::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS".into()),
        ];
        if let Some(challenge) = answer {
            let cnonce = voice.token();
            let (user, password) = (voice.auth_user(), &voice.identity.password);
            let value = challenge.answer(user, password, "INVITE", &self.target, &cnonce);
            extra.push((challenge.answer_in, value));
        }
        let bytes = voice.request(&Ask {
            extra: &extra,
            sdp: Some(self.media),
            ..self.ask(Method::Invite, &branch)
        });
        let to = voice.identity.proxy;
        voice.send(to, bytes.clone());
        self.state = State::Calling {
            // Timer A doubles without limit (RFC 3261 §17.1.1.2).
            invite: Repeat::new(now, to, bytes, Millis::MAX),
            branch,
            provisional: false,
            patience,
            talk,
            authorized: answer.is_some(),
            cancel: None,
        };
    }

    pub(super) fn cancel_if_possible(&mut self, now: Millis, voice: &mut Voice) {
        let State::Calling {
            branch,
            provisional: true,
            cancel: cancel @ Some(false),
            invite,
            ..
        } = &mut self.state
        else {
            return;
        };
        *cancel = Some(true);
        // Without a final answer by then the transaction is given up (RFC 3261 §9.1).
        invite.give_up = now + T64;
        let branch = branch.clone();
        let bytes = voice.request(&self.ask(Method::Cancel, &branch));
        self.errand(now, voice, Method::Cancel, branch, bytes, None);
    }

    /// A response to the INVITE that is out.
    pub(super) fn answered(
        &mut self,
        now: Millis,
        voice: &mut Voice,
        message: &Message<'_>,
        status: u16,
        tag: String,
    ) {
        let State::Calling {
            invite,
            branch,
            provisional,
            patience,
            talk,
            authorized,
            cancel,
        } = &mut self.state
        else {
            return;
        };
        let (patience, talk, authorized, cancelled) = (*patience, *talk, *authorized, cancel.is_some());
        match status {
            ..200 => {
                *provisional = true;
                invite.hush();
                if cancel.is_none() {
                    invite.give_up = Millis::MAX;
                }
                if status > 100 {
                    voice.log[self.log].ringing.get_or_insert(now);
                    voice.note_media(self.log, message);
                }
                self.cancel_if_possible(now, voice);
            }
            200..300 => {
                self.remote_tag = tag.clone();
                let contact = message.contacts().next().map(|contact| lossy(contact.uri));
                if contact.is_none() {
                    voice.problem(now, "an answer without Contact");
                }
                self.target = contact.unwrap_or_else(|| self.target.clone());
                self.routes = message.values(Name::RecordRoute).map(lossy).collect();
                self.routes.reverse();
                voice.note_media(self.log, message);
                let branch = voice.branch();
                let ack = self.in_dialog(voice, Method::Ack, &branch, self.cseq, &[]);
                let to = voice.identity.proxy;
                voice.send(to, ack.clone());
                self.ack = Some((tag, ack));
                voice.log[self.log].answered = Some(now);
                if cancelled {
                    voice.end(now, self.log, Outcome::HungUpHere);
                    self.bye(now, voice);
                } else {
                    self.state = State::Talking {
                        until: now.saturating_add(talk),
                    };
                }
            }
            _ => {
                let branch = branch.clone();
                let ack = voice.request(&Ask {
                    to: lossy(message.header(Name::To).unwrap_or_default()),
                    ..self.ask(Method::Ack, &branch)
                });
                let to = voice.identity.proxy;
                voice.send(to, ack.clone());
                let challenge = Challenge::find(message, voice.identity.sha256);
                match challenge {
                    Some(challenge) if !authorized && !cancelled => {
                        self.invite(now, voice, patience, talk, Some(&challenge));
                    }
                    _ => {
                        self.ack = Some((tag, ack));
                        self.state = State::Over { until: now + T64 };
                        voice.log[self.log].reason = lossy(message.header(Name::Reason).unwrap_or_default());
                        let outcome = if cancelled && status == 487 {
                            Outcome::Cancelled
                        } else {
                            Outcome::Refused(status)
                        };
                        voice.end(now, self.log, outcome);
                    }
                }
            }
        }
    }
}
