//! The cloud: its process and its commands, as an operator uses them.

use crate::process::{Process, run};
use crate::run::target;
use crate::wait::s;
use crate::world::Namespace;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, as `cargo build` leaves it.
pub fn program() -> PathBuf {
    target().join("debug/denwaban-cloud")
}

/// A cloud with its data directory.
pub struct Cloud {
    computer: Namespace,
    data: PathBuf,
    folder: PathBuf,
    serving: Option<Process>,
}

impl Cloud {
    /// A new cloud on `computer`; its data are in `<folder>/cloud`.
    pub fn new(computer: &Namespace, folder: &Path) -> Result<Cloud> {
        ensure!(program().exists(), "no cloud at {}", program().display());
        let data = folder.join("cloud");
        std::fs::create_dir_all(&data)?;
        Ok(Cloud {
            computer: computer.clone(),
            data,
            folder: folder.into(),
            serving: None,
        })
    }

    /// Starts the server; all its listeners are up when this returns.
    pub fn serve(&mut self, arguments: &[&str]) -> Result<()> {
        ensure!(self.serving.is_none(), "the cloud is serving");
        let mut command = self.computer.command(program());
        command.arg("--data").arg(&self.data).arg("serve").args(arguments);
        let mut process = Process::start("cloud", &mut command, &self.folder)?;
        process.prints("ready", s(30))?;
        self.serving = Some(process);
        Ok(())
    }

    /// Stops it as an operator does (SIGTERM); true if it ended well.
    pub fn stop(&mut self) -> Result<bool> {
        let mut process = self.serving.take().context("the cloud is not serving")?;
        process.terminate(s(10))
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        self.serving.as_ref().map(Process::output).unwrap_or_default()
    }

    /// Carries out a command; its answer.
    pub fn order(&self, arguments: &[&str]) -> Result<Value> {
        let answer = run(&mut self.command(arguments))?;
        serde_json::from_str(&answer).with_context(|| format!("{arguments:?}: {answer}"))
    }

    /// Gives an order that breaks a rule; what the operator is told.
    pub fn refused(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output()?;
        ensure!(!output.status.success(), "{arguments:?} was carried out");
        Ok(String::from_utf8_lossy(&output.stderr).trim().into())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .arg("--data")
            .arg(&self.data)
            .arg("--json")
            .args(arguments)
            .env("RUST_LOG", "error");
        command
    }

    /// Rows of `show <what>`.
    pub fn show(&self, what: &str) -> Result<Vec<Value>> {
        match self.order(&["show", what])? {
            Value::Array(rows) => Ok(rows),
            other => anyhow::bail!("show {what}: not a list: {other}"),
        }
    }
}
