//! Where a received message goes: RFC 3261 §17.1.3 and §17.2.3.

use super::key;
use super::machine::Act;
use super::slot::{Class, Machine};
use super::{NO_USER, Priority, Received, Transactions, ict, ist, nict, nist};
use crate::flow::{Flow, Path};
use crate::message::Message;
use crate::method::Method;
use crate::time::Instant;

impl Transactions<'_> {
    /// Finds or makes the transaction of a received message. Only BYE and CANCEL may use reserved room.
    pub fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received {
        let priority = match message.method() {
            Method::Bye | Method::Cancel => Priority::Reserved,
            _ => Priority::Normal,
        };
        self.receive_as(now, flow, message, priority)
    }

    /// As [`Transactions::receive`], for a request that may use reserved room whatever its method.
    pub fn receive_reserved(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received {
        self.receive_as(now, flow, message, Priority::Reserved)
    }

    fn receive_as(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        priority: Priority,
    ) -> Received {
        if let Some(status) = message.status() {
            return self.receive_response(now, message, status);
        }
        let method = message.method();
        let (class, key_method) = match method {
            Method::Invite | Method::Ack => (Class::ServerInvite, Method::Invite),
            Method::Cancel => (Class::ServerCancel, Method::Cancel),
            _ => (Class::ServerOther, method),
        };
        let Some(key) = key::of_request(self.secret, message, key_method) else {
            self.counters.unusable = self.counters.unusable.wrapping_add(1);
            return Received::Absorbed;
        };
        let found = self.storage.find(key, class);
        let path = Path::new(&flow.answering(message));
        match (found, method) {
            (Some(index), Method::Ack) => self.receive_ack(now, index),
            (None, Method::Ack) => Received::Ack,
            (Some(index), _) => self.receive_again(now, index),
            (None, Method::Invite) => {
                let machine = Machine::Ist(ist::State::Proceeding);
                let Ok(index) = self.insert(key, class, machine, path, NO_USER, priority) else {
                    return Received::Full;
                };
                self.ist(now, index, ist::Event::Start);
                Received::Request {
                    tx: self.storage.id(index),
                }
            }
            (None, _) => {
                let machine = Machine::Nist(nist::State::Trying);
                let Ok(index) = self.insert(key, class, machine, path, NO_USER, priority) else {
                    return Received::Full;
                };
                self.nist(now, index, nist::Event::Start);
                let tx = self.storage.id(index);
                if method != Method::Cancel {
                    return Received::Request { tx };
                }
                let invite = key::of_request(self.secret, message, Method::Invite)
                    .and_then(|key| self.storage.find(key, Class::ServerInvite))
                    .map(|index| (self.storage.id(index), self.storage.at(index).user));
                Received::Cancel { tx, invite }
            }
        }
    }

    fn receive_response(&mut self, now: Instant, message: &Message<'_>, status: u16) -> Received {
        let class = match message.method() {
            Method::Invite => Class::ClientInvite,
            Method::Cancel => Class::ClientCancel,
            _ => Class::ClientOther,
        };
        let branch = message.via().and_then(|via| via.branch);
        let Some(index) = branch
            .and_then(key::of_branch)
            .and_then(|key| self.storage.find(key, class))
        else {
            self.counters.stray = self.counters.stray.wrapping_add(1);
            return Received::StrayResponse;
        };
        let passed = match class {
            Class::ClientInvite => self.ict(
                now,
                index,
                match status {
                    ..200 => ict::Event::Provisional,
                    200..300 => ict::Event::Success,
                    _ => ict::Event::Failure,
                },
            ),
            _ => self.nict(
                now,
                index,
                if status < 200 {
                    nict::Event::Provisional
                } else {
                    nict::Event::Final
                },
            ),
        };
        if !passed.is_some_and(|act| act.has(Act::PASS)) {
            return Received::Absorbed;
        }
        let slot = self.storage.at_mut(index);
        slot.status = status;
        let user = slot.user;
        match class {
            Class::ClientCancel if status < 200 => Received::Absorbed,
            Class::ClientCancel => Received::CancelAnswered { user, status },
            _ => {
                let tx = self.storage.id(index);
                if class == Class::ClientInvite {
                    self.release_cancel(now, index);
                }
                Received::Response { tx, user, status }
            }
        }
    }

    fn receive_ack(&mut self, now: Instant, index: u32) -> Received {
        let user = self.storage.at(index).user;
        match self.ist(now, index, ist::Event::Ack) {
            Some(act) if act.has(Act::PASS) => Received::Ack,
            Some(_) => Received::AckAbsorbed { user },
            None => Received::Absorbed,
        }
    }

    fn receive_again(&mut self, now: Instant, index: u32) -> Received {
        self.counters.repeated = self.counters.repeated.wrapping_add(1);
        let act = match self.storage.at(index).machine {
            Machine::Ist(_) => self.ist(now, index, ist::Event::Repeated),
            _ => self.nist(now, index, nist::Event::Repeated),
        };
        let slot = self.storage.at(index);
        match act {
            Some(act) if act.has(Act::REPEAT) => Received::Retransmission {
                tx: self.storage.id(index),
                user: slot.user,
                status: slot.status,
            },
            _ => Received::Absorbed,
        }
    }
}
