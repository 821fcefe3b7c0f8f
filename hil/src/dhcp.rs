//! A DHCP server (RFC 2131) for one client, with leases as short as a test wants; dnsmasq gives none below 120 s.

use crate::world::Namespace;
use anyhow::Result;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What is leased.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// The client's address.
    pub address: Ipv4Addr,
    /// The server's own, also router and name server.
    pub router: Ipv4Addr,
    /// Seconds.
    pub seconds: u32,
}

/// A running server. Dropping it silences it.
pub struct Server {
    acknowledged: Arc<AtomicU32>,
    gone: Arc<AtomicBool>,
}

impl Server {
    /// Starts it in `namespace`, whose interface `device` leads to the client.
    pub fn start(namespace: &Namespace, device: &str, lease: Lease) -> Result<Server> {
        namespace.ip(&["route", "replace", "255.255.255.255", "dev", device])?;
        let socket = namespace.within(|| {
            let socket = UdpSocket::bind("0.0.0.0:67")?;
            socket.set_broadcast(true)?;
            Ok(socket)
        })?;
        let (acknowledged, gone) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let server = Server {
            acknowledged: Arc::clone(&acknowledged),
            gone: Arc::clone(&gone),
        };
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, _)) = socket.recv_from(&mut buffer) {
                if gone.load(Ordering::Relaxed) {
                    return;
                }
                let Some((reply, granted)) = answer(&buffer[..length], lease) else {
                    continue;
                };
                // Broadcast: the client has no address yet, or does not mind.
                if socket.send_to(&reply, "255.255.255.255:68").is_ok() && granted {
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(server)
    }

    /// How often a lease was granted or renewed.
    pub fn acknowledged(&self) -> u32 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

/// The reply to a request, and whether it grants the lease.
fn answer(request: &[u8], lease: Lease) -> Option<(Vec<u8>, bool)> {
    const COOKIE: [u8; 4] = [99, 130, 83, 99];
    if *request.first()? != 1 || request.get(236..240)? != COOKIE {
        return None;
    }
    let mut options = request.get(240..)?;
    let kind = loop {
        match *options {
            [53, 1, kind, ..] => break kind,
            [0, ref rest @ ..] => options = rest,
            [_, length, ref rest @ ..] => options = rest.get(usize::from(length)..)?,
            _ => return None,
        }
    };
    let reply = match kind {
        1 => 2, // DISCOVER: OFFER
        3 => 5, // REQUEST: ACK
        _ => return None,
    };
    let mut bytes = request.get(..240)?.to_vec();
    bytes[0] = 2;
    bytes[16..20].copy_from_slice(&lease.address.octets());
    bytes[44..236].fill(0);
    let half = lease.seconds / 2;
    let words: [(u8, [u8; 4]); 6] = [
        (54, lease.router.octets()),
        (51, lease.seconds.to_be_bytes()),
        (58, half.to_be_bytes()),
        (1, [255, 255, 255, 0]),
        (3, lease.router.octets()),
        (6, lease.router.octets()),
    ];
    bytes.extend([53, 1, reply]);
    for (code, word) in words {
        bytes.extend([code, 4]);
        bytes.extend(word);
    }
    bytes.push(255);
    bytes.resize(bytes.len().max(300), 0);
    Some((bytes, reply == 5))
}
