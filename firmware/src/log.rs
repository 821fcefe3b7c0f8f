//! The log: lines into a ring, written out by the main loop when nothing else runs.
//!
//! A log port carries some 30 kB/s; nothing may wait for it. When the ring is full the newest line is dropped and counted.

use core::cell::RefCell;
use core::fmt::{self, Write};
use critical_section::Mutex;
use heapless::{Deque, String};

const RING: usize = 1536;
const LINE: usize = 240;

struct Ring {
    bytes: Deque<u8, RING>,
    dropped: u32,
}

static LOG: Mutex<RefCell<Ring>> = Mutex::new(RefCell::new(Ring {
    bytes: Deque::new(),
    dropped: 0,
}));

/// Appends one line, with the uptime in milliseconds before it. A line longer than 240 bytes is cut.
pub fn line(arguments: fmt::Arguments<'_>) {
    let mut text = String::<LINE>::new();
    let _ = write!(text, "{:>8} ", embassy_time::Instant::now().as_millis());
    let _ = text.write_fmt(arguments);
    critical_section::with(|cs| {
        let mut ring = LOG.borrow_ref_mut(cs);
        if ring.bytes.len() + text.len() + 1 > RING {
            ring.dropped += 1;
            return;
        }
        for byte in text.bytes().chain([b'\n']) {
            let _ = ring.bytes.push_back(byte);
        }
    });
}

/// Writes out what is in the ring. `true`: there was something.
pub fn drain(mut write: impl FnMut(&[u8])) -> bool {
    let mut any = false;
    loop {
        let mut chunk = [0; 32];
        let (length, dropped) = critical_section::with(|cs| {
            let mut ring = LOG.borrow_ref_mut(cs);
            let mut length = 0;
            for slot in &mut chunk {
                let Some(byte) = ring.bytes.pop_front() else { break };
                *slot = byte;
                length += 1;
            }
            (
                length,
                if length == 0 {
                    core::mem::take(&mut ring.dropped)
                } else {
                    0
                },
            )
        });
        if length == 0 {
            if dropped != 0 {
                line(format_args!("log: {dropped} lines dropped"));
                continue;
            }
            return any;
        }
        any = true;
        write(chunk.get(..length).unwrap_or_default());
    }
}

/// Is there nothing to write out?
pub fn is_empty() -> bool {
    critical_section::with(|cs| LOG.borrow_ref(cs).bytes.is_empty())
}

/// Logs one line, with the uptime in milliseconds.
#[macro_export]
macro_rules! log {
    ($($argument:tt)*) => { $crate::log::line(format_args!($($argument)*)) };
}
