//! linphone-daemon: orders on its standard input; what happens is read from liblinphone's log.

use super::phone::{Driver, News, Order, Setup, Transport};
use crate::process::Process;
use crate::tone;
use crate::world::Namespace;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// One phone.
pub struct Linphone {
    process: Process,
    log: PathBuf,
    read: usize,
    domain: String,
    calls: u32,
    status: Option<u16>,
    untold: Vec<News>,
}

impl Linphone {
    /// Starts it on `computer`.
    pub fn start(computer: &Namespace, setup: &Setup, folder: &Path) -> Result<Linphone> {
        let home = folder.join(computer.name());
        // Without this folder it does nothing, forever.
        std::fs::create_dir_all(home.join(".local/share/linphone"))?;
        let (wav, log) = (home.join("tone.wav"), home.join("log"));
        tone::write_wav(&wav, &tone::sine(setup.tone, 600.0))?;
        std::fs::write(home.join("linphonerc"), config(setup, &wav))?;
        let mut command = computer.command("linphone-daemon");
        command.arg("--config").arg(home.join("linphonerc"));
        command.arg("--log").arg(&log).arg("--disable-stats-events");
        command.env("HOME", &home).env_remove("XDG_DATA_HOME");
        let mut phone = Linphone {
            process: Process::start_told(computer.name(), &mut command, folder)?,
            log,
            read: 0,
            domain: setup.domain.into(),
            calls: 0,
            status: None,
            untold: Vec::new(),
        };
        phone.process.tell("audio-codec-disable ALL")?;
        phone.process.tell("audio-codec-enable PCMU/8000/1")?;
        Ok(phone)
    }

    /// Reads on in the log.
    fn listen(&mut self) {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let new = bytes.get(self.read..).unwrap_or_default();
        let whole = new
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        self.read += whole;
        let text = String::from_utf8_lossy(&new[..whole]).into_owned();
        for line in text.lines() {
            let news = self.read(line);
            self.untold.extend(news);
        }
    }

    fn read(&mut self, line: &str) -> Option<News> {
        if let Some((_, rest)) = line.split_once("receiving call response [") {
            self.status = rest.get(..3)?.parse().ok();
            return None;
        }
        if let Some((_, rest)) = line.split_once("Receiving dtmf ") {
            return Some(News::Digit(rest.chars().next()?));
        }
        let (subject, states) = line.split_once(" moving from state ")?;
        let (_, state) = states.split_once(" to ")?;
        let state = state.trim_start_matches('[');
        let end = state.find(|c: char| !c.is_alphanumeric()).unwrap_or(state.len());
        let state = &state[..end];
        if subject.contains("Account") {
            return match state {
                "LinphoneRegistrationOk" => Some(News::Registered),
                "LinphoneRegistrationCleared" => Some(News::Unregistered),
                "LinphoneRegistrationFailed" => Some(News::Refused),
                _ => None,
            };
        }
        match state {
            "LinphoneCallOutgoingInit" => {
                self.calls += 1;
                self.status = None;
                None
            }
            "LinphoneCallIncomingReceived" => {
                self.calls += 1;
                self.status = None;
                Some(News::Rings)
            }
            "LinphoneCallPausedByRemote" => Some(News::Held),
            "LinphoneCallEnd" | "LinphoneCallError" => {
                Some(News::Ended(self.status.filter(|&status| status >= 300)))
            }
            "LinphoneCallStreamsRunning" if states.contains("PausedByRemote") => Some(News::Resumed),
            "LinphoneCallStreamsRunning" => Some(News::Talks),
            _ => None,
        }
    }
}

impl Driver for Linphone {
    fn order(&mut self, order: &Order) -> Result<()> {
        // Calls have numbers, which the log tells.
        self.listen();
        let line = match order {
            Order::Dial(number) => format!("call sip:{number}@{}", self.domain),
            Order::Answer => "answer".into(),
            Order::HangUp | Order::Leave => format!("terminate {}", self.calls),
            Order::Hold => format!("call-pause {}", self.calls),
            Order::Resume => format!("call-resume {}", self.calls),
            Order::Digit(digit) => format!("dtmf {digit}"),
            Order::Transfer(number) => format!("call-transfer {} sip:{number}@{}", self.calls, self.domain),
            Order::Attend => format!("call-transfer {} {}", self.calls - 1, self.calls),
            Order::Unregister => "unregister ALL".into(),
        };
        self.process.tell(&line)
    }

    fn news(&mut self) -> Result<Vec<News>> {
        self.listen();
        let news = std::mem::take(&mut self.untold);
        ensure!(
            !news.is_empty() || self.process.alive(),
            "it ended: {}",
            self.process.last_words()
        );
        Ok(news)
    }

    fn recording(&self) -> Option<Vec<i16>> {
        None
    }
}

/// What its configuration file has to say. Without a sound card it plays the music for those on hold, always.
fn config(setup: &Setup, wav: &Path) -> String {
    // It finds no addresses in certificates, only names.
    let (proxy, port) = match setup.kind.1 {
        Transport::Tls => (setup.domain, 5061),
        _ => (setup.proxy, 5060),
    };
    let transport = setup.kind.1.name();
    let Setup {
        user,
        password,
        domain,
        address,
        expires,
        ..
    } = setup;
    let authority = setup.authority.display();
    let (rtp, info) = (u8::from(!setup.habits.info), u8::from(setup.habits.info));
    format!(
        "[sip]\nbind_address={address}\nroot_ca={authority}\nverify_server_certs=1\nverify_server_cn=1\n\
         media_encryption=none\ndefault_proxy=0\nuse_rfc2833={rtp}\nuse_info={info}\nguess_hostname=1\n\
         contact=sip:{user}@{address}\nrefresher_retry_after=1000\n\
         [sound]\nhold_music={}\n\
         [net]\nmtu=0\ndns_srv_enabled=0\n\
         [video]\nenabled=0\ncapture=0\ndisplay=0\nautomatically_initiate=0\nautomatically_accept=0\n\
         [proxy_0]\nreg_proxy=<sip:{proxy}:{port};transport={transport}>\n\
         reg_route=<sip:{proxy}:{port};transport={transport};lr>\nreg_identity=sip:{user}@{domain}\n\
         reg_expires={expires}\nreg_sendregister=1\npublish=0\n\
         [auth_info_0]\nusername={user}\npasswd={password}\nrealm={domain}\n",
        wav.display()
    )
}
