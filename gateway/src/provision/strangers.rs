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

/// One that has missed its last two turns to ask is gone.
const FORGOTTEN: Duration = Duration::from_secs(ASKS_EVERY as u64 * 60 * 5 / 2);

struct Stranger {
    mac: Mac,
    model: Option<PhoneModel>,
    port: Option<NonZeroU8>,
    ip: Ipv4Addr,
    /// When it asked last.
    heard: Instant,
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
        let listed = self.listed.iter().map(|stranger| Waiting {
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

    /// One that is claimed by now: where it is. It waits no longer.
    pub fn next_claimed(&mut self, is_claimed: impl Fn(Mac) -> bool) -> Option<Ipv4Addr> {
        let at = self.listed.iter().position(|stranger| is_claimed(stranger.mac))?;
        Some(self.listed.remove(at).ip)
    }

    /// Forgets those that are gone. Whether there were any.
    pub fn forget(&mut self, now: Instant) -> bool {
        let (listed, unlisted) = (self.listed.len(), self.unlisted);
        self.listed.retain(|stranger| now < stranger.heard + FORGOTTEN);
        if now >= self.until {
            let [this, _] = unlisted;
            self.unlisted = [0, this];
            self.until = now + FORGOTTEN;
        }
        self.listed.len() != listed || self.unlisted != unlisted
    }

    /// When [`Strangers::forget`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let listed = self.listed.iter().map(|stranger| stranger.heard + FORGOTTEN);
        let unlisted = (self.unlisted != [0; 2]).then_some(self.until);
        listed.chain(unlisted).min()
    }
}
