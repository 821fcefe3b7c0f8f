//! Child processes whose output is kept in a file and which die with their owner.

use crate::wait::wait_for;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Runs a command to its end; its standard output, or an error with what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!(
            "{command:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&said).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// Where its part of the log begins.
    begin: usize,
}

impl Process {
    /// Starts `command`; both its outputs go to `<folder>/<name>.log` (appended: a restart keeps the first part).
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Result<Process> {
        Process::spawn(name, command.stdin(Stdio::null()), folder)
    }

    /// The same for a program that is told what to do on its standard input, by [`tell`](Process::tell).
    pub fn start_told(name: &str, command: &mut Command, folder: &Path) -> Result<Process> {
        Process::spawn(name, command.stdin(Stdio::piped()), folder)
    }

    fn spawn(name: &str, command: &mut Command, folder: &Path) -> Result<Process> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().append(true).create(true).open(&log)?;
        command.stdout(file.try_clone()?).stderr(file);
        let begin = std::fs::metadata(&log)?.len() as usize;
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Process {
            name: name.into(),
            child,
            log,
            begin,
        })
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("it is told nothing")?;
        writeln!(input, "{line}").with_context(|| format!("{}: {line}", self.name))
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(self.begin..).unwrap_or_default()).into_owned()
    }

    /// Waits for a line of output that contains `text`, and gives it; fails at once when the program ends before.
    pub fn prints(&mut self, text: &str, within: Duration) -> Result<String> {
        let what = format!("{} prints {text:?}", self.name);
        wait_for(&what, within, || {
            let ended = matches!(self.child.try_wait(), Ok(Some(_)));
            match self.output().lines().find(|line| line.contains(text)) {
                Some(line) => Some(Ok(line.to_string())),
                None if ended => Some(Err(self.last_words())),
                None => None,
            }
        })?
        .map_err(|words| anyhow::anyhow!("{} ended: {words}", self.name))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Is it still running?
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; true if its exit status was 0.
    pub fn ends(&mut self, within: Duration) -> Result<bool> {
        let what = format!("{} ends", self.name);
        Ok(wait_for(&what, within, || self.child.try_wait().ok().flatten())?.success())
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only when it is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub fn terminate(&mut self, within: Duration) -> Result<bool> {
        let id = rustix::process::Pid::from_child(&self.child);
        // Fails only when it is already gone.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        self.ends(within)
    }

    /// The last lines of its output.
    pub fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
