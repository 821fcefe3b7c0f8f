//! CMSDK APB watchdog (ARM DDI 0479, §4.6): the first time-out raises its flag, the second resets the machine.

use super::mmio::Block;

const WATCHDOG: Block = Block::at(0x4000_8000);
const LOAD: usize = 0x000;
const CONTROL: usize = 0x008;
const INTCLEAR: usize = 0x00C;
const LOCK: usize = 0xC00;
const UNLOCK: u32 = 0x1ACC_E551;

/// Half of the time to the reset: 5 s at 25 MHz, so a box that hangs starts again after at most 10 s.
const HALF: u32 = 5 * 25_000_000;

/// The watchdog, not yet running.
pub struct Watchdog(());

/// The running watchdog.
pub struct Running(());

impl Watchdog {
    /// The device.
    pub(super) fn take() -> Self {
        Watchdog(())
    }

    /// Starts it; from now on it must be fed.
    pub fn start(self) -> Running {
        WATCHDOG.write(LOCK, UNLOCK);
        WATCHDOG.write(LOAD, HALF);
        WATCHDOG.write(CONTROL, 0b11);
        WATCHDOG.write(LOCK, 0);
        Running(())
    }
}

impl Running {
    /// Holds the reset off for another period.
    pub fn feed(&mut self) {
        WATCHDOG.write(LOCK, UNLOCK);
        WATCHDOG.write(INTCLEAR, 1);
        WATCHDOG.write(LOAD, HALF);
        WATCHDOG.write(LOCK, 0);
    }
}

/// Stops it, for the moment of an emulated power cut: a processor without power does not reset itself.
pub fn stop() {
    WATCHDOG.write(LOCK, UNLOCK);
    WATCHDOG.write(CONTROL, 0);
}
