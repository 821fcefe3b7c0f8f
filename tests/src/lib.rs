#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod network;
pub mod phone;
pub mod rng;
pub mod world;
