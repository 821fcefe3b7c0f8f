//! The box: the firmware image on QEMU's `mps2-an500`, with its flash in a file that survives a power cut.

use crate::process::Process;
use crate::run::target;
use crate::switch::{Port, Switch};
use crate::twin::server::Lines;
use anyhow::{Context, Result, ensure};
use hil_wire as layout;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Folder of the firmware images, `denwaban-<board>.elf`.
pub fn images() -> PathBuf {
    target().join("firmware")
}

/// The image for QEMU.
pub fn image() -> PathBuf {
    images().join("denwaban-qemu.elf")
}

/// What the box can be ordered to suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It stops for ever, inside a flash operation, as without power.
    PowerCut,
    /// The firmware panics.
    Panic,
    /// A task never ends; the watchdog has to notice.
    Hang,
}

/// A box, on or off.
pub struct Board {
    /// Its port of the switch.
    pub port: Port,
    image: PathBuf,
    folder: PathBuf,
    sockets: (PathBuf, PathBuf),
    mac: String,
    extra: Vec<String>,
    lines: Option<Lines>,
    running: Option<Process>,
}

impl Board {
    /// A new box with an erased flash, plugged into `switch` as port `name`; it is off.
    pub fn new(name: &str, image: &Path, switch: &Switch, mac: &str, folder: &Path) -> Result<Board> {
        ensure!(image.exists(), "no image at {}", image.display());
        let (port, ours, theirs) = switch.qemu(name, folder)?;
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        let nor = File::create(folder.join("nor.bin"))?;
        let chunk = vec![0xFF; layout::SECTOR as usize];
        for sector in 0..layout::FLASH_SIZE / layout::SECTOR {
            nor.write_all_at(&chunk, u64::from(sector * layout::SECTOR))?;
        }
        nor.set_len(u64::from(layout::PSRAM_SIZE))?;
        let (image, mac) = (image.into(), mac.into());
        Ok(Board {
            port,
            image,
            folder,
            sockets: (ours, theirs),
            mac,
            extra: Vec::new(),
            lines: None,
            running: None,
        })
    }

    /// Gives the box its analog lines; it has none without this. They are the same for all its starts.
    pub fn plug_lines(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "the box is on");
        let lines = Lines::start(&self.folder.join("nor.bin"), &self.folder.join("lines.sock"))?;
        self.lines = Some(lines);
        Ok(())
    }

    /// Puts its switch chip into `switch`, where the box is plugged in: between it and all others. It needs the twins of the lines.
    pub fn plug_hub(&self, switch: &Switch) -> Result<()> {
        switch.hub(self.lines()?.shared(), &self.port);
        Ok(())
    }

    /// Its analog lines.
    pub fn lines(&self) -> Result<&Lines> {
        self.lines.as_ref().context("the box has no analog lines")
    }

    /// Further arguments of QEMU's command line from the next start on, such as `-icount shift=0`.
    pub fn arguments(&mut self, extra: &[&str]) {
        self.extra = extra.iter().map(ToString::to_string).collect();
    }

    /// Writes into the flash while the box is off, as the factory does.
    pub fn program(&self, offset: u32, bytes: &[u8]) -> Result<()> {
        ensure!(self.running.is_none(), "the box is on");
        Ok(self.nor()?.write_all_at(bytes, offset.into())?)
    }

    /// Reads the flash, at any time.
    pub fn read(&self, offset: u32, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.nor()?.read_exact_at(&mut bytes, offset.into())?;
        Ok(bytes)
    }

    /// Flash operations since the start: words programmed and sectors erased.
    pub fn progress(&self) -> Result<u32> {
        let bytes = self.read(layout::SHARED_PROGRESS, 4)?;
        Ok(u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    /// Orders a fault for the moment at which it has done so many flash operations since its next start (0: never).
    pub fn order(&self, fault: Fault, operations: u32) -> Result<()> {
        let nor = self.nor()?;
        let kind = match fault {
            Fault::PowerCut => layout::CUT_POWER,
            Fault::Panic => layout::CUT_PANIC,
            Fault::Hang => layout::CUT_HANG,
        };
        nor.write_all_at(&kind.to_le_bytes(), layout::SHARED_CUT_KIND.into())?;
        Ok(nor.write_all_at(&operations.to_le_bytes(), layout::SHARED_CUT_AT.into())?)
    }

    /// Switches it on.
    pub fn on(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "the box is on");
        self.shared()?;
        let (ours, theirs) = &self.sockets;
        // QEMU makes its own; one of an earlier run is in the way.
        let _ = std::fs::remove_file(theirs);
        let nor = self.folder.join("nor.bin");
        let mut command = Command::new("qemu-system-arm");
        command.args([
            "-M",
            "mps2-an500,memory-backend=nv",
            "-nodefaults",
            "-display",
            "none",
            "-monitor",
            "none",
        ]);
        command.arg("-object");
        command.arg(format!(
            "memory-backend-file,id=nv,size=16M,mem-path={},share=on",
            nor.display()
        ));
        command.arg("-netdev");
        command.arg(format!(
            "dgram,id=lan,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            theirs.display(),
            ours.display()
        ));
        command.args([
            "-net",
            &format!("nic,model=lan9118,netdev=lan,macaddr={}", self.mac),
        ]);
        command.args([
            "-chardev",
            &format!("file,id=log,append=on,path={}", self.log_path().display()),
        ]);
        command.args(["-serial", "chardev:log"]);
        if let Some(lines) = &self.lines {
            command.args([
                "-chardev",
                &format!("socket,id=lines,path={}", lines.socket().display()),
            ]);
            command.args(["-serial", "chardev:lines"]);
        }
        command.args(["-semihosting-config", "enable=on,target=native"]);
        command.args([
            "-qmp",
            &format!(
                "unix:{},server=on,wait=off",
                self.folder.join("qmp.sock").display()
            ),
        ]);
        command.args(&self.extra).arg("-kernel").arg(&self.image);
        self.running = Some(Process::start("qemu", &mut command, &self.folder)?);
        Ok(())
    }

    /// Cuts its power: kill -9.
    pub fn off(&mut self) {
        self.running = None;
    }

    /// Is it on, and has the emulator not ended?
    pub fn alive(&mut self) -> bool {
        self.running.as_mut().is_some_and(Process::alive)
    }

    /// Waits until it ends by itself (semihosting exit); true if with status 0.
    pub fn ends(&mut self, within: Duration) -> Result<bool> {
        self.running.as_mut().context("the box is off")?.ends(within)
    }

    /// The most bytes of stack it has used since its power was switched on; the memory was all zeros then.
    pub fn stack_used(&self) -> Result<usize> {
        let mut monitor = UnixStream::connect(self.folder.join("qmp.sock"))?;
        monitor.set_read_timeout(Some(Duration::from_secs(5)))?;
        let file = self.folder.join("stack.bin");
        let save = json!({
            "execute": "pmemsave",
            "arguments": {"val": layout::STACK_BASE, "size": layout::STACK_SIZE, "filename": file},
        });
        writeln!(monitor, "{}\n{save}", json!({"execute": "qmp_capabilities"}))?;
        // The greeting and an answer to each command; events may come in between.
        let mut answers = 0;
        for line in BufReader::new(monitor).lines() {
            let line: Value = serde_json::from_str(&line?)?;
            ensure!(line["error"].is_null(), "QEMU: {line}");
            answers += usize::from(line["return"].is_object());
            if answers == 2 {
                break;
            }
        }
        let stack = std::fs::read(file)?;
        let untouched = stack.iter().take_while(|&&byte| byte == 0).count();
        Ok(stack.len() - untouched)
    }

    /// Its serial log of all starts so far.
    pub fn log(&self) -> String {
        std::fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// How often it has started, by whatever cause.
    pub fn starts(&self) -> usize {
        self.log().lines().filter(|line| line.contains("boot: ")).count()
    }

    /// Length of the log so far: "from here on".
    pub fn log_mark(&self) -> usize {
        self.log().len()
    }

    /// Waits for a line of the log since `mark` that contains `text`.
    pub fn logs(&mut self, mark: usize, text: &str, within: Duration) -> Result<String> {
        crate::wait::wait_for(&format!("the box logs {text:?}"), within, || {
            let log = self.log();
            // A line is whole when it has an end.
            let mut lines = log
                .get(mark..)?
                .split_inclusive('\n')
                .filter_map(|line| line.strip_suffix('\n'));
            lines
                .find(|line| line.contains(text))
                .map(|line| line.trim_end().to_string())
        })
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("serial.log")
    }

    fn nor(&self) -> Result<File> {
        Ok(File::options()
            .read(true)
            .write(true)
            .open(self.folder.join("nor.bin"))?)
    }

    /// Fills the shared sector: fresh randomness, progress from 0.
    fn shared(&self) -> Result<()> {
        let mut seed = [0; layout::SEED_LEN];
        File::open("/dev/urandom")?.read_exact(&mut seed)?;
        let nor = self.nor()?;
        nor.write_all_at(&layout::MAGIC.to_le_bytes(), layout::SHARED_MAGIC.into())?;
        nor.write_all_at(&seed, layout::SHARED_SEED.into())?;
        let lines = u32::from(self.lines.is_some()).to_le_bytes();
        nor.write_all_at(&lines, layout::pcm::PRESENT.into())?;
        Ok(nor.write_all_at(&[0; 4], layout::SHARED_PROGRESS.into())?)
    }
}
