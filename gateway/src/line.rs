//! The line to the cloud: what its changes mean for calls, alarms and the connection.

use shared::sync::{Alarm, EventBody};
use sip::{Instant, Message};

use crate::Gateway;
use crate::io::Network;
use crate::link::{HOLD_OUT, Mode};
use crate::office::OFFICE;
use crate::trunk::Change;

impl Gateway<'_> {
    pub(crate) fn on_network(&mut self, now: Instant, network: Network) {
        let was = self.office.address(OFFICE);
        let subnet = match network {
            Network::Up(subnet) => Some(subnet),
            Network::Down => None,
        };
        self.office.network(now, OFFICE, subnet);
        let seen_at = self.address;
        self.find_own_address(now);
        if self.address != seen_at {
            // It is in every file. Who hears of it by no way is switched off and on (`power::STRANDED`).
            self.renew_files(now);
        }
        let own = self.office.address(OFFICE);
        if was.is_some() && was != own {
            // No connection survives a change of address.
            let change = self.trunk.network(now, false);
            self.on_trunk(now, change);
        }
        let change = self.trunk.network(now, own.is_some());
        self.on_trunk(now, change);
    }

    /// Phones in a network of their own know the box by its address there, whatever becomes of the office's.
    pub(crate) fn find_own_address(&mut self, now: Instant) {
        let was = core::mem::replace(&mut self.address, self.office.phones_address());
        if was != self.address {
            self.lldp.changed(now);
        }
    }

    pub(crate) fn on_trunk(&mut self, now: Instant, change: Option<Change>) {
        let was = self.link.mode();
        match change {
            Some(Change::Registered) => {
                // The same start of the box on a new connection: its dialogs go on there.
                let flow = self.trunk.flow();
                if let (Some(old), Some(new)) = (self.trunk_flow, flow) {
                    self.calls.flow_moved(old, new);
                }
                self.trunk_flow = flow;
                self.link.registered(now);
            }
            Some(Change::Answered) => self.link.answered(now),
            Some(Change::Missed) => self.link.missed(now),
            Some(Change::Lost) => self.link.lost(now),
            None => return,
        }
        self.on_mode(now, was);
    }

    /// The cloud left a call without any answer.
    pub(crate) fn on_silence(&mut self, now: Instant) {
        let was = self.link.mode();
        self.link.missed(now);
        self.on_mode(now, was);
    }

    /// The alarm that goes with the line's mode; and a connection that brings nothing any more is opened anew.
    pub(crate) fn on_mode(&mut self, now: Instant, was: Mode) {
        let is = self.link.mode();
        if (was == Mode::Down) != (is == Mode::Down) {
            self.tell(
                now,
                EventBody::Alarm {
                    alarm: Alarm::CloudUnreachable,
                    raised: is == Mode::Down,
                },
            );
            if is == Mode::Down {
                self.trunk.give_up(now);
                self.on_line_gone(now);
            }
        }
    }

    /// The line has been away for so long that nobody still holds on at the other end.
    pub(crate) fn hold_out_over(&mut self, now: Instant) -> bool {
        if self.link.mode() != Mode::Down || now < self.link.since() + HOLD_OUT {
            return false;
        }
        match self.trunk_flow.take() {
            Some(flow) => {
                self.calls.flow_lost(now, flow);
                true
            }
            None => false,
        }
    }

    pub(crate) fn on_trunk_message(&mut self, now: Instant, bytes: &[u8]) {
        let message = match Message::parse_stream(bytes) {
            Ok(message) => message,
            Err(rejected) => {
                if let Some(flow) = self.trunk.flow() {
                    self.on_rejected(now, flow, &rejected);
                }
                return;
            }
        };
        let (ours, change) = self.trunk.response(now, &message, &self.factory);
        self.on_trunk(now, change);
        if let Some(flow) = self.trunk.flow().filter(|_| !ours) {
            self.on_sip(now, flow, &message);
        }
    }
}
