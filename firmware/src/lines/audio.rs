//! The audio chains of all lines, in blocks of 5 ms. It runs in the executor `audio`, above everything but the devices: what it
//! takes and gives waits for nobody.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use gateway::budget::LINES;
use gateway::{Input, LineEvent};
use media::BLOCK;
use media::chain::{self, Chain, Command};
use static_cell::ConstStaticCell;

use super::{Block, Packet, Receives, Sends, circuit};
use crate::brain::Brain;
use crate::{board, log, watchdog};

/// What the chains tell the rest.
enum Heard {
    Event(u8, chain::Event),
    /// The codec's clock has stopped, or runs again.
    Codec(bool),
    /// The longest block so far, in units of [`board::work_time`].
    Longest(u32),
}

static ORDERS: Channel<CriticalSectionRawMutex, (u8, Command), 16> = Channel::new();
static HEARD: Channel<CriticalSectionRawMutex, Heard, 16> = Channel::new();

/// Gives an order. False: it could not be taken.
pub fn order(line: u8, command: Command) -> bool {
    ORDERS.try_send((line, command)).is_ok()
}

/// The chains; once.
pub fn chains() -> &'static mut [Chain; LINES] {
    static CHAINS: ConstStaticCell<[Chain; LINES]> = ConstStaticCell::new([const { Chain::new() }; LINES]);
    CHAINS.take()
}

/// Runs the chains at the codec's pace.
#[embassy_executor::task]
pub async fn run(
    mut pcm: board::Pcm,
    chains: &'static mut [Chain; LINES],
    mut to_rtp: Sends,
    mut from_rtp: Receives,
) -> ! {
    let mut down: Block = [[chain::CODEC.silence(); LINES]; BLOCK];
    let (mut is_well, mut longest) = (true, 0);
    // For a packet that nobody can take any more.
    let mut lost = Packet::EMPTY;
    loop {
        let up = pcm.next(&down).await;
        watchdog::check_in(watchdog::Part::Audio);
        let began = board::work_time();
        if up.is_some() != is_well && HEARD.try_send(Heard::Codec(up.is_none())).is_ok() {
            is_well = up.is_some();
        }
        while let Ok((line, command)) = ORDERS.try_receive() {
            if let Some(chain) = chains.get_mut(usize::from(line)) {
                chain.command(command);
            }
        }
        while let Some(packet) = from_rtp.try_receive() {
            if let Some(chain) = chains.get_mut(usize::from(packet.line)) {
                chain.receive(packet.bytes());
            }
            from_rtp.receive_done();
        }
        for (line, chain) in (0..).zip(chains.iter_mut()) {
            let (mut from, mut to) = ([chain::CODEC.silence(); BLOCK], [0; BLOCK]);
            if let Some(up) = &up {
                for (octet, frame) in from.iter_mut().zip(up) {
                    *octet = frame.get(usize::from(line)).copied().unwrap_or(*octet);
                }
            }
            let slot = to_rtp.try_send();
            let is_room = slot.is_some();
            let packet = slot.unwrap_or(&mut lost);
            if let Some(length) = chain.block(&from, &mut to, &mut packet.bytes) {
                (packet.line, packet.length) = (line, length as u16);
                if is_room {
                    to_rtp.send_done();
                }
            }
            for (octet, frame) in to.iter().zip(&mut down) {
                if let Some(place) = frame.get_mut(usize::from(line)) {
                    *place = *octet;
                }
            }
            while let Some(event) = chain.event() {
                // The brain misses a digit rather than the line its block.
                let _ = HEARD.try_send(Heard::Event(line, event));
            }
        }
        let took = board::work_time().wrapping_sub(began);
        if took > longest && HEARD.try_send(Heard::Longest(took)).is_ok() {
            longest = took;
        }
    }
}

/// Tells the brain what the chains hear.
#[embassy_executor::task]
pub async fn report(brain: &'static Brain) -> ! {
    loop {
        match HEARD.receive().await {
            Heard::Event(line, event) => {
                let event = LineEvent::Audio(event);
                brain.turn().await.tell(Input::Line { line, event });
            }
            Heard::Codec(is_stopped) => {
                log!(
                    "audio: the codec's clock {}",
                    if is_stopped { "stands" } else { "runs" }
                );
                circuit::fault(brain, is_stopped).await;
            }
            Heard::Longest(took) => log!("audio: longest block {took} {}", board::WORK_UNIT),
        }
    }
}
