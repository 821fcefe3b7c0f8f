//! The oracles of the number plan and of the calendar: libraries from PyPI, in a virtual environment under `target/`.

use crate::build::must;
use crate::setup;
use anyhow::Result;
use hil::run::{target, workspace};
use std::process::Command;

/// Asks them whether the tables and answers in the tree are theirs. Where they cannot be had, that is said: the answers
/// in the tree are tested without them.
pub fn check() -> Result<()> {
    let folder = workspace().join("shared/oracle");
    let requirements = folder.join("requirements.txt");
    let environment = target().join("oracle");
    let python = environment.join("bin/python");
    let mut install = Command::new(&python);
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(requirements);
    let had = setup::python_environment(&environment).and_then(|()| must(&mut install));
    if let Err(error) = had {
        println!("oracles: NOT ASKED, they cannot be had here: {error:#}");
        return Ok(());
    }
    for script in ["oracle.py", "national_holidays.py"] {
        must(Command::new(&python).arg(folder.join(script)).arg("--check"))?;
    }
    Ok(())
}
