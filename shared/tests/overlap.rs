//! Digits that come one by one.

mod common;

use common::{key, number, office};
use proptest::prelude::*;
use shared::date::Date;
use shared::dial::{Dialled, ParkSlot, Present, Privacy, Progress, Refusal, complete, dial};
use shared::number::NumberProblem;
use shared::site::Site;

fn on() -> Option<Date> {
    Date::new(2026, 11, 26)
}

/// No digit for a line, 0, 9; and one with extensions that begin alike, and international calls.
fn sites() -> [Site; 4] {
    let with = |outside_prefix| {
        let mut site = office();
        site.sys.outside_prefix = outside_prefix;
        site
    };
    let mut alike = office();
    alike.ids[0].extension = "20".parse().unwrap();
    alike.ids[2].extension = "911911".parse().unwrap();
    alike.sys.international = true;
    let sites = [with(None), with(Some(0)), with(Some(9)), alike];
    sites.iter().for_each(|site| site.validate().unwrap());
    sites
}

fn outside(text: &str) -> Dialled {
    Dialled::Outside {
        number: number(text),
        privacy: Privacy::Default,
        present: Present::Usual,
    }
}

fn emergency(text: &str) -> Dialled {
    Dialled::Emergency(number(text))
}

#[test]
fn when_dialling_is_over() {
    let [plain, zero, nine, alike] = sites();
    let more = |dialled| Progress::Incomplete {
        already: Some(dialled),
    };
    let nothing = Progress::Incomplete { already: None };
    let rings = |index| Dialled::Extension(key(index));
    let national = "0399998888";
    for (site, text, progress) in [
        (&plain, "", nothing),
        (&plain, "1", nothing),
        (&plain, "11", nothing),
        (&plain, "119", Progress::Complete(emergency("119"))),
        (&plain, "110", Progress::Complete(emergency("110"))),
        (&plain, "184119", Progress::Complete(emergency("119"))),
        (&plain, "*1118", Progress::Complete(emergency("118"))),
        // 011-9xx is Sapporo; whoever waits wants the fire brigade. With 0 for a line nobody waits.
        (&plain, "0119", more(emergency("119"))),
        (&plain, "0119123456", Progress::Complete(outside("0119123456"))),
        (&zero, "0119", Progress::Complete(emergency("119"))),
        (&zero, "0184119", Progress::Complete(emergency("119"))),
        (&zero, "1840119", Progress::Complete(emergency("119"))),
        (&zero, "00119", more(emergency("119"))),
        (&zero, "00119123456", Progress::Complete(outside("0119123456"))),
        (&nine, "9119", Progress::Complete(emergency("119"))),
        (&nine, "90119123456", Progress::Complete(outside("0119123456"))),
        (&nine, "119", Progress::Complete(emergency("119"))),
        // Extensions.
        (&plain, "2", nothing),
        (&plain, "20", nothing),
        (&plain, "201", Progress::Complete(rings(0))),
        (&plain, "204", Progress::Invalid(Refusal::NoSuchExtension)),
        (&alike, "20", more(rings(0))),
        (&alike, "202", Progress::Complete(rings(1))),
        (&alike, "20#", Progress::Complete(rings(0))),
        (&alike, "91191", nothing),
        (&plain, "*", nothing),
        (&plain, "**", nothing),
        (&plain, "**20", nothing),
        (&plain, "**201", Progress::Complete(Dialled::PickUp(key(0)))),
        (&alike, "**20", more(Dialled::PickUp(key(0)))),
        (&plain, "**0", nothing),
        (
            &plain,
            "**01",
            Progress::Complete(Dialled::Park(ParkSlot::new(1).unwrap())),
        ),
        (
            &alike,
            "**04#",
            Progress::Complete(Dialled::Park(ParkSlot::new(4).unwrap())),
        ),
        (&plain, "**05", Progress::Invalid(Refusal::UnknownFeature)),
        (&plain, "**5", Progress::Invalid(Refusal::UnknownFeature)),
        (&plain, "***", Progress::Invalid(Refusal::UnknownFeature)),
        (&alike, "911911", Progress::Complete(rings(2))),
        // Numbers end where the plan says.
        (&plain, "039999888", nothing),
        (&plain, national, Progress::Complete(outside(national))),
        (&plain, "0901234567", nothing),
        (&plain, "09012345678", Progress::Complete(outside("09012345678"))),
        (&plain, "0600123456", more(outside("0600123456"))),
        (&plain, "06001234567", Progress::Complete(outside("06001234567"))),
        (&plain, "0312340002", Progress::Complete(rings(1))),
        (&plain, "117", Progress::Complete(outside("117"))),
        (&plain, "104", Progress::Invalid(Refusal::Ended)),
        // 0 and 117, or Sapporo without the digit for a line.
        (&zero, "0117", more(outside("117"))),
        (&zero, "0117123456", Progress::Complete(outside("0117123456"))),
        (&nine, "90399998888", Progress::Complete(outside(national))),
        (&nine, national, Progress::Invalid(Refusal::NeedsOutsidePrefix)),
        // Other countries' numbers have no known length.
        (&alike, "0101650", nothing),
        (&alike, "01016505550100", more(outside("+16505550100"))),
        (
            &alike,
            "01016505550100#",
            Progress::Complete(outside("+16505550100")),
        ),
        (
            &alike,
            "010123456789012345",
            Progress::Complete(outside("+123456789012345")),
        ),
        (&plain, "0101650555", Progress::Invalid(Refusal::International)),
        (&plain, "00", nothing),
        (&plain, "003", Progress::Invalid(Refusal::CarrierSelection)),
        (&plain, "*", nothing),
        (&plain, "*0", nothing),
        (&plain, "#", Progress::Invalid(Refusal::UnknownFeature)),
    ] {
        assert_eq!(
            complete(site, text, on()),
            progress,
            "{text} with {:?}",
            site.sys.outside_prefix
        );
    }
    let Progress::Invalid(Refusal::NotANumber(error)) = complete(&plain, "0399#", on()) else {
        panic!("ended too early");
    };
    assert_eq!((error.problem, error.at), (NumberProblem::TooShort, 4));
}

const KEYS: &[u8; 12] = b"0123456789*#";

/// Checks one string against what dialling it as a whole means; `over` is whether a shorter one was Invalid.
fn consistent(site: &Site, text: &str, over: bool) -> bool {
    let whole = dial(site, text, on());
    if over {
        assert!(whole.is_err(), "{text} is {whole:?}, and was given up");
        return true;
    }
    match complete(site, text, on()) {
        Progress::Complete(dialled) => assert_eq!(whole, Ok(dialled), "{text}"),
        Progress::Incomplete { already } => assert_eq!(whole.ok(), already, "{text}"),
        Progress::Invalid(refusal) => {
            assert_eq!(whole, Err(refusal), "{text}");
            return true;
        }
    }
    false
}

/// All strings of up to six keys.
#[test]
fn digit_by_digit_means_the_same_as_at_once() {
    fn all(site: &Site, text: &mut String, over: bool, count: &mut u32) {
        for key in KEYS {
            text.push(char::from(*key));
            *count += 1;
            let over = consistent(site, text, over);
            if text.len() < 6 {
                all(site, text, over, count);
            }
            text.pop();
        }
    }
    let sites = sites();
    std::thread::scope(|threads| {
        for site in &sites {
            threads.spawn(move || {
                let mut count = 0;
                all(site, &mut String::new(), false, &mut count);
                assert_eq!(count, (12u32.pow(7) - 12) / 11);
            });
        }
    });
}

/// Nothing longer than a complete string can be called, but where an emergency number goes first.
#[test]
fn what_is_complete_is_not_the_beginning_of_more() {
    let numbers = [
        "0399998888",
        "09012345678",
        "0120123456",
        "117",
        "201",
        "06001234567",
        "0312340000",
    ];
    for site in sites() {
        for text in numbers.iter().flat_map(|number| {
            ["", "0", "9", "184", "*1", "0184", "*2186"].map(|front| format!("{front}{number}"))
        }) {
            if let Progress::Complete(_) = complete(&site, &text, on()) {
                for key in "0123456789*".chars() {
                    let longer = complete(&site, &format!("{text}{key}"), on());
                    assert!(matches!(longer, Progress::Invalid(_)), "{text}{key}");
                }
            }
        }
    }
}

fn typed() -> impl Strategy<Value = String> {
    let front = prop::collection::vec(
        prop::sample::select(vec!["0", "9", "184", "186", "*0", "*3"]),
        0..3,
    );
    let number = prop_oneof![
        3 => "0[1-9][0-9]{8}",
        2 => "0[5-9]0[0-9]{8}",
        1 => "0[0-9]{0,15}",
        1 => "010[1-9][0-9]{5,16}",
        1 => "1[0-9]{2}",
        1 => "[0-9*#]{0,20}",
    ];
    (front, number).prop_map(|(front, number)| front.concat() + &number)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn long_strings_are_consistent_too(text in typed(), site in 0usize..4) {
        let site = &sites()[site];
        let mut over = false;
        for end in 1..=text.len() {
            over = consistent(site, &text[..end], over);
        }
    }
}
