//! Audio of the telephone service without I/O, clock or heap: G.711, RTP, tones, announcements and the latching relay.
//!
//! Times are `u64` milliseconds of a monotonic clock, samples are 16-bit linear at [`SAMPLE_RATE`], levels are dBm0
//! (ITU-T G.711: a full-scale sine is +3.17 dBm0 in µ-law).
#![no_std]
#![forbid(unsafe_code)]

pub mod band;
pub mod caller_id;
pub mod chain;
pub mod comfort;
pub mod dtmf;
pub mod echo;
pub mod event;
pub mod fax;
pub mod g711;
pub mod jitter;
mod noise;
pub mod player;
pub mod plc;
pub mod prompt;
pub mod receiver;
pub mod redundancy;
pub mod relay;
mod resample;
pub mod rtp;
pub mod tone;

/// Samples per second of all narrow-band audio here (ITU-T G.711 §2).
pub const SAMPLE_RATE: u32 = 8_000;

/// Samples of a block of a line's audio: 5 ms.
pub const BLOCK: usize = 40;
