//! The phone in use: its accounts, their lamps, its clock.

use std::net::{SocketAddr, SocketAddrV4};

use super::{Output, Phone, Stage};
use crate::Millis;
use crate::account::KeyUse;
use crate::agent::{Agent, Identity, Manner};
use crate::assumed::{NAME_RETRY, NTP};
use crate::clock;
use crate::names::Answer;

impl Phone {
    /// Starts the accounts whose servers' names are known.
    pub(super) fn start_accounts(&mut self, now: Millis) {
        let Some(address) = self.address() else { return };
        for index in 0..self.agents.len() {
            let Some((account, None)) = self.agents.get(index) else {
                continue;
            };
            let proxy = match self.names.look_up(now, &account.proxy.host) {
                Answer::Address(proxy) => proxy,
                Answer::Asking => continue,
                Answer::Unknown => {
                    self.next_names = self.next_names.min(now + NAME_RETRY);
                    continue;
                }
            };
            let proxy = SocketAddrV4::new(proxy, account.proxy.port);
            let backup = match &account.backup {
                None => None,
                Some(server) => match self.names.look_up(now, &server.host) {
                    Answer::Asking => continue,
                    Answer::Address(address) => Some(SocketAddrV4::new(address, server.port)),
                    Answer::Unknown => None,
                },
            };
            let port = 5_060 + 2 * index as u16;
            let identity = Identity {
                name: format!("{}-{}-{index}", self.model.name, self.mac),
                user: account.user.clone(),
                password: account.password.clone(),
                domain: account.domain.clone(),
                address: SocketAddr::V4(SocketAddrV4::new(address, port)),
                proxy: SocketAddr::V4(proxy),
                sha256: false,
            };
            let (terms, auth) = (account.terms, account.auth.clone());
            let mut agent = Agent::new(identity, Manner::Always(self.manner), self.rng.split());
            agent.set_user_agent(&self.model.sip_user_agent(self.mac));
            agent.set_auth_user(&auth);
            if let Some((event, status)) = &self.settings.resync {
                agent.set_resync(event, *status);
            }
            agent.register_at(now, terms, backup.map(SocketAddr::V4));
            let lamps = self
                .settings
                .keys
                .iter()
                .filter(|key| usize::from(key.account) == index);
            for key in lamps.filter(|key| matches!(key.does, KeyUse::Lamp | KeyUse::Park)) {
                // After the registration, so that the first one is not refused.
                agent.watch(now + 1_000, terms, &key.value);
            }
            if let Some((_, place)) = self.agents.get_mut(index) {
                *place = Some(agent);
            }
        }
    }

    pub(super) fn run_accounts(&mut self, now: Millis) {
        let Some(address) = self.address() else { return };
        let mut sent = Vec::new();
        for agent in self.agents.iter_mut().filter_map(|(_, agent)| agent.as_mut()) {
            let from = SocketAddrV4::new(address, agent.identity().address.port());
            for (to, bytes) in agent.due(now) {
                if let SocketAddr::V4(to) = to {
                    sent.push(Output::Datagram { from, to, bytes });
                }
            }
        }
        self.outputs.extend(sent);
        if self.is_registered(now) && self.progress.registered.is_none() {
            self.progress.registered = Some(now);
            self.progress.waited += now - self.progress.configured.unwrap_or(now);
        }
        let agents = self.agents.iter().filter_map(|(_, agent)| agent.as_ref());
        let resyncs = agents.map(Agent::resyncs).sum();
        if resyncs > self.resyncs && matches!(self.stage, Stage::Runs) {
            self.stage = Stage::Looks(0);
        }
        self.resyncs = resyncs;
    }

    pub(super) fn ask_time(&mut self, now: Millis) {
        let option = self.lease().and_then(|lease| lease.clocks.first().copied());
        let configured = self
            .settings
            .clock
            .as_ref()
            .map(|host| self.names.look_up(now, host));
        match (configured, option) {
            (Some(Answer::Address(server)), _) | (None, Some(server)) => {
                let (to, bytes) = self.clock.ask(now, server);
                self.send(clock::PORT, to, bytes);
            }
            _ => self.clock.next = now + NTP.0,
        }
    }
}
