//! Scripted boxes and phones and a scripted carrier against the engine, on a clock that only moves when told to.

mod bench;
mod desk;
mod faults;
mod incoming;
mod media;
mod outgoing;
mod peers;
mod phones;
mod random;
mod routes;
mod shelter;
mod trunks;

use bench::*;
use desk::*;
use peers::*;
use shared::record::{Direction, FinalState};
use shared::route::{BlockRule, NumberRules, NumberState, Treatment};
use shared::schedule::{Exception, Override, Schedule, State};

use super::*;
