//! What time it is, and how well that is known.

use core::net::Ipv4Addr;
use core::time::Duration;

use sip::Instant;
use sip::pool::Room;

/// How far the box's own clock may be off while nobody corrects it: a usual crystal with age and temperature, 50 ppm.
pub const DRIFT_PPM: u64 = 50;
/// For how long a word about the time is fresh: three questions to a time server, or three greetings of the cloud, go astray.
pub const FRESH: Duration = Duration::from_secs(3_600);

/// Who said what time it is; the better ones last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The cloud, in an acknowledgement: half a second more or less.
    Cloud,
    /// A time server.
    Server {
        /// Its address.
        address: Ipv4Addr,
        /// Its stratum, 1 to 15.
        stratum: u8,
    },
    /// The machine that the box runs on.
    Host,
}

/// How well the time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// Not at all.
    None,
    /// It was, and nobody has said so for an hour.
    HeldOver,
    /// Somebody said so within the hour.
    Synchronised,
}

/// The last word about the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Who gave it.
    pub source: Source,
    /// When.
    pub at: Instant,
    /// What time it was, milliseconds since 1970 (UTC).
    pub unix_ms: u64,
    /// How far off it may have been, ms.
    pub error_ms: u32,
}

/// The wall clock. It goes on by the monotonic one.
#[derive(Clone, Debug)]
pub struct Clock {
    word: Room<Word>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Nobody has said anything.
    pub const fn new() -> Self {
        Self { word: Room::Empty }
    }

    /// Somebody says what time it is. A better source that is fresh is not overruled.
    pub fn tell(&mut self, word: Word) {
        let better = |last: &Word| last.source > word.source && word.at - last.at < FRESH;
        let same_kind =
            |last: &Word| core::mem::discriminant(&last.source) == core::mem::discriminant(&word.source);
        if self.word().is_none_or(|last| !better(last) || same_kind(last)) {
            self.word = Room::Taken(word);
        }
    }

    /// The last word.
    pub fn word(&self) -> Option<&Word> {
        self.word.as_ref()
    }

    /// Milliseconds since 1970 (UTC).
    pub fn unix_ms(&self, now: Instant) -> Option<u64> {
        let word = self.word()?;
        Some(word.unix_ms.saturating_add((now - word.at).as_millis() as u64))
    }

    /// How well it is known.
    pub fn quality(&self, now: Instant) -> Quality {
        match self.word() {
            None => Quality::None,
            Some(word) if now - word.at < FRESH => Quality::Synchronised,
            Some(_) => Quality::HeldOver,
        }
    }

    /// How far off it may be by now, ms (RFC 5905 §11.2: the dispersion of the root).
    pub fn error_ms(&self, now: Instant) -> u64 {
        let Some(word) = self.word() else { return 0 };
        let age = (now - word.at).as_millis() as u64;
        u64::from(word.error_ms) + age.saturating_mul(DRIFT_PPM).div_ceil(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Source = Source::Server {
        address: Ipv4Addr::new(192, 168, 1, 1),
        stratum: 2,
    };

    fn word(source: Source, at: u64, unix_ms: u64) -> Word {
        Word {
            source,
            at: Instant(at),
            unix_ms,
            error_ms: 5,
        }
    }

    #[test]
    fn it_goes_on_by_itself_and_says_how_well() {
        let mut clock = Clock::new();
        assert_eq!(
            (clock.unix_ms(Instant(7)), clock.quality(Instant(7))),
            (None, Quality::None)
        );
        clock.tell(word(SERVER, 1_000, 1_700_000_000_000));
        let hour = FRESH.as_millis() as u64;
        for (at, unix, quality, error) in [
            (1_000, 1_700_000_000_000, Quality::Synchronised, 5),
            (1_001, 1_700_000_000_001, Quality::Synchronised, 6),
            (
                1_000 + hour - 1,
                1_700_003_599_999,
                Quality::Synchronised,
                5 + 180,
            ),
            (1_000 + hour, 1_700_003_600_000, Quality::HeldOver, 5 + 180),
            // A weekend: 50 ppm are 13 s.
            (
                1_000 + 72 * hour,
                1_700_259_200_000,
                Quality::HeldOver,
                5 + 12_960,
            ),
        ] {
            let at = Instant(at);
            assert_eq!(
                (clock.unix_ms(at), clock.quality(at), clock.error_ms(at)),
                (Some(unix), quality, error),
                "{at:?}"
            );
        }
    }

    #[test]
    fn a_fresh_better_word_stays() {
        let mut clock = Clock::new();
        clock.tell(word(Source::Cloud, 0, 100));
        clock.tell(word(SERVER, 10, 200));
        clock.tell(word(Source::Cloud, 20, 5_000));
        assert_eq!(clock.unix_ms(Instant(20)), Some(210));
        // Another server of worse stratum is still a server.
        let other = Source::Server {
            address: Ipv4Addr::new(10, 0, 0, 1),
            stratum: 1,
        };
        clock.tell(word(other, 30, 300));
        assert_eq!(clock.unix_ms(Instant(30)), Some(300));
        // Once the servers are silent for an hour the cloud is asked to say.
        let late = 30 + FRESH.as_millis() as u64;
        clock.tell(word(Source::Cloud, late, 9_000));
        assert_eq!(clock.unix_ms(Instant(late)), Some(9_000));
    }
}
