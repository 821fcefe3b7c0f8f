//! PCM between codec and processor, in blocks of 5 ms: two rings in the shared sector.
//!
//! The board is the clock. Every 5 ms it [sends](Board::send) a block towards the codec and [takes](Board::receive) the
//! answer to the block before, as a DMA of two buffers does. The twin [takes](Twin::receive) each block when it sees it,
//! lets 40 frames of its world go by and [answers](Twin::send) it, so that its time is the board's. A block is a word a
//! frame: the octets of time slots 0 to 3, slot 0 lowest.
//!
//! When the answer is not there yet because the host is slow, the board waits: at most [`WAIT_MS`], looking once a
//! millisecond. After that the codec's clock counts as stopped: that block is silence, and the board waits for no other
//! until the twin has caught up.
//!
//! Each counter is written by one side only, after the block it counts. A value that makes no sense (read while it was
//! written) is read again.

use crate::{SHARED, lines::PORTS};

/// Frames of a block: 5 ms at 8 kHz.
pub const FRAMES: usize = 40;
/// Blocks of a ring. The twin may be so many behind before it skips.
pub const DEPTH: u32 = 8;
/// How long the board waits for the answer to a block, milliseconds.
pub const WAIT_MS: u64 = 100;

/// One block: a word a frame, time slot `n` in octet `n` from the lowest.
pub type Block = [u32; FRAMES];

/// An octet that is silence in µ-law (ITU-T G.711: plus zero).
pub const SILENCE: u8 = 0xFF;
/// A block of [`SILENCE`].
pub const SILENT: Block = [u32::from_le_bytes([SILENCE; PORTS]); FRAMES];

/// `u32`, written by the rig before a start: 1 if the twin of the lines is there, else the board has no analog ports.
pub const PRESENT: u32 = SHARED + 0x4C;
/// `u32`, written by the board: blocks sent towards the codec.
pub const DOWN_COUNT: u32 = SHARED + 0x80;
/// `u32`, written by the twin: blocks answered.
pub const UP_COUNT: u32 = SHARED + 0xC0;
/// Ring of blocks towards the codec.
pub const DOWN: u32 = SHARED + 0x100;
/// Ring of blocks from the codec.
pub const UP: u32 = DOWN + RING;

const BYTES: u32 = 4 * FRAMES as u32;
const RING: u32 = DEPTH * BYTES;
const _: () = assert!(UP + RING <= crate::PSRAM_SIZE && DEPTH.is_power_of_two());

/// The shared memory, by words at byte offsets of the PSRAM.
pub trait Memory {
    /// Reads.
    fn read(&mut self, offset: u32, words: &mut [u32]);
    /// Writes.
    fn write(&mut self, offset: u32, words: &[u32]);

    /// Reads a counter that the other side may just be writing.
    fn counter(&mut self, offset: u32) -> u32 {
        let mut last = None;
        loop {
            let mut word = [0];
            self.read(offset, &mut word);
            let [value] = word;
            if last == Some(value) {
                return value;
            }
            last = Some(value);
        }
    }
}

fn slot(ring: u32, block: u32) -> u32 {
    ring + block % DEPTH * BYTES
}

/// The board's side.
pub struct Board<M> {
    memory: M,
    blocks: u32,
}

impl<M: Memory> Board<M> {
    /// Begins where the twin is.
    pub fn new(mut memory: M) -> Self {
        let blocks = memory.counter(UP_COUNT);
        memory.write(DOWN_COUNT, &[blocks]);
        Board { memory, blocks }
    }

    /// Number of the block that is sent next.
    pub const fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Sends a block.
    pub fn send(&mut self, block: &Block) {
        self.memory.write(slot(DOWN, self.blocks), block);
        self.blocks = self.blocks.wrapping_add(1);
        self.memory.write(DOWN_COUNT, &[self.blocks]);
    }

    /// The answer to the block sent last, if it is there; it stays until the next is sent.
    pub fn receive(&mut self) -> Option<Block> {
        (self.memory.counter(UP_COUNT) == self.blocks).then(|| {
            let mut block = SILENT;
            let last = slot(UP, self.blocks.wrapping_sub(1));
            self.memory.read(last, &mut block);
            block
        })
    }
}

/// The twin's side.
pub struct Twin<M> {
    memory: M,
    blocks: u32,
    skipped: u32,
}

impl<M: Memory> Twin<M> {
    /// Begins where the board is.
    pub fn new(mut memory: M) -> Self {
        let blocks = memory.counter(DOWN_COUNT);
        memory.write(UP_COUNT, &[blocks]);
        Twin {
            memory,
            blocks,
            skipped: 0,
        }
    }

    /// Number of the block that is taken next.
    pub const fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Times that it lost the board: it started again, or ran too far ahead.
    pub const fn skipped(&self) -> u32 {
        self.skipped
    }

    /// The next block of the board, if there is one; it has to be [answered](Self::send) before the next.
    pub fn receive(&mut self) -> Option<Block> {
        let sent = self.memory.counter(DOWN_COUNT);
        if sent == self.blocks {
            return None;
        }
        if sent.wrapping_sub(self.blocks) > DEPTH {
            self.blocks = sent.wrapping_sub(1);
            self.skipped = self.skipped.saturating_add(1);
        }
        let mut block = SILENT;
        self.memory.read(slot(DOWN, self.blocks), &mut block);
        Some(block)
    }

    /// Answers it.
    pub fn send(&mut self, block: &Block) {
        self.memory.write(slot(UP, self.blocks), block);
        self.blocks = self.blocks.wrapping_add(1);
        self.memory.write(UP_COUNT, &[self.blocks]);
    }
}
