//! Hours of what is not a signal of the line: speech that was recorded, speech that is made, music that is made.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context, Result, ensure};

use crate::signal::{Dice, coded, music};

/// Where Debian's `asterisk-core-sounds-*-wav` are.
const RECORDED: &str = "/usr/share/asterisk/sounds";

/// Languages of espeak-ng, and voices of either sex.
const LANGUAGES: [&str; 12] = [
    "ja", "en-us", "en-gb", "de", "fr-fr", "es", "it", "pt-br", "ru", "pl", "nl", "sv",
];
const VOICES: [&str; 10] = ["m1", "m2", "m3", "m4", "m7", "f1", "f2", "f3", "f4", "f5"];

/// The recordings, one after the other, as loud as they are: samples of 8 kHz.
pub fn recorded() -> Result<Vec<i16>> {
    let mut files = Vec::new();
    walk(Path::new(RECORDED), &mut files).with_context(|| format!("{RECORDED}: asterisk-core-sounds"))?;
    files.sort();
    let mut samples = Vec::new();
    for file in files {
        let octets = fs::read(&file)?;
        let data = octets.windows(4).position(|four| four == b"data");
        let (_, rest) = octets.split_at(data.with_context(|| format!("{}: no WAV", file.display()))? + 8);
        samples.extend(rest.as_chunks().0.iter().map(|&two| i16::from_le_bytes(two)));
    }
    Ok(samples)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            files.push(path);
        }
    }
    Ok(())
}

/// Numbers read out by espeak-ng in several languages, voices, pitches and speeds, for so many minutes.
pub fn spoken(minutes: usize) -> Result<Vec<i16>> {
    let mut dice = Dice::new(2);
    let mut samples: Vec<i16> = Vec::new();
    while samples.len() < minutes * 60 * 8_000 {
        let language = LANGUAGES[dice.one_of(LANGUAGES.len())];
        let voice = VOICES[dice.one_of(VOICES.len())];
        let numbers: Vec<_> = (0..60).map(|_| (dice.next() % 100_000).to_string()).collect();
        let mut speech = Command::new("espeak-ng")
            .args(["--stdout", "-v", &format!("{language}+{voice}")])
            .args(["-p", &dice.one_of(100).to_string()])
            .args(["-s", &(110 + dice.one_of(120)).to_string(), &numbers.join(", ")])
            .stdout(Stdio::piped())
            .spawn()
            .context("espeak-ng")?;
        let sox = Command::new("sox")
            .args(["-D", "--ignore-length", "-t", "wav", "-"])
            .args(["-t", "s16", "-r", "8000", "-c", "1", "-"])
            .stdin(speech.stdout.take().context("stdout")?)
            .stderr(Stdio::null())
            .output()
            .context("sox")?;
        ensure!(
            speech.wait()?.success() && sox.status.success(),
            "espeak-ng {language}+{voice}"
        );
        samples.extend(
            sox.stdout
                .as_chunks()
                .0
                .iter()
                .map(|&two| i16::from_le_bytes(two)),
        );
    }
    samples.truncate(minutes * 60 * 8_000);
    Ok(samples)
}

/// Chords, melodies and drums of made-up instruments, for so many minutes.
pub fn played(minutes: usize) -> Vec<i16> {
    let mut dice = Dice::new(3);
    let mut samples = Vec::new();
    for _ in 0..minutes {
        samples.extend(coded(&music::piece(&mut dice)));
    }
    samples
}
