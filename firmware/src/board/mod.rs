//! What differs between boards. Each module offers the same names, so that the tasks above know no board:
//!
//! - `init() -> Board`: clocks, interrupts, peripherals; called once, first.
//! - `Board { mac, flash, watchdog, seed, lines, hub, lights }`, `Mac`: `embassy_net_driver::Driver`, `Flash`: `NorFlash`,
//! - `Lines`: what the analog lines hang on; `Bus`: `SpiBus`, `Select` and `Pin`: `OutputPin`, `I2c`: `I2c`, `Hooks`: edges of
//!   the switch hooks, `Pcm`: blocks of 5 ms to and from the codec,
//! - `lights`: pins of the lights UP, SURVIVAL and NO EMERGENCY ROUTE,
//! - `start_executors() -> Executors`: the interrupt executors; `spawner()`: that of the calling task.
//! - `work_time()`, `WORK_UNIT`: a clock to measure work with,
//! - `console_write(&[u8])`: bytes to the log port, blocking.
//!
//! `unsafe` is allowed here and nowhere else in the firmware; every use says why it is sound.

#![allow(unsafe_code)]

#[cfg(all(feature = "board-qemu", feature = "board-h753"))]
compile_error!("choose one board: board-qemu or board-h753");
#[cfg(not(any(feature = "board-qemu", feature = "board-h753")))]
compile_error!("choose a board: --features board-qemu or board-h753");

mod panic;
pub mod retained;

#[cfg(feature = "board-qemu")]
mod qemu;
#[cfg(feature = "board-qemu")]
pub use qemu::*;

#[cfg(all(feature = "board-h753", not(feature = "board-qemu")))]
mod h753;
#[cfg(all(feature = "board-h753", not(feature = "board-qemu")))]
pub use h753::*;

/// Starts the processor again. The start tells it as one that the watchdog has made.
pub fn restart() -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
