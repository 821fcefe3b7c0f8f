//! What a subscription is about, in four bytes.

use core::fmt;

use shared::dial::ParkSlot;
use shared::id::{Extension, IdKey};
use shared::number::Number;
use shared::site::{Called, MAX_IDS, Site};
use sip::Message;
use sip::events::{Event, dialog_info, summary};

use crate::budget::BINDINGS;
use crate::calls::dialled;

/// What is watched of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Package {
    /// Its calls.
    Dialog,
    /// Its voice messages.
    Summary,
}

impl Package {
    pub fn of(event: &Event<'_>) -> Option<Self> {
        [Self::Dialog, Self::Summary]
            .into_iter()
            .find(|package| event.is(package.as_str()))
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dialog => dialog_info::PACKAGE,
            Self::Summary => summary::PACKAGE,
        }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Dialog => dialog_info::CONTENT_TYPE,
            Self::Summary => summary::CONTENT_TYPE,
        }
    }
}

/// Lines that have a number of the contract.
const NUMBERED: usize = 2 * MAX_IDS;

/// What has a lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The terminal of this ID.
    Id(IdKey),
    /// The representative number with this index in [`Site::reps`].
    Rep(u8),
    /// A slot for a parked call.
    Park(ParkSlot),
}

impl Line {
    /// How many there are.
    pub const COUNT: usize = NUMBERED + ParkSlot::COUNT as usize;

    /// Its number, below [`Line::COUNT`].
    pub fn index(self) -> usize {
        match self {
            Self::Id(key) => key.index(),
            Self::Rep(rep) => MAX_IDS + rep as usize % MAX_IDS,
            Self::Park(slot) => NUMBERED + slot.number() as usize - 1,
        }
    }
}

/// Both fit a byte.
const _: () = {
    assert!(Line::COUNT <= u8::MAX as usize);
    assert!(BINDINGS <= u8::MAX as usize);
};

/// Who watches what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    /// The ID that watches, and the place of its binding: where NOTIFYs go.
    pub phone: IdKey,
    pub place: u8,
    pub line: Line,
    /// It was asked for by its extension.
    pub by_extension: bool,
    pub package: Package,
}

impl Watch {
    /// What a first SUBSCRIBE asks for. The error is a status.
    pub fn of(
        site: &Site,
        message: &Message<'_>,
        phone: IdKey,
        place: usize,
        package: Package,
    ) -> Result<Self, u16> {
        let mut buffer = [0; 40];
        let asked = dialled(message, &mut buffer).ok_or(404u16)?;
        let slot = ParkSlot::read(asked.as_bytes()).map(Line::Park);
        let (line, by_extension) = match asked.parse::<Extension>() {
            _ if slot.is_some() => (slot, false),
            Ok(extension) => (site.by_extension(extension).map(|id| Line::Id(id.key)), true),
            Err(_) => (
                Number::parse(asked)
                    .ok()
                    .and_then(|number| numbered(site, number)),
                false,
            ),
        };
        let line = line.ok_or(404u16)?;
        // Nobody sees how many messages another one has.
        if package == Package::Summary && line != Line::Id(phone) {
            return Err(403);
        }
        Ok(Self {
            phone,
            place: place as u8,
            line,
            by_extension,
            package,
        })
    }

    /// The same after a change of configuration: the extension or number that was asked for may be another's now, or
    /// nobody's.
    pub fn moved(self, old: &Names, new: &Site) -> Option<Self> {
        new.credential(self.phone)?;
        let line = match self.line {
            Line::Id(key) if self.by_extension => {
                let extension = *old.extensions.get(key.index())?;
                Line::Id(new.by_extension(extension?)?.key)
            }
            line @ Line::Park(_) => line,
            line => numbered(new, (*old.numbers.get(line.index())?)?)?,
        };
        let own = self.package == Package::Dialog || line == Line::Id(self.phone);
        own.then_some(Self { line, ..self })
    }

    pub fn to_bits(self) -> u32 {
        u32::from(self.place)
            | (self.line.index() as u32) << 8
            | u32::from(u16::from(self.phone)) << 16
            | u32::from(self.by_extension) << 24
            | u32::from(self.package == Package::Summary) << 25
    }

    /// What [`Watch::to_bits`] gave.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let [place, line, phone, flags] = bits.to_le_bytes();
        let line = match IdKey::new(line.into()) {
            Some(key) => Line::Id(key),
            None => match ParkSlot::new((line + 1).saturating_sub(NUMBERED as u8)) {
                Some(slot) => Line::Park(slot),
                None => Line::Rep(line % MAX_IDS as u8),
            },
        };
        let package = match flags & 2 {
            0 => Package::Dialog,
            _ => Package::Summary,
        };
        Some(Self {
            phone: IdKey::new(phone.into())?,
            place,
            line,
            by_extension: flags & 1 != 0,
            package,
        })
    }

    /// The URI of what is watched.
    pub fn entity(self, site: &Site) -> Entity<'_> {
        Entity { site, watch: self }
    }
}

/// What everything that has a lamp is called.
pub(super) struct Names {
    extensions: [Option<Extension>; MAX_IDS],
    /// By [`Line::index`].
    numbers: [Option<Number>; NUMBERED],
}

impl Names {
    /// Nothing has a name.
    pub const NONE: Self = Self {
        extensions: [None; MAX_IDS],
        numbers: [None; NUMBERED],
    };

    /// As a site has them.
    pub fn of(site: &Site) -> Self {
        let mut names = Self::NONE;
        for id in &site.ids {
            if let Some(extension) = names.extensions.get_mut(id.key.index()) {
                *extension = Some(id.extension);
            }
            if let Some(number) = names.numbers.get_mut(Line::Id(id.key).index()) {
                *number = Some(id.direct);
            }
        }
        for (rep, number) in site.reps.iter().zip(names.numbers.iter_mut().skip(MAX_IDS)) {
            *number = Some(rep.number);
        }
        names
    }
}

fn numbered(site: &Site, number: Number) -> Option<Line> {
    match site.by_number(number)? {
        Called::Direct(key) => Some(Line::Id(key)),
        Called::Rep(index) => u8::try_from(index).ok().map(Line::Rep),
    }
}

/// See [`Watch::entity`].
pub(super) struct Entity<'a> {
    site: &'a Site,
    watch: Watch,
}

impl fmt::Display for Entity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, watch } = self;
        let realm = &site.sys.realm;
        match watch.line {
            Line::Id(key) => match site.id(key) {
                Some(id) if watch.by_extension => write!(f, "sip:{}@{realm}", id.extension),
                Some(id) => write!(f, "sip:{}@{realm}", id.user()),
                None => write!(f, "sip:{realm}"),
            },
            Line::Rep(rep) => match site.reps.get(usize::from(rep)) {
                Some(rep) => write!(f, "sip:{}@{realm}", rep.number.digits()),
                None => write!(f, "sip:{realm}"),
            },
            Line::Park(slot) => write!(f, "sip:{slot}@{realm}"),
        }
    }
}
