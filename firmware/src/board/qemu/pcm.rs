//! The codec's time slots: the rings in the shared sector (`hil_wire::pcm`), by this board's clock.

use core::cell::Cell;
use critical_section::Mutex;
use embassy_time::{Duration, Instant, Timer};
use hil_wire as wire;
use wire::pcm::{Board, FRAMES, Memory, WAIT_MS};

use super::mmio::Block as Registers;
use crate::lines::Block;

/// A block.
const PERIOD: Duration = Duration::from_millis(5);

/// A block that was due so long ago is not made good any more: time begins anew.
const BEHIND: Duration = Duration::from_millis(2 * WAIT_MS);

/// Number of the block that was sent last, and when it was due: a host that is slow now and then does not bend the time of its
/// frames.
static LAST: Mutex<Cell<(u32, Instant)>> = Mutex::new(Cell::new((0, Instant::from_ticks(0))));

struct Shared;

impl Memory for Shared {
    fn read(&mut self, offset: u32, words: &mut [u32]) {
        let psram = Registers::at(wire::PSRAM_BASE as usize);
        for (at, word) in (offset as usize..).step_by(4).zip(words) {
            *word = psram.read(at);
        }
    }

    fn write(&mut self, offset: u32, words: &[u32]) {
        let psram = Registers::at(wire::PSRAM_BASE as usize);
        for (at, word) in (offset as usize..).step_by(4).zip(words) {
            psram.write(at, *word);
        }
    }
}

/// The PCM highway.
pub struct Pcm {
    board: Board<Shared>,
    /// When the next block is due.
    due: Instant,
    is_running: bool,
}

/// Whether the rig has plugged lines in.
pub fn is_present() -> bool {
    let mut word = [0];
    Shared.read(wire::SHARED_MAGIC, &mut word);
    let is_filled = word == [wire::MAGIC];
    Shared.read(wire::pcm::PRESENT, &mut word);
    is_filled && word == [1]
}

/// How many blocks were sent before this start: a start without a new seed is told by it from the one before.
pub fn blocks() -> u32 {
    Shared.counter(wire::pcm::DOWN_COUNT)
}

impl Pcm {
    pub(super) fn new() -> Self {
        Pcm {
            board: Board::new(Shared),
            due: Instant::MIN,
            is_running: true,
        }
    }

    /// Sends a block when it is time, and gives the answer to the block before. `None`: the codec's clock has stopped.
    pub async fn next(&mut self, down: &Block) -> Option<Block> {
        if self.due + BEHIND < Instant::now() {
            self.due = Instant::now();
        }
        Timer::at(self.due).await;
        let mut up = self.board.receive();
        let patience = if self.is_running { WAIT_MS } else { 0 };
        for _ in 0..patience {
            if up.is_some() {
                break;
            }
            Timer::after_millis(1).await;
            up = self.board.receive();
        }
        self.is_running = up.is_some();
        let mut block = wire::pcm::SILENT;
        for (word, frame) in block.iter_mut().zip(down) {
            *word = u32::from_le_bytes(*frame);
        }
        self.board.send(&block);
        let last = (self.board.blocks().wrapping_sub(1), self.due);
        critical_section::with(|cs| LAST.borrow(cs).set(last));
        self.due += PERIOD;
        up.map(|block| block.map(u32::to_le_bytes))
    }
}

/// When a frame went by.
pub fn moment(frame: u32) -> Instant {
    let (block, due) = critical_section::with(|cs| LAST.borrow(cs).get());
    let frames = frame.wrapping_sub(block.wrapping_mul(FRAMES as u32)) as i32;
    let micros = u64::from(frames.unsigned_abs()) * 125;
    let moment = match frames {
        ..0 => due.checked_sub(Duration::from_micros(micros)).unwrap_or(due),
        _ => due + Duration::from_micros(micros),
    };
    moment.min(Instant::now())
}
