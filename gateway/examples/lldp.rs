//! How fast LLDPDUs are heard: `cargo run --release -p gateway --example lldp` prints the figure.
//!
//! The message is one of lldpd as a telephone, with inventory, policy and power by both ways; heard is read, compared with what is
//! known of the neighbour, and kept. The figure is what the host's processor does, in 10^6 bits of message a second.

use std::time::{Duration, Instant};

use gateway::lldp::Lldp;

const PHONE: &str = include_str!("../src/lldp/tests/phone.hex");

fn main() {
    let digits: Vec<u8> = PHONE
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| d as u8)
        .collect();
    let message: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let mut lldp = Lldp::new();
    let start = Instant::now();
    let mut count = 0_u64;
    while start.elapsed() < Duration::from_secs(2) {
        for _ in 0..1_000 {
            let heard = lldp.heard(
                sip::Instant(count),
                (count % 4) as u8,
                std::hint::black_box(&message),
            );
            assert_eq!(heard.wanted, Some(55));
            count += 1;
        }
    }
    let bits = count as f64 * message.len() as f64 * 8.0;
    let rate = bits / start.elapsed().as_secs_f64() / 1e6;
    println!("figure hub.lldp.decode_mbps {rate:.0} Mbit/s");
}
