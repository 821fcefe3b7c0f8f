//! What is to be done next: every part of the box is asked in turn, those first that others wait for.

use sip::b2bua;
use sip::{Flow, Instant};

use crate::analog::{self, Found};
use crate::calls::slot;
use crate::link::{HOLD_OUT, Mode};
use crate::power::PortOrder;
use crate::provision::tftp::Packet;
use crate::store::{self, Token};
use crate::trunk::Do;
use crate::{
    BINDINGS, Gateway, LineOrder, MediaOutput, Output, TrunkOutput, office, power, provision, uplink,
};

impl Gateway<'_> {
    /// The next thing to do. Call until `None` after each [`Gateway::handle`] and at [`Gateway::next_deadline`]. `buffer`
    /// holds what is sent and must have room for [`crate::budget::STREAM_MAX`] bytes.
    pub fn poll<'b>(&'b mut self, now: Instant, buffer: &'b mut [u8]) -> Option<Output<'b>> {
        let Some(ready) = self.next_ready(now, buffer) else {
            return self.office.poll_log(now).map(Output::Log);
        };
        Some(match ready {
            Ready::Sent { flow, len } if self.is_trunk(flow) => {
                Output::Trunk(TrunkOutput::Send(buffer.get(..len).unwrap_or_default()))
            }
            Ready::Sent { flow, len } => Output::Transmit {
                flow,
                bytes: buffer.get(..len).unwrap_or_default(),
            },
            Ready::TrunkSend(len) => Output::Trunk(TrunkOutput::Send(buffer.get(..len).unwrap_or_default())),
            Ready::TrunkConnect => Output::Trunk(TrunkOutput::Connect),
            Ready::TrunkClose => Output::Trunk(TrunkOutput::Close),
            Ready::Media(media) => Output::Media(media),
            Ready::Line(line, order) => Output::Line { line, order },
            Ready::Lldp { port, len } => Output::Lldp {
                port,
                bytes: buffer.get(..len).unwrap_or_default(),
            },
            Ready::Power(port, order) => Output::Power { port, order },
            Ready::Store(token, op) => Output::Store(token, op),
            Ready::Service(office::Ready { port, to, length }) => Output::Service {
                port,
                to,
                bytes: buffer.get(..length).unwrap_or_default(),
            },
            Ready::Tftp(Packet { to, station, len }) => Output::Tftp {
                to,
                station,
                bytes: buffer.get(..len).unwrap_or_default(),
            },
            Ready::Http(connection) => Output::Http { connection },
            Ready::Uplink => match self.uplink.output()? {
                uplink::Output::Publish { topic, payload } => Output::Publish { topic, payload },
                uplink::Output::Store(op) => Output::Store(uplink::TOKEN, op),
                uplink::Output::Reconnect => Output::Reconnect,
            },
        })
    }

    fn next_ready(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Ready> {
        if self.is_between() {
            return self.uplink.poll(now).then_some(Ready::Uplink);
        }
        loop {
            if let Some(flow) = self.reply_to.take()
                && (!self.is_trunk(flow) || self.trunk.carries(flow))
            {
                let len = self.reply.len();
                match (buffer.get_mut(..len), analog::line(flow)) {
                    (Some(room), line) => {
                        room.copy_from_slice(&self.reply);
                        match line {
                            Some(line) => self.deliver(now, line, len, buffer),
                            None => return Some(Ready::Sent { flow, len }),
                        }
                        continue;
                    }
                    (None, _) => self.counters.overflow += 1,
                }
            }
            if let Some(ready) = self.served.take()
                && let (Some(room), Some(reply)) =
                    (buffer.get_mut(..ready.length), self.reply.get(..ready.length))
            {
                room.copy_from_slice(reply);
                return Some(Ready::Service(ready));
            }
            // Before anything else has use of `reply`.
            if let Some(ready) = self.office.poll(now, &self.reply, buffer) {
                return Some(Ready::Service(ready));
            }
            if let Some(media) = self.media.pop_front() {
                return Some(Ready::Media(media));
            }
            if self.uplink.is_pressed() && self.uplink.poll(now) {
                return Some(Ready::Uplink);
            }
            match self.calls.poll(now, buffer) {
                // A message for a connection that is gone is lost; what must not be lost is sent again on the next one.
                Some(b2bua::Output::Transmit { flow, .. })
                    if self.is_trunk(flow) && !self.trunk.carries(flow) =>
                {
                    continue;
                }
                Some(b2bua::Output::Transmit { flow, len }) => match (analog::line(flow), slot(flow)) {
                    (Some(line), _) => {
                        self.deliver(now, line, len, buffer);
                        continue;
                    }
                    (None, Some(slot)) => {
                        self.deliver_to_slot(now, slot, len, buffer);
                        continue;
                    }
                    (None, None) => return Some(Ready::Sent { flow, len }),
                },
                Some(b2bua::Output::Event(event)) => {
                    self.on_call_event(now, event);
                    self.lamps.is_due = true;
                    continue;
                }
                None => {}
            }
            match self.poll_analog(now, buffer) {
                Some(Found::Order(line, order)) => return Some(Ready::Line(line, order)),
                Some(Found::Done) => continue,
                None => {}
            }
            if let Some((port, order)) = self.power.poll() {
                return Some(Ready::Power(port, order));
            }
            match self.trunk.next_message(now, buffer) {
                Some(Ok(len)) => {
                    self.on_trunk_message(now, buffer.get(..len).unwrap_or_default());
                    continue;
                }
                Some(Err(change)) => {
                    self.on_trunk(now, Some(change));
                    continue;
                }
                None => {}
            }
            if let Some(change) = self.trunk.tick(now) {
                self.on_trunk(now, Some(change));
                continue;
            }
            if self.parted_for_good(now) || self.hold_out_over(now) {
                continue;
            }
            match self.trunk.poll(now, &self.factory, buffer) {
                Some(Do::Connect) => return Some(Ready::TrunkConnect),
                Some(Do::Close) => return Some(Ready::TrunkClose),
                Some(Do::Send(len)) => return Some(Ready::TrunkSend(len)),
                None => {}
            }
            if self.poll_registrar(now) {
                continue;
            }
            if !self.is_storing()
                && let Some(op) = self.power.next_put(now)
            {
                return Some(Ready::Store(power::TOKEN, op));
            }
            if !self.is_storing()
                && let Some(op) = self.keeper.next_put(now, &self.registrar)
            {
                return Some(Ready::Store(BINDINGS, op));
            }
            if let Some((flow, len)) = self.keeper.release(&self.registrar, buffer) {
                return Some(Ready::Sent { flow, len });
            }
            if let Some((flow, len)) = self.poll_lamps(now, buffer) {
                return Some(Ready::Sent { flow, len });
            }
            if let Some((port, len)) = self.poll_lldp(now, buffer) {
                return Some(Ready::Lldp { port, len });
            }
            if !self.is_storing()
                && let Some(op) = self.provision.phones.next_put(now)
            {
                return Some(Ready::Store(provision::TOKEN, op));
            }
            if let Some(packet) = self.poll_tftp(now, buffer) {
                return Some(Ready::Tftp(packet));
            }
            if let Some(connection) = self.next_answer(now) {
                return Some(Ready::Http(connection));
            }
            if let Some((flow, len)) = self.poll_provision(now, buffer) {
                return Some(Ready::Sent { flow, len });
            }
            if self.tell_firmware(now)
                || self.call_back(now)
                || self.call_strangers(now)
                || self.forget_strangers(now)
                || self.poll_fetches(now)
                || self.retell_secret(now)
            {
                continue;
            }
            if self.uplink.poll(now) || self.poll_hub(now, buffer) {
                return Some(Ready::Uplink);
            }
            return None;
        }
    }

    /// One of what keeps settings writes one: the others wait.
    fn is_storing(&self) -> bool {
        self.keeper.is_storing() || self.provision.phones.is_storing() || self.power.is_storing()
    }

    /// When [`Gateway::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.is_between() {
            // The store's answer is what comes next.
            return None;
        }
        let hold_out = match (self.link.mode(), self.trunk_flow) {
            (Mode::Down, Some(_)) => self.link.since() + HOLD_OUT,
            _ => Instant::NEVER,
        };
        let all = [
            self.calls.next_deadline(),
            Some(self.trunk.next_deadline()),
            self.registrar.next_deadline(),
            self.uplink.next_deadline(),
            self.hub_deadline(),
            Some(hold_out),
            self.keeper.next_deadline().filter(|_| !self.is_storing()),
            self.lamps.next_deadline(),
            self.lldp.next_deadline(),
            self.parted.iter().map(|parted| parted.until).min(),
            Some(self.analog.next_deadline()),
            Some(self.office.next_deadline()),
            self.provision.next_deadline(self.is_storing()),
            self.power.next_deadline().filter(|_| !self.is_storing()),
            self.next_download(),
            self.fetches_deadline(),
        ];
        all.into_iter().flatten().min().filter(|at| *at != Instant::NEVER)
    }
}

/// What [`Gateway::next_ready`] found; the bytes are in the buffer.
#[expect(
    clippy::large_enum_variant,
    reason = "an operation carries its bytes inline: there is no heap to put them on"
)]
enum Ready {
    Sent { flow: Flow, len: usize },
    Service(office::Ready),
    TrunkSend(usize),
    TrunkConnect,
    TrunkClose,
    Media(MediaOutput),
    Line(u8, LineOrder),
    Lldp { port: u8, len: usize },
    Power(u8, PortOrder),
    Store(Token, store::Op),
    Tftp(Packet),
    Http(u8),
    Uplink,
}
