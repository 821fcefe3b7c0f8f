//! What independent libraries say of all heads and all short strings, as `oracle/oracle.py` wrote it down, against the
//! number plan. `oracle/differences.csv` lists every difference with its reason.

use std::collections::BTreeMap;

use shared::number::Area;
use shared::number::plan::{Kind, classify};
use shared::{Date, Number};

const HEADS: &str = include_str!("../oracle/heads.csv");
const SHORT: &str = include_str!("../oracle/short.csv");
const DIFFERENCES: &str = include_str!("../oracle/differences.csv");

/// Each oracle is asked about its own time: that of its data, and the day from which its data is true.
const ORACLES: [(&str, &str); 2] = [("phonenumbers-jp", "2023-01-31"), ("phonenumbers", "2026-07-01")];

fn rows(csv: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    csv.lines().skip(1).map(|line| line.split(',').collect())
}

/// Both oracles' answers about the ten or eleven digits of every head.
fn answers() -> impl Iterator<Item = (String, u32, [&'static str; 2])> {
    let runs: Vec<_> = rows(HEADS)
        .map(|row| (row[0], row[1].parse::<u32>().unwrap(), [row[2], row[3]]))
        .collect();
    let ends: Vec<_> = runs.iter().skip(1).map(|run| run.1).chain([0]).collect();
    runs.into_iter()
        .zip(ends)
        .flat_map(|((length, first, said), end)| {
            let (end, tail) = (
                if end == 0 { 100_000 } else { end },
                if length == "10" { "2345" } else { "23456" },
            );
            (first..end).map(move |head| (format!("0{head:05}{tail}"), head, said))
        })
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Emergency => "emergency",
        Kind::Geographic(_) => "geographic",
        Kind::Ip => "ip",
        Kind::Mobile => "mobile",
        Kind::Fmc => "fmc",
        Kind::M2m => "m2m",
        Kind::Pager => "pager",
        Kind::TollFree => "toll-free",
        Kind::NaviDial => "navi-dial",
        Kind::Premium => "premium",
        Kind::Teledome => "teledome",
        Kind::Service => "service",
        Kind::Ended => "ended",
        Kind::International => "international",
        Kind::Unassigned => "none",
    }
}

/// An oracle's answer in our words: `geographic 3-3-4`.
fn theirs(said: &str) -> String {
    let mut parts = said.split(':');
    let kind = match parts.next().unwrap() {
        "-" => return "none".into(),
        "国際電話" | "ABROAD" => return "international".into(),
        "固定" | "FIXED_LINE" => "geographic",
        "IP" | "VOIP" => "ip",
        "携帯" | "MOBILE" => "mobile",
        "FMC" | "PERSONAL_NUMBER" => "fmc",
        "M2M" => "m2m",
        "ポケベル" | "PAGER" => "pager",
        "フリーダイヤル" | "TOLL_FREE" => "toll-free",
        "ナビダイヤル" | "UAN" => "navi-dial",
        "災害募金サービス" | "PREMIUM_RATE" => "premium",
        "テレドーム" => "teledome",
        other => panic!("{other}"),
    };
    format!("{kind} {}", parts.next().unwrap())
}

fn ours(text: &str, on: Date) -> String {
    let Ok(number) = Number::parse(text) else {
        return "none".into();
    };
    match classify(number, on) {
        kind @ (Kind::Unassigned | Kind::International | Kind::Ended) => word(kind).into(),
        kind => {
            let shown = number.grouped().to_string();
            let groups: Vec<_> = shown.split('-').map(|group| group.len().to_string()).collect();
            format!("{} {}", word(kind), groups.join("-"))
        }
    }
}

/// The published differences, crossed off one by one.
struct Differences(Vec<(Vec<&'static str>, u32)>, BTreeMap<[String; 5], u32>);

impl Differences {
    fn note(&mut self, oracle: &str, text: &str, theirs: &str, ours: &str) {
        let length = text.len().to_string();
        let found = self.0.iter_mut().find(|(row, _)| {
            row[..2] == [oracle, &length] && text.starts_with(row[2]) && row[3..5] == [theirs, ours]
        });
        match found {
            Some((_, seen)) => *seen += 1,
            None => {
                let key = [oracle, &length, &text[..text.len().min(4)], theirs, ours].map(String::from);
                *self.1.entry(key).or_default() += 1;
            }
        }
    }
}

#[test]
fn every_difference_to_the_oracles_is_a_published_one() {
    let mut differences = Differences(rows(DIFFERENCES).map(|row| (row, 0)).collect(), BTreeMap::new());
    let mut asked = 0;
    for (text, _, said) in answers() {
        for ((oracle, date), said) in ORACLES.into_iter().zip(said) {
            let (theirs, ours) = (theirs(said), ours(&text, date.parse().unwrap()));
            if theirs != ours {
                differences.note(oracle, &text, &theirs, &ours);
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 2 * 2 * 100_000);

    let short: BTreeMap<_, _> = rows(SHORT).map(|row| (row[0], [row[1], row[2]])).collect();
    for length in 0..=3 {
        for value in 0..10u32.pow(length) {
            let text = match length {
                0 => String::new(),
                _ => format!("{value:0width$}", width = length as usize),
            };
            let said = short.get(&*text).copied().unwrap_or(["-", "-"]);
            for ((oracle, date), said) in ORACLES.into_iter().zip(said) {
                let date = date.parse().unwrap();
                let ours = Number::parse(&text).map_or("none", |number| match classify(number, date) {
                    Kind::Emergency => "emergency",
                    Kind::Service => "service",
                    _ => "none",
                });
                let theirs = match said {
                    "-" => "none",
                    "EMERGENCY" => "emergency",
                    _ if said.ends_with("への緊急通報") => "emergency",
                    _ => "service",
                };
                if theirs != ours {
                    differences.note(oracle, &text, theirs, ours);
                }
            }
        }
    }
    let wrong: Vec<_> = differences
        .0
        .iter()
        .filter(|(row, seen)| row[5] != seen.to_string())
        .map(|(row, seen)| format!("{} are {seen}", row.join(",")))
        .chain(
            differences
                .1
                .iter()
                .map(|(key, seen)| format!("{},{seen}", key.join(","))),
        )
        .collect();
    assert!(wrong.is_empty(), "not as published:\n{}", wrong.join("\n"));
}

#[test]
fn the_area_table_has_an_area_for_each_code_and_name_and_no_other() {
    let mut areas = BTreeMap::new();
    let mut names = BTreeMap::new();
    for (text, head, [said, _]) in answers().filter(|(text, ..)| text.len() == 10) {
        let area = Number::parse(&text).ok().and_then(Number::area);
        assert_eq!(Area::of_head(head), area, "{text}");
        let mut parts = said.split(':').skip(1);
        let Some(area) = area else {
            assert!(!said.starts_with("固定"), "{text}");
            continue;
        };
        let code: usize = parts.next().unwrap()[..1].parse().unwrap();
        let name = (text[..code].to_owned(), parts.next().unwrap());
        assert_eq!(areas.entry(area).or_insert_with(|| name.clone()), &name, "{text}");
        assert_eq!(*names.entry(name).or_insert(area), area, "{text}");
    }
    assert_eq!(areas.len(), 581);
    assert_eq!(
        Area::all().collect::<Vec<_>>(),
        areas.into_keys().collect::<Vec<_>>()
    );
    for head in [100_000, 0x2_0000, 0x2_0001, u32::MAX] {
        assert_eq!(Area::of_head(head), None, "{head}");
    }
}
