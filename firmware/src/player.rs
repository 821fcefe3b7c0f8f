//! The announcement players: each owns a UDP port and sends what `media` makes, on time.

use core::net::SocketAddr;
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use gateway::{Input, budget};
use media::g711::Law;
use media::player::{FRAME, PACKET_LEN, Player, Start, Step};
use media::prompt::Prompt;
use media::tone::Tone;
use static_cell::ConstStaticCell;

use crate::brain::Brain;
use crate::net::endpoint;

/// What a player is told; the last word counts.
#[derive(Clone, Copy)]
pub enum Command {
    /// Play.
    Play {
        /// To where.
        to: SocketAddr,
        /// How to encode.
        law: Law,
        /// What.
        prompt: Prompt,
        /// How often.
        times: u8,
    },
    /// Play the tone of a parked call until another word comes.
    Hold {
        /// To where.
        to: SocketAddr,
        /// How to encode.
        law: Law,
    },
    /// Stop.
    Stop,
}

/// For each player.
pub static COMMANDS: [Signal<CriticalSectionRawMutex, Command>; budget::PLAYERS] =
    [const { Signal::new() }; budget::PLAYERS];

/// Two packets wait at most; they leave within a millisecond or the network is gone.
const WAITING: usize = 2;

/// Memory of one player's socket.
pub struct Memory {
    rx_meta: [PacketMetadata; 1],
    rx: [u8; 1],
    tx_meta: [PacketMetadata; WAITING],
    tx: [u8; WAITING * PACKET_LEN],
}

impl Memory {
    const NEW: Memory = Memory {
        rx_meta: [PacketMetadata::EMPTY; 1],
        // Nothing is listened to: what comes is too long for it and is dropped by the stack.
        rx: [0; 1],
        tx_meta: [PacketMetadata::EMPTY; WAITING],
        tx: [0; WAITING * PACKET_LEN],
    };
}

/// Memory of all players; once.
pub fn memory() -> impl Iterator<Item = &'static mut Memory> {
    static MEMORY: ConstStaticCell<[Memory; budget::PLAYERS]> =
        ConstStaticCell::new([const { Memory::NEW }; budget::PLAYERS]);
    MEMORY.take().iter_mut()
}

/// Player `index`; `start` is where its first stream starts.
#[embassy_executor::task(pool_size = budget::PLAYERS)]
pub async fn run(
    stack: Stack<'static>,
    brain: &'static Brain,
    index: u8,
    memory: &'static mut Memory,
    start: Start,
) -> ! {
    let Memory {
        rx_meta,
        rx,
        tx_meta,
        tx,
    } = memory;
    let mut socket = UdpSocket::new(stack, rx_meta, rx, tx_meta, tx);
    let port = budget::RTP_PORT + 2 * u16::from(index);
    if let Err(error) = socket.bind(port) {
        panic!("port {port}: {error:?}");
    }
    let Some(commands) = COMMANDS.get(usize::from(index)) else {
        panic!("player {index}")
    };
    let mut stream = start;
    let mut next = commands.wait().await;
    loop {
        let now = Instant::now().as_millis();
        let (mut player, to) = match next {
            Command::Play {
                to,
                law,
                prompt,
                times,
            } => (Player::prompt(prompt, times, law, stream, now), to),
            Command::Hold { to, law } => (Player::tone(Tone::Hold, None, law, stream, now), to),
            Command::Stop => {
                next = commands.wait().await;
                continue;
            }
        };
        let mut packet = [0; PACKET_LEN];
        next = loop {
            let due = match player.next(Instant::now().as_millis(), &mut packet) {
                Ok(Step::Packet(length)) => {
                    let bytes = packet.get(..length).unwrap_or_default();
                    // A packet that cannot leave within its own 20 ms is worth nothing any more.
                    if let Some(to) = endpoint(to) {
                        let _ = with_timeout(Duration::from_millis(20), socket.send_to(bytes, to)).await;
                    }
                    continue;
                }
                Ok(Step::Wait(at)) => Instant::from_millis(at),
                Ok(Step::End) | Err(_) => {
                    brain.turn().await.tell(Input::Played { player: index });
                    break Command::Stop;
                }
            };
            if let Either::Second(command) = select(Timer::at(due), commands.wait()).await {
                break command;
            }
        };
        // Another stream: the listener must not take it for a gap of the last one.
        stream = player.stream();
        stream.ssrc = stream.ssrc.wrapping_add(1);
        stream.timestamp = stream.timestamp.wrapping_add(FRAME as u32);
    }
}
