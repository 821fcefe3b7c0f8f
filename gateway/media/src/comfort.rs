//! Comfort noise: what the far end's silence sounds like (RFC 3389, receiving).

use crate::BLOCK;
use crate::noise::{Noise, root};

/// The static payload type (RFC 3551 §6).
pub const PAYLOAD_TYPE: u8 = 13;
/// Reflection coefficients that are used; a sender may give more (RFC 3389 §3.2: the receiver may leave those out).
const ORDER: usize = 10;
/// Mean square of 0 dBov: a square wave of µ-law's largest value (RFC 3389 §3.1), 6.18 dBm0.
const OVERLOAD: f32 = 32_124.0 * 32_124.0;
/// Power of a level 1 dB lower.
const DECIBEL: f32 = 0.794_328_2;

/// Noise as the far end described it.
#[derive(Clone, Debug)]
pub struct Comfort {
    /// Of the white noise before the filter, to its peak.
    amplitude: f32,
    reflections: [f32; ORDER],
    /// The lattice's delayed values.
    backward: [f32; ORDER],
    noise: Noise,
}

impl Default for Comfort {
    fn default() -> Self {
        Self::new()
    }
}

impl Comfort {
    /// Silence.
    pub const fn new() -> Self {
        Comfort {
            amplitude: 0.0,
            reflections: [0.0; ORDER],
            backward: [0.0; ORDER],
            noise: Noise::NEW,
        }
    }

    /// Takes a payload: a level in -dBov, and reflection coefficients, as many as there are. An empty one changes nothing.
    pub fn describe(&mut self, payload: &[u8]) {
        let Some((level, spectrum)) = payload.split_first() else {
            return;
        };
        let mut power = OVERLOAD;
        for _ in 0..level & 0x7F {
            power *= DECIBEL;
        }
        // What is in a lattice grows when its coefficients change, time after time beyond all bounds: each one begins at rest.
        (self.reflections, self.backward) = ([0.0; ORDER], [0.0; ORDER]);
        for (reflection, quantized) in self.reflections.iter_mut().zip(spectrum) {
            // 255 is reserved, and would be no stable filter.
            *reflection = (258.0 / 32_768.0) * (f32::from((*quantized).min(254)) - 127.0);
            *reflection = reflection.clamp(-0.99, 0.99);
            power *= 1.0 - *reflection * *reflection;
        }
        // The power of noise that is spread evenly is a third of its peak's.
        self.amplitude = root(3.0 * power);
    }

    /// The next 5 ms.
    pub fn make(&mut self, block: &mut [i16; BLOCK]) {
        for sample in block {
            let mut forward = self.amplitude * self.noise.next_value();
            // An all-pole lattice, from the last section to the first. What goes back from a section is kept in the one after it.
            let mut after: Option<&mut f32> = None;
            for (reflection, backward) in self.reflections.iter().zip(&mut self.backward).rev() {
                forward -= reflection * *backward;
                if let Some(after) = after {
                    *after = *backward + reflection * forward;
                }
                after = Some(backward);
            }
            if let Some(first) = after {
                *first = forward;
            }
            *sample = forward as i16;
        }
    }
}
