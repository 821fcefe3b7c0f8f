//! The events of a box without a cloud, call records among them: one JSON object a line.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use shared::sync::{Event, Message};
use tracing::error;

/// Bytes that wait to be written before it is done in any case.
const FULL: usize = 64 * 1_024;
/// Bytes that wait for a disk that fails; what comes then is lost.
const MOST: usize = 4 * 1_024 * 1_024;

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
        let told = || format!("records {}", path.display());
        let mut options = File::options();
        options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(path);
        let mut file = file.with_context(told)?;
        let mut waiting = Vec::with_capacity(FULL);
        // The power may have gone in the midst of a line: the next one is whole.
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(-1)).is_ok() {
            file.read_exact(&mut last).with_context(told)?;
        }
        if last != *b"\n" {
            waiting.push(b'\n');
        }
        Ok(Self {
            file,
            waiting,
            failing: false,
        })
    }

    /// Takes an event as the brain would have kept it in flash for the cloud. False: it was lost.
    pub fn add(&mut self, event: &[u8]) -> bool {
        if self.waiting.len() >= FULL && !self.failing {
            self.flush();
        }
        let line = Event::decode(event)
            .ok()
            .and_then(|event| serde_json::to_vec(&event).ok());
        let line = line.filter(|line| self.waiting.len() + line.len() < MOST);
        let Some(line) = line else { return false };
        self.waiting.extend(line);
        self.waiting.push(b'\n');
        true
    }

    /// Writes what waits, down to the disk; what could not be written waits on.
    pub fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let written = write(&mut self.file, &mut self.waiting).and_then(|()| self.file.sync_data());
        let failing = written.is_err();
        if let Err(error) = written
            && !self.failing
        {
            error!(%error, "records are not written");
        }
        self.failing = failing;
    }

    /// Whether there is something that is not on the disk yet.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// Writes as much as the file takes and keeps the rest, so that a line that was begun is ended.
fn write(file: &mut impl Write, waiting: &mut Vec<u8>) -> io::Result<()> {
    while !waiting.is_empty() {
        match file.write(waiting) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => _ = waiting.drain(..len),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so much room.
    struct Disk(Vec<u8>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(self.1 - self.0.len());
            if len == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.extend(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_begun_is_ended() {
        let mut disk = Disk(Vec::new(), 7);
        let mut waiting = b"first\nsecond\n".to_vec();
        assert!(write(&mut disk, &mut waiting).is_err());
        assert_eq!(disk.0, b"first\ns");
        waiting.extend(b"third\n");
        disk.1 = 100;
        write(&mut disk, &mut waiting).unwrap();
        assert_eq!(disk.0, b"first\nsecond\nthird\n");
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_line_after_a_cut_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        std::fs::write(&path, "{}\n{\"half").unwrap();
        Records::open(&path).unwrap().flush();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n{\"half\n");
        let again = Records::open(&path).unwrap();
        assert!(!again.is_behind());
    }
}
