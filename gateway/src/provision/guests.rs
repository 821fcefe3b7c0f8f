//! Who has the connections for files, of which there are few: each station one, and nobody for long.

use core::time::Duration;

use sip::Instant;

use super::files::Client;
use crate::budget::HTTP_CONNECTIONS;

/// A phone asks as soon as it is connected; what is lost of it comes again within this (RFC 6298 §2.1).
const SILENCE: Duration = Duration::from_secs(3);
/// Longest time for a file. The largest firmware, 10,481,664 bytes, is fetched in it at 17 KiB/s.
const LONGEST: Duration = Duration::from_secs(600);

/// Of one connection.
#[derive(Clone, Copy)]
enum Guest {
    Nobody,
    /// It has not asked yet; until when it may be silent.
    Silent(Client, Instant),
    /// It has; until when it may take what it asked for.
    Asking(Client, Instant),
    /// The connection is to be closed, and whether that was said.
    Ended(bool),
}

impl Guest {
    fn until(&self) -> Option<Instant> {
        match self {
            Guest::Silent(_, until) | Guest::Asking(_, until) => Some(*until),
            Guest::Nobody | Guest::Ended(_) => None,
        }
    }
}

/// Who has them.
pub struct Guests([Guest; HTTP_CONNECTIONS]);

impl Guests {
    pub const fn new() -> Self {
        Self([Guest::Nobody; HTTP_CONNECTIONS])
    }

    /// Another connection that this client has.
    pub fn other(&self, connection: u8, client: Client) -> Option<u8> {
        let has_it = |guest: &Guest| match guest {
            Guest::Silent(other, _) | Guest::Asking(other, _) => match (other.station, client.station) {
                (Some(other), Some(station)) => other.mac == station.mac,
                _ => other.ip == client.ip,
            },
            Guest::Nobody | Guest::Ended(_) => false,
        };
        let mut all = (0..).zip(&self.0);
        all.find_map(|(other, guest)| (other != connection && has_it(guest)).then_some(other))
    }

    /// A client has this connection from now on; `None`: nobody.
    pub fn set(&mut self, now: Instant, connection: u8, client: Option<Client>) {
        if let Some(guest) = self.0.get_mut(usize::from(connection)) {
            *guest = client.map_or(Guest::Nobody, |client| Guest::Silent(client, now + SILENCE));
        }
    }

    /// It has said something.
    pub fn asks(&mut self, now: Instant, connection: u8) {
        if let Some(guest) = self.0.get_mut(usize::from(connection))
            && let Guest::Silent(client, _) = guest
        {
            *guest = Guest::Asking(*client, now + LONGEST);
        }
    }

    /// Who takes what it asked for on this connection.
    pub fn asking(&self, connection: u8) -> Option<Client> {
        match self.0.get(usize::from(connection)) {
            Some(Guest::Asking(client, _)) => Some(*client),
            _ => None,
        }
    }

    /// A connection is to be closed, whatever is on it.
    pub fn end(&mut self, connection: u8) {
        if let Some(guest) = self.0.get_mut(usize::from(connection)) {
            *guest = Guest::Ended(false);
        }
    }

    /// Is it to be closed?
    pub fn is_ended(&self, connection: u8) -> bool {
        matches!(self.0.get(usize::from(connection)), Some(Guest::Ended(_)))
    }

    /// The next connection that is to be closed, once.
    pub fn next_ended(&mut self) -> Option<u8> {
        let mut all = (0..).zip(&mut self.0);
        all.find_map(|(connection, guest)| match guest {
            Guest::Ended(is_told @ false) => {
                *is_told = true;
                Some(connection)
            }
            _ => None,
        })
    }

    /// Whose time is over.
    pub fn overdue(&self, now: Instant) -> Option<u8> {
        let mut all = (0..).zip(&self.0);
        all.find_map(|(connection, guest)| guest.until().filter(|until| now >= *until).map(|_| connection))
    }

    /// When somebody's is at the earliest.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(Guest::until).min()
    }
}
