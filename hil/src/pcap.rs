//! Writing captures in the pcapng format (draft-ietf-opsawg-pcapng): one interface per port of a switch, and for a
//! frame that a fault took a comment that says so. Wireshark and tshark read them.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const LINKTYPE_ETHERNET: u16 = 1;
const OPT_COMMENT: u16 = 1;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;

/// An open capture file.
#[derive(Debug)]
pub struct Capture {
    file: BufWriter<File>,
}

impl Capture {
    /// Begins a file; an existing one is replaced.
    pub fn create(path: &Path) -> Result<Capture> {
        let mut capture = Capture {
            file: BufWriter::new(File::create(path)?),
        };
        // Section header: byte-order magic, version 1.0, length of the section unknown.
        let mut body = Vec::new();
        body.extend(0x1A2B_3C4D_u32.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        capture.block(0x0A0D_0D0A, &body)?;
        Ok(capture)
    }

    /// Adds an interface; they are numbered from 0 in this order.
    pub fn interface(&mut self, name: &str) -> Result<()> {
        let mut body = Vec::new();
        body.extend(LINKTYPE_ETHERNET.to_le_bytes());
        body.extend([0; 6]);
        option(&mut body, IF_NAME, name.as_bytes());
        option(&mut body, IF_TSRESOL, &[9]);
        body.extend([0; 4]);
        self.block(1, &body)
    }

    /// Adds a frame that came in on `interface`.
    pub fn frame(&mut self, interface: u32, frame: &[u8], comment: Option<&str>) -> Result<()> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let mut body = Vec::with_capacity(frame.len() + 64);
        body.extend(interface.to_le_bytes());
        body.extend(((nanoseconds >> 32) as u32).to_le_bytes());
        body.extend((nanoseconds as u32).to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(frame);
        pad(&mut body);
        if let Some(text) = comment {
            option(&mut body, OPT_COMMENT, text.as_bytes());
            body.extend([0; 4]);
        }
        self.block(6, &body)
    }

    /// Brings what was written to the file.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> Result<()> {
        let total = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
        self.file.write_all(&kind.to_le_bytes())?;
        self.file.write_all(&total)?;
        self.file.write_all(body)?;
        self.file.write_all(&total)
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
