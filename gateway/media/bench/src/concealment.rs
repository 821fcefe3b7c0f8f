//! Packet loss concealment beside spandsp's, on the same speech with the same losses.

use crate::hybrid::speech;
use crate::peer::Peer;
use crate::signal::Dice;
use anyhow::Result;
use media::BLOCK;
use media::g711::{ulaw_decode, ulaw_encode};
use media::plc::{Concealer, Signal};

const PACKET: usize = 160;
/// Share of the packets that is lost.
const LOSS: f64 = 0.05;
const SEEDS: u64 = 20;

/// Signal to noise of all that was played, in dB.
fn snr(wanted: &[i16], played: &[i16]) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for (wanted, played) in wanted.iter().zip(played) {
        signal += f64::from(*wanted).powi(2);
        noise += (f64::from(*wanted) - f64::from(*played)).powi(2);
    }
    10.0 * (signal / noise).log10()
}

fn ours(packets: &[(bool, &[i16])]) -> Vec<i16> {
    let mut concealer = Concealer::new();
    let mut played = Vec::new();
    for (came, packet) in packets {
        for block in packet.chunks_exact(BLOCK) {
            let mut out = [0; BLOCK];
            if *came {
                out.copy_from_slice(block);
                concealer.received(&mut out);
            } else {
                concealer.lost(Signal::Speech, &mut out);
            }
            played.extend(out);
        }
    }
    played
}

/// Prints the figures.
pub fn print() -> Result<()> {
    let speech: Vec<i16> = speech(-15.0)
        .into_iter()
        .map(|s| ulaw_decode(ulaw_encode(s)))
        .collect();
    let mut peer = Peer::start("plc")?;
    let (mut our_sum, mut their_sum) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let mut dice = Dice::new(seed);
        let packets: Vec<_> = speech
            .chunks_exact(PACKET)
            .map(|packet| (dice.between(0.0, 1.0) >= LOSS, packet))
            .collect();
        let question: Vec<i16> = packets
            .iter()
            .flat_map(|(came, packet)| std::iter::once(i16::from(*came)).chain(packet.iter().copied()))
            .collect();
        let theirs: Vec<i16> = peer
            .ask(&question)?
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        our_sum += snr(&speech, &ours(&packets));
        their_sum += snr(&speech, &theirs);
    }
    let (ours, theirs) = (our_sum / SEEDS as f64, their_sum / SEEDS as f64);
    println!(
        "concealment: {} s of spoken announcements, µ-law, -15 dBm0, {} % of the packets of 20 ms lost, {SEEDS} seeds",
        speech.len() / 8_000,
        LOSS * 100.0
    );
    println!("figure media.plc.snr_db {ours:.2} dB");
    println!("figure media.plc.spandsp.snr_db {theirs:.2} dB");
    println!("figure media.plc.snr_gain_db {:.2} dB", ours - theirs);
    Ok(())
}
