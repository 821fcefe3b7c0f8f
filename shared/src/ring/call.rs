//! A call while it rings.

use super::{Call, Facts, ring};
use crate::id::{IdKey, IdSet};
use crate::site::Site;

/// Who was offered a call so far, and who has it.
///
/// It is asked at the start, and again whenever a terminal has registered or left, an app was logged in or out or has come
/// to the foreground: the offer only ever grows (R21). A terminal becoming busy or free is no reason to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ringing {
    call: Call,
    offered: IdSet,
    over: bool,
}

impl Ringing {
    /// A call that nobody was offered yet.
    pub fn new(call: impl Into<Call>) -> Self {
        Self {
            call: call.into(),
            offered: IdSet::EMPTY,
            over: false,
        }
    }

    /// The terminals to ring in addition to those that were offered it before; none once it is answered or over (A8).
    pub fn ask(&mut self, site: &Site, facts: &Facts) -> IdSet {
        if self.over {
            return IdSet::EMPTY;
        }
        let new = ring(site, self.call, facts).offer.difference(self.offered);
        self.offered = self.offered.union(new);
        new
    }

    /// Does it ring a terminal that made an emergency call before all others?
    pub fn is_call_back(&self) -> bool {
        self.call.back_to.is_some()
    }

    /// The terminal that made the emergency call is not there or does not answer: from the next asking it rings as usual.
    pub fn give_up_call_back(&mut self) {
        self.call.back_to = None;
    }

    /// A terminal takes the call. False if it is not its to take: another was first, the caller is gone, or it was never
    /// offered.
    pub fn answer(&mut self, key: IdKey) -> bool {
        let taken = !self.over && self.offered.contains(key);
        self.over |= taken;
        taken
    }

    /// It rings no more: the caller is gone, or a terminal of another side has it.
    pub fn end(&mut self) {
        self.over = true;
    }

    /// Everybody who was offered it.
    pub fn offered(&self) -> IdSet {
        self.offered
    }
}
