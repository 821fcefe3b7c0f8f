//! The PCM rings: the board's pace, a slow twin, a twin that stops, a board that starts again.

use hil_wire::pcm::{Block, Board, DEPTH, Memory, Twin, UP_COUNT};
use hil_wire::{PSRAM_SIZE, SHARED};
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Clone)]
struct Ram(Rc<RefCell<Vec<u32>>>);

impl Ram {
    fn new() -> Ram {
        Ram(Rc::new(RefCell::new(vec![
            0;
            ((PSRAM_SIZE - SHARED) / 4) as usize
        ])))
    }
}

impl Memory for Ram {
    fn read(&mut self, offset: u32, words: &mut [u32]) {
        let at = ((offset - SHARED) / 4) as usize;
        words.copy_from_slice(&self.0.borrow()[at..at + words.len()]);
    }

    fn write(&mut self, offset: u32, words: &[u32]) {
        let at = ((offset - SHARED) / 4) as usize;
        self.0.borrow_mut()[at..at + words.len()].copy_from_slice(words);
    }
}

fn block(n: u32) -> Block {
    std::array::from_fn(|frame| n * 1000 + frame as u32)
}

/// The twin answers with what it was sent, plus one.
fn echo(twin: &mut Twin<Ram>) -> usize {
    let mut count = 0;
    while let Some(sent) = twin.receive() {
        twin.send(&sent.map(|word| word + 1));
        count += 1;
    }
    count
}

#[test]
fn every_block_is_answered() {
    let ram = Ram::new();
    let (mut board, mut twin) = (Board::new(ram.clone()), Twin::new(ram));
    for n in 0..3 * DEPTH {
        board.send(&block(n));
        assert_eq!(board.receive(), None, "not before the twin");
        assert_eq!(echo(&mut twin), 1);
        assert_eq!(board.receive(), Some(block(n).map(|word| word + 1)));
    }
    assert_eq!((twin.skipped(), twin.blocks()), (0, board.blocks()));
}

#[test]
fn a_slow_twin_catches_up_without_a_loss() {
    let ram = Ram::new();
    let (mut board, mut twin) = (Board::new(ram.clone()), Twin::new(ram));
    for n in 0..DEPTH {
        board.send(&block(n));
        assert_eq!(board.receive(), None);
    }
    assert_eq!(echo(&mut twin), DEPTH as usize);
    assert_eq!(board.receive(), Some(block(DEPTH - 1).map(|word| word + 1)));
    assert_eq!(twin.skipped(), 0);
}

#[test]
fn a_twin_that_stopped_skips_to_the_newest_block() {
    let ram = Ram::new();
    let (mut board, mut twin) = (Board::new(ram.clone()), Twin::new(ram));
    for n in 0..DEPTH + 5 {
        board.send(&block(n));
    }
    assert_eq!(echo(&mut twin), 1);
    assert_eq!(board.receive(), Some(block(DEPTH + 4).map(|word| word + 1)));
    assert_eq!(twin.skipped(), 1);
}

#[test]
fn a_board_that_starts_again_goes_on_where_the_twin_is() {
    let ram = Ram::new();
    let (mut board, mut twin) = (Board::new(ram.clone()), Twin::new(ram.clone()));
    for n in 0..5 {
        board.send(&block(n));
        echo(&mut twin);
    }
    board.send(&block(5));
    let mut board = Board::new(ram);
    assert_eq!((board.blocks(), board.receive().is_some()), (5, true));
    board.send(&block(6));
    assert_eq!(board.receive(), None);
    assert_eq!(echo(&mut twin), 1);
    assert_eq!(board.receive(), Some(block(6).map(|word| word + 1)));
}

#[test]
fn counters_wrap() {
    let mut ram = Ram::new();
    ram.write(UP_COUNT, &[u32::MAX]);
    let mut board = Board::new(ram.clone());
    let mut twin = Twin::new(ram.clone());
    for n in 0..3 {
        board.send(&block(n));
        assert_eq!(echo(&mut twin), 1);
        assert!(board.receive().is_some());
    }
    assert_eq!(board.blocks(), 2);
}
