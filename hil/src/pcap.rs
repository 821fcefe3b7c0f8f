//! Captures: writing them in the pcapng format (draft-ietf-opsawg-pcapng): one interface per port of a switch, and for a
//! frame that a fault took a comment that says so; Wireshark and tshark read them. And reading the older format (libpcap)
//! that QEMU's `filter-dump` writes.

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

/// A packet of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Its time, in whole microseconds.
    pub nanoseconds: u64,
    /// The frame, as far as it was kept.
    pub frame: Vec<u8>,
}

/// Reads a capture in the libpcap format, written on this machine; one that is cut short to its last whole packet.
pub fn read(path: &Path) -> Result<Vec<Packet>> {
    let bytes = std::fs::read(path)?;
    let Some((head, mut rest)) = bytes.split_first_chunk::<24>() else {
        return Ok(Vec::new());
    };
    if !head.starts_with(&0xA1B2_C3D4_u32.to_ne_bytes()) {
        return Err(std::io::Error::other(format!("{} is no capture", path.display())));
    }
    let mut packets = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let Some((frame, after)) = after.split_at_checked(word(8) as usize) else {
            break;
        };
        let nanoseconds = u64::from(word(0)) * 1_000_000_000 + u64::from(word(4)) * 1000;
        packets.push(Packet {
            nanoseconds,
            frame: frame.to_vec(),
        });
        rest = after;
    }
    Ok(packets)
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
