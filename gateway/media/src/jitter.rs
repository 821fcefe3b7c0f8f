//! The jitter buffer of one stream: packets in as they come, blocks of 5 ms out in time.
//!
//! Octets lie in a ring by their timestamps, so that order and doubles do not matter. The delay of a packet is how long its first
//! sample waits here. For speech it is as short as the packets' own lateness lets it be; for modems it stays where it was when
//! they were heard. In both it is led there by reading a little faster or slower ([`Buffer::rate`]), which is the same thing as
//! following the sender's clock: nothing is ever cut out or put in, but where a packet comes too late for its place.

use crate::BLOCK;
use crate::rtp::Repr;

/// Octets that are kept: 160 ms. The longest delay is 100 ms, before which the longest packet may lie, or a burst of shorter ones.
pub const CAPACITY: usize = 1_280;
/// Octets of the longest packet: 60 ms.
pub const LONGEST: usize = 480;
/// The shortest and the longest delay of speech in samples: 20 and 80 ms.
const SPEECH: (f32, f32) = (160.0, 640.0);
/// Delay of a stream whose lateness is not known yet: 40 ms. One that is never late is read up to 0.5 % faster for some six seconds
/// after that, until it has the shortest.
const FIRST: f32 = 320.0;
/// The shortest and the longest delay of modems: 70 and 100 ms. A clock that is 100 ppm off takes some 8 ms of it.
const MODEM: (f32, f32) = (560.0, 800.0);
/// By how much a delay grows for modems at once: what a gap of theirs is filled with fits together again.
const MODEM_GROWS: u32 = 160;
/// Samples before its time at which the latest packet should come: a block, as the clock here is blocks.
const MARGIN: f32 = 40.0;
/// The delay changes at once by whole blocks only, so that packets and blocks begin together.
const STEP: u32 = BLOCK as u32;
/// Packets in a row that come too late before everything begins anew.
const LATE: u8 = 5;
/// A packet so much too late is of another time: 1 s.
const ANCIENT: i32 = -8_000;

/// What there is to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// These octets.
    Audio([u8; BLOCK]),
    /// Something that has not come.
    Missing,
    /// The far end said that it is silent (RFC 3389), or was never heard.
    Silence,
}

/// What became of the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Came too late to be played.
    pub late: u32,
    /// Came twice.
    pub doubles: u32,
    /// Did not fit: far ahead, or far behind.
    pub far: u32,
    /// The source changed or began anew.
    pub restarts: u32,
    /// Blocks that were missing when they were to be played.
    pub missing: u32,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    /// Delay of the packets in samples: their mean, and that of the latest of them.
    mean: f32,
    latest: f32,
    /// Packets in a row that came too late.
    late: u8,
    /// From here on the far end is silent.
    silent_from: Option<u32>,
}

/// The jitter buffer of one stream of G.711.
#[derive(Clone, Debug)]
pub struct Buffer {
    octets: [u8; CAPACITY],
    /// A bit for each of them: is it there?
    there: [u32; CAPACITY.div_ceil(32)],
    /// Where in the ring the next sample is, and its timestamp.
    head: usize,
    position: u32,
    /// The timestamp after the newest octet.
    end: u32,
    source: Option<Source>,
    /// The SSRC of the last packet that did not fit: a second one is believed.
    stranger: Option<u32>,
    /// The delay for modems; `None`: speech.
    fixed: Option<f32>,
    counters: Counters,
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffer {
    /// An empty one, for speech.
    pub const fn new() -> Self {
        Buffer {
            octets: [0; CAPACITY],
            there: [0; CAPACITY.div_ceil(32)],
            head: 0,
            position: 0,
            end: 0,
            source: None,
            stranger: None,
            fixed: None,
            counters: Counters {
                late: 0,
                doubles: 0,
                far: 0,
                restarts: 0,
                missing: 0,
            },
        }
    }

    /// Takes the octets of a packet, one for each sample. A source is changed by two packets of another in a row.
    pub fn receive(&mut self, header: &Repr, octets: &[u8]) {
        let Some(offset) = self.place(header, octets.len()) else {
            return;
        };
        let newest = offset >= (self.end.wrapping_sub(self.position) as i32).min(0);
        let mut offset = offset;
        if offset < 0 && newest && self.fixed.is_none() {
            // Nothing else is there: the delay is too short, and the gap that it has made is the time to grow.
            let room = (SPEECH.1 - self.delay()).max(0.0) as u32 / STEP;
            let grows = STEP * offset.unsigned_abs().div_ceil(STEP).min(room);
            self.step_back(grows);
            offset += grows as i32;
        }
        let late = offset + octets.len() as i32 <= 0;
        self.counters.late += u32::from(late);
        if let Some(source) = &mut self.source {
            source.late = if late { source.late + 1 } else { 0 };
            if source.late == LATE {
                // The way has become longer than can be waited for.
                offset = self.begin(header);
            }
        }
        if let Some(source) = &mut self.source {
            if source.late == 0 {
                // Of the last second or two.
                source.mean += (offset as f32 - source.mean) / 64.0;
            }
            let later = offset as f32 - source.latest;
            // Forgotten in some five seconds, and no worse than can be helped.
            source.latest += if later < 0.0 { later } else { later / 256.0 };
            source.latest = source.latest.max(-SPEECH.1);
        }
        if self.put(header.timestamp, octets) == 0 && offset >= 0 && !octets.is_empty() {
            self.counters.doubles += 1;
        }
    }

    /// Takes octets that come again with a later packet of the same source (RFC 2198).
    pub fn recover(&mut self, ssrc: u32, timestamp: u32, octets: &[u8]) {
        if self.source.is_some_and(|source| source.ssrc == ssrc) {
            self.put(timestamp, octets);
        }
    }

    /// The far end is silent from here on (RFC 3389), until it is heard again.
    pub fn silent(&mut self, header: &Repr) {
        if self.place(header, 0).is_some()
            && let Some(source) = &mut self.source
        {
            source.silent_from = Some(header.timestamp);
        }
    }

    /// The next 5 ms.
    pub fn block(&mut self) -> Block {
        let Some(source) = &mut self.source else {
            return Block::Silence;
        };
        let silent = source
            .silent_from
            .is_some_and(|from| self.position.wrapping_sub(from) as i32 > -(BLOCK as i32));
        let mut block = [0; BLOCK];
        let mut all = true;
        for octet in &mut block {
            let (index, bit) = (self.head / 32, 1 << (self.head % 32));
            if let (Some(there), Some(kept)) = (self.there.get_mut(index), self.octets.get(self.head)) {
                all &= *there & bit != 0;
                *there &= !bit;
                *octet = *kept;
            }
            self.head = (self.head + 1) % CAPACITY;
        }
        self.position = self.position.wrapping_add(BLOCK as u32);
        match (all, silent) {
            (true, _) => {
                if silent {
                    source.silent_from = None;
                }
                Block::Audio(block)
            }
            (false, true) => Block::Silence,
            (false, false) => {
                self.counters.missing += 1;
                Block::Missing
            }
        }
    }

    /// By how much faster than one sample a sample this is to be read, so that the delay becomes what it should be and the
    /// sender's clock is followed: up to ±0.5 % for speech, ±200 ppm for modems.
    pub fn rate(&self) -> f32 {
        let Some(source) = &self.source else { return 0.0 };
        match self.fixed {
            // A modem's samples are left as they are for as long as can be. A clock that is 100 ppm off is followed 65 samples beside
            // the delay.
            Some(fixed) => {
                let over = source.mean - fixed;
                ((over - over.clamp(-MARGIN, MARGIN)) * 4e-6).clamp(-2e-4, 2e-4)
            }
            None => {
                let wanted = (source.mean - source.latest + MARGIN).clamp(SPEECH.0, SPEECH.1);
                let over = source.mean - wanted;
                if over.abs() < MARGIN {
                    0.0
                } else {
                    (over * 3e-5).clamp(-0.005, 0.005)
                }
            }
        }
    }

    /// From now on a modem's signal: the delay becomes 60 to 100 ms at once and stays.
    pub fn fix(&mut self) {
        if self.fixed.is_some() {
            return;
        }
        let mut delay = self.delay();
        while self.source.is_some() && delay < MODEM.0 {
            self.step_back(MODEM_GROWS);
            delay += MODEM_GROWS as f32;
        }
        self.fixed = Some(delay.clamp(MODEM.0, MODEM.1));
    }

    /// Mean delay of the packets, in samples; that of the next stream if none has come.
    pub fn delay(&self) -> f32 {
        self.source
            .map_or(self.fixed.unwrap_or(FIRST), |source| source.mean)
    }

    /// What became of the packets so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Where a packet belongs, in samples from the next that is played. `None`: nowhere.
    fn place(&mut self, header: &Repr, length: usize) -> Option<i32> {
        let offset = header.timestamp.wrapping_sub(self.position) as i32;
        let fits = offset > ANCIENT && (offset.max(0) as usize).saturating_add(length) <= CAPACITY;
        match &self.source {
            Some(source) if source.ssrc == header.ssrc && fits => {
                self.stranger = None;
                Some(offset)
            }
            Some(_) if self.stranger.replace(header.ssrc) != Some(header.ssrc) => {
                self.counters.far += 1;
                None
            }
            None if length > LONGEST => None,
            _ => Some(self.begin(header)),
        }
    }

    /// Begins anew with this packet; where it belongs.
    fn begin(&mut self, header: &Repr) -> i32 {
        self.counters.restarts += u32::from(self.source.is_some());
        let delay = self.fixed.unwrap_or(FIRST);
        self.there = [0; CAPACITY.div_ceil(32)];
        self.position = header.timestamp.wrapping_sub(delay as u32);
        self.end = self.position;
        self.stranger = None;
        self.source = Some(Source {
            ssrc: header.ssrc,
            mean: delay,
            latest: delay,
            late: 0,
            silent_from: Some(self.position),
        });
        delay as i32
    }

    /// Everything is played so many samples later.
    fn step_back(&mut self, samples: u32) {
        let ahead = self.end.wrapping_sub(self.position) as i32;
        let samples = samples.min((CAPACITY as i32 - ahead.max(0)).max(0) as u32);
        self.position = self.position.wrapping_sub(samples);
        self.head = (self.head + CAPACITY - samples as usize) % CAPACITY;
        if let Some(source) = &mut self.source {
            source.mean += samples as f32;
            source.latest += samples as f32;
        }
    }

    /// Puts octets into their places; how many were not there yet.
    fn put(&mut self, timestamp: u32, octets: &[u8]) -> usize {
        let mut new = 0;
        for (n, octet) in octets.iter().enumerate() {
            let offset = timestamp.wrapping_add(n as u32).wrapping_sub(self.position) as usize;
            if offset >= CAPACITY {
                continue;
            }
            let place = (self.head + offset) % CAPACITY;
            let (index, bit) = (place / 32, 1 << (place % 32));
            if let (Some(there), Some(kept)) = (self.there.get_mut(index), self.octets.get_mut(place))
                && *there & bit == 0
            {
                *there |= bit;
                *kept = *octet;
                new += 1;
            }
        }
        let end = timestamp.wrapping_add(octets.len() as u32);
        let ahead = end.wrapping_sub(self.position) as usize;
        if end.wrapping_sub(self.end) as i32 > 0 && ahead <= CAPACITY {
            self.end = end;
        }
        new
    }
}
