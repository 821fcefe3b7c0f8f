//! The twin at QEMU's side channel: a socket that is UART1, and the file that is the PSRAM.

use super::Card;
use anyhow::{Context, Result};
use hil_wire::lines::{Report, Request};
use hil_wire::link::{FRAME, Link, Received};
use hil_wire::pcm::{FRAMES, Memory, Twin};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The PSRAM's file. QEMU maps it and this side reads and writes it: both see the same pages.
struct Psram(File);

impl Memory for Psram {
    fn read(&mut self, offset: u32, words: &mut [u32]) {
        let mut bytes = vec![0; 4 * words.len()];
        // A file that is gone reads as zeros: the board is off.
        let _ = self.0.read_exact_at(&mut bytes, offset.into());
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
    }

    fn write(&mut self, offset: u32, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let _ = self.0.write_all_at(&bytes, offset.into());
    }
}

/// The lines of a box, alive in a thread of their own until they are dropped.
#[derive(Debug)]
pub struct Lines {
    card: Arc<Mutex<Card>>,
    socket: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    /// Lines for the board whose PSRAM is the file `psram`; its QEMU shall connect to [`socket`](Self::socket).
    pub fn start(psram: &Path, socket: &Path) -> Result<Lines> {
        // One of an earlier run is in the way.
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).with_context(|| format!("{}", socket.display()))?;
        listener.set_nonblocking(true)?;
        let memory = Psram(File::options().read(true).write(true).open(psram)?);
        let (card, stop) = (
            Arc::new(Mutex::new(Card::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let (theirs, ends) = (Arc::clone(&card), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("lines".into()).spawn(move || {
            let mut server = Server {
                card: theirs,
                ring: Twin::new(memory),
                link: Link::twin(),
                stream: None,
                edges: VecDeque::new(),
                begin: Instant::now(),
                elapsed: Duration::ZERO,
            };
            while !ends.load(Ordering::Relaxed) {
                server.round(&listener);
            }
        })?;
        Ok(Lines {
            card,
            socket: socket.into(),
            stop,
            thread: Some(thread),
        })
    }

    /// The electronics, wires and sets; time stands still while they are held.
    pub fn card(&self) -> MutexGuard<'_, Card> {
        self.card.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, for others who have to do with it for longer.
    pub fn shared(&self) -> Arc<Mutex<Card>> {
        Arc::clone(&self.card)
    }

    /// Where QEMU's UART1 connects.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has panicked or ended: there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

struct Server {
    card: Arc<Mutex<Card>>,
    ring: Twin<Psram>,
    link: Link<Report, Request>,
    stream: Option<UnixStream>,
    /// Edges that wait for their turn on the line.
    edges: VecDeque<(u32, u32)>,
    begin: Instant,
    /// What has gone by for the ports with power, since the beginning.
    elapsed: Duration,
}

impl Server {
    /// Waits a millisecond at most for the board to say something, and does what there is to do.
    fn round(&mut self, listener: &UnixListener) {
        let millisecond = Timespec {
            tv_sec: 0,
            tv_nsec: 1_000_000,
        };
        let wait = match &self.stream {
            Some(stream) => poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&millisecond)),
            None => poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&millisecond)),
        };
        // Interrupted or not, everything is looked at.
        let _ = wait;
        if let Ok((stream, _)) = listener.accept()
            && stream.set_nonblocking(true).is_ok()
        {
            self.stream = Some(stream);
        }
        self.elapse();
        self.blocks();
        self.listen();
        self.speak();
    }

    /// Whole milliseconds go by for the ports with power.
    fn elapse(&mut self) {
        let now = Duration::from_millis(self.begin.elapsed().as_millis() as u64);
        let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        card.hub.elapse(now - self.elapsed);
        self.elapsed = now;
    }

    fn listen(&mut self) {
        let mut octets = [0; 1024];
        let Some(stream) = &mut self.stream else { return };
        let length = match stream.read(&mut octets) {
            Ok(0) => {
                self.stream = None;
                return;
            }
            Ok(length) => length,
            Err(_) => return,
        };
        let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        for octet in octets.into_iter().take(length) {
            match self.link.receive(octet) {
                Some(Received::Session) => {
                    let now = self.ring.blocks().wrapping_mul(FRAMES as u32);
                    self.edges = VecDeque::from([(card.inputs(), now)]);
                }
                Some(Received::Message(request)) => {
                    if let Some(report) = card.request(request) {
                        // The board asks for one thing after the other; if it did not, it would ask again.
                        let _ = self.link.send(report);
                    }
                }
                None => {}
            }
        }
    }

    fn blocks(&mut self) {
        loop {
            let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
            if card.faults.clock_stops {
                return;
            }
            let Some(down) = self.ring.receive() else { return };
            let first = self.ring.blocks().wrapping_mul(FRAMES as u32);
            let up = card.block(&down, first);
            self.ring.send(&up);
            self.edges.extend(card.edges());
        }
    }

    fn speak(&mut self) {
        while let Some((levels, frame)) = self.edges.pop_front() {
            if self.link.send(Report::Inputs { levels, frame }).is_err() {
                self.edges.push_front((levels, frame));
                break;
            }
        }
        let now = self.begin.elapsed().as_millis() as u64;
        let mut frame = [0; FRAME];
        while let Some(bytes) = self.link.transmit(now, &mut frame) {
            let Some(stream) = &mut self.stream else { return };
            if let Err(error) = stream.write_all(bytes)
                && error.kind() != ErrorKind::WouldBlock
            {
                self.stream = None;
            }
        }
    }
}
