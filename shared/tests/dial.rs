//! What dialled digits mean.

mod common;

use common::{key, number, office};
use shared::date::Date;
use shared::dial::{Dialled, ParkSlot, Present, Privacy, Refusal, allowed, dial};
use shared::number::NumberProblem;
use shared::number::plan::Kind;
use shared::site::Site;

/// On a day of November 2026.
fn today(site: &Site, text: &str) -> Result<Dialled, Refusal> {
    dial(site, text, Date::new(2026, 11, 26))
}

fn outside(text: &str, privacy: Privacy) -> Result<Dialled, Refusal> {
    presenting(text, privacy, Present::Usual)
}

fn presenting(text: &str, privacy: Privacy, present: Present) -> Result<Dialled, Refusal> {
    Ok(Dialled::Outside {
        number: number(text),
        privacy,
        present,
    })
}

#[test]
fn an_emergency_call_is_one_whatever_stands_before_it() {
    for prefix in [None, Some(0), Some(9)] {
        let mut site = office();
        site.sys.outside_prefix = prefix;
        for code in ["110", "118", "119"] {
            for before in ["", "0", "184", "186", "0184", "1840", "1860", "00", "tel:", " "] {
                let text = format!("{before}{code}");
                assert_eq!(
                    today(&site, &text),
                    Ok(Dialled::Emergency(number(code))),
                    "{text}, prefix {prefix:?}"
                );
            }
        }
        let nine = today(&site, "9119");
        assert_eq!(
            nine == Ok(Dialled::Emergency(number("119"))),
            prefix == Some(9),
            "{nine:?}"
        );
        assert_eq!(today(&site, "１１９"), Ok(Dialled::Emergency(number("119"))));
    }
    // Numbers that only begin so.
    let site = office();
    for text in ["0119123456", "0110123456", "1100", "11"] {
        assert!(!matches!(today(&site, text), Ok(Dialled::Emergency(_))), "{text}");
    }
}

#[test]
fn an_extension_that_begins_with_9_is_one_where_9_is_no_outside_digit() {
    let mut site = office();
    site.ids[0].extension = "9119".parse().unwrap();
    site.validate().unwrap();
    assert_eq!(today(&site, "9119"), Ok(Dialled::Extension(key(0))));
    site.sys.outside_prefix = Some(9);
    assert!(site.validate().is_err(), "and where it is, there can be none");
}

#[test]
fn what_is_dialled_without_an_outside_digit() {
    let mut site = office();
    site.sys.international = true;
    for (text, meaning) in [
        ("201", Ok(Dialled::Extension(key(0)))),
        ("２０２", Ok(Dialled::Extension(key(1)))),
        ("0312340003", Ok(Dialled::Extension(key(2)))),
        ("+81312340001", Ok(Dialled::Extension(key(0)))),
        ("1840312340001", Ok(Dialled::Extension(key(0)))),
        ("0312340000", Ok(Dialled::Rep(0))),
        ("03-9999-8888", outside("0399998888", Privacy::Default)),
        ("184 03-9999-8888", outside("0399998888", Privacy::Withhold)),
        ("186-03-9999-8888", outside("0399998888", Privacy::Show)),
        ("0184221234", outside("0184221234", Privacy::Default)),
        ("0186221234", outside("0186221234", Privacy::Default)),
        ("184-0184-22-1234", outside("0184221234", Privacy::Withhold)),
        ("010-1-650-555-0100", outside("+16505550100", Privacy::Default)),
        ("117", outside("117", Privacy::Default)),
        ("184117", outside("117", Privacy::Withhold)),
        ("299", Err(Refusal::NoSuchExtension)),
        ("**1", Err(Refusal::UnknownFeature)),
        ("#", Err(Refusal::UnknownFeature)),
    ] {
        assert_eq!(today(&site, text), meaning, "{text}");
    }
    site.sys.international = false;
    assert_eq!(today(&site, "+16505550100"), Err(Refusal::International));
    for (text, problem) in [
        ("", NumberProblem::Empty),
        ("03123456789", NumberProblem::TooLong),
        ("alice", NumberProblem::Character),
        ("184", NumberProblem::TooShort),
        ("0186", NumberProblem::TooShort),
    ] {
        let Err(Refusal::NotANumber(error)) = today(&site, text) else {
            panic!("{text} was taken")
        };
        assert_eq!(error.problem, problem, "{text}");
    }
}

#[test]
fn what_is_dialled_with_0_for_a_line() {
    let mut site = office();
    site.sys.outside_prefix = Some(0);
    for (text, meaning) in [
        ("0 03-9999-8888", outside("0399998888", Privacy::Default)),
        ("03-9999-8888", outside("0399998888", Privacy::Default)),
        ("0 184 03-9999-8888", outside("0399998888", Privacy::Withhold)),
        ("184 0 03-9999-8888", outside("0399998888", Privacy::Withhold)),
        ("0184221234", outside("0184221234", Privacy::Default)),
        ("0 0184221234", outside("0184221234", Privacy::Default)),
        ("0117", outside("117", Privacy::Default)),
        ("0 0312340001", Ok(Dialled::Extension(key(0)))),
        ("201", Ok(Dialled::Extension(key(0)))),
    ] {
        assert_eq!(today(&site, text), meaning, "{text}");
    }
}

#[test]
fn what_is_dialled_with_9_for_a_line() {
    let mut site = office();
    site.sys.outside_prefix = Some(9);
    for (text, meaning) in [
        ("9 03-9999-8888", outside("0399998888", Privacy::Default)),
        ("9 186 03-9999-8888", outside("0399998888", Privacy::Show)),
        ("03-9999-8888", Err(Refusal::NeedsOutsidePrefix)),
        ("+81399998888", outside("0399998888", Privacy::Default)),
        ("9117", outside("117", Privacy::Default)),
        ("201", Ok(Dialled::Extension(key(0)))),
    ] {
        assert_eq!(today(&site, text), meaning, "{text}");
    }
}

#[test]
fn a_caller_id_is_chosen_for_one_call() {
    let mut site = office();
    for (text, meaning) in [
        (
            "*0 03-9999-8888",
            presenting("0399998888", Privacy::Default, Present::Direct),
        ),
        (
            "*1 03-9999-8888",
            presenting("0399998888", Privacy::Default, Present::Rep(1)),
        ),
        (
            "*9 184 03-9999-8888",
            presenting("0399998888", Privacy::Withhold, Present::Rep(9)),
        ),
        ("*1 117", presenting("117", Privacy::Default, Present::Rep(1))),
        // Nothing is presented inside, and the fire brigade sees what it has to.
        ("*1 202", Ok(Dialled::Extension(key(1)))),
        ("*1 03-1234-0002", Ok(Dialled::Extension(key(1)))),
        ("*1 119", Ok(Dialled::Emergency(number("119")))),
        ("*0 184 119", Ok(Dialled::Emergency(number("119")))),
        // Takes what rings there.
        ("**201", Ok(Dialled::PickUp(key(0)))),
        ("**202#", Ok(Dialled::PickUp(key(1)))),
        ("**204", Err(Refusal::NoSuchExtension)),
        // Parks there, or takes what is parked.
        ("**01", Ok(Dialled::Park(ParkSlot::new(1).unwrap()))),
        ("**04#", Ok(Dialled::Park(ParkSlot::new(4).unwrap()))),
        ("**00", Err(Refusal::UnknownFeature)),
        ("**05", Err(Refusal::UnknownFeature)),
        ("**011", Err(Refusal::UnknownFeature)),
        ("**", Err(Refusal::UnknownFeature)),
        ("**119", Err(Refusal::UnknownFeature)),
        ("**0312340001", Err(Refusal::UnknownFeature)),
        ("***201", Err(Refusal::UnknownFeature)),
        ("*", Err(Refusal::UnknownFeature)),
        ("*#1", Err(Refusal::UnknownFeature)),
        ("#1", Err(Refusal::UnknownFeature)),
    ] {
        assert_eq!(today(&site, text), meaning, "{text}");
    }
    site.sys.outside_prefix = Some(9);
    let chosen = presenting("0399998888", Privacy::Default, Present::Rep(1));
    assert_eq!(today(&site, "*1 9 03-9999-8888"), chosen);

    let mut second = site.reps[0].clone();
    second.number = number("0312340009");
    second.members.remove(key(2));
    site.reps.push(second).unwrap();
    let wished = |present: Present, id: usize| present.number(&site, &site.ids[id]);
    assert_eq!(wished(Present::Usual, 0), Ok(None));
    assert_eq!(wished(Present::Direct, 0), Ok(Some(number("0312340001"))));
    assert_eq!(wished(Present::Rep(1), 0), Ok(Some(number("0312340000"))));
    assert_eq!(wished(Present::Rep(2), 0), Ok(Some(number("0312340009"))));
    assert_eq!(wished(Present::Rep(3), 0), Err(Refusal::NoSuchRep(3)));
    // Not a member of the second.
    assert_eq!(wished(Present::Rep(2), 2), Err(Refusal::NoSuchRep(2)));
    assert_eq!(wished(Present::Rep(0), 2), Err(Refusal::NoSuchRep(0)));
}

#[test]
fn what_is_not_called_is_refused_with_its_reason() {
    let site = office();
    for (text, refusal) in [
        ("0990123456", Refusal::Barred(Kind::Premium)),
        ("0180123456", Refusal::Barred(Kind::Teledome)),
        ("02012345678", Refusal::Barred(Kind::M2m)),
        ("02041234567", Refusal::Barred(Kind::Pager)),
        ("177", Refusal::Ended),
        ("104", Refusal::Ended),
        ("184104", Refusal::Ended),
        ("199", Refusal::Unassigned),
        (
            "0330",
            Refusal::NotANumber(shared::NumberError {
                problem: NumberProblem::TooShort,
                at: 4,
            }),
        ),
        (
            "0330#",
            Refusal::NotANumber(shared::NumberError {
                problem: NumberProblem::TooShort,
                at: 4,
            }),
        ),
        ("00312345678", Refusal::CarrierSelection),
        ("0033-03-9999-8888", Refusal::CarrierSelection),
        ("184 0077 03-9999-8888", Refusal::CarrierSelection),
    ] {
        assert_eq!(today(&site, text), Err(refusal), "{text}");
        assert!(!refusal.to_string().is_empty() && !refusal.japanese().to_string().is_empty());
        // It stands within quotes in a header.
        let short = refusal.short();
        assert!(short.len() <= 40 && !short.contains(['"', '\\']), "{short}");
    }
    for text in [
        "0570123456",
        "0120123456",
        "08001234567",
        "05012345678",
        "06012345678",
    ] {
        assert_eq!(today(&site, text), outside(text, Privacy::Default), "{text}");
    }
}

/// What the cloud asks of a number that a box has read: the same as when it is dialled.
#[test]
fn a_number_may_be_called_or_not_however_it_was_read() {
    let mut site = office();
    let on = Date::new(2026, 11, 26);
    for text in [
        "0990123456",
        "02012345678",
        "104",
        "199",
        "+16505550100",
        "0399998888",
        "117",
    ] {
        let judged = allowed(&site, number(text), on);
        assert_eq!(judged.err(), today(&site, text).err(), "{text}");
    }
    site.sys.international = true;
    assert_eq!(allowed(&site, number("+16505550100"), on), Ok(()));
    assert_eq!(allowed(&site, number("199"), None), Err(Refusal::Unassigned));
}

#[test]
fn the_day_decides_and_without_it_the_network_does() {
    let site = office();
    let day = |text: &str| Some(text.parse::<Date>().unwrap());
    for (text, on, meaning) in [
        ("104", day("2026-03-31"), outside("104", Privacy::Default)),
        ("104", day("2026-04-01"), Err(Refusal::Ended)),
        ("104", None, outside("104", Privacy::Default)),
        ("06012345678", day("2026-06-30"), Err(Refusal::Unassigned)),
        (
            "06012345678",
            day("2026-07-01"),
            outside("06012345678", Privacy::Default),
        ),
        ("06012345678", None, outside("06012345678", Privacy::Default)),
        ("0990123456", None, Err(Refusal::Barred(Kind::Premium))),
        ("199", None, Err(Refusal::Unassigned)),
    ] {
        assert_eq!(dial(&site, text, on), meaning, "{text} on {on:?}");
    }
}
