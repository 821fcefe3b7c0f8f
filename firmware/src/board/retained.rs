//! RAM that a reset does not clear: the last panic and why the box started.
//!
//! The start-up code neither zeroes nor loads `.uninit`, so the record is there after a warm reset and is noise after a
//! power cut; magic and checksum tell which.

use core::cell::UnsafeCell;
use core::fmt::Write;
use core::mem::MaybeUninit;

/// Longest panic text kept, bytes.
pub const TEXT: usize = 240;

const MAGIC: u32 = u32::from_le_bytes(*b"KEEP");

#[repr(C)]
#[derive(Clone, Copy)]
struct Record {
    magic: u32,
    /// 0 running, 1 panicked.
    mark: u32,
    uptime_ms: u64,
    length: u32,
    text: [u8; TEXT],
    check: u32,
}

impl Record {
    fn checksum(&self) -> u32 {
        // FNV-1a: tells noise from a record, no more is asked of it.
        let mut hash = 0x811C_9DC5_u32;
        let mut add = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        self.mark.to_le_bytes().into_iter().for_each(&mut add);
        self.uptime_ms.to_le_bytes().into_iter().for_each(&mut add);
        self.length.to_le_bytes().into_iter().for_each(&mut add);
        self.text.iter().copied().for_each(&mut add);
        hash
    }
}

struct Retained(UnsafeCell<MaybeUninit<Record>>);

// SAFETY: one core; `take` runs once before any interrupt is enabled, `put` runs with interrupts off.
unsafe impl Sync for Retained {}

#[unsafe(link_section = ".uninit.retained")]
static RETAINED: Retained = Retained(UnsafeCell::new(MaybeUninit::uninit()));

/// Why the processor started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Power was applied, or the retained memory did not survive.
    PowerOn,
    /// The last run panicked or faulted.
    Panic,
    /// The last run was stopped by the watchdog, or reset from outside.
    Watchdog,
}

/// What the last run left behind.
pub struct LastRun {
    /// Why the processor started.
    pub reset: Reset,
    /// Uptime at the panic, milliseconds.
    pub uptime_ms: u64,
    text: [u8; TEXT],
    length: usize,
}

impl LastRun {
    /// The panic's place and message; empty if there was none.
    pub fn panic(&self) -> &str {
        let bytes = self.text.get(..self.length).unwrap_or_default();
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(cut) => {
                core::str::from_utf8(bytes.get(..cut.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
        }
    }
}

/// Reads the record of the last run and marks this run as running. Call once, before interrupts are enabled.
pub fn take() -> LastRun {
    // SAFETY: every bit pattern is a valid `Record` (integers only); the volatile read of memory that nobody wrote in
    // this run is what the section is for. No interrupt is enabled yet, so there is no other access.
    let record = unsafe { RETAINED.0.get().cast::<Record>().read_volatile() };
    let valid = record.magic == MAGIC && record.check == record.checksum();
    let reset = match (valid, record.mark) {
        (false, _) => Reset::PowerOn,
        (true, 1) => Reset::Panic,
        (true, _) => Reset::Watchdog,
    };
    let keep = reset == Reset::Panic;
    store(0, 0, &[]);
    LastRun {
        reset,
        uptime_ms: if keep { record.uptime_ms } else { 0 },
        text: record.text,
        length: if keep {
            (record.length as usize).min(TEXT)
        } else {
            0
        },
    }
}

/// Keeps a panic over the coming reset. Interrupts must be off.
pub fn put_panic(uptime_ms: u64, what: core::fmt::Arguments<'_>) {
    let mut text = heapless::String::<TEXT>::new();
    // A message that is too long is cut; the place comes first.
    let _ = text.write_fmt(what);
    store(1, uptime_ms, text.as_bytes());
}

fn store(mark: u32, uptime_ms: u64, bytes: &[u8]) {
    let mut record = Record {
        magic: MAGIC,
        mark,
        uptime_ms,
        length: 0,
        text: [0; TEXT],
        check: 0,
    };
    for (to, from) in record.text.iter_mut().zip(bytes) {
        *to = *from;
        record.length += 1;
    }
    record.check = record.checksum();
    // SAFETY: called with interrupts off or before they are enabled, so nobody else touches the cell.
    unsafe { RETAINED.0.get().cast::<Record>().write_volatile(record) };
}
