//! The national holidays of Japan, computed from the law (国民の祝日に関する法律, 昭和23年法律第178号).

use crate::date;
use crate::date::{Date, Weekday};

/// A national holiday (国民の祝日, or a day the law makes one beside them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holiday {
    /// 元日.
    NewYear,
    /// 成人の日.
    ComingOfAge,
    /// 建国記念の日.
    Foundation,
    /// 天皇誕生日.
    EmperorsBirthday,
    /// 春分の日.
    VernalEquinox,
    /// 昭和の日.
    Showa,
    /// 憲法記念日.
    Constitution,
    /// みどりの日.
    Greenery,
    /// こどもの日.
    Children,
    /// 海の日.
    Marine,
    /// 山の日.
    Mountain,
    /// 敬老の日.
    RespectForTheAged,
    /// 秋分の日.
    AutumnalEquinox,
    /// 体育の日, since 2020 スポーツの日.
    Sports,
    /// 文化の日.
    Culture,
    /// 勤労感謝の日.
    LabourThanksgiving,
    /// A funeral, wedding or enthronement that a law of its own made a holiday once.
    Imperial,
    /// 振替休日: for a holiday on a Sunday (第3条第2項).
    Substitute,
    /// 国民の休日: between two holidays (第3条第3項).
    Between,
}

impl Holiday {
    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::NewYear => "元日",
            Self::ComingOfAge => "成人の日",
            Self::Foundation => "建国記念の日",
            Self::EmperorsBirthday => "天皇誕生日",
            Self::VernalEquinox => "春分の日",
            Self::Showa => "昭和の日",
            Self::Constitution => "憲法記念日",
            Self::Greenery => "みどりの日",
            Self::Children => "こどもの日",
            Self::Marine => "海の日",
            Self::Mountain => "山の日",
            Self::RespectForTheAged => "敬老の日",
            Self::AutumnalEquinox => "秋分の日",
            Self::Sports => "スポーツの日",
            Self::Culture => "文化の日",
            Self::LabourThanksgiving => "勤労感謝の日",
            Self::Imperial => "皇室の慶弔の日",
            Self::Substitute => "振替休日",
            Self::Between => "国民の休日",
        }
    }

    /// Its English name.
    pub const fn english(self) -> &'static str {
        match self {
            Self::NewYear => "New Year's Day",
            Self::ComingOfAge => "Coming of Age Day",
            Self::Foundation => "National Foundation Day",
            Self::EmperorsBirthday => "Emperor's Birthday",
            Self::VernalEquinox => "Vernal Equinox Day",
            Self::Showa => "Showa Day",
            Self::Constitution => "Constitution Day",
            Self::Greenery => "Greenery Day",
            Self::Children => "Children's Day",
            Self::Marine => "Marine Day",
            Self::Mountain => "Mountain Day",
            Self::RespectForTheAged => "Respect for the Aged Day",
            Self::AutumnalEquinox => "Autumnal Equinox Day",
            Self::Sports => "Sports Day",
            Self::Culture => "Culture Day",
            Self::LabourThanksgiving => "Labour Thanksgiving Day",
            Self::Imperial => "imperial ceremony",
            Self::Substitute => "substitute holiday",
            Self::Between => "citizens' holiday",
        }
    }
}

/// The holiday this day is, by the law in force on it; for days to come by the law of 2026. The equinoxes are those of
/// the formula (the government names them only a year ahead).
pub const fn holiday(date: Date) -> Option<Holiday> {
    if let Some(holiday) = named(date) {
        return Some(holiday);
    }
    if is_substitute(date) {
        return Some(Holiday::Substitute);
    }
    let (before, after) = (date.plus_days(-1), date.plus_days(1));
    let between = date.days() >= BETWEEN && named(before).is_some() && named(after).is_some();
    // Until 2006 neither a Sunday nor a substitute.
    if between && !(is_sunday(date) && date.days() < SUBSTITUTE_LATER) {
        return Some(Holiday::Between);
    }
    None
}

// The days on which laws came into force, since 1970.

/// 昭和48年法律第10号.
const SUBSTITUTE: u16 = date!(1973, 4, 12).days();
/// 昭和60年法律第103号.
const BETWEEN: u16 = date!(1985, 12, 27).days();
/// 平成17年法律第43号.
const SUBSTITUTE_LATER: u16 = date!(2007, 1, 1).days();

const fn is_sunday(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Sunday)
}

/// Is this day, which is no 国民の祝日 itself, the substitute for one on a Sunday? Until 2006 only the day after the
/// Sunday, since 2007 the first day after it that is no 国民の祝日.
const fn is_substitute(date: Date) -> bool {
    if date.days() < SUBSTITUTE {
        return false;
    }
    let mut before = date.plus_days(-1);
    while named(before).is_some() {
        if is_sunday(before) {
            return true;
        }
        if date.days() < SUBSTITUTE_LATER {
            return false;
        }
        before = before.plus_days(-1);
    }
    false
}

/// The 国民の祝日 of the law's second article, and the days of laws for one year.
const fn named(date: Date) -> Option<Holiday> {
    let (year, month, day) = date.ymd();
    let week = (day - 1) / 7 + 1;
    let monday = matches!(date.weekday(), Weekday::Monday);
    Some(match (month, day) {
        (1, 1) => Holiday::NewYear,
        (1, 15) if year < 2000 => Holiday::ComingOfAge,
        (1, _) if year >= 2000 && monday && week == 2 => Holiday::ComingOfAge,
        (2, 11) => Holiday::Foundation,
        (2, 23) if year >= 2020 => Holiday::EmperorsBirthday,
        (2, 24) if year == 1989 => Holiday::Imperial,
        (3, _) if day == vernal(year) => Holiday::VernalEquinox,
        (4, 29) if year < 1989 => Holiday::EmperorsBirthday,
        (4, 29) if year < 2007 => Holiday::Greenery,
        (4, 29) => Holiday::Showa,
        (5, 1) if year == 2019 => Holiday::Imperial,
        (5, 3) => Holiday::Constitution,
        (5, 4) if year >= 2007 => Holiday::Greenery,
        (5, 5) => Holiday::Children,
        (6, 9) if year == 1993 => Holiday::Imperial,
        // The Olympic Games moved three holidays in 2020 and 2021.
        (7, 23) if year == 2020 => Holiday::Marine,
        (7, 24) if year == 2020 => Holiday::Sports,
        (7, 22) if year == 2021 => Holiday::Marine,
        (7, 23) if year == 2021 => Holiday::Sports,
        (8, 10) if year == 2020 => Holiday::Mountain,
        (8, 8) if year == 2021 => Holiday::Mountain,
        (7 | 8 | 10, _) if year == 2020 || year == 2021 => return None,
        (7, 20) if year >= 1996 && year < 2003 => Holiday::Marine,
        (7, _) if year >= 2003 && monday && week == 3 => Holiday::Marine,
        (8, 11) if year >= 2016 => Holiday::Mountain,
        (9, 15) if year < 2003 => Holiday::RespectForTheAged,
        (9, _) if year >= 2003 && monday && week == 3 => Holiday::RespectForTheAged,
        (9, _) if day == autumnal(year) => Holiday::AutumnalEquinox,
        (10, 10) if year < 2000 => Holiday::Sports,
        (10, _) if year >= 2000 && monday && week == 2 => Holiday::Sports,
        (10, 22) if year == 2019 => Holiday::Imperial,
        (11, 3) => Holiday::Culture,
        (11, 12) if year == 1990 => Holiday::Imperial,
        (11, 23) => Holiday::LabourThanksgiving,
        (12, 23) if year >= 1989 && year < 2019 => Holiday::EmperorsBirthday,
        _ => return None,
    })
}

/// Day of March of the vernal equinox.
const fn vernal(year: u16) -> u8 {
    equinox(year, [208_357, 208_431, 218_510])
}

/// Day of September of the autumnal equinox.
const fn autumnal(year: u16) -> u8 {
    // The published base after 2099, 24.2488, makes the equinox of 2107-09-23, at 23:38, a day late.
    equinox(year, [232_588, 232_488, 242_400])
}

/// 海上保安庁水路部's approximation (新こよみ便利帳): day = base + 0.242194 (year - 1980) - floor((year - 1980) / 4), with
/// a base before 1980, up to 2099, and after. Bases in ten-thousandths of a day.
const fn equinox(year: u16, [early, middle, late]: [i32; 3]) -> u8 {
    let years = year as i32 - 1980;
    let (base, leap) = match year {
        ..1980 => (early, (years - 3) / 4),
        1980..2100 => (middle, years / 4),
        _ => (late, years / 4),
    };
    ((base * 100 + 242_194 * years - leap * 1_000_000) / 1_000_000) as u8
}
