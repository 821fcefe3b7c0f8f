//! `cargo x`: the project's runner.
#![forbid(unsafe_code)]

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod hil_command;

#[derive(Parser)]
#[command(name = "cargo x", about = "Runs everything that the project can do", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tells the rig's scenarios: the firmware image in QEMU among real phones and faults
    Hil(hil_command::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Hil(arguments) => hil_command::run(&arguments),
    };
    finish(result)
}

fn finish(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("{error:?}");
        ExitCode::FAILURE
    })
}
