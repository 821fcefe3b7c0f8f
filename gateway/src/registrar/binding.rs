//! One binding: a phone of an ID, where it is and what it is called there.

use super::Kind;
use core::net::SocketAddr;
use core::num::NonZeroU64;
use core::time::Duration;
use heapless::Vec;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::id::IdKey;
use sip::digest::Algorithm;
use sip::pool::Room;
use sip::{Flow, Instant, NameAddr, Path, Transport, Uri};

/// Longest contact URI that is kept, bytes.
pub const CONTACT_MAX: usize = 128;
/// Longest contact URI and Path of a binding together, bytes.
const ADDRESS_MAX: usize = 144;

/// Most bytes a stored binding takes: two IPv6 addresses with ports (44), contact and Path (147), the rest (29).
pub const STORED_MAX: usize = 224;

/// The form of the stored bytes; others but the first are not read.
const SCHEMA: u8 = 2;
/// The form before: one number for instance and flow, no Path.
const SCHEMA_1: u8 = 1;

/// Eight bytes that stand for a text of any length, the same on each boot.
pub(super) fn identity(text: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(text).into();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Which device registers, and on which of its flows (RFC 5626 §4.1): `+sip.instance` in 56 bits and `reg-id` in 8; 0 for a
/// phone that does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Device(u64);

impl Device {
    pub fn of(contact: &NameAddr<'_>) -> Self {
        let Some(instance) = contact.param("+sip.instance") else {
            return Self::default();
        };
        let flow = contact.param("reg-id").and_then(sip::fields::number).unwrap_or(0);
        Self((identity(instance) >> 8).max(1) << 8 | u64::from(flow as u8))
    }

    fn instance(self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.0 >> 8)
    }
}

/// What requests for a phone are addressed to: the Request-URI, and the Path to it as Route (RFC 3327 §5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    bytes: Vec<u8, ADDRESS_MAX, u8>,
    /// Bytes of the URI; the rest is the Path.
    uri: u8,
}

impl Address {
    /// `None`: too long.
    pub fn new(uri: &[u8], path: &[u8]) -> Option<Self> {
        let mut bytes = Vec::from_slice(uri).ok().filter(|_| uri.len() <= CONTACT_MAX)?;
        bytes.extend_from_slice(path).ok()?;
        let uri = uri.len() as u8;
        Some(Self { bytes, uri })
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at_checked(self.uri.into()).unwrap_or_default()
    }

    pub fn uri(&self) -> &[u8] {
        self.parts().0
    }

    pub fn path(&self) -> &[u8] {
        self.parts().1
    }
}

/// A phone of an ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub(super) key: IdKey,
    pub(super) way: Path,
    pub(super) address: Address,
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
struct Stored<D, A> {
    schema: u8,
    key: IdKey,
    transport: u8,
    interface: u8,
    peer: SocketAddr,
    local: SocketAddr,
    device: D,
    call: u64,
    cseq: u32,
    sha256: bool,
    address: A,
}

impl Stored<Device, Address> {
    /// The device's number there was made of instance and flow, and cannot be told apart: the phone is known again by its
    /// Call-ID or contact.
    fn read_1(bytes: &[u8]) -> Option<Self> {
        let old: Stored<u64, Vec<u8, CONTACT_MAX>> = postcard::from_bytes(bytes).ok()?;
        Some(Self {
            schema: SCHEMA,
            key: old.key,
            transport: old.transport,
            interface: old.interface,
            peer: old.peer,
            local: old.local,
            device: Device::default(),
            call: old.call,
            cseq: old.cseq,
            sha256: old.sha256,
            address: Address::new(&old.address, b"")?,
        })
    }
}

const TRANSPORTS: [Transport; 4] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws];

impl Binding {
    /// The ID.
    pub fn key(&self) -> IdKey {
        self.key
    }

    /// Where requests for this phone are sent: back to where its REGISTER came from.
    pub fn flow(&self) -> Flow {
        self.way.flow()
    }

    /// The phone's contact URI: the Request-URI for it.
    pub fn contact(&self) -> &[u8] {
        self.address.uri()
    }

    /// The Route of requests for this phone: the proxies that its REGISTER came through (RFC 3327); empty for most.
    pub fn path(&self) -> &[u8] {
        self.address.path()
    }

    /// What a GRUU names this phone by (RFC 5627).
    pub(super) fn instance(&self) -> Option<NonZeroU64> {
        self.device.instance()
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
        !(self.restored && self.way.is_reliable())
    }

    pub(super) fn remaining(&self, now: Instant) -> Duration {
        self.expires_at - now
    }

    /// Whether a request on this flow comes from the phone itself.
    pub(super) fn leads_to(&self, flow: &Flow) -> bool {
        let ours = self.flow();
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

    /// Whether a phone that registers now comes from where this one is: some draw a new user part at every start. Behind a proxy
    /// all come the same way, but each has a host or port of its own.
    pub(super) fn is_replaced(&self, contact: &[u8], device: Device, way: Path) -> bool {
        (self.device == Device(0) || device == Device(0))
            && self.way == way
            && Uri::parse(self.contact())
                .zip(Uri::parse(contact))
                .is_some_and(|(ours, other)| (ours.host, ours.port) == (other.host, other.port))
    }

    pub(super) fn store<'b>(&self, out: &'b mut [u8; STORED_MAX]) -> Option<&'b [u8]> {
        let flow = self.flow();
        let stored = Stored {
            schema: SCHEMA,
            key: self.key,
            transport: TRANSPORTS.iter().position(|t| *t == flow.transport)? as u8,
            interface: flow.interface,
            peer: flow.peer,
            local: flow.local,
            device: self.device,
            call: self.call,
            cseq: self.cseq,
            sha256: self.algorithm == Algorithm::Sha256,
            address: self.address.clone(),
        };
        // STORED_MAX is enough for every binding.
        postcard::to_slice(&stored, out).ok().map(|bytes| &*bytes)
    }

    pub(super) fn restore(bytes: &[u8], expires_at: Instant) -> Option<Self> {
        let stored: Stored<Device, Address> = match *bytes.first()? {
            SCHEMA => postcard::from_bytes(bytes).ok()?,
            SCHEMA_1 => Stored::read_1(bytes)?,
            _ => return None,
        };
        let flow = Flow {
            transport: *TRANSPORTS.get(usize::from(stored.transport))?,
            interface: stored.interface,
            stream: 0,
            peer: stored.peer,
            local: stored.local,
        };
        let Stored {
            key,
            address,
            device,
            call,
            cseq,
            ..
        } = stored;
        Some(Self {
            key,
            way: Path::new(&flow),
            address,
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
            Some(old) if old.way == new.way && old.address == new.address && old.device == new.device => {
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
