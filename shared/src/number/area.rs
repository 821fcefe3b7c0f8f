//! Number areas: where a geographic number belongs.

mod table;

use table::RUNS;

/// A number area: an area code (市外局番) together with a message area (MA), 581 of them. One area code may serve
/// several areas (042 does six) and an area may cross a prefecture's border. Names are the cloud's business.
///
/// Compare, show and look up names by it; store the number instead, for a newer table may count areas otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Area(u16);

impl Area {
    /// The area of a head (ABCDE, 0 to 99,999): the five digits behind the 0 of a geographic number. They always decide;
    /// no fewer do.
    pub fn of_head(head: u32) -> Option<Self> {
        split(head).map(|(area, _)| area)
    }

    /// All of them, in the order of their first heads.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=last()).map(Self)
    }

    /// Its place in [`all`](Self::all).
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The area of a head, and how many of its digits are the area code (without its 0).
pub(super) fn split(head: u32) -> Option<(Area, usize)> {
    let behind = RUNS.partition_point(|run| run >> 15 <= head);
    let run = *RUNS.get(behind.checked_sub(1)?)?;
    match run >> 12 & 7 {
        0 => None,
        code => Some((Area((run & 0xfff) as u16), code as usize)),
    }
}

fn last() -> u16 {
    RUNS.iter().map(|run| (run & 0xfff) as u16).max().unwrap_or(0)
}
