//! The areas' names against what `shared/oracle/oracle.py` wrote down of phonenumbers-jp.

use std::collections::BTreeSet;

use contract::area_names::{code, name};
use shared::number::Area;

#[test]
fn every_area_has_the_code_and_name_that_the_oracle_gives_its_heads() {
    let rows: Vec<_> = include_str!("../../oracle/heads.csv")
        .lines()
        .filter(|line| line.starts_with("10,"))
        .map(|line| line.split(',').collect::<Vec<_>>())
        .collect();
    let mut geographic = 0;
    for head in 0..100_000 {
        let run = rows.partition_point(|row| row[1].parse::<u32>().unwrap() <= head) - 1;
        let said = rows[run][2].strip_prefix("固定:");
        let ours = Area::of_head(head).map(|area| {
            let groups = code(area).len();
            format!("{groups}-{}-4:{}", 6 - groups, name(area))
        });
        assert_eq!(ours.as_deref(), said, "{head:05}");
        if let Some(area) = Area::of_head(head) {
            assert!(format!("0{head:05}").starts_with(code(area)), "{head:05}");
            geographic += 1;
        }
    }
    assert_eq!(geographic, 54_993);
    assert!(Area::all().all(|area| !name(area).is_empty()));
    // Code and name together are of one area alone.
    let both: BTreeSet<_> = Area::all().map(|area| (code(area), name(area))).collect();
    assert_eq!(both.len(), Area::all().count());
}

#[test]
fn golden_names() {
    for (head, expected) in [
        (31234, ("03", "東京")),
        (42222, ("0422", "武蔵野三鷹")),
        (42440, ("042", "武蔵野三鷹")),
        (47091, ("04", "鴨川")),
        (47101, ("04", "柏")),
        (42921, ("04", "所沢")),
        (53961, ("0539", "天竜")),
        (53964, ("053", "浜松")),
        (59792, ("05979", "熊野")),
        (85122, ("08512", "西郷")),
        (86366, ("0863", "玉野")),
        (48421, ("048", "川口")),
        (48642, ("048", "浦和")),
        (48521, ("048", "熊谷")),
        (48922, ("048", "草加")),
    ] {
        let area = Area::of_head(head).unwrap();
        assert_eq!((code(area), name(area)), expected);
    }
}
