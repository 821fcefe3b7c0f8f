//! What a line hears of the far end: packets in, blocks of samples out, through jitter buffer, concealment, comfort noise and the
//! sender's clock.

use crate::BLOCK;
use crate::comfort::{self, Comfort};
use crate::g711::Law;
use crate::jitter::{self, Buffer};
use crate::plc::{Concealer, Signal};
use crate::redundancy;
use crate::resample::Resampler;
use crate::rtp::Packet;

/// One received stream of G.711.
#[derive(Clone, Debug)]
pub struct Receiver {
    law: Law,
    redundancy: Option<u8>,
    signal: Signal,
    buffer: Buffer,
    comfort: Comfort,
    concealer: Concealer,
    resampler: Resampler,
}

impl Receiver {
    /// A receiver of speech; `redundancy` is the payload type of RFC 2198, if one was agreed on.
    pub const fn new(law: Law, redundancy: Option<u8>) -> Self {
        Receiver {
            law,
            redundancy,
            signal: Signal::Speech,
            buffer: Buffer::new(),
            comfort: Comfort::new(),
            concealer: Concealer::new(),
            resampler: Resampler::new(),
        }
    }

    /// Changes what was agreed on. What has come stays where it is.
    pub fn agree(&mut self, law: Law, redundancy: Option<u8>) {
        (self.law, self.redundancy) = (law, redundancy);
    }

    /// From now on it is a modem's signal.
    pub fn modem(&mut self) {
        self.signal = Signal::Modem;
        self.buffer.fix();
        self.resampler.settle();
    }

    /// Takes a packet. False: it is of a payload type that this is not for.
    pub fn receive(&mut self, packet: &Packet) -> bool {
        let header = packet.repr();
        match header.payload_type {
            own if own == self.law.payload_type() => self.buffer.receive(&header, packet.payload()),
            comfort::PAYLOAD_TYPE => {
                self.comfort.describe(packet.payload());
                self.buffer.silent(&header);
            }
            own if self.redundancy == Some(own) => {
                let Ok(blocks) = redundancy::read(packet.payload()) else {
                    return false;
                };
                for block in blocks.filter(|block| block.payload_type == self.law.payload_type()) {
                    if block.offset == 0 {
                        self.buffer.receive(&header, block.octets);
                    } else {
                        let then = header.timestamp.wrapping_sub(block.offset.into());
                        self.buffer.recover(header.ssrc, then, block.octets);
                    }
                }
            }
            _ => return false,
        }
        true
    }

    /// The next 5 ms.
    pub fn read(&mut self, block: &mut [i16; BLOCK]) {
        let Receiver {
            law,
            signal,
            buffer,
            comfort,
            concealer,
            ..
        } = self;
        let rate = buffer.rate();
        self.resampler.read(rate, block, |block| match buffer.block() {
            jitter::Block::Audio(octets) => {
                *block = octets.map(|octet| law.decode(octet));
                concealer.received(block);
            }
            jitter::Block::Missing => concealer.lost(*signal, block),
            jitter::Block::Silence => {
                comfort.make(block);
                concealer.received(block);
            }
        });
    }

    /// What became of the packets.
    pub const fn counters(&self) -> jitter::Counters {
        self.buffer.counters()
    }

    /// Mean delay of the packets, in samples.
    pub fn delay(&self) -> f32 {
        self.buffer.delay()
    }
}
