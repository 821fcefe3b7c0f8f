//! The PCM highway on SAI1: this board is its clock. 256 bits a frame (BCLK, which is the codec's MCLK as well, has 2.048 MHz), 8,000
//! frames a second; the lines have the first four slots. DMA moves rings of two blocks.
//!
//! A ring that was overrun goes on at any octet, and a line would hear its neighbour: after every fault both halves are built anew,
//! so that the first octet is slot 0 again.

use core::cell::UnsafeCell;

use embassy_stm32::peripherals as of;
use embassy_stm32::sai::{
    BitOrder, ClockStrobe, Config, DataSize, Error, FifoThreshold, FrameSyncDefinition, FrameSyncOffset,
    FrameSyncPolarity, MasterClockDivider, Mode, Sai, SyncInput, TxRx, split_subblocks, word,
};
use embassy_stm32::{Peri, bind_interrupts, dma, pac};
use embassy_time::{Duration, Timer, with_timeout};
use gateway::budget::LINES;
use media::{BLOCK, chain};

use crate::lines::Block;

bind_interrupts!(struct Irqs {
    DMA1_STREAM4 => dma::InterruptHandler<of::DMA1_CH4>;
    DMA1_STREAM5 => dma::InterruptHandler<of::DMA1_CH5>;
});

/// A block.
const PERIOD: Duration = Duration::from_millis(5);
/// A block that has not come by then does not come: the clock has stopped.
const PATIENCE: Duration = Duration::from_millis(20);

/// The sub-blocks of the SAI: A sends and has the clock, B follows it and receives.
const SUB_BLOCKS: [usize; 2] = [0, 1];

type Ring = [u8; 2 * BLOCK * LINES];

/// A ring in AXI SRAM, where the DMA reaches it, without a data cache in between.
struct Room(UnsafeCell<Ring>);

// SAFETY: only `Parts::build` takes the rings, for the one highway there is.
unsafe impl Sync for Room {}

static DOWN: Room = Room(UnsafeCell::new([0; size_of::<Ring>()]));
static UP: Room = Room(UnsafeCell::new([0; size_of::<Ring>()]));

/// The PCM highway.
pub struct Pcm {
    parts: Parts,
    /// While it runs.
    highway: Option<Highway>,
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

/// A highway that runs, or is about to.
struct Highway {
    down: Sai<'static, of::SAI1, u8>,
    up: Sai<'static, of::SAI1, u8>,
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
    pub const fn start(self) -> Pcm {
        Pcm {
            parts: self,
            highway: None,
        }
    }

    /// Both halves, from their reset on. The one that follows receives already when the one that has the clock begins.
    ///
    /// # Safety
    /// The highway built before was dropped, and with it its DMA channels stopped.
    unsafe fn build(&self) -> Result<Highway, Error> {
        // SAFETY: nobody else has the peripherals and pins, which are this `Parts`', nor the rings: the highway before is gone.
        let (parts, down_ring, up_ring) = unsafe {
            let parts = Parts {
                sai: self.sai.clone_unchecked(),
                clock: self.clock.clone_unchecked(),
                frame: self.frame.clone_unchecked(),
                down: self.down.clone_unchecked(),
                up: self.up.clone_unchecked(),
                dma: (self.dma.0.clone_unchecked(), self.dma.1.clone_unchecked()),
            };
            (parts, &mut *DOWN.0.get(), &mut *UP.0.get())
        };
        let (a, b) = split_subblocks(parts.sai);
        let (down_dma, up_dma) = parts.dma;
        let mut down = config();
        down.mode = Mode::Master;
        down.tx_rx = TxRx::Transmitter;
        let mut up = config();
        up.tx_rx = TxRx::Receiver;
        up.sync_input = SyncInput::Internal;
        let mut up = Sai::new_synchronous(b, parts.up, up_dma, up_ring, Irqs, up);
        up.start()?;
        let down = Sai::new_asynchronous(
            a,
            parts.clock,
            parts.down,
            parts.frame,
            down_dma,
            down_ring,
            Irqs,
            down,
        );
        Ok(Highway { down, up })
    }
}

impl Highway {
    /// The first words: a ring full of silence. The one that sends had nothing before, and begins at slot 0 (RM0433 §51.4.14).
    async fn begin(&mut self) -> Result<(), Error> {
        let silence = [chain::CODEC.silence(); size_of::<Ring>()];
        self.down.write(&silence).await?;
        for sub_block in SUB_BLOCKS {
            pac::SAI1.ch(sub_block).clrfr().write(|w| w.set_covrudr(true));
        }
        Ok(())
    }

    /// A word was lost on its way since the start.
    fn has_slipped(&self) -> bool {
        SUB_BLOCKS
            .iter()
            .any(|sub_block| pac::SAI1.ch(*sub_block).sr().read().ovrudr())
    }

    /// Gives the block that came, when it is there, and sends one.
    async fn exchange(&mut self, down: &Block) -> Result<Block, Error> {
        let mut up = [[0; LINES]; BLOCK];
        self.up.read(up.as_flattened_mut()).await?;
        self.down.write(down.as_flattened()).await?;
        match self.has_slipped() {
            true => Err(Error::Overrun),
            false => Ok(up),
        }
    }
}

impl Pcm {
    /// Sends a block when it is time, and gives the block that came meanwhile. `None`: the clock has stopped, or a block was
    /// missed; the highway begins anew.
    pub async fn next(&mut self, down: &Block) -> Option<Block> {
        let both = async {
            let highway = match &mut self.highway {
                Some(highway) => highway,
                none => {
                    // SAFETY: there is none.
                    let highway = none.insert(unsafe { self.parts.build() }?);
                    highway.begin().await?;
                    highway
                }
            };
            highway.exchange(down).await
        };
        let block = with_timeout(PATIENCE, both).await.ok().and_then(Result::ok);
        if block.is_none() {
            self.highway = None;
            // Whatever it is, nobody is kept from the processor by it.
            Timer::after(PERIOD).await;
        }
        block
    }
}
