//! Phones that are nobody's: they wait until they are claimed.

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU8;
use core::time::Duration;

use heapless::Vec;
use shared::hub::{Mac, PhoneModel};
use shared::sync::{MAX_WAITING, Waiting};
use sip::Instant;

use super::file::ASKS_EVERY;
use crate::fnv::fnv;

/// One that is claimed has so long to fetch before it is told again, and how often it is told.
const AGAIN: Duration = Duration::from_secs(20);
const TIMES: u8 = 3;
/// One that has missed its last two turns to ask is gone.
const FORGOTTEN: Duration = Duration::from_secs(ASKS_EVERY as u64 * 60 * 5 / 2);

struct Stranger {
    mac: Mac,
    model: Option<PhoneModel>,
    port: Option<NonZeroU8>,
    ip: Ipv4Addr,
    /// How often it was told that it is claimed.
    told: u8,
    /// When it asked last, or was told.
    heard: Instant,
}

impl Stranger {
    fn next(&self) -> Instant {
        self.heard + if self.told > 0 { AGAIN } else { FORGOTTEN }
    }
}

/// What is next for one that is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is told to fetch: it is there.
    Tell(Ipv4Addr),
    /// It does not listen, as it has no account, or nothing comes to it: the power of its port is switched off and on.
    Cycle(NonZeroU8),
}

/// Those that wait.
pub struct Strangers {
    listed: Vec<Stranger, MAX_WAITING>,
    /// Those for whom there is no room: a bit each, by its address, so that now and then two are one. Of this while of [`FORGOTTEN`], and
    /// of the one before.
    unlisted: [u64; 2],
    /// End of this while.
    until: Instant,
}

fn bit(mac: Mac) -> u64 {
    1 << (fnv(&mac.0) % u64::BITS)
}

impl Strangers {
    /// Nobody.
    pub const fn new() -> Self {
        Self {
            listed: Vec::new(),
            unlisted: [0; 2],
            until: Instant::ZERO,
        }
    }

    /// Those that are listed, in the order they were first seen, and how many more there are.
    pub fn waiting(&self) -> (impl Iterator<Item = Waiting> + '_, u16) {
        let unclaimed = self.listed.iter().filter(|stranger| stranger.told == 0);
        let listed = unclaimed.map(|stranger| Waiting {
            mac: stranger.mac,
            model: stranger.model,
            port: stranger.port.map(NonZeroU8::get),
        });
        let [this, before] = self.unlisted;
        (listed, (this | before).count_ones() as u16)
    }

    /// One has asked.
    pub fn heard(
        &mut self,
        now: Instant,
        mac: Mac,
        model: Option<PhoneModel>,
        port: Option<NonZeroU8>,
        ip: IpAddr,
    ) {
        // Files are given over IPv4 alone.
        let IpAddr::V4(ip) = ip else { return };
        let known = self.listed.iter_mut().find(|known| known.mac == mac);
        let stranger = Stranger {
            mac,
            model: model.or(known.as_ref().and_then(|known| known.model)),
            port,
            ip,
            told: 0,
            heard: now,
        };
        if let Some(known) = known {
            *known = stranger;
        } else if self.listed.push(stranger).is_ok() {
            self.unlisted = self.unlisted.map(|bits| bits & !bit(mac));
        } else {
            if self.unlisted == [0; 2] {
                self.until = now + FORGOTTEN;
            }
            let [this, _] = &mut self.unlisted;
            *this |= bit(mac);
        }
    }

    /// What is to be done now for one that is claimed. It stays until it was told as often as it is worth, or has fetched.
    pub fn next_claimed(&mut self, now: Instant, is_claimed: impl Fn(Mac) -> bool) -> Option<Turn> {
        loop {
            let is_due = |stranger: &Stranger| match is_claimed(stranger.mac) {
                true => stranger.told == 0 || now >= stranger.next(),
                false => stranger.told > 0,
            };
            let at = self.listed.iter().position(is_due)?;
            let stranger = self.listed.get_mut(at)?;
            if !is_claimed(stranger.mac) {
                stranger.told = 0;
            } else if stranger.told < TIMES {
                (stranger.told, stranger.heard) = (stranger.told + 1, now);
                return Some(Turn::Tell(stranger.ip));
            } else if let Some(port) = self.listed.remove(at).port {
                return Some(Turn::Cycle(port));
            }
        }
    }

    /// One that is claimed has its file, or was refused it.
    pub fn came(&mut self, mac: Mac) {
        self.listed.retain(|stranger| stranger.mac != mac);
    }

    /// Forgets those that are gone. Whether there were any.
    pub fn forget(&mut self, now: Instant) -> bool {
        let (listed, unlisted) = (self.listed.len(), self.unlisted);
        self.listed
            .retain(|stranger| stranger.told > 0 || now < stranger.next());
        if now >= self.until {
            let [this, _] = unlisted;
            self.unlisted = [0, this];
            self.until = now + FORGOTTEN;
        }
        self.listed.len() != listed || self.unlisted != unlisted
    }

    /// When [`Strangers::forget`] or [`Strangers::next_claimed`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let listed = self.listed.iter().map(Stranger::next);
        let unlisted = (self.unlisted != [0; 2]).then_some(self.until);
        listed.chain(unlisted).min()
    }
}
