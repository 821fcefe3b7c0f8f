//! The phone's clock: SNTP (RFC 4330), asked of option 42's server or of the configured one.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::Millis;
use crate::assumed::NTP;

/// UDP port at both ends.
pub const PORT: u16 = 123;

/// The clock.
#[derive(Default)]
pub struct Clock {
    /// When the next question is due.
    pub next: Millis,
    /// When it was last told the time, and the time: seconds since 1900.
    pub told: Option<(Millis, u32)>,
}

impl Clock {
    /// A question for this server, now.
    pub fn ask(&mut self, now: Millis, server: Ipv4Addr) -> (SocketAddrV4, Vec<u8>) {
        self.next = now + NTP.0;
        // Version 4, client; its own time in the last field comes back.
        let mut bytes = vec![0; 40];
        if let Some(first) = bytes.first_mut() {
            *first = 0x23;
        }
        bytes.extend(now.to_be_bytes());
        (SocketAddrV4::new(server, PORT), bytes)
    }

    /// RFC 4330 §5: the answer of a server whose clock is right.
    pub fn receive(&mut self, now: Millis, bytes: &[u8]) {
        let (Some([first, stratum]), Some(seconds)) = (bytes.first_chunk(), bytes.get(40..44)) else {
            return;
        };
        let good = bytes.len() >= 48 && first & 7 == 4 && first >> 6 != 3 && (1..=15).contains(stratum);
        if let (true, Ok(seconds)) = (good, seconds.try_into()) {
            self.told = Some((now, u32::from_be_bytes(seconds)));
            self.next = now + NTP.1;
        }
    }
}
