//! Plays an announcement or a tone as an RTP stream: packets of 20 ms at their due times, sequence numbers and
//! timestamps without a gap (RFC 3550 §5.1).

use crate::g711::{Law, ulaw_decode};
use crate::prompt::Prompt;
use crate::rtp::{Error, Repr};
use crate::tone::{Generator, Tone};

/// Packet time in milliseconds.
pub const PTIME_MS: u64 = 20;
/// Samples, and G.711 octets, in a packet.
pub const FRAME: usize = 160;
/// Octets of a whole packet: the least a caller's buffer must hold.
pub const PACKET_LEN: usize = crate::rtp::HEADER_LEN + FRAME;
/// Silence between two repetitions, in samples.
const GAP: usize = 8_000;
/// A caller later than this does not get the missed packets in a burst: the stream pauses instead.
const LATE_MS: u64 = 100;

/// Where a stream starts. Random values (RFC 3550 §5.1), or those with which the last player ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Synchronisation source.
    pub ssrc: u32,
    /// First sequence number.
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
}

/// What [`Player::next`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A packet of this many octets is in the buffer.
    Packet(usize),
    /// Nothing is due before this time, in milliseconds.
    Wait(u64),
    /// All was played. Every later answer is the same.
    End,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Prompt {
        audio: &'static [u8],
        position: usize,
        repeats_left: u8,
    },
    Tone {
        generator: Generator,
        frames_left: u32,
    },
}

/// One announcement or tone on its way to one listener.
#[derive(Clone, Copy, Debug)]
pub struct Player {
    source: Source,
    law: Law,
    stream: Start,
    due: u64,
    marker: bool,
}

impl Player {
    /// Plays `prompt` `times` times (0 counts as once), one second apart, the first packet due at `now`.
    pub fn prompt(prompt: Prompt, times: u8, law: Law, start: Start, now: u64) -> Self {
        let source = Source::Prompt {
            audio: prompt.ulaw(),
            position: 0,
            repeats_left: times.saturating_sub(1),
        };
        Player {
            source,
            law,
            stream: start,
            due: now,
            marker: true,
        }
    }

    /// Plays `tone` for `duration_ms` (`None`: until dropped), the first packet due at `now`.
    pub fn tone(tone: Tone, duration_ms: Option<u32>, law: Law, start: Start, now: u64) -> Self {
        let frames_left = duration_ms.map_or(u32::MAX, |ms| ms.div_ceil(PTIME_MS as u32));
        let source = Source::Tone {
            generator: Generator::new(tone),
            frames_left,
        };
        Player {
            source,
            law,
            stream: start,
            due: now,
            marker: true,
        }
    }

    /// Time at which [`Self::next`] has work; `None` after the end.
    pub fn next_deadline(&self) -> Option<u64> {
        (!self.ended()).then_some(self.due)
    }

    /// Source, sequence number and timestamp for the packet after the last one made.
    pub fn stream(&self) -> Start {
        self.stream
    }

    /// Writes the packet that is due at `now`. `buf` shorter than [`PACKET_LEN`] is an error and loses nothing.
    pub fn next(&mut self, now: u64, buf: &mut [u8]) -> Result<Step, Error> {
        if self.ended() {
            return Ok(Step::End);
        }
        if now < self.due {
            return Ok(Step::Wait(self.due));
        }
        if buf.len() < PACKET_LEN {
            return Err(Error::Unwritable);
        }
        let late = now - self.due;
        if late > LATE_MS {
            // The sampling clock went on while the caller did not come: a new talk spurt.
            let missed = late / PTIME_MS;
            self.due += missed * PTIME_MS;
            self.stream.timestamp = self
                .stream
                .timestamp
                .wrapping_add((missed as u32).wrapping_mul(FRAME as u32));
            self.marker = true;
        }
        let repr = Repr {
            marker: core::mem::take(&mut self.marker),
            payload_type: self.law.payload_type(),
            sequence: self.stream.sequence,
            timestamp: self.stream.timestamp,
            ssrc: self.stream.ssrc,
        };
        let payload = repr.emit(buf)?.get_mut(..FRAME).ok_or(Error::Unwritable)?;
        match &mut self.source {
            Source::Prompt {
                audio,
                position,
                repeats_left,
            } => {
                for code in payload {
                    *code = transcode(audio.get(*position).copied(), self.law);
                    *position += 1;
                    if *repeats_left > 0 && *position == audio.len() + GAP {
                        *repeats_left -= 1;
                        *position = 0;
                    }
                }
            }
            Source::Tone {
                generator,
                frames_left,
            } => {
                payload.fill_with(|| self.law.encode(generator.next_sample()));
                if *frames_left != u32::MAX {
                    *frames_left -= 1;
                }
            }
        }
        self.stream.sequence = self.stream.sequence.wrapping_add(1);
        self.stream.timestamp = self.stream.timestamp.wrapping_add(FRAME as u32);
        self.due += PTIME_MS;
        Ok(Step::Packet(PACKET_LEN))
    }

    fn ended(&self) -> bool {
        match self.source {
            Source::Prompt {
                audio,
                position,
                repeats_left,
            } => repeats_left == 0 && position >= audio.len(),
            Source::Tone { frames_left, .. } => frames_left == 0,
        }
    }
}

fn transcode(ulaw: Option<u8>, law: Law) -> u8 {
    match (ulaw, law) {
        (None, law) => law.silence(),
        (Some(code), Law::Pcmu) => code,
        (Some(code), Law::Pcma) => law.encode(ulaw_decode(code)),
    }
}
