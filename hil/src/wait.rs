//! Waiting for events with deadlines; the rig never sleeps for a fixed time.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How often a condition is looked at again.
const STEP: Duration = Duration::from_millis(3);

/// Looks at `condition` until it gives a value; an error naming `what` after `within`.
pub fn wait_for<T>(what: &str, within: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if start.elapsed() > within {
            bail!("{what}: not within {:.1} s", within.as_secs_f64());
        }
        std::thread::sleep(STEP);
    }
}

/// Watches that `forbidden` stays without a value for the whole of `time`; an error naming `what` if it gets one.
pub fn never<T: std::fmt::Debug>(
    what: &str,
    time: Duration,
    mut forbidden: impl FnMut() -> Option<T>,
) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Some(value) = forbidden() {
            bail!("{what}: {value:?} after {:.3} s", start.elapsed().as_secs_f64());
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// Whole seconds.
pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
