//! Levels, step by step.

use ag1171::Ag1171;
use embedded_hal_mock::eh1::digital::{Mock, State, State::High, State::Low, Transaction};

fn pin(levels: &[State]) -> Mock {
    let levels: Vec<_> = levels.iter().map(|level| Transaction::set(*level)).collect();
    Mock::new(&levels)
}

#[test]
fn it_rings_by_turns_and_comes_back_to_its_polarity() {
    let mut forward = pin(&[High, Low, Low, High, Low, High, Low, High, High]);
    let mut ring_mode = pin(&[Low, High, Low]);
    let mut power = pin(&[High, Low, High]);
    let mut slic = Ag1171::new(forward.clone(), ring_mode.clone(), power.clone()).unwrap();
    slic.reverse(true).unwrap();
    slic.swing().unwrap();
    assert!(!slic.is_ringing());
    slic.ring(true).unwrap();
    for _ in 0..3 {
        slic.swing().unwrap();
    }
    // Whoever answers while it rings hears nothing of it.
    slic.reverse(false).unwrap();
    slic.swing().unwrap();
    // F/R is high for a while before RM goes low.
    slic.ring(false).unwrap();
    assert!(slic.is_ringing());
    slic.swing().unwrap();
    assert!(!slic.is_ringing());
    slic.feed(false).unwrap();
    slic.feed(true).unwrap();
    for pin in [&mut forward, &mut ring_mode, &mut power] {
        pin.done();
    }
}
