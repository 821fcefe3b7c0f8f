//! Hardware in the loop: the firmware image in QEMU and the world around it, all in one process and its children.
//!
//! # Layout
//! - [`world`]: network namespaces; everything the rig starts lives in them and vanishes with them.
//! - [`switch`]: a software Ethernet switch whose ports are QEMU, TAP devices and in-process sockets, with faults
//!   and capture ([`pcap`]).
//! - [`sniff`]: what went over the switches, as SIP messages and RTP streams with their times; the measurements.
//! - [`qemu`]: the box. [`baresip`], [`sipp`]: phones and the carrier. [`dnsmasq`]: the office router's services.
//!   [`cloud`]: the cloud's process and its commands.
//! - [`office`]: all of these connected as one office, its router, its line and the cloud.
//! - [`interop`]: phones of several makes at the box as a program, without QEMU.
//! - [`load`]: a server under load, and what a call costs it.
//! - [`twin`]: the chips, wires and telephone sets of the box's analog lines.
//! - [`tone`]: sound files and the level of a tone in them. [`wait`]: events with deadlines. [`elf`]: sizes of an image.
//!
//! The rig knows the box only by its image, its wires and its serial log; it links no code of `firmware`.
#![forbid(unsafe_code)]

pub mod baresip;
pub mod cloud;
pub mod desk;
pub mod dhcp;
pub mod dnsmasq;
pub mod elf;
pub mod interop;
pub mod load;
pub mod office;
pub mod pcap;
pub mod process;
pub mod qemu;
pub mod run;
pub mod scenario;
pub mod sipp;
pub mod sniff;
pub mod standin;
pub mod switch;
pub mod tone;
pub mod twin;
pub mod wait;
pub mod world;
