//! Scripted boxes and a scripted carrier against the engine, on a clock that only moves when told to.

mod bench;
mod faults;
mod incoming;
mod media;
mod outgoing;
mod random;
mod trunks;

use bench::*;
use shared::record::{Direction, FinalState};

use super::*;
