//! `cargo x demo`: the main job, told in eight steps.

use crate::{build, hil_command};
use anyhow::Result;
use hil::scenario::DEMO;
use hil::world;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    /// Use the programs and the image as they are, without building
    #[arg(long)]
    no_build: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if world::inside() {
        return hil_command::tell(&DEMO);
    }
    if !arguments.no_build {
        build::rig()?;
    }
    world::enter(&["demo"])
}
