//! The analog lines' pins and buses: messages over UART1 to the twins (`hil_wire::lines`).

use core::cell::RefCell;
use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;
use critical_section::Mutex;
use embassy_futures::select::select;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_hal::digital::{ErrorType as PinError, OutputPin};
use embedded_hal_async::i2c::{self, ErrorKind, ErrorType as I2cError, NoAcknowledgeSource, Operation};
use embedded_hal_async::spi::{self, ErrorType as SpiError, SpiBus};
use hil_wire::lines::{
    ANSWER_MS, CODEC, I2cFault, Octets, PORTS, Report, Request, SWITCH, TRANSFER, input, output,
};
use hil_wire::link::{FRAME, Link, Received};

use super::pcm::{self, Pcm};
use super::uart;
use crate::lines::circuit::{Edge, Wiring};

const PATIENCE: Duration = Duration::from_millis(ANSWER_MS);
/// Chips with an SPI of their own.
const CHIPS: usize = 2;
/// I2C buses: of the lines, of the hub.
const BUSES: usize = 2;
/// SHK of all ports.
const HOOKS: u32 = ((1 << PORTS) - 1) * input::SHK;

/// The electronics of the lines.
pub struct Lines {
    /// SPI to the codec.
    pub bus: Bus,
    /// CS of the codec.
    pub select: Select,
    /// I2C to the converter.
    pub i2c: I2c,
    /// Pins of each line.
    pub wiring: [Wiring; PORTS],
    /// The switch hooks.
    pub hooks: Hooks,
    /// The PCM highway.
    pub pcm: Pcm,
}

/// What the hub hangs on. Neither chip is reset with the processor.
pub struct Hub {
    /// SPI to the switch.
    pub bus: Bus,
    /// CS of the switch.
    pub select: Select,
    /// I2C to the power controller.
    pub i2c: I2c,
}

struct State {
    link: Link<Request, Report>,
    /// Levels of the output pins, and whether the twins do not know them yet.
    levels: (u32, bool),
    /// The number of the last transfer.
    id: u8,
    /// Which chips are selected: codec, switch.
    selected: [bool; CHIPS],
    /// The numbers of the transfers that are waited for at the bus of each.
    waits: [u8; CHIPS],
    /// The same for each I2C.
    i2c_waits: [u8; BUSES],
}

impl State {
    /// The next frame, and its length.
    fn transmit(&mut self, frame: &mut [u8; FRAME]) -> Option<usize> {
        let (levels, waits) = self.levels;
        self.levels.1 = waits && self.link.send(Request::Outputs(levels)).is_err();
        let now = Instant::now().as_millis();
        self.link.transmit(now, frame).map(<[u8]>::len)
    }
}

static STATE: Mutex<RefCell<Option<State>>> = Mutex::new(RefCell::new(None));
/// There is something to send, or something was received.
pub static WAKER: AtomicWaker = AtomicWaker::new();
/// The end of a transfer: its number, and what came of it.
type Done<T> = Signal<CriticalSectionRawMutex, (u8, T)>;

static I2C_DONE: [Done<Result<Octets, I2cFault>>; BUSES] = [const { Signal::new() }; BUSES];
static SPI_DONE: [Done<Octets>; CHIPS] = [const { Signal::new() }; CHIPS];

fn with<T>(act: impl FnOnce(&mut State) -> T) -> Option<T> {
    critical_section::with(|cs| STATE.borrow_ref_mut(cs).as_mut().map(act))
}

/// The lines and the hub, if the rig has plugged some in; once.
pub fn take(session: u16) -> Option<(Lines, Hub)> {
    if !pcm::is_present() {
        return None;
    }
    uart::init();
    let state = State {
        // A reset of the processor alone finds the seed of the start before.
        link: Link::board(session.wrapping_add(pcm::blocks() as u16)),
        levels: (0, true),
        id: 0,
        selected: [false; CHIPS],
        waits: [0; CHIPS],
        i2c_waits: [0; BUSES],
    };
    critical_section::with(|cs| STATE.borrow_ref_mut(cs).replace(state));
    let wiring = [0, 1, 2, 3].map(|port| Wiring {
        forward: Pin(output::FORWARD << port),
        ring_mode: Pin(output::RING_MODE << port),
        power: Pin(output::POWER << port),
        test: Pin(output::TEST << port),
    });
    let hub = Hub {
        bus: Bus(SWITCH),
        select: Select(SWITCH),
        i2c: I2c(1),
    };
    let lines = Lines {
        bus: Bus(CODEC),
        select: Select(CODEC),
        i2c: I2c(0),
        wiring,
        hooks: Hooks {
            levels: 0,
            heard: None,
        },
        pcm: Pcm::new(),
    };
    Some((lines, hub))
}

/// An output pin.
pub struct Pin(u32);

impl PinError for Pin {
    type Error = Infallible;
}

impl Pin {
    fn set(&mut self, high: bool) {
        with(|state| {
            let (levels, _) = state.levels;
            let levels = if high { levels | self.0 } else { levels & !self.0 };
            // Each change goes out by itself, unless too many wait: then the last one counts.
            let waits = state.link.send(Request::Outputs(levels)).is_err();
            state.levels = (levels, waits);
        });
        WAKER.wake();
    }
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true);
        Ok(())
    }
}

/// The lights of the box.
pub fn lights() -> [Pin; 3] {
    [
        output::LIGHT_UP,
        output::LIGHT_SURVIVAL,
        output::LIGHT_NO_EMERGENCY,
    ]
    .map(Pin)
}

/// CS of a chip: it goes with the transfers.
pub struct Select(u8);

impl Select {
    fn set(&mut self, selected: bool) {
        with(|state| {
            if let Some(is) = state.selected.get_mut(usize::from(self.0)) {
                *is = selected;
            }
        });
    }
}

impl PinError for Select {
    type Error = Infallible;
}

impl OutputPin for Select {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(true);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(false);
        Ok(())
    }
}

/// Sends a request that has this number, and waits for its answer.
async fn ask<T>(request: impl FnOnce(u8, &mut State) -> Request, done: &Done<T>) -> Option<T> {
    done.reset();
    let id = with(|state| {
        let id = state.id.wrapping_add(1);
        state.id = id;
        let request = request(id, state);
        state.link.send(request).is_ok().then_some(state.id)
    })??;
    WAKER.wake();
    let answer = async {
        loop {
            let (of, answer) = done.wait().await;
            if of == id {
                return answer;
            }
        }
    };
    with_timeout(PATIENCE, answer).await.ok()
}

/// SPI of a chip.
pub struct Bus(u8);

impl SpiError for Bus {
    type Error = spi::ErrorKind;
}

impl Bus {
    async fn exchange(&mut self, octets: &mut [u8]) -> Result<(), spi::ErrorKind> {
        for octets in octets.chunks_mut(TRANSFER) {
            let write = Octets::from_slice(octets).map_err(|_| spi::ErrorKind::Overrun)?;
            let chip = usize::from(self.0);
            let done = SPI_DONE.get(chip).ok_or(spi::ErrorKind::Other)?;
            let request = |id, state: &mut State| {
                if let Some(waits) = state.waits.get_mut(chip) {
                    *waits = id;
                }
                let selected = state.selected.get(chip).copied().unwrap_or_default();
                Request::Spi {
                    id,
                    chip: selected.then_some(self.0),
                    write,
                }
            };
            let read = ask(request, done).await.ok_or(spi::ErrorKind::Other)?;
            for (to, from) in octets.iter_mut().zip(read) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl SpiBus for Bus {
    async fn read(&mut self, words: &mut [u8]) -> Result<(), spi::ErrorKind> {
        words.fill(0);
        self.exchange(words).await
    }

    async fn write(&mut self, words: &[u8]) -> Result<(), spi::ErrorKind> {
        for word in words {
            self.exchange(&mut [*word]).await?;
        }
        Ok(())
    }

    async fn transfer(&mut self, read: &mut [u8], write: &[u8]) -> Result<(), spi::ErrorKind> {
        let words = write.iter().copied().chain(core::iter::repeat(0));
        let more = write.get(read.len()..).unwrap_or_default();
        for (to, word) in read.iter_mut().zip(words) {
            *to = word;
        }
        self.exchange(read).await?;
        self.write(more).await
    }

    async fn transfer_in_place(&mut self, words: &mut [u8]) -> Result<(), spi::ErrorKind> {
        self.exchange(words).await
    }

    async fn flush(&mut self) -> Result<(), spi::ErrorKind> {
        Ok(())
    }
}

/// I2C of the lines or of the hub. There is one in the rig, and whoever has one has it alone for a transfer.
pub struct I2c(usize);

impl I2cError for I2c {
    type Error = ErrorKind;
}

impl I2c {
    async fn exchange(&mut self, address: u8, write: Octets, read: &mut [u8]) -> Result<(), ErrorKind> {
        let count = u8::try_from(read.len())
            .ok()
            .filter(|count| usize::from(*count) <= TRANSFER);
        let count = count.ok_or(ErrorKind::Overrun)?;
        let done = I2C_DONE.get(self.0).ok_or(ErrorKind::Other)?;
        let request = |id, state: &mut State| {
            if let Some(waits) = state.i2c_waits.get_mut(self.0) {
                *waits = id;
            }
            Request::I2c {
                id,
                address,
                write,
                read: count,
            }
        };
        match ask(request, done).await {
            Some(Ok(octets)) if octets.len() == read.len() => {
                read.copy_from_slice(&octets);
                Ok(())
            }
            Some(Err(I2cFault::NoAddress)) => Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)),
            Some(Err(I2cFault::NoData)) => Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data)),
            Some(Err(I2cFault::Stuck)) => Err(ErrorKind::ArbitrationLoss),
            Some(Ok(_)) | None => Err(ErrorKind::Bus),
        }
    }
}

impl i2c::I2c for I2c {
    /// Any number of writes, then at most one read.
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let mut write = Octets::new();
        let mut operations = operations.iter_mut();
        while let Some(operation) = operations.next() {
            match operation {
                Operation::Write(octets) => {
                    write.extend_from_slice(octets).map_err(|_| ErrorKind::Overrun)?;
                }
                Operation::Read(room) if operations.len() == 0 => {
                    return self.exchange(address, write, room).await;
                }
                Operation::Read(_) => return Err(ErrorKind::Other),
            }
        }
        self.exchange(address, write, &mut []).await
    }
}

/// The switch hooks. Whoever waits here moves all that goes over the UART.
pub struct Hooks {
    levels: u32,
    /// Levels that were heard of and not told yet, since this frame.
    heard: Option<(u32, u32)>,
}

impl Hooks {
    /// The next edge.
    pub async fn edge(&mut self) -> Edge {
        loop {
            if let Some((levels, frame)) = self.heard {
                let changed = (levels ^ self.levels) & HOOKS;
                if changed != 0 {
                    let line = changed.trailing_zeros();
                    self.levels ^= 1 << line;
                    return Edge {
                        line: line as u8,
                        closed: self.levels & 1 << line != 0,
                        at: pcm::moment(frame),
                    };
                }
                self.heard = None;
            }
            self.pump().await;
        }
    }

    /// Takes what has come and sends what is due, until levels are reported.
    async fn pump(&mut self) {
        loop {
            while let Some(octet) = uart::read() {
                if let Some(Received::Message(report)) = with(|state| state.link.receive(octet)).flatten() {
                    self.take(report);
                    if self.heard.is_some() {
                        return;
                    }
                }
            }
            let mut frame = [0; FRAME];
            while let Some(length) = with(|state| state.transmit(&mut frame)).flatten() {
                uart::write(frame.get(..length).unwrap_or_default());
            }
            let is_due = || with(|state| state.link.due()).flatten();
            let awake = poll_fn(|cx| {
                WAKER.register(cx.waker());
                match uart::is_readable() || is_due().is_some_and(|at| at <= Instant::now().as_millis()) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            let again = async {
                match is_due() {
                    Some(at) => Timer::at(Instant::from_millis(at)).await,
                    None => core::future::pending().await,
                }
            };
            select(awake, again).await;
        }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::I2c { id, result } => {
                let waits = with(|state| state.i2c_waits).unwrap_or_default();
                if let Some((done, _)) = I2C_DONE.iter().zip(waits).find(|(_, of)| *of == id) {
                    done.signal((id, result));
                }
            }
            Report::Spi { id, read } => {
                let waits = with(|state| state.waits).unwrap_or_default();
                if let Some((done, _)) = SPI_DONE.iter().zip(waits).find(|(_, of)| *of == id) {
                    done.signal((id, read));
                }
            }
            Report::Inputs { levels, frame } => self.heard = Some((levels, frame)),
        }
    }
}
