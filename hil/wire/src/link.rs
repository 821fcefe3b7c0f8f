//! Messages over a serial line that may lose or change octets: each arrives once, in order, or not yet.
//!
//! A frame is postcard with a CRC-16 in COBS, ended by a zero. It carries at most one message and acknowledges the last
//! one of the other side; a message is sent again until it is acknowledged, and the next one waits for that. A frame that
//! is damaged is dropped. The board begins a session; the twin follows, so that a board that starts again is not mixed up
//! with its past.
//!
//! Both ends are without I/O: octets and the time go in, messages and frames come out.

use crc::{CRC_16_IBM_SDLC, Crc};
use heapless::Deque;
use postcard::ser_flavors::{Cobs, Slice, crc::CrcModifier};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The most octets of a frame on the line.
pub const FRAME: usize = 48;
/// Messages that wait.
pub const QUEUE: usize = 32;
/// A message without acknowledgement is sent again after so many milliseconds.
pub const RESEND_MS: u64 = 50;

static CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_SDLC);

#[derive(Serialize, Deserialize)]
struct Frame<T> {
    session: u16,
    /// Number of the message, or of the last one if there is none.
    number: u8,
    /// Number of the other side's message that has arrived.
    seen: u8,
    message: Option<T>,
}

/// One end of the line: it sends `S` and receives `R`.
pub struct Link<S, R> {
    session: Option<u16>,
    begins: bool,
    queue: Deque<S, QUEUE>,
    /// Number of the message at the front of the queue.
    number: u8,
    sent_at: Option<u64>,
    seen: u8,
    owes: bool,
    line: [u8; FRAME],
    length: usize,
    dropped: u32,
    receives: core::marker::PhantomData<R>,
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received<R> {
    /// The board has begun a session; what waited for the board is gone.
    Session,
    /// A message.
    Message(R),
}

impl<S: Serialize, R: DeserializeOwned> Link<S, R> {
    /// The board's end; `session` differs from that of the start before.
    pub const fn board(session: u16) -> Self {
        Link::new(Some(session))
    }

    /// The twin's end.
    pub const fn twin() -> Self {
        Link::new(None)
    }

    const fn new(session: Option<u16>) -> Self {
        Link {
            session,
            begins: session.is_some(),
            queue: Deque::new(),
            number: 1,
            sent_at: None,
            seen: 0,
            owes: false,
            line: [0; FRAME],
            length: 0,
            dropped: 0,
            receives: core::marker::PhantomData,
        }
    }

    /// Sends a message; gives it back when too many wait.
    pub fn send(&mut self, message: S) -> Result<(), S> {
        self.queue.push_back(message)
    }

    /// Frames dropped so far because they were damaged or too long.
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The frame to put on the line at `now`, if there is one; asked again until there is none.
    pub fn transmit<'f>(&mut self, now: u64, frame: &'f mut [u8; FRAME]) -> Option<&'f [u8]> {
        let session = self.session?;
        let again = match self.sent_at {
            Some(at) => now.saturating_sub(at) >= RESEND_MS,
            None => true,
        };
        let message = self.queue.front().filter(|_| again);
        if message.is_none() && !self.owes {
            return None;
        }
        let sends = message.is_some();
        let value = Frame {
            session,
            number: self.number,
            seen: self.seen,
            message,
        };
        let flavor = CrcModifier::new(Cobs::try_new(Slice::new(frame)).ok()?, CRC.digest());
        let bytes = postcard::serialize_with_flavor(&value, flavor).ok()?;
        self.owes = false;
        if sends {
            self.sent_at = Some(now);
        }
        Some(bytes)
    }

    /// When [`transmit`](Self::transmit) has something again though nothing comes in.
    pub fn due(&self) -> Option<u64> {
        let waiting = !self.queue.is_empty() && self.session.is_some();
        waiting.then(|| self.sent_at.map_or(0, |at| at + RESEND_MS))
    }

    /// Takes an octet from the line; what it completes.
    pub fn receive(&mut self, octet: u8) -> Option<Received<R>> {
        if octet != 0 {
            if let Some(place) = self.line.get_mut(self.length) {
                *place = octet;
            }
            self.length = self.length.saturating_add(1);
            return None;
        }
        let length = core::mem::take(&mut self.length);
        if length == 0 {
            return None;
        }
        let mut line = self.line;
        let frame = line.get_mut(..length).and_then(|bytes| {
            let decoded = cobs::decode_in_place(bytes).ok()?;
            let bytes = bytes.get(..decoded)?;
            postcard::de_flavors::crc::from_bytes_u16::<Frame<R>>(bytes, CRC.digest()).ok()
        });
        match frame {
            Some(frame) => self.frame(frame),
            None => {
                self.dropped = self.dropped.saturating_add(1);
                None
            }
        }
    }

    fn frame(&mut self, frame: Frame<R>) -> Option<Received<R>> {
        if self.session != Some(frame.session) {
            if self.begins {
                return None;
            }
            // The board sends its message again: it is taken then.
            *self = Link {
                begins: false,
                dropped: self.dropped,
                ..Link::new(Some(frame.session))
            };
            self.seen = frame.number.wrapping_sub(1);
            return Some(Received::Session);
        }
        if self.sent_at.is_some() && frame.seen == self.number {
            self.queue.pop_front();
            self.number = self.number.wrapping_add(1);
            self.sent_at = None;
        }
        let message = frame.message?;
        self.owes = true;
        if frame.number != self.seen.wrapping_add(1) {
            return None;
        }
        self.seen = frame.number;
        Some(Received::Message(message))
    }
}
