//! The numbering plan of Japan, as of a day.
//!
//! [`classify`] says what kind a number is. The tables are data with the days between which a row holds; `numbers.md`
//! names their sources.

use crate::date;
use crate::date::Date;

use super::{Area, JAPAN, Number};

/// What kind of number it is on some day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 110, 118 or 119.
    Emergency,
    /// Geographic (0AB-J), of this area.
    Geographic(Area),
    /// IP telephone (050).
    Ip,
    /// Mobile (070, 080, 090, and 060 from 2026-07-01).
    Mobile,
    /// Fixed and mobile in one (0600).
    Fmc,
    /// Machines (020, and 0200 with 14 digits).
    M2m,
    /// Pager (0204).
    Pager,
    /// The callee pays (0120, 0800).
    TollFree,
    /// The caller pays a price of the callee's choice of line (0570).
    NaviDial,
    /// The caller pays the callee too (0990); today donations.
    Premium,
    /// Recorded information (0180).
    Teledome,
    /// Another service code (1XY).
    Service,
    /// A service that has ended.
    Ended,
    /// A number of another country.
    International,
    /// Nothing has this number.
    Unassigned,
}

/// What becomes of an outgoing call where nobody has decided otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// It goes out.
    Allow,
    /// It goes out, is outside every flat rate and charged apart.
    PricedApart,
    /// It is refused until the contract switches such calls on (fraud).
    Off,
    /// It is refused.
    Block,
}

impl Kind {
    /// The usual treatment of outgoing calls to such a number.
    pub const fn outgoing(self) -> Outgoing {
        match self {
            Self::Emergency
            | Self::Geographic(_)
            | Self::Ip
            | Self::Mobile
            | Self::Fmc
            | Self::TollFree
            | Self::Service => Outgoing::Allow,
            Self::NaviDial => Outgoing::PricedApart,
            Self::International => Outgoing::Off,
            Self::M2m | Self::Pager | Self::Premium | Self::Teledome | Self::Ended | Self::Unassigned => {
                Outgoing::Block
            }
        }
    }

    /// May it be given to an ID or a group? Only geographic numbers and 050 (R7, R18).
    pub const fn is_assignable(self) -> bool {
        matches!(self, Self::Geographic(_) | Self::Ip)
    }
}

/// A row of the plan: numbers with these heads are of this kind between two days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The first head of three digits: a service code itself, or what follows the 0 of other numbers.
    pub first: u16,
    /// The last head.
    pub last: u16,
    /// Their kind.
    pub kind: Kind,
    /// Digits of the first two groups when shown, the 0 among them; none means ungrouped.
    pub groups: (u8, u8),
    /// The first day it holds; before, they are unassigned.
    pub from: Date,
    /// The last day it holds; thereafter the service has ended.
    pub until: Date,
}

const fn row(first: u16, last: u16, kind: Kind, groups: (u8, u8)) -> Row {
    Row {
        first,
        last,
        kind,
        groups,
        from: Date::FIRST,
        until: Date::LAST,
    }
}

const fn code(first: u16, last: u16, kind: Kind) -> Row {
    row(first, last, kind, (0, 0))
}

impl Row {
    const fn from(mut self, date: Date) -> Self {
        self.from = date;
        self
    }

    const fn until(mut self, date: Date) -> Self {
        self.until = date;
        self
    }
}

/// Service codes (1XY). 184 and 186 are not among them: they stand in front of a number.
pub static SERVICES: [Row; 22] = [
    code(100, 100, Kind::Service),
    code(102, 102, Kind::Service),
    code(104, 104, Kind::Service).until(date!(2026, 3, 31)),
    code(106, 106, Kind::Service),
    code(108, 108, Kind::Service),
    code(110, 110, Kind::Emergency),
    code(111, 117, Kind::Service),
    code(118, 119, Kind::Emergency),
    code(120, 129, Kind::Service),
    code(131, 131, Kind::Service),
    code(134, 136, Kind::Service),
    code(140, 149, Kind::Service),
    code(151, 151, Kind::Service),
    code(154, 154, Kind::Service),
    code(157, 159, Kind::Service),
    code(161, 162, Kind::Service),
    code(164, 165, Kind::Service),
    code(171, 171, Kind::Service),
    code(177, 177, Kind::Service).until(date!(2025, 3, 31)),
    code(178, 179, Kind::Service),
    code(181, 181, Kind::Service),
    code(188, 189, Kind::Service),
];

/// Everything behind a 0 that is not geographic.
pub static PREFIXES: [Row; 15] = [
    row(120, 120, Kind::TollFree, (4, 3)),
    row(180, 180, Kind::Teledome, (4, 3)),
    row(200, 200, Kind::M2m, (0, 0)),
    row(201, 203, Kind::M2m, (3, 4)),
    row(204, 204, Kind::Pager, (3, 4)),
    row(205, 209, Kind::M2m, (3, 4)),
    row(501, 509, Kind::Ip, (3, 4)),
    row(570, 570, Kind::NaviDial, (4, 3)),
    row(600, 600, Kind::Fmc, (4, 3)),
    row(601, 609, Kind::Mobile, (3, 4)).from(date!(2026, 7, 1)),
    row(701, 709, Kind::Mobile, (3, 4)),
    row(800, 800, Kind::TollFree, (4, 3)),
    row(801, 809, Kind::Mobile, (3, 4)),
    row(901, 909, Kind::Mobile, (3, 4)),
    row(990, 990, Kind::Premium, (4, 3)),
];

/// What kind of number is it on that day?
pub fn classify(number: Number, on: Date) -> Kind {
    match find(number) {
        Some(row) if on < row.from => Kind::Unassigned,
        Some(row) if on > row.until => Kind::Ended,
        Some(row) => row.kind,
        None if !number.is_japanese() => Kind::International,
        None => number.area().map_or(Kind::Unassigned, Kind::Geographic),
    }
}

/// The row a number falls under, whatever the day.
pub(super) fn find(number: Number) -> Option<&'static Row> {
    let (rows, head): (&'static [Row], _) = if number.is_service() {
        (&SERVICES, number.head(3, 0))
    } else if number.is_japanese() {
        (&PREFIXES, number.head(3, JAPAN.len()))
    } else {
        return None;
    };
    let index = rows.partition_point(|row| u32::from(row.last) < head);
    rows.get(index).filter(|row| u32::from(row.first) <= head)
}
