//! The interrupt executors. They borrow the lines of three UARTs that the box does not use.

use embassy_executor::{InterruptExecutor, SendSpawner, Spawner};
use embassy_stm32::interrupt;
use embassy_stm32::interrupt::{InterruptExt, Priority};

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

/// Starts the executors, below all device interrupts (which stay at priority 0).
pub fn start_executors() -> Executors {
    interrupt::UART4.set_priority(Priority::P4);
    interrupt::UART7.set_priority(Priority::P8);
    interrupt::UART8.set_priority(Priority::P12);
    Executors {
        audio: AUDIO.start(interrupt::UART4),
        net: NET.start(interrupt::UART7),
        work: WORK.start(interrupt::UART8),
    }
}

/// The spawner of the executor that runs the calling task, for tasks that share what cannot cross executors.
pub async fn spawner() -> Spawner {
    // SAFETY: only tasks call this (there is no other executor of futures but `block_on`, which calls nothing of it).
    unsafe { Spawner::for_current_executor().await }
}

#[interrupt]
unsafe fn UART4() {
    // SAFETY: as for `UART7`.
    unsafe { AUDIO.on_interrupt() }
}

#[interrupt]
unsafe fn UART7() {
    // SAFETY: the handler of the line that `start` unmasks after the executor exists; called from nowhere else.
    unsafe { NET.on_interrupt() }
}

#[interrupt]
unsafe fn UART8() {
    // SAFETY: as for `UART7`.
    unsafe { WORK.on_interrupt() }
}
