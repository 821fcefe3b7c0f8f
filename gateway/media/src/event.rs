//! Telephone-events in RTP (RFC 4733): a digit as it is pressed, packet by packet, and a receiver that hears each one once.

/// Octets of the payload.
pub const LEN: usize = 4;
/// Packets that tell the end of an event (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// Samples without a packet after which an event is over: its end was lost (RFC 4733 §2.5.2.2).
const LOST: u32 = 1_200;

/// The payload of a packet (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// What it is: 0 to 15 are digits ([`crate::dtmf::Digit::code`]).
    pub code: u8,
    /// It is over.
    pub end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// Samples since the packet's timestamp.
    pub duration: u16,
}

impl Payload {
    /// Reads one; octets after it are passed over. `None`: too short.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let [code, flags, high, low] = *octets.first_chunk::<LEN>()?;
        Some(Payload {
            code,
            end: flags & 0x80 != 0,
            volume: flags & 0x3F,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// Its octets.
    pub fn emit(&self) -> [u8; LEN] {
        let [high, low] = self.duration.to_be_bytes();
        [
            self.code,
            u8::from(self.end) << 7 | self.volume.min(63),
            high,
            low,
        ]
    }
}

/// A packet to be sent: the marker and the timestamp of its header, and its payload. It takes a sequence number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// First packet of an event.
    pub marker: bool,
    /// Timestamp.
    pub timestamp: u32,
    /// Payload.
    pub payload: Payload,
}

/// Power of the digits that are sent, in -dBm0 (what it was on the line does not matter to anyone).
const VOLUME: u8 = 10;

/// Sends events, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    now: Option<Sending>,
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    code: u8,
    start: u32,
    marker: bool,
    /// When it was over, and how many packets are left to say so.
    end: Option<(u32, u8)>,
}

impl Sender {
    pub(crate) const NEW: Self = Sender { now: None };

    /// Begins an event at this timestamp. One that is not over yet is given up: a key pressed is worth more than one released.
    pub fn begin(&mut self, code: u8, timestamp: u32) {
        self.now = Some(Sending {
            code,
            start: timestamp,
            marker: true,
            end: None,
        });
    }

    /// Ends the event that goes on, if there is one.
    pub fn end(&mut self, timestamp: u32) {
        if let Some(sending) = &mut self.now {
            sending.end.get_or_insert((timestamp, ENDS));
        }
    }

    /// Whether there is something to send, and sound is not to be sent.
    pub fn is_busy(&self) -> bool {
        self.now.is_some()
    }

    /// The packet that is due, once in every packet time; `timestamp` is that of its end.
    pub fn next(&mut self, timestamp: u32) -> Option<Packet> {
        let sending = self.now.as_mut()?;
        let until = sending.end.map_or(timestamp, |(end, _)| end);
        let mut duration = until.wrapping_sub(sending.start);
        let mut end = sending.end.is_some();
        let start = sending.start;
        if duration > u16::MAX.into() {
            // RFC 4733 §2.5.1.3: a segment is as long as can be said, the next begins where it ends.
            duration = u16::MAX.into();
            end = false;
            sending.start = sending.start.wrapping_add(duration);
        }
        let packet = Packet {
            marker: core::mem::take(&mut sending.marker),
            timestamp: start,
            payload: Payload {
                code: sending.code,
                end,
                volume: VOLUME,
                duration: duration as u16,
            },
        };
        if let Some((_, left)) = &mut sending.end
            && end
        {
            *left -= 1;
            if *left == 0 {
                self.now = None;
            }
        }
        Some(packet)
    }
}

/// What a [`Receiver`] hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An event has begun.
    Begun(u8),
    /// It is over, or its packets do not come any more.
    Ended(u8),
}

/// What a packet tells: first that the event before is over, then that of its own.
pub type Heard = [Option<Event>; 2];

/// Receives events: each once, whatever packets are lost, repeated or late.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    /// Event, its timestamp, samples since its last packet; `None` in the place of these when it is over.
    last: Option<(u8, u32, Option<u32>)>,
}

impl Receiver {
    pub(crate) const NEW: Self = Receiver { last: None };

    /// Takes a packet.
    pub fn packet(&mut self, timestamp: u32, payload: Payload) -> Heard {
        let mut before = None;
        match &mut self.last {
            // RFC 4733 §2.5.2.3: of a timestamp there is one event, and no earlier one comes after it.
            Some((code, last, since)) if *last == timestamp => {
                if since.is_none() || !payload.end {
                    *since = since.map(|_| 0);
                    return [None; 2];
                }
                *since = None;
                return [None, Some(Event::Ended(*code))];
            }
            Some((_, last, _)) if timestamp.wrapping_sub(*last) > u32::MAX / 2 => return [None; 2],
            Some((code, last, since @ Some(_))) => {
                // The next segment of a long event.
                let segment = *code == payload.code && timestamp.wrapping_sub(*last) == u16::MAX.into();
                if segment {
                    *last = timestamp;
                    *since = (!payload.end).then_some(0);
                    return [None, payload.end.then_some(Event::Ended(*code))];
                }
                before = Some(Event::Ended(*code));
            }
            Some(_) | None => {}
        }
        // Where all but the end was lost, it is played for as short as can be.
        self.last = Some((payload.code, timestamp, Some(if payload.end { LOST } else { 0 })));
        [before, Some(Event::Begun(payload.code))]
    }

    /// So many samples have passed.
    pub fn pass(&mut self, samples: u32) -> Option<Event> {
        let (code, _, since) = self.last.as_mut()?;
        let passed = since.as_mut()?;
        *passed = passed.saturating_add(samples);
        if *passed < LOST {
            return None;
        }
        *since = None;
        Some(Event::Ended(*code))
    }
}
