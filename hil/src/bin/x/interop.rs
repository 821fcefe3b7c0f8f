//! `cargo x interop`: every case in namespaces of its own, several at a time.

use crate::build::{cargo, must};
use crate::setup;
use anyhow::{Context, Result, bail};
use hil::interop::{Case, cases, pjsua};
use hil::run::Run;
use hil::world;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::time::Instant;

#[derive(Default, clap::Args)]
pub struct Arguments {
    /// Try only cases whose name contains this
    filter: Option<String>,
    /// Print the names and what they show
    #[arg(long)]
    list: bool,
    /// Use the programs as they are, without building
    #[arg(long)]
    no_build: bool,
    /// Print the cases that pass, too
    #[arg(long, short)]
    verbose: bool,
    /// How many at a time (two a processor)
    #[arg(long, short)]
    jobs: Option<usize>,
}

/// What became of a case.
enum Verdict {
    Passed,
    /// The reason, and how it failed.
    NotYet(&'static str, String),
    Failed(String),
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    let all = cases();
    if world::inside() {
        let case = all
            .iter()
            .find(|case| case.name == filter)
            .context("no such case")?;
        world::prepare()?;
        case.tell(&Run::begin(&folder(case))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let chosen: Vec<_> = all.iter().filter(|case| case.name.contains(filter)).collect();
    if chosen.is_empty() {
        bail!("no case is called like {filter:?}; see --list");
    }
    if arguments.list {
        chosen
            .iter()
            .for_each(|case| println!("{:<36} {}", case.name, case.about));
        return Ok(ExitCode::SUCCESS);
    }
    setup::ensure()?;
    python()?;
    if !arguments.no_build {
        must(cargo().args(["build", "--quiet", "--package", "denwaban-box"]))?;
    }
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let jobs = arguments.jobs.unwrap_or(processors * 2);
    let (waiting, counts) = (Mutex::new(chosen.into_iter()), Mutex::new([0; 3]));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(case) = waiting.lock().ok().and_then(|mut cases| cases.next()) {
                    let start = Instant::now();
                    let verdict = judge(case).unwrap_or_else(|error| Verdict::Failed(format!("{error:#}")));
                    let seconds = start.elapsed().as_secs_f64();
                    let place = match verdict {
                        Verdict::Passed => {
                            if arguments.verbose {
                                println!("ok      {seconds:>5.1} s  {}", case.name);
                            }
                            0
                        }
                        Verdict::NotYet(why, how) => {
                            let how = if arguments.verbose { how } else { String::new() };
                            println!("not yet {seconds:>5.1} s  {}: {why} {how}", case.name);
                            1
                        }
                        Verdict::Failed(why) => {
                            println!(
                                "FAILED  {seconds:>5.1} s  {} ({}): {why}\n        logs and capture: target/hil/{}",
                                case.name,
                                case.about,
                                folder(case)
                            );
                            2
                        }
                    };
                    if let Ok(mut counts) = counts.lock() {
                        counts[place] += 1;
                    }
                }
            });
        }
    });
    let [passed, not_yet, failed] = counts.into_inner().unwrap_or_default();
    println!("interoperability: {passed} passed, {not_yet} not yet, {failed} failed");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Name of a case's run.
fn folder(case: &Case) -> String {
    format!("interop-{}", case.name)
}

fn judge(case: &Case) -> Result<Verdict> {
    let output = world::command(&["interop", &case.name])?
        .output()
        .context("unshare (package util-linux)")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
    Ok(match (output.status.success(), case.not_yet()) {
        (true, None) => Verdict::Passed,
        (true, Some(_)) => Verdict::Failed("it passes now: take it off the list NOT_YET".into()),
        (false, Some(why)) => Verdict::NotYet(why, said),
        (false, None) => Verdict::Failed(said),
    })
}

/// Brings PJSUA2 and SIPVicious, which Debian does not have in these versions.
fn python() -> Result<()> {
    let environment = pjsua::environment();
    setup::python_environment(&environment)?;
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("phones/requirements.txt");
    let stamp = environment.join("requirements.txt");
    let wanted = std::fs::read(&requirements)?;
    if std::fs::read(&stamp).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    let mut install = Command::new(environment.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    must(install.arg("--requirement").arg(&requirements))?;
    std::fs::write(stamp, wanted)?;
    Ok(())
}
