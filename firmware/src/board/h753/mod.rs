//! STM32H753ZI on the wiring of ST's NUCLEO-H753ZI: RMII Ethernet with the LAN8742A, a NOR flash on QUADSPI (the board's
//! "ZIO" connector), log on USART3 (ST-LINK). Built in CI; to be brought up on hardware when analog and PoE parts are there.

mod flash;
mod irq;
mod lines;
mod pcm;

pub use flash::Flash;
pub use irq::{spawner, start_executors};
pub use lines::{Bus, Hooks, I2c, Lines, Pin, Select};
pub use pcm::Pcm;

use core::cell::RefCell;
use critical_section::Mutex;
use embassy_stm32::eth::{Ethernet, GenericPhy, PacketQueue, Sma};
use embassy_stm32::mode::Blocking;
use embassy_stm32::peripherals::{ETH, ETH_SMA, IWDG1};
use embassy_stm32::rng::Rng;
use embassy_stm32::usart::{self, UartTx};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Peri, bind_interrupts, peripherals, uid};
use lines::{HookPins, I2c1, Spi3};
use static_cell::ConstStaticCell;

/// The Ethernet MAC with its driver.
pub type Mac = Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;

/// Frames on their way to the MAC, and from it.
const FRAMES: (usize, usize) = (2, 4);

/// The DMA reads and writes these: they must lie where it reaches, which AXI SRAM is and DTCM is not, and no data cache may
/// stand between (it is off).
static FRAMES_CELL: ConstStaticCell<PacketQueue<{ FRAMES.0 }, { FRAMES.1 }>> =
    ConstStaticCell::new(PacketQueue::new());

static CONSOLE: Mutex<RefCell<Option<UartTx<'static, Blocking>>>> = Mutex::new(RefCell::new(None));

bind_interrupts!(struct Irqs {
    ETH => embassy_stm32::eth::InterruptHandler;
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
    /// The hub, if there is one.
    pub hub: Option<Hub>,
}

/// What the hub hangs on.
pub struct Hub {
    /// SPI to the switch.
    pub bus: Bus,
    /// CS of the switch.
    pub select: Select,
}

/// Clocks, log, Ethernet, flash, randomness.
///
/// # Errors
/// The log port refuses its settings.
pub fn init() -> Result<Board, usart::ConfigError> {
    let p = embassy_stm32::init(clocks());
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.DCB.enable_trace();
        core.DWT.enable_cycle_counter();
    }
    let console = UartTx::new_blocking(p.USART3, p.PD8, usart::Config::default())?;
    critical_section::with(|cs| CONSOLE.borrow_ref_mut(cs).replace(console));

    let mut seed = [0; 32];
    Rng::new(p.RNG, Irqs).fill_bytes(&mut seed);

    let mac = Ethernet::new(
        FRAMES_CELL.take(),
        p.ETH,
        Irqs,
        p.PA1,
        p.PA7,
        p.PC4,
        p.PC5,
        p.PG13,
        p.PB13,
        p.PG11,
        mac_address(),
        p.ETH_SMA,
        p.PA2,
        p.PC1,
    );
    let flash = Flash::new(p.QUADSPI, (p.PD11, p.PD12, p.PE2, p.PD13, p.PB2, p.PB6));
    let (bus, select) = Spi3 {
        spi: p.SPI3,
        sck: p.PC10,
        mosi: p.PC12,
        miso: p.PC11,
        select: p.PA15,
        dma: (p.DMA1_CH0, p.DMA1_CH1),
    }
    .start();
    let i2c = I2c1 {
        i2c: p.I2C1,
        scl: p.PB8,
        sda: p.PB9,
        dma: (p.DMA1_CH2, p.DMA1_CH3),
    };
    let hooks = HookPins {
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
    Ok(Board {
        mac,
        flash,
        watchdog: Watchdog(p.IWDG1),
        seed,
        lines: Some(lines),
        hub: None,
    })
}

/// 400 MHz core, 200 MHz bus from the 64 MHz internal oscillator (RM0433 §8.5), so that the box starts without a crystal.
fn clocks() -> embassy_stm32::Config {
    use embassy_stm32::rcc::*;
    let mut config = embassy_stm32::Config::default();
    config.rcc.hsi = Some(HSIPrescaler::DIV1);
    config.rcc.csi = true;
    // The RNG's clock.
    config.rcc.hsi48 = Some(Hsi48Config::default());
    config.rcc.pll1 = Some(Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL50,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    // 8.192 MHz for the PCM highway. It is as good as the oscillator, 1 %: FAX machines want a crystal there.
    config.rcc.pll2 = Some(Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV25,
        mul: PllMul::MUL80,
        divp: Some(PllDiv::DIV25),
        divq: None,
        divr: None,
    });
    config.rcc.mux.sai1sel = mux::Saisel::PLL2_P;
    config.rcc.sys = Sysclk::PLL1_P;
    config.rcc.ahb_pre = AHBPrescaler::DIV2;
    config.rcc.apb1_pre = APBPrescaler::DIV2;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.apb3_pre = APBPrescaler::DIV2;
    config.rcc.apb4_pre = APBPrescaler::DIV2;
    config.rcc.voltage_scale = VoltageScale::Scale1;
    config
}

/// A locally administered address from the chip's unique number (FNV-1a), until the factory data carries a bought one.
fn mac_address() -> [u8; 6] {
    let hash = uid::uid().iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let [a, b, c, d, e, ..] = hash.to_le_bytes();
    [0x02, a, b, c, d, e]
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
