//! Where everything lies in the external NOR flash, and how long it lasts.
//!
//! A sector (4 KiB) of the NOR flash endures [`ENDURANCE`] erasures. The box shall live [`YEARS`] years, so a sector may
//! be erased [`ERASURES_PER_DAY`] times a day:
//!
//! | partition | written | allows per day |
//! |---|---|---|
//! | factory | once | - |
//! | commit | one of two pages per configuration | 54 configurations |
//! | config A, B | the inactive one per configuration | 54 configurations |
//! | settings | 32 sectors in turn, about 18 registrations each | 15,552 changes (registrations are written on change only; of a file, 160 in 10 MiB) |
//! | events | 256 sectors in turn, about 20 events each | 138,240 events |
//! | crash | one sector per panic | 27 panics |
//! | prompts, next image, phone firmware | per release | 27 releases (a file that comes wrong is tried again 24 times a day at most) |

/// Smallest part that can be erased.
pub const SECTOR: u32 = 4_096;

/// The part of the memory that is used: 16 MiB less the last sector, which the QEMU board needs otherwise.
pub const SIZE: u32 = 16 * 1024 * 1024 - SECTOR;

/// Erasures a sector endures (usual for serial NOR flash).
pub const ENDURANCE: u32 = 100_000;

/// Years the memory shall last.
pub const YEARS: u32 = 10;

/// Erasures of each sector per day that the memory endures for [`YEARS`].
pub const ERASURES_PER_DAY: u32 = ENDURANCE / (YEARS * 365);

/// A part of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Name.
    pub name: &'static str,
    /// First byte.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}

impl Partition {
    /// First byte behind it.
    pub const fn end(self) -> u32 {
        self.start + self.len
    }

    /// Sectors in it.
    pub const fn sectors(self) -> u32 {
        self.len / SECTOR
    }
}

/// Who the box is (`shared::Factory`).
pub const FACTORY: Partition = Partition {
    name: "factory",
    start: 0x00_0000,
    len: 0x1000,
};
/// Which configuration bank is active: two pages in turn.
pub const COMMIT: Partition = Partition {
    name: "commit",
    start: 0x00_1000,
    len: 0x2000,
};
/// Configuration, first bank.
pub const CONFIG_A: Partition = Partition {
    name: "config A",
    start: 0x01_0000,
    len: 0x1_0000,
};
/// Configuration, second bank.
pub const CONFIG_B: Partition = Partition {
    name: "config B",
    start: 0x02_0000,
    len: 0x1_0000,
};
/// Small values: registrations, last lease, number of starts.
pub const SETTINGS: Partition = Partition {
    name: "settings",
    start: 0x03_0000,
    len: 0x2_0000,
};
/// The event queue: room for about 5,000 events.
pub const EVENTS: Partition = Partition {
    name: "events",
    start: 0x05_0000,
    len: 0x10_0000,
};
/// What the panic handler keeps where memory does not survive the reset.
pub const CRASH: Partition = Partition {
    name: "crash",
    start: 0x15_0000,
    len: 0x1_0000,
};
/// Spoken announcements.
pub const PROMPTS: Partition = Partition {
    name: "prompts",
    start: 0x16_0000,
    len: 0x2A_0000,
};
/// The next firmware image.
pub const NEXT_IMAGE: Partition = Partition {
    name: "next image",
    start: 0x40_0000,
    len: 0x20_0000,
};
/// Firmware for the phones.
pub const PHONE_FIRMWARE: Partition = Partition {
    name: "phone firmware",
    start: 0x60_0000,
    len: SIZE - 0x60_0000,
};

/// All partitions, by address.
pub const ALL: [Partition; 10] = [
    FACTORY,
    COMMIT,
    CONFIG_A,
    CONFIG_B,
    SETTINGS,
    EVENTS,
    CRASH,
    PROMPTS,
    NEXT_IMAGE,
    PHONE_FIRMWARE,
];

// The cloud gives no site more firmware than there is room for.
const _: () =
    assert!(PHONE_FIRMWARE.len == shared::hub::FIRMWARE_ROOM && SECTOR == shared::hub::FIRMWARE_SECTOR);

// Plain constants and a check apart: lengths of types are made of them, and rustc 1.95 finds a cycle in a constant function
// of this crate below such a length.
const _: () = {
    let mut at = 0;
    let mut end = 0;
    while at < ALL.len() {
        let Partition { start, len, .. } = ALL[at];
        assert!(start.is_multiple_of(SECTOR) && len.is_multiple_of(SECTOR) && len > 0);
        assert!(start >= end && start + len <= SIZE);
        end = start + len;
        at += 1;
    }
};
