//! Denwaban's image: moves bytes and time between the board and the gateway, and holds no telephone logic.
//!
//! `main` reads the flash, starts three interrupt executors and then only writes the log and sleeps. In `audio` (most urgent)
//! run the analog lines' audio chains; in `net` the IP stack, the brain, the trunk, MQTT, the announcement players, the lines'
//! circuits and the ports with power; in `work` (may take long) the flash and the watchdog.
#![no_std]
#![no_main]

mod board;
mod brain;
mod files;
mod hub;
mod lights;
mod lines;
mod log;
mod net;
mod player;
mod power;
mod services;
mod start;
mod trunk;
mod uplink;
mod watchdog;
mod work;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    if let Some(ready) = start::prepare() {
        start::run(ready);
    }
    loop {
        log::drain(board::console_write);
        // Interrupts off between the look and the sleep: a line logged in between would wait for the next interrupt.
        critical_section::with(|_| {
            if log::is_empty() {
                cortex_m::asm::wfi();
            }
        });
    }
}
