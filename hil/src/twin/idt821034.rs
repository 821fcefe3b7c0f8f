//! IDT821034, a four-channel PCM codec with programmable gain, as its serial control interface and its PCM highway show it.
//!
//! | row | octets | source |
//! |---|---|---|
//! | an octet counts after 8 clocks with CS high | CS low: 8 bits, CS high: 8 clocks | Linux `idt821034_8bit_write` |
//! | configuration and time slot | `10 A D cc T R`, `0 sssssss` | Linux `IDT821034_MODE_CODEC`, `CONF_*` |
//! | A-law `A`, delay mode `D`: of all channels | | Linux `idt821034_set_codec_conf` |
//! | `T` or `R`: that direction of the channel is powered up in this time slot | | Linux `idt821034_set_channel_power` |
//! | neither: both directions are powered down | | the same |
//! | `T` and `R` at once: both, in the same slot | | unverified |
//! | SLIC pins: direction and levels | `1101 cc i1 i0`, `000 o4 o3 o2 o1 o0` | Linux `IDT821034_MODE_SLIC`, `write_slic_raw` |
//! | what comes back with the levels | `i0 i1 o2 o3 o4`, I/O_0 of channels 1, 2, 3 | Linux `idt821034_read_slic_raw` |
//! | gain: low and high 7 bits of the coefficient | `1100 cc d 0`, `1100 cc d 1`; `d` 1: transmit | Linux `set_gain_channel` |
//! | 0 dB is 1820 (transmit) and 2506 (receive), linear, to 8192 | | the same |
//! | the coefficient changes with each half | | unverified |
//! | at power-up: µ-law, all down, I/O pins are inputs, coefficients 0 | | unverified |
//! | an octet without its bit 7 that nothing asked for is dropped | | unverified |
//! | more than 8 bits under one CS are dropped | | unverified (Linux never does it) |
//! | 128 time slots | | data sheet DSC-6032/3, p. 1 |
//! | delay: transmit at most 340 µs, receive at most 260 µs; here 3 and 2 frames | | data sheet p. 12 |
//! | 0 dBm0 is 0.775 V | | unverified (IDT821054: 0.775 V A-law, 0.769 V µ-law) |
//! | transmit: 50 Hz at least 30 dB down | | unverified (IDT821054, §7.3) |

use super::filter::HighPass;
use crate::tone;
use std::collections::VecDeque;

/// Channels of the chip.
pub const CHANNELS: usize = 4;

/// Peak of the largest sine in volts: +3.17 dBm0 in µ-law, +3.14 dBm0 in A-law (ITU-T G.711 §4).
const PEAK: [f64; 2] = [1.5787, 1.5733];
/// Value of that peak, 16 bit.
const FULL: [f64; 2] = [32_636.0, 32_768.0];

/// A direction of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Path {
    /// Its time slot, if it is powered up.
    pub slot: Option<u8>,
    /// Its gain coefficient.
    pub coefficient: u16,
}

#[derive(Debug, Clone, Default)]
struct Channel {
    transmit: Path,
    receive: Path,
    /// Which of I/O_1 and I/O_0 are inputs.
    inputs: u8,
    /// Levels that were written: O_4 to I/O_0.
    levels: u8,
    /// Levels that the world puts on I/O_1 and I/O_0.
    world: u8,
    filter: HighPass,
    sent: VecDeque<f64>,
    received: VecDeque<f64>,
}

/// The chip.
#[derive(Debug, Clone)]
pub struct Idt821034 {
    channels: [Channel; CHANNELS],
    alaw: bool,
    delay_mode: bool,
    /// Shifted in and not yet clocked through.
    shifted: Option<u8>,
    /// The first octet of a pair.
    control: Option<u8>,
    refused: u32,
}

impl Default for Idt821034 {
    fn default() -> Self {
        Idt821034::new()
    }
}

impl Idt821034 {
    /// As its power comes up.
    pub fn new() -> Self {
        let channel = || Channel {
            inputs: 0b11,
            // Frames of delay in each direction.
            sent: VecDeque::from([0.0; 3]),
            received: VecDeque::from([0.0; 2]),
            ..Channel::default()
        };
        Idt821034 {
            channels: std::array::from_fn(|_| channel()),
            alaw: false,
            delay_mode: false,
            shifted: None,
            control: None,
            refused: 0,
        }
    }

    /// Transmit and receive path of a channel.
    pub fn paths(&self, channel: usize) -> Option<(Path, Path)> {
        self.channels
            .get(channel)
            .map(|channel| (channel.transmit, channel.receive))
    }

    /// A-law or µ-law, and delay mode or not.
    pub fn configuration(&self) -> (bool, bool) {
        (self.alaw, self.delay_mode)
    }

    /// Octets so far that made no sense: a driver's fault.
    pub fn refused(&self) -> u32 {
        self.refused
    }

    /// Levels that the world puts on I/O_1 and I/O_0 of a channel.
    pub fn drive(&mut self, channel: usize, levels: u8) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.world = levels & 0b11;
        }
    }

    /// Levels of O_4 to I/O_0 of a channel.
    pub fn pins(&self, channel: usize) -> Option<u8> {
        self.channels.get(channel).map(Channel::pins)
    }

    /// An SPI transfer, with CS low or (`selected` false) high; what CO shows.
    pub fn spi(&mut self, selected: bool, octets: &[u8]) -> Vec<u8> {
        if !selected {
            if !octets.is_empty()
                && let Some(octet) = self.shifted.take()
            {
                self.execute(octet);
            }
            return vec![0xFF; octets.len()];
        }
        // The one before was never clocked through.
        self.refused += u32::from(self.shifted.take().is_some());
        let read = self.read();
        match octets {
            [octet] => self.shifted = Some(*octet),
            _ => self.refused += 1,
        }
        vec![read; octets.len()]
    }

    /// What CO shows with the next octet.
    fn read(&self) -> u8 {
        let Some(control) = self.control.filter(|control| control & 0xF0 == 0xD0) else {
            return 0xFF;
        };
        let pins = self.channels[channel(control)].pins().reverse_bits();
        let neighbours = (1..CHANNELS).map(|n| (self.channels[n].pins() & 1) << (CHANNELS - 1 - n));
        pins | neighbours.sum::<u8>()
    }

    fn execute(&mut self, octet: u8) {
        if octet & 0x80 != 0 {
            self.refused += u32::from(self.control.replace(octet).is_some());
            return;
        }
        let Some(control) = self.control.take() else {
            self.refused += 1;
            return;
        };
        let (target, transmit, receive) = (channel(control), control & 2 != 0, control & 1 != 0);
        let target = &mut self.channels[target];
        match control >> 4 {
            0x8..=0xB => {
                (self.alaw, self.delay_mode) = (control & 0x20 != 0, control & 0x10 != 0);
                let up = transmit || receive;
                for (path, named) in [(&mut target.transmit, transmit), (&mut target.receive, receive)] {
                    if named {
                        path.slot = Some(octet);
                    } else if !up {
                        path.slot = None;
                    }
                }
            }
            0xC => {
                let path = if transmit {
                    &mut target.transmit
                } else {
                    &mut target.receive
                };
                // Here the last bit says which half it is.
                let coefficient = if receive {
                    path.coefficient & 0x7F | u16::from(octet) << 7
                } else {
                    path.coefficient & !0x7F | u16::from(octet)
                };
                path.coefficient = coefficient.min(8192);
            }
            0xD => (target.inputs, target.levels) = (control & 3, octet & 0x1F),
            _ => self.refused += 1,
        }
    }

    /// One frame of the PCM highway: octets of the time slots from 0 on and volts at VFXI in; octets and volts at VFRO
    /// out. A slot that nobody drives stays high.
    pub fn frame(&mut self, down: &[u8], analog: &[f64; CHANNELS]) -> (Vec<u8>, [f64; CHANNELS]) {
        let mut up = vec![0xFF; down.len()];
        let mut volts = [0.0; CHANNELS];
        let (law, alaw) = (usize::from(self.alaw), self.alaw);
        for ((channel, &analog), volts) in self.channels.iter_mut().zip(analog).zip(&mut volts) {
            let gain = f64::from(channel.transmit.coefficient) / 1820.0;
            let filtered = channel.filter.next(analog);
            channel.sent.push_back(filtered * gain / PEAK[law] * FULL[law]);
            let sample = channel
                .sent
                .pop_front()
                .unwrap_or_default()
                .round()
                .clamp(-32_768.0, 32_767.0) as i16;
            if let Some(octet) = channel
                .transmit
                .slot
                .and_then(|slot| up.get_mut(usize::from(slot)))
            {
                *octet = if alaw {
                    tone::to_alaw(sample)
                } else {
                    tone::to_ulaw(sample)
                };
            }
            let octet = channel.receive.slot.and_then(|slot| down.get(usize::from(slot)));
            let sample = octet.map_or(0, |&octet| {
                if alaw {
                    tone::from_alaw(octet)
                } else {
                    tone::from_ulaw(octet)
                }
            });
            let gain = f64::from(channel.receive.coefficient) / 2506.0;
            channel
                .received
                .push_back(f64::from(sample) / FULL[law] * PEAK[law] * gain);
            // A real output stage ends at its supply.
            *volts = channel.received.pop_front().unwrap_or_default().clamp(-2.4, 2.4);
        }
        (up, volts)
    }
}

impl Channel {
    fn pins(&self) -> u8 {
        self.levels & !self.inputs | self.world & self.inputs
    }
}

/// The channel that a control octet names.
fn channel(control: u8) -> usize {
    usize::from(control >> 2 & 3)
}
