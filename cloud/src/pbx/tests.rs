//! Scripted boxes and a scripted carrier against the engine, on a clock that only moves when told to.

mod bench;
mod faults;
mod incoming;
mod media;
mod outgoing;
mod random;
mod routes;
mod trunks;

use bench::*;
use shared::record::{Direction, FinalState};
use shared::route::{BlockRule, NumberRules, NumberState, Treatment};
use shared::schedule::{Exception, Override, Schedule, State};

use super::*;
