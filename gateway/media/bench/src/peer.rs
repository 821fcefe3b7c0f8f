//! spandsp, in processes of its own: `peers/peer.h` has how they are spoken to.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running program of `peers/`. It ends when this is dropped.
pub struct Peer {
    process: Child,
    questions: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts one by its file's name without `.c`.
    pub fn start(name: &str) -> Result<Peer> {
        Peer::start_with(name, &[])
    }

    /// Starts one with arguments.
    pub fn start_with(name: &str, arguments: &[&OsStr]) -> Result<Peer> {
        let mut command = Command::new(Path::new(env!("PEERS")).join(name));
        command.args(arguments);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let questions = process.stdin.take().context("stdin")?;
        let answers = process.stdout.take().context("stdout")?;
        Ok(Peer {
            process,
            questions: Some(BufWriter::new(questions)),
            answers: BufReader::new(answers),
        })
    }

    /// What it has to say of these samples, in a line.
    pub fn ask(&mut self, samples: &[i16]) -> Result<String> {
        let questions = self.questions.as_mut().context("ended")?;
        questions.write_all(&u32::try_from(samples.len())?.to_ne_bytes())?;
        for sample in samples {
            questions.write_all(&sample.to_ne_bytes())?;
        }
        questions.flush()?;
        let mut answer = String::new();
        ensure!(self.answers.read_line(&mut answer)? > 0, "a peer has ended");
        Ok(answer.trim_end().into())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be in the middle of an answer that nobody reads.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
