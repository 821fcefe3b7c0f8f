//! Denwaban's image: moves bytes and time between the board and the gateway, and holds no telephone logic.
#![no_std]
#![no_main]

mod board;
mod log;


use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    let last_run = board::retained::take();
    let board = match board::init() {
        Ok(board) => board,
        Err(error) => panic!("board: {error:?}"),
    };
    log!("boot: reset {:?} {}", last_run.reset, last_run.panic());
    let _ = board;
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
