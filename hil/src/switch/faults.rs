//! What may happen to a frame at a port: loss, doubling, delay, overtaking, a bit that turns.

use super::{Direction, State};
use std::time::Duration;

/// What a port does to the frames of one direction. Probabilities are 0.0 to 1.0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// The frame vanishes.
    pub loss: f32,
    /// The frame goes twice.
    pub duplicate: f32,
    /// One bit behind the Ethernet header is turned.
    pub corrupt: f32,
    /// The frame is held back for [`REORDER`], so that later ones overtake it.
    pub reorder: f32,
    /// Every frame takes this long.
    pub delay: Duration,
    /// And up to this much longer, evenly spread.
    pub jitter: Duration,
}

/// How long a reordered frame is held back.
pub const REORDER: Duration = Duration::from_millis(15);

/// What becomes of a frame that is not lost.
pub(super) struct Fate {
    pub delays: [Option<Duration>; 2],
    pub corrupt: Option<u64>,
}

impl State {
    /// Decides what the cut or the faults of a port do to one frame: lost, or its delays (two if it is doubled) and a bit to turn.
    pub(super) fn fate(&mut self, port: usize, direction: Direction) -> Result<Fate, &'static str> {
        let port = &self.ports[port];
        if port.cut {
            return Err("cut");
        }
        let faults = port.faults[direction as usize];
        if faults == Faults::default() {
            return Ok(Fate {
                delays: [Some(Duration::ZERO), None],
                corrupt: None,
            });
        }
        if self.chance(faults.loss) {
            return Err("lost");
        }
        let delay = self.delay(faults);
        let twice = self.chance(faults.duplicate).then(|| self.delay(faults));
        let corrupt = self.chance(faults.corrupt).then(|| self.random());
        Ok(Fate {
            delays: [Some(delay), twice],
            corrupt,
        })
    }

    fn delay(&mut self, faults: Faults) -> Duration {
        let held = if self.chance(faults.reorder) {
            REORDER
        } else {
            Duration::ZERO
        };
        faults.delay
            + held
            + faults
                .jitter
                .mul_f32((self.random() >> 40) as f32 / (1 << 24) as f32)
    }

    fn chance(&mut self, probability: f32) -> bool {
        probability > 0.0 && ((self.random() >> 40) as f32 / (1 << 24) as f32) < probability
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
