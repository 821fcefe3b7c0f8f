#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::fmt;

pub mod account;
pub mod agent;
pub mod assumed;
pub mod clock;
pub mod dhcp;
pub mod fetch;
pub mod firmware;
pub mod grandstream;
pub mod lldp;
pub mod model;
pub mod names;
pub mod panasonic;
pub mod phone;
pub mod plan;
pub mod pnp;
pub mod rng;
pub mod url;

pub use phone::{Output, Phone, Progress};

/// Milliseconds since the world began.
pub type Millis = u64;

/// A MAC address; written as twelve digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// In upper case.
    pub fn upper(self) -> String {
        self.to_string().to_ascii_uppercase()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
