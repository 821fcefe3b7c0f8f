//! Messages of DHCP (RFC 2131 §2, RFC 2132), as a server reads and writes them.
//!
//! Own code: `edge-dhcp` 0.8 looks for the broadcast flag in the wrong bit, takes pad options for others, panics at lists of
//! addresses with odd lengths and writes those of two addresses wrong.

use core::net::Ipv4Addr;

/// Most bytes that are written: what every client takes is 576 with its headers (RFC 2131 §2).
pub const REPLY_MAX: usize = 548;
/// Shortest message that all take: BOOTP's (RFC 1542 §2.1).
const SHORTEST: usize = 300;
const OPTIONS: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// What a message is (RFC 2132 §9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A client looks for servers.
    Discover = 1,
    /// A server offers an address.
    Offer = 2,
    /// A client takes it, or wants to go on with the one it has.
    Request = 3,
    /// A client found somebody else at the address.
    Decline = 4,
    /// A server grants it.
    Ack = 5,
    /// A server refuses.
    Nak = 6,
    /// A client needs it no longer.
    Release = 7,
    /// A client wants to know the rest alone.
    Inform = 8,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        use Kind::*;
        [Discover, Offer, Request, Decline, Ack, Nak, Release, Inform]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// The options that are given to who asks for them.
pub const OPTIONAL: [u8; 8] = [2, 7, 42, 66, 120, 150, 159, 160];

/// The options of [`OPTIONAL`] that a client asks for, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted(u16);

impl Wanted {
    fn of(codes: &[u8]) -> Self {
        let bits = (0..).zip(OPTIONAL).filter(|(_, code)| codes.contains(code));
        Self(bits.map(|(bit, _)| 1 << bit).sum())
    }

    /// The codes.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..)
            .zip(OPTIONAL)
            .filter(move |(bit, _)| self.0 >> bit & 1 != 0)
            .map(|(_, code)| code)
    }
}

/// A client's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it is.
    pub kind: Kind,
    /// Its number.
    pub xid: [u8; 4],
    /// The flags as they came: the highest bit wants a broadcast (RFC 2131 §2).
    pub flags: [u8; 2],
    /// The address that the client has.
    pub own: Option<Ipv4Addr>,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// The address that it wants (option 50).
    pub wish: Option<Ipv4Addr>,
    /// The server that is meant (option 54).
    pub server: Option<Ipv4Addr>,
    /// What else it wants to know (option 55).
    pub wanted: Wanted,
}

impl Request {
    /// Reads one; `None` for what is none, comes by a relay, or is of no Ethernet.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let address = |at: usize| {
            let bytes: [u8; 4] = *message.get(at..)?.first_chunk()?;
            Some(Ipv4Addr::from(bytes)).filter(|address| !address.is_unspecified())
        };
        if message.get(..3)? != [1, 1, 6] || address(24).is_some() || message.get(236..OPTIONS)? != COOKIE {
            return None;
        }
        let mut request = Self {
            kind: Kind::Inform,
            xid: *message.get(4..)?.first_chunk()?,
            flags: *message.get(10..)?.first_chunk()?,
            own: address(12),
            mac: *message.get(28..)?.first_chunk()?,
            wish: None,
            server: None,
            wanted: Wanted::default(),
        };
        let mut kind = None;
        let mut options = message.get(OPTIONS..)?;
        loop {
            match *options {
                [] | [255, ..] => break,
                [0, ref rest @ ..] => options = rest,
                [code, length, ref rest @ ..] => {
                    let value = rest.get(..usize::from(length))?;
                    options = rest.get(usize::from(length)..)?;
                    let address = || value.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes));
                    match code {
                        50 => request.wish = address(),
                        53 => kind = Kind::of(*value.first()?),
                        54 => request.server = address(),
                        55 => request.wanted = Wanted::of(value),
                        _ => {}
                    }
                }
                _ => return None,
            }
        }
        // Nobody has a group's address, or none.
        if request.mac[0] & 1 != 0 || request.mac == [0; 6] {
            return None;
        }
        Some(Self {
            kind: kind?,
            ..request
        })
    }
}

/// Writes a message option by option.
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    at: usize,
}

impl<'b> Writer<'b> {
    /// A message for this client; `None` if the buffer is shorter than [`REPLY_MAX`].
    pub fn new(
        buffer: &'b mut [u8],
        reply: bool,
        xid: [u8; 4],
        flags: [u8; 2],
        mac: [u8; 6],
        kind: Kind,
    ) -> Option<Self> {
        let buffer = buffer.get_mut(..REPLY_MAX)?;
        buffer.fill(0);
        let mut writer = Self { buffer, at: OPTIONS };
        writer.put(0, &[if reply { 2 } else { 1 }, 1, 6]);
        writer.put(4, &xid);
        writer.put(10, &flags);
        writer.put(28, &mac);
        writer.put(236, &COOKIE);
        writer.option(53, &[kind as u8]);
        Some(writer)
    }

    /// The address that the client has.
    pub fn own(&mut self, address: Ipv4Addr) {
        self.put(12, &address.octets());
    }

    /// The address that it gets.
    pub fn granted(&mut self, address: Ipv4Addr) {
        self.put(16, &address.octets());
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(room) = self.buffer.get_mut(at..at + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// An option, if there is room for it and the end.
    pub fn option(&mut self, code: u8, value: &[u8]) {
        if let Ok(length) = u8::try_from(value.len())
            && self.at + 2 + value.len() < self.buffer.len()
        {
            self.put(self.at, &[code, length]);
            self.put(self.at + 2, value);
            self.at += 2 + value.len();
        }
    }

    /// The message is over: its length.
    pub fn finish(mut self) -> usize {
        self.put(self.at, &[255]);
        (self.at + 1).max(SHORTEST)
    }
}
