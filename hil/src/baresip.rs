//! A desk phone: one baresip process, controlled over its `ctrl_tcp` module (netstrings of JSON).
//!
//! It plays a tone of its own frequency, and what it hears is recorded by its `sndfile` module.

use crate::process::Process;
use crate::tone;
use crate::wait::{s, wait_for};
use crate::world::Namespace;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a phone is set up with by the person who unpacks it.
#[derive(Debug, Clone, Default)]
pub struct Account<'a> {
    /// SIP user.
    pub user: &'a str,
    /// Password of the user.
    pub password: &'a str,
    /// Domain of the service; the realm.
    pub domain: &'a str,
    /// Address of the box: registrar and outbound proxy.
    pub proxy: &'a str,
    /// Seconds between registrations; 0 registers never.
    pub register: u32,
    /// Frequency that it plays, Hz.
    pub tone: f64,
    /// Transport of its SIP: "udp" if empty, "tcp" or "tls" (it verifies no certificate).
    pub transport: &'a str,
}

/// Something the phone reported.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// baresip's name of it: "REGISTER_OK", "CALL_INCOMING", "CALL_ESTABLISHED", "CALL_CLOSED", ...
    pub kind: String,
    /// All of it.
    pub value: Value,
}

impl Event {
    /// Its text parameter: why a call was closed, what was refused.
    pub fn text(&self) -> &str {
        self.value["param"].as_str().unwrap_or_default()
    }
}

#[derive(Default)]
struct Heard {
    events: Vec<Event>,
    answers: Vec<Value>,
}

/// A running phone. Dropping it kills it.
pub struct Phone {
    /// Its process.
    pub process: Process,
    control: TcpStream,
    heard: Arc<Mutex<Heard>>,
    recordings: PathBuf,
    serial: u64,
}

/// A place in the order of events: "from here on".
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark(usize);

impl Phone {
    /// Starts a phone in `namespace` with its files in `<folder>/<namespace>`; the control connection is up when this
    /// returns.
    pub fn start(namespace: &Namespace, account: &Account, folder: &Path) -> Result<Phone> {
        let home = folder.join(namespace.name());
        let recordings = home.join("recordings");
        std::fs::create_dir_all(&recordings)?;
        let wav = home.join("tone.wav");
        // baresip stops at the end of the file; no test lasts as long.
        tone::write_wav(&wav, &tone::sine(account.tone, 600.0))?;
        std::fs::write(home.join("config"), config(&wav, &recordings))?;
        std::fs::write(home.join("accounts"), line(account))?;
        std::fs::write(home.join("contacts"), "")?;
        let mut command = namespace.command("baresip");
        command.arg("-f").arg(&home);
        let mut process = Process::start(namespace.name(), &mut command, folder)?;
        process.prints("baresip is ready", s(10))?;
        let connect = || {
            namespace
                .within(|| Ok(TcpStream::connect("127.0.0.1:4444")?))
                .ok()
        };
        let control = wait_for("baresip's control port", s(5), connect)?;
        let heard = Arc::default();
        let (theirs, stream) = (Arc::clone(&heard), control.try_clone()?);
        std::thread::spawn(move || listen(stream, &theirs));
        Ok(Phone {
            process,
            control,
            heard,
            recordings,
            serial: 0,
        })
    }

    /// The place behind the last event.
    pub fn mark(&self) -> Mark {
        Mark(self.with(|heard| heard.events.len()))
    }

    /// Events since `mark`.
    pub fn events(&self, mark: Mark) -> Vec<Event> {
        self.with(|heard| heard.events[mark.0..].to_vec())
    }

    /// Waits until its first registration was accepted (it may happen before the control connection is up, so the
    /// phone's log tells).
    pub fn registered(&mut self, within: Duration) -> Result<String> {
        self.process.prints("200 OK", within)
    }

    /// Waits for an event of this kind since `mark`.
    pub fn wait(&self, mark: Mark, kind: &str, within: Duration) -> Result<Event> {
        let found = wait_for(kind, within, || {
            self.events(mark).into_iter().find(|event| event.kind == kind)
        });
        found.with_context(|| {
            let kinds: Vec<_> = self.events(mark).into_iter().map(|event| event.kind).collect();
            format!("{}: instead {kinds:?}", self.recordings.display())
        })
    }

    /// Calls a number or an extension, as a person at the phone does.
    pub fn dial(&mut self, number: &str) -> Result<()> {
        self.command("dial", number).map(drop)
    }

    /// Takes the call that rings.
    pub fn answer(&mut self) -> Result<()> {
        self.command("accept", "").map(drop)
    }

    /// Hangs up, or declines the call that rings.
    pub fn hang_up(&mut self) -> Result<()> {
        self.command("hangup", "").map(drop)
    }

    /// How many calls it has.
    pub fn calls(&mut self) -> Result<usize> {
        let text = self.command("listcalls", "")?;
        let count = text
            .split_once("Active calls (")
            .and_then(|(_, rest)| rest.split_once(')'));
        match count {
            Some((count, _)) => Ok(count.parse()?),
            None => Ok(0),
        }
    }

    /// Everything recorded of what it heard in its latest call.
    pub fn recording(&self) -> Result<Vec<i16>> {
        let mut files: Vec<_> = std::fs::read_dir(&self.recordings)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
        let latest = files.last().context("nothing recorded")?;
        tone::read_wav(latest)
    }

    /// Forgets the recordings so far.
    pub fn erase_recordings(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.recordings)? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    /// Waits until the last 300 ms that it heard are the tone of `frequency` and none of `others`; the level in dBFS.
    pub fn hears(&self, frequency: f64, others: &[f64], within: Duration) -> Result<f64> {
        const WINDOW: usize = tone::RATE as usize * 3 / 10;
        let what = format!("{}: hears {frequency} Hz", self.recordings.display());
        wait_for(&what, within, || {
            let heard = self.recording().ok()?;
            tone::heard(&heard, WINDOW, frequency, others)
                .then(|| tone::level(&heard[heard.len() - WINDOW..], frequency))
        })
    }

    /// Gives one of the commands of its modules; the answer.
    pub fn command(&mut self, command: &str, parameters: &str) -> Result<String> {
        self.serial += 1;
        let token = self.serial.to_string();
        let text = json!({"command": command, "params": parameters, "token": token}).to_string();
        write!(self.control, "{}:{text},", text.len())?;
        let answer = wait_for(&format!("baresip's answer to {command}"), s(10), || {
            self.with(|heard| {
                heard
                    .answers
                    .iter()
                    .find(|answer| answer["token"] == token.as_str())
                    .cloned()
            })
        })?;
        ensure!(
            answer["ok"] == true,
            "baresip refuses {command} {parameters}: {answer}"
        );
        Ok(answer["data"].as_str().unwrap_or_default().to_string())
    }

    fn with<T>(&self, read: impl FnOnce(&Heard) -> T) -> T {
        read(&self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn config(wav: &Path, recordings: &Path) -> String {
    let modules: String = ["g711", "account", "sndfile", "aufile", "aubridge"]
        .iter()
        .map(|name| format!("module {name}.so\n"))
        .collect();
    format!(
        "module_path /usr/lib/baresip/modules\n{modules}module_app menu.so\nmodule ctrl_tcp.so\n\
         ctrl_tcp_listen 127.0.0.1:4444\nsip_listen 0.0.0.0:5060\ncall_max_calls 4\nringback_disabled yes\n\
         audio_source aufile,{}\naudio_player aubridge,none\naudio_alert aubridge,none\n\
         ausrc_srate 8000\nauplay_srate 8000\naudio_buffer 20-160\nsnd_path {}\n",
        wav.display(),
        recordings.display()
    )
}

fn line(account: &Account) -> String {
    let transport = match account.transport {
        "" => String::new(),
        name => format!(";transport={name}"),
    };
    format!(
        "<sip:{}@{}{transport}>;auth_pass={};outbound=\"sip:{}{transport}\";regint={};answermode=manual;ptime=20;\
         audio_codecs=PCMU/8000/1\n",
        account.user, account.domain, account.password, account.proxy, account.register
    )
}

/// Reads netstrings until the phone is gone.
fn listen(mut stream: TcpStream, heard: &Mutex<Heard>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        bytes.extend(&chunk[..length]);
        while let Ok(Some(value)) = netstring(&mut bytes) {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            if value["event"] == true {
                let kind = value["type"].as_str().unwrap_or_default().to_string();
                heard.events.push(Event {
                    at: Instant::now(),
                    kind,
                    value,
                });
            } else {
                heard.answers.push(value);
            }
        }
    }
}

/// Takes one whole `<length>:<json>,` from the front of `bytes`.
fn netstring(bytes: &mut Vec<u8>) -> Result<Option<Value>> {
    let Some(colon) = bytes.iter().position(|&byte| byte == b':') else {
        return Ok(None);
    };
    let length: usize = std::str::from_utf8(&bytes[..colon])?.parse()?;
    let end = colon + 1 + length;
    if bytes.len() <= end {
        return Ok(None);
    }
    if bytes[end] != b',' {
        bail!("not a netstring");
    }
    let value = serde_json::from_slice(&bytes[colon + 1..end])?;
    bytes.drain(..=end);
    Ok(Some(value))
}
