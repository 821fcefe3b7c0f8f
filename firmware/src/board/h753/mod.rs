//! STM32H753ZI on a board of its own, with the KSZ9477 as switch: see the README beside this file. Built in CI; not yet run on
//! hardware.

mod buses;
mod clock;
mod ethernet;
mod flash;
mod hooks;
mod irq;
mod lines;
mod pcm;

pub use buses::{Bus, I2c, Select};
pub use ethernet::Mac;
pub use flash::Flash;
pub use hooks::Hooks;
pub use irq::{spawner, start_executors};
pub use lines::{Lines, Pin};
pub use pcm::Pcm;

use core::cell::RefCell;
use critical_section::Mutex;
use embassy_stm32::mode::Blocking;
use embassy_stm32::peripherals::IWDG1;
use embassy_stm32::rng::Rng;
use embassy_stm32::usart::{self, UartTx};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Peri, bind_interrupts, peripherals};

static CONSOLE: Mutex<RefCell<Option<UartTx<'static, Blocking>>>> = Mutex::new(RefCell::new(None));

bind_interrupts!(struct Irqs {
    HASH_RNG => embassy_stm32::rng::InterruptHandler<peripherals::RNG>;
});

/// The board after `init`.
pub struct Board {
    /// Ethernet.
    pub mac: Mac,
    /// External NOR flash.
    pub flash: Flash,
    /// Watchdog, not yet running.
    pub watchdog: Watchdog,
    /// Randomness for this run.
    pub seed: [u8; 32],
    /// The analog lines; this board has them.
    pub lines: Option<Lines>,
    /// The hub; this board has it.
    pub hub: Option<Hub>,
    /// The indicator lights.
    pub lights: [Pin; 3],
}

/// What the hub hangs on. Neither of its chips is reset with the processor.
pub struct Hub {
    /// SPI to the switch.
    pub bus: Bus,
    /// CS of the switch.
    pub select: Select,
    /// I2C to the power controller.
    pub i2c: I2c,
}

/// Why the board cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The log port refuses its settings.
    Console(usart::ConfigError),
    /// The switch gives the MAC no clock.
    NoClock,
}

/// Clocks, log, Ethernet, flash, randomness, and the pins of everything else. The table of pins: `README.md`.
///
/// # Errors
/// [`Error`].
pub fn init() -> Result<Board, Error> {
    let p = embassy_stm32::init(clock::config());
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.DCB.enable_trace();
        core.DWT.enable_cycle_counter();
    }
    let console = UartTx::new_blocking(p.USART3, p.PD8, usart::Config::default()).map_err(Error::Console)?;
    critical_section::with(|cs| CONSOLE.borrow_ref_mut(cs).replace(console));

    let mut seed = [0; 32];
    Rng::new(p.RNG, Irqs).fill_bytes(&mut seed);

    let rmii = ethernet::Rmii {
        clock: p.PA1,
        valid: p.PA7,
        receive: (p.PC4, p.PC5),
        transmit: (p.PG13, p.PB13),
        enable: p.PG11,
    };
    let mac = rmii.start(p.ETH).ok_or(Error::NoClock)?;
    let flash = Flash::new(p.QUADSPI, (p.PD11, p.PD12, p.PE2, p.PD13, p.PB2, p.PB6));
    let codec = buses::Spi3 {
        spi: p.SPI3,
        sck: p.PC10,
        mosi: p.PC12,
        miso: p.PC11,
        select: p.PA15,
        dma: (p.DMA1_CH0, p.DMA1_CH1),
    };
    let i2c = buses::I2c1 {
        i2c: p.I2C1,
        scl: p.PB8,
        sda: p.PB9,
        dma: (p.DMA1_CH2, p.DMA1_CH3),
    };
    let hooks = hooks::Parts {
        pins: (p.PG0, p.PG1, p.PG2, p.PG3),
        exti: (p.EXTI0, p.EXTI1, p.EXTI2, p.EXTI3),
    };
    let pcm = pcm::Parts {
        sai: p.SAI1,
        clock: p.PE5,
        frame: p.PE4,
        down: p.PE6,
        up: p.PE3,
        dma: (p.DMA1_CH4, p.DMA1_CH5),
    };
    let (bus, select) = codec.start();
    let lines = Lines {
        bus,
        select,
        i2c: i2c.start(),
        wiring: [
            lines::wiring([p.PD0.into(), p.PD4.into(), p.PF3.into(), p.PF12.into()]),
            lines::wiring([p.PD1.into(), p.PD5.into(), p.PF4.into(), p.PF13.into()]),
            lines::wiring([p.PD2.into(), p.PD6.into(), p.PF5.into(), p.PF14.into()]),
            lines::wiring([p.PD3.into(), p.PD7.into(), p.PF10.into(), p.PF15.into()]),
        ],
        hooks: hooks.start(),
        pcm: pcm.start(),
    };
    let switch = buses::Spi1 {
        spi: p.SPI1,
        sck: p.PA5,
        mosi: p.PB5,
        miso: p.PA6,
        select: p.PA4,
        dma: (p.DMA1_CH6, p.DMA1_CH7),
    };
    let power = buses::I2c2 {
        i2c: p.I2C2,
        scl: p.PF1,
        sda: p.PF0,
        dma: (p.DMA2_CH0, p.DMA2_CH1),
    };
    let (bus, select) = switch.start();
    Ok(Board {
        mac,
        flash,
        watchdog: Watchdog(p.IWDG1),
        seed,
        lines: Some(lines),
        hub: Some(Hub {
            bus,
            select,
            i2c: power.start(),
        }),
        lights: [p.PB0.into(), p.PE1.into(), p.PB14.into()].map(|pin| lines::output(pin, false)),
    })
}

/// What [`work_time`] counts in.
pub const WORK_UNIT: &str = "cycles";

/// A clock to measure work with; it wraps.
pub fn work_time() -> u32 {
    cortex_m::peripheral::DWT::cycle_count()
}

/// Writes bytes to the log port.
pub fn console_write(bytes: &[u8]) {
    // A byte at a time, so that interrupts wait for one byte (87 µs) and not for a line.
    for byte in bytes {
        critical_section::with(|cs| {
            if let Some(console) = CONSOLE.borrow_ref_mut(cs).as_mut() {
                // A log that cannot be written is no reason to stop.
                let _ = console.blocking_write(core::slice::from_ref(byte));
            }
        });
    }
}

/// The independent watchdog, not yet running.
pub struct Watchdog(Peri<'static, IWDG1>);

impl Watchdog {
    /// Starts it; from now on it must be fed every 10 s.
    pub fn start(self) -> Running {
        let mut watchdog = IndependentWatchdog::new(self.0, 10_000_000);
        watchdog.unleash();
        Running(watchdog)
    }
}

/// The running watchdog.
pub struct Running(IndependentWatchdog<'static, IWDG1>);

impl Running {
    /// Holds the reset off for another period.
    pub fn feed(&mut self) {
        self.0.pet();
    }
}
