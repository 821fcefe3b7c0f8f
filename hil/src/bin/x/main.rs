//! `cargo x`: the project's runner.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod bench;
mod bench_box;
mod build;
mod demo;
mod fuzz;
mod hil_command;
mod interop;
mod oracle;
mod setup;
mod size;
mod test;

#[derive(Parser)]
#[command(name = "cargo x", about = "Runs everything that the project can do", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what is missing on this machine (the other commands do it by themselves)
    Setup(setup::Arguments),
    /// Builds the host programs and the firmware images
    Build(build::Arguments),
    /// Runs every test: form, lints, documentation, host tests, sizes, scenarios
    Test(test::Arguments),
    /// Shows the main job: an office with a box, with its line to the cloud alive and dead
    Demo(demo::Arguments),
    /// Tells the rig's scenarios: the firmware image in QEMU among real phones and faults
    Hil(hil_command::Arguments),
    /// Tries real phones of several makes at the box as a program
    Interop(interop::Arguments),
    /// Measures speed
    Bench(bench::Arguments),
    /// Looks for bytes that the SIP core cannot bear
    Fuzz(fuzz::Arguments),
    /// Measures the images against the limits of the part
    Size(size::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Hil(arguments) => hil_command::run(&arguments),
        Command::Interop(arguments) => interop::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Size(arguments) => size::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}
