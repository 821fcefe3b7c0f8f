//! One sheet to write on: an answer that goes out with the next poll, or what is put together before it is kept.

use super::call::{MESSAGE_MAX, SDP_MAX};
use crate::flow::Flow;

/// Room for a session description, and for the largest answer that is not one of a call.
const SIZE: usize = SDP_MAX;
const _: () = assert!(SIZE <= MESSAGE_MAX);

pub(super) struct Paper {
    sheet: [u8; SIZE],
    answer: Option<(Flow, usize)>,
}

impl Paper {
    pub const fn new() -> Self {
        Self {
            sheet: [0; SIZE],
            answer: None,
        }
    }

    /// The sheet, to write something on it. An answer that nobody has fetched is lost, as on the network.
    pub fn blank(&mut self) -> &mut [u8; SIZE] {
        self.answer = None;
        &mut self.sheet
    }

    /// What was written is an answer.
    pub fn is_answer(&mut self, flow: Flow, len: usize) {
        self.answer = Some((flow, len));
    }

    /// Fetches the answer.
    pub fn take_answer(&mut self) -> Option<(Flow, &[u8])> {
        let (flow, len) = self.answer.take()?;
        Some((flow, self.sheet.get(..len)?))
    }
}
