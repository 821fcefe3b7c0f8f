//! The conformance suite of the calls: each case runs on fixed and, with feature `std`, on growable storage.

mod address;
mod bench;
mod faults;
mod offers;
mod pickup;
mod random;
mod rings;
mod room;
mod setup;
mod tables;
mod talk;
mod transfer;

use bench::*;

use super::*;
use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

/// Runs every case on every kind of storage.
macro_rules! suite {
    ($($case:ident)*) => {
        mod fixed {
            $(#[test] fn $case() { super::$case(super::Kind::Fixed) })*
        }
        #[cfg(feature = "std")]
        mod growable {
            $(#[test] fn $case() { super::$case(super::Kind::Growable) })*
        }
    };
}
use suite;
