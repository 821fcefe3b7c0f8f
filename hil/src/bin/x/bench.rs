//! `cargo x bench`: figures of speed.

use crate::{build, hil_command};
use anyhow::Result;
use hil::scenario::BENCH;
use hil::world;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    /// What to measure
    what: What,
    /// Use the programs and the image as they are, without building
    #[arg(long)]
    no_build: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// The image in QEMU: start-up times and instruction counts
    Firmware,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let What::Firmware = arguments.what;
    if world::inside() {
        return hil_command::tell(&BENCH);
    }
    if !arguments.no_build {
        build::rig()?;
    }
    world::enter(&["bench", "firmware"])
}
