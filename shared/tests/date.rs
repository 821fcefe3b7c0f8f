//! Days of the calendar.

use shared::date::{Date, Local, Weekday};

#[test]
fn every_day_is_itself_again_and_follows_the_one_before() {
    let mut weekday = Weekday::ALL.into_iter().cycle().skip(3);
    for days in 0..=u16::MAX {
        let date = Date::from_days(days);
        let (year, month, day) = date.ymd();
        assert_eq!(Date::new(year, month, day), Some(date));
        assert_eq!(date.to_string().parse(), Ok(date));
        assert_eq!(Some(date.weekday()), weekday.next());
    }
    assert_eq!(Date::LAST.to_string(), "2149-06-06");
}

#[test]
fn what_is_no_day_is_refused() {
    for text in [
        "2026-02-29",
        "2026-13-01",
        "2026-00-01",
        "1969-12-31",
        "2149-06-07",
        "26-01-01",
        "2026-1-1",
        "2026-01-01-",
        "２０２６-01-01",
        "",
    ] {
        assert!(text.parse::<Date>().is_err(), "{text}");
    }
}

#[test]
fn months_end_on_the_same_day_or_the_last() {
    let after = |from: &str, months| from.parse::<Date>().unwrap().plus_months(months).to_string();
    assert_eq!(after("2026-01-31", 1), "2026-02-28");
    assert_eq!(after("2027-12-31", 2), "2028-02-29");
    assert_eq!(after("2026-11-26", 6), "2027-05-26");
    assert_eq!(after("2149-06-01", 1), "2149-06-06");
}

#[test]
fn the_clock_is_japans() {
    assert_eq!(Local::from_unix(0).to_string(), "1970-01-01 09:00");
    // 2026-11-26 15:30:59 UTC is past midnight in Japan.
    assert_eq!(Local::from_unix(1_795_707_059).to_string(), "2026-11-27 00:30");
    assert_eq!(Local::from_unix(u64::MAX).to_string(), "2149-06-06 23:59");
}
