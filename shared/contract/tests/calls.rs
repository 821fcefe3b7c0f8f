//! What calls cost, whom they are billed to, and that nothing is lost in between (R50, R51, A11).

mod office;

use contract::Contract;
use contract::tariff::{
    Call, Destination, Error, Month, Origin, Price, PriceList, Subject, Yen, charge, export, tallies,
};
use office::*;
use proptest::prelude::*;

const R1: &str = "0312340000";
const D1: &str = "0312340001";
const D2: &str = "0312340002";

/// IDs 0 and 1 with direct numbers D1 and D2, and the representative number R1.
fn office() -> Contract {
    let mut contract = signed("2024-04-01");
    add_id(&mut contract, 0, D1, "2024-04-01");
    add_id(&mut contract, 1, D2, "2024-04-01");
    add_rep(&mut contract, R1, "2024-04-01");
    contract
}

fn call(billed: &str, origin: Origin, to: &str, on: &str, seconds: u64) -> Call {
    Call {
        billed: number(billed),
        origin,
        to: (!to.is_empty()).then(|| number(to)),
        day: day(on),
        milliseconds: seconds * 1_000,
    }
}

fn by(index: u16) -> Origin {
    Origin::Id(key(index))
}

#[test]
fn the_price_is_that_of_the_destination_on_the_day() {
    for (to, on, milliseconds, yen) in [
        // 20 yen for each 30 seconds begun, until 2026-01-15.
        ("09012345678", "2026-01-15", 0, 20),
        ("09012345678", "2026-01-15", 1, 20),
        ("09012345678", "2026-01-15", 30_000, 20),
        ("09012345678", "2026-01-15", 30_001, 40),
        ("07012345678", "2026-01-15", 3_600_000, 2_400),
        // 16 yen for each 60 seconds begun, from the 16th.
        ("09012345678", "2026-01-16", 30_001, 16),
        ("09012345678", "2026-01-16", 60_001, 32),
        ("0662345678", "2026-01-15", 180_000, 8),
        ("05012345678", "2026-01-15", 180_001, 16),
        ("0570123456", "2026-01-15", 61_000, 40),
        // Of the prefixes abroad the longest counts: Hawaii, the rest of +1.
        ("+18085551234", "2026-01-15", 60_000, 12),
        ("+12125551234", "2026-01-15", 60_000, 9),
        // Nothing: inside, its own numbers (R30), the callee pays, emergency calls.
        ("", "2026-01-15", 600_000, 0),
        (D2, "2026-01-15", 600_000, 0),
        (R1, "2026-01-15", 600_000, 0),
        ("0120123456", "2026-01-15", 600_000, 0),
        ("08001234567", "2026-01-15", 600_000, 0),
        ("110", "2026-01-15", 600_000, 0),
        ("118", "2026-01-15", 600_000, 0),
        ("119", "2026-01-15", 600_000, 0),
    ] {
        let mut call = call(D1, by(0), to, on, 0);
        call.milliseconds = milliseconds;
        assert_eq!(
            charge(&office(), &call, &prices()),
            Ok(Yen(yen)),
            "{to} on {on}, {milliseconds} ms"
        );
    }
}

#[test]
fn r52_a_destination_without_a_price_is_refused_by_name() {
    for (to, name) in [
        ("+442079460000", "calls: +442079460000"),
        ("0990123456", "calls: 0990"),
        ("0180123456", "calls: 0180"),
        ("171", "calls: 1xy"),
        // 060 became mobile in July 2026.
        ("06012345678", "calls: unassigned"),
    ] {
        let call = call(D1, by(0), to, "2026-01-20", 1);
        let Err(Error::NoPrice { price, day }) = charge(&office(), &call, &prices()) else {
            panic!("{to}");
        };
        assert_eq!((price.to_string().as_str(), day), (name, call.day));
        let Price::Calls(destination) = price else {
            panic!("{price}");
        };
        if !name.contains("+") {
            assert_eq!(destination.to_string().parse(), Ok(destination));
        }
    }
    let call = call(D1, by(0), "06012345678", "2026-07-01", 1);
    assert_eq!(charge(&office(), &call, &prices()), Ok(Yen(16)));
    assert_eq!("+1808".parse(), Ok(Destination::Abroad(1_808)));
}

/// R50, the given/when/then: two calls as direct, one as representative; and one that was forwarded.
#[test]
fn r50_calls_are_billed_to_the_number_they_were_made_as_and_r51_to_a_person() {
    let calls = [
        call(D1, by(0), "09012345678", "2026-01-10", 61),
        call(R1, by(0), "0662345678", "2026-01-11", 10),
        call(D1, by(0), "09012345678", "2026-01-31", 61),
        call(R1, by(1), "0662345678", "2026-01-12", 10),
        call(R1, Origin::Forwarded, "09099999999", "2026-01-13", 30),
        call(D2, Origin::Forwarded, "09099999999", "2026-01-13", 30),
        call(D2, by(1), "", "2026-01-13", 600),
    ];
    let tallies = tallies(&office(), month("2026-01"), &calls, &prices()).unwrap();
    let found: Vec<_> = tallies
        .iter()
        .map(|tally| {
            (
                tally.subject.number().unwrap(),
                tally.origin,
                tally.calls,
                tally.amount.0,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (number(D1), by(0), 2, 60 + 32),
            (number(D2), by(1), 1, 0),
            (number(D2), Origin::Forwarded, 1, 20),
            (number(R1), by(0), 1, 8),
            (number(R1), by(1), 1, 8),
            (number(R1), Origin::Forwarded, 1, 20),
        ]
    );
    assert_eq!(
        export(&office(), month("2026-01"), &tallies),
        "month,direct,billed,calls,seconds,yen\r\n\
         2026-01,0312340001,0312340001,2,122,92\r\n\
         2026-01,0312340002,0312340002,1,600,0\r\n\
         2026-01,0312340002,0312340002,1,30,20\r\n\
         2026-01,0312340001,0312340000,1,10,8\r\n\
         2026-01,0312340002,0312340000,1,10,8\r\n\
         2026-01,,0312340000,1,30,20\r\n"
    );
}

#[test]
fn r50_a_call_as_somebody_elses_number_or_of_another_month_is_refused() {
    let refused = |call| tallies(&office(), month("2026-01"), &[call], &prices()).unwrap_err();
    let foreign = call("0399999999", by(0), "09012345678", "2026-01-10", 1);
    assert_eq!(refused(foreign), Error::NotOurs(number("0399999999")));
    let late = call(D1, by(0), "09012345678", "2026-02-01", 1);
    assert_eq!(refused(late), Error::WrongMonth(month("2026-02")));
}

#[test]
fn a_number_that_went_pays_for_its_calls_and_is_outside_from_then_on() {
    let mut contract = office();
    let went = "0312340003";
    add_former(&mut contract, Some(2), went, "2024-04-01", "2026-01-20");
    let january = month("2026-01");
    let own = call(went, by(2), "09012345678", "2026-01-20", 1);
    let tallies_of = |call| tallies(&contract, january, &[call], &prices());
    let found = tallies_of(own).unwrap();
    assert_eq!(found[0].amount, Yen(16));
    assert!(export(&contract, january, &found).contains("\r\n2026-01,0312340003,0312340003,1,1,16\r\n"));
    let late = call(went, by(2), "09012345678", "2026-01-21", 1);
    assert_eq!(tallies_of(late), Err(Error::NotOurs(number(went))));
    // Called by its old colleagues: inside until it went, elsewhere thereafter.
    for (on, yen) in [("2026-01-20", 0), ("2026-01-21", 8)] {
        let call = call(D1, by(0), went, on, 1);
        assert_eq!(charge(&contract, &call, &prices()), Ok(Yen(yen)), "{on}");
    }
    // Back as a representative number it is that.
    add_rep(&mut contract, went, "2026-01-25");
    let again = call(went, by(0), "09012345678", "2026-01-25", 1);
    let found = tallies(&contract, january, &[again], &prices()).unwrap();
    assert_eq!(found[0].subject, Subject::Rep(number(went)));
}

#[test]
fn too_much_is_an_error_and_no_smaller_sum() {
    let list = |yen: i64| {
        let text = include_str!("prices.json").replace("\"yen\": 20", &format!("\"yen\": {yen}"));
        PriceList::from_json(&text).unwrap()
    };
    let one = call(D1, by(0), "09012345678", "2026-01-10", 30);
    let month = Month::of(one.day);
    let half = i64::MAX / 2 + 1;
    let sum = |calls: &[Call]| tallies(&office(), month, calls, &list(half));
    assert_eq!(sum(&[one]).unwrap()[0].amount, Yen(half));
    assert_eq!(sum(&[one, one]), Err(Error::TooLarge));
    let long = Call {
        milliseconds: u64::MAX,
        ..one
    };
    assert_eq!(charge(&office(), &long, &list(half)), Err(Error::TooLarge));
    assert_eq!(
        tallies(&office(), month, &[long, one], &list(0)),
        Err(Error::TooLarge)
    );
}

proptest! {
    /// R50: the lines are the calls, to the yen, whatever the rates; each call is charged by counting its units up.
    #[test]
    fn lines_are_the_sum_of_the_calls(
        rates in prop::array::uniform3((0i64..200, 1u32..240)),
        calls in prop::collection::vec((0usize..3, 0usize..4, 0usize..5, 1u8..29, 0u64..4_000_000), 0..80),
    ) {
        let row = |of, (yen, seconds): (i64, u32)| format!(
            r#"{{"of": "{of}", "from": "2026-02-01", "price": {{"yen": {yen}, "seconds": {seconds}}}}}"#
        );
        let list = PriceList::from_json(&format!(
            r#"{{"schema": 1, "calls": [{}, {}, {}], "early_termination": {{"term": "within", "tax": "outside"}}}}"#,
            row("mobile", rates[0]), row("geographic", rates[1]), row("+1", rates[2]),
        )).unwrap();
        let mut expected = 0;
        let calls: Vec<Call> = calls.into_iter().map(|(billed, origin, to, on, milliseconds)| {
            let (to, rate) = [
                ("09012345678", Some(rates[0])),
                ("0662345678", Some(rates[1])),
                ("+12125551234", Some(rates[2])),
                ("", None),
                (D1, None),
            ][to];
            if let Some((yen, seconds)) = rate {
                let mut units = 1;
                while units * u64::from(seconds) * 1_000 < milliseconds {
                    units += 1;
                }
                expected += yen * units as i64;
            }
            let origin = [by(0), by(1), by(7), Origin::Forwarded][origin];
            let on = format!("2026-02-{on:02}");
            Call { milliseconds, ..call([R1, D1, D2][billed], origin, to, &on, 0) }
        }).collect();
        let tallies = tallies(&office(), month("2026-02"), &calls, &list).unwrap();
        prop_assert_eq!(tallies.iter().map(|tally| tally.amount.0).sum::<i64>(), expected);
        prop_assert_eq!(tallies.iter().map(|tally| tally.calls as usize).sum::<usize>(), calls.len());
        // The export says the same, line by line.
        let csv = export(&office(), month("2026-02"), &tallies);
        let yen = csv.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<i64>().unwrap());
        prop_assert_eq!(yen.sum::<i64>(), expected);
    }
}
