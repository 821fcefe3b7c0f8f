//! TFTP (RFC 1350) with options (RFC 2347): block size (RFC 2348), time-out and transfer size (RFC 2349). Files are read; none is
//! written.
//!
//! Requests come in at port 69, and everything else at and from a second port: a transfer is known by both ends' ports (RFC 1350
//! §4), and one port of ours does for all of them. A block is sent again when its time is over and never because an
//! acknowledgement came twice: otherwise each would be doubled from then on (RFC 1123 §4.2.3.1, "Sorcerer's Apprentice").

use core::net::SocketAddr;
use core::time::Duration;

use shared::hub::FetchRefusal;
use sip::Instant;

use super::files::{Agent, Client, Files, Progress};
use crate::Station;

/// Transfers at once; the rest are asked to come again.
pub const TRANSFERS: usize = 8;
/// Of these, one station's or address's.
pub const TRANSFERS_EACH: usize = 2;
/// Largest block: a datagram in one Ethernet frame.
pub const BLOCK_MAX: usize = 1_500 - 20 - 8 - HEADER;
/// Largest packet that is sent.
pub const PACKET_MAX: usize = HEADER + BLOCK_MAX;
const HEADER: usize = 4;
/// Block size where none is asked for (RFC 1350 §2).
const BLOCK: u16 = 512;
/// Time until a block is sent again where none is asked for.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time that is accepted, seconds: who asks for more gets ours (RFC 2349 §3 knows yes and no). A place is held by who is
/// silent for [`TRIES`] times as long.
const TIMEOUT_MAX: u32 = 5;
/// How often a packet is sent before the transfer is given up.
const TRIES: u8 = 6;
/// Longest name that is looked at.
const NAME_MAX: usize = 128;

/// Error codes (RFC 1350 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Error {
    Undefined = 0,
    NotFound = 1,
    Access = 2,
    Illegal = 4,
    UnknownTransfer = 5,
}

impl Error {
    const fn of(refusal: FetchRefusal) -> Self {
        match refusal {
            FetchRefusal::NotFound => Self::NotFound,
            FetchRefusal::Busy => Self::Undefined,
            _ => Self::Access,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Undefined => "busy, ask again",
            Self::NotFound => "no such file",
            Self::Access => "not for you",
            Self::Illegal => "not understood",
            Self::UnknownTransfer => "unknown transfer",
        }
    }
}

/// What a client asked for that changes the transfer; what it did not ask for is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    block: Option<u16>,
    timeout: Option<u8>,
    size: bool,
}

impl Options {
    const fn is_any(&self) -> bool {
        self.block.is_some() || self.timeout.is_some() || self.size
    }
}

/// A read request.
struct Read<'a> {
    name: &'a str,
    options: Options,
}

impl<'a> Read<'a> {
    /// What is behind the opcode.
    fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let mut next = || -> Option<&'a [u8]> {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let (text, after) = rest.split_at_checked(end)?;
            rest = after.get(1..).unwrap_or_default();
            Some(text)
        };
        let name = next().ok_or(Error::Illegal)?;
        let mode = next().ok_or(Error::Illegal)?;
        // The other mode would change line ends.
        if !mode.eq_ignore_ascii_case(b"octet") || name.len() > NAME_MAX {
            return Err(Error::Illegal);
        }
        let name = core::str::from_utf8(name).map_err(|_| Error::NotFound)?;
        let mut options = Options::default();
        while let (Some(option), Some(value)) = (next(), next()) {
            let value = core::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse::<u32>().ok());
            // What is not taken is not answered (RFC 2347 §2).
            let Some(value) = value else { continue };
            if option.eq_ignore_ascii_case(b"blksize") && (8..=65_464).contains(&value) {
                options.block = Some(value.min(BLOCK_MAX as u32) as u16);
            } else if option.eq_ignore_ascii_case(b"timeout") && (1..=TIMEOUT_MAX).contains(&value) {
                options.timeout = Some(value as u8);
            } else if option.eq_ignore_ascii_case(b"tsize") {
                options.size = true;
            }
        }
        Ok(Self { name, options })
    }
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The file is not ready.
    Opening,
    /// The answer to the options is out, or the block of this number from this offset on.
    Sent { block: u16, offset: usize },
}

struct Transfer<F> {
    peer: SocketAddr,
    /// Who that was when it asked.
    station: Option<Station>,
    file: F,
    options: Options,
    step: Step,
    /// When what was sent is sent again; at once for what was not sent yet.
    next: Instant,
    tries: u8,
}

impl<F> Transfer<F> {
    fn block(&self) -> usize {
        self.options.block.unwrap_or(BLOCK).into()
    }

    fn timeout(&self) -> Duration {
        let asked = self
            .options
            .timeout
            .map(|seconds| Duration::from_secs(seconds.into()));
        asked.unwrap_or(TIMEOUT)
    }
}

/// A packet to be sent, which is in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// To where.
    pub to: SocketAddr,
    /// Who has to be there still; `None`: anybody may have it.
    pub station: Option<Station>,
    /// Its length.
    pub len: usize,
}

/// The server.
pub struct Server<F> {
    transfers: heapless::Vec<Transfer<F>, TRANSFERS>,
    /// Goes out next.
    refusal: Option<(SocketAddr, Error)>,
}

impl<F> Default for Server<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> Server<F> {
    /// No transfers.
    pub const fn new() -> Self {
        Self {
            transfers: heapless::Vec::new(),
            refusal: None,
        }
    }

    /// When [`Server::poll`] has to be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.refusal {
            Some(_) => Some(Instant::ZERO),
            None => self.transfers.iter().map(|transfer| transfer.next).min(),
        }
    }

    /// Takes a packet: a request to port 69, or what came to the other port. Poll until nothing is left.
    pub fn receive(
        &mut self,
        now: Instant,
        files: &mut impl Files<File = F>,
        from: (SocketAddr, Option<Station>),
        is_request: bool,
        bytes: &[u8],
    ) {
        let (peer, station) = from;
        let Some((&[0, opcode], rest)) = bytes.split_first_chunk() else {
            return self.refuse(peer, Error::Illegal);
        };
        let known = self.transfers.iter().position(|transfer| transfer.peer == peer);
        // The address is somebody else's by now, or more than one claim it.
        let is_another = known
            .and_then(|at| self.transfers.get(at))
            .is_some_and(|known| known.station != station);
        match (opcode, is_request) {
            (1, true) => self.on_read(now, files, from, rest),
            (2, true) => self.refuse(peer, Error::Access),
            (4, false) => {
                let Some(at) = known else {
                    return self.refuse(peer, Error::UnknownTransfer);
                };
                if is_another {
                    self.transfers.swap_remove(at);
                    return self.refuse(peer, Error::Access);
                }
                if let Some(number) = rest.first_chunk() {
                    self.on_acknowledgement(now, files, at, u16::from_be_bytes(*number));
                }
            }
            // An error is not answered (RFC 1350 §7).
            (5, _) => {
                if let Some(at) = known.filter(|_| !is_another) {
                    self.transfers.swap_remove(at);
                }
            }
            _ => self.refuse(peer, Error::Illegal),
        }
    }

    fn refuse(&mut self, peer: SocketAddr, error: Error) {
        self.refusal = Some((peer, error));
    }

    fn on_read(
        &mut self,
        now: Instant,
        files: &mut impl Files<File = F>,
        (peer, station): (SocketAddr, Option<Station>),
        rest: &[u8],
    ) {
        // The client did not wait for the first packet, which is on its way: a second password for it would be wrong.
        let repeated = |transfer: &Transfer<F>| match transfer.step {
            Step::Opening | Step::Sent { block: 0, .. } => true,
            Step::Sent { block, .. } => block == 1 && !transfer.options.is_any(),
        };
        if let Some(at) = self.transfers.iter().position(|transfer| transfer.peer == peer) {
            if self.transfers.get(at).is_some_and(repeated) {
                return;
            }
            self.transfers.swap_remove(at);
        }
        let read = match Read::parse(rest) {
            Ok(read) => read,
            Err(error) => return self.refuse(peer, error),
        };
        let mac = |station: Option<Station>| station.map(|station| station.mac);
        let is_its = |transfer: &&Transfer<F>| {
            let is_station = station.is_some() && mac(transfer.station) == mac(station);
            is_station || transfer.peer.ip() == peer.ip()
        };
        if self.transfers.is_full() || self.transfers.iter().filter(is_its).count() >= TRANSFERS_EACH {
            return self.refuse(peer, Error::Undefined);
        }
        let from = Client {
            ip: peer.ip(),
            station,
        };
        let file = match files.open(now, from, read.name, Agent::default(), false) {
            Ok(file) => file,
            Err(refusal) => return self.refuse(peer, Error::of(refusal)),
        };
        let transfer = Transfer {
            peer,
            station,
            file,
            options: read.options,
            step: Step::Opening,
            next: now,
            tries: 0,
        };
        // There is room.
        let _ = self.transfers.push(transfer);
    }

    fn on_acknowledgement(&mut self, now: Instant, files: &mut impl Files<File = F>, at: usize, number: u16) {
        let Some(transfer) = self.transfers.get_mut(at) else {
            return;
        };
        let size = transfer.block();
        let Step::Sent { block, offset } = transfer.step else {
            return;
        };
        // Of an earlier block it is late or came twice, and means nothing.
        if number != block {
            return;
        }
        let next = match block == 0 && offset == 0 && transfer.options.is_any() {
            // The options.
            true => 0,
            false => offset + size,
        };
        let length = files.length(&transfer.file);
        let is_last = next > 0 && next > length;
        let is_gone = files.progress(&transfer.file) == Progress::Gone;
        if is_last && !is_gone {
            files.delivered(&transfer.file);
        }
        if is_last || is_gone {
            self.transfers.swap_remove(at);
            return;
        }
        transfer.step = Step::Sent {
            block: block.wrapping_add(1),
            offset: next,
        };
        transfer.next = now;
        transfer.tries = 0;
    }

    /// The next packet; `buffer` has room for [`PACKET_MAX`] bytes.
    pub fn poll(&mut self, now: Instant, files: &impl Files<File = F>, buffer: &mut [u8]) -> Option<Packet> {
        if let Some((to, error)) = self.refusal.take() {
            let (station, len) = (None, write_error(buffer, error)?);
            return Some(Packet { to, station, len });
        }
        let mut at = 0;
        while let Some(transfer) = self.transfers.get_mut(at) {
            if now < transfer.next {
                at += 1;
                continue;
            }
            let (to, station) = (transfer.peer, transfer.station);
            match files.progress(&transfer.file) {
                Progress::Wait if transfer.step == Step::Opening => {
                    transfer.next = now + WAIT;
                    at += 1;
                }
                Progress::Gone => {
                    self.transfers.swap_remove(at);
                    let len = write_error(buffer, Error::Undefined)?;
                    return Some(Packet { to, station, len });
                }
                _ if transfer.tries == TRIES => _ = self.transfers.swap_remove(at),
                Progress::Wait | Progress::Ready => {
                    let len = send(now, files, transfer, buffer)?;
                    return Some(Packet { to, station, len });
                }
            }
        }
        None
    }

    /// A file may be ready by now.
    pub fn look(&mut self, now: Instant) {
        let opening = |transfer: &&mut Transfer<F>| transfer.step == Step::Opening;
        self.transfers
            .iter_mut()
            .filter(opening)
            .for_each(|transfer| transfer.next = now);
    }
}

/// A transfer whose file is not ready is looked at again when the flash has written, or then.
const WAIT: Duration = Duration::from_secs(5);

/// Writes what is next of a transfer, or once more what was last.
fn send<F>(
    now: Instant,
    files: &impl Files<File = F>,
    transfer: &mut Transfer<F>,
    buffer: &mut [u8],
) -> Option<usize> {
    if transfer.step == Step::Opening {
        transfer.step = match transfer.options.is_any() {
            true => Step::Sent { block: 0, offset: 0 },
            false => Step::Sent { block: 1, offset: 0 },
        };
    }
    transfer.tries += 1;
    transfer.next = now + transfer.timeout();
    let Step::Sent { block, offset } = transfer.step else {
        return None;
    };
    if block == 0 && offset == 0 && transfer.options.is_any() {
        return write_options(buffer, &transfer.options, files.length(&transfer.file));
    }
    let size = transfer.block();
    let (header, data) = buffer
        .get_mut(..HEADER + size)?
        .split_first_chunk_mut::<HEADER>()?;
    let [high, low] = block.to_be_bytes();
    *header = [0, 3, high, low];
    Some(HEADER + files.read(&transfer.file, offset, data))
}

fn write_error(buffer: &mut [u8], error: Error) -> Option<usize> {
    let text = error.text().as_bytes();
    let (header, rest) = buffer.split_first_chunk_mut::<HEADER>()?;
    *header = [0, 5, 0, error as u8];
    let (message, end) = rest.get_mut(..=text.len())?.split_at_mut_checked(text.len())?;
    message.copy_from_slice(text);
    end.fill(0);
    Some(HEADER + text.len() + 1)
}

/// The answer to the options that are taken (RFC 2347 §3).
fn write_options(buffer: &mut [u8], options: &Options, length: usize) -> Option<usize> {
    use core::fmt::Write;
    let mut text = heapless::String::<64>::new();
    if let Some(block) = options.block {
        write!(text, "blksize\0{block}\0").ok()?;
    }
    if let Some(timeout) = options.timeout {
        write!(text, "timeout\0{timeout}\0").ok()?;
    }
    if options.size {
        write!(text, "tsize\0{length}\0").ok()?;
    }
    let (opcode, rest) = buffer.split_first_chunk_mut::<2>()?;
    *opcode = [0, 6];
    rest.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(2 + text.len())
}

#[cfg(test)]
mod tests;
