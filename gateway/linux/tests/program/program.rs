//! The program with its configuration and its files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use crate::PATIENCE;

/// A running box with three IDs.
pub struct Program {
    /// Its address: every box of every test has its own on loopback.
    pub address: Ipv4Addr,
    /// The certificate it shows, which is its own authority.
    pub certificate: rcgen::CertifiedKey<rcgen::KeyPair>,
    folder: TempDir,
    child: RefCell<Child>,
}

impl Program {
    /// Starts a new one and waits until it is ready.
    pub fn start() -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let [low, high, ..] = std::process::id().to_le_bytes();
        let address = Ipv4Addr::new(127, 1 + high % 250, low, COUNT.fetch_add(1, Ordering::Relaxed));
        let certificate = rcgen::generate_simple_self_signed([address.to_string()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("cert.pem"), certificate.cert.pem()).unwrap();
        std::fs::write(path("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
        let mut config = format!(
            r#"
state = "{}"
records = "{}"
metrics = "{address}:9469"
[listen]
address = "{address}"
udp = 5060
tcp = 5060
tls = 5061
[tls]
certificate = "{}"
key = "{}"
[site]
realm = "office.example"
"#,
            path("state"),
            path("records"),
            path("cert.pem"),
            path("key.pem"),
        );
        for n in 1..=3 {
            config += &format!(
                "[[site.id]]\nnumber = \"031234560{n}\"\nextension = \"20{n}\"\npassword = \"secret-{n}\"\n"
            );
        }
        std::fs::write(path("box.toml"), config).unwrap();
        let child = RefCell::new(spawn(&folder.path().join("box.toml")));
        let program = Self {
            address,
            certificate,
            folder,
            child,
        };
        program.wait_until_ready();
        program
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("box.toml")
    }

    fn wait_until_ready(&self) {
        let errors = self.child.borrow_mut().stderr.take().unwrap();
        let mut lines = BufReader::new(errors).lines();
        let mut said = String::new();
        loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("it ended: {said}"))
                .unwrap();
            said += &line;
            if line.ends_with("ready") {
                break;
            }
        }
        // What it says later is read, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
    }

    /// Another process with the same configuration: what it said when it ended.
    pub fn second(&self) -> String {
        let mut child = spawn(&self.config());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!child.wait().unwrap().success());
        said
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.borrow_mut();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again with the files it left.
    pub fn restart(&mut self) {
        *self.child.borrow_mut() = spawn(&self.config());
        self.wait_until_ready();
    }

    /// Asks it to end, by `TERM` or `HUP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.borrow().id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends it cleanly; its records.
    pub fn stop(self) -> Vec<serde_json::Value> {
        self.signal("TERM");
        self.ended()
    }

    /// Its records when it has ended cleanly.
    pub fn ended(self) -> Vec<serde_json::Value> {
        let status = self.child.borrow_mut().wait().unwrap();
        assert!(status.success(), "{status}");
        let records = std::fs::read_to_string(self.folder.path().join("records")).unwrap();
        records
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What Prometheus would read, checked as Prometheus would: every figure has a type and a number.
    pub fn metrics(&self) -> HashMap<String, u64> {
        let mut stream = TcpStream::connect((self.address, 9469)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        let mut figures = HashMap::new();
        let mut typed = None;
        for line in text.lines() {
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["#", "TYPE", name, kind] => {
                    assert!(
                        name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'),
                        "{line}"
                    );
                    assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                    typed = Some(name);
                }
                [name, value] => {
                    assert_eq!(typed.take(), Some(name), "{line}");
                    let known = figures.insert(name.to_owned(), value.parse().unwrap());
                    assert_eq!(known, None, "{line}");
                }
                _ => panic!("{line}"),
            }
        }
        figures
    }

    /// Asks until a figure has this value.
    pub fn wait_for(&self, name: &str, value: u64) {
        let begin = Instant::now();
        while self.metrics()[name] != value {
            assert!(begin.elapsed() < PATIENCE, "{name} is not {value}");
        }
    }

    /// Where phones of the transport come.
    pub fn port(&self, tls: bool) -> SocketAddr {
        (self.address, if tls { 5061 } else { 5060 }).into()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.borrow_mut().kill();
        let _ = self.child.borrow_mut().wait();
    }
}

fn spawn(config: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_denwaban-box"))
        .arg("--config")
        .arg(config)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
