//! `cargo x bench`: figures of speed.

use anyhow::Result;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    /// What to measure
    what: What,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// The image in QEMU: start-up times and instruction counts
    Firmware,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let What::Firmware = arguments.what;
    Ok(ExitCode::FAILURE)
}
