//! Tables for people, and the one way to standard output.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::Context;
use serde_json::Value;

use contract::{Contract, Effect, Lang};
use shared::date::Local;

use super::why::Terminal;
use crate::control::CallInfo;
use crate::db::{BoxRow, CallRow, ContractRow, EventRow, LegRow, LogRow, RegistrationRow, unix_ms};

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
pub fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}

/// The result of an order.
pub fn done(json: bool, value: Value, text: &str) -> anyhow::Result<()> {
    if json {
        say(&format!("{value}\n"))
    } else {
        say(&format!("{text}\n"))
    }
}

pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        let indent = heads
            .first()
            .map_or(0, |head| head.len() - head.trim_start().len());
        let what = heads.first().map_or("", |head| head.trim());
        return format!("{:indent$}{what}: none\n", "");
    }
    let columns = heads.len();
    let mut widths: Vec<usize> = heads.iter().map(|head| width(head)).collect();
    for row in rows {
        for (place, cell) in row.iter().enumerate().take(columns) {
            widths[place] = widths[place].max(width(cell));
        }
    }
    let mut table = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width_of) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(
                ' ',
                width_of + 2 - width(cell).min(*width_of),
            ));
        }
        table.push_str(text.trim_end());
        table.push('\n');
    };
    line(&mut heads.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    table
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

pub(super) fn ago(then: Option<i64>) -> String {
    match then {
        Some(then) => format!("{} s ago", (unix_ms() as i64 - then).max(0) / 1000),
        None => "never".into(),
    }
}

pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").into()
}

/// Date and time in Japan.
fn date(unix_ms: i64) -> String {
    let seconds = unix_ms.max(0) as u64 / 1_000;
    format!("{}:{:02}", Local::from_unix(seconds), seconds % 60)
}

/// What followed from an order, where somebody has to know.
pub fn effect(effect: &Effect, contract: &Contract, lang: Lang) -> Option<String> {
    let text = match (effect, lang) {
        (Effect::Warning(warning), _) => {
            let (rule, word) = (warning.rule(), if lang == Lang::Ja { "注意" } else { "warning" });
            format!("{rule}: {word}: {}", warning.text(lang))
        }
        (Effect::ConfirmEmergency(site), Lang::En) => format!(
            "Give emergency services the address of site {0}, then `site set --site {0} --emergency`.",
            site.0
        ),
        (Effect::ConfirmEmergency(site), Lang::Ja) => format!(
            "拠点{0}の住所を緊急通報用に登録し、`site set --site {0} --emergency`を実行してください。",
            site.0
        ),
        (Effect::Review(request), Lang::En) => format!(
            "R14: request {request} waits for its review (`rep decide --contract {} --request {request}`).",
            contract.id.0
        ),
        (Effect::Review(request), Lang::Ja) => format!(
            "R14: 申込{request}は審査待ちです(`rep decide --contract {} --request {request}`)。",
            contract.id.0
        ),
        _ => return None,
    };
    Some(text)
}

/// The terminals of `why`.
pub fn terminals(rows: &[Terminal]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                format!("  {}", row.extension),
                if row.rings { "rings" } else { "silent" }.into(),
                row.rule.into(),
                row.reason.into(),
                row.label.clone(),
            ]
        })
        .collect();
    table(&["  terminal", "does", "rule", "reason", "label"], &cells)
}

/// `contract log`
pub fn log(rows: &[LogRow]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.version.to_string(),
                date(row.at),
                row.actor.clone(),
                row.command.clone(),
            ]
        })
        .collect();
    table(&["version", "at", "by", "order"], &cells)
}

/// `show contracts`
pub fn contracts(rows: &[ContractRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(
            text,
            "contract {}  {}  channels {}  version {}",
            row.contract, row.name, row.channels, row.version
        );
        if let Some(day) = &row.ended {
            let _ = writeln!(text, "  ended {day}");
        }
        for reason in &row.suspended {
            let _ = writeln!(text, "  suspended: {reason}");
        }
        let ids: Vec<_> = row
            .ids
            .iter()
            .map(|id| {
                let id = id.clone();
                vec![
                    format!("  {}", id.direct),
                    id.extension,
                    id.key.to_string(),
                    id.role,
                    match (id.port, id.phone) {
                        (Some(port), _) => format!("{} at port {port}", id.kind),
                        (None, Some(mac)) => format!("{} {mac}", id.kind),
                        (None, None) => id.kind,
                    },
                    id.outgoing,
                    id.site.to_string(),
                    or_dash(Some(&id.state)),
                    id.label,
                ]
            })
            .collect();
        text += &table(
            &[
                "  ID",
                "extension",
                "key",
                "role",
                "kind",
                "presents",
                "site",
                "state",
                "label",
            ],
            &ids,
        );
        let reps: Vec<_> = row
            .reps
            .iter()
            .map(|rep| {
                vec![
                    format!("  {}", rep.number),
                    rep.members.clone(),
                    rep.ring.clone(),
                    or_dash(Some(&rep.state)),
                    rep.label.clone(),
                ]
            })
            .collect();
        text += &table(&["  representative", "members", "ring", "state", "label"], &reps);
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
        text += &table(&["  site", "epoch", "box", "name"], &sites);
        text += &rest(row);
        for request in &row.requests {
            let _ = writeln!(
                text,
                "  request {}: {} for {}",
                request.request, request.number, request.usage
            );
        }
    }
    if rows.is_empty() {
        text.push_str("contract: none\n");
    }
    text
}

/// Of a contract, what it need not have.
fn rest(row: &ContractRow) -> String {
    let mut text = String::new();
    let index = |index: Option<u8>| index.map_or_else(|| "-".into(), |index| index.to_string());
    let rules: Vec<_> = row
        .rules
        .iter()
        .map(|rules| {
            vec![
                format!("  {}", rules.number),
                index(rules.hours),
                index(rules.block),
                or_dash(rules.closed.as_deref()),
                or_dash(rules.unanswered.as_deref()),
            ]
        })
        .collect();
    if !rules.is_empty() {
        let heads = ["  calls to", "hours", "block", "after hours", "unanswered"];
        text += &table(&heads, &rules);
    }
    for (key, hours) in &row.hours {
        let _ = writeln!(text, "  hours {key}: {hours}");
    }
    for (key, callers) in &row.blocks {
        let _ = writeln!(text, "  block {key}: {callers}");
    }
    let devices: Vec<_> = row
        .devices
        .iter()
        .map(|device| {
            let ports: Vec<_> = device.ports.iter().map(|port| or_dash(port.as_deref())).collect();
            vec![
                format!("  {}", device.device),
                device.model.clone(),
                device.state.clone(),
                device.site.to_string(),
                or_dash(Some(&ports.join(","))),
                or_dash(device.mac.as_deref()),
            ]
        })
        .collect();
    if !devices.is_empty() {
        let heads = ["  device", "model", "state", "site", "ports", "address"];
        text += &table(&heads, &devices);
    }
    text
}

/// `show boxes`
pub fn boxes(rows: &[BoxRow]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.r#box.clone(),
                row.site.to_string(),
                match row.online {
                    Some(true) => "online",
                    Some(false) => "offline",
                    None => "-",
                }
                .into(),
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
    )
}

/// `show registrations`
pub fn registrations(rows: &[RegistrationRow]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.source.clone(),
                row.user.clone(),
                or_dash(Some(&row.contact)),
                row.since.map_or_else(|| "-".into(), |since| ago(Some(since))),
            ]
        })
        .collect();
    table(&["registered at", "user", "contact", "since"], &cells)
}

/// `show events`
pub fn events(rows: &[EventRow]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                date(row.received),
                row.origin.clone(),
                format!("{}.{}", row.boot, row.seq),
                row.kind.clone(),
                row.text.clone(),
            ]
        })
        .collect();
    table(&["arrived", "from", "event", "kind", "what"], &cells)
}

/// `show calls`
pub fn calls(rows: &[CallInfo]) -> String {
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
    table(&["session", "contract", "from", "to", "state", "for"], &cells)
}

/// `show records`
pub fn records(rows: &[CallRow]) -> String {
    if rows.is_empty() {
        return "record: none\n".into();
    }
    rows.iter().map(record).collect()
}

fn seconds(ms: i64) -> String {
    format!("{:.1} s", ms.max(0) as f64 / 1000.0)
}

/// An answered leg or call that a fault has cut says when.
fn ending(state: &str, talked_ms: Option<i64>) -> String {
    match (state, talked_ms) {
        ("lost", Some(talked)) => format!("lost after {}", seconds(talked)),
        (state, _) => state.replace('_', " "),
    }
}

fn record(call: &CallRow) -> String {
    let when = if call.has_clock {
        date(call.started)
    } else {
        "no clock".into()
    };
    let by = call
        .answered_by
        .as_ref()
        .map_or_else(String::new, |extension| format!(" by {extension}"));
    let end = match (call.outcome.as_str(), call.talked_ms) {
        ("answered", Some(talked)) => format!("answered{by}  {}", seconds(talked)),
        ("lost", Some(talked)) if !by.is_empty() => {
            format!("answered{by}  {}", ending("lost", Some(talked)))
        }
        (outcome, talked) => ending(outcome, talked),
    };
    let contract = call.contract.map_or_else(|| "-".into(), |id| id.to_string());
    let heads = [
        "  side",
        "way",
        "from",
        "to",
        "presented",
        "terminal",
        "rang",
        "answered",
        "ended",
        "state",
        "status",
    ];
    let legs: Vec<_> = call.detail.iter().map(leg).collect();
    format!(
        "{when}  contract {contract}  {end}  {}\n{}",
        call.session,
        table(&heads, &legs)
    )
}

fn leg(leg: &LegRow) -> Vec<String> {
    let ms = |value: Option<i64>| value.map_or_else(|| "-".into(), |ms| format!("{ms} ms"));
    vec![
        format!("  {}", leg.side),
        leg.direction.clone(),
        leg.caller.clone(),
        leg.called.clone(),
        or_dash(leg.presented.as_deref()),
        or_dash(leg.extension.as_deref()),
        ms(leg.ringing_ms),
        ms(leg.answered_ms),
        ms(Some(leg.ended_ms)),
        ending(
            &leg.state,
            leg.answered_ms.map(|answered| leg.ended_ms - answered),
        ),
        leg.status.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `TZ=Asia/Tokyo date -d @...`.
    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970-01-01 09:00:00"),
            (951_750_000, "2000-02-29 00:00:00"),
            (1_709_218_799, "2024-02-29 23:59:59"),
            (1_709_218_800, "2024-03-01 00:00:00"),
            (1_800_000_000, "2027-01-15 17:00:00"),
            (4_107_423_600, "2100-02-28 00:00:00"),
            (4_107_510_000, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(date(seconds * 1_000), text, "{seconds}");
        }
    }

    #[test]
    fn how_a_call_ended() {
        let mut call = CallRow {
            session: "s".into(),
            contract: Some(1),
            started: 1_800_000_000_000,
            has_clock: true,
            answered: None,
            ended: 0,
            legs: 0,
            box_legs: 0,
            cloud_legs: 0,
            was_answered: true,
            talked_ms: Some(17_200),
            was_lost: true,
            outcome: "lost".into(),
            answered_by: Some("202".into()),
            detail: Vec::new(),
        };
        let first = |call: &CallRow| record(call).lines().next().unwrap_or_default().to_owned();
        assert_eq!(
            first(&call),
            "2027-01-15 17:00:00  contract 1  answered by 202  lost after 17.2 s  s"
        );
        (call.outcome, call.has_clock) = ("answered".into(), false);
        assert_eq!(first(&call), "no clock  contract 1  answered by 202  17.2 s  s");
        (call.outcome, call.talked_ms) = ("not_answered".into(), None);
        assert_eq!(first(&call), "no clock  contract 1  not answered  s");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(table(&["  site", "name"], &[]), "  site: none\n");
        assert_eq!(boxes(&[]), "box: none\n");
        assert_eq!(records(&[]), "record: none\n");
        assert_eq!(contracts(&[]), "contract: none\n");
    }
}
