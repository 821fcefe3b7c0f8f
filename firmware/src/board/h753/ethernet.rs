//! The MAC, wired by RMII to port 6 of the KSZ9477, which gives the clock of 50 MHz: no PHY between, the link is always up.

use core::task::Context;

use embassy_stm32::eth::{self, Ethernet, PacketQueue, Phy};
use embassy_stm32::gpio::{Input, Pull};
use embassy_stm32::peripherals as of;
use embassy_stm32::{Peri, bind_interrupts, pac, uid};
use embassy_time::{Duration, Instant};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Irqs {
    ETH => eth::InterruptHandler;
});

/// The Ethernet MAC with its driver.
pub type Mac = Ethernet<'static, of::ETH, Wire>;

/// Frames on their way to the MAC, and from it.
const FRAMES: (usize, usize) = (2, 4);

/// The DMA reads and writes these: they must lie where it reaches, which AXI SRAM is and DTCM is not, and no data cache may
/// stand between (it is off).
static QUEUE: ConstStaticCell<PacketQueue<{ FRAMES.0 }, { FRAMES.1 }>> =
    ConstStaticCell::new(PacketQueue::new());

/// The clock of a switch that has just got its supply is there by then.
const PATIENCE: Duration = Duration::from_millis(500);

/// In place of a PHY.
pub struct Wire(());

impl Phy for Wire {
    fn phy_reset(&mut self) {}

    fn phy_init(&mut self) {}

    fn poll_link(&mut self, _: &mut Context<'_>) -> bool {
        true
    }
}

/// RMII's pins.
pub struct Rmii {
    pub clock: Peri<'static, of::PA1>,
    pub valid: Peri<'static, of::PA7>,
    pub receive: (Peri<'static, of::PC4>, Peri<'static, of::PC5>),
    pub transmit: (Peri<'static, of::PG13>, Peri<'static, of::PB13>),
    pub enable: Peri<'static, of::PG11>,
}

impl Rmii {
    /// `None`: there is no clock; the MAC would wait for it for ever.
    pub fn start(mut self, mac: Peri<'static, of::ETH>) -> Option<Mac> {
        if !is_clock(self.clock.reborrow()) {
            return None;
        }
        let (rx, tx) = (self.receive, self.transmit);
        let mac = Ethernet::new_with_phy(
            QUEUE.take(),
            mac,
            Irqs,
            self.clock,
            self.valid,
            rx.0,
            rx.1,
            tx.0,
            tx.1,
            self.enable,
            address(),
            Wire(()),
        );
        // Without the FCS the last octet of a frame is the switch's tail tag (RM0433 §58.11.1, CST).
        // A frame of full length is longer by that octet than the MAC takes for one, and would count as faulty (RM0433 §58.11.1,
        // S2KP; RDES3, GP and ES).
        pac::ETH.ethernet_mac().maccr().modify(|w| {
            w.set_cst(true);
            w.set_s2kp(true);
        });
        Some(mac)
    }
}

/// Whether the pin is seen at both levels.
fn is_clock(pin: Peri<'_, of::PA1>) -> bool {
    let pin = Input::new(pin, Pull::None);
    let (start, first) = (Instant::now(), pin.is_high());
    while pin.is_high() == first {
        if start.elapsed() > PATIENCE {
            return false;
        }
    }
    true
}

/// A locally administered address from the chip's unique number (FNV-1a), until the factory data carries a bought one.
fn address() -> [u8; 6] {
    let hash = uid::uid().iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let [a, b, c, d, e, ..] = hash.to_le_bytes();
    [0x02, a, b, c, d, e]
}
