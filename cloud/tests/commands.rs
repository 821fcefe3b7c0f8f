//! Orders as JSON, the question why, and answers in Japanese.

mod operator;

use std::process::Command;

use cloud::db::Db;
use operator::{PROGRAM, command, json, office, refused};
use serde_json::Value;
use shared::id::{ContractId, SessionId};
use shared::record::{CallLeg, Direction, FinalState, Side, Stamp};
use shared::sync::{Event, EventBody, EventId};

/// Every order that the README shows is one: it is carried out, or refused by a rule, but never misunderstood.
#[test]
fn the_orders_of_the_readme() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    for (order, words) in [
        ("{\"RemoveSite\":9}", "site: "),
        ("{\"Dance\":1}", "order: not an order: unknown variant `Dance`"),
        (
            "{\"Logout\":{\"id\":0,\"epoch\":1}}",
            "order: terminals log in and out where they are",
        ),
    ] {
        refused(&data, &["order", "--contract", "1", order], 2, words);
    }
    let version = json(&data, &["contract", "show", "--contract", "1"])["version"].to_string();
    let order = |version: &str| {
        let order = [
            "order",
            "--contract",
            "1",
            "--version",
            version,
            "{\"Rename\":\"山田\"}",
        ];
        command(&data, &order).status.code()
    };
    assert_eq!((order("1"), order(&version)), (Some(2), Some(0)));
    let readme = include_str!("../README.md");
    let orders: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(order, _)| order)
        .filter(|order| order.starts_with('{') || order.starts_with('"'))
        .collect();
    assert!(orders.len() >= 30, "{orders:?}");
    let refused: Vec<String> = orders
        .iter()
        .filter_map(|order| {
            let output = command(&data, &["order", "--contract", "1", order]);
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(!text.starts_with("order: "), "{order}: {text}");
            (!output.status.success()).then(|| format!("{order} {text}"))
        })
        .collect();
    // Nothing waits for a review here, and what is bought does not come back.
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused[0].contains("R14: ") && refused[1].contains("R34: "),
        "{refused:?}"
    );
    let log = json(&data, &["contract", "log", "--contract", "1"]);
    assert_eq!(log[0]["command"], "{\"Rename\":\"山田商店\"}");
}

/// "Why did it not ring?"
#[test]
fn why() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    let rep = [
        "rep",
        "add",
        "--contract",
        "1",
        "--number",
        "0312340000",
        "--label",
        "代表",
        "--members",
        "201,202",
        "--ring",
        "201",
    ];
    json(&data, &rep);
    let hours = ["hours", "set", "--contract", "1", "--week", "mon-fri 09:00-17:30"];
    json(&data, &hours);
    json(
        &data,
        &[
            "block",
            "set",
            "--contract",
            "1",
            "--callers",
            "0335550001,0120*,withheld",
        ],
    );
    let rules = [
        "number",
        "set",
        "--number",
        "0312340000",
        "--hours",
        "0",
        "--block",
        "0",
        "--unanswered",
        "0312340002",
    ];
    json(&data, &rules);
    // 2027-01-15 is a Friday.
    let ask = |from: &str, at: &str| {
        let args = ["why", "--number", "0312340000", "--from", from, "--at", at];
        json(&data, &args)
    };
    let steps = |answer: &Value| -> Vec<String> {
        let steps = answer["steps"].as_array().unwrap();
        steps
            .iter()
            .map(|step| step.as_str().unwrap().to_owned())
            .collect()
    };
    let open = ask("0335550002", "2027-01-15 09:00");
    assert_eq!(open["rings"], "0312340000");
    assert!(
        steps(&open).iter().any(|step| step == "7 weekly hours: open"),
        "{open}"
    );
    let rules: Vec<_> = open["terminals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["extension"].as_str().unwrap(),
                row["rings"] == true,
                row["rule"].as_str().unwrap(),
            )
        })
        .collect();
    // No phone is registered here: the one would ring, the other's ringing is off.
    assert_eq!(rules, [("201", false, "A18"), ("202", false, "R44")]);
    for (from, at, step) in [
        ("0335550002", "2027-01-15 17:30", "7 weekly hours: closed"),
        (
            "0335550002",
            "2027-01-11 10:00",
            "6 national holiday: Coming of Age Day, closed",
        ),
        (
            "0335550001",
            "2027-01-15 09:00",
            "2 block list: 0335550001 is blocked",
        ),
        (
            "withheld",
            "2027-01-15 09:00",
            "2 block list: withheld numbers are blocked",
        ),
    ] {
        let answer = ask(from, at);
        assert_eq!(answer["rings"], Value::Null, "{answer}");
        assert_eq!(steps(&answer).last().map(String::as_str), Some(step), "{answer}");
    }
    json(&data, &["hours", "now", "--contract", "1", "closed"]);
    let closed = ask("0335550002", "2027-01-15 09:00");
    assert_eq!(steps(&closed).last().unwrap(), "4 manual override: closed");
    json(&data, &["hours", "now", "--contract", "1", "auto"]);
    json(
        &data,
        &[
            "hours",
            "on",
            "--contract",
            "1",
            "--date",
            "2027-01-15",
            "--open",
            "closed",
        ],
    );
    let closed = ask("0335550002", "2027-01-15 09:00");
    assert_eq!(
        steps(&closed).last().unwrap(),
        "5 dated exception: 2027-01-15, closed"
    );

    // In words, in both languages.
    let args = ["why", "--number", "0312340001", "--at", "2027-01-15 09:00"];
    let said = |lang: &str| {
        let output = command(&data, &[&args[..], &["--lang", lang]].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    let (en, ja) = (said("en"), said("ja"));
    assert!(
        en.contains("the desk phone is not connected") && en.contains("R8"),
        "{en}"
    );
    assert!(ja.contains("固定電話機がつながっていないため"), "{ja}");
    refused(&data, &["why", "--number", "0399999999"], 2, "R1: ");
    refused(
        &data,
        &["why", "--session", "00112233445566778899aabbccddee0f"],
        2,
        "no record",
    );
}

/// A recorded call is asked for by its name.
#[tokio::test]
async fn why_a_recorded_call_did_not_ring() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    json(
        &data,
        &["block", "set", "--contract", "1", "--callers", "withheld"],
    );
    json(
        &data,
        &["number", "set", "--number", "0312340001", "--block", "0"],
    );
    let at = Stamp {
        mono: 1_000,
        unix: Some(1_800_000_000_000),
    };
    let leg = |number: u8, from: &str, to: &str, presented: Option<&str>| CallLeg {
        session: SessionId::from_random([number; 16]),
        leg: 0,
        side: Side::Cloud,
        direction: Direction::In,
        from: from.try_into().unwrap(),
        to: to.try_into().unwrap(),
        presented: presented.map(|number| number.parse().unwrap()),
        terminal: None,
        started: at,
        ringing: None,
        answered: None,
        ended: at,
        state: FinalState::Refused(403),
        status: 403,
    };
    let legs = [
        leg(1, "0335550001", "0312340001", None),
        leg(2, "0335550001", "0312340001", Some("0335550001")),
        leg(3, "0312340001", "0335550001", Some("0312340001")),
    ];
    let db = Db::open(&data).await.unwrap();
    for (seq, leg) in (0..).zip(legs) {
        let event = Event {
            id: EventId { boot: 1, seq },
            at,
            body: EventBody::CallLeg(leg),
        };
        db.commit_own(&[(ContractId(1), event)]).await.unwrap();
    }
    db.close().await;
    let session = |number: u8| SessionId::from_random([number; 16]).text().to_string();
    let ask = |number| json(&data, &["why", "--session", &session(number)]);
    let withheld = ask(1);
    assert_eq!(withheld["at"], "2027-01-15 17:00");
    let steps = withheld["steps"].as_array().unwrap();
    assert_eq!(
        steps.last().unwrap(),
        "2 block list: withheld numbers are blocked"
    );
    assert_eq!(ask(2)["rings"], "0312340001");
    // It went out: that no phone rang here is no wonder.
    refused(&data, &["why", "--session", &session(3)], 2, "R1: ");
}

/// Refusals are in the language of whoever asks.
#[test]
fn refusals_in_japanese() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    let remove = [
        "id",
        "remove",
        "--contract",
        "1",
        "--extension",
        "201",
        "--lang",
        "ja",
    ];
    refused(&data, &remove, 2, "基本ID");
    let output = Command::new(PROGRAM)
        .arg("--data")
        .arg(&data)
        .args(&remove[..6])
        .env("LANG", "ja_JP.UTF-8")
        .env("RUST_LOG", "warn")
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("基本ID"));
    let check = ["area", "check", "--number", "0312340001", "--address"];
    for (address, verdict) in [
        ("東京都千代田区丸の内一丁目", "allowed"),
        ("埼玉県さいたま市浦和区", "denied"),
        ("東京都狛江市", "needs review"),
    ] {
        assert_eq!(
            json(&data, &[&check[..], &[address]].concat())["verdict"],
            verdict,
            "{address}"
        );
    }
}
