//! PJSUA2, as a Python program (`phones/pjsua.py`) in the environment that holds its wheel.

use super::phone::{Driver, News, Order, Setup};
use crate::process::Process;
use crate::run::target;
use crate::tone;
use crate::world::Namespace;
use anyhow::{Result, ensure};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Folder of the Python environment that `cargo x interop` makes.
pub fn environment() -> PathBuf {
    target().join("interop")
}

/// One phone.
pub struct Pjsua {
    process: Process,
    read: usize,
    recording: PathBuf,
    info: bool,
}

impl Pjsua {
    /// Starts it on `computer`.
    pub fn start(computer: &Namespace, setup: &Setup, folder: &Path) -> Result<Pjsua> {
        let home = folder.join(computer.name());
        std::fs::create_dir_all(&home)?;
        let (wav, recording) = (home.join("tone.wav"), home.join("recording.wav"));
        // A whole number of periods: the file is played again and again.
        tone::write_wav(&wav, &tone::sine(setup.tone, 1.0))?;
        let settings = json!({
            "transport": setup.kind.1.name(),
            "user": setup.user,
            "password": setup.password,
            "domain": setup.domain,
            "proxy": setup.proxy,
            "address": setup.address,
            "authority": setup.authority,
            "expires": setup.expires,
            "tone": wav,
            "recording": recording,
            "session": setup.habits.session.unwrap_or(1800),
            "timer": setup.habits.session.is_some(),
            "reliable": setup.habits.reliable,
            "messages": setup.habits.messages,
            "md5": setup.habits.md5,
        });
        let mut command = computer.command(environment().join("bin/python"));
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("phones/pjsua.py"))
            .arg(settings.to_string());
        Ok(Pjsua {
            process: Process::start_told(computer.name(), &mut command, folder)?,
            read: 0,
            recording,
            info: setup.habits.info,
        })
    }
}

impl Driver for Pjsua {
    fn order(&mut self, order: &Order) -> Result<()> {
        let line = match order {
            Order::Dial(number) => format!("dial {number}"),
            Order::Answer => "answer".into(),
            Order::HangUp => "hangup".into(),
            Order::Hold => "hold".into(),
            Order::Resume => "resume".into(),
            Order::Digit(digit) => format!("{} {digit}", if self.info { "info" } else { "rtp" }),
            Order::Transfer(number) => format!("transfer {number}"),
            Order::Attend => "attend".into(),
            Order::Leave => return Ok(()),
            Order::Unregister => "unregister".into(),
        };
        self.process.tell(&line)
    }

    fn news(&mut self) -> Result<Vec<News>> {
        let output = self.process.output();
        let new = output.get(self.read..).unwrap_or_default();
        let whole = new.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole;
        let told = new[..whole]
            .lines()
            .filter_map(|line| line.strip_prefix("phone: "));
        let mut news = Vec::new();
        for line in told {
            ensure!(!line.starts_with("failed "), "PJSUA: {line}");
            news.extend(read(line));
        }
        ensure!(
            !news.is_empty() || self.process.alive(),
            "it ended: {}",
            self.process.last_words()
        );
        Ok(news)
    }

    fn recording(&self) -> Option<Vec<i16>> {
        Some(tone::read_wav(&self.recording).unwrap_or_default())
    }
}

fn read(line: &str) -> Option<News> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(match kind {
        "registered" => News::Registered,
        "unregistered" => News::Unregistered,
        "refused" => News::Refused,
        "rings" => News::Rings,
        "talks" => News::Talks,
        "ended" => News::Ended(rest.parse().ok()),
        "held" => News::Held,
        "resumed" => News::Resumed,
        "digit" => News::Digit(rest.chars().next()?),
        "messages" => News::Messages(rest.into()),
        "transfer" => News::Transfer(rest.parse().ok()?),
        _ => return None,
    })
}
