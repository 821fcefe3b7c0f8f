//! Packets that wait for their host to be found: one ring of bytes for all of them, oldest first.

use core::net::Ipv4Addr;

/// Before each packet: the host and the packet's length.
const HEAD: usize = 6;

/// Packets held for one host; more would let one dead host take the room of all.
pub const PER_HOST: usize = 4;

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

    /// Start and end of each packet with its host, oldest first.
    fn packets(&self) -> impl Iterator<Item = (Ipv4Addr, usize, usize)> + '_ {
        let mut at = 0;
        core::iter::from_fn(move || {
            let [a, b, c, d, high, low] = *self.bytes.get(at..self.used)?.first_chunk::<HEAD>()?;
            let start = at + HEAD;
            at = start + usize::from(u16::from_be_bytes([high, low]));
            Some((Ipv4Addr::new(a, b, c, d), start, at))
        })
    }

    /// Is something held for this host?
    pub fn holds(&self, host: Ipv4Addr) -> bool {
        self.packets().any(|(of, ..)| of == host)
    }

    /// Bytes of the largest packet that still fits.
    pub fn room(&self) -> usize {
        (BYTES - self.used).saturating_sub(HEAD)
    }

    /// Keeps a packet for `host`. `false`: no room, it is lost.
    pub fn push(&mut self, host: Ipv4Addr, packet: &[u8]) -> bool {
        let Ok(length) = u16::try_from(packet.len()) else {
            return false;
        };
        if self.packets().filter(|(of, ..)| *of == host).count() >= PER_HOST {
            return false;
        }
        let end = self.used + HEAD + packet.len();
        let Some(room) = self.bytes.get_mut(self.used..end) else {
            return false;
        };
        let (head, body) = room.split_at_mut(HEAD);
        let [a, b, c, d] = host.octets();
        let [high, low] = length.to_be_bytes();
        head.copy_from_slice(&[a, b, c, d, high, low]);
        body.copy_from_slice(packet);
        self.used = end;
        true
    }

    /// Gives the oldest packet whose host has an address to `send`, and lets go of it when `send` took it.
    /// `None`: there is no such packet.
    pub fn send<T>(
        &mut self,
        known: impl Fn(Ipv4Addr) -> Option<T>,
        send: impl FnOnce(T, &[u8]) -> bool,
    ) -> Option<bool> {
        let (to, start, end) = self
            .packets()
            .find_map(|(host, start, end)| known(host).map(|to| (to, start, end)))?;
        let sent = send(to, self.bytes.get(start..end)?);
        if sent {
            self.remove(start, end);
        }
        Some(sent)
    }

    /// Drops what is held for `host`; says how many packets.
    pub fn drop_host(&mut self, host: Ipv4Addr) -> u32 {
        let mut dropped = 0;
        loop {
            let Some((_, start, end)) = self.packets().find(|(of, ..)| *of == host) else {
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

    fn host(n: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, n)
    }

    #[test]
    fn packets_leave_oldest_first_when_their_host_is_known() {
        let mut hold = Hold::<64>::new();
        for (n, packet) in [(1, &b"one"[..]), (2, b"two"), (1, b"three")] {
            assert!(hold.push(host(n), packet));
        }
        let known = |of: Ipv4Addr| (of == host(1)).then_some(());
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
        assert_eq!(hold.drop_host(host(2)), 1);
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
        assert!(!hold.push(host(1), &[0; 95]));
        assert!(hold.push(host(1), &[0; 54]));
        assert!(!hold.push(host(2), &[0; 35]));
        assert!(hold.push(host(2), &[0; 34]));
        let mut hold = Hold::<100>::new();
        for n in 0..6 {
            assert_eq!(hold.push(host(1), b"x"), n < PER_HOST);
        }
        assert!(hold.push(host(2), b"x"));
    }
}
