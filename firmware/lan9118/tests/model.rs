//! The driver on a model of the chip's registers: FIFOs, interrupt logic, MAC and PHY behind their indirect registers.
//! Offsets and bits are written out here again from the datasheet (DS00002266), not taken from the driver.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use embassy_net_driver::{Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use lan9118::{Counters, Error, Lan9118, Registers};

const RSFL: u32 = 1 << 3;
const TDFA: u32 = 1 << 9;
const PHY_INT: u32 = 1 << 18;

struct Chip {
    byte_test: u32,
    id: u32,
    irq_cfg: u32,
    int_sts: u32,
    int_en: u32,
    tx_cfg: u32,
    mac: [u32; 13],
    mac_data: u32,
    phy: [u16; 32],
    statuses: VecDeque<u32>,
    words: VecDeque<u32>,
    tx_free: u32,
    tx_words: Vec<u32>,
    tx_statuses: u32,
    /// A frame that arrives just after the interrupts are enabled.
    late: Option<Vec<u8>>,
}

impl Chip {
    fn new() -> Self {
        let mut chip = Chip {
            byte_test: 0x8765_4321,
            id: 0x0118_0001,
            irq_cfg: 0,
            int_sts: 0,
            int_en: 0,
            tx_cfg: 0,
            mac: [0; 13],
            mac_data: 0,
            phy: [0; 32],
            statuses: VecDeque::new(),
            words: VecDeque::new(),
            tx_free: 4_608,
            tx_words: Vec::new(),
            tx_statuses: 0,
            late: None,
        };
        chip.mac[2] = 0x0000_0605;
        chip.mac[3] = 0x0403_0202;
        chip.phy[1] = 0x7829 | 1 << 2;
        chip
    }

    fn arrive(&mut self, frame: &[u8], error: bool) {
        let mut bytes = frame.to_vec();
        bytes.extend([0xC0, 0xC1, 0xC2, 0xC3]);
        self.statuses
            .push_back((bytes.len() as u32) << 16 | u32::from(error) << 15);
        for chunk in bytes.chunks(4) {
            let mut word = [0xEE; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.words.push_back(u32::from_le_bytes(word));
        }
        self.int_sts |= RSFL;
    }

    fn read(&mut self, offset: u16) -> u32 {
        match offset {
            0x00..0x20 => self
                .words
                .pop_front()
                .expect("the data FIFO is not read beyond its end"),
            0x40 => self
                .statuses
                .pop_front()
                .expect("the status FIFO is not read beyond its end"),
            0x48 => {
                self.tx_statuses = self.tx_statuses.checked_sub(1).expect("a status is there");
                0
            }
            0x50 => self.id,
            0x58 => self.int_sts,
            0x64 => self.byte_test,
            0x74 => 0,
            0x7C => ((self.statuses.len() as u32) << 16) | (4 * self.words.len() as u32),
            0x80 => self.tx_statuses << 16 | self.tx_free,
            0xA4 => 0,
            0xA8 => self.mac_data,
            other => panic!("read of {other:#x}"),
        }
    }

    fn write(&mut self, offset: u16, value: u32) {
        match offset {
            0x20..0x40 => {
                self.tx_words.push(value);
                let length = self.tx_words[0] & 0x7FF;
                if self.tx_words.len() as u32 == 2 + length.div_ceil(4) {
                    self.tx_statuses += 1;
                }
            }
            0x54 => self.irq_cfg = value,
            0x58 => self.int_sts &= !value,
            0x5C => {
                self.int_en = value;
                if value & RSFL != 0
                    && let Some(frame) = self.late.take()
                {
                    self.arrive(&frame, false);
                }
            }
            0x70 => self.tx_cfg = value,
            0x68 | 0x6C | 0x74 => {}
            0xA4 => self.mac_csr(value),
            0xA8 => self.mac_data = value,
            other => panic!("write of {other:#x}"),
        }
    }

    fn mac_csr(&mut self, command: u32) {
        let index = (command & 0xFF) as usize;
        if command & 1 << 30 != 0 {
            self.mac_data = self.mac[index];
            return;
        }
        self.mac[index] = self.mac_data;
        if index == 6 {
            let access = self.mac_data;
            assert_eq!(access >> 11 & 0x1F, 1, "the internal PHY has address 1");
            let register = (access >> 6 & 0x1F) as usize;
            if access & 2 != 0 {
                self.phy[register] = self.mac[7] as u16;
            } else {
                self.mac[7] = u32::from(self.phy[register]);
            }
            self.mac[6] &= !1;
        }
    }
}

#[derive(Clone)]
struct Bus(Rc<RefCell<Chip>>);

impl Registers for Bus {
    fn read(&mut self, offset: u16) -> u32 {
        self.0.borrow_mut().read(offset)
    }

    fn write(&mut self, offset: u16, value: u32) {
        self.0.borrow_mut().write(offset, value);
    }
}

type Driven = (Lan9118<Bus>, Rc<RefCell<Chip>>);

fn start() -> Driven {
    let chip = Rc::new(RefCell::new(Chip::new()));
    let waker = Box::leak(Box::new(AtomicWaker::new()));
    (Lan9118::new(Bus(chip.clone()), waker).unwrap(), chip)
}

fn receive(driver: &mut Lan9118<Bus>) -> Option<Vec<u8>> {
    let mut cx = Context::from_waker(Waker::noop());
    driver
        .receive(&mut cx)
        .map(|(rx, _)| rx.consume(|frame| frame.to_vec()))
}

fn frame(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + length) as u8).collect()
}

#[test]
fn another_chip_or_none_is_refused() {
    let cases: [(u32, u32, Error); 3] = [
        (0, 0x0118_0001, Error::NoChip(0)),
        (0x2143_6587, 0x0118_0001, Error::NoChip(0x2143_6587)),
        (0x8765_4321, 0x9218_0000, Error::WrongChip(0x9218_0000)),
    ];
    for (byte_test, id, error) in cases {
        let mut chip = Chip::new();
        (chip.byte_test, chip.id) = (byte_test, id);
        let waker = Box::leak(Box::new(AtomicWaker::new()));
        let bus = Bus(Rc::new(RefCell::new(chip)));
        assert_eq!(Lan9118::new(bus, waker).err(), Some(error));
    }
}

#[test]
fn started_it_has_its_address_an_active_high_interrupt_and_both_directions_on() {
    let (driver, chip) = start();
    assert_eq!(
        driver.hardware_address(),
        HardwareAddress::Ethernet([2, 2, 3, 4, 5, 6])
    );
    let chip = chip.borrow();
    assert_eq!(chip.irq_cfg, 0x111);
    assert_eq!(chip.int_en & (RSFL | PHY_INT), RSFL | PHY_INT);
    assert_eq!(chip.tx_cfg, 2);
    assert_eq!(chip.mac[1] & 0xC, 0xC);
    assert_eq!(chip.phy[0] & 0x1200, 0x1200, "auto-negotiation");
}

#[test]
fn frames_of_every_length_come_out_whole_and_in_order() {
    let (mut driver, chip) = start();
    for length in (14..70).chain([1_513, 1_514, 1_519, 1_520]) {
        chip.borrow_mut().arrive(&frame(length), false);
    }
    for length in (14..70).chain([1_513, 1_514, 1_519, 1_520]) {
        assert_eq!(receive(&mut driver), Some(frame(length)), "{length}");
    }
    assert_eq!(receive(&mut driver), None);
    assert!(chip.borrow().words.is_empty());
}

#[test]
fn bad_frames_are_counted_and_do_not_stop_the_good_ones() {
    let (mut driver, chip) = start();
    chip.borrow_mut().arrive(&frame(100), true);
    chip.borrow_mut().arrive(&frame(1_521), false);
    chip.borrow_mut().statuses.push_back(0);
    chip.borrow_mut().arrive(&frame(60), false);
    assert_eq!(receive(&mut driver), Some(frame(60)));
    assert_eq!(
        driver.counters(),
        Counters {
            received: 1,
            bad: 3,
            ..Counters::default()
        }
    );
}

#[test]
fn a_frame_that_arrives_while_interrupts_are_enabled_is_not_lost() {
    let (mut driver, chip) = start();
    chip.borrow_mut().late = Some(frame(60));
    assert_eq!(receive(&mut driver), Some(frame(60)));
    // The handler masks; a driver that found nothing more unmasks.
    chip.borrow_mut().write(lan9118::INT_EN, 0);
    assert_eq!(receive(&mut driver), None);
    assert_eq!(chip.borrow().int_en & RSFL, RSFL);
    assert_eq!(chip.borrow().int_sts & RSFL, 0);
}

#[test]
fn a_frame_goes_out_as_two_commands_and_its_words() {
    let (mut driver, chip) = start();
    let mut cx = Context::from_waker(Waker::noop());
    driver
        .transmit(&mut cx)
        .unwrap()
        .consume(61, |to| to.copy_from_slice(&frame(61)));
    let words = std::mem::take(&mut chip.borrow_mut().tx_words);
    assert_eq!(words[..2], [0x3000 | 61, 61]);
    let bytes: Vec<u8> = words[2..].iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(bytes.len(), 64);
    assert_eq!(bytes[..61], frame(61));
    assert_eq!(chip.borrow().tx_statuses, 0, "results are read away");
}

#[test]
fn without_room_nothing_is_sent_and_room_wakes() {
    let (mut driver, chip) = start();
    let mut cx = Context::from_waker(Waker::noop());
    chip.borrow_mut().tx_free = 1_000;
    assert!(driver.transmit(&mut cx).is_none());
    assert_eq!(chip.borrow().int_en & TDFA, TDFA);
    // A reply to a frame has a token without having looked: it is dropped and counted.
    chip.borrow_mut().arrive(&frame(60), false);
    let (_, token) = driver.receive(&mut cx).unwrap();
    token.consume(60, |to| to.fill(0));
    assert!(chip.borrow().tx_words.is_empty());
    assert_eq!(driver.counters().no_room, 1);
    chip.borrow_mut().tx_free = 4_608;
    assert!(driver.transmit(&mut cx).is_some());
    assert_eq!(receive(&mut driver), None);
    assert_eq!(chip.borrow().int_en & TDFA, 0);
}

#[test]
fn the_link_follows_the_phy() {
    let (mut driver, chip) = start();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(driver.link_state(&mut cx), LinkState::Up));
    chip.borrow_mut().phy[1] &= !4;
    assert!(
        matches!(driver.link_state(&mut cx), LinkState::Up),
        "not asked without an interrupt"
    );
    chip.borrow_mut().int_sts |= PHY_INT;
    assert!(matches!(driver.link_state(&mut cx), LinkState::Down));
    assert_eq!(chip.borrow().int_sts & PHY_INT, 0);
    chip.borrow_mut().phy[1] |= 4;
    chip.borrow_mut().int_sts |= PHY_INT;
    assert!(matches!(driver.link_state(&mut cx), LinkState::Up));
}
