//! Audio of the telephone service without I/O, clock or heap: G.711, RTP, tones, announcements and the latching relay.
//!
//! Times are `u64` milliseconds of a monotonic clock, samples are 16-bit linear at [`SAMPLE_RATE`], levels are dBm0
//! (ITU-T G.711: a full-scale sine is +3.17 dBm0 in µ-law).
#![no_std]
#![forbid(unsafe_code)]

pub mod band;
pub mod caller_id;
pub mod dtmf;
pub mod event;
pub mod fax;
pub mod g711;
pub mod player;
pub mod prompt;
pub mod relay;
pub mod rtp;
pub mod tone;

/// Samples per second of all narrow-band audio here (ITU-T G.711 §2).
pub const SAMPLE_RATE: u32 = 8_000;
