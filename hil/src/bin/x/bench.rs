//! `cargo x bench`: figures of speed.

use crate::build::{self, Board, cargo, must};
use crate::{bench_box, hil_command, setup, size};
use anyhow::{Context, Result, ensure};
use hil::elf::Elf;
use hil::run::{figure, target};
use hil::scenario::BENCH;
use hil::world;
use std::process::{Command, ExitCode};

/// Most bytes of the area table in the image.
const AREA_TABLE_LIMIT: u32 = 4_096;

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
    /// The box as a program on Linux beside Kamailio: processor time and memory of a call
    Box,
    /// The image in QEMU: start-up times, and instructions from datagram to datagram
    Firmware,
    /// The brain alone on this machine: instructions of an operation, by valgrind
    Gateway,
    /// Ports with power, LLDP, phones that configure themselves (on a virtual clock), and what the images take
    Hub,
    /// Push buttons, FAX tones and number display of an analog line, beside spandsp
    Line,
    /// Echo canceller, concealment, FAX over G.711 beside spandsp; instructions of a line on an emulated Cortex-M7
    Media,
    /// What box and cloud share: speed on this machine, size on the microcontroller
    Shared,
    /// The SIP core: speed beside other parsers on this machine, size in the image
    Sip,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match arguments.what {
        What::Box => bench_box::run(!arguments.no_build),
        What::Firmware if world::inside() => hil_command::tell(&BENCH),
        What::Firmware => {
            if !arguments.no_build {
                build::rig()?;
            }
            world::enter(&["bench", "firmware"])
        }
        What::Gateway => {
            setup::valgrind()?;
            if !arguments.no_build {
                let example = [
                    "build",
                    "--quiet",
                    "--release",
                    "--package",
                    "gateway",
                    "--example",
                    "instructions",
                ];
                must(cargo().args(example))?;
            }
            let program = "release/examples/instructions";
            for operation in ["register", "invite"] {
                let name = format!("gateway.{operation}.instructions");
                figure(
                    &name,
                    instructions(program, "*brain_*", operation)?,
                    "instructions",
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        What::Hub => {
            let example = |name| {
                let run = ["run", "--quiet", "--release", "--package", "gateway"];
                must(cargo().args(run).args(["--example", name]))
            };
            example("power")?;
            example("lldp")?;
            let mut phones = cargo();
            phones.args(["test", "--quiet", "--release", "--package", "system-tests"]);
            phones.args(["--test", "provision", "--", "--nocapture"]);
            must(phones.args(["the_box_adds_little", "sixty_four_phones_at_once"]))?;
            size::run(&size::Arguments::new(arguments.no_build))
        }
        What::Line => {
            setup::line()?;
            let run = ["run", "--quiet", "--release", "--package", "media-bench"];
            must(cargo().args(run).args(["--", "line"]))?;
            Ok(ExitCode::SUCCESS)
        }
        What::Media => {
            setup::ensure()?;
            setup::spandsp()?;
            let run = ["run", "--quiet", "--release", "--package", "media-bench"];
            must(cargo().args(run).args(["--", "media"]))?;
            let image = build::embedded("media-instructions", &[])?;
            let mut emulator = Command::new("qemu-system-arm");
            emulator.args([
                "-M",
                "mps2-an500",
                "-nodefaults",
                "-display",
                "none",
                "-monitor",
                "none",
            ]);
            emulator.args(["-icount", "shift=0", "-nic", "none"]);
            emulator.args(["-semihosting-config", "enable=on,target=native", "-kernel"]);
            must(emulator.arg(image))?;
            Ok(ExitCode::SUCCESS)
        }
        What::Shared => {
            setup::valgrind()?;
            must(cargo().args(["run", "--quiet", "--release", "--package", "shared-bench"]))?;
            let ring = instructions("release/shared-bench", "*ring_decision*", "ring")?;
            figure("shared.ring_decision.instructions", ring, "instructions");
            weigh_shared()?;
            Ok(ExitCode::SUCCESS)
        }
        What::Sip => {
            setup::valgrind()?;
            let run = ["run", "--quiet", "--release", "--package", "sip-bench"];
            must(cargo().args(run).args(["--bin", "sip-bench"]))?;
            must(cargo().args(run).args(["--example", "allocations"]))?;
            for (name, whose) in [("sip.parse", "ours"), ("sip.parse.httparse", "httparse")] {
                let count = instructions("release/sip-bench", &format!("*read_{whose}*"), whose)?;
                figure(&format!("{name}.instructions"), count, "instructions");
            }
            if !arguments.no_build {
                build::firmware(Board::Qemu)?;
            }
            weigh_sip()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The functions of the crate `sip` in the box's image, with the hundred bytes of its constants that have names: all of it that
/// the box uses, less what was inlined into others.
fn weigh_sip() -> Result<()> {
    let symbols = Elf::read(&Board::Qemu.image())?.symbols();
    // Names are mangled with the crate's in front, or with the type's that a trait is for.
    let ours = |name: &str| name.contains("3sip") || name.contains("$LT$sip..");
    let code: u32 = symbols
        .iter()
        .filter_map(|(name, size)| ours(name).then_some(size))
        .sum();
    figure("sip.text.bytes.thumbv7em", code, "bytes");
    Ok(())
}

/// What the box calls of `shared`, linked alone for the microcontroller.
pub fn weigh_shared() -> Result<()> {
    let image = Elf::read(&build::embedded("shared-bench", &[])?)?;
    let sizes = image.sizes();
    let symbols = image.symbols();
    // Names are mangled with their lengths in front, whatever the scheme.
    let named = |part: &'static str| symbols.iter().filter(move |(name, _)| name.contains(part));
    let (_, table) = named("4area5table4RUNS")
        .next()
        .context("no area table in the image")?;
    figure("shared.area_table.bytes", table, "bytes");
    figure("shared.rodata.bytes", sizes.rodata, "bytes");
    figure("shared.text.bytes", sizes.text, "bytes");
    figure("shared.panic_functions", named("9panicking").count(), "functions");
    ensure!(
        *table <= AREA_TABLE_LIMIT,
        "the area table is over {AREA_TABLE_LIMIT} bytes"
    );
    Ok(())
}

/// Instructions of one operation of a program, counted in the functions with these names.
fn instructions(program: &str, functions: &str, operation: &str) -> Result<u64> {
    // The difference of two runs is free of what happens once.
    let (few, many) = (200, 1200);
    let count = |times| collected(program, functions, operation, times);
    Ok((count(many)? - count(few)?) / u64::from(many - few))
}

/// Instructions in a run of so many operations.
fn collected(program: &str, functions: &str, operation: &str, count: u32) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={functions}"))
        .arg(target().join(program))
        .args([operation, &count.to_string()]);
    let output = command.output().context("valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{operation}: {said}");
    let number = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .context("valgrind counted nothing")?;
    Ok(number.1.trim().parse()?)
}
