//! Control words: an octet that says what and for which channel, and one of data (data sheet DSC-6032, "Serial Control
//! Interface").

/// Channels.
pub const CHANNELS: u8 = 4;

/// Companding law of ITU-T G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law.
    Mu,
    /// A-law.
    A,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the analog input to the PCM highway.
    Transmit,
    /// From the PCM highway to the analog output.
    Receive,
}

/// Powers a direction of a channel up, in this time slot. The law and the delayed timing (slot 0 begins one bit clock after FS)
/// hold for all channels.
pub const fn power_up(channel: u8, direction: Direction, law: Law, slot: u8) -> [u8; 2] {
    let power = match direction {
        Direction::Transmit => 0b10,
        Direction::Receive => 0b01,
    };
    [configuration(channel, law) | power, slot & 0x7F]
}

/// Powers a channel down.
pub const fn power_down(channel: u8, law: Law) -> [u8; 2] {
    [configuration(channel, law), 0]
}

const fn configuration(channel: u8, law: Law) -> u8 {
    const DELAY: u8 = 1 << 4;
    let law = match law {
        Law::Mu => 0,
        Law::A => 1 << 5,
    };
    0b1000_0000 | law | DELAY | (channel & 0b11) << 2
}

/// Coefficients of 0 dB ("Gain Programming"); one of 14 bits goes out in two words, the lower seven bits first.
pub const fn unity_gain(channel: u8, direction: Direction) -> [[u8; 2]; 2] {
    let (path, coefficient) = match direction {
        Direction::Transmit => (0b10, 1_820_u16),
        Direction::Receive => (0b00, 2_506),
    };
    let word = 0b1100_0000 | (channel & 0b11) << 2 | path;
    [
        [word, (coefficient & 0x7F) as u8],
        [word | 1, (coefficient >> 7) as u8 & 0x7F],
    ]
}

/// Sets the three output pins O_2 to O_4 of a channel; its two other pins are inputs.
pub const fn pins(channel: u8, outputs: u8) -> [u8; 2] {
    const INPUTS: u8 = 0b11;
    [
        0b1101_0000 | (channel & 0b11) << 2 | INPUTS,
        (outputs & 0b111) << 2,
    ]
}

/// The output pins as they are read back: O_2 in bit 5, O_4 in bit 3.
pub const fn read_back(octet: u8) -> u8 {
    (octet >> 5 & 1) | (octet >> 4 & 1) << 1 | (octet >> 3 & 1) << 2
}
