//! Business hours and holidays.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shared::date::{Date, Local, Weekday};
use shared::schedule::{
    Day, Exception, Fault, HORIZON, Holiday, Hours, MAX_INTERVALS, Override, Schedule, State, Why, holiday,
};

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// `2026-04-01 09:30`.
fn at(text: &str) -> Local {
    let (day, time) = text.split_once(' ').unwrap();
    let (hour, minute) = time.split_once(':').unwrap();
    let minute = hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap();
    Local {
        date: date(day),
        minute,
    }
}

/// `09:00-12:00 13:00-17:30`.
fn day(text: &str) -> Day {
    let minutes = |text: &str| {
        let (hour, minute) = text.split_once(':').unwrap();
        hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
    };
    let hours = |text: &str| {
        let (from, until) = text.split_once('-').unwrap();
        Hours::new(minutes(from), minutes(until)).unwrap()
    };
    text.split_whitespace().map(hours).collect()
}

/// Monday to Thursday 9 to 12 and 13 to 17:30, Friday evening until 2, closed at the weekend and on holidays.
fn shop() -> Schedule {
    let weekly = Weekday::ALL.map(|weekday| match weekday {
        Weekday::Friday => day("18:00-26:00"),
        Weekday::Saturday | Weekday::Sunday => Day::new(),
        _ => day("09:00-12:00 13:00-17:30"),
    });
    Schedule {
        weekly,
        holidays: Some(Day::new()),
        exceptions: [
            Exception {
                date: date("2026-12-29"),
                hours: day("09:00-12:00"),
            },
            Exception {
                date: date("2026-12-30"),
                hours: Day::new(),
            },
            Exception {
                date: date("2027-01-02"),
                hours: day("10:00-16:00"),
            },
        ]
        .into_iter()
        .collect(),
        manual: None,
    }
}

fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut buffer = [0; 2_048];
    postcard::to_slice(value, &mut buffer).unwrap().to_vec()
}

/// What the calendars say of every day, see `oracle/national_holidays.py`: the name, and whether only one of them says so.
fn oracle() -> BTreeMap<Date, (&'static str, bool)> {
    let mut days = BTreeMap::new();
    for line in include_str!("../oracle/national_holidays.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (year, words) = line.split_once(' ').unwrap();
        for word in words.split(' ') {
            let (alone, word) = word.strip_prefix('?').map_or((false, word), |word| (true, word));
            let (digits, name) = word.split_at(4);
            let (month, day) = digits.split_at(2);
            // The calendar goes on after our last day.
            if let Some(date) = Date::new(
                year.parse().unwrap(),
                month.parse().unwrap(),
                day.parse().unwrap(),
            ) {
                days.insert(date, (name, alone));
            }
        }
    }
    days
}

#[test]
fn every_holiday_is_one_for_the_oracles_too() {
    let oracle = oracle();
    let (mut holidays, mut alone) = (0, 0);
    for days in 0..=u16::MAX {
        let date = Date::from_days(days);
        let ours = holiday(date).map(Holiday::japanese);
        match oracle.get(&date) {
            // jpholiday does not look at when these laws came into force.
            Some((name, true)) => {
                let law = match *name {
                    "振替休日" => "1973-04-12",
                    "国民の休日" => "1985-12-27",
                    _ => panic!("{date}: {name}"),
                };
                assert!(date < law.parse().unwrap() && ours.is_none(), "{date}: {name}");
                alone += 1;
            }
            theirs => assert_eq!(ours, theirs.map(|(name, _)| *name), "{date}"),
        }
        holidays += usize::from(ours.is_some());
    }
    assert_eq!((holidays, alone), (3_090, 14));
}

#[test]
fn a_sunday_holiday_moves_to_the_next_free_day_since_2007() {
    for (day, expected) in [
        // Only to the Monday before 2007, and then 4 May was one by the other rule.
        ("1986-05-04", None),
        ("1988-05-04", Some(Holiday::Between)),
        ("1992-05-04", Some(Holiday::Substitute)),
        ("2006-01-02", Some(Holiday::Substitute)),
        // Sunday 3 May: over 4 and 5 May to the 6th.
        ("2009-05-06", Some(Holiday::Substitute)),
        ("2009-05-07", None),
        // Between Respect for the Aged Day and the equinox.
        ("2026-09-22", Some(Holiday::Between)),
        ("2026-05-06", Some(Holiday::Substitute)),
    ] {
        assert_eq!(holiday(date(day)), expected, "{day}");
    }
}

#[test]
fn the_first_rule_of_a_day_holds() {
    use State::{Closed, Open};
    let mut shop = shop();
    shop.validate().unwrap();
    for (moment, state, why) in [
        ("2026-11-26 08:59", Closed, Why::Weekly),
        ("2026-11-26 09:00", Open, Why::Weekly),
        ("2026-11-26 11:59", Open, Why::Weekly),
        ("2026-11-26 12:00", Closed, Why::Weekly),
        ("2026-11-26 13:00", Open, Why::Weekly),
        ("2026-11-26 17:30", Closed, Why::Weekly),
        // Friday's evening ends on Saturday, and Monday's holiday begins with its own midnight.
        ("2026-11-27 23:59", Open, Why::Weekly),
        ("2026-11-28 00:00", Open, Why::Weekly),
        ("2026-11-28 01:59", Open, Why::Weekly),
        ("2026-11-28 02:00", Closed, Why::Weekly),
        (
            "2026-11-23 10:00",
            Closed,
            Why::Holiday(Holiday::LabourThanksgiving),
        ),
        ("2026-12-29 10:00", Open, Why::Exception(date("2026-12-29"))),
        ("2026-12-29 14:00", Closed, Why::Exception(date("2026-12-29"))),
        ("2026-12-30 10:00", Closed, Why::Exception(date("2026-12-30"))),
        // A holiday that is a Friday: the bar stays closed, and an exception that is a Saturday opens.
        ("2027-01-01 20:00", Closed, Why::Holiday(Holiday::NewYear)),
        ("2027-01-02 01:00", Closed, Why::Exception(date("2027-01-02"))),
        ("2027-01-02 10:00", Open, Why::Exception(date("2027-01-02"))),
        ("2149-06-06 23:59", Open, Why::Weekly),
        ("1970-01-01 00:00", Closed, Why::Holiday(Holiday::NewYear)),
    ] {
        assert_eq!(shop.state(at(moment)), (state, why), "{moment}");
    }
    shop.holidays = None;
    assert_eq!(
        shop.state(at("2026-11-23 10:00")),
        (Open, Why::Weekly),
        "holidays are like other days"
    );
}

#[test]
fn by_hand_goes_before_everything() {
    let mut shop = shop();
    shop.manual = Some(Override {
        state: State::Closed,
        until: Some(at("2026-11-26 15:00")),
    });
    assert_eq!(shop.state(at("2026-11-26 14:59")), (State::Closed, Why::Override));
    assert_eq!(shop.state(at("2026-11-26 15:00")), (State::Open, Why::Weekly));
    assert_eq!(
        shop.next_change(at("2026-11-26 10:00")),
        Some(at("2026-11-26 15:00"))
    );
    shop.manual = Some(Override {
        state: State::Open,
        until: None,
    });
    assert_eq!(shop.state(at("2026-12-30 03:00")), (State::Open, Why::Override));
    assert_eq!(shop.next_change(at("2026-12-30 03:00")), None);
}

#[test]
fn the_next_change_is_told() {
    let shop = shop();
    for (now, next) in [
        ("2026-11-26 08:00", "2026-11-26 09:00"),
        ("2026-11-26 09:00", "2026-11-26 12:00"),
        ("2026-11-26 12:30", "2026-11-26 13:00"),
        ("2026-11-27 20:00", "2026-11-28 02:00"),
        ("2026-11-28 12:00", "2026-11-30 09:00"),
        // Over the year's end: 30 December is an exception, 31 a Thursday, 1 January a holiday.
        ("2026-12-29 12:00", "2026-12-31 09:00"),
        ("2026-12-31 18:00", "2027-01-02 10:00"),
    ] {
        assert_eq!(shop.next_change(at(now)), Some(at(next)), "{now}");
    }
    let always = Schedule {
        weekly: core::array::from_fn(|_| day("00:00-24:00")),
        holidays: None,
        exceptions: Default::default(),
        manual: None,
    };
    assert_eq!(always.next_change(at("2026-11-26 08:00")), None);
}

#[test]
fn what_is_no_schedule_is_refused() {
    for (from, until) in [(0, 0), (600, 600), (600, 540), (1_440, 1_500), (60, 1_501)] {
        assert_eq!(Hours::new(from, until), None, "{from} to {until}");
        assert!(postcard::from_bytes::<Hours>(&encode(&(from, until))).is_err());
    }
    let mut touching = shop();
    touching.weekly[0] = day("09:00-12:00 12:00-13:00");
    assert_eq!(touching.validate(), Err(Fault::Hours));
    let mut twice = shop();
    twice.exceptions[1].date = twice.exceptions[0].date;
    assert_eq!(twice.validate(), Err(Fault::Exceptions(date("2026-12-29"))));
}

#[test]
fn the_encoding_is_frozen() {
    let mut shop = shop();
    shop.exceptions.truncate(1);
    shop.manual = Some(Override {
        state: State::Closed,
        until: Some(at("2026-11-26 15:00")),
    });
    let bytes = encode(&shop);
    #[rustfmt::skip]
    let golden = [
        // Monday to Thursday: 540 to 720, 780 to 1,050.
        2, 0x9c, 4, 0xd0, 5, 0x8c, 6, 0x9a, 8,
        2, 0x9c, 4, 0xd0, 5, 0x8c, 6, 0x9a, 8,
        2, 0x9c, 4, 0xd0, 5, 0x8c, 6, 0x9a, 8,
        2, 0x9c, 4, 0xd0, 5, 0x8c, 6, 0x9a, 8,
        // Friday: 1,080 to 1,560; Saturday, Sunday; holidays: none.
        1, 0xb8, 8, 0x98, 0xc, 0, 0, 1, 0,
        // One exception: day 20,816, 540 to 720.
        1, 0xd0, 0xa2, 1, 1, 0x9c, 4, 0xd0, 5,
        // Closed by hand until day 20,783, minute 900.
        1, 1, 1, 0xaf, 0xa2, 1, 0x84, 7,
    ];
    assert_eq!(bytes, golden);
    assert_eq!(postcard::from_bytes::<Schedule>(&bytes).unwrap(), shop);
}

fn any_day() -> impl Strategy<Value = Day> {
    prop::collection::btree_set(0u16..2_000, 0..=2 * MAX_INTERVALS).prop_map(|minutes| {
        let minutes: Vec<_> = minutes.into_iter().collect();
        minutes
            .chunks_exact(2)
            .filter_map(|pair| Hours::new(pair[0], pair[1]))
            .collect()
    })
}

fn any_moment() -> impl Strategy<Value = Local> {
    (0..60u16, 0..1_440u16).prop_map(|(days, minute)| Local {
        date: Date::from_days(date("2026-12-01").days() + days),
        minute,
    })
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let exceptions = prop::collection::btree_map(0..60u16, any_day(), 0..8);
    let state = prop_oneof![Just(State::Open), Just(State::Closed)];
    let manual = prop::option::weighted(0.3, (state, prop::option::of(any_moment())));
    (
        prop::array::uniform7(any_day()),
        prop::option::of(any_day()),
        exceptions,
        manual,
    )
        .prop_map(|(weekly, holidays, exceptions, manual)| Schedule {
            weekly,
            holidays,
            exceptions: exceptions
                .into_iter()
                .map(|(days, hours)| Exception {
                    date: date("2026-12-01").plus_days(days.into()),
                    hours,
                })
                .collect(),
            manual: manual.map(|(state, until)| Override { state, until }),
        })
}

proptest! {
    /// Minute by minute: nothing changes before the next change, and then it does.
    #[test]
    fn nothing_changes_before_the_next_change(schedule in any_schedule(), from in any_moment()) {
        schedule.validate().unwrap();
        let next = schedule.next_change(from);
        let now = schedule.state(from).0;
        let end = next.map_or(from.date.plus_days(30), |next| next.date);
        for days in from.date.days()..=end.days() {
            for minute in 0..1_440 {
                let moment = Local { date: Date::from_days(days), minute };
                if moment > from && next.is_none_or(|next| moment < next) {
                    prop_assert_eq!(schedule.state(moment).0, now, "{}", moment);
                }
            }
        }
        if let Some(next) = next {
            prop_assert!(next > from && next.date.days() - from.date.days() <= HORIZON);
            prop_assert_ne!(schedule.state(next).0, now);
        }
        prop_assert_eq!(postcard::from_bytes::<Schedule>(&encode(&schedule)).unwrap(), schedule);
    }

    /// Open exactly in the minutes of a day's own hours and in those that reach over from the day before.
    #[test]
    fn a_moment_is_open_if_an_interval_holds_it(schedule in any_schedule(), moment in any_moment()) {
        let plan = Schedule { manual: None, ..schedule };
        let hours = |date: Date| {
            let exception = plan.exceptions.iter().find(|exception| exception.date == date);
            let weekly = &plan.weekly[date.weekday() as usize];
            exception.map(|exception| &exception.hours).unwrap_or_else(|| {
                plan.holidays.as_ref().filter(|_| holiday(date).is_some()).unwrap_or(weekly)
            })
        };
        let minute = u32::from(moment.minute);
        let holds = |date, minute: u32| hours(date).iter().any(|hours| {
            (u32::from(hours.from())..u32::from(hours.until())).contains(&minute)
        });
        let open = holds(moment.date, minute) || holds(moment.date.plus_days(-1), minute + 1_440);
        prop_assert_eq!(plan.state(moment).0 == State::Open, open);
    }
}
