//! Commands as JSON, as people write them: what is misspelt, left out or empty is refused and never taken for something
//! else.

use contract::command::{IdChange, RepChange};
use contract::model::{Settings, Suspension, SuspensionCause};
use contract::{Command, Refusal};
use shared::route::NumberRules;

use crate::common::*;
use crate::{change_id, change_rep};

fn read(text: &str) -> Result<Command, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

const SET: &str = r#"{"Set": {"outside_prefix": null, "international": false, "busy_frees_apps": true}}"#;
const RULES: &str = r#"{"SetRules": ["0312340000", {"schedule": null, "block": null, "closed": "End", "unanswered": "End"}]}"#;
const HOURS: &str = r#"{"SetSchedule": [0, {"weekly": [[],[],[],[],[],[],[]], "holidays": null,
    "exceptions": [{"date": "2027-01-04", "hours": []}], "manual": {"state": "Closed", "until": null}}]}"#;

#[test]
fn nothing_given_is_null_and_nothing_left_out_is() {
    let settings = Settings {
        busy_frees_apps: true,
        ..Settings::default()
    };
    assert_eq!(read(SET), Ok(Command::Set(settings)));
    let rules = Command::SetRules(number("0312340000"), NumberRules::default());
    assert_eq!(read(RULES), Ok(rules));
    assert!(read(HOURS).is_ok());
    for (text, fields) in [
        (SET, &["outside_prefix", "international", "busy_frees_apps"][..]),
        (RULES, &["schedule", "block", "closed", "unanswered"]),
        (
            HOURS,
            &[
                "weekly",
                "holidays",
                "exceptions",
                "date",
                "hours",
                "manual",
                "state",
                "until",
            ],
        ),
    ] {
        for field in fields {
            // Misspelt, it is not known; what it should be is not there.
            let misspelt = text.replace(&format!("\"{field}\""), &format!("\"{field}x\""));
            let error = read(&misspelt).unwrap_err();
            assert!(error.contains(&format!("unknown field `{field}x`")), "{error}");
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            let left_out = without(value(text), field);
            let error = serde_json::from_value::<Command>(left_out)
                .unwrap_err()
                .to_string();
            assert!(error.contains(&format!("missing field `{field}`")), "{error}");
        }
    }
}

fn without(value: serde_json::Value, field: &str) -> serde_json::Value {
    use serde_json::Value::{Array, Object};
    match value {
        Array(all) => Array(all.into_iter().map(|one| without(one, field)).collect()),
        Object(all) => {
            let left = all.into_iter().filter(|(name, _)| name != field);
            Object(left.map(|(name, one)| (name, without(one, field))).collect())
        }
        other => other,
    }
}

#[test]
fn what_is_misspelt_is_refused() {
    for (text, field) in [
        (r#"{"ChangeId": [0, {"direct_on": false}]}"#, "direct_on"),
        (r#"{"ChangeRep": ["0312340000", {"rings": [201]}]}"#, "rings"),
        (r#"{"ChangeRep": ["0312340000", {"subcap": 1}]}"#, "subcap"),
        (
            r#"{"AddSite": {"id": 2, "name": "支店", "adress": "東京都港区芝一丁目"}}"#,
            "adress",
        ),
        (
            r#"{"AddId": {"direct": "0312340001", "extension": 201, "label": "1", "kind": "App", "sight": 2}}"#,
            "sight",
        ),
        (
            r#"{"AddRep": {"rep": {"number": "0312340000", "label": "代表", "members": [201], "rings": []}, "usage": ""}}"#,
            "rings",
        ),
        (
            r#"{"PortOut": {"line": "0312340000", "nxt": "0312340001"}}"#,
            "nxt",
        ),
        (
            r#"{"Suspend": [null, {"cause": "Unpaid", "reason": "10月分", "by": "経理", "since": "2026-04-01", "until": "2026-05-01"}]}"#,
            "until",
        ),
        (
            r#"{"Review": [1, {"zone": "219", "address": "東京都港区芝", "document": "登記簿", "by": "審査係", "on": "2026-04-01", "of": ""}]}"#,
            "of",
        ),
        (
            r#"{"OrderDevice": {"model": "Gxp1628", "acquisition": "Rental", "site": 1, "ports": [0], "interface": "Ip", "mac": ""}}"#,
            "mac",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(&format!("unknown field `{field}`")), "{error}");
    }
    // Nothing and no cap are two things.
    let cap = |sub_cap| RepChange {
        sub_cap,
        ..RepChange::default()
    };
    for (text, sub_cap) in [
        ("{}", None),
        (r#"{"sub_cap": null}"#, Some(None)),
        (r#"{"sub_cap": 2}"#, Some(Some(2))),
    ] {
        assert_eq!(serde_json::from_str::<RepChange>(text).unwrap(), cap(sub_cap));
    }
}

#[test]
fn what_changes_nothing_is_refused() {
    let (world, given) = (World::default(), contract(2, 1));
    let nothing = Refusal::NothingToChange;
    assert_eq!(
        world.refusal(&given, change_rep("0355550000", RepChange::default())),
        nothing
    );
    assert_eq!(world.refusal(&given, change_id(0, IdChange::default())), nothing);
    // A password is none of the contract's matter; that there is another one is.
    assert_eq!(world.rule(&given, Command::NewPassword(key(9))), "R5");
    let same = world.apply(&given, &Command::NewPassword(key(1)));
    assert_eq!(same, Ok((given, vec![])));
}

#[test]
fn a_suspension_says_why_and_holds_at_once() {
    let (world, given) = (World::default(), contract(2, 1));
    let suspend = |reason: &str, by: &str, since: &str| {
        let suspension = Suspension {
            cause: SuspensionCause::Legal,
            reason: reason.into(),
            by: by.into(),
            since: day(since),
        };
        Command::Suspend(None, suspension)
    };
    for (command, refusal) in [
        (suspend(" ", "県警", "2026-04-01"), Refusal::SuspensionUnstated),
        (suspend("照会 12", "", "2026-04-01"), Refusal::SuspensionUnstated),
        (
            suspend("照会 12", "県警", "2026-04-02"),
            Refusal::SuspensionLater(day("2026-04-02")),
        ),
    ] {
        assert_eq!(world.refusal(&given, command), refusal);
    }
    assert!(
        world
            .apply(&given, &suspend("照会 12", "県警", "2026-03-31"))
            .is_ok()
    );
}
