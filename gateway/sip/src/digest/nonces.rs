//! The server's side: challenges, and which of them were answered.

use super::{Algorithm, Credentials, Ha1, Protected, hexadecimal};
use crate::header::Name;
use crate::siphash::SipHash;
use crate::time::Instant;
use crate::write::Writer;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

/// The judgement on credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right, and never seen before.
    Accepted,
    /// Right, but this count of this nonce was used. Unless the request is a retransmission: challenge with `stale`.
    Replayed,
    /// The secret is right, the nonce is old or unknown: challenge with `stale`, nobody has to type a password.
    Stale,
    /// Wrong: unknown user, wrong password or another request's credentials.
    Refused {
        /// With a nonce given to this very address: nobody can make such a failure count against somebody else.
        challenged: bool,
    },
}

/// Which counts of one nonce were used. Hand in an array of [`Used::NONE`].
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// The nonce; 0: nothing here.
    serial: u32,
    /// Highest count.
    count: u32,
    /// Bit n: `count - n` was used. A datagram may be overtaken by 31 others.
    window: u32,
}

impl Used {
    /// An empty entry.
    pub const NONE: Self = Self {
        serial: 0,
        count: 0,
        window: 0,
    };
}

/// Issues nonces and knows which were used. A nonce is a token (serial, time, keyed MAC over both and the address it is sent
/// to), so that a challenge costs no memory; only a nonce that was used rightly takes an entry. When the room is full the oldest goes, and all nonces as old
/// become stale: none can be replayed.
#[derive(Debug)]
pub struct Nonces<S> {
    /// Ascending by serial; empty ones (serial 0) in front.
    used: S,
    secret: [u64; 2],
    lifetime: Duration,
    issued: u32,
    /// Nonces up to this one that have no entry are stale.
    forgotten: u32,
}

/// A nonce to be written into a challenge: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    serial: u32,
    second: u32,
    mac: u64,
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:08x}{:016x}", self.serial, self.second, self.mac)
    }
}

impl Nonce {
    pub(super) fn serial(&self) -> u32 {
        self.serial
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 32 {
            return None;
        }
        let word = |at: usize| hexadecimal(text.get(at..at + 8)?);
        Some(Self {
            serial: word(0)?,
            second: word(8)?,
            mac: u64::from(word(16)?) << 32 | u64::from(word(24)?),
        })
    }
}

impl<S: AsRef<[Used]> + AsMut<[Used]>> Nonces<S> {
    /// `used`: room for as many nonces as there are clients; `secret`: fresh randomness of this boot; `lifetime` of a
    /// nonce in whole seconds, longer than a registration or every refresh takes a challenge.
    pub fn new(mut used: S, secret: [u64; 2], lifetime: Duration) -> Self {
        used.as_mut().fill(Used::NONE);
        Self {
            used,
            secret,
            lifetime,
            issued: 0,
            forgotten: 0,
        }
    }

    /// A new nonce for the client at this address. From another one it is stale.
    pub fn issue(&mut self, now: Instant, to: IpAddr) -> Nonce {
        self.issued = self.issued.checked_add(1).unwrap_or_else(|| {
            // After 2^32 challenges the serials begin again, with another key and no memory of the old ones.
            self.secret[0] = SipHash::new(self.secret).byte(1).finish();
            self.used.as_mut().fill(Used::NONE);
            self.forgotten = 0;
            1
        });
        let (serial, second) = (self.issued, seconds(now));
        Nonce {
            serial,
            second,
            mac: self.mac(serial, second, to),
        }
    }

    /// Judges credentials that came from this address. `ha1` is `None` for an unknown user, which takes as long as a wrong
    /// password.
    pub fn verify(
        &mut self,
        now: Instant,
        from: IpAddr,
        credentials: &Credentials<'_>,
        request: Protected<'_>,
        ha1: Option<&Ha1>,
    ) -> Verdict {
        let nobody = Ha1 {
            md5: [0; 16],
            sha256: [0; 32],
        };
        let right = credentials.is_right(ha1.unwrap_or(&nobody), request.method, request.body);
        let nonce = Nonce::parse(credentials.nonce).filter(|n| n.mac == self.mac(n.serial, n.second, from));
        if !right || ha1.is_none() || !credentials.covers(request.uri) {
            return Verdict::Refused {
                challenged: nonce.is_some(),
            };
        }
        let age = |n: &Nonce| u64::from(seconds(now).wrapping_sub(n.second));
        match nonce.filter(|n| age(n) <= self.lifetime.as_secs()) {
            Some(nonce) => self.spend(nonce.serial, credentials.count),
            None => Verdict::Stale,
        }
    }

    /// Whether these credentials, right or wrong, answer a challenge that this address was given and that is not too old:
    /// what is sent to the address arrives there.
    pub fn is_ours(&self, now: Instant, from: IpAddr, credentials: &Credentials<'_>) -> bool {
        let age = |n: &Nonce| u64::from(seconds(now).wrapping_sub(n.second));
        Nonce::parse(credentials.nonce).is_some_and(|n| {
            n.mac == self.mac(n.serial, n.second, from) && age(&n) <= self.lifetime.as_secs()
        })
    }

    fn spend(&mut self, serial: u32, count: u32) -> Verdict {
        let used = self.used.as_mut();
        match used.binary_search_by_key(&serial, |u| u.serial) {
            Ok(at) => match used.get_mut(at) {
                Some(entry) => entry.spend(count),
                None => Verdict::Stale,
            },
            Err(_) if serial <= self.forgotten => Verdict::Stale,
            // The first entry gives way: an empty one, or the oldest, be it this one itself.
            Err(at) => {
                let oldest = used.first().map_or(serial, |u| u.serial);
                self.forgotten = self.forgotten.max(oldest);
                let Some(last) = at.checked_sub(1) else {
                    return Verdict::Stale;
                };
                if let Some(front) = used.get_mut(..at) {
                    front.rotate_left(1);
                }
                if let Some(entry) = used.get_mut(last) {
                    *entry = Used {
                        serial,
                        count,
                        window: 1,
                    };
                }
                Verdict::Accepted
            }
        }
    }

    fn mac(&self, serial: u32, second: u32, address: IpAddr) -> u64 {
        let address = match address {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        SipHash::new(self.secret)
            .byte(0)
            .word(u64::from(serial) << 32 | u64::from(second))
            .bytes(&address.octets())
            .finish()
    }
}

impl Used {
    fn spend(&mut self, count: u32) -> Verdict {
        if count > self.count {
            self.window = self.window.checked_shl(count - self.count).unwrap_or(0) | 1;
            self.count = count;
            return Verdict::Accepted;
        }
        // Too long ago to know counts as used.
        let bit = 1u32.checked_shl(self.count - count).unwrap_or(0);
        if bit == 0 || self.window & bit != 0 {
            return Verdict::Replayed;
        }
        self.window |= bit;
        Verdict::Accepted
    }
}

/// Writes two challenges, SHA-256 first (RFC 8760 §2.3), as `WWW-Authenticate` or `Proxy-Authenticate`. The realm must be
/// able to stand in a quoted string.
///
/// Not every client can read past a challenge it does not know: libre before 3.12 (baresip before 3.11), pjsip before 2.11
/// and SIPp fail at the first line. For those there is [`write_challenge`].
pub fn write_challenges(w: &mut Writer<'_>, name: Name, realm: &str, nonce: Nonce, stale: bool) {
    write_challenge(w, name, realm, nonce, stale, Algorithm::Sha256);
    write_challenge(w, name, realm, nonce, stale, Algorithm::Md5);
}

/// Writes one challenge.
pub fn write_challenge(
    w: &mut Writer<'_>,
    name: Name,
    realm: &str,
    nonce: Nonce,
    stale: bool,
    algorithm: Algorithm,
) {
    let stale = if stale { ", stale=true" } else { "" };
    let algorithm = algorithm.as_str();
    w.header(
        name,
        format_args!(
            "Digest realm=\"{realm}\", nonce=\"{nonce}\"{stale}, algorithm={algorithm}, qop=\"auth\""
        ),
    );
}

/// Whole seconds since boot; what is beyond 2^32 does not matter for an age.
fn seconds(now: Instant) -> u32 {
    (now.as_millis() / 1000) as u32
}
