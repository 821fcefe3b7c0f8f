//! One run of a scenario: its folder, its clock and its timeline.

use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A run. Its folder is `target/hil/<name>`; what an earlier run of the same name left there is removed.
pub struct Run {
    /// Where everything of this run is kept.
    pub folder: PathBuf,
    /// When it began.
    pub start: Instant,
    /// Drives the switches' faults; printed, and taken from `DENWABAN_SEED` if that is set.
    pub seed: u64,
    /// Held as long as the run lasts: two runs must not share a folder.
    _lock: File,
}

impl Run {
    /// Begins one.
    pub fn begin(name: &str) -> Result<Run> {
        let runs = target().join("hil");
        std::fs::create_dir_all(&runs)?;
        let lock = File::create(runs.join(format!("{name}.lock")))?;
        lock.try_lock()
            .with_context(|| format!("another run of {name} is going on"))?;
        let folder = runs.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let seed = match std::env::var("DENWABAN_SEED") {
            Ok(text) => text.parse().context("DENWABAN_SEED")?,
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)?
                .subsec_nanos()
                .into(),
        };
        Ok(Run {
            folder,
            start: Instant::now(),
            seed,
            _lock: lock,
        })
    }

    /// Prints a line of the timeline with the time since the beginning.
    pub fn say(&self, text: impl std::fmt::Display) {
        println!("{:>9.3} s  {text}", self.start.elapsed().as_secs_f64());
    }
}

/// Cargo's target folder of this workspace.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => folder.into(),
        None => workspace().join("target"),
    }
}

/// The workspace's own folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Prints a figure in the form that is compared and plotted.
pub fn figure(name: &str, value: impl std::fmt::Display, unit: &str) {
    println!("figure {name} {value} {unit}");
}
