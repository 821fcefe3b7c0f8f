//! Days and times of day in Japan (UTC+9, no summer time).

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// Seconds by which Japan is ahead of UTC.
const JAPAN: u64 = 9 * 3_600;
const DAY: u64 = 86_400;

/// A day of the Gregorian calendar from 1970-01-01 to 2149-06-06, as days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(u16);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they say it themselves")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// All, Monday first (ISO 8601).
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

/// A text or triple that is no day between 1970 and 2149.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateError;

/// A day that is known when this is compiled; one that there is not does not compile.
///
/// ```
/// assert_eq!(shared::date!(2026, 4, 1).to_string(), "2026-04-01");
/// ```
///
/// ```compile_fail
/// shared::date!(2026, 2, 29);
/// ```
#[macro_export]
macro_rules! date {
    ($year:literal, $month:literal, $day:literal) => {
        const {
            match $crate::date::Date::new($year, $month, $day) {
                Some(date) => date,
                None => panic!("there is no such day"),
            }
        }
    };
}

impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a day like 2026-04-01")
    }
}

impl core::error::Error for DateError {}

impl Date {
    /// The first day there is.
    pub const FIRST: Self = Self(0);
    /// The last day there is; stands for "without end".
    pub const LAST: Self = Self(u16::MAX);

    /// The day with this year, month (1 to 12) and day (1 to 31), if there is one.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        let (mut days, mut y) = (0u32, 1970);
        while y < year {
            days += if is_leap(y) { 366 } else { 365 };
            y += 1;
            if days > u16::MAX as u32 {
                return None;
            }
        }
        let mut m = 1;
        while m < month {
            days += days_in_month(year, m) as u32;
            m += 1;
        }
        days += day as u32 - 1;
        if days <= u16::MAX as u32 {
            Some(Self(days as u16))
        } else {
            None
        }
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> u16 {
        self.0
    }

    /// The day so many days after 1970-01-01.
    pub const fn from_days(days: u16) -> Self {
        Self(days)
    }

    /// Year, month (1 to 12) and day (1 to 31).
    pub const fn ymd(self) -> (u16, u8, u8) {
        let (mut rest, mut year) = (self.0, 1970);
        loop {
            let length = if is_leap(year) { 366 } else { 365 };
            if rest < length {
                break;
            }
            rest -= length;
            year += 1;
        }
        let mut month = 1;
        loop {
            let length = days_in_month(year, month) as u16;
            if rest < length {
                return (year, month, rest as u8 + 1);
            }
            rest -= length;
            month += 1;
        }
    }

    /// The day of the week.
    pub const fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        match (self.0 as u32 + 3) % 7 {
            0 => Weekday::Monday,
            1 => Weekday::Tuesday,
            2 => Weekday::Wednesday,
            3 => Weekday::Thursday,
            4 => Weekday::Friday,
            5 => Weekday::Saturday,
            _ => Weekday::Sunday,
        }
    }

    /// So many days later (or earlier); the first or last day there is at most.
    pub const fn plus_days(self, days: i32) -> Self {
        let sum = (self.0 as i32).saturating_add(days);
        match sum {
            ..0 => Self::FIRST,
            0..=0xffff => Self(sum as u16),
            _ => Self::LAST,
        }
    }

    /// The same day so many months later, or the last day of that month (民法 143条).
    pub const fn plus_months(self, months: u16) -> Self {
        let (year, month, day) = self.ymd();
        let count = year as u32 * 12 + month as u32 - 1 + months as u32;
        let (year, month) = (count / 12, (count % 12) as u8 + 1);
        if year > 2149 {
            return Self::LAST;
        }
        let last = days_in_month(year as u16, month);
        match Self::new(year as u16, month, if day < last { day } else { last }) {
            Some(date) => date,
            None => Self::LAST,
        }
    }
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

impl From<u16> for Date {
    fn from(days: u16) -> Self {
        Self::from_days(days)
    }
}

impl From<Date> for u16 {
    fn from(date: Date) -> Self {
        date.days()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Date {
    type Err = DateError;

    /// `2026-04-01`, nothing shorter.
    fn from_str(text: &str) -> Result<Self, DateError> {
        let mut parts = text.split('-');
        let mut part = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            part.bytes().all(|byte| byte.is_ascii_digit()).then_some(part)
        };
        let (year, month, day) = (part(4), part(2), part(2));
        let end = parts.next().is_none();
        let (Some(year), Some(month), Some(day), true) = (year, month, day, end) else {
            return Err(DateError);
        };
        let read = |part: &str| part.parse::<u16>().map_err(|_| DateError);
        Self::new(read(year)?, read(month)? as u8, read(day)? as u8).ok_or(DateError)
    }
}

/// A moment as the clocks in Japan show it, to the minute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Local {
    /// The day.
    pub date: Date,
    /// Minutes since midnight, 0 to 1,439.
    pub minute: u16,
}

impl Local {
    /// From seconds since 1970-01-01 00:00 UTC; the last minute there is if the clock is beyond it.
    pub const fn from_unix(seconds: u64) -> Self {
        let seconds = seconds.saturating_add(JAPAN);
        if seconds / DAY > u16::MAX as u64 {
            return Self {
                date: Date::LAST,
                minute: 1_439,
            };
        }
        Self {
            date: Date((seconds / DAY) as u16),
            minute: (seconds % DAY / 60) as u16,
        }
    }
}

impl FromStr for Local {
    type Err = DateError;

    /// `2026-04-01 09:30`.
    fn from_str(text: &str) -> Result<Self, DateError> {
        let (date, time) = text.split_once(' ').ok_or(DateError)?;
        let minute = match time_of_day(time) {
            Some(minute @ 0..1_440) => minute,
            _ => return Err(DateError),
        };
        Ok(Self {
            date: date.parse()?,
            minute,
        })
    }
}

impl From<Local> for (u16, u16) {
    fn from(local: Local) -> Self {
        (local.date.days(), local.minute)
    }
}

impl TryFrom<(u16, u16)> for Local {
    type Error = DateError;

    fn try_from((days, minute): (u16, u16)) -> Result<Self, DateError> {
        let local = Self {
            date: Date::from_days(days),
            minute,
        };
        if minute < 1_440 { Ok(local) } else { Err(DateError) }
    }
}

/// Minutes since midnight in `09:30`; hours go on counting past it, `26:00`.
pub(crate) fn time_of_day(text: &str) -> Option<u16> {
    match text.as_bytes() {
        [
            h1 @ b'0'..=b'9',
            h0 @ b'0'..=b'9',
            b':',
            m1 @ b'0'..=b'5',
            m0 @ b'0'..=b'9',
        ] => {
            let digit = |byte: &u8| u16::from(byte - b'0');
            Some((digit(h1) * 10 + digit(h0)) * 60 + digit(m1) * 10 + digit(m0))
        }
        _ => None,
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}", self.date, self.minute / 60, self.minute % 60)
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
