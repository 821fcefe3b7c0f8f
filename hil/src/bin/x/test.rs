//! `cargo x test`: every test there is, from the form of the source to the image among real phones.

use crate::build::{self, Board, cargo, must};
use crate::{bench, fuzz, hil_command, interop, oracle, setup, size};
use anyhow::Result;
use std::process::{Command, ExitCode};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    /// Leave out what needs QEMU and network namespaces
    #[arg(long)]
    host_only: bool,
}

type Step = (&'static str, fn() -> Result<()>);

const HOST: [Step; 8] = [
    ("format", || must(cargo().args(["fmt", "--all", "--check"]))),
    ("lints", || {
        must(cargo().args(["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"]))
    }),
    ("documentation", documentation),
    ("tests", || {
        must(cargo().args(["test", "--quiet", "--no-fail-fast"]))
    }),
    ("oracles", oracle::check),
    ("other SIP parsers", || {
        must(cargo().args(["test", "--quiet", "--package", "sip-bench"]))
    }),
    ("spandsp", || {
        setup::line()?;
        must(cargo().args(["test", "--quiet", "--package", "media-bench"]))
    }),
    ("fuzzing", fuzz::briefly),
];

const IMAGE: [Step; 5] = [
    ("images", || Board::ALL.into_iter().try_for_each(build::firmware)),
    ("shared alone", bench::weigh_shared),
    ("sizes", || verdict(size::run(&size::Arguments::new(true))?)),
    ("interoperability", || {
        verdict(interop::run(&interop::Arguments::default())?)
    }),
    ("scenarios", || {
        build::host()?;
        verdict(hil_command::run(&hil_command::Arguments::default())?)
    }),
];

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::ensure()?;
    setup::components()?;
    setup::valgrind()?;
    let steps = HOST.iter().chain(if arguments.host_only {
        [].iter()
    } else {
        IMAGE.iter()
    });
    let mut failed = Vec::new();
    for (name, step) in steps {
        println!("== {name}");
        let start = Instant::now();
        let result = step();
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => println!("== {name}: ok in {seconds:.1} s"),
            Err(error) => {
                println!("== {name}: FAILED in {seconds:.1} s: {error:#}");
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn documentation() -> Result<()> {
    let mut command: Command = cargo();
    must(
        command
            .args(["doc", "--quiet", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn verdict(code: ExitCode) -> Result<()> {
    anyhow::ensure!(code == ExitCode::SUCCESS, "see above");
    Ok(())
}
