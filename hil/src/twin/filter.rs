//! Filters of the twins, by the bilinear transform.

use std::f64::consts::PI;

/// Frames per second.
pub const RATE: f64 = 8000.0;

/// Butterworth high-pass of third order at 160 Hz: 50 Hz is 30 dB down, 300 Hz 0.1 dB.
#[derive(Debug, Clone, Default)]
pub struct HighPass {
    /// Input and output before, of the first and of the second order part.
    first: [f64; 2],
    second: [f64; 4],
}

impl HighPass {
    /// The next sample.
    pub fn next(&mut self, x: f64) -> f64 {
        let k = (PI * 160.0 / RATE).tan();
        let [x1, y1] = self.first;
        let y = (x - x1 + (1.0 - k) * y1) / (1.0 + k);
        self.first = [x, y];
        // s² / (s² + s + 1)
        let x = y;
        let [x1, x2, y1, y2] = self.second;
        let y = (x - 2.0 * x1 + x2 - 2.0 * (k * k - 1.0) * y1 - (1.0 - k + k * k) * y2) / (1.0 + k + k * k);
        self.second = [x, x1, y, y1];
        y
    }
}

/// Low-pass of first order with time constant `seconds`.
pub fn smooth(value: &mut f64, towards: f64, seconds: f64) -> f64 {
    *value += (towards - *value) / (seconds * RATE);
    *value
}

/// Random numbers that are the same in every run (xorshift64*).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A whole number.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal distribution, standard deviation 1 (sum of twelve).
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
