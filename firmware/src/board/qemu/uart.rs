//! UART1 (CMSDK APB UART, ARM DDI 0479 §4.3): octets from and to the twins.

use core::cell::RefCell;
use critical_section::Mutex;
use heapless::Deque;

use super::{lines, mmio::Block};

const UART1: Block = Block::at(0x4000_5000);
const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CTRL: usize = 0x08;
const INTCLEAR: usize = 0x0C;
const BAUDDIV: usize = 0x10;

const FULL_OUT: u32 = 1 << 0;
const FULL_IN: u32 = 1 << 1;
/// Both directions, and an interrupt when something has come.
const ENABLE: u32 = 0b1011;
const CAME: u32 = 1 << 1;

/// What came and was not read yet: a frame and the next. What does not fit is sent again.
static CAME_IN: Mutex<RefCell<Deque<u8, 128>>> = Mutex::new(RefCell::new(Deque::new()));

/// Turns it on.
pub fn init() {
    UART1.write(BAUDDIV, 16);
    UART1.write(CTRL, ENABLE);
    // QEMU gives nothing before this was read once.
    UART1.read(DATA);
}

/// Writes; waits while the buffer of one octet is full.
pub fn write(octets: &[u8]) {
    for &octet in octets {
        while UART1.read(STATE) & FULL_OUT != 0 {}
        UART1.write(DATA, u32::from(octet));
    }
}

/// The next octet that came.
pub fn read() -> Option<u8> {
    critical_section::with(|cs| CAME_IN.borrow_ref_mut(cs).pop_front())
}

/// Has something come?
pub fn is_readable() -> bool {
    critical_section::with(|cs| !CAME_IN.borrow_ref(cs).is_empty())
}

/// The interrupt.
pub fn on_receive() {
    UART1.write(INTCLEAR, CAME);
    critical_section::with(|cs| {
        let mut came = CAME_IN.borrow_ref_mut(cs);
        while UART1.read(STATE) & FULL_IN != 0 {
            let _ = came.push_back(UART1.read(DATA) as u8);
        }
    });
    lines::WAKER.wake();
}
