//! Load: one SIP server on one core, SIPp on another, both on loopback; what a call costs the server.
//!
//! 64 phones: the first half calls, the second half is called. SIPp plays all of them from two ports.

use crate::process::Process;
use crate::sipp::scenarios;
use crate::wait::s;
use anyhow::{Context, Result, bail, ensure};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Where the server is, and where it tells its figures.
const SERVER: &str = "127.0.0.1:5060";
const METRICS: &str = "127.0.0.1:9469";
/// SIPp's ports: who calls, and who is called.
const PORTS: [&str; 2] = ["5070", "5080"];
const PHONES: usize = 64;
/// Bytes that may wait in SIPp's sockets.
const BUFFER: &str = "4194304";

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The box as it is shipped.
    Box,
    /// Kamailio: registrar and proxy.
    Kamailio,
    /// The same with digest.
    KamailioAuth,
}

/// A server that runs, alone on its core.
pub struct Server {
    kind: Kind,
    process: Process,
    folder: PathBuf,
}

/// What some load was to a server.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Calls, or registrations, that went as they should, and those that did not.
    pub done: u64,
    /// See `done`.
    pub failed: u64,
    /// Messages that SIPp sent again.
    pub repeated: u64,
    /// Processor time of one, user and system, microseconds.
    pub user: f64,
    /// See `user`.
    pub system: f64,
}

impl Cost {
    /// Processor time of one, microseconds.
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

impl Server {
    /// Starts it and registers all phones.
    pub fn start(kind: Kind, program: &Path, calls: usize, folder: &Path) -> Result<Self> {
        let mut command = alone(0, folder);
        match kind {
            Kind::Box => {
                // Each run begins with an empty memory.
                for old in ["state", "records.jsonl"] {
                    let _ = std::fs::remove_file(folder.join(old));
                }
                std::fs::write(folder.join("box.toml"), configuration(calls)?)?;
                command.arg(program).args(["--config", "box.toml"]);
            }
            Kind::Kamailio | Kind::KamailioAuth => {
                let file = scenarios().join("kamailio.cfg");
                // In the foreground, and memory enough for all transactions that linger.
                command
                    .args(["kamailio", "-DD", "-E", "-m", "2048", "-f"])
                    .arg(file);
                if kind == Kind::KamailioAuth {
                    command.args(["-A", "AUTH"]);
                }
            }
        }
        let process = Process::start(&format!("{kind:?}"), &mut command, folder)?;
        let mut server = Server {
            kind,
            process,
            folder: folder.into(),
        };
        server.ready()?;
        for (half, port) in PORTS.iter().enumerate() {
            let registered = server.sipp("load-registers", port, half, PHONES as u64 / 2, 100)?;
            ensure!(registered.failed == 0, "{kind:?}: phones cannot register");
        }
        Ok(server)
    }

    /// It answers.
    fn ready(&mut self) -> Result<()> {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let options = format!(
            "OPTIONS sip:{SERVER} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKready;rport\r\nMax-Forwards: 70\r\n\
             From: <sip:load@office.example>;tag=1\r\nTo: <sip:office.example>\r\nCall-ID: ready\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            socket.local_addr()?
        );
        let begin = Instant::now();
        while begin.elapsed() < s(10) {
            // Nobody listens yet.
            let _ = socket.send_to(options.as_bytes(), SERVER);
            // What answers is not another one, left over.
            if socket.recv(&mut [0; 4_096]).is_ok() && self.process.alive() {
                return Ok(());
            }
        }
        bail!("{:?} does not answer: {}", self.kind, self.process.output())
    }

    /// So many calls at so many a second.
    pub fn calls(&mut self, count: u64, rate: u64) -> Result<Cost> {
        let mut answering = sipp("load-answers", PORTS[1], &self.folder);
        let mut answering = Process::start("load-answers", &mut answering, &self.folder)?;
        let cost = self.cost(|server| server.sipp("load-calls", PORTS[0], 0, count, rate))?;
        answering.kill();
        Ok(cost)
    }

    /// So many registrations at so many a second.
    pub fn registers(&mut self, count: u64, rate: u64) -> Result<Cost> {
        self.cost(|server| server.sipp("load-registers", PORTS[0], 0, count, rate))
    }

    /// Takes the time of the processes from before to after, less what they need when nothing happens.
    fn cost(&mut self, load: impl FnOnce(&mut Self) -> Result<Cost>) -> Result<Cost> {
        let idle = self.time()?;
        std::thread::sleep(s(1));
        let before = self.time()?;
        let begin = Instant::now();
        let cost = load(self)?;
        let seconds = begin.elapsed().as_secs_f64();
        let after = self.time()?;
        let each = |n: usize| {
            let spent = after[n] - before[n] - (before[n] - idle[n]) * seconds;
            1e6 * spent / cost.done.max(1) as f64
        };
        Ok(Cost {
            user: each(0),
            system: each(1),
            ..cost
        })
    }

    /// Runs SIPp to its end.
    fn sipp(&mut self, scenario: &str, port: &str, half: usize, count: u64, rate: u64) -> Result<Cost> {
        std::fs::write(self.folder.join("phones.csv"), phones(half))?;
        let statistics = self.folder.join("load.csv");
        let _ = std::fs::remove_file(&statistics);
        let mut command = sipp(scenario, port, &self.folder);
        command.arg(SERVER).args(["-inf", "phones.csv", "-l", "20000"]);
        command.args(["-m", &count.to_string(), "-r", &rate.to_string()]);
        command.args(["-trace_stat", "-stf", "load.csv", "-fd", "1"]);
        let mut process = Process::start(scenario, &mut command, &self.folder)?;
        // It ends with an error if a call failed, and the statistics say how many; what has not ended long after the last one
        // began has failed, too.
        if process.ends(Duration::from_secs(count / rate + 40)).is_err() {
            process.kill();
        }
        let text = std::fs::read_to_string(&statistics).context("SIPp's statistics")?;
        let column = |name: &str| {
            let mut rows = text.lines();
            let at = rows.next()?.split(';').position(|column| column == name)?;
            rows.next_back()?.split(';').nth(at)?.parse().ok()
        };
        let told = |name: &str| column(name).with_context(|| format!("SIPp tells no {name}"));
        let done: u64 = told("SuccessfulCall(C)")?;
        Ok(Cost {
            done,
            failed: count.saturating_sub(done),
            repeated: told("Retransmissions(C)")?,
            user: 0.0,
            system: 0.0,
        })
    }

    /// User and system time of its processes so far, seconds.
    fn time(&self) -> Result<[f64; 2]> {
        let hertz = rustix::param::clock_ticks_per_second() as f64;
        let mut sum = [0.0; 2];
        for stat in tree(self.process.id())? {
            for (sum, at) in sum.iter_mut().zip([11, 12]) {
                let ticks: f64 = stat.get(at).context("/proc")?.parse()?;
                *sum += ticks / hertz;
            }
        }
        Ok(sum)
    }

    /// The process whose memory [`memory`] tells.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A figure of the box's own.
    pub fn metric(&self, name: &str) -> Result<u64> {
        let mut stream = TcpStream::connect(METRICS)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.with_context(|| format!("no figure {name}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed, Kamailio would leave its workers behind.
        let _ = self.process.terminate(s(10));
    }
}

/// A command on one core, before whatever else the machine does, as far as that may be asked for.
fn alone(core: u8, folder: &Path) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "-19", "taskset", "--cpu-list", &core.to_string()]);
    command.current_dir(folder);
    command
}

/// Resident memory of a process, now and at most so far, bytes.
pub fn memory(process: u32) -> Result<[u64; 2]> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = |name: &str| {
        let mut lines = status.lines();
        let value = lines.find_map(|line| line.strip_prefix(name))?;
        value.split_whitespace().next()?.parse::<u64>().ok()
    };
    let kib = |name: &str| line(name).with_context(|| format!("no {name}"));
    Ok([kib("VmRSS:")? * 1_024, kib("VmHWM:")? * 1_024])
}

/// SIPp on its core, with a scenario and a port.
fn sipp(scenario: &str, port: &str, folder: &Path) -> Command {
    let file = scenarios().join(format!("{scenario}.xml"));
    let mut command = alone(1, folder);
    command
        .arg("sipp")
        .arg("-sf")
        .arg(file)
        .args(["-i", "127.0.0.1", "-p", port]);
    command
        .args(["-nostdin", "-buff_size", BUFFER])
        .env("TERM", "dumb");
    command
}

/// Phone n's number.
fn number(n: usize) -> String {
    format!("03123456{n:02}")
}

/// A half of the phones as SIPp's fields: the phone, the one of the other half, credentials.
fn phones(half: usize) -> String {
    let mut text = String::from("SEQUENTIAL\n");
    for n in 0..PHONES / 2 {
        let [phone, other] = [half, 1 - half].map(|half| number(n + half * PHONES / 2));
        // A string takes everything.
        let _ = writeln!(
            text,
            "{phone};{other};[authentication username={phone} password=secret-secret]"
        );
    }
    text
}

/// The box's configuration: an office of 64 phones.
fn configuration(calls: usize) -> Result<String> {
    let mut text = format!(
        "state = \"state\"\nrecords = \"records.jsonl\"\nmetrics = \"{METRICS}\"\n\
         [listen]\naddress = \"127.0.0.1\"\nudp = 5060\n[capacity]\ncalls = {calls}\n\
         [site]\nrealm = \"office.example\"\n"
    );
    for n in 0..PHONES {
        let number = number(n);
        write!(
            text,
            "[[site.id]]\nnumber = \"{number}\"\nextension = \"2{n:02}\"\npassword = \"secret-secret\"\n"
        )?;
    }
    Ok(text)
}

/// The fields of `/proc/<id>/stat` behind the name, of a process and of all below it.
fn tree(root: u32) -> Result<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // It may have ended meanwhile.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some((_, fields)) = stat.rsplit_once(") ") {
            let fields: Vec<_> = fields.split_whitespace().map(str::to_owned).collect();
            all.push((id, fields));
        }
    }
    let parent = |fields: &[String]| fields.get(1).and_then(|id| id.parse::<u32>().ok());
    let mut found = vec![root];
    let mut at = 0;
    while let Some(id) = found.get(at).copied() {
        found.extend(
            all.iter()
                .filter(|(_, fields)| parent(fields) == Some(id))
                .map(|(id, _)| *id),
        );
        at += 1;
    }
    let of = |id: &u32| {
        all.iter()
            .find(|(other, _)| other == id)
            .map(|(_, fields)| fields.clone())
    };
    Ok(found.iter().filter_map(of).collect())
}
