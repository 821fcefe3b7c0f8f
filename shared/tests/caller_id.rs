//! Which number a call presents: the closed set of R9 and R22 to R25, for every number and terminal.

mod common;

use common::{key, number, office};
use shared::caller_id::{Presented, Refusal, check, choices, emergency, present};
use shared::dial::Privacy;
use shared::{Number, Site};

/// ID 2 is not in the group.
fn site() -> Site {
    let mut site = office();
    site.reps[0].members.remove(key(2));
    site.reps[0].ring.remove(key(2));
    site.validate().unwrap();
    site
}

#[test]
fn nothing_outside_the_set() {
    let mut site = site();
    site.ids[1].direct_out = false;
    site.ids[1].outgoing = number("0312340000");
    site.validate().unwrap();
    let [not_owned, not_member, off, foreign] = [
        Refusal::NotOwned,
        Refusal::NotMember,
        Refusal::DirectOff,
        Refusal::Foreign,
    ]
    .map(Err);
    // For each number, what IDs 0, 1 and 2 get.
    let table = [
        ("0312340001", [Ok(()), not_owned, not_owned]),
        ("0312340002", [not_owned, off, not_owned]),
        ("0312340003", [not_owned, not_owned, Ok(())]),
        ("0312340000", [Ok(()), Ok(()), not_member]),
        ("0399999999", [foreign; 3]),
        ("119", [foreign; 3]),
    ];
    for (text, expected) in table {
        let number = number(text);
        for (index, expected) in expected.into_iter().enumerate() {
            let id = &site.ids[index];
            assert_eq!(check(&site, id, number), expected, "{text} by ID {index}");
            assert_eq!(
                choices(&site, id).any(|choice| choice == number),
                expected.is_ok(),
                "R22"
            );
            let wished = present(&site, id, Some(number), Privacy::Default);
            assert_eq!(
                wished.map(|presented| presented.number),
                expected.map(|()| number),
                "R23"
            );
        }
    }
    let rules = [
        Refusal::Foreign,
        Refusal::NotOwned,
        Refusal::NotMember,
        Refusal::DirectOff,
    ]
    .map(Refusal::rule);
    assert_eq!(rules, ["R9", "R9", "R22", "R25"]);
}

#[test]
fn the_usual_number_unless_one_is_wished_for_one_call() {
    let mut site = site();
    let rep = number("0312340000");
    site.ids[0].outgoing = rep;
    let id = &site.ids[0];
    let table: [(Option<Number>, Privacy, Number, bool); 4] = [
        (None, Privacy::Default, rep, false),
        (None, Privacy::Withhold, rep, true),
        (None, Privacy::Show, rep, false),
        (Some(id.direct), Privacy::Withhold, id.direct, true),
    ];
    for (wish, privacy, number, withheld) in table {
        assert_eq!(
            present(&site, id, wish, privacy),
            Ok(Presented { number, withheld })
        );
    }
    assert_eq!(choices(&site, id).collect::<Vec<_>>(), [id.direct, rep]);
}

#[test]
fn an_emergency_call_tells_the_place() {
    // (direct number, usual number, presented)
    let table = [
        ("0312340001", "0312340000", "0312340001"),
        ("0312340001", "0312340001", "0312340001"),
        ("05012340001", "0312340000", "0312340000"),
        ("05012340001", "05012340001", "0312340000"),
        ("0120123456", "0120123456", "0312340000"),
    ];
    for (direct, outgoing, expected) in table {
        let mut site = site();
        // R25: whether it is switched off for other calls does not matter.
        site.ids[0].direct_out = false;
        site.ids[0].direct = number(direct);
        site.ids[0].outgoing = number(outgoing);
        assert_eq!(
            emergency(&site, &site.ids[0]),
            number(expected),
            "{direct} {outgoing}"
        );
    }
    // No number of its own tells the place: then at least the one that rings it.
    let mut site = site();
    site.ids[2].direct = number("05012340003");
    site.ids[2].outgoing = site.ids[2].direct;
    assert_eq!(emergency(&site, &site.ids[2]), site.ids[2].direct);
}

/// A group's number may be another site's, in another city.
#[test]
fn an_emergency_call_never_tells_another_sites_place() {
    // (direct number of ID 0 in Tokyo, of IDs 1 and 2 at the other site, usual number of ID 1, presented by ID 1)
    let table = [
        (
            "0312340001",
            ["05012340002", "05012340003"],
            "0312340000",
            "05012340002",
        ),
        (
            "0312340001",
            ["05012340002", "0665550003"],
            "0312340000",
            "05012340002",
        ),
        (
            "0312340001",
            ["05012340002", "0665550003"],
            "0665550000",
            "0665550000",
        ),
        // The group's number in Osaka is found although the usual one is in Tokyo.
        (
            "0312340001",
            ["0120123456", "0665550003"],
            "0312340000",
            "0665550000",
        ),
        (
            "0312340001",
            ["0665550002", "0665550003"],
            "0312340000",
            "0665550002",
        ),
        (
            "0665550001",
            ["05012340002", "0312340003"],
            "0312340000",
            "0312340000",
        ),
    ];
    for (first, others, usual, expected) in table {
        let mut site = office();
        let osaka = shared::site::Rep {
            number: number("0665550000"),
            ..site.reps[0].clone()
        };
        let uses_osaka = expected == "0665550000";
        if uses_osaka {
            site.reps.push(osaka).unwrap();
        }
        site.ids[0].direct = number(first);
        for (id, direct) in site.ids[1..].iter_mut().zip(others) {
            id.direct = number(direct);
            id.site = shared::SiteId(2);
        }
        site.ids[1].outgoing = number(usual);
        // Whichever site's box or cloud asks.
        for asked_at in [1, 2] {
            site.sys.site = shared::SiteId(asked_at);
            let presented = emergency(&site, &site.ids[1]);
            assert_eq!(presented, number(expected), "{first} {others:?} {usual}");
        }
    }
}
