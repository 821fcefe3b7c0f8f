//! What is on the bus, octet by octet.

use embassy_futures::block_on;
use embedded_hal_mock::eh1::digital::{Mock as Pin, State, Transaction as Level};
use embedded_hal_mock::eh1::spi::{Mock as Bus, Transaction as Octets};
use idt821034::{Error, Idt821034, Law};

/// An octet with CS low, and the clocks with CS high behind it.
fn transfer(out: u8, back: u8) -> [Octets<u8>; 4] {
    [
        Octets::transfer(vec![out], vec![back]),
        Octets::flush(),
        Octets::write(out),
        Octets::flush(),
    ]
}

/// The chip is told what its output pins shall be, and asked what they are: O_2 in bit 5, O_3 in bit 4, O_4 in bit 3.
const MARKS: [(u8, u8); 16] = [
    (0xD3, 0),
    (0x08, 0),
    (0xD3, 0),
    (0x08, 0b0001_0000),
    (0xD3, 0),
    (0x14, 0),
    (0xD3, 0),
    (0x14, 0b0010_1000),
    // And the same of the next channel.
    (0xD7, 0),
    (0x08, 0),
    (0xD7, 0),
    (0x08, 0b0001_0000),
    (0xD7, 0),
    (0x14, 0),
    (0xD7, 0),
    (0x14, 0b0010_1000),
];

fn run(
    octets: &[(u8, u8)],
    law: Law,
) -> Result<(), Error<embedded_hal::spi::ErrorKind, embedded_hal_mock::eh1::MockError>> {
    let on_bus: Vec<_> = octets
        .iter()
        .flat_map(|(out, back)| transfer(*out, *back))
        .collect();
    let levels: Vec<_> = octets
        .iter()
        .flat_map(|_| [Level::set(State::Low), Level::set(State::High)])
        .collect();
    let (mut bus, mut pin) = (Bus::new(&on_bus), Pin::new(&levels));
    let started = block_on(Idt821034::new(bus.clone(), pin.clone()).start(law));
    bus.done();
    pin.done();
    started
}

/// Of channel `n`: down, receive gain 0 dB (2,506 = 19·128 + 74), receive up in slot `n`, transmit gain 0 dB (1,820 = 14·128 + 28),
/// transmit up in slot `n`.
fn channel(n: u8, law: u8) -> Vec<(u8, u8)> {
    let at = n << 2;
    [
        [0x90 | law | at, 0],
        [0xC0 | at, 74],
        [0xC1 | at, 19],
        [0x91 | law | at, n],
        [0xC2 | at, 28],
        [0xC3 | at, 14],
        [0x92 | law | at, n],
    ]
    .concat()
    .into_iter()
    .map(|octet| (octet, 0))
    .collect()
}

#[test]
fn all_channels_come_up_in_their_slots() {
    for (law, bit) in [(Law::Mu, 0), (Law::A, 0x20)] {
        let mut octets = MARKS.to_vec();
        octets.extend((0..4).flat_map(|n| channel(n, bit)));
        assert_eq!(run(&octets, law), Ok(()));
    }
}

#[test]
fn a_chip_that_is_not_there_is_noticed() {
    // Nothing pulls CO: all ones, or all zeros.
    for back in [0xFF, 0x00] {
        let mut octets = MARKS[..4].to_vec();
        octets[3].1 = back;
        assert_eq!(run(&octets, Law::Mu), Err(Error::Absent));
    }
}

#[test]
fn a_chip_that_has_forgotten_is_noticed_and_what_is_misheard_is_not() {
    const WELL: u8 = 0b1110_1000;
    const NOT: u8 = 0b1100_0000;
    for (read, is_well) in [(&[WELL][..], true), (&[NOT, WELL], true), (&[NOT, NOT], false)] {
        let octets: Vec<_> = [0xD3, 0xD7]
            .into_iter()
            .zip(read)
            .flat_map(|(what, back)| [(what, 0), (0x14, *back)])
            .collect();
        let on_bus: Vec<_> = octets
            .iter()
            .flat_map(|(out, back)| transfer(*out, *back))
            .collect();
        let levels: Vec<_> = octets
            .iter()
            .flat_map(|_| [Level::set(State::Low), Level::set(State::High)])
            .collect();
        let (mut bus, mut pin) = (Bus::new(&on_bus), Pin::new(&levels));
        let checked = block_on(Idt821034::new(bus.clone(), pin.clone()).check());
        assert_eq!(checked.is_ok(), is_well);
        bus.done();
        pin.done();
    }
}
