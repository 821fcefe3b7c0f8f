//! What the four machines have in common: the timers' values and the form of a step.

use core::time::Duration;

/// The base timers of RFC 3261 §17.1.1.1, Table 4. [`Default`] gives the RFC's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate, 500 ms.
    pub t1: Duration,
    /// Largest retransmission interval of non-INVITE requests and INVITE responses, 4 s.
    pub t2: Duration,
    /// How long a message may linger in the network, 5 s.
    pub t4: Duration,
    /// An INVITE left unanswered by its owner so long gets a 100 (§17.2.1), 200 ms.
    pub trying: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { t1: ms(500), t2: ms(4_000), t4: ms(5_000), trying: ms(200) }
    }
}
