//! What spandsp does at the end of a line: a display that decodes numbers, a FAX machine, and the modem of efax, a FAX machine
//! with a T.30 of its own. It is a program of its own (`peer.c`), told and asked over pipes a block of 40 samples at a time.

use crate::run::{target, workspace};
use anyhow::{Context, Result, ensure};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const BLOCK: usize = 40;

/// Compiles the program, unless it is there; its path.
pub fn program() -> Result<PathBuf> {
    let source = workspace().join("hil/src/twin/peer.c");
    let folder = target().join("hil-peer");
    std::fs::create_dir_all(&folder)?;
    let program = folder.join("peer");
    let newer = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    if newer(&program).is_some_and(|made| newer(&source).is_some_and(|written| made >= written)) {
        return Ok(program);
    }
    // Several tests may compile it at once: each its own, the last one stays.
    let own = folder.join(format!(
        "peer-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let mut compiler = Command::new("cc");
    compiler
        .args(["-O2", "-Wall", "-Werror", "-o"])
        .arg(&own)
        .arg(&source);
    compiler.args(["-lspandsp", "-ltiff", "-lm"]);
    let output = compiler.output().context("cc")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}: {said} (package libspandsp-dev)",
        source.display()
    );
    std::fs::rename(own, &program)?;
    Ok(program)
}

#[derive(Debug)]
struct Peer {
    child: Child,
    input: Vec<u8>,
}

impl Peer {
    fn start(arguments: &[&str], log: impl Into<Stdio>) -> Result<Peer> {
        let mut command = Command::new(program()?);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        Ok(Peer {
            child: command.spawn()?,
            input: Vec::new(),
        })
    }

    /// Gives it a sample. After a whole block: its answer of `length` octets, or of as many as the first one says.
    fn frame(&mut self, sample: i16, length: Option<usize>) -> Option<Vec<u8>> {
        self.input.extend(sample.to_le_bytes());
        if self.input.len() < 2 * BLOCK {
            return None;
        }
        let block = std::mem::take(&mut self.input);
        self.child.stdin.as_mut()?.write_all(&block).ok()?;
        let output = self.child.stdout.as_mut()?;
        let mut first = [0];
        let length = match length {
            Some(length) => length,
            None => {
                output.read_exact(&mut first).ok()?;
                usize::from(first[0])
            }
        };
        let mut answer = vec![0; length];
        output.read_exact(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends with its input; what is still there after that is not waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A decoder of Japanese number displays.
#[derive(Debug)]
pub struct Display(Option<Peer>);

impl Display {
    /// One that is asleep; an error if its program cannot be made.
    pub fn new() -> Result<Display> {
        program()?;
        Ok(Display(None))
    }

    /// Listens from now on.
    pub fn begin(&mut self) {
        self.0 = Peer::start(&["display"], Stdio::inherit()).ok();
    }

    /// Hears a sample; the message that it completes, as `type=content` of its fields in hexadecimal types, separated by
    /// spaces: `02=0312340001 09=0312340000`.
    pub fn frame(&mut self, sample: i16) -> Option<String> {
        let answer = self.0.as_mut()?.frame(sample, None)?;
        if answer.is_empty() {
            return None;
        }
        self.0 = None;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// The sound of a message with these fields, as spandsp's exchange sends it; silence for none.
pub fn announcement(fields: &str) -> Result<Vec<i16>> {
    let arguments: Vec<_> = ["announce"]
        .into_iter()
        .chain(fields.split_whitespace())
        .collect();
    if arguments.len() == 1 {
        return Ok(Vec::new());
    }
    let sound = once(&arguments, &[])?;
    Ok(sound
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| i16::from_le_bytes(*pair))
        .collect())
}

/// A FAX machine: spandsp's, T.30 with V.17, V.29, V.27ter and error correction, or efax with spandsp's modems.
#[derive(Debug)]
pub struct Fax {
    peer: Peer,
    sound: VecDeque<i16>,
    outcome: Option<bool>,
}

impl Fax {
    /// One that sends this TIFF.
    pub fn send(page: &Path) -> Result<Fax> {
        Fax::start("send", page)
    }

    /// One that receives into this TIFF.
    pub fn receive(page: &Path) -> Result<Fax> {
        Fax::start("receive", page)
    }

    /// efax, which sends this PBM (see [`write_bitmap`]) in FAX Class 1 (ITU-T T.31), below 20 white rows of its own. It gives up
    /// after two minutes without a line. What it says is beside the page, in a `.log`.
    pub fn efax_sends(page: &Path) -> Result<Fax> {
        Fax::efax(page, &["-h", " ", "-t", "T"])
    }

    /// efax, which receives into this file with `.001` added, a TIFF.
    pub fn efax_receives(page: &Path) -> Result<Fax> {
        Fax::efax(page, &["-r"])
    }

    fn efax(page: &Path, what: &[&str]) -> Result<Fax> {
        let log = File::create(page.with_added_extension("log"))?;
        let page = page.to_str().context("a path that is no text")?;
        let program = ["modem", "efax", "-d", "/dev/stdin", "-v", "ewinc"];
        // No echo of commands; fine, 14,400 bit/s, 215 mm, any length, one-dimensional, no error correction.
        let set = ["-i", "E0", "-c", "1,5,0,2,0,0,0,0"];
        let arguments = [&program[..], &set, what, &[page]].concat();
        Ok(Fax::new(Peer::start(&arguments, log)?))
    }

    fn start(what: &str, page: &Path) -> Result<Fax> {
        let page = page.to_str().context("a path that is no text")?;
        Ok(Fax::new(Peer::start(&[what, page], Stdio::inherit())?))
    }

    fn new(peer: Peer) -> Fax {
        Fax {
            peer,
            sound: VecDeque::from([0; BLOCK]),
            outcome: None,
        }
    }

    /// Hears a sample and gives one.
    pub fn frame(&mut self, sample: i16) -> i16 {
        if let Some(answer) = self.peer.frame(sample, Some(1 + 2 * BLOCK)) {
            let (state, sound) = answer.split_first().unwrap_or((&2, &[]));
            self.sound.extend(
                sound
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|pair| i16::from_le_bytes(*pair)),
            );
            if *state > 0 {
                self.outcome = Some(*state == 1);
            }
        } else if self.sound.is_empty() {
            self.outcome.get_or_insert(false);
        }
        self.sound.pop_front().unwrap_or(0)
    }

    /// How it ended, if it has: true if every page went over.
    pub fn outcome(&self) -> Option<bool> {
        self.outcome
    }
}

/// A page to send: 1728 dots a row, standard resolution, as a TIFF. Every row differs from the one above.
pub fn write_page(path: &Path, rows: &[[u8; 216]]) -> Result<()> {
    let raw: Vec<u8> = rows.iter().flatten().copied().collect();
    once(&["write", path.to_str().context("path")?], &raw).map(drop)
}

/// The same as a PBM, which efax sends in fine resolution.
pub fn write_bitmap(path: &Path, rows: &[[u8; 216]]) -> Result<()> {
    let mut raw = format!("P4\n1728 {}\n", rows.len()).into_bytes();
    raw.extend(rows.iter().flatten());
    Ok(std::fs::write(path, raw)?)
}

/// The rows of the pages in a TIFF.
pub fn read_page(path: &Path) -> Result<Vec<[u8; 216]>> {
    let raw = once(&["read", path.to_str().context("path")?], &[])?;
    Ok(raw.as_chunks::<216>().0.to_vec())
}

fn once(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let mut command = Command::new(program()?);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn()?;
    child.stdin.take().context("no input")?.write_all(input)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", output.status);
    Ok(output.stdout)
}
