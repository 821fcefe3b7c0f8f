//! Where calls are parked (パーク保留, R29).

use core::fmt;
use core::num::NonZeroU8;

/// A slot for a parked call: `**01` to `**04` are dialled to park a call there, and to take it. No extension begins with 0, and a
/// caller ID is chosen with one `*`: nothing else is dialled so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParkSlot(NonZeroU8);

impl ParkSlot {
    /// How many a site has.
    pub const COUNT: u8 = 4;

    /// The slot with this number, from 1.
    pub fn new(number: u8) -> Option<Self> {
        NonZeroU8::new(number)
            .filter(|number| number.get() <= Self::COUNT)
            .map(Self)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        (1..=Self::COUNT).filter_map(Self::new)
    }

    /// Its number, from 1.
    pub fn number(self) -> u8 {
        self.0.get()
    }

    /// What is dialled for it, read.
    pub fn read(dialled: &[u8]) -> Option<Self> {
        match dialled {
            [b'*', b'*', b'0', digit @ b'1'..=b'9'] => Self::new(digit - b'0'),
            _ => None,
        }
    }
}

impl fmt::Display for ParkSlot {
    /// As it is dialled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "**0{}", self.0)
    }
}
