//! One binding: a phone of an ID, where it is and what it is called there.

use super::Kind;
use core::net::SocketAddr;
use core::time::Duration;
use heapless::Vec;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::id::IdKey;
use sip::digest::Algorithm;
use sip::pool::Room;
use sip::{Flow, Instant, NameAddr, Transport, Uri};

/// Longest contact URI that is kept, bytes.
pub const CONTACT_MAX: usize = 128;

/// Most bytes a stored binding takes: two IPv6 addresses with ports (44), the contact (130), the rest (29).
pub const STORED_MAX: usize = 208;

/// The form of the stored bytes; others are not read.
const SCHEMA: u8 = 1;

/// Eight bytes that stand for a text of any length, the same on each boot.
pub(super) fn identity(text: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(text).into();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Which device registers (RFC 5626 §4.1): its `+sip.instance` with the `reg-id`; 0 for a phone that does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Device(u64);

impl Device {
    pub fn of(contact: &NameAddr<'_>) -> Self {
        let Some(instance) = contact.param("+sip.instance") else {
            return Self(0);
        };
        let flow = contact.param("reg-id").and_then(sip::fields::number).unwrap_or(0);
        Self(identity(instance).wrapping_add(u64::from(flow)).max(1))
    }
}

/// A phone of an ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub(super) key: IdKey,
    pub(super) flow: Flow,
    pub(super) contact: Vec<u8, CONTACT_MAX>,
    pub(super) device: Device,
    /// The identity of its REGISTERs' Call-ID.
    pub(super) call: u64,
    pub(super) cseq: u32,
    /// The algorithm it answers with.
    pub(super) algorithm: Algorithm,
    /// The number of the nonce it last registered with; 0 after a restart.
    pub(super) nonce: u32,
    pub(super) expires_at: Instant,
    pub(super) restored: bool,
}

/// A binding in flash.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u8,
    key: IdKey,
    transport: u8,
    interface: u8,
    peer: SocketAddr,
    local: SocketAddr,
    device: Device,
    call: u64,
    cseq: u32,
    sha256: bool,
    contact: Vec<u8, CONTACT_MAX>,
}

const TRANSPORTS: [Transport; 4] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws];

impl Binding {
    /// The ID.
    pub fn key(&self) -> IdKey {
        self.key
    }

    /// Where requests for this phone are sent: back to where its REGISTER came from.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// The phone's contact URI: the Request-URI for it.
    pub fn contact(&self) -> &[u8] {
        &self.contact
    }

    /// The end of what was granted.
    pub fn expires_at(&self) -> Instant {
        self.expires_at
    }

    /// From flash, and not registered again since.
    pub fn is_restored(&self) -> bool {
        self.restored
    }

    /// False for a restored binding of a connection: that one did not survive.
    pub fn is_reachable(&self) -> bool {
        !(self.restored && self.flow.is_reliable())
    }

    pub(super) fn remaining(&self, now: Instant) -> Duration {
        self.expires_at - now
    }

    /// Whether a request on this flow comes from the phone itself.
    pub(super) fn leads_to(&self, flow: &Flow) -> bool {
        let ours = &self.flow;
        self.is_reachable()
            && (ours.transport, ours.interface, ours.stream, ours.peer)
                == (flow.transport, flow.interface, flow.stream, flow.peer)
    }

    /// Whether a contact is this phone again: the same device; or, unless both say which device they are, the same boot
    /// of a phone or the same contact.
    pub(super) fn is_same(&self, contact: &[u8], device: Device, call: u64) -> bool {
        if self.device != Device(0) && device != Device(0) {
            return self.device == device;
        }
        if self.call == call || self.contact() == contact {
            return true;
        }
        Uri::parse(self.contact())
            .zip(Uri::parse(contact))
            .is_some_and(|(ours, other)| ours.equivalent(&other))
    }

    pub(super) fn store<'b>(&self, out: &'b mut [u8; STORED_MAX]) -> Option<&'b [u8]> {
        let stored = Stored {
            schema: SCHEMA,
            key: self.key,
            transport: TRANSPORTS.iter().position(|t| *t == self.flow.transport)? as u8,
            interface: self.flow.interface,
            peer: self.flow.peer,
            local: self.flow.local,
            device: self.device,
            call: self.call,
            cseq: self.cseq,
            sha256: self.algorithm == Algorithm::Sha256,
            contact: self.contact.clone(),
        };
        // STORED_MAX is enough for every binding.
        postcard::to_slice(&stored, out).ok().map(|bytes| &*bytes)
    }

    pub(super) fn restore(bytes: &[u8], expires_at: Instant) -> Option<Self> {
        let stored: Stored = postcard::from_bytes(bytes).ok()?;
        if stored.schema != SCHEMA {
            return None;
        }
        let flow = Flow {
            transport: *TRANSPORTS.get(usize::from(stored.transport))?,
            interface: stored.interface,
            stream: 0,
            peer: stored.peer,
            local: stored.local,
        };
        let Stored {
            key,
            contact,
            device,
            call,
            cseq,
            ..
        } = stored;
        Some(Self {
            key,
            flow,
            contact,
            device,
            call,
            cseq,
            algorithm: if stored.sha256 {
                Algorithm::Sha256
            } else {
                Algorithm::Md5
            },
            nonce: 0,
            expires_at,
            restored: true,
        })
    }
}

/// Room for one binding. Hand in an array of [`Place::EMPTY`].
#[derive(Clone, Debug)]
pub struct Place {
    binding: Room<Binding>,
    change: Room<(IdKey, Kind)>,
    /// Whose binding flash has for this place.
    stored: Room<IdKey>,
}

impl Place {
    /// A free place.
    pub const EMPTY: Self = Self {
        binding: Room::Empty,
        change: Room::Empty,
        stored: Room::Empty,
    };

    pub(super) fn binding(&self) -> Option<&Binding> {
        self.binding.as_ref()
    }

    /// Whether it is this ID's, here or in flash.
    pub(super) fn is_about(&self, key: IdKey) -> bool {
        self.binding().is_some_and(|b| b.key == key) || self.stored.as_ref() == Some(&key)
    }

    /// Neither bound nor waiting to tell that it was.
    pub(super) fn is_free(&self) -> bool {
        self.binding().is_none() && !self.has_change()
    }

    pub(super) fn has_change(&self) -> bool {
        self.change.as_ref().is_some()
    }

    pub(super) fn take_change(&mut self) -> Option<(IdKey, Kind)> {
        self.change.take()
    }

    pub(super) fn bind(&mut self, new: Binding) {
        let kind = match self.binding() {
            None => Kind::Added,
            Some(old) if old.flow == new.flow && old.contact == new.contact && old.device == new.device => {
                Kind::Refreshed
            }
            Some(_) => Kind::Replaced,
        };
        // What nobody was told of yet outweighs a refresh.
        let kind = match self.change.as_ref() {
            Some(&(_, told)) if kind == Kind::Refreshed => told,
            Some((_, Kind::Added)) => Kind::Added,
            _ => kind,
        };
        self.change = Room::Taken((new.key, kind));
        self.binding = Room::Taken(new);
    }

    pub(super) fn clear(&mut self, kind: Kind) {
        if let Some(binding) = self.binding.take() {
            self.change = Room::Taken((binding.key, kind));
        }
    }

    pub(super) fn stored(&mut self, key: Option<IdKey>) {
        self.stored = key.into();
    }

    pub(super) fn restore(&mut self, binding: Binding) {
        self.stored = Room::Taken(binding.key);
        self.binding = Room::Taken(binding);
    }
}
