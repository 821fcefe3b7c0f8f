//! QEMU's `mps2-an500`: Cortex-M7, LAN9118, CMSDK timers, UARTs and watchdog, 16 MiB PSRAM.
//!
//! The PSRAM is a file of the host: all of it but the last sector is the box's NOR flash, the last sector is where the
//! rig and the board talk (`hil_wire`). Addresses and interrupt numbers: ARM DAI 0500 (AN500) and QEMU `hw/arm/mps2.c`.

mod flash;
mod irq;
mod lines;
mod mmio;
mod pcm;
mod time;
mod uart;
mod watchdog;

pub use flash::Flash;
pub use irq::{spawner, start_executors};
pub use lines::{Bus, Hooks, Hub, I2c, Lines, Pin, Select};
pub use mmio::console_write;
pub use pcm::Pcm;
pub use time::{WORK_UNIT, work_time};
pub use watchdog::{Running, Watchdog};

use hil_wire as wire;

/// The Ethernet MAC with its driver.
pub type Mac = lan9118::Lan9118<mmio::LanRegisters>;

/// The board after `init`.
pub struct Board {
    /// Ethernet.
    pub mac: Mac,
    /// External NOR flash.
    pub flash: Flash,
    /// Watchdog, not yet running.
    pub watchdog: Watchdog,
    /// Randomness for this run.
    pub seed: [u8; 32],
    /// The analog lines, if there are any.
    pub lines: Option<Lines>,
    /// The hub, if there is one.
    pub hub: Option<Hub>,
    /// The indicator lights; without the rig's twins nobody sees them.
    pub lights: [Pin; 3],
}

/// Starts clock, log and Ethernet.
///
/// # Errors
/// Ethernet that does not answer.
pub fn init() -> Result<Board, lan9118::Error> {
    mmio::console_init();
    time::init();
    let mac = lan9118::Lan9118::new(mmio::LanRegisters::take(), &irq::ETHERNET)?;
    irq::enable_devices();
    let mut seed = [0; wire::SEED_LEN];
    mmio::shared_bytes(wire::SHARED_SEED, &mut seed);
    let [.., a, b] = seed;
    let (lines, hub) = lines::take(u16::from_le_bytes([a, b])).unzip();
    Ok(Board {
        mac,
        flash: Flash::take(),
        watchdog: Watchdog::take(),
        seed,
        lines,
        hub,
        lights: lines::lights(),
    })
}
