//! The last thing that runs: the panic is kept over the reset, written to the log port, and the box starts again.

use crate::board;
use core::panic::PanicInfo;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

fn stop(what: core::fmt::Arguments<'_>) -> ! {
    cortex_m::interrupt::disable();
    let uptime = embassy_time::Instant::now().as_millis();
    board::retained::put_panic(uptime, what);
    crate::log::line(format_args!("panic: {what}"));
    crate::log::drain(board::console_write);
    SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => stop(format_args!("{}:{}: {}", at.file(), at.line(), info.message())),
        None => stop(format_args!("{}", info.message())),
    }
}

// SAFETY: does not return, so it does not matter what the fault left half done.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    stop(format_args!(
        "hard fault, pc {:#010x} lr {:#010x}",
        frame.pc(),
        frame.lr()
    ))
}
