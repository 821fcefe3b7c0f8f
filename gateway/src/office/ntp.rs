//! Time for the phones, and from the office's time servers (RFC 5905 §14, RFC 4330): 48 bytes each way.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use sip::Instant;

use super::Secret;
use super::clock::{Clock, Source, Word};

/// Port of time servers.
pub const PORT: u16 = 123;
/// Bytes of a message without extensions.
pub const MESSAGE: usize = 48;

/// From 1900 to 1970, s.
const EPOCH: u64 = 2_208_988_800;
/// 2020: no time before is believed, and the 32 bits of seconds that began in 1900 end in 2036 (RFC 4330 §3).
const PIVOT: u64 = 1_577_836_800;
/// The box tells milliseconds: 2^-10 s.
const PRECISION: i8 = -10;
/// Between two questions while the time is known.
const ASK_EVERY: Duration = Duration::from_secs(1_024);
/// The first wait while it is not; doubled with every question.
const FIRST_WAIT: Duration = Duration::from_secs(8);
/// For how long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
/// How far a server may be off what the cloud says, ms: routers answer before they know the time themselves.
const BELIEVED_MS: u64 = 10_000;

const CLIENT: u8 = 3;
const SERVER: u8 = 4;
const SYMMETRIC: (u8, u8) = (1, 2);
const UNKNOWN: u8 = 3;

/// What the box is to others: the answer to a request, or nothing (RFC 5905 §14).
pub fn answer(now: Instant, clock: &Clock, request: &[u8]) -> Option<[u8; MESSAGE]> {
    let (first, poll) = (*request.first()?, *request.get(2)?);
    let version = first >> 3 & 7;
    let mode = match first & 7 {
        CLIENT => SERVER,
        mode if mode == SYMMETRIC.0 => SYMMETRIC.1,
        _ => return None,
    };
    if !(1..=4).contains(&version) || request.len() < MESSAGE {
        return None;
    }
    let mut message = [0; MESSAGE];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(room) = message.get_mut(at..at + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    };
    let (leap, stratum, reference, id, error) = match (clock.word(), clock.unix_ms(now)) {
        (Some(word), Some(_)) => {
            let (stratum, id) = match word.source {
                Source::Server { address, stratum } => (stratum, address.octets()),
                // Neither the cloud nor the machine says whom it has the time from.
                Source::Cloud | Source::Host => (3, Ipv4Addr::LOCALHOST.octets()),
            };
            let error = clock.error_ms(now);
            (0, (stratum + 1).min(15), timestamp(word.unix_ms), id, error)
        }
        // RFC 5905 §7.4: the association has not yet synchronised for the first time.
        _ => (UNKNOWN, 0, 0, *b"INIT", 0),
    };
    put(
        0,
        &[leap << 6 | version << 3 | mode, stratum, poll, PRECISION as u8],
    );
    put(8, &short(error).to_be_bytes());
    put(12, &id);
    put(16, &reference.to_be_bytes());
    put(24, request.get(40..48)?);
    if let Some(unix_ms) = clock.unix_ms(now) {
        let now = timestamp(unix_ms).to_be_bytes();
        put(32, &now);
        put(40, &now);
    }
    Some(message)
}

/// Asks the office's time servers.
#[derive(Clone, Debug)]
pub struct Client {
    /// When, of whom, and what nobody else knows of the question.
    asked: Option<(Instant, Ipv4Addr, u64)>,
    next: Instant,
    tries: u8,
}

impl Client {
    /// Nobody asked.
    pub const fn new() -> Self {
        Self {
            asked: None,
            next: Instant::ZERO,
            tries: 0,
        }
    }

    /// The network changed: the servers are asked at once.
    pub fn restart(&mut self, now: Instant) {
        *self = Self {
            next: now,
            ..Self::new()
        };
    }

    /// When a question is due, if there is anybody to ask.
    pub fn next_deadline(&self, servers: &[Ipv4Addr]) -> Instant {
        if servers.is_empty() {
            Instant::NEVER
        } else {
            self.next
        }
    }

    /// The next question, and for whom.
    pub fn poll(
        &mut self,
        now: Instant,
        secret: &mut Secret,
        servers: &[Ipv4Addr],
    ) -> Option<(SocketAddrV4, [u8; MESSAGE])> {
        if self.next > now {
            return None;
        }
        let at = usize::from(self.tries).checked_rem(servers.len())?;
        let server = *servers.get(at)?;
        self.next = now + (FIRST_WAIT * (1 << self.tries.min(7))).min(ASK_EVERY);
        self.tries = self.tries.saturating_add(1);
        let random = *secret.draw().first_chunk()?;
        self.asked = Some((now, server, u64::from_be_bytes(random)));
        let mut message = [0; MESSAGE];
        if let Some(first) = message.first_mut() {
            *first = 4 << 3 | CLIENT;
        }
        // In the place of our own time, which concerns nobody: the server gives it back.
        if let Some(room) = message.get_mut(40..) {
            room.copy_from_slice(&random);
        }
        Some((SocketAddrV4::new(server, PORT), message))
    }

    /// A message of a server: what time it is, if that is believed (RFC 4330 §5).
    pub fn answer(
        &mut self,
        now: Instant,
        clock: &Clock,
        from: SocketAddrV4,
        message: &[u8],
    ) -> Option<Word> {
        let (sent, server, random) = self.asked?;
        let number = |at: usize| {
            message
                .get(at..)?
                .first_chunk()
                .map(|bytes| u64::from_be_bytes(*bytes))
        };
        if from != SocketAddrV4::new(server, PORT) || number(24)? != random || now - sent > PATIENCE {
            return None;
        }
        self.asked = None;
        let (first, stratum) = (*message.first()?, *message.get(1)?);
        let received = unix_ms(number(32)?);
        let (Some(transmitted), true) = (
            unix_ms(number(40)?),
            first & 7 == SERVER && first >> 6 != UNKNOWN && (1..=15).contains(&stratum),
        ) else {
            // It does not know, or wants to be asked less (RFC 4330 §8).
            return None;
        };
        let spent = transmitted.saturating_sub(received.unwrap_or(transmitted));
        let way = ((now - sent).as_millis() as u64).saturating_sub(spent);
        let unix_ms = transmitted + way / 2;
        let known = clock.word().filter(|word| word.source == Source::Cloud);
        if let Some(known) = known
            && let Some(expected) = clock.unix_ms(now)
            && now - known.at < super::clock::FRESH
            && expected.abs_diff(unix_ms) > BELIEVED_MS
        {
            return None;
        }
        // Half of the ways to the root and back, what each may be off, and the box's own millisecond.
        let root = number(4)?;
        let milliseconds = |short: u64| (short * 1_000).div_ceil(1 << 16);
        let error = milliseconds(root >> 32) / 2 + milliseconds(root & 0xFFFF_FFFF) + way / 2 + 1;
        self.next = now + ASK_EVERY;
        // The one that answered is asked again.
        self.tries = self.tries.saturating_sub(1);
        Some(Word {
            source: Source::Server {
                address: server,
                stratum,
            },
            at: now,
            unix_ms,
            error_ms: u32::try_from(error).unwrap_or(u32::MAX),
        })
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// Milliseconds since 1970 as a timestamp of NTP (RFC 5905 §6): seconds since 1900 or 2036, and 2^-32 s.
fn timestamp(unix_ms: u64) -> u64 {
    let seconds = (unix_ms / 1_000).wrapping_add(EPOCH) & 0xFFFF_FFFF;
    (seconds << 32) | (((unix_ms % 1_000) << 32) / 1_000)
}

/// The time of a timestamp that is not 0, from 2020 to 2156.
fn unix_ms(timestamp: u64) -> Option<u64> {
    let seconds = (timestamp >> 32).wrapping_sub(EPOCH) & 0xFFFF_FFFF;
    let era = if seconds < PIVOT { 1 << 32 } else { 0 };
    let fraction = ((timestamp & 0xFFFF_FFFF) * 1_000) >> 32;
    (timestamp != 0).then_some((seconds + era) * 1_000 + fraction)
}

/// Milliseconds as 16 bits of seconds and 16 of their parts (RFC 5905 §6).
fn short(ms: u64) -> u32 {
    u32::try_from((ms << 16).div_ceil(1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
