//! Business hours: when a number's calls ring, and when they get the after-hours treatment.
//!
//! A day's rule is the first of: a dated exception, the national holiday, the day of the week. An interval belongs to
//! the day it begins on, also past midnight: a bar that is open from 18:00 to 26:00 on Friday closes at 02:00 on
//! Saturday, whatever Saturday is. A manual override goes before all of it.

mod holiday;

use core::fmt;
use core::str::FromStr;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::date::{Date, Local, time_of_day};

pub use holiday::{Holiday, holiday};

/// Most intervals of a day: morning, afternoon, evening and one more.
pub const MAX_INTERVALS: usize = 4;
/// Most dated exceptions of a schedule: two years of company holidays.
pub const MAX_EXCEPTIONS: usize = 64;
/// How far [`Schedule::next_change`] looks ahead, days.
pub const HORIZON: u16 = 366;

/// Minutes of a day.
const DAY: u16 = 1_440;

/// An interval of business hours, in minutes since the midnight its day begins with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hours {
    from: u16,
    until: u16,
}

impl Hours {
    /// From midnight to midnight.
    pub const ALL_DAY: Self = Self { from: 0, until: DAY };

    /// Open from minute `from` (0 to 1,439) up to but without minute `until`, at most 24 hours later. 1,440 is the
    /// midnight at the end of the day, 1,560 is 02:00 on the next.
    pub const fn new(from: u16, until: u16) -> Option<Self> {
        if from < DAY && from < until && until - from <= DAY {
            Some(Self { from, until })
        } else {
            None
        }
    }

    /// The first minute of being open.
    pub const fn from(self) -> u16 {
        self.from
    }

    /// The first minute of being closed again; 1,440 and more is on the next day.
    pub const fn until(self) -> u16 {
        self.until
    }

    const fn contains(self, minute: u16) -> bool {
        self.from <= minute && minute < self.until
    }
}

impl TryFrom<(u16, u16)> for Hours {
    type Error = &'static str;

    fn try_from((from, until): (u16, u16)) -> Result<Self, Self::Error> {
        Self::new(from, until).ok_or("not an interval of business hours")
    }
}

impl From<Hours> for (u16, u16) {
    fn from(hours: Hours) -> Self {
        (hours.from, hours.until)
    }
}

impl FromStr for Hours {
    type Err = &'static str;

    /// `09:00-17:30`; `18:00-26:00` is until 02:00 on the next day.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text
            .split_once('-')
            .and_then(|(from, until)| Some((time_of_day(from)?, time_of_day(until)?)));
        ends.and_then(|(from, until)| Self::new(from, until))
            .ok_or("not business hours like 09:00-17:30")
    }
}

impl fmt::Display for Hours {
    /// `09:00-17:30`; the hours go on counting past midnight: `18:00-26:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from, self.until);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            until / 60,
            until % 60
        )
    }
}

impl fmt::Debug for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The business hours of one day, ascending and apart; none: closed.
pub type Day = Vec<Hours, MAX_INTERVALS>;

/// Other hours on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The day.
    pub date: Date,
    /// Its hours.
    pub hours: Day,
}

/// Open or closed by hand, for instance 「今日は閉める」.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// What holds.
    pub state: State,
    /// Up to but without this moment; until taken back if there is none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub until: Option<Local>,
}

/// Do calls ring?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Within business hours.
    Open,
    /// Outside of them.
    Closed,
}

/// Which rule says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The manual override.
    Override,
    /// The dated exception of this day.
    Exception(Date),
    /// The hours of national holidays, and which one it is.
    Holiday(Holiday),
    /// The hours of the day of the week.
    Weekly,
}

/// The business hours of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Hours of each day of the week, Monday first.
    pub weekly: [Day; 7],
    /// Hours of national holidays; without them holidays are like other days.
    #[serde(deserialize_with = "Option::deserialize")]
    pub holidays: Option<Day>,
    /// Days with other hours, ascending.
    pub exceptions: Vec<Exception, MAX_EXCEPTIONS>,
    /// Open or closed by hand.
    #[serde(deserialize_with = "Option::deserialize")]
    pub manual: Option<Override>,
}

/// What is wrong with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The intervals of a day are not ascending or not apart.
    Hours,
    /// The exceptions are not ascending, or a day has two.
    Exceptions(Date),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours => f.write_str("the hours of a day overlap, touch or are out of order"),
            Self::Exceptions(date) => write!(f, "the exceptions are out of order or twice at {date}"),
        }
    }
}

impl core::error::Error for Fault {}

impl Schedule {
    /// Checks the order of intervals and exceptions.
    pub fn validate(&self) -> Result<(), Fault> {
        let exceptions = self.exceptions.iter().map(|exception| &exception.hours);
        for day in self.weekly.iter().chain(&self.holidays).chain(exceptions) {
            if !day.is_sorted_by(|earlier, later| earlier.until < later.from) {
                return Err(Fault::Hours);
            }
        }
        let mut before = None;
        for exception in &self.exceptions {
            if before >= Some(exception.date) {
                return Err(Fault::Exceptions(exception.date));
            }
            before = Some(exception.date);
        }
        Ok(())
    }

    /// Open or closed at this moment, and the rule that says so.
    pub fn state(&self, at: Local) -> (State, Why) {
        match self.manual {
            Some(manual) if manual.until.is_none_or(|until| at < until) => (manual.state, Why::Override),
            _ => self.planned(at),
        }
    }

    /// The next moment within [`HORIZON`] at which [`Schedule::state`] becomes another one.
    pub fn next_change(&self, at: Local) -> Option<Local> {
        let now = self.state(at).0;
        let end = self.manual.and_then(|manual| manual.until);
        for ahead in 0..=i32::from(HORIZON) {
            let date = at.date.plus_days(ahead);
            // It can only be at midnight, where the day's intervals begin and end or the day before's end, and where
            // the override does.
            let today = self.hours(date).0.iter();
            let yesterday = self.hours(date.plus_days(-1)).0.iter();
            let minutes = core::iter::once(0)
                .chain(today.flat_map(|hours| [hours.from, hours.until]))
                .chain(yesterday.filter_map(|hours| hours.until.checked_sub(DAY)))
                .chain(end.filter(|end| end.date == date).map(|end| end.minute));
            let moments = minutes
                .filter(|minute| *minute < DAY)
                .map(|minute| Local { date, minute });
            let changes = moments.filter(|moment| *moment > at && self.state(*moment).0 != now);
            if let Some(first) = changes.min() {
                return Some(first);
            }
        }
        None
    }

    /// Without the override.
    fn planned(&self, at: Local) -> (State, Why) {
        let (hours, why) = self.hours(at.date.plus_days(-1));
        if at.date > Date::FIRST
            && hours
                .iter()
                .any(|hours| hours.contains(at.minute.saturating_add(DAY)))
        {
            return (State::Open, why);
        }
        let (hours, why) = self.hours(at.date);
        match hours.iter().any(|hours| hours.contains(at.minute)) {
            true => (State::Open, why),
            false => (State::Closed, why),
        }
    }

    /// The hours that begin on this day, and the rule they come from.
    fn hours(&self, date: Date) -> (&[Hours], Why) {
        let mut exceptions = self.exceptions.iter();
        if let Some(exception) = exceptions.find(|exception| exception.date == date) {
            return (&exception.hours, Why::Exception(date));
        }
        if let (Some(hours), Some(holiday)) = (&self.holidays, holiday(date)) {
            return (hours, Why::Holiday(holiday));
        }
        let hours = self.weekly.get(date.weekday() as usize);
        (hours.map_or(&[], |hours| hours), Why::Weekly)
    }
}
