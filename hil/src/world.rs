//! The run's own world: network, mount and process namespaces.
//!
//! [`enter`] starts this program again inside `unshare`; there it may make interfaces and child namespaces as it
//! likes, and when it ends, by whatever cause, the kernel removes every process and interface it made.

use crate::process::run;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Set for the inner run.
const INSIDE: &str = "DENWABAN_HIL_INSIDE";

/// Is this the inner run?
pub fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Starts this program again, with these arguments, in its own namespaces and waits for it.
pub fn enter(arguments: &[&str]) -> Result<ExitCode> {
    let status = command(arguments)?
        .status()
        .context("unshare (package util-linux)")?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}

/// This program with these arguments in its own namespaces; as user other than root also in a user namespace. It dies
/// with the thread that starts it (`setpriv --pdeathsig`, `unshare --kill-child`).
pub fn command(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "unshare"]);
    command.args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]);
    if !rustix::process::geteuid().is_root() {
        command.arg("-Ur");
    }
    // Debian keeps dnsmasq and nft in sbin, which a user's PATH lacks.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    command.env("PATH", std::env::join_paths(path)?);
    command.arg("--").arg(program()?).args(arguments).env(INSIDE, "1");
    Ok(command)
}

/// This program's file. A build that the run itself ordered may have put a new one in its place, which Linux tells by
/// ` (deleted)`; the new one is the same program.
fn program() -> Result<PathBuf> {
    let path = std::env::current_exe()?;
    let replaced = path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(replaced.map_or_else(|| path.clone(), PathBuf::from))
}

/// Prepares the inner run: an empty /run for the names of its namespaces, and loopback.
pub fn prepare() -> Result<()> {
    ensure!(inside(), "not inside namespaces of its own");
    run(Command::new("mount").args(["-t", "tmpfs", "none", "/run"]))?;
    std::fs::create_dir_all("/run/netns")?;
    ip(&["link", "set", "lo", "up"])?;
    if let Err(error) = File::options().read(true).write(true).open("/dev/net/tun") {
        bail!("/dev/net/tun cannot be opened ({error}): virtual interfaces cannot be made here; run as root");
    }
    Ok(())
}

/// Runs `ip` with these arguments in the rig's own namespace.
pub fn ip(arguments: &[&str]) -> Result<()> {
    run(Command::new("ip").args(arguments)).map(drop)
}

/// A network namespace below the run's own: one computer of the world.
#[derive(Debug, Clone)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes it, with loopback up.
    pub fn add(name: &str) -> Result<Namespace> {
        ip(&["netns", "add", name])?;
        let namespace = Namespace { name: name.into() };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` with these arguments inside.
    pub fn ip(&self, arguments: &[&str]) -> Result<()> {
        run(Command::new("ip").args(["-n", &self.name]).args(arguments)).map(drop)
    }

    /// A command that will run inside; its process id is the program's own.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path()))
            .arg("--")
            .arg(program);
        command
    }

    /// Runs `work` in a thread inside; sockets it opens stay inside for their lives.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let namespace = File::open(self.path())?;
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                let network = Some(rustix::thread::LinkNameSpaceType::Network);
                rustix::thread::move_into_link_name_space(namespace.as_fd(), network)?;
                work()
            });
            inside
                .join()
                .map_err(|_| anyhow::anyhow!("the thread in {} panicked", self.name))?
        })
    }

    /// Gives the interface `device` of the rig's own namespace to this computer, as `eth0`-like `name` with
    /// `address` ("192.168.50.11/24").
    pub fn take(&self, device: &str, name: &str, address: &str) -> Result<()> {
        ip(&["link", "set", device, "netns", &self.name, "name", name])?;
        self.ip(&["addr", "add", address, "dev", name])?;
        self.ip(&["link", "set", name, "up"])
    }

    fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }
}
