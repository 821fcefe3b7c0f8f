//! The driver of the hub's switch at its twin, and frames through it. They were written apart.

use embassy_futures::block_on;
use embedded_hal::spi::{ErrorType, Operation};
use embedded_hal_async::spi::SpiDevice;
use hil::twin::ksz9477 as twin;
use ksz9477::{Counter, Error, HOST, Ksz9477, Link, UPLINK};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

const VOICE: u16 = 300;
const LLDP: [u8; 6] = [0x01, 0x80, 0xC2, 0, 0, 0x0E];

#[derive(Clone)]
struct Chip(Rc<RefCell<twin::Ksz9477>>);

impl ErrorType for Chip {
    type Error = Infallible;
}

impl SpiDevice for Chip {
    async fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        for operation in operations {
            let Operation::TransferInPlace(words) = operation else {
                panic!("{operation:?}")
            };
            let read = self.0.borrow_mut().spi(words);
            words.copy_from_slice(&read);
        }
        Ok(())
    }
}

/// A chip with a cable in every port, and its driver.
fn chip() -> (Chip, Ksz9477<Chip>) {
    let mut chip = twin::Ksz9477::new();
    (0..6).for_each(|port| chip.plug(port, true));
    let chip = Chip(Rc::new(RefCell::new(chip)));
    (chip.clone(), Ksz9477::new(chip))
}

fn set(voice: Option<u16>) -> (Chip, Ksz9477<Chip>) {
    let (chip, mut driver) = chip();
    assert_eq!(block_on(driver.set(voice)), Ok(true));
    (chip, driver)
}

fn mac(n: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, n]
}

/// A frame of 60 octets, its last ones zeros.
fn frame(to: [u8; 6], from: u8, vlan: Option<u16>) -> Vec<u8> {
    let mut frame = [to, mac(from)].concat();
    if let Some(vlan) = vlan {
        frame.extend([0x81, 0x00]);
        frame.extend((5 << 13 | vlan).to_be_bytes());
    }
    frame.extend([0x08, 0x00, 0x45]);
    frame.resize(60, 0);
    frame
}

/// What the host sends, with its tail tag.
fn from_host(mut frame: Vec<u8>, tag: u16) -> Vec<u8> {
    frame.extend(tag.to_be_bytes());
    frame
}

fn ports(out: &[(usize, Vec<u8>)]) -> Vec<usize> {
    out.iter().map(|(port, _)| *port).collect()
}

#[test]
fn a_chip_that_nobody_has_set_up_is_a_switch() {
    let (chip, _) = chip();
    let mut chip = chip.0.borrow_mut();
    let out = chip.forward(0, &frame([0xFF; 6], 1, Some(9)));
    assert_eq!(ports(&out), [1, 2, 3, 4, 5]);
    assert!(out.iter().all(|(_, out)| *out == frame([0xFF; 6], 1, Some(9))));
    assert_eq!(ports(&chip.forward(3, &frame(mac(1), 2, None))), [0]);
}

#[test]
fn frames_of_the_host_have_tail_tags() {
    let (chip, _) = set(None);
    let mut chip = chip.0.borrow_mut();
    let out = chip.forward(2, &frame(mac(9), 1, None));
    let (port, heard) = out.last().unwrap();
    assert_eq!((*port, heard.len(), heard.last()), (HOST.into(), 61, Some(&2)));
    // By its table, and without the tag.
    let out = chip.forward(HOST.into(), &from_host(frame(mac(1), 9, None), 1 << 10));
    assert_eq!(out, [(2, frame(mac(1), 9, None))]);
    // To a port, whatever the address.
    let out = chip.forward(HOST.into(), &from_host(frame(LLDP, 9, None), 1 << 9 | 1 << 3));
    assert_eq!(out, [(3, frame(LLDP, 9, None))]);
    // A full frame with a VLAN's tag and the tail tag.
    let mut full = frame(mac(1), 9, None);
    full.resize(1_518, 1);
    assert_eq!(ports(&chip.forward(HOST.into(), &from_host(full, 1 << 10))), [2]);
}

#[test]
fn lldp_goes_to_the_host_alone() {
    for voice in [None, Some(VOICE)] {
        let (chip, _) = set(voice);
        let out = chip.0.borrow_mut().forward(1, &frame(LLDP, 1, None));
        assert_eq!(ports(&out), [usize::from(HOST)], "{voice:?}");
        assert_eq!(out[0].1.last(), Some(&1));
    }
}

#[test]
fn the_telephones_have_a_network_of_their_own() {
    let (chip, _) = set(Some(VOICE));
    let mut chip = chip.0.borrow_mut();
    // A computer in the office speaks to everybody: without a tag, and the host by its tail tag.
    let out = chip.forward(UPLINK.into(), &frame([0xFF; 6], 1, None));
    assert_eq!(ports(&out), [0, 1, 2, 3, 5]);
    assert!(out.iter().all(|(_, out)| out[12] == 8));
    // A telephone does, with its tag.
    let out = chip.forward(0, &frame([0xFF; 6], 2, Some(VOICE)));
    assert_eq!(ports(&out), [1, 2, 3, 4, 5]);
    assert!(out.iter().all(|(_, out)| out[12..16] == [0x81, 0x00, 0xA1, 0x2C]));
    // What was learned in one network is not known in the other: the telephone is not found from the office, only asked for.
    let out = chip.forward(UPLINK.into(), &frame(mac(2), 1, None));
    assert_eq!(ports(&out), [0, 1, 2, 3, 5]);
    assert!(out.iter().all(|(_, out)| out[12] == 8), "never with the tag");
    assert_eq!(ports(&chip.forward(3, &frame(mac(2), 3, Some(VOICE)))), [0]);
    // A VLAN that there is not.
    assert_eq!(chip.forward(0, &frame([0xFF; 6], 2, Some(VOICE + 1))), []);
}

#[test]
fn a_switch_that_is_set_up_is_adopted() {
    for voice in [None, Some(VOICE)] {
        let (chip, _) = set(voice);
        let tables = chip.0.borrow().vlan(VOICE);
        chip.0.borrow_mut().forward(1, &frame(mac(9), 1, voice));
        let mut again = Ksz9477::new(chip.clone());
        assert_eq!(block_on(again.set(voice)), Ok(false), "{voice:?}");
        // What it had learned it still knows, and its tables are as they were.
        let out = chip.0.borrow_mut().forward(2, &frame(mac(1), 2, voice));
        assert_eq!((ports(&out), chip.0.borrow().vlan(VOICE)), (vec![1], tables));
    }
}

#[test]
fn another_voice_network_leaves_nothing_of_the_one_before() {
    let (chip, mut driver) = set(Some(VOICE));
    assert_eq!(block_on(driver.set(Some(400))), Ok(true));
    assert_eq!(chip.0.borrow().vlan(VOICE), None);
    assert_eq!(chip.0.borrow().vlan(400), Some((0, 0x3F)));
    assert_eq!(block_on(driver.check(None)), Err(Error::Forgotten));
    assert_eq!(block_on(driver.set(None)), Ok(true));
    let out = chip.0.borrow_mut().forward(0, &frame([0xFF; 6], 1, Some(9)));
    assert_eq!(ports(&out), [1, 2, 3, 4, 5], "tags are none of its business");
}

#[test]
fn faults_are_told_and_mended() {
    let (chip, mut driver) = set(Some(VOICE));
    let fault = |fault: fn(&mut twin::Faults)| fault(&mut chip.0.borrow_mut().faults);
    fault(|f| f.low = 1);
    assert_eq!(block_on(driver.check(Some(VOICE))), Err(Error::Absent([0; 4])));
    fault(|f| f.high = 1);
    assert_eq!(block_on(driver.check(Some(VOICE))), Err(Error::Absent([0xFF; 4])));
    fault(|f| f.high = 2);
    assert_eq!(
        block_on(driver.link(0)),
        Ok(Link::Down),
        "a bus at rest is no link"
    );
    assert_eq!(block_on(driver.check(Some(VOICE))), Ok(()));
    fault(|f| f.stuck = 100);
    assert_eq!(block_on(driver.set(Some(400))), Err(Error::Stuck));
    assert_eq!(block_on(driver.counter(0, Counter::CrcErrors)), Err(Error::Stuck));
    fault(|f| f.stuck = 0);
    assert_eq!(block_on(driver.set(Some(400))), Ok(true));
    // A bit that flips on the way may have a table written that was right already, and leaves none wrong.
    let tables = chip.0.borrow().vlan(400);
    for reads in 0..80 {
        chip.0.borrow_mut().faults.flip_after = Some(reads);
        let _ = block_on(driver.set(Some(400)));
        chip.0.borrow_mut().faults.flip_after = None;
        assert!(block_on(driver.set(Some(400))).is_ok());
        assert_eq!(
            (block_on(driver.set(Some(400))), chip.0.borrow().vlan(400)),
            (Ok(false), tables),
            "{reads}"
        );
    }
    chip.0.borrow_mut().brown_out();
    assert_eq!(block_on(driver.check(Some(400))), Err(Error::Forgotten));
    assert_eq!(block_on(driver.set(Some(400))), Ok(true));
    assert_eq!(block_on(driver.check(Some(400))), Ok(()));
}

#[test]
fn links_and_counters() {
    let (chip, mut driver) = set(None);
    assert_eq!(block_on(driver.link(3)), Ok(Link::Mbps100));
    chip.0.borrow_mut().plug(3, false);
    assert_eq!(block_on(driver.link(3)), Ok(Link::Down));
    chip.0.borrow_mut().plug(3, true);
    assert_eq!(block_on(driver.link(3)), Ok(Link::Mbps100));
    for _ in 0..3 {
        chip.0.borrow_mut().spoiled(3);
    }
    assert_eq!(block_on(driver.counter(3, Counter::CrcErrors)), Ok(3));
    assert_eq!(block_on(driver.counter(3, Counter::CrcErrors)), Ok(0));
    assert_eq!(block_on(driver.counter(2, Counter::CrcErrors)), Ok(0));
}
