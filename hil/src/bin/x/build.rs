//! `cargo x build`: the host programs and the firmware images of both boards.

use crate::setup::{self, TARGET, Toolchain};
use anyhow::{Context, Result, ensure};
use hil::run::{target, workspace};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// A board that the firmware is built for.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Board {
    /// QEMU's mps2-an500
    Qemu,
    /// STM32H753
    H753,
}

impl Board {
    pub const ALL: [Board; 2] = [Board::Qemu, Board::H753];

    /// Its name, as in the feature `board-<name>`.
    pub fn name(self) -> &'static str {
        match self {
            Board::Qemu => "qemu",
            Board::H753 => "h753",
        }
    }

    /// Its image.
    pub fn image(self) -> PathBuf {
        hil::qemu::images().join(format!("denwaban-{}.elf", self.name()))
    }
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Build only the image of this board
    #[arg(long)]
    board: Option<Board>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match arguments.board {
        Some(board) => firmware(board)?,
        None => {
            host()?;
            Board::ALL.into_iter().try_for_each(firmware)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// Runs a command with its output shown; an error if it fails.
pub fn must(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// Builds the programs that the rig starts.
pub fn host() -> Result<()> {
    setup::ensure()?;
    must(cargo().args(["build", "--quiet", "--package", "cloud"]))
}

/// Builds the image of one board.
pub fn firmware(board: Board) -> Result<()> {
    let program = embedded("firmware", &["--features", &format!("board-{}", board.name())])?;
    fs::copy(program, board.image())?;
    Ok(())
}

/// Builds a package as the firmware is built, and says where its program is.
pub fn embedded(package: &str, arguments: &[&str]) -> Result<PathBuf> {
    let folder = hil::qemu::images();
    let mut command = match setup::toolchain()? {
        Toolchain::Rustup => cargo(),
        Toolchain::Debian => debian()?,
    };
    // The tests' own features and flags have no place here.
    command.env_remove("RUSTFLAGS").current_dir(workspace());
    command.env("CARGO_ENCODED_RUSTFLAGS", nameless());
    command.args(["build", "--quiet", "--target", TARGET, "--profile", "firmware"]);
    command
        .args(["--package", package])
        .args(arguments)
        .arg("--target-dir")
        .arg(&folder);
    must(&mut command)?;
    Ok(folder.join(TARGET).join("firmware").join(package))
}

/// Flags by which the places of panics do not say where on this machine the libraries are: nobody's business, and the image is
/// smaller. What embassy-stm32 generates still names the folder it was built in.
fn nameless() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let sources = home.map(|home| home.join("registry/src"));
    // One folder a registry; this program is made of what is there too.
    let folders = sources.and_then(|sources| fs::read_dir(sources).ok());
    let folders = folders.into_iter().flatten().flatten().map(|entry| entry.path());
    let flags: Vec<_> = folders
        .map(|folder| format!("--remap-path-prefix={}/=", folder.display()))
        .collect();
    flags.join("\x1f")
}

/// Debian's cargo and rustc with rustup's linker, `core` from source.
fn debian() -> Result<Command> {
    let linker = setup::sysroot().join("lib/rustlib/x86_64-unknown-linux-gnu/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [linker, "/usr/bin".into()]
        .into_iter()
        .chain(std::env::split_paths(&path));
    let mut command = Command::new("/usr/bin/cargo");
    command
        .env("PATH", std::env::join_paths(path)?)
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1");
    ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC"].iter().for_each(|name| {
        command.env_remove(name);
    });
    command.args(["-Zbuild-std=core,alloc"]);
    Ok(command)
}

/// What the rig needs: the cloud and the image for QEMU.
pub fn rig() -> Result<()> {
    host()?;
    firmware(Board::Qemu)?;
    println!(
        "image {}, cloud {}",
        Board::Qemu.image().display(),
        target().join("debug/denwaban-cloud").display()
    );
    Ok(())
}
