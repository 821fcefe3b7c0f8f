//! `cargo x setup`: what has to be on the machine. The C compiler is: `.cargo/cc` has brought it to link this program.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// A program that a Debian package brings, or any file by its path.
struct Tool {
    program: &'static str,
    package: &'static str,
    reason: &'static str,
}

const fn tool(program: &'static str, package: &'static str, reason: &'static str) -> Tool {
    Tool {
        program,
        package,
        reason,
    }
}

const TOOLS: [Tool; 19] = [
    tool("qemu-system-arm", "qemu-system-arm", "runs the firmware image"),
    tool("baresip", "baresip-core", "the desk phones"),
    tool("sipp", "sip-tester", "the third phone and the carrier"),
    tool("linphone-daemon", "linphone-cli", "desk phones of another make"),
    tool("sipsak", "sipsak", "a SIP client of its own kind"),
    tool("ip", "iproute2", "the office's network"),
    tool("nft", "nftables", "the router's address translation"),
    tool("dnsmasq", "dnsmasq-base", "the router's DHCP and name service"),
    tool("dig", "bind9-dnsutils", "asks the box for names"),
    tool("chronyd", "chrony", "asks the box for the time"),
    tool("logger", "bsdutils", "a phone's log"),
    tool("busybox", "busybox", "asks the box for an address"),
    tool(
        "mosquitto",
        "mosquitto",
        "the second MQTT broker that the cloud is tested with",
    ),
    tool("setpriv", "util-linux", "lets nothing outlive a run"),
    tool(
        "/usr/include/spandsp/hdlc.h",
        "libspandsp-dev",
        "FAX machines and displays at the analog lines",
    ),
    tool("lldpd", "lldpd", "the phones' side of LLDP"),
    tool("ping", "iputils-ping", "asks who is reached"),
    tool("efax", "efax", "a FAX machine of another make"),
    tool("curl", "curl", "fetches the phones' files"),
];

/// Only for `cargo x test` and `cargo x bench gateway`.
const VALGRIND: Tool = tool("valgrind", "valgrind", "counts instructions");

/// Only for `cargo x bench line`: what makes speech and turns it into samples.
const SPEECH: [Tool; 2] = [
    tool("espeak-ng", "espeak-ng", "speaks"),
    tool("sox", "sox", "turns speech into samples"),
];

/// Only for `cargo x bench line`: the library that it measures against, and recorded speech, each with a file that shows that
/// it is there.
const SOUND: [(&str, &str); 6] = [
    ("libspandsp-dev", "/usr/include/x86_64-linux-gnu/spandsp.h"),
    (
        "asterisk-core-sounds-en-wav",
        "/usr/share/asterisk/sounds/en_US_f_Allison",
    ),
    (
        "asterisk-core-sounds-es-wav",
        "/usr/share/asterisk/sounds/es_MX_f_Allison",
    ),
    (
        "asterisk-core-sounds-fr-wav",
        "/usr/share/asterisk/sounds/fr_CA_f_June",
    ),
    (
        "asterisk-core-sounds-it-wav",
        "/usr/share/asterisk/sounds/it_IT_m_Carlo",
    ),
    (
        "asterisk-core-sounds-ru-wav",
        "/usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU",
    ),
];

/// Only for `cargo x bench box`.
const KAMAILIO: Tool = tool("kamailio", "kamailio", "what the box is measured against");

/// The firmware's target.
pub const TARGET: &str = "thumbv7em-none-eabihf";

/// How the firmware is compiled here.
pub enum Toolchain {
    /// The toolchain in use has the target's library.
    Rustup,
    /// Debian's rustc with `core` built from source.
    Debian,
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Only say what is missing
    #[arg(long)]
    check: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if !arguments.check {
        ensure()?;
        components()?;
        toolchain()?;
        println!("everything is here");
        return Ok(ExitCode::SUCCESS);
    }
    let missing = missing();
    missing
        .iter()
        .for_each(|tool| println!("missing: {} ({}): {}", tool.program, tool.package, tool.reason));
    let compiler = has_target() || debian_compiler();
    if !compiler {
        println!("missing: a compiler for {TARGET}");
    }
    Ok(if missing.is_empty() && compiler {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Installs the programs that are missing; an error names what cannot be had.
pub fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        println!(
            "setup: {} is missing ({}): installing {}",
            tool.program, tool.reason, tool.package
        );
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    let installed = install(&packages);
    let missing: Vec<_> = self::missing().iter().map(|tool| tool.program).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        bail!("cannot be had here: {} ({installed:?})", missing.join(", "))
    }
}

/// Installs valgrind if it is missing.
pub fn valgrind() -> Result<()> {
    one(&VALGRIND)
}

/// Installs Kamailio if it is missing.
pub fn kamailio() -> Result<()> {
    one(&KAMAILIO)
}

/// Installs what an analog line is measured with, where it is missing.
pub fn line() -> Result<()> {
    SPEECH.iter().try_for_each(one)?;
    libraries(&SOUND)
}

/// Installs what the audio of a line is measured against, where it is missing.
pub fn spandsp() -> Result<()> {
    libraries(&SOUND[..1])
}

fn libraries(wanted: &[(&str, &str)]) -> Result<()> {
    let missing = wanted.iter().filter(|(_, file)| !Path::new(file).exists());
    let packages: Vec<_> = missing.map(|(package, _)| *package).collect();
    if !packages.is_empty() {
        println!("setup: missing, to measure a line with: {}", packages.join(" "));
        install(&packages)?;
    }
    Ok(())
}

fn one(tool: &Tool) -> Result<()> {
    if !on_path(tool.program) {
        println!(
            "setup: {} is missing ({}): installing {}",
            tool.program, tool.reason, tool.package
        );
        install(&[tool.package])?;
    }
    Ok(())
}

/// Makes a virtual environment for Python's packages, unless it is there.
pub fn python_environment(folder: &Path) -> Result<()> {
    // Without Debian's python3-venv it is made halfway: there is a Python, but no pip.
    let pip = folder.join("bin/pip");
    let make = || {
        let mut python = Command::new("python3");
        python.args(["-m", "venv"]).arg(folder).stdout(Stdio::null());
        python.status().is_ok_and(|status| status.success()) && pip.exists()
    };
    if pip.exists() || make() {
        return Ok(());
    }
    println!("setup: python3 makes no virtual environment: installing python3-venv");
    install(&["python3-venv"])?;
    if make() {
        Ok(())
    } else {
        bail!("python3 -m venv {} failed", folder.display())
    }
}

/// Brings rustfmt and clippy where rustup was installed without them.
pub fn components() -> Result<()> {
    for (program, component) in [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        if sysroot().join("bin").join(program).exists() || on_path(program) {
            continue;
        }
        println!("setup: {component} is missing: rustup component add {component}");
        let added = Command::new("rustup")
            .args(["component", "add", component])
            .stdin(Stdio::null())
            .status();
        if !added.is_ok_and(|status| status.success()) {
            bail!("{component} cannot be had here: rustup component add {component} failed");
        }
    }
    Ok(())
}

/// Finds or brings a compiler for the firmware.
pub fn toolchain() -> Result<Toolchain> {
    if has_target() {
        return Ok(Toolchain::Rustup);
    }
    println!("setup: the toolchain has no library for {TARGET}: rustup target add {TARGET}");
    let mut rustup = Command::new("rustup");
    rustup
        .args(["target", "add", TARGET])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if rustup.status().is_ok_and(|status| status.success()) && has_target() {
        return Ok(Toolchain::Rustup);
    }
    if !debian_compiler() {
        println!("setup: that failed; installing Debian's rustc-web, cargo-web and rust-web-src instead");
        install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    }
    if !debian_compiler() {
        bail!(
            "no compiler for {TARGET} can be had here: neither by rustup nor as Debian's rustc-web with its source"
        );
    }
    Ok(Toolchain::Debian)
}

/// `rustc --print sysroot` of the toolchain in use.
pub fn sysroot() -> PathBuf {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().into())
        .unwrap_or_default()
}

fn has_target() -> bool {
    sysroot().join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

fn debian_compiler() -> bool {
    let files = [
        "/usr/bin/rustc",
        "/usr/bin/cargo",
        "/usr/lib/rustlib/src/rust/library/core/Cargo.toml",
    ];
    files.iter().all(|file| Path::new(file).exists())
}

fn missing() -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| !on_path(tool.program)).collect()
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps some in sbin, which a user's PATH may lack.
    let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(sbin)
        .any(|folder| folder.join(program).is_file())
}

/// `apt-get install`, with sudo when not root.
fn install(packages: &[&str]) -> Result<()> {
    if !on_path("apt-get") {
        bail!("no apt-get here: install by hand: {}", packages.join(" "));
    }
    let root = rustix::process::geteuid().is_root();
    if !root && !on_path("sudo") {
        bail!(
            "neither root nor sudo here: install by hand: {}",
            packages.join(" ")
        );
    }
    let apt = |arguments: &[&str]| {
        let mut command = if root {
            Command::new("apt-get")
        } else {
            Command::new("sudo")
        };
        if !root {
            command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        command
            .args(["--quiet", "--yes", "--no-install-recommends"])
            .args(arguments);
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        println!("setup: {command:?}");
        command.status().is_ok_and(|status| status.success())
    };
    let wanted: Vec<_> = ["install"].iter().chain(packages).copied().collect();
    // The package lists of a fresh machine are empty or old.
    if apt(&wanted) || (apt(&["update"]) && apt(&wanted)) {
        return Ok(());
    }
    // One that cannot be had must not keep the others away.
    let failed: Vec<_> = packages
        .iter()
        .filter(|package| !apt(&["install", package]))
        .copied()
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        bail!("cannot be installed: {}", failed.join(" "))
    }
}
