//! Orders as JSON, the question why, number areas, what `show contracts` tells, and answers in Japanese.

mod operator;

use std::path::Path;
use std::process::Command;

use cloud::control::{Answer, CallInfo, Control};
use cloud::db::Db;
use operator::{PROGRAM, command, json, office, refused};
use serde_json::Value;
use shared::id::{ContractId, SessionId};
use shared::record::{CallLeg, Direction, FinalState, Side, Stamp};
use shared::sync::{Event, EventBody, EventId};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::mpsc;

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
async fn why_knows_who_is_in_a_call() {
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

/// `area check` says what an order would: other numbers than geographic ones have no area to ask.
#[test]
fn numbers_without_an_area() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    let check = |number| {
        [
            "area",
            "check",
            "--address",
            "東京都千代田区丸の内一丁目",
            "--number",
            number,
        ]
    };
    assert_eq!(json(&data, &check("05012345678"))["verdict"], "allowed");
    for (number, words) in [("119", "R1: "), ("117", "R1: "), ("+12125550123", "R1: ")] {
        refused(&data, &check(number), 2, words);
    }
    refused(&data, &check("09012345678"), 2, "R18: ");
    refused(&data, &check("03x2345678"), 2, "at character 3");
    let said = command(&data, &[&check("0312345678")[..], &["--lang", "ja"]].concat());
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said, "R18: 0312345678の番号区画は219 東京: 利用できます\n");
}

/// Lists that know less than the program are not taken; whole ones are, and can be left again.
#[test]
fn lists_of_areas_come_whole() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    let shipped = include_str!("../../shared/contract/data/areas.tsv");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let import = |path: &str| command(&data, &["area", "import", "--areas", path, "--json"]);
    let verdict = |address, number| {
        let check = ["area", "check", "--address", address, "--number", number];
        json(&data, &check)["verdict"].as_str().unwrap().to_owned()
    };
    let osaka = || verdict("大阪府大阪市北区梅田一丁目", "0661230001");
    let one = file(
        "one.csv",
        "番号区画コード,番号区画,市外局番\n385,大阪府大阪市,06\n",
    );
    refused(&data, &["area", "import", "--areas", &one], 2, "219 東京");
    assert_eq!(
        verdict("東京都千代田区丸の内一丁目", "0312340001"),
        "allowed",
        "nothing was replaced"
    );
    assert_eq!(osaka(), "needs review");
    let more = file("more.tsv", &format!("{shipped}385\t大阪府大阪市\t06\t大阪\n"));
    let taken: Value = serde_json::from_slice(&import(&more).stdout).unwrap();
    assert!(taken["changed"].as_u64() > Some(0), "{taken}");
    assert_eq!(osaka(), "allowed");
    assert_eq!(import(&more).status.code(), Some(0));
    let back = json(&data, &["area", "import", "--reset"]);
    assert_eq!(back["changed"], taken["changed"]);
    assert_eq!(osaka(), "needs review");
    assert_eq!(json(&data, &["area", "import", "--reset"])["changed"], 0);
}

/// The operator finds keys and everything a contract has without reading JSON.
#[test]
fn all_of_a_contract() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    let run = |line: &str| {
        let words: Vec<&str> = line.split('|').collect();
        let output = command(&data, &words);
        assert!(output.status.success(), "{line}: {output:?}");
    };
    run("hours|set|--contract|1|--week|mon-fri 09:00-12:00 13:00-18:00, sat 10:00-15:00");
    run("hours|on|--contract|1|--date|2027-01-04|--open|closed");
    run("hours|now|--contract|1|closed|--until|2099-01-01 09:00");
    run("block|set|--contract|1|--callers|0335550001,0120*,withheld");
    run("number|set|--number|0312340001|--hours|0|--block|0|--closed|0312340002");
    run(
        r#"order|--contract|1|{"OrderDevice":{"model":"Gxp1628","acquisition":"Rental","site":1,"ports":[1],"interface":"Analog"}}"#,
    );
    let past = [
        "hours",
        "now",
        "--contract",
        "1",
        "closed",
        "--until",
        "2026-01-01 09:00",
    ];
    refused(&data, &past, 2, "hours: 2026-01-01 09:00 is over");
    let shown = || String::from_utf8(command(&data, &["show", "contracts"]).stdout).unwrap();
    let text = shown();
    let fields = |begins: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.trim_start().starts_with(begins));
        let words = line.unwrap_or_else(|| panic!("{begins}: {text}"));
        words.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(fields("ID ")[..3], ["ID", "extension", "key"]);
    assert_eq!(fields("0312340002")[..3], ["0312340002", "202", "1"]);
    for line in [
        "  hours 0: mon-fri 09:00-12:00 13:00-18:00, sat 10:00-15:00, holidays closed, 2027-01-04 closed, closed by hand \
         until 2099-01-01 09:00",
        "  block 0: 0335550001, 0120*, withheld",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(
        text.contains("calls to") && text.contains("after hours") && text.contains("Grandstream GXP1628"),
        "{text}"
    );
    run(r#"order|--contract|1|"End""#);
    assert!(shown().contains("\n  ended 20"), "{}", shown());
    let out = dir.path().join("factory.bin");
    let out = out.to_str().unwrap();
    let create = ["box", "create", "--site", "1", "--host", "h", "--out", out];
    refused(&data, &create, 2, "the contract ended on");
    assert!(!Path::new(out).exists());
}

/// The office of the README is one, and what it asks about that office has an answer.
#[test]
fn the_office_of_the_readme() {
    let dir = tempfile::tempdir().unwrap();
    let readme = include_str!("../README.md");
    let lines = readme
        .lines()
        .filter_map(|line| line.strip_prefix("denwaban-cloud "));
    let mut asked = 0;
    for line in lines {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if line.starts_with("serve") || line.starts_with("why --session") || line.starts_with("order") {
            continue;
        }
        let mut words: Vec<String> = Vec::new();
        for (index, part) in line.split('\'').enumerate() {
            match index % 2 {
                0 => words.extend(part.split_whitespace().map(str::to_owned)),
                _ => words.push(part.to_owned()),
            }
        }
        let output = Command::new(PROGRAM)
            .args(&words)
            .current_dir(dir.path())
            .env("RUST_LOG", "warn")
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        if line.starts_with("why") {
            asked += 1;
            let app = said
                .lines()
                .find(|line| line.trim_start().starts_with("203"))
                .unwrap();
            assert!(app.contains("R21") || app.contains("R19"), "{said}");
        }
    }
    assert_eq!(asked, 1);
}

/// A telephone at a port of the box: who is there, what is refused, in both languages; and the test of its line.
#[test]
fn a_port_of_the_box() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    let add = [
        "id",
        "add",
        "--contract",
        "1",
        "--direct",
        "0312340009",
        "--extension",
        "209",
        "--label",
        "FAX",
        "--kind",
        "adapter",
    ];
    json(&data, &add);
    let plug = |extension: &'static str, port: &'static str| {
        [
            "id",
            "plug",
            "--contract",
            "1",
            "--extension",
            extension,
            "--port",
            port,
        ]
    };
    let done = json(&data, &[&plug("209", "1")[..], &["--fax"]].concat());
    assert_eq!(done["port"]["fax"], true);
    let shown = || {
        let output = command(&data, &["show", "contracts"]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(shown().contains("adapter at port 1"), "{}", shown());
    refused(&data, &plug("201", "2"), 2, "R5: ");
    refused(
        &data,
        &plug("209", "9"),
        2,
        "R41: a box has no analog port 9. Choose 1 to 4.",
    );
    let ja = [&["--lang", "ja"], &plug("209", "9")[..]].concat();
    refused(&data, &ja, 2, "R41: ゲートウェイに電話ポート9はありません");
    json(&data, &["id", "unplug", "--contract", "1", "--extension", "209"]);
    assert!(!shown().contains("at port"), "{}", shown());
    let test = ["box", "test-line", "--box", "aerukz4jvpg66", "--port", "1"];
    refused(
        &data,
        &test,
        2,
        "server: box aerukz4jvpg66 is not connected to a running server",
    );
}
