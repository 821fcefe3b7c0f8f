//! `cargo x fuzz`: looks for bytes that the SIP core and the audio cannot bear, guided by what of it they reach.

use crate::build::{cargo, must};
use anyhow::{Result, ensure};
use hil::run::{target, workspace};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only the targets whose name contains this
    filter: Option<String>,
    /// How long, for all targets together
    #[arg(long, default_value_t = 10)]
    minutes: u64,
}

/// What libFuzzer needs in the code it runs. Sanitizers for memory are not among it: there is no unsafe code to watch.
const FLAGS: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    fuzz(
        arguments.filter.as_deref().unwrap_or_default(),
        60 * arguments.minutes,
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A minute, as part of the tests.
pub fn briefly() -> Result<()> {
    fuzz("", 60)
}

fn fuzz(filter: &str, seconds: u64) -> Result<()> {
    let sources = workspace().join("gateway/fuzz");
    let mut targets: Vec<String> = fs::read_dir(sources.join("corpus"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains(filter))
        .collect();
    targets.sort();
    ensure!(!targets.is_empty(), "no target is called like {filter:?}");
    let folder = target().join("fuzz");
    must(
        cargo()
            .env("RUSTFLAGS", FLAGS)
            .args([
                "build",
                "--quiet",
                "--package",
                "gateway-fuzz",
                "--profile",
                "fuzz",
                "--target",
                TRIPLE,
            ])
            .arg("--target-dir")
            .arg(&folder),
    )?;
    let program = folder.join(TRIPLE).join("fuzz/gateway-fuzz");
    let each = (seconds / targets.len() as u64).max(1);
    let failed: Vec<_> = targets
        .iter()
        .filter(|name| !clean(&program, &sources, &folder, name, each))
        .collect();
    ensure!(
        failed.is_empty(),
        "{failed:?}: FUZZ_TARGET=<target> cargo run --package gateway-fuzz -- <input> shows more"
    );
    Ok(())
}

/// Runs one target for so many seconds, from what is kept in the sources and what earlier runs here have found.
fn clean(program: &Path, sources: &Path, folder: &Path, name: &str, seconds: u64) -> bool {
    let [found, artifacts] = ["corpus", "artifacts"].map(|part| folder.join(part).join(name));
    for folder in [&found, &artifacts] {
        if let Err(error) = fs::create_dir_all(folder) {
            println!("{}: {error}", folder.display());
            return false;
        }
    }
    // To the other targets whole messages are long and mean little.
    let messages: &[&str] = if name == "message" {
        &["field", "rfc4475"]
    } else {
        &[]
    };
    let log = artifacts.with_extension("log");
    let run = fs::File::create(&log).and_then(|out| {
        Command::new(program)
            .env("FUZZ_TARGET", name)
            .args([
                format!("-max_total_time={seconds}"),
                "-timeout=10".into(),
                "-max_len=4096".into(),
            ])
            .arg(format!("-dict={}", sources.join("sip.dict").display()))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args([found, sources.join("corpus").join(name)])
            .args(
                messages
                    .iter()
                    .map(|folder| sources.join("../sip/tests").join(folder)),
            )
            .stdout(Stdio::null())
            .stderr(out)
            .status()
    });
    let said = fs::read(&log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let passed = run.is_ok_and(|status| status.success());
    let last = said
        .lines()
        .rfind(|line| line.starts_with("Done "))
        .unwrap_or("FAILED");
    println!("{name:<14} {last}");
    if passed {
        println!("figure fuzz.{name}.hours {:.3} h", seconds as f64 / 3_600.0);
    } else {
        said.lines()
            .filter(|line| {
                line.contains("panicked") || line.contains("ERROR") || line.contains("unit written")
            })
            .for_each(|line| println!("    {line}"));
        println!("    all of it: {}", log.display());
    }
    passed
}
