//! SIPp with scenarios of our own (`hil/scenarios/*.xml`): the third phone and the carrier.
//!
//! In a scenario `{name}` stands for a word given at the start; SIPp's own words are in `[brackets]`.

use crate::process::Process;
use crate::tone;
use crate::world::Namespace;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// How SIPp is started.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// Name of the run, for its files.
    pub name: &'a str,
    /// Scenario, a file of `hil/scenarios` without ".xml".
    pub scenario: &'a str,
    /// A second scenario for calls that others begin, while the first is going on.
    pub answering: Option<&'a str>,
    /// Where to send requests: "address:port". None for a scenario that only answers.
    pub remote: Option<&'a str>,
    /// Transport, as SIPp's option `-t` has it: "u1" if empty, "t1" for TCP on one connection.
    pub transport: &'a str,
    /// Own address; its port is 5060.
    pub local: &'a str,
    /// Numbers to call, `[field0]` in turn, four a second: as many calls. None for a scenario that only answers.
    pub called: &'a [&'a str],
    /// User name and password of `[authentication]`, and the URI that the digest names.
    pub credentials: Option<(&'a str, &'a str, &'a str)>,
    /// Words of the scenario.
    pub words: &'a [(&'a str, &'a str)],
    /// Frequency of the tone that it plays (`tone.ulaw`), Hz.
    pub tone: Option<f64>,
}

/// Folder of the scenarios.
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Starts SIPp in `namespace`; its messages are kept in `<folder>/<name>/`.
pub fn start(namespace: &Namespace, options: &Options, folder: &Path) -> Result<Process> {
    let home = folder.join(options.name);
    std::fs::create_dir_all(&home)?;
    if let Some(frequency) = options.tone {
        let second: Vec<u8> = tone::sine(frequency, 1.0)
            .into_iter()
            .map(tone::to_ulaw)
            .collect();
        std::fs::write(home.join("tone.ulaw"), second)?;
    }
    let mut command = namespace.command("sipp");
    command.current_dir(&home).env("TERM", "dumb");
    command.args(options.remote);
    if !options.transport.is_empty() {
        command.args(["-t", options.transport]);
    }
    command.args(["-sf", &fill(options.scenario, options.words, &home)?]);
    if let Some(name) = options.answering {
        command.args(["-oocsf", &fill(name, options.words, &home)?]);
    }
    command.args([
        "-i",
        options.local,
        "-p",
        "5060",
        "-nostdin",
        "-trace_msg",
        "-message_file",
        "messages.log",
    ]);
    command.args(["-trace_err", "-error_file", "errors.log"]);
    if !options.called.is_empty() {
        let numbers: String = options
            .called
            .iter()
            .map(|number| format!("{number}\n"))
            .collect();
        std::fs::write(home.join("called.csv"), format!("SEQUENTIAL\n{numbers}"))?;
        let calls = options.called.len().to_string();
        command.args(["-inf", "called.csv", "-m", &calls, "-l", &calls, "-r", "4"]);
    }
    if let Some((user, password, uri)) = options.credentials {
        command.args(["-au", user, "-ap", password, "-auth_uri", uri]);
    }
    Process::start(options.name, &mut command, folder)
}

/// Writes the scenario with its words filled in into `home`; its file name there.
pub fn fill(scenario: &str, words: &[(&str, &str)], home: &Path) -> Result<String> {
    let file = format!("{scenario}.xml");
    let source = scenarios().join(&file);
    let mut text = std::fs::read_to_string(&source).with_context(|| format!("{}", source.display()))?;
    for (name, value) in words {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    ensure!(!text.contains(['{', '}']), "{file}: a word is not filled in");
    std::fs::write(home.join(&file), text)?;
    Ok(file)
}
