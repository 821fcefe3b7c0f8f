//! Hours of what is not a signal of the line: speech that was recorded, speech that is made, music that is made.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context, Result, ensure};

use crate::signal::{Dice, coded, rms};

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
        ensure!(speech.wait()?.success() && sox.status.success(), "espeak-ng {language}+{voice}");
        samples.extend(sox.stdout.as_chunks().0.iter().map(|&two| i16::from_le_bytes(two)));
    }
    samples.truncate(minutes * 60 * 8_000);
    Ok(samples)
}

/// Chords, melodies and drums of made-up instruments, for so many minutes, through µ-law.
pub fn music(minutes: usize) -> Vec<i16> {
    let mut dice = Dice::new(3);
    let mut samples = Vec::new();
    for _ in 0..minutes {
        samples.extend(coded(&piece(&mut dice)));
    }
    samples
}

/// A minute of music: up to four voices in one key, each with an instrument of its own, and drums.
fn piece(dice: &mut Dice) -> Vec<f64> {
    const SCALES: [[i32; 7]; 2] = [[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10]];
    let mut samples = vec![0.0; 60 * 8_000];
    let scale = SCALES[dice.one_of(2)];
    let key = dice.one_of(12) as i32;
    let beat = dice.between(0.25, 0.8);
    for _ in 0..1 + dice.one_of(4) {
        let instrument = Instrument::any(dice);
        let octave = 3 + dice.one_of(3) as i32;
        let level = dice.between(-26.0, -14.0);
        let mut at = 0.0;
        let mut degree = dice.one_of(7) as i32;
        while at < 60.0 {
            let length = beat * [0.5, 1.0, 1.0, 2.0, 4.0][dice.one_of(5)];
            degree = (degree + dice.one_of(5) as i32 - 2).rem_euclid(14);
            let half_tones = key + 12 * (octave + degree / 7) + scale[(degree % 7) as usize];
            // Of the tuning with A at 440 Hz, nine half tones above C of the fourth octave.
            let hertz = 440.0 * 2f64.powf(f64::from(half_tones - 57) / 12.0);
            instrument.play(&mut samples, at, length, hertz, level);
            at += length;
        }
    }
    let drums = dice.one_of(3) > 0;
    let mut at = 0.0;
    while drums && at < 60.0 {
        let (size, decay) = (rms(dice.between(-24.0, -14.0)), dice.between(10.0, 60.0));
        let from = (at * 8_000.0) as usize;
        for (n, sample) in samples.iter_mut().skip(from).take(2_000).enumerate() {
            *sample += size * dice.normal() * (-(n as f64) * decay / 8_000.0).exp();
        }
        at += beat;
    }
    samples
}

/// What makes a sound an instrument's: its harmonics, how fast they die away, and vibrato.
struct Instrument {
    harmonics: Vec<f64>,
    decay: f64,
    vibrato: (f64, f64),
}

impl Instrument {
    fn any(dice: &mut Dice) -> Instrument {
        // From a flute's, with hardly any, to a string's.
        let slope = dice.between(0.7, 2.5);
        let odd = dice.one_of(4) == 0;
        let harmonic = |n: usize, dice: &mut Dice| match odd && n % 2 == 0 {
            true => 0.0,
            false => (n as f64).powf(-slope) * dice.between(0.5, 1.5),
        };
        Instrument {
            harmonics: (1..=10).map(|n| harmonic(n, dice)).collect(),
            decay: [0.0, 0.5, 2.0, 5.0][dice.one_of(4)],
            vibrato: (dice.between(4.0, 7.0), [0.0, 0.0, 0.003, 0.006][dice.one_of(4)]),
        }
    }

    fn play(&self, samples: &mut [f64], at: f64, length: f64, hertz: f64, level: f64) {
        let whole = self.harmonics.iter().map(|h| h * h).sum::<f64>().sqrt();
        let size = rms(level) * 2f64.sqrt() / whole;
        let (from, count) = ((at * 8_000.0) as usize, (length * 8_000.0) as usize);
        let mut phase = 0.0;
        for (n, sample) in samples.iter_mut().skip(from).take(count).enumerate() {
            let time = n as f64 / 8_000.0;
            let swing = 1.0 + self.vibrato.1 * (TAU * self.vibrato.0 * time).sin();
            phase += TAU * hertz * swing / 8_000.0;
            let edge = (time * 50.0).min((length - time) * 50.0).min(1.0);
            let envelope = size * edge * (-self.decay * time).exp();
            for (k, harmonic) in (1..).zip(&self.harmonics) {
                if hertz * f64::from(k) < 3_400.0 {
                    *sample += envelope * harmonic * (phase * f64::from(k)).sin();
                }
            }
        }
    }
}
