//! What the QEMU board and the rig agree on: where things lie in the 16 MiB PSRAM of `mps2-an500`, and what they say to
//! each other about the analog lines.
//!
//! The PSRAM is a file of the host (`memory-backend-file,share=on`) that survives a reset and `kill -9`; the board
//! uses it as its external NOR flash. Its last erase sector is no flash: there the two sides talk. Everything is
//! little-endian.
//!
//! - [`lines`]: pins, chips and wires of the analog lines, and the messages over UART1 about them.
//! - [`link`]: how messages get over the UART.
//! - [`pcm`]: the codec's time slots, in rings in the shared sector.
//!
//! On the real board this crate is not used: the flash is a chip and randomness comes from the RNG peripheral.
#![no_std]
#![forbid(unsafe_code)]

pub mod lines;
pub mod link;
pub mod pcm;

/// Address of the PSRAM in the board's memory map (ARM AN500, table 3-1).
pub const PSRAM_BASE: u32 = 0x6000_0000;
/// Bytes of the PSRAM, and of the file behind it.
pub const PSRAM_SIZE: u32 = 16 * 1024 * 1024;
/// Smallest erasable unit of the emulated NOR flash.
pub const SECTOR: u32 = 4096;
/// The part of the PSRAM that is flash; a new file is filled with 0xFF up to here.
pub const FLASH_SIZE: u32 = PSRAM_SIZE - SECTOR;

/// Offset of the shared sector.
pub const SHARED: u32 = FLASH_SIZE;
/// `u32`, written by the rig: [`MAGIC`] says that the shared sector is filled in.
pub const SHARED_MAGIC: u32 = SHARED;
/// 32 random bytes that the rig writes anew before every start.
pub const SHARED_SEED: u32 = SHARED + 0x20;
/// `u32`, written by the board: words programmed plus sectors erased since the start, so that the rig can cut the
/// power inside a chosen write.
pub const SHARED_PROGRESS: u32 = SHARED + 0x40;
/// `u32`, written by the rig: what [`SHARED_CUT_KIND`] names happens when [`SHARED_PROGRESS`] reaches this value (0: never).
pub const SHARED_CUT_AT: u32 = SHARED + 0x44;
/// `u32`, written by the rig: [`CUT_POWER`], [`CUT_PANIC`] or [`CUT_HANG`].
pub const SHARED_CUT_KIND: u32 = SHARED + 0x48;
// From `SHARED + 0x4C` on: `pcm`.

/// The board stops for ever, as without power; the rig ends it.
pub const CUT_POWER: u32 = 0;
/// The firmware panics, once: the board clears [`SHARED_CUT_AT`] before.
pub const CUT_PANIC: u32 = 1;
/// The task hangs, once, and the watchdog has to notice: the board clears [`SHARED_CUT_AT`] before.
pub const CUT_HANG: u32 = 2;

/// Address of the memory that holds nothing but the stack; a start finds it all zeros.
pub const STACK_BASE: u32 = 0x2000_0000;
/// Bytes of the stack's memory.
pub const STACK_SIZE: u32 = 64 * 1024;

/// Bytes at [`SHARED_SEED`].
pub const SEED_LEN: usize = 32;
/// "DENW", little-endian.
pub const MAGIC: u32 = u32::from_le_bytes(*b"DENW");

/// Offset of the partition that the factory writes: who the box is and where its cloud is.
pub const FACTORY: u32 = 0;

/// Offset of the partition with the firmware of the phones.
pub const PHONE_FIRMWARE: u32 = 0x60_0000;
