//! The question why: what was decided about a call, or would be, step by step.

mod operator;

use cloud::control::{Answer, CallInfo, Control};
use cloud::db::Db;
use operator::{command, json, office, refused};
use serde_json::Value;
use shared::id::{ContractId, SessionId};
use shared::record::{CallLeg, Direction, FinalState, Side, Stamp};
use shared::sync::{Event, EventBody, EventId};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::mpsc;

#[test]
fn why_it_did_not_ring() {
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
    refused(
        &data,
        &["why", "--number", "0399999999"],
        2,
        "R1: no contract has the number 0399999999",
    );
    let foreground = |extension| ["why", "--number", "0312340001", "--foreground", extension];
    refused(&data, &foreground("999"), 2, "no ID with the extension 999");
    refused(&data, &foreground("201"), 2, "201 is no app");
    assert_eq!(steps(&open)[0], "0 emergency call-back: not asked");
    let suspend =
        r#"{"Suspend":["0312340001",{"cause":"Unpaid","reason":"10月分","by":"経理","since":"2026-11-01"}]}"#;
    json(&data, &["order", "--contract", "1", suspend]);
    let (en, ja) = (said("en"), said("ja"));
    assert!(en.ends_with("nobody rings: the number is suspended\n"), "{en}");
    assert!(ja.ends_with("呼び出しなし: 利用停止中\n"), "{ja}");
    assert!(ja.contains("0 緊急通報の呼び返し: 確認していません"), "{ja}");
    refused(
        &data,
        &["why", "--session", "00112233445566778899aabbccddee0f"],
        2,
        "no record",
    );
}

#[tokio::test]
async fn a_recorded_call_is_asked_for_by_its_name() {
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
        leg(4, "anonymous", "0312340001", None),
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
    // Who is nobody is withheld, with and without `Privacy`.
    let anonymous = ask(4);
    let steps = anonymous["steps"].as_array().unwrap();
    assert_eq!(
        steps.last().unwrap(),
        "2 block list: withheld numbers are blocked"
    );
    // It went out: that no phone rang here is no wonder.
    refused(&data, &["why", "--session", &session(3)], 2, "R1: ");
}

/// A desk phone that calls frees the apps, where the contract says so (A18): the running server knows of it.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_known_who_is_in_a_call() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    for line in [
        "id add --contract 1 --direct 05012340003 --extension 203 --label 外出 --kind app",
        "rep add --contract 1 --number 0312340000 --label 代表 --members 201,203",
        "contract set --contract 1 --busy-frees-apps true",
    ] {
        json(&data, &line.split(' ').collect::<Vec<_>>());
    }
    let options = SqliteConnectOptions::new().filename(data.join("denwaban.db"));
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(
        "INSERT INTO registration (source, user, contact, since) VALUES ('box', '0312340001', '', 0)",
    )
    .execute(&mut database)
    .await
    .unwrap();
    database.close().await.unwrap();
    let rules = || {
        let answer = json(&data, &["why", "--number", "0312340000", "--foreground", "203"]);
        let rule = |row: &Value| format!("{} {}", row["extension"], row["reason"]);
        let rows = answer["terminals"].as_array().unwrap();
        rows.iter().map(rule).collect::<Vec<_>>().join(", ")
    };
    let idle = rules();
    assert!(idle.contains("the app is in the foreground"), "{idle}");

    let control = Control::bind(&data.join("control.sock")).await.unwrap();
    let (sender, mut questions) = mpsc::channel(1);
    tokio::spawn(async move { control.serve(sender).await });
    tokio::spawn(async move {
        while let Some((_, back)) = questions.recv().await {
            let call = CallInfo {
                contract: 1,
                terminal: Some(0),
                ..CallInfo::default()
            };
            let _ = back.send(Answer::Calls(vec![call]));
        }
    });
    let busy = rules();
    assert!(busy.contains("no desk phone of the group rings"), "{busy}");
}
