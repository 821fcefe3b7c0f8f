//! New firmware: looked for after every search for the configuration, taken if it is another, then the phone starts again.

use std::net::SocketAddrV4;

use super::{Output, Phone, Stage, TFTP_PORT};
use crate::Millis;
use crate::assumed::FLASH;
use crate::fetch::{Fetch, Outcome, Step};
use crate::firmware;
use crate::model::Model;
use crate::names::Answer;
use crate::url::Url;

impl Phone {
    /// The stage after new settings are in use.
    pub(super) fn looks_for_firmware(&mut self) -> Stage {
        let Some(wanted) = &self.settings.firmware else {
            return Stage::Runs;
        };
        if wanted.unless.as_deref() == Some(self.model.firmware) {
            return Stage::Runs;
        }
        match Url::parse(&wanted.url, None) {
            Some(url) => Stage::Upgrades(url, None),
            None => {
                self.problems.push(format!("firmware at {:?}", wanted.url));
                Stage::Runs
            }
        }
    }

    pub(super) fn upgrades(&mut self, now: Millis) {
        let Stage::Upgrades(url, fetch) = &mut self.stage else {
            return;
        };
        let Some(current) = fetch else {
            match self.names.look_up(now, &url.host) {
                Answer::Asking => {}
                Answer::Address(address) => {
                    self.tftp_port = self.tftp_port.checked_add(1).unwrap_or(TFTP_PORT);
                    let server = SocketAddrV4::new(address, url.port);
                    let agent = self.model.user_agent(self.mac);
                    *fetch = Some(Box::new(Fetch::new(now, url.clone(), server, agent)));
                }
                Answer::Unknown => self.stage = Stage::Runs,
            }
            return;
        };
        let steps = current.poll(now);
        let outcome = current.take_outcome();
        // Its version is at the front: of its own the phone reads no more.
        let is_own = current
            .body()
            .and_then(|body| firmware::version(self.model, body))
            .is_some_and(|version| version == self.model.firmware);
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
        if is_own {
            if outcome.is_none() {
                self.outputs.push_back(Output::Close { conn: self.conn });
            }
            self.stage = Stage::Runs;
        } else if let Some(outcome) = outcome {
            self.upgraded(now, outcome);
        }
    }

    fn upgraded(&mut self, now: Millis, outcome: Outcome) {
        let Stage::Upgrades(url, _) = std::mem::replace(&mut self.stage, Stage::Runs) else {
            return;
        };
        let result = match &outcome {
            Outcome::File(bytes) => Ok(bytes.len()),
            Outcome::Refused(code) => Err(*code),
            Outcome::Failed => Err(0),
        };
        self.fetched.push((url.to_string(), result));
        // What it did not get it looks for when it is told to, or starts again.
        let Outcome::File(bytes) = outcome else { return };
        match firmware::version(self.model, &bytes).filter(|_| firmware::is_whole(&bytes)) {
            Some(version) => {
                // Models live as long as the program.
                let firmware = version.to_owned().leak();
                self.model = Box::leak(Box::new(Model {
                    firmware,
                    ..*self.model
                }));
                self.upgrades += 1;
                self.power(now, true);
                self.stage = Stage::Boots(now + FLASH + self.boot);
            }
            None => self
                .problems
                .push(format!("{url}: not firmware of a {}", self.model.name)),
        }
    }
}
