//! The search for the configuration, one way after the other, and the files.

use std::net::SocketAddrV4;

use super::{Output, Phone, Stage, TFTP_PORT};
use crate::Millis;
use crate::assumed::{APPLY, PANASONIC_RETRY, PNP_PORT};
use crate::fetch::{Fetch, Outcome, Step};
use crate::model::{Discovery, Vendor};
use crate::names::Answer;
use crate::plan::Plan;
use crate::pnp::{Heard, Search};

impl Phone {
    pub(super) fn pnp(&mut self, now: Millis, from: SocketAddrV4, bytes: &[u8]) {
        let Stage::Searches(next, search) = &mut self.stage else {
            return;
        };
        let next = *next;
        match search.receive(bytes) {
            Heard::Nothing => {}
            Heard::Answer(answer) => self.send(PNP_PORT, from, answer),
            Heard::Found(answer, url) => {
                self.progress.waited += now - search.since;
                self.send(PNP_PORT, from, answer);
                self.found(now, Discovery::Pnp, next, &url, None);
            }
        }
    }

    /// Something was found; the phone may not like it.
    fn found(&mut self, now: Millis, how: Discovery, next: usize, text: &str, boot_file: Option<&str>) {
        let plan = match how {
            Discovery::Manual => Plan::stored(self.model, self.mac, &self.store),
            how => Plan::found(self.model, self.mac, how, text, boot_file),
        };
        match plan {
            Some(plan) => {
                self.found = Some(how);
                self.progress.found.get_or_insert(now);
                self.stage = Stage::Fetches(next, plan, None);
            }
            None => {
                if how != Discovery::Manual {
                    self.problems.push(format!("{how:?}: {text:?} is not taken"));
                }
                self.stage = Stage::Looks(next);
            }
        }
    }

    /// Tries the ways of discovery from this one on.
    pub(super) fn look(&mut self, now: Millis, place: usize) {
        let Some(&how) = self.model.looks.get(place) else {
            // Nothing new: what is stored counts.
            self.again = match self.model.vendor {
                Vendor::Panasonic if self.settings.accounts.is_empty() => now + PANASONIC_RETRY,
                _ => Millis::MAX,
            };
            self.stage = Stage::Applies(now);
            return;
        };
        let next = place + 1;
        let Some(lease) = self.lease().filter(|_| self.looks.contains(&how)) else {
            self.stage = Stage::Looks(next);
            return;
        };
        let option = |code: u8| {
            let bytes = lease.options.get(&code)?;
            let text = String::from_utf8_lossy(bytes)
                .trim_end_matches('\0')
                .trim()
                .to_owned();
            (!text.is_empty()).then_some(text)
        };
        let told = match how {
            Discovery::Manual => Some(String::new()),
            Discovery::Pnp => {
                let search = Search::new(now, self.model, self.mac, lease.address, &mut self.rng);
                self.stage = Stage::Searches(next, search);
                return;
            }
            Discovery::Option160 => option(160),
            Discovery::Option159 => option(159),
            Discovery::Option66 => option(66),
            Discovery::Option43 => lease.options.get(&43).and_then(|bytes| encapsulated(bytes)),
        };
        let boot_file = option(67);
        match told {
            Some(text) => self.found(now, how, next, &text, boot_file.as_deref()),
            None => self.stage = Stage::Looks(next),
        }
    }

    pub(super) fn fetches(&mut self, now: Millis) {
        let Stage::Fetches(next, plan, fetch) = &mut self.stage else {
            return;
        };
        let Some(url) = plan.next().cloned() else {
            self.stage = match plan.configured {
                true => Stage::Applies(now + APPLY),
                false => Stage::Looks(*next),
            };
            return;
        };
        let Some(current) = fetch else {
            let server = self.names.look_up(now, &url.host);
            match server {
                Answer::Asking => {}
                Answer::Address(address) => {
                    self.tftp_port = self.tftp_port.checked_add(1).unwrap_or(TFTP_PORT);
                    let server = SocketAddrV4::new(address, url.port);
                    let agent = self.model.user_agent(self.mac);
                    *fetch = Some(Box::new(Fetch::new(now, url, server, agent)));
                }
                Answer::Unknown => self.ended(Outcome::Failed),
            }
            return;
        };
        let steps = current.poll(now);
        let (since, outcome) = (current.since, current.take_outcome());
        for step in steps {
            match step {
                Step::Connect(to) => {
                    self.conn += 1;
                    self.outputs.push_back(Output::Connect { conn: self.conn, to });
                }
                Step::Send(bytes) => self.outputs.push_back(Output::Send {
                    conn: self.conn,
                    bytes,
                }),
                Step::Close => self.outputs.push_back(Output::Close { conn: self.conn }),
                Step::Datagram(to, bytes) => self.send(self.tftp_port, to, bytes),
            }
        }
        if let Some(outcome) = outcome {
            self.progress.waited += now - since;
            self.ended(outcome);
        }
    }

    fn ended(&mut self, outcome: Outcome) {
        let Stage::Fetches(_, plan, fetch) = &mut self.stage else {
            return;
        };
        *fetch = None;
        let result = match &outcome {
            Outcome::File(bytes) => Ok(bytes.len()),
            Outcome::Refused(code) => Err(*code),
            Outcome::Failed => Err(0),
        };
        let url = plan.next().map(ToString::to_string).unwrap_or_default();
        self.fetched.push((url, result));
        plan.fetched(self.model, self.mac, &mut self.store, outcome, &mut self.problems);
    }
}

/// The address in option 43. Its layout is not verified: a sub-option (RFC 2132 §8.4) that is an address, or the whole of it.
fn encapsulated(bytes: &[u8]) -> Option<String> {
    let url = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\0');
        text.contains("://").then(|| text.to_owned())
    };
    let mut rest = bytes;
    while let [code, length, tail @ ..] = rest {
        let (Some(value), Some(after)) = (tail.get(..usize::from(*length)), tail.get(usize::from(*length)..))
        else {
            break;
        };
        if let (1..=254, Some(text)) = (*code, url(value)) {
            return Some(text);
        }
        rest = after;
    }
    url(bytes)
}
