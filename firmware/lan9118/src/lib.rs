//! Driver of the SMSC LAN9118 Ethernet controller (DS00002266) for `embassy-net-driver`.
//!
//! The board gives [`Registers`] and an [`AtomicWaker`]. Its interrupt handler writes 0 to [`INT_EN`] and wakes the
//! waker; the driver unmasks the interrupts again when it has read everything.
#![no_std]
#![forbid(unsafe_code)]

mod regs;

pub use regs::INT_EN;
use regs::*;

use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::AtomicWaker;

/// Largest Ethernet frame without CRC, bytes: 1,500 of payload, a VLAN tag and a switch's tail tag.
pub const MTU: usize = 1520;

/// Register reads before a chip that does not answer is given up.
const PATIENCE: u32 = 100_000;

/// 32-bit access to the chip's registers, by byte offset.
pub trait Registers {
    /// Reads a register.
    fn read(&mut self, offset: u16) -> u32;
    /// Writes a register.
    fn write(&mut self, offset: u16, value: u32);
}

/// Why the chip could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// `BYTE_TEST` does not read 0x8765_4321: no chip, or the bus swaps bytes.
    NoChip(u32),
    /// `ID_REV` is of another chip.
    WrongChip(u32),
    /// A bit that the chip should clear stays set.
    Timeout,
}

/// What went by and what was lost, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames given to the stack.
    pub received: u32,
    /// Frames sent.
    pub sent: u32,
    /// Frames with an error flag, or longer than [`MTU`].
    pub bad: u32,
    /// Replies not sent because the transmit FIFO was full.
    pub no_room: u32,
    /// The chip did not answer a MAC or PHY access in time.
    pub stuck: u32,
}

/// The driver.
pub struct Lan9118<R: Registers> {
    chip: Chip<R>,
    waker: &'static AtomicWaker,
    address: [u8; 6],
    link: LinkState,
    rx: [u8; MTU],
    tx: [u8; MTU],
}

struct Chip<R> {
    regs: R,
    /// The stack found no room to send and waits for it.
    starved: bool,
    counters: Counters,
}

impl<R: Registers> Lan9118<R> {
    /// Resets and starts the chip. The MAC address is the one that the chip has loaded by itself.
    ///
    /// # Errors
    /// No such chip, or it does not come out of reset.
    pub fn new(regs: R, waker: &'static AtomicWaker) -> Result<Self, Error> {
        let mut chip = Chip {
            regs,
            starved: false,
            counters: Counters::default(),
        };
        let byte_test = chip.regs.read(BYTE_TEST);
        if byte_test != 0x8765_4321 {
            return Err(Error::NoChip(byte_test));
        }
        let id = chip.regs.read(ID_REV);
        if !matches!(id >> 16, 0x0115..=0x0118) {
            return Err(Error::WrongChip(id));
        }
        chip.regs.write(HW_CFG, SRST);
        chip.until_clear(HW_CFG, SRST)?;
        chip.regs.write(HW_CFG, MBO_TX_5K);
        chip.regs.write(IRQ_CFG, IRQ_EN_POL_TYPE);
        chip.regs.write(FIFO_INT, FIFO_LEVELS);
        chip.regs.write(RX_CFG, 0);
        let low = chip.mac_read(ADDRL)?;
        let high = chip.mac_read(ADDRH)?;
        let [a, b, c, d] = low.to_le_bytes();
        let [e, f, ..] = high.to_le_bytes();
        chip.phy_write(PHY_INT_MASK, PHY_LINK_EVENTS)?;
        chip.phy_write(PHY_BCR, BCR_ANEG)?;
        chip.mac_write(MAC_CR, MAC_FDPX_MCPAS_TXEN_RXEN)?;
        chip.regs.write(TX_CFG, TX_ON);
        let link = chip.link()?;
        chip.rearm();
        Ok(Lan9118 {
            chip,
            waker,
            address: [a, b, c, d, e, f],
            link,
            rx: [0; MTU],
            tx: [0; MTU],
        })
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        self.chip.counters
    }
}

impl<R: Registers> Chip<R> {
    fn until_clear(&mut self, register: u16, bit: u32) -> Result<(), Error> {
        for _ in 0..PATIENCE {
            if self.regs.read(register) & bit == 0 {
                return Ok(());
            }
        }
        self.counters.stuck += 1;
        Err(Error::Timeout)
    }

    fn mac_read(&mut self, index: u32) -> Result<u32, Error> {
        self.regs.write(MAC_CSR_CMD, CSR_BUSY | CSR_READ | index);
        self.until_clear(MAC_CSR_CMD, CSR_BUSY)?;
        Ok(self.regs.read(MAC_CSR_DATA))
    }

    fn mac_write(&mut self, index: u32, value: u32) -> Result<(), Error> {
        self.regs.write(MAC_CSR_DATA, value);
        self.regs.write(MAC_CSR_CMD, CSR_BUSY | index);
        self.until_clear(MAC_CSR_CMD, CSR_BUSY)
    }

    fn phy_ready(&mut self) -> Result<(), Error> {
        for _ in 0..PATIENCE {
            if self.mac_read(MII_ACC)? & MII_BUSY == 0 {
                return Ok(());
            }
        }
        self.counters.stuck += 1;
        Err(Error::Timeout)
    }

    fn phy_read(&mut self, index: u32) -> Result<u32, Error> {
        self.mac_write(MII_ACC, MII_PHY1 | index << 6 | MII_BUSY)?;
        self.phy_ready()?;
        self.mac_read(MII_DATA)
    }

    fn phy_write(&mut self, index: u32, value: u32) -> Result<(), Error> {
        self.mac_write(MII_DATA, value)?;
        self.mac_write(MII_ACC, MII_PHY1 | index << 6 | MII_WRITE | MII_BUSY)?;
        self.phy_ready()
    }

    fn link(&mut self) -> Result<LinkState, Error> {
        // The bit latches a lost link until it is read: the second read is the present state.
        self.phy_read(PHY_BSR)?;
        let up = self.phy_read(PHY_BSR)? & BSR_LINK != 0;
        Ok(if up { LinkState::Up } else { LinkState::Down })
    }

    /// Acknowledges everything but the PHY and lets the chip interrupt again.
    fn rearm(&mut self) {
        let room = if self.starved { TDFA } else { 0 };
        self.regs.write(INT_STS, RSFL | TDFA);
        self.regs.write(INT_EN, RSFL | PHY_INT | room);
    }

    fn frames_waiting(&mut self) -> bool {
        self.regs.read(RX_FIFO_INF) >> 16 & 0xFF != 0
    }

    /// Takes the next frame out of the FIFO. `None`: it was bad and is counted.
    fn take_frame(&mut self, to: &mut [u8; MTU]) -> Option<usize> {
        let status = self.regs.read(RX_STATUS_FIFO);
        let with_crc = rx_length(status);
        let length = with_crc.saturating_sub(4);
        let good = status & RX_ERROR == 0 && length > 0 && length <= MTU;
        for word in 0..with_crc.div_ceil(4) {
            let bytes = self.regs.read(RX_DATA_FIFO).to_le_bytes();
            // The CRC and the padding behind it fall off the end of the slice.
            for (to, from) in to.iter_mut().skip(4 * word).zip(bytes) {
                *to = from;
            }
        }
        if good {
            self.counters.received += 1;
            Some(length)
        } else {
            self.counters.bad += 1;
            None
        }
    }

    fn has_room(&mut self) -> bool {
        // Two command words and up to three bytes of padding per frame.
        (self.regs.read(TX_FIFO_INF) & 0xFFFF) as usize >= MTU + 12
    }

    fn send(&mut self, frame: &[u8]) {
        // `transmit` gives out a token only when there is room; the token of a reply has not looked.
        if !self.has_room() {
            self.counters.no_room += 1;
            return;
        }
        let length = frame.len() as u32;
        self.regs.write(TX_DATA_FIFO, TX_WHOLE | length);
        self.regs.write(TX_DATA_FIFO, length);
        for chunk in frame.chunks(4) {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.regs.write(TX_DATA_FIFO, u32::from_le_bytes(word));
        }
        self.counters.sent += 1;
    }

    /// Reads away the results of finished transmissions, which would fill their FIFO.
    fn pop_tx_status(&mut self) {
        while self.regs.read(TX_FIFO_INF) >> 16 & 0xFF != 0 {
            self.regs.read(TX_STATUS_FIFO);
        }
    }
}

impl<R: Registers> Driver for Lan9118<R> {
    type RxToken<'a>
        = RxToken<'a>
    where
        R: 'a;
    type TxToken<'a>
        = TxToken<'a, R>
    where
        R: 'a;

    fn receive(&mut self, cx: &mut Context) -> Option<(RxToken<'_>, TxToken<'_, R>)> {
        self.waker.register(cx.waker());
        loop {
            if !self.chip.frames_waiting() {
                // Unmask first, then look again: a frame that comes between the two is either seen here or interrupts.
                self.chip.rearm();
                if !self.chip.frames_waiting() {
                    return None;
                }
            }
            if let Some(length) = self.chip.take_frame(&mut self.rx) {
                let frame = self.rx.get_mut(..length)?;
                return Some((
                    RxToken(frame),
                    TxToken {
                        chip: &mut self.chip,
                        buffer: &mut self.tx,
                    },
                ));
            }
        }
    }

    fn transmit(&mut self, cx: &mut Context) -> Option<TxToken<'_, R>> {
        self.chip.pop_tx_status();
        self.chip.starved = !self.chip.has_room();
        if self.chip.starved {
            self.waker.register(cx.waker());
            self.chip.rearm();
            return None;
        }
        Some(TxToken {
            chip: &mut self.chip,
            buffer: &mut self.tx,
        })
    }

    fn link_state(&mut self, cx: &mut Context) -> LinkState {
        self.waker.register(cx.waker());
        if self.chip.regs.read(INT_STS) & PHY_INT != 0 {
            // Reading the source clears it in the PHY; a chip that does not answer keeps the last known state.
            if self.chip.phy_read(PHY_INT_SRC).is_ok()
                && let Ok(link) = self.chip.link()
            {
                self.link = link;
            }
            self.chip.regs.write(INT_STS, PHY_INT);
            self.chip.rearm();
        }
        self.link
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A received frame.
pub struct RxToken<'a>(&'a mut [u8]);

impl embassy_net_driver::RxToken for RxToken<'_> {
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, f: F) -> T {
        f(self.0)
    }
}

/// The right to send one frame.
pub struct TxToken<'a, R: Registers> {
    chip: &'a mut Chip<R>,
    buffer: &'a mut [u8; MTU],
}

impl<R: Registers> embassy_net_driver::TxToken for TxToken<'_, R> {
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, length: usize, f: F) -> T {
        // The stack keeps to `capabilities`; a longer frame would be cut and is a fault above.
        let length = length.min(MTU);
        let Some(frame) = self.buffer.get_mut(..length) else {
            return f(&mut []);
        };
        let result = f(frame);
        self.chip.send(frame);
        self.chip.pop_tx_status();
        result
    }
}
