//! The announcement players: each has its UDP port and sends what `media` makes, on time.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use gateway::MediaOutput;
use gateway::budget::{PLAYERS, RTP_PORT};
use media::g711::Law;
use media::player::{FRAME, PACKET_LEN, Player, Start, Step};
use media::prompt::Prompt;
use media::tone::Tone;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

use crate::driver::{Event, Events};

#[derive(Clone, Copy)]
enum Order {
    Play {
        to: SocketAddr,
        law: Law,
        prompt: Prompt,
        times: u8,
    },
    Hold {
        to: SocketAddr,
        law: Law,
    },
    Stop,
}

/// All players.
pub struct Players(Vec<watch::Sender<Order>>);

impl Players {
    /// Binds their ports.
    pub async fn start(address: Ipv4Addr, events: &Events) -> Result<Self> {
        let mut orders = Vec::new();
        for player in 0..PLAYERS as u8 {
            let port = RTP_PORT + 2 * u16::from(player);
            let socket = UdpSocket::bind((address, port)).await;
            let socket = socket.with_context(|| format!("RTP {address}:{port}"))?;
            let (order, ordered) = watch::channel(Order::Stop);
            tokio::spawn(run(player, socket, ordered, events.clone()));
            orders.push(order);
        }
        Ok(Self(orders))
    }

    /// Passes the brain's word on; the last one counts.
    pub fn act(&self, output: MediaOutput) {
        let (player, order) = match output {
            MediaOutput::Play {
                player,
                to,
                law,
                prompt,
                times,
            } => {
                let order = Order::Play {
                    to,
                    law,
                    prompt,
                    times,
                };
                (player, order)
            }
            MediaOutput::Hold { player, to, law } => (player, Order::Hold { to, law }),
            MediaOutput::Stop { player } => (player, Order::Stop),
        };
        if let Some(orders) = self.0.get(usize::from(player)) {
            orders.send_replace(order);
        }
    }
}

async fn run(index: u8, socket: UdpSocket, mut orders: watch::Receiver<Order>, events: Events) {
    let began = Instant::now();
    let now = || began.elapsed().as_millis() as u64;
    let mut stream = Start {
        ssrc: rand::random(),
        sequence: rand::random(),
        timestamp: rand::random(),
    };
    while orders.changed().await.is_ok() {
        let order = *orders.borrow_and_update();
        let (mut player, to) = match order {
            Order::Play {
                to,
                law,
                prompt,
                times,
            } => (Player::prompt(prompt, times, law, stream, now()), to),
            Order::Hold { to, law } => (Player::tone(Tone::Hold, None, law, stream, now()), to),
            Order::Stop => continue,
        };
        let mut packet = [0; PACKET_LEN];
        loop {
            match player.next(now(), &mut packet) {
                Ok(Step::Packet(len)) => {
                    // One that cannot leave now is worth nothing any more.
                    let _ = socket.try_send_to(packet.get(..len).unwrap_or_default(), to);
                }
                Ok(Step::Wait(at)) => {
                    let due = began + Duration::from_millis(at);
                    tokio::select! {
                        () = tokio::time::sleep_until(due) => {}
                        changed = orders.changed() => {
                            if changed.is_ok() {
                                orders.mark_changed();
                            }
                            break;
                        }
                    }
                }
                Ok(Step::End) | Err(_) => {
                    if events.send(Event::Played(index)).await.is_err() {
                        return;
                    }
                    break;
                }
            }
        }
        // Another stream: the listener must not take it for a gap of the last one.
        stream = player.stream();
        stream.ssrc = stream.ssrc.wrapping_add(1);
        stream.timestamp = stream.timestamp.wrapping_add(FRAME as u32);
    }
}
