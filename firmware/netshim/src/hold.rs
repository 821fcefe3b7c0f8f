//! Packets that wait, most of them for their host to be found: one ring of bytes for all of them, oldest first.

use crate::Net;
use core::net::Ipv4Addr;

/// Before each packet: whom it waits for, and the packet's length.
const HEAD: usize = 7;

/// Packets held for one host; more would let one dead host take the room of all.
pub const PER_HOST: usize = 4;

/// Whom a packet waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// A host that is being asked for.
    Host(Net, Ipv4Addr),
    /// Our own stack: from us to us.
    Own(Net),
    /// The task that hears what LLDP says at this port.
    Heard(u8),
    /// Room to send what LLDP says at this port.
    Said(u8),
}

impl For {
    fn bytes(self) -> [u8; 5] {
        let (kind, [a, b, c, d]) = match self {
            For::Host(net, ip) => (net as u8, ip.octets()),
            For::Own(net) => (2 + net as u8, [0; 4]),
            For::Heard(port) => (4, [port, 0, 0, 0]),
            For::Said(port) => (5, [port, 0, 0, 0]),
        };
        [kind, a, b, c, d]
    }

    fn of([kind, a, b, c, d]: [u8; 5]) -> Option<For> {
        Some(match kind {
            0 => For::Host(Net::Office, Ipv4Addr::new(a, b, c, d)),
            1 => For::Host(Net::Voice, Ipv4Addr::new(a, b, c, d)),
            2 => For::Own(Net::Office),
            3 => For::Own(Net::Voice),
            4 => For::Heard(a),
            5 => For::Said(a),
            _ => return None,
        })
    }
}

/// `BYTES` of room for packets and their heads.
pub struct Hold<const BYTES: usize> {
    bytes: [u8; BYTES],
    used: usize,
}

impl<const BYTES: usize> Default for Hold<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> Hold<BYTES> {
    /// Empty.
    pub const fn new() -> Self {
        Hold {
            bytes: [0; BYTES],
            used: 0,
        }
    }

    /// Is nothing held?
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Start and end of each packet with whom it waits for, oldest first.
    fn packets(&self) -> impl Iterator<Item = (For, usize, usize)> + '_ {
        let mut at = 0;
        core::iter::from_fn(move || {
            let [kind, a, b, c, d, high, low] = *self.bytes.get(at..self.used)?.first_chunk::<HEAD>()?;
            let start = at + HEAD;
            at = start + usize::from(u16::from_be_bytes([high, low]));
            Some((For::of([kind, a, b, c, d])?, start, at))
        })
    }

    /// Is a packet held that waits for one of these?
    pub fn holds(&self, these: impl Fn(For) -> bool) -> bool {
        self.packets().any(|(of, ..)| these(of))
    }

    /// Bytes of the largest packet that still fits.
    pub fn room(&self) -> usize {
        (BYTES - self.used).saturating_sub(HEAD)
    }

    /// Keeps a packet. `false`: no room, it is lost.
    pub fn push(&mut self, whom: For, packet: &[u8]) -> bool {
        let Ok(length) = u16::try_from(packet.len()) else {
            return false;
        };
        if self.packets().filter(|(of, ..)| *of == whom).count() >= PER_HOST {
            return false;
        }
        let end = self.used + HEAD + packet.len();
        let Some(room) = self.bytes.get_mut(self.used..end) else {
            return false;
        };
        let (head, body) = room.split_at_mut(HEAD);
        let [kind, a, b, c, d] = whom.bytes();
        let [high, low] = length.to_be_bytes();
        head.copy_from_slice(&[kind, a, b, c, d, high, low]);
        body.copy_from_slice(packet);
        self.used = end;
        true
    }

    /// Gives the oldest packet that need not wait any more to `send`, and lets go of it when `send` took it.
    /// `None`: there is no such packet.
    pub fn send<T>(
        &mut self,
        known: impl Fn(For) -> Option<T>,
        send: impl FnOnce(T, &[u8]) -> bool,
    ) -> Option<bool> {
        let (to, start, end) = self
            .packets()
            .find_map(|(of, start, end)| known(of).map(|to| (to, start, end)))?;
        let sent = send(to, self.bytes.get(start..end)?);
        if sent {
            self.remove(start, end);
        }
        Some(sent)
    }

    /// Drops what waits for this; says how many packets.
    pub fn drop_all(&mut self, whom: For) -> u32 {
        let mut dropped = 0;
        loop {
            let Some((_, start, end)) = self.packets().find(|(of, ..)| *of == whom) else {
                return dropped;
            };
            self.remove(start, end);
            dropped += 1;
        }
    }

    fn remove(&mut self, start: usize, end: usize) {
        let from = start - HEAD;
        self.bytes.copy_within(end..self.used, from);
        self.used -= end - from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u8) -> For {
        For::Host(Net::Voice, Ipv4Addr::new(10, 0, 0, n))
    }

    #[test]
    fn whom_a_packet_waits_for_is_written_and_read_alike() {
        let mut kinds = std::vec![For::Heard(3), For::Said(3)];
        for net in [Net::Office, Net::Voice] {
            kinds.extend([For::Own(net), For::Host(net, Ipv4Addr::new(1, 2, 3, 4))]);
        }
        for kind in kinds {
            assert_eq!(For::of(kind.bytes()), Some(kind));
        }
        assert_eq!(For::of([6, 0, 0, 0, 0]), None);
    }

    #[test]
    fn packets_leave_oldest_first_when_their_host_is_known() {
        let mut hold = Hold::<64>::new();
        for (n, packet) in [(1, &b"one"[..]), (2, b"two"), (1, b"three")] {
            assert!(hold.push(host(n), packet));
        }
        let known = |of: For| (of == host(1)).then_some(());
        let mut next = |expected: Option<&[u8]>| {
            let got = hold.send(known, |(), packet| {
                assert_eq!(Some(packet), expected);
                true
            });
            assert_eq!(got, expected.map(|_| true));
        };
        next(Some(b"one"));
        next(Some(b"three"));
        next(None);
        assert_eq!(hold.drop_all(host(2)), 1);
        assert!(hold.is_empty());
    }

    #[test]
    fn a_packet_that_cannot_leave_stays() {
        let mut hold = Hold::<64>::new();
        hold.push(host(1), b"one");
        assert_eq!(hold.send(|_| Some(()), |(), _| false), Some(false));
        assert_eq!(hold.send(|_| Some(()), |(), packet| packet == b"one"), Some(true));
    }

    #[test]
    fn room_is_bounded_in_bytes_and_for_each_host() {
        let mut hold = Hold::<100>::new();
        assert!(!hold.push(host(1), &[0; 94]));
        assert!(hold.push(host(1), &[0; 53]));
        assert!(!hold.push(host(2), &[0; 34]));
        assert!(hold.push(host(2), &[0; 33]));
        let mut hold = Hold::<100>::new();
        for n in 0..6 {
            assert_eq!(hold.push(host(1), b"x"), n < PER_HOST);
        }
        assert!(hold.push(host(2), b"x"));
    }
}
