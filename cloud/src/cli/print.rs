//! Tables for people.

use serde_json::Value;

use crate::control::CallInfo;
use crate::db::{BoxRow, CallRow, ContractRow, RegistrationRow, unix_ms};

/// The result of an order.
pub fn done(json: bool, value: Value, text: &str) {
    if json {
        println!("{value}")
    } else {
        println!("{text}")
    }
}

fn table(heads: &[&str], rows: &[Vec<String>]) {
    let columns = heads.len();
    let mut widths: Vec<usize> = heads.iter().map(|head| width(head)).collect();
    for row in rows {
        for (place, cell) in row.iter().enumerate().take(columns) {
            widths[place] = widths[place].max(width(cell));
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width_of) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(
                ' ',
                width_of + 2 - width(cell).min(*width_of),
            ));
        }
        println!("{}", text.trim_end());
    };
    line(&mut heads.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}

/// Columns on a terminal: kana and kanji take two.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| {
            if ('\u{1100}'..='\u{ffdc}').contains(&c) {
                2
            } else {
                1
            }
        })
        .sum()
}

fn ago(then: Option<i64>) -> String {
    match then {
        Some(then) => format!("{} s ago", (unix_ms() as i64 - then).max(0) / 1000),
        None => "never".into(),
    }
}

fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").into()
}

/// `show contracts`
pub fn contracts(rows: &[ContractRow]) {
    for row in rows {
        println!(
            "contract {}  {}  channels {}",
            row.contract, row.name, row.channels
        );
        let ids: Vec<_> = row
            .ids
            .iter()
            .map(|id| {
                let id = id.clone();
                vec![
                    format!("  {}", id.direct),
                    id.extension,
                    id.role,
                    id.kind,
                    id.outgoing,
                    id.label,
                ]
            })
            .collect();
        table(&["  ID", "extension", "role", "kind", "presents", "label"], &ids);
        let reps: Vec<_> = row
            .reps
            .iter()
            .map(|rep| {
                vec![
                    format!("  {}", rep.number),
                    rep.members.clone(),
                    rep.ring.clone(),
                    rep.label.clone(),
                ]
            })
            .collect();
        table(&["  representative", "members", "ring", "label"], &reps);
        let sites: Vec<_> = row
            .sites
            .iter()
            .map(|site| {
                let id = format!("  {}", site.site);
                vec![
                    id,
                    site.epoch.to_string(),
                    or_dash(site.r#box.as_deref()),
                    site.name.clone(),
                ]
            })
            .collect();
        table(&["  site", "epoch", "box", "name"], &sites);
    }
}

/// `show boxes`
pub fn boxes(rows: &[BoxRow]) {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.r#box.clone(),
                row.site.to_string(),
                if row.online { "online" } else { "offline" }.into(),
                format!("{}/{}", row.epoch, row.issued),
                or_dash(row.trunk.as_deref()),
                or_dash(Some(&row.firmware)),
                ago(row.seen),
                or_dash(row.nack.as_deref()),
            ]
        })
        .collect();
    table(
        &[
            "box", "site", "link", "epoch", "trunk", "firmware", "seen", "refused",
        ],
        &cells,
    );
}

/// `show registrations`
pub fn registrations(rows: &[RegistrationRow]) {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.source.clone(),
                row.user.clone(),
                or_dash(Some(&row.contact)),
                ago(Some(row.since)),
            ]
        })
        .collect();
    table(&["at", "user", "contact", "since"], &cells);
}

/// `show calls`
pub fn calls(rows: &[CallInfo]) {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.session.clone(),
                row.contract.to_string(),
                row.caller.clone(),
                row.called.clone(),
                row.state.clone(),
                format!("{} s", row.seconds),
            ]
        })
        .collect();
    table(&["session", "contract", "from", "to", "state", "for"], &cells);
}

/// `show records`
pub fn records(rows: &[CallRow]) {
    for call in rows {
        let talked = call.answered.map_or(0, |answered| (call.ended - answered).max(0));
        println!(
            "{}  contract {}  {}  {:.1} s",
            call.session,
            call.contract
                .map_or_else(|| "-".into(), |contract| contract.to_string()),
            if call.was_answered {
                "answered"
            } else {
                "not answered"
            },
            talked as f64 / 1000.0,
        );
        let legs: Vec<_> = call
            .detail
            .iter()
            .map(|leg| {
                let ms = |value: Option<i64>| value.map_or_else(|| "-".into(), |ms| format!("{ms} ms"));
                vec![
                    format!("  {}", leg.side),
                    leg.direction.clone(),
                    leg.caller.clone(),
                    leg.called.clone(),
                    or_dash(leg.presented.as_deref()),
                    ms(leg.ringing_ms),
                    ms(leg.answered_ms),
                    ms(Some(leg.ended_ms)),
                    leg.state.clone(),
                    leg.status.to_string(),
                ]
            })
            .collect();
        table(
            &[
                "  side",
                "way",
                "from",
                "to",
                "presented",
                "rang",
                "answered",
                "ended",
                "state",
                "status",
            ],
            &legs,
        );
    }
}
