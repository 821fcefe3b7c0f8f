//! The events of a box without a cloud, call records among them: one JSON object a line.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use shared::sync::{Event, Message};
use tracing::error;

/// Bytes that wait to be written before it is done in any case.
const FULL: usize = 64 * 1_024;

/// The file.
pub struct Records {
    file: File,
    waiting: Vec<u8>,
    /// The last attempt failed, and was told.
    failing: bool,
}

impl Records {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::options().append(true).create(true).open(path);
        Ok(Self {
            file: file.with_context(|| format!("records {}", path.display()))?,
            waiting: Vec::with_capacity(FULL),
            failing: false,
        })
    }

    /// Takes an event as the brain would have kept it in flash for the cloud. False: it was lost.
    pub fn add(&mut self, event: &[u8]) -> bool {
        let written = Event::decode(event)
            .ok()
            .and_then(|event| serde_json::to_writer(&mut self.waiting, &event).ok());
        self.waiting.push(b'\n');
        written.is_some() && (self.waiting.len() < FULL || self.flush())
    }

    /// Writes what waits; to be called when there is nothing more urgent. False: it was lost.
    pub fn flush(&mut self) -> bool {
        if self.waiting.is_empty() {
            return true;
        }
        let result = self.file.write_all(&self.waiting);
        self.waiting.clear();
        let failed = result.is_err();
        if let Err(error) = result
            && !self.failing
        {
            error!(%error, "records are lost");
        }
        self.failing = failed;
        !failed
    }
}
