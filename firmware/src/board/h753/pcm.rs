//! The PCM highway on SAI1: this board is its clock. 256 bits a frame (BCLK, which is the codec's MCLK as well, has 2.048 MHz), 8,000
//! frames a second; the lines have the first four slots. DMA moves rings of two blocks.

use embassy_stm32::peripherals as of;
use embassy_stm32::sai::{
    BitOrder, ClockStrobe, Config, DataSize, FifoThreshold, FrameSyncDefinition, FrameSyncOffset,
    FrameSyncPolarity, MasterClockDivider, Mode, Sai, SyncInput, TxRx, split_subblocks, word,
};
use embassy_stm32::{Peri, bind_interrupts, dma};
use embassy_time::{Duration, with_timeout};
use gateway::budget::LINES;
use media::{BLOCK, chain};
use static_cell::ConstStaticCell;

use crate::lines::Block;

bind_interrupts!(struct Irqs {
    DMA1_STREAM4 => dma::InterruptHandler<of::DMA1_CH4>;
    DMA1_STREAM5 => dma::InterruptHandler<of::DMA1_CH5>;
});

/// A block comes after 5 ms; this is a clock that has stopped.
const PATIENCE: Duration = Duration::from_millis(20);

type Ring = [u8; 2 * BLOCK * LINES];
/// The DMA reads and writes these, in AXI SRAM and without a data cache in between.
static DOWN: ConstStaticCell<Ring> = ConstStaticCell::new([0; size_of::<Ring>()]);
static UP: ConstStaticCell<Ring> = ConstStaticCell::new([0; size_of::<Ring>()]);

/// The PCM highway.
pub struct Pcm {
    down: Sai<'static, of::SAI1, u8>,
    up: Sai<'static, of::SAI1, u8>,
    is_started: bool,
}

/// What it is made of: SAI1, BCLK, FS, DR and DX of the codec, and two DMA channels.
pub struct Parts {
    pub sai: Peri<'static, of::SAI1>,
    pub clock: Peri<'static, of::PE5>,
    pub frame: Peri<'static, of::PE4>,
    pub down: Peri<'static, of::PE6>,
    pub up: Peri<'static, of::PE3>,
    pub dma: (Peri<'static, of::DMA1_CH4>, Peri<'static, of::DMA1_CH5>),
}

fn config() -> Config {
    let mut config = Config::default();
    config.slot_count = word::U4(LINES as u8);
    config.slot_enable = (1 << LINES) - 1;
    config.data_size = DataSize::Data8;
    config.bit_order = BitOrder::MsbFirst;
    // The codec's delayed timing: FS one clock before the first bit of slot 0.
    config.frame_sync_offset = FrameSyncOffset::BeforeFirstBit;
    config.frame_sync_polarity = FrameSyncPolarity::ActiveHigh;
    config.frame_sync_active_level_length = word::U7(1);
    config.frame_sync_definition = FrameSyncDefinition::StartOfFrame;
    config.frame_length = 256;
    // Out on the rising edge, in on the falling one.
    config.clock_strobe = ClockStrobe::Falling;
    config.master_clock_divider = MasterClockDivider::DIV4;
    config.nodiv = true;
    config.is_high_impedance_on_inactive_slot = true;
    config.fifo_threshold = FifoThreshold::Quarter;
    config
}

impl Parts {
    pub fn start(self) -> Pcm {
        let (a, b) = split_subblocks(self.sai);
        let (down_dma, up_dma) = self.dma;
        let mut down = config();
        down.mode = Mode::Master;
        down.tx_rx = TxRx::Transmitter;
        let mut up = config();
        up.tx_rx = TxRx::Receiver;
        up.sync_input = SyncInput::Internal;
        Pcm {
            // The one that follows is ready before the one that has the clock.
            up: Sai::new_synchronous(b, self.up, up_dma, UP.take(), Irqs, up),
            down: Sai::new_asynchronous(
                a,
                self.clock,
                self.down,
                self.frame,
                down_dma,
                DOWN.take(),
                Irqs,
                down,
            ),
            is_started: false,
        }
    }
}

impl Pcm {
    /// Sends a block when it is time, and gives the block that came meanwhile. `None`: the clock has stopped, or a block was
    /// missed.
    pub async fn next(&mut self, down: &Block) -> Option<Block> {
        if !self.is_started {
            self.is_started = true;
            let silence = [chain::CODEC.silence(); size_of::<Ring>()];
            self.up.start().ok()?;
            self.down.write(&silence).await.ok()?;
        }
        let mut up = [[0; LINES]; BLOCK];
        let both = async {
            self.up.read(up.as_flattened_mut()).await?;
            self.down.write(down.as_flattened()).await
        };
        with_timeout(PATIENCE, both).await.ok()?.ok()?;
        Some(up)
    }
}
