//! What the brain is told of the lines: it lives in another executor, and takes it in its turn.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::Instant;
use gateway::budget::LINES;
use gateway::{Input, LineEvent, Sense};
use media::chain;
use shared::analog::LineFault;

use crate::brain::{self, Brain};
use crate::{board, log};

/// Something of the lines.
pub enum Heard {
    /// The circuit of a line, and when it was so.
    Circuit(u8, Instant, Sense),
    /// The chain of a line.
    Chain(u8, chain::Event),
    /// Something is wrong with the codec, or is well again.
    Codec(Trouble, bool),
    /// The longest block of audio so far, in units of [`board::work_time`].
    Longest(u32),
}

/// What can be wrong with the codec.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It does not answer, or forgets what it is told.
    Settings,
    /// Its clock stands.
    Clock,
}

static HEARD: Channel<CriticalSectionRawMutex, Heard, 16> = Channel::new();

/// Tells it, and waits for room.
pub async fn tell(heard: Heard) {
    HEARD.send(heard).await;
}

/// Tells it, for who cannot wait. False: there is no room.
pub fn try_tell(heard: Heard) -> bool {
    HEARD.try_send(heard).is_ok()
}

/// Is there room for one more?
pub fn is_room() -> bool {
    !HEARD.is_full()
}

/// Tells the brain.
#[embassy_executor::task]
pub async fn run(brain: &'static Brain) -> ! {
    let mut troubles = [(Trouble::Settings, false), (Trouble::Clock, false)];
    loop {
        match HEARD.receive().await {
            Heard::Circuit(line, at, sense) => circuit(brain, line, at, sense).await,
            Heard::Chain(line, event) => {
                let event = LineEvent::Audio(event);
                brain.turn().await.tell(Input::Line { line, event });
            }
            Heard::Codec(trouble, is_there) => {
                let any = |troubles: &[(Trouble, bool)]| troubles.iter().any(|(_, is_there)| *is_there);
                let was = any(&troubles);
                for (_, there) in troubles.iter_mut().filter(|(of, _)| *of == trouble) {
                    *there = is_there;
                }
                let is_there = any(&troubles);
                if is_there != was {
                    let fault = LineFault::Codec;
                    for line in 0..LINES as u8 {
                        circuit(brain, line, Instant::now(), Sense::Fault { fault, is_there }).await;
                    }
                }
            }
            Heard::Longest(took) => log!("audio: longest block {took} {}", board::WORK_UNIT),
        }
    }
}

async fn circuit(brain: &Brain, line: u8, at: Instant, sense: Sense) {
    let event = LineEvent::Circuit {
        at: brain::moment(at),
        sense,
    };
    brain.turn().await.tell(Input::Line { line, event });
}
