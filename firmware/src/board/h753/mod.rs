//! STM32H753ZI on the wiring of ST's NUCLEO-H753ZI: RMII Ethernet with the LAN8742A, a NOR flash on QUADSPI (the board's
//! "ZIO" connector), log on USART3 (ST-LINK). Built in CI; to be brought up on hardware when analog and PoE parts are there.

mod flash;
mod irq;

pub use flash::Flash;
pub use irq::{spawner, start_executors};

use core::cell::RefCell;
use critical_section::Mutex;
use embassy_stm32::eth::{Ethernet, GenericPhy, PacketQueue, Sma};
use embassy_stm32::mode::Blocking;
use embassy_stm32::peripherals::{ETH, ETH_SMA, IWDG1};
use embassy_stm32::rng::Rng;
use embassy_stm32::usart::{self, UartTx};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Peri, bind_interrupts, peripherals, uid};
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
}

/// Clocks, log, Ethernet, flash, randomness.
///
/// # Errors
/// The log port refuses its settings.
pub fn init() -> Result<Board, usart::ConfigError> {
    let p = embassy_stm32::init(clocks());
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
    Ok(Board {
        mac,
        flash,
        watchdog: Watchdog(p.IWDG1),
        seed,
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
