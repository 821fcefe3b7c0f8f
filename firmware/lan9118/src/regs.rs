//! Registers of the LAN9118 by their datasheet names; offsets in bytes (DS00002266, table 5.1).

pub(crate) const RX_DATA_FIFO: u16 = 0x00;
pub(crate) const TX_DATA_FIFO: u16 = 0x20;
pub(crate) const RX_STATUS_FIFO: u16 = 0x40;
pub(crate) const TX_STATUS_FIFO: u16 = 0x48;
pub(crate) const ID_REV: u16 = 0x50;
pub(crate) const IRQ_CFG: u16 = 0x54;
pub(crate) const INT_STS: u16 = 0x58;
/// Interrupt enable: the board's interrupt handler writes 0 here, nothing else.
pub const INT_EN: u16 = 0x5C;
pub(crate) const BYTE_TEST: u16 = 0x64;
pub(crate) const FIFO_INT: u16 = 0x68;
pub(crate) const RX_CFG: u16 = 0x6C;
pub(crate) const TX_CFG: u16 = 0x70;
pub(crate) const HW_CFG: u16 = 0x74;
pub(crate) const RX_FIFO_INF: u16 = 0x7C;
pub(crate) const TX_FIFO_INF: u16 = 0x80;
pub(crate) const MAC_CSR_CMD: u16 = 0xA4;
pub(crate) const MAC_CSR_DATA: u16 = 0xA8;

/// `IRQ_CFG`: enable, active high, push-pull.
pub(crate) const IRQ_EN_POL_TYPE: u32 = 0x111;
/// `INT_STS`/`INT_EN`: RX status FIFO level reached.
pub(crate) const RSFL: u32 = 1 << 3;
/// `INT_STS`/`INT_EN`: TX data FIFO has room again.
pub(crate) const TDFA: u32 = 1 << 9;
/// `INT_STS`/`INT_EN`: PHY.
pub(crate) const PHY_INT: u32 = 1 << 18;

/// `FIFO_INT`: TX data available level, units of 64 bytes, room for a full frame; RX status level 0: every frame.
pub(crate) const FIFO_LEVELS: u32 = 0x18 << 24;

/// `HW_CFG`: soft reset, and the bit that reads 1 when the device is ready is in `PMT_CTRL`.
pub(crate) const SRST: u32 = 1 << 0;
/// `HW_CFG`: must be one; TX FIFO of 5 KiB of the 16 (§5.3.9).
pub(crate) const MBO_TX_5K: u32 = 1 << 20 | 5 << 16;
/// `TX_CFG`: transmitter on.
pub(crate) const TX_ON: u32 = 1 << 1;

/// RX status: length with CRC.
pub(crate) const fn rx_length(status: u32) -> usize {
    (status >> 16 & 0x3FFF) as usize
}
/// RX status: the frame is bad.
pub(crate) const RX_ERROR: u32 = 1 << 15;

/// TX command A: first and last segment, no offset.
pub(crate) const TX_WHOLE: u32 = 1 << 13 | 1 << 12;

/// `MAC_CSR_CMD`: busy or start, and read.
pub(crate) const CSR_BUSY: u32 = 1 << 31;
pub(crate) const CSR_READ: u32 = 1 << 30;

pub(crate) const MAC_CR: u32 = 1;
pub(crate) const ADDRH: u32 = 2;
pub(crate) const ADDRL: u32 = 3;
pub(crate) const MII_ACC: u32 = 6;
pub(crate) const MII_DATA: u32 = 7;

/// `MAC_CR`: full duplex, all multicast frames, transmitter and receiver on.
pub(crate) const MAC_FDPX_MCPAS_TXEN_RXEN: u32 = 1 << 20 | 1 << 19 | 1 << 3 | 1 << 2;

/// `MII_ACC`: the internal PHY's address, write, busy.
pub(crate) const MII_PHY1: u32 = 1 << 11;
pub(crate) const MII_WRITE: u32 = 1 << 1;
pub(crate) const MII_BUSY: u32 = 1 << 0;

/// PHY: basic control (auto-negotiate, restart), basic status (link), interrupt source and mask.
pub(crate) const PHY_BCR: u32 = 0;
pub(crate) const PHY_BSR: u32 = 1;
pub(crate) const PHY_INT_SRC: u32 = 29;
pub(crate) const PHY_INT_MASK: u32 = 30;
pub(crate) const BCR_ANEG: u32 = 1 << 12 | 1 << 9;
pub(crate) const BSR_LINK: u32 = 1 << 2;
/// PHY interrupts: energy, negotiation complete, link down.
pub(crate) const PHY_LINK_EVENTS: u32 = 1 << 7 | 1 << 6 | 1 << 4;
