//! Register access: the one place that turns addresses into reads and writes.

use core::ptr;
use hil_wire as wire;
use portable_take::Once;

/// A block of 32-bit device registers at a fixed address.
#[derive(Clone, Copy)]
pub struct Block(usize);

impl Block {
    /// Registers at `base`, which must be a device of this board.
    pub const fn at(base: usize) -> Self {
        Block(base)
    }

    /// Reads the register at byte `offset`.
    pub fn read(self, offset: usize) -> u32 {
        // SAFETY: `base` is a device of the AN500 map (only this board's modules make blocks) and offsets are its
        // datasheet's; device registers are always valid for aligned 32-bit access.
        unsafe { ptr::with_exposed_provenance::<u32>(self.0 + offset).read_volatile() }
    }

    /// Writes the register at byte `offset`.
    pub fn write(self, offset: usize, value: u32) {
        // SAFETY: as for `read`.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(self.0 + offset).write_volatile(value) }
    }
}

mod portable_take {
    use core::sync::atomic::{AtomicBool, Ordering};

    /// Hands a thing out once.
    pub struct Once(AtomicBool);

    impl Once {
        pub const fn new() -> Self {
            Once(AtomicBool::new(false))
        }

        /// Panics the second time: two owners of one device are a fault of the program.
        pub fn take(&self) {
            assert!(!self.0.swap(true, Ordering::AcqRel), "a device was taken twice");
        }
    }
}

const UART0: Block = Block::at(0x4000_4000);
const UART_DATA: usize = 0x00;
const UART_STATE: usize = 0x04;
const UART_CTRL: usize = 0x08;
const UART_BAUDDIV: usize = 0x10;

/// Turns the log port on.
pub fn console_init() {
    UART0.write(UART_BAUDDIV, 16);
    UART0.write(UART_CTRL, 0b01);
}

/// Writes bytes to the log port; waits while its one-byte buffer is full.
pub fn console_write(bytes: &[u8]) {
    for &byte in bytes {
        while UART0.read(UART_STATE) & 1 != 0 {}
        UART0.write(UART_DATA, u32::from(byte));
    }
}

/// Registers of the LAN9118 at 0xA000_0000.
pub struct LanRegisters(());

const LAN9118: Block = Block::at(0xA000_0000);
static LAN_TAKEN: Once = Once::new();

impl LanRegisters {
    /// The registers; once.
    pub fn take() -> Self {
        LAN_TAKEN.take();
        LanRegisters(())
    }
}

impl lan9118::Registers for LanRegisters {
    fn read(&mut self, offset: u16) -> u32 {
        LAN9118.read(usize::from(offset))
    }

    fn write(&mut self, offset: u16, value: u32) {
        LAN9118.write(usize::from(offset), value);
    }
}

/// The Ethernet interrupt's own access: it writes one register that the driver writes only while it holds no frame.
pub fn silence_ethernet() {
    LAN9118.write(usize::from(lan9118::INT_EN), 0);
}

static PSRAM_TAKEN: Once = Once::new();

/// The PSRAM; its owner is the flash.
pub struct Psram(());

impl Psram {
    /// The memory; once.
    pub fn take() -> Self {
        PSRAM_TAKEN.take();
        Psram(())
    }

    /// Reads the 32-bit word at `offset`, a multiple of 4 below the end of the PSRAM.
    pub fn word(&self, offset: u32) -> u32 {
        assert!(offset <= wire::PSRAM_SIZE - 4 && offset.is_multiple_of(4));
        Block::at(wire::PSRAM_BASE as usize).read(offset as usize)
    }

    /// Writes the 32-bit word at `offset`, a multiple of 4 below the end of the PSRAM.
    pub fn set_word(&mut self, offset: u32, value: u32) {
        assert!(offset <= wire::PSRAM_SIZE - 4 && offset.is_multiple_of(4));
        Block::at(wire::PSRAM_BASE as usize).write(offset as usize, value);
    }
}

/// Copies from the shared sector; all zeros when the rig has not filled it in.
pub fn shared_bytes(offset: u32, to: &mut [u8]) {
    let psram = Block::at(wire::PSRAM_BASE as usize);
    if psram.read(wire::SHARED_MAGIC as usize) != wire::MAGIC {
        return;
    }
    for (i, chunk) in to.chunks_mut(4).enumerate() {
        let word = psram.read(offset as usize + 4 * i).to_le_bytes();
        chunk.copy_from_slice(word.get(..chunk.len()).unwrap_or_default());
    }
}
