//! Vector table, priorities and the interrupt executors.

use super::{mmio, time, uart};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_executor::{InterruptExecutor, SendSpawner, Spawner};
use embassy_sync::waitqueue::AtomicWaker;

/// Wakes the network when the MAC has something.
pub static ETHERNET: AtomicWaker = AtomicWaker::new();

/// Interrupts in use. The executors borrow the lines of devices that the firmware does not use (GPIO 0 and 1, dual timer).
#[derive(Clone, Copy)]
#[repr(u16)]
enum Line {
    /// UART1 has received.
    Lines = 2,
    /// GPIO 0: executor of the network.
    Net = 6,
    /// GPIO 1: executor of slow work.
    Work = 7,
    /// CMSDK timer 1: the alarm.
    Alarm = 9,
    /// Dual timer: executor of audio.
    Audio = 10,
    /// LAN9118.
    Ethernet = 13,
}

// SAFETY: the numbers are fixed and below the 32 lines of this machine.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self as u16
    }
}

static AUDIO: InterruptExecutor = InterruptExecutor::new();
static NET: InterruptExecutor = InterruptExecutor::new();
static WORK: InterruptExecutor = InterruptExecutor::new();

/// Where tasks are spawned, by urgency.
pub struct Executors {
    /// The analog lines' audio.
    pub audio: SendSpawner,
    /// Network, SIP, announcements.
    pub net: SendSpawner,
    /// Flash and everything that may take long.
    pub work: SendSpawner,
}

fn set_priority(line: Line, priority: u8) {
    // SAFETY: called before the line is unmasked; no critical section here relies on priorities (PRIMASK is used).
    unsafe { cortex_m::Peripherals::steal().NVIC.set_priority(line, priority) };
}

/// Starts the executors.
pub fn start_executors() -> Executors {
    set_priority(Line::Audio, 0x40);
    set_priority(Line::Net, 0x80);
    set_priority(Line::Work, 0xC0);
    Executors {
        audio: AUDIO.start(Line::Audio),
        net: NET.start(Line::Net),
        work: WORK.start(Line::Work),
    }
}

/// The spawner of the executor that runs the calling task, for tasks that share what cannot cross executors.
pub async fn spawner() -> Spawner {
    // SAFETY: only tasks call this (there is no other executor of futures but `block_on`, which calls nothing of it).
    unsafe { Spawner::for_current_executor().await }
}

/// Lets the devices interrupt.
pub fn enable_devices() {
    for line in [Line::Alarm, Line::Ethernet, Line::Lines] {
        set_priority(line, 0x20);
        // SAFETY: the handlers below are in the table and what they use is initialised statically.
        unsafe { NVIC::unmask(line) };
    }
}

extern "C" fn audio() {
    // SAFETY: as for `net`.
    unsafe { AUDIO.on_interrupt() }
}

extern "C" fn net() {
    // SAFETY: the handler of `Line::Net`, which `start` unmasks after the executor exists; called from nowhere else.
    unsafe { NET.on_interrupt() }
}

extern "C" fn work() {
    // SAFETY: as for `net`.
    unsafe { WORK.on_interrupt() }
}

extern "C" fn lines() {
    uart::on_receive();
}

extern "C" fn alarm() {
    time::on_alarm();
}

extern "C" fn ethernet() {
    mmio::silence_ethernet();
    ETHERNET.wake();
}

extern "C" fn unused() {
    panic!("interrupt of an unused device");
}

/// The external interrupts of the vector table; cortex-m-rt puts it behind the exceptions.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [extern "C" fn(); 32] = {
    let mut table: [extern "C" fn(); 32] = [unused; 32];
    table[Line::Audio as usize] = audio;
    table[Line::Lines as usize] = lines;
    table[Line::Net as usize] = net;
    table[Line::Work as usize] = work;
    table[Line::Alarm as usize] = alarm;
    table[Line::Ethernet as usize] = ethernet;
    table
};
