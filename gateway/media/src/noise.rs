//! White noise, and square roots without a library.

/// A pseudo-random generator (xorshift, Marsaglia 2003): the same noise every time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise(u32);

impl Noise {
    pub(crate) const NEW: Self = Noise(0x2545_F491);

    /// The next value, evenly spread over -1 to 1.
    pub(crate) fn next_value(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as i32 as f32 * (1.0 / 2_147_483_648.0)
    }
}

/// Square root of a number that is not negative, to 1e-6 of it: a guess from the exponent, and Newton's steps.
pub(crate) fn root(x: f32) -> f32 {
    if x < f32::MIN_POSITIVE {
        return 0.0;
    }
    let mut y = f32::from_bits((x.to_bits() >> 1) + 0x1FBD_1DF5);
    for _ in 0..3 {
        y = 0.5 * (y + x / y);
    }
    y
}
