//! The audio chains of all lines, in blocks of 5 ms. It runs in the executor `audio`, above everything but the devices: what it
//! takes and gives waits for nobody.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use gateway::budget::LINES;
use media::BLOCK;
use media::chain::{self, Chain, Command};
use static_cell::ConstStaticCell;

use super::report::{self, Heard, Trouble};
use super::{AudioEnds, Block, Packet};
use crate::{board, log, watchdog};

/// So many blocks in a row that are missing, or there again, say that the codec's clock stands, or runs again: 100 ms. One that
/// was missed is a click.
const SURE: u8 = 20;

/// What each chain is to do next. Nothing can be lost: the last command counts.
static COMMANDS: [Signal<CriticalSectionRawMutex, Command>; LINES] = [const { Signal::new() }; LINES];

/// Gives a command.
pub fn command(line: u8, command: Command) {
    if let Some(place) = COMMANDS.get(usize::from(line)) {
        place.signal(command);
    }
}

/// The chains; once.
pub fn chains() -> &'static mut [Chain; LINES] {
    static CHAINS: ConstStaticCell<[Chain; LINES]> = ConstStaticCell::new([const { Chain::new() }; LINES]);
    CHAINS.take()
}

/// Runs the chains at the codec's pace.
#[embassy_executor::task]
pub async fn run(mut pcm: board::Pcm, chains: &'static mut [Chain; LINES], queues: AudioEnds) -> ! {
    let (mut to_rtp, mut from_rtp) = queues;
    let mut down: Block = [[chain::CODEC.silence(); LINES]; BLOCK];
    let (mut is_well, mut otherwise, mut longest) = (true, 0, 0);
    // For a packet that nobody can take any more.
    let mut lost = Packet::EMPTY;
    loop {
        let up = pcm.next(&down).await;
        watchdog::check_in(watchdog::Part::Audio);
        let began = board::work_time();
        otherwise = match up.is_some() == is_well {
            true => 0,
            false => SURE.min(otherwise + 1),
        };
        if otherwise == SURE && report::try_tell(Heard::Codec(Trouble::Clock, is_well)) {
            (is_well, otherwise) = (!is_well, 0);
            log!(
                "audio: the codec's clock {}",
                if is_well { "runs" } else { "stands" }
            );
        }
        for (chain, command) in chains.iter_mut().zip(&COMMANDS) {
            if let Some(command) = command.try_take() {
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
            let from = up.as_ref().map(|up| {
                let of_line = |frame: [u8; LINES]| frame.get(usize::from(line)).copied();
                up.map(|frame| of_line(frame).unwrap_or(chain::CODEC.silence()))
            });
            let mut to = [0; BLOCK];
            let slot = to_rtp.try_send();
            let is_room = slot.is_some();
            let packet = slot.unwrap_or(&mut lost);
            if let Some(length) = chain.block(from.as_ref(), &mut to, &mut packet.bytes) {
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
            // What finds no room waits in the chain.
            while report::is_room()
                && let Some(event) = chain.event()
            {
                report::try_tell(Heard::Chain(line, event));
            }
        }
        let took = board::work_time().wrapping_sub(began);
        if took > longest && report::try_tell(Heard::Longest(took)) {
            longest = took;
        }
    }
}
