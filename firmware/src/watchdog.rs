//! The watchdog is fed only when every part of the firmware has checked in.

use core::future::Future;
use core::sync::atomic::{AtomicU32, Ordering};
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};

use crate::board;

/// Who must be alive.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Part {
    /// The brain, and with it the executor `net`.
    Brain = 1 << 0,
    /// The flash, and with it the executor `work`.
    Work = 1 << 1,
    /// The lines' audio, and with it the executor `audio`; only where there are lines.
    Audio = 1 << 2,
}

static EXPECTED: AtomicU32 = AtomicU32::new(Part::Brain as u32 | Part::Work as u32);
/// A part that has nothing to do says so as often. The hardware waits 10 s.
const SIGN: Duration = Duration::from_secs(1);

static SEEN: AtomicU32 = AtomicU32::new(0);

/// The audio runs from now on, and has to go on.
pub fn expect_audio() {
    EXPECTED.fetch_or(Part::Audio as u32, Ordering::AcqRel);
}

/// `part` is alive.
pub fn check_in(part: Part) {
    SEEN.fetch_or(part as u32, Ordering::AcqRel);
}

/// Waits for `future`, checking in meanwhile.
pub async fn patient<F: Future>(part: Part, future: F) -> F::Output {
    let mut future = core::pin::pin!(future);
    loop {
        check_in(part);
        if let Either::First(output) = select(&mut future, Timer::after(SIGN)).await {
            return output;
        }
    }
}

/// Feeds the hardware.
#[embassy_executor::task]
pub async fn run(mut watchdog: board::Running) -> ! {
    loop {
        Timer::after(SIGN).await;
        if SEEN.load(Ordering::Acquire) == EXPECTED.load(Ordering::Acquire) {
            SEEN.store(0, Ordering::Release);
            watchdog.feed();
        }
    }
}
