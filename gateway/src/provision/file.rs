//! What the files say, whoever makes the phone.

use core::fmt::{self, Write};
use core::net::Ipv4Addr;

use shared::dial::ParkSlot;
use shared::hub::{Mac, PhoneFirmware, PhoneModel};
use shared::site::{Id, Site};

use super::name::Maker;
use super::{grandstream, panasonic};
use crate::budget::SIP_PORT;
use crate::uplink::Models;

/// What is dialled before an extension to take the call that rings there.
pub const PICK_UP: &str = "**";
/// For how long a phone registers, minutes: the box gives 2 to 5.
pub const REGISTERS_FOR: u32 = 3;
/// How often a phone asks for its configuration while it is nobody's, minutes; less, GXP16xx do not take.
pub const ASKS_EVERY: u32 = 60;

/// What the files are made of.
pub struct Facts<'a> {
    /// The site.
    pub site: &'a Site,
    /// The box, as the phones see it.
    pub address: Ipv4Addr,
    /// Where phones turn while the box is gone: name or address, and port.
    pub cloud: (&'a str, u16),
    /// The models whose firmware the box has.
    pub firmware: Models,
}

/// A line of a phone: its ID, and the password if it gets one.
pub struct Line<'a> {
    /// Which, from 1.
    pub number: u8,
    /// Its ID.
    pub id: &'a Id,
    /// A new password; none: the phone keeps what it has.
    pub password: Option<&'a str>,
}

/// Which file.
pub enum Content<'a> {
    /// What all phones of a maker have in common.
    Common(Maker),
    /// The phone is nobody's yet: no account, and a word on its display.
    Waiting(Maker, Mac),
    /// The phone of these IDs.
    Phone(PhoneModel, Mac, &'a [Line<'a>]),
}

impl Facts<'_> {
    /// Writes a file.
    pub fn write(&self, w: &mut dyn Write, content: &Content<'_>) -> fmt::Result {
        let maker = match *content {
            Content::Common(maker) | Content::Waiting(maker, _) => maker,
            Content::Phone(model, ..) => Maker::of(model),
        };
        match maker {
            Maker::Grandstream => grandstream::write(w, self, content),
            Maker::Panasonic => panasonic::write(w, self, content),
        }
    }

    /// The firmware that phones of a model find at the box.
    pub fn firmware(&self, model: PhoneModel) -> Option<&PhoneFirmware> {
        let mut all = self.site.sys.firmware.iter();
        all.find(|file| file.model == model && self.firmware.contains(model))
    }

    /// The box as outbound proxy.
    pub fn proxy(&self) -> impl fmt::Display {
        let address = self.address;
        core::fmt::from_fn(move |f| write!(f, "{address}:{SIP_PORT}"))
    }

    /// What the keys of a phone are for that it has beside its line: the other terminals of the site from the front, and at the end
    /// the slots for parked calls, all of them where there is room, and at least `parks`.
    pub fn keys<'s>(
        &'s self,
        lines: &'s [Line<'_>],
        keys: usize,
        parks: usize,
    ) -> impl Iterator<Item = Key<'s>> {
        let front = self.others(lines).count().min(keys.saturating_sub(parks));
        let slots = (keys - front).min(ParkSlot::COUNT.into());
        let others = self.others(lines).take(front).map(Key::Phone);
        let free = keys - front - slots;
        others
            .chain(core::iter::repeat_n(Key::Free, free))
            .chain(ParkSlot::all().take(slots).map(Key::Park))
    }

    /// The other terminals of the site.
    fn others<'s>(&'s self, lines: &'s [Line<'_>]) -> impl Iterator<Item = &'s Id> {
        let own = |id: &Id| lines.iter().any(|line| line.id.key == id.key);
        let site = self.site;
        site.ids.iter().filter(move |id| site.is_here(id) && !own(id))
    }
}

/// What is written beside a key for a parked call, by the number of the slot.
const PARKS: [&str; 1 + ParkSlot::COUNT as usize] = ["", "パーク1", "パーク2", "パーク3", "パーク4"];

/// A key with a lamp.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    /// For the calls of another terminal.
    Phone(&'a Id),
    /// For a parked call.
    Park(ParkSlot),
    /// For nothing.
    Free,
}

impl Key<'_> {
    /// What is written beside it.
    pub fn label(&self) -> &str {
        let slot = match self {
            Self::Phone(id) => return &id.label,
            Self::Park(slot) => usize::from(slot.number()),
            Self::Free => 0,
        };
        PARKS.get(slot).copied().unwrap_or_default()
    }

    /// What is dialled by it, and what its lamp is for.
    pub fn number(&self) -> impl fmt::Display {
        core::fmt::from_fn(|f| match self {
            Self::Phone(id) => write!(f, "{}", id.extension),
            Self::Park(slot) => write!(f, "{slot}"),
            Self::Free => Ok(()),
        })
    }
}

/// What a phone that is nobody's shows: that it waits, and the end of its hardware address by which it is claimed.
pub struct Waits(pub Mac);

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [.., a, b, c] = self.0.0;
        write!(f, "登録待ち {a:02X}{b:02X}{c:02X}")
    }
}

/// A hardware address without separators, in lower case.
pub struct Bare(pub Mac);

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
