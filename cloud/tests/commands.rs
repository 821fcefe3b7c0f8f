//! Orders as JSON, number areas, what `show contracts` tells, and answers in Japanese.

mod operator;

use std::path::Path;
use std::process::Command;

use operator::{PROGRAM, command, json, office, refused};
use serde_json::Value;

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
