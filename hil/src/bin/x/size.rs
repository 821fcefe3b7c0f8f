//! `cargo x size`: what the images take, against the limits of the part.

use crate::build::{self, Board};
use anyhow::Result;
use hil::elf;
use hil::run::figure;
use std::process::ExitCode;

/// Bytes of flash memory for the image.
const IMAGE_LIMIT: u64 = 896 * 1024;
/// Bytes of static RAM.
const RAM_LIMIT: u64 = 512 * 1024;

#[derive(clap::Args)]
pub struct Arguments {
    /// Measure the images as they are, without building
    #[arg(long)]
    no_build: bool,
}

impl Arguments {
    /// Measure, without building first if so.
    pub fn new(no_build: bool) -> Arguments {
        Arguments { no_build }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut fits = true;
    for board in Board::ALL {
        if !arguments.no_build {
            build::firmware(board)?;
        }
        let prefix = if board == Board::Qemu {
            "firmware"
        } else {
            "firmware.h753"
        };
        let sizes = elf::sizes(&board.image())?;
        for (name, bytes, limit) in [
            ("image", sizes.image, IMAGE_LIMIT),
            ("ram.static", sizes.ram, RAM_LIMIT),
        ] {
            figure(&format!("{prefix}.{name}.bytes"), bytes, "bytes");
            if bytes > limit {
                println!(
                    "{} {name}: {bytes} bytes is over the limit of {limit}",
                    board.name()
                );
                fits = false;
            }
        }
    }
    Ok(if fits {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
