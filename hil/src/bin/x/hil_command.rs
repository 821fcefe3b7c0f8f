//! `cargo x hil`: every scenario in namespaces of its own, one after the other, and those that only wait at once.

use anyhow::{Context, Result, anyhow, bail};
use hil::run::Run;
use hil::scenario::{ALL, Scenario};
use hil::world;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

#[derive(Default, clap::Args)]
pub struct Arguments {
    /// Tell only scenarios whose name contains this
    filter: Option<String>,
    /// Print the names and what they show
    #[arg(long)]
    list: bool,
    /// Use the programs and the image as they are, without building
    #[arg(long)]
    no_build: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    if world::inside() {
        let scenario = ALL
            .iter()
            .find(|scenario| scenario.name == filter)
            .context("no such scenario")?;
        return tell(scenario);
    }
    let chosen: Vec<_> = ALL
        .iter()
        .filter(|scenario| scenario.name.contains(filter))
        .collect();
    if chosen.is_empty() {
        bail!("no scenario is called like {filter:?}; see --list");
    }
    if arguments.list {
        chosen
            .iter()
            .for_each(|scenario| println!("{:<28} {}", scenario.name, scenario.about));
        return Ok(ExitCode::SUCCESS);
    }
    crate::setup::ensure()?;
    if !arguments.no_build && chosen.iter().any(|scenario| scenario.image) {
        crate::build::rig()?;
    }
    let (waiting, others): (Vec<&Scenario>, Vec<_>) = chosen.iter().partition(|scenario| scenario.waits);
    let mut failed = Vec::new();
    for scenario in others {
        println!("{}: {}", scenario.name, scenario.about);
        let start = Instant::now();
        let passed = world::enter(&["hil", scenario.name])? == ExitCode::SUCCESS;
        if !verdict(scenario, passed, start.elapsed()) {
            failed.push(scenario.name);
        }
    }
    // What each of them says comes when all are over.
    let together = thread::scope(|scope| {
        let told: Vec<_> = waiting
            .iter()
            .map(|scenario| {
                scope.spawn(|| -> Result<_> {
                    let start = Instant::now();
                    let output = world::command(&["hil", scenario.name])?.output()?;
                    Ok((output, start.elapsed()))
                })
            })
            .collect();
        told.into_iter().map(|told| told.join()).collect::<Vec<_>>()
    });
    for (scenario, told) in waiting.iter().zip(together) {
        let (output, took) = told.map_err(|_| anyhow!("{} panicked", scenario.name))??;
        println!("{}: {}", scenario.name, scenario.about);
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        if !verdict(scenario, output.status.success(), took) {
            failed.push(scenario.name);
        }
    }
    println!(
        "scenarios: {} passed, {} failed {}",
        chosen.len() - failed.len(),
        failed.len(),
        failed.join(" ")
    );
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn verdict(scenario: &Scenario, passed: bool, took: Duration) -> bool {
    let verdict = if passed { "ok" } else { "FAILED" };
    println!("{}: {verdict} in {:.1} s\n", scenario.name, took.as_secs_f64());
    passed
}

/// Tells one scenario, inside.
pub fn tell(scenario: &Scenario) -> Result<ExitCode> {
    world::prepare()?;
    let run = Run::begin(scenario.name)?;
    run.say(format!(
        "files in {}, DENWABAN_SEED={}",
        run.folder.display(),
        run.seed
    ));
    match (scenario.tell)(&run) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            run.say(format!("FAILED: {error:#}"));
            run.say(format!(
                "captures, logs and databases are kept in {}",
                run.folder.display()
            ));
            Ok(ExitCode::FAILURE)
        }
    }
}
